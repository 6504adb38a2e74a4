/* common.c: see common.h. */
#include "common.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SCOPES = 16, TEXT = 1024 };
#define CHECKPOINT "checkpoint.safetensors"

static struct {
    const char *name, *about, *hidden;
    int argc;
    char **argv;
    own_key *own;
    int scopes;
    mesaopt_settings *settings[MAX_SCOPES];
    int32_t scope[MAX_SCOPES];
} args;

/* ---- errors and Ctrl-C ---- */

void die(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fprintf(stderr, "%s: ", args.name);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(1);
}

void note(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fprintf(stderr, "%s: note: ", args.name);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
}

static own_key *own_key_of(const char *name)
{
    for (own_key *k = args.own; k->name; k++)
        if (strcmp(k->name, name) == 0) return k;
    return NULL;
}

/* The command that goes on from the checkpoint: this one, with resume=. */
static void say_resume(void)
{
    char resume[MAX_PATH + 8] = "resume=";
    out_path(CHECKPOINT, resume + 7);
    if (access(resume + 7, R_OK) != 0) return;
    fputs("to go on:", stderr);
    for (int i = -1; i <= args.argc; i++) {
        const char *word = i < args.argc ? args.argv[i] : resume;
        if (i >= 0 && i < args.argc && strncmp(word, resume, 7) == 0) continue;
        fprintf(stderr, strpbrk(word, " \t\n'\"\\$`&;|<>()*?[]#~!{}") ? " \"%s\"" : " %s", word);
    }
    fputc('\n', stderr);
}

void must(mesaopt_ctx *ctx, mesaopt_status status, const char *call)
{
    char text[TEXT] = "";
    if (status >= 0) return;
    mesaopt_ctx_error(ctx, text, sizeof text);
    fprintf(stderr, "%s: %.*s: %s: %s\n", args.name, (int)strcspn(call, "("), call, mesaopt_status_name(status), text);
    if (status == MESAOPT_E_INTERRUPTED) say_resume();
    exit(status == MESAOPT_E_INTERRUPTED ? 130 : status == MESAOPT_E_SETTING ? 2 : 1);
}

void *must_alloc(void *old, size_t bytes)
{
    void *p = realloc(old, bytes ? bytes : 1);
    if (!p) die("no memory for %zu bytes", bytes);
    return p;
}

static mesaopt_ctx *interruptible;     /* what a signal handler can reach */

static void on_signal(int number)
{
    (void)number;
    mesaopt_ctx_interrupt(interruptible);
}

void catch_signals(mesaopt_ctx *ctx)
{
    struct sigaction action = {.sa_handler = ctx ? on_signal : SIG_DFL, .sa_flags = SA_RESETHAND | SA_RESTART};
    interruptible = ctx;
    sigaction(SIGINT, &action, NULL);  /* a second Ctrl-C ends the program at once */
    sigaction(SIGTERM, &action, NULL);
}

/* ---- command line ---- */

/* Does this settings scope take the key from the command line? */
static int takes(int32_t scope, const char *name)
{
    char word[80];
    snprintf(word, sizeof word, " %s ", name);
    return !strstr(args.hidden, word) && mesaopt_settings_describe(scope, mesaopt_settings_key(name), NULL, NULL, NULL, NULL) == MESAOPT_OK;
}

/* Does one of the first `scopes` scopes? */
static int taken(int scopes, const char *name)
{
    for (int s = 0; s < scopes; s++)
        if (takes(args.scope[s], name)) return 1;
    return 0;
}

/* Ends the program with the argument that nobody takes and the list of known keys. */
static _Noreturn void refuse(const char *what, const char *argument)
{
    fprintf(stderr, "%s: %s'%s'; known keys:", args.name, what, argument);
    for (const own_key *k = args.own; k->name; k++) fprintf(stderr, " %s", k->name);
    for (int s = 0; s < args.scopes; s++)
        for (int32_t i = 0, key; (key = mesaopt_settings_key_at(args.scope[s], i)) != 0; i++) {
            const char *name = mesaopt_settings_name(key);
            if (takes(args.scope[s], name) && !taken(s, name)) fprintf(stderr, " %s", name);
        }
    fprintf(stderr, "\n(%s help says more)\n", args.name);
    exit(2);
}

