/* What values leave beside the fit, for standard errors: see regression.h.
 *
 *     spread_j = min_x J_j(x),   J_j(x) = sum w (v_j - x . k)^2 + x . Lambda x
 *
 * is what remains when almost all of sum w v^2 has cancelled, where values are far from 0 or keys
 * explain them well. So sums are kept of u_j = v_j - W_j . k, W a map that fits about (0 until it
 * matters):
 *
 *     J_j(W_j + y) = left_j + held_j - 2 y . (G_j - Lambda W_j) + y . (H + Lambda) y
 *     left_j = sum w u_j^2,   G_j = sum w k u_j,   held_j = W_j . Lambda W_j
 *
 * where little cancels as long as left + held is not far above the spread. The spread grows with
 * rows and falls by no more than the gates; so `floor`, what it once was, tells when to look at W:
 * just before rows enter the base, so that what they leave is computed from themselves. A window,
 * whose spread may fall, forms the sums anew from its rows; so do the first rows, of which W would
 * have to move far and H, which is rounded, does not say how little that changes for those before.
 * `noise` counts what moves may cost. */
#include "base/real.h"
#include "kern/dense.h"
#include "rls/worker.h"
#include <math.h>

/* left + held beside the last known spread: above SURPRISE we look, and above MUCH W moves. */
static const double SURPRISE = 1e3, MUCH = 32;
/* What sums leave of themselves when they cancel; what a spread may be off by, beside itself and
 * beside squares of values. */
static const double ROUNDING = 0x1p-50, DIGITS = 1e-6, NOTHING = 0x1p-92;

static double *sums(const online *o) { return o->referred ? o->G : o->S; }
static double *rows(const online *o) { return o->referred ? o->U : o->V; }

static int64_t map_bytes(const online_plan *p) { return p->d * p->dv * (int64_t)sizeof(double); }

void residual_empty(const online_plan *p, online *o)
{
    const size_t bytes = (size_t)p->dv * sizeof(double);
    memset(o->left, 0, bytes);
    memset(o->held, 0, bytes);
    memset(o->floor, 0, bytes);
    memset(o->spread, 0, bytes);
    memset(o->noise, 0, bytes);
    memset(o->blur, 0, bytes);
    o->followed = o->referred = o->blurred = 0;
}

void residual_row(const online_plan *p, online *o, int64_t i)
{
    double *u = o->U + i * p->dv;
    const double *v = o->V + i * p->dv;
    if (!o->referred) return;
    p->k->combine(p->d, p->dv, 1, o->K + i * p->d, 0, o->W, p->dv, 0, u, 0);
    for (int64_t j = 0; j < p->dv; j++) u[j] = v[j] - u[j];
}

/* out_j += c sum_i w_i u_ij^2 */
static void add_squares(const online_plan *p, int64_t n, const double *weight, const double *U,
                        double c, double *out)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < p->dv; j++)
            out[j] += c * weight[i] * U[i * p->dv + j] * U[i * p->dv + j];
}

void residual_add_rows(const online_plan *p, void *ps, online *o, int64_t n, mat wKt)
{
    const int64_t d = p->d, dv = p->dv;
    add_squares(p, n, o->weight, rows(o), 1, o->left);
    if (!o->referred) return;
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_NONE, 1, d, dv, n, wKt, dense_mat(o->U, dv),
                  dense_mat(o->G, dv));
}

void residual_scale(const online_plan *p, online *o, double c)
{
    p->k->scale(p->dv, c, o->left);
    if (o->referred) p->k->scale(p->d * p->dv, c, o->G);
}

/* w->total <- left_t + held */
static void fill_total(const online_plan *p, const workspace *w, const online *o)
{
    memcpy(w->total, o->left, (size_t)p->dv * sizeof(double));
    add_squares(p, o->filled, o->weight, rows(o), 1, w->total);
    for (int64_t j = 0; j < p->dv; j++) w->total[j] = o->a * w->total[j] + o->held[j];
}

