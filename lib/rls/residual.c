/* See residual.h. */
#include "rls/residual.h"
#include "base/real.h"
#include "kern/dense.h"
#include <math.h>

/* left + held beside the last known spread: above SURPRISE we look, and above MUCH W moves; above
 * FAR where it moves to may not be the minimum yet. */
static const double SURPRISE = 1e3, MUCH = 32, FAR = 0x1p20;
/* What sums leave of themselves when they cancel; what a spread may be off by, beside itself and
 * beside squares of values. */
static const double ROUNDING = 0x1p-50, DIGITS = 1e-6, NOTHING = 0x1p-92;

static double *map_sums(const residual *r, const sums *s) { return r->referred ? r->G : s->S; }

static int64_t map_bytes(const rls_plan *p) { return p->d * p->dv * (int64_t)sizeof(double); }

void residual_take(const rls_plan *p, arena *a, residual *r)
{
    const int64_t d = p->d, dv = p->dv, n = p->rows;
    r->spread = take_reals(a, dv);
    r->W = take_reals(a, d * dv), r->G = take_reals(a, d * dv), r->U = take_reals(a, n * dv);
    r->left = take_reals(a, dv), r->held = take_reals(a, dv), r->floor = take_reals(a, dv);
    r->noise = take_reals(a, dv), r->blur = take_reals(a, dv);
}

void residual_empty(const rls_plan *p, residual *r)
{
    const size_t bytes = (size_t)p->dv * sizeof(double);
    memset(r->left, 0, bytes);
    memset(r->held, 0, bytes);
    memset(r->floor, 0, bytes);
    memset(r->spread, 0, bytes);
    memset(r->noise, 0, bytes);
    memset(r->blur, 0, bytes);
    r->followed = r->referred = r->blurred = 0;
}

/* ---- rows ---- */

static void fill_row(const rls_plan *p, residual *r, const sums *s, int64_t i)
{
    double *u = r->U + i * p->dv;
    const double *v = s->V + i * p->dv;
    if (!r->referred) return;
    p->k->combine(p->d, p->dv, 1, s->K + i * p->d, 0, r->W, p->dv, 0, u, 0);
    for (int64_t j = 0; j < p->dv; j++) u[j] = v[j] - u[j];
}

void residual_append(const rls_plan *p, residual *r, const sums *s)
{
    fill_row(p, r, s, s->filled - 1);
}

/* out_j += c sum_i w_i u_ij^2 */
static void add_squares(const rls_plan *p, int64_t n, const double *weight, const double *U,
                        double c, double *out)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < p->dv; j++)
            out[j] += c * weight[i] * U[i * p->dv + j] * U[i * p->dv + j];
}

void residual_add_rows(const rls_worker *w, residual *r, const sums *s, mat wKt)
{
    const int64_t d = w->p->d, dv = w->p->dv, n = s->filled;
    add_squares(w->p, n, s->weight, residual_waiting(r, s), 1, r->left);
    if (r->referred)
        matrix_product(w, TRI_NONE, 1, d, dv, n, wKt, dense_mat(r->U, dv), dense_mat(r->G, dv));
}

void residual_forget(const rls_plan *p, residual *r, double gate)
{
    for (int64_t j = 0; j < p->dv; j++) r->floor[j] *= gate, r->noise[j] *= gate;
}

void residual_scale(const rls_plan *p, residual *r, double c)
{
    p->k->scale(p->dv, c, r->left);
    if (r->referred) p->k->scale(p->d * p->dv, c, r->G);
}

void residual_form_anew(const rls_plan *p, residual *r)
{
    residual_scale(p, r, 0);
    memset(r->noise, 0, (size_t)p->dv * sizeof(double));
}

/* w->total <- left_t + held */
static void fill_total(const rls_worker *w, const residual *r, const sums *s)
{
    const int64_t dv = w->p->dv;
    memcpy(w->total, r->left, (size_t)dv * sizeof(double));
    add_squares(w->p, s->filled, s->weight, residual_waiting(r, s), 1, w->total);
    for (int64_t j = 0; j < dv; j++) w->total[j] = s->a * w->total[j] + r->held[j];
}

