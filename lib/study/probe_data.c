/* Plans of probes, and what feeding does to them (probes.h).
 *
 * An item is a panel of one layer: its worker copies the triangle, brings in the rows [sqrt(w), h,
 * y] of all sequences of the input piece by piece, and looks whether the triangle is still finite:
 * NaN and infinity in any row would show there. Items share nothing, so the bits do not depend on
 * threads. */
#include "study/probes.h"
#include "base/pool.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- plans ---- */

static void destroy(object *o)
{
    mesaopt_probe *p = (mesaopt_probe *)o;
    const allocator *a = &o->ctx->alloc;
    for (int i = 0; i < PROBE_SETS; i++)
        alloc_free(a, p->set[i].now), alloc_free(a, p->set[i].next);
    alloc_free(a, p->fit.now), alloc_free(a, p->fit.next);
    alloc_free(a, p->scores), alloc_free(a, p->given), alloc_free(a, p->work),
        alloc_free(a, p->group);
    if (p->conditioner) object_release(&p->conditioner->head);
    give_back(p->release, p->fill_user);
}

/* Steps of a layer that share panels: whole registers of them, and a last one that is mostly
 * filled, while a triangle stays near the core. */
static int64_t steps_in_lanes(const kern *wide, int64_t lanes, int64_t features, int64_t steps,
                              int64_t targets)
{
    const int64_t rest = steps % wide->width;
    if (lanes == 1 || (lanes == 0 && features + targets > 256)) return 0;
    return lanes == 2 || 4 * rest >= 3 * wide->width ? steps : steps - rest;
}

/* Places of one group in the stores, which are arenas that only count; sets *worker to the most
 * that any of its workers needs. */
static void lay_out_group(const mesaopt_probe *p, probe_group *g, arena *set, arena *fit,
                          int64_t *worker)
{
    arena triangle = {0}, work = {0}, map = {0};
    int64_t elements = -1;
    regression_take(&triangle, g->k, g->features, p->targets);
    regression_work_take(&work, g->k, g->features, p->targets);
    arena_take(&map, size_mul(g->features + 1, p->targets, &elements) ? elements : -1,
               g->k->lanes * g->k->size);
    g->panels = (g->steps + g->k->lanes - 1) / g->k->lanes;
    g->triangle = triangle.used, g->triangles = set->used;
    g->map = map.used, g->maps = fit->used;
    arena_take(set, g->panels, triangle.used);
    arena_take(fit, g->panels, map.used);
    if (g->panels == 0) return;
    if (work.used < 0 || *worker < 0) *worker = -1;
    else if (work.used > *worker) *worker = work.used;
}

/* Sizes and places of everything: bytes in all, or -1. */
static int64_t lay_out(mesaopt_probe *p, mesaopt_ctx *ctx, const int64_t *features)
{
    arena set = {0}, fit = {0}, all = {0};
    const kern *kerns[] = {kern_get(ctx, MESAOPT_F64, 0), kern_get(ctx, MESAOPT_F64, 1)};
    const int64_t lanes = option_int(&p->settings, MESAOPT_SCOPE_PROBE, MESAOPT_KEY_LANES);
    int64_t pairs = -1, scores = -1, sizes[] = {-1, -1};
    if (!size_mul(p->layers, p->steps, &pairs)) pairs = -1;
    if (!size_mul(p->targets, 2, &scores) || !size_add(scores, 1, &scores) ||
        !size_mul(scores, pairs, &scores))
        scores = -1;
    arena_take(&set, p->steps, sizeof(int64_t));
    arena_take(&fit, pairs, sizeof(int64_t));
    p->items = p->worker_bytes = 0;
    for (int64_t i = 0; i < 2 * p->layers; i++) {
        probe_group one, *g = p->group ? &p->group[i] : &one;
        const int64_t shared =
            steps_in_lanes(kerns[0], lanes, features[i / 2], p->steps, p->targets);
        *g = (probe_group){.k = kerns[i % 2],
                           .layer = i / 2,
                           .features = features[i / 2],
                           .first = i % 2 ? shared : 0,
                           .steps = i % 2 ? p->steps - shared : shared};
        lay_out_group(p, g, &set, &fit, &p->worker_bytes);
        p->items += g->panels;
    }
    p->workers = ctx->threads < p->items ? ctx->threads : p->items;
    p->set_bytes = set.used, p->fit_bytes = fit.used;
    if (!size_mul(p->set_bytes, 2 * PROBE_SETS, &sizes[0])) sizes[0] = -1;
    if (!size_mul(p->fit_bytes, 2, &sizes[1])) sizes[1] = -1;
    arena_take(&all, 1, sizes[0]);
    arena_take(&all, 1, sizes[1]);
    arena_take(&all, scores, sizeof(double));
    arena_take(&all, p->layers, sizeof(mesaopt_view));
    arena_take(&all, p->workers, p->worker_bytes);
    arena_take(&all, 2 * p->layers, sizeof(probe_group));
    return all.used;
}

