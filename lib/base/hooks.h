/* Callbacks of the host that settings of a context hold, and every context that is made of them: an
 * allocator, a parallel loop, a log, a poll. What the host wants back, its `user`, is counted: it
 * is given back when the last of them goes. */
#ifndef BASE_HOOKS_H
#define BASE_HOOKS_H

#include "base/alloc.h"

/* release(user), unless there is none; errno stays. */
void give_back(mesaopt_release_fn release, void *user);

enum hook { HOOK_ALLOC, HOOK_PARALLEL, HOOK_LOG, HOOK_POLL, HOOKS };

struct lent;
typedef struct hooks {
    mesaopt_parallel_fn parallel;  /* NULL: own pool */
    void *parallel_user;
    mesaopt_log_fn log;            /* NULL: none */
    void *log_user;
    mesaopt_poll_fn poll;          /* NULL: none */
    void *poll_user;
    struct lent *lent[HOOKS];      /* NULL: there is nothing to give back */
} hooks;

/* The host's allocator, counted from the first holder on: its release may come when there are more
 * (hooks_alloc_release, by a holder). 0: no memory. */
int hooks_lend_alloc(hooks *h, const allocator *alloc);
void hooks_alloc_release(hooks *h, mesaopt_release_fn release);
/* Puts (release, user) in the place of what is there, which the caller gives back (lent_drop) as
 * the last thing it does: its release may free what `h` is of. release NULL: nothing is to be given
 * back. 0: no memory, and nothing has changed. */
int hooks_lend(hooks *h, enum hook which, const allocator *alloc, mesaopt_release_fn release,
               void *user, struct lent **old);
void lent_drop(struct lent *l);        /* NULL: nothing */
/* One holder more; one less. The allocator goes last: the others are made of it. */
void hooks_retain(hooks *h);
void hooks_release(const hooks *h);

#endif
