/* Number text, the same in every locale. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdint.h>

typedef struct number { char text[32]; } number;
number number_text(double x);      /* shortest text of at most 17 digits that reads back as x; "inf", "-inf", "nan" */
int number_read(const char *text, double *out);       /* whole text, decimal or inf/-inf; 0 when unreadable or NaN */
int number_read_int(const char *text, int64_t *out);  /* whole text, decimal; 0 when unreadable or too large */

#endif
