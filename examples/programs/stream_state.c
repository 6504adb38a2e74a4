/* stream_state.c: states of stream_rls in files; see stream_state.h. */
#include "stream_state.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOTE "stream_rls"               /* in a state: all that the state itself does not hold */
#define FORMAT "stream_rls 3"

static const char *const same_as_saved[] = {"lags", "intercept", "toward", "targets", "ignore"};
enum { SAME = sizeof same_as_saved / sizeof *same_as_saved };

static void write_numbers(FILE *f, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) fprintf(f, "%.17g%c", x[i], i + 1 < n ? ' ' : '\n');
}

void stream_save(stream *s, const char *file)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f) die("no memory for a state");
    fputs(FORMAT "\n", f);
    for (int i = 0; i < SAME; i++)
        fprintf(f, "%s=%s\n", same_as_saved[i], args_text(same_as_saved[i]));
    fprintf(f, "ridge=%.15g\n%lld columns\n", s->ridge, (long long)s->in.columns);
    for (int64_t i = 0; i < s->in.columns; i++) fprintf(f, "%s\n", s->in.name[i]);
    fprintf(f, "%lld rows, %lld scored\n", (long long)s->rows, (long long)s->scored);
    write_numbers(f, s->first, s->n);
    write_numbers(f, s->key, s->d);
    for (int k = 0; k < KINDS; k++) write_numbers(f, s->squares[k], s->m);
    if (fclose(f) != 0) die("no memory for a state");
    TRY(s->ctx, mesaopt_rls_set_note(s->rls, NOTE, text));
    TRY(s->ctx, mesaopt_rls_save(s->rls, file));
    free(text);
    fprintf(stderr, "state after row %lld: %s\n", (long long)s->rows, file);
}

static void read_numbers(saved *in, double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        char *end;
        x[i] = strtod(in->rest, &end);
        if (end == in->rest || !isfinite(x[i]))
            die("%s: damaged: expected a finite number", in->file);
        in->rest = end;
    }
}

/* The next line; it has to be `text` unless that is NULL. */
static const char *saved_line(saved *in, const char *text)
{
    char *const line = in->rest, *const end = strchr(line, '\n');
    if (end) *end = 0;
    if (!end || (text && strcmp(line, text) != 0))
        die("%s: '%.80s', expected '%s' as in this command and its input", in->file,
            end ? line : "the end", text ? text : "a name");
    in->rest = end + 1;
    return line;
}

saved stream_load_names(stream *s, const char *file)
{
    char text[MAX_PATH];
    const int64_t bytes = mesaopt_file_note(s->ctx, file, NOTE, NULL, 0);
    saved in = {.file = file};
    must(s->ctx, bytes < 0 ? (mesaopt_status)bytes : MESAOPT_OK, "mesaopt_file_note");
    if (bytes == 0) die("%s: without the note " NOTE ", expected a state of this program", file);
    in.text = in.rest = must_alloc(NULL, (size_t)bytes);
    if (mesaopt_file_note(s->ctx, file, NOTE, in.text, bytes) != bytes)
        die("%s: has changed meanwhile", file);
    saved_line(&in, FORMAT);
    for (int i = 0; i < SAME; i++) {
        snprintf(text, sizeof text, "%s=%s", same_as_saved[i], args_text(same_as_saved[i]));
        saved_line(&in, text);
    }
    snprintf(text, sizeof text, "ridge=%.15g", s->ridge);
    if (sscanf(saved_line(&in, s->ridge_told ? text : NULL), "ridge=%lf", &s->ridge) != 1)
        die("%s: damaged: expected ridge=", file);
    snprintf(text, sizeof text, "%lld columns", (long long)s->in.columns);
    saved_line(&in, text);
    for (int64_t i = 0; i < s->in.columns; i++) {
        const char *const name = saved_line(&in, s->in.named ? s->in.name[i] : NULL);
        s->in.name[i] = must_alloc(s->in.name[i], strlen(name) + 1);
        strcpy(s->in.name[i], name);
    }
    return in;
}

void stream_load(stream *s, saved *in)
{
    long long rows = 0, scored = 0;
    double count = 0, *const missing = s->seen;
    if (sscanf(saved_line(in, NULL), "%lld rows, %lld scored", &rows, &scored) != 2 || rows < 1 ||
        scored != (rows > s->lags ? rows - s->lags : 0))
        die("%s: damaged: expected the numbers of rows", in->file);
    read_numbers(in, s->first, s->n);
    read_numbers(in, s->key, s->d);
    for (int k = 0; k < KINDS; k++) {
        read_numbers(in, s->squares[k], s->m);
        for (int64_t j = 0; j < s->m; j++) s->sum[k] += s->squares[k][j];
        s->reported[k] = s->sum[k];
    }
    free(in->text);
    TRY(s->ctx, mesaopt_rls_open(s->lsq, in->file, &s->rls));
    const mesaopt_view seen = {
        .data = &count, .shape = {1}, .stride = {1}, .ndim = 1, .dtype = MESAOPT_F64};
    TRY(s->ctx, mesaopt_rls_get(s->rls, 1, (const int32_t[]){MESAOPT_RLS_ROWS}, &seen));
    const mesaopt_view gaps = {
        .data = missing, .shape = {1, s->m}, .stride = {s->m, 1}, .ndim = 2, .dtype = MESAOPT_F64};
    TRY(s->ctx, mesaopt_rls_get(s->rls, 1, (const int32_t[]){MESAOPT_RLS_MISSING}, &gaps));
    for (int64_t j = 0; j < s->m; j++) s->all += s->seen[j] = (double)scored - missing[j];
    for (int64_t j = 0; j < s->n; j++) s->in.last[j] = s->first[j] + s->key[j];
    if (count != (double)scored)
        die("%s: damaged: a note of %lld predicted rows with a state of %.0f", in->file, scored,
            count);
    s->rows = rows, s->scored = s->last = scored;
}
