/* What training computes: every step against an independent one in NumPy, and the same bits whatever runs the loops, across save and
 * load, after a kill and in a forked child. */
#include "oracle/golden_training.h"
#include "training_setup.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

/* ---- against NumPy ---- */

/* As tests/oracle/training.py. */
static double hashed(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t x = a * 0x9E3779B1u + b * 0x85EBCA77u + c * 0xC2B2AE3Du;
    x ^= x >> 15;
    x *= 0x2C1B3C6Du;
    x ^= x >> 12;
    x *= 0x297A2D39u;
    x ^= x >> 15;
    return (double)(x >> 8) / (1 << 23) - 1;
}

static void put(const mesaopt_view *v, int64_t i, double x)
{
    if (v->dtype == MESAOPT_F64) ((double *)v->data)[i] = x;
    else ((float *)v->data)[i] = (float)x;
}

static double get(const mesaopt_view *v, int64_t i) { return v->dtype == MESAOPT_F64 ? ((double *)v->data)[i] : ((float *)v->data)[i]; }

static int32_t fill_hashed(int32_t stream, int64_t first, const mesaopt_view *out, void *user)
{
    (void)user;
    ck_assert_int_eq(stream, MESAOPT_STREAM_TRAIN);
    for (int64_t b = 0; b < out->shape[0]; b++)
        for (int64_t t = 0; t < out->shape[1]; t++)
            for (int64_t j = 0; j < out->shape[2]; j++)
                put(out, b * out->stride[0] + t * out->stride[1] + j * out->stride[2],
                    hashed((uint32_t)(1000 + first + b), (uint32_t)t, (uint32_t)j));
    return 0;
}

typedef struct trace { mesaopt_step step[GOLDEN_STEPS]; int n; } trace;

static int32_t keep_step(const mesaopt_step *step, void *user)
{
    trace *t = user;
    ck_assert_int_eq(step->struct_size, sizeof *step);
    ck_assert_int_lt(t->n, GOLDEN_STEPS);
    t->step[t->n++] = *step;
    return 0;
}

/* One row of golden_training in one configuration; `tolerance` is relative to the largest of the compared numbers. */
static void run_golden(mesaopt_ctx *ctx, size_t row, const char *dtype, int lanes, double tolerance)
{
    char model[96], task[96];
    snprintf(model, sizeof model, "inputs=%d outputs=%d dtype=%s lanes=%d", (int)golden_training[row].width, (int)golden_training[row].dim,
             dtype, lanes);
    snprintf(task, sizeof task, "dim=%d length=%d tokens=%s", (int)golden_training[row].dim, (int)golden_training[row].length,
             golden_training[row].tokens);
    const recipe r = {model, golden_training[row].blocks, task, golden_training[row].trainer, fill_hashed};
    setup s = setup_start(ctx, &r);
    mesaopt_view v;
    for (int64_t p = 0; p < mesaopt_model_parameters(s.model); p++) {
        ck_assert_int_eq(mesaopt_model_parameter(s.model, mesaopt_model_parameter_name(s.model, p), &v), MESAOPT_OK);
        for (int64_t e = 0; e < v.shape[0] * v.shape[1]; e++) put(&v, e, hashed((uint32_t)p, (uint32_t)e, 7) / 2);
    }
    trace t = {.n = 0};
    ck_assert_msg(mesaopt_trainer_run(s.trainer, GOLDEN_STEPS, keep_step, &t) == MESAOPT_OK, "%s", error_of(ctx));
    ck_assert_int_eq(t.n, GOLDEN_STEPS);
    for (int i = 0; i < GOLDEN_STEPS; i++) {
        ck_assert_int_eq(t.step[i].step, i + 1);
        ck_assert_msg(fabs(t.step[i].loss - golden_training[row].loss[i]) <= tolerance, "step %d: loss %.17g, expected %.17g", i,
                      t.step[i].loss, golden_training[row].loss[i]);
        ck_assert_msg(fabs(t.step[i].grad_norm - golden_training[row].norm[i]) <= tolerance, "step %d: norm %.17g, expected %.17g", i,
                      t.step[i].grad_norm, golden_training[row].norm[i]);
    }
    int64_t at = 0;
    for (int64_t p = 0; p < mesaopt_model_parameters(s.model); p++) {
        ck_assert_int_eq(mesaopt_model_parameter(s.model, mesaopt_model_parameter_name(s.model, p), &v), MESAOPT_OK);
        for (int64_t e = 0; e < v.shape[0] * v.shape[1]; e++, at++)
            ck_assert_msg(fabs(get(&v, e) - golden_training[row].parameters[at]) <= tolerance, "%s[%d]: %.17g, expected %.17g",
                          mesaopt_model_parameter_name(s.model, p), (int)e,
                          get(&v, e), golden_training[row].parameters[at]);
    }
    ck_assert_int_eq(at, golden_training[row].count);
    setup_end(&s);
}

