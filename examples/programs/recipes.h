/* recipes.h: models and their training by name: what [M] trained, one row a run. */
#ifndef EXAMPLES_RECIPES_H
#define EXAMPLES_RECIPES_H

#include <stdint.h>

/* A model is `front`, then as many times `layer` as make `layers` attention layers of it (front has
 * 0 or 1 of them), then `back`: blocks in the library's text form, in which $n is the dimension of
 * an observation, $2n twice that, $width the width of the embedding. Other texts are settings,
 * "name=value name=value". */
typedef struct recipe {
    const char *name, *about;
    const char *task, *front, *layer, *back;
    int64_t layers, width;
    const char *trainer;
    int64_t steps, seeds;
    int64_t iterations;  /* steps of proposition 2 that it is compared with; 0: none */
    const char *space;   /* of the baselines in whose space the problem is linear; NULL:
                                      the observations */
    double loss, within; /* what it reaches, 0: nothing is claimed; as a share of it */
    double cost;         /* of a step, in steps of lsa1 */
} recipe;

extern const recipe recipes[]; /* the last has no name */

const recipe *recipe_find(const char *name, int length); /* NULL: there is none */
const char *recipe_name(int i);                          /* NULL past the last */
void recipes_print(void);                                /* the table for recipe=help */

#endif
