/* runs.h: the models that a program is about: trained here by recipe, from one or more seeds, or
 * taken from checkpoints. */
#ifndef EXAMPLES_RUNS_H
#define EXAMPLES_RUNS_H

#include "recipes.h"
#include "training.h"

#define MODEL_KEY \
    { \
        "model", "", "checkpoints instead of trainings: one a recipe, or as many for every seed" \
    }
/* recipe: default names, "tf7,tf3"; out: default folder. SEEDS_KEY is beside these where a claim is
 * about a mean. */
#define RUN_KEYS(recipe, out) \
    {"recipe", recipe, "what is trained; recipe=help lists the names, several are a,b"}, \
        MODEL_KEY, {"layers", "", "attention layers; empty: the recipe's"}, \
        {"width", "", "width of the embedding; empty: the recipe's"}, \
        {"blocks", "", "all blocks of the model, as text, instead of the recipe's"}, \
        TRAINING_KEYS("", out)
enum { MOST_RECIPES = 8, MOST_BLOCKS = 8, MOST_FILES = 128 };
/* Blocks of a recipe: front .. first - 1 once, first .. last - 1 `times` times, the others once. */
typedef struct shape {
    int count, first, last;
    int64_t times;
    mesaopt_settings *block[MOST_BLOCKS];
} shape;
typedef struct runs {
    mesaopt_ctx *ctx;
    int count; /* recipes */
    int64_t seeds;
    const recipe *of[MOST_RECIPES];
    shape shape[MOST_RECIPES];
    mesaopt_settings *task, *model, *trainer[MOST_RECIPES];
    char *file[MOST_FILES + 1]; /* of model=, NULL: trained here */
    const char *heeded;         /* " key key ": what counts with model=, too, such as the test=
                                   sequences that baselines are searched on; training: settings */
    training *run;              /* [seeds, recipes] */
} runs;

/* Before args_end: context, and what the recipes set: those of `names`, NULL: of the key `recipe`.
 * Answers recipe=help. runs_create: after it, tasks, models and trainers: what will not do is
 * refused. runs_train: MESAOPT_STOPPED after Ctrl-C; checkpoints have nothing to do. */
runs runs_begin(const char *names);
void runs_create(runs *r);
void runs_expect_one(const runs *r);   /* refuses several recipes, and several files of model= */
/* Refuses a model= whose blocks are not of the kinds of its recipe with so many layers. */
void runs_expect_kinds(const runs *r, int64_t layers);
mesaopt_status runs_train(runs *r);
void runs_free(runs *r); /* all, the context too */
training *runs_of(const runs *r, int64_t seed, int recipe);

#endif
