/* See model_import.h. */
#include "train/model_import.h"
#include "tensor/view.h"
#include "train/checkpoint.h"
#include "train/safetensors.h"
#include <stdio.h>
#include <string.h>

mesaopt_status import_parameter(mesaopt_model *m, const model_parameter *p, const mesaopt_view *v,
                                const char *name)
{
    mesaopt_ctx *ctx = m->head.ctx;
    int64_t index[MESAOPT_MAX_RANK];
    mesaopt_view own;
    const mesaopt_view to = model_matrix(m, p, m->params);
    mesaopt_status status = view_check(
        ctx, v, &(view_want){.name = name, .ndim = 2, .shape = {p->rows, p->cols}, .dtype = ANY},
        &own);
    if (status != MESAOPT_OK) return status;
    if (!view_copyable(v->dtype, m->dtype))
        return fail(ctx, MESAOPT_E_DTYPE, "%s: dtype %s, expected f64, f32, f16 or bf16", name,
                    dtype_name(v->dtype));
    view_copy(&own, &to);                               /* in the model's own type, in which it has
                                                           to be finite */
    if (!view_first_nonfinite(&to, index)) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_NONFINITE, "%s: not finite at %s, expected finite elements", name,
                view_list(2, index).text);
}

/* ---- views ---- */

static int64_t place_of(const char *name, int64_t count, const char *const *names)
{
    int64_t i = 0;
    while (i < count && strcmp(names[i], name) != 0) i++;
    return i;
}

/* Every name is a parameter of the model, and there once. */
static mesaopt_status check_names(const mesaopt_model *m, int64_t count, const char *const *names)
{
    mesaopt_ctx *ctx = m->head.ctx;
    mesaopt_status status = MESAOPT_OK;
    for (int64_t i = 0; i < count && status == MESAOPT_OK; i++) {
        status = check_not_null(ctx, names[i], "names: one of them");
        if (status != MESAOPT_OK) return status;
        if (!model_find(m, names[i]))
            return fail(ctx, MESAOPT_E_ARGUMENT,
                        "names: \"%.64s\", expected a parameter of the model such as \"%s\"",
                        names[i], m->n_table ? m->table[0].name : "(it has none)");
        if (place_of(names[i], count, names) < i)
            return fail(ctx, MESAOPT_E_ARGUMENT, "names: %.64s twice, expected once", names[i]);
    }
    return status;
}

static mesaopt_status fill(mesaopt_model *m, int64_t count, const char *const *names,
                           const mesaopt_view *tensors)
{
    mesaopt_status status = check_names(m, count, names);
    for (int64_t i = 0; i < m->n_table && status == MESAOPT_OK; i++) {
        const model_parameter *p = &m->table[i];
        const int64_t at = place_of(p->name, count, names);
        char name[80];
        snprintf(name, sizeof name, "tensors: %s", p->name);
        status = at < count ? import_parameter(m, p, &tensors[at], name)
                            : fail(m->head.ctx, MESAOPT_E_ARGUMENT,
                                   "names: no %s, expected every parameter", p->name);
    }
    return status;
}

static mesaopt_status model_of(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                               const char *blocks, mesaopt_model **out)
{
    mesaopt_model *m;
    mesaopt_status status = model_create(ctx, settings, &m);
    if (status != MESAOPT_OK) return status;
    status = model_add_text(m, blocks);
    if (status == MESAOPT_OK) *out = m;
    else object_release(&m->head);
    return status;
}

mesaopt_status import_views(mesaopt_ctx *ctx, const mesaopt_settings *settings, const char *blocks,
                            int64_t count, const char *const *names, const mesaopt_view *tensors,
                            mesaopt_model **out)
{
    mesaopt_model *m;
    mesaopt_status status = model_of(ctx, settings, blocks, &m);
    if (status != MESAOPT_OK) return status;
    status = fill(m, count, names, tensors);
    if (status == MESAOPT_OK) *out = m;
    else object_release(&m->head);
    return status;
}

/* ---- files ---- */

mesaopt_status import_from_file(mesaopt_model *m, const storage *from)
{
    tensor_file f;
    mesaopt_status status = tensor_file_open_from(m->head.ctx, from, &f);
    if (status != MESAOPT_OK) return status;
    for (int64_t i = 0; i < f.tensors && status == MESAOPT_OK; i++)
        if (!model_find(m, f.tensor[i].name))
            status = tensor_file_fail(&f, f.tensor[i].name,
                                      "not expected, only parameters of the model are");
    tensor_file_close(&f);
    return status == MESAOPT_OK ? checkpoint_load_model(m, from) : status;
}

mesaopt_status import_file(mesaopt_ctx *ctx, const mesaopt_settings *settings, const char *blocks,
                           const storage *from, mesaopt_model **out)
{
    mesaopt_model *m;
    mesaopt_status status = model_of(ctx, settings, blocks, &m);
    if (status != MESAOPT_OK) return status;
    status = import_from_file(m, from);
    if (status == MESAOPT_OK) *out = m;
    else object_release(&m->head);
    return status;
}
