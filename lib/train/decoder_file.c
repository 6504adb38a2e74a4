/* Streams of a decoder as safetensors. Tensors, of n streams of which the longest has had t tokens:
 *
 *     steps              i64 [n]: tokens of each
 *     blocks.I.state     [n, state]: of linear blocks S, of mesa blocks H and S, head by head, in
 *                        f32 each followed by as many numbers that are behind its last digits
 *     blocks.I.keys      [n, t, heads, key], blocks.I.values likewise: of softmax blocks
 *
 * Metadata: mesaopt.kind "decoder", mesaopt.format, mesaopt.version, mesaopt.blocks and
 * mesaopt.model as in checkpoints, mesaopt.fingerprint: of the parameters; mesaopt.isa and
 * mesaopt.lanes, on which the bits of further steps depend. */
#include "base/version.h"
#include "tensor/fingerprint.h"
#include "train/checkpoint.h"
#include "train/decoder_impl.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { STATE, KEYS, VALUES, PARTS };
enum { OWN_TEXTS = 8 };
static const char *const part_names[PARTS] = {"state", "keys", "values"};

/* What there is of a block in a file: of a stream `rows` of it, each `heads` times `cols` numbers;
 * none: 0. */
typedef struct part { char name[48]; int64_t rows, heads, cols; } part;

static part part_of(const mesaopt_decoder *d, int64_t i, int which, int64_t most)
{
    const block *b = &d->model->blocks[i];
    part r = {.rows = most, .heads = b->cache.heads};
    if (which == STATE) r.rows = 1, r.heads = b->state > 0, r.cols = block_state(b, d->p.k);
    if (which == KEYS) r.cols = b->cache.key;
    if (which == VALUES) r.cols = b->cache.value;
    snprintf(r.name, sizeof r.name, "blocks.%" PRId64 ".%s", i, part_names[which]);
    return r;
}

static int64_t each(const part *r) { return r->rows * r->heads * r->cols; }

static saved_tensor tensor_of(const mesaopt_decoder *d, const part *r, const void *data)
{
    saved_tensor t = {r->name, d->model->dtype, 2, {d->streams, r->cols}, data};
    if (strcmp(strrchr(r->name, '.') + 1, part_names[STATE]) == 0) return t;
    t.ndim = 4;
    t.shape[1] = r->rows, t.shape[2] = r->heads, t.shape[3] = r->cols;
    return t;
}

/* `rows` rows of a stream's part out of what is kept of its panel, or into it. */
static void move(const mesaopt_decoder *d, const block *b, const block_memory *of, int which,
                 const part *r, int64_t lane, int64_t rows, char *x, int out)
{
    const kern *k = d->p.k;
    const size_t real = (size_t)k->size;
    for (int64_t h = 0; h < r->heads; h++) {
        const mat m = which == STATE  ? (mat){of->state[d->now], r->cols, 1}
                      : which == KEYS ? cache_keys(b, k, of->cache, d->capacity, h)
                                      : cache_values(b, k, of->cache, d->capacity, h);
        for (int64_t i = 0; i < rows * r->cols; i++) {
            const int64_t t = i / r->cols, c = i % r->cols;
            char *kept = (char *)kern_at(k, m.p, t * m.rs + c * m.cs) + (size_t)lane * real,
                 *own = x + (size_t)((t * r->heads + h) * r->cols + c) * real;
            memcpy(out ? own : kept, out ? kept : own, real);
        }
    }
}

/* What is kept of block i in a panel. */
static block_memory kept_of(const mesaopt_decoder *d, int64_t panel, int64_t i)
{
    arena a = decoder_kept(d, panel);
    for (int64_t j = 0; j < i; j++) decoder_kept_take(&a, d, &d->model->blocks[j]);
    return decoder_kept_take(&a, d, &d->model->blocks[i]);
}

/* ---- the model that it belongs to ---- */

typedef struct hash { char text[17]; } hash;

static hash parameters_hash(const mesaopt_model *m)
{
    const mesaopt_view all = {.data = m->params,
                              .shape = {m->n_params},
                              .stride = {1},
                              .ndim = 1,
                              .dtype = m->dtype};
    hash out;
    snprintf(out.text, sizeof out.text, "%016" PRIx64, view_fingerprint(0, &all));
    return out;
}

/* ---- saving ---- */

typedef struct record {
    int64_t tensors;
    saved_tensor *tensor;
    part *part;                    /* the name of tensor i + 1 is that of part i */
    char *data, *dumps;            /* dumps: blocks, settings of the model */
} record;

static void lay_out(const mesaopt_decoder *d, int64_t most, arena *a, record *r)
{
    r->tensors = 0;
    r->tensor[r->tensors++] = (saved_tensor){"steps", MESAOPT_I64, 1, {d->streams}, d->steps};
    for (int64_t i = 0; i < d->model->n_blocks; i++)
        for (int which = 0; which < PARTS; which++) {
            part *p = &r->part[r->tensors - 1];
            *p = part_of(d, i, which, most);
            if (each(p) == 0) continue;
            void *data = arena_take(a, d->streams * each(p), d->p.k->size);
            r->tensor[r->tensors++] = tensor_of(d, p, data);
        }
}