static mesaopt_probe shape_of(const mesaopt_settings *settings, int64_t layers, int64_t steps,
                              int64_t targets)
{
    mesaopt_probe p = {.layers = layers, .steps = steps, .targets = targets};
    if (settings) p.settings = *settings;
    else options_init(&p.settings, MESAOPT_SCOPE_PROBE);
    return p;
}

int64_t probe_bytes(mesaopt_ctx *ctx, const mesaopt_settings *settings, int64_t layers,
                    const int64_t *features, int64_t steps, int64_t targets)
{
    mesaopt_probe p = shape_of(settings, layers, steps, targets);
    return lay_out(&p, ctx, features);
}

/* Both stores, or neither. */
static int allocate_set(mesaopt_probe *p, int32_t set)
{
    const allocator *a = &p->head.ctx->alloc;
    if (p->set[set].now) return 1;
    char *now = alloc_new(a, 1, p->set_bytes), *next = now ? alloc_new(a, 1, p->set_bytes) : NULL;
    if (!next) {
        alloc_free(a, now);
        return 0;
    }
    p->set[set].now = now, p->set[set].next = next;
    return 1;
}

mesaopt_status probe_plan(mesaopt_ctx *ctx, const mesaopt_settings *settings, int64_t layers,
                          const int64_t *features, int64_t steps, int64_t targets,
                          mesaopt_probe **out)
{
    const allocator *a = &ctx->alloc;
    const mesaopt_probe shape = shape_of(settings, layers, steps, targets);
    mesaopt_probe *p = object_new(ctx, OBJECT_PROBE, sizeof *p, destroy);
    if (!p) return MESAOPT_E_MEMORY;
    p->settings = shape.settings, p->layers = layers, p->steps = steps, p->targets = targets;
    const int64_t bytes = lay_out(p, ctx, features);
    if (bytes >= 0 && (p->group = alloc_new(a, 2 * layers, sizeof *p->group))) {
        lay_out(p, ctx, features);
        p->fit.now = alloc_new(a, 1, p->fit_bytes);
        p->fit.next = alloc_new(a, 1, p->fit_bytes);
        p->scores = alloc_new(a, layers * steps * (2 * targets + 1), sizeof(double));
        p->given = alloc_new(a, layers, sizeof *p->given);
        p->work = alloc_new(a, p->workers, p->worker_bytes);
        if (allocate_set(p, MESAOPT_PROBE_TRAIN) && p->fit.now && p->fit.next && p->scores &&
            p->given && p->work) {
            *out = p;
            return MESAOPT_OK;
        }
    }
    object_release(&p->head);
    return fail(ctx, MESAOPT_E_MEMORY,
                "layers, features, steps, targets: no memory for %lld bytes of probes",
                (long long)bytes);
}

static probe_item item_in(const probe_group *g, int64_t panel)
{
    const int64_t lanes = g->k->lanes, first = panel * lanes, left = g->steps - first;
    return (probe_item){
        .group = g, .panel = panel, .t = g->first + first, .valid = left < lanes ? left : lanes};
}

probe_item probe_item_at(const mesaopt_probe *p, int64_t layer, int64_t t)
{
    const probe_group *g = &p->group[2 * layer + (t >= p->group[2 * layer].steps)];
    return item_in(g, (t - g->first) / g->k->lanes);
}

probe_item probe_item_of(const mesaopt_probe *p, int64_t worker, int64_t item)
{
    const probe_group *g = p->group;
    for (; item >= g->panels; g++) item -= g->panels;
    probe_item i = item_in(g, item);
    arena a = {p->work + worker * p->worker_bytes, 0};
    i.work = regression_work_take(&a, g->k, g->features, p->targets);
    return i;
}

regression probe_regression(const mesaopt_probe *p, const probe_item *i, char *store)
{
    arena a = {store + i->group->triangles + i->panel * i->group->triangle, 0};
    return regression_take(&a, i->group->k, i->group->features, p->targets);
}

/* ---- feeding ---- */

typedef struct feeding {
    const mesaopt_probe *p;
    const probe_input *in;
    char *from, *to;
    atomic_int bad;
} feeding;

static double weight_at(const probe_input *in, int64_t row, int64_t t)
{
    return view_get(in->weights, (int64_t[]){row, t});
}