/* Splits "name=value" at '='. */
static const char *split(const char *arg, char *name, size_t cap)
{
    const char *equals = strchr(arg, '=');
    if (!equals || equals == arg || (size_t)(equals - arg) >= cap) return NULL;
    snprintf(name, cap, "%.*s", (int)(equals - arg), arg);
    return equals + 1;
}

void args_begin(int argc, char **argv, const char *about, own_key *own)
{
    char name[64];
    args.name = argc > 0 && strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    args.about = about;
    args.own = own;
    args.hidden = "";
    args.argc = argc - 1;
    args.argv = argv + 1;
    signal(SIGXFSZ, SIG_IGN);          /* a file that grows too large is an error of the call that writes */
    for (int i = 0; i < args.argc; i++) {
        const char *value = split(args.argv[i], name, sizeof name);
        own_key *k = value ? own_key_of(name) : NULL;
        if (k) k->value = value;
    }
}

void args_hide(const char *names) { args.hidden = names; }

const char *args_text(const char *name) { return own_key_of(name)->value; }

void args_default(const char *name, const char *value) { own_key_of(name)->value = value; }

void args_refuse(const char *name, const char *expected)
{
    fprintf(stderr, "%s: %s: '%s', expected %s\n", args.name, name, args_text(name), expected);
    exit(2);
}

int64_t args_int(const char *name, int64_t lowest, int64_t highest)
{
    const char *text = args_text(name);
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < lowest || value > highest) {
        char expected[80];
        snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)lowest, (long long)highest);
        args_refuse(name, expected);
    }
    return value;
}

int32_t args_block_scope(const char *name)
{
    char constant[64] = "MESAOPT_SCOPE_";
    int64_t scope = 0;
    const char *kind = args_text(name);
    for (size_t i = 0, n = strlen(constant); kind[i] && n + i + 1 < sizeof constant; i++)
        constant[n + i] = (char)toupper((unsigned char)kind[i]);
    if (mesaopt_constant(constant, &scope) != MESAOPT_OK ||
        mesaopt_settings_describe((int32_t)scope, MESAOPT_KEY_HEADS, NULL, NULL, NULL, NULL) != MESAOPT_OK)
        args_refuse(name, "a kind of attention, such as linear or softmax");
    return (int32_t)scope;
}

static _Noreturn void refuse_setting(const mesaopt_settings *s)
{
    char text[TEXT];
    mesaopt_settings_error(s, text, sizeof text);
    fprintf(stderr, "%s: %s\n", args.name, text);
    exit(2);
}

mesaopt_settings *args_settings(int32_t scope, const char *preset)
{
    char copy[TEXT], name[64];
    mesaopt_settings *s = NULL;
    must(NULL, mesaopt_settings_create(scope, NULL, NULL, &s), "mesaopt_settings_create");
    args.scope[args.scopes] = scope;
    args.settings[args.scopes++] = s;
    snprintf(copy, sizeof copy, "%s", preset);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        const char *value = split(word, name, sizeof name);
        if (mesaopt_settings_set_text(s, name, value) != MESAOPT_OK) refuse_setting(s);
    }
    for (int i = 0; i < args.argc; i++) {
        const char *value = split(args.argv[i], name, sizeof name);
        if (value && !own_key_of(name) && takes(scope, name) && mesaopt_settings_set_text(s, name, value) != MESAOPT_OK) refuse_setting(s);
    }
    return s;
}

mesaopt_ctx *args_ctx(void)
{
    char preset[32];
    mesaopt_ctx *ctx = NULL;
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(preset, sizeof preset, "threads=%ld", cpus < 1 ? 1 : cpus > 8 ? 8 : cpus);
    mesaopt_settings *s = args_settings(MESAOPT_SCOPE_CTX, preset);
    if (mesaopt_ctx_create(s, &ctx) != MESAOPT_OK) refuse_setting(s);
    return ctx;
}

const char *setting_word(const mesaopt_settings *s, int32_t key)
{
    int64_t index = 0;
    must(NULL, mesaopt_settings_get_int(s, key, &index), "mesaopt_settings_get_int");
    return mesaopt_settings_word(key, (int32_t)index);
}

