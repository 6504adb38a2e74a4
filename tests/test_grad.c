/* The gradient check on functions whose derivatives are known, right and wrong, and on callbacks that misbehave. */
#include "hook_alloc.h"
#include "mesaopt/mesaopt.h"

#include <check.h>
#include <errno.h>
#include <fenv.h>
#include <math.h>
#include <string.h>

enum { N = 24 };

typedef struct trial {
    mesaopt_ctx *ctx;
    mesaopt_view x, gradient;
    union { double d[2 * N]; float f[2 * N]; } at;     /* elements 0, 2, 4, ... as [2, 3, 4], columns first */
    double g[N];
    int64_t calls, fail_at, bad_at;
    int32_t mode;
    double bad;
} trial;

static double element(const trial *t, int i) { return t->x.dtype == MESAOPT_F64 ? t->at.d[2 * i] : (double)t->at.f[2 * i]; }

/* L = sum_i (i + 1) sin(x_i) + x_0 x_1; its gradient: (i + 1) cos(x_i) + the neighbour's value. Also uses the library on the same context. */
static int32_t loss(double *out, void *user)
{
    trial *t = user;
    mesaopt_tensor *scratch = NULL;
    if (mesaopt_tensor_create(t->ctx, MESAOPT_F32, 0, NULL, &scratch) != MESAOPT_OK || mesaopt_tensor_free(scratch) != MESAOPT_OK) return 1;
    t->mode = fegetround();
    if (++t->calls == t->fail_at) return 7;
    *out = element(t, 0) * element(t, 1);
    for (int i = 0; i < N; i++) *out += (i + 1) * sin(element(t, i));
    if (t->calls == t->bad_at) *out = t->bad;
    return 0;
}

static trial make(int32_t dtype)
{
    trial t;
    memset(&t, 0, sizeof t);
    ck_assert_int_eq(mesaopt_ctx_create(NULL, &t.ctx), MESAOPT_OK);
    t.x = (mesaopt_view){.shape = {2, 3, 4}, .stride = {2, 4, 12}, .ndim = 3, .dtype = dtype};
    t.gradient = (mesaopt_view){.shape = {2, 3, 4}, .stride = {1, 2, 6}, .ndim = 3, .dtype = MESAOPT_F64};
    for (int i = 0; i < N; i++) {
        double x = 0.1 * i - 1.05;
        if (dtype == MESAOPT_F64) t.at.d[2 * i] = x;
        else t.at.f[2 * i] = (float)x;
    }
    for (int i = 0; i < N; i++) t.g[i] = (i + 1) * cos(element(&t, i));
    t.g[0] += element(&t, 1);
    t.g[1] += element(&t, 0);
    return t;
}

static mesaopt_status check(trial *t, double h, double *error)
{
    t->x.data = &t->at, t->gradient.data = t->g;
    char before[sizeof t->at];
    memcpy(before, &t->at, sizeof before);
    mesaopt_status status = mesaopt_grad_check(t->ctx, loss, t, &t->x, &t->gradient, h, error);
    ck_assert_mem_eq(&t->at, before, sizeof before);   /* bit for bit */
    return status;
}

static const char *error_text(const mesaopt_ctx *ctx)
{
    static char text[512];
    mesaopt_ctx_error(ctx, text, sizeof text);
    return text;
}

/* The error of the difference falls as h^4, down to the rounding of L. */
START_TEST(right_gradient)
{
    trial t = make(MESAOPT_F64);
    double coarse = -1, fine = -1;
    ck_assert_int_eq(check(&t, 0.08, &coarse), MESAOPT_OK);
    ck_assert_int_eq(t.calls, 4 * N);
    ck_assert_int_eq(check(&t, 0.04, &fine), MESAOPT_OK);
    ck_assert_msg(coarse > 14 * fine && coarse < 18 * fine, "%g, %g", coarse, fine);
    ck_assert_msg(fabs(coarse - pow(0.08, 4) / 30) < 0.05 * coarse, "%g", coarse);        /* h^4 / 30 times the fifth derivative, which has the size of the first */
    ck_assert_int_eq(check(&t, 1e-3, &fine), MESAOPT_OK);
    ck_assert_msg(fine < 1e-11, "%g", fine);
    mesaopt_ctx_free(t.ctx);
}
END_TEST

START_TEST(f32_elements)
{
    trial t = make(MESAOPT_F32);
    double error = -1;
    ck_assert_int_eq(check(&t, 1e-3, &error), MESAOPT_OK);
    ck_assert_msg(error < 1e-8, "%g", error);          /* positions are rounded to 6e-8, but their distances are known: else this were 1e-5 */
    mesaopt_ctx_free(t.ctx);
}
END_TEST

START_TEST(wrong_gradients)
{
    trial t = make(MESAOPT_F64);
    double error = -1, norm = 0;
    for (int i = 0; i < N; i++) norm = hypot(norm, t.g[i]);
    t.g[13] += 1e-3 * norm;
    ck_assert_int_eq(check(&t, 1e-3, &error), MESAOPT_OK);
    ck_assert_msg(fabs(error - 1e-3) < 1e-4, "%g", error);
    memset(t.g, 0, sizeof t.g);
    ck_assert_int_eq(check(&t, 1e-3, &error), MESAOPT_OK);
    ck_assert(error == 1);
    mesaopt_ctx_free(t.ctx);
}
END_TEST

static int32_t constant(double *out, void *user)
{
    (void)user;
    *out = 3;
    return 0;
}

