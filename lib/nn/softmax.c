/* Softmax attention of one head: O = softmax(s Q K^T, causal) V. Source: Vaswani et al., arXiv
 * 1706.03762; docs/science.md, section 3. The softmax of a row is kern/simd_softmax.c.
 *
 * Forward, a chunk of C queries meets all keys up to its last row: scores are C x T, so memory is
 * linear in T. Of every row its largest score e and the sum z of its exponentials are kept.
 * Backward recomputes P from them tile by tile, a few queries against a few keys (Dao et al., arXiv
 * 2205.14135), which stay near:
 *     P = exp(s (Q K^T - e))    g = dO / z    dV += P^T g    dS = s P o (g V^T - rowsum(g o O))
 *     dQ += dS K    dK += dS^T Q
 *
 * A row of f32 with scores, or distances of two, beyond the type is done in f64, where products of
 * two f32 are exact; e and z are NaN for the kernels, and e is kept as a double. */
#include "base/real.h"
#include "kern/finite.h"
#include "nn/attention.h"
#include <math.h>
#include <string.h>

/* Rows i .. i + rows - 1 of Q against keys from j on: all of `before`, and on the `diagonal` as
 * many more as there are rows, causally. */
typedef struct tile {
    int64_t i, j, rows, before;
    int diagonal;
} tile;

static int64_t width(const tile *t) { return t->before + (t->diagonal ? t->rows : 0); }

/* Scores of a tile as a matrix: an odd number of elements from row to row, for in steps of a power
 * of two the rows of a column would share one place in the cache. */
static mat scores_of(const tile *t, void *p) { return (mat){p, width(t) | 1, 1}; }

/* X [rows x width] = A B^T, of a tile of rows of A and of B. */
static void outer(const kern *k, void *ps, const tile *t, int64_t d, mat A, mat B, mat X)
{
    const mat a = mat_rows(k, A, t->i), b = mat_rows(k, B, t->j);
    if (t->before > 0)
        k->product(k, ps, PRODUCT_LANE, TRI_NONE, 0, t->rows, t->before, d, a, mat_transposed(b),
                   X);
    if (t->diagonal)
        k->product(k, ps, PRODUCT_LANE, TRI_C_LOWER, 0, t->rows, t->rows, d, a,
                   mat_transposed(mat_rows(k, b, t->before)),
                   (mat){kern_at(k, X.p, t->before), X.rs, 1});
}

/* Y (+)= X B, rows of Y from i on, of B from j. */
static void times(const kern *k, void *ps, const tile *t, int64_t d, mat X, mat B, int more, mat Y)
{
    const mat y = mat_rows(k, Y, t->i), b = mat_rows(k, B, t->j);
    if (t->diagonal)
        k->product(k, ps, PRODUCT_LANE, TRI_A_LOWER, more, t->rows, d, t->rows,
                   (mat){kern_at(k, X.p, t->before), X.rs, 1}, mat_rows(k, b, t->before), y);
    if (t->before > 0)
        k->product(k, ps, PRODUCT_LANE, TRI_NONE, more || t->diagonal, t->rows, d, t->before, X, b,
                   y);
}

/* Y (+)= X^T B, rows of Y from j on, of B from i. */
static void transposed_times(const kern *k, void *ps, const tile *t, int64_t d, mat X, mat B,
                             int more, mat Y)
{
    const mat y = mat_rows(k, Y, t->j), b = mat_rows(k, B, t->i);
    if (t->diagonal)
        k->product(k, ps, PRODUCT_LANE, TRI_A_UPPER, more, t->rows, d, t->rows,
                   mat_transposed((mat){kern_at(k, X.p, t->before), X.rs, 1}), b,
                   mat_rows(k, y, t->before));
    if (t->before > 0)
        k->product(k, ps, PRODUCT_LANE, TRI_NONE, more, t->before, d, t->rows, mat_transposed(X), b,
                   y);
}

/* ---- how much at a time ---- */

enum { SCORE_BYTES = 1 << 17 }; /* of scores that are worked on, of which backward has two */

/* T cut into near-equal parts of at most `most` rows. */
static int64_t even_part(int64_t T, int64_t most)
{
    const int64_t parts = (T + most - 1) / most;
    return (T + parts - 1) / parts;
}

