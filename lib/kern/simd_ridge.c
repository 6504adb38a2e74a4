/* Recursive ridge regression in square-root form, one row of every lane's problem at a time.
 *
 * F = [R | Z], n x (n + m) elements: R upper triangular with R^T R = A = ridge I + sum_i x_i x_i^T,
 * and Z = R^-T sum_i x_i y_i^T, so that the least-squares map of x is (R^-T x)^T Z. Givens
 * rotations bring each new row [x | y] in (Golub and Van Loan, Matrix Computations, section 6.5.3:
 * recursive least squares); targets turn along with their inputs. Normal equations solved afresh
 * lose eps kappa(A); here it is eps sqrt(kappa(A)), and a step costs n^2 instead of n^3. */
#include "kern/simd_kernels.h"

enum { BLOCK = 64 };               /* rows between two looks at kern_stopped */

/* The rotation of step k makes row[k] 0. Diagonals stay positive, so a lane without data (x = 0) is
 * left as it is. */
void NAME(ridge_row)(const kern *kern, int64_t n, int64_t m, void *factor, void *row)
{
    vec *f = factor, *r = row;
    for (int64_t k = 0; k < n && !(k % BLOCK == 0 && kern_stopped(kern)); k++, f += n + m) {
        vec norm = square_root(f[k] * f[k] + r[k] * r[k]), c = f[k] / norm, s = r[k] / norm;
        f[k] = norm;
        for (int64_t j = k + 1; j < n + m; j++) {
            vec a = f[j], b = r[j];
            f[j] = c * a + s * b;
            r[j] = c * b - s * a;
        }
    }
}

void NAME(ridge_apply)(const kern *kern, int64_t n, int64_t m, const void *factor, void *input,
                       void *output)
{
    const vec *f = factor;
    vec *x = input, *out = output;
    for (int64_t j = 0; j < m; j++) out[j] = (vec){0};
    for (int64_t k = 0; k < n && !(k % BLOCK == 0 && kern_stopped(kern)); k++, f += n + m) {
        vec w = x[k] / f[k];
        x[k] = w;
        for (int64_t j = k + 1; j < n; j++) x[j] -= f[j] * w;
        for (int64_t j = 0; j < m; j++) out[j] += f[n + j] * w;
    }
}
