/* The panel product: C[m,n] = sum_k A[m,k] B[k,n] for every lane at once, register-blocked.
 *
 * A block of MR x NR accumulators lives in registers while k runs; one step of k loads MR + NR
 * registers for MR * NR multiply-adds. With 32 registers 5 x 5 fits (25 accumulators, 5 of A, 1 of
 * B), with 16 registers 3 x 4. An extent is cut into near-equal blocks (50 = 10 x 5, 16 = 4 x 4),
 * so odd extents cost no padding and no slow remainder. The same cut of rows is used by every
 * product over the same M, which is why the zeros that TRI_C_LOWER leaves inside its diagonal
 * blocks are all that TRI_A_LOWER and TRI_A_UPPER ever read above the diagonal.
 *
 * A product of one row, as of a token while decoding, has no second row to spread latencies over:
 * its blocks are ONE wide. Sums are the same, bit for bit. */
#include "kern/simd_kernels.h"

#if SIMD_ISA == 3
enum { MR = 5, NR = 5 };
#else
enum { MR = 3, NR = 4 };
#endif
enum { ONE = 12 };

/* Strides in reals, for lane operands already multiplied by LANES. */
typedef struct operand {
    const real *p;
    int64_t rs, cs;
} operand;
typedef struct target {
    real *p;
    int64_t rs, cs;
} target;

/* Otherwise the compiler works out the addresses of all elements of a block of C beforehand, and
 * spills them. */
#define KEEP_IN_REGISTER(p) __asm__("" : "+r"(p))

/* Four (f64: two) vectors into one of 16 bytes with the sums of their lanes: neighbours are added
 * while they are brought together, then 16 bytes on 16 bytes. A PAIR of two takes what is even, or
 * odd, of a and then of b in each 16 bytes. */
typedef real quad __attribute__((vector_size(16)));
typedef real uquad __attribute__((vector_size(16), aligned(sizeof(real)), may_alias));
enum { QUAD = 16 / sizeof(real) };
#if REAL_BITS == 32
#define PAIR(i, odd) (i) + (odd), (i) + 2 + (odd), LANES + (i) + (odd), LANES + (i) + 2 + (odd)
#if SIMD_BYTES == 64
#define PAIRS(odd) PAIR(0, odd), PAIR(4, odd), PAIR(8, odd), PAIR(12, odd)
#elif SIMD_BYTES == 32
#define PAIRS(odd) PAIR(0, odd), PAIR(4, odd)
#else
#define PAIRS(odd) PAIR(0, odd)
#endif
#else
#define PAIR(i, odd) (i) + (odd), LANES + (i) + (odd)
#if SIMD_BYTES == 64
#define PAIRS(odd) PAIR(0, odd), PAIR(2, odd), PAIR(4, odd), PAIR(6, odd)
#elif SIMD_BYTES == 32
#define PAIRS(odd) PAIR(0, odd), PAIR(2, odd)
#else
#define PAIRS(odd) PAIR(0, odd)
#endif
#endif
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif
INLINE vec add_pairs(vec a, vec b) { return SHUFFLE(a, b, PAIRS(0)) + SHUFFLE(a, b, PAIRS(1)); }

/* v[count ..] count as zeros. */
INLINE quad fold_lanes(int count, const vec *v)
{
    const vec none = {0};
    vec x = add_pairs(v[0], count > 1 ? v[1] : none);
#if REAL_BITS == 32
    x = add_pairs(x, count > 2 ? add_pairs(v[2], count > 3 ? v[3] : none) : none);
#endif
    quad part[SIMD_BYTES / 16];
    memcpy(part, &x, sizeof x);
#if SIMD_BYTES == 64
    return (part[0] + part[2]) + (part[1] + part[3]);
#elif SIMD_BYTES == 32
    return part[0] + part[1];
#else
    return part[0];
#endif
}

/* Blocks of one size: `rows` below each other, that many times `cols` side by side. Row i meets K +
 * i * dK steps of k, from `a_step` reals further in A and `b_step` in B than the row before, and
 * blocks whose columns begin past `edge` + (i + 1) * mr - 1 are none of its triangle. */
