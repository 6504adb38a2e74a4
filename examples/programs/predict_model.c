/* predict_model.c: rows through a model and a decoder, as its file says; see predict_model.h. */
#include "predict_model.h"
#include "own_scale.h"
#include <stdlib.h>
#include <string.h>

/* ---- the model and what its file says ---- */

enum { LINE = 1024 };

/* Tokens as the model's task makes them: those of its settings that are about tokens; and how long
 * its sequences were. */
static void open_task(predictor *p, const char *path)
{
    static const char *const keys[] = {"tokens", "slots", "dim"};
    char text[LINE], *rest = text, *word;
    mesaopt_settings *s = NULL;
    file_text(p->ctx, path, "mesaopt.task", text, LINE);
    TRY(p->ctx, mesaopt_settings_create(MESAOPT_SCOPE_TASK, NULL, NULL, &s));
    if (!*text) die("%s: does not say which task it is of, expected a checkpoint", path);
    while ((word = strtok_r(rest, " ", &rest))) {
        char *value = strchr(word, '=');
        if (!value) continue;
        *value++ = 0;
        for (int i = 0; i < 3; i++)
            if (!strcmp(word, keys[i]))
                must(p->ctx, mesaopt_settings_set_text(s, word, value), word);
        if (!strcmp(word, "length")) p->trained = strtoll(value, NULL, 10);
    }
    TRY(p->ctx, mesaopt_task_create(p->ctx, s, &p->task));
    TRY(p->ctx, mesaopt_task_shape(p->task, &p->n, NULL, &p->width, NULL));
    p->slots = p->width / p->n;
    mesaopt_settings_free(s);
}

static mesaopt_tensor *tensor(predictor *p, int64_t rows, int64_t cols, mesaopt_view *view)
{
    mesaopt_tensor *t = NULL;
    mesaopt_view weight;
    TRY(p->ctx,
        mesaopt_model_parameter(p->model, mesaopt_model_parameter_name(p->model, 0), &weight));
    TRY(p->ctx,
        mesaopt_tensor_create(p->ctx, weight.dtype, 3, (const int64_t[]){1, rows, cols}, &t));
    TRY(p->ctx, mesaopt_tensor_view(t, view));
    return t;
}

/* Predictions behind the last row that fits need room of their own. */
static void open_loop(predictor *p, mesaopt_settings *decoder)
{
    int64_t capacity = 0;
    TRY(p->ctx, mesaopt_settings_get_int(decoder, MESAOPT_KEY_CAPACITY, &capacity));
    must(p->ctx, mesaopt_settings_set_int(decoder, MESAOPT_KEY_CAPACITY, capacity + p->ahead),
         "capacity");
    TRY(p->ctx, mesaopt_decoder_create(p->model, decoder, &p->loop));
    must(p->ctx, mesaopt_settings_set_int(decoder, MESAOPT_KEY_CAPACITY, capacity), "capacity");
}

void predictor_open_model(predictor *p, mesaopt_settings *decoder)
{
    const char *const path = args_text("model"), *const state = args_text("load");
    int64_t last = 0;
    TRY(p->ctx, mesaopt_model_open(p->ctx, path, &p->model));
    open_task(p, path);
    p->mean = zeros(p->n), p->sd = zeros(p->n);
    if (!scale_read(p->ctx, path, p->n, p->mean, p->sd))
        for (int64_t j = 0; j < p->n; j++) p->sd[j] = 1;
    TRY(p->ctx, mesaopt_model_width(p->model, -1, &last));
    if (last != p->width)
        die("%s: tokens of %lld features, expected the %lld of its task", path, (long long)last,
            (long long)p->width);
    if (*state) must(p->ctx, mesaopt_decoder_open(p->model, decoder, state, &p->decoder), state);
    else TRY(p->ctx, mesaopt_decoder_create(p->model, decoder, &p->decoder));
    if (p->ahead > 1) open_loop(p, decoder);
    p->of[0] = tensor(p, p->slots + p->ahead + 1, p->n, &p->recent);
    p->of[1] = tensor(p, p->slots + p->ahead, p->width, &p->tokens);
    p->of[2] = tensor(p, 1, p->n, &p->y);
}

