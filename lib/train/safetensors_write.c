/* Writing a safetensors file in the place of an old one. */
#include "base/number.h"
#include "tensor/view.h"
#include "train/replace_file.h"
#include "train/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
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
    static const char *const names[] = {"", "F32", "F64", "I32", "I64", "F16", "BF16", "BOOL"};
    return names[dtype];
}

static void put_header(json_out *o, int64_t texts, const tensor_file_text *text, int64_t tensors,
                       const saved_tensor *tensor)
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

/* Where bytes go, in the order of the file. */
typedef struct sink {
    mesaopt_ctx *ctx;
    int fd;                        /* -1: to the host */
    const storage *host;
    int32_t answer;                /* of the host */
} sink;

/* As write(2); what the host refuses is EIO. */
static ssize_t put_piece(sink *s, const char *p, int64_t bytes)
{
    if (s->fd >= 0) return write(s->fd, p, (size_t)bytes);
    ctx_callback_begin(s->ctx->running);
    s->answer = s->host->write(p, bytes, s->host->user);
    ctx_callback_end(s->ctx->running);
    errno = EIO;
    return s->answer ? -1 : (ssize_t)bytes;
}

/* 0, or errno: ECANCELED when the call is to end. */
static int write_all(sink *s, const void *data, int64_t bytes)
{
    for (const char *p = data; bytes > 0;) {
        const ssize_t n = put_piece(s, p, bytes > TENSOR_FILE_PIECE ? TENSOR_FILE_PIECE : bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        p += n;
        bytes -= n;
        if (bytes > 0 && ctx_interrupted(s->ctx)) return ECANCELED;
    }
    return 0;
}

/* Likewise. */
static int write_file(sink *s, const char *header, int64_t bytes, int64_t tensors,
                      const saved_tensor *tensor)
{
    uint64_t length = (uint64_t)bytes;
    int error = write_all(s, &length, 8);
    if (!error) error = write_all(s, header, bytes);
    for (int64_t i = 0; i < tensors && !error; i++)
        error = write_all(s, tensor[i].data, tensor_bytes(&tensor[i]));
    return error;
}

static mesaopt_status replace(mesaopt_ctx *ctx, const char *path, const char *header, int64_t bytes,
                              int64_t tensors, const saved_tensor *tensor)
{
    new_file f;
    int error = new_file_begin(&f, path);
    sink s = {.ctx = ctx, .fd = f.fd};
    if (!error) error = new_file_end(&f, write_file(&s, header, bytes, tensors, tensor));
    if (error == ECANCELED && ctx_interrupted(ctx)) return ctx_stopped(ctx, "save");
    return error ? tensor_file_io(ctx, path, f.what, error) : MESAOPT_OK;
}

static mesaopt_status hand_over(mesaopt_ctx *ctx, const storage *host, const char *header,
                                int64_t bytes, int64_t tensors, const saved_tensor *tensor)
{
    sink s = {.ctx = ctx, .fd = -1, .host = host};
    const int error = write_file(&s, header, bytes, tensors, tensor);
    if (error == ECANCELED) return ctx_stopped(ctx, "save");
    if (!error) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_IO, "write: it returned %d, expected 0", (int)s.answer);
}

mesaopt_status tensor_file_write_to(mesaopt_ctx *ctx, const storage *to, int64_t texts,
                                    const tensor_file_text *text, int64_t tensors,
                                    const saved_tensor *tensor)
{
    json_out o = {0};
    put_header(&o, texts, text, tensors, tensor);
    int64_t bytes = o.used;
    if (bytes > TENSOR_FILE_MAX_HEADER)                /* what is written can be read */
        return fail(ctx, MESAOPT_E_ARGUMENT,
                    "%.200s: names and texts of %" PRId64 " bytes, expected at most %d",
                    to->path ? to->path : "save", bytes, TENSOR_FILE_MAX_HEADER);
    o = (json_out){alloc_new(&ctx->alloc, bytes, 1), 0};
    if (!o.p)
        return fail(ctx, MESAOPT_E_MEMORY, "no memory for a file header of %" PRId64 " bytes",
                    bytes);
    put_header(&o, texts, text, tensors, tensor);
    const mesaopt_status status = to->path ? replace(ctx, to->path, o.p, bytes, tensors, tensor)
                                           : hand_over(ctx, to, o.p, bytes, tensors, tensor);
    alloc_free(&ctx->alloc, o.p);
    return status;
}

mesaopt_status saved_check_finite(mesaopt_ctx *ctx, int64_t tensors, const saved_tensor *tensor)
{
    for (int64_t i = 0; i < tensors; i++) {
        const saved_tensor *t = &tensor[i];
        mesaopt_view v = {.data = (void *)t->data, .ndim = t->ndim, .dtype = t->dtype};
        int64_t at[MESAOPT_MAX_RANK], stride = 1;
        for (int32_t k = t->ndim; k-- > 0; stride *= v.shape[k])
            v.shape[k] = t->shape[k], v.stride[k] = stride;
        if (view_first_nonfinite(&v, at))          /* whatever is asked meanwhile */
            return fail(ctx, MESAOPT_E_NONFINITE, "%s: element %s is %s, expected a finite number",
                        t->name, view_list(v.ndim, at).text,
                        number_text(view_get(&v, at)).text);
    }
    return MESAOPT_OK;
}
