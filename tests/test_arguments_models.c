/* Bad arguments, arguments.h: rng.h, task.h, attn.h, decoder.h and the rest of model.h. */
#include "arguments.h"

/* ---- rng.h ---- */

START_TEST(rng_rows)
{
    uint32_t words[4] = {1, 2, 3, 4}, *out = (uint32_t *)f->out.block;
    mesaopt_view square;
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 3, (int64_t[]){2, 3, 3}, &square);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rng_philox(NULL, words, out));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rng_philox(words, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rng_philox(words, words, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rng_uniform(NULL, 1, 2, 0, 0, 1, &f->to));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_rng_uniform(f->ctx, 1, 2, 0, 0, 1, NULL));
    BAD(MESAOPT_E_DTYPE, "out: ", mesaopt_rng_uniform(f->ctx, 1, 2, 0, 0, 1, VIEW(with_dtype(f->to, MESAOPT_I64))));
    BAD(MESAOPT_E_ARGUMENT, "low", mesaopt_rng_uniform(f->ctx, 1, 2, 0, NAN, 1, &f->to));
    BAD(MESAOPT_E_ARGUMENT, "high", mesaopt_rng_uniform(f->ctx, 1, 2, 0, 1, 0, &f->to));
    BAD(MESAOPT_E_OVERLAP, "out: ", mesaopt_rng_uniform(f->ctx, 1, 2, 0, 0, 1, VIEW(with_stride(f->to, 0, 1))));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rng_normal(NULL, 1, 2, 0, 0, 1, &f->to));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_rng_normal(f->ctx, 1, 2, 0, 0, 1, NULL));
    BAD(MESAOPT_E_ARGUMENT, "mean", mesaopt_rng_normal(f->ctx, 1, 2, 0, INFINITY, 1, &f->to));
    BAD(MESAOPT_E_ARGUMENT, "sd", mesaopt_rng_normal(f->ctx, 1, 2, 0, 0, -1, &f->to));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_rng_orthogonal(NULL, 1, 2, 0, &square));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_rng_orthogonal(f->ctx, 1, 2, 0, NULL));
    BAD(MESAOPT_E_SHAPE, "out: ", mesaopt_rng_orthogonal(f->ctx, 1, 2, 0, &f->to));
    BAD(MESAOPT_E_SHAPE, "out: ", mesaopt_rng_orthogonal(f->ctx, 1, 2, 0, VIEW(with_extent(square, 2, 2))));
}
END_TEST

/* ---- task.h ---- */

static int32_t no_sequences(int32_t stream, int64_t first, const mesaopt_view *out, void *user)
{
    (void)stream, (void)first, (void)out, (void)user;
    return 0;
}

