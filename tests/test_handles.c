/* Who holds a handle: freed twice, while others hold it, while calls work on it, from callbacks and other threads; arguments that are another handle. */
#include "base/pool.h"
#include "contexts.h"

#include <errno.h>
#include <fenv.h>
#include <sched.h>
#include <unistd.h>

#undef fail                        /* Check's; here it is the library's */

#define OK(call) ck_assert_int_eq(call, MESAOPT_OK)
#define NO(call) ck_assert_int_eq(call, MESAOPT_E_ARGUMENT)

enum { KINDS = 13 };

/* One of each, as small as they come. */
typedef struct all {
    hook_alloc hook;
    mesaopt_ctx *ctx;
    mesaopt_tensor *tensor;
    mesaopt_task *task;
    mesaopt_attn *attn;
    mesaopt_model *model;
    mesaopt_trainer *trainer;
    mesaopt_baseline *baseline;
    mesaopt_lsq *lsq;
    mesaopt_probe *probe;
    mesaopt_rls *rls;
    mesaopt_revalg *revalg;
    mesaopt_linearise *linearise;
    mesaopt_settings *settings;
} all;

static float data[8 * 51 * 10];

static void make_all(all *h)
{
    *h = (all){.ctx = NULL};
    h->ctx = context_with(1, NULL, &h->hook);
    mesaopt_view v = DENSE(data, MESAOPT_F32, 8, 51, 10);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TRAINER, "batch=2"), *linear = settings_from(MESAOPT_SCOPE_LINEAR, "");
    for (int i = 0; i < 8 * 51 * 10; i++) data[i] = (float)(i % 11) / 11 - 0.5f;
    OK(mesaopt_tensor_wrap(h->ctx, &v, NULL, NULL, &h->tensor));
    OK(mesaopt_task_from_tensor(h->ctx, NULL, h->tensor, &h->task));
    OK(mesaopt_attn_create(h->ctx, linear, &h->attn));
    h->model = model_from(h->ctx, "", "mask(first=20); linear(heads=1,key=2)");
    OK(mesaopt_trainer_create(h->ctx, s, h->model, h->task, &h->trainer));
    OK(mesaopt_baseline_create(h->ctx, NULL, &h->baseline));
    OK(mesaopt_lsq_plan(h->ctx, NULL, 2, 1, &h->lsq));
    OK(mesaopt_probe_plan(h->ctx, NULL, 1, (int64_t[]){3}, 50, 10, &h->probe));
    OK(mesaopt_rls_create(h->lsq, 1, NULL, &h->rls));
    OK(mesaopt_revalg_extract(h->model, &h->revalg));
    OK(mesaopt_linearise_create(h->ctx, s, h->model, h->task, 1, (int64_t[]){1}, NULL, &h->linearise));
    OK(mesaopt_settings_create(MESAOPT_SCOPE_TASK, hook_alloc_fn, &h->hook, &h->settings));
    mesaopt_settings_free(s), mesaopt_settings_free(linear);
}

static mesaopt_status free_settings(mesaopt_settings *s) { return mesaopt_settings_free(s), MESAOPT_OK; }

#define FREE(f) (mesaopt_status (*)(void *))f
static mesaopt_status (*const free_of[KINDS])(void *) = {
    FREE(mesaopt_ctx_free), FREE(mesaopt_tensor_free), FREE(mesaopt_task_free), FREE(mesaopt_attn_free), FREE(mesaopt_model_free), FREE(mesaopt_trainer_free),
    FREE(mesaopt_baseline_free), FREE(mesaopt_lsq_free), FREE(mesaopt_probe_free), FREE(mesaopt_rls_free), FREE(mesaopt_revalg_free), FREE(mesaopt_linearise_free), FREE(free_settings),
};

static void list(all *h, void *out[KINDS])
{
    void *const in[KINDS] = {h->ctx, h->tensor, h->task, h->attn, h->model, h->trainer, h->baseline, h->lsq, h->probe, h->rls, h->revalg, h->linearise, h->settings};
    memcpy(out, in, sizeof in);
}

static void free_all(all *h)
{
    void *handle[KINDS];
    list(h, handle);
    for (int k = 0; k < KINDS; k++) OK(free_of[k](handle[k]));
    ck_assert_int_eq(h->hook.blocks, 0);
    ck_assert_int_eq(h->hook.bytes, 0);
}

static const char *text_of(const mesaopt_ctx *ctx)
{
    static char text[512];
    ck_assert_int_gt(mesaopt_ctx_error(ctx, text, sizeof text), 0);
    return text;
}

