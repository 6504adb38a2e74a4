/* A context, a model, a task and a trainer for tests, their settings given as text. Include after the library's inner headers. */
#ifndef TESTS_TRAINING_SETUP_H
#define TESTS_TRAINING_SETUP_H

#include "contexts.h"
#include "hook_alloc.h"
#include <stdio.h>
#include <unistd.h>

typedef struct recipe { const char *model, *blocks, *task, *trainer; mesaopt_sequence_fn fill; } recipe;

/* Small enough for hundreds of steps, and with a last panel that is not full. */
static const recipe small_linear = {"inputs=12 outputs=3 seed=5", "mask(first=3); 2 x linear(heads=2,key=4,residual_clip=2,init_sd=0.1)",
                                    "dim=3 length=9 tokens=constructed seed=11",
                                    "batch=37 lr=3e-3 warmup=10 cosine_steps=150 weight_decay=0.05 clip_norm=0.5", NULL};
static const recipe small_softmax = {"inputs=3 outputs=3 seed=5 dtype=f64",
                                     "dense(outputs=6,init_sd=0.3); softmax(heads=2,key=3,init_sd=0.2,pe=qk); dense(outputs=3,init_sd=0.3)",
                                     "dim=3 length=9 tokens=raw task=contracting seed=11", "batch=21 lr=3e-3", NULL};

typedef struct setup {
    mesaopt_ctx *ctx;              /* not owned */
    mesaopt_model *model;
    mesaopt_task *task;
    mesaopt_trainer *trainer;
} setup;

static inline void setup_end(setup *s)
{
    mesaopt_trainer_free(s->trainer);
    mesaopt_task_free(s->task);
    mesaopt_model_free(s->model);
}

static inline mesaopt_status setup_make(mesaopt_ctx *ctx, const recipe *r, setup *s)
{
    mesaopt_settings *model = settings_from(MESAOPT_SCOPE_MODEL, r->model), *task = settings_from(MESAOPT_SCOPE_TASK, r->task);
    mesaopt_settings *trainer = settings_from(MESAOPT_SCOPE_TRAINER, r->trainer);
    *s = (setup){.ctx = ctx};
    mesaopt_status status = mesaopt_model_create(ctx, model, &s->model);
    if (status == MESAOPT_OK) status = mesaopt_model_add_text(s->model, r->blocks);
    if (status == MESAOPT_OK)
        status = r->fill ? mesaopt_task_from_callback(ctx, task, r->fill, NULL, NULL, &s->task) : mesaopt_task_create(ctx, task, &s->task);
    if (status == MESAOPT_OK) status = mesaopt_trainer_create(ctx, trainer, s->model, s->task, &s->trainer);
    mesaopt_settings_free(model);
    mesaopt_settings_free(task);
    mesaopt_settings_free(trainer);
    if (status != MESAOPT_OK) setup_end(s);
    return status;
}

static inline const char *error_of(mesaopt_ctx *ctx)
{
    static char text[512];
    mesaopt_ctx_error(ctx, text, sizeof text);
    return text;
}

static inline setup setup_start(mesaopt_ctx *ctx, const recipe *r)
{
    setup s;
    ck_assert_msg(setup_make(ctx, r, &s) == MESAOPT_OK, "%s", error_of(ctx));
    return s;
}

/* All parameters in their order, as they lie in memory. */
typedef struct bits { int64_t bytes; unsigned char data[1 << 16]; } bits;

static inline void bits_read(setup *s, bits *b)
{
    b->bytes = 0;
    for (int64_t i = 0; i < mesaopt_model_parameters(s->model); i++) {
        mesaopt_view v;
        ck_assert_int_eq(mesaopt_model_parameter(s->model, mesaopt_model_parameter_name(s->model, i), &v), MESAOPT_OK);
        const int64_t n = v.shape[0] * v.shape[1] * (v.dtype == MESAOPT_F64 ? 8 : 4);
        ck_assert_int_le(b->bytes + n, (int64_t)sizeof b->data);
        memcpy(b->data + b->bytes, v.data, (size_t)n);
        b->bytes += n;
    }
}

static inline int bits_equal(const bits *a, const bits *b) { return a->bytes == b->bytes && memcmp(a->data, b->data, (size_t)a->bytes) == 0; }

/* A context over the counting allocator. */
static inline mesaopt_ctx *context_hooked(hook_alloc *hook, const char *text)
{
    mesaopt_settings *s = NULL;
    mesaopt_ctx *ctx = NULL;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, hook_alloc_fn, hook, &s), MESAOPT_OK);
    if (*text) {
        char name[64];
        snprintf(name, sizeof name, "%s", text);
        char *value = strchr(name, '=');
        *value++ = 0;
        ck_assert_int_eq(mesaopt_settings_set_text(s, name, value), MESAOPT_OK);
    }
    ck_assert_int_eq(mesaopt_ctx_create(s, &ctx), MESAOPT_OK);
    mesaopt_settings_free(s);
    return ctx;
}

/* A folder of its own for a test's files. */
static inline void folder_make(char folder[64])
{
    strcpy(folder, "/tmp/mesaopt-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline int64_t file_read(const char *path, unsigned char *data, size_t cap)
{
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(data, 1, cap, f);
    ck_assert_uint_lt(n, cap);
    fclose(f);
    return (int64_t)n;
}

#endif
