/* Targets of probes that are observations, and the filter by norm.
 *
 *     out_t = [x_{t-lag}, x_{t-lag-1}, ..., x_{t-lag-lags+1}], t = 1..T
 *     z_bt = (|y_bt| - mean_b |y_bt|) / sd_b |y_bt|, sd of the population
 *
 * Observations before the first are 0; what has z_bt >= limit is left out.
 * Source: docs/science.md, section 6. */
#include "study/probes.h"
#include "base/real.h"
#include <math.h>

int64_t probe_observed(const mesaopt_settings *settings, int64_t n)
{
    int64_t width;
    return size_mul(n, option_int(settings, MESAOPT_SCOPE_PROBE, MESAOPT_KEY_LAGS), &width) ? width
                                                                                            : -1;
}

/* Steps first .. first + count - 1 of a view [B, T, n]. */
static mesaopt_view steps(mesaopt_view v, int64_t first, int64_t count)
{
    v.data = (char *)v.data + first * v.stride[1] * dtype_size(v.dtype);
    v.shape[1] = count;
    return v;
}

void probe_observations(const mesaopt_ctx *ctx, const mesaopt_settings *settings,
                        const mesaopt_view *sequences, const mesaopt_view *out)
{
    static const double zero = 0;
    const int64_t lag = option_int(settings, MESAOPT_SCOPE_PROBE, MESAOPT_KEY_LAG),
                  lags = option_int(settings, MESAOPT_SCOPE_PROBE, MESAOPT_KEY_LAGS);
    const int64_t T = out->shape[1], n = sequences->shape[2];
    for (int64_t i = 0; i < lags; i++) {
        /* steps that have no such observation yet */
        const int64_t age = lag + i, before = age < 0 ? 0 : age < T ? age : T;
        mesaopt_view part = *out;
        part.data = (char *)part.data + i * n * part.stride[2] * dtype_size(part.dtype);
        part.shape[2] = n;
        const mesaopt_view empty = steps(part, 0, before);
        mesaopt_view zeros = empty;
        zeros.data = (void *)&zero, zeros.dtype = MESAOPT_F64;
        for (int a = 0; a < 3; a++) zeros.stride[a] = 0;
        view_copy_while(ctx, &zeros, &empty);
        if (T == before) continue;
        const mesaopt_view rest = steps(part, before, T - before),
                           from = steps(*sequences, before - age, T - before);
        view_copy_while(ctx, &from, &rest);
    }
}

/* ---- filter ---- */

static double norm_at(const mesaopt_view *v, int64_t b, int64_t t)
{
    double norm = 0;
    for (int64_t j = 0; j < v->shape[2]; j++)
        norm = real_hypot(norm, view_get(v, (int64_t[]){b, t, j}));
    return norm;
}

/* West, "Updating mean and variance estimates: an improved method", CACM 22, 1979; of squares their
 * root, so that norms may be of any size. */
void probe_norms_add(const mesaopt_ctx *ctx, const probe_norms *n, const mesaopt_view *targets,
                     const mesaopt_view *weights)
{
    for (int64_t b = 0; b < targets->shape[0] && !ctx_interrupted(ctx); b++)
        for (int64_t t = 0; t < targets->shape[1]; t++) {
            const double w = weights ? view_get(weights, (int64_t[]){b, t}) : 1;
            if (!(w > 0)) continue;
            const double off = norm_at(targets, b, t) - n->mean[t], before = n->weight[t];
            n->weight[t] += w;
            n->mean[t] += w / n->weight[t] * off;
            n->root[t] = real_hypot(n->root[t], sqrt(w / n->weight[t] * before) * off);
        }
}

/* Norms that vary by no more than this share of their mean are all the same but for rounding:
 * those of unit features, say. */
static double rounding(const probe_norms *n) { return n->dtype == MESAOPT_F32 ? 5e-7 : 1e-13; }

void probe_norms_filter(const mesaopt_ctx *ctx, const probe_norms *n, double limit,
                        const mesaopt_view *targets, const mesaopt_view *out)
{
    for (int64_t b = 0; b < targets->shape[0] && !ctx_interrupted(ctx); b++)
        for (int64_t t = 0; t < targets->shape[1]; t++) {
            const double off = norm_at(targets, b, t) - n->mean[t],
                         sd = n->root[t] / sqrt(n->weight[t]);
            const int outlier = off >= limit * sd && sd > rounding(n) * n->mean[t];
            view_set(out, (int64_t[]){b, t}, !outlier);
        }
}
