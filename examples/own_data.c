/* own_data: trains linear attention on sequences from a CSV file, and says how well it, one step of gradient descent and least squares
 * predict the next row on the held-out last part of the sequences.
 *
 * The file: one row per time step, numbers separated by commas, as many in every row; a blank line ends a sequence, and all sequences
 * have the same number of rows. With id=1 the first column names the sequence instead, which ends where the name changes.
 * `own_data make=FILE` writes such a file, to look at and to try. Values should be about -1 to 1: a layer is cubic in them. */
#include "common.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct table {
    double *value;                     /* [sequences][rows][columns] */
    int64_t used, room, columns, rows, now, sequences;         /* rows: of a sequence; now: of the one that is being read */
    char id[256];
} table;

static void end_sequence(table *t, const char *path, long line)
{
    if (t->now == 0) return;
    if (t->now < 2) die("%s:%ld: a sequence of 1 row ends here, expected at least 2", path, line);
    if (t->sequences == 0) t->rows = t->now;
    if (t->now != t->rows)
        die("%s:%ld: a sequence of %lld rows ends here, expected %lld as in the first", path, line, (long long)t->now, (long long)t->rows);
    t->sequences++;
    t->now = 0;
}

static void read_row(table *t, char *text, int id, const char *path, long line)
{
    int64_t columns = 0;
    if (id) {
        const size_t n = strcspn(text, ",");
        if (text[n] != ',' || n >= sizeof t->id) die("%s:%ld: expected the name of the sequence, a comma and numbers", path, line);
        if (strlen(t->id) != n || memcmp(t->id, text, n) != 0) end_sequence(t, path, line - 1);
        snprintf(t->id, sizeof t->id, "%.*s", (int)n, text);
        text += n + 1;
    }
    for (char *end;; text = end + 1) {
        const double value = strtod(text, &end);
        const size_t length = strcspn(text, ",");
        if (end != text) end += strspn(end, " \t");
        if (end == text || (*end && *end != ',') || !isfinite(value))
            die("%s:%ld: '%.*s' in column %lld, expected a finite number", path, line, length > 40 ? 40 : (int)length, text,
                (long long)columns + id + 1);
        if (t->used == t->room) t->value = must_alloc(t->value, (size_t)(t->room = 2 * t->room + 1024) * sizeof(double));
        t->value[t->used++] = value;
        columns++;
        if (!*end) break;
    }
    if (t->columns == 0) t->columns = columns;
    if (columns != t->columns)
        die("%s:%ld: %lld numbers, expected %lld as in the first row", path, line, (long long)columns, (long long)t->columns);
    t->now++;
}

static table read_table(const char *path, int id)
{
    table t = {0};
    if (!*path) args_refuse("file", "a CSV file of sequences (own_data make=FILE writes one to try)");
    char *text = NULL;
    size_t cap = 0;
    long line = 0;
    FILE *f = open_file(path, "r");
    for (ssize_t n; (n = getline(&text, &cap, f)) > 0;) {
        line++;
        if (memchr(text, 0, (size_t)n)) die("%s:%ld: a zero byte, expected text", path, line);
        text[strcspn(text, "\r\n")] = 0;
        if (text[strspn(text, " \t")]) read_row(&t, text, id, path, line);
        else if (!id) end_sequence(&t, path, line);
    }
    if (ferror(f)) die("cannot read %s", path);
    fclose(f);
    free(text);
    end_sequence(&t, path, line);
    if (t.sequences < 2)
        die("%s: %lld sequence%s, expected at least 2: some to train on, some held out", path, (long long)t.sequences,
            t.sequences == 1 ? "" : "s");
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
    curves_report(&c, "squared error of the next row by t, on the sequences held out");
}

static mesaopt_status train(mesaopt_ctx *ctx)
{
    training t = {.ctx = ctx};
    mesaopt_settings *task = args_settings(MESAOPT_SCOPE_TASK, "tokens=constructed"), *model = args_settings(MESAOPT_SCOPE_MODEL, "");
    mesaopt_settings *layer = args_settings(MESAOPT_SCOPE_LINEAR, "heads=2 key=20 residual_clip=4");
    mesaopt_settings *trainer = args_settings(MESAOPT_SCOPE_TRAINER, "lr=3e-4");
    const int64_t layers = args_int("layers", 1, 1000), percent = args_int("holdout", 1, 99);
    args_end();
    table data = read_table(args_text("file"), (int)args_int("id", 0, 1));
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
                     {"id", "0", "1: the first column names the sequence; 0: a blank line ends it"},
                     {"holdout", "20", "per cent of the sequences that are held out, the last ones"},
                     {"layers", "1", "layers of linear attention"},
                     {"make", "", "writes an example of such a file there, and does nothing else"},
                     {"count", "500", "sequences that make=FILE writes"},
                     TRAINING_KEYS("2000", "own_data.out"),
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
