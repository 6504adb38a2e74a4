/* Panels and the kernels on them.
 *
 * A panel holds as many sequences as a vector register has lanes, interleaved: element (t, j) of
 * all lanes is one register,
 *     panel[(t * row_stride + j) * lanes + lane].
 * Lanes never talk to each other, except in PRODUCT_SUM. A panel of ONE lane is an ordinary
 * row-major matrix; its products run on BLIS micro-kernels (gemm.c). So every layer is written
 * once, over one table of kernels per element type and ISA level. Files simd_*.c are compiled once
 * per element type and ISA level (simd.h); kern.c picks the table. Kernels call no libm.
 *
 * A kernel that takes `k` can be long. It looks at kern_stopped(k) once for every block of its
 * work, and then returns at once with results unfinished; so do loops over kernels. Whoever began
 * the call looks once more at its end, with ctx_stopped. */
#ifndef KERN_KERN_H
#define KERN_KERN_H

#include "base/object.h"

/* Operand of a product: strides count elements; an element of a lane operand is `lanes` reals, of a
 * shared one it is one real. */
typedef struct mat { void *p; int64_t rs, cs; } mat;

enum product_kind {
    PRODUCT_LANE,                  /* C[m,n] = sum_k A[m,k] B[k,n]      all per lane */
    PRODUCT_SHARED,                /* the same with B shared by all lanes (weights) */
    PRODUCT_SUM                    /* C shared, summed over lanes as well (weight gradients) */
};
/* Causal triangles, skipped exactly. C_LOWER computes n <= m and leaves zeros wherever A_LOWER or
 * A_UPPER of the same M may look above the diagonal; A_LOWER reads A[m,k] for k <= m, A_UPPER for k
 * >= m. Only with PRODUCT_LANE, and M = N resp. M = K. */
enum triangle { TRI_NONE, TRI_C_LOWER, TRI_A_LOWER, TRI_A_UPPER };

/* Positions position .. position + count - 1. */
typedef void (*draw_kernel)(uint64_t seed, uint32_t stream, int64_t sequence, int64_t position,
                            int64_t count, double a, double b, void *panel);

typedef struct kern kern;
struct kern {
    int32_t isa, dtype, lanes;     /* lanes: 1, or width */
    int32_t width;                 /* reals in a vector register of this level */
    int64_t size;                  /* bytes of a real */
    const struct gemm *gemm;       /* micro-kernels for lanes = 1 */
    const kern *wide;              /* the table for panels of native width, of the same type and
                                      level */
    const kern *f64;               /* the table of f64, likewise for panels of native width or of
                                      one lane */
    const atomic_int *stop;        /* not 0: somebody wants the call to end, see kern_stopped */

    /* scratch: product_scratch(k) bytes, private to the caller; alpha-free; accumulate adds to C.
     */
    void (*product)(const kern *k, void *scratch, enum product_kind kind, enum triangle tri,
                    int accumulate, int64_t M, int64_t N, int64_t K, mat A, mat B, mat C);

    /* Arrays of n reals, any n. */
    /* y = clip(x + r, +-clip); NaN passes */
    void (*residual)(int64_t n, const void *x, const void *r, double clip, void *y);
    /* dy = |y| < clip ? dy : 0 */
    void (*residual_back)(int64_t n, const void *y, double clip, void *dy);
    void (*add)(int64_t n, const void *x, void *y);     /* y += x */
    void (*scale)(int64_t n, double a, void *y);        /* y *= a */
    void (*clamp)(int64_t n, double c, void *y);        /* y to +-c; NaN passes */
    double (*sum_squares)(int64_t n, const void *x);    /* accumulated in double, fixed order */
    int64_t (*first_nonfinite)(int64_t n, const void *x); /* -1: all finite */
    /* out[i] = sum of parts[p * stride + i] over p < count, in a fixed tree */
    void (*sum_parts)(int64_t n, int64_t count, int64_t stride, const void *parts, void *out);
    /* AdamW on n parameters; c1 = 1 / (1 - b1^step), c2 = 1 / (1 - b2^step) */
    void (*adamw)(int64_t n, void *p, const void *g, void *m, void *v, double lr, double b1,
                  double b2, double eps, double wd, double c1, double c2);

