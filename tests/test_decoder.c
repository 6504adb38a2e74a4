/* Decoders give what one forward pass over whole sequences gives, whatever the blocks and the cut: every kind of block from the rows of base/kinds.def, each with
 * every setting; streams that begin anew while others go on; failures that leave no trace; nothing allocated. Expected numbers come from mesaopt_model_forward. */
#include "kind_texts.h"
#undef fail
#include "contexts.h"
#include <math.h>

enum { MOST_STREAMS = 21, MOST_TOKENS = 160, IN = 5, OUT = 2, WIDTH = 6 };

/* Sequences of a model, what forward makes of them, and a decoder. */
typedef struct problem {
    mesaopt_ctx *ctx;
    mesaopt_model *model;
    mesaopt_decoder *decoder;
    int64_t B, T;
    int32_t type;
    _Alignas(64) char x[MOST_STREAMS * MOST_TOKENS * IN * 8], y[MOST_STREAMS * MOST_TOKENS * OUT * 8], z[MOST_STREAMS * MOST_TOKENS * OUT * 8];
    mesaopt_view tokens, expected, out;
} problem;

static problem p_, *const p = &p_;

static mesaopt_decoder *decoder_from(mesaopt_model *model, const char *settings)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_DECODER, settings);
    mesaopt_decoder *d = NULL;
    ck_assert_int_eq(mesaopt_decoder_create(model, s, &d), MESAOPT_OK);
    mesaopt_settings_free(s);
    return d;
}

/* Steps from..from + L - 1 of all sequences. */
static mesaopt_view part(mesaopt_view v, int64_t from, int64_t L)
{
    v.data = (char *)v.data + from * v.stride[1] * (v.dtype == MESAOPT_F64 ? 8 : 4);
    v.shape[1] = L;
    return v;
}

static double at(const mesaopt_view *v, int64_t i)
{
    return v->dtype == MESAOPT_F64 ? ((double *)v->data)[i] : (double)((float *)v->data)[i];
}

static mesaopt_status step(mesaopt_decoder *d, int64_t from, int64_t L, int give)
{
    const mesaopt_view tokens = part(p->tokens, from, L), out = part(p->out, from, L);
    return mesaopt_decoder_step(d, &tokens, give ? &out : NULL);
}

/* tokens ~ N(0, size^2), and what forward makes of them. */
static void begin(mesaopt_ctx *ctx, mesaopt_model *model, int32_t type, int64_t B, int64_t T, double size)
{
    char settings[80];
    p->ctx = ctx, p->model = model, p->B = B, p->T = T, p->type = type;
    p->tokens = DENSE(p->x, type, B, T, IN), p->expected = DENSE(p->y, type, B, T, OUT), p->out = DENSE(p->z, type, B, T, OUT);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 1, 20, 0, 0, size, &p->tokens), MESAOPT_OK);
    ck_assert_int_ge(mesaopt_model_forward(model, &p->tokens, &p->expected), 0);
    snprintf(settings, sizeof settings, "streams=%d capacity=%d", (int)B, (int)T);
    p->decoder = decoder_from(model, settings);
    memset(p->z, 0x55, sizeof p->z);
}

static void end(void)
{
    ck_assert_int_eq(mesaopt_decoder_free(p->decoder), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_free(p->model), MESAOPT_OK);
}

/* Steps from .. T - 1 of all streams. */
static void check_from(int64_t from, double tolerance, const char *what)
{
    double most = 0, apart = 0;
    for (int64_t i = 0; i < p->B * p->T * OUT; i++) {
        if (i / OUT % p->T < from) continue;
        most = fmax(most, fabs(at(&p->expected, i)));
        const double d = fabs(at(&p->expected, i) - at(&p->out, i));
        if (!(d <= apart)) apart = d;
    }
    ck_assert_msg(most > 0 && apart <= tolerance * most, "%s: %g of %g", what, apart, most);
}

