/* The table of all settings: adding a scope or a key means adding rows here (and its number to
 * mesaopt/settings.h). Default values are ABI. Infinity as a bound means: no bound (a clip at
 * infinity clips nothing). */
#include "base/options.h"
#include <math.h>

const char *const option_scope_names[] = {"ctx",    "task",    "model", "trainer", "baseline",
                                          "linear", "softmax", "dense", "mask",    "lsq",
                                          "mesa",   "probe",   NULL};

#define IN(s) (1u << MESAOPT_SCOPE_##s)
#define ATTENTION (IN(LINEAR) | IN(SOFTMAX))
#define HEADED (ATTENTION | IN(MESA))
#define INT(k, name, scopes, low, high, standard) \
    { \
        MESAOPT_KEY_##k, name, scopes, MESAOPT_TYPE_INT, low, high, standard, 0 \
    }
#define FLOAT(k, name, scopes, low, high, standard) \
    { \
        MESAOPT_KEY_##k, name, scopes, MESAOPT_TYPE_FLOAT, low, high, standard, 0 \
    }
#define CHOICE(k, name, scopes, standard, ...) \
    { \
        MESAOPT_KEY_##k, name, scopes, MESAOPT_TYPE_CHOICE, 0, \
            sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) - 1, standard, \
            (const char *const[]) \
        { \
            __VA_ARGS__, 0 \
        } \
    }

#define MOST 9007199254740992.0            /* 2^53: integers up to here are exact as double */
#define WIDEST 1048576                     /* features, heads x dimension */
#define LONGEST 16777216                   /* tokens */
#define BELOW_1 0.9999999                  /* below 1 in f32 as well */

