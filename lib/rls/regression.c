/* Rows that arrive, and whole states: see regression.h. */
#include "base/real.h"
#include "kern/dense.h"
#include "rls/worker.h"
#include <math.h>

static const double LEAST_GATE = 0.5;

static workspace lay_out(const online_plan *p, arena *a)
{
    const int64_t size = sizeof(double);
    workspace w;
    w.U = arena_take(a, p->d * p->d, size), w.inverse = arena_take(a, p->d * p->d, size);
    w.weighted = arena_take(a, p->rows * p->d, size);
    w.given = arena_take(a, 2 * p->d, size), w.turned = arena_take(a, 2 * p->d, size);
    w.St = arena_take(a, p->d * p->dv, size);
    w.residual = arena_take(a, p->d, size), w.solved = arena_take(a, p->d, size);
    w.direction = arena_take(a, p->d, size), w.M_direction = arena_take(a, p->d, size),
    w.A_direction = arena_take(a, p->d, size);
    w.dots = arena_take(a, 2 * p->rows, size);
    w.dense = arena_take(a, dense_scratch(p->k, p->d, p->d > p->dv ? p->d : p->dv), 1);
    w.defect = arena_take(a, p->d, size), w.correction = arena_take(a, p->d, size);
    w.HD = arena_take(a, p->d * p->dv, size), w.rest = arena_take(a, p->rows * p->dv, size);
    w.total = arena_take(a, p->dv, size), w.left = arena_take(a, p->dv, size),
    w.now = arena_take(a, p->dv, size);
    return w;
}

int64_t online_scratch(const online_plan *p)
{
    arena a = {0};
    arena_take(&a, 1, sizeof(workspace));
    lay_out(p, &a);
    return a.used;
}

void online_begin(const online_plan *p, void *scratch)
{
    arena a = {scratch, 0};
    workspace *w = arena_take(&a, 1, sizeof *w);
    *w = lay_out(p, &a);
}

int64_t online_product_scratch(const online_plan *p)
{
    const int64_t side = p->d > p->dv ? p->d : p->dv, depth = p->d > p->rows ? p->d : p->rows;
    return kern_product_scratch_up_to(p->k, side, depth); /* those of dense.h are no deeper than
                                                             d */
}

online_plan online_plan_of(const kern *k, int64_t d, int64_t dv, int64_t window)
{
    const int64_t rows = d < 48 ? 16 : d < 96 ? 32 : 64;
    return (online_plan){k, d, dv, window, rows, window > 0 ? window : 2 * d + rows};
}

void online_take(const online_plan *p, arena *a, online *o)
{
    const int64_t size = sizeof(double), d = p->d, dv = p->dv, n = p->rows;
    o->ridge = arena_take(a, d, size);
    o->H = arena_take(a, d * d, size), o->S = arena_take(a, d * dv, size),
    o->R = arena_take(a, d * d, size);
    o->K = arena_take(a, n * d, size), o->V = arena_take(a, n * dv, size),
    o->weight = arena_take(a, n, size);
    o->P = arena_take(a, n * d, size), o->sign = arena_take(a, n, size),
    o->length = arena_take(a, n, size);
    o->Kt = arena_take(a, d * n, size), o->Pt = arena_take(a, d * n, size);
    o->diagonal = arena_take(a, d, size);
    o->squares = arena_take(a, dv, size), o->spread = arena_take(a, dv, size);
    o->W = arena_take(a, d * dv, size), o->G = arena_take(a, d * dv, size),
    o->U = arena_take(a, n * dv, size);
    o->left = arena_take(a, dv, size), o->held = arena_take(a, dv, size),
    o->floor = arena_take(a, dv, size);
    o->noise = arena_take(a, dv, size), o->blur = arena_take(a, dv, size);
    o->peak = arena_take(a, 1 + dv + d + dv, size);
    int64_t width = d + dv + 3, ring = 0;
    if (!size_mul(p->ring, width, &ring)) ring = -1;
    o->ring = arena_take(a, ring, size);
}

