/* task=regression: few-shot regression, pairs that a layout (pair_layout.h) makes a sequence of,
 *     x_i ~ U[-start, start]^n,  y_i = clip(W x_i + noise N(0, I)),
 * W Haar orthogonal, another one for every teacher of every sequence; clip +-10, of y alone.
 * Source: arXiv 2309.05858, section 4 (in-context learning); docs/science.md, section 2.
 * Positions of a sequence: n^2 Gaussians of every W, then of pair after pair x and noise: so a
 * sequence has the same pairs in all layouts of as many teachers. */
#include "task/generated.h"

typedef struct places { int64_t pairs, each, noise, end; } places;

static places lay_places(const task_shape *s)
{
    const int64_t n = even(s->dim), pairs = s->layout.teachers * even(s->dim * s->dim);
    return (places){pairs, 2 * n, n, pairs + pair_layout_pairs(&s->layout, s->length) * 2 * n};
}

static int64_t positions(const task_shape *s) { return lay_places(s).end; }

/* W [n][n], work of the kernel that draws it */
typedef struct pieces { void *W, *work; } pieces;

static pieces take(arena *a, const kern *k, int64_t n)
{
    pieces p;
    p.W = arena_take(a, n * n, k->width * k->size);
    p.work = arena_take(a, 2 * n * n + n, k->width * k->size);
    return p;
}

static int64_t scratch(const mesaopt_task *task, const kern *k)
{
    arena a = {0};
    take(&a, k, task->shape.dim);
    return a.used;
}

static void draw(const drawing *d)
{
    arena a = {.base = d->scratch};
    const mesaopt_task *task = d->task;
    const kern *k = d->k;
    const int64_t n = task->shape.dim, pairs = task_rows(task) / 2;
    const places at = lay_places(&task->shape);
    const pieces p = take(&a, k, n);
    for (int64_t i = 0, drawn = -1; i < pairs && !kern_stopped(k); i++) {
        void *x = wide_at(k, d->x, 2 * i * n), *y = wide_at(k, x, n);
        const int64_t teacher = pair_layout_teacher(&task->shape.layout, i);
        if (teacher != drawn)
            k->orthogonal(k, task->seed, (uint32_t)d->stream, d->first, teacher * even(n * n), n,
                          p.W, p.work);
        drawn = teacher;
        draw_uniform(d, at.pairs + i * at.each, n, -task->start, task->start, x);
        draw_noise(d, at.pairs + i * at.each + at.noise, n, task->noise, y);
        k->recursion(k, n, 1, p.W, task->clip, x);     /* y = W x + noise, clipped */
    }
}

const task_kind regression_task = {.clip = 10,
                                   .start = 1,
                                   .pairs = 1,
                                   .positions = positions,
                                   .scratch = scratch,
                                   .draw = draw};
