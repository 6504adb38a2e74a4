/* long_context: a mesa layer's heads over a long sequence, token by token, in memory and time per
 * token that do not depend on how long it is.
 *
 * Every head sees x_{t+1} = W x_t + noise of its own, with a new W every `change` tokens, and
 * predicts x_{t+1} at every token (lsq.h: key x_{t-1}, value x_t, query x_t). The first `prefill`
 * tokens go through mesaopt_lsq_forward as one block; its last state becomes that of a mesaopt_rls,
 * which takes the rest one by one. Twice: with a forget gate gamma, and without (gamma = 1), which
 * goes on averaging over every W there has been. In the end both are compared with one long forward
 * pass, which needs memory for all tokens. Ctrl-C ends with the table and the figure of the tokens
 * until then.
 * Source: the mesa layer of arXiv 2309.05858; with forgetting, arXiv 2506.05233. */
#include "common.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { FORGETS, REMEMBERS, DECODERS, TABLE_ROWS = 8 };

typedef struct decoder {
    double gamma;
    mesaopt_lsq *lsq;
    mesaopt_rls *rls;
    double *out;                       /* [heads][d]: what it predicts for the next token */
    double *kept;                      /* [rows][heads][d]: the last prediction before every row of
                                          the table */
    double squares, seconds;           /* since the last row */
    double error, first_cost, last_cost;       /* mean after the first change of W; microseconds per
                                                  token in the first and last quarter */
} decoder;

