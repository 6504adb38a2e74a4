/* Tasks: sequences by index (generated, the user's own, or from a callback), and the tokens of a
 * panel of them. */
#ifndef TASK_SEQUENCES_H
#define TASK_SEQUENCES_H

#include "base/choices.h"
#include "kern/kern.h"
#include "mesaopt/task.h"
#include "task/pair_layout.h"
#include "tensor/view.h"

/* n, T, D of a token, own sequences (0: endless), hidden: of task_kind (0: nothing) */
typedef struct task_shape {
    int64_t dim, length, width, count, hidden;
    pair_layout layout;            /* teachers 0: rows are the observations, as they are */
} task_shape;

struct task_kind;
struct mesaopt_task {
    object head;
    task_shape shape;
    int32_t tokens;                /* enum token_kind */
    int64_t slots;
    uint64_t seed;
    const char *name;              /* "linear", .., "own", "callback" */
    /* Where sequences come from, one of: */
    const struct task_kind *kind;  /* that draws them, generated.h */
    mesaopt_tensor **own;          /* counted: one [N, T+1, n], or N of them [T_i + 1, n]; of
                                      pairs two [N, P, n], or 2 N [P_i, n]: inputs, outputs,
                                      inputs, ..., whose rows come in turn */
    int64_t tensors;               /* of them; 0: not the user's */
    uint64_t fingerprint;          /* of their numbers */
    mesaopt_sequence_fn fill;
    mesaopt_release_fn release;    /* or NULL */
    void *fill_user;

    mesaopt_prompt *prompt;        /* counted; NULL: none */

    double *weights;               /* of steps, [rows][T], rows 1 or N; NULL: all are 1 */
    int64_t weight_rows;
    uint64_t weights_fingerprint;

    /* of a task that draws */
    double noise, clip, start, map_sd, observation_noise;
    double *shared;                /* what its sequences have in common; NULL: nothing */
    struct {                       /* of a callback: the sequences it wrote last, [count][T+1][n] */
        void *data;
        int64_t bytes, first, count;
        int32_t stream, dtype, filling;
    } batch;
};

/* ---- creation; arguments are valid, settings may be NULL; the text is set on failure ---- */
/* What all tasks have; fails on sizes that do not fit into int64_t. */
mesaopt_status task_new(mesaopt_ctx *ctx, const mesaopt_settings *settings, int64_t dim,
                        int64_t length, mesaopt_task **out);
/* Weights of steps, of a new task of pairs: those that its layout asks for. */
mesaopt_status task_weigh_queries(mesaopt_task *task);
/* One tensor [N, T+1, n], or `count` of them [T_i + 1, n] with T the largest T_i. */
mesaopt_status task_own(mesaopt_ctx *ctx, const mesaopt_settings *settings, int64_t count,
                        mesaopt_tensor *const *sequences, mesaopt_task **out);
/* Of pairs: list[0] has the inputs, list[1] the outputs, one tensor [N, P, n] each, or `count` of
 * them [P_i, n]. */
mesaopt_status task_pairs(mesaopt_ctx *ctx, const mesaopt_settings *settings, int64_t count,
                          mesaopt_tensor *const *const list[2], mesaopt_task **out);
mesaopt_status task_callback(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                             mesaopt_sequence_fn fill, mesaopt_release_fn release, void *user,
                             mesaopt_task **out);
/* One that draws its sequences: generated.c. */
mesaopt_status task_generated(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                              mesaopt_task **out);

/* ---- text: task_text.c ---- */

typedef struct task_facts { char text[512]; } task_facts;
task_facts task_text(const mesaopt_task *task);        /* "name=value name=value": all that its
                                                          sequences and tokens depend on */

/* ---- sequences ---- */

/* MESAOPT_OK, or a status that names `stream`, `first` or `count` when they are out of range. */
mesaopt_status task_range_check(mesaopt_ctx *ctx, int32_t stream, int64_t first, int64_t count);

/* Room for batches of `count` sequences, so that task_prepare will not allocate. */
mesaopt_status task_reserve(mesaopt_task *task, int64_t count, int32_t dtype);

/* Before panels of sequences first .. first + count - 1 are asked for: a callback task calls its
 * host (on this thread) and keeps the batch, checked to be finite; it allocates only when the batch
 * is larger than any before. Does nothing for other tasks. MESAOPT_E_SOURCE: the callback returned
 * non-zero. The next task_prepare overwrites the batch. */
mesaopt_status task_prepare(mesaopt_task *task, call *c, int32_t stream, int64_t first,
                            int64_t count, int32_t dtype);

