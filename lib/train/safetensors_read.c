/* Opening, searching and reading safetensors files. */
#include "tensor/view.h"
#include "train/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As pread. */
static ssize_t copy_bytes(const tensor_file *f, char *to, int64_t bytes, int64_t offset)
{
    if (offset >= f->size) return 0;
    if (bytes > f->size - offset) bytes = f->size - offset;
    memcpy(to, f->bytes + offset, (size_t)bytes);
    return (ssize_t)bytes;
}

/* All `bytes` at `offset`, or a status. */
static mesaopt_status read_all(const tensor_file *f, int64_t offset, int64_t bytes, void *out)
{
    for (char *p = out; bytes > 0;) {
        const int64_t most = bytes > TENSOR_FILE_PIECE ? TENSOR_FILE_PIECE : bytes;
        const ssize_t got = f->bytes ? copy_bytes(f, p, most, offset)
                                     : pread(f->fd, p, (size_t)most, offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return tensor_file_io(f->ctx, f->path, "reading", errno);
        if (got == 0)
            return fail(f->ctx, MESAOPT_E_IO,
                        "%s: reading: the file ends %" PRId64
                        " bytes early, was it cut short meanwhile?",
                        tensor_file_shown(f->path).text, bytes);
        p += got;
        offset += got;
        bytes -= got;
        const mesaopt_status status = bytes > 0 ? ctx_stopped(f->ctx, "reading") : MESAOPT_OK;
        if (status != MESAOPT_OK) return status;
    }
    return MESAOPT_OK;
}

static mesaopt_status read_header(tensor_file *f)
{
    uint64_t length;
    if (f->size < 8)
        return tensor_file_fail(f, NULL, "%" PRId64 " bytes, too few for a safetensors file",
                                f->size);
    mesaopt_status status = read_all(f, 0, 8, &length);
    if (status != MESAOPT_OK) return status;
    if (length < 2 || length > TENSOR_FILE_MAX_HEADER || (int64_t)length > f->size - 8)
        return tensor_file_fail(f, NULL,
                                "header of %" PRIu64 " bytes, expected a safetensors file, which "
                                "has 2 to %d within the %" PRId64 " bytes that follow its length",
                                length, TENSOR_FILE_MAX_HEADER, f->size - 8);
    f->data_start = 8 + (int64_t)length;
    f->data_bytes = f->size - f->data_start;
    f->header = alloc_new(&f->ctx->alloc, (int64_t)length + 1, 1);
    if (!f->header)
        return fail(f->ctx, MESAOPT_E_MEMORY, "%s: no memory for a header of %" PRIu64 " bytes",
                    tensor_file_shown(f->path).text, length);
    status = read_all(f, 8, (int64_t)length, f->header);
    return status == MESAOPT_OK ? tensor_file_parse(f) : status;
}

static mesaopt_status open_path(tensor_file *f)
{
    struct stat st;
    do f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);    /* a pipe without a writer must
                                                                       not hang us */
    while (f->fd < 0 && errno == EINTR);
    if (f->fd < 0) return tensor_file_io(f->ctx, f->path, "opening", errno);
    if (fstat(f->fd, &st) != 0) return tensor_file_io(f->ctx, f->path, "reading", errno);
    f->size = st.st_size;
    if (S_ISREG(st.st_mode)) return MESAOPT_OK;
    return tensor_file_io(f->ctx, f->path, "not a regular file", -1);
}

mesaopt_status tensor_file_open_from(mesaopt_ctx *ctx, const storage *from, tensor_file *out)
{
    mesaopt_status status = MESAOPT_OK;
    *out = (tensor_file){.ctx = ctx, .path = from->path ? from->path : "memory", .fd = -1};
    if (from->path) status = open_path(out);
    else out->bytes = from->bytes, out->size = from->length;
    if (status == MESAOPT_OK) status = read_header(out);
    if (status != MESAOPT_OK) tensor_file_close(out);
    return status;
}

void tensor_file_close(tensor_file *f)
{
    if (f->fd >= 0) close(f->fd);
    alloc_free(&f->ctx->alloc, f->header);
    alloc_free(&f->ctx->alloc, f->tensor);
    alloc_free(&f->ctx->alloc, f->text);
    *f = (tensor_file){.ctx = f->ctx, .fd = -1};
}

