/* See upcast.h. A panel of f32 has twice the lanes of one of f64, and is done in two halves, one
 * after the other. Backward goes through the pieces from the last to the first, each from its own
 * states: the sums over all tokens in front are made anew, so that memory does not grow with their
 * number. */
#include "mesa/upcast.h"
#include "mesa/certify.h"
#include <float.h>
#include <math.h>

enum { PIECES = 16 };                                  /* of a backward pass, at most */

/* ---- what goes to f64 and back ---- */

enum { ONE, KEY, VALUE };                              /* columns */
enum { IN = 1, OUT = 2, BOUNDED = 4, FORWARD = 8 };    /* BOUNDED: a certificate, infinite numbers
                                                          become the largest; FORWARD: only there */
typedef struct column { size_t at; int cols, use; } column;
static const column columns[] = {
    {offsetof(mesa_operands, Q), KEY, IN},
    {offsetof(mesa_operands, K), KEY, IN},
    {offsetof(mesa_operands, V), VALUE, IN},
    {offsetof(mesa_operands, beta), ONE, IN},
    {offsetof(mesa_operands, log_gamma), ONE, IN},
    {offsetof(mesa_operands, dO), VALUE, IN},
    {offsetof(mesa_operands, O), VALUE, OUT | FORWARD},
    {offsetof(mesa_operands, X), KEY, OUT | FORWARD},
    {offsetof(mesa_operands, dQ), KEY, OUT},
    {offsetof(mesa_operands, dK), KEY, OUT},
    {offsetof(mesa_operands, dV), VALUE, OUT},
    {offsetof(mesa_operands, dbeta), ONE, OUT},
    {offsetof(mesa_operands, dlog_gamma), ONE, OUT},
    {offsetof(mesa_operands, missed), ONE, OUT | BOUNDED},
    {offsetof(mesa_operands, certificate.residual), ONE, OUT | BOUNDED},
    {offsetof(mesa_operands, certificate.iterations), ONE, OUT | BOUNDED},
    {offsetof(mesa_operands, certificate.condition), ONE, OUT | BOUNDED}};
enum { COLUMNS = sizeof columns / sizeof *columns };

static mat *column_of(const mesa_operands *m, const column *c)
{
    return (mat *)((char *)m + c->at);
}

typedef struct upcast {
    const kern *f32;
    mesa_worker w;                 /* of f64 */
    mesa_options o;                /* T: tokens of a piece */
    mesa_operands m;               /* of a piece */
    int64_t cols[VALUE + 1];
    int half;                      /* of the panel */
    void *sum;                     /* the ridge's gradient over all pieces */
} upcast;

static int64_t piece_of(const layer *l, int backward)
{
    const int64_t T = l->o->T, chunk = l->o->chunk, share = (T + PIECES - 1) / PIECES;
    const int64_t rows =
        backward && share > l->c.region ? (share + chunk - 1) / chunk * chunk : l->c.region;
    return least(rows, T);
}

static upcast take_upcast(mesa_worker w, const layer *l, int backward)
{
    upcast u = {.f32 = w.k, .w = w, .o = *l->o, .cols = {1, l->o->d, l->o->dv}};
    u.w.k = w.k->f64;
    u.w.product = arena_take(&u.w.memory, kern_product_scratch(u.w.k), 1);
    u.o.T = piece_of(l, backward);
    if (!u.o.strict) u.o.tolerance = MESA_TOLERANCE_F64;
    u.m.ridge = take(&u.w, u.o.d);
    u.m.H0 = take(&u.w, u.o.d * u.o.d);
    return u;
}

static upcast take_pieces(mesa_worker w, const layer *l)
{
    upcast u = take_upcast(w, l, l->backward);
    const int64_t d = u.o.d, dv = u.o.dv;
    for (const column *c = columns; c < columns + COLUMNS; c++)
        if (column_of(&l->m, c)->p && !(l->backward && c->use & FORWARD))
            *column_of(&u.m, c) = take_rows(&u.w, u.o.T, u.cols[c->cols]);
    u.m.S0 = take(&u.w, d * dv);
    if (!l->backward) {
        u.m.HT = take(&u.w, d * d), u.m.ST = take(&u.w, d * dv);
        return u;
    }
    u.m.dHT = take(&u.w, d * d), u.m.dST = take(&u.w, d * dv);
    u.m.dH0 = take(&u.w, d * d), u.m.dS0 = take(&u.w, d * dv);
    if (l->m.dridge) u.m.dridge = take(&u.w, d), u.sum = take(&u.w, d);
    return u;
}

