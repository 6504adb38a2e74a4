/* runs.c: models by recipe or from checkpoints; see runs.h. */
#include "runs.h"
#include "args.h"
#include "claims.h"
#include "curves.h"
#include "errors.h"
#include "stopping.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { WORD = 64, LINE = 512 };

/* ---- which recipes, which files ---- */

/* Of an own key that not every program has. */
static const char *text_of(const char *key) { return args_has(key) ? args_text(key) : ""; }

/* model=: the files, and what the first says of its recipe and its task. */
static int read_files(runs *r, char of[LINE], char task[LINE])
{
    int files = 0;
    static char copy[16 * LINE];
    if (snprintf(copy, sizeof copy, "%s", text_of("model")) >= (int)sizeof copy)
        args_refuse("model", "shorter names");
    for (char *at = strtok(copy, ","); at; at = strtok(NULL, ",")) {
        if (files == MOST_FILES) args_refuse("model", "fewer files");
        r->file[files++] = at;
    }
    if (files == 0 && *text_of("model")) args_refuse("model", "names of checkpoints, a,b");
    if (files > 0) file_text(r->ctx, r->file[0], "recipe", of, LINE);
    if (files > 0) file_text(r->ctx, r->file[0], "mesaopt.task", task, LINE);
    if (strncmp(task, "task=own ", 9) == 0)
        args_refuse("model", "checkpoints of a generated task, none of one's own sequences");
    return files;
}

static _Noreturn void refuse_recipe(const char *name, int length)
{
    char text[LINE], given[WORD];
    snprintf(given, sizeof given, "%.*s", length, name);
    const char *const nearest = args_nearest(given, recipe_name);
    snprintf(text, sizeof text, "names of recipes%s%s; recipe=help lists them",
             nearest ? ", perhaps " : "", nearest ? nearest : "");
    args_refuse("recipe", text);
}

static void find_recipes(runs *r, const char *names)
{
    for (const char *at = names;; at++) {
        const int length = (int)strcspn(at, ",");
        const recipe *found = recipe_find(at, length);
        if (!found) refuse_recipe(at, length);
        if (r->count == MOST_RECIPES) args_refuse("recipe", "fewer of them");
        for (int i = 0; i < r->count && !r->file[0]; i++)
            if (r->of[i] == found) args_refuse("recipe", "each name once: files are called so");
        r->of[r->count++] = found;
        at += length;
        if (!*at) return;
    }
}

/* Refuses file i when it is of another one of the recipes, as its note `text` says. */
static void expect_recipe(const runs *r, int i, const char *text)
{
    char expected[LINE];
    const char *const name = r->of[i % r->count]->name;
    const recipe *const found = recipe_find(text, (int)strcspn(text, ";"));
    for (int k = 0; k < r->count; k++) {
        if (r->of[k] != found || strcmp(found->name, name) == 0) continue;
        snprintf(expected, sizeof expected, "a checkpoint of %s in place of %.200s, which is of %s",
                 name, r->file[i], found->name);
        args_refuse("model", expected);
    }
}

/* What of a recipe is not as it was, by the note "name; changed: heads=8" and the step of a
 * checkpoint. */
static void take_notes(const runs *r)
{
    char text[LINE], steps[WORD], part[2 * WORD];
    for (int i = 0; r->file[i]; i++) {
        const char *name = r->of[i % r->count]->name;
        file_text(r->ctx, r->file[i], "recipe", text, LINE);
        expect_recipe(r, i, text);
        if (*text && strcmp(text, name) != 0) args_change(text);
        if (!*text && !(args_has("recipe") && args_given("recipe"))) {
            snprintf(part, sizeof part, "unknown recipe: %.80s names none", r->file[i]);
            args_change(part);
            continue;
        }
        file_text(r->ctx, r->file[i], "mesaopt.step", text, LINE);
        snprintf(steps, sizeof steps, "%lld", (long long)r->of[i % r->count]->steps);
        snprintf(part, sizeof part, "%s after %.20s of %s steps", name, text, steps);
        if (*text && strcmp(text, steps) != 0) args_change(part);
    }
}

/* ---- blocks ---- */

/* `text` with numbers for $n, $2n and $width. */
static void put_numbers(const char *text, int64_t n, int64_t width, char out[LINE])
{
    const struct {
        const char *name;
        int64_t value;
    } of[] = {{"$n", n}, {"$2n", 2 * n}, {"$width", width}};
    size_t used = 0;
    while (*text && used + 24 < LINE) {
        size_t i = 0;
        while (i < 3 && strncmp(text, of[i].name, strlen(of[i].name)) != 0) i++;
        if (i == 3)
            out[used++] = *text++;
        else {
            used += (size_t)snprintf(out + used, LINE - used, "%lld", (long long)of[i].value);
            text += strlen(of[i].name);
        }
    }
    out[used] = 0;
}