typedef struct group {
    int64_t rows, cols, K, dK, a_step, b_step, edge;
    operand a, b;
    target c;
    int accumulate;
    real *near;                    /* PRODUCT_SUM: for the columns of B that are worked on */
} group;

/* C (+)= the sums of the lanes of a block. */
INLINE void add_sums(int mr, int nr, const vec *acc, real *c, const group *g)
{
#pragma GCC unroll 8
    for (int i = 0; i < mr; i++, c += g->c.rs)
#pragma GCC unroll 8
        for (int j = 0; j < nr; j += QUAD) {
            const int count = nr - j < QUAD ? nr - j : QUAD;
            const quad sum = fold_lanes(count, acc + i * nr + j);
            if (count == QUAD && g->c.cs == 1) {
                uquad *p = (uquad *)(c + j);
                if (g->accumulate)
                    *p += sum;
                else
                    *p = sum;
                continue;
            }
            real *p = c + j * g->c.cs;
            for (int l = 0; l < count; l++, p += g->c.cs) *p = g->accumulate ? *p + sum[l] : sum[l];
        }
}

/* One block: C (+)= A B. */
INLINE void one_block(int mr, int nr, enum product_kind kind, int64_t K, const real *pa,
                      const real *pb, real *pc, const group *g)
{
    vec acc[MR * NR < ONE ? ONE : MR * NR];
#pragma GCC unroll 32
    for (int i = 0; i < mr * nr; i++) acc[i] = (vec){0};
    for (int64_t k = 0; k < K; k++, pa += g->a.cs, pb += g->b.rs) {
        vec x[MR];
#pragma GCC unroll 8
        for (int i = 0; i < mr; i++) x[i] = *(const vec *)(pa + i * g->a.rs);
        const real *q = pb;
#pragma GCC unroll 16
        for (int j = 0; j < nr; j++, q += g->b.cs) {
            if (mr == 1) KEEP_IN_REGISTER(q);
            vec y = kind == PRODUCT_SHARED ? splat(*q) : *(const vec *)q;
#pragma GCC unroll 8
            for (int i = 0; i < mr; i++) acc[i * nr + j] += x[i] * y;
        }
    }
    if (kind == PRODUCT_SUM) {
        add_sums(mr, nr, acc, pc, g);
        return;
    }
#pragma GCC unroll 8
    for (int i = 0; i < mr; i++, pc += g->c.rs) {
        real *p = pc;
#pragma GCC unroll 16
        for (int j = 0; j < nr; j++, p += g->c.cs) {
            KEEP_IN_REGISTER(p);
            *(vec *)p = g->accumulate ? acc[i * nr + j] + *(vec *)p : acc[i * nr + j];
        }
    }
}

/* K steps of n columns side by side: strides of k that span a page each, as steps of a sequence do
 * for the sums over them, find neither their page nor a free place in the cache. */
INLINE void bring_near(int n, int64_t K, const real *from, int64_t rs, int64_t cs, real *to)
{
    for (int64_t k = 0; k < K; k++, from += rs, to += n * LANES)
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) *(vec *)(to + j * LANES) = *(const vec *)(from + j * cs);
}

INLINE void blocks(int mr, int nr, enum product_kind kind, const group *given)
{
    group g = *given;
    if (kind == PRODUCT_SUM) g.b = (operand){g.near, nr * LANES, LANES};
    for (int64_t j = 0; j < g.cols; j++) {
        const int64_t column = j * nr - g.edge, first = column > 0 ? column / mr : 0;
        const real *b = given->b.p + j * nr * given->b.cs;
        if (kind == PRODUCT_SUM) {
            bring_near(nr, g.K, b, given->b.rs, given->b.cs, g.near);
            b = g.near;
        }
        real *c = g.c.p + j * nr * g.c.cs;
        for (int64_t i = first; i < g.rows; i++)
            one_block(mr, nr, kind, g.K + i * g.dK, g.a.p + i * g.a_step, b + i * g.b_step,
                      c + i * mr * g.c.rs, &g);
    }
}