/* Sums of keys and values only. */
typedef struct sums { tokens s; mat D; void *K, *BK, *BV; state H, S; } sums;

static sums take_sums(mesa_worker *w, const upcast *u)
{
    const int64_t C = u->o.chunk, d = u->o.d;
    const gates g = gates_take(w, u->m.log_gamma.p != NULL, u->o.T);
    sums s = {.s = {u->o.T, d, u->m.K, u->m.beta, g}};
    s.D = chunk_space(w, &s.s, C);
    s.K = take(w, C * d), s.BK = take(w, C * d), s.BV = take(w, C * u->o.dv);
    s.H = state_take(w, d, d), s.S = state_take(w, d, u->o.dv);
    return s;
}

/* Of a certificate: a layer of which nothing else is there. */
typedef struct certified { layer l; mat B, X; void *HT; } certified;

static certified take_certified(upcast *u, const layer *l)
{
    const int64_t T = u->o.T, d = u->o.d;
    const int gated = l->m.log_gamma.p != NULL;
    certified c = {.l = {.o = &u->o}};
    c.l.s = (tokens){T, d, take_rows(&u->w, T, d), {NULL, 0, 0}, gates_take(&u->w, gated, T)};
    if (l->m.beta.p) c.l.s.beta = take_rows(&u->w, T, 1);
    if (gated) u->m.log_gamma = take_rows(&u->w, T, 1);
    u->m.missed = take_rows(&u->w, T, 1), u->m.certificate.residual = take_rows(&u->w, T, 1);
    c.B = take_rows(&u->w, T, d), c.X = take_rows(&u->w, T, d);
    c.HT = take(&u->w, d * d);
    c.l.m = u->m;
    return c;
}

int64_t upcast_bytes(mesa_worker w, const layer *l)
{
    const upcast u = take_pieces(w, l);
    upcast without = take_upcast(w, l, 0);
    mesa_worker piece = u.w, summing = u.w;
    const layer f = layer_take(&piece, &u.o, &u.m, l->backward);
    take_sums(&summing, &u);
    const int64_t bytes = most_bytes(layer_bytes(piece, &f), summing.memory.used);
    if (!l->m.certificate.residual.p) return bytes;
    const certified c = take_certified(&without, l);
    return most_bytes(bytes, certify_bytes(without.w, &c.l));
}

/* ---- between the types ---- */

/* One number of each lane: what the compiler knows is the usual width. */
#define EACH_LANE(statement) \
    if (lanes == 4) \
        for (int64_t i = 0; i < 4; i++) statement; \
    else \
        for (int64_t i = 0; i < lanes; i++) statement

static const float *f32_at(const upcast *u, const void *p, int64_t element)
{
    return (const float *)kern_at(u->f32, p, element) + u->half * u->w.k->lanes;
}

static void widen(const upcast *u, int64_t rows, int64_t cols, mat from, mat to)
{
    const int64_t lanes = u->w.k->lanes;
    for (int64_t t = 0; from.p && t < rows; t++)
        for (int64_t j = 0; j < cols; j++) {
            const float *restrict x = f32_at(u, from.p, t * from.rs + j * from.cs);
            double *restrict y = kern_at(u->w.k, to.p, t * to.rs + j);
            EACH_LANE(y[i] = (double)x[i]);
        }
}

/* Numbers beyond `most` become it; INFINITY: they stay infinite. */
static void narrow(const upcast *u, int64_t rows, int64_t cols, double most, mat from, mat to)
{
    const int64_t lanes = u->w.k->lanes;
    for (int64_t t = 0; to.p && t < rows; t++)
        for (int64_t j = 0; j < cols; j++) {
            const double *restrict x = kern_at(u->w.k, from.p, t * from.rs + j);
            float *restrict y = (float *)f32_at(u, to.p, t * to.rs + j * to.cs);
            EACH_LANE(y[i] = (float)(x[i] > most ? most : x[i]));
        }
}

/* Tokens t .. t + n - 1. */
static void read_piece(const upcast *u, const layer *l, int64_t t, int64_t n)
{
    for (const column *c = columns; c < columns + COLUMNS; c++)
        if (c->use & IN)
            widen(u, n, u->cols[c->cols], rows_from(u->f32, *column_of(&l->m, c), t),
                  *column_of(&u->m, c));
}

