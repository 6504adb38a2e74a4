/* Properties of mesaopt_lsq: scaling of the loss, permutation, causality, chunks, offsets, prefill and decode, identities of the gradients, limits,
 * certificates, rows that do not converge. Reference: the definition in double (lsq_oracle.h), or the library against itself where the property is one. */
#include "lsq_oracle.h"
#include <math.h>
#include <stdio.h>

static const char *const gated[] = {"auto", "cholesky", "segments", "cg", "cg_diag", "cg_chunk", NULL};
static const char *const ungated[] = {"sherman_morrison", "cholesky", "cg_chunk", NULL};

typedef void (*property_fn)(mesaopt_ctx *ctx, int32_t dtype, const char *settings, int gates);

/* Every level, type, solver, both ways to put heads into lanes, with gates and without. */
static void everywhere(property_fn property)
{
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 1);
        for (int gates = 0; ctx && gates < 2; gates++)
            for (const char *const *solver = gates ? gated : ungated; *solver; solver++)
                for (int way = 0; way < 4; way++) {
                    char settings[128];
                    snprintf(settings, sizeof settings, "solver=%s lanes=%d chunk=12", *solver, 1 + way % 2);
                    property(ctx, way / 2 ? MESAOPT_F32 : MESAOPT_F64, settings, gates);
                }
        if (ctx) ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
    }
}

static double rounding(int32_t dtype) { return dtype == MESAOPT_F32 ? 0x1p-24 : 0x1p-53; }

/* Results of `got` and `want` agree within a bound (0: bit for bit). */
static void same(const lsq_case *got, const lsq_case *want, const enum lsq_array *list, double bound, const char *what)
{
    for (; *list < L_ARRAYS; list++) {
        if (!want->at[*list]) continue;
        const double error = lsq_error(got, want, *list);
        if (!(error <= bound)) ck_abort_msg("%s, %s: off by %.3g, bound %.3g", what, lsq_name(*list), error, bound);
    }
}

static const enum lsq_array outputs[] = {L_OUT, L_X, L_HL, L_SL, L_ARRAYS};
static const enum lsq_array gradients[] = {L_DQ, L_DK, L_DV, L_DBETA, L_DGATE, L_DH0, L_DS0, L_DRIDGE, L_ARRAYS};

/* ---- scale of the loss ---- */

static void scale_of_loss(mesaopt_ctx *ctx, int32_t dtype, const char *settings, int gates)
{
    lsq_case c = lsq_case_new(1, 1, 41, 2, 18, 11, LSQ_STATES | LSQ_LAST | (gates ? LSQ_GATES : 0), 50), scaled[2];
    ck_assert_int_eq(lsq_call(ctx, settings, dtype, &c), MESAOPT_OK);
    for (int i = 0; i < 2; i++) {
        const double by = i ? 0x1p-20 : 0x1p20;
        scaled[i] = c;
        for (enum lsq_array a = L_OUT; a < L_ARRAYS; a++) scaled[i].at[a] = c.at[a] ? calloc((size_t)lsq_count(&c, a), sizeof(double)) : NULL;
        for (enum lsq_array a = L_Q; a < L_OUT; a++) {
            if (a != L_DOUT && a != L_DHL && a != L_DSL) continue;
            scaled[i].at[a] = calloc((size_t)lsq_count(&c, a), sizeof(double));
            for (int64_t j = 0; j < lsq_count(&c, a); j++) scaled[i].at[a][j] = by * c.at[a][j];
        }
        ck_assert_int_eq(lsq_call(ctx, settings, dtype, &scaled[i]), MESAOPT_OK);
        for (const enum lsq_array *a = gradients; *a < L_ARRAYS; a++)
            for (int64_t j = 0; c.at[*a] && j < lsq_count(&c, *a); j++) scaled[i].at[*a][j] /= by;
        same(&scaled[i], &c, gradients, 0, settings);
        free(scaled[i].at[L_DOUT]), free(scaled[i].at[L_DHL]), free(scaled[i].at[L_DSL]);
        lsq_case_free_results(&scaled[i]);
    }
    lsq_case_free(&c);
}

