/* See lsq_quad.h. Formulas as in lsq_oracle.c, and their error analysis: every factor has |dA_t| <= e |A_t| (Higham, Accuracy and Stability of Numerical Algorithms,
 * theorem 10.4), sums S_t are off by e min l n_t / |A_t| with n_t = sum of weights |k_s| |v_s|:
 *
 *     x: e |x|    out = S^T x: e (|Phi_t| + n_t / |A_t|) |q_t|    u: e U_t, U_t = |u_t| + n_t / |A_t| |do_t|
 *     dv_s: sum_t e w |k_s| |x_t| |do_t|    dk_s: sum_t e w (|x_t| |do_t| |v_s| + 2 U_t |x_t| |k_s|)    and so on, term by term. */
#include "lsq_quad.h"
#include <math.h>

#if defined(__x86_64__)
typedef __float128 quad;
#else
typedef long double quad;
#endif

static quad root(quad x)
{
    if (!(x > 0) || x > (quad)1e300 * (quad)1e300) return x;
    int e = 0;                                         /* x = m 4^e, m in 1 .. 4 */
    for (; x >= 4; e++) x /= 4;
    for (; x < 1; e--) x *= 4;
    quad y = (quad)sqrt((double)x);
    for (int i = 0; i < 3; i++) y = (y + x / y) / 2;
    for (; e > 0; e--) y *= 2;
    for (; e < 0; e++) y /= 2;
    return y;
}

/* e^x for x <= 0: 2^-n times a series. */
static quad power_of_e(double x)
{
    if (!(x > -700)) return 0;
    quad r = x, sum = 1, term = 1;
    int halved = 0;
    for (; r < -0.01; halved++) r /= 2;
    for (int i = 1; i < 20; i++) term *= r / i, sum += term;
    for (; halved > 0; halved--) sum *= sum;
    return sum;
}

/* A <- L L^T in its lower triangle; pivots are at least the ridge. */
static void factor(int64_t d, quad *A, const double *ridge)
{
    for (int64_t j = 0; j < d; j++)
        for (int64_t i = j; i < d; i++) {
            quad sum = A[i * d + j];
            for (int64_t k = 0; k < j; k++) sum -= A[i * d + k] * A[j * d + k];
            A[i * d + j] = i == j ? root(sum < (quad)ridge[j] ? (quad)ridge[j] : sum) : sum / A[j * d + j];
        }
}

static void solve(int64_t d, const quad *L, const quad *b, quad *x)
{
    for (int64_t i = 0; i < d; i++) {
        quad sum = b[i];
        for (int64_t k = 0; k < i; k++) sum -= L[i * d + k] * x[k];
        x[i] = sum / L[i * d + i];
    }
    for (int64_t i = d - 1; i >= 0; i--) {
        x[i] /= L[i * d + i];
        for (int64_t k = 0; k < i; k++) x[k] -= L[i * d + k] * x[i];
    }
}

/* Elements may be 1e200: no squares in double. */
static double norm_of(int64_t n, const double *x)
{
    double most = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
    for (int64_t i = 0; i < n && most > 0; i++) sum += x[i] / most * (x[i] / most);
    return most * sqrt(sum);
}

static double norm_quad(int64_t n, const quad *x)
{
    quad sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return (double)root(sum);
}

/* One head of one sequence. */
typedef struct head {
    const lsq_case *c;
    int64_t T, d, dv, first, h;    /* row of token t: first + t H */
    quad *H, *S, *x, *u;           /* (T + 1) d d, (T + 1) d dv, T d, T d */
    double *nx, *nu, *share;       /* |x_t|, U_t, e_t */
} head;

static int64_t row(const head *p, int64_t t) { return p->first + t * p->c->H; }
static const double *in(const head *p, enum lsq_array a, int64_t t, int64_t width) { return p->c->at[a] + row(p, t) * width; }
static quad gate(const head *p, int64_t t) { return p->c->at[L_GATE] ? power_of_e(*in(p, L_GATE, t, 1)) : 1; }
static quad weight(const head *p, int64_t t) { return p->c->at[L_BETA] ? (quad)*in(p, L_BETA, t, 1) : 1; }

