# The C API of libmesaopt, generated from its headers by bindings/generate.py: not to be edited (make bindings).

const MESAOPT_LSQ_BETA = Int32(1)
const MESAOPT_LSQ_LOG_GAMMA = Int32(2)
const MESAOPT_LSQ_RIDGE = Int32(3)
const MESAOPT_LSQ_H0 = Int32(4)
const MESAOPT_LSQ_S0 = Int32(5)
const MESAOPT_LSQ_OFFSETS = Int32(6)
const MESAOPT_LSQ_H_LAST = Int32(7)
const MESAOPT_LSQ_S_LAST = Int32(8)
const MESAOPT_LSQ_SOLUTION = Int32(9)
const MESAOPT_LSQ_RESIDUAL = Int32(10)
const MESAOPT_LSQ_ITERATIONS = Int32(11)
const MESAOPT_LSQ_CONDITION = Int32(12)
const MESAOPT_LSQ_D_H_LAST = Int32(13)
const MESAOPT_LSQ_D_S_LAST = Int32(14)
const MESAOPT_LSQ_D_BETA = Int32(15)
const MESAOPT_LSQ_D_LOG_GAMMA = Int32(16)
const MESAOPT_LSQ_D_RIDGE = Int32(17)
const MESAOPT_LSQ_D_H0 = Int32(18)
const MESAOPT_LSQ_D_S0 = Int32(19)
const MESAOPT_PROBE_TRAIN = Int32(0)
const MESAOPT_PROBE_TEST = Int32(1)
const MESAOPT_REVALG_LOGITS = Int32(0)
const MESAOPT_REVALG_VALUES = Int32(1)
const MESAOPT_REVALG_WEIGHT = Int32(2)
const MESAOPT_RLS_KEY_STATE = Int32(1)
const MESAOPT_RLS_VALUE_STATE = Int32(2)
const MESAOPT_RLS_WEIGHT = Int32(3)
const MESAOPT_RLS_SQUARES = Int32(4)
const MESAOPT_RLS_ROWS = Int32(5)
const MESAOPT_RLS_RESIDUAL = Int32(6)
const MESAOPT_RLS_MISSING = Int32(7)
const MESAOPT_SCOPE_CTX = Int32(1)
const MESAOPT_SCOPE_TASK = Int32(2)
const MESAOPT_SCOPE_MODEL = Int32(3)
const MESAOPT_SCOPE_TRAINER = Int32(4)
const MESAOPT_SCOPE_BASELINE = Int32(5)
const MESAOPT_SCOPE_LINEAR = Int32(6)
const MESAOPT_SCOPE_SOFTMAX = Int32(7)
const MESAOPT_SCOPE_DENSE = Int32(8)
const MESAOPT_SCOPE_MASK = Int32(9)
const MESAOPT_SCOPE_LSQ = Int32(10)
const MESAOPT_SCOPE_MESA = Int32(11)
const MESAOPT_SCOPE_PROBE = Int32(12)
const MESAOPT_SCOPE_MLP = Int32(13)
const MESAOPT_SCOPE_NORM = Int32(14)
const MESAOPT_SCOPE_DECODER = Int32(15)
const MESAOPT_SCOPE_PROMPT = Int32(16)
const MESAOPT_KEY_THREADS = Int32(1)
const MESAOPT_KEY_ISA = Int32(2)
const MESAOPT_KEY_SEED = Int32(10)
const MESAOPT_KEY_DTYPE = Int32(11)
const MESAOPT_KEY_LANES = Int32(12)
const MESAOPT_KEY_TASK = Int32(20)
const MESAOPT_KEY_DIM = Int32(21)
const MESAOPT_KEY_LENGTH = Int32(22)
const MESAOPT_KEY_NOISE = Int32(23)
const MESAOPT_KEY_DATA_CLIP = Int32(24)
const MESAOPT_KEY_TOKENS = Int32(25)
const MESAOPT_KEY_SLOTS = Int32(26)
const MESAOPT_KEY_HIDDEN = Int32(27)
const MESAOPT_KEY_MAP_SD = Int32(28)
const MESAOPT_KEY_START = Int32(29)
const MESAOPT_KEY_OBSERVATION_NOISE = Int32(30)
const MESAOPT_KEY_SEPARATOR = Int32(31)
const MESAOPT_KEY_PREFIX = Int32(32)
const MESAOPT_KEY_TEACHERS = Int32(33)
const MESAOPT_KEY_SEGMENT = Int32(34)
const MESAOPT_KEY_INPUTS = Int32(40)
const MESAOPT_KEY_OUTPUTS = Int32(41)
const MESAOPT_KEY_HEADS = Int32(42)
const MESAOPT_KEY_KEY = Int32(43)
const MESAOPT_KEY_VALUE = Int32(44)
const MESAOPT_KEY_INIT_SD = Int32(45)
const MESAOPT_KEY_RESIDUAL_CLIP = Int32(46)
const MESAOPT_KEY_PE = Int32(47)
const MESAOPT_KEY_SCALE = Int32(48)
const MESAOPT_KEY_CHUNK = Int32(49)
const MESAOPT_KEY_FIRST = Int32(50)
const MESAOPT_KEY_GATES = Int32(51)
const MESAOPT_KEY_RIDGES = Int32(52)
const MESAOPT_KEY_RIDGE_MIN = Int32(53)
const MESAOPT_KEY_QK_NORM = Int32(54)
const MESAOPT_KEY_ACT = Int32(55)
const MESAOPT_KEY_OUTPUT_INIT = Int32(56)
const MESAOPT_KEY_NORM = Int32(57)
const MESAOPT_KEY_NORM_EPSILON = Int32(58)
const MESAOPT_KEY_KIND = Int32(59)
const MESAOPT_KEY_BATCH = Int32(60)
const MESAOPT_KEY_LR = Int32(61)
const MESAOPT_KEY_WARMUP = Int32(62)
const MESAOPT_KEY_COSINE_STEPS = Int32(63)
const MESAOPT_KEY_LR_END = Int32(64)
const MESAOPT_KEY_WEIGHT_DECAY = Int32(65)
const MESAOPT_KEY_BETA1 = Int32(66)
const MESAOPT_KEY_BETA2 = Int32(67)
const MESAOPT_KEY_EPSILON = Int32(68)
const MESAOPT_KEY_CLIP_VALUE = Int32(69)
const MESAOPT_KEY_CLIP_NORM = Int32(70)
const MESAOPT_KEY_BASELINE = Int32(80)
const MESAOPT_KEY_ETA = Int32(81)
const MESAOPT_KEY_RIDGE = Int32(82)
const MESAOPT_KEY_NEWEST_PAIR = Int32(83)
const MESAOPT_KEY_SOLVER = Int32(100)
const MESAOPT_KEY_TOLERANCE = Int32(101)
const MESAOPT_KEY_FALLBACK = Int32(103)
const MESAOPT_KEY_WINDOW = Int32(102)
const MESAOPT_KEY_GAMMA = Int32(104)
const MESAOPT_KEY_MISSING = Int32(105)
const MESAOPT_KEY_INTERCEPT = Int32(140)
const MESAOPT_KEY_PENALTY = Int32(141)
const MESAOPT_KEY_RCOND = Int32(142)
const MESAOPT_KEY_ERROR = Int32(143)
const MESAOPT_KEY_LAG = Int32(144)
const MESAOPT_KEY_LAGS = Int32(145)
const MESAOPT_KEY_FILTER = Int32(146)
const MESAOPT_KEY_TARGET = Int32(147)
const MESAOPT_KEY_BETA = Int32(160)
const MESAOPT_KEY_ITERATIONS = Int32(161)
const MESAOPT_KEY_DIVISOR = Int32(162)
const MESAOPT_KEY_SPACE = Int32(163)
const MESAOPT_KEY_PAIRS = Int32(164)
const MESAOPT_KEY_BIAS = Int32(180)
const MESAOPT_KEY_POSITIONS = Int32(181)
const MESAOPT_KEY_LONGEST = Int32(182)
const MESAOPT_KEY_STREAMS = Int32(200)
const MESAOPT_KEY_CAPACITY = Int32(201)
const MESAOPT_TYPE_INT = Int32(1)
const MESAOPT_TYPE_FLOAT = Int32(2)
const MESAOPT_TYPE_CHOICE = Int32(3)
const MESAOPT_VERSION_MAJOR = Int32(0)
const MESAOPT_VERSION_MINOR = Int32(1)
const MESAOPT_VERSION_PATCH = Int32(0)
const MESAOPT_VERSION = Int32(1000)
const MESAOPT_OK = Int32(0)
const MESAOPT_STOPPED = Int32(1)
const MESAOPT_NOT_CONVERGED = Int32(2)
const MESAOPT_OTHER_ISA = Int32(3)
const MESAOPT_AT_BOUND = Int32(4)
const MESAOPT_E_ARGUMENT = Int32(-1)
const MESAOPT_E_SHAPE = Int32(-2)
const MESAOPT_E_DTYPE = Int32(-3)
const MESAOPT_E_OVERLAP = Int32(-4)
const MESAOPT_E_SETTING = Int32(-5)
const MESAOPT_E_MEMORY = Int32(-6)
const MESAOPT_E_BUSY = Int32(-7)
const MESAOPT_E_STATE = Int32(-8)
const MESAOPT_E_NONFINITE = Int32(-9)
const MESAOPT_E_IO = Int32(-10)
const MESAOPT_E_FORMAT = Int32(-11)
const MESAOPT_E_INTERRUPTED = Int32(-12)
const MESAOPT_E_UNSUPPORTED = Int32(-13)
const MESAOPT_E_SOURCE = Int32(-14)
const MESAOPT_F32 = Int32(1)
const MESAOPT_F64 = Int32(2)
const MESAOPT_I32 = Int32(3)
const MESAOPT_I64 = Int32(4)
const MESAOPT_F16 = Int32(5)
const MESAOPT_BF16 = Int32(6)
const MESAOPT_BOOL = Int32(7)
const MESAOPT_ISA_AUTO = Int32(0)
const MESAOPT_ISA_BASELINE = Int32(1)
const MESAOPT_ISA_AVX2 = Int32(2)
const MESAOPT_ISA_AVX512 = Int32(3)
const MESAOPT_STREAM_TRAIN = Int32(0)
const MESAOPT_STREAM_TEST = Int32(1)
const MESAOPT_STREAM_SEARCH = Int32(2)
const MESAOPT_MAX_RANK = Int32(6)
const MESAOPT_VIEW_READONLY = UInt32(1)
const MESAOPT_DECAY_STANDARD = Int32(0)
const MESAOPT_DECAY_OFF = Int32(1)
const MESAOPT_DECAY_ON = Int32(2)

struct CView      # 120 bytes
    data::Ptr{Cvoid}
    shape::NTuple{6,Int64}
    stride::NTuple{6,Int64}
    ndim::Int32
    dtype::Int32
    flags::UInt32
    reserved::UInt32
end
@assert sizeof(CView) == 120 && fieldoffset.(CView, 1:7) == [0, 8, 56, 104, 108, 112, 116]

struct CStep      # 40 bytes
    struct_size::Int64
    step::Int64
    loss::Cdouble
    lr::Cdouble
    grad_norm::Cdouble
end
@assert sizeof(CStep) == 40 && fieldoffset.(CStep, 1:5) == [0, 8, 16, 24, 32]

"""
Creates an attention operator; the scope of `settings` (MESAOPT_SCOPE_LINEAR or _SOFTMAX) is its kind; of the keys it uses `scale`, `chunk`, `lanes` and `qk_norm` (extents come from the views). The caller frees *out. Since 0.1.
"""
mesaopt_attn_create(ctx, settings, out) =
    ccall((:mesaopt_attn_create, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), ctx, settings, out)

"""
Bytes of workspace that calls of this shape need. Since 0.1.
"""
mesaopt_attn_workspace(attn, dtype, batch, length, heads, key, value, bytes) =
    ccall((:mesaopt_attn_workspace, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Int64, Int64, Int64, Int64, Int64, Ptr{Int64}), attn, dtype, batch, length, heads, key, value, bytes)

