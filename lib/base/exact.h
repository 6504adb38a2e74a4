/* Infinities, NaN, signs of zero and the order of sums mean something in this library: a compiler
 * that is told not to care makes wrong numbers of right code, without a word. */
#ifndef BASE_EXACT_H
#define BASE_EXACT_H

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__)
#error "libmesaopt does not work with -ffast-math, -Ofast or parts of them: compile with -O2 or -O3"
#endif

#endif
