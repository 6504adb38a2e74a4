/* The table of all settings: by scope, the keys that it takes. A key means adding it here (its
 * number to mesaopt/settings.h, its words to choices.def); a kind of block is a row of kinds.def.
 * Default values are ABI, and so is the order of a scope's keys. Infinity as a bound means: no
 * bound (a clip at infinity clips nothing). */
#include "base/choices.h"
#include "base/options.h"
#include <math.h>

#define MOST 9007199254740992.0            /* 2^53: integers up to here are exact as double */
#define WIDEST 1048576                     /* features, heads x dimension */
#define LONGEST 16777216                   /* tokens */
#define BELOW_1 0.9999999                  /* below 1 in f32 as well */

/* ---- words, each closed by NULL ---- */

static const char *const isa_words[] = {
    [MESAOPT_ISA_AUTO] = "auto",
    [MESAOPT_ISA_BASELINE] = "baseline",
    [MESAOPT_ISA_AVX2] = "avx2",
    [MESAOPT_ISA_AVX512] = "avx512",
    NULL,
};
static const char *const task_words[] = {
#define TASK(name, text) #name,
#include "base/tasks.def"
    NULL,
};
static const char *const baseline_words[] = {
#define BASELINE(name, text) #name,
#include "base/baselines.def"
    NULL,
};
#define WORD(enumerator, word) [enumerator] = word,
#define CHOICES(name, type, words) static const char *const name##_words[] = {words NULL};
#include "base/choices.def"
#define CHOICES(name, type, words) static const char *const name##_words[] = {words NULL};
#include "base/kinds.def"
#undef WORD

/* ---- scopes ---- */

#define INT(k, name, low, high, standard) \
    { \
        MESAOPT_KEY_##k, #name, MESAOPT_TYPE_INT, low, high, standard, NULL \
    }
#define FLOAT(k, name, low, high, standard) \
    { \
        MESAOPT_KEY_##k, #name, MESAOPT_TYPE_FLOAT, low, high, standard, NULL \
    }
#define CHOICE(k, name, standard) \
    { \
        MESAOPT_KEY_##k, #name, MESAOPT_TYPE_CHOICE, 0, \
            sizeof name##_words / sizeof *name##_words - 2, standard, name##_words \
    }
