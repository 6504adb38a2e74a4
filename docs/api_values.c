/* Second half of api.json, and the tables of settings of the API reference: what only the built library knows.
 *
 *     api_values json | md
 *
 * Constants come with their values, settings with scope, type, bounds and default. constants.inc is made from the public headers by api.awk. */
#include "mesaopt/mesaopt.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *name, *comment; int64_t value; } constants[] = {
#define CONSTANT(name, comment) {#name, comment, name},
#include "constants.inc"
#undef CONSTANT
};
enum { CONSTANTS = sizeof constants / sizeof *constants };

static const char *const type_names[] = {"?", "int", "float", "choice"};

typedef struct setting {
    int32_t key, type;
    double lowest, highest, standard;
    const char *constant, *comment;
} setting;

static setting describe(int32_t scope, int32_t key)
{
    setting s = {.key = key, .constant = "", .comment = ""};
    mesaopt_settings_describe(scope, key, &s.type, &s.lowest, &s.highest, &s.standard);
    for (int i = 0; i < CONSTANTS; i++)
        if (!strncmp(constants[i].name, "MESAOPT_KEY_", 12) && constants[i].value == key) {
            s.constant = constants[i].name;
            s.comment = constants[i].comment;
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

/* The fewest digits that read back as the same number. */
static shortest digits(double x)
{
    shortest s;
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
    printf("}");
}

static void json(void)
{
    printf("  \"constants\": [");
    for (int i = 0; i < CONSTANTS; i++) {
        printf("%s\n    {\"name\": \"%s\", \"value\": %lld, \"doc\": ", i ? "," : "", constants[i].name, (long long)constants[i].value);
        text(constants[i].comment);
        printf("}");
    }
    printf("\n  ],\n  \"settings\": [");
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

static void markdown(void)
{
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
