/* One large product on several threads: C is cut by its shape alone into parts, each a product of
 * its own. See gemm.h. */
#include "kern/gemm.h"
#include "base/pool.h"

/* Each part packs the other operand again, which `LEAST` rows or columns pay for. */
enum { PARTS = 16, LEAST = 192 };

typedef struct split {
    const gemm *g;
    char *scratch;
    gemm_op op;
    int rows;
    int64_t parts, part;
} split;

static void *shifted(const gemm *g, void *p, int64_t elements)
{
    return (char *)p + elements * g->size;
}

static void split_item(void *job, int64_t worker, int64_t item)
{
    const split *s = job;
    const gemm *g = s->g;
    gemm_op op = s->op;
    /* a triangle's longest rows first */
    int64_t first = (s->parts - 1 - item) * s->part, length = (s->rows ? op.M : op.N) - first;
    if (length > s->part) length = s->part;
    op.C.p = shifted(g, op.C.p, first * (s->rows ? op.C.rs : op.C.cs));
    if (s->rows) {
        op.A.p = shifted(g, op.A.p, first * op.A.rs);
        op.M = length;
        op.diagonal += first;
    } else {
        op.B.p = shifted(g, op.B.p, first * op.B.cs);
        op.N = length;
    }
    g->run(g, s->scratch + worker * gemm_scratch(g), &op);
}

void gemm_parallel(mesaopt_ctx *ctx, const kern *k, void *scratch, enum triangle tri,
                   int accumulate, int64_t M, int64_t N, int64_t K, mat A, mat B, mat C)
{
    split s = {k->gemm,
               scratch,
               {M, N, K, A, B, C, tri, 0, accumulate, k},
               tri == TRI_C_LOWER || M >= N,
               1,
               0};
    int64_t length = s.rows ? M : N;
    while (s.parts < PARTS && length >= 2 * s.parts * LEAST) s.parts *= 2;
    s.part = (length + s.parts - 1) / s.parts;
    s.part = (s.part + 15) / 16 * 16;                  /* whole vectors */
    s.parts = (length + s.part - 1) / (s.part ? s.part : 1);
    parallel_run(ctx, s.parts, split_item, &s);
}