const option_row option_rows[] = {
    INT(THREADS, "threads", IN(CTX), 1, 1024, 1),
    CHOICE(ISA, "isa", IN(CTX), 0, "auto", "baseline", "avx2", "avx512"),

    INT(SEED, "seed", IN(TASK) | IN(MODEL), 0, MOST, 0),
    CHOICE(DTYPE, "dtype", IN(MODEL), 0, "f32", "f64"),
    INT(LANES, "lanes", IN(MODEL) | ATTENTION | IN(LSQ) | IN(PROBE), 0, 2, 0),

    CHOICE(TASK, "task", IN(TASK), 0, "linear", "contracting", "fixed_teacher"),
    INT(DIM, "dim", IN(TASK), 1, WIDEST, 10),
    INT(LENGTH, "length", IN(TASK), 1, LONGEST, 50),
    FLOAT(NOISE, "noise", IN(TASK), 0, 1e6, 0.01),
    FLOAT(DATA_CLIP, "data_clip", IN(TASK), 0, INFINITY, 0),
    CHOICE(TOKENS, "tokens", IN(TASK), 1, "raw", "constructed", "slots"),
    INT(SLOTS, "slots", IN(TASK), 1, WIDEST, 16),

    INT(INPUTS, "inputs", IN(MODEL), 1, WIDEST, 40),
    INT(OUTPUTS, "outputs", IN(MODEL), 1, WIDEST, 10),
    INT(OUTPUTS, "outputs", IN(DENSE), 1, WIDEST, 40),
    INT(HEADS, "heads", HEADED, 1, 65536, 4),
    INT(KEY, "key", HEADED, 1, 65536, 20),
    INT(VALUE, "value", HEADED, 0, 65536, 0),
    FLOAT(INIT_SD, "init_sd", IN(LINEAR) | IN(MESA), 0, 1e3, 2e-4),
    FLOAT(INIT_SD, "init_sd", IN(SOFTMAX) | IN(DENSE), 0, 1e3, 0.05),
    FLOAT(RESIDUAL_CLIP, "residual_clip", HEADED, 0, INFINITY, 0),
    CHOICE(PE, "pe", HEADED, 0, "none", "qk"),
    FLOAT(SCALE, "scale", ATTENTION, -1e6, 1e6, 0),
    INT(CHUNK, "chunk", HEADED | IN(LSQ), 0, LONGEST, 0),
    CHOICE(GATES, "gates", IN(MESA), 0, "none", "sigmoid"),
    CHOICE(RIDGES, "ridges", IN(MESA), 0, "head", "channel"),
    FLOAT(RIDGE_MIN, "ridge_min", IN(MESA), 1e-6, BELOW_1, 0.25),
    INT(QK_NORM, "qk_norm", IN(MESA), 0, 1, 0),
    INT(FIRST, "first", IN(MASK), 0, WIDEST, 0),

    INT(BATCH, "batch", IN(TRAINER) | IN(BASELINE), 1, WIDEST, 256),
    FLOAT(LR, "lr", IN(TRAINER), 0, 1e3, 1e-4),
    INT(WARMUP, "warmup", IN(TRAINER), 0, MOST, 1000),
    INT(COSINE_STEPS, "cosine_steps", IN(TRAINER), 0, MOST, 0),
    FLOAT(LR_END, "lr_end", IN(TRAINER) | IN(BASELINE), 0, 1e3, 1e-5),
    FLOAT(WEIGHT_DECAY, "weight_decay", IN(TRAINER), 0, 1e3, 0.1),
    FLOAT(BETA1, "beta1", IN(TRAINER) | IN(BASELINE), 0, BELOW_1, 0.9),
    FLOAT(BETA2, "beta2", IN(TRAINER) | IN(BASELINE), 0, BELOW_1, 0.999),
    FLOAT(EPSILON, "epsilon", IN(TRAINER) | IN(BASELINE), 1e-30, 1, 1e-8),
    FLOAT(CLIP_VALUE, "clip_value", IN(TRAINER) | IN(BASELINE), 0, INFINITY, 1),
    FLOAT(CLIP_NORM, "clip_norm", IN(TRAINER) | IN(BASELINE), 0, INFINITY, 0),

    CHOICE(BASELINE, "baseline", IN(BASELINE), 0, "gd", "lsq", "kernel", "neumann", "newton",
           "richardson", "chebyshev"),
    FLOAT(ETA, "eta", IN(BASELINE), 0, 1e30, 0.032),
    FLOAT(RIDGE, "ridge", IN(BASELINE), 1e-30, 1e30, 0.001),
    INT(NEWEST_PAIR, "newest_pair", IN(BASELINE), 0, 1, 1),
    FLOAT(BETA, "beta", IN(BASELINE), 0, 1e30, 1),
    INT(ITERATIONS, "iterations", IN(BASELINE), 0, 65536, 0),
    FLOAT(DIVISOR, "divisor", IN(BASELINE), 0, 1e30, 0),
    FLOAT(LR, "lr", IN(BASELINE), 0, 1e3, 3e-4),
    INT(WARMUP, "warmup", IN(BASELINE), 0, MOST, 500),
    INT(COSINE_STEPS, "cosine_steps", IN(BASELINE), 0, MOST, 40000),
    FLOAT(WEIGHT_DECAY, "weight_decay", IN(BASELINE), 0, 1e3, 0.05),

    CHOICE(SOLVER, "solver", IN(LSQ) | IN(MESA), 0, "auto", "cholesky", "sherman_morrison", "cg",
           "cg_diag", "cg_chunk", "neumann", "segments"),
    FLOAT(TOLERANCE, "tolerance", IN(LSQ), 0, 1, 0),
    INT(ITERATIONS, "iterations", IN(LSQ), 0, WIDEST, 0),
    INT(FALLBACK, "fallback", IN(LSQ), 0, 1, 1),
    FLOAT(RIDGE, "ridge", IN(LSQ), 1e-30, 1e30, 1),
    FLOAT(GAMMA, "gamma", IN(LSQ), 0, 1, 1),
    INT(WINDOW, "window", IN(LSQ), 0, MOST, 0),

    INT(INTERCEPT, "intercept", IN(PROBE), 0, 1, 0),
    FLOAT(PENALTY, "penalty", IN(PROBE), 0, 1e30, 0),
    FLOAT(RCOND, "rcond", IN(PROBE), 0, BELOW_1, 0),
    CHOICE(ERROR, "error", IN(PROBE), 0, "half_sum", "mean"),
    INT(LAG, "lag", IN(PROBE), -1, LONGEST, -1),
    INT(LAGS, "lags", IN(PROBE), 1, LONGEST, 1),
    FLOAT(FILTER, "filter", IN(PROBE), 0, 1e6, 0),
    {0, 0, 0, 0, 0, 0, 0, 0},
};
