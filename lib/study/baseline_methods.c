/* The predictors themselves, a row of base/baselines.def each (baselines.h). Pairs are
 * (z_{i-1}, x_i), i >= 2, since x_0 = 0 says nothing; z: baseline_space.c.
 *
 * lsq      p_t = Phi z_t, Phi = argmin sum_i |x_i - Phi z_{i-1}|^2 + ridge |Phi|^2 over i <= t
 *          (newest_pair) or i <= t - 1; kept in
 *          square-root form (kern/simd_ridge.c), so a step costs O(n^2) and small ridges cost no
 *          digits. No pairs: 0.
 * kernel   p_t = sum_i w_i x_i, w = softmax over i <= t of beta z_{i-1} . z_t: softmax attention of
 *          queries z_t, keys z_{i-1} and values x_i
 * others   p_t = G_t^T u, G_t = sum_i z_{i-1} x_i^T, u an approximation of inv(A_t) z_t
 *          (precondition.h): k steps of gradient descent,
 *          which always include the newest pair, Neumann, Newton, Richardson, Chebyshev
 * Source: arXiv 2309.05858 section 3 and proposition 2; docs/science.md, section 5. */
#include "base/choices.h"
#include "base/options.h"
#include "nn/attention.h"
#include "study/baselines.h"
#include <math.h>
#include <string.h>

static int64_t vector_bytes(const baseline_problem *p) { return p->k->lanes * p->k->size; }
static void *row(const baseline_problem *p, const void *panel, int64_t t)
{
    return kern_at(p->k, panel, t * p->n);
}
static void *input(const baseline_problem *p, int64_t t) { return kern_at(p->k, p->z, t * p->m); }

/* ---- precondition, then one gradient step ---- */

static int64_t conditioned_work(const baseline_problem *p)
{
    const preconditioner how = baseline_preconditioner(p->b, p->value);
    arena a = {0};
    conditioning_lay_out(&a, p->k, &how, p->m, p->n);
    arena_take(&a, p->m + p->n, vector_bytes(p));
    return a.used;
}

/* The error at t times its weight, n elements. */
static void weighted_error(const baseline_problem *p, int64_t t, double *error)
{
    const double *x = row(p, p->out, t), *y = row(p, p->x, t + 1),
                 *w = (const double *)p->weights + t * p->k->lanes;
    for (int64_t i = 0; i < p->n * p->k->lanes; i++) error[i] = w[i % p->k->lanes] * (x[i] - y[i]);
}

static void conditioned_predict(const baseline_problem *p)
{
    const preconditioner how = baseline_preconditioner(p->b, p->value);
    arena a = {p->work, 0};
    const conditioning c = conditioning_lay_out(&a, p->k, &how, p->m, p->n);
    void *u = arena_take(&a, p->m + p->n, vector_bytes(p)), *error = kern_at(p->k, u, p->m);
    void *db = p->gradient ? kern_at(p->k, p->gradient, p->b->iterations) : NULL;
    conditioning_start(&c);
    for (int64_t t = 0; t < p->T && !kern_stopped(p->k); t++) {
        conditioning_advance(&c, p->z, p->x, t);
        conditioning_solve(&c, input(p, t), u);
        conditioning_predict(&c, u, row(p, p->out, t));
        if (!p->gradient) continue;
        weighted_error(p, t, error);
        conditioning_back(&c, error, p->gradient, db);
    }
}

/* ---- lsq ---- */

/* Factor [m][m + n], and a row [m + n]. */
static int64_t lsq_work(const baseline_problem *p)
{
    int64_t columns, elements;
    return size_mul(p->m + p->n, vector_bytes(p), &columns) && size_add(p->m, 1, &elements) &&
                   size_mul(elements, columns, &elements)
               ? elements
               : -1;
}

/* Without pairs: [sqrt(ridge) I | 0]. */
static void lsq_start(const baseline_problem *p)
{
    const int64_t lanes = p->k->lanes, m = p->m, columns = m + p->n;
    double *factor = p->work;
    memset(factor, 0, (size_t)(m * columns * vector_bytes(p)));
    for (int64_t i = 0; i < m; i++)
        for (int64_t l = 0; l < lanes; l++) factor[i * (columns + 1) * lanes + l] = sqrt(p->value);
}

static void lsq_predict(const baseline_problem *p)
{
    const kern *k = p->k;
    const int64_t m = p->m, n = p->n;
    const size_t inputs = (size_t)(m * vector_bytes(p)), targets = (size_t)(n * vector_bytes(p));
    void *pair = kern_at(k, p->work, m * (m + n));
    lsq_start(p);
    for (int64_t t = 0; t < p->T && !kern_stopped(k); t++) {
        int64_t newest = p->b->newest_pair ? t : t - 1;    /* row of its target */
        if (newest >= 1) {                             /* [z_{i-1} | x_i] */
            memcpy(pair, input(p, newest - 1), inputs);
            memcpy(kern_at(k, pair, m), row(p, p->x, newest), targets);
            k->ridge_row(k, m, n, p->work, pair);
        }
        memcpy(pair, input(p, t), inputs);
        k->ridge_apply(k, m, n, p->work, pair, row(p, p->out, t));
    }
}

/* ---- kernel ---- */

/* Queries z_2 .. z_T: z_1 has no pair before it. */
static head kernel_head(const baseline_problem *p)
{
    return (head){.T = p->T - 1, .d = p->m, .dv = p->n, .scale = p->value};
}

static int64_t kernel_work(const baseline_problem *p)
{
    const head h = kernel_head(p);
    arena a = {0};
    arena_take(&a, softmax_attention.scratch(p->k, &h, 0), 1);
    arena_take(&a, kern_product_scratch(p->k), 1);
    arena_take(&a, h.T * softmax_attention.kept, vector_bytes(p));
    return a.used;
}

