/* Bad arguments, arguments.h: status.h, settings.h, ctx.h, tensor.h, grad.h, baseline.h, trainer.h and the files of model.h. */
#include "arguments.h"

/* ---- status.h ---- */

START_TEST(status_rows)
{
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_constant(NULL, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_constant("MESAOPT_NOTHING", &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_constant("MESAOPT_OK", NULL));
    /* without arguments, or with any allowed: mesaopt_status_name mesaopt_version_number mesaopt_version_text mesaopt_build_info */
}
END_TEST

/* ---- settings.h ---- */

static void loop(void (*body)(void *job, int64_t i), void *job, int64_t n, void *user)
{
    (void)user;
    while (n-- > 0) body(job, n);
}

static void log_line(const char *line, void *user) { (void)line, (void)user; }
static int32_t go_on(void *user) { return (void)user, 0; }

START_TEST(settings_rows)
{
    mesaopt_settings *s = f->trainer_settings, *c = f->ctx_settings;
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_create(0, NULL, NULL, &f->out.settings));
    for (int n = 1; n <= 2; n++) BAD(MESAOPT_E_MEMORY, NULL, (refuse(n), mesaopt_settings_create(MESAOPT_SCOPE_TASK, hook_alloc_fn, &f->hook, &f->out.settings)));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_create(-1, NULL, NULL, &f->out.settings));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_create(MOST, NULL, NULL, &f->out.settings));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_create(MESAOPT_SCOPE_TASK, hook_alloc_fn, &f->hook, NULL));
    BAD(MESAOPT_E_MEMORY, NULL, (refuse(1), mesaopt_settings_create(MESAOPT_SCOPE_TASK, hook_alloc_fn, &f->hook, &f->out.settings)));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_set_alloc_release(NULL, release));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_set_int(NULL, MESAOPT_KEY_BATCH, 1));
    BAD(MESAOPT_E_SETTING, "key 0: unknown key, expected for scope trainer one of batch", mesaopt_settings_set_int(s, 0, 1));
    BAD(MESAOPT_E_SETTING, "key -5: unknown", mesaopt_settings_set_int(s, -5, 1));
    BAD(MESAOPT_E_SETTING, "key 2147483647: unknown", mesaopt_settings_set_int(s, MOST, 1));
    BAD(MESAOPT_E_SETTING, "heads: a key of scope linear, softmax, mesa, expected for scope trainer one of batch", mesaopt_settings_set_int(s, MESAOPT_KEY_HEADS, 1));
    BAD(MESAOPT_E_SETTING, "batch: 0, expected an integer in 1..1048576", mesaopt_settings_set_int(s, MESAOPT_KEY_BATCH, 0));
    BAD(MESAOPT_E_SETTING, "batch: -9223372036854775808, expected", mesaopt_settings_set_int(s, MESAOPT_KEY_BATCH, INT64_MIN));
    BAD(MESAOPT_E_SETTING, "isa: 4, expected one of auto, baseline, avx2, avx512", mesaopt_settings_set_int(c, MESAOPT_KEY_ISA, 4));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_set_float(NULL, MESAOPT_KEY_LR, 1));
    BAD(MESAOPT_E_SETTING, "lr: nan, expected a number in 0..1000", mesaopt_settings_set_float(s, MESAOPT_KEY_LR, NAN));
    BAD(MESAOPT_E_SETTING, "lr: inf, expected", mesaopt_settings_set_float(s, MESAOPT_KEY_LR, INFINITY));
    BAD(MESAOPT_E_SETTING, "beta1: 1, expected", mesaopt_settings_set_float(s, MESAOPT_KEY_BETA1, 1));
    BAD(MESAOPT_E_SETTING, "epsilon: 0, expected", mesaopt_settings_set_float(s, MESAOPT_KEY_EPSILON, 0));
    BAD(MESAOPT_E_SETTING, "batch: set as a floating-point number, expected an integer", mesaopt_settings_set_float(s, MESAOPT_KEY_BATCH, 8));
    BAD(MESAOPT_E_SETTING, "isa: set as a floating-point number, expected one of auto", mesaopt_settings_set_float(c, MESAOPT_KEY_ISA, 1));
    BAD(MESAOPT_E_SETTING, "eta: a key of scope baseline", mesaopt_settings_set_float(s, MESAOPT_KEY_ETA, 1));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_set_text(NULL, "lr", "1"));
    BAD(MESAOPT_E_ARGUMENT, "name: NULL", mesaopt_settings_set_text(s, NULL, "1"));
    BAD(MESAOPT_E_ARGUMENT, "value: NULL, expected text for the key lr", mesaopt_settings_set_text(s, "lr", NULL));
    BAD(MESAOPT_E_SETTING, "learning_rate: unknown key, expected for scope trainer one of batch, lr", mesaopt_settings_set_text(s, "learning_rate", "1"));
    BAD(MESAOPT_E_SETTING, "dim: a key of scope task", mesaopt_settings_set_text(s, "dim", "1"));
    BAD(MESAOPT_E_SETTING, "lr: fast, expected a number", mesaopt_settings_set_text(s, "lr", "fast"));
    BAD(MESAOPT_E_SETTING, "batch: 1e3, expected an integer", mesaopt_settings_set_text(s, "batch", "1e3"));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_get_int(NULL, MESAOPT_KEY_BATCH, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_settings_get_int(s, MESAOPT_KEY_BATCH, NULL));
    BAD(MESAOPT_E_SETTING, "lr: read as an integer", mesaopt_settings_get_int(s, MESAOPT_KEY_LR, &f->out.whole));
    BAD(MESAOPT_E_SETTING, "key 999: unknown", mesaopt_settings_get_int(s, 999, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_get_float(NULL, MESAOPT_KEY_LR, &f->out.number));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_settings_get_float(s, MESAOPT_KEY_LR, NULL));
    BAD(MESAOPT_E_SETTING, "batch: read as a floating-point number", mesaopt_settings_get_float(s, MESAOPT_KEY_BATCH, &f->out.number));
    BAD(MESAOPT_E_SETTING, "threads: a key of scope ctx", mesaopt_settings_get_float(s, MESAOPT_KEY_THREADS, &f->out.number));

    BAD(MESAOPT_E_SETTING, NULL, mesaopt_settings_describe(MESAOPT_SCOPE_CTX, MESAOPT_KEY_LR, &f->out.word, &f->out.number, &f->out.number, &f->out.number));
    BAD(MESAOPT_E_SETTING, NULL, mesaopt_settings_describe(0, MESAOPT_KEY_LR, &f->out.word, &f->out.number, &f->out.number, &f->out.number));
    BAD(MESAOPT_E_SETTING, NULL, mesaopt_settings_describe(MOST, MESAOPT_KEY_LR, NULL, NULL, NULL, NULL));
    BAD(0, NULL, mesaopt_settings_count(0));
    BAD(0, NULL, mesaopt_settings_count(MOST));
    BAD(0, NULL, mesaopt_settings_key_at(MESAOPT_SCOPE_MASK, 1));
    BAD(0, NULL, mesaopt_settings_key_at(MESAOPT_SCOPE_MASK, -1));
    BAD(0, NULL, mesaopt_settings_key_at(-1, 0));
    BAD(0, NULL, mesaopt_settings_key(NULL));
    BAD(0, NULL, mesaopt_settings_key("nothing"));
    BAD(0, NULL, (intptr_t)mesaopt_settings_name(0));
    BAD(0, NULL, (intptr_t)mesaopt_settings_name(MOST));
    BAD(0, NULL, (intptr_t)mesaopt_settings_word(MESAOPT_KEY_ISA, 4));
    BAD(0, NULL, (intptr_t)mesaopt_settings_word(MESAOPT_KEY_ISA, -1));
    BAD(0, NULL, (intptr_t)mesaopt_settings_word(MESAOPT_KEY_BATCH, 0));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_dump(NULL, f->out.text, 16));
    BAD(MESAOPT_E_ARGUMENT, "buf: 16 bytes", mesaopt_settings_dump(s, NULL, 16));
    BAD(MESAOPT_E_ARGUMENT, "buf: -1 bytes", mesaopt_settings_dump(s, f->out.text, -1));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_get_text(NULL, "lr", f->out.text, 16));
    BAD(MESAOPT_E_ARGUMENT, "name: NULL, expected", mesaopt_settings_get_text(s, NULL, f->out.text, 16));
    BAD(MESAOPT_E_SETTING, "heads: ", mesaopt_settings_get_text(s, "heads", f->out.text, 16));
    BAD(MESAOPT_E_ARGUMENT, "buf: 16 bytes", mesaopt_settings_get_text(s, "lr", NULL, 16));
    BAD(MESAOPT_E_ARGUMENT, "buf: -1 bytes", mesaopt_settings_get_text(s, "lr", f->out.text, -1));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_error(NULL, f->out.text, 16));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_error(s, NULL, 16));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_error(s, f->out.text, -1));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_set_parallel(NULL, NULL, NULL, NULL));
    BAD(MESAOPT_E_SETTING, "parallel: a hook on settings of scope trainer, expected scope ctx", mesaopt_settings_set_parallel(s, NULL, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "release: given without the hook parallel, expected NULL", mesaopt_settings_set_parallel(c, NULL, release, f));
    BAD(MESAOPT_E_MEMORY, "parallel: no memory", (refuse(1), mesaopt_settings_set_parallel(c, loop, release, f)));
    BAD(MESAOPT_E_SETTING, "parallel: a hook on settings", mesaopt_settings_set_parallel(s, loop, release, f));
    BAD(MESAOPT_E_ARGUMENT, "release: given without the hook log, expected NULL", mesaopt_settings_set_log(c, NULL, release, f));
    BAD(MESAOPT_E_MEMORY, "log: no memory", (refuse(1), mesaopt_settings_set_log(c, log_line, release, f)));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_set_log(NULL, NULL, NULL, NULL));
    BAD(MESAOPT_E_SETTING, "log: a hook on settings of scope trainer, expected scope ctx", mesaopt_settings_set_log(s, NULL, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_settings_set_poll(NULL, NULL, NULL, NULL));
    BAD(MESAOPT_E_SETTING, "poll: a hook on settings of scope trainer, expected scope ctx", mesaopt_settings_set_poll(s, go_on, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "release: given without the hook poll, expected NULL", mesaopt_settings_set_poll(c, NULL, release, f));
    BAD(MESAOPT_E_MEMORY, "poll: no memory", (refuse(1), mesaopt_settings_set_poll(c, go_on, release, f)));
    BAD(0, NULL, (mesaopt_settings_free(NULL), 0));
}
END_TEST

/* ---- ctx.h ---- */

START_TEST(ctx_rows)
{
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_ctx_create(NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_ctx_create(f->ctx_settings, NULL));
    BAD(MESAOPT_E_SETTING, "settings: scope trainer, expected scope ctx", mesaopt_ctx_create(f->trainer_settings, &f->out.ctx));
    BAD(MESAOPT_E_MEMORY, "memory: ", (refuse(1), mesaopt_ctx_create(f->ctx_settings, &f->out.ctx)));
    BAD(MESAOPT_OK, NULL, mesaopt_ctx_free(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_ctx_free((mesaopt_ctx *)f->tensor));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_ctx_error(NULL, f->out.text, 16));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_ctx_error(f->ctx, NULL, 16));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_ctx_error(f->ctx, f->out.text, -1));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_ctx_error((mesaopt_ctx *)f->tensor, f->out.text, 16));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_ctx_clear_interrupt(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_ctx_isa(NULL, &f->out.word));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_ctx_isa(f->ctx, NULL));
    BAD(0, NULL, (mesaopt_ctx_interrupt(NULL), 0));
}
END_TEST

