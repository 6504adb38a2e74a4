/* Attention layers and whole models against float64 values of an independent implementation (oracle/attention.py), for both
 * element types, every ISA level of this CPU, one sequence at a time and one per lane. */
#include "contexts.h"
#include "oracle/golden_attention.h"
#include "golden.h"

static void attention_combination(mesaopt_ctx *ctx, int32_t dtype, int64_t lanes)
{
    const int64_t lengths[] = {2, 7, 70}, chunks[] = {0, 1, 16};
    for (int i = 0; i < 3; i++)
        for (int c = 0; c < 3; c++) {
            attention_case(ctx, "", MESAOPT_SCOPE_LINEAR, dtype, lanes, lengths[i], chunks[c]);
            attention_case(ctx, "", MESAOPT_SCOPE_SOFTMAX, dtype, lanes, lengths[i], chunks[c]);
        }
}

START_TEST(attention_layers)
{
    every_combination(attention_combination);
}
END_TEST

/* The models of attention.py. */
static const network networks[] = {
    {"lsa", "mask(first=6); 2 x linear(heads=2,key=3,value=4,residual_clip=1.5)", 4 * N, 3, {0, 1, 2}},
    {"tf", "dense(outputs=7); softmax(heads=2,key=3,pe=qk); softmax(heads=3,key=2,value=4); dense(outputs=3)", N, 4, {0, 1, 2, 3}},
};

static void network_combination(mesaopt_ctx *ctx, int32_t dtype, int64_t lanes)
{
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        network_case(ctx, &networks[i], dtype, lanes, 7);
        network_case(ctx, &networks[i], dtype, lanes, 23);
    }
}

START_TEST(whole_models)
{
    every_combination(network_combination);
}
END_TEST

Suite *test_oracle_suite(void)
{
    Suite *suite = suite_create("oracle");
    TCase *layers = tcase_create("attention"), *models = tcase_create("models");
    tcase_add_test(layers, attention_layers);
    tcase_add_test(models, whole_models);
    suite_add_tcase(suite, layers);
    suite_add_tcase(suite, models);
    return suite;
}