/* sqrt(w) of the rows from `first` on, 0 where there is none. */
static void fill_scales(const feeding *f, const probe_item *i, int64_t first, int64_t length)
{
    const kern *k = i->group->k;
    for (int64_t v = 0; v < length; v++)
        for (int64_t l = 0; l < k->width; l++) {
            const int64_t row = first + (k->lanes == 1 ? v * k->width + l : v),
                          t = i->t + (k->lanes == 1 ? 0 : l);
            i->work.x[v * k->width + l] = row < f->in->B && t < i->t + i->valid
                                              ? f->in->weights ? sqrt(weight_at(f->in, row, t)) : 1
                                              : 0;
        }
}

/* Rows of activations or targets from `first` on as a view [rows, T, n]: at most as many as *rows,
 * or to the end of a panel. */
static mesaopt_view rows_at(const mesaopt_view *v, int64_t first, int64_t *rows)
{
    mesaopt_view part = *v;
    if (v->ndim == 4) {
        const int64_t lanes = v->shape[1], panel = first / lanes;
        part.data = (char *)v->data + panel * v->stride[0] * dtype_size(v->dtype);
        part.ndim = 3;
        memmove(part.shape, v->shape + 1, 3 * sizeof *v->shape);
        memmove(part.stride, v->stride + 1, 3 * sizeof *v->stride);
        first -= panel * lanes;
        if (*rows > lanes - first) *rows = lanes - first;
    }
    part.data = (char *)part.data + first * part.stride[0] * dtype_size(v->dtype);
    part.shape[0] = *rows;
    return part;
}

/* The rows of a view [rows, T, cols]. */
static void load_part(const probe_item *i, const mesaopt_view *x, double *out, int64_t length)
{
    const kern *k = i->group->k;
    const int64_t width = k->width, rows = x->shape[0], cols = x->shape[2],
                  size = dtype_size(x->dtype), whole = rows / width, rest = rows % width,
                  stride[] = {x->stride[0] * width, x->stride[2], x->stride[0]};
    const char *from = (const char *)x->data + i->t * x->stride[1] * size;
    if (k->lanes > 1) {
        k->columns(rows, cols, i->valid, from, x->dtype,
                   (int64_t[]){x->stride[0], x->stride[2], x->stride[1]}, out, length);
        return;
    }
    k->columns(whole, cols, width, from, x->dtype, stride, out, length);
    if (rest)
        k->columns(1, cols, rest, from + whole * stride[0] * size, x->dtype, stride,
                   out + whole * width, length);
}

/* Rows first .. first + rows - 1; `length` vectors, the last of them zeros. */
static void load(const probe_item *i, const mesaopt_view *x, int64_t first, int64_t rows,
                 double *out, int64_t length)
{
    const kern *k = i->group->k;
    const int64_t width = k->width, per_vector = width / k->lanes,
                  used = (rows + per_vector - 1) / per_vector, cols = x->shape[x->ndim - 1];
    for (int64_t done = 0, part; done < rows; done += part) {
        part = rows - done;
        const mesaopt_view v = rows_at(x, first + done, &part);
        load_part(i, &v, out + done / per_vector * width, length);
    }
    for (int64_t c = 0; c < cols && used < length; c++)
        memset(out + (c * length + used) * width, 0,
               (size_t)((length - used) * width) * sizeof *out);
}

static mesaopt_view layer_targets(const mesaopt_view *targets, int64_t l)
{
    mesaopt_view v = *targets;
    if (v.ndim == 3) return v;
    v.data = (char *)v.data + l * v.stride[0] * dtype_size(v.dtype);
    v.ndim = 3;
    memmove(v.shape, v.shape + 1, 3 * sizeof *v.shape);
    memmove(v.stride, v.stride + 1, 3 * sizeof *v.stride);
    return v;
}

static void feed_item(void *data, int64_t worker, int64_t item)
{
    feeding *f = data;
    const mesaopt_probe *p = f->p;
    const probe_item i = probe_item_of(p, worker, item);
    const kern *k = i.group->k;
    const regression r = probe_regression(p, &i, f->to);
    const mesaopt_view targets = layer_targets(f->in->targets, i.group->layer);
    const int64_t per_vector = k->width / k->lanes;      /* rows */
    if (f->from != f->to) {
        const regression before = probe_regression(p, &i, f->from);
        regression_copy(&before, &r);
    }
    for (int64_t first = 0, rows; first < f->in->B && !kern_stopped(k); first += rows) {
        const int64_t left = f->in->B - first, vectors = (left + per_vector - 1) / per_vector;
        const int64_t length = vectors < i.work.most ? vectors | 1 : i.work.most,
                      column = length * k->width;
        rows = left < length * per_vector ? left : length * per_vector;
        fill_scales(f, &i, first, length);
        load(&i, &f->in->activations[i.group->layer], first, rows, i.work.x + column, length);
        load(&i, &targets, first, rows, i.work.x + (1 + i.group->features) * column, length);
        regression_rows(&r, &i.work, length);
    }
    if (!regression_finite(&r)) atomic_store(&f->bad, 1);
}

