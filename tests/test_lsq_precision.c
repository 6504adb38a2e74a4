/* mesaopt_lsq where the ridge is lost in the rounding of the keys' squares, and what a row that has not converged holds. Of n equal keys k with values v the regression is known: out = n v k.q / (l + n k.k),
 * in f32 to the last digits, since double does what f32 cannot, and with a status where double cannot either. */
#include "contexts.h"
#include "training_setup.h"
#include <math.h>
#include <stdio.h>

static const char *const solvers[] = {"auto", "cholesky", "sherman_morrison", "segments", "cg", "cg_diag", "cg_chunk", "neumann"};
enum { SOLVERS = 8, ROWS = 40, MOST = 48 };

static mesaopt_lsq *plan_from(mesaopt_ctx *ctx, const char *text, int64_t d, int64_t dv)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, text);
    mesaopt_lsq *l;
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, s, d, dv, &l), MESAOPT_OK);
    mesaopt_settings_free(s);
    return l;
}

static void set(void *x, int32_t dtype, int64_t i, double to)
{
    if (dtype == MESAOPT_F32) ((float *)x)[i] = (float)to;
    else ((double *)x)[i] = to;
}
static double get(const void *x, int32_t dtype, int64_t i) { return dtype == MESAOPT_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i]; }

/* A call with `rows` times the key k and value v, queries q; out and residuals. The larger status. */
typedef struct equal_keys { int32_t dtype; int64_t d, rows; const double *k, *q; double v, ridge, out[ROWS], residual[ROWS], dv[ROWS]; } equal_keys;

static mesaopt_status run(mesaopt_ctx *ctx, const char *text, equal_keys *e)
{
    double memory[8][ROWS * MOST];
    mesaopt_view w[8];
    for (int i = 0; i < 8; i++) {                      /* q, k, v, out, residual, dq, dk, dv */
        const int64_t width = i == 0 || i == 1 || i == 5 || i == 6 ? e->d : 1;
        w[i] = i == 4 ? DENSE(memory[i], e->dtype, 1, e->rows, 1) : DENSE(memory[i], e->dtype, 1, e->rows, 1, width);
        for (int64_t j = 0; j < e->rows * width; j++) set(memory[i], e->dtype, j, i == 0 ? e->q[j % width] : i == 1 ? e->k[j % width] : i == 2 ? e->v : 1);
    }
    mesaopt_lsq *l = plan_from(ctx, text, e->d, 1);
    const int32_t which = MESAOPT_LSQ_RESIDUAL;
    const mesaopt_status forward = mesaopt_lsq_forward(l, &w[0], &w[1], &w[2], &w[3], 1, &which, &w[4]);
    for (int64_t t = 0; t < e->rows; t++) e->out[t] = get(memory[3], e->dtype, t), e->residual[t] = get(memory[4], e->dtype, t), set(memory[3], e->dtype, t, 1);
    const mesaopt_status adjoint = mesaopt_lsq_adjoint(l, &w[0], &w[1], &w[2], &w[3], &w[5], &w[6], &w[7], 0, NULL, NULL);
    for (int64_t t = 0; t < e->rows; t++) e->dv[t] = get(memory[7], e->dtype, t);
    ck_assert_int_eq(mesaopt_lsq_free(l), MESAOPT_OK);
    return forward > adjoint || forward < 0 ? forward : adjoint;
}

/* k.q and k.k in long double. */
static long double dot(int64_t d, const double *a, const double *b)
{
    long double sum = 0;
    for (int64_t i = 0; i < d; i++) sum += (long double)a[i] * (long double)b[i];
    return sum;
}

/* Outputs, and the gradient of their sum by the values, which is sum over t >= s of k.q / (l + (t + 1) k.k). */
static void compare(const equal_keys *e, const char *text, double bound)
{
    const long double kq = dot(e->d, e->k, e->q), kk = dot(e->d, e->k, e->k);
    long double dv = 0;
    for (int64_t t = e->rows - 1; t >= 0; t--) {
        const long double share = kq / ((long double)e->ridge + (long double)(t + 1) * kk), out = share * (long double)(t + 1) * (long double)e->v;
        dv += share;
        if (!(fabsl(e->out[t] - out) <= bound * fabsl(out))) ck_abort_msg("%s: out %.9g at %lld, expected %.9Lg", text, e->out[t], (long long)t, out);
        if (!(fabsl(e->dv[t] - dv) <= bound * fabsl(dv))) ck_abort_msg("%s: dv %.9g at %lld, expected %.9Lg", text, e->dv[t], (long long)t, dv);
    }
}

