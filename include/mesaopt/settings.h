/* mesaopt/settings.h: every option of the library, as one kind of opaque object.
 *
 * A settings object belongs to one scope (a context, a task, a model, a kind of block, ...) and
 * takes only the keys that apply there, each with a type, bounds and a default. Keys are numbers
 * that never change meaning; each also has a name, so that a program can pass on "lr=3e-4" from its
 * command line. Setting a key checks it at once: unknown keys, keys of another scope and values out
 * of range are refused with a text that names the key and its range.
 *
 * Use:
 *     mesaopt_settings_create(MESAOPT_SCOPE_TRAINER, NULL, NULL, &settings);
 *     mesaopt_settings_set_int(settings, MESAOPT_KEY_BATCH, 128);
 *     status = mesaopt_settings_set_text(settings, "lr", "3e-4");
 *     if (status != MESAOPT_OK) mesaopt_settings_error(settings, text, 256);
 */
#ifndef MESAOPT_SETTINGS_H
#define MESAOPT_SETTINGS_H

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mesaopt_settings mesaopt_settings;
typedef struct mesaopt_ctx mesaopt_ctx;

/* Scopes: what a settings object is for. The keys of each stand in the reference (docs/api.md) and
 * in mesaopt_settings_key_at; what the kinds of blocks compute there, and in model.h. */
#define MESAOPT_SCOPE_CTX 1
#define MESAOPT_SCOPE_TASK 2
#define MESAOPT_SCOPE_MODEL 3
#define MESAOPT_SCOPE_TRAINER 4
#define MESAOPT_SCOPE_BASELINE 5
#define MESAOPT_SCOPE_LINEAR 6     /* linear self-attention: a block of a model, or a
                                      mesaopt_attn */
#define MESAOPT_SCOPE_SOFTMAX 7    /* softmax self-attention: likewise */
#define MESAOPT_SCOPE_DENSE 8      /* a dense map of every token: embedding, read-out */
#define MESAOPT_SCOPE_MASK 9       /* zeroes the first features of every token */
#define MESAOPT_SCOPE_LSQ 10       /* recursive least squares: a mesaopt_lsq */
#define MESAOPT_SCOPE_MESA 11      /* mesa layer: a block of a model */
#define MESAOPT_SCOPE_PROBE 12     /* linear probes: a mesaopt_probe, and targets for it */
#define MESAOPT_SCOPE_MLP 13       /* two dense maps with an activation between: a block of a
                                      model */
#define MESAOPT_SCOPE_NORM 14      /* normalisation of every token: a block of a model */
#define MESAOPT_SCOPE_DECODER 15   /* a model that goes through sequences step by step: a
                                      mesaopt_decoder */
#define MESAOPT_SCOPE_PROMPT 16    /* learned vectors between observations: a mesaopt_prompt */

/* Keys. Context: */
#define MESAOPT_KEY_THREADS 1          /* threads: int, jobs that may run at once, the caller's
                                          included */
#define MESAOPT_KEY_ISA 2              /* isa: auto, baseline, avx2, avx512 */
/* Shared by several scopes: */
#define MESAOPT_KEY_SEED 10            /* seed: int >= 0 (task, model) */
#define MESAOPT_KEY_DTYPE 11           /* dtype: f32, f64 (model) */
#define MESAOPT_KEY_LANES 12           /* lanes: 0 by shapes, 1 one sequence at a time, 2 one per
                                          vector lane (model, attention, lsq, probe: regressions) */
/* Task: */
#define MESAOPT_KEY_TASK 20            /* task: what is drawn, task.h */
#define MESAOPT_KEY_DIM 21             /* dim: n, observation dimension */
#define MESAOPT_KEY_LENGTH 22          /* length: T, inputs per sequence; T + 1 observations are
                                          drawn */
#define MESAOPT_KEY_NOISE 23           /* noise: standard deviation of the state noise */
#define MESAOPT_KEY_DATA_CLIP 24       /* data_clip: observations are clipped to +- this inside the
                                          recursion; 0: the task's own */
#define MESAOPT_KEY_TOKENS 25          /* tokens: raw, constructed, slots */
#define MESAOPT_KEY_SLOTS 26           /* slots: k of tokens=slots, and of space=slots:
                                          observations beside each other, newest first */
#define MESAOPT_KEY_HIDDEN 27          /* hidden: numbers of the state that partial hides (0, the
                                          default: 15), hidden units of nonlinear's MLP (0: 4 dim);
                                          of a block mlp, default 160 */
