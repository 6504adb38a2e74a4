/* Prompts, as tasks see them: vectors that stand between the observations of a sequence, where its
 * layout has a separator or a prefix (pair_layout.h). What learns them is study/prompt.h. */
#ifndef TASK_PROMPTS_H
#define TASK_PROMPTS_H

#include "base/object.h"
#include "mesaopt/prompt.h"

/* First member of all of a prompt. */
struct mesaopt_prompt {
    object head;
    int64_t dim, prefix;           /* n; rows of the prefix */
    double *vectors;               /* [1 + prefix][n]: the separator, then the prefix */
};

#endif
