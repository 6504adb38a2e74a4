/* Checkpoints of models and trainers: what is in them, and files that are not what they should be. A good file is taken apart with the
 * library's reader, changed in one place and written again. */
#include "train/safetensors.h"
#include "training_setup.h"

#include <math.h>

static char folder[64], path[96], changed[96];
static mesaopt_ctx *ctx;
static setup s;
static char logged[2048];

static void keep_log(const char *line, void *user)
{
    (void)user;
    strncat(logged, line, sizeof logged - strlen(logged) - 2);
    strcat(logged, "\n");
}

static void start(void)
{
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    snprintf(changed, sizeof changed, "%s/b.safetensors", folder);
    mesaopt_settings *settings = settings_from(MESAOPT_SCOPE_CTX, "");
    ck_assert_int_eq(mesaopt_settings_set_log(settings, keep_log, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_create(settings, &ctx), MESAOPT_OK);
    mesaopt_settings_free(settings);
    s = setup_start(ctx, &small_linear);
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 15, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_save(s.trainer, path), MESAOPT_OK);
}

static void end(void)
{
    setup_end(&s);
    mesaopt_ctx_free(ctx);
    unlink(path);
    unlink(changed);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* What to change on the way from `path` to `changed`. */
typedef struct change {
    const char *key, *value;       /* metadata; value NULL: leave it out */
    const char *tensor;            /* this one: left out (element < 0), or `x` written to an element */
    int64_t element;
    double x;
    int32_t dtype;                 /* not 0: all tensors in this type (f64, f32) */
    const char *says;
} change;

static int64_t copy_tensors(const tensor_file *f, const change *c, saved_tensor *out, double (*room)[64])
{
    int64_t n = 0;
    for (int64_t i = 0; i < f->tensors; i++) {
        const file_tensor *t = &f->tensor[i];
        const int32_t dtype = c->dtype ? c->dtype : t->dtype;
        const int chosen = c->tensor && strcmp(c->tensor, t->name) == 0;
        if (chosen && c->element < 0) continue;
        ck_assert_int_le(t->count * 8, (int64_t)sizeof room[n] * 4);
        void *data = room[4 * n];
        ck_assert_int_eq(tensor_file_read(f, t, 0, t->count, dtype, data), MESAOPT_OK);
        if (chosen && dtype == MESAOPT_F32) ((float *)data)[c->element] = (float)c->x;
        else if (chosen) ((double *)data)[c->element] = c->x;
        out[n++] = (saved_tensor){t->name, dtype, t->ndim, {t->shape[0], t->shape[1]}, data};
    }
    return n;
}

static void make_changed(const change *c)
{
    static double room[4 * 32][64];
    tensor_file f;
    saved_tensor tensors[32];
    tensor_file_text texts[16];
    int64_t n_texts = 0;
    ck_assert_int_eq(tensor_file_open(ctx, path, &f), MESAOPT_OK);
    ck_assert_int_le(f.tensors, 32);
    for (int64_t i = 0; i < f.texts; i++) {
        texts[n_texts] = f.text[i];
        if (c->key && strcmp(c->key, f.text[i].key) == 0) {
            if (!c->value) continue;
            texts[n_texts].value = c->value;
        }
        n_texts++;
    }
    if (c->key && c->value && !tensor_file_metadata(&f, c->key)) texts[n_texts++] = (tensor_file_text){c->key, c->value};
    const int64_t n = copy_tensors(&f, c, tensors, room);
    ck_assert_int_eq(tensor_file_write(ctx, changed, n_texts, texts, n, tensors), MESAOPT_OK);
    tensor_file_close(&f);
}

static unsigned char now[2][1 << 16];

static int64_t state_of(int which)
{
    char own[96];
    snprintf(own, sizeof own, "%s/c.safetensors", folder);
    ck_assert_int_eq(mesaopt_trainer_save(s.trainer, own), MESAOPT_OK);
    const int64_t n = file_read(own, now[which], sizeof now[which]);
    unlink(own);
    return n;
}

static const change bad_trainers[] = {
    {.key = "mesaopt.format", .says = "no metadata mesaopt.format, expected"},
    {.key = "mesaopt.format", .value = "2", .says = "mesaopt.format: 2, expected at most 1"},
    {.key = "mesaopt.format", .value = "one", .says = "mesaopt.format: \"one\", expected an integer"},
    {.key = "mesaopt.kind", .value = "model", .says = "a checkpoint of a model, expected one of a trainer"},
    {.key = "mesaopt.kind", .says = "no metadata mesaopt.kind"},
    {.key = "mesaopt.blocks", .says = "no metadata mesaopt.blocks"},
    {.key = "mesaopt.blocks", .value = "linear", .says = "blocks \"linear\", expected \"mask(first=3); 2 x linear("},
    {.key = "mesaopt.model", .value = "seed=5 dtype=f64 inputs=12 outputs=3", .says = "model setting dtype: 1, expected 0"},
    {.key = "mesaopt.model", .value = "dtype=f32 inputs=13 outputs=3", .says = "model setting inputs: 13, expected 12"},
    {.key = "mesaopt.model", .value = "inputs=12 colour=3", .says = "mesaopt.model: "},
    {.key = "mesaopt.model", .value = "inputs=12 outputs", .says = "expected name=value at \"outputs\""},
    {.key = "mesaopt.model", .value = "inputs=12 =3", .says = "expected name=value at \"=3\""},
    {.key = "mesaopt.model", .value = "inputs= outputs=3", .says = "expected name=value"},
    {.key = "mesaopt.step", .says = "no metadata mesaopt.step"},
    {.key = "mesaopt.step", .value = "-1", .says = "mesaopt.step: \"-1\", expected an integer >= 0"},
    {.key = "mesaopt.step", .value = "9223372036854775807", .says = "beyond the end of the stream"},
    {.key = "mesaopt.step", .value = "9223372036854775808", .says = "expected an integer >= 0"},
    {.key = "mesaopt.isa", .says = "no metadata mesaopt.isa"},
    {.key = "mesaopt.frozen_steps", .value = "blocks.1.query=16", .says = "mesaopt.frozen_steps: \"blocks.1.query=16\", expected name=steps"},
    {.key = "mesaopt.frozen_steps", .value = "blocks.1.query=0", .says = "mesaopt.frozen_steps: \"blocks.1.query=0\""},
    {.key = "mesaopt.frozen_steps", .value = "blocks.1.query=3 blocks.1.query=3", .says = "mesaopt.frozen_steps: \"blocks.1.query=3\""},
    {.key = "mesaopt.frozen_steps", .value = "blocks.2.query=3 blocks.1.query=3", .says = "mesaopt.frozen_steps: \"blocks.1.query=3\""},
    {.key = "mesaopt.frozen_steps", .value = "blocks.1.query=-1", .says = "mesaopt.frozen_steps: \"blocks.1.query=-1\""},
    {.key = "mesaopt.frozen_steps", .value = "blocks.1.query", .says = "mesaopt.frozen_steps: \"blocks.1.query\""},
    {.key = "mesaopt.frozen_steps", .value = "blocks.1.query=11111111111111111111111111111111", .says = "mesaopt.frozen_steps: \"blocks.1.query=111"},
    {.key = "mesaopt.frozen_steps", .value = "nowhere=1", .says = "mesaopt.frozen_steps: \"nowhere=1\""},
    {.key = "mesaopt.lanes", .value = "0", .says = "mesaopt.lanes"},
    {.tensor = "blocks.2.key", .element = -1, .says = "tensor 'blocks.2.key': it is missing"},
    {.tensor = "adamw.m.blocks.1.query", .element = -1, .says = "tensor 'adamw.m.blocks.1.query': it is missing"},
    {.tensor = "adamw.v.blocks.2.output", .element = -1, .says = "tensor 'adamw.v.blocks.2.output': it is missing"},
    {.tensor = "blocks.1.value", .element = 9, .x = NAN, .says = "tensor 'blocks.1.value': element [1,1] is not a finite f32"},
    {.tensor = "adamw.m.blocks.1.value", .element = 0, .x = INFINITY, .says = "tensor 'adamw.m.blocks.1.value': element [0,0] is not a finite f32"},
    {.tensor = "adamw.v.blocks.1.value", .element = 3, .x = -1e-9, .says = "tensor 'adamw.v.blocks.1.value': element [0,3] is negative"},
    {.dtype = MESAOPT_F64, .tensor = "blocks.1.value", .element = 2, .x = 1e39, .says = "tensor 'blocks.1.value': element [0,2] is not a finite f32"},
};
enum { BAD_TRAINERS = sizeof bad_trainers / sizeof *bad_trainers };

START_TEST(refused_trainers)
{
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 18, NULL, NULL), MESAOPT_OK);
    const int64_t bytes = state_of(0);
    make_changed(&bad_trainers[_i]);
    ck_assert_int_eq(mesaopt_trainer_load(s.trainer, changed), MESAOPT_E_FORMAT);
    ck_assert_msg(strstr(error_of(ctx), bad_trainers[_i].says) && strstr(error_of(ctx), "b.safetensors"), "'%s' does not say '%s'",
                  error_of(ctx), bad_trainers[_i].says);
    ck_assert_int_eq(state_of(1), bytes);
    ck_assert_mem_eq(now[0], now[1], (size_t)bytes);
    ck_assert_int_eq(mesaopt_trainer_load(s.trainer, path), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_steps(s.trainer), 15);
}
END_TEST

