/* Benchmarks: a workload is one function that prepares, then repeats what is timed while bench_again() says so, then tidies up, and
 * one row of the table in bench.c. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "base/object.h"

typedef struct bench {
    mesaopt_ctx *ctx;              /* at this ISA level, with this number of threads */
    int32_t isa, dtype, threads;
    double flops;                  /* of one repetition, set by the workload; 0: not a matter of flops */
    double seconds;                /* of one repetition, in the best batch so far */
    int64_t rounds;
    double batch_start, round_start;   /* bench_again's own, as what follows */
    int64_t round, count;
} bench;

/*     while (bench_again(b)) work();
 * runs once to warm up, then as often as the rounds take. The peak is measured again after each. */
int bench_again(bench *b);

double bench_peak(bench *b);       /* one short measurement of the multiply-add peak on the bench's threads: returns its flops */

double bench_now(void);            /* seconds */
void *bench_alloc(int64_t bytes);  /* zeroed, aligned to 64; never NULL */
void bench_ok(const bench *b, mesaopt_status status, const char *what);   /* ends the program when status < 0 */

/* Workloads */
void bench_fma_peak(bench *b);
void bench_gemm_1024(bench *b);
void bench_gemm_64(bench *b);
void bench_lsa1_step(bench *b);
void bench_lsa2_step(bench *b);
void bench_lsa6_step(bench *b);
void bench_tf7_step(bench *b);
void bench_tf7_step_t224(bench *b);
void bench_partial_tf_step(bench *b);
void bench_nonlinear_tf_step(bench *b);
void bench_lm_block_step(bench *b);
void bench_draw_batch(bench *b);
void bench_probe_fit(bench *b);
void bench_chebyshev6_update(bench *b);
void bench_revalg6_step(bench *b);
void bench_mesa1_step(bench *b);
void bench_mesa_fwd_d64(bench *b);
void bench_mesa_fwd_d128(bench *b);
void bench_mesa_fwdbwd_d64(bench *b);
void bench_mesa_fwdbwd_d128(bench *b);
void bench_mesa_decode_d64(bench *b);
void bench_mesa_decode_d128(bench *b);
void bench_decode_tf7(bench *b);
void bench_decode_mesa4(bench *b);

#endif