"""
out = attention(q, k, v). Outputs must not overlap inputs. MESAOPT_E_NONFINITE: `out` is not finite. Since 0.1.
"""
mesaopt_attn_forward(attn, q, k, v, out) =
    ccall((:mesaopt_attn_forward, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{CView}), attn, q, k, v, out)

"""
Gradients dq, dk, dv (shapes of q, k, v; overwritten) of a scalar whose gradient with respect to out is dout. The forward pass is recomputed inside: nothing needs to be kept from an earlier call. MESAOPT_E_NONFINITE: a gradient is not finite. Since 0.1.
"""
mesaopt_attn_backward(attn, q, k, v, dout, dq, dk, dv) =
    ccall((:mesaopt_attn_backward, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{CView}), attn, q, k, v, dout, dq, dk, dv)

"""
Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1.
"""
mesaopt_attn_free(attn) =
    ccall((:mesaopt_attn_free, libmesaopt), Int32, (Ptr{Cvoid},), attn)

"""
Creates a baseline (scope MESAOPT_SCOPE_BASELINE, NULL: defaults). The caller frees *out. Since 0.1.
"""
mesaopt_baseline_create(ctx, settings, out) =
    ccall((:mesaopt_baseline_create, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), ctx, settings, out)

"""
Predictions of x_2 .. x_{T+1}: sequences [B, T+1, n] -> out [B, T, n], f32 or f64; computed in f64. MESAOPT_E_STATE: space=features without mesaopt_baseline_set_task. MESAOPT_E_NONFINITE: `out` is not finite; the text names the place. Since 0.1.
"""
mesaopt_baseline_predict(baseline, sequences, out) =
    ccall((:mesaopt_baseline_predict, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}), baseline, sequences, out)

"""
Gives a baseline of space=features the task whose features are its inputs (a counted reference is kept; NULL: none), which then go before those of the task that it is evaluated, searched or trained on, and which mesaopt_baseline_predict and mesaopt_baseline_precondition need: sequences do not say whose they are. MESAOPT_E_STATE: another space, or the task has no features. Since 0.1.
"""
mesaopt_baseline_set_task(baseline, task) =
    ccall((:mesaopt_baseline_set_task, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}), baseline, task)

"""
What the preconditioner makes of z_t: sequences [B, T, n] -> out [B, T, m], inv(A_t) z_t exactly for lsq, approximately for the others (gd: without ridge). MESAOPT_E_STATE: kernel has none, or as in mesaopt_baseline_predict. MESAOPT_E_NONFINITE as above. Since 0.1.
"""
mesaopt_baseline_precondition(baseline, sequences, out) =
    ccall((:mesaopt_baseline_precondition, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}), baseline, sequences, out)

"""
View of the coefficients of richardson (f64 [1, K]: a) or chebyshev ([2, K]: a, b), at first a = 1, b = 0; writing through it changes the baseline. Valid while the baseline lives. MESAOPT_E_STATE: the baseline has none. Since 0.1.
"""
mesaopt_baseline_coefficients(baseline, out) =
    ccall((:mesaopt_baseline_coefficients, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}), baseline, out)

"""
Learns the coefficients of richardson (a) or chebyshev (a, b): AdamW on the autoregressive loss, update s on sequences s batch .. (s + 1) batch - 1 of the training stream, until `updates` updates in all have been taken (0: 20000, with K = 2 80000), calling `after` (may be NULL) after each, as mesaopt_trainer_run; batch, learning rates and clips are settings of the baseline. MESAOPT_STOPPED: the callback or an interrupt ended it early. MESAOPT_E_NONFINITE: a loss or gradient is not finite; that update was not made. MESAOPT_E_STATE: the baseline has no coefficients. Since 0.1.
"""
mesaopt_baseline_train(baseline, task, updates, after, user) =
    ccall((:mesaopt_baseline_train, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int64, Ptr{Cvoid}, Ptr{Cvoid}), baseline, task, updates, after, user)

"""
Updates taken so far, or a negative status. Since 0.1.
"""
mesaopt_baseline_updates(baseline) =
    ccall((:mesaopt_baseline_updates, libmesaopt), Int64, (Ptr{Cvoid},), baseline)

"""
Mean loss and error by t, as mesaopt_model_evaluate; count >= 1. MESAOPT_E_STATE: space=features, and neither the baseline nor `task` has them. MESAOPT_E_NONFINITE: the loss overflows. Since 0.1.
"""
mesaopt_baseline_evaluate(baseline, task, stream, first, count, by_t, loss) =
    ccall((:mesaopt_baseline_evaluate, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int32, Int64, Int64, Ptr{CView}, Ptr{Cdouble}), baseline, task, stream, first, count, by_t, loss)

"""
Line search: sets eta (gd: 1e-5..0.1), beta (kernel: 0.01..100) or ridge (others: 1e-5..10) to the value of lowest loss on `count` sequences of the search stream, on a logarithmic grid refined around its best point to half a per cent. The ranges hold for inputs z of mean square 1; with mean square s that of ridge is multiplied, those of eta and beta are divided by s. `best` (may be NULL) receives the value. MESAOPT_AT_BOUND: it is set, and is an end of the range, as when there is nothing to learn from the pairs or no noise in them; the text has the range. MESAOPT_E_NONFINITE: no value gives a finite loss. Since 0.1.
"""
mesaopt_baseline_search(baseline, task, count, best) =
    ccall((:mesaopt_baseline_search, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int64, Ptr{Cdouble}), baseline, task, count, best)

"""
Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1.
"""
mesaopt_baseline_free(baseline) =
    ccall((:mesaopt_baseline_free, libmesaopt), Int32, (Ptr{Cvoid},), baseline)

"""
Creates a context; `settings` (scope MESAOPT_SCOPE_CTX, NULL: defaults) is copied. On failure the text is in `settings`. MESAOPT_E_UNSUPPORTED: the CPU lacks the ISA level asked for. Starts no thread. The caller frees *out. Since 0.1.
"""
mesaopt_ctx_create(settings, out) =
    ccall((:mesaopt_ctx_create, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), settings, out)

"""
Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works on it: it goes when its last handle has gone and its running call has returned. MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1.
"""
mesaopt_ctx_free(ctx) =
    ccall((:mesaopt_ctx_free, libmesaopt), Int32, (Ptr{Cvoid},), ctx)

"""
Text of the last failure of a call on this context or one of its handles, at most cap bytes with the final NUL; returns the bytes the whole text needs, or a negative status. Unchanged by success; may be called from any thread at any time. Since 0.1.
"""
mesaopt_ctx_error(ctx, buf, cap) =
    ccall((:mesaopt_ctx_error, libmesaopt), Int64, (Ptr{Cvoid}, Ptr{UInt8}, Int64), ctx, buf, cap)

"""
Asks the running call to stop or, if none runs, the next one. Async-signal-safe: a SIGINT handler may call it. Training runs return MESAOPT_STOPPED at a step boundary, other long calls MESAOPT_E_INTERRUPTED. The request ends with that call, also when it was too short to look: a program that makes several calls sets a flag of its own as well. In a callback's calls it is that of the call whose callback it is. Since 0.1.
"""
mesaopt_ctx_interrupt(ctx) =
    ccall((:mesaopt_ctx_interrupt, libmesaopt), Cvoid, (Ptr{Cvoid},), ctx)

"""
Withdraws a request of mesaopt_ctx_interrupt that no call has met yet. MESAOPT_E_BUSY: a call runs, whose it is. Since 0.1.
"""
mesaopt_ctx_clear_interrupt(ctx) =
    ccall((:mesaopt_ctx_clear_interrupt, libmesaopt), Int32, (Ptr{Cvoid},), ctx)

"""
ISA level in use (MESAOPT_ISA_BASELINE, ...). Since 0.1.
"""
mesaopt_ctx_isa(ctx, out) =
    ccall((:mesaopt_ctx_isa, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Int32}), ctx, out)

"""
Creates a decoder of a model, which it keeps alive (scope MESAOPT_SCOPE_DECODER: streams, capacity). All memory is taken here; steps take none. The caller frees *out. Since 0.1.
"""
mesaopt_decoder_create(model, settings, out) =
    ccall((:mesaopt_decoder_create, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), model, settings, out)

"""
Bytes that such a decoder takes. Since 0.1.
"""
mesaopt_decoder_bytes(model, settings, bytes) =
    ccall((:mesaopt_decoder_bytes, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Int64}), model, settings, bytes)

"""
The next L tokens of every stream: tokens [streams, L, inputs] -> predictions out [streams, L, outputs] (NULL: not wanted), dtype of the model, any L. MESAOPT_E_STATE: a stream has no room for them. MESAOPT_NOT_CONVERGED as of mesaopt_model_forward: the tokens are in, all is finite. After any failure all streams are as before. Since 0.1.
"""
mesaopt_decoder_step(decoder, tokens, out) =
    ccall((:mesaopt_decoder_step, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}), decoder, tokens, out)

"""
A stream begins anew, or with stream = -1 all of them. Since 0.1.
"""
mesaopt_decoder_reset(decoder, stream) =
    ccall((:mesaopt_decoder_reset, libmesaopt), Int32, (Ptr{Cvoid}, Int64), decoder, stream)

"""
All streams become as those of `from`, a decoder of the same model with as many streams; its capacity may be another one. MESAOPT_E_STATE: they do not fit. Since 0.1.
"""
mesaopt_decoder_copy(decoder, from) =
    ccall((:mesaopt_decoder_copy, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}), decoder, from)

"""
Tokens of a stream so far, or a negative status. Since 0.1.
"""
mesaopt_decoder_steps(decoder, stream) =
    ccall((:mesaopt_decoder_steps, libmesaopt), Int64, (Ptr{Cvoid}, Int64), decoder, stream)

"""
Writes all streams as safetensors, as mesaopt_model_save writes. Since 0.1.
"""
mesaopt_decoder_save(decoder, path) =
    ccall((:mesaopt_decoder_save, libmesaopt), Int32, (Ptr{Cvoid}, Cstring), decoder, path)

"""
The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes that the file would have. Since 0.1.
"""
mesaopt_decoder_save_to(decoder, write, user) =
    ccall((:mesaopt_decoder_save_to, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}), decoder, write, user)

"""
Creates a decoder from a file of mesaopt_decoder_save, notes included, of a model with the same blocks and parameters: MESAOPT_E_FORMAT names what differs. `settings` have the streams of the file, and room for their tokens. With equal capacity it goes on bit for bit, unless the status is MESAOPT_OTHER_ISA. Since 0.1.
"""
mesaopt_decoder_open(model, settings, path, out) =
    ccall((:mesaopt_decoder_open, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Cstring, Ptr{Ptr{Cvoid}}), model, settings, path, out)

"""
The same from the bytes of such a file in memory, which are not kept. Since 0.1.
"""
mesaopt_decoder_open_from(model, settings, bytes, length, out) =
    ccall((:mesaopt_decoder_open_from, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Int64, Ptr{Ptr{Cvoid}}), model, settings, bytes, length, out)

"""
Keeps a text of the caller's with the streams, as mesaopt_model_set_note does with a model. Since 0.1.
"""
mesaopt_decoder_set_note(decoder, key, text) =
    ccall((:mesaopt_decoder_set_note, libmesaopt), Int32, (Ptr{Cvoid}, Cstring, Cstring), decoder, key, text)

"""
Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1.
"""
mesaopt_decoder_free(decoder) =
    ccall((:mesaopt_decoder_free, libmesaopt), Int32, (Ptr{Cvoid},), decoder)

"""
Fills *out with a view of the elements of a managed tensor, which stays its owner's. MESAOPT_E_ARGUMENT: NULL, or `versioned` neither 0 nor 1; MESAOPT_E_UNSUPPORTED: another device, or a major version above 1; MESAOPT_E_DTYPE: another type, or several lanes; MESAOPT_E_SHAPE: more than 6 axes, or an extent below 0. No text: there is no context. Since 0.1.
"""
mesaopt_dlpack_view(managed, versioned, out) =
    ccall((:mesaopt_dlpack_view, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Ptr{CView}), managed, versioned, out)

