/* Probes of a model while it runs, against the same steps by hand: draw, run, make targets, feed. Callbacks, interrupts, memory, trainers. */
#include "training_setup.h"
#include <math.h>

#define OK(call) ck_assert_int_eq((call), MESAOPT_OK)

enum { LAYERS = 3, T = 9, N = 3, COUNT = 300 };

/* A probe of the tokens and of both layers of small_linear, for targets of width m. */
static mesaopt_probe *plan(mesaopt_ctx *ctx, const char *settings, int64_t m)
{
    mesaopt_probe *p = NULL;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROBE, settings);
    OK(mesaopt_probe_plan(ctx, s, LAYERS, (int64_t[]){12, 12, 12}, T, m, &p));
    mesaopt_settings_free(s);
    return p;
}

static const int64_t blocks[] = {-1, 1, 2};

static mesaopt_baseline *chebyshev(mesaopt_ctx *ctx)
{
    mesaopt_baseline *b;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, "baseline=chebyshev iterations=4");
    OK(mesaopt_baseline_create(ctx, s, &b));
    mesaopt_settings_free(s);
    return b;
}

typedef struct by_hand { void *x, *tokens, *h[LAYERS]; double *y, *w; mesaopt_view sequences, inputs, activations[LAYERS], targets, weights; } by_hand;

/* Sequences 5 .. 5 + COUNT - 1 of the test stream: what the model makes of them, and their targets. */
static by_hand run_by_hand(setup *s, int32_t dtype, const char *settings, int64_t m, mesaopt_baseline *conditioner)
{
    by_hand r = {0};
    r.x = calloc(COUNT * (T + 1) * N, 8), r.tokens = calloc(COUNT * T * 12, 8), r.y = calloc(COUNT * T * m, 8), r.w = calloc(COUNT * T, 8);
    r.sequences = DENSE(r.x, dtype, COUNT, T + 1, N);
    r.targets = DENSE(r.y, MESAOPT_F64, COUNT, T, m), r.weights = DENSE(r.w, MESAOPT_F64, COUNT, T);
    const mesaopt_view tokens = DENSE(r.tokens, dtype, COUNT, T, 12);
    for (int l = 0; l < LAYERS; l++) r.activations[l] = DENSE(r.h[l] = calloc(COUNT * T * 12, 8), dtype, COUNT, T, 12);
    OK(mesaopt_task_draw(s->task, MESAOPT_STREAM_TEST, 5, &r.sequences));
    OK(mesaopt_task_tokens(s->task, &r.sequences, &tokens));
    OK(mesaopt_model_activations(s->model, &tokens, LAYERS, blocks, r.activations));
    r.inputs = r.sequences, r.inputs.shape[1] = T;
    mesaopt_settings *p = settings_from(MESAOPT_SCOPE_PROBE, settings);
    if (conditioner) OK(mesaopt_baseline_precondition(conditioner, &r.inputs, &r.targets));
    else OK(mesaopt_probe_targets(s->ctx, p, &r.sequences, &r.targets));
    mesaopt_settings_free(p);
    return r;
}

static void by_hand_end(by_hand *r)
{
    for (int l = 0; l < LAYERS; l++) free(r->h[l]);
    free(r->x), free(r->tokens), free(r->y), free(r->w);
}

static void scores(mesaopt_probe *p, double *out)
{
    const mesaopt_view mse = DENSE(out, MESAOPT_F64, LAYERS, T), r2 = DENSE(out + LAYERS * T, MESAOPT_F64, LAYERS, T);
    OK(mesaopt_probe_fit(p, NULL));
    OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &mse, &r2));
}

static void check_same(mesaopt_probe *p, mesaopt_probe *q, double tolerance)
{
    double a[2 * LAYERS * T], b[2 * LAYERS * T];
    scores(p, a), scores(q, b);
    for (int i = 0; i < 2 * LAYERS * T; i++)
        if (!isnan(a[i]) || !isnan(b[i])) ck_assert_double_eq_tol(a[i], b[i], tolerance);
}

