/* Softmax attention in random configurations against its definition in long double, with scores of up
 * to 1e50 (f64: 1e280): forward and backward, on every ISA level, in panels and one by one.
 *
 * Queries and keys are small integers times a power of two: scores are exact in every type, and what
 * comes out may differ by the rounding of exponents, exponentials and sums only. */
#include "contexts.h"
#include "random_count.h"
#include <math.h>

enum { MOST_T = 40, MOST_D = 12, B = 3 };

typedef struct generator { uint64_t state; } generator;

static int64_t below(generator *g, int64_t n)
{
    g->state = g->state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((g->state >> 33) % (uint64_t)n);
}

typedef double tokens[B][MOST_T][MOST_D];
typedef struct problem {
    int64_t T, d, dv;
    double scale, largest_q, largest_k;
    struct { tokens q, k, v, dout; } in;
    struct { tokens out, dq, dk, dv; } want;
} problem;

static problem *problem_new(uint64_t seed, int dtype)
{
    generator g = {seed * 0x9e3779b97f4a7c15u + 1};
    problem *p = calloc(1, sizeof *p);
    below(&g, 2);
    p->T = 1 + below(&g, MOST_T), p->d = 1 + below(&g, MOST_D), p->dv = 1 + below(&g, MOST_D);
    const int most = dtype == MESAOPT_F32 ? 160 : 900;     /* 2^160 * 12 * 16: 3e50, what f32 does not hold */
    const int sum = below(&g, 4) ? (int)below(&g, most) - 8 : -6, scale = (int)below(&g, 12) - 6;
    const int q = sum / 2 + (int)below(&g, 20) - 10, k = sum - q - scale;
    const double unit_q = ldexp(1, q), unit_k = ldexp(1, k);
    p->scale = ldexp(1 + (double)below(&g, 1 << 23) * 0x1p-23, scale) * (below(&g, 3) ? 1 : -1);
    p->largest_q = 4 * unit_q, p->largest_k = 4 * unit_k;
    for (int b = 0; b < B; b++)
        for (int t = 0; t < p->T; t++) {
            const int same = t > 0 && below(&g, 8) == 0;       /* keys that tie */
            for (int j = 0; j < p->d; j++) {
                p->in.q[b][t][j] = (double)(below(&g, 9) - 4) * unit_q;
                p->in.k[b][t][j] = (double)(below(&g, 9) - 4) * unit_k;
                if (same) p->in.k[b][t][j] = p->in.k[b][t - 1][j];
            }
            for (int j = 0; j < p->dv; j++) {
                p->in.v[b][t][j] = (double)(below(&g, 2001) - 1000) / 1024;
                p->in.dout[b][t][j] = (double)(below(&g, 2001) - 1000) / 1024;
            }
        }
    return p;
}

/* One query: weights P, out, and its share of the gradients. */
static void reference_row(problem *p, int b, int t)
{
    long double P[MOST_T], dP[MOST_T], top = -INFINITY, sum = 0, dot = 0;
    for (int i = 0; i <= t; i++) {
        P[i] = 0;
        for (int j = 0; j < p->d; j++) P[i] += (long double)p->in.q[b][t][j] * p->in.k[b][i][j];
        P[i] *= p->scale;
        top = fmaxl(top, P[i]);
    }
    for (int i = 0; i <= t; i++) sum += P[i] = expl(P[i] - top);
    for (int i = 0; i <= t; i++) {
        P[i] /= sum, dP[i] = 0;
        for (int j = 0; j < p->dv; j++) {
            p->want.out[b][t][j] += (double)(P[i] * p->in.v[b][i][j]);
            p->want.dv[b][i][j] += (double)(P[i] * p->in.dout[b][t][j]);
            dP[i] += (long double)p->in.dout[b][t][j] * p->in.v[b][i][j];
        }
        dot += P[i] * dP[i];
    }
    for (int i = 0; i <= t; i++)
        for (int j = 0; j < p->d; j++) {
            const long double dS = p->scale * P[i] * (dP[i] - dot);
            p->want.dq[b][t][j] += (double)(dS * p->in.k[b][i][j]);
            p->want.dk[b][i][j] += (double)(dS * p->in.q[b][t][j]);
        }
}