online_row online_row_at(const online_plan *p, const online *o, int64_t i)
{
    double *row = o->ring + (o->first + i) % p->ring * (p->d + p->dv + 3);
    return (online_row){row, row + p->d, row + p->d + p->dv, row + p->d + p->dv + 1,
                        row + p->d + p->dv + 2};
}

/* The largest of sums that were given. */
static double largest(const online_plan *p, const online *o)
{
    double most = o->total;
    for (int64_t i = 0; i < p->d * p->d; i++) most = larger(most, fabs(o->H[i]));
    for (int64_t i = 0; i < p->d * p->dv; i++) most = larger(most, fabs(o->S[i]));
    for (int64_t i = 0; i < p->dv; i++) most = larger(most, o->squares[i]);
    return most;
}

int online_young(const online_plan *p, const online *o)
{
    return p->window == 0 && (o->kept > 0 || (o->count == 0 && largest(p, o) == 0));
}

/* H, S, .. are others: what was derived from them is not known. */
static void changed(const online_plan *p, online *o)
{
    base_set_peaks(p, o);
    o->fresh = o->whole = 0;
    o->followed = -1;
}

void online_clear(const online_plan *p, online *o)
{
    base_empty(p, o);
    o->decay = 0;
    o->count = 0;
    o->most = 0;
}

/* ---- rows ---- */

static void append(const online_plan *p, online *o, const double *key, const double *value,
                   double weight)
{
    if (weight == 0) return;
    const int64_t j = o->filled++;
    memcpy(o->K + j * p->d, key, (size_t)p->d * sizeof(double));
    buffer_column(p, o->Kt, j, key);
    memcpy(o->V + j * p->dv, value, (size_t)p->dv * sizeof(double));
    o->weight[j] = weight / o->a;
    residual_row(p, o, j);
}

/* The oldest row leaves, with what its weight has become. */
static void leave(const online_plan *p, online *o)
{
    const online_row r = online_row_at(p, o, 0);
    const double weight = -*r.weight * real_exp(o->clock - *r.clock);
    append(p, o, r.key, r.value, weight);
    base_count_row(p, o, r.value, weight);
    o->first = (o->first + 1) % p->window;
    o->kept--;
}

static void keep(const online_plan *p, online *o, const double *key, const double *value,
                 double weight, double log_gate)
{
    const online_row r = online_row_at(p, o, o->kept++);
    /* the value is behind the key */
    if (weight == 0) memset(r.key, 0, (size_t)(p->d + p->dv) * sizeof(double));
    else
        memcpy(r.key, key, (size_t)p->d * sizeof(double)),
            memcpy(r.value, value, (size_t)p->dv * sizeof(double));
    *r.weight = weight, *r.log_gate = log_gate, *r.clock = o->clock;
}

static void forget(const online_plan *p, void *ps, const workspace *w, online *o, double log_gate)
{
    const double gate = real_exp(log_gate);
    o->decay += log_gate;
    if (gate == 0) {
        base_empty(p, o);
        return;
    }
    if (o->a * gate < LEAST_GATE) {
        base_flush(p, ps, w, o);
        p->k->scale(p->d * p->d, gate, o->H);
        p->k->scale(p->d * p->dv, gate, o->S);
        residual_scale(p, o, gate);
        p->k->scale(p->d + p->dv, gate, o->peak + 1 + p->dv);
        o->fresh = 0;
    } else {
        o->a *= gate;
    }
    o->clock += log_gate;
    o->total *= gate;
    for (int64_t c = 0; c < p->dv; c++)
        o->squares[c] *= gate, o->floor[c] *= gate, o->noise[c] *= gate;
    p->k->scale(1 + p->dv, gate, o->peak);
}

