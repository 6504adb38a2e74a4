/* Every long call ends within 0.2 s of mesaopt_ctx_interrupt, or of the moment when its hook poll would say so, also where it consists of a single item: its time is taken from the interrupt on, in time of the
 * calling thread's own, which other programs do not add to. Uninterrupted, each of these calls takes from several seconds to many minutes. */
#include "base/object.h"
#undef fail                        /* Check has a macro of that name */
#include "contexts.h"
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Code with the checks of a sanitizer in it takes several times as long between two looks at the flag. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LATEST 3.0
#else
#define LATEST 0.2
#endif
#define BEFORE 0.05                /* of work before the interrupt */

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A thread that waits until the context has worked for a while, and interrupts it. */
typedef struct watch { mesaopt_ctx *ctx; clockid_t caller; double begun, at; atomic_int over; pthread_t thread; } watch;

/* Or the context's own hook, which says so. */
static int by_hook;
static watch *watched;
static pthread_t calling;
static void use_hook(void) { by_hook = 1; }

static int32_t poll_watch(void *user)
{
    (void)user;
    if (!watched) return 0;
    ck_assert(pthread_equal(pthread_self(), calling));
    return seconds(watched->caller) >= watched->begun + BEFORE;
}

static mesaopt_ctx *polled_from(const char *text)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_CTX, text);
    mesaopt_ctx *ctx = NULL;
    if (by_hook) ck_assert_int_eq(mesaopt_settings_set_poll(s, poll_watch, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_create(s, &ctx), MESAOPT_OK);
    mesaopt_settings_free(s);
    return ctx;
}
#define context_from polled_from

static void *interrupter(void *data)
{
    watch *w = data;
    while (!atomic_load(&w->ctx->busy) && !atomic_load(&w->over)) usleep(200);
    const double begun = seconds(w->caller);
    while (seconds(w->caller) < begun + BEFORE && !atomic_load(&w->over)) usleep(500);
    w->at = seconds(w->caller);
    mesaopt_ctx_interrupt(w->ctx);
    return NULL;
}

static void watch_begin(watch *w, mesaopt_ctx *ctx)
{
    *w = (watch){.ctx = ctx};
    ck_assert_int_eq(pthread_getcpuclockid(pthread_self(), &w->caller), 0);
    if (by_hook) {
        w->begun = seconds(w->caller), w->at = w->begun + BEFORE;
        watched = w, calling = pthread_self();
        return;
    }
    ck_assert_int_eq(pthread_create(&w->thread, NULL, interrupter, w), 0);
}

/* Was it in time, or the last try? What the system does for a thread, as clear pages, counts as the thread's time, and now and then takes longer than the
 * call: whoever is late every time is late. */
static int watch_end(watch *w, mesaopt_status status, mesaopt_status expected, int last)
{
    const double now = seconds(w->caller);
    atomic_store(&w->over, 1);
    watched = NULL;
    if (!by_hook) pthread_join(w->thread, NULL);
    char text[512];
    mesaopt_ctx_error(w->ctx, text, sizeof text);
    ck_assert_msg(status == expected, "%s (%s), expected %s", mesaopt_status_name(status), text, mesaopt_status_name(expected));
    ck_assert_msg(!last || now - w->at < LATEST, "%.3f s after the interrupt", now - w->at);
    ck_assert(!ctx_interrupted(w->ctx));
    return last || now - w->at < LATEST;
}

#define ENDS_AS(expected, ctx, call) \
    for (int tries_ = 1, over_ = 0; !over_; tries_++) { \
        watch w_; \
        watch_begin(&w_, ctx); \
        const mesaopt_status status_ = (call); \
        over_ = watch_end(&w_, status_, expected, tries_ == 3); \
    }
#define ENDS(ctx, call) ENDS_AS(MESAOPT_E_INTERRUPTED, ctx, call)

/* ---- what calls work on ---- */

