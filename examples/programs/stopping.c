/* stopping.c: Ctrl-C; see stopping.h. */
#include "stopping.h"
#include "errors.h"
#include <signal.h>
#include <stdlib.h>

static mesaopt_ctx *interruptible;     /* what a signal handler can reach */
static volatile sig_atomic_t came;     /* a signal, between two calls of the library perhaps, where
                                          no interrupt would stop anything */

static void on_signal(int number)
{
    (void)number;
    came = 1;
    mesaopt_ctx_interrupt(interruptible);
}

int signalled(void) { return came; }

void catch_signals(mesaopt_ctx *ctx)
{
    struct sigaction action = {.sa_handler = ctx ? on_signal : SIG_DFL,
                               .sa_flags = SA_RESETHAND | SA_RESTART};
    interruptible = ctx;
    sigaction(SIGINT, &action, NULL);  /* a second Ctrl-C ends the program at once */
    sigaction(SIGTERM, &action, NULL);
}

void say_stopped(int64_t step)
{
    if (step >= 0) say("stopped after step %lld", (long long)step);
    else say("stopped");
    say_resume();
}

void stop(void)
{
    say_stopped(-1);
    give_up(130);
}
