/* Regressions from a kept triangle; see rank.h.
 *
 * R = [r_00 r; 0 R_c], Z = [z; Z_c]: r / r_00 and z / r_00 are the means of x and y beyond the
 * reference, [R_c | Z_c] is the triangle of the centred rows. Reflections round to what they turn:
 * a feature far from 0 would leave R_c with the roundings of its distance, which beside a feature
 * that hardly varies, or two that vary alike, are as large as what there is to see; differences
 * from a reference are exact there (Sterbenz). Without an intercept r and z, with the reference
 * again, are rows like any other: the triangle of [r; R_c]. A triangle whose condition is safely
 * below 1 / rcond has full rank and is solved by back substitution; the others get their singular
 * values. */
#include "study/rank.h"
#include <math.h>
#include <string.h>

enum { CACHE = 1 << 17, LONGEST = 64, SWEEPS = 60 };   /* bytes of new rows that are worked on at a
                                                          time; sweeps: 10 are many */
static const double ROUNDING = 1e-26;                  /* targets whose spread is this share of
                                                          their squared mean are constant */

static int64_t row_span(const kern *k, int64_t n, int64_t m)
{
    return kern_span(k, n) + kern_span(k, m);
}

/* Element (i, j) of R, or of Z, in a factor of n and m columns. */
static double *in_r(const kern *k, int64_t n, int64_t m, double *factor, int64_t i, int64_t j)
{
    return factor + i * row_span(k, n, m) * k->width + j * k->lanes;
}
static double *in_z(const kern *k, int64_t n, int64_t m, double *factor, int64_t i, int64_t j)
{
    return in_r(k, n, m, factor, i, 0) + kern_span(k, n) * k->width + j * k->lanes;
}

static void *take_vectors(arena *a, const kern *k, int64_t rows, int64_t cols)
{
    int64_t count = -1;
    return arena_take(a, size_mul(rows, cols, &count) ? count : -1, k->width * k->size);
}

regression regression_take(arena *a, const kern *k, int64_t n, int64_t m)
{
    regression r = {.k = k, .n = n, .m = m};
    r.factor = take_vectors(a, k, n + 1, row_span(k, n + 1, m));
    r.rest = take_vectors(a, k, 1, kern_span(k, m));
    r.reference = take_vectors(a, k, 1, kern_span(k, n + m));
    return r;
}

static int64_t factor_elements(const regression *r)
{
    return (r->n + 1) * row_span(r->k, r->n + 1, r->m) * r->k->width;
}

static int64_t rest_elements(const regression *r) { return kern_span(r->k, r->m) * r->k->width; }
static size_t reference_bytes(const regression *r)
{
    return (size_t)((r->n + r->m) * r->k->lanes) * sizeof(double);
}

void regression_clear(const regression *r)
{
    memset(r->factor, 0, (size_t)factor_elements(r) * sizeof(double));
    memset(r->rest, 0, (size_t)rest_elements(r) * sizeof(double));
    memset(r->reference, 0, reference_bytes(r));
}

int regression_finite(const regression *r)
{
    return r->k->first_nonfinite(factor_elements(r), r->factor) < 0 &&
           r->k->first_nonfinite(rest_elements(r), r->rest) < 0;
}

void regression_copy(const regression *r, const regression *to)
{
    const kern *k = r->k;
    const int64_t n = r->n + 1;
    for (int64_t i = 0; i < n; i++) {
        memcpy(in_r(k, n, r->m, to->factor, i, i), in_r(k, n, r->m, r->factor, i, i),
               (size_t)((n - i) * k->lanes) * sizeof(double));
        memcpy(in_z(k, n, r->m, to->factor, i, 0), in_z(k, n, r->m, r->factor, i, 0),
               (size_t)(r->m * k->lanes) * sizeof(double));
    }
    memcpy(to->rest, r->rest, (size_t)(r->m * k->lanes) * sizeof(double));
    memcpy(to->reference, r->reference, reference_bytes(r));
}

/* Odd, so that columns do not fall onto each other in the cache. */
static int64_t rows_length(const kern *k, int64_t n, int64_t m)
{
    const int64_t fits = CACHE / ((n + m + 1) * k->width * k->size);
    return (fits < 8 ? 8 : fits > LONGEST ? LONGEST : fits) | 1;
}

/* Vectors of the rows that a fit adds: the means, and those of the penalty. */
static int64_t extra_length(const kern *k, int64_t n, int penalty)
{
    return penalty ? kern_span(k, n + 1) : 1;
}

