/* Learning the coefficients a, b of a preconditioning iteration: AdamW on the autoregressive loss
 * of its predictions, a fresh batch each update; the gradient is worked out by hand
 * (kern/simd_precondition.c). Recipe: docs/science.md, section 5. */
#include "study/baseline_run.h"
#include "train/steps.h"
#include <math.h>
#include <string.h>

enum { RECIPE_UPDATES = 20000, RECIPE_UPDATES_OF_TWO_STEPS = 80000 };

/* sums: [T] of errors, then the gradient of their sum. */
typedef struct learning { mesaopt_baseline *b; baseline_run *r; double *sums; } learning;

/* Nothing changes before everything is known to be finite. */
static mesaopt_status update(void *of, call *c, mesaopt_step *report)
{
    const learning *l = of;
    mesaopt_baseline *b = l->b;
    baseline_run *r = l->r;
    double *sums = l->sums;
    mesaopt_ctx *ctx = b->head.ctx;
    const int64_t step = atomic_load(&b->updates), n = b->method->learned * b->iterations;
    int64_t first, end;
    const double value = b->value;
    if (!size_mul(step, b->batch, &first) || !size_add(first, b->batch, &end))
        return fail(ctx, MESAOPT_E_STATE,
                    "updates: %lld of batch %lld, the stream of sequences ends here",
                    (long long)step, (long long)b->batch);
    const mesaopt_status status = baseline_run_measure(r, c, first, b->batch, &value, sums);
    if (status != MESAOPT_OK) return status;
    double *g = sums + r->T, *m = b->moments, *v = m + 2 * b->iterations;
    const double loss = baseline_run_loss(r, sums);
    r->k->scale(2 * b->iterations, 1 / r->weight, g);
    const double norm = sqrt(r->k->sum_squares(n, g));
    if (!isfinite(loss) || !isfinite(norm))
        return fail(ctx, MESAOPT_E_NONFINITE, "step %lld: the %s is not finite", (long long)step,
                    isfinite(loss) ? "gradient of the coefficients" : "loss");
    if (b->recipe.clip_value < INFINITY) r->k->clamp(n, b->recipe.clip_value, g);
    r->k->scale(n, adamw_norm_factor(&b->recipe, sqrt(r->k->sum_squares(n, g))), g);
    const double rate = schedule_rate(&b->recipe.rate, step);
    adamw_update(&b->recipe, r->k, rate, b->recipe.weight_decay, step + 1, n, b->coefficients, g, m,
                 v);
    atomic_store(&b->updates, step + 1);
    *report = (mesaopt_step){sizeof *report, step + 1, loss, rate, norm};
    return MESAOPT_OK;
}

mesaopt_status baseline_train(mesaopt_baseline *b, call *c, mesaopt_task *task, int64_t updates,
                              mesaopt_step_fn after, void *user)
{
    mesaopt_ctx *ctx = b->head.ctx;
    baseline_run r = {.b = b,
                      .what = "train",
                      .task = task,
                      .stream = MESAOPT_STREAM_TRAIN,
                      .values = 1,
                      .gradients = 2 * b->iterations};
    double *sums = NULL;
    int64_t size;
    if (size_add(task->shape.length, r.gradients, &size))
        sums = alloc_new(&ctx->alloc, size, sizeof *sums);
    if (!sums)
        return fail(ctx, MESAOPT_E_MEMORY, "train: no memory for the errors of %lld steps",
                    (long long)task->shape.length);
    if (updates == 0) updates = b->iterations == 2 ? RECIPE_UPDATES_OF_TWO_STEPS : RECIPE_UPDATES;
    mesaopt_status status = task_reserve(task, b->batch, MESAOPT_F64);
    if (status == MESAOPT_OK) status = baseline_run_open(&r, b->batch);
    if (status == MESAOPT_OK) {
        status = steps_run(&(learner){&(learning){b, &r, sums}, &b->updates, update}, c, updates,
                           after, user);
        baseline_run_close(&r);
    }
    alloc_free(&ctx->alloc, sums);
    return status;
}