/* ---- frees ---- */

/* Every free with every other kind: refused, without a word, and nothing is lost. */
START_TEST(frees_of_another_kind)
{
    all h;
    void *handle[KINDS];
    make_all(&h);
    list(&h, handle);
    NO(mesaopt_tensor_create(h.ctx, MESAOPT_F32, 0, NULL, NULL));
    for (int f = 0; f < KINDS; f++)
        for (int k = 0; k < KINDS; k++)
            if (k != f) ck_assert_int_eq(free_of[f](handle[k]), f == KINDS - 1 ? MESAOPT_OK : MESAOPT_E_ARGUMENT);
    ck_assert_str_eq(text_of(h.ctx), "out: NULL, expected a pointer");
    OK(mesaopt_trainer_step(h.trainer, NULL));
    free_all(&h);
}
END_TEST

/* Every handle that another one holds, freed twice: the second time is refused, and the other one goes on. */
START_TEST(second_frees)
{
    all h;
    double x[2] = {1, 2}, y = 3, out = 0;
    mesaopt_view K = DENSE(x, MESAOPT_F64, 1, 1, 2), V = DENSE(&y, MESAOPT_F64, 1, 1, 1), O = DENSE(&out, MESAOPT_F64, 1, 1, 1), kept;
    make_all(&h);
    OK(mesaopt_probe_set_targets(h.probe, h.baseline, NULL, NULL, NULL));
    NO(mesaopt_tensor_create(h.ctx, MESAOPT_F32, 0, NULL, NULL));
    for (int time = 0; time < 3; time++) {
        const mesaopt_status expected = time ? MESAOPT_E_ARGUMENT : MESAOPT_OK;
        ck_assert_int_eq(mesaopt_tensor_free(h.tensor), expected);
        ck_assert_int_eq(mesaopt_task_free(h.task), expected);
        ck_assert_int_eq(mesaopt_model_free(h.model), expected);
        ck_assert_int_eq(mesaopt_lsq_free(h.lsq), expected);
        ck_assert_int_eq(mesaopt_baseline_free(h.baseline), expected);
        ck_assert_str_eq(text_of(h.ctx), "out: NULL, expected a pointer");
    }
    OK(mesaopt_trainer_step(h.trainer, NULL));
    OK(mesaopt_rls_update(h.rls, &K, &V, NULL, NULL));
    OK(mesaopt_rls_predict(h.rls, &K, &O, NULL));
    ck_assert_double_eq_tol(out, 3. * 5 / (1 + 5), 1e-15);             /* v k.q / (ridge + k.k) */
    OK(mesaopt_probe_set_targets(h.probe, NULL, NULL, NULL, NULL));
    NO(mesaopt_tensor_view(h.tensor, &kept));
    ck_assert_str_eq(text_of(h.ctx), "tensor: a handle that was freed, expected a live tensor");
    OK(mesaopt_ctx_free(h.ctx));
    NO(mesaopt_ctx_free(h.ctx));
    NO(mesaopt_ctx_isa(h.ctx, &(int32_t){0}));
    OK(mesaopt_trainer_step(h.trainer, NULL));
    OK(mesaopt_trainer_free(h.trainer));
    OK(mesaopt_attn_free(h.attn));
    OK(mesaopt_probe_free(h.probe));
    OK(mesaopt_rls_free(h.rls));
    OK(mesaopt_revalg_free(h.revalg));
    OK(mesaopt_linearise_run(h.linearise, 1, NULL, NULL));
    OK(mesaopt_linearise_free(h.linearise));
    mesaopt_settings_free(h.settings);
    ck_assert_int_eq(h.hook.blocks, 0);
}
END_TEST

/* ---- frees while a call runs ---- */

enum { KEPT = 5 };
static const int kept[KEPT] = {0, 1, 2, 4, 5};         /* by a call of the trainer: ctx, tensor, task, model, the trainer itself */

typedef struct freer { void *handle[KINDS]; int turn, elsewhere, steps; } freer;

static void *free_everything(void *user)
{
    const freer *f = user;
    for (int i = 0; i < KEPT; i++) {
        const int k = kept[f->turn < KEPT ? (f->turn + i) % KEPT : (f->turn + KEPT - i) % KEPT];
        OK(free_of[k](f->handle[k]));
        NO(free_of[k](f->handle[k]));
    }
    for (int k = 0; k < KINDS; k++)
        if (k == 3 || k > 5) OK(free_of[k](f->handle[k]));
    return NULL;
}

