//! Models that learn in context, trained and taken apart: the safe face of libmesaopt.
//!
//! ```
//! use mesaopt::{Context, Model, Settings, Task, Trainer};
//! # fn main() -> Result<(), mesaopt::Error> {
//! let ctx = Context::new(&[])?;
//! let task = Task::new(&ctx, &[])?;
//! let mut model = Model::new(&ctx, &[])?;
//! model.add_text("mask(first=20); linear(heads=2,key=20,residual_clip=4)")?;
//! let mut trainer = Trainer::new(model, task, &[("lr", "0.003"), ("batch", "64")])?;
//! trainer.run(2)?;
//! assert!(trainer.evaluate(64)?.0 > 0.0);
//! # Ok(()) }
//! ```
//!
//! Arrays go as [`View`] and [`ViewMut`], which borrow slices; what a call writes is `&mut`. A trainer owns its model
//! and task, so that no slice of a parameter lives while it trains. Handles are `Send`: a context serves one call at a
//! time, and a second one, from another thread, gets [`Error::Busy`]. A panic in a callback comes out of the call. What
//! is not here is in [`sys`], which is all of the C API, with `as_ptr` of every handle.
//!
//! What would be wrong in C does not compile here. A view that outlives its array, a parameter that outlives its model,
//! one that is kept while blocks are added, one that is read while the model trains, and one that is written while a
//! decoder reads it:
//!
//! ```compile_fail,E0597
//! let view = { let x = [0.0f64; 4]; mesaopt::View::new(&x, &[4]).unwrap() };
//! assert!(!view.as_ptr().is_null());
//! ```
//! ```compile_fail,E0597
//! # fn main() -> Result<(), mesaopt::Error> { let ctx = mesaopt::Context::new(&[])?;
//! let (query, _) = { let model = mesaopt::Model::new(&ctx, &[])?; model.parameter::<f32>("blocks.0.query")? };
//! println!("{}", query[0]);
//! # Ok(()) }
//! ```
//! ```compile_fail,E0502
//! # fn main() -> Result<(), mesaopt::Error> { let ctx = mesaopt::Context::new(&[])?; let mut model = mesaopt::Model::new(&ctx, &[])?;
//! let (query, _) = model.parameter::<f32>("blocks.0.query")?;
//! model.add_text("dense(outputs=10)")?;
//! println!("{}", query[0]);
//! # Ok(()) }
//! ```
//! ```compile_fail,E0502
//! # fn main() -> Result<(), mesaopt::Error> { let ctx = mesaopt::Context::new(&[])?;
//! # let mut trainer = mesaopt::Trainer::new(mesaopt::Model::new(&ctx, &[])?, mesaopt::Task::new(&ctx, &[])?, &[])?;
//! let (query, _) = trainer.model().parameter::<f32>("blocks.0.query")?;
//! trainer.run(10)?;
//! println!("{}", query[0]);
//! # Ok(()) }
//! ```
//! ```compile_fail,E0502
//! # fn main() -> Result<(), mesaopt::Error> { let ctx = mesaopt::Context::new(&[])?; let mut model = mesaopt::Model::new(&ctx, &[])?;
//! let decoder = mesaopt::Decoder::new(&model, &[])?;
//! model.parameter_mut::<f32>("blocks.0.query")?.0.fill(0.0);
//! println!("{}", decoder.steps(0)?);
//! # Ok(()) }
//! ```
//! ```compile_fail,E0277
//! fn shared<T: Sync>() {}
//! shared::<mesaopt::Model>();
//! ```
#![warn(unsafe_op_in_unsafe_fn)]
mod call;
mod context;
mod decode;
mod model;
mod probe;
mod solve;
mod study;
mod task;
mod view;

pub use call::Step;
pub use context::{Context, Hooks, Settings};
pub use decode::{Decoder, Prompt};
pub use mesaopt_sys as sys;
pub use model::{Model, Trainer};
pub use probe::{Probe, Set};
pub use solve::{Attention, Regression, Solver};
pub use study::{Baseline, ClosedForm, Linearise, RevAlg};
pub use task::{Batch, Sequences, Stream, Task};
pub use view::{Element, View, ViewMut};

use std::ffi::{CStr, CString};

/// A call failed; each has the library's text: the argument, what it was and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    Argument(String),
    Shape(String),
    Dtype(String),
    Overlap(String),
    Setting(String),
    Memory(String),
    Busy(String),
    State(String),
    NonFinite(String),
    Io(String),
    Format(String),
    Interrupted(String),
    Unsupported(String),
    Source(String),
    Other(i32, String),
}

