/* args.h: the command line: key=value arguments. A program has keys of its own (own_key), and
 * passes every other key=value to the library's settings. A wrong command line ends the program
 * with status 2. */
#ifndef EXAMPLES_ARGS_H
#define EXAMPLES_ARGS_H

#include <mesaopt/mesaopt.h>
#include <stdio.h>

/* value: the default, then what the command line says */
typedef struct own_key { const char *name, *value, *meaning; } own_key;

/* first call; `own` ends with a NULL name */
void args_begin(int argc, char **argv, const char *about, own_key *own);
void args_hide(const char *names);                      /* " name name ": settings that the program
                                                           makes itself */
/* an own key has a value that will not do */
_Noreturn void args_refuse(const char *name, const char *expected);
/* The word of a list, up to its NULL, that somebody who wrote `name` may have meant; NULL: none is
 * near. */
const char *args_nearest(const char *name, const char *(*word_at)(int));
int args_has(const char *name);                         /* is there such an own key? */
void args_command(FILE *f);                             /* the command line as a shell reads it */
void args_write(FILE *f);                               /* lines of arguments that say the same; #
                                                           all settings as they stand */
const char *args_text(const char *name);                /* value of an own key */
int args_given(const char *name);                       /* is the key on the command line? */
const char *args_reads(const char *path);               /* own key that names this very file to be
                                                           read, alone or in a list; NULL: none */
void args_default(const char *name, const char *value); /* a default that depends on other keys */
int64_t args_int(const char *name, int64_t lowest, int64_t highest);
int32_t args_block_scope(const char *name);             /* own key that names a kind of attention
                                                           block: its scope */

/* Settings of a scope: the library's defaults, then `preset` ("name=value name=value"), then the
 * command line. They live until args_free. */
mesaopt_settings *args_settings(int32_t scope, const char *preset);
/* The defaults and the preset alone: what is learned beside a model has its own lr and batch. */
mesaopt_settings *args_preset(int32_t scope, const char *preset);
/* As args_settings, where several of a kind are to be told apart: `of` says in `help` whose they
 * are. args_changed: "of name=value name=value; of name=value": what the command line has made of
 * recipes, the presets and defaults, seeds apart; "" when nothing. */
mesaopt_settings *args_settings_of(const char *of, int32_t scope, const char *preset);
const char *args_changed(void);
void args_change(const char *what);                     /* adds something to args_changed */
mesaopt_ctx *args_ctx(void);                            /* context; threads: as many as CPUs, at
                                                           most 8, unless told */
void args_end(void);                                    /* refuses what no scope took, and an out
                                                           folder with a run; answers `help` */
void args_free(void);

#endif
