/* scores.c: fitting probes, and what they score on the sequences that were fitted and on others;
 * see scores.h. */
#include "scores.h"
#include "errors.h"
#include <math.h>
#include <stdlib.h>

scores scores_of(mesaopt_ctx *ctx, mesaopt_probe *probe, int one_by_one)
{
    scores s = {.each = 1};
    int64_t targets;
    mesaopt_view v[SCORES], rank;
    TRY(ctx, mesaopt_probe_shape(probe, &s.layers, &s.steps, &targets));
    if (one_by_one) s.each = targets;
    const int64_t shape[] = {s.layers, s.steps, s.each};
    const size_t pairs = (size_t)(s.layers * s.steps), cells = pairs * (size_t)s.each;
    for (int i = 0; i < SCORES; i++)
        TRY(ctx, mesaopt_view_dense(s.of[i] = must_alloc(NULL, cells * sizeof(double)), MESAOPT_F64,
                                    one_by_one ? 3 : 2, shape, &v[i]));
    TRY(ctx, mesaopt_view_dense(s.rank = must_alloc(NULL, pairs * sizeof(int64_t)), MESAOPT_I64, 2,
                                shape, &rank));
    TRY(ctx, mesaopt_probe_fit(probe, NULL));
    TRY(ctx, mesaopt_probe_score(probe, MESAOPT_PROBE_TRAIN, &v[TRAIN_ERROR], &v[TRAIN_R2]));
    TRY(ctx, mesaopt_probe_score(probe, MESAOPT_PROBE_TEST, &v[TEST_ERROR], &v[TEST_R2]));
    TRY(ctx, mesaopt_probe_rank(probe, &rank));
    return s;
}

void scores_print(FILE *f, const scores *s, int64_t i)
{
    fprintf(f, "%lld", (long long)s->rank[i]);
    /* no -nan */
    for (int c = 0; c < SCORES; c++) fprintf(f, ",%.9g", isnan(s->of[c][i]) ? NAN : s->of[c][i]);
    fputc('\n', f);
}

double score_mean(const scores *s, int column, int64_t layer, int64_t first, int64_t last)
{
    const double *row = s->of[column] + layer * s->steps;
    double sum = 0, count = 0;
    for (int64_t t = first; t < last; t++)
        if (!isnan(row[t])) sum += row[t], count++;
    return count > 0 ? sum / count : NAN;
}

void scores_free(scores *s)
{
    for (int i = 0; i < SCORES; i++) free(s->of[i]);
    free(s->rank);
}
