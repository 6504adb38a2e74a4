/* Random calls of baselines, probes and reverse engineering. */
#include "calls.h"
#include "study/probes.h"
#include "study/revalg_impl.h"
#include "study/linearise_impl.h"
#include "study/studies.h"
#include "task/prompts.h"
#include "task/sequences.h"

/* ---- baselines ---- */

static void call_baseline_create(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_BASELINE);
    mesaopt_baseline **out = (mesaopt_baseline **)fresh(BASELINE);
    CALL(CTX, ctx, mesaopt_baseline_create(ctx, s, out));
}

static void call_baseline_predict(void)
{
    mesaopt_baseline *b = handle(BASELINE);
    const int64_t B = extent(), T = extent(), n = extent();
    const mesaopt_view *sequences = IN(real_type(), B, T + 1, n), *out = OUT(real_type(), B, T, n);
    CALL(BASELINE, b, mesaopt_baseline_predict(b, sequences, out));
}

static void call_baseline_precondition(void)
{
    mesaopt_baseline *b = handle(BASELINE);
    const int64_t B = extent(), T = extent(), n = extent();
    const int64_t m = handle_ok(b, OBJECT_BASELINE) && b->slots < 9 && baseline_width(b, n) > 0 ? baseline_width(b, n) : n;
    const mesaopt_view *sequences = IN(real_type(), B, T, n), *out = OUT(real_type(), B, T, m);
    CALL(BASELINE, b, mesaopt_baseline_precondition(b, sequences, out));
}

static int has_features(const void *h) { return task_has_features(h); }
static int wants_features(const void *h) { return ((const mesaopt_baseline *)h)->space == SPACE_FEATURES; }

static void call_baseline_set_task(void)
{
    mesaopt_baseline *b = fitting(BASELINE, wants_features);
    mesaopt_task *task = chance(4) ? NULL : fitting(TASK, has_features);
    CALL(BASELINE, b, mesaopt_baseline_set_task(b, task));
}

static void call_baseline_coefficients(void)
{
    mesaopt_baseline *b = handle(BASELINE);
    mesaopt_view *out = view_out(), view = {.ndim = -1};
    if (CALL(BASELINE, b, mesaopt_baseline_coefficients(b, out ? &view : NULL)) == MESAOPT_OK) scribble(&view);
}

static int32_t after_update(const mesaopt_step *step, void *user)
{
    (void)step, (void)user;
    return in_callback();
}

static void call_prompt_create(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_PROMPT);
    mesaopt_prompt **out = (mesaopt_prompt **)fresh(PROMPT);
    CALL(CTX, ctx, mesaopt_prompt_create(ctx, s, out));
}

static const char *part_name(void) { return chance(10) ? any_text() : ONE_OF("separator", "prefix"); }

static void call_prompt_vectors(void)
{
    mesaopt_prompt *p = handle(PROMPT);
    const char *name = part_name();
    mesaopt_view *out = view_out(), view = {.ndim = -1};
    if (CALL(PROMPT, p, mesaopt_prompt_vectors(p, name, out ? &view : NULL)) == MESAOPT_OK) scribble(&view);
}

static void call_prompt_freeze(void)
{
    mesaopt_prompt *p = handle(PROMPT);
    const char *name = part_name();
    const int32_t frozen = (int32_t)any_index();
    CALL(PROMPT, p, mesaopt_prompt_freeze(p, name, frozen));
}

static int takes_prompt(const void *h) { return pair_layout_inserts(&((const mesaopt_task *)h)->shape.layout); }

static void call_task_set_prompt(void)
{
    mesaopt_task *task = fitting(TASK, takes_prompt);
    mesaopt_prompt *p = chance(5) ? NULL : handle(PROMPT);
    CALL(TASK, task, mesaopt_task_set_prompt(task, p));
}

/* Mostly that of the task, which is given one. */
static mesaopt_prompt *prompt_for(mesaopt_task *task)
{
    mesaopt_prompt *p = handle(PROMPT);
    if (!chance(8)) CALL(TASK, task, mesaopt_task_set_prompt(task, p));
    return p;
}