START_TEST(agrees_with_numpy)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_BASELINE + _i, 1);
    if (!ctx) return;
    for (size_t row = 0; row < sizeof golden_training / sizeof *golden_training; row++)
        for (int lanes = 0; lanes <= 2; lanes++) {
            run_golden(ctx, row, "f64", lanes, 1e-13);
            run_golden(ctx, row, "f32", lanes, 2e-5);
        }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- the same bits ---- */

enum { STEPS = 200 };

static void train_bits(mesaopt_ctx *ctx, const recipe *r, int64_t steps, bits *out)
{
    setup s = setup_start(ctx, r);
    ck_assert_msg(mesaopt_trainer_run(s.trainer, steps, NULL, NULL) == MESAOPT_OK, "%s", error_of(ctx));
    ck_assert_int_eq(mesaopt_trainer_steps(s.trainer), steps);
    bits_read(&s, out);
    setup_end(&s);
}

/* Backwards, with the modes on that a host of audio or games has. */
static void loop_reversed(void (*body)(void *job, int64_t i), void *job, int64_t n, void *user)
{
    *(int *)user += 1;
#if defined(__x86_64__)
    const unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040);                         /* flush to zero, denormals are zero */
#endif
    while (n-- > 0) body(job, n);
#if defined(__x86_64__)
    _mm_setcsr(mode);
#endif
}

static mesaopt_ctx *context_reversed(int32_t isa, int *calls)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_CTX, "threads=5");
    mesaopt_ctx *ctx = NULL;
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_ISA, isa), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_parallel(s, loop_reversed, NULL, calls), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_create(s, &ctx), MESAOPT_OK);
    mesaopt_settings_free(s);
    return ctx;
}

START_TEST(threads_and_loops)
{
    static bits one, other;
    const int32_t isa = MESAOPT_ISA_BASELINE + _i;
    const recipe *recipes[] = {&small_linear, &small_softmax};
    for (int r = 0; r < 2; r++) {
        for (int32_t threads = 1; threads <= 3; threads++) {
            mesaopt_ctx *ctx = context_at(isa, threads);
            if (!ctx) return;
            train_bits(ctx, recipes[r], STEPS, threads == 1 ? &one : &other);
            ck_assert_msg(threads == 1 || bits_equal(&one, &other), "%d threads", threads);
            mesaopt_ctx_free(ctx);
        }
        int calls = 0;
        mesaopt_ctx *ctx = context_reversed(isa, &calls);
        train_bits(ctx, recipes[r], STEPS, &other);
        ck_assert_int_ge(calls, STEPS);
        ck_assert(bits_equal(&one, &other));
        mesaopt_ctx_free(ctx);
    }
}
END_TEST

/* Own sequences come in a random order that is part of what a resumed run must repeat. */
static setup start_own(mesaopt_ctx *ctx, const recipe *r)
{
    static double data[29][10][3];
    for (int i = 0; i < 29; i++)
        for (int t = 0; t < 10; t++)
            for (int j = 0; j < 3; j++) data[i][t][j] = hashed((uint32_t)i, (uint32_t)t, (uint32_t)j);
    setup s = setup_start(ctx, r);
    mesaopt_trainer_free(s.trainer);
    mesaopt_task_free(s.task);
    mesaopt_tensor *tensor;
    mesaopt_view v = DENSE(data, MESAOPT_F64, 29, 10, 3);
    mesaopt_settings *task = settings_from(MESAOPT_SCOPE_TASK, "tokens=constructed seed=3");
    mesaopt_settings *trainer = settings_from(MESAOPT_SCOPE_TRAINER, r->trainer);
    ck_assert_int_eq(mesaopt_tensor_wrap(ctx, &v, NULL, NULL, &tensor), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_from_tensor(ctx, task, tensor, &s.task), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_create(ctx, trainer, s.model, s.task, &s.trainer), MESAOPT_OK);
    mesaopt_tensor_free(tensor);
    mesaopt_settings_free(task);
    mesaopt_settings_free(trainer);
    return s;
}

