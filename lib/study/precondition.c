/* inv(A) v for A = sum z_{i-1} z_{i-1}^T + ridge I:
 *
 * steps    K steps of Chebyshev's iteration with momentum on A / c (kern/simd_precondition.c);
 *          Neumann: a = 1, b = 0; Richardson: b = 0. k steps of
 *          gradient descent with step size eta are k - 1 Neumann steps with c = 1 / eta and no
 *          ridge: eta sum_{j<k} (I - eta A)^j v
 * Newton   X_0 = I / tr A;  X <- X (2 I - A X);  X v
 * exact    the factor R, R^T R = A, and inv(R)^T beside it, both turned by the same rotations
 *          (kern/simd_ridge.c): inv(R) inv(R)^T v. The
 *          normal equations would lose eps kappa(A), this loses eps sqrt(kappa(A))
 *
 * A prediction is G^T inv(A) z_t, G = sum z_{i-1} x_i^T: precondition, then take one step of
 * gradient descent. Source: arXiv 2309.05858 proposition 2 and appendix; docs/science.md, section
 * 5. */
#include "study/precondition.h"
#include <math.h>
#include <string.h>

/* Columns of `pairs`. */
static int64_t columns(const conditioning *c)
{
    return c->m + (c->p->kind == PRECONDITION_EXACT ? c->m : c->n);
}

/* a b, -1 on overflow */
static int64_t product_of(int64_t a, int64_t b)
{
    int64_t out;
    return size_mul(a, b, &out) ? out : -1;
}

conditioning conditioning_lay_out(arena *a, const kern *k, const preconditioner *p, int64_t m,
                                  int64_t n)
{
    const int64_t vector = k->lanes * k->size;
    const int steps = p->kind == PRECONDITION_STEPS, newton = p->kind == PRECONDITION_NEWTON;
    conditioning c = {.k = k, .p = p, .m = m, .n = n};
    const int64_t square = product_of(m, m);
    int64_t rows, trace = -1;
    if (!size_mul(p->steps + 1, 2, &rows) || !size_mul(rows, m, &trace) ||
        !size_add(trace, 1, &trace))
        trace = -1;
    c.pairs = arena_take(a, product_of(m, columns(&c)), vector);
    c.trace = arena_take(a, steps ? trace : 0, vector);
    c.work = arena_take(a, newton ? square : m, (newton ? 3 : 4) * vector);
    c.pair = arena_take(a, columns(&c), vector);
    c.scratch = arena_take(a, kern_product_scratch(k), 1);
    return c;
}

static mat matrix_a(const conditioning *c) { return (mat){c->pairs, columns(c), 1}; }
static mat matrix_g(const conditioning *c)
{
    return (mat){kern_at(c->k, c->pairs, c->m), columns(c), 1};
}

static void set_diagonal(const conditioning *c, mat M, double x)
{
    for (int64_t i = 0; i < c->m; i++)
        for (int64_t l = 0; l < c->k->lanes; l++)
            ((double *)kern_at(c->k, M.p, i * (M.rs + M.cs)))[l] = x;
}

void conditioning_start(const conditioning *c)
{
    const int exact = c->p->kind == PRECONDITION_EXACT;
    memset(c->pairs, 0, (size_t)(c->m * columns(c) * c->k->lanes * c->k->size));
    set_diagonal(c, matrix_a(c), exact ? sqrt(c->p->ridge) : c->p->ridge);
    if (exact) set_diagonal(c, matrix_g(c), 1 / sqrt(c->p->ridge));
}

/* The pair (z, x); of an exact one targets are 0. */
static void add_pair(const conditioning *c, const void *z, const void *x)
{
    const kern *k = c->k;
    const int64_t m = c->m, rest = columns(c) - m, element = k->lanes * k->size;
    void *targets = kern_at(k, c->pair, m);
    memcpy(c->pair, z, (size_t)(m * element));
    if (c->p->kind == PRECONDITION_EXACT) {
        memset(targets, 0, (size_t)(rest * element));
        k->ridge_row(k, m, rest, c->pairs, c->pair);
        return;
    }
    memcpy(targets, x, (size_t)(rest * element));
    k->product(k, c->scratch, PRODUCT_LANE, TRI_NONE, 1, m, m + rest, 1, (mat){c->pair, 1, 1},
               (mat){c->pair, m + rest, 1}, matrix_a(c));
}

