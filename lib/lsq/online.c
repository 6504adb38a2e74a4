/* See online.h. */
#include "lsq/online.h"
#include "lsq/dense.h"
#include <math.h>
#include <string.h>

enum { MOST_UPDATES = 32, MOST_STEPS = 64 };
static const double LEAST_GATE = 0.5, LOST_DIGITS = 1e3, MOST_CANCELLED = 1e4;

typedef struct workspace {
    double *U;                     /* d x d */
    double *weighted;              /* rows x d */
    double *St;                    /* d x dv */
    double *two, *vectors;         /* 2 x d; 5 x d */
    double *c;                     /* 2 x rows */
    void *dense;
} workspace;

static workspace lay_out(const online_plan *p, arena *a)
{
    const int64_t size = sizeof(double);
    workspace w;
    w.U = arena_take(a, p->d * p->d, size);
    w.weighted = arena_take(a, p->rows * p->d, size);
    w.St = arena_take(a, p->d * p->dv, size);
    w.two = arena_take(a, 2 * p->d, size);
    w.vectors = arena_take(a, 5 * p->d, size);
    w.c = arena_take(a, 2 * p->rows, size);
    w.dense = arena_take(a, dense_scratch(p->k, p->d, p->d), 1);
    return w;
}

int64_t online_scratch(const online_plan *p)
{
    arena a = {0};
    lay_out(p, &a);
    return a.used;
}

online_plan online_plan_of(const kern *k, int64_t d, int64_t dv, int64_t window)
{
    const int64_t rows = d < 48 ? 16 : d < 96 ? 32 : 64;
    return (online_plan){k, d, dv, window, rows};
}

void online_take(const online_plan *p, arena *a, online *o)
{
    const int64_t size = sizeof(double), d = p->d, dv = p->dv, n = p->rows;
    o->ridge = arena_take(a, d, size);
    o->H = arena_take(a, d * d, size), o->S = arena_take(a, d * dv, size), o->R = arena_take(a, d * d, size);
    o->K = arena_take(a, n * d, size), o->V = arena_take(a, n * dv, size), o->weight = arena_take(a, n, size);
    o->P = arena_take(a, n * d, size), o->sign = arena_take(a, n, size);
    o->Kt = arena_take(a, d * n, size), o->Pt = arena_take(a, d * n, size);
    o->squares = arena_take(a, dv, size), o->spread = arena_take(a, dv, size);
    int64_t width = d + dv + 3, ring = 0;
    if (!size_mul(p->window, width, &ring)) ring = -1;
    o->ring = arena_take(a, ring, size);
}

online_row online_row_at(const online_plan *p, const online *o, int64_t i)
{
    double *row = o->ring + (o->first + i) % p->window * (p->d + p->dv + 3);
    return (online_row){row, row + p->d, row + p->d + p->dv, row + p->d + p->dv + 1, row + p->d + p->dv + 2};
}

static mat dense_mat(double *x, int64_t cols) { return (mat){x, cols, 1}; }
static double dot(const online_plan *p, const double *x, const double *y)
{
    double sum;
    p->k->row_dot(1, p->d, NULL, x, 0, y, 0, &sum, 1);
    return sum;
}

/* y += c x, of d elements */
static void add(const online_plan *p, double c, const double *x, double *y) { p->k->row_add(1, p->d, &c, 0, x, 0, y, 0); }

/* ---- the base ---- */

void online_changed(online *o)
{
    o->fresh = 0;
    o->version++;
}

/* No rows in the base: R = Lambda^-1. */
static void empty_base(const online_plan *p, online *o)
{
    const int64_t d = p->d;
    memset(o->H, 0, (size_t)(d * d) * sizeof(double));
    memset(o->S, 0, (size_t)(d * p->dv) * sizeof(double));
    memset(o->R, 0, (size_t)(d * d) * sizeof(double));
    for (int64_t i = 0; i < d; i++) o->R[i * (d + 1)] = 1 / o->ridge[i];
    memset(o->squares, 0, (size_t)p->dv * sizeof(double));
    o->filled = o->ready = o->updates = o->kept = o->first = o->since = 0;
    o->a = 1;
    o->fresh = 1;
    o->total = o->clock = o->peak = 0;
    o->version++;
}

void online_clear(const online_plan *p, online *o)
{
    empty_base(p, o);
    o->decay = 0;
    o->count = 0;
    o->spread_version = -1;
}

