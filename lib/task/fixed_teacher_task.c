/* task=fixed_teacher: linear dynamics with one Haar orthogonal W for every sequence of every
 * stream; clip +-10. Source: arXiv 2309.05858, appendix; docs/science.md, section 2. */
#include "base/philox.h"
#include "task/linear_dynamics.h"

/* W is drawn in f64, so that f32 and f64 sequences have the same one. */
static mesaopt_status begin(mesaopt_task *task)
{
    mesaopt_ctx *ctx = task->head.ctx;
    const kern *k = kern_get(ctx, MESAOPT_F64, 0);
    const int64_t n = task->shape.dim;
    double *panel = alloc_new(&ctx->alloc, (3 * n * n + n) * k->width, k->size);
    task->shared = alloc_new(&ctx->alloc, n * n, k->size);
    if (!panel || !task->shared) {
        alloc_free(&ctx->alloc, panel);
        return fail(ctx, MESAOPT_E_MEMORY, "memory: no workspace for a teacher of dim %lld",
                    (long long)n);
    }
    k->orthogonal(k, task->seed, DRAW_TEACHER, 0, 0, n, panel, panel + n * n * k->width);
    for (int64_t i = 0; i < n * n; i++) task->shared[i] = panel[i * k->width];
    alloc_free(&ctx->alloc, panel);
    return ctx_stopped(ctx, "teacher");
}

static void draw(const drawing *d)
{
    arena a = {.base = d->scratch};
    const int64_t n = d->task->shape.dim, width = d->k->width;
    const linear_pieces p = linear_take(&a, d->k, n);
    for (int64_t i = 0; i < n * n * width; i++)
        kern_set_real(d->k, p.W, i, d->task->shared[i / width]);
    linear_run(d, n, p.W, d->x);
}

const task_kind fixed_teacher_task = {.clip = 10,
                                      .start = 1,
                                      .positions = linear_end,
                                      .begin = begin,
                                      .scratch = linear_scratch,
                                      .draw = draw};