static int32_t free_after_two(const mesaopt_step *step, void *user)
{
    freer *f = user;
    pthread_t thread;
    f->steps++;
    if (step->step != 2) return 0;
    if (!f->elsewhere) return free_everything(f), 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, free_everything, f), 0);
    pthread_join(thread, NULL);
    return 0;
}

/* Everything there is, freed in the callback of a run and in ten orders: the run goes on to its end, and takes everything with it. */
START_TEST(frees_in_a_callback)
{
    all h;
    freer f = {.turn = _i / 2, .elsewhere = _i % 2};
    make_all(&h);
    list(&h, f.handle);
    OK(mesaopt_trainer_run(h.trainer, 6, free_after_two, &f));
    ck_assert_int_eq(f.steps, 6);
    ck_assert_int_eq(h.hook.blocks, 0);
    ck_assert_int_eq(h.hook.bytes, 0);
}
END_TEST

/* A callback of sequences lets go of all that an evaluation needs, and may not use it any more. */
typedef struct source { mesaopt_ctx *ctx; mesaopt_baseline *baseline; mesaopt_task *task; int calls; } source;

static int32_t let_go(int32_t stream, int64_t first, const mesaopt_view *out, void *user)
{
    source *s = user;
    double loss;
    (void)stream;
    for (int64_t i = 0; i < out->shape[0] * out->shape[1] * out->shape[2]; i++) ((double *)out->data)[i] = (double)((i + first) % 5);
    if (s->calls++) return 0;
    OK(mesaopt_task_free(s->task));
    OK(mesaopt_baseline_free(s->baseline));
    NO(mesaopt_task_free(s->task));
    NO(mesaopt_baseline_free(s->baseline));
    NO(mesaopt_baseline_evaluate(s->baseline, s->task, 0, 0, 1, NULL, &loss));
    ck_assert_str_eq(text_of(s->ctx), "baseline: a handle that was freed, expected a live baseline");
    OK(mesaopt_ctx_free(s->ctx));
    NO(mesaopt_ctx_free(s->ctx));
    return 0;
}

START_TEST(arguments_that_a_callback_frees)
{
    hook_alloc hook = {0};
    source s = {.ctx = context_with(2, NULL, &hook)};
    double loss = 0;
    OK(mesaopt_task_from_callback(s.ctx, NULL, let_go, NULL, &s, &s.task));
    OK(mesaopt_baseline_create(s.ctx, NULL, &s.baseline));
    OK(mesaopt_baseline_evaluate(s.baseline, s.task, MESAOPT_STREAM_TEST, 0, 3000, NULL, &loss));
    ck_assert_int_gt(s.calls, 1);
    ck_assert(loss > 0);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

/* What a call is the last to use goes in the environment of the host. */
typedef struct wrapped { mesaopt_tensor *tensor; mesaopt_task *task; int released, rounding; } wrapped;

static void on_release(void *user)
{
    wrapped *w = user;
    w->released++;
    w->rounding = fegetround();
    errno = EDOM;
}

static int32_t free_task(const mesaopt_step *step, void *user)
{
    wrapped *w = user;
    if (step->step == 1) OK(mesaopt_task_free(w->task));
    ck_assert_int_eq(w->released, 0);
    return 0;
}

START_TEST(released_in_the_host_environment)
{
    mesaopt_ctx *ctx = context_from("");
    mesaopt_baseline *b;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, "baseline=richardson batch=2");
    mesaopt_view v = DENSE(data, MESAOPT_F32, 8, 51, 10);
    wrapped w = {.released = 0};
    for (int i = 0; i < 8 * 51 * 10; i++) data[i] = (float)(i % 11) / 11 - 0.5f;
    OK(mesaopt_tensor_wrap(ctx, &v, on_release, &w, &w.tensor));
    OK(mesaopt_task_from_tensor(ctx, NULL, w.tensor, &w.task));
    OK(mesaopt_tensor_free(w.tensor));
    OK(mesaopt_baseline_create(ctx, s, &b));
    fesetround(FE_UPWARD);
    errno = EBADF;
    const mesaopt_status status = mesaopt_baseline_train(b, w.task, 3, free_task, &w);
    const int left = errno;
    fesetround(FE_TONEAREST);
    OK(status);
    ck_assert_int_eq(w.released, 1);
    ck_assert_int_eq(w.rounding, FE_UPWARD);
    ck_assert_int_eq(left, EBADF);
    OK(mesaopt_baseline_free(b));
    OK(mesaopt_ctx_free(ctx));
    mesaopt_settings_free(s);
}
END_TEST