#define MESAOPT_KEY_MAP_SD 28          /* map_sd: standard deviation of what is drawn once more: the
                                          entries of C of partial, of A and B of nonlinear; 0: the
                                          task's own */
#define MESAOPT_KEY_START 29           /* start: x_1 is uniform in [-start, start]; 0: the task's
                                          own */
#define MESAOPT_KEY_OBSERVATION_NOISE 30 /* observation_noise: standard deviation of the noise that
                                          partial adds to what it shows of its state */
#define MESAOPT_KEY_SEPARATOR 31       /* separator: of pairs (regression, own pairs), 1 puts the
                                          separator of a prompt behind each */
#define MESAOPT_KEY_PREFIX 32          /* prefix: vectors of a prompt before the pairs of every
                                          teacher; of a prompt: how many it has */
#define MESAOPT_KEY_TEACHERS 33        /* teachers: maps W of a sequence of pairs, one after the
                                          other */
#define MESAOPT_KEY_SEGMENT 34         /* segment: observations of every teacher but the last, its
                                          prefix among them */
/* Model and blocks: */
#define MESAOPT_KEY_INPUTS 40          /* inputs: width of the tokens that the first block
                                          receives */
#define MESAOPT_KEY_OUTPUTS 41         /* outputs: n, the prediction is the first n features of the
                                          last block (dense: its width) */
#define MESAOPT_KEY_HEADS 42           /* heads: of attention, beside each other in a layer */
#define MESAOPT_KEY_KEY 43             /* key: key and query dimension of a head */
#define MESAOPT_KEY_VALUE 44           /* value: value dimension of a head; 0: as key */
#define MESAOPT_KEY_INIT_SD 45         /* init_sd: standard deviation of the initial weights */
#define MESAOPT_KEY_RESIDUAL_CLIP 46   /* residual_clip: the residual stream is clipped to +- this
                                          after the layer; 0: not */
#define MESAOPT_KEY_PE 47              /* pe: none; qk: positions beside the input of W_q and W_k
                                          (attention, mesa); add: positions are added to the stream
                                          that the block sees */
#define MESAOPT_KEY_SCALE 48           /* scale: factor of the logits; 0: 1 for linear, 1/sqrt(key)
                                          for softmax */
#define MESAOPT_KEY_CHUNK 49           /* chunk: rows per chunk of the attention products; 0: by
                                          shapes */
#define MESAOPT_KEY_FIRST 50           /* first: mask(first=F) zeroes features 0..F-1 */
#define MESAOPT_KEY_GATES 51           /* gates: none; sigmoid: input and forget gate from the
                                          token, one of each per head (mesa) */
#define MESAOPT_KEY_RIDGES 52          /* ridges: head: 1 / lambda, one learned lambda per head;
                                          channel: ridge_min + softplus, one per head and channel
                                          (mesa) */
#define MESAOPT_KEY_RIDGE_MIN 53       /* ridge_min: lower bound of ridges=channel (mesa) */
#define MESAOPT_KEY_QK_NORM 54         /* qk_norm: 1: queries and keys of every head are scaled to
                                          length 1; one of zeros stays */
#define MESAOPT_KEY_ACT 55             /* act: activation of the hidden units (mlp): gelu, with the
                                          normal distribution function; gelu_tanh; relu; silu */
#define MESAOPT_KEY_OUTPUT_INIT 56     /* output_init: factor of init_sd for the weights by which a
                                          residual block adds to the stream (output, down) */
#define MESAOPT_KEY_NORM 57            /* norm: what a residual block's function is given: none, the
                                          stream as it is; layer, rms: every token normalised */
#define MESAOPT_KEY_NORM_EPSILON 58    /* norm_epsilon: what normalisation adds to the mean
                                          square */
#define MESAOPT_KEY_KIND 59            /* kind: of a block norm: layer, to mean 0 and mean square 1,
                                          with gain and bias; rms, to mean square 1, with gain */
/* Trainer, and baselines that learn their coefficients: */
#define MESAOPT_KEY_BATCH 60           /* batch: sequences per step */
#define MESAOPT_KEY_LR 61              /* lr: learning rate, the peak when there is a schedule */
#define MESAOPT_KEY_WARMUP 62          /* warmup: steps of linear warm-up (with cosine_steps > 0) */
#define MESAOPT_KEY_COSINE_STEPS 63    /* cosine_steps: step at which the cosine reaches lr_end; 0:
                                          fixed learning rate */