static void print_help(void)
{
    char text[TEXT];
    printf("%s\n\nusage: %s key=value ...\n\nkeys of this program (default):\n", args.about, args.name);
    for (const own_key *k = args.own; k->name; k++) printf("  %-8s %s (%s)\n", k->name, k->meaning, k->value);
    printf("\nsettings of the library, as they stand (`make docs` says what they mean):\n");
    for (int s = 0; s < args.scopes; s++) {
        int hidden = 0;
        mesaopt_settings_dump(args.settings[s], text, sizeof text);
        for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
            char name[64];
            const char *value = split(word, name, sizeof name);
            if (takes(args.scope[s], name)) printf("%s %s=%s", hidden++ ? "" : " ", name, value);
        }
        if (hidden) putchar('\n');
    }
}

void args_end(void)
{
    char name[64];
    for (int i = 0; i < args.argc; i++)
        if (strcmp(args.argv[i], "help") == 0 || strcmp(args.argv[i], "--help") == 0) {
            print_help();
            exit(0);
        }
    for (int i = 0; i < args.argc; i++) {
        if (!split(args.argv[i], name, sizeof name)) refuse("expected key=value, not ", args.argv[i]);
        if (!own_key_of(name) && !taken(args.scopes, name)) refuse("unknown key ", name);
    }
}

void args_free(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) die("cannot write to standard output: %s", strerror(errno));
    for (int s = 0; s < args.scopes; s++) mesaopt_settings_free(args.settings[s]);
    args.scopes = 0;
}

/* ---- files ---- */

void make_folder(const char *path)
{
    char part[MAX_PATH];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part || !*path) die("out: '%s', expected the name of a folder", path);
    for (char *c = part + 1;; c++) {
        const char kept = *c;
        if (kept && kept != '/') continue;
        *c = 0;
        if (mkdir(part, 0777) != 0 && errno != EEXIST) die("out: cannot make %s: %s", part, strerror(errno));
        if (!kept) break;
        *c = kept;
    }
}

void out_path(const char *file, char *path)
{
    if (snprintf(path, MAX_PATH, "%s/%s", args_text("out"), file) >= MAX_PATH) die("out: the name is too long");
}

FILE *open_file(const char *path, const char *mode)
{
    FILE *f = fopen(path, mode);
    if (!f) die("cannot open %s: %s", path, strerror(errno));
    return f;
}

void flush_file(FILE *f, const char *path)
{
    if (fflush(f) != 0 || ferror(f)) die("cannot write %s: %s", path, strerror(errno));
}

void close_file(FILE *f, const char *path)
{
    flush_file(f, path);
    if (fclose(f) != 0) die("cannot write %s: %s", path, strerror(errno));
}

/* ---- training ---- */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

progress progress_begin(int64_t first, int64_t steps) { return (progress){seconds(), seconds(), first, steps, isatty(STDERR_FILENO)}; }

int32_t show_progress(const mesaopt_step *step, void *user)
{
    progress *p = user;
    const double now = seconds(), rate = (double)(step->step - p->first) / fmax(now - p->start, 1e-9);
    if (step->step < p->steps && now - p->shown < (p->terminal ? 0.2 : 5)) return 0;
    p->shown = now;
    const double left = (double)(p->steps - step->step) / rate;
    fprintf(stderr, "%sstep %lld/%lld  loss %.4f  %.1f steps/s  %.0f:%02.0f left%s", p->terminal ? "\r" : "",
            (long long)step->step, (long long)p->steps, step->loss, rate, floor(left / 60), floor(fmod(left, 60)),
            p->terminal ? "   " : "\n");
    if (p->terminal && step->step == p->steps) fputc('\n', stderr);
    return 0;
}

/* Path of a training's file in the out folder. */
static void training_path(const training *t, const char *file, char *path)
{
    char name[256];
    snprintf(name, sizeof name, "%s%s", t->prefix ? t->prefix : "", file);
    out_path(name, path);
}

/* loss.csv, with its header; a resumed run keeps the rows before its step. */
static FILE *open_losses(const training *t, int64_t step, char *path)
{
    char row[256];
    training_path(t, "loss.csv", path);
    FILE *f = open_file(path, step > 0 && access(path, F_OK) == 0 ? "r+" : "w+");
    long end = 0;
    if (step > 0)
        while (fgets(row, sizeof row, f) && (end == 0 || strtoll(row, NULL, 10) < step)) end = ftell(f);
    if (end == 0) fputs("step,train_loss,test_loss\n", f);
    else if (fseek(f, end, SEEK_SET) != 0 || ftruncate(fileno(f), end) != 0) die("cannot write %s: %s", path, strerror(errno));
    flush_file(f, path);
    return f;
}