/* w->total is filled then */
int residual_surprising(const rls_worker *w, residual *r, const sums *s)
{
    const int64_t dv = w->p->dv;
    int any = 0;
    if (r->followed == s->filled) memcpy(r->floor, r->spread, (size_t)dv * sizeof(double));
    fill_total(w, r, s);
    for (int64_t j = 0; j < dv; j++) any |= w->total[j] > SURPRISE * r->floor[j];
    return any;
}

/* w->St <- (G_t - Lambda W) / a: what M + e Lambda is to be solved for */
static void fill_sums(const rls_worker *w, const residual *r, const sums *s)
{
    const rls_plan *p = w->p;
    const int64_t d = p->d, dv = p->dv, n = s->filled;
    memcpy(w->St, map_sums(r, s), (size_t)map_bytes(p));
    if (n > 0) {
        p->k->row_scale(n, d, s->weight, 1, s->K, d, w->weighted, d);
        matrix_product(w, TRI_NONE, 1, d, dv, n, (mat){w->weighted, 1, d},
                       dense_mat((double *)residual_waiting(r, s), dv), dense_mat(w->St, dv));
    }
    for (int64_t i = 0; r->referred && i < d * dv; i++)
        w->St[i] -= s->ridge[i / dv] / s->a * r->W[i];
}

/* ---- the map moves ---- */

/* From here on W need not be 0. */
static void begin(const rls_plan *p, residual *r, const sums *s)
{
    if (r->referred) return;
    memset(r->W, 0, (size_t)map_bytes(p));
    memcpy(r->G, s->S, (size_t)map_bytes(p));
    r->referred = 1;
}

/* held_j += W_j . Lambda W_j */
static void add_held(const rls_plan *p, const double *ridge, const double *W, double *held)
{
    for (int64_t i = 0; i < p->d * p->dv; i++) held[i % p->dv] += ridge[i / p->dv] * W[i] * W[i];
}

/* w->HD <- H D; left_j += D_j . H D_j - 2 D_j . G_j; H has both triangles. */
static void shift(const rls_worker *w, const double *H, const double *G, const double *D,
                  double *left)
{
    const int64_t d = w->p->d, dv = w->p->dv;
    matrix_product(w, TRI_NONE, 0, d, dv, d, dense_mat((double *)H, d), dense_mat((double *)D, dv),
                   dense_mat(w->HD, dv));
    for (int64_t i = 0; i < d * dv; i++) left[i % dv] += D[i] * (w->HD[i] - 2 * G[i]);
}

/* What that leaves of left_j is off by no more: H holds every k . D only beside sqrt(H_ii) |D_i|.
 */
static double shift_noise(const rls_plan *p, const double *H, const double *D, double left,
                          int64_t j)
{
    double sum = sqrt(fabs(left));
    for (int64_t i = 0; i < p->d; i++) sum += fabs(D[i * p->dv + j]) * sqrt(H[i * (p->d + 1)]);
    return ROUNDING * sum * sum;
}

/* w->U <- Cholesky's factor of H + sum_i w_i k_i k_i^T + Lambda / a, waiting rows included */
static void factor(const rls_worker *w, const sums *s)
{
    const rls_plan *p = w->p;
    const int64_t d = p->d, n = s->filled;
    const double inverse = 1 / s->a;
    memcpy(w->U, s->H, (size_t)(d * d) * sizeof(double));
    p->k->row_scale(n, d, s->weight, 1, s->K, d, w->weighted, d);
    matrix_product(w, TRI_C_LOWER, 1, d, d, n, (mat){w->weighted, 1, d}, dense_mat(s->K, d),
                   dense_mat(w->U, d));
    dense_mirror(d, sizeof(double), w->U);
    p->k->row_scale(1, d, &inverse, 0, s->ridge, 0, w->residual, 0);
    dense_cholesky(p->k, w->product, w->dense, d, w->residual, w->U, d);
}

/* X [d x dv] <- (U^T U)^-1 X */
static void factor_solve(const rls_worker *w, double *X)
{
    const rls_plan *p = w->p;
    dense_solve(p->k, w->product, w->dense, p->d, w->U, p->d, p->dv, X, p->dv);
}

static int all_finite(const rls_plan *p, const double *W)
{
    for (int64_t i = 0; i < p->d * p->dv; i++) if (!isfinite(W[i])) return 0;
    return 1;
}

