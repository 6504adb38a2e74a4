//! Tasks, models, training.
use crate::view::{optional, pointer};
use crate::{c_text, guarded, read_text, sys, Context, Element, Error, Handle, Result, Settings, Status, View, ViewMut};
use std::ffi::{c_void, CStr};
use std::ops::ControlFlow;
use std::ptr::{null, null_mut};

/// Which of the endless streams of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Stream {
    Train = sys::MESAOPT_STREAM_TRAIN,
    Test = sys::MESAOPT_STREAM_TEST,
    Search = sys::MESAOPT_STREAM_SEARCH,
}

/// A batch [sequences, T + 1, n] that a generator fills.
pub struct Batch<'a>(&'a sys::mesaopt_view);

impl Batch<'_> {
    pub fn shape(&self) -> [usize; 3] {
        [self.0.shape[0] as usize, self.0.shape[1] as usize, self.0.shape[2] as usize]
    }

    pub fn set(&mut self, sequence: usize, t: usize, j: usize, value: f64) {
        let (at, v) = ([sequence, t, j], self.0);
        assert!((0..3).all(|i| at[i] < v.shape[i] as usize), "{at:?}, of {:?}", self.shape());
        let offset: isize = (0..3).map(|i| at[i] as isize * v.stride[i] as isize).sum();
        unsafe {
            if v.dtype == sys::MESAOPT_F32 {
                *v.data.cast::<f32>().offset(offset) = value as f32
            } else {
                *v.data.cast::<f64>().offset(offset) = value
            }
        }
    }
}

type Fill = Box<dyn FnMut(Stream, i64, Batch<'_>) + Send>;

unsafe extern "C" fn fill(stream: i32, first: i64, out: *const sys::mesaopt_view, user: *mut c_void) -> i32 {
    guarded(|| {
        let f = unsafe { &mut *user.cast::<Fill>() };
        let stream = [Stream::Train, Stream::Test, Stream::Search][stream.clamp(0, 2) as usize];
        f(stream, first, Batch(unsafe { &*out }));
        0
    })
}

unsafe extern "C" fn release(user: *mut c_void) {
    guarded(|| {
        drop(unsafe { Box::from_raw(user.cast::<Fill>()) });
        0
    });
}

/// Where sequences come from. Sequence i of a stream is always the same.
pub struct Task {
    raw: Handle<sys::mesaopt_task>,
    ctx: Context,
}

impl Task {
    pub fn new(ctx: &Context, settings: &[(&str, &str)]) -> Result<Self> {
        let s = Settings::new(sys::MESAOPT_SCOPE_TASK, settings)?;
        let raw = Handle::made(ctx, |out| unsafe { sys::mesaopt_task_create(ctx.as_ptr(), s.as_ptr(), out) })?;
        Ok(Task { raw, ctx: ctx.clone() })
    }

    /// A task of sequences that `f` writes: all of a batch, from `first` on. Its panic comes out of the call that needs them.
    pub fn from_fn(ctx: &Context, settings: &[(&str, &str)], f: impl FnMut(Stream, i64, Batch<'_>) + Send + 'static) -> Result<Self> {
        let s = Settings::new(sys::MESAOPT_SCOPE_TASK, settings)?;
        let user: *mut Fill = Box::into_raw(Box::new(Box::new(f)));
        let made = Handle::made(ctx, |out| unsafe { sys::mesaopt_task_from_callback(ctx.as_ptr(), s.as_ptr(), Some(fill), Some(release), user.cast(), out) });
        if made.is_err() {
            unsafe { release(user.cast()) }          // the library releases what it has kept, and nothing else
        }
        Ok(Task { raw: made?, ctx: ctx.clone() })
    }

    /// n, T, width of a token, and the number of own sequences (0: endless).
    pub fn shape(&self) -> Result<[usize; 4]> {
        let mut s = [0i64; 4];
        let [n, t, d, count] = &mut s;
        self.ctx.check(unsafe { sys::mesaopt_task_shape(self.as_ptr(), n, t, d, count) })?;
        Ok(s.map(|x| x as usize))
    }

    /// Writes sequences from `first` on into `out` [B, T + 1, n].
    pub fn draw(&mut self, stream: Stream, first: i64, mut out: ViewMut<'_>) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_task_draw(self.as_ptr(), stream as i32, first, out.as_ptr()) })
    }

    /// Tokens [B, T, width] of sequences [B, T + 1, n].
    pub fn tokens(&mut self, sequences: View<'_>, mut out: ViewMut<'_>) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_task_tokens(self.as_ptr(), sequences.as_ptr(), out.as_ptr()) })
    }

    pub fn as_ptr(&self) -> *mut sys::mesaopt_task {
        self.raw.0
    }
}

