/* AdamW with clipping and a schedule, as settings describe it. Step s, from 0, makes of a gradient
 * g
 *     g <- clip(g, +-clip_value);   g <- g min(1, clip_norm / ||g||)
 *     m <- b1 m + (1 - b1) g;       v <- b2 v + (1 - b2) g^2
 *     p <- p - lr_s (m / (1 - b1^{s+1}) / (sqrt(v / (1 - b2^{s+1})) + epsilon) + weight_decay p)
 * Source: Loshchilov and Hutter, arXiv 1711.05101, algorithm 2, with the weight decay multiplied by
 * the learning rate; docs/science.md, section 4. */
#ifndef TRAIN_ADAMW_H
#define TRAIN_ADAMW_H

#include "base/options.h"
#include "kern/kern.h"
#include "train/schedule.h"

typedef struct adamw {
    schedule rate;
    /* clips: infinity for none */
    double weight_decay, beta1, beta2, epsilon, clip_value, clip_norm;
} adamw;

/* From settings of a scope that has the keys (NULL: its defaults). MESAOPT_E_SETTING: the schedule
 * ends before it is warm. */
mesaopt_status adamw_read(mesaopt_ctx *ctx, const mesaopt_settings *settings, int32_t scope,
                          adamw *out);

/* What a gradient of this norm, already clipped by value, is to be multiplied with. */
double adamw_norm_factor(const adamw *a, double norm);

/* Moves n parameters at the learning rate `rate`; g is clipped, `decay` the weight decay, and
 * `updates` how many of them the moments hold then, this one included. */
void adamw_update(const adamw *a, const kern *k, double rate, double decay, int64_t updates,
                  int64_t n, void *p, const void *g, void *m, void *v);

#endif
