/* Blocks of a model, and attention of unit queries and keys, against float64 values of PyTorch (oracle/blocks.py): both element types,
 * every ISA level of this CPU, one sequence at a time and one per lane, odd sizes. */
#include "base/choices.h"
#include "kern/kern.h"
#undef fail
#include "contexts.h"
#include "oracle/golden_blocks.h"
#include "golden.h"

/* blocks.py reads these rows: inputs N; the stream after block 1 is on record as stream.0. */
static const network networks[] = {
    {"unit_linear", "dense(outputs=7); linear(heads=2,key=3,value=4,qk_norm=1,residual_clip=1.5); dense(outputs=3)", N, 1, {1}},
    {"unit_softmax", "dense(outputs=5); softmax(heads=3,key=3,qk_norm=1,pe=qk); dense(outputs=3)", N, 1, {1}},
    {"unit_mesa", "dense(outputs=7); mesa(heads=2,key=5,value=3,qk_norm=1); dense(outputs=3)", N, 1, {1}},
    {"mlp_gelu", "dense(outputs=7); mlp(hidden=11,residual_clip=1.5); dense(outputs=3)", N, 1, {1}},
    {"mlp_tanh", "dense(outputs=5); mlp(hidden=9,act=gelu_tanh); dense(outputs=3)", N, 1, {1}},
    {"mlp_relu", "dense(outputs=7); mlp(hidden=19,act=relu); dense(outputs=3)", N, 1, {1}},
    {"mlp_silu", "dense(outputs=7); mlp(hidden=3,act=silu); dense(outputs=3)", N, 1, {1}},
    {"biased", "dense(outputs=5,bias=1); linear(heads=1,key=3); dense(outputs=3,bias=1)", N, 1, {1}},
    {"norm_layer", "dense(outputs=5,bias=1); norm(norm_epsilon=0.01); dense(outputs=3)", N, 1, {1}},
    {"norm_rms", "dense(outputs=7); norm(kind=rms,norm_epsilon=0.1); dense(outputs=3)", N, 1, {1}},
    {"linear_layer", "dense(outputs=7); linear(heads=2,key=3,norm=layer,qk_norm=1); dense(outputs=3)", N, 1, {1}},
    {"softmax_layer", "dense(outputs=9); softmax(heads=3,key=3,norm=layer,norm_epsilon=0.01,pe=qk); dense(outputs=3)", N, 1, {1}},
    {"softmax_rms", "dense(outputs=5); softmax(heads=2,key=4,value=3,norm=rms,residual_clip=1.5); dense(outputs=3)", N, 1, {1}},
    {"mesa_layer", "dense(outputs=7); mesa(heads=2,key=3,norm=layer,qk_norm=1); dense(outputs=3)", N, 1, {1}},
    {"mlp_rms", "dense(outputs=11); mlp(hidden=7,norm=rms); dense(outputs=3)", N, 1, {1}},
    {"mlp_layer", "dense(outputs=7); mlp(hidden=5,act=relu,norm=layer); dense(outputs=3)", N, 1, {1}},
    {"linear_add", "dense(outputs=7); linear(heads=2,key=3,pe=add); dense(outputs=3)", N, 1, {1}},
    {"softmax_learned", "dense(outputs=5); softmax(heads=2,key=3,pe=add,positions=learned,longest=29,norm=layer); dense(outputs=3)", N, 1, {1}},
    {"softmax_beside", "dense(outputs=9); softmax(heads=2,key=3,pe=qk,positions=learned,longest=23,qk_norm=1); dense(outputs=3)", N, 1, {1}},
    {"mesa_beside", "dense(outputs=7); mesa(heads=2,key=3,pe=qk,positions=learned,longest=31,norm=rms); dense(outputs=3)", N, 1, {1}},
    {"mlp_add", "dense(outputs=7); mlp(hidden=5,pe=add,positions=learned,longest=40,residual_clip=2); dense(outputs=3)", N, 1, {1}},
    {"mlp_sines", "mlp(hidden=5,pe=add,norm=rms); dense(outputs=3)", N, 1, {1}},
    {"nonlinear", "dense(outputs=6); mlp(hidden=13,act=gelu_tanh); softmax(heads=2,key=3,pe=qk); mlp(hidden=13,act=gelu_tanh); softmax(heads=2,key=3,qk_norm=1); mlp(hidden=13,act=gelu_tanh); dense(outputs=3)", N, 1, {1}},
};
enum { NETWORKS = sizeof networks / sizeof *networks };