static void call_prompt_gradient(void)
{
    mesaopt_model *m = handle(MODEL);
    mesaopt_task *task = fitting(TASK, takes_prompt);
    mesaopt_prompt *p = prompt_for(task);
    const int64_t first = chance(8) ? any_integer() : below(9), count = few();
    const int known = handle_ok(p, OBJECT_PROMPT) && p->dim < 99 && p->prefix < 99;
    const int64_t n = known ? p->dim : 2, rows = known ? p->prefix : 2;
    const mesaopt_view *separator = chance(2) ? OUT(MESAOPT_F64, 1, n) : NULL, *prefix = chance(2) ? OUT(MESAOPT_F64, rows, n) : NULL;
    double *loss = number_out();
    CALL(PROMPT, p, mesaopt_prompt_gradient(p, m, task, (int32_t)below(chance(8) ? 4 : 3), first, count, separator, prefix, loss));
}

static void call_prompt_train(void)
{
    mesaopt_model *m = handle(MODEL);
    mesaopt_task *task = fitting(TASK, takes_prompt);
    mesaopt_prompt *p = prompt_for(task);
    const int64_t updates = chance(20) ? any_integer() : mesaopt_prompt_updates(p) + 1 + below(3);
    promise(PARTIAL);
    CALL(PROMPT, p, mesaopt_prompt_train(p, m, task, updates, chance(4) ? NULL : after_update, NULL));
}

static void call_baseline_train(void)
{
    mesaopt_baseline *b = handle(BASELINE);
    mesaopt_task *task = handle(TASK);
    const int64_t updates = chance(20) ? any_integer() : mesaopt_baseline_updates(b) + 1 + below(3);
    promise(PARTIAL);
    CALL(BASELINE, b, mesaopt_baseline_train(b, task, updates, chance(4) ? NULL : after_update, NULL));
}

static void call_baseline_evaluate(void)
{
    mesaopt_baseline *b = handle(BASELINE);
    mesaopt_task *task = handle(TASK);
    const int64_t first = chance(8) ? any_integer() : below(9), count = few();
    const mesaopt_view *by_t = chance(2) ? OUT(MESAOPT_F64, handle_ok(task, OBJECT_TASK) && task->shape.length < 99 ? task->shape.length : 5) : NULL;
    double *loss = number_out();
    if (by_t) promise(MAY_BE_NAN);     /* of steps that are not scored */
    CALL(BASELINE, b, mesaopt_baseline_evaluate(b, task, (int32_t)below(4), first, count, by_t, loss));
}

static void call_baseline_search(void)
{
    mesaopt_baseline *b = handle(BASELINE);
    mesaopt_task *task = handle(TASK);
    const int64_t count = few();
    double *best = number_out();
    CALL(BASELINE, b, mesaopt_baseline_search(b, task, count, best));
}

/* ---- probes ---- */

typedef struct plan { int64_t layers, steps, targets, features[3]; } plan;

static plan plan_of(const mesaopt_probe *p)
{
    plan x = {2, 5, 2, {8, 8, 8}};
    if (!handle_ok(p, OBJECT_PROBE) || p->layers > 3) return x;
    x.layers = p->layers, x.steps = p->steps, x.targets = p->targets;
    for (int64_t l = 0; l < p->layers; l++) x.features[l] = probe_features(p, l);
    return x;
}

/* Mostly such that a model on a task can feed it. */
static plan any_plan(void)
{
    if (chance(2)) return (plan){1 + below(3), 5, 2, {8, 8, 8}};
    return (plan){chance(10) ? few() % 4 : 1 + below(2), few(), few(), {few(), few(), 1}};
}

static void call_probe_plan(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_PROBE);
    const plan x = any_plan();
    mesaopt_probe **out = (mesaopt_probe **)fresh(PROBE);
    CALL(CTX, ctx, mesaopt_probe_plan(ctx, s, x.layers, chance(100) ? NULL : x.features, x.steps, x.targets, out));
}

static void call_probe_workspace(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_PROBE);
    const plan x = any_plan();
    int64_t *bytes = integer_out();
    CALL(CTX, ctx, mesaopt_probe_workspace(ctx, s, x.layers, x.features, x.steps, x.targets, bytes));
}

static void call_probe_facts(void)
{
    const mesaopt_probe *p = handle(PROBE);
    int64_t *layers = integer_out(), *steps = integer_out(), *targets = integer_out();
    CALL(TENSOR, NULL, mesaopt_probe_shape(p, layers, steps, targets));
    const int64_t layer = any_index();
    int64_t *features = integer_out();
    CALL(PROBE, p, mesaopt_probe_features(p, layer, features));
}

