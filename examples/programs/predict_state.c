/* predict_state.c: states of predict in files; see predict_state.h. */
#include "predict_state.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOTE "predict"                 /* in a state: all that the decoder does not hold */
#define FORMAT "predict 5"
enum {
    MOST = 8 << 20,                    /* bytes of a note */
    NUMBER = 25,                       /* " -1.2345678901234567e-308" */
    COUNTS = 1000                      /* and more than what stands in front of them */
};

double predictor_get(const mesaopt_view *v, int64_t i)
{
    return v->dtype == MESAOPT_F64 ? ((double *)v->data)[i] : (double)((float *)v->data)[i];
}

void predictor_set(const mesaopt_view *v, int64_t i, double x)
{
    if (v->dtype == MESAOPT_F64) ((double *)v->data)[i] = x;
    else ((float *)v->data)[i] = (float)x;
}

void predictor_check_save(const predictor *p)
{
    const int64_t most = (MOST - (int64_t)sizeof FORMAT - COUNTS) / NUMBER,
                  ahead = (p->ahead + p->ahead * p->ahead) * p->n + 4 * p->ahead,
                  recent = (p->slots + p->prefix + p->separator + 1) * p->n;
    char expected[160];
    if (ahead + recent > most)
        args_refuse("ahead", "fewer rows with save=: all those predictions go into the state");
    if (p->keep <= (most - ahead - recent) / p->n) return;
    snprintf(expected, sizeof expected,
             "at most %lld with save=: the last half of the rows goes into the state",
             (long long)(2 * ((most - ahead - recent) / p->n) + 1));
    args_refuse("context", expected);
}

/* Numbers of a state, behind the recent rows; those from `errors` on belong to one `ahead`. */
enum { ROWS, ERRORS, PIECES = 7 };
typedef struct piece { double *x; int64_t n; } piece;
static void pieces_of(const predictor *p, piece of[PIECES])
{
    const piece all[PIECES] = {{p->again, p->kept * p->n},
                               {p->squares[0], p->ahead},
                               {p->squares[1], p->ahead},
                               {p->scored, p->ahead},
                               {p->made, p->ahead},
                               {p->past, p->ahead * p->n},
                               {p->guess, p->ahead * p->ahead * p->n}};
    memcpy(of, all, sizeof all);
}

static int64_t vector_numbers(const predictor *p) { return (p->prefix + p->separator) * p->n; }

/* Where the rows have come to: does the next one begin a sequence, the name of this one in bytes
 * (-1: none), and what gaps are filled with. */
static void save_place(const row_reader *in, FILE *f)
{
    const long long length = in->id_text ? (long long)strlen(in->id_text) : -1;
    fprintf(f, " %d %lld", in->begins, length);
    for (long long i = 0; i < length; i++) fprintf(f, " %d", (unsigned char)in->id_text[i]);
    for (int64_t j = 0; j < in->used; j++) fprintf(f, " %.17g", in->last[j]);
}

void predictor_save(predictor *p, const char *file)
{
    char *text = NULL;
    size_t size;
    piece of[PIECES];
    FILE *f = open_memstream(&text, &size);
    if (!f) die("no memory for a state");
    fprintf(f, FORMAT " %d %lld %lld %lld", p->pairs, (long long)p->prefix,
            (long long)p->separator, (long long)p->behind);
    for (int64_t i = 0; i < vector_numbers(p); i++) fprintf(f, " %.17g", p->vectors[i]);
    fprintf(f, " %lld %lld %lld %lld %lld %lld %lld %lld", (long long)p->rows, (long long)p->seen,
            (long long)p->held, (long long)p->kept, (long long)p->ahead, (long long)p->since,
            (long long)p->sequence, (long long)p->first);
    save_place(&p->in, f);
    for (int64_t i = 0; i < p->held * p->n; i++)
        fprintf(f, " %.17g", predictor_get(&p->recent, i));
    pieces_of(p, of);
    for (int k = 0; k < PIECES; k++)
        for (int64_t i = 0; i < of[k].n; i++) fprintf(f, " %.17g", of[k].x[i]);
    if (fclose(f) != 0) die("no memory for a state");
    TRY(p->ctx, mesaopt_decoder_set_note(p->decoder, NOTE, text));
    TRY(p->ctx, mesaopt_decoder_save(p->decoder, file));
    free(text);
    fprintf(stderr, "state after row %lld: %s\n", (long long)p->rows, file);
}