static void task_create_rows(mesaopt_tensor *foreign)
{
    mesaopt_task **out = &f->out.task;
    mesaopt_tensor *short_one, *spoilt;
    mesaopt_view v;
    ck_assert_int_eq(mesaopt_tensor_create(f->ctx, MESAOPT_F64, 3, (int64_t[]){2, 1, 3}, &short_one), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(f->ctx, MESAOPT_F64, 3, (int64_t[]){2, 4, 3}, &spoilt), MESAOPT_OK);
    mesaopt_tensor_view(spoilt, &v);
    ((double *)v.data)[17] = NAN;
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_task_create(NULL, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "ctx: a tensor, expected a live ctx", mesaopt_task_create((mesaopt_ctx *)f->tensor, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_task_create(f->ctx, NULL, NULL));
    BAD(MESAOPT_E_SETTING, "settings: ", mesaopt_task_create(f->ctx, f->trainer_settings, out));
    BAD(MESAOPT_E_MEMORY, "memory", (refuse(1), mesaopt_task_create(f->ctx, NULL, out)));
    BAD(MESAOPT_E_ARGUMENT, "ctx: NULL, expected a live ctx", mesaopt_task_from_tensor(NULL, NULL, spoilt, out));
    BAD(MESAOPT_E_ARGUMENT, "sequences: NULL", mesaopt_task_from_tensor(f->ctx, NULL, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "sequences: of another context", mesaopt_task_from_tensor(f->ctx, NULL, foreign, out));
    BAD(MESAOPT_E_SHAPE, "sequences: ", mesaopt_task_from_tensor(f->ctx, NULL, f->tensor, out));
    BAD(MESAOPT_E_SHAPE, "sequences: shape [2,1,3]", mesaopt_task_from_tensor(f->ctx, NULL, short_one, out));
    BAD(MESAOPT_E_NONFINITE, "sequences: element [1,1,2] is nan", mesaopt_task_from_tensor(f->ctx, NULL, spoilt, out));
    ((double *)v.data)[17] = 0;
    for (int n = 1; n <= 2; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_task_from_tensor(f->ctx, NULL, spoilt, out)));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_task_from_callback(NULL, NULL, no_sequences, release, f, out));
    BAD(MESAOPT_E_ARGUMENT, "fill: NULL", mesaopt_task_from_callback(f->ctx, NULL, NULL, release, f, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_task_from_callback(f->ctx, NULL, no_sequences, release, f, NULL));
    BAD(MESAOPT_E_MEMORY, "memory", (refuse(1), mesaopt_task_from_callback(f->ctx, NULL, no_sequences, release, f, out)));
    ck_assert_int_eq(mesaopt_tensor_free(short_one), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_free(spoilt), MESAOPT_OK);
}

static void pairs_rows(mesaopt_tensor *foreign)
{
    mesaopt_task **out = &f->out.task;
    static const int64_t shapes[][3] = {{2, 4, 3}, {2, 5, 3}, {2, 4, 2}, {0, 4, 3}, {2, 4, 3}};
    mesaopt_tensor *t[5];
    mesaopt_view v;
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_TASK);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(mesaopt_tensor_create(f->ctx, MESAOPT_F64, 3, shapes[i], &t[i]), MESAOPT_OK);
    mesaopt_tensor_view(t[4], &v);
    ((double *)v.data)[7] = NAN;
    BAD(MESAOPT_E_ARGUMENT, "ctx: NULL", mesaopt_task_from_pairs(NULL, NULL, t[0], t[0], out));
    BAD(MESAOPT_E_ARGUMENT, "inputs: NULL", mesaopt_task_from_pairs(f->ctx, NULL, NULL, t[0], out));
    BAD(MESAOPT_E_ARGUMENT, "outputs: NULL", mesaopt_task_from_pairs(f->ctx, NULL, t[0], NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "outputs: of another context", mesaopt_task_from_pairs(f->ctx, NULL, t[0], foreign, out));
    BAD(MESAOPT_E_SHAPE, "outputs: shape [2,5,3], expected [2,4,3]", mesaopt_task_from_pairs(f->ctx, NULL, t[0], t[1], out));
    BAD(MESAOPT_E_SHAPE, "outputs: shape [2,4,2], expected [2,4,3]", mesaopt_task_from_pairs(f->ctx, NULL, t[0], t[2], out));
    BAD(MESAOPT_E_SHAPE, "inputs: shape [0,4,3], expected [N,P,n]", mesaopt_task_from_pairs(f->ctx, NULL, t[3], t[3], out));
    BAD(MESAOPT_E_NONFINITE, "outputs: not finite at [0,2,1]", mesaopt_task_from_pairs(f->ctx, NULL, t[0], t[4], out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_task_from_pairs(f->ctx, NULL, t[0], t[0], NULL));
    for (int n = 1; n <= 3; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_task_from_pairs(f->ctx, NULL, t[0], t[0], out)));
    mesaopt_settings_set_text(s, "teachers", "2");
    BAD(MESAOPT_E_SETTING, "segment: 0 for 2 teachers", mesaopt_task_from_pairs(f->ctx, s, t[0], t[0], out));
    mesaopt_settings_free(s);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(mesaopt_tensor_free(t[i]), MESAOPT_OK);
}

static void pair_lists_rows(mesaopt_tensor *foreign)
{
    mesaopt_task **out = &f->out.task;
    static const int64_t shapes[][2] = {{4, 3}, {5, 3}, {4, 2}, {0, 3}, {4, 3}};
    mesaopt_tensor *t[5], *none = NULL, **o = &t[0];
    mesaopt_view v;
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_TASK);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(mesaopt_tensor_create(f->ctx, MESAOPT_F64, 2, shapes[i], &t[i]), MESAOPT_OK);
    mesaopt_tensor_view(t[4], &v);
    ((double *)v.data)[7] = NAN;
#define LIST(...) ((mesaopt_tensor *[]){__VA_ARGS__})
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_task_from_pair_tensors(NULL, NULL, 1, o, o, out));
    BAD(MESAOPT_E_ARGUMENT, "inputs: NULL", mesaopt_task_from_pair_tensors(f->ctx, NULL, 1, NULL, o, out));
    BAD(MESAOPT_E_ARGUMENT, "outputs: NULL", mesaopt_task_from_pair_tensors(f->ctx, NULL, 1, o, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "count: 0, expected at least 1", mesaopt_task_from_pair_tensors(f->ctx, NULL, 0, o, o, out));
    BAD(MESAOPT_E_ARGUMENT, "inputs[0]: NULL", mesaopt_task_from_pair_tensors(f->ctx, NULL, 1, &none, o, out));
    BAD(MESAOPT_E_ARGUMENT, "outputs[1]: of another context", mesaopt_task_from_pair_tensors(f->ctx, NULL, 2, LIST(t[0], t[0]), LIST(t[0], foreign), out));
    BAD(MESAOPT_E_SHAPE, "outputs[0]: shape [5,3], expected [4,3]", mesaopt_task_from_pair_tensors(f->ctx, NULL, 1, o, LIST(t[1]), out));
    BAD(MESAOPT_E_SHAPE, "inputs[1]: shape [4,2], expected [*,3]", mesaopt_task_from_pair_tensors(f->ctx, NULL, 2, LIST(t[0], t[2]), LIST(t[0], t[2]), out));
    BAD(MESAOPT_E_SHAPE, "inputs[0]: shape [0,3], expected [P,n]", mesaopt_task_from_pair_tensors(f->ctx, NULL, 1, LIST(t[3]), LIST(t[3]), out));
    BAD(MESAOPT_E_NONFINITE, "outputs[0]: not finite at [2,1]", mesaopt_task_from_pair_tensors(f->ctx, NULL, 1, o, LIST(t[4]), out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_task_from_pair_tensors(f->ctx, NULL, 1, o, o, NULL));
    for (int n = 1; n <= 3; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_task_from_pair_tensors(f->ctx, NULL, 1, o, o, out)));
    mesaopt_settings_set_text(s, "teachers", "2");
    BAD(MESAOPT_E_SETTING, "segment: 0 for 2 teachers", mesaopt_task_from_pair_tensors(f->ctx, s, 1, o, o, out));
#undef LIST
    mesaopt_settings_free(s);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(mesaopt_tensor_free(t[i]), MESAOPT_OK);
}

