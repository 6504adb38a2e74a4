/* See lsq_oracle.h. Formulas: arXiv 2506.05233 section 3 and appendix; docs/science.md, section 3, but d(log gamma) is g_t (<dL/dH_t, H_{t-1}> + <dL/dS_t, S_{t-1}>),
 * not the identity that the library uses. */
#include "lsq_oracle.h"
#include <math.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

/* ---- linear algebra ---- */

static void factor(int64_t d, double *A)                       /* A = L L^T, in its lower triangle */
{
    for (int64_t j = 0; j < d; j++) {
        for (int64_t i = j; i < d; i++) {
            double sum = A[i * d + j];
            for (int64_t k = 0; k < j; k++) sum -= A[i * d + k] * A[j * d + k];
            A[i * d + j] = i == j ? sqrt(sum) : sum / A[j * d + j];
        }
    }
}

static void solve(int64_t d, const double *L, const double *b, double *x)
{
    for (int64_t i = 0; i < d; i++) {
        double sum = b[i];
        for (int64_t k = 0; k < i; k++) sum -= L[i * d + k] * x[k];
        x[i] = sum / L[i * d + i];
    }
    for (int64_t i = d - 1; i >= 0; i--) {
        x[i] /= L[i * d + i];
        for (int64_t k = 0; k < i; k++) x[k] -= L[i * d + k] * x[i];
    }
}

static double normalize(int64_t d, double *x)
{
    double norm = 0;
    for (int64_t i = 0; i < d; i++) norm += x[i] * x[i];
    for (int64_t i = 0; i < d; i++) x[i] /= sqrt(norm);
    return sqrt(norm);
}

/* Of H + diag l = L L^T by power iterations, hence a little below. */
static double condition(int64_t d, const double *H, const double *l, const double *L, double *x, double *y)
{
    double most = 0, inverse = 0;
    for (int64_t i = 0; i < d; i++) x[i] = y[i] = 1 + 0.1 * (double)(i % 7);
    for (int step = 0; step < 15; step++) {
        double z[256];
        for (int64_t i = 0; i < d; i++) {
            z[i] = l[i] * x[i];
            for (int64_t j = 0; j < d; j++) z[i] += H[i * d + j] * x[j];
        }
        memcpy(x, z, (size_t)d * sizeof *x);
        most = normalize(d, x);
        memcpy(z, y, (size_t)d * sizeof *x);
        solve(d, L, z, y);
        inverse = normalize(d, y);
    }
    return most * inverse;
}

/* ---- cases ---- */

enum form { KEYS, VALUES, TOKENS, CHANNELS, KEY_STATE, VALUE_STATE };
static const struct { const char *name; enum form form; int32_t which; } arrays[L_ARRAYS] = {
    [L_Q] = {"q", KEYS, 0}, [L_K] = {"k", KEYS, 0}, [L_V] = {"v", VALUES, 0}, [L_DOUT] = {"dout", VALUES, 0},
    [L_BETA] = {"beta", TOKENS, MESAOPT_LSQ_BETA}, [L_GATE] = {"log_gamma", TOKENS, MESAOPT_LSQ_LOG_GAMMA},
    [L_RIDGE] = {"ridge", CHANNELS, MESAOPT_LSQ_RIDGE}, [L_H0] = {"h0", KEY_STATE, MESAOPT_LSQ_H0}, [L_S0] = {"s0", VALUE_STATE, MESAOPT_LSQ_S0},
    [L_DHL] = {"d_h_last", KEY_STATE, MESAOPT_LSQ_D_H_LAST}, [L_DSL] = {"d_s_last", VALUE_STATE, MESAOPT_LSQ_D_S_LAST},
    [L_OUT] = {"out", VALUES, 0}, [L_X] = {"solution", KEYS, MESAOPT_LSQ_SOLUTION}, [L_HL] = {"h_last", KEY_STATE, MESAOPT_LSQ_H_LAST},
    [L_SL] = {"s_last", VALUE_STATE, MESAOPT_LSQ_S_LAST}, [L_DQ] = {"dq", KEYS, 0}, [L_DK] = {"dk", KEYS, 0}, [L_DV] = {"dv", VALUES, 0},
    [L_DBETA] = {"d_beta", TOKENS, MESAOPT_LSQ_D_BETA}, [L_DGATE] = {"d_log_gamma", TOKENS, MESAOPT_LSQ_D_LOG_GAMMA},
    [L_DRIDGE] = {"d_ridge", CHANNELS, MESAOPT_LSQ_D_RIDGE}, [L_DH0] = {"d_h0", KEY_STATE, MESAOPT_LSQ_D_H0}, [L_DS0] = {"d_s0", VALUE_STATE, MESAOPT_LSQ_D_S0},
    [L_RESIDUAL] = {"residual", TOKENS, MESAOPT_LSQ_RESIDUAL}, [L_ITERATIONS] = {"iterations", TOKENS, MESAOPT_LSQ_ITERATIONS},
    [L_CONDITION] = {"condition", TOKENS, MESAOPT_LSQ_CONDITION}, [L_U_RESIDUAL] = {"residual of the adjoint", TOKENS, MESAOPT_LSQ_RESIDUAL},
};

