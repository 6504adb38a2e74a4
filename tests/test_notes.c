/* Notes of the user's: what is set is in the file and comes back by opening it, byte by byte; limits; memory that runs short. */
#include "train/safetensors.h"
#include "training_setup.h"

#include <math.h>

static char folder[64], path[96];
static hook_alloc hook;
static mesaopt_ctx *ctx;
static setup s;

static void start(void)
{
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    memset(&hook, 0, sizeof hook);
    ctx = context_hooked(&hook, "");
    s = setup_start(ctx, &small_linear);
}

static void end(void)
{
    setup_end(&s);
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
    ck_assert_int_eq(hook.blocks, 0);
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void is(const char *key, const char *text)
{
    static char found[4096];
    const int64_t bytes = mesaopt_file_note(ctx, path, key, found, sizeof found);
    ck_assert_int_eq(bytes, text ? (int64_t)strlen(text) + 1 : 0);
    if (text) ck_assert_str_eq(found, text);
}

static const char *const odd = "\"quotes\" \\ and\nlines\t\x01 \xc3\xbc \xf0\x9f\x90\x9f {\"a\":1}";

START_TEST(round_trip)
{
    mesaopt_model *m = NULL;
    char small[4] = "xyz";
    ck_assert_int_eq(mesaopt_model_set_note(s.model, "b", "second"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_set_note(s.model, odd, odd), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_set_note(s.model, "a", ""), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_set_note(s.model, "gone", "x"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_set_note(s.model, "gone", NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_set_note(s.model, "never", NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_set_note(s.model, "b", "third"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_save(s.trainer, path), MESAOPT_OK);   /* a trainer's file has those of its model */
    is("a", ""), is("b", "third"), is(odd, odd), is("gone", NULL), is("never", NULL), is("mesaopt.step", "0");
    ck_assert_int_eq(mesaopt_file_note(ctx, path, "b", small, 3), 6);
    ck_assert_str_eq(small, "th");
    ck_assert_int_eq(mesaopt_file_note(ctx, path, "b", NULL, 0), 6);
    ck_assert_int_eq(mesaopt_model_open(ctx, path, &m), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_set_note(m, "c", "more"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_save(m, path), MESAOPT_OK);
    is("a", ""), is("b", "third"), is(odd, odd), is("c", "more"), is("gone", NULL);
    ck_assert_int_eq(mesaopt_model_load(s.model, path), MESAOPT_OK);       /* loading leaves notes alone */
    ck_assert_int_eq(mesaopt_model_save(s.model, path), MESAOPT_OK);
    is("c", NULL), is("b", "third");
    mesaopt_model_free(m);
}
END_TEST

START_TEST(of_a_state)
{
    mesaopt_lsq *plan = NULL;
    mesaopt_rls *r = NULL, *again = NULL;
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, NULL, 2, 1, &plan), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_create(plan, 1, NULL, &r), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_set_note(r, "units", odd), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_clear(r), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_save(r, path), MESAOPT_OK);
    is("units", odd);
    ck_assert_int_eq(mesaopt_rls_open(plan, path, &again), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_save(again, path), MESAOPT_OK);
    is("units", odd), is("mesaopt.kind", "rls");
    mesaopt_rls_free(again);
    mesaopt_rls_free(r);
    mesaopt_lsq_free(plan);
}
END_TEST

/* As much as may be kept can be saved and read, whatever the texts; one byte more, one note more: refused, and all is as it was. */
START_TEST(limits)
{
    static char text[NOTES_MOST_BYTES + 8], key[NOTES_MOST_KEY + 2];
    memset(text, 1, sizeof text - 1);                  /* six bytes each in a file */
    memset(key, 'k', sizeof key - 1);
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "key: 'kkk", mesaopt_model_set_note(s.model, key, "x"));
    key[NOTES_MOST_KEY] = 0;
    ck_assert_int_eq(mesaopt_model_set_note(s.model, key, "x"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_set_note(s.model, key, NULL), MESAOPT_OK);
    text[NOTES_MOST_BYTES] = 0;
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "text: 1 notes of", mesaopt_model_set_note(s.model, "k", text));
    text[NOTES_MOST_BYTES - 1] = 0;
    ck_assert_int_eq(mesaopt_model_set_note(s.model, "k", text), MESAOPT_OK);
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "text: 2 notes of", mesaopt_model_set_note(s.model, "l", ""));
    ck_assert_int_eq(mesaopt_model_save(s.model, path), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_file_note(ctx, path, "k", NULL, 0), NOTES_MOST_BYTES);
    ck_assert_int_eq(mesaopt_model_set_note(s.model, "k", NULL), MESAOPT_OK);
    for (int i = 0; i < NOTES_MOST; i++) {
        snprintf(key, sizeof key, "%d", (i * 37) % NOTES_MOST);
        ck_assert_int_eq(mesaopt_model_set_note(s.model, key, key), MESAOPT_OK);
    }
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "notes of", mesaopt_model_set_note(s.model, "one more", ""));
    ck_assert_int_eq(mesaopt_trainer_save(s.trainer, path), MESAOPT_OK);
    for (int i = 0; i < NOTES_MOST; i++) snprintf(key, sizeof key, "%d", i), is(key, key);
}
END_TEST

START_TEST(out_of_memory)
{
    mesaopt_model *m = NULL;
    ck_assert_int_eq(mesaopt_model_set_note(s.model, "a", "old"), MESAOPT_OK);
    hook.fail_at = hook.calls + 1;
    ck_assert_int_eq(mesaopt_model_set_note(s.model, "a", "new"), MESAOPT_E_MEMORY);
    hook.fail_at = 0;
    ck_assert_int_eq(mesaopt_model_save(s.model, path), MESAOPT_OK);
    is("a", "old");
    for (int64_t n = 1;; n++) {
        hook.fail_at = hook.calls + n;
        const mesaopt_status status = mesaopt_model_open(ctx, path, &m);
        if (hook.fail_at > hook.calls) break;
        ck_assert_int_eq(status, MESAOPT_E_MEMORY);
        ck_assert_ptr_null(m);
    }
    hook.fail_at = 0;
    mesaopt_model_free(m);
}
END_TEST

/* A text that can be no note, in a file of another writer. */
START_TEST(foreign)
{
    const tensor_file_text text[] = {{"", "x"}, {"mesaopt.blocks", ""}, {"mesaopt.format", "1"}, {"mesaopt.model", ""}};
    mesaopt_model *m = NULL;
    ck_assert_int_eq(tensor_file_write(ctx, path, 3, text + 1, 0, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_open(ctx, path, &m), MESAOPT_OK);
    mesaopt_model_free(m);
    m = NULL;
    ck_assert_int_eq(tensor_file_write(ctx, path, 4, text, 0, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_open(ctx, path, &m), MESAOPT_E_FORMAT);
    ck_assert_ptr_null(m);
    ck_assert_ptr_nonnull(strstr(error_of(ctx), "metadata \"\" cannot be kept as a note"));
}
END_TEST

Suite *test_notes_suite(void)
{
    Suite *suite = suite_create("notes");
    TCase *t = tcase_create("notes");
    tcase_add_checked_fixture(t, start, end);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, of_a_state);
    tcase_add_test(t, limits);
    tcase_add_test(t, out_of_memory);
    tcase_add_test(t, foreign);
    suite_add_tcase(suite, t);
    return suite;
}