/* Cut anywhere, it is refused as a whole. */
START_TEST(truncated)
{
    static unsigned char file[1 << 16];
    const int64_t n = file_read(path, file, sizeof file);
    for (int64_t cut = 0; cut < n; cut += 1 + cut / 7) {
        FILE *f = fopen(changed, "wb");
        ck_assert_uint_eq(fwrite(file, 1, (size_t)cut, f), (size_t)cut);
        fclose(f);
        mesaopt_model *opened = NULL;
        ck_assert_int_eq(mesaopt_trainer_load(s.trainer, changed), MESAOPT_E_FORMAT);
        ck_assert_int_eq(mesaopt_model_load(s.model, changed), MESAOPT_E_FORMAT);
        ck_assert_int_eq(mesaopt_model_open(ctx, changed, &opened), MESAOPT_E_FORMAT);
        ck_assert_ptr_null(opened);
    }
    ck_assert_int_eq(mesaopt_trainer_load(s.trainer, folder), MESAOPT_E_IO);
    ck_assert_int_eq(mesaopt_trainer_load(s.trainer, changed), MESAOPT_E_FORMAT);
    ck_assert_int_eq(mesaopt_trainer_save(s.trainer, folder), MESAOPT_E_IO);
    ck_assert_int_eq(mesaopt_trainer_save(s.trainer, "/nonexistent/a.safetensors"), MESAOPT_E_IO);
}
END_TEST

