/* Blocks of a model, and attention of unit queries and keys, against float64 values of PyTorch (oracle/blocks.py): both element types,
 * every ISA level of this CPU, one sequence at a time and one per lane, odd sizes. */
#include "contexts.h"
#include "oracle/golden_blocks.h"
#include "golden.h"

/* blocks.py reads these rows: inputs N; the stream after block 1 is on record as stream.0. */
static const network networks[] = {
    {"unit_linear", "dense(outputs=7); linear(heads=2,key=3,value=4,qk_norm=1,residual_clip=1.5); dense(outputs=3)", N, 1, {1}},
    {"unit_softmax", "dense(outputs=5); softmax(heads=3,key=3,qk_norm=1,pe=qk); dense(outputs=3)", N, 1, {1}},
    {"unit_mesa", "dense(outputs=7); mesa(heads=2,key=5,value=3,qk_norm=1); dense(outputs=3)", N, 1, {1}},
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

Suite *test_blocks_suite(void)
{
    Suite *suite = suite_create("blocks");
    TCase *layers = tcase_create("attention"), *whole = tcase_create("models");
    tcase_add_test(layers, unit_attention_layers);
    tcase_add_test(layers, unit_sizes);
    tcase_add_loop_test(whole, models, 0, NETWORKS);
    suite_add_tcase(suite, layers);
    suite_add_tcase(suite, whole);
    return suite;
}
