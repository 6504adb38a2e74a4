/* mesaopt_lsq in random configurations against a solve in 113 bits (lsq_quad.h): no call returns MESAOPT_OK with an error above what mesaopt/lsq.h promises, none
 * fails to converge without need, and residuals are what they are said to be. */
#include "lsq_quad.h"
#include "random_count.h"
#include <math.h>
#include <stdio.h>

static uint64_t next(uint64_t *state)                          /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static double uniform(uint64_t *s, double low, double high) { return low + (high - low) * (((double)(next(s) >> 11) + 0.5) * 0x1p-53); }
static int64_t pick(uint64_t *s, int64_t n) { return (int64_t)(next(s) % (uint64_t)n); }

static const char *const solvers[] = {"auto", "cholesky", "segments", "sherman_morrison", "cg", "cg_diag", "cg_chunk", "neumann"};
enum { DIRECT = 4, SOLVERS = 8 };

typedef struct configuration {
    lsq_case c;
    int32_t dtype;
    int solver;
    double tolerance;              /* 0: none is asked for */
    int fallback;
    char text[160];
} configuration;

/* ---- configurations ---- */

enum keys { NORMAL, REPEATED, COLLINEAR, OFFSET, FADING, OUTLIER, KINDS };

static void shape_keys(lsq_case *c, enum keys kind, double scale, uint64_t *s)
{
    const int64_t d = c->d, rows = c->B * c->T * c->H, outlier = pick(s, rows);
    double *K = c->at[L_K], first[256];
    memcpy(first, K, (size_t)d * sizeof *first);
    for (int64_t i = 0; i < rows; i++) {
        const double along = uniform(s, -1, 1);
        for (int64_t j = 0; j < d; j++) {
            double *k = K + i * d + j;
            if (kind == REPEATED) *k = first[j];
            if (kind == COLLINEAR) *k = along * first[j];
            if (kind == OFFSET) *k = 1000 * first[j] + *k;
            if (kind == FADING) *k *= pow(10, -6 * (double)(i / c->H) / (double)c->T);
            if (kind == OUTLIER && i == outlier) *k *= 1e4;
            *k *= scale;
        }
    }
}

/* Ridges of one size, or different ones. */
static void shape_ridge(lsq_case *c, double size, uint64_t *s)
{
    const double decades = pick(s, 3) ? 0 : pick(s, 4) ? 1 : 9;
    for (int64_t i = 0; i < c->H * c->d; i++) {
        const double l = size * pow(10, uniform(s, -decades, decades));
        c->at[L_RIDGE][i] = fmin(fmax(l, 1e-18), 1e18);
    }
}

static void shape_rest(lsq_case *c, uint64_t *s)
{
    const int64_t rows = c->B * c->T * c->H, d = c->d, dv = c->dv;
    const int along = pick(s, 4) == 0, zeros = pick(s, 8) == 0, offset = pick(s, 4) == 0;
    for (int64_t i = 0; i < rows; i++) {
        if (along) memcpy(c->at[L_Q] + i * d, c->at[L_K] + i * d, (size_t)d * sizeof(double));
        if (zeros && i % 3 == 1) memset(c->at[L_Q] + i * d, 0, (size_t)d * sizeof(double));
        for (int64_t j = 0; offset && j < dv; j++) c->at[L_V][i * dv + j] += 1000;
        if (c->at[L_GATE] && zeros && i % 11 == 5) c->at[L_GATE][i] = -INFINITY, c->at[L_BETA][i] = 0;
    }
}