"""
Makes a tensor of a managed tensor, and takes it over: its deleter is called once, when the last user of the new tensor goes, on whichever thread that is. On failure it stays the caller's; statuses as of mesaopt_dlpack_view, with a text, and as of mesaopt_tensor_wrap. A capsule it came from has to be renamed (\"used_dltensor\", \"used_dltensor_versioned\"). Since 0.1.
"""
mesaopt_dlpack_import(ctx, managed, versioned, out) =
    ccall((:mesaopt_dlpack_import, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int32, Ptr{Ptr{Cvoid}}), ctx, managed, versioned, out)

"""
Writes to *managed a new managed tensor of the elements of `tensor`, which live until its deleter is called, from any thread: by whoever takes it, or by the caller. A tensor that may only be read is marked so when `versioned` is 1; without a version it is refused, MESAOPT_E_UNSUPPORTED. Since 0.1.
"""
mesaopt_dlpack_export(tensor, versioned, managed) =
    ccall((:mesaopt_dlpack_export, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Ptr{Ptr{Cvoid}}), tensor, versioned, managed)

"""
Moves every element of `x` (f32 or f64) by +-h and +-2h in turn, takes the fourth-order central difference (8 (L(+h) - L(-h)) - (L(+2h) - L(-2h))) / 12h, puts the element back bit for bit, and writes to `error` the norm of (difference - gradient) over the larger of their norms (0 when both are 0). `gradient` has the shape of x. h > 0; 1e-3 suits f64. MESAOPT_E_SOURCE when the callback failed. Since 0.1.
"""
mesaopt_grad_check(ctx, loss, user, x, gradient, h, error) =
    ccall((:mesaopt_grad_check, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{CView}, Ptr{CView}, Cdouble, Ptr{Cdouble}), ctx, loss, user, x, gradient, h, error)

"""
Plans the distillation of `count` different blocks of attention, and allocates all that its steps need. settings (scope MESAOPT_SCOPE_TRAINER): AdamW and the batch; NULL: the defaults of that scope, but lr = 1e-3 and no weight decay. block (scope MESAOPT_SCOPE_LINEAR): the linear blocks; NULL: each with the settings of the block that it learns from (heads, key, value, positions, clip ..), except for the scale of its logits, which is 1. The model is copied, and may change or go afterwards; of the task a counted reference is kept. MESAOPT_E_UNSUPPORTED: a block has no heads. The caller frees *out. Since 0.1.
"""
mesaopt_linearise_create(ctx, settings, model, task, count, blocks, block, out) =
    ccall((:mesaopt_linearise_create, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Int64, Ptr{Int64}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), ctx, settings, model, task, count, blocks, block, out)

"""
Steps until `steps` steps in all have been taken, calling `after` (may be NULL) after each: its loss is the sum over blocks of the squared errors / (2 batch T) before the update, grad_norm the norm of all gradients together. Statuses as of mesaopt_trainer_run; a step that fails changes no weights. Allocates nothing. Since 0.1.
"""
mesaopt_linearise_run(linearise, steps, after, user) =
    ccall((:mesaopt_linearise_run, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Ptr{Cvoid}, Ptr{Cvoid}), linearise, steps, after, user)

"""
Steps taken so far, or a negative status. Since 0.1.
"""
mesaopt_linearise_steps(linearise) =
    ccall((:mesaopt_linearise_steps, libmesaopt), Int64, (Ptr{Cvoid},), linearise)

"""
Scores on the first `count` sequences of the test stream, f32 or f64 [blocks], in the order of mesaopt_linearise_create. ratio: the loss of the model with this block replaced over its own loss. error (may be NULL): the squared error of the linear block's output over the square of what the block adds to the stream. MESAOPT_E_NONFINITE: the model's loss, or what a block adds, is 0. May be called in a callback. Since 0.1.
"""
mesaopt_linearise_evaluate(linearise, count, ratio, error) =
    ccall((:mesaopt_linearise_evaluate, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Ptr{CView}, Ptr{CView}), linearise, count, ratio, error)

"""
A copy of the model with the linear block in place of `block`, -1: with all of them in their places. The caller frees *out. Since 0.1.
"""
mesaopt_linearise_model(linearise, block, out) =
    ccall((:mesaopt_linearise_model, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Ptr{Ptr{Cvoid}}), linearise, block, out)

"""
A copy of the linear block that stands for `block`, as a model of that one block on the stream: inputs and outputs are its width. The caller frees *out. Since 0.1.
"""
mesaopt_linearise_block(linearise, block, out) =
    ccall((:mesaopt_linearise_block, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Ptr{Ptr{Cvoid}}), linearise, block, out)

"""
Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1.
"""
mesaopt_linearise_free(linearise) =
    ccall((:mesaopt_linearise_free, libmesaopt), Int32, (Ptr{Cvoid},), linearise)

"""
Plans a solver (scope MESAOPT_SCOPE_LSQ, NULL: defaults) for keys of d_key and values of d_val channels. The setting window matters only to a mesaopt_rls of the plan: mesaopt_lsq_forward and mesaopt_lsq_adjoint ignore it. The caller frees *out. Since 0.1.
"""
mesaopt_lsq_plan(ctx, settings, d_key, d_val, out) =
    ccall((:mesaopt_lsq_plan, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int64, Int64, Ptr{Ptr{Cvoid}}), ctx, settings, d_key, d_val, out)

"""
Channels of keys and of values, as planned. Each pointer may be NULL. Since 0.1.
"""
mesaopt_lsq_shape(lsq, d_key, d_val) =
    ccall((:mesaopt_lsq_shape, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Int64}, Ptr{Int64}), lsq, d_key, d_val)

"""
Bytes of workspace that calls of this shape need, with every operand there is, of the adjoint when `adjoint` is not 0. sequences: how many MESAOPT_LSQ_OFFSETS make of a batch of 1; 0: without offsets. Since 0.1.
"""
mesaopt_lsq_workspace(lsq, dtype, batch, length, heads, sequences, adjoint, bytes) =
    ccall((:mesaopt_lsq_workspace, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Int64, Int64, Int64, Int64, Int32, Ptr{Int64}), lsq, dtype, batch, length, heads, sequences, adjoint, bytes)

"""
out [B, T, H, dv] for all steps, and what else `which` asks for. Outputs must not overlap inputs or each other. MESAOPT_NOT_CONVERGED: see above; the context's text says how many rows, and which is the first. Since 0.1.
"""
mesaopt_lsq_forward(lsq, q, k, v, out, count, which, views) =
    ccall((:mesaopt_lsq_forward, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Int64, Ptr{Int32}, Ptr{CView}), lsq, q, k, v, out, count, which, views)

"""
Gradients dq, dk, dv (shapes of q, k, v; overwritten) of a scalar whose gradient with respect to out is dout, and what else `which` asks for. The forward pass is recomputed inside. Since 0.1.
"""
mesaopt_lsq_adjoint(lsq, q, k, v, dout, dq, dk, dv, count, which, views) =
    ccall((:mesaopt_lsq_adjoint, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Int64, Ptr{Int32}, Ptr{CView}), lsq, q, k, v, dout, dq, dk, dv, count, which, views)

"""
Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1.
"""
mesaopt_lsq_free(lsq) =
    ccall((:mesaopt_lsq_free, libmesaopt), Int32, (Ptr{Cvoid},), lsq)

"""
Creates an empty model (scope MESAOPT_SCOPE_MODEL: inputs, outputs, dtype, seed, lanes). The caller frees *out. Since 0.1.
"""
mesaopt_model_create(ctx, settings, out) =
    ccall((:mesaopt_model_create, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), ctx, settings, out)

"""
Appends a block whose kind is the scope of `settings`, with weights drawn N(0, init_sd^2) from the model's seed. Views of parameters taken before become invalid. MESAOPT_E_STATE while a trainer or a decoder holds the model. Since 0.1.
"""
mesaopt_model_add(model, settings) =
    ccall((:mesaopt_model_add, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}), model, settings)

"""
Appends every block of a one-line text (grammar above), or none of them on failure; MESAOPT_E_FORMAT and MESAOPT_E_SETTING name the place in the text. Since 0.1.
"""
mesaopt_model_add_text(model, blocks) =
    ccall((:mesaopt_model_add_text, libmesaopt), Int32, (Ptr{Cvoid}, Cstring), model, blocks)

"""
The model's blocks as text that mesaopt_model_add_text takes, at most cap bytes with the final NUL; returns the bytes the whole text needs, or a negative status. Since 0.1.
"""
mesaopt_model_text(model, buf, cap) =
    ccall((:mesaopt_model_text, libmesaopt), Int64, (Ptr{Cvoid}, Ptr{UInt8}, Int64), model, buf, cap)

"""
Features of a token, of a prediction, and the type that tokens, predictions and parameters have (MESAOPT_F32 or MESAOPT_F64). Each pointer may be NULL. Since 0.1.
"""
mesaopt_model_shape(model, inputs, outputs, dtype) =
    ccall((:mesaopt_model_shape, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Int64}, Ptr{Int64}, Ptr{Int32}), model, inputs, outputs, dtype)

"""
Number of blocks, and width of the stream after block i (i = -1: the tokens). Since 0.1.
"""
mesaopt_model_blocks(model) =
    ccall((:mesaopt_model_blocks, libmesaopt), Int64, (Ptr{Cvoid},), model)

"""
Number of blocks, and width of the stream after block i (i = -1: the tokens). Since 0.1.
"""
mesaopt_model_width(model, block, width) =
    ccall((:mesaopt_model_width, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Ptr{Int64}), model, block, width)

"""
Number of parameter tensors, and the name of the i-th (valid until the next block is added; NULL past the last). Since 0.1.
"""
mesaopt_model_parameters(model) =
    ccall((:mesaopt_model_parameters, libmesaopt), Int64, (Ptr{Cvoid},), model)

"""
Number of parameter tensors, and the name of the i-th (valid until the next block is added; NULL past the last). Since 0.1.
"""
mesaopt_model_parameter_name(model, i) =
    ccall((:mesaopt_model_parameter_name, libmesaopt), Cstring, (Ptr{Cvoid}, Int64), model, i)

"""
View of a parameter by name; writing through it changes the model. Valid while the model lives and no block is added. Since 0.1.
"""
mesaopt_model_parameter(model, name, out) =
    ccall((:mesaopt_model_parameter, libmesaopt), Int32, (Ptr{Cvoid}, Cstring, Ptr{CView}), model, name, out)

"""
View of the gradient of a parameter, as the last mesaopt_model_gradient, mesaopt_model_backward or training step left it (before clipping); zeros before that. Since 0.1.
"""
mesaopt_model_parameter_gradient(model, name, out) =
    ccall((:mesaopt_model_parameter_gradient, libmesaopt), Int32, (Ptr{Cvoid}, Cstring, Ptr{CView}), model, name, out)

"""
Draws all weights anew from `seed`. Since 0.1.
"""
mesaopt_model_initialise(model, seed) =
    ccall((:mesaopt_model_initialise, libmesaopt), Int32, (Ptr{Cvoid}, Int64), model, seed)

"""
Bytes of workspace that calls of this shape need, gradients included when `training` is not 0. Since 0.1.
"""
mesaopt_model_workspace(model, batch, length, training, bytes) =
    ccall((:mesaopt_model_workspace, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Int64, Int32, Ptr{Int64}), model, batch, length, training, bytes)

"""
Predictions: tokens [B, T, inputs] -> out [B, T, outputs], dtype of the model. Since 0.1.
"""
mesaopt_model_forward(model, tokens, out) =
    ccall((:mesaopt_model_forward, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}), model, tokens, out)

"""
Activations: the stream after each of `count` blocks (blocks[i] = -1: the tokens), outs[i] [B, T, width of that block]. One forward pass serves them all. Since 0.1.
"""
mesaopt_model_activations(model, tokens, count, blocks, outs) =
    ccall((:mesaopt_model_activations, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Int64, Ptr{Int64}, Ptr{CView}), model, tokens, count, blocks, outs)

