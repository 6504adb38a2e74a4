/* The large product, per element type and ISA level: packing, cache loops, edges, and kernels for
 * one register tile. See gemm.h.
 *
 *     for jc, pc:  pack B[pc.., jc..] into panels [k][nr]
 *         for ic:  pack A[ic.., pc..] into panels [k][mr]
 *             for jr, ir:  kernel, C tile (mr x nr) += A panel * B panel
 *
 * The kernels here read one element at a time of each of their rows of A, which so needs no packing
 * while its rows are stored one by one; nor does B where few rows of A meet it. BLIS micro-kernels
 * want both packed, and whole tiles.
 *
 * A C of the storage order that the micro-kernel does not favour is computed as C' = B' A'. Tiles
 * outside a triangle are skipped; inside A's triangle the sum over k is cut per panel. Edges and
 * diagonal tiles of C go through a tile in scratch. Thin products (few rows or few columns, as a
 * vector times a matrix) would fill a fraction of that tile and have loops of their own. */
#include "kern/simd_gemm.h"
#include "kern/simd.h"

typedef real quad __attribute__((vector_size(16)));
typedef real uquad __attribute__((vector_size(16), aligned(sizeof(real)), may_alias));
enum { QUAD = 16 / sizeof(real) };

#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#elif REAL_BITS == 32
#define SHUFFLE(a, b, ...) \
    __builtin_shuffle(a, b, (int32_t __attribute__((vector_size(16)))){__VA_ARGS__})
#else
#define SHUFFLE(a, b, ...) \
    __builtin_shuffle(a, b, (int64_t __attribute__((vector_size(16)))){__VA_ARGS__})
#endif

/* The register tile of the kernels below: MR rows of A, one element of each at a time, meet NR
 * adjacent columns of B. */
enum { VECS = 2, NR = VECS * LANES, MR = SIMD_ISA == 3 ? 12 : 6 };

/* c[i][0 .. vecs * LANES) (+)= sum over k of a[i * is + k * ks] b[k * bs ..], i < rows. */
INLINE void rows_kernel(int rows, int vecs, int64_t n, const real *a, int64_t is, int64_t ks,
                        const real *b, int64_t bs, int accumulate, real *c, int64_t rs)
{
    vec sum[MR][VECS];
    const real *base[(MR + 2) / 3]; /* three rows each: more addresses than one register serves */
    const int bases = (rows + 2) / 3;
#pragma GCC unroll 4
    for (int i = 0; i < bases; i++) base[i] = a + 3 * i * is;
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
        __builtin_prefetch(c + i * rs, 1);
        for (int v = 0; v < vecs; v++) sum[i][v] = (vec){0};
    }
#pragma GCC unroll 2
    for (int64_t k = 0; k < n; k++, b += bs) {
        vec y[VECS];
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++) y[v] = load_u(b + v * LANES);
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            const vec x = splat(base[i / 3][i % 3 * is]);
#pragma GCC unroll 2
            for (int v = 0; v < vecs; v++) sum[i][v] += x * y[v];
        }
#pragma GCC unroll 4
        for (int i = 0; i < bases; i++) base[i] += ks;
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++, c += rs)
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++)
            store_u(c + v * LANES, accumulate ? load_u(c + v * LANES) + sum[i][v] : sum[i][v]);
}

typedef void (*rows_fn)(int64_t n, const real *a, int64_t is, int64_t ks, const real *b, int64_t bs,
                        int accumulate, real *c, int64_t rs);
#define ROWS(rows, vecs) \
    static void rows_##rows##_##vecs(int64_t n, const real *a, int64_t is, int64_t ks, \
                                     const real *b, int64_t bs, int accumulate, real *c, \
                                     int64_t rs) \
    { \
        rows_kernel(rows, vecs, n, a, is, ks, b, bs, accumulate, c, rs); \
    }
#define EACH(rows) ROWS(rows, 1) ROWS(rows, 2)
EACH(1) EACH(2) EACH(3) EACH(4) EACH(5) EACH(6)
#define NAMES(rows) \
    { \
        rows_##rows##_1, rows_##rows##_2 \
    }