/* Tokens of each step in turn, the last number again and again; negative: without predictions. */
static void decode(const int *cut, double tolerance, const char *what)
{
    int64_t from = 0, blind = 0;
    ck_assert_int_eq(mesaopt_decoder_reset(p->decoder, -1), MESAOPT_OK);
    for (int64_t t = 0, L; t < p->T; t += L, cut += cut[1] != 0) {
        L = abs(*cut) < p->T - t ? abs(*cut) : p->T - t;
        ck_assert_int_ge(step(p->decoder, t, L, *cut > 0), 0);
        if (*cut < 0) blind = t + L;
        from = blind;
    }
    check_from(from, tolerance, what);
    for (int64_t s = 0; s < p->B; s++) ck_assert_int_eq(mesaopt_decoder_steps(p->decoder, s), p->T);
}

static const int cuts[][4] = {{1}, {1000}, {3, 1, 2}, {-2, 1}, {63, 1, 7}, {65, 64}};
enum { CUTS = sizeof cuts / sizeof *cuts };

/* Two blocks of a kind between dense ones; NULL when its settings refuse each other. */
static mesaopt_model *model_of(mesaopt_ctx *ctx, const char *settings, const char *kind)
{
    char text[2000];
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_MODEL, settings);
    mesaopt_model *m;
    ck_assert_int_eq(mesaopt_model_create(ctx, s, &m), MESAOPT_OK);
    mesaopt_settings_free(s);
    snprintf(text, sizeof text, "dense(outputs=%d,init_sd=0.5); 2 x %s; dense(outputs=%d,init_sd=0.5)", WIDTH, kind, OUT);
    const mesaopt_status status = mesaopt_model_add_text(m, text);
    if (status == MESAOPT_OK) return m;
    ck_assert_int_eq(status, MESAOPT_E_UNSUPPORTED);
    mesaopt_model_free(m);
    return NULL;
}

static void every_cut(mesaopt_ctx *ctx, const char *kind, int32_t type, int lanes, int64_t B, int64_t T)
{
    char settings[100], what[800];
    snprintf(settings, sizeof settings, "dtype=%s inputs=%d outputs=%d seed=3 lanes=%d", type == MESAOPT_F64 ? "f64" : "f32", IN, OUT, lanes);
    mesaopt_model *m = model_of(ctx, settings, kind);
    if (!m) return;
    begin(ctx, m, type, B, T, 1);
    for (int i = 0; i < CUTS; i++) {
        snprintf(what, sizeof what, "%s, %s, cut %d", kind, settings, i);
        decode(cuts[i], type == MESAOPT_F64 ? 1e-10 : 1e-3, what);         /* f32: as 2^14, the condition up to which its solvers are taken, leaves */
    }
    end();
}

START_TEST(kinds)
{
    char kind[600];
    for (int isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 1 + isa % 2);
        if (!ctx) continue;
        for (int variant = 0; kind_text(block_kind_at(_i), variant, kind, sizeof kind); variant++)
            for (int i = 0; i < 4; i++)
                if (variant % 2 == isa % 2 || variant == 0) every_cut(ctx, kind, i % 2 ? MESAOPT_F64 : MESAOPT_F32, 1 + i / 2, i == 3 ? 5 : 3 + 8 * (i / 2), 7);
        mesaopt_ctx_free(ctx);
    }
}
END_TEST

/* All that remember, longer than a piece and an inverse's segment. */
static const char mixed[] = "dense(outputs=6,init_sd=0.5); softmax(heads=2,key=3,value=2,init_sd=0.5,pe=qk); linear(heads=1,key=2,init_sd=0.1,qk_norm=1,norm=rms,pe=add,positions=learned,longest=160); "
                            "mesa(heads=2,key=3,init_sd=0.5,qk_norm=1); mlp(hidden=4,init_sd=0.5,pe=add); softmax(heads=1,key=4,init_sd=0.5,norm=layer,pe=qk,positions=learned,longest=170); "
                            "mesa(heads=1,key=2,init_sd=0.5,gates=sigmoid,ridges=channel); norm; dense(outputs=2,init_sd=0.5,bias=1)";

