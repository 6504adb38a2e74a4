/* Elementary functions in double whose bits depend on no machine: neither the CPU nor a libm has a
 * say, since sums, products, quotients and square roots are exact to rounding everywhere and scalar
 * code of the library is not contracted (-ffp-contract=off). Errors are below 1.5 units in the last
 * place. */
#ifndef BASE_REAL_H
#define BASE_REAL_H

#include "base/exact.h"

double real_exp(double x);
double real_expm1(double x);                 /* e^x - 1 */
double real_log(double x);
double real_log1p(double x);                 /* log(1 + x) */
double real_pow(double x, double y);         /* x > 0 and finite, y finite */
double real_sin(double x);                   /* |x| <= 2^25; further away digits are lost */
double real_cos(double x);
double real_hypot(double x, double y);       /* sqrt(x^2 + y^2), also where the squares overflow */

static inline double larger(double x, double y) { return x < y ? y : x; }     /* NaN in x stays */
static inline double smaller(double x, double y) { return y < x ? y : x; }

#endif
