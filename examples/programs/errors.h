/* errors.h: what goes wrong ends the program, in one line on standard error: with status 2 for
 * a wrong command line, 130 after Ctrl-C, 1 for the rest; a standard output that cannot be written
 * is such a failure at every end. */
#ifndef EXAMPLES_ERRORS_H
#define EXAMPLES_ERRORS_H

#include <mesaopt/mesaopt.h>
#include <stddef.h>

void errors_begin(const char *program);                 /* its name; first call */
#define TRY(ctx, call) must((ctx), (call), #call)
/* `status`; prints the text of a failure and ends the program */
mesaopt_status must(mesaopt_ctx *ctx, mesaopt_status status, const char *call);
/* Its two halves, where there is something to be done between them. */
void say_failure(mesaopt_ctx *ctx, mesaopt_status status, const char *call);
_Noreturn void give_up_on(mesaopt_status status);
/* What a file says under `key` (mesaopt_file_note); "": nothing. */
void file_text(mesaopt_ctx *ctx, const char *path, const char *key, char *text, int64_t cap);
/* The end of a program that has failed, and has said why. */
_Noreturn void give_up(int status);
int failing(void);                                      /* is this such an end? */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line to standard error, and one that begins with "note: ". */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern int unfinished_line;                             /* progress on the terminal: what is said
                                                           next begins a new line */
void *must_alloc(void *old, size_t bytes);
double *zeros(int64_t n);

#endif