static int shape_of(const lsq_case *c, enum lsq_array a, int64_t shape[4])
{
    const int64_t shapes[][4] = {[KEYS] = {c->B, c->T, c->H, c->d}, [VALUES] = {c->B, c->T, c->H, c->dv}, [TOKENS] = {c->B, c->T, c->H, 1},
                                 [CHANNELS] = {c->H, c->d, 1, 1}, [KEY_STATE] = {c->N, c->H, c->d, c->d}, [VALUE_STATE] = {c->N, c->H, c->d, c->dv}};
    memcpy(shape, shapes[arrays[a].form], sizeof shapes[0]);
    return arrays[a].form == TOKENS ? 3 : arrays[a].form == CHANNELS ? 2 : 4;
}

int64_t lsq_count(const lsq_case *c, enum lsq_array a)         /* loops ask again and again */
{
    const int64_t rows = c->B * c->T * c->H;
    switch (arrays[a].form) {
    case KEYS: return rows * c->d;
    case VALUES: return rows * c->dv;
    case TOKENS: return rows;
    case CHANNELS: return c->H * c->d;
    case KEY_STATE: return c->N * c->H * c->d * c->d;
    default: return c->N * c->H * c->d * c->dv;
    }
}

const char *lsq_name(enum lsq_array a) { return arrays[a].name; }

static uint64_t next(uint64_t *state)                          /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static double uniform(uint64_t *s) { return ((double)(next(s) >> 11) + 0.5) * 0x1p-53; }
static double normal(uint64_t *s) { return sqrt(-2 * log(uniform(s))) * cos(6.283185307179586 * uniform(s)); }

static double *space(const lsq_case *c, enum lsq_array a)
{
    double *x = calloc((size_t)lsq_count(c, a) + 1, sizeof *x);
    ck_assert_ptr_nonnull(x);
    return x;
}

static double *normals(const lsq_case *c, enum lsq_array a, uint64_t *s)
{
    double *x = space(c, a);
    for (int64_t i = 0; i < lsq_count(c, a); i++) x[i] = normal(s);
    return x;
}

/* Symmetric: gradients of H_LAST need be no more. */
static void symmetrize(const lsq_case *c, double *x)
{
    const int64_t d = c->d;
    for (int64_t n = 0; n < c->N * c->H; n++)
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j < i; j++) x[(n * d + i) * d + j] = x[(n * d + j) * d + i];
}

void lsq_round(lsq_case *c)
{
    for (int a = 0; a < L_OUT; a++)
        for (int64_t i = 0; c->at[a] && i < lsq_count(c, a); i++) c->at[a][i] = (double)(float)c->at[a][i];
}

static void want_results(lsq_case *c)
{
    const int needs[L_ARRAYS] = {[L_DBETA] = 1 + L_BETA, [L_DGATE] = 1 + L_GATE, [L_DH0] = 1 + L_H0, [L_DS0] = 1 + L_S0};
    for (int a = L_OUT; a < L_ARRAYS; a++) c->at[a] = needs[a] && !c->at[needs[a] - 1] ? NULL : space(c, a);
}

