/* How a trainer behaves as an object: failed steps change nothing, callbacks may do what they may, interrupts stop at a step boundary,
 * steps do not allocate, and memory may run short anywhere. */
#include "training_setup.h"

#include <math.h>
#include <signal.h>
#include <sys/time.h>

static char folder[64], path[96], other_path[96];

static void make_folder(void)
{
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    snprintf(other_path, sizeof other_path, "%s/b.safetensors", folder);
}

static void remove_folder(void)
{
    unlink(path);
    unlink(other_path);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* Everything that a trainer is made of, as its checkpoint. */
typedef struct state { int64_t bytes; unsigned char data[1 << 16]; } state;

static void state_read(setup *s, state *out)
{
    ck_assert_msg(mesaopt_trainer_save(s->trainer, path) == MESAOPT_OK, "%s", error_of(s->ctx));
    out->bytes = file_read(path, out->data, sizeof out->data);
}

static int state_equal(const state *a, const state *b) { return a->bytes == b->bytes && memcmp(a->data, b->data, (size_t)a->bytes) == 0; }

static state before, after;

/* ---- steps that fail ---- */

static double *element(setup *s, const char *name, int64_t i, float **single)
{
    mesaopt_view v;
    ck_assert_int_eq(mesaopt_model_parameter(s->model, name, &v), MESAOPT_OK);
    *single = v.dtype == MESAOPT_F32 ? (float *)v.data + i : NULL;
    return v.dtype == MESAOPT_F64 ? (double *)v.data + i : NULL;
}

/* A huge weight in front of a tiny one: the loss is finite, the gradient of the second is not. */
START_TEST(not_finite_gradient)
{
    const recipe r = {"inputs=2 outputs=2", "dense(outputs=2); dense(outputs=2)", "dim=2 length=4 tokens=raw", "batch=64", NULL};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    setup s = setup_start(ctx, &r);
    float *x;
    double loss = 7;
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 3, NULL, NULL), MESAOPT_OK);
    for (int i = 0; i < 4; i++) {
        element(&s, "blocks.0.weight", i, &x);
        *x = 3e38f / 2;
        element(&s, "blocks.1.weight", i, &x);
        *x = i % 3 == 0 ? 1e-30f : 0;
    }
    state_read(&s, &before);
    ck_assert_int_eq(mesaopt_trainer_step(s.trainer, &loss), MESAOPT_E_NONFINITE);
    ck_assert_msg(strstr(error_of(ctx), "step 3") && strstr(error_of(ctx), "gradient of blocks."), "%s", error_of(ctx));
    ck_assert(loss == 7);
    ck_assert_int_eq(mesaopt_trainer_steps(s.trainer), 3);
    state_read(&s, &after);
    ck_assert(state_equal(&before, &after));
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(not_finite_activation)
{
    static const char *const dtypes[] = {"inputs=12 outputs=3 dtype=f32", "inputs=12 outputs=3 dtype=f64"};
    recipe r = small_linear;
    r.model = dtypes[_i];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    setup s = setup_start(ctx, &r);
    float *x;
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 2, NULL, NULL), MESAOPT_OK);
    double *y = element(&s, "blocks.2.value", 5, &x);
    if (x) *x = NAN;
    else *y = NAN;
    ck_assert_int_eq(mesaopt_trainer_step(s.trainer, NULL), MESAOPT_E_NONFINITE);
    ck_assert_msg(strstr(error_of(ctx), "step 2: the output of block 2"), "%s", error_of(ctx));
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 9, NULL, NULL), MESAOPT_E_NONFINITE);
    ck_assert_int_eq(mesaopt_trainer_steps(s.trainer), 2);
    if (x) *x = 0.5f;
    else *y = 0.5;
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 9, NULL, NULL), MESAOPT_OK);       /* nothing stuck */
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

static int64_t bad_at = -1, refuse_at = -1;

static int32_t fill_bad(int32_t stream, int64_t first, const mesaopt_view *out, void *user)
{
    (void)stream, (void)user;
    float *x = out->data;
    const int64_t n = out->shape[0] * out->stride[0];
    for (int64_t i = 0; i < n; i++) x[i] = (float)((first * 31 + i) % 17) / 17;
    if (first <= bad_at && bad_at < first + out->shape[0]) x[(bad_at - first) * out->stride[0] + 4] = INFINITY;
    return first <= refuse_at && refuse_at < first + out->shape[0];
}