/* Dense; normal numbers in the first 4096 elements of memory, which repeat. */
static mesaopt_view filled(int32_t dtype, int32_t ndim, const int64_t *shape)
{
    enum { PERIOD = 4096 };
    mesaopt_view v;
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) count *= shape[i];
    char *x = malloc((size_t)(count > 0 ? count : 1) * sizeof(double));
    ck_assert_ptr_nonnull(x);
    ck_assert_int_eq(mesaopt_view_dense(x, dtype, ndim, shape, &v), MESAOPT_OK);
    uint32_t state = 1;
    for (int64_t i = 0; i < count && i < PERIOD; i++) {
        state = state * 1664525u + 1013904223u;
        const double u = (double)(state >> 8) / (1 << 24) - 0.5;
        if (dtype == MESAOPT_F32) ((float *)x)[i] = (float)u;
        else ((double *)x)[i] = u;
    }
    for (int64_t i = PERIOD; i < count; i++) {
        if (dtype == MESAOPT_F32) ((float *)x)[i] = ((float *)x)[i - PERIOD];
        else ((double *)x)[i] = ((double *)x)[i - PERIOD];
    }
    return v;
}
#define FILLED(dtype, ...) filled(dtype, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

static mesaopt_baseline *baseline_from(mesaopt_ctx *ctx, const char *text)
{
    mesaopt_baseline *b = NULL;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, text);
    ck_assert_int_eq(mesaopt_baseline_create(ctx, s, &b), MESAOPT_OK);
    mesaopt_settings_free(s);
    return b;
}

/* ---- draws and tasks ---- */