/* Both kinds of entry start with their name. */
static int compare_name(const void *name, const void *entry)
{
    return strcmp(name, *(const char *const *)entry);
}

const file_tensor *tensor_file_find(const tensor_file *f, const char *name)
{
    return f->tensors
               ? bsearch(name, f->tensor, (size_t)f->tensors, sizeof *f->tensor, compare_name)
               : NULL;
}

const char *tensor_file_metadata(const tensor_file *f, const char *key)
{
    const tensor_file_text *text =
        f->texts ? bsearch(key, f->text, (size_t)f->texts, sizeof *f->text, compare_name) : NULL;
    return text ? text->value : NULL;
}

mesaopt_status tensor_file_notes(const tensor_file *f, notes *out)
{
    for (int64_t i = 0; i < f->texts; i++) {
        if (notes_reserved(f->text[i].key)) continue;
        const mesaopt_status status = notes_set(f->ctx, out, f->text[i].key, f->text[i].value);
        if (status == MESAOPT_E_ARGUMENT)
            return tensor_file_fail(f, NULL, "metadata \"%.40s\" cannot be kept as a note",
                                    f->text[i].key);
        if (status != MESAOPT_OK) return status;
    }
    return MESAOPT_OK;
}

mesaopt_status tensor_file_expect(const tensor_file *f, const char *name, int32_t ndim,
                                  const int64_t *shape, const file_tensor **out)
{
    const file_tensor *t = tensor_file_find(f, name);
    if (!t)
        return tensor_file_fail(f, name, "it is missing, expected one of shape %.100s",
                                view_list(ndim, shape).text);
    int same = t->ndim == ndim;
    for (int32_t i = 0; same && i < ndim; i++) same = t->shape[i] == shape[i];
    if (t->ndim > MESAOPT_MAX_RANK)
        return tensor_file_fail(f, name, "rank %d, expected %d", t->ndim, ndim);
    if (!same)
        return tensor_file_fail(f, name, "shape %.100s, expected %.100s",
                                view_list(t->ndim, t->shape).text, view_list(ndim, shape).text);
    if (t->dtype == 0 || !view_copyable(t->dtype, MESAOPT_F64))
        return tensor_file_fail(
            f, name, "not of a type that can be read as numbers, expected F64, F32, F16 or BF16");
    *out = t;
    return MESAOPT_OK;
}

static mesaopt_view flat(void *data, int32_t dtype, int64_t count)
{
    return (mesaopt_view){.data = data, .shape = {count}, .stride = {1}, .ndim = 1, .dtype = dtype};
}

mesaopt_status tensor_file_read(const tensor_file *f, const file_tensor *t, int64_t first,
                                int64_t count, int32_t dtype, void *out)
{
    char buffer[16384] __attribute__((aligned(16)));
    if (t->ndim > MESAOPT_MAX_RANK)
        return tensor_file_fail(f, t->name, "rank %d, expected at most %d", t->ndim,
                                MESAOPT_MAX_RANK);
    if (t->dtype == 0 || (t->dtype != dtype && !view_copyable(t->dtype, dtype) &&
                          !(dtype_counts(t->dtype) && dtype == MESAOPT_F64)))
        return fail(f->ctx, MESAOPT_E_DTYPE, "%s: tensor '%s': of a type that cannot be read as %s",
                    tensor_file_shown(f->path).text, tensor_file_shown(t->name).text,
                    dtype_name(dtype));
    int64_t size = (t->end - t->begin) / (t->count > 0 ? t->count : 1),
            offset = f->data_start + t->begin + first * size;
    if (t->dtype == dtype) return read_all(f, offset, count * size, out);
    for (int64_t n; count > 0; count -= n, offset += n * size) {
        n = (int64_t)sizeof buffer / size < count ? (int64_t)sizeof buffer / size : count;
        mesaopt_status status = read_all(f, offset, n * size, buffer);
        if (status != MESAOPT_OK) return status;
        mesaopt_view from = flat(buffer, t->dtype, n), to = flat(out, dtype, n);
        view_copy(&from, &to);
        out = (char *)out + n * dtype_size(dtype);
    }
    return MESAOPT_OK;
}
