/* Linearisation: a block that is linear already, one that is not; a step by hand; threads, callbacks, interrupts, memory. */
#include "training_setup.h"
#include <math.h>

#define OK(call) ck_assert_int_eq(call, MESAOPT_OK)

enum { N = 3, T = 9, WIDTH = 6 };

static const recipe three = {"inputs=3 outputs=3 seed=5 dtype=f64",
                             "dense(outputs=6,init_sd=0.4); softmax(heads=2,key=3,init_sd=0.4,pe=qk); linear(heads=2,key=3,init_sd=0.4); dense(outputs=3,init_sd=0.4)",
                             "dim=3 length=9 tokens=raw seed=11", "batch=4", NULL};
static const int64_t both[2] = {1, 2};

static mesaopt_linearise *linearise(setup *s, const char *settings, int64_t count, const int64_t *blocks, const char *block)
{
    mesaopt_settings *t = settings ? settings_from(MESAOPT_SCOPE_TRAINER, settings) : NULL, *b = block ? settings_from(MESAOPT_SCOPE_LINEAR, block) : NULL;
    mesaopt_linearise *l = NULL;
    const mesaopt_status status = mesaopt_linearise_create(s->ctx, t, s->model, s->task, count, blocks, b, &l);
    ck_assert_msg(status == MESAOPT_OK, "%s", error_of(s->ctx));
    mesaopt_settings_free(t), mesaopt_settings_free(b);
    return l;
}

static void evaluate(mesaopt_linearise *l, int64_t count, int64_t sequences, double *ratio, double *error)
{
    const mesaopt_view r = DENSE(ratio, MESAOPT_F64, count), e = DENSE(error, MESAOPT_F64, count);
    OK(mesaopt_linearise_evaluate(l, sequences, &r, &e));
}

static double loss_of(mesaopt_model *m, mesaopt_task *task, int64_t count)
{
    double loss;
    OK(mesaopt_model_evaluate(m, task, MESAOPT_STREAM_TEST, 0, count, NULL, &loss));
    return loss;
}

