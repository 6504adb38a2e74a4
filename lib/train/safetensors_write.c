/* Writing a safetensors file so that at every moment either the old or the new one is there, whole. */
#include "tensor/view.h"
#include "train/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Text that is first measured (p NULL), then written. */
typedef struct json_out { char *p; int64_t used; } json_out;

static void put(json_out *o, const char *s)
{
    size_t n = strlen(s);
    if (o->p) memcpy(o->p + o->used, s, n);
    o->used += (int64_t)n;
}

static void put_string(json_out *o, const char *s)
{
    put(o, "\"");
    for (; *s; s++) {
        char c[8] = {*s};
        if (*s == '"' || *s == '\\') snprintf(c, sizeof c, "\\%c", *s);
        else if ((unsigned char)*s < 0x20) snprintf(c, sizeof c, "\\u%04x", (unsigned)*s);
        put(o, c);
    }
    put(o, "\"");
}

static void put_number(json_out *o, int64_t n)
{
    char c[24];
    snprintf(c, sizeof c, "%" PRId64, n);
    put(o, c);
}

static int64_t tensor_bytes(const saved_tensor *t)
{
    int64_t bytes = dtype_size(t->dtype);
    for (int32_t i = 0; i < t->ndim; i++) bytes *= t->shape[i];
    return bytes;
}

static const char *type_name(int32_t dtype)
{
    static const char *const names[] = {"", "F32", "F64", "I32", "I64", "F16", "BF16"};
    return names[dtype];
}

static void put_header(json_out *o, int64_t texts, const tensor_file_text *text, int64_t tensors, const saved_tensor *tensor)
{
    int64_t end = 0;
    put(o, "{\"__metadata__\":{");
    for (int64_t i = 0; i < texts; i++) {
        if (i) put(o, ",");
        put_string(o, text[i].key);
        put(o, ":");
        put_string(o, text[i].value);
    }
    put(o, "}");
    for (int64_t i = 0; i < tensors; i++) {
        const saved_tensor *t = &tensor[i];
        put(o, ",");
        put_string(o, t->name);
        put(o, ":{\"dtype\":\"");
        put(o, type_name(t->dtype));
        put(o, "\",\"shape\":[");
        for (int32_t k = 0; k < t->ndim; k++) {
            if (k) put(o, ",");
            put_number(o, t->shape[k]);
        }
        put(o, "],\"data_offsets\":[");
        put_number(o, end);
        put(o, ",");
        put_number(o, end += tensor_bytes(t));
        put(o, "]}");
    }
    put(o, "}");
    while (o->used % 8) put(o, " ");
}

/* 0, or errno. */
static int write_all(int fd, const void *data, int64_t bytes)
{
    for (const char *p = data; bytes > 0;) {
        ssize_t n = write(fd, p, bytes > 1 << 30 ? 1 << 30 : (size_t)bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        p += n;
        bytes -= n;
    }
    return 0;
}

static int retry_fsync(int fd)
{
    int r;
    do r = fsync(fd); while (r != 0 && errno == EINTR);
    return r == 0 ? 0 : errno;
}

/* A new file in the folder of `path`, its name in `temporary`; permissions are what the umask leaves. Returns the descriptor or -1. */
static int open_temporary(const char *path, char *temporary, size_t room)
{
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash + 1 - path) : 0;
    for (int attempt = 0; attempt < 100; attempt++) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        snprintf(temporary, room, "%.*s.mesaopt-%ld-%ld-%d.tmp", folder, path, (long)getpid(), (long)now.tv_nsec, attempt);
        int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) return fd;
        if (errno != EEXIST && errno != EINTR) return -1;
    }
    return -1;
}

/* Makes the rename last. Folders that cannot be opened or synced (some file systems) are no failure. */
static int sync_folder(char *temporary)
{
    char *slash = strrchr(temporary, '/');
    if (slash) slash[1] = 0;
    int fd = open(slash ? temporary : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return 0;
    int error = retry_fsync(fd);
    close(fd);
    return error == EIO || error == ENOSPC || error == EDQUOT ? error : 0;
}

/* The steps after which the old file is replaced; `what` names the one that failed. Returns 0 or errno. */
static int write_file(int fd, const char *header, int64_t bytes, int64_t tensors, const saved_tensor *tensor, const char **what)
{
    uint64_t length = (uint64_t)bytes;
    *what = "writing";
    int error = write_all(fd, &length, 8);
    if (!error) error = write_all(fd, header, bytes);
    for (int64_t i = 0; i < tensors && !error; i++) error = write_all(fd, tensor[i].data, tensor_bytes(&tensor[i]));
    if (!error) {
        *what = "fsync";
        error = retry_fsync(fd);
    }
    if (close(fd) != 0 && errno != EINTR && !error) error = errno;
    return error;
}

static mesaopt_status replace(mesaopt_ctx *ctx, const char *path, const char *header, int64_t bytes, int64_t tensors,
                              const saved_tensor *tensor)
{
    struct stat st;
    char temporary[4096 + 96];
    const char *what;
    if (strlen(path) >= 4096) return tensor_file_io(ctx, path, "creating a file in its folder", ENAMETOOLONG);
    /* rename() would put a file in the place of a device */
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return tensor_file_io(ctx, path, "not a regular file", S_ISDIR(st.st_mode) ? EISDIR : EEXIST);
    int fd = open_temporary(path, temporary, sizeof temporary);
    if (fd < 0) return tensor_file_io(ctx, path, "creating a file in its folder", errno);
    int error = write_file(fd, header, bytes, tensors, tensor, &what);
    if (!error && rename(temporary, path) != 0) {
        what = "renaming";
        error = errno;
    }
    if (error) {
        unlink(temporary);
        return tensor_file_io(ctx, path, what, error);
    }
    error = sync_folder(temporary);
    return error ? tensor_file_io(ctx, path, "written, but fsync of its folder", error) : MESAOPT_OK;
}

mesaopt_status tensor_file_write(mesaopt_ctx *ctx, const char *path, int64_t texts, const tensor_file_text *text, int64_t tensors,
                                 const saved_tensor *tensor)
{
    json_out o = {0};
    put_header(&o, texts, text, tensors, tensor);
    int64_t bytes = o.used;
    o = (json_out){alloc_new(&ctx->alloc, bytes, 1), 0};
    if (!o.p) return fail(ctx, MESAOPT_E_MEMORY, "no memory for a file header of %" PRId64 " bytes", bytes);
    put_header(&o, texts, text, tensors, tensor);
    mesaopt_status status = replace(ctx, path, o.p, bytes, tensors, tensor);
    alloc_free(&ctx->alloc, o.p);
    return status;
}
