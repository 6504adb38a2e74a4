/* Blocked Cholesky and triangular solves: blocks of BLOCK rows on their own, everything else in
 * products. See dense.h. Source: Golub and Van Loan, Matrix Computations, section 4.2. */
#include "kern/dense.h"
#include <string.h>

enum { BLOCK = DENSE_BLOCK };

int64_t dense_scratch(const kern *k, int64_t d, int64_t columns)
{
    arena a = {0};
    arena_take(&a, BLOCK * (d > columns ? d : columns), k->size);
    return a.used;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* minus <- -X, n x m */
static mat negated(const kern *k, int64_t n, int64_t m, mat X, void *minus)
{
    const mat out = {minus, m, 1};
    for (int64_t i = 0; i < n; i++)
        memcpy(kern_at(k, minus, i * m), kern_at(k, X.p, i * X.rs), (size_t)(m * k->size));
    k->scale(n * m, -1, minus);
    return out;
}

void dense_cholesky(const kern *k, void *ps, void *scratch, int64_t d, const void *ridge, void *A,
                    int64_t rs)
{
    for (int64_t i = 0; i < d; i++) k->add(1, kern_at(k, ridge, i), kern_at(k, A, i * (rs + 1)));
    for (int64_t i = 0; i < d && !kern_stopped(k); i += BLOCK) {
        const int64_t n = least(BLOCK, d - i), rest = d - i - n;
        void *corner = kern_at(k, A, i * rs + i);
        const mat row = {kern_at(k, corner, n), rs, 1};
        k->dense_factor(n, kern_at(k, ridge, i), corner, rs);
        if (rest == 0) break;
        k->dense_forward(n, rest, corner, rs, row.p, rs);
        const mat minus = negated(k, n, rest, row, scratch);
        for (int64_t j = 0; j < rest; j += BLOCK) {     /* the upper triangle, a block row at a
                                                           time */
            const int64_t m = least(BLOCK, rest - j);
            const mat left = {kern_at(k, minus.p, j), 1, minus.rs},
                      right = {kern_at(k, row.p, j), rs, 1};
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, m, rest - j, n, left, right,
                       (mat){kern_at(k, A, (i + n + j) * (rs + 1)), rs, 1});
        }
    }
}

void dense_half(const kern *k, void *ps, void *scratch, int64_t d, const void *U, int64_t rs,
                int64_t columns, void *B, int64_t b_rs)
{
    for (int64_t i = 0; i < d && !kern_stopped(k); i += BLOCK) {
        const int64_t n = least(BLOCK, d - i), rest = d - i - n;
        const void *corner = kern_at(k, U, i * rs + i);
        const mat row = {kern_at(k, B, i * b_rs), b_rs, 1}, right = {kern_at(k, corner, n), 1, rs};
        k->dense_forward(n, columns, corner, rs, row.p, b_rs);
        if (rest > 0)
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, rest, columns, n, right,
                       negated(k, n, columns, row, scratch),
                       (mat){kern_at(k, row.p, n * b_rs), b_rs, 1});
    }
}

void dense_solve(const kern *k, void *ps, void *scratch, int64_t d, const void *U, int64_t rs,
                 int64_t columns, void *B, int64_t b_rs)
{
    const int64_t last = (d - 1) / BLOCK * BLOCK;
    dense_half(k, ps, scratch, d, U, rs, columns, B, b_rs);
    for (int64_t i = last; i >= 0 && !kern_stopped(k); i -= BLOCK) {      /* U X = U^-T B */
        const int64_t n = least(BLOCK, d - i);
        const mat row = {kern_at(k, B, i * b_rs), b_rs, 1};
        k->dense_backward(n, columns, kern_at(k, U, i * rs + i), rs, row.p, b_rs);
        if (i > 0)
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, i, columns, n,
                       (mat){kern_at(k, U, i), rs, 1}, negated(k, n, columns, row, scratch),
                       (mat){B, b_rs, 1});
    }
}

/* Square by square, so that rows and columns stay in the cache. */
void dense_mirror(int64_t d, int64_t size, void *X)
{
    enum { SIDE = 8 };
    float *single = X;
    double *wide = X;
    for (int64_t i = 0; i < d; i += SIDE)
        for (int64_t j = 0; j <= i; j += SIDE)
            for (int64_t r = i; r < d && r < i + SIDE; r++) {
                const int64_t end = r < j + SIDE ? r : j + SIDE;
                if (size == 8) for (int64_t c = j; c < end; c++) wide[c * d + r] = wide[r * d + c];
                else for (int64_t c = j; c < end; c++) single[c * d + r] = single[r * d + c];
            }
}
