/* Contexts: one call at a time, callbacks, order of freeing, text, and what a call must leave as it was. */
#include "base/pool.h"
#include "contexts.h"

#include <errno.h>
#include <fenv.h>
#include <float.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#undef fail                        /* Check's; here it is the library's */

static mesaopt_ctx *interrupt_me;
static void on_signal(int signal) { (void)signal, mesaopt_ctx_interrupt(interrupt_me); }

START_TEST(interrupt_from_a_signal_handler)
{
    interrupt_me = context_with(1, NULL, NULL);
    struct sigaction action = {.sa_handler = on_signal}, before;
    sigaction(SIGUSR1, &action, &before);
    raise(SIGUSR1);
    sigaction(SIGUSR1, &before, NULL);
    ck_assert(ctx_interrupted(interrupt_me));
    mesaopt_ctx_interrupt(NULL);
    mesaopt_ctx_free(interrupt_me);
}
END_TEST

static const char *error_text(const mesaopt_ctx *ctx)
{
    static char text[512];
    mesaopt_ctx_error(ctx, text, sizeof text);
    return text;
}

static void *enter_from_elsewhere(void *data)
{
    mesaopt_ctx *ctx = data;
    call c;
    mesaopt_status normal = ctx_enter(ctx, CALL_NORMAL, &c), inner = ctx_enter(ctx, CALL_IN_CALLBACK, &c);
    mesaopt_tensor *t = NULL;
    mesaopt_status create = mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t);
    return (void *)(intptr_t)(normal == MESAOPT_E_BUSY && inner == MESAOPT_E_BUSY && create == MESAOPT_E_BUSY && !t);
}

static int refused_elsewhere(mesaopt_ctx *ctx)
{
    pthread_t thread;
    void *good;
    pthread_create(&thread, NULL, enter_from_elsewhere, ctx);
    pthread_join(thread, &good);
    return good != NULL;
}

START_TEST(one_call_at_a_time)
{
    mesaopt_ctx *ctx = context_with(1, NULL, NULL);
    mesaopt_tensor *t = NULL, *before;
    call c, inner, refused;
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &before), MESAOPT_OK);
    ck_assert_int_eq(ctx_enter(ctx, CALL_NORMAL, &c), MESAOPT_OK);
    ck_assert_int_eq(ctx_enter(ctx, CALL_NORMAL, &refused), MESAOPT_E_BUSY);
    ck_assert_str_eq(error_text(ctx), "context: inside another call, expected one call at a time");
    ck_assert_int_eq(ctx_enter(ctx, CALL_IN_CALLBACK, &refused), MESAOPT_E_BUSY);
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t), MESAOPT_E_BUSY);
    ck_assert(refused_elsewhere(ctx));

    ctx_callback_begin(&c);
    ck_assert_int_eq(ctx_enter(ctx, CALL_NORMAL, &refused), MESAOPT_E_BUSY);
    ck_assert(refused_elsewhere(ctx));
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_free(t), MESAOPT_OK);
    ck_assert_int_eq(ctx_enter(ctx, CALL_IN_CALLBACK, &inner), MESAOPT_OK);
    ck_assert_int_eq(ctx_enter(ctx, CALL_IN_CALLBACK, &refused), MESAOPT_E_BUSY);          /* the inner call is no callback */
    ctx_callback_begin(&inner);
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t), MESAOPT_OK);    /* but has one */
    ck_assert_int_eq(mesaopt_tensor_free(t), MESAOPT_OK);
    ctx_callback_end(&inner);
    ck_assert_int_eq(ctx_leave(&inner, MESAOPT_NOT_CONVERGED), MESAOPT_NOT_CONVERGED);
    ck_assert_int_eq(mesaopt_tensor_free(before), MESAOPT_OK);     /* nothing uses it */
    ctx_callback_end(&c);
    ck_assert_int_eq(ctx_enter(ctx, CALL_IN_CALLBACK, &refused), MESAOPT_E_BUSY);
    ck_assert_int_eq(ctx_leave(&c, MESAOPT_OK), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t), MESAOPT_OK);
    mesaopt_tensor_free(t);
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}
END_TEST