/* ---- tensor.h ---- */

START_TEST(tensor_rows)
{
    const int64_t shape[] = {2, 3}, huge[] = {1ll << 40, 1ll << 40}, negative[] = {2, -3};
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_view_dense(f->in, MESAOPT_F64, 2, shape, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_view_dense(f->in, 0, 2, shape, &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_view_dense(f->in, MOST, 2, shape, &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_view_dense(f->in, MESAOPT_F64, -1, shape, &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_view_dense(f->in, MESAOPT_F64, 7, shape, &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_view_dense(f->in, MESAOPT_F64, 2, NULL, &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_view_dense(f->in, MESAOPT_F64, 2, negative, &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_view_dense(f->in, MESAOPT_F64, 2, huge, &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_view_dense(NULL, MESAOPT_F64, 2, shape, &f->out.view));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_tensor_create(NULL, MESAOPT_F32, 2, shape, &f->out.tensor));
    BAD(MESAOPT_E_ARGUMENT, "ctx: a tensor, expected a live ctx", mesaopt_tensor_create((mesaopt_ctx *)f->tensor, MESAOPT_F32, 2, shape, &f->out.tensor));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_tensor_create(f->ctx, MESAOPT_F32, 2, shape, NULL));
    BAD(MESAOPT_E_DTYPE, "dtype: 0, expected", mesaopt_tensor_create(f->ctx, 0, 2, shape, &f->out.tensor));
    BAD(MESAOPT_E_DTYPE, "dtype: 77, expected", mesaopt_tensor_create(f->ctx, 77, 2, shape, &f->out.tensor));
    BAD(MESAOPT_E_SHAPE, "ndim: 7, expected 0..6", mesaopt_tensor_create(f->ctx, MESAOPT_F32, 7, shape, &f->out.tensor));
    BAD(MESAOPT_E_SHAPE, "ndim: -1, expected 0..6", mesaopt_tensor_create(f->ctx, MESAOPT_F32, -1, shape, &f->out.tensor));
    BAD(MESAOPT_E_ARGUMENT, "shape: NULL", mesaopt_tensor_create(f->ctx, MESAOPT_F32, 2, NULL, &f->out.tensor));
    BAD(MESAOPT_E_SHAPE, "shape: [2,-3], expected extents >= 0", mesaopt_tensor_create(f->ctx, MESAOPT_F32, 2, negative, &f->out.tensor));
    BAD(MESAOPT_E_SHAPE, "shape: [1099511627776,1099511627776] of f32 overflows", mesaopt_tensor_create(f->ctx, MESAOPT_F32, 2, huge, &f->out.tensor));
    BAD(MESAOPT_E_MEMORY, "memory: ", (refuse(1), mesaopt_tensor_create(f->ctx, MESAOPT_F32, 2, shape, &f->out.tensor)));
    BAD(MESAOPT_E_MEMORY, "memory: ", (refuse(2), mesaopt_tensor_create(f->ctx, MESAOPT_F32, 2, shape, &f->out.tensor)));

    int *user = &f->released;
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_tensor_wrap(NULL, &f->x, release, user, &f->out.tensor));
    BAD(MESAOPT_E_ARGUMENT, "view: NULL", mesaopt_tensor_wrap(f->ctx, NULL, release, user, &f->out.tensor));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_tensor_wrap(f->ctx, &f->x, release, user, NULL));
    BAD(MESAOPT_E_SHAPE, "view: rank 7, expected 0..6", mesaopt_tensor_wrap(f->ctx, VIEW(with_rank(f->x, 7)), release, user, &f->out.tensor));
    BAD(MESAOPT_E_SHAPE, "view: shape [2,-1], expected", mesaopt_tensor_wrap(f->ctx, VIEW(with_extent(f->x, 1, -1)), release, user, &f->out.tensor));
    BAD(MESAOPT_E_DTYPE, "view: dtype 9 (?), expected", mesaopt_tensor_wrap(f->ctx, VIEW(with_dtype(f->x, 9)), release, user, &f->out.tensor));
    BAD(MESAOPT_E_ARGUMENT, "view: data NULL", mesaopt_tensor_wrap(f->ctx, VIEW(with_data(f->x, NULL)), release, user, &f->out.tensor));
    BAD(MESAOPT_E_ARGUMENT, "expected alignment to 8 bytes", mesaopt_tensor_wrap(f->ctx, VIEW(with_data(f->x, (char *)f->in + 4)), release, user, &f->out.tensor));
    BAD(MESAOPT_E_SHAPE, "view: shape [2,3] with strides [4611686018427387904,1] overflows",
        mesaopt_tensor_wrap(f->ctx, VIEW(with_stride(f->x, 0, 1ll << 62)), release, user, &f->out.tensor));
    BAD(MESAOPT_E_ARGUMENT, "view: flags 0x2", mesaopt_tensor_wrap(f->ctx, VIEW(with_flags(f->x, 2)), release, user, &f->out.tensor));
    BAD(MESAOPT_E_ARGUMENT, "reserved 0x1", mesaopt_tensor_wrap(f->ctx, VIEW(with_reserved(f->x)), release, user, &f->out.tensor));
    BAD(MESAOPT_E_MEMORY, "memory: ", (refuse(1), mesaopt_tensor_wrap(f->ctx, &f->x, release, user, &f->out.tensor)));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_tensor_view(NULL, &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, "tensor: a ctx, expected a live tensor", mesaopt_tensor_view((mesaopt_tensor *)f->ctx, &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_tensor_view(f->tensor, NULL));

    int64_t elsewhere[12] = {0};                           /* a managed tensor of DLPack, of no device */
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_dlpack_view(NULL, 0, &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_dlpack_view(elsewhere, 0, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_dlpack_view(elsewhere, 2, &f->out.view));
    BAD(MESAOPT_E_UNSUPPORTED, NULL, mesaopt_dlpack_view(elsewhere, 0, &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_dlpack_import(NULL, elsewhere, 0, &f->out.tensor));
    BAD(MESAOPT_E_ARGUMENT, "managed: NULL", mesaopt_dlpack_import(f->ctx, NULL, 0, &f->out.tensor));
    BAD(MESAOPT_E_ARGUMENT, "versioned: 2, expected 0 or 1", mesaopt_dlpack_import(f->ctx, elsewhere, 2, &f->out.tensor));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_dlpack_import(f->ctx, elsewhere, 0, NULL));
    BAD(MESAOPT_E_UNSUPPORTED, "managed: on another device", mesaopt_dlpack_import(f->ctx, elsewhere, 0, &f->out.tensor));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_dlpack_export(NULL, 0, (void **)&f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "tensor: a ctx, expected a live tensor", mesaopt_dlpack_export((mesaopt_tensor *)f->ctx, 0, (void **)&f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "managed: NULL", mesaopt_dlpack_export(f->tensor, 0, NULL));
    BAD(MESAOPT_E_ARGUMENT, "versioned: -1, expected 0 or 1", mesaopt_dlpack_export(f->tensor, -1, (void **)&f->out.whole));
    BAD(MESAOPT_E_MEMORY, "memory: ", (refuse(1), mesaopt_dlpack_export(f->tensor, 0, (void **)&f->out.whole)));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_tensor_copy(NULL, &f->x, &f->to));
    BAD(MESAOPT_E_ARGUMENT, "src: NULL", mesaopt_tensor_copy(f->ctx, NULL, &f->to));
    BAD(MESAOPT_E_ARGUMENT, "dst: NULL", mesaopt_tensor_copy(f->ctx, &f->x, NULL));
    BAD(MESAOPT_E_SHAPE, "dst: shape [2,2], expected [2,3]", mesaopt_tensor_copy(f->ctx, &f->x, VIEW(with_extent(f->to, 1, 2))));
    BAD(MESAOPT_E_SHAPE, "dst: shape [2], expected [2,3]", mesaopt_tensor_copy(f->ctx, &f->x, VIEW(with_rank(f->to, 1))));
    BAD(MESAOPT_E_DTYPE, "dst: dtype i64, expected one that f64 converts to", mesaopt_tensor_copy(f->ctx, &f->x, VIEW(with_dtype(f->to, MESAOPT_I64))));
    BAD(MESAOPT_E_DTYPE, "dst: dtype f32, expected one that i32 converts to", mesaopt_tensor_copy(f->ctx, VIEW(with_dtype(f->x, MESAOPT_I32)), VIEW(with_dtype(f->to, MESAOPT_F32))));
    BAD(MESAOPT_E_DTYPE, "dst: dtype bf16", mesaopt_tensor_copy(f->ctx, VIEW(with_dtype(f->x, MESAOPT_BF16)), VIEW(with_dtype(f->to, MESAOPT_BF16))));
    BAD(MESAOPT_E_ARGUMENT, "dst: a READONLY view", mesaopt_tensor_copy(f->ctx, &f->x, VIEW(with_flags(f->to, MESAOPT_VIEW_READONLY))));
    BAD(MESAOPT_E_SHAPE, "dst: strides [3,-1], expected positive ones", mesaopt_tensor_copy(f->ctx, &f->x, VIEW(with_stride(with_data(f->to, f->out.block + 9), 1, -1))));
    BAD(MESAOPT_E_OVERLAP, "dst: strides [2,1] of shape [2,3]", mesaopt_tensor_copy(f->ctx, &f->x, VIEW(with_stride(f->to, 0, 2))));
    BAD(MESAOPT_E_OVERLAP, "dst: strides [0,1] of shape [2,3]", mesaopt_tensor_copy(f->ctx, &f->x, VIEW(with_stride(f->to, 0, 0))));
    BAD(MESAOPT_E_OVERLAP, "dst: may share elements with src", mesaopt_tensor_copy(f->ctx, &f->x, VIEW(with_data(f->x, f->in + 5))));
    BAD(MESAOPT_E_OVERLAP, "dst: may share elements with src", mesaopt_tensor_copy(f->ctx, &f->x, &f->x));

    BAD(MESAOPT_OK, NULL, mesaopt_tensor_free(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_tensor_free((mesaopt_tensor *)f->ctx));
}
END_TEST

/* ---- grad.h ---- */

static int32_t any_loss(double *loss, void *user)
{
    (void)user;
    *loss = 1;
    return 0;
}

START_TEST(grad_rows)
{
    const mesaopt_view *x = &f->to, *g = &f->x;        /* elements that are moved count as an output; nothing here gets as far */
    double *e = &f->out.number;
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_grad_check(NULL, any_loss, NULL, x, g, 1e-3, e));
    BAD(MESAOPT_E_ARGUMENT, "loss: NULL", mesaopt_grad_check(f->ctx, NULL, NULL, x, g, 1e-3, e));
    BAD(MESAOPT_E_ARGUMENT, "x: NULL", mesaopt_grad_check(f->ctx, any_loss, NULL, NULL, g, 1e-3, e));
    BAD(MESAOPT_E_ARGUMENT, "gradient: NULL", mesaopt_grad_check(f->ctx, any_loss, NULL, x, NULL, 1e-3, e));
    BAD(MESAOPT_E_ARGUMENT, "error: NULL", mesaopt_grad_check(f->ctx, any_loss, NULL, x, g, 1e-3, NULL));
    BAD(MESAOPT_E_ARGUMENT, "h: 0, expected a finite number > 0", mesaopt_grad_check(f->ctx, any_loss, NULL, x, g, 0, e));
    BAD(MESAOPT_E_ARGUMENT, "h: -1, expected", mesaopt_grad_check(f->ctx, any_loss, NULL, x, g, -1, e));
    BAD(MESAOPT_E_ARGUMENT, "h: nan, expected", mesaopt_grad_check(f->ctx, any_loss, NULL, x, g, NAN, e));
    BAD(MESAOPT_E_ARGUMENT, "h: inf, expected", mesaopt_grad_check(f->ctx, any_loss, NULL, x, g, INFINITY, e));
    BAD(MESAOPT_E_DTYPE, "x: dtype 3 (i32), expected f32 or f64", mesaopt_grad_check(f->ctx, any_loss, NULL, VIEW(with_dtype(*x, MESAOPT_I32)), g, 1e-3, e));
    BAD(MESAOPT_E_ARGUMENT, "x: a READONLY view", mesaopt_grad_check(f->ctx, any_loss, NULL, VIEW(with_flags(*x, MESAOPT_VIEW_READONLY)), g, 1e-3, e));
    BAD(MESAOPT_E_OVERLAP, "x: strides [0,1]", mesaopt_grad_check(f->ctx, any_loss, NULL, VIEW(with_stride(*x, 0, 0)), g, 1e-3, e));
    BAD(MESAOPT_E_SHAPE, "gradient: shape [3,3], expected [2,3]", mesaopt_grad_check(f->ctx, any_loss, NULL, x, VIEW(with_extent(*g, 0, 3)), 1e-3, e));
    BAD(MESAOPT_E_OVERLAP, "x: may share elements with gradient", mesaopt_grad_check(f->ctx, any_loss, NULL, x, x, 1e-3, e));
    BAD(MESAOPT_E_NONFINITE, "x: not finite at [0,0]", mesaopt_grad_check(f->ctx, any_loss, NULL, VIEW(with_data(*x, (double[6]){NAN})), g, 1e-3, e));
    BAD(MESAOPT_E_NONFINITE, "gradient: not finite at [1,2]", mesaopt_grad_check(f->ctx, any_loss, NULL, x, VIEW(with_data(*g, (double[6]){0, 0, 0, 0, 0, INFINITY})), 1e-3, e));
}
END_TEST

/* ---- baseline.h ---- */

static void predict_rows(mesaopt_baseline *b)
{
    mesaopt_view x, flat, none, to, brief;
    mesaopt_view_dense(f->in, MESAOPT_F64, 3, (int64_t[]){2, 4, 3}, &x);
    mesaopt_view_dense(f->in, MESAOPT_F64, 2, (int64_t[]){8, 3}, &flat);
    mesaopt_view_dense(f->in, MESAOPT_F64, 3, (int64_t[]){2, 0, 3}, &none);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 3, (int64_t[]){2, 3, 3}, &to);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 3, (int64_t[]){2, 2, 3}, &brief);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_baseline_predict(NULL, &x, &to));
    BAD(MESAOPT_E_ARGUMENT, "baseline: a tensor, expected a live baseline", mesaopt_baseline_predict((mesaopt_baseline *)f->tensor, &x, &to));
    BAD(MESAOPT_E_ARGUMENT, "sequences: NULL", mesaopt_baseline_predict(b, NULL, &to));
    BAD(MESAOPT_E_SHAPE, "sequences: shape [8,3], expected [*,*,*]", mesaopt_baseline_predict(b, &flat, &to));
    BAD(MESAOPT_E_SHAPE, "sequences: shape [2,0,3], expected [B,T+1,n] with T >= 0", mesaopt_baseline_predict(b, &none, &to));
    BAD(MESAOPT_E_SHAPE, "sequences: shape [-1,4,3], expected", mesaopt_baseline_predict(b, VIEW(with_extent(x, 0, -1)), &to));
    BAD(MESAOPT_E_SHAPE, "overflows", mesaopt_baseline_predict(b, VIEW(with_extent(x, 0, INT64_MAX)), &to));
    BAD(MESAOPT_E_DTYPE, "sequences: dtype 3 (i32), expected f32 or f64", mesaopt_baseline_predict(b, VIEW(with_dtype(x, MESAOPT_I32)), &to));
    BAD(MESAOPT_E_ARGUMENT, "sequences: data NULL", mesaopt_baseline_predict(b, VIEW(with_data(x, NULL)), &to));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_baseline_predict(b, &x, NULL));
    BAD(MESAOPT_E_SHAPE, "out: shape [2,2,3], expected [2,3,3]", mesaopt_baseline_predict(b, &x, &brief));
    BAD(MESAOPT_E_DTYPE, "out: dtype 5 (f16), expected f32 or f64", mesaopt_baseline_predict(b, &x, VIEW(with_dtype(to, MESAOPT_F16))));
    BAD(MESAOPT_E_ARGUMENT, "out: a READONLY view", mesaopt_baseline_predict(b, &x, VIEW(with_flags(to, MESAOPT_VIEW_READONLY))));
    BAD(MESAOPT_E_OVERLAP, "out: strides [0,3,1]", mesaopt_baseline_predict(b, &x, VIEW(with_stride(to, 0, 0))));
    BAD(MESAOPT_E_OVERLAP, "out: may share elements with sequences", mesaopt_baseline_predict(b, &x, VIEW(with_data(to, f->in + 3))));
    BAD(MESAOPT_E_MEMORY, "predict: no memory", (refuse(1), mesaopt_baseline_predict(b, &x, &to)));
}

static void evaluate_rows(mesaopt_baseline *b, mesaopt_task *task, mesaopt_task *foreign)
{
    mesaopt_view by_t, brief;
    double *loss = &f->out.number;
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 1, (int64_t[]){50}, &by_t);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 1, (int64_t[]){49}, &brief);
    BAD(MESAOPT_E_ARGUMENT, "baseline: NULL, expected a live baseline", mesaopt_baseline_evaluate(NULL, task, 1, 0, 1, &by_t, loss));
    BAD(MESAOPT_E_ARGUMENT, "baseline: a task, expected a live baseline", mesaopt_baseline_evaluate((mesaopt_baseline *)task, task, 1, 0, 1, &by_t, loss));
    BAD(MESAOPT_E_ARGUMENT, "task: NULL", mesaopt_baseline_evaluate(b, NULL, 1, 0, 1, &by_t, loss));
    BAD(MESAOPT_E_ARGUMENT, "task: a baseline, expected a live task", mesaopt_baseline_evaluate(b, (mesaopt_task *)b, 1, 0, 1, &by_t, loss));
    BAD(MESAOPT_E_ARGUMENT, "task: of another context, expected", mesaopt_baseline_evaluate(b, foreign, 1, 0, 1, &by_t, loss));
    BAD(MESAOPT_E_ARGUMENT, "stream: 3, expected", mesaopt_baseline_evaluate(b, task, 3, 0, 1, &by_t, loss));
    BAD(MESAOPT_E_ARGUMENT, "stream: -1, expected", mesaopt_baseline_evaluate(b, task, -1, 0, 1, &by_t, loss));
    BAD(MESAOPT_E_ARGUMENT, "first: -1, expected", mesaopt_baseline_evaluate(b, task, 1, -1, 1, &by_t, loss));
    BAD(MESAOPT_E_ARGUMENT, "first: 9223372036854775807, expected", mesaopt_baseline_evaluate(b, task, 1, INT64_MAX, 1, &by_t, loss));
    BAD(MESAOPT_E_ARGUMENT, "count: 0, expected", mesaopt_baseline_evaluate(b, task, 1, 0, 0, &by_t, loss));
    BAD(MESAOPT_E_ARGUMENT, "count: -5, expected", mesaopt_baseline_evaluate(b, task, 1, 0, -5, &by_t, loss));
    BAD(MESAOPT_E_SHAPE, "by_t: shape [49], expected [50]", mesaopt_baseline_evaluate(b, task, 1, 0, 1, &brief, loss));
    BAD(MESAOPT_E_DTYPE, "by_t: dtype 1 (f32), expected f64", mesaopt_baseline_evaluate(b, task, 1, 0, 1, VIEW(with_dtype(by_t, MESAOPT_F32)), loss));
    BAD(MESAOPT_E_ARGUMENT, "by_t: a READONLY view", mesaopt_baseline_evaluate(b, task, 1, 0, 1, VIEW(with_flags(by_t, MESAOPT_VIEW_READONLY)), loss));
    BAD(MESAOPT_E_ARGUMENT, "loss: NULL", mesaopt_baseline_evaluate(b, task, 1, 0, 1, &by_t, NULL));
    for (int n = 1; n <= 3; n++) BAD(MESAOPT_E_MEMORY, "evaluate: no memory", (refuse(n), mesaopt_baseline_evaluate(b, task, 1, 0, 1, &by_t, loss)));

    BAD(MESAOPT_E_ARGUMENT, "baseline: NULL, expected a live baseline", mesaopt_baseline_search(NULL, task, 1, loss));
    BAD(MESAOPT_E_ARGUMENT, "task: NULL", mesaopt_baseline_search(b, NULL, 1, loss));
    BAD(MESAOPT_E_ARGUMENT, "task: of another context, expected", mesaopt_baseline_search(b, foreign, 1, loss));
    BAD(MESAOPT_E_ARGUMENT, "count: 0, expected", mesaopt_baseline_search(b, task, 0, loss));
    BAD(MESAOPT_E_ARGUMENT, "count: -1, expected", mesaopt_baseline_search(b, task, -1, loss));
    for (int n = 1; n <= 3; n++) BAD(MESAOPT_E_MEMORY, "search: no memory", (refuse(n), mesaopt_baseline_search(b, task, 1, loss)));
}