    /* Rows m = 0..M-1 of S (row stride rs elements, columns adjacent): columns n < first + m + 1 <-
     * softmax(scale * S). */
    void (*softmax)(int64_t M, int64_t first, double scale, void *S, int64_t rs);
    /* dS = scale * P o (dP - rowsum(P o dP)) on the same columns, written over dP. */
    void (*softmax_back)(int64_t M, int64_t first, double scale, const void *P, void *dP,
                         int64_t rs);

    /* Copies T x cols elements of `valid` sequences into a panel (other lanes: 0), or back. Strides
     * of `x` in reals. */
    void (*load)(const kern *k, int64_t T, int64_t cols, int64_t valid, const void *x,
                 int64_t sequence, int64_t t, int64_t col, void *panel, int64_t rs);
    void (*store)(const kern *k, int64_t T, int64_t cols, int64_t valid, const void *panel,
                  int64_t rs, void *x, int64_t sequence, int64_t t, int64_t col);

    /* d = prediction - target (T x n of panels with row strides rs_p, rs_t), lanes < valid only:
     * by_t[t] += 1/2 sum of d^2; dpred (row stride rs_p, NULL: not wanted) = scale * d, 0 in lanes
     * >= valid. */
    void (*squared_error)(int64_t T, int64_t n, int64_t valid, const void *pred, int64_t rs_p,
                          const void *target, int64_t rs_t, double scale, double *by_t,
                          void *dpred);

    /* Random draws, simd_random.c: position p of lane l is a pure function of (seed, stream,
     * sequence + l, p); base/philox.h. f32 and f64 draws are equal to rounding. These kernels and
     * the linear systems below always work on panels of `width` lanes. */
    draw_kernel uniform;               /* a, b: low, high */
    draw_kernel normal;                /* a, b: mean, sd */

    /* Random linear systems, simd_system.c; matrices [n][n][lane]; work: 2 n n + n elements. */
    /* Haar: Q from the n n Gaussians at `position`. */
    void (*orthogonal)(const kern *k, uint64_t seed, uint32_t stream, int64_t sequence,
                       int64_t position, int64_t n, void *panel, void *work);
    /* W = U diag(d) U^-1, d [n][lane]; finite even when U is singular. */
    void (*similarity)(const kern *k, int64_t n, const void *U, const void *d, void *W, void *work);
    /* x [steps+1][n][lane]: x[t+1] = clip(W x[t] + x[t+1], +-clip) for t = 0 .. steps-1; NaN
     * passes. */
    void (*recursion)(const kern *k, int64_t n, int64_t steps, const void *W, double clip, void *x);

    /* Recursive ridge regression, simd_ridge.c, on panels of `width` lanes: factor [n][n + m] = [R
     * | Z], at first [sqrt(ridge) I | 0]. */
    /* Brings in a pair: row [x | y] of n + m elements, overwritten. */
    void (*ridge_row)(const kern *k, int64_t n, int64_t m, void *factor, void *row);
    /* output [m] = least-squares map applied to input [n], which is overwritten. */
    void (*ridge_apply)(const kern *k, int64_t n, int64_t m, const void *factor, void *input,
                        void *output);

    /* out = K steps of an iteration for inv(A) applied to v, simd_precondition.c, on panels of
     * `width` lanes. c: divisor, or with 0 the Frobenius norm of A; trace: 1 + n + (2 steps + 1) n
     * elements, for the gradient. da, db [steps] elements, += gradient of every lane's dout . out;
     * work: 3 n elements. */
    void (*precondition)(const kern *k, int64_t n, int64_t steps, const double *a, const double *b,
                         double divisor, const void *A, int64_t rs, const void *v, void *out,
                         void *trace);
    void (*precondition_back)(const kern *k, int64_t n, int64_t steps, const double *a,
                              const double *b, const void *A, int64_t rs, const void *dout,
                              const void *trace, void *da, void *db, void *work);

