/* mesaopt/decoder.h: validates, then delegates to lib/train/decoder*.c. */
#include "api/api_call.h"
#include "api/api_checks.h"
#include "tensor/view.h"
#include "train/decoder_impl.h"

mesaopt_status mesaopt_decoder_create(mesaopt_model *model, const mesaopt_settings *settings,
                                      mesaopt_decoder **out)
{
    call c;
    mesaopt_status status = call_begin(model, OBJECT_MODEL, CALL_IN_CALLBACK, &c, settings);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = model->head.ctx;
    CHECK(options_check(ctx, settings, MESAOPT_SCOPE_DECODER, "settings"));
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(model_check_whole(model));
    CHECK(decoder_create(model, settings, out));
    return call_end(&c, status);
}

mesaopt_status mesaopt_decoder_bytes(const mesaopt_model *model, const mesaopt_settings *settings,
                                     int64_t *bytes)
{
    mesaopt_status status = check_kind(OBJECT_MODEL, model, settings);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = model->head.ctx;
    CHECK(options_check(ctx, settings, MESAOPT_SCOPE_DECODER, "settings"));
    CHECK(check_not_null(ctx, bytes, "bytes"));
    CHECK(model_check_whole(model));
    if (status != MESAOPT_OK) return status;
    const int64_t need = decoder_bytes(model, settings);
    if (need < 0)
        return fail(ctx, MESAOPT_E_MEMORY, "streams, capacity: what they keep overflows");
    *bytes = need;
    return MESAOPT_OK;
}

mesaopt_status mesaopt_decoder_step(mesaopt_decoder *d, const mesaopt_view *tokens,
                                    const mesaopt_view *out)
{
    call c;
    call_views w;
    mesaopt_status status = call_begin(d, OBJECT_DECODER, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    const mesaopt_model *m = d->model;
    views_begin(&w, d->head.ctx);
    CHECK(views_take(&w, &tokens,
                     &(view_want){"tokens", 3, {d->streams, ANY, m->inputs}, m->dtype, 0}));
    if (status == MESAOPT_OK && out)
        status = views_take(
            &w, &out,
            &(view_want){"out", 3, {d->streams, tokens->shape[1], m->outputs}, m->dtype, 1});
    CHECK(views_apart(&w));
    CHECK(decoder_step(d, tokens, out));
    return call_end(&c, status);
}

static mesaopt_status check_stream(const mesaopt_decoder *d, int64_t stream, int64_t low)
{
    return check_extent(d->head.ctx, stream, low, d->streams - 1, "stream");
}

mesaopt_status mesaopt_decoder_reset(mesaopt_decoder *d, int64_t stream)
{
    call c;
    mesaopt_status status = call_begin(d, OBJECT_DECODER, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(check_stream(d, stream, -1));
    if (status == MESAOPT_OK) decoder_reset(d, stream);
    return call_end(&c, status);
}

static mesaopt_status check_alike(const mesaopt_decoder *d, const mesaopt_decoder *from)
{
    mesaopt_ctx *ctx = d->head.ctx;
    if (from->model != d->model)
        return fail(ctx, MESAOPT_E_ARGUMENT, "from: of another model, expected one of this");
    if (from->streams != d->streams)
        return fail(ctx, MESAOPT_E_ARGUMENT, "from: %lld streams, expected %lld",
                    (long long)from->streams, (long long)d->streams);
    if (decoder_most_steps(from) > d->most)
        return fail(ctx, MESAOPT_E_STATE, "from: %lld tokens, expected at most %lld (capacity)",
                    (long long)decoder_most_steps(from), (long long)d->most);
    return MESAOPT_OK;
}

mesaopt_status mesaopt_decoder_copy(mesaopt_decoder *d, mesaopt_decoder *from)
{
    call c;
    mesaopt_status status = call_begin(d, OBJECT_DECODER, CALL_IN_CALLBACK, &c, from);
    if (status != MESAOPT_OK) return status;
    CHECK(check_handle(d->head.ctx, from, OBJECT_DECODER, "from"));
    CHECK(check_alike(d, from));
    if (status == MESAOPT_OK && d != from) decoder_copy(d, from);
    return call_end(&c, status);
}

int64_t mesaopt_decoder_steps(const mesaopt_decoder *d, int64_t stream)
{
    mesaopt_status status = check_kind(OBJECT_DECODER, d);
    CHECK(check_stream(d, stream, 0));
    return status == MESAOPT_OK ? d->steps[stream] : status;
}

static mesaopt_status save(mesaopt_decoder *d, const storage to)
{
    call c;
    mesaopt_status status = call_begin(d, OBJECT_DECODER, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(storage_check(d->head.ctx, &to));
    CHECK(decoder_save(d, &to));
    return call_end(&c, status);
}

mesaopt_status mesaopt_decoder_save(mesaopt_decoder *d, const char *path)
{
    return save(d, at_path(path));
}

mesaopt_status mesaopt_decoder_save_to(mesaopt_decoder *d, mesaopt_write_fn write, void *user)
{
    return save(d, to_host(write, user));
}

static mesaopt_status open_decoder(mesaopt_model *model, const mesaopt_settings *settings,
                                   const storage from, mesaopt_decoder **out)
{
    call c;
    mesaopt_status status = call_begin(model, OBJECT_MODEL, CALL_IN_CALLBACK, &c, settings);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = model->head.ctx;
    CHECK(options_check(ctx, settings, MESAOPT_SCOPE_DECODER, "settings"));
    CHECK(storage_check(ctx, &from));
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(model_check_whole(model));
    CHECK(decoder_open(model, settings, &from, out));
    return call_end(&c, status);
}

mesaopt_status mesaopt_decoder_open(mesaopt_model *model, const mesaopt_settings *settings,
                                    const char *path, mesaopt_decoder **out)
{
    return open_decoder(model, settings, at_path(path), out);
}

mesaopt_status mesaopt_decoder_open_from(mesaopt_model *model, const mesaopt_settings *settings,
                                         const void *bytes, int64_t length, mesaopt_decoder **out)
{
    return open_decoder(model, settings, in_memory(bytes, length), out);
}

mesaopt_status mesaopt_decoder_set_note(mesaopt_decoder *d, const char *key, const char *text)
{
    call c;
    mesaopt_status status = call_begin(d, OBJECT_DECODER, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(notes_set(d->head.ctx, &d->notes, key, text));
    return call_end(&c, status);
}

mesaopt_status mesaopt_decoder_free(mesaopt_decoder *decoder)
{
    return object_free(decoder, OBJECT_DECODER);
}
