/* See widened.h. A panel of f32 has twice the lanes of one of f64, and is done in two halves, one
 * after the other. Backward goes through the pieces from the last to the first, each from its own
 * states: the sums over all tokens in front are made anew, so that memory does not grow with their
 * number. */
#include "mesa/widened.h"
#include "mesa/carried.h"
#include "mesa/chunk.h"
#include "mesa/systems.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { PIECES = 16 };                                  /* of a backward pass, at most */

typedef struct workspace {
    mesa_head h;                   /* T: tokens of a piece */
    mesa_operands m;               /* of a piece, f64 */
    void *sum;                     /* the ridge's gradient over all pieces */
    void *product, *core;
} workspace;

static mat rows_of(arena *a, const kern *wide, const mesa_head *h, int there, int64_t cols)
{
    if (!there) return (mat){NULL, 0, 0};
    char *space = arena_take(a, h->T * cols, wide->lanes * wide->size);
    return (mat){a->base ? space : "", cols, 1};
}

static void *state_of(arena *a, const kern *wide, int64_t rows, int64_t cols)
{
    char *space = arena_take(a, rows * cols, wide->lanes * wide->size);
    return a->base ? space : "";
}

static mesa_head head_of(const mesa_head *h, int backward)
{
    mesa_head wide = *h;
    const int64_t region = systems_region(h->chunk), share = (h->T + PIECES - 1) / PIECES;
    wide.T = backward && share > region ? (share + h->chunk - 1) / h->chunk * h->chunk : region;
    if (wide.T > h->T) wide.T = h->T;
    if (!h->strict) wide.tolerance = MESA_TOLERANCE_F64;
    return wide;
}

/* Sums of keys and values only. */
typedef struct summing { mat high, low, D; void *K, *BK, *BV; carried H, S; } summing;

static summing summing_take(arena *a, const kern *wide, const mesa_head *h, int gates)
{
    const int64_t C = h->chunk, real = wide->lanes * wide->size;
    summing s = {.high = rows_of(a, wide, h, gates, 1), .low = rows_of(a, wide, h, gates, 1)};
    s.D = chunk_space(a, wide, gates, C);
    s.K = arena_take(a, C * h->d, real), s.BK = arena_take(a, C * h->d, real),
    s.BV = arena_take(a, C * h->dv, real);
    s.H = carried_take(a, wide, h->d, h->d), s.S = carried_take(a, wide, h->d, h->dv);
    return s;
}

static workspace lay_out(arena *a, const kern *k, const mesa_head *h, const mesa_operands *has,
                         int backward)
{
    const kern *wide = k->f64;
    workspace w = {.h = head_of(h, backward)};
    const int64_t d = h->d, dv = h->dv;
    mesa_operands *m = &w.m;
#define ROWS(name, cols) m->name = rows_of(a, wide, &w.h, has->name.p != NULL, cols)
    ROWS(Q, d), ROWS(K, d), ROWS(V, dv), ROWS(beta, 1), ROWS(log_gamma, 1), ROWS(O, dv),
        ROWS(dO, dv), ROWS(dQ, d), ROWS(dK, d), ROWS(dV, dv), ROWS(dbeta, 1);
    ROWS(dlog_gamma, 1), ROWS(certificate.residual, 1), ROWS(certificate.iterations, 1),
        ROWS(certificate.condition, 1), ROWS(missed, 1);
    if (!backward) ROWS(X, d);
#undef ROWS
    m->ridge = state_of(a, wide, 1, d);
    m->H0 = state_of(a, wide, d, d), m->S0 = state_of(a, wide, d, dv);
    if (backward) {
        m->dHT = state_of(a, wide, d, d), m->dST = state_of(a, wide, d, dv),
        m->dH0 = state_of(a, wide, d, d), m->dS0 = state_of(a, wide, d, dv);
        if (has->dridge) m->dridge = state_of(a, wide, 1, d), w.sum = state_of(a, wide, 1, d);
    } else {
        m->HT = state_of(a, wide, d, d), m->ST = state_of(a, wide, d, dv);
    }
    w.product = arena_take(a, kern_product_scratch(wide), 1);
    arena sums = {0};
    summing_take(&sums, wide, &w.h, has->log_gamma.p != NULL);
    int64_t core = mesa_scratch(wide, &w.h, m, backward);
    w.core = arena_take(a, core < 0 || sums.used < 0 ? -1 : core > sums.used ? core : sums.used, 1);
    return w;
}

