//! Linear probes: what a linear map can read off activations, layer by layer and step by step.
use crate::call::{keep, kept, release};
use crate::context::pointer_of;
use crate::view::{one_each, optional, pointer};
use crate::{c_text, sys, Baseline, Batch, Context, Handle, Model, Result, Sequences, Settings, Status, Stream, Task, View, ViewMut};
use std::ffi::c_void;
use std::ptr::{null, null_mut};

/// Sequences that are fitted, and those that are held out for scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Set {
    Train = sys::MESAOPT_PROBE_TRAIN,
    Test = sys::MESAOPT_PROBE_TEST,
}

type Targets = dyn FnMut(Sequences<'_>, Batch<'_>) + Send;

unsafe extern "C" fn fill(sequences: *const sys::mesaopt_view, targets: *const sys::mesaopt_view, user: *mut c_void) -> i32 {
    let call = |f: &mut Targets| {
        f(Sequences(unsafe { &*sequences }), Batch(unsafe { &*targets }));
        0
    };
    unsafe { kept::<Targets>(user, call) }
}

/// One regression per layer and step: W, c = argmin sum over sequences of w |h W + c - y|^2 + penalty |W|^2.
pub struct Probe {
    raw: Handle<sys::mesaopt_probe>,
    ctx: Context,
    layers: usize,
    steps: usize,
    targets: usize,
}

impl Probe {
    /// `features`: one number for each layer. `Probe::new(&ctx, &[40, 40], 50, 10, &[("intercept", "1")])`
    pub fn new(ctx: &Context, features: &[usize], steps: usize, targets: usize, settings: &[(&str, &str)]) -> Result<Self> {
        let s = Settings::new(sys::MESAOPT_SCOPE_PROBE, settings)?;
        let widths: Vec<i64> = features.iter().map(|&n| n as i64).collect();
        let layers = features.len();
        let raw = Handle::made(ctx, |out| unsafe {
            sys::mesaopt_probe_plan(ctx.as_ptr(), s.as_ptr(), layers as i64, widths.as_ptr(), steps as i64, targets as i64, out)
        })?;
        Ok(Probe { raw, ctx: ctx.clone(), layers, steps, targets })
    }