#if SIMD_ISA == 3
EACH(7) EACH(8) EACH(9) EACH(10) EACH(11) EACH(12)
static const rows_fn rows_of[MR][VECS] = {NAMES(1), NAMES(2),  NAMES(3),  NAMES(4),
                                          NAMES(5), NAMES(6),  NAMES(7),  NAMES(8),
                                          NAMES(9), NAMES(10), NAMES(11), NAMES(12)};
#else
static const rows_fn rows_of[MR][VECS] = {NAMES(1), NAMES(2), NAMES(3),
                                          NAMES(4), NAMES(5), NAMES(6)};
#endif

/* One operand, cut into panels: element (i, k) at p[i * is + k * ks], i < count runs along panels
 * of `width`. */
enum { FULL, LOWER, UPPER };       /* all; k <= i + diagonal; k >= i + diagonal */
typedef struct side {
    const real *p;
    int64_t is, ks, count, width;
    int tri;
    int64_t diagonal;
    int64_t unit;                  /* rows of a panel are read in multiples of it */
    int direct;                    /* panels of such multiples are read where they are */
} side;

typedef struct work {
    const gemm *g;
    side a, b;
    real *c;
    int64_t rs, cs, K;
    int tri, accumulate;           /* triangle of C: column j against row i + diagonal */
    int64_t diagonal;
    real *tile, *pack_a, *pack_b;
    const kern *k;
} work;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

/* n cut into equal blocks of at most `block`, a multiple of `unit` */
static int64_t even_block(int64_t n, int64_t block, int64_t unit)
{
    int64_t blocks = (n + block - 1) / block, each = (n + blocks - 1) / blocks;
    return (each + unit - 1) / unit * unit;
}

/* out[k][i] = x[i][k] for a QUAD x QUAD block */
static inline void transpose(const real *x, int64_t is, real *out, int64_t width)
{
#if REAL_BITS == 32
    quad a = *(const uquad *)x, b = *(const uquad *)(x + is), c = *(const uquad *)(x + 2 * is),
         d = *(const uquad *)(x + 3 * is);
    quad ab0 = SHUFFLE(a, b, 0, 4, 1, 5), ab2 = SHUFFLE(a, b, 2, 6, 3, 7),
         cd0 = SHUFFLE(c, d, 0, 4, 1, 5), cd2 = SHUFFLE(c, d, 2, 6, 3, 7);
    *(uquad *)out = SHUFFLE(ab0, cd0, 0, 1, 4, 5);
    *(uquad *)(out + width) = SHUFFLE(ab0, cd0, 2, 3, 6, 7);
    *(uquad *)(out + 2 * width) = SHUFFLE(ab2, cd2, 0, 1, 4, 5);
    *(uquad *)(out + 3 * width) = SHUFFLE(ab2, cd2, 2, 3, 6, 7);
#else
    quad a = *(const uquad *)x, b = *(const uquad *)(x + is);
    *(uquad *)out = SHUFFLE(a, b, 0, 2);
    *(uquad *)(out + width) = SHUFFLE(a, b, 1, 3);
#endif
}

/* Panel rows of adjacent elements; the last vector of a row overlaps the one before. */
INLINE void copy_rows(int64_t width, int64_t rows, int64_t n, const real *x, int64_t ks, real *out)
{
    for (int64_t k = 0; k < n; k++, x += ks, out += width) {
        if (rows >= LANES) {
            for (int64_t i = 0; i + LANES < rows; i += LANES) store_u(out + i, load_u(x + i));
            store_u(out + rows - LANES, load_u(x + rows - LANES));
        } else if (rows >= QUAD) {
            for (int64_t i = 0; i + QUAD < rows; i += QUAD)
                *(uquad *)(out + i) = *(const uquad *)(x + i);
            *(uquad *)(out + rows - QUAD) = *(const uquad *)(x + rows - QUAD);
        } else {
            for (int64_t i = 0; i < rows; i++) out[i] = x[i];
        }
    }
}