    /* Symmetric positive definite systems, one per lane, simd_mesa.c and simd_cholesky.c; likewise
     * always `width` lanes. Only lower triangles are touched. */
    /* H <- (high + low) H + beta key key^T (key NULL: H stays; beta, high with low NULL: 1); L L^T
     * = H + diag(ridge), 1 / L_ii on the diagonal of L. */
    void (*cholesky)(const kern *k, int64_t d, void *H, int64_t h_rs, const void *key,
                     const void *beta, const void *high, const void *low, const void *ridge,
                     void *L, int64_t l_rs);
    /* rows X = inv(L L^T) B; X may be B */
    void (*cholesky_solve)(const kern *k, int64_t d, const void *L, int64_t l_rs, int64_t rows,
                           const void *B, int64_t b_rs, void *X, int64_t x_rs);
    /* R = inv(L L^T), lower triangle; L is overwritten; d >= 20 */
    void (*cholesky_inverse)(const kern *k, int64_t d, void *L, int64_t l_rs, void *R,
                             int64_t r_rs);
    /* R, the inverse of H + diag(ridge) before the first of T steps, moves on with the keys; row t
     * of X[i] = inv(H_t + diag(ridge)) of row t of B[i], i < sets <= 2; X[i] may be B[i]. Gates
     * (high + low; p NULL: 1) have to multiply to some a > 0: cost grows with 1 / a. The first
     * `refined` sets are refined with H, which moves on as well, and is not needed otherwise.
     * beta.p NULL: 1; work: 15 d elements. */
    void (*inverse_steps)(const kern *k, int64_t T, int64_t d, void *R, void *H, int64_t rs, mat K,
                          mat beta, mat high, mat low, const void *ridge, int sets, int refined,
                          const mat *B, const mat *X, void *work);

    /* n reals: s = 1 / (1 + e^-z), c = 1 - s without cancellation, log_s = log s; outputs may be z,
     * and log_s NULL. */
    void (*sigmoid)(int64_t n, const void *z, void *s, void *c, void *log_s);
    void (*inverse_sqrt)(int64_t n, void *x);           /* x <- 1 / sqrt(x), 0 where x is 0 */

    /* y_s [n] (+)= sum_i c_si M_i, rows M_i, i < m; one or two sets s; simd_dense.c, whatever the
     * lanes. */
    void (*combine)(int64_t m, int64_t n, int sets, const void *c, int64_t c_rs, const void *M,
                    int64_t rs, int accumulate, void *y, int64_t y_rs);
    /* Blocks of one dense factor A = U^T U, simd_dense.c, whatever the lanes: U over the upper
     * triangle of A, with 1 / U_ii on its diagonal; B [n x m] <- U^-T B, U^-1 B. */
    /* least: of pivots, n */
    void (*dense_factor)(int64_t n, const void *least, void *A, int64_t rs);
    void (*dense_forward)(int64_t n, int64_t m, const void *U, int64_t u_rs, void *B, int64_t b_rs);
    void (*dense_backward)(int64_t n, int64_t m, const void *U, int64_t u_rs, void *B,
                           int64_t b_rs);