/* ---- a row ---- */

/* Rows first .. first + count - 1. */
static mesaopt_view part(mesaopt_view v, int64_t first, int64_t count)
{
    v.data = (char *)v.data + first * v.stride[1] * (v.dtype == MESAOPT_F64 ? 8 : 4);
    v.shape[1] = count;
    return v;
}

mesaopt_status predictor_step(predictor *p, mesaopt_decoder *d, const double *row, int64_t held)
{
    for (int64_t j = 0; j < p->n; j++) predictor_set(&p->recent, (held - 1) * p->n + j, row[j]);
    const int64_t T = held < p->slots ? held : p->slots;
    const mesaopt_view rows = part(p->recent, held - T, T + 1), all = part(p->tokens, 0, T),
                       token = part(p->tokens, T - 1, 1);
    char where[64];
    snprintf(where, sizeof where, d == p->loop ? "ahead of row %lld" : "row %lld",
             (long long)p->rows + (d == p->decoder));
    mesaopt_status status = mesaopt_task_tokens(p->task, &rows, &all);  /* does not use the last */
    if (status >= 0) status = mesaopt_decoder_step(d, &token, &p->y);
    if (status < 0 && !(d == p->loop && status == MESAOPT_E_NONFINITE))
        say_failure(p->ctx, status, where);
    return status;
}

static mesaopt_status feed(predictor *p, const double *row)
{
    const mesaopt_status status = predictor_step(p, p->decoder, row, p->held + 1);
    if (status < 0) return status;
    p->seen++;
    if (++p->held <= p->slots) return status;
    p->held--;                                         /* the oldest goes */
    for (int64_t i = 0; i < p->slots * p->n; i++)
        predictor_set(&p->recent, i, predictor_get(&p->recent, i + p->n));
    return status;
}

mesaopt_status predictor_begin(predictor *p)
{
    mesaopt_status status = MESAOPT_OK;
    p->held = p->seen = p->behind = 0;
    TRY(p->ctx, mesaopt_decoder_reset(p->decoder, 0));
    for (int64_t i = 0; i < p->prefix && status >= 0; i++) status = feed(p, p->vectors + i * p->n);
    return status;
}

/* Row i of its sequence, and in front of it what separates it from the pair before: where one of
 * the two cannot be taken, the other is not taken twice. */
static mesaopt_status feed_row(predictor *p, const double *row, int64_t i)
{
    if (p->behind) {
        const mesaopt_status status = feed(p, p->vectors + p->prefix * p->n);
        if (status < 0) return status;
        p->behind = 0;
    }
    const mesaopt_status status = feed(p, row);
    if (status >= 0) p->behind = p->separator && i % 2;
    return status;
}

/* Does the model begin anew before row i? Pairs stay whole. */
static int begins_anew(const predictor *p, int64_t i)
{
    if (p->context == 0 || (p->pairs && i % 2)) return 0;
    return p->seen + p->behind + (p->pairs ? 2 : 1) > p->context;
}

mesaopt_status predictor_feed(predictor *p, const double *row)
{
    mesaopt_status status = MESAOPT_OK;
    if (begins_anew(p, p->since)) {
        status = predictor_begin(p);
        for (int64_t i = 0; i < p->kept && status >= 0; i++)
            status = feed_row(p, p->again + i * p->n, i);
    }
    if (status >= 0) status = feed_row(p, row, p->since);
    if (status < 0 || p->keep == 0) return status;
    const size_t size = (size_t)p->n * sizeof(double);
    if (p->kept == p->keep) memmove(p->again, p->again + p->n, (size_t)--p->kept * size);
    memcpy(p->again + p->kept++ * p->n, row, size);
    return status;
}

