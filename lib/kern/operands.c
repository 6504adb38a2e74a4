/* See operands.h. */
#include "kern/operands.h"
#include "kern/finite.h"

void operands_begin(operands *o, mesaopt_ctx *ctx, const operand *table, int rows, int backward)
{
    memset(o, 0, offsetof(operands, views));
    o->ctx = ctx, o->table = table, o->rows = rows, o->backward = backward;
    for (int i = 0; i < 26; i++) o->extent[i] = ANY;
    views_begin(&o->views, ctx);
}

void operands_count(operands *o, int row) { o->present |= 1u << row; }

mesaopt_status operands_take(operands *o, int row, const mesaopt_view *v)
{
    const operand *x = &o->table[row];
    view_want want = {.name = x->name, .dtype = o->dtype, .output = operand_writes(o, row)};
    for (const char *axis = x->axes; *axis; axis++)
        want.shape[want.ndim++] = operands_extent(o, *axis);
    const mesaopt_status status = views_take(&o->views, &v, &want);
    if (status != MESAOPT_OK) return status;
    for (int i = 0; i < v->ndim; i++) {
        if (v->shape[i] > INT32_MAX)
            return fail(o->ctx, MESAOPT_E_ARGUMENT, "%s: an extent: %lld, expected 0 to %d",
                        x->name, (long long)v->shape[i], INT32_MAX);
        operands_set_extent(o, x->axes[i], v->shape[i]);
    }
    o->dtype = v->dtype;
    o->view[row] = v;
    operands_count(o, row);
    return MESAOPT_OK;
}

/* ---- panels ---- */

static int has(const operand *x, char axis) { return strchr(x->axes, axis) != NULL; }

/* Has it a place among a panel's operands? */
static int placed(const operands *o, int row)
{
    return operand_there(o, row) && o->table[row].axes[0];
}

static slab slab_at(const operands *o, int row, const piece *at)
{
    const mesaopt_view *v = o->view[row];
    slab s = slab_of(v, o->table[row].axes);
    const int64_t size = dtype_size(v->dtype);
    if (has(&o->table[row], 't')) s.data += at->start * s.row * size, s.rows = at->rows;
    if (has(&o->table[row], 'n')) s.data += at->state * s.stride[0] * size;
    return s;
}

static int in_place(const operands *o, const panels *p, int row)
{
    if (!o->view[row] || p->k->lanes > 1 || !(o->table[row].use & IN_PLACE)) return 0;
    const slab s = slab_of(o->view[row], o->table[row].axes);
    return (s.col == 1 || s.cols <= 1) && s.row >= 0;
}

/* Where it lies, or a copy to be filled or stored. */
static mat take(const operands *o, const panels *p, int row, const piece *at, arena *a)
{
    const char *axes = o->table[row].axes, last = axes[strlen(axes) - 1];
    if (in_place(o, p, row)) {
        if (!a->base) return (mat){0};
        const slab s = slab_at(o, row, at);
        return (mat){panels_first(p, s, at->panel), s.row, 1};
    }
    const int64_t cols = last == 'h' ? 1 : operands_extent(o, last);
    int64_t rows = has(&o->table[row], 't') ? at->rows : 1;
    if (!has(&o->table[row], 't') && has(&o->table[row], 'n'))
        rows = operands_extent(o, axes[strlen(axes) - 2]);
    return (mat){arena_take(a, rows * cols, p->k->lanes * p->k->size), cols, 1};
}

void operands_lay_out(const operands *o, const panels *p, const piece *at, arena *a, void *to)
{
    for (int i = 0; i < o->rows; i++) {
        if (!placed(o, i)) continue;
        const mat m = take(o, p, i, at, a);
        if (!a->base) continue;
        char *place = (char *)to + o->table[i].place;
        if (has(&o->table[i], 't')) *(mat *)place = m;
        else *(void **)place = m.p;
        if (!operand_reads(o, i) || in_place(o, p, i)) continue;
        panels_load(p, slab_at(o, i, at), at->panel, m);
    }
}

int operands_store(const operands *o, const panels *p, const piece *at, const void *from)
{
    int finite = 1;
    for (int i = 0; i < o->rows; i++) {
        const operand *x = &o->table[i];
        if (!operand_there(o, i) || !operand_writes(o, i) || !(has(x, 'b') || has(x, 'n')))
            continue;
        const slab s = slab_at(o, i, at);
        const char *place = (const char *)from + x->place;
        const mat m = has(x, 't') ? *(const mat *)place : (mat){*(void *const *)place, s.cols, 1};
        finite &= panels_finite(p->k, s.rows, s.cols, m);
        if (!in_place(o, p, i)) panels_store(p, s, at->panel, m);
    }
    return finite;
}

int operands_nonfinite(const operands *o, int64_t *index)
{
    for (int i = 0; i < o->rows; i++)
        if (operand_there(o, i) && operand_writes(o, i) && finite_check(o->ctx, o->view[i], index))
            return i;
    return -1;
}