START_TEST(other_machine)
{
    int32_t isa;
    ck_assert_int_eq(mesaopt_ctx_isa(ctx, &isa), MESAOPT_OK);
    make_changed(&(change){.key = "mesaopt.isa", .value = isa == MESAOPT_ISA_BASELINE ? "avx2" : "baseline"});
    ck_assert_int_eq(mesaopt_trainer_load(s.trainer, changed), MESAOPT_OTHER_ISA);
    make_changed(&(change){.key = "mesaopt.lanes", .value = "3"});
    ck_assert_int_eq(mesaopt_trainer_load(s.trainer, changed), MESAOPT_OTHER_ISA);
    ck_assert_int_eq(mesaopt_trainer_steps(s.trainer), 15);
    mesaopt_ctx *baseline = context_at(MESAOPT_ISA_BASELINE, 1);
    setup b = setup_start(baseline, &small_linear);
    ck_assert_int_eq(mesaopt_trainer_load(b.trainer, path), isa == MESAOPT_ISA_BASELINE ? MESAOPT_OK : MESAOPT_OTHER_ISA);
    ck_assert_int_eq(mesaopt_trainer_run(b.trainer, 30, NULL, NULL), MESAOPT_OK);
    setup_end(&b);
    mesaopt_ctx_free(baseline);
}
END_TEST

