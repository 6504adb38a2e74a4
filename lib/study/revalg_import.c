/* Models of equal blocks whose weights come from elsewhere: views, or a safetensors file; see
 * include/mesaopt/revalg.h. */
#include "study/revalg_impl.h"
#include "train/model_import.h"
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

mesaopt_status revalg_import(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                             const mesaopt_settings *block, int64_t layers,
                             const mesaopt_view *weights, mesaopt_model **out)
{
    mesaopt_model *m;
    mesaopt_status status = layers_of(ctx, settings, block, layers, &m);
    if (status != MESAOPT_OK) return status;
    for (int64_t i = 0; i < m->n_table && status == MESAOPT_OK; i++) {
        const model_parameter *p = &m->table[i];
        char name[80];
        snprintf(name, sizeof name, "weights: layer %lld, %s", (long long)p->block,
                 m->blocks[p->block].param[p->index].name);
        status = import_parameter(m, p, &weights[i], name);
    }
    if (status == MESAOPT_OK) *out = m;
    else object_release(&m->head);
    return status;
}

/* The number of layers: 1 + the highest I of blocks.I.NAME in the file, all of whose tensors must
 * have such names. */
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
        if (digits == 0 || *at != '.')
            return tensor_file_fail(f, name,
                                    "not expected, only parameters blocks.0.NAME, blocks.1.NAME "
                                    ".. are");
        if (layer >= *layers) *layers = layer + 1;
    }
    if (*layers > f->tensors)
        return tensor_file_fail(f, NULL, "%lld tensors, expected those of blocks.0 to blocks.%lld",
                                (long long)f->tensors, (long long)*layers - 1);
    return *layers > 0 ? MESAOPT_OK
                       : tensor_file_fail(f, NULL, "no tensors, expected parameters blocks.0.NAME");
}

mesaopt_status revalg_import_file(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                  const mesaopt_settings *block, const storage *from,
                                  mesaopt_model **out)
{
    tensor_file f;
    mesaopt_model *m;
    int64_t layers;
    mesaopt_status status = tensor_file_open_from(ctx, from, &f);
    if (status != MESAOPT_OK) return status;
    status = count_layers(&f, &layers);
    tensor_file_close(&f);
    if (status == MESAOPT_OK) status = layers_of(ctx, settings, block, layers, &m);
    if (status != MESAOPT_OK) return status;
    status = import_from_file(m, from);
    if (status == MESAOPT_OK) *out = m;
    else object_release(&m->head);
    return status;
}