#define MESAOPT_KEY_LR_END 64          /* lr_end: learning rate behind the cosine */
#define MESAOPT_KEY_WEIGHT_DECAY 65    /* weight_decay: decoupled, multiplied by the learning
                                          rate */
#define MESAOPT_KEY_BETA1 66           /* beta1: decay of the first moment of AdamW */
#define MESAOPT_KEY_BETA2 67           /* beta2: decay of the second moment */
#define MESAOPT_KEY_EPSILON 68         /* epsilon: of AdamW */
#define MESAOPT_KEY_CLIP_VALUE 69      /* clip_value: element-wise gradient clip to +- this; 0:
                                          none */
#define MESAOPT_KEY_CLIP_NORM 70       /* clip_norm: global-norm gradient clip; 0: none */
/* Baseline: */
#define MESAOPT_KEY_BASELINE 80        /* baseline: what predicts, baseline.h; default gd */
#define MESAOPT_KEY_ETA 81             /* eta: step size of gd; default 0.032 */
#define MESAOPT_KEY_RIDGE 82           /* ridge: of the baseline lsq and the preconditioners,
                                          default 0.001; least squares: of every key channel when
                                          there is no operand for it, default 1 */
#define MESAOPT_KEY_NEWEST_PAIR 83     /* newest_pair: 1, the default, uses the pairs up to
                                          (x_{t-1}, x_t), 0 leaves the newest out, as the paper
                                          does */
/* Least squares: */
#define MESAOPT_KEY_SOLVER 100         /* solver: auto (the default), cholesky, sherman_morrison
                                          (refused with forgetting), cg, cg_diag, cg_chunk, neumann,
                                          segments */
#define MESAOPT_KEY_TOLERANCE 101      /* tolerance: of iterative solvers, residual over right-hand
                                          side per row; 0, the default: by element type */
#define MESAOPT_KEY_FALLBACK 103       /* fallback: 1, the default, solves rows that did not
                                          converge by Cholesky, 0 leaves them as they are */
#define MESAOPT_KEY_WINDOW 102         /* window: of a mesaopt_rls, only the last so many rows
                                          count; 0, the default: all */
#define MESAOPT_KEY_GAMMA 104          /* gamma: forgetting factor of every step when there is no
                                          operand for it; default 1, nothing is forgotten */
#define MESAOPT_KEY_MISSING 105        /* missing: of a mesaopt_rls, values that are NaN: refuse,
                                          the default, or output, which leaves that output alone out
                                          of the row */
/* Probe: */
#define MESAOPT_KEY_INTERCEPT 140      /* intercept: 1 fits a constant as well */
#define MESAOPT_KEY_PENALTY 141        /* penalty: of the squared weights (not of the intercept); 0:
                                          least squares */
#define MESAOPT_KEY_RCOND 142          /* rcond: singular values up to this times the largest count
                                          as 0; 0: 2^-52 max(sequences, features) */
#define MESAOPT_KEY_ERROR 143          /* error: half_sum: half the sum of squares over targets;
                                          mean: their mean */
#define MESAOPT_KEY_LAG 144            /* lag: the targets are x_{t-lag} and older ones; -1: the
                                          next observation */
#define MESAOPT_KEY_LAGS 145           /* lags: observations that are targets, one after the
                                          other */
#define MESAOPT_KEY_FILTER 146         /* filter: z-score of the target's norm from which
                                          mesaopt_probe_feed_model leaves a sequence out; 0: none */
#define MESAOPT_KEY_TARGET 147         /* target: what the targets are of an observation x: it
                                          itself (observations), or of a task that has them its
                                          features f(x) or f(x) / |f(x)| (unit_features) */
/* Baseline, continued: */
#define MESAOPT_KEY_BETA 160           /* beta: factor of the inner products in the softmax of
                                          kernel; default 1 */
#define MESAOPT_KEY_ITERATIONS 161     /* iterations: K, steps of gd or of a preconditioner; 0, the
                                          default: 1 for gd, 6 for the others; least squares: at
                                          most so many per row; 0, the default: by key dimension */
#define MESAOPT_KEY_DIVISOR 162        /* divisor: c, which neumann, richardson and chebyshev divide
                                          A_t by; 0, the default: its Frobenius norm */
