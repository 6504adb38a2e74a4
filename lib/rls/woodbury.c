/* See woodbury.h. */
#include "rls/woodbury.h"
#include "base/real.h"
#include "kern/dense.h"
#include <math.h>

enum { MOST_UPDATES = 32, MOST_STEPS = 64, MOST_CORRECTIONS = 4 };
static const double MOST_CANCELLED = 256, MOST_LOSS = 32;
/* Of strain: from here on solutions are corrected. */
static const double STRAINED = 1e5;
/* Of strain times rounding: from here on no three digits are left; squared, from here on a solution
 * is corrected once more. */
static const double FEW_DIGITS = 0x1p-10, ENOUGH = 0x1p-40;

/* Along M^-1 k a row shrinks M^-1 by its pivot, and digits go with it. Keys of unit size on a ridge
 * of 1, which begin with d, pass; the first d rows on a small ridge and outliers do not. */
static double most_pivot(const rls_plan *p) { return 8 * (double)(p->d + 16); }

void woodbury_take(const rls_plan *p, arena *a, woodbury *m)
{
    const int64_t d = p->d, n = p->rows;
    m->R = take_reals(a, d * d);
    m->P = take_reals(a, n * d), m->sign = take_reals(a, n), m->length = take_reals(a, n);
    m->Pt = take_reals(a, d * n);
    m->diagonal = take_reals(a, d), m->M = take_reals(a, d);
    m->formed = take_reals(a, d), m->loss = take_reals(a, d);
}

/* R has all its digits. */
static void set_formed(const rls_plan *p, woodbury *m)
{
    memcpy(m->formed, m->diagonal, (size_t)p->d * sizeof(double));
    for (int64_t i = 0; i < p->d; i++) m->loss[i] = 1;
    m->worst = 1;
    m->fresh = 1;
    m->updates = 0;
}

void woodbury_empty(const rls_plan *p, woodbury *m, const double *ridge)
{
    memset(m->R, 0, (size_t)(p->d * p->d) * sizeof(double));
    for (int64_t i = 0; i < p->d; i++)
        m->R[i * (p->d + 1)] = m->diagonal[i] = 1 / ridge[i], m->M[i] = ridge[i];
    m->ready = 0;
    m->singular = m->refuses = 0;
    m->strain = 1;
    set_formed(p, m);
}

int woodbury_strained(const woodbury *m) { return m->strain > STRAINED; }

/* What a factor leaves of R. */
static double rounding(const rls_plan *p, const woodbury *m)
{
    return (double)p->d * 0x1p-52 * m->strain;
}

static void measure_strain(const rls_plan *p, woodbury *m, const sums *s)
{
    const int64_t d = p->d;
    m->strain = 1;
    for (int64_t i = 0; i < d; i++) {
        m->diagonal[i] = m->R[i * (d + 1)];
        m->M[i] = s->H[i * (d + 1)] + s->ridge[i];
        const double strain = m->M[i] * m->diagonal[i];
        if (!(strain <= m->strain)) m->strain = strain;
    }
    m->singular = !(rounding(p, m) < FEW_DIGITS);
}

/* R = (H + Lambda)^-1 = U^-1 U^-T by Cholesky. Such a product leaves M R - 1 as small as M's
 * condition allows; the mean of an inverse and its transpose does not. */
void woodbury_form(const rls_worker *w, woodbury *m, sums *s)
{
    const rls_plan *p = w->p;
    const int64_t d = p->d;
    sums_mirror(p, s);
    memcpy(w->U, s->H, (size_t)(d * d) * sizeof(double));
    dense_cholesky(p->k, w->product, w->dense, d, s->ridge, w->U, d);
    memset(w->inverse, 0, (size_t)(d * d) * sizeof(double));
    for (int64_t i = 0; i < d; i++) w->inverse[i * (d + 1)] = 1;
    dense_half(p->k, w->product, w->dense, d, w->U, d, d, w->inverse, d);
    matrix_product(w, TRI_C_LOWER, 0, d, d, d, (mat){w->inverse, 1, d}, dense_mat(w->inverse, d),
                   dense_mat(m->R, d));
    dense_mirror(d, sizeof(double), m->R);
    measure_strain(p, m, s);
    set_formed(p, m);
}

