/* mesaopt_lsq: every gradient against finite differences in f64, for every operand there is, on every ISA level, by lanes, chunks and solvers. */
#include <check.h>
#include <math.h>
#include <mesaopt/mesaopt.h>
#include <stdlib.h>
#include <string.h>

enum { D = 4, DV = 3, H = 2 };

/* One call: all operands dense f64; which of them take part is a choice of the test. */
typedef struct problem {
    mesaopt_ctx *ctx;
    mesaopt_lsq *lsq;
    int64_t B, T, N;
    int gated, states, offsets, last;                          /* beta and log_gamma; initial states; offsets; final states matter */
    mesaopt_view q, k, v, out, dout, dq, dk, dv;
    mesaopt_view beta, log_gamma, ridge, h0, s0, hl, sl, dhl, dsl, dbeta, dlog_gamma, dridge, dh0, ds0, starts, root, droot;
} problem;

static mesaopt_ctx *open_ctx(int32_t isa)
{
    mesaopt_settings *s;
    mesaopt_ctx *ctx = NULL;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, NULL, NULL, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_ISA, isa), MESAOPT_OK);
    const mesaopt_status status = mesaopt_ctx_create(s, &ctx);
    mesaopt_settings_free(s);
    return status == MESAOPT_OK ? ctx : NULL;
}

static mesaopt_lsq *open_lsq(mesaopt_ctx *ctx, const char *solver, int64_t lanes, int64_t chunk)
{
    mesaopt_settings *s;
    mesaopt_lsq *l;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_LSQ, NULL, NULL, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "solver", solver), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_LANES, lanes), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_CHUNK, chunk), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_float(s, MESAOPT_KEY_RIDGE, 0.7), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_ITERATIONS, strcmp(solver, "neumann") ? 0 : 2000), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, s, D, DV, &l), MESAOPT_OK);
    mesaopt_settings_free(s);
    return l;
}

static mesaopt_view draw(mesaopt_ctx *ctx, int32_t rank, const int64_t *shape, uint64_t seed)
{
    mesaopt_view v;
    int64_t n = 1;
    for (int32_t i = 0; i < rank; i++) n *= shape[i];
    ck_assert_int_eq(mesaopt_view_dense(malloc((size_t)n * sizeof(double)), MESAOPT_F64, rank, shape, &v), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, seed, 5, 0, 0, 1, &v), MESAOPT_OK);
    return v;
}

static int64_t count(const mesaopt_view *v)
{
    int64_t n = 1;
    for (int32_t i = 0; i < v->ndim; i++) n *= v->shape[i];
    return n;
}

static double *data(const mesaopt_view *v) { return v->data; }

static mesaopt_view *const *all_views(problem *p, int *n)
{
    static mesaopt_view *list[32];
    mesaopt_view *all[] = {&p->q, &p->k, &p->v, &p->out, &p->dout, &p->dq, &p->dk, &p->dv, &p->beta, &p->log_gamma, &p->ridge, &p->h0, &p->s0, &p->hl, &p->sl,
                           &p->dhl, &p->dsl, &p->dbeta, &p->dlog_gamma, &p->dridge, &p->dh0, &p->ds0, &p->starts, &p->root, &p->droot};
    *n = sizeof all / sizeof *all;
    memcpy(list, all, sizeof all);
    return list;
}

/* H0 = M M^T / 2 from the root M, so that differences move a symmetric matrix. */
static void make_h0(problem *p)
{
    for (int64_t h = 0; h < p->N * H; h++)
        for (int64_t i = 0; i < D; i++)
            for (int64_t j = 0; j < D; j++) {
                double sum = 0;
                for (int64_t m = 0; m < D; m++) sum += data(&p->root)[(h * D + i) * D + m] * data(&p->root)[(h * D + j) * D + m];
                data(&p->h0)[(h * D + i) * D + j] = sum / 2;
            }
}

/* d(root) = dh0 M, since dh0 is symmetric. */
static void root_gradient(problem *p)
{
    for (int64_t h = 0; h < p->N * H; h++)
        for (int64_t i = 0; i < D; i++)
            for (int64_t j = 0; j < D; j++) {
                double sum = 0;
                for (int64_t m = 0; m < D; m++) sum += data(&p->dh0)[(h * D + i) * D + m] * data(&p->root)[(h * D + m) * D + j];
                data(&p->droot)[(h * D + i) * D + j] = sum;
            }
}

