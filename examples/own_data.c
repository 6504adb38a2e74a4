/* own_data: trains linear attention on sequences from a CSV file, and says how well it, one step of gradient descent and least squares
 * predict the next row on the held-out last part of the sequences.
 *
 * The file: one row per time step, read as rows.h says; a blank line ends a sequence. With id= a column names the sequence instead,
 * which ends where the name changes. All sequences have the same number of rows, unless lengths=cut.
 * `own_data make=FILE` writes such a file, to look at and to try. Values should be about -1 to 1: a layer is cubic in them. */
#include "common.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct table {
    double *value;                     /* [sequences][rows][columns] */
    int64_t used, room, columns, rows, sequences;          /* used, room: numbers; rows: of every sequence */
} table;

typedef struct extent { int64_t rows, line; } extent;      /* of a sequence; line: its last one */

static int64_t shortest(const extent *e, int64_t sequences)
{
    int64_t s = 0;
    for (int64_t i = 1; i < sequences; i++)
        if (e[i].rows < e[s].rows) s = i;
    return s;
}

/* Sequences have one length: that of the shortest, if they may be cut. */
static void even_out(table *t, const extent *e, const char *path)
{
    const int64_t s = shortest(e, t->sequences), rows = e[s].rows, n = t->columns;
    const int cut = strcmp(args_text("lengths"), "cut") == 0;
    int64_t from = 0, longer = 0;
    if (!cut && strcmp(args_text("lengths"), "refuse") != 0) args_refuse("lengths", "refuse or cut");
    t->rows = e[0].rows;
    for (int64_t i = 0; i < t->sequences; i++) {
        if (e[i].rows < 2) die("%s:%lld: a sequence of 1 row ends here, expected at least 2", path, (long long)e[i].line);
        if (!cut && e[i].rows != t->rows)
            die("%s:%lld: a sequence of %lld rows ends here, expected %lld as in the first; lengths=cut takes the first %lld of each", path,
                (long long)e[i].line, (long long)e[i].rows, (long long)t->rows, (long long)rows);
        memmove(t->value + i * rows * n, t->value + from * n, (size_t)(rows * n) * sizeof(double));
        from += e[i].rows;
        longer += e[i].rows > rows;
    }
    t->rows = rows;
    if (longer > 0)
        note("%s: %lld of %lld sequences cut to %lld rows, as many as the one that ends at line %lld has", path, (long long)longer,
             (long long)t->sequences, (long long)rows, (long long)e[s].line);
}

static void take_row(table *t, const row_reader *r, const double *row, extent **e, int64_t *room)
{
    if (r->starts) {
        if (t->sequences == *room) *e = must_alloc(*e, (size_t)(*room = 2 * *room + 64) * sizeof **e);
        (*e)[t->sequences++] = (extent){0};
    }
    if (t->used + r->used > t->room) t->value = must_alloc(t->value, (size_t)(t->room = 2 * t->room + r->used) * sizeof(double));
    memcpy(t->value + t->used, row, (size_t)r->used * sizeof(double));
    t->used += r->used;
    (*e)[t->sequences - 1].rows++;
    (*e)[t->sequences - 1].line = r->line;
}

static table read_table(const char *path)
{
    table t = {0};
    row_reader r;
    extent *e = NULL;
    int64_t room = 0;
    if (!*path) args_refuse("file", "a CSV file of sequences (own_data make=FILE writes one to try)");
    rows_open(&r, path, "id");
    double *const row = must_alloc(NULL, (size_t)r.used * sizeof(double));
    do
        while (rows_next(&r, row)) take_row(&t, &r, row, &e, &room);
    while (rows_fill(&r));
    if (rows_stopped()) stop();
    t.columns = r.used;
    if (t.sequences < 2)
        die("%s: %lld sequence%s, expected at least 2: some to train on, some held out", path, (long long)t.sequences,
            t.sequences == 1 ? "" : "s");
    even_out(&t, e, path);
    rows_close(&r);
    free(row);
    free(e);
    return t;
}

/* Sequences of a task as such a file: rotations in 3 dimensions unless told otherwise. */
static int make_file(mesaopt_ctx *ctx, const char *path)
{
    mesaopt_settings *settings = args_settings(MESAOPT_SCOPE_TASK, "dim=3 length=30");
    mesaopt_task *task = NULL;
    mesaopt_view view;
    int64_t n, length;
    args_end();
    TRY(ctx, mesaopt_task_create(ctx, settings, &task));
    TRY(ctx, mesaopt_task_shape(task, &n, &length, NULL, NULL));
    const int64_t count = args_int("count", 2, 1 << 24), shape[] = {1, length + 1, n};
    double *row = must_alloc(NULL, (size_t)((length + 1) * n) * sizeof(double));
    FILE *f = open_file(path, "w");
    TRY(ctx, mesaopt_view_dense(row, MESAOPT_F64, 3, shape, &view));
    for (int64_t i = 0; i < count; i++) {
        TRY(ctx, mesaopt_task_draw(task, MESAOPT_STREAM_TRAIN, i, &view));
        if (i > 0) fputc('\n', f);
        for (int64_t j = 0; j < (length + 1) * n; j++) fprintf(f, "%.6f%c", row[j], j % n == n - 1 ? '\n' : ',');
    }
    close_file(f, path);
    printf("%lld sequences of %lld rows and %lld columns: %s\n", (long long)count, (long long)length + 1, (long long)n, path);
    free(row);
    mesaopt_task_free(task);
    return 0;
}