static void forward(head *p, lsq_exact *e, double (*share_of)(double))
{
    const int64_t d = p->d, dv = p->dv;
    const double *ridge = p->c->at[L_RIDGE] + p->h * d;
    quad *L = malloc((size_t)(d * d) * sizeof *L), *b = malloc((size_t)(2 * d) * sizeof *b), *z = b + d, n = 0;
    double top = 0, bottom = INFINITY;
    for (int64_t i = 0; i < d; i++) top = fmax(top, ridge[i]), bottom = fmin(bottom, ridge[i]);
    for (int64_t t = 0; t < p->T; t++) {
        const quad *H0 = p->H + t * d * d, *S0 = p->S + t * d * dv, g = gate(p, t), w = weight(p, t);
        const double *k = in(p, L_K, t, d), *v = in(p, L_V, t, dv), *q = in(p, L_Q, t, d), *go = in(p, L_DOUT, t, dv);
        quad *H = p->H + (t + 1) * d * d, *S = p->S + (t + 1) * d * dv, *x = p->x + t * d, *u = p->u + t * d, trace = 0, phi = 0;
        for (int64_t i = 0; i < d; i++) {
            for (int64_t j = 0; j < d; j++) L[i * d + j] = H[i * d + j] = g * H0[i * d + j] + w * (quad)k[i] * (quad)k[j];
            for (int64_t j = 0; j < dv; j++) S[i * dv + j] = g * S0[i * dv + j] + w * (quad)k[i] * (quad)v[j];
            L[i * d + i] += (quad)ridge[i], trace += H[i * d + i];
        }
        n = g * n + w * (quad)norm_of(d, k) * (quad)norm_of(dv, v);
        factor(d, L, ridge);
        for (int64_t i = 0; i < d; i++) b[i] = q[i];
        solve(d, L, b, x);
        memset(b, 0, (size_t)d * sizeof *b);
        for (int64_t j = 0; j < dv; j++) {
            quad out = 0;
            for (int64_t i = 0; i < d; i++) out += S[i * dv + j] * x[i], b[i] += S[i * dv + j] * (quad)go[j];
            e->result.at[L_OUT][row(p, t) * dv + j] = (double)out;
        }
        solve(d, L, b, u);
        for (int64_t j = 0; j < dv; j++) {
            for (int64_t i = 0; i < d; i++) b[i] = S[i * dv + j];
            solve(d, L, b, z);
            for (int64_t i = 0; i < d; i++) phi += z[i] * z[i];
        }
        const double condition = (double)((trace + (quad)top) / (quad)bottom), ratio = (double)(n / (trace + (quad)top));
        for (int64_t i = 0; i < d; i++) e->result.at[L_X][row(p, t) * d + i] = (double)x[i], e->result.at[L_DQ][row(p, t) * d + i] = (double)u[i];
        p->nx[t] = norm_quad(d, x), p->nu[t] = norm_quad(d, u) + ratio * norm_of(dv, go), p->share[t] = share_of(condition);
        e->condition[row(p, t)] = condition, e->room[row(p, t)] = norm_of(d, q) / bottom;
        e->size[L_X][row(p, t)] = p->nx[t], e->size[L_DQ][row(p, t)] = p->share[t] * p->nu[t];
        e->size[L_OUT][row(p, t)] = ((double)root(phi) + ratio) * norm_of(d, q);
    }
    free(L), free(b);
}

/* Adds the gradients of token t by S_t and H_t, and what they weigh: a of |x| |do| e, r of |x| U e. */
static void add_token(const head *p, int64_t t, quad *P, quad *R, double *a, double *r)
{
    const double *go = in(p, L_DOUT, t, p->dv);
    const quad *x = p->x + t * p->d, *u = p->u + t * p->d;
    for (int64_t i = 0; i < p->d; i++) {
        for (int64_t j = 0; j < p->dv; j++) P[i * p->dv + j] += x[i] * (quad)go[j];
        for (int64_t j = 0; j < p->d; j++) R[i * p->d + j] -= u[i] * x[j];
    }
    *a += p->share[t] * p->nx[t] * norm_of(p->dv, go);
    *r += p->share[t] * p->nx[t] * p->nu[t];
}