static void compare(const char *settings, int64_t m, int conditioned, int filtered, int f64)
{
    recipe r = small_linear;
    r.model = f64 ? "inputs=12 outputs=3 seed=5 dtype=f64" : "inputs=12 outputs=3 seed=5";
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    setup s = setup_start(ctx, &r);
    mesaopt_baseline *b = conditioned ? chebyshev(ctx) : NULL;
    mesaopt_probe *p = plan(ctx, settings, m), *q = plan(ctx, settings, m), *cut = plan(ctx, settings, m);
    by_hand hand = run_by_hand(&s, f64 ? MESAOPT_F64 : MESAOPT_F32, settings, m, b);
    if (filtered) OK(mesaopt_probe_filter(ctx, 2, &hand.targets, &hand.weights));
    if (b) OK(mesaopt_probe_set_targets(p, b, NULL, NULL, NULL));
    if (b) OK(mesaopt_probe_set_targets(cut, b, NULL, NULL, NULL));
    OK(mesaopt_baseline_free(b));                      /* the probes hold it */
    OK(mesaopt_probe_feed_model(p, MESAOPT_PROBE_TRAIN, s.model, blocks, s.task, MESAOPT_STREAM_TEST, 5, COUNT));
    OK(mesaopt_probe_feed(q, MESAOPT_PROBE_TRAIN, hand.activations, &hand.targets, filtered ? &hand.weights : NULL));
    check_same(p, q, 1e-9);
    if (!filtered) {
        OK(mesaopt_probe_feed_model(cut, MESAOPT_PROBE_TRAIN, s.model, blocks, s.task, MESAOPT_STREAM_TEST, 5, 130));
        OK(mesaopt_probe_feed_model(cut, MESAOPT_PROBE_TRAIN, s.model, blocks, s.task, MESAOPT_STREAM_TEST, 135, COUNT - 130));
        check_same(cut, q, 1e-9);
    }
    by_hand_end(&hand);
    OK(mesaopt_probe_free(p));
    OK(mesaopt_probe_free(q));
    OK(mesaopt_probe_free(cut));
    setup_end(&s);
    OK(mesaopt_ctx_free(ctx));
}

START_TEST(running_together_is_running_by_hand)
{
    compare("", N, 0, 0, 0);
    compare("", N, 0, 0, 1);
    compare("lag=0 lags=4 error=mean", 4 * N, 0, 0, 0);
    compare("filter=2", N, 0, 1, 0);
    compare("", N, 1, 0, 0);
    compare("filter=2 intercept=1", N, 1, 1, 1);
}
END_TEST

/* A control by hand: activations are what the conditioner makes of the inputs, and the filter goes by them. */
static void compare_control(const char *settings, int filtered)
{
    recipe r = small_linear;
    r.model = "inputs=12 outputs=3 seed=5 dtype=f64";
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    setup s = setup_start(ctx, &r);
    mesaopt_baseline *b = chebyshev(ctx);
    mesaopt_probe *p[3];
    static double conditioned[COUNT * T * N];
    double mse[3][T];
    const mesaopt_view h = DENSE(conditioned, MESAOPT_F64, COUNT, T, N);
    mesaopt_settings *probe = settings_from(MESAOPT_SCOPE_PROBE, settings);
    for (int i = 0; i < 3; i++) OK(mesaopt_probe_plan(ctx, probe, 1, (int64_t[]){N}, T, N, &p[i]));
    mesaopt_settings_free(probe);
    by_hand hand = run_by_hand(&s, MESAOPT_F64, "", N, NULL);
    OK(mesaopt_baseline_precondition(b, &hand.inputs, &h));
    if (filtered) OK(mesaopt_probe_filter(ctx, 2, &h, &hand.weights));
    OK(mesaopt_probe_feed(p[0], MESAOPT_PROBE_TRAIN, &h, &hand.targets, filtered ? &hand.weights : NULL));
    OK(mesaopt_probe_feed_control(p[1], MESAOPT_PROBE_TRAIN, b, s.task, MESAOPT_STREAM_TEST, 5, COUNT));
    OK(mesaopt_probe_set_targets(p[2], b, NULL, NULL, NULL));        /* what it is to find is what it sees */
    OK(mesaopt_probe_feed_control(p[2], MESAOPT_PROBE_TRAIN, b, s.task, MESAOPT_STREAM_TEST, 5, COUNT));
    for (int i = 0; i < 3; i++) {
        const mesaopt_view out = DENSE(mse[i], MESAOPT_F64, 1, T);
        OK(mesaopt_probe_fit(p[i], NULL));
        OK(mesaopt_probe_score(p[i], MESAOPT_PROBE_TRAIN, &out, NULL));
    }
    for (int t = 0; t < T; t++) {
        ck_assert_double_eq_tol(mse[0][t], mse[1][t], 1e-9);
        ck_assert_double_gt(mse[1][t], 1e-3);
        ck_assert_double_lt(mse[2][t], 1e-12);
    }
    by_hand_end(&hand);
    for (int i = 0; i < 3; i++) OK(mesaopt_probe_free(p[i]));
    OK(mesaopt_baseline_free(b));
    setup_end(&s);
    OK(mesaopt_ctx_free(ctx));
}

