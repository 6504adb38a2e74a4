/* Bad arguments, arguments.h: lsq.h and rls.h. */
#include "arguments.h"

static mesaopt_view at(double *data, int32_t rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    mesaopt_view v;
    ck_assert_int_eq(mesaopt_view_dense(data, MESAOPT_F64, rank, (int64_t[]){a, b, c, d}, &v), MESAOPT_OK);
    return v;
}

static mesaopt_lsq *plan_of(const char *name, const char *value)
{
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_LSQ);
    mesaopt_lsq *l;
    if (name) ck_assert_int_eq(mesaopt_settings_set_text(s, name, value), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_lsq_plan(f->ctx, s, 2, 2, &l), MESAOPT_OK);
    mesaopt_settings_free(s);
    return l;
}

/* Elements that are wrong in themselves; inputs of the fixture are 1, 2, 3, .. */
static double bad_number[8], halves[8] = {.5, .5, .5, .5, .5, .5, .5, .5}, minus[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
static double endless[8] = {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY};
static double symmetric[8] = {2, 1, 1, 2, 2, 1, 1, 2}, indefinite[4] = {1, 5, 5, 1};

static void lsq_plan_rows(void)
{
    mesaopt_lsq **out = &f->out.lsq;
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_LSQ);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_lsq_plan(NULL, NULL, 2, 2, out));
    BAD(MESAOPT_E_ARGUMENT, "ctx: a tensor, expected a live ctx", mesaopt_lsq_plan((mesaopt_ctx *)f->tensor, NULL, 2, 2, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_lsq_plan(f->ctx, NULL, 2, 2, NULL));
    BAD(MESAOPT_E_SETTING, "settings: ", mesaopt_lsq_plan(f->ctx, f->trainer_settings, 2, 2, out));
    BAD(MESAOPT_E_ARGUMENT, "d_key: 0, expected 1 to 65536", mesaopt_lsq_plan(f->ctx, NULL, 0, 2, out));
    BAD(MESAOPT_E_ARGUMENT, "d_val: -1, expected", mesaopt_lsq_plan(f->ctx, NULL, 2, -1, out));
    BAD(MESAOPT_E_ARGUMENT, "d_key: 65537, expected", mesaopt_lsq_plan(f->ctx, NULL, 65537, 2, out));
    BAD(MESAOPT_E_MEMORY, "memory", (refuse(1), mesaopt_lsq_plan(f->ctx, NULL, 2, 2, out)));
    ck_assert_int_eq(mesaopt_settings_set_text(s, "solver", "sherman_morrison"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "gamma", "0.9"), MESAOPT_OK);
    BAD(MESAOPT_E_UNSUPPORTED, "solver: sherman_morrison with gamma < 1, expected gamma = 1", mesaopt_lsq_plan(f->ctx, s, 2, 2, out));
    mesaopt_settings_free(s);
    BAD(MESAOPT_OK, NULL, mesaopt_lsq_free(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_lsq_free((mesaopt_lsq *)f->tensor));
}

static void lsq_workspace_rows(mesaopt_lsq *l)
{
    int64_t *bytes = &f->out.whole;
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_lsq_workspace(NULL, MESAOPT_F32, 1, 1, 1, 0, 0, bytes));
    BAD(MESAOPT_E_DTYPE, "dtype: i32, expected f32 or f64", mesaopt_lsq_workspace(l, MESAOPT_I32, 1, 1, 1, 0, 0, bytes));
    BAD(MESAOPT_E_ARGUMENT, "batch: -1", mesaopt_lsq_workspace(l, MESAOPT_F32, -1, 1, 1, 0, 0, bytes));
    BAD(MESAOPT_E_ARGUMENT, "length: -1", mesaopt_lsq_workspace(l, MESAOPT_F32, 1, -1, 1, 0, 0, bytes));
    BAD(MESAOPT_E_ARGUMENT, "heads: 2147483648", mesaopt_lsq_workspace(l, MESAOPT_F32, 1, 1, (int64_t)MOST + 1, 0, 0, bytes));
    BAD(MESAOPT_E_ARGUMENT, "sequences: -1, expected 0 to", mesaopt_lsq_workspace(l, MESAOPT_F32, 1, 1, 1, -1, 0, bytes));
    BAD(MESAOPT_E_ARGUMENT, "sequences: 2, expected 0 to 0", mesaopt_lsq_workspace(l, MESAOPT_F32, 3, 1, 1, 2, 0, bytes));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_lsq_workspace(l, MESAOPT_F32, 1, 1, 1, 0, 0, NULL));
    BAD(MESAOPT_E_MEMORY, "the workspace overflows", mesaopt_lsq_workspace(l, MESAOPT_F64, MOST, MOST, MOST, 0, 1, bytes));
}

