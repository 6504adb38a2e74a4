//! Baselines, and the algorithm in a model's weights.
use crate::{sys, Context, Handle, Model, Result, Settings, Status, Stream, Task, View, ViewMut};
use std::ptr::null;

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