START_TEST(control_is_by_hand)
{
    compare_control("", 0);
    compare_control("filter=2", 1);
}
END_TEST

/* ---- callbacks ---- */

typedef struct host { mesaopt_ctx *ctx; mesaopt_probe *probe; mesaopt_model *model; mesaopt_task *task; int calls, mode; } host;
enum { COPY, STOP, LEAVE_OUT, INTERRUPT };

/* The observation itself, doubled. */
static int32_t fill(const mesaopt_view *sequences, const mesaopt_view *targets, void *user)
{
    host *h = user;
    h->calls++;
    ck_assert(sequences->ndim == 3 && sequences->shape[1] == T + 1 && targets->shape[1] == T && targets->dtype == MESAOPT_F64);
    ck_assert_int_eq(mesaopt_probe_set_targets(h->probe, NULL, NULL, NULL, NULL), MESAOPT_E_BUSY);
    ck_assert_int_eq(mesaopt_probe_reset(h->probe, MESAOPT_PROBE_TRAIN), MESAOPT_E_BUSY);
    ck_assert_int_eq(mesaopt_probe_feed_model(h->probe, MESAOPT_PROBE_TRAIN, h->model, blocks, h->task, MESAOPT_STREAM_TRAIN, 0, 4), MESAOPT_E_BUSY);
    ck_assert(strstr(error_of(h->ctx), "probe: inside a call that feeds it") != NULL);
    if (h->mode == STOP) return 3;
    if (h->mode == INTERRUPT) mesaopt_ctx_interrupt(h->ctx);
    for (int64_t b = 0; b < targets->shape[0]; b++)
        for (int64_t t = 0; t < T; t++)
            for (int64_t j = 0; j < N; j++)
                if (h->mode != LEAVE_OUT || b != 7 || t != 2)
                    ((double *)targets->data)[(b * T + t) * N + j] = 2 * (double)((const float *)sequences->data)[(b * (T + 1) + t) * N + j];
    return 0;
}

START_TEST(targets_of_the_host)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    setup s = setup_start(ctx, &small_linear);
    mesaopt_probe *p = plan(ctx, "", N);
    host h = {ctx, p, s.model, s.task, 0, COPY};
    double before[2 * LAYERS * T], after[2 * LAYERS * T];
    OK(mesaopt_probe_set_targets(p, NULL, fill, NULL, &h));
    OK(mesaopt_probe_feed_model(p, MESAOPT_PROBE_TRAIN, s.model, blocks, s.task, MESAOPT_STREAM_TRAIN, 0, COUNT));
    ck_assert_int_ge(h.calls, 2);
    scores(p, before);
    for (int t = 0; t < T; t++) ck_assert_double_lt(before[t], 1e-12);       /* the tokens hold the observation */
    for (h.mode = STOP; h.mode <= INTERRUPT; h.mode++) {
        const mesaopt_status status = mesaopt_probe_feed_model(p, MESAOPT_PROBE_TRAIN, s.model, blocks, s.task, MESAOPT_STREAM_TEST, 100, COUNT);
        ck_assert_int_eq(status, h.mode == STOP ? MESAOPT_E_SOURCE : h.mode == LEAVE_OUT ? MESAOPT_E_NONFINITE : MESAOPT_E_INTERRUPTED);
        const char *text = error_of(ctx), *words = h.mode == STOP ? "fill: returned 3, expected 0" : h.mode == LEAVE_OUT ? "targets of sequences from 100 on: element [7,2,0] is nan" : "interrupt";
        ck_assert_msg(strstr(text, words) != NULL, "%s", text);
        scores(p, after);
        ck_assert_mem_eq(before, after, sizeof before);
    }
    OK(mesaopt_probe_free(p));
    setup_end(&s);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

typedef struct watch { setup *s; mesaopt_probe *p; double first, last; } watch;

