/* Blocks of every kind as text, made from the rows of base/kinds.def alone: small ones, with every setting once at another value. */
#ifndef TESTS_KIND_TEXTS_H
#define TESTS_KIND_TEXTS_H

#include "base/options.h"
#include "nn/block.h"
#include <stdio.h>
#include <string.h>

/* Values that keep a block small and its weights of order 1. */
static inline double kind_plain(const option_row *row)
{
    if (row->key == MESAOPT_KEY_LONGEST) return 7;     /* tokens of the tests' sequences, and one more */
    if (row->type == MESAOPT_TYPE_INT && row->standard > row->lowest + 2) return row->lowest + 2;
    return row->key == MESAOPT_KEY_INIT_SD ? 0.5 : row->standard;
}

/* The i-th value besides the plain one; 0 when there is none. */
static inline int kind_other(const option_row *row, int i, double *value)
{
    if (row->type == MESAOPT_TYPE_CHOICE) *value = i + (i >= (int)row->standard);
    else if (i > 0) return 0;
    else if (row->type == MESAOPT_TYPE_FLOAT) *value = row->highest < 1.5 ? 0.5 : 1.5;
    else if (row->highest == 1) *value = 1 - row->standard;
    else *value = kind_plain(row) > row->lowest + 1 ? row->lowest : row->lowest + 2;
    return *value <= row->highest;
}

static inline void kind_put(char *text, size_t size, const option_row *row, double value)
{
    const size_t n = strlen(text);
    const char *before = strchr(text, '(') ? "," : "(";
    if (row->type == MESAOPT_TYPE_CHOICE) snprintf(text + n, size - n, "%s%s=%s", before, row->name, row->words[(int)value]);
    else snprintf(text + n, size - n, "%s%s=%.17g", before, row->name, value);
}

/* Variant 0: plain; 1 ..: one setting at another value, then all of them at their largest one. Returns 0 past these. */
static inline int kind_text(const block_kind *kind, int variant, char *text, size_t size)
{
    const option_row *row;
    int left = variant, all = 0;
    double value;
    for (int k = 0; left > 0 && (row = options_at(kind->scope, k)); k++)
        for (int i = 0; left > 0 && kind_other(row, i, &value); i++) left--;
    if (left > 1) return 0;
    all = left == 1, left = variant;
    snprintf(text, size, "%s", options_scope_name(kind->scope));
    for (int k = 0; (row = options_at(kind->scope, k)); k++) {
        double now = kind_plain(row);
        for (int i = 0; kind_other(row, i, &value); i++)
            if (all ? value > now : --left == 0) now = value;
        kind_put(text, size, row, now);
    }
    snprintf(text + strlen(text), size - strlen(text), ")");
    return 1;
}

#endif