START_TEST(calls_leave_errno_and_environment)
{
    mesaopt_ctx *ctx = context_with(1, NULL, NULL);
    volatile double tiny = DBL_MIN, three = 3;
    double in = DBL_MIN / 4, out = 1;
    mesaopt_view src, dst;
    call c;
    mesaopt_view_dense(&in, MESAOPT_F64, 0, NULL, &src);
    mesaopt_view_dense(&out, MESAOPT_F64, 0, NULL, &dst);
    fesetround(FE_UPWARD);
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#endif
    errno = EBADF;
    int copied = mesaopt_tensor_copy(ctx, &src, &dst), kept = errno;
    int entered = ctx_enter(ctx, CALL_NORMAL, &c);
    int inside = fegetround();
    volatile double subnormal = tiny / three;
    errno = EDOM;
    ctx_callback_begin(&c);
    int in_callback = fegetround(), errno_in_callback = errno;
    errno = ERANGE;
    ctx_callback_end(&c);
    int behind = fegetround();
    errno = EDOM;
    ctx_leave(&c, MESAOPT_OK);
    int after = fegetround(), errno_after = errno;
    fesetenv(FE_DFL_ENV);
    ck_assert_int_eq(copied, MESAOPT_OK);
    ck_assert_int_eq(kept, EBADF);
    ck_assert(out == in);
    ck_assert_int_eq(entered, MESAOPT_OK);
    ck_assert_int_eq(inside, FE_TONEAREST);
    ck_assert(subnormal > 0);
    ck_assert_int_eq(in_callback, FE_UPWARD);
    ck_assert_int_eq(errno_in_callback, EBADF);
    ck_assert_int_eq(behind, FE_TONEAREST);
    ck_assert_int_eq(after, FE_UPWARD);
    ck_assert_int_eq(errno_after, ERANGE);             /* what the callback left */
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- text ---- */

static atomic_int stop_text;

static void *write_text(void *data)
{
    mesaopt_ctx *ctx = data;
    char line[400] = "";
    for (int k = 0; !atomic_load(&stop_text); k++) {
        int n = 1 + k * 37 % 390;
        memset(line, 'a' + k % 26, (size_t)n);
        line[n] = 0;
        fail(ctx, MESAOPT_E_ARGUMENT, "%s", line);
    }
    return NULL;
}

START_TEST(text_is_never_torn)
{
    mesaopt_ctx *ctx = context_with(1, NULL, NULL);
    pthread_t writer[2];
    char text[512];
    ck_assert_str_eq(error_text(ctx), "");
    for (int i = 0; i < 2; i++) pthread_create(&writer[i], NULL, write_text, ctx);
    for (int k = 0; k < 5000; k++) {
        int64_t needed = mesaopt_ctx_error(ctx, text, sizeof text), n = (int64_t)strlen(text);
        ck_assert_int_eq(needed, n + 1);
        int64_t same = 0;
        while (same < n && text[same] == text[0]) same++;
        ck_assert_int_eq(same, n);
    }
    atomic_store(&stop_text, 1);
    for (int i = 0; i < 2; i++) pthread_join(writer[i], NULL);
    fail(ctx, MESAOPT_E_ARGUMENT, "one\nline\t%s", "only\x7f");
    ck_assert_str_eq(error_text(ctx), "one line only ");
    ck_assert_int_eq(mesaopt_ctx_error(ctx, NULL, 0), 15);
    ck_assert_int_eq(mesaopt_ctx_error(ctx, text, 4), 15);
    ck_assert_str_eq(text, "one");
    mesaopt_tensor *t;
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t), MESAOPT_OK);
    ck_assert_str_eq(error_text(ctx), "one line only ");
    mesaopt_tensor_free(t);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Every text is one line of whole UTF-8 characters, wherever it was cut. */
static int valid_utf8(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        uint32_t x = *p, more = x < 0x80 ? 0 : x >> 5 == 6 ? 1 : x >> 4 == 14 ? 2 : x >> 3 == 30 ? 3 : 9;
        if (more == 9) return 0;
        if (more) x &= 0x3f >> more;
        for (uint32_t i = 1; i <= more; i++) {
            if (p[i] >> 6 != 2) return 0;
            x = x << 6 | (p[i] & 63);
        }
        if (x < (uint32_t[]){0, 0x80, 0x800, 0x10000}[more]) return 0;
        if (x > 0x10ffff || (x >= 0xd800 && x < 0xe000)) return 0;
        p += 1 + more;
    }
    return 1;
}

