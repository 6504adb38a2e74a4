/* mesaopt_lsq as a call: the workspace that was asked for is enough, a long sequence can be stopped, digits that a small ridge costs come back, and
 * a solver that breaks down says so. */
#include "contexts.h"
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

enum { MOST = 19, T = 400, H = 2, D = 16, DV = 8 };

static mesaopt_lsq *plan_from(mesaopt_ctx *ctx, const char *settings, int64_t d, int64_t dv)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, settings);
    mesaopt_lsq *l;
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, s, d, dv, &l), MESAOPT_OK);
    mesaopt_settings_free(s);
    return l;
}

/* ---- workspace ---- */

/* A view whose columns are far apart, so that it is never worked on in place. Its block comes first in `blocks`. */
static mesaopt_view apart(mesaopt_ctx *ctx, int32_t ndim, const int64_t *shape, void **blocks)
{
    static uint64_t stream = 1;
    int64_t n = 1;
    mesaopt_view v = {.ndim = ndim, .dtype = MESAOPT_F64};
    for (int32_t i = 0; i < ndim; i++) v.shape[i] = shape[i], v.stride[i] = n, n *= shape[i];
    v.data = *blocks = malloc((size_t)n * sizeof(double));
    ck_assert_int_eq(mesaopt_rng_uniform(ctx, 1, stream++, 0, 0, 1, &v), MESAOPT_OK);
    return v;
}

typedef struct everything {
    mesaopt_view q, k, v, out, dq, dk, dv, view[MOST];
    int32_t which[MOST], count;
    int64_t starts[9];
    void *blocks[2 * MOST];
    int n;
} everything;

static void add(mesaopt_ctx *ctx, everything *e, int32_t which, int32_t ndim, const int64_t *shape)
{
    e->which[e->count] = which, e->view[e->count++] = apart(ctx, ndim, shape, &e->blocks[e->n++]);
}

/* Every operand but SOLUTION, which saves space. */
static void fill(mesaopt_ctx *ctx, everything *e, int sequences, int adjoint)
{
    const int64_t N = sequences ? sequences : 1, keys[] = {1, T, H, D}, values[] = {1, T, H, DV}, tokens[] = {1, T, H}, channels[] = {H, D}, ks[] = {N, H, D, D}, vs[] = {N, H, D, DV};
    memset(e, 0, sizeof *e);
    mesaopt_view *const rows[] = {&e->q, &e->k, &e->dq, &e->dk, &e->v, &e->out, &e->dv};
    for (int i = 0; i < 7; i++) *rows[i] = apart(ctx, 4, i < 4 ? keys : values, &e->blocks[e->n++]);
    add(ctx, e, MESAOPT_LSQ_BETA, 3, tokens);
    add(ctx, e, MESAOPT_LSQ_LOG_GAMMA, 3, tokens);
    mesaopt_rng_uniform(ctx, 2, 1, 0, -1, 0, &e->view[1]);
    add(ctx, e, MESAOPT_LSQ_RIDGE, 2, channels);
    add(ctx, e, MESAOPT_LSQ_H0, 4, ks);
    memset(e->view[3].data, 0, (size_t)(N * H * D * D) * sizeof(double));
    add(ctx, e, MESAOPT_LSQ_S0, 4, vs);
    add(ctx, e, adjoint ? MESAOPT_LSQ_D_H_LAST : MESAOPT_LSQ_H_LAST, 4, ks);
    add(ctx, e, adjoint ? MESAOPT_LSQ_D_S_LAST : MESAOPT_LSQ_S_LAST, 4, vs);
    for (int32_t w = MESAOPT_LSQ_RESIDUAL; w <= MESAOPT_LSQ_CONDITION; w++) add(ctx, e, w, 3, tokens);
    if (adjoint) {
        add(ctx, e, MESAOPT_LSQ_D_BETA, 3, tokens), add(ctx, e, MESAOPT_LSQ_D_LOG_GAMMA, 3, tokens), add(ctx, e, MESAOPT_LSQ_D_RIDGE, 2, channels);
        add(ctx, e, MESAOPT_LSQ_D_H0, 4, ks), add(ctx, e, MESAOPT_LSQ_D_S0, 4, vs);
    }
    if (!sequences) return;
    for (int i = 0; i <= sequences; i++) e->starts[i] = T * i / sequences;
    e->which[e->count] = MESAOPT_LSQ_OFFSETS, e->view[e->count++] = DENSE(e->starts, MESAOPT_I64, sequences + 1);
}

