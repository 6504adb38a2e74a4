/* Workspaces are laid out for the call that uses them, whatever ran before: a host allocator that hands the same addresses out again, and guards behind
 * every block, make it show when one is taken for what it was. Expected numbers come from a handle that was used for nothing else. */
#include "contexts.h"
#include <stdint.h>

/* ---- a host allocator that gives the block freed last to the next request of its size, with a guard behind each ---- */

enum { GUARD = 4096, GUARD_BYTE = 0x5a, MOST_FREE = 64 };

typedef struct recycler { struct { void *at; int64_t size; } spare[MOST_FREE]; int count; long broken, reused; } recycler;

static void *take_spare(recycler *r, int64_t size)
{
    for (int i = r->count - 1; i >= 0; i--)
        if (r->spare[i].size == size) {
            void *at = r->spare[i].at;
            r->spare[i] = r->spare[--r->count];
            r->reused++;
            return at;
        }
    return malloc((size_t)(size + GUARD));
}

static void *recycle(void *ptr, int64_t old_size, int64_t new_size, void *user)
{
    recycler *r = user;
    if (new_size > 0) return memset(take_spare(r, new_size), GUARD_BYTE, (size_t)(new_size + GUARD));
    for (int64_t i = 0; ptr && i < GUARD; i++) r->broken += ((unsigned char *)ptr)[old_size + i] != GUARD_BYTE;
    if (ptr && r->count < MOST_FREE) r->spare[r->count].at = ptr, r->spare[r->count++].size = old_size;
    else free(ptr);
    return NULL;
}

/* After the context is gone: no guard was written to, and nothing is left to the leak checker. */
static void finish(recycler *r)
{
    ck_assert_int_eq(r->broken, 0);
    while (r->count > 0) free(r->spare[--r->count].at);
}

static mesaopt_ctx *recycling_context(recycler *r)
{
    mesaopt_settings *s;
    mesaopt_ctx *ctx;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, recycle, r, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_create(s, &ctx), MESAOPT_OK);
    mesaopt_settings_free(s);
    return ctx;
}

/* ---- models ---- */

static double evaluated(mesaopt_model *m, mesaopt_task *task)
{
    double loss = -1;
    ck_assert_int_eq(mesaopt_model_evaluate(m, task, MESAOPT_STREAM_TEST, 0, 16, NULL, &loss), MESAOPT_OK);
    return loss;
}

static mesaopt_task *own_task(mesaopt_ctx *ctx, const char *settings)
{
    static float x[16 * 51 * 10];
    for (int i = 0; i < 16 * 51 * 10; i++) x[i] = (float)(i % 7) - 3;
    mesaopt_view v = DENSE(x, MESAOPT_F32, 16, 51, 10);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, settings);
    mesaopt_tensor *t;
    mesaopt_task *task;
    ck_assert_int_eq(mesaopt_tensor_wrap(ctx, &v, NULL, NULL, &t), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_from_tensor(ctx, s, t, &task), MESAOPT_OK);
    mesaopt_tensor_free(t);
    mesaopt_settings_free(s);
    return task;
}

static const char tokens[] = "tokens=constructed", sizes[] = "inputs=40 outputs=10", blocks[] = "linear(heads=2,key=4); softmax(heads=1,key=3,pe=qk)";

static double alone(const char *what, int own)
{
    mesaopt_ctx *ctx = context_from("");
    mesaopt_model *m = model_from(ctx, sizes, blocks);
    mesaopt_task *task = own ? own_task(ctx, what) : task_from(ctx, what);
    const double loss = evaluated(m, task);
    mesaopt_task_free(task), mesaopt_model_free(m), mesaopt_ctx_free(ctx);
    return loss;
}

/* Own sequences need no scratch, generated ones do; the second task stands where the first one stood. */
START_TEST(another_task_at_the_same_address)
{
    recycler r = {.count = 0};
    mesaopt_ctx *ctx = recycling_context(&r);
    mesaopt_model *m = model_from(ctx, sizes, blocks);
    mesaopt_task *own = own_task(ctx, tokens), *generated;
    const uintptr_t at = (uintptr_t)own;
    ck_assert(evaluated(m, own) == alone(tokens, 1));
    mesaopt_task_free(own);
    generated = task_from(ctx, tokens);
    ck_assert_uint_eq((uintptr_t)generated, at);
    ck_assert(evaluated(m, generated) == alone(tokens, 0));
    mesaopt_task_free(generated), mesaopt_model_free(m), mesaopt_ctx_free(ctx);
    ck_assert_int_gt(r.reused, 0);
    finish(&r);
}
END_TEST

/* One model for passes of other lengths, batches and kinds in between: what one leaves in the workspace (positions among it) is none of the next one's. */
START_TEST(passes_in_any_order)
{
    static const struct { const char *task; int own; } kind[] = {{"tokens=constructed", 0}, {"tokens=constructed length=7", 0}, {"tokens=constructed length=90", 0}, {tokens, 1}};
    double expected[4];
    recycler r = {.count = 0};
    mesaopt_ctx *ctx = recycling_context(&r);
    mesaopt_model *m = model_from(ctx, sizes, blocks);
    mesaopt_task *task[4];
    for (int i = 0; i < 4; i++) {
        expected[i] = alone(kind[i].task, kind[i].own);
        task[i] = kind[i].own ? own_task(ctx, kind[i].task) : task_from(ctx, kind[i].task);
    }
    for (int turn = 0; turn < 64; turn++) {
        const int first = turn % 4, second = turn / 4 % 4, third = turn / 16;
        ck_assert(evaluated(m, task[first]) == expected[first]);
        ck_assert(evaluated(m, task[second]) == expected[second]);
        ck_assert(evaluated(m, task[third]) == expected[third]);
    }
    for (int i = 0; i < 4; i++) mesaopt_task_free(task[i]);
    mesaopt_model_free(m), mesaopt_ctx_free(ctx);
    finish(&r);
}
END_TEST

/* Blocks that come later move what passes keep. */
START_TEST(blocks_added_between_passes)
{
    mesaopt_ctx *ctx = context_from("");
    mesaopt_model *whole = model_from(ctx, sizes, "softmax(heads=1,key=3,pe=qk); softmax(heads=1,key=5,pe=qk)"), *grown = model_from(ctx, sizes, "softmax(heads=1,key=3,pe=qk)");
    mesaopt_task *task = task_from(ctx, tokens), *longer = task_from(ctx, "tokens=constructed length=200");
    evaluated(grown, longer);                          /* so that there is memory enough for two */
    evaluated(grown, task);
    ck_assert_int_eq(mesaopt_model_add_text(grown, "softmax(heads=1,key=5,pe=qk)"), MESAOPT_OK);
    ck_assert(evaluated(grown, task) == evaluated(whole, task));
    mesaopt_task_free(task), mesaopt_task_free(longer), mesaopt_model_free(whole), mesaopt_model_free(grown), mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_workspaces_suite(void)
{
    Suite *s = suite_create("workspaces");
    TCase *t = tcase_create("models");
    tcase_add_test(t, another_task_at_the_same_address);
    tcase_add_test(t, passes_in_any_order);
    tcase_add_test(t, blocks_added_between_passes);
    suite_add_tcase(s, t);
    return s;
}
