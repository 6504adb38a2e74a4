/* See update_rules.h. */
#include "train/update_rules.h"
#include "base/number.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

mesaopt_status update_rules_set(const mesaopt_model *m, update_rule *rules, const char *pattern,
                                double factor, int32_t decay)
{
    int64_t matches = 0;
    for (int64_t i = 0; i < m->n_table; i++) {
        if (!text_matches(m->table[i].name, pattern)) continue;
        rules[i].factor = factor;
        rules[i].decay = decay;
        matches++;
    }
    if (matches > 0) return MESAOPT_OK;
    return fail(m->head.ctx, MESAOPT_E_ARGUMENT,
                "pattern: \"%.100s\", expected the name of a parameter such as \"%s\", with * and "
                "? for what may vary",
                pattern, m->n_table ? m->table[0].name : "(the model has none)");
}

/* "name suffix = value" behind what is there. */
typedef struct words { char *to; int64_t used; } words;

static void put(words *w, const char *name, const char *suffix, const char *value)
{
    char word[128];
    const int n = snprintf(word, sizeof word, "%s%s%s=%s", w->used ? " " : "", name, suffix, value);
    if (w->to) memcpy(w->to + w->used, word, (size_t)n);
    w->used += n;
}

static int64_t end(const words *w)
{
    if (w->to) w->to[w->used] = 0;
    return w->used + 1;
}

int64_t update_rules_text(const mesaopt_model *m, const update_rule *rules, char *to)
{
    words w = {to, 0};
    for (int64_t i = 0; i < m->n_table; i++) {
        const update_rule *r = &rules[i];
        if (r->factor != 1) put(&w, m->table[i].name, ".factor", number_text(r->factor).text);
        if (r->decay != MESAOPT_DECAY_STANDARD)
            put(&w, m->table[i].name, ".decay", r->decay == MESAOPT_DECAY_ON ? "on" : "off");
    }
    return end(&w);
}

int64_t update_rules_frozen(const mesaopt_model *m, const update_rule *rules, char *to)
{
    words w = {to, 0};
    char steps[24];
    for (int64_t i = 0; i < m->n_table; i++) {
        snprintf(steps, sizeof steps, "%" PRId64, rules[i].frozen_steps);
        if (rules[i].frozen_steps > 0) put(&w, m->table[i].name, "", steps);
    }
    return end(&w);
}

/* The number in "name=number" at the start of the text, which moves behind it and a blank; 0 when
 * something else stands there. */
static int64_t take_steps(const char **text, const char *name)
{
    char number[24];
    int64_t steps;
    const size_t n = strlen(name), length = strcspn(*text, " ");
    if (strncmp(*text, name, n) != 0 || (*text)[n] != '=' || length - n > sizeof number) return 0;
    memcpy(number, *text + n + 1, length - n - 1);
    number[length - n - 1] = 0;
    if (!number_read_int(number, &steps) || steps < 1) return 0;
    *text += length;
    *text += **text == ' ';
    return steps;
}

const char *update_rules_read_frozen(const mesaopt_model *m, const char *text, int64_t steps,
                                     int64_t *frozen_steps)
{
    for (int64_t i = 0; i < m->n_table; i++) {
        const char *at = text;
        frozen_steps[i] = take_steps(&text, m->table[i].name);
        if (frozen_steps[i] > steps) return at;
    }
    return *text ? text : NULL;
}