/* The largest at a few tokens of one head. */
static double some_condition(const lsq_case *c, int64_t h)
{
    const int64_t d = c->d;
    double *H = calloc((size_t)(2 * d * (d + 1)), sizeof *H), *L = H + d * d, *x = L + d * d, most = 1;
    for (int64_t t = 0; t < c->T; t++) {
        const double *k = c->at[L_K] + (t * c->H + h) * d, g = c->at[L_GATE] ? exp(c->at[L_GATE][t * c->H + h]) : 1, b = c->at[L_BETA] ? c->at[L_BETA][t * c->H + h] : 1;
        for (int64_t i = 0; i < d * d; i++) H[i] = g * (t == 0 && c->at[L_H0] ? c->at[L_H0][h * d * d + i] : H[i]) + b * k[i / d] * k[i % d];
        if (t % (c->T / 4 + 1) != 0 && t % (d / 3 + 1) != 0 && t < c->T - 1) continue;
        memcpy(L, H, (size_t)(d * d) * sizeof *L);
        for (int64_t i = 0; i < d; i++) L[i * (d + 1)] += c->at[L_RIDGE][h * d + i];
        factor(d, L);
        most = fmax(most, condition(d, H, c->at[L_RIDGE] + h * d, L, x, x + d));
    }
    free(H);
    return most;
}

lsq_case lsq_case_new(uint64_t seed, int64_t B, int64_t T, int64_t H, int64_t d, int64_t dv, int operands, double kappa)
{
    lsq_case c = {.B = B, .T = T, .H = H, .d = d, .dv = dv, .N = B};
#if defined(__GLIBC__)
    mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, 1 << 30);        /* pages that were touched stay: thousands of calls follow */
#endif
    uint64_t s = seed;
    c.at[L_Q] = normals(&c, L_Q, &s), c.at[L_K] = normals(&c, L_K, &s), c.at[L_V] = normals(&c, L_V, &s), c.at[L_DOUT] = normals(&c, L_DOUT, &s);
    for (int64_t i = 0; i < B * T * H * d; i++) c.at[L_K][i] *= pow(10, -1.5 * (double)(i % d) / (double)d);
    c.at[L_RIDGE] = space(&c, L_RIDGE);
    for (int64_t i = 0; i < H * d; i++) c.at[L_RIDGE][i] = 0.8 + 0.4 * uniform(&s);
    if (operands & LSQ_GATES) {
        c.at[L_BETA] = space(&c, L_BETA), c.at[L_GATE] = space(&c, L_GATE);
        for (int64_t i = 0; i < B * T * H; i++) c.at[L_BETA][i] = 0.1 + 0.9 * uniform(&s), c.at[L_GATE][i] = log(0.95 + 0.0475 * uniform(&s));
    }
    if (operands & LSQ_STATES) {
        c.at[L_H0] = space(&c, L_H0), c.at[L_S0] = normals(&c, L_S0, &s);
        for (int64_t n = 0; n < c.N * H; n++)                  /* the sum of a few keys */
            for (int m = 0; m < 5; m++) {
                double key[256];
                for (int64_t i = 0; i < d; i++) key[i] = normal(&s);
                for (int64_t i = 0; i < d * d; i++) c.at[L_H0][n * d * d + i] += key[i / d] * key[i % d];
            }
    }
    if (operands & LSQ_LAST) c.at[L_DHL] = normals(&c, L_DHL, &s), c.at[L_DSL] = normals(&c, L_DSL, &s), symmetrize(&c, c.at[L_DHL]);
    want_results(&c);
    /* Condition numbers fall as the ridge grows. */
    for (int i = 0; i < 8 && T > 0 && kappa > 0; i++) {
        double seen = 1;
        for (int64_t h = 0; h < H; h++) seen = fmax(seen, some_condition(&c, h));
        const double factor = (seen - 1) / (kappa - 1);
        if (fabs(factor - 1) < 0.2) break;
        for (int64_t j = 0; j < H * d; j++) c.at[L_RIDGE][j] *= factor;
    }
    lsq_round(&c);
    return c;
}

lsq_case lsq_case_like(const lsq_case *from)
{
    lsq_case c = *from;
    want_results(&c);
    return c;
}

void lsq_case_free_results(lsq_case *c)
{
    for (int a = L_OUT; a < L_ARRAYS; a++) free(c->at[a]);
}

void lsq_case_free(lsq_case *c)
{
    for (int a = 0; a < L_ARRAYS; a++) free(c->at[a]);
}