"""
Loss of predictions against targets [B, T, outputs]: sum of weight * half squared error / sum of weights. weights [B, T], f32 or f64, 0 or 1e-20 to 1e20, one above 0; NULL: all 1. A step of weight 0 does not count, whatever its target is; behind the last step that counts of a sequence tokens and targets may hold anything, NaN too, and cost next to nothing. Since 0.1.
"""
mesaopt_model_loss(model, tokens, targets, weights, loss) =
    ccall((:mesaopt_model_loss, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{Cdouble}), model, tokens, targets, weights, loss)

"""
Loss and its gradients: of every parameter (mesaopt_model_parameter_gradient) and, unless dtokens is NULL, of the tokens [B, T, inputs]. MESAOPT_E_NONFINITE names the first tensor that is not finite. Since 0.1.
"""
mesaopt_model_gradient(model, tokens, targets, weights, loss, dtokens) =
    ccall((:mesaopt_model_gradient, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{Cdouble}, Ptr{CView}), model, tokens, targets, weights, loss, dtokens)

"""
Gradients of a scalar of the user's own whose gradient with respect to the predictions is dout [B, T, outputs]; the forward pass is recomputed inside. dtokens may be NULL. Since 0.1.
"""
mesaopt_model_backward(model, tokens, dout, dtokens) =
    ccall((:mesaopt_model_backward, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}, Ptr{CView}), model, tokens, dout, dtokens)

"""
Mean loss on sequences first .. first + count - 1 of a stream of `task`; by_t (f64 [T], NULL: not wanted) receives the mean squared error at t summed over dimensions, halved, so that its mean over t is the loss (by the task's weights, mesaopt_task_set_weights). Memory does not grow with count, which is at least 1. Since 0.1.
"""
mesaopt_model_evaluate(model, task, stream, first, count, by_t, loss) =
    ccall((:mesaopt_model_evaluate, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int32, Int64, Int64, Ptr{CView}, Ptr{Cdouble}), model, task, stream, first, count, by_t, loss)

"""
Writes parameters and settings as safetensors: to a temporary file in the same folder, fsynced, then renamed to what `path` names, links followed and its mode kept. MESAOPT_E_IO says what the system said. MESAOPT_E_NONFINITE names the parameter: no such file would be opened. Since 0.1.
"""
mesaopt_model_save(model, path) =
    ccall((:mesaopt_model_save, libmesaopt), Int32, (Ptr{Cvoid}, Cstring), model, path)

"""
The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes that the file would have. Since 0.1.
"""
mesaopt_model_save_to(model, write, user) =
    ccall((:mesaopt_model_save_to, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}), model, write, user)

"""
Reads parameters by name from a safetensors file (f64, f32, f16 or bf16; other tensors are ignored). All or nothing. MESAOPT_E_FORMAT names the tensor that is missing, of another shape or out of bounds. Since 0.1.
"""
mesaopt_model_load(model, path) =
    ccall((:mesaopt_model_load, libmesaopt), Int32, (Ptr{Cvoid}, Cstring), model, path)

"""
The same from the bytes of such a file in memory. Since 0.1.
"""
mesaopt_model_load_from(model, bytes, length) =
    ccall((:mesaopt_model_load_from, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int64), model, bytes, length)

"""
Keeps a text of the caller's with a model, such as units, scales or the command that made it: it goes as metadata `key` into files of mesaopt_model_save and mesaopt_trainer_save; mesaopt_model_open takes it over, and mesaopt_file_note reads it. NULL takes the note away. Both are UTF-8; key: 1 to 100 bytes that do not begin with \"mesaopt.\"; at most 256 notes of 8 MiB together. Since 0.1.
"""
mesaopt_model_set_note(model, key, text) =
    ccall((:mesaopt_model_set_note, libmesaopt), Int32, (Ptr{Cvoid}, Cstring, Cstring), model, key, text)

"""
Copies a text out of the metadata of a safetensors file: a note, or one of the library's own: \"mesaopt.kind\" (model, trainer, rls, decoder, prompt), and of models and trainers \"mesaopt.blocks\" and \"mesaopt.model\", which is \"inputs=.. outputs=.. dtype=.. ..\". Writes at most `cap` bytes with the final 0, and returns the bytes that all of it needs; 0: there is no such text; or a negative status. Since 0.1.
"""
mesaopt_file_note(ctx, path, key, buf, cap) =
    ccall((:mesaopt_file_note, libmesaopt), Int64, (Ptr{Cvoid}, Cstring, Cstring, Ptr{UInt8}, Int64), ctx, path, key, buf, cap)

"""
The same from the bytes of such a file in memory. Since 0.1.
"""
mesaopt_file_note_from(ctx, bytes, length, key, buf, cap) =
    ccall((:mesaopt_file_note_from, libmesaopt), Int64, (Ptr{Cvoid}, Ptr{Cvoid}, Int64, Cstring, Ptr{UInt8}, Int64), ctx, bytes, length, key, buf, cap)

"""
Creates a model of blocks given as text (mesaopt_model_add_text; `settings` as in mesaopt_model_create) with weights from elsewhere: tensors[i] becomes the parameter names[i], f64, f32, f16 or bf16, any strides (a transposed weight is a view with its strides swapped). Every parameter is given, once, and nothing else. The weights are copied. MESAOPT_E_ARGUMENT, MESAOPT_E_SHAPE, MESAOPT_E_DTYPE and MESAOPT_E_NONFINITE name the parameter. The caller frees *out. Since 0.1.
"""
mesaopt_model_import(ctx, settings, blocks, count, names, tensors, out) =
    ccall((:mesaopt_model_import, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Cstring, Int64, Ptr{Cstring}, Ptr{CView}, Ptr{Ptr{Cvoid}}), ctx, settings, blocks, count, names, tensors, out)

"""
The same from a safetensors file that holds every parameter by its name and nothing else. MESAOPT_E_FORMAT names the tensor that is missing, not expected or of another shape. (Files of this library: mesaopt_model_open. Files with more in them: mesaopt_model_load.) Since 0.1.
"""
mesaopt_model_import_file(ctx, settings, blocks, path, out) =
    ccall((:mesaopt_model_import_file, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Cstring, Cstring, Ptr{Ptr{Cvoid}}), ctx, settings, blocks, path, out)

"""
The same from the bytes of such a file in memory, which are not kept. Since 0.1.
"""
mesaopt_model_import_from(ctx, settings, blocks, bytes, length, out) =
    ccall((:mesaopt_model_import_from, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Cstring, Ptr{Cvoid}, Int64, Ptr{Ptr{Cvoid}}), ctx, settings, blocks, bytes, length, out)

"""
Creates a model from a file that mesaopt_model_save or mesaopt_trainer_save wrote: settings, blocks, parameters, notes. Since 0.1.
"""
mesaopt_model_open(ctx, path, out) =
    ccall((:mesaopt_model_open, libmesaopt), Int32, (Ptr{Cvoid}, Cstring, Ptr{Ptr{Cvoid}}), ctx, path, out)

"""
The same from the bytes of such a file in memory, which are not kept. Since 0.1.
"""
mesaopt_model_open_from(ctx, bytes, length, out) =
    ccall((:mesaopt_model_open_from, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int64, Ptr{Ptr{Cvoid}}), ctx, bytes, length, out)

"""
Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1.
"""
mesaopt_model_free(model) =
    ccall((:mesaopt_model_free, libmesaopt), Int32, (Ptr{Cvoid},), model)

"""
Plans probes (scope MESAOPT_SCOPE_PROBE, NULL: defaults) of `layers` layers with features[l] features each, `steps` steps and `targets` targets, and allocates what fits and scores in sample need. The caller frees *out. Since 0.1.
"""
mesaopt_probe_plan(ctx, settings, layers, features, steps, targets, out) =
    ccall((:mesaopt_probe_plan, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int64, Ptr{Int64}, Int64, Int64, Ptr{Ptr{Cvoid}}), ctx, settings, layers, features, steps, targets, out)

"""
Plans probes of the shapes that a file has; names as in mesaopt_probe_feed_file. `rows` (may be NULL) receives the number of sequences. Since 0.1.
"""
mesaopt_probe_plan_file(ctx, settings, path, activations, targets, out, rows) =
    ccall((:mesaopt_probe_plan_file, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Cstring, Cstring, Cstring, Ptr{Ptr{Cvoid}}, Ptr{Int64}), ctx, settings, path, activations, targets, out, rows)

"""
The same from the bytes of such a file in memory, which are not kept. Since 0.1.
"""
mesaopt_probe_plan_from(ctx, settings, bytes, length, activations, targets, out, rows) =
    ccall((:mesaopt_probe_plan_from, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Int64, Cstring, Cstring, Ptr{Ptr{Cvoid}}, Ptr{Int64}), ctx, settings, bytes, length, activations, targets, out, rows)

"""
Bytes that such probes take at most: the test set's come with its first sequences only. Since 0.1.
"""
mesaopt_probe_workspace(ctx, settings, layers, features, steps, targets, bytes) =
    ccall((:mesaopt_probe_workspace, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int64, Ptr{Int64}, Int64, Int64, Ptr{Int64}), ctx, settings, layers, features, steps, targets, bytes)

"""
Layers, steps and targets, and the features of a layer. Each pointer may be NULL. Since 0.1.
"""
mesaopt_probe_shape(probe, layers, steps, targets) =
    ccall((:mesaopt_probe_shape, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Int64}, Ptr{Int64}, Ptr{Int64}), probe, layers, steps, targets)

"""
Layers, steps and targets, and the features of a layer. Each pointer may be NULL. Since 0.1.
"""
mesaopt_probe_features(probe, layer, features) =
    ccall((:mesaopt_probe_features, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Ptr{Int64}), probe, layer, features)

"""
Takes in B sequences: activations[l] [B, T, D_l] for every layer, targets [B, T, n], or [L, B, T, n] when layers have their own, and weights [B] or [B, T] (NULL: all 1; 0 leaves a sequence out). f32 or f64 each, targets i32, i64 or bool too (0 or 1), any strides. Numbers are of size up to 1e100, or MESAOPT_E_NONFINITE names the element; a feature, a target or weights that are all below 1e-100 may count as 0. All or nothing; allocates only with the first sequences of the test set. Since 0.1.
"""
mesaopt_probe_feed(probe, set, activations, targets, weights) =
    ccall((:mesaopt_probe_feed, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Ptr{CView}, Ptr{CView}, Ptr{CView}), probe, set, activations, targets, weights)

"""
Runs `model` on sequences first .. first + count - 1 of a stream of `task`, batch by batch, and takes in the stream after blocks[l] (-1: the tokens; blocks NULL: -1, 0, 1, ...) as the activations of layer l. Targets are those of mesaopt_probe_targets with the settings of the plan (with target=features of f(x) in place of x: MESAOPT_E_STATE when the task has none), unless mesaopt_probe_set_targets says otherwise. With the setting `filter`, sequences are drawn twice. All or nothing. MESAOPT_E_BUSY: called by a callback of a call that feeds the same probe. Since 0.1.
"""
mesaopt_probe_feed_model(probe, set, model, blocks, task, stream, first, count) =
    ccall((:mesaopt_probe_feed_model, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Ptr{Cvoid}, Ptr{Int64}, Ptr{Cvoid}, Int32, Int64, Int64), probe, set, model, blocks, task, stream, first, count)

"""
A control: as mesaopt_probe_feed_model, but the activations of the only layer are what `conditioner` makes of its input at t (mesaopt_baseline_precondition; with space=features of `task`, unless it has its own), and the setting `filter` goes by their norms. Since 0.1.
"""
mesaopt_probe_feed_control(probe, set, conditioner, task, stream, first, count) =
    ccall((:mesaopt_probe_feed_control, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Ptr{Cvoid}, Ptr{Cvoid}, Int32, Int64, Int64), probe, set, conditioner, task, stream, first, count)