/* ---- rows that wait ---- */

/* y -= sum_{j < n} s_j p_j c_j */
static void subtract_rows(const rls_plan *p, int64_t n, const woodbury *m, double *c, double *y)
{
    if (n == 0) return;
    p->k->multiply(n, c, m->sign, c);
    p->k->combine(n, p->d, 1, c, 0, m->P, p->d, 1, y, 0);
}

/* The size of the terms of k . R k, which may cancel. */
static double terms_of(const rls_plan *p, const woodbury *m, const double *key)
{
    double sum = 0;
    for (int64_t i = 0; i < p->d; i++) sum += key[i] * key[i] * m->R[i * (p->d + 1)];
    return sum;
}

/* Row j is ready: what M^-1's diagonal is now, how far M has grown beside R, whose digits are those
 * of the base, and what that has cost. A row that comes takes away from R, of which the rounding
 * stays, also when R takes the row in; one that leaves adds what is as exact as M^-1 was, divided
 * by what is left. */
static void follow_diagonals(const rls_plan *p, woodbury *m, const sums *s, int64_t j)
{
    const double *row = m->P + j * p->d, *key = s->K + j * p->d, weight = s->weight[j];
    const double sign = weight > 0 ? 1 : -1;
    for (int64_t i = 0; i < p->d; i++) {
        const double base = m->R[i * (p->d + 1)], before = m->diagonal[i];
        const double left = before - sign * row[i] * row[i];
        m->diagonal[i] = left;
        m->M[i] += weight * key[i] * key[i];
        if (!(m->M[i] * larger(base, left) <= m->strain)) m->strain = m->M[i] * larger(base, left);
        if (weight > 0 && m->formed[i] <= m->loss[i] * left) continue;  /* nearly always */
        m->loss[i] = !(left > 0 && before > 0) ? INFINITY
                     : weight > 0              ? m->formed[i] / left
                                               : m->loss[i] * (left / before);
        if (!(m->loss[i] <= m->worst)) m->worst = m->loss[i];
    }
}

/* p of the next row from r = R k, which becomes M^-1 k, and c = p_j . k; 0 when digits would be
 * lost, and R is not fresh then. */
static int prepare_row(const rls_plan *p, woodbury *m, const sums *s, double *c, double *r)
{
    const int64_t j = m->ready;
    const double *key = s->K + j * p->d, weight = s->weight[j];
    subtract_rows(p, j, m, c, r);
    const double pivot = 1 + weight * vector_dot(p, key, r);
    m->refuses = !(weight < 0 ? -weight * terms_of(p, m, key) < MOST_CANCELLED * pivot
                              : pivot < most_pivot(p));
    if (m->refuses) return m->fresh = 0;
    m->length[j] = sqrt(fabs(weight) / pivot);
    p->k->row_scale(1, p->d, &m->length[j], 0, r, 0, m->P + j * p->d, 0);
    column_set(p, m->Pt, j, m->P + j * p->d);
    follow_diagonals(p, m, s, j);
    m->refuses = !(m->worst < MOST_LOSS || m->worst * rounding(p, m) < FEW_DIGITS);
    if (m->refuses) return m->fresh = 0;
    m->sign[j] = weight < 0 ? 1 : -1;                          /* of what is added */
    m->ready++;
    return 1;
}