static double trace(const online_plan *p, const online *o)
{
    double sum = 0;
    for (int64_t i = 0; i < p->d; i++) sum += o->H[i * (p->d + 1)];
    return sum;
}

/* H += K^T diag(weight) K and S += K^T diag(weight) V over the first n rows of the buffer. */
static void add_rows(const online_plan *p, void *ps, const workspace *w, online *o, int64_t n)
{
    const int64_t d = p->d, dv = p->dv;
    const mat wKt = {w->weighted, 1, d};
    p->k->row_scale(n, d, o->weight, 1, o->K, d, w->weighted, d);
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_C_LOWER, 1, d, d, n, wKt, dense_mat(o->K, d), dense_mat(o->H, d));
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_NONE, 1, d, dv, n, wKt, dense_mat(o->V, dv), dense_mat(o->S, dv));
}

static void count_row(const online_plan *p, online *o, const double *value, double weight)
{
    o->total += weight;
    for (int64_t c = 0; c < p->dv; c++) o->squares[c] += weight * value[c] * value[c];
}

/* Sums of a window from its rows, by way of the buffer, which is empty. */
static void form_anew(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t d = p->d, dv = p->dv;
    memset(o->H, 0, (size_t)(d * d) * sizeof(double));
    memset(o->S, 0, (size_t)(d * dv) * sizeof(double));
    memset(o->squares, 0, (size_t)dv * sizeof(double));
    o->total = 0;
    for (int64_t i = 0, n = 0; i < o->kept; i++) {
        const online_row r = online_row_at(p, o, i);
        memcpy(o->K + n * d, r.key, (size_t)d * sizeof(double));
        memcpy(o->V + n * dv, r.value, (size_t)dv * sizeof(double));
        o->weight[n] = *r.weight * exp(*r.clock = o->clock - *r.clock);
        *r.clock = -*r.clock;
        count_row(p, o, r.value, o->weight[n++]);
        if (n < p->rows && i + 1 < o->kept) continue;
        add_rows(p, ps, w, o, n);
        n = 0;
    }
    o->clock = 0;
    o->peak = trace(p, o);
    o->since = 0;
    o->fresh = 0;
}

static void prepare_rows(const online_plan *p, const workspace *w, online *o);

/* The upper triangle from the lower one, square by square. */
static void mirror(const online_plan *p, double *X)
{
    enum { SIDE = 8 };
    const int64_t d = p->d;
    for (int64_t i = 0; i < d; i += SIDE)
        for (int64_t j = 0; j <= i; j += SIDE)
            for (int64_t r = i; r < d && r < i + SIDE; r++)
                for (int64_t c = j; c < r && c < j + SIDE; c++) X[c * d + r] = X[r * d + c];
}

/* R -= P^T P, when that is all that happened to the base. */
static void update_R(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t n = o->filled, d = p->d;
    int usable = o->fresh && o->a == 1 && o->updates < MOST_UPDATES;
    for (int64_t j = 0; usable && j < n; j++) usable = o->weight[j] > 0;
    if (usable && o->ready < n) usable = o->ready > n / 2;               /* nobody has asked for most of P */
    if (usable) prepare_rows(p, w, o);
    if (!usable || o->ready < n) {
        o->fresh = 0;
        return;
    }
    memcpy(w->weighted, o->P, (size_t)(n * d) * sizeof(double));
    p->k->scale(n * d, -1, w->weighted);
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_C_LOWER, 1, d, d, n, (mat){w->weighted, 1, d}, dense_mat(o->P, d), dense_mat(o->R, d));
    mirror(p, o->R);
    o->updates++;
}

/* The buffer into the base. */
static void flush(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t d = p->d;
    if (o->filled == 0 && o->a == 1) return;
    if (p->window > 0) {
        p->k->row_dot(o->filled, d, NULL, o->K, d, o->K, d, w->c, 1);
        double size = trace(p, o);
        for (int64_t j = 0; j < o->filled; j++) size += fabs(o->weight[j]) * w->c[j];
        if (size > o->peak) o->peak = size;
    }
    if (o->filled > 0) {
        update_R(p, ps, w, o);
        add_rows(p, ps, w, o, o->filled);
    }
    if (o->a != 1) {
        p->k->scale(d * d, o->a, o->H);
        p->k->scale(d * p->dv, o->a, o->S);
        o->peak *= o->a;
        o->fresh = 0;
    }
    o->a = 1;
    o->filled = o->ready = 0;
    if (p->window == 0) return;
    if (!(trace(p, o) * LOST_DIGITS > o->peak) || o->since > 4 * p->window + 1024) form_anew(p, ps, w, o);
}