static int32_t any_set(void) { return chance(20) ? (int32_t)any_integer() : (int32_t)below(2); }

static void call_probe_fit(void)
{
    mesaopt_probe *p = handle(PROBE);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_PROBE);
    CALL(PROBE, p, mesaopt_probe_fit(p, s));
}

static void call_probe_feed(void)
{
    mesaopt_probe *p = handle(PROBE);
    const plan x = plan_of(p);
    const int64_t B = chance(2) ? 33 : extent();
    mesaopt_view layers[3];
    for (int64_t l = 0; l < x.layers; l++) layers[l] = copy_of(IN(real_type(), B, x.steps, x.features[l]));
    const mesaopt_view *targets = chance(3) ? IN(real_type(), x.layers, B, x.steps, x.targets) : IN(real_type(), B, x.steps, x.targets);
    const mesaopt_view *weights = chance(2) ? NULL : chance(2) ? IN_OF(UNIT, real_type(), B) : IN_OF(UNIT, real_type(), B, x.steps);
    const int32_t set = any_set();
    if (CALL(PROBE, p, mesaopt_probe_feed(p, set, layers, targets, weights)) == MESAOPT_OK && chance(2)) call_probe_fit();
}

static void call_probe_feed_model(void)
{
    mesaopt_probe *p = handle(PROBE);
    mesaopt_model *m = handle(MODEL);
    mesaopt_task *task = handle(TASK);
    const int32_t set = any_set(), stream = (int32_t)below(4);
    const int64_t blocks[3] = {(int64_t)below(3) - 1, (int64_t)below(3) - 1, 0}, first = chance(8) ? any_integer() : below(9), count = chance(2) ? 20 : few();
    CALL(PROBE, p, mesaopt_probe_feed_model(p, set, m, chance(2) ? blocks : NULL, task, stream, first, count));
}

static void call_probe_feed_control(void)
{
    mesaopt_probe *p = handle(PROBE);
    mesaopt_baseline *b = handle(BASELINE);
    mesaopt_task *task = handle(TASK);
    if (!chance(3) && handle_ok(b, OBJECT_BASELINE) && handle_ok(task, OBJECT_TASK)) {          /* one that fits */
        const int64_t features = baseline_width(b, task->shape.dim);
        mesaopt_probe *made = NULL;
        CALL(CTX, b->head.ctx, mesaopt_probe_plan(b->head.ctx, NULL, 1, &features, task->shape.length, task->shape.dim, &made));
        if (made) adopt(PROBE, p = made);
    }
    const int32_t set = any_set(), stream = (int32_t)below(4);
    const int64_t first = chance(8) ? any_integer() : below(9), count = few();
    CALL(PROBE, p, mesaopt_probe_feed_control(p, set, b, task, stream, first, count));
}

static int32_t fill_targets(const mesaopt_view *sequences, const mesaopt_view *targets, void *user)
{
    (void)sequences, (void)user;
    fill(targets);
    return in_callback();
}

static void call_probe_set_targets(void)
{
    mesaopt_probe *p = handle(PROBE);
    mesaopt_baseline *b = chance(2) ? handle(BASELINE) : NULL;
    const loan l = lend();
    lent(&l, CALL(PROBE, p, mesaopt_probe_set_targets(p, b, chance(3) ? fill_targets : NULL, l.release, l.user)));
}

static void call_probe_reset(void)
{
    mesaopt_probe *p = handle(PROBE);
    const int32_t set = any_set();
    CALL(PROBE, p, mesaopt_probe_reset(p, set));
}

static void call_probe_count(void)
{
    const mesaopt_probe *p = handle(PROBE);
    const int32_t set = any_set();
    const mesaopt_view *out = OUT(MESAOPT_I64, plan_of(p).steps);
    CALL(PROBE, p, mesaopt_probe_count(p, set, out));
}

static int is_fitted(const void *p) { return handle_ok(p, OBJECT_PROBE) && ((const mesaopt_probe *)p)->fitted; }

static void call_probe_score(void)
{
    mesaopt_probe *p = fitting(PROBE, is_fitted);
    const plan x = plan_of(p);
    const int32_t set = any_set();
    const mesaopt_view *mse = chance(3) ? OUT(real_type(), x.layers, x.steps, x.targets) : OUT(real_type(), x.layers, x.steps);
    const mesaopt_view *r2 = chance(2) ? OUT(real_type(), x.layers, x.steps) : NULL;
    if (r2) promise(MAY_BE_NAN);
    CALL(PROBE, p, mesaopt_probe_score(p, set, mse, r2));
}