static void unit_attention(mesaopt_ctx *ctx, int32_t dtype, int64_t lanes)
{
    const int64_t lengths[] = {2, 7, 70}, chunks[] = {0, 16};
    for (int i = 0; i < 3; i++)
        for (int c = 0; c < 2; c++) {
            attention_case(ctx, "qk_norm=1", MESAOPT_SCOPE_LINEAR, dtype, lanes, lengths[i], chunks[c]);
            attention_case(ctx, "qk_norm=1", MESAOPT_SCOPE_SOFTMAX, dtype, lanes, lengths[i], chunks[c]);
        }
}

START_TEST(unit_attention_layers)
{
    every_combination(unit_attention);
}
END_TEST

static int row;

static void network_combination(mesaopt_ctx *ctx, int32_t dtype, int64_t lanes)
{
    network_case(ctx, &networks[row], dtype, lanes, 7);
    network_case(ctx, &networks[row], dtype, lanes, 23);
}

START_TEST(models)
{
    row = _i;
    every_combination(network_combination);
}
END_TEST

/* Queries and keys of any size are scaled to length 1; those of zeros stay, and have no gradient. */
static void check_sizes(mesaopt_ctx *ctx, int32_t dtype, int64_t lanes)
{
    enum { STEPS = 3, KEY = 5 };
    static array q, k, v, out[2], dout, dq[2], dk, dv;
    const int64_t keys[4] = {1, STEPS, 1, KEY}, values[4] = {1, STEPS, 1, 1};
    const double size[] = {dtype == MESAOPT_F32 ? 0x1p-100 : 0x1p-1000, dtype == MESAOPT_F32 ? 0x1p100 : 0x1p1000};
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LINEAR, "qk_norm=1");
    mesaopt_attn *attn;
    OK(mesaopt_settings_set_int(s, MESAOPT_KEY_LANES, lanes));
    OK(mesaopt_attn_create(ctx, s, &attn));
    mesaopt_settings_free(s);
    fill_hashed(&v, dtype, 4, values, 3, 1), fill_hashed(&dout, dtype, 4, values, 4, 1);
    shape_array(&dk, dtype, 4, keys), shape_array(&dv, dtype, 4, values);
    for (int i = 0; i < 3; i++) {
        const double factor = i ? size[i - 1] : 1;
        fill_hashed(&q, dtype, 4, keys, 1, factor), fill_hashed(&k, dtype, 4, keys, 2, 1);
        for (int j = 0; j < KEY; j++) set(&q, KEY + j, 0), set(&k, j, factor * get(&k, j));
        shape_array(&out[i > 0], dtype, 4, values), shape_array(&dq[i > 0], dtype, 4, keys);
        OK(mesaopt_attn_forward(attn, &q.view, &k.view, &v.view, &out[i > 0].view));
        OK(mesaopt_attn_backward(attn, &q.view, &k.view, &v.view, &dout.view, &dq[i > 0].view, &dk.view, &dv.view));
        ck_assert_double_eq(get(&out[i > 0], 1), 0);
        for (int j = 0; j < KEY; j++) ck_assert_double_eq(get(&dq[i > 0], KEY + j), 0);
        for (int t = 0; i > 0 && t < STEPS; t++) ck_assert_double_eq(get(&out[1], t), get(&out[0], t));
        for (int j = 0; i > 0 && j < STEPS * KEY; j++) ck_assert_double_eq(factor * get(&dq[1], j), get(&dq[0], j));
    }
    OK(mesaopt_attn_free(attn));
}

START_TEST(unit_sizes)
{
    every_combination(check_sizes);
}
END_TEST

/* ---- activations against long double ---- */

