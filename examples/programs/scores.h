/* scores.h: fitting probes, and their scores. */
#ifndef EXAMPLES_SCORES_H
#define EXAMPLES_SCORES_H

#include <mesaopt/mesaopt.h>
#include <stdio.h>

enum { TRAIN_ERROR, TRAIN_R2, TEST_ERROR, TEST_R2, SCORES };      /* in sample, held out */
/* [layers, steps, each]; ranks [layers, steps] */
typedef struct scores { int64_t layers, steps, each; double *of[SCORES]; int64_t *rank; } scores;

/* Fits and scores on both sets: all targets together (each = 1), or one by one. */
scores scores_of(mesaopt_ctx *ctx, mesaopt_probe *probe, int one_by_one);
void scores_print(FILE *f, const scores *s,
                  int64_t i); /* "rank,train_error,train_r2,test_error,test_r2"
                                                           of pair i, each = 1, and the end of the
                                                           line */
#define SCORES_HEADER "rank,train_error,train_r2,test_error,test_r2\n"
/* over steps first .. last - 1 that have one; each = 1 */
double score_mean(const scores *s, int column, int64_t layer, int64_t first, int64_t last);
void scores_free(scores *s);

#endif