static void collect(const mesaopt_decoder *d, int64_t most, const record *r)
{
    for (int64_t i = 0, n = 1; i < d->model->n_blocks; i++)
        for (int which = 0; which < PARTS; which++) {
            const part p = part_of(d, i, which, most);
            if (each(&p) == 0) continue;
            char *x = (char *)r->tensor[n++].data;
            for (int64_t s = 0; s < d->streams; s++, x += each(&p) * d->p.k->size) {
                const block_memory of = kept_of(d, s / d->p.k->lanes, i);
                move(d, &d->model->blocks[i], &of, which, &p, s % d->p.k->lanes,
                     which == STATE ? 1 : d->steps[s], x, 1);
            }
        }
}

static mesaopt_status write_file(const mesaopt_decoder *d, const storage *to, const record *r,
                                 const char *model)
{
    const hash parameters = parameters_hash(d->model);
    const char *isa = options_word(MESAOPT_KEY_ISA, d->p.k->isa);
    char lanes[16];
    snprintf(lanes, sizeof lanes, "%d", (int)d->p.k->lanes);
    tensor_file_text text[OWN_TEXTS + NOTES_MOST] = {
        {"mesaopt.format", "1"},           {"mesaopt.kind", "decoder"},
        {"mesaopt.version", VERSION_TEXT}, {"mesaopt.blocks", r->dumps},
        {"mesaopt.model", model},          {"mesaopt.fingerprint", parameters.text},
        {"mesaopt.lanes", lanes},          {"mesaopt.isa", isa}};
    for (int64_t i = 0; i < d->notes.count; i++)
        text[OWN_TEXTS + i] = (tensor_file_text){d->notes.item[i].key, d->notes.item[i].text};
    return tensor_file_write_to(d->head.ctx, to, OWN_TEXTS + d->notes.count, text, r->tensors,
                             r->tensor);
}

mesaopt_status decoder_save(const mesaopt_decoder *d, const storage *to)
{
    const allocator *alloc = &d->head.ctx->alloc;
    const mesaopt_model *m = d->model;
    const int64_t most = decoder_most_steps(d), count = 1 + m->n_blocks * PARTS,
                  blocks = model_text(m, NULL, 0), model = settings_text(&m->settings, NULL, 0);
    mesaopt_status status = MESAOPT_OK;
    arena a = {0};
    record r = {0, alloc_new(alloc, count, sizeof *r.tensor),
                alloc_new(alloc, count, sizeof *r.part), NULL,
                alloc_new(alloc, blocks + model, 1)};
    if (r.tensor && r.part) lay_out(d, most, &a, &r);
    r.data = a.used < 0 ? NULL : alloc_new(alloc, 1, a.used);
    if (!r.tensor || !r.part || !r.dumps || !r.data) {
        status = fail(d->head.ctx, MESAOPT_E_MEMORY, "save: no memory for a copy of %lld streams",
                      (long long)d->streams);
    } else {
        a = (arena){r.data, 0};
        lay_out(d, most, &a, &r);
        collect(d, most, &r);
        model_text(m, r.dumps, blocks);
        settings_text(&m->settings, r.dumps + blocks, model);
        status = write_file(d, to, &r, r.dumps + blocks);
    }
    alloc_free(alloc, r.tensor);
    alloc_free(alloc, r.part);
    alloc_free(alloc, r.dumps);
    alloc_free(alloc, r.data);
    return status;
}

/* ---- reading: nothing in the file is trusted ---- */

static mesaopt_status check_text(const tensor_file *f, const char *key, const char *expected)
{
    const char *text = tensor_file_metadata(f, key);
    if (text && !strcmp(text, expected)) return MESAOPT_OK;
    return tensor_file_fail(f, NULL, "%s '%.40s', expected '%s'", key, text ? text : "missing",
                            expected);
}

static mesaopt_status check_model(const tensor_file *f, const mesaopt_model *m)
{
    mesaopt_status status = check_text(f, "mesaopt.kind", "decoder");
    if (status == MESAOPT_OK) status = check_text(f, "mesaopt.format", "1");
    if (status == MESAOPT_OK) status = checkpoint_same_model(f, m);
    if (status == MESAOPT_OK)
        status = check_text(f, "mesaopt.fingerprint", parameters_hash(m).text);
    return status;
}