static int32_t scope_of(const char *kind)
{
    char constant[WORD + 16] = "MESAOPT_SCOPE_";
    int64_t scope = 0;
    const size_t n = strlen(constant);
    for (size_t i = 0; kind[i] && n + i + 1 < sizeof constant; i++)
        constant[n + i] = (char)toupper((unsigned char)kind[i]);
    if (mesaopt_constant(constant, &scope) != MESAOPT_OK) die("no kind of block '%s'", kind);
    return (int32_t)scope;
}

/* Adds the blocks of `text`, "kind(name=value,name=value); kind"; how many. */
static int add_blocks(runs *r, int recipe, const char *text, int64_t n, int64_t width)
{
    static char owners[MOST_RECIPES][MOST_BLOCKS][2 * WORD]; /* `help` and claims look at them */
    char line[LINE], *rest;
    shape *s = &r->shape[recipe];
    const int before = s->count;
    put_numbers(text, n, width, line);
    for (char *at = strtok_r(line, ";", &rest); at; at = strtok_r(NULL, ";", &rest)) {
        at += strspn(at, " ");
        char *settings = at + strcspn(at, "(");
        if (*settings) *settings++ = 0;
        for (char *c = settings; *c; c++) *c = *c == ',' || *c == ')' ? ' ' : *c;
        char *owner = owners[recipe][s->count];
        if (r->count > 1)
            snprintf(owner, WORD, "%s, ", r->of[recipe]->name);
        else
            *owner = 0;
        snprintf(owner + strlen(owner), WORD, "block %d, %s", s->count, at);
        s->block[s->count++] = args_settings_of(owner, scope_of(at), settings);
    }
    return s->count - before;
}

/* How many attention blocks there are. */
static int64_t attention(const shape *s, int from, int to)
{
    int64_t count = 0, heads;
    for (int i = from; i < to; i++)
        count += mesaopt_settings_get_int(s->block[i], MESAOPT_KEY_HEADS, &heads) == MESAOPT_OK;
    return count;
}

static int64_t told(const char *key, int64_t lowest, int64_t highest, int64_t otherwise)
{
    return *text_of(key) ? args_int(key, lowest, highest) : otherwise;
}

static void shape_of(runs *r, int i)
{
    const recipe *of = r->of[i];
    shape *s = &r->shape[i];
    int64_t n = 0;
    must(NULL, mesaopt_settings_get_int(r->task, MESAOPT_KEY_DIM, &n), "mesaopt_settings_get_int");
    const int64_t width = told("width", 1, 1 << 20, of->width);
    if (*text_of("width") && !strstr(of->front, "$width"))
        args_refuse("width", "none: only models of raw tokens have an embedding, others are as "
                             "wide as their slots");
    s->first = add_blocks(r, i, of->front, n, width);
    s->last = s->first + add_blocks(r, i, of->layer, n, width);
    add_blocks(r, i, of->back, n, width);
    const int64_t once = attention(s, 0, s->first), each = attention(s, s->first, s->last);
    s->times = (told("layers", once + each, 1000, of->layers) - once) / each;
}

static void add_shape(mesaopt_ctx *ctx, mesaopt_model *model, const shape *s)
{
    if (*text_of("blocks")) {
        TRY(ctx, mesaopt_model_add_text(model, args_text("blocks")));
        return;
    }
    for (int i = 0; i < s->first; i++) TRY(ctx, mesaopt_model_add(model, s->block[i]));
    for (int64_t k = 0; k < s->times; k++)
        for (int i = s->first; i < s->last; i++) TRY(ctx, mesaopt_model_add(model, s->block[i]));
    for (int i = s->last; i < s->count; i++) TRY(ctx, mesaopt_model_add(model, s->block[i]));
}

/* ---- the whole ---- */

/* Keys of the program that differ from the recipe's. */
static void note_changes(const runs *r)
{
    static const char *const keys[] = {"blocks", "layers", "width", "steps"};
    for (int i = 0; i < 4; i++) {
        char text[LINE];
        int differ = 0;
        if (!*text_of(keys[i])) continue;
        for (int k = 0; k < r->count; k++) {
            const int64_t usual[] = {-1, r->of[k]->layers, r->of[k]->width, r->of[k]->steps};
            differ |= i == 0 || strtoll(args_text(keys[i]), NULL, 10) != usual[i];
        }
        snprintf(text, sizeof text, "%s=%s", keys[i], args_text(keys[i]));
        if (differ) args_change(text);
    }
}