static void call_probe_weights(void)
{
    mesaopt_probe *p = fitting(PROBE, is_fitted);
    const int64_t layer = chance(2) ? 0 : any_index(), step = chance(2) ? 0 : any_index();
    mesaopt_view *weights = view_out(), *intercept = view_out();
    CALL(PROBE, p, mesaopt_probe_weights(p, layer, step, weights, intercept));
}

static void call_probe_rank(void)
{
    mesaopt_probe *p = fitting(PROBE, is_fitted);
    const plan x = plan_of(p);
    const mesaopt_view *out = OUT(MESAOPT_I64, x.layers, x.steps);
    CALL(PROBE, p, mesaopt_probe_rank(p, out));
}

static void call_probe_targets(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_PROBE);
    const int64_t B = extent(), T = extent(), n = extent();
    const mesaopt_view *sequences = IN(real_type(), B, T + 1, n), *out = OUT(real_type(), B, T, n);
    promise(MAY_BE_NAN);
    CALL(CTX, ctx, mesaopt_probe_targets(ctx, s, sequences, out));
}

static void call_probe_filter(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const double limit = chance(4) ? any_number() : 1.5;
    const int64_t B = extent(), T = extent(), n = extent();
    const mesaopt_view *targets = IN(real_type(), B, T, n), *out = OUT(real_type(), B, T);
    CALL(CTX, ctx, mesaopt_probe_filter(ctx, limit, targets, out));
}

/* ---- reverse engineering ---- */

static void call_revalg_extract(void)
{
    mesaopt_model *m = handle(MODEL);
    mesaopt_revalg **out = (mesaopt_revalg **)fresh(REVALG);
    CALL(MODEL, m, mesaopt_revalg_extract(m, out));
}

static void call_revalg_views(void)
{
    mesaopt_revalg *r = handle(REVALG);
    const int64_t block = any_index();
    const int32_t product = (int32_t)below(4);
    mesaopt_view *out = view_out(), view = {.ndim = -1};
    if (CALL(REVALG, r, mesaopt_revalg_scalars(r, block, product, out ? &view : NULL)) == MESAOPT_OK) scribble(&view);
    mesaopt_view *residuals = view_out();
    CALL(REVALG, r, mesaopt_revalg_residuals(r, block, product, residuals));
}

static void call_revalg_summary(void)
{
    mesaopt_revalg *r = handle(REVALG);
    double *weights = number_out(), *explained = number_out();
    CALL(REVALG, r, mesaopt_revalg_summary(r, weights, explained));
}

static void call_revalg_closed_form(void)
{
    mesaopt_revalg *r = handle(REVALG);
    const mesaopt_view *out = OUT(MESAOPT_F64, 1 + below(2), 6);
    promise(MAY_BE_NAN);               /* scalars that were written */
    CALL(REVALG, r, mesaopt_revalg_closed_form(r, out));
}

static void call_revalg_rebuild(void)
{
    mesaopt_revalg *r = handle(REVALG);
    mesaopt_model **out = (mesaopt_model **)fresh(MODEL);
    CALL(REVALG, r, mesaopt_revalg_rebuild(r, out));
}

static void call_revalg_product(void)
{
    mesaopt_model *m = handle(MODEL);
    const int64_t block = (int64_t)below(4) - (chance(20) ? 1 : 0), head = below(2);
    int64_t in = 8, out = 8;
    if (handle_ok(m, OBJECT_MODEL) && block >= 0 && block < m->n_blocks && m->blocks[block].in + m->blocks[block].out < 99) in = m->blocks[block].in, out = m->blocks[block].out;
    const mesaopt_view *to = OUT(real_type(), in, out);
    const int32_t product = (int32_t)below(4);
    promise(MAY_BE_NAN);
    CALL(MODEL, m, mesaopt_revalg_product(m, block, product, head, to));
}

