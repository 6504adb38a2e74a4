/* Every task, from the rows of base/tasks.def: a new task is tested here without a line of its own. Sequences are finite, within their clip, functions of
 * (seed, stream, index) alone: not of threads, batches, lanes or how often they are drawn; and the text of a task makes it again. */
#include "task/generated.h"
#include "base/options.h"
#undef fail
#include "contexts.h"
#include <math.h>
#include <stdio.h>

enum { N = 3, T = 7, COUNT = 21, ELEMENTS = (T + 1) * N };

static const char *const names[] = {
#define TASK(name, text) #name,
#include "base/tasks.def"
};
enum { TASKS = sizeof names / sizeof *names };

static mesaopt_task *make(mesaopt_ctx *ctx, const char *name, const char *more)
{
    char text[200];
    snprintf(text, sizeof text, "task=%s dim=%d length=%d tokens=raw %s", name, N, T, more);
    return task_from(ctx, text);
}

static void draw(mesaopt_task *task, int32_t stream, int64_t first, int64_t count, int32_t dtype, void *out)
{
    mesaopt_view v;
    ck_assert_int_eq(mesaopt_view_dense(out, dtype, 3, (int64_t[]){count, T + 1, N}, &v), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_draw(task, stream, first, &v), MESAOPT_OK);
}