double lsq_error(const lsq_case *got, const lsq_case *want, enum lsq_array a)
{
    double diff = 0, norm = 0;
    for (int64_t i = 0; i < lsq_count(want, a); i++) diff += pow(got->at[a][i] - want->at[a][i], 2), norm += pow(want->at[a][i], 2);
    return diff == 0 ? 0 : sqrt(diff / norm);
}

/* ---- the definition ---- */

/* One head of one sequence: rows of tokens are `step` tokens of H heads apart. */
typedef struct head {
    int64_t T, d, dv, step;
    const double *q, *k, *v, *dout, *beta, *gate, *ridge;
    double *out, *x, *dq, *dk, *dv_, *dbeta, *dgate, *dridge, *condition;
    double *Hs, *Ss, *u;           /* (T + 1) d d, (T + 1) d dv, T d */
} head;

static double gate_of(const head *c, int64_t t) { return c->gate ? exp(c->gate[t * c->step]) : 1; }
static double beta_of(const head *c, int64_t t) { return c->beta ? c->beta[t * c->step] : 1; }

/* Returns the largest condition number; 1 when only outputs and final states are wanted. */
static double forward(const head *c, int only_outputs)
{
    const int64_t d = c->d, dv = c->dv;
    double *L = malloc((size_t)(d * d) * sizeof *L), *y = malloc((size_t)(2 * d) * sizeof *y), most = 1;
    for (int64_t t = 0; t < c->T; t++) {
        const double *k = c->k + t * c->step * d, *v = c->v + t * c->step * dv, *go = c->dout + t * c->step * dv, *H0 = c->Hs + t * d * d, *S0 = c->Ss + t * d * dv;
        double *H = c->Hs + (t + 1) * d * d, *S = c->Ss + (t + 1) * d * dv, *x = c->x + t * c->step * d, *out = c->out + t * c->step * dv;
        const double g = gate_of(c, t), b = beta_of(c, t);
        for (int64_t i = 0; i < d; i++) {
            for (int64_t j = 0; j < d; j++) L[i * d + j] = H[i * d + j] = g * H0[i * d + j] + b * k[i] * k[j];
            for (int64_t j = 0; j < dv; j++) S[i * dv + j] = g * S0[i * dv + j] + b * k[i] * v[j];
            L[i * d + i] += c->ridge[i];
        }
        factor(d, L);
        solve(d, L, c->q + t * c->step * d, x);
        for (int64_t j = 0; j < dv; j++) out[j] = 0;
        for (int64_t i = 0; i < d; i++) {
            y[i] = 0;
            for (int64_t j = 0; j < dv; j++) out[j] += S[i * dv + j] * x[i], y[i] += S[i * dv + j] * go[j];
        }
        if (only_outputs) continue;
        solve(d, L, y, c->u + t * d);
        memcpy(c->dq + t * c->step * d, c->u + t * d, (size_t)d * sizeof *y);
        if (t % 5 == 4 || t == c->T - 1) {
            const double kappa = condition(d, H, c->ridge, L, y, y + d);
            c->condition[t * c->step] = kappa;
            most = kappa > most ? kappa : most;
        }
    }
    free(L), free(y);
    return most;
}

/* P, R: gradients of S_T and H_T on entry, of S_0 and H_0 on return. */
static void backward(const head *c, double *P, double *R)
{
    const int64_t d = c->d, dv = c->dv;
    for (int64_t t = c->T - 1; t >= 0; t--) {
        const double *k = c->k + t * c->step * d, *v = c->v + t * c->step * dv, *go = c->dout + t * c->step * dv, *x = c->x + t * c->step * d, *u = c->u + t * d;
        double *dk = c->dk + t * c->step * d, *dval = c->dv_ + t * c->step * dv, dbeta = 0, dgate = 0;
        const double g = gate_of(c, t), b = beta_of(c, t);
        for (int64_t j = 0; j < dv; j++) dval[j] = 0;
        for (int64_t i = 0; i < d; i++) {
            for (int64_t j = 0; j < dv; j++) P[i * dv + j] += x[i] * go[j];
            for (int64_t j = 0; j < d; j++) R[i * d + j] -= u[i] * x[j];
            c->dridge[i] -= u[i] * x[i];
        }
        for (int64_t i = 0; i < d; i++) {
            double pv = 0, rk = 0, kr = 0;
            for (int64_t j = 0; j < dv; j++) {
                pv += P[i * dv + j] * v[j];
                dval[j] += b * P[i * dv + j] * k[i];
                dgate += P[i * dv + j] * c->Ss[(t * d + i) * dv + j];
            }
            for (int64_t j = 0; j < d; j++) {
                rk += R[i * d + j] * k[j], kr += R[j * d + i] * k[j];
                dgate += R[i * d + j] * c->Hs[(t * d + i) * d + j];
            }
            dk[i] = b * (pv + rk + kr);
            dbeta += k[i] * (pv + rk);
        }
        if (c->dbeta) c->dbeta[t * c->step] = dbeta;
        if (c->dgate) c->dgate[t * c->step] = g * dgate;
        for (int64_t i = 0; i < d * dv; i++) P[i] *= g;
        for (int64_t i = 0; i < d * d; i++) R[i] *= g;
    }
}