static mesaopt_baseline *baseline_of(const char *kind)
{
    mesaopt_settings *s;
    mesaopt_baseline *b;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_BASELINE, NULL, NULL, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "baseline", kind), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_create(f->ctx, s, &b), MESAOPT_OK);
    mesaopt_settings_free(s);
    return b;
}

static void precondition_rows(mesaopt_task *task, mesaopt_task *foreign)
{
    mesaopt_baseline *gd = baseline_of("gd"), *kernel = baseline_of("kernel"), *chebyshev = baseline_of("chebyshev");
    mesaopt_view x, to;
    mesaopt_view_dense(f->in, MESAOPT_F64, 3, (int64_t[]){2, 4, 3}, &x);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 3, (int64_t[]){2, 4, 3}, &to);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_baseline_precondition(NULL, &x, &to));
    BAD(MESAOPT_E_STATE, "baseline: kernel, expected", mesaopt_baseline_precondition(kernel, &x, &to));
    BAD(MESAOPT_E_ARGUMENT, "sequences: NULL", mesaopt_baseline_precondition(gd, NULL, &to));
    BAD(MESAOPT_E_DTYPE, "sequences: dtype 4 (i64), expected f32 or f64", mesaopt_baseline_precondition(gd, VIEW(with_dtype(x, MESAOPT_I64)), &to));
    BAD(MESAOPT_E_SHAPE, "out: shape [2,3,3], expected [2,4,3]", mesaopt_baseline_precondition(gd, &x, VIEW(with_extent(to, 1, 3))));
    BAD(MESAOPT_E_ARGUMENT, "out: a READONLY view", mesaopt_baseline_precondition(gd, &x, VIEW(with_flags(to, MESAOPT_VIEW_READONLY))));
    BAD(MESAOPT_E_OVERLAP, "out: may share elements with sequences", mesaopt_baseline_precondition(gd, &x, &x));
    BAD(MESAOPT_E_MEMORY, "precondition: no memory", (refuse(1), mesaopt_baseline_precondition(gd, &x, &to)));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_baseline_coefficients(NULL, &f->out.view));
    BAD(MESAOPT_E_STATE, "baseline: gd, expected richardson or chebyshev", mesaopt_baseline_coefficients(gd, &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_baseline_coefficients(chebyshev, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_baseline_updates(NULL));
    BAD(MESAOPT_E_ARGUMENT, "baseline: a task, expected a live baseline", mesaopt_baseline_updates((mesaopt_baseline *)task));

    BAD(MESAOPT_E_ARGUMENT, "baseline: NULL, expected a live baseline", mesaopt_baseline_train(NULL, task, 1, NULL, NULL));
    BAD(MESAOPT_E_STATE, "baseline: kernel, expected richardson or chebyshev", mesaopt_baseline_train(kernel, task, 1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "task: NULL", mesaopt_baseline_train(chebyshev, NULL, 1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "task: a baseline, expected a live task", mesaopt_baseline_train(chebyshev, (mesaopt_task *)gd, 1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "task: of another context, expected", mesaopt_baseline_train(chebyshev, foreign, 1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "updates: -1, expected 0 to", mesaopt_baseline_train(chebyshev, task, -1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "updates: 9223372036854775807, expected 0 to", mesaopt_baseline_train(chebyshev, task, INT64_MAX, NULL, NULL));
    for (int n = 1; n <= 3; n++) BAD(MESAOPT_E_MEMORY, "train: no memory", (refuse(n), mesaopt_baseline_train(chebyshev, task, 1, NULL, NULL)));
    ck_assert_int_eq(mesaopt_baseline_free(gd), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_free(kernel), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_free(chebyshev), MESAOPT_OK);
}

static void space_rows(mesaopt_task *linear, mesaopt_task *foreign)
{
    mesaopt_settings *s;
    mesaopt_baseline *slots, *features;
    mesaopt_task *task;
    mesaopt_view x, to;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_TASK, NULL, NULL, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "task", "nonlinear"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_create(f->ctx, s, &task), MESAOPT_OK);
    mesaopt_settings_free(s);
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_BASELINE, NULL, NULL, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "space", "features"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_create(f->ctx, s, &features), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "space", "slots"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_SLOTS, 1048576), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_create(f->ctx, s, &slots), MESAOPT_OK);
    mesaopt_settings_free(s);
    mesaopt_view_dense(f->in, MESAOPT_F64, 3, (int64_t[]){2, 4, 3}, &x);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 3, (int64_t[]){2, 3, 3}, &to);
    BAD(MESAOPT_E_ARGUMENT, "baseline: NULL", mesaopt_baseline_set_task(NULL, task));
    BAD(MESAOPT_E_ARGUMENT, "task: a baseline", mesaopt_baseline_set_task(features, (mesaopt_task *)slots));
    BAD(MESAOPT_E_ARGUMENT, "task: of another context", mesaopt_baseline_set_task(features, foreign));
    BAD(MESAOPT_E_STATE, "space: slots, expected features", mesaopt_baseline_set_task(slots, task));
    BAD(MESAOPT_E_STATE, "task: task linear, expected one that has features", mesaopt_baseline_set_task(features, linear));
    BAD(MESAOPT_E_STATE, "space: features: task linear, expected one that has features", mesaopt_baseline_evaluate(features, linear, 1, 0, 1, NULL, &f->out.number));
    BAD(MESAOPT_E_STATE, "space: features: task linear, expected one that has features", mesaopt_baseline_search(features, linear, 1, &f->out.number));
    BAD(MESAOPT_E_MEMORY, "predict: no memory", mesaopt_baseline_predict(slots, &x, &to));
    BAD(MESAOPT_E_SHAPE, "space: 1048576 slots of 1025 numbers, expected", mesaopt_baseline_predict(slots, VIEW(with_stride(with_extent(x, 2, 1025), 2, 0)), &to));
    ck_assert_int_eq(mesaopt_baseline_set_task(features, task), MESAOPT_OK);
    BAD(MESAOPT_E_SHAPE, "space: features of observations of 10 numbers, expected 3", mesaopt_baseline_predict(features, &x, &to));
    ck_assert_int_eq(mesaopt_baseline_free(features), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_free(slots), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_free(task), MESAOPT_OK);
}

START_TEST(baseline_rows)
{
    mesaopt_ctx *elsewhere;
    mesaopt_task *task, *foreign;
    mesaopt_baseline *b;
    ck_assert_int_eq(mesaopt_ctx_create(NULL, &elsewhere), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_create(f->ctx, NULL, &task), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_create(elsewhere, NULL, &foreign), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_create(f->ctx, NULL, &b), MESAOPT_OK);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_baseline_create(NULL, NULL, &f->out.baseline));
    BAD(MESAOPT_E_ARGUMENT, "ctx: a tensor, expected a live ctx", mesaopt_baseline_create((mesaopt_ctx *)f->tensor, NULL, &f->out.baseline));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_baseline_create(f->ctx, NULL, NULL));
    BAD(MESAOPT_E_SETTING, "settings: ", mesaopt_baseline_create(f->ctx, f->trainer_settings, &f->out.baseline));
    BAD(MESAOPT_E_MEMORY, "memory: ", (refuse(1), mesaopt_baseline_create(f->ctx, NULL, &f->out.baseline)));
    BAD(MESAOPT_E_MEMORY, "baseline: no memory", (refuse(2), mesaopt_baseline_create(f->ctx, NULL, &f->out.baseline)));
    BAD(MESAOPT_E_MEMORY, "baseline: no memory", (refuse(3), mesaopt_baseline_create(f->ctx, NULL, &f->out.baseline)));
    mesaopt_settings *cold;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_BASELINE, NULL, NULL, &cold), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(cold, MESAOPT_KEY_WARMUP, 40000), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_text(cold, "baseline", "richardson"), MESAOPT_OK);
    BAD(MESAOPT_E_SETTING, "warmup: 40000, expected less than cosine_steps, which is 40000", mesaopt_baseline_create(f->ctx, cold, &f->out.baseline));
    mesaopt_settings_free(cold);
    predict_rows(b);
    evaluate_rows(b, task, foreign);
    precondition_rows(task, foreign);
    space_rows(task, foreign);
    BAD(MESAOPT_OK, NULL, mesaopt_baseline_free(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_baseline_free((mesaopt_baseline *)task));
    ck_assert_int_eq(mesaopt_baseline_free(b), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_free(task), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_free(foreign), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(elsewhere), MESAOPT_OK);
}
END_TEST

