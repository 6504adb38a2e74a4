/* R, P and M^-1, see regression.h. */
#include "kern/dense.h"
#include "rls/worker.h"
#include <math.h>

enum { MOST_UPDATES = 32, MOST_STEPS = 64, MOST_CORRECTIONS = 4 };
static const double MOST_CANCELLED = 256, MOST_SHRUNK = 64;
/* Of strain times rounding: from here on no three digits are left; squared, from here on a solution
 * is corrected once more. */
static const double FEW_DIGITS = 0x1p-10, ENOUGH = 0x1p-40;

/* Along M^-1 k a row shrinks M^-1 by its pivot, and digits go with it. Keys of unit size on a ridge
 * of 1, which begin with d, pass; the first d rows on a small ridge and outliers do not. */
static double most_pivot(const online_plan *p) { return 8 * (double)(p->d + 16); }

/* y += c x, of d elements */
static void add(const online_plan *p, double c, const double *x, double *y)
{
    p->k->row_add(1, p->d, &c, 0, x, 0, y, 0);
}

/* The largest M_ii R_ii, how far channel i is explained by the others: 1 when it is not, and
 * between kappa / d^2 and kappa, the condition number of M when its diagonal is scaled to ones. */
void inverse_strain(const online_plan *p, online *o)
{
    const int64_t d = p->d;
    o->strain = o->shrunk = 1;
    for (int64_t i = 0; i < d; i++) {
        o->diagonal[i] = o->R[i * (d + 1)];
        const double strain = (o->H[i * (d + 1)] + o->ridge[i]) * o->R[i * (d + 1)];
        if (!(strain <= o->strain)) o->strain = strain;
    }
    o->singular = !((double)d * 0x1p-52 * o->strain < FEW_DIGITS);
}

/* R = (H + Lambda)^-1 = U^-1 U^-T by Cholesky. Such a product leaves M R - 1 as small as M's
 * condition allows; the mean of an inverse and its transpose does not. */
void inverse_form(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t d = p->d;
    dense_mirror(d, sizeof(double), o->H);
    o->whole = 1;
    memcpy(w->U, o->H, (size_t)(d * d) * sizeof(double));
    dense_cholesky(p->k, ps, w->dense, d, o->ridge, w->U, d);
    memset(w->inverse, 0, (size_t)(d * d) * sizeof(double));
    for (int64_t i = 0; i < d; i++) w->inverse[i * (d + 1)] = 1;
    dense_half(p->k, ps, w->dense, d, w->U, d, d, w->inverse, d);
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_C_LOWER, 0, d, d, d, (mat){w->inverse, 1, d},
                  dense_mat(w->inverse, d), dense_mat(o->R, d));
    dense_mirror(d, sizeof(double), o->R);
    o->fresh = 1;
    o->updates = 0;
    inverse_strain(p, o);
}

/* y -= sum_{j < n} s_j p_j c_j */
static void subtract_rows(const online_plan *p, int64_t n, const online *o, double *c, double *y)
{
    if (n == 0) return;
    p->k->multiply(n, c, o->sign, c);
    p->k->combine(n, p->d, 1, c, 0, o->P, p->d, 1, y, 0);
}

/* y = M^-1 x */
static void apply(const online_plan *p, const workspace *w, const online *o, const double *x,
                  double *y)
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

/* Row j is ready: what is left of R's diagonal, and by how much it has shrunk, for digits go with
 * that. */
static void shrink(const online_plan *p, online *o, int64_t j, double weight)
{
    const double *row = o->P + j * p->d;
    for (int64_t i = 0; i < p->d; i++) {
        o->diagonal[i] -= weight > 0 ? row[i] * row[i] : -row[i] * row[i];
        const double shrunk = o->R[i * (p->d + 1)] / o->diagonal[i];
        if (!(shrunk <= o->shrunk)) o->shrunk = shrunk;
    }
}

/* p of the next row from r = R k, which becomes M^-1 k, and c = p_j . k; 0 when digits would be
 * lost, and R is not fresh then. */
