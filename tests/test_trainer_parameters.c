/* mesaopt_trainer_set_parameters: what steps do to parameters by name, against AdamW written here, in double, on the gradients that the
 * model shows after each step; frozen parameters; resuming. */
#include "train/update_rules.h"
#include "training_setup.h"

#include <math.h>

/* A mesa block, since some of its parameters do not decay by themselves; several parameters longer than a piece of the optimiser's. */
static const recipe mixed = {"inputs=12 outputs=3 seed=5 dtype=f64",
                             "dense(outputs=80,init_sd=0.1); mesa(heads=2,key=30,init_sd=0.1,ridges=channel,gates=sigmoid); dense(outputs=3,init_sd=0.1)",
                             "dim=3 length=6 tokens=constructed seed=11",
                             "batch=5 lr=3e-3 warmup=4 cosine_steps=30 lr_end=1e-3 weight_decay=0.5 clip_norm=0.05 clip_value=0.02 beta2=0.99", NULL};
enum { PARAMETERS = 32, STEPS = 24 };

static mesaopt_ctx *ctx;

static void start(void) { ctx = context_from("threads=2"); }
static void end(void) { mesaopt_ctx_free(ctx); }

/* ---- AdamW by hand ---- */

typedef struct reference {
    int64_t count;
    const char *name[PARAMETERS];
    int64_t n[PARAMETERS], updates[PARAMETERS];
    double *p[PARAMETERS], *m[PARAMETERS], *v[PARAMETERS], factor[PARAMETERS];
    int decays[PARAMETERS];        /* of a parameter that nothing was said of */
    int32_t decay[PARAMETERS];
} reference;

static const double *view_of(mesaopt_model *m, const char *name, int gradient)
{
    mesaopt_view v;
    ck_assert_int_eq(gradient ? mesaopt_model_parameter_gradient(m, name, &v) : mesaopt_model_parameter(m, name, &v), MESAOPT_OK);
    return v.data;
}

static double *zeros(int64_t n) { return calloc((size_t)n, sizeof(double)); }

static void reference_start(reference *r, mesaopt_model *m)
{
    r->count = mesaopt_model_parameters(m);
    ck_assert_int_le(r->count, PARAMETERS);
    for (int64_t i = 0; i < r->count; i++) {
        mesaopt_view v;
        r->name[i] = mesaopt_model_parameter_name(m, i);
        ck_assert_int_eq(mesaopt_model_parameter(m, r->name[i], &v), MESAOPT_OK);
        r->n[i] = v.shape[0] * v.shape[1], r->factor[i] = 1, r->decay[i] = MESAOPT_DECAY_STANDARD, r->updates[i] = 0;
        r->p[i] = zeros(r->n[i]), r->m[i] = zeros(r->n[i]), r->v[i] = zeros(r->n[i]);
        memcpy(r->p[i], v.data, (size_t)r->n[i] * sizeof(double));
        r->decays[i] = !strstr(r->name[i], "theta") && !strstr(r->name[i], "_bias");
    }
}

static void reference_end(reference *r)
{
    for (int64_t i = 0; i < r->count; i++) free(r->p[i]), free(r->m[i]), free(r->v[i]);
}

static double rate(int64_t s)
{
    const double peak = 3e-3, last = 1e-3;
    if (s < 4) return peak * (double)s / 4;
    return s < 30 ? last + (peak - last) * (1 + cos(acos(-1) * (double)(s - 4) / 26)) / 2 : last;
}

static double clipped(double g) { return g > 0.02 ? 0.02 : g < -0.02 ? -0.02 : g; }

static void reference_step(reference *r, mesaopt_model *m, int64_t s)
{
    const double b1 = 0.9, b2 = 0.99, epsilon = 1e-8;
    double squares = 0;
    for (int64_t i = 0; i < r->count; i++) {
        const double *g = view_of(m, r->name[i], 1);
        for (int64_t e = 0; e < r->n[i] && r->factor[i] > 0; e++) squares += clipped(g[e]) * clipped(g[e]);
    }
    ck_assert(sqrt(squares) > 0.05);               /* the norm is clipped, or nothing is seen of who takes part in it */
    for (int64_t i = 0; i < r->count; i++) {
        const double *g = view_of(m, r->name[i], 1);
        const int decays = r->decay[i] == MESAOPT_DECAY_STANDARD ? r->decays[i] : r->decay[i] == MESAOPT_DECAY_ON;
        if (r->factor[i] == 0) continue;
        r->updates[i]++;
        for (int64_t e = 0; e < r->n[i]; e++) {
            const double x = clipped(g[e]) * (0.05 / sqrt(squares));
            r->m[i][e] = b1 * r->m[i][e] + (1 - b1) * x, r->v[i][e] = b2 * r->v[i][e] + (1 - b2) * x * x;
            const double M = r->m[i][e] / (1 - pow(b1, (double)r->updates[i])), V = r->v[i][e] / (1 - pow(b2, (double)r->updates[i]));
            r->p[i][e] -= r->factor[i] * rate(s) * (M / (sqrt(V) + epsilon) + (decays ? 0.5 : 0) * r->p[i][e]);
        }
    }
}