#define MESAOPT_KEY_SPACE 163          /* space: what a baseline regresses x_{t+1} on: observations,
                                          x_t; slots, the last `slots` of them; features, those of
                                          the task, to length 1 */
#define MESAOPT_KEY_PAIRS 164          /* pairs: that a baseline learns from: all; scored, those of
                                          the steps whose weight is above 0 */
/* Blocks, continued: */
#define MESAOPT_KEY_BIAS 180           /* bias: 1 adds a learned row to the output (dense) */
#define MESAOPT_KEY_POSITIONS 181      /* positions: of pe: sinusoidal; learned, a row a step */
#define MESAOPT_KEY_LONGEST 182        /* longest: rows of positions=learned; longer sequences are
                                          refused */
/* Decoder: */
#define MESAOPT_KEY_STREAMS 200        /* streams: sequences side by side */
#define MESAOPT_KEY_CAPACITY 201       /* capacity: tokens of a stream that softmax attention keeps
                                          keys and values of */

/* Types of values. */
#define MESAOPT_TYPE_INT 1
#define MESAOPT_TYPE_FLOAT 2
#define MESAOPT_TYPE_CHOICE 3          /* set and read as text, or as the index of the word */

/** Given with a callback that the library keeps, or with memory (mesaopt_tensor_wrap); NULL where
 *  there is nothing to give back. Called once, with the same `user`, when nothing can use the one
 *  or the other any more: by the function that lets go of it last, before that returns, on
 *  whichever thread that is. It may free handles, and calls nothing else of the library. When the
 *  function that was given it fails, it is not called. [thread: any] Since 0.1. */
typedef void (*mesaopt_release_fn)(void *user);

/** Host allocator: new_size 0 frees `ptr` and returns NULL; ptr NULL allocates; otherwise it
 *  resizes, keeping the content. Blocks must be aligned for any C type; sizes are in bytes and
 *  `old_size` is what the block was asked with. Returns NULL when memory is short. It is called
 *  from any thread that frees a handle, so it must be thread-safe.
 *  [thread: any] Since 0.1. */
typedef void *(*mesaopt_alloc_fn)(void *ptr, int64_t old_size, int64_t new_size, void *user);

/** Host parallel loop: calls body(job, i) exactly once for every i in 0..n-1, in any order, on any
 *  threads, and returns when all are done. No job waits on another. Since 0.1. */
typedef void (*mesaopt_parallel_fn)(void (*body)(void *job, int64_t i), void *job, int64_t n,
                                    void *user);

/** Host log: one line of text, on the calling thread, valid during the call only: ISA level and
 *  threads of the new context ("context: isa avx2, threads 4"); of a checkpoint that is loaded, any
 *  setting of trainer or task that was another one, or that it does not say which task it is of
 *  ("run.safetensors: lr was 0.0001, now 1e-5"). Since 0.1. */
typedef void (*mesaopt_log_fn)(const char *line, void *user);

/** Host poll: 0 lets the running call go on, anything else stops it as mesaopt_ctx_interrupt does.
 *  Called on the thread of the call, at most 50 times a second, and from a long call at least ten
 *  times, also while workers do the work; with a host's parallel loop as often as its jobs return,
 *  and they do not go on beyond that. Not in the callbacks of a call, nor in calls too short to
 *  look. It may free handles; calls on its context give MESAOPT_E_BUSY. Since 0.1. */
typedef int32_t (*mesaopt_poll_fn)(void *user);

/** Creates settings for `scope` with every key at its default. `alloc` (NULL: malloc and free) is
 *  used for this object, and by the contexts made from it when scope is MESAOPT_SCOPE_CTX. The
 *  caller frees *out. MESAOPT_E_ARGUMENT: unknown scope, or NULL out; MESAOPT_E_MEMORY.
 *  [keeps: alloc?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_settings_create(int32_t scope, mesaopt_alloc_fn alloc,
                                                   void *user, mesaopt_settings **out);

/** Gives the allocator of these settings a release, or another one (NULL: none): it follows, with
 *  the allocator's `user`, when the settings and every context that was or will be made from them
 *  have gone. MESAOPT_E_ARGUMENT: a release on settings without an allocator.
 *  [keeps: release?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_settings_set_alloc_release(mesaopt_settings *settings,
                                                              mesaopt_release_fn release);

/** Frees settings; NULL is fine, and so is any handle, which it leaves alone. Since 0.1. */
MESAOPT_API void mesaopt_settings_free(mesaopt_settings *settings);