START_TEST(long_ones)
{
    static const int64_t streams[] = {1, 4, 5, 21};
    char what[80];
    for (int isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 2);
        if (!ctx) continue;
        for (int i = 0; i < 4; i++)
            for (int wide = 0; wide < 2; wide++) {
                begin(ctx, model_from(ctx, wide ? "dtype=f64 inputs=5 outputs=2" : "inputs=5 outputs=2", mixed), wide ? MESAOPT_F64 : MESAOPT_F32, streams[i], 150 + streams[i] % 4, 1);
                for (int c = 0; c < CUTS; c++) {
                    snprintf(what, sizeof what, "isa %d, %d streams, f%d, cut %d", isa, (int)streams[i], 32 << wide, c);
                    decode(cuts[c], wide ? 1e-10 : 2e-3, what);
                }
                end();
            }
        mesaopt_ctx_free(ctx);
    }
}
END_TEST

/* ---- streams that begin anew ---- */

/* The sequence of stream s from step `from` on, as one of its own. */
static void check_alone(int64_t s, int64_t from, double tolerance)
{
    double own_y[MOST_TOKENS * OUT], apart = 0, most = 0;
    float own_y32[MOST_TOKENS * OUT];
    mesaopt_view tokens = part(p->tokens, from, p->T - from), own = DENSE(p->type == MESAOPT_F64 ? (void *)own_y : (void *)own_y32, p->type, 1, p->T - from, OUT);
    tokens.data = (char *)tokens.data + s * tokens.stride[0] * (p->type == MESAOPT_F64 ? 8 : 4);
    tokens.shape[0] = 1;
    ck_assert_int_ge(mesaopt_model_forward(p->model, &tokens, &own), 0);
    for (int64_t i = 0; i < (p->T - from) * OUT; i++) {
        const double d = fabs(at(&own, i) - at(&p->out, (s * p->T + from) * OUT + i));
        if (!(d <= apart)) apart = d;
        most = fmax(most, fabs(at(&own, i)));
    }
    ck_assert_msg(most > 0 && apart <= tolerance * most, "stream %d from %d: %g of %g", (int)s, (int)from, apart, most);
    ck_assert_int_eq(mesaopt_decoder_steps(p->decoder, s), p->T - from);
}

/* Stream s begins anew at step 7 s % T, which no cut hits but by single steps. */
static void ragged(const char *model, const char *blocks, int32_t type, int64_t B, int64_t T, double size, double tolerance)
{
    begin(p->ctx, model_from(p->ctx, model, blocks), type, B, T, size);
    for (int64_t t = 0, L; t < T; t += L) {
        for (int64_t s = 0; s < B; s++)
            if (7 * s % T == t) ck_assert_int_eq(mesaopt_decoder_reset(p->decoder, s), MESAOPT_OK);
        L = t % 7 ? 1 : t % 21 == 14 ? 7 : 1;
        if (t + L > T) L = T - t;
        for (int64_t s = 0; s < B; s++)
            if (7 * s % T > t && 7 * s % T < t + L) L = 1;
        ck_assert_int_ge(step(p->decoder, t, L, 1), 0);
    }
    for (int64_t s = 0; s < B; s++) check_alone(s, 7 * s % T, tolerance);
    end();
}

START_TEST(streams_begin_anew)
{
    for (int isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        p->ctx = context_at(isa, 2);
        if (!p->ctx) continue;
        ragged("dtype=f64 inputs=5 outputs=2", mixed, MESAOPT_F64, 13, 40, 1, 1e-10);
        ragged("inputs=5 outputs=2", mixed, MESAOPT_F32, 13, 40, 1, 2e-3);
        ragged("inputs=5 outputs=2 lanes=1", mixed, MESAOPT_F32, 5, 40, 1, 2e-3);
        ragged("dtype=f64 inputs=5 outputs=2 lanes=2", "dense(outputs=6,init_sd=0.5); softmax(heads=2,key=3,init_sd=0.5,scale=-2)", MESAOPT_F64, 9, 33, 3, 1e-10);
        /* scores beyond f32 */
        ragged("inputs=5 outputs=2 lanes=2", "softmax(heads=2,key=3,init_sd=0.5,scale=3)", MESAOPT_F32, 9, 33, 1e19, 1e-4);
        ragged("inputs=5 outputs=2 lanes=2", "softmax(heads=2,key=3,init_sd=0.5,scale=1e-3)", MESAOPT_F32, 9, 33, 1e18, 1e-4);
        mesaopt_ctx_free(p->ctx);
    }
}
END_TEST

