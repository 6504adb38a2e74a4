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
    double *peak;                  /* 1 + dv + d + dv: the largest total, squares, diagonal of H and
                                      what values leave since they were formed from rows */
    int lost;                      /* one of the first two is far below its peak */
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
 * Judged by the sums of weights, of squares of each value and of squares of each key: an element of
 * H or S is at most the root of two of the last. What values leave (`left`, of the base) has sums
 * of its own. */

void window_forget(const rls_plan *p, window *w, double log_gate, double gate);
void window_scale(const rls_plan *p, window *w, double c);     /* the base's peaks */
/* From the sums as they are; window_formed: formed anew from the rows. */
void window_set_peaks(const rls_plan *p, window *w, const sums *s, const double *left);
void window_formed(const rls_plan *p, window *w, const sums *s, const double *left);
/* Peaks of the squares of keys and of what values leave, before rows that wait enter: whatever
 * order they came in. u: what the values of the waiting rows leave. */
void window_raise_peaks(const rls_plan *p, window *w, const sums *s, const double *left,
                        const double *u);
/* A row has come: have total and squares lost digits? Then the sums are to be formed anew. */
void window_judge(const rls_plan *p, window *w, const sums *s);
/* Are they to be formed anew? None waits; strained: solutions lose enough. */
int window_worn(const rls_plan *p, window *w, const sums *s, const double *left, int strained);

#endif
