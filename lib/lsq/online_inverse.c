/* R, P and M^-1, see online.h. */
#include "lsq/dense.h"
#include "lsq/online_parts.h"
#include <math.h>

enum { MOST_UPDATES = 32, MOST_STEPS = 64 };
static const double MOST_CANCELLED = 1e4, FEW_DIGITS = 0x1p-6;

/* Along M^-1 k a row shrinks M^-1 by its pivot, and digits go with it. Keys of unit size on a ridge of 1, which begin with d, pass; the first d rows
 * on a small ridge and outliers do not. */
static double most_pivot(const online_plan *p) { return 8 * (double)(p->d + 16); }

/* y += c x, of d elements */
static void add(const online_plan *p, double c, const double *x, double *y) { p->k->row_add(1, p->d, &c, 0, x, 0, y, 0); }

/* R = (H + Lambda)^-1 by Cholesky. */
static void refresh(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t d = p->d;
    dense_mirror(d, sizeof(double), o->H);
    memcpy(w->U, o->H, (size_t)(d * d) * sizeof(double));
    dense_cholesky(p->k, ps, w->dense, d, o->ridge, w->U, d);
    o->singular = 0;
    for (int64_t i = 0; i < d; i++) {                          /* what rounding leaves of a pivot, 1 / U_ii^2, of its diagonal */
        const double u = w->U[i * (d + 1)];
        o->singular |= !((double)d * 0x1p-52 * (o->H[i * (d + 1)] + o->ridge[i]) * u * u < FEW_DIGITS);
    }
    memset(o->R, 0, (size_t)(d * d) * sizeof(double));
    for (int64_t i = 0; i < d; i++) o->R[i * (d + 1)] = 1;
    dense_solve(p->k, ps, w->dense, d, w->U, d, d, o->R, d);
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < i; j++) o->R[i * d + j] = o->R[j * d + i] = (o->R[i * d + j] + o->R[j * d + i]) / 2;
    o->fresh = 1;
    o->updates = 0;
}

/* y -= sum_{j < n} s_j p_j c_j */
static void subtract_rows(const online_plan *p, int64_t n, const online *o, double *c, double *y)
{
    if (n == 0) return;
    p->k->multiply(n, c, o->sign, c);
    p->k->combine(n, p->d, 1, c, 0, o->P, p->d, 1, y, 0);
}

/* y = M^-1 x */
static void apply(const online_plan *p, const workspace *w, const online *o, const double *x, double *y)
{
    p->k->combine(p->d, p->d, 1, x, 0, o->R, p->d, 0, y, 0);
    if (o->ready == 0) return;
    buffer_dots(p, o->ready, 1, o->Pt, x, w->dots);
    subtract_rows(p, o->ready, o, w->dots, y);
}

/* The size of the terms of k . R k, which may cancel. */
static double terms_of(const online_plan *p, const online *o, const double *key)
{
    double sum = 0;
    for (int64_t i = 0; i < p->d; i++) sum += key[i] * key[i] * o->R[i * (p->d + 1)];
    return sum;
}

/* p of the next row from r = R k, which becomes M^-1 k, and c = p_j . k; 0 when digits would be lost, and R is not fresh then. */
static int prepare_row(const online_plan *p, online *o, double *c, double *r)
{
    const int64_t j = o->ready;
    const double *key = o->K + j * p->d, weight = o->weight[j];
    subtract_rows(p, j, o, c, r);
    const double pivot = 1 + weight * vector_dot(p, key, r);
    if (!(weight < 0 ? -weight * terms_of(p, o, key) < MOST_CANCELLED * pivot : pivot < most_pivot(p))) return o->fresh = 0;
    o->length[j] = sqrt(fabs(weight) / pivot);
    p->k->row_scale(1, p->d, &o->length[j], 0, r, 0, o->P + j * p->d, 0);
    buffer_column(p, o->Pt, j, o->P + j * p->d);
    o->sign[j] = weight < 0 ? 1 : -1;                          /* of what is added */
    o->ready++;
    return 1;
}

static void prepare_rows(const online_plan *p, const workspace *w, online *o)
{
    while (o->ready < o->filled) {
        const double *key = o->K + o->ready * p->d;
        p->k->combine(p->d, p->d, 1, key, 0, o->R, p->d, 0, w->turned, 0);
        if (o->ready > 0) buffer_dots(p, o->ready, 1, o->Pt, key, w->dots);
        if (!prepare_row(p, o, w->dots, w->turned)) return;
    }
}

