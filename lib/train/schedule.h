/* Learning rate of step s, counted from 0, N = cosine_steps, w = warmup:
 *     N = 0: peak;      s < w: peak s / w;
 *     s < N: end + (peak - end) (1 + cos(pi (s - w) / (N - w))) / 2;      s >= N: end
 * Source: docs/science.md, section 4; the same numbers as optax.warmup_cosine_decay_schedule(0,
 * peak, w, N, end). */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include "base/exact.h"
#include <stdint.h>

typedef struct schedule {
    double peak, end;
    int64_t warmup, cosine_steps;  /* warmup < cosine_steps, or cosine_steps = 0 */
} schedule;

double schedule_rate(const schedule *s, int64_t step);

/* x^n, n >= 0, by squaring. */
double power(double x, int64_t n);

#endif