START_TEST(bad_data)
{
    recipe r = small_linear;
    r.fill = fill_bad;
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    setup s = setup_start(ctx, &r);
    bad_at = refuse_at = -1;
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 2, NULL, NULL), MESAOPT_OK);
    state_read(&s, &before);
    bad_at = 2 * 37 + 5;
    ck_assert_int_eq(mesaopt_trainer_step(s.trainer, NULL), MESAOPT_E_NONFINITE);
    ck_assert_msg(strstr(error_of(ctx), "[5,1,1]"), "%s", error_of(ctx));
    bad_at = -1, refuse_at = 4 * 37;
    ck_assert_int_eq(mesaopt_trainer_steps(s.trainer), 2);
    state_read(&s, &after);
    ck_assert(state_equal(&before, &after));
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 100, NULL, NULL), MESAOPT_E_SOURCE);
    ck_assert_int_eq(mesaopt_trainer_steps(s.trainer), 4);
    ck_assert_int_eq(mesaopt_trainer_step(s.trainer, NULL), MESAOPT_E_SOURCE);
    ck_assert_int_eq(mesaopt_trainer_steps(s.trainer), 4);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(end_of_stream)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    setup s = setup_start(ctx, &small_linear);
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "steps", mesaopt_trainer_run(s.trainer, INT64_MAX / 37 + 1, NULL, NULL));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "steps", mesaopt_trainer_run(s.trainer, -1, NULL, NULL));
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 0, NULL, NULL), MESAOPT_OK);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(refused_creation)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    setup s;
    recipe r = small_linear;
    r.trainer = "warmup=100 cosine_steps=100";
    ck_assert_int_eq(setup_make(ctx, &r, &s), MESAOPT_E_SETTING);
    ck_assert_msg(strstr(error_of(ctx), "warmup: 100, expected less than cosine_steps, which is 100"), "%s", error_of(ctx));
    r = small_linear;
    r.task = "dim=3 length=9 tokens=raw";
    ck_assert_int_eq(setup_make(ctx, &r, &s), MESAOPT_E_SHAPE);
    r = small_linear;
    r.blocks = "dense(outputs=2)";
    ck_assert_int_eq(setup_make(ctx, &r, &s), MESAOPT_E_STATE);
    mesaopt_ctx *another = context_at(MESAOPT_ISA_AUTO, 1);
    setup a = setup_start(another, &small_linear);
    mesaopt_trainer *out = NULL;
    s = setup_start(ctx, &small_linear);
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "task", mesaopt_trainer_create(ctx, NULL, s.model, a.task, &out));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "model", mesaopt_trainer_create(ctx, NULL, a.model, s.task, &out));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "model", mesaopt_trainer_create(ctx, NULL, (mesaopt_model *)s.task, s.task, &out));
    ck_assert_ptr_null(out);
    ck_assert_int_eq(mesaopt_model_add_text(s.model, "mask"), MESAOPT_E_STATE);        /* while a trainer holds it */
    mesaopt_trainer_free(s.trainer);
    s.trainer = NULL;
    ck_assert_int_eq(mesaopt_model_add_text(s.model, "mask"), MESAOPT_OK);
    setup_end(&s);
    setup_end(&a);
    mesaopt_ctx_free(another);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- callbacks ---- */

typedef struct visitor { setup *s; int calls, stop_at; double loss; } visitor;

static int32_t visit(const mesaopt_step *step, void *user)
{
    visitor *v = user;
    mesaopt_view view;
    double loss;
    v->calls++;
    ck_assert_int_eq(mesaopt_trainer_steps(v->s->trainer), step->step);
    ck_assert_int_eq(mesaopt_trainer_step(v->s->trainer, NULL), MESAOPT_E_BUSY);
    ck_assert_int_eq(mesaopt_trainer_run(v->s->trainer, 100, NULL, NULL), MESAOPT_E_BUSY);
    ck_assert_int_eq(mesaopt_trainer_load(v->s->trainer, path), MESAOPT_E_BUSY);
    ck_assert_int_eq(mesaopt_model_load(v->s->model, path), MESAOPT_E_BUSY);
    ck_assert_int_eq(mesaopt_model_initialise(v->s->model, 1), MESAOPT_E_BUSY);
    ck_assert_int_eq(mesaopt_model_parameter(v->s->model, "blocks.1.query", &view), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_parameter_gradient(v->s->model, "blocks.1.query", &view), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_evaluate(v->s->trainer, 50, NULL, &loss), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_save(v->s->trainer, path), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_save(v->s->model, other_path), MESAOPT_OK);
    ck_assert(step->loss > 0 && step->grad_norm > 0);
    return v->calls == v->stop_at;
}

