/* mesaopt/model.h: validates, then delegates to train/. */
#include "api/api_checks.h"
#include "api/api_model.h"
#include "mesaopt/model.h"
#include "task/sequences.h"
#include "train/batch.h"
#include "train/checkpoint.h"
#include "train/model_import.h"
#include "train/safetensors.h"
#include <math.h>
#include <string.h>

mesaopt_status mesaopt_model_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                    mesaopt_model **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    if (status != MESAOPT_OK) return status;
    CHECK(options_check(ctx, settings, MESAOPT_SCOPE_MODEL, "settings"));
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(model_create(ctx, settings, out));
    return ctx_leave(&c, status);
}

static mesaopt_status check_free_to_grow(const mesaopt_model *m)
{
    const char *holder = atomic_load(&m->trainers)   ? "a trainer"
                         : atomic_load(&m->decoders) ? "a decoder"
                                                     : NULL;
    if (!holder) return MESAOPT_OK;
    return fail(m->head.ctx, MESAOPT_E_STATE,
                "model: held by %s, expected a model to which blocks can still be added", holder);
}

mesaopt_status mesaopt_model_add(mesaopt_model *m, const mesaopt_settings *settings)
{
    call c;
    mesaopt_status status = call_begin(m, OBJECT_MODEL, CALL_NORMAL, &c, settings);
    if (status != MESAOPT_OK) return status;
    CHECK(options_given(m->head.ctx, settings, "settings"));
    if (status == MESAOPT_OK && !block_kind_of(settings->scope)) {
        const char *name = options_scope_name(settings->scope);
        status = fail(m->head.ctx, MESAOPT_E_SETTING,
                      "settings: for %s, expected a block's: %s",
                      name ? name : "an unknown scope", block_kind_names().text);
    }
    CHECK(check_free_to_grow(m));
    CHECK(model_add(m, &settings, 1));
    return call_end(&c, status);
}

