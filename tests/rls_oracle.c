/* See rls_oracle.h: sums over rows, and Gaussian elimination with pivoting. */
#include "rls_oracle.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static wide absolute(wide x) { return x < 0 ? -x : x; }

static wide root(wide x)
{
    if (!(x > 0)) return 0;
    wide y = sqrt((double)x);
    if (!(y > 0) || isinf((double)y)) return y;        /* beyond double: nobody asks for more */
    for (int i = 0; i < 3; i++) y = (y + x / y) / 2;
    return y;
}

static void swap_rows(int n, wide *x, wide *y)
{
    for (int j = 0; j < n; j++) {
        const wide keep = x[j];
        x[j] = y[j], y[j] = keep;
    }
}

/* X [d x m] <- A^-1 X; A is overwritten. */
static void eliminate(int d, int m, wide *A, wide *X)
{
    for (int c = 0; c < d; c++) {
        int best = c;
        for (int i = c; i < d; i++) if (absolute(A[i * d + c]) > absolute(A[best * d + c])) best = i;
        swap_rows(d, A + c * d, A + best * d), swap_rows(m, X + c * m, X + best * m);
        for (int i = 0; i < d; i++) {
            const wide f = i == c ? 0 : A[i * d + c] / A[c * d + c];
            if (f == 0) continue;
            for (int j = c; j < d; j++) A[i * d + j] -= f * A[c * d + j];
            for (int j = 0; j < m; j++) X[i * m + j] -= f * X[c * m + j];
        }
    }
    for (int i = 0; i < d; i++)
        for (int j = 0; j < m; j++) X[i * m + j] /= A[i * d + i];
}

static void fill_sums(const oracle_rows *r, oracle *o)
{
    const int d = r->d, dv = r->dv;
    for (int64_t t = 0; t < r->rows; t++) {
        const wide w = r->weight[t];
        const double *k = r->k + t * d, *v = r->v + t * dv;
        if (w == 0) continue;
        o->total += w;
        for (int j = 0; j < dv; j++) o->squares[j] += w * v[j] * v[j];
        for (int i = 0; i < d; i++) {
            for (int j = 0; j < dv; j++) o->W[i * dv + j] += w * k[i] * v[j];
            for (int j = 0; j < d; j++) o->M[i * d + j] += w * k[i] * k[j];
        }
    }
    for (int i = 0; i < d; i++) o->M[i * (d + 1)] += r->ridge[i];
}

static double largest_row(int d, const wide *X)
{
    wide most = 0;
    for (int i = 0; i < d; i++) {
        wide sum = 0;
        for (int j = 0; j < d; j++) sum += absolute(X[i * d + j]);
        if (sum > most) most = sum;
    }
    return (double)most;
}

static double condition_of(int d, const wide *M)
{
    wide *A = malloc((size_t)(d * d) * sizeof *A), *X = calloc((size_t)(d * d), sizeof *X);
    for (int i = 0; i < d; i++) {
        X[i * (d + 1)] = 1;
        for (int j = 0; j < d; j++) A[i * d + j] = M[i * d + j] / (root(M[i * (d + 1)]) * root(M[j * (d + 1)]));
    }
    const double norm = largest_row(d, A);
    eliminate(d, d, A, X);
    const double condition = norm * largest_row(d, X);
    free(A), free(X);
    return condition;
}

static void fill_residual(const oracle_rows *r, oracle *o)
{
    const int d = r->d, dv = r->dv;
    for (int64_t t = 0; t < r->rows; t++)
        for (int j = 0; j < dv && r->weight[t] != 0; j++) {
            wide e = r->v[t * dv + j];
            for (int i = 0; i < d; i++) e -= o->W[i * dv + j] * r->k[t * d + i];
            o->residual[j] += r->weight[t] * e * e;
        }
    for (int j = 0; j < dv; j++) {
        wide fit = 0;
        for (int i = 0; i < d; i++) {
            const wide square = o->W[i * dv + j] * o->W[i * dv + j];
            o->residual[j] += r->ridge[i] * square;
            fit += o->M[i * (d + 1)] * square;
        }
        o->fit = fmax(o->fit, (double)root(fit));
    }
}

oracle oracle_of(const oracle_rows *r)
{
    const int d = r->d, dv = r->dv;
    oracle o = {.d = d, .dv = dv, .M = calloc((size_t)(d * d), sizeof(wide)), .W = calloc((size_t)(d * dv), sizeof(wide)),
                .squares = calloc((size_t)dv, sizeof(wide)), .residual = calloc((size_t)dv, sizeof(wide))};
    wide *A = malloc((size_t)(d * d) * sizeof *A);
    fill_sums(r, &o);
    memcpy(A, o.M, (size_t)(d * d) * sizeof *A);
    eliminate(d, dv, A, o.W);
    fill_residual(r, &o);
    o.condition = condition_of(d, o.M);
    free(A);
    return o;
}

void oracle_free(oracle *o) { free(o->M), free(o->W), free(o->squares), free(o->residual); }

void oracle_predict(const oracle *o, const double *q, double *out, double *error, double *length, double *leverage)
{
    const int d = o->d, dv = o->dv;
    wide *A = malloc((size_t)(d * d) * sizeof *A), *x = malloc((size_t)d * sizeof *x), qx = 0, scaled = 0;
    memcpy(A, o->M, (size_t)(d * d) * sizeof *A);
    for (int i = 0; i < d; i++) x[i] = q[i];
    eliminate(d, 1, A, x);
    for (int i = 0; i < d; i++) {
        qx += x[i] * q[i];
        scaled += (wide)q[i] * q[i] / o->M[i * (d + 1)];
    }
    for (int j = 0; j < dv; j++) {
        wide sum = 0;
        for (int i = 0; i < d; i++) sum += o->W[i * dv + j] * q[i];
        out[j] = (double)sum;
        error[j] = o->total > 0 ? (double)root(qx * (o->residual[j] / o->total)) : NAN;
    }
    *length = (double)root(scaled);
    *leverage = (double)root(qx);
    free(A), free(x);
}
