/* The mesa layer: a training step of the paper's one-layer model, the general form on long sequences, and decoding token by token.
 *
 * mesa1_step        as lsa1_step, whose floating-point operations it counts: what it takes longer, it spends on solving
 * mesa_fwd_d64, ..  forward and forward with adjoint, T = 2048, 8 heads, gates in 0.95 .. 0.9975, weights, a ridge per channel: the
 *                   inputs of flash-linear-attention's CPU reference in peer_fla.py; no operations counted, since solvers differ in them
 * mesa_decode_d64   one token of one head, without forgetting: 6 d d + 4 d dv operations; rows f32 or f64, states in double */
#include "bench/bench.h"
#include "mesaopt/mesaopt.h"
#include "tensor/view.h"
#include <math.h>
#include <stdlib.h>

enum { T = 2048, HEADS = 8 };

static mesaopt_lsq *plan_of(const bench *b, int64_t d)
{
    mesaopt_lsq *lsq = NULL;
    bench_ok(b, mesaopt_lsq_plan(b->ctx, NULL, d, d, &lsq), "plan");
    return lsq;
}

static mesaopt_view drawn(const bench *b, int32_t ndim, const int64_t *shape, uint32_t stream)
{
    mesaopt_view v;
    int64_t n = 1;
    for (int32_t i = 0; i < ndim; i++) n *= shape[i];
    bench_ok(b, mesaopt_view_dense(bench_alloc(n * dtype_size(b->dtype)), b->dtype, ndim, shape, &v), "view");
    bench_ok(b, mesaopt_rng_normal(b->ctx, 1, stream, 0, 0, 1, &v), "draw");
    return v;
}

/* Rows of SiLU(N(0.3, 1)), of norm 1. */
static void normalise(const mesaopt_view *v)
{
    int64_t index[MESAOPT_MAX_RANK] = {0};
    const int64_t d = v->shape[3], rows = view_count(v) / d;
    for (int64_t r = 0; r < rows; r++) {
        double norm = 0;
        for (int64_t j = 0; j < d; j++, view_next(v, index)) {
            const double x = view_get(v, index) + 0.3, y = x / (1 + exp(-x));
            norm += y * y;
            view_set(v, index, y);
        }
        index[0] = r / (v->shape[1] * v->shape[2]), index[1] = r / v->shape[2] % v->shape[1], index[2] = r % v->shape[2], index[3] = 0;
        for (int64_t j = 0; j < d; j++, view_next(v, index)) view_set(v, index, view_get(v, index) / sqrt(norm));
    }
}

static void map(const mesaopt_view *v, double low, double high, int logarithm)
{
    int64_t index[MESAOPT_MAX_RANK] = {0};
    for (int64_t n = view_count(v); n > 0; n--, view_next(v, index)) {
        const double u = 0.5 + 0.5 * erf(view_get(v, index) / sqrt(2)), x = low + (high - low) * u;
        view_set(v, index, logarithm ? log(x) : x);
    }
}

static void general(bench *b, int64_t d, int adjoint)
{
    const int64_t rows[] = {1, T, HEADS, d}, gates[] = {1, T, HEADS}, channels[] = {HEADS, d};
    mesaopt_lsq *lsq = plan_of(b, d);
    mesaopt_view q = drawn(b, 4, rows, 1), k = drawn(b, 4, rows, 2), v = drawn(b, 4, rows, 3), out = drawn(b, 4, rows, 4);
    mesaopt_view dq = drawn(b, 4, rows, 5), dk = drawn(b, 4, rows, 5), dv = drawn(b, 4, rows, 5);
    mesaopt_view extra[] = {drawn(b, 3, gates, 6), drawn(b, 3, gates, 7), drawn(b, 2, channels, 8), drawn(b, 3, gates, 5), drawn(b, 3, gates, 5), drawn(b, 2, channels, 5)};
    const int32_t which[] = {MESAOPT_LSQ_BETA, MESAOPT_LSQ_LOG_GAMMA, MESAOPT_LSQ_RIDGE, MESAOPT_LSQ_D_BETA, MESAOPT_LSQ_D_LOG_GAMMA, MESAOPT_LSQ_D_RIDGE};
    normalise(&q), normalise(&k);
    map(&extra[0], 0.3, 0.9, 0), map(&extra[1], 0.95, 0.9975, 1), map(&extra[2], 0.25, 1.25, 0);
    while (bench_again(b)) {
        bench_ok(b, mesaopt_lsq_forward(lsq, &q, &k, &v, &out, 3, which, extra), "forward");
        if (adjoint) bench_ok(b, mesaopt_lsq_adjoint(lsq, &q, &k, &v, &v, &dq, &dk, &dv, 6, which, extra), "adjoint");
    }
    void *const blocks[] = {q.data, k.data, v.data, out.data, dq.data, dk.data, dv.data};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
    for (size_t i = 0; i < sizeof extra / sizeof *extra; i++) free(extra[i].data);
    mesaopt_lsq_free(lsq);
}

void bench_mesa_fwd_d64(bench *b) { general(b, 64, 0); }
void bench_mesa_fwd_d128(bench *b) { general(b, 128, 0); }
void bench_mesa_fwdbwd_d64(bench *b) { general(b, 64, 1); }
void bench_mesa_fwdbwd_d128(bench *b) { general(b, 128, 1); }

static void decode(bench *b, int64_t d)
{
    enum { ROWS = 64 };
    const int64_t rows[] = {ROWS, 1, d};
    mesaopt_lsq *lsq = plan_of(b, d);
    mesaopt_rls *rls = NULL;
    mesaopt_view q = drawn(b, 3, rows, 1), k = drawn(b, 3, rows, 2), v = drawn(b, 3, rows, 3), out = drawn(b, 3, rows, 4), *const all[] = {&q, &k, &v, &out};
    char *const first[] = {q.data, k.data, v.data, out.data};
    bench_ok(b, mesaopt_rls_create(lsq, 1, NULL, &rls), "create");
    b->flops = 10.0 * (double)(d * d);
    for (int i = 0; i < 4; i++) all[i]->shape[0] = 1;
    for (int64_t t = 0; bench_again(b); t = (t + 1) % ROWS) {
        for (int i = 0; i < 4; i++) all[i]->data = first[i] + t * d * dtype_size(b->dtype);
        bench_ok(b, mesaopt_rls_step(rls, &q, &k, &v, NULL, NULL, &out), "step");
    }
    for (int i = 0; i < 4; i++) free(first[i]);
    mesaopt_rls_free(rls);
    mesaopt_lsq_free(lsq);
}

void bench_mesa_decode_d64(bench *b) { decode(b, 64); }
void bench_mesa_decode_d128(bench *b) { decode(b, 128); }
