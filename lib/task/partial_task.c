/* task=partial: linear dynamics of h = hidden numbers, W Haar orthogonal, of which n are seen,
 *
 *     s_t = C x_t + observation_noise N(0, I),  C n x h of entries map_sd N(0, 1),
 *
 * W and C another one for every sequence; clip +-10, of the state. The k newest observations obey a
 * linear map (without noise) if and only if k n >= h.
 * Positions of a sequence: those of linear dynamics of h numbers, n h Gaussians of C, noise of the
 * observations. Source: arXiv 2309.05858, section 3 and appendix; docs/science.md, section 2. */
#include "task/linear_dynamics.h"

typedef struct places { int64_t C, noise, end; } places;

static places lay_places(const task_shape *s)
{
    const int64_t C = even(linear_lay_positions(s->hidden, s->length).end),
                  noise = C + even(s->dim * s->hidden);
    return (places){C, noise, noise + (s->length + 1) * s->dim};
}

static int64_t positions(const task_shape *s) { return lay_places(s).end; }

/* x [T+1][h], C [n][h] */
typedef struct pieces { linear_pieces linear; void *x, *C, *products; } pieces;

static pieces take(arena *a, const kern *k, const task_shape *s)
{
    const int64_t vector = k->width * k->size;
    pieces p = {.linear = linear_take(a, k, s->hidden)};
    p.x = arena_take(a, (s->length + 1) * s->hidden, vector);
    p.C = arena_take(a, s->dim * s->hidden, vector);
    p.products = arena_take(a, kern_product_scratch(k->wide), 1);
    return p;
}

static int64_t scratch(const mesaopt_task *task, const kern *k)
{
    arena a = {0};
    take(&a, k, &task->shape);
    return a.used;
}

static void draw(const drawing *d)
{
    arena a = {.base = d->scratch};
    const mesaopt_task *task = d->task;
    const kern *k = d->k->wide;
    const int64_t n = task->shape.dim, T = task->shape.length, h = task->shape.hidden;
    const places at = lay_places(&task->shape);
    const pieces p = take(&a, d->k, &task->shape);
    linear_rotation(d, h, &p.linear);
    linear_run(d, h, p.linear.W, p.x);
    draw_normal(d, at.C, n * h, 0, task->map_sd, p.C);
    draw_noise(d, at.noise, (T + 1) * n, task->observation_noise, d->x);
    /* rows: s_t += x_t C^T */
    k->product(k, p.products, PRODUCT_LANE, TRI_NONE, 1, T + 1, n, h, (mat){p.x, h, 1},
               (mat){p.C, 1, h}, (mat){d->x, n, 1});
}

const task_kind partial_task = {.clip = 10,
                                .start = 1,
                                .map_sd = 0.5,
                                .hidden = 15,
                                .shows_part = 1,
                                .positions = positions,
                                .scratch = scratch,
                                .draw = draw};