void training_create(training *t, mesaopt_settings *settings)
{
    int64_t own = 0;
    TRY(t->ctx, mesaopt_trainer_create(t->ctx, settings, t->model, t->task, &t->trainer));
    must(t->ctx, mesaopt_settings_get_int(settings, MESAOPT_KEY_BATCH, &t->batch), "mesaopt_settings_get_int");
    TRY(t->ctx, mesaopt_task_shape(t->test, NULL, NULL, NULL, &own));
    t->tests = own > 0 ? own : args_int("test", 1, 1 << 30);
    t->finals = own > 0 ? own : args_int("final", 1, 1 << 30);
}

void training_add_mask(training *t, int64_t features)
{
    char text[64];
    snprintf(text, sizeof text, "mask(first=%lld)", (long long)features);
    TRY(t->ctx, mesaopt_model_add_text(t->model, text));
}

void training_free(training *t)
{
    mesaopt_trainer_free(t->trainer);
    mesaopt_model_free(t->model);
    if (t->test != t->task) mesaopt_task_free(t->test);
    mesaopt_task_free(t->task);
}

/* One row of loss.csv: both losses of the present parameters; the training loss on the sequences of the next step. */
static mesaopt_status write_row(const training *t, int64_t step, FILE *f, const char *path)
{
    double train = 0, test = 0;
    mesaopt_status status = mesaopt_model_evaluate(t->model, t->task, MESAOPT_STREAM_TRAIN, step * t->batch, t->batch, NULL, &train);
    if (status == MESAOPT_OK) status = mesaopt_model_evaluate(t->model, t->test, MESAOPT_STREAM_TEST, 0, t->tests, NULL, &test);
    if (status == MESAOPT_OK) {
        fprintf(f, "%lld,%.9g,%.9g\n", (long long)step, train, test);
        flush_file(f, path);
    }
    return status;
}

mesaopt_status training_run(training *t)
{
    char checkpoint[MAX_PATH], losses[MAX_PATH];
    const int64_t steps = args_int("steps", 0, INT64_MAX / 4), every = args_int("every", 1, INT64_MAX / 4);
    make_folder(args_text("out"));
    training_path(t, CHECKPOINT, checkpoint);
    if (*args_text("resume") && !t->prefix) TRY(t->ctx, mesaopt_trainer_load(t->trainer, args_text("resume")));
    int64_t step = mesaopt_trainer_steps(t->trainer);
    if (step > steps) die("resume: the checkpoint is at step %lld, expected at most steps=%lld", (long long)step, (long long)steps);
    FILE *f = open_losses(t, step, losses);
    progress p = progress_begin(step, steps);
    mesaopt_status status = MESAOPT_OK;
    while (status == MESAOPT_OK) {
        if (step % every == 0 || step == steps) status = write_row(t, step, f, losses);
        if (step == steps || status != MESAOPT_OK) break;
        const int64_t next = step - step % every + every;
        status = mesaopt_trainer_run(t->trainer, next < steps ? next : steps, show_progress, &p);
        step = mesaopt_trainer_steps(t->trainer);
    }
    if (p.terminal && status != MESAOPT_OK) fputc('\n', stderr);
    if (status != MESAOPT_STOPPED && status != MESAOPT_E_INTERRUPTED) must(t->ctx, status, "training");
    close_file(f, losses);
    TRY(t->ctx, mesaopt_trainer_save(t->trainer, checkpoint));
    if (status == MESAOPT_OK) return MESAOPT_OK;
    fprintf(stderr, "%s: stopped after step %lld\n", args.name, (long long)step);
    say_resume();
    return MESAOPT_STOPPED;
}

/* ---- error by t ---- */

/* Room for one more curve: a view [T] of it. */
static mesaopt_view next_curve(curves *c, const char *name, const char *number, const training *t)
{
    mesaopt_view by_t;
    TRY(t->ctx, mesaopt_task_shape(t->test, NULL, &c->length, NULL, NULL));
    c->of[c->count].name = name;
    c->of[c->count].number = number;
    c->of[c->count].by_t = must_alloc(NULL, (size_t)c->length * sizeof(double));
    TRY(t->ctx, mesaopt_view_dense(c->of[c->count++].by_t, MESAOPT_F64, 1, &c->length, &by_t));
    return by_t;
}