START_TEST(resumes)
{
    static bits whole, resumed;
    char folder[64], path[96];
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_BASELINE + _i / 2, 2);
    if (ctx) {
        setup s = _i % 2 ? start_own(ctx, &small_linear) : setup_start(ctx, &small_linear);
        ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 77, NULL, NULL), MESAOPT_OK);
        ck_assert_msg(mesaopt_trainer_save(s.trainer, path) == MESAOPT_OK, "%s", error_of(ctx));
        ck_assert_int_eq(mesaopt_trainer_run(s.trainer, STEPS, NULL, NULL), MESAOPT_OK);
        bits_read(&s, &whole);
        setup_end(&s);
        s = _i % 2 ? start_own(ctx, &small_linear) : setup_start(ctx, &small_linear);
        ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 3, NULL, NULL), MESAOPT_OK);
        ck_assert_msg(mesaopt_trainer_load(s.trainer, path) == MESAOPT_OK, "%s", error_of(ctx));
        ck_assert_int_eq(mesaopt_trainer_steps(s.trainer), 77);
        ck_assert_int_eq(mesaopt_trainer_run(s.trainer, STEPS, NULL, NULL), MESAOPT_OK);
        bits_read(&s, &resumed);
        ck_assert(bits_equal(&whole, &resumed));
        setup_end(&s);
        mesaopt_ctx_free(ctx);
        unlink(path);
    }
    rmdir(folder);
}
END_TEST

/* ---- processes ---- */

static int32_t save_step(const mesaopt_step *step, void *user)
{
    void **args = user;
    (void)step;
    return mesaopt_trainer_save(args[0], args[1]) != MESAOPT_OK;
}

/* A child saves after every step and is killed at a bad moment; what it left is whole and resumes. */
START_TEST(killed_and_resumed)
{
    static bits whole, resumed;
    char folder[64], path[96], command[96];
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    train_bits(ctx, &small_linear, STEPS, &whole);
    for (int attempt = 0; attempt < 5; attempt++) {
        setup s = setup_start(ctx, &small_linear);
        unlink(path);
        ck_assert_int_eq(mesaopt_trainer_save(s.trainer, path), MESAOPT_OK);
        pid_t child = fork();
        if (child == 0) {
            void *args[] = {s.trainer, path};
            mesaopt_trainer_run(s.trainer, INT64_C(1) << 40, save_step, args);
            _exit(1);
        }
        usleep(20000 + 7001 * (useconds_t)attempt);
        kill(child, SIGKILL);
        int how;
        ck_assert_int_eq(waitpid(child, &how, 0), child);
        ck_assert(WIFSIGNALED(how));
        ck_assert_msg(mesaopt_trainer_load(s.trainer, path) == MESAOPT_OK, "%s", error_of(ctx));
        const int64_t at = mesaopt_trainer_steps(s.trainer);
        if (at <= STEPS) {
            ck_assert_int_eq(mesaopt_trainer_run(s.trainer, STEPS, NULL, NULL), MESAOPT_OK);
            bits_read(&s, &resumed);
            ck_assert_msg(bits_equal(&whole, &resumed), "from step %d", (int)at);
        }
        setup_end(&s);
    }
    mesaopt_ctx_free(ctx);
    snprintf(command, sizeof command, "rm -rf %s", folder);       /* temporary files of killed children as well */
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* The child goes on with its copy of trainer and context, whose threads it does not have. */
START_TEST(forked_child)
{
    static bits mine, childs;
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 3);
    setup s = setup_start(ctx, &small_linear);
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 20, NULL, NULL), MESAOPT_OK);
    int pipes[2];
    ck_assert_int_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        mesaopt_status status = mesaopt_trainer_run(s.trainer, 60, NULL, NULL);
        bits_read(&s, &childs);
        setup_end(&s);
        mesaopt_ctx_free(ctx);
        const char *p = (const char *)&childs;
        for (size_t left = sizeof childs; left > 0;) {
            ssize_t n = write(pipes[1], p, left);
            if (n <= 0) _exit(2);
            p += n;
            left -= (size_t)n;
        }
        _exit(status);
    }
    close(pipes[1]);
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 60, NULL, NULL), MESAOPT_OK);
    bits_read(&s, &mine);
    char *p = (char *)&childs;
    for (size_t left = sizeof childs; left > 0;) {
        ssize_t n = read(pipes[0], p, left);
        ck_assert_int_gt(n, 0);
        p += n;
        left -= (size_t)n;
    }
    close(pipes[0]);
    int how;
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    ck_assert(bits_equal(&mine, &childs));
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_trainer_suite(void)
{
    Suite *s = suite_create("trainer");
    TCase *c = tcase_create("steps"), *forks = tcase_create("processes");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, agrees_with_numpy, 0, 3);
    tcase_add_loop_test(c, threads_and_loops, 0, 3);
    tcase_add_loop_test(c, resumes, 0, 6);
    suite_add_tcase(s, c);
    tcase_set_timeout(forks, 60);
    tcase_set_tags(forks, "fork");
    tcase_add_test(forks, killed_and_resumed);
    tcase_add_test(forks, forked_child);
    suite_add_tcase(s, forks);
    return s;
}
