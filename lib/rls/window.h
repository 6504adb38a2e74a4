/* Rows that are kept, and the digits that a window loses when they leave.
 *
 * A window keeps its rows: the one that leaves is taken out again as a row of negative weight; when
 * sums have lost digits that way (after a row far larger than what is left), or after some windows,
 * they are formed anew from the rows. Without a window the first rows are kept, as long as the
 * regression is young. */
#ifndef RLS_WINDOW_H
#define RLS_WINDOW_H

#include "rls/sums.h"

/* A row as it came; clock: of the window, after its gate. */
typedef struct kept_row { double *key, *value, *weight, *log_gate, *clock; } kept_row;

typedef struct window {
    double *ring;                  /* p->ring x (d + dv + 3) */
    int64_t first, kept;
    int young;                     /* no window, and all rows so far are kept */
    double clock;                  /* sum of log gates since the last gate of 0 */
    double *size, *before, *noise; /* 1 + dv + d + dv each: total, squares, diagonal of H and what
                                      values leave; the same before the last row; the sum of squares
                                      of their roundings since they were formed from rows, in units
                                      of them */
    int lost;                      /* some have few digits left */
    int64_t since;                 /* rows since the sums were formed from rows */
} window;

void window_take(const rls_plan *p, arena *a, window *w);
void window_empty(const rls_plan *p, window *w);

/* ---- rows ---- */

kept_row window_row(const rls_plan *p, const window *w, int64_t i);    /* i-th oldest, i < p->ring
                                                                        */
static inline int window_full(const rls_plan *p, const window *w)      /* a row has to leave */
{
    return p->window > 0 && w->kept == p->window;
}
void window_keep(const rls_plan *p, window *w, const double *key, const double *value,
                 double weight, double log_gate);
/* What a row's weight has become. */
double window_weight(const window *w, const kept_row *r);
/* The oldest row leaves; it stays readable until another one is kept. */
kept_row window_leave(const rls_plan *p, window *w);
void window_grow_up(window *w);    /* none are kept any longer; not with a window */

/* ---- digits ----
 *
 * A sum of size x is rounded by up to 2^-53 x, and keeps that when a row far larger than what is
 * left takes itself out again; roundings of many rows add up as their squares. Counted are the sums
 * of weights, of squares of each value and, beside the ridge, of squares of each key: an element of
 * H or S is at most the root of two of the last, and so is its noise (Cauchy and Schwarz). What
 * values leave has sums of its own. */

void window_forget(const rls_plan *p, window *w, double log_gate, double gate);
/* A row, of negative weight when it leaves. u: what its values leave. */
void window_count(const rls_plan *p, window *w, const double *key, const double *value,
                  const double *u, double weight);
/* The sums as they are count as exact; window_formed: formed anew from the rows. None waits. */
void window_exact(const rls_plan *p, window *w, const sums *s, const double *left);
void window_formed(const rls_plan *p, window *w, const sums *s, const double *left);
/* A row has come, and one may have left: have sums lost digits? Then they are to be formed anew. */
void window_judge(const rls_plan *p, window *w, const sums *s);
/* Are they to be formed anew when no rows wait? strained: solutions lose enough. */
int window_worn(const rls_plan *p, const window *w, int strained);

#endif