void curves_model(curves *c, const char *name, const training *t)
{
    const mesaopt_view by_t = next_curve(c, name, NULL, t);
    TRY(t->ctx, mesaopt_model_evaluate(t->model, t->test, MESAOPT_STREAM_TEST, 0, t->finals, &by_t, &c->of[c->count - 1].mean));
}

void curves_baseline(curves *c, const char *name, mesaopt_baseline *baseline, const training *t)
{
    const mesaopt_view by_t = next_curve(c, name, NULL, t);
    TRY(t->ctx, mesaopt_baseline_evaluate(baseline, t->test, MESAOPT_STREAM_TEST, 0, t->finals, &by_t, &c->of[c->count - 1].mean));
}

/* eta or ridge by line search on t->task, then the error on the sequences that the model is evaluated on. */
static void add_baseline(curves *c, const char *name, const char *number, const training *t, const char *settings)
{
    const mesaopt_view by_t = next_curve(c, name, number, t);
    mesaopt_baseline *baseline = NULL;
    int64_t own = 0;
    TRY(t->ctx, mesaopt_task_shape(t->task, NULL, NULL, NULL, &own));
    TRY(t->ctx, mesaopt_baseline_create(t->ctx, args_settings(MESAOPT_SCOPE_BASELINE, settings), &baseline));
    TRY(t->ctx, mesaopt_baseline_search(baseline, t->task, own > 0 ? own : t->tests, &c->of[c->count - 1].best));
    TRY(t->ctx, mesaopt_baseline_evaluate(baseline, t->test, MESAOPT_STREAM_TEST, 0, t->finals, &by_t, &c->of[c->count - 1].mean));
    mesaopt_baseline_free(baseline);
}

void curves_baselines(curves *c, const training *t)
{
    add_baseline(c, "gd", "eta", t, "baseline=gd");
    add_baseline(c, "lsq_newest_off", "ridge", t, "baseline=lsq newest_pair=0");   /* without the newest pair, as in the paper */
    add_baseline(c, "lsq_newest_on", "ridge", t, "baseline=lsq newest_pair=1");
}

/* What all curves are at t, or their means (t = 0), and the end of the line. */
static void print_row(FILE *f, const curves *c, int64_t t, const char *format)
{
    for (int i = 0; i < c->count; i++) fprintf(f, format, t > 0 ? c->of[i].by_t[t - 1] : c->of[i].mean);
    fputc('\n', f);
}

void curves_report(curves *c, const char *title)
{
    char path[MAX_PATH];
    out_path("by_t.csv", path);
    FILE *f = open_file(path, "w");
    fputc('t', f);
    for (int i = 0; i < c->count; i++) fprintf(f, ",%s", c->of[i].name);
    fputc('\n', f);
    for (int64_t t = 1; t <= c->length; t++) {
        fprintf(f, "%lld", (long long)t);
        print_row(f, c, t, ",%.9g");
    }
    close_file(f, path);

    printf("\n%s\n\n%6s", title, "t");
    for (int i = 0; i < c->count; i++) printf("  %14s", c->of[i].name);
    putchar('\n');
    for (int64_t t = 1; t <= c->length; t++) {
        int64_t digit = t;
        while (digit % 10 == 0) digit /= 10;
        if (digit != 1 && digit != 2 && digit != 5 && t != c->length) continue;
        printf("%6lld", (long long)t);
        print_row(stdout, c, t, "  %14.5f");
    }
    printf("%6s", "mean");
    print_row(stdout, c, 0, "  %14.5f");
    const char *before = "\nby line search: ";
    for (int i = 0; i < c->count; i++)
        if (c->of[i].number) printf("%s%s %s %.4g", before, c->of[i].name, c->of[i].number, c->of[i].best), before = ", ";
    printf("\ntables: %s, and loss.csv beside it\n", path);
    figure("by_t", c->count, title, "t", "squared error at t, halved");
    figure("loss", 2, "loss while training", "step", "loss");
    for (int i = 0; i < c->count; i++) free(c->of[i].by_t);
}