static configuration configure(uint64_t seed)
{
    configuration f = {0};
    uint64_t s = seed;
    const int64_t d = (int64_t)exp(uniform(&s, 0, log(150.99))), most = 1 + (int64_t)(4e6 / (double)(200 * d + d * d * d / 6));
    const int64_t longest = pick(&s, 8) ? 40 : 400, T = 1 + pick(&s, most < longest ? most : longest), B = 1 + pick(&s, 2), H = 1 + pick(&s, 2);
    f.dtype = pick(&s, 2) ? MESAOPT_F32 : MESAOPT_F64;
    f.solver = (int)pick(&s, SOLVERS);
    const int gates = f.solver != 3 && pick(&s, 2);
    f.c = lsq_case_new(next(&s), B, T, H, d, 1 + pick(&s, 4), gates ? LSQ_GATES : 0, 0);
    const double ridge = pow(10, uniform(&s, -18, 18)), wide = pow(10, uniform(&s, -12, 12)), near = sqrt(ridge * pow(10, uniform(&s, -4, 16)));
    shape_keys(&f.c, (enum keys)pick(&s, KINDS), pick(&s, 3) ? fmin(fmax(near, 1e-12), 1e12) : wide, &s);
    shape_ridge(&f.c, ridge, &s);
    shape_rest(&f.c, &s);
    if (f.dtype == MESAOPT_F32) lsq_round(&f.c);
    f.c.keep = (int)pick(&s, 2);
    if (f.solver >= DIRECT && pick(&s, 3) == 0) f.tolerance = pow(10, uniform(&s, -8, -1));
    f.fallback = pick(&s, 4) != 0;
    snprintf(f.text, sizeof f.text, "solver=%s lanes=%d chunk=%d tolerance=%.3g fallback=%d", solvers[f.solver], (int)pick(&s, 3), pick(&s, 2) ? 0 : 1 + (int)pick(&s, 70),
             f.tolerance, f.fallback);
    if (f.tolerance > 0) sscanf(strstr(f.text, "tolerance=") + 10, "%lf", &f.tolerance);
    return f;
}

/* ---- what is promised ---- */

static const double MOST = 0x1p-9, BEYOND = 1e23;      /* above, 113 bits do not say errors to 1e-10 either: residuals remain */

static double share_f64(double condition) { return fmin(0x1p-45 * condition, MOST); }
static double share_f32(double condition) { return condition <= 0x1p14 * 1.001 ? 0x1p-20 * condition : share_f64(condition); }

static void expect(const configuration *f, const lsq_exact *e, enum lsq_array a, const double *bound, const char *skip)
{
    if (!f->c.at[a]) return;
    const double excess = lsq_excess(e, &f->c, a, f->dtype, bound, skip);
    if (getenv("CHECK_SHOW")) printf("%s %g %s %s%s\n", lsq_name(a), excess, f->text, f->dtype == MESAOPT_F32 ? "f32" : "f64", f->tolerance > 0 ? " asked" : "");
    if (!(excess <= 1 + 1e-10)) ck_abort_msg("%s: %g times what is promised: %s, f%d, B=%lld T=%lld H=%lld d=%lld dv=%lld", lsq_name(a), excess, f->text, f->dtype == MESAOPT_F32 ? 32 : 64,
                                     (long long)f->c.B, (long long)f->c.T, (long long)f->c.H, (long long)f->c.d, (long long)f->c.dv);
}

static void check_outputs(const configuration *f, const lsq_exact *e, double (*share_of)(double))
{
    const int64_t rows = f->c.B * f->c.T * f->c.H;
    double *bound = calloc((size_t)(2 * rows), sizeof *bound), *x_bound = bound + rows;
    char *skip = calloc((size_t)rows, 1);
    int64_t skipped = 0;
    for (int64_t i = 0; i < rows; i++) {
        const double share = share_of(e->condition[i]), asked = f->tolerance;
        bound[i] = (share + asked) * e->size[L_OUT][i];
        x_bound[i] = (share < MOST ? share * e->size[L_X][i] : MOST * e->room[i]) + asked * e->room[i];
        skip[i] = f->c.forward != MESAOPT_OK && f->c.at[L_RESIDUAL][i] > (f->solver < DIRECT ? 0x1p-10 : asked > 0 ? asked : 0x1p-46);
        skipped += skip[i];
        skip[i] = skip[i] || e->condition[i] > BEYOND;
    }
    if (f->c.forward == MESAOPT_NOT_CONVERGED && f->solver < DIRECT) ck_assert_int_gt(skipped, 0);
    expect(f, e, L_OUT, bound, skip);
    expect(f, e, L_X, x_bound, skip);
    free(bound), free(skip);
}