static long double expected(int act, long double z, long double *slope)
{
    const long double root = sqrtl(2 / acosl(-1)), u = act == ACT_SILU ? z : 2 * root * (z + 0.044715L * z * z * z);
    const long double s = 1 / (1 + expl(-u)), c = 1 / (1 + expl(u)), du = act == ACT_SILU ? 1 : 2 * root * (1 + 3 * 0.044715L * z * z);
    if (act == ACT_RELU) return *slope = z > 0, z > 0 ? z : 0;
    if (act != ACT_GELU) return *slope = s + z * s * c * du, z * s;
    const long double phi = erfcl(-z / sqrtl(2)) / 2;
    return *slope = phi + z * expl(-z * z / 2) * root / 2, z * phi;
}

/* Errors in units of the last place: of a value over its size (in the tail over that of gelu_tanh's exponent), of a slope over 1. */
static void check_activation(mesaopt_ctx *ctx, int32_t dtype, int64_t lanes)
{
    enum { T = 3, COUNT = 67, ROUNDS = 40 };
    const kern *k = kern_get(ctx, dtype, lanes == 1);
    const double ulp = dtype == MESAOPT_F32 ? 0x1p-23 : 0x1p-52, floor = dtype == MESAOPT_F32 ? 1e-36 : 1e-306;       /* e^-t is 0 where it is no normal number */
    static _Alignas(64) double z[T * COUNT * 16], d[T * COUNT * 16], bias[COUNT];
    for (int act = ACT_GELU; act <= ACT_SILU; act++)
        for (int round = 0; round < ROUNDS; round++) {
            const int64_t reals = T * COUNT * k->lanes;
            const double size = ldexp(1, round % 10 - 3);                 /* up to 64 */
            long double in[T * COUNT * 16];
            for (int j = 0; j < COUNT; j++) kern_set_real(k, bias, j, hashed(71, (uint64_t)(round * COUNT + j)));
            for (int64_t i = 0; i < reals; i++) {
                const double b = kern_real(k, bias, i / k->lanes % COUNT);
                const double x = size * hashed(70, (uint64_t)(round * reals + i));
                kern_set_real(k, z, i, x);                                /* bias on the grid of the type: z + bias is rounded once */
                in[i] = dtype == MESAOPT_F32 ? (long double)(float)((float)kern_real(k, z, i) + (float)b) : (long double)(kern_real(k, z, i) + b);
            }
            k->activate(T, COUNT, act, bias, z, d);
            for (int64_t i = 0; i < reals; i++) {
                long double slope;
                const long double y = expected(act, in[i], &slope);
                const double tail = act == ACT_GELU ? 0 : (double)(fabsl(in[i]) + fabsl(in[i] * in[i] * in[i]) / 8);
                const double bound = (4 + tail) * ulp * (double)fabsl(y) + floor;
                ck_assert_msg(fabs(kern_real(k, z, i) - (double)y) <= bound, "act %d of %.9Lg: %.17g, expected %.17Lg", act, in[i], kern_real(k, z, i), y);
                ck_assert_msg(fabs(kern_real(k, d, i) - (double)slope) <= 6 * ulp, "slope %d of %.9Lg: %.17g, expected %.17Lg", act, in[i], kern_real(k, d, i), slope);
            }
        }
}

START_TEST(activations)
{
    every_combination(check_activation);
}
END_TEST

/* What is not finite becomes NaN, whatever its sign; what is huge stays. */
static void check_ends(mesaopt_ctx *ctx, int32_t dtype, int64_t lanes)
{
    const kern *k = kern_get(ctx, dtype, lanes == 1);
    const double most = dtype == MESAOPT_F32 ? 3e38 : 1e308, in[] = {INFINITY, -INFINITY, NAN, most, -most, 0};
    static _Alignas(64) double z[16], d[16];
    for (int act = ACT_GELU; act <= ACT_SILU; act++)
        for (int i = 0; i < 6; i++) {
            for (int64_t l = 0; l < k->lanes; l++) kern_set_real(k, z, l, in[i]);
            k->activate(1, 1, act, NULL, z, d);
            const double y = kern_real(k, z, 0), slope = kern_real(k, d, 0);
            if (i < 3) ck_assert(isnan(y) && isnan(slope));
            else ck_assert(y == (i == 3 ? kern_real(k, (dtype == MESAOPT_F32 ? (void *)(float[]){(float)most} : (void *)&most), 0) : 0) && (i == 5 || slope == (i == 3)));
        }
}

