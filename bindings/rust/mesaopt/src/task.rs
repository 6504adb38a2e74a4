//! Tasks: the library's, own sequences, own generators.
use crate::call::{keep, kept, release};
use crate::{sys, Context, Element, Handle, Prompt, Result, Settings, Status, View, ViewMut};
use std::ffi::c_void;
use std::ptr::null_mut;

/// Which of the endless streams of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Stream {
    Train = sys::MESAOPT_STREAM_TRAIN,
    Test = sys::MESAOPT_STREAM_TEST,
    Search = sys::MESAOPT_STREAM_SEARCH,
}

/// A batch [sequences, T + 1, n], or of a probe's targets [sequences, T, m], that a closure fills.
pub struct Batch<'a>(pub(crate) &'a sys::mesaopt_view);

/// A batch [sequences, T + 1, n] that a closure reads.
pub struct Sequences<'a>(pub(crate) &'a sys::mesaopt_view);

fn shape(v: &sys::mesaopt_view) -> [usize; 3] {
    [v.shape[0] as usize, v.shape[1] as usize, v.shape[2] as usize]
}

fn offset(v: &sys::mesaopt_view, at: [usize; 3]) -> isize {
    assert!((0..3).all(|i| at[i] < v.shape[i] as usize), "{at:?}, of {:?}", shape(v));
    (0..3).map(|i| at[i] as isize * v.stride[i] as isize).sum()
}

impl Batch<'_> {
    pub fn shape(&self) -> [usize; 3] {
        shape(self.0)
    }

    pub fn set(&mut self, sequence: usize, t: usize, j: usize, value: f64) {
        let (at, data) = (offset(self.0, [sequence, t, j]), self.0.data);
        unsafe {
            if self.0.dtype == sys::MESAOPT_F32 {
                *data.cast::<f32>().offset(at) = value as f32
            } else {
                *data.cast::<f64>().offset(at) = value
            }
        }
    }
}

impl Sequences<'_> {
    pub fn shape(&self) -> [usize; 3] {
        shape(self.0)
    }

    pub fn get(&self, sequence: usize, t: usize, j: usize) -> f64 {
        let (at, data) = (offset(self.0, [sequence, t, j]), self.0.data);
        unsafe {
            if self.0.dtype == sys::MESAOPT_F32 {
                *data.cast::<f32>().offset(at) as f64
            } else {
                *data.cast::<f64>().offset(at)
            }
        }
    }
}

/// A tensor that keeps what is in a vector, and lets go of it with its last user.
fn tensor<T: Element + Send + 'static>(ctx: &Context, data: Vec<T>, shape: &[usize]) -> Result<Handle<sys::mesaopt_tensor>> {
    let view = View::new(&data, shape)?.raw();
    keep(Box::new(data), |user| Handle::made(ctx, |out| unsafe { sys::mesaopt_tensor_wrap(ctx.as_ptr(), &view, Some(release::<Vec<T>>), user, out) }))
}

type Fill = dyn FnMut(Stream, i64, Batch<'_>) + Send;

unsafe extern "C" fn fill(stream: i32, first: i64, out: *const sys::mesaopt_view, user: *mut c_void) -> i32 {
    let stream = [Stream::Train, Stream::Test, Stream::Search][stream.clamp(0, 2) as usize];
    let call = |f: &mut Fill| {
        f(stream, first, Batch(unsafe { &*out }));
        0
    };
    unsafe { kept::<Fill>(user, call) }
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
        let raw = keep::<Fill, _>(Box::new(f), |user| {
            Handle::made(ctx, |out| unsafe { sys::mesaopt_task_from_callback(ctx.as_ptr(), s.as_ptr(), Some(fill), Some(release::<Fill>), user, out) })
        })?;
        Ok(Task { raw, ctx: ctx.clone() })
    }

    /// Own sequences [N, T + 1, n], f32 or f64, which the task keeps, without a copy.
    pub fn of<T: Element + Send + 'static>(ctx: &Context, settings: &[(&str, &str)], sequences: Vec<T>, shape: [usize; 3]) -> Result<Self> {
        let (s, tensor) = (Settings::new(sys::MESAOPT_SCOPE_TASK, settings)?, tensor(ctx, sequences, &shape)?);
        let raw = Handle::made(ctx, |out| unsafe { sys::mesaopt_task_from_tensor(ctx.as_ptr(), s.as_ptr(), tensor.0, out) })?;
        Ok(Task { raw, ctx: ctx.clone() })
    }

    /// Own sequences of any lengths: rows of `n` numbers, one after the other.
    pub fn of_rows<T: Element + Send + 'static>(ctx: &Context, settings: &[(&str, &str)], sequences: Vec<Vec<T>>, n: usize) -> Result<Self> {
        let s = Settings::new(sys::MESAOPT_SCOPE_TASK, settings)?;
        let tensors = sequences.into_iter().map(|x| { let rows = x.len() / n.max(1); tensor(ctx, x, &[rows, n]) }).collect::<Result<Vec<_>>>()?;
        let raw: Vec<_> = tensors.iter().map(|t| t.0).collect();
        let raw = Handle::made(ctx, |out| unsafe { sys::mesaopt_task_from_tensors(ctx.as_ptr(), s.as_ptr(), raw.len() as i64, raw.as_ptr(), out) })?;
        Ok(Task { raw, ctx: ctx.clone() })
    }

    /// Own pairs, inputs and outputs [N, P, n], laid out as few-shot regression lays out its own: `separator`, `prefix` and
    /// others are `settings`.
    pub fn of_pairs<T: Element + Send + 'static>(ctx: &Context, settings: &[(&str, &str)], inputs: Vec<T>, outputs: Vec<T>, shape: [usize; 3]) -> Result<Self> {
        let s = Settings::new(sys::MESAOPT_SCOPE_TASK, settings)?;
        let (x, y) = (tensor(ctx, inputs, &shape)?, tensor(ctx, outputs, &shape)?);
        let raw = Handle::made(ctx, |out| unsafe { sys::mesaopt_task_from_pairs(ctx.as_ptr(), s.as_ptr(), x.0, y.0, out) })?;
        Ok(Task { raw, ctx: ctx.clone() })
    }

    /// How much the steps count: \[T\], or of own sequences [N, T]; copied.
    pub fn set_weights(&mut self, weights: View<'_>) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_task_set_weights(self.as_ptr(), weights.as_ptr()) })
    }

    /// The prompt that a layout with a separator or a prefix takes them from, as it is whenever sequences are drawn.
    pub fn set_prompt(&mut self, prompt: Option<&Prompt>) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_task_set_prompt(self.as_ptr(), prompt.map_or(null_mut(), |p| p.as_ptr())) })
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

