/* A second thread that frees handles at moments of its own while calls run, as finalizers of Julia and Python do (replay_calls finaliser=1). */
#include "calls.h"
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { ROOM = 64 };
static struct { enum kind kind; void *h; } waiting[ROOM];
static atomic_uint handed, freed;          /* so far; those between are waiting */

static void pause_for(long nanoseconds) { nanosleep(&(struct timespec){0, nanoseconds}, NULL); }

static void *work(void *unused)
{
    unsigned state = 1;
    for (;;) {
        const unsigned i = atomic_load(&freed);
        state = state * 1664525 + 1013904223;
        if (state >> 30) pause_for((long)(state >> 14 & 0xffff));
        if (i == atomic_load(&handed)) continue;
        EXPECT(free_handle(waiting[i % ROOM].kind, waiting[i % ROOM].h) == MESAOPT_OK);
        atomic_store(&freed, i + 1);
    }
    return unused;
}

int finalise_later(enum kind kind, void *h)
{
    static int started;
    pthread_t thread;
    if (!fuzz_finaliser) return 0;
    if (!started) EXPECT(pthread_create(&thread, NULL, work, NULL) == 0);
    started = 1;
    const unsigned i = atomic_load(&handed);
    if (i - atomic_load(&freed) == ROOM) return 0;
    waiting[i % ROOM].kind = kind, waiting[i % ROOM].h = h;
    atomic_store(&handed, i + 1);
    return 1;
}

void finalise_all(void)
{
    while (atomic_load(&freed) != atomic_load(&handed)) pause_for(1000);
}
