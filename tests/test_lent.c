/* What is lent to the library with a `release` comes back exactly once: not while anything can use it, not from a call that fails, and in the
 * environment of whoever lets go last. */
#include "contexts.h"

#include <errno.h>
#include <fenv.h>
#include <pthread.h>

#define OK(call) ck_assert_int_eq(call, MESAOPT_OK)

/* The user of every callback here. */
typedef struct lent { int released, uses, rounding; hook_alloc hook; } lent;

static void take_back(void *user)
{
    lent *l = user;
    l->released++;
    l->rounding = fegetround();
    errno = EDOM;
}

/* A use after the release is a fault. */
static void use(lent *l)
{
    ck_assert_int_eq(l->released, 0);
    l->uses++;
}

static void *alloc(void *ptr, int64_t old_size, int64_t new_size, void *user)
{
    use(user);
    return hook_alloc_fn(ptr, old_size, new_size, &((lent *)user)->hook);
}

static void loop(void (*body)(void *job, int64_t i), void *job, int64_t n, void *user)
{
    use(user);
    while (n-- > 0) body(job, n);
}

static void log_line(const char *line, void *user) { (void)line, use(user); }

static int32_t poll_none(void *user) { return use(user), 0; }

static int32_t fill(int32_t stream, int64_t first, const mesaopt_view *out, void *user)
{
    (void)stream, (void)first;
    use(user);
    for (int64_t b = 0; b < out->shape[0]; b++)
        for (int64_t t = 0; t < out->shape[1]; t++)
            for (int64_t j = 0; j < out->shape[2]; j++) {
                const int64_t i = b * out->stride[0] + t * out->stride[1] + j * out->stride[2];
                if (out->dtype == MESAOPT_F32) ((float *)out->data)[i] = (float)((b + t * j) % 5);
                else ((double *)out->data)[i] = (double)((b + t * j) % 5);
            }
    return 0;
}

static int32_t targets(const mesaopt_view *sequences, const mesaopt_view *out, void *user)
{
    (void)sequences;
    use(user);
    for (int64_t b = 0; b < out->shape[0]; b++)
        for (int64_t t = 0; t < out->shape[1]; t++)
            for (int64_t j = 0; j < out->shape[2]; j++)
                ((double *)out->data)[b * out->stride[0] + t * out->stride[1] + j * out->stride[2]] = (double)(b - t);
    return 0;
}

static double loss_of(mesaopt_ctx *ctx)
{
    mesaopt_task *task = task_from(ctx, "dim=2 length=5");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, "");
    mesaopt_baseline *b;
    double loss = 0;
    OK(mesaopt_baseline_create(ctx, s, &b));
    OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, 200, NULL, &loss));
    mesaopt_baseline_free(b), mesaopt_task_free(task), mesaopt_settings_free(s);
    return loss;
}

/* Allocator, loop and log of settings and of two contexts made of them, let go of in every order; a tensor keeps the second context. */
START_TEST(hooks_of_contexts)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    lent a = {0}, p = {0}, l = {0};
    mesaopt_settings *s;
    mesaopt_ctx *ctx[2];
    mesaopt_tensor *tensor;
    OK(mesaopt_settings_create(MESAOPT_SCOPE_CTX, alloc, &a, &s));
    OK(mesaopt_settings_set_alloc_release(s, take_back));
    OK(mesaopt_settings_set_parallel(s, loop, take_back, &p));
    OK(mesaopt_settings_set_log(s, log_line, take_back, &l));
    OK(mesaopt_settings_set_text(s, "threads", "3"));
    for (int i = 0; i < 2; i++) OK(mesaopt_ctx_create(s, &ctx[i]));
    ck_assert(loss_of(ctx[0]) == loss_of(ctx[1]));
    ck_assert(p.uses > 0 && l.uses > 0);
    OK(mesaopt_tensor_create(ctx[1], MESAOPT_F32, 0, NULL, &tensor));
    fesetround(FE_UPWARD);
    errno = EBADF;
    for (int i = 0; i < 3; i++) {
        ck_assert(a.released + p.released + l.released == 0);
        switch (orders[_i][i]) {
        case 0: mesaopt_settings_free(s); break;
        case 1: OK(mesaopt_ctx_free(ctx[0])); break;
        default: OK(mesaopt_ctx_free(ctx[1]) | mesaopt_tensor_free(tensor));
        }
    }
    const int left = errno;
    fesetround(FE_TONEAREST);
    ck_assert(a.released == 1 && p.released == 1 && l.released == 1);
    ck_assert(a.rounding == FE_UPWARD && p.rounding == FE_UPWARD && l.rounding == FE_UPWARD);
    ck_assert_int_eq(left, EBADF);
    ck_assert_int_eq(a.hook.blocks, 0);
}
END_TEST