START_TEST(loss_scaled) { everywhere(scale_of_loss); }
END_TEST

/* ---- order of sequences and heads ---- */

/* From (b, h) to (1 - b, h + 1), in every array but the ridge's, which follows the head. */
static void move(const lsq_case *from, const lsq_case *to, enum lsq_array a)
{
    const int64_t B = from->B, H = from->H, n = lsq_count(from, a);
    const int channels = a == L_RIDGE || a == L_DRIDGE, states = a == L_H0 || a == L_S0 || a == L_DHL || a == L_DSL || a == L_HL || a == L_SL || a == L_DH0 || a == L_DS0;
    const int64_t T = channels || states ? 1 : from->T, b_count = channels ? 1 : B, width = n / (b_count * T * H);
    for (int64_t b = 0; b < b_count; b++)
        for (int64_t t = 0; t < T; t++)
            for (int64_t h = 0; h < H; h++)
                memcpy(to->at[a] + (((b_count - 1 - b) * T + t) * H + (h + 1) % H) * width, from->at[a] + ((b * T + t) * H + h) * width, (size_t)width * sizeof(double));
}

static void permuted(mesaopt_ctx *ctx, int32_t dtype, const char *settings, int gates)
{
    const int operands = LSQ_STATES | LSQ_LAST | (gates ? LSQ_GATES : 0);
    lsq_case c = lsq_case_new(2, 2, 33, 3, 14, 9, operands, 50), other = lsq_case_new(3, 2, 33, 3, 14, 9, operands, 0), want = lsq_case_like(&other);
    ck_assert_int_eq(lsq_call(ctx, settings, dtype, &c), MESAOPT_OK);
    for (enum lsq_array a = L_Q; a < L_OUT; a++) if (c.at[a]) move(&c, &other, a);
    for (enum lsq_array a = L_OUT; a < L_ARRAYS; a++) if (c.at[a]) move(&c, &want, a);
    ck_assert_int_eq(lsq_call(ctx, settings, dtype, &other), MESAOPT_OK);
    /* Other heads of a panel may change how many steps segments take, and what auto chooses. */
    const double bound = strstr(settings, "segments") || strstr(settings, "auto") ? 50 * rounding(dtype) : 0;
    same(&other, &want, outputs, bound, settings);
    same(&other, &want, (const enum lsq_array[]){L_DQ, L_DK, L_DV, L_DBETA, L_DGATE, L_DH0, L_DS0, L_ARRAYS}, 10 * bound, settings);
    same(&other, &want, (const enum lsq_array[]){L_DRIDGE, L_ARRAYS}, 4 * rounding(dtype) + 10 * bound, settings);
    lsq_case_free(&c), lsq_case_free(&other), lsq_case_free_results(&want);
}

START_TEST(permutation) { everywhere(permuted); }
END_TEST

/* ---- causality ---- */

/* What comes from token 20 on changes nothing before: to the bit, unless solvers or their steps are chosen by what lies in the same segment. */
static void causal(mesaopt_ctx *ctx, int32_t dtype, const char *settings, int gates)
{
    enum { CHANGED = 20, T = 45, H = 2, K = 14, V = 9 };
    lsq_case c = lsq_case_new(4, 1, T, H, K, V, gates ? LSQ_GATES : 0, 50), other = lsq_case_new(4, 1, T, H, K, V, gates ? LSQ_GATES : 0, 50);
    const enum lsq_array tokens[] = {L_Q, L_K, L_V, L_BETA, L_GATE};
    for (int i = 0; i < 5; i++) {
        const int64_t width = c.at[tokens[i]] ? lsq_count(&c, tokens[i]) / T : 0;
        for (int64_t j = CHANGED * width; j < T * width; j++) other.at[tokens[i]][j] *= 0.5;
    }
    ck_assert_int_eq(lsq_call(ctx, settings, dtype, &c), MESAOPT_OK);
    ck_assert_int_eq(lsq_call(ctx, settings, dtype, &other), MESAOPT_OK);
    const double bound = strstr(settings, "segments") || strstr(settings, "auto") ? 50 * rounding(dtype) : 0;
    double diff = 0, norm = 0;
    for (int64_t j = 0; j < CHANGED * H * V; j++) diff += pow(c.at[L_OUT][j] - other.at[L_OUT][j], 2), norm += pow(c.at[L_OUT][j], 2);
    ck_assert_msg(sqrt(diff) <= bound * sqrt(norm), "%s: outputs before the change are off by %g", settings, sqrt(diff / norm));
    lsq_case_free(&c), lsq_case_free(&other);
}

