/* mesaopt/dlpack.h with managed tensors made by hand, laid out as DLPack 1.x says (dlpack.h of dmlc/dlpack), not as the library's own declaration does. */
#include "hook_alloc.h"
#include "mesaopt/mesaopt.h"

#include <check.h>
#include <stddef.h>
#include <string.h>

typedef struct { int32_t device_type, device_id; } device;
typedef struct { uint8_t code, bits; uint16_t lanes; } data_type;
typedef struct { void *data; device device; int32_t ndim; data_type dtype; int64_t *shape, *strides; uint64_t byte_offset; } array;
typedef struct plain { array dl_tensor; void *manager_ctx; void (*deleter)(struct plain *); } plain;
typedef struct versioned { struct { uint32_t major, minor; } version; void *manager_ctx; void (*deleter)(struct versioned *); uint64_t flags; array dl_tensor; } versioned;

static mesaopt_ctx *ctx;
static int deleted;
static float f[24];
static int64_t shape[] = {2, 3, 4}, strides[] = {1, 8, 2};

static void setup(void) { ck_assert_int_eq(mesaopt_ctx_create(NULL, &ctx), MESAOPT_OK); deleted = 0; for (int i = 0; i < 24; i++) f[i] = (float)i; }
static void teardown(void) { mesaopt_ctx_free(ctx); }
static void delete_plain(plain *p) { ck_assert_ptr_eq(p->manager_ctx, &deleted); deleted++; }
static void delete_versioned(versioned *p) { ck_assert_ptr_eq(p->manager_ctx, &deleted); deleted++; }

static array floats(void) { return (array){f, {1, 0}, 3, {2, 32, 1}, shape, strides, 0}; }
static plain old(void) { return (plain){floats(), &deleted, delete_plain}; }
static versioned new(void) { return (versioned){{1, 1}, &deleted, delete_versioned, 0, floats()}; }

START_TEST(views)
{
    mesaopt_view v;
    plain p = old();
    ck_assert_int_eq(mesaopt_dlpack_view(&p, 0, &v), MESAOPT_OK);
    ck_assert(v.data == f && v.ndim == 3 && v.dtype == MESAOPT_F32 && v.flags == 0 && !memcmp(v.shape, shape, sizeof shape) && !memcmp(v.stride, strides, sizeof strides));
    versioned n = new();
    n.flags = 1;
    n.dl_tensor.byte_offset = 8;
    n.dl_tensor.strides = NULL;
    ck_assert_int_eq(mesaopt_dlpack_view(&n, 1, &v), MESAOPT_OK);
    ck_assert(v.data == f + 2 && v.flags == MESAOPT_VIEW_READONLY && v.stride[0] == 12 && v.stride[1] == 4 && v.stride[2] == 1);
    n.flags = 2;                                           /* a copy, which is nobody else's */
    ck_assert_int_eq(mesaopt_dlpack_view(&n, 1, &v), MESAOPT_OK);
    ck_assert_int_eq(v.flags, 0);
    n.dl_tensor.ndim = 0;
    n.dl_tensor.shape = NULL;
    ck_assert_int_eq(mesaopt_dlpack_view(&n, 1, &v), MESAOPT_OK);
    ck_assert_int_eq(v.ndim, 0);
    ck_assert_int_eq(deleted, 0);
}
END_TEST

static const struct { data_type type; int32_t dtype; } types[] = {
    {{2, 32, 1}, MESAOPT_F32}, {{2, 64, 1}, MESAOPT_F64}, {{2, 16, 1}, MESAOPT_F16}, {{4, 16, 1}, MESAOPT_BF16}, {{0, 32, 1}, MESAOPT_I32}, {{0, 64, 1}, MESAOPT_I64},
    {{6, 8, 1}, MESAOPT_BOOL}, {{2, 32, 2}, 0}, {{0, 8, 1}, 0}, {{1, 32, 1}, 0}, {{5, 64, 1}, 0}, {{2, 128, 1}, 0},
};

START_TEST(types_and_devices)
{
    mesaopt_view v;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        versioned n = new();
        n.dl_tensor.dtype = types[i].type;
        ck_assert_int_eq(mesaopt_dlpack_view(&n, 1, &v), types[i].dtype ? MESAOPT_OK : MESAOPT_E_DTYPE);
        if (types[i].dtype) ck_assert_int_eq(v.dtype, types[i].dtype);
    }
    for (int32_t d = 0; d < 20; d++) {
        plain p = old();
        p.dl_tensor.device.device_type = d;
        ck_assert_int_eq(mesaopt_dlpack_view(&p, 0, &v), d == 1 || d == 3 || d == 11 ? MESAOPT_OK : MESAOPT_E_UNSUPPORTED);
    }
}
END_TEST

static void refused(versioned n, mesaopt_status status, const char *text)
{
    mesaopt_view v = {.ndim = 77};
    mesaopt_tensor *t = NULL;
    char said[256];
    if (status != MESAOPT_E_MEMORY) ck_assert_int_eq(mesaopt_dlpack_view(&n, 1, &v), status);
    ck_assert_int_eq(v.ndim, 77);
    ck_assert_int_eq(mesaopt_dlpack_import(ctx, &n, 1, &t), status);
    mesaopt_ctx_error(ctx, said, sizeof said);
    ck_assert_msg(strstr(said, text) != NULL, "%s", said);
    ck_assert(t == NULL && deleted == 0);
}