static void prepare_rows(const rls_worker *w, woodbury *m, const sums *s)
{
    const rls_plan *p = w->p;
    while (m->ready < s->filled) {
        const double *key = s->K + m->ready * p->d;
        p->k->combine(p->d, p->d, 1, key, 0, m->R, p->d, 0, w->turned, 0);
        if (m->ready > 0) column_dots(p, m->ready, 1, m->Pt, key, w->dots);
        if (!prepare_row(p, m, s, w->dots, w->turned)) return;
    }
}

/* R -= P^T P, when that is all that happened to the base. */
void woodbury_update(const rls_worker *w, woodbury *m, const sums *s)
{
    const rls_plan *p = w->p;
    const int64_t n = s->filled, d = p->d;
    int usable = m->fresh && s->a == 1 && m->updates + n <= MOST_UPDATES * p->rows;
    for (int64_t j = 0; usable && j < n; j++) usable = s->weight[j] > 0;
    /* nobody has asked for most of P */
    if (usable && n - m->ready > p->rows / 4) usable = m->ready > n / 2;
    if (usable) prepare_rows(w, m, s);
    if (!usable || m->ready < n || !(m->worst < MOST_LOSS)) {
        m->fresh = 0;
        return;
    }
    memcpy(w->weighted, m->P, (size_t)(n * d) * sizeof(double));
    p->k->scale(n * d, -1, w->weighted);
    matrix_product(w, TRI_C_LOWER, 1, d, d, n, (mat){w->weighted, 1, d}, dense_mat(m->P, d),
                   dense_mat(m->R, d));
    dense_mirror(d, sizeof(double), m->R);
    m->updates += n;
}

void woodbury_entered(const rls_plan *p, woodbury *m, const sums *s)
{
    if (m->fresh) measure_strain(p, m, s);
}

int woodbury_ready(const rls_worker *w, woodbury *m, const sums *s)
{
    if (!woodbury_usable(m, s)) return 0;
    prepare_rows(w, m, s);
    return m->fresh;
}

/* ---- solutions ---- */

/* y += c x, of d elements */
static void add(const rls_plan *p, double c, const double *x, double *y)
{
    p->k->row_add(1, p->d, &c, 0, x, 0, y, 0);
}

/* y = M^-1 x */
static void apply(const rls_worker *w, const woodbury *m, const double *x, double *y)
{
    const rls_plan *p = w->p;
    p->k->combine(p->d, p->d, 1, x, 0, m->R, p->d, 0, y, 0);
    if (m->ready == 0) return;
    column_dots(p, m->ready, 1, m->Pt, x, w->dots);
    subtract_rows(p, m->ready, m, w->dots, y);
}

/* At least r . M^-1 r, by M^-1's diagonal: channels of any scale count alike. */
static double energy_bound(const rls_plan *p, const woodbury *m, const double *r)
{
    double sum = 0;
    for (int64_t i = 0; i < p->d; i++) sum += r[i] * r[i] * m->diagonal[i];
    return (double)p->d * sum;
}

/* x = (M + e Lambda)^-1 b from z = M^-1 b in x, by conjugate gradients. */
static void turn(const rls_worker *w, const woodbury *m, const sums *s, const double *b, double *x)
{
    const rls_plan *p = w->p;
    const int64_t d = p->d;
    /* squares: 49 bits */
    const double e = 1 / s->a - 1, enough = 0x1p-98 * vector_dot(p, b, x);
    double *r = w->residual, *z = w->solved, *y = w->direction, *My = w->M_direction,
           *Ay = w->A_direction, rz = 0;
    memcpy(r, x, (size_t)d * sizeof(double));
    p->k->multiply(d, r, s->ridge, r);
    p->k->scale(d, -e, r);                              /* b - (M + e Lambda) M^-1 b */
    for (int i = 0; i < MOST_STEPS && energy_bound(p, m, r) > enough; i++) {
        const double before = rz;
        apply(w, m, r, z);
        rz = vector_dot(p, r, z);
        const double turn = i ? rz / before : 0;
        if (i) p->k->scale(d, turn, y), p->k->scale(d, turn, My), add(p, 1, z, y), add(p, 1, r, My);
        else memcpy(y, z, (size_t)d * sizeof(double)), memcpy(My, r, (size_t)d * sizeof(double));
        p->k->multiply(d, y, s->ridge, Ay);
        p->k->scale(d, e, Ay);
        add(p, 1, My, Ay);
        const double step = rz / vector_dot(p, y, Ay);
        add(p, step, y, x);
        add(p, -step, Ay, r);
    }
}