/* A probe of the last layer while the model is trained. */
static int32_t probe_step(const mesaopt_step *step, void *user)
{
    watch *w = user;
    double r[2 * LAYERS * T];
    if (step->step % 20 != 1) return 0;
    OK(mesaopt_probe_reset(w->p, MESAOPT_PROBE_TRAIN));
    OK(mesaopt_probe_feed_model(w->p, MESAOPT_PROBE_TRAIN, w->s->model, blocks, w->s->task, MESAOPT_STREAM_TEST, 0, 256));
    scores(w->p, r);
    w->last = r[2 * T + T - 1];
    if (step->step == 1) w->first = w->last;
    return 0;
}

/* Inside a trainer's callback; training is what it is without. */
START_TEST(while_training)
{
    static bits with, without;
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    setup s = setup_start(ctx, &small_linear), plain = setup_start(ctx, &small_linear);
    watch w = {&s, plan(ctx, "", N), 0, 0};
    OK(mesaopt_trainer_run(s.trainer, 81, probe_step, &w));
    OK(mesaopt_trainer_run(plain.trainer, 81, NULL, NULL));
    bits_read(&s, &with), bits_read(&plain, &without);
    ck_assert(bits_equal(&with, &without));
    ck_assert_double_ne(w.first, w.last);
    OK(mesaopt_probe_free(w.p));
    setup_end(&s), setup_end(&plain);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* ---- failures ---- */

START_TEST(a_model_that_runs_away)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    setup s = setup_start(ctx, &small_linear);
    mesaopt_probe *p = plan(ctx, "", N);
    double before[2 * LAYERS * T], after[2 * LAYERS * T];
    mesaopt_view W;
    OK(mesaopt_probe_feed_model(p, MESAOPT_PROBE_TRAIN, s.model, blocks, s.task, MESAOPT_STREAM_TEST, 0, 64));
    scores(p, before);
    OK(mesaopt_model_parameter(s.model, "blocks.2.value", &W));
    ((float *)W.data)[0] = NAN;
    ck_assert_int_eq(mesaopt_probe_feed_model(p, MESAOPT_PROBE_TRAIN, s.model, blocks, s.task, MESAOPT_STREAM_TEST, 64, 64), MESAOPT_E_NONFINITE);
    ck_assert_msg(strstr(error_of(ctx), "activations of block 2, sequences from 64 on: element [0,0,"), "%s", error_of(ctx));
    scores(p, after);
    ck_assert_mem_eq(before, after, sizeof before);
    OK(mesaopt_probe_free(p));
    setup_end(&s);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Views with NaN, infinity and numbers too large; the sets are as they were, and an interrupt leaves them, too. */
START_TEST(views_that_are_refused)
{
    enum { B = 20, D = 4 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_probe *p;
    double h[B][2][D], y[B][2][1], w[B], mse[2], again[2];
    for (int b = 0; b < B; b++) {
        for (int i = 0; i < 2 * D; i++) h[b][i / D][i % D] = sin(b * 8 + i);
        y[b][0][0] = cos(b), y[b][1][0] = b % 3;
        w[b] = 1;
    }
    const mesaopt_view hv = DENSE(h, MESAOPT_F64, B, 2, D), yv = DENSE(y, MESAOPT_F64, B, 2, 1), wv = DENSE(w, MESAOPT_F64, B), mv = DENSE(mse, MESAOPT_F64, 1, 2);
    const mesaopt_view av = DENSE(again, MESAOPT_F64, 1, 2);
    for (int lanes = 1; lanes <= 2; lanes++) {
        mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROBE, lanes == 1 ? "lanes=1" : "lanes=2");
        OK(mesaopt_probe_plan(ctx, s, 1, (int64_t[]){D}, 2, 1, &p));
        mesaopt_settings_free(s);
        OK(mesaopt_probe_feed(p, MESAOPT_PROBE_TRAIN, &hv, &yv, &wv));
        OK(mesaopt_probe_fit(p, NULL));
        OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &mv, NULL));
        const double bad[] = {NAN, INFINITY, -INFINITY, 1e200};
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < D; j++) {
                const double kept = h[11][1][j];
                h[11][1][j] = bad[i];
                char words[64];
                snprintf(words, sizeof words, "activations[0]: element [11,1,%d] is ", j);
                REFUSED(ctx, MESAOPT_E_NONFINITE, words, mesaopt_probe_feed(p, MESAOPT_PROBE_TRAIN, &hv, &yv, &wv));
                h[11][1][j] = kept;
            }
        y[3][0][0] = NAN;
        REFUSED(ctx, MESAOPT_E_NONFINITE, "targets: element [3,0,0] is nan", mesaopt_probe_feed(p, MESAOPT_PROBE_TEST, &hv, &yv, NULL));
        y[3][0][0] = 0.5;
        w[19] = -1;
        REFUSED(ctx, MESAOPT_E_ARGUMENT, "weights: element [19] is -1", mesaopt_probe_feed(p, MESAOPT_PROBE_TRAIN, &hv, &yv, &wv));
        w[19] = NAN;
        REFUSED(ctx, MESAOPT_E_ARGUMENT, "weights: element [19] is nan", mesaopt_probe_feed(p, MESAOPT_PROBE_TRAIN, &hv, &yv, &wv));
        w[19] = 1;
        mesaopt_ctx_interrupt(ctx);
        ck_assert_int_eq(mesaopt_probe_feed(p, MESAOPT_PROBE_TRAIN, &hv, &yv, &wv), MESAOPT_E_INTERRUPTED);
        mesaopt_ctx_interrupt(ctx);
        ck_assert_int_eq(mesaopt_probe_fit(p, NULL), MESAOPT_E_INTERRUPTED);
        mesaopt_ctx_interrupt(ctx);
        ck_assert_int_eq(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &av, NULL), MESAOPT_E_INTERRUPTED);
        OK(mesaopt_probe_fit(p, NULL));
        OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &av, NULL));
        ck_assert_mem_eq(mse, again, sizeof mse);
        OK(mesaopt_probe_free(p));
    }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Everything a probe does with a model, until memory suffices; nothing is lost, and feed, fit and score take none. */
