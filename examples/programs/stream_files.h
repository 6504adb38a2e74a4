/* stream_files.h: own keys file, load, save, predictions and out of stream_rls and predict, and
 * predict's model and prompt. */
#ifndef EXAMPLES_STREAM_FILES_H
#define EXAMPLES_STREAM_FILES_H

#include <stdio.h>

/* Before anything is opened: ends the program when two of them are one file, or when save= cannot
 * be written. */
void stream_files_check(void);

/* That of predictions=, NULL without one, to be added to. With predictions=- they have standard
 * output for themselves: everything else goes to standard error. */
FILE *predictions_open(void);
/* When the first row of a run without load= has been read: what the file had before goes. */
void predictions_clear(FILE *f);

#endif
