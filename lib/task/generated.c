/* The table of tasks that draw their sequences, from base/tasks.def, and what all of them share:
 * settings, and panels of other widths than the kernels' own. */
#include "task/generated.h"
#include "base/options.h"
#include "base/philox.h"
#include <stdio.h>
#include <string.h>

#define TASK(name, text) extern const task_kind name##_task;
#include "base/tasks.def"
static const struct { const char *name; const task_kind *kind; } kinds[] = {
#define TASK(name, text) {#name, &name##_task},
#include "base/tasks.def"
};

/* Scratch of a panel: the task's, and its sequences at native width when `k` has another. */
static int64_t lay_out(const mesaopt_task *task, const kern *k, void *scratch, drawing *d)
{
    arena a = {.base = scratch};
    const int64_t elements = task_rows(task) * task->shape.dim;
    if (task->kind->scratch) d->scratch = arena_take(&a, task->kind->scratch(task, k), 1);
    if (k->lanes != k->width) d->x = arena_take(&a, elements, k->width * k->size);
    return a.used;
}

int64_t generated_scratch(const mesaopt_task *task, const kern *k)
{
    return lay_out(task, k, NULL, &(drawing){0});
}

void generated_panel(const mesaopt_task *task, const kern *k, int32_t stream, int64_t first,
                     int64_t valid, void *scratch, void *raw)
{
    const int64_t elements = task_rows(task) * task->shape.dim;
    drawing d = {task, k, stream, first, NULL, raw};
    lay_out(task, k, scratch, &d);
    task->kind->draw(&d);
    if (d.x != raw)
        for (int64_t i = 0; i < elements; i++)
            memcpy((char *)raw + i * k->size, wide_at(k, d.x, i), (size_t)k->size);
    else if (valid < k->width)
        for (int64_t i = 0; i < elements; i++)
            memset((char *)wide_at(k, raw, i) + valid * k->size, 0,
                   (size_t)((k->width - valid) * k->size));
}

/* ---- creation ---- */

/* A setting that says 0 leaves it to the task. */
static double given_or(const mesaopt_settings *settings, int32_t key, double own)
{
    const double given = option_float(settings, MESAOPT_SCOPE_TASK, key);
    return given == 0 ? own : given;
}

static task_shape shape_of(const mesaopt_settings *settings, const task_kind *kind)
{
    task_shape s = {.dim = option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_DIM),
                    .length = option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_LENGTH)};
    const int64_t own = kind->hidden + kind->hidden_per_dim * s.dim;
    if (own) s.hidden = (int64_t)given_or(settings, MESAOPT_KEY_HIDDEN, (double)own);
    return s;
}

static mesaopt_status read_layout(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                  task_shape *s)
{
    const mesaopt_status status = pair_layout_read(ctx, settings, &s->layout);
    if (status != MESAOPT_OK || s->layout.prefix < s->length) return status;
    return fail(ctx, MESAOPT_E_SETTING,
                "prefix: %lld at length %lld, expected at most %lld, so that a pair follows it",
                (long long)s->layout.prefix, (long long)s->length, (long long)s->length - 1);
}

static mesaopt_status check_positions(mesaopt_ctx *ctx, const task_kind *kind, const task_shape *s)
{
    const int64_t each = kind->positions(s), all = kind->common ? kind->common(s) : 0,
                  most = each > all ? each : all;
    char hidden[40] = "";
    if (most <= PHILOX_POSITIONS) return MESAOPT_OK;
    if (s->hidden) snprintf(hidden, sizeof hidden, ", hidden %lld,", (long long)s->hidden);
    return fail(ctx, MESAOPT_E_SETTING,
                "dim: %lld%s at length %lld takes %lld random numbers a sequence, expected at most "
                "%lld",
                (long long)s->dim, hidden, (long long)s->length, (long long)most,
                (long long)PHILOX_POSITIONS);
}

/* Settings that other kinds have. */
static mesaopt_status check_used(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                 const char *name, const task_kind *kind)
{
    const struct { int32_t key; int used; } of[] = {
        {MESAOPT_KEY_HIDDEN, kind->hidden + kind->hidden_per_dim > 0},
        {MESAOPT_KEY_MAP_SD, kind->map_sd > 0},
        {MESAOPT_KEY_START, kind->start > 0},
        {MESAOPT_KEY_OBSERVATION_NOISE, kind->shows_part},
        {MESAOPT_KEY_SEPARATOR, kind->pairs},
        {MESAOPT_KEY_PREFIX, kind->pairs},
        {MESAOPT_KEY_TEACHERS, kind->pairs},
        {MESAOPT_KEY_SEGMENT, kind->pairs}};
    char with[40];
    mesaopt_status status = MESAOPT_OK;
    snprintf(with, sizeof with, "task=%s", name);
    for (size_t i = 0; i < sizeof of / sizeof *of && status == MESAOPT_OK; i++)
        if (!of[i].used) status = settings_unused(ctx, settings, with, 1, &of[i].key);
    return status;
}

mesaopt_status task_generated(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                              mesaopt_task **out)
{
    enum { SCOPE = MESAOPT_SCOPE_TASK };
    const int64_t which = option_int(settings, SCOPE, MESAOPT_KEY_TASK);
    const task_kind *kind = kinds[which].kind;
    task_shape shape = shape_of(settings, kind);
    mesaopt_task *task;
    mesaopt_status status = check_used(ctx, settings, kinds[which].name, kind);
    if (status == MESAOPT_OK && kind->pairs) status = read_layout(ctx, settings, &shape);
    if (status == MESAOPT_OK) status = check_positions(ctx, kind, &shape);
    if (status == MESAOPT_OK) status = task_new(ctx, settings, shape.dim, shape.length, &task);
    if (status) return status;
    task->name = kinds[which].name;
    task->kind = kind;
    task->shape.hidden = shape.hidden;
    task->shape.layout = shape.layout;
    task->noise = option_float(settings, SCOPE, MESAOPT_KEY_NOISE);
    task->observation_noise = option_float(settings, SCOPE, MESAOPT_KEY_OBSERVATION_NOISE);
    task->clip = given_or(settings, MESAOPT_KEY_DATA_CLIP, kind->clip);
    task->start = given_or(settings, MESAOPT_KEY_START, kind->start);
    task->map_sd = given_or(settings, MESAOPT_KEY_MAP_SD, kind->map_sd);
    if (kind->begin) status = kind->begin(task);
    if (kind->pairs) status = task_weigh_queries(task);
    if (status) {
        object_release(&task->head);
        return status;
    }
    *out = task;
    return MESAOPT_OK;
}