/* Another recipe is taken, and every setting that differs is said. */
START_TEST(other_settings)
{
    recipe r = small_linear;
    r.trainer = "batch=37 lr=1e-4 warmup=10 cosine_steps=150 weight_decay=0.05";
    setup o = setup_start(ctx, &r);
    logged[0] = 0;
    ck_assert_int_eq(mesaopt_trainer_load(s.trainer, path), MESAOPT_OK);
    ck_assert_str_eq(logged, "");
    ck_assert_int_eq(mesaopt_trainer_load(o.trainer, path), MESAOPT_OK);
    ck_assert_ptr_nonnull(strstr(logged, ": lr was 0.003, now 0.0001\n"));
    ck_assert_ptr_nonnull(strstr(logged, ": clip_norm was 0.5, now "));
    ck_assert_ptr_null(strstr(logged, "batch"));
    setup_end(&o);
}
END_TEST

/* Other data are refused by the name of the setting, and nothing changes; told so, they are taken and said. */
static const struct { const char *task, *says, *change; } other_tasks[] = {
    {"dim=3 length=9 tokens=constructed seed=12", "task setting seed: 11, expected 12 as", "seed"},
    {"dim=3 length=9 tokens=constructed seed=11 noise=0.1", "task setting noise: 0.01, expected 0.1 as", "noise"},
    {"dim=3 length=8 tokens=constructed seed=11", "task setting length: 9, expected 8 as", "length"},
    {"dim=3 length=9 tokens=constructed seed=11 data_clip=3", "task setting data_clip: 10, expected 3 as", "data_clip"},
    {"dim=3 length=9 tokens=constructed seed=11 task=fixed_teacher", "task setting task: linear, expected fixed_teacher as", "task"},
    {"dim=3 length=9 tokens=constructed seed=11 task=contracting", "task: linear, expected contracting; data_clip: 10, expected 2 as",
     "data_clip,task"},
    {"dim=3 length=9 tokens=slots slots=4 seed=11", "tokens: constructed, expected slots; slots: (none), expected 4 as", "slots,tokens"},
    {"dim=3 length=9 tokens=constructed seed=2 noise=1", "noise: 0.01, expected 1; seed: 11, expected 2 as", "all"},
};
enum { OTHER_TASKS = sizeof other_tasks / sizeof *other_tasks };

START_TEST(refused_tasks)
{
    recipe r = small_linear;
    static unsigned char before[1 << 16], after[1 << 16];
    r.task = other_tasks[_i].task;
    setup o = setup_start(ctx, &r);
    ck_assert_int_eq(mesaopt_trainer_save(o.trainer, changed), MESAOPT_OK);
    const int64_t n = file_read(changed, before, sizeof before);
    logged[0] = 0;
    REFUSED(ctx, MESAOPT_E_SETTING, other_tasks[_i].says, mesaopt_trainer_load(o.trainer, path));
    REFUSED(ctx, MESAOPT_E_SETTING, other_tasks[_i].says, mesaopt_trainer_load_changed(o.trainer, path, ""));
    REFUSED(ctx, MESAOPT_E_SETTING, other_tasks[_i].says, mesaopt_trainer_load_changed(o.trainer, path, "dim"));
    ck_assert_str_eq(logged, "");
    ck_assert_int_eq(mesaopt_trainer_save(o.trainer, changed), MESAOPT_OK);
    ck_assert_int_eq(file_read(changed, after, sizeof after), n);
    ck_assert(memcmp(before, after, (size_t)n) == 0);
    ck_assert_msg(mesaopt_trainer_load_changed(o.trainer, path, other_tasks[_i].change) == MESAOPT_OK, "%s", error_of(ctx));
    ck_assert_int_eq(mesaopt_trainer_steps(o.trainer), 15);
    ck_assert_ptr_nonnull(strstr(logged, " was "));
    REFUSED(ctx, MESAOPT_E_SETTING, "change: 'noize', expected all or names out of task=", mesaopt_trainer_load_changed(s.trainer, path, "seed,noize"));
    setup_end(&o);
}
END_TEST

