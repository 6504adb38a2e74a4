/* decimal.h: decimal numbers as text. */
#ifndef EXAMPLES_DECIMAL_H
#define EXAMPLES_DECIMAL_H

/* Reads the decimal number at `text`, which something else than a digit ends: *out is what strtod
 * makes of it in the C locale. Returns where the number ends, or NULL when there is none (nan and
 * inf are none). */
const char *decimal_read(const char *text, double *out);

#endif