START_TEST(causality) { everywhere(causal); }
END_TEST

/* ---- pieces ---- */

/* Tokens from .. to - 1 of a batch of one. */
static lsq_case piece(const lsq_case *c, int64_t from, int64_t to, int64_t n)
{
    lsq_case p = *c;
    p.B = p.N = 1, p.T = to - from, p.starts = NULL;
    for (enum lsq_array a = L_Q; a < L_ARRAYS; a++) {
        if (!c->at[a]) continue;
        const int tokens = a <= L_GATE || (a >= L_OUT && a <= L_X) || (a >= L_DQ && a <= L_DGATE) || a >= L_RESIDUAL;
        const int64_t count = lsq_count(&p, a), at = tokens ? from * (count / (p.T ? p.T : 1)) : a == L_RIDGE || a == L_DRIDGE ? 0 : n * count;
        p.at[a] = malloc((size_t)(count + 1) * sizeof(double));
        memcpy(p.at[a], c->at[a] + at, (size_t)count * sizeof(double));
    }
    return p;
}

/* Sequences by offsets, an empty one among them: each as if it were alone, to the bit; ridge gradients add up. */
static void by_offsets(mesaopt_ctx *ctx, int32_t dtype, const char *settings, int gates)
{
    static const int64_t starts[] = {0, 17, 17, 18, 45};
    lsq_case c = lsq_case_new(5, 4, 45, 2, 14, 9, LSQ_STATES | LSQ_LAST | (gates ? LSQ_GATES : 0), 50);
    c.B = 1, c.starts = starts;                                /* states of four sequences, tokens of one */
    ck_assert_int_eq(lsq_call(ctx, settings, dtype, &c), MESAOPT_OK);
    double ridge[2 * 14] = {0};
    for (int64_t n = 0; n < 4; n++) {
        lsq_case want = piece(&c, starts[n], starts[n + 1], n), got = lsq_case_like(&want);
        ck_assert_int_eq(lsq_call(ctx, settings, dtype, &got), MESAOPT_OK);
        const double bound = strstr(settings, "auto") ? 50 * rounding(dtype) : 0;      /* which may choose otherwise */
        same(&got, &want, outputs, bound, settings);
        same(&got, &want, (const enum lsq_array[]){L_DQ, L_DK, L_DV, L_DBETA, L_DGATE, L_DH0, L_DS0, L_ARRAYS}, 10 * bound, settings);
        for (int i = 0; i < 28; i++) ridge[i] += got.at[L_DRIDGE][i];
        lsq_case_free(&want), lsq_case_free_results(&got);
    }
    for (int i = 0; i < 28; i++) ck_assert_double_eq_tol(ridge[i], c.at[L_DRIDGE][i], 1000 * rounding(dtype) * (1 + fabs(ridge[i])));
    lsq_case_free(&c);
}

START_TEST(offsets) { everywhere(by_offsets); }
END_TEST

