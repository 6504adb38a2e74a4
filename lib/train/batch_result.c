/* What a pass over a batch gives: sums of all shards in a fixed order, checked before anything is
 * written; see batch.h. */
#include "train/batch_impl.h"
#include <math.h>
#include <string.h>

static mesaopt_status refuse(const job *j, const fault *f, const char *what)
{
    mesaopt_ctx *ctx = j->m->head.ctx;
    static const char *const given[] = {
        [TOKENS] = "the tokens are", [TARGETS] = "the targets are", [DOUT] = "dout is"};
    if (f->stage >= BLOCKS)
        return fail(ctx, MESAOPT_E_NONFINITE, "%s: the output of block %lld is not finite", what,
                    (long long)(f->stage - BLOCKS));
    if (f->stage == TOKENS || f->stage == TARGETS || f->stage == DOUT)
        return fail(ctx, MESAOPT_E_NONFINITE, "%s: %s not finite at %s", what, given[f->stage],
                    view_list(3, f->at).text);
    return fail(ctx, MESAOPT_E_NONFINITE, "%s: the %s is not finite", what,
                f->stage == LOSS ? "loss" : "gradient of the tokens");
}

static mesaopt_status check_gradient(const job *j, const char *what, double *norm)
{
    const mesaopt_model *m = j->m;
    const int64_t at = j->l.k->first_nonfinite(m->n_params, j->l.grads);
    if (at >= 0) {
        int64_t i = 0;
        while (i + 1 < m->n_table && m->table[i + 1].offset <= at) i++;
        return fail(m->head.ctx, MESAOPT_E_NONFINITE, "%s: the gradient of %s is not finite", what,
                    m->table[i].name);
    }
    if (!norm) return MESAOPT_OK;
    *norm = sqrt(kern_get(m->head.ctx, m->dtype, 0)->sum_squares(m->n_params, j->l.grads));
    if (isfinite(*norm)) return MESAOPT_OK;
    return fail(m->head.ctx, MESAOPT_E_NONFINITE, "%s: the norm of the gradient is not finite",
                what);
}

/* by_t: of all shards, into those of the first. */
static double sum_errors(const job *j)
{
    const int64_t T = j->b->T;
    double *by_t = j->l.by_t, sum = 0;
    for (int64_t s = 1; s < j->l.run.shards; s++)
        for (int64_t t = 0; t < T; t++) by_t[t] += by_t[s * T + t];
    for (int64_t t = 0; t < T; t++) sum += by_t[t];
    return sum;
}

/* Nothing that outlives a failure is written before everything is known to be finite. */
static mesaopt_status finish(const job *j, const char *what)
{
    mesaopt_model *m = j->m;
    const wanted *w = j->w;
    for (int64_t s = 0; s < j->l.run.shards; s++)
        if (j->l.faults[s].stage != NONE) return refuse(j, &j->l.faults[s], what);
    const double sum = sum_errors(j);
    if (!isfinite(sum)) return refuse(j, &(fault){.stage = LOSS}, what);
    const mesaopt_status status = w->gradient ? check_gradient(j, what, w->norm) : MESAOPT_OK;
    if (status != MESAOPT_OK) return status;
    if (w->gradient) memcpy(m->grads, j->l.grads, (size_t)(m->n_params * m->size));
    if (w->loss) *w->loss = sum / j->weight;
    for (int64_t t = 0; w->by_t && t < j->b->T; t++) {
        w->by_t[t] += j->l.by_t[t];
        w->weights[t] += j->l.weights[t];
    }
    for (int64_t s = 0; w->visitor && s < j->l.run.shards; s++)
        for (int64_t i = 0; i < w->visitor->count; i++)
            w->visitor->sums[i] += j->l.sums[s * w->visitor->count + i];
    return MESAOPT_OK;
}

mesaopt_status batch_tell_failed(const mesaopt_model *m, int64_t parts, const int64_t *failed,
                                 const char *what)
{
    for (int64_t i = 0; i < m->n_blocks; i++) {
        long long rows = 0;
        for (int64_t s = 0; s < parts; s++) rows += failed[s * m->n_blocks + i];
        if (rows == 0) continue;
        return fail(m->head.ctx, MESAOPT_NOT_CONVERGED,
                    "%s: block %lld: %lld rows missed the tolerance of their least-squares "
                    "systems, expected none",
                    what, (long long)i, rows);
    }
    return MESAOPT_OK;
}

mesaopt_status batch_result(const job *j, const char *what)
{
    const mesaopt_status status = finish(j, what);
    return status == MESAOPT_OK ? batch_tell_failed(j->m, j->l.run.shards, j->l.failed, what)
                                : status;
}
