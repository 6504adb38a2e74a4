/* Tables of bad arguments, test_arguments*.c: every public function, one row for each thing that can be wrong:
 *
 *     BAD(status, "what the error text must contain", call)
 *
 * A row passes when the call returns the status; when the text of the context or of a settings object that the row uses contains the words (NULL:
 * no text may change, since there is nobody to hold one); when no output (f->out: rows point all outputs there) and no input changed;
 * and when no block of memory was gained or lost. To add a function: rows in the part of its header, outputs in struct outputs. Every table is a test with the fixture setup, teardown. */
#ifndef TESTS_ARGUMENTS_H
#define TESTS_ARGUMENTS_H

#include "base/options.h"
#include "hook_alloc.h"
#include "mesaopt/mesaopt.h"

#include <check.h>
#include <math.h>
#include <string.h>

#undef fail                        /* Check's; here it is the library's */

enum { MOST = INT32_MAX };

/* Every place that a call of the table may want to write to. */
typedef struct outputs {
    mesaopt_settings *settings;
    mesaopt_ctx *ctx;
    mesaopt_tensor *tensor;
    mesaopt_baseline *baseline;
    mesaopt_model *model;
    mesaopt_trainer *trainer;
    mesaopt_task *task;
    mesaopt_attn *attn;
    mesaopt_lsq *lsq;
    mesaopt_rls *rls;
    mesaopt_revalg *revalg;
    mesaopt_linearise *linearise;
    mesaopt_probe *probe;
    mesaopt_decoder *decoder;
    mesaopt_prompt *prompt;
    mesaopt_view view;
    double number, block[64];
    int64_t whole;
    int32_t word;
    char text[16];
} outputs;

typedef struct fixture {
    hook_alloc hook;
    mesaopt_settings *ctx_settings, *trainer_settings;
    mesaopt_ctx *ctx;
    mesaopt_tensor *tensor;
    outputs out;
    double in[64];                 /* input elements */
    mesaopt_view x, y, to;         /* [2,3] f64: inputs over in, an output over out.block */
    int released;
} fixture;

static const char untold[] = "nothing was said";

static void before(fixture *f)
{
    fail(f->ctx, 0, "%s", untold);
    strcpy(f->ctx_settings->text, untold);
    strcpy(f->trainer_settings->text, untold);
    memset(&f->out, 0xa5, sizeof f->out);
    for (int i = 0; i < 64; i++) f->in[i] = i + 1;
    f->hook.fail_at = 0;
}

static void after(fixture *f, const char *row, int line, long blocks, int64_t status, int64_t expected, const char *words)
{
    char ctx_text[512];
    outputs untouched;
    memset(&untouched, 0xa5, sizeof untouched);
    mesaopt_ctx_error(f->ctx, ctx_text, sizeof ctx_text);
    const char *texts[] = {ctx_text, f->ctx_settings->text, f->trainer_settings->text}, *said = untold;
    for (int i = 0; i < 3; i++)
        if (strcmp(texts[i], untold)) said = texts[i];
    ck_assert_msg(status == expected, "line %d: %s returned %lld (%s), expected %lld; it said \"%s\"", line, row, (long long)status,
                  mesaopt_status_name((int32_t)status), (long long)expected, said);
    ck_assert_msg(strstr(said, words ? words : untold), "line %d: %s said \"%s\", expected \"%s\"", line, row, said, words ? words : untold);
    ck_assert_msg(!memcmp(&untouched, &f->out, sizeof untouched), "line %d: %s wrote to an output", line, row);
    for (int i = 0; i < 64; i++) ck_assert_msg(f->in[i] == i + 1, "line %d: %s changed an input", line, row);
    ck_assert_msg(f->hook.blocks == blocks, "line %d: %s left %ld blocks more", line, row, (long)f->hook.blocks - blocks);
    ck_assert_msg(f->released == 0, "line %d: %s released a host's memory", line, row);
}

#define BAD(status, words, ...) do { \
        before(f); \
        long blocks = f->hook.blocks; \
        int64_t got = (int64_t)(__VA_ARGS__); \
        after(f, #__VA_ARGS__, __LINE__, blocks, got, status, words); \
    } while (0)

static mesaopt_settings *settings_of(fixture *f, int32_t scope)
{
    mesaopt_settings *s;
    ck_assert_int_eq(mesaopt_settings_create(scope, hook_alloc_fn, &f->hook, &s), MESAOPT_OK);
    return s;
}

static fixture f_, *const f = &f_;
static inline int32_t no_bytes(const void *bytes, int64_t count, void *user) { return (void)bytes, (void)count, (void)user, 1; }
static inline void release(void *user) { (void)user, f->released++; }      /* no call of a table may come to it */

/* The n-th request for memory from now on is refused. */
static inline void refuse(long n) { f->hook.fail_at = f->hook.calls + n; }

static void setup(void)
{
    memset(f, 0, sizeof *f);
    f->ctx_settings = settings_of(f, MESAOPT_SCOPE_CTX);
    f->trainer_settings = settings_of(f, MESAOPT_SCOPE_TRAINER);
    ck_assert_int_eq(mesaopt_ctx_create(f->ctx_settings, &f->ctx), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(f->ctx, MESAOPT_F32, 1, (int64_t[]){4}, &f->tensor), MESAOPT_OK);
    mesaopt_view_dense(f->in, MESAOPT_F64, 2, (int64_t[]){2, 3}, &f->x);
    mesaopt_view_dense(f->in + 32, MESAOPT_F64, 2, (int64_t[]){2, 3}, &f->y);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 2, (int64_t[]){2, 3}, &f->to);
}

static void teardown(void)
{
    ck_assert_int_eq(mesaopt_tensor_free(f->tensor), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(f->ctx), MESAOPT_OK);
    mesaopt_settings_free(f->ctx_settings);
    mesaopt_settings_free(f->trainer_settings);
    ck_assert_int_eq(f->hook.blocks, 0);
    ck_assert_int_eq(f->hook.bytes, 0);
}

/* Views with one thing wrong. */
static inline mesaopt_view with_rank(mesaopt_view v, int32_t ndim) { v.ndim = ndim; return v; }
static inline mesaopt_view with_dtype(mesaopt_view v, int32_t dtype) { v.dtype = dtype; return v; }
static inline mesaopt_view with_data(mesaopt_view v, void *data) { v.data = data; return v; }
static inline mesaopt_view with_extent(mesaopt_view v, int axis, int64_t extent) { v.shape[axis] = extent; return v; }
static inline mesaopt_view with_stride(mesaopt_view v, int axis, int64_t stride) { v.stride[axis] = stride; return v; }
static inline mesaopt_view with_flags(mesaopt_view v, uint32_t flags) { v.flags = flags; return v; }
static inline mesaopt_view with_reserved(mesaopt_view v) { v.reserved = 1; return v; }
#define VIEW(...) ((mesaopt_view[]){__VA_ARGS__})      /* address of a view that a function returned */

/* The tables of one file. */
static inline Suite *arguments_suite(const char *name, int count, const TTest *const *tables)
{
    Suite *s = suite_create(name);
    TCase *t = tcase_create(name);
    tcase_add_checked_fixture(t, setup, teardown);
    for (int i = 0; i < count; i++) tcase_add_test(t, tables[i]);
    suite_add_tcase(s, t);
    return s;
}

#endif
