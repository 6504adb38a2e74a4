"""Every function of the library, generated from its headers by bindings/generate.py: not to be edited (make bindings).

Arguments are converted by what the headers say of them (docs/annotations.md): arrays are NumPy arrays or anything with
__dlpack__, written ones are filled in place, counts are the lengths of lists, what C writes through pointers is returned.
A status below 0 is raised as mesaopt.Error. The classes of the package are made of these functions.
"""
from __future__ import annotations

import ctypes as c
from typing import Callable, Sequence

import numpy as np

from ._core import *
from ._core import Array, SettingsLike                   # for those who check types

VERSION_TEXT = '0.1.0'

# lsq
LSQ_BETA = 1
LSQ_LOG_GAMMA = 2
LSQ_RIDGE = 3
LSQ_H0 = 4
LSQ_S0 = 5
LSQ_OFFSETS = 6
LSQ_H_LAST = 7
LSQ_S_LAST = 8
LSQ_SOLUTION = 9
LSQ_RESIDUAL = 10
LSQ_ITERATIONS = 11
LSQ_CONDITION = 12
LSQ_D_H_LAST = 13
LSQ_D_S_LAST = 14
LSQ_D_BETA = 15
LSQ_D_LOG_GAMMA = 16
LSQ_D_RIDGE = 17
LSQ_D_H0 = 18
LSQ_D_S0 = 19

# probe
PROBE_TRAIN = 0
PROBE_TEST = 1

# revalg
REVALG_LOGITS = 0
REVALG_VALUES = 1
REVALG_WEIGHT = 2

# rls
RLS_KEY_STATE = 1
RLS_VALUE_STATE = 2
RLS_WEIGHT = 3
RLS_SQUARES = 4
RLS_ROWS = 5
RLS_RESIDUAL = 6
RLS_MISSING = 7

# scope
SCOPE_CTX = 1
SCOPE_TASK = 2
SCOPE_MODEL = 3
SCOPE_TRAINER = 4
SCOPE_BASELINE = 5
SCOPE_LINEAR = 6
SCOPE_SOFTMAX = 7
SCOPE_DENSE = 8
SCOPE_MASK = 9
SCOPE_LSQ = 10
SCOPE_MESA = 11
SCOPE_PROBE = 12
SCOPE_MLP = 13
SCOPE_NORM = 14
SCOPE_DECODER = 15
SCOPE_PROMPT = 16

# key
KEY_THREADS = 1
KEY_ISA = 2
KEY_SEED = 10
KEY_DTYPE = 11
KEY_LANES = 12
KEY_TASK = 20
KEY_DIM = 21
KEY_LENGTH = 22
KEY_NOISE = 23
KEY_DATA_CLIP = 24
KEY_TOKENS = 25
KEY_SLOTS = 26
KEY_HIDDEN = 27
KEY_MAP_SD = 28
KEY_START = 29
KEY_OBSERVATION_NOISE = 30
KEY_SEPARATOR = 31
KEY_PREFIX = 32
KEY_TEACHERS = 33
KEY_SEGMENT = 34
KEY_INPUTS = 40
KEY_OUTPUTS = 41
KEY_HEADS = 42
KEY_KEY = 43
KEY_VALUE = 44
KEY_INIT_SD = 45
KEY_RESIDUAL_CLIP = 46
KEY_PE = 47
KEY_SCALE = 48
KEY_CHUNK = 49
KEY_FIRST = 50
KEY_GATES = 51
KEY_RIDGES = 52
KEY_RIDGE_MIN = 53
KEY_QK_NORM = 54
KEY_ACT = 55
KEY_OUTPUT_INIT = 56
KEY_NORM = 57
KEY_NORM_EPSILON = 58
KEY_KIND = 59
KEY_BATCH = 60
KEY_LR = 61
KEY_WARMUP = 62
KEY_COSINE_STEPS = 63
KEY_LR_END = 64
KEY_WEIGHT_DECAY = 65
KEY_BETA1 = 66
KEY_BETA2 = 67
KEY_EPSILON = 68
KEY_CLIP_VALUE = 69
KEY_CLIP_NORM = 70
KEY_BASELINE = 80
KEY_ETA = 81
KEY_RIDGE = 82
KEY_NEWEST_PAIR = 83
KEY_SOLVER = 100
KEY_TOLERANCE = 101
KEY_FALLBACK = 103
KEY_WINDOW = 102
KEY_GAMMA = 104
KEY_MISSING = 105
KEY_INTERCEPT = 140
KEY_PENALTY = 141
KEY_RCOND = 142
KEY_ERROR = 143
KEY_LAG = 144
KEY_LAGS = 145
KEY_FILTER = 146
KEY_TARGET = 147
KEY_BETA = 160
KEY_ITERATIONS = 161
KEY_DIVISOR = 162
KEY_SPACE = 163
KEY_PAIRS = 164
KEY_BIAS = 180
KEY_POSITIONS = 181
KEY_LONGEST = 182
KEY_STREAMS = 200
KEY_CAPACITY = 201

# type
TYPE_INT = 1
TYPE_FLOAT = 2
TYPE_CHOICE = 3

# version
VERSION_MAJOR = 0
VERSION_MINOR = 1
VERSION_PATCH = 0
VERSION = 1000

# status
OK = 0
STOPPED = 1
NOT_CONVERGED = 2
OTHER_ISA = 3
AT_BOUND = 4
E_ARGUMENT = -1
E_SHAPE = -2
E_DTYPE = -3
E_OVERLAP = -4
E_SETTING = -5
E_MEMORY = -6
E_BUSY = -7
E_STATE = -8
E_NONFINITE = -9
E_IO = -10
E_FORMAT = -11
E_INTERRUPTED = -12
E_UNSUPPORTED = -13
E_SOURCE = -14

# dtype
F32 = 1
F64 = 2
I32 = 3
I64 = 4
F16 = 5
BF16 = 6
BOOL = 7

# isa
ISA_AUTO = 0
ISA_BASELINE = 1
ISA_AVX2 = 2
ISA_AVX512 = 3

# stream
STREAM_TRAIN = 0
STREAM_TEST = 1
STREAM_SEARCH = 2

# max
MAX_RANK = 6

# view
VIEW_READONLY = 1

# decay
DECAY_STANDARD = 0
DECAY_OFF = 1
DECAY_ON = 2


SCOPES = {
    "ctx": (1, {
        "threads": ('int', 1, None, "threads: int, jobs that may run at once, the caller's included"),
        "isa": ('choice', 0, ['auto', 'baseline', 'avx2', 'avx512'], 'isa: auto, baseline, avx2, avx512'),
    }),
    "task": (2, {
        "seed": ('int', 0, None, 'seed: int >= 0 (task, model)'),
        "task": ('choice', 0, ['linear', 'contracting', 'fixed_teacher', 'partial', 'nonlinear', 'regression'], 'task: what is drawn, task.h'),
        "dim": ('int', 10, None, 'dim: n, observation dimension'),
        "length": ('int', 50, None, 'length: T, inputs per sequence; T + 1 observations are drawn'),
        "noise": ('float', 0.01, None, 'noise: standard deviation of the state noise'),
        "data_clip": ('float', 0, None, "data_clip: observations are clipped to +- this inside the recursion; 0: the task's own"),
        "tokens": ('choice', 1, ['raw', 'constructed', 'slots'], 'tokens: raw, constructed, slots'),
        "slots": ('int', 16, None, 'slots: k of tokens=slots, and of space=slots: observations beside each other, newest first'),
        "hidden": ('int', 0, None, "hidden: numbers of the state that partial hides (0, the default: 15), hidden units of nonlinear's MLP (0: 4 dim); of a block mlp, default 160"),
        "map_sd": ('float', 0, None, "map_sd: standard deviation of what is drawn once more: the entries of C of partial, of A and B of nonlinear; 0: the task's own"),
        "start": ('float', 0, None, "start: x_1 is uniform in [-start, start]; 0: the task's own"),
        "observation_noise": ('float', 0.01, None, 'observation_noise: standard deviation of the noise that partial adds to what it shows of its state'),
        "separator": ('int', 0, None, 'separator: of pairs (regression, own pairs), 1 puts the separator of a prompt behind each'),
        "prefix": ('int', 0, None, 'prefix: vectors of a prompt before the pairs of every teacher; of a prompt: how many it has'),
        "teachers": ('int', 1, None, 'teachers: maps W of a sequence of pairs, one after the other'),
        "segment": ('int', 0, None, 'segment: observations of every teacher but the last, its prefix among them'),
    }),
    "model": (3, {
        "seed": ('int', 0, None, 'seed: int >= 0 (task, model)'),
        "dtype": ('choice', 0, ['f32', 'f64'], 'dtype: f32, f64 (model)'),
        "lanes": ('int', 0, None, 'lanes: 0 by shapes, 1 one sequence at a time, 2 one per vector lane (model, attention, lsq, probe: regressions)'),
        "inputs": ('int', 40, None, 'inputs: width of the tokens that the first block receives'),
        "outputs": ('int', 10, None, 'outputs: n, the prediction is the first n features of the last block (dense: its width)'),
    }),
    "trainer": (4, {
        "batch": ('int', 256, None, 'batch: sequences per step'),
        "lr": ('float', 0.0001, None, 'lr: learning rate, the peak when there is a schedule'),
        "warmup": ('int', 1000, None, 'warmup: steps of linear warm-up (with cosine_steps > 0)'),
        "cosine_steps": ('int', 0, None, 'cosine_steps: step at which the cosine reaches lr_end; 0: fixed learning rate'),
        "lr_end": ('float', 1e-05, None, 'lr_end: learning rate behind the cosine'),
        "weight_decay": ('float', 0.1, None, 'weight_decay: decoupled, multiplied by the learning rate'),
        "beta1": ('float', 0.9, None, 'beta1: decay of the first moment of AdamW'),
        "beta2": ('float', 0.999, None, 'beta2: decay of the second moment'),
        "epsilon": ('float', 1e-08, None, 'epsilon: of AdamW'),
        "clip_value": ('float', 1, None, 'clip_value: element-wise gradient clip to +- this; 0: none'),
        "clip_norm": ('float', 0, None, 'clip_norm: global-norm gradient clip; 0: none'),
    }),
    "baseline": (5, {
        "batch": ('int', 256, None, 'batch: sequences per step'),
        "lr_end": ('float', 1e-05, None, 'lr_end: learning rate behind the cosine'),
        "beta1": ('float', 0.9, None, 'beta1: decay of the first moment of AdamW'),
        "beta2": ('float', 0.999, None, 'beta2: decay of the second moment'),
        "epsilon": ('float', 1e-08, None, 'epsilon: of AdamW'),
        "clip_value": ('float', 1, None, 'clip_value: element-wise gradient clip to +- this; 0: none'),
        "clip_norm": ('float', 0, None, 'clip_norm: global-norm gradient clip; 0: none'),
        "baseline": ('choice', 0, ['gd', 'lsq', 'kernel', 'neumann', 'newton', 'richardson', 'chebyshev'], 'baseline: what predicts, baseline.h; default gd'),
        "eta": ('float', 0.032, None, 'eta: step size of gd; default 0.032'),
        "ridge": ('float', 0.001, None, 'ridge: of the baseline lsq and the preconditioners, default 0.001; least squares: of every key channel when there is no operand for it, default 1'),
        "newest_pair": ('int', 1, None, 'newest_pair: 1, the default, uses the pairs up to (x_{t-1}, x_t), 0 leaves the newest out, as the paper does'),
        "beta": ('float', 1, None, 'beta: factor of the inner products in the softmax of kernel; default 1'),
        "iterations": ('int', 0, None, 'iterations: K, steps of gd or of a preconditioner; 0, the default: 1 for gd, 6 for the others; least squares: at most so many per row; 0, the default: by key dimension'),
        "divisor": ('float', 0, None, 'divisor: c, which neumann, richardson and chebyshev divide A_t by; 0, the default: its Frobenius norm'),
        "lr": ('float', 0.0003, None, 'lr: learning rate, the peak when there is a schedule'),
        "warmup": ('int', 500, None, 'warmup: steps of linear warm-up (with cosine_steps > 0)'),
        "cosine_steps": ('int', 40000, None, 'cosine_steps: step at which the cosine reaches lr_end; 0: fixed learning rate'),
        "weight_decay": ('float', 0.05, None, 'weight_decay: decoupled, multiplied by the learning rate'),
        "space": ('choice', 0, ['observations', 'slots', 'features'], 'space: what a baseline regresses x_{t+1} on: observations, x_t; slots, the last `slots` of them; features, those of the task, to length 1'),
        "slots": ('int', 16, None, 'slots: k of tokens=slots, and of space=slots: observations beside each other, newest first'),
        "pairs": ('choice', 0, ['all', 'scored'], 'pairs: that a baseline learns from: all; scored, those of the steps whose weight is above 0'),
    }),
    "linear": (6, {
        "lanes": ('int', 0, None, 'lanes: 0 by shapes, 1 one sequence at a time, 2 one per vector lane (model, attention, lsq, probe: regressions)'),
        "heads": ('int', 4, None, 'heads: of attention, beside each other in a layer'),
        "key": ('int', 20, None, 'key: key and query dimension of a head'),
        "value": ('int', 0, None, 'value: value dimension of a head; 0: as key'),
        "init_sd": ('float', 0.0002, None, 'init_sd: standard deviation of the initial weights'),
        "residual_clip": ('float', 0, None, 'residual_clip: the residual stream is clipped to +- this after the layer; 0: not'),
        "pe": ('choice', 0, ['none', 'qk', 'add'], 'pe: none; qk: positions beside the input of W_q and W_k (attention, mesa); add: positions are added to the stream that the block sees'),
        "scale": ('float', 0, None, 'scale: factor of the logits; 0: 1 for linear, 1/sqrt(key) for softmax'),
        "chunk": ('int', 0, None, 'chunk: rows per chunk of the attention products; 0: by shapes'),
        "qk_norm": ('int', 0, None, 'qk_norm: 1: queries and keys of every head are scaled to length 1; one of zeros stays'),
        "output_init": ('float', 1, None, 'output_init: factor of init_sd for the weights by which a residual block adds to the stream (output, down)'),
        "norm": ('choice', 0, ['none', 'layer', 'rms'], "norm: what a residual block's function is given: none, the stream as it is; layer, rms: every token normalised"),
        "norm_epsilon": ('float', 1e-05, None, 'norm_epsilon: what normalisation adds to the mean square'),
        "positions": ('choice', 0, ['sinusoidal', 'learned'], 'positions: of pe: sinusoidal; learned, a row a step'),
        "longest": ('int', 1024, None, 'longest: rows of positions=learned; longer sequences are refused'),
    }),
    "softmax": (7, {
        "lanes": ('int', 0, None, 'lanes: 0 by shapes, 1 one sequence at a time, 2 one per vector lane (model, attention, lsq, probe: regressions)'),
        "heads": ('int', 4, None, 'heads: of attention, beside each other in a layer'),
        "key": ('int', 20, None, 'key: key and query dimension of a head'),
        "value": ('int', 0, None, 'value: value dimension of a head; 0: as key'),
        "init_sd": ('float', 0.05, None, 'init_sd: standard deviation of the initial weights'),
        "residual_clip": ('float', 0, None, 'residual_clip: the residual stream is clipped to +- this after the layer; 0: not'),
        "pe": ('choice', 0, ['none', 'qk', 'add'], 'pe: none; qk: positions beside the input of W_q and W_k (attention, mesa); add: positions are added to the stream that the block sees'),
        "scale": ('float', 0, None, 'scale: factor of the logits; 0: 1 for linear, 1/sqrt(key) for softmax'),
        "chunk": ('int', 0, None, 'chunk: rows per chunk of the attention products; 0: by shapes'),
        "qk_norm": ('int', 0, None, 'qk_norm: 1: queries and keys of every head are scaled to length 1; one of zeros stays'),
        "output_init": ('float', 1, None, 'output_init: factor of init_sd for the weights by which a residual block adds to the stream (output, down)'),
        "norm": ('choice', 0, ['none', 'layer', 'rms'], "norm: what a residual block's function is given: none, the stream as it is; layer, rms: every token normalised"),
        "norm_epsilon": ('float', 1e-05, None, 'norm_epsilon: what normalisation adds to the mean square'),
        "positions": ('choice', 0, ['sinusoidal', 'learned'], 'positions: of pe: sinusoidal; learned, a row a step'),
        "longest": ('int', 1024, None, 'longest: rows of positions=learned; longer sequences are refused'),
    }),
    "dense": (8, {
        "outputs": ('int', 40, None, 'outputs: n, the prediction is the first n features of the last block (dense: its width)'),
        "init_sd": ('float', 0.05, None, 'init_sd: standard deviation of the initial weights'),
        "bias": ('int', 0, None, 'bias: 1 adds a learned row to the output (dense)'),
    }),
    "mask": (9, {
        "first": ('int', 0, None, 'first: mask(first=F) zeroes features 0..F-1'),
    }),
    "lsq": (10, {
        "lanes": ('int', 0, None, 'lanes: 0 by shapes, 1 one sequence at a time, 2 one per vector lane (model, attention, lsq, probe: regressions)'),
        "chunk": ('int', 0, None, 'chunk: rows per chunk of the attention products; 0: by shapes'),
        "solver": ('choice', 0, ['auto', 'cholesky', 'sherman_morrison', 'cg', 'cg_diag', 'cg_chunk', 'neumann', 'segments'], 'solver: auto (the default), cholesky, sherman_morrison (refused with forgetting), cg, cg_diag, cg_chunk, neumann, segments'),
        "tolerance": ('float', 0, None, 'tolerance: of iterative solvers, residual over right-hand side per row; 0, the default: by element type'),
        "iterations": ('int', 0, None, 'iterations: K, steps of gd or of a preconditioner; 0, the default: 1 for gd, 6 for the others; least squares: at most so many per row; 0, the default: by key dimension'),
        "fallback": ('int', 1, None, 'fallback: 1, the default, solves rows that did not converge by Cholesky, 0 leaves them as they are'),
        "ridge": ('float', 1, None, 'ridge: of the baseline lsq and the preconditioners, default 0.001; least squares: of every key channel when there is no operand for it, default 1'),
        "gamma": ('float', 1, None, 'gamma: forgetting factor of every step when there is no operand for it; default 1, nothing is forgotten'),
        "window": ('int', 0, None, 'window: of a mesaopt_rls, only the last so many rows count; 0, the default: all'),
        "missing": ('choice', 0, ['refuse', 'output'], 'missing: of a mesaopt_rls, values that are NaN: refuse, the default, or output, which leaves that output alone out of the row'),
    }),
    "mesa": (11, {
        "heads": ('int', 4, None, 'heads: of attention, beside each other in a layer'),
        "key": ('int', 20, None, 'key: key and query dimension of a head'),
        "value": ('int', 0, None, 'value: value dimension of a head; 0: as key'),
        "init_sd": ('float', 0.0002, None, 'init_sd: standard deviation of the initial weights'),
        "residual_clip": ('float', 0, None, 'residual_clip: the residual stream is clipped to +- this after the layer; 0: not'),
        "pe": ('choice', 0, ['none', 'qk', 'add'], 'pe: none; qk: positions beside the input of W_q and W_k (attention, mesa); add: positions are added to the stream that the block sees'),
        "chunk": ('int', 0, None, 'chunk: rows per chunk of the attention products; 0: by shapes'),
        "gates": ('choice', 0, ['none', 'sigmoid'], 'gates: none; sigmoid: input and forget gate from the token, one of each per head (mesa)'),
        "ridges": ('choice', 0, ['head', 'channel'], 'ridges: head: 1 / lambda, one learned lambda per head; channel: ridge_min + softplus, one per head and channel (mesa)'),
        "ridge_min": ('float', 0.25, None, 'ridge_min: lower bound of ridges=channel (mesa)'),
        "qk_norm": ('int', 0, None, 'qk_norm: 1: queries and keys of every head are scaled to length 1; one of zeros stays'),
        "solver": ('choice', 0, ['auto', 'cholesky', 'sherman_morrison', 'cg', 'cg_diag', 'cg_chunk', 'neumann', 'segments'], 'solver: auto (the default), cholesky, sherman_morrison (refused with forgetting), cg, cg_diag, cg_chunk, neumann, segments'),
        "output_init": ('float', 1, None, 'output_init: factor of init_sd for the weights by which a residual block adds to the stream (output, down)'),
        "norm": ('choice', 0, ['none', 'layer', 'rms'], "norm: what a residual block's function is given: none, the stream as it is; layer, rms: every token normalised"),
        "norm_epsilon": ('float', 1e-05, None, 'norm_epsilon: what normalisation adds to the mean square'),
        "positions": ('choice', 0, ['sinusoidal', 'learned'], 'positions: of pe: sinusoidal; learned, a row a step'),
        "longest": ('int', 1024, None, 'longest: rows of positions=learned; longer sequences are refused'),
    }),
    "probe": (12, {
        "lanes": ('int', 0, None, 'lanes: 0 by shapes, 1 one sequence at a time, 2 one per vector lane (model, attention, lsq, probe: regressions)'),
        "intercept": ('int', 0, None, 'intercept: 1 fits a constant as well'),
        "penalty": ('float', 0, None, 'penalty: of the squared weights (not of the intercept); 0: least squares'),
        "rcond": ('float', 0, None, 'rcond: singular values up to this times the largest count as 0; 0: 2^-52 max(sequences, features)'),
        "error": ('choice', 0, ['half_sum', 'mean'], 'error: half_sum: half the sum of squares over targets; mean: their mean'),
        "lag": ('int', -1, None, 'lag: the targets are x_{t-lag} and older ones; -1: the next observation'),
        "lags": ('int', 1, None, 'lags: observations that are targets, one after the other'),
        "filter": ('float', 0, None, "filter: z-score of the target's norm from which mesaopt_probe_feed_model leaves a sequence out; 0: none"),
        "target": ('choice', 0, ['observations', 'features', 'unit_features'], 'target: what the targets are of an observation x: it itself (observations), or of a task that has them its features f(x) or f(x) / |f(x)| (unit_features)'),
    }),
    "mlp": (13, {
        "hidden": ('int', 160, None, "hidden: numbers of the state that partial hides (0, the default: 15), hidden units of nonlinear's MLP (0: 4 dim); of a block mlp, default 160"),
        "act": ('choice', 0, ['gelu', 'gelu_tanh', 'relu', 'silu'], 'act: activation of the hidden units (mlp): gelu, with the normal distribution function; gelu_tanh; relu; silu'),
        "init_sd": ('float', 0.05, None, 'init_sd: standard deviation of the initial weights'),
        "residual_clip": ('float', 0, None, 'residual_clip: the residual stream is clipped to +- this after the layer; 0: not'),
        "pe": ('choice', 0, ['none', 'qk', 'add'], 'pe: none; qk: positions beside the input of W_q and W_k (attention, mesa); add: positions are added to the stream that the block sees'),
        "output_init": ('float', 1, None, 'output_init: factor of init_sd for the weights by which a residual block adds to the stream (output, down)'),
        "norm": ('choice', 0, ['none', 'layer', 'rms'], "norm: what a residual block's function is given: none, the stream as it is; layer, rms: every token normalised"),
        "norm_epsilon": ('float', 1e-05, None, 'norm_epsilon: what normalisation adds to the mean square'),
        "positions": ('choice', 0, ['sinusoidal', 'learned'], 'positions: of pe: sinusoidal; learned, a row a step'),
        "longest": ('int', 1024, None, 'longest: rows of positions=learned; longer sequences are refused'),
    }),
    "norm": (14, {
        "kind": ('choice', 0, ['layer', 'rms'], 'kind: of a block norm: layer, to mean 0 and mean square 1, with gain and bias; rms, to mean square 1, with gain'),
        "norm_epsilon": ('float', 1e-05, None, 'norm_epsilon: what normalisation adds to the mean square'),
    }),
    "decoder": (15, {
        "streams": ('int', 1, None, 'streams: sequences side by side'),
        "capacity": ('int', 1024, None, 'capacity: tokens of a stream that softmax attention keeps keys and values of'),
    }),
    "prompt": (16, {
        "seed": ('int', 0, None, 'seed: int >= 0 (task, model)'),
        "dim": ('int', 10, None, 'dim: n, observation dimension'),
        "prefix": ('int', 20, None, 'prefix: vectors of a prompt before the pairs of every teacher; of a prompt: how many it has'),
        "init_sd": ('float', 1, None, 'init_sd: standard deviation of the initial weights'),
        "batch": ('int', 128, None, 'batch: sequences per step'),
        "lr": ('float', 0.001, None, 'lr: learning rate, the peak when there is a schedule'),
        "warmup": ('int', 0, None, 'warmup: steps of linear warm-up (with cosine_steps > 0)'),
        "cosine_steps": ('int', 0, None, 'cosine_steps: step at which the cosine reaches lr_end; 0: fixed learning rate'),
        "lr_end": ('float', 1e-05, None, 'lr_end: learning rate behind the cosine'),
        "weight_decay": ('float', 0, None, 'weight_decay: decoupled, multiplied by the learning rate'),
        "beta1": ('float', 0.9, None, 'beta1: decay of the first moment of AdamW'),
        "beta2": ('float', 0.999, None, 'beta2: decay of the second moment'),
        "epsilon": ('float', 1e-08, None, 'epsilon: of AdamW'),
        "clip_value": ('float', 1, None, 'clip_value: element-wise gradient clip to +- this; 0: none'),
        "clip_norm": ('float', 0, None, 'clip_norm: global-norm gradient clip; 0: none'),
    }),
}