static void reference_compare(const reference *r, mesaopt_model *m, int64_t s)
{
    for (int64_t i = 0; i < r->count; i++) {
        const double *p = view_of(m, r->name[i], 0);
        for (int64_t e = 0; e < r->n[i]; e++)
            ck_assert_msg(fabs(p[e] - r->p[i][e]) <= 1e-11, "step %d: %s[%d]: %.17g, expected %.17g", (int)s, r->name[i], (int)e, p[e], r->p[i][e]);
    }
}

/* By hand: which names the patterns below mean. */
static int means(const char *pattern, const char *name)
{
    if (!strcmp(pattern, "*")) return 1;
    if (!strcmp(pattern, "blocks.0.*")) return name[7] == '0';
    if (!strcmp(pattern, "blocks.?.weight")) return name[7] != '1';
    if (!strcmp(pattern, "*.theta")) return strstr(name, "theta") != NULL;
    return !strcmp(pattern, name);
}

static void say(setup *s, reference *r, const char *pattern, double factor, int32_t decay)
{
    ck_assert_msg(mesaopt_trainer_set_parameters(s->trainer, pattern, factor, decay) == MESAOPT_OK, "%s", error_of(ctx));
    for (int64_t i = 0; i < r->count; i++)
        if (means(pattern, r->name[i])) r->factor[i] = factor, r->decay[i] = decay;
}

static void run(setup *s, reference *r, int64_t until)
{
    for (int64_t at; (at = mesaopt_trainer_steps(s->trainer)) < until;) {
        ck_assert_msg(mesaopt_trainer_step(s->trainer, NULL) >= 0, "%s", error_of(ctx));
        reference_step(r, s->model, at);
        reference_compare(r, s->model, at);
        for (int64_t i = 0; i < r->count; i++) memcpy(r->p[i], view_of(s->model, r->name[i], 0), (size_t)r->n[i] * sizeof(double));
    }
}

START_TEST(agrees_with_adamw)
{
    setup s = setup_start(ctx, &mixed);
    reference r;
    reference_start(&r, s.model);
    run(&s, &r, 2);                                /* as a new trainer does */
    say(&s, &r, "blocks.0.*", 0, MESAOPT_DECAY_STANDARD);
    say(&s, &r, "*.theta", 0.25, MESAOPT_DECAY_ON);
    run(&s, &r, 9);
    say(&s, &r, "blocks.?.weight", 3, MESAOPT_DECAY_OFF);         /* thaws the first block */
    say(&s, &r, "blocks.1.query", 0, MESAOPT_DECAY_ON);
    run(&s, &r, 15);
    say(&s, &r, "blocks.2.weight", 0, MESAOPT_DECAY_STANDARD);
    run(&s, &r, 18);
    say(&s, &r, "*", 1, MESAOPT_DECAY_STANDARD);
    run(&s, &r, STEPS);
    reference_end(&r);
    setup_end(&s);
}
END_TEST

/* ---- frozen ---- */

START_TEST(frozen_keeps_bits)
{
    static bits before, after;
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa < MESAOPT_ISA_BASELINE + 3; isa++) {
        mesaopt_ctx *at = context_at(isa, 1);
        if (!at) continue;
        recipe r = small_linear;
        r.trainer = "batch=7 lr=3e-3 weight_decay=0.05 clip_norm=0.5";
        setup s = setup_start(at, &r);
        mesaopt_view v;
        ck_assert_int_eq(mesaopt_model_parameter(s.model, "blocks.1.key", &v), MESAOPT_OK);
        ((float *)v.data)[0] = -0.0f;              /* a step of size 0 would lose its sign */
        bits_read(&s, &before);
        ck_assert_int_eq(mesaopt_trainer_set_parameters(s.trainer, "*", 0, MESAOPT_DECAY_ON), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 5, NULL, NULL), MESAOPT_OK);
        bits_read(&s, &after);
        ck_assert(bits_equal(&before, &after));
        ck_assert_int_eq(mesaopt_trainer_set_parameters(s.trainer, "*", 1, MESAOPT_DECAY_STANDARD), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 6, NULL, NULL), MESAOPT_OK);
        bits_read(&s, &after);
        ck_assert(!bits_equal(&before, &after));
        setup_end(&s);
        mesaopt_ctx_free(at);
    }
}
END_TEST

/* ---- checkpoints ---- */

static char folder[64], path[96], logged[4096];

static void keep_log(const char *line, void *user)
{
    (void)user;
    strncat(logged, line, sizeof logged - strlen(logged) - 2);
    strcat(logged, "\n");
}

