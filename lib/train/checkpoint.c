/* Saving and loading checkpoints; see checkpoint.h. */
#include "base/version.h"
#include "train/checkpoint.h"
#include "train/changes.h"
#include "train/metadata.h"
#include "train/safetensors.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { OWN_TEXTS = 12 };

/* Parameters, and the moments of AdamW beside them. */
static const char *const prefixes[] = {"", "adamw.m.", "adamw.v."};
enum { SETS = sizeof prefixes / sizeof *prefixes };
#define RULES_KEY "mesaopt.parameters"
#define FROZEN_KEY "mesaopt.frozen_steps"

typedef struct name { char text[64]; } name;

static name full_name(const char *prefix, const model_parameter *p)
{
    name n;
    snprintf(n.text, sizeof n.text, "%s%s", prefix, p->name);
    return n;
}

static name integer(int64_t x)
{
    name n;
    snprintf(n.text, sizeof n.text, "%" PRId64, x);
    return n;
}

/* ---- saving ---- */

/* What a file is written from. */
typedef struct record {
    const mesaopt_model *m;
    const mesaopt_trainer *t;      /* NULL: the model alone */
    tensor_file_text text[OWN_TEXTS + NOTES_MOST];
    int64_t texts, tensors;
    saved_tensor *tensor;
    name *names, step, lanes;
    task_facts task;
    char *dumps;                   /* blocks, settings of the model; of the trainer: settings, what
                                      was said of parameters, for how long they were frozen */
} record;

static void add_text(record *r, const char *key, const char *value)
{
    r->text[r->texts++] = (tensor_file_text){key, value};
}

static void add_tensors(record *r, const char *prefix, const void *base)
{
    const mesaopt_model *m = r->m;
    for (int64_t i = 0; i < m->n_table; i++, r->tensors++) {
        const model_parameter *p = &m->table[i];
        r->names[r->tensors] = full_name(prefix, p);
        r->tensor[r->tensors] = (saved_tensor){r->names[r->tensors].text,
                                               m->dtype,
                                               2,
                                               {p->rows, p->cols},
                                               (const char *)base + p->offset * m->size};
    }
}

static mesaopt_status record_reserve(record *r, int64_t text_bytes)
{
    const allocator *a = &r->m->head.ctx->alloc;
    const int64_t tensors = r->m->n_table * (r->t ? SETS : 1);
    r->tensor = alloc_new(a, tensors, sizeof *r->tensor);
    r->names = alloc_new(a, tensors, sizeof *r->names);
    r->dumps = alloc_new(a, text_bytes, 1);
    if (r->tensor && r->names && r->dumps) return MESAOPT_OK;
    return fail(r->m->head.ctx, MESAOPT_E_MEMORY,
                "save: no memory for the table of %" PRId64 " tensors", tensors);
}

static const kern *kern_of_steps(const mesaopt_trainer *t)
{
    return model_panels(t->model, t->batch, t->task->shape.length).k;
}

/* Three texts of a trainer, each with its end: settings, update_rules_text, update_rules_frozen.
 * Returns their bytes; `to` NULL: only these. */
static int64_t trainer_text(const mesaopt_trainer *t, char *to)
{
    if (!t) return 0;
    const int64_t settings = settings_text(&t->settings, NULL, 0);
    if (to) settings_text(&t->settings, to, settings);
    const int64_t rules = update_rules_text(t->model, t->adam.rules, to ? to + settings : NULL);
    return settings + rules +
           update_rules_frozen(t->model, t->adam.rules, to ? to + settings + rules : NULL);
}

static void record_trainer(record *r, char *text)
{
    static const char *const keys[] = {"mesaopt.trainer", RULES_KEY, FROZEN_KEY};
    const mesaopt_trainer *t = r->t;
    const kern *k = kern_of_steps(t);
    trainer_text(t, text);
    for (int i = 0; i < 3; i++, text += strlen(text) + 1)
        if (*text) add_text(r, keys[i], text);
    r->step = integer(atomic_load(&t->step));
    r->lanes = integer(k->lanes);
    r->task = task_text(t->task);
    add_text(r, "mesaopt.task", r->task.text);
    add_text(r, "mesaopt.step", r->step.text);
    add_text(r, "mesaopt.isa", options_word(MESAOPT_KEY_ISA, k->isa));
    add_text(r, "mesaopt.lanes", r->lanes.text);
    add_tensors(r, prefixes[1], t->adam.m);
    add_tensors(r, prefixes[2], t->adam.v);
}

