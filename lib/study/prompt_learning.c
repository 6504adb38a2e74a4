/* Learning the vectors of a prompt through a model whose weights stay as they are.
 *
 * The gradient of a vector is the sum, over the places of all sequences where it stands, of the
 * loss's gradient with respect to the observation there; observations act on the loss through the
 * tokens alone, since no scored step has a vector of a prompt as its target. Sums are in double, in
 * the order of sequences and places. Then AdamW, each part with its own count of updates. */
#include "study/prompt_learning.h"
#include "kern/draws.h"
#include "base/philox.h"
#include "train/batch.h"
#include "train/steps.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const prompt_parts[PROMPT_PARTS] = {"separator", "prefix"};

int prompt_part_of(const char *name)
{
    for (int i = 0; i < PROMPT_PARTS; i++)
        if (strcmp(name, prompt_parts[i]) == 0) return i;
    return -1;
}

int prompt_is_in(const mesaopt_task *task, int part)
{
    const pair_layout *l = &task->shape.layout;
    return part == PROMPT_SEPARATOR ? l->separator : l->prefix > 0;
}

/* ---- objects ---- */

static void destroy(object *o)
{
    const allocator *a = &o->ctx->alloc;
    prompt *p = (prompt *)o;
    alloc_free(a, p->seen.vectors);
    alloc_free(a, p->g);
    alloc_free(a, p->m);
    alloc_free(a, p->v);
}

static mesaopt_status take_memory(prompt *p)
{
    const allocator *a = &p->seen.head.ctx->alloc;
    int64_t count = 0;
    if (size_mul(p->seen.prefix + 1, p->seen.dim, &count)) {
        p->seen.vectors = alloc_new(a, count, sizeof(double));
        p->g = alloc_new(a, count, sizeof(double));
        p->m = alloc_new(a, count, sizeof(double));
        p->v = alloc_new(a, count, sizeof(double));
    }
    if (p->seen.vectors && p->g && p->m && p->v) return MESAOPT_OK;
    return fail(p->seen.head.ctx, MESAOPT_E_MEMORY,
                "prompt: no memory for %" PRId64 " vectors of %" PRId64 " numbers",
                p->seen.prefix + 1, p->seen.dim);
}

/* Vector i is sequence i: a longer prefix begins as a shorter one. */
static mesaopt_status start(const prompt *p)
{
    enum { SCOPE = MESAOPT_SCOPE_PROMPT };
    const int64_t n = p->seen.dim, rows = p->seen.prefix + 1;
    const mesaopt_view all = {.data = p->seen.vectors,
                              .shape = {rows, n},
                              .stride = {n, 1},
                              .ndim = 2,
                              .dtype = MESAOPT_F64};
    draw_normal(p->seen.head.ctx, (uint64_t)option_int(&p->settings, SCOPE, MESAOPT_KEY_SEED),
                DRAW_PROMPT, 0, 0, option_float(&p->settings, SCOPE, MESAOPT_KEY_INIT_SD), &all);
    return ctx_stopped(p->seen.head.ctx, "prompt");
}

mesaopt_status prompt_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                             mesaopt_prompt **out)
{
    enum { SCOPE = MESAOPT_SCOPE_PROMPT };
    adamw recipe;
    mesaopt_status status = adamw_read(ctx, settings, SCOPE, &recipe);
    if (status != MESAOPT_OK) return status;
    prompt *p = object_new(ctx, OBJECT_PROMPT, sizeof *p, destroy);
    if (!p) return MESAOPT_E_MEMORY;
    if (settings) p->settings = *settings;
    else options_init(&p->settings, SCOPE);
    p->recipe = recipe;
    p->batch = option_int(settings, SCOPE, MESAOPT_KEY_BATCH);
    p->seen.dim = option_int(settings, SCOPE, MESAOPT_KEY_DIM);
    p->seen.prefix = option_int(settings, SCOPE, MESAOPT_KEY_PREFIX);
    status = take_memory(p);
    if (status == MESAOPT_OK) status = start(p);
    if (status == MESAOPT_OK) *out = &p->seen;
    else object_release(&p->seen.head);
    return status;
}

/* ---- gradient ---- */

/* What a pass needs besides the model's workspace: gradients of the tokens [count, T, D]. */
static mesaopt_status tokens_open(const mesaopt_model *m, const mesaopt_task *task, int64_t count,
                                  mesaopt_view *out)
{
    const int64_t T = task->shape.length, D = task->shape.width;
    int64_t elements;
    *out = (mesaopt_view){.shape = {count, T, D},
                          .stride = {T * D, D, 1},
                          .ndim = 3,
                          .dtype = m->dtype};
    if (size_mul(count, T * D, &elements))
        out->data = alloc_new(&m->head.ctx->alloc, elements, m->size);
    if (out->data) return MESAOPT_OK;
    return fail(m->head.ctx, MESAOPT_E_MEMORY,
                "prompt: no memory for the gradients of the tokens of %" PRId64 " sequences",
                count);
}

static void add_up(prompt *p, const mesaopt_task *task, const mesaopt_view *dtokens)
{
    const int64_t n = p->seen.dim, T = task->shape.length;
    memset(p->g, 0, (size_t)((p->seen.prefix + 1) * n) * sizeof *p->g);
    for (int64_t i = 0; i < dtokens->shape[0]; i++)
        for (int64_t t = 0; t < T; t++) {
            const int64_t row = pair_layout_row(&task->shape.layout, t);
            if (row < 0) tokens_back(task, dtokens, i, t, p->g + ~row * n);
        }
}