static void start_files(void)
{
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    mesaopt_settings *settings = settings_from(MESAOPT_SCOPE_CTX, "");
    ck_assert_int_eq(mesaopt_settings_set_log(settings, keep_log, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_create(settings, &ctx), MESAOPT_OK);
    mesaopt_settings_free(settings);
}

static void end_files(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
    mesaopt_ctx_free(ctx);
}

static void freeze_some(setup *s)
{
    ck_assert_int_eq(mesaopt_trainer_set_parameters(s->trainer, "*.query", 0, MESAOPT_DECAY_STANDARD), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_set_parameters(s->trainer, "blocks.2.value", 0.1, MESAOPT_DECAY_OFF), MESAOPT_OK);
}

static void thaw_and_finish(setup *s, bits *out)
{
    ck_assert_int_eq(mesaopt_trainer_run(s->trainer, 30, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_set_parameters(s->trainer, "*", 1, MESAOPT_DECAY_STANDARD), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_run(s->trainer, 60, NULL, NULL), MESAOPT_OK);
    bits_read(s, out);
}

START_TEST(resumes)
{
    static bits whole, resumed;
    setup s = setup_start(ctx, &small_linear), o = setup_start(ctx, &small_linear);
    freeze_some(&s);
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 20, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_save(s.trainer, path), MESAOPT_OK);
    thaw_and_finish(&s, &whole);
    freeze_some(&o);
    logged[0] = 0;
    ck_assert_msg(mesaopt_trainer_load(o.trainer, path) == MESAOPT_OK, "%s", error_of(ctx));
    ck_assert_str_eq(logged, "");
    thaw_and_finish(&o, &resumed);
    ck_assert(bits_equal(&whole, &resumed));
    setup_end(&s);
    setup_end(&o);
}
END_TEST

/* What is said now holds, and the log says what was said. */
START_TEST(differences_are_logged)
{
    setup s = setup_start(ctx, &small_linear), o = setup_start(ctx, &small_linear);
    freeze_some(&s);
    ck_assert_int_eq(mesaopt_trainer_save(s.trainer, path), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_set_parameters(o.trainer, "blocks.2.value", 0.5, MESAOPT_DECAY_STANDARD), MESAOPT_OK);
    logged[0] = 0;
    ck_assert_int_eq(mesaopt_trainer_load(o.trainer, path), MESAOPT_OK);
    static const char *const lines[] = {": blocks.1.query.factor was 0, now (none)\n", ": blocks.2.query.factor was 0, now (none)\n",
                                        ": blocks.2.value.factor was 0.1, now 0.5\n", ": blocks.2.value.decay was off, now (none)\n"};
    for (int i = 0; i < 4; i++) ck_assert_msg(strstr(logged, lines[i]), "%s", logged);
    ck_assert_int_eq(mesaopt_trainer_save(o.trainer, path), MESAOPT_OK);
    setup_end(&s);
    s = setup_start(ctx, &small_linear);
    ck_assert_int_eq(mesaopt_trainer_save(s.trainer, path), MESAOPT_OK);
    logged[0] = 0;
    ck_assert_int_eq(mesaopt_trainer_load(o.trainer, path), MESAOPT_OK);
    ck_assert_msg(strstr(logged, ": blocks.2.value.factor was (none), now 0.5\n"), "%s", logged);
    setup_end(&s);
    setup_end(&o);
}
END_TEST

START_TEST(matches)
{
    static const struct { const char *text, *pattern; int expected; } rows[] = {
        {"abc", "abc", 1}, {"abc", "ab", 0}, {"ab", "abc", 0}, {"abc", "a?c", 1}, {"abc", "a??c", 0}, {"abc", "*", 1}, {"", "*", 1},
        {"", "", 1}, {"", "?", 0}, {"abc", "", 0}, {"abcabd", "*abd", 1}, {"aXbXc", "a*b*c", 1}, {"aXbXc", "a*c*b", 0},
        {"blocks.10.key", "blocks.1.*", 0}, {"blocks.1.key", "blocks.1.*", 1}, {"blocks.1.key", "*.key", 1},
        {"blocks.1.key", "*.ke", 0}, {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*a*a*a*a*a*a*a*c", 0}, {"ab", "ab**", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(text_matches(rows[i].text, rows[i].pattern) == rows[i].expected, "'%s' and '%s'", rows[i].text, rows[i].pattern);
}
END_TEST

Suite *test_trainer_parameters_suite(void)
{
    Suite *s = suite_create("trainer parameters");
    TCase *c = tcase_create("steps"), *files = tcase_create("files");
    tcase_add_checked_fixture(c, start, end);
    tcase_add_test(c, agrees_with_adamw);
    tcase_add_test(c, frozen_keeps_bits);
    tcase_add_test(c, matches);
    suite_add_tcase(s, c);
    tcase_add_checked_fixture(files, start_files, end_files);
    tcase_add_test(files, resumes);
    tcase_add_test(files, differences_are_logged);
    suite_add_tcase(s, files);
    return s;
}