/* R = (H + Lambda)^-1 by Cholesky. */
static void refresh(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t d = p->d;
    mirror(p, o->H);
    memcpy(w->U, o->H, (size_t)(d * d) * sizeof(double));
    dense_cholesky(p->k, ps, w->dense, d, o->ridge, w->U, d);
    memset(o->R, 0, (size_t)(d * d) * sizeof(double));
    for (int64_t i = 0; i < d; i++) o->R[i * (d + 1)] = 1;
    dense_solve(p->k, ps, w->dense, d, w->U, d, d, o->R, d);
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < i; j++) o->R[i * d + j] = o->R[j * d + i] = (o->R[i * d + j] + o->R[j * d + i]) / 2;
    o->fresh = 1;
    o->updates = 0;
}

/* ---- M^-1 ---- */

/* c = X x for `sets` vectors x, X the first n rows of a buffer that is stored by columns (and a few numbers more). */
static void dots(const online_plan *p, int64_t n, int sets, const double *Xt, const double *x, double *c)
{
    const int64_t whole = n + 7 < p->rows ? (n + 7) / 8 * 8 : p->rows;
    p->k->combine(p->d, whole, sets, x, p->d, Xt, p->rows, 0, c, p->rows);
}

/* y (already R x) -= sum over the first n rows of s_j p_j c_j, c_j = p_j . x */
static void subtract_rows(const online_plan *p, int64_t n, const online *o, double *c, double *y)
{
    if (n == 0) return;
    p->k->multiply(n, c, o->sign, c);
    p->k->combine(n, p->d, 1, c, 0, o->P, p->d, 1, y, 0);
}

static void apply(const online_plan *p, const workspace *w, const online *o, const double *x, double *y)
{
    p->k->combine(p->d, p->d, 1, x, 0, o->R, p->d, 0, y, 0);
    if (o->ready == 0) return;
    dots(p, o->ready, 1, o->Pt, x, w->c);
    subtract_rows(p, o->ready, o, w->c, y);
}

static void set_column(const online_plan *p, double *Xt, int64_t j, const double *x)
{
    for (int64_t i = 0; i < p->d; i++) Xt[i * p->rows + j] = x[i];
}

/* The size of the terms of k . R k, which may cancel. */
static double terms_of(const online_plan *p, const online *o, const double *key)
{
    double sum = 0;
    for (int64_t i = 0; i < p->d; i++) sum += key[i] * key[i] * o->R[i * (p->d + 1)];
    return sum;
}

/* p of the next row, from r = R k on its way to M^-1 k and c = p_j . k; 0 when a row that leaves a window is so large that
 * digits would be lost. */
static int prepare_row(const online_plan *p, online *o, double *c, double *r)
{
    const int64_t j = o->ready;
    const double *key = o->K + j * p->d, weight = o->weight[j];
    subtract_rows(p, j, o, c, r);
    const double pivot = 1 + weight * dot(p, key, r);
    if (!(pivot > 0) || (weight < 0 && !(-weight * terms_of(p, o, key) < MOST_CANCELLED * pivot))) return 0;
    const double scale = sqrt(fabs(weight) / pivot);
    p->k->row_scale(1, p->d, &scale, 0, r, 0, o->P + j * p->d, 0);
    set_column(p, o->Pt, j, o->P + j * p->d);
    o->sign[j] = weight < 0 ? 1 : -1;                          /* of what is added */
    o->ready++;
    return 1;
}

static void prepare_rows(const online_plan *p, const workspace *w, online *o)
{
    while (o->ready < o->filled) {
        const double *key = o->K + o->ready * p->d;
        p->k->combine(p->d, p->d, 1, key, 0, o->R, p->d, 0, w->two, 0);
        if (o->ready > 0) dots(p, o->ready, 1, o->Pt, key, w->c);
        if (!prepare_row(p, o, w->c, w->two)) return;
    }
}

/* M^-1 is at hand. */
static void prepare(const online_plan *p, void *ps, const workspace *w, online *o)
{
    if (o->fresh) prepare_rows(p, w, o);
    if (o->fresh && o->ready == o->filled) return;
    flush(p, ps, w, o);
    refresh(p, ps, w, o);
}