static void features_rows(const mesaopt_view *in, const mesaopt_view *to, const mesaopt_view *wide)
{
    mesaopt_task *task;
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_TASK);
    mesaopt_settings_set_int(s, MESAOPT_KEY_DIM, 2);
    mesaopt_settings_set_text(s, "task", "nonlinear");
    ck_assert_int_eq(mesaopt_task_create(f->ctx, s, &task), MESAOPT_OK);
    mesaopt_settings_free(s);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_task_features(NULL, in, to));
    BAD(MESAOPT_E_ARGUMENT, "sequences: NULL", mesaopt_task_features(task, NULL, to));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_task_features(task, in, NULL));
    BAD(MESAOPT_E_SHAPE, "sequences: shape [2,3,8], expected [*,*,2]", mesaopt_task_features(task, wide, to));
    BAD(MESAOPT_E_SHAPE, "out: shape [2,3,8], expected [2,4,2]", mesaopt_task_features(task, in, wide));
    BAD(MESAOPT_E_DTYPE, "out: ", mesaopt_task_features(task, in, VIEW(with_dtype(*to, MESAOPT_F32))));
    BAD(MESAOPT_E_OVERLAP, "out", mesaopt_task_features(task, VIEW(with_data(*in, f->out.block)), to));
    ck_assert_int_eq(mesaopt_task_free(task), MESAOPT_OK);
}

static void task_list_rows(mesaopt_tensor *foreign)
{
    mesaopt_task **out = &f->out.task;
    mesaopt_tensor *cube, *one, *narrow, *spoilt, *empty;
    mesaopt_view v;
    ck_assert_int_eq(mesaopt_tensor_create(f->ctx, MESAOPT_F64, 3, (int64_t[]){2, 2, 3}, &cube), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(f->ctx, MESAOPT_F64, 2, (int64_t[]){3, 3}, &one), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(f->ctx, MESAOPT_F32, 2, (int64_t[]){4, 2}, &narrow), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(f->ctx, MESAOPT_F64, 2, (int64_t[]){2, 3}, &spoilt), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(f->ctx, MESAOPT_F64, 2, (int64_t[]){1, 3}, &empty), MESAOPT_OK);
    mesaopt_tensor_view(spoilt, &v);
    ((double *)v.data)[4] = INFINITY;
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_task_from_tensors(NULL, NULL, 1, &one, out));
    BAD(MESAOPT_E_ARGUMENT, "sequences: NULL", mesaopt_task_from_tensors(f->ctx, NULL, 1, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "count: 0", mesaopt_task_from_tensors(f->ctx, NULL, 0, &one, out));
    BAD(MESAOPT_E_ARGUMENT, "sequences[0]: NULL", mesaopt_task_from_tensors(f->ctx, NULL, 1, (mesaopt_tensor *[]){NULL}, out));
    BAD(MESAOPT_E_ARGUMENT, "sequences[0]: of another context", mesaopt_task_from_tensors(f->ctx, NULL, 1, &foreign, out));
    BAD(MESAOPT_E_SHAPE, "sequences[0]: shape [2,2,3]", mesaopt_task_from_tensors(f->ctx, NULL, 1, &cube, out));
    BAD(MESAOPT_E_SHAPE, "sequences[1]: shape [4,2], expected [*,3]", mesaopt_task_from_tensors(f->ctx, NULL, 2, (mesaopt_tensor *[]){one, narrow}, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_task_from_tensors(f->ctx, NULL, 1, &one, NULL));
    for (int n = 1; n < 3; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_task_from_tensors(f->ctx, NULL, 1, &one, out)));
    BAD(MESAOPT_E_NONFINITE, "sequences[1]: element [1,1] is inf", mesaopt_task_from_tensors(f->ctx, NULL, 2, (mesaopt_tensor *[]){one, spoilt}, out));
    BAD(MESAOPT_E_SHAPE, "sequences[0]: shape [1,3], expected [T+1,n]", mesaopt_task_from_tensors(f->ctx, NULL, 1, &empty, out));
    mesaopt_tensor *const all[] = {cube, one, narrow, spoilt, empty};
    for (int i = 0; i < 5; i++) ck_assert_int_eq(mesaopt_tensor_free(all[i]), MESAOPT_OK);
}

