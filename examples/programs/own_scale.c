/* own_scale.c: columns of a model as notes of its checkpoint; see own_scale.h. */
#include "own_scale.h"
#include "errors.h"
#include "rows.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCALE "own_data.scale"         /* "mean sd mean sd": those of every column */
#define NAMES "own_data.columns"       /* their names, as the first line of a CSV file */

/* To be freed; "": there is none. */
static char *note_of(mesaopt_ctx *ctx, const char *checkpoint, const char *key)
{
    const int64_t size = mesaopt_file_note(ctx, checkpoint, key, NULL, 0);
    if (size < 0) must(ctx, (mesaopt_status)size, "mesaopt_file_note");
    char *const text = must_alloc(NULL, (size_t)size + 1);
    file_text(ctx, checkpoint, key, text, size + 1);
    return text;
}

/* ---- scale ---- */

int scale_read(mesaopt_ctx *ctx, const char *checkpoint, int64_t n, double *mean, double *sd)
{
    char *const text = note_of(ctx, checkpoint, SCALE), *at = text, *end;
    const int found = *text != 0;
    int64_t i = 0;
    for (; i < 2 * n; i++, at = end) {
        const double x = strtod(at, &end);
        if (end == at || !isfinite(x) || (i % 2 && !(x > 0))) break;
        *(i % 2 ? &sd[i / 2] : &mean[i / 2]) = x;
    }
    if (found && (i < 2 * n || at[strspn(at, " ")]))
        die("%s: " SCALE " is '%.60s', expected means and deviations of %lld columns", checkpoint,
            text, (long long)n);
    free(text);
    return found;
}

void scale_keep(mesaopt_ctx *ctx, mesaopt_model *model, int64_t n, const double *mean,
                const double *sd)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f) die("no memory for a note");
    for (int64_t j = 0; j < n; j++) fprintf(f, "%s%.17g %.17g", j ? " " : "", mean[j], sd[j]);
    if (fclose(f) != 0) die("no memory for a note");
    TRY(ctx, mesaopt_model_set_note(model, SCALE, text));
    free(text);
}

/* ---- names ---- */

/* The next name of a line that rows_write_name wrote, without its quotes, in place. */
static const char *next_name(char **line)
{
    char *const name = *line, *to = name, *from = name;
    const int quoted = *from == '"';
    for (from += quoted; *from && (quoted || *from != ','); from++) {
        if (quoted && *from == '"' && *++from != '"') break;
        *to++ = *from;
    }
    *line = *from ? from + 1 : from;
    *to = 0;
    return name;
}

void names_check(mesaopt_ctx *ctx, const char *checkpoint, const char *file, int64_t n,
                 const char *const *name)
{
    char *const text = note_of(ctx, checkpoint, NAMES), *at = text;
    for (int64_t j = 0; j < n && *at; j++) {
        const char *const expected = next_name(&at);
        if (strcmp(name[j], expected) != 0)
            die("%s: '%.60s' is column %lld of those that are used, expected '%.60s', as %s was "
                "trained (ignore= leaves some out)",
                file, name[j], (long long)j + 1, expected, checkpoint);
    }
    free(text);
}

void names_keep(mesaopt_ctx *ctx, mesaopt_model *model, int64_t n, const char *const *name)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f) die("no memory for a note");
    for (int64_t j = 0; j < n; j++) {
        if (j > 0) fputc(',', f);
        rows_write_name(f, name[j]);
    }
    if (fclose(f) != 0) die("no memory for a note");
    TRY(ctx, mesaopt_model_set_note(model, NAMES, text));
    free(text);
}