typedef void (*blocks_fn)(const group *g);
#define BLOCKS(kind, mr, nr) \
    static void blocks_##kind##_##mr##_##nr(const group *g) { blocks(mr, nr, PRODUCT_##kind, g); }
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
#define TABLE(kind) \
    { \
        NAMES(kind, 1), NAMES(kind, 2), NAMES(kind, 3), NAMES(kind, 4), NAMES(kind, 5) \
    }
#else
#define ROW(kind, mr) \
    BLOCKS(kind, mr, 1) BLOCKS(kind, mr, 2) BLOCKS(kind, mr, 3) BLOCKS(kind, mr, 4)
#define ALL(kind) ROW(kind, 1) ROW(kind, 2) ROW(kind, 3)
#define NAMES(kind, mr) \
    { \
        blocks_##kind##_##mr##_1, blocks_##kind##_##mr##_2, blocks_##kind##_##mr##_3, \
            blocks_##kind##_##mr##_4 \
    }
#define TABLE(kind) \
    { \
        NAMES(kind, 1), NAMES(kind, 2), NAMES(kind, 3) \
    }
#endif
ALL(LANE)
ALL(SHARED)
ALL(SUM)
static const blocks_fn table[3][MR][NR] = {TABLE(LANE), TABLE(SHARED), TABLE(SUM)};

/* Widths that the table of one row does not have. */
#if SIMD_ISA == 3
#define LESS(kind)
#else
#define LESS(kind) BLOCKS(kind, 1, 5)
#endif
#define WIDE_ROW(kind) \
    LESS(kind) BLOCKS(kind, 1, 6) BLOCKS(kind, 1, 7) BLOCKS(kind, 1, 8) BLOCKS(kind, 1, 9) \
        BLOCKS(kind, 1, 10) BLOCKS(kind, 1, 11) BLOCKS(kind, 1, 12)
#define WIDE_NAMES(kind) \
    { \
        blocks_##kind##_1_1, blocks_##kind##_1_2, blocks_##kind##_1_3, blocks_##kind##_1_4, \
            blocks_##kind##_1_5, blocks_##kind##_1_6, blocks_##kind##_1_7, blocks_##kind##_1_8, \
            blocks_##kind##_1_9, blocks_##kind##_1_10, blocks_##kind##_1_11, blocks_##kind##_1_12 \
    }
WIDE_ROW(LANE)
WIDE_ROW(SHARED)
static const blocks_fn one_row[2][ONE] = {WIDE_NAMES(LANE), WIDE_NAMES(SHARED)};

static inline int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

/* An extent cut into near-equal blocks: `wide` of width + 1, then the rest of `width`. */
typedef struct cuts {
    int64_t count, width, wide;
} cuts;
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

typedef struct product {
    enum product_kind kind;
    enum triangle tri;
    int accumulate;
    int64_t K, depth; /* steps of k between two visits of a block of C */
    operand a, b;
    target c;
    int one;          /* a row of blocks that are ONE wide */
    cuts cols;
    real *near;       /* as in a group */
} product;

/* Bytes of A that stay in the first level of cache while B passes by, which then comes from further
 * away once for all their rows; and steps of k at a time. Weights are small, and all of them stay.
 */
enum { NEAR = 16384, DEPTH = PANEL_DEPTH };

/* Row blocks that the sums over steps work on at a time: many, for every group of them brings all
 * of B near. */
enum { FAR_ROWS = 16 };

/* Row blocks of mr rows, of the first of them of which work begins at row m, over columns
 * [0, columns), steps s of k. */