/* Of a certificate. */
typedef struct certifying {
    mesa_head h;
    systems s;
    mat B, X, log_gamma;
    void *H[2], *product, *core;
} certifying;

static certifying lay_out_certifying(arena *a, const kern *k, const mesa_head *h,
                                     const mesa_operands *has)
{
    const kern *wide = k->f64;
    certifying w = {.h = head_of(h, 0)};
    const int64_t d = h->d;
    const int gates = has->log_gamma.p != NULL;
    systems *s = &w.s;
    *s = (systems){.d = d, .chunk = h->chunk, .solver = MESA_CHOLESKY};
    s->s.K = rows_of(a, wide, &w.h, 1, d),
    s->s.beta = rows_of(a, wide, &w.h, has->beta.p != NULL, 1);
    w.log_gamma = s->s.high = rows_of(a, wide, &w.h, gates, 1),
    s->s.low = rows_of(a, wide, &w.h, gates, 1);
    w.B = rows_of(a, wide, &w.h, 1, d), w.X = rows_of(a, wide, &w.h, 1, d);
    s->certificate.residual = rows_of(a, wide, &w.h, 1, 1),
    s->missed = rows_of(a, wide, &w.h, 1, 1);
    s->ridge = state_of(a, wide, 1, d);
    for (int i = 0; i < 2; i++) w.H[i] = state_of(a, wide, d, d);
    w.product = arena_take(a, kern_product_scratch(wide), 1);
    w.core = arena_take(a, systems_scratch(wide, s), 1);
    return w;
}

int64_t widened_scratch(const kern *k, const mesa_head *h, const mesa_operands *has, int backward)
{
    arena a = {0}, c = {0};
    lay_out(&a, k, h, has, backward);
    if (has->certificate.residual.p) lay_out_certifying(&c, k, h, has);
    return a.used < 0 || c.used < 0 ? -1 : a.used > c.used ? a.used : c.used;
}

/* ---- between the types ---- */

static void widen(const kern *k, int half, int64_t rows, int64_t cols, mat from, mat to)
{
    const int64_t lanes = k->f64->lanes;
    if (!from.p) return;
    for (int64_t t = 0; t < rows; t++)
        for (int64_t j = 0; j < cols; j++) {
            const float *x =
                (const float *)kern_at(k, from.p, t * from.rs + j * from.cs) + half * lanes;
            double *y = kern_at(k->f64, to.p, t * to.rs + j);
            for (int64_t l = 0; l < lanes; l++) y[l] = (double)x[l];
        }
}

/* Numbers beyond `most` become it; INFINITY: they stay infinite. */
static void narrow(const kern *k, int half, int64_t rows, int64_t cols, double most, mat from,
                   mat to)
{
    const int64_t lanes = k->f64->lanes;
    if (!to.p) return;
    for (int64_t t = 0; t < rows; t++)
        for (int64_t j = 0; j < cols; j++) {
            const double *x = kern_at(k->f64, from.p, t * from.rs + j);
            float *y = (float *)kern_at(k, to.p, t * to.rs + j * to.cs) + half * lanes;
            for (int64_t l = 0; l < lanes; l++) y[l] = (float)(x[l] > most ? most : x[l]);
        }
}

/* Of all tokens, its rows in the piece, whether it is a certificate. */
typedef struct column { mat all, piece; int64_t cols; int certificate; } column;

static void read_piece(const kern *k, const workspace *w, const mesa_operands *m, int half,
                       int64_t t, int64_t n)
{
    const mesa_operands *p = &w->m;
    const int64_t d = w->h.d, dv = w->h.dv;
    const column in[] = {{m->Q, p->Q, d, 0},
                         {m->K, p->K, d, 0},
                         {m->V, p->V, dv, 0},
                         {m->beta, p->beta, 1, 0},
                         {m->log_gamma, p->log_gamma, 1, 0},
                         {m->dO, p->dO, dv, 0}};
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        widen(k, half, n, in[i].cols, rows_from(k, in[i].all, t), in[i].piece);
}