    /* Gates, simd_rows.c: n reals, log_gate <= 0; the gate is high + low, to twice the precision
     * near 1; low is 0 elsewhere. */
    void (*gates)(int64_t n, const void *log_gate, void *high, void *low);
    /* D[i, 0] = g_0 .. g_i, D[i, j + 1] = g_{j+1} .. g_i for j <= i < C; `stride` between gates. */
    void (*decay)(int64_t C, const void *high, const void *low, int64_t stride, void *D,
                  int64_t rs);
    /* S *= D on and below the diagonal */
    void (*mask)(int64_t C, const void *D, int64_t d_rs, void *S, int64_t s_rs);
    /* Rows t < T of n elements; coefficients and sums are elements with a stride. */
    /* Y_t = c_t X_t */
    void (*row_scale)(int64_t T, int64_t n, const void *c, int64_t stride, const void *X,
                      int64_t x_rs, void *Y, int64_t y_rs);
    /* out_t = sum_j w_j X_tj Y_tj */
    void (*row_dot)(int64_t T, int64_t n, const void *weight, const void *X, int64_t x_rs,
                    const void *Y, int64_t y_rs, void *out, int64_t stride);
    /* Y_t += c_t X_t */
    void (*row_add)(int64_t T, int64_t n, const void *c, int64_t stride, const void *X,
                    int64_t x_rs, void *Y, int64_t y_rs);
    /* Y_tj += l_j X_tj */
    void (*row_ridge)(int64_t T, int64_t n, const void *ridge, const void *X, int64_t x_rs, void *Y,
                      int64_t y_rs);
    /* Y_t = X_t where mask_t is not 0 */
    void (*row_pick)(int64_t T, int64_t n, const void *mask, const void *X, int64_t x_rs, void *Y,
                     int64_t y_rs);
    /* out_t = max_j |X_tj|, no subnormal number */
    void (*row_max)(int64_t T, int64_t n, const void *X, int64_t x_rs, void *out);
    /* Inverse diagonals of H_t + diag(ridge), C x n dense, from the matrix H before: H_t = g_t
     * H_{t-1} + beta_t k_t k_t^T. */
    void (*row_diagonal)(int64_t C, int64_t n, const void *K, int64_t k_rs, const void *beta,
                         int64_t b_rs, const void *high, const void *low, int64_t g_rs,
                         const void *H, int64_t h_rs, const void *ridge, void *out);
    /* out_t = |B_t - Y_t| / |B_t|, 0 where B_t is 0 */
    void (*residuals)(int64_t T, int64_t n, const void *B, int64_t b_rs, const void *Y,
                      int64_t y_rs, void *out);
    /* norm_t = tr H_t + max ridge >= |H_t + diag(ridge)|, H_t as above (H NULL: 0); lowest: one
     * element, min ridge. */
    void (*norms)(int64_t C, int64_t n, const void *K, int64_t k_rs, const void *beta, int64_t b_rs,
                  const void *high, const void *low, int64_t g_rs, const void *H, int64_t h_rs,
                  const void *ridge, void *norm, void *lowest);
    /* out_j += sum_t X_tj Y_tj */
    void (*column_dot)(int64_t T, int64_t n, const void *X, int64_t x_rs, const void *Y,
                       int64_t y_rs, void *out);
    /* out_t = last + sum over s >= t of (c_s - beta_s dbeta_s), in double; where the gate is 0 it
     * is 0 and the sum starts anew. beta NULL: 1; last (NULL: 0): one element. */
    void (*forget)(int64_t T, const void *c, const void *beta, int64_t b_rs, const void *dbeta,
                   int64_t db_rs, const void *high, int64_t h_rs, const void *last, void *out,
                   int64_t rs);
    /* n reals, whatever the lanes: */
    /* z = x y */
    void (*multiply)(int64_t n, const void *x, const void *y, void *z);
    /* a / b; 0 where b is 0 */
    void (*ratio)(int64_t n, const void *a, const void *b, void *out);
    /* mask (1, 0) &= not x <= factor bound; count += mask; returns the ones */
    int64_t (*above)(int64_t n, const void *x, const void *bound, double factor, void *mask,
                     void *count);
    /* exact = now = a exact + added; now may be added */
    void (*carry)(int64_t n, double a, const void *added, double *exact, void *now);
    void (*add_transposed)(int64_t n, const void *X, void *Y); /* n x n, dense: Y += X + X^T */