START_TEST(task_rows)
{
    mesaopt_ctx *elsewhere;
    mesaopt_tensor *foreign;
    mesaopt_task *task;
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_TASK);
    mesaopt_view in, to, tokens;
    ck_assert_int_eq(mesaopt_ctx_create(NULL, &elsewhere), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(elsewhere, MESAOPT_F64, 3, (int64_t[]){2, 4, 3}, &foreign), MESAOPT_OK);
    task_create_rows(foreign);
    pairs_rows(foreign), pair_lists_rows(foreign);
    task_list_rows(foreign);
    mesaopt_settings_set_int(s, MESAOPT_KEY_DIM, 2);
    mesaopt_settings_set_int(s, MESAOPT_KEY_LENGTH, 3);
    ck_assert_int_eq(mesaopt_task_create(f->ctx, s, &task), MESAOPT_OK);
    mesaopt_settings_free(s);
    mesaopt_view_dense(f->in, MESAOPT_F64, 3, (int64_t[]){2, 4, 2}, &in);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 3, (int64_t[]){2, 4, 2}, &to);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 3, (int64_t[]){2, 3, 8}, &tokens);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_task_shape(NULL, &f->out.whole, NULL, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_task_draw(NULL, 0, 0, &to));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_task_draw(task, 0, 0, NULL));
    BAD(MESAOPT_E_ARGUMENT, "stream: 3", mesaopt_task_draw(task, 3, 0, &to));
    BAD(MESAOPT_E_ARGUMENT, "first: -1", mesaopt_task_draw(task, 0, -1, &to));
    BAD(MESAOPT_E_ARGUMENT, "first", mesaopt_task_draw(task, 0, INT64_MAX, &to));
    BAD(MESAOPT_E_SHAPE, "out: shape [2,3,8], expected [*,4,2]", mesaopt_task_draw(task, 0, 0, &tokens));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_task_set_weights(NULL, &to));
    BAD(MESAOPT_E_ARGUMENT, "weights: NULL", mesaopt_task_set_weights(task, NULL));
    BAD(MESAOPT_E_SHAPE, "weights: shape [2,4,2], expected [3]", mesaopt_task_set_weights(task, &to));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_task_tokens(NULL, &in, &tokens));
    BAD(MESAOPT_E_ARGUMENT, "sequences: NULL", mesaopt_task_tokens(task, NULL, &tokens));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_task_tokens(task, &in, NULL));
    BAD(MESAOPT_E_SHAPE, "out: shape [2,4,2], expected [2,3,8]", mesaopt_task_tokens(task, &in, &to));
    BAD(MESAOPT_E_DTYPE, "out: ", mesaopt_task_tokens(task, &in, VIEW(with_dtype(tokens, MESAOPT_F32))));
    BAD(MESAOPT_E_OVERLAP, "out", mesaopt_task_tokens(task, VIEW(with_data(in, f->out.block)), &tokens));
    BAD(MESAOPT_E_STATE, "task: task linear, expected one that has features: nonlinear", mesaopt_task_features(task, &in, &to));
    features_rows(&in, &to, &tokens);
    BAD(MESAOPT_OK, NULL, mesaopt_task_free(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_task_free((mesaopt_task *)f->tensor));
    ck_assert_int_eq(mesaopt_task_free(task), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_free(foreign), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(elsewhere), MESAOPT_OK);
}
END_TEST

/* ---- attn.h ---- */