/* Keys that there may be. */
static int64_t reach(const head *h) { return h->capacity > 0 ? h->capacity : h->T; }

static int64_t forward_rows(const kern *k, const head *h)
{
    const int64_t N = reach(h);
    if (h->chunk > 0 || N == 0) return h->chunk < N ? h->chunk : N;
    const int64_t room = SCORE_BYTES / (k->lanes * k->size) / N, least = k->lanes == 1 ? 64 : 16;
    return even_part(N, room < least ? least : room);
}

/* Rows of a tile of backward, which is twice as wide; whole sequences while they are short. */
static int64_t backward_rows(const kern *k, const head *h)
{
    if (h->chunk > 0) return h->chunk < h->T ? h->chunk : h->T;
    const int64_t room = SCORE_BYTES / (k->lanes * k->size);
    if (h->T * h->T <= room) return h->T;
    int64_t rows = 8;
    while (4 * (rows + 8) * (rows + 8) <= room) rows += 8;
    return even_part(h->T, rows);
}

/* kept: T elements each. */
enum { EDGE, INVERSE, WIDE_HIGH, WIDE_LOW, KEPT };
static void *kept_at(const kern *k, const head *h, const head_mats *m, int which, int64_t row)
{
    return kern_at(k, m->kept, which * h->T + row);
}

typedef struct softmax_scratch {
    void *scores, *dscores, *dot;
} softmax_scratch;

static softmax_scratch lay_out(arena *a, const kern *k, const head *h, int backward)
{
    softmax_scratch s = {0};
    const int64_t real = k->lanes * k->size, rows = backward ? backward_rows(k, h) : 0;
    s.scores =
        arena_take(a, backward ? rows * (2 * rows | 1) : forward_rows(k, h) * (reach(h) | 1), real);
    if (backward) s.dscores = arena_take(a, rows * (2 * rows | 1), real);
    if (backward) s.dot = arena_take(a, h->T, real);
    return s;
}

static int64_t softmax_scratch_bytes(const kern *k, const head *h, int backward)
{
    if (h->T < 1) return 0;
    arena a = {0}, forward = {0};
    lay_out(&a, k, h, backward);
    lay_out(&forward, k, h, 0);
    return a.used > forward.used ? a.used : forward.used;
}

/* ---- rows too wide for f32 ---- */

static double dot_of(const kern *k, int64_t n, mat A, int64_t i, mat B, int64_t j, int64_t lane)
{
    double sum = 0;
    for (int64_t c = 0; c < n; c++)
        sum += kern_real(k, A.p, (i * A.rs + c * A.cs) * k->lanes + lane) *
               kern_real(k, B.p, (j * B.rs + c * B.cs) * k->lanes + lane);
    return sum;
}

/* The double that is kept of a row, in two f32. */
static double wide_edge(const kern *k, const head *h, const head_mats *m, int64_t at)
{
    double e;
    for (int i = 0; i < 2; i++)
        memcpy((char *)&e + 4 * i, (float *)kept_at(k, h, m, WIDE_HIGH + i, 0) + at, 4);
    return e;
}

static void keep_wide_edge(const kern *k, const head *h, const head_mats *m, int64_t at, double e)
{
    for (int i = 0; i < 2; i++)
        memcpy((float *)kept_at(k, h, m, WIDE_HIGH + i, 0) + at, (const char *)&e + 4 * i, 4);
}

/* The last key that row i of Q meets in one lane; in the one that has most. */
static int64_t last_key(const head *h, int64_t i, int64_t lane)
{
    return i + (h->steps ? h->steps[lane] : 0);
}

/* As the kernel softmax, row i of Q in one lane; p: its row of weights. What is beyond f64 as well
 * stays NaN. */