static mesaopt_status pass_over(prompt *p, call *c, mesaopt_model *m, const batch *b,
                                const mesaopt_view *dtokens, const char *what, double *loss)
{
    mesaopt_status status = task_prepare(b->task, c, b->stream, b->first, b->B, m->dtype);
    if (status == MESAOPT_OK)
        status = batch_pass(m, b, &(wanted){.dtokens = dtokens, .loss = loss}, what);
    if (status >= 0) add_up(p, b->task, dtokens);
    return status;
}

mesaopt_status prompt_gradient(prompt *p, call *c, mesaopt_model *m, mesaopt_task *task,
                               int32_t stream, int64_t first, int64_t count, double *loss)
{
    const batch b = {
        .B = count, .T = task->shape.length, .task = task, .stream = stream, .first = first};
    mesaopt_view dtokens;
    mesaopt_status status = tokens_open(m, task, count, &dtokens);
    if (status == MESAOPT_OK) status = pass_over(p, c, m, &b, &dtokens, "gradient", loss);
    alloc_free(&m->head.ctx->alloc, dtokens.data);
    return status;
}

/* ---- training ---- */

typedef struct learning { prompt *p; mesaopt_model *m; batch b; mesaopt_view dtokens; } learning;

int prompt_updates_fit(const prompt *p, int64_t updates)
{
    int64_t sequences;
    return size_mul(updates, p->batch, &sequences);
}

/* Elements of what moves, one part after the other: g is clipped, and its norm before and after
 * that. */
static double clip(const learning *l, const kern *k, double *norm)
{
    const prompt *p = l->p;
    double before = 0, after = 0;
    for (int i = 0; i < PROMPT_PARTS; i++) {
        double *g = p->g + prompt_offset(&p->seen, i);
        const int64_t n = prompt_rows(&p->seen, i) * p->seen.dim;
        if (!prompt_moves(p, l->b.task, i)) continue;
        before += k->sum_squares(n, g);
        if (p->recipe.clip_value < INFINITY) k->clamp(n, p->recipe.clip_value, g);
        after += k->sum_squares(n, g);
    }
    *norm = sqrt(before);
    return adamw_norm_factor(&p->recipe, sqrt(after));
}

static void move(const learning *l, const kern *k, double factor, double *lr)
{
    prompt *p = l->p;
    for (int i = PROMPT_PARTS - 1; i >= 0; i--) {
        const int64_t at = prompt_offset(&p->seen, i), n = prompt_rows(&p->seen, i) * p->seen.dim;
        if (!prompt_moves(p, l->b.task, i)) continue;
        *lr = schedule_rate(&p->recipe.rate, p->moved[i]);
        if (factor < 1) k->scale(n, factor, p->g + at);
        adamw_update(&p->recipe, k, *lr, p->recipe.weight_decay, ++p->moved[i], n,
                     p->seen.vectors + at, p->g + at, p->m + at, p->v + at);
    }
}

static mesaopt_status update(void *of, call *c, mesaopt_step *report)
{
    learning *l = of;
    prompt *p = l->p;
    mesaopt_ctx *ctx = p->seen.head.ctx;
    const kern *k = kern_get(ctx, MESAOPT_F64, 0);
    const int64_t step = atomic_load(&p->updates);
    char what[40];
    double loss, norm, lr = 0;
    if (step == INT64_MAX || !prompt_updates_fit(p, step + 1))
        return fail(ctx, MESAOPT_E_STATE,
                    "updates: %" PRId64 " of batch %" PRId64 ", the stream of sequences ends here",
                    step, p->batch);
    snprintf(what, sizeof what, "update %" PRId64, step);
    l->b.first = step * p->batch;
    const mesaopt_status status = pass_over(p, c, l->m, &l->b, &l->dtokens, what, &loss);
    if (status < 0) return status;
    const double factor = clip(l, k, &norm);
    if (!isfinite(norm))
        return fail(ctx, MESAOPT_E_NONFINITE, "%s: the gradient of the prompt is not finite", what);
    move(l, k, factor, &lr);
    atomic_store(&p->updates, step + 1);
    *report = (mesaopt_step){sizeof *report, step + 1, loss, lr, norm};
    return status;
}

mesaopt_status prompt_train(prompt *p, call *c, mesaopt_model *m, mesaopt_task *task,
                            int64_t updates, mesaopt_step_fn after, void *user)
{
    learning l = {.p = p,
                  .m = m,
                  .b = {.B = p->batch,
                        .T = task->shape.length,
                        .task = task,
                        .stream = MESAOPT_STREAM_TRAIN}};
    mesaopt_status status = tokens_open(m, task, p->batch, &l.dtokens);
    if (status == MESAOPT_OK) status = batch_plan(m, &l.b, &(wanted){.dtokens = &l.dtokens});
    if (status == MESAOPT_OK)
        status = steps_run(&(learner){&l, &p->updates, update}, c, updates, after, user);
    alloc_free(&m->head.ctx->alloc, l.dtokens.data);
    return status;
}