static problem make(mesaopt_ctx *ctx, int64_t B, int64_t T, const int64_t *starts, int64_t n_starts)
{
    problem p = {.ctx = ctx, .B = B, .T = T, .N = starts ? n_starts - 1 : B, .offsets = starts != NULL};
    const int64_t key[] = {B, T, H, D}, value[] = {B, T, H, DV}, channels[] = {H, D}, hs[] = {p.N, H, D, D}, ss[] = {p.N, H, D, DV};
    p.q = draw(ctx, 4, key, 1), p.k = draw(ctx, 4, key, 2), p.v = draw(ctx, 4, value, 3), p.out = draw(ctx, 4, value, 4), p.dout = draw(ctx, 4, value, 5);
    p.dq = draw(ctx, 4, key, 6), p.dk = draw(ctx, 4, key, 6), p.dv = draw(ctx, 4, value, 6);
    p.beta = draw(ctx, 3, key, 7), p.log_gamma = draw(ctx, 3, key, 8), p.dbeta = draw(ctx, 3, key, 6), p.dlog_gamma = draw(ctx, 3, key, 6);
    p.ridge = draw(ctx, 2, channels, 9), p.dridge = draw(ctx, 2, channels, 6);
    p.root = draw(ctx, 4, hs, 10), p.droot = draw(ctx, 4, hs, 6), p.h0 = draw(ctx, 4, hs, 6), p.hl = draw(ctx, 4, hs, 6), p.dhl = draw(ctx, 4, hs, 11);
    p.dh0 = draw(ctx, 4, hs, 6), p.s0 = draw(ctx, 4, ss, 12), p.sl = draw(ctx, 4, ss, 6), p.dsl = draw(ctx, 4, ss, 13), p.ds0 = draw(ctx, 4, ss, 6);
    for (int64_t i = 0; i < count(&p.beta); i++) data(&p.beta)[i] = 0.1 + 0.8 / (1 + exp(-data(&p.beta)[i]));
    for (int64_t i = 0; i < count(&p.beta); i++) data(&p.log_gamma)[i] = -0.05 - 0.2 * fabs(data(&p.log_gamma)[i]);
    for (int64_t i = 0; i < count(&p.ridge); i++) data(&p.ridge)[i] = 0.3 + fabs(data(&p.ridge)[i]);
    make_h0(&p);
    const int64_t n = n_starts;
    ck_assert_int_eq(mesaopt_view_dense(malloc((size_t)(n + 1) * sizeof(int64_t)), MESAOPT_I64, 1, &n, &p.starts), MESAOPT_OK);
    if (starts) memcpy(p.starts.data, starts, (size_t)n * sizeof(int64_t));
    return p;
}

static void drop(problem *p)
{
    int n;
    mesaopt_view *const *all = all_views(p, &n);
    for (int i = 0; i < n; i++) free(all[i]->data);
    ck_assert_int_eq(mesaopt_lsq_free(p->lsq), MESAOPT_OK);
}

typedef struct extras { int64_t n; int32_t which[24]; mesaopt_view view[24]; } extras;
static void add(extras *e, int32_t which, const mesaopt_view *v) { e->which[e->n] = which, e->view[e->n++] = *v; }

static void inputs(const problem *p, extras *e)
{
    e->n = 0;
    if (p->last >= 0) add(e, MESAOPT_LSQ_RIDGE, &p->ridge);
    if (p->gated) add(e, MESAOPT_LSQ_LOG_GAMMA, &p->log_gamma), add(e, MESAOPT_LSQ_BETA, &p->beta);
    if (p->states) add(e, MESAOPT_LSQ_H0, &p->h0), add(e, MESAOPT_LSQ_S0, &p->s0);
    if (p->offsets) add(e, MESAOPT_LSQ_OFFSETS, &p->starts);
}

static mesaopt_status forward(problem *p)
{
    extras e;
    inputs(p, &e);
    if (p->last) add(&e, MESAOPT_LSQ_H_LAST, &p->hl), add(&e, MESAOPT_LSQ_S_LAST, &p->sl);
    return mesaopt_lsq_forward(p->lsq, &p->q, &p->k, &p->v, &p->out, e.n, e.which, e.view);
}

static mesaopt_status adjoint(problem *p)
{
    extras e;
    inputs(p, &e);
    if (p->last) add(&e, MESAOPT_LSQ_D_H_LAST, &p->dhl), add(&e, MESAOPT_LSQ_D_S_LAST, &p->dsl);
    add(&e, MESAOPT_LSQ_D_RIDGE, &p->dridge);
    if (p->gated) add(&e, MESAOPT_LSQ_D_BETA, &p->dbeta), add(&e, MESAOPT_LSQ_D_LOG_GAMMA, &p->dlog_gamma);
    if (p->states) add(&e, MESAOPT_LSQ_D_H0, &p->dh0), add(&e, MESAOPT_LSQ_D_S0, &p->ds0);
    return mesaopt_lsq_adjoint(p->lsq, &p->q, &p->k, &p->v, &p->dout, &p->dq, &p->dk, &p->dv, e.n, e.which, e.view);
}

