//! Contexts and settings.
use crate::call::{keep, kept, release, thrown};
use crate::{c_text, read_text, sys, Error, Handle, Result, Status};
use std::ffi::{c_void, CStr};
use std::ops::ControlFlow;
use std::os::raw::c_char;
use std::ptr::null_mut;
use std::sync::Arc;

/// Options of a scope, by name. Most functions take them as pairs: `&[("lr", "3e-4")]`.
pub struct Settings(Handle<sys::mesaopt_settings>);

impl Settings {
    /// `scope`: one of the constants `sys::MESAOPT_SCOPE_*`.
    pub fn new(scope: i32, values: &[(&str, &str)]) -> Result<Self> {
        let mut raw = null_mut();
        let status = unsafe { sys::mesaopt_settings_create(scope, None, null_mut(), &mut raw) };
        if status < 0 {
            return Err(Error::new(status, format!("settings of scope {scope}")));
        }
        let mut settings = Settings(Handle(raw));
        for (name, value) in values {
            settings.set(name, value)?;
        }
        Ok(settings)
    }

    /// None where there are no values: for what NULL means more than defaults.
    pub(crate) fn some(scope: i32, values: &[(&str, &str)]) -> Result<Option<Self>> {
        if values.is_empty() { Ok(None) } else { Self::new(scope, values).map(Some) }
    }

    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let (name, value) = (c_text(name)?, c_text(value)?);
        self.check(unsafe { sys::mesaopt_settings_set_text(self.as_ptr(), name.as_ptr(), value.as_ptr()) })
    }

    /// "name=value name=value ...", all of them.
    pub fn dump(&self) -> String {
        read_text(|buf, cap| unsafe { sys::mesaopt_settings_dump(self.as_ptr(), buf, cap) })
    }

    pub fn as_ptr(&self) -> *mut sys::mesaopt_settings {
        self.0 .0
    }

    fn check(&self, status: i32) -> Result<()> {
        if status >= 0 {
            return Ok(());
        }
        Err(Error::new(status, read_text(|buf, cap| unsafe { sys::mesaopt_settings_error(self.as_ptr(), buf, cap) })))
    }
}

/// NULL where there are none.
pub(crate) fn pointer_of(s: &Option<Settings>) -> *mut sys::mesaopt_settings {
    s.as_ref().map_or(null_mut(), |s| s.as_ptr())
}

type Poll = dyn FnMut() -> ControlFlow<()> + Send;
type Log = dyn FnMut(&str) + Send;

unsafe extern "C" fn poll(user: *mut c_void) -> i32 {
    unsafe { kept::<Poll>(user, |f| f().is_break() as i32) }
}

unsafe extern "C" fn log(line: *const c_char, user: *mut c_void) {
    let write = |f: &mut Log| {
        f(&unsafe { CStr::from_ptr(line) }.to_string_lossy());
        0
    };
    unsafe { kept::<Log>(user, write) };
}

/// Closures of a context's host: `Hooks::new().poll(|| ...).log(|line| ...)`.
#[derive(Default)]
pub struct Hooks {
    poll: Option<Box<Poll>>,
    log: Option<Box<Log>>,
}

impl Hooks {
    pub fn new() -> Self {
        Self::default()
    }

    /// Asked by every long call, on its own thread and at least ten times a second, whether it may go on:
    /// `ControlFlow::Break` stops it as [`Context::interrupt`] does.
    pub fn poll(mut self, f: impl FnMut() -> ControlFlow<()> + Send + 'static) -> Self {
        self.poll = Some(Box::new(f));
        self
    }

    /// Given lines of text: what a new context runs on, what a checkpoint that is loaded was made with.
    pub fn log(mut self, f: impl FnMut(&str) + Send + 'static) -> Self {
        self.log = Some(Box::new(f));
        self
    }
}

/// Memory, threads and ISA level of what is made in it. A clone is the same context.
#[derive(Clone)]
pub struct Context(Arc<Handle<sys::mesaopt_ctx>>);

impl Context {
    /// `Context::new(&[("threads", "2")])`
    pub fn new(values: &[(&str, &str)]) -> Result<Self> {
        Self::with_hooks(values, Hooks::new())
    }

    /// With closures that its calls use; they go with the last handle of the context.
    pub fn with_hooks(values: &[(&str, &str)], hooks: Hooks) -> Result<Self> {
        let s = Settings::new(sys::MESAOPT_SCOPE_CTX, values)?;
        if let Some(f) = hooks.poll {
            keep(f, |user| s.check(unsafe { sys::mesaopt_settings_set_poll(s.as_ptr(), Some(poll), Some(release::<Poll>), user) }))?;
        }
        if let Some(f) = hooks.log {
            keep(f, |user| s.check(unsafe { sys::mesaopt_settings_set_log(s.as_ptr(), Some(log), Some(release::<Log>), user) }))?;
        }
        let mut raw = null_mut();
        s.check(unsafe { sys::mesaopt_ctx_create(s.as_ptr(), &mut raw) })?;
        let ctx = Context(Arc::new(Handle(raw)));
        ctx.check(sys::MESAOPT_OK)?;                     // the log may have thrown
        Ok(ctx)
    }

    /// Asks the running call to stop, or the next one; from any thread.
    pub fn interrupt(&self) {
        unsafe { sys::mesaopt_ctx_interrupt(self.as_ptr()) }
    }

    /// Withdraws a request of `interrupt` that no call has met yet.
    pub fn clear_interrupt(&self) -> Result<Status> {
        self.check(unsafe { sys::mesaopt_ctx_clear_interrupt(self.as_ptr()) })
    }

    pub fn as_ptr(&self) -> *mut sys::mesaopt_ctx {
        self.0 .0
    }

    /// What a status means; a panic of a callback goes on here.
    pub fn check(&self, status: i32) -> Result<Status> {
        if let Some(thrown) = thrown() {
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

    /// A count, or what a negative status means.
    pub(crate) fn counted(&self, count: i64) -> Result<i64> {
        self.check(count.min(0) as i32)?;
        Ok(count)
    }
}