regression_work regression_work_take(arena *a, const kern *k, int64_t n, int64_t m)
{
    regression_work w = {.most = rows_length(k, n, m)};
    w.x = take_vectors(a, k, n + m + 1, w.most);
    w.solved = take_vectors(a, k, n, row_span(k, n, m));
    w.turned = take_vectors(a, k, n, row_span(k, n, m));
    w.extra = take_vectors(a, k, n + m, extra_length(k, n, 1));
    w.weights = take_vectors(a, k, n, kern_span(k, m));
    w.rows = take_vectors(a, k, 3, row_span(k, n + 1, m));
    w.rest = take_vectors(a, k, 1, kern_span(k, m));
    w.residual = take_vectors(a, k, n + 1, m);
    w.scratch = arena_take(a, kern_product_scratch(k), 1);
    return w;
}

/* Of a lane without rows: the mean of those that come, so that it is no larger than they are, by
 * their distances from the first that counts: where all are equal it is that to the last digit. */
static void refer(const regression *r, const double *x, int64_t length, int64_t lane)
{
    const kern *k = r->k;
    const int64_t column = length * k->width;
    double total = 0;
    int64_t first = lane;
    if (r->factor[lane] != 0) return;
    while (first < column - k->lanes && x[first] == 0) first += k->lanes;
    for (int64_t i = lane; i < column; i += k->lanes) total += x[i] * x[i];
    for (int64_t c = 0; c < r->n + r->m; c++) {
        const double *y = x + (c + 1) * column;
        double sum = 0;
        for (int64_t i = lane; i < column; i += k->lanes) sum += x[i] * x[i] * (y[i] - y[first]);
        r->reference[c * k->lanes + lane] = total > 0 ? y[first] + sum / total : 0;
    }
}

/* y_i <- x_i (y_i - minus), vectors of `width` numbers, which the compiler knows. */
static inline void weigh_column(int64_t width, int64_t length, const double *restrict x,
                                double *restrict y, const double *restrict minus)
{
    for (int64_t i = 0; i < length; i++, x += width, y += width)
        for (int64_t l = 0; l < width; l++) y[l] = x[l] * (y[l] - minus[l]);
}

/* x <- sqrt(w) (x - reference), likewise y. */
static void weigh(const regression *r, double *x, int64_t length)
{
    const int64_t width = r->k->width, lanes = r->k->lanes;
    double minus[16];
    for (int64_t c = 0; c < r->n + r->m; c++) {
        double *y = x + (c + 1) * length * width;
        for (int64_t l = 0; l < width; l++) minus[l] = r->reference[c * lanes + l % lanes];
        if (width == 8) weigh_column(8, length, x, y, minus);
        else if (width == 4) weigh_column(4, length, x, y, minus);
        else weigh_column(2, length, x, y, minus);
    }
}

void regression_rows(const regression *r, const regression_work *w, int64_t length)
{
    for (int64_t l = 0; l < r->k->lanes; l++) refer(r, w->x, length, l);
    weigh(r, w->x, length);
    r->k->qr_rows(r->k, r->n + 1, r->m, length, r->factor, w->x, r->rest, w->rows);
}

/* ---- fit ---- */

/* Of feature j, or of target j - n. */
static double mean(const regression *r, int64_t j, int64_t lane)
{
    const kern *k = r->k;
    const double *first = j < r->n ? in_r(k, r->n + 1, r->m, r->factor, 0, j + 1)
                                   : in_z(k, r->n + 1, r->m, r->factor, 0, j - r->n),
                 weight = r->factor[lane];
    return weight != 0 ? first[lane] / weight + r->reference[j * k->lanes + lane] : 0;
}

/* w->turned <- the triangle that is to be solved: centred rows; without an intercept also their
 * means; with a penalty its rows too. */
static void prepare(const regression *r, const regression_work *w, int intercept, double penalty)
{
    const kern *k = r->k;
    const int64_t n = r->n, m = r->m, lanes = k->lanes, length = extra_length(k, n, penalty > 0),
                  column = length * k->width;
    memset(w->turned, 0, (size_t)(n * row_span(k, n, m) * k->width) * sizeof(double));
    for (int64_t i = 0; i < n; i++) {
        memcpy(in_r(k, n, m, w->turned, i, 0), in_r(k, n + 1, m, r->factor, i + 1, 1),
               (size_t)(n * lanes) * sizeof(double));
        memcpy(in_z(k, n, m, w->turned, i, 0), in_z(k, n + 1, m, r->factor, i + 1, 0),
               (size_t)(m * lanes) * sizeof(double));
    }
    if (intercept && penalty == 0) return;
    memset(w->extra, 0, (size_t)((n + m) * column) * sizeof(double));
    for (int64_t j = 0; j < n + m && !intercept; j++)
        for (int64_t l = 0; l < lanes; l++) w->extra[j * column + l] = r->factor[l] * mean(r, j, l);
    for (int64_t j = 0; j < n && penalty > 0; j++)
        for (int64_t l = 0; l < lanes; l++)
            w->extra[j * column + (j + 1) * lanes + l] = sqrt(penalty);
    k->qr_rows(k, n, m, length, w->turned, w->extra, w->rest, w->rows);
}

