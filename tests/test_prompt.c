/* Prompts: vectors at the places of their layout, gradients against central differences in f64 for every kind of tokens, what training
 * moves and what it leaves alone, exact resumption, and files that are not what they should be. */
#include "train/safetensors.h"
#include "study/prompt_learning.h"
#include "train/model_impl.h"
#undef fail
#include "training_setup.h"
#include <math.h>

enum { N = 3, P = 2, COUNT = 11 };

static const char *const blocks = "dense(outputs=6,init_sd=0.4); softmax(heads=2,key=3,pe=qk,init_sd=0.4); mesa(heads=1,key=3,init_sd=0.3); dense(outputs=3,init_sd=0.4)";
static const char layout[] = "task=regression dim=3 length=17 separator=1 prefix=2 teachers=2 segment=9 seed=3";

typedef struct world { mesaopt_ctx *ctx; mesaopt_model *model; mesaopt_task *task; mesaopt_prompt *prompt; } world;

static mesaopt_prompt *prompt_from(mesaopt_ctx *ctx, const char *text)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROMPT, text);
    mesaopt_prompt *p;
    ck_assert_int_eq(mesaopt_prompt_create(ctx, s, &p), MESAOPT_OK);
    mesaopt_settings_free(s);
    return p;
}

static world begin(const char *ctx, const char *model, const char *task, const char *prompt)
{
    char text[256];
    world w = {context_from(ctx), NULL, NULL, NULL};
    snprintf(text, sizeof text, "outputs=3 seed=2 %s", model);
    w.model = model_from(w.ctx, text, blocks);
    snprintf(text, sizeof text, "%s %s", layout, task);
    w.task = task_from(w.ctx, text);
    snprintf(text, sizeof text, "dim=3 prefix=2 seed=7 batch=6 lr=0.01 %s", prompt);
    w.prompt = prompt_from(w.ctx, text);
    ck_assert_int_eq(mesaopt_task_set_prompt(w.task, w.prompt), MESAOPT_OK);
    return w;
}

static void end(world *w)
{
    mesaopt_model_free(w->model), mesaopt_task_free(w->task), mesaopt_prompt_free(w->prompt);
    mesaopt_ctx_free(w->ctx);
}

static double *vectors(mesaopt_prompt *p, const char *name)
{
    mesaopt_view v;
    ck_assert_int_eq(mesaopt_prompt_vectors(p, name, &v), MESAOPT_OK);
    return v.data;
}

/* ---- where they stand ---- */

START_TEST(places)
{
    static const char *const where = "p1 p2 x y s x y s x p1 p2 x y s x y s x";
    for (int32_t dtype = MESAOPT_F32; dtype <= MESAOPT_F64; dtype++) {
        world w = begin("", "inputs=3", "tokens=raw", "");
        mesaopt_task *plain = task_from(w.ctx, "task=regression dim=3 length=17 teachers=2 segment=6 seed=3");
        static char x[COUNT][18][N * 8], pairs[COUNT][18][N * 8];
        const mesaopt_view v = DENSE(x, dtype, COUNT, 18, N), u = DENSE(pairs, dtype, COUNT, 18, N);
        const size_t row = (size_t)dtype_size(dtype) * N;
        const double *s = vectors(w.prompt, "separator"), *p = vectors(w.prompt, "prefix");
        ck_assert_int_eq(mesaopt_task_draw(w.task, MESAOPT_STREAM_TEST, 2, &v), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_task_draw(plain, MESAOPT_STREAM_TEST, 2, &u), MESAOPT_OK);
        for (int i = 0; i < COUNT; i++) {
            int t = 0, pair = 0;
            char copy[64], *rest = copy, *word;
            strcpy(copy, where);
            for (; (word = strtok_r(rest, " ", &rest)); t++) {
                const char *at = (char *)x + ((size_t)i * 18 + (size_t)t) * row, *from = (char *)pairs + ((size_t)i * 18 + (size_t)pair) * row;
                const double *vector = word[0] == 's' ? s : p + (word[1] - '1') * N;
                if (word[0] == 'x' || word[0] == 'y') ck_assert_mem_eq(at, from, row);
                for (int j = 0; j < N && word[0] != 'x' && word[0] != 'y'; j++)
                    ck_assert(dtype == MESAOPT_F32 ? ((float *)at)[j] == (float)vector[j] : ((double *)at)[j] == vector[j]);
                pair += word[0] == 'x' || word[0] == 'y';
                if (t == 8) pair++;                    /* the y that the segment cuts */
            }
        }
        mesaopt_task_free(plain);
        end(&w);
    }
}
END_TEST

