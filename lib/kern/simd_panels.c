/* Panels in and out. The strided side is the user's, in any order; one sequence per lane, lanes
 * past `valid` are zeroed. Addresses are those of elements: a pointer that went on by a stride
 * could leave the address space behind the last one.
 *
 * Where a sequence's columns are adjacent, LANES of them of every lane are a square that is
 * transposed in registers: in log2(LANES) stages, stage s exchanges the upper right and lower left
 * s x s corners of every 2s x 2s square (Eklundh, IEEE Transactions on Computers 21, 1972). The
 * last columns go with those before them a second time. */
#include "kern/simd_kernels.h"

#define KEPT(l, s) ((l) & (s) ? LANES + (l) - (s) : (l)) /* row i: its own, and from row i + s */
#define MOVED(l, s) ((l) & (s) ? LANES + (l) : (l) + (s))      /* row i + s */
#if SIMD_BYTES * 8 / REAL_BITS == 16
#define LIST(F, s) \
    F(0, s), F(1, s), F(2, s), F(3, s), F(4, s), F(5, s), F(6, s), F(7, s), F(8, s), F(9, s), \
        F(10, s), F(11, s), F(12, s), F(13, s), F(14, s), F(15, s)
#elif SIMD_BYTES * 8 / REAL_BITS == 8
#define LIST(F, s) F(0, s), F(1, s), F(2, s), F(3, s), F(4, s), F(5, s), F(6, s), F(7, s)
#elif SIMD_BYTES * 8 / REAL_BITS == 4
#define LIST(F, s) F(0, s), F(1, s), F(2, s), F(3, s)
#else
#define LIST(F, s) F(0, s), F(1, s)
#endif
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, F, s) __builtin_shufflevector(a, b, LIST(F, s))
#else
#define SHUFFLE(a, b, F, s) __builtin_shuffle(a, b, (ivec){LIST(F, s)})
#endif
#define STAGE(s) \
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) \
        if (!(i & (s))) { \
            const vec a = r[i], b = r[i + (s)]; \
            r[i] = SHUFFLE(a, b, KEPT, s); \
            r[i + (s)] = SHUFFLE(a, b, MOVED, s); \
        }

INLINE void transpose(vec r[LANES])
{
    STAGE(1)
#if SIMD_BYTES * 8 / REAL_BITS >= 4
    STAGE(2)
#endif
#if SIMD_BYTES * 8 / REAL_BITS >= 8
    STAGE(4)
#endif
#if SIMD_BYTES * 8 / REAL_BITS >= 16
    STAGE(8)
#endif
}

/* A row of adjacent columns of every lane, cols >= LANES. */
static void load_row(int64_t cols, int64_t valid, const real *x, int64_t seq, real *panel)
{
    for (int64_t b = 0; b < cols; b += LANES) {
        const int64_t j = b + LANES <= cols ? b : cols - LANES;
        vec r[LANES], *to = (vec *)panel + j;
        for (int l = 0; l < LANES; l++) r[l] = l < valid ? load_u(x + l * seq + j) : (vec){0};
        transpose(r);
#pragma GCC unroll 16
        for (int l = 0; l < LANES; l++) to[l] = r[l];
    }
}

static void store_row(int64_t cols, int64_t valid, const real *panel, real *x, int64_t seq)
{
    for (int64_t b = 0; b < cols; b += LANES) {
        const int64_t j = b + LANES <= cols ? b : cols - LANES;
        const vec *from = (const vec *)panel + j;
        vec r[LANES];
#pragma GCC unroll 16
        for (int l = 0; l < LANES; l++) r[l] = from[l];
        transpose(r);
        for (int l = 0; l < valid; l++) store_u(x + l * seq + j, r[l]);
    }
}

/* Whether row i is still wanted. */
static inline int going(const kern *k, int64_t i) { return i % 64 != 0 || !kern_stopped(k); }

void NAME(load)(const kern *k, int64_t T, int64_t cols, int64_t valid, const void *from,
                int64_t seq, int64_t t, int64_t col, void *panel, int64_t rs)
{
    for (int64_t i = 0; i < T && going(k, i); i++) {
        const real *x = (const real *)from + i * t;
        real *row = (real *)panel + i * rs * LANES;
        if (col == 1 && cols >= LANES) {
            load_row(cols, valid, x, seq, row);
            continue;
        }
        for (int64_t j = 0; j < cols; j++, row += LANES)
            if (valid == LANES && seq == 1) memcpy(row, x + j * col, sizeof(vec));
            else for (int64_t l = 0; l < LANES; l++) row[l] = l < valid ? x[j * col + l * seq] : 0;
    }
}

void NAME(store)(const kern *k, int64_t T, int64_t cols, int64_t valid, const void *panel,
                 int64_t rs, void *to, int64_t seq, int64_t t, int64_t col)
{
    for (int64_t i = 0; i < T && going(k, i); i++) {
        const real *row = (const real *)panel + i * rs * LANES;
        real *x = (real *)to + i * t;
        if (col == 1 && cols >= LANES) {
            store_row(cols, valid, row, x, seq);
            continue;
        }
        for (int64_t j = 0; j < cols; j++, row += LANES)
            for (int64_t l = 0; l < valid; l++) x[j * col + l * seq] = row[l];
    }
}

/* One lane: rows of a matrix. */
void NAME(load_one)(const kern *k, int64_t T, int64_t cols, int64_t valid, const void *from,
                    int64_t seq, int64_t t, int64_t col, void *panel, int64_t rs)
{
    (void)seq;
    for (int64_t i = 0; i < T && going(k, i); i++) {
        const real *x = (const real *)from + i * t;
        real *row = (real *)panel + i * rs;
        if (valid < 1) memset(row, 0, (size_t)cols * sizeof(real));
        else if (col == 1) memcpy(row, x, (size_t)cols * sizeof(real));
        else for (int64_t j = 0; j < cols; j++) row[j] = x[j * col];
    }
}

void NAME(store_one)(const kern *k, int64_t T, int64_t cols, int64_t valid, const void *panel,
                     int64_t rs, void *to, int64_t seq, int64_t t, int64_t col)
{
    (void)seq;
    for (int64_t i = 0; i < T && valid > 0 && going(k, i); i++) {
        const real *row = (const real *)panel + i * rs;
        real *x = (real *)to + i * t;
        if (col == 1) memcpy(x, row, (size_t)cols * sizeof(real));
        else for (int64_t j = 0; j < cols; j++) x[j * col] = row[j];
    }
}
