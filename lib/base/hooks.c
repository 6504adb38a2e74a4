/* See hooks.h. */
#include "base/hooks.h"
#include <errno.h>
#include <stdatomic.h>

typedef struct lent {
    allocator alloc;               /* of this block */
    mesaopt_release_fn release;
    void *user;
    atomic_int refs;
} lent;

void give_back(mesaopt_release_fn release, void *user)
{
    const int keep = errno;
    if (release) release(user);
    errno = keep;
}

void lent_drop(lent *l)
{
    if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1) return;
    const lent gone = *l;
    alloc_free(&gone.alloc, l);    /* before: it may be the allocator that goes */
    give_back(gone.release, gone.user);
}

/* With one holder; NULL: no memory. */
static lent *lent_new(const allocator *alloc, mesaopt_release_fn release, void *user)
{
    lent *l = alloc_new(alloc, 1, sizeof *l);
    if (!l) return NULL;
    l->alloc = *alloc, l->release = release, l->user = user;
    atomic_init(&l->refs, 1);
    return l;
}

int hooks_lend_alloc(hooks *h, const allocator *alloc)
{
    h->lent[HOOK_ALLOC] = lent_new(alloc, NULL, alloc->user);
    return h->lent[HOOK_ALLOC] != NULL;
}

/* Whoever lets go last reads it: not yet, while the caller holds it. */
void hooks_alloc_release(hooks *h, mesaopt_release_fn release)
{
    h->lent[HOOK_ALLOC]->release = release;
}

int hooks_lend(hooks *h, enum hook which, const allocator *alloc, mesaopt_release_fn release,
               void *user, lent **old)
{
    lent *l = release ? lent_new(alloc, release, user) : NULL;
    if (release && !l) return 0;
    *old = h->lent[which];
    h->lent[which] = l;
    return 1;
}

void hooks_retain(hooks *h)
{
    for (int i = 0; i < HOOKS; i++)
        if (h->lent[i]) atomic_fetch_add_explicit(&h->lent[i]->refs, 1, memory_order_relaxed);
}

void hooks_release(const hooks *h)
{
    for (int i = HOOKS - 1; i >= 0; i--) lent_drop(h->lent[i]);
}