BLOCKS = ('linear', 'softmax', 'mesa', 'dense', 'mask', 'mlp', 'norm')


class View(c.Structure):
    _fields_ = [("data", c.c_void_p), ("shape", c.c_int64 * 6), ("stride", c.c_int64 * 6), ("ndim", c.c_int32), ("dtype", c.c_int32), ("flags", c.c_uint32), ("reserved", c.c_uint32)]    # 120 bytes


class Step(c.Structure):
    _fields_ = [("struct_size", c.c_int64), ("step", c.c_int64), ("loss", c.c_double), ("lr", c.c_double), ("grad_norm", c.c_double)]    # 40 bytes


LOSS_FN = Callback('mesaopt_loss_fn', c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_void_p), [('number', 'out'), ('user', 'in')])
TARGET_FN = Callback('mesaopt_target_fn', c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_void_p, c.c_void_p), [('view', 'in'), ('view', 'out'), ('user', 'in')])
RELEASE_FN = Callback('mesaopt_release_fn', c.CFUNCTYPE(None, c.c_void_p), [('user', 'in')])
ALLOC_FN = Callback('mesaopt_alloc_fn', c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_int64, c.c_int64, c.c_void_p), [('memory', 'in'), ('value', 'in'), ('value', 'in'), ('user', 'in')])
PARALLEL_FN = Callback('mesaopt_parallel_fn', c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p), [('callback', 'in'), ('user', 'in'), ('value', 'in'), ('user', 'in')])
LOG_FN = Callback('mesaopt_log_fn', c.CFUNCTYPE(None, c.c_char_p, c.c_void_p), [('text', 'in'), ('user', 'in')])
POLL_FN = Callback('mesaopt_poll_fn', c.CFUNCTYPE(c.c_int32, c.c_void_p), [('user', 'in')])
SEQUENCE_FN = Callback('mesaopt_sequence_fn', c.CFUNCTYPE(c.c_int32, c.c_int32, c.c_int64, c.c_void_p, c.c_void_p), [('value', 'in'), ('value', 'in'), ('view', 'out'), ('user', 'in')])
WRITE_FN = Callback('mesaopt_write_fn', c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_int64, c.c_void_p), [('bytes', 'in'), ('count', 'in'), ('user', 'in')])
STEP_FN = Callback('mesaopt_step_fn', c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_void_p), [('struct', 'in'), ('user', 'in')])