START_TEST(attn_rows)
{
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_SOFTMAX);
    mesaopt_attn *a;
    mesaopt_view q, k, v, g, o, dq, dk, dv;
    const mesaopt_view *bad;
    ck_assert_int_eq(mesaopt_attn_create(f->ctx, s, &a), MESAOPT_OK);
    mesaopt_view_dense(f->in, MESAOPT_F64, 4, (int64_t[]){1, 2, 2, 3}, &q);
    mesaopt_view_dense(f->in + 12, MESAOPT_F64, 4, (int64_t[]){1, 2, 2, 3}, &k);
    mesaopt_view_dense(f->in + 24, MESAOPT_F64, 4, (int64_t[]){1, 2, 2, 2}, &v);
    mesaopt_view_dense(f->in + 32, MESAOPT_F64, 4, (int64_t[]){1, 2, 2, 2}, &g);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 4, (int64_t[]){1, 2, 2, 2}, &o);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 4, (int64_t[]){1, 2, 2, 3}, &dq);
    dk = with_data(dq, f->out.block + 12), dv = with_data(o, f->out.block + 24);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_attn_create(NULL, s, &f->out.attn));
    BAD(MESAOPT_E_ARGUMENT, "settings: NULL", mesaopt_attn_create(f->ctx, NULL, &f->out.attn));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_attn_create(f->ctx, s, NULL));
    BAD(MESAOPT_E_SETTING, "settings: for trainer, expected linear or softmax", mesaopt_attn_create(f->ctx, f->trainer_settings, &f->out.attn));
    BAD(MESAOPT_E_MEMORY, "memory", (refuse(1), mesaopt_attn_create(f->ctx, s, &f->out.attn)));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_attn_workspace(NULL, MESAOPT_F32, 1, 1, 1, 1, 1, &f->out.whole));
    BAD(MESAOPT_E_DTYPE, "dtype: ", mesaopt_attn_workspace(a, MESAOPT_F16, 1, 1, 1, 1, 1, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "batch: -1", mesaopt_attn_workspace(a, MESAOPT_F32, -1, 1, 1, 1, 1, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "length: -1", mesaopt_attn_workspace(a, MESAOPT_F32, 1, -1, 1, 1, 1, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "heads: -1", mesaopt_attn_workspace(a, MESAOPT_F32, 1, 1, -1, 1, 1, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "key: -1", mesaopt_attn_workspace(a, MESAOPT_F32, 1, 1, 1, -1, 1, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "value: 4294967296", mesaopt_attn_workspace(a, MESAOPT_F32, 1, 1, 1, 1, INT64_C(1) << 32, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_attn_workspace(a, MESAOPT_F32, 1, 1, 1, 1, 1, NULL));
    BAD(MESAOPT_E_MEMORY, "overflows", mesaopt_attn_workspace(a, MESAOPT_F32, MOST, MOST, MOST, MOST, MOST, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_attn_forward(NULL, &q, &k, &v, &o));
    BAD(MESAOPT_E_ARGUMENT, "q: NULL", mesaopt_attn_forward(a, NULL, &k, &v, &o));
    BAD(MESAOPT_E_ARGUMENT, "k: NULL", mesaopt_attn_forward(a, &q, NULL, &v, &o));
    BAD(MESAOPT_E_ARGUMENT, "v: NULL", mesaopt_attn_forward(a, &q, &k, NULL, &o));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_attn_forward(a, &q, &k, &v, NULL));
    BAD(MESAOPT_E_SHAPE, "q: ", mesaopt_attn_forward(a, VIEW(with_rank(q, 3)), &k, &v, &o));
    BAD(MESAOPT_E_SHAPE, "k: shape [1,2,2,2], expected [1,2,2,3]", mesaopt_attn_forward(a, &q, &v, &v, &o));
    BAD(MESAOPT_E_SHAPE, "v: ", mesaopt_attn_forward(a, &q, &k, VIEW(with_extent(v, 1, 1)), &o));
    BAD(MESAOPT_E_SHAPE, "out: ", mesaopt_attn_forward(a, &q, &k, &v, &dq));
    BAD(MESAOPT_E_DTYPE, "k: ", mesaopt_attn_forward(a, &q, VIEW(with_dtype(k, MESAOPT_F32)), &v, &o));
    BAD(MESAOPT_E_ARGUMENT, "out: ", mesaopt_attn_forward(a, &q, &k, &v, VIEW(with_flags(o, MESAOPT_VIEW_READONLY))));
    BAD(MESAOPT_E_OVERLAP, "v", mesaopt_attn_forward(a, &q, &k, &v, &v));
    BAD(MESAOPT_E_MEMORY, "memory", (refuse(1), mesaopt_attn_forward(a, &q, &k, &v, &o)));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_attn_backward(NULL, &q, &k, &v, &g, &dq, &dk, &dv));
    const char *const names[] = {"q: NULL", "k: NULL", "v: NULL", "dout: NULL", "dq: NULL", "dk: NULL", "dv: NULL"};
    for (int i = 0; i < 7; i++) {
        const mesaopt_view *x[] = {&q, &k, &v, &g, &dq, &dk, &dv};
        x[i] = NULL;
        BAD(MESAOPT_E_ARGUMENT, names[i], mesaopt_attn_backward(a, x[0], x[1], x[2], x[3], x[4], x[5], x[6]));
    }
    BAD(MESAOPT_E_SHAPE, "dout: ", mesaopt_attn_backward(a, &q, &k, &v, &q, &dq, &dk, &dv));
    BAD(MESAOPT_E_SHAPE, "dv: ", mesaopt_attn_backward(a, &q, &k, &v, &g, &dq, &dk, VIEW(with_extent(dv, 3, 1))));
    bad = VIEW(with_data(dk, f->out.block + 3));
    BAD(MESAOPT_E_OVERLAP, "dq", mesaopt_attn_backward(a, &q, &k, &v, &g, &dq, bad, &dv));
    BAD(MESAOPT_OK, NULL, mesaopt_attn_free(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_attn_free((mesaopt_attn *)f->tensor));
    ck_assert_int_eq(mesaopt_attn_free(a), MESAOPT_OK);
    mesaopt_settings_free(s);
}
END_TEST

/* ---- model.h ---- */

static mesaopt_model *model_of_dense(const char *blocks)
{
    mesaopt_model *m;
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_MODEL);
    mesaopt_settings_set_int(s, MESAOPT_KEY_INPUTS, 3);
    mesaopt_settings_set_int(s, MESAOPT_KEY_OUTPUTS, 2);
    mesaopt_settings_set_text(s, "dtype", "f64");
    ck_assert_int_eq(mesaopt_model_create(f->ctx, s, &m), MESAOPT_OK);
    if (*blocks) ck_assert_int_eq(mesaopt_model_add_text(m, blocks), MESAOPT_OK);
    mesaopt_settings_free(s);
    return m;
}

static void model_build_rows(mesaopt_model *m)
{
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_DENSE);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_create(NULL, NULL, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_model_create(f->ctx, NULL, NULL));
    BAD(MESAOPT_E_SETTING, "settings: ", mesaopt_model_create(f->ctx, f->trainer_settings, &f->out.model));
    BAD(MESAOPT_E_MEMORY, "memory", (refuse(1), mesaopt_model_create(f->ctx, NULL, &f->out.model)));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_add(NULL, s));
    BAD(MESAOPT_E_ARGUMENT, "model: a tensor, expected a live model", mesaopt_model_add((mesaopt_model *)f->tensor, s));
    BAD(MESAOPT_E_ARGUMENT, "settings: NULL", mesaopt_model_add(m, NULL));
    BAD(MESAOPT_E_SETTING, "settings: for trainer, expected a block's", mesaopt_model_add(m, f->trainer_settings));
    for (int n = 1; n < 5; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_model_add(m, s)));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_add_text(NULL, "dense"));
    BAD(MESAOPT_E_ARGUMENT, "blocks: NULL", mesaopt_model_add_text(m, NULL));
    BAD(MESAOPT_E_FORMAT, "blocks: at character 8", mesaopt_model_add_text(m, "dense; nothing"));
    BAD(MESAOPT_E_SETTING, "key", mesaopt_model_add_text(m, "dense(key=3)"));
    BAD(MESAOPT_E_UNSUPPORTED, "solver: sherman_morrison with gates=sigmoid", mesaopt_model_add_text(m, "mesa(gates=sigmoid,solver=sherman_morrison)"));
    BAD(MESAOPT_E_SETTING, "ridge_min: 0, expected", mesaopt_model_add_text(m, "mesa(ridges=channel,ridge_min=0)"));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_text(NULL, f->out.text, 4));
    BAD(MESAOPT_E_ARGUMENT, "buf, cap: NULL", mesaopt_model_text(m, NULL, 4));
    BAD(MESAOPT_E_ARGUMENT, "buf, cap: ", mesaopt_model_text(m, f->out.text, -1));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_blocks(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_width(NULL, 0, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "block: 1, expected -1 to 0", mesaopt_model_width(m, 1, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "width: NULL", mesaopt_model_width(m, 0, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_parameters(NULL));
    BAD(1, NULL, mesaopt_model_parameter_name(NULL, 0) == NULL);
    BAD(1, NULL, mesaopt_model_parameter_name(m, 1) == NULL);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_parameter(NULL, "blocks.0.weight", &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, "name: NULL", mesaopt_model_parameter(m, NULL, &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, "name: \"blocks.1.weight\", expected", mesaopt_model_parameter(m, "blocks.1.weight", &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_model_parameter(m, "blocks.0.weight", NULL));
    BAD(MESAOPT_E_ARGUMENT, "name: ", mesaopt_model_parameter_gradient(m, "", &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_initialise(NULL, 0));
    BAD(MESAOPT_E_ARGUMENT, "seed: -1", mesaopt_model_initialise(m, -1));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_workspace(NULL, 1, 1, 0, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "batch: 0", mesaopt_model_workspace(m, 0, 1, 0, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "length: 0", mesaopt_model_workspace(m, 1, 0, 0, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_model_workspace(m, 1, 1, 0, NULL));
    mesaopt_settings_free(s);
}

static void model_pass_rows(mesaopt_model *m)
{
    mesaopt_view x, y, out, dx;
    const int64_t last = 0;
    double *loss = &f->out.number;
    mesaopt_view_dense(f->in, MESAOPT_F64, 3, (int64_t[]){2, 4, 3}, &x);
    mesaopt_view_dense(f->in + 24, MESAOPT_F64, 3, (int64_t[]){2, 4, 2}, &y);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 3, (int64_t[]){2, 4, 2}, &out);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 3, (int64_t[]){2, 4, 3}, &dx);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_forward(NULL, &x, &out));
    BAD(MESAOPT_E_ARGUMENT, "tokens: NULL", mesaopt_model_forward(m, NULL, &out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_model_forward(m, &x, NULL));
    BAD(MESAOPT_E_SHAPE, "tokens: ", mesaopt_model_forward(m, &y, &out));
    BAD(MESAOPT_E_SHAPE, "out: shape [2,4,3], expected [2,4,2]", mesaopt_model_forward(m, &x, &dx));
    BAD(MESAOPT_E_DTYPE, "tokens: ", mesaopt_model_forward(m, VIEW(with_dtype(x, MESAOPT_F32)), &out));
    BAD(MESAOPT_E_OVERLAP, "tokens", mesaopt_model_forward(m, &x, VIEW(with_data(y, f->in))));
    BAD(MESAOPT_E_MEMORY, "memory", (refuse(1), mesaopt_model_forward(m, &x, &out)));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_activations(NULL, &x, 1, &last, &out));
    BAD(MESAOPT_E_ARGUMENT, "count: 0", mesaopt_model_activations(m, &x, 0, &last, &out));
    BAD(MESAOPT_E_ARGUMENT, "blocks: NULL", mesaopt_model_activations(m, &x, 1, NULL, &out));
    BAD(MESAOPT_E_ARGUMENT, "outs: NULL", mesaopt_model_activations(m, &x, 1, &last, NULL));
    BAD(MESAOPT_E_SHAPE, "outs: ", mesaopt_model_activations(m, &x, 1, &last, &dx));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_loss(NULL, &x, &y, NULL, loss));
    BAD(MESAOPT_E_ARGUMENT, "targets: NULL", mesaopt_model_loss(m, &x, NULL, NULL, loss));
    BAD(MESAOPT_E_ARGUMENT, "loss: NULL", mesaopt_model_loss(m, &x, &y, NULL, NULL));
    BAD(MESAOPT_E_SHAPE, "targets: ", mesaopt_model_loss(m, &x, &x, NULL, loss));
    BAD(MESAOPT_E_SHAPE, "tokens: empty", mesaopt_model_loss(m, VIEW(with_extent(x, 0, 0)), VIEW(with_extent(y, 0, 0)), NULL, loss));
    BAD(MESAOPT_E_SHAPE, "weights: ", mesaopt_model_loss(m, &x, &y, &x, loss));
    BAD(MESAOPT_E_MEMORY, "memory", (refuse(1), mesaopt_model_loss(m, &x, &y, NULL, loss)));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_gradient(NULL, &x, &y, NULL, loss, NULL));
    BAD(MESAOPT_E_ARGUMENT, "tokens: NULL", mesaopt_model_gradient(m, NULL, &y, NULL, loss, NULL));
    BAD(MESAOPT_E_SHAPE, "weights: ", mesaopt_model_gradient(m, &x, &y, &x, loss, NULL));
    BAD(MESAOPT_E_SHAPE, "dtokens: ", mesaopt_model_gradient(m, &x, &y, NULL, loss, &out));
    BAD(MESAOPT_E_OVERLAP, "dtokens", mesaopt_model_gradient(m, &x, &y, NULL, loss, &x));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_backward(NULL, &x, &y, NULL));
    BAD(MESAOPT_E_ARGUMENT, "dout: NULL", mesaopt_model_backward(m, &x, NULL, NULL));
    BAD(MESAOPT_E_SHAPE, "dout: ", mesaopt_model_backward(m, &x, &x, NULL));
    BAD(MESAOPT_E_OVERLAP, "dtokens", mesaopt_model_backward(m, &x, &y, &x));
}

static void model_evaluate_rows(mesaopt_model *m)
{
    mesaopt_ctx *elsewhere;
    mesaopt_task *foreign, *wide, *task;
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_TASK);
    mesaopt_model *none = model_of_dense(""), *narrow = model_of_dense("dense(outputs=1)");
    mesaopt_view by_t, x, out;
    double *loss = &f->out.number;
    ck_assert_int_eq(mesaopt_ctx_create(NULL, &elsewhere), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_create(elsewhere, NULL, &foreign), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_create(f->ctx, NULL, &wide), MESAOPT_OK);
    mesaopt_settings_set_int(s, MESAOPT_KEY_DIM, 2);
    mesaopt_settings_set_text(s, "tokens", "raw");
    ck_assert_int_eq(mesaopt_task_create(f->ctx, s, &task), MESAOPT_OK);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 1, (int64_t[]){50}, &by_t);
    mesaopt_view_dense(f->in, MESAOPT_F64, 3, (int64_t[]){2, 4, 3}, &x);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 3, (int64_t[]){2, 4, 2}, &out);
    BAD(MESAOPT_E_STATE, "model: no blocks", mesaopt_model_forward(none, &x, &out));
    BAD(MESAOPT_E_STATE, "of the prediction (the setting outputs)", mesaopt_model_forward(narrow, &x, &out));
    BAD(MESAOPT_E_ARGUMENT, "model: NULL, expected a live model", mesaopt_model_evaluate(NULL, wide, 1, 0, 1, NULL, loss));
    BAD(MESAOPT_E_ARGUMENT, "task: NULL", mesaopt_model_evaluate(m, NULL, 1, 0, 1, NULL, loss));
    BAD(MESAOPT_E_ARGUMENT, "task: a model, expected a live task", mesaopt_model_evaluate(m, (mesaopt_task *)m, 1, 0, 1, NULL, loss));
    BAD(MESAOPT_E_ARGUMENT, "task: of another context", mesaopt_model_evaluate(m, foreign, 1, 0, 1, NULL, loss));
    BAD(MESAOPT_E_SHAPE, "the model's settings inputs and outputs", mesaopt_model_evaluate(m, wide, 1, 0, 1, NULL, loss));
    BAD(MESAOPT_E_SHAPE, "task: tokens of width 2", mesaopt_model_evaluate(m, task, 1, 0, 1, &by_t, loss));
    ck_assert_int_eq(mesaopt_model_free(none), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_free(narrow), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_free(foreign), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_free(wide), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_free(task), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(elsewhere), MESAOPT_OK);
    mesaopt_settings_free(s);
}