    /// Takes in activations [B, T, D] of every layer, targets [B, T, n], and weights \[B\] or [B, T].
    pub fn feed(&mut self, set: Set, activations: &[View<'_>], targets: View<'_>, weights: Option<View<'_>>) -> Result<Status> {
        one_each("activations", activations.len(), "layers", self.layers)?;
        let (views, w): (Vec<_>, _) = (activations.iter().map(|a| a.raw()).collect(), optional(weights));
        self.ctx.check(unsafe { sys::mesaopt_probe_feed(self.as_ptr(), set as i32, views.as_ptr(), targets.as_ptr(), pointer(&w)) })
    }

    /// Takes in the stream of a model after `blocks` (`None`: -1, 0, 1, ...) while it runs on sequences from `first` on.
    #[allow(clippy::too_many_arguments)]
    pub fn feed_model(&mut self, set: Set, model: &Model, blocks: Option<&[i64]>, task: &Task, stream: Stream, first: i64, count: i64) -> Result<Status> {
        one_each("blocks", blocks.map_or(self.layers, |b| b.len()), "layers", self.layers)?;
        let (b, m, t) = (blocks.map_or(null(), |b| b.as_ptr()), model.as_ptr(), task.as_ptr());
        self.ctx.check(unsafe { sys::mesaopt_probe_feed_model(self.as_ptr(), set as i32, m, b, t, stream as i32, first, count) })
    }

    /// A control: the activations of the only layer are what `conditioner` makes of its input.
    pub fn feed_control(&mut self, set: Set, conditioner: &Baseline, task: &Task, stream: Stream, first: i64, count: i64) -> Result<Status> {
        let (c, t) = (conditioner.as_ptr(), task.as_ptr());
        self.ctx.check(unsafe { sys::mesaopt_probe_feed_control(self.as_ptr(), set as i32, c, t, stream as i32, first, count) })
    }

    /// Takes in rows of a safetensors file, piece by piece; names as in probe.h. A `count` of -1 goes to the end.
    #[allow(clippy::too_many_arguments)]
    pub fn feed_file(&mut self, set: Set, path: &str, activations: &str, targets: &str, weights: Option<&str>, first: i64, count: i64) -> Result<Status> {
        let (path, a, t, w) = (c_text(path)?, c_text(activations)?, c_text(targets)?, weights.map(c_text).transpose()?);
        let w = w.as_ref().map_or(null(), |w| w.as_ptr());
        self.ctx.check(unsafe { sys::mesaopt_probe_feed_file(self.as_ptr(), set as i32, path.as_ptr(), a.as_ptr(), t.as_ptr(), w, first, count) })
    }

    /// The same from the bytes of such a file.
    #[allow(clippy::too_many_arguments)]
    pub fn feed_from(&mut self, set: Set, bytes: &[u8], activations: &str, targets: &str, weights: Option<&str>, first: i64, count: i64) -> Result<Status> {
        let (a, t, w) = (c_text(activations)?, c_text(targets)?, weights.map(c_text).transpose()?);
        let (w, data) = (w.as_ref().map_or(null(), |w| w.as_ptr()), bytes.as_ptr().cast());
        self.ctx.check(unsafe { sys::mesaopt_probe_feed_from(self.as_ptr(), set as i32, data, bytes.len() as i64, a.as_ptr(), t.as_ptr(), w, first, count) })
    }

    /// `feed_model` asks `f` for targets: it reads sequences [B, T + 1, n] and fills [B, T, m]. Its panic comes out of that call.
    pub fn set_targets(&mut self, f: impl FnMut(Sequences<'_>, Batch<'_>) + Send + 'static) -> Result<Status> {
        keep::<Targets, _>(Box::new(f), |user| {
            self.ctx.check(unsafe { sys::mesaopt_probe_set_targets(self.as_ptr(), null_mut(), Some(fill), Some(release::<Targets>), user) })
        })
    }

    /// `feed_model` takes as targets what a baseline's preconditioner makes of its input, or with `None` what the settings say.
    pub fn set_conditioner(&mut self, conditioner: Option<&Baseline>) -> Result<Status> {
        let c = conditioner.map_or(null_mut(), |c| c.as_ptr());
        self.ctx.check(unsafe { sys::mesaopt_probe_set_targets(self.as_ptr(), c, None, None, null_mut()) })
    }

    /// Forgets the sequences of a set.
    pub fn reset(&mut self, set: Set) -> Result<Status> {
        self.ctx.check(unsafe { sys::mesaopt_probe_reset(self.as_ptr(), set as i32) })
    }

    /// Sequences of a weight above 0 at each step.
    pub fn count(&self, set: Set) -> Result<Vec<i64>> {
        let mut count = vec![0i64; self.steps];
        let mut out = ViewMut::new(&mut count, &[self.steps])?;
        self.ctx.check(unsafe { sys::mesaopt_probe_count(self.as_ptr(), set as i32, out.as_ptr()) })?;
        Ok(count)
    }

    /// Fits all probes to the training set: with `intercept`, `penalty` and `rcond` of the plan, or where `settings` say
    /// anything, of these.
    pub fn fit(&mut self, settings: &[(&str, &str)]) -> Result<Status> {
        let s = Settings::some(sys::MESAOPT_SCOPE_PROBE, settings)?;
        self.ctx.check(unsafe { sys::mesaopt_probe_fit(self.as_ptr(), pointer_of(&s)) })
    }

    /// Half squared error and R^2 on a set, [layers, steps] each, row by row.
    pub fn score(&self, set: Set) -> Result<(Vec<f64>, Vec<f64>)> {
        let shape = [self.layers, self.steps];
        let (mut mse, mut r2) = (vec![0.0; self.layers * self.steps], vec![0.0; self.layers * self.steps]);
        let (mut m, mut r) = (ViewMut::new(&mut mse, &shape)?, ViewMut::new(&mut r2, &shape)?);
        self.ctx.check(unsafe { sys::mesaopt_probe_score(self.as_ptr(), set as i32, m.as_ptr(), r.as_ptr()) })?;
        Ok((mse, r2))
    }

    /// W [D, n] row by row, and the intercept \[n\], of a fitted probe, copied.
    pub fn weights(&self, layer: usize, step: usize) -> Result<(Vec<f64>, Vec<f64>)> {
        let mut v: [sys::mesaopt_view; 2] = unsafe { std::mem::zeroed() };
        let [w, c] = &mut v;
        self.ctx.check(unsafe { sys::mesaopt_probe_weights(self.as_ptr(), layer as i64, step as i64, w, c) })?;
        let at = |v: &sys::mesaopt_view, offset: i64| unsafe { *v.data.cast::<f64>().offset(offset as isize) };
        let rows = (0..w.shape[0]).flat_map(|i| (0..w.shape[1]).map(move |j| (i, j)));
        let all = rows.map(|(i, j)| at(w, i * w.stride[0] + j * w.stride[1])).collect();
        Ok((all, (0..c.shape[0]).map(|j| at(c, j * c.stride[0])).collect()))
    }

    /// Singular values of the activations that rcond left: [layers, steps], row by row.
    pub fn rank(&self) -> Result<Vec<i64>> {
        let mut rank = vec![0i64; self.layers * self.steps];
        let mut out = ViewMut::new(&mut rank, &[self.layers, self.steps])?;
        self.ctx.check(unsafe { sys::mesaopt_probe_rank(self.as_ptr(), out.as_ptr()) })?;
        Ok(rank)
    }

    /// Layers, steps and targets.
    pub fn shape(&self) -> [usize; 3] {
        [self.layers, self.steps, self.targets]
    }

    pub fn as_ptr(&self) -> *mut sys::mesaopt_probe {
        self.raw.0
    }
}
