/* train_lsa: trains a transformer of attention layers only, of any depth and kind, on any task, and
 * compares it by t with one step of gradient descent and with least squares. The recipes of arXiv
 * 2309.05858 are settings of its command line, for example
 *
 *   train_lsa layers=2 residual_clip=1.5 lr=3e-4 cosine_steps=20000 weight_decay=0.05 \
 *             steps=2500 seed=42 out=DIR                                     (the notebook's)
 *   train_lsa tokens=raw kind=softmax layers=7 out=DIR
 *
 * Everything that is not said is as in the paper's recipe for such a model (docs/science.md,
 * section 4; `help` with the same keys shows it). tokens=constructed (the default): layers of
 * `kind` read and write the token's slots directly, and the prediction is the first slot; in front
 * of a single layer the first two slots are masked. tokens=raw: dense embedding, one softmax layer
 * with positions in its queries and keys, which binds neighbours, layers - 1 of `kind`, dense
 * read-out. */
#include "common.h"
#include <stdlib.h>
#include <string.h>

typedef struct shape { int64_t dim, token, layers, width; } shape;

/* What docs/science.md, section 4 has for a kind of layers, up to `most` of them. For constructed
 * softmax layers it has nothing: rates and scale of the raw ones. */
typedef struct recipe {
    int raw;
    const char *kind;
    int64_t most;
    const char *layer, *trainer, *steps;
} recipe;

static const recipe recipes[] = {
    {0, "linear", 1, "heads=2 key=20 init_sd=2e-4 residual_clip=4",
     "batch=256 lr=1e-4 weight_decay=0.1", "5000"},
    {0, "linear", 2, "heads=4 key=20 init_sd=2e-4 residual_clip=4",
     "batch=256 lr=1e-4 weight_decay=0.1", "5000"},
    {0, "linear", 4, "heads=4 key=20 init_sd=2e-4 residual_clip=4",
     "batch=256 lr=1e-4 weight_decay=0.1", "10000"},
    {0, "linear", 1000, "heads=4 key=20 init_sd=2e-4 residual_clip=4",
     "batch=256 lr=1e-4 weight_decay=0.1", "15000"},
    {0, "mesa", 1000, "heads=4 key=20 init_sd=2e-4", "batch=256 lr=4e-4 weight_decay=0.1", "5000"},
    {0, "softmax", 1000, "heads=4 key=20 init_sd=0.05 residual_clip=4",
     "batch=256 lr=8e-4 cosine_steps=30000 weight_decay=0.05", "5000"},
    {1, "softmax", 1000, "heads=4 key=20 init_sd=0.05",
     "batch=256 lr=8e-4 cosine_steps=30000 weight_decay=0.05", "10000"},
    {1, NULL, 1000, "heads=4 key=20 init_sd=0.05 residual_clip=1",
     "batch=256 lr=3e-4 cosine_steps=30000 weight_decay=0.05", "20000"}};

static const recipe *recipe_of(int raw, const char *kind, int64_t layers)
{
    const recipe *r = recipes;
    while (r->raw != raw || (r->kind && strcmp(r->kind, kind) != 0) || layers > r->most) r++;
    return r;
}

static void add(mesaopt_ctx *ctx, mesaopt_model *model, const mesaopt_settings *block,
                int64_t count)
{
    for (int64_t i = 0; i < count; i++) TRY(ctx, mesaopt_model_add(model, block));
}

static void add_dense(mesaopt_ctx *ctx, mesaopt_model *model, mesaopt_settings *dense,
                      int64_t outputs)
{
    mesaopt_settings_set_int(dense, MESAOPT_KEY_OUTPUTS, outputs);
    TRY(ctx, mesaopt_model_add(model, dense));
}

static void report(const training *t, const char *before)
{
    curves c = {0};
    char text[4096], title[256];
    curves_model(&c, "model", t);
    curves_baselines(&c, t);
    snprintf(title, sizeof title, "%s%s attention, layers: %s; error of the next observation by t",
             before, args_text("kind"), args_text("layers"));
    curves_report(&c, title);
    mesaopt_model_text(t->model, text, sizeof text);
    printf("model: %s\n", text);
}

