/* Sequences of a task by index (arXiv 2309.05858, section 3 and appendix; docs/science.md, section
 * 2).
 *
 * Generators draw per sequence a teacher W* [n, n] and x_1 ~ U[-1, 1]^n, then
 *     x_{t+1} = clip(W* x_t + noise N(0, I)),  t = 1..T,
 *     the clipped value is fed back; x_1 is neither noised nor clipped
 *     linear         W* Haar orthogonal                                              clip 10
 *     contracting      W* = U diag(d) U^-1, U Gaussian, d_1 .. d_{n-1} ~ U[.3, .9), d_n = .9
 *     clip 2
 *     fixed_teacher  one orthogonal W* for every sequence of every stream            clip 10
 * Sequence i of stream s is Philox sequence i of stream s under the task's seed. Its positions: n^2
 * Gaussians of W*, x_1, d, noise, each from an even position on. The columns of a Gaussian U are
 * exchangeable, so the paper's permutation of d changes no distribution and is left out. */
#include "task/sequences.h"
#include "base/number.h"
#include "base/options.h"
#include "base/philox.h"
#include <string.h>

/* ---- generators ---- */

typedef struct positions { int64_t start, spectrum, noise, end; } positions;

static int64_t even(int64_t x) { return (x + 1) / 2 * 2; }

static positions lay_positions(const task_shape *s)
{
    positions p;
    p.start = even(s->dim * s->dim);
    p.spectrum = p.start + even(s->dim);
    p.noise = p.spectrum + even(s->dim);
    p.end = p.noise + s->length * s->dim;
    return p;
}

/* Scratch of a panel; all but `native` of native width. */
typedef struct pieces { void *W, *work, *U, *d, *native; } pieces;

struct generator {
    double clip;
    int shared;                    /* one teacher, drawn once at creation */
    void (*teacher)(const mesaopt_task *task, const kern *k, int32_t stream, int64_t first,
                    const pieces *p);
};

static void teacher_orthogonal(const mesaopt_task *task, const kern *k, int32_t stream,
                               int64_t first, const pieces *p)
{
    k->orthogonal(k, task->seed, (uint32_t)stream, first, 0, task->shape.dim, p->W, p->work);
}

static void teacher_contracting(const mesaopt_task *task, const kern *k, int32_t stream,
                                int64_t first, const pieces *p)
{
    const int64_t n = task->shape.dim, at = lay_positions(&task->shape).spectrum;
    kern_draw(k, k->normal, task->seed, (uint32_t)stream, first, 0, n * n, 0, 1, p->U);
    k->uniform(task->seed, (uint32_t)stream, first, at, n - 1, .3, .9, p->d);
    /* .9 in every lane */
    k->normal(task->seed, (uint32_t)stream, first, at, 1, .9, 0,
              (char *)p->d + (n - 1) * k->width * k->size);
    k->similarity(k, n, p->U, p->d, p->W, p->work);
}

static void teacher_shared(const mesaopt_task *task, const kern *k, int32_t stream, int64_t first,
                           const pieces *p)
{
    (void)stream, (void)first;
    for (int64_t i = 0; i < task->shape.dim * task->shape.dim; i++)
        for (int64_t l = 0; l < k->width; l++)
            if (k->dtype == MESAOPT_F32)
                ((float *)p->W)[i * k->width + l] = (float)task->teacher[i];
            else ((double *)p->W)[i * k->width + l] = task->teacher[i];
}

static const struct generator generators[] = {         /* in the order of the words of the
                                                          setting */
    {10, 0, teacher_orthogonal},
    {2, 0, teacher_contracting},
    {10, 1, teacher_shared},
};

int64_t task_kind(const mesaopt_task *task) { return task->generator - generators; }

static int64_t lay_out(const mesaopt_task *task, const kern *k, void *scratch, pieces *p)
{
    arena a = {.base = scratch};
    const int64_t n = task->shape.dim, vector = k->width * k->size;
    *p = (pieces){0};
    if (!task->generator) return 0;
    p->W = arena_take(&a, n * n, vector);
    p->work = arena_take(&a, 2 * n * n + n, vector);
    p->U = arena_take(&a, n * n, vector);
    p->d = arena_take(&a, n, vector);
    if (k->lanes != k->width) p->native = arena_take(&a, (task->shape.length + 1) * n, vector);
    return a.used;
}

