/* Sequences of a task into a view [B, T+1, n]: panels in parallel, after a callback task has been
 * asked for them. */
#include "base/pool.h"
#include "task/sequences.h"

enum { PREPARED = 256 };           /* sequences that a callback is asked for at a time; a multiple
                                      of every lane count */

typedef struct draw_job {
    const mesaopt_task *task;
    const kern *k;
    int32_t stream;
    int64_t first, start, end;     /* rows start .. end - 1 of `out`; row 0 is sequence `first` */
    const mesaopt_view *out;
    char *buffers;                 /* for each worker: */
    int64_t buffer_size;
} draw_job;

/* A raw panel and scratch for it. */
static void *lay_out(arena *a, const draw_job *job, void **scratch)
{
    const kern *k = job->k;
    void *raw = arena_take(a, job->out->shape[1] * job->out->shape[2], k->lanes * k->size);
    *scratch = arena_take(a, task_scratch(job->task, k), 1);
    return raw;
}

static void draw_item(void *p, int64_t worker, int64_t item)
{
    const draw_job *job = p;
    const kern *k = job->k;
    const mesaopt_view *out = job->out;
    const int64_t row = job->start + item * k->lanes,
                  valid = job->end - row < k->lanes ? job->end - row : k->lanes, n = out->shape[2];
    arena a = {job->buffers + worker * job->buffer_size, 0};
    void *scratch, *raw = lay_out(&a, job, &scratch);
    task_panel(job->task, k, job->stream, job->first + row, valid, scratch, raw);
    k->store(k, out->shape[1], n, valid, raw, n, (char *)out->data + row * out->stride[0] * k->size,
             out->stride[0], out->stride[1], out->stride[2]);
}

static mesaopt_status draw_all(mesaopt_task *task, call *c, draw_job *job)
{
    mesaopt_ctx *ctx = task->head.ctx;
    const int64_t count = job->out->shape[0], step = task->fill ? PREPARED : count;
    for (; job->start < count; job->start = job->end) {
        job->end = count - job->start < step ? count : job->start + step;
        mesaopt_status status = task_prepare(task, c, job->stream, job->first + job->start,
                                             job->end - job->start, job->out->dtype);
        if (status) return status;
        parallel_run(ctx, (job->end - job->start + job->k->lanes - 1) / job->k->lanes, draw_item,
                     job);
        status = ctx_stopped(ctx, "draw");
        if (status) return status;
    }
    return MESAOPT_OK;
}

mesaopt_status task_draw(mesaopt_task *task, call *c, int32_t stream, int64_t first,
                         const mesaopt_view *out)
{
    mesaopt_ctx *ctx = task->head.ctx;
    const kern *k = kern_get(ctx, out->dtype, 0);
    draw_job job = {.task = task, .k = k, .stream = stream, .first = first, .out = out};
    arena plan = {0};
    void *scratch;
    lay_out(&plan, &job, &scratch);
    job.buffer_size = plan.used;
    job.buffers = plan.used < 0 ? NULL : alloc_new(&ctx->alloc, ctx->threads, plan.used);
    if (!job.buffers)
        return fail(ctx, MESAOPT_E_MEMORY,
                    "memory: no workspace of %d x %lld bytes to draw sequences", (int)ctx->threads,
                    (long long)plan.used);
    mesaopt_status status = draw_all(task, c, &job);
    alloc_free(&ctx->alloc, job.buffers);
    return status;
}
