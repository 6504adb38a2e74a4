/* Probes of a safetensors file: which of its tensors are the layers, and feeding them piece by
 * piece (probes.h; names as in mesaopt/probe.h).
 *
 * A layer is a tensor [B, T, D], or [B, D] with T = 1; all layers together may be one tensor [L, B,
 * T, D]. Rows of a piece are adjacent in the file either way. f64 is read as f64, and so are
 * targets that are integers or truth values; the rest as f32, which holds f16 and bf16 exactly. */
#include "study/probes.h"
#include "train/safetensors.h"
#include <stdio.h>
#include <string.h>

enum { PIECE_BYTES = 1 << 22, PIECE_LEAST = 16 };

typedef struct source {
    const file_tensor *t;
    int64_t start;                 /* elements before its first row */
    int64_t B, T, D;
    int32_t dtype;                 /* as which it is read */
} source;

typedef struct import {
    mesaopt_ctx *ctx;
    tensor_file file;
    source *layer, targets, weights;
    int64_t layers;
    int has_weights;
} import;

/* ---- which tensors ---- */

static mesaopt_status check_readable(const tensor_file *f, const file_tensor *t, int is_target)
{
    if (t->dtype != 0 && (view_copyable(t->dtype, MESAOPT_F64) || is_target)) return MESAOPT_OK;
    return tensor_file_fail(
        f, t->name, "not of a type that can be read as numbers, expected F64, F32, F16 or BF16%s",
        is_target ? " (targets: I64, I32 and BOOL, too)" : "");
}

/* Rows of a tensor [B, T, D] or [B, D]; of one with a further axis in front, its part `l`. */
static mesaopt_status describe(const tensor_file *f, const file_tensor *t, int64_t l,
                               const char *expected, int is_target, source *out)
{
    const int skip = l >= 0, rank = t->ndim - skip;
    if (rank < 2 || rank > 3 || t->count == 0)
        return tensor_file_fail(
            f, t->name, "shape %.100s, expected %s",
            view_list(t->ndim < MESAOPT_MAX_RANK ? t->ndim : MESAOPT_MAX_RANK, t->shape).text,
            expected);
    const int64_t *shape = t->shape + skip;
    *out = (source){.t = t,
                    .B = shape[0],
                    .T = rank == 3 ? shape[1] : 1,
                    .D = shape[rank - 1],
                    .dtype = t->dtype == MESAOPT_F64 || dtype_counts(t->dtype) ? MESAOPT_F64
                                                                               : MESAOPT_F32};
    out->start = skip ? l * out->B * out->T * out->D : 0;
    return check_readable(f, t, is_target);
}

static const file_tensor *find(const tensor_file *f, const char *name, size_t length)
{
    for (int64_t i = 0; i < f->tensors; i++)
        if (strncmp(f->tensor[i].name, name, length) == 0 && f->tensor[i].name[length] == 0)
            return &f->tensor[i];
    return NULL;
}

static mesaopt_status missing(const tensor_file *f, const char *name, size_t length)
{
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)(length < 200 ? length : 200), name);
    return tensor_file_fail(f, text, "it is missing, expected one");
}

/* The number that stands for the star of prefix*suffix in a name; -1 when it is not of that form.
 */
static int64_t star_number(const char *name, const char *pattern, const char *star)
{
    const size_t before = (size_t)(star - pattern), after = strlen(star + 1), length = strlen(name);
    if (length <= before + after || length - before - after > 15 ||
        strncmp(name, pattern, before) || strcmp(name + length - after, star + 1))
        return -1;
    int64_t number = 0;
    for (size_t i = before; i < length - after; i++) {
        if (name[i] < '0' || name[i] > '9') return -1;
        number = number * 10 + (name[i] - '0');
    }
    return number;
}

/* Every tensor that matches, in the order of numbers, which must follow each other: number lowest +
 * l is layer l. */
