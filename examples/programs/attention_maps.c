/* attention_maps: where do the heads of a model look?
 *
 * Trains a model by recipe, or takes one from a checkpoint, and averages the weights of every head
 * over sequences: with which weight does the output at step t take the value of step s? Softmax,
 * linear, and mesa layers by their effective weights k_s^T (H_t + l)^-1 q_t. The table says in what
 * share of the rows t > `beyond` the diagonal (the token itself), the sub-diagonal (the one before)
 * and the next ones hold the largest weight; the maps are drawn.
 *
 *   attention_maps                       tf7 by recipe, first layer
 *   attention_maps model=checkpoint.safetensors block=2
 *   attention_maps recipe=tf7 model=F block=all
 *
 * Claim 7 of docs/science.md, section 7; source: arXiv 2309.05858, section 4. */
#include "common.h"
#include "runs.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LAGS = 4, MOST_LAYERS = 256 }; /* lags: diagonal, sub-diagonal, .. */
typedef struct study {
    runs r;
    int64_t T, count, beyond, block[MOST_LAYERS];
    int blocks, told; /* told: which block was said */
    FILE *shares;
} study;

/* ---- a block ---- */

/* Shares of the rows beyond `beyond` whose largest weight is that of lag 0, 1, .. */
static void find_shares(const study *s, const double *map, double share[LAGS])
{
    for (int lag = 0; lag < LAGS; lag++) share[lag] = 0;
    for (int64_t t = s->beyond; t < s->T; t++) {
        const double *row = map + t * s->T;
        int64_t most = 0;
        for (int64_t i = 0; i <= t; i++)
            if (fabs(row[i]) > fabs(row[most])) most = i;
        if (t - most < LAGS) share[t - most] += 1 / (double)(s->T - s->beyond);
    }
}

static void write_map(const study *s, const char *name, const double *map, int64_t heads)
{
    char path[MAX_PATH], file[80];
    snprintf(file, sizeof file, "%s.csv", name);
    out_path(file, path);
    FILE *f = open_file(path, "w");
    for (int64_t i = 0; i < heads * s->T * s->T; i++) {
        const int above = i % s->T > i / s->T % s->T; /* what comes later is not seen */
        fprintf(f, "%.5g%c", above ? NAN : map[i], (i + 1) % s->T ? ',' : '\n');
    }
    close_file(f, path);
}

/* How many heads have 90 % of their rows on one of the first two diagonals. */
static int print_shares(const study *s, int64_t block, const double *map, int64_t heads)
{
    int bound = 0;
    for (int64_t h = 0; h < heads; h++) {
        double share[LAGS];
        find_shares(s, map + h * s->T * s->T, share);
        printf("%7lld%6lld", (long long)block, (long long)h + 1);
        fprintf(s->shares, "%lld,%lld", (long long)block, (long long)h + 1);
        for (int lag = 0; lag < LAGS; lag++) {
            printf("%12.1f %%", 100 * share[lag]);
            fprintf(s->shares, ",%.6g", share[lag]);
        }
        printf("\n");
        fprintf(s->shares, "\n");
        bound += share[0] >= 0.9 || share[1] >= 0.9;
    }
    return bound;
}

static int study_block(study *s, int64_t block, int64_t heads)
{
    const training *t = runs_of(&s->r, 0, 0);
    const int64_t shape[] = {heads, s->T, s->T};
    double *map = must_alloc(NULL, (size_t)(heads * s->T * s->T) * sizeof *map);
    char name[64], title[160];
    mesaopt_view out;
    TRY(t->ctx, mesaopt_view_dense(map, MESAOPT_F64, 3, shape, &out));
    TRY(t->ctx, mesaopt_study_attention_map(t->model, block, t->test, MESAOPT_STREAM_TEST, 0,
                                            s->count, &out));
    const int bound = print_shares(s, block, map, heads);
    snprintf(name, sizeof name, "map-%lld", (long long)block);
    snprintf(title, sizeof title, "Block %lld of %s: mean attention weights of every head",
             (long long)block, s->r.of[0]->name);
    write_map(s, name, map, heads);
    draw_maps(name, map, heads, s->T, title, "step looked at", "step that looks");
    free(map);
    return bound;
}