START_TEST(workspace_is_what_was_said)
{
    const int sequences = _i & 1 ? 8 : 0, adjoint = _i >> 1;
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_with(4, NULL, &hook);
    mesaopt_lsq *l = plan_from(ctx, "", D, DV);
    everything e;
    int64_t said = 0;
    fill(ctx, &e, sequences, adjoint);
    ck_assert_int_eq(mesaopt_lsq_workspace(l, MESAOPT_F64, 1, T, H, sequences, adjoint, &said), MESAOPT_OK);
    for (int again = 0; again < 2; again++) {
        const long before = hook.bytes;
        ck_assert_int_eq(adjoint ? mesaopt_lsq_adjoint(l, &e.q, &e.k, &e.v, &e.out, &e.dq, &e.dk, &e.dv, e.count, e.which, e.view)
                                 : mesaopt_lsq_forward(l, &e.q, &e.k, &e.v, &e.out, e.count, e.which, e.view), MESAOPT_OK);
        const long grown = hook.bytes - before;
        if (again) ck_assert_int_eq(grown, 0);
        else ck_assert_msg((double)grown > 0.95 * (double)said && grown < said + 4096, "said %lld, took %ld", (long long)said, grown);      /* and the pool's and the block's own bytes */
    }
    for (int i = 0; i < e.n; i++) free(e.blocks[i]);
    mesaopt_lsq_free(l);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- stopping ---- */

static mesaopt_ctx *stopped;
static void on_alarm(int signal) { (void)signal; mesaopt_ctx_interrupt(stopped); }

static const mesaopt_view *first_rows(mesaopt_view *v, int64_t rows) { v->shape[1] = rows; return v; }

/* One sequence of one head, which takes tens of milliseconds at the very least: its end is not reached. */
START_TEST(a_long_sequence_can_be_stopped)
{
    enum { LONG = 40000, WIDTH = 64 };
    static const char *const solvers[] = {"solver=auto", "solver=cholesky", "solver=sherman_morrison", "solver=cg_chunk"};
    const struct itimerval soon = {{0, 0}, {0, 3000}};
    mesaopt_ctx *ctx = stopped = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_lsq *l = plan_from(ctx, solvers[_i], WIDTH, WIDTH);
    float *x = malloc((size_t)2 * LONG * WIDTH * sizeof *x), *y = x + LONG * WIDTH;
    mesaopt_view in = DENSE(x, MESAOPT_F32, 1, LONG, 1, WIDTH), out = DENSE(y, MESAOPT_F32, 1, LONG, 1, WIDTH);
    mesaopt_rng_normal(ctx, 1, 1, 0, 0, 1, &in);
    for (int64_t i = 0; i < LONG * WIDTH; i++) y[i] = 77;
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &soon, NULL);
    ck_assert_int_eq(mesaopt_lsq_forward(l, &in, &in, &in, &out, 0, NULL, NULL), MESAOPT_E_INTERRUPTED);
    signal(SIGALRM, SIG_DFL);
    for (int64_t i = 0; i < WIDTH; i++) ck_assert_float_eq(y[(LONG - 1) * WIDTH + i], 77);
    ck_assert_int_eq(mesaopt_lsq_forward(l, first_rows(&in, 64), &in, &in, first_rows(&out, 64), 0, NULL, NULL), MESAOPT_OK);      /* and goes on */
    ck_assert_float_ne(y[63 * WIDTH], 77);
    free(x);
    mesaopt_lsq_free(l);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- hardly any ridge ---- */

/* Values that are a linear map of their keys: with many keys and next to no ridge, outputs are that map of the queries, however badly the first systems were posed. */
START_TEST(digits_come_back_with_the_rank)
{
    static const char *const solvers[] = {"auto", "cholesky", "segments", "sherman_morrison"}, *const ridges[] = {"1e-2", "1e-4", "1e-6"};
    enum { B = 16, LENGTH = 64, N = 16, COUNT = B * LENGTH * N };
    static float q[COUNT], k[COUNT], v[COUNT], out[COUNT];
    static double map[N][N], want[COUNT];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    const mesaopt_view qs = DENSE(q, MESAOPT_F32, B, LENGTH, 1, N), ks = DENSE(k, MESAOPT_F32, B, LENGTH, 1, N), vs = DENSE(v, MESAOPT_F32, B, LENGTH, 1, N),
                       os = DENSE(out, MESAOPT_F32, B, LENGTH, 1, N), maps = DENSE(map, MESAOPT_F64, N, N);
    mesaopt_rng_normal(ctx, 1, 1, 0, 0, 1, &qs), mesaopt_rng_normal(ctx, 1, 2, 0, 0, 1, &ks), mesaopt_rng_normal(ctx, 1, 3, 0, 0, 1, &maps);
    for (int i = 0; i < COUNT; i++) {
        double value = want[i] = 0;
        for (int j = 0; j < N; j++) value += map[i % N][j] * (double)k[i / N * N + j], want[i] += map[i % N][j] * (double)q[i / N * N + j];
        v[i] = (float)value;
    }
    for (int i = 0; i < 4; i++)
        for (int r = 0; r < 3; r++) {
            char text[64];
            double error = 0, norm = 0;
            snprintf(text, sizeof text, "solver=%s ridge=%s", solvers[i], ridges[r]);
            mesaopt_lsq *l = plan_from(ctx, text, N, N);
            ck_assert_int_ge(mesaopt_lsq_forward(l, &qs, &ks, &vs, &os, 0, NULL, NULL), MESAOPT_OK);
            for (int j = 0; j < COUNT; j++)
                if (j / N % LENGTH >= LENGTH / 2) error += pow((double)out[j] - want[j], 2), norm += want[j] * want[j];
            ck_assert_msg(sqrt(error / norm) < (r ? 2e-5 : 5e-3), "%s: %g", text, sqrt(error / norm));         /* the first: what the ridge shrinks */
            mesaopt_lsq_free(l);
        }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Fewer tokens than channels and a ridge far below rounding: solutions cannot be exact, though what they say of a key that was seen can. That is its value. */
START_TEST(a_solver_that_breaks_down_says_so)
{
    static const char *const solvers[] = {"cholesky", "segments", "auto", "sherman_morrison", "cg_diag", "cg_chunk"};
    enum { ROWS = 12, WIDTHS = 2 };
    static const int64_t widths[WIDTHS] = {16, 200};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    for (int i = 0; i < 6; i++)
        for (int w = 0; w < WIDTHS; w++)
            for (int64_t batch = 1; batch <= 16; batch += 15) {
                char text[64];
                const int64_t n = batch * ROWS * widths[w];
                snprintf(text, sizeof text, "solver=%s ridge=1e-12", solvers[i]);
                mesaopt_lsq *l = plan_from(ctx, text, widths[w], widths[w]);
                float *x = malloc((size_t)(2 * n) * sizeof *x);
                const mesaopt_view in = DENSE(x, MESAOPT_F32, batch, ROWS, 1, widths[w]), out = DENSE(x + n, MESAOPT_F32, batch, ROWS, 1, widths[w]);
                mesaopt_rng_normal(ctx, 1, 1, 0, 0, 1, &in);
                const mesaopt_status status = mesaopt_lsq_forward(l, &in, &in, &in, &out, 0, NULL, NULL);
                int finite = 1;
                for (int64_t j = 0; j < n; j++) finite = finite && isfinite(x[n + j]);
                ck_assert_msg(status >= 0 && finite, "%s, d = %lld: status %d", text, (long long)widths[w], (int)status);
                for (int64_t j = 0; status == MESAOPT_OK && j < n; j++) ck_assert_float_eq_tol(x[n + j], x[j], 1e-3f);
                free(x);
                mesaopt_lsq_free(l);
            }
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_lsq_calls_suite(void)
{
    Suite *s = suite_create("lsq_calls");
    TCase *t = tcase_create("lsq_calls");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, workspace_is_what_was_said, 0, 4);
    tcase_add_loop_test(t, a_long_sequence_can_be_stopped, 0, 4);
    tcase_add_test(t, digits_come_back_with_the_rank);
    tcase_add_test(t, a_solver_that_breaks_down_says_so);
    suite_add_tcase(s, t);
    return s;
}
