/* Tensor files in the safetensors format: an atomic writer, and a reader that trusts nothing in the
 * file.
 *
 *     u64 n | header: n bytes of JSON, padded with blanks | data header = { "__metadata__": { text:
 *     text, ... }, name: { "dtype": "F32", "shape": [..], "data_offsets": [begin, end] }, ... }
 *
 * Everything is little endian; offsets count from the start of the data, tensors are dense,
 * row-major, and fill the data without gaps.
 * Source: the format description at github.com/huggingface/safetensors. */
#ifndef TRAIN_SAFETENSORS_H
#define TRAIN_SAFETENSORS_H

#include "base/notes.h"
#include "mesaopt/tensor.h"

enum {
    TENSOR_FILE_MAX_HEADER = 64 << 20,
    TENSOR_FILE_MAX_TOKENS = 1 << 22,
    TENSOR_FILE_MAX_DEPTH = 16,
    TENSOR_FILE_PIECE = 64 << 20   /* bytes that are read or written between two looks at
                                      ctx_interrupted */
};

typedef struct tensor_file_text { const char *key, *value; } tensor_file_text;

/* Writing. `data` is dense and row-major; tensors come in the order of falling element size, so
 * that each is aligned. */
typedef struct saved_tensor {
    const char *name;              /* UTF-8, unique */
    int32_t dtype, ndim;           /* MESAOPT_F32, ... */
    int64_t shape[MESAOPT_MAX_RANK];
    const void *data;
} saved_tensor;

/* Where a file is, or goes: a path; a host that takes its bytes in turn (it answers 0, or the file
 * ends); or bytes in memory. */
typedef struct storage {
    const char *path;              /* NULL: one of the others */
    mesaopt_write_fn write;
    void *user;
    const void *bytes;             /* they stay until the file is closed */
    int64_t length;
    const char *argument;          /* of the public call, for its text: "path", "write", "bytes" */
} storage;

static inline storage at_path(const char *path)
{
    return (storage){.path = path, .argument = "path"};
}
static inline storage to_host(mesaopt_write_fn write, void *user)
{
    return (storage){.write = write, .user = user, .argument = "write"};
}
static inline storage in_memory(const void *bytes, int64_t length)
{
    return (storage){.bytes = bytes, .length = length, .argument = "bytes"};
}
/* Is it one? */
mesaopt_status storage_check(mesaopt_ctx *ctx, const storage *s);

/* Writes to a path or a host. What the path names is replaced (replace_file.h). On failure
 * MESAOPT_E_IO with the system's words (or MESAOPT_E_MEMORY, or MESAOPT_E_ARGUMENT for more names
 * and texts than can be read); a file that was there is as it was. */
mesaopt_status tensor_file_write_to(mesaopt_ctx *ctx, const storage *to, int64_t texts,
                                    const tensor_file_text *text, int64_t tensors,
                                    const saved_tensor *tensor);
static inline mesaopt_status tensor_file_write(mesaopt_ctx *ctx, const char *path, int64_t texts,
                                               const tensor_file_text *text, int64_t tensors,
                                               const saved_tensor *tensor)
{
    return tensor_file_write_to(ctx, &(storage){.path = path}, texts, text, tensors, tensor);
}

/* MESAOPT_E_NONFINITE names the first element (f32, f64) that no file is opened with. */
mesaopt_status saved_check_finite(mesaopt_ctx *ctx, int64_t tensors, const saved_tensor *tensor);

/* Reading. */
typedef struct file_tensor {
    const char *name;
    int32_t dtype;                 /* MESAOPT_F32, ...; 0: of a type that this library does not
                                      read */
    int32_t ndim;                  /* beyond MESAOPT_MAX_RANK it cannot be read, and `shape` holds
                                      the first extents only */
    int64_t shape[MESAOPT_MAX_RANK];
    int64_t count;                 /* elements */
    int64_t begin, end;            /* bytes from the start of the data */
} file_tensor;

typedef struct tensor_file {
    mesaopt_ctx *ctx;
    const char *path;              /* as given, or "memory"; the caller keeps it */
    const char *bytes;             /* NULL: of the file fd */
    int fd;
    int64_t size;                  /* of all of it */
    int64_t data_start, data_bytes;
    char *header;                  /* names and texts point into it */
    int64_t tensors, texts;
    file_tensor *tensor;           /* by name, rising bytes */
    tensor_file_text *text;        /* by key, rising bytes */
} tensor_file;

/* Opens and checks a whole header, all of it before anything is used. MESAOPT_E_FORMAT names the
 * file and the tensor; MESAOPT_E_IO. On failure nothing needs closing; after tensor_file_close
 * neither. */
mesaopt_status tensor_file_open_from(mesaopt_ctx *ctx, const storage *from, tensor_file *out);
static inline mesaopt_status tensor_file_open(mesaopt_ctx *ctx, const char *path, tensor_file *out)
{
    return tensor_file_open_from(ctx, &(storage){.path = path}, out);
}
void tensor_file_close(tensor_file *f);

/* NULL: there is none */
const file_tensor *tensor_file_find(const tensor_file *f, const char *name);
/* NULL: there is none */
const char *tensor_file_metadata(const tensor_file *f, const char *key);

/* All texts that are not the library's own become notes. */
mesaopt_status tensor_file_notes(const tensor_file *f, notes *out);

/* The tensor of this name if it has this shape and a type that can be read as f32 and f64;
 * otherwise MESAOPT_E_FORMAT. */
mesaopt_status tensor_file_expect(const tensor_file *f, const char *name, int32_t ndim,
                                  const int64_t *shape, const file_tensor **out);

/* Elements first .. first + count - 1 in row-major order into dense memory of type `dtype`: f64,
 * f32, f16 and bf16 become f32 or f64, integers keep their type (MESAOPT_E_DTYPE otherwise). Reads,
 * and does not map, so that a file cut short meanwhile is an error and no signal. */
mesaopt_status tensor_file_read(const tensor_file *f, const file_tensor *t, int64_t first,
                                int64_t count, int32_t dtype, void *out);

/* ---- texts: safetensors_text.c ---- */

/* Paths and names of tensors, cut to a readable length, between characters; fail() makes them one
 * line. */
typedef struct shown_text { char text[164]; } shown_text;
shown_text tensor_file_shown(const char *name);

/* "PATH: tensor 'NAME': ..." (name NULL: "PATH: ...") with both cut to a readable length. Returns
 * MESAOPT_E_FORMAT. */
mesaopt_status tensor_file_fail(const tensor_file *f, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* MESAOPT_E_IO: "PATH: WHAT: the system's words for `error`"; -1: "PATH: WHAT". */
mesaopt_status tensor_file_io(mesaopt_ctx *ctx, const char *path, const char *what, int error);

/* safetensors_header.c: parses f->header (f->data_start - 8 bytes and a final NUL) into tensors and
 * texts. */
mesaopt_status tensor_file_parse(tensor_file *f);

#endif