static void backward(head *p, lsq_exact *e)
{
    const int64_t d = p->d, dv = p->dv;
    const double *ridge = p->c->at[L_RIDGE] + p->h * d;
    quad *P = calloc((size_t)(d * (dv + d + 1)), sizeof *P), *R = P + d * dv, *dl = R + d * d;
    double a = 0, r = 0, gates = 0, top = 0, ridges = 0, *const *at = e->result.at;
    for (int64_t i = 0; i < d; i++) top = fmax(top, ridge[i]);
    for (int64_t t = p->T - 1; t >= 0; t--) {
        const int64_t i_row = row(p, t);
        const double *k = in(p, L_K, t, d), *v = in(p, L_V, t, dv), nk = norm_of(d, k), nv = norm_of(dv, v);
        const quad g = gate(p, t), w = weight(p, t), *H = p->H + t * d * d, *S = p->S + t * d * dv;
        quad dbeta = 0, dgate = 0;
        add_token(p, t, P, R, &a, &r);
        ridges += p->share[t] * p->nx[t] * p->nu[t];
        for (int64_t j = 0; j < dv; j++) {
            quad sum = 0;
            for (int64_t i = 0; i < d; i++) sum += P[i * dv + j] * (quad)k[i];
            at[L_DV][i_row * dv + j] = (double)(w * sum);
        }
        for (int64_t i = 0; i < d; i++) {
            quad pv = 0, rk = 0, kr = 0;
            for (int64_t j = 0; j < dv; j++) pv += P[i * dv + j] * (quad)v[j], dgate += P[i * dv + j] * S[i * dv + j];
            for (int64_t j = 0; j < d; j++) rk += R[i * d + j] * (quad)k[j], kr += R[j * d + i] * (quad)k[j], dgate += R[i * d + j] * H[i * d + j];
            at[L_DK][i_row * d + i] = (double)(w * (pv + rk + kr));
            dbeta += (quad)k[i] * (pv + rk);
            dl[i] -= p->u[t * d + i] * p->x[t * d + i];
        }
        const double weights = nk * (a * nv + r * nk), w_d = (double)w;
        gates += p->share[t] * top * p->nx[t] * p->nu[t] + w_d * weights;
        e->size[L_DV][i_row] = w_d * nk * a, e->size[L_DK][i_row] = w_d * (a * nv + 2 * r * nk);
        if (at[L_DBETA]) at[L_DBETA][i_row] = (double)dbeta, e->size[L_DBETA][i_row] = weights;
        if (at[L_DGATE]) at[L_DGATE][i_row] = (double)(g * dgate), e->size[L_DGATE][i_row] = gates;
        for (int64_t i = 0; i < d * (dv + d); i++) P[i] *= g;
        a *= (double)g, r *= (double)g;
        if (g == 0) gates = 0;
    }
    for (int64_t i = 0; i < d; i++) at[L_DRIDGE][p->h * d + i] += (double)dl[i];
    e->size[L_DRIDGE][p->h] += ridges;
    free(P);
}

static const enum lsq_array sized[] = {L_OUT, L_X, L_DQ, L_DK, L_DV, L_DBETA, L_DGATE, L_DRIDGE};
enum { SIZED = sizeof sized / sizeof *sized };

