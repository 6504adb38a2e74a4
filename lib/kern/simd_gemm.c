/* The large product, per element type and ISA level: packing, cache loops, edges, and a portable micro-kernel for builds of BLIS (or
 * ISA levels) without one. See gemm.h.
 *
 *     for jc, pc:  pack B[pc.., jc..] into panels [k][nr]
 *         for ic:  pack A[ic.., pc..] into panels [k][mr]
 *             for jr, ir:  micro-kernel, C tile (mr x nr) += A panel * B panel
 *
 * A C of the storage order that the micro-kernel does not favour is computed as C' = B' A'. Tiles outside a triangle are
 * skipped; inside A's triangle the sum over k is cut per panel. Edges and diagonal tiles of C go through a tile in scratch. */
#include "kern/simd_gemm.h"
#include "kern/simd.h"

typedef real quad __attribute__((vector_size(16)));
typedef real uquad __attribute__((vector_size(16), aligned(sizeof(real)), may_alias));
enum { QUAD = 16 / sizeof(real) };

#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#elif REAL_BITS == 32
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (int32_t __attribute__((vector_size(16)))){__VA_ARGS__})
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (int64_t __attribute__((vector_size(16)))){__VA_ARGS__})
#endif

/* One operand, cut into panels: element (i, k) at p[i * is + k * ks], i < count runs along panels of `width`. */
enum { FULL, LOWER, UPPER };       /* all; k <= i + diagonal; k >= i + diagonal */
typedef struct side { const real *p; int64_t is, ks, count, width; int tri; int64_t diagonal; } side;

typedef struct work {
    const gemm *g;
    side a, b;
    real *c;
    int64_t rs, cs, K;
    int tri, accumulate;           /* triangle of C: column j against row i + diagonal */
    int64_t diagonal;
    real *tile, *pack_a, *pack_b;
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
    quad a = *(const uquad *)x, b = *(const uquad *)(x + is), c = *(const uquad *)(x + 2 * is), d = *(const uquad *)(x + 3 * is);
    quad ab0 = SHUFFLE(a, b, 0, 4, 1, 5), ab2 = SHUFFLE(a, b, 2, 6, 3, 7), cd0 = SHUFFLE(c, d, 0, 4, 1, 5), cd2 = SHUFFLE(c, d, 2, 6, 3, 7);
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

/* Panel rows of adjacent elements. */
static void pack_copy(int64_t width, int64_t rows, int64_t n, const real *x, int64_t ks, real *out)
{
    for (int64_t k = 0; k < n; k++, x += ks, out += width) {
        int64_t i = 0;
        for (; i + LANES <= rows; i += LANES) store_u(out + i, load_u(x + i));
        for (; i + QUAD <= rows; i += QUAD) *(uquad *)(out + i) = *(const uquad *)(x + i);
        for (; i < rows; i++) out[i] = x[i];
    }
}

static void pack_strided(int64_t width, int64_t rows, int64_t n, const real *x, int64_t is, int64_t ks, real *out)
{
    for (int64_t k = 0; k < n; k++)
        for (int64_t i = 0; i < rows; i++) out[k * width + i] = x[i * is + k * ks];
}

/* Adjacent elements run along k. */
static void pack_transposed(int64_t width, int64_t rows, int64_t n, const real *x, int64_t is, real *out)
{
    int64_t whole_i = rows - rows % QUAD, whole_k = n - n % QUAD;
    for (int64_t k = 0; k < whole_k; k += QUAD)
        for (int64_t i = 0; i < whole_i; i += QUAD) transpose(x + i * is + k, is, out + k * width + i, width);
    pack_strided(width, rows - whole_i, whole_k, x + whole_i * is, is, 1, out + whole_i);
    pack_strided(width, rows, n - whole_k, x + whole_k, is, 1, out + whole_k * width);
}

/* Where the panel that starts at row i has elements. */
static void panel_range(const side *s, int64_t i, int64_t K, int64_t *low, int64_t *high)
{
    *low = s->tri == UPPER ? most(0, i + s->diagonal) : 0;
    *high = s->tri == LOWER ? least(K, least(i + s->width, s->count) + s->diagonal) : K;
}

/* Panel of rows i.., k in [pc, end): out[(k - pc) * width + row], zeros in rows that do not exist or lie outside the triangle. */
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
    for (int64_t k = low; k < high && rows < width; k++) memset(out + (k - low) * width + rows, 0, (size_t)(width - rows) * sizeof(real));
    int64_t edge = i + s->diagonal;                    /* the triangle of row r begins or ends at k = edge + r */
    if (s->tri == LOWER)
        for (int64_t k = most(low, edge + 1); k < high; k++) memset(out + (k - low) * width, 0, (size_t)least(k - edge, width) * sizeof(real));
    if (s->tri == UPPER)
        for (int64_t k = low; k < least(high, edge + width - 1); k++)
            memset(out + (k - low) * width + (k - edge + 1), 0, (size_t)(width - (k - edge + 1)) * sizeof(real));
}

