/* mesaopt/model.h, files: models saved, loaded, opened and imported, and what files say. */
#include "api/api_call.h"
#include "mesaopt/model.h"
#include "train/checkpoint.h"
#include "train/model_import.h"
#include "train/safetensors.h"

static mesaopt_status save(mesaopt_model *m, const storage to)
{
    call c;
    mesaopt_status status = call_begin(m, OBJECT_MODEL, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(storage_check(m->head.ctx, &to));
    CHECK(checkpoint_save_model(m, &to));
    return call_end(&c, status);
}

mesaopt_status mesaopt_model_save(mesaopt_model *m, const char *path)
{
    return save(m, at_path(path));
}

mesaopt_status mesaopt_model_save_to(mesaopt_model *m, mesaopt_write_fn write, void *user)
{
    return save(m, to_host(write, user));
}

static mesaopt_status load(mesaopt_model *m, const storage from)
{
    call c;
    mesaopt_status status = call_begin(m, OBJECT_MODEL, CALL_NORMAL, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(storage_check(m->head.ctx, &from));
    CHECK(checkpoint_load_model(m, &from));
    return call_end(&c, status);
}

mesaopt_status mesaopt_model_load(mesaopt_model *m, const char *path)
{
    return load(m, at_path(path));
}

mesaopt_status mesaopt_model_load_from(mesaopt_model *m, const void *bytes, int64_t length)
{
    return load(m, in_memory(bytes, length));
}

static mesaopt_status check_import(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                   const char *blocks, const void *out)
{
    mesaopt_status status = options_check(ctx, settings, MESAOPT_SCOPE_MODEL, "settings");
    CHECK(check_not_null(ctx, blocks, "blocks"));
    CHECK(check_not_null(ctx, out, "out"));
    return status;
}

mesaopt_status mesaopt_model_import(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                    const char *blocks, int64_t count, const char *const *names,
                                    const mesaopt_view *tensors, mesaopt_model **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    if (status != MESAOPT_OK) return status;
    CHECK(check_import(ctx, settings, blocks, out));
    if (status == MESAOPT_OK && count < 0)
        status = fail(ctx, MESAOPT_E_ARGUMENT, "count: %lld, expected >= 0", (long long)count);
    if (count > 0) CHECK(check_not_null(ctx, names, "names"));
    if (count > 0) CHECK(check_not_null(ctx, tensors, "tensors"));
    CHECK(import_views(ctx, settings, blocks, count, names, tensors, out));
    return ctx_leave(&c, status);
}

static mesaopt_status import_stored(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                    const char *blocks, const storage from, mesaopt_model **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    if (status != MESAOPT_OK) return status;
    CHECK(check_import(ctx, settings, blocks, out));
    CHECK(storage_check(ctx, &from));
    CHECK(import_file(ctx, settings, blocks, &from, out));
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_model_import_file(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                         const char *blocks, const char *path, mesaopt_model **out)
{
    return import_stored(ctx, settings, blocks, at_path(path), out);
}

mesaopt_status mesaopt_model_import_from(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                         const char *blocks, const void *bytes, int64_t length,
                                         mesaopt_model **out)
{
    return import_stored(ctx, settings, blocks, in_memory(bytes, length), out);
}

static mesaopt_status open_model(mesaopt_ctx *ctx, const storage from, mesaopt_model **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(storage_check(ctx, &from));
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(checkpoint_open_model(ctx, &from, out));
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_model_open(mesaopt_ctx *ctx, const char *path, mesaopt_model **out)
{
    return open_model(ctx, at_path(path), out);
}

mesaopt_status mesaopt_model_open_from(mesaopt_ctx *ctx, const void *bytes, int64_t length,
                                       mesaopt_model **out)
{
    return open_model(ctx, in_memory(bytes, length), out);
}

mesaopt_status mesaopt_model_set_note(mesaopt_model *m, const char *key, const char *text)
{
    call c;
    mesaopt_status status = call_begin(m, OBJECT_MODEL, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(notes_set(m->head.ctx, &m->notes, key, text));
    return call_end(&c, status);
}

static int64_t read_note(mesaopt_ctx *ctx, const storage from, const char *key, char *buf,
                         int64_t cap)
{
    call c;
    tensor_file f;
    int64_t bytes = 0;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(storage_check(ctx, &from));
    CHECK(check_not_null(ctx, key, "key"));
    if (status == MESAOPT_OK && (cap < 0 || (!buf && cap > 0)))
        status = fail(ctx, MESAOPT_E_ARGUMENT, "buf: %lld bytes, expected a buffer or 0 bytes",
                      (long long)cap);
    CHECK(tensor_file_open_from(ctx, &from, &f));
    if (status == MESAOPT_OK) {
        const char *text = tensor_file_metadata(&f, key);
        bytes = text ? text_out(text, buf, cap) : 0;
        tensor_file_close(&f);
    }
    status = ctx_leave(&c, status);
    return status == MESAOPT_OK ? bytes : status;
}

int64_t mesaopt_file_note(mesaopt_ctx *ctx, const char *path, const char *key, char *buf,
                          int64_t cap)
{
    return read_note(ctx, at_path(path), key, buf, cap);
}

int64_t mesaopt_file_note_from(mesaopt_ctx *ctx, const void *bytes, int64_t length,
                               const char *key, char *buf, int64_t cap)
{
    return read_note(ctx, in_memory(bytes, length), key, buf, cap);
}