static void pack_copy(int64_t width, int64_t rows, int64_t n, const real *x, int64_t ks, real *out)
{
    switch (rows == width ? width : 0) {               /* widths of today's micro-kernels */
    case 6: copy_rows(6, 6, n, x, ks, out); break;
    case 8: copy_rows(8, 8, n, x, ks, out); break;
    case 12: copy_rows(12, 12, n, x, ks, out); break;
    case 14: copy_rows(14, 14, n, x, ks, out); break;
    case 16: copy_rows(16, 16, n, x, ks, out); break;
    case 32: copy_rows(32, 32, n, x, ks, out); break;
    default: copy_rows(width, rows, n, x, ks, out);
    }
}

static void pack_strided(int64_t width, int64_t rows, int64_t n, const real *x, int64_t is,
                         int64_t ks, real *out)
{
    for (int64_t k = 0; k < n; k++)
        for (int64_t i = 0; i < rows; i++) out[k * width + i] = x[i * is + k * ks];
}

/* Adjacent elements run along k: QUAD rows of a cache line's length at a time, since rows a power
 * of two apart share few cache sets. */
static void pack_transposed(int64_t width, int64_t rows, int64_t n, const real *x, int64_t is,
                            real *out)
{
    enum { LINE = 64 / sizeof(real) };
    int64_t whole_i = rows - rows % QUAD, whole_k = n - n % QUAD;
    for (int64_t line = 0; line < whole_k; line += LINE)
        for (int64_t i = 0; i < whole_i; i += QUAD)
            for (int64_t k = line; k < least(whole_k, line + LINE); k += QUAD)
                transpose(x + i * is + k, is, out + k * width + i, width);
    pack_strided(width, rows - whole_i, whole_k, x + whole_i * is, is, 1, out + whole_i);
    pack_strided(width, rows, n - whole_k, x + whole_k, is, 1, out + whole_k * width);
}

/* Where the panel that starts at row i has elements. */
static void panel_range(const side *s, int64_t i, int64_t K, int64_t *low, int64_t *high)
{
    *low = s->tri == UPPER ? most(0, i + s->diagonal) : 0;
    *high = s->tri == LOWER ? least(K, least(i + s->width, s->count) + s->diagonal) : K;
}

/* Panel of rows i.., k in [pc, end): out[(k - pc) * width + row], zeros outside the triangle, and
 * in rows that are read and do not exist: those never reach C, but what is left in scratch may be
 * slow to multiply (denormal numbers). */
static void pack_panel(const side *s, int64_t i, int64_t K, int64_t pc, int64_t end, real *out)
{
    int64_t width = s->width, rows = least(width, s->count - i), low, high;
    panel_range(s, i, K, &low, &high);
    low = most(low, pc);
    high = least(high, end);
    if (low >= high) return;
    out += (low - pc) * width;
    const real *x = s->p + i * s->is + low * s->ks;
    if (s->is == 1) pack_copy(width, rows, high - low, x, s->ks, out);
    else if (s->ks == 1) pack_transposed(width, rows, high - low, x, s->is, out);
    else pack_strided(width, rows, high - low, x, s->is, s->ks, out);
    const int64_t read = least(width, (rows + s->unit - 1) / s->unit * s->unit);
    for (int64_t k = low; k < high && rows < read; k++)
        for (int64_t r = rows; r < read; r++) out[(k - low) * width + r] = 0;
    int64_t edge = i + s->diagonal;                    /* the triangle of row r begins or ends at k
                                                          = edge + r */
    if (s->tri == LOWER)
        for (int64_t k = most(low, edge + 1); k < high; k++)
            memset(out + (k - low) * width, 0, (size_t)least(k - edge, width) * sizeof(real));
    if (s->tri == UPPER)
        for (int64_t k = low; k < least(high, edge + width - 1); k++)
            memset(out + (k - low) * width + (k - edge + 1), 0,
                   (size_t)(width - (k - edge + 1)) * sizeof(real));
}

