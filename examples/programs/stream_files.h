/* stream_files.h: own keys file, load, save, predictions and out of stream_rls and predict, and
 * predict's model and prompt. */
#ifndef EXAMPLES_STREAM_FILES_H
#define EXAMPLES_STREAM_FILES_H

/* Before anything is opened: ends the program when two of them are one file, or when save= cannot
 * be written. */
void stream_files_check(void);

#endif