START_TEST(activations_at_the_ends)
{
    every_combination(check_ends);
}
END_TEST

/* ---- normalisation ---- */

/* One token of `width` features through the kernel, in every lane; 0: rms. */
static void normalise(mesaopt_ctx *ctx, int32_t dtype, int64_t lanes, int centre, int64_t width, const double *in, double *out)
{
    const kern *k = kern_get(ctx, dtype, lanes == 1);
    static _Alignas(64) double x[16 * 40], hat[16 * 40], inverse[16];
    for (int64_t i = 0; i < width * k->lanes; i++) kern_set_real(k, x, i, in[i / k->lanes]);
    k->row_normal(1, width, centre, 1e-5, x, hat, inverse);
    for (int64_t j = 0; j < width; j++) out[j] = kern_real(k, hat, j * k->lanes);
}

/* Tokens far from 0, equal features, zeros, and sizes whose squares do not fit: expected from the definition in long double. */
static void check_offsets(mesaopt_ctx *ctx, int32_t dtype, int64_t lanes)
{
    enum { W = 37 };
    double x[W], y[W];
    const int f32 = dtype == MESAOPT_F32;
    const double step = f32 ? 8 : 1;                   /* at 1e8 the next number of the type, or 1 */
    for (int n = 2; n <= W; n += n < 6 ? 1 : 31) {
        for (int j = 0; j < n; j++) x[j] = 1e8 + (j % 2 ? step : -step);
        normalise(ctx, dtype, lanes, 1, n, x, y);
        const double mean = n % 2 ? -step / n : 0, root = sqrt(step * step - mean * mean + 1e-5);
        for (int j = 0; j < n; j++) ck_assert_double_le(fabs(y[j] - ((j % 2 ? step : -step) - mean) / root), f32 ? 1e-6 : 1e-14);
        static const double size[] = {0, 0.1, 1e8, 3e37};
        for (int i = 0; i < 4; i++) {
            for (int j = 0; j < n; j++) x[j] = size[i];
            normalise(ctx, dtype, lanes, 1, n, x, y);
            for (int j = 0; j < n; j++) ck_assert_double_eq(y[j], 0);
            normalise(ctx, dtype, lanes, 0, n, x, y);
            for (int j = 0; j < n; j++) ck_assert_double_le(fabs(y[j] - x[j] / hypot(x[j], sqrt(1e-5))), f32 ? 1e-6 : 1e-14);
        }
        const double most = f32 ? 1e37 : 1e300, least = 1e-30;
        for (int j = 0; j < n; j++) x[j] = j % 2 ? most : -most;
        normalise(ctx, dtype, lanes, 1, n, x, y);
        const double middle = n % 2 ? -1.0 / n : 0, deviation = sqrt(1 - middle * middle);
        for (int j = 0; j < n; j++) ck_assert_double_le(fabs(y[j] - ((j % 2 ? 1 : -1) - middle) / deviation), f32 ? 1e-6 : 1e-14);
        for (int j = 0; j < n; j++) x[j] = least * (j + 1);
        normalise(ctx, dtype, lanes, 0, n, x, y);
        for (int j = 0; j < n; j++) ck_assert_double_le(fabs(y[j] / (x[j] / sqrt(1e-5)) - 1), 1e-6);
    }
    for (int j = 0; j < 5; j++) x[j] = j == 3 ? INFINITY : j;
    normalise(ctx, dtype, lanes, 1, 5, x, y);
    ck_assert(isnan(y[3]));
}

START_TEST(normalisation)
{
    every_combination(check_offsets);
}
END_TEST

/* ---- lengths ---- */

