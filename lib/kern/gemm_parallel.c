/* One large product on several threads: a fixed cut of C into parts, each a product of its own. See gemm.h. */
#include "kern/gemm.h"
#include "base/pool.h"

typedef struct split { const gemm *g; char *scratch; gemm_op op; int by_rows; int64_t part; } split;

static void *shifted(const gemm *g, void *p, int64_t elements) { return (char *)p + elements * g->size; }

static void split_item(void *job, int64_t worker, int64_t item)
{
    const split *s = job;
    const gemm *g = s->g;
    gemm_op op = s->op;
    int64_t first = item * s->part;
    if (s->by_rows) {
        op.A.p = shifted(g, op.A.p, first * op.A.rs);
        op.C.p = shifted(g, op.C.p, first * op.C.rs);
        op.M = op.M - first < s->part ? op.M - first : s->part;
        op.diagonal += first;
    } else {
        op.B.p = shifted(g, op.B.p, first * op.B.cs);
        op.C.p = shifted(g, op.C.p, first * op.C.cs);
        op.N = op.N - first < s->part ? op.N - first : s->part;
    }
    g->run(g, s->scratch + worker * gemm_scratch(g), &op);
}

/* Parts of the longer side (rows for a triangle of C), a multiple of both tile widths long, so that tiles are the same however often it is cut. */
void gemm_parallel(mesaopt_ctx *ctx, const kern *k, void *scratch, enum triangle tri, int accumulate,
                   int64_t M, int64_t N, int64_t K, mat A, mat B, mat C)
{
    enum { PARTS = 16 };
    const gemm *g = k->gemm;
    split s = {g, scratch, {M, N, K, A, B, C, tri, 0, accumulate}, tri == TRI_C_LOWER || (M >= N && tri == TRI_NONE), 0};
    int64_t length = s.by_rows ? M : N, unit = g->mr * g->nr;
    s.part = (length + PARTS * unit - 1) / (PARTS * unit) * unit;
    if (length > 0) parallel_run(ctx, (length + s.part - 1) / s.part, split_item, &s);
}