/* With model= nothing is trained: what was said about training has no effect. */
static void note_unheeded(const runs *r)
{
    static const char *const own[] = {"blocks", "layers", "width", "steps", "every",
                                      "resume", "change", "test",  "seeds", "dtype"};
    char keys[LINE] = "", word[WORD];
    const int count = (int)(sizeof own / sizeof *own);
    for (int i = 0; i < count + mesaopt_settings_count(MESAOPT_SCOPE_TRAINER); i++) {
        const char *const key =
            i < count
                ? own[i]
                : mesaopt_settings_name(mesaopt_settings_key_at(MESAOPT_SCOPE_TRAINER, i - count));
        const size_t used = strlen(keys);
        snprintf(word, sizeof word, " %s ", i < count ? key : "training");
        if (args_given(key) && !strstr(r->heeded, word))
            snprintf(keys + used, sizeof keys - used, " %s=", key);
    }
    if (*keys) note("model= is there already, and nothing is trained; not heeded:%s", keys);
}

static int64_t count_seeds(const runs *r, int files)
{
    int64_t seeds = r->of[0]->seeds;
    if (files % r->count != 0)
        args_refuse("model", "as many files as recipes, or that many for every seed");
    if (files > 0) return files / r->count;
    if (!args_has("seeds")) return 1;
    for (int i = 1; i < r->count; i++) seeds = r->of[i]->seeds < seeds ? r->of[i]->seeds : seeds;
    return *text_of("seeds") ? args_int("seeds", 1, 1000) : seeds;
}

/* What the recipes have for keys of the program, where it is one number. */
static void show_defaults(const runs *r)
{
    static char steps[WORD], seeds[WORD];
    int64_t same = r->of[0]->steps;
    for (int i = 1; i < r->count; i++) same = r->of[i]->steps == same ? same : -1;
    snprintf(steps, sizeof steps, "%lld", (long long)same);
    snprintf(seeds, sizeof seeds, "%lld", (long long)r->seeds);
    if (same >= 0 && !*args_text("steps")) args_default("steps", steps);
    if (args_has("seeds") && !*args_text("seeds")) args_default("seeds", seeds);
}

runs runs_begin(const char *names)
{
    static char owners[MOST_RECIPES][WORD];
    runs r = {.ctx = args_ctx(), .heeded = args_has("final") ? " test " : ""};
    char of[LINE] = "", task[LINE] = "", name[LINE];
    if (strcmp(text_of("recipe"), "help") == 0) {
        recipes_print();
        exit(0);
    }
    const int files = read_files(&r, of, task);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(of, ";"), of);
    if (*of && args_has("recipe") && !args_given("recipe") && recipe_find(name, (int)strlen(name)))
        args_default("recipe", recipe_find(name, (int)strlen(name))->name);
    find_recipes(&r, names ? names : args_text("recipe"));
    r.seeds = count_seeds(&r, files);
    if (files)
        take_notes(&r);
    else
        note_changes(&r);
    show_defaults(&r);
    r.task = args_settings_of("task", MESAOPT_SCOPE_TASK, *task ? task : r.of[0]->task);
    r.model = args_settings(MESAOPT_SCOPE_MODEL, "");
    for (int i = 0; i < r.count; i++) {
        if (strcmp(r.of[i]->task, r.of[0]->task) != 0)
            args_refuse("recipe", "recipes on one task, whose sequences can be the same");
        snprintf(owners[i], WORD, r.count > 1 ? "%s, training" : "training", r.of[i]->name);
        r.trainer[i] = args_settings_of(owners[i], MESAOPT_SCOPE_TRAINER, r.of[i]->trainer);
        if (!files && !*text_of("blocks")) shape_of(&r, i);
    }
    told("width", 1, 1 << 20, 0), told("layers", 1, 1000, 0);  /* where nothing asked for them */
    return r;
}

training *runs_of(const runs *r, int64_t seed, int i) { return &r->run[seed * r->count + i]; }

