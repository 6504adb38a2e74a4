//! Baselines, the algorithm in a model's weights, and layers of attention made linear.
use crate::call::run_with;
use crate::context::pointer_of;
use crate::{sys, Context, Handle, Model, Result, Settings, Status, Step, Stream, Task, View, ViewMut};
use std::ops::ControlFlow;
use std::ptr::{null, null_mut};

/// An optimiser written down: `Baseline::new(&ctx, &[("baseline", "lsq")])`.
pub struct Baseline {
    raw: Handle<sys::mesaopt_baseline>,
    ctx: Context,
}

impl Baseline {
    pub fn new(ctx: &Context, settings: &[(&str, &str)]) -> Result<Self> {
        let s = Settings::new(sys::MESAOPT_SCOPE_BASELINE, settings)?;
        let raw = Handle::made(ctx, |out| unsafe { sys::mesaopt_baseline_create(ctx.as_ptr(), s.as_ptr(), out) })?;
        Ok(Baseline { raw, ctx: ctx.clone() })
    }

    /// Predictions [B, T, n] of sequences [B, T + 1, n].
    pub fn predict(&mut self, sequences: View<'_>, mut out: ViewMut<'_>) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_baseline_predict(self.raw.0, sequences.as_ptr(), out.as_ptr()) })
    }

    /// What the preconditioner makes of its input: sequences [B, T, n] -> [B, T, m].
    pub fn precondition(&mut self, sequences: View<'_>, mut out: ViewMut<'_>) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_baseline_precondition(self.raw.0, sequences.as_ptr(), out.as_ptr()) })
    }

    /// Learns the coefficients of richardson or chebyshev, until `updates` updates in all are taken; `f` may end the run.
    pub fn train_with(&mut self, task: &Task, updates: i64, mut f: impl FnMut(&Step) -> ControlFlow<()>) -> Result<Status> {
        let (b, t) = (self.as_ptr(), task.as_ptr());
        run_with(&self.ctx, &mut f, |after, user| unsafe { sys::mesaopt_baseline_train(b, t, updates, after, user) })
    }

    /// Line search for eta, beta or ridge, which it sets and returns.
    pub fn search(&mut self, task: &Task, count: i64) -> Result<(f64, Status)> {
        let mut best = 0.0;
        let status = self.ctx.check(unsafe { sys::mesaopt_baseline_search(self.raw.0, task.as_ptr(), count, &mut best) })?;
        Ok((best, status))
    }

    /// Mean loss on sequences from `first` on.
    pub fn evaluate(&mut self, task: &Task, stream: Stream, first: i64, count: i64) -> Result<f64> {
        let mut loss = 0.0;
        self.ctx.check(unsafe { sys::mesaopt_baseline_evaluate(self.raw.0, task.as_ptr(), stream as i32, first, count, null(), &mut loss) })?;
        Ok(loss)
    }

    pub fn as_ptr(&self) -> *mut sys::mesaopt_baseline {
        self.raw.0
    }
}

/// Blocks of linear attention that learn what blocks of a model do, all in one run. The model is copied.
pub struct Linearise {
    raw: Handle<sys::mesaopt_linearise>,
    ctx: Context,
    blocks: usize,
}

impl Linearise {
    /// `settings`: AdamW and the batch; where they say nothing lr = 1e-3 without weight decay. `block`: the linear blocks; where it
    /// says nothing, each is as the block that it learns from.
    pub fn new(model: &Model, task: &Task, blocks: &[i64], settings: &[(&str, &str)], block: &[(&str, &str)]) -> Result<Self> {
        let ctx = model.ctx().clone();
        let (s, b) = (Settings::some(sys::MESAOPT_SCOPE_TRAINER, settings)?, Settings::some(sys::MESAOPT_SCOPE_LINEAR, block)?);
        let (s, b, count) = (pointer_of(&s), pointer_of(&b), blocks.len() as i64);
        let raw = Handle::made(&ctx, |out| unsafe {
            sys::mesaopt_linearise_create(ctx.as_ptr(), s, model.as_ptr(), task.as_ptr(), count, blocks.as_ptr(), b, out)
        })?;
        Ok(Linearise { raw, ctx, blocks: blocks.len() })
    }

