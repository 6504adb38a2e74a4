/* claims.c: claims, and the exit status that they give; see claims.h. */
#include "claims.h"
#include <stdarg.h>
#include <stdio.h>

static int untrue;                     /* a claim does not hold */

int claims_status(void) { return untrue ? 3 : 0; }

void claim(const char *what, const char *expected, int holds, const char *seen, ...)
{
    va_list list;
    va_start(list, seen);
    printf("\nclaim: %s\nexpected: %s\nseen: ", what, expected);
    vprintf(seen, list);
    printf("\n%s\n", holds ? "holds" : "does not hold");
    untrue |= !holds;
    va_end(list);
}
