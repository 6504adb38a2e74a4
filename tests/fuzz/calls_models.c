/* Random calls of tasks, models, trainers and decoders. */
#include "calls.h"
#include "base/object.h"
#include "kind_texts.h"
#include "task/sequences.h"
#include "train/decoder_impl.h"
#include <string.h>

/* ---- tasks ---- */

static int32_t fill_sequences(int32_t stream, int64_t first, const mesaopt_view *out, void *user)
{
    (void)stream, (void)first, (void)user;
    fill(out);
    return in_callback();
}

static void call_task_create(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_TASK);
    mesaopt_task **out = (mesaopt_task **)fresh(TASK);
    CALL(CTX, ctx, mesaopt_task_create(ctx, s, out));
}

/* Tensors of one sequence, of all sequences. */
static int is_table(const void *h) { return ((const mesaopt_tensor *)h)->view.ndim == 2 && ((const mesaopt_tensor *)h)->view.shape[1] == 2; }
static int is_stack(const void *h) { return ((const mesaopt_tensor *)h)->view.ndim == 3 && ((const mesaopt_tensor *)h)->view.shape[2] == 2; }

static void call_task_from_tensor(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    mesaopt_tensor *tensor = fitting(TENSOR, is_stack);
    const mesaopt_settings *s = settings_like(MESAOPT_SCOPE_TASK, "seed=3");
    mesaopt_task **out = (mesaopt_task **)fresh(TASK);
    CALL(CTX, ctx, mesaopt_task_from_tensor(ctx, s, tensor, out));
}

static void call_task_from_pairs(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings_like(MESAOPT_SCOPE_TASK, chance(2) ? "separator=1 prefix=1" : "seed=3");
    mesaopt_tensor *inputs = fitting(TENSOR, is_stack), *outputs = chance(2) ? inputs : handle(TENSOR);
    mesaopt_task **out = (mesaopt_task **)fresh(TASK);
    CALL(CTX, ctx, mesaopt_task_from_pairs(ctx, s, inputs, outputs, out));
}

static int64_t list_length(void) { return chance(20) ? ONE_OF(-1, 0) : 1 + extent() % 4; }

static void call_task_from_tensors(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const int64_t count = list_length();
    mesaopt_tensor *list[4];
    for (int i = 0; i < 4; i++) list[i] = fitting(TENSOR, is_table);
    const mesaopt_settings *s = settings_like(MESAOPT_SCOPE_TASK, "seed=3");
    mesaopt_task **out = (mesaopt_task **)fresh(TASK);
    CALL(CTX, ctx, mesaopt_task_from_tensors(ctx, s, count, chance(50) ? NULL : list, out));
}

static void call_task_from_pair_tensors(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const int64_t count = list_length();
    mesaopt_tensor *list[2][4];
    for (int i = 0; i < 8; i++) list[i % 2][i / 2] = i % 2 && !chance(8) ? list[0][i / 2] : fitting(TENSOR, is_table);
    const mesaopt_settings *s = settings_like(MESAOPT_SCOPE_TASK, chance(2) ? "separator=1 prefix=1" : "seed=3");
    mesaopt_task **out = (mesaopt_task **)fresh(TASK);
    CALL(CTX, ctx, mesaopt_task_from_pair_tensors(ctx, s, count, chance(50) ? NULL : list[0], chance(50) ? NULL : list[1], out));
}

static void call_task_from_callback(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_TASK);
    mesaopt_task **out = (mesaopt_task **)fresh(TASK);
    const loan l = lend();
    lent(&l, CALL(CTX, ctx, mesaopt_task_from_callback(ctx, s, chance(50) ? NULL : fill_sequences, l.release, l.user, out)));
}

static task_shape shape_of(const mesaopt_task *task)
{
    return handle_ok(task, OBJECT_TASK) && task->shape.dim * task->shape.length < 4096 ? task->shape : (task_shape){.dim = 2, .length = 5, .width = 8};
}

static void call_task_set_weights(void)
{
    mesaopt_task *task = handle(TASK);
    const task_shape shape = shape_of(task);
    CALL(TASK, task, mesaopt_task_set_weights(task, chance(2) ? IN_OF(UNIT, MESAOPT_F64, shape.length) : IN_OF(UNIT, MESAOPT_F64, shape.count, shape.length)));
}