/* Finite, within the clip (of the state, where that is seen, of y in pairs) from the second observation on, no two sequences or steps alike. */
START_TEST(values)
{
    mesaopt_ctx *ctx = context_from("");
    for (int c = 0; c < 3; c++) {
        static const char *const more[] = {"noise=0.1", "noise=0 data_clip=0.5", "noise=2 data_clip=1.5"};
        static const double clips[] = {INFINITY, 0.5, 1.5};
        static double x[COUNT][T + 1][N];
        mesaopt_task *task = make(ctx, names[_i], more[c]);
        draw(task, MESAOPT_STREAM_TRAIN, 0, COUNT, MESAOPT_F64, x);
        for (int i = 0; i < COUNT; i++)
            for (int t = 0; t <= T; t++)
                for (int j = 0; j < N; j++) {
                    ck_assert_msg(isfinite(x[i][t][j]), "%s: sequence %d, step %d", names[_i], i, t);
                    ck_assert(t == 0 || fabs(x[i][t][j]) <= clips[c] || task->kind->shows_part || (task->kind->pairs && t % 2 == 0));
                }
        ck_assert_int_ne(memcmp(x[0], x[1], sizeof x[0]), 0);
        if (c == 0) ck_assert_int_ne(memcmp(x[0][T - 1], x[0][T], sizeof x[0][0]), 0);
        mesaopt_task_free(task);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* The same bits from any number of threads, in any batches, as often as they are asked for; others from another seed, stream or index. */
START_TEST(reproducible)
{
    for (int32_t dtype = MESAOPT_F32; dtype <= MESAOPT_F64; dtype++) {
        const size_t size = (size_t)dtype_size(dtype) * ELEMENTS;
        static char all[COUNT * ELEMENTS * 8], part[COUNT * ELEMENTS * 8];
        mesaopt_ctx *one = context_from("threads=1"), *three = context_from("threads=3");
        mesaopt_task *a = make(one, names[_i], "seed=4"), *b = make(three, names[_i], "seed=4"), *other = make(one, names[_i], "seed=5");
        draw(a, MESAOPT_STREAM_TEST, 5, COUNT, dtype, all);
        draw(b, MESAOPT_STREAM_TEST, 5, COUNT, dtype, part);
        ck_assert_mem_eq(all, part, COUNT * size);
        for (int64_t i = 0, n; i < COUNT; i += n) {            /* in pieces of 1, 2, 3, .. */
            n = i + 1 < COUNT - i ? i + 1 : COUNT - i;
            draw(a, MESAOPT_STREAM_TEST, 5 + i, n, dtype, part);
            ck_assert_mem_eq(all + i * (int64_t)size, part, (size_t)n * size);
        }
        draw(other, MESAOPT_STREAM_TEST, 5, COUNT, dtype, part);
        ck_assert_int_ne(memcmp(all, part, COUNT * size), 0);
        draw(a, MESAOPT_STREAM_SEARCH, 5, COUNT, dtype, part);
        ck_assert_int_ne(memcmp(all, part, COUNT * size), 0);
        mesaopt_task_free(a), mesaopt_task_free(b), mesaopt_task_free(other);
        mesaopt_ctx_free(one), mesaopt_ctx_free(three);
    }
}
END_TEST

/* A panel of one lane holds what a lane of a wide one does; lanes without a sequence hold 0. */
START_TEST(lanes)
{
    for (int isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++)
        for (int32_t dtype = MESAOPT_F32; dtype <= MESAOPT_F64; dtype++) {
            mesaopt_ctx *ctx = context_at(isa, 1);
            if (!ctx) continue;
            mesaopt_task *task = make(ctx, names[_i], "seed=4");
            const kern *wide = kern_get(ctx, dtype, 0), *one = kern_get(ctx, dtype, 1);
            static _Alignas(64) char raw[ELEMENTS * 64], lane[ELEMENTS * 8];
            void *scratch = aligned_alloc(64, 1 << 16);
            ck_assert_int_le(task_scratch(task, wide), 1 << 16);
            ck_assert_int_le(task_scratch(task, one), 1 << 16);
            const int64_t valid = wide->lanes - 1;
            memset(raw, 0x7f, sizeof raw);
            task_panel(task, wide, MESAOPT_STREAM_TEST, 8, valid, scratch, raw);
            for (int64_t l = 0; l < wide->lanes; l++) {
                task_panel(task, one, MESAOPT_STREAM_TEST, 8 + l, 1, scratch, lane);
                for (int64_t i = 0; i < ELEMENTS; i++)
                    ck_assert(kern_real(wide, raw, i * wide->lanes + l) == (l < valid ? kern_real(one, lane, i) : 0));
            }
            free(scratch);
            mesaopt_task_free(task);
            mesaopt_ctx_free(ctx);
        }
}
END_TEST

/* "task=linear dim=3 ..": set as settings it makes the same task. */
START_TEST(text)
{
    static double x[COUNT][ELEMENTS], y[COUNT][ELEMENTS];
    mesaopt_ctx *ctx = context_from("");
    mesaopt_task *a = make(ctx, names[_i], "seed=9 noise=0.3 data_clip=3");
    const task_facts facts = task_text(a);
    mesaopt_task *b = task_from(ctx, facts.text);
    ck_assert_str_eq(facts.text, task_text(b).text);
    draw(a, MESAOPT_STREAM_TRAIN, 0, COUNT, MESAOPT_F64, x);
    draw(b, MESAOPT_STREAM_TRAIN, 0, COUNT, MESAOPT_F64, y);
    ck_assert_mem_eq(x, y, sizeof x);
    char word[64];
    snprintf(word, sizeof word, "task=%s ", names[_i]);
    ck_assert_int_eq(strncmp(facts.text, word, strlen(word)), 0);
    ck_assert_str_eq(mesaopt_settings_word(MESAOPT_KEY_TASK, _i), names[_i]);
    mesaopt_task_free(a), mesaopt_task_free(b);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Settings that only some tasks have are refused of the others, by name, unless they say what is the default anyway. */
START_TEST(settings_of_others)
{
    static const struct { const char *set, *says, *tasks, *besides; } rows[] = {          /* besides: what those that have it want with it */
        {"hidden=5", "hidden: 5", " partial nonlinear ", ""}, {"map_sd=0.75", "map_sd: 0.75", " partial nonlinear ", ""},
        {"observation_noise=0.5", "observation_noise: 0.5", " partial ", ""}, {"separator=1", "separator: 1", " regression ", ""}, {"prefix=1", "prefix: 1", " regression ", ""},
        {"segment=6", "segment: 6", " regression ", "teachers=2"}, {"teachers=2 segment=4", "teachers: 2", " regression ", ""}, {"hidden=0 map_sd=0 observation_noise=0.01 teachers=1", NULL, NULL, ""}};
    mesaopt_ctx *ctx = context_from("");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200], says[200], word[64];
        snprintf(word, sizeof word, " %s ", names[_i]);
        const int has = !rows[i].says || strstr(rows[i].tasks, word);
        snprintf(text, sizeof text, "task=%s dim=%d length=%d tokens=raw %s %s", names[_i], N, T, rows[i].set, has ? rows[i].besides : "");
        mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, text);
        mesaopt_task *task = NULL;
        if (has) {
            ck_assert_int_eq(mesaopt_task_create(ctx, s, &task), MESAOPT_OK);
        } else {
            snprintf(says, sizeof says, "%s with task=%s, of no use there, expected the default", rows[i].says, names[_i]);
            REFUSED(ctx, MESAOPT_E_SETTING, says, mesaopt_task_create(ctx, s, &task));
            ck_assert_ptr_null(task);
        }
        mesaopt_task_free(task);
        mesaopt_settings_free(s);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* A trainer takes steps on it, and its loss is finite. */
START_TEST(training)
{
    mesaopt_ctx *ctx = context_from("threads=2");
    mesaopt_task *task = make(ctx, names[_i], "seed=4");
    mesaopt_model *model = model_from(ctx, "inputs=3 outputs=3", "softmax(heads=1,key=2,pe=qk)");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TRAINER, "batch=9 lr=0.01");
    mesaopt_trainer *trainer = NULL;
    double loss = NAN;
    ck_assert_int_eq(mesaopt_trainer_create(ctx, s, model, task, &trainer), MESAOPT_OK);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(mesaopt_trainer_step(trainer, &loss), MESAOPT_OK);
    ck_assert(isfinite(loss) && loss > 0);
    mesaopt_settings_free(s);
    mesaopt_trainer_free(trainer);
    mesaopt_model_free(model);
    mesaopt_task_free(task);
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_tasks_suite(void)
{
    Suite *s = suite_create("tasks");
    TCase *t = tcase_create("tasks");
    tcase_add_loop_test(t, values, 0, TASKS);
    tcase_add_loop_test(t, reproducible, 0, TASKS);
    tcase_add_loop_test(t, lanes, 0, TASKS);
    tcase_add_loop_test(t, text, 0, TASKS);
    tcase_add_loop_test(t, settings_of_others, 0, TASKS);
    tcase_add_loop_test(t, training, 0, TASKS);
    suite_add_tcase(s, t);
    return s;
}