mesaopt_status probe_begin(mesaopt_probe *p, int32_t set)
{
    if (allocate_set(p, set)) return MESAOPT_OK;
    return fail(p->head.ctx, MESAOPT_E_MEMORY, "feed: no memory for %lld bytes of the set",
                2 * (long long)p->set_bytes);
}

/* Looks for an element that is not finite or too large. */
static int blame(const mesaopt_view *v, int64_t which, probe_culprit *bad)
{
    const double most = v->dtype == MESAOPT_F32 ? (double)FLT_MAX : PROBE_MOST;
    if (dtype_counts(v->dtype)) return 0;
    if (!view_first_outside(v, -most, most, bad->index)) return 0;
    bad->which = which;
    bad->ndim = v->ndim;
    bad->value = view_get(v, bad->index);
    return 1;
}

static void find_culprit(const mesaopt_probe *p, const probe_input *in, probe_culprit *bad)
{
    *bad = (probe_culprit){.which = -1};
    for (int64_t l = 0; l < p->layers; l++)
        for (int64_t first = 0, rows; first < in->B; first += rows) {
            rows = in->B - first;
            const mesaopt_view v = rows_at(&in->activations[l], first, &rows);
            if (!blame(&v, l, bad)) continue;
            bad->index[0] += first;
            return;
        }
    blame(in->targets, p->layers, bad);
}

mesaopt_status probe_take(mesaopt_probe *p, int32_t set, const probe_input *in, int first,
                          probe_culprit *bad)
{
    mesaopt_ctx *ctx = p->head.ctx;
    feeding f = {.p = p,
                 .in = in,
                 .from = first ? p->set[set].now : p->set[set].next,
                 .to = p->set[set].next};
    int64_t *before = probe_counts(f.from), *after = probe_counts(f.to);
    parallel_run(ctx, p->items, feed_item, &f);
    const mesaopt_status status = ctx_stopped(ctx, "feed");
    if (status != MESAOPT_OK) return status;
    if (atomic_load(&f.bad)) {
        find_culprit(p, in, bad);
        return MESAOPT_E_NONFINITE;
    }
    for (int64_t t = 0; t < p->steps; t++) {
        after[t] = before[t] + (in->weights ? 0 : in->B);
        for (int64_t b = 0; in->weights && b < in->B; b++) after[t] += weight_at(in, b, t) > 0;
    }
    return MESAOPT_OK;
}

void probe_commit(mesaopt_probe *p, int32_t set)
{
    char *now = p->set[set].next;
    p->set[set].next = p->set[set].now;
    p->set[set].now = now;
}

void probe_reset(mesaopt_probe *p, int32_t set)
{
    char *store = p->set[set].now;
    if (!store) return;
    memset(probe_counts(store), 0, (size_t)p->steps * sizeof(int64_t));
    for (int64_t item = 0; item < p->items; item++) {
        const probe_item i = probe_item_of(p, 0, item);
        const regression r = probe_regression(p, &i, store);
        regression_clear(&r);
    }
}

mesaopt_status probe_refuse(const mesaopt_probe *p, const char *name, const probe_culprit *bad)
{
    if (bad->which < 0)
        return fail(p->head.ctx, MESAOPT_E_NONFINITE,
                    "%s: the sums of squares overflow, expected smaller numbers", name);
    return fail(p->head.ctx, MESAOPT_E_NONFINITE,
                "%s: element %s is %s, expected a finite number of size up to 1e100", name,
                view_list(bad->ndim, bad->index).text, number_text(bad->value).text);
}

mesaopt_status probe_feed(mesaopt_probe *p, int32_t set, const probe_input *in)
{
    probe_culprit bad;
    mesaopt_status status = probe_begin(p, set);
    if (status != MESAOPT_OK) return status;
    status = probe_take(p, set, in, 1, &bad);
    if (status == MESAOPT_OK) probe_commit(p, set);
    if (status != MESAOPT_E_NONFINITE) return status;
    char name[48] = "targets";
    if (bad.which < p->layers)
        snprintf(name, sizeof name, bad.which < 0 ? "activations, targets" : "activations[%lld]",
                 (long long)bad.which);
    return probe_refuse(p, name, &bad);
}