/* A task over sequences first .. first + count - 1 of the table, which keeps the memory. */
static mesaopt_task *part(mesaopt_ctx *ctx, const mesaopt_settings *settings, const table *t, int64_t first, int64_t count)
{
    mesaopt_tensor *tensor = NULL;
    mesaopt_task *task = NULL;
    mesaopt_view view;
    const int64_t shape[] = {count, t->rows, t->columns};
    TRY(ctx, mesaopt_view_dense(t->value + first * t->rows * t->columns, MESAOPT_F64, 3, shape, &view));
    TRY(ctx, mesaopt_tensor_wrap(ctx, &view, NULL, NULL, &tensor));
    TRY(ctx, mesaopt_task_from_tensor(ctx, settings, tensor, &task));
    mesaopt_tensor_free(tensor);                   /* the task holds it */
    return task;
}

static void report(const training *t)
{
    curves c = {0};
    curves_model(&c, "model", t);
    curves_baselines(&c, t);
    curves_report(&c, "Error of the next row by t, on the sequences held out");
}

static mesaopt_status train(mesaopt_ctx *ctx)
{
    training t = {.ctx = ctx};
    mesaopt_settings *task = args_settings(MESAOPT_SCOPE_TASK, "tokens=constructed"), *model = args_settings(MESAOPT_SCOPE_MODEL, "");
    mesaopt_settings *layer = args_settings(MESAOPT_SCOPE_LINEAR, "heads=2 key=20 residual_clip=4");
    mesaopt_settings *trainer = args_settings(MESAOPT_SCOPE_TRAINER, "lr=3e-4");
    const int64_t layers = args_int("layers", 1, 1000), percent = args_int("holdout", 1, 99);
    args_end();
    table data = read_table(args_text("file"));
    const int64_t held_out = data.sequences * percent / 100 > 0 ? data.sequences * percent / 100 : 1, kept = data.sequences - held_out;

    t.task = part(ctx, task, &data, 0, kept);
    t.test = part(ctx, task, &data, kept, held_out);
    must(ctx, mesaopt_settings_set_int(model, MESAOPT_KEY_INPUTS, 4 * data.columns), "inputs");
    must(ctx, mesaopt_settings_set_int(model, MESAOPT_KEY_OUTPUTS, data.columns), "outputs");
    TRY(ctx, mesaopt_model_create(ctx, model, &t.model));
    if (layers == 1) training_add_mask(&t, 2 * data.columns);
    for (int64_t i = 0; i < layers; i++) TRY(ctx, mesaopt_model_add(t.model, layer));
    training_create(&t, trainer);
    printf("%lld sequences of %lld rows and %lld columns to train on, %lld held out\n", (long long)kept, (long long)data.rows,
           (long long)data.columns, (long long)held_out);

    catch_signals(ctx);
    const mesaopt_status status = training_run(&t);
    if (status == MESAOPT_OK) report(&t);
    catch_signals(NULL);
    training_free(&t);
    free(data.value);
    return status;
}

int main(int argc, char **argv)
{
    own_key own[] = {{"file", "", "CSV file of sequences"},
                     {"id", "", "column that names the sequence, by name or number; empty: a blank line ends a sequence"}, ROWS_KEYS,
                     {"lengths", "refuse", "sequences of unequal lengths: refuse, or cut to the shortest"},
                     {"holdout", "20", "per cent of the sequences that are held out, the last ones"},
                     {"layers", "1", "layers of linear attention"},
                     {"make", "", "writes an example of such a file there, and does nothing else"},
                     {"count", "500", "sequences that make=FILE writes"},
                     TRAINING_KEYS("2000", "own_data.out"), ERROR_KEY,
                     {NULL, NULL, NULL}};
    args_begin(argc, argv, "Trains linear attention on your own sequences; compares it with gradient descent and least squares.", own);
    mesaopt_ctx *ctx = args_ctx();
    const char *make = args_text("make");
    args_hide(*make ? " tokens slots " : " task dim length noise data_clip tokens slots inputs outputs first pe ");
    const int result = *make ? make_file(ctx, make) : train(ctx) != MESAOPT_OK ? 130 : 0;
    mesaopt_ctx_free(ctx);
    args_free();
    return result;
}