/* Forward with states handed on is one long forward, and so is the adjoint, from the last piece to the first. */
static void in_two(mesaopt_ctx *ctx, int32_t dtype, const char *settings, int gates)
{
    enum { T = 45, CUT = 19 };
    lsq_case c = lsq_case_new(6, 1, T, 2, 14, 9, LSQ_STATES | LSQ_LAST | (gates ? LSQ_GATES : 0), 50);
    const double bound = 100 * rounding(dtype);
    ck_assert_int_eq(lsq_call(ctx, settings, dtype, &c), MESAOPT_OK);
    lsq_case first = piece(&c, 0, CUT, 0), last = piece(&c, CUT, T, 0), got_first = lsq_case_like(&first), got_last;
    ck_assert_int_eq(lsq_call(ctx, settings, dtype, &got_first), MESAOPT_OK);
    memcpy(last.at[L_H0], got_first.at[L_HL], (size_t)lsq_count(&last, L_H0) * sizeof(double));
    memcpy(last.at[L_S0], got_first.at[L_SL], (size_t)lsq_count(&last, L_S0) * sizeof(double));
    got_last = lsq_case_like(&last);
    ck_assert_int_eq(lsq_call(ctx, settings, dtype, &got_last), MESAOPT_OK);
    memcpy(first.at[L_DHL], got_last.at[L_DH0], (size_t)lsq_count(&first, L_DHL) * sizeof(double));
    memcpy(first.at[L_DSL], got_last.at[L_DS0], (size_t)lsq_count(&first, L_DSL) * sizeof(double));
    ck_assert_int_eq(lsq_call(ctx, settings, dtype, &got_first), MESAOPT_OK);
    same(&got_first, &first, (const enum lsq_array[]){L_OUT, L_X, L_ARRAYS}, bound, settings);
    same(&got_last, &last, outputs, bound, settings);
    const enum lsq_array rows[] = {L_DQ, L_DK, L_DV, L_DBETA, L_DGATE, L_ARRAYS};
    same(&got_last, &last, rows, 10 * bound, settings);
    same(&got_first, &first, rows, 10 * bound, settings);
    same(&got_first, &first, (const enum lsq_array[]){L_DH0, L_DS0, L_ARRAYS}, 10 * bound, settings);
    lsq_case_free(&first), lsq_case_free(&last), lsq_case_free_results(&got_first), lsq_case_free_results(&got_last), lsq_case_free(&c);
}

START_TEST(two_pieces) { everywhere(in_two); }
END_TEST

START_TEST(chunks)
{
    static const int sizes[] = {1, 2, 5, 16, 44, 45, 64, 1000};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    for (int gates = 0; gates < 2; gates++)
        for (const char *const *solver = gates ? gated : ungated; *solver; solver++)
            for (int lanes = 1; lanes <= 2; lanes++) {
                lsq_case c = lsq_case_new(7, 1, 45, 2, 14, 9, LSQ_STATES | LSQ_LAST | (gates ? LSQ_GATES : 0), 50), other = lsq_case_like(&c);
                char settings[128];
                snprintf(settings, sizeof settings, "solver=%s lanes=%d", *solver, lanes);
                ck_assert_int_eq(lsq_call(ctx, settings, MESAOPT_F64, &c), MESAOPT_OK);
                for (int i = 0; i < 8; i++) {
                    snprintf(settings, sizeof settings, "solver=%s lanes=%d chunk=%d", *solver, lanes, sizes[i]);
                    ck_assert_int_eq(lsq_call(ctx, settings, MESAOPT_F64, &other), MESAOPT_OK);
                    same(&other, &c, outputs, 1e-13, settings);
                    same(&other, &c, gradients, 1e-12, settings);
                }
                lsq_case_free(&c), lsq_case_free_results(&other);
            }
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}
END_TEST

/* ---- identities and limits ---- */