START_TEST(text_has_whole_characters)
{
    static const char *const signs[] = {"\u00e9", "\u20ac", "\U0001d11e"};        /* of 2, 3, 4 bytes */
    mesaopt_ctx *ctx = context_with(1, NULL, NULL);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TRAINER, "");
    for (int kind = 0; kind < 3; kind++)
        for (int shift = 0; shift < 4; shift++) {
            char long_text[1000] = "", text[512], part[512];
            memset(long_text, 'x', (size_t)shift);
            while (strlen(long_text) < 900) strcat(long_text, signs[kind]);
            fail(ctx, MESAOPT_E_ARGUMENT, "%s", long_text);            /* cut by the room there is */
            mesaopt_ctx_error(ctx, text, sizeof text);
            ck_assert(valid_utf8(text) && !strncmp(text, long_text, strlen(text)) && strlen(text) > 507);
            for (int64_t cap = 1; cap < 40; cap++) {                    /* by the caller's buffer */
                ck_assert_int_eq(mesaopt_ctx_error(ctx, part, cap), (int64_t)strlen(text) + 1);
                ck_assert(valid_utf8(part) && !strncmp(part, text, strlen(part)));
                ck_assert_int_gt((int64_t)strlen(part), cap - 1 - (int64_t)strlen(signs[kind]));
            }
            ck_assert_int_eq(mesaopt_settings_set_text(s, long_text, "1"), MESAOPT_E_SETTING);      /* by a precision in the format */
            mesaopt_settings_error(s, text, sizeof text);
            ck_assert(valid_utf8(text) && strstr(text, "unknown key"));
        }
    fail(ctx, MESAOPT_E_ARGUMENT, "a\xff\x62 \xc3 \xed\xa0\x80 \xe2\x82 \xc0\xaf \xf4\x90\x80\x80 \xc3\xa9");
    ck_assert_str_eq(error_text(ctx), "a?b ? ? ? ? ? \u00e9");
    mesaopt_settings_free(s);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- fork beside threads that read and write the text ---- */

static void *read_text(void *data)
{
    char text[512];
    while (!atomic_load(&stop_text)) mesaopt_ctx_error(data, text, sizeof text);
    return NULL;
}