static inline int task_has_pairs(const mesaopt_task *task)
{
    return task->shape.layout.teachers > 0;
}
/* Tensors that the rows of own sequences are in. */
static inline int task_parts(const mesaopt_task *task) { return task_has_pairs(task) ? 2 : 1; }
/* Does it hold own sequences of several lengths? */
static inline int task_ragged(const mesaopt_task *task)
{
    return task->tensors > task_parts(task);
}
/* T of one of its own sequences, or of all. */
int64_t task_own_steps(const mesaopt_task *task, int64_t row);
/* Rows that it draws or is given of a sequence: the observations, or those of pairs. */
static inline int64_t task_rows(const mesaopt_task *task)
{
    const task_shape *s = &task->shape;
    return task_has_pairs(task) ? 2 * pair_layout_pairs(&s->layout, s->length) : s->length + 1;
}

/* Bytes of private scratch, aligned to 64, that one task_panel call needs. */
int64_t task_scratch(const mesaopt_task *task, const kern *k);

/* raw panel [T+1][n][lane] <- sequences first .. first + valid - 1 of `stream`, 0 in other lanes.
 * From any thread. */
void task_panel(const mesaopt_task *task, const kern *k, int32_t stream, int64_t first,
                int64_t valid, void *scratch, void *raw);

/* Rows, panel [rows][n][lane], of a task that draws its sequences, and its scratch (generated.c).
 */
int64_t generated_scratch(const mesaopt_task *task, const kern *k);
void generated_panel(const mesaopt_task *task, const kern *k, int32_t stream, int64_t first,
                     int64_t valid, void *scratch, void *raw);

/* tokens panel [T][D][lane] of a raw panel. The targets are the raw panel from its second row on.
 */
void tokens_panel(const mesaopt_task *task, const kern *k, const void *raw, void *tokens);

/* tokens[t][slot] <- an observation of `bytes` bytes of raw[t], t < length. */
void tokens_construct(int32_t kind, int64_t slots, int64_t length, int64_t bytes, const void *raw,
                      void *tokens);
/* out [n] += the gradient of observation t of sequence i, from that of tokens [B, T, D]. */
void tokens_back(const mesaopt_task *task, const mesaopt_view *dtokens, int64_t i, int64_t t,
                 double *out);
int64_t tokens_width(int32_t kind, int64_t slots, int64_t dim);        /* D; -1 on overflow */

/* Sequences of a range into a view [B, T+1, n], in parallel; status and text on failure. */
mesaopt_status task_draw(mesaopt_task *task, call *c, int32_t stream, int64_t first,
                         const mesaopt_view *out);
/* Tokens [B, T, D] of sequences [B, T+1, n], same type. */
mesaopt_status task_tokens(const mesaopt_task *task, const mesaopt_view *sequences,
                           const mesaopt_view *out);

/* ---- features: features.c ---- */

int task_has_features(const mesaopt_task *task);
/* MESAOPT_OK, or MESAOPT_E_STATE with the text set. */
mesaopt_status task_check_features(mesaopt_ctx *ctx, const mesaopt_task *task,
                                   const char *argument);
/* Of a task that has them: out [rows][n] of x [rows][n], panels of native width; bytes of scratch.
 */
int64_t task_feature_scratch(const mesaopt_task *task, const kern *k);
void task_features_panel(const mesaopt_task *task, const kern *k, int64_t rows, const void *x,
                         int unit, void *scratch, void *out);
/* Of sequences [B, T, n], same shape and type. */
mesaopt_status task_features(const mesaopt_task *task, const mesaopt_view *sequences, int unit,
                             const mesaopt_view *out);

/* Row of own data that sequence `index` is: in order (modulo count), or in a fresh random order
 * every pass. */
int64_t order_row(uint64_t seed, int64_t count, int64_t index);

/* ---- weights of steps: task_weights.c ---- */

/* Takes a copy of checked weights [T] or [N, T]; MESAOPT_E_MEMORY: as before. */
mesaopt_status task_set_weights(mesaopt_task *task, const mesaopt_view *weights);
int task_weighted(const mesaopt_task *task);           /* or are all weights 1? */
/* Those of sequence `index` of a stream [T]; returns how many steps it has up to the last one whose
 * weight is above 0. What comes later changes nothing. */
int64_t task_weights(const mesaopt_task *task, int32_t stream, int64_t index, double *weights);
/* weights [B, T] <- those of sequences first .. in a dense view [B, T + 1, n], which get zeros
 * behind their last step that counts. */
void task_weigh(const mesaopt_task *task, int32_t stream, int64_t first,
                const mesaopt_view *sequences, double *weights);
/* Which of its own sequences a task gives out as sequence `index` of a stream. */
int64_t task_own_row(const mesaopt_task *task, int32_t stream, int64_t index);

#endif