typedef struct run {
    mesaopt_ctx *ctx, *drawing;        /* drawing: of the task, one thread, so that every piece is
                                          drawn in the same memory */
    mesaopt_task *task;
    int64_t heads, d, context, prefill, change, every;
    int64_t shown;                     /* tokens between two rows on the terminal */
    int64_t t, pieces, rows;           /* tokens so far; pieces drawn; rows written */
    double *piece;                     /* [1 + change][heads][d]: the token before, and those with
                                          one W */
    double power;                      /* of the tokens since the last row */
    int64_t since, resident, most;     /* tokens since then; bytes of memory after the prefill, and
                                          most since then */
    double row[2 * DECODERS + 1];      /* the last one: errors, microseconds per token, megabytes */
    int stopped;                       /* by Ctrl-C: what was going on then did not get done */
    decoder of[DECODERS];
    FILE *f;
    char path[MAX_PATH];
} run;

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Bytes of memory in use; 0 where nobody says. */
static int64_t resident(void)
{
    long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return 0;
    if (fscanf(f, "%*d %lld", &pages) != 1) pages = 0;
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static double peak_megabytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

/* Is a call done? Not when Ctrl-C came first; every other failure ends the program. */
#define DONE(r, call) done((r), (call), #call)
static int done(run *r, mesaopt_status status, const char *call)
{
    if (status == MESAOPT_E_INTERRUPTED || (status >= 0 && signalled())) r->stopped = 1;
    else must(r->ctx, status, call);
    return !r->stopped;
}

/* ---- tokens ---- */

/* The next tokens with one W, behind `x`, which holds the token before: one sequence of the task
 * for every head. */
static void draw_piece(run *r, int64_t number, double *x)
{
    for (int64_t h = 0; h < r->heads; h++) {
        const int64_t width = r->heads * r->d;
        const mesaopt_view v = {.data = x + width + h * r->d,
                                .shape = {1, r->change, r->d},
                                .stride = {r->change * width, width, 1},
                                .ndim = 3,
                                .dtype = MESAOPT_F64};
        TRY(r->drawing, mesaopt_task_draw(r->task, MESAOPT_STREAM_TEST, number * r->heads + h, &v));
    }
}

/* Tokens [T, heads, d] for a mesaopt_rls, [1, T, heads, d] for a mesaopt_lsq. */
static mesaopt_view tokens(const run *r, double *x, int64_t T, int whole)
{
    const int64_t shape[] = {1, T, r->heads, r->d};
    mesaopt_view v;
    TRY(r->ctx, mesaopt_view_dense(x, MESAOPT_F64, whole ? 4 : 3, whole ? shape : shape + 1, &v));
    return v;
}

/* The tokens t = 1 .. T behind x and what each decoder says after them, in one call. */
static int forward(run *r, decoder *o, double *x, int64_t T, double *out, int64_t count,
                   const int32_t *which, const mesaopt_view *state)
{
    const mesaopt_view k = tokens(r, x, T, 1), v = tokens(r, x + r->heads * r->d, T, 1),
                       all = tokens(r, out, T, 1);
    return DONE(r, mesaopt_lsq_forward(o->lsq, &v, &k, &v, &all, count, which, state));
}

/* ---- rows of the table ---- */

static void print_row(const run *r)
{
    printf("%8lld", (long long)r->t);
    for (int i = 0; i < DECODERS; i++) printf("%12.4g", r->row[i]);
    for (int i = 0; i < DECODERS; i++) printf("%12.2f", r->row[DECODERS + i]);
    printf("%12.1f\n", r->row[2 * DECODERS]);
}

static void end_row(run *r)
{
    const int64_t now = resident(), width = r->heads * r->d;
    if (now > r->most) r->most = now;
    for (int i = 0; i < DECODERS; i++)
        r->row[i] = r->of[i].squares / r->power,
        r->row[DECODERS + i] = 1e6 * r->of[i].seconds / (double)r->since;
    r->row[2 * DECODERS] = (double)now / 1048576;
    fprintf(r->f, "%lld", (long long)r->t);
    for (int i = 0; i < DECODERS; i++) fprintf(r->f, ",%.6g", r->row[i]);
    for (int i = 0; i < DECODERS; i++) fprintf(r->f, ",%.4g", r->row[DECODERS + i]);
    fprintf(r->f, ",%lld\n", (long long)now / 1024);
    if (r->t % r->shown == 0 || r->t == r->context) print_row(r);
    for (int i = 0; i < DECODERS; i++) {
        decoder *o = &r->of[i];
        memcpy(o->kept + r->rows * width, o->out, (size_t)width * sizeof(double));
        o->squares = o->seconds = 0;
    }
    r->rows++;
    r->power = 0;
    r->since = 0;
}

/* ---- decoding ---- */

/* What decoder `o` said of this token. */
static double squared_error(const run *r, const decoder *o, const double *x)
{
    double sum = 0;
    for (int64_t j = 0; j < r->heads * r->d; j++) sum += (o->out[j] - x[j]) * (o->out[j] - x[j]);
    return sum;
}

/* Token x, the one before it just ahead of it in memory. */
static void decode(run *r, double *x)
{
    const int64_t width = r->heads * r->d, quarter = (r->context - r->prefill) / 4, t = r->t + 1;
    const mesaopt_view k = tokens(r, x - width, 1, 0), v = tokens(r, x, 1, 0);
    double squares[DECODERS], cost[DECODERS];
    for (int i = 0; i < DECODERS; i++) {
        const mesaopt_view out = tokens(r, r->of[i].out, 1, 0);
        squares[i] = squared_error(r, &r->of[i], x);
        const double start = cpu_seconds();
        if (!DONE(r, mesaopt_rls_step(r->of[i].rls, &v, &k, &v, NULL, NULL, &out))) return;
        cost[i] = cpu_seconds() - start;
    }
    for (int i = 0; i < DECODERS; i++) {
        decoder *o = &r->of[i];
        o->squares += squares[i], o->seconds += cost[i];
        if (t > r->change) o->error += squares[i];
        if (t <= r->prefill + quarter) o->first_cost += cost[i];
        else if (t > r->context - quarter) o->last_cost += cost[i];
    }
    for (int64_t j = 0; j < width; j++) r->power += x[j] * x[j];
    r->t = t;
    r->since++;
    if (t % r->every == 0 || t == r->context) end_row(r);
}

/* The first tokens in one call; its last state goes into the decoders. */
static void prefill(run *r)
{
    const int64_t n = r->heads, d = r->d, width = n * d, shape_h[] = {1, n, d, d};
    double *out = zeros(r->prefill * width), *H = zeros(n * d * d), *S = zeros(n * d * d);
    const int32_t which[] = {MESAOPT_LSQ_H_LAST, MESAOPT_LSQ_S_LAST},
                  part[] = {MESAOPT_RLS_KEY_STATE, MESAOPT_RLS_VALUE_STATE};
    for (int i = 0; i < DECODERS && !r->stopped; i++) {
        decoder *o = &r->of[i];
        mesaopt_view last[2], state[2];
        for (int s = 0; s < 2; s++) {
            TRY(r->ctx, mesaopt_view_dense(s ? S : H, MESAOPT_F64, 4, shape_h, &last[s]));
            TRY(r->ctx, mesaopt_view_dense(s ? S : H, MESAOPT_F64, 3, shape_h + 1, &state[s]));
        }
        if (!forward(r, o, r->piece, r->prefill, out, 2, which, last)) break;
        memcpy(o->out, out + (r->prefill - 1) * width, (size_t)width * sizeof(double));
        TRY(r->ctx, mesaopt_rls_create(o->lsq, n, NULL, &o->rls));
        TRY(r->ctx, mesaopt_rls_set(o->rls, 2, part, state));
    }
    if (!r->stopped) r->t = r->prefill;
    free(out), free(H), free(S);
}

static void decode_all(run *r)
{
    const int64_t width = r->heads * r->d;
    draw_piece(r, r->pieces++, r->piece);
    prefill(r);
    draw_piece(r, 0, r->piece);                         /* again, for the memory only: what drawing
                                                           leaves with malloc is there from the
                                                           start */
    printf("\n%8s%24s%24s%12s\n", "", "error / power", "us per token", "memory");
    printf("%8s%12s%12s%12s%12s%12s\n", "t", "forgets", "gamma=1", "forgets", "gamma=1", "MB");
    r->resident = r->most = resident();
    while (r->t < r->context && !r->stopped) {
        const int64_t left = (r->pieces * r->change) - r->t,
                      end = left < r->context - r->t ? left : r->context - r->t;
        for (int64_t i = 1 + r->change - left, last = i + end; i < last && !r->stopped; i++)
            decode(r, r->piece + i * width);
        if (r->t == r->context || r->stopped) break;
        memcpy(r->piece, r->piece + r->change * width, (size_t)width * sizeof(double));
        draw_piece(r, r->pieces++, r->piece);
    }
    if (!r->stopped) return;
    r->context = r->t;                                  /* the last row is that of the last token */
    if (r->since) end_row(r);
    else if (r->rows && r->t % r->shown != 0) print_row(r);
}

/* ---- what it shows ---- */

/* Largest difference between what was kept and one long forward pass, relative to the largest
 * prediction. */
static double difference(run *r, decoder *o, double *x, double *out)
{
    const int64_t width = r->heads * r->d;
    double most = 0, size = 0;
    if (!forward(r, o, x, r->context, out, 0, NULL, NULL)) return NAN;
    for (int64_t row = 0, t = r->prefill + 1; t <= r->context; t++) {
        if (t % r->every != 0 && t != r->context) continue;
        for (int64_t j = 0; j < width; j++) {
            const double y = out[(t - 1) * width + j];
            most = fmax(most, fabs(y - o->kept[row * width + j])), size = fmax(size, fabs(y));
        }
        row++;
    }
    return most / size;
}

static void compare(run *r, double far[DECODERS])
{
    const int64_t width = r->heads * r->d;
    double *x = zeros((1 + r->pieces * r->change) * width), *out = zeros(r->context * width);
    for (int64_t p = 0; p < r->pieces; p++) draw_piece(r, p, x + p * r->change * width);
    for (int i = 0; i < DECODERS && !r->stopped; i++) far[i] = difference(r, &r->of[i], x, out);
    free(x), free(out);
}

static void report(run *r)
{
    const double each = 1e6 / fmax(1, (double)((r->context - r->prefill) / 4));
    const decoder *o = r->of;
    double far[DECODERS] = {NAN, NAN};
    if (!r->stopped) compare(r, far);
    if (r->stopped) fflush(stdout), fprintf(stderr, "stopped after token %lld\n", (long long)r->t);
    else
        printf("\none long forward pass: up to %.1f MB of memory, decoding: %.1f MB\n",
               peak_megabytes(), (double)r->most / 1048576);
    printf("table: %s\n", r->path);
    if (r->rows)
        figure("by_t", DECODERS, "A new linear map now and then: with and without a forget gate",
               "token", "squared error / power");
    if (r->stopped) return;
    claim("memory does not grow with the tokens", "less than 1 MB more than after the prefill",
          r->most - r->resident < 1 << 20, "%lld kB more",
          (long long)(r->most - r->resident) / 1024);
    claim("the time of a token does not depend on how many there were",
          "the last quarter at most 1.5 times the first",
          o[0].last_cost < 1.5 * o[0].first_cost && o[1].last_cost < 1.5 * o[1].first_cost,
          "forgetting %.2f us, then %.2f us; gamma=1 %.2f us, then %.2f us", o[0].first_cost * each,
          o[0].last_cost * each, o[1].first_cost * each, o[1].last_cost * each);
    claim("prefill and decoding are one long forward pass", "relative difference below 1e-9",
          far[0] < 1e-9 && far[1] < 1e-9, "forgetting %.2g, gamma=1 %.2g", far[0], far[1]);
    if (r->context <= 2 * r->change) return;
    claim("a forget gate keeps up with what changes",
          "less than half the error of gamma=1 since the first change",
          o[0].error < 0.5 * o[1].error, "%.3f of it", o[0].error / o[1].error);
}

/* ---- all of it ---- */

static void begin(run *r, mesaopt_settings *task, mesaopt_settings *lsq)
{
    mesaopt_settings *one = args_settings(MESAOPT_SCOPE_CTX, "");
    TRY(NULL, mesaopt_settings_set_int(one, MESAOPT_KEY_THREADS, 1));
    TRY(NULL, mesaopt_ctx_create(one, &r->drawing));
    TRY(r->drawing, mesaopt_settings_set_int(task, MESAOPT_KEY_LENGTH, r->change - 1));
    TRY(r->drawing, mesaopt_task_create(r->drawing, task, &r->task));
    TRY(r->drawing, mesaopt_task_shape(r->task, &r->d, NULL, NULL, NULL));
    const int64_t width = r->heads * r->d;
    r->piece = zeros((1 + r->change) * width);
    for (int i = 0; i < DECODERS; i++) {
        decoder *o = &r->of[i];
        if (i == REMEMBERS) TRY(r->ctx, mesaopt_settings_set_float(lsq, MESAOPT_KEY_GAMMA, 1));
        TRY(r->ctx, mesaopt_settings_get_float(lsq, MESAOPT_KEY_GAMMA, &o->gamma));
        TRY(r->ctx, mesaopt_lsq_plan(r->ctx, lsq, r->d, r->d, &o->lsq));
        o->out = zeros(width);
        o->kept = zeros((r->context / r->every + 2) * width);
    }
    out_begin(r->ctx);
    out_path("by_t.csv", r->path);
    r->f = open_file(r->path, "w");
    fprintf(r->f, "t,gamma=%g,gamma=1,us_forgetting,us_without,resident_kb\n",
            r->of[FORGETS].gamma);
}

static void end(run *r)
{
    for (int i = 0; i < DECODERS; i++) {
        mesaopt_rls_free(r->of[i].rls);
        mesaopt_lsq_free(r->of[i].lsq);
        free(r->of[i].out);
        free(r->of[i].kept);
    }
    mesaopt_task_free(r->task);
    mesaopt_ctx_free(r->drawing);
    free(r->piece);
}

int main(int argc, char **argv)
{
    own_key own[] = {{"context", "32768", "tokens in all"},
                     {"prefill", "2048", "of them in one block at the start, at most `change`"},
                     {"heads", "4", "regressions side by side"},
                     {"change", "8192", "tokens until every head gets a new W"},
                     {"every", "256", "tokens between two rows of by_t.csv"},
                     OUT_KEYS("long_context.out", "folder for table and figure; made when missing"),
                     {NULL, NULL, NULL}};
    run r = {0};
    args_begin(argc, argv,
               "Decodes a long sequence token by token with the state of a mesa layer, with and "
               "without a forget gate.",
               own);
    args_hide(" length tokens slots lanes chunk solver tolerance iterations fallback window ");
    r.ctx = args_ctx();
    mesaopt_settings *task = args_settings(MESAOPT_SCOPE_TASK, "dim=32"),
                     *lsq = args_settings(MESAOPT_SCOPE_LSQ, "gamma=0.999");
    r.context = args_int("context", 16, 1 << 24), r.change = args_int("change", 2, 1 << 24),
    r.prefill = args_int("prefill", 1, r.change);
    r.heads = args_int("heads", 1, 1024), r.every = args_int("every", 1, 1 << 24);
    r.shown =
        r.context / TABLE_ROWS > r.every ? r.context / TABLE_ROWS / r.every * r.every : r.every;
    if (r.prefill >= r.context) args_refuse("prefill", "less than context");
    args_end();

    catch_signals(r.ctx);
    begin(&r, task, lsq);
    decode_all(&r);
    close_file(r.f, r.path);
    report(&r);
    catch_signals(NULL);
    end(&r);
    mesaopt_ctx_free(r.ctx);
    args_free();
    return r.stopped ? 130 : claims_status();
}