/* Every level and solver that is exact up to rounding, f32, one lane and many. */
START_TEST(f32_has_the_digits_of_double)
{
    static const double keys[][3] = {{5905, 7415, 8414}, {1803, 9877, 7723}, {3e6, -1e6, 2e6}, {1e-4, 2e-4, -3e-4}}, queries[3] = {1, 0, 0};
    static const double ridges[] = {1, 0.25, 1e4, 1e-15};
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 1);
        for (int s = 0; ctx && s < SOLVERS - 1; s++)
            for (int lanes = 1; lanes <= 2; lanes++) {
                char text[96];
                equal_keys e = {.dtype = MESAOPT_F32, .d = 3, .rows = 1 + _i % 4 * 9, .k = keys[_i / 4], .q = queries, .v = 1000, .ridge = (double)(float)ridges[_i / 4]};
                double k[3];
                for (int i = 0; i < 3; i++) k[i] = (double)(float)e.k[i];
                e.k = k;
                snprintf(text, sizeof text, "solver=%s ridge=%.17g lanes=%d", solvers[s], e.ridge, lanes);
                const mesaopt_status status = run(ctx, text, &e);
                if (status != MESAOPT_OK && s < 4) ck_abort_msg("%s: status %d", text, (int)status);
                compare(&e, text, 1e-5);
            }
        if (ctx) ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
    }
}
END_TEST

/* In double the same at 1e-18: too large an error or a status. */
START_TEST(what_double_cannot_do_has_a_status)
{
    static const double ridges[] = {1e-18, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-9};
    const double k[2] = {1, 1}, q[2] = {1, 0};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    for (int s = 0; s < SOLVERS; s++)
        for (int r = 0; r < 7; r++)
            for (int single = 0; single < 2; single++) {
                char text[96];
                equal_keys e = {.dtype = single ? MESAOPT_F32 : MESAOPT_F64, .d = 2, .rows = 3, .k = k, .q = q, .v = 1, .ridge = ridges[r]};
                snprintf(text, sizeof text, "solver=%s ridge=%g tolerance=%g", solvers[s], ridges[r], s < 4 ? 0 : 1e-4);
                const mesaopt_status status = run(ctx, text, &e);
                if (r < 2) ck_assert_int_eq(status, MESAOPT_NOT_CONVERGED);
                if (r > 5 && s < 4) ck_assert_int_eq(status, MESAOPT_OK);
                for (int t = 0; t < 3; t++) ck_assert(isfinite(e.out[t]) && isfinite(e.residual[t]) && isfinite(e.dv[t]));
                if (status != MESAOPT_OK) continue;
                compare(&e, text, 1e-2);
                for (int t = 0; s >= 4 && t < 3; t++) ck_assert_double_le(e.residual[t], 1e-4);
            }
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}
END_TEST

/* ---- rows that did not converge ---- */

/* Two heads; keys of one are fine, those of the other become too large at token 3. */
enum { T = 5, H = 2, D = 3 };
typedef struct pair_of_heads { double q[T][H][D], k[T][H][D], v[T][H], out[T][H], x[T][H][D], residual[T][H], dq[T][H][D], dk[T][H][D], dv[T][H]; } pair_of_heads;

static mesaopt_view tokens(void *x, int64_t width) { return width ? DENSE(x, MESAOPT_F64, 1, T, H, width) : DENSE(x, MESAOPT_F64, 1, T, H); }

static pair_of_heads heads(double large)
{
    pair_of_heads p = {0};
    for (int t = 0; t < T; t++)
        for (int h = 0; h < H; h++) {
            p.v[t][h] = 1;
            for (int i = 0; i < D; i++) p.q[t][h][i] = sin(i * i + 2 * t + h), p.k[t][h][i] = (h == 1 && t >= 3 ? large : 1) * cos(i + 3 * t + h);
        }
    return p;
}