START_TEST(callbacks)
{
    static bits plain, visited;
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    setup s = setup_start(ctx, &small_linear);
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 12, NULL, NULL), MESAOPT_OK);
    bits_read(&s, &plain);
    setup_end(&s);
    s = setup_start(ctx, &small_linear);
    visitor v = {&s, 0, 5, 0};
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 12, visit, &v), MESAOPT_STOPPED);
    ck_assert_int_eq(v.calls, 5);
    ck_assert_int_eq(mesaopt_trainer_steps(s.trainer), 5);
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 12, visit, &v), MESAOPT_OK);
    ck_assert_int_eq(v.calls, 12);
    bits_read(&s, &visited);
    ck_assert(bits_equal(&plain, &visited));           /* evaluating between steps leaves no trace */
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* The view of the gradient shows it before clipping. */
START_TEST(gradient_view)
{
    recipe r = small_linear;
    r.trainer = "batch=37 clip_value=1e-6 clip_norm=1e-6";
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    setup s = setup_start(ctx, &r);
    ck_assert_int_eq(mesaopt_trainer_step(s.trainer, NULL), MESAOPT_OK);
    double largest = 0;
    for (int64_t p = 0; p < mesaopt_model_parameters(s.model); p++) {
        mesaopt_view v;
        ck_assert_int_eq(mesaopt_model_parameter_gradient(s.model, mesaopt_model_parameter_name(s.model, p), &v), MESAOPT_OK);
        for (int64_t i = 0; i < v.shape[0] * v.shape[1]; i++) largest = fmax(largest, fabs((double)((float *)v.data)[i]));
    }
    ck_assert(largest > 1e-4);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- interrupts ---- */

static mesaopt_ctx *interrupt_this;

static void on_alarm(int signal)
{
    (void)signal;
    mesaopt_ctx_interrupt(interrupt_this);
}

static int32_t interrupt_third(const mesaopt_step *step, void *user)
{
    if (step->step == 3) mesaopt_ctx_interrupt(user);
    return 0;
}

START_TEST(interrupts)
{
    static bits plain, interrupted;
    enum { STEPS = 400 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    setup s = setup_start(ctx, &small_linear);
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, STEPS, NULL, NULL), MESAOPT_OK);
    bits_read(&s, &plain);
    setup_end(&s);
    s = setup_start(ctx, &small_linear);
    mesaopt_ctx_interrupt(ctx);                                        /* none runs: the next one stops */
    ck_assert_int_eq(mesaopt_trainer_step(s.trainer, NULL), MESAOPT_E_INTERRUPTED);
    ck_assert_int_eq(mesaopt_trainer_step(s.trainer, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 3, interrupt_third, ctx), MESAOPT_STOPPED);
    ck_assert_int_eq(mesaopt_trainer_steps(s.trainer), 3);
    interrupt_this = ctx;
    void (*old)(int) = signal(SIGALRM, on_alarm);
    const struct itimerval never = {{0, 0}, {0, 0}};
    int stopped = 0;
    for (int tries = 0; tries < 100000 && mesaopt_trainer_steps(s.trainer) < STEPS; tries++) {
        const struct itimerval soon = {{0, 0}, {0, 200 + tries % 10000 * 20}};     /* later each time: on a slow machine steps end as well */
        setitimer(ITIMER_REAL, &soon, NULL);
        mesaopt_status status = mesaopt_trainer_run(s.trainer, STEPS, NULL, NULL);
        ck_assert(status == MESAOPT_OK || status == MESAOPT_STOPPED);
        stopped += status == MESAOPT_STOPPED;
    }
    setitimer(ITIMER_REAL, &never, NULL);
    signal(SIGALRM, old);
    mesaopt_ctx_clear_interrupt(ctx);
    ck_assert_int_gt(stopped, 0);
    ck_assert_int_eq(mesaopt_trainer_steps(s.trainer), STEPS);
    bits_read(&s, &interrupted);
    ck_assert(bits_equal(&plain, &interrupted));
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- memory ---- */

START_TEST(steps_do_not_allocate)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_hooked(&hook, _i ? "threads=3" : "");
    recipe recipes[] = {small_linear, small_softmax, small_linear};
    recipes[2].fill = fill_bad;
    bad_at = refuse_at = -1;
    double loss;
    for (int r = 0; r < 3; r++) {
        setup s = setup_start(ctx, &recipes[r]);
        long calls = hook.calls;
        ck_assert_int_eq(mesaopt_trainer_step(s.trainer, NULL), MESAOPT_OK);
        if (_i == 0) ck_assert_int_eq(hook.calls, calls);              /* with threads, the first step of all starts them */
        calls = hook.calls;
        ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 30, NULL, NULL), MESAOPT_OK);
        ck_assert_int_eq(hook.calls, calls);
        ck_assert_int_eq(mesaopt_trainer_evaluate(s.trainer, 500, NULL, &loss), MESAOPT_OK);
        calls = hook.calls;
        ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 60, NULL, NULL), MESAOPT_OK);
        ck_assert_int_eq(hook.calls, calls);
        setup_end(&s);
    }
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(hook.blocks, 0);
    ck_assert_int_eq(hook.bytes, 0);
}
END_TEST

