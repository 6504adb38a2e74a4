/* Preloaded into a program: its n-th call (FAIL_AT=n, from 1) of those that change files kills it (FAIL_HOW=kill, before the call;
 * FAIL_HOW=after, behind it) or fails as on a full disk (FAIL_HOW=full). With FAIL_COUNT=FILE the calls are listed there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int calls;

static int is(const char *how)
{
    const char *text = getenv("FAIL_HOW");
    return text && strcmp(text, how) == 0;
}

/* Counts a call; 1: it fails. */
static int due(const char *name, int before)
{
    const char *at = getenv("FAIL_AT"), *list = getenv("FAIL_COUNT");
    if (before) {
        calls++;
        FILE *f = list ? fopen(list, "a") : NULL;
        if (f) fprintf(f, "%s\n", name), fclose(f);
    }
    if (!at || atoi(at) != calls) return 0;
    if (is(before ? "kill" : "after")) raise(SIGKILL);
    errno = ENOSPC;
    return before && is("full");
}

#define WRAP(type, name, parameters, arguments)                    \
    type name parameters                                           \
    {                                                              \
        type(*next) parameters;                                    \
        *(void **)&next = dlsym(RTLD_NEXT, #name);                 \
        if (due(#name, 1)) return -1;                              \
        const type result = next arguments;                        \
        const int error = errno;                                   \
        due(#name, 0);                                             \
        errno = error;                                             \
        return result;                                             \
    }

WRAP(ssize_t, write, (int fd, const void *data, size_t n), (fd, data, n))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, rename, (const char *from, const char *to), (from, to))
WRAP(int, unlink, (const char *path), (path))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, close, (int fd), (fd))

int open(const char *path, int flags, ...)
{
    int (*next)(const char *, int, ...);
    va_list list;
    va_start(list, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    *(void **)&next = dlsym(RTLD_NEXT, "open");
    if (!(flags & O_CREAT)) return next(path, flags, mode);
    if (due("open", 1)) return -1;
    const int fd = next(path, flags, mode), error = errno;
    due("open", 0);
    errno = error;
    return fd;
}