static void all_finite(const void *x, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof(double); i++) ck_assert(isfinite(((const double *)x)[i]));
}

/* The text names the first of them and says how many; RESIDUAL tells which; the others are as without them; its solution is an input of the adjoint. */
START_TEST(rows_that_did_not_converge)
{
    static const char *const settings[] = {"solver=auto", "solver=cholesky lanes=1", "solver=segments lanes=2", "solver=cg_diag", "solver=cg_chunk fallback=0"};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    for (int s = 0; s < 5; s++)
        for (int size = 0; size < 3; size++) {
            static const double sizes[] = {1e9, 1e70, 1e160};
            pair_of_heads p = heads(sizes[size]), fine = heads(1);
            const int32_t which[] = {MESAOPT_LSQ_RESIDUAL, MESAOPT_LSQ_SOLUTION};
            mesaopt_lsq *l = plan_from(ctx, settings[s], D, 1);
            for (int i = 0; i < 2; i++) {
                pair_of_heads *a = i ? &p : &fine;
                const mesaopt_view more[] = {tokens(a->residual, 0), tokens(a->x, D)}, q = tokens(a->q, D), k = tokens(a->k, D), v = tokens(a->v, 1), out = tokens(a->out, 1);
                const mesaopt_view dq = tokens(a->dq, D), dk = tokens(a->dk, D), dv = tokens(a->dv, 1);
                ck_assert_int_eq(mesaopt_lsq_forward(l, &q, &k, &v, &out, 2, which, more), i ? MESAOPT_NOT_CONVERGED : MESAOPT_OK);
                if (i) SAID(ctx, s < 4 ? "in 2 rows, the first at [0,3,1]" : "by 2 rows within the iterations, the first at [0,3,1]");
                ck_assert_int_eq(mesaopt_lsq_adjoint(l, &q, &k, &v, &v, &dq, &dk, &dv, 1, which + 1, more + 1), i ? MESAOPT_NOT_CONVERGED : MESAOPT_OK);
            }
            all_finite(&p, sizeof p);
            for (int t = 0; t < T; t++)
                for (int h = 0; h < H; h++) {
                    ck_assert_int_eq(p.residual[t][h] > 0x1p-10, h == 1 && t >= 3);
                    if (h == 0 || t < 3) ck_assert_double_eq_tol(p.out[t][h], fine.out[t][h], 1e-12);
                }
            ck_assert_int_eq(mesaopt_lsq_free(l), MESAOPT_OK);
        }
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}
END_TEST

/* Results that their type cannot hold, and sums that it cannot: never MESAOPT_OK. */
START_TEST(results_out_of_range)
{
    static const double keys[] = {1e19, 3e19, 1e30, 1e38}, queries[] = {1, 1e30};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 2; j++) {
            double k[3] = {keys[i], -keys[i] / 2, keys[i] / 3}, q[3] = {queries[j], queries[j], 0};
            equal_keys e = {.dtype = MESAOPT_F32, .d = 3, .rows = 4, .k = k, .q = q, .v = 1e10, .ridge = 1};
            ck_assert_int_ne(run(ctx, "solver=auto", &e), MESAOPT_OK);
            k[1] = k[2] = 0, e.q = k;                  /* along the keys the regression is well determined */
            const mesaopt_status status = run(ctx, "solver=cholesky", &e);
            if (status >= 0) for (int t = 0; t < 4; t++) ck_assert_double_eq_tol(e.out[t], 1e10, 1e5);
        }
    pair_of_heads p = heads(1e150);
    mesaopt_lsq *l = plan_from(ctx, "", D, 1);
    const mesaopt_view q = tokens(p.q, D), k = tokens(p.k, D), v = tokens(p.v, 1), dq = tokens(p.dq, D), dk = tokens(p.dk, D), dv = tokens(p.dv, 1);
    const mesaopt_status status = mesaopt_lsq_adjoint(l, &q, &k, &v, &v, &dq, &dk, &dv, 0, NULL, NULL);
    ck_assert_int_ne(status, MESAOPT_OK);
    if (status > 0) all_finite(&p, sizeof p);
    for (int t = 0; t < T; t++) p.v[t][0] = 1e300;
    const mesaopt_view out = tokens(p.out, 1);
    for (int i = 0; i < D; i++) p.q[4][0][i] = 1e20;
    REFUSED(ctx, MESAOPT_E_NONFINITE, "out: not finite at [0,4,0,0]", mesaopt_lsq_forward(l, &q, &k, &v, &out, 0, NULL, NULL));
    ck_assert_int_eq(mesaopt_lsq_free(l), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}