static int prepare_row(const online_plan *p, online *o, double *c, double *r)
{
    const int64_t j = o->ready;
    const double *key = o->K + j * p->d, weight = o->weight[j];
    subtract_rows(p, j, o, c, r);
    const double pivot = 1 + weight * vector_dot(p, key, r);
    if (!(weight < 0 ? -weight * terms_of(p, o, key) < MOST_CANCELLED * pivot
                     : pivot < most_pivot(p)))
        return o->fresh = 0;
    o->length[j] = sqrt(fabs(weight) / pivot);
    p->k->row_scale(1, p->d, &o->length[j], 0, r, 0, o->P + j * p->d, 0);
    buffer_column(p, o->Pt, j, o->P + j * p->d);
    shrink(p, o, j, weight);
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
    /* nobody has asked for most of P */
    if (usable && n - o->ready > p->rows / 4) usable = o->ready > n / 2;
    if (usable) prepare_rows(p, w, o);
    if (!usable || o->ready < n || !(o->shrunk < MOST_SHRUNK)) {
        o->fresh = 0;
        return;
    }
    memcpy(w->weighted, o->P, (size_t)(n * d) * sizeof(double));
    p->k->scale(n * d, -1, w->weighted);
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_C_LOWER, 1, d, d, n, (mat){w->weighted, 1, d},
                  dense_mat(o->P, d), dense_mat(o->R, d));
    dense_mirror(d, sizeof(double), o->R);
    o->updates += n;
}

/* R is of the base, and has its digits: rows may have brought those of a singular one back. */
static int current(const online *o)
{
    return o->fresh && !o->lost && !(o->singular && o->filled > 0);
}

void inverse_prepare(const online_plan *p, void *ps, const workspace *w, online *o)
{
    if (current(o)) {
        prepare_rows(p, w, o);
        if (o->fresh) return;
    }
    base_flush(p, ps, w, o);
    inverse_form(p, ps, w, o);
}

/* x = (M + e Lambda)^-1 b from z = M^-1 b in x, by conjugate gradients. */
static void turn(const online_plan *p, const workspace *w, const online *o, const double *b,
                 double *x)
{
    const int64_t d = p->d;
    /* squares: 49 bits */
    const double e = 1 / o->a - 1, enough = 0x1p-98 * vector_dot(p, b, b);
    double *r = w->residual, *z = w->solved, *s = w->direction, *Ms = w->M_direction,
           *As = w->A_direction, rz = 0;
    memcpy(r, x, (size_t)d * sizeof(double));
    p->k->multiply(d, r, o->ridge, r);
    p->k->scale(d, -e, r);                              /* b - (M + e Lambda) M^-1 b */
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

/* x = (M + e Lambda)^-1 b, as good as R is */
static void solve(const online_plan *p, const workspace *w, const online *o, const double *b,
                  double *x)
{
    apply(p, w, o, b, x);
    if (o->a != 1) turn(p, w, o, b, x);
}

/* w->defect <- b - (M + e Lambda) x, from the sums themselves */
static void fill_defect(const online_plan *p, const workspace *w, online *o, const double *b,
                        const double *x)
{
    const int64_t d = p->d, n = o->filled;
    if (!o->whole) dense_mirror(d, sizeof(double), o->H);
    o->whole = 1;
    p->k->combine(d, d, 1, x, 0, o->H, d, 0, w->defect, 0);
    if (n > 0) {
        buffer_dots(p, n, 1, o->Kt, x, w->dots);
        p->k->multiply(n, w->dots, o->weight, w->dots);
        p->k->combine(n, d, 1, w->dots, 0, o->K, d, 1, w->defect, 0);
    }
    for (int64_t i = 0; i < d; i++) w->defect[i] = b[i] - w->defect[i] - o->ridge[i] / o->a * x[i];
}

/* Where M strains R, or much of R has gone: x is corrected by what it leaves of b, until that is
 * what a factor of M would leave too. */
static void correct(const online_plan *p, const workspace *w, online *o, const double *b, double *x)
{
    double last = INFINITY;
    for (int i = 0; i < MOST_CORRECTIONS; i++) {
        fill_defect(p, w, o, b, x);
        solve(p, w, o, w->defect, w->correction);
        /* squared, as the sums measure */
        const double left = vector_dot(p, w->defect, w->correction);
        if (!(left < last / 4)) return;
        add(p, 1, w->correction, x);
        if (left <= ENOUGH * vector_dot(p, b, x)) return;
        last = left;
    }
}

/* The power of two just above the largest |x_i|: squares of x / size neither overflow nor vanish. 1
 * for zeros. */
static double size_of(const online_plan *p, const double *x)
{
    double most = 0;
    int power = 0;
    p->k->row_max(1, p->d, x, 0, &most);
    frexp(most, &power);
    return ldexp(1, power > 1000 ? 1000 : power < -1000 ? -1000 : power);
}

/* One row is not ready, which is how it is row by row: R is read once for its key and for w->given,
 * M^-1 of which goes to w->turned. 0 as prepare_row. */
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
    if (!(current(o) && o->a == 1 && o->ready + 1 == o->filled && solve_with_row(p, w, o))) {
        inverse_prepare(p, ps, w, o);
        solve(p, w, o, w->given, w->turned);
    }
    if (o->strain > STRAINED || o->shrunk > MOST_SHRUNK / 2) correct(p, w, o, w->given, w->turned);
    return size;
}
