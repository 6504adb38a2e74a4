/* Number text, the same in every locale. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdint.h>

typedef struct number { char text[32]; } number;
number number_text(double x);      /* shortest text of at most 17 digits that reads back as x;
                                      "inf", "-inf", "nan" */
int number_read(const char *text, double *out);       /* whole text, decimal or inf/-inf; 0 when
                                                         unreadable or NaN */
int number_read_int(const char *text, int64_t *out);  /* whole text, decimal; 0 when unreadable or
                                                         too large */

/* Digits and exponent of "%e" output of any locale: "1,25e-03" gives "125" and -3. */
void number_digits(const char *scientific, char *digits, int *exponent);

#endif