END_TEST

/* ---- operands ---- */

/* The gradient by gates that are not given is that by gates that are. */
START_TEST(gates_that_are_not_given_have_gradients)
{
    static const char *const settings[] = {"gamma=1", "gamma=0.9", "gamma=1 solver=sherman_morrison", "gamma=0"};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    for (int s = 0; s < 4; s++) {
        double given[T][H], beta[T][H], d[2][2][T][H];
        const double gamma = s == 1 ? 0.9 : s == 3 ? 0 : 1;
        pair_of_heads p = heads(1);
        mesaopt_lsq *l = plan_from(ctx, settings[s], D, 1);
        for (int i = 0; i < T * H; i++) given[i / H][i % H] = log(gamma), beta[i / H][i % H] = 1;
        for (int i = 0; i < 2; i++) {
            const int32_t which[] = {MESAOPT_LSQ_D_BETA, MESAOPT_LSQ_D_LOG_GAMMA, MESAOPT_LSQ_BETA, MESAOPT_LSQ_LOG_GAMMA};
            const mesaopt_view more[] = {tokens(d[i][0], 0), tokens(d[i][1], 0), tokens(beta, 0), tokens(given, 0)};
            const mesaopt_view q = tokens(p.q, D), k = tokens(p.k, D), v = tokens(p.v, 1), dq = tokens(p.dq, D), dk = tokens(p.dk, D), dv = tokens(p.dv, 1);
            ck_assert_int_eq(mesaopt_lsq_adjoint(l, &q, &k, &v, &v, &dq, &dk, &dv, i ? 4 : 2, which, more), MESAOPT_OK);
        }
        for (int i = 0; i < 2 * T * H; i++) ck_assert_double_eq_tol((&d[0][0][0][0])[i], (&d[1][0][0][0])[i], 1e-12);
        if (gamma > 0) ck_assert_double_gt(fabs(d[0][1][2][0]), 1e-3);
        ck_assert_int_eq(mesaopt_lsq_free(l), MESAOPT_OK);
    }
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}
END_TEST