/* Sequences longer than learned positions reach are refused before anything is written. */
START_TEST(longest)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_model *m = model_from(ctx, "inputs=3 outputs=3 dtype=f64", "mlp(hidden=2); softmax(heads=1,key=2,pe=add,positions=learned,longest=4)");
    static array x, y, dx;
    double loss = 7;
    int64_t bytes = 7;
    mesaopt_trainer *trainer;
    mesaopt_task *task = task_from(ctx, "dim=3 length=5 tokens=raw");
    for (int64_t T = 4; T <= 5; T++) {
        fill_hashed(&x, MESAOPT_F64, 3, (int64_t[]){2, T, 3}, 1, 1);
        fill_hashed(&y, MESAOPT_F64, 3, (int64_t[]){2, T, 3}, 2, 1);
        fill_hashed(&dx, MESAOPT_F64, 3, (int64_t[]){2, T, 3}, 3, 1);
        if (T == 4) {
            OK(mesaopt_model_gradient(m, &x.view, &x.view, NULL, &loss, &dx.view));
            OK(mesaopt_model_workspace(m, 2, T, 1, &bytes));
            continue;
        }
        const double before = loss;
        REFUSED(ctx, MESAOPT_E_SHAPE, "length: 5 tokens, expected at most the 4 of longest of block 1", mesaopt_model_forward(m, &x.view, &y.view));
        REFUSED(ctx, MESAOPT_E_SHAPE, "longest", mesaopt_model_gradient(m, &x.view, &x.view, NULL, &loss, &dx.view));
        REFUSED(ctx, MESAOPT_E_SHAPE, "longest", mesaopt_model_workspace(m, 2, T, 1, &bytes));
        REFUSED(ctx, MESAOPT_E_SHAPE, "longest", mesaopt_trainer_create(ctx, NULL, m, task, &trainer));
        ck_assert_double_eq(loss, before);
        ck_assert_double_eq(get(&y, 3), hashed(2, 3));
        ck_assert_double_eq(get(&dx, 3), hashed(3, 3));
    }
    OK(mesaopt_task_free(task));
    OK(mesaopt_model_free(m));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* What a text asks for and cannot be is refused at its column. */
START_TEST(refused)
{
    static const struct { const char *text, *said; mesaopt_status status; } bad[] = {
        {"mlp(hidden=2); mlp(hidden=2,pe=qk)", "pe: qk, expected none or add", MESAOPT_E_UNSUPPORTED},
        {"linear(positions=learned)", "positions: learned with pe=none, expected pe=add or pe=qk", MESAOPT_E_UNSUPPORTED},
        {"mlp(act=tanh)", "act", MESAOPT_E_SETTING},
        {"norm(kind=none)", "kind", MESAOPT_E_SETTING},
        {"mlp(hidden=0)", "hidden", MESAOPT_E_SETTING},
        {"softmax(norm_epsilon=0)", "norm_epsilon", MESAOPT_E_SETTING}};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_MODEL, "inputs=3 outputs=3");
    mesaopt_model *m;
    OK(mesaopt_model_create(ctx, s, &m));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const mesaopt_status status = mesaopt_model_add_text(m, bad[i].text);
        char said[400];
        mesaopt_ctx_error(ctx, said, sizeof said);
        ck_assert_msg(status < 0 && strstr(said, bad[i].said), "%s: %d, %s", bad[i].text, (int)status, said);
        ck_assert_int_eq(mesaopt_model_blocks(m), 0);
    }
    mesaopt_settings_free(s);
    OK(mesaopt_model_free(m));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

Suite *test_blocks_suite(void)
{
    Suite *suite = suite_create("blocks");
    TCase *layers = tcase_create("attention"), *whole = tcase_create("models"), *acts = tcase_create("kernels");
    tcase_add_test(layers, unit_attention_layers);
    tcase_add_test(layers, unit_sizes);
    tcase_add_loop_test(whole, models, 0, NETWORKS);
    suite_add_tcase(suite, layers);
    tcase_add_test(acts, activations);
    tcase_add_test(acts, activations_at_the_ends);
    suite_add_tcase(suite, whole);
    tcase_add_test(acts, normalisation);
    tcase_add_test(whole, longest);
    tcase_add_test(whole, refused);
    suite_add_tcase(suite, acts);
    return suite;
}