/* Is w->total, which is filled, far above what the spread is known to be? */
static int surprising(const online_plan *p, const workspace *w, online *o)
{
    int any = 0;
    if (o->followed == o->filled) memcpy(o->floor, o->spread, (size_t)p->dv * sizeof(double));
    fill_total(p, w, o);
    for (int64_t j = 0; j < p->dv; j++) any |= w->total[j] > SURPRISE * o->floor[j];
    return any;
}

/* w->St <- (G_t - Lambda W) / a: what M + e Lambda is to be solved for */
static void fill_sums(const online_plan *p, void *ps, const workspace *w, const online *o)
{
    const int64_t d = p->d, dv = p->dv, n = o->filled;
    memcpy(w->St, sums(o), (size_t)map_bytes(p));
    if (n > 0) {
        p->k->row_scale(n, d, o->weight, 1, o->K, d, w->weighted, d);
        p->k->product(p->k, ps, PRODUCT_LANE, TRI_NONE, 1, d, dv, n, (mat){w->weighted, 1, d},
                      dense_mat(rows(o), dv), dense_mat(w->St, dv));
    }
    for (int64_t i = 0; o->referred && i < d * dv; i++)
        w->St[i] -= o->ridge[i / dv] / o->a * o->W[i];
}

/* ---- the map moves ---- */

/* From here on W need not be 0. */
static void begin(const online_plan *p, online *o)
{
    if (o->referred) return;
    memset(o->W, 0, (size_t)map_bytes(p));
    memcpy(o->G, o->S, (size_t)map_bytes(p));
    o->referred = 1;
}

/* held_j += W_j . Lambda W_j */
static void add_held(const online_plan *p, const double *ridge, const double *W, double *held)
{
    for (int64_t i = 0; i < p->d * p->dv; i++) held[i % p->dv] += ridge[i / p->dv] * W[i] * W[i];
}

/* w->HD <- H D; left_j += D_j . H D_j - 2 D_j . G_j. H is a lower triangle, and whole then. */
static void shift(const online_plan *p, void *ps, const workspace *w, double *H, const double *G,
                  const double *D, double *left)
{
    const int64_t d = p->d, dv = p->dv;
    dense_mirror(d, sizeof(double), H);
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_NONE, 0, d, dv, d, dense_mat(H, d),
                  dense_mat((double *)D, dv), dense_mat(w->HD, dv));
    for (int64_t i = 0; i < d * dv; i++) left[i % dv] += D[i] * (w->HD[i] - 2 * G[i]);
}

/* What that leaves of left_j is off by no more: H holds every k . D only beside sqrt(H_ii) |D_i|.
 */
static double shift_noise(const online_plan *p, const double *H, const double *D, double left,
                          int64_t j)
{
    double sum = sqrt(fabs(left));
    for (int64_t i = 0; i < p->d; i++) sum += fabs(D[i * p->dv + j]) * sqrt(H[i * (p->d + 1)]);
    return ROUNDING * sum * sum;
}

/* w->U <- Cholesky's factor of H + sum_i w_i k_i k_i^T + Lambda / a, of the lower triangle in w->U
 * and n rows */
static void factor(const online_plan *p, void *ps, const workspace *w, const double *ridge,
                   int64_t n, const double *weight, const double *K, double a)
{
    const int64_t d = p->d;
    const double inverse = 1 / a;
    p->k->row_scale(n, d, weight, 1, K, d, w->weighted, d);
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_C_LOWER, 1, d, d, n, (mat){w->weighted, 1, d},
                  dense_mat((double *)K, d), dense_mat(w->U, d));
    dense_mirror(d, sizeof(double), w->U);
    p->k->row_scale(1, d, &inverse, 0, ridge, 0, w->residual, 0);
    dense_cholesky(p->k, ps, w->dense, d, w->residual, w->U, d);
}

/* w->St <- D, the step from W to the minimum; w->left, w->HD: of the base there; w->now <- J there:
 * what rows of the buffer leave is computed from themselves. */