/* w->rest <- V - K D over the waiting rows */
static void fill_rest(const rls_worker *w, const sums *s, const double *V, double *D)
{
    const int64_t d = w->p->d, dv = w->p->dv, n = s->filled;
    matrix_product(w, TRI_NONE, 0, n, dv, d, dense_mat(s->K, d), dense_mat(D, dv),
                   dense_mat(w->rest, dv));
    for (int64_t i = 0; i < n * dv; i++) w->rest[i] = V[i] - w->rest[i];
}

/* w->St <- D, the step from W to the minimum; w->left, w->HD: of the base there; w->now <- J there:
 * what waiting rows leave is computed from themselves. */
static void look(const rls_worker *w, const residual *r, sums *s)
{
    const rls_plan *p = w->p;
    const int64_t d = p->d, dv = p->dv;
    factor(w, s);
    fill_sums(w, r, s);
    factor_solve(w, w->St);
    memcpy(w->left, r->left, (size_t)dv * sizeof(double));
    sums_mirror(p, s);
    shift(w, s->H, map_sums(r, s), w->St, w->left);
    fill_rest(w, s, residual_waiting(r, s), w->St);
    memcpy(w->now, w->left, (size_t)dv * sizeof(double));
    add_squares(p, s->filled, s->weight, w->rest, 1, w->now);
    p->k->scale(dv, s->a, w->now);
    for (int64_t i = 0; i < d * dv; i++) {
        const double x = (r->referred ? r->W[i] : 0) + w->St[i];
        w->now[i % dv] += s->ridge[i / dv] * x * x;
    }
}

static void adopt(const rls_worker *w, residual *r, const sums *s, int64_t j)
{
    const rls_plan *p = w->p;
    begin(p, r, s);
    r->noise[j] = r->blur[j];
    r->left[j] = w->left[j];
    for (int64_t i = j; i < p->d * p->dv; i += p->dv) r->W[i] += w->St[i], r->G[i] -= w->HD[i];
}

/* After W has changed. */
static void settle_map(const rls_plan *p, residual *r, const sums *s)
{
    memset(r->held, 0, (size_t)p->dv * sizeof(double));
    add_held(p, s->ridge, r->W, r->held);
    for (int64_t i = 0; i < s->filled; i++) fill_row(p, r, s, i);
}

void residual_before_flush(const rls_worker *w, residual *r, sums *s)
{
    const rls_plan *p = w->p;
    int known = 1, moved = 0;
    if (!residual_surprising(w, r, s)) return;
    look(w, r, s);
    for (int64_t j = 0; j < p->dv; j++) {
        if (!(w->now[j] >= 0 && w->now[j] <= w->total[j])) { /* rounding decides here, or there are
                                                                no numbers */
            known = 0;
            continue;
        }
        if (w->total[j] <= FAR * w->now[j]) r->floor[j] = r->spread[j] = w->now[j];
        else known = 0;                                 /* until measured from there */
        r->blur[j] = r->noise[j] + s->a * shift_noise(p, s->H, w->St, r->left[j], j);
        if (w->total[j] <= MUCH * w->now[j]) continue;
        adopt(w, r, s, j);
        moved = 1;
    }
    if (moved) settle_map(p, r, s);
    r->followed = known ? s->filled : -1;
}

void residual_flushed(residual *r, const sums *s)
{
    if (r->followed < s->filled) r->followed = -1;
    if (r->followed > 0) r->followed = 0;
}

/* ---- spread ---- */

/* A waiting row more: spread_j += (length u_j - p^T (G_j - Lambda W_j))^2, G over the rows before.
 */
static void follow_row(const rls_worker *w, residual *r, const woodbury *m, const sums *s)
{
    const rls_plan *p = w->p;
    const int64_t d = p->d, n = r->followed++, dv = p->dv;
    const double *row = m->P + n * d, *u = residual_waiting(r, s) + n * dv;
    sums_combine(w, s, n, map_sums(r, s), residual_waiting(r, s), row, w->total);
    if (r->referred) {
        p->k->multiply(d, row, s->ridge, w->residual);
        p->k->scale(d, -1, w->residual);
        p->k->combine(d, dv, 1, w->residual, 0, r->W, dv, 1, w->total, 0);
    }
    for (int64_t j = 0; j < dv; j++) {
        const double left = m->length[n] * u[j] - w->total[j];
        r->spread[j] += left * left;
    }
}