/* C (m x n at row i, column j) from the tile in scratch: the part inside its triangle. */
static void store_tile(const work *w, int64_t i, int64_t j, int64_t m, int64_t n, int accumulate)
{
    const gemm *g = w->g;
    int64_t ld = g->by_rows ? g->nr : g->mr, outer = g->by_rows ? m : n, inner = g->by_rows ? n : m;
    int64_t os = g->by_rows ? w->rs : w->cs, is = g->by_rows ? w->cs : w->rs;
    for (int64_t o = 0; o < outer; o++) {
        /* by rows, o is a row and its columns begin or end at edge + o; otherwise o is a column,
         * and the sense turns round */
        int64_t low = 0, high = inner,
                edge = g->by_rows ? i + o + w->diagonal - j : j + o - w->diagonal - i;
        if (w->tri == (g->by_rows ? LOWER : UPPER)) high = least(inner, edge + 1);
        else if (w->tri != FULL) low = most(0, edge);
        const real *t = w->tile + o * ld;
        real *c = w->c + i * w->rs + j * w->cs + o * os;
        if (is == 1 && accumulate) for (int64_t p = low; p < high; p++) c[p] += t[p];
        else if (is == 1) for (int64_t p = low; p < high; p++) c[p] = t[p];
        else for (int64_t p = low; p < high; p++) c[p * is] = accumulate ? c[p * is] + t[p] : t[p];
    }
}

/* A panel from k = pc on: element (r, k) at p[r * is + (k - pc) * ks]. */
typedef struct panel { const real *p; int64_t is, ks; } panel;

/* Tile at row i, column j, over k in [pc, end). a, b: its panels; next_*: those of the next
 * one. */
static void tile(const work *w, int64_t i, int64_t j, int64_t pc, int64_t end, panel a, panel b,
                 const real *next_a, const real *next_b)
{
    const gemm *g = w->g;
    int64_t m = least(g->mr, w->a.count - i), n = least(g->nr, w->b.count - j), first = 0,
            low = pc, high = end;
    int cut = 0;
    if (w->tri != FULL) {
        int64_t edge = i + w->diagonal;
        if (w->tri == LOWER ? j > edge + m - 1 : j + n - 1 < edge) return;
        cut = w->tri == LOWER ? j + n - 1 > edge : j < edge + m - 1;
    }
    if (w->a.tri != FULL || w->b.tri != FULL) {
        int64_t low_a, high_a, low_b, high_b;
        panel_range(&w->a, i, w->K, &low_a, &high_a);
        panel_range(&w->b, j, w->K, &low_b, &high_b);
        first = most(low_a, low_b), low = most(first, pc);
        high = least(least(high_a, high_b), end);
        if (low >= high) return;
    }
    int accumulate = w->accumulate || low > first;
    a.p += (low - pc) * a.ks;
    b.p += (low - pc) * b.ks;
    const int64_t vecs = n <= LANES ? 1 : VECS;
    const int whole = !cut && (g->by_rows ? w->cs : w->rs) == 1 && m % w->a.unit == 0 &&
                      n % w->b.unit == 0;
    real *c = whole ? w->c + i * w->rs + j * w->cs : w->tile;
    const int64_t rs = whole ? w->rs : g->by_rows ? g->nr : 1,
                  cs = whole ? w->cs : g->by_rows ? 1 : g->mr;
    if (g->micro)
        g->micro(high - low, a.p, b.p, whole && accumulate, c, rs, cs, next_a, next_b);
    else
        rows_of[m - 1][vecs - 1](high - low, a.p, a.is, a.ks, b.p, b.ks, whole && accumulate, c,
                                 rs);
    if (!whole) store_tile(w, i, j, m, n, accumulate);
}

/* Is the panel at row i read where it is? */
static int in_place(const side *s, int64_t i)
{
    return s->direct && least(s->width, s->count - i) % s->unit == 0;
}

static panel panel_of(const side *s, int64_t i, int64_t pc, const real *packed)
{
    if (in_place(s, i)) return (panel){s->p + i * s->is + pc * s->ks, s->is, s->ks};
    return (panel){packed, 1, s->width};
}

/* Panels i .. i + count - 1 are packed, those that have to be. */
static void pack(const side *s, int64_t i, int64_t count, int64_t K, int64_t pc, int64_t end,
                 real *to)
{
    for (int64_t r = 0; r < count; r += s->width)
        if (!in_place(s, i + r)) pack_panel(s, i + r, K, pc, end, to + r * (end - pc));
}