static mesaopt_status resolve_star(import *in, const char *pattern, const char *star)
{
    const tensor_file *f = &in->file;
    int64_t lowest = INT64_MAX;
    for (int64_t i = 0; i < f->tensors; i++) {
        const int64_t number = star_number(f->tensor[i].name, pattern, star);
        if (number >= 0) in->layers++;
        if (number >= 0 && number < lowest) lowest = number;
    }
    if (in->layers == 0)
        return tensor_file_fail(f, pattern,
                                "no tensor has such a name, expected a number where the * is");
    for (int64_t i = 0; i < f->tensors; i++) {
        const int64_t number = star_number(f->tensor[i].name, pattern, star), l = number - lowest;
        if (number < 0 || l >= in->layers) continue;
        if (in->layer[l].t)
            return tensor_file_fail(f, f->tensor[i].name,
                                    "number %lld is there twice, expected once", (long long)number);
        mesaopt_status status =
            describe(f, &f->tensor[i], -1, "[B,T,D] or [B,D]", 0, &in->layer[l]);
        if (status != MESAOPT_OK) return status;
    }
    for (int64_t l = 0; l < in->layers; l++)
        if (!in->layer[l].t)
            return tensor_file_fail(
                f, pattern, "number %lld is missing, expected %lld numbers from %lld on",
                (long long)(lowest + l), (long long)in->layers, (long long)lowest);
    return MESAOPT_OK;
}

static mesaopt_status resolve_list(import *in, const char *names)
{
    for (const char *name = names;; name++) {
        const size_t length = strcspn(name, ",");
        const file_tensor *t = find(&in->file, name, length);
        if (!t) return missing(&in->file, name, length);
        mesaopt_status status =
            describe(&in->file, t, -1, "[B,T,D] or [B,D]", 0, &in->layer[in->layers++]);
        if (status != MESAOPT_OK) return status;
        name += length;
        if (!*name) return MESAOPT_OK;
    }
}

static mesaopt_status resolve_layers(import *in, const char *activations)
{
    const char *star = strchr(activations, '*');
    const file_tensor *whole = tensor_file_find(&in->file, activations);
    int64_t most = in->file.tensors > 0 ? in->file.tensors : 1;
    for (const char *c = activations; *c; c++) most += *c == ',';
    const int stacked = whole && whole->ndim == 4;
    if (stacked && whole->shape[0] > most) most = whole->shape[0];
    in->layer = alloc_new(&in->ctx->alloc, most, sizeof *in->layer);
    if (!in->layer)
        return fail(in->ctx, MESAOPT_E_MEMORY, "activations: no memory for a list of %lld tensors",
                    (long long)most);
    if (!whole && star) return resolve_star(in, activations, star);
    if (!stacked) return resolve_list(in, activations);
    mesaopt_status status = describe(&in->file, whole, 0, "[L,B,T,D]", 0, &in->layer[0]);
    for (; status == MESAOPT_OK && in->layers < whole->shape[0]; in->layers++)
        status = describe(&in->file, whole, in->layers, "[L,B,T,D]", 0, &in->layer[in->layers]);
    return status;
}

/* Rows and steps of a source must be those of the first layer. */
static mesaopt_status check_same(const import *in, const source *s)
{
    const source *first = &in->layer[0];
    if (s->B == first->B && s->T == first->T) return MESAOPT_OK;
    return tensor_file_fail(
        &in->file, s->t->name, "%lld sequences of %lld steps, expected %lld of %lld as in '%.60s'",
        (long long)s->B, (long long)s->T, (long long)first->B, (long long)first->T, first->t->name);
}

static mesaopt_status resolve_weights(import *in, const char *name)
{
    const tensor_file *f = &in->file;
    const file_tensor *t = tensor_file_find(f, name);
    const int64_t B = in->layer[0].B, T = in->layer[0].T;
    if (!t) return missing(f, name, strlen(name));
    in->has_weights = 1;
    in->weights = (source){.t = t, .B = B, .T = t->ndim == 2 ? T : 1, .D = 1, .dtype = MESAOPT_F64};
    if (t->ndim < 1 || t->ndim > 2 || t->shape[0] != B || (t->ndim == 2 && t->shape[1] != T))
        return tensor_file_fail(
            f, name, "shape %.100s, expected [%lld] or [%lld,%lld]",
            view_list(t->ndim < MESAOPT_MAX_RANK ? t->ndim : MESAOPT_MAX_RANK, t->shape).text,
            (long long)B, (long long)B, (long long)T);
    return check_readable(f, t, 0);
}