/* What softmax does with large logits is not linear; what linear attention does is, and a block with more heads learns it. */
START_TEST(linear_and_not)
{
    static const char training[] = "batch=64 lr=3e-3 weight_decay=0 warmup=50 cosine_steps=1500 lr_end=1e-6";
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    recipe r = three;
    r.blocks = "dense(outputs=6,init_sd=0.4); softmax(heads=2,key=3,init_sd=1.2,pe=qk); linear(heads=2,key=3,init_sd=0.25); dense(outputs=3,init_sd=0.5)";
    setup s = setup_start(ctx, &r);
    double ratio[2], error[2], first;
    for (int i = 0; i < 2; i++) {
        mesaopt_linearise *l = linearise(&s, training, 1, &both[i], i ? "heads=4 key=6 init_sd=0.3" : NULL);
        evaluate(l, 1, 400, &ratio[i], &first);
        OK(mesaopt_linearise_run(l, 1500, NULL, NULL));
        ck_assert_int_eq(mesaopt_linearise_steps(l), 1500);
        evaluate(l, 1, 400, &ratio[i], &error[i]);
        ck_assert_double_lt(error[i], first);
        mesaopt_linearise_free(l);
    }
    ck_assert_double_gt(error[0], 0.1);
    ck_assert_double_gt(ratio[0], 1.5);
    ck_assert_double_lt(error[1], 1e-3);
    ck_assert_double_eq_tol(ratio[1], 1, 0.03);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

static mesaopt_view parameter(mesaopt_model *m, const char *name)
{
    mesaopt_view v;
    OK(mesaopt_model_parameter(m, name, &v));
    return v;
}

typedef struct told { mesaopt_step last; int64_t calls, stop_at; mesaopt_ctx *interrupt; mesaopt_status evaluated; mesaopt_linearise *l; } told;

static int32_t listen(const mesaopt_step *step, void *user)
{
    told *t = user;
    double ratio[2];
    const mesaopt_view r = DENSE(ratio, MESAOPT_F64, 2);
    t->last = *step, t->calls++;
    if (t->l) t->evaluated = mesaopt_linearise_evaluate(t->l, 5, &r, NULL);
    if (t->l) ck_assert_int_eq(mesaopt_linearise_run(t->l, 99, NULL, NULL), MESAOPT_E_BUSY);
    if (t->interrupt && step->step == t->stop_at) mesaopt_ctx_interrupt(t->interrupt);
    return !t->interrupt && step->step == t->stop_at;
}

/* Draws the batch of a step as the library does, and runs the model on it. */
static void record(setup *s, int64_t first, int64_t B, double *before, double *after, int64_t block)
{
    static double x[8 * (T + 1) * N];
    const mesaopt_view sequences = DENSE(x, MESAOPT_F64, B, T + 1, N), tokens = {x, {B, T, N}, {(T + 1) * N, N, 1}, 3, MESAOPT_F64, 0, 0};
    const mesaopt_view outs[2] = {DENSE(before, MESAOPT_F64, B, T, WIDTH), DENSE(after, MESAOPT_F64, B, T, WIDTH)};
    OK(mesaopt_task_draw(s->task, MESAOPT_STREAM_TRAIN, first, &sequences));
    OK(mesaopt_model_activations(s->model, &tokens, 2, (int64_t[]){block - 1, block}, outs));
}

/* The first step: loss and gradient are those of a model of the one block on what was recorded, the update is AdamW's. */
START_TEST(a_step_by_hand)
{
    enum { B = 8 };
    static double h[2][2][B * T * WIDTH];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    setup s = setup_start(ctx, &three);
    mesaopt_linearise *l = linearise(&s, "batch=8 lr=1e-2 weight_decay=0.5 clip_value=0", 2, both, NULL);
    mesaopt_model *start[2], *moved[2];
    told t = {.l = NULL, .stop_at = 1};
    double loss = 0, squares = 0;
    for (int i = 0; i < 2; i++) {
        OK(mesaopt_linearise_block(l, both[i], &start[i]));
        record(&s, 0, B, h[i][0], h[i][1], both[i]);
    }
    ck_assert_int_eq(mesaopt_linearise_run(l, 5, listen, &t), MESAOPT_STOPPED);
    for (int i = 0; i < 2; i++) {
        const mesaopt_view x = DENSE(h[i][0], MESAOPT_F64, B, T, WIDTH), y = DENSE(h[i][1], MESAOPT_F64, B, T, WIDTH);
        double one;
        OK(mesaopt_linearise_block(l, both[i], &moved[i]));
        OK(mesaopt_model_gradient(start[i], &x, &y, NULL, &one, NULL));
        loss += one;
        for (int p = 0; p < 4; p++) {
            const char *name = mesaopt_model_parameter_name(start[i], p);
            const mesaopt_view a = parameter(start[i], name), b = parameter(moved[i], name);
            mesaopt_view g;
            OK(mesaopt_model_parameter_gradient(start[i], name, &g));
            for (int64_t e = 0; e < a.shape[0] * a.shape[1]; e++) {
                const double was = ((double *)a.data)[e], grad = ((double *)g.data)[e];
                squares += grad * grad;
                ck_assert_double_eq_tol(((double *)b.data)[e], was - 1e-2 * (grad / (fabs(grad) + 1e-8) + 0.5 * was), 1e-12);
            }
        }
        ck_assert_int_eq(mesaopt_model_parameters(start[i]), 4);
        mesaopt_model_free(start[i]), mesaopt_model_free(moved[i]);
    }
    ck_assert_double_eq_tol(t.last.loss, loss, 1e-12);
    ck_assert_double_eq_tol(t.last.grad_norm, sqrt(squares), 1e-12);
    ck_assert_double_eq(t.last.lr, 1e-2);
    ck_assert_int_eq(t.last.step, 1);
    mesaopt_linearise_free(l);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Models that it gives are what it scores; the user's own may change meanwhile. */
START_TEST(models)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    setup s = setup_start(ctx, &three);
    mesaopt_linearise *l = linearise(&s, "batch=16 lr=1e-2", 2, (int64_t[]){2, 1}, NULL);
    const double whole = loss_of(s.model, s.task, 100);
    mesaopt_model *m[3], *one;
    double ratio[2], error[2];
    char text[400];
    OK(mesaopt_trainer_run(s.trainer, 20, NULL, NULL));
    ck_assert_double_ne(loss_of(s.model, s.task, 100), whole);
    OK(mesaopt_linearise_run(l, 50, NULL, NULL));
    evaluate(l, 2, 100, ratio, error);
    for (int i = 0; i < 3; i++) OK(mesaopt_linearise_model(l, (int64_t[]){2, 1, -1}[i], &m[i]));
    for (int i = 0; i < 2; i++) ck_assert_double_eq_tol(ratio[i], loss_of(m[i], s.task, 100) / whole, 1e-12);
    OK(mesaopt_linearise_block(l, 1, &one));
    OK(mesaopt_linearise_free(l));
    const mesaopt_view w = parameter(one, "blocks.0.query"), in_place = parameter(m[2], "blocks.1.query"), other = parameter(m[0], "blocks.1.query");
    ck_assert_int_eq(w.shape[0], 2 * WIDTH);           /* positions, as in its original */
    ck_assert_mem_eq(w.data, in_place.data, sizeof(double[2 * WIDTH][6]));
    ck_assert_mem_ne(w.data, other.data, sizeof(double[2 * WIDTH][6]));
    ck_assert_int_gt(mesaopt_model_text(m[2], text, sizeof text), 0);
    ck_assert(!strstr(text, "softmax") && strstr(text, "pe=qk"));
    for (int i = 0; i < 3; i++) mesaopt_model_free(m[i]);
    mesaopt_model_free(one);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* As many heads as asked. */
START_TEST(settings_of_the_linear_blocks)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    setup s = setup_start(ctx, &three);
    mesaopt_linearise *l = linearise(&s, NULL, 1, &both[0], "heads=5 key=2 value=3");
    mesaopt_model *one;
    told t = {.stop_at = 1};
    OK(mesaopt_linearise_block(l, 1, &one));
    ck_assert_int_eq(parameter(one, "blocks.0.query").shape[0], WIDTH);
    ck_assert_int_eq(parameter(one, "blocks.0.query").shape[1], 10);
    ck_assert_int_eq(parameter(one, "blocks.0.output").shape[0], 15);
    ck_assert_int_eq(mesaopt_linearise_run(l, 3, listen, &t), MESAOPT_STOPPED);
    ck_assert_double_eq(t.last.lr, 1e-3);
    mesaopt_model_free(one), mesaopt_linearise_free(l);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

static void bits_of(mesaopt_linearise *l, double *out)
{
    for (int i = 0; i < 2; i++) {
        mesaopt_model *m;
        OK(mesaopt_linearise_block(l, both[i], &m));
        const mesaopt_view v = parameter(m, "blocks.0.value");
        memcpy(out + i * 36, v.data, 36 * sizeof *out);
        mesaopt_model_free(m);
    }
}

/* Any number of threads; stopped and continued; evaluated in between. */
START_TEST(same_bits)
{
    static double bits[3][72];
    for (int way = 0; way < 3; way++) {
        mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1 + way % 2);
        setup s = setup_start(ctx, &three);
        mesaopt_linearise *l = linearise(&s, "batch=37 lr=1e-2", 2, both, NULL);
        told t = {.stop_at = 7, .l = l, .interrupt = way == 2 ? ctx : NULL};
        if (way > 0) {
            ck_assert_int_eq(mesaopt_linearise_run(l, 30, listen, &t), MESAOPT_STOPPED);
            ck_assert_int_eq(mesaopt_linearise_steps(l), 7);
            ck_assert_int_eq(t.calls, 7);
            ck_assert_int_eq(t.evaluated, MESAOPT_OK);
        }
        OK(mesaopt_linearise_run(l, 30, NULL, NULL));
        bits_of(l, bits[way]);
        mesaopt_linearise_free(l);
        setup_end(&s);
        mesaopt_ctx_free(ctx);
        ck_assert_mem_eq(bits[0], bits[way], sizeof bits[0]);
    }
}
END_TEST

/* Sequences of unequal lengths: what lies behind an end is not learned from, whatever the threads, and scores are those of the models. */
START_TEST(ragged)
{
    enum { MANY = 40 };
    static double x[MANY][T + 1][N], bits[2][72];
    mesaopt_settings *raw = settings_from(MESAOPT_SCOPE_TASK, "tokens=raw");
    for (int i = 0; i < MANY * (T + 1) * N; i++) x[i / ((T + 1) * N)][i / N % (T + 1)][i % N] = sin(0.37 * i) + 0.1 * (i % 7);
    for (int way = 0; way < 2; way++) {
        mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1 + way);
        mesaopt_tensor *tensors[MANY];
        mesaopt_task *task;
        mesaopt_linearise *l;
        mesaopt_model *m = model_from(ctx, three.model, three.blocks), *replaced;
        mesaopt_settings *t = settings_from(MESAOPT_SCOPE_TRAINER, "batch=21 lr=1e-2");
        double ratio[2], error[2];
        for (int i = 0; i < MANY; i++) {
            const mesaopt_view sequence = DENSE(x[i], MESAOPT_F64, 2 + i * 7 % T, N);
            OK(mesaopt_tensor_wrap(ctx, &sequence, NULL, NULL, &tensors[i]));
        }
        OK(mesaopt_task_from_tensors(ctx, raw, MANY, tensors, &task));
        OK(mesaopt_linearise_create(ctx, t, m, task, 2, both, NULL, &l));
        OK(mesaopt_linearise_run(l, 40, NULL, NULL));
        bits_of(l, bits[way]);
        evaluate(l, 2, 30, ratio, error);
        for (int i = 0; i < 2; i++) {
            OK(mesaopt_linearise_model(l, both[i], &replaced));
            ck_assert_double_eq_tol(ratio[i], loss_of(replaced, task, 30) / loss_of(m, task, 30), 1e-12);
            ck_assert(error[i] > 0 && error[i] < 10);
            mesaopt_model_free(replaced);
        }
        for (int i = 0; i < MANY; i++) mesaopt_tensor_free(tensors[i]);
        mesaopt_linearise_free(l), mesaopt_task_free(task), mesaopt_model_free(m), mesaopt_settings_free(t), mesaopt_ctx_free(ctx);
    }
    ck_assert_mem_eq(bits[0], bits[1], sizeof bits[0]);
    mesaopt_settings_free(raw);
}
END_TEST