/* ---- trainer.h, and the files of model.h; hostile files: test_checkpoint.c ---- */

typedef struct trained { mesaopt_model *model; mesaopt_task *task; mesaopt_trainer *trainer; } trained;

static trained trained_of(mesaopt_ctx *ctx, const char *blocks)
{
    trained t = {NULL, NULL, NULL};
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_MODEL);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_INPUTS, 40), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_OUTPUTS, 10), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_create(ctx, s, &t.model), MESAOPT_OK);
    if (*blocks) ck_assert_int_eq(mesaopt_model_add_text(t.model, blocks), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_create(ctx, NULL, &t.task), MESAOPT_OK);
    mesaopt_settings_free(s);
    return t;
}

static void trained_end(trained *t)
{
    ck_assert_int_eq(mesaopt_trainer_free(t->trainer), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_free(t->task), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_free(t->model), MESAOPT_OK);
}

static void trainer_create_rows(const trained *t, const trained *foreign)
{
    const trained empty = trained_of(f->ctx, ""), narrow = trained_of(f->ctx, "dense(outputs=9)");
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_TRAINER);
    mesaopt_trainer **out = &f->out.trainer;
    BAD(MESAOPT_E_ARGUMENT, "ctx: NULL, expected a live ctx", mesaopt_trainer_create(NULL, NULL, t->model, t->task, out));
    BAD(MESAOPT_E_ARGUMENT, "ctx: a model, expected a live ctx", mesaopt_trainer_create((mesaopt_ctx *)t->model, NULL, t->model, t->task, out));
    BAD(MESAOPT_E_SETTING, "settings: settings of scope ctx, expected scope trainer", mesaopt_trainer_create(f->ctx, f->ctx_settings, t->model, t->task, out));
    BAD(MESAOPT_E_ARGUMENT, "model: NULL, expected a live model", mesaopt_trainer_create(f->ctx, NULL, NULL, t->task, out));
    BAD(MESAOPT_E_ARGUMENT, "model: a task, expected a live model", mesaopt_trainer_create(f->ctx, NULL, (mesaopt_model *)t->task, t->task, out));
    BAD(MESAOPT_E_ARGUMENT, "model: of another context", mesaopt_trainer_create(f->ctx, NULL, foreign->model, t->task, out));
    BAD(MESAOPT_E_ARGUMENT, "task: NULL, expected a live task", mesaopt_trainer_create(f->ctx, NULL, t->model, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "task: a model, expected a live task", mesaopt_trainer_create(f->ctx, NULL, t->model, (mesaopt_task *)t->model, out));
    BAD(MESAOPT_E_ARGUMENT, "task: of another context", mesaopt_trainer_create(f->ctx, NULL, t->model, foreign->task, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_trainer_create(f->ctx, NULL, t->model, t->task, NULL));
    BAD(MESAOPT_E_STATE, "model: no blocks", mesaopt_trainer_create(f->ctx, NULL, empty.model, t->task, out));
    BAD(MESAOPT_E_STATE, "model: the last block has 9 features", mesaopt_trainer_create(f->ctx, NULL, narrow.model, t->task, out));
    ck_assert_int_eq(mesaopt_settings_set_text(s, "warmup", "7"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "cosine_steps", "7"), MESAOPT_OK);
    BAD(MESAOPT_E_SETTING, "warmup: 7, expected less than cosine_steps", mesaopt_trainer_create(f->ctx, s, t->model, t->task, out));
    for (int n = 1; n <= 6; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_trainer_create(f->ctx, NULL, t->model, t->task, out)));
    mesaopt_settings_free(s);
    trained_end(&(trained){empty.model, empty.task, NULL});
    trained_end(&(trained){narrow.model, narrow.task, NULL});
}