START_TEST(memory_that_runs_short)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_hooked(&hook, "threads=2");
    setup s = setup_start(ctx, &small_linear);
    const long blocks_before = hook.blocks;
    int done = 0;
    for (long n = 1; !done; n++) {
        mesaopt_probe *p = NULL;
        ck_assert_int_lt(n, 100);
        hook.fail_at = hook.calls + n;
        mesaopt_status status = mesaopt_probe_plan(ctx, NULL, LAYERS, (int64_t[]){12, 12, 12}, T, N, &p);
        if (status == MESAOPT_OK) status = mesaopt_probe_feed_model(p, MESAOPT_PROBE_TRAIN, s.model, blocks, s.task, MESAOPT_STREAM_TEST, 0, 200);
        if (status == MESAOPT_OK) status = mesaopt_probe_fit(p, NULL);
        done = status == MESAOPT_OK;
        if (!done) ck_assert_int_eq(status, MESAOPT_E_MEMORY);
        OK(mesaopt_probe_free(p));
        ck_assert_int_le(hook.blocks, blocks_before + 2);      /* the model's workspace and the pool stay */
    }
    hook.fail_at = 0;
    by_hand hand = run_by_hand(&s, MESAOPT_F32, "", N, NULL);
    mesaopt_probe *p = plan(ctx, "", N);
    double r[2 * LAYERS * T];
    OK(mesaopt_probe_feed(p, MESAOPT_PROBE_TEST, hand.activations, &hand.targets, NULL));
    const long calls = hook.calls;
    for (int i = 0; i < 3; i++) OK(mesaopt_probe_feed(p, i % 2, hand.activations, &hand.targets, NULL));
    scores(p, r);
    ck_assert_int_eq(hook.calls, calls);
    OK(mesaopt_probe_free(p));
    by_hand_end(&hand);
    setup_end(&s);
    OK(mesaopt_ctx_free(ctx));
    ck_assert_int_eq(hook.blocks, 0);
    ck_assert_int_eq(hook.bytes, 0);
}
END_TEST

Suite *test_probe_model_suite(void)
{
    Suite *suite = suite_create("probe_model");
    TCase *models = tcase_create("models"), *failures = tcase_create("failures");
    tcase_add_test(models, running_together_is_running_by_hand);
    tcase_add_test(models, control_is_by_hand);
    tcase_add_test(models, targets_of_the_host);
    tcase_add_test(models, while_training);
    tcase_add_test(failures, a_model_that_runs_away);
    tcase_add_test(failures, views_that_are_refused);
    tcase_add_test(failures, memory_that_runs_short);
    suite_add_tcase(suite, models);
    suite_add_tcase(suite, failures);
    return suite;
}
