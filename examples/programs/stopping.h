/* stopping.h: Ctrl-C, and the command that goes on from what was reached. */
#ifndef EXAMPLES_STOPPING_H
#define EXAMPLES_STOPPING_H

#include <mesaopt/mesaopt.h>

void catch_signals(mesaopt_ctx *ctx);                   /* Ctrl-C and SIGTERM interrupt ctx; NULL:
                                                           no more */
int signalled(void);                                    /* has one of them come? */
void say_stopped(int64_t step);                         /* by Ctrl-C, after `step` (-1: no step),
                                                           and the command that goes on */
void say_resume(void);                                  /* that command, if there is something to
                                                           go on from */
void resume_with(const char *key, const char *path);    /* a file of this run that the command
                                                           names from now on, as key=path */
_Noreturn void stop(void);                              /* says so and ends the program */

#endif