/* x = (M + e Lambda)^-1 b, as good as R is */
static void solve(const rls_worker *w, const woodbury *m, const sums *s, const double *b, double *x)
{
    apply(w, m, b, x);
    if (s->a != 1) turn(w, m, s, b, x);
}

/* w->defect <- b - (M + e Lambda) x, from the sums themselves */
static void fill_defect(const rls_worker *w, sums *s, const double *b, const double *x)
{
    const rls_plan *p = w->p;
    const int64_t d = p->d, n = s->filled;
    sums_mirror(p, s);
    p->k->combine(d, d, 1, x, 0, s->H, d, 0, w->defect, 0);
    if (n > 0) {
        column_dots(p, n, 1, s->Kt, x, w->dots);
        p->k->multiply(n, w->dots, s->weight, w->dots);
        p->k->combine(n, d, 1, w->dots, 0, s->K, d, 1, w->defect, 0);
    }
    for (int64_t i = 0; i < d; i++) w->defect[i] = b[i] - w->defect[i] - s->ridge[i] / s->a * x[i];
}

/* Where M strains R, or much of R has gone: x is corrected by what it leaves of b, until that is
 * what a factor of M would leave too. */
static void correct(const rls_worker *w, const woodbury *m, sums *s, const double *b, double *x)
{
    const rls_plan *p = w->p;
    double last = INFINITY;
    for (int i = 0; i < MOST_CORRECTIONS; i++) {
        fill_defect(w, s, b, x);
        solve(w, m, s, w->defect, w->correction);
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
static double size_of(const rls_plan *p, const double *x)
{
    double most = 0;
    int power = 0;
    p->k->row_max(1, p->d, x, 0, &most);
    frexp(most, &power);
    return ldexp(1, power > 1000 ? 1000 : power < -1000 ? -1000 : power);
}

/* One row is not ready, which is how it is row by row: R is read once for its key and for w->given,
 * M^-1 of which goes to w->turned. 0 as prepare_row. */
static int solve_with_row(const rls_worker *w, woodbury *m, const sums *s)
{
    const rls_plan *p = w->p;
    const int64_t d = p->d, n = m->ready;
    double *c = w->dots + p->rows;
    memcpy(w->given + d, s->K + n * d, (size_t)d * sizeof(double));
    p->k->combine(d, d, 2, w->given, d, m->R, d, 0, w->turned, d);
    if (n > 0) column_dots(p, n, 2, m->Pt, w->given, w->dots);
    if (!prepare_row(p, m, s, c, w->turned + d)) return 0;
    w->dots[n] = vector_dot(p, m->P + n * d, w->given);
    subtract_rows(p, n + 1, m, w->dots, w->turned);
    return 1;
}

double woodbury_solve(const rls_worker *w, woodbury *m, sums *s, const double *q)
{
    const double size = size_of(w->p, q), inverse = 1 / size;
    w->p->k->row_scale(1, w->p->d, &inverse, 0, q, 0, w->given, 0);
    if (!woodbury_usable(m, s)) return 0;
    if (s->a == 1 && m->ready + 1 == s->filled) {
        if (!solve_with_row(w, m, s)) return 0;
    } else {
        if (!woodbury_ready(w, m, s)) return 0;
        solve(w, m, s, w->given, w->turned);
    }
    if (woodbury_strained(m) || !(m->worst <= MOST_LOSS / 2)) correct(w, m, s, w->given, w->turned);
    return size;
}