/* Of what was returned, hence in f64 as it was solved; in f32 it was rounded afterwards. Then what residuals say of errors. */
static void check_residuals(const configuration *f, const lsq_exact *e)
{
    const int64_t rows = f->c.B * f->c.T * f->c.H;
    double *seen = calloc((size_t)(4 * rows), sizeof *seen), *size = seen + rows, *out = size + rows, *x = out + rows;
    char *skip = calloc((size_t)rows, 1);
    lsq_exact_residuals(&f->c, seen, size);
    for (int64_t i = 0; i < rows; i++) {
        const int by_f32 = f->dtype == MESAOPT_F32 && e->condition[i] <= 0x1p14 * 1.001;
        const double share = f->c.at[L_RESIDUAL][i] + (by_f32 ? 0x1p-21 : 0x1p-48) * size[i];
        skip[i] = e->condition[i] > BEYOND;
        out[i] = share * e->size[L_OUT][i], x[i] = share * e->room[i];
    }
    expect(f, e, L_OUT, out, skip);
    expect(f, e, L_X, x, skip);
    free(skip);
    for (int64_t i = 0; i < rows; i++) {
        /* of rows that missed it is no less than what the solver saw, in f32 with roundings of its own */
        const int by_f32 = f->dtype == MESAOPT_F32 && e->condition[i] <= 0x1p14 * 1.001, missed = f->c.forward != MESAOPT_OK && f->c.at[L_RESIDUAL][i] > seen[i];
        const double said = f->c.at[L_RESIDUAL][i], f32 = f->dtype == MESAOPT_F32 ? 0x1p-23 * (size[i] + said) : 0;
        const double room = f32 + 0x1p-48 * size[i] + (by_f32 && missed ? 0x1p-21 * size[i] : 0);
        if (said < 0x1p-10 && !(fabs(seen[i] - said) <= room)) ck_abort_msg("residual %g said to be %g, room %g: %s", seen[i], said, room, f->text);
        if (f->tolerance > 0 && f->solver >= DIRECT && f->c.forward == MESAOPT_OK) ck_assert_double_le(said, f->tolerance * (1 + 1e-6));
    }
    free(seen);
}

static const enum lsq_array gradients[] = {L_DQ, L_DK, L_DV, L_DBETA, L_DGATE, L_DRIDGE};
enum { GRADIENTS = sizeof gradients / sizeof *gradients };

/* An adjoint said that a gradient is beyond f32: so it is, or nobody knows. */
static void check_overflow(const configuration *f, const lsq_exact *e, double condition)
{
    double most = 0;
    for (int a = 0; a < GRADIENTS; a++)
        for (int64_t i = 0; f->c.at[gradients[a]] && i < lsq_count(&f->c, gradients[a]); i++) most = fmax(most, fabs(e->result.at[gradients[a]][i]));
    ck_assert_int_eq(f->dtype, MESAOPT_F32);
    ck_assert_msg(most > 3.4e38 || condition > BEYOND, "%s: not finite, and no gradient is above %g", f->text, most);
}

START_TEST(differential)
{
    const uint64_t seed = random_seed(_i);
    configuration f = configure(seed);
    const int64_t rows = f.c.B * f.c.T * f.c.H;
    double (*share_of)(double) = f.dtype == MESAOPT_F32 ? share_f32 : share_f64;
    mesaopt_ctx *ctx = context_at(pick(&(uint64_t){seed}, 2) ? MESAOPT_ISA_AUTO : MESAOPT_ISA_BASELINE, 1);
    if (getenv("CHECK_SHOW")) printf("%d: %s f%d B=%lld T=%lld H=%lld d=%lld k %g l %g\n", _i, f.text, f.dtype == MESAOPT_F32 ? 32 : 64, (long long)f.c.B, (long long)f.c.T, (long long)f.c.H, (long long)f.c.d, f.c.at[L_K][0], f.c.at[L_RIDGE][0]);
    f.c.overflows = 1;
    lsq_call(ctx, f.text, f.dtype, &f.c);
    lsq_exact e = lsq_exact_new(&f.c, share_of);
    double most = 0;
    for (int64_t i = 0; i < rows; i++) most = fmax(most, e.condition[i]);
    if (f.solver < DIRECT && most <= 0x1p37) ck_assert_msg(f.c.forward == MESAOPT_OK && (f.c.adjoint == MESAOPT_OK || f.c.adjoint == MESAOPT_E_NONFINITE), "%s: not converged at %g", f.text, most);
    check_outputs(&f, &e, share_of);
    check_residuals(&f, &e);
    if (f.c.adjoint == MESAOPT_E_NONFINITE) check_overflow(&f, &e, most);
    if (f.c.adjoint == MESAOPT_OK && f.tolerance == 0 && most <= BEYOND && !(f.c.keep && f.c.forward != MESAOPT_OK)) {        /* gradients of the solution that was given */
        for (int a = 0; a < GRADIENTS; a++) expect(&f, &e, gradients[a], e.size[gradients[a]], NULL);
    }
    lsq_exact_free(&e), lsq_case_free(&f.c);
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}
END_TEST

Suite *test_lsq_random_suite(void)
{
    Suite *s = suite_create("lsq_random");
    TCase *t = tcase_create("lsq_random");
    tcase_add_loop_test(t, differential, 0, random_count(40, 2000));
    suite_add_tcase(s, t);
    return s;
}