static int child_succeeds(mesaopt_ctx *ctx)
{
    const pid_t child = fork();
    int status = -1;
    if (child == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(10);
        for (int i = 0; i < 20; i++) {
            fail(ctx, MESAOPT_E_ARGUMENT, "child %d", i);
            char expected[32];
            snprintf(expected, sizeof expected, "child %d", i);
            if (strcmp(error_text(ctx), expected)) _exit(1);
        }
        mesaopt_tensor *t;
        if (mesaopt_tensor_create(ctx, 0, 0, NULL, &t) != MESAOPT_E_DTYPE) _exit(2);
        _exit(mesaopt_ctx_free(ctx) == MESAOPT_OK ? 0 : 3);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

START_TEST(fork_beside_readers_and_writers)
{
    mesaopt_ctx *ctx = context_with(1, NULL, NULL);
    pthread_t thread[4];
    for (int i = 0; i < 4; i++) pthread_create(&thread[i], NULL, i < 2 ? read_text : write_text, ctx);
    for (int i = 0; i < 150; i++) ck_assert(child_succeeds(ctx));
    atomic_store(&stop_text, 1);
    for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Writers that a fork left behind keep their slots; the others serve, and with none left the text stays as it is. */
START_TEST(slots_of_lost_writers)
{
    last_text t;
    char text[512];
    memset(&t, 0, sizeof t);
    last_text_get(&t, text);
    ck_assert_str_eq(text, "");
    for (int lost = 0; lost < TEXT_SLOTS - 1; lost++) {
        char line[TEXT_BYTES] = "";
        for (int i = 0; i < 3 * TEXT_SLOTS; i++) {
            snprintf(line, sizeof line, "%d lost, text %d", lost, i);
            last_text_set(&t, line);
            last_text_get(&t, text);
            ck_assert_str_eq(text, line);
        }
        struct text_slot *oldest = NULL;
        for (int i = 0; i < TEXT_SLOTS; i++)
            if (t.slot[i].version % 2 == 0 && (!oldest || t.slot[i].version < oldest->version)) oldest = &t.slot[i];
        oldest->version |= 1;
    }
    for (int i = 0; i < TEXT_SLOTS; i++) t.slot[i].version |= 1;
    last_text_set(&t, (char[TEXT_BYTES]){"nowhere"});
    last_text_get(&t, text);
    ck_assert_str_eq(text, "");
}
END_TEST

/* ---- creating and freeing ---- */

static void log_line(const char *line, void *user) { strncpy(user, line, 99); }

START_TEST(create_reports_through_settings)
{
    mesaopt_settings *s, *wrong;
    mesaopt_ctx *ctx = NULL;
    char text[512], line[100] = "";
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, NULL, NULL, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_TASK, NULL, NULL, &wrong), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_log(s, log_line, NULL, line), MESAOPT_OK);
    int32_t best = 0;
    ck_assert_int_eq(mesaopt_ctx_create(s, &ctx), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_isa(ctx, &best), MESAOPT_OK);
    ck_assert(best >= MESAOPT_ISA_BASELINE && best <= MESAOPT_ISA_AVX512);
    ck_assert_ptr_nonnull(strstr(line, mesaopt_settings_word(MESAOPT_KEY_ISA, best)));
    mesaopt_ctx_free(ctx);
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        int32_t level = 0;
        ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_ISA, isa), MESAOPT_OK);
        ctx = NULL;
        mesaopt_status status = mesaopt_ctx_create(s, &ctx);
        ck_assert_int_eq(status, isa <= best ? MESAOPT_OK : MESAOPT_E_UNSUPPORTED);
        if (status == MESAOPT_OK) ck_assert(mesaopt_ctx_isa(ctx, &level) == MESAOPT_OK && level == isa);
        else ck_assert_ptr_null(ctx);
        mesaopt_settings_error(s, text, sizeof text);
        ck_assert(status == MESAOPT_OK || strstr(text, "isa: "));
        mesaopt_ctx_free(ctx);
    }
    ck_assert_int_eq(mesaopt_ctx_create(wrong, &ctx), MESAOPT_E_SETTING);
    mesaopt_settings_error(wrong, text, sizeof text);
    ck_assert_str_eq(text, "settings: scope task, expected scope ctx");
    mesaopt_settings_free(s);
    mesaopt_settings_free(wrong);
}
END_TEST

START_TEST(create_without_memory)
{
    hook_alloc hook = {0};
    mesaopt_settings *s;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, hook_alloc_fn, &hook, &s), MESAOPT_OK);
    const long blocks = hook.blocks;
    long n = 0;
    mesaopt_ctx *ctx = NULL;
    for (mesaopt_status status = MESAOPT_E_MEMORY; status != MESAOPT_OK; n++) {
        ck_assert_ptr_null(ctx);
        ck_assert_int_eq(hook.blocks, blocks);
        hook.fail_at = hook.calls + n + 1;
        status = mesaopt_ctx_create(s, &ctx);
        ck_assert(status == MESAOPT_OK || status == MESAOPT_E_MEMORY);
        if (status != MESAOPT_OK) ck_assert_int_gt(mesaopt_settings_error(s, NULL, 0), 1);
    }
    ck_assert_int_gt(n, 1);
    mesaopt_ctx_free(ctx);
    mesaopt_settings_free(s);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

static void *free_tensor(void *t) { return (void *)(intptr_t)mesaopt_tensor_free(t); }
static void *free_ctx(void *c) { return (void *)(intptr_t)mesaopt_ctx_free(c); }
static void nothing(void *job, int64_t worker, int64_t item) { (void)job, (void)worker, (void)item; }
static void count_release(void *user) { atomic_fetch_add((atomic_int *)user, 1); }