static double *part(double *x, int64_t n) { return x ? x + n : NULL; }
static double *start(const double *from, int64_t n, int64_t at, double *to)
{
    if (from) memcpy(to, from + at, (size_t)n * sizeof *to);
    return to;
}

static double reference_head(lsq_case *c, int64_t n, int64_t h, int only_outputs)
{
    const int64_t first = c->starts ? c->starts[n] : n * c->T, T = c->starts ? c->starts[n + 1] - first : c->T, i = first * c->H + h, s = n * c->H + h;
    const int64_t d = c->d, dv = c->dv, dd = d * d, ds = d * dv;
    double *memory = calloc((size_t)((T + 2) * (dd + ds) + (T + 1) * d), sizeof *memory), *const *a = c->at;
    ck_assert_ptr_nonnull(memory);
    const head one = {T, d, dv, c->H, a[L_Q] + i * d, a[L_K] + i * d, a[L_V] + i * dv, a[L_DOUT] + i * dv, part(a[L_BETA], i), part(a[L_GATE], i), a[L_RIDGE] + h * d,
                      a[L_OUT] + i * dv, a[L_X] + i * d, a[L_DQ] + i * d, a[L_DK] + i * d, a[L_DV] + i * dv, part(a[L_DBETA], i), part(a[L_DGATE], i),
                      a[L_DRIDGE] + h * d, a[L_CONDITION] + i, memory, memory + (T + 1) * dd, memory + (T + 2) * (dd + ds)};
    double *R = memory + (T + 1) * (dd + ds), *P = R + dd;
    start(a[L_H0], dd, s * dd, one.Hs), start(a[L_S0], ds, s * ds, one.Ss);
    const double kappa = forward(&one, only_outputs);
    memcpy(a[L_HL] + s * dd, one.Hs + T * dd, (size_t)dd * sizeof *R), memcpy(a[L_SL] + s * ds, one.Ss + T * ds, (size_t)ds * sizeof *R);
    if (!only_outputs) {
        backward(&one, start(a[L_DSL], ds, s * ds, P), start(a[L_DHL], dd, s * dd, R));
        if (a[L_DS0]) memcpy(a[L_DS0] + s * ds, P, (size_t)ds * sizeof *R);
        for (int64_t j = 0; a[L_DH0] && j < dd; j++) a[L_DH0][s * dd + j] = (R[j] + R[j % d * d + j / d]) / 2;
    }
    free(memory);
    return kappa;
}

static double all_heads(lsq_case *c, int only_outputs)
{
    double most = 1;
    for (int64_t n = 0; n < c->N; n++)
        for (int64_t h = 0; h < c->H; h++) most = fmax(most, reference_head(c, n, h, only_outputs));
    return most;
}

double lsq_reference(lsq_case *c)
{
    memset(c->at[L_DRIDGE], 0, (size_t)(c->H * c->d) * sizeof(double));
    return all_heads(c, 0);
}

double lsq_loss(lsq_case *c)
{
    const enum lsq_array pairs[][2] = {{L_OUT, L_DOUT}, {L_HL, L_DHL}, {L_SL, L_DSL}};
    double loss = 0;
    all_heads(c, 1);
    for (int p = 0; p < 3; p++)
        for (int64_t i = 0; c->at[pairs[p][1]] && i < lsq_count(c, pairs[p][0]); i++) loss += c->at[pairs[p][0]][i] * c->at[pairs[p][1]][i];
    return loss;
}