START_TEST(orthogonal_draws)
{
    mesaopt_ctx *ctx = context_from("");
    mesaopt_view out = FILLED(MESAOPT_F32, 1, 1500, 1500);
    ENDS(ctx, mesaopt_rng_orthogonal(ctx, 1, 0, 0, &out));
    free(out.data);
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(task_draws)
{
    static const char *const kinds[] = {"task=linear", "task=contracting"};
    mesaopt_ctx *ctx = context_from("");
    mesaopt_view out = FILLED(MESAOPT_F32, 1, 101, 1200);
    for (int i = 0; i < 2; i++) {
        char text[64];
        snprintf(text, sizeof text, "dim=1200 length=100 tokens=raw %s", kinds[i]);
        mesaopt_task *task = task_from(ctx, text);
        ENDS(ctx, mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, &out));
        mesaopt_task_free(task);
    }
    free(out.data);
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(task_with_one_teacher)
{
    mesaopt_ctx *ctx = context_from("");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, "task=fixed_teacher dim=1500 length=2 tokens=raw");
    mesaopt_task *task = NULL;
    ENDS(ctx, mesaopt_task_create(ctx, s, &task));
    ck_assert_ptr_null(task);
    mesaopt_settings_free(s);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- attention, least squares ---- */

START_TEST(attention)
{
    static const int32_t scopes[] = {MESAOPT_SCOPE_SOFTMAX, MESAOPT_SCOPE_LINEAR};
    mesaopt_ctx *ctx = context_from("");
    for (int i = 0; i < 2; i++) {
        const int64_t T = i == 0 ? 100000 : 30000, d = i == 0 ? 64 : 400;
        mesaopt_settings *s = settings_from(scopes[i], "");
        mesaopt_attn *a = NULL;
        mesaopt_view q = FILLED(MESAOPT_F32, 1, T, 1, d), out = FILLED(MESAOPT_F32, 1, T, 1, d), dq = FILLED(MESAOPT_F32, 1, T, 1, d),
                     dk = FILLED(MESAOPT_F32, 1, T, 1, d), dv = FILLED(MESAOPT_F32, 1, T, 1, d);
        ck_assert_int_eq(mesaopt_attn_create(ctx, s, &a), MESAOPT_OK);
        ENDS(ctx, mesaopt_attn_forward(a, &q, &q, &q, &out));
        ENDS(ctx, mesaopt_attn_backward(a, &q, &q, &q, &out, &dq, &dk, &dv));
        mesaopt_attn_free(a);
        mesaopt_settings_free(s);
        free(q.data), free(out.data), free(dq.data), free(dk.data), free(dv.data);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Of one head with 1000 channels, by each solver. */
START_TEST(least_squares)
{
    static const char *const solvers[] = {"auto", "cholesky", "sherman_morrison", "segments", "cg", "cg_diag", "cg_chunk", "neumann"};
    mesaopt_ctx *ctx = context_from("");
    mesaopt_view q = FILLED(MESAOPT_F32, 1, 2000, 1, 1000), out = FILLED(MESAOPT_F32, 1, 2000, 1, 1000), dq = FILLED(MESAOPT_F32, 1, 2000, 1, 1000),
                 dk = FILLED(MESAOPT_F32, 1, 2000, 1, 1000), dv = FILLED(MESAOPT_F32, 1, 2000, 1, 1000);
    char text[64];
    snprintf(text, sizeof text, "solver=%s ridge=1e-3", solvers[_i]);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, text);
    mesaopt_lsq *l = NULL;
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, s, 1000, 1000, &l), MESAOPT_OK);
    ENDS(ctx, mesaopt_lsq_forward(l, &q, &q, &q, &out, 0, NULL, NULL));
    ENDS(ctx, mesaopt_lsq_adjoint(l, &q, &q, &q, &out, &dq, &dk, &dv, 0, NULL, NULL));
    mesaopt_lsq_free(l);
    mesaopt_settings_free(s);
    free(q.data), free(out.data), free(dq.data), free(dk.data), free(dv.data);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- models ---- */

static const char *const blocks[] = {"softmax(heads=1,key=8)", "mesa(heads=1,key=8)", "linear(heads=1,key=8)"};

START_TEST(models)
{
    enum { T = 60000, WIDE = 2000000 };
    mesaopt_ctx *ctx = context_from("");
    for (int i = 0; i < 3; i++) {
        const int64_t steps = i == 0 ? T : WIDE;
        mesaopt_model *model = model_from(ctx, "inputs=8 outputs=8", blocks[i]);
        mesaopt_view tokens = FILLED(MESAOPT_F32, 1, steps, 8), out = FILLED(MESAOPT_F32, 1, steps, 8);
        double loss = -1;
        ENDS(ctx, mesaopt_model_gradient(model, &tokens, &tokens, NULL, &loss, NULL));
        ck_assert(loss == -1);
        if (i == 0) ENDS(ctx, mesaopt_model_forward(model, &tokens, &out));
        free(tokens.data), free(out.data);
        mesaopt_model_free(model);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(training)
{
    mesaopt_ctx *ctx = context_from("");
    mesaopt_model *model = model_from(ctx, "inputs=8 outputs=2", blocks[0]);
    mesaopt_task *task = task_from(ctx, "dim=2 length=60000 tokens=constructed");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TRAINER, "batch=1");
    mesaopt_trainer *trainer = NULL;
    double loss;
    ck_assert_int_eq(mesaopt_trainer_create(ctx, s, model, task, &trainer), MESAOPT_OK);
    ENDS(ctx, mesaopt_trainer_step(trainer, NULL));
    ENDS_AS(MESAOPT_STOPPED, ctx, mesaopt_trainer_run(trainer, 10, NULL, NULL));
    ck_assert_int_eq(mesaopt_trainer_steps(trainer), 0);
    ENDS(ctx, mesaopt_model_evaluate(model, task, MESAOPT_STREAM_TEST, 0, 1, NULL, &loss));
    mesaopt_trainer_free(trainer);
    mesaopt_settings_free(s);
    mesaopt_task_free(task);
    mesaopt_model_free(model);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* 16 million weights, and what is read off them. */
START_TEST(large_models)
{
    enum { WIDTH = 2000 };
    mesaopt_ctx *ctx = context_from("");
    mesaopt_model *model = model_from(ctx, "inputs=2000 outputs=4", "linear(heads=1,key=2000)");
    mesaopt_revalg *revalg = NULL;
    mesaopt_view before, out = FILLED(MESAOPT_F64, WIDTH, WIDTH);
    ck_assert_int_eq(mesaopt_model_parameter(model, "blocks.0.query", &before), MESAOPT_OK);
    const float first = *(const float *)before.data;
    ENDS(ctx, mesaopt_model_initialise(model, 99));
    ck_assert(*(const float *)before.data == first);
    ENDS(ctx, mesaopt_revalg_extract(model, &revalg));
    ck_assert_ptr_null(revalg);
    ENDS(ctx, mesaopt_revalg_product(model, 0, MESAOPT_REVALG_LOGITS, 0, &out));
    ENDS(ctx, mesaopt_model_add_text(model, "8 x linear(heads=1,key=2000)"));
    ck_assert_int_eq(mesaopt_model_blocks(model), 1);
    free(out.data);
    mesaopt_model_free(model);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- baselines ---- */

typedef struct trial { const char *settings; int64_t T, n; } trial;
static const trial trials[] = {
    {"baseline=newton iterations=4000", 101, 64}, {"baseline=kernel", 50001, 10}, {"baseline=neumann iterations=4000 divisor=1e6", 2001, 64},
    {"baseline=lsq", 8001, 300}, {"baseline=gd iterations=4000", 2001, 64},
};

START_TEST(baselines)
{
    const trial *t = &trials[_i];
    mesaopt_ctx *ctx = context_from("");
    mesaopt_baseline *b = baseline_from(ctx, t->settings);
    mesaopt_view x = FILLED(MESAOPT_F64, 1, t->T, t->n), out = FILLED(MESAOPT_F64, 1, t->T - 1, t->n);
    ENDS(ctx, mesaopt_baseline_predict(b, &x, &out));
    mesaopt_baseline_free(b);
    free(x.data), free(out.data);
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(baselines_on_tasks)
{
    mesaopt_ctx *ctx = context_from("");
    mesaopt_baseline *b = baseline_from(ctx, "baseline=chebyshev iterations=200 divisor=1e3 batch=1");
    mesaopt_task *task = task_from(ctx, "dim=64 length=5000 tokens=raw");
    double loss, best = -1;
    ENDS(ctx, mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, 1, NULL, &loss));
    ENDS(ctx, mesaopt_baseline_search(b, task, 1, &best));
    ck_assert(best == -1);
    ENDS_AS(MESAOPT_STOPPED, ctx, mesaopt_baseline_train(b, task, 10, NULL, NULL));
    ck_assert_int_eq(mesaopt_baseline_updates(b), 0);
    mesaopt_baseline_free(b);
    mesaopt_task_free(task);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- rows ---- */

static void state_of(mesaopt_rls *r, double *H, double *S)
{
    static const int32_t which[] = {MESAOPT_RLS_KEY_STATE, MESAOPT_RLS_VALUE_STATE};
    mesaopt_view views[2];
    ck_assert_int_eq(mesaopt_view_dense(H, MESAOPT_F64, 3, (int64_t[]){1, 8, 8}, &views[0]), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_view_dense(S, MESAOPT_F64, 3, (int64_t[]){1, 8, 2}, &views[1]), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_get(r, 2, which, views), MESAOPT_OK);
}

/* A long update is all or nothing: the state is what it was, to the bit. */
START_TEST(rows)
{
    enum { T = 3000000 };
    mesaopt_ctx *ctx = context_from("");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, "ridge=1e-3");
    mesaopt_lsq *plan = NULL;
    mesaopt_rls *r = NULL;
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, s, 8, 2, &plan), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_create(plan, 1, NULL, &r), MESAOPT_OK);
    mesaopt_view k = FILLED(MESAOPT_F32, T, 1, 8), v = FILLED(MESAOPT_F32, T, 1, 2), out = FILLED(MESAOPT_F32, T, 1, 2);
    mesaopt_view few = k, few_v = v;
    double H[2][64], S[2][16];
    few.shape[0] = few_v.shape[0] = 20;
    ck_assert_int_eq(mesaopt_rls_update(r, &few, &few_v, NULL, NULL), MESAOPT_OK);
    state_of(r, H[0], S[0]);
    ENDS(ctx, mesaopt_rls_update(r, &k, &v, NULL, NULL));
    ENDS(ctx, mesaopt_rls_step(r, &k, &k, &v, NULL, NULL, &out));
    ENDS(ctx, mesaopt_rls_predict(r, &k, &out, NULL));
    state_of(r, H[1], S[1]);
    ck_assert_mem_eq(H[0], H[1], sizeof H[0]);
    ck_assert_mem_eq(S[0], S[1], sizeof S[0]);
    mesaopt_rls_free(r);
    mesaopt_lsq_free(plan);
    mesaopt_settings_free(s);
    free(k.data), free(v.data), free(out.data);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* One row of many channels, which costs a factor: likewise. */
START_TEST(one_row)
{
    enum { WIDE = 1500 };
    mesaopt_ctx *ctx = context_from("");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, "ridge=1e-3");
    mesaopt_lsq *plan = NULL;
    mesaopt_rls *r = NULL, *never = NULL;
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, s, WIDE, 1, &plan), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_create(plan, 1, NULL, &r), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_create(plan, 1, NULL, &never), MESAOPT_OK);
    mesaopt_view k = FILLED(MESAOPT_F64, 3, 1, WIDE), v = FILLED(MESAOPT_F64, 3, 1, 1), out = FILLED(MESAOPT_F64, 1, 1, 1), same = FILLED(MESAOPT_F64, 1, 1, 1);
    mesaopt_view one = k, one_v = v;
    one.shape[0] = one_v.shape[0] = 1;
    ck_assert_int_eq(mesaopt_rls_update(r, &k, &v, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_update(never, &k, &v, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_predict(r, &one, &out, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_predict(never, &one, &same, NULL), MESAOPT_OK);
    one.data = (double *)k.data + 7;                           /* a key that R does not take */
    ENDS(ctx, mesaopt_rls_step(r, &one, &one, &one_v, NULL, NULL, &out));
    ck_assert_int_eq(mesaopt_rls_update(r, &one, &one_v, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_update(never, &one, &one_v, NULL, NULL), MESAOPT_OK);
    ENDS(ctx, mesaopt_rls_predict(r, &one, &out, NULL));
    ck_assert_int_eq(mesaopt_rls_predict(r, &one, &out, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_predict(never, &one, &same, NULL), MESAOPT_OK);
    ck_assert_mem_eq(out.data, same.data, sizeof(double));
    mesaopt_rls_free(r), mesaopt_rls_free(never);
    mesaopt_lsq_free(plan);
    mesaopt_settings_free(s);
    mesaopt_ctx_free(ctx);
    free(k.data), free(v.data), free(out.data), free(same.data);
}
END_TEST

/* Whole states of many channels: what takes factors ends, and the states are what they were. */
START_TEST(wide_states)
{
    enum { WIDE = 1400 };
    static const int32_t which[] = {MESAOPT_RLS_KEY_STATE, MESAOPT_RLS_VALUE_STATE, MESAOPT_RLS_RESIDUAL};
    mesaopt_ctx *ctx = context_from("");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, "ridge=1e-3");
    mesaopt_lsq *plan = NULL;
    mesaopt_rls *r = NULL, *from = NULL, *opened = NULL;
    char path[64];
    snprintf(path, sizeof path, "/tmp/mesaopt-stopping-%ld.safetensors", (long)getpid());
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, s, WIDE, 1, &plan), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_create(plan, 1, NULL, &r), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_create(plan, 1, NULL, &from), MESAOPT_OK);
    mesaopt_view state[] = {FILLED(MESAOPT_F64, 1, WIDE, WIDE), FILLED(MESAOPT_F64, 1, WIDE, 1)}, now = FILLED(MESAOPT_F64, 1, WIDE, WIDE),
                 residual = FILLED(MESAOPT_F64, 1, 1), key = FILLED(MESAOPT_F64, 1, 1, WIDE), value = FILLED(MESAOPT_F64, 1, 1, 1);
    double *H = state[0].data;
    for (int64_t i = 0; i < WIDE; i++)
        for (int64_t j = 0; j <= i; j++) H[i * WIDE + j] = H[j * WIDE + i] = i == j ? WIDE : 0.1 * H[i * WIDE + j];
    ENDS(ctx, mesaopt_rls_set(r, 2, which, state));
    ck_assert_int_eq(mesaopt_rls_get(r, 1, which, &now), MESAOPT_OK);
    for (int64_t i = 0; i < WIDE * WIDE; i++) ck_assert(((double *)now.data)[i] == 0);
    ck_assert_int_eq(mesaopt_rls_set(r, 2, which, state), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_set(from, 2, which, state), MESAOPT_OK);
    ENDS(ctx, mesaopt_rls_merge(r, from));
    for (int64_t i = 0; i < WIDE; i++) ((double *)key.data)[i] *= 1e6;     /* a key that the inverse does not follow */
    ck_assert_int_eq(mesaopt_rls_update(r, &key, &value, NULL, NULL), MESAOPT_OK);
    ENDS(ctx, mesaopt_rls_get(r, 1, which + 2, &residual));
    ENDS(ctx, mesaopt_rls_save(r, path));
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(mesaopt_rls_get(from, 1, which, &now), MESAOPT_OK);
    ck_assert_mem_eq(now.data, H, WIDE * WIDE * sizeof(double));
    ck_assert_int_eq(mesaopt_rls_get(r, 1, which, &now), MESAOPT_OK);
    for (int64_t i = 0; i < WIDE; i++)
        for (int64_t j = 0; j < WIDE; j++) {
            const double want = H[i * WIDE + j] + ((double *)key.data)[i] * ((double *)key.data)[j];
            ck_assert(fabs(((double *)now.data)[i * WIDE + j] - want) <= 1e-12 * fabs(want) + 1e-12);
        }
    ck_assert_int_eq(mesaopt_rls_save(r, path), MESAOPT_OK);
    ENDS(ctx, mesaopt_rls_open(plan, path, &opened));
    ck_assert_ptr_null(opened);
    unlink(path);
    mesaopt_rls_free(r), mesaopt_rls_free(from), mesaopt_lsq_free(plan), mesaopt_settings_free(s);
    free(state[0].data), free(state[1].data), free(now.data), free(residual.data), free(key.data), free(value.data);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- probes ---- */

START_TEST(probes)
{
    enum { FEATURES = 1500 };
    mesaopt_ctx *ctx = context_from("");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROBE, "penalty=1e-9 rcond=1e-3");
    mesaopt_probe *p = NULL;
    ck_assert_int_eq(mesaopt_probe_plan(ctx, s, 1, &(int64_t){FEATURES}, 1, 2, &p), MESAOPT_OK);
    mesaopt_view h = FILLED(MESAOPT_F64, 8000, 1, FEATURES), y = FILLED(MESAOPT_F64, 8000, 1, 2);
    h.shape[0] = y.shape[0] = 4;
    ck_assert_int_eq(mesaopt_probe_feed(p, MESAOPT_PROBE_TRAIN, &h, &y, NULL), MESAOPT_OK);
    ENDS(ctx, mesaopt_probe_fit(p, NULL));
    h.shape[0] = y.shape[0] = 8000;
    ENDS(ctx, mesaopt_probe_feed(p, MESAOPT_PROBE_TRAIN, &h, &y, NULL));
    mesaopt_probe_free(p);
    mesaopt_settings_free(s);
    free(h.data), free(y.data);
    mesaopt_ctx_free(ctx);
}
END_TEST

static void add_all(Suite *suite, TCase *c)
{
    tcase_set_timeout(c, 60);
    tcase_add_test(c, orthogonal_draws);
    tcase_add_test(c, task_draws);
    tcase_add_test(c, task_with_one_teacher);
    tcase_add_test(c, attention);
    tcase_add_loop_test(c, least_squares, 0, 8);
    tcase_add_test(c, models);
    tcase_add_test(c, training);
    tcase_add_test(c, large_models);
    tcase_add_loop_test(c, baselines, 0, (int)(sizeof trials / sizeof *trials));
    tcase_add_test(c, baselines_on_tasks);
    tcase_add_test(c, rows);
    tcase_add_test(c, one_row);
    tcase_add_test(c, wide_states);
    tcase_add_test(c, probes);
    suite_add_tcase(suite, c);
}

Suite *test_stopping_suite(void)
{
    Suite *suite = suite_create("stopping");
    TCase *hooked = tcase_create("long calls, by the hook");
    add_all(suite, tcase_create("long calls"));
    tcase_add_checked_fixture(hooked, use_hook, NULL);
    add_all(suite, hooked);
    return suite;
}
