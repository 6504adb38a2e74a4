/* The learning rate and the powers of AdamW's bias correction, without libm, whose last bits depend
 * on the machine. */
#include "train/schedule.h"

/* cos(pi x) for x in [0, 1]: Taylor series on [0, 1/2], where its 13 terms reach the last bit, and
 * the symmetry about 1/2. */
static double cos_pi(double x)
{
    double half = x <= 0.5 ? x : 1 - x, y = 9.869604401089358 * half * half, sum = 1;
    for (int k = 12; k > 0; k--) sum = 1 - y / ((2 * k - 1) * (2 * k)) * sum;
    return x <= 0.5 ? sum : -sum;
}

double schedule_rate(const schedule *s, int64_t step)
{
    if (s->cosine_steps == 0) return s->peak;
    if (step >= s->cosine_steps) return s->end;
    if (step < s->warmup) return s->peak * ((double)step / (double)s->warmup);
    double x = (double)(step - s->warmup) / (double)(s->cosine_steps - s->warmup);
    return s->end + (s->peak - s->end) * (0.5 * (1 + cos_pi(x)));
}

double power(double x, int64_t n)
{
    double r = 1;
    for (; n > 0; n /= 2, x *= x)
        if (n % 2) r *= x;
    return r;
}