static void call_task_shape(void)
{
    const mesaopt_task *task = handle(TASK);
    int64_t *dim = integer_out(), *length = integer_out(), *width = integer_out(), *count = integer_out();
    CALL(TENSOR, NULL, mesaopt_task_shape(task, dim, length, width, count));
}

static int32_t any_stream(void) { return chance(30) ? (int32_t)any_integer() : (int32_t)below(3); }

static void call_task_draw(void)
{
    mesaopt_task *task = handle(TASK);
    const task_shape s = shape_of(task);
    const int32_t stream = any_stream();
    const int64_t first = chance(4) ? any_integer() : below(9);
    const mesaopt_view *out = OUT(real_type(), extent(), s.length + 1, s.dim);
    promise(MAY_BE_NAN);               /* own sequences, which their owner may have changed */
    CALL(TASK, task, mesaopt_task_draw(task, stream, first, out));
}

static void call_task_tokens(void)
{
    mesaopt_task *task = handle(TASK);
    const task_shape s = shape_of(task);
    const int64_t B = extent(), T = extent();
    const int32_t type = real_type();
    const mesaopt_view *sequences = IN(type, B, T + 1, s.dim), *out = OUT(type, B, T, s.width);
    promise(MAY_BE_NAN);
    CALL(TASK, task, mesaopt_task_tokens(task, sequences, out));
}

static void call_task_features(void)
{
    mesaopt_task *task = handle(TASK);
    const task_shape s = shape_of(task);
    const int64_t B = extent(), T = extent();
    const int32_t type = real_type();
    const mesaopt_view *sequences = IN(type, B, T, s.dim), *out = OUT(type, B, T, s.dim);
    promise(MAY_BE_NAN);
    CALL(TASK, task, mesaopt_task_features(task, sequences, out));
}

/* ---- models ---- */

static const block_kind *any_kind(void)
{
    uint32_t n = 0;
    while (block_kind_at((int)n)) n++;
    return block_kind_at((int)below(n));
}

static const char *blocks(void)
{
    static char any[600];
    if (chance(3) && kind_text(any_kind(), (int)below(24), any, sizeof any)) return any;
    return ONE_OF("linear(heads=2,key=2,init_sd=0.3)", "dense(outputs=8)", "softmax(heads=1,key=2)", "mesa(heads=1,key=2,init_sd=0.3)", "mask(first=2)",
                  "mlp(hidden=3,norm=layer)", "norm", "norm(kind=rms)", "linear(heads=1,key=2,pe=add,positions=learned,longest=5)", "mlp(hidden=5,act=gelu_tanh,residual_clip=2)", "mesa(heads=2,key=2,gates=sigmoid,ridges=channel,qk_norm=1)", "softmax(heads=2,key=3,value=1,pe=qk,residual_clip=1)", "2 x linear(heads=1,key=2)",
                  "mask(first=4);linear(heads=1,key=1,residual_clip=inf);dense(outputs=2)", "dense(outputs=3,init_sd=1e3)", "mesa(solver=cg_chunk,heads=1,key=3)", "linear", "softmax;softmax",
                  "", ";", "linear(heads=", "dense(outputs=1048576)", "linear(heads=65536,key=65536)", "9999 x mask", (char *)NULL);
}

/* Mostly with a block or two, so that it can be used. */
static void call_model_create(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_MODEL);
    mesaopt_model **out = (mesaopt_model **)fresh(MODEL);
    if (CALL(CTX, ctx, mesaopt_model_create(ctx, s, out)) != MESAOPT_OK) return;
    for (uint32_t i = chance(8) ? 0 : 1 + below(2); i > 0; i--) {
        mesaopt_model *m = handle(MODEL);
        const char *more = blocks();
        CALL(MODEL, m, mesaopt_model_add_text(m, more));
    }
}

static void call_model_add(void)
{
    mesaopt_model *m = handle(MODEL);
    const mesaopt_settings *s = settings(any_kind()->scope);
    CALL(MODEL, m, mesaopt_model_add(m, s));
}

static void call_model_add_text(void)
{
    mesaopt_model *m = handle(MODEL);
    const char *more = blocks();
    CALL(MODEL, m, mesaopt_model_add_text(m, more));
}