/* ---- vectors of a prompt ---- */

/* The vectors `name`, so many times, to `to`; returns their number. */
static int64_t vectors_of(const predictor *p, mesaopt_prompt *prompt, const char *name, double *to)
{
    mesaopt_view v;
    TRY(p->ctx, mesaopt_prompt_vectors(prompt, name, &v));
    if (v.shape[1] != p->n)
        die("%s: %s of %lld numbers, expected the %lld of a row", args_text("prompt"), name,
            (long long)v.shape[1], (long long)p->n);
    for (int64_t i = 0; to && i < v.shape[0] * p->n; i++)
        to[i] = predictor_get(&v, i / p->n * v.stride[0] + i % p->n * v.stride[1]);
    return v.shape[0];
}

/* prefix= and separator= of a prompt: what is empty goes by whether there are pairs. */
void predictor_open_prompt(predictor *p)
{
    const char *const path = args_text("prompt");
    mesaopt_prompt *prompt = NULL;
    p->prefix = *args_text("prefix") ? args_int("prefix", 0, 1) : *path != 0;
    p->separator = *args_text("separator") ? args_int("separator", 0, 1) : *path && p->pairs;
    if (!*path && (p->prefix || p->separator))
        args_refuse("prompt", "a file with the vectors that prefix= and separator= are about");
    if (p->separator && !p->pairs) args_refuse("separator", "0, or pairs=1");
    if (!*path) return;
    TRY(p->ctx, mesaopt_prompt_open(p->ctx, path, &prompt));
    if (p->prefix) p->prefix = vectors_of(p, prompt, "prefix", NULL);
    p->vectors = zeros((p->prefix + p->separator) * p->n);
    if (p->prefix) vectors_of(p, prompt, "prefix", p->vectors);
    if (p->separator) vectors_of(p, prompt, "separator", p->vectors + p->prefix * p->n);
    mesaopt_prompt_free(prompt);
}

/* ---- how much it sees ---- */

/* Rows that there are learned positions for; INT64_MAX without any. */
static int64_t positions(const predictor *p)
{
    static const char end[] = ".positions";
    int64_t most = INT64_MAX;
    const char *name;
    for (int64_t i = 0; (name = mesaopt_model_parameter_name(p->model, i)); i++) {
        mesaopt_view v;
        const size_t n = strlen(name);
        if (n < sizeof end || strcmp(name + n - (sizeof end - 1), end) != 0) continue;
        TRY(p->ctx, mesaopt_model_parameter(p->model, name, &v));
        if (v.shape[0] < most) most = v.shape[0];
    }
    return most;
}

/* context=: as many as the model was trained on, unless told; with the rows ahead no more than it
 * has positions for. Vectors of a prompt count. */
void predictor_open_context(predictor *p)
{
    const int64_t most = positions(p) - (p->ahead - 1),
                  least = p->prefix + (p->pairs ? 4 + 2 * p->separator : 2);
    char expected[80];
    if (most < 2) args_refuse("ahead", "fewer rows: the model has learned positions for so many");
    p->context = p->trained;
    if (most < INT64_MAX / 2 && (p->context == 0 || p->context > most)) p->context = most;
    if (*args_text("context")) p->context = args_int("context", 0, 1 << 30);
    snprintf(expected, sizeof expected, "at most %lld, the learned positions less the rows ahead",
             (long long)most);
    if (p->context > most) args_refuse("context", expected);
    snprintf(expected, sizeof expected, "0, or at least %lld", (long long)least);
    if (p->context > 0 && p->context < least) args_refuse("context", expected);
    p->keep = p->context > 0 ? (p->context - p->prefix) / 2 : 0;
    if (p->pairs) p->keep = p->keep / (2 + p->separator) * 2;
    p->again = zeros(p->keep * p->n);
    if (p->trained > 0 && p->context != p->trained)
        note("the model was trained on sequences of %lld rows", (long long)p->trained);
}