/// A list of blocks over one residual stream.
pub struct Model {
    raw: Handle<sys::mesaopt_model>,
    ctx: Context,
}

impl Model {
    pub fn new(ctx: &Context, settings: &[(&str, &str)]) -> Result<Self> {
        let s = Settings::new(sys::MESAOPT_SCOPE_MODEL, settings)?;
        let raw = Handle::made(ctx, |out| unsafe { sys::mesaopt_model_create(ctx.as_ptr(), s.as_ptr(), out) })?;
        Ok(Model { raw, ctx: ctx.clone() })
    }

    /// From a file of `save`, of a model or a trainer.
    pub fn open(ctx: &Context, path: &str) -> Result<Self> {
        let path = c_text(path)?;
        let raw = Handle::made(ctx, |out| unsafe { sys::mesaopt_model_open(ctx.as_ptr(), path.as_ptr(), out) })?;
        Ok(Model { raw, ctx: ctx.clone() })
    }

    pub(crate) fn of(ctx: &Context, raw: Handle<sys::mesaopt_model>) -> Self {
        Model { raw, ctx: ctx.clone() }
    }

    /// "mask(first=20); linear(heads=2,key=20)"
    pub fn add_text(&mut self, blocks: &str) -> Result<Status> {
        let blocks = c_text(blocks)?;
        self.ctx.check(unsafe { sys::mesaopt_model_add_text(self.as_ptr(), blocks.as_ptr()) })
    }

    pub fn text(&self) -> String {
        read_text(|buf, cap| unsafe { sys::mesaopt_model_text(self.as_ptr(), buf, cap) })
    }

    pub fn save(&mut self, path: &str) -> Result<Status> {
        let path = c_text(path)?;
        self.ctx.check(unsafe { sys::mesaopt_model_save(self.as_ptr(), path.as_ptr()) })
    }

    /// Predictions [B, T, outputs] of tokens [B, T, inputs].
    pub fn forward(&mut self, tokens: View<'_>, mut out: ViewMut<'_>) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_model_forward(self.as_ptr(), tokens.as_ptr(), out.as_ptr()) })
    }

    /// Loss of predictions, and its gradients, of parameters (`gradient`).
    pub fn loss_and_gradient(&mut self, tokens: View<'_>, targets: View<'_>, weights: Option<View<'_>>) -> Result<f64> {
        let (w, mut loss) = (optional(weights), 0.0);
        self.ctx.check(unsafe { sys::mesaopt_model_gradient(self.as_ptr(), tokens.as_ptr(), targets.as_ptr(), pointer(&w), &mut loss, null()) })?;
        Ok(loss)
    }

    /// Mean loss on `count` sequences from `first` on, and error by t.
    pub fn evaluate(&self, task: &Task, stream: Stream, first: i64, count: i64) -> Result<(f64, Vec<f64>)> {
        let mut by_t = vec![0.0; task.shape()?[1]];
        let n = by_t.len();
        let (mut loss, mut view) = (0.0, ViewMut::new(&mut by_t, &[n])?);
        self.ctx.check(unsafe { sys::mesaopt_model_evaluate(self.as_ptr(), task.as_ptr(), stream as i32, first, count, view.as_ptr(), &mut loss) })?;
        Ok((loss, by_t))
    }

    /// Names of the parameters.
    pub fn parameters(&self) -> Vec<String> {
        let count = unsafe { sys::mesaopt_model_parameters(self.as_ptr()) };
        (0..count).map(|i| unsafe { CStr::from_ptr(sys::mesaopt_model_parameter_name(self.as_ptr(), i)) }.to_string_lossy().into_owned()).collect()
    }

    fn view_of<T: Element>(&self, name: &str, get: unsafe extern "C" fn(*mut sys::mesaopt_model, *const std::os::raw::c_char, *mut sys::mesaopt_view) -> i32) -> Result<(*mut T, [usize; 2])> {
        let c_name = c_text(name)?;
        let mut v: sys::mesaopt_view = unsafe { std::mem::zeroed() };
        self.ctx.check(unsafe { get(self.as_ptr(), c_name.as_ptr(), &mut v) })?;
        if v.dtype != T::DTYPE {
            return Err(Error::Dtype(format!("{name}: elements of type {}, asked for {}", v.dtype, T::DTYPE)));
        }
        if v.stride[1] != 1 || v.stride[0] != v.shape[1] {
            return Err(Error::Unsupported(format!("{name}: not dense")));
        }
        Ok((v.data.cast(), [v.shape[0] as usize, v.shape[1] as usize]))
    }

    /// A parameter [rows, columns], row by row, and its shape.
    pub fn parameter<T: Element>(&self, name: &str) -> Result<(&[T], [usize; 2])> {
        let (data, shape) = self.view_of(name, sys::mesaopt_model_parameter)?;
        Ok((unsafe { std::slice::from_raw_parts(data, shape[0] * shape[1]) }, shape))
    }

    /// The same, to write.
    pub fn parameter_mut<T: Element>(&mut self, name: &str) -> Result<(&mut [T], [usize; 2])> {
        let (data, shape) = self.view_of(name, sys::mesaopt_model_parameter)?;
        Ok((unsafe { std::slice::from_raw_parts_mut(data, shape[0] * shape[1]) }, shape))
    }

    /// The gradient of a parameter that the last call left.
    pub fn gradient<T: Element>(&self, name: &str) -> Result<(&[T], [usize; 2])> {
        let (data, shape) = self.view_of(name, sys::mesaopt_model_parameter_gradient)?;
        Ok((unsafe { std::slice::from_raw_parts(data, shape[0] * shape[1]) }, shape))
    }

    pub fn as_ptr(&self) -> *mut sys::mesaopt_model {
        self.raw.0
    }

    pub(crate) fn ctx(&self) -> &Context {
        &self.ctx
    }
}