void online_push(const online_plan *p, void *ps, void *scratch, online *o, const double *key,
                 const double *value, double weight, double log_gate)
{
    const workspace *w = scratch;
    if (log_gate != 0) forget(p, ps, w, o, log_gate);
    const int full = p->window > 0 && o->kept == p->window;
    const int leaves = full && *online_row_at(p, o, 0).weight > 0;
    if (o->filled + (weight > 0) + leaves > p->rows) base_flush(p, ps, w, o);
    if (full || log_gate != 0) o->followed = -1;
    if (full) leave(p, o);
    append(p, o, key, value, weight);
    if (weight > 0) base_count_row(p, o, value, weight);
    if (p->window > 0 || o->young) keep(p, o, key, value, weight, log_gate);
    if (p->window > 0) base_judge(p, o), o->since++;
    else if (o->young && o->kept == p->ring) residual_grow_up(p, ps, w, o);
    o->count++;
    o->most += ONLINE_SQUARE;
}

/* ---- whole states ---- */

void online_flush(const online_plan *p, void *ps, void *scratch, online *o)
{
    const workspace *w = scratch;
    base_flush(p, ps, w, o);
    dense_mirror(p->d, sizeof(double), o->H);
}

void online_settle(const online_plan *p, void *ps, void *scratch, online *o)
{
    const workspace *w = scratch;
    o->young = online_young(p, o);
    const int kept = p->window > 0 || o->young;
    if (!kept) residual_spread(p, ps, w, o);
    base_flush(p, ps, w, o);
    if (kept) residual_empty(p, o), base_form_anew(p, ps, w, o);
    dense_mirror(p->d, sizeof(double), o->H);
    changed(p, o);
    for (int64_t j = 0; j < p->dv; j++) w->now[j] = o->blurred || kept ? NAN : o->spread[j];
    if (!kept) residual_restore(p, ps, w, o, w->now);
}

void online_spread(const online_plan *p, void *ps, void *scratch, online *o)
{
    const workspace *w = scratch;
    residual_spread(p, ps, w, o);
}

void online_given(const online_plan *p, void *ps, void *scratch, online *o, const double *spread)
{
    const workspace *w = scratch;
    memcpy(w->now, spread, (size_t)p->dv * sizeof(double));      /* it may be that of o */
    o->most = largest(p, o) + (double)o->kept * ONLINE_SQUARE;
    residual_empty(p, o);
    memcpy(o->left, o->squares, (size_t)p->dv * sizeof(double));
    changed(p, o);
    if (p->window == 0 && !o->young) residual_restore(p, ps, w, o, w->now);
}

void online_merge(const online_plan *p, void *ps, void *scratch, online *into, const online *from)
{
    if (p->window > 0 || from->young) {
        for (int64_t i = 0; i < from->kept; i++) {
            const online_row r = online_row_at(p, from, i);
            online_push(p, ps, scratch, into, r.key, r.value, *r.weight, *r.log_gate);
        }
        into->count += from->count - from->kept;
        into->most += from->most;
        return;
    }
    const workspace *w = scratch;
    const double gate = real_exp(from->decay);
    residual_grow_up(p, ps, w, into);
    base_flush(p, ps, w, into);
    residual_merge(p, ps, w, into, from, gate);
    p->k->scale(p->d * p->d, gate, into->H);
    p->k->scale(p->d * p->dv, gate, into->S);
    p->k->row_add(1, p->d * p->d, &from->a, 0, from->H, 0, into->H, 0);
    p->k->row_add(1, p->d * p->dv, &from->a, 0, from->S, 0, into->S, 0);
    if (from->filled > 0) base_add_rows(p, ps, w, into, from, from->filled, from->a);
    for (int64_t c = 0; c < p->dv; c++)
        into->squares[c] = gate * into->squares[c] + from->squares[c];
    into->total = gate * into->total + from->total;
    into->decay += from->decay;
    into->count += from->count;
    into->most += from->most;
    changed(p, into);
}