/* N(0, init_sd^2); a longer prefix begins as a shorter one. */
START_TEST(initial)
{
    mesaopt_ctx *ctx = context_from("");
    mesaopt_prompt *a = prompt_from(ctx, "dim=50 prefix=200 seed=3 init_sd=2"), *b = prompt_from(ctx, "dim=50 prefix=3 seed=3 init_sd=2"), *c = prompt_from(ctx, "dim=50 prefix=3 seed=4");
    const double *x = vectors(a, "prefix");
    double sum = 0, square = 0;
    for (int i = 0; i < 10000; i++) sum += x[i], square += x[i] * x[i];
    ck_assert_double_lt(fabs(sum / 10000), 4 * 2 / 100.0);
    ck_assert_double_lt(fabs(square / 10000 - 4), 4 * 4 * sqrt(2.0 / 10000));
    ck_assert_mem_eq(x, vectors(b, "prefix"), 150 * sizeof *x);
    ck_assert_mem_eq(vectors(a, "separator"), vectors(b, "separator"), 50 * sizeof *x);
    ck_assert_int_ne(memcmp(vectors(c, "separator"), vectors(b, "separator"), 50 * sizeof *x), 0);
    mesaopt_prompt_free(a), mesaopt_prompt_free(b), mesaopt_prompt_free(c);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- gradients ---- */

static double loss_of(world *w)
{
    double loss;
    ck_assert_int_eq(mesaopt_model_evaluate(w->model, w->task, MESAOPT_STREAM_TEST, 5, COUNT, NULL, &loss), MESAOPT_OK);
    return loss;
}

static const char *const token_kinds[][2] = {{"tokens=raw", "inputs=3 dtype=f64"}, {"tokens=slots slots=2", "inputs=6 dtype=f64"}, {"tokens=constructed", "inputs=12 dtype=f64"},
                                             {"tokens=raw", "inputs=3 dtype=f64 lanes=1"}, {"tokens=constructed", "inputs=12 dtype=f64 lanes=2"}};
enum { TOKEN_KINDS = sizeof token_kinds / sizeof *token_kinds };

START_TEST(gradients)
{
    world w = begin("threads=2", token_kinds[_i][1], token_kinds[_i][0], "");
    double g[1 + P][N], loss, difference = 0, norm = 0, *x[] = {vectors(w.prompt, "separator"), vectors(w.prompt, "prefix")};
    const mesaopt_view separator = DENSE(g[0], MESAOPT_F64, 1, N), prefix = DENSE(g[1], MESAOPT_F64, P, N);
    ck_assert_int_eq(mesaopt_prompt_gradient(w.prompt, w.model, w.task, MESAOPT_STREAM_TEST, 5, COUNT, &separator, &prefix, &loss), MESAOPT_OK);
    ck_assert_double_le(fabs(loss - loss_of(&w)), 1e-14 * loss);
    for (int i = 0; i < (1 + P) * N; i++) {
        double *at = i < N ? x[0] + i : x[1] + i - N, kept = *at, sides[2];
        for (int k = 0; k < 2; k++) *at = kept + (k ? -1e-5 : 1e-5), sides[k] = loss_of(&w);
        *at = kept;
        const double central = (sides[0] - sides[1]) / 2e-5, d = g[i / N][i % N] - central;
        difference += d * d, norm += central * central;
        ck_assert_double_gt(fabs(g[i / N][i % N]), 0);
    }
    ck_assert_double_lt(sqrt(difference), 1e-7 * sqrt(norm));
    end(&w);
}
END_TEST

/* Of an f32 model as of the same in f64; without a prefix in the layout its gradient is 0. */
START_TEST(gradients_elsewhere)
{
    world a = begin("", "inputs=3 dtype=f64", "tokens=raw", ""), b = begin("", "inputs=3 dtype=f32", "tokens=raw", "");
    double g[1 + P][N], h[1 + P][N];
    const mesaopt_view gs = DENSE(g[0], MESAOPT_F64, 1, N), gp = DENSE(g[1], MESAOPT_F64, P, N), hs = DENSE(h[0], MESAOPT_F64, 1, N), hp = DENSE(h[1], MESAOPT_F64, P, N);
    ck_assert_int_eq(mesaopt_prompt_gradient(a.prompt, a.model, a.task, MESAOPT_STREAM_TEST, 5, COUNT, &gs, &gp, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_prompt_gradient(b.prompt, b.model, b.task, MESAOPT_STREAM_TEST, 5, COUNT, &hs, &hp, NULL), MESAOPT_OK);
    double difference = 0, norm = 0;
    for (int i = 0; i < (1 + P) * N; i++) difference += pow(g[i / N][i % N] - h[i / N][i % N], 2), norm += g[i / N][i % N] * g[i / N][i % N];
    ck_assert_double_lt(sqrt(difference), 1e-4 * sqrt(norm));
    mesaopt_task *short_one = task_from(a.ctx, "task=regression dim=3 length=17 separator=1 tokens=raw");
    ck_assert_int_eq(mesaopt_task_set_prompt(short_one, a.prompt), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_prompt_gradient(a.prompt, a.model, short_one, MESAOPT_STREAM_TEST, 5, COUNT, &gs, &gp, NULL), MESAOPT_OK);
    for (int i = 0; i < P * N; i++) ck_assert(g[1 + i / N][i % N] == 0);
    ck_assert(g[0][0] != 0);
    mesaopt_task_free(short_one);
    end(&a), end(&b);
}
END_TEST

/* ---- training ---- */

typedef struct state { double vectors[(1 + P) * N], m[(1 + P) * N], v[(1 + P) * N]; int64_t updates; } state;

static state state_of(const mesaopt_prompt *p)
{
    state s;
    memcpy(s.vectors, p->vectors, sizeof s.vectors);
    memcpy(s.m, prompt_of(p)->m, sizeof s.m);
    memcpy(s.v, prompt_of(p)->v, sizeof s.v);
    s.updates = mesaopt_prompt_updates(p);
    return s;
}
static void same_state(const state *a, const state *b)
{
    ck_assert_mem_eq(a->vectors, b->vectors, sizeof a->vectors);
    ck_assert_mem_eq(a->m, b->m, sizeof a->m);
    ck_assert_mem_eq(a->v, b->v, sizeof a->v);
    ck_assert_int_eq(a->updates, b->updates);
}

/* Adam on the gradient of every batch, written down here. */
START_TEST(updates)
{
    world w = begin("", "inputs=3 dtype=f64", "tokens=raw", "clip_value=0");
    double g[1 + P][N], m[1 + P][N] = {{0}}, v[1 + P][N] = {{0}}, x[1 + P][N];
    const mesaopt_view separator = DENSE(g[0], MESAOPT_F64, 1, N), prefix = DENSE(g[1], MESAOPT_F64, P, N);
    memcpy(x, w.prompt->vectors, sizeof x);
    for (int s = 0; s < 5; s++) {
        ck_assert_int_eq(mesaopt_prompt_gradient(w.prompt, w.model, w.task, MESAOPT_STREAM_TRAIN, 6 * s, 6, &separator, &prefix, NULL), MESAOPT_OK);
        for (int i = 0; i < (1 + P) * N; i++) {
            m[i / N][i % N] = 0.9 * m[i / N][i % N] + 0.1 * g[i / N][i % N], v[i / N][i % N] = 0.999 * v[i / N][i % N] + 0.001 * g[i / N][i % N] * g[i / N][i % N];
            x[i / N][i % N] -= 0.01 * (m[i / N][i % N] / (1 - pow(0.9, s + 1))) / (sqrt(v[i / N][i % N] / (1 - pow(0.999, s + 1))) + 1e-8);
        }
        ck_assert_int_eq(mesaopt_prompt_train(w.prompt, w.model, w.task, s + 1, NULL, NULL), MESAOPT_OK);
        for (int i = 0; i < (1 + P) * N; i++) ck_assert_double_le(fabs(x[i / N][i % N] - w.prompt->vectors[i]), 1e-12);
    }
    end(&w);
}
END_TEST

/* The model's weights and their gradients keep every bit; so does what is frozen, and what the layout does not put in, moments and count included. The part
 * that learns later begins its own count of updates then. */
START_TEST(left_alone)
{
    world w = begin("", "inputs=3", "tokens=raw", "");
    mesaopt_task *separator = task_from(w.ctx, "task=regression dim=3 length=17 separator=1 tokens=raw");
    static char before[1 << 16];
    const size_t bytes = (size_t)(w.model->n_params * w.model->size);
    ck_assert_uint_le(bytes, sizeof before);
    memcpy(before, w.model->params, bytes);
    memset(w.model->grads, 3, bytes);
    ck_assert_int_eq(mesaopt_task_set_prompt(separator, w.prompt), MESAOPT_OK);
    const state a = state_of(w.prompt);
    ck_assert_int_eq(mesaopt_prompt_train(w.prompt, w.model, separator, 7, NULL, NULL), MESAOPT_OK);
    const state b = state_of(w.prompt);
    ck_assert_int_ne(memcmp(a.vectors, b.vectors, N * sizeof(double)), 0);
    ck_assert_mem_eq(a.vectors + N, b.vectors + N, P * N * sizeof(double));
    ck_assert_int_eq(mesaopt_prompt_freeze(w.prompt, "separator", 1), MESAOPT_OK);
    REFUSED(w.ctx, MESAOPT_E_STATE, "frozen", mesaopt_prompt_train(w.prompt, w.model, separator, 9, NULL, NULL));
    ck_assert_int_eq(mesaopt_prompt_train(w.prompt, w.model, w.task, 12, NULL, NULL), MESAOPT_OK);
    const state c = state_of(w.prompt);
    ck_assert_mem_eq(b.vectors, c.vectors, N * sizeof(double));
    ck_assert_mem_eq(b.m, c.m, N * sizeof(double));
    ck_assert_mem_eq(b.v, c.v, N * sizeof(double));
    ck_assert_int_ne(memcmp(b.vectors + N, c.vectors + N, P * N * sizeof(double)), 0);
    ck_assert_int_eq(prompt_of(w.prompt)->moved[PROMPT_SEPARATOR], 7);
    ck_assert_int_eq(prompt_of(w.prompt)->moved[PROMPT_PREFIX], 5);
    ck_assert_int_eq(c.updates, 12);
    ck_assert_mem_eq(before, w.model->params, bytes);
    memset(before, 3, bytes);
    ck_assert_mem_eq(before, w.model->grads, bytes);
    mesaopt_task_free(separator);
    end(&w);
}
END_TEST

/* Training lowers the loss. */
START_TEST(learns)
{
    world w = begin("", "inputs=3 dtype=f64", "tokens=raw", "");
    const double before = loss_of(&w);
    ck_assert_int_eq(mesaopt_prompt_train(w.prompt, w.model, w.task, 150, NULL, NULL), MESAOPT_OK);
    ck_assert_double_lt(loss_of(&w), before);
    end(&w);
}
END_TEST

static int32_t stop_at(const mesaopt_step *step, void *user) { return step->step == *(const int64_t *)user; }

/* Stopped, saved and opened in between, with other threads: the same bits as in one go. */
START_TEST(resumed)
{
    char folder[64], path[96];
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    world a = begin("threads=1", "inputs=3", "tokens=raw", "weight_decay=0.1 clip_norm=0.01 warmup=4 cosine_steps=20"), b = begin("threads=3", "inputs=3", "tokens=raw", "weight_decay=0.1 clip_norm=0.01 warmup=4 cosine_steps=20");
    ck_assert_int_eq(mesaopt_prompt_train(a.prompt, a.model, a.task, 20, NULL, NULL), MESAOPT_OK);
    int64_t at = 8;
    ck_assert_int_eq(mesaopt_prompt_train(b.prompt, b.model, b.task, 20, stop_at, &at), MESAOPT_STOPPED);
    ck_assert_int_eq(mesaopt_prompt_freeze(b.prompt, "prefix", 1), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_prompt_save(b.prompt, path), MESAOPT_OK);
    mesaopt_prompt *opened;
    ck_assert_int_eq(mesaopt_prompt_open(b.ctx, path, &opened), MESAOPT_OK);
    ck_assert_int_eq(prompt_of(opened)->frozen[PROMPT_PREFIX], 1);
    ck_assert_int_eq(mesaopt_prompt_freeze(opened, "prefix", 0), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_set_prompt(b.task, opened), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_prompt_train(opened, b.model, b.task, 20, NULL, NULL), MESAOPT_OK);
    const state x = state_of(a.prompt), y = state_of(opened);
    same_state(&x, &y);
    mesaopt_prompt_free(opened);
    unlink(path), rmdir(folder);
    end(&a), end(&b);
}
END_TEST

/* Steps allocate nothing, whatever stands before them; freed by its caller, a prompt lives as long as its task. */
static hook_alloc hook;
static int64_t requests_then;
static int32_t count_requests(const mesaopt_step *step, void *user)
{
    (void)user;
    if (step->step == 2) requests_then = hook.calls;
    return 0;
}
START_TEST(memory)
{
    world w = {context_with(1, NULL, &hook), NULL, NULL, NULL};
    char text[256];
    snprintf(text, sizeof text, "%s tokens=raw", layout);
    w.model = model_from(w.ctx, "inputs=3 outputs=3", blocks), w.task = task_from(w.ctx, text), w.prompt = prompt_from(w.ctx, "dim=3 prefix=2 batch=6");
    ck_assert_int_eq(mesaopt_task_set_prompt(w.task, w.prompt), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_prompt_train(w.prompt, w.model, w.task, 6, count_requests, NULL), MESAOPT_OK);
    ck_assert_int_eq(hook.calls, requests_then);
    mesaopt_prompt_free(w.prompt);
    static double x[2][18][N];
    const mesaopt_view v = DENSE(x, MESAOPT_F64, 2, 18, N);
    ck_assert_int_eq(mesaopt_task_draw(w.task, MESAOPT_STREAM_TEST, 0, &v), MESAOPT_OK);
    w.prompt = NULL;
    end(&w);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

/* ---- refusals ---- */

START_TEST(refusals)
{
    world w = begin("", "inputs=3", "tokens=raw", "");
    mesaopt_prompt *wide = prompt_from(w.ctx, "dim=4 prefix=2"), *longer = prompt_from(w.ctx, "dim=3 prefix=3");
    mesaopt_task *plain = task_from(w.ctx, "task=regression dim=3 tokens=raw"), *linear = task_from(w.ctx, "task=linear dim=3 tokens=raw");
    double loss, weights[17] = {0};
    const mesaopt_view v = DENSE(weights, MESAOPT_F64, 17);
    REFUSED(w.ctx, MESAOPT_E_SHAPE, "prompt: vectors of 4 numbers, expected 3", mesaopt_task_set_prompt(w.task, wide));
    REFUSED(w.ctx, MESAOPT_E_SHAPE, "prompt: a prefix of 3 vectors, expected 2", mesaopt_task_set_prompt(w.task, longer));
    REFUSED(w.ctx, MESAOPT_E_STATE, "prompt: for a layout without", mesaopt_task_set_prompt(plain, w.prompt));
    REFUSED(w.ctx, MESAOPT_E_STATE, "prompt: for a layout without", mesaopt_task_set_prompt(linear, w.prompt));
    REFUSED(w.ctx, MESAOPT_E_STATE, "task: it has another prompt", mesaopt_prompt_train(longer, w.model, w.task, 1, NULL, NULL));
    REFUSED(w.ctx, MESAOPT_E_STATE, "task: it has no prompt", mesaopt_prompt_train(longer, w.model, plain, 1, NULL, NULL));
    weights[2] = 1, weights[3] = 1;
    REFUSED(w.ctx, MESAOPT_E_ARGUMENT, "weights: above 0 at step 3", mesaopt_task_set_weights(w.task, &v));
    weights[3] = -1;
    REFUSED(w.ctx, MESAOPT_E_ARGUMENT, "weights", mesaopt_task_set_weights(w.task, &v));
    weights[3] = NAN;
    REFUSED(w.ctx, MESAOPT_E_NONFINITE, "weights", mesaopt_task_set_weights(w.task, &v));
    vectors(w.prompt, "prefix")[4] = NAN;
    REFUSED(w.ctx, MESAOPT_E_NONFINITE, "prefix: element [1,1] is nan, expected a finite number", mesaopt_prompt_save(w.prompt, "/nonexistent/x"));
    const state before = state_of(w.prompt);
    ck_assert_int_eq(mesaopt_prompt_train(w.prompt, w.model, w.task, 1, NULL, NULL), MESAOPT_E_NONFINITE);
    ck_assert_int_eq(mesaopt_prompt_updates(w.prompt), before.updates);
    ck_assert_int_eq(mesaopt_task_set_prompt(w.task, NULL), MESAOPT_OK);
    REFUSED(w.ctx, MESAOPT_E_STATE, "task: a layout with a separator and a prefix and no prompt",
            mesaopt_model_evaluate(w.model, w.task, MESAOPT_STREAM_TEST, 0, 3, NULL, &loss));
    mesaopt_prompt_free(wide), mesaopt_prompt_free(longer);
    mesaopt_task_free(plain), mesaopt_task_free(linear);
    end(&w);
}
END_TEST

typedef struct change { const char *key, *value, *tensor; int drop, element; double x; const char *says; } change;
static const change bad[] = {
    {.key = "mesaopt.kind", .value = "model", .says = "a checkpoint of a model, expected one of a prompt"},
    {.key = "mesaopt.format", .value = "2", .says = "expected at most 1"},
    {.key = "mesaopt.prompt", .says = "no metadata mesaopt.prompt"},
    {.key = "mesaopt.prompt", .value = "dim=3 prefix=16777216", .says = "tensor 'prefix': shape"},
    {.key = "mesaopt.prompt", .value = "dim=1048576 prefix=2", .says = "tensor 'separator': shape"},
    {.key = "mesaopt.prompt", .value = "dim=0", .says = "metadata mesaopt.prompt: dim"},
    {.key = "mesaopt.prompt", .value = "dim=3 heads=2", .says = "metadata mesaopt.prompt"},
    {.key = "mesaopt.updates", .value = "-1", .says = "expected an integer >= 0"},
    {.key = "mesaopt.updates", .value = "9223372036854775807", .says = "beyond the end of the stream"},
    {.key = "mesaopt.moved.prefix", .value = "4", .says = "prefix: moved 4 times"},
    {.key = "mesaopt.frozen.separator", .value = "2", .says = "separator: moved 3 times, frozen 2"},
    {.tensor = "separator", .drop = 1, .says = "separator"},
    {.tensor = "adamw.v.prefix", .drop = 1, .says = "adamw.v.prefix"},
    {.tensor = "prefix", .element = 4, .x = NAN, .says = "tensor 'prefix': element [1,1] is not finite"},
    {.tensor = "adamw.m.separator", .element = 1, .x = INFINITY, .says = "element [0,1] is not finite"},
    {.tensor = "adamw.v.separator", .element = 2, .x = -1, .says = "element [0,2] is negative"},
};
enum { BAD_FILES = sizeof bad / sizeof *bad };

static void write_changed(mesaopt_ctx *ctx, const char *from, const char *to, const change *c)
{
    tensor_file f;
    static double room[8][P * N];
    saved_tensor tensor[8];
    tensor_file_text text[16];
    int64_t texts = 0, tensors = 0;
    ck_assert_int_eq(tensor_file_open(ctx, from, &f), MESAOPT_OK);
    for (int64_t i = 0; i < f.texts; i++) {
        const int chosen = c->key && strcmp(c->key, f.text[i].key) == 0;
        if (!chosen || c->value) text[texts++] = (tensor_file_text){f.text[i].key, chosen ? c->value : f.text[i].value};
    }
    for (int64_t i = 0; i < f.tensors; i++) {
        const file_tensor *t = &f.tensor[i];
        const int chosen = c->tensor && strcmp(c->tensor, t->name) == 0;
        ck_assert_int_eq(tensor_file_read(&f, t, 0, t->count, MESAOPT_F64, room[tensors]), MESAOPT_OK);
        if (chosen && c->drop) continue;
        if (chosen) room[tensors][c->element] = c->x;
        tensor[tensors] = (saved_tensor){t->name, MESAOPT_F64, 2, {t->shape[0], t->shape[1]}, room[tensors]};
        tensors++;
    }
    ck_assert_int_eq(tensor_file_write(ctx, to, texts, text, tensors, tensor), MESAOPT_OK);
    tensor_file_close(&f);
}

START_TEST(bad_files)
{
    char folder[64], path[96], other[96];
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder), snprintf(other, sizeof other, "%s/b.safetensors", folder);
    world w = begin("", "inputs=3", "tokens=raw", "");
    ck_assert_int_eq(mesaopt_prompt_train(w.prompt, w.model, w.task, 3, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_prompt_save(w.prompt, path), MESAOPT_OK);
    for (int i = 0; i < BAD_FILES; i++) {
        mesaopt_prompt *p = NULL;
        write_changed(w.ctx, path, other, &bad[i]);
        ck_assert_msg(mesaopt_prompt_open(w.ctx, other, &p) == MESAOPT_E_FORMAT, "%s", bad[i].says);
        SAID(w.ctx, bad[i].says);
        ck_assert_ptr_null(p);
    }
    ck_assert_int_eq(mesaopt_model_save(w.model, other), MESAOPT_OK);
    mesaopt_prompt *p = NULL;
    ck_assert_int_eq(mesaopt_prompt_open(w.ctx, other, &p), MESAOPT_E_FORMAT);
    unlink(path), unlink(other), rmdir(folder);
    end(&w);
}
END_TEST

/* A prompt without a prefix; opening it under every failing allocation leaves nothing behind. */
START_TEST(short_of_memory)
{
    char folder[64], path[96];
    hook_alloc h = {0};
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    mesaopt_ctx *ctx = context_with(1, NULL, &h);
    mesaopt_prompt *p = prompt_from(ctx, "dim=3 prefix=0"), *q = NULL;
    ck_assert_int_eq(mesaopt_prompt_save(p, path), MESAOPT_OK);
    mesaopt_status status = MESAOPT_E_MEMORY;
    for (int n = 1; status == MESAOPT_E_MEMORY && n < 100; n++) {
        h.fail_at = h.calls + n;
        status = mesaopt_prompt_open(ctx, path, &q);
    }
    ck_assert_int_eq(status, MESAOPT_OK);
    ck_assert_mem_eq(p->vectors, q->vectors, N * sizeof(double));
    mesaopt_prompt_free(p), mesaopt_prompt_free(q);
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(h.blocks, 0);
    unlink(path), rmdir(folder);
}
END_TEST

Suite *test_prompt_suite(void)
{
    Suite *s = suite_create("prompt");
    TCase *t = tcase_create("prompt");
    tcase_add_test(t, places);
    tcase_add_test(t, initial);
    tcase_add_loop_test(t, gradients, 0, TOKEN_KINDS);
    tcase_add_test(t, gradients_elsewhere);
    tcase_add_test(t, updates);
    tcase_add_test(t, left_alone);
    tcase_add_test(t, learns);
    tcase_add_test(t, resumed);
    tcase_add_test(t, memory);
    tcase_add_test(t, refusals);
    tcase_add_test(t, bad_files);
    tcase_add_test(t, short_of_memory);
    suite_add_tcase(s, t);
    return s;
}