static void run_group(const product *p, int64_t m, int64_t mr, int64_t count, int64_t columns,
                      int64_t k0, int64_t k1, int diagonal, int more)
{
    const int lower = diagonal && p->tri == TRI_A_LOWER, upper = diagonal && p->tri == TRI_A_UPPER;
    const int64_t wide = min64(columns, p->cols.wide), split = wide * (p->cols.width + 1);
    group g = {.rows = count,
               .cols = wide,
               .K = lower ? m + mr - k0 : k1 - k0,
               .dK = lower   ? mr
                     : upper ? -mr
                             : 0,
               .a_step = mr * (p->a.rs + (upper ? p->a.cs : 0)),
               .b_step = upper ? mr * p->b.rs : 0,
               .edge = p->tri == TRI_C_LOWER ? m : INT64_MAX / 2,
               .a = {p->a.p + m * p->a.rs + k0 * p->a.cs, p->a.rs, p->a.cs},
               .b = {p->b.p + k0 * p->b.rs, p->b.rs, p->b.cs},
               .c = {p->c.p + m * p->c.rs, p->c.rs, p->c.cs},
               .accumulate = more,
               .near = p->near};
    const blocks_fn *row = p->one ? one_row[p->kind] : table[p->kind][mr - 1];
    if (wide > 0) row[p->cols.width](&g);
    g.b.p += split * p->b.cs, g.c.p += split * p->c.cs;
    g.cols = columns - wide, g.edge -= split;
    if (g.cols > 0) row[p->cols.width - 1](&g);
}

/* `count` row blocks of mr rows from row m on. Only the last steps meet the diagonal of A_LOWER,
 * and only the first that of A_UPPER: they are as many as the rows, or all. */
static void run_rows(const product *p, int64_t m, int64_t mr, int64_t count)
{
    const int64_t end = m + count * mr, low = p->tri == TRI_A_UPPER ? m : 0,
                  high = p->tri == TRI_A_LOWER ? min64(p->K, end) : p->K;
    const cuts steps = high > low ? cut(high - low, p->depth) : (cuts){1, 0, 0};
    int64_t columns = p->cols.count;
    while (p->tri == TRI_C_LOWER && cut_start(p->cols, columns - 1) >= end) columns--;
    for (int64_t s = 0; s < steps.count; s++)
        run_group(p, m, mr, count, columns, low + cut_start(steps, s),
                  low + cut_start(steps, s + 1), s == (p->tri == TRI_A_LOWER ? steps.count - 1 : 0),
                  p->accumulate || s > 0);
    for (int64_t i = m; p->tri == TRI_C_LOWER && i < end; i += mr) {
        int64_t written = columns;
        while (cut_start(p->cols, written - 1) >= i + mr) written--;
        zero_upper(p->c, i, mr, cut_start(p->cols, written));
    }
}

void NAME(product)(const kern *k, void *scratch, enum product_kind kind, enum triangle tri,
                   int accumulate, int64_t M, int64_t N, int64_t K, mat A, mat B, mat C)
{
    if (M == 0 || N == 0) return;
    const int64_t lanes_b = kind == PRODUCT_SHARED ? 1 : LANES,
                  lanes_c = kind == PRODUCT_SUM ? 1 : LANES;
    const int one = M == 1 && kind != PRODUCT_SUM;
    const product p = {.kind = kind,
                       .one = one,
                       .tri = tri,
                       .accumulate = accumulate,
                       .K = K,
                       .depth = kind == PRODUCT_SHARED ? INT64_MAX / 2 : DEPTH,
                       .a = {A.p, A.rs * LANES, A.cs * LANES},
                       .b = {B.p, B.rs * lanes_b, B.cs * lanes_b},
                       .c = {C.p, C.rs * lanes_c, C.cs * lanes_c},
                       .cols = cut(N, one ? ONE : NR),
                       .near = scratch};
    const cuts rows = cut(M, MR), steps = K > 0 ? cut(K, DEPTH) : (cuts){1, 0, 0};
    const int64_t bytes = (steps.width + 1) * MR * (int64_t)sizeof(vec);
    int64_t most = kind == PRODUCT_SHARED ? 1 : NEAR / bytes;
    if (kind == PRODUCT_SUM) most = FAR_ROWS;
    if (tri != TRI_NONE && steps.count > 1) most = min64(most, DEPTH / 2 / MR);
    if (most < 1) most = 1;
    for (int64_t i = 0, n; i < rows.count && !kern_stopped(k); i += n) {
        const int wide = i < rows.wide;
        n = min64(most, (wide ? rows.wide : rows.count) - i);
        run_rows(&p, cut_start(rows, i), rows.width + wide, n);
    }
}
