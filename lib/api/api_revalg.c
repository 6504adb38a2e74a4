/* mesaopt/revalg.h: checks arguments, then delegates to study/. */
#include "api/api_call.h"
#include "study/revalg_impl.h"

mesaopt_status mesaopt_revalg_extract(mesaopt_model *model, mesaopt_revalg **out)
{
    call c;
    mesaopt_status status = call_begin(model, OBJECT_MODEL, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(check_not_null(model->head.ctx, out, "out"));
    CHECK(model_check_whole(model));
    CHECK(revalg_extract(model, out));
    return call_end(&c, status);
}

static mesaopt_status no_product(mesaopt_ctx *ctx, const block_kind *kind, int32_t product)
{
    const char *name = options_scope_name(kind->scope);
    if (kind->scope == MESAOPT_SCOPE_MASK)
        return fail(ctx, MESAOPT_E_ARGUMENT,
                    "block: a mask, expected linear, softmax or dense, which have products");
    if (kind->scope == MESAOPT_SCOPE_DENSE)
        return fail(ctx, MESAOPT_E_ARGUMENT, "product: %d, expected %d for a dense block",
                    (int)product, MESAOPT_REVALG_WEIGHT);
    return fail(ctx, MESAOPT_E_ARGUMENT, "product: %d, expected %d or %d for a %s block",
                (int)product, MESAOPT_REVALG_LOGITS, MESAOPT_REVALG_VALUES, name);
}

static mesaopt_status check_block(mesaopt_ctx *ctx, int64_t block, int64_t count)
{
    if (block >= 0 && block < count) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_ARGUMENT, "block: %lld, expected 0 to %lld", (long long)block,
                (long long)count - 1);
}