START_TEST(model_rows)
{
    mesaopt_model *m = model_of_dense("dense(outputs=2)");
    model_build_rows(m);
    model_pass_rows(m);
    model_evaluate_rows(m);
    BAD(MESAOPT_OK, NULL, mesaopt_model_free(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_free((mesaopt_model *)f->tensor));
    ck_assert_int_eq(mesaopt_model_free(m), MESAOPT_OK);
}
END_TEST

/* ---- decoder.h; hostile files: test_decoder_file.c ---- */

static void decoder_create_rows(mesaopt_model *m, mesaopt_model *empty)
{
    mesaopt_decoder **out = &f->out.decoder;
    int64_t *bytes = &f->out.whole;
    mesaopt_settings *large = settings_of(f, MESAOPT_SCOPE_DECODER);
    mesaopt_settings_set_int(large, MESAOPT_KEY_STREAMS, 1048576);
    mesaopt_settings_set_int(large, MESAOPT_KEY_CAPACITY, 16777216);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_decoder_create(NULL, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "model: a tensor, expected a live model", mesaopt_decoder_create((mesaopt_model *)f->tensor, NULL, out));
    BAD(MESAOPT_E_SETTING, "settings: settings of scope trainer, expected scope decoder", mesaopt_decoder_create(m, f->trainer_settings, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_decoder_create(m, NULL, NULL));
    BAD(MESAOPT_E_STATE, "model: no blocks", mesaopt_decoder_create(empty, NULL, out));
    BAD(MESAOPT_E_MEMORY, "streams, capacity: 1048576, 16777216, no memory", mesaopt_decoder_create(m, large, out));
    for (int n = 1; n <= 4; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_decoder_create(m, NULL, out)));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_decoder_bytes(NULL, NULL, bytes));
    BAD(MESAOPT_E_SETTING, "settings: settings of scope trainer, expected scope decoder", mesaopt_decoder_bytes(m, f->trainer_settings, bytes));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_decoder_bytes(m, NULL, NULL));
    BAD(MESAOPT_E_STATE, "model: no blocks", mesaopt_decoder_bytes(empty, NULL, bytes));
    mesaopt_settings_free(large);
}

