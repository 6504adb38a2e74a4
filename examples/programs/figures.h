/* figures.h: figures of CSV files, by gnuplot. */
#ifndef EXAMPLES_FIGURES_H
#define EXAMPLES_FIGURES_H

#include <stdint.h>

/* out/name.csv -> out/name.svg: `curves` columns against the first one, each in its predictor's
 * colour; on a logarithmic axis when one would look like 0 beside another. figure_log: the same as
 * name_log.svg, on a logarithmic axis; figure_right: the last curve on an axis of its own, from 0
 * to 1. */
void figure(const char *name, int curves, const char *title, const char *x_label,
            const char *y_label);
void figure_log(const char *name, int curves, const char *title, const char *x_label,
                const char *y_label);
void figure_right(const char *name, int curves, const char *title, const char *x_label,
                  const char *y_label, const char *right);

/* A matrix without header, nan where there is nothing (gaps: is there such a place?); `first`: what
 * the first column is called. Dark is good. */
typedef struct heat {
    int64_t rows, columns, first;
    double light, dark;
    int gaps;
} heat;
void heat_map(const char *name, const heat *h, const char *title, const char *x_label,
              const char *y_label);

/* `count` square matrices of `size` rows, `map`, which stand below each other in name.csv, nan
 * where there is nothing, as pictures side by side: white at 0, blue above it, red below. */
void draw_maps(const char *name, const double *map, int64_t count, int64_t size, const char *title,
               const char *x_label, const char *y_label);

/* Products of weights: a matrix of [2 layers] x [heads] squares of `features` numbers from -1 to 1
 * in each direction, blocks_gap of nan between them. */
typedef struct blocks {
    int64_t layers, heads, features, slots;
} blocks;
int64_t blocks_gap(int64_t features);
void draw_blocks(const char *name, const blocks *b, const char *title);

#endif
