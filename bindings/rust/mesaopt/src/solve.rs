//! Attention and least squares on arrays, and the regression that takes rows one by one.
use crate::call::{notes, saves};
use crate::view::{optional, pointer};
use crate::{c_text, sys, Context, Error, Handle, Result, Settings, Status, View, ViewMut};
use std::ptr::null;

/// Causal attention on arrays, without projections.
pub struct Attention {
    raw: Handle<sys::mesaopt_attn>,
    ctx: Context,
}

impl Attention {
    pub fn softmax(ctx: &Context, settings: &[(&str, &str)]) -> Result<Self> {
        Self::new(ctx, sys::MESAOPT_SCOPE_SOFTMAX, settings)
    }

    pub fn linear(ctx: &Context, settings: &[(&str, &str)]) -> Result<Self> {
        Self::new(ctx, sys::MESAOPT_SCOPE_LINEAR, settings)
    }

    fn new(ctx: &Context, scope: i32, settings: &[(&str, &str)]) -> Result<Self> {
        let s = Settings::new(scope, settings)?;
        let raw = Handle::made(ctx, |out| unsafe { sys::mesaopt_attn_create(ctx.as_ptr(), s.as_ptr(), out) })?;
        Ok(Attention { raw, ctx: ctx.clone() })
    }

    /// q, k [B, T, H, d], v and out [B, T, H, dv].
    pub fn forward(&mut self, q: View<'_>, k: View<'_>, v: View<'_>, mut out: ViewMut<'_>) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_attn_forward(self.raw.0, q.as_ptr(), k.as_ptr(), v.as_ptr(), out.as_ptr()) })
    }

    /// dq, dk, dv of a scalar whose gradient with respect to out is dout.
    #[allow(clippy::too_many_arguments)]
    pub fn backward(&mut self, q: View<'_>, k: View<'_>, v: View<'_>, dout: View<'_>, mut dq: ViewMut<'_>, mut dk: ViewMut<'_>, mut dv: ViewMut<'_>) -> Result<Status> {
        self.ctx.check(unsafe {
            sys::mesaopt_attn_backward(self.raw.0, q.as_ptr(), k.as_ptr(), v.as_ptr(), dout.as_ptr(), dq.as_ptr(), dk.as_ptr(), dv.as_ptr())
        })
    }
}

/// Numbers and views of further operands.
fn operands(inputs: &[(i32, View<'_>)], outputs: &mut [(i32, ViewMut<'_>)]) -> (Vec<i32>, Vec<sys::mesaopt_view>) {
    let which = inputs.iter().map(|i| i.0).chain(outputs.iter().map(|o| o.0)).collect();
    (which, inputs.iter().map(|i| i.1.raw()).chain(outputs.iter_mut().map(|o| o.1.raw())).collect())
}

/// A plan of recursive least squares: on sequences, as the mesa layer, or row by row ([`Regression`]).
pub struct Solver {
    raw: Handle<sys::mesaopt_lsq>,
    ctx: Context,
    d_key: usize,
    d_val: usize,
}

impl Solver {
    pub fn new(ctx: &Context, d_key: usize, d_val: usize, settings: &[(&str, &str)]) -> Result<Self> {
        let s = Settings::new(sys::MESAOPT_SCOPE_LSQ, settings)?;
        let raw = Handle::made(ctx, |out| unsafe { sys::mesaopt_lsq_plan(ctx.as_ptr(), s.as_ptr(), d_key as i64, d_val as i64, out) })?;
        Ok(Solver { raw, ctx: ctx.clone(), d_key, d_val })
    }

    /// out [B, T, H, dv] of q, k [B, T, H, d], v [B, T, H, dv]. Further operands by number (`sys::MESAOPT_LSQ_*`): those that
    /// are read, and those that are written.
    pub fn forward(&mut self, q: View<'_>, k: View<'_>, v: View<'_>, mut out: ViewMut<'_>, inputs: &[(i32, View<'_>)], outputs: &mut [(i32, ViewMut<'_>)]) -> Result<Status> {
        let (which, views) = operands(inputs, outputs);
        self.ctx.check(unsafe {
            sys::mesaopt_lsq_forward(self.raw.0, q.as_ptr(), k.as_ptr(), v.as_ptr(), out.as_ptr(), which.len() as i64, which.as_ptr(), views.as_ptr())
        })
    }