/* Each row with the further operands that follow. */
static int32_t which_[4];
static mesaopt_view views_[4];
static void with(int64_t i, int32_t which, mesaopt_view v) { which_[i] = which, views_[i] = v; }

static void lsq_operand_rows(mesaopt_lsq *l)
{
    const mesaopt_view q = at(f->in, 4, 1, 3, 1, 2), k = at(f->in + 8, 4, 1, 3, 1, 2), v = at(f->in + 16, 4, 1, 3, 1, 2), out = at(f->out.block, 4, 1, 3, 1, 2);
    const mesaopt_view tokens = at(halves, 3, 1, 3, 1, 0), more = at(f->out.block + 8, 4, 1, 3, 1, 2), bad = at(bad_number, 3, 1, 3, 1, 0);
    mesaopt_lsq *sm = plan_of("solver", "sherman_morrison");
    int64_t starts[] = {0, 2, 1};
    mesaopt_view offsets;
    mesaopt_view_dense(starts, MESAOPT_I64, 1, (int64_t[]){3}, &offsets);
#define FORWARD(count) mesaopt_lsq_forward(l, &q, &k, &v, &out, count, which_, views_)
    bad_number[1] = NAN;
    with(0, MESAOPT_LSQ_BETA, tokens), with(1, MESAOPT_LSQ_BETA, tokens);
    BAD(MESAOPT_E_ARGUMENT, "count: -1", FORWARD(-1));
    BAD(MESAOPT_E_ARGUMENT, "count: 99", FORWARD(99));
    BAD(MESAOPT_E_ARGUMENT, "which: NULL", mesaopt_lsq_forward(l, &q, &k, &v, &out, 1, NULL, views_));
    BAD(MESAOPT_E_ARGUMENT, "views: NULL", mesaopt_lsq_forward(l, &q, &k, &v, &out, 1, which_, NULL));
    BAD(MESAOPT_E_ARGUMENT, "which[1]: beta a second time", FORWARD(2));
    with(0, 77, tokens);
    BAD(MESAOPT_E_ARGUMENT, "which[0]: 77 (unknown), expected an operand of mesaopt_lsq_forward", FORWARD(1));
    with(0, MESAOPT_LSQ_D_BETA, tokens);
    BAD(MESAOPT_E_ARGUMENT, "which[0]: 15 (d_beta), expected an operand of mesaopt_lsq_forward", FORWARD(1));
    with(0, MESAOPT_LSQ_BETA, at(halves, 3, 1, 2, 1, 0));
    BAD(MESAOPT_E_SHAPE, "beta: shape [1,2,1], expected [1,3,1]", FORWARD(1));
    with(0, MESAOPT_LSQ_BETA, at(f->in, 3, 1, 3, 1, 0));
    BAD(MESAOPT_E_ARGUMENT, "beta: 2 at [0,1,0], expected a weight in 0..1", FORWARD(1));
    with(0, MESAOPT_LSQ_BETA, at(minus, 3, 1, 3, 1, 0));
    BAD(MESAOPT_E_ARGUMENT, "beta: -1 at [0,0,0]", FORWARD(1));
    with(0, MESAOPT_LSQ_BETA, bad);
    BAD(MESAOPT_E_NONFINITE, "beta: nan at [0,1,0]", FORWARD(1));
    with(0, MESAOPT_LSQ_BETA, at(endless, 3, 1, 3, 1, 0));
    BAD(MESAOPT_E_NONFINITE, "beta: inf at [0,0,0], expected a weight in 0..1", FORWARD(1));
    with(0, MESAOPT_LSQ_LOG_GAMMA, tokens);
    BAD(MESAOPT_E_ARGUMENT, "log_gamma: 0.5 at [0,0,0], expected the logarithm", FORWARD(1));
    with(0, MESAOPT_LSQ_LOG_GAMMA, bad);
    BAD(MESAOPT_E_NONFINITE, "log_gamma: nan", FORWARD(1));
    with(0, MESAOPT_LSQ_LOG_GAMMA, at(minus, 3, 1, 3, 1, 0));
    BAD(MESAOPT_E_UNSUPPORTED, "solver: sherman_morrison with log_gamma < 0", mesaopt_lsq_forward(sm, &q, &k, &v, &out, 1, which_, views_));
    with(0, MESAOPT_LSQ_RIDGE, at(minus, 2, 1, 2, 0, 0));
    BAD(MESAOPT_E_ARGUMENT, "ridge: -1 at [0,0], expected a positive, finite ridge", FORWARD(1));
    with(0, MESAOPT_LSQ_RIDGE, at(bad_number, 2, 1, 2, 0, 0));
    BAD(MESAOPT_E_ARGUMENT, "ridge: 0 at [0,0], expected a positive, finite ridge", FORWARD(1));
    with(0, MESAOPT_LSQ_RIDGE, at(endless, 2, 1, 2, 0, 0));
    BAD(MESAOPT_E_NONFINITE, "ridge: inf at [0,0], expected a positive, finite ridge", FORWARD(1));
    with(0, MESAOPT_LSQ_H0, at(f->in, 4, 1, 1, 2, 2));
    BAD(MESAOPT_E_ARGUMENT, "h0: 3 at [0,0,1,0] and 2 across the diagonal, expected a symmetric matrix", FORWARD(1));
    with(0, MESAOPT_LSQ_H0, at(minus, 4, 1, 1, 2, 2));
    BAD(MESAOPT_E_ARGUMENT, "h0: -1 at [0,0,0,0], expected no negative number", FORWARD(1));
    with(0, MESAOPT_LSQ_H0, at(indefinite, 4, 1, 1, 2, 2));
    BAD(MESAOPT_E_ARGUMENT, "h0: 5 at [0,0,1,0] between diagonal elements 1 and 1, expected a positive semidefinite matrix", FORWARD(1));
    with(0, MESAOPT_LSQ_H0, at(symmetric, 4, 2, 1, 2, 2));
    BAD(MESAOPT_E_SHAPE, "h0: shape [2,1,2,2], expected [1,1,2,2]", FORWARD(1));
    with(0, MESAOPT_LSQ_S0, at(bad_number, 4, 1, 1, 2, 2));
    BAD(MESAOPT_E_NONFINITE, "s0: not finite at [0,0,0,1]", FORWARD(1));
    with(0, MESAOPT_LSQ_OFFSETS, offsets);
    BAD(MESAOPT_E_ARGUMENT, "offsets: 1 at [2], expected numbers that rise from 0 to 3", FORWARD(1));
    starts[2] = 3;
    with(0, MESAOPT_LSQ_OFFSETS, offsets);
    BAD(MESAOPT_E_OVERLAP, "out: may share elements with offsets", mesaopt_lsq_forward(l, &q, &k, &v, VIEW(with_data(out, starts)), 1, which_, views_));
    with(0, MESAOPT_LSQ_OFFSETS, tokens);
    BAD(MESAOPT_E_SHAPE, "offsets: shape", FORWARD(1));
    with(0, MESAOPT_LSQ_SOLUTION, out);
    BAD(MESAOPT_E_OVERLAP, "out: may share elements with solution", FORWARD(1));
    with(0, MESAOPT_LSQ_SOLUTION, with_flags(more, MESAOPT_VIEW_READONLY));
    BAD(MESAOPT_E_ARGUMENT, "solution: a READONLY view", FORWARD(1));
    ck_assert_int_eq(mesaopt_lsq_free(sm), MESAOPT_OK);
}