static void call_model_import(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_MODEL);
    const char *text = chance(2) ? "dense(outputs=4); mask(first=1); dense(outputs=2)" : blocks(), *names[3];
    mesaopt_view tensors[3];
    const int64_t count = chance(8) ? few() % 4 : 2;
    for (int i = 0; i < 3; i++) {
        names[i] = chance(8) ? any_text() : i == 0 ? "blocks.0.weight" : "blocks.2.weight";
        const int32_t type = ONE_OF(MESAOPT_F64, MESAOPT_F32, MESAOPT_F16, MESAOPT_BF16);
        tensors[i] = copy_of(i == 0 ? IN(type, 8, 4) : IN(type, 4, 2));
    }
    mesaopt_model **out = (mesaopt_model **)fresh(MODEL);
    CALL(CTX, ctx, mesaopt_model_import(ctx, s, text, count, names, tensors, out));
}

static void call_model_text(void)
{
    const mesaopt_model *m = handle(MODEL);
    const int64_t cap = ONE_OF((int64_t)0, (int64_t)1, (int64_t)20, (int64_t)4000, (int64_t)-1);
    char *buf = cap > 0 ? memory(cap) : NULL;
    if (COUNT(MODEL, m, mesaopt_model_text(m, buf, cap)) == MESAOPT_OK && handle_ok(m, OBJECT_MODEL)) EXPECT(mesaopt_model_blocks(m) >= 0);
}

static void call_model_facts(void)
{
    const mesaopt_model *m = handle(MODEL);
    const int64_t block = any_index();
    int64_t *width = integer_out();
    CALL(MODEL, m, mesaopt_model_width(m, block, width));
    int64_t *inputs = integer_out();
    CALL(MODEL, m, mesaopt_model_shape(m, inputs, NULL, NULL));
    COUNT(TENSOR, NULL, mesaopt_model_blocks(m));
    COUNT(TENSOR, NULL, mesaopt_model_parameters(m));
    const char *name = mesaopt_model_parameter_name(m, few());
    EXPECT(!name || *name);
}

static const char *parameter_name(const mesaopt_model *m)
{
    return chance(8) ? any_text() : mesaopt_model_parameter_name(m, below(8));
}

static void call_model_parameter(void)
{
    mesaopt_model *m = handle(MODEL);
    const char *name = parameter_name(m);
    mesaopt_view *out = view_out(), view = {.ndim = -1};
    if (CALL(MODEL, m, mesaopt_model_parameter(m, name, out ? &view : NULL)) == MESAOPT_OK) scribble(&view);
    name = parameter_name(m);
    mesaopt_view *gradient = view_out();
    CALL(MODEL, m, mesaopt_model_parameter_gradient(m, name, gradient));
}

static void call_model_initialise(void)
{
    mesaopt_model *m = handle(MODEL);
    const int64_t seed = any_integer();
    CALL(MODEL, m, mesaopt_model_initialise(m, seed));
}

static void call_model_workspace(void)
{
    const mesaopt_model *m = handle(MODEL);
    const int64_t B = few(), T = few();
    int64_t *bytes = integer_out();
    CALL(MODEL, m, mesaopt_model_workspace(m, B, T, chance(2), bytes));
}

typedef struct facts { int64_t inputs, outputs; int32_t type; } facts;

static facts facts_of(const mesaopt_model *m)
{
    facts f = {8, 2, MESAOPT_F64};
    if (handle_ok(m, OBJECT_MODEL)) f = (facts){m->inputs, m->outputs, m->dtype};
    if (f.inputs > 64 || f.outputs > 64) f.inputs = f.outputs = 3;
    return f;
}

static void call_model_forward(void)
{
    mesaopt_model *m = handle(MODEL);
    const facts f = facts_of(m);
    const int64_t B = extent(), T = extent();
    const mesaopt_view *tokens = IN(f.type, B, T, f.inputs), *out = OUT(f.type, B, T, f.outputs);
    CALL(MODEL, m, mesaopt_model_forward(m, tokens, out));
}

