/* mesaopt/dlpack.h. */
#include "mesaopt/dlpack.h"
#include "api/api_call.h"
#include "api/api_checks.h"
#include "tensor/managed.h"

mesaopt_status mesaopt_dlpack_view(const void *managed, int32_t versioned, mesaopt_view *out)
{
    const char *why;
    if (!managed || !out || (versioned != 0 && versioned != 1)) return MESAOPT_E_ARGUMENT;
    return dlpack_view(managed, versioned, out, &why);
}

static void delete_plain(void *managed) { dlpack_delete(managed, 0); }
static void delete_versioned(void *managed) { dlpack_delete(managed, 1); }

static mesaopt_status check_versioned(mesaopt_ctx *ctx, int32_t versioned)
{
    if (versioned == 0 || versioned == 1) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_ARGUMENT, "versioned: %d, expected 0 or 1", (int)versioned);
}

static mesaopt_status view_of(mesaopt_ctx *ctx, const void *managed, int32_t versioned,
                              mesaopt_view *view)
{
    const char *why = "";
    mesaopt_status status = check_not_null(ctx, managed, "managed");
    CHECK(check_versioned(ctx, versioned));
    if (status != MESAOPT_OK) return status;
    status = dlpack_view(managed, versioned, view, &why);
    return status == MESAOPT_OK ? status : fail(ctx, status, "managed: %s", why);
}

mesaopt_status mesaopt_dlpack_import(mesaopt_ctx *ctx, void *managed, int32_t versioned,
                                     mesaopt_tensor **out)
{
    call c;
    mesaopt_view view;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(view_of(ctx, managed, versioned, &view));
    CHECK(tensor_wrap(ctx, &view, versioned ? delete_versioned : delete_plain, managed, out));
    return ctx_leave(&c, status);
}

/* A managed tensor of ours; the arrays of its shape and strides are those of the tensor's view. */
typedef struct exported {
    union { dlpack_plain plain; dlpack_versioned versioned; } managed;
    mesaopt_tensor *tensor;        /* counted */
} exported;

static void let_go(exported *e)
{
    mesaopt_tensor *tensor = e->tensor;
    mesaopt_ctx *ctx = tensor->head.ctx;
    object_retain(&ctx->head);
    alloc_free(&ctx->alloc, e);
    object_release(&tensor->head);
    object_release(&ctx->head);
}

static void plain_deleter(dlpack_plain *self) { let_go(self->owner); }
static void versioned_deleter(dlpack_versioned *self) { let_go(self->owner); }

static mesaopt_status export(mesaopt_tensor *t, int32_t versioned, void **managed)
{
    mesaopt_ctx *ctx = t->head.ctx;
    if (!versioned && t->view.flags & MESAOPT_VIEW_READONLY)
        return fail(ctx, MESAOPT_E_UNSUPPORTED,
                    "tensor: READONLY, which DLPack cannot say without a version");
    exported *e = alloc_new(&ctx->alloc, 1, sizeof *e);
    if (!e) return fail(ctx, MESAOPT_E_MEMORY, "memory: none for a managed tensor");
    object_retain(&t->head);
    e->tensor = t;
    if (versioned) {
        e->managed.versioned = (dlpack_versioned){.major = DLPACK_MAJOR, .owner = e,
                                                  .deleter = versioned_deleter};
        if (t->view.flags & MESAOPT_VIEW_READONLY) e->managed.versioned.flags = DLPACK_READONLY;
        dlpack_fill(&t->view, &e->managed.versioned.array);
    } else {
        e->managed.plain = (dlpack_plain){.owner = e, .deleter = plain_deleter};
        dlpack_fill(&t->view, &e->managed.plain.array);
    }
    *managed = &e->managed;
    return MESAOPT_OK;
}

mesaopt_status mesaopt_dlpack_export(mesaopt_tensor *tensor, int32_t versioned, void **managed)
{
    call c;
    mesaopt_status status = call_begin(tensor, OBJECT_TENSOR, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(check_not_null(tensor->head.ctx, managed, "managed"));
    CHECK(check_versioned(tensor->head.ctx, versioned));
    CHECK(export(tensor, versioned, managed));
    return call_end(&c, status);
}
