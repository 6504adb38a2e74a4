/* A step of a decoder for 16 sequences, one token each. Counted per layer and sequence, width D = 40, H heads of d = dv = 20:
 *
 *     queries, keys, values 2 D 3 H d;   output 2 H d D
 *     softmax on n tokens: scores and their sum over values 2 H d n each
 *     mesa: H and S 2 H d (d + dv), its factor H d^3 / 3, its solution 2 H d d, S^T x 2 H d dv
 *
 * Softmax with its cache full: n = 224, of which a step reads 16 n H (d + dv) numbers a layer, 16 MB in all. */
#include "bench/bench.h"
#include "mesaopt/mesaopt.h"
#include "train/decoder_impl.h"
#include <stdlib.h>

enum { STREAMS = 16, TOKENS = 224, N = 10, D = 40, HEADS = 4, KEY = 20 };

static mesaopt_model *model_of(const bench *b, const char *blocks)
{
    mesaopt_settings *s = NULL;
    mesaopt_model *m = NULL;
    bench_ok(b, mesaopt_settings_create(MESAOPT_SCOPE_MODEL, NULL, NULL, &s), "settings");
    bench_ok(b, mesaopt_settings_set_int(s, MESAOPT_KEY_INPUTS, N), "inputs");
    bench_ok(b, mesaopt_settings_set_text(s, "dtype", b->dtype == MESAOPT_F64 ? "f64" : "f32"), "dtype");
    bench_ok(b, mesaopt_model_create(b->ctx, s, &m), "model");
    bench_ok(b, mesaopt_model_add_text(m, blocks), blocks);
    mesaopt_settings_free(s);
    return m;
}

static mesaopt_decoder *decoder_of(const bench *b, mesaopt_model *m)
{
    mesaopt_settings *s = NULL;
    mesaopt_decoder *d = NULL;
    bench_ok(b, mesaopt_settings_create(MESAOPT_SCOPE_DECODER, NULL, NULL, &s), "settings");
    bench_ok(b, mesaopt_settings_set_int(s, MESAOPT_KEY_STREAMS, STREAMS), "streams");
    bench_ok(b, mesaopt_settings_set_int(s, MESAOPT_KEY_CAPACITY, TOKENS), "capacity");
    bench_ok(b, mesaopt_decoder_create(m, s, &d), "decoder");
    mesaopt_settings_free(s);
    return d;
}

/* The last of TOKENS tokens again and again: streams are set back by one after it. */
static void decode(bench *b, const char *blocks, double layers, double of_layer)
{
    mesaopt_model *m = model_of(b, blocks);
    mesaopt_decoder *d = decoder_of(b, m);
    mesaopt_view tokens, out;
    void *x = bench_alloc(STREAMS * TOKENS * N * 8), *y = bench_alloc(STREAMS * N * 8);
    bench_ok(b, mesaopt_view_dense(x, b->dtype, 3, (int64_t[]){STREAMS, TOKENS, N}, &tokens), "tokens");
    bench_ok(b, mesaopt_view_dense(y, b->dtype, 3, (int64_t[]){STREAMS, 1, N}, &out), "out");
    bench_ok(b, mesaopt_rng_normal(b->ctx, 1, 2, 0, 0, 1, &tokens), "draw");
    tokens.shape[1] = TOKENS - 1;
    bench_ok(b, mesaopt_decoder_step(d, &tokens, NULL), "prefill");
    tokens.shape[1] = 1;
    b->flops = STREAMS * layers * (2.0 * D * 4 * HEADS * KEY + of_layer);
    while (bench_again(b)) {
        bench_ok(b, mesaopt_decoder_step(d, &tokens, &out), "step");
        for (int64_t i = 0; i < d->p.count * d->p.k->lanes; i++) d->steps[i]--;
    }
    mesaopt_decoder_free(d);
    mesaopt_model_free(m);
    free(x), free(y);
}

#define READ_IN "dense(outputs=40,init_sd=0.05); "
#define READ_OUT "; dense(outputs=10,init_sd=0.05)"

void bench_decode_tf7(bench *b)
{
    decode(b, READ_IN "softmax(heads=4,key=20,init_sd=0.05,pe=qk); 6 x softmax(heads=4,key=20,init_sd=0.05)" READ_OUT, 7, 4.0 * HEADS * KEY * TOKENS);
}

void bench_decode_mesa4(bench *b)
{
    decode(b, READ_IN "4 x mesa(heads=4,key=20,init_sd=0.05)" READ_OUT, 4, 2.0 * HEADS * KEY * (5 * KEY + KEY * KEY / 6.0));
}