/* ---- finalizers that race ---- */

typedef struct finalizer { void *handle[KINDS]; atomic_int ready; int pause; } finalizer;

static void *finalize(void *user)
{
    finalizer *f = user;
    while (!atomic_load(&f->ready)) sched_yield();
    for (int k = KINDS - 2; k >= 0; k--) {
        if (f->pause) usleep((useconds_t)f->pause);
        if (f->handle[k]) OK(free_of[k](f->handle[k]));
    }
    return NULL;
}

static int32_t start_finalizer(const mesaopt_step *step, void *user)
{
    (void)step;
    atomic_store(&((finalizer *)user)->ready, 1);
    return 0;
}

/* All handles are freed by another thread while a run of the trainer is at work; run under `make tsan`, too. */
START_TEST(finalizers_beside_a_run)
{
    for (int round = 0; round < 40; round++) {
        all h;
        finalizer f = {.ready = 0, .pause = round % 4 * 50};
        pthread_t thread;
        make_all(&h);
        list(&h, f.handle);
        ck_assert_int_eq(pthread_create(&thread, NULL, finalize, &f), 0);
        const mesaopt_status status = mesaopt_trainer_run(h.trainer, 1 + round, start_finalizer, &f);
        pthread_join(thread, NULL);
        OK(status);
        mesaopt_settings_free(h.settings);
        ck_assert_int_eq(h.hook.blocks, 0);
    }
}
END_TEST

/* Likewise of calls that follow each other on handles that stay, while others go. */
START_TEST(finalizers_beside_calls)
{
    all h, other;
    finalizer f = {.ready = 1, .pause = 300};
    pthread_t thread;
    double loss;
    make_all(&h);
    make_all(&other);
    list(&other, f.handle);
    f.handle[0] = NULL;                                /* other.ctx is at work */
    f.handle[2] = f.handle[4] = f.handle[8] = NULL;    /* with these */
    ck_assert_int_eq(pthread_create(&thread, NULL, finalize, &f), 0);
    for (int i = 0; i < 60; i++) {
        OK(mesaopt_model_evaluate(other.model, other.task, MESAOPT_STREAM_TEST, 0, 4, NULL, &loss));
        ck_assert_int_ge(mesaopt_ctx_error(other.ctx, NULL, 0), 1);
    }
    pthread_join(thread, NULL);
    OK(mesaopt_task_free(other.task));
    OK(mesaopt_model_free(other.model));
    OK(mesaopt_probe_free(other.probe));
    OK(mesaopt_ctx_free(other.ctx));
    mesaopt_settings_free(other.settings);
    ck_assert_int_eq(other.hook.blocks, 0);
    free_all(&h);
}
END_TEST

/* ---- arguments of another kind ---- */

/* The call is refused and says, on `ctx`, what it was given. */
#define SAYS(text, ...) do {                                    \
        fail(h.ctx, 0, "nothing");                              \
        NO(__VA_ARGS__);                                        \
        ck_assert_str_eq(text_of(h.ctx), text);                 \
    } while (0)

START_TEST(settings_that_are_none)
{
    all h;
    make_all(&h);
    mesaopt_settings *ctx = (mesaopt_settings *)h.ctx, *model = (mesaopt_settings *)h.model;
    char buf[64];
    double x;
    int64_t n;
    SAYS("settings: a ctx, expected settings", mesaopt_settings_set_int(ctx, MESAOPT_KEY_THREADS, 2));
    SAYS("settings: a ctx, expected settings", mesaopt_settings_set_float(ctx, MESAOPT_KEY_LR, 2));
    SAYS("settings: a model, expected settings", mesaopt_settings_set_text(model, "lr", "2"));
    SAYS("settings: a model, expected settings", mesaopt_settings_get_int(model, MESAOPT_KEY_THREADS, &n));
    SAYS("settings: a model, expected settings", mesaopt_settings_get_float(model, MESAOPT_KEY_LR, &x));
    SAYS("settings: a ctx, expected settings", mesaopt_settings_get_text(ctx, "lr", buf, 64));
    SAYS("settings: a ctx, expected settings", mesaopt_settings_dump(ctx, buf, 64));
    SAYS("settings: a ctx, expected settings", mesaopt_settings_set_parallel(ctx, NULL, NULL, NULL));
    SAYS("settings: a ctx, expected settings", mesaopt_settings_set_log(ctx, NULL, NULL, NULL));
    SAYS("nothing", mesaopt_settings_error(ctx, buf, 64));
    mesaopt_ctx *out = NULL;
    SAYS("settings: a model, expected settings", mesaopt_ctx_create(model, &out));
    SAYS("settings: a ctx, expected settings", mesaopt_task_create(h.ctx, ctx, &h.task));
    SAYS("settings: a ctx, expected settings", mesaopt_model_create(h.ctx, ctx, &h.model));
    SAYS("settings: a ctx, expected settings", mesaopt_model_add(h.model, ctx));
    SAYS("settings: a model, expected settings", mesaopt_attn_create(h.ctx, model, &h.attn));
    SAYS("settings: a model, expected settings", mesaopt_lsq_plan(h.ctx, model, 2, 1, &h.lsq));
    SAYS("settings: a model, expected settings", mesaopt_trainer_create(h.ctx, model, h.model, h.task, &h.trainer));
    SAYS("settings: a model, expected settings", mesaopt_probe_fit(h.probe, model));
    SAYS("block: a model, expected settings", mesaopt_revalg_import_file(h.ctx, NULL, model, "nowhere", &h.model));
    mesaopt_settings_free(ctx), mesaopt_settings_free(model);
    OK(mesaopt_trainer_step(h.trainer, NULL));
    free_all(&h);
}
END_TEST