static void measure(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t d = p->d, dv = p->dv, n = o->filled;
    memcpy(w->U, o->H, (size_t)(d * d) * sizeof(double));
    factor(p, ps, w, o->ridge, n, o->weight, o->K, o->a);
    fill_sums(p, ps, w, o);
    dense_solve(p->k, ps, w->dense, d, w->U, d, dv, w->St, dv);
    memcpy(w->left, o->left, (size_t)dv * sizeof(double));
    shift(p, ps, w, o->H, sums(o), w->St, w->left);
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_NONE, 0, n, dv, d, dense_mat(o->K, d),
                  dense_mat(w->St, dv), dense_mat(w->rest, dv));
    for (int64_t i = 0; i < n * dv; i++) w->rest[i] = rows(o)[i] - w->rest[i];
    memcpy(w->now, w->left, (size_t)dv * sizeof(double));
    add_squares(p, n, o->weight, w->rest, 1, w->now);
    p->k->scale(dv, o->a, w->now);
    for (int64_t i = 0; i < d * dv; i++) {
        const double x = (o->referred ? o->W[i] : 0) + w->St[i];
        w->now[i % dv] += o->ridge[i / dv] * x * x;
    }
}

static void adopt(const online_plan *p, const workspace *w, online *o, int64_t j)
{
    begin(p, o);
    o->noise[j] = o->blur[j];
    o->left[j] = w->left[j];
    for (int64_t i = j; i < p->d * p->dv; i += p->dv) o->W[i] += w->St[i], o->G[i] -= w->HD[i];
}

/* After W has changed. */
static void settle_map(const online_plan *p, online *o)
{
    memset(o->held, 0, (size_t)p->dv * sizeof(double));
    add_held(p, o->ridge, o->W, o->held);
    for (int64_t i = 0; i < o->filled; i++) residual_row(p, o, i);
}

void residual_flush(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t dv = p->dv;
    int known = 1, moved = 0;
    if (o->young || !surprising(p, w, o)) return;
    measure(p, ps, w, o);
    for (int64_t j = 0; j < dv; j++) {
        if (!(w->now[j] >= 0 && w->now[j] <= w->total[j])) { /* rounding decides here, or there are
                                                                no numbers */
            known = 0;
            continue;
        }
        o->floor[j] = o->spread[j] = w->now[j];
        o->blur[j] = o->noise[j] + o->a * shift_noise(p, o->H, w->St, o->left[j], j);
        if (w->total[j] <= MUCH * w->now[j]) continue;
        adopt(p, w, o, j);
        moved = 1;
    }
    if (moved) settle_map(p, o);
    o->followed = known ? o->filled : -1;
}

/* ---- spread ---- */

/* A row more of the buffer: spread_j += (length u_j - p^T (G_j - Lambda W_j))^2, G over the rows
 * before. All is ready; nothing has been forgotten or has left. */
static void follow_row(const online_plan *p, const workspace *w, online *o)
{
    const int64_t d = p->d, n = o->followed++, dv = p->dv;
    const double *row = o->P + n * d, *u = rows(o) + n * dv;
    base_output(p, w, o, n, sums(o), rows(o), row, w->total);
    if (o->referred) {
        p->k->multiply(d, row, o->ridge, w->residual);
        p->k->scale(d, -1, w->residual);
        p->k->combine(d, dv, 1, w->residual, 0, o->W, dv, 1, w->total, 0);
    }
    for (int64_t j = 0; j < dv; j++) {
        const double left = o->length[n] * u[j] - w->total[j];
        o->spread[j] += left * left;
    }
}

/* spread_j = left_t + held - y . (G_t - Lambda W) of column j, y = (H_t + Lambda)^-1 of the same,
 * which goes to w->St */
static void solve_spread(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t d = p->d, dv = p->dv;
    double *s = w->given + d;
    fill_total(p, w, o);
    fill_sums(p, ps, w, o);
    for (int64_t j = 0; j < dv; j++) {
        for (int64_t i = 0; i < d; i++) s[i] = w->St[i * dv + j];
        const double size = inverse_solve(p, ps, w, o, s);
        o->spread[j] =
            larger(0, w->total[j] - o->a * size * vector_dot(p, w->given, w->turned) * size);
        for (int64_t i = 0; i < d; i++) w->St[i * dv + j] = size * w->turned[i];
        o->blur[j] = o->noise[j] + ROUNDING * sqrt(o->strain) * (w->total[j] - o->spread[j]);
    }
}