/* ---- what leaves no trace ---- */

static void spoil(double x, int64_t s, int64_t t)
{
    if (p->type == MESAOPT_F64) ((double *)p->x)[(s * p->T + t) * IN] = x;
    else ((float *)p->x)[(s * p->T + t) * IN] = (float)x;
}

/* The rest of the sequences by two decoders: the same bits. */
static void check_twin(mesaopt_decoder *twin, int64_t from)
{
    static char z[sizeof p->z];
    const size_t bytes = (size_t)(p->B * p->T * OUT * (p->type == MESAOPT_F64 ? 8 : 4));
    memset(p->z, 0, sizeof p->z);
    for (int64_t t = from; t < p->T; t++) ck_assert_int_ge(step(p->decoder, t, 1, 1), 0);
    memcpy(z, p->z, bytes);
    memset(p->z, 0, sizeof p->z);
    for (int64_t t = from; t < p->T; t++) ck_assert_int_ge(step(twin, t, 1, 1), 0);
    ck_assert_int_eq(memcmp(z, p->z, bytes), 0);
    for (int64_t s = 0; s < p->B; s++) ck_assert_int_eq(mesaopt_decoder_steps(twin, s), mesaopt_decoder_steps(p->decoder, s));
}

static mesaopt_ctx *looped;
static void interrupting_loop(void (*body)(void *, int64_t), void *job, int64_t n, void *user)
{
    (void)user;
    for (int64_t i = 0; i < n; i++) {
        body(job, i);
        if (looped) mesaopt_ctx_interrupt(looped);
    }
}

START_TEST(failures_leave_no_trace)
{
    for (int wide = 0; wide < 2; wide++) {
        mesaopt_ctx *ctx = context_with(2, interrupting_loop, NULL);
        begin(ctx, model_from(ctx, wide ? "dtype=f64 inputs=5 outputs=2 lanes=2" : "inputs=5 outputs=2 lanes=2", mixed), wide ? MESAOPT_F64 : MESAOPT_F32, 19, 30, 1);
        mesaopt_decoder *twin = decoder_from(p->model, "streams=19 capacity=30");
        for (int i = 0; i < 2; i++) {                  /* streams stand at different steps */
            ck_assert_int_eq(step(i ? twin : p->decoder, 0, 9, 1), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_decoder_reset(i ? twin : p->decoder, 4), MESAOPT_OK);
            ck_assert_int_eq(step(i ? twin : p->decoder, 9, 3, 0), MESAOPT_OK);
        }
        static char kept[sizeof p->x];
        memcpy(kept, p->x, sizeof kept);
        looped = ctx;
        ck_assert_int_eq(step(p->decoder, 12, 5, 1), MESAOPT_E_INTERRUPTED);
        looped = NULL;
        for (int i = 0; i < 3; i++) {
            spoil(i == 2 ? (double)NAN : i == 1 ? (double)INFINITY : wide ? 1e300 : 1e38, 8 - 2 * i, 14);
            ck_assert_int_eq(step(p->decoder, 12, 5, i != 1), MESAOPT_E_NONFINITE);
            SAID(ctx, i == 2 ? "step: the tokens are not finite at [4,2,0]" : i == 1 ? "step: the tokens are not finite at [6,2,0]" : "is not finite");
            memcpy(p->x, kept, sizeof kept);
        }
        ck_assert_int_eq(step(p->decoder, 12, 1, 1), MESAOPT_OK);      /* behind stream 4 there is room that the others have used */
        ck_assert_int_eq(step(p->decoder, 13, 17, 1), MESAOPT_OK);
        REFUSED(ctx, MESAOPT_E_STATE, "stream 0 has had 30 tokens, and 1 more, expected at most 30", step(p->decoder, 12, 1, 1));
        ck_assert_int_eq(step(twin, 12, 1, 1), MESAOPT_OK);
        ck_assert_int_eq(step(twin, 13, 17, 1), MESAOPT_OK);
        for (int64_t s = 0; s < p->B; s++)
            if (s != 4)
                for (int i = 0; i < 2; i++) ck_assert_int_eq(mesaopt_decoder_reset(i ? twin : p->decoder, s), MESAOPT_OK);
        REFUSED(ctx, MESAOPT_E_STATE, "stream 4 has had 21 tokens, and 10 more", step(p->decoder, 12, 10, 1));
        ck_assert_int_eq(step(p->decoder, 12, 0, 1), MESAOPT_OK);
        check_twin(twin, 21);
        mesaopt_decoder_free(twin);
        end();
        mesaopt_ctx_free(ctx);
    }
}
END_TEST

