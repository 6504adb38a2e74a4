/* claims.h: what a program claims, and whether it holds. */
#ifndef EXAMPLES_CLAIMS_H
#define EXAMPLES_CLAIMS_H

/* Prints claim, expected, seen (printf) and "holds" or "does not hold". claims_status: what the
 * program ends with, 3 when one does not hold. */
int claims_status(void);
void claims_changed(const char *how);  /* claims from now on belong to a recipe that was changed so,
                                          and are not judged; "": as it is */
void claim(const char *what, const char *expected, int holds, const char *seen, ...)
    __attribute__((format(printf, 4, 5)));
#define CLAIM_1 \
    "1. one trained layer is one step of gradient descent, slightly better thanks to Phi0", \
        "loss at most 2 % below one step with the best step size (the paper: about 0.894 and " \
        "0.900)"

#endif
