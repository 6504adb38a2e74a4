/* What a linearisation costs, on sequences held out: the loss of the model with one block replaced
 * over its own, and what the block adds to the stream that the linear one misses,
 *
 *     ratio = L(model with f in place of the block) / L(model)
 *     error = sum of || f(h) - h' ||^2 / sum of || h' - h ||^2
 *
 * Steps count what the task says. */
#include "study/linearise_impl.h"
#include "base/number.h"
#include <float.h>
#include <math.h>

/* ratios[i] of every student, one model after the other; sums: [2 T]. */
static mesaopt_status ratios_of(mesaopt_linearise *l, call *c, int64_t count, double *sums,
                                double *ratios)
{
    double whole, replaced;
    mesaopt_status status =
        batch_evaluate(l->teacher, l->task, c, MESAOPT_STREAM_TEST, 0, count, sums, &whole);
    mesaopt_status worth_knowing = status;
    for (int64_t i = 0; i < l->count && status >= 0; i++) {
        mesaopt_model *m;
        status = linearise_model(l, i, &m);
        if (status != MESAOPT_OK) return status;
        status = batch_evaluate(m, l->task, c, MESAOPT_STREAM_TEST, 0, count, sums, &replaced);
        object_release(&m->head);
        if (status > 0) worth_knowing = status;
        ratios[i] = replaced / whole;
    }
    return status < 0 ? status : worth_knowing;
}

/* Sum of weight * || h' - h ||^2 over steps, and of the weights. Where a weight is 0 there may be
 * anything. */
static double squares(const mesaopt_linearise *l, const student *s, double *weights)
{
    const mesaopt_view *h = linearise_stream(l, s, 0), *after = linearise_stream(l, s, 1);
    double sum = 0;
    *weights = 0;
    for (int64_t i = 0; i < h->shape[0] && !ctx_interrupted(l->head.ctx); i++)
        for (int64_t t = 0; t < h->shape[1]; t++) {
            const double w = view_get(&l->weights, (int64_t[]){i, t});
            *weights += w;
            for (int64_t j = 0; w > 0 && j < h->shape[2]; j++) {
                const int64_t at[3] = {i, t, j};
                const double d = view_get(after, at) - view_get(h, at);
                sum += w * d * d;
            }
        }
    return sum;
}

/* Of the sequences that are recorded: missed and added [count], +=. */
static mesaopt_status add_errors(const mesaopt_linearise *l, double *missed, double *added)
{
    for (int64_t i = 0; i < l->count; i++) {
        const student *s = &l->students[i];
        const batch b = linearise_lesson(l, s);
        double loss, weights;
        const mesaopt_status status =
            batch_pass(s->model, &b, &(wanted){.loss = &loss}, "evaluate");
        if (status < 0) return status;
        added[i] += squares(l, s, &weights);
        missed[i] += 2 * loss * weights;
    }
    return ctx_stopped(l->head.ctx, "evaluate");
}

static mesaopt_status errors_of(mesaopt_linearise *l, call *c, int64_t count, double *missed,
                                double *added)
{
    for (int64_t done = 0; done < count; done += l->batch) {
        const int64_t left = count - done;
        mesaopt_status status = linearise_record(l, c, MESAOPT_STREAM_TEST, done,
                                                 left < l->batch ? left : l->batch, "evaluate");
        if (status >= 0) status = add_errors(l, missed, added);
        if (status < 0) return status;
    }
    for (int64_t i = 0; i < l->count; i++) missed[i] /= added[i];
    return MESAOPT_OK;
}

static mesaopt_status check(const mesaopt_linearise *l, const double *values,
                            const mesaopt_view *out, const char *name)
{
    const double most = out->dtype == MESAOPT_F32 ? FLT_MAX : DBL_MAX;
    for (int64_t i = 0; i < l->count; i++)
        if (!(values[i] <= most))
            return fail(l->head.ctx, MESAOPT_E_NONFINITE,
                        "evaluate: the %s of block %lld is %s%s, expected a finite number as %s",
                        name, (long long)l->students[i].block, number_text(values[i]).text,
                        isnan(values[i]) ? " (it adds nothing to the stream)" : "",
                        dtype_name(out->dtype));
    return MESAOPT_OK;
}

static void store(const mesaopt_linearise *l, const double *values, const mesaopt_view *out)
{
    for (int64_t i = 0; i < l->count; i++) view_set(out, &i, values[i]);
}

mesaopt_status linearise_evaluate(mesaopt_linearise *l, call *c, int64_t count,
                                  const mesaopt_view *ratio, const mesaopt_view *error)
{
    mesaopt_ctx *ctx = l->head.ctx;
    const int64_t T = l->task->shape.length;
    double *memory = alloc_new(&ctx->alloc, 2 * T + 3 * l->count, sizeof *memory);
    if (!memory)
        return fail(ctx, MESAOPT_E_MEMORY, "evaluate: no memory for the losses of %lld steps",
                    (long long)T);
    double *ratios = memory + 2 * T, *missed = ratios + l->count, *added = missed + l->count;
    const mesaopt_status ran = ratios_of(l, c, count, memory, ratios);
    mesaopt_status status = ran < 0 || !error ? ran : errors_of(l, c, count, missed, added);
    if (status >= 0) status = check(l, ratios, ratio, "ratio");
    if (status == MESAOPT_OK && error) status = check(l, missed, error, "error");
    if (status == MESAOPT_OK) {
        store(l, ratios, ratio);
        if (error) store(l, missed, error);
    }
    alloc_free(&ctx->alloc, memory);
    return status == MESAOPT_OK ? ran : status;
}