/* Opens the file and finds everything in it; import_close is needed either way. */
static mesaopt_status import_open(import *in, mesaopt_ctx *ctx, const storage *from,
                                  const char *activations, const char *targets, const char *weights)
{
    *in = (import){.ctx = ctx};
    mesaopt_status status = tensor_file_open_from(ctx, from, &in->file);
    if (status != MESAOPT_OK) return status;
    status = resolve_layers(in, activations);
    for (int64_t l = 1; l < in->layers && status == MESAOPT_OK; l++)
        status = check_same(in, &in->layer[l]);
    const file_tensor *t = tensor_file_find(&in->file, targets);
    if (status == MESAOPT_OK && !t) status = missing(&in->file, targets, strlen(targets));
    if (status == MESAOPT_OK)
        status = describe(&in->file, t, -1, "[B,T,n] or [B,n]", 1, &in->targets);
    if (status == MESAOPT_OK) status = check_same(in, &in->targets);
    if (status == MESAOPT_OK && weights) status = resolve_weights(in, weights);
    return status;
}

static void import_close(import *in)
{
    alloc_free(&in->ctx->alloc, in->layer);
    tensor_file_close(&in->file);
}

/* ---- plan ---- */

mesaopt_status probe_plan_file(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                               const storage *from, const char *activations, const char *targets,
                               mesaopt_probe **out, int64_t *rows)
{
    import in;
    mesaopt_status status = import_open(&in, ctx, from, activations, targets, NULL);
    int64_t *features =
        status == MESAOPT_OK ? alloc_new(&ctx->alloc, in.layers, sizeof *features) : NULL;
    if (status == MESAOPT_OK && !features)
        status = fail(ctx, MESAOPT_E_MEMORY, "activations: no memory for a list of %lld layers",
                      (long long)in.layers);
    for (int64_t l = 0; features && l < in.layers; l++) features[l] = in.layer[l].D;
    if (status == MESAOPT_OK)
        status = probe_plan(ctx, settings, in.layers, features, in.layer[0].T, in.targets.D, out);
    if (status == MESAOPT_OK && rows) *rows = in.layer[0].B;
    alloc_free(&ctx->alloc, features);
    import_close(&in);
    return status;
}

/* ---- feeding ---- */

static mesaopt_status check_shapes(const mesaopt_probe *p, const import *in)
{
    const tensor_file *f = &in->file;
    if (in->layers > p->layers)
        return tensor_file_fail(f, in->layer[p->layers].t->name,
                                "it is layer %lld, expected %lld layers as planned",
                                (long long)p->layers, (long long)p->layers);
    if (in->layers < p->layers)
        return tensor_file_fail(
            f, in->layer[in->layers - 1].t->name,
            "it is the last layer, number %lld, expected %lld layers as planned",
            (long long)in->layers - 1, (long long)p->layers);
    for (int64_t l = 0; l <= p->layers; l++) {
        const source *s = l < p->layers ? &in->layer[l] : &in->targets;
        const int64_t D = l < p->layers ? probe_features(p, l) : p->targets;
        if (s->T != p->steps || s->D != D)
            return tensor_file_fail(
                f, s->t->name, "%lld steps of %lld, expected %lld of %lld as planned",
                (long long)s->T, (long long)s->D, (long long)p->steps, (long long)D);
    }
    return MESAOPT_OK;
}

/* Views of a piece of `rows` rows, [layers] activations, targets and weights, over memory of the
 * arena. */
typedef struct piece { mesaopt_view *activations, targets, weights; int64_t rows; } piece;

static mesaopt_view take(arena *a, const source *s, int64_t rows)
{
    return view_take(a, s->dtype, rows, s->T, s->D);
}

static void lay_out(const import *in, arena *a, piece *p)
{
    p->activations = arena_take(a, in->layers, sizeof *p->activations);
    for (int64_t l = 0; l < in->layers; l++) {
        const mesaopt_view v = take(a, &in->layer[l], p->rows);
        if (p->activations) p->activations[l] = v;
    }
    p->targets = take(a, &in->targets, p->rows);
    p->weights =
        take(a, in->has_weights ? &in->weights : &(source){.T = 0, .dtype = MESAOPT_F64}, p->rows);
    p->weights.ndim = 2;
    p->weights.shape[1] = in->layer[0].T;
    p->weights.stride[1] = in->weights.T > 1;          /* one for all steps */
}

static mesaopt_status read_rows(const import *in, const source *s, int64_t first, mesaopt_view *v,
                                int64_t rows)
{
    const int64_t row = s->T * s->D;
    v->shape[0] = rows;
    return tensor_file_read(&in->file, s->t, s->start + first * row, rows * row, s->dtype, v->data);
}