static mesaopt_status read_steps(const tensor_file *f, mesaopt_decoder *d)
{
    const file_tensor *t = tensor_file_find(f, "steps");
    if (!t || t->ndim != 1 || t->shape[0] != d->streams || t->dtype != MESAOPT_I64)
        return tensor_file_fail(f, "steps", "%lld streams, expected %lld counts of type i64",
                                t && t->ndim == 1 ? (long long)t->shape[0] : 0LL,
                                (long long)d->streams);
    const mesaopt_status status = tensor_file_read(f, t, 0, d->streams, MESAOPT_I64, d->steps);
    for (int64_t s = 0; s < d->streams && status == MESAOPT_OK; s++)
        if (d->steps[s] < 0 || d->steps[s] > d->most)
            return tensor_file_fail(f, "steps",
                                    "%lld tokens of stream %lld, expected 0 to %lld (capacity)",
                                    (long long)d->steps[s], (long long)s, (long long)d->most);
    decoder_align(d);
    return status;
}

static mesaopt_status check_numbers(const tensor_file *f, const mesaopt_decoder *d, const part *r,
                                    int64_t stream, int64_t count, const void *x)
{
    if (kern_get(f->ctx, d->model->dtype, 0)->first_nonfinite(count, x) < 0) return MESAOPT_OK;
    return tensor_file_fail(f, r->name, "stream %lld is not finite, expected finite numbers",
                            (long long)stream);
}

/* One tensor: `buffer` holds what a stream has of it. */
static mesaopt_status read_part(const tensor_file *f, mesaopt_decoder *d, int64_t i, int which,
                                const part *r, void *buffer)
{
    const kern *k = d->p.k;
    const saved_tensor want = tensor_of(d, r, NULL);
    const file_tensor *t;
    mesaopt_status status = tensor_file_expect(f, r->name, want.ndim, want.shape, &t);
    for (int64_t s = 0; s < d->streams && status == MESAOPT_OK; s++) {
        const int64_t rows = which == STATE ? 1 : d->steps[s], n = rows * r->heads * r->cols;
        const block_memory of = kept_of(d, s / k->lanes, i);
        status = tensor_file_read(f, t, s * each(r), n, d->model->dtype, buffer);
        if (status == MESAOPT_OK) status = check_numbers(f, d, r, s, n, buffer);
        if (status == MESAOPT_OK)
            move(d, &d->model->blocks[i], &of, which, r, s % k->lanes, rows, buffer, 0);
        if (status == MESAOPT_OK) status = ctx_stopped(f->ctx, "open");
    }
    return status;
}

static mesaopt_status read_parts(const tensor_file *f, mesaopt_decoder *d)
{
    const int64_t most = decoder_most_steps(d);
    int64_t largest = 0;
    mesaopt_status status = MESAOPT_OK;
    for (int64_t i = 0; i < d->model->n_blocks * PARTS; i++) {
        const part r = part_of(d, i / PARTS, (int)(i % PARTS), most);
        if (each(&r) > largest) largest = each(&r);
    }
    void *buffer = alloc_new(&f->ctx->alloc, largest, d->model->size);
    if (!buffer)
        return fail(f->ctx, MESAOPT_E_MEMORY, "open: no memory for a stream of %lld elements",
                    (long long)largest);
    for (int64_t i = 0; i < d->model->n_blocks * PARTS && status == MESAOPT_OK; i++) {
        const part r = part_of(d, i / PARTS, (int)(i % PARTS), most);
        if (each(&r) > 0) status = read_part(f, d, i / PARTS, (int)(i % PARTS), &r, buffer);
    }
    alloc_free(&f->ctx->alloc, buffer);
    return status;
}

/* MESAOPT_OK or MESAOPT_OTHER_ISA. */
static mesaopt_status compare_machine(const tensor_file *f, const mesaopt_decoder *d)
{
    const char *isa = tensor_file_metadata(f, "mesaopt.isa"),
               *lanes = tensor_file_metadata(f, "mesaopt.lanes");
    char own[16];
    snprintf(own, sizeof own, "%d", (int)d->p.k->lanes);
    const int same = isa && lanes && !strcmp(lanes, own) &&
                     !strcmp(isa, options_word(MESAOPT_KEY_ISA, d->p.k->isa));
    return same ? MESAOPT_OK : MESAOPT_OTHER_ISA;
}

static mesaopt_status read_file(const tensor_file *f, mesaopt_model *model,
                                const mesaopt_settings *settings, mesaopt_decoder **out)
{
    mesaopt_decoder *d;
    mesaopt_status status = check_model(f, model);
    if (status == MESAOPT_OK) status = decoder_create(model, settings, &d);
    if (status != MESAOPT_OK) return status;
    status = read_steps(f, d);
    if (status == MESAOPT_OK) status = read_parts(f, d);
    if (status == MESAOPT_OK) status = tensor_file_notes(f, &d->notes);
    if (status == MESAOPT_OK) status = compare_machine(f, d);
    if (status >= 0) *out = d;
    else object_release(&d->head);
    return status;
}

mesaopt_status decoder_open(mesaopt_model *model, const mesaopt_settings *settings,
                            const storage *from, mesaopt_decoder **out)
{
    tensor_file f;
    mesaopt_status status = tensor_file_open_from(model->head.ctx, from, &f);
    if (status != MESAOPT_OK) return status;
    status = read_file(&f, model, settings, out);
    tensor_file_close(&f);
    return status;
}