/* ---- the library ---- */

static mesaopt_view view_of(const lsq_case *c, enum lsq_array a, int32_t dtype)
{
    int64_t shape[4], n = lsq_count(c, a);
    const int rank = shape_of(c, a, shape);
    void *x = malloc((size_t)(n + 1) * sizeof(double));
    ck_assert_ptr_nonnull(x);
    for (int64_t i = 0; i < n; i++)
        if (dtype == MESAOPT_F32) ((float *)x)[i] = a < L_OUT ? (float)c->at[a][i] : NAN;
        else ((double *)x)[i] = a < L_OUT ? c->at[a][i] : NAN;
    return dense(x, dtype, rank, shape);
}

static void read_back(const lsq_case *c, enum lsq_array a, const mesaopt_view *v)
{
    for (int64_t i = 0; i < lsq_count(c, a); i++) {
        c->at[a][i] = v->dtype == MESAOPT_F32 ? (double)((const float *)v->data)[i] : ((const double *)v->data)[i];
        if (!isfinite(c->at[a][i])) ck_abort_msg("%s: %g", arrays[a].name, c->at[a][i]);      /* assertions that hold cost a write each */
    }
}

typedef struct extras { int64_t n; int32_t which[24]; mesaopt_view view[24]; } extras;
static void add(extras *e, const lsq_case *c, const mesaopt_view *v, const enum lsq_array *list)
{
    for (; *list < L_ARRAYS; list++)
        if (c->at[*list]) e->which[e->n] = arrays[*list].which, e->view[e->n++] = v[*list];
}

mesaopt_status lsq_call(mesaopt_ctx *ctx, const char *settings, int32_t dtype, lsq_case *c)
{
    mesaopt_view v[L_ARRAYS] = {0};
    mesaopt_lsq *plan;
    extras e = {0};
    char text[512];
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, settings);
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, s, c->d, c->dv, &plan), MESAOPT_OK);
    mesaopt_settings_free(s);
    for (int a = 0; a < L_ARRAYS; a++) if (c->at[a]) v[a] = view_of(c, a, dtype);
    if (c->starts) e.which[0] = MESAOPT_LSQ_OFFSETS, e.view[e.n++] = DENSE((void *)c->starts, MESAOPT_I64, c->N + 1);
    add(&e, c, v, (const enum lsq_array[]){L_BETA, L_GATE, L_RIDGE, L_H0, L_S0, L_ARRAYS});
    extras back = e;
    add(&e, c, v, (const enum lsq_array[]){L_HL, L_SL, L_X, L_RESIDUAL, L_ITERATIONS, L_CONDITION, L_ARRAYS});
    const mesaopt_status first = mesaopt_lsq_forward(plan, &v[L_Q], &v[L_K], &v[L_V], &v[L_OUT], e.n, e.which, e.view);
    if (c->keep) back.which[back.n] = MESAOPT_LSQ_SOLUTION, back.view[back.n++] = v[L_X];
    add(&back, c, v, (const enum lsq_array[]){L_DHL, L_DSL, L_DBETA, L_DGATE, L_DRIDGE, L_DH0, L_DS0, L_U_RESIDUAL, L_ARRAYS});
    if (first < 0) mesaopt_ctx_error(ctx, text, sizeof text), ck_abort_msg("%s: %s", settings, text);
    const mesaopt_status second = mesaopt_lsq_adjoint(plan, &v[L_Q], &v[L_K], &v[L_V], &v[L_DOUT], &v[L_DQ], &v[L_DK], &v[L_DV], back.n, back.which, back.view);
    mesaopt_ctx_error(ctx, text, sizeof text);
    const int over = c->overflows && second == MESAOPT_E_NONFINITE;
    ck_assert_msg(first >= 0 && (second >= 0 || over), "%s: %s", settings, text);
    c->forward = first, c->adjoint = second;
    for (int a = L_OUT; a < L_ARRAYS; a++)
        if (c->at[a] && !(over && ((a >= L_DQ && a <= L_DS0) || a == L_U_RESIDUAL))) read_back(c, a, &v[a]);
    for (int a = 0; a < L_ARRAYS; a++) free(v[a].data);
    ck_assert_int_eq(mesaopt_lsq_free(plan), MESAOPT_OK);
    return first > second ? first : second;
}