static void call_revalg_average(void)
{
    mesaopt_model *a = handle(MODEL), *b = handle(MODEL), *made = NULL;
    mesaopt_model **out = chance(4) ? (mesaopt_model **)fresh(MODEL) : &made;
    CALL(MODEL, a, mesaopt_revalg_average(a, b, out));
    if (!made) return;
    a = handle(MODEL), b = handle(MODEL);                  /* a callback may have freed those */
    CALL(MODEL, made, mesaopt_revalg_average_update(made, a, b));
    adopt(MODEL, made);
}

static void call_revalg_average_update(void)
{
    mesaopt_model *average = handle(MODEL), *a = handle(MODEL), *b = handle(MODEL);
    CALL(MODEL, average, mesaopt_revalg_average_update(average, a, b));
}

static void call_revalg_propositions(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    mesaopt_baseline *b = handle(BASELINE);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_MODEL);
    mesaopt_model **out = (mesaopt_model **)fresh(MODEL);
    if (chance(2)) {
        CALL(CTX, ctx, mesaopt_revalg_proposition2(ctx, s, b, out));
        return;
    }
    const double eta = chance(4) ? any_number() : 0.1;
    const mesaopt_view *phi0 = chance(2) ? IN(real_type(), 2, 2) : NULL;
    CALL(CTX, ctx, mesaopt_revalg_proposition1(ctx, s, eta, phi0, out));
}

static void call_revalg_import(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_MODEL), *block = settings(ONE_OF(MESAOPT_SCOPE_LINEAR, MESAOPT_SCOPE_LINEAR, MESAOPT_SCOPE_SOFTMAX, MESAOPT_SCOPE_DENSE, MESAOPT_SCOPE_MESA));
    const int64_t layers = chance(20) ? 0 : 1 + below(2), width = 4 - 2 * (int64_t)chance(3);
    mesaopt_view weights[2 * BLOCK_MAX_PARAMS] = {{0}};
    for (int64_t i = 0; i < 4 * layers; i++) {
        const int32_t type = ONE_OF(MESAOPT_F64, MESAOPT_F32, MESAOPT_F16, MESAOPT_BF16);
        weights[i] = copy_of(i % 4 == 3 ? IN(type, width, 8) : IN(type, 8, width));
    }
    mesaopt_model **out = (mesaopt_model **)fresh(MODEL);
    CALL(CTX, ctx, mesaopt_revalg_import(ctx, s, block, layers, weights, out));
}

/* ---- studies of a model ---- */

static int64_t steps_of(const mesaopt_task *task)
{
    return handle_ok(task, OBJECT_TASK) && task->shape.length < 30 ? task->shape.length : 5;
}

static void call_study_heads(void)
{
    const mesaopt_model *m = handle(MODEL);
    const int64_t block = any_index();
    int64_t *heads = integer_out();
    CALL(MODEL, m, mesaopt_study_heads(m, block, heads));
}

static void call_study_attention_map(void)
{
    mesaopt_model *m = handle(MODEL);
    mesaopt_task *task = handle(TASK);
    const int64_t block = any_index(), T = steps_of(task), first = chance(8) ? any_integer() : below(9), count = few();
    const int32_t stream = (int32_t)below(4);
    const int64_t H = handle_ok(m, OBJECT_MODEL) && block >= 0 && block < m->n_blocks ? study_heads(&m->blocks[block]) : 2;
    const mesaopt_view *out = OUT(real_type(), H < 9 ? H : 9, T, T);
    CALL(MODEL, m, mesaopt_study_attention_map(m, block, task, stream, first, count, out));
}

static void call_study_sensitivity(void)
{
    mesaopt_model *m = handle(MODEL);
    mesaopt_task *task = handle(TASK);
    const int64_t blocks[2] = {(int64_t)below(3) - 1, (int64_t)below(3) - 1}, T = steps_of(task), first = chance(8) ? any_integer() : below(9), count = few();
    const int64_t layers = chance(20) ? any_integer() : 1 + below(2), step = chance(3) ? -1 : any_index();
    const int32_t stream = (int32_t)below(4);
    const mesaopt_view *out = step < 0 ? OUT(real_type(), layers == 1 ? 1 : 2, T, T) : OUT(real_type(), layers == 1 ? 1 : 2, T);
    CALL(MODEL, m, mesaopt_study_sensitivity(m, layers > 2 ? 0 : layers, blocks, task, stream, first, count, step, out));
}

/* ---- linearisation ---- */