    /// Until `steps` steps in all are taken.
    pub fn run(&mut self, steps: i64) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_linearise_run(self.as_ptr(), steps, None, null_mut()) })
    }

    /// The same; `f` is called after each step, and may end the run.
    pub fn run_with(&mut self, steps: i64, mut f: impl FnMut(&Step) -> ControlFlow<()>) -> Result<Status> {
        let l = self.as_ptr();
        run_with(&self.ctx, &mut f, |after, user| unsafe { sys::mesaopt_linearise_run(l, steps, after, user) })
    }

    pub fn steps(&self) -> i64 {
        unsafe { sys::mesaopt_linearise_steps(self.as_ptr()) }
    }

    /// Of each block: the model's loss with it replaced over its own loss, and the squared error of its output over what the block adds.
    pub fn evaluate(&mut self, count: i64) -> Result<(Vec<f64>, Vec<f64>)> {
        let (mut ratio, mut error) = (vec![0.0; self.blocks], vec![0.0; self.blocks]);
        let (mut r, mut e) = (ViewMut::new(&mut ratio, &[self.blocks])?, ViewMut::new(&mut error, &[self.blocks])?);
        self.ctx.check(unsafe { sys::mesaopt_linearise_evaluate(self.as_ptr(), count, r.as_ptr(), e.as_ptr()) })?;
        Ok((ratio, error))
    }

    /// The model with the linear block in place of `block`, or with `None` with all of them in their places.
    pub fn model(&mut self, block: Option<i64>) -> Result<Model> {
        let raw = Handle::made(&self.ctx, |out| unsafe { sys::mesaopt_linearise_model(self.as_ptr(), block.unwrap_or(-1), out) })?;
        Ok(Model::of(&self.ctx, raw))
    }

    /// The linear block that stands for `block`, as a model of that one block.
    pub fn block(&mut self, block: i64) -> Result<Model> {
        let raw = Handle::made(&self.ctx, |out| unsafe { sys::mesaopt_linearise_block(self.as_ptr(), block, out) })?;
        Ok(Model::of(&self.ctx, raw))
    }

    pub fn as_ptr(&self) -> *mut sys::mesaopt_linearise {
        self.raw.0
    }
}

/// The scalars that an attention-only model's weights stand for.
pub struct RevAlg {
    raw: Handle<sys::mesaopt_revalg>,
    ctx: Context,
}

/// One head: prediction = sum over t' of (x_t . (alpha x_t' + eta x_t'-1) + x_t-1 . (beta x_t' + gamma x_t'-1)) (p1 x_t' + p2 x_t'-1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClosedForm {
    pub alpha: f64,
    pub eta: f64,
    pub beta: f64,
    pub gamma: f64,
    pub p1: f64,
    pub p2: f64,
}

impl RevAlg {
    pub fn extract(model: &Model) -> Result<Self> {
        let ctx = model.ctx().clone();
        let raw = Handle::made(&ctx, |out| unsafe { sys::mesaopt_revalg_extract(model.as_ptr(), out) })?;
        Ok(RevAlg { raw, ctx })
    }

    /// One attention layer of `heads` heads on constructed tokens, in closed form.
    pub fn closed_form(&mut self, heads: usize) -> Result<Vec<ClosedForm>> {
        let mut form = vec![0.0; heads * 6];
        let mut out = ViewMut::new(&mut form, &[heads, 6])?;
        self.ctx.check(unsafe { sys::mesaopt_revalg_closed_form(self.raw.0, out.as_ptr()) })?;
        Ok(form.chunks(6).map(|f| ClosedForm { alpha: f[0], eta: f[1], beta: f[2], gamma: f[3], p1: f[4], p2: f[5] }).collect())
    }

    /// Share of the weights that are left, and of the products' squared norm that they explain.
    pub fn summary(&mut self) -> Result<(f64, f64)> {
        let (mut weights, mut explained) = (0.0, 0.0);
        self.ctx.check(unsafe { sys::mesaopt_revalg_summary(self.raw.0, &mut weights, &mut explained) })?;
        Ok((weights, explained))
    }

    /// A model of the scalars.
    pub fn rebuild(&mut self) -> Result<Model> {
        let raw = Handle::made(&self.ctx, |out| unsafe { sys::mesaopt_revalg_rebuild(self.raw.0, out) })?;
        Ok(Model::of(&self.ctx, raw))
    }
}