"""
Takes in rows first .. first + count - 1 (count -1: to the end) of a safetensors file (f64, f32, f16 or bf16; targets i64, i32 or bool, too), read piece by piece. `activations`: names of one tensor [B, T, D] per layer, separated by commas; or one name with a `*` that stands for consecutive numbers, the lowest being layer 0; or the name of one tensor [L, B, T, D]. `targets`: name of a tensor [B, T, n]. Without the axis T there is one step. `weights`: name of a tensor [B] or [B, T], or NULL. MESAOPT_E_FORMAT and MESAOPT_E_NONFINITE name the tensor and the place. All or nothing. Since 0.1.
"""
mesaopt_probe_feed_file(probe, set, path, activations, targets, weights, first, count) =
    ccall((:mesaopt_probe_feed_file, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Cstring, Cstring, Cstring, Cstring, Int64, Int64), probe, set, path, activations, targets, weights, first, count)

"""
The same from the bytes of such a file in memory, which are not kept. Since 0.1.
"""
mesaopt_probe_feed_from(probe, set, bytes, length, activations, targets, weights, first, count) =
    ccall((:mesaopt_probe_feed_from, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Ptr{Cvoid}, Int64, Cstring, Cstring, Cstring, Int64, Int64), probe, set, bytes, length, activations, targets, weights, first, count)

"""
Where mesaopt_probe_feed_model takes targets from: what `conditioner` makes of its input at t (mesaopt_baseline_precondition, m targets; a counted reference is kept), or a callback on the calling thread; `release` (may be NULL) follows when another call of this function has taken its place, or when the last user of the probe has gone. Both NULL: as the settings say. Since 0.1.
"""
mesaopt_probe_set_targets(probe, conditioner, fill, release, user) =
    ccall((:mesaopt_probe_set_targets, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}), probe, conditioner, fill, release, user)

"""
Forgets the sequences of a set. Since 0.1.
"""
mesaopt_probe_reset(probe, set) =
    ccall((:mesaopt_probe_reset, libmesaopt), Int32, (Ptr{Cvoid}, Int32), probe, set)

"""
Sequences of a weight above 0 that a set has at step t: out i64 [T]. Since 0.1.
"""
mesaopt_probe_count(probe, set, out) =
    ccall((:mesaopt_probe_count, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Ptr{CView}), probe, set, out)

"""
Fits all probes to the training set, with `intercept`, `penalty` and `rcond` of `settings` (NULL: of the plan); may be repeated, after more sequences or with other settings. MESAOPT_E_STATE: fewer sequences at some step than features (and no penalty); the text says where. Allocates nothing. Since 0.1.
"""
mesaopt_probe_fit(probe, settings) =
    ccall((:mesaopt_probe_fit, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}), probe, settings)

"""
Scores of the fitted maps on a set, f32 or f64; either view may be NULL. mse [L, T]: mean over sequences of the half squared error, summed over targets (setting error=half_sum), or of the mean over targets of the squared error (error=mean); [L, T, n]: one target alone, in the same measure, so that sum or mean over n give [L, T]. r2 [L, T] or [L, T, n]: 1 - squared error / squared distance from the mean target of the set, sums over targets; NaN where targets do not vary. No second pass over any data. MESAOPT_E_NONFINITE: an error is too large for the type of mse or r2. Since 0.1.
"""
mesaopt_probe_score(probe, set, mse, r2) =
    ccall((:mesaopt_probe_score, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Ptr{CView}, Ptr{CView}), probe, set, mse, r2)

"""
Views of W [D_l, n] and of the intercept [n] (zeros without one) of a fitted probe, f64, READONLY, valid until the next fit. Either may be NULL. Since 0.1.
"""
mesaopt_probe_weights(probe, layer, step, weights, intercept) =
    ccall((:mesaopt_probe_weights, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Int64, Ptr{CView}, Ptr{CView}), probe, layer, step, weights, intercept)

"""
Singular values of the activations that rcond left: out i64 [L, T]. Since 0.1.
"""
mesaopt_probe_rank(probe, out) =
    ccall((:mesaopt_probe_rank, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}), probe, out)

"""
Targets that are observations: of sequences [B, T+1, n] the `lags` ones from x_{t-lag} back, out [B, T, lags n]: [x_{t-lag}, x_{t-lag-1}, ...]; lag = -1, lags = 1: the next one, which is the default. Observations before the first are 0. The setting target has to say observations: probes that are fed from a model have its task to ask for features. Since 0.1.
"""
mesaopt_probe_targets(ctx, settings, sequences, out) =
    ccall((:mesaopt_probe_targets, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{CView}, Ptr{CView}), ctx, settings, sequences, out)

"""
Weights that leave outliers out: of targets [B, T, n], out [B, T] is 0 where the norm at t is `limit` or more standard deviations (of the population of the B norms) above their mean, and 1 elsewhere, and where norms differ by rounding alone. Since 0.1.
"""
mesaopt_probe_filter(ctx, limit, targets, out) =
    ccall((:mesaopt_probe_filter, libmesaopt), Int32, (Ptr{Cvoid}, Cdouble, Ptr{CView}, Ptr{CView}), ctx, limit, targets, out)

"""
Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1.
"""
mesaopt_probe_free(probe) =
    ccall((:mesaopt_probe_free, libmesaopt), Int32, (Ptr{Cvoid},), probe)

"""
Creates a prompt (scope MESAOPT_SCOPE_PROMPT, NULL: defaults) of vectors N(0, init_sd^2), which `seed` says. The caller frees *out. Since 0.1.
"""
mesaopt_prompt_create(ctx, settings, out) =
    ccall((:mesaopt_prompt_create, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), ctx, settings, out)

"""
View (f64) of the vectors `name`: \"separator\" [1, n], \"prefix\" [p, n]; writing through it changes the prompt. Valid while the prompt lives. Since 0.1.
"""
mesaopt_prompt_vectors(prompt, name, out) =
    ccall((:mesaopt_prompt_vectors, libmesaopt), Int32, (Ptr{Cvoid}, Cstring, Ptr{CView}), prompt, name, out)

"""
Says whether training leaves the vectors `name` as they are, moments included: frozen 1, or 0, as at first. Since 0.1.
"""
mesaopt_prompt_freeze(prompt, name, frozen) =
    ccall((:mesaopt_prompt_freeze, libmesaopt), Int32, (Ptr{Cvoid}, Cstring, Int32), prompt, name, frozen)

"""
Gradient of the loss on sequences first .. first + count - 1 of `stream` of a task that has this prompt, with respect to the separator [1, n] and the prefix [p, n], frozen or not; 0 where the layout has none. f64; each may be NULL, `loss` too. count >= 1, in one batch. The model and the gradients of its parameters stay as they are. MESAOPT_E_STATE: the task has another prompt, or none. MESAOPT_E_NONFINITE, MESAOPT_NOT_CONVERGED: as mesaopt_model_gradient. Since 0.1.
"""
mesaopt_prompt_gradient(prompt, model, task, stream, first, count, separator, prefix, loss) =
    ccall((:mesaopt_prompt_gradient, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Int32, Int64, Int64, Ptr{CView}, Ptr{CView}, Ptr{Cdouble}), prompt, model, task, stream, first, count, separator, prefix, loss)

"""
Learns until `updates` updates in all have been taken, calling `after` (may be NULL) after each, as mesaopt_trainer_run. Allocates before the first of them, and not in between. MESAOPT_STOPPED: the callback or an interrupt ended it early. MESAOPT_E_NONFINITE: a loss or gradient is not finite; that update was not made. MESAOPT_E_STATE: the task has another prompt, or none, or all vectors that its layout puts in are frozen. Since 0.1.
"""
mesaopt_prompt_train(prompt, model, task, updates, after, user) =
    ccall((:mesaopt_prompt_train, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Int64, Ptr{Cvoid}, Ptr{Cvoid}), prompt, model, task, updates, after, user)

"""
Updates taken so far, or a negative status. Since 0.1.
"""
mesaopt_prompt_updates(prompt) =
    ccall((:mesaopt_prompt_updates, libmesaopt), Int64, (Ptr{Cvoid},), prompt)

"""
Writes a safetensors file with all that a prompt is: the tensors separator and prefix (f64), their moments, settings, counts, and what is frozen; it replaces `path` atomically. Also from callbacks. MESAOPT_E_IO with the system's words; MESAOPT_E_NONFINITE names the element. A file that was there is as it was. Since 0.1.
"""
mesaopt_prompt_save(prompt, path) =
    ccall((:mesaopt_prompt_save, libmesaopt), Int32, (Ptr{Cvoid}, Cstring), prompt, path)

"""
The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes that the file would have. Since 0.1.
"""
mesaopt_prompt_save_to(prompt, write, user) =
    ccall((:mesaopt_prompt_save_to, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}), prompt, write, user)

"""
Reads a prompt back, which goes on learning as the saved one would have. MESAOPT_E_FORMAT names the file and what is wrong in it. The caller frees *out. Since 0.1.
"""
mesaopt_prompt_open(ctx, path, out) =
    ccall((:mesaopt_prompt_open, libmesaopt), Int32, (Ptr{Cvoid}, Cstring, Ptr{Ptr{Cvoid}}), ctx, path, out)

"""
The same from the bytes of such a file in memory, which are not kept. Since 0.1.
"""
mesaopt_prompt_open_from(ctx, bytes, length, out) =
    ccall((:mesaopt_prompt_open_from, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int64, Ptr{Ptr{Cvoid}}), ctx, bytes, length, out)

"""
Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1.
"""
mesaopt_prompt_free(prompt) =
    ccall((:mesaopt_prompt_free, libmesaopt), Int32, (Ptr{Cvoid},), prompt)

"""
Reads the scalars off a model whose blocks are linear, softmax (without positions), dense or mask, all of whose widths are multiples of its `outputs`. The model may be in training, and may change or go afterwards. MESAOPT_E_UNSUPPORTED names the block that does not fit. MESAOPT_E_NONFINITE: the squared norm of the products overflows. The caller frees *out. Since 0.1.
"""
mesaopt_revalg_extract(model, out) =
    ccall((:mesaopt_revalg_extract, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), model, out)

"""
View of the scalars of a product of block i: f64 [heads, S, S'], means of the diagonals of its blocks; writing through it changes what mesaopt_revalg_rebuild builds. Valid while the extraction lives. MESAOPT_E_ARGUMENT: the block has no such product. Since 0.1.
"""
mesaopt_revalg_scalars(revalg, block, product, out) =
    ccall((:mesaopt_revalg_scalars, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Int32, Ptr{CView}), revalg, block, product, out)

"""
What the scalars leave out: view, as above, of the Frobenius norms of (block - mean of its diagonal times the identity). Since 0.1.
"""
mesaopt_revalg_residuals(revalg, block, product, out) =
    ccall((:mesaopt_revalg_residuals, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Int32, Ptr{CView}), revalg, block, product, out)

"""
`weights`: scalars that are not 0, as a share of the weights they stand for; `explained`: share of the products' squared norm that blocks of scaled identity account for (1: the products are such; 1/n: they are noise). Each pointer may be NULL. Since 0.1.
"""
mesaopt_revalg_summary(revalg, weights, explained) =
    ccall((:mesaopt_revalg_summary, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cdouble}, Ptr{Cdouble}), revalg, weights, explained)

"""
One attention layer on constructed tokens (S = 4; masks before it are heeded) in closed form: out f64 [heads, 6] = alpha, eta, beta, gamma, p1, p2, prediction = sum_h sum_{t' <= t} f(x_t . (alpha x_t' + eta x_{t'-1}) + x_{t-1} . (beta x_t' + gamma x_{t'-1})) (p1 x_t' + p2 x_{t'-1}), f the identity or a softmax over t', of its argument times the scale. MESAOPT_E_UNSUPPORTED: not one such layer. Since 0.1.
"""
mesaopt_revalg_closed_form(revalg, out) =
    ccall((:mesaopt_revalg_closed_form, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}), revalg, out)

"""
A model of the scalars: the same blocks with W_k = P = I (key = value = D), W_q and W_v blocks of scaled identity; clips and masks as they were, softmax with the scale of the original. MESAOPT_E_NONFINITE: scalars that were written. The caller frees *out. Since 0.1.
"""
mesaopt_revalg_rebuild(revalg, out) =
    ccall((:mesaopt_revalg_rebuild, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), revalg, out)