static double inner(const mesaopt_view *a, const mesaopt_view *b)
{
    double sum = 0;
    for (int64_t i = 0; i < count(a); i++) sum += data(a)[i] * data(b)[i];
    return sum;
}

static int32_t loss(double *out, void *user)
{
    problem *p = user;
    make_h0(p);
    const mesaopt_status status = forward(p);
    *out = inner(&p->out, &p->dout) + (p->last ? inner(&p->hl, &p->dhl) + inner(&p->sl, &p->dsl) : 0);
    return status;
}

static void compare(problem *p, const mesaopt_view *x, const mesaopt_view *g, const char *name, double bound)
{
    double error = 1;
    const mesaopt_status status = mesaopt_grad_check(p->ctx, loss, p, x, g, 1e-3, &error);
    char text[512];
    mesaopt_ctx_error(p->ctx, text, sizeof text);
    ck_assert_msg(status == MESAOPT_OK, "%s: %s", name, text);
    ck_assert_msg(error <= bound, "d %s: error %g", name, error);
}

static void check(problem *p)
{
    const double bound = 1e-7;
    ck_assert_int_eq(adjoint(p), MESAOPT_OK);
    root_gradient(p);
    compare(p, &p->q, &p->dq, "q", bound);
    compare(p, &p->k, &p->dk, "k", bound);
    compare(p, &p->v, &p->dv, "v", bound);
    compare(p, &p->ridge, &p->dridge, "ridge", bound);
    if (p->gated) compare(p, &p->beta, &p->dbeta, "beta", bound);
    if (p->gated && (p->T > 1 || p->states)) compare(p, &p->log_gamma, &p->dlog_gamma, "log_gamma", bound);
    if (p->states) compare(p, &p->root, &p->droot, "h0", bound), compare(p, &p->s0, &p->ds0, "s0", bound);
}

/* Every combination of operands, lanes and chunks. */
static void check_all(int32_t isa, const char *solver, int gated)
{
    mesaopt_ctx *ctx = open_ctx(isa);
    if (!ctx) return;
    for (int c = 0; c < 16; c++) {
        problem p = make(ctx, 3, 1 + c % 9, NULL, 0);
        p.gated = gated, p.states = c & 2, p.last = c & 4;
        p.lsq = open_lsq(ctx, solver, 1 + (c & 1), c & 8 ? 4 : 0);
        check(&p);
        drop(&p);
    }
    const int64_t starts[] = {0, 3, 3, 4, 11};
    for (int lanes = 1; lanes <= 2; lanes++) {
        problem p = make(ctx, 1, 11, starts, 5);
        p.gated = gated, p.states = 1, p.last = 1;
        p.lsq = open_lsq(ctx, solver, lanes, 4);
        check(&p);
        drop(&p);
    }
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}

START_TEST(cholesky) { check_all(1 + _i % 3, "cholesky", 1 - _i / 3); }
END_TEST

START_TEST(sherman_morrison) { check_all(1 + _i, "sherman_morrison", 0); }
END_TEST

START_TEST(iterative)
{
    const char *const solvers[] = {"cg", "jacobi", "pcg", "neumann"};
    check_all(1 + _i % 3, solvers[_i], 1);             /* every level with one solver at least: the products that differ are tested apart */
}
END_TEST

/* Long enough for several segments in every lane, and for chunks that end in their middle. */
START_TEST(long_sequence)
{
    mesaopt_ctx *ctx = open_ctx(1 + _i);
    if (!ctx) return;
    problem p = make(ctx, 1, 91, NULL, 0);
    p.gated = p.states = p.last = 1;
    p.lsq = open_lsq(ctx, "cholesky", 1, 13);
    check(&p);
    drop(&p);
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}
END_TEST

Suite *test_lsq_gradients_suite(void)
{
    Suite *s = suite_create("lsq_gradients");
    TCase *t = tcase_create("lsq_gradients");
    tcase_set_timeout(t, 600);
    tcase_add_loop_test(t, cholesky, 0, 6);
    tcase_add_loop_test(t, sherman_morrison, 0, 3);
    tcase_add_loop_test(t, iterative, 0, 4);
    tcase_add_loop_test(t, long_sequence, 0, 3);
    suite_add_tcase(s, t);
    return s;
}