static void write_piece(const upcast *u, const layer *l, int64_t t, int64_t n)
{
    for (const column *c = columns; c < columns + COLUMNS; c++)
        if (c->use & OUT && column_of(&u->m, c)->p)
            narrow(u, n, u->cols[c->cols], c->use & BOUNDED ? (double)FLT_MAX : (double)INFINITY,
                   *column_of(&u->m, c), rows_from(u->f32, *column_of(&l->m, c), t));
}

static void read_state(const upcast *u, int64_t rows, int64_t cols, const void *from,
                       const void *to)
{
    if (from) widen(u, rows, cols, dense(from, cols), dense(to, cols));
    else memset((void *)to, 0, bytes_of(u->w.k, rows, cols));
}

static void write_state(const upcast *u, int64_t rows, int64_t cols, const void *from, void *to)
{
    narrow(u, rows, cols, (double)INFINITY, dense(from, cols), dense(to, cols));
}

/* Of twice the precision: to += what follows the n numbers of `from`. */
static void read_low(const upcast *u, int64_t n, const void *from, const void *to)
{
    const int64_t lanes = u->w.k->lanes;
    for (int64_t e = 0; e < n; e++) {
        const float *restrict x = f32_at(u, from, n + e);
        double *restrict y = kern_at(u->w.k, to, e);
        EACH_LANE(y[i] += (double)x[i]);
    }
}

/* Behind the n numbers of `to`: what rounding has left. */
static void write_low(const upcast *u, int64_t n, const void *from, void *to)
{
    const int64_t lanes = u->w.k->lanes;
    for (int64_t e = 0; e < n; e++) {
        const double *restrict x = kern_at(u->w.k, from, e);
        float *restrict y = (float *)f32_at(u, to, n + e);
        EACH_LANE(y[i] = (float)(x[i] - (double)(float)x[i]));
    }
}

/* H0 and S0 of the layer; S0 unless there is no place for it. */
static void read_first(const upcast *u, const layer *l)
{
    const int64_t d = u->o.d, dv = u->o.dv;
    read_state(u, d, d, l->m.H0, u->m.H0);
    if (l->m.twice) read_low(u, d * d, l->m.H0, u->m.H0);
    if (!u->m.S0) return;
    read_state(u, d, dv, l->m.S0, u->m.S0);
    if (l->m.twice) read_low(u, d * dv, l->m.S0, u->m.S0);
}

static void move_state(const upcast *u, int64_t cols, const void *from, const void *to)
{
    memcpy((void *)to, from, bytes_of(u->w.k, u->o.d, cols));
}

/* ---- states ---- */

/* H and S over the n tokens of the piece. */
static void sum_piece(const upcast *u, sums *s, int64_t n)
{
    const kern *k = u->w.k;
    const int64_t d = u->o.d, dv = u->o.dv;
    s->s.T = n;
    gates_split(k, n, u->m.log_gamma, s->s.gamma);
    for (int64_t t = 0; t < n; t += u->o.chunk) {
        const chunk c = chunk_at(k, &s->s, s->D, t, u->o.chunk);
        const mat wKt = transposed(chunk_weighted(k, c.C, d, c.w, c.K, s->K));
        state_advance(&u->w, &s->H, c.whole, c.C, wKt,
                      chunk_weighted(k, c.C, d, c.beta, c.K, s->BK));
        state_advance(&u->w, &s->S, c.whole, c.C, wKt,
                      chunk_weighted(k, c.C, dv, c.beta, rows_from(k, u->m.V, t), s->BV));
    }
}

/* H and S in front of token t into u->m.H0 and S0; fills and leaves pieces. */
static void states_before(const upcast *u, const layer *l, int64_t t)
{
    const kern *k = u->w.k;
    mesa_worker w = u->w;
    sums s = take_sums(&w, u);
    read_first(u, l);
    if (t == 0) return;
    state_set(k, &s.H, u->m.H0), state_set(k, &s.S, u->m.S0);
    for (int64_t i = 0, n; i < t && !kern_stopped(k); i += n) {
        n = least(u->o.T, t - i);
        read_piece(u, l, i, n);
        sum_piece(u, &s, n);
    }
    state_get(k, &s.H, (void *)u->m.H0), state_get(k, &s.S, (void *)u->m.S0);
}

/* ---- passes ---- */

static int halves_of(const upcast *u) { return u->f32->lanes / u->w.k->lanes; }