int64_t task_scratch(const mesaopt_task *task, const kern *k)
{
    pieces p;
    return lay_out(task, k, NULL, &p);
}

static void generated_panel(const mesaopt_task *task, const kern *k, int32_t stream, int64_t first,
                            int64_t valid, void *scratch, void *raw)
{
    const int64_t n = task->shape.dim, T = task->shape.length, vector = k->width * k->size,
                  elements = (T + 1) * n;
    const positions at = lay_positions(&task->shape);
    pieces p;
    lay_out(task, k, scratch, &p);
    char *x = p.native ? p.native : raw;
    task->generator->teacher(task, k, stream, first, &p);
    k->uniform(task->seed, (uint32_t)stream, first, at.start, n, -1, 1, x);
    if (task->noise > 0)
        kern_draw(k, k->normal, task->seed, (uint32_t)stream, first, at.noise, T * n, 0,
                  task->noise, x + n * vector);
    else memset(x + n * vector, 0, (size_t)(T * n * vector));
    k->recursion(k, n, T, p.W, task->clip, x);
    if (p.native)
        for (int64_t i = 0; i < elements; i++)
            memcpy((char *)raw + i * k->size, x + i * vector, (size_t)k->size);
    else if (valid < k->width)
        for (int64_t i = 0; i < elements; i++)
            memset(x + i * vector + valid * k->size, 0, (size_t)((k->width - valid) * k->size));
}

/* ---- own sequences and callbacks ---- */

#define GATHER(from, to) \
    for (int64_t t = 0; t <= task->shape.length; t++) \
        for (int64_t j = 0; j < n; j++) \
    ((to *)raw)[(t * n + j) * k->lanes + l] = \
        (to)((const from *)v->data)[row * v->stride[0] + t * v->stride[1] + j * v->stride[2]]

static void own_panel(const mesaopt_task *task, const kern *k, int32_t stream, int64_t first,
                      int64_t valid, void *raw)
{
    const mesaopt_view *v = &task->own->view;
    const int64_t n = task->shape.dim, count = task->shape.count;
    if (valid < k->lanes)
        memset(raw, 0, (size_t)((task->shape.length + 1) * n * k->lanes * k->size));
    for (int64_t l = 0; l < valid && !kern_stopped(k); l++) {
        const int64_t row = stream == MESAOPT_STREAM_TRAIN ? order_row(task->seed, count, first + l)
                                                           : (first + l) % count;
        if (v->dtype == MESAOPT_F32 && k->dtype == MESAOPT_F32) GATHER(float, float);
        else if (v->dtype == MESAOPT_F32) GATHER(float, double);
        else if (k->dtype == MESAOPT_F32) GATHER(double, float);
        else GATHER(double, double);
    }
}

mesaopt_status task_reserve(mesaopt_task *task, int64_t count, int32_t dtype)
{
    if (!task->fill) return MESAOPT_OK;
    mesaopt_ctx *ctx = task->head.ctx;
    int64_t bytes;
    if (!size_mul(count, (task->shape.length + 1) * task->shape.dim * dtype_size(dtype), &bytes))
        bytes = INT64_MAX;
    if (bytes <= task->batch.bytes) return MESAOPT_OK;
    void *data = alloc_new(&ctx->alloc, 1, bytes);
    if (!data)
        return fail(ctx, MESAOPT_E_MEMORY, "memory: no %lld bytes for %lld sequences of a callback",
                    (long long)bytes, (long long)count);
    alloc_free(&ctx->alloc, task->batch.data);
    task->batch.data = data;
    task->batch.bytes = bytes;
    return MESAOPT_OK;
}

