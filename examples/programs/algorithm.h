/* algorithm.h: the scalars of a model's attention layers, as a table and as a picture; for revalg.
 */
#ifndef EXAMPLES_ALGORITHM_H
#define EXAMPLES_ALGORITHM_H

#include <mesaopt/mesaopt.h>

enum { MOST_LAYERS = 1024 };

typedef struct algorithm {
    mesaopt_ctx *ctx;
    mesaopt_model *model;                          /* what was read */
    mesaopt_revalg *scalars;
    int64_t layers, block[MOST_LAYERS];            /* attention layers, and which block of the model
                                                      each is: a mask is no layer */
    int64_t heads, features, slots, n;             /* most heads of a layer; features = slots n of a
                                                      token */
} algorithm;

algorithm algorithm_read(mesaopt_ctx *ctx, mesaopt_model *model);
void algorithm_free(algorithm *a);                 /* the model stays */
void algorithm_print(const algorithm *a);          /* and scalars-LAYERS.csv */
void algorithm_draw(const algorithm *a);           /* blocks-LAYERS.csv and the figure */

#endif
