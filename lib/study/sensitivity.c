/* Sensitivity of the stream after block l at step t to the token of step t':
 *
 *     out[l][t][t'] = mean over sequences b (each counts what its step t does) and features j of
 *                     || d f_{t,l,j} / d e_{t'} ||
 *
 * f_{t,l}: the stream, D_l features; e_{t'}: the token, whose features the norm is over; 0 for
 * t' > t.
 * Exact: one backward pass from every f_{t,l,j}, of all lanes at once. What is behind t does not
 * act on it, so that it is left out of the passes from there. Sums are in double.
 * Source: arXiv 2309.05858 appendix; docs/science.md, section 6. */
#include "study/studies.h"
#include "base/real.h"
#include "kern/finite.h"
#include <string.h>

enum { BATCH = 256 };

typedef struct layers {
    int64_t count;
    const int64_t *blocks;
    const token_source *source;
} layers;

/* d f / d f_j of the last step: 1 there, in every lane. */
static void seed(const visited *p, int64_t width, int64_t j)
{
    const kern *k = p->k;
    char *g = visit_gradient(p);
    memset(g, 0, (size_t)(p->T * width * k->lanes * k->size));
    for (int64_t lane = 0; lane < k->lanes; lane++)
        kern_set_real(k, g, ((p->T - 1) * width + j) * k->lanes + lane, 1);
}

/* sums[t'] += the norms of all sequences that the panel holds. */
static void add_norms(const token_source *source, const visited *p, const void *de, double *sums)
{
    const kern *k = p->k;
    const int64_t n = p->model->inputs;
    for (int64_t t = 0; t < p->T; t++)
        for (int64_t lane = 0; lane < p->valid; lane++) {
            double norm = 0;
            for (int64_t i = 0; i < n; i++)
                norm = real_hypot(norm, kern_real(k, de, (t * n + i) * k->lanes + lane));
            sums[t] += source_weight(source, p->first + lane, p->T - 1) * norm;
        }
}

static void look(const visitor *v, const visited *p)
{
    const layers *l = v->job;
    for (int64_t i = 0; i < l->count; i++) {
        const int64_t width = model_width(p->model, l->blocks[i]);
        for (int64_t j = 0; j < width && !kern_stopped(p->k); j++) {
            seed(p, width, j);
            add_norms(l->source, p, visit_back(p, l->blocks[i]), p->sums + i * p->T);
        }
    }
}

/* Row t of every layer, summed over the batch in s->tokens: sums [L][t + 1], +=. */
static mesaopt_status add_step(mesaopt_model *m, const token_source *s, const layers *l, int64_t t,
                               double *sums)
{
    mesaopt_view tokens = s->tokens;
    int64_t last = -1;
    tokens.shape[1] = t + 1;
    for (int64_t i = 0; i < l->count; i++)
        if (l->blocks[i] > last) last = l->blocks[i];
    const visitor v = {
        .look = look, .job = l, .blocks = last + 1, .count = l->count * (t + 1), .sums = sums,
        .backward = 1};
    const batch b = {.B = s->tokens.shape[0], .T = t + 1, .tokens = &tokens};
    return batch_pass(m, &b, &(wanted){.count = l->count, .blocks = l->blocks, .visitor = &v},
                      "sensitivity");
}

/* Where the rows of a step begin: those of all earlier ones are before it. */
static double *rows_of(double *sums, const layers *l, int64_t first, int64_t t)
{
    return sums + l->count * (t * (t + 1) - first * (first + 1)) / 2;
}

static mesaopt_status sum(mesaopt_model *m, token_source *s, const layers *l, int64_t first,
                          int64_t end, double *sums)
{
    mesaopt_status status = MESAOPT_OK, worth_knowing = MESAOPT_OK;
    for (int64_t done = 0; done < s->count; done += s->tokens.shape[0]) {
        status = source_draw(s, done);
        for (int64_t t = first; t < end && status >= 0; t++) {
            status = add_step(m, s, l, t, rows_of(sums, l, first, t));
            if (status > 0) worth_knowing = status;
        }
        if (status < 0) return status;
    }
    return worth_knowing;
}

static void store(const mesaopt_model *m, const token_source *s, const layers *l, int64_t first,
                  int64_t end, double *sums, const mesaopt_view *out)
{
    const int64_t T = s->task->shape.length;
    for (int64_t i = 0; i < l->count; i++)
        for (int64_t t = first; t < end; t++) {
            const double width = (double)model_width(m, l->blocks[i]),
                         *row = rows_of(sums, l, first, t) + i * (t + 1);
            for (int64_t u = 0; u < T; u++)
                view_set(out, out->ndim == 3 ? (int64_t[]){i, t, u} : (int64_t[]){i, u, 0},
                         u <= t ? source_mean(s, t, row[u]) / width : 0);
        }
}

mesaopt_status study_sensitivity(mesaopt_model *m, token_source *s, int64_t count,
                                 const int64_t *blocks, int64_t step, const mesaopt_view *out)
{
    mesaopt_ctx *ctx = m->head.ctx;
    const layers l = {count, blocks, s};
    const int64_t T = s->task->shape.length, first = step < 0 ? 0 : step,
                  end = step < 0 ? T : step + 1;
    int64_t rows = -1;
    double *sums = NULL;
    if (size_mul(end - first, end, &rows) && size_mul(rows, count, &rows))
        sums = alloc_new(&ctx->alloc, rows, sizeof *sums);
    if (!sums)
        return fail(ctx, MESAOPT_E_MEMORY, "sensitivity: no memory for %lld layers of %lld steps",
                    (long long)count, (long long)T);
    mesaopt_status status = source_open(s, BATCH, "sensitivity");
    if (status == MESAOPT_OK) status = sum(m, s, &l, first, end, sums);
    if (status >= 0) store(m, s, &l, first, end, sums, out);
    if (status >= 0) {
        const mesaopt_status finite = finite_require(ctx, out, "out");
        if (finite != MESAOPT_OK) status = finite;
    }
    source_close(s);
    alloc_free(&ctx->alloc, sums);
    return status;
}