/* Where nothing has been forgotten or has left. */
void residual_follow(const rls_worker *w, residual *r, const woodbury *m, const sums *s)
{
    if (r->followed < 0 || s->a != 1) return;
    while (r->followed < s->filled) follow_row(w, r, m, s);
}

/* spread_j = left_t + held - y . (G_t - Lambda W) of column j, y = (H_t + Lambda)^-1 of the same,
 * which goes to w->St */
static void solve_spread(const rls_worker *w, residual *r, woodbury *m, sums *s)
{
    const rls_plan *p = w->p;
    const int64_t d = p->d, dv = p->dv;
    double *column = w->given + d;
    fill_total(w, r, s);
    fill_sums(w, r, s);
    for (int64_t j = 0; j < dv; j++) {
        for (int64_t i = 0; i < d; i++) column[i] = w->St[i * dv + j];
        const double size = woodbury_solve(w, m, s, column);
        r->spread[j] =
            larger(0, w->total[j] - s->a * size * vector_dot(p, w->given, w->turned) * size);
        for (int64_t i = 0; i < d; i++) w->St[i * dv + j] = size * w->turned[i];
        r->blur[j] = r->noise[j] + ROUNDING * sqrt(m->strain) * (w->total[j] - r->spread[j]);
    }
}

void residual_measure(const rls_worker *w, residual *r, woodbury *m, sums *s)
{
    if (r->followed != s->filled) solve_spread(w, r, m, s);
    r->followed = s->filled;
}

int residual_refer(const rls_worker *w, residual *r, woodbury *m, sums *s)
{
    const rls_plan *p = w->p;
    solve_spread(w, r, m, s);
    if (!all_finite(p, w->St)) return 0;
    begin(p, r, s);
    p->k->add(p->d * p->dv, w->St, r->W);
    settle_map(p, r, s);
    residual_lose(r);
    memcpy(w->left, w->total, (size_t)p->dv * sizeof(double));
    return 1;
}

int residual_far(const rls_worker *w, const residual *r, const sums *s)
{
    int any = 0;
    fill_total(w, r, s);
    for (int64_t j = 0; j < w->p->dv; j++)
        any |= w->total[j] > MUCH * r->spread[j] && w->total[j] < w->left[j] / MUCH;
    return any;
}

void residual_judge(const rls_plan *p, residual *r, const woodbury *m, const sums *s)
{
    r->blurred = 0;
    for (int64_t j = 0; j < p->dv; j++) {
        r->floor[j] = r->spread[j];
        r->blurred |= !(r->spread[j] >= 0 && isfinite(r->spread[j]));
        r->blurred |= !(r->blur[j] <= DIGITS * r->spread[j] + NOTHING * m->strain * s->squares[j]);
    }
}

/* ---- whole states ---- */

/* w->St <- the map that fits both; 0 when double has no numbers for it */
static int fit_both(const rls_worker *w, const sums *into, const sums *from, double gate)
{
    const rls_plan *p = w->p;
    const int64_t d = p->d, dv = p->dv;
    for (int64_t i = 0; i < d * d; i++) w->U[i] = gate * into->H[i] + from->H[i];
    for (int64_t i = 0; i < d * dv; i++) w->St[i] = gate * into->S[i] + from->S[i];
    dense_mirror(d, sizeof(double), w->U);
    dense_cholesky(p->k, w->product, w->dense, d, into->ridge, w->U, d);
    factor_solve(w, w->St);
    return all_finite(p, w->St);
}

/* `from` at the map of `into` is added. */
static void add_other(const rls_worker *w, residual *into, const residual *from, const sums *s)
{
    const rls_plan *p = w->p;
    const int64_t d = p->d, dv = p->dv;
    const double *G = map_sums(from, s);
    for (int64_t i = 0; i < d * dv; i++) w->St[i] = into->W[i] - (from->referred ? from->W[i] : 0);
    memcpy(w->left, from->left, (size_t)dv * sizeof(double));
    for (int64_t j = 0; j < dv; j++)
        into->noise[j] += shift_noise(p, s->H, w->St, from->left[j], j);
    shift(w, s->H, G, w->St, w->left);
    for (int64_t j = 0; j < dv; j++) into->left[j] += w->left[j];
    for (int64_t i = 0; i < d * dv; i++) into->G[i] += G[i] - w->HD[i];
}

