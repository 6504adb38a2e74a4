/* claims.c: claims, and the exit status that they give; see claims.h. */
#include "claims.h"
#include <stdarg.h>
#include <stdio.h>

static int untrue; /* a claim does not hold */

static const char *changed = "", *told; /* told: what was said once */

void claims_changed(const char *how) { changed = how; }

int claims_status(void) { return untrue ? 3 : 0; }

void claim(const char *what, const char *expected, int holds, const char *seen, ...)
{
    va_list list;
    va_start(list, seen);
    printf("\nclaim: %s\nexpected: %s\nseen: ", what, expected);
    vprintf(seen, list);
    if (*changed && told == changed)
        printf("\nchanged recipe, not judged\n");
    else if (*changed)
        printf("\nchanged recipe, not judged: %s\n", told = changed);
    else
        printf("\n%s\n", holds ? "holds" : "does not hold");
    untrue |= !holds && !*changed;
    va_end(list);
}
