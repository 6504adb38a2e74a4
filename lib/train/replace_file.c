/* Replacing a file: the name that links lead to, temporary files beside it, locks, syncs; see
 * replace_file.h. */
#include "train/replace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_LINKS = 40, SLOTS = 64, NAME_SHOWN = 100 };

static int folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash + 1 - path) : 0;
}

/* 0, or errno. */
static int follow_links(const char *path, char *target)
{
    char link[REPLACE_LONGEST_PATH];
    if (strlen(path) >= REPLACE_LONGEST_PATH) return ENAMETOOLONG;
    strcpy(target, path);
    for (int i = 0; i < MOST_LINKS; i++) {
        const ssize_t n = readlink(target, link, sizeof link);
        /* no link; nothing */
        if (n < 0) return errno == EINVAL || errno == ENOENT ? 0 : errno;
        const int folder = link[0] == '/' ? 0 : folder_length(target);
        if (folder + n >= REPLACE_LONGEST_PATH) return ENAMETOOLONG;
        memcpy(target + folder, link, (size_t)n);
        target[folder + n] = 0;
    }
    return ELOOP;
}

static void temporary_name(new_file *f, int slot, char *out)
{
    const int folder = folder_length(f->target);
    const char *name = f->target + folder;
    int n = (int)strlen(name);
    if (n > NAME_SHOWN)
        /* not inside a character */
        for (n = NAME_SHOWN; n > 0 && ((unsigned char)name[n] & 0xc0) == 0x80;) n--;
    snprintf(out, sizeof f->temporary, "%.*s.%.*s.mesaopt-%d.tmp", folder, f->target, n, name,
             slot);
}

/* Is this open file the one of that name? */
static int is_named(int fd, const char *name)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && lstat(name, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* Removes a temporary file that nobody has locked. */
static void remove_stale(const char *name)
{
    const int fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_named(fd, name)) unlink(name);
    close(fd);
}

/* Creates and locks the temporary file of a slot. -1 and EEXIST: another process has it. Where the
 * system knows no locks, a file that is there is left alone. */
static int take_slot(const char *name, mode_t mode)
{
    for (;;) {
        remove_stale(name);
        const int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd < 0 && errno == EINTR) continue;
        if (fd < 0) return -1;
        const int busy = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
        if (!busy && is_named(fd, name)) return fd;
        close(fd);                                     /* it looked stale to another process, which
                                                          removes it */
    }
}

/* Files that other slots have left go as well. */
static int open_temporary(new_file *f, mode_t mode)
{
    char other[sizeof f->temporary];
    f->fd = -1;
    for (int slot = 0; slot < SLOTS; slot++) {
        if (f->fd >= 0) {
            temporary_name(f, slot, other);
            remove_stale(other);
            continue;
        }
        temporary_name(f, slot, f->temporary);
        f->fd = take_slot(f->temporary, mode);
        if (f->fd < 0 && errno != EEXIST) return errno;
    }
    return f->fd < 0 ? EEXIST : 0;
}

/* What cannot be kept is no failure; a file of another group gives that group what it gives to all.
 */
static void keep_mode(int fd, const struct stat *old)
{
    struct stat now;
    mode_t mode = old->st_mode & 07777;
    if (fstat(fd, &now) != 0) return;
    if ((now.st_uid != old->st_uid || now.st_gid != old->st_gid) &&
        fchown(fd, old->st_uid, old->st_gid) != 0) {
        mode &= 0777;
        if (now.st_gid != old->st_gid && fchown(fd, (uid_t)-1, old->st_gid) != 0)
            mode = (mode & ~070u) | (mode & 07u) << 3;
    }
    if (fchmod(fd, mode) != 0) return;
}

int new_file_begin(new_file *f, const char *path)
{
    struct stat old;
    f->what = "creating a file in its folder";
    const int found = stat(path, &old) == 0;
    if (found && !S_ISREG(old.st_mode)) {              /* rename() would put a file in the place of
                                                          a device */
        f->what = "not a regular file";
        return -1;
    }
    int error = *path ? follow_links(path, f->target) : ENOENT;
    if (!error && found && faccessat(AT_FDCWD, f->target, W_OK, AT_EACCESS) != 0) {
        f->what = "opening";
        error = errno;
    }
    if (!error) error = open_temporary(f, found ? 0600 : 0666);
    if (!error && found) keep_mode(f->fd, &old);
    return error;
}

static int retry_fsync(int fd)
{
    int r;
    do r = fsync(fd); while (r != 0 && errno == EINTR);
    return r == 0 ? 0 : errno;
}

/* Makes the rename last. Folders that cannot be opened or synced (some file systems) are no
 * failure. */
static int sync_folder(char *path)
{
    path[folder_length(path)] = 0;
    int fd = open(*path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return 0;
    int error = retry_fsync(fd);
    close(fd);
    return error == EIO || error == ENOSPC || error == EDQUOT ? error : 0;
}

int new_file_end(new_file *f, int error)
{
    if (error) {
        f->what = "writing";
    } else if ((error = retry_fsync(f->fd)) != 0) {
        f->what = "fsync";
    } else if (rename(f->temporary, f->target) != 0) {
        error = errno;
        f->what = "renaming";
    }
    if (error) unlink(f->temporary);
    close(f->fd);                                      /* only now: the lock has kept the temporary
                                                          file */
    if (error) return error;
    f->what = "written, but fsync of its folder";
    return sync_folder(f->temporary);
}