/* Singular values of the lanes that are not `sure`: w->turned gets orthogonal rows, w->weights the
 * solution. */
static void solve_by_rank(const regression *r, const regression_work *w, const int *sure,
                          const double *rcond, double *rank)
{
    const kern *k = r->k;
    double cut[16] __attribute__((aligned(64)));
    for (int64_t l = 0; l < k->lanes; l++) cut[l] = sure[l] ? INFINITY : rcond[l];
    for (int sweep = 0; sweep < SWEEPS && !kern_stopped(k); sweep++)
        if (!k->orthogonal_rows(k, r->n, r->m, cut, w->turned, w->extra)) break;
    k->orthogonal_solve(k, r->n, r->m, rcond, w->turned, w->extra, w->weights, rank);
}

static void write_intercept(const regression *r, int64_t l, double *weights)
{
    const int64_t n = r->n, m = r->m, lanes = r->k->lanes;
    for (int64_t j = 0; j < m; j++) {
        double b = mean(r, n + j, l);
        for (int64_t i = 0; i < n; i++)
            b -= mean(r, i, l) * weights[((i + 1) * m + j) * lanes + l];
        weights[j * lanes + l] = b;
    }
}

void regression_solve(const regression *r, const regression_work *w, int intercept, double penalty,
                      const double *rcond, double *weights, double *rank)
{
    const kern *k = r->k;
    const int64_t n = r->n, m = r->m, lanes = k->lanes, row = kern_span(k, m) * k->width;
    double condition[16] __attribute__((aligned(64)));
    int sure[16], all = 1;
    prepare(r, w, intercept, penalty);
    k->triangle_solve(k, n, m, w->turned, w->solved, condition);
    for (int64_t l = 0; l < lanes; l++) all &= sure[l] = 2 * condition[l] * rcond[l] < 1;
    if (!all) solve_by_rank(r, w, sure, rcond, rank);
    memset(weights, 0, (size_t)((n + 1) * m * lanes) * sizeof(double));
    for (int64_t l = 0; l < lanes; l++) {
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < m; j++)
                weights[((i + 1) * m + j) * lanes + l] = sure[l]
                                                             ? in_z(k, n, m, w->solved, i, j)[l]
                                                             : w->weights[i * row + j * lanes + l];
        if (sure[l]) rank[l] = (double)n;
        if (intercept) write_intercept(r, l, weights);
    }
}

/* ---- errors ---- */

/* What the map says at the reference beyond that of the target: an intercept of the rows as they
 * are kept, less its own. */
static double refer_map(const regression *r, const double *weights, int64_t j, int64_t lane)
{
    const int64_t lanes = r->k->lanes;
    const double *at = r->reference + lane;
    double sum = -at[(r->n + j) * lanes];
    for (int64_t i = 0; i < r->n; i++)
        sum += at[i * lanes] * weights[((i + 1) * r->m + j) * lanes + lane];
    return sum;
}

void regression_errors(const regression *r, const regression_work *w, const double *weights,
                       double *error, double *spread, double *total)
{
    const kern *k = r->k;
    const int64_t n = r->n + 1, m = r->m, lanes = k->lanes,
                  row = row_span(k, n, m) * k->width / lanes;
    k->product(k, w->scratch, PRODUCT_LANE, TRI_A_UPPER, 0, n, m, n, (mat){r->factor, row, 1},
               (mat){(double *)weights, m, 1}, (mat){w->residual, m, 1});
    for (int64_t j = 0; j < m * lanes; j++)
        w->residual[j] += r->factor[j % lanes] * refer_map(r, weights, j / lanes, j % lanes);
    memcpy(error, r->rest, (size_t)(m * lanes) * sizeof *error);
    memcpy(spread, r->rest, (size_t)(m * lanes) * sizeof *spread);
    for (int64_t i = 0; i < n; i++) {
        const double *z = in_z(k, n, m, r->factor, i, 0), *e = w->residual + i * m * lanes;
        for (int64_t j = 0; j < m * lanes; j++) {
            error[j] += (z[j] - e[j]) * (z[j] - e[j]);
            if (i > 0) spread[j] += z[j] * z[j];
        }
    }
    for (int64_t l = 0; l < lanes; l++) total[l] = r->factor[l] * r->factor[l];
    for (int64_t j = 0; j < m * lanes; j++) {
        const double middle = mean(r, r->n + j / lanes, j % lanes);
        if (spread[j] <= ROUNDING * total[j % lanes] * middle * middle) spread[j] = 0;
    }
}