static void write_piece(const kern *k, const workspace *w, const mesa_operands *m, int half,
                        int64_t t, int64_t n)
{
    const mesa_operands *p = &w->m;
    const mesa_certificate *c = &m->certificate, *pc = &p->certificate;
    const int64_t d = w->h.d, dv = w->h.dv;
    const column out[] = {{m->O, p->O, dv, 0},
                          {p->X.p ? m->X : (mat){NULL, 0, 0}, p->X, d, 0},
                          {m->dQ, p->dQ, d, 0},
                          {m->dK, p->dK, d, 0},
                          {m->dV, p->dV, dv, 0},
                          {m->dbeta, p->dbeta, 1, 0},
                          {m->dlog_gamma, p->dlog_gamma, 1, 0},
                          {m->missed, p->missed, 1, 1},
                          {c->residual, pc->residual, 1, 1},
                          {c->iterations, pc->iterations, 1, 1},
                          {c->condition, pc->condition, 1, 1}};
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        narrow(k, half, n, out[i].cols, out[i].certificate ? (double)FLT_MAX : (double)INFINITY,
               out[i].piece, rows_from(k, out[i].all, t));
}

static void read_state(const kern *k, int half, int64_t rows, int64_t cols, const void *from,
                       void *to)
{
    if (from) widen(k, half, rows, cols, (mat){(void *)from, cols, 1}, (mat){to, cols, 1});
    else memset(to, 0, bytes_of(k->f64, rows, cols));
}

static void write_state(const kern *k, int half, int64_t rows, int64_t cols, const void *from,
                        void *to)
{
    narrow(k, half, rows, cols, (double)INFINITY, (mat){(void *)from, cols, 1}, (mat){to, cols, 1});
}

/* ---- states ---- */

static int64_t piece_at(const workspace *w, int64_t t, int64_t end)
{
    return end - t < w->h.T ? end - t : w->h.T;
}

/* H and S over the n tokens of the piece. */
static void sum_piece(const kern *wide, const workspace *w, summing *s, int64_t n)
{
    const mesa_operands *m = &w->m;
    const stream all = {n, m->K, m->beta, s->high, s->low};
    if (s->high.p) wide->gates(n * wide->lanes, m->log_gamma.p, s->high.p, s->low.p);
    for (int64_t t = 0, C; t < n; t += C) {
        C = n - t < w->h.chunk ? n - t : w->h.chunk;
        const chunk c = chunk_at(wide, &all, s->D, t, C);
        const mat wKt = transposed(chunk_weighted(wide, C, w->h.d, c.w, c.K, s->K));
        carried_advance(wide, w->product, &s->H, c.whole, C, wKt,
                        chunk_weighted(wide, C, w->h.d, c.beta, c.K, s->BK));
        carried_advance(wide, w->product, &s->S, c.whole, C, wKt,
                        chunk_weighted(wide, C, w->h.dv, c.beta, rows_from(wide, m->V, t), s->BV));
    }
}

/* H and S in front of token t into w->m.H0 and S0; fills and leaves pieces. */
static void states_before(const kern *k, const workspace *w, const mesa_operands *m, int half,
                          int64_t t)
{
    const kern *wide = k->f64;
    arena a = {w->core, 0};
    summing s = summing_take(&a, wide, &w->h, m->log_gamma.p != NULL);
    void *H = (void *)w->m.H0, *S = (void *)w->m.S0;
    read_state(k, half, w->h.d, w->h.d, m->H0, H), read_state(k, half, w->h.d, w->h.dv, m->S0, S);
    if (t == 0) return;
    carried_set(wide, &s.H, H), carried_set(wide, &s.S, S);
    for (int64_t i = 0, n; i < t && !kern_stopped(k); i += n) {
        n = piece_at(w, i, t);
        read_piece(k, w, m, half, i, n);
        sum_piece(wide, w, &s, n);
    }
    carried_get(wide, &s.H, H), carried_get(wide, &s.S, S);
}

static mesa_head head_of_piece(const workspace *w, int64_t n)
{
    mesa_head h = w->h;
    h.T = n;
    if (h.chunk > n) h.chunk = n;
    return h;
}

/* ---- passes ---- */

static int halves_of(const kern *k) { return (int)(k->lanes / k->f64->lanes); }