/// What a callback is told of a step that was just taken.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub step: i64,
    pub loss: f64,
    pub lr: f64,
    pub grad_norm: f64,
}

struct After<'a> {
    f: &'a mut dyn FnMut(&Step, &Model) -> ControlFlow<()>,
    model: &'a Model,
}

unsafe extern "C" fn after(step: *const sys::mesaopt_step, user: *mut c_void) -> i32 {
    guarded(|| {
        let (s, a) = unsafe { (&*step, &mut *user.cast::<After<'_>>()) };
        let step = Step { step: s.step, loss: s.loss, lr: s.lr, grad_norm: s.grad_norm };
        (a.f)(&step, a.model).is_break() as i32
    })
}

/// AdamW training of a model, which it owns, on a task, which it owns too.
pub struct Trainer {
    raw: Handle<sys::mesaopt_trainer>,
    model: Model,
    task: Task,
}

impl Trainer {
    pub fn new(model: Model, task: Task, settings: &[(&str, &str)]) -> Result<Self> {
        let s = Settings::new(sys::MESAOPT_SCOPE_TRAINER, settings)?;
        let ctx = model.ctx.clone();
        let raw = Handle::made(&ctx, |out| unsafe { sys::mesaopt_trainer_create(ctx.as_ptr(), s.as_ptr(), model.as_ptr(), task.as_ptr(), out) })?;
        Ok(Trainer { raw, model, task })
    }

    /// Until `steps` steps in all are taken.
    pub fn run(&mut self, steps: i64) -> Result<Status> {
        self.ctx().check(unsafe { sys::mesaopt_trainer_run(self.as_ptr(), steps, None, null_mut()) })
    }

    /// The same; `f` is called after each step, with the model, and may end the run.
    pub fn run_with(&mut self, steps: i64, mut f: impl FnMut(&Step, &Model) -> ControlFlow<()>) -> Result<Status> {
        let mut a = After { f: &mut f, model: &self.model };
        let status = unsafe { sys::mesaopt_trainer_run(self.as_ptr(), steps, Some(after), (&mut a as *mut After<'_>).cast()) };
        self.ctx().check(status)
    }

    /// Mean loss on the first `count` sequences of the test stream, and error by t.
    pub fn evaluate(&self, count: i64) -> Result<(f64, Vec<f64>)> {
        self.model.evaluate(&self.task, Stream::Test, 0, count)
    }

    pub fn steps(&self) -> i64 {
        unsafe { sys::mesaopt_trainer_steps(self.as_ptr()) }
    }

    pub fn save(&mut self, path: &str) -> Result<Status> {
        let path = c_text(path)?;
        self.ctx().check(unsafe { sys::mesaopt_trainer_save(self.as_ptr(), path.as_ptr()) })
    }

    pub fn load(&mut self, path: &str) -> Result<Status> {
        let path = c_text(path)?;
        self.ctx().check(unsafe { sys::mesaopt_trainer_load(self.as_ptr(), path.as_ptr()) })
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    pub fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Ends the training; the model and the task are yours again.
    pub fn into_parts(self) -> (Model, Task) {
        (self.model, self.task)
    }

    pub fn as_ptr(&self) -> *mut sys::mesaopt_trainer {
        self.raw.0
    }

    fn ctx(&self) -> &Context {
        &self.model.ctx
    }
}