static char *note_of(const predictor *p, const char *file)
{
    const int64_t size = mesaopt_file_note(p->ctx, file, NOTE, NULL, 0);
    if (size < 0) must(p->ctx, (mesaopt_status)size, "mesaopt_file_note");
    char *const text = must_alloc(NULL, (size_t)size + 1);
    file_text(p->ctx, file, NOTE, text, size + 1);
    if (strncmp(text, FORMAT " ", strlen(FORMAT) + 1) != 0)
        die("%s: '%.*s', expected a state '" FORMAT "' of this version of the program", file,
            (int)strlen(FORMAT), text);
    return text;
}

/* NaN: none. */
static double next_or_none(char **at, const char *file)
{
    char *const from = *at;
    const double x = strtod(from, at);
    if (*at == from || isinf(x)) die("%s: damaged: expected a finite number", file);
    return x;
}

static double next_number(char **at, const char *file)
{
    const double x = next_or_none(at, file);
    if (isnan(x)) die("%s: damaged: expected a finite number", file);
    return x;
}

/* Rows so far and seen, those in `recent` and to begin anew from; returns the state's `ahead`. */
static int64_t load_counts(predictor *p, char **at, const char *file)
{
    p->rows = strtoll(*at, at, 10), p->seen = strtoll(*at, at, 10);
    p->held = strtoll(*at, at, 10), p->kept = strtoll(*at, at, 10);
    const int64_t ahead = strtoll(*at, at, 10);
    p->since = strtoll(*at, at, 10);
    p->sequence = strtoll(*at, at, 10), p->first = strtoll(*at, at, 10);
    if (p->kept > p->keep)
        die("%s: %lld rows to begin anew from, expected at most the %lld of context=%lld", file,
            (long long)p->kept, (long long)p->keep, (long long)p->context);
    if (p->rows < 1 || p->seen < 0 || p->held < 0 || p->held > p->slots || p->kept < 0 ||
        p->since < 0 || p->since > p->rows || p->sequence < 1 || p->first < 0 || p->first > p->rows)
        die("%s: damaged: expected the numbers of rows", file);
    return ahead;
}

static void load_place(row_reader *in, char **at, const char *file)
{
    in->begins = strtoll(*at, at, 10) == 1;
    const int64_t length = strtoll(*at, at, 10);
    if (length < -1 || length > (int64_t)strlen(*at))
        die("%s: damaged: expected the name of a sequence", file);
    if (length >= 0) {
        in->id_text = must_alloc(in->id_text, (size_t)length + 1);
        for (int64_t i = 0; i < length; i++) in->id_text[i] = (char)strtoll(*at, at, 10);
        in->id_text[length] = 0;
    }
    for (int64_t j = 0; j < in->used; j++) in->last[j] = next_or_none(at, file);
}

/* What stands between the rows is what stood there before. */
static void load_layout(predictor *p, char **at, const char *file)
{
    int other = strtoll(*at, at, 10) != p->pairs;
    other |= strtoll(*at, at, 10) != p->prefix;
    other |= strtoll(*at, at, 10) != p->separator;
    p->behind = strtoll(*at, at, 10) == 1;
    for (int64_t i = 0; !other && i < vector_numbers(p); i++)
        other = next_number(at, file) != p->vectors[i];
    if (other)
        die("%s: of other pairs, prefix, separator or prompt, expected those of this run", file);
}

void predictor_load(predictor *p, const char *file)
{
    char *const text = note_of(p, file), *at = text + strlen(FORMAT);
    piece of[PIECES];
    load_layout(p, &at, file);
    const int64_t ahead = load_counts(p, &at, file);
    load_place(&p->in, &at, file);
    for (int64_t i = 0; i < p->held * p->n; i++)
        predictor_set(&p->recent, i, next_number(&at, file));
    pieces_of(p, of);
    for (int k = 0; k < (ahead == p->ahead ? PIECES : ERRORS); k++)
        for (int64_t i = 0; i < of[k].n; i++) of[k].x[i] = next_number(&at, file);
    for (int64_t i = 0; i < p->ahead; i++)
        if (p->made[i] < 0 || p->made[i] > (double)p->ahead)
            die("%s: damaged: expected numbers of predictions", file);
    if (ahead != p->ahead) {
        p->since = 0;
        note("%s: of ahead=%lld: errors are counted from here", file, (long long)ahead);
    }
    free(text);
}