void widened_forward(const kern *k, const mesa_head *h, void *scratch, const mesa_operands *m,
                     int64_t t0)
{
    arena a = {scratch, 0};
    workspace w = lay_out(&a, k, h, m, 0);
    for (int half = 0; half < halves_of(k); half++) {
        read_state(k, half, 1, h->d, m->ridge, (void *)w.m.ridge);
        states_before(k, &w, m, half, t0);
        for (int64_t t = t0, n; t < h->T && !kern_stopped(k); t += n) {
            n = piece_at(&w, t, h->T);
            const mesa_head piece = head_of_piece(&w, n);
            read_piece(k, &w, m, half, t, n);
            mesa_forward(k->f64, &piece, w.product, w.core, &w.m);
            write_piece(k, &w, m, half, t, n);
            memcpy((void *)w.m.H0, w.m.HT, bytes_of(k->f64, h->d, h->d)),
                memcpy((void *)w.m.S0, w.m.ST, bytes_of(k->f64, h->d, h->dv));
        }
        write_state(k, half, h->d, h->d, w.m.H0, m->HT),
            write_state(k, half, h->d, h->dv, w.m.S0, m->ST);
    }
}

/* Piece t .. t + n - 1, whose final states have their gradients in w->m.dHT and dST; afterwards
 * these are those of its first states. */
static void backward_piece(const kern *k, workspace *w, const mesa_operands *m, int half, int64_t t,
                           int64_t n)
{
    const kern *wide = k->f64;
    const mesa_head piece = head_of_piece(w, n);
    states_before(k, w, m, half, t);
    read_piece(k, w, m, half, t, n);
    mesa_backward(wide, &piece, w->product, w->core, &w->m);
    write_piece(k, w, m, half, t, n);
    memcpy((void *)w->m.dHT, w->m.dH0, bytes_of(wide, w->h.d, w->h.d)),
        memcpy((void *)w->m.dST, w->m.dS0, bytes_of(wide, w->h.d, w->h.dv));
    if (w->sum) wide->add(w->h.d * wide->lanes, w->m.dridge, w->sum);
}

void widened_backward(const kern *k, const mesa_head *h, void *scratch, const mesa_operands *m)
{
    arena a = {scratch, 0};
    workspace w = lay_out(&a, k, h, m, 1);
    const int64_t d = h->d, dv = h->dv;
    for (int half = 0; half < halves_of(k); half++) {
        read_state(k, half, 1, d, m->ridge, (void *)w.m.ridge);
        read_state(k, half, d, d, m->dHT, (void *)w.m.dHT),
            read_state(k, half, d, dv, m->dST, (void *)w.m.dST);
        if (w.sum) memset(w.sum, 0, bytes_of(k->f64, 1, d));
        for (int64_t t = (h->T - 1) / w.h.T * w.h.T; t >= 0 && !kern_stopped(k); t -= w.h.T)
            backward_piece(k, &w, m, half, t, piece_at(&w, t, h->T));
        write_state(k, half, d, d, w.m.dHT, m->dH0), write_state(k, half, d, dv, w.m.dST, m->dS0);
        if (w.sum) write_state(k, half, 1, d, w.sum, m->dridge);
    }
}

void widened_certify(const kern *k, const mesa_head *h, void *scratch, const mesa_operands *m,
                     mat B, mat X, int64_t t1)
{
    const kern *wide = k->f64;
    arena a = {scratch, 0};
    certifying w = lay_out_certifying(&a, k, h, m);
    systems *s = &w.s;
    s->H0 = w.H[0], s->HT = w.H[1];
    for (int half = 0; half < halves_of(k); half++) {
        read_state(k, half, 1, h->d, m->ridge, (void *)s->ridge),
            read_state(k, half, h->d, h->d, m->H0, w.H[0]);
        for (int64_t t = 0, n; t < t1 && !kern_stopped(k); t += n) {
            const column in[] = {{m->K, s->s.K, h->d, 0},
                                 {m->beta, s->s.beta, 1, 0},
                                 {m->log_gamma, w.log_gamma, 1, 0},
                                 {B, w.B, h->d, 0},
                                 {X, w.X, h->d, 0},
                                 {m->missed, s->missed, 1, 0}};
            n = s->s.T = t1 - t < w.h.T ? t1 - t : w.h.T;
            for (size_t i = 0; i < sizeof in / sizeof *in; i++)
                widen(k, half, n, in[i].cols, rows_from(k, in[i].all, t), in[i].piece);
            if (w.log_gamma.p) wide->gates(n * wide->lanes, w.log_gamma.p, s->s.high.p, s->s.low.p);
            systems_certify(wide, s, w.product, w.core, w.B, w.X);
            narrow(k, half, n, 1, (double)FLT_MAX, s->certificate.residual,
                   rows_from(k, m->certificate.residual, t));
            memcpy(w.H[0], w.H[1], bytes_of(wide, h->d, h->d));
        }
    }
}