START_TEST(nothing_allocated)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_with(2, NULL, &hook);
    int64_t bytes = 0;
    begin(ctx, model_from(ctx, "inputs=5 outputs=2", mixed), MESAOPT_F32, 21, 150, 1);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_DECODER, "streams=21 capacity=150");
    const long before = hook.bytes;
    mesaopt_decoder *other;
    ck_assert_int_eq(mesaopt_decoder_bytes(p->model, s, &bytes), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_decoder_create(p->model, s, &other), MESAOPT_OK);
    ck_assert_msg(hook.bytes - before >= bytes && hook.bytes - before < bytes + 4096, "%ld of %lld", hook.bytes - before, (long long)bytes);
    ck_assert_int_eq(step(p->decoder, 0, 1, 1), MESAOPT_OK);       /* starts threads */
    const long calls = hook.calls;
    ck_assert_int_eq(step(p->decoder, 1, 100, 1), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_decoder_reset(p->decoder, 3), MESAOPT_OK);
    for (int64_t t = 101; t < 150; t++) ck_assert_int_eq(step(p->decoder, t, 1, t % 2), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_decoder_copy(other, p->decoder), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_decoder_reset(p->decoder, -1), MESAOPT_OK);
    ck_assert_int_eq(hook.calls, calls);
    mesaopt_decoder_free(other);
    mesaopt_settings_free(s);
    end();
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

/* ---- copies, models that change ---- */

