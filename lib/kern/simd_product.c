/* The panel product: C[m,n] = sum_k A[m,k] B[k,n] for every lane at once, register-blocked.
 *
 * A block of MR x NR accumulators lives in registers while k runs; one step of k loads MR + NR registers for MR * NR
 * multiply-adds. With 32 registers 5 x 5 fits (25 accumulators, 5 of A, 1 of B), with 16 registers 3 x 4. An extent is cut into
 * near-equal blocks (50 = 10 x 5, 16 = 4 x 4), so odd extents cost no padding and no slow remainder.
 * The same cut of rows is used by every product over the same M, which is why the zeros that TRI_C_LOWER leaves inside
 * its diagonal blocks are all that TRI_A_LOWER and TRI_A_UPPER ever read above the diagonal. */
#include "kern/simd_kernels.h"

#if SIMD_ISA == 3
enum { MR = 5, NR = 5 };
#else
enum { MR = 3, NR = 4 };
#endif

/* Strides in reals, for lane operands already multiplied by LANES. */
typedef struct operand { const real *p; int64_t rs, cs; } operand;
typedef void (*block_fn)(int64_t K, operand a, operand b, real *c, int64_t rs, int64_t cs, int accumulate);

static inline __attribute__((always_inline)) void
block(int mr, int nr, enum product_kind kind, int64_t K, operand a, operand b, real *c, int64_t rs, int64_t cs, int accumulate)
{
    vec acc[MR][NR];
#pragma GCC unroll 8
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 8
        for (int j = 0; j < nr; j++) acc[i][j] = (vec){0};
    for (int64_t k = 0; k < K; k++) {
        vec x[MR];
#pragma GCC unroll 8
        for (int i = 0; i < mr; i++) x[i] = *(const vec *)(a.p + i * a.rs);
#pragma GCC unroll 8
        for (int j = 0; j < nr; j++) {
            vec y = kind == PRODUCT_SHARED ? splat(b.p[j * b.cs]) : *(const vec *)(b.p + j * b.cs);
#pragma GCC unroll 8
            for (int i = 0; i < mr; i++) acc[i][j] += x[i] * y;
        }
        a.p += a.cs;
        b.p += b.rs;
    }
#pragma GCC unroll 8
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 8
        for (int j = 0; j < nr; j++) {
            real *p = c + i * rs + j * cs;
            if (kind == PRODUCT_SUM) *p = sum_lanes(acc[i][j]) + (accumulate ? *p : 0);
            else *(vec *)p = accumulate ? acc[i][j] + *(vec *)p : acc[i][j];
        }
}

#define BLOCK(kind, mr, nr) \
    static void block_##kind##_##mr##_##nr(int64_t K, operand a, operand b, real *c, int64_t rs, int64_t cs, int accumulate) \
    { block(mr, nr, PRODUCT_##kind, K, a, b, c, rs, cs, accumulate); }
#if SIMD_ISA == 3
#define ROW(kind, mr) BLOCK(kind, mr, 1) BLOCK(kind, mr, 2) BLOCK(kind, mr, 3) BLOCK(kind, mr, 4) BLOCK(kind, mr, 5)
#define ALL(kind) ROW(kind, 1) ROW(kind, 2) ROW(kind, 3) ROW(kind, 4) ROW(kind, 5)
#define NAMES(kind, mr) {block_##kind##_##mr##_1, block_##kind##_##mr##_2, block_##kind##_##mr##_3, block_##kind##_##mr##_4, block_##kind##_##mr##_5}
#define TABLE(kind) {NAMES(kind, 1), NAMES(kind, 2), NAMES(kind, 3), NAMES(kind, 4), NAMES(kind, 5)}
#else
#define ROW(kind, mr) BLOCK(kind, mr, 1) BLOCK(kind, mr, 2) BLOCK(kind, mr, 3) BLOCK(kind, mr, 4)
#define ALL(kind) ROW(kind, 1) ROW(kind, 2) ROW(kind, 3)
#define NAMES(kind, mr) {block_##kind##_##mr##_1, block_##kind##_##mr##_2, block_##kind##_##mr##_3, block_##kind##_##mr##_4}
#define TABLE(kind) {NAMES(kind, 1), NAMES(kind, 2), NAMES(kind, 3)}
#endif
ALL(LANE)
ALL(SHARED)
ALL(SUM)
static const block_fn blocks[3][MR][NR] = {TABLE(LANE), TABLE(SHARED), TABLE(SUM)};

static inline int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

/* Block i of n extents cut into `cuts` near-equal pieces starts here. */
static inline int64_t cut(int64_t n, int64_t cuts, int64_t i) { return n / cuts * i + min64(i, n % cuts); }

/* Zeros above the diagonal of a block of C whose first element is (m, n). */
static void zero_upper(real *c, int64_t rs, int64_t cs, int64_t m, int64_t n, int64_t mr, int64_t nr)
{
    for (int64_t i = 0; i < mr; i++)
        for (int64_t j = 0; j < nr; j++)
            if (n + j > m + i) *(vec *)(c + i * rs + j * cs) = (vec){0};
}

void NAME(product)(const kern *k, void *scratch, enum product_kind kind, enum triangle tri, int accumulate,
                   int64_t M, int64_t N, int64_t K, mat A, mat B, mat C)
{
    (void)k, (void)scratch;
    if (M == 0 || N == 0) return;
    const int64_t lanes_b = kind == PRODUCT_SHARED ? 1 : LANES, lanes_c = kind == PRODUCT_SUM ? 1 : LANES;
    operand a = {A.p, A.rs * LANES, A.cs * LANES}, b = {B.p, B.rs * lanes_b, B.cs * lanes_b};
    const int64_t rs = C.rs * lanes_c, cs = C.cs * lanes_c, mcuts = (M + MR - 1) / MR, ncuts = (N + NR - 1) / NR;
    for (int64_t mi = 0; mi < mcuts; mi++) {
        const int64_t m = cut(M, mcuts, mi), mr = cut(M, mcuts, mi + 1) - m;
        const int64_t k0 = tri == TRI_A_UPPER ? m : 0, k1 = tri == TRI_A_LOWER ? min64(K, m + mr) : K;
        const int64_t nend = tri == TRI_C_LOWER ? min64(N, m + mr) : N;
        operand am = {a.p + m * a.rs + k0 * a.cs, a.rs, a.cs};
        for (int64_t ni = 0; ni < ncuts; ni++) {
            const int64_t n = cut(N, ncuts, ni), nr = cut(N, ncuts, ni + 1) - n;
            if (n >= nend) break;
            real *c = (real *)C.p + m * rs + n * cs;
            operand bn = {b.p + k0 * b.rs + n * b.cs, b.rs, b.cs};
            blocks[kind][mr - 1][nr - 1](k1 - k0, am, bn, c, rs, cs, accumulate);
            if (tri == TRI_C_LOWER && n + nr > m + 1) zero_upper(c, rs, cs, m, n, mr, nr);
        }
    }
}
