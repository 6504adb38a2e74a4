//! The C API of libmesaopt, generated from its headers by bindings/generate.py: not to be edited (make bindings).
//! The crate `mesaopt` is the safe one.
#![allow(non_camel_case_types)]

use std::os::raw::{c_char, c_void};
use std::marker::{PhantomData, PhantomPinned};

pub type mesaopt_status = i32;

/// \[B, T, H\]: sample weights b in \[0, 1\]; without: 1
pub const MESAOPT_LSQ_BETA: i32 = 1;

/// \[B, T, H\]: log g \<= 0, minus infinity included; without: the setting gamma
pub const MESAOPT_LSQ_LOG_GAMMA: i32 = 2;

/// \[H, d\]: l \> 0; without: the setting ridge
pub const MESAOPT_LSQ_RIDGE: i32 = 3;

/// \[N, H, d, d\]: H before the first step, symmetric, positive semidefinite; without: 0. N: B, or the
/// sequences of OFFSETS
pub const MESAOPT_LSQ_H0: i32 = 4;

/// \[N, H, d, dv\]: S before the first step; without: 0
pub const MESAOPT_LSQ_S0: i32 = 5;

/// i64 or i32 \[N + 1\], rising from 0 to T, B = 1: sequence n is steps offsets\[n\] .. offsets\[n+1\]
/// - 1; nothing crosses a boundary
pub const MESAOPT_LSQ_OFFSETS: i32 = 6;

/// \[N, H, d, d\]: H after the last step
pub const MESAOPT_LSQ_H_LAST: i32 = 7;

/// \[N, H, d, dv\]
pub const MESAOPT_LSQ_S_LAST: i32 = 8;

/// \[B, T, H, d\]: x\_t = (H\_t + diag l)^-1 q\_t; an input of mesaopt\_lsq\_adjoint, which then solves
/// half as much
pub const MESAOPT_LSQ_SOLUTION: i32 = 9;

/// \[B, T, H\]: |b - A x| / |b|, A = H\_t + diag l of the keys as they are, in double, x before it is
/// rounded to f32
pub const MESAOPT_LSQ_RESIDUAL: i32 = 10;

/// \[B, T, H\]: 0 for direct solvers
pub const MESAOPT_LSQ_ITERATIONS: i32 = 11;

/// \[B, T, H\]: (tr H\_t + max l) / min l, an upper bound of the condition number
pub const MESAOPT_LSQ_CONDITION: i32 = 12;

/// gradients with respect to H\_LAST and S\_LAST
pub const MESAOPT_LSQ_D_H_LAST: i32 = 13;

/// Further inputs of mesaopt\_lsq\_adjoint:
pub const MESAOPT_LSQ_D_S_LAST: i32 = 14;

/// \[B, T, H\]; without BETA: at 1
pub const MESAOPT_LSQ_D_BETA: i32 = 15;

/// \[B, T, H\]; 0 where g = 0; without LOG\_GAMMA: at the setting gamma
pub const MESAOPT_LSQ_D_LOG_GAMMA: i32 = 16;

/// \[H, d\]
pub const MESAOPT_LSQ_D_RIDGE: i32 = 17;

/// \[N, H, d, d\]: symmetric, so that a symmetric change of H0 changes the loss by its inner product
/// with this
pub const MESAOPT_LSQ_D_H0: i32 = 18;

/// \[N, H, d, dv\]
pub const MESAOPT_LSQ_D_S0: i32 = 19;

/// sequences that are fitted; scores on them are in sample
pub const MESAOPT_PROBE_TRAIN: i32 = 0;

/// sequences held out
pub const MESAOPT_PROBE_TEST: i32 = 1;

/// W\_q W\_k^T of a head of an attention block
pub const MESAOPT_REVALG_LOGITS: i32 = 0;

/// W\_v P of a head of an attention block
pub const MESAOPT_REVALG_VALUES: i32 = 1;

/// the weights of a dense block, as one head
pub const MESAOPT_REVALG_WEIGHT: i32 = 2;

/// \[streams, d\_key, d\_key\]: H, symmetric
pub const MESAOPT_RLS_KEY_STATE: i32 = 1;

/// \[streams, d\_key, d\_val\]: S
pub const MESAOPT_RLS_VALUE_STATE: i32 = 2;

/// \[streams\]: sum of the weights b, forgotten and windowed as H
pub const MESAOPT_RLS_WEIGHT: i32 = 3;

/// \[streams, d\_val\]: sum of b v^2, likewise
pub const MESAOPT_RLS_SQUARES: i32 = 4;

/// \[streams\]: rows so far; can only be read
pub const MESAOPT_RLS_ROWS: i32 = 5;

/// \[streams, d\_val\]: what is left of SQUARES: sum of b (v - prediction)^2 + |sqrt(l) Phi|^2, the
/// least that the regression minimises
pub const MESAOPT_RLS_RESIDUAL: i32 = 6;

/// \[streams, d\_val\]: values so far that were missing in rows with a weight; can only be read
pub const MESAOPT_RLS_MISSING: i32 = 7;

/// Scopes: what a settings object is for. The keys of each stand in the reference (docs/api.md) and in
/// mesaopt\_settings\_key\_at; what the kinds of blocks compute there, and in model.h.
pub const MESAOPT_SCOPE_CTX: i32 = 1;

/// Scopes: what a settings object is for. The keys of each stand in the reference (docs/api.md) and in
/// mesaopt\_settings\_key\_at; what the kinds of blocks compute there, and in model.h.
pub const MESAOPT_SCOPE_TASK: i32 = 2;

/// Scopes: what a settings object is for. The keys of each stand in the reference (docs/api.md) and in
/// mesaopt\_settings\_key\_at; what the kinds of blocks compute there, and in model.h.
pub const MESAOPT_SCOPE_MODEL: i32 = 3;

/// Scopes: what a settings object is for. The keys of each stand in the reference (docs/api.md) and in
/// mesaopt\_settings\_key\_at; what the kinds of blocks compute there, and in model.h.
pub const MESAOPT_SCOPE_TRAINER: i32 = 4;

/// Scopes: what a settings object is for. The keys of each stand in the reference (docs/api.md) and in
/// mesaopt\_settings\_key\_at; what the kinds of blocks compute there, and in model.h.
pub const MESAOPT_SCOPE_BASELINE: i32 = 5;

/// linear self-attention: a block of a model, or a mesaopt\_attn
pub const MESAOPT_SCOPE_LINEAR: i32 = 6;

/// softmax self-attention: likewise
pub const MESAOPT_SCOPE_SOFTMAX: i32 = 7;

/// a dense map of every token: embedding, read-out
pub const MESAOPT_SCOPE_DENSE: i32 = 8;

/// zeroes the first features of every token
pub const MESAOPT_SCOPE_MASK: i32 = 9;

/// recursive least squares: a mesaopt\_lsq
pub const MESAOPT_SCOPE_LSQ: i32 = 10;

/// mesa layer: a block of a model
pub const MESAOPT_SCOPE_MESA: i32 = 11;

/// linear probes: a mesaopt\_probe, and targets for it
pub const MESAOPT_SCOPE_PROBE: i32 = 12;

/// two dense maps with an activation between: a block of a model
pub const MESAOPT_SCOPE_MLP: i32 = 13;

/// normalisation of every token: a block of a model
pub const MESAOPT_SCOPE_NORM: i32 = 14;

/// a model that goes through sequences step by step: a mesaopt\_decoder
pub const MESAOPT_SCOPE_DECODER: i32 = 15;

/// learned vectors between observations: a mesaopt\_prompt
pub const MESAOPT_SCOPE_PROMPT: i32 = 16;

/// threads: int, jobs that may run at once, the caller's included
pub const MESAOPT_KEY_THREADS: i32 = 1;

/// isa: auto, baseline, avx2, avx512
pub const MESAOPT_KEY_ISA: i32 = 2;

/// seed: int \>= 0 (task, model)
pub const MESAOPT_KEY_SEED: i32 = 10;

/// dtype: f32, f64 (model)
pub const MESAOPT_KEY_DTYPE: i32 = 11;

/// lanes: 0 by shapes, 1 one sequence at a time, 2 one per vector lane (model, attention, lsq, probe:
/// regressions)
pub const MESAOPT_KEY_LANES: i32 = 12;

/// task: what is drawn, task.h
pub const MESAOPT_KEY_TASK: i32 = 20;

/// dim: n, observation dimension
pub const MESAOPT_KEY_DIM: i32 = 21;

/// length: T, inputs per sequence; T + 1 observations are drawn
pub const MESAOPT_KEY_LENGTH: i32 = 22;

/// noise: standard deviation of the state noise
pub const MESAOPT_KEY_NOISE: i32 = 23;

/// data\_clip: observations are clipped to +- this inside the recursion; 0: the task's own
pub const MESAOPT_KEY_DATA_CLIP: i32 = 24;

/// tokens: raw, constructed, slots
pub const MESAOPT_KEY_TOKENS: i32 = 25;

/// slots: k of tokens=slots, and of space=slots: observations beside each other, newest first
pub const MESAOPT_KEY_SLOTS: i32 = 26;

/// hidden: numbers of the state that partial hides (0, the default: 15), hidden units of nonlinear's
/// MLP (0: 4 dim); of a block mlp, default 160
pub const MESAOPT_KEY_HIDDEN: i32 = 27;

/// map\_sd: standard deviation of what is drawn once more: the entries of C of partial, of A and B of
/// nonlinear; 0: the task's own
pub const MESAOPT_KEY_MAP_SD: i32 = 28;

/// start: x\_1 is uniform in \[-start, start\]; 0: the task's own
pub const MESAOPT_KEY_START: i32 = 29;

/// observation\_noise: standard deviation of the noise that partial adds to what it shows of its state
pub const MESAOPT_KEY_OBSERVATION_NOISE: i32 = 30;

/// separator: of pairs (regression, own pairs), 1 puts the separator of a prompt behind each
pub const MESAOPT_KEY_SEPARATOR: i32 = 31;

/// prefix: vectors of a prompt before the pairs of every teacher; of a prompt: how many it has
pub const MESAOPT_KEY_PREFIX: i32 = 32;

/// teachers: maps W of a sequence of pairs, one after the other
pub const MESAOPT_KEY_TEACHERS: i32 = 33;

/// segment: observations of every teacher but the last, its prefix among them
pub const MESAOPT_KEY_SEGMENT: i32 = 34;

/// inputs: width of the tokens that the first block receives
pub const MESAOPT_KEY_INPUTS: i32 = 40;

/// outputs: n, the prediction is the first n features of the last block (dense: its width)
pub const MESAOPT_KEY_OUTPUTS: i32 = 41;

/// heads: of attention, beside each other in a layer
pub const MESAOPT_KEY_HEADS: i32 = 42;

/// key: key and query dimension of a head
pub const MESAOPT_KEY_KEY: i32 = 43;

/// value: value dimension of a head; 0: as key
pub const MESAOPT_KEY_VALUE: i32 = 44;

/// init\_sd: standard deviation of the initial weights
pub const MESAOPT_KEY_INIT_SD: i32 = 45;

/// residual\_clip: the residual stream is clipped to +- this after the layer; 0: not
pub const MESAOPT_KEY_RESIDUAL_CLIP: i32 = 46;

/// pe: none; qk: positions beside the input of W\_q and W\_k (attention, mesa); add: positions are
/// added to the stream that the block sees
pub const MESAOPT_KEY_PE: i32 = 47;

/// scale: factor of the logits; 0: 1 for linear, 1/sqrt(key) for softmax
pub const MESAOPT_KEY_SCALE: i32 = 48;

/// chunk: rows per chunk of the attention products; 0: by shapes
pub const MESAOPT_KEY_CHUNK: i32 = 49;

/// first: mask(first=F) zeroes features 0..F-1
pub const MESAOPT_KEY_FIRST: i32 = 50;

/// gates: none; sigmoid: input and forget gate from the token, one of each per head (mesa)
pub const MESAOPT_KEY_GATES: i32 = 51;

/// ridges: head: 1 / lambda, one learned lambda per head; channel: ridge\_min + softplus, one per head
/// and channel (mesa)
pub const MESAOPT_KEY_RIDGES: i32 = 52;

/// ridge\_min: lower bound of ridges=channel (mesa)
pub const MESAOPT_KEY_RIDGE_MIN: i32 = 53;

/// qk\_norm: 1: queries and keys of every head are scaled to length 1; one of zeros stays
pub const MESAOPT_KEY_QK_NORM: i32 = 54;

/// act: activation of the hidden units (mlp): gelu, with the normal distribution function; gelu\_tanh;
/// relu; silu
pub const MESAOPT_KEY_ACT: i32 = 55;

/// output\_init: factor of init\_sd for the weights by which a residual block adds to the stream
/// (output, down)
pub const MESAOPT_KEY_OUTPUT_INIT: i32 = 56;

/// norm: what a residual block's function is given: none, the stream as it is; layer, rms: every token
/// normalised
pub const MESAOPT_KEY_NORM: i32 = 57;

/// norm\_epsilon: what normalisation adds to the mean square
pub const MESAOPT_KEY_NORM_EPSILON: i32 = 58;

/// kind: of a block norm: layer, to mean 0 and mean square 1, with gain and bias; rms, to mean square
/// 1, with gain
pub const MESAOPT_KEY_KIND: i32 = 59;

/// batch: sequences per step
pub const MESAOPT_KEY_BATCH: i32 = 60;

/// lr: learning rate, the peak when there is a schedule
pub const MESAOPT_KEY_LR: i32 = 61;

/// warmup: steps of linear warm-up (with cosine\_steps \> 0)
pub const MESAOPT_KEY_WARMUP: i32 = 62;

/// cosine\_steps: step at which the cosine reaches lr\_end; 0: fixed learning rate
pub const MESAOPT_KEY_COSINE_STEPS: i32 = 63;

/// lr\_end: learning rate behind the cosine
pub const MESAOPT_KEY_LR_END: i32 = 64;

/// weight\_decay: decoupled, multiplied by the learning rate
pub const MESAOPT_KEY_WEIGHT_DECAY: i32 = 65;

/// beta1: decay of the first moment of AdamW
pub const MESAOPT_KEY_BETA1: i32 = 66;

/// beta2: decay of the second moment
pub const MESAOPT_KEY_BETA2: i32 = 67;

/// epsilon: of AdamW
pub const MESAOPT_KEY_EPSILON: i32 = 68;

