/* Second half of api.json, and the tables of settings, kinds of blocks, tasks and baselines of the API reference: what only the built library
 * and its tables (the .def files of lib/base) know.
 *
 *     api_values json | md
 *
 * Constants come with their values, settings with scope, type, bounds and default. constants.inc is made from the public headers by api.awk. */
#include "mesaopt/mesaopt.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *name, *comment, *group, *since; int64_t value; } constants[] = {
#define CONSTANT(name, comment, group, since) {#name, comment, group, since, name},
#include "constants.inc"
#undef CONSTANT
};
enum { CONSTANTS = sizeof constants / sizeof *constants };

typedef struct row { const char *name, *text; int32_t scope; } row;
static const row kinds[] = {
#define KIND(number, name, text, ...) {#name, text, MESAOPT_SCOPE_##number},
#include "base/kinds.def"
    {0},
}, tasks[] = {
#define TASK(name, text) {#name, text, 0},
#include "base/tasks.def"
    {0},
}, baselines[] = {
#define BASELINE(name, text) {#name, text, 0},
#include "base/baselines.def"
    {0},
};

static const char *const type_names[] = {"?", "int", "float", "choice"};

typedef struct setting {
    int32_t key, type;
    double lowest, highest, standard;
    const char *constant, *comment, *since;
} setting;

static setting describe(int32_t scope, int32_t key)
{
    setting s = {.key = key, .constant = "", .comment = ""};
    mesaopt_settings_describe(scope, key, &s.type, &s.lowest, &s.highest, &s.standard);
    for (int i = 0; i < CONSTANTS; i++)
        if (!strncmp(constants[i].name, "MESAOPT_KEY_", 12) && constants[i].value == key) {
            s.constant = constants[i].name;
            s.comment = constants[i].comment;
            s.since = constants[i].since;
        }
    return s;
}

/* Name of a scope: the last part of its constant in lower case. */
static void scope_name(const char *constant, char *out)
{
    const char *c = constant + strlen("MESAOPT_SCOPE_");
    for (; *c; c++) *out++ = *c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c;
    *out = 0;
}

static void text(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') putchar('\\');
        putchar(*s);
    }
    putchar('"');
}

typedef struct shortest { char text[32]; } shortest;

/* The fewest digits that read back as the same number; of a whole one all of them, unless there are many. */
static shortest digits(double x)
{
    shortest s;
    if (x == floor(x) && fabs(x) < 1e7) {
        snprintf(s.text, sizeof s.text, "%.0f", x);
        return s;
    }
    for (int n = 1; n <= 17; n++) {
        snprintf(s.text, sizeof s.text, "%.*g", n, x);
        if (strtod(s.text, NULL) == x) break;
    }
    return s;
}

static void number(double x)
{
    printf("%s", isfinite(x) ? digits(x).text : "null");
}

static void json_setting(const char *scope, setting s)
{
    printf("{\"scope\": \"%s\", \"name\": \"%s\", \"key\": %d, \"constant\": \"%s\", \"type\": \"%s\", \"lowest\": ", scope, mesaopt_settings_name(s.key), s.key,
           s.constant, type_names[s.type]);
    number(s.lowest);
    printf(", \"highest\": ");
    number(s.highest);
    printf(", \"default\": ");
    number(s.standard);
    if (s.type == MESAOPT_TYPE_CHOICE) {
        const char *word;
        printf(", \"words\": [");
        for (int32_t i = 0; (word = mesaopt_settings_word(s.key, i)) != NULL; i++) printf("%s\"%s\"", i ? ", " : "", word);
        printf("]");
    }
    printf(", \"doc\": ");
    text(s.comment);
    printf(", \"since\": \"%s\"}", s.since ? s.since : "0.1");
}

/* Kinds of blocks with their scope, tasks, baselines. */
static void json_rows(const char *name, const row *list)
{
    printf("\n  \"%s\": [", name);
    for (const row *r = list; r->name; r++) {
        printf("%s\n    {\"name\": \"%s\", \"doc\": ", r > list ? "," : "", r->name);
        text(r->text);
        printf("}");
    }
    printf("\n  ],");
}