    /// dq, dk, dv of a scalar whose gradient with respect to out is dout; further operands as in `forward`.
    #[allow(clippy::too_many_arguments)]
    pub fn adjoint(&mut self, q: View<'_>, k: View<'_>, v: View<'_>, dout: View<'_>, mut dq: ViewMut<'_>, mut dk: ViewMut<'_>, mut dv: ViewMut<'_>, inputs: &[(i32, View<'_>)], outputs: &mut [(i32, ViewMut<'_>)]) -> Result<Status> {
        let (which, views) = operands(inputs, outputs);
        let (dq, dk, dv) = (dq.as_ptr(), dk.as_ptr(), dv.as_ptr());
        self.ctx.check(unsafe {
            sys::mesaopt_lsq_adjoint(self.raw.0, q.as_ptr(), k.as_ptr(), v.as_ptr(), dout.as_ptr(), dq, dk, dv, which.len() as i64, which.as_ptr(), views.as_ptr())
        })
    }

    pub fn as_ptr(&self) -> *mut sys::mesaopt_lsq {
        self.raw.0
    }
}

/// Ridge regression over rows that arrive one by one.
pub struct Regression {
    raw: Handle<sys::mesaopt_rls>,
    ctx: Context,
    d_key: usize,
    d_val: usize,
}

impl Regression {
    pub fn new(plan: &Solver) -> Result<Self> {
        let raw = Handle::made(&plan.ctx, |out| unsafe { sys::mesaopt_rls_create(plan.as_ptr(), 1, null(), out) })?;
        Ok(Regression { raw, ctx: plan.ctx.clone(), d_key: plan.d_key, d_val: plan.d_val })
    }

    pub fn open(plan: &Solver, path: &str) -> Result<Self> {
        let path = c_text(path)?;
        let raw = Handle::made(&plan.ctx, |out| unsafe { sys::mesaopt_rls_open(plan.as_ptr(), path.as_ptr(), out) })?;
        Ok(Regression { raw, ctx: plan.ctx.clone(), d_key: plan.d_key, d_val: plan.d_val })
    }

    /// From the bytes of such a file.
    pub fn open_from(plan: &Solver, bytes: &[u8]) -> Result<Self> {
        let raw = Handle::made(&plan.ctx, |out| unsafe { sys::mesaopt_rls_open_from(plan.as_ptr(), bytes.as_ptr().cast(), bytes.len() as i64, out) })?;
        Ok(Regression { raw, ctx: plan.ctx.clone(), d_key: plan.d_key, d_val: plan.d_val })
    }

    fn rows(&self, keys: usize, others: &[usize]) -> Result<usize> {
        let n = keys / self.d_key;
        if keys % self.d_key == 0 && others.iter().all(|&o| o == n * self.d_val) {
            return Ok(n);
        }
        Err(Error::Shape(format!("rows of {} keys and {} values: slices of {keys} and {others:?} elements", self.d_key, self.d_val)))
    }

    /// Takes in rows: keys [n, d_key], values [n, d_val], weights \[n\].
    pub fn update(&mut self, keys: &[f64], values: &[f64], weights: Option<&[f64]>) -> Result<Status> {
        let n = self.rows(keys.len(), &[values.len()])?;
        let k = View::new(keys, &[n, 1, self.d_key])?;
        let v = View::new(values, &[n, 1, self.d_val])?;
        let w = optional(weights.map(|w| View::new(w, &[n, 1])).transpose()?);
        self.ctx.check(unsafe { sys::mesaopt_rls_update(self.raw.0, k.as_ptr(), v.as_ptr(), pointer(&w), null()) })
    }

    /// Predictions [n, d_val] for queries [n, d_key], and their standard errors.
    pub fn predict(&mut self, queries: &[f64], out: &mut [f64], errors: Option<&mut [f64]>) -> Result<Status> {
        let n = self.rows(queries.len(), &[out.len(), errors.as_ref().map_or(out.len(), |e| e.len())])?;
        let shape = [n, 1, self.d_val];
        let q = View::new(queries, &[n, 1, self.d_key])?;
        let mut out = ViewMut::new(out, &shape)?;
        let mut errors = errors.map(|e| ViewMut::new(e, &shape)).transpose()?;
        let e = errors.as_mut().map_or(null(), |e| e.as_ptr());
        self.ctx.check(unsafe { sys::mesaopt_rls_predict(self.raw.0, q.as_ptr(), out.as_ptr(), e) })
    }

    /// As if this had seen the rows of `other` too.
    pub fn merge(&mut self, other: &mut Regression) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_rls_merge(self.raw.0, other.raw.0) })
    }

    /// Forgets all rows.
    pub fn clear(&mut self) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_rls_clear(self.raw.0) })
    }

    pub fn as_ptr(&self) -> *mut sys::mesaopt_rls {
        self.raw.0
    }

    fn ctx(&self) -> &Context {
        &self.ctx
    }
}

saves!(Regression, mesaopt_rls_save, mesaopt_rls_save_to);
notes!(Regression, mesaopt_rls_set_note);