/* C (m x n at row i, column j) from the tile in scratch: the part inside its triangle. */
static void store_tile(const work *w, int64_t i, int64_t j, int64_t m, int64_t n, int accumulate)
{
    const gemm *g = w->g;
    int64_t ld = g->by_rows ? g->nr : g->mr, outer = g->by_rows ? m : n, inner = g->by_rows ? n : m;
    int64_t os = g->by_rows ? w->rs : w->cs, is = g->by_rows ? w->cs : w->rs;
    for (int64_t o = 0; o < outer; o++) {
        /* by rows, o is a row and its columns begin or end at edge + o; otherwise o is a column, and the sense turns round */
        int64_t low = 0, high = inner, edge = g->by_rows ? i + o + w->diagonal - j : j + o - w->diagonal - i;
        if (w->tri == (g->by_rows ? LOWER : UPPER)) high = least(inner, edge + 1);
        else if (w->tri != FULL) low = most(0, edge);
        const real *t = w->tile + o * ld;
        real *c = w->c + i * w->rs + j * w->cs + o * os;
        if (is == 1 && accumulate) for (int64_t p = low; p < high; p++) c[p] += t[p];
        else if (is == 1) for (int64_t p = low; p < high; p++) c[p] = t[p];
        else for (int64_t p = low; p < high; p++) c[p * is] = accumulate ? c[p * is] + t[p] : t[p];
    }
}

/* Tile at row i, column j, over k in [pc, end). a, b: its panels; next_*: the panels of the next tile. */
static void tile(const work *w, int64_t i, int64_t j, int64_t pc, int64_t end, const real *a, const real *b, const real *next_a, const real *next_b)
{
    const gemm *g = w->g;
    int64_t m = least(g->mr, w->a.count - i), n = least(g->nr, w->b.count - j), edge = i + w->diagonal;
    int skip = (w->tri == LOWER && j > edge + m - 1) || (w->tri == UPPER && j + n - 1 < edge);
    int cut = (w->tri == LOWER && j + n - 1 > edge) || (w->tri == UPPER && j < edge + m - 1);
    int64_t low_a, high_a, low_b, high_b;
    panel_range(&w->a, i, w->K, &low_a, &high_a);
    panel_range(&w->b, j, w->K, &low_b, &high_b);
    int64_t first = most(low_a, low_b), low = most(first, pc), high = least(least(high_a, high_b), end);
    if (skip || low >= high) return;
    int accumulate = w->accumulate || low > first;
    a += (low - pc) * g->mr;
    b += (low - pc) * g->nr;
    if (m == g->mr && n == g->nr && !cut && (g->by_rows ? w->cs : w->rs) == 1) {
        g->micro(high - low, a, b, accumulate, w->c + i * w->rs + j * w->cs, w->rs, w->cs, next_a, next_b);
    } else {
        g->micro(high - low, a, b, 0, w->tile, g->by_rows ? g->nr : 1, g->by_rows ? 1 : g->mr, next_a, next_b);
        store_tile(w, i, j, m, n, accumulate);
    }
}

/* Block of C: rows ic.., columns jc.., over k in [pc, end) with B already packed. */
static void block(const work *w, int64_t ic, int64_t rows, int64_t jc, int64_t columns, int64_t pc, int64_t end)
{
    int64_t mr = w->g->mr, nr = w->g->nr, kc = end - pc;
    if (w->tri == LOWER && jc > ic + rows - 1 + w->diagonal) return;
    if (w->tri == UPPER && jc + columns - 1 < ic + w->diagonal) return;
    for (int64_t i = 0; i < rows; i += mr) pack_panel(&w->a, ic + i, w->K, pc, end, w->pack_a + i * kc);
    for (int64_t j = 0; j < columns; j += nr) {
        const real *b = w->pack_b + j * kc;
        for (int64_t i = 0; i < rows; i += mr) {
            const real *a = w->pack_a + i * kc;
            int last = i + mr >= rows;
            tile(w, ic + i, jc + j, pc, end, a, b, last ? w->pack_a : a + mr * kc, last ? b + nr * kc : b);
        }
    }
}