static mesaopt_status record_fill(record *r)
{
    const mesaopt_model *m = r->m;
    const mesaopt_trainer *t = r->t;
    const int64_t blocks = model_text(m, NULL, 0), model = settings_text(&m->settings, NULL, 0);
    mesaopt_status status = record_reserve(r, blocks + model + trainer_text(t, NULL));
    if (status != MESAOPT_OK) return status;
    model_text(m, r->dumps, blocks);
    settings_text(&m->settings, r->dumps + blocks, model);
    add_text(r, "mesaopt.format", "1");
    add_text(r, "mesaopt.kind", t ? "trainer" : "model");
    add_text(r, "mesaopt.version", VERSION_TEXT);
    add_text(r, "mesaopt.blocks", r->dumps);
    add_text(r, "mesaopt.model", r->dumps + blocks);
    for (int64_t i = 0; i < m->notes.count; i++)
        add_text(r, m->notes.item[i].key, m->notes.item[i].text);
    add_tensors(r, prefixes[0], m->params);
    if (t) record_trainer(r, r->dumps + blocks + model);
    return MESAOPT_OK;
}

static mesaopt_status save(const mesaopt_model *m, const mesaopt_trainer *t, const storage *to)
{
    const allocator *a = &m->head.ctx->alloc;
    record r = {.m = m, .t = t};
    mesaopt_status status = record_fill(&r);
    if (status == MESAOPT_OK) status = saved_check_finite(m->head.ctx, r.tensors, r.tensor);
    if (status == MESAOPT_OK)
        status = tensor_file_write_to(m->head.ctx, to, r.texts, r.text, r.tensors, r.tensor);
    alloc_free(a, r.tensor);
    alloc_free(a, r.names);
    alloc_free(a, r.dumps);
    return status;
}

mesaopt_status checkpoint_save_model(const mesaopt_model *m, const storage *to)
{
    return save(m, NULL, to);
}
mesaopt_status checkpoint_save_trainer(const mesaopt_trainer *t, const storage *to)
{
    return save(t->model, t, to);
}

/* ---- loading ---- */

/* One tensor per parameter, names with `prefix`, into `out`, laid out as the model's parameters;
 * all finite, and not negative if so wanted. */
static mesaopt_status read_tensors(const tensor_file *f, const mesaopt_model *m, const char *prefix,
                                   int not_negative, void *out)
{
    const kern *k = kern_get(f->ctx, m->dtype, 0);
    for (int64_t i = 0; i < m->n_table; i++) {
        const model_parameter *p = &m->table[i];
        const name full = full_name(prefix, p);
        const int64_t count = p->rows * p->cols;
        const file_tensor *t;
        char *x = (char *)out + p->offset * m->size;
        mesaopt_status status =
            tensor_file_expect(f, full.text, 2, (int64_t[]){p->rows, p->cols}, &t);
        if (status == MESAOPT_OK) status = tensor_file_read(f, t, 0, count, m->dtype, x);
        if (status != MESAOPT_OK) return status;
        const int64_t bad = k->first_nonfinite(count, x);
        if (bad >= 0)
            return tensor_file_fail(f, full.text,
                                    "element [%" PRId64 ",%" PRId64 "] is not a finite %s",
                                    bad / p->cols, bad % p->cols, dtype_name(m->dtype));
        for (int64_t j = 0; not_negative && j < count; j++)
            if (m->dtype == MESAOPT_F32 ? ((float *)x)[j] < 0 : ((double *)x)[j] < 0)
                return tensor_file_fail(f, full.text,
                                        "element [%" PRId64 ",%" PRId64 "] is negative",
                                        j / p->cols, j % p->cols);
    }
    return MESAOPT_OK;
}

static mesaopt_status load_parameters(const tensor_file *f, mesaopt_model *m)
{
    const allocator *a = &f->ctx->alloc;
    void *spare = alloc_new(a, m->n_params, m->size);
    if (!spare)
        return fail(f->ctx, MESAOPT_E_MEMORY, "load: no memory for %" PRId64 " parameters",
                    m->n_params);
    mesaopt_status status = read_tensors(f, m, prefixes[0], 0, spare);
    if (status == MESAOPT_OK) memcpy(m->params, spare, (size_t)(m->n_params * m->size));
    alloc_free(a, spare);
    return status;
}

mesaopt_status checkpoint_load_model(mesaopt_model *m, const storage *from)
{
    tensor_file f;
    mesaopt_status status = tensor_file_open_from(m->head.ctx, from, &f);
    if (status != MESAOPT_OK) return status;
    status = load_parameters(&f, m);
    tensor_file_close(&f);
    return status;
}

