/* Random draws into views of any shape and strides: panels of draws, LANES rows and CHUNK positions
 * at a time, scattered. */
#include "kern/draws.h"
#include "base/pool.h"

enum { CHUNK = 256, SLICE = 1 << 16, WIDEST_VECTOR = 64 }; /* positions, those of a matrix; bytes */

typedef struct draw_job {
    const kern *k;
    draw_kernel draw;
    uint64_t seed, first;
    uint32_t stream;
    double a, b;
    const mesaopt_view *out;
    int64_t rows, positions, chunks;
    char *work;                    /* of orthogonal: work_size bytes for each worker */
    int64_t work_size;
} draw_job;

static draw_job plan(mesaopt_ctx *ctx, draw_kernel draw, uint64_t seed, uint32_t stream,
                     uint64_t first, const mesaopt_view *out)
{
    int64_t positions = 1;
    for (int32_t i = 1; i < out->ndim; i++) positions *= out->shape[i];
    return (draw_job){.k = kern_get(ctx, out->dtype, 0),
                      .draw = draw,
                      .seed = seed,
                      .stream = stream,
                      .first = first,
                      .out = out,
                      .rows = out->shape[0],
                      .positions = positions,
                      .chunks = (positions + CHUNK - 1) / CHUNK};
}

static int64_t panels(const draw_job *job)
{
    return (job->rows + job->k->width - 1) / job->k->width;
}

/* Elements position .. position + count - 1 of rows row .. row + valid - 1 <- panel. */
static void scatter(const draw_job *job, int64_t row, int64_t valid, int64_t position,
                    int64_t count, const void *panel)
{
    const mesaopt_view *out = job->out;
    const int64_t size = job->k->size, step = out->stride[0] * size;
    int64_t index[MESAOPT_MAX_RANK] = {0}, rest = position;
    for (int32_t i = out->ndim - 1; i > 0; i--) {
        index[i] = rest % out->shape[i];
        rest /= out->shape[i];
    }
    const char *from = panel;
    for (int64_t p = 0; p < count; p++, from += job->k->width * size) {
        int64_t offset = row * out->stride[0];
        for (int32_t i = 1; i < out->ndim; i++) offset += index[i] * out->stride[i];
        char *to = (char *)out->data + offset * size;
        if (size == 4)
            for (int64_t l = 0; l < valid; l++)
                *(float *)(to + l * step) = ((const float *)from)[l];
        else
            for (int64_t l = 0; l < valid; l++)
                *(double *)(to + l * step) = ((const double *)from)[l];
        for (int32_t i = out->ndim - 1; i > 0 && ++index[i] == out->shape[i]; i--) index[i] = 0;
    }
}

static int64_t valid_lanes(const draw_job *job, int64_t row)
{
    return job->rows - row < job->k->width ? job->rows - row : job->k->width;
}

static void draw_item(void *p, int64_t worker, int64_t item)
{
    const draw_job *job = p;
    char panel[CHUNK * WIDEST_VECTOR] __attribute__((aligned(WIDEST_VECTOR)));
    const int64_t row = item / job->chunks * job->k->width, position = item % job->chunks * CHUNK;
    const int64_t count = job->positions - position < CHUNK ? job->positions - position : CHUNK;
    (void)worker;
    job->draw(job->seed, job->stream, (int64_t)(job->first + (uint64_t)row), position, count,
              job->a, job->b, panel);
    scatter(job, row, valid_lanes(job, row), position, count, panel);
}

void draw_uniform(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream, uint64_t first, double low,
                  double high, const mesaopt_view *out)
{
    draw_job job = plan(ctx, kern_get(ctx, out->dtype, 0)->uniform, seed, stream, first, out);
    job.a = low, job.b = high;
    parallel_run(ctx, panels(&job) * job.chunks, draw_item, &job);
}

void draw_normal(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream, uint64_t first, double mean,
                 double sd, const mesaopt_view *out)
{
    draw_job job = plan(ctx, kern_get(ctx, out->dtype, 0)->normal, seed, stream, first, out);
    job.a = mean, job.b = sd;
    parallel_run(ctx, panels(&job) * job.chunks, draw_item, &job);
}

static void orthogonal_item(void *p, int64_t worker, int64_t item)
{
    const draw_job *job = p;
    const int64_t row = item * job->k->width;
    char *panel = job->work + worker * job->work_size,
         *work = panel + job->positions * job->k->width * job->k->size;
    job->k->orthogonal(job->k, job->seed, job->stream, (int64_t)(job->first + (uint64_t)row), 0,
                       job->out->shape[1], panel, work);
    for (int64_t p = 0; p < job->positions && !kern_stopped(job->k); p += SLICE)
        scatter(job, row, valid_lanes(job, row), p,
                job->positions - p < SLICE ? job->positions - p : SLICE,
                panel + p * job->k->width * job->k->size);
}

mesaopt_status draw_orthogonal(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream, uint64_t first,
                               const mesaopt_view *out)
{
    draw_job job = plan(ctx, NULL, seed, stream, first, out);
    if (job.rows == 0 || job.positions == 0) return MESAOPT_OK;
    job.work_size = (3 * job.positions + out->shape[1]) * job.k->width * job.k->size;
    job.work = alloc_new(&ctx->alloc, ctx->threads, job.work_size);
    if (!job.work)
        return fail(ctx, MESAOPT_E_MEMORY,
                    "memory: no workspace of %d x %lld bytes for matrices of %lld rows",
                    (int)ctx->threads, (long long)job.work_size, (long long)out->shape[1]);
    parallel_run(ctx, panels(&job), orthogonal_item, &job);
    alloc_free(&ctx->alloc, job.work);
    return MESAOPT_OK;
}
