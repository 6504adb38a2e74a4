/* Models of weights that come from elsewhere: views, or a safetensors file; see
 * include/mesaopt/revalg.h. */
#include "study/revalg_impl.h"
#include "train/checkpoint.h"
#include "train/safetensors.h"
#include <stdio.h>
#include <string.h>

enum { MOST_LAYERS = 4096 };

static mesaopt_status layers_of(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                const mesaopt_settings *block, int64_t layers, mesaopt_model **out)
{
    const mesaopt_settings *blocks[MOST_LAYERS];
    if (layers < 1 || layers > MOST_LAYERS)
        return fail(ctx, MESAOPT_E_ARGUMENT, "layers: %lld, expected 1 to %d", (long long)layers,
                    MOST_LAYERS);
    for (int64_t i = 0; i < layers; i++) blocks[i] = block;
    return model_of_zeros(ctx, settings, blocks, layers, out);
}

/* A view argument against the parameter it becomes. */
static mesaopt_status check_weight(mesaopt_ctx *ctx, const mesaopt_view *v, const mesaopt_view *to,
                                   const char *name)
{
    int64_t index[MESAOPT_MAX_RANK];
    mesaopt_view own;
    mesaopt_status status = view_check(
        ctx, v,
        &(view_want){.name = name, .ndim = 2, .shape = {to->shape[0], to->shape[1]}, .dtype = ANY},
        &own);
    if (status != MESAOPT_OK) return status;
    if (!view_copyable(v->dtype, to->dtype))
        return fail(ctx, MESAOPT_E_DTYPE, "%s: dtype %s, expected f64, f32, f16 or bf16", name,
                    dtype_name(v->dtype));
    view_copy(&own, to);                                /* in the model's own type, in which it has
                                                           to be finite */
    if (!view_first_nonfinite(to, index)) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_NONFINITE, "%s: not finite at %s, expected finite elements", name,
                view_list(2, index).text);
}

mesaopt_status revalg_import(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                             const mesaopt_settings *block, int64_t layers,
                             const mesaopt_view *weights, mesaopt_model **out)
{
    mesaopt_model *m;
    mesaopt_status status = layers_of(ctx, settings, block, layers, &m);
    if (status != MESAOPT_OK) return status;
    for (int64_t i = 0; i < layers; i++)
        for (int p = 0; p < HEADS_PARAMS && status == MESAOPT_OK; p++) {
            const mesaopt_view to = parameter_view(m, i, p);
            char name[64];
            snprintf(name, sizeof name, "weights: layer %lld, %s", (long long)i,
                     m->blocks[i].param[p].name);
            status = check_weight(ctx, &weights[i * HEADS_PARAMS + p], &to, name);
        }
    if (status == MESAOPT_OK) *out = m;
    else object_release(&m->head);
    return status;
}

/* The number of layers: 1 + the highest I of blocks.I.query .. in the file, all of whose tensors
 * must have such names. */
static mesaopt_status count_layers(const tensor_file *f, int64_t *layers)
{
    *layers = 0;
    for (int64_t i = 0; i < f->tensors; i++) {
        const char *name = f->tensor[i].name, *at = name;
        int64_t layer = 0;
        int digits = 0;
        if (strncmp(name, "blocks.", 7) == 0)          /* 00 would be another 0 */
            for (at += 7; *at >= '0' && *at <= '9' && digits < 6 && (layer > 0 || digits == 0);
                 at++, digits++)
                layer = 10 * layer + (*at - '0');
        if (digits == 0 || (strcmp(at, ".query") && strcmp(at, ".key") && strcmp(at, ".value") &&
                            strcmp(at, ".output")))
            return tensor_file_fail(f, name,
                                    "not expected, only blocks.I.query, blocks.I.key, "
                                    "blocks.I.value and blocks.I.output are");
        if (layer >= *layers) *layers = layer + 1;
    }
    return *layers > 0 ? MESAOPT_OK
                       : tensor_file_fail(f, NULL, "no tensors, expected blocks.0.query and more");
}

mesaopt_status revalg_import_file(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                  const mesaopt_settings *block, const char *path,
                                  mesaopt_model **out)
{
    tensor_file f;
    mesaopt_model *m;
    int64_t layers;
    mesaopt_status status = tensor_file_open(ctx, path, &f);
    if (status != MESAOPT_OK) return status;
    status = count_layers(&f, &layers);
    if (status == MESAOPT_OK && layers > f.tensors)
        status =
            tensor_file_fail(&f, NULL, "tensors of %lld layers, expected blocks.0 to blocks.%lld",
                             (long long)layers, (long long)f.tensors / HEADS_PARAMS - 1);
    tensor_file_close(&f);
    if (status == MESAOPT_OK) status = layers_of(ctx, settings, block, layers, &m);
    if (status != MESAOPT_OK) return status;
    status = checkpoint_load_model(m, path);
    if (status == MESAOPT_OK) *out = m;
    else object_release(&m->head);
    return status;
}
