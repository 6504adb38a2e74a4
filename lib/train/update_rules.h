/* What the steps of a trainer do to the parameters of its model, by name: a rule for each parameter
 * of the model's table. A parameter that is frozen is as if its steps had not been: AdamW's
 * corrections of young moments count the others only. */
#ifndef TRAIN_UPDATE_RULES_H
#define TRAIN_UPDATE_RULES_H

#include "mesaopt/trainer.h"
#include "train/model_impl.h"

#define UPDATE_MOST_FACTOR 1e6

typedef struct update_rule {
    double factor;                 /* on the learning rate; 0: frozen */
    int32_t decay;                 /* MESAOPT_DECAY_* */
    int64_t frozen_steps;          /* so far */
} update_rule;

static inline int update_rule_frozen(const update_rule *r) { return r->factor == 0; }

/* Does weight decay act on parameter i? */
static inline int update_rule_decays(const mesaopt_model *m, int64_t i, const update_rule *r)
{
    const model_parameter *p = &m->table[i];
    return r->decay == MESAOPT_DECAY_STANDARD ? m->blocks[p->block].param[p->index].decay
                                              : r->decay == MESAOPT_DECAY_ON;
}

/* Of all parameters whose names match; MESAOPT_E_ARGUMENT: none does. */
mesaopt_status update_rules_set(const mesaopt_model *m, update_rule *rules, const char *pattern,
                                double factor, int32_t decay);

/* What was said of parameters, "blocks.0.query.factor=0.1 blocks.0.query.decay=off", and for how
 * many steps they were frozen, "blocks.0.query=120", in the order of the table; "" for nothing.
 * Returns the bytes with the final 0; `to` NULL: only these. */
int64_t update_rules_text(const mesaopt_model *m, const update_rule *rules, char *to);
int64_t update_rules_frozen(const mesaopt_model *m, const update_rule *rules, char *to);

/* Reads the latter, of a run of `steps` steps; returns what cannot be so, or NULL. */
const char *update_rules_read_frozen(const mesaopt_model *m, const char *text, int64_t steps,
                                     int64_t *frozen_steps);

#endif
