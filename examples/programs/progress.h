/* progress.h: how far a run is. */
#ifndef EXAMPLES_PROGRESS_H
#define EXAMPLES_PROGRESS_H

#include <mesaopt/mesaopt.h>

/* Progress of a run: `p` (progress_begin) as a trainer's callback shows step, loss, steps per
 * second, time left: on a terminal one line that changes, in a file one line every 5 seconds. */
typedef struct progress { double start, shown; int64_t first, steps; int terminal; } progress;
progress progress_begin(int64_t first, int64_t steps);
int32_t show_progress(const mesaopt_step *step, void *p);

double seconds(void);                                   /* of a clock that is never set */

#endif