/* x = (M + e Lambda)^-1 q from z = M^-1 q in x, by conjugate gradients. */
static void refine(const online_plan *p, const workspace *w, const online *o, const double *q, double *x)
{
    const int64_t d = p->d;
    const double e = 1 / o->a - 1, enough = 0x1p-98 * dot(p, q, q);       /* squares: 49 bits */
    double *r = w->vectors, *z = r + d, *s = z + d, *Ms = s + d, *As = Ms + d, rz = 0;
    memcpy(r, x, (size_t)d * sizeof(double));
    p->k->multiply(d, r, o->ridge, r);
    p->k->scale(d, -e, r);                                                /* q - (M + e Lambda) M^-1 q */
    for (int i = 0; i < MOST_STEPS && dot(p, r, r) > enough; i++) {
        const double before = rz;
        apply(p, w, o, r, z);
        rz = dot(p, r, z);
        const double turn = i ? rz / before : 0;
        if (i) p->k->scale(d, turn, s), p->k->scale(d, turn, Ms), add(p, 1, z, s), add(p, 1, r, Ms);
        else memcpy(s, z, (size_t)d * sizeof(double)), memcpy(Ms, r, (size_t)d * sizeof(double));
        p->k->multiply(d, s, o->ridge, As);
        p->k->scale(d, e, As);
        add(p, 1, Ms, As);
        const double step = rz / dot(p, s, As);
        add(p, step, s, x);
        add(p, -step, As, r);
    }
}

/* ---- rows and predictions ---- */

static void append(const online_plan *p, online *o, const double *key, const double *value, double weight)
{
    if (weight == 0) return;
    const int64_t j = o->filled++;
    memcpy(o->K + j * p->d, key, (size_t)p->d * sizeof(double));
    set_column(p, o->Kt, j, key);
    memcpy(o->V + j * p->dv, value, (size_t)p->dv * sizeof(double));
    o->weight[j] = weight / o->a;
}

/* The oldest row leaves, with what its weight has become. */
static void leave(const online_plan *p, online *o)
{
    const online_row r = online_row_at(p, o, 0);
    const double weight = -*r.weight * exp(o->clock - *r.clock);
    append(p, o, r.key, r.value, weight);
    count_row(p, o, r.value, weight);
    o->first = (o->first + 1) % p->window;
    o->kept--;
}

static void keep(const online_plan *p, online *o, const double *key, const double *value, double weight, double log_gate)
{
    const online_row r = online_row_at(p, o, o->kept++);
    memcpy(r.key, key, (size_t)p->d * sizeof(double));
    memcpy(r.value, value, (size_t)p->dv * sizeof(double));
    *r.weight = weight, *r.log_gate = log_gate, *r.clock = o->clock;
}

static void forget(const online_plan *p, void *ps, const workspace *w, online *o, double log_gate)
{
    const double gate = exp(log_gate);
    o->decay += log_gate;
    if (gate == 0) {
        empty_base(p, o);
        return;
    }
    if (o->a * gate < LEAST_GATE) {
        flush(p, ps, w, o);
        p->k->scale(p->d * p->d, gate, o->H);
        p->k->scale(p->d * p->dv, gate, o->S);
        o->peak *= gate;
        o->fresh = 0;
    } else {
        o->a *= gate;
    }
    o->clock += log_gate;
    o->total *= gate;
    for (int64_t c = 0; c < p->dv; c++) o->squares[c] *= gate;
}

void online_push(const online_plan *p, void *ps, void *scratch, online *o, const double *key, const double *value, double weight, double log_gate)
{
    arena a = {scratch, 0};
    const workspace w = lay_out(p, &a);
    if (log_gate != 0) forget(p, ps, &w, o, log_gate);
    const int full = p->window > 0 && o->kept == p->window;
    if (o->filled + 1 + full > p->rows) flush(p, ps, &w, o);
    if (full) leave(p, o);
    append(p, o, key, value, weight);
    count_row(p, o, value, weight);
    if (p->window > 0) keep(p, o, key, value, weight, log_gate), o->since++;
    o->count++;
    o->version++;
}

/* out = S_t^T x for a x */
static void output(const online_plan *p, const workspace *w, const online *o, const double *ax, double *out)
{
    p->k->combine(p->d, p->dv, 1, ax, 0, o->S, p->dv, 0, out, 0);
    if (o->filled == 0) return;
    dots(p, o->filled, 1, o->Kt, ax, w->c);
    p->k->multiply(o->filled, w->c, o->weight, w->c);
    p->k->combine(o->filled, p->dv, 1, w->c, 0, o->V, p->dv, 1, out, 0);
}

