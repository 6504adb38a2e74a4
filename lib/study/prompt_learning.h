/* Prompts, all of them: the vectors that tasks see, and what learns them. See
 * include/mesaopt/prompt.h. Arguments are valid. */
#ifndef STUDY_PROMPT_LEARNING_H
#define STUDY_PROMPT_LEARNING_H

#include "mesaopt/prompt.h"
#include "task/prompts.h"
#include "task/sequences.h"
#include "train/adamw.h"
#include "train/safetensors.h"

enum prompt_part { PROMPT_SEPARATOR, PROMPT_PREFIX, PROMPT_PARTS };
extern const char *const prompt_parts[PROMPT_PARTS];   /* names */

typedef struct prompt {
    mesaopt_prompt seen;
    mesaopt_settings settings;
    adamw recipe;
    int64_t batch;
    double *g, *m, *v;             /* gradient, moments of AdamW: as the vectors */
    int frozen[PROMPT_PARTS];
    int64_t moved[PROMPT_PARTS];   /* updates that moved it: AdamW's own count */
    _Atomic int64_t updates;       /* taken so far */
} prompt;

static inline prompt *prompt_of(const mesaopt_prompt *p) { return (prompt *)p; }
static inline int64_t prompt_rows(const mesaopt_prompt *p, int part)
{
    return part == PROMPT_SEPARATOR ? 1 : p->prefix;
}
static inline int64_t prompt_offset(const mesaopt_prompt *p, int part)
{
    return part == PROMPT_SEPARATOR ? 0 : p->dim;
}
int prompt_part_of(const char *name);                  /* -1: neither */

/* settings may be NULL. */
mesaopt_status prompt_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                             mesaopt_prompt **out);

/* Into p->g; MESAOPT_NOT_CONVERGED as batch_pass. */
mesaopt_status prompt_gradient(prompt *p, call *c, mesaopt_model *m, mesaopt_task *task,
                               int32_t stream, int64_t first, int64_t count, double *loss);

/* Does the layout put it in? Does training move it? */
int prompt_is_in(const mesaopt_task *task, int part);
static inline int prompt_moves(const prompt *p, const mesaopt_task *task, int part)
{
    return prompt_is_in(task, part) && !p->frozen[part];
}

/* Until `updates` in all. A failed update changes nothing. */
mesaopt_status prompt_train(prompt *p, call *c, mesaopt_model *m, mesaopt_task *task,
                            int64_t updates, mesaopt_step_fn after, void *user);
int prompt_updates_fit(const prompt *p, int64_t updates);        /* into the stream */

/* ---- files: prompt_file.c ---- */

mesaopt_status prompt_save(const prompt *p, const storage *to);
mesaopt_status prompt_open(mesaopt_ctx *ctx, const storage *from, mesaopt_prompt **out);

#endif