/* Refuses the n-th request from now on; 0 when there were fewer. */
static int sweep_over(hook_alloc *hook)
{
    const int hit = hook->fail_at != 0 && hook->calls >= hook->fail_at;
    hook->fail_at = 0;
    return !hit;
}

START_TEST(memory_runs_short)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_hooked(&hook, "threads=2");
    setup s;
    mesaopt_model *opened;
    int n = 1, last;
    for (last = 0; !last; n++) {
        const long blocks = hook.blocks;
        hook.fail_at = hook.calls + n;
        mesaopt_status status = setup_make(ctx, &small_linear, &s);
        last = sweep_over(&hook);
        ck_assert_int_eq(status, last ? MESAOPT_OK : MESAOPT_E_MEMORY);
        if (!last) ck_assert_int_eq(hook.blocks, blocks);
    }
    ck_assert_int_gt(n, 12);
    state_read(&s, &before);
    for (n = 1, last = 0; !last; n++) {                /* threads that cannot be had are done without */
        hook.fail_at = hook.calls + n;
        ck_assert_int_eq(mesaopt_trainer_step(s.trainer, NULL), MESAOPT_OK);
        last = sweep_over(&hook);
    }
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 20, NULL, NULL), MESAOPT_OK);
    state_read(&s, &before);
    for (n = 1, last = 0; !last; n++) {
        hook.fail_at = hook.calls + n;
        mesaopt_status status = mesaopt_trainer_save(s.trainer, path);
        last = sweep_over(&hook);
        ck_assert_int_eq(status, last ? MESAOPT_OK : MESAOPT_E_MEMORY);
    }
    ck_assert_int_gt(n, 4);
    ck_assert_int_eq(mesaopt_trainer_save(s.trainer, other_path), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 22, NULL, NULL), MESAOPT_OK);
    state_read(&s, &before);
    for (n = 1, last = 0; !last; n++) {
        const long blocks = hook.blocks;
        hook.fail_at = hook.calls + n;
        mesaopt_status status = mesaopt_trainer_load(s.trainer, other_path);
        last = sweep_over(&hook);
        ck_assert_int_eq(status, last ? MESAOPT_OK : MESAOPT_E_MEMORY);
        ck_assert_int_eq(hook.blocks, blocks);
        state_read(&s, &after);
        ck_assert_int_eq(state_equal(&before, &after), !last);
    }
    ck_assert_int_gt(n, 7);
    for (n = 1, last = 0; !last; n++) {
        const long blocks = hook.blocks;
        hook.fail_at = hook.calls + n;
        opened = NULL;
        mesaopt_status status = mesaopt_model_open(ctx, other_path, &opened);
        last = sweep_over(&hook);
        ck_assert_int_eq(status, last ? MESAOPT_OK : MESAOPT_E_MEMORY);
        ck_assert(last ? opened != NULL : opened == NULL && hook.blocks == blocks);
    }
    mesaopt_model_free(opened);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(hook.blocks, 0);
    ck_assert_int_eq(hook.bytes, 0);
}
END_TEST

/* Handles in every order, the context first. */
START_TEST(any_order_of_freeing)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_hooked(&hook, "threads=2");
    setup s = setup_start(ctx, &small_linear);
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 2, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
    for (int i = 0; i < 3; i++) {
        const int what = orders[_i][i];
        if (what == 0) ck_assert_int_eq(mesaopt_model_free(s.model), MESAOPT_OK);
        if (what == 1) ck_assert_int_eq(mesaopt_task_free(s.task), MESAOPT_OK);
        if (what == 2) ck_assert_int_eq(mesaopt_trainer_free(s.trainer), MESAOPT_OK);
        else if (i < 1) ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 4, NULL, NULL), MESAOPT_OK);
    }
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

Suite *test_trainer_calls_suite(void)
{
    Suite *s = suite_create("trainer calls");
    TCase *c = tcase_create("calls");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, make_folder, remove_folder);
    tcase_add_test(c, not_finite_gradient);
    tcase_add_loop_test(c, not_finite_activation, 0, 2);
    tcase_add_test(c, bad_data);
    tcase_add_test(c, end_of_stream);
    tcase_add_test(c, refused_creation);
    tcase_add_test(c, callbacks);
    tcase_add_test(c, gradient_view);
    tcase_add_test(c, interrupts);
    tcase_add_loop_test(c, steps_do_not_allocate, 0, 2);
    tcase_add_test(c, memory_runs_short);
    tcase_add_loop_test(c, any_order_of_freeing, 0, 6);
    suite_add_tcase(s, c);
    return s;
}
