/* claims.c: claims, and the exit status that they give; see claims.h. */
#include "claims.h"
#include <stdarg.h>
#include <stdio.h>

static int untrue;                     /* a claim does not hold */

static const char *changed = "";

void claims_changed(const char *how) { changed = how; }

int claims_status(void) { return untrue ? 3 : 0; }

void claim(const char *what, const char *expected, int holds, const char *seen, ...)
{
    va_list list;
    va_start(list, seen);
    printf("\nclaim: %s\nexpected: %s\nseen: ", what, expected);
    vprintf(seen, list);
    if (*changed) printf("\nchanged recipe, so this says nothing of the claim: %s\n", changed);
    else printf("\n%s\n", holds ? "holds" : "does not hold");
    untrue |= !holds && !*changed;
    va_end(list);
}