static void run_piece(const upcast *u, const layer *l, int64_t t, int64_t n)
{
    mesa_options o = u->o;
    mesa_worker w = u->w;
    o.T = n, o.chunk = least(o.chunk, n);
    const layer piece = layer_take(&w, &o, &u->m, l->backward);
    read_piece(u, l, t, n);
    layer_measure(&w, &piece);
    if (l->backward) layer_backward(&w, &piece);
    else layer_forward(&w, &piece);
    write_piece(u, l, t, n);
}

void upcast_forward(mesa_worker w, const layer *l, const mesa_operands *m)
{
    upcast u = take_pieces(w, l);
    const int64_t d = u.o.d, dv = u.o.dv, T = l->o->T;
    for (; u.half < halves_of(&u); u.half++) {
        read_state(&u, 1, d, l->m.ridge, u.m.ridge);
        states_before(&u, l, l->s.T);
        for (int64_t t = l->s.T; t < T && !kern_stopped(u.w.k); t += u.o.T) {
            run_piece(&u, l, t, least(u.o.T, T - t));
            move_state(&u, d, u.m.HT, u.m.H0), move_state(&u, dv, u.m.ST, u.m.S0);
        }
        write_state(&u, d, d, u.m.H0, m->HT), write_state(&u, d, dv, u.m.S0, m->ST);
        if (!m->twice) continue;
        write_low(&u, d * d, u.m.H0, m->HT), write_low(&u, d * dv, u.m.S0, m->ST);
    }
}

/* dHT and dST of a piece, and afterwards those of the one in front. */
void upcast_backward(mesa_worker w, const layer *l)
{
    upcast u = take_pieces(w, l);
    const kern *k = u.w.k;
    const int64_t d = u.o.d, dv = u.o.dv, T = l->o->T;
    for (; u.half < halves_of(&u); u.half++) {
        read_state(&u, 1, d, l->m.ridge, u.m.ridge);
        read_state(&u, d, d, l->m.dHT, u.m.dHT), read_state(&u, d, dv, l->m.dST, u.m.dST);
        if (u.sum) memset(u.sum, 0, bytes_of(k, 1, d));
        for (int64_t t = (T - 1) / u.o.T * u.o.T; t >= 0 && !kern_stopped(k); t -= u.o.T) {
            states_before(&u, l, t);
            run_piece(&u, l, t, least(u.o.T, T - t));
            move_state(&u, d, u.m.dH0, u.m.dHT), move_state(&u, dv, u.m.dS0, u.m.dST);
            if (u.sum) k->add(d * k->lanes, u.m.dridge, u.sum);
        }
        write_state(&u, d, d, u.m.dHT, l->m.dH0), write_state(&u, d, dv, u.m.dST, l->m.dS0);
        if (u.sum) write_state(&u, 1, d, u.sum, l->m.dridge);
    }
}

/* Tokens from t on; B and X: of all. */
static void read_certified(const upcast *u, const layer *l, const certified *c, int64_t t, mat B,
                           mat X)
{
    const tokens *s = &c->l.s;
    const struct { mat all, piece; } in[] = {{l->m.K, s->K},
                                             {B, c->B},
                                             {X, c->X},
                                             {l->m.beta, s->beta},
                                             {l->m.log_gamma, u->m.log_gamma},
                                             {l->m.missed, u->m.missed}};
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        widen(u, s->T, i < 3 ? s->d : 1, rows_from(u->f32, in[i].all, t), in[i].piece);
    gates_split(u->w.k, s->T, u->m.log_gamma, s->gamma);
}

void upcast_certify(mesa_worker w, const layer *l, mat B, mat X)
{
    if (!l->m.certificate.residual.p) return;
    upcast u = take_upcast(w, l, 0);
    certified c = take_certified(&u, l);
    layer *p = &c.l;
    const int64_t d = u.o.d, T = l->s.T;
    for (; u.half < halves_of(&u); u.half++) {
        read_state(&u, 1, d, l->m.ridge, u.m.ridge), read_first(&u, l);
        for (int64_t t = 0; t < T && !kern_stopped(u.w.k); t += p->s.T) {
            p->s.T = least(u.o.T, T - t);
            read_certified(&u, l, &c, t, B, X);
            certify(u.w, p, c.B, c.X, c.HT);
            narrow(&u, p->s.T, 1, (double)FLT_MAX, u.m.certificate.residual,
                   rows_from(u.f32, l->m.certificate.residual, t));
            move_state(&u, d, c.HT, u.m.H0);
        }
    }
}
