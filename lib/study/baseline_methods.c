/* The predictors themselves, one table row each (baselines.h). Pairs are (x_{i-1}, x_i), i >= 2, since x_0 = 0 says nothing.
 *
 * gd    p_t = eta G_t^T x_t, G_t = G_{t-1} + x_{t-1} x_t^T: one gradient step from Phi = 0, the newest pair included.
 * lsq   p_t = Phi x_t, Phi = argmin sum_i |x_i - Phi x_{i-1}|^2 + ridge |Phi|^2 over i <= t (newest_pair) or i <= t - 1; kept in
 *       square-root form (kern/simd_ridge.c), so a step costs O(n^2) and small ridges cost no digits. No pairs: 0.
 * Source: arXiv 2309.05858 section 3; SCIENCE section 5. */
#include "base/options.h"
#include "study/baselines.h"
#include <math.h>
#include <string.h>

static int64_t vector_bytes(const baseline_problem *p) { return p->k->lanes * p->k->size; }
static void *row(const baseline_problem *p, const void *panel, int64_t t) { return kern_at(p->k, panel, t * p->n); }

/* ---- gd ---- */

static int64_t gd_work(int64_t n)
{
    int64_t elements;
    return size_mul(n, n, &elements) ? elements : -1;
}

static void gd_predict(const baseline_problem *p)
{
    const kern *k = p->k;
    const int64_t n = p->n;
    const mat G = {p->work, n, 1};
    memset(p->work, 0, (size_t)(n * n * vector_bytes(p)));
    for (int64_t t = 0; t < p->T; t++) {
        const mat now = {row(p, p->x, t), n, 1};
        if (t > 0) k->product(k, p->scratch, PRODUCT_LANE, TRI_NONE, 1, n, n, 1, (mat){row(p, p->x, t - 1), 1, n}, now, G);
        k->product(k, p->scratch, PRODUCT_LANE, TRI_NONE, 0, 1, n, n, now, G, (mat){row(p, p->out, t), n, 1});
    }
    k->scale(p->T * n * k->lanes, p->value, p->out);
}

/* ---- lsq ---- */

/* Factor [n][2 n], and a row [2 n]. */
static int64_t lsq_work(int64_t n)
{
    int64_t twice, elements;
    return size_mul(n, 2, &twice) && size_add(n, 1, &elements) && size_mul(elements, twice, &elements) ? elements : -1;
}

/* Without pairs: [sqrt(ridge) I | 0]. */
static void lsq_start(const baseline_problem *p)
{
    const int64_t lanes = p->k->lanes, n = p->n;
    double *factor = p->work;
    memset(factor, 0, (size_t)(2 * n * n * vector_bytes(p)));
    for (int64_t i = 0; i < n; i++)
        for (int64_t l = 0; l < lanes; l++) factor[i * (2 * n + 1) * lanes + l] = sqrt(p->value);
}

static void lsq_predict(const baseline_problem *p)
{
    const kern *k = p->k;
    const int64_t n = p->n;
    void *pair = kern_at(k, p->work, 2 * n * n);
    lsq_start(p);
    for (int64_t t = 0; t < p->T; t++) {
        int64_t newest = p->newest_pair ? t : t - 1;   /* row of its target */
        if (newest >= 1) {
            memcpy(pair, row(p, p->x, newest - 1), (size_t)(2 * n * vector_bytes(p)));     /* rows are adjacent: [x_{i-1} | x_i] */
            k->ridge_row(n, n, p->work, pair);
        }
        memcpy(pair, row(p, p->x, t), (size_t)(n * vector_bytes(p)));
        k->ridge_apply(n, n, p->work, pair, row(p, p->out, t));
    }
}

const baseline_method baseline_methods[] = {
    {MESAOPT_KEY_ETA, 1e-5, 0.1, gd_work, gd_predict},
    {MESAOPT_KEY_RIDGE, 1e-5, 10, lsq_work, lsq_predict},
};
