/* The multiply-add peak, and products of row-major matrices. */
#include "bench/bench.h"
#include "kern/gemm.h"
#include <stdlib.h>

void bench_fma_peak(bench *b)
{
    while (bench_again(b)) b->flops = bench_peak(b);
}

static void square(bench *b, int64_t n)
{
    const kern *k = kern_get(b->ctx, b->dtype, 1);
    int64_t bytes = n * n * k->size;
    void *scratch = bench_alloc(kern_product_scratch(k) * b->threads);
    mat A = {bench_alloc(bytes), n, 1}, B = {bench_alloc(bytes), n, 1}, C = {bench_alloc(bytes), n, 1};
    for (int64_t i = 0; i < n * n; i++) {
        double a = (double)(i % 7) - 3, c = (double)(i % 5) - 2;
        if (b->dtype == MESAOPT_F64) ((double *)A.p)[i] = a, ((double *)B.p)[i] = c;
        else ((float *)A.p)[i] = (float)a, ((float *)B.p)[i] = (float)c;
    }
    b->flops = 2.0 * (double)(n * n * n);
    while (bench_again(b)) gemm_parallel(b->ctx, k, scratch, TRI_NONE, 0, n, n, n, A, B, C);
    free(scratch), free(A.p), free(B.p), free(C.p);
}

void bench_gemm_1024(bench *b) { square(b, 1024); }
void bench_gemm_64(bench *b) { square(b, 64); }