static void kernel_predict(const baseline_problem *p)
{
    const head h = kernel_head(p);
    const mat keys = {p->z, p->m, 1}, queries = {input(p, 1), p->m, 1},
              values = {row(p, p->x, 1), p->n, 1};
    arena a = {p->work, 0};
    void *scratch = arena_take(&a, softmax_attention.scratch(p->k, &h, 0), 1),
         *products = arena_take(&a, kern_product_scratch(p->k), 1),
         *kept = arena_take(&a, h.T * softmax_attention.kept, vector_bytes(p));
    const head_mats m = {
        .q = queries, .k = keys, .v = values, .o = {row(p, p->out, 1), p->n, 1}, .kept = kept};
    memset(p->out, 0, (size_t)(p->n * vector_bytes(p)));
    if (h.T > 0) softmax_attention.forward(p->k, &h, products, scratch, &m);
}

/* ---- the table, and objects ---- */

#define CONDITIONED(name, key, low, high, kind, iterations, learned) \
    const baseline_method name##_baseline = {MESAOPT_KEY_##key,   low,        high, \
                                             conditioned_work,    conditioned_predict, 1, \
                                             PRECONDITION_##kind, iterations, learned};
CONDITIONED(gd, ETA, 1e-5, 0.1, STEPS, 1, 0)
CONDITIONED(neumann, RIDGE, 1e-5, 10, STEPS, 6, 0)
CONDITIONED(newton, RIDGE, 1e-5, 10, NEWTON, 6, 0)
CONDITIONED(richardson, RIDGE, 1e-5, 10, STEPS, 6, 1)
CONDITIONED(chebyshev, RIDGE, 1e-5, 10, STEPS, 6, 2)
const baseline_method lsq_baseline = {
    MESAOPT_KEY_RIDGE, 1e-5, 10, lsq_work, lsq_predict, 1, PRECONDITION_EXACT, 0, 0};
const baseline_method kernel_baseline = {
    MESAOPT_KEY_BETA, 1e-2, 1e2, kernel_work, kernel_predict, 0, 0, 0, 0};

#define BASELINE(name, text) extern const baseline_method name##_baseline;
#include "base/baselines.def"
static const struct { const char *name; const baseline_method *method; } methods[] = {
#define BASELINE(name, text) {#name, &name##_baseline},
#include "base/baselines.def"
};

/* Gradient descent is Neumann's series without ridge: k steps of size eta are eta (I + (I - eta A)
 * + .. + (I - eta A)^(k-1)). */
preconditioner baseline_preconditioner(const mesaopt_baseline *b, double value)
{
    const int gd = b->method->key == MESAOPT_KEY_ETA;
    return (preconditioner){b->method->kind,     b->iterations - gd,
                            b->coefficients,     b->coefficients + b->iterations,
                            gd ? 0 : value,      gd ? 1 / value : b->divisor,
                            gd || b->newest_pair};
}

static void destroy(object *o)
{
    alloc_free(&o->ctx->alloc, ((mesaopt_baseline *)o)->coefficients);
    alloc_free(&o->ctx->alloc, ((mesaopt_baseline *)o)->moments);
    if (((mesaopt_baseline *)o)->task) object_release(&((mesaopt_baseline *)o)->task->head);
}

mesaopt_status baseline_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                               mesaopt_baseline **out)
{
    enum { SCOPE = MESAOPT_SCOPE_BASELINE };
    const int64_t which = option_int(settings, SCOPE, MESAOPT_KEY_BASELINE);
    const baseline_method *method = methods[which].method;
    adamw recipe = {0};
    const mesaopt_status status =
        method->learned ? adamw_read(ctx, settings, SCOPE, &recipe) : MESAOPT_OK;
    if (status != MESAOPT_OK) return status;
    const int32_t pairs = (int32_t)option_int(settings, SCOPE, MESAOPT_KEY_PAIRS);
    if (pairs == PAIRS_SCORED && method->key == MESAOPT_KEY_BETA)
        return fail(ctx, MESAOPT_E_SETTING,
                    "pairs: scored, expected all for kernel, which averages over all steps");
    mesaopt_baseline *b = object_new(ctx, OBJECT_BASELINE, sizeof *b, destroy);
    if (!b) return MESAOPT_E_MEMORY;
    b->name = methods[which].name;
    b->method = method;
    b->value = option_float(settings, SCOPE, b->method->key);
    b->newest_pair = option_int(settings, SCOPE, MESAOPT_KEY_NEWEST_PAIR) != 0;
    b->space = (int32_t)option_int(settings, SCOPE, MESAOPT_KEY_SPACE);
    b->pairs = pairs;
    b->slots = option_int(settings, SCOPE, MESAOPT_KEY_SLOTS);
    b->divisor = option_float(settings, SCOPE, MESAOPT_KEY_DIVISOR);
    b->iterations = option_int(settings, SCOPE, MESAOPT_KEY_ITERATIONS);
    if (b->iterations == 0) b->iterations = b->method->iterations;
    b->recipe = recipe;
    b->batch = option_int(settings, SCOPE, MESAOPT_KEY_BATCH);
    b->coefficients = alloc_new(&ctx->alloc, 2 * b->iterations, sizeof *b->coefficients);
    b->moments = alloc_new(&ctx->alloc, 4 * b->iterations, sizeof *b->moments);
    if (!b->coefficients || !b->moments) {
        object_release(&b->head);
        return fail(ctx, MESAOPT_E_MEMORY,
                    "baseline: no memory for the coefficients of its iterations");
    }
    for (int64_t k = 0; k < b->iterations; k++) b->coefficients[k] = 1;
    *out = b;
    return MESAOPT_OK;
}
