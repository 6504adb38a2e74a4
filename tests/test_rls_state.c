/* Whole states of mesaopt_rls: merged, read, set, saved. */
#include "rls_bench.h"
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* Parts a and b of the rows in two handles, then together, against one pass. */
START_TEST(merging)
{
    const char *const settings[] = {"", "window=30", "window=300"};
    for (int i = 0; i < 3; i++)
        for (int g = ALL_ONE; g <= WITH_ZEROS; g++) {
            bench b = open_bench(settings[i], 70 + (uint64_t)g);
            const mesaopt_view ridge = DENSE(b.r.ridge, MESAOPT_F64, 1, D);
            mesaopt_rls *second;
            double rows = 0;
            const mesaopt_view count = DENSE(&rows, MESAOPT_F64, 1);
            set_gates(&b.r, (enum gating)g);
            ck_assert_int_eq(mesaopt_rls_create(b.plan, 1, &ridge, &second), MESAOPT_OK);
            update(b.rls, &b.r, 0, 77);
            update(second, &b.r, 77, 199);
            ck_assert_int_eq(mesaopt_rls_merge(b.rls, second), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_rls_get(b.rls, 1, &(int32_t){MESAOPT_RLS_ROWS}, &count), MESAOPT_OK);
            ck_assert_double_eq(rows, 199);
            check_row(&b, 199, i == 1 ? 170 : 0, 0, 1, 1e-10);
            ck_assert_int_eq(mesaopt_rls_free(second), MESAOPT_OK);
            close_bench(&b);
        }
}
END_TEST

/* Merged while rows wait in it: `from` goes on with the bits of one that nobody merged. */
START_TEST(merging_leaves_from)
{
    for (int i = 0; i < 4; i++) {
        bench b = open_bench(i % 2 ? "window=30" : "", 75);
        const mesaopt_view ridge = DENSE(b.r.ridge, MESAOPT_F64, 1, D);
        mesaopt_rls *from[2];
        double x[2][2][DV];
        set_gates(&b.r, i / 2 ? SLOW : ALL_ONE);
        for (int n = 0; n < 2; n++) ck_assert_int_eq(mesaopt_rls_create(b.plan, 1, &ridge, &from[n]), MESAOPT_OK);
        for (int t = 0; t < ROWS; t++) {
            for (int n = 0; n < 2; n++) {
                const mesaopt_view q = DENSE(b.r.q[t], MESAOPT_F64, 1, 1, D);
                const mesaopt_view o = DENSE(x[n][0], MESAOPT_F64, 1, 1, DV), e = DENSE(x[n][1], MESAOPT_F64, 1, 1, DV);
                update(from[n], &b.r, t, t + 1);
                if (n == 0 && t % 11 == 3) ck_assert_int_eq(mesaopt_rls_merge(b.rls, from[0]), MESAOPT_OK);
                ck_assert_int_eq(mesaopt_rls_predict(from[n], &q, &o, &e), MESAOPT_OK);
            }
            ck_assert_int_eq(memcmp(x[0], x[1], sizeof x[0]), 0);
        }
        for (int n = 0; n < 2; n++) ck_assert_int_eq(mesaopt_rls_free(from[n]), MESAOPT_OK);
        close_bench(&b);
    }
}
END_TEST

typedef struct watch { mesaopt_rls *rls; atomic_int seen, stop; } watch;

static void *watch_use(void *data)
{
    watch *w = data;
    while (!atomic_load(&w->seen) && !atomic_load(&w->stop)) atomic_store(&w->seen, atomic_load(&w->rls->head.refs) > 1);
    return NULL;
}

/* What is being merged is in use, so that no other thread can free it meanwhile. */
START_TEST(merging_holds_from)
{
    bench b = open_bench("window=150", 76);
    const mesaopt_view ridge = DENSE(b.r.ridge, MESAOPT_F64, 1, D);
    watch w = {.seen = 0};
    pthread_t thread;
    ck_assert_int_eq(mesaopt_rls_create(b.plan, 1, &ridge, &w.rls), MESAOPT_OK);
    update(w.rls, &b.r, 0, ROWS);
    ck_assert_int_eq(pthread_create(&thread, NULL, watch_use, &w), 0);
    for (int i = 0; i < 20000 && !atomic_load(&w.seen); i++) ck_assert_int_eq(mesaopt_rls_merge(b.rls, w.rls), MESAOPT_OK);
    atomic_store(&w.stop, 1);
    pthread_join(thread, NULL);
    ck_assert_int_eq(atomic_load(&w.seen), 1);
    ck_assert_int_eq(mesaopt_rls_free(w.rls), MESAOPT_OK);
    close_bench(&b);
}
END_TEST

