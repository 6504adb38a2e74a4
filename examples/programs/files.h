/* files.h: the out folder of a run, and files that are written to the end or not at all. */
#ifndef EXAMPLES_FILES_H
#define EXAMPLES_FILES_H

#include <mesaopt/mesaopt.h>
#include <stdio.h>

/* The keys of every program that writes into a folder. */
#define OUT_KEYS(out, meaning) \
    {"out", out, meaning}, \
        {"overwrite", "0", "1: the folder may hold a run already, which is lost"}, \
    { \
        "settings", "", \
            "file of arguments, one a line, in front of those given here: run.txt of a run " \
            "repeats it" \
    }

enum { MAX_PATH = 4096 };
#define CHECKPOINT "checkpoint.safetensors"
/* Unless resume= or overwrite=1: refuses an out= that holds a run, and takes default.2, default.3,
 * .. instead of a default that does. */
void out_check(void);
/* Before the first file goes to the out folder: makes it, and writes run.txt: the arguments that
 * repeat the run. Later calls do nothing. */
void out_begin(mesaopt_ctx *ctx);
/* A run that fails before its first result takes away what it has made, folders too. A file that
 * was closed is a result, and what is said to be one. */
void out_keep(void);
void out_discard(const char *path);                     /* a file of an earlier run goes when this
                                                           one begins */
void take_log(const char *line, void *user);            /* of a context: says what a resumed run
                                                           does otherwise, in run.txt too */
void out_path(const char *file, char *path);            /* of the out folder; path has room for
                                                           MAX_PATH */
void follow_links(const char *path, char *out);         /* the file that symbolic links lead to,
                                                           there or not; out: MAX_PATH */
FILE *open_file(const char *path, const char *mode);
void spare_input(const char *path);                     /* refuses to write to a file that a key
                                                           names to be read; open_file does so */
void close_file(FILE *f, const char *path);             /* a full disk is found here at the
                                                           latest */
void flush_file(FILE *f, const char *path);
void keep_rows(FILE *f, const char *path);              /* what is in the file so far is a result */
int flushed(FILE *f);                                   /* 0: the disk is full; closing says so */
void discard_file(const char *path);                    /* what the path names: a link stays */

#endif