int main(int argc, char **argv)
{
    own_key own[] = {
        {"kind", "linear", "attention of the layers: linear, softmax or mesa"},
        {"layers", "1", "attention layers; of raw tokens the first is softmax with positions"},
        {"width", "",
         "tokens=raw: width of the embedding, a dense layer in front; another reads out; empty: "
         "40"},
        TRAINING_KEYS("", "train_lsa.out"),
        TEST_KEYS,
        {NULL, NULL, NULL}};
    training t = {0};
    shape s;

    args_begin(argc, argv,
               "Trains layers of attention; compares them with one step of gradient descent and "
               "with least squares.",
               own);
    args_hide(" inputs outputs first ");
    t.ctx = args_ctx();
    mesaopt_settings *task = args_settings(MESAOPT_SCOPE_TASK, ""),
                     *model = args_settings(MESAOPT_SCOPE_MODEL, "");
    char tokens[32];
    mesaopt_settings_get_text(task, "tokens", tokens, sizeof tokens);
    const int raw = strcmp(tokens, "raw") == 0, constructed = strcmp(tokens, "constructed") == 0;
    const int32_t kind = args_block_scope("kind");
    s.layers = args_int("layers", 1, 1000);
    const recipe *r = recipe_of(raw, args_text("kind"), s.layers);
    if (!*args_text("steps")) args_default("steps", r->steps);
    mesaopt_settings *trainer = args_settings(MESAOPT_SCOPE_TRAINER, r->trainer);
    mesaopt_settings *block = args_settings(kind, r->layer);
    mesaopt_settings *first = raw ? args_settings_of("first layer", MESAOPT_SCOPE_SOFTMAX,
                                                     "heads=4 key=20 init_sd=0.05 pe=qk")
                                  : NULL;
    mesaopt_settings *dense = raw ? args_settings(MESAOPT_SCOPE_DENSE, "init_sd=0.05") : NULL;
    if (!raw && *args_text("width"))
        args_refuse("width",
                    "none: only tokens=raw have an embedding, others are as wide as their slots");
    if (!*args_text("width")) args_default("width", "40");
    s.width = args_int("width", 1, 1 << 20);
    args_end();
    const int binder = raw && kind != MESAOPT_SCOPE_SOFTMAX; /* a softmax layer in front of the kind
                                                                that was asked for */
    if (binder && s.layers < 2)
        args_refuse("layers", "at least 2 with tokens=raw and a kind other than softmax: the first "
                              "is softmax, which binds neighbours");

    TRY(t.ctx, mesaopt_task_create(t.ctx, task, &t.task));
    t.test = t.task;                               /* training and test sequences are streams of one
                                                      task */
    TRY(t.ctx, mesaopt_task_shape(t.task, &s.dim, NULL, &s.token, NULL));
    mesaopt_settings_set_int(model, MESAOPT_KEY_INPUTS, s.token);
    mesaopt_settings_set_int(model, MESAOPT_KEY_OUTPUTS, s.dim);
    TRY(t.ctx, mesaopt_model_create(t.ctx, model, &t.model));
    if (raw) add_dense(t.ctx, t.model, dense, s.width);
    if (raw) add(t.ctx, t.model, first, 1);
    /* [0, x_t, x_t, x_{t-1}] -> [0, 0, x_t, x_{t-1}] */
    if (constructed && s.layers == 1) training_add_mask(&t, 2 * s.dim);
    add(t.ctx, t.model, block, raw ? s.layers - 1 : s.layers);
    if (raw) add_dense(t.ctx, t.model, dense, s.dim);
    training_create(&t, trainer);

    catch_signals(t.ctx);
    const mesaopt_status status = training_run(&t);
    if (status == MESAOPT_OK) report(&t, binder ? "softmax, then " : "");
    catch_signals(NULL);

    training_free(&t);
    mesaopt_ctx_free(t.ctx);
    args_free();
    return status == MESAOPT_OK ? 0 : 130;
}