/* The first gate multiplies nothing: its gradient is 0 to rounding, also when solutions are not exact. */
static void first_gate(const lsq_case *c, int32_t dtype, const char *settings)
{
    const int64_t B = c->B, T = c->T, H = c->H;
    double gate = 0;
    for (int64_t i = 0; i < B * T * H; i++) gate += fabs(c->at[L_DGATE][i]);
    for (int64_t i = 0; i < B * H; i++) {
        const double first = c->at[L_DGATE][i / H * T * H + i % H];
        if (!(fabs(first) <= 20 * rounding(dtype) * gate)) ck_abort_msg("%s: gradient of the first gate %g of %g", settings, first, gate);
    }
}

/* Weights and ridge times one factor change nothing: sum(beta dbeta) + l . dl = 0, head by head. */
static void identities(mesaopt_ctx *ctx, int32_t dtype, const char *settings, int gates)
{
    if (!gates) return;
    lsq_case c = lsq_case_new(8, 2, 45, 2, 14, 9, LSQ_GATES, 50);
    char loose[192];
    ck_assert_int_eq(lsq_call(ctx, settings, dtype, &c), MESAOPT_OK);
    for (int64_t h = 0; h < 2; h++) {
        double sum = 0, size = 0;
        for (int64_t i = h; i < 2 * 45 * 2; i += 2) sum += c.at[L_BETA][i] * c.at[L_DBETA][i], size += fabs(c.at[L_BETA][i] * c.at[L_DBETA][i]);
        for (int64_t i = h * 14; i < (h + 1) * 14; i++) sum += c.at[L_RIDGE][i] * c.at[L_DRIDGE][i], size += fabs(c.at[L_RIDGE][i] * c.at[L_DRIDGE][i]);
        ck_assert_msg(fabs(sum) <= 50 * rounding(dtype) * size, "%s: sum %g of %g", settings, sum, size);
    }
    first_gate(&c, dtype, settings);
    snprintf(loose, sizeof loose, "%s tolerance=1e-3", settings);
    ck_assert_int_eq(lsq_call(ctx, loose, dtype, &c), MESAOPT_OK);
    first_gate(&c, dtype, loose);
    lsq_case_free(&c);
}

START_TEST(gradient_identities) { everywhere(identities); }
END_TEST

/* Ridge to infinity: the output tends to 0 as that of linear attention over the ridge. */
static void large_ridge(mesaopt_ctx *ctx, int32_t dtype, const char *settings, int gates)
{
    lsq_case c = lsq_case_new(9, 1, 33, 2, 14, 9, gates ? LSQ_GATES : 0, 2), want;
    for (int64_t i = 0; i < lsq_count(&c, L_RIDGE); i++) c.at[L_RIDGE][i] = 0x1p60;
    want = lsq_case_like(&c);
    lsq_reference(&want);
    ck_assert_int_eq(lsq_call(ctx, settings, dtype, &c), MESAOPT_OK);
    for (int64_t i = 0; i < lsq_count(&c, L_OUT); i++) if (fabs(c.at[L_OUT][i]) > 0x1p-50) ck_abort_msg("%s: output %g", settings, c.at[L_OUT][i]);
    same(&c, &want, outputs, 50 * rounding(dtype), settings);
    same(&c, &want, (const enum lsq_array[]){L_DQ, L_DK, L_DV, L_DBETA, L_ARRAYS}, 100 * rounding(dtype), settings);
    lsq_case_free(&c), lsq_case_free_results(&want);
}

START_TEST(ridge_to_infinity) { everywhere(large_ridge); }
END_TEST

/* ---- certificates ---- */