static void lsq_call_rows(mesaopt_lsq *l)
{
    const mesaopt_view q = at(f->in, 4, 1, 3, 1, 2), k = at(f->in + 8, 4, 1, 3, 1, 2), v = at(f->in + 16, 4, 1, 3, 1, 2), out = at(f->out.block, 4, 1, 3, 1, 2);
    const mesaopt_view g = at(f->in + 24, 4, 1, 3, 1, 2), dk = at(f->out.block + 8, 4, 1, 3, 1, 2), dv = at(f->out.block + 16, 4, 1, 3, 1, 2);
    const mesaopt_view bad = at(bad_number, 4, 1, 3, 1, 2);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_lsq_forward(NULL, &q, &k, &v, &out, 0, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "q: NULL", mesaopt_lsq_forward(l, NULL, &k, &v, &out, 0, NULL, NULL));
    BAD(MESAOPT_E_SHAPE, "q: ", mesaopt_lsq_forward(l, &f->x, &k, &v, &out, 0, NULL, NULL));
    BAD(MESAOPT_E_SHAPE, "k: shape [1,2,1,2], expected [1,3,1,2]", mesaopt_lsq_forward(l, &q, VIEW(with_extent(k, 1, 2)), &v, &out, 0, NULL, NULL));
    BAD(MESAOPT_E_DTYPE, "v: ", mesaopt_lsq_forward(l, &q, &k, VIEW(with_dtype(v, MESAOPT_F32)), &out, 0, NULL, NULL));
    BAD(MESAOPT_E_NONFINITE, "k: not finite at [0,0,0,1]", mesaopt_lsq_forward(l, &q, &bad, &v, &out, 0, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_lsq_forward(l, &q, &k, &v, NULL, 0, NULL, NULL));
    BAD(MESAOPT_E_OVERLAP, "out: may share elements with v", mesaopt_lsq_forward(l, &q, &k, &v, &v, 0, NULL, NULL));
    BAD(MESAOPT_E_MEMORY, "memory", (refuse(1), mesaopt_lsq_forward(l, &q, &k, &v, &out, 0, NULL, NULL)));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_lsq_adjoint(NULL, &q, &k, &v, &g, &out, &dk, &dv, 0, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "dout: NULL", mesaopt_lsq_adjoint(l, &q, &k, &v, NULL, &out, &dk, &dv, 0, NULL, NULL));
    BAD(MESAOPT_E_NONFINITE, "dout: ", mesaopt_lsq_adjoint(l, &q, &k, &v, &bad, &out, &dk, &dv, 0, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "dq: NULL", mesaopt_lsq_adjoint(l, &q, &k, &v, &g, NULL, &dk, &dv, 0, NULL, NULL));
    BAD(MESAOPT_E_SHAPE, "dk: ", mesaopt_lsq_adjoint(l, &q, &k, &v, &g, &out, &f->to, &dv, 0, NULL, NULL));
    BAD(MESAOPT_E_OVERLAP, "dq: may share elements with dv", mesaopt_lsq_adjoint(l, &q, &k, &v, &g, &out, &dk, &out, 0, NULL, NULL));
    with(0, MESAOPT_LSQ_H_LAST, out);
    BAD(MESAOPT_E_ARGUMENT, "which[0]: 7 (h_last), expected an operand of mesaopt_lsq_adjoint",
        mesaopt_lsq_adjoint(l, &q, &k, &v, &g, &out, &dk, &dv, 1, which_, views_));
}

START_TEST(lsq_rows)
{
    bad_number[1] = NAN;
    mesaopt_lsq *l = plan_of(NULL, NULL);
    lsq_plan_rows();
    lsq_workspace_rows(l);
    lsq_call_rows(l);
    lsq_operand_rows(l);
    ck_assert_int_eq(mesaopt_lsq_free(l), MESAOPT_OK);
}
END_TEST

/* ---- rls.h ---- */

static void rls_row_rows(mesaopt_rls *r)
{
    const mesaopt_view k = at(f->in, 3, 3, 1, 2, 0), v = at(f->in + 8, 3, 3, 1, 2, 0), q = at(f->in + 16, 3, 3, 1, 2, 0), out = at(f->out.block, 3, 3, 1, 2, 0);
    const mesaopt_view bad = at(bad_number, 3, 3, 1, 2, 0), half = at(halves, 2, 3, 1, 0, 0), two = at(halves, 2, 2, 1, 0, 0);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rls_update(NULL, &k, &v, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "rls: a tensor, expected a live rls", mesaopt_rls_update((mesaopt_rls *)f->tensor, &k, &v, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "k: NULL", mesaopt_rls_update(r, NULL, &v, NULL, NULL));
    BAD(MESAOPT_E_SHAPE, "v: shape [2,1,2], expected [3,1,2]", mesaopt_rls_update(r, &k, VIEW(with_extent(v, 0, 2)), NULL, NULL));
    BAD(MESAOPT_E_NONFINITE, "k: not finite at [0,0,1], expected finite", mesaopt_rls_update(r, &bad, &v, NULL, NULL));
    BAD(MESAOPT_E_SHAPE, "beta: ", mesaopt_rls_update(r, &k, &v, &two, NULL));
    BAD(MESAOPT_E_ARGUMENT, "beta: -1 at [0,0], expected a weight", mesaopt_rls_update(r, &k, &v, VIEW(at(minus, 2, 3, 1, 0, 0)), NULL));
    BAD(MESAOPT_E_NONFINITE, "beta: inf at [0,0], expected a weight", mesaopt_rls_update(r, &k, &v, VIEW(at(endless, 2, 3, 1, 0, 0)), NULL));
    BAD(MESAOPT_E_ARGUMENT, "log_gamma: 0.5 at [0,0], expected", mesaopt_rls_update(r, &k, &v, NULL, &half));
    BAD(MESAOPT_E_NONFINITE, "log_gamma: inf at [0,0], expected", mesaopt_rls_update(r, &k, &v, NULL, VIEW(at(endless, 2, 3, 1, 0, 0))));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rls_predict(NULL, &q, &out, NULL));
    BAD(MESAOPT_E_ARGUMENT, "q: NULL", mesaopt_rls_predict(r, NULL, &out, NULL));
    BAD(MESAOPT_E_NONFINITE, "q: ", mesaopt_rls_predict(r, &bad, &out, NULL));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_rls_predict(r, &q, NULL, NULL));
    BAD(MESAOPT_E_OVERLAP, "out: may share elements with error", mesaopt_rls_predict(r, &q, &out, &out));
    BAD(MESAOPT_E_OVERLAP, "out: may share elements with q", mesaopt_rls_predict(r, &q, &q, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rls_step(NULL, &q, &k, &v, NULL, NULL, &out));
    BAD(MESAOPT_E_ARGUMENT, "q: NULL", mesaopt_rls_step(r, NULL, &k, &v, NULL, NULL, &out));
    BAD(MESAOPT_E_SHAPE, "k: ", mesaopt_rls_step(r, &q, &f->x, &v, NULL, NULL, &out));
    BAD(MESAOPT_E_NONFINITE, "v: ", mesaopt_rls_step(r, &q, &k, &bad, NULL, NULL, &out));
    BAD(MESAOPT_E_OVERLAP, "out: may share elements with v", mesaopt_rls_step(r, &q, &k, &v, NULL, NULL, &v));
    mesaopt_ctx_interrupt(f->ctx);
    BAD(MESAOPT_E_INTERRUPTED, "interrupted", mesaopt_rls_update(r, &k, &v, NULL, NULL));
}

static void rls_state_rows(mesaopt_rls *r, mesaopt_lsq *l)
{
    mesaopt_lsq *windowed = plan_of("window", "5");
    mesaopt_rls *other, *two, *alike;
    const mesaopt_view H = at(symmetric, 3, 1, 2, 2, 0), S = at(f->in, 3, 1, 2, 2, 0), out = at(f->out.block, 3, 1, 2, 2, 0), out_two = at(f->out.block + 8, 3, 1, 2, 2, 0);
    const mesaopt_view ridge = at(halves, 2, 1, 2, 0, 0);
    const int32_t both[] = {MESAOPT_RLS_KEY_STATE, MESAOPT_RLS_VALUE_STATE}, rows = MESAOPT_RLS_ROWS, none = 9;
    ck_assert_int_eq(mesaopt_rls_create(windowed, 1, NULL, &other), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_create(l, 1, &ridge, &two), MESAOPT_OK);
    BAD(MESAOPT_E_ARGUMENT, "rls: NULL, expected a live rls", mesaopt_rls_merge(NULL, r));
    BAD(MESAOPT_E_ARGUMENT, "from: NULL", mesaopt_rls_merge(r, NULL));
    BAD(MESAOPT_E_ARGUMENT, "from: the same handle", mesaopt_rls_merge(r, r));
    BAD(MESAOPT_E_ARGUMENT, "from: 1 streams of d_key 2, d_val 2, window 5, gamma 1, expected 1 of 2, 2, 0, 1", mesaopt_rls_merge(r, other));
    BAD(MESAOPT_E_ARGUMENT, "from: ridge 0.5 at [0,0], expected 1 as here", mesaopt_rls_merge(r, two));
    ck_assert_int_eq(mesaopt_rls_create(l, 1, NULL, &alike), MESAOPT_OK);
    BAD(MESAOPT_E_MEMORY, "merge: no memory", (refuse(1), mesaopt_rls_merge(r, alike)));
    ck_assert_int_eq(mesaopt_rls_free(alike), MESAOPT_OK);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rls_clear(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rls_get(NULL, 1, both, &out));
    BAD(MESAOPT_E_ARGUMENT, "count: -1", mesaopt_rls_get(r, -1, both, &out));
    BAD(MESAOPT_E_ARGUMENT, "which: NULL", mesaopt_rls_get(r, 1, NULL, &out));
    BAD(MESAOPT_E_ARGUMENT, "views: NULL", mesaopt_rls_get(r, 1, both, NULL));
    BAD(MESAOPT_E_ARGUMENT, "which[0]: 9, expected", mesaopt_rls_get(r, 1, &none, &out));
    BAD(MESAOPT_E_SHAPE, "key_state: ", mesaopt_rls_get(r, 1, both, &f->to));
    BAD(MESAOPT_E_ARGUMENT, "which[1]: key_state a second time", mesaopt_rls_get(r, 2, (int32_t[]){1, 1}, (mesaopt_view[]){out, out_two}));
    BAD(MESAOPT_E_OVERLAP, "key_state: may share elements with value_state", mesaopt_rls_get(r, 2, both, (mesaopt_view[]){out, out}));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rls_set(NULL, 2, both, (mesaopt_view[]){H, S}));
    BAD(MESAOPT_E_ARGUMENT, "which: without key_state or value_state", mesaopt_rls_set(r, 1, both, &H));
    BAD(MESAOPT_E_ARGUMENT, "key_state: -1 at [0,0,0], expected no negative number", mesaopt_rls_set(r, 2, both, (mesaopt_view[]){at(minus, 3, 1, 2, 2, 0), S}));
    BAD(MESAOPT_E_ARGUMENT, "key_state: 3 at [0,1,0] and 2 across the diagonal", mesaopt_rls_set(r, 2, both, (mesaopt_view[]){S, S}));
    BAD(MESAOPT_E_ARGUMENT, "key_state: 5 at [0,1,0] between", mesaopt_rls_set(r, 2, both, (mesaopt_view[]){at(indefinite, 3, 1, 2, 2, 0), S}));
    BAD(MESAOPT_E_SHAPE, "value_state: ", mesaopt_rls_set(r, 2, both, (mesaopt_view[]){H, f->x}));
    BAD(MESAOPT_E_NONFINITE, "value_state: not finite at [0,0,1]", mesaopt_rls_set(r, 2, both, (mesaopt_view[]){H, at(bad_number, 3, 1, 2, 2, 0)}));
    BAD(MESAOPT_E_ARGUMENT, "which[0]: rows, expected what can be set", mesaopt_rls_set(r, 1, &rows, &H));
    BAD(MESAOPT_E_ARGUMENT, "weight: -1 at [0], expected a finite number >= 0",
        mesaopt_rls_set(r, 3, (int32_t[]){1, 2, 3}, (mesaopt_view[]){H, S, at(minus, 1, 1, 0, 0, 0)}));
    BAD(MESAOPT_E_ARGUMENT, "residual: -1 at [0,0], expected a finite number >= 0",
        mesaopt_rls_set(r, 3, (int32_t[]){1, 2, 6}, (mesaopt_view[]){H, S, at(minus, 2, 1, 2, 0, 0)}));
    BAD(MESAOPT_E_UNSUPPORTED, "set: on a state with a window of 5 rows", mesaopt_rls_set(other, 2, both, (mesaopt_view[]){H, S}));
    ck_assert_int_eq(mesaopt_rls_free(other), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_free(two), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_lsq_free(windowed), MESAOPT_OK);
}

START_TEST(rls_rows)
{
    mesaopt_lsq *l = plan_of(NULL, NULL);
    mesaopt_rls *r, **out = &f->out.rls;
    bad_number[1] = NAN;
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rls_create(NULL, 1, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_rls_create(l, 1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "streams: 0, expected 1 to", mesaopt_rls_create(l, 0, NULL, out));
    BAD(MESAOPT_E_SHAPE, "ridge: ", mesaopt_rls_create(l, 1, &f->x, out));
    BAD(MESAOPT_E_ARGUMENT, "ridge: -1 at [0,0], expected a positive, finite ridge", mesaopt_rls_create(l, 1, VIEW(at(minus, 2, 1, 2, 0, 0)), out));
    BAD(MESAOPT_E_NONFINITE, "ridge: inf at [0,0], expected a positive, finite ridge", mesaopt_rls_create(l, 1, VIEW(at(endless, 2, 1, 2, 0, 0)), out));
    for (int n = 1; n <= 5; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_rls_create(l, 1, NULL, out)));
    ck_assert_int_eq(mesaopt_rls_create(l, 1, NULL, &r), MESAOPT_OK);
    rls_row_rows(r);
    rls_state_rows(r, l);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rls_set_note(NULL, "a", "b"));
    BAD(MESAOPT_E_ARGUMENT, "key: NULL", mesaopt_rls_set_note(r, NULL, "b"));
    BAD(MESAOPT_E_ARGUMENT, "key: ''", mesaopt_rls_set_note(r, "", "b"));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rls_save(NULL, "/tmp/x"));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_rls_save(r, NULL));
    BAD(MESAOPT_E_IO, "/nowhere/at/all", mesaopt_rls_save(r, "/nowhere/at/all"));
    BAD(MESAOPT_E_MEMORY, "memory", (refuse(1), mesaopt_rls_save(r, "/nowhere/at/all")));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rls_shape(NULL, &f->out.whole, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "rls: an lsq, expected a live rls", mesaopt_rls_shape((mesaopt_rls *)l, &f->out.whole, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_lsq_shape(NULL, &f->out.whole, NULL));
    BAD(MESAOPT_E_ARGUMENT, "lsq: an rls, expected a live lsq", mesaopt_lsq_shape((mesaopt_lsq *)r, &f->out.whole, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rls_save_to(NULL, no_bytes, NULL));
    BAD(MESAOPT_E_ARGUMENT, "write: NULL", mesaopt_rls_save_to(r, NULL, NULL));
    BAD(MESAOPT_E_IO, "write: it returned 1, expected 0", mesaopt_rls_save_to(r, no_bytes, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rls_open_from(NULL, f->in, 64, out));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_rls_open_from(l, NULL, 64, out));
    BAD(MESAOPT_E_ARGUMENT, "length: -1", mesaopt_rls_open_from(l, f->in, -1, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_rls_open_from(l, f->in, 64, NULL));
    BAD(MESAOPT_E_FORMAT, "memory: header of", mesaopt_rls_open_from(l, f->in, 64, out));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rls_open(NULL, "/tmp/x", out));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_rls_open(l, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_rls_open(l, "/tmp/x", NULL));
    BAD(MESAOPT_E_IO, "/nowhere/at/all", mesaopt_rls_open(l, "/nowhere/at/all", out));
    BAD(MESAOPT_OK, NULL, mesaopt_rls_free(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rls_free((mesaopt_rls *)f->tensor));
    ck_assert_int_eq(mesaopt_rls_free(r), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_lsq_free(l), MESAOPT_OK);
}
END_TEST

Suite *test_arguments_lsq_suite(void)
{
    const TTest *const tables[] = {lsq_rows, rls_rows};
    return arguments_suite("arguments of least squares", sizeof tables / sizeof *tables, tables);
}