"""
Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1.
"""
mesaopt_revalg_free(revalg) =
    ccall((:mesaopt_revalg_free, libmesaopt), Int32, (Ptr{Cvoid},), revalg)

"""
A product itself: W_q W_k^T or W_v P of a head, or a dense block's weights: out [D, D'], f32 or f64. Since 0.1.
"""
mesaopt_revalg_product(model, block, product, head, out) =
    ccall((:mesaopt_revalg_product, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Int32, Int64, Ptr{CView}), model, block, product, head, out)

"""
A model whose products are the means of the products of `a` and `b`: logits (s_a Q_a K_a^T + s_b Q_b K_b^T) / 2 with their scales s, outputs (attention V_a P_a + attention V_b P_b) / 2 with the one attention of these logits; of dense blocks the mean weights. The blocks must agree in kind, heads, width and clip. The caller frees *out. Since 0.1.
"""
mesaopt_revalg_average(a, b, out) =
    ccall((:mesaopt_revalg_average, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), a, b, out)

"""
Does it again for new weights of a and b, into a model that mesaopt_revalg_average made of them; allocates nothing. May be called in a trainer's callback. MESAOPT_E_STATE: a trainer holds `average`, or it is not such a model. Since 0.1.
"""
mesaopt_revalg_average_update(average, a, b) =
    ccall((:mesaopt_revalg_average_update, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}), average, a, b)

"""
Proposition 1: one linear layer that is one step of gradient descent of size eta from Phi0 (f32 or f64 [n, n], acting on columns; NULL: 0), on tokens [Phi0 s_t, s_t, s_{t-1}] (`inputs` = 3 n) or [Phi0 s_t, anything, s_t, s_{t-1}] (4 n; with Phi0 = 0 the constructed tokens); prediction (Phi0 - eta grad L_t(Phi0)) s_t. `settings`: scope MESAOPT_SCOPE_MODEL. The caller frees *out. Since 0.1.
"""
mesaopt_revalg_proposition1(ctx, settings, eta, phi0, out) =
    ccall((:mesaopt_revalg_proposition1, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Cdouble, Ptr{CView}, Ptr{Ptr{Cvoid}}), ctx, settings, eta, phi0, out)

"""
Proposition 2: a deep linear model that makes the predictions of `baseline` (neumann, richardson or chebyshev with a divisor, or gd; newest_pair on): one linear layer and one dense block per step, and one last linear layer. Tokens: [0, s_t, s_{t-1}, s_t, s_t, s_t] (`inputs` = 6 n), or the constructed ones (4 n), of which a first dense block makes these. The coefficients are those of now; MESAOPT_E_NONFINITE: they are not finite. The caller frees *out. Since 0.1.
"""
mesaopt_revalg_proposition2(ctx, settings, baseline, out) =
    ccall((:mesaopt_revalg_proposition2, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), ctx, settings, baseline, out)

"""
A model of the user's own weights: `layers` equal blocks of the kind of `block`, any kind; the weights are its n parameters in the order of mesaopt_model_parameter_name, weights[n i ..] those of layer i: of a plain linear or softmax block query [D, H key], key [D, H key], value [D, H value], output [H value, D]; f64, f32, f16 or bf16, any strides; D = `inputs` of `settings` (scope MESAOPT_SCOPE_MODEL). The weights are copied. MESAOPT_E_SHAPE and MESAOPT_E_NONFINITE name the layer and the matrix. Networks of different blocks: mesaopt_model_import. The caller frees *out. Since 0.1.
"""
mesaopt_revalg_import(ctx, settings, block, layers, weights, out) =
    ccall((:mesaopt_revalg_import, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Int64, Ptr{CView}, Ptr{Ptr{Cvoid}}), ctx, settings, block, layers, weights, out)

"""
The same from a safetensors file that holds the parameters of such blocks I = 0, 1, .., blocks.I.query and so on, and nothing else. MESAOPT_E_FORMAT names the tensor that is missing, not expected or of another shape. (Files of this library: mesaopt_model_open.) Since 0.1.
"""
mesaopt_revalg_import_file(ctx, settings, block, path, out) =
    ccall((:mesaopt_revalg_import_file, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Cstring, Ptr{Ptr{Cvoid}}), ctx, settings, block, path, out)

"""
The same from the bytes of such a file in memory, which are not kept. Since 0.1.
"""
mesaopt_revalg_import_from(ctx, settings, block, bytes, length, out) =
    ccall((:mesaopt_revalg_import_from, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Int64, Ptr{Ptr{Cvoid}}), ctx, settings, block, bytes, length, out)

"""
Creates `streams` regressions without rows of a plan, which they keep alive. ridge [streams, d_key]: l > 0 (NULL: the plan's setting). The caller frees *out. Since 0.1.
"""
mesaopt_rls_create(lsq, streams, ridge, out) =
    ccall((:mesaopt_rls_create, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Ptr{CView}, Ptr{Ptr{Cvoid}}), lsq, streams, ridge, out)

"""
Takes in rows: k [T, streams, d_key], v [T, streams, d_val], weights beta [T, streams] >= 0 (NULL: 1), log of the gates log_gamma [T, streams] <= 0 (NULL: the plan's setting gamma). A row of weight 0 adds nothing, and its key and value may hold anything, NaN too; it counts as a row (in a window it has its place), and its gate forgets. In the others |k|, |v|, sqrt(beta) |k| and sqrt(beta) |v| are at most 2^480 (3.1e144), so that sums of squares are finite: rows that are not so are refused before any is taken in. Since 0.1.
"""
mesaopt_rls_update(rls, k, v, beta, log_gamma) =
    ccall((:mesaopt_rls_update, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{CView}), rls, k, v, beta, log_gamma)

"""
out [T, streams, d_val] for queries q [T, streams, d_key], all on the rows so far. error (NULL: not wanted), of the shape of out: the standard error of each prediction, sqrt(s^2 q^T (H + diag l)^-1 q), s^2 = (sum of b v^2 - S_j^T (H + diag l)^-1 S_j) / sum of b: the posterior deviation when the ridge is the prior; a new value scatters by sqrt(s^2 + error^2). NaN while the weights sum to 0. Since 0.1.
"""
mesaopt_rls_predict(rls, q, out, error) =
    ccall((:mesaopt_rls_predict, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}, Ptr{CView}), rls, q, out, error)

"""
For every row in turn: takes it in, then predicts for its query, as mesaopt_lsq_forward does for whole sequences. Since 0.1.
"""
mesaopt_rls_step(rls, q, k, v, beta, log_gamma, out) =
    ccall((:mesaopt_rls_step, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{CView}, Ptr{CView}), rls, q, k, v, beta, log_gamma, out)

"""
The rows of `from` after those of `rls`: as if one had seen both. Refused when sums might not be finite. Plans of equal dimensions, window, gamma and missing, and equal ridges; `from` stays as it is, to the bit. It may be of another context (MESAOPT_E_BUSY: in which a call runs). Since 0.1.
"""
mesaopt_rls_merge(rls, from) =
    ccall((:mesaopt_rls_merge, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}), rls, from)

"""
Streams side by side, and channels of their keys and values. Each pointer may be NULL. Since 0.1.
"""
mesaopt_rls_shape(rls, streams, d_key, d_val) =
    ccall((:mesaopt_rls_shape, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Int64}, Ptr{Int64}, Ptr{Int64}), rls, streams, d_key, d_val)

"""
Forgets all rows. Since 0.1.
"""
mesaopt_rls_clear(rls) =
    ccall((:mesaopt_rls_clear, libmesaopt), Int32, (Ptr{Cvoid},), rls)

"""
Reads parts of the state: views[i] (f32 or f64) receives which[i], a MESAOPT_RLS_*. RESIDUAL is NaN where rounding has left less than six digits of it, after a mesaopt_rls_set without it. Since 0.1.
"""
mesaopt_rls_get(rls, count, which, views) =
    ccall((:mesaopt_rls_get, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Ptr{Int32}, Ptr{CView}), rls, count, which, views)

"""
Replaces the state: KEY_STATE (symmetric, positive semidefinite) and VALUE_STATE have to be given, WEIGHT and SQUARES (otherwise 0) may be, and RESIDUAL: without it standard errors are computed from SQUARES, and where rounding has left less than six digits of them, predictions with errors come with MESAOPT_NOT_CONVERGED. ROWS and MISSING are 0 then. MESAOPT_E_UNSUPPORTED with a window: such a state consists of its rows. Since 0.1.
"""
mesaopt_rls_set(rls, count, which, views) =
    ccall((:mesaopt_rls_set, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Ptr{Int32}, Ptr{CView}), rls, count, which, views)

"""
Writes the state as safetensors (f64), as mesaopt_model_save writes. This handle and one read from the file go on alike, bit for bit; what it predicts may differ by roundings from what it would have predicted without saving, also when that fails. Since 0.1.
"""
mesaopt_rls_save(rls, path) =
    ccall((:mesaopt_rls_save, libmesaopt), Int32, (Ptr{Cvoid}, Cstring), rls, path)

"""
The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes that the file would have. Since 0.1.
"""
mesaopt_rls_save_to(rls, write, user) =
    ccall((:mesaopt_rls_save_to, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}), rls, write, user)

"""
Creates a handle from a file of mesaopt_rls_save, notes included; `lsq` has to have the dimensions, window, gamma and missing of its plan. Since 0.1.
"""
mesaopt_rls_open(lsq, path, out) =
    ccall((:mesaopt_rls_open, libmesaopt), Int32, (Ptr{Cvoid}, Cstring, Ptr{Ptr{Cvoid}}), lsq, path, out)

"""
The same from the bytes of such a file in memory, which are not kept. Since 0.1.
"""
mesaopt_rls_open_from(lsq, bytes, length, out) =
    ccall((:mesaopt_rls_open_from, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int64, Ptr{Ptr{Cvoid}}), lsq, bytes, length, out)

"""
Keeps a text of the caller's with the state, as mesaopt_model_set_note does with a model. Since 0.1.
"""
mesaopt_rls_set_note(rls, key, text) =
    ccall((:mesaopt_rls_set_note, libmesaopt), Int32, (Ptr{Cvoid}, Cstring, Cstring), rls, key, text)

"""
Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1.
"""
mesaopt_rls_free(rls) =
    ccall((:mesaopt_rls_free, libmesaopt), Int32, (Ptr{Cvoid},), rls)

"""
One Philox4x32-10 block: four counter words and two key words in, four random words out. Since 0.1.
"""
mesaopt_rng_philox(counter, key, out) =
    ccall((:mesaopt_rng_philox, libmesaopt), Int32, (Ptr{UInt32}, Ptr{UInt32}, Ptr{UInt32}), counter, key, out)

"""
Fills `out` [N, ...] (f32 or f64, strided) with U[low, high): row i along the first axis is a pure function of (seed, stream, first + i). Since 0.1.
"""
mesaopt_rng_uniform(ctx, seed, stream, first, low, high, out) =
    ccall((:mesaopt_rng_uniform, libmesaopt), Int32, (Ptr{Cvoid}, UInt64, UInt32, UInt64, Cdouble, Cdouble, Ptr{CView}), ctx, seed, stream, first, low, high, out)

"""
Fills `out` [N, ...] with N(mean, sd^2); rows as in mesaopt_rng_uniform. Since 0.1.
"""
mesaopt_rng_normal(ctx, seed, stream, first, mean, sd, out) =
    ccall((:mesaopt_rng_normal, libmesaopt), Int32, (Ptr{Cvoid}, UInt64, UInt32, UInt64, Cdouble, Cdouble, Ptr{CView}), ctx, seed, stream, first, mean, sd, out)

"""
Fills `out` [N, n, n] with Haar-distributed orthogonal matrices (QR of a Gaussian, signs fixed by diag R > 0). Since 0.1.
"""
mesaopt_rng_orthogonal(ctx, seed, stream, first, out) =
    ccall((:mesaopt_rng_orthogonal, libmesaopt), Int32, (Ptr{Cvoid}, UInt64, UInt32, UInt64, Ptr{CView}), ctx, seed, stream, first, out)

