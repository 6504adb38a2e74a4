//! Models that go through sequences step by step, and prompts that tell them what kind of sequence they see.
use crate::call::{notes, run_with, saves};
use crate::{c_text, sys, Context, Handle, Model, Result, Settings, Status, Step, Stream, Task, View, ViewMut};
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::ptr::{null, null_mut};

/// A model that goes through `streams` sequences side by side, token by token or many at a time, and keeps what later
/// tokens need of earlier ones. It borrows its model, whose parameters it reads at every step.
pub struct Decoder<'m> {
    raw: Handle<sys::mesaopt_decoder>,
    ctx: Context,
    model: PhantomData<&'m ()>,
}

impl<'m> Decoder<'m> {
    /// `Decoder::new(&model, &[("streams", "2")])`
    pub fn new(model: &'m Model, settings: &[(&str, &str)]) -> Result<Self> {
        let s = Settings::new(sys::MESAOPT_SCOPE_DECODER, settings)?;
        Self::made(model, |out| unsafe { sys::mesaopt_decoder_create(model.as_ptr(), s.as_ptr(), out) })
    }

    /// From a file of `save`, of a model with the same blocks and parameters.
    pub fn open(model: &'m Model, settings: &[(&str, &str)], path: &str) -> Result<Self> {
        let (s, path) = (Settings::new(sys::MESAOPT_SCOPE_DECODER, settings)?, c_text(path)?);
        Self::made(model, |out| unsafe { sys::mesaopt_decoder_open(model.as_ptr(), s.as_ptr(), path.as_ptr(), out) })
    }

    /// From the bytes of such a file.
    pub fn open_from(model: &'m Model, settings: &[(&str, &str)], bytes: &[u8]) -> Result<Self> {
        let s = Settings::new(sys::MESAOPT_SCOPE_DECODER, settings)?;
        Self::made(model, |out| unsafe { sys::mesaopt_decoder_open_from(model.as_ptr(), s.as_ptr(), bytes.as_ptr().cast(), bytes.len() as i64, out) })
    }

    fn made(model: &'m Model, create: impl FnOnce(*mut *mut sys::mesaopt_decoder) -> i32) -> Result<Self> {
        Ok(Decoder { raw: Handle::made(model.ctx(), create)?, ctx: model.ctx().clone(), model: PhantomData })
    }

    /// The next tokens [streams, L, inputs] of every stream, and predictions [streams, L, outputs] where they are wanted.
    pub fn step(&mut self, tokens: View<'_>, mut out: Option<ViewMut<'_>>) -> Result<Status> {
        let out = out.as_mut().map_or(null(), |o| o.as_ptr());
        self.ctx.check(unsafe { sys::mesaopt_decoder_step(self.as_ptr(), tokens.as_ptr(), out) })
    }

    /// A stream begins anew, or with `None` all of them.
    pub fn reset(&mut self, stream: Option<usize>) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_decoder_reset(self.as_ptr(), stream.map_or(-1, |s| s as i64)) })
    }

    /// All streams become as those of another decoder of the same model.
    pub fn copy(&mut self, from: &Decoder<'m>) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_decoder_copy(self.as_ptr(), from.as_ptr()) })
    }

    /// Tokens of a stream so far.
    pub fn steps(&self, stream: usize) -> Result<i64> {
        self.ctx.counted(unsafe { sys::mesaopt_decoder_steps(self.as_ptr(), stream as i64) })
    }

    pub fn as_ptr(&self) -> *mut sys::mesaopt_decoder {
        self.raw.0
    }

    fn ctx(&self) -> &Context {
        &self.ctx
    }
}