/* A hook in the place of another: the context that has the first keeps it. */
START_TEST(replaced_hooks)
{
    lent l[4] = {{0}};
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_CTX, "threads=2");
    mesaopt_ctx *ctx;
    OK(mesaopt_settings_set_parallel(s, loop, take_back, &l[0]));
    OK(mesaopt_settings_set_parallel(s, loop, take_back, &l[1]));
    ck_assert(l[0].released == 1 && l[1].released == 0);
    OK(mesaopt_ctx_create(s, &ctx));
    OK(mesaopt_settings_set_parallel(s, NULL, NULL, NULL));
    OK(mesaopt_settings_set_log(s, log_line, take_back, &l[2]));
    OK(mesaopt_settings_set_log(s, log_line, NULL, &l[3]));
    ck_assert(l[1].released == 0 && l[2].released == 1);
    loss_of(ctx);
    ck_assert_int_gt(l[1].uses, 0);
    mesaopt_settings_free(s);
    ck_assert_int_eq(l[1].released, 0);
    OK(mesaopt_ctx_free(ctx));
    ck_assert(l[0].released == 1 && l[1].released == 1 && l[2].released == 1 && l[3].released == 0);
}
END_TEST

static void never(void *user) { (void)user, ck_abort(); }

/* A release that comes after the first context counts for that one too; the last one given is called. */
START_TEST(late_release)
{
    lent a = {0};
    mesaopt_settings *s;
    mesaopt_ctx *ctx;
    OK(mesaopt_settings_create(MESAOPT_SCOPE_CTX, alloc, &a, &s));
    OK(mesaopt_ctx_create(s, &ctx));
    OK(mesaopt_settings_set_alloc_release(s, never));
    OK(mesaopt_settings_set_alloc_release(s, NULL));
    OK(mesaopt_settings_set_alloc_release(s, never));
    OK(mesaopt_settings_set_alloc_release(s, take_back));
    ck_assert_int_eq(a.released, 0);
    mesaopt_settings_free(s);
    ck_assert_int_eq(a.released, 0);
    loss_of(ctx);
    OK(mesaopt_ctx_free(ctx));
    ck_assert_int_eq(a.released, 1);
    ck_assert_int_eq(a.hook.blocks, 0);
    OK(mesaopt_settings_create(MESAOPT_SCOPE_CTX, alloc, (a = (lent){0}, &a), &s));
    OK(mesaopt_settings_set_alloc_release(s, take_back));
    OK(mesaopt_settings_set_alloc_release(s, NULL));
    mesaopt_settings_free(s);
    ck_assert_int_eq(a.released, 0);
}
END_TEST

START_TEST(release_without_an_allocator)
{
    char text[256];
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_CTX, "");
    OK(mesaopt_settings_set_alloc_release(s, NULL));
    ck_assert_int_eq(mesaopt_settings_set_alloc_release(s, take_back), MESAOPT_E_ARGUMENT);
    mesaopt_settings_error(s, text, sizeof text);
    ck_assert_str_eq(text, "release: given to settings whose memory is malloc's, expected NULL");
    mesaopt_settings_free(s);
}
END_TEST

/* Memory that is filled when it is freed, and stays. */
enum { FREED = 0xa5, MOST = 16 };
static struct { unsigned char *at; size_t bytes; } freed[MOST];
static int n_freed;

static void *alloc_and_keep(void *ptr, int64_t old_size, int64_t new_size, void *user)
{
    (void)user;
    if (ptr) {
        memset(ptr, FREED, (size_t)old_size);
        ck_assert_int_lt(n_freed, MOST);
        freed[n_freed].at = ptr, freed[n_freed++].bytes = (size_t)old_size;
    }
    return new_size ? calloc(1, (size_t)new_size) : NULL;
}

static void free_settings(void *user) { mesaopt_settings_free(user); }

/* What is given back may be the settings themselves: nothing is written into them afterwards. */
START_TEST(settings_that_go)
{
    for (int hook = 0; hook < 3; hook++) {
        mesaopt_settings *s;
        n_freed = 0;
        OK(mesaopt_settings_create(MESAOPT_SCOPE_CTX, alloc_and_keep, NULL, &s));
        OK(hook == 0   ? mesaopt_settings_set_parallel(s, loop, free_settings, s)
           : hook == 1 ? mesaopt_settings_set_log(s, log_line, free_settings, s)
                       : mesaopt_settings_set_poll(s, poll_none, free_settings, s));
        OK(hook == 0 ? mesaopt_settings_set_parallel(s, NULL, NULL, NULL) : hook == 1 ? mesaopt_settings_set_log(s, NULL, NULL, NULL) : mesaopt_settings_set_poll(s, NULL, NULL, NULL));
        ck_assert_int_eq(n_freed, 3);
        for (int i = 0; i < n_freed; i++) {
            for (size_t j = 0; j < freed[i].bytes; j++) ck_assert_int_eq(freed[i].at[j], FREED);
            free(freed[i].at);
        }
    }
}
END_TEST