/* spread_j = sum of weighted squares of what the fit leaves of value j, and of the ridge: squares_j - s_j^T (H_t + Lambda)^-1 s_j >= 0. */
static void fill_spread(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t d = p->d, dv = p->dv;
    if (o->spread_version == o->version) return;
    flush(p, ps, w, o);
    if (!o->fresh) refresh(p, ps, w, o);
    double *s = w->two, *x = s + d;
    for (int64_t j = 0; j < dv; j++) {
        for (int64_t i = 0; i < d; i++) s[i] = o->S[i * dv + j];
        apply(p, w, o, s, x);
        o->spread[j] = fmax(0, o->squares[j] - dot(p, s, x));
    }
    o->spread_version = o->version;
}

void online_predict(const online_plan *p, void *ps, void *scratch, online *o, const double *q, double *out, double *error)
{
    arena a = {scratch, 0};
    const workspace w = lay_out(p, &a);
    if (error) fill_spread(p, ps, &w, o);
    prepare(p, ps, &w, o);
    double *x = w.two + p->d;
    apply(p, &w, o, q, x);
    if (o->a != 1) refine(p, &w, o, q, x);
    output(p, &w, o, x, out);
    for (int64_t j = 0; error && j < p->dv; j++) error[j] = o->total > 0 ? sqrt(dot(p, q, x) / o->a * o->spread[j] / o->total) : NAN;
}

void online_step(const online_plan *p, void *ps, void *scratch, online *o, const double *key, const double *value, double weight, double log_gate,
                 const double *q, double *out)
{
    online_push(p, ps, scratch, o, key, value, weight, log_gate);
    if (!o->fresh || o->a != 1 || o->ready + 1 != o->filled) {
        online_predict(p, ps, scratch, o, q, out, NULL);
        return;
    }
    arena a = {scratch, 0};
    const workspace w = lay_out(p, &a);
    const int64_t d = p->d, n = o->ready;
    double *r = w.two, *x = w.two + d;
    memcpy(w.vectors, o->K + n * d, (size_t)d * sizeof(double));
    memcpy(w.vectors + d, q, (size_t)d * sizeof(double));
    p->k->combine(d, d, 2, w.vectors, d, o->R, d, 0, w.two, d);          /* R k and R q */
    if (n > 0) dots(p, n, 2, o->Pt, w.vectors, w.c);
    if (!prepare_row(p, o, w.c, r)) {
        online_predict(p, ps, scratch, o, q, out, NULL);
        return;
    }
    double *c = w.c + p->rows;
    c[n] = dot(p, o->P + n * d, q);
    subtract_rows(p, n + 1, o, c, x);
    output(p, &w, o, x, out);
}

/* ---- whole states ---- */

void online_flush(const online_plan *p, void *ps, void *scratch, online *o)
{
    arena a = {scratch, 0};
    const workspace w = lay_out(p, &a);
    flush(p, ps, &w, o);
    mirror(p, o->H);
}

void online_settle(const online_plan *p, void *ps, void *scratch, online *o)
{
    arena a = {scratch, 0};
    const workspace w = lay_out(p, &a);
    flush(p, ps, &w, o);
    if (p->window > 0) form_anew(p, ps, &w, o);
    mirror(p, o->H);
    o->fresh = 0;
}

void online_merge(const online_plan *p, void *ps, void *scratch, online *into, const online *from)
{
    if (p->window > 0) {
        for (int64_t i = 0; i < from->kept; i++) {
            const online_row r = online_row_at(p, from, i);
            online_push(p, ps, scratch, into, r.key, r.value, *r.weight, *r.log_gate);
        }
        into->count += from->count - from->kept;
        return;
    }
    const double gate = exp(from->decay);
    online_settle(p, ps, scratch, into);
    p->k->scale(p->d * p->d, gate, into->H);
    p->k->scale(p->d * p->dv, gate, into->S);
    p->k->add(p->d * p->d, from->H, into->H);
    p->k->add(p->d * p->dv, from->S, into->S);
    for (int64_t c = 0; c < p->dv; c++) into->squares[c] = gate * into->squares[c] + from->squares[c];
    into->total = gate * into->total + from->total;
    into->decay += from->decay;
    into->count += from->count;
    online_changed(into);
}