"""
Creates settings for `scope` with every key at its default. `alloc` (NULL: malloc and free) is used for this object, and by the contexts made from it when scope is MESAOPT_SCOPE_CTX. The caller frees *out. MESAOPT_E_ARGUMENT: unknown scope, or NULL out; MESAOPT_E_MEMORY. Since 0.1.
"""
mesaopt_settings_create(scope, alloc, user, out) =
    ccall((:mesaopt_settings_create, libmesaopt), Int32, (Int32, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), scope, alloc, user, out)

"""
Gives the allocator of these settings a release, or another one (NULL: none): it follows, with the allocator's `user`, when the settings and every context that was or will be made from them have gone. MESAOPT_E_ARGUMENT: a release on settings without an allocator. Since 0.1.
"""
mesaopt_settings_set_alloc_release(settings, release) =
    ccall((:mesaopt_settings_set_alloc_release, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}), settings, release)

"""
Frees settings; NULL is fine, and so is any handle, which it leaves alone. Since 0.1.
"""
mesaopt_settings_free(settings) =
    ccall((:mesaopt_settings_free, libmesaopt), Cvoid, (Ptr{Cvoid},), settings)

"""
Sets an integer (or choice, by index) key. MESAOPT_E_SETTING: unknown key, not of this scope, not of this type, out of bounds. Since 0.1.
"""
mesaopt_settings_set_int(settings, key, value) =
    ccall((:mesaopt_settings_set_int, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Int64), settings, key, value)

"""
Sets a floating-point key; NaN is refused. Errors as mesaopt_settings_set_int. Since 0.1.
"""
mesaopt_settings_set_float(settings, key, value) =
    ccall((:mesaopt_settings_set_float, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Cdouble), settings, key, value)

"""
Sets any key from text: mesaopt_settings_set_text(s, \"lr\", \"3e-4\"). Numbers use '.', whatever the locale. Errors as mesaopt_settings_set_int, and unreadable text; an unknown key's text lists the known ones. Since 0.1.
"""
mesaopt_settings_set_text(settings, name, value) =
    ccall((:mesaopt_settings_set_text, libmesaopt), Int32, (Ptr{Cvoid}, Cstring, Cstring), settings, name, value)

"""
Reads an integer key, or a choice as its index. Since 0.1.
"""
mesaopt_settings_get_int(settings, key, out) =
    ccall((:mesaopt_settings_get_int, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Ptr{Int64}), settings, key, out)

"""
Reads a floating-point key. Since 0.1.
"""
mesaopt_settings_get_float(settings, key, out) =
    ccall((:mesaopt_settings_get_float, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Ptr{Cdouble}), settings, key, out)

"""
Writes the value of a key as the text that mesaopt_settings_set_text takes, at most cap bytes with the final NUL; returns the bytes the whole text needs, or a negative status. Since 0.1.
"""
mesaopt_settings_get_text(settings, name, buf, cap) =
    ccall((:mesaopt_settings_get_text, libmesaopt), Int64, (Ptr{Cvoid}, Cstring, Ptr{UInt8}, Int64), settings, name, buf, cap)

"""
Scope-independent facts of a key. Each out pointer may be NULL. `type` is a MESAOPT_TYPE_*; lowest and highest are the bounds as double (choice: 0 and the number of words - 1). MESAOPT_E_SETTING: the key does not apply to `scope`. Since 0.1.
"""
mesaopt_settings_describe(scope, key, type_, lowest, highest, standard) =
    ccall((:mesaopt_settings_describe, libmesaopt), Int32, (Int32, Int32, Ptr{Int32}, Ptr{Cdouble}, Ptr{Cdouble}, Ptr{Cdouble}), scope, key, type_, lowest, highest, standard)

"""
Number of keys of `scope` (0 for an unknown scope), and the i-th of them (0 when there is none). Since 0.1.
"""
mesaopt_settings_count(scope) =
    ccall((:mesaopt_settings_count, libmesaopt), Int32, (Int32,), scope)

"""
Number of keys of `scope` (0 for an unknown scope), and the i-th of them (0 when there is none). Since 0.1.
"""
mesaopt_settings_key_at(scope, i) =
    ccall((:mesaopt_settings_key_at, libmesaopt), Int32, (Int32, Int32), scope, i)

"""
Key number of a name, 0 when unknown; name of a key, NULL when unknown; static storage. Since 0.1.
"""
mesaopt_settings_key(name) =
    ccall((:mesaopt_settings_key, libmesaopt), Int32, (Cstring,), name)

"""
Key number of a name, 0 when unknown; name of a key, NULL when unknown; static storage. Since 0.1.
"""
mesaopt_settings_name(key) =
    ccall((:mesaopt_settings_name, libmesaopt), Cstring, (Int32,), key)

"""
i-th word of a choice key, NULL past the last. Static storage. Since 0.1.
"""
mesaopt_settings_word(key, i) =
    ccall((:mesaopt_settings_word, libmesaopt), Cstring, (Int32, Int32), key, i)

"""
Writes \"name=value name=value ...\" with every key of the scope, at most cap bytes with the final NUL; returns the bytes the whole text needs, or a negative status. The text, split at blanks, sets an equal object. Since 0.1.
"""
mesaopt_settings_dump(settings, buf, cap) =
    ccall((:mesaopt_settings_dump, libmesaopt), Int64, (Ptr{Cvoid}, Ptr{UInt8}, Int64), settings, buf, cap)

"""
Text of the last failure on this object (\"\" when there was none), at most cap bytes with the final NUL; returns the bytes the whole text needs, or a negative status. Unchanged by success. Since 0.1.
"""
mesaopt_settings_error(settings, buf, cap) =
    ccall((:mesaopt_settings_error, libmesaopt), Int64, (Ptr{Cvoid}, Ptr{UInt8}, Int64), settings, buf, cap)

"""
Host hooks of a context (scope MESAOPT_SCOPE_CTX only): a parallel loop instead of the library's own threads, a log, and a poll that may stop calls. NULL takes the hook away. `release` (may be NULL) follows when the hook has been replaced or these settings freed, and the last context made with it has gone. With a host loop the key `threads` says how many jobs a loop is handed. MESAOPT_E_ARGUMENT: a release without a hook; MESAOPT_E_MEMORY. Since 0.1.
"""
mesaopt_settings_set_parallel(settings, parallel, release, user) =
    ccall((:mesaopt_settings_set_parallel, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}), settings, parallel, release, user)

"""
Host hooks of a context (scope MESAOPT_SCOPE_CTX only): a parallel loop instead of the library's own threads, a log, and a poll that may stop calls. NULL takes the hook away. `release` (may be NULL) follows when the hook has been replaced or these settings freed, and the last context made with it has gone. With a host loop the key `threads` says how many jobs a loop is handed. MESAOPT_E_ARGUMENT: a release without a hook; MESAOPT_E_MEMORY. Since 0.1.
"""
mesaopt_settings_set_log(settings, log, release, user) =
    ccall((:mesaopt_settings_set_log, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}), settings, log, release, user)

"""
Host hooks of a context (scope MESAOPT_SCOPE_CTX only): a parallel loop instead of the library's own threads, a log, and a poll that may stop calls. NULL takes the hook away. `release` (may be NULL) follows when the hook has been replaced or these settings freed, and the last context made with it has gone. With a host loop the key `threads` says how many jobs a loop is handed. MESAOPT_E_ARGUMENT: a release without a hook; MESAOPT_E_MEMORY. Since 0.1.
"""
mesaopt_settings_set_poll(settings, poll, release, user) =
    ccall((:mesaopt_settings_set_poll, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}), settings, poll, release, user)

"""
Name of a status code, such as \"MESAOPT_E_SHAPE\"; \"MESAOPT_UNKNOWN\" for any other number. Never fails, never NULL, static storage. Since 0.1.
"""
mesaopt_status_name(status) =
    ccall((:mesaopt_status_name, libmesaopt), Cstring, (Int32,), status)

"""
Version of the library that is running, as MESAOPT_VERSION: major * 1000000 + minor * 1000 + patch. Since 0.1.
"""
mesaopt_version_number() =
    ccall((:mesaopt_version_number, libmesaopt), Int32, ())

"""
Version of the library that is running, such as \"0.1.0\". Static storage. Since 0.1.
"""
mesaopt_version_text() =
    ccall((:mesaopt_version_text, libmesaopt), Cstring, ())

"""
One line about the build: version, compiler, BLIS version, ISA levels compiled in. Static storage. Since 0.1.
"""
mesaopt_build_info() =
    ccall((:mesaopt_build_info, libmesaopt), Cstring, ())

"""
Value of any constant of the public headers by its name (\"MESAOPT_E_SHAPE\", \"MESAOPT_KEY_LR\", ...), for callers that cannot read C headers. `out` receives the value. MESAOPT_E_ARGUMENT when a pointer is NULL or the name is unknown. Since 0.1.
"""
mesaopt_constant(name, out) =
    ccall((:mesaopt_constant, libmesaopt), Int32, (Cstring, Ptr{Int64}), name, out)

"""
Heads of a block, 0 when it is none of attention. Since 0.1.
"""
mesaopt_study_heads(model, block, heads) =
    ccall((:mesaopt_study_heads, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Ptr{Int64}), model, block, heads)

"""
Attention map of every head of a block: mean over sequences of the weights w_ts with which the output of the head at step t sums the values of steps s <= t, o_t = sum_s w_ts v_s. linear: scale q_t . k_s; softmax: softmax over s of that; mesa: (beta_s gamma_{s+1} .. gamma_t) k_s^T (H_t + diag l)^-1 q_t. out [H, T, T], f32 or f64, 0 above the diagonal. MESAOPT_E_UNSUPPORTED: the block has no heads; MESAOPT_NOT_CONVERGED: see model.h. May be called in a callback. Since 0.1.
"""
mesaopt_study_attention_map(model, block, task, stream, first, count, out) =
    ccall((:mesaopt_study_attention_map, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Ptr{Cvoid}, Int32, Int64, Int64, Ptr{CView}), model, block, task, stream, first, count, out)

"""
Sensitivity of the stream to the tokens: mean over sequences and over the features j of the stream after blocks[l] (-1: the tokens) of the norm of d f_{t,j} / d e_{t'}, e_{t'} the token of step t', f_t the stream at step t. Exact, by a backward pass for every feature and step. step -1: out [layers, T, T], 0 where t' > t; step 0 .. T - 1: of that t alone, out [layers, T] (of t'), in a T-th of the time or less. f32 or f64. May be called in a callback. Since 0.1.
"""
mesaopt_study_sensitivity(model, layers, blocks, task, stream, first, count, step, out) =
    ccall((:mesaopt_study_sensitivity, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Ptr{Int64}, Ptr{Cvoid}, Int32, Int64, Int64, Int64, Ptr{CView}), model, layers, blocks, task, stream, first, count, step, out)

"""
Creates a generator (scope MESAOPT_SCOPE_TASK; NULL: defaults, the fully observed linear task). `settings` is copied. The caller frees *out. Since 0.1.
"""
mesaopt_task_create(ctx, settings, out) =
    ccall((:mesaopt_task_create, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), ctx, settings, out)

"""
A task over the user's own sequences [N, T+1, n], f32 or f64, finite, N >= 1, T >= 1. The task keeps a counted reference on `sequences`; of the settings it uses `tokens`, `slots` and `seed`. MESAOPT_E_NONFINITE names the first bad element. Since 0.1.
"""
mesaopt_task_from_tensor(ctx, settings, sequences, out) =
    ccall((:mesaopt_task_from_tensor, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), ctx, settings, sequences, out)

"""
A task over `count` sequences of the user's own, of any lengths: sequences[i] is [T_i + 1, n], f32 or f64, finite, T_i >= 1, with one n. T is the largest T_i; steps behind a sequence's end have the weight 0, and its observations there are given out as 0. Otherwise as mesaopt_task_from_tensor; the array of handles is not kept. Since 0.1.
"""
mesaopt_task_from_tensors(ctx, settings, count, sequences, out) =
    ccall((:mesaopt_task_from_tensors, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int64, Ptr{Ptr{Cvoid}}, Ptr{Ptr{Cvoid}}), ctx, settings, count, sequences, out)