static void weigh_wide(const kern *k, const head *h, const head_mats *m, int64_t i, int64_t lane,
                       float *p)
{
    const int64_t at = i * k->lanes + lane, last = last_key(h, i, lane);
    double edge = dot_of(k, h->d, m->q, i, m->k, 0, lane), sum = 0, power = 1;
    for (int64_t j = 1; j <= last; j++) {
        const double x = dot_of(k, h->d, m->q, i, m->k, j, lane);
        if (h->scale < 0 ? x < edge : x > edge) edge = x;
    }
    while (power < (double)(last + 1)) power *= 2;
    for (int64_t j = last + 1; j <= h->before + i; j++) p[j * k->lanes + lane] = 0;
    for (int64_t j = 0; j <= last; j++) {
        const double x = h->scale * (dot_of(k, h->d, m->q, i, m->k, j, lane) - edge),
                     e = real_exp(x) / power;
        p[j * k->lanes + lane] = (float)e;
        sum += e;
    }
    keep_wide_edge(k, h, m, at, edge);
    kern_set_real(k, kept_at(k, h, m, INVERSE, 0), at, isfinite(sum) ? 1 / sum : NAN);
}

/* As the kernel softmax_back, of row r of a tile in one lane. Where one weight is 1 the difference
 * of dots is 0, and what rounding left of it would be multiplied by keys beyond all scale: both are
 * summed alike. */
static void weigh_back_wide(const kern *k, const head *h, const head_mats *m, const tile *t,
                            int64_t r, int64_t lane, float *p, float *ds)
{
    const int64_t i = t->i + r, n = t->diagonal ? t->before + r + 1 : t->before;
    const double edge = wide_edge(k, h, m, i * k->lanes + lane),
                 dot = dot_of(k, h->dv, m->dout, i, m->o, i, lane);
    for (int64_t j = 0; j < n; j++) {
        const double x = h->scale * (dot_of(k, h->d, m->q, i, m->k, t->j + j, lane) - edge),
                     e = real_exp(x), dp = dot_of(k, h->dv, m->dout, i, m->v, t->j + j, lane);
        p[j * k->lanes + lane] = (float)e;
        ds[j * k->lanes + lane] = (float)(h->scale * e * (dp - dot));
    }
}

/* Are there such rows in a tile? */
static int any_wide(const kern *k, const head *h, const head_mats *m, const tile *t)
{
    return k->size == 4 && !finite_run(k, kept_at(k, h, m, EDGE, t->i), t->rows * k->lanes);
}

static int is_wide(const kern *k, const head *h, const head_mats *m, int64_t i, int64_t lane)
{
    return isnan(kern_real(k, kept_at(k, h, m, EDGE, i), lane));
}

/* ---- forward ---- */

enum { SCORES = 1 << 20 }; /* that a kernel works on between two looks at kern_stopped */

static int64_t rows_at_a_time(int64_t row) { return row < SCORES ? SCORES / row : 1; }

/* Lanes that have fewer keys than others: scores behind the last one, so far from the first one
 * that their weights are 0. */
static void hide(const kern *k, const head *h, const tile *t, mat P)
{
    enum { EXPONENT = 1100 };      /* 2^-EXPONENT is 0 in f64 */
    const double least = EXPONENT / h->scale;
    for (int64_t lane = 0; h->steps && lane < k->lanes; lane++)
        for (int64_t r = 0; r < t->rows && h->steps[lane] < h->before; r++) {
            void *row = mat_rows(k, P, r).p;
            const double first = kern_real(k, row, lane),
                         hidden = first - least - copysign(first, h->scale) / 16;
            for (int64_t j = last_key(h, t->i + r, lane) + 1; j <= h->before + t->i + r; j++)
                kern_set_real(k, row, j * k->lanes + lane, hidden);
        }
}

/* Scores become weights times z / 2^k, and what is kept of every row is written. */
static void weigh(const kern *k, const head *h, const head_mats *m, const tile *t, mat P)
{
    const int64_t n = rows_at_a_time(P.rs), first = width(t) - t->rows;
    hide(k, h, t, P);
    for (int64_t i = 0; i < t->rows && !kern_stopped(k); i += n)
        k->softmax(t->rows - i < n ? t->rows - i : n, first + i, h->scale, mat_rows(k, P, i).p,
                   P.rs, kept_at(k, h, m, EDGE, t->i + i), kept_at(k, h, m, INVERSE, t->i + i));
    if (!any_wide(k, h, m, t)) return;
    for (int64_t i = 0; i < t->rows && !kern_stopped(k); i++)
        for (int64_t lane = 0; lane < k->lanes; lane++)
            if (is_wide(k, h, m, t->i + i, lane))
                weigh_wide(k, h, m, t->i + i, lane, mat_rows(k, P, i).p);
}