/// clip\_value: element-wise gradient clip to +- this; 0: none
pub const MESAOPT_KEY_CLIP_VALUE: i32 = 69;

/// clip\_norm: global-norm gradient clip; 0: none
pub const MESAOPT_KEY_CLIP_NORM: i32 = 70;

/// baseline: what predicts, baseline.h; default gd
pub const MESAOPT_KEY_BASELINE: i32 = 80;

/// eta: step size of gd; default 0.032
pub const MESAOPT_KEY_ETA: i32 = 81;

/// ridge: of the baseline lsq and the preconditioners, default 0.001; least squares: of every key
/// channel when there is no operand for it, default 1
pub const MESAOPT_KEY_RIDGE: i32 = 82;

/// newest\_pair: 1, the default, uses the pairs up to (x\_{t-1}, x\_t), 0 leaves the newest out, as the
/// paper does
pub const MESAOPT_KEY_NEWEST_PAIR: i32 = 83;

/// solver: auto (the default), cholesky, sherman\_morrison (refused with forgetting), cg, cg\_diag,
/// cg\_chunk, neumann, segments
pub const MESAOPT_KEY_SOLVER: i32 = 100;

/// tolerance: of iterative solvers, residual over right-hand side per row; 0, the default: by element
/// type
pub const MESAOPT_KEY_TOLERANCE: i32 = 101;

/// fallback: 1, the default, solves rows that did not converge by Cholesky, 0 leaves them as they are
pub const MESAOPT_KEY_FALLBACK: i32 = 103;

/// window: of a mesaopt\_rls, only the last so many rows count; 0, the default: all
pub const MESAOPT_KEY_WINDOW: i32 = 102;

/// gamma: forgetting factor of every step when there is no operand for it; default 1, nothing is
/// forgotten
pub const MESAOPT_KEY_GAMMA: i32 = 104;

/// missing: of a mesaopt\_rls, values that are NaN: refuse, the default, or output, which leaves that
/// output alone out of the row
pub const MESAOPT_KEY_MISSING: i32 = 105;

/// intercept: 1 fits a constant as well
pub const MESAOPT_KEY_INTERCEPT: i32 = 140;

/// penalty: of the squared weights (not of the intercept); 0: least squares
pub const MESAOPT_KEY_PENALTY: i32 = 141;

/// rcond: singular values up to this times the largest count as 0; 0: 2^-52 max(sequences, features)
pub const MESAOPT_KEY_RCOND: i32 = 142;

/// error: half\_sum: half the sum of squares over targets; mean: their mean
pub const MESAOPT_KEY_ERROR: i32 = 143;

/// lag: the targets are x\_{t-lag} and older ones; -1: the next observation
pub const MESAOPT_KEY_LAG: i32 = 144;

/// lags: observations that are targets, one after the other
pub const MESAOPT_KEY_LAGS: i32 = 145;

/// filter: z-score of the target's norm from which mesaopt\_probe\_feed\_model leaves a sequence out;
/// 0: none
pub const MESAOPT_KEY_FILTER: i32 = 146;

/// target: what the targets are of an observation x: it itself (observations), or of a task that has
/// them its features f(x) or f(x) / |f(x)| (unit\_features)
pub const MESAOPT_KEY_TARGET: i32 = 147;

/// beta: factor of the inner products in the softmax of kernel; default 1
pub const MESAOPT_KEY_BETA: i32 = 160;

/// iterations: K, steps of gd or of a preconditioner; 0, the default: 1 for gd, 6 for the others; least
/// squares: at most so many per row; 0, the default: by key dimension
pub const MESAOPT_KEY_ITERATIONS: i32 = 161;

/// divisor: c, which neumann, richardson and chebyshev divide A\_t by; 0, the default: its Frobenius
/// norm
pub const MESAOPT_KEY_DIVISOR: i32 = 162;

/// space: what a baseline regresses x\_{t+1} on: observations, x\_t; slots, the last \`slots\` of them;
/// features, those of the task, to length 1
pub const MESAOPT_KEY_SPACE: i32 = 163;

/// pairs: that a baseline learns from: all; scored, those of the steps whose weight is above 0
pub const MESAOPT_KEY_PAIRS: i32 = 164;

/// bias: 1 adds a learned row to the output (dense)
pub const MESAOPT_KEY_BIAS: i32 = 180;

/// positions: of pe: sinusoidal; learned, a row a step
pub const MESAOPT_KEY_POSITIONS: i32 = 181;

/// longest: rows of positions=learned; longer sequences are refused
pub const MESAOPT_KEY_LONGEST: i32 = 182;

/// streams: sequences side by side
pub const MESAOPT_KEY_STREAMS: i32 = 200;

/// capacity: tokens of a stream that softmax attention keeps keys and values of
pub const MESAOPT_KEY_CAPACITY: i32 = 201;

/// Types of values.
pub const MESAOPT_TYPE_INT: i32 = 1;

/// Types of values.
pub const MESAOPT_TYPE_FLOAT: i32 = 2;

/// set and read as text, or as the index of the word
pub const MESAOPT_TYPE_CHOICE: i32 = 3;

/// Version of these headers: the one place where it is written.
pub const MESAOPT_VERSION_MAJOR: i32 = 0;

/// Version of these headers: the one place where it is written.
pub const MESAOPT_VERSION_MINOR: i32 = 1;

/// Version of these headers: the one place where it is written.
pub const MESAOPT_VERSION_PATCH: i32 = 0;

/// Version of these headers: the one place where it is written.
pub const MESAOPT_VERSION: i32 = 1000;

/// done
pub const MESAOPT_OK: i32 = 0;

/// a callback or an interrupt ended a run early; what was done so far is valid
pub const MESAOPT_STOPPED: i32 = 1;

/// a fallback gave the result; its certificate says how good it is
pub const MESAOPT_NOT_CONVERGED: i32 = 2;

/// a checkpoint of another ISA level or lane count: resumed, but not bit for bit
pub const MESAOPT_OTHER_ISA: i32 = 3;

/// a search ended at the bound of its range: a better value may lie beyond
pub const MESAOPT_AT_BOUND: i32 = 4;

/// NULL, another kind of handle or one that was freed, or a value outside its range
pub const MESAOPT_E_ARGUMENT: i32 = -1;

/// a view's rank, extents or strides are not what the call needs
pub const MESAOPT_E_SHAPE: i32 = -2;

/// a view's element type is not what the call needs
pub const MESAOPT_E_DTYPE: i32 = -3;

/// an output may share elements with an input, another output or itself
pub const MESAOPT_E_OVERLAP: i32 = -4;

/// unknown key, key that does not apply, value out of range or unreadable
pub const MESAOPT_E_SETTING: i32 = -5;

/// the allocator returned NULL, or a size overflows
pub const MESAOPT_E_MEMORY: i32 = -6;

/// the context is inside another call, or the handle inside a call that excludes this one
pub const MESAOPT_E_BUSY: i32 = -7;

/// the handle is not in the state that the call needs
pub const MESAOPT_E_STATE: i32 = -8;

/// NaN or infinity where a finite number is needed
pub const MESAOPT_E_NONFINITE: i32 = -9;

/// the operating system refused to read or write
pub const MESAOPT_E_IO: i32 = -10;

/// a file or a text is not well formed, or not what was expected
pub const MESAOPT_E_FORMAT: i32 = -11;

/// mesaopt\_ctx\_interrupt ended the call
pub const MESAOPT_E_INTERRUPTED: i32 = -12;

/// this CPU, build or combination of settings cannot do it
pub const MESAOPT_E_UNSUPPORTED: i32 = -13;

/// a callback that gives sequences, targets or a loss returned that it failed
pub const MESAOPT_E_SOURCE: i32 = -14;

/// Element types of views and tensors.
pub const MESAOPT_F32: i32 = 1;

/// Element types of views and tensors.
pub const MESAOPT_F64: i32 = 2;

/// Element types of views and tensors.
pub const MESAOPT_I32: i32 = 3;

/// Element types of views and tensors.
pub const MESAOPT_I64: i32 = 4;

/// import only
pub const MESAOPT_F16: i32 = 5;

/// import only
pub const MESAOPT_BF16: i32 = 6;

/// one byte, true unless 0; targets of probes
pub const MESAOPT_BOOL: i32 = 7;

/// ISA levels, in rising order; a context runs at one of them.
pub const MESAOPT_ISA_AUTO: i32 = 0;

/// SSE2 on x86-64, NEON on aarch64
pub const MESAOPT_ISA_BASELINE: i32 = 1;

/// AVX2 and FMA
pub const MESAOPT_ISA_AVX2: i32 = 2;

/// AVX-512 F, DQ, BW and VL
pub const MESAOPT_ISA_AVX512: i32 = 3;

/// what a trainer draws; own data: rows in a fresh random order every pass
pub const MESAOPT_STREAM_TRAIN: i32 = 0;

/// for evaluation; own data: rows in order
pub const MESAOPT_STREAM_TEST: i32 = 1;

/// for line searches; own data: rows in order
pub const MESAOPT_STREAM_SEARCH: i32 = 2;

/// Most axes of a view.
pub const MESAOPT_MAX_RANK: usize = 6;

/// flag: refuse this view as an output
pub const MESAOPT_VIEW_READONLY: u32 = 1;

/// on matrices and lambda; see the top of this page
pub const MESAOPT_DECAY_STANDARD: i32 = 0;

/// Does weight\_decay act on a parameter?
pub const MESAOPT_DECAY_OFF: i32 = 1;

/// Does weight\_decay act on a parameter?
pub const MESAOPT_DECAY_ON: i32 = 2;