static void decoder_file_rows(mesaopt_decoder *d, mesaopt_model *m, mesaopt_model *empty)
{
    mesaopt_decoder **out = &f->out.decoder;
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_decoder_save(NULL, "x"));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_decoder_save(d, NULL));
    BAD(MESAOPT_E_IO, "/nowhere/x: ", mesaopt_decoder_save(d, "/nowhere/x"));
    for (int n = 1; n <= 4; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_decoder_save(d, "/nowhere/x")));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_shape(NULL, &f->out.whole, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "model: a ctx, expected a live model", mesaopt_model_shape((mesaopt_model *)f->ctx, &f->out.whole, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_decoder_save_to(NULL, no_bytes, NULL));
    BAD(MESAOPT_E_ARGUMENT, "write: NULL", mesaopt_decoder_save_to(d, NULL, NULL));
    BAD(MESAOPT_E_IO, "write: it returned 1, expected 0", mesaopt_decoder_save_to(d, no_bytes, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_decoder_open_from(NULL, NULL, f->in, 64, out));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_decoder_open_from(m, NULL, NULL, 64, out));
    BAD(MESAOPT_E_ARGUMENT, "length: -1", mesaopt_decoder_open_from(m, NULL, f->in, -1, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_decoder_open_from(m, NULL, f->in, 64, NULL));
    BAD(MESAOPT_E_FORMAT, "memory: header of", mesaopt_decoder_open_from(m, NULL, f->in, 64, out));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_decoder_open(NULL, NULL, "x", out));
    BAD(MESAOPT_E_SETTING, "settings: settings of scope trainer, expected scope decoder", mesaopt_decoder_open(m, f->trainer_settings, "x", out));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_decoder_open(m, NULL, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_decoder_open(m, NULL, "x", NULL));
    BAD(MESAOPT_E_STATE, "model: no blocks", mesaopt_decoder_open(empty, NULL, "x", out));
    BAD(MESAOPT_E_IO, "/nowhere/x: ", mesaopt_decoder_open(m, NULL, "/nowhere/x", out));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_decoder_set_note(NULL, "key", "text"));
    BAD(MESAOPT_E_ARGUMENT, "key: NULL", mesaopt_decoder_set_note(d, NULL, "text"));
    BAD(MESAOPT_E_ARGUMENT, "key", mesaopt_decoder_set_note(d, "mesaopt.x", "text"));
}