static void json(void)
{
    printf("  \"constants\": [");
    for (int i = 0; i < CONSTANTS; i++) {
        printf("%s\n    {\"name\": \"%s\", \"value\": %lld, \"doc\": ", i ? "," : "", constants[i].name, (long long)constants[i].value);
        text(constants[i].comment);
        printf(", \"group\": \"%s\", \"since\": \"%s\"}", constants[i].group, constants[i].since);
    }
    printf("\n  ],");
    json_rows("kinds", kinds);
    json_rows("tasks", tasks);
    json_rows("baselines", baselines);
    printf("\n  \"settings\": [");
    const char *comma = "";
    for (int i = 0; i < CONSTANTS; i++) {
        if (strncmp(constants[i].name, "MESAOPT_SCOPE_", 14)) continue;
        char scope[64];
        scope_name(constants[i].name, scope);
        for (int32_t k = 0; k < mesaopt_settings_count((int32_t)constants[i].value); k++) {
            printf("%s\n    ", comma);
            json_setting(scope, describe((int32_t)constants[i].value, mesaopt_settings_key_at((int32_t)constants[i].value, k)));
            comma = ",";
        }
    }
    printf("\n  ]\n}\n");
}

static void markdown_setting(setting s)
{
    printf("| `%s` | `%s` | ", mesaopt_settings_name(s.key), s.constant);
    if (s.type == MESAOPT_TYPE_CHOICE) {
        const char *word;
        for (int32_t i = 0; (word = mesaopt_settings_word(s.key, i)) != NULL; i++) printf("%s%s", i ? ", " : "", word);
        word = mesaopt_settings_word(s.key, (int32_t)s.standard);
        printf(" | %s", word ? word : "?");
    } else {
        printf("%s, %s to %s | %s", type_names[s.type], digits(s.lowest).text, digits(s.highest).text, digits(s.standard).text);
    }
    printf(" | %s |\n", s.comment);
}

/* ---- parameters of a kind of block: of models that are made for it, whose extents are told apart by their values ---- */

typedef struct extent { const char *name; int64_t value; } extent;
enum { MOST_EXTENTS = 16, MOST_PARAMETERS = 32 };
typedef struct extents { int n; extent list[MOST_EXTENTS]; } extents;

/* D, and a prime for every integer setting that may be one. */
static extents extents_of(int32_t scope)
{
    static const int primes[] = {11, 13, 17, 19, 23, 29, 31, 37};
    extents e = {2, {{"1", 1}, {"D", 7}}};
    for (int32_t k = 0, used = 0; k < mesaopt_settings_count(scope) && used < 8; k++) {
        const setting s = describe(scope, mesaopt_settings_key_at(scope, k));
        if (s.type == MESAOPT_TYPE_INT && s.highest >= 65536 && s.key != MESAOPT_KEY_FIRST && s.key != MESAOPT_KEY_CHUNK)
            e.list[e.n++] = (extent){mesaopt_settings_name(s.key), primes[used++]};
    }
    return e;
}

/* "D", "heads key", "2 D": what an extent is made of. */
static void print_extent(const extents *e, int64_t value)
{
    for (int i = 0; i < e->n; i++)
        if (e->list[i].value == value) {
            printf("%s", e->list[i].name);
            return;
        }
    for (int i = 1; i < e->n; i++) {
        if (2 * e->list[i].value == value) printf("2 %s", e->list[i].name);
        for (int j = i; j < e->n; j++)
            if (e->list[i].value * e->list[j].value == value) printf("%s %s", e->list[i].name, e->list[j].name);
    }
}

/* Of one block with all extents and, unless 0, a choice set; NULL when it is refused. */
static mesaopt_model *model_of(mesaopt_ctx *ctx, int32_t scope, const extents *e, int32_t key, int32_t word)
{
    mesaopt_settings *m = NULL, *s = NULL;
    mesaopt_model *model = NULL;
    mesaopt_settings_create(MESAOPT_SCOPE_MODEL, NULL, NULL, &m);
    mesaopt_settings_create(scope, NULL, NULL, &s);
    mesaopt_settings_set_int(m, MESAOPT_KEY_INPUTS, e->list[1].value);
    for (int i = 2; i < e->n; i++) mesaopt_settings_set_int(s, mesaopt_settings_key(e->list[i].name), e->list[i].value);
    if (key) mesaopt_settings_set_int(s, key, word);
    if (mesaopt_model_create(ctx, m, &model) == MESAOPT_OK && mesaopt_model_add(model, s) != MESAOPT_OK) {
        mesaopt_model_free(model);
        model = NULL;
    }
    mesaopt_settings_free(s);
    mesaopt_settings_free(m);
    return model;
}