/* A state that is read, and set in another handle: both are the definition's, and go on alike. */
START_TEST(get_and_set)
{
    bench b = open_bench("", 80), c = open_bench("", 80);
    state s;
    views_of(&s);
    update(b.rls, &b.r, 0, 90);
    ck_assert_int_eq(mesaopt_rls_get(b.rls, 5, s.which, s.view), MESAOPT_OK);
    fit f = fit_of(&b.r, 0, 90);
    for (int i = 0; i < D; i++) f.A[i][i] -= b.r.ridge[i];
    close_to(s.H[0], f.A[0], D * D, 1e-13, "H", 90);
    close_to(s.S[0], f.S[0], D * DV, 1e-13, "S", 90);
    close_to(s.squares, f.squares, DV, 1e-13, "squares", 90);
    ck_assert_double_eq_tol(s.weight, f.total, 1e-12);
    ck_assert_double_eq(s.rows, 90);
    ck_assert_int_eq(mesaopt_rls_set(c.rls, 4, s.which, s.view), MESAOPT_OK);
    for (int t = 90; t < ROWS; t++) check_row(&c, t, 0, t % 3 == 0, t % 7 == 0, 1e-10);
    ck_assert_int_eq(mesaopt_rls_clear(b.rls), MESAOPT_OK);
    for (int t = 0; t < 40; t++) check_row(&b, t, 0, t % 2, 0, 1e-10);
    close_bench(&b);
    close_bench(&c);
}
END_TEST

/* Saved and read again: both go on with the same bits. */
START_TEST(files)
{
    for (int i = 0; i < 3; i++) {
        bench b = open_bench(i == 2 ? "" : i ? "window=25" : "gamma=0.99", 90);
        if (i == 2) set_gates(&b.r, ALL_ONE);
        mesaopt_rls *again, *none = NULL;
        char path[64];
        snprintf(path, sizeof path, "/tmp/mesaopt-rls-%ld.safetensors", (long)getpid());
        update(b.rls, &b.r, 0, 101);
        const mesaopt_view last = DENSE(b.r.q[100], MESAOPT_F64, 1, 1, D);
        double kept[2][DV];
        const mesaopt_view kept_views[] = {DENSE(kept[0], MESAOPT_F64, 1, 1, DV), DENSE(kept[1], MESAOPT_F64, 1, 1, DV)};
        ck_assert_int_eq(mesaopt_rls_predict(b.rls, &last, &kept_views[0], &kept_views[1]), MESAOPT_OK);     /* its errors know more than the file */
        ck_assert_int_eq(mesaopt_rls_save(b.rls, path), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_rls_open(b.plan, path, &again), MESAOPT_OK);
        for (int t = 101; t < ROWS; t++) {
            double x[DV], y[DV], x_error[DV], y_error[DV];
            const mesaopt_view q = DENSE(b.r.q[t], MESAOPT_F64, 1, 1, D), xs = DENSE(x, MESAOPT_F64, 1, 1, DV), ys = DENSE(y, MESAOPT_F64, 1, 1, DV);
            const mesaopt_view xe = DENSE(x_error, MESAOPT_F64, 1, 1, DV), ye = DENSE(y_error, MESAOPT_F64, 1, 1, DV);
            if (t > 101) update(b.rls, &b.r, t, t + 1), update(again, &b.r, t, t + 1);
            ck_assert_int_eq(mesaopt_rls_predict(b.rls, &q, &xs, &xe), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_rls_predict(again, &q, &ys, &ye), MESAOPT_OK);
            ck_assert_int_eq(memcmp(x, y, sizeof x), 0);
            ck_assert_int_eq(memcmp(x_error, y_error, sizeof x_error), 0);
        }
        mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, i == 1 ? "window=24" : "gamma=0.98");
        mesaopt_lsq *other;
        ck_assert_int_eq(mesaopt_lsq_plan(b.ctx, s, D, DV, &other), MESAOPT_OK);
        REFUSED(b.ctx, MESAOPT_E_FORMAT, i == 1 ? "kept" : "gamma", mesaopt_rls_open(other, path, &none));
        ck_assert_ptr_null(none);
        ck_assert_int_eq(mesaopt_rls_merge(b.rls, again), MESAOPT_OK);
        mesaopt_settings_free(s);
        mesaopt_lsq_free(other);
        mesaopt_rls_free(again);
        unlink(path);
        close_bench(&b);
    }
}
END_TEST

/* Scratch is for the streams that there are, not for threads that have none. */
START_TEST(scratch_of_few_streams)
{
    long bytes[2];
    for (int i = 0; i < 2; i++) {
        hook_alloc hook = {0};
        mesaopt_ctx *ctx = context_with(i ? 8 : 1, NULL, &hook);
        mesaopt_lsq *plan;
        mesaopt_rls *rls;
        ck_assert_int_eq(mesaopt_lsq_plan(ctx, NULL, D, DV, &plan), MESAOPT_OK);
        const long before = hook.bytes;
        ck_assert_int_eq(mesaopt_rls_create(plan, 1, NULL, &rls), MESAOPT_OK);
        bytes[i] = hook.bytes - before;
        mesaopt_rls_free(rls), mesaopt_lsq_free(plan), mesaopt_ctx_free(ctx);
    }
    ck_assert_int_eq(bytes[0], bytes[1]);
}
END_TEST

Suite *test_rls_state_suite(void)
{
    Suite *s = suite_create("rls_state");
    TCase *t = tcase_create("rls_state");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, merging);
    tcase_add_test(t, merging_leaves_from);
    tcase_add_test(t, merging_holds_from);
    tcase_add_test(t, get_and_set);
    tcase_add_test(t, files);
    tcase_add_test(t, scratch_of_few_streams);
    suite_add_tcase(s, t);
    return s;
}