    /* Least squares by orthogonal transformations, simd_triangle.c. A factor has n rows [R | Z], R
     * upper triangular n x n, Z n x m. Rows are runs of whole vectors: of native width one per
     * element, of one lane kern_span(k, n) + kern_span(k, m) with zeros behind either part. */
    /* Brings in rows: x has n + m columns of `length` vectors (of one lane: neighbouring rows in a
     * vector), overwritten; what is left of the last m adds its squares to rest [m]. work: three
     * rows. */
    void (*qr_rows)(const kern *k, int64_t n, int64_t m, int64_t length, void *factor, void *x,
                    void *rest, void *work);
    /* [R^-1 | R^-1 Z]; condition >= that of R, or NaN */
    void (*triangle_solve)(const kern *k, int64_t n, int64_t m, const void *factor, void *out,
                           void *condition);
    /* Singular values up to cut (an element; infinite: leave this lane alone) times the largest do
     * not count; squares: n vectors to work in. */
    /* Turns pairs of rows until those of R are orthogonal: one sweep, 0 when none was needed. */
    int (*orthogonal_rows)(const kern *k, int64_t n, int64_t m, const void *cut, void *factor,
                           void *squares);
    /* Of a factor with orthogonal rows: out (n rows of Z's length), the least squares of minimum
     * norm; rank: singular values that count. */
    void (*orthogonal_solve)(const kern *k, int64_t n, int64_t m, const void *cut,
                             const void *factor, void *squares, void *out, void *rank);
    /* Columns for qr_rows, `column` vectors apart: out[c][i] = scale_i x[i, c, lane], 0 in lanes >=
     * valid; strides of i, c and lane. x: f32 or f64. */
    void (*columns)(int64_t length, int64_t cols, int64_t valid, const void *x, int32_t dtype,
                    const int64_t stride[3], const void *scale, void *out, int64_t column);
};

/* Table of a context: one_lane 0 for panels of native width, 1 for lanes = 1. */
const kern *kern_get(const mesaopt_ctx *ctx, int32_t dtype, int one_lane);
const kern *kern_unstopped(const mesaopt_ctx *ctx);   /* f64, one lane; kern_stopped is never true:
                                                         for work that has to be finished once
                                                         begun */
int64_t kern_product_scratch(const kern *k);           /* bytes */
/* of products with M, N <= side and K <= depth */
int64_t kern_product_scratch_up_to(const kern *k, int64_t side, int64_t depth);

int32_t kern_isa_best(void);                           /* by CPUID and what the OS saves */
int kern_isa_built(int32_t isa);                       /* compiled into this build? */
mesaopt_status kern_init(mesaopt_ctx *ctx);            /* fills ctx->kern for ctx->isa */
void kern_free(mesaopt_ctx *ctx);

/* Is the call to end? What was asked for is then not needed any more. */
static inline int kern_stopped(const kern *k)
{
    return atomic_load_explicit(k->stop, memory_order_relaxed) != 0;
}

/* vectors of n elements */
static inline int64_t kern_span(const kern *k, int64_t n)
{
    return k->lanes == 1 ? (n + k->width - 1) / k->width : n;
}
/* Number i of f32 or f64, lanes counted. */
static inline double kern_real(const kern *k, const void *p, int64_t i)
{
    return k->size == 4 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}
static inline void kern_set_real(const kern *k, void *p, int64_t i, double x)
{
    if (k->size == 4) ((float *)p)[i] = (float)x;
    else ((double *)p)[i] = x;
}
/* Many draws. */
static inline void kern_draw(const kern *k, draw_kernel draw, uint64_t seed, uint32_t stream,
                             int64_t sequence, int64_t position, int64_t count, double a, double b,
                             void *panel)
{
    enum { MOST = 1 << 14 };       /* at a time */
    for (int64_t i = 0; i < count && !kern_stopped(k); i += MOST)
        draw(seed, stream, sequence, position + i, count - i < MOST ? count - i : MOST, a, b,
             (char *)panel + i * k->width * k->size);
}

static inline void *kern_at(const kern *k, const void *panel, int64_t element)
{
    return (char *)panel + element * k->lanes * k->size;
}

#endif
