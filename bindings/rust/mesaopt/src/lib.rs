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
//! one that is kept while blocks are added, and one that is read while the model trains:
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
//! ```compile_fail,E0277
//! fn shared<T: Sync>() {}
//! shared::<mesaopt::Model>();
//! ```
mod model;
mod solve;
mod study;
mod view;

pub use mesaopt_sys as sys;
pub use model::{Batch, Model, Step, Stream, Task, Trainer};
pub use solve::{Attention, Regression, Solver};
pub use study::{Baseline, ClosedForm, RevAlg};
pub use view::{Element, View, ViewMut};

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::sync::Arc;

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
    ($($kind:ident $free:ident,)*) => { $(impl Kind for sys::$kind { unsafe fn free(this: *mut Self) { sys::$free(this); } })* };
}
kinds! {
    mesaopt_ctx mesaopt_ctx_free, mesaopt_settings mesaopt_settings_free, mesaopt_tensor mesaopt_tensor_free, mesaopt_task mesaopt_task_free,
    mesaopt_model mesaopt_model_free, mesaopt_trainer mesaopt_trainer_free, mesaopt_attn mesaopt_attn_free, mesaopt_lsq mesaopt_lsq_free,
    mesaopt_rls mesaopt_rls_free, mesaopt_baseline mesaopt_baseline_free, mesaopt_revalg mesaopt_revalg_free,
}

impl<T: Kind> Handle<T> {
    /// What a create function writes to its last argument.
    fn made(ctx: &Context, create: impl FnOnce(*mut *mut T) -> i32) -> Result<Self> {
        let mut raw = std::ptr::null_mut();
        ctx.check(create(&mut raw))?;
        Ok(Handle(raw))
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

thread_local! {
    /// What a callback threw, until the call that made it has returned.
    static THROWN: RefCell<Option<Box<dyn Any + Send>>> = const { RefCell::new(None) };
}

/// Runs a callback's closure; a panic is kept for the caller of the library.
pub(crate) fn guarded(f: impl FnOnce() -> i32) -> i32 {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_or_else(|thrown| {
        THROWN.with(|t| *t.borrow_mut() = Some(thrown));
        -1
    })
}

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

/// Options of a scope, by name. Most functions take them as pairs: `&[("lr", "3e-4")]`.
pub struct Settings(Handle<sys::mesaopt_settings>);

impl Settings {
    /// `scope`: one of the constants `sys::MESAOPT_SCOPE_*`.
    pub fn new(scope: i32, values: &[(&str, &str)]) -> Result<Self> {
        let mut raw = std::ptr::null_mut();
        let status = unsafe { sys::mesaopt_settings_create(scope, None, None, std::ptr::null_mut(), &mut raw) };
        if status < 0 {
            return Err(Error::new(status, format!("settings of scope {scope}")));
        }
        let mut settings = Settings(Handle(raw));
        for (name, value) in values {
            settings.set(name, value)?;
        }
        Ok(settings)
    }

    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let (name, value) = (c_text(name)?, c_text(value)?);
        let status = unsafe { sys::mesaopt_settings_set_text(self.as_ptr(), name.as_ptr(), value.as_ptr()) };
        if status < 0 { Err(self.error(status)) } else { Ok(()) }
    }

    /// "name=value name=value ...", all of them.
    pub fn dump(&self) -> String {
        read_text(|buf, cap| unsafe { sys::mesaopt_settings_dump(self.as_ptr(), buf, cap) })
    }

    pub fn as_ptr(&self) -> *mut sys::mesaopt_settings {
        self.0 .0
    }

    fn error(&self, status: i32) -> Error {
        Error::new(status, read_text(|buf, cap| unsafe { sys::mesaopt_settings_error(self.as_ptr(), buf, cap) }))
    }
}

/// Memory, threads and ISA level of what is made in it. A clone is the same context.
#[derive(Clone)]
pub struct Context(Arc<Handle<sys::mesaopt_ctx>>);

impl Context {
    /// `Context::new(&[("threads", "2")])`
    pub fn new(values: &[(&str, &str)]) -> Result<Self> {
        let settings = Settings::new(sys::MESAOPT_SCOPE_CTX, values)?;
        let mut raw = std::ptr::null_mut();
        let status = unsafe { sys::mesaopt_ctx_create(settings.as_ptr(), &mut raw) };
        if status < 0 {
            return Err(settings.error(status));
        }
        Ok(Context(Arc::new(Handle(raw))))
    }

    /// Asks the running call to stop, or the next one; from any thread.
    pub fn interrupt(&self) {
        unsafe { sys::mesaopt_ctx_interrupt(self.as_ptr()) }
    }

    pub fn as_ptr(&self) -> *mut sys::mesaopt_ctx {
        self.0 .0
    }

    /// What a status means; a panic of a callback goes on here.
    pub fn check(&self, status: i32) -> Result<Status> {
        if let Some(thrown) = THROWN.with(|t| t.borrow_mut().take()) {
            std::panic::resume_unwind(thrown);
        }
        match status {
            sys::MESAOPT_STOPPED => Ok(Status::Stopped),
            sys::MESAOPT_NOT_CONVERGED => Ok(Status::NotConverged),
            sys::MESAOPT_OTHER_ISA => Ok(Status::OtherIsa),
            sys::MESAOPT_AT_BOUND => Ok(Status::AtBound),
            s if s >= 0 => Ok(Status::Done),
            s => Err(Error::new(s, read_text(|buf, cap| unsafe { sys::mesaopt_ctx_error(self.as_ptr(), buf, cap) }))),
        }
    }
}

/// One line about the build of the library.
pub fn build_info() -> &'static str {
    unsafe { CStr::from_ptr(sys::mesaopt_build_info()) }.to_str().unwrap_or("")
}
