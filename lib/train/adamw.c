/* See adamw.h. */
#include "train/adamw.h"
#include <math.h>

static double clip_of(const mesaopt_settings *s, int32_t scope, int32_t key)
{
    const double c = option_float(s, scope, key);
    return c > 0 ? c : INFINITY;
}

mesaopt_status adamw_read(mesaopt_ctx *ctx, const mesaopt_settings *s, int32_t scope, adamw *out)
{
    const schedule rate = {
        option_float(s, scope, MESAOPT_KEY_LR), option_float(s, scope, MESAOPT_KEY_LR_END),
        option_int(s, scope, MESAOPT_KEY_WARMUP), option_int(s, scope, MESAOPT_KEY_COSINE_STEPS)};
    if (rate.cosine_steps > 0 && rate.warmup >= rate.cosine_steps)
        return fail(ctx, MESAOPT_E_SETTING,
                    "warmup: %lld, expected less than cosine_steps, which is %lld",
                    (long long)rate.warmup, (long long)rate.cosine_steps);
    *out = (adamw){rate,
                   option_float(s, scope, MESAOPT_KEY_WEIGHT_DECAY),
                   option_float(s, scope, MESAOPT_KEY_BETA1),
                   option_float(s, scope, MESAOPT_KEY_BETA2),
                   option_float(s, scope, MESAOPT_KEY_EPSILON),
                   clip_of(s, scope, MESAOPT_KEY_CLIP_VALUE),
                   clip_of(s, scope, MESAOPT_KEY_CLIP_NORM)};
    return MESAOPT_OK;
}

double adamw_norm_factor(const adamw *a, double norm)
{
    return norm > a->clip_norm ? a->clip_norm / norm : 1;
}

void adamw_update(const adamw *a, const kern *k, double rate, double decay, int64_t updates,
                  int64_t n, void *p, const void *g, void *m, void *v)
{
    k->adamw(n, p, g, m, v, rate, a->beta1, a->beta2, a->epsilon, decay,
             1 / (1 - power(a->beta1, updates)), 1 / (1 - power(a->beta2, updates)));
}