START_TEST(decoder_rows)
{
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_MODEL), *two = settings_of(f, MESAOPT_SCOPE_DECODER);
    mesaopt_model *m, *empty, *other;
    mesaopt_decoder *d, *of_other, *wrong;
    mesaopt_view tokens, out;
    mesaopt_settings_set_text(s, "dtype", "f64");
    mesaopt_settings_set_int(s, MESAOPT_KEY_INPUTS, 3);
    mesaopt_settings_set_int(s, MESAOPT_KEY_OUTPUTS, 3);
    mesaopt_settings_set_int(two, MESAOPT_KEY_STREAMS, 2);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(mesaopt_model_create(f->ctx, s, i == 0 ? &m : i == 1 ? &empty : &other), MESAOPT_OK);
    for (int i = 0; i < 2; i++) ck_assert_int_eq(mesaopt_model_add_text(i ? m : other, "softmax(heads=1,key=2)"), MESAOPT_OK);
    decoder_create_rows(m, empty);
    ck_assert_int_eq(mesaopt_decoder_create(m, two, &d), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_decoder_create(other, two, &of_other), MESAOPT_OK);
    wrong = (mesaopt_decoder *)m;
    mesaopt_view_dense(f->in, MESAOPT_F64, 3, (int64_t[]){2, 4, 3}, &tokens);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 3, (int64_t[]){2, 4, 3}, &out);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_decoder_step(NULL, &tokens, &out));
    BAD(MESAOPT_E_ARGUMENT, "decoder: a model, expected a live decoder", mesaopt_decoder_step(wrong, &tokens, &out));
    BAD(MESAOPT_E_ARGUMENT, "tokens: NULL", mesaopt_decoder_step(d, NULL, &out));
    BAD(MESAOPT_E_SHAPE, "tokens: shape [2,4,2], expected [2,*,3]", mesaopt_decoder_step(d, VIEW(with_extent(tokens, 2, 2)), &out));
    BAD(MESAOPT_E_SHAPE, "tokens: shape [1,4,3], expected [2,*,3]", mesaopt_decoder_step(d, VIEW(with_extent(tokens, 0, 1)), &out));
    BAD(MESAOPT_E_SHAPE, "out: shape [2,3,3], expected [2,4,3]", mesaopt_decoder_step(d, &tokens, VIEW(with_extent(out, 1, 3))));
    BAD(MESAOPT_E_DTYPE, "tokens: ", mesaopt_decoder_step(d, VIEW(with_dtype(tokens, MESAOPT_F32)), &out));
    BAD(MESAOPT_E_OVERLAP, "out", mesaopt_decoder_step(d, VIEW(with_data(tokens, f->out.block + 1)), &out));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_decoder_reset(NULL, 0));
    BAD(MESAOPT_E_ARGUMENT, "stream: 2, expected -1 to 1", mesaopt_decoder_reset(d, 2));
    BAD(MESAOPT_E_ARGUMENT, "stream: -2, expected -1 to 1", mesaopt_decoder_reset(d, -2));
    BAD(MESAOPT_E_ARGUMENT, "decoder: NULL, expected a live decoder", mesaopt_decoder_copy(NULL, d));
    BAD(MESAOPT_E_ARGUMENT, "from: NULL, expected a live decoder", mesaopt_decoder_copy(d, NULL));
    BAD(MESAOPT_E_ARGUMENT, "from: a model, expected a live decoder", mesaopt_decoder_copy(d, wrong));
    BAD(MESAOPT_E_ARGUMENT, "from: of another model", mesaopt_decoder_copy(d, of_other));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_decoder_steps(NULL, 0));
    BAD(MESAOPT_E_ARGUMENT, "stream: 2, expected 0 to 1", mesaopt_decoder_steps(d, 2));
    decoder_file_rows(d, m, empty);
    BAD(MESAOPT_OK, NULL, mesaopt_decoder_free(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_decoder_free(wrong));
    mesaopt_decoder_free(d), mesaopt_decoder_free(of_other);
    mesaopt_model_free(m), mesaopt_model_free(empty), mesaopt_model_free(other);
    mesaopt_settings_free(s), mesaopt_settings_free(two);
}
END_TEST

Suite *test_arguments_models_suite(void)
{
    const TTest *const tables[] = {rng_rows, task_rows, attn_rows, model_rows, decoder_rows};
    return arguments_suite("arguments of models", sizeof tables / sizeof *tables, tables);
}