mesaopt_status task_prepare(mesaopt_task *task, call *c, int32_t stream, int64_t first,
                            int64_t count, int32_t dtype)
{
    if (!task->fill) return MESAOPT_OK;
    mesaopt_ctx *ctx = task->head.ctx;
    const int64_t rows = task->shape.length + 1, n = task->shape.dim;
    if (task->batch.filling)
        return fail(ctx, MESAOPT_E_BUSY,
                    "task: asked for sequences by its own callback, expected it to return first");
    mesaopt_status status = task_reserve(task, count, dtype);
    if (status) return status;
    mesaopt_view view = {.data = task->batch.data,
                         .shape = {count, rows, n},
                         .stride = {rows * n, n, 1},
                         .ndim = 3,
                         .dtype = dtype};
    const mesaopt_view mine = view;                    /* the host may scribble on its own */
    /* NaN: what the host leaves out is found */
    memset(view.data, 0xff, (size_t)(count * rows * n * dtype_size(dtype)));
    task->batch.filling = 1;
    ctx_callback_begin(c);
    int32_t answer = task->fill(stream, first, &view, task->fill_user);
    ctx_callback_end(c);
    task->batch.filling = 0;
    if (answer)
        return fail(ctx, MESAOPT_E_SOURCE,
                    "fill: returned %d for sequences %lld..%lld of stream %d, expected 0",
                    (int)answer, (long long)first, (long long)(first + count - 1), (int)stream);
    int64_t at[MESAOPT_MAX_RANK];
    if (view_first_nonfinite(&mine, at))
        return fail(
            ctx, MESAOPT_E_NONFINITE,
            "fill: element %s of sequences %lld.. of stream %d is %s, expected a finite number",
            view_list(3, at).text, (long long)first, (int)stream,
            number_text(view_get(&mine, at)).text);
    task->batch.first = first;
    task->batch.count = count;
    task->batch.stream = stream;
    task->batch.dtype = dtype;
    return MESAOPT_OK;
}

static void batch_panel(const mesaopt_task *task, const kern *k, int64_t first, int64_t valid,
                        void *raw)
{
    const int64_t rows = task->shape.length + 1, n = task->shape.dim;
    const char *x =
        (const char *)task->batch.data + (first - task->batch.first) * rows * n * k->size;
    k->load(k, rows, n, valid, x, rows * n, n, 1, raw, n);
}

void task_panel(const mesaopt_task *task, const kern *k, int32_t stream, int64_t first,
                int64_t valid, void *scratch, void *raw)
{
    if (task->own) own_panel(task, k, stream, first, valid, raw);
    else if (task->fill) batch_panel(task, k, first, valid, raw);
    else generated_panel(task, k, stream, first, valid, scratch, raw);
}

/* ---- creation ---- */

mesaopt_status task_range_check(mesaopt_ctx *ctx, int32_t stream, int64_t first, int64_t count)
{
    if (stream < MESAOPT_STREAM_TRAIN || stream > MESAOPT_STREAM_SEARCH)
        return fail(ctx, MESAOPT_E_ARGUMENT,
                    "stream: %d, expected 0 (train), 1 (test) or 2 (search)", (int)stream);
    if (first < 0)
        return fail(ctx, MESAOPT_E_ARGUMENT, "first: %lld, expected >= 0", (long long)first);
    if (count < 0)
        return fail(ctx, MESAOPT_E_ARGUMENT, "count: %lld, expected >= 0", (long long)count);
    if (first > INT64_MAX - count)
        return fail(ctx, MESAOPT_E_ARGUMENT,
                    "first: %lld, expected at most %lld for %lld sequences", (long long)first,
                    (long long)(INT64_MAX - count), (long long)count);
    return MESAOPT_OK;
}

static void destroy(object *head)
{
    mesaopt_task *task = (mesaopt_task *)head;
    const allocator *alloc = &head->ctx->alloc;
    if (task->own) object_release(&task->own->head);
    alloc_free(alloc, task->batch.data);
    alloc_free(alloc, task->teacher);
}