/* Of model=: with the test sequences of the task. */
static training open_run(const runs *r, const char *path)
{
    training t = {.ctx = r->ctx};
    TRY(r->ctx, mesaopt_task_create(r->ctx, r->task, &t.task));
    t.test = t.task;
    TRY(r->ctx, mesaopt_model_open(r->ctx, path, &t.model));
    if (args_has("test")) t.tests = args_int("test", 1, 1 << 30);
    t.finals = args_has("final") ? args_int("final", 1, 1 << 30) : t.tests;
    return t;
}

/* What the checkpoint says of its recipe. */
static void note_recipe(const training *t, const recipe *of)
{
    char text[2 * LINE];
    snprintf(text, sizeof text, *args_changed() ? "%s; changed: %s" : "%s", of->name,
             args_changed());
    const mesaopt_status status = mesaopt_model_set_note(t->model, "recipe", text);
    if (status != MESAOPT_E_ARGUMENT) must(t->ctx, status, "mesaopt_model_set_note");
}

void runs_create(runs *r)
{
    r->run = must_alloc(NULL, (size_t)(r->seeds * r->count) * sizeof *r->run);
    for (int64_t i = 0; i < r->seeds * r->count; i++) {
        const int at = (int)(i % r->count);
        char name[WORD] = "";
        if (r->file[0]) {
            r->run[i] = open_run(r, r->file[i]);
            continue;
        }
        if (at > 0) snprintf(name, sizeof name, "%s-", r->of[at]->name);
        r->run[i] = training_begin(r->ctx, r->task, r->model, i / r->count, name);
        add_shape(r->ctx, r->run[i].model, &r->shape[at]);
        if (!*args_text("steps")) r->run[i].steps = r->of[at]->steps;
        note_recipe(&r->run[i], r->of[at]);
        training_create(&r->run[i], r->trainer[at]);
    }
    if (args_has("error")) error_text();           /* a word that is none is found now */
    if (r->file[0]) note_unheeded(r);
    claims_changed(args_changed());
}

void runs_expect_one(const runs *r)
{
    if (r->count > 1) args_refuse("recipe", "one of them");
    if (r->seeds > 1) args_refuse("model", "one of them");
}

/* "mask; 3 x linear" of "mask(first=20); linear(heads=2); 2 x linear(heads=4,key=20)". */
static void kinds_of(const char *text, char kinds[LINE])
{
    char kind[WORD], last[WORD] = "", number[WORD], *behind;
    int64_t times = 0;
    size_t used = 0; /* without the last kind */
    for (*kinds = 0; *(text += strspn(text, "; ")); text += strcspn(text, ";")) {
        const int64_t count = strtoll(text, &behind, 10);
        const int counted = behind > text;
        if (counted) text = behind + strlen(" x ");
        snprintf(kind, sizeof kind, "%.*s", (int)strcspn(text, "(;"), text);
        if (strcmp(kind, last) != 0) used = strlen(kinds), times = 0, strcpy(last, kind);
        times += counted ? count : 1;
        snprintf(number, sizeof number, "%lld x ", (long long)times);
        snprintf(kinds + used, LINE - used, "%s%s%s", used ? "; " : "", times > 1 ? number : "",
                 kind);
    }
}

void runs_expect_kinds(const runs *r, int64_t layers)
{
    char text[8 * LINE], expected[LINE], found[LINE];
    for (int64_t i = 0; r->file[i]; i++) {
        const recipe *of = r->of[i % r->count];
        snprintf(text, sizeof text, "%s; %lld x %s", of->front, (long long)layers, of->layer);
        kinds_of(text, expected);
        mesaopt_model_text(r->run[i].model, text, sizeof text);
        kinds_of(text, found);
        if (strcmp(found, expected) == 0) continue;
        snprintf(text, sizeof text, "%s for %s: %s has %.200s", expected, of->name, r->file[i],
                 found);
        args_refuse("model", text);
    }
}

mesaopt_status runs_train(runs *r)
{
    mesaopt_status status = MESAOPT_OK;
    if (r->file[0]) return MESAOPT_OK;
    if (*args_changed()) note("changed recipe: %s", args_changed());
    for (int64_t i = 0; i < r->seeds * r->count && status == MESAOPT_OK; i++) {
        if (r->count > 1)
            say("%s, seed %lld", r->of[i % r->count]->name, (long long)i / r->count);
        else if (r->seeds > 1)
            say("seed %lld", (long long)i);
        status = training_run(&r->run[i]);
    }
    return status;
}

void runs_free(runs *r)
{
    for (int64_t i = 0; i < r->seeds * r->count; i++) training_free(&r->run[i]);
    free(r->run);
    mesaopt_ctx_free(r->ctx);
    args_free();
}