"""
A task over the user's own pairs: inputs and outputs [N, P, n], f32 or f64, finite, N >= 1, P >= 1, laid out as regression lays out its own (settings separator, prefix, teachers, which only say where prefixes stand here, and segment). T is what P pairs take: the last output is the last observation, or the last input where the end of a segment cuts that pair. The task keeps a counted reference on both tensors; of the settings it also uses `tokens`, `slots` and `seed`. MESAOPT_E_SHAPE: pairs of unequal number or dimension. Since 0.1.
"""
mesaopt_task_from_pairs(ctx, settings, inputs, outputs, out) =
    ccall((:mesaopt_task_from_pairs, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), ctx, settings, inputs, outputs, out)

"""
A task over `count` sequences of the user's own pairs, of any number of pairs: inputs[i] and outputs[i] are [P_i, n], f32 or f64, finite, P_i >= 1, with one n. T is the largest that P_i pairs take; steps behind a sequence's end have the weight 0, and its observations there are given out as 0. Otherwise as mesaopt_task_from_pairs; the arrays of handles are not kept. Since 0.1.
"""
mesaopt_task_from_pair_tensors(ctx, settings, count, inputs, outputs, out) =
    ccall((:mesaopt_task_from_pair_tensors, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int64, Ptr{Ptr{Cvoid}}, Ptr{Ptr{Cvoid}}, Ptr{Ptr{Cvoid}}), ctx, settings, count, inputs, outputs, out)

"""
A task over a callback that fills batches; `dim` and `length` of the settings give n and T. `release` (may be NULL) follows when the last user of the task has gone. Since 0.1.
"""
mesaopt_task_from_callback(ctx, settings, fill, release, user, out) =
    ccall((:mesaopt_task_from_callback, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), ctx, settings, fill, release, user, out)

"""
Sets what step t counts in every loss and score that is taken on the task, of models, trainers, baselines and probes: weights [T], the same for all sequences, or, of own ones, [N, T]; f32 or f64, 0 or 1e-20 to 1e20, one above 0 in each sequence. Copied. A loss is sum of weight * error / sum of weights; the error at t the same over sequences, and NaN where none of them is scored. Steps of weight 0 are neither scored nor trained on; those behind the last scored one of a sequence change nothing and cost next to nothing. Since 0.1.
"""
mesaopt_task_set_weights(task, weights) =
    ccall((:mesaopt_task_set_weights, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}), task, weights)

"""
Gives a task whose layout has a separator or a prefix the prompt that it takes them from (a counted reference is kept; NULL: none): the vectors as they are whenever sequences are drawn. Without one such a task draws nothing, MESAOPT_E_STATE. MESAOPT_E_SHAPE: vectors of another dimension, or a prefix of another length; MESAOPT_E_STATE: the layout has neither. A layout without a prefix takes the separator alone: one prompt serves several layouts. Since 0.1.
"""
mesaopt_task_set_prompt(task, prompt) =
    ccall((:mesaopt_task_set_prompt, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}), task, prompt)

"""
n, T, width D of a token, and the number of own sequences (0: endless). Each pointer may be NULL. Since 0.1.
"""
mesaopt_task_shape(task, dim, length, width, count) =
    ccall((:mesaopt_task_shape, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Int64}, Ptr{Int64}, Ptr{Int64}, Ptr{Int64}), task, dim, length, width, count)

"""
Writes sequences first .. first + B - 1 of `stream` into `out` [B, T+1, n], f32 or f64. Since 0.1.
"""
mesaopt_task_draw(task, stream, first, out) =
    ccall((:mesaopt_task_draw, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Int64, Ptr{CView}), task, stream, first, out)

"""
Tokens of given sequences: [B, T+1, n] -> out [B, T, D], same dtype. raw: x_t; constructed: [0, x_t, x_t, x_{t-1}]; slots: [x_t, x_{t-1}, ..., x_{t-k+1}]; observations before the first are 0. Since 0.1.
"""
mesaopt_task_tokens(task, sequences, out) =
    ccall((:mesaopt_task_tokens, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}), task, sequences, out)

"""
What a task makes its next observation of: f(x_t) of nonlinear, not normalised, of sequences [B, T, n] -> out [B, T, n], same dtype. MESAOPT_E_STATE: the task has no features; MESAOPT_E_NONFINITE: `out` is not finite. Since 0.1.
"""
mesaopt_task_features(task, sequences, out) =
    ccall((:mesaopt_task_features, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}), task, sequences, out)

"""
Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1.
"""
mesaopt_task_free(task) =
    ccall((:mesaopt_task_free, libmesaopt), Int32, (Ptr{Cvoid},), task)

"""
Fills *out with a dense row-major view of `data`. A convenience: filling the struct by hand is the same. `shape` holds ndim extents. MESAOPT_E_ARGUMENT: NULL, unknown dtype, ndim or an extent out of range, size overflow. Since 0.1.
"""
mesaopt_view_dense(data, dtype, ndim, shape, out) =
    ccall((:mesaopt_view_dense, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Int32, Ptr{Int64}, Ptr{CView}), data, dtype, ndim, shape, out)

"""
Creates a dense row-major tensor of zeros that owns its memory. The caller frees *out. Since 0.1.
"""
mesaopt_tensor_create(ctx, dtype, ndim, shape, out) =
    ccall((:mesaopt_tensor_create, libmesaopt), Int32, (Ptr{Cvoid}, Int32, Int32, Ptr{Int64}, Ptr{Ptr{Cvoid}}), ctx, dtype, ndim, shape, out)

"""
Makes a tensor of memory that the host owns, without a copy. `release(user)` (may be NULL) is called once, when the last user of the tensor goes, on whichever thread that is; it is not called on failure. Since 0.1.
"""
mesaopt_tensor_wrap(ctx, view, release, user, out) =
    ccall((:mesaopt_tensor_wrap, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), ctx, view, release, user, out)

"""
View of the tensor's elements, valid while the tensor lives. Since 0.1.
"""
mesaopt_tensor_view(tensor, out) =
    ccall((:mesaopt_tensor_view, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}), tensor, out)

"""
Copies elements between views of equal shape, converting between f32 and f64 (and from f16 and bf16); i32 and i64 to their own type only. MESAOPT_E_OVERLAP when dst may share elements with src or with itself. Since 0.1.
"""
mesaopt_tensor_copy(ctx, src, dst) =
    ccall((:mesaopt_tensor_copy, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{CView}, Ptr{CView}), ctx, src, dst)

"""
Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1.
"""
mesaopt_tensor_free(tensor) =
    ccall((:mesaopt_tensor_free, libmesaopt), Int32, (Ptr{Cvoid},), tensor)

"""
Creates a trainer over a model and a task (counted references on both; scope MESAOPT_SCOPE_TRAINER, NULL: defaults). Allocates all that steps need. MESAOPT_E_SHAPE: the widths of task and model do not meet. The caller frees *out. Since 0.1.
"""
mesaopt_trainer_create(ctx, settings, model, task, out) =
    ccall((:mesaopt_trainer_create, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Ptr{Cvoid}}), ctx, settings, model, task, out)

"""
Says what the steps from now on do to all parameters whose names match `pattern`: \"blocks.0.query\", \"blocks.0.*\", \"*.lambda\" (`*`: any characters, none too; `?`: one). `factor`, 0 to 1e6, multiplies their learning rate, and with it their weight decay; 0 freezes them: they and their moments keep every bit, and their gradient takes no part in clip_norm, though a step's grad_norm counts it. `decay` is a MESAOPT_DECAY_*. Of several patterns that match a name the latest holds; \"*\", 1, MESAOPT_DECAY_STANDARD is what a new trainer does. A parameter that thaws goes on as if the steps it was frozen for had not been. Not in a callback of the trainer (MESAOPT_E_BUSY). Checkpoints hold what was said, for the log of the one that loads them, and how long parameters were frozen. MESAOPT_E_ARGUMENT: no name matches, or a number is out of range. Since 0.1.
"""
mesaopt_trainer_set_parameters(trainer, pattern, factor, decay) =
    ccall((:mesaopt_trainer_set_parameters, libmesaopt), Int32, (Ptr{Cvoid}, Cstring, Cdouble, Int32), trainer, pattern, factor, decay)

"""
One step. `loss` may be NULL. MESAOPT_E_NONFINITE says at which step and in which tensor; nothing is changed by a step that fails. MESAOPT_NOT_CONVERGED: the step was taken, see model.h. Allocates nothing. Since 0.1.
"""
mesaopt_trainer_step(trainer, loss) =
    ccall((:mesaopt_trainer_step, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cdouble}), trainer, loss)

"""
Steps until `steps` steps in all have been taken, calling `after` (may be NULL) after each. MESAOPT_STOPPED: the callback or an interrupt ended it early; MESAOPT_NOT_CONVERGED: some step was such a one, the text has the last of them. Since 0.1.
"""
mesaopt_trainer_run(trainer, steps, after, user) =
    ccall((:mesaopt_trainer_run, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Ptr{Cvoid}, Ptr{Cvoid}), trainer, steps, after, user)

"""
mesaopt_model_evaluate on the first `count` sequences of the task's test stream. Since 0.1.
"""
mesaopt_trainer_evaluate(trainer, count, by_t, loss) =
    ccall((:mesaopt_trainer_evaluate, libmesaopt), Int32, (Ptr{Cvoid}, Int64, Ptr{CView}, Ptr{Cdouble}), trainer, count, by_t, loss)

"""
Steps taken so far, or a negative status. Since 0.1.
"""
mesaopt_trainer_steps(trainer) =
    ccall((:mesaopt_trainer_steps, libmesaopt), Int64, (Ptr{Cvoid},), trainer)

"""
Writes a checkpoint (safetensors): parameters, AdamW moments, step, seeds, settings, what was said of parameters, ISA level and lanes, as mesaopt_model_save writes. MESAOPT_E_NONFINITE names the tensor: no such file would be opened. Since 0.1.
"""
mesaopt_trainer_save(trainer, path) =
    ccall((:mesaopt_trainer_save, libmesaopt), Int32, (Ptr{Cvoid}, Cstring), trainer, path)

"""
The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes that the file would have. Since 0.1.
"""
mesaopt_trainer_save_to(trainer, write, user) =
    ccall((:mesaopt_trainer_save_to, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Ptr{Cvoid}), trainer, write, user)

"""
Restores a checkpoint of a trainer with the same model blocks on the same task: all or nothing. MESAOPT_OTHER_ISA: restored, but the run will not repeat the other machine's bits. MESAOPT_E_FORMAT: not such a file; the text names what differs. MESAOPT_E_SETTING: its sequences or tokens were made otherwise; the text names the settings of the task that differ (of own sequences `data` stands for their numbers). Other settings of the trainer, and what is said of parameters, are those of this trainer, and what differs is written to the log of the context. Since 0.1.
"""
mesaopt_trainer_load(trainer, path) =
    ccall((:mesaopt_trainer_load, libmesaopt), Int32, (Ptr{Cvoid}, Cstring), trainer, path)

"""
mesaopt_trainer_load for a run that goes on with other data: settings of the task named in `change`, \"noise,seed\" or \"all\", may differ; the log says which do. NULL or \"\": none. Since 0.1.
"""
mesaopt_trainer_load_changed(trainer, path, change) =
    ccall((:mesaopt_trainer_load_changed, libmesaopt), Int32, (Ptr{Cvoid}, Cstring, Cstring), trainer, path, change)

"""
mesaopt_trainer_load_changed from the bytes of such a file in memory. Since 0.1.
"""
mesaopt_trainer_load_from(trainer, bytes, length, change) =
    ccall((:mesaopt_trainer_load_from, libmesaopt), Int32, (Ptr{Cvoid}, Ptr{Cvoid}, Int64, Cstring), trainer, bytes, length, change)

"""
Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1.
"""
mesaopt_trainer_free(trainer) =
    ccall((:mesaopt_trainer_free, libmesaopt), Int32, (Ptr{Cvoid},), trainer)