/* Rows are kept, and the spread would lose digits: W moves to the minimum, and all sums are formed
 * anew. */
static void refer_kept(const online_plan *p, void *ps, const workspace *w, online *o)
{
    solve_spread(p, ps, w, o);
    for (int64_t i = 0; i < p->d * p->dv; i++) if (!isfinite(w->St[i])) return;
    begin(p, o);
    p->k->add(p->d * p->dv, w->St, o->W);
    o->filled = o->ready = 0;
    o->a = 1;
    settle_map(p, o);
    base_form_anew(p, ps, w, o);
    inverse_prepare(p, ps, w, o);
    solve_spread(p, ps, w, o);
}

void residual_spread(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int kept = p->window > 0 || o->young;
    inverse_prepare(p, ps, w, o);
    if (o->followed >= 0 && o->a == 1) while (o->followed < o->filled) follow_row(p, w, o);
    if (!kept && o->filled > 0 && surprising(p, w, o)) {
        base_flush(p, ps, w, o);
        inverse_prepare(p, ps, w, o);
    }
    if (o->followed != o->filled) solve_spread(p, ps, w, o);
    o->followed = o->filled;
    if (kept && surprising(p, w, o)) refer_kept(p, ps, w, o);
    o->followed = o->filled;
    o->blurred = 0;
    for (int64_t j = 0; j < p->dv; j++) {
        o->floor[j] = o->spread[j];
        o->blurred |= !(o->spread[j] >= 0 && isfinite(o->spread[j]));
        o->blurred |= !(o->blur[j] <= DIGITS * o->spread[j] + NOTHING * o->strain * o->squares[j]);
    }
}

void residual_grow_up(const online_plan *p, void *ps, const workspace *w, online *o)
{
    residual_spread(p, ps, w, o);
    if (p->window > 0) return;
    o->young = 0;
    o->kept = o->first = 0;
}

/* ---- whole states ---- */

/* w->St <- the map that fits both; 0 when double has no numbers for it */
static int fit_both(const online_plan *p, void *ps, const workspace *w, const online *into,
                    const online *from, double gate)
{
    const int64_t d = p->d, dv = p->dv, n = from->filled;
    const double a = from->a, turn = gate / a;                 /* both sums divided by a */
    for (int64_t i = 0; i < d * d; i++) w->U[i] = turn * into->H[i] + from->H[i];
    for (int64_t i = 0; i < d * dv; i++) w->St[i] = turn * into->S[i] + from->S[i];
    factor(p, ps, w, into->ridge, n, from->weight, from->K, a);
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_NONE, 1, d, dv, n, (mat){w->weighted, 1, d},
                  dense_mat(from->V, dv), dense_mat(w->St, dv));
    dense_solve(p->k, ps, w->dense, d, w->U, d, dv, w->St, dv);
    for (int64_t i = 0; i < d * dv; i++) if (!isfinite(w->St[i])) return 0;
    return 1;
}

/* `from` at the map of `into`: a (left - ..), a (G - H D) and what its waiting rows leave are
 * added. */
static void add_other(const online_plan *p, void *ps, const workspace *w, online *into,
                      const online *from)
{
    const int64_t d = p->d, dv = p->dv, n = from->filled;
    for (int64_t i = 0; i < d * dv; i++) w->St[i] = into->W[i] - (from->referred ? from->W[i] : 0);
    memcpy(w->left, from->left, (size_t)dv * sizeof(double));
    for (int64_t j = 0; j < dv; j++)
        into->noise[j] += from->a * shift_noise(p, from->H, w->St, from->left[j], j);
    memcpy(w->U, from->H, (size_t)(d * d) * sizeof(double));
    shift(p, ps, w, w->U, sums(from), w->St, w->left);
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_NONE, 0, n, dv, d, dense_mat(from->K, d),
                  dense_mat(into->W, dv), dense_mat(w->rest, dv));
    for (int64_t i = 0; i < n * dv; i++) w->rest[i] = from->V[i] - w->rest[i];
    add_squares(p, n, from->weight, w->rest, 1, w->left);
    for (int64_t i = 0; i < d * dv; i++) w->HD[i] = sums(from)[i] - w->HD[i];
    p->k->row_scale(n, d, from->weight, 1, from->K, d, w->weighted, d);
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_NONE, 1, d, dv, n, (mat){w->weighted, 1, d},
                  dense_mat(w->rest, dv), dense_mat(w->HD, dv));
    p->k->row_add(1, dv, &from->a, 0, w->left, 0, into->left, 0);
    p->k->row_add(1, d * dv, &from->a, 0, w->HD, 0, into->G, 0);
}

