/* own_sequences.c: sequences from a file of rows; see own_sequences.h. */
#include "own_sequences.h"
#include "common.h"
#include <stdlib.h>
#include <string.h>

typedef struct extent { int64_t rows, line; } extent;      /* of a sequence; line: its last one */

static int64_t shortest(const extent *e, int64_t sequences)
{
    int64_t s = 0;
    for (int64_t i = 1; i < sequences; i++)
        if (e[i].rows < e[s].rows) s = i;
    return s;
}

static void check_lengths(const table *t, const extent *e, const char *path)
{
    const int refuse = strcmp(args_text("lengths"), "refuse") == 0;
    for (int64_t i = 0; i < t->sequences; i++) {
        if (e[i].rows < 2)
            die("%s:%lld: a sequence of 1 row ends here, expected at least 2", path,
                (long long)e[i].line);
        if (refuse && e[i].rows != e[0].rows)
            die("%s:%lld: a sequence of %lld rows ends here, expected %lld as in the first; "
                "lengths=cut takes the first %lld of each",
                path, (long long)e[i].line, (long long)e[i].rows, (long long)e[0].rows,
                (long long)e[shortest(e, t->sequences)].rows);
    }
}

static void tell_cut(const table *t, const extent *e, const char *path)
{
    const int64_t s = shortest(e, t->sequences);
    int64_t longer = 0;
    for (int64_t i = 0; i < t->sequences; i++) longer += e[i].rows > e[s].rows;
    if (longer > 0)
        note("%s: %lld of %lld sequences cut to %lld rows, as many as the one that ends at line "
             "%lld has",
             path, (long long)longer, (long long)t->sequences, (long long)e[s].rows,
             (long long)e[s].line);
}

/* From sequences that follow one another to [sequences][rows][columns]. */
static void spread(table *t, const extent *e, const char *path)
{
    const int cut = strcmp(args_text("lengths"), "cut") == 0;
    const int64_t n = t->columns, most = cut ? e[shortest(e, t->sequences)].rows : INT64_MAX;
    t->length = must_alloc(NULL, (size_t)t->sequences * sizeof *t->length);
    t->rows = 0;
    for (int64_t i = 0; i < t->sequences; i++) {
        t->length[i] = e[i].rows < most ? e[i].rows : most;
        if (t->length[i] > t->rows) t->rows = t->length[i];
    }
    const size_t row = (size_t)n * sizeof(double);
    double *value = must_alloc(NULL, (size_t)(t->sequences * t->rows) * row);
    int64_t from = 0;
    for (int64_t i = 0; i < t->sequences; from += e[i++].rows) {
        double *to = value + i * t->rows * n;
        memset(to, 0, (size_t)t->rows * row);
        memcpy(to, t->value + from * n, (size_t)t->length[i] * row);
    }
    free(t->value);
    t->value = value;
    if (cut) tell_cut(t, e, path);
}

/* Of a sequence that was cut into windows there may be a rest. */
static void drop_rests(table *t, extent *e)
{
    extent *const kept = e;            /* not after the one that is read */
    const int64_t window = args_int("window", 0, 1 << 30), n = t->columns, sequences = t->sequences;
    int64_t from = 0, to = 0, rows = 0;
    if (!window) return;
    t->sequences = 0;
    for (int64_t i = 0; i < sequences; from += e[i++].rows) {
        if (e[i].rows < window) {
            rows += e[i].rows;
            continue;
        }
        memmove(t->value + to * n, t->value + from * n, (size_t)(window * n) * sizeof(double));
        to += window;
        kept[t->sequences++] = e[i];
    }
    if (rows > 0)
        note("%lld row%s of no whole window left out", (long long)rows, rows == 1 ? "" : "s");
}

static void take_row(table *t, const row_reader *r, const double *row, extent **e, int64_t *room)
{
    const int64_t window = args_int("window", 0, 1 << 30);
    if (r->starts || (window && (*e)[t->sequences - 1].rows == window)) {
        if (t->sequences == *room)
            *e = must_alloc(*e, (size_t)(*room = 2 * *room + 64) * sizeof **e);
        (*e)[t->sequences++] = (extent){0};
    }
    if (t->used + r->used > t->room)
        t->value = must_alloc(t->value, (size_t)(t->room = 2 * t->room + r->used) * sizeof(double));
    memcpy(t->value + t->used, row, (size_t)r->used * sizeof(double));
    t->used += r->used;
    (*e)[t->sequences - 1].rows++;
    (*e)[t->sequences - 1].line = r->line;
}

static void take_names(table *t, const row_reader *r)
{
    t->name = must_alloc(NULL, (size_t)t->columns * sizeof *t->name);
    t->named = r->named;
    for (int64_t j = 0; j < t->columns; j++) {
        const size_t size = strlen(rows_name(r, j)) + 1;
        t->name[j] = memcpy(must_alloc(NULL, size), rows_name(r, j), size);
    }
}

table read_table(const char *path, int64_t least)
{
    table t = {0};
    row_reader r;
    extent *e = NULL;
    int64_t room = 0;
    const char *lengths = args_text("lengths");
    args_int("window", 0, 1 << 30);
    if (strcmp(lengths, "whole") && strcmp(lengths, "cut") && strcmp(lengths, "refuse"))
        args_refuse("lengths", "whole, cut or refuse");
    rows_open(&r, path, "id", 0);
    double *const row = must_alloc(NULL, (size_t)r.used * sizeof(double));
    do
        while (rows_next(&r, row)) take_row(&t, &r, row, &e, &room);
    while (rows_fill(&r));
    if (rows_stopped()) stop();
    t.columns = r.used;
    drop_rests(&t, e);
    if (t.sequences < least)
        die("%s: %lld sequence%s, expected at least %lld (window= cuts a long sequence into "
            "several)",
            path, (long long)t.sequences, t.sequences == 1 ? "" : "s", (long long)least);
    check_lengths(&t, e, path);
    spread(&t, e, path);
    take_names(&t, &r);
    rows_close(&r);
    if (rows_stopped()) stop();        /* in the meantime */
    free(row);
    free(e);
    return t;
}

void table_free(table *t)
{
    for (int64_t j = 0; j < t->columns; j++) free(t->name[j]);
    free(t->value), free(t->length), free(t->name), free(t->mean), free(t->sd);
}