static void reference(problem *p)
{
    for (int b = 0; b < B; b++)
        for (int t = 0; t < p->T; t++) reference_row(p, b, t);
}

/* A dense array [B, T, 1, n] of the type. */
static mesaopt_view packed(const tokens x, int32_t dtype, const problem *p, int64_t n)
{
    const mesaopt_view v = DENSE(calloc((size_t)(B * p->T * n), 8), dtype, B, p->T, 1, n);
    for (int64_t i = 0; i < B * p->T * n; i++) {
        const double y = x[i / n / p->T][i / n % p->T][i % n];
        if (dtype == MESAOPT_F32) ((float *)v.data)[i] = (float)y;
        else ((double *)v.data)[i] = y;
    }
    return v;
}

/* Elements are within `tolerance` of what is wanted. */
static void compare(const char *name, const mesaopt_view *v, const tokens want, double tolerance)
{
    const int64_t T = v->shape[1], n = v->shape[3];
    for (int64_t i = 0; i < B * T * n; i++) {
        const int b = (int)(i / n / T), t = (int)(i / n % T), j = (int)(i % n);
        const int single = v->dtype == MESAOPT_F32;
        const double x = single ? (double)((float *)v->data)[i] : ((double *)v->data)[i];
        ck_assert_msg(fabs(x - want[b][t][j]) <= tolerance, "%s [%d,%d,0,%d]: %.9g, expected %.9g +- %g",
                      name, b, t, j, x, want[b][t][j], tolerance);
    }
}

static void check_level(const problem *p, int32_t isa, int32_t dtype, int64_t lanes)
{
    mesaopt_ctx *ctx = context_at(isa, 1);
    if (!ctx) return;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_SOFTMAX, "chunk=7");
    mesaopt_attn *a;
    ck_assert_int_eq(mesaopt_settings_set_float(s, MESAOPT_KEY_SCALE, p->scale), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_LANES, lanes), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_attn_create(ctx, s, &a), MESAOPT_OK);
    const mesaopt_view q = packed(p->in.q, dtype, p, p->d), dq = packed(p->in.q, dtype, p, p->d);
    const mesaopt_view k = packed(p->in.k, dtype, p, p->d), dk = packed(p->in.k, dtype, p, p->d);
    const mesaopt_view v = packed(p->in.v, dtype, p, p->dv), dv = packed(p->in.v, dtype, p, p->dv);
    const mesaopt_view dout = packed(p->in.dout, dtype, p, p->dv), out = packed(p->in.v, dtype, p, p->dv);
    ck_assert_int_eq(mesaopt_attn_forward(a, &q, &k, &v, &out), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_attn_backward(a, &q, &k, &v, &dout, &dq, &dk, &dv), MESAOPT_OK);
    const double eps = dtype == MESAOPT_F32 ? 0x1p-23 : 0x1p-52, n = (double)p->T;
    const double ds = fabs(p->scale) * (double)p->dv;
    compare("out", &out, p->want.out, 20 * eps);
    compare("dv", &dv, p->want.dv, 20 * n * eps);
    compare("dq", &dq, p->want.dq, 20 * ds * p->largest_k * eps);
    compare("dk", &dk, p->want.dk, 20 * n * ds * p->largest_q * eps);
    const mesaopt_view *all[] = {&q, &k, &v, &dout, &out, &dv, &dq, &dk};
    for (int i = 0; i < 8; i++) free(all[i]->data);
    mesaopt_settings_free(s);
    ck_assert_int_eq(mesaopt_attn_free(a), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}

START_TEST(differential)
{
    const uint64_t seed = random_seed(_i);
    const int32_t dtype = seed % 3 ? MESAOPT_F32 : MESAOPT_F64;
    problem *p = problem_new(seed, dtype);
    reference(p);
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++)
        for (int64_t lanes = 1; lanes <= 2; lanes++) check_level(p, isa, dtype, lanes);
    free(p);
}
END_TEST

Suite *test_softmax_random_suite(void)
{
    Suite *s = suite_create("softmax_random");
    TCase *t = tcase_create("softmax_random");
    tcase_add_loop_test(t, differential, 0, random_count(100, 3000));
    suite_add_tcase(s, t);
    return s;
}
