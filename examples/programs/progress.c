/* progress.c: a line that says how far a run is; see progress.h. */
#include "progress.h"
#include "errors.h"
#include "stopping.h"
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

progress progress_begin(int64_t first, int64_t steps)
{
    return (progress){seconds(), seconds(), first, steps, isatty(STDERR_FILENO)};
}

int32_t show_progress(const mesaopt_step *step, void *user)
{
    progress *p = user;
    const double now = seconds(),
                 rate = (double)(step->step - p->first) / fmax(now - p->start, 1e-9);
    if (step->step < p->steps && now - p->shown < (p->terminal ? 0.2 : 5)) return signalled();
    p->shown = now;
    const double left = fmin(round((double)(p->steps - step->step) / rate), 3.6e9);
    fprintf(stderr, "%sstep %lld/%lld  loss %.4f  %.1f steps/s  %.0f:%02.0f left%s",
            p->terminal ? "\r" : "", (long long)step->step, (long long)p->steps, step->loss, rate,
            floor(left / 60), fmod(left, 60), p->terminal ? "   " : "\n");
    unfinished_line = p->terminal && step->step < p->steps;
    if (p->terminal && !unfinished_line) fputc('\n', stderr);
    return signalled();
}