#[repr(C)]
pub struct mesaopt_attn {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct mesaopt_baseline {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct mesaopt_decoder {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct mesaopt_linearise {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct mesaopt_lsq {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct mesaopt_model {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct mesaopt_probe {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct mesaopt_revalg {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct mesaopt_rls {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct mesaopt_settings {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct mesaopt_ctx {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct mesaopt_task {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct mesaopt_prompt {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct mesaopt_tensor {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct mesaopt_trainer {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct mesaopt_view {
    pub data: *mut c_void,
    pub shape: [i64; 6],
    pub stride: [i64; 6],
    pub ndim: i32,
    pub dtype: i32,
    pub flags: u32,
    pub reserved: u32,
}
const _: () = assert!(std::mem::size_of::<mesaopt_view>() == 120);

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct mesaopt_step {
    pub struct_size: i64,
    pub step: i64,
    pub loss: f64,
    pub lr: f64,
    pub grad_norm: f64,
}
const _: () = assert!(std::mem::size_of::<mesaopt_step>() == 40);

/// Writes the loss at the present values of the checked tensor; non-zero return: it failed. It may call
/// the library on the same context.
pub type mesaopt_loss_fn = Option<unsafe extern "C" fn(loss: *mut f64, user: *mut c_void) -> i32>;

/// Writes targets of sequences \[B, T+1, n\] (f32 or f64), B at most 128, into \`targets\` \[B, T, m\]
/// (f64): all of them, and finite. A non-zero return ends the call that needs them with
/// MESAOPT\_E\_SOURCE.
pub type mesaopt_target_fn = Option<unsafe extern "C" fn(sequences: *const mesaopt_view, targets: *const mesaopt_view, user: *mut c_void) -> i32>;

/// Given with a callback that the library keeps, or with memory (mesaopt\_tensor\_wrap); NULL where
/// there is nothing to give back. Called once, with the same \`user\`, when nothing can use the one or
/// the other any more: by the function that lets go of it last, before that returns, on whichever
/// thread that is. It may free handles, and calls nothing else of the library. When the function that
/// was given it fails, it is not called.
pub type mesaopt_release_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// Host allocator: new\_size 0 frees \`ptr\` and returns NULL; ptr NULL allocates; otherwise it
/// resizes, keeping the content. Blocks must be aligned for any C type; sizes are in bytes and
/// \`old\_size\` is what the block was asked with. Returns NULL when memory is short. It is called from
/// any thread that frees a handle, so it must be thread-safe.
pub type mesaopt_alloc_fn = Option<unsafe extern "C" fn(ptr: *mut c_void, old_size: i64, new_size: i64, user: *mut c_void) -> *mut c_void>;

/// Host parallel loop: calls body(job, i) exactly once for every i in 0..n-1, in any order, on any
/// threads, and returns when all are done. No job waits on another.
pub type mesaopt_parallel_fn = Option<unsafe extern "C" fn(body: Option<unsafe extern "C" fn(job: *mut c_void, i: i64)>, job: *mut c_void, n: i64, user: *mut c_void)>;

/// Host log: one line of text, on the calling thread, valid during the call only: ISA level and threads
/// of the new context ("context: isa avx2, threads 4"); of a checkpoint that is loaded, any setting of
/// trainer or task that was another one, or that it does not say which task it is of ("run.safetensors:
/// lr was 0.0001, now 1e-5").
pub type mesaopt_log_fn = Option<unsafe extern "C" fn(line: *const c_char, user: *mut c_void)>;

/// Host poll: 0 lets the running call go on, anything else stops it as mesaopt\_ctx\_interrupt does.
/// Called on the thread of the call, at most 50 times a second, and from a long call at least ten
/// times, also while workers do the work; with a host's parallel loop as often as its jobs return, and
/// they do not go on beyond that. Not in the callbacks of a call, nor in calls too short to look. It
/// may free handles; calls on its context give MESAOPT\_E\_BUSY.
pub type mesaopt_poll_fn = Option<unsafe extern "C" fn(user: *mut c_void) -> i32>;

/// Fills \`out\` \[B, T+1, n\] (f32 or f64, as its dtype says; strided) with sequences first .. first +
/// B - 1 of \`stream\`. B is that of a training step (the setting batch), otherwise at most 4096.
/// Called on the thread of the call that needs them; everything must be written, and finite. A non-zero
/// return ends that call with MESAOPT\_E\_SOURCE.
pub type mesaopt_sequence_fn = Option<unsafe extern "C" fn(stream: i32, first: i64, out: *const mesaopt_view, user: *mut c_void) -> i32>;

/// Takes the next \`count\` bytes of a file that is being saved, in their order; anything but 0 ends
/// that call with MESAOPT\_E\_IO.
pub type mesaopt_write_fn = Option<unsafe extern "C" fn(bytes: *const c_void, count: i64, user: *mut c_void) -> i32>;

/// Called after every step on the caller's thread; non-zero stops the run. Inside, reading parameters,
/// evaluating, saving and freeing are allowed; stepping returns MESAOPT\_E\_BUSY.
pub type mesaopt_step_fn = Option<unsafe extern "C" fn(step: *const mesaopt_step, user: *mut c_void) -> i32>;

extern "C" {
    /// Creates an attention operator; the scope of \`settings\` (MESAOPT\_SCOPE\_LINEAR or \_SOFTMAX) is
    /// its kind; of the keys it uses \`scale\`, \`chunk\`, \`lanes\` and \`qk\_norm\` (extents come from
    /// the views). The caller frees \*out. Since 0.1.
    pub fn mesaopt_attn_create(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, out: *mut *mut mesaopt_attn) -> mesaopt_status;
    /// Bytes of workspace that calls of this shape need. Since 0.1.
    pub fn mesaopt_attn_workspace(attn: *const mesaopt_attn, dtype: i32, batch: i64, length: i64, heads: i64, key: i64, value: i64, bytes: *mut i64) -> mesaopt_status;
    /// out = attention(q, k, v). Outputs must not overlap inputs. MESAOPT\_E\_NONFINITE: \`out\` is not
    /// finite. Since 0.1.
    pub fn mesaopt_attn_forward(attn: *mut mesaopt_attn, q: *const mesaopt_view, k: *const mesaopt_view, v: *const mesaopt_view, out: *const mesaopt_view) -> mesaopt_status;
    /// Gradients dq, dk, dv (shapes of q, k, v; overwritten) of a scalar whose gradient with respect to out
    /// is dout. The forward pass is recomputed inside: nothing needs to be kept from an earlier call.
    /// MESAOPT\_E\_NONFINITE: a gradient is not finite. Since 0.1.
    pub fn mesaopt_attn_backward(attn: *mut mesaopt_attn, q: *const mesaopt_view, k: *const mesaopt_view, v: *const mesaopt_view, dout: *const mesaopt_view, dq: *const mesaopt_view, dk: *const mesaopt_view, dv: *const mesaopt_view) -> mesaopt_status;
    /// Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works
    /// on it: it goes when nothing uses it any more. MESAOPT\_E\_ARGUMENT: another kind of handle, or freed
    /// before. Since 0.1.
    pub fn mesaopt_attn_free(attn: *mut mesaopt_attn) -> mesaopt_status;
    /// Creates a baseline (scope MESAOPT\_SCOPE\_BASELINE, NULL: defaults). The caller frees \*out. Since
    /// 0.1.
    pub fn mesaopt_baseline_create(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, out: *mut *mut mesaopt_baseline) -> mesaopt_status;
    /// Predictions of x\_2 .. x\_{T+1}: sequences \[B, T+1, n\] -\> out \[B, T, n\], f32 or f64; computed
    /// in f64. MESAOPT\_E\_STATE: space=features without mesaopt\_baseline\_set\_task.
    /// MESAOPT\_E\_NONFINITE: \`out\` is not finite; the text names the place. Since 0.1.
    pub fn mesaopt_baseline_predict(baseline: *mut mesaopt_baseline, sequences: *const mesaopt_view, out: *const mesaopt_view) -> mesaopt_status;
    /// Gives a baseline of space=features the task whose features are its inputs (a counted reference is
    /// kept; NULL: none), which then go before those of the task that it is evaluated, searched or trained
    /// on, and which mesaopt\_baseline\_predict and mesaopt\_baseline\_precondition need: sequences do not
    /// say whose they are. MESAOPT\_E\_STATE: another space, or the task has no features. Since 0.1.
    pub fn mesaopt_baseline_set_task(baseline: *mut mesaopt_baseline, task: *mut mesaopt_task) -> mesaopt_status;
    /// What the preconditioner makes of z\_t: sequences \[B, T, n\] -\> out \[B, T, m\], inv(A\_t) z\_t
    /// exactly for lsq, approximately for the others (gd: without ridge). MESAOPT\_E\_STATE: kernel has
    /// none, or as in mesaopt\_baseline\_predict. MESAOPT\_E\_NONFINITE as above. Since 0.1.
    pub fn mesaopt_baseline_precondition(baseline: *mut mesaopt_baseline, sequences: *const mesaopt_view, out: *const mesaopt_view) -> mesaopt_status;
    /// View of the coefficients of richardson (f64 \[1, K\]: a) or chebyshev (\[2, K\]: a, b), at first a =
    /// 1, b = 0; writing through it changes the baseline. Valid while the baseline lives.
    /// MESAOPT\_E\_STATE: the baseline has none. Since 0.1.
    pub fn mesaopt_baseline_coefficients(baseline: *mut mesaopt_baseline, out: *mut mesaopt_view) -> mesaopt_status;
    /// Learns the coefficients of richardson (a) or chebyshev (a, b): AdamW on the autoregressive loss,
    /// update s on sequences s batch .. (s + 1) batch - 1 of the training stream, until \`updates\` updates
    /// in all have been taken (0: 20000, with K = 2 80000), calling \`after\` (may be NULL) after each, as
    /// mesaopt\_trainer\_run; batch, learning rates and clips are settings of the baseline.
    /// MESAOPT\_STOPPED: the callback or an interrupt ended it early. MESAOPT\_E\_NONFINITE: a loss or
    /// gradient is not finite; that update was not made. MESAOPT\_E\_STATE: the baseline has no
    /// coefficients. Since 0.1.
    pub fn mesaopt_baseline_train(baseline: *mut mesaopt_baseline, task: *mut mesaopt_task, updates: i64, after: mesaopt_step_fn, user: *mut c_void) -> mesaopt_status;
    /// Updates taken so far, or a negative status. Since 0.1.
    pub fn mesaopt_baseline_updates(baseline: *const mesaopt_baseline) -> i64;
    /// Mean loss and error by t, as mesaopt\_model\_evaluate; count \>= 1. MESAOPT\_E\_STATE:
    /// space=features, and neither the baseline nor \`task\` has them. MESAOPT\_E\_NONFINITE: the loss
    /// overflows. Since 0.1.
    pub fn mesaopt_baseline_evaluate(baseline: *mut mesaopt_baseline, task: *mut mesaopt_task, stream: i32, first: i64, count: i64, by_t: *const mesaopt_view, loss: *mut f64) -> mesaopt_status;
    /// Line search: sets eta (gd: 1e-5..0.1), beta (kernel: 0.01..100) or ridge (others: 1e-5..10) to the
    /// value of lowest loss on \`count\` sequences of the search stream, on a logarithmic grid refined
    /// around its best point to half a per cent. The ranges hold for inputs z of mean square 1; with mean
    /// square s that of ridge is multiplied, those of eta and beta are divided by s. \`best\` (may be NULL)
    /// receives the value. MESAOPT\_AT\_BOUND: it is set, and is an end of the range, as when there is
    /// nothing to learn from the pairs or no noise in them; the text has the range. MESAOPT\_E\_NONFINITE:
    /// no value gives a finite loss. Since 0.1.
    pub fn mesaopt_baseline_search(baseline: *mut mesaopt_baseline, task: *mut mesaopt_task, count: i64, best: *mut f64) -> mesaopt_status;
    /// Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works
    /// on it: it goes when nothing uses it any more. MESAOPT\_E\_ARGUMENT: another kind of handle, or freed
    /// before. Since 0.1.
    pub fn mesaopt_baseline_free(baseline: *mut mesaopt_baseline) -> mesaopt_status;
    /// Creates a context; \`settings\` (scope MESAOPT\_SCOPE\_CTX, NULL: defaults) is copied. On failure
    /// the text is in \`settings\`. MESAOPT\_E\_UNSUPPORTED: the CPU lacks the ISA level asked for. Starts
    /// no thread. The caller frees \*out. Since 0.1.
    pub fn mesaopt_ctx_create(settings: *mut mesaopt_settings, out: *mut *mut mesaopt_ctx) -> mesaopt_status;
    /// Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works
    /// on it: it goes when its last handle has gone and its running call has returned.
    /// MESAOPT\_E\_ARGUMENT: another kind of handle, or freed before. Since 0.1.
    pub fn mesaopt_ctx_free(ctx: *mut mesaopt_ctx) -> mesaopt_status;
    /// Text of the last failure of a call on this context or one of its handles, at most cap bytes with the
    /// final NUL; returns the bytes the whole text needs, or a negative status. Unchanged by success; may
    /// be called from any thread at any time. Since 0.1.
    pub fn mesaopt_ctx_error(ctx: *const mesaopt_ctx, buf: *mut c_char, cap: i64) -> i64;
    /// Asks the running call to stop or, if none runs, the next one. Async-signal-safe: a SIGINT handler
    /// may call it. Training runs return MESAOPT\_STOPPED at a step boundary, other long calls
    /// MESAOPT\_E\_INTERRUPTED. The request ends with that call, also when it was too short to look: a
    /// program that makes several calls sets a flag of its own as well. In a callback's calls it is that of
    /// the call whose callback it is. Since 0.1.
    pub fn mesaopt_ctx_interrupt(ctx: *mut mesaopt_ctx);
    /// Withdraws a request of mesaopt\_ctx\_interrupt that no call has met yet. MESAOPT\_E\_BUSY: a call
    /// runs, whose it is. Since 0.1.
    pub fn mesaopt_ctx_clear_interrupt(ctx: *mut mesaopt_ctx) -> mesaopt_status;
    /// ISA level in use (MESAOPT\_ISA\_BASELINE, ...). Since 0.1.
    pub fn mesaopt_ctx_isa(ctx: *const mesaopt_ctx, out: *mut i32) -> mesaopt_status;
    /// Creates a decoder of a model, which it keeps alive (scope MESAOPT\_SCOPE\_DECODER: streams,
    /// capacity). All memory is taken here; steps take none. The caller frees \*out. Since 0.1.
    pub fn mesaopt_decoder_create(model: *mut mesaopt_model, settings: *const mesaopt_settings, out: *mut *mut mesaopt_decoder) -> mesaopt_status;
    /// Bytes that such a decoder takes. Since 0.1.
    pub fn mesaopt_decoder_bytes(model: *const mesaopt_model, settings: *const mesaopt_settings, bytes: *mut i64) -> mesaopt_status;
    /// The next L tokens of every stream: tokens \[streams, L, inputs\] -\> predictions out \[streams, L,
    /// outputs\] (NULL: not wanted), dtype of the model, any L. MESAOPT\_E\_STATE: a stream has no room for
    /// them. MESAOPT\_NOT\_CONVERGED as of mesaopt\_model\_forward: the tokens are in, all is finite. After
    /// any failure all streams are as before. Since 0.1.
    pub fn mesaopt_decoder_step(decoder: *mut mesaopt_decoder, tokens: *const mesaopt_view, out: *const mesaopt_view) -> mesaopt_status;
    /// A stream begins anew, or with stream = -1 all of them. Since 0.1.
    pub fn mesaopt_decoder_reset(decoder: *mut mesaopt_decoder, stream: i64) -> mesaopt_status;
    /// All streams become as those of \`from\`, a decoder of the same model with as many streams; its
    /// capacity may be another one. MESAOPT\_E\_STATE: they do not fit. Since 0.1.
    pub fn mesaopt_decoder_copy(decoder: *mut mesaopt_decoder, from: *mut mesaopt_decoder) -> mesaopt_status;
    /// Tokens of a stream so far, or a negative status. Since 0.1.
    pub fn mesaopt_decoder_steps(decoder: *const mesaopt_decoder, stream: i64) -> i64;
    /// Writes all streams as safetensors, as mesaopt\_model\_save writes. Since 0.1.
    pub fn mesaopt_decoder_save(decoder: *mut mesaopt_decoder, path: *const c_char) -> mesaopt_status;
    /// The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes
    /// that the file would have. Since 0.1.
    pub fn mesaopt_decoder_save_to(decoder: *mut mesaopt_decoder, write: mesaopt_write_fn, user: *mut c_void) -> mesaopt_status;
    /// Creates a decoder from a file of mesaopt\_decoder\_save, notes included, of a model with the same
    /// blocks and parameters: MESAOPT\_E\_FORMAT names what differs. \`settings\` have the streams of the
    /// file, and room for their tokens. With equal capacity it goes on bit for bit, unless the status is
    /// MESAOPT\_OTHER\_ISA. Since 0.1.
    pub fn mesaopt_decoder_open(model: *mut mesaopt_model, settings: *const mesaopt_settings, path: *const c_char, out: *mut *mut mesaopt_decoder) -> mesaopt_status;
    /// The same from the bytes of such a file in memory, which are not kept. Since 0.1.
    pub fn mesaopt_decoder_open_from(model: *mut mesaopt_model, settings: *const mesaopt_settings, bytes: *const c_void, length: i64, out: *mut *mut mesaopt_decoder) -> mesaopt_status;
    /// Keeps a text of the caller's with the streams, as mesaopt\_model\_set\_note does with a model. Since
    /// 0.1.
    pub fn mesaopt_decoder_set_note(decoder: *mut mesaopt_decoder, key: *const c_char, text: *const c_char) -> mesaopt_status;
    /// Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works
    /// on it: it goes when nothing uses it any more. MESAOPT\_E\_ARGUMENT: another kind of handle, or freed
    /// before. Since 0.1.
    pub fn mesaopt_decoder_free(decoder: *mut mesaopt_decoder) -> mesaopt_status;
    /// Fills \*out with a view of the elements of a managed tensor, which stays its owner's.
    /// MESAOPT\_E\_ARGUMENT: NULL, or \`versioned\` neither 0 nor 1; MESAOPT\_E\_UNSUPPORTED: another
    /// device, or a major version above 1; MESAOPT\_E\_DTYPE: another type, or several lanes;
    /// MESAOPT\_E\_SHAPE: more than 6 axes, or an extent below 0. No text: there is no context. Since 0.1.
    pub fn mesaopt_dlpack_view(managed: *const c_void, versioned: i32, out: *mut mesaopt_view) -> mesaopt_status;
    /// Makes a tensor of a managed tensor, and takes it over: its deleter is called once, when the last
    /// user of the new tensor goes, on whichever thread that is. On failure it stays the caller's; statuses
    /// as of mesaopt\_dlpack\_view, with a text, and as of mesaopt\_tensor\_wrap. A capsule it came from
    /// has to be renamed ("used\_dltensor", "used\_dltensor\_versioned"). Since 0.1.
    pub fn mesaopt_dlpack_import(ctx: *mut mesaopt_ctx, managed: *mut c_void, versioned: i32, out: *mut *mut mesaopt_tensor) -> mesaopt_status;
    /// Writes to \*managed a new managed tensor of the elements of \`tensor\`, which live until its deleter
    /// is called, from any thread: by whoever takes it, or by the caller. A tensor that may only be read is
    /// marked so when \`versioned\` is 1; without a version it is refused, MESAOPT\_E\_UNSUPPORTED. Since
    /// 0.1.
    pub fn mesaopt_dlpack_export(tensor: *mut mesaopt_tensor, versioned: i32, managed: *mut *mut c_void) -> mesaopt_status;
    /// Moves every element of \`x\` (f32 or f64) by +-h and +-2h in turn, takes the fourth-order central
    /// difference (8 (L(+h) - L(-h)) - (L(+2h) - L(-2h))) / 12h, puts the element back bit for bit, and
    /// writes to \`error\` the norm of (difference - gradient) over the larger of their norms (0 when both
    /// are 0). \`gradient\` has the shape of x. h \> 0; 1e-3 suits f64. MESAOPT\_E\_SOURCE when the
    /// callback failed. Since 0.1.
    pub fn mesaopt_grad_check(ctx: *mut mesaopt_ctx, loss: mesaopt_loss_fn, user: *mut c_void, x: *const mesaopt_view, gradient: *const mesaopt_view, h: f64, error: *mut f64) -> mesaopt_status;
    /// Plans the distillation of \`count\` different blocks of attention, and allocates all that its steps
    /// need. settings (scope MESAOPT\_SCOPE\_TRAINER): AdamW and the batch; NULL: the defaults of that
    /// scope, but lr = 1e-3 and no weight decay. block (scope MESAOPT\_SCOPE\_LINEAR): the linear blocks;
    /// NULL: each with the settings of the block that it learns from (heads, key, value, positions, clip
    /// ..), except for the scale of its logits, which is 1. The model is copied, and may change or go
    /// afterwards; of the task a counted reference is kept. MESAOPT\_E\_UNSUPPORTED: a block has no heads.
    /// The caller frees \*out. Since 0.1.
    pub fn mesaopt_linearise_create(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, model: *mut mesaopt_model, task: *mut mesaopt_task, count: i64, blocks: *const i64, block: *const mesaopt_settings, out: *mut *mut mesaopt_linearise) -> mesaopt_status;
    /// Steps until \`steps\` steps in all have been taken, calling \`after\` (may be NULL) after each: its
    /// loss is the sum over blocks of the squared errors / (2 batch T) before the update, grad\_norm the
    /// norm of all gradients together. Statuses as of mesaopt\_trainer\_run; a step that fails changes no
    /// weights. Allocates nothing. Since 0.1.
    pub fn mesaopt_linearise_run(linearise: *mut mesaopt_linearise, steps: i64, after: mesaopt_step_fn, user: *mut c_void) -> mesaopt_status;
    /// Steps taken so far, or a negative status. Since 0.1.
    pub fn mesaopt_linearise_steps(linearise: *const mesaopt_linearise) -> i64;
    /// Scores on the first \`count\` sequences of the test stream, f32 or f64 \[blocks\], in the order of
    /// mesaopt\_linearise\_create. ratio: the loss of the model with this block replaced over its own loss.
    /// error (may be NULL): the squared error of the linear block's output over the square of what the
    /// block adds to the stream. MESAOPT\_E\_NONFINITE: the model's loss, or what a block adds, is 0. May
    /// be called in a callback. Since 0.1.
    pub fn mesaopt_linearise_evaluate(linearise: *mut mesaopt_linearise, count: i64, ratio: *const mesaopt_view, error: *const mesaopt_view) -> mesaopt_status;
    /// A copy of the model with the linear block in place of \`block\`, -1: with all of them in their
    /// places. The caller frees \*out. Since 0.1.
    pub fn mesaopt_linearise_model(linearise: *mut mesaopt_linearise, block: i64, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// A copy of the linear block that stands for \`block\`, as a model of that one block on the stream:
    /// inputs and outputs are its width. The caller frees \*out. Since 0.1.
    pub fn mesaopt_linearise_block(linearise: *mut mesaopt_linearise, block: i64, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works
    /// on it: it goes when nothing uses it any more. MESAOPT\_E\_ARGUMENT: another kind of handle, or freed
    /// before. Since 0.1.
    pub fn mesaopt_linearise_free(linearise: *mut mesaopt_linearise) -> mesaopt_status;
    /// Plans a solver (scope MESAOPT\_SCOPE\_LSQ, NULL: defaults) for keys of d\_key and values of d\_val
    /// channels. The setting window matters only to a mesaopt\_rls of the plan: mesaopt\_lsq\_forward and
    /// mesaopt\_lsq\_adjoint ignore it. The caller frees \*out. Since 0.1.
    pub fn mesaopt_lsq_plan(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, d_key: i64, d_val: i64, out: *mut *mut mesaopt_lsq) -> mesaopt_status;
    /// Channels of keys and of values, as planned. Each pointer may be NULL. Since 0.1.
    pub fn mesaopt_lsq_shape(lsq: *const mesaopt_lsq, d_key: *mut i64, d_val: *mut i64) -> mesaopt_status;
    /// Bytes of workspace that calls of this shape need, with every operand there is, of the adjoint when
    /// \`adjoint\` is not 0. sequences: how many MESAOPT\_LSQ\_OFFSETS make of a batch of 1; 0: without
    /// offsets. Since 0.1.
    pub fn mesaopt_lsq_workspace(lsq: *const mesaopt_lsq, dtype: i32, batch: i64, length: i64, heads: i64, sequences: i64, adjoint: i32, bytes: *mut i64) -> mesaopt_status;
    /// out \[B, T, H, dv\] for all steps, and what else \`which\` asks for. Outputs must not overlap inputs
    /// or each other. MESAOPT\_NOT\_CONVERGED: see above; the context's text says how many rows, and which
    /// is the first. Since 0.1.
    pub fn mesaopt_lsq_forward(lsq: *mut mesaopt_lsq, q: *const mesaopt_view, k: *const mesaopt_view, v: *const mesaopt_view, out: *const mesaopt_view, count: i64, which: *const i32, views: *const mesaopt_view) -> mesaopt_status;
    /// Gradients dq, dk, dv (shapes of q, k, v; overwritten) of a scalar whose gradient with respect to out
    /// is dout, and what else \`which\` asks for. The forward pass is recomputed inside. Since 0.1.
    pub fn mesaopt_lsq_adjoint(lsq: *mut mesaopt_lsq, q: *const mesaopt_view, k: *const mesaopt_view, v: *const mesaopt_view, dout: *const mesaopt_view, dq: *const mesaopt_view, dk: *const mesaopt_view, dv: *const mesaopt_view, count: i64, which: *const i32, views: *const mesaopt_view) -> mesaopt_status;
    /// Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works
    /// on it: it goes when nothing uses it any more. MESAOPT\_E\_ARGUMENT: another kind of handle, or freed
    /// before. Since 0.1.
    pub fn mesaopt_lsq_free(lsq: *mut mesaopt_lsq) -> mesaopt_status;
    /// Creates an empty model (scope MESAOPT\_SCOPE\_MODEL: inputs, outputs, dtype, seed, lanes). The
    /// caller frees \*out. Since 0.1.
    pub fn mesaopt_model_create(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// Appends a block whose kind is the scope of \`settings\`, with weights drawn N(0, init\_sd^2) from
    /// the model's seed. Views of parameters taken before become invalid. MESAOPT\_E\_STATE while a trainer
    /// or a decoder holds the model. Since 0.1.
    pub fn mesaopt_model_add(model: *mut mesaopt_model, settings: *const mesaopt_settings) -> mesaopt_status;
    /// Appends every block of a one-line text (grammar above), or none of them on failure;
    /// MESAOPT\_E\_FORMAT and MESAOPT\_E\_SETTING name the place in the text. Since 0.1.
    pub fn mesaopt_model_add_text(model: *mut mesaopt_model, blocks: *const c_char) -> mesaopt_status;
    /// The model's blocks as text that mesaopt\_model\_add\_text takes, at most cap bytes with the final
    /// NUL; returns the bytes the whole text needs, or a negative status. Since 0.1.
    pub fn mesaopt_model_text(model: *const mesaopt_model, buf: *mut c_char, cap: i64) -> i64;
    /// Features of a token, of a prediction, and the type that tokens, predictions and parameters have
    /// (MESAOPT\_F32 or MESAOPT\_F64). Each pointer may be NULL. Since 0.1.
    pub fn mesaopt_model_shape(model: *const mesaopt_model, inputs: *mut i64, outputs: *mut i64, dtype: *mut i32) -> mesaopt_status;
    /// Number of blocks, and width of the stream after block i (i = -1: the tokens). Since 0.1.
    pub fn mesaopt_model_blocks(model: *const mesaopt_model) -> i64;
    /// Number of blocks, and width of the stream after block i (i = -1: the tokens). Since 0.1.
    pub fn mesaopt_model_width(model: *const mesaopt_model, block: i64, width: *mut i64) -> mesaopt_status;
    /// Number of parameter tensors, and the name of the i-th (valid until the next block is added; NULL
    /// past the last). Since 0.1.
    pub fn mesaopt_model_parameters(model: *const mesaopt_model) -> i64;
    /// Number of parameter tensors, and the name of the i-th (valid until the next block is added; NULL
    /// past the last). Since 0.1.
    pub fn mesaopt_model_parameter_name(model: *const mesaopt_model, i: i64) -> *const c_char;
    /// View of a parameter by name; writing through it changes the model. Valid while the model lives and
    /// no block is added. Since 0.1.
    pub fn mesaopt_model_parameter(model: *mut mesaopt_model, name: *const c_char, out: *mut mesaopt_view) -> mesaopt_status;
    /// View of the gradient of a parameter, as the last mesaopt\_model\_gradient, mesaopt\_model\_backward
    /// or training step left it (before clipping); zeros before that. Since 0.1.
    pub fn mesaopt_model_parameter_gradient(model: *mut mesaopt_model, name: *const c_char, out: *mut mesaopt_view) -> mesaopt_status;
    /// Draws all weights anew from \`seed\`. Since 0.1.
    pub fn mesaopt_model_initialise(model: *mut mesaopt_model, seed: i64) -> mesaopt_status;
    /// Bytes of workspace that calls of this shape need, gradients included when \`training\` is not 0.
    /// Since 0.1.
    pub fn mesaopt_model_workspace(model: *const mesaopt_model, batch: i64, length: i64, training: i32, bytes: *mut i64) -> mesaopt_status;
    /// Predictions: tokens \[B, T, inputs\] -\> out \[B, T, outputs\], dtype of the model. Since 0.1.
    pub fn mesaopt_model_forward(model: *mut mesaopt_model, tokens: *const mesaopt_view, out: *const mesaopt_view) -> mesaopt_status;
    /// Activations: the stream after each of \`count\` blocks (blocks\[i\] = -1: the tokens), outs\[i\]
    /// \[B, T, width of that block\]. One forward pass serves them all. Since 0.1.
    pub fn mesaopt_model_activations(model: *mut mesaopt_model, tokens: *const mesaopt_view, count: i64, blocks: *const i64, outs: *const mesaopt_view) -> mesaopt_status;
    /// Loss of predictions against targets \[B, T, outputs\]: sum of weight \* half squared error / sum of
    /// weights. weights \[B, T\], f32 or f64, 0 or 1e-20 to 1e20, one above 0; NULL: all 1. A step of
    /// weight 0 does not count, whatever its target is; behind the last step that counts of a sequence
    /// tokens and targets may hold anything, NaN too, and cost next to nothing. Since 0.1.
    pub fn mesaopt_model_loss(model: *mut mesaopt_model, tokens: *const mesaopt_view, targets: *const mesaopt_view, weights: *const mesaopt_view, loss: *mut f64) -> mesaopt_status;
    /// Loss and its gradients: of every parameter (mesaopt\_model\_parameter\_gradient) and, unless dtokens
    /// is NULL, of the tokens \[B, T, inputs\]. MESAOPT\_E\_NONFINITE names the first tensor that is not
    /// finite. Since 0.1.
    pub fn mesaopt_model_gradient(model: *mut mesaopt_model, tokens: *const mesaopt_view, targets: *const mesaopt_view, weights: *const mesaopt_view, loss: *mut f64, dtokens: *const mesaopt_view) -> mesaopt_status;
    /// Gradients of a scalar of the user's own whose gradient with respect to the predictions is dout \[B,
    /// T, outputs\]; the forward pass is recomputed inside. dtokens may be NULL. Since 0.1.
    pub fn mesaopt_model_backward(model: *mut mesaopt_model, tokens: *const mesaopt_view, dout: *const mesaopt_view, dtokens: *const mesaopt_view) -> mesaopt_status;
    /// Mean loss on sequences first .. first + count - 1 of a stream of \`task\`; by\_t (f64 \[T\], NULL:
    /// not wanted) receives the mean squared error at t summed over dimensions, halved, so that its mean
    /// over t is the loss (by the task's weights, mesaopt\_task\_set\_weights). Memory does not grow with
    /// count, which is at least 1. Since 0.1.
    pub fn mesaopt_model_evaluate(model: *mut mesaopt_model, task: *mut mesaopt_task, stream: i32, first: i64, count: i64, by_t: *const mesaopt_view, loss: *mut f64) -> mesaopt_status;
    /// Writes parameters and settings as safetensors: to a temporary file in the same folder, fsynced, then
    /// renamed to what \`path\` names, links followed and its mode kept. MESAOPT\_E\_IO says what the
    /// system said. MESAOPT\_E\_NONFINITE names the parameter: no such file would be opened. Since 0.1.
    pub fn mesaopt_model_save(model: *mut mesaopt_model, path: *const c_char) -> mesaopt_status;
    /// The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes
    /// that the file would have. Since 0.1.
    pub fn mesaopt_model_save_to(model: *mut mesaopt_model, write: mesaopt_write_fn, user: *mut c_void) -> mesaopt_status;
    /// Reads parameters by name from a safetensors file (f64, f32, f16 or bf16; other tensors are ignored).
    /// All or nothing. MESAOPT\_E\_FORMAT names the tensor that is missing, of another shape or out of
    /// bounds. Since 0.1.
    pub fn mesaopt_model_load(model: *mut mesaopt_model, path: *const c_char) -> mesaopt_status;
    /// The same from the bytes of such a file in memory. Since 0.1.
    pub fn mesaopt_model_load_from(model: *mut mesaopt_model, bytes: *const c_void, length: i64) -> mesaopt_status;
    /// Keeps a text of the caller's with a model, such as units, scales or the command that made it: it
    /// goes as metadata \`key\` into files of mesaopt\_model\_save and mesaopt\_trainer\_save;
    /// mesaopt\_model\_open takes it over, and mesaopt\_file\_note reads it. NULL takes the note away. Both
    /// are UTF-8; key: 1 to 100 bytes that do not begin with "mesaopt."; at most 256 notes of 8 MiB
    /// together. Since 0.1.
    pub fn mesaopt_model_set_note(model: *mut mesaopt_model, key: *const c_char, text: *const c_char) -> mesaopt_status;
    /// Copies a text out of the metadata of a safetensors file: a note, or one of the library's own:
    /// "mesaopt.kind" (model, trainer, rls, decoder, prompt), and of models and trainers "mesaopt.blocks"
    /// and "mesaopt.model", which is "inputs=.. outputs=.. dtype=.. ..". Writes at most \`cap\` bytes with
    /// the final 0, and returns the bytes that all of it needs; 0: there is no such text; or a negative
    /// status. Since 0.1.
    pub fn mesaopt_file_note(ctx: *mut mesaopt_ctx, path: *const c_char, key: *const c_char, buf: *mut c_char, cap: i64) -> i64;
    /// The same from the bytes of such a file in memory. Since 0.1.
    pub fn mesaopt_file_note_from(ctx: *mut mesaopt_ctx, bytes: *const c_void, length: i64, key: *const c_char, buf: *mut c_char, cap: i64) -> i64;
    /// Creates a model of blocks given as text (mesaopt\_model\_add\_text; \`settings\` as in
    /// mesaopt\_model\_create) with weights from elsewhere: tensors\[i\] becomes the parameter names\[i\],
    /// f64, f32, f16 or bf16, any strides (a transposed weight is a view with its strides swapped). Every
    /// parameter is given, once, and nothing else. The weights are copied. MESAOPT\_E\_ARGUMENT,
    /// MESAOPT\_E\_SHAPE, MESAOPT\_E\_DTYPE and MESAOPT\_E\_NONFINITE name the parameter. The caller frees
    /// \*out. Since 0.1.
    pub fn mesaopt_model_import(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, blocks: *const c_char, count: i64, names: *const *const c_char, tensors: *const mesaopt_view, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// The same from a safetensors file that holds every parameter by its name and nothing else.
    /// MESAOPT\_E\_FORMAT names the tensor that is missing, not expected or of another shape. (Files of
    /// this library: mesaopt\_model\_open. Files with more in them: mesaopt\_model\_load.) Since 0.1.
    pub fn mesaopt_model_import_file(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, blocks: *const c_char, path: *const c_char, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// The same from the bytes of such a file in memory, which are not kept. Since 0.1.
    pub fn mesaopt_model_import_from(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, blocks: *const c_char, bytes: *const c_void, length: i64, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// Creates a model from a file that mesaopt\_model\_save or mesaopt\_trainer\_save wrote: settings,
    /// blocks, parameters, notes. Since 0.1.
    pub fn mesaopt_model_open(ctx: *mut mesaopt_ctx, path: *const c_char, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// The same from the bytes of such a file in memory, which are not kept. Since 0.1.
    pub fn mesaopt_model_open_from(ctx: *mut mesaopt_ctx, bytes: *const c_void, length: i64, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works
    /// on it: it goes when nothing uses it any more. MESAOPT\_E\_ARGUMENT: another kind of handle, or freed
    /// before. Since 0.1.
    pub fn mesaopt_model_free(model: *mut mesaopt_model) -> mesaopt_status;
    /// Plans probes (scope MESAOPT\_SCOPE\_PROBE, NULL: defaults) of \`layers\` layers with features\[l\]
    /// features each, \`steps\` steps and \`targets\` targets, and allocates what fits and scores in sample
    /// need. The caller frees \*out. Since 0.1.
    pub fn mesaopt_probe_plan(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, layers: i64, features: *const i64, steps: i64, targets: i64, out: *mut *mut mesaopt_probe) -> mesaopt_status;
    /// Plans probes of the shapes that a file has; names as in mesaopt\_probe\_feed\_file. \`rows\` (may be
    /// NULL) receives the number of sequences. Since 0.1.
    pub fn mesaopt_probe_plan_file(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, path: *const c_char, activations: *const c_char, targets: *const c_char, out: *mut *mut mesaopt_probe, rows: *mut i64) -> mesaopt_status;
    /// The same from the bytes of such a file in memory, which are not kept. Since 0.1.
    pub fn mesaopt_probe_plan_from(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, bytes: *const c_void, length: i64, activations: *const c_char, targets: *const c_char, out: *mut *mut mesaopt_probe, rows: *mut i64) -> mesaopt_status;
    /// Bytes that such probes take at most: the test set's come with its first sequences only. Since 0.1.
    pub fn mesaopt_probe_workspace(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, layers: i64, features: *const i64, steps: i64, targets: i64, bytes: *mut i64) -> mesaopt_status;
    /// Layers, steps and targets, and the features of a layer. Each pointer may be NULL. Since 0.1.
    pub fn mesaopt_probe_shape(probe: *const mesaopt_probe, layers: *mut i64, steps: *mut i64, targets: *mut i64) -> mesaopt_status;
    /// Layers, steps and targets, and the features of a layer. Each pointer may be NULL. Since 0.1.
    pub fn mesaopt_probe_features(probe: *const mesaopt_probe, layer: i64, features: *mut i64) -> mesaopt_status;
    /// Takes in B sequences: activations\[l\] \[B, T, D\_l\] for every layer, targets \[B, T, n\], or \[L,
    /// B, T, n\] when layers have their own, and weights \[B\] or \[B, T\] (NULL: all 1; 0 leaves a
    /// sequence out). f32 or f64 each, targets i32, i64 or bool too (0 or 1), any strides. Numbers are of
    /// size up to 1e100, or MESAOPT\_E\_NONFINITE names the element; a feature, a target or weights that
    /// are all below 1e-100 may count as 0. All or nothing; allocates only with the first sequences of the
    /// test set. Since 0.1.
    pub fn mesaopt_probe_feed(probe: *mut mesaopt_probe, set: i32, activations: *const mesaopt_view, targets: *const mesaopt_view, weights: *const mesaopt_view) -> mesaopt_status;
    /// Runs \`model\` on sequences first .. first + count - 1 of a stream of \`task\`, batch by batch, and
    /// takes in the stream after blocks\[l\] (-1: the tokens; blocks NULL: -1, 0, 1, ...) as the
    /// activations of layer l. Targets are those of mesaopt\_probe\_targets with the settings of the plan
    /// (with target=features of f(x) in place of x: MESAOPT\_E\_STATE when the task has none), unless
    /// mesaopt\_probe\_set\_targets says otherwise. With the setting \`filter\`, sequences are drawn twice.
    /// All or nothing. MESAOPT\_E\_BUSY: called by a callback of a call that feeds the same probe. Since
    /// 0.1.
    pub fn mesaopt_probe_feed_model(probe: *mut mesaopt_probe, set: i32, model: *mut mesaopt_model, blocks: *const i64, task: *mut mesaopt_task, stream: i32, first: i64, count: i64) -> mesaopt_status;
    /// A control: as mesaopt\_probe\_feed\_model, but the activations of the only layer are what
    /// \`conditioner\` makes of its input at t (mesaopt\_baseline\_precondition; with space=features of
    /// \`task\`, unless it has its own), and the setting \`filter\` goes by their norms. Since 0.1.
    pub fn mesaopt_probe_feed_control(probe: *mut mesaopt_probe, set: i32, conditioner: *mut mesaopt_baseline, task: *mut mesaopt_task, stream: i32, first: i64, count: i64) -> mesaopt_status;
    /// Takes in rows first .. first + count - 1 (count -1: to the end) of a safetensors file (f64, f32, f16
    /// or bf16; targets i64, i32 or bool, too), read piece by piece. \`activations\`: names of one tensor
    /// \[B, T, D\] per layer, separated by commas; or one name with a \`\*\` that stands for consecutive
    /// numbers, the lowest being layer 0; or the name of one tensor \[L, B, T, D\]. \`targets\`: name of a
    /// tensor \[B, T, n\]. Without the axis T there is one step. \`weights\`: name of a tensor \[B\] or
    /// \[B, T\], or NULL. MESAOPT\_E\_FORMAT and MESAOPT\_E\_NONFINITE name the tensor and the place. All
    /// or nothing. Since 0.1.
    pub fn mesaopt_probe_feed_file(probe: *mut mesaopt_probe, set: i32, path: *const c_char, activations: *const c_char, targets: *const c_char, weights: *const c_char, first: i64, count: i64) -> mesaopt_status;
    /// The same from the bytes of such a file in memory, which are not kept. Since 0.1.
    pub fn mesaopt_probe_feed_from(probe: *mut mesaopt_probe, set: i32, bytes: *const c_void, length: i64, activations: *const c_char, targets: *const c_char, weights: *const c_char, first: i64, count: i64) -> mesaopt_status;
    /// Where mesaopt\_probe\_feed\_model takes targets from: what \`conditioner\` makes of its input at t
    /// (mesaopt\_baseline\_precondition, m targets; a counted reference is kept), or a callback on the
    /// calling thread; \`release\` (may be NULL) follows when another call of this function has taken its
    /// place, or when the last user of the probe has gone. Both NULL: as the settings say. Since 0.1.
    pub fn mesaopt_probe_set_targets(probe: *mut mesaopt_probe, conditioner: *mut mesaopt_baseline, fill: mesaopt_target_fn, release: mesaopt_release_fn, user: *mut c_void) -> mesaopt_status;
    /// Forgets the sequences of a set. Since 0.1.
    pub fn mesaopt_probe_reset(probe: *mut mesaopt_probe, set: i32) -> mesaopt_status;
    /// Sequences of a weight above 0 that a set has at step t: out i64 \[T\]. Since 0.1.
    pub fn mesaopt_probe_count(probe: *const mesaopt_probe, set: i32, out: *const mesaopt_view) -> mesaopt_status;
    /// Fits all probes to the training set, with \`intercept\`, \`penalty\` and \`rcond\` of \`settings\`
    /// (NULL: of the plan); may be repeated, after more sequences or with other settings.
    /// MESAOPT\_E\_STATE: fewer sequences at some step than features (and no penalty); the text says where.
    /// Allocates nothing. Since 0.1.
    pub fn mesaopt_probe_fit(probe: *mut mesaopt_probe, settings: *const mesaopt_settings) -> mesaopt_status;
    /// Scores of the fitted maps on a set, f32 or f64; either view may be NULL. mse \[L, T\]: mean over
    /// sequences of the half squared error, summed over targets (setting error=half\_sum), or of the mean
    /// over targets of the squared error (error=mean); \[L, T, n\]: one target alone, in the same measure,
    /// so that sum or mean over n give \[L, T\]. r2 \[L, T\] or \[L, T, n\]: 1 - squared error / squared
    /// distance from the mean target of the set, sums over targets; NaN where targets do not vary. No
    /// second pass over any data. MESAOPT\_E\_NONFINITE: an error is too large for the type of mse or r2.
    /// Since 0.1.
    pub fn mesaopt_probe_score(probe: *mut mesaopt_probe, set: i32, mse: *const mesaopt_view, r2: *const mesaopt_view) -> mesaopt_status;
    /// Views of W \[D\_l, n\] and of the intercept \[n\] (zeros without one) of a fitted probe, f64,
    /// READONLY, valid until the next fit. Either may be NULL. Since 0.1.
    pub fn mesaopt_probe_weights(probe: *mut mesaopt_probe, layer: i64, step: i64, weights: *mut mesaopt_view, intercept: *mut mesaopt_view) -> mesaopt_status;
    /// Singular values of the activations that rcond left: out i64 \[L, T\]. Since 0.1.
    pub fn mesaopt_probe_rank(probe: *mut mesaopt_probe, out: *const mesaopt_view) -> mesaopt_status;
    /// Targets that are observations: of sequences \[B, T+1, n\] the \`lags\` ones from x\_{t-lag} back,
    /// out \[B, T, lags n\]: \[x\_{t-lag}, x\_{t-lag-1}, ...\]; lag = -1, lags = 1: the next one, which is
    /// the default. Observations before the first are 0. The setting target has to say observations: probes
    /// that are fed from a model have its task to ask for features. Since 0.1.
    pub fn mesaopt_probe_targets(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, sequences: *const mesaopt_view, out: *const mesaopt_view) -> mesaopt_status;
    /// Weights that leave outliers out: of targets \[B, T, n\], out \[B, T\] is 0 where the norm at t is
    /// \`limit\` or more standard deviations (of the population of the B norms) above their mean, and 1
    /// elsewhere, and where norms differ by rounding alone. Since 0.1.
    pub fn mesaopt_probe_filter(ctx: *mut mesaopt_ctx, limit: f64, targets: *const mesaopt_view, out: *const mesaopt_view) -> mesaopt_status;
    /// Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works
    /// on it: it goes when nothing uses it any more. MESAOPT\_E\_ARGUMENT: another kind of handle, or freed
    /// before. Since 0.1.
    pub fn mesaopt_probe_free(probe: *mut mesaopt_probe) -> mesaopt_status;
    /// Creates a prompt (scope MESAOPT\_SCOPE\_PROMPT, NULL: defaults) of vectors N(0, init\_sd^2), which
    /// \`seed\` says. The caller frees \*out. Since 0.1.
    pub fn mesaopt_prompt_create(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, out: *mut *mut mesaopt_prompt) -> mesaopt_status;
    /// View (f64) of the vectors \`name\`: "separator" \[1, n\], "prefix" \[p, n\]; writing through it
    /// changes the prompt. Valid while the prompt lives. Since 0.1.
    pub fn mesaopt_prompt_vectors(prompt: *mut mesaopt_prompt, name: *const c_char, out: *mut mesaopt_view) -> mesaopt_status;
    /// Says whether training leaves the vectors \`name\` as they are, moments included: frozen 1, or 0, as
    /// at first. Since 0.1.
    pub fn mesaopt_prompt_freeze(prompt: *mut mesaopt_prompt, name: *const c_char, frozen: i32) -> mesaopt_status;
    /// Gradient of the loss on sequences first .. first + count - 1 of \`stream\` of a task that has this
    /// prompt, with respect to the separator \[1, n\] and the prefix \[p, n\], frozen or not; 0 where the
    /// layout has none. f64; each may be NULL, \`loss\` too. count \>= 1, in one batch. The model and the
    /// gradients of its parameters stay as they are. MESAOPT\_E\_STATE: the task has another prompt, or
    /// none. MESAOPT\_E\_NONFINITE, MESAOPT\_NOT\_CONVERGED: as mesaopt\_model\_gradient. Since 0.1.
    pub fn mesaopt_prompt_gradient(prompt: *mut mesaopt_prompt, model: *mut mesaopt_model, task: *mut mesaopt_task, stream: i32, first: i64, count: i64, separator: *const mesaopt_view, prefix: *const mesaopt_view, loss: *mut f64) -> mesaopt_status;
    /// Learns until \`updates\` updates in all have been taken, calling \`after\` (may be NULL) after each,
    /// as mesaopt\_trainer\_run. Allocates before the first of them, and not in between. MESAOPT\_STOPPED:
    /// the callback or an interrupt ended it early. MESAOPT\_E\_NONFINITE: a loss or gradient is not
    /// finite; that update was not made. MESAOPT\_E\_STATE: the task has another prompt, or none, or all
    /// vectors that its layout puts in are frozen. Since 0.1.
    pub fn mesaopt_prompt_train(prompt: *mut mesaopt_prompt, model: *mut mesaopt_model, task: *mut mesaopt_task, updates: i64, after: mesaopt_step_fn, user: *mut c_void) -> mesaopt_status;
    /// Updates taken so far, or a negative status. Since 0.1.
    pub fn mesaopt_prompt_updates(prompt: *const mesaopt_prompt) -> i64;
    /// Writes a safetensors file with all that a prompt is: the tensors separator and prefix (f64), their
    /// moments, settings, counts, and what is frozen; it replaces \`path\` atomically. Also from callbacks.
    /// MESAOPT\_E\_IO with the system's words; MESAOPT\_E\_NONFINITE names the element. A file that was
    /// there is as it was. Since 0.1.
    pub fn mesaopt_prompt_save(prompt: *mut mesaopt_prompt, path: *const c_char) -> mesaopt_status;
    /// The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes
    /// that the file would have. Since 0.1.
    pub fn mesaopt_prompt_save_to(prompt: *mut mesaopt_prompt, write: mesaopt_write_fn, user: *mut c_void) -> mesaopt_status;
    /// Reads a prompt back, which goes on learning as the saved one would have. MESAOPT\_E\_FORMAT names
    /// the file and what is wrong in it. The caller frees \*out. Since 0.1.
    pub fn mesaopt_prompt_open(ctx: *mut mesaopt_ctx, path: *const c_char, out: *mut *mut mesaopt_prompt) -> mesaopt_status;
    /// The same from the bytes of such a file in memory, which are not kept. Since 0.1.
    pub fn mesaopt_prompt_open_from(ctx: *mut mesaopt_ctx, bytes: *const c_void, length: i64, out: *mut *mut mesaopt_prompt) -> mesaopt_status;
    /// Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works
    /// on it: it goes when nothing uses it any more. MESAOPT\_E\_ARGUMENT: another kind of handle, or freed
    /// before. Since 0.1.
    pub fn mesaopt_prompt_free(prompt: *mut mesaopt_prompt) -> mesaopt_status;
    /// Reads the scalars off a model whose blocks are linear, softmax (without positions), dense or mask,
    /// all of whose widths are multiples of its \`outputs\`. The model may be in training, and may change
    /// or go afterwards. MESAOPT\_E\_UNSUPPORTED names the block that does not fit. MESAOPT\_E\_NONFINITE:
    /// the squared norm of the products overflows. The caller frees \*out. Since 0.1.
    pub fn mesaopt_revalg_extract(model: *mut mesaopt_model, out: *mut *mut mesaopt_revalg) -> mesaopt_status;
    /// View of the scalars of a product of block i: f64 \[heads, S, S'\], means of the diagonals of its
    /// blocks; writing through it changes what mesaopt\_revalg\_rebuild builds. Valid while the extraction
    /// lives. MESAOPT\_E\_ARGUMENT: the block has no such product. Since 0.1.
    pub fn mesaopt_revalg_scalars(revalg: *mut mesaopt_revalg, block: i64, product: i32, out: *mut mesaopt_view) -> mesaopt_status;
    /// What the scalars leave out: view, as above, of the Frobenius norms of (block - mean of its diagonal
    /// times the identity). Since 0.1.
    pub fn mesaopt_revalg_residuals(revalg: *mut mesaopt_revalg, block: i64, product: i32, out: *mut mesaopt_view) -> mesaopt_status;
    /// \`weights\`: scalars that are not 0, as a share of the weights they stand for; \`explained\`: share
    /// of the products' squared norm that blocks of scaled identity account for (1: the products are such;
    /// 1/n: they are noise). Each pointer may be NULL. Since 0.1.
    pub fn mesaopt_revalg_summary(revalg: *mut mesaopt_revalg, weights: *mut f64, explained: *mut f64) -> mesaopt_status;
    /// One attention layer on constructed tokens (S = 4; masks before it are heeded) in closed form: out
    /// f64 \[heads, 6\] = alpha, eta, beta, gamma, p1, p2, prediction = sum\_h sum\_{t' \<= t} f(x\_t .
    /// (alpha x\_t' + eta x\_{t'-1}) + x\_{t-1} . (beta x\_t' + gamma x\_{t'-1})) (p1 x\_t' + p2
    /// x\_{t'-1}), f the identity or a softmax over t', of its argument times the scale.
    /// MESAOPT\_E\_UNSUPPORTED: not one such layer. Since 0.1.
    pub fn mesaopt_revalg_closed_form(revalg: *mut mesaopt_revalg, out: *const mesaopt_view) -> mesaopt_status;
    /// A model of the scalars: the same blocks with W\_k = P = I (key = value = D), W\_q and W\_v blocks of
    /// scaled identity; clips and masks as they were, softmax with the scale of the original.
    /// MESAOPT\_E\_NONFINITE: scalars that were written. The caller frees \*out. Since 0.1.
    pub fn mesaopt_revalg_rebuild(revalg: *mut mesaopt_revalg, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works
    /// on it: it goes when nothing uses it any more. MESAOPT\_E\_ARGUMENT: another kind of handle, or freed
    /// before. Since 0.1.
    pub fn mesaopt_revalg_free(revalg: *mut mesaopt_revalg) -> mesaopt_status;
    /// A product itself: W\_q W\_k^T or W\_v P of a head, or a dense block's weights: out \[D, D'\], f32 or
    /// f64. Since 0.1.
    pub fn mesaopt_revalg_product(model: *mut mesaopt_model, block: i64, product: i32, head: i64, out: *const mesaopt_view) -> mesaopt_status;
    /// A model whose products are the means of the products of \`a\` and \`b\`: logits (s\_a Q\_a K\_a^T +
    /// s\_b Q\_b K\_b^T) / 2 with their scales s, outputs (attention V\_a P\_a + attention V\_b P\_b) / 2
    /// with the one attention of these logits; of dense blocks the mean weights. The blocks must agree in
    /// kind, heads, width and clip. The caller frees \*out. Since 0.1.
    pub fn mesaopt_revalg_average(a: *mut mesaopt_model, b: *mut mesaopt_model, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// Does it again for new weights of a and b, into a model that mesaopt\_revalg\_average made of them;
    /// allocates nothing. May be called in a trainer's callback. MESAOPT\_E\_STATE: a trainer holds
    /// \`average\`, or it is not such a model. Since 0.1.
    pub fn mesaopt_revalg_average_update(average: *mut mesaopt_model, a: *mut mesaopt_model, b: *mut mesaopt_model) -> mesaopt_status;
    /// Proposition 1: one linear layer that is one step of gradient descent of size eta from Phi0 (f32 or
    /// f64 \[n, n\], acting on columns; NULL: 0), on tokens \[Phi0 s\_t, s\_t, s\_{t-1}\] (\`inputs\` = 3
    /// n) or \[Phi0 s\_t, anything, s\_t, s\_{t-1}\] (4 n; with Phi0 = 0 the constructed tokens);
    /// prediction (Phi0 - eta grad L\_t(Phi0)) s\_t. \`settings\`: scope MESAOPT\_SCOPE\_MODEL. The caller
    /// frees \*out. Since 0.1.
    pub fn mesaopt_revalg_proposition1(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, eta: f64, phi0: *const mesaopt_view, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// Proposition 2: a deep linear model that makes the predictions of \`baseline\` (neumann, richardson
    /// or chebyshev with a divisor, or gd; newest\_pair on): one linear layer and one dense block per step,
    /// and one last linear layer. Tokens: \[0, s\_t, s\_{t-1}, s\_t, s\_t, s\_t\] (\`inputs\` = 6 n), or
    /// the constructed ones (4 n), of which a first dense block makes these. The coefficients are those of
    /// now; MESAOPT\_E\_NONFINITE: they are not finite. The caller frees \*out. Since 0.1.
    pub fn mesaopt_revalg_proposition2(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, baseline: *mut mesaopt_baseline, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// A model of the user's own weights: \`layers\` equal blocks of the kind of \`block\`, any kind; the
    /// weights are its n parameters in the order of mesaopt\_model\_parameter\_name, weights\[n i ..\]
    /// those of layer i: of a plain linear or softmax block query \[D, H key\], key \[D, H key\], value
    /// \[D, H value\], output \[H value, D\]; f64, f32, f16 or bf16, any strides; D = \`inputs\` of
    /// \`settings\` (scope MESAOPT\_SCOPE\_MODEL). The weights are copied. MESAOPT\_E\_SHAPE and
    /// MESAOPT\_E\_NONFINITE name the layer and the matrix. Networks of different blocks:
    /// mesaopt\_model\_import. The caller frees \*out. Since 0.1.
    pub fn mesaopt_revalg_import(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, block: *const mesaopt_settings, layers: i64, weights: *const mesaopt_view, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// The same from a safetensors file that holds the parameters of such blocks I = 0, 1, ..,
    /// blocks.I.query and so on, and nothing else. MESAOPT\_E\_FORMAT names the tensor that is missing, not
    /// expected or of another shape. (Files of this library: mesaopt\_model\_open.) Since 0.1.
    pub fn mesaopt_revalg_import_file(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, block: *const mesaopt_settings, path: *const c_char, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// The same from the bytes of such a file in memory, which are not kept. Since 0.1.
    pub fn mesaopt_revalg_import_from(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, block: *const mesaopt_settings, bytes: *const c_void, length: i64, out: *mut *mut mesaopt_model) -> mesaopt_status;
    /// Creates \`streams\` regressions without rows of a plan, which they keep alive. ridge \[streams,
    /// d\_key\]: l \> 0 (NULL: the plan's setting). The caller frees \*out. Since 0.1.
    pub fn mesaopt_rls_create(lsq: *mut mesaopt_lsq, streams: i64, ridge: *const mesaopt_view, out: *mut *mut mesaopt_rls) -> mesaopt_status;
    /// Takes in rows: k \[T, streams, d\_key\], v \[T, streams, d\_val\], weights beta \[T, streams\] \>= 0
    /// (NULL: 1), log of the gates log\_gamma \[T, streams\] \<= 0 (NULL: the plan's setting gamma). A row
    /// of weight 0 adds nothing, and its key and value may hold anything, NaN too; it counts as a row (in a
    /// window it has its place), and its gate forgets. In the others |k|, |v|, sqrt(beta) |k| and
    /// sqrt(beta) |v| are at most 2^480 (3.1e144), so that sums of squares are finite: rows that are not so
    /// are refused before any is taken in. Since 0.1.
    pub fn mesaopt_rls_update(rls: *mut mesaopt_rls, k: *const mesaopt_view, v: *const mesaopt_view, beta: *const mesaopt_view, log_gamma: *const mesaopt_view) -> mesaopt_status;
    /// out \[T, streams, d\_val\] for queries q \[T, streams, d\_key\], all on the rows so far. error
    /// (NULL: not wanted), of the shape of out: the standard error of each prediction, sqrt(s^2 q^T (H +
    /// diag l)^-1 q), s^2 = (sum of b v^2 - S\_j^T (H + diag l)^-1 S\_j) / sum of b: the posterior
    /// deviation when the ridge is the prior; a new value scatters by sqrt(s^2 + error^2). NaN while the
    /// weights sum to 0. Since 0.1.
    pub fn mesaopt_rls_predict(rls: *mut mesaopt_rls, q: *const mesaopt_view, out: *const mesaopt_view, error: *const mesaopt_view) -> mesaopt_status;
    /// For every row in turn: takes it in, then predicts for its query, as mesaopt\_lsq\_forward does for
    /// whole sequences. Since 0.1.
    pub fn mesaopt_rls_step(rls: *mut mesaopt_rls, q: *const mesaopt_view, k: *const mesaopt_view, v: *const mesaopt_view, beta: *const mesaopt_view, log_gamma: *const mesaopt_view, out: *const mesaopt_view) -> mesaopt_status;
    /// The rows of \`from\` after those of \`rls\`: as if one had seen both. Refused when sums might not be
    /// finite. Plans of equal dimensions, window, gamma and missing, and equal ridges; \`from\` stays as it
    /// is, to the bit. It may be of another context (MESAOPT\_E\_BUSY: in which a call runs). Since 0.1.
    pub fn mesaopt_rls_merge(rls: *mut mesaopt_rls, from: *mut mesaopt_rls) -> mesaopt_status;
    /// Streams side by side, and channels of their keys and values. Each pointer may be NULL. Since 0.1.
    pub fn mesaopt_rls_shape(rls: *const mesaopt_rls, streams: *mut i64, d_key: *mut i64, d_val: *mut i64) -> mesaopt_status;
    /// Forgets all rows. Since 0.1.
    pub fn mesaopt_rls_clear(rls: *mut mesaopt_rls) -> mesaopt_status;
    /// Reads parts of the state: views\[i\] (f32 or f64) receives which\[i\], a MESAOPT\_RLS\_\*. RESIDUAL
    /// is NaN where rounding has left less than six digits of it, after a mesaopt\_rls\_set without it.
    /// Since 0.1.
    pub fn mesaopt_rls_get(rls: *mut mesaopt_rls, count: i64, which: *const i32, views: *const mesaopt_view) -> mesaopt_status;
    /// Replaces the state: KEY\_STATE (symmetric, positive semidefinite) and VALUE\_STATE have to be given,
    /// WEIGHT and SQUARES (otherwise 0) may be, and RESIDUAL: without it standard errors are computed from
    /// SQUARES, and where rounding has left less than six digits of them, predictions with errors come with
    /// MESAOPT\_NOT\_CONVERGED. ROWS and MISSING are 0 then. MESAOPT\_E\_UNSUPPORTED with a window: such a
    /// state consists of its rows. Since 0.1.
    pub fn mesaopt_rls_set(rls: *mut mesaopt_rls, count: i64, which: *const i32, views: *const mesaopt_view) -> mesaopt_status;
    /// Writes the state as safetensors (f64), as mesaopt\_model\_save writes. This handle and one read from
    /// the file go on alike, bit for bit; what it predicts may differ by roundings from what it would have
    /// predicted without saving, also when that fails. Since 0.1.
    pub fn mesaopt_rls_save(rls: *mut mesaopt_rls, path: *const c_char) -> mesaopt_status;
    /// The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes
    /// that the file would have. Since 0.1.
    pub fn mesaopt_rls_save_to(rls: *mut mesaopt_rls, write: mesaopt_write_fn, user: *mut c_void) -> mesaopt_status;
    /// Creates a handle from a file of mesaopt\_rls\_save, notes included; \`lsq\` has to have the
    /// dimensions, window, gamma and missing of its plan. Since 0.1.
    pub fn mesaopt_rls_open(lsq: *mut mesaopt_lsq, path: *const c_char, out: *mut *mut mesaopt_rls) -> mesaopt_status;
    /// The same from the bytes of such a file in memory, which are not kept. Since 0.1.
    pub fn mesaopt_rls_open_from(lsq: *mut mesaopt_lsq, bytes: *const c_void, length: i64, out: *mut *mut mesaopt_rls) -> mesaopt_status;
    /// Keeps a text of the caller's with the state, as mesaopt\_model\_set\_note does with a model. Since
    /// 0.1.
    pub fn mesaopt_rls_set_note(rls: *mut mesaopt_rls, key: *const c_char, text: *const c_char) -> mesaopt_status;
    /// Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works
    /// on it: it goes when nothing uses it any more. MESAOPT\_E\_ARGUMENT: another kind of handle, or freed
    /// before. Since 0.1.
    pub fn mesaopt_rls_free(rls: *mut mesaopt_rls) -> mesaopt_status;
    /// One Philox4x32-10 block: four counter words and two key words in, four random words out. Since 0.1.
    pub fn mesaopt_rng_philox(counter: *const u32, key: *const u32, out: *mut u32) -> mesaopt_status;
    /// Fills \`out\` \[N, ...\] (f32 or f64, strided) with U\[low, high): row i along the first axis is a
    /// pure function of (seed, stream, first + i). Since 0.1.
    pub fn mesaopt_rng_uniform(ctx: *mut mesaopt_ctx, seed: u64, stream: u32, first: u64, low: f64, high: f64, out: *const mesaopt_view) -> mesaopt_status;
    /// Fills \`out\` \[N, ...\] with N(mean, sd^2); rows as in mesaopt\_rng\_uniform. Since 0.1.
    pub fn mesaopt_rng_normal(ctx: *mut mesaopt_ctx, seed: u64, stream: u32, first: u64, mean: f64, sd: f64, out: *const mesaopt_view) -> mesaopt_status;
    /// Fills \`out\` \[N, n, n\] with Haar-distributed orthogonal matrices (QR of a Gaussian, signs fixed
    /// by diag R \> 0). Since 0.1.
    pub fn mesaopt_rng_orthogonal(ctx: *mut mesaopt_ctx, seed: u64, stream: u32, first: u64, out: *const mesaopt_view) -> mesaopt_status;
    /// Creates settings for \`scope\` with every key at its default. \`alloc\` (NULL: malloc and free) is
    /// used for this object, and by the contexts made from it when scope is MESAOPT\_SCOPE\_CTX. The caller
    /// frees \*out. MESAOPT\_E\_ARGUMENT: unknown scope, or NULL out; MESAOPT\_E\_MEMORY. Since 0.1.
    pub fn mesaopt_settings_create(scope: i32, alloc: mesaopt_alloc_fn, user: *mut c_void, out: *mut *mut mesaopt_settings) -> mesaopt_status;
    /// Gives the allocator of these settings a release, or another one (NULL: none): it follows, with the
    /// allocator's \`user\`, when the settings and every context that was or will be made from them have
    /// gone. MESAOPT\_E\_ARGUMENT: a release on settings without an allocator. Since 0.1.
    pub fn mesaopt_settings_set_alloc_release(settings: *mut mesaopt_settings, release: mesaopt_release_fn) -> mesaopt_status;
    /// Frees settings; NULL is fine, and so is any handle, which it leaves alone. Since 0.1.
    pub fn mesaopt_settings_free(settings: *mut mesaopt_settings);
    /// Sets an integer (or choice, by index) key. MESAOPT\_E\_SETTING: unknown key, not of this scope, not
    /// of this type, out of bounds. Since 0.1.
    pub fn mesaopt_settings_set_int(settings: *mut mesaopt_settings, key: i32, value: i64) -> mesaopt_status;
    /// Sets a floating-point key; NaN is refused. Errors as mesaopt\_settings\_set\_int. Since 0.1.
    pub fn mesaopt_settings_set_float(settings: *mut mesaopt_settings, key: i32, value: f64) -> mesaopt_status;
    /// Sets any key from text: mesaopt\_settings\_set\_text(s, "lr", "3e-4"). Numbers use '.', whatever the
    /// locale. Errors as mesaopt\_settings\_set\_int, and unreadable text; an unknown key's text lists the
    /// known ones. Since 0.1.
    pub fn mesaopt_settings_set_text(settings: *mut mesaopt_settings, name: *const c_char, value: *const c_char) -> mesaopt_status;
    /// Reads an integer key, or a choice as its index. Since 0.1.
    pub fn mesaopt_settings_get_int(settings: *const mesaopt_settings, key: i32, out: *mut i64) -> mesaopt_status;
    /// Reads a floating-point key. Since 0.1.
    pub fn mesaopt_settings_get_float(settings: *const mesaopt_settings, key: i32, out: *mut f64) -> mesaopt_status;
    /// Writes the value of a key as the text that mesaopt\_settings\_set\_text takes, at most cap bytes
    /// with the final NUL; returns the bytes the whole text needs, or a negative status. Since 0.1.
    pub fn mesaopt_settings_get_text(settings: *const mesaopt_settings, name: *const c_char, buf: *mut c_char, cap: i64) -> i64;
    /// Scope-independent facts of a key. Each out pointer may be NULL. \`type\` is a MESAOPT\_TYPE\_\*;
    /// lowest and highest are the bounds as double (choice: 0 and the number of words - 1).
    /// MESAOPT\_E\_SETTING: the key does not apply to \`scope\`. Since 0.1.
    pub fn mesaopt_settings_describe(scope: i32, key: i32, type_: *mut i32, lowest: *mut f64, highest: *mut f64, standard: *mut f64) -> mesaopt_status;
    /// Number of keys of \`scope\` (0 for an unknown scope), and the i-th of them (0 when there is none).
    /// Since 0.1.
    pub fn mesaopt_settings_count(scope: i32) -> i32;
    /// Number of keys of \`scope\` (0 for an unknown scope), and the i-th of them (0 when there is none).
    /// Since 0.1.
    pub fn mesaopt_settings_key_at(scope: i32, i: i32) -> i32;
    /// Key number of a name, 0 when unknown; name of a key, NULL when unknown; static storage. Since 0.1.
    pub fn mesaopt_settings_key(name: *const c_char) -> i32;
    /// Key number of a name, 0 when unknown; name of a key, NULL when unknown; static storage. Since 0.1.
    pub fn mesaopt_settings_name(key: i32) -> *const c_char;
    /// i-th word of a choice key, NULL past the last. Static storage. Since 0.1.
    pub fn mesaopt_settings_word(key: i32, i: i32) -> *const c_char;
    /// Writes "name=value name=value ..." with every key of the scope, at most cap bytes with the final
    /// NUL; returns the bytes the whole text needs, or a negative status. The text, split at blanks, sets
    /// an equal object. Since 0.1.
    pub fn mesaopt_settings_dump(settings: *const mesaopt_settings, buf: *mut c_char, cap: i64) -> i64;
    /// Text of the last failure on this object ("" when there was none), at most cap bytes with the final
    /// NUL; returns the bytes the whole text needs, or a negative status. Unchanged by success. Since 0.1.
    pub fn mesaopt_settings_error(settings: *const mesaopt_settings, buf: *mut c_char, cap: i64) -> i64;
    /// Host hooks of a context (scope MESAOPT\_SCOPE\_CTX only): a parallel loop instead of the library's
    /// own threads, a log, and a poll that may stop calls. NULL takes the hook away. \`release\` (may be
    /// NULL) follows when the hook has been replaced or these settings freed, and the last context made
    /// with it has gone. With a host loop the key \`threads\` says how many jobs a loop is handed.
    /// MESAOPT\_E\_ARGUMENT: a release without a hook; MESAOPT\_E\_MEMORY. Since 0.1.
    pub fn mesaopt_settings_set_parallel(settings: *mut mesaopt_settings, parallel: mesaopt_parallel_fn, release: mesaopt_release_fn, user: *mut c_void) -> mesaopt_status;
    /// Host hooks of a context (scope MESAOPT\_SCOPE\_CTX only): a parallel loop instead of the library's
    /// own threads, a log, and a poll that may stop calls. NULL takes the hook away. \`release\` (may be
    /// NULL) follows when the hook has been replaced or these settings freed, and the last context made
    /// with it has gone. With a host loop the key \`threads\` says how many jobs a loop is handed.
    /// MESAOPT\_E\_ARGUMENT: a release without a hook; MESAOPT\_E\_MEMORY. Since 0.1.
    pub fn mesaopt_settings_set_log(settings: *mut mesaopt_settings, log: mesaopt_log_fn, release: mesaopt_release_fn, user: *mut c_void) -> mesaopt_status;
    /// Host hooks of a context (scope MESAOPT\_SCOPE\_CTX only): a parallel loop instead of the library's
    /// own threads, a log, and a poll that may stop calls. NULL takes the hook away. \`release\` (may be
    /// NULL) follows when the hook has been replaced or these settings freed, and the last context made
    /// with it has gone. With a host loop the key \`threads\` says how many jobs a loop is handed.
    /// MESAOPT\_E\_ARGUMENT: a release without a hook; MESAOPT\_E\_MEMORY. Since 0.1.
    pub fn mesaopt_settings_set_poll(settings: *mut mesaopt_settings, poll: mesaopt_poll_fn, release: mesaopt_release_fn, user: *mut c_void) -> mesaopt_status;
    /// Name of a status code, such as "MESAOPT\_E\_SHAPE"; "MESAOPT\_UNKNOWN" for any other number. Never
    /// fails, never NULL, static storage. Since 0.1.
    pub fn mesaopt_status_name(status: mesaopt_status) -> *const c_char;
    /// Version of the library that is running, as MESAOPT\_VERSION: major \* 1000000 + minor \* 1000 +
    /// patch. Since 0.1.
    pub fn mesaopt_version_number() -> i32;
    /// Version of the library that is running, such as "0.1.0". Static storage. Since 0.1.
    pub fn mesaopt_version_text() -> *const c_char;
    /// One line about the build: version, compiler, BLIS version, ISA levels compiled in. Static storage.
    /// Since 0.1.
    pub fn mesaopt_build_info() -> *const c_char;
    /// Value of any constant of the public headers by its name ("MESAOPT\_E\_SHAPE", "MESAOPT\_KEY\_LR",
    /// ...), for callers that cannot read C headers. \`out\` receives the value. MESAOPT\_E\_ARGUMENT when
    /// a pointer is NULL or the name is unknown. Since 0.1.
    pub fn mesaopt_constant(name: *const c_char, out: *mut i64) -> mesaopt_status;
    /// Heads of a block, 0 when it is none of attention. Since 0.1.
    pub fn mesaopt_study_heads(model: *const mesaopt_model, block: i64, heads: *mut i64) -> mesaopt_status;
    /// Attention map of every head of a block: mean over sequences of the weights w\_ts with which the
    /// output of the head at step t sums the values of steps s \<= t, o\_t = sum\_s w\_ts v\_s. linear:
    /// scale q\_t . k\_s; softmax: softmax over s of that; mesa: (beta\_s gamma\_{s+1} .. gamma\_t) k\_s^T
    /// (H\_t + diag l)^-1 q\_t. out \[H, T, T\], f32 or f64, 0 above the diagonal. MESAOPT\_E\_UNSUPPORTED:
    /// the block has no heads; MESAOPT\_NOT\_CONVERGED: see model.h. May be called in a callback. Since
    /// 0.1.
    pub fn mesaopt_study_attention_map(model: *mut mesaopt_model, block: i64, task: *mut mesaopt_task, stream: i32, first: i64, count: i64, out: *const mesaopt_view) -> mesaopt_status;
    /// Sensitivity of the stream to the tokens: mean over sequences and over the features j of the stream
    /// after blocks\[l\] (-1: the tokens) of the norm of d f\_{t,j} / d e\_{t'}, e\_{t'} the token of step
    /// t', f\_t the stream at step t. Exact, by a backward pass for every feature and step. step -1: out
    /// \[layers, T, T\], 0 where t' \> t; step 0 .. T - 1: of that t alone, out \[layers, T\] (of t'), in a
    /// T-th of the time or less. f32 or f64. May be called in a callback. Since 0.1.
    pub fn mesaopt_study_sensitivity(model: *mut mesaopt_model, layers: i64, blocks: *const i64, task: *mut mesaopt_task, stream: i32, first: i64, count: i64, step: i64, out: *const mesaopt_view) -> mesaopt_status;
    /// Creates a generator (scope MESAOPT\_SCOPE\_TASK; NULL: defaults, the fully observed linear task).
    /// \`settings\` is copied. The caller frees \*out. Since 0.1.
    pub fn mesaopt_task_create(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, out: *mut *mut mesaopt_task) -> mesaopt_status;
    /// A task over the user's own sequences \[N, T+1, n\], f32 or f64, finite, N \>= 1, T \>= 1. The task
    /// keeps a counted reference on \`sequences\`; of the settings it uses \`tokens\`, \`slots\` and
    /// \`seed\`. MESAOPT\_E\_NONFINITE names the first bad element. Since 0.1.
    pub fn mesaopt_task_from_tensor(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, sequences: *mut mesaopt_tensor, out: *mut *mut mesaopt_task) -> mesaopt_status;
    /// A task over \`count\` sequences of the user's own, of any lengths: sequences\[i\] is \[T\_i + 1,
    /// n\], f32 or f64, finite, T\_i \>= 1, with one n. T is the largest T\_i; steps behind a sequence's
    /// end have the weight 0, and its observations there are given out as 0. Otherwise as
    /// mesaopt\_task\_from\_tensor; the array of handles is not kept. Since 0.1.
    pub fn mesaopt_task_from_tensors(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, count: i64, sequences: *const *mut mesaopt_tensor, out: *mut *mut mesaopt_task) -> mesaopt_status;
    /// A task over the user's own pairs: inputs and outputs \[N, P, n\], f32 or f64, finite, N \>= 1, P \>=
    /// 1, laid out as regression lays out its own (settings separator, prefix, teachers, which only say
    /// where prefixes stand here, and segment). T is what P pairs take: the last output is the last
    /// observation, or the last input where the end of a segment cuts that pair. The task keeps a counted
    /// reference on both tensors; of the settings it also uses \`tokens\`, \`slots\` and \`seed\`.
    /// MESAOPT\_E\_SHAPE: pairs of unequal number or dimension. Since 0.1.
    pub fn mesaopt_task_from_pairs(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, inputs: *mut mesaopt_tensor, outputs: *mut mesaopt_tensor, out: *mut *mut mesaopt_task) -> mesaopt_status;
    /// A task over \`count\` sequences of the user's own pairs, of any number of pairs: inputs\[i\] and
    /// outputs\[i\] are \[P\_i, n\], f32 or f64, finite, P\_i \>= 1, with one n. T is the largest that P\_i
    /// pairs take; steps behind a sequence's end have the weight 0, and its observations there are given
    /// out as 0. Otherwise as mesaopt\_task\_from\_pairs; the arrays of handles are not kept. Since 0.1.
    pub fn mesaopt_task_from_pair_tensors(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, count: i64, inputs: *const *mut mesaopt_tensor, outputs: *const *mut mesaopt_tensor, out: *mut *mut mesaopt_task) -> mesaopt_status;
    /// A task over a callback that fills batches; \`dim\` and \`length\` of the settings give n and T.
    /// \`release\` (may be NULL) follows when the last user of the task has gone. Since 0.1.
    pub fn mesaopt_task_from_callback(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, fill: mesaopt_sequence_fn, release: mesaopt_release_fn, user: *mut c_void, out: *mut *mut mesaopt_task) -> mesaopt_status;
    /// Sets what step t counts in every loss and score that is taken on the task, of models, trainers,
    /// baselines and probes: weights \[T\], the same for all sequences, or, of own ones, \[N, T\]; f32 or
    /// f64, 0 or 1e-20 to 1e20, one above 0 in each sequence. Copied. A loss is sum of weight \* error /
    /// sum of weights; the error at t the same over sequences, and NaN where none of them is scored. Steps
    /// of weight 0 are neither scored nor trained on; those behind the last scored one of a sequence change
    /// nothing and cost next to nothing. Since 0.1.
    pub fn mesaopt_task_set_weights(task: *mut mesaopt_task, weights: *const mesaopt_view) -> mesaopt_status;
    /// Gives a task whose layout has a separator or a prefix the prompt that it takes them from (a counted
    /// reference is kept; NULL: none): the vectors as they are whenever sequences are drawn. Without one
    /// such a task draws nothing, MESAOPT\_E\_STATE. MESAOPT\_E\_SHAPE: vectors of another dimension, or a
    /// prefix of another length; MESAOPT\_E\_STATE: the layout has neither. A layout without a prefix takes
    /// the separator alone: one prompt serves several layouts. Since 0.1.
    pub fn mesaopt_task_set_prompt(task: *mut mesaopt_task, prompt: *mut mesaopt_prompt) -> mesaopt_status;
    /// n, T, width D of a token, and the number of own sequences (0: endless). Each pointer may be NULL.
    /// Since 0.1.
    pub fn mesaopt_task_shape(task: *const mesaopt_task, dim: *mut i64, length: *mut i64, width: *mut i64, count: *mut i64) -> mesaopt_status;
    /// Writes sequences first .. first + B - 1 of \`stream\` into \`out\` \[B, T+1, n\], f32 or f64. Since
    /// 0.1.
    pub fn mesaopt_task_draw(task: *mut mesaopt_task, stream: i32, first: i64, out: *const mesaopt_view) -> mesaopt_status;
    /// Tokens of given sequences: \[B, T+1, n\] -\> out \[B, T, D\], same dtype. raw: x\_t; constructed:
    /// \[0, x\_t, x\_t, x\_{t-1}\]; slots: \[x\_t, x\_{t-1}, ..., x\_{t-k+1}\]; observations before the
    /// first are 0. Since 0.1.
    pub fn mesaopt_task_tokens(task: *mut mesaopt_task, sequences: *const mesaopt_view, out: *const mesaopt_view) -> mesaopt_status;
    /// What a task makes its next observation of: f(x\_t) of nonlinear, not normalised, of sequences \[B,
    /// T, n\] -\> out \[B, T, n\], same dtype. MESAOPT\_E\_STATE: the task has no features;
    /// MESAOPT\_E\_NONFINITE: \`out\` is not finite. Since 0.1.
    pub fn mesaopt_task_features(task: *mut mesaopt_task, sequences: *const mesaopt_view, out: *const mesaopt_view) -> mesaopt_status;
    /// Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works
    /// on it: it goes when nothing uses it any more. MESAOPT\_E\_ARGUMENT: another kind of handle, or freed
    /// before. Since 0.1.
    pub fn mesaopt_task_free(task: *mut mesaopt_task) -> mesaopt_status;
    /// Fills \*out with a dense row-major view of \`data\`. A convenience: filling the struct by hand is
    /// the same. \`shape\` holds ndim extents. MESAOPT\_E\_ARGUMENT: NULL, unknown dtype, ndim or an extent
    /// out of range, size overflow. Since 0.1.
    pub fn mesaopt_view_dense(data: *mut c_void, dtype: i32, ndim: i32, shape: *const i64, out: *mut mesaopt_view) -> mesaopt_status;
    /// Creates a dense row-major tensor of zeros that owns its memory. The caller frees \*out. Since 0.1.
    pub fn mesaopt_tensor_create(ctx: *mut mesaopt_ctx, dtype: i32, ndim: i32, shape: *const i64, out: *mut *mut mesaopt_tensor) -> mesaopt_status;
    /// Makes a tensor of memory that the host owns, without a copy. \`release(user)\` (may be NULL) is
    /// called once, when the last user of the tensor goes, on whichever thread that is; it is not called on
    /// failure. Since 0.1.
    pub fn mesaopt_tensor_wrap(ctx: *mut mesaopt_ctx, view: *const mesaopt_view, release: mesaopt_release_fn, user: *mut c_void, out: *mut *mut mesaopt_tensor) -> mesaopt_status;
    /// View of the tensor's elements, valid while the tensor lives. Since 0.1.
    pub fn mesaopt_tensor_view(tensor: *const mesaopt_tensor, out: *mut mesaopt_view) -> mesaopt_status;
    /// Copies elements between views of equal shape, converting between f32 and f64 (and from f16 and
    /// bf16); i32 and i64 to their own type only. MESAOPT\_E\_OVERLAP when dst may share elements with src
    /// or with itself. Since 0.1.
    pub fn mesaopt_tensor_copy(ctx: *mut mesaopt_ctx, src: *const mesaopt_view, dst: *const mesaopt_view) -> mesaopt_status;
    /// Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works
    /// on it: it goes when nothing uses it any more. MESAOPT\_E\_ARGUMENT: another kind of handle, or freed
    /// before. Since 0.1.
    pub fn mesaopt_tensor_free(tensor: *mut mesaopt_tensor) -> mesaopt_status;
    /// Creates a trainer over a model and a task (counted references on both; scope
    /// MESAOPT\_SCOPE\_TRAINER, NULL: defaults). Allocates all that steps need. MESAOPT\_E\_SHAPE: the
    /// widths of task and model do not meet. The caller frees \*out. Since 0.1.
    pub fn mesaopt_trainer_create(ctx: *mut mesaopt_ctx, settings: *const mesaopt_settings, model: *mut mesaopt_model, task: *mut mesaopt_task, out: *mut *mut mesaopt_trainer) -> mesaopt_status;
    /// Says what the steps from now on do to all parameters whose names match \`pattern\`:
    /// "blocks.0.query", "blocks.0.\*", "\*.lambda" (\`\*\`: any characters, none too; \`?\`: one).
    /// \`factor\`, 0 to 1e6, multiplies their learning rate, and with it their weight decay; 0 freezes
    /// them: they and their moments keep every bit, and their gradient takes no part in clip\_norm, though
    /// a step's grad\_norm counts it. \`decay\` is a MESAOPT\_DECAY\_\*. Of several patterns that match a
    /// name the latest holds; "\*", 1, MESAOPT\_DECAY\_STANDARD is what a new trainer does. A parameter
    /// that thaws goes on as if the steps it was frozen for had not been. Not in a callback of the trainer
    /// (MESAOPT\_E\_BUSY). Checkpoints hold what was said, for the log of the one that loads them, and how
    /// long parameters were frozen. MESAOPT\_E\_ARGUMENT: no name matches, or a number is out of range.
    /// Since 0.1.
    pub fn mesaopt_trainer_set_parameters(trainer: *mut mesaopt_trainer, pattern: *const c_char, factor: f64, decay: i32) -> mesaopt_status;
    /// One step. \`loss\` may be NULL. MESAOPT\_E\_NONFINITE says at which step and in which tensor;
    /// nothing is changed by a step that fails. MESAOPT\_NOT\_CONVERGED: the step was taken, see model.h.
    /// Allocates nothing. Since 0.1.
    pub fn mesaopt_trainer_step(trainer: *mut mesaopt_trainer, loss: *mut f64) -> mesaopt_status;
    /// Steps until \`steps\` steps in all have been taken, calling \`after\` (may be NULL) after each.
    /// MESAOPT\_STOPPED: the callback or an interrupt ended it early; MESAOPT\_NOT\_CONVERGED: some step
    /// was such a one, the text has the last of them. Since 0.1.
    pub fn mesaopt_trainer_run(trainer: *mut mesaopt_trainer, steps: i64, after: mesaopt_step_fn, user: *mut c_void) -> mesaopt_status;
    /// mesaopt\_model\_evaluate on the first \`count\` sequences of the task's test stream. Since 0.1.
    pub fn mesaopt_trainer_evaluate(trainer: *mut mesaopt_trainer, count: i64, by_t: *const mesaopt_view, loss: *mut f64) -> mesaopt_status;
    /// Steps taken so far, or a negative status. Since 0.1.
    pub fn mesaopt_trainer_steps(trainer: *const mesaopt_trainer) -> i64;
    /// Writes a checkpoint (safetensors): parameters, AdamW moments, step, seeds, settings, what was said
    /// of parameters, ISA level and lanes, as mesaopt\_model\_save writes. MESAOPT\_E\_NONFINITE names the
    /// tensor: no such file would be opened. Since 0.1.
    pub fn mesaopt_trainer_save(trainer: *mut mesaopt_trainer, path: *const c_char) -> mesaopt_status;
    /// The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes
    /// that the file would have. Since 0.1.
    pub fn mesaopt_trainer_save_to(trainer: *mut mesaopt_trainer, write: mesaopt_write_fn, user: *mut c_void) -> mesaopt_status;
    /// Restores a checkpoint of a trainer with the same model blocks on the same task: all or nothing.
    /// MESAOPT\_OTHER\_ISA: restored, but the run will not repeat the other machine's bits.
    /// MESAOPT\_E\_FORMAT: not such a file; the text names what differs. MESAOPT\_E\_SETTING: its sequences
    /// or tokens were made otherwise; the text names the settings of the task that differ (of own sequences
    /// \`data\` stands for their numbers). Other settings of the trainer, and what is said of parameters,
    /// are those of this trainer, and what differs is written to the log of the context. Since 0.1.
    pub fn mesaopt_trainer_load(trainer: *mut mesaopt_trainer, path: *const c_char) -> mesaopt_status;
    /// mesaopt\_trainer\_load for a run that goes on with other data: settings of the task named in
    /// \`change\`, "noise,seed" or "all", may differ; the log says which do. NULL or "": none. Since 0.1.
    pub fn mesaopt_trainer_load_changed(trainer: *mut mesaopt_trainer, path: *const c_char, change: *const c_char) -> mesaopt_status;
    /// mesaopt\_trainer\_load\_changed from the bytes of such a file in memory. Since 0.1.
    pub fn mesaopt_trainer_load_from(trainer: *mut mesaopt_trainer, bytes: *const c_void, length: i64, change: *const c_char) -> mesaopt_status;
    /// Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works
    /// on it: it goes when nothing uses it any more. MESAOPT\_E\_ARGUMENT: another kind of handle, or freed
    /// before. Since 0.1.
    pub fn mesaopt_trainer_free(trainer: *mut mesaopt_trainer) -> mesaopt_status;
}

#[test]
fn layout_of_mesaopt_view() {
    let s: mesaopt_view = unsafe { std::mem::zeroed() };
    let base = std::ptr::addr_of!(s) as usize;
    assert_eq!(std::ptr::addr_of!(s.data) as usize - base, 0);
    assert_eq!(std::ptr::addr_of!(s.shape) as usize - base, 8);
    assert_eq!(std::ptr::addr_of!(s.stride) as usize - base, 56);
    assert_eq!(std::ptr::addr_of!(s.ndim) as usize - base, 104);
    assert_eq!(std::ptr::addr_of!(s.dtype) as usize - base, 108);
    assert_eq!(std::ptr::addr_of!(s.flags) as usize - base, 112);
    assert_eq!(std::ptr::addr_of!(s.reserved) as usize - base, 116);
}

#[test]
fn layout_of_mesaopt_step() {
    let s: mesaopt_step = unsafe { std::mem::zeroed() };
    let base = std::ptr::addr_of!(s) as usize;
    assert_eq!(std::ptr::addr_of!(s.struct_size) as usize - base, 0);
    assert_eq!(std::ptr::addr_of!(s.step) as usize - base, 8);
    assert_eq!(std::ptr::addr_of!(s.loss) as usize - base, 16);
    assert_eq!(std::ptr::addr_of!(s.lr) as usize - base, 24);
    assert_eq!(std::ptr::addr_of!(s.grad_norm) as usize - base, 32);
}