/* Block of C: rows ic.., columns jc.., over k in [pc, end) with B already packed. */
static void block(const work *w, int64_t ic, int64_t rows, int64_t jc, int64_t columns, int64_t pc,
                  int64_t end)
{
    int64_t mr = w->g->mr, nr = w->g->nr, kc = end - pc;
    if (w->tri == LOWER && jc > ic + rows - 1 + w->diagonal) return;
    if (w->tri == UPPER && jc + columns - 1 < ic + w->diagonal) return;
    pack(&w->a, ic, rows, w->K, pc, end, w->pack_a);
    for (int64_t j = 0; j < columns; j += nr) {
        const real *pb = w->pack_b + j * kc;
        const panel b = panel_of(&w->b, jc + j, pc, pb);
        for (int64_t i = 0; i < rows; i += mr) {
            const real *pa = w->pack_a + i * kc;
            int last = i + mr >= rows;
            tile(w, ic + i, jc + j, pc, end, panel_of(&w->a, ic + i, pc, pa), b,
                 last ? w->pack_a : pa + mr * kc, last ? pb + nr * kc : pb);
        }
    }
}

static void loops(work *w)
{
    enum { LINE = 64 / sizeof(real) };
    const gemm *g = w->g;
    int64_t M = w->a.count, N = w->b.count, K = w->K;
    int64_t mc = even_block(M, g->mc, g->mr), nc = even_block(N, g->nc, g->nr),
            kc = even_block(K, g->kc, 1);
    w->pack_b = w->pack_a + (mc * kc + LINE - 1) / LINE * LINE; /* micro-kernels load aligned */
    for (int64_t jc = 0; jc < N; jc += nc)
        for (int64_t pc = 0; pc < K && !kern_stopped(w->k); pc += kc) {
            int64_t columns = least(nc, N - jc), end = least(K, pc + kc);
            pack(&w->b, jc, columns, K, pc, end, w->pack_b);
            for (int64_t ic = 0; ic < M && !kern_stopped(w->k); ic += mc)
                block(w, ic, least(mc, M - ic), jc, columns, pc, end);
        }
}

/* Zeros in C: everywhere, or where column > row + diagonal. */
static void clear(const gemm_op *op, int above)
{
    real *c = op->C.p;
    int64_t rs = op->C.rs, cs = op->C.cs;
    for (int64_t i = 0; i < op->M; i++) {
        int64_t from = above ? most(0, i + op->diagonal + 1) : 0;
        if (cs == 1 && from < op->N)
            memset(c + i * rs + from, 0, (size_t)(op->N - from) * sizeof(real));
        else for (int64_t j = from; j < op->N; j++) c[i * rs + j * cs] = 0;
    }
}

/* sums for 3 and 4 rows: 8 of 16, or 16 of 32 registers */
enum { THIN = 4, THIN_VECS = SIMD_ISA == 3 ? 4 : 2, WIDE = 4 * LANES };

/* c[t][w] = sum over k of thin[t * ts + k * ks] x[k * xs + w], w < width = vecs * LANES, with all
 * sums in registers. */
INLINE void thin_block(int rows, int vecs, int64_t n, const real *thin, int64_t ts, int64_t ks,
                       const real *x, int64_t xs, real *c)
{
    vec sum[THIN][WIDE / LANES] = {{{0}}};
    for (int64_t k = 0; k < n; k++, x += xs, thin += ks)
        for (int t = 0; t < rows; t++)
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++) sum[t][v] += thin[t * ts] * load_u(x + v * LANES);
    for (int t = 0; t < rows; t++)
        for (int v = 0; v < vecs; v++) store_u(c + (t * vecs + v) * LANES, sum[t][v]);
}

/* C with at most THIN rows: the rows of `thin` times the panels of `wide`, which are packed only
 * where their elements are not adjacent. */