/* Every order of freeing a context (with a pool) and three handles, each from a thread of its own. */
START_TEST(any_order_from_any_thread)
{
    for (int order = 0; order < 256; order++) {
        int turn[4], used = 0;
        for (int i = 0; i < 4; i++) turn[i] = order >> 2 * i & 3, used |= 1 << turn[i];
        if (used != 15) continue;
        for (int at_once = 0; at_once < 2; at_once++) {
            hook_alloc hook = {0};
            atomic_int released = 0;
            mesaopt_ctx *ctx = context_with(2, NULL, &hook);
            mesaopt_view v;
            double x;
            void *handle[4] = {ctx};
            mesaopt_view_dense(&x, MESAOPT_F64, 0, NULL, &v);
            parallel_run(ctx, 10, nothing, NULL);          /* makes the pool */
            ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 1, (int64_t[]){7}, (mesaopt_tensor **)&handle[1]), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F64, 1, (int64_t[]){9}, (mesaopt_tensor **)&handle[2]), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_tensor_wrap(ctx, &v, count_release, &released, (mesaopt_tensor **)&handle[3]), MESAOPT_OK);
            pthread_t thread[4];
            void *status[4];
            for (int i = 0; i < 4; i++) {
                pthread_create(&thread[i], NULL, turn[i] ? free_tensor : free_ctx, handle[turn[i]]);
                if (!at_once) pthread_join(thread[i], &status[i]);
            }
            for (int i = 0; at_once && i < 4; i++) pthread_join(thread[i], &status[i]);
            for (int i = 0; i < 4; i++) ck_assert_ptr_null(status[i]);
            ck_assert_int_eq(released, 1);
            ck_assert_int_eq(hook.blocks, 0);
            ck_assert_int_eq(hook.bytes, 0);
        }
    }
}
END_TEST

/* Another thread drops the last reference while a call runs: the context goes when the call has ended. */
START_TEST(context_outlives_its_call)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_with(1, NULL, &hook);
    call c;
    pthread_t thread;
    void *status;
    ck_assert_int_eq(ctx_enter(ctx, CALL_NORMAL, &c), MESAOPT_OK);
    pthread_create(&thread, NULL, free_ctx, ctx);
    pthread_join(thread, &status);
    ck_assert_ptr_null(status);
    ck_assert_int_gt(hook.blocks, 0);
    ck_assert_int_eq(ctx_leave(&c, MESAOPT_OK), MESAOPT_OK);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

/* Threads that fight over one context: each call is served or refused, and nothing is lost. */
static void *fight(void *data)
{
    mesaopt_ctx *ctx = data;
    intptr_t served = 0;
    for (int i = 0; i < 2000; i++) {
        mesaopt_tensor *t = NULL;
        mesaopt_status status = mesaopt_tensor_create(ctx, MESAOPT_F32, 1, (int64_t[]){3}, &t);
        if (status == MESAOPT_OK) served++;
        else if (status != MESAOPT_E_BUSY || t) return (void *)(intptr_t)-1;
        if (mesaopt_tensor_free(t) != MESAOPT_OK) return (void *)(intptr_t)-2;
    }
    return (void *)served;
}

START_TEST(threads_on_one_context)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_with(1, NULL, &hook);
    pthread_t thread[3];
    void *served;
    for (int i = 0; i < 3; i++) pthread_create(&thread[i], NULL, fight, ctx);
    for (int i = 0; i < 3; i++) {
        pthread_join(thread[i], &served);
        ck_assert_int_ge((intptr_t)served, 0);
    }
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

Suite *test_ctx_suite(void)
{
    Suite *s = suite_create("ctx");
    TCase *t = tcase_create("ctx"), *forks = tcase_create("fork");
    tcase_add_test(t, interrupt_from_a_signal_handler);
    tcase_add_test(t, one_call_at_a_time);
    tcase_add_test(t, calls_leave_errno_and_environment);
    tcase_add_test(t, text_is_never_torn);
    tcase_add_test(t, text_has_whole_characters);
    tcase_add_test(t, slots_of_lost_writers);
    tcase_add_test(t, create_reports_through_settings);
    tcase_add_test(t, create_without_memory);
    tcase_add_test(t, any_order_from_any_thread);
    tcase_add_test(t, context_outlives_its_call);
    tcase_add_test(t, threads_on_one_context);
    tcase_set_timeout(t, 30);
    suite_add_tcase(s, t);
    tcase_set_tags(forks, "fork");
    tcase_add_test(forks, fork_beside_readers_and_writers);
    suite_add_tcase(s, forks);
    return s;
}