/* H_t + diag l of head h at token t of a batch of one, applied to x; returns |b - A x| / |b| and *size = |A| |x| / |b| with Frobenius' norm. */
static double residual_of(const lsq_case *c, int64_t t, int64_t h, const double *b, const double *x, double *size)
{
    const int64_t d = c->d, H = c->H;
    double A[16][16] = {{0}}, w = 1, rr = 0, bb = 0, xx = 0, aa = 0;
    for (int64_t s = t; s >= 0; s--) {
        const double *k = c->at[L_K] + (s * H + h) * d, weight = w * (c->at[L_BETA] ? c->at[L_BETA][s * H + h] : 1);
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j < d; j++) A[i][j] += weight * k[i] * k[j];
        w *= c->at[L_GATE] ? exp(c->at[L_GATE][s * H + h]) : 1;
    }
    for (int64_t i = 0; i < d; i++) {
        double r = b[i];
        A[i][i] += c->at[L_RIDGE][h * d + i];
        for (int64_t j = 0; j < d; j++) r -= A[i][j] * x[j], aa += A[i][j] * A[i][j];
        rr += r * r, bb += b[i] * b[i], xx += x[i] * x[i];
    }
    *size = bb == 0 ? 0 : sqrt(aa * xx / bb);
    return bb == 0 ? 0 : sqrt(rr / bb);
}

/* Residuals are those of the solution that was returned, condition numbers bound the true ones, iterations are those of iterative solvers. */
static void certificates(mesaopt_ctx *ctx, int32_t dtype, const char *settings, int gates)
{
    lsq_case c = lsq_case_new(10, 1, 33, 2, 14, 9, gates ? LSQ_GATES : 0, 200), want = lsq_case_like(&c);
    memset(c.at[L_Q] + 8 * 14, 0, 14 * sizeof(double));
    lsq_reference(&want);
    ck_assert_int_eq(lsq_call(ctx, settings, dtype, &c), MESAOPT_OK);
    const int iterative = strstr(settings, "cg") != NULL;
    for (int64_t i = 0; i < 33 * 2; i++) {
        double size;
        const double seen = residual_of(&c, i / 2, i % 2, c.at[L_Q] + i * 14, c.at[L_X] + i * 14, &size);
        const double residual = c.at[L_RESIDUAL][i], bound = c.at[L_CONDITION][i], steps = c.at[L_ITERATIONS][i];
        if (!(fabs(seen - residual) <= 4 * rounding(dtype) * size)) ck_abort_msg("%s: residual %g at %lld, seen %g", settings, residual, (long long)i, seen);
        if (!(residual <= 64 * rounding(dtype) * (1 + size))) ck_abort_msg("%s: residual %g at %lld", settings, residual, (long long)i);
        if (!(bound >= 1 && want.at[L_CONDITION][i] <= bound * (1 + 8 * rounding(dtype))))
            ck_abort_msg("%s: condition %g at %lld, bound %g", settings, want.at[L_CONDITION][i], (long long)i, bound);
        if (!(steps <= 4 * 14 + 16 && (strstr(settings, "auto") || (steps > 0) == (iterative && i != 8)))) ck_abort_msg("%s: %g iterations", settings, steps);
    }
    lsq_case_free(&c), lsq_case_free_results(&want);
}

START_TEST(certified) { everywhere(certificates); }
END_TEST

/* ---- rows that do not converge ---- */

static void one_iteration(mesaopt_ctx *ctx, int32_t dtype, const char *settings, int gates)
{
    if (!strstr(settings, "cg")) return;
    lsq_case c = lsq_case_new(11, 1, 33, 2, 14, 9, LSQ_STATES | LSQ_LAST | (gates ? LSQ_GATES : 0), 200), want = lsq_case_like(&c);
    char text[192], said[512];
    const double kappa = lsq_reference(&want), bound = 2 * kappa * rounding(dtype);
    snprintf(text, sizeof text, "%s iterations=1 fallback=1", settings);
    ck_assert_int_eq(lsq_call(ctx, text, dtype, &c), MESAOPT_NOT_CONVERGED);
    mesaopt_ctx_error(ctx, said, sizeof said);
    ck_assert_msg(strstr(said, "tolerance") && strstr(said, "Cholesky solved"), "%s", said);
    same(&c, &want, outputs, bound, text);
    same(&c, &want, gradients, 10 * bound, text);
    for (int64_t i = 0; i < 66; i++) if (c.at[L_ITERATIONS][i] != 1) ck_abort_msg("%s: %g iterations", text, c.at[L_ITERATIONS][i]);
    snprintf(text, sizeof text, "%s iterations=1 fallback=0", settings);
    ck_assert_int_eq(lsq_call(ctx, text, dtype, &c), MESAOPT_NOT_CONVERGED);
    mesaopt_ctx_error(ctx, said, sizeof said);
    ck_assert_msg(strstr(said, "stay as they are"), "%s", said);
    ck_assert_double_ge(lsq_error(&c, &want, L_OUT), 1e-4);
    int honest = 0;
    for (int64_t i = 0; i < 66; i++) honest += c.at[L_RESIDUAL][i] > 1e-5;
    ck_assert_int_ge(honest, 60);
    lsq_case_free(&c), lsq_case_free_results(&want);
}