static mesaopt_status name_culprit(const mesaopt_probe *p, const import *in, probe_culprit *bad,
                                   int64_t first)
{
    char name[400];
    const source *s = bad->which < 0           ? NULL
                      : bad->which < p->layers ? &in->layer[bad->which]
                                               : &in->targets;
    snprintf(name, sizeof name, s ? "%.150s: tensor '%.150s'" : "%.150s", in->file.path,
             s ? s->t->name : "");
    bad->index[0] += first;
    if (s && s->t->ndim == 4) {                        /* as it is in the file */
        memmove(bad->index + 1, bad->index, 3 * sizeof *bad->index);
        bad->index[0] = bad->which;
        bad->ndim = 4;
    } else if (s && s->t->ndim == 2) {
        bad->index[1] = bad->index[2];
        bad->ndim = 2;
    }
    return probe_refuse(p, name, bad);
}

static mesaopt_status read_weights(const import *in, int64_t first, mesaopt_view *v, int64_t rows)
{
    int64_t at[MESAOPT_MAX_RANK];
    mesaopt_status status = read_rows(in, &in->weights, first, v, rows);
    if (status != MESAOPT_OK || !view_first_outside(v, 0, PROBE_MOST, at)) return status;
    return tensor_file_fail(&in->file, in->weights.t->name,
                            "row %lld holds %s, expected a weight from 0 to 1e100",
                            (long long)(first + at[0]), number_text(view_get(v, at)).text);
}

static mesaopt_status feed_rows(mesaopt_probe *p, int32_t set, const import *in, piece *piece,
                                int64_t first, int64_t count)
{
    mesaopt_status status = probe_begin(p, set);
    for (int64_t done = 0, rows; done < count && status == MESAOPT_OK; done += rows) {
        const int64_t at = first + done;
        probe_culprit bad;
        rows = count - done < piece->rows ? count - done : piece->rows;
        for (int64_t l = 0; l < p->layers && status == MESAOPT_OK; l++)
            status = read_rows(in, &in->layer[l], at, &piece->activations[l], rows);
        if (status == MESAOPT_OK) status = read_rows(in, &in->targets, at, &piece->targets, rows);
        if (status == MESAOPT_OK && in->has_weights)
            status = read_weights(in, at, &piece->weights, rows);
        if (status != MESAOPT_OK) break;
        const probe_input input = {rows, piece->activations, &piece->targets,
                                   in->has_weights ? &piece->weights : NULL};
        status = probe_take(p, set, &input, done == 0, &bad);
        if (status == MESAOPT_E_NONFINITE) return name_culprit(p, in, &bad, at);
    }
    if (status == MESAOPT_OK && count > 0) probe_commit(p, set);
    return status;
}

static mesaopt_status feed_pieces(mesaopt_probe *p, int32_t set, const import *in, int64_t first,
                                  int64_t count)
{
    mesaopt_ctx *ctx = p->head.ctx;
    arena one = {0}, plan = {0}, a = {0};
    piece piece = {.rows = 1};
    lay_out(in, &one, &piece);
    piece.rows =
        one.used < 0 || one.used > PIECE_BYTES / PIECE_LEAST ? PIECE_LEAST : PIECE_BYTES / one.used;
    if (piece.rows > count) piece.rows = count;
    lay_out(in, &plan, &piece);
    a.base = plan.used < 0 ? NULL : alloc_new(&ctx->alloc, 1, plan.used);
    if (!a.base)
        return fail(ctx, MESAOPT_E_MEMORY, "feed_file: no memory for %lld rows of %lld layers",
                    (long long)piece.rows, (long long)in->layers);
    lay_out(in, &a, &piece);
    mesaopt_status status = feed_rows(p, set, in, &piece, first, count);
    alloc_free(&ctx->alloc, a.base);
    return status;
}

mesaopt_status probe_feed_file(mesaopt_probe *p, int32_t set, const storage *from,
                               const char *activations, const char *targets, const char *weights,
                               int64_t first, int64_t count)
{
    import in;
    mesaopt_status status = import_open(&in, p->head.ctx, from, activations, targets, weights);
    if (status == MESAOPT_OK) status = check_shapes(p, &in);
    if (status == MESAOPT_OK && (first > in.layer[0].B || count > in.layer[0].B - first))
        status = fail(p->head.ctx, MESAOPT_E_ARGUMENT,
                      "first, count: %lld, %lld, expected rows of the %lld that the file has",
                      (long long)first, (long long)count, (long long)in.layer[0].B);
    if (status == MESAOPT_OK)
        status = feed_pieces(p, set, &in, first, count < 0 ? in.layer[0].B - first : count);
    import_close(&in);
    return status;
}
