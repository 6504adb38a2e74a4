/* What is said of tensor files that will not do. */
#include "train/safetensors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

shown_text tensor_file_shown(const char *name)
{
    shown_text s;
    size_t n = 0, most = sizeof s.text - 4;
    for (; name[n] && n < most; n++) s.text[n] = name[n];
    if (name[n]) {
        while (n > 0 && ((unsigned char)name[n] & 0xc0) == 0x80) n--;
        memcpy(s.text + n, "...", 3);
        n += 3;
    }
    s.text[n] = 0;
    return s;
}

mesaopt_status tensor_file_fail(const tensor_file *f, const char *name, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (!name)
        return fail(f->ctx, MESAOPT_E_FORMAT, "%s: %s", tensor_file_shown(f->path).text, what);
    return fail(f->ctx, MESAOPT_E_FORMAT, "%s: tensor '%s': %s", tensor_file_shown(f->path).text,
                tensor_file_shown(name).text, what);
}

mesaopt_status storage_check(mesaopt_ctx *ctx, const storage *s)
{
    if (s->length < 0)
        return fail(ctx, MESAOPT_E_ARGUMENT, "length: %lld, expected at least 0",
                    (long long)s->length);
    if (s->path || s->write || s->bytes) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_ARGUMENT, "%s: NULL, expected a pointer", s->argument);
}

mesaopt_status tensor_file_io(mesaopt_ctx *ctx, const char *path, const char *what, int error)
{
    char words[128] = "unknown error";
    if (error < 0)
        return fail(ctx, MESAOPT_E_IO, "%s: %s", tensor_file_shown(path).text, what);
    if (strerror_r(error, words, sizeof words) != 0)
        snprintf(words, sizeof words, "error %d", error);
    return fail(ctx, MESAOPT_E_IO, "%s: %s: %s", tensor_file_shown(path).text, what, words);
}