/* R -= P^T P, when that is all that happened to the base. */
void inverse_update(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t n = o->filled, d = p->d;
    int usable = o->fresh && o->a == 1 && o->updates + n <= MOST_UPDATES * p->rows;
    for (int64_t j = 0; usable && j < n; j++) usable = o->weight[j] > 0;
    if (usable && n - o->ready > p->rows / 4) usable = o->ready > n / 2; /* nobody has asked for most of P */
    if (usable) prepare_rows(p, w, o);
    if (!usable || o->ready < n) {
        o->fresh = 0;
        return;
    }
    memcpy(w->weighted, o->P, (size_t)(n * d) * sizeof(double));
    p->k->scale(n * d, -1, w->weighted);
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_C_LOWER, 1, d, d, n, (mat){w->weighted, 1, d}, dense_mat(o->P, d), dense_mat(o->R, d));
    dense_mirror(d, sizeof(double), o->R);
    o->updates += n;
}

/* R is of the base, and has its digits: rows may have brought those of a singular one back. */
static int current(const online *o) { return o->fresh && !o->lost && !(o->singular && o->filled > 0); }

void inverse_prepare(const online_plan *p, void *ps, const workspace *w, online *o)
{
    if (current(o)) {
        prepare_rows(p, w, o);
        if (o->fresh) return;
    }
    base_flush(p, ps, w, o);
    refresh(p, ps, w, o);
}

/* x = (M + e Lambda)^-1 q from z = M^-1 q in x, by conjugate gradients; q is of size 1. */
static void refine(const online_plan *p, const workspace *w, const online *o, const double *q, double *x)
{
    const int64_t d = p->d;
    const double e = 1 / o->a - 1, enough = 0x1p-98 * vector_dot(p, q, q);       /* squares: 49 bits */
    double *r = w->residual, *z = w->solved, *s = w->direction, *Ms = w->M_direction, *As = w->A_direction, rz = 0;
    memcpy(r, x, (size_t)d * sizeof(double));
    p->k->multiply(d, r, o->ridge, r);
    p->k->scale(d, -e, r);                                                /* q - (M + e Lambda) M^-1 q */
    for (int i = 0; i < MOST_STEPS && vector_dot(p, r, r) > enough; i++) {
        const double before = rz;
        apply(p, w, o, r, z);
        rz = vector_dot(p, r, z);
        const double turn = i ? rz / before : 0;
        if (i) p->k->scale(d, turn, s), p->k->scale(d, turn, Ms), add(p, 1, z, s), add(p, 1, r, Ms);
        else memcpy(s, z, (size_t)d * sizeof(double)), memcpy(Ms, r, (size_t)d * sizeof(double));
        p->k->multiply(d, s, o->ridge, As);
        p->k->scale(d, e, As);
        add(p, 1, Ms, As);
        const double step = rz / vector_dot(p, s, As);
        add(p, step, s, x);
        add(p, -step, As, r);
    }
}

/* The power of two just above the largest |x_i|: squares of x / size neither overflow nor vanish. 1 for zeros. */
static double size_of(const online_plan *p, const double *x)
{
    double most = 0;
    int power = 0;
    p->k->row_max(1, p->d, x, 0, &most);
    frexp(most, &power);
    return ldexp(1, power > 1000 ? 1000 : power < -1000 ? -1000 : power);
}

/* One row is not ready, which is how it is row by row: R is read once for its key and for w->given, M^-1 of which goes to w->turned. 0 as prepare_row. */
static int solve_with_row(const online_plan *p, const workspace *w, online *o)
{
    const int64_t d = p->d, n = o->ready;
    double *c = w->dots + p->rows;
    memcpy(w->given + d, o->K + n * d, (size_t)d * sizeof(double));
    p->k->combine(d, d, 2, w->given, d, o->R, d, 0, w->turned, d);
    if (n > 0) buffer_dots(p, n, 2, o->Pt, w->given, w->dots);
    if (!prepare_row(p, o, c, w->turned + d)) return 0;
    w->dots[n] = vector_dot(p, o->P + n * d, w->given);
    subtract_rows(p, n + 1, o, w->dots, w->turned);
    return 1;
}

double inverse_solve(const online_plan *p, void *ps, const workspace *w, online *o, const double *q)
{
    const double size = size_of(p, q), inverse = 1 / size;
    p->k->row_scale(1, p->d, &inverse, 0, q, 0, w->given, 0);
    if (current(o) && o->a == 1 && o->ready + 1 == o->filled && solve_with_row(p, w, o)) return size;
    inverse_prepare(p, ps, w, o);
    apply(p, w, o, w->given, w->turned);
    if (o->a != 1) refine(p, w, o, w->given, w->turned);
    return size;
}
