/* See pair_layout.h. */
#include "task/pair_layout.h"

/* Observations of a pair; pairs that a segment begins, all but the last segment, which goes on. */
static int64_t stride(const pair_layout *l) { return 2 + l->separator; }
static int64_t pairs_each(const pair_layout *l)
{
    return (l->segment - l->prefix + stride(l) - 1) / stride(l);
}

static int64_t smaller_of(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t pair_layout_row(const pair_layout *l, int64_t t)
{
    const int64_t segment = l->teachers > 1 ? smaller_of(t / l->segment, l->teachers - 1) : 0,
                  place = t - segment * l->segment - l->prefix;
    if (place < 0) return ~(1 + place + l->prefix);
    if (place % stride(l) == 2) return ~0;
    return 2 * (segment * pairs_each(l) + place / stride(l)) + place % stride(l);
}

int pair_layout_asks(const pair_layout *l, int64_t t)
{
    const int64_t row = pair_layout_row(l, t);
    return row >= 0 && row % 2 == 0 && pair_layout_row(l, t + 1) == row + 1;
}

int64_t pair_layout_teacher(const pair_layout *l, int64_t pair)
{
    return l->teachers > 1 ? smaller_of(pair / pairs_each(l), l->teachers - 1) : 0;
}

int64_t pair_layout_pairs(const pair_layout *l, int64_t length)
{
    int64_t row = -1;
    for (int64_t t = length; row < 0; t--) row = pair_layout_row(l, t);
    return row / 2 + 1;
}

int64_t pair_layout_length(const pair_layout *l, int64_t pairs)
{
    const int64_t segment = pair_layout_teacher(l, pairs - 1),
                  place = pairs - 1 - segment * pairs_each(l),
                  x = segment * l->segment + l->prefix + place * stride(l);
    return pair_layout_row(l, x + 1) == 2 * pairs - 1 ? x + 1 : x;
}

mesaopt_status pair_layout_read(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                pair_layout *out)
{
    enum { SCOPE = MESAOPT_SCOPE_TASK };
    const pair_layout l = {
        .teachers = option_int(settings, SCOPE, MESAOPT_KEY_TEACHERS),
        .segment = option_int(settings, SCOPE, MESAOPT_KEY_SEGMENT),
        .prefix = option_int(settings, SCOPE, MESAOPT_KEY_PREFIX),
        .separator = option_int(settings, SCOPE, MESAOPT_KEY_SEPARATOR) != 0};
    static const int32_t of_several[] = {MESAOPT_KEY_SEGMENT};
    if (l.teachers == 1) {
        const mesaopt_status status = settings_unused(ctx, settings, "one teacher", 1, of_several);
        if (status != MESAOPT_OK) return status;
    }
    if (l.teachers > 1 && l.segment < l.prefix + 2)
        return fail(ctx, MESAOPT_E_SETTING,
                    "segment: %lld for %lld teachers, expected at least %lld, a prefix of %lld and "
                    "a pair",
                    (long long)l.segment, (long long)l.teachers, (long long)l.prefix + 2,
                    (long long)l.prefix);
    *out = l;
    return MESAOPT_OK;
}