/* What all tasks have; fails on sizes that do not fit into int64_t. */
static mesaopt_status create(mesaopt_ctx *ctx, const mesaopt_settings *settings, int64_t dim,
                             int64_t length, mesaopt_task **out)
{
    const int32_t tokens = (int32_t)option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_TOKENS);
    const int64_t slots = option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_SLOTS),
                  width = tokens_width(tokens, slots, dim);
    int64_t largest;
    /* bytes of a panel, and room to add */
    if (width < 0 || !size_mul(length, width, &largest) || !size_mul(largest, 128, &largest))
        return fail(ctx, MESAOPT_E_SETTING,
                    "slots: %lld observations of dim %lld at length %lld, expected tokens that fit "
                    "into memory",
                    (long long)slots, (long long)dim, (long long)length);
    mesaopt_task *task = object_new(ctx, OBJECT_TASK, sizeof *task, destroy);
    if (!task) return MESAOPT_E_MEMORY;
    task->shape = (task_shape){.dim = dim, .length = length, .width = width};
    task->tokens = tokens;
    task->slots = slots;
    task->seed = (uint64_t)option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_SEED);
    *out = task;
    return MESAOPT_OK;
}

/* The teacher that all sequences share, drawn in f64 so that f32 and f64 sequences have the same
 * one. */
static mesaopt_status draw_teacher(mesaopt_task *task)
{
    mesaopt_ctx *ctx = task->head.ctx;
    const kern *k = kern_get(ctx, MESAOPT_F64, 0);
    const int64_t n = task->shape.dim;
    double *panel = alloc_new(&ctx->alloc, (3 * n * n + n) * k->width, k->size);
    task->teacher = alloc_new(&ctx->alloc, n * n, k->size);
    if (!panel || !task->teacher) {
        alloc_free(&ctx->alloc, panel);
        return fail(ctx, MESAOPT_E_MEMORY, "memory: no workspace for a teacher of dim %lld",
                    (long long)n);
    }
    k->orthogonal(k, task->seed, DRAW_TEACHER, 0, 0, n, panel, panel + n * n * k->width);
    for (int64_t i = 0; i < n * n; i++) task->teacher[i] = panel[i * k->width];
    alloc_free(&ctx->alloc, panel);
    return ctx_stopped(ctx, "teacher");
}

mesaopt_status task_generated(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                              mesaopt_task **out)
{
    const task_shape shape = {.dim = option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_DIM),
                              .length =
                                  option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_LENGTH)};
    if (lay_positions(&shape).end > PHILOX_POSITIONS)
        return fail(
            ctx, MESAOPT_E_SETTING,
            "dim: %lld at length %lld takes %lld random numbers a sequence, expected at most %lld",
            (long long)shape.dim, (long long)shape.length, (long long)lay_positions(&shape).end,
            (long long)PHILOX_POSITIONS);
    mesaopt_task *task;
    mesaopt_status status = create(ctx, settings, shape.dim, shape.length, &task);
    if (status) return status;
    task->generator = &generators[option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_TASK)];
    task->noise = option_float(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_NOISE);
    task->clip = option_float(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_DATA_CLIP);
    if (task->clip == 0) task->clip = task->generator->clip;
    if (task->generator->shared) status = draw_teacher(task);
    if (status) {
        object_release(&task->head);
        return status;
    }
    *out = task;
    return MESAOPT_OK;
}

mesaopt_status task_own(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                        mesaopt_tensor *sequences, mesaopt_task **out)
{
    const mesaopt_view *v = &sequences->view;
    mesaopt_status status = create(ctx, settings, v->shape[2], v->shape[1] - 1, out);
    if (status) return status;
    (*out)->shape.count = v->shape[0];
    (*out)->own = sequences;
    (*out)->fingerprint = task_fingerprint(v);
    object_retain(&sequences->head);
    return MESAOPT_OK;
}

mesaopt_status task_callback(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                             mesaopt_sequence_fn fill, void *user, mesaopt_task **out)
{
    mesaopt_status status =
        create(ctx, settings, option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_DIM),
               option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_LENGTH), out);
    if (status) return status;
    (*out)->fill = fill;
    (*out)->fill_user = user;
    return MESAOPT_OK;
}