#define SCOPE(number, name, ...) \
    [MESAOPT_SCOPE_##number] = {#name, (const option_row[]){__VA_ARGS__, {0}}}
#define LANES_KEY INT(LANES, lanes, 0, 2, 0)
/* What AdamW takes besides its schedule. */
#define ADAMW_KEYS \
    FLOAT(BETA1, beta1, 0, BELOW_1, 0.9), FLOAT(BETA2, beta2, 0, BELOW_1, 0.999), \
        FLOAT(EPSILON, epsilon, 1e-30, 1, 1e-8), FLOAT(CLIP_VALUE, clip_value, 0, INFINITY, 1), \
        FLOAT(CLIP_NORM, clip_norm, 0, INFINITY, 0)

const option_scope option_scopes[] = {
    {"", (const option_row[]){{0}}},
    SCOPE(CTX, ctx, INT(THREADS, threads, 1, 1024, 1), CHOICE(ISA, isa, MESAOPT_ISA_AUTO)),

    SCOPE(TASK, task, INT(SEED, seed, 0, MOST, 0), CHOICE(TASK, task, 0),
          INT(DIM, dim, 1, WIDEST, 10), INT(LENGTH, length, 1, LONGEST, 50),
          FLOAT(NOISE, noise, 0, 1e6, 0.01), FLOAT(DATA_CLIP, data_clip, 0, INFINITY, 0),
          CHOICE(TOKENS, tokens, TOKENS_CONSTRUCTED), INT(SLOTS, slots, 1, WIDEST, 16),
          INT(HIDDEN, hidden, 0, WIDEST, 0), FLOAT(MAP_SD, map_sd, 0, 1e6, 0),
          FLOAT(START, start, 0, 1e6, 0),
          FLOAT(OBSERVATION_NOISE, observation_noise, 0, 1e6, 0.01),
          INT(SEPARATOR, separator, 0, 1, 0), INT(PREFIX, prefix, 0, LONGEST, 0),
          INT(TEACHERS, teachers, 1, 65536, 1), INT(SEGMENT, segment, 0, LONGEST, 0)),

    SCOPE(MODEL, model, INT(SEED, seed, 0, MOST, 0), CHOICE(DTYPE, dtype, DTYPE_F32), LANES_KEY,
          INT(INPUTS, inputs, 1, WIDEST, 40), INT(OUTPUTS, outputs, 1, WIDEST, 10)),

    SCOPE(TRAINER, trainer, INT(BATCH, batch, 1, WIDEST, 256), FLOAT(LR, lr, 0, 1e3, 1e-4),
          INT(WARMUP, warmup, 0, MOST, 1000), INT(COSINE_STEPS, cosine_steps, 0, MOST, 0),
          FLOAT(LR_END, lr_end, 0, 1e3, 1e-5), FLOAT(WEIGHT_DECAY, weight_decay, 0, 1e3, 0.1),
          ADAMW_KEYS),

    SCOPE(BASELINE, baseline, INT(BATCH, batch, 1, WIDEST, 256),
          FLOAT(LR_END, lr_end, 0, 1e3, 1e-5), ADAMW_KEYS,
          CHOICE(BASELINE, baseline, 0), FLOAT(ETA, eta, 0, 1e30, 0.032),
          FLOAT(RIDGE, ridge, 1e-30, 1e30, 0.001), INT(NEWEST_PAIR, newest_pair, 0, 1, 1),
          FLOAT(BETA, beta, 0, 1e30, 1), INT(ITERATIONS, iterations, 0, 65536, 0),
          FLOAT(DIVISOR, divisor, 0, 1e30, 0), FLOAT(LR, lr, 0, 1e3, 3e-4),
          INT(WARMUP, warmup, 0, MOST, 500), INT(COSINE_STEPS, cosine_steps, 0, MOST, 40000),
          FLOAT(WEIGHT_DECAY, weight_decay, 0, 1e3, 0.05), CHOICE(SPACE, space, SPACE_OBSERVATIONS),
          INT(SLOTS, slots, 1, WIDEST, 16), CHOICE(PAIRS, pairs, PAIRS_ALL)),

    SCOPE(LSQ, lsq, LANES_KEY, INT(CHUNK, chunk, 0, LONGEST, 0), CHOICE(SOLVER, solver, MESA_AUTO),
          FLOAT(TOLERANCE, tolerance, 0, 1, 0), INT(ITERATIONS, iterations, 0, WIDEST, 0),
          INT(FALLBACK, fallback, 0, 1, 1), FLOAT(RIDGE, ridge, 1e-30, 1e30, 1),
          FLOAT(GAMMA, gamma, 0, 1, 1), INT(WINDOW, window, 0, MOST, 0),
          CHOICE(MISSING, missing, MISSING_REFUSE)),

    SCOPE(PROBE, probe, LANES_KEY, INT(INTERCEPT, intercept, 0, 1, 0),
          FLOAT(PENALTY, penalty, 0, 1e30, 0), FLOAT(RCOND, rcond, 0, BELOW_1, 0),
          CHOICE(ERROR, error, ERROR_HALF_SUM), INT(LAG, lag, -1, LONGEST, -1),
          INT(LAGS, lags, 1, LONGEST, 1), FLOAT(FILTER, filter, 0, 1e6, 0),
          CHOICE(TARGET, target, TARGET_OBSERVATIONS)),

#define KIND(number, name, text, ...) SCOPE(number, name, __VA_ARGS__),
#include "base/kinds.def"

    SCOPE(DECODER, decoder, INT(STREAMS, streams, 1, WIDEST, 1),
          INT(CAPACITY, capacity, 1, LONGEST, 1024)),

    SCOPE(PROMPT, prompt, INT(SEED, seed, 0, MOST, 0), INT(DIM, dim, 1, WIDEST, 10),
          INT(PREFIX, prefix, 0, LONGEST, 20), FLOAT(INIT_SD, init_sd, 0, 1e3, 1),
          INT(BATCH, batch, 1, WIDEST, 128), FLOAT(LR, lr, 0, 1e3, 1e-3),
          INT(WARMUP, warmup, 0, MOST, 0), INT(COSINE_STEPS, cosine_steps, 0, MOST, 0),
          FLOAT(LR_END, lr_end, 0, 1e3, 1e-5), FLOAT(WEIGHT_DECAY, weight_decay, 0, 1e3, 0),
          ADAMW_KEYS),
};

int32_t options_scope_count(void)
{
    return (int32_t)(sizeof option_scopes / sizeof *option_scopes) - 1;
}
