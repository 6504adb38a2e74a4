/* Which settings differ from those of a checkpoint; see changes.h. */
#include "train/changes.h"
#include <stdio.h>
#include <string.h>

enum { SHOWN = 40 };
typedef struct span { const char *text; int length; } span;
typedef struct pair { span name, value; } pair;        /* value.text NULL: there is none */

static int same(span a, span b)
{
    return a.length == b.length && memcmp(a.text, b.text, (size_t)a.length) == 0;
}

/* The pair at *text, which moves behind it; 0: the end. */
static int next_pair(const char **text, pair *out)
{
    *text += strspn(*text, " ");
    const int n = (int)strcspn(*text, " "), name = (int)strcspn(*text, "= ");
    const int value = name < n ? name + 1 : n;
    *out = (pair){{*text, name}, {*text + value, n - value}};
    *text += n;
    return n > 0;
}

static span value_of(const char *text, span name)
{
    for (pair p; next_pair(&text, &p);)
        if (same(p.name, name)) return p.value;
    return (span){NULL, 0};
}

typedef struct difference { span name, was, now; } difference;

/* The next setting that differs: those of `was` in turn, then those that only `now` has. *at goes
 * along; both NULL at first. */
static int next_difference(const char *was, const char *now, const char *at[2], difference *d)
{
    pair p;
    if (!at[0]) at[0] = was, at[1] = now;
    while (next_pair(&at[0], &p)) {
        *d = (difference){p.name, p.value, value_of(now, p.name)};
        if (!d->now.text || !same(d->was, d->now)) return 1;
    }
    while (next_pair(&at[1], &p)) {
        *d = (difference){p.name, value_of(was, p.name), p.value};
        if (!d->was.text) return 1;
    }
    return 0;
}

/* Is the name in "name,name"? */
static int listed(const char *list, span name)
{
    for (const char *c = list; *c;) {
        const span word = {c, (int)strcspn(c, ",")};
        if (same(word, name) || same(word, (span){"all", 3})) return 1;
        c += word.length + (c[word.length] == ',');
    }
    return 0;
}

/* All words of `change` are names. */
static mesaopt_status check_names(const tensor_file *f, const char *was, const char *now,
                                  const char *change)
{
    for (const char *c = change; *c;) {
        const span word = {c, (int)strcspn(c, ",")};
        if (!same(word, (span){"all", 3}) && !value_of(was, word).text && !value_of(now, word).text)
            return fail(f->ctx, MESAOPT_E_SETTING,
                        "change: '%.*s', expected all or names out of %.300s", word.length,
                        word.text, now);
        c += word.length + (c[word.length] == ',');
    }
    return MESAOPT_OK;
}

/* For messages. */
static span shown(span s)
{
    if (!s.text) return (span){"(none)", 6};
    return (span){s.text, s.length > SHOWN ? SHOWN : s.length};
}

mesaopt_status changes_check(const tensor_file *f, const char *now, const char *change)
{
    const char *const was = tensor_file_metadata(f, "mesaopt.task"), *at[2] = {NULL};
    char text[300] = "";
    int used = 0;
    difference d;
    if (!change) change = "";
    const mesaopt_status status = check_names(f, was ? was : "", now, change);
    if (status != MESAOPT_OK) return status;
    if (!was) {
        ctx_log(f->ctx, "%.100s: does not say which task it is of", f->path);
        return MESAOPT_OK;
    }
    while (next_difference(was, now, at, &d)) {
        if (listed(change, d.name)) continue;
        const span name = shown(d.name), a = shown(d.was), b = shown(d.now);
        if (used < (int)sizeof text)
            used += snprintf(text + used, sizeof text - (size_t)used, "%s%.*s: %.*s, expected %.*s",
                             used ? "; " : "", name.length, name.text, a.length, a.text, b.length,
                             b.text);
    }
    if (!used) return MESAOPT_OK;
    return fail(f->ctx, MESAOPT_E_SETTING, "%.120s: task setting %s as the trainer's task has it",
                f->path, text);
}

void changes_log(const tensor_file *f, const char *was, const char *now)
{
    const char *at[2] = {NULL};
    difference d;
    while (was && next_difference(was, now, at, &d)) {
        const span name = shown(d.name), a = shown(d.was), b = shown(d.now);
        ctx_log(f->ctx, "%.120s: %.*s was %.*s, now %.*s", f->path, name.length, name.text,
                a.length, a.text, b.length, b.text);
    }
}
