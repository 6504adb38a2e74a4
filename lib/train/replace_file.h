/* Replaces what a path names so that at every moment either the old file or the new one is there,
 * whole.
 *
 * Symbolic links are followed, also to a file that is not there yet; a new file gets the mode and,
 * where the system allows it, the owner and group of the old one. (Another hard link goes on naming
 * the old file.) The new file is written beside the old one as .NAME.mesaopt-N.tmp, locked while it
 * is being written: of a process that was killed it is found without its lock, and the next one
 * that saves to this name removes it. Processes that save at once take different N; the last one to
 * finish is what remains. */
#ifndef TRAIN_REPLACE_FILE_H
#define TRAIN_REPLACE_FILE_H

enum { REPLACE_LONGEST_PATH = 4096 };

typedef struct new_file {
    int fd;                                            /* to write to */
    const char *what;                                  /* the step that failed, for messages */
    char target[REPLACE_LONGEST_PATH];                 /* what the path names */
    char temporary[REPLACE_LONGEST_PATH + 160];
} new_file;

/* 0, or errno (-1 where *what says all) and *what: nothing was changed, and there is nothing to
 * end. */
int new_file_begin(new_file *f, const char *path);

/* Ends it. `error`: of what was written, 0 when all went well: then the file is synced and put in
 * the place of the old one, and the folder is synced. Returns 0, or errno and *what: the old file
 * is as it was, unless only the folder could not be synced. */
int new_file_end(new_file *f, int error);

#endif