START_TEST(refusals)
{
    versioned n = new();
    int64_t negative[] = {2, -3, 4}, huge[] = {1ll << 40, 1ll << 40, 2};
    n.version.major = 2;
    refused(n, MESAOPT_E_UNSUPPORTED, "managed: of another major version");
    n = new(), n.dl_tensor.ndim = 7;
    refused(n, MESAOPT_E_SHAPE, "managed: more than 6 axes");
    n = new(), n.dl_tensor.shape = negative;
    refused(n, MESAOPT_E_SHAPE, "managed: an extent below 0");
    n = new(), n.dl_tensor.shape = huge, n.dl_tensor.strides = NULL;
    refused(n, MESAOPT_E_SHAPE, "managed: too large");
    n = new(), n.dl_tensor.shape = NULL;
    refused(n, MESAOPT_E_SHAPE, "managed: without a shape");
    n = new(), n.dl_tensor.device.device_type = 2;
    refused(n, MESAOPT_E_UNSUPPORTED, "managed: on another device");
    mesaopt_tensor *t = NULL;
    n = new(), n.dl_tensor.byte_offset = 2;                /* a view may be so, no tensor */
    ck_assert_int_eq(mesaopt_dlpack_import(ctx, &n, 1, &t), MESAOPT_E_ARGUMENT);
    ck_assert(t == NULL && deleted == 0);
}
END_TEST

START_TEST(import_takes_over)
{
    plain p = old();
    versioned n = new();
    mesaopt_tensor *a = NULL, *b = NULL;
    mesaopt_view v;
    n.dl_tensor.shape = (int64_t[]){3, 8, 1}, n.dl_tensor.strides = NULL;
    ck_assert_int_eq(mesaopt_dlpack_import(ctx, &p, 0, &a), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_dlpack_import(ctx, &n, 1, &b), MESAOPT_OK);
    mesaopt_tensor_view(a, &v);
    ck_assert(v.data == f && v.stride[1] == 8);
    mesaopt_task *task;
    ck_assert_int_eq(mesaopt_task_from_tensor(ctx, NULL, b, &task), MESAOPT_OK);
    mesaopt_tensor_free(a);
    ck_assert_int_eq(deleted, 1);
    mesaopt_tensor_free(b);
    ck_assert_int_eq(deleted, 1);                          /* the task has it yet */
    mesaopt_task_free(task);
    ck_assert_int_eq(deleted, 2);
    n.deleter = NULL;
    ck_assert_int_eq(mesaopt_dlpack_import(ctx, &n, 1, &b), MESAOPT_OK);
    mesaopt_tensor_free(b);
}
END_TEST

static void release(void *user) { ++*(int *)user; }

START_TEST(export_lives_until_it_is_deleted)
{
    mesaopt_view v, back;
    mesaopt_tensor *t;
    void *m = NULL;
    int released = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (!types[i].dtype) continue;
        double room[24];
        ck_assert_int_eq(mesaopt_view_dense(room, types[i].dtype, 3, shape, &v), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_tensor_wrap(ctx, &v, release, &released, &t), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_dlpack_export(t, 0, &m), MESAOPT_OK);
        plain *p = m;
        ck_assert(!memcmp(&p->dl_tensor.dtype, &types[i].type, sizeof types[i].type) && p->dl_tensor.device.device_type == 1 && p->dl_tensor.byte_offset == 0);
        ck_assert_int_eq(mesaopt_dlpack_view(m, 0, &back), MESAOPT_OK);
        ck_assert(!memcmp(&v, &back, sizeof v));
        mesaopt_tensor_free(t);
        ck_assert_int_eq(released, 0);
        p->deleter(p);
        ck_assert_int_eq(released, 1);
        released = 0;
    }
    v = (mesaopt_view){f, {2, 3, 4}, {1, 8, 2}, 3, MESAOPT_F32, MESAOPT_VIEW_READONLY, 0};
    ck_assert_int_eq(mesaopt_tensor_wrap(ctx, &v, NULL, NULL, &t), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_dlpack_export(t, 0, &m), MESAOPT_E_UNSUPPORTED);
    ck_assert_int_eq(mesaopt_dlpack_export(t, 1, &m), MESAOPT_OK);
    mesaopt_tensor_free(t);
    mesaopt_ctx_free(ctx);                                 /* any order */
    versioned *n = m;
    ck_assert(n->version.major == 1 && n->flags == 1 && n->dl_tensor.strides[1] == 8);
    n->deleter(n);
    setup();
}
END_TEST

Suite *test_dlpack_suite(void)
{
    Suite *s = suite_create("dlpack");
    TCase *c = tcase_create("dlpack");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, views);
    tcase_add_test(c, types_and_devices);
    tcase_add_test(c, refusals);
    tcase_add_test(c, import_takes_over);
    tcase_add_test(c, export_lives_until_it_is_deleted);
    suite_add_tcase(s, c);
    return s;
}