impl Error {
    fn new(status: i32, text: String) -> Self {
        match status {
            sys::MESAOPT_E_ARGUMENT => Error::Argument(text),
            sys::MESAOPT_E_SHAPE => Error::Shape(text),
            sys::MESAOPT_E_DTYPE => Error::Dtype(text),
            sys::MESAOPT_E_OVERLAP => Error::Overlap(text),
            sys::MESAOPT_E_SETTING => Error::Setting(text),
            sys::MESAOPT_E_MEMORY => Error::Memory(text),
            sys::MESAOPT_E_BUSY => Error::Busy(text),
            sys::MESAOPT_E_STATE => Error::State(text),
            sys::MESAOPT_E_NONFINITE => Error::NonFinite(text),
            sys::MESAOPT_E_IO => Error::Io(text),
            sys::MESAOPT_E_FORMAT => Error::Format(text),
            sys::MESAOPT_E_INTERRUPTED => Error::Interrupted(text),
            sys::MESAOPT_E_UNSUPPORTED => Error::Unsupported(text),
            sys::MESAOPT_E_SOURCE => Error::Source(text),
            other => Error::Other(other, text),
        }
    }

    /// The library's text.
    pub fn text(&self) -> &str {
        match self {
            Error::Argument(t) | Error::Shape(t) | Error::Dtype(t) | Error::Overlap(t) | Error::Setting(t) | Error::Memory(t) | Error::Busy(t)
            | Error::State(t) | Error::NonFinite(t) | Error::Io(t) | Error::Format(t) | Error::Interrupted(t) | Error::Unsupported(t) | Error::Source(t)
            | Error::Other(_, t) => t,
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Error {}

/// The result is there; something may be worth knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Done,
    Stopped,
    NotConverged,
    OtherIsa,
    AtBound,
}

pub type Result<T> = std::result::Result<T, Error>;

/// An owned C handle.
pub(crate) struct Handle<T: Kind>(*mut T);

pub(crate) trait Kind {
    unsafe fn free(this: *mut Self);
}

macro_rules! kinds {
    ($($kind:ident $free:ident,)*) => { $(impl Kind for sys::$kind { unsafe fn free(this: *mut Self) { unsafe { sys::$free(this) }; } })* };
}
kinds! {
    mesaopt_ctx mesaopt_ctx_free, mesaopt_settings mesaopt_settings_free, mesaopt_tensor mesaopt_tensor_free, mesaopt_task mesaopt_task_free,
    mesaopt_model mesaopt_model_free, mesaopt_trainer mesaopt_trainer_free, mesaopt_attn mesaopt_attn_free, mesaopt_lsq mesaopt_lsq_free,
    mesaopt_rls mesaopt_rls_free, mesaopt_baseline mesaopt_baseline_free, mesaopt_revalg mesaopt_revalg_free,
    mesaopt_decoder mesaopt_decoder_free, mesaopt_prompt mesaopt_prompt_free, mesaopt_probe mesaopt_probe_free,
    mesaopt_linearise mesaopt_linearise_free,
}

impl<T: Kind> Handle<T> {
    /// What a create function writes to its last argument.
    fn made(ctx: &Context, create: impl FnOnce(*mut *mut T) -> i32) -> Result<Self> {
        let mut made = Handle(std::ptr::null_mut());
        ctx.check(create(&mut made.0))?;
        Ok(made)
    }
}

impl<T: Kind> Drop for Handle<T> {
    fn drop(&mut self) {
        unsafe { T::free(self.0) }
    }
}

// The library counts references, frees from any thread, and refuses a second call on a context while one runs.
unsafe impl<T: Kind> Send for Handle<T> {}
// Of a context alone: what is called through a shared reference to it may be called from any thread at any time, or is refused.
unsafe impl Sync for Handle<sys::mesaopt_ctx> {}

fn read_text(f: impl Fn(*mut std::os::raw::c_char, i64) -> i64) -> String {
    let bytes = f(std::ptr::null_mut(), 0).max(0) as usize;
    let mut buf = vec![0u8; bytes];
    if bytes > 0 {
        f(buf.as_mut_ptr().cast(), bytes as i64);
        buf.truncate(buf.iter().position(|&b| b == 0).unwrap_or(bytes));
    }
    String::from_utf8_lossy(&buf).into_owned()
}

pub(crate) fn c_text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::Argument(format!("{text:?}: a text with a null byte")))
}

/// A text from the metadata of a file: a note ([`Model::set_note`]), or the library's own, such as "mesaopt.kind".
pub fn file_note(ctx: &Context, path: &str, key: &str) -> Result<Option<String>> {
    let (path, key) = (c_text(path)?, c_text(key)?);
    let read = |buf, cap| unsafe { sys::mesaopt_file_note(ctx.as_ptr(), path.as_ptr(), key.as_ptr(), buf, cap) };
    let bytes = ctx.counted(read(std::ptr::null_mut(), 0))?;
    Ok((bytes > 0).then(|| read_text(read)))
}

/// The same from the bytes of such a file.
pub fn note_of(ctx: &Context, bytes: &[u8], key: &str) -> Result<Option<String>> {
    let key = c_text(key)?;
    let read = |buf, cap| unsafe { sys::mesaopt_file_note_from(ctx.as_ptr(), bytes.as_ptr().cast(), bytes.len() as i64, key.as_ptr(), buf, cap) };
    let size = ctx.counted(read(std::ptr::null_mut(), 0))?;
    Ok((size > 0).then(|| read_text(read)))
}

/// One line about the build of the library.
pub fn build_info() -> &'static str {
    unsafe { CStr::from_ptr(sys::mesaopt_build_info()) }.to_str().unwrap_or("")
}
