/* Random linear systems, one per lane: the matrix W and the sequence that it drives.
 *
 * orthogonal   Q of A = QR, A Gaussian, columns of Q signed so that diag R > 0: Haar measure
 *              (Mezzadri, Notices of the AMS 54, 2007)
 * similarity   W = U diag(d) U^-1, by A = U = QR: W = U diag(d) R^-1 Q^T
 * recursion    x_{t+1} = clip(W x_t + noise_t), the noise being what the row of x_{t+1} holds
 *              before
 *
 * Householder QR: H_k = I - tau_k v_k v_k^T maps column k to a multiple of e_k; H_{n-1} .. H_0 A =
 * R, so Q = H_0 .. H_{n-1}. Matrices are [row][column][lane]. */
#include "kern/simd_kernels.h"

enum { BLOCK = 64 };               /* columns between two looks at kern_stopped */

/* A -= tau v (v^T A) on rows k.. and columns from..end-1; v is column k of V. Four columns at a
 * time hide the latency of the sums. */
INLINE void reflect_columns(int64_t n, int64_t k, const vec *V, vec tau, int64_t from, int64_t end,
                            vec *A)
{
    int64_t j = from;
    for (; j + 4 <= end; j += 4) {
        vec s[4] = {0};
        for (int64_t i = k; i < n; i++)
            for (int c = 0; c < 4; c++) s[c] += V[i * n + k] * A[i * n + j + c];
        for (int c = 0; c < 4; c++) s[c] *= tau;
        for (int64_t i = k; i < n; i++)
            for (int c = 0; c < 4; c++) A[i * n + j + c] -= V[i * n + k] * s[c];
    }
    for (; j < end; j++) {
        vec s = {0};
        for (int64_t i = k; i < n; i++) s += V[i * n + k] * A[i * n + j];
        s *= tau;
        for (int64_t i = k; i < n; i++) A[i * n + j] -= V[i * n + k] * s;
    }
}

/* Columns from..n-1. */
static void reflect_left(const kern *kern, int64_t n, int64_t k, const vec *V, vec tau,
                         int64_t from, vec *A)
{
    for (int64_t j = from; j < n && !kern_stopped(kern); j += BLOCK)
        reflect_columns(n, k, V, tau, j, j + BLOCK < n ? j + BLOCK : n, A);
}

/* A <- v_k in column k from the diagonal down, R above the diagonal; diagonal of R and tau apart.
 * The last column needs no reflection. A column of zeros (never drawn, but possible) gets tau =
 * 0. */
static void householder(const kern *kern, int64_t n, vec *A, vec *diagonal, vec *tau)
{
    for (int64_t k = 0; k < n && !kern_stopped(kern); k++) {
        vec *a = &A[k * n + k], top = *a, norm2 = {0};
        if (k == n - 1) {
            diagonal[k] = top;
            tau[k] = (vec){0};
            return;
        }
        for (int64_t i = 0; i < n - k; i++) norm2 += a[i * n] * a[i * n];
        vec norm = square_root(norm2);
        diagonal[k] = pick(top > 0, -norm, norm);
        *a = top - diagonal[k];                         /* no cancellation: opposite signs */
        vec half = norm * (norm + pick(top > 0, top, -top));   /* v^T v / 2 */
        tau[k] = pick(half > 0, 1 / half, (vec){0});
        reflect_left(kern, n, k, A, tau[k], k + 1, A);
    }
}

void NAME(orthogonal)(const kern *kern, uint64_t seed, uint32_t stream, int64_t sequence,
                      int64_t position, int64_t n, void *panel, void *work)
{
    vec *Q = panel, *A = work, *diagonal = A + n * n, *tau = diagonal + n;
    kern_draw(kern, NAME(normal), seed, stream, sequence, position, n * n, 0, 1, A);
    householder(kern, n, A, diagonal, tau);
    memset(Q, 0, (size_t)(n * n) * sizeof *Q);
    /* columns and rows below k are those of the identity so far */
    for (int64_t k = n - 1; k >= 0 && !kern_stopped(kern); k--) {
        Q[k * n + k] = pick(diagonal[k] > 0, splat(1), splat(-1));
        reflect_left(kern, n, k, A, tau[k], k, Q);
    }
}

void NAME(similarity)(const kern *kern, int64_t n, const void *matrix, const void *eigenvalues,
                      void *out, void *work)
{
    const vec *U = matrix, *d = eigenvalues;
    vec *W = out, *A = work, *diagonal = A + n * n, *tau = diagonal + n;
    memcpy(A, U, (size_t)(n * n) * sizeof *A);
    householder(kern, n, A, diagonal, tau);
    for (int64_t i = 0; i < n && !kern_stopped(kern); i++) {
        vec *w = W + i * n;
        for (int64_t j = 0; j < n; j++) {                        /* w R = u diag(d) */
            vec s = U[i * n + j] * d[j], r = diagonal[j];
            for (int64_t m = 0; m < j; m++) s -= w[m] * A[m * n + j];
            vec size = pick(r > 0, r, -r);
            /* finite even when U is singular */
            w[j] = s / pick(size > (real)1e-18, r, splat((real)1e-18));
        }
        for (int64_t k = n - 1; k >= 0; k--) {                   /* w Q^T = w H_{n-1} .. H_0 */
            vec s = {0};
            for (int64_t j = k; j < n; j++) s += w[j] * A[j * n + k];
            s *= tau[k];
            for (int64_t j = k; j < n; j++) w[j] -= s * A[j * n + k];
        }
    }
}

void NAME(recursion)(const kern *kern, int64_t n, int64_t steps, const void *matrix, double clip,
                     void *panel)
{
    const vec *W = matrix;
    const vec high = splat((real)clip), low = -high;
    for (int64_t t = 0; t < steps && !kern_stopped(kern); t++) {
        const vec *x = (const vec *)panel + t * n;
        vec *next = (vec *)panel + (t + 1) * n;
        for (int64_t i = 0; i < n; i++) {
            vec y = next[i];
            for (int64_t j = 0; j < n; j++) y += W[i * n + j] * x[j];
            y = pick(y > high, high, y);
            next[i] = pick(y < low, low, y);
        }
    }
}
