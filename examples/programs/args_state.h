/* args_state.h: what the command line says, for the files args_*.c alone; see args.h. */
#ifndef EXAMPLES_ARGS_STATE_H
#define EXAMPLES_ARGS_STATE_H

#include "args.h"
#include <stddef.h>

enum { MAX_SCOPES = 128, TEXT = 2048 };

extern struct arguments {
    const char *name, *command, *about, *hidden;
    int argc, told;                    /* arguments: those of settings=, then those of the command
                                          line from `told` on */
    char **argv;
    own_key *own;
    int scopes;
    mesaopt_settings *settings[MAX_SCOPES];
    int32_t scope[MAX_SCOPES];
    const char *of[MAX_SCOPES];        /* whose settings: NULL: nothing to tell apart */
    char changed[TEXT];                /* args_changed */
} args;

own_key *own_key_of(const char *name);                  /* NULL: there is no such own key */
/* Splits "name=value" at '='; NULL: there is none, or no room. */
const char *args_split(const char *arg, char *name, size_t cap);
int args_take(int32_t scope, const char *name);         /* does this settings scope take the key? */
int args_of_prompts(const char *name);                  /* a setting that no program takes */
int args_taken(int scopes, const char *name);           /* does one of the first `scopes`? */
const char *args_key(int i);                            /* the i-th of all keys, NULL: the end */
const char *args_owner(int s);                          /* whose the settings of a scope are */
void args_word(FILE *f, const char *word);              /* as a shell reads it, after a blank */

#endif