START_TEST(nothing_to_find)
{
    trial t = make(MESAOPT_F64);
    double error = -1;
    memset(t.g, 0, sizeof t.g);
    t.x.data = &t.at, t.gradient.data = t.g;
    ck_assert_int_eq(mesaopt_grad_check(t.ctx, constant, NULL, &t.x, &t.gradient, 1e-3, &error), MESAOPT_OK);
    ck_assert(error == 0);
    error = -1;
    t.x.shape[1] = t.gradient.shape[1] = 0;
    ck_assert_int_eq(check(&t, 1e-3, &error), MESAOPT_OK);
    ck_assert(error == 0 && t.calls == 0);
    mesaopt_ctx_free(t.ctx);
}
END_TEST

START_TEST(callbacks_that_fail)
{
    trial t = make(MESAOPT_F64);
    double error = -1;
    for (t.fail_at = 1; t.fail_at <= 9; t.fail_at++) {
        t.calls = 0;
        ck_assert_int_eq(check(&t, 1e-3, &error), MESAOPT_E_SOURCE);
        ck_assert_int_eq(t.calls, t.fail_at);
    }
    t.fail_at = 0, t.calls = 0, t.bad_at = 6, t.bad = NAN;
    ck_assert_int_eq(check(&t, 1e-3, &error), MESAOPT_E_NONFINITE);
    ck_assert_str_eq(error_text(t.ctx), "loss: nan with x at [0,0,1] moved by -0.001, expected a finite number");
    t.calls = 0, t.bad = INFINITY;
    ck_assert_int_eq(check(&t, 1e-3, &error), MESAOPT_E_NONFINITE);
    ck_assert(error == -1);
    mesaopt_ctx_free(t.ctx);
}
END_TEST

/* Finite losses of +-1.7e308, whose differences no double holds. */
static int32_t alternating(double *loss, void *user)
{
    int *calls = user;
    *loss = (*calls)++ % 2 ? -1.7e308 : 1.7e308;
    return 0;
}

START_TEST(differences_that_overflow)
{
    trial t = make(MESAOPT_F64);
    double error = -1;
    int calls = 0;
    t.x.data = &t.at, t.gradient.data = t.g;
    ck_assert_int_eq(mesaopt_grad_check(t.ctx, alternating, &calls, &t.x, &t.gradient, 1e-3, &error), MESAOPT_E_NONFINITE);
    ck_assert_ptr_nonnull(strstr(error_text(t.ctx), "overflow"));
    ck_assert(error == -1);
    mesaopt_ctx_free(t.ctx);
}
END_TEST

START_TEST(steps_that_do_not_move)
{
    trial t = make(MESAOPT_F32);
    double error = -1;
    ck_assert_int_eq(check(&t, 1e-12, &error), MESAOPT_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error_text(t.ctx), "h: x at [0,0,0] cannot move by 1e-12 from -1.0"));
    ck_assert_int_eq(check(&t, 1e39, &error), MESAOPT_E_ARGUMENT);
    ck_assert(error == -1);
    mesaopt_ctx_free(t.ctx);
}
END_TEST

START_TEST(interrupt_and_environment)
{
    trial t = make(MESAOPT_F64);
    double error = -1, usual;
    mesaopt_ctx_interrupt(t.ctx);
    ck_assert_int_eq(check(&t, 1e-3, &error), MESAOPT_E_INTERRUPTED);
    ck_assert(error == -1 && t.calls == 0);
    ck_assert_int_eq(check(&t, 1e-3, &usual), MESAOPT_OK);     /* the request is used up */
    fesetround(FE_UPWARD);
    errno = EDOM;
    mesaopt_status status = check(&t, 1e-3, &error);
    int after = fegetround(), kept = errno;
    fesetround(FE_TONEAREST);
    ck_assert_int_eq(status, MESAOPT_OK);
    ck_assert_int_eq(t.mode, FE_UPWARD);
    ck_assert_int_eq(after, FE_UPWARD);
    ck_assert_int_eq(kept, EDOM);
    ck_assert(error < 1e-11);
    mesaopt_ctx_free(t.ctx);
}
END_TEST

/* The callback gives up the caller's reference: the context lives until the check is over. */
static int32_t frees_the_context(double *out, void *user)
{
    mesaopt_ctx **ctx = user;
    *out = 1;
    mesaopt_status status = mesaopt_ctx_free(*ctx);
    *ctx = NULL;
    return status;
}

START_TEST(context_freed_inside)
{
    hook_alloc hook = {0};
    mesaopt_settings *s;
    mesaopt_ctx *ctx;
    double x = 1, g = 0, error = -1;
    mesaopt_view vx, vg;
    mesaopt_view_dense(&x, MESAOPT_F64, 0, NULL, &vx);
    mesaopt_view_dense(&g, MESAOPT_F64, 0, NULL, &vg);
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, hook_alloc_fn, &hook, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_create(s, &ctx), MESAOPT_OK);
    mesaopt_settings_free(s);
    ck_assert_int_eq(mesaopt_grad_check(ctx, frees_the_context, &ctx, &vx, &vg, 1e-3, &error), MESAOPT_OK);
    ck_assert(error == 0);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

Suite *test_grad_suite(void)
{
    Suite *s = suite_create("grad");
    TCase *t = tcase_create("grad");
    tcase_add_test(t, right_gradient);
    tcase_add_test(t, f32_elements);
    tcase_add_test(t, wrong_gradients);
    tcase_add_test(t, nothing_to_find);
    tcase_add_test(t, callbacks_that_fail);
    tcase_add_test(t, differences_that_overflow);
    tcase_add_test(t, steps_that_do_not_move);
    tcase_add_test(t, interrupt_and_environment);
    tcase_add_test(t, context_freed_inside);
    suite_add_tcase(s, t);
    return s;
}