static void call_model_activations(void)
{
    mesaopt_model *m = handle(MODEL);
    const facts f = facts_of(m);
    const int64_t B = extent(), T = extent(), count = chance(30) ? few() % 4 : 1 + below(3);
    int64_t list[4] = {0};
    mesaopt_view outs[4] = {{0}};
    const mesaopt_view *tokens = IN(f.type, B, T, f.inputs);
    for (int i = 0; i < count; i++) {
        int64_t width = 3;
        list[i] = (int64_t)below(4) - 1;
        if (handle_ok(m, OBJECT_MODEL) && list[i] < m->n_blocks) width = model_width(m, list[i]);
        outs[i] = copy_of(OUT(f.type, B, T, width < 64 ? width : 64));
    }
    CALL(MODEL, m, mesaopt_model_activations(m, tokens, count, list, outs));
}

static void call_model_loss(void)
{
    mesaopt_model *m = handle(MODEL);
    const facts f = facts_of(m);
    const int64_t B = extent(), T = extent();
    const mesaopt_view *tokens = IN(f.type, B, T, f.inputs), *targets = IN(f.type, B, T, f.outputs);
    const mesaopt_view *weights = chance(2) ? IN_OF(UNIT, f.type, B, T) : NULL;
    double *loss = number_out();
    CALL(MODEL, m, mesaopt_model_loss(m, tokens, targets, weights, loss));
}

static void call_model_gradient(void)
{
    mesaopt_model *m = handle(MODEL);
    const facts f = facts_of(m);
    const int64_t B = extent(), T = extent();
    const mesaopt_view *tokens = IN(f.type, B, T, f.inputs), *targets = IN(f.type, B, T, f.outputs), *dtokens = chance(2) ? OUT(f.type, B, T, f.inputs) : NULL;
    const mesaopt_view *weights = chance(2) ? IN_OF(UNIT, f.type, B, T) : NULL;
    double *loss = number_out();
    CALL(MODEL, m, mesaopt_model_gradient(m, tokens, targets, weights, loss, dtokens));
}

static void call_model_backward(void)
{
    mesaopt_model *m = handle(MODEL);
    const facts f = facts_of(m);
    const int64_t B = extent(), T = extent();
    const mesaopt_view *tokens = IN(f.type, B, T, f.inputs), *dout = IN(f.type, B, T, f.outputs), *dtokens = chance(2) ? OUT(f.type, B, T, f.inputs) : NULL;
    CALL(MODEL, m, mesaopt_model_backward(m, tokens, dout, dtokens));
}

static void call_model_evaluate(void)
{
    mesaopt_model *m = handle(MODEL);
    mesaopt_task *task = handle(TASK);
    const int32_t stream = any_stream();
    const int64_t first = chance(8) ? any_integer() : below(9), count = few();
    const mesaopt_view *by_t = chance(2) ? OUT(MESAOPT_F64, shape_of(task).length) : NULL;
    double *loss = number_out();
    if (by_t) promise(MAY_BE_NAN);     /* of steps that are not scored */
    CALL(MODEL, m, mesaopt_model_evaluate(m, task, stream, first, count, by_t, loss));
}

/* ---- trainers ---- */

static int32_t after_step(const mesaopt_step *step, void *user)
{
    (void)user;
    EXPECT(step->struct_size >= (int64_t)sizeof *step && step->step > 0);
    return in_callback();
}

static void call_trainer_create(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    mesaopt_model *m = handle(MODEL);
    mesaopt_task *task = handle(TASK);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_TRAINER);
    mesaopt_trainer **out = (mesaopt_trainer **)fresh(TRAINER);
    CALL(CTX, ctx, mesaopt_trainer_create(ctx, s, m, task, out));
}

static void call_trainer_set_parameters(void)
{
    mesaopt_trainer *t = handle(TRAINER);
    const char *pattern = chance(8) ? any_text() : ONE_OF("*", "*.query", "blocks.?.*", "blocks.0.*", "*bias");
    const double factor = chance(8) ? any_number() : ONE_OF(0., 1., 0.5);
    CALL(TRAINER, t, mesaopt_trainer_set_parameters(t, pattern, factor, (int32_t)(chance(20) ? any_index() : below(3))));
}

static void call_trainer_step(void)
{
    mesaopt_trainer *t = handle(TRAINER);
    double *loss = number_out();
    CALL(TRAINER, t, mesaopt_trainer_step(t, loss));
}