static void loops(const work *w)
{
    const gemm *g = w->g;
    int64_t M = w->a.count, N = w->b.count, K = w->K;
    int64_t mc = even_block(M, g->mc, g->mr), nc = even_block(N, g->nc, g->nr), kc = even_block(K, g->kc, 1);
    for (int64_t jc = 0; jc < N; jc += nc)
        for (int64_t pc = 0; pc < K; pc += kc) {
            int64_t columns = least(nc, N - jc), end = least(K, pc + kc);
            for (int64_t j = 0; j < columns; j += g->nr) pack_panel(&w->b, jc + j, K, pc, end, w->pack_b + j * (end - pc));
            for (int64_t ic = 0; ic < M; ic += mc) block(w, ic, least(mc, M - ic), jc, columns, pc, end);
        }
}

/* Zeros in C: everywhere, or where column > row + diagonal. */
static void clear(const gemm_op *op, int above)
{
    real *c = op->C.p;
    for (int64_t i = 0; i < op->M; i++)
        for (int64_t j = above ? most(0, i + op->diagonal + 1) : 0; j < op->N; j++) c[i * op->C.rs + j * op->C.cs] = 0;
}

void NAME(gemm_run)(const gemm *g, void *scratch, const gemm_op *op)
{
    if (op->M <= 0 || op->N <= 0) return;
    if (op->tri == TRI_C_LOWER) clear(op, 1);
    if (op->K <= 0) {
        if (!op->accumulate) clear(op, 0);
        return;
    }
    int tri = op->tri == TRI_A_LOWER ? LOWER : op->tri == TRI_A_UPPER ? UPPER : FULL;
    side a = {op->A.p, op->A.rs, op->A.cs, op->M, 0, tri, op->diagonal}, b = {op->B.p, op->B.cs, op->B.rs, op->N, 0, FULL, 0};
    work w = {.g = g, .a = a, .b = b, .c = op->C.p, .rs = op->C.rs, .cs = op->C.cs, .K = op->K, .tri = op->tri == TRI_C_LOWER ? LOWER : FULL,
              .accumulate = op->accumulate, .diagonal = op->diagonal};
    if (g->by_rows ? w.cs != 1 && w.rs == 1 : w.rs != 1 && w.cs == 1) {
        w.a = b, w.b = a, w.rs = op->C.cs, w.cs = op->C.rs, w.diagonal = -op->diagonal;
        w.tri = w.tri == LOWER ? UPPER : FULL;
    }
    w.a.width = g->mr, w.b.width = g->nr;
    w.tile = scratch;
    w.pack_a = w.tile + GEMM_TILE_BYTES / sizeof(real);
    w.pack_b = w.pack_a + g->mc * g->kc;
    loops(&w);
}

enum { VECS = 2, MR = VECS * LANES, NR = SIMD_ISA == 3 ? 12 : SIMD_ISA == 2 ? 6 : 4 };

static void micro(int64_t k, const void *va, const void *vb, int accumulate, void *vc, int64_t rs, int64_t cs, const void *next_a, const void *next_b)
{
    const real *a = va, *b = vb;
    real *c = vc;
    vec sum[NR][VECS] = {{{0}}};
    (void)next_a, (void)next_b;
    for (int64_t p = 0; p < k; p++, a += MR, b += NR) {
        vec a0 = *(const vec *)a, a1 = *(const vec *)(a + LANES);
#pragma GCC unroll 16
        for (int j = 0; j < NR; j++) {
            sum[j][0] += a0 * b[j];
            sum[j][1] += a1 * b[j];
        }
    }
    for (int j = 0; j < NR; j++) {
        const real *s = (const real *)sum[j];
        if (rs == 1 && accumulate) for (int i = 0; i < MR; i++) c[i + j * cs] += s[i];
        else for (int i = 0; i < MR; i++) c[i * rs + j * cs] = accumulate ? c[i * rs + j * cs] + s[i] : s[i];
    }
}

void NAME(gemm_portable)(gemm *g)
{
    *g = (gemm){SIMD_ISA, REAL_DTYPE, sizeof(real), micro, MR, NR, 0, 8 * MR, 256, 64 * NR, NAME(gemm_run)};
}