/* No context comes of it: the settings keep what they were lent. */
START_TEST(failed_contexts)
{
    lent a = {0}, p = {0};
    mesaopt_settings *s;
    mesaopt_ctx *ctx = NULL;
    OK(mesaopt_settings_create(MESAOPT_SCOPE_CTX, alloc, &a, &s));
    OK(mesaopt_settings_set_alloc_release(s, take_back));
    OK(mesaopt_settings_set_parallel(s, loop, take_back, &p));
    mesaopt_status status = MESAOPT_E_MEMORY;
    for (long n = 1; status != MESAOPT_OK; n++) {
        a.hook.fail_at = a.hook.calls + n;
        status = mesaopt_ctx_create(s, &ctx);
        ck_assert(a.released == 0 && p.released == 0);
    }
    a.hook.fail_at = 0;
    OK(mesaopt_ctx_free(ctx));
    ck_assert(a.released == 0 && p.released == 0);
    mesaopt_settings_free(s);
    ck_assert(a.released == 1 && p.released == 1);
}
END_TEST

static void *free_task(void *task) { return (void *)(intptr_t)mesaopt_task_free(task); }

/* A task lives as long as its trainer, and goes on the thread that frees it last. */
START_TEST(sequences)
{
    lent l = {0}, refused = {0};
    mesaopt_ctx *ctx = context_from("");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, "dim=2 length=5 tokens=raw"), *few = settings_from(MESAOPT_SCOPE_TRAINER, "batch=3");
    mesaopt_model *m = model_from(ctx, "inputs=2 outputs=2", "linear(heads=1,key=2)");
    mesaopt_task *task, *none = NULL;
    mesaopt_trainer *t;
    OK(mesaopt_task_from_callback(ctx, s, fill, take_back, &l, &task));
    ck_assert_int_lt(mesaopt_task_from_callback(ctx, few, fill, take_back, &refused, &none), 0);
    ck_assert_int_eq(refused.released, 0);
    OK(mesaopt_trainer_create(ctx, few, m, task, &t));
    OK(mesaopt_task_free(task));
    OK(mesaopt_trainer_run(t, 2, NULL, NULL));
    ck_assert(l.uses > 0 && l.released == 0);
    OK(mesaopt_trainer_free(t));
    ck_assert_int_eq(l.released, 1);
    OK(mesaopt_task_from_callback(ctx, s, fill, take_back, &refused, &task));
    pthread_t thread;
    void *status;
    OK(mesaopt_ctx_free(ctx));
    OK(mesaopt_model_free(m));
    ck_assert_int_eq(pthread_create(&thread, NULL, free_task, task), 0);
    pthread_join(thread, &status);
    ck_assert_ptr_null(status);
    ck_assert_int_eq(refused.released, 1);
    mesaopt_settings_free(s), mesaopt_settings_free(few);
}
END_TEST

START_TEST(probe_targets)
{
    lent l[3] = {{0}};
    mesaopt_ctx *ctx = context_from("");
    mesaopt_model *m = model_from(ctx, "inputs=2 outputs=2", "linear(heads=1,key=2)");
    mesaopt_task *task = task_from(ctx, "dim=2 length=5 tokens=raw");
    mesaopt_probe *p;
    OK(mesaopt_probe_plan(ctx, NULL, 2, (int64_t[]){2, 2}, 5, 1, &p));
    OK(mesaopt_probe_set_targets(p, NULL, targets, take_back, &l[0]));
    OK(mesaopt_probe_feed_model(p, MESAOPT_PROBE_TRAIN, m, (int64_t[]){-1, 0}, task, MESAOPT_STREAM_TRAIN, 0, 8));
    ck_assert(l[0].uses > 0 && l[0].released == 0);
    errno = EBADF;
    OK(mesaopt_probe_set_targets(p, NULL, targets, take_back, &l[1]));
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(l[0].released, 1);
    OK(mesaopt_probe_set_targets(p, NULL, NULL, NULL, NULL));
    ck_assert_int_eq(l[1].released, 1);
    OK(mesaopt_probe_set_targets(p, NULL, targets, take_back, &l[2]));
    OK(mesaopt_ctx_free(ctx));
    OK(mesaopt_probe_free(p));
    for (int i = 0; i < 3; i++) ck_assert_int_eq(l[i].released, 1);
    mesaopt_model_free(m), mesaopt_task_free(task);
}
END_TEST

Suite *test_lent_suite(void)
{
    Suite *s = suite_create("lent");
    TCase *c = tcase_create("lent");
    tcase_add_loop_test(c, hooks_of_contexts, 0, 6);
    tcase_add_test(c, replaced_hooks);
    tcase_add_test(c, late_release);
    tcase_add_test(c, release_without_an_allocator);
    tcase_add_test(c, settings_that_go);
    tcase_add_test(c, failed_contexts);
    tcase_add_test(c, sequences);
    tcase_add_test(c, probe_targets);
    suite_add_tcase(s, c);
    return s;
}
