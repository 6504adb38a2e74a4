/* What every file of this folder works with: kernels, scratch of products, memory, and matrices of
 * a panel.
 *
 * Calls point down: mesa > upcast > layer > solve > cg, segments > inverse, and gla, certify >
 * matvec > chunk, state, condition > gates. Bytes of a workspace are counted by the code that takes
 * it, see base/alloc.h. */
#ifndef MESA_WORKER_H
#define MESA_WORKER_H

#include "mesa/mesa.h"
#include <string.h>

/* n elements; while bytes are counted anything but NULL, so that what will be there can be seen. */
static inline void *take(mesa_worker *w, int64_t n)
{
    void *space = arena_take(&w->memory, n, w->k->lanes * w->k->size);
    return w->memory.base ? space : (void *)"";
}
static inline mat take_rows(mesa_worker *w, int64_t rows, int64_t cols)
{
    return (mat){take(w, rows * cols), cols, 1};
}
static inline int64_t most_bytes(int64_t a, int64_t b)  /* -1: overflow */
{
    return a < 0 || b < 0 ? -1 : a > b ? a : b;
}
static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* C [M x N] = A [M x K] B [K x N], or `more` of it */
static inline void product(const mesa_worker *w, enum triangle tri, int more, int64_t M, int64_t N,
                           int64_t K, mat A, mat B, mat C)
{
    w->k->product(w->k, w->product, PRODUCT_LANE, tri, more, M, N, K, A, B, C);
}

static inline mat dense(const void *p, int64_t cols) { return (mat){(void *)p, cols, 1}; }
static inline mat rows_from(const kern *k, mat m, int64_t row)
{
    return m.p ? (mat){kern_at(k, m.p, row * m.rs), m.rs, m.cs} : m;
}
static inline mat transposed(mat m) { return (mat){m.p, m.cs, m.rs}; }
static inline size_t bytes_of(const kern *k, int64_t rows, int64_t columns)
{
    return (size_t)(rows * columns * k->lanes * k->size);
}
static inline void rows_copy(const kern *k, int64_t rows, int64_t cols, mat from, mat to)
{
    for (int64_t i = 0; i < rows; i++)
        memcpy(kern_at(k, to.p, i * to.rs), kern_at(k, from.p, i * from.rs), bytes_of(k, 1, cols));
}
/* n numbers, lanes counted. */
static inline void fill(const kern *k, int64_t n, double x, void *to)
{
    for (int64_t i = 0; i < n; i++) kern_set_real(k, to, i, x);
}

/* Row i (lanes counted) of m; its elements are `lanes` numbers apart. */
static inline void *lane_of(const kern *k, mat m, int64_t i)
{
    return (char *)kern_at(k, m.p, i / k->lanes * m.rs) + i % k->lanes * k->size;
}

#endif
