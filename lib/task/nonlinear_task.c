/* task=nonlinear: a rotation of features that all sequences share,
 *
 *     x_1 ~ U[-start, start]^n,   x_{t+1} = clip(W f(x_t) / |f(x_t)| + noise N(0, I)),
 *     f(x) = gelu_tanh(x A) B,    A n x h, B h x n of entries map_sd N(0, 1), of the seed alone,
 *
 * x as a row, h = hidden, W Haar orthogonal, another one for every sequence; no clip. f / |f| is 0
 * where f is. f are the task's features (MLP* of the paper).
 * Positions of a sequence: those of linear dynamics of n numbers.
 * Source: arXiv 2309.05858, section 3 and appendix; docs/science.md, section 2. */
#include "base/choices.h"
#include "base/philox.h"
#include "task/linear_dynamics.h"
#include <math.h>

enum { ROWS = 8, DRAWN = 256 };    /* of x A at a time; random numbers, likewise */

/* ---- A and B: [n h + h n] in f64, then the same in f32 ---- */

static int64_t common(const task_shape *s) { return 2 * s->dim * s->hidden; }

static const void *weights(const mesaopt_task *task, const kern *k)
{
    return k->size == 8 ? (const void *)task->shared
                        : (const void *)(task->shared + common(&task->shape));
}

/* Drawn in f64, so that f32 and f64 sequences have the same ones. */
static mesaopt_status begin(mesaopt_task *task)
{
    mesaopt_ctx *ctx = task->head.ctx;
    const kern *k = kern_get(ctx, MESAOPT_F64, 0);
    const int64_t count = common(&task->shape);
    double panel[DRAWN * 8] __attribute__((aligned(64)));      /* 8: most lanes */
    task->shared = alloc_new(&ctx->alloc, count, sizeof(double) + sizeof(float));
    if (!task->shared)
        return fail(ctx, MESAOPT_E_MEMORY, "memory: no room for an MLP of dim %lld, hidden %lld",
                    (long long)task->shape.dim, (long long)task->shape.hidden);
    float *single = (float *)(task->shared + count);
    for (int64_t i = 0; i < count && !kern_stopped(k); i += DRAWN) {
        const int64_t now = count - i < DRAWN ? count - i : DRAWN;
        k->normal(task->seed, DRAW_TEACHER, 0, i, now, 0, task->map_sd, panel);
        for (int64_t j = 0; j < now; j++)
            single[i + j] = (float)(task->shared[i + j] = panel[j * k->width]);
    }
    return ctx_stopped(ctx, "teacher");
}

/* ---- features ---- */

static int64_t feature_scratch(const mesaopt_task *task, const kern *k)
{
    arena a = {0};
    arena_take(&a, ROWS * task->shape.hidden, k->width * k->size);
    arena_take(&a, kern_product_scratch(k->wide), 1);
    return a.used;
}

static void features(const mesaopt_task *task, const kern *k, int64_t rows, const void *x,
                     void *scratch, void *out)
{
    arena a = {.base = scratch};
    const int64_t n = task->shape.dim, h = task->shape.hidden;
    void *units = arena_take(&a, ROWS * h, k->width * k->size),
         *products = arena_take(&a, kern_product_scratch(k->wide), 1);
    const mat A = {(void *)weights(task, k), h, 1},
              B = {(char *)A.p + n * h * k->size, n, 1}, H = {units, h, 1};
    for (int64_t t = 0; t < rows && !kern_stopped(k); t += ROWS) {
        const int64_t now = rows - t < ROWS ? rows - t : ROWS;
        k->wide->product(k->wide, products, PRODUCT_SHARED, TRI_NONE, 0, now, h, n,
                         (mat){wide_at(k, x, t * n), n, 1}, A, H);
        k->wide->activate(now, h, ACT_GELU_TANH, NULL, units, NULL);
        k->wide->product(k->wide, products, PRODUCT_SHARED, TRI_NONE, 0, now, n, h, H, B,
                         (mat){wide_at(k, out, t * n), n, 1});
    }
}

/* ---- sequences ---- */

/* f of x_t, then noise [n] each */
typedef struct pieces { linear_pieces linear; void *f, *mlp; } pieces;

static pieces take(arena *a, const mesaopt_task *task, const kern *k)
{
    const int64_t n = task->shape.dim, vector = k->width * k->size;
    pieces p = {.linear = linear_take(a, k, n)};
    p.f = arena_take(a, 2 * n, vector);
    p.mlp = arena_take(a, feature_scratch(task, k), 1);
    return p;
}

static int64_t scratch(const mesaopt_task *task, const kern *k)
{
    arena a = {0};
    take(&a, task, k);
    return a.used;
}

static void draw(const drawing *d)
{
    arena a = {.base = d->scratch};
    const mesaopt_task *task = d->task;
    const kern *k = d->k;
    const int64_t n = task->shape.dim, T = task->shape.length;
    const size_t row = (size_t)(n * k->width * k->size);
    const pieces p = take(&a, task, k);
    linear_rotation(d, n, &p.linear);
    linear_start(d, n, d->x);
    for (int64_t t = 0; t < T && !kern_stopped(k); t++) {
        void *next = wide_at(k, d->x, (t + 1) * n), *moved = wide_at(k, p.f, n);
        features(task, k, 1, wide_at(k, d->x, t * n), p.mlp, p.f);
        unit_rows(k, 1, n, p.f);
        memcpy(moved, next, row);
        k->recursion(k, n, 1, p.linear.W, task->clip, p.f);
        memcpy(next, moved, row);
    }
}

const task_kind nonlinear_task = {.clip = INFINITY,
                                  .start = 0.25,
                                  .map_sd = 1.1,
                                  .hidden_per_dim = 4,
                                  .positions = linear_end,
                                  .common = common,
                                  .begin = begin,
                                  .scratch = scratch,
                                  .draw = draw,
                                  .feature_scratch = feature_scratch,
                                  .features = features};