static mesaopt_status open_model(const tensor_file *f, mesaopt_model **out)
{
    mesaopt_settings settings;
    mesaopt_model *m;
    const char *blocks;
    mesaopt_status status = metadata_format(f);
    if (status == MESAOPT_OK) status = metadata_text(f, "mesaopt.blocks", &blocks);
    if (status == MESAOPT_OK)
        status = metadata_settings(f, "mesaopt.model", MESAOPT_SCOPE_MODEL, &settings);
    if (status == MESAOPT_OK) status = model_create(f->ctx, &settings, &m);
    if (status != MESAOPT_OK) return status;
    m->most_params = f->data_bytes / 2;                /* before the memory is asked for: a number
                                                          takes two bytes at least */
    if (*blocks) status = model_add_text(m, blocks);
    m->most_params = INT64_MAX;
    if (status == MESAOPT_OK) status = load_parameters(f, m);
    if (status == MESAOPT_OK) status = tensor_file_notes(f, &m->notes);
    if (status == MESAOPT_OK) *out = m;
    else object_release(&m->head);
    return status;
}

mesaopt_status checkpoint_open_model(mesaopt_ctx *ctx, const storage *from, mesaopt_model **out)
{
    tensor_file f;
    mesaopt_status status = tensor_file_open_from(ctx, from, &f);
    if (status != MESAOPT_OK) return status;
    status = open_model(&f, out);
    tensor_file_close(&f);
    return status;
}

/* ---- trainers ---- */

/* Both settings in the type and extents that parameters and moments have. */
mesaopt_status checkpoint_same_model(const tensor_file *f, const mesaopt_model *m)
{
    static const int32_t keys[] = {MESAOPT_KEY_INPUTS, MESAOPT_KEY_OUTPUTS, MESAOPT_KEY_DTYPE};
    mesaopt_settings theirs;
    const char *blocks;
    mesaopt_status status = metadata_text(f, "mesaopt.blocks", &blocks);
    if (status == MESAOPT_OK)
        status = metadata_settings(f, "mesaopt.model", MESAOPT_SCOPE_MODEL, &theirs);
    if (status != MESAOPT_OK) return status;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const int64_t was = option_int(&theirs, MESAOPT_SCOPE_MODEL, keys[i]),
                      is = option_int(&m->settings, MESAOPT_SCOPE_MODEL, keys[i]);
        if (was != is)
            return tensor_file_fail(f, NULL,
                                    "model setting %s: %" PRId64 ", expected %" PRId64
                                    " as this model has it",
                                    options_find(0, keys[i])->name, was, is);
    }
    const int64_t bytes = model_text(m, NULL, 0);
    char *ours = alloc_new(&f->ctx->alloc, bytes, 1);
    if (!ours)
        return fail(f->ctx, MESAOPT_E_MEMORY, "load: no memory for a text of %" PRId64 " bytes",
                    bytes);
    model_text(m, ours, bytes);
    if (strcmp(ours, blocks) != 0)
        status = tensor_file_fail(f, NULL, "blocks \"%.100s\", expected \"%.100s\"", blocks, ours);
    alloc_free(&f->ctx->alloc, ours);
    return status;
}

/* MESAOPT_OK or MESAOPT_OTHER_ISA; a failure when the file does not say. */
static mesaopt_status compare_machine(const tensor_file *f, const mesaopt_trainer *t)
{
    const char *isa;
    int64_t lanes;
    const kern *k = kern_of_steps(t);
    mesaopt_status status = metadata_text(f, "mesaopt.isa", &isa);
    if (status == MESAOPT_OK) status = metadata_integer(f, "mesaopt.lanes", 1, &lanes);
    if (status != MESAOPT_OK) return status;
    return strcmp(isa, options_word(MESAOPT_KEY_ISA, k->isa)) == 0 && lanes == k->lanes
               ? MESAOPT_OK
               : MESAOPT_OTHER_ISA;
}

/* What a file says of a trainer. */
typedef struct loaded {
    void *numbers[SETS];           /* parameters, moments */
    int64_t step, *frozen_steps;   /* the latter one per parameter */
} loaded;

static mesaopt_status read_numbers(const tensor_file *f, const mesaopt_model *m, loaded *l)
{
    mesaopt_status status = MESAOPT_OK;
    for (int i = 0; i < SETS && status == MESAOPT_OK; i++) {
        l->numbers[i] = alloc_new(&f->ctx->alloc, m->n_params, m->size);
        status = l->numbers[i] ? read_tensors(f, m, prefixes[i], i == SETS - 1, l->numbers[i])
                               : fail(f->ctx, MESAOPT_E_MEMORY,
                                      "load: no memory for %" PRId64 " parameters", m->n_params);
    }
    return status;
}