PROTOTYPES = [
    ('mesaopt_attn_create', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_attn_workspace', c.c_int32, [c.c_void_p, c.c_int32, c.c_int64, c.c_int64, c.c_int64, c.c_int64, c.c_int64, c.c_void_p]),
    ('mesaopt_attn_forward', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_attn_backward', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_attn_free', c.c_int32, [c.c_void_p]),
    ('mesaopt_baseline_create', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_baseline_predict', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_baseline_set_task', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_baseline_precondition', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_baseline_coefficients', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_baseline_train', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_baseline_updates', c.c_int64, [c.c_void_p]),
    ('mesaopt_baseline_evaluate', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int32, c.c_int64, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_baseline_search', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p]),
    ('mesaopt_baseline_free', c.c_int32, [c.c_void_p]),
    ('mesaopt_ctx_create', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_ctx_free', c.c_int32, [c.c_void_p]),
    ('mesaopt_ctx_error', c.c_int64, [c.c_void_p, c.c_void_p, c.c_int64]),
    ('mesaopt_ctx_interrupt', None, [c.c_void_p]),
    ('mesaopt_ctx_clear_interrupt', c.c_int32, [c.c_void_p]),
    ('mesaopt_ctx_isa', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_decoder_create', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_decoder_bytes', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_decoder_step', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_decoder_reset', c.c_int32, [c.c_void_p, c.c_int64]),
    ('mesaopt_decoder_copy', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_decoder_steps', c.c_int64, [c.c_void_p, c.c_int64]),
    ('mesaopt_decoder_save', c.c_int32, [c.c_void_p, c.c_char_p]),
    ('mesaopt_decoder_save_to', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_decoder_open', c.c_int32, [c.c_void_p, c.c_void_p, c.c_char_p, c.c_void_p]),
    ('mesaopt_decoder_open_from', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p]),
    ('mesaopt_decoder_set_note', c.c_int32, [c.c_void_p, c.c_char_p, c.c_char_p]),
    ('mesaopt_decoder_free', c.c_int32, [c.c_void_p]),
    ('mesaopt_dlpack_view', c.c_int32, [c.c_void_p, c.c_int32, c.c_void_p]),
    ('mesaopt_dlpack_import', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int32, c.c_void_p]),
    ('mesaopt_dlpack_export', c.c_int32, [c.c_void_p, c.c_int32, c.c_void_p]),
    ('mesaopt_grad_check', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_double, c.c_void_p]),
    ('mesaopt_linearise_create', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_linearise_run', c.c_int32, [c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_linearise_steps', c.c_int64, [c.c_void_p]),
    ('mesaopt_linearise_evaluate', c.c_int32, [c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_linearise_model', c.c_int32, [c.c_void_p, c.c_int64, c.c_void_p]),
    ('mesaopt_linearise_block', c.c_int32, [c.c_void_p, c.c_int64, c.c_void_p]),
    ('mesaopt_linearise_free', c.c_int32, [c.c_void_p]),
    ('mesaopt_lsq_plan', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int64, c.c_int64, c.c_void_p]),
    ('mesaopt_lsq_shape', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_lsq_workspace', c.c_int32, [c.c_void_p, c.c_int32, c.c_int64, c.c_int64, c.c_int64, c.c_int64, c.c_int32, c.c_void_p]),
    ('mesaopt_lsq_forward', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_lsq_adjoint', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_lsq_free', c.c_int32, [c.c_void_p]),
    ('mesaopt_model_create', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_model_add', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_model_add_text', c.c_int32, [c.c_void_p, c.c_char_p]),
    ('mesaopt_model_text', c.c_int64, [c.c_void_p, c.c_void_p, c.c_int64]),
    ('mesaopt_model_shape', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_model_blocks', c.c_int64, [c.c_void_p]),
    ('mesaopt_model_width', c.c_int32, [c.c_void_p, c.c_int64, c.c_void_p]),
    ('mesaopt_model_parameters', c.c_int64, [c.c_void_p]),
    ('mesaopt_model_parameter_name', c.c_char_p, [c.c_void_p, c.c_int64]),
    ('mesaopt_model_parameter', c.c_int32, [c.c_void_p, c.c_char_p, c.c_void_p]),
    ('mesaopt_model_parameter_gradient', c.c_int32, [c.c_void_p, c.c_char_p, c.c_void_p]),
    ('mesaopt_model_initialise', c.c_int32, [c.c_void_p, c.c_int64]),
    ('mesaopt_model_workspace', c.c_int32, [c.c_void_p, c.c_int64, c.c_int64, c.c_int32, c.c_void_p]),
    ('mesaopt_model_forward', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_model_activations', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_model_loss', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_model_gradient', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_model_backward', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_model_evaluate', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int32, c.c_int64, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_model_save', c.c_int32, [c.c_void_p, c.c_char_p]),
    ('mesaopt_model_save_to', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_model_load', c.c_int32, [c.c_void_p, c.c_char_p]),
    ('mesaopt_model_load_from', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int64]),
    ('mesaopt_model_set_note', c.c_int32, [c.c_void_p, c.c_char_p, c.c_char_p]),
    ('mesaopt_file_note', c.c_int64, [c.c_void_p, c.c_char_p, c.c_char_p, c.c_void_p, c.c_int64]),
    ('mesaopt_file_note_from', c.c_int64, [c.c_void_p, c.c_void_p, c.c_int64, c.c_char_p, c.c_void_p, c.c_int64]),
    ('mesaopt_model_import', c.c_int32, [c.c_void_p, c.c_void_p, c.c_char_p, c.c_int64, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_model_import_file', c.c_int32, [c.c_void_p, c.c_void_p, c.c_char_p, c.c_char_p, c.c_void_p]),
    ('mesaopt_model_import_from', c.c_int32, [c.c_void_p, c.c_void_p, c.c_char_p, c.c_void_p, c.c_int64, c.c_void_p]),
    ('mesaopt_model_open', c.c_int32, [c.c_void_p, c.c_char_p, c.c_void_p]),
    ('mesaopt_model_open_from', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p]),
    ('mesaopt_model_free', c.c_int32, [c.c_void_p]),
    ('mesaopt_probe_plan', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p, c.c_int64, c.c_int64, c.c_void_p]),
    ('mesaopt_probe_plan_file', c.c_int32, [c.c_void_p, c.c_void_p, c.c_char_p, c.c_char_p, c.c_char_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_probe_plan_from', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_int64, c.c_char_p, c.c_char_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_probe_workspace', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p, c.c_int64, c.c_int64, c.c_void_p]),
    ('mesaopt_probe_shape', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_probe_features', c.c_int32, [c.c_void_p, c.c_int64, c.c_void_p]),
    ('mesaopt_probe_feed', c.c_int32, [c.c_void_p, c.c_int32, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_probe_feed_model', c.c_int32, [c.c_void_p, c.c_int32, c.c_void_p, c.c_void_p, c.c_void_p, c.c_int32, c.c_int64, c.c_int64]),
    ('mesaopt_probe_feed_control', c.c_int32, [c.c_void_p, c.c_int32, c.c_void_p, c.c_void_p, c.c_int32, c.c_int64, c.c_int64]),
    ('mesaopt_probe_feed_file', c.c_int32, [c.c_void_p, c.c_int32, c.c_char_p, c.c_char_p, c.c_char_p, c.c_char_p, c.c_int64, c.c_int64]),
    ('mesaopt_probe_feed_from', c.c_int32, [c.c_void_p, c.c_int32, c.c_void_p, c.c_int64, c.c_char_p, c.c_char_p, c.c_char_p, c.c_int64, c.c_int64]),
    ('mesaopt_probe_set_targets', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_probe_reset', c.c_int32, [c.c_void_p, c.c_int32]),
    ('mesaopt_probe_count', c.c_int32, [c.c_void_p, c.c_int32, c.c_void_p]),
    ('mesaopt_probe_fit', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_probe_score', c.c_int32, [c.c_void_p, c.c_int32, c.c_void_p, c.c_void_p]),
    ('mesaopt_probe_weights', c.c_int32, [c.c_void_p, c.c_int64, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_probe_rank', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_probe_targets', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_probe_filter', c.c_int32, [c.c_void_p, c.c_double, c.c_void_p, c.c_void_p]),
    ('mesaopt_probe_free', c.c_int32, [c.c_void_p]),
    ('mesaopt_prompt_create', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_prompt_vectors', c.c_int32, [c.c_void_p, c.c_char_p, c.c_void_p]),
    ('mesaopt_prompt_freeze', c.c_int32, [c.c_void_p, c.c_char_p, c.c_int32]),
    ('mesaopt_prompt_gradient', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_int32, c.c_int64, c.c_int64, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_prompt_train', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_prompt_updates', c.c_int64, [c.c_void_p]),
    ('mesaopt_prompt_save', c.c_int32, [c.c_void_p, c.c_char_p]),
    ('mesaopt_prompt_save_to', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_prompt_open', c.c_int32, [c.c_void_p, c.c_char_p, c.c_void_p]),
    ('mesaopt_prompt_open_from', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p]),
    ('mesaopt_prompt_free', c.c_int32, [c.c_void_p]),
    ('mesaopt_revalg_extract', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_revalg_scalars', c.c_int32, [c.c_void_p, c.c_int64, c.c_int32, c.c_void_p]),
    ('mesaopt_revalg_residuals', c.c_int32, [c.c_void_p, c.c_int64, c.c_int32, c.c_void_p]),
    ('mesaopt_revalg_summary', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_revalg_closed_form', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_revalg_rebuild', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_revalg_free', c.c_int32, [c.c_void_p]),
    ('mesaopt_revalg_product', c.c_int32, [c.c_void_p, c.c_int64, c.c_int32, c.c_int64, c.c_void_p]),
    ('mesaopt_revalg_average', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_revalg_average_update', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_revalg_proposition1', c.c_int32, [c.c_void_p, c.c_void_p, c.c_double, c.c_void_p, c.c_void_p]),
    ('mesaopt_revalg_proposition2', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_revalg_import', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_revalg_import_file', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_char_p, c.c_void_p]),
    ('mesaopt_revalg_import_from', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p]),
    ('mesaopt_rls_create', c.c_int32, [c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_rls_update', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_rls_predict', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_rls_step', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_rls_merge', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_rls_shape', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_rls_clear', c.c_int32, [c.c_void_p]),
    ('mesaopt_rls_get', c.c_int32, [c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_rls_set', c.c_int32, [c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_rls_save', c.c_int32, [c.c_void_p, c.c_char_p]),
    ('mesaopt_rls_save_to', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_rls_open', c.c_int32, [c.c_void_p, c.c_char_p, c.c_void_p]),
    ('mesaopt_rls_open_from', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p]),
    ('mesaopt_rls_set_note', c.c_int32, [c.c_void_p, c.c_char_p, c.c_char_p]),
    ('mesaopt_rls_free', c.c_int32, [c.c_void_p]),
    ('mesaopt_rng_philox', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_rng_uniform', c.c_int32, [c.c_void_p, c.c_uint64, c.c_uint32, c.c_uint64, c.c_double, c.c_double, c.c_void_p]),
    ('mesaopt_rng_normal', c.c_int32, [c.c_void_p, c.c_uint64, c.c_uint32, c.c_uint64, c.c_double, c.c_double, c.c_void_p]),
    ('mesaopt_rng_orthogonal', c.c_int32, [c.c_void_p, c.c_uint64, c.c_uint32, c.c_uint64, c.c_void_p]),
    ('mesaopt_settings_create', c.c_int32, [c.c_int32, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_settings_set_alloc_release', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_settings_free', None, [c.c_void_p]),
    ('mesaopt_settings_set_int', c.c_int32, [c.c_void_p, c.c_int32, c.c_int64]),
    ('mesaopt_settings_set_float', c.c_int32, [c.c_void_p, c.c_int32, c.c_double]),
    ('mesaopt_settings_set_text', c.c_int32, [c.c_void_p, c.c_char_p, c.c_char_p]),
    ('mesaopt_settings_get_int', c.c_int32, [c.c_void_p, c.c_int32, c.c_void_p]),
    ('mesaopt_settings_get_float', c.c_int32, [c.c_void_p, c.c_int32, c.c_void_p]),
    ('mesaopt_settings_get_text', c.c_int64, [c.c_void_p, c.c_char_p, c.c_void_p, c.c_int64]),
    ('mesaopt_settings_describe', c.c_int32, [c.c_int32, c.c_int32, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_settings_count', c.c_int32, [c.c_int32]),
    ('mesaopt_settings_key_at', c.c_int32, [c.c_int32, c.c_int32]),
    ('mesaopt_settings_key', c.c_int32, [c.c_char_p]),
    ('mesaopt_settings_name', c.c_char_p, [c.c_int32]),
    ('mesaopt_settings_word', c.c_char_p, [c.c_int32, c.c_int32]),
    ('mesaopt_settings_dump', c.c_int64, [c.c_void_p, c.c_void_p, c.c_int64]),
    ('mesaopt_settings_error', c.c_int64, [c.c_void_p, c.c_void_p, c.c_int64]),
    ('mesaopt_settings_set_parallel', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_settings_set_log', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_settings_set_poll', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_status_name', c.c_char_p, [c.c_int32]),
    ('mesaopt_version_number', c.c_int32, []),
    ('mesaopt_version_text', c.c_char_p, []),
    ('mesaopt_build_info', c.c_char_p, []),
    ('mesaopt_constant', c.c_int32, [c.c_char_p, c.c_void_p]),
    ('mesaopt_study_heads', c.c_int32, [c.c_void_p, c.c_int64, c.c_void_p]),
    ('mesaopt_study_attention_map', c.c_int32, [c.c_void_p, c.c_int64, c.c_void_p, c.c_int32, c.c_int64, c.c_int64, c.c_void_p]),
    ('mesaopt_study_sensitivity', c.c_int32, [c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p, c.c_int32, c.c_int64, c.c_int64, c.c_int64, c.c_void_p]),
    ('mesaopt_task_create', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_task_from_tensor', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_task_from_tensors', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_task_from_pairs', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_task_from_pair_tensors', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_task_from_callback', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_task_set_weights', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_task_set_prompt', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_task_shape', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_task_draw', c.c_int32, [c.c_void_p, c.c_int32, c.c_int64, c.c_void_p]),
    ('mesaopt_task_tokens', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_task_features', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_task_free', c.c_int32, [c.c_void_p]),
    ('mesaopt_view_dense', c.c_int32, [c.c_void_p, c.c_int32, c.c_int32, c.c_void_p, c.c_void_p]),
    ('mesaopt_tensor_create', c.c_int32, [c.c_void_p, c.c_int32, c.c_int32, c.c_void_p, c.c_void_p]),
    ('mesaopt_tensor_wrap', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_tensor_view', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_tensor_copy', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_tensor_free', c.c_int32, [c.c_void_p]),
    ('mesaopt_trainer_create', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_trainer_set_parameters', c.c_int32, [c.c_void_p, c.c_char_p, c.c_double, c.c_int32]),
    ('mesaopt_trainer_step', c.c_int32, [c.c_void_p, c.c_void_p]),
    ('mesaopt_trainer_run', c.c_int32, [c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_trainer_evaluate', c.c_int32, [c.c_void_p, c.c_int64, c.c_void_p, c.c_void_p]),
    ('mesaopt_trainer_steps', c.c_int64, [c.c_void_p]),
    ('mesaopt_trainer_save', c.c_int32, [c.c_void_p, c.c_char_p]),
    ('mesaopt_trainer_save_to', c.c_int32, [c.c_void_p, c.c_void_p, c.c_void_p]),
    ('mesaopt_trainer_load', c.c_int32, [c.c_void_p, c.c_char_p]),
    ('mesaopt_trainer_load_changed', c.c_int32, [c.c_void_p, c.c_char_p, c.c_char_p]),
    ('mesaopt_trainer_load_from', c.c_int32, [c.c_void_p, c.c_void_p, c.c_int64, c.c_char_p]),
    ('mesaopt_trainer_free', c.c_int32, [c.c_void_p]),
]
declare(PROTOTYPES)


def attn_create(ctx: Ctx, settings: SettingsLike) -> Attn:
    """Creates an attention operator; the scope of `settings` (MESAOPT_SCOPE_LINEAR or _SOFTMAX) is its kind; of
    the keys it uses `scale`, `chunk`, `lanes` and `qk_norm` (extents come from the views). The caller frees
    *out. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('linear', 'softmax'), 'settings')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_attn_create, ctx_, settings_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Attn, out_, ctx)


def attn_workspace(attn: Attn, dtype: int, batch: int, length: int, heads: int, key: int, value: int) -> int:
    """Bytes of workspace that calls of this shape need. Since 0.1."""
    attn_ = to_handle(attn, 'attn')
    dtype_ = to_integer(dtype, INT32, 'dtype')
    batch_ = to_integer(batch, INT64, 'batch')
    length_ = to_integer(length, INT64, 'length')
    heads_ = to_integer(heads, INT64, 'heads')
    key_ = to_integer(key, INT64, 'key')
    value_ = to_integer(value, INT64, 'value')
    bytes_ = c.c_int64()
    status = plain(attn, lib.mesaopt_attn_workspace, attn_, dtype_, batch_, length_, heads_, key_, value_, c.addressof(bytes_))
    if status: check(status, attn)
    return bytes_.value


def attn_forward(attn: Attn, q: Array, k: Array, v: Array, out: Array) -> int:
    """out = attention(q, k, v). Outputs must not overlap inputs. MESAOPT_E_NONFINITE: `out` is not finite. Since
    0.1.
    """
    attn_ = to_handle(attn, 'attn')
    q_ = view_in(q, 'q')
    k_ = view_in(k, 'k')
    v_ = view_in(v, 'v')
    out_ = view_out(out, 'out')
    status = run(attn, lib.mesaopt_attn_forward, attn_, q_[0], k_[0], v_[0], out_[0])
    if status: check(status, attn)
    return status


def attn_backward(attn: Attn, q: Array, k: Array, v: Array, dout: Array, dq: Array, dk: Array, dv: Array) -> int:
    """Gradients dq, dk, dv (shapes of q, k, v; overwritten) of a scalar whose gradient with respect to out is
    dout. The forward pass is recomputed inside: nothing needs to be kept from an earlier call.
    MESAOPT_E_NONFINITE: a gradient is not finite. Since 0.1.
    """
    attn_ = to_handle(attn, 'attn')
    q_ = view_in(q, 'q')
    k_ = view_in(k, 'k')
    v_ = view_in(v, 'v')
    dout_ = view_in(dout, 'dout')
    dq_ = view_out(dq, 'dq')
    dk_ = view_out(dk, 'dk')
    dv_ = view_out(dv, 'dv')
    status = run(attn, lib.mesaopt_attn_backward, attn_, q_[0], k_[0], v_[0], dout_[0], dq_[0], dk_[0], dv_[0])
    if status: check(status, attn)
    return status


def baseline_create(ctx: Ctx, settings: SettingsLike | None = None) -> Baseline:
    """Creates a baseline (scope MESAOPT_SCOPE_BASELINE, NULL: defaults). The caller frees *out. Since 0.1."""
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('baseline',), 'settings')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_baseline_create, ctx_, settings_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Baseline, out_, ctx)


def baseline_predict(baseline: Baseline, sequences: Array, out: Array) -> int:
    """Predictions of x_2 .. x_{T+1}: sequences [B, T+1, n] -> out [B, T, n], f32 or f64; computed in f64.
    MESAOPT_E_STATE: space=features without mesaopt_baseline_set_task. MESAOPT_E_NONFINITE: `out` is not
    finite; the text names the place. Since 0.1.
    """
    baseline_ = to_handle(baseline, 'baseline')
    sequences_ = view_in(sequences, 'sequences')
    out_ = view_out(out, 'out')
    status = run(baseline, lib.mesaopt_baseline_predict, baseline_, sequences_[0], out_[0])
    if status: check(status, baseline)
    return status


def baseline_set_task(baseline: Baseline, task: Task | None = None) -> int:
    """Gives a baseline of space=features the task whose features are its inputs (a counted reference is kept;
    NULL: none), which then go before those of the task that it is evaluated, searched or trained on, and
    which mesaopt_baseline_predict and mesaopt_baseline_precondition need: sequences do not say whose they
    are. MESAOPT_E_STATE: another space, or the task has no features. Since 0.1.
    """
    baseline_ = to_handle(baseline, 'baseline')
    task_ = None if task is None else to_handle(task, 'task')
    status = run(baseline, lib.mesaopt_baseline_set_task, baseline_, task_)
    if status: check(status, baseline)
    return status


def baseline_precondition(baseline: Baseline, sequences: Array, out: Array) -> int:
    """What the preconditioner makes of z_t: sequences [B, T, n] -> out [B, T, m], inv(A_t) z_t exactly for lsq,
    approximately for the others (gd: without ridge). MESAOPT_E_STATE: kernel has none, or as in
    mesaopt_baseline_predict. MESAOPT_E_NONFINITE as above. Since 0.1.
    """
    baseline_ = to_handle(baseline, 'baseline')
    sequences_ = view_in(sequences, 'sequences')
    out_ = view_out(out, 'out')
    status = run(baseline, lib.mesaopt_baseline_precondition, baseline_, sequences_[0], out_[0])
    if status: check(status, baseline)
    return status


def baseline_coefficients(baseline: Baseline) -> np.ndarray:
    """View of the coefficients of richardson (f64 [1, K]: a) or chebyshev ([2, K]: a, b), at first a = 1, b = 0;
    writing through it changes the baseline. Valid while the baseline lives. MESAOPT_E_STATE: the baseline has
    none. Since 0.1.
    """
    baseline_ = to_handle(baseline, 'baseline')
    out_ = View()
    status = run(baseline, lib.mesaopt_baseline_coefficients, baseline_, c.addressof(out_))
    if status: check(status, baseline)
    return array_of(out_, baseline)


def baseline_train(baseline: Baseline, task: Task, updates: int, after: Callable | None = None) -> int:
    """Learns the coefficients of richardson (a) or chebyshev (a, b): AdamW on the autoregressive loss, update s
    on sequences s batch .. (s + 1) batch - 1 of the training stream, until `updates` updates in all have been
    taken (0: 20000, with K = 2 80000), calling `after` (may be NULL) after each, as mesaopt_trainer_run;
    batch, learning rates and clips are settings of the baseline. MESAOPT_STOPPED: the callback or an
    interrupt ended it early. MESAOPT_E_NONFINITE: a loss or gradient is not finite; that update was not made.
    MESAOPT_E_STATE: the baseline has no coefficients. Since 0.1.
    """
    baseline_ = to_handle(baseline, 'baseline')
    task_ = to_handle(task, 'task')
    updates_ = to_integer(updates, INT64, 'updates')
    after_ = callback(STEP_FN, after)
    status = run_calling(baseline, lib.mesaopt_baseline_train, baseline_, task_, updates_, after_[0], after_[1])
    if status: check(status, baseline)
    return status


def baseline_updates(baseline: Baseline) -> int:
    """Updates taken so far, or a negative status. Since 0.1."""
    baseline_ = to_handle(baseline, 'baseline')
    return counted(lib.mesaopt_baseline_updates(baseline_), baseline)


def baseline_evaluate(baseline: Baseline, task: Task, stream: int, first: int, count: int, by_t: Array | None = None) -> float:
    """Mean loss and error by t, as mesaopt_model_evaluate; count >= 1. MESAOPT_E_STATE: space=features, and
    neither the baseline nor `task` has them. MESAOPT_E_NONFINITE: the loss overflows. Since 0.1.
    """
    baseline_ = to_handle(baseline, 'baseline')
    task_ = to_handle(task, 'task')
    stream_ = to_integer(stream, INT32, 'stream')
    first_ = to_integer(first, INT64, 'first')
    count_ = to_integer(count, INT64, 'count')
    by_t_ = NO_VIEW if by_t is None else view_out(by_t, 'by_t')
    loss_ = c.c_double()
    status = run(baseline, lib.mesaopt_baseline_evaluate, baseline_, task_, stream_, first_, count_, by_t_[0], c.addressof(loss_))
    if status: check(status, baseline)
    return loss_.value


def baseline_search(baseline: Baseline, task: Task, count: int) -> float:
    """Line search: sets eta (gd: 1e-5..0.1), beta (kernel: 0.01..100) or ridge (others: 1e-5..10) to the value
    of lowest loss on `count` sequences of the search stream, on a logarithmic grid refined around its best
    point to half a per cent. The ranges hold for inputs z of mean square 1; with mean square s that of ridge
    is multiplied, those of eta and beta are divided by s. `best` (may be NULL) receives the value.
    MESAOPT_AT_BOUND: it is set, and is an end of the range, as when there is nothing to learn from the pairs
    or no noise in them; the text has the range. MESAOPT_E_NONFINITE: no value gives a finite loss. Since 0.1.
    """
    baseline_ = to_handle(baseline, 'baseline')
    task_ = to_handle(task, 'task')
    count_ = to_integer(count, INT64, 'count')
    best_ = c.c_double()
    status = run(baseline, lib.mesaopt_baseline_search, baseline_, task_, count_, c.addressof(best_))
    if status: check(status, baseline)
    return best_.value


def ctx_create(settings: SettingsLike | None = None) -> Ctx:
    """Creates a context; `settings` (scope MESAOPT_SCOPE_CTX, NULL: defaults) is copied. On failure the text is
    in `settings`. MESAOPT_E_UNSUPPORTED: the CPU lacks the ISA level asked for. Starts no thread. The caller
    frees *out. Since 0.1.
    """
    settings_ = settings_of(settings, ('ctx',), 'settings')
    out_ = c.c_void_p()
    status = plain(settings_, lib.mesaopt_ctx_create, settings_, c.addressof(out_))
    if status: check(status, settings_)
    return made(Ctx, out_, settings_)


def ctx_error(ctx: Ctx) -> str:
    """Text of the last failure of a call on this context or one of its handles, at most cap bytes with the final
    NUL; returns the bytes the whole text needs, or a negative status. Unchanged by success; may be called
    from any thread at any time. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    return read_text(lambda buf, cap: lib.mesaopt_ctx_error(ctx_, buf, cap), ctx)


def ctx_interrupt(ctx: Ctx) -> None:
    """Asks the running call to stop or, if none runs, the next one. Async-signal-safe: a SIGINT handler may call
    it. Training runs return MESAOPT_STOPPED at a step boundary, other long calls MESAOPT_E_INTERRUPTED. The
    request ends with that call, also when it was too short to look: a program that makes several calls sets a
    flag of its own as well. In a callback's calls it is that of the call whose callback it is. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    return lib.mesaopt_ctx_interrupt(ctx_)


def ctx_clear_interrupt(ctx: Ctx) -> int:
    """Withdraws a request of mesaopt_ctx_interrupt that no call has met yet. MESAOPT_E_BUSY: a call runs, whose
    it is. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    status = run(ctx, lib.mesaopt_ctx_clear_interrupt, ctx_)
    if status: check(status, ctx)
    return status


def ctx_isa(ctx: Ctx) -> int:
    """ISA level in use (MESAOPT_ISA_BASELINE, ...). Since 0.1."""
    ctx_ = to_handle(ctx, 'ctx')
    out_ = c.c_int32()
    status = plain(ctx, lib.mesaopt_ctx_isa, ctx_, c.addressof(out_))
    if status: check(status, ctx)
    return out_.value


def decoder_create(model: Model, settings: SettingsLike | None = None) -> Decoder:
    """Creates a decoder of a model, which it keeps alive (scope MESAOPT_SCOPE_DECODER: streams, capacity). All
    memory is taken here; steps take none. The caller frees *out. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    settings_ = settings_of(settings, ('decoder',), 'settings')
    out_ = c.c_void_p()
    status = run(model, lib.mesaopt_decoder_create, model_, settings_, c.addressof(out_))
    if status: check(status, model)
    return made(Decoder, out_, model)


def decoder_bytes(model: Model, settings: SettingsLike | None = None) -> int:
    """Bytes that such a decoder takes. Since 0.1."""
    model_ = to_handle(model, 'model')
    settings_ = settings_of(settings, ('decoder',), 'settings')
    bytes_ = c.c_int64()
    status = plain(model, lib.mesaopt_decoder_bytes, model_, settings_, c.addressof(bytes_))
    if status: check(status, model)
    return bytes_.value


def decoder_step(decoder: Decoder, tokens: Array, out: Array | None = None) -> int:
    """The next L tokens of every stream: tokens [streams, L, inputs] -> predictions out [streams, L, outputs]
    (NULL: not wanted), dtype of the model, any L. MESAOPT_E_STATE: a stream has no room for them.
    MESAOPT_NOT_CONVERGED as of mesaopt_model_forward: the tokens are in, all is finite. After any failure all
    streams are as before. Since 0.1.
    """
    decoder_ = to_handle(decoder, 'decoder')
    tokens_ = view_in(tokens, 'tokens')
    out_ = NO_VIEW if out is None else view_out(out, 'out')
    status = run(decoder, lib.mesaopt_decoder_step, decoder_, tokens_[0], out_[0])
    if status: check(status, decoder)
    return status


def decoder_reset(decoder: Decoder, stream: int) -> int:
    """A stream begins anew, or with stream = -1 all of them. Since 0.1."""
    decoder_ = to_handle(decoder, 'decoder')
    stream_ = to_integer(stream, INT64, 'stream')
    status = run(decoder, lib.mesaopt_decoder_reset, decoder_, stream_)
    if status: check(status, decoder)
    return status


def decoder_copy(decoder: Decoder, other: Decoder) -> int:
    """All streams become as those of `from`, a decoder of the same model with as many streams; its capacity may
    be another one. MESAOPT_E_STATE: they do not fit. Since 0.1.
    """
    decoder_ = to_handle(decoder, 'decoder')
    other_ = to_handle(other, 'other')
    status = run(decoder, lib.mesaopt_decoder_copy, decoder_, other_)
    if status: check(status, decoder)
    return status


def decoder_steps(decoder: Decoder, stream: int) -> int:
    """Tokens of a stream so far, or a negative status. Since 0.1."""
    decoder_ = to_handle(decoder, 'decoder')
    stream_ = to_integer(stream, INT64, 'stream')
    return counted(lib.mesaopt_decoder_steps(decoder_, stream_), decoder)


def decoder_save(decoder: Decoder, path: str) -> int:
    """Writes all streams as safetensors, as mesaopt_model_save writes. Since 0.1."""
    decoder_ = to_handle(decoder, 'decoder')
    path_ = to_text(path, 'path')
    status = run(decoder, lib.mesaopt_decoder_save, decoder_, path_)
    if status: check(status, decoder)
    return status


def decoder_save_to(decoder: Decoder, write: Callable) -> int:
    """The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes that the
    file would have. Since 0.1.
    """
    decoder_ = to_handle(decoder, 'decoder')
    write_ = callback(WRITE_FN, write)
    status = run_calling(decoder, lib.mesaopt_decoder_save_to, decoder_, write_[0], write_[1])
    if status: check(status, decoder)
    return status


def decoder_open(model: Model, settings: SettingsLike | None, path: str) -> Decoder:
    """Creates a decoder from a file of mesaopt_decoder_save, notes included, of a model with the same blocks and
    parameters: MESAOPT_E_FORMAT names what differs. `settings` have the streams of the file, and room for
    their tokens. With equal capacity it goes on bit for bit, unless the status is MESAOPT_OTHER_ISA. Since
    0.1.
    """
    model_ = to_handle(model, 'model')
    settings_ = settings_of(settings, ('decoder',), 'settings')
    path_ = to_text(path, 'path')
    out_ = c.c_void_p()
    status = run(model, lib.mesaopt_decoder_open, model_, settings_, path_, c.addressof(out_))
    if status: check(status, model)
    return made(Decoder, out_, model)


def decoder_open_from(model: Model, settings: SettingsLike | None, bytes: bytes) -> Decoder:
    """The same from the bytes of such a file in memory, which are not kept. Since 0.1."""
    model_ = to_handle(model, 'model')
    settings_ = settings_of(settings, ('decoder',), 'settings')
    bytes_ = to_bytes(bytes, 'bytes')
    out_ = c.c_void_p()
    status = run(model, lib.mesaopt_decoder_open_from, model_, settings_, bytes_, same_length(bytes=(bytes)), c.addressof(out_))
    if status: check(status, model)
    return made(Decoder, out_, model)


def decoder_set_note(decoder: Decoder, key: str, text: str | None = None) -> int:
    """Keeps a text of the caller's with the streams, as mesaopt_model_set_note does with a model. Since 0.1."""
    decoder_ = to_handle(decoder, 'decoder')
    key_ = to_text(key, 'key')
    text_ = None if text is None else to_text(text, 'text')
    status = run(decoder, lib.mesaopt_decoder_set_note, decoder_, key_, text_)
    if status: check(status, decoder)
    return status


def linearise_create(ctx: Ctx, settings: SettingsLike | None, model: Model, task: Task, blocks: Sequence, block: SettingsLike | None) -> Linearise:
    """Plans the distillation of `count` different blocks of attention, and allocates all that its steps need.
    settings (scope MESAOPT_SCOPE_TRAINER): AdamW and the batch; NULL: the defaults of that scope, but lr =
    1e-3 and no weight decay. block (scope MESAOPT_SCOPE_LINEAR): the linear blocks; NULL: each with the
    settings of the block that it learns from (heads, key, value, positions, clip ..), except for the scale of
    its logits, which is 1. The model is copied, and may change or go afterwards; of the task a counted
    reference is kept. MESAOPT_E_UNSUPPORTED: a block has no heads. The caller frees *out. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('trainer',), 'settings')
    model_ = to_handle(model, 'model')
    task_ = to_handle(task, 'task')
    blocks_ = to_integers(blocks, c.c_int64, INT64, 'blocks')
    block_ = settings_of(block, ('linear',), 'block')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_linearise_create, ctx_, settings_, model_, task_, same_length(blocks=(blocks)), blocks_, block_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Linearise, out_, ctx)


def linearise_run(linearise: Linearise, steps: int, after: Callable | None = None) -> int:
    """Steps until `steps` steps in all have been taken, calling `after` (may be NULL) after each: its loss is
    the sum over blocks of the squared errors / (2 batch T) before the update, grad_norm the norm of all
    gradients together. Statuses as of mesaopt_trainer_run; a step that fails changes no weights. Allocates
    nothing. Since 0.1.
    """
    linearise_ = to_handle(linearise, 'linearise')
    steps_ = to_integer(steps, INT64, 'steps')
    after_ = callback(STEP_FN, after)
    status = run_calling(linearise, lib.mesaopt_linearise_run, linearise_, steps_, after_[0], after_[1])
    if status: check(status, linearise)
    return status


def linearise_steps(linearise: Linearise) -> int:
    """Steps taken so far, or a negative status. Since 0.1."""
    linearise_ = to_handle(linearise, 'linearise')
    return counted(lib.mesaopt_linearise_steps(linearise_), linearise)


def linearise_evaluate(linearise: Linearise, count: int, ratio: Array, error: Array | None = None) -> int:
    """Scores on the first `count` sequences of the test stream, f32 or f64 [blocks], in the order of
    mesaopt_linearise_create. ratio: the loss of the model with this block replaced over its own loss. error
    (may be NULL): the squared error of the linear block's output over the square of what the block adds to
    the stream. MESAOPT_E_NONFINITE: the model's loss, or what a block adds, is 0. May be called in a
    callback. Since 0.1.
    """
    linearise_ = to_handle(linearise, 'linearise')
    count_ = to_integer(count, INT64, 'count')
    ratio_ = view_out(ratio, 'ratio')
    error_ = NO_VIEW if error is None else view_out(error, 'error')
    status = run(linearise, lib.mesaopt_linearise_evaluate, linearise_, count_, ratio_[0], error_[0])
    if status: check(status, linearise)
    return status


def linearise_model(linearise: Linearise, block: int) -> Model:
    """A copy of the model with the linear block in place of `block`, -1: with all of them in their places. The
    caller frees *out. Since 0.1.
    """
    linearise_ = to_handle(linearise, 'linearise')
    block_ = to_integer(block, INT64, 'block')
    out_ = c.c_void_p()
    status = run(linearise, lib.mesaopt_linearise_model, linearise_, block_, c.addressof(out_))
    if status: check(status, linearise)
    return made(Model, out_, linearise)


def linearise_block(linearise: Linearise, block: int) -> Model:
    """A copy of the linear block that stands for `block`, as a model of that one block on the stream: inputs and
    outputs are its width. The caller frees *out. Since 0.1.
    """
    linearise_ = to_handle(linearise, 'linearise')
    block_ = to_integer(block, INT64, 'block')
    out_ = c.c_void_p()
    status = run(linearise, lib.mesaopt_linearise_block, linearise_, block_, c.addressof(out_))
    if status: check(status, linearise)
    return made(Model, out_, linearise)


def lsq_plan(ctx: Ctx, settings: SettingsLike | None, d_key: int, d_val: int) -> Lsq:
    """Plans a solver (scope MESAOPT_SCOPE_LSQ, NULL: defaults) for keys of d_key and values of d_val channels.
    The setting window matters only to a mesaopt_rls of the plan: mesaopt_lsq_forward and mesaopt_lsq_adjoint
    ignore it. The caller frees *out. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('lsq',), 'settings')
    d_key_ = to_integer(d_key, INT64, 'd_key')
    d_val_ = to_integer(d_val, INT64, 'd_val')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_lsq_plan, ctx_, settings_, d_key_, d_val_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Lsq, out_, ctx)


def lsq_shape(lsq: Lsq) -> tuple[int, int]:
    """Channels of keys and of values, as planned. Each pointer may be NULL. Since 0.1."""
    lsq_ = to_handle(lsq, 'lsq')
    d_key_ = c.c_int64()
    d_val_ = c.c_int64()
    status = plain(lsq, lib.mesaopt_lsq_shape, lsq_, c.addressof(d_key_), c.addressof(d_val_))
    if status: check(status, lsq)
    return d_key_.value, d_val_.value


def lsq_workspace(lsq: Lsq, dtype: int, batch: int, length: int, heads: int, sequences: int, adjoint: int) -> int:
    """Bytes of workspace that calls of this shape need, with every operand there is, of the adjoint when
    `adjoint` is not 0. sequences: how many MESAOPT_LSQ_OFFSETS make of a batch of 1; 0: without offsets.
    Since 0.1.
    """
    lsq_ = to_handle(lsq, 'lsq')
    dtype_ = to_integer(dtype, INT32, 'dtype')
    batch_ = to_integer(batch, INT64, 'batch')
    length_ = to_integer(length, INT64, 'length')
    heads_ = to_integer(heads, INT64, 'heads')
    sequences_ = to_integer(sequences, INT64, 'sequences')
    adjoint_ = to_integer(adjoint, INT32, 'adjoint')
    bytes_ = c.c_int64()
    status = plain(lsq, lib.mesaopt_lsq_workspace, lsq_, dtype_, batch_, length_, heads_, sequences_, adjoint_, c.addressof(bytes_))
    if status: check(status, lsq)
    return bytes_.value


def lsq_forward(lsq: Lsq, q: Array, k: Array, v: Array, out: Array, which: Sequence, views: Sequence[Array]) -> int:
    """out [B, T, H, dv] for all steps, and what else `which` asks for. Outputs must not overlap inputs or each
    other. MESAOPT_NOT_CONVERGED: see above; the context's text says how many rows, and which is the first.
    Since 0.1.
    """
    lsq_ = to_handle(lsq, 'lsq')
    q_ = view_in(q, 'q')
    k_ = view_in(k, 'k')
    v_ = view_in(v, 'v')
    out_ = view_out(out, 'out')
    which_ = to_integers(which, c.c_int32, INT32, 'which')
    views_ = view_anys(views, 'views')
    status = run(lsq, lib.mesaopt_lsq_forward, lsq_, q_[0], k_[0], v_[0], out_[0], same_length(which=(which), views=(views)), which_, views_[0])
    if status: check(status, lsq)
    return status


def lsq_adjoint(lsq: Lsq, q: Array, k: Array, v: Array, dout: Array, dq: Array, dk: Array, dv: Array, which: Sequence, views: Sequence[Array]) -> int:
    """Gradients dq, dk, dv (shapes of q, k, v; overwritten) of a scalar whose gradient with respect to out is
    dout, and what else `which` asks for. The forward pass is recomputed inside. Since 0.1.
    """
    lsq_ = to_handle(lsq, 'lsq')
    q_ = view_in(q, 'q')
    k_ = view_in(k, 'k')
    v_ = view_in(v, 'v')
    dout_ = view_in(dout, 'dout')
    dq_ = view_out(dq, 'dq')
    dk_ = view_out(dk, 'dk')
    dv_ = view_out(dv, 'dv')
    which_ = to_integers(which, c.c_int32, INT32, 'which')
    views_ = view_anys(views, 'views')
    status = run(lsq, lib.mesaopt_lsq_adjoint, lsq_, q_[0], k_[0], v_[0], dout_[0], dq_[0], dk_[0], dv_[0], same_length(which=(which), views=(views)), which_, views_[0])
    if status: check(status, lsq)
    return status


def model_create(ctx: Ctx, settings: SettingsLike | None = None) -> Model:
    """Creates an empty model (scope MESAOPT_SCOPE_MODEL: inputs, outputs, dtype, seed, lanes). The caller frees
    *out. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('model',), 'settings')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_model_create, ctx_, settings_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Model, out_, ctx)


def model_add(model: Model, settings: SettingsLike) -> int:
    """Appends a block whose kind is the scope of `settings`, with weights drawn N(0, init_sd^2) from the model's
    seed. Views of parameters taken before become invalid. MESAOPT_E_STATE while a trainer or a decoder holds
    the model. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    no_exports(model)
    settings_ = settings_of(settings, ('linear', 'softmax', 'mesa', 'dense', 'mask', 'mlp', 'norm'), 'settings')
    status = run(model, lib.mesaopt_model_add, model_, settings_)
    if status: check(status, model)
    return status


def model_add_text(model: Model, blocks: str) -> int:
    """Appends every block of a one-line text (grammar above), or none of them on failure; MESAOPT_E_FORMAT and
    MESAOPT_E_SETTING name the place in the text. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    no_exports(model)
    blocks_ = to_text(blocks, 'blocks')
    status = run(model, lib.mesaopt_model_add_text, model_, blocks_)
    if status: check(status, model)
    return status


def model_text(model: Model) -> str:
    """The model's blocks as text that mesaopt_model_add_text takes, at most cap bytes with the final NUL;
    returns the bytes the whole text needs, or a negative status. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    return read_text(lambda buf, cap: lib.mesaopt_model_text(model_, buf, cap), model)


def model_shape(model: Model) -> tuple[int, int, int]:
    """Features of a token, of a prediction, and the type that tokens, predictions and parameters have
    (MESAOPT_F32 or MESAOPT_F64). Each pointer may be NULL. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    inputs_ = c.c_int64()
    outputs_ = c.c_int64()
    dtype_ = c.c_int32()
    status = plain(model, lib.mesaopt_model_shape, model_, c.addressof(inputs_), c.addressof(outputs_), c.addressof(dtype_))
    if status: check(status, model)
    return inputs_.value, outputs_.value, dtype_.value


def model_blocks(model: Model) -> int:
    """Number of blocks, and width of the stream after block i (i = -1: the tokens). Since 0.1."""
    model_ = to_handle(model, 'model')
    return counted(lib.mesaopt_model_blocks(model_), model)


def model_width(model: Model, block: int) -> int:
    """Number of blocks, and width of the stream after block i (i = -1: the tokens). Since 0.1."""
    model_ = to_handle(model, 'model')
    block_ = to_integer(block, INT64, 'block')
    width_ = c.c_int64()
    status = plain(model, lib.mesaopt_model_width, model_, block_, c.addressof(width_))
    if status: check(status, model)
    return width_.value


def model_parameters(model: Model) -> int:
    """Number of parameter tensors, and the name of the i-th (valid until the next block is added; NULL past the
    last). Since 0.1.
    """
    model_ = to_handle(model, 'model')
    return counted(lib.mesaopt_model_parameters(model_), model)


def model_parameter_name(model: Model, i: int) -> str | None:
    """Number of parameter tensors, and the name of the i-th (valid until the next block is added; NULL past the
    last). Since 0.1.
    """
    model_ = to_handle(model, 'model')
    i_ = to_integer(i, INT64, 'i')
    return decoded(lib.mesaopt_model_parameter_name(model_, i_))


def model_parameter(model: Model, name: str) -> np.ndarray:
    """View of a parameter by name; writing through it changes the model. Valid while the model lives and no
    block is added. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    name_ = to_text(name, 'name')
    out_ = View()
    status = run(model, lib.mesaopt_model_parameter, model_, name_, c.addressof(out_))
    if status: check(status, model)
    return array_of(out_, model)


def model_parameter_gradient(model: Model, name: str) -> np.ndarray:
    """View of the gradient of a parameter, as the last mesaopt_model_gradient, mesaopt_model_backward or
    training step left it (before clipping); zeros before that. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    name_ = to_text(name, 'name')
    out_ = View()
    status = run(model, lib.mesaopt_model_parameter_gradient, model_, name_, c.addressof(out_))
    if status: check(status, model)
    return array_of(out_, model)


def model_initialise(model: Model, seed: int) -> int:
    """Draws all weights anew from `seed`. Since 0.1."""
    model_ = to_handle(model, 'model')
    seed_ = to_integer(seed, INT64, 'seed')
    status = run(model, lib.mesaopt_model_initialise, model_, seed_)
    if status: check(status, model)
    return status


def model_workspace(model: Model, batch: int, length: int, training: int) -> int:
    """Bytes of workspace that calls of this shape need, gradients included when `training` is not 0. Since 0.1."""
    model_ = to_handle(model, 'model')
    batch_ = to_integer(batch, INT64, 'batch')
    length_ = to_integer(length, INT64, 'length')
    training_ = to_integer(training, INT32, 'training')
    bytes_ = c.c_int64()
    status = plain(model, lib.mesaopt_model_workspace, model_, batch_, length_, training_, c.addressof(bytes_))
    if status: check(status, model)
    return bytes_.value


def model_forward(model: Model, tokens: Array, out: Array) -> int:
    """Predictions: tokens [B, T, inputs] -> out [B, T, outputs], dtype of the model. Since 0.1."""
    model_ = to_handle(model, 'model')
    tokens_ = view_in(tokens, 'tokens')
    out_ = view_out(out, 'out')
    status = run(model, lib.mesaopt_model_forward, model_, tokens_[0], out_[0])
    if status: check(status, model)
    return status


def model_activations(model: Model, tokens: Array, blocks: Sequence, outs: Sequence[Array]) -> int:
    """Activations: the stream after each of `count` blocks (blocks[i] = -1: the tokens), outs[i] [B, T, width of
    that block]. One forward pass serves them all. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    tokens_ = view_in(tokens, 'tokens')
    blocks_ = to_integers(blocks, c.c_int64, INT64, 'blocks')
    outs_ = view_outs(outs, 'outs')
    status = run(model, lib.mesaopt_model_activations, model_, tokens_[0], same_length(blocks=(blocks), outs=(outs)), blocks_, outs_[0])
    if status: check(status, model)
    return status


def model_loss(model: Model, tokens: Array, targets: Array, weights: Array | None = None) -> float:
    """Loss of predictions against targets [B, T, outputs]: sum of weight * half squared error / sum of weights.
    weights [B, T], f32 or f64, 0 or 1e-20 to 1e20, one above 0; NULL: all 1. A step of weight 0 does not
    count, whatever its target is; behind the last step that counts of a sequence tokens and targets may hold
    anything, NaN too, and cost next to nothing. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    tokens_ = view_in(tokens, 'tokens')
    targets_ = view_in(targets, 'targets')
    weights_ = NO_VIEW if weights is None else view_in(weights, 'weights')
    loss_ = c.c_double()
    status = run(model, lib.mesaopt_model_loss, model_, tokens_[0], targets_[0], weights_[0], c.addressof(loss_))
    if status: check(status, model)
    return loss_.value


def model_gradient(model: Model, tokens: Array, targets: Array, weights: Array | None = None, dtokens: Array | None = None) -> float:
    """Loss and its gradients: of every parameter (mesaopt_model_parameter_gradient) and, unless dtokens is NULL,
    of the tokens [B, T, inputs]. MESAOPT_E_NONFINITE names the first tensor that is not finite. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    tokens_ = view_in(tokens, 'tokens')
    targets_ = view_in(targets, 'targets')
    weights_ = NO_VIEW if weights is None else view_in(weights, 'weights')
    loss_ = c.c_double()
    dtokens_ = NO_VIEW if dtokens is None else view_out(dtokens, 'dtokens')
    status = run(model, lib.mesaopt_model_gradient, model_, tokens_[0], targets_[0], weights_[0], c.addressof(loss_), dtokens_[0])
    if status: check(status, model)
    return loss_.value


def model_backward(model: Model, tokens: Array, dout: Array, dtokens: Array | None = None) -> int:
    """Gradients of a scalar of the user's own whose gradient with respect to the predictions is dout [B, T,
    outputs]; the forward pass is recomputed inside. dtokens may be NULL. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    tokens_ = view_in(tokens, 'tokens')
    dout_ = view_in(dout, 'dout')
    dtokens_ = NO_VIEW if dtokens is None else view_out(dtokens, 'dtokens')
    status = run(model, lib.mesaopt_model_backward, model_, tokens_[0], dout_[0], dtokens_[0])
    if status: check(status, model)
    return status


def model_evaluate(model: Model, task: Task, stream: int, first: int, count: int, by_t: Array | None = None) -> float:
    """Mean loss on sequences first .. first + count - 1 of a stream of `task`; by_t (f64 [T], NULL: not wanted)
    receives the mean squared error at t summed over dimensions, halved, so that its mean over t is the loss
    (by the task's weights, mesaopt_task_set_weights). Memory does not grow with count, which is at least 1.
    Since 0.1.
    """
    model_ = to_handle(model, 'model')
    task_ = to_handle(task, 'task')
    stream_ = to_integer(stream, INT32, 'stream')
    first_ = to_integer(first, INT64, 'first')
    count_ = to_integer(count, INT64, 'count')
    by_t_ = NO_VIEW if by_t is None else view_out(by_t, 'by_t')
    loss_ = c.c_double()
    status = run(model, lib.mesaopt_model_evaluate, model_, task_, stream_, first_, count_, by_t_[0], c.addressof(loss_))
    if status: check(status, model)
    return loss_.value


def model_save(model: Model, path: str) -> int:
    """Writes parameters and settings as safetensors: to a temporary file in the same folder, fsynced, then
    renamed to what `path` names, links followed and its mode kept. MESAOPT_E_IO says what the system said.
    MESAOPT_E_NONFINITE names the parameter: no such file would be opened. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    path_ = to_text(path, 'path')
    status = run(model, lib.mesaopt_model_save, model_, path_)
    if status: check(status, model)
    return status


def model_save_to(model: Model, write: Callable) -> int:
    """The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes that the
    file would have. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    write_ = callback(WRITE_FN, write)
    status = run_calling(model, lib.mesaopt_model_save_to, model_, write_[0], write_[1])
    if status: check(status, model)
    return status


def model_load(model: Model, path: str) -> int:
    """Reads parameters by name from a safetensors file (f64, f32, f16 or bf16; other tensors are ignored). All
    or nothing. MESAOPT_E_FORMAT names the tensor that is missing, of another shape or out of bounds. Since
    0.1.
    """
    model_ = to_handle(model, 'model')
    path_ = to_text(path, 'path')
    status = run(model, lib.mesaopt_model_load, model_, path_)
    if status: check(status, model)
    return status


def model_load_from(model: Model, bytes: bytes) -> int:
    """The same from the bytes of such a file in memory. Since 0.1."""
    model_ = to_handle(model, 'model')
    bytes_ = to_bytes(bytes, 'bytes')
    status = run(model, lib.mesaopt_model_load_from, model_, bytes_, same_length(bytes=(bytes)))
    if status: check(status, model)
    return status


def model_set_note(model: Model, key: str, text: str | None = None) -> int:
    """Keeps a text of the caller's with a model, such as units, scales or the command that made it: it goes as
    metadata `key` into files of mesaopt_model_save and mesaopt_trainer_save; mesaopt_model_open takes it
    over, and mesaopt_file_note reads it. NULL takes the note away. Both are UTF-8; key: 1 to 100 bytes that
    do not begin with "mesaopt."; at most 256 notes of 8 MiB together. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    key_ = to_text(key, 'key')
    text_ = None if text is None else to_text(text, 'text')
    status = run(model, lib.mesaopt_model_set_note, model_, key_, text_)
    if status: check(status, model)
    return status


def file_note(ctx: Ctx, path: str, key: str) -> str:
    """Copies a text out of the metadata of a safetensors file: a note, or one of the library's own:
    "mesaopt.kind" (model, trainer, rls, decoder, prompt), and of models and trainers "mesaopt.blocks" and
    "mesaopt.model", which is "inputs=.. outputs=.. dtype=.. ..". Writes at most `cap` bytes with the final 0,
    and returns the bytes that all of it needs; 0: there is no such text; or a negative status. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    path_ = to_text(path, 'path')
    key_ = to_text(key, 'key')
    return read_text(lambda buf, cap: lib.mesaopt_file_note(ctx_, path_, key_, buf, cap), ctx)


def file_note_from(ctx: Ctx, bytes: bytes, key: str) -> str:
    """The same from the bytes of such a file in memory. Since 0.1."""
    ctx_ = to_handle(ctx, 'ctx')
    bytes_ = to_bytes(bytes, 'bytes')
    key_ = to_text(key, 'key')
    return read_text(lambda buf, cap: lib.mesaopt_file_note_from(ctx_, bytes_, same_length(bytes=(bytes)), key_, buf, cap), ctx)


def model_import(ctx: Ctx, settings: SettingsLike | None, blocks: str, names: Sequence, tensors: Sequence[Array]) -> Model:
    """Creates a model of blocks given as text (mesaopt_model_add_text; `settings` as in mesaopt_model_create)
    with weights from elsewhere: tensors[i] becomes the parameter names[i], f64, f32, f16 or bf16, any strides
    (a transposed weight is a view with its strides swapped). Every parameter is given, once, and nothing
    else. The weights are copied. MESAOPT_E_ARGUMENT, MESAOPT_E_SHAPE, MESAOPT_E_DTYPE and MESAOPT_E_NONFINITE
    name the parameter. The caller frees *out. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('model',), 'settings')
    blocks_ = to_text(blocks, 'blocks')
    names_ = to_texts(names, 'names')
    tensors_ = view_ins(tensors, 'tensors')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_model_import, ctx_, settings_, blocks_, same_length(names=(names), tensors=(tensors)), names_, tensors_[0], c.addressof(out_))
    if status: check(status, ctx)
    return made(Model, out_, ctx)


def model_import_file(ctx: Ctx, settings: SettingsLike | None, blocks: str, path: str) -> Model:
    """The same from a safetensors file that holds every parameter by its name and nothing else. MESAOPT_E_FORMAT
    names the tensor that is missing, not expected or of another shape. (Files of this library:
    mesaopt_model_open. Files with more in them: mesaopt_model_load.) Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('model',), 'settings')
    blocks_ = to_text(blocks, 'blocks')
    path_ = to_text(path, 'path')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_model_import_file, ctx_, settings_, blocks_, path_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Model, out_, ctx)


def model_import_from(ctx: Ctx, settings: SettingsLike | None, blocks: str, bytes: bytes) -> Model:
    """The same from the bytes of such a file in memory, which are not kept. Since 0.1."""
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('model',), 'settings')
    blocks_ = to_text(blocks, 'blocks')
    bytes_ = to_bytes(bytes, 'bytes')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_model_import_from, ctx_, settings_, blocks_, bytes_, same_length(bytes=(bytes)), c.addressof(out_))
    if status: check(status, ctx)
    return made(Model, out_, ctx)


def model_open(ctx: Ctx, path: str) -> Model:
    """Creates a model from a file that mesaopt_model_save or mesaopt_trainer_save wrote: settings, blocks,
    parameters, notes. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    path_ = to_text(path, 'path')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_model_open, ctx_, path_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Model, out_, ctx)


def model_open_from(ctx: Ctx, bytes: bytes) -> Model:
    """The same from the bytes of such a file in memory, which are not kept. Since 0.1."""
    ctx_ = to_handle(ctx, 'ctx')
    bytes_ = to_bytes(bytes, 'bytes')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_model_open_from, ctx_, bytes_, same_length(bytes=(bytes)), c.addressof(out_))
    if status: check(status, ctx)
    return made(Model, out_, ctx)


def probe_plan(ctx: Ctx, settings: SettingsLike | None, features: Sequence, steps: int, targets: int) -> Probe:
    """Plans probes (scope MESAOPT_SCOPE_PROBE, NULL: defaults) of `layers` layers with features[l] features
    each, `steps` steps and `targets` targets, and allocates what fits and scores in sample need. The caller
    frees *out. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('probe',), 'settings')
    features_ = to_integers(features, c.c_int64, INT64, 'features')
    steps_ = to_integer(steps, INT64, 'steps')
    targets_ = to_integer(targets, INT64, 'targets')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_probe_plan, ctx_, settings_, same_length(features=(features)), features_, steps_, targets_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Probe, out_, ctx)


def probe_plan_file(ctx: Ctx, settings: SettingsLike | None, path: str, activations: str, targets: str) -> tuple[Probe, int]:
    """Plans probes of the shapes that a file has; names as in mesaopt_probe_feed_file. `rows` (may be NULL)
    receives the number of sequences. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('probe',), 'settings')
    path_ = to_text(path, 'path')
    activations_ = to_text(activations, 'activations')
    targets_ = to_text(targets, 'targets')
    out_ = c.c_void_p()
    rows_ = c.c_int64()
    status = run(ctx, lib.mesaopt_probe_plan_file, ctx_, settings_, path_, activations_, targets_, c.addressof(out_), c.addressof(rows_))
    if status: check(status, ctx)
    return made(Probe, out_, ctx), rows_.value


def probe_plan_from(ctx: Ctx, settings: SettingsLike | None, bytes: bytes, activations: str, targets: str) -> tuple[Probe, int]:
    """The same from the bytes of such a file in memory, which are not kept. Since 0.1."""
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('probe',), 'settings')
    bytes_ = to_bytes(bytes, 'bytes')
    activations_ = to_text(activations, 'activations')
    targets_ = to_text(targets, 'targets')
    out_ = c.c_void_p()
    rows_ = c.c_int64()
    status = run(ctx, lib.mesaopt_probe_plan_from, ctx_, settings_, bytes_, same_length(bytes=(bytes)), activations_, targets_, c.addressof(out_), c.addressof(rows_))
    if status: check(status, ctx)
    return made(Probe, out_, ctx), rows_.value


def probe_workspace(ctx: Ctx, settings: SettingsLike | None, features: Sequence, steps: int, targets: int) -> int:
    """Bytes that such probes take at most: the test set's come with its first sequences only. Since 0.1."""
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('probe',), 'settings')
    features_ = to_integers(features, c.c_int64, INT64, 'features')
    steps_ = to_integer(steps, INT64, 'steps')
    targets_ = to_integer(targets, INT64, 'targets')
    bytes_ = c.c_int64()
    status = run(ctx, lib.mesaopt_probe_workspace, ctx_, settings_, same_length(features=(features)), features_, steps_, targets_, c.addressof(bytes_))
    if status: check(status, ctx)
    return bytes_.value


def probe_shape(probe: Probe) -> tuple[int, int, int]:
    """Layers, steps and targets, and the features of a layer. Each pointer may be NULL. Since 0.1."""
    probe_ = to_handle(probe, 'probe')
    layers_ = c.c_int64()
    steps_ = c.c_int64()
    targets_ = c.c_int64()
    status = plain(probe, lib.mesaopt_probe_shape, probe_, c.addressof(layers_), c.addressof(steps_), c.addressof(targets_))
    if status: check(status, probe)
    return layers_.value, steps_.value, targets_.value


def probe_features(probe: Probe, layer: int) -> int:
    """Layers, steps and targets, and the features of a layer. Each pointer may be NULL. Since 0.1."""
    probe_ = to_handle(probe, 'probe')
    layer_ = to_integer(layer, INT64, 'layer')
    features_ = c.c_int64()
    status = plain(probe, lib.mesaopt_probe_features, probe_, layer_, c.addressof(features_))
    if status: check(status, probe)
    return features_.value


def probe_feed(probe: Probe, set: int, activations: Sequence[Array], targets: Array, weights: Array | None = None) -> int:
    """Takes in B sequences: activations[l] [B, T, D_l] for every layer, targets [B, T, n], or [L, B, T, n] when
    layers have their own, and weights [B] or [B, T] (NULL: all 1; 0 leaves a sequence out). f32 or f64 each,
    targets i32, i64 or bool too (0 or 1), any strides. Numbers are of size up to 1e100, or
    MESAOPT_E_NONFINITE names the element; a feature, a target or weights that are all below 1e-100 may count
    as 0. All or nothing; allocates only with the first sequences of the test set. Since 0.1.
    """
    probe_ = to_handle(probe, 'probe')
    set_ = to_integer(set, INT32, 'set')
    activations_ = view_ins(activations, 'activations')
    expect_length(activations, probe_shape(probe)[0], 'activations')
    targets_ = view_in(targets, 'targets')
    weights_ = NO_VIEW if weights is None else view_in(weights, 'weights')
    status = run(probe, lib.mesaopt_probe_feed, probe_, set_, activations_[0], targets_[0], weights_[0])
    if status: check(status, probe)
    return status


def probe_feed_model(probe: Probe, set: int, model: Model, blocks: Sequence | None, task: Task, stream: int, first: int, count: int) -> int:
    """Runs `model` on sequences first .. first + count - 1 of a stream of `task`, batch by batch, and takes in
    the stream after blocks[l] (-1: the tokens; blocks NULL: -1, 0, 1, ...) as the activations of layer l.
    Targets are those of mesaopt_probe_targets with the settings of the plan (with target=features of f(x) in
    place of x: MESAOPT_E_STATE when the task has none), unless mesaopt_probe_set_targets says otherwise. With
    the setting `filter`, sequences are drawn twice. All or nothing. MESAOPT_E_BUSY: called by a callback of a
    call that feeds the same probe. Since 0.1.
    """
    probe_ = to_handle(probe, 'probe')
    set_ = to_integer(set, INT32, 'set')
    model_ = to_handle(model, 'model')
    blocks_ = None if blocks is None else to_integers(blocks, c.c_int64, INT64, 'blocks')
    if blocks is not None: expect_length(blocks, probe_shape(probe)[0], 'blocks')
    task_ = to_handle(task, 'task')
    stream_ = to_integer(stream, INT32, 'stream')
    first_ = to_integer(first, INT64, 'first')
    count_ = to_integer(count, INT64, 'count')
    status = run(probe, lib.mesaopt_probe_feed_model, probe_, set_, model_, blocks_, task_, stream_, first_, count_)
    if status: check(status, probe)
    return status


def probe_feed_control(probe: Probe, set: int, conditioner: Baseline, task: Task, stream: int, first: int, count: int) -> int:
    """A control: as mesaopt_probe_feed_model, but the activations of the only layer are what `conditioner` makes
    of its input at t (mesaopt_baseline_precondition; with space=features of `task`, unless it has its own),
    and the setting `filter` goes by their norms. Since 0.1.
    """
    probe_ = to_handle(probe, 'probe')
    set_ = to_integer(set, INT32, 'set')
    conditioner_ = to_handle(conditioner, 'conditioner')
    task_ = to_handle(task, 'task')
    stream_ = to_integer(stream, INT32, 'stream')
    first_ = to_integer(first, INT64, 'first')
    count_ = to_integer(count, INT64, 'count')
    status = run(probe, lib.mesaopt_probe_feed_control, probe_, set_, conditioner_, task_, stream_, first_, count_)
    if status: check(status, probe)
    return status


def probe_feed_file(probe: Probe, set: int, path: str, activations: str, targets: str, weights: str | None, first: int, count: int) -> int:
    """Takes in rows first .. first + count - 1 (count -1: to the end) of a safetensors file (f64, f32, f16 or
    bf16; targets i64, i32 or bool, too), read piece by piece. `activations`: names of one tensor [B, T, D]
    per layer, separated by commas; or one name with a `*` that stands for consecutive numbers, the lowest
    being layer 0; or the name of one tensor [L, B, T, D]. `targets`: name of a tensor [B, T, n]. Without the
    axis T there is one step. `weights`: name of a tensor [B] or [B, T], or NULL. MESAOPT_E_FORMAT and
    MESAOPT_E_NONFINITE name the tensor and the place. All or nothing. Since 0.1.
    """
    probe_ = to_handle(probe, 'probe')
    set_ = to_integer(set, INT32, 'set')
    path_ = to_text(path, 'path')
    activations_ = to_text(activations, 'activations')
    targets_ = to_text(targets, 'targets')
    weights_ = None if weights is None else to_text(weights, 'weights')
    first_ = to_integer(first, INT64, 'first')
    count_ = to_integer(count, INT64, 'count')
    status = run(probe, lib.mesaopt_probe_feed_file, probe_, set_, path_, activations_, targets_, weights_, first_, count_)
    if status: check(status, probe)
    return status


def probe_feed_from(probe: Probe, set: int, bytes: bytes, activations: str, targets: str, weights: str | None, first: int, count: int) -> int:
    """The same from the bytes of such a file in memory, which are not kept. Since 0.1."""
    probe_ = to_handle(probe, 'probe')
    set_ = to_integer(set, INT32, 'set')
    bytes_ = to_bytes(bytes, 'bytes')
    activations_ = to_text(activations, 'activations')
    targets_ = to_text(targets, 'targets')
    weights_ = None if weights is None else to_text(weights, 'weights')
    first_ = to_integer(first, INT64, 'first')
    count_ = to_integer(count, INT64, 'count')
    status = run(probe, lib.mesaopt_probe_feed_from, probe_, set_, bytes_, same_length(bytes=(bytes)), activations_, targets_, weights_, first_, count_)
    if status: check(status, probe)
    return status


def probe_set_targets(probe: Probe, conditioner: Baseline | None = None, fill: Callable | None = None) -> int:
    """Where mesaopt_probe_feed_model takes targets from: what `conditioner` makes of its input at t
    (mesaopt_baseline_precondition, m targets; a counted reference is kept), or a callback on the calling
    thread; `release` (may be NULL) follows when another call of this function has taken its place, or when
    the last user of the probe has gone. Both NULL: as the settings say. Since 0.1.
    """
    probe_ = to_handle(probe, 'probe')
    conditioner_ = None if conditioner is None else to_handle(conditioner, 'conditioner')
    fill_ = kept_callback(TARGET_FN, fill)
    status = run_calling(probe, lib.mesaopt_probe_set_targets, probe_, conditioner_, fill_[0], fill_[2], fill_[1])
    if status < 0: RELEASE(fill_[1])
    if status: check(status, probe)
    return status


def probe_reset(probe: Probe, set: int) -> int:
    """Forgets the sequences of a set. Since 0.1."""
    probe_ = to_handle(probe, 'probe')
    set_ = to_integer(set, INT32, 'set')
    status = run(probe, lib.mesaopt_probe_reset, probe_, set_)
    if status: check(status, probe)
    return status


def probe_count(probe: Probe, set: int, out: Array) -> int:
    """Sequences of a weight above 0 that a set has at step t: out i64 [T]. Since 0.1."""
    probe_ = to_handle(probe, 'probe')
    set_ = to_integer(set, INT32, 'set')
    out_ = view_out(out, 'out')
    status = plain(probe, lib.mesaopt_probe_count, probe_, set_, out_[0])
    if status: check(status, probe)
    return status


def probe_fit(probe: Probe, settings: SettingsLike | None = None) -> int:
    """Fits all probes to the training set, with `intercept`, `penalty` and `rcond` of `settings` (NULL: of the
    plan); may be repeated, after more sequences or with other settings. MESAOPT_E_STATE: fewer sequences at
    some step than features (and no penalty); the text says where. Allocates nothing. Since 0.1.
    """
    probe_ = to_handle(probe, 'probe')
    no_exports(probe)
    settings_ = settings_of(settings, ('probe',), 'settings')
    status = run(probe, lib.mesaopt_probe_fit, probe_, settings_)
    if status: check(status, probe)
    return status


def probe_score(probe: Probe, set: int, mse: Array | None = None, r2: Array | None = None) -> int:
    """Scores of the fitted maps on a set, f32 or f64; either view may be NULL. mse [L, T]: mean over sequences
    of the half squared error, summed over targets (setting error=half_sum), or of the mean over targets of
    the squared error (error=mean); [L, T, n]: one target alone, in the same measure, so that sum or mean over
    n give [L, T]. r2 [L, T] or [L, T, n]: 1 - squared error / squared distance from the mean target of the
    set, sums over targets; NaN where targets do not vary. No second pass over any data. MESAOPT_E_NONFINITE:
    an error is too large for the type of mse or r2. Since 0.1.
    """
    probe_ = to_handle(probe, 'probe')
    set_ = to_integer(set, INT32, 'set')
    mse_ = NO_VIEW if mse is None else view_out(mse, 'mse')
    r2_ = NO_VIEW if r2 is None else view_out(r2, 'r2')
    status = run(probe, lib.mesaopt_probe_score, probe_, set_, mse_[0], r2_[0])
    if status: check(status, probe)
    return status


def probe_weights(probe: Probe, layer: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Views of W [D_l, n] and of the intercept [n] (zeros without one) of a fitted probe, f64, READONLY, valid
    until the next fit. Either may be NULL. Since 0.1.
    """
    probe_ = to_handle(probe, 'probe')
    layer_ = to_integer(layer, INT64, 'layer')
    step_ = to_integer(step, INT64, 'step')
    weights_ = View()
    intercept_ = View()
    status = run(probe, lib.mesaopt_probe_weights, probe_, layer_, step_, c.addressof(weights_), c.addressof(intercept_))
    if status: check(status, probe)
    return copy_of(weights_), copy_of(intercept_)


def probe_rank(probe: Probe, out: Array) -> int:
    """Singular values of the activations that rcond left: out i64 [L, T]. Since 0.1."""
    probe_ = to_handle(probe, 'probe')
    out_ = view_out(out, 'out')
    status = run(probe, lib.mesaopt_probe_rank, probe_, out_[0])
    if status: check(status, probe)
    return status


def probe_targets(ctx: Ctx, settings: SettingsLike | None, sequences: Array, out: Array) -> int:
    """Targets that are observations: of sequences [B, T+1, n] the `lags` ones from x_{t-lag} back, out [B, T,
    lags n]: [x_{t-lag}, x_{t-lag-1}, ...]; lag = -1, lags = 1: the next one, which is the default.
    Observations before the first are 0. The setting target has to say observations: probes that are fed from
    a model have its task to ask for features. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('probe',), 'settings')
    sequences_ = view_in(sequences, 'sequences')
    out_ = view_out(out, 'out')
    status = run(ctx, lib.mesaopt_probe_targets, ctx_, settings_, sequences_[0], out_[0])
    if status: check(status, ctx)
    return status


def probe_filter(ctx: Ctx, limit: float, targets: Array, out: Array) -> int:
    """Weights that leave outliers out: of targets [B, T, n], out [B, T] is 0 where the norm at t is `limit` or
    more standard deviations (of the population of the B norms) above their mean, and 1 elsewhere, and where
    norms differ by rounding alone. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    limit_ = to_number(limit, 'limit')
    targets_ = view_in(targets, 'targets')
    out_ = view_out(out, 'out')
    status = run(ctx, lib.mesaopt_probe_filter, ctx_, limit_, targets_[0], out_[0])
    if status: check(status, ctx)
    return status


def prompt_create(ctx: Ctx, settings: SettingsLike | None = None) -> Prompt:
    """Creates a prompt (scope MESAOPT_SCOPE_PROMPT, NULL: defaults) of vectors N(0, init_sd^2), which `seed`
    says. The caller frees *out. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('prompt',), 'settings')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_prompt_create, ctx_, settings_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Prompt, out_, ctx)


def prompt_vectors(prompt: Prompt, name: str) -> np.ndarray:
    """View (f64) of the vectors `name`: "separator" [1, n], "prefix" [p, n]; writing through it changes the
    prompt. Valid while the prompt lives. Since 0.1.
    """
    prompt_ = to_handle(prompt, 'prompt')
    name_ = to_text(name, 'name')
    out_ = View()
    status = run(prompt, lib.mesaopt_prompt_vectors, prompt_, name_, c.addressof(out_))
    if status: check(status, prompt)
    return array_of(out_, prompt)


def prompt_freeze(prompt: Prompt, name: str, frozen: int) -> int:
    """Says whether training leaves the vectors `name` as they are, moments included: frozen 1, or 0, as at
    first. Since 0.1.
    """
    prompt_ = to_handle(prompt, 'prompt')
    name_ = to_text(name, 'name')
    frozen_ = to_integer(frozen, INT32, 'frozen')
    status = run(prompt, lib.mesaopt_prompt_freeze, prompt_, name_, frozen_)
    if status: check(status, prompt)
    return status


def prompt_gradient(prompt: Prompt, model: Model, task: Task, stream: int, first: int, count: int, separator: Array | None = None, prefix: Array | None = None) -> float:
    """Gradient of the loss on sequences first .. first + count - 1 of `stream` of a task that has this prompt,
    with respect to the separator [1, n] and the prefix [p, n], frozen or not; 0 where the layout has none.
    f64; each may be NULL, `loss` too. count >= 1, in one batch. The model and the gradients of its parameters
    stay as they are. MESAOPT_E_STATE: the task has another prompt, or none. MESAOPT_E_NONFINITE,
    MESAOPT_NOT_CONVERGED: as mesaopt_model_gradient. Since 0.1.
    """
    prompt_ = to_handle(prompt, 'prompt')
    model_ = to_handle(model, 'model')
    task_ = to_handle(task, 'task')
    stream_ = to_integer(stream, INT32, 'stream')
    first_ = to_integer(first, INT64, 'first')
    count_ = to_integer(count, INT64, 'count')
    separator_ = NO_VIEW if separator is None else view_out(separator, 'separator')
    prefix_ = NO_VIEW if prefix is None else view_out(prefix, 'prefix')
    loss_ = c.c_double()
    status = run(prompt, lib.mesaopt_prompt_gradient, prompt_, model_, task_, stream_, first_, count_, separator_[0], prefix_[0], c.addressof(loss_))
    if status: check(status, prompt)
    return loss_.value


def prompt_train(prompt: Prompt, model: Model, task: Task, updates: int, after: Callable | None = None) -> int:
    """Learns until `updates` updates in all have been taken, calling `after` (may be NULL) after each, as
    mesaopt_trainer_run. Allocates before the first of them, and not in between. MESAOPT_STOPPED: the callback
    or an interrupt ended it early. MESAOPT_E_NONFINITE: a loss or gradient is not finite; that update was not
    made. MESAOPT_E_STATE: the task has another prompt, or none, or all vectors that its layout puts in are
    frozen. Since 0.1.
    """
    prompt_ = to_handle(prompt, 'prompt')
    model_ = to_handle(model, 'model')
    task_ = to_handle(task, 'task')
    updates_ = to_integer(updates, INT64, 'updates')
    after_ = callback(STEP_FN, after)
    status = run_calling(prompt, lib.mesaopt_prompt_train, prompt_, model_, task_, updates_, after_[0], after_[1])
    if status: check(status, prompt)
    return status


def prompt_updates(prompt: Prompt) -> int:
    """Updates taken so far, or a negative status. Since 0.1."""
    prompt_ = to_handle(prompt, 'prompt')
    return counted(lib.mesaopt_prompt_updates(prompt_), prompt)


def prompt_save(prompt: Prompt, path: str) -> int:
    """Writes a safetensors file with all that a prompt is: the tensors separator and prefix (f64), their
    moments, settings, counts, and what is frozen; it replaces `path` atomically. Also from callbacks.
    MESAOPT_E_IO with the system's words; MESAOPT_E_NONFINITE names the element. A file that was there is as
    it was. Since 0.1.
    """
    prompt_ = to_handle(prompt, 'prompt')
    path_ = to_text(path, 'path')
    status = run(prompt, lib.mesaopt_prompt_save, prompt_, path_)
    if status: check(status, prompt)
    return status


def prompt_save_to(prompt: Prompt, write: Callable) -> int:
    """The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes that the
    file would have. Since 0.1.
    """
    prompt_ = to_handle(prompt, 'prompt')
    write_ = callback(WRITE_FN, write)
    status = run_calling(prompt, lib.mesaopt_prompt_save_to, prompt_, write_[0], write_[1])
    if status: check(status, prompt)
    return status


def prompt_open(ctx: Ctx, path: str) -> Prompt:
    """Reads a prompt back, which goes on learning as the saved one would have. MESAOPT_E_FORMAT names the file
    and what is wrong in it. The caller frees *out. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    path_ = to_text(path, 'path')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_prompt_open, ctx_, path_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Prompt, out_, ctx)


def prompt_open_from(ctx: Ctx, bytes: bytes) -> Prompt:
    """The same from the bytes of such a file in memory, which are not kept. Since 0.1."""
    ctx_ = to_handle(ctx, 'ctx')
    bytes_ = to_bytes(bytes, 'bytes')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_prompt_open_from, ctx_, bytes_, same_length(bytes=(bytes)), c.addressof(out_))
    if status: check(status, ctx)
    return made(Prompt, out_, ctx)


def revalg_extract(model: Model) -> Revalg:
    """Reads the scalars off a model whose blocks are linear, softmax (without positions), dense or mask, all of
    whose widths are multiples of its `outputs`. The model may be in training, and may change or go
    afterwards. MESAOPT_E_UNSUPPORTED names the block that does not fit. MESAOPT_E_NONFINITE: the squared norm
    of the products overflows. The caller frees *out. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    out_ = c.c_void_p()
    status = run(model, lib.mesaopt_revalg_extract, model_, c.addressof(out_))
    if status: check(status, model)
    return made(Revalg, out_, model)


def revalg_scalars(revalg: Revalg, block: int, product: int) -> np.ndarray:
    """View of the scalars of a product of block i: f64 [heads, S, S'], means of the diagonals of its blocks;
    writing through it changes what mesaopt_revalg_rebuild builds. Valid while the extraction lives.
    MESAOPT_E_ARGUMENT: the block has no such product. Since 0.1.
    """
    revalg_ = to_handle(revalg, 'revalg')
    block_ = to_integer(block, INT64, 'block')
    product_ = to_integer(product, INT32, 'product')
    out_ = View()
    status = run(revalg, lib.mesaopt_revalg_scalars, revalg_, block_, product_, c.addressof(out_))
    if status: check(status, revalg)
    return array_of(out_, revalg)


def revalg_residuals(revalg: Revalg, block: int, product: int) -> np.ndarray:
    """What the scalars leave out: view, as above, of the Frobenius norms of (block - mean of its diagonal times
    the identity). Since 0.1.
    """
    revalg_ = to_handle(revalg, 'revalg')
    block_ = to_integer(block, INT64, 'block')
    product_ = to_integer(product, INT32, 'product')
    out_ = View()
    status = run(revalg, lib.mesaopt_revalg_residuals, revalg_, block_, product_, c.addressof(out_))
    if status: check(status, revalg)
    return array_of(out_, revalg)


def revalg_summary(revalg: Revalg) -> tuple[float, float]:
    """`weights`: scalars that are not 0, as a share of the weights they stand for; `explained`: share of the
    products' squared norm that blocks of scaled identity account for (1: the products are such; 1/n: they are
    noise). Each pointer may be NULL. Since 0.1.
    """
    revalg_ = to_handle(revalg, 'revalg')
    weights_ = c.c_double()
    explained_ = c.c_double()
    status = run(revalg, lib.mesaopt_revalg_summary, revalg_, c.addressof(weights_), c.addressof(explained_))
    if status: check(status, revalg)
    return weights_.value, explained_.value


def revalg_closed_form(revalg: Revalg, out: Array) -> int:
    """One attention layer on constructed tokens (S = 4; masks before it are heeded) in closed form: out f64
    [heads, 6] = alpha, eta, beta, gamma, p1, p2, prediction = sum_h sum_{t' <= t} f(x_t . (alpha x_t' + eta
    x_{t'-1}) + x_{t-1} . (beta x_t' + gamma x_{t'-1})) (p1 x_t' + p2 x_{t'-1}), f the identity or a softmax
    over t', of its argument times the scale. MESAOPT_E_UNSUPPORTED: not one such layer. Since 0.1.
    """
    revalg_ = to_handle(revalg, 'revalg')
    out_ = view_out(out, 'out')
    status = run(revalg, lib.mesaopt_revalg_closed_form, revalg_, out_[0])
    if status: check(status, revalg)
    return status


def revalg_rebuild(revalg: Revalg) -> Model:
    """A model of the scalars: the same blocks with W_k = P = I (key = value = D), W_q and W_v blocks of scaled
    identity; clips and masks as they were, softmax with the scale of the original. MESAOPT_E_NONFINITE:
    scalars that were written. The caller frees *out. Since 0.1.
    """
    revalg_ = to_handle(revalg, 'revalg')
    out_ = c.c_void_p()
    status = run(revalg, lib.mesaopt_revalg_rebuild, revalg_, c.addressof(out_))
    if status: check(status, revalg)
    return made(Model, out_, revalg)


def revalg_product(model: Model, block: int, product: int, head: int, out: Array) -> int:
    """A product itself: W_q W_k^T or W_v P of a head, or a dense block's weights: out [D, D'], f32 or f64. Since
    0.1.
    """
    model_ = to_handle(model, 'model')
    block_ = to_integer(block, INT64, 'block')
    product_ = to_integer(product, INT32, 'product')
    head_ = to_integer(head, INT64, 'head')
    out_ = view_out(out, 'out')
    status = run(model, lib.mesaopt_revalg_product, model_, block_, product_, head_, out_[0])
    if status: check(status, model)
    return status


def revalg_average(a: Model, b: Model) -> Model:
    """A model whose products are the means of the products of `a` and `b`: logits (s_a Q_a K_a^T + s_b Q_b
    K_b^T) / 2 with their scales s, outputs (attention V_a P_a + attention V_b P_b) / 2 with the one attention
    of these logits; of dense blocks the mean weights. The blocks must agree in kind, heads, width and clip.
    The caller frees *out. Since 0.1.
    """
    a_ = to_handle(a, 'a')
    b_ = to_handle(b, 'b')
    out_ = c.c_void_p()
    status = run(a, lib.mesaopt_revalg_average, a_, b_, c.addressof(out_))
    if status: check(status, a)
    return made(Model, out_, a)


def revalg_average_update(average: Model, a: Model, b: Model) -> int:
    """Does it again for new weights of a and b, into a model that mesaopt_revalg_average made of them; allocates
    nothing. May be called in a trainer's callback. MESAOPT_E_STATE: a trainer holds `average`, or it is not
    such a model. Since 0.1.
    """
    average_ = to_handle(average, 'average')
    a_ = to_handle(a, 'a')
    b_ = to_handle(b, 'b')
    status = run(average, lib.mesaopt_revalg_average_update, average_, a_, b_)
    if status: check(status, average)
    return status


def revalg_proposition1(ctx: Ctx, settings: SettingsLike | None, eta: float, phi0: Array | None) -> Model:
    """Proposition 1: one linear layer that is one step of gradient descent of size eta from Phi0 (f32 or f64 [n,
    n], acting on columns; NULL: 0), on tokens [Phi0 s_t, s_t, s_{t-1}] (`inputs` = 3 n) or [Phi0 s_t,
    anything, s_t, s_{t-1}] (4 n; with Phi0 = 0 the constructed tokens); prediction (Phi0 - eta grad
    L_t(Phi0)) s_t. `settings`: scope MESAOPT_SCOPE_MODEL. The caller frees *out. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('model',), 'settings')
    eta_ = to_number(eta, 'eta')
    phi0_ = NO_VIEW if phi0 is None else view_in(phi0, 'phi0')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_revalg_proposition1, ctx_, settings_, eta_, phi0_[0], c.addressof(out_))
    if status: check(status, ctx)
    return made(Model, out_, ctx)


def revalg_proposition2(ctx: Ctx, settings: SettingsLike | None, baseline: Baseline) -> Model:
    """Proposition 2: a deep linear model that makes the predictions of `baseline` (neumann, richardson or
    chebyshev with a divisor, or gd; newest_pair on): one linear layer and one dense block per step, and one
    last linear layer. Tokens: [0, s_t, s_{t-1}, s_t, s_t, s_t] (`inputs` = 6 n), or the constructed ones (4
    n), of which a first dense block makes these. The coefficients are those of now; MESAOPT_E_NONFINITE: they
    are not finite. The caller frees *out. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('model',), 'settings')
    baseline_ = to_handle(baseline, 'baseline')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_revalg_proposition2, ctx_, settings_, baseline_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Model, out_, ctx)


def revalg_import_file(ctx: Ctx, settings: SettingsLike | None, block: SettingsLike, path: str) -> Model:
    """The same from a safetensors file that holds the parameters of such blocks I = 0, 1, .., blocks.I.query and
    so on, and nothing else. MESAOPT_E_FORMAT names the tensor that is missing, not expected or of another
    shape. (Files of this library: mesaopt_model_open.) Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('model',), 'settings')
    block_ = settings_of(block, ('linear', 'softmax', 'mesa', 'dense', 'mask', 'mlp', 'norm'), 'block')
    path_ = to_text(path, 'path')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_revalg_import_file, ctx_, settings_, block_, path_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Model, out_, ctx)


def revalg_import_from(ctx: Ctx, settings: SettingsLike | None, block: SettingsLike, bytes: bytes) -> Model:
    """The same from the bytes of such a file in memory, which are not kept. Since 0.1."""
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('model',), 'settings')
    block_ = settings_of(block, ('linear', 'softmax', 'mesa', 'dense', 'mask', 'mlp', 'norm'), 'block')
    bytes_ = to_bytes(bytes, 'bytes')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_revalg_import_from, ctx_, settings_, block_, bytes_, same_length(bytes=(bytes)), c.addressof(out_))
    if status: check(status, ctx)
    return made(Model, out_, ctx)


def rls_create(lsq: Lsq, streams: int, ridge: Array | None = None) -> Rls:
    """Creates `streams` regressions without rows of a plan, which they keep alive. ridge [streams, d_key]: l > 0
    (NULL: the plan's setting). The caller frees *out. Since 0.1.
    """
    lsq_ = to_handle(lsq, 'lsq')
    streams_ = to_integer(streams, INT64, 'streams')
    ridge_ = NO_VIEW if ridge is None else view_in(ridge, 'ridge')
    out_ = c.c_void_p()
    status = run(lsq, lib.mesaopt_rls_create, lsq_, streams_, ridge_[0], c.addressof(out_))
    if status: check(status, lsq)
    return made(Rls, out_, lsq)


def rls_update(rls: Rls, k: Array, v: Array, beta: Array | None = None, log_gamma: Array | None = None) -> int:
    """Takes in rows: k [T, streams, d_key], v [T, streams, d_val], weights beta [T, streams] >= 0 (NULL: 1), log
    of the gates log_gamma [T, streams] <= 0 (NULL: the plan's setting gamma). A row of weight 0 adds nothing,
    and its key and value may hold anything, NaN too; it counts as a row (in a window it has its place), and
    its gate forgets. In the others |k|, |v|, sqrt(beta) |k| and sqrt(beta) |v| are at most 2^480 (3.1e144),
    so that sums of squares are finite: rows that are not so are refused before any is taken in. Since 0.1.
    """
    rls_ = to_handle(rls, 'rls')
    k_ = view_in(k, 'k')
    v_ = view_in(v, 'v')
    beta_ = NO_VIEW if beta is None else view_in(beta, 'beta')
    log_gamma_ = NO_VIEW if log_gamma is None else view_in(log_gamma, 'log_gamma')
    status = run(rls, lib.mesaopt_rls_update, rls_, k_[0], v_[0], beta_[0], log_gamma_[0])
    if status: check(status, rls)
    return status


def rls_predict(rls: Rls, q: Array, out: Array, error: Array | None = None) -> int:
    """out [T, streams, d_val] for queries q [T, streams, d_key], all on the rows so far. error (NULL: not
    wanted), of the shape of out: the standard error of each prediction, sqrt(s^2 q^T (H + diag l)^-1 q), s^2
    = (sum of b v^2 - S_j^T (H + diag l)^-1 S_j) / sum of b: the posterior deviation when the ridge is the
    prior; a new value scatters by sqrt(s^2 + error^2). NaN while the weights sum to 0. Since 0.1.
    """
    rls_ = to_handle(rls, 'rls')
    q_ = view_in(q, 'q')
    out_ = view_out(out, 'out')
    error_ = NO_VIEW if error is None else view_out(error, 'error')
    status = run(rls, lib.mesaopt_rls_predict, rls_, q_[0], out_[0], error_[0])
    if status: check(status, rls)
    return status


def rls_step(rls: Rls, q: Array, k: Array, v: Array, beta: Array | None, log_gamma: Array | None, out: Array) -> int:
    """For every row in turn: takes it in, then predicts for its query, as mesaopt_lsq_forward does for whole
    sequences. Since 0.1.
    """
    rls_ = to_handle(rls, 'rls')
    q_ = view_in(q, 'q')
    k_ = view_in(k, 'k')
    v_ = view_in(v, 'v')
    beta_ = NO_VIEW if beta is None else view_in(beta, 'beta')
    log_gamma_ = NO_VIEW if log_gamma is None else view_in(log_gamma, 'log_gamma')
    out_ = view_out(out, 'out')
    status = run(rls, lib.mesaopt_rls_step, rls_, q_[0], k_[0], v_[0], beta_[0], log_gamma_[0], out_[0])
    if status: check(status, rls)
    return status


def rls_merge(rls: Rls, other: Rls) -> int:
    """The rows of `from` after those of `rls`: as if one had seen both. Refused when sums might not be finite.
    Plans of equal dimensions, window, gamma and missing, and equal ridges; `from` stays as it is, to the bit.
    It may be of another context (MESAOPT_E_BUSY: in which a call runs). Since 0.1.
    """
    rls_ = to_handle(rls, 'rls')
    other_ = to_handle(other, 'other')
    status = run(rls, lib.mesaopt_rls_merge, rls_, other_)
    if status: check(status, rls)
    return status


def rls_shape(rls: Rls) -> tuple[int, int, int]:
    """Streams side by side, and channels of their keys and values. Each pointer may be NULL. Since 0.1."""
    rls_ = to_handle(rls, 'rls')
    streams_ = c.c_int64()
    d_key_ = c.c_int64()
    d_val_ = c.c_int64()
    status = plain(rls, lib.mesaopt_rls_shape, rls_, c.addressof(streams_), c.addressof(d_key_), c.addressof(d_val_))
    if status: check(status, rls)
    return streams_.value, d_key_.value, d_val_.value


def rls_clear(rls: Rls) -> int:
    """Forgets all rows. Since 0.1."""
    rls_ = to_handle(rls, 'rls')
    status = run(rls, lib.mesaopt_rls_clear, rls_)
    if status: check(status, rls)
    return status


def rls_get(rls: Rls, which: Sequence, views: Sequence[Array]) -> int:
    """Reads parts of the state: views[i] (f32 or f64) receives which[i], a MESAOPT_RLS_*. RESIDUAL is NaN where
    rounding has left less than six digits of it, after a mesaopt_rls_set without it. Since 0.1.
    """
    rls_ = to_handle(rls, 'rls')
    which_ = to_integers(which, c.c_int32, INT32, 'which')
    views_ = view_outs(views, 'views')
    status = run(rls, lib.mesaopt_rls_get, rls_, same_length(which=(which), views=(views)), which_, views_[0])
    if status: check(status, rls)
    return status


def rls_set(rls: Rls, which: Sequence, views: Sequence[Array]) -> int:
    """Replaces the state: KEY_STATE (symmetric, positive semidefinite) and VALUE_STATE have to be given, WEIGHT
    and SQUARES (otherwise 0) may be, and RESIDUAL: without it standard errors are computed from SQUARES, and
    where rounding has left less than six digits of them, predictions with errors come with
    MESAOPT_NOT_CONVERGED. ROWS and MISSING are 0 then. MESAOPT_E_UNSUPPORTED with a window: such a state
    consists of its rows. Since 0.1.
    """
    rls_ = to_handle(rls, 'rls')
    which_ = to_integers(which, c.c_int32, INT32, 'which')
    views_ = view_ins(views, 'views')
    status = run(rls, lib.mesaopt_rls_set, rls_, same_length(which=(which), views=(views)), which_, views_[0])
    if status: check(status, rls)
    return status


def rls_save(rls: Rls, path: str) -> int:
    """Writes the state as safetensors (f64), as mesaopt_model_save writes. This handle and one read from the
    file go on alike, bit for bit; what it predicts may differ by roundings from what it would have predicted
    without saving, also when that fails. Since 0.1.
    """
    rls_ = to_handle(rls, 'rls')
    path_ = to_text(path, 'path')
    status = run(rls, lib.mesaopt_rls_save, rls_, path_)
    if status: check(status, rls)
    return status


def rls_save_to(rls: Rls, write: Callable) -> int:
    """The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes that the
    file would have. Since 0.1.
    """
    rls_ = to_handle(rls, 'rls')
    write_ = callback(WRITE_FN, write)
    status = run_calling(rls, lib.mesaopt_rls_save_to, rls_, write_[0], write_[1])
    if status: check(status, rls)
    return status


def rls_open(lsq: Lsq, path: str) -> Rls:
    """Creates a handle from a file of mesaopt_rls_save, notes included; `lsq` has to have the dimensions,
    window, gamma and missing of its plan. Since 0.1.
    """
    lsq_ = to_handle(lsq, 'lsq')
    path_ = to_text(path, 'path')
    out_ = c.c_void_p()
    status = run(lsq, lib.mesaopt_rls_open, lsq_, path_, c.addressof(out_))
    if status: check(status, lsq)
    return made(Rls, out_, lsq)


def rls_open_from(lsq: Lsq, bytes: bytes) -> Rls:
    """The same from the bytes of such a file in memory, which are not kept. Since 0.1."""
    lsq_ = to_handle(lsq, 'lsq')
    bytes_ = to_bytes(bytes, 'bytes')
    out_ = c.c_void_p()
    status = run(lsq, lib.mesaopt_rls_open_from, lsq_, bytes_, same_length(bytes=(bytes)), c.addressof(out_))
    if status: check(status, lsq)
    return made(Rls, out_, lsq)


def rls_set_note(rls: Rls, key: str, text: str) -> int:
    """Keeps a text of the caller's with the state, as mesaopt_model_set_note does with a model. Since 0.1."""
    rls_ = to_handle(rls, 'rls')
    key_ = to_text(key, 'key')
    text_ = to_text(text, 'text')
    status = run(rls, lib.mesaopt_rls_set_note, rls_, key_, text_)
    if status: check(status, rls)
    return status


def rng_uniform(ctx: Ctx, seed: int, stream: int, first: int, low: float, high: float, out: Array) -> int:
    """Fills `out` [N, ...] (f32 or f64, strided) with U[low, high): row i along the first axis is a pure
    function of (seed, stream, first + i). Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    seed_ = to_integer(seed, UINT64, 'seed')
    stream_ = to_integer(stream, UINT32, 'stream')
    first_ = to_integer(first, UINT64, 'first')
    low_ = to_number(low, 'low')
    high_ = to_number(high, 'high')
    out_ = view_out(out, 'out')
    status = run(ctx, lib.mesaopt_rng_uniform, ctx_, seed_, stream_, first_, low_, high_, out_[0])
    if status: check(status, ctx)
    return status


def rng_normal(ctx: Ctx, seed: int, stream: int, first: int, mean: float, sd: float, out: Array) -> int:
    """Fills `out` [N, ...] with N(mean, sd^2); rows as in mesaopt_rng_uniform. Since 0.1."""
    ctx_ = to_handle(ctx, 'ctx')
    seed_ = to_integer(seed, UINT64, 'seed')
    stream_ = to_integer(stream, UINT32, 'stream')
    first_ = to_integer(first, UINT64, 'first')
    mean_ = to_number(mean, 'mean')
    sd_ = to_number(sd, 'sd')
    out_ = view_out(out, 'out')
    status = run(ctx, lib.mesaopt_rng_normal, ctx_, seed_, stream_, first_, mean_, sd_, out_[0])
    if status: check(status, ctx)
    return status


def rng_orthogonal(ctx: Ctx, seed: int, stream: int, first: int, out: Array) -> int:
    """Fills `out` [N, n, n] with Haar-distributed orthogonal matrices (QR of a Gaussian, signs fixed by diag R >
    0). Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    seed_ = to_integer(seed, UINT64, 'seed')
    stream_ = to_integer(stream, UINT32, 'stream')
    first_ = to_integer(first, UINT64, 'first')
    out_ = view_out(out, 'out')
    status = run(ctx, lib.mesaopt_rng_orthogonal, ctx_, seed_, stream_, first_, out_[0])
    if status: check(status, ctx)
    return status


def settings_set_int(settings: Settings, key: int, value: int) -> int:
    """Sets an integer (or choice, by index) key. MESAOPT_E_SETTING: unknown key, not of this scope, not of this
    type, out of bounds. Since 0.1.
    """
    settings_ = to_handle(settings, 'settings')
    key_ = to_integer(key, INT32, 'key')
    value_ = to_integer(value, INT64, 'value')
    status = plain(settings, lib.mesaopt_settings_set_int, settings_, key_, value_)
    if status: check(status, settings)
    return status


def settings_set_float(settings: Settings, key: int, value: float) -> int:
    """Sets a floating-point key; NaN is refused. Errors as mesaopt_settings_set_int. Since 0.1."""
    settings_ = to_handle(settings, 'settings')
    key_ = to_integer(key, INT32, 'key')
    value_ = to_number(value, 'value')
    status = plain(settings, lib.mesaopt_settings_set_float, settings_, key_, value_)
    if status: check(status, settings)
    return status


def settings_set_text(settings: Settings, name: str, value: str) -> int:
    """Sets any key from text: mesaopt_settings_set_text(s, "lr", "3e-4"). Numbers use '.', whatever the locale.
    Errors as mesaopt_settings_set_int, and unreadable text; an unknown key's text lists the known ones. Since
    0.1.
    """
    settings_ = to_handle(settings, 'settings')
    name_ = to_text(name, 'name')
    value_ = to_text(value, 'value')
    status = plain(settings, lib.mesaopt_settings_set_text, settings_, name_, value_)
    if status: check(status, settings)
    return status


def settings_get_int(settings: Settings, key: int) -> int:
    """Reads an integer key, or a choice as its index. Since 0.1."""
    settings_ = to_handle(settings, 'settings')
    key_ = to_integer(key, INT32, 'key')
    out_ = c.c_int64()
    status = plain(settings, lib.mesaopt_settings_get_int, settings_, key_, c.addressof(out_))
    if status: check(status, settings)
    return out_.value


def settings_get_float(settings: Settings, key: int) -> float:
    """Reads a floating-point key. Since 0.1."""
    settings_ = to_handle(settings, 'settings')
    key_ = to_integer(key, INT32, 'key')
    out_ = c.c_double()
    status = plain(settings, lib.mesaopt_settings_get_float, settings_, key_, c.addressof(out_))
    if status: check(status, settings)
    return out_.value


def settings_get_text(settings: Settings, name: str) -> str:
    """Writes the value of a key as the text that mesaopt_settings_set_text takes, at most cap bytes with the
    final NUL; returns the bytes the whole text needs, or a negative status. Since 0.1.
    """
    settings_ = to_handle(settings, 'settings')
    name_ = to_text(name, 'name')
    return read_text(lambda buf, cap: lib.mesaopt_settings_get_text(settings_, name_, buf, cap), settings)


def settings_describe(scope: int, key: int) -> tuple[int, float, float, float]:
    """Scope-independent facts of a key. Each out pointer may be NULL. `type` is a MESAOPT_TYPE_*; lowest and
    highest are the bounds as double (choice: 0 and the number of words - 1). MESAOPT_E_SETTING: the key does
    not apply to `scope`. Since 0.1.
    """
    scope_ = to_integer(scope, INT32, 'scope')
    key_ = to_integer(key, INT32, 'key')
    type_ = c.c_int32()
    lowest_ = c.c_double()
    highest_ = c.c_double()
    standard_ = c.c_double()
    status = plain(None, lib.mesaopt_settings_describe, scope_, key_, c.addressof(type_), c.addressof(lowest_), c.addressof(highest_), c.addressof(standard_))
    if status: check(status, None)
    return type_.value, lowest_.value, highest_.value, standard_.value


def settings_count(scope: int) -> int:
    """Number of keys of `scope` (0 for an unknown scope), and the i-th of them (0 when there is none). Since
    0.1.
    """
    scope_ = to_integer(scope, INT32, 'scope')
    return lib.mesaopt_settings_count(scope_)


def settings_key_at(scope: int, i: int) -> int:
    """Number of keys of `scope` (0 for an unknown scope), and the i-th of them (0 when there is none). Since
    0.1.
    """
    scope_ = to_integer(scope, INT32, 'scope')
    i_ = to_integer(i, INT32, 'i')
    return lib.mesaopt_settings_key_at(scope_, i_)


def settings_key(name: str) -> int:
    """Key number of a name, 0 when unknown; name of a key, NULL when unknown; static storage. Since 0.1."""
    name_ = to_text(name, 'name')
    return lib.mesaopt_settings_key(name_)


def settings_name(key: int) -> str | None:
    """Key number of a name, 0 when unknown; name of a key, NULL when unknown; static storage. Since 0.1."""
    key_ = to_integer(key, INT32, 'key')
    return decoded(lib.mesaopt_settings_name(key_))


def settings_word(key: int, i: int) -> str | None:
    """i-th word of a choice key, NULL past the last. Static storage. Since 0.1."""
    key_ = to_integer(key, INT32, 'key')
    i_ = to_integer(i, INT32, 'i')
    return decoded(lib.mesaopt_settings_word(key_, i_))


def settings_dump(settings: Settings) -> str:
    """Writes "name=value name=value ..." with every key of the scope, at most cap bytes with the final NUL;
    returns the bytes the whole text needs, or a negative status. The text, split at blanks, sets an equal
    object. Since 0.1.
    """
    settings_ = to_handle(settings, 'settings')
    return read_text(lambda buf, cap: lib.mesaopt_settings_dump(settings_, buf, cap), settings)


def settings_error(settings: Settings) -> str:
    """Text of the last failure on this object ("" when there was none), at most cap bytes with the final NUL;
    returns the bytes the whole text needs, or a negative status. Unchanged by success. Since 0.1.
    """
    settings_ = to_handle(settings, 'settings')
    return read_text(lambda buf, cap: lib.mesaopt_settings_error(settings_, buf, cap), settings)


def status_name(status: int) -> str | None:
    """Name of a status code, such as "MESAOPT_E_SHAPE"; "MESAOPT_UNKNOWN" for any other number. Never fails,
    never NULL, static storage. Since 0.1.
    """
    status_ = to_integer(status, INT32, 'status')
    return decoded(lib.mesaopt_status_name(status_))


def version_number() -> int:
    """Version of the library that is running, as MESAOPT_VERSION: major * 1000000 + minor * 1000 + patch. Since
    0.1.
    """
    return lib.mesaopt_version_number()


def version_text() -> str | None:
    """Version of the library that is running, such as "0.1.0". Static storage. Since 0.1."""
    return decoded(lib.mesaopt_version_text())


def build_info() -> str | None:
    """One line about the build: version, compiler, BLIS version, ISA levels compiled in. Static storage. Since
    0.1.
    """
    return decoded(lib.mesaopt_build_info())


def constant(name: str) -> int:
    """Value of any constant of the public headers by its name ("MESAOPT_E_SHAPE", "MESAOPT_KEY_LR", ...), for
    callers that cannot read C headers. `out` receives the value. MESAOPT_E_ARGUMENT when a pointer is NULL or
    the name is unknown. Since 0.1.
    """
    name_ = to_text(name, 'name')
    out_ = c.c_int64()
    status = plain(None, lib.mesaopt_constant, name_, c.addressof(out_))
    if status: check(status, None)
    return out_.value


def study_heads(model: Model, block: int) -> int:
    """Heads of a block, 0 when it is none of attention. Since 0.1."""
    model_ = to_handle(model, 'model')
    block_ = to_integer(block, INT64, 'block')
    heads_ = c.c_int64()
    status = plain(model, lib.mesaopt_study_heads, model_, block_, c.addressof(heads_))
    if status: check(status, model)
    return heads_.value


def study_attention_map(model: Model, block: int, task: Task, stream: int, first: int, count: int, out: Array) -> int:
    """Attention map of every head of a block: mean over sequences of the weights w_ts with which the output of
    the head at step t sums the values of steps s <= t, o_t = sum_s w_ts v_s. linear: scale q_t . k_s;
    softmax: softmax over s of that; mesa: (beta_s gamma_{s+1} .. gamma_t) k_s^T (H_t + diag l)^-1 q_t. out
    [H, T, T], f32 or f64, 0 above the diagonal. MESAOPT_E_UNSUPPORTED: the block has no heads;
    MESAOPT_NOT_CONVERGED: see model.h. May be called in a callback. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    block_ = to_integer(block, INT64, 'block')
    task_ = to_handle(task, 'task')
    stream_ = to_integer(stream, INT32, 'stream')
    first_ = to_integer(first, INT64, 'first')
    count_ = to_integer(count, INT64, 'count')
    out_ = view_out(out, 'out')
    status = run(model, lib.mesaopt_study_attention_map, model_, block_, task_, stream_, first_, count_, out_[0])
    if status: check(status, model)
    return status


def study_sensitivity(model: Model, blocks: Sequence, task: Task, stream: int, first: int, count: int, step: int, out: Array) -> int:
    """Sensitivity of the stream to the tokens: mean over sequences and over the features j of the stream after
    blocks[l] (-1: the tokens) of the norm of d f_{t,j} / d e_{t'}, e_{t'} the token of step t', f_t the
    stream at step t. Exact, by a backward pass for every feature and step. step -1: out [layers, T, T], 0
    where t' > t; step 0 .. T - 1: of that t alone, out [layers, T] (of t'), in a T-th of the time or less.
    f32 or f64. May be called in a callback. Since 0.1.
    """
    model_ = to_handle(model, 'model')
    blocks_ = to_integers(blocks, c.c_int64, INT64, 'blocks')
    task_ = to_handle(task, 'task')
    stream_ = to_integer(stream, INT32, 'stream')
    first_ = to_integer(first, INT64, 'first')
    count_ = to_integer(count, INT64, 'count')
    step_ = to_integer(step, INT64, 'step')
    out_ = view_out(out, 'out')
    status = run(model, lib.mesaopt_study_sensitivity, model_, same_length(blocks=(blocks)), blocks_, task_, stream_, first_, count_, step_, out_[0])
    if status: check(status, model)
    return status


def task_create(ctx: Ctx, settings: SettingsLike | None = None) -> Task:
    """Creates a generator (scope MESAOPT_SCOPE_TASK; NULL: defaults, the fully observed linear task). `settings`
    is copied. The caller frees *out. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('task',), 'settings')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_task_create, ctx_, settings_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Task, out_, ctx)


def task_from_tensor(ctx: Ctx, settings: SettingsLike | None, sequences: Tensor) -> Task:
    """A task over the user's own sequences [N, T+1, n], f32 or f64, finite, N >= 1, T >= 1. The task keeps a
    counted reference on `sequences`; of the settings it uses `tokens`, `slots` and `seed`.
    MESAOPT_E_NONFINITE names the first bad element. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('task',), 'settings')
    sequences_ = to_handle(sequences, 'sequences')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_task_from_tensor, ctx_, settings_, sequences_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Task, out_, ctx)


def task_from_tensors(ctx: Ctx, settings: SettingsLike | None, sequences: Sequence) -> Task:
    """A task over `count` sequences of the user's own, of any lengths: sequences[i] is [T_i + 1, n], f32 or f64,
    finite, T_i >= 1, with one n. T is the largest T_i; steps behind a sequence's end have the weight 0, and
    its observations there are given out as 0. Otherwise as mesaopt_task_from_tensor; the array of handles is
    not kept. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('task',), 'settings')
    sequences_ = to_handles(sequences, 'sequences')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_task_from_tensors, ctx_, settings_, same_length(sequences=(sequences)), sequences_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Task, out_, ctx)


def task_from_pairs(ctx: Ctx, settings: SettingsLike | None, inputs: Tensor, outputs: Tensor) -> Task:
    """A task over the user's own pairs: inputs and outputs [N, P, n], f32 or f64, finite, N >= 1, P >= 1, laid
    out as regression lays out its own (settings separator, prefix, teachers, which only say where prefixes
    stand here, and segment). T is what P pairs take: the last output is the last observation, or the last
    input where the end of a segment cuts that pair. The task keeps a counted reference on both tensors; of
    the settings it also uses `tokens`, `slots` and `seed`. MESAOPT_E_SHAPE: pairs of unequal number or
    dimension. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('task',), 'settings')
    inputs_ = to_handle(inputs, 'inputs')
    outputs_ = to_handle(outputs, 'outputs')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_task_from_pairs, ctx_, settings_, inputs_, outputs_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Task, out_, ctx)


def task_from_pair_tensors(ctx: Ctx, settings: SettingsLike | None, inputs: Sequence, outputs: Sequence) -> Task:
    """A task over `count` sequences of the user's own pairs, of any number of pairs: inputs[i] and outputs[i]
    are [P_i, n], f32 or f64, finite, P_i >= 1, with one n. T is the largest that P_i pairs take; steps behind
    a sequence's end have the weight 0, and its observations there are given out as 0. Otherwise as
    mesaopt_task_from_pairs; the arrays of handles are not kept. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('task',), 'settings')
    inputs_ = to_handles(inputs, 'inputs')
    outputs_ = to_handles(outputs, 'outputs')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_task_from_pair_tensors, ctx_, settings_, same_length(inputs=(inputs), outputs=(outputs)), inputs_, outputs_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Task, out_, ctx)


def task_from_callback(ctx: Ctx, settings: SettingsLike | None, fill: Callable) -> Task:
    """A task over a callback that fills batches; `dim` and `length` of the settings give n and T. `release` (may
    be NULL) follows when the last user of the task has gone. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('task',), 'settings')
    fill_ = kept_callback(SEQUENCE_FN, fill)
    out_ = c.c_void_p()
    status = run_calling(ctx, lib.mesaopt_task_from_callback, ctx_, settings_, fill_[0], fill_[2], fill_[1], c.addressof(out_))
    if status < 0: RELEASE(fill_[1])
    if status: check(status, ctx)
    return made(Task, out_, ctx)


def task_set_weights(task: Task, weights: Array) -> int:
    """Sets what step t counts in every loss and score that is taken on the task, of models, trainers, baselines
    and probes: weights [T], the same for all sequences, or, of own ones, [N, T]; f32 or f64, 0 or 1e-20 to
    1e20, one above 0 in each sequence. Copied. A loss is sum of weight * error / sum of weights; the error at
    t the same over sequences, and NaN where none of them is scored. Steps of weight 0 are neither scored nor
    trained on; those behind the last scored one of a sequence change nothing and cost next to nothing. Since
    0.1.
    """
    task_ = to_handle(task, 'task')
    weights_ = view_in(weights, 'weights')
    status = run(task, lib.mesaopt_task_set_weights, task_, weights_[0])
    if status: check(status, task)
    return status


def task_set_prompt(task: Task, prompt: Prompt | None = None) -> int:
    """Gives a task whose layout has a separator or a prefix the prompt that it takes them from (a counted
    reference is kept; NULL: none): the vectors as they are whenever sequences are drawn. Without one such a
    task draws nothing, MESAOPT_E_STATE. MESAOPT_E_SHAPE: vectors of another dimension, or a prefix of another
    length; MESAOPT_E_STATE: the layout has neither. A layout without a prefix takes the separator alone: one
    prompt serves several layouts. Since 0.1.
    """
    task_ = to_handle(task, 'task')
    prompt_ = None if prompt is None else to_handle(prompt, 'prompt')
    status = run(task, lib.mesaopt_task_set_prompt, task_, prompt_)
    if status: check(status, task)
    return status


def task_shape(task: Task) -> tuple[int, int, int, int]:
    """n, T, width D of a token, and the number of own sequences (0: endless). Each pointer may be NULL. Since
    0.1.
    """
    task_ = to_handle(task, 'task')
    dim_ = c.c_int64()
    length_ = c.c_int64()
    width_ = c.c_int64()
    count_ = c.c_int64()
    status = plain(task, lib.mesaopt_task_shape, task_, c.addressof(dim_), c.addressof(length_), c.addressof(width_), c.addressof(count_))
    if status: check(status, task)
    return dim_.value, length_.value, width_.value, count_.value


def task_draw(task: Task, stream: int, first: int, out: Array) -> int:
    """Writes sequences first .. first + B - 1 of `stream` into `out` [B, T+1, n], f32 or f64. Since 0.1."""
    task_ = to_handle(task, 'task')
    stream_ = to_integer(stream, INT32, 'stream')
    first_ = to_integer(first, INT64, 'first')
    out_ = view_out(out, 'out')
    status = run(task, lib.mesaopt_task_draw, task_, stream_, first_, out_[0])
    if status: check(status, task)
    return status


def task_tokens(task: Task, sequences: Array, out: Array) -> int:
    """Tokens of given sequences: [B, T+1, n] -> out [B, T, D], same dtype. raw: x_t; constructed: [0, x_t, x_t,
    x_{t-1}]; slots: [x_t, x_{t-1}, ..., x_{t-k+1}]; observations before the first are 0. Since 0.1.
    """
    task_ = to_handle(task, 'task')
    sequences_ = view_in(sequences, 'sequences')
    out_ = view_out(out, 'out')
    status = run(task, lib.mesaopt_task_tokens, task_, sequences_[0], out_[0])
    if status: check(status, task)
    return status


def task_features(task: Task, sequences: Array, out: Array) -> int:
    """What a task makes its next observation of: f(x_t) of nonlinear, not normalised, of sequences [B, T, n] ->
    out [B, T, n], same dtype. MESAOPT_E_STATE: the task has no features; MESAOPT_E_NONFINITE: `out` is not
    finite. Since 0.1.
    """
    task_ = to_handle(task, 'task')
    sequences_ = view_in(sequences, 'sequences')
    out_ = view_out(out, 'out')
    status = run(task, lib.mesaopt_task_features, task_, sequences_[0], out_[0])
    if status: check(status, task)
    return status


def tensor_create(ctx: Ctx, dtype: int, shape: Sequence) -> Tensor:
    """Creates a dense row-major tensor of zeros that owns its memory. The caller frees *out. Since 0.1."""
    ctx_ = to_handle(ctx, 'ctx')
    dtype_ = to_integer(dtype, INT32, 'dtype')
    shape_ = to_integers(shape, c.c_int64, INT64, 'shape')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_tensor_create, ctx_, dtype_, same_length(shape=(shape)), shape_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Tensor, out_, ctx)


def tensor_view(tensor: Tensor) -> np.ndarray:
    """View of the tensor's elements, valid while the tensor lives. Since 0.1."""
    tensor_ = to_handle(tensor, 'tensor')
    out_ = View()
    status = plain(tensor, lib.mesaopt_tensor_view, tensor_, c.addressof(out_))
    if status: check(status, tensor)
    return array_of(out_, tensor)


def tensor_copy(ctx: Ctx, src: Array, dst: Array) -> int:
    """Copies elements between views of equal shape, converting between f32 and f64 (and from f16 and bf16); i32
    and i64 to their own type only. MESAOPT_E_OVERLAP when dst may share elements with src or with itself.
    Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    src_ = view_in(src, 'src')
    dst_ = view_out(dst, 'dst')
    status = run(ctx, lib.mesaopt_tensor_copy, ctx_, src_[0], dst_[0])
    if status: check(status, ctx)
    return status


def trainer_create(ctx: Ctx, settings: SettingsLike | None, model: Model, task: Task) -> Trainer:
    """Creates a trainer over a model and a task (counted references on both; scope MESAOPT_SCOPE_TRAINER, NULL:
    defaults). Allocates all that steps need. MESAOPT_E_SHAPE: the widths of task and model do not meet. The
    caller frees *out. Since 0.1.
    """
    ctx_ = to_handle(ctx, 'ctx')
    settings_ = settings_of(settings, ('trainer',), 'settings')
    model_ = to_handle(model, 'model')
    task_ = to_handle(task, 'task')
    out_ = c.c_void_p()
    status = run(ctx, lib.mesaopt_trainer_create, ctx_, settings_, model_, task_, c.addressof(out_))
    if status: check(status, ctx)
    return made(Trainer, out_, ctx)


def trainer_set_parameters(trainer: Trainer, pattern: str, factor: float, decay: int) -> int:
    """Says what the steps from now on do to all parameters whose names match `pattern`: "blocks.0.query",
    "blocks.0.*", "*.lambda" (`*`: any characters, none too; `?`: one). `factor`, 0 to 1e6, multiplies their
    learning rate, and with it their weight decay; 0 freezes them: they and their moments keep every bit, and
    their gradient takes no part in clip_norm, though a step's grad_norm counts it. `decay` is a
    MESAOPT_DECAY_*. Of several patterns that match a name the latest holds; "*", 1, MESAOPT_DECAY_STANDARD is
    what a new trainer does. A parameter that thaws goes on as if the steps it was frozen for had not been.
    Not in a callback of the trainer (MESAOPT_E_BUSY). Checkpoints hold what was said, for the log of the one
    that loads them, and how long parameters were frozen. MESAOPT_E_ARGUMENT: no name matches, or a number is
    out of range. Since 0.1.
    """
    trainer_ = to_handle(trainer, 'trainer')
    pattern_ = to_text(pattern, 'pattern')
    factor_ = to_number(factor, 'factor')
    decay_ = to_integer(decay, INT32, 'decay')
    status = run(trainer, lib.mesaopt_trainer_set_parameters, trainer_, pattern_, factor_, decay_)
    if status: check(status, trainer)
    return status


def trainer_step(trainer: Trainer) -> float:
    """One step. `loss` may be NULL. MESAOPT_E_NONFINITE says at which step and in which tensor; nothing is
    changed by a step that fails. MESAOPT_NOT_CONVERGED: the step was taken, see model.h. Allocates nothing.
    Since 0.1.
    """
    trainer_ = to_handle(trainer, 'trainer')
    loss_ = c.c_double()
    status = run(trainer, lib.mesaopt_trainer_step, trainer_, c.addressof(loss_))
    if status: check(status, trainer)
    return loss_.value


def trainer_run(trainer: Trainer, steps: int, after: Callable | None = None) -> int:
    """Steps until `steps` steps in all have been taken, calling `after` (may be NULL) after each.
    MESAOPT_STOPPED: the callback or an interrupt ended it early; MESAOPT_NOT_CONVERGED: some step was such a
    one, the text has the last of them. Since 0.1.
    """
    trainer_ = to_handle(trainer, 'trainer')
    steps_ = to_integer(steps, INT64, 'steps')
    after_ = callback(STEP_FN, after)
    status = run_calling(trainer, lib.mesaopt_trainer_run, trainer_, steps_, after_[0], after_[1])
    if status: check(status, trainer)
    return status


def trainer_evaluate(trainer: Trainer, count: int, by_t: Array | None = None) -> float:
    """mesaopt_model_evaluate on the first `count` sequences of the task's test stream. Since 0.1."""
    trainer_ = to_handle(trainer, 'trainer')
    count_ = to_integer(count, INT64, 'count')
    by_t_ = NO_VIEW if by_t is None else view_out(by_t, 'by_t')
    loss_ = c.c_double()
    status = run(trainer, lib.mesaopt_trainer_evaluate, trainer_, count_, by_t_[0], c.addressof(loss_))
    if status: check(status, trainer)
    return loss_.value


def trainer_steps(trainer: Trainer) -> int:
    """Steps taken so far, or a negative status. Since 0.1."""
    trainer_ = to_handle(trainer, 'trainer')
    return counted(lib.mesaopt_trainer_steps(trainer_), trainer)


def trainer_save(trainer: Trainer, path: str) -> int:
    """Writes a checkpoint (safetensors): parameters, AdamW moments, step, seeds, settings, what was said of
    parameters, ISA level and lanes, as mesaopt_model_save writes. MESAOPT_E_NONFINITE names the tensor: no
    such file would be opened. Since 0.1.
    """
    trainer_ = to_handle(trainer, 'trainer')
    path_ = to_text(path, 'path')
    status = run(trainer, lib.mesaopt_trainer_save, trainer_, path_)
    if status: check(status, trainer)
    return status


def trainer_save_to(trainer: Trainer, write: Callable) -> int:
    """The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes that the
    file would have. Since 0.1.
    """
    trainer_ = to_handle(trainer, 'trainer')
    write_ = callback(WRITE_FN, write)
    status = run_calling(trainer, lib.mesaopt_trainer_save_to, trainer_, write_[0], write_[1])
    if status: check(status, trainer)
    return status


def trainer_load(trainer: Trainer, path: str) -> int:
    """Restores a checkpoint of a trainer with the same model blocks on the same task: all or nothing.
    MESAOPT_OTHER_ISA: restored, but the run will not repeat the other machine's bits. MESAOPT_E_FORMAT: not
    such a file; the text names what differs. MESAOPT_E_SETTING: its sequences or tokens were made otherwise;
    the text names the settings of the task that differ (of own sequences `data` stands for their numbers).
    Other settings of the trainer, and what is said of parameters, are those of this trainer, and what differs
    is written to the log of the context. Since 0.1.
    """
    trainer_ = to_handle(trainer, 'trainer')
    path_ = to_text(path, 'path')
    status = run(trainer, lib.mesaopt_trainer_load, trainer_, path_)
    if status: check(status, trainer)
    return status


def trainer_load_changed(trainer: Trainer, path: str, change: str | None = None) -> int:
    """mesaopt_trainer_load for a run that goes on with other data: settings of the task named in `change`,
    "noise,seed" or "all", may differ; the log says which do. NULL or "": none. Since 0.1.
    """
    trainer_ = to_handle(trainer, 'trainer')
    path_ = to_text(path, 'path')
    change_ = None if change is None else to_text(change, 'change')
    status = run(trainer, lib.mesaopt_trainer_load_changed, trainer_, path_, change_)
    if status: check(status, trainer)
    return status


def trainer_load_from(trainer: Trainer, bytes: bytes, change: str | None = None) -> int:
    """mesaopt_trainer_load_changed from the bytes of such a file in memory. Since 0.1."""
    trainer_ = to_handle(trainer, 'trainer')
    bytes_ = to_bytes(bytes, 'bytes')
    change_ = None if change is None else to_text(change, 'change')
    status = run(trainer, lib.mesaopt_trainer_load_from, trainer_, bytes_, same_length(bytes=(bytes)), change_)
    if status: check(status, trainer)
    return status


class Attn(Handle):
    _free = lib.mesaopt_attn_free
    workspace = attn_workspace
    forward = attn_forward
    backward = attn_backward


class Baseline(Handle):
    _free = lib.mesaopt_baseline_free
    predict = baseline_predict
    set_task = baseline_set_task
    precondition = baseline_precondition
    coefficients = baseline_coefficients
    train = baseline_train
    updates = baseline_updates
    evaluate = baseline_evaluate
    search = baseline_search


class Decoder(Handle):
    _free = lib.mesaopt_decoder_free
    step = decoder_step
    reset = decoder_reset
    copy = decoder_copy
    steps = decoder_steps
    save = decoder_save
    save_to = decoder_save_to
    set_note = decoder_set_note


class Linearise(Handle):
    _free = lib.mesaopt_linearise_free
    run = linearise_run
    steps = linearise_steps
    evaluate = linearise_evaluate
    model = linearise_model
    block = linearise_block


class Lsq(Handle):
    _free = lib.mesaopt_lsq_free
    shape = lsq_shape
    workspace = lsq_workspace
    forward = lsq_forward
    adjoint = lsq_adjoint


class Model(Handle):
    _free = lib.mesaopt_model_free
    add = model_add
    add_text = model_add_text
    text = model_text
    shape = model_shape
    blocks = model_blocks
    width = model_width
    parameters = model_parameters
    parameter_name = model_parameter_name
    parameter = model_parameter
    parameter_gradient = model_parameter_gradient
    initialise = model_initialise
    workspace = model_workspace
    forward = model_forward
    activations = model_activations
    loss = model_loss
    gradient = model_gradient
    backward = model_backward
    evaluate = model_evaluate
    save = model_save
    save_to = model_save_to
    load = model_load
    load_from = model_load_from
    set_note = model_set_note


class Probe(Handle):
    _free = lib.mesaopt_probe_free
    shape = probe_shape
    features = probe_features
    feed = probe_feed
    feed_model = probe_feed_model
    feed_control = probe_feed_control
    feed_file = probe_feed_file
    feed_from = probe_feed_from
    set_targets = probe_set_targets
    reset = probe_reset
    count = probe_count
    fit = probe_fit
    score = probe_score
    weights = probe_weights
    rank = probe_rank


class Revalg(Handle):
    _free = lib.mesaopt_revalg_free
    scalars = revalg_scalars
    residuals = revalg_residuals
    summary = revalg_summary
    closed_form = revalg_closed_form
    rebuild = revalg_rebuild


class Rls(Handle):
    _free = lib.mesaopt_rls_free
    update = rls_update
    predict = rls_predict
    step = rls_step
    merge = rls_merge
    shape = rls_shape
    clear = rls_clear
    get = rls_get
    set = rls_set
    save = rls_save
    save_to = rls_save_to
    set_note = rls_set_note


class Settings(Handle):
    _free = lib.mesaopt_settings_free
    set_int = settings_set_int
    set_float = settings_set_float
    set_text = settings_set_text
    get_int = settings_get_int
    get_float = settings_get_float
    get_text = settings_get_text
    dump = settings_dump
    error = settings_error


class Ctx(Handle):
    _free = lib.mesaopt_ctx_free
    error = ctx_error
    interrupt = ctx_interrupt
    clear_interrupt = ctx_clear_interrupt
    isa = ctx_isa


class Task(Handle):
    _free = lib.mesaopt_task_free
    set_weights = task_set_weights
    set_prompt = task_set_prompt
    shape = task_shape
    draw = task_draw
    tokens = task_tokens
    features = task_features


class Prompt(Handle):
    _free = lib.mesaopt_prompt_free
    vectors = prompt_vectors
    freeze = prompt_freeze
    gradient = prompt_gradient
    train = prompt_train
    updates = prompt_updates
    save = prompt_save
    save_to = prompt_save_to


class Tensor(Handle):
    _free = lib.mesaopt_tensor_free
    view = tensor_view


class Trainer(Handle):
    _free = lib.mesaopt_trainer_free
    set_parameters = trainer_set_parameters
    step = trainer_step
    run = trainer_run
    evaluate = trainer_evaluate
    steps = trainer_steps
    save = trainer_save
    save_to = trainer_save_to
    load = trainer_load
    load_changed = trainer_load_changed
    load_from = trainer_load_from