mesaopt_status mesaopt_model_add_text(mesaopt_model *m, const char *blocks)
{
    call c;
    mesaopt_status status = call_begin(m, OBJECT_MODEL, CALL_NORMAL, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(check_not_null(m->head.ctx, blocks, "blocks"));
    CHECK(check_free_to_grow(m));
    CHECK(model_add_text(m, blocks));
    return call_end(&c, status);
}

int64_t mesaopt_model_text(const mesaopt_model *m, char *buf, int64_t cap)
{
    const mesaopt_status status = check_kind(OBJECT_MODEL, m);
    if (status != MESAOPT_OK) return status;
    if (cap < 0 || (!buf && cap > 0))
        return fail(m->head.ctx, MESAOPT_E_ARGUMENT,
                    "buf, cap: %s, %lld bytes, expected room for cap >= 0 bytes",
                    buf ? "set" : "NULL", (long long)cap);
    return model_text(m, buf, cap);
}

mesaopt_status mesaopt_model_shape(const mesaopt_model *m, int64_t *inputs, int64_t *outputs,
                                   int32_t *dtype)
{
    const mesaopt_status status = check_kind(OBJECT_MODEL, m);
    if (status != MESAOPT_OK) return status;
    if (inputs) *inputs = m->inputs;
    if (outputs) *outputs = m->outputs;
    if (dtype) *dtype = m->dtype;
    return MESAOPT_OK;
}

int64_t mesaopt_model_blocks(const mesaopt_model *m)
{
    const mesaopt_status status = check_kind(OBJECT_MODEL, m);
    return status == MESAOPT_OK ? m->n_blocks : status;
}

int64_t mesaopt_model_parameters(const mesaopt_model *m)
{
    const mesaopt_status status = check_kind(OBJECT_MODEL, m);
    return status == MESAOPT_OK ? m->n_table : status;
}

const char *mesaopt_model_parameter_name(const mesaopt_model *m, int64_t i)
{
    return check_kind(OBJECT_MODEL, m) == MESAOPT_OK && i >= 0 && i < m->n_table ? m->table[i].name
                                                                                 : NULL;
}

static mesaopt_status check_block(const mesaopt_model *m, int64_t block, const char *name)
{
    if (block >= -1 && block < m->n_blocks) return MESAOPT_OK;
    return fail(m->head.ctx, MESAOPT_E_ARGUMENT, "%s: %lld, expected -1 to %lld", name,
                (long long)block, (long long)m->n_blocks - 1);
}

mesaopt_status mesaopt_model_width(const mesaopt_model *m, int64_t block, int64_t *width)
{
    mesaopt_status status = check_kind(OBJECT_MODEL, m);
    CHECK(check_block(m, block, "block"));
    CHECK(check_not_null(m->head.ctx, width, "width"));
    if (status == MESAOPT_OK) *width = model_width(m, block);
    return status;
}

static mesaopt_status find(mesaopt_model *m, const char *name, mesaopt_view *out, int gradient)
{
    call c;
    mesaopt_status status = call_begin(m, OBJECT_MODEL, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(check_not_null(m->head.ctx, name, "name"));
    CHECK(check_not_null(m->head.ctx, out, "out"));
    const model_parameter *p = status == MESAOPT_OK ? model_find(m, name) : NULL;
    if (status == MESAOPT_OK && !p)
        status = fail(m->head.ctx, MESAOPT_E_ARGUMENT,
                      "name: \"%.64s\", expected a parameter of the model such as \"%s\"", name,
                      m->n_table ? m->table[0].name : "(it has none)");
    if (p) {
        *out = model_matrix(m, p, gradient ? m->grads : m->params);
        if (gradient) out->flags = MESAOPT_VIEW_READONLY;
    }
    return call_end(&c, status);
}

mesaopt_status mesaopt_model_parameter(mesaopt_model *m, const char *name, mesaopt_view *out)
{
    return find(m, name, out, 0);
}

mesaopt_status mesaopt_model_parameter_gradient(mesaopt_model *m, const char *name,
                                                mesaopt_view *out)
{
    return find(m, name, out, 1);
}

mesaopt_status mesaopt_model_initialise(mesaopt_model *m, int64_t seed)
{
    call c;
    mesaopt_status status = call_begin(m, OBJECT_MODEL, CALL_NORMAL, &c);
    if (status != MESAOPT_OK) return status;
    if (seed < 0)
        status = fail(m->head.ctx, MESAOPT_E_ARGUMENT, "seed: %lld, expected at least 0",
                      (long long)seed);
    else status = model_initialise(m, seed);
    return call_end(&c, status);
}

mesaopt_status mesaopt_model_workspace(const mesaopt_model *m, int64_t B, int64_t T,
                                       int32_t training, int64_t *bytes)
{
    mesaopt_status status = check_kind(OBJECT_MODEL, m);
    CHECK(check_extent(m->head.ctx, B, 1, INT32_MAX, "batch"));
    CHECK(check_extent(m->head.ctx, T, 1, INT32_MAX, "length"));
    CHECK(check_not_null(m->head.ctx, bytes, "bytes"));
    CHECK(model_check_whole(m));
    CHECK(model_check_length(m, T));
    if (status != MESAOPT_OK) return status;
    const batch b = {.B = B, .T = T};
    const int64_t need = batch_bytes(m, &b, &(wanted){.gradient = training != 0});
    if (need < 0)
        return fail(m->head.ctx, MESAOPT_E_MEMORY,
                    "batch, length: %lld, %lld: the workspace overflows", (long long)B,
                    (long long)T);
    *bytes = need;
    return MESAOPT_OK;
}

/* A view of a whole batch, [B, T, width]; B and T follow the tokens. */
static view_want batch_want(const mesaopt_model *m, const char *name, const batch *b, int64_t width,
                            int output)
{
    return (view_want){name, 3, {b->B, b->T, width}, m->dtype, output};
}

static mesaopt_status take_batch(call_views *w, const mesaopt_model *m, const mesaopt_view **v,
                                 const char *name, const batch *b, int64_t width, int output)
{
    const view_want want = batch_want(m, name, b, width, output);
    return views_take(w, v, &want);
}

static mesaopt_status take_tokens(call_views *w, const mesaopt_model *m,
                                  const mesaopt_view **tokens, batch *b)
{
    mesaopt_status status = model_check_whole(m);
    views_begin(w, m->head.ctx);
    b->B = b->T = ANY;
    CHECK(take_batch(w, m, tokens, "tokens", b, m->inputs, 0));
    if (status != MESAOPT_OK) return status;
    *b = (batch){.B = (*tokens)->shape[0], .T = (*tokens)->shape[1], .tokens = *tokens};
    if (b->B > INT32_MAX || b->T > INT32_MAX)
        return fail(m->head.ctx, MESAOPT_E_SHAPE, "tokens: extents above 2147483647");
    return MESAOPT_OK;
}

/* Gradients of no steps are sums of nothing. */
static mesaopt_status run(mesaopt_model *m, const batch *b, const wanted *w, const char *what)
{
    if (b->B > 0 && b->T > 0) return batch_pass(m, b, w, what);
    if (w->gradient) memset(m->grads, 0, (size_t)(m->n_params * m->size));
    return MESAOPT_OK;
}

mesaopt_status mesaopt_model_forward(mesaopt_model *m, const mesaopt_view *tokens,
                                     const mesaopt_view *out)
{
    call c;
    batch b = {0};
    call_views w;
    mesaopt_status status = call_begin(m, OBJECT_MODEL, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(take_tokens(&w, m, &tokens, &b));
    CHECK(take_batch(&w, m, &out, "out", &b, m->outputs, 1));
    CHECK(views_apart(&w));
    CHECK(run(m, &b, &(wanted){.out = out}, "forward"));
    return call_end(&c, status);
}

enum { MAX_ACTIVATIONS = MODEL_MOST_BLOCKS + 1 };

static mesaopt_status check_outs(const mesaopt_model *m, const batch *b, int64_t count,
                                 const int64_t *blocks, const mesaopt_view *outs, mesaopt_view *own)
{
    mesaopt_ctx *ctx = m->head.ctx;
    mesaopt_status status = MESAOPT_OK;
    for (int64_t i = 0; i < count && status == MESAOPT_OK; i++) {
        CHECK(check_block(m, blocks[i], "blocks"));
        const view_want want =
            batch_want(m, "outs", b, status == MESAOPT_OK ? model_width(m, blocks[i]) : 0, 1);
        CHECK(view_check(ctx, &outs[i], &want, &own[i]));
        CHECK(view_apart(ctx, &own[i], "outs", b->tokens, "tokens"));
        for (int64_t j = 0; j < i && status == MESAOPT_OK; j++)
            status = view_apart(ctx, &own[i], "outs", &own[j], "another of outs");
    }
    return status;
}

mesaopt_status mesaopt_model_activations(mesaopt_model *m, const mesaopt_view *tokens,
                                         int64_t count, const int64_t *blocks,
                                         const mesaopt_view *outs)
{
    call c;
    batch b = {0};
    call_views w;
    mesaopt_view *own = NULL;
    mesaopt_status status = call_begin(m, OBJECT_MODEL, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = m->head.ctx;
    CHECK(take_tokens(&w, m, &tokens, &b));
    CHECK(check_extent(ctx, count, 1, MAX_ACTIVATIONS, "count"));
    CHECK(check_not_null(ctx, blocks, "blocks"));
    CHECK(check_not_null(ctx, outs, "outs"));
    if (status == MESAOPT_OK && !(own = alloc_new(&ctx->alloc, count, sizeof *own)))
        status = fail(ctx, MESAOPT_E_MEMORY, "activations: no memory");
    CHECK(check_outs(m, &b, count, blocks, outs, own));
    CHECK(run(m, &b, &(wanted){.count = count, .blocks = blocks, .outs = own}, "activations"));
    alloc_free(&ctx->alloc, own);
    return call_end(&c, status);
}

static mesaopt_status take_weights(call_views *w, const mesaopt_model *m,
                                   const mesaopt_view **weights, const batch *b)
{
    mesaopt_ctx *ctx = m->head.ctx;
    const view_want want = {.name = "weights", .ndim = 2, .shape = {b->B, b->T}};
    mesaopt_status status = views_take(w, weights, &want);
    CHECK(check_weights(ctx, *weights));
    int64_t above[MESAOPT_MAX_RANK];
    if (status == MESAOPT_OK && !view_first_outside(*weights, 0, 0, above))
        status = fail(ctx, MESAOPT_E_ARGUMENT, "weights: all 0, expected one above 0");
    return status;
}

static mesaopt_status loss_of(mesaopt_model *m, const mesaopt_view *tokens,
                              const mesaopt_view *targets, const mesaopt_view *weights,
                              int gradient, double *loss, const mesaopt_view *dtokens)
{
    call c;
    batch b = {0};
    call_views w;
    double value;
    mesaopt_status status =
        call_begin(m, OBJECT_MODEL, gradient ? CALL_NORMAL : CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = m->head.ctx;
    CHECK(take_tokens(&w, m, &tokens, &b));
    CHECK(take_batch(&w, m, &targets, "targets", &b, m->outputs, 0));
    if (weights) CHECK(take_weights(&w, m, &weights, &b));
    CHECK(check_not_null(ctx, loss, "loss"));
    if (dtokens) CHECK(take_batch(&w, m, &dtokens, "dtokens", &b, m->inputs, 1));
    CHECK(views_apart(&w));
    if (status == MESAOPT_OK && (b.B == 0 || b.T == 0))
        status = fail(ctx, MESAOPT_E_SHAPE,
                      "tokens: empty, expected at least one sequence and one step");
    b.targets = targets;
    b.weights = weights;
    CHECK(batch_pass(m, &b, &(wanted){.loss = &value, .gradient = gradient, .dtokens = dtokens},
                     gradient ? "gradient" : "loss"));
    if (status >= 0) *loss = value;
    return call_end(&c, status);
}

mesaopt_status mesaopt_model_loss(mesaopt_model *m, const mesaopt_view *tokens,
                                  const mesaopt_view *targets, const mesaopt_view *weights,
                                  double *loss)
{
    return loss_of(m, tokens, targets, weights, 0, loss, NULL);
}

mesaopt_status mesaopt_model_gradient(mesaopt_model *m, const mesaopt_view *tokens,
                                      const mesaopt_view *targets, const mesaopt_view *weights,
                                      double *loss, const mesaopt_view *dtokens)
{
    return loss_of(m, tokens, targets, weights, 1, loss, dtokens);
}

mesaopt_status mesaopt_model_backward(mesaopt_model *m, const mesaopt_view *tokens,
                                      const mesaopt_view *dout, const mesaopt_view *dtokens)
{
    call c;
    batch b = {0};
    call_views w;
    mesaopt_status status = call_begin(m, OBJECT_MODEL, CALL_NORMAL, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(take_tokens(&w, m, &tokens, &b));
    CHECK(take_batch(&w, m, &dout, "dout", &b, m->outputs, 0));
    if (dtokens) CHECK(take_batch(&w, m, &dtokens, "dtokens", &b, m->inputs, 1));
    CHECK(views_apart(&w));
    CHECK(run(m, &b, &(wanted){.gradient = 1, .dout = dout, .dtokens = dtokens}, "backward"));
    return call_end(&c, status);
}

mesaopt_status model_evaluate(call *c, mesaopt_model *m, mesaopt_task *task, int32_t stream,
                              int64_t first, int64_t count, const mesaopt_view *by_t, double *loss)
{
    double *sums = NULL, value;
    mesaopt_view own;
    mesaopt_ctx *ctx = m->head.ctx;
    mesaopt_status status = model_check_whole(m);
    CHECK(batch_check_task(m, task));
    const int64_t T = status == MESAOPT_OK ? task->shape.length : 0;
    CHECK(task_range_check(ctx, stream, first, count));
    if (status == MESAOPT_OK && count < 1)
        status = fail(ctx, MESAOPT_E_ARGUMENT, "count: %lld, expected >= 1", (long long)count);
    if (by_t) CHECK(view_check(ctx, by_t, &(view_want){"by_t", 1, {T}, MESAOPT_F64, 1}, &own));
    CHECK(check_not_null(ctx, loss, "loss"));
    if (status == MESAOPT_OK && !(sums = alloc_new(&ctx->alloc, 2 * T, sizeof *sums)))
        status = fail(ctx, MESAOPT_E_MEMORY, "evaluate: no memory");
    CHECK(batch_evaluate(m, task, c, stream, first, count, sums, &value));
    if (status >= 0 && !isfinite(value))
        status = fail(ctx, MESAOPT_E_NONFINITE, "evaluate: the loss is not finite");
    if (status >= 0) *loss = value;
    for (int64_t t = 0; by_t && t < T && status >= 0; t++)
        ((double *)own.data)[t * own.stride[0]] = sums[t] / sums[T + t];
    if (sums) alloc_free(&ctx->alloc, sums);
    return status;
}

mesaopt_status mesaopt_model_evaluate(mesaopt_model *m, mesaopt_task *task, int32_t stream,
                                      int64_t first, int64_t count, const mesaopt_view *by_t,
                                      double *loss)
{
    call c;
    mesaopt_status status = call_begin(m, OBJECT_MODEL, CALL_IN_CALLBACK, &c, task);
    if (status != MESAOPT_OK) return status;
    CHECK(check_handle(m->head.ctx, task, OBJECT_TASK, "task"));
    CHECK(model_evaluate(&c, m, task, stream, first, count, by_t, loss));
    return call_end(&c, status);
}

mesaopt_status mesaopt_model_free(mesaopt_model *model)
{
    return object_free(model, OBJECT_MODEL);
}