START_TEST(handles_that_are_others)
{
    all h;
    make_all(&h);
    mesaopt_tensor *t = NULL;
    double loss;
    mesaopt_view v;
    SAYS("ctx: a task, expected a live ctx", mesaopt_tensor_create((mesaopt_ctx *)h.task, MESAOPT_F32, 0, NULL, &t));
    SAYS("ctx: a task, expected a live ctx", mesaopt_rng_uniform((mesaopt_ctx *)h.task, 1, 0, 0, 0, 1, &v));
    SAYS("tensor: a ctx, expected a live tensor", mesaopt_tensor_view((mesaopt_tensor *)h.ctx, &v));
    SAYS("model: a task, expected a live model", mesaopt_model_blocks((mesaopt_model *)h.task));
    SAYS("model: NULL, expected a live model", mesaopt_model_evaluate(NULL, h.task, 0, 0, 1, NULL, &loss));
    SAYS("task: settings, expected a live task", mesaopt_model_evaluate(h.model, (mesaopt_task *)h.settings, 0, 0, 1, NULL, &loss));
    SAYS("baseline: NULL, expected a live baseline", mesaopt_baseline_search(NULL, h.task, 1, NULL));
    SAYS("rls: NULL, expected a live rls", mesaopt_rls_merge(NULL, h.rls));
    SAYS("from: an lsq, expected a live rls", mesaopt_rls_merge(h.rls, (mesaopt_rls *)h.lsq));
    SAYS("ctx: NULL, expected a live ctx", mesaopt_trainer_create(NULL, NULL, h.model, h.task, &h.trainer));
    SAYS("conditioner: a probe, expected a live baseline", mesaopt_probe_set_targets(h.probe, (mesaopt_baseline *)h.probe, NULL, NULL, NULL));
    SAYS("ctx: no handle, expected a live ctx", mesaopt_trainer_create((mesaopt_ctx *)data, NULL, h.model, h.task, &h.trainer));
    mesaopt_ctx_interrupt((mesaopt_ctx *)h.task);
    OK(mesaopt_trainer_step(h.trainer, NULL));
    char text[64] = "";
    NO(mesaopt_tensor_create((mesaopt_ctx *)h.settings, MESAOPT_F32, 0, NULL, &t));            /* settings have a text of their own */
    ck_assert_int_gt(mesaopt_settings_error(h.settings, text, sizeof text), 0);
    ck_assert_str_eq(text, "ctx: settings, expected a live ctx");
    free_all(&h);
}
END_TEST

Suite *test_handles_suite(void)
{
    Suite *s = suite_create("handles");
    TCase *t = tcase_create("handles");
    tcase_add_test(t, frees_of_another_kind);
    tcase_add_test(t, second_frees);
    tcase_add_loop_test(t, frees_in_a_callback, 0, 20);
    tcase_add_test(t, arguments_that_a_callback_frees);
    tcase_add_test(t, released_in_the_host_environment);
    tcase_add_test(t, finalizers_beside_a_run);
    tcase_add_test(t, finalizers_beside_calls);
    tcase_add_test(t, settings_that_are_none);
    tcase_add_test(t, handles_that_are_others);
    suite_add_tcase(s, t);
    return s;
}