/* ---- the whole ---- */

static int64_t heads_of(const study *s, int64_t block)
{
    int64_t heads = 0;
    TRY(s->r.ctx, mesaopt_study_heads(runs_of(&s->r, 0, 0)->model, block, &heads));
    return heads;
}

static void judge(const study *s, int bound)
{
    claim(
        "7. on raw tokens the first softmax layer binds consecutive tokens",
        "heads, two of them at least, in which the diagonal or the sub-diagonal holds the largest "
        "weight of 90 % of the rows",
        bound >= 2, "%d of %lld heads of block %lld, rows t > %lld, mean over %lld sequences",
        bound, (long long)heads_of(s, s->block[0]), (long long)s->block[0], (long long)s->beyond,
        (long long)s->count);
}

/* Which blocks: one (block=I), all of attention (block=all), or the first of them. */
static void choose_blocks(study *s)
{
    const int64_t blocks = mesaopt_model_blocks(runs_of(&s->r, 0, 0)->model);
    const char *which = args_text("block");
    const int all = strcmp(which, "all") == 0;
    for (int64_t b = 0; b < blocks && s->blocks < MOST_LAYERS && (all || s->blocks == 0); b++)
        if (heads_of(s, b) > 0) s->block[s->blocks++] = b;
    s->told = *which && !all;
    if (s->told) s->block[0] = args_int("block", 0, blocks - 1), s->blocks = 1;
    if (s->blocks == 0 || heads_of(s, s->block[0]) == 0) args_refuse("block", "one of attention");
}

static void report(study *s)
{
    char path[MAX_PATH];
    out_path("shares.csv", path);
    s->shares = open_file(path, "w");
    fputs("block,head,diagonal,sub_diagonal,lag_2,lag_3\n", s->shares);
    printf("\nrows t > %lld whose largest mean weight is on a diagonal\n\n%7s%6s%14s%14s%14s%14s\n",
           (long long)s->beyond, "block", "head", "diagonal", "sub-diagonal", "lag 2", "lag 3");
    int first = 0;
    for (int i = 0; i < s->blocks; i++) {
        if (signalled()) stop();
        const int bound = study_block(s, s->block[i], heads_of(s, s->block[i]));
        if (i == 0) first = bound;
    }
    close_file(s->shares, path);
    printf("table: %s\n", path);
    if (!s->told && strstr(s->r.of[0]->task, "tokens=raw")) judge(s, first);
}

int main(int argc, char **argv)
{
    own_key own[] = {RUN_KEYS("tf7", "attention_maps.out"),
                     {"block", "",
                      "block of attention that is looked at, counted from 0, or all; empty: the "
                      "first"},
                     {"sequences", "2048", "test sequences that the mean is of"},
                     {"beyond", "10", "the shares are of rows t beyond this"},
                     {"test", "2560", "test sequences behind a row of loss.csv"},
                     {NULL, NULL, NULL}};
    args_begin(argc, argv, "Averages the attention weights of every head: where do they look?",
               own);
    args_hide(" inputs outputs first ");
    study s = {.r = runs_begin(NULL)};
    s.count = args_int("sequences", 1, 1 << 24);
    s.beyond = args_int("beyond", 0, 1 << 24);
    args_end();
    runs_expect_one(&s.r);
    runs_create(&s.r);
    TRY(s.r.ctx, mesaopt_task_shape(runs_of(&s.r, 0, 0)->test, NULL, &s.T, NULL, NULL));
    if (s.beyond >= s.T) args_refuse("beyond", "fewer than the steps of a sequence");
    choose_blocks(&s);
    catch_signals(s.r.ctx);
    const mesaopt_status status = runs_train(&s.r);
    if (status == MESAOPT_OK) {
        out_begin(s.r.ctx);
        report(&s);
    }
    catch_signals(NULL);
    runs_free(&s.r);
    return status == MESAOPT_OK ? claims_status() : 130;
}