static mesaopt_status read_frozen(const tensor_file *f, const mesaopt_model *m, loaded *l)
{
    const char *text = tensor_file_metadata(f, FROZEN_KEY), *bad;
    l->frozen_steps = alloc_new(&f->ctx->alloc, m->n_table, sizeof *l->frozen_steps);
    if (!l->frozen_steps)
        return fail(f->ctx, MESAOPT_E_MEMORY, "load: no memory for %" PRId64 " parameters",
                    m->n_table);
    bad = text ? update_rules_read_frozen(m, text, l->step, l->frozen_steps) : NULL;
    if (!bad) return MESAOPT_OK;
    return tensor_file_fail(f, NULL,
                            "metadata " FROZEN_KEY
                            ": \"%.60s\", expected name=steps of parameters in their order, 1 to %"
                            PRId64 " steps",
                            bad, l->step);
}

static mesaopt_status read_trainer(const tensor_file *f, mesaopt_trainer *t, const char *change,
                                   loaded *l)
{
    const char *kind;
    mesaopt_status status = metadata_format(f);
    if (status == MESAOPT_OK) status = metadata_text(f, "mesaopt.kind", &kind);
    if (status == MESAOPT_OK && strcmp(kind, "trainer") != 0)
        status =
            tensor_file_fail(f, NULL, "a checkpoint of a %.40s, expected one of a trainer", kind);
    if (status == MESAOPT_OK) status = checkpoint_same_model(f, t->model);
    if (status == MESAOPT_OK) status = changes_check(f, task_text(t->task).text, change);
    if (status == MESAOPT_OK) status = metadata_integer(f, "mesaopt.step", 0, &l->step);
    if (status == MESAOPT_OK && !trainer_steps_fit(t, l->step))
        status = tensor_file_fail(
            f, NULL,
            "metadata mesaopt.step: %" PRId64 ", beyond the end of the stream of sequences",
            l->step);
    if (status == MESAOPT_OK) status = read_frozen(f, t->model, l);
    if (status == MESAOPT_OK) status = read_numbers(f, t->model, l);
    return status == MESAOPT_OK ? compare_machine(f, t) : status;
}

/* A line for everything that was otherwise in the run that goes on here. MESAOPT_E_MEMORY: for the
 * texts. */
static mesaopt_status log_changes(const tensor_file *f, const mesaopt_trainer *t)
{
    char *text = alloc_new(&f->ctx->alloc, trainer_text(t, NULL), 1);
    if (!text) return fail(f->ctx, MESAOPT_E_MEMORY, "load: no memory for a text");
    const char *was = tensor_file_metadata(f, RULES_KEY);
    trainer_text(t, text);
    changes_log(f, tensor_file_metadata(f, "mesaopt.trainer"), text);
    changes_log(f, tensor_file_metadata(f, "mesaopt.task"), task_text(t->task).text);
    changes_log(f, was ? was : "", text + strlen(text) + 1);
    alloc_free(&f->ctx->alloc, text);
    return MESAOPT_OK;
}

static void take(mesaopt_trainer *t, const loaded *l)
{
    const mesaopt_model *m = t->model;
    void *const to[SETS] = {m->params, t->adam.m, t->adam.v};
    for (int i = 0; i < SETS; i++)
        memcpy(to[i], l->numbers[i], (size_t)(m->n_params * m->size));
    for (int64_t i = 0; i < m->n_table; i++) t->adam.rules[i].frozen_steps = l->frozen_steps[i];
    atomic_store(&t->step, l->step);
}

static mesaopt_status load_trainer(const tensor_file *f, mesaopt_trainer *t, const char *change)
{
    loaded l = {.step = 0};
    mesaopt_status status = read_trainer(f, t, change, &l);
    if (status >= 0) {
        const mesaopt_status logged = log_changes(f, t);
        if (logged < 0) status = logged;
        else take(t, &l);
    }
    for (int i = 0; i < SETS; i++) alloc_free(&f->ctx->alloc, l.numbers[i]);
    alloc_free(&f->ctx->alloc, l.frozen_steps);
    return status;
}

mesaopt_status checkpoint_load_trainer(mesaopt_trainer *t, const storage *from,
                                       const char *change)
{
    tensor_file f;
    mesaopt_status status = tensor_file_open_from(t->head.ctx, from, &f);
    if (status != MESAOPT_OK) return status;
    status = load_trainer(&f, t, change);
    tensor_file_close(&f);
    return status;
}
