//! Closures as callbacks of C: those that a call makes, and those that the library keeps. A panic in one is caught before
//! it reaches C, and goes on when the call has returned ([`crate::Context::check`]).
use crate::{sys, Context, Error, Result, Status};
use std::any::Any;
use std::cell::RefCell;
use std::ffi::c_void;
use std::io::Write;
use std::ops::ControlFlow;

thread_local! {
    /// What a callback threw, until the call that made it has returned.
    static THROWN: RefCell<Option<Box<dyn Any + Send>>> = const { RefCell::new(None) };
}

/// What a callback of the call that has just returned threw.
pub(crate) fn thrown() -> Option<Box<dyn Any + Send>> {
    THROWN.with(|t| t.borrow_mut().take())
}

/// Runs a callback's closure; a panic is kept for the caller of the library.
fn guarded(f: impl FnOnce() -> i32) -> i32 {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_or_else(|thrown| {
        THROWN.with(|t| *t.borrow_mut() = Some(thrown));
        -1
    })
}

// ---- closures that the library keeps ----

/// For a function of C that keeps a closure F (a dyn FnMut): it gets `user`. When it fails it has kept nothing. The closure
/// goes once, with its last user (`release`). The library enters no closure twice: what would need it again gets MESAOPT_E_BUSY.
pub(crate) fn keep<F: ?Sized, T>(f: Box<F>, call: impl FnOnce(*mut c_void) -> Result<T>) -> Result<T> {
    let user = Box::into_raw(Box::new(f)).cast();
    call(user).map_err(|e| {
        unsafe { release::<F>(user) };
        e
    })
}

pub(crate) unsafe extern "C" fn release<F: ?Sized>(user: *mut c_void) {
    let gone = std::panic::catch_unwind(|| drop(unsafe { Box::from_raw(user.cast::<Box<F>>()) }));
    std::mem::forget(gone); // the call that lets go of it may be any; and what was thrown may panic when dropped, too
}

/// Calls a closure that was kept.
pub(crate) unsafe fn kept<F: ?Sized>(user: *mut c_void, call: impl FnOnce(&mut F) -> i32) -> i32 {
    guarded(|| call(unsafe { &mut **user.cast::<Box<F>>() }))
}

// ---- after each step of a run ----

/// What a callback is told of a step that was just taken.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub step: i64,
    pub loss: f64,
    pub lr: f64,
    pub grad_norm: f64,
}

type After<'a> = &'a mut dyn FnMut(&Step) -> ControlFlow<()>;

unsafe extern "C" fn after(step: *const sys::mesaopt_step, user: *mut c_void) -> i32 {
    guarded(|| {
        let (s, f) = unsafe { (&*step, &mut *user.cast::<After<'_>>()) };
        f(&Step { step: s.step, loss: s.loss, lr: s.lr, grad_norm: s.grad_norm }).is_break() as i32
    })
}

/// A run that calls `f` after each step.
pub(crate) fn run_with(ctx: &Context, mut f: After<'_>, run: impl FnOnce(sys::mesaopt_step_fn, *mut c_void) -> i32) -> Result<Status> {
    ctx.check(run(Some(after), (&mut f as *mut After<'_>).cast()))
}

// ---- bytes in place of files ----

struct Sink<'a> {
    to: &'a mut dyn Write,
    failed: Option<std::io::Error>,
}

unsafe extern "C" fn write(bytes: *const c_void, count: i64, user: *mut c_void) -> i32 {
    guarded(|| {
        let sink = unsafe { &mut *user.cast::<Sink<'_>>() };
        let piece: &[u8] = if count > 0 { unsafe { std::slice::from_raw_parts(bytes.cast(), count as usize) } } else { &[] };
        sink.failed = sink.to.write_all(piece).err();
        sink.failed.is_some() as i32
    })
}

/// A save that hands its bytes to `to`, whose failure is an [`Error::Io`] with its own words.
pub(crate) fn save_to(ctx: &Context, to: &mut dyn Write, save: impl FnOnce(sys::mesaopt_write_fn, *mut c_void) -> i32) -> Result<Status> {
    let mut sink = Sink { to, failed: None };
    let said = ctx.check(save(Some(write), (&mut sink as *mut Sink<'_>).cast()));
    match sink.failed {
        Some(e) if said.is_err() => Err(Error::Io(e.to_string())),
        _ => said,
    }
}

/// save, save_to and to_bytes of a type with `as_ptr` and `ctx`.
macro_rules! saves {
    ($type:ident $(<$life:lifetime>)?, $save:ident, $save_to:ident) => {
        impl $type $(<$life>)? {
            /// Into a safetensors file, which replaces what was there when all of it is written.
            pub fn save(&mut self, path: &str) -> Result<Status> {
                let path = c_text(path)?;
                self.ctx().check(unsafe { sys::$save(self.as_ptr(), path.as_ptr()) })
            }

            /// The bytes that the file would have, piece by piece.
            pub fn save_to(&mut self, to: &mut dyn std::io::Write) -> Result<Status> {
                crate::call::save_to(self.ctx(), to, |write, user| unsafe { sys::$save_to(self.as_ptr(), write, user) })
            }

            /// The bytes that the file would have.
            pub fn to_bytes(&mut self) -> Result<Vec<u8>> {
                let mut bytes = Vec::new();
                self.save_to(&mut bytes)?;
                Ok(bytes)
            }
        }
    };
}

/// set_note of a type with `as_ptr` and `ctx`.
macro_rules! notes {
    ($type:ident $(<$life:lifetime>)?, $set_note:ident) => {
        impl $type $(<$life>)? {
            /// Keeps a text, which goes into its files ([`file_note`](crate::file_note) reads it); `None` takes it away.
            pub fn set_note(&mut self, key: &str, text: Option<&str>) -> Result<Status> {
                let (key, text) = (c_text(key)?, text.map(c_text).transpose()?);
                self.ctx().check(unsafe { sys::$set_note(self.as_ptr(), key.as_ptr(), text.as_ref().map_or(std::ptr::null(), |t| t.as_ptr())) })
            }
        }
    };
}
pub(crate) use {notes, saves};