/* Both maps are 0, and do as well. */
static int without_map(const online_plan *p, const workspace *w, const online *into)
{
    int good = 1;
    for (int64_t j = 0; j < p->dv; j++)
        good &= w->total[j] <= MUCH * (into->left[j] + into->held[j]);
    return good;
}

void residual_merge(const online_plan *p, void *ps, const workspace *w, online *into,
                    const online *from, double gate)
{
    const int64_t d = p->d, dv = p->dv;
    const int fits = fit_both(p, ps, w, into, from, gate), maps = into->referred || from->referred;
    memset(w->total, 0, (size_t)dv * sizeof(double));
    add_squares(p, from->filled, from->weight, rows(from), from->a, w->total);
    for (int64_t j = 0; j < dv; j++) {
        const double bases = gate * into->left[j] + from->a * from->left[j];
        w->total[j] += bases;
        into->noise[j] = gate * into->noise[j] + from->noise[j];
        into->floor[j] = larger(gate * into->floor[j], from->floor[j]);
    }
    begin(p, into);
    for (int64_t i = 0; i < d * dv; i++) w->St[i] = fits ? w->St[i] - into->W[i] : 0;
    for (int64_t j = 0; j < dv; j++)
        into->noise[j] += gate * shift_noise(p, into->H, w->St, into->left[j], j);
    shift(p, ps, w, into->H, into->G, w->St, into->left);
    for (int64_t i = 0; i < d * dv; i++) into->W[i] += w->St[i], into->G[i] -= w->HD[i];
    residual_scale(p, into, gate);
    settle_map(p, into);
    add_other(p, ps, w, into, from);
    if (maps || !without_map(p, w, into)) return;
    memcpy(into->left, w->total, (size_t)dv * sizeof(double));
    memset(into->held, 0, (size_t)dv * sizeof(double));
    into->referred = 0;
}

/* W <- the fit of the sums, whose factor is at hand, which is taken to be the minimum: G - Lambda W
 * = 0 */
static void restore_map(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t d = p->d, dv = p->dv;
    memcpy(o->W, o->S, (size_t)map_bytes(p));
    dense_solve(p->k, ps, w->dense, d, w->U, d, dv, o->W, dv);
    for (int64_t i = 0; i < d * dv; i++) if (!isfinite(o->W[i])) return;
    o->referred = 1;
    settle_map(p, o);
    for (int64_t i = 0; i < d * dv; i++) o->G[i] = o->ridge[i / dv] * o->W[i];
    for (int64_t j = 0; j < dv; j++) o->left[j] = o->spread[j] - o->held[j];
}

void residual_restore(const online_plan *p, void *ps, const workspace *w, online *o,
                      const double *spread)
{
    int known = 1, refer = 0;
    residual_empty(p, o);
    memcpy(o->left, o->squares, (size_t)p->dv * sizeof(double));
    for (int64_t j = 0; j < p->dv; j++) {
        known &= spread[j] >= 0;
        refer |= !(spread[j] <= o->squares[j] && o->squares[j] <= MUCH * spread[j]);
    }
    memcpy(o->spread, spread, (size_t)p->dv * sizeof(double));
    o->followed = -1;
    inverse_form(p, ps, w, o);
    if (!known || o->singular) return;
    memcpy(o->floor, spread, (size_t)p->dv * sizeof(double));
    if (refer) restore_map(p, ps, w, o);
    if (!refer || o->referred) o->followed = 0;
}