saves!(Decoder<'_>, mesaopt_decoder_save, mesaopt_decoder_save_to);
notes!(Decoder<'_>, mesaopt_decoder_set_note);

/// A separator [1, n] and a prefix [p, n] that are learned through a model whose weights stay as they are. Tasks that were
/// given it ([`Task::set_prompt`]) take them from it, so they are copied in and out here.
pub struct Prompt {
    raw: Handle<sys::mesaopt_prompt>,
    ctx: Context,
}

impl Prompt {
    pub fn new(ctx: &Context, settings: &[(&str, &str)]) -> Result<Self> {
        let s = Settings::new(sys::MESAOPT_SCOPE_PROMPT, settings)?;
        let raw = Handle::made(ctx, |out| unsafe { sys::mesaopt_prompt_create(ctx.as_ptr(), s.as_ptr(), out) })?;
        Ok(Prompt { raw, ctx: ctx.clone() })
    }

    /// From a file of `save`.
    pub fn open(ctx: &Context, path: &str) -> Result<Self> {
        let path = c_text(path)?;
        let raw = Handle::made(ctx, |out| unsafe { sys::mesaopt_prompt_open(ctx.as_ptr(), path.as_ptr(), out) })?;
        Ok(Prompt { raw, ctx: ctx.clone() })
    }

    /// From the bytes of such a file.
    pub fn open_from(ctx: &Context, bytes: &[u8]) -> Result<Self> {
        let raw = Handle::made(ctx, |out| unsafe { sys::mesaopt_prompt_open_from(ctx.as_ptr(), bytes.as_ptr().cast(), bytes.len() as i64, out) })?;
        Ok(Prompt { raw, ctx: ctx.clone() })
    }

    fn view(&self, name: &str) -> Result<(sys::mesaopt_view, [usize; 2])> {
        let name = c_text(name)?;
        let mut v: sys::mesaopt_view = unsafe { std::mem::zeroed() };
        self.ctx.check(unsafe { sys::mesaopt_prompt_vectors(self.as_ptr(), name.as_ptr(), &mut v) })?;
        Ok((v, [v.shape[0] as usize, v.shape[1] as usize]))
    }

    /// The vectors "separator" or "prefix", row by row, and their shape.
    pub fn vectors(&self, name: &str) -> Result<(Vec<f64>, [usize; 2])> {
        let (v, shape) = self.view(name)?;
        let mut copy = vec![0.0; shape[0] * shape[1]];
        let mut out = ViewMut::new(&mut copy, &shape)?;
        self.ctx.check(unsafe { sys::mesaopt_tensor_copy(self.ctx.as_ptr(), &v, out.as_ptr()) })?;
        Ok((copy, shape))
    }

    pub fn set_vectors(&mut self, name: &str, values: &[f64]) -> Result<Status> {
        let (v, shape) = self.view(name)?;
        let values = View::new(values, &shape)?;
        self.ctx.check(unsafe { sys::mesaopt_tensor_copy(self.ctx.as_ptr(), values.as_ptr(), &v) })
    }

    /// Whether training leaves the vectors `name` as they are.
    pub fn freeze(&mut self, name: &str, frozen: bool) -> Result<Status> {
        let name = c_text(name)?;
        self.ctx.check(unsafe { sys::mesaopt_prompt_freeze(self.as_ptr(), name.as_ptr(), frozen as i32) })
    }

    /// Loss on sequences of a task that has this prompt, and its gradients with respect to separator and prefix.
    pub fn gradient(&mut self, model: &Model, task: &Task, stream: Stream, first: i64, count: i64) -> Result<(f64, Vec<f64>, Vec<f64>)> {
        let (a, b) = (self.view("separator")?.1, self.view("prefix")?.1);
        let (mut da, mut db, mut loss) = (vec![0.0; a[0] * a[1]], vec![0.0; b[0] * b[1]], 0.0);
        let (mut va, mut vb) = (ViewMut::new(&mut da, &a)?, ViewMut::new(&mut db, &b)?);
        let (p, m, t) = (self.as_ptr(), model.as_ptr(), task.as_ptr());
        self.ctx.check(unsafe { sys::mesaopt_prompt_gradient(p, m, t, stream as i32, first, count, va.as_ptr(), vb.as_ptr(), &mut loss) })?;
        Ok((loss, da, db))
    }

    /// Until `updates` updates in all are taken.
    pub fn train(&mut self, model: &Model, task: &Task, updates: i64) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_prompt_train(self.as_ptr(), model.as_ptr(), task.as_ptr(), updates, None, null_mut()) })
    }

    /// The same; `f` is called after each, and may end the run.
    pub fn train_with(&mut self, model: &Model, task: &Task, updates: i64, mut f: impl FnMut(&Step) -> ControlFlow<()>) -> Result<Status> {
        let (p, m, t) = (self.as_ptr(), model.as_ptr(), task.as_ptr());
        run_with(&self.ctx, &mut f, |after, user| unsafe { sys::mesaopt_prompt_train(p, m, t, updates, after, user) })
    }

    pub fn updates(&self) -> i64 {
        unsafe { sys::mesaopt_prompt_updates(self.as_ptr()) }
    }

    pub fn as_ptr(&self) -> *mut sys::mesaopt_prompt {
        self.raw.0
    }

    fn ctx(&self) -> &Context {
        &self.ctx
    }
}

saves!(Prompt, mesaopt_prompt_save, mesaopt_prompt_save_to);