/** Sets an integer (or choice, by index) key. MESAOPT_E_SETTING: unknown key, not of this scope,
 *  not of this type, out of bounds. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_settings_set_int(mesaopt_settings *settings, int32_t key,
                                                    int64_t value);

/** Sets a floating-point key; NaN is refused. Errors as mesaopt_settings_set_int. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_settings_set_float(mesaopt_settings *settings, int32_t key,
                                                      double value);

/** Sets any key from text: mesaopt_settings_set_text(s, "lr", "3e-4"). Numbers use '.', whatever
 *  the locale. Errors as mesaopt_settings_set_int, and unreadable text; an unknown key's text lists
 *  the known ones. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_settings_set_text(mesaopt_settings *settings, const char *name,
                                                     const char *value);

/** Reads an integer key, or a choice as its index. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_settings_get_int(const mesaopt_settings *settings, int32_t key,
                                                    int64_t *out);

/** Reads a floating-point key. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_settings_get_float(const mesaopt_settings *settings, int32_t key,
                                                      double *out);

/** Writes the value of a key as the text that mesaopt_settings_set_text takes, at most cap bytes
 *  with the final NUL; returns the bytes the whole text needs, or a negative status. Since 0.1. */
MESAOPT_API int64_t mesaopt_settings_get_text(const mesaopt_settings *settings, const char *name,
                                              char *buf, int64_t cap);

/** Scope-independent facts of a key. Each out pointer may be NULL. `type` is a MESAOPT_TYPE_*;
 *  lowest and highest are the bounds as double (choice: 0 and the number of words - 1).
 *  MESAOPT_E_SETTING: the key does not apply to `scope`.
 *  [out: type?, lowest?, highest?, standard?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_settings_describe(int32_t scope, int32_t key, int32_t *type,
                                                     double *lowest, double *highest,
                                                     double *standard);

/** Number of keys of `scope` (0 for an unknown scope), and the i-th of them (0 when there is none).
 *  Since 0.1. */
MESAOPT_API int32_t mesaopt_settings_count(int32_t scope);
MESAOPT_API int32_t mesaopt_settings_key_at(int32_t scope, int32_t i);

/** Key number of a name, 0 when unknown; name of a key, NULL when unknown; static storage. Since
 *  0.1. */
MESAOPT_API int32_t mesaopt_settings_key(const char *name);
MESAOPT_API const char *mesaopt_settings_name(int32_t key);

/** i-th word of a choice key, NULL past the last. Static storage. Since 0.1. */
MESAOPT_API const char *mesaopt_settings_word(int32_t key, int32_t i);

/** Writes "name=value name=value ..." with every key of the scope, at most cap bytes with the final
 *  NUL; returns the bytes the whole text needs, or a negative status. The text, split at blanks,
 *  sets an equal object. Since 0.1. */
MESAOPT_API int64_t mesaopt_settings_dump(const mesaopt_settings *settings, char *buf, int64_t cap);

/** Text of the last failure on this object ("" when there was none), at most cap bytes with the
 *  final NUL; returns the bytes the whole text needs, or a negative status. Unchanged by success.
 *  Since 0.1. */
MESAOPT_API int64_t mesaopt_settings_error(const mesaopt_settings *settings, char *buf,
                                           int64_t cap);

/** Host hooks of a context (scope MESAOPT_SCOPE_CTX only): a parallel loop instead of the library's
 *  own threads, a log, and a poll that may stop calls. NULL takes the hook away. `release` (may be
 *  NULL) follows when the hook has been replaced or these settings freed, and the last context made
 *  with it has gone. With a host loop the key `threads` says how many jobs a loop is handed.
 *  MESAOPT_E_ARGUMENT: a release without a hook; MESAOPT_E_MEMORY.
 *  [keeps: parallel?, log?, poll?, release?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_settings_set_parallel(mesaopt_settings *settings,
                                                         mesaopt_parallel_fn parallel,
                                                         mesaopt_release_fn release, void *user);
MESAOPT_API mesaopt_status mesaopt_settings_set_log(mesaopt_settings *settings, mesaopt_log_fn log,
                                                    mesaopt_release_fn release, void *user);
MESAOPT_API mesaopt_status mesaopt_settings_set_poll(mesaopt_settings *settings,
                                                     mesaopt_poll_fn poll,
                                                     mesaopt_release_fn release, void *user);

#ifdef __cplusplus
}
#endif
#endif