/* The parameters of a model that were not shown before, as "name [rows, columns]". */
typedef struct shown { int n; char text[MOST_PARAMETERS][64]; } shown;
static void show_parameters(mesaopt_model *model, const extents *e, const char *when, shown *before)
{
    const char *comma = "";
    for (int64_t i = 0; i < mesaopt_model_parameters(model); i++) {
        const char *name = mesaopt_model_parameter_name(model, i);
        mesaopt_view v;
        char text[64];
        int known = 0;
        if (mesaopt_model_parameter(model, name, &v) != MESAOPT_OK) continue;
        name += strlen("blocks.0.");
        snprintf(text, sizeof text, "%.40s %d %d", name, (int)v.shape[0], (int)v.shape[1]);
        for (int k = 0; k < before->n; k++) known |= !strcmp(before->text[k], text);
        if (known || before->n == MOST_PARAMETERS) continue;
        strcpy(before->text[before->n++], text);
        printf("%s`%s` [", *comma ? comma : when, name);
        print_extent(e, v.shape[0]);
        printf(", ");
        print_extent(e, v.shape[1]);
        printf("]");
        comma = ", ";
    }
}

static void markdown_kind(mesaopt_ctx *ctx, const row *kind)
{
    const int32_t scope = kind->scope;
    const extents e = extents_of(scope);
    shown before = {0};
    printf("### %s\n\n%s\n\nParameters: ", kind->name, kind->text);
    mesaopt_model *model = model_of(ctx, scope, &e, 0, 0);
    if (model) show_parameters(model, &e, "", &before);
    if (!before.n) printf("none");
    mesaopt_model_free(model);
    for (int32_t k = 0; k < mesaopt_settings_count(scope); k++) {
        const setting s = describe(scope, mesaopt_settings_key_at(scope, k));
        for (int32_t w = 0; s.type == MESAOPT_TYPE_CHOICE && w <= (int32_t)s.highest; w++) {
            char when[80];
            snprintf(when, sizeof when, "; with %s=%s ", mesaopt_settings_name(s.key), mesaopt_settings_word(s.key, w));
            model = model_of(ctx, scope, &e, s.key, w);
            if (model) show_parameters(model, &e, when, &before);
            mesaopt_model_free(model);
        }
    }
    printf("\n\n");
}

static void markdown_list(const char *title, const row *list)
{
    printf("## %s\n\n| name | |\n|---|---|\n", title);
    for (; list->name; list++) printf("| `%s` | %s |\n", list->name, list->text);
    printf("\n");
}

static void markdown_kinds(void)
{
    mesaopt_ctx *ctx = NULL;
    if (mesaopt_ctx_create(NULL, &ctx) != MESAOPT_OK) exit(1);
    printf("## Kinds of blocks\n\nOf a token x [D]. A parameter is `blocks.I.name` of block I; its rows are inputs.\n\n");
    for (const row *kind = kinds; kind->name; kind++) markdown_kind(ctx, kind);
    mesaopt_ctx_free(ctx);
}

static void markdown(void)
{
    markdown_kinds();
    markdown_list("Tasks", tasks);
    markdown_list("Baselines", baselines);
    printf("## Settings\n\nEvery key of every scope, with its values and default. The text setter takes the name, the typed setters the constant.\n");
    for (int i = 0; i < CONSTANTS; i++) {
        if (strncmp(constants[i].name, "MESAOPT_SCOPE_", 14)) continue;
        char scope[64];
        scope_name(constants[i].name, scope);
        printf("\n### %s (`%s`)\n\n| name | constant | values | default | |\n|---|---|---|---|---|\n", scope, constants[i].name);
        for (int32_t k = 0; k < mesaopt_settings_count((int32_t)constants[i].value); k++)
            markdown_setting(describe((int32_t)constants[i].value, mesaopt_settings_key_at((int32_t)constants[i].value, k)));
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "json")) json();
    else if (argc == 2 && !strcmp(argv[1], "md")) markdown();
    else return fprintf(stderr, "usage: api_values json | md\n"), 2;
    return ferror(stdout) || fflush(stdout);
}
