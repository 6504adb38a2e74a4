/* The panel product: C[m,n] = sum_k A[m,k] B[k,n] for every lane at once, register-blocked.
 *
 * A block of MR x NR accumulators lives in registers while k runs; one step of k loads MR + NR
 * registers for MR * NR multiply-adds. With 32 registers 5 x 5 fits (25 accumulators, 5 of A, 1 of
 * B), with 16 registers 3 x 4. An extent is cut into near-equal blocks (50 = 10 x 5, 16 = 4 x 4),
 * so odd extents cost no padding and no slow remainder. The same cut of rows is used by every
 * product over the same M, which is why the zeros that TRI_C_LOWER leaves inside its diagonal
 * blocks are all that TRI_A_LOWER and TRI_A_UPPER ever read above the diagonal. */
#include "kern/simd_kernels.h"

#if SIMD_ISA == 3
enum { MR = 5, NR = 5 };
#else
enum { MR = 3, NR = 4 };
#endif

/* Strides in reals, for lane operands already multiplied by LANES. */
typedef struct operand { const real *p; int64_t rs, cs; } operand;
typedef struct target { real *p; int64_t rs, cs; } target;

/* Otherwise the compiler works out the addresses of all elements of a block of C beforehand, and
 * spills them. */
#define KEEP_IN_REGISTER(p) __asm__("" : "+r"(p))

/* Lane l of the result is the sum of the lanes of v[l], for count <= LANES vectors: a tree that
 * halves the number of vectors at each level. FOLD keeps a where bit X of the lane is 0 and b where
 * it is 1, plus their partners at distance X. */
#define FOLD(X) \
    _Pragma("GCC unroll 16") for (int i = 0; i < X; i++) v[i] = \
        i + X < count ? pick(BIT(X), v[i + X], v[i]) + SIMD_SWAP(pick(BIT(X), v[i], v[i + X]), X) \
                      : v[i] + SIMD_SWAP(v[i], X);
#define BIT(X) (((ivec){SIMD_INDEX(0)} & X) != 0)
static inline __attribute__((always_inline)) vec fold_lanes(int count, vec *v)
{
#if SIMD_BYTES * 8 / REAL_BITS >= 16
    FOLD(8)
#endif
#if SIMD_BYTES * 8 / REAL_BITS >= 8
    FOLD(4)
#endif
#if SIMD_BYTES * 8 / REAL_BITS >= 4
    FOLD(2)
#endif
    FOLD(1)
    return v[0];
}

/* `count` blocks of mr x nr side by side. */
static inline __attribute__((always_inline)) void blocks(int mr, int nr, enum product_kind kind,
                                                         int64_t count, int64_t K, operand a,
                                                         operand b, target c, int accumulate)
{
    for (; count > 0; count--, b.p += nr * b.cs, c.p += nr * c.cs) {
        vec acc[MR * NR + LANES];
        const real *pa = a.p, *pb = b.p;
#pragma GCC unroll 32
        for (int i = 0; i < mr * nr; i++) acc[i] = (vec){0};
        for (int64_t k = 0; k < K; k++, pa += a.cs, pb += b.rs) {
            vec x[MR];
#pragma GCC unroll 8
            for (int i = 0; i < mr; i++) x[i] = *(const vec *)(pa + i * a.rs);
#pragma GCC unroll 8
            for (int j = 0; j < nr; j++) {
                vec y =
                    kind == PRODUCT_SHARED ? splat(pb[j * b.cs]) : *(const vec *)(pb + j * b.cs);
#pragma GCC unroll 8
                for (int i = 0; i < mr; i++) acc[i * nr + j] += x[i] * y;
            }
        }
        real sums[MR * NR + LANES];
        if (kind == PRODUCT_SUM) {
#pragma GCC unroll 8
            for (int i = 0; i < mr * nr; i += LANES)
                store_u(sums + i, fold_lanes(mr * nr - i < LANES ? mr * nr - i : LANES, acc + i));
        }
        real *row = c.p;
#pragma GCC unroll 8
        for (int i = 0; i < mr; i++, row += c.rs) {
            real *p = row;
#pragma GCC unroll 8
            for (int j = 0; j < nr; j++, p += c.cs) {
                KEEP_IN_REGISTER(p);
                if (kind == PRODUCT_SUM) *p = sums[i * nr + j] + (accumulate ? *p : 0);
                else *(vec *)p = accumulate ? acc[i * nr + j] + *(vec *)p : acc[i * nr + j];
            }
        }
    }
}