START_TEST(not_converged) { everywhere(one_iteration); }
END_TEST

/* ---- f32 beyond its digits ---- */

/* What f32 cannot solve is what f64 finds on the same numbers, rounded: every result, in one piece or many, from the first token or a later one. */
START_TEST(f32_is_f64_rounded)
{
    enum { ALL = LSQ_STATES | LSQ_LAST | LSQ_GATES };
    static const struct { const char *solver; int64_t B, T, H, d; int operands; double kappa, large; int64_t from; } cases[] = {
        {"auto", 9, 40, 1, 6, ALL, 0, 1e4, 0}, {"auto", 1, 700, 2, 5, ALL, 0, 3e3, 0}, {"auto", 1, 700, 3, 5, LSQ_LAST, 0, 3e3, 600},
        {"auto", 1, 4500, 1, 2, ALL, 0, 1e4, 0}, {"auto", 1, 4500, 1, 2, LSQ_STATES, 0, 1e4, 4000},
        /* just beyond the bound; to a tolerance that suits f64 */
        {"cholesky", 1, 40, 1, 6, LSQ_LAST | LSQ_GATES, 4e3, 1, 0}, {"cg_chunk", 9, 40, 1, 6, LSQ_LAST | LSQ_GATES, 3e4, 1, 0}};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int lanes = 1; lanes <= 2; lanes++) {
            lsq_case c = lsq_case_new(30 + i, cases[i].B, cases[i].T, cases[i].H, cases[i].d, 3, cases[i].operands, cases[i].kappa), want;
            char settings[64];
            snprintf(settings, sizeof settings, "solver=%s lanes=%d iterations=1000", cases[i].solver, lanes);
            for (int64_t j = 0; j < lsq_count(&c, L_K); j++)
                if (j / (cases[i].H * cases[i].d) % cases[i].T >= cases[i].from) c.at[L_K][j] *= cases[i].large;
            lsq_round(&c);
            want = lsq_case_like(&c);
            ck_assert_int_eq(lsq_call(ctx, settings, MESAOPT_F32, &c), MESAOPT_OK);
            ck_assert_int_eq(lsq_call(ctx, settings, MESAOPT_F64, &want), MESAOPT_OK);
            same(&c, &want, outputs, 1e-6, settings);
            same(&c, &want, gradients, 1e-6, settings);
            same(&c, &want, (const enum lsq_array[]){L_CONDITION, L_ARRAYS}, 1e-6, settings);
            lsq_case_free(&c), lsq_case_free_results(&want);
        }
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}
END_TEST

Suite *test_lsq_properties_suite(void)
{
    Suite *s = suite_create("lsq_properties");
    TCase *t = tcase_create("lsq_properties");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, loss_scaled);
    tcase_add_test(t, permutation);
    tcase_add_test(t, causality);
    tcase_add_test(t, offsets);
    tcase_add_test(t, two_pieces);
    tcase_add_test(t, chunks);
    tcase_add_test(t, gradient_identities);
    tcase_add_test(t, ridge_to_infinity);
    tcase_add_test(t, certified);
    tcase_add_test(t, not_converged);
    tcase_add_test(t, f32_is_f64_rounded);
    suite_add_tcase(s, t);
    return s;
}