/* X <- 1 / tr A */
static void newton_first(const conditioning *c, mat X)
{
    const int64_t n = c->m, lanes = c->k->lanes;
    memset(X.p, 0, (size_t)(n * n * lanes * c->k->size));
    for (int64_t l = 0; l < lanes; l++) {
        double trace = 0;
        for (int64_t i = 0; i < n; i++)
            trace += ((const double *)c->pairs)[i * (columns(c) + 1) * lanes + l];
        for (int64_t i = 0; i < n; i++) ((double *)X.p)[i * (n + 1) * lanes + l] = 1 / trace;
    }
}

static void newton(const conditioning *c, const void *v, void *out)
{
    const kern *k = c->k;
    const int64_t n = c->m, reals = n * n * k->lanes;
    mat X = {c->work, n, 1}, AX = {kern_at(k, c->work, n * n), n, 1},
        next = {kern_at(k, c->work, 2 * n * n), n, 1};
    newton_first(c, X);
    for (int64_t i = 0; i < c->p->steps && !kern_stopped(k); i++) {
        k->product(k, c->scratch, PRODUCT_LANE, TRI_NONE, 0, n, n, n, matrix_a(c), X, AX);
        k->scale(reals, -1, AX.p);
        memcpy(next.p, X.p, (size_t)(reals * k->size));
        k->scale(reals, 2, next.p);
        k->product(k, c->scratch, PRODUCT_LANE, TRI_NONE, 1, n, n, n, X, AX, next);
        const mat old = X;
        X = next, next = old;
    }
    k->product(k, c->scratch, PRODUCT_LANE, TRI_NONE, 0, 1, n, n, (mat){(void *)v, n, 1}, X,
               (mat){out, n, 1});
}

void conditioning_solve(const conditioning *c, const void *v, void *out)
{
    const kern *k = c->k;
    const preconditioner *p = c->p;
    switch (p->kind) {
    case PRECONDITION_STEPS:
        k->precondition(k, c->m, p->steps, p->a, p->b, p->divisor, c->pairs, columns(c), v, out,
                        c->trace);
        return;
    case PRECONDITION_NEWTON: newton(c, v, out); return;
    case PRECONDITION_EXACT:
        memcpy(c->work, v, (size_t)(c->m * k->lanes * k->size));
        k->ridge_apply(k, c->m, c->m, c->pairs, c->work, out);
    }
}

void conditioning_predict(const conditioning *c, const void *u, void *out)
{
    c->k->product(c->k, c->scratch, PRODUCT_LANE, TRI_NONE, 0, 1, c->n, c->m,
                  (mat){(void *)u, c->m, 1}, matrix_g(c), (mat){out, c->n, 1});
}

void conditioning_back(const conditioning *c, const void *dout, void *da, void *db)
{
    const kern *k = c->k;
    const mat G = matrix_g(c), du = {c->work, c->m, 1};
    /* out = G^T u */
    k->product(k, c->scratch, PRODUCT_LANE, TRI_NONE, 0, 1, c->m, c->n,
               (mat){(void *)dout, c->n, 1}, (mat){G.p, G.cs, G.rs}, du);
    k->precondition_back(k, c->m, c->p->steps, c->p->a, c->p->b, c->pairs, columns(c), du.p,
                         c->trace, da, db, kern_at(k, c->work, c->m));
}

void conditioning_advance(const conditioning *c, const void *z, const void *x, int64_t t)
{
    const int64_t newest = c->p->newest_pair ? t : t - 1; /* row of its target */
    if (newest >= 1)
        add_pair(c, kern_at(c->k, z, (newest - 1) * c->m), kern_at(c->k, x, newest * c->n));
}

void precondition_panel(const conditioning *c, int64_t T, const void *z, const void *x, void *out)
{
    conditioning_start(c);
    for (int64_t t = 0; t < T && !kern_stopped(c->k); t++) {
        conditioning_advance(c, z, x, t);
        conditioning_solve(c, kern_at(c->k, z, t * c->m), kern_at(c->k, out, t * c->m));
    }
}