typedef void (*blocks_fn)(int64_t count, int64_t K, operand a, operand b, target c, int accumulate);
#define BLOCKS(kind, mr, nr) \
    static void blocks_##kind##_##mr##_##nr(int64_t count, int64_t K, operand a, operand b, \
                                            target c, int accumulate) \
    { \
        blocks(mr, nr, PRODUCT_##kind, count, K, a, b, c, accumulate); \
    }
#if SIMD_ISA == 3
#define ROW(kind, mr) \
    BLOCKS(kind, mr, 1) \
    BLOCKS(kind, mr, 2) BLOCKS(kind, mr, 3) BLOCKS(kind, mr, 4) BLOCKS(kind, mr, 5)
#define ALL(kind) ROW(kind, 1) ROW(kind, 2) ROW(kind, 3) ROW(kind, 4) ROW(kind, 5)
#define NAMES(kind, mr) \
    { \
        blocks_##kind##_##mr##_1, blocks_##kind##_##mr##_2, blocks_##kind##_##mr##_3, \
            blocks_##kind##_##mr##_4, blocks_##kind##_##mr##_5 \
    }
#define TABLE(kind) {NAMES(kind, 1), NAMES(kind, 2), NAMES(kind, 3), NAMES(kind, 4), NAMES(kind, 5)}
#else
#define ROW(kind, mr) \
    BLOCKS(kind, mr, 1) BLOCKS(kind, mr, 2) BLOCKS(kind, mr, 3) BLOCKS(kind, mr, 4)
#define ALL(kind) ROW(kind, 1) ROW(kind, 2) ROW(kind, 3)
#define NAMES(kind, mr) \
    { \
        blocks_##kind##_##mr##_1, blocks_##kind##_##mr##_2, blocks_##kind##_##mr##_3, \
            blocks_##kind##_##mr##_4 \
    }
#define TABLE(kind) {NAMES(kind, 1), NAMES(kind, 2), NAMES(kind, 3)}
#endif
ALL(LANE)
ALL(SHARED)
ALL(SUM)
static const blocks_fn table[3][MR][NR] = {TABLE(LANE), TABLE(SHARED), TABLE(SUM)};

static inline int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

/* An extent cut into near-equal blocks: `wide` of width + 1, then the rest of `width`. */
typedef struct cuts { int64_t count, width, wide; } cuts;
static cuts cut(int64_t n, int64_t most)
{
    const int64_t count = (n + most - 1) / most;
    return (cuts){count, n / count, n % count};
}
static int64_t cut_start(cuts c, int64_t i) { return c.width * i + min64(i, c.wide); }

/* Zeros above the diagonal, in the columns m .. end - 1 that blocks of rows m .. m + mr - 1 wrote.
 */
static void zero_upper(target c, int64_t m, int64_t mr, int64_t end)
{
    for (int64_t i = m; i < m + mr; i++)
        for (int64_t j = i + 1; j < end; j++) *(vec *)(c.p + i * c.rs + j * c.cs) = (vec){0};
}

void NAME(product)(const kern *k, void *scratch, enum product_kind kind, enum triangle tri,
                   int accumulate, int64_t M, int64_t N, int64_t K, mat A, mat B, mat C)
{
    (void)scratch;
    if (M == 0 || N == 0) return;
    const int64_t lanes_b = kind == PRODUCT_SHARED ? 1 : LANES,
                  lanes_c = kind == PRODUCT_SUM ? 1 : LANES;
    const operand a = {A.p, A.rs * LANES, A.cs * LANES}, b = {B.p, B.rs * lanes_b, B.cs * lanes_b};
    const target c = {C.p, C.rs * lanes_c, C.cs * lanes_c};
    const cuts rows = cut(M, MR), cols = cut(N, NR);
    for (int64_t i = 0; i < rows.count && !kern_stopped(k); i++) {
        const int64_t m = cut_start(rows, i), mr = rows.width + (i < rows.wide);
        const int64_t k0 = tri == TRI_A_UPPER ? m : 0,
                      k1 = tri == TRI_A_LOWER ? min64(K, m + mr) : K;
        int64_t count = cols.count;
        while (tri == TRI_C_LOWER && cut_start(cols, count - 1) >= m + mr) count--;
        const int64_t wide = min64(count, cols.wide), split = wide * (cols.width + 1);
        const operand am = {a.p + m * a.rs + k0 * a.cs, a.rs, a.cs};
        operand bn = {b.p + k0 * b.rs, b.rs, b.cs};
        target cn = {c.p + m * c.rs, c.rs, c.cs};
        if (wide) table[kind][mr - 1][cols.width](wide, k1 - k0, am, bn, cn, accumulate);
        bn.p += split * b.cs, cn.p += split * c.cs;
        if (count > wide)
            table[kind][mr - 1][cols.width - 1](count - wide, k1 - k0, am, bn, cn, accumulate);
        if (tri == TRI_C_LOWER) zero_upper(c, m, mr, cut_start(cols, count));
    }
}