static void softmax_forward(const kern *k, const head *h, void *ps, void *scratch,
                            const head_mats *m)
{
    arena a = {scratch, 0};
    const softmax_scratch s = lay_out(&a, k, h, 0);
    const int64_t chunk = forward_rows(k, h);
    for (int64_t i = 0; i < h->T && !kern_stopped(k); i += chunk) {
        tile t = {i, 0, h->T - i < chunk ? h->T - i : chunk, h->before + i, 1};
        if (h->steps && t.rows == 1) t.before++, t.diagonal = 0;   /* one row meets all keys */
        const mat P = scores_of(&t, s.scores), o = mat_rows(k, m->o, i);
        outer(k, ps, &t, h->d, m->q, m->k, P);
        weigh(k, h, m, &t, P);
        times(k, ps, &t, h->dv, P, m->v, 0, m->o);
        k->row_scale(t.rows, h->dv, kept_at(k, h, m, INVERSE, i), 1, o.p, o.rs, o.p, o.rs);
    }
}

static void softmax_weights(const kern *k, const head *h, void *ps, const head_mats *m, mat W)
{
    const tile all = {0, 0, h->T, 0, 1};
    outer(k, ps, &all, h->d, m->q, m->k, W);
    weigh(k, h, m, &all, W);
    for (int64_t t = 0; t < h->T && !kern_stopped(k); t++) {
        void *row = mat_rows(k, W, t).p;
        k->row_scale(1, t + 1, kept_at(k, h, m, INVERSE, t), 1, row, W.rs, row, W.rs);
    }
}

/* ---- backward ---- */

static void weigh_back(const kern *k, const head *h, const head_mats *m, const tile *t,
                       const softmax_scratch *s, mat P, mat dS)
{
    const int64_t n = rows_at_a_time(P.rs), N = width(t);
    for (int64_t i = 0; i < t->rows && !kern_stopped(k); i += n)
        k->softmax_back(t->rows - i < n ? t->rows - i : n, N, t->i + i - t->j, h->scale,
                        kept_at(k, h, m, EDGE, t->i + i), kern_at(k, s->dot, t->i + i),
                        mat_rows(k, P, i).p, mat_rows(k, dS, i).p, P.rs);
    if (!any_wide(k, h, m, t)) return;
    for (int64_t i = 0; i < t->rows && !kern_stopped(k); i++)
        for (int64_t lane = 0; lane < k->lanes; lane++)
            if (is_wide(k, h, m, t->i + i, lane))
                weigh_back_wide(k, h, m, t, i, lane, mat_rows(k, P, i).p, mat_rows(k, dS, i).p);
}

static void softmax_backward(const kern *k, const head *h, void *ps, void *scratch,
                             const head_mats *m)
{
    arena a = {scratch, 0};
    const softmax_scratch s = lay_out(&a, k, h, 1);
    const int64_t T = h->T, C = backward_rows(k, h), last = (T - 1) / C * C;
    k->softmax_rows(T, 0, h->dv, kept_at(k, h, m, INVERSE, 0), m->o.p, m->o.rs, m->dout.p,
                    m->dout.rs, s.dot);
    for (int64_t j = 0; j < T; j += 2 * C)
        for (int64_t i = last; i >= j && !kern_stopped(k); i -= C) {
            const int64_t rows = T - i < C ? T - i : C;
            const int diagonal = i < j + 2 * C;
            const tile t = {i, j, rows, diagonal ? i - j : 2 * C, diagonal};
            const mat P = scores_of(&t, s.scores), dS = scores_of(&t, s.dscores);
            outer(k, ps, &t, h->d, m->q, m->k, P);
            outer(k, ps, &t, h->dv, m->dout, m->v, dS);
            weigh_back(k, h, m, &t, &s, P, dS);
            transposed_times(k, ps, &t, h->dv, P, m->dout, i < last, m->dv); /* O = P V / z */
            times(k, ps, &t, h->d, dS, m->k, j > 0, m->dq);                  /* S = Q K^T */
            transposed_times(k, ps, &t, h->d, dS, m->q, i < last, m->dk);
        }
}

const attention_kind softmax_attention = {KEPT, softmax_scratch_bytes, softmax_forward,
                                          softmax_backward, softmax_weights};