static void call_trainer_run(void)
{
    mesaopt_trainer *t = handle(TRAINER);
    const int64_t steps = chance(20) ? any_integer() : mesaopt_trainer_steps(t) + below(4);
    promise(PARTIAL);
    CALL(TRAINER, t, mesaopt_trainer_run(t, steps, chance(4) ? NULL : after_step, NULL));
}

static void call_trainer_evaluate(void)
{
    mesaopt_trainer *t = handle(TRAINER);
    const int64_t count = few();
    const mesaopt_view *by_t = chance(2) ? OUT(MESAOPT_F64, 5) : NULL;
    double *loss = number_out();
    if (by_t) promise(MAY_BE_NAN);     /* of steps that are not scored */
    CALL(TRAINER, t, mesaopt_trainer_evaluate(t, count, by_t, loss));
}

/* ---- decoders ---- */

static void call_decoder_create(void)
{
    mesaopt_model *m = handle(MODEL);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_DECODER);
    mesaopt_decoder **out = (mesaopt_decoder **)fresh(DECODER);
    CALL(MODEL, m, mesaopt_decoder_create(m, s, out));
}

static void call_decoder_bytes(void)
{
    mesaopt_model *m = handle(MODEL);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_DECODER);
    int64_t *bytes = integer_out();
    CALL(MODEL, m, mesaopt_decoder_bytes(m, s, bytes));
}

static void call_decoder_step(void)
{
    mesaopt_decoder *d = handle(DECODER);
    const int live = handle_ok(d, OBJECT_DECODER);
    const facts f = facts_of(live ? d->model : NULL);
    const int64_t B = live && !chance(20) ? d->streams : extent(), L = extent();
    const mesaopt_view *tokens = IN(f.type, B < 64 ? B : 64, L, f.inputs), *out = chance(4) ? NULL : OUT(f.type, B < 64 ? B : 64, L, f.outputs);
    CALL(DECODER, d, mesaopt_decoder_step(d, tokens, out));
}

static void call_decoder_reset(void)
{
    mesaopt_decoder *d = handle(DECODER);
    const int64_t stream = any_index();
    CALL(DECODER, d, mesaopt_decoder_reset(d, stream));
}

static void call_decoder_copy(void)
{
    mesaopt_decoder *d = handle(DECODER), *from = handle(DECODER);
    CALL(DECODER, d, mesaopt_decoder_copy(d, from));
}

static void call_decoder_steps(void)
{
    mesaopt_decoder *d = handle(DECODER);
    const int64_t stream = any_index();
    COUNT(DECODER, d, mesaopt_decoder_steps(d, stream));
}

const row rows_models[] = {
    {"decoder_create", call_decoder_create}, {"decoder_bytes", call_decoder_bytes}, {"decoder_step", call_decoder_step}, {"decoder_reset", call_decoder_reset}, {"decoder_copy", call_decoder_copy}, {"decoder_steps", call_decoder_steps},
    {"task_create", call_task_create}, {"task_from_tensor", call_task_from_tensor}, {"task_from_tensors", call_task_from_tensors}, {"task_from_pairs", call_task_from_pairs}, {"task_from_pair_tensors", call_task_from_pair_tensors}, {"task_set_weights", call_task_set_weights}, {"task_from_callback", call_task_from_callback}, {"task_shape", call_task_shape}, {"task_draw", call_task_draw},
    {"task_tokens", call_task_tokens}, {"task_features", call_task_features}, {"model_create", call_model_create}, {"model_add", call_model_add}, {"model_add_text", call_model_add_text}, {"model_import", call_model_import}, {"model_text", call_model_text}, {"model_facts", call_model_facts},
    {"model_parameter", call_model_parameter}, {"model_initialise", call_model_initialise}, {"model_workspace", call_model_workspace}, {"model_forward", call_model_forward},
    {"model_activations", call_model_activations}, {"model_loss", call_model_loss}, {"model_gradient", call_model_gradient}, {"model_backward", call_model_backward}, {"model_evaluate", call_model_evaluate},
    {"trainer_create", call_trainer_create}, {"trainer_set_parameters", call_trainer_set_parameters}, {"trainer_step", call_trainer_step}, {"trainer_run", call_trainer_run}, {"trainer_evaluate", call_trainer_evaluate}, {0},
};
