//! Models and their training.
use crate::call::{notes, run_with, saves};
use crate::view::{one_each, optional, pointer};
use crate::{c_text, read_text, sys, Context, Element, Error, Handle, Result, Settings, Status, Step, Stream, Task, View, ViewMut};
use std::ffi::CStr;
use std::ops::ControlFlow;
use std::ptr::{null, null_mut};

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

    /// From the bytes of such a file.
    pub fn open_from(ctx: &Context, bytes: &[u8]) -> Result<Self> {
        let raw = Handle::made(ctx, |out| unsafe { sys::mesaopt_model_open_from(ctx.as_ptr(), bytes.as_ptr().cast(), bytes.len() as i64, out) })?;
        Ok(Model { raw, ctx: ctx.clone() })
    }

    /// Of weights from elsewhere, which are copied: every parameter by its name.
    pub fn import(ctx: &Context, settings: &[(&str, &str)], blocks: &str, weights: &[(&str, View<'_>)]) -> Result<Self> {
        let (s, blocks) = (Settings::new(sys::MESAOPT_SCOPE_MODEL, settings)?, c_text(blocks)?);
        let names = weights.iter().map(|w| c_text(w.0)).collect::<Result<Vec<_>>>()?;
        let names: Vec<_> = names.iter().map(|n| n.as_ptr()).collect();
        let views: Vec<_> = weights.iter().map(|w| w.1.raw()).collect();
        let raw = Handle::made(ctx, |out| unsafe {
            sys::mesaopt_model_import(ctx.as_ptr(), s.as_ptr(), blocks.as_ptr(), names.len() as i64, names.as_ptr(), views.as_ptr(), out)
        })?;
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

    /// Reads parameters by name from a file.
    pub fn load(&mut self, path: &str) -> Result<Status> {
        let path = c_text(path)?;
        self.ctx.check(unsafe { sys::mesaopt_model_load(self.as_ptr(), path.as_ptr()) })
    }

    /// The same from the bytes of such a file.
    pub fn load_from(&mut self, bytes: &[u8]) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_model_load_from(self.as_ptr(), bytes.as_ptr().cast(), bytes.len() as i64) })
    }

    /// Features of a token, and of a prediction.
    pub fn shape(&self) -> Result<[usize; 2]> {
        let (mut inputs, mut outputs) = (0, 0);
        self.ctx.check(unsafe { sys::mesaopt_model_shape(self.as_ptr(), &mut inputs, &mut outputs, null_mut()) })?;
        Ok([inputs as usize, outputs as usize])
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> i64 {
        unsafe { sys::mesaopt_model_blocks(self.as_ptr()) }
    }

    /// Features of the stream after a block; -1: of the tokens.
    pub fn width(&self, block: i64) -> Result<usize> {
        let mut width = 0;
        self.ctx.check(unsafe { sys::mesaopt_model_width(self.as_ptr(), block, &mut width) })?;
        Ok(width as usize)
    }

    /// Heads of a block, 0 when it is none of attention.
    pub fn heads(&self, block: i64) -> Result<usize> {
        let mut heads = 0;
        self.ctx.check(unsafe { sys::mesaopt_study_heads(self.as_ptr(), block, &mut heads) })?;
        Ok(heads as usize)
    }

    /// Predictions [B, T, outputs] of tokens [B, T, inputs].
    pub fn forward(&mut self, tokens: View<'_>, mut out: ViewMut<'_>) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_model_forward(self.as_ptr(), tokens.as_ptr(), out.as_ptr()) })
    }

    /// The stream [B, T, width] after each of `blocks` (-1: the tokens).
    pub fn activations(&mut self, tokens: View<'_>, blocks: &[i64], outs: &mut [ViewMut<'_>]) -> Result<Status> {
        one_each("outs", outs.len(), "blocks", blocks.len())?;
        let views: Vec<_> = outs.iter_mut().map(|o| o.raw()).collect();
        self.ctx.check(unsafe { sys::mesaopt_model_activations(self.as_ptr(), tokens.as_ptr(), blocks.len() as i64, blocks.as_ptr(), views.as_ptr()) })
    }

    /// Weights with which each head of a block sums values, mean over sequences: [heads, T, T], row by row.
    pub fn attention_map(&self, block: i64, task: &Task, stream: Stream, first: i64, count: i64) -> Result<Vec<f64>> {
        let (heads, t) = (self.heads(block)?, task.shape()?[1]);
        let mut map = vec![0.0; heads * t * t];
        let mut out = ViewMut::new(&mut map, &[heads, t, t])?;
        self.ctx.check(unsafe { sys::mesaopt_study_attention_map(self.as_ptr(), block, task.as_ptr(), stream as i32, first, count, out.as_ptr()) })?;
        Ok(map)
    }

    /// Norm of d stream_t / d token_t' after each of `blocks` (-1: the tokens), mean over sequences: [blocks, T, T], row by row.
    pub fn sensitivity(&self, blocks: &[i64], task: &Task, stream: Stream, first: i64, count: i64) -> Result<Vec<f64>> {
        let (layers, t) = (blocks.len(), task.shape()?[1]);
        let mut norms = vec![0.0; layers * t * t];
        let mut out = ViewMut::new(&mut norms, &[layers, t, t])?;
        let (m, of) = (self.as_ptr(), task.as_ptr());
        self.ctx.check(unsafe { sys::mesaopt_study_sensitivity(m, layers as i64, blocks.as_ptr(), of, stream as i32, first, count, -1, out.as_ptr()) })?;
        Ok(norms)
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
        run_with(self.ctx(), &mut |s| f(s, &self.model), |after, user| unsafe { sys::mesaopt_trainer_run(self.as_ptr(), steps, after, user) })
    }

    /// One step, and its loss.
    pub fn step(&mut self) -> Result<f64> {
        let mut loss = 0.0;
        self.ctx().check(unsafe { sys::mesaopt_trainer_step(self.as_ptr(), &mut loss) })?;
        Ok(loss)
    }

    /// What steps do from now on to parameters whose names match "blocks.0.*": their learning rate is multiplied by `factor` (0 freezes
    /// them); `decay` is one of `sys::MESAOPT_DECAY_*`.
    pub fn set_parameters(&mut self, pattern: &str, factor: f64, decay: i32) -> Result<Status> {
        let pattern = c_text(pattern)?;
        self.ctx().check(unsafe { sys::mesaopt_trainer_set_parameters(self.as_ptr(), pattern.as_ptr(), factor, decay) })
    }

    /// Mean loss on the first `count` sequences of the test stream, and error by t.
    pub fn evaluate(&self, count: i64) -> Result<(f64, Vec<f64>)> {
        self.model.evaluate(&self.task, Stream::Test, 0, count)
    }

    pub fn steps(&self) -> i64 {
        unsafe { sys::mesaopt_trainer_steps(self.as_ptr()) }
    }

    /// Goes on from a file of `save`, bit for bit.
    pub fn load(&mut self, path: &str) -> Result<Status> {
        let path = c_text(path)?;
        self.ctx().check(unsafe { sys::mesaopt_trainer_load(self.as_ptr(), path.as_ptr()) })
    }

    /// The same from the bytes of such a file; settings of the task that are named in `change` ("noise,seed") may differ.
    pub fn load_from(&mut self, bytes: &[u8], change: &str) -> Result<Status> {
        let change = c_text(change)?;
        self.ctx().check(unsafe { sys::mesaopt_trainer_load_from(self.as_ptr(), bytes.as_ptr().cast(), bytes.len() as i64, change.as_ptr()) })
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

saves!(Model, mesaopt_model_save, mesaopt_model_save_to);
notes!(Model, mesaopt_model_set_note);
saves!(Trainer, mesaopt_trainer_save, mesaopt_trainer_save_to);