static void thin_loops(const side *thin, const side *wide, int64_t K, int64_t kc, const gemm_op *op,
                       real *c, int64_t rs, int64_t cs, real *scratch)
{
    real *tile = scratch, *pack = scratch + THIN * WIDE;
    int64_t rows = thin->count, width = wide->width;
    for (int64_t pc = 0; pc < K && !kern_stopped(op->k); pc += kc)
        for (int64_t j = 0; j < wide->count; j += width) {
            int64_t end = least(K, pc + kc), n = end - pc, columns = least(width, wide->count - j);
            int64_t ts = thin->is, ks = thin->ks, xs = wide->ks;
            const real *x = wide->p + j + pc * xs, *a = thin->p + pc * ks;
            if (wide->is != 1 || columns < width) {
                pack_panel(wide, j, K, pc, end, pack);
                x = pack, xs = width;
            }
            if (rows == 1) thin_block(1, 4, n, a, ts, ks, x, xs, tile);
            else if (rows == 2) thin_block(2, 4, n, a, ts, ks, x, xs, tile);
            else if (rows == 3) thin_block(3, THIN_VECS, n, a, ts, ks, x, xs, tile);
            else thin_block(4, THIN_VECS, n, a, ts, ks, x, xs, tile);
            for (int64_t t = 0; t < rows; t++)
                for (int64_t w = 0; w < columns; w++) {
                    real *to = c + t * rs + (j + w) * cs;
                    *to =
                        op->accumulate || pc > 0 ? *to + tile[t * width + w] : tile[t * width + w];
                }
        }
}

static void thin(const gemm *g, const gemm_op *op, side a, side b, void *scratch)
{
    int64_t rows = least(op->M, op->N), kc = even_block(op->K, g->kc, 1);
    a.width = a.unit = b.width = b.unit = (rows < 3 ? 4 : THIN_VECS) * LANES;
    if (op->M <= op->N) thin_loops(&a, &b, op->K, kc, op, op->C.p, op->C.rs, op->C.cs, scratch);
    else thin_loops(&b, &a, op->K, kc, op, op->C.p, op->C.cs, op->C.rs, scratch);
}

/* Panels of A that meet a panel of B which is not worth packing for them. */
enum { FEW = 8 };

void NAME(gemm_run)(const gemm *g, void *scratch, const gemm_op *op)
{
    if (op->M <= 0 || op->N <= 0) return;
    if (op->tri == TRI_C_LOWER) clear(op, 1);
    if (op->K <= 0) {
        if (!op->accumulate) clear(op, 0);
        return;
    }
    int tri = op->tri == TRI_A_LOWER ? LOWER : op->tri == TRI_A_UPPER ? UPPER : FULL;
    side a = {op->A.p, op->A.rs, op->A.cs, op->M, 0, tri, op->diagonal, 1, 0},
         b = {op->B.p, op->B.cs, op->B.rs, op->N, 0, FULL, 0, 1, 0};
    if (op->tri == TRI_NONE && least(op->M, op->N) <= THIN) {
        thin(g, op, a, b, scratch);
        return;
    }
    work w = {.g = g,
              .a = a,
              .b = b,
              .c = op->C.p,
              .rs = op->C.rs,
              .cs = op->C.cs,
              .K = op->K,
              .tri = op->tri == TRI_C_LOWER ? LOWER : FULL,
              .accumulate = op->accumulate,
              .diagonal = op->diagonal,
              .k = op->k};
    if (g->by_rows ? w.cs != 1 && w.rs == 1 : w.rs != 1 && w.cs == 1) {
        w.a = b, w.b = a, w.rs = op->C.cs, w.cs = op->C.rs, w.diagonal = -op->diagonal;
        w.tri = w.tri == LOWER ? UPPER : FULL;
    }
    w.a.width = g->mr, w.b.width = g->nr;
    w.a.unit = g->micro ? g->mr : 1, w.b.unit = g->micro ? g->nr : LANES;
    w.a.direct = !g->micro && w.a.tri == FULL && w.a.ks == 1;
    w.b.direct = !g->micro && w.b.tri == FULL && w.b.is == 1 && w.a.count <= FEW * g->mr;
    w.tile = scratch;
    w.pack_a = w.tile + GEMM_TILE_BYTES / sizeof(real);
    loops(&w);
}

void NAME(gemm_portable)(gemm *g)
{
    *g = (gemm){.isa = SIMD_ISA,
                .dtype = REAL_DTYPE,
                .size = sizeof(real),
                .mr = MR,
                .nr = NR,
                .by_rows = 1,
                .mc = 168,
                .kc = 256,
                .nc = 64 * NR,
                .run = NAME(gemm_run)};
}