static void call_linearise_create(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    mesaopt_model *m = handle(MODEL);
    mesaopt_task *task = handle(TASK);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_TRAINER), *block = chance(2) ? settings(MESAOPT_SCOPE_LINEAR) : NULL;
    int64_t blocks[2] = {(int64_t)below(3), (int64_t)below(3) - 1};
    for (int64_t b = 0; handle_ok(m, OBJECT_MODEL) && !chance(4) && b < m->n_blocks; b++)
        if (m->blocks[b].kind->weights) blocks[0] = b;
    const int64_t count = chance(3) ? few() : 1;
    mesaopt_linearise **out = (mesaopt_linearise **)fresh(LINEARISE);
    CALL(CTX, ctx, mesaopt_linearise_create(ctx, s, m, task, count > 2 ? 0 : count, chance(60) ? NULL : blocks, block, out));
}

static void call_linearise_run(void)
{
    mesaopt_linearise *l = handle(LINEARISE);
    const int64_t steps = chance(20) ? any_integer() : mesaopt_linearise_steps(l) + below(3);
    promise(PARTIAL);
    CALL(LINEARISE, l, mesaopt_linearise_run(l, steps, chance(4) ? NULL : after_update, NULL));
}

static void call_linearise_evaluate(void)
{
    mesaopt_linearise *l = handle(LINEARISE);
    const int64_t count = few(), n = handle_ok(l, OBJECT_LINEARISE) ? l->count : 1;
    const mesaopt_view *ratio = OUT(real_type(), n), *error = chance(2) ? OUT(real_type(), n) : NULL;
    CALL(LINEARISE, l, mesaopt_linearise_evaluate(l, count, ratio, error));
}

static void call_linearise_models(void)
{
    mesaopt_linearise *l = handle(LINEARISE);
    const int64_t block = handle_ok(l, OBJECT_LINEARISE) && !chance(4) ? l->students[0].block : any_index();
    mesaopt_model **out = (mesaopt_model **)fresh(MODEL);
    if (chance(2)) CALL(LINEARISE, l, mesaopt_linearise_model(l, block, out));
    else CALL(LINEARISE, l, mesaopt_linearise_block(l, block, out));
}

const row rows_study[] = {
    {"baseline_create", call_baseline_create}, {"baseline_predict", call_baseline_predict}, {"baseline_precondition", call_baseline_precondition}, {"baseline_coefficients", call_baseline_coefficients},
    {"baseline_set_task", call_baseline_set_task},
    {"baseline_train", call_baseline_train}, {"baseline_evaluate", call_baseline_evaluate}, {"baseline_search", call_baseline_search}, {"probe_plan", call_probe_plan}, {"probe_workspace", call_probe_workspace},
    {"probe_facts", call_probe_facts}, {"probe_feed", call_probe_feed}, {"probe_feed_model", call_probe_feed_model}, {"probe_feed_control", call_probe_feed_control},
    {"probe_set_targets", call_probe_set_targets}, {"probe_reset", call_probe_reset}, {"probe_count", call_probe_count}, {"probe_fit", call_probe_fit}, {"probe_score", call_probe_score},
    {"probe_weights", call_probe_weights}, {"probe_rank", call_probe_rank}, {"probe_targets", call_probe_targets}, {"probe_filter", call_probe_filter}, {"revalg_extract", call_revalg_extract},
    {"revalg_views", call_revalg_views}, {"revalg_summary", call_revalg_summary}, {"revalg_closed_form", call_revalg_closed_form}, {"revalg_rebuild", call_revalg_rebuild},
    {"revalg_product", call_revalg_product}, {"revalg_average", call_revalg_average}, {"revalg_average_update", call_revalg_average_update}, {"revalg_propositions", call_revalg_propositions}, {"revalg_import", call_revalg_import},
    {"study_heads", call_study_heads}, {"study_attention_map", call_study_attention_map}, {"study_sensitivity", call_study_sensitivity},
    {"linearise_create", call_linearise_create}, {"linearise_run", call_linearise_run}, {"linearise_evaluate", call_linearise_evaluate}, {"linearise_models", call_linearise_models},
    {"prompt_create", call_prompt_create}, {"prompt_vectors", call_prompt_vectors}, {"prompt_freeze", call_prompt_freeze}, {"task_set_prompt", call_task_set_prompt}, {"prompt_gradient", call_prompt_gradient},
    {"prompt_train", call_prompt_train}, {0},
};