static mesaopt_ctx *looped;
static void interrupting_loop(void (*body)(void *, int64_t), void *job, int64_t n, void *user)
{
    (void)user;
    for (int64_t i = 0; i < n; i++) body(job, i);
    if (looped) mesaopt_ctx_interrupt(looped);
}

/* In the middle of a step, or of an evaluation: nothing has changed. */
START_TEST(interrupts)
{
    mesaopt_ctx *ctx = context_with(2, interrupting_loop, NULL);
    setup s = setup_start(ctx, &three);
    mesaopt_linearise *l = linearise(&s, "batch=8", 2, both, NULL);
    double before[72], after[72], ratio[2];
    const mesaopt_view r = DENSE(ratio, MESAOPT_F64, 2);
    looped = NULL;
    OK(mesaopt_linearise_run(l, 2, NULL, NULL));
    bits_of(l, before);
    looped = ctx;
    ck_assert_int_eq(mesaopt_linearise_run(l, 5, NULL, NULL), MESAOPT_STOPPED);
    ck_assert_int_eq(mesaopt_linearise_evaluate(l, 50, &r, NULL), MESAOPT_E_INTERRUPTED);
    looped = NULL;
    ck_assert_int_eq(mesaopt_linearise_steps(l), 2);
    bits_of(l, after);
    ck_assert_mem_eq(before, after, sizeof before);
    mesaopt_linearise_free(l);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(memory_that_runs_short)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_hooked(&hook, "threads=2");
    setup s = setup_start(ctx, &three);
    double ratio[2], error[2];
    const mesaopt_view r = DENSE(ratio, MESAOPT_F64, 2), e = DENSE(error, MESAOPT_F64, 2);
    loss_of(s.model, s.task, 100);                     /* the pool is there */
    const long before = hook.blocks;
    mesaopt_status status = MESAOPT_E_MEMORY;
    for (long n = 1; status != MESAOPT_OK; n++) {
        mesaopt_linearise *l = NULL;
        ck_assert_int_lt(n, 200);
        hook.fail_at = hook.calls + n;
        status = mesaopt_linearise_create(ctx, NULL, s.model, s.task, 2, both, NULL, &l);
        if (status == MESAOPT_OK) {
            const long calls = hook.calls;
            status = mesaopt_linearise_run(l, 3, NULL, NULL);
            ck_assert_int_eq(hook.calls, calls);       /* steps allocate nothing */
        }
        if (status == MESAOPT_OK) status = mesaopt_linearise_evaluate(l, 20, &r, &e);
        ck_assert(status == MESAOPT_OK || status == MESAOPT_E_MEMORY);
        OK(mesaopt_linearise_free(l));
        ck_assert_int_eq(hook.blocks, before);
    }
    setup_end(&s);
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

/* A step that is not finite names the block, and changes nothing. */
START_TEST(a_run_that_goes_wrong)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    setup s = setup_start(ctx, &three);
    mesaopt_linearise *l = linearise(&s, "batch=8 lr=900 clip_value=0", 2, both, NULL);
    double before[72], after[72];
    int64_t steps = -1;
    mesaopt_status status = MESAOPT_OK;
    while (status == MESAOPT_OK && ++steps < 300) {
        bits_of(l, before);
        status = mesaopt_linearise_run(l, steps + 1, NULL, NULL);
    }
    ck_assert_int_eq(status, MESAOPT_E_NONFINITE);
    ck_assert_int_eq(mesaopt_linearise_steps(l), steps);
    ck_assert_msg(strstr(error_of(ctx), ", linear block ") != NULL, "%s", error_of(ctx));
    bits_of(l, after);
    ck_assert_mem_eq(before, after, sizeof before);
    mesaopt_linearise_free(l);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* A block whose weights are 0 adds nothing: its relative error is no number, and nothing is written. */
START_TEST(blocks_that_add_nothing)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    recipe r = three;
    r.blocks = "dense(outputs=6,init_sd=0.4); linear(heads=2,key=3,init_sd=0); dense(outputs=3,init_sd=0.4)";
    setup s = setup_start(ctx, &r);
    mesaopt_linearise *l = linearise(&s, NULL, 1, (int64_t[]){1}, NULL);
    double ratio = 7, error = 8;
    const mesaopt_view a = DENSE(&ratio, MESAOPT_F64, 1), b = DENSE(&error, MESAOPT_F64, 1);
    REFUSED(ctx, MESAOPT_E_NONFINITE, "adds nothing", mesaopt_linearise_evaluate(l, 20, &a, &b));
    ck_assert(ratio == 7 && error == 8);
    OK(mesaopt_linearise_evaluate(l, 20, &a, NULL));
    ck_assert(ratio != 7);
    mesaopt_linearise_free(l);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_linearise_suite(void)
{
    Suite *s = suite_create("linearise");
    TCase *t = tcase_create("linearise");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, linear_and_not);
    tcase_add_test(t, blocks_that_add_nothing);
    tcase_add_test(t, a_step_by_hand);
    tcase_add_test(t, models);
    tcase_add_test(t, settings_of_the_linear_blocks);
    tcase_add_test(t, same_bits);
    tcase_add_test(t, ragged);
    tcase_add_test(t, interrupts);
    tcase_add_test(t, memory_that_runs_short);
    tcase_add_test(t, a_run_that_goes_wrong);
    suite_add_tcase(s, t);
    return s;
}