static mesaopt_status product_view(mesaopt_revalg *r, int64_t i, int32_t product, int residuals,
                                   mesaopt_view *out)
{
    call c;
    mesaopt_status status = call_begin(r, OBJECT_REVALG, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = r->head.ctx;
    CHECK(check_block(ctx, i, r->n_blocks));
    CHECK(check_not_null(ctx, out, "out"));
    const int index = status == MESAOPT_OK ? revalg_product_index(r->blocks[i].kind, product) : -1;
    if (status == MESAOPT_OK && index < 0) status = no_product(ctx, r->blocks[i].kind, product);
    if (status == MESAOPT_OK) {
        const revalg_block *b = &r->blocks[i];
        *out = (mesaopt_view){.data = residuals ? b->residuals[index] : b->scalars[index],
                              .shape = {b->heads, b->in, b->out},
                              .stride = {b->in * b->out, b->out, 1},
                              .ndim = 3,
                              .dtype = MESAOPT_F64,
                              .flags = residuals ? MESAOPT_VIEW_READONLY : 0};
    }
    return call_end(&c, status);
}

mesaopt_status mesaopt_revalg_scalars(mesaopt_revalg *revalg, int64_t block, int32_t product,
                                      mesaopt_view *out)
{
    return product_view(revalg, block, product, 0, out);
}

mesaopt_status mesaopt_revalg_residuals(mesaopt_revalg *revalg, int64_t block, int32_t product,
                                        mesaopt_view *out)
{
    return product_view(revalg, block, product, 1, out);
}

mesaopt_status mesaopt_revalg_summary(mesaopt_revalg *revalg, double *weights, double *explained)
{
    call c;
    const mesaopt_status status = call_begin(revalg, OBJECT_REVALG, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    if (weights) *weights = revalg_share(revalg);
    if (explained) *explained = revalg->explained;
    return call_end(&c, status);
}

mesaopt_status mesaopt_revalg_closed_form(mesaopt_revalg *revalg, const mesaopt_view *out)
{
    call c;
    int64_t heads = 0;
    mesaopt_view own;
    mesaopt_status status = call_begin(revalg, OBJECT_REVALG, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(revalg_one_layer(revalg, &heads));
    CHECK(view_check(
        revalg->head.ctx, out,
        &(view_want){
            .name = "out", .ndim = 2, .shape = {heads, 6}, .dtype = MESAOPT_F64, .output = 1},
        &own));
    if (status == MESAOPT_OK) revalg_closed_form(revalg, &own);
    return call_end(&c, status);
}

mesaopt_status mesaopt_revalg_rebuild(mesaopt_revalg *revalg, mesaopt_model **out)
{
    call c;
    mesaopt_status status = call_begin(revalg, OBJECT_REVALG, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(check_not_null(revalg->head.ctx, out, "out"));
    CHECK(revalg_rebuild(revalg, out));
    return call_end(&c, status);
}

mesaopt_status mesaopt_revalg_free(mesaopt_revalg *revalg)
{
    return object_free(revalg, OBJECT_REVALG);
}

mesaopt_status mesaopt_revalg_product(mesaopt_model *model, int64_t block, int32_t product,
                                      int64_t head, const mesaopt_view *out)
{
    call c;
    mesaopt_status status = call_begin(model, OBJECT_MODEL, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = model->head.ctx;
    CHECK(check_block(ctx, block, model->n_blocks));
    const struct block *b = status == MESAOPT_OK ? &model->blocks[block] : NULL;
    const int index = b ? revalg_product_index(b->kind, product) : -1;
    if (b && index < 0) status = no_product(ctx, b->kind, product);
    if (status == MESAOPT_OK && revalg_beyond(b))
        status = fail(ctx, MESAOPT_E_UNSUPPORTED, "model: block %lld has %s", (long long)block,
                      revalg_beyond(b));
    const int64_t heads = status != MESAOPT_OK                    ? 0
                          : b->kind->scope == MESAOPT_SCOPE_DENSE ? 1
                                                                  : heads_extents(b, 0).heads;
    if (status == MESAOPT_OK && (head < 0 || head >= heads))
        status = fail(ctx, MESAOPT_E_ARGUMENT, "head: %lld, expected 0 to %lld", (long long)head,
                      (long long)heads - 1);
    mesaopt_view own;
    CHECK(view_check(ctx, out,
                     &(view_want){.name = "out", .ndim = 2, .shape = {b->in, b->out}, .output = 1},
                     &own));
    CHECK(revalg_product(model, block, index, head, &own));
    return call_end(&c, status);
}

mesaopt_status mesaopt_revalg_average(mesaopt_model *a, mesaopt_model *b, mesaopt_model **out)
{
    call c;
    mesaopt_status status = call_begin(a, OBJECT_MODEL, CALL_IN_CALLBACK, &c, b);
    if (status != MESAOPT_OK) return status;
    CHECK(check_handle(a->head.ctx, b, OBJECT_MODEL, "b"));
    CHECK(check_not_null(a->head.ctx, out, "out"));
    CHECK(model_check_whole(a));
    CHECK(revalg_average(a, b, out));
    return call_end(&c, status);
}

mesaopt_status mesaopt_revalg_average_update(mesaopt_model *average, mesaopt_model *a,
                                             mesaopt_model *b)
{
    call c;
    mesaopt_status status = call_begin(average, OBJECT_MODEL, CALL_IN_CALLBACK, &c, a, b);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = average->head.ctx;
    CHECK(check_handle(ctx, a, OBJECT_MODEL, "a"));
    CHECK(check_handle(ctx, b, OBJECT_MODEL, "b"));
    if (status == MESAOPT_OK && atomic_load(&average->trainers) > 0)
        status = fail(ctx, MESAOPT_E_STATE,
                      "average: held by a trainer, expected a model that nobody trains");
    if (status == MESAOPT_OK && (average == a || average == b))
        status = fail(ctx, MESAOPT_E_STATE,
                      "average: a or b itself, expected what mesaopt_revalg_average made of them");
    CHECK(revalg_average_update(average, a, b));
    return call_end(&c, status);
}

/* ---- models by construction ---- */

static mesaopt_status check_model_settings(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                           const void *out)
{
    mesaopt_status status = options_check(ctx, settings, MESAOPT_SCOPE_MODEL, "settings");
    CHECK(check_not_null(ctx, out, "out"));
    return status;
}

static mesaopt_status check_phi0(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                 const mesaopt_view *phi0, mesaopt_view *own)
{
    int64_t index[MESAOPT_MAX_RANK];
    const int64_t n = option_int(settings, MESAOPT_SCOPE_MODEL, MESAOPT_KEY_OUTPUTS);
    mesaopt_status status =
        phi0 ? view_check(ctx, phi0, &(view_want){.name = "phi0", .ndim = 2, .shape = {n, n}}, own)
             : MESAOPT_OK;
    if (status == MESAOPT_OK && phi0 && view_first_nonfinite(own, index))
        status = fail(ctx, MESAOPT_E_NONFINITE, "phi0: not finite at %s, expected finite elements",
                      view_list(2, index).text);
    return status;
}

mesaopt_status mesaopt_revalg_proposition1(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                           double eta, const mesaopt_view *phi0,
                                           mesaopt_model **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    if (status != MESAOPT_OK) return status;
    CHECK(check_model_settings(ctx, settings, out));
    if (status == MESAOPT_OK && !(eta - eta == 0))
        status = fail(ctx, MESAOPT_E_NONFINITE, "eta: %s, expected a finite number",
                      number_text(eta).text);
    mesaopt_view own;
    CHECK(check_phi0(ctx, settings, phi0, &own));
    CHECK(proposition1(ctx, settings, eta, phi0 ? &own : NULL, out));
    return ctx_leave(&c, status);
}

/* What weights can form: a fixed divisor, and all pairs so far. */
static mesaopt_status check_constructible(mesaopt_ctx *ctx, const mesaopt_baseline *b)
{
    if (!b->method->conditions || b->method->kind != PRECONDITION_STEPS)
        return fail(ctx, MESAOPT_E_UNSUPPORTED,
                    "baseline: %s, expected neumann, richardson, chebyshev or gd", b->name);
    if (b->space != SPACE_OBSERVATIONS)
        return fail(ctx, MESAOPT_E_UNSUPPORTED,
                    "baseline: space %s, expected observations: tokens hold nothing else",
                    options_word(MESAOPT_KEY_SPACE, b->space));
    const preconditioner p = baseline_preconditioner(b, b->value);
    if (!p.newest_pair)
        return fail(ctx, MESAOPT_E_UNSUPPORTED,
                    "baseline: newest_pair 0, expected 1: a layer sees the newest pair");
    if (!(p.divisor > 0))
        return fail(ctx, MESAOPT_E_UNSUPPORTED,
                    "baseline: divisor 0, the norm of A_t, expected a number: weights cannot form "
                    "the norm");
    return MESAOPT_OK;
}

mesaopt_status mesaopt_revalg_proposition2(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                           mesaopt_baseline *baseline, mesaopt_model **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, baseline, settings);
    if (status != MESAOPT_OK) return status;
    CHECK(check_model_settings(ctx, settings, out));
    CHECK(check_handle(ctx, baseline, OBJECT_BASELINE, "baseline"));
    CHECK(check_constructible(ctx, baseline));
    if (status == MESAOPT_OK) {
        const preconditioner p = baseline_preconditioner(baseline, baseline->value);
        status = proposition2(ctx, settings, &p, out);
    }
    return ctx_leave(&c, status);
}

static mesaopt_status check_block_settings(mesaopt_ctx *ctx, const mesaopt_settings *block)
{
    const mesaopt_status status = options_given(ctx, block, "block");
    if (status != MESAOPT_OK || block_kind_of(block->scope)) return status;
    const char *name = options_scope_name(block->scope);
    return fail(ctx, MESAOPT_E_SETTING, "block: settings of scope %s, expected a block's: %s",
                name ? name : "?", block_kind_names().text);
}

mesaopt_status mesaopt_revalg_import(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                     const mesaopt_settings *block, int64_t layers,
                                     const mesaopt_view *weights, mesaopt_model **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings, block);
    if (status != MESAOPT_OK) return status;
    CHECK(check_model_settings(ctx, settings, out));
    CHECK(check_block_settings(ctx, block));
    CHECK(check_not_null(ctx, weights, "weights"));
    CHECK(revalg_import(ctx, settings, block, layers, weights, out));
    return ctx_leave(&c, status);
}

static mesaopt_status import_stored(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                    const mesaopt_settings *block, const storage from,
                                    mesaopt_model **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings, block);
    if (status != MESAOPT_OK) return status;
    CHECK(check_model_settings(ctx, settings, out));
    CHECK(check_block_settings(ctx, block));
    CHECK(storage_check(ctx, &from));
    CHECK(revalg_import_file(ctx, settings, block, &from, out));
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_revalg_import_file(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                          const mesaopt_settings *block, const char *path,
                                          mesaopt_model **out)
{
    return import_stored(ctx, settings, block, at_path(path), out);
}

mesaopt_status mesaopt_revalg_import_from(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                          const mesaopt_settings *block, const void *bytes,
                                          int64_t length, mesaopt_model **out)
{
    return import_stored(ctx, settings, block, in_memory(bytes, length), out);
}