/* As cu_seqlens of other libraries. */
START_TEST(offsets_of_32_bits)
{
    static const int64_t wide[] = {0, 2, 2, 5};
    int32_t narrow[] = {0, -9, 2, -9, 2, -9, 5};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_lsq *l = plan_from(ctx, "", D, 1);
    mesaopt_view offsets[] = {DENSE((void *)wide, MESAOPT_I64, 4), DENSE(narrow, MESAOPT_I32, 4)};
    pair_of_heads p[] = {heads(1), heads(1)};
    const int32_t which = MESAOPT_LSQ_OFFSETS;
    offsets[1].stride[0] = 2;
    for (int i = 0; i < 2; i++) {
        const mesaopt_view q = tokens(p[i].q, D), k = tokens(p[i].k, D), v = tokens(p[i].v, 1), out = tokens(p[i].out, 1);
        const mesaopt_view dq = tokens(p[i].dq, D), dk = tokens(p[i].dk, D), dv = tokens(p[i].dv, 1);
        ck_assert_int_eq(mesaopt_lsq_forward(l, &q, &k, &v, &out, 1, &which, &offsets[i]), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_lsq_adjoint(l, &q, &k, &v, &v, &dq, &dk, &dv, 1, &which, &offsets[i]), MESAOPT_OK);
        REFUSED(ctx, MESAOPT_E_ARGUMENT, "offsets: 4 at [3]", (narrow[6] = 4, mesaopt_lsq_forward(l, &q, &k, &v, &out, 1, &which, &offsets[1])));
        narrow[6] = 5;
    }
    ck_assert_mem_eq(&p[0], &p[1], sizeof p[0]);
    ck_assert_int_eq(mesaopt_lsq_free(l), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}
END_TEST

/* Pieces that f64 solves may have other lengths and chunks than the longest one: 511 tokens in chunks of 256. Read with 1 and 2 heads in a panel or alone; poisoned gaps
 * tell when a piece takes more than was planned. f32 rounds what f64 gives for the same numbers. */
static void solve_pieces(mesaopt_ctx *ctx, const char *solver, int32_t dtype, double *out)
{
    enum { T = 511, H = 2, N = T * H * 2 };
    static double memory[4][N];
    mesaopt_view w[4], *q = &w[0], *k = &w[1], *v = &w[2], *o = &w[3];
    char text[80];
    for (int i = 0; i < 4; i++) w[i] = DENSE(memory[i], dtype, 1, T, H, 2);
    for (int64_t j = 0; j < N; j++)
        for (int i = 0; i < 3; i++) set(memory[i], dtype, j, (i == 1 ? 1000 : 1) * sin((double)((i + 2) * j * j % 1009)));
    snprintf(text, sizeof text, "solver=%s ridge=1e-9 chunk=256 iterations=0", solver);
    mesaopt_lsq *l = plan_from(ctx, text, 2, 2);
    ck_assert_int_ge(mesaopt_lsq_forward(l, q, k, v, o, 0, NULL, NULL), 0);
    for (int64_t j = 0; j < N; j++) out[j] = get(memory[3], dtype, j);
    ck_assert_int_eq(mesaopt_lsq_free(l), MESAOPT_OK);
}

START_TEST(pieces_of_other_lengths)
{
    enum { N = 511 * 2 * 2 };
    static double of_f32[N], of_f64[N];
    mesaopt_ctx *ctx = context_from("");
    solve_pieces(ctx, solvers[_i], MESAOPT_F32, of_f32);
    solve_pieces(ctx, "cholesky", MESAOPT_F64, of_f64);
    double off = 0, size = 0;
    for (int64_t j = 40; j < N; j++) off += fabs(of_f32[j] - of_f64[j]), size += fabs(of_f64[j]);      /* the first rows are fitted exactly, whatever q */
    ck_assert_msg(off <= 1e-3 * size, "%s: off by %g of %g", solvers[_i], off, size);
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}
END_TEST

/* Keys that f32 has no digits for, forward with a certificate and backward: every request for memory is refused once. Refused, a call says so and has
 * written nothing; then it gives what it gives where memory is plenty. */
typedef struct call_of_f64 { float q[24], k[24], v[24], gate[12], out[24], residual[12], solution[24], dq[24], dk[24], dv[24], dgate[12]; } call_of_f64;

static mesaopt_status solve_in_f64(mesaopt_lsq *l, call_of_f64 *c, int backward)
{
    enum { T = 12 };
    const mesaopt_view q = DENSE(c->q, MESAOPT_F32, 1, T, 1, 2), k = DENSE(c->k, MESAOPT_F32, 1, T, 1, 2), v = DENSE(c->v, MESAOPT_F32, 1, T, 1, 2),
                       out = DENSE(c->out, MESAOPT_F32, 1, T, 1, 2), dq = DENSE(c->dq, MESAOPT_F32, 1, T, 1, 2), dk = DENSE(c->dk, MESAOPT_F32, 1, T, 1, 2),
                       dv = DENSE(c->dv, MESAOPT_F32, 1, T, 1, 2), gate = DENSE(c->gate, MESAOPT_F32, 1, T, 1), residual = DENSE(c->residual, MESAOPT_F32, 1, T, 1),
                       solution = DENSE(c->solution, MESAOPT_F32, 1, T, 1, 2), dgate = DENSE(c->dgate, MESAOPT_F32, 1, T, 1);
    const int gated = c->gate[0] != 0;
    static const int32_t forward[] = {MESAOPT_LSQ_RESIDUAL, MESAOPT_LSQ_SOLUTION, MESAOPT_LSQ_LOG_GAMMA},
                         adjoint[] = {MESAOPT_LSQ_RESIDUAL, MESAOPT_LSQ_LOG_GAMMA, MESAOPT_LSQ_D_LOG_GAMMA};
    return backward ? mesaopt_lsq_adjoint(l, &q, &k, &v, &v, &dq, &dk, &dv, gated ? 3 : 1, adjoint, (mesaopt_view[]){residual, gate, dgate})
                    : mesaopt_lsq_forward(l, &q, &k, &v, &out, gated ? 3 : 2, forward, (mesaopt_view[]){residual, solution, gate});
}

START_TEST(memory_of_f64)
{
    char text[80];
    const int gated = strcmp(solvers[_i], "sherman_morrison") != 0;
    call_of_f64 first = {.q = {0}};
    for (int j = 0; j < 24; j++) first.q[j] = (float)sin(j), first.k[j] = (float)(1000 * sin(2 + j * j)), first.v[j] = (float)cos(j);
    for (int j = 0; j < 12; j++) first.gate[j] = gated ? -0.01f : 0;
    snprintf(text, sizeof text, "solver=%s ridge=1e-9", solvers[_i]);
    for (int backward = 0; backward < 2; backward++) {
        call_of_f64 want = first;
        hook_alloc hook = {0};
        mesaopt_ctx *plenty = context_from(""), *ctx = context_hooked(&hook, "");
        mesaopt_lsq *l = plan_from(plenty, text, 2, 2);
        const mesaopt_status expected = solve_in_f64(l, &want, backward);
        ck_assert_int_ge(expected, 0);
        mesaopt_lsq_free(l);
        int refused = 0;
        for (mesaopt_status status = MESAOPT_E_MEMORY; status == MESAOPT_E_MEMORY; refused++) {
            call_of_f64 got = first;
            l = plan_from(ctx, text, 2, 2);
            hook.fail_at = hook.calls + refused + 1;
            status = solve_in_f64(l, &got, backward);
            hook.fail_at = 0;
            if (status == MESAOPT_E_MEMORY) ck_assert_mem_eq(&got, &first, sizeof got);
            else ck_assert_int_eq(status, expected);
            ck_assert_int_eq(solve_in_f64(l, &got, backward), expected);
            ck_assert_mem_eq(&got, &want, sizeof got);
            mesaopt_lsq_free(l);
        }
        ck_assert_int_gt(refused, 1);
        mesaopt_ctx_free(ctx), mesaopt_ctx_free(plenty);
        ck_assert_int_eq(hook.blocks, 0);
    }
}
END_TEST

static void put_number(mesaopt_view *v, int64_t t, double x) { if (v->dtype == MESAOPT_F32) ((float *)v->data)[t] = (float)x; else ((double *)v->data)[t] = x; }
static double number_at(const mesaopt_view *v, int64_t t) { return v->dtype == MESAOPT_F32 ? (double)((float *)v->data)[t] : ((double *)v->data)[t]; }

/* Of the long sequences; sanitizers look at memory, not at digits, and need no more than one key. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { KEYS_APART = 4 };
#else
enum { KEYS_APART = 1 };
#endif
static const double keys[] = {0.9721, 1.3138, 0.5379, 1.7613}, values[] = {1.1237, 0.8719, 0.3571, 1.9137};

/* Sums of hundreds of thousands of equal keys, which all round alike, and the last outputs are as exact as ever: f32 and f64, in panels and alone, with the
 * chunks that the library chooses and with others that leave single tokens. */
START_TEST(long_sequences)
{
    enum { LONG = 200000 };
    const int32_t dtype = _i & 1 ? MESAOPT_F32 : MESAOPT_F64, isa = _i >> 3;
    double *x = calloc(4 * LONG, sizeof *x);
    mesaopt_ctx *ctx = context_at(isa, 1);
    static const char *const plans[] = {"lanes=1", "lanes=2", "lanes=2 chunk=1", "lanes=2 chunk=257"};
    mesaopt_lsq *l = ctx ? plan_from(ctx, plans[_i >> 1 & 3], 1, 1) : NULL;
    ck_assert_ptr_nonnull(x);
    for (int i = 0; l && i < 8; i += KEYS_APART) {
        mesaopt_view q = DENSE(x, dtype, 1, LONG, 1, 1), k = DENSE(x + LONG, dtype, 1, LONG, 1, 1), v = DENSE(x + 2 * LONG, dtype, 1, LONG, 1, 1), o = DENSE(x + 3 * LONG, dtype, 1, LONG, 1, 1);
        double numbers[2];
        mesaopt_view one = DENSE(numbers, dtype, 1, 1), g = DENSE(numbers + 1, dtype, 1, LONG, 1);
        for (int j = 0; j < 3; j++) g.stride[j] = 0;
        for (int64_t t = 0; t < LONG; t++) put_number(&q, t, 1), put_number(&k, t, keys[i % 4]), put_number(&v, t, values[i % 4]);
        const double key = number_at(&k, 0), value = number_at(&v, 0);
        put_number(&one, 0, LONG * key * key), put_number(&g, 0, i < 4 ? 0 : -1e-7);
        const double ridge = number_at(&one, 0), gate = number_at(&g, 0);
        ck_assert_int_eq(mesaopt_lsq_forward(l, &q, &k, &v, &o, 2, (const int32_t[]){MESAOPT_LSQ_RIDGE, MESAOPT_LSQ_LOG_GAMMA}, (const mesaopt_view[]){one, g}), MESAOPT_OK);
        for (int64_t t = LONG / 2; t < LONG; t += 777) {
            const long double n = gate == 0 ? (long double)(t + 1) : expm1l((long double)(t + 1) * (long double)gate) / expm1l((long double)gate);
            const long double H = n * key * key, exact = n * key * value / (H + ridge);
            ck_assert_double_le((double)fabsl(number_at(&o, t) - exact), (dtype == MESAOPT_F32 ? 0x1p-20 : 0x1p-45) * (double)((H + ridge) / ridge * 2 * exact));
        }
    }
    mesaopt_lsq_free(l), mesaopt_ctx_free(ctx), free(x);
}
END_TEST

/* Gradients of keys, which sum over all later tokens: with outputs n k v / (n k^2 + l) after n tokens, of each
 * v / (n k^2 + l) - 2 n k^2 v / (n k^2 + l)^2. */
START_TEST(gradients_of_long_sequences)
{
    enum { LONG = 100000 };
    const int32_t dtype = _i & 1 ? MESAOPT_F32 : MESAOPT_F64, isa = _i >> 3;
    static const char *const plans[] = {"lanes=1", "lanes=1 chunk=257", "lanes=2 chunk=257", "lanes=2 chunk=640"};
    mesaopt_ctx *ctx = context_at(isa, 1);
    mesaopt_lsq *l = ctx ? plan_from(ctx, plans[_i >> 1 & 3], 1, 1) : NULL;
    double *x = calloc(3 * LONG, sizeof *x), numbers[4];
    ck_assert_ptr_nonnull(x);
    mesaopt_view dk = DENSE(x, dtype, 1, LONG, 1, 1), dv = DENSE(x + LONG, dtype, 1, LONG, 1, 1), dq = DENSE(x + 2 * LONG, dtype, 1, LONG, 1, 1);
    mesaopt_view one = DENSE(numbers, dtype, 1, LONG, 1, 1), k = DENSE(numbers + 1, dtype, 1, LONG, 1, 1), v = DENSE(numbers + 2, dtype, 1, LONG, 1, 1), ridge = DENSE(numbers + 3, dtype, 1, 1);
    for (int j = 0; j < 4; j++) one.stride[j] = k.stride[j] = v.stride[j] = 0;
    put_number(&one, 0, 1);
    for (int i = 0; l && i < 4; i += KEYS_APART) {
        put_number(&k, 0, keys[i]), put_number(&v, 0, values[i]);
        const double key = number_at(&k, 0), value = number_at(&v, 0);
        put_number(&ridge, 0, LONG * key * key);
        const double lambda = number_at(&ridge, 0);
        ck_assert_int_eq(mesaopt_lsq_adjoint(l, &one, &k, &v, &one, &dq, &dk, &dv, 1, (const int32_t[]){MESAOPT_LSQ_RIDGE}, &ridge), MESAOPT_OK);
        long double sum = 0, size = 0;
        for (int64_t t = LONG - 1; t >= 0; t--) {
            const long double H = (long double)(t + 1) * key * key, a = value / (H + lambda), b = 2 * H * a / (H + lambda);
            sum += a - b, size += a + b;
            if (t % 777 == 0) ck_assert_double_le((double)fabsl(number_at(&dk, t) - sum), (dtype == MESAOPT_F32 ? 0x1p-20 : 0x1p-45) * (double)size);
        }
    }
    mesaopt_lsq_free(l), mesaopt_ctx_free(ctx), free(x);
}
END_TEST

/* Queries of which squares are no numbers of f64: rows are judged like those of queries a power of 2 times as large. */
START_TEST(tiny_queries)
{
    enum { T = 8, W = 3 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double q[T * W], k[T * W], v[T], out[T], x[T * W], residual[T], first[T];
    const mesaopt_view qv = DENSE(q, MESAOPT_F64, 1, T, 1, W), kv = DENSE(k, MESAOPT_F64, 1, T, 1, W), vv = DENSE(v, MESAOPT_F64, 1, T, 1, 1), o = DENSE(out, MESAOPT_F64, 1, T, 1, 1);
    const mesaopt_view more[] = {DENSE(x, MESAOPT_F64, 1, T, 1, W), DENSE(residual, MESAOPT_F64, 1, T, 1)};
    for (int i = 0; i < 2; i++)
        for (int scale = 0; scale < 4; scale++) {
            mesaopt_lsq *l = plan_from(ctx, i == 0 ? "solver=cholesky ridge=1e-8" : "solver=cholesky ridge=1e-3", W, 1);
            for (int t = 0; t < T; t++) {
                const double a = 1000 * sin(t + 1.0), row[W] = {a, a * (1 + 1e-9 * cos(3.0 * t)), 1000 * cos(2.0 * t)};
                for (int j = 0; j < W; j++) k[t * W + j] = row[j], q[t * W + j] = ldexp(sin(5.0 * t + j), -280 * scale);
                v[t] = 1;
            }
            const mesaopt_status status = mesaopt_lsq_forward(l, &qv, &kv, &vv, &o, 2, (const int32_t[]){MESAOPT_LSQ_SOLUTION, MESAOPT_LSQ_RESIDUAL}, more);
            ck_assert_int_eq(status, i == 0 ? MESAOPT_NOT_CONVERGED : MESAOPT_OK);
            for (int t = 0; t < T; t++) {
                if (scale == 0) first[t] = residual[t];
                ck_assert_double_le(fabs(residual[t] - first[t]), 1e-9 * first[t]);
            }
            mesaopt_lsq_free(l);
        }
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_lsq_precision_suite(void)
{
    Suite *s = suite_create("lsq_precision");
    TCase *t = tcase_create("lsq_precision");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, pieces_of_other_lengths, 0, SOLVERS);
    tcase_add_loop_test(t, memory_of_f64, 0, SOLVERS);
    tcase_add_loop_test(t, long_sequences, 8 * MESAOPT_ISA_BASELINE, 8 * (MESAOPT_ISA_AVX512 + 1));
    tcase_add_loop_test(t, gradients_of_long_sequences, 8 * MESAOPT_ISA_BASELINE, 8 * (MESAOPT_ISA_AVX512 + 1));
    tcase_add_test(t, tiny_queries);
    tcase_add_loop_test(t, f32_has_the_digits_of_double, 0, 16);
    tcase_add_test(t, what_double_cannot_do_has_a_status);
    tcase_add_test(t, rows_that_did_not_converge);
    tcase_add_test(t, results_out_of_range);
    tcase_add_test(t, gates_that_are_not_given_have_gradients);
    tcase_add_test(t, offsets_of_32_bits);
    suite_add_tcase(s, t);
    return s;
}