static void trainer_use_rows(const trained *t)
{
    mesaopt_trainer *r = t->trainer, *wrong = (mesaopt_trainer *)t->model;
    mesaopt_view by_t, brief;
    double *loss = &f->out.number;
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 1, (int64_t[]){50}, &by_t);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 1, (int64_t[]){49}, &brief);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_trainer_step(NULL, loss));
    BAD(MESAOPT_E_ARGUMENT, "trainer: a model, expected a live trainer", mesaopt_trainer_step(wrong, loss));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_trainer_set_parameters(NULL, "*", 1, 0));
    BAD(MESAOPT_E_ARGUMENT, "trainer: a model, expected a live trainer", mesaopt_trainer_set_parameters(wrong, "*", 1, 0));
    BAD(MESAOPT_E_ARGUMENT, "pattern: NULL", mesaopt_trainer_set_parameters(r, NULL, 1, 0));
    BAD(MESAOPT_E_ARGUMENT, "pattern: \"blocks.7.*\", expected the name of a parameter such as \"blocks.0.query\"", mesaopt_trainer_set_parameters(r, "blocks.7.*", 1, 0));
    BAD(MESAOPT_E_ARGUMENT, "pattern: \"\", expected", mesaopt_trainer_set_parameters(r, "", 1, 0));
    BAD(MESAOPT_E_ARGUMENT, "factor: -1, expected 0 to 1000000", mesaopt_trainer_set_parameters(r, "*", -1, 0));
    BAD(MESAOPT_E_ARGUMENT, "factor: nan, expected", mesaopt_trainer_set_parameters(r, "*", NAN, 0));
    BAD(MESAOPT_E_ARGUMENT, "factor: inf, expected", mesaopt_trainer_set_parameters(r, "*", INFINITY, 0));
    BAD(MESAOPT_E_ARGUMENT, "decay: 3, expected a MESAOPT_DECAY_", mesaopt_trainer_set_parameters(r, "*", 1, 3));
    BAD(MESAOPT_E_ARGUMENT, "decay: -1, expected", mesaopt_trainer_set_parameters(r, "*", 1, -1));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_trainer_run(NULL, 1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "trainer: a model, expected a live trainer", mesaopt_trainer_run(wrong, 1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "steps: -1, expected 0 to", mesaopt_trainer_run(r, -1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "steps: 9223372036854775807, expected 0 to", mesaopt_trainer_run(r, INT64_MAX, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_trainer_evaluate(NULL, 1, &by_t, loss));
    BAD(MESAOPT_E_ARGUMENT, "trainer: a model, expected a live trainer", mesaopt_trainer_evaluate(wrong, 1, &by_t, loss));
    BAD(MESAOPT_E_ARGUMENT, "count: -1, expected", mesaopt_trainer_evaluate(r, -1, &by_t, loss));
    BAD(MESAOPT_E_SHAPE, "by_t: shape [49], expected [50]", mesaopt_trainer_evaluate(r, 1, &brief, loss));
    BAD(MESAOPT_E_DTYPE, "by_t: dtype", mesaopt_trainer_evaluate(r, 1, VIEW(with_dtype(by_t, MESAOPT_F32)), loss));
    BAD(MESAOPT_E_ARGUMENT, "loss: NULL", mesaopt_trainer_evaluate(r, 1, &by_t, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_trainer_steps(NULL));
    BAD(MESAOPT_E_ARGUMENT, "trainer: a model, expected a live trainer", mesaopt_trainer_steps(wrong));
    BAD(MESAOPT_OK, NULL, mesaopt_trainer_free(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_trainer_free(wrong));
}

static void file_rows(const trained *t)
{
    mesaopt_model *m = t->model;
    mesaopt_trainer *r = t->trainer;
    const char *nowhere = "/nonexistent/x.safetensors", *folder = "/tmp", *device = "/dev/null";
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_trainer_save(NULL, nowhere));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_trainer_save(r, NULL));
    BAD(MESAOPT_E_IO, "/nonexistent/x.safetensors: ", mesaopt_trainer_save(r, nowhere));
    BAD(MESAOPT_E_IO, "/tmp: not a regular file", mesaopt_trainer_save(r, folder));
    BAD(MESAOPT_E_IO, "/dev/null: not a regular file", mesaopt_trainer_save(r, device));
    BAD(MESAOPT_E_MEMORY, "save: no memory", (refuse(1), mesaopt_trainer_save(r, nowhere)));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_trainer_save_to(NULL, no_bytes, NULL));
    BAD(MESAOPT_E_ARGUMENT, "write: NULL", mesaopt_trainer_save_to(r, NULL, NULL));
    BAD(MESAOPT_E_IO, "write: it returned 1, expected 0", mesaopt_trainer_save_to(r, no_bytes, NULL));
    BAD(MESAOPT_E_MEMORY, "save: no memory", (refuse(1), mesaopt_trainer_save_to(r, no_bytes, NULL)));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_trainer_load_from(NULL, f->in, 8, NULL));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_trainer_load_from(r, NULL, 8, NULL));
    BAD(MESAOPT_E_ARGUMENT, "length: -1, expected at least 0", mesaopt_trainer_load_from(r, f->in, -1, NULL));
    BAD(MESAOPT_E_FORMAT, "memory: 3 bytes, too few", mesaopt_trainer_load_from(r, f->in, 3, NULL));
    BAD(MESAOPT_E_FORMAT, "memory: header of", mesaopt_trainer_load_from(r, f->in, 64, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_save_to(NULL, no_bytes, NULL));
    BAD(MESAOPT_E_ARGUMENT, "write: NULL", mesaopt_model_save_to(m, NULL, NULL));
    BAD(MESAOPT_E_IO, "write: it returned 1, expected 0", mesaopt_model_save_to(m, no_bytes, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_load_from(NULL, f->in, 8));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_model_load_from(m, NULL, 8));
    BAD(MESAOPT_E_ARGUMENT, "length: -1", mesaopt_model_load_from(m, f->in, -1));
    BAD(MESAOPT_E_FORMAT, "memory: header of", mesaopt_model_load_from(m, f->in, 64));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_open_from(NULL, f->in, 8, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_model_open_from(f->ctx, NULL, 8, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_model_open_from(f->ctx, f->in, 8, NULL));
    BAD(MESAOPT_E_FORMAT, "memory: header of", mesaopt_model_open_from(f->ctx, f->in, 64, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_trainer_load(NULL, nowhere));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_trainer_load(r, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_trainer_load_changed(NULL, nowhere, "seed"));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_trainer_load_changed(r, NULL, "seed"));
    BAD(MESAOPT_E_IO, "/nonexistent/x.safetensors: opening", mesaopt_trainer_load_changed(r, nowhere, "seed"));
    BAD(MESAOPT_E_IO, "/nonexistent/x.safetensors: opening", mesaopt_trainer_load(r, nowhere));
    BAD(MESAOPT_E_IO, "/tmp: not a regular file", mesaopt_trainer_load(r, folder));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_save(NULL, nowhere));
    BAD(MESAOPT_E_ARGUMENT, "model: a trainer, expected a live model", mesaopt_model_save((mesaopt_model *)r, nowhere));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_model_save(m, NULL));
    BAD(MESAOPT_E_IO, "/nonexistent/x.safetensors: ", mesaopt_model_save(m, nowhere));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_set_note(NULL, "a", "b"));
    BAD(MESAOPT_E_ARGUMENT, "model: a trainer, expected a live model", mesaopt_model_set_note((mesaopt_model *)r, "a", "b"));
    BAD(MESAOPT_E_ARGUMENT, "key: NULL", mesaopt_model_set_note(m, NULL, "b"));
    BAD(MESAOPT_E_ARGUMENT, "key: ''", mesaopt_model_set_note(m, "", "b"));
    BAD(MESAOPT_E_ARGUMENT, "key: 'mesaopt.step'", mesaopt_model_set_note(m, "mesaopt.step", "b"));
    BAD(MESAOPT_E_ARGUMENT, "text: of note 'a' is not UTF-8", mesaopt_model_set_note(m, "a", "\xff"));
    BAD(MESAOPT_E_MEMORY, "no memory for a note", (refuse(1), mesaopt_model_set_note(m, "a", "b")));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", (mesaopt_status)mesaopt_file_note(f->ctx, NULL, "a", NULL, 0));
    BAD(MESAOPT_E_ARGUMENT, "key: NULL", (mesaopt_status)mesaopt_file_note(f->ctx, nowhere, NULL, NULL, 0));
    BAD(MESAOPT_E_ARGUMENT, "buf: 3 bytes", (mesaopt_status)mesaopt_file_note(f->ctx, nowhere, "a", NULL, 3));
    BAD(MESAOPT_E_ARGUMENT, NULL, (mesaopt_status)mesaopt_file_note(NULL, nowhere, "a", NULL, 0));
    BAD(MESAOPT_E_IO, "/nonexistent/x.safetensors: opening", (mesaopt_status)mesaopt_file_note(f->ctx, nowhere, "a", NULL, 0));
    BAD(MESAOPT_E_ARGUMENT, NULL, (mesaopt_status)mesaopt_file_note_from(NULL, f->in, 64, "a", NULL, 0));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", (mesaopt_status)mesaopt_file_note_from(f->ctx, NULL, 64, "a", NULL, 0));
    BAD(MESAOPT_E_ARGUMENT, "length: -1", (mesaopt_status)mesaopt_file_note_from(f->ctx, f->in, -1, "a", NULL, 0));
    BAD(MESAOPT_E_ARGUMENT, "key: NULL", (mesaopt_status)mesaopt_file_note_from(f->ctx, f->in, 64, NULL, NULL, 0));
    BAD(MESAOPT_E_ARGUMENT, "buf: 3 bytes", (mesaopt_status)mesaopt_file_note_from(f->ctx, f->in, 64, "a", NULL, 3));
    BAD(MESAOPT_E_FORMAT, "memory: header of", (mesaopt_status)mesaopt_file_note_from(f->ctx, f->in, 64, "a", NULL, 0));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_load(NULL, nowhere));
    BAD(MESAOPT_E_ARGUMENT, "model: a trainer, expected a live model", mesaopt_model_load((mesaopt_model *)r, nowhere));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_model_load(m, NULL));
    BAD(MESAOPT_E_IO, "/nonexistent/x.safetensors: opening", mesaopt_model_load(m, nowhere));
    BAD(MESAOPT_E_IO, "/dev/null: not a regular file", mesaopt_model_load(m, device));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_open(NULL, nowhere, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "ctx: a model, expected a live ctx", mesaopt_model_open((mesaopt_ctx *)m, nowhere, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_model_open(f->ctx, NULL, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_model_open(f->ctx, nowhere, NULL));
    BAD(MESAOPT_E_IO, "/nonexistent/x.safetensors: opening", mesaopt_model_open(f->ctx, nowhere, &f->out.model));
}

START_TEST(trainer_rows)
{
    mesaopt_ctx *elsewhere;
    ck_assert_int_eq(mesaopt_ctx_create(NULL, &elsewhere), MESAOPT_OK);
    trained t = trained_of(f->ctx, "linear"), foreign = trained_of(elsewhere, "linear");
    trainer_create_rows(&t, &foreign);
    ck_assert_int_eq(mesaopt_trainer_create(f->ctx, NULL, t.model, t.task, &t.trainer), MESAOPT_OK);
    trainer_use_rows(&t);
    file_rows(&t);
    trained_end(&t);
    trained_end(&foreign);
    ck_assert_int_eq(mesaopt_ctx_free(elsewhere), MESAOPT_OK);
}
END_TEST

Suite *test_arguments_suite(void)
{
    const TTest *const tables[] = {status_rows, settings_rows, ctx_rows, tensor_rows, grad_rows, baseline_rows, trainer_rows};
    return arguments_suite("arguments", sizeof tables / sizeof *tables, tables);
}