/* A trainer on sequences of the caller's. */
static setup on_own(mesaopt_tensor *sequences)
{
    mesaopt_settings *task = settings_from(MESAOPT_SCOPE_TASK, "tokens=constructed"), *model = settings_from(MESAOPT_SCOPE_MODEL, "inputs=4 outputs=1");
    mesaopt_settings *trainer = settings_from(MESAOPT_SCOPE_TRAINER, "batch=2");
    setup o = {.ctx = ctx};
    ck_assert_int_eq(mesaopt_model_create(ctx, model, &o.model), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_add_text(o.model, "linear(heads=1,key=2)"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_from_tensor(ctx, task, sequences, &o.task), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_create(ctx, trainer, o.model, o.task, &o.trainer), MESAOPT_OK);
    mesaopt_settings_free(task);
    mesaopt_settings_free(model);
    mesaopt_settings_free(trainer);
    return o;
}

static setup on_numbers(const double *x, int64_t count, int32_t dtype)
{
    mesaopt_tensor *t = NULL;
    mesaopt_view view;
    ck_assert_int_eq(mesaopt_tensor_create(ctx, dtype, 3, (int64_t[]){count, 12 / count, 1}, &t), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_view(t, &view), MESAOPT_OK);
    for (int i = 0; i < 12; i++)
        if (dtype == MESAOPT_F32) ((float *)view.data)[i] = (float)x[i];
        else ((double *)view.data)[i] = x[i];
    setup o = on_own(t);
    mesaopt_tensor_free(t);
    return o;
}

/* Own sequences are the same when their numbers are, whatever holds them. */
START_TEST(own_data)
{
    double x[12] = {1, -2, 0.5, 3, 0.25, -1, 2, 4, -0.125, 1, 0, 7}, swapped[12], nudged[12];
    memcpy(swapped, x, sizeof x), memcpy(nudged, x, sizeof x);
    swapped[3] = x[4], swapped[4] = x[3];
    nudged[11] = nextafter(x[11], 8);
    setup first = on_numbers(x, 3, MESAOPT_F64), same = on_numbers(x, 3, MESAOPT_F32), other[3];
    other[0] = on_numbers(swapped, 3, MESAOPT_F64), other[1] = on_numbers(nudged, 3, MESAOPT_F64), other[2] = on_numbers(x, 4, MESAOPT_F64);
    ck_assert_int_eq(mesaopt_trainer_save(first.trainer, changed), MESAOPT_OK);
    ck_assert_msg(mesaopt_trainer_load(same.trainer, changed) == MESAOPT_OK, "%s", error_of(ctx));
    for (int i = 0; i < 3; i++) {
        REFUSED(ctx, MESAOPT_E_SETTING, i < 2 ? "task setting data: " : "length: 3, expected 2; sequences: 3, expected 4",
                mesaopt_trainer_load(other[i].trainer, changed));
        ck_assert_int_eq(mesaopt_trainer_load_changed(other[i].trainer, changed, "length,data,sequences"), MESAOPT_OK);
        setup_end(&other[i]);
    }
    setup_end(&same);
    setup_end(&first);
}
END_TEST

/* Metadata that no trainer wrote; without any, the log says that the data are not known. */
START_TEST(hostile_tasks)
{
    static const char *const texts[] = {"", " ", "=", "seed", "seed=", "= = =", "seed=11", "task=linear dim=3 length=9 tokens=constructed noise=0.01 data_clip=10 seed=11 seed=12",
                                        "task=linear  dim=3 length=9 tokens=constructed noise=0.01 data_clip=10 seed=11 more"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        make_changed(&(change){.key = "mesaopt.task", .value = texts[i]});
        REFUSED(ctx, MESAOPT_E_SETTING, "task setting ", mesaopt_trainer_load(s.trainer, changed));
    }
    static char large[1 << 16];
    memset(large, 'x', sizeof large - 1);
    large[100] = '=', large[30000] = ' ';
    make_changed(&(change){.key = "mesaopt.task", .value = large});
    REFUSED(ctx, MESAOPT_E_SETTING, "task setting ", mesaopt_trainer_load(s.trainer, changed));
    logged[0] = 0;
    make_changed(&(change){.key = "mesaopt.task"});
    ck_assert_int_eq(mesaopt_trainer_load(s.trainer, changed), MESAOPT_OK);
    ck_assert_ptr_nonnull(strstr(logged, "does not say which task it is of"));
}
END_TEST

/* ---- models ---- */

START_TEST(opened_model)
{
    static bits saved, opened;
    char text[2][256];
    mesaopt_view v;
    setup o = {.ctx = ctx};
    bits_read(&s, &saved);
    ck_assert_int_eq(mesaopt_model_save(s.model, changed), MESAOPT_OK);
    for (int i = 0; i < 2; i++) {                      /* of a model, of a trainer */
        ck_assert_msg(mesaopt_model_open(ctx, i ? path : changed, &o.model) == MESAOPT_OK, "%s", error_of(ctx));
        bits_read(&o, &opened);
        ck_assert(bits_equal(&saved, &opened));
        ck_assert_int_gt(mesaopt_model_text(s.model, text[0], sizeof text[0]), 0);
        ck_assert_int_gt(mesaopt_model_text(o.model, text[1], sizeof text[1]), 0);
        ck_assert_str_eq(text[0], text[1]);
        double loss[2];
        ck_assert_int_eq(mesaopt_model_evaluate(s.model, s.task, MESAOPT_STREAM_TEST, 0, 64, NULL, &loss[0]), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_model_evaluate(o.model, s.task, MESAOPT_STREAM_TEST, 0, 64, NULL, &loss[1]), MESAOPT_OK);
        ck_assert(loss[0] == loss[1]);
        ck_assert_int_eq(mesaopt_model_parameter(o.model, "blocks.1.query", &v), MESAOPT_OK);
        ((float *)v.data)[0] += 1;
        ck_assert_int_eq(mesaopt_model_load(o.model, i ? changed : path), MESAOPT_OK);
        bits_read(&o, &opened);
        ck_assert(bits_equal(&saved, &opened));
        mesaopt_model_free(o.model);
    }
}
END_TEST

static const change bad_models[] = {
    {.key = "mesaopt.blocks", .value = "linear(heads=", .says = "blocks"},
    {.key = "mesaopt.blocks", .value = "4000 x linear(heads=4,key=4000)", .says = "parameters, expected at most"},
    {.key = "mesaopt.blocks", .value = "mask(first=3); 3 x linear(heads=2,key=4)", .says = "tensor 'blocks.3.query': it is missing"},
    {.key = "mesaopt.blocks", .value = "mask(first=3); 2 x linear(heads=2,key=3)", .says = "tensor 'blocks.1.query': shape [12,8], expected [12,6]"},
    {.key = "mesaopt.blocks", .says = "no metadata mesaopt.blocks"},
    {.key = "mesaopt.model", .says = "no metadata mesaopt.model"},
    {.key = "mesaopt.model", .value = "inputs=-1", .says = "mesaopt.model: inputs"},
    {.key = "mesaopt.format", .value = "77", .says = "newer version"},
    {.tensor = "blocks.1.query", .element = 95, .x = NAN, .says = "element [11,7] is not a finite f32"},
};
enum { BAD_MODELS = sizeof bad_models / sizeof *bad_models };

START_TEST(refused_models)
{
    mesaopt_model *out = NULL;
    make_changed(&bad_models[_i]);
    mesaopt_status status = mesaopt_model_open(ctx, changed, &out);
    ck_assert_msg(status == MESAOPT_E_FORMAT || status == MESAOPT_E_SETTING, "%s", error_of(ctx));
    ck_assert_msg(strstr(error_of(ctx), bad_models[_i].says), "'%s' does not say '%s'", error_of(ctx), bad_models[_i].says);
    ck_assert_ptr_null(out);
}
END_TEST

/* A file of another program: no metadata, f16 and bf16, other tensors beside. */
START_TEST(imported_parameters)
{
    static const uint16_t half[] = {0x3c00, 0xb800, 0x0001, 0x7bff}, brain[] = {0x3f80, 0xbf00, 0x4049, 0x0080}, bad[] = {0x3c00, 0x7c00, 0, 0};
    const saved_tensor tensors[] = {{"optimizer", MESAOPT_I64, 1, {1}, &(int64_t){3}},
                                    {"blocks.0.weight", MESAOPT_F16, 2, {2, 2}, half},
                                    {"blocks.1.weight", MESAOPT_BF16, 2, {2, 2}, brain},
                                    {"wrong", MESAOPT_F16, 2, {2, 2}, bad}};
    const recipe r = {"inputs=2 outputs=2 dtype=f64", "2 x dense(outputs=2)", "dim=2 length=3 tokens=raw", "batch=2", NULL};
    static const double want[2][4] = {{1, -0.5, 0x1p-24, 65504}, {1, -0.5, 3.140625, 0x1p-126}};
    setup o = setup_start(ctx, &r);
    ck_assert_int_eq(tensor_file_write(ctx, changed, 0, NULL, 4, tensors), MESAOPT_OK);
    ck_assert_msg(mesaopt_model_load(o.model, changed) == MESAOPT_OK, "%s", error_of(ctx));
    mesaopt_view v;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(mesaopt_model_parameter(o.model, mesaopt_model_parameter_name(o.model, i), &v), MESAOPT_OK);
        for (int e = 0; e < 4; e++) ck_assert(((double *)v.data)[e] == want[i][e]);
    }
    saved_tensor infinite[2] = {tensors[1], tensors[3]};
    infinite[1].name = "blocks.1.weight";
    ((double *)v.data)[0] = 9;
    ck_assert_int_eq(tensor_file_write(ctx, changed, 0, NULL, 2, infinite), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_load(o.model, changed), MESAOPT_E_FORMAT);
    ck_assert(((double *)v.data)[0] == 9);
    ck_assert_int_eq(mesaopt_trainer_load(o.trainer, changed), MESAOPT_E_FORMAT);
    mesaopt_model *out = NULL;
    ck_assert_int_eq(mesaopt_model_open(ctx, changed, &out), MESAOPT_E_FORMAT);
    setup_end(&o);
}
END_TEST

Suite *test_checkpoint_suite(void)
{
    Suite *suite = suite_create("checkpoint");
    TCase *c = tcase_create("checkpoint");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, start, end);
    tcase_add_loop_test(c, refused_trainers, 0, BAD_TRAINERS);
    tcase_add_test(c, truncated);
    tcase_add_test(c, other_machine);
    tcase_add_test(c, other_settings);
    tcase_add_loop_test(c, refused_tasks, 0, OTHER_TASKS);
    tcase_add_test(c, own_data);
    tcase_add_test(c, hostile_tasks);
    tcase_add_test(c, opened_model);
    tcase_add_loop_test(c, refused_models, 0, BAD_MODELS);
    tcase_add_test(c, imported_parameters);
    suite_add_tcase(suite, c);
    return suite;
}