lsq_exact lsq_exact_new(const lsq_case *c, double (*share_of)(double))
{
    const int64_t T = c->T, d = c->d, dv = c->dv, rows = c->B * T * c->H;
    lsq_exact e = {.result = lsq_case_like(c)};
    for (int i = 0; i < SIZED; i++) e.size[sized[i]] = calloc((size_t)(rows + c->H + 1), sizeof(double));
    e.condition = calloc((size_t)rows + 1, sizeof(double)), e.room = calloc((size_t)rows + 1, sizeof(double));
    memset(e.result.at[L_DRIDGE], 0, (size_t)(c->H * d) * sizeof(double));
    for (int64_t b = 0; b < c->B; b++)
        for (int64_t h = 0; h < c->H; h++) {
            head p = {.c = c, .T = T, .d = d, .dv = dv, .first = b * T * c->H + h, .h = h};
            p.H = calloc((size_t)((T + 1) * d * (d + dv) + 2 * T * d), sizeof *p.H), p.S = p.H + (T + 1) * d * d, p.x = p.S + (T + 1) * d * dv, p.u = p.x + T * d;
            p.nx = calloc((size_t)(3 * T + 1), sizeof *p.nx), p.nu = p.nx + T, p.share = p.nu + T;
            ck_assert(p.H && p.nx);
            forward(&p, &e, share_of);
            backward(&p, &e);
            free(p.H), free(p.nx);
        }
    return e;
}

void lsq_exact_free(lsq_exact *e)
{
    for (int i = 0; i < SIZED; i++) free(e->size[sized[i]]);
    free(e->condition), free(e->room);
    lsq_case_free_results(&e->result);
}

void lsq_exact_residuals(const lsq_case *c, double *residual, double *size)
{
    const int64_t d = c->d;
    quad *H = malloc((size_t)(d * d) * sizeof *H), *r = malloc((size_t)d * sizeof *r);
    for (int64_t n = 0; n < c->B * c->H; n++) {
        const int64_t b = n / c->H, h = n % c->H;
        const double *ridge = c->at[L_RIDGE] + h * d;
        double top = 0;
        for (int64_t i = 0; i < d; i++) top = fmax(top, ridge[i]);
        memset(H, 0, (size_t)(d * d) * sizeof *H);
        for (int64_t t = 0; t < c->T; t++) {
            const int64_t i_row = (b * c->T + t) * c->H + h;
            const double *k = c->at[L_K] + i_row * d, *q = c->at[L_Q] + i_row * d, *x = c->at[L_X] + i_row * d, nq = norm_of(d, q);
            const quad g = c->at[L_GATE] ? power_of_e(c->at[L_GATE][i_row]) : 1, w = c->at[L_BETA] ? (quad)c->at[L_BETA][i_row] : 1;
            quad trace = top;
            for (int64_t i = 0; i < d; i++) {
                r[i] = (quad)ridge[i] * (quad)x[i] - (quad)q[i];
                for (int64_t j = 0; j < d; j++) H[i * d + j] = g * H[i * d + j] + w * (quad)k[i] * (quad)k[j], r[i] += H[i * d + j] * (quad)x[j];
                trace += H[i * d + i];
            }
            residual[i_row] = nq > 0 ? norm_quad(d, r) / nq : 0;
            size[i_row] = nq > 0 ? (double)(trace * (quad)norm_of(d, x) / (quad)nq) : 0;
        }
    }
    free(H), free(r);
}

double lsq_excess(const lsq_exact *e, const lsq_case *got, enum lsq_array a, int32_t dtype, const double *bound, const char *skip)
{
    const int64_t rows = a == L_DRIDGE ? got->H : got->B * got->T * got->H, width = rows ? lsq_count(got, a) / rows : 0;
    double most = 0;
    for (int64_t i = 0; i < rows; i++) {
        const double *x = got->at[a] + i * width, *y = e->result.at[a] + i * width;
        double off[256], room = bound[i];
        for (int64_t j = 0; j < width; j++) off[j] = x[j] - y[j];
        room += dtype == MESAOPT_F32 ? 0x1p-22 * norm_of(width, y) + 0x1p-126 * sqrt((double)width) : 0x1p-1022;
        if (!(skip && skip[i]) && !(norm_of(width, off) <= most * room)) most = norm_of(width, off) / room;
    }
    return most;
}