/* Both maps are 0, and do as well. */
static int without_map(const rls_worker *w, const residual *into)
{
    int good = 1;
    for (int64_t j = 0; j < w->p->dv; j++)
        good &= w->total[j] <= MUCH * (into->left[j] + into->held[j]);
    return good;
}

void residual_merge(const rls_worker *w, residual *into, const sums *into_sums,
                    const residual *from, const sums *from_sums, double gate)
{
    const rls_plan *p = w->p;
    const int64_t d = p->d, dv = p->dv;
    const int maps = into->referred || from->referred;
    const int fits = fit_both(w, into_sums, from_sums, gate);
    for (int64_t j = 0; j < dv; j++) {
        w->total[j] = gate * into->left[j] + from->left[j];
        into->noise[j] = gate * into->noise[j] + from->noise[j];
        into->floor[j] = larger(gate * into->floor[j], from->floor[j]);
    }
    begin(p, into, into_sums);
    for (int64_t i = 0; i < d * dv; i++) w->St[i] = fits ? w->St[i] - into->W[i] : 0;
    for (int64_t j = 0; j < dv; j++)
        into->noise[j] += gate * shift_noise(p, into_sums->H, w->St, into->left[j], j);
    shift(w, into_sums->H, into->G, w->St, into->left);
    for (int64_t i = 0; i < d * dv; i++) into->W[i] += w->St[i], into->G[i] -= w->HD[i];
    residual_scale(p, into, gate);
    settle_map(p, into, into_sums);
    add_other(w, into, from, from_sums);
    if (maps || !without_map(w, into)) return;
    memcpy(into->left, w->total, (size_t)dv * sizeof(double));
    memset(into->held, 0, (size_t)dv * sizeof(double));
    into->referred = 0;
}

void residual_of_squares(const rls_plan *p, residual *r, const sums *s)
{
    residual_empty(p, r);
    memcpy(r->left, s->squares, (size_t)p->dv * sizeof(double));
}

/* W <- the fit of the sums, whose factor is at hand, which is taken to be the minimum: G - Lambda W
 * = 0 */
static void restore_map(const rls_worker *w, residual *r, const sums *s)
{
    const rls_plan *p = w->p;
    const int64_t d = p->d, dv = p->dv;
    memcpy(r->W, s->S, (size_t)map_bytes(p));
    factor_solve(w, r->W);
    if (!all_finite(p, r->W)) return;
    r->referred = 1;
    settle_map(p, r, s);
    for (int64_t i = 0; i < d * dv; i++) r->G[i] = s->ridge[i / dv] * r->W[i];
    for (int64_t j = 0; j < dv; j++) r->left[j] = r->spread[j] - r->held[j];
}

void residual_restore(const rls_worker *w, residual *r, const woodbury *m, const sums *s,
                      const double *spread)
{
    const int64_t dv = w->p->dv;
    int known = 1, refer = 0;
    residual_of_squares(w->p, r, s);
    for (int64_t j = 0; j < dv; j++) {
        known &= spread[j] >= 0;
        refer |= !(spread[j] <= s->squares[j] && s->squares[j] <= MUCH * spread[j]);
    }
    memcpy(r->spread, spread, (size_t)dv * sizeof(double));
    residual_lose(r);
    if (!known || m->singular) return;
    memcpy(r->floor, spread, (size_t)dv * sizeof(double));
    if (refer) restore_map(w, r, s);
    if (!refer || r->referred) r->followed = 0;
}

void residual_refit(const rls_worker *w, residual *r, const woodbury *m, const sums *s)
{
    const size_t bytes = (size_t)w->p->dv * sizeof(double);
    memcpy(w->now, r->spread, bytes);
    memcpy(w->left, r->blur, bytes);
    residual_restore(w, r, m, s, w->now);
    memcpy(r->noise, w->left, bytes);
}