START_TEST(copies)
{
    mesaopt_ctx *ctx = context_from("");
    begin(ctx, model_from(ctx, "inputs=5 outputs=2 lanes=2", mixed), MESAOPT_F32, 11, 40, 1);
    mesaopt_decoder *twin = decoder_from(p->model, "streams=11 capacity=47"), *small = decoder_from(p->model, "streams=11 capacity=19"), *few = decoder_from(p->model, "streams=10");
    ck_assert_int_eq(step(twin, 0, 40, 0), MESAOPT_OK);            /* what was there goes */
    ck_assert_int_eq(step(p->decoder, 0, 11, 1), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_decoder_reset(p->decoder, 10), MESAOPT_OK);
    ck_assert_int_eq(step(p->decoder, 11, 9, 1), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_decoder_copy(twin, p->decoder), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_decoder_copy(twin, twin), MESAOPT_OK);
    REFUSED(ctx, MESAOPT_E_STATE, "from: 20 tokens, expected at most 19", mesaopt_decoder_copy(small, p->decoder));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "from: 11 streams, expected 10", mesaopt_decoder_copy(few, p->decoder));
    check_twin(twin, 20);
    mesaopt_decoder_free(twin), mesaopt_decoder_free(small), mesaopt_decoder_free(few);
    end();
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Parameters are read at every step; what is kept of tokens stays: with other queries and the same keys and values, what forward gives of them. */
START_TEST(models_that_change)
{
    mesaopt_ctx *ctx = context_from("");
    mesaopt_view query;
    begin(ctx, model_from(ctx, "dtype=f64 inputs=5 outputs=2", "softmax(heads=2,key=3,init_sd=0.5); dense(outputs=2)"), MESAOPT_F64, 5, 12, 1);
    REFUSED(ctx, MESAOPT_E_STATE, "model: held by a decoder", mesaopt_model_add_text(p->model, "norm"));
    ck_assert_int_eq(step(p->decoder, 0, 6, 1), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_parameter(p->model, "blocks.0.query", &query), MESAOPT_OK);
    for (int64_t i = 0; i < 5 * 6; i++) ((double *)query.data)[i] *= -2;
    ck_assert_int_eq(mesaopt_model_forward(p->model, &p->tokens, &p->expected), MESAOPT_OK);
    ck_assert_int_eq(step(p->decoder, 6, 6, 1), MESAOPT_OK);
    check_from(6, 1e-10, "other queries");
    mesaopt_model_free(p->model);                      /* the decoder keeps it alive */
    ck_assert_int_eq(mesaopt_decoder_reset(p->decoder, 2), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_decoder_free(p->decoder), MESAOPT_OK);
    p->model = model_from(ctx, "inputs=5 outputs=2", "dense(outputs=2)");
    p->decoder = decoder_from(p->model, "");
    ck_assert_int_eq(mesaopt_decoder_free(p->decoder), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_add_text(p->model, "norm"), MESAOPT_OK);
    mesaopt_model_free(p->model);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Tokens with any strides, sequences last; nothing grows without softmax. */
START_TEST(strides)
{
    mesaopt_ctx *ctx = context_from("");
    static double turned[IN * 30 * 6], out[OUT * 30 * 6];
    begin(ctx, model_from(ctx, "dtype=f64 inputs=5 outputs=2", "mesa(heads=2,key=3,init_sd=0.5); dense(outputs=2)"), MESAOPT_F64, 6, 30, 1);
    mesaopt_view t = DENSE(turned, MESAOPT_F64, 6, 30, IN), o = DENSE(out, MESAOPT_F64, 6, 30, OUT);
    t.stride[0] = 1, t.stride[1] = 6, t.stride[2] = 180, o.stride[0] = 1, o.stride[1] = 6, o.stride[2] = 180;
    for (int64_t i = 0; i < 6 * 30 * IN; i++) turned[i / IN / 30 + i / IN % 30 * 6 + i % IN * 180] = at(&p->tokens, i);
    mesaopt_decoder *d = decoder_from(p->model, "streams=6 capacity=1");
    for (int64_t s = 0; s < 30; s += 6) {
        const mesaopt_view tokens = part(t, s, 6), to = part(o, s, 6);
        ck_assert_int_eq(mesaopt_decoder_step(d, &tokens, &to), MESAOPT_OK);
    }
    for (int64_t i = 0; i < 6 * 30 * OUT; i++) ck_assert_double_eq_tol(out[i / OUT / 30 + i / OUT % 30 * 6 + i % OUT * 180], at(&p->expected, i), 1e-10);
    mesaopt_view overlap = part(t, 0, 6);
    overlap.shape[2] = OUT;
    const mesaopt_view tokens = part(t, 0, 6);
    ck_assert_int_eq(mesaopt_decoder_step(d, &tokens, &overlap), MESAOPT_E_OVERLAP);
    ck_assert_int_eq(mesaopt_decoder_steps(d, 0), 30);
    mesaopt_decoder_free(d);
    end();
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- sums that go on ---- */

enum { FOREVER = 5000 };

/* Random numbers that f32 has, the same in every model; ridges stay. */
static void set_parameters(mesaopt_model *m)
{
    uint64_t state = 9;
    for (int64_t i = 0; i < mesaopt_model_parameters(m); i++) {
        const char *name = mesaopt_model_parameter_name(m, i);
        mesaopt_view v;
        ck_assert_int_eq(mesaopt_model_parameter(m, name, &v), MESAOPT_OK);
        for (int64_t j = 0; j < v.shape[0] * v.shape[1] && !strstr(name, "lambda"); j++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            const float x = (float)((double)(state >> 40) * 0x1p-23 - 1);
            const int64_t place = j / v.shape[1] * v.stride[0] + j % v.shape[1] * v.stride[1];
            if (v.dtype == MESAOPT_F32) ((float *)v.data)[place] = x;
            else ((double *)v.data)[place] = (double)x;
        }
    }
}

/* The token of step t: the same again and again, or one of a few. */
static float token_at(int few, int64_t t, int64_t j)
{
    static const float same[IN] = {0.7f, -1.3f, 0.4f, 1.1f, -0.6f};
    return few ? (float)((t * t + t / 3) % IN == j) : same[j];
}

static void check_forever(mesaopt_ctx *ctx, const char *block, int few, int64_t streams)
{
    static double x[FOREVER * IN], y[FOREVER * IN];
    static float token[MOST_STREAMS * IN], out[MOST_STREAMS * IN];
    mesaopt_model *wide = model_from(ctx, "inputs=5 outputs=5 dtype=f64", block), *m = model_from(ctx, "inputs=5 outputs=5 dtype=f32", block);
    const mesaopt_view all = DENSE(x, MESAOPT_F64, 1, FOREVER, IN), expected = DENSE(y, MESAOPT_F64, 1, FOREVER, IN);
    const mesaopt_view one = DENSE(token, MESAOPT_F32, streams, 1, IN), predicted = DENSE(out, MESAOPT_F32, streams, 1, IN);
    char settings[32];
    snprintf(settings, sizeof settings, "streams=%d", (int)streams);
    mesaopt_decoder *d = decoder_from(m, settings);
    set_parameters(wide), set_parameters(m);
    for (int64_t i = 0; i < FOREVER * IN; i++) x[i] = (double)token_at(few, i / IN, i % IN);
    ck_assert_int_eq(mesaopt_model_forward(wide, &all, &expected), MESAOPT_OK);
    for (int64_t t = 0; t < FOREVER; t++) {
        for (int64_t i = 0; i < streams * IN; i++) token[i] = token_at(few, t, i % IN);
        ck_assert_int_eq(mesaopt_decoder_step(d, &one, &predicted), MESAOPT_OK);
    }
    double most = 0, apart = 0;
    for (int64_t i = 0; i < streams * IN; i++) {
        const double want = y[(FOREVER - 1) * IN + i % IN];
        most = fmax(most, fabs(want)), apart = fmax(apart, fabs((double)out[i] - want));
    }
    ck_assert_msg(apart <= 2e-5 * most, "%s, %s tokens, %d streams: %g of %g", block, few ? "few" : "equal", (int)streams, apart, most);
    mesaopt_decoder_free(d), mesaopt_model_free(m), mesaopt_model_free(wide);
}

/* Tokens that come again and again add up to sums of which a model in f32 needs more digits than it has: the last of thousands of steps is that of a model in f64. */
START_TEST(thousands_of_steps)
{
    static const char *const blocks[] = {"linear(heads=1,key=4,residual_clip=1e30)", "mesa(heads=2,key=4,residual_clip=1e30)", "mesa(heads=1,key=3,gates=sigmoid,residual_clip=1e30)"};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    for (int i = 0; i < 12; i++) check_forever(ctx, blocks[i % 3], i / 3 % 2, i / 6 ? 9 : 1);
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_decoder_suite(void)
{
    int rows = 0;
    Suite *s = suite_create("decoder");
    TCase *t = tcase_create("decoder");
    tcase_set_timeout(t, 60);
    while (block_kind_at(rows)) rows++;
    tcase_add_loop_test(t, kinds, 0, rows);
    tcase_add_test(t, long_ones);
    tcase_add_test(t, streams_begin_anew);
    tcase_add_test(t, failures_leave_no_trace);
    tcase_add_test(t, nothing_allocated);
    tcase_add_test(t, copies);
    tcase_add_test(t, models_that_change);
    tcase_add_test(t, strides);
    tcase_add_test(t, thousands_of_steps);
    suite_add_tcase(s, t);
    return s;
}
