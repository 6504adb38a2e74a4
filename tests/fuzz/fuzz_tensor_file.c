/* The safetensors reader on any bytes: refused with a reason, or every tensor lies inside the file and can be read; then what stands on it,
 * mesaopt_model_load and mesaopt_model_open. The bytes are handed over as an anonymous file. */
#define _GNU_SOURCE
#include "fuzzing.h"
#include "train/safetensors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void read_tensor(const tensor_file *f, const file_tensor *t)
{
    enum { SOME = 64 };
    static const int32_t types[] = {MESAOPT_F32, MESAOPT_F64, MESAOPT_I32, MESAOPT_I64};
    double room[SOME];
    FUZZ_EXPECT(t->name && t->begin >= 0 && t->begin <= t->end && t->end <= f->data_bytes);
    FUZZ_EXPECT(tensor_file_find(f, t->name) != NULL);
    if (t->dtype == 0 || t->ndim > MESAOPT_MAX_RANK) return;
    int64_t count = t->count < SOME ? t->count : SOME;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        fuzz_check_error(f->ctx, tensor_file_read(f, t, 0, count, types[i], room));
        fuzz_check_error(f->ctx, tensor_file_read(f, t, t->count - count, count, types[i], room));
    }
}

static void load_model(mesaopt_ctx *ctx, const char *path)
{
    mesaopt_model *model = NULL;
    mesaopt_settings *s = fuzz_settings(MESAOPT_SCOPE_MODEL);
    FUZZ_EXPECT(mesaopt_settings_set_int(s, MESAOPT_KEY_INPUTS, 4) == MESAOPT_OK);
    FUZZ_EXPECT(mesaopt_settings_set_int(s, MESAOPT_KEY_OUTPUTS, 1) == MESAOPT_OK);
    FUZZ_EXPECT(mesaopt_model_create(ctx, s, &model) == MESAOPT_OK);
    FUZZ_EXPECT(mesaopt_model_add_text(model, "linear(heads=1,key=2)") == MESAOPT_OK);
    fuzz_check_error(ctx, mesaopt_model_load(model, path));
    mesaopt_model_free(model);
    mesaopt_settings_free(s);

    model = NULL;
    mesaopt_status status = mesaopt_model_open(ctx, path, &model);
    fuzz_check_error(ctx, status);
    FUZZ_EXPECT((status >= 0) == (model != NULL));
    mesaopt_model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("fuzz", 0);
    FUZZ_EXPECT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    mesaopt_ctx *ctx = fuzz_ctx();
    tensor_file f;
    mesaopt_status status = tensor_file_open(ctx, path, &f);
    fuzz_check_error(ctx, status);
    if (status >= 0) {
        for (int64_t i = 0; i < f.tensors; i++) read_tensor(&f, &f.tensor[i]);
        for (int64_t i = 0; i < f.texts; i++) FUZZ_EXPECT(tensor_file_metadata(&f, f.text[i].key) != NULL && strlen(f.text[i].value) < size);
        tensor_file_close(&f);
    }
    load_model(ctx, path);
    mesaopt_ctx_free(ctx);
    close(fd);
    return 0;
}
