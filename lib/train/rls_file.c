/* Saving and reading states. Tensors, all f64, n streams (missing=output: n outputs of streams,
 * stream by stream, dv = 1, and missing [n, 1]): ridge [n, d], key_state [n, d, d],
 * value_state [n, d, dv], squares [n, dv], counters [n, 4] = weight, decay, rows, kept; without a
 * window residual [n, dv], NaN where it is not known; with one, or when rows are kept, kept [n,
 * ring, d + dv + 3]: the kept rows, oldest first, each key, value, weight, log gate, minus the log
 * gates since then. */
#include "train/rls_file.h"
#include "base/number.h"
#include "base/real.h"
#include "train/safetensors.h"
#include <math.h>
#include <string.h>

enum {
    RIDGE,
    KEY_STATE,
    VALUE_STATE,
    SQUARES,
    COUNTERS,
    RESIDUAL,
    KEPT,
    MISSING,
    TENSORS,
    COUNTER = 4,
    OWN_TEXTS = 5
};
static const char *const names[TENSORS] = {"ridge",    "key_state", "value_state", "squares",
                                           "counters", "residual",  "kept",        "missing"};

/* Is there such a tensor? Rows are kept by windows, and by estimators without one as long as they
 * are young. */
static int present(const rls_options *o, int young, int which)
{
    switch (which) {
    case RESIDUAL: return o->window == 0;
    case KEPT: return o->window > 0 || young;
    case MISSING: return o->missing == MISSING_OUTPUT;
    default: return 1;
    }
}

typedef struct shape { int32_t ndim; int64_t extent[3]; } shape;

static shape shape_of(const rls_plan *p, int64_t n, int which)
{
    switch (which) {
    case RIDGE: return (shape){2, {n, p->d, 0}};
    case KEY_STATE: return (shape){3, {n, p->d, p->d}};
    case VALUE_STATE: return (shape){3, {n, p->d, p->dv}};
    case SQUARES: return (shape){2, {n, p->dv, 0}};
    case COUNTERS: return (shape){2, {n, COUNTER, 0}};
    case RESIDUAL: return (shape){2, {n, p->dv, 0}};
    case MISSING: return (shape){2, {n, 1, 0}};
    default: return (shape){3, {n, p->ring, p->d + p->dv + 3}};
    }
}

static int64_t each(const shape *s) { return s->extent[1] * (s->ndim == 3 ? s->extent[2] : 1); }

/* One estimator's part of a tensor, from the state or into it. */
static void move(const rls_plan *p, estimator *o, int which, double *x, int64_t n, int out)
{
    double *const own[TENSORS] = {[RIDGE] = o->sums.ridge,       [KEY_STATE] = o->sums.H,
                                  [VALUE_STATE] = o->sums.S,     [SQUARES] = o->sums.squares,
                                  [RESIDUAL] = o->residual.spread};
    double *const counter[] = {&o->sums.total, &o->decay};
    int64_t *kept = &o->window.kept;
    if (own[which]) {
        memcpy(out ? x : own[which], out ? own[which] : x, (size_t)n * sizeof(double));
    } else if (which == COUNTERS) {
        for (int i = 0; i < 2; i++) *(out ? &x[i] : counter[i]) = out ? *counter[i] : x[i];
        if (out) x[2] = (double)o->count, x[3] = (double)*kept;
        else o->count = (int64_t)x[2], *kept = (int64_t)x[3];
    } else if (which == MISSING) {
        if (out) x[0] = (double)o->missing;
        else o->missing = (int64_t)x[0];
    } else {
        const int64_t width = n / p->ring;
        for (int64_t i = 0; i < *kept; i++) {
            double *row = window_row(p, &o->window, i).key;
            memcpy(out ? x + i * width : row, out ? row : x + i * width,
                   (size_t)width * sizeof(double));
        }
        if (out)
            memset(x + *kept * width, 0, (size_t)((p->ring - *kept) * width) * sizeof(double));
    }
}

/* What there is of tensors, and where they are to be collected: in `a`. */
static int64_t lay_out(const mesaopt_rls *r, int young, arena *a, saved_tensor *tensor, int *which)
{
    int64_t count = 0;
    for (int i = 0; i < TENSORS; i++) {
        const shape s = shape_of(&r->p, r->count, i);
        if (!present(&r->options, young, i)) continue;
        which[count] = i;
        tensor[count++] =
            (saved_tensor){names[i],
                           MESAOPT_F64,
                           s.ndim,
                           {s.extent[0], s.extent[1], s.extent[2]},
                           arena_take(a, s.extent[0], each(&s) * (int64_t)sizeof(double))};
    }
    return count;
}

static mesaopt_status write_file(mesaopt_rls *r, const storage *to, int64_t count,
                                 const saved_tensor *tensor)
{
    const number gamma = number_text(r->options.gamma), window = number_text((double)r->p.window);
    tensor_file_text text[OWN_TEXTS + NOTES_MOST] = {{"mesaopt.format", "2"},
                                                     {"mesaopt.gamma", gamma.text},
                                                     {"mesaopt.kind", "rls"},
                                                     {"mesaopt.window", window.text},
                                                     {"mesaopt.missing", "output"}};
    const int64_t own = OWN_TEXTS - (r->options.missing == MISSING_REFUSE);
    for (int64_t i = 0; i < r->notes.count; i++)
        text[own + i] = (tensor_file_text){r->notes.item[i].key, r->notes.item[i].text};
    return tensor_file_write_to(r->head.ctx, to, own + r->notes.count, text, count, tensor);
}

mesaopt_status rls_save(mesaopt_rls *r, const storage *to)
{
    const allocator *alloc = &r->head.ctx->alloc;
    saved_tensor tensor[TENSORS];
    int which[TENSORS], young = 0;
    arena a = {0};
    for (int64_t n = 0; n < r->count; n++) young |= r->o[n].window.young;
    lay_out(r, young, &a, tensor, which);
    if (a.used >= 0) a = (arena){alloc_new(alloc, 1, a.used), 0};
    if (!a.base)
        return fail(r->head.ctx, MESAOPT_E_MEMORY, "save: no memory for a copy of %lld states",
                    (long long)r->count);
    mesaopt_status status = rls_settle(r);
    const int64_t count = lay_out(r, young, &a, tensor, which);
    for (int64_t i = 0; i < count && status == MESAOPT_OK; i++) {
        const shape s = shape_of(&r->p, r->count, which[i]);
        for (int64_t n = 0; n < r->count; n++)
            move(&r->p, &r->o[n], which[i], (double *)tensor[i].data + n * each(&s), each(&s), 1);
    }
    if (status == MESAOPT_OK) status = write_file(r, to, count, tensor);
    alloc_free(alloc, a.base);
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

static mesaopt_status check_numbers(const tensor_file *f, const rls_plan *p, const estimator *o)
{
    const int64_t d = p->d;
    for (int64_t i = 0; i < d; i++) {
        if (!(o->sums.ridge[i] > 0 && isfinite(o->sums.ridge[i])))
            return tensor_file_fail(f, names[RIDGE], "%s, expected a positive number",
                                    number_text(o->sums.ridge[i]).text);
        for (int64_t j = 0; j <= i; j++)
            if (!isfinite(o->sums.H[i * d + j]) || o->sums.H[i * d + j] != o->sums.H[j * d + i] ||
                o->sums.H[i * (d + 1)] < 0)
                return tensor_file_fail(
                    f, names[KEY_STATE],
                    "row %lld, column %lld: expected a finite, symmetric, non-negative matrix",
                    (long long)i, (long long)j);
    }
    for (int64_t i = 0; i < d * p->dv; i++)
        if (!isfinite(o->sums.S[i]))
            return tensor_file_fail(f, names[VALUE_STATE], "not finite, expected finite numbers");
    for (int64_t i = 0; i < p->dv; i++)
        if (!(o->sums.squares[i] >= 0 && isfinite(o->sums.squares[i])))
            return tensor_file_fail(f, names[SQUARES], "%s, expected a finite number >= 0",
                                    number_text(o->sums.squares[i]).text);
    for (int64_t i = 0; i < p->dv && p->window == 0; i++)
        if (o->residual.spread[i] < 0 || isinf(o->residual.spread[i]))
            return tensor_file_fail(f, names[RESIDUAL], "%s, expected a finite number >= 0, or NaN",
                                    number_text(o->residual.spread[i]).text);
    if (!(o->sums.total >= 0 && isfinite(o->sums.total)) || !(o->decay <= 0) ||
        o->window.kept > o->count)
        return tensor_file_fail(f, names[COUNTERS],
                                "%s, %s, %lld, %lld, expected a weight >= 0, a log gate <= 0, rows "
                                "and no more of them kept",
                                number_text(o->sums.total).text, number_text(o->decay).text,
                                (long long)o->count, (long long)o->window.kept);
    return MESAOPT_OK;
}

/* Kept rows: a gate of 0 has taken all before it, and what has been forgotten since a row only
 * grows with its age. */
static mesaopt_status check_kept(const tensor_file *f, const rls_plan *p, const estimator *o)
{
    for (int64_t i = 0; i < o->window.kept; i++) {
        const kept_row r = window_row(p, &o->window, i);
        const double next = i + 1 < o->window.kept ? *window_row(p, &o->window, i + 1).clock : 0;
        for (int64_t j = 0; j < p->d + p->dv; j++)
            if (!isfinite(r.key[j]))
                return tensor_file_fail(f, names[KEPT],
                                        "row %lld is not finite, expected finite numbers",
                                        (long long)i);
        if (!(*r.weight >= 0 && *r.weight <= ROW_SQUARE))
            return tensor_file_fail(f, names[KEPT], "row %lld: weight %s, expected 0 to %s",
                                    (long long)i, number_text(*r.weight).text,
                                    number_text(ROW_SQUARE).text);
        if (!(*r.log_gate <= 0) || (i > 0 && real_exp(*r.log_gate) == 0))
            return tensor_file_fail(
                f, names[KEPT],
                "row %lld: log gate %s, expected <= 0, and no gate of 0 but the first",
                (long long)i, number_text(*r.log_gate).text);
        if (!(*r.clock >= next && isfinite(*r.clock)) || (i + 1 == o->window.kept && *r.clock != 0))
            return tensor_file_fail(f, names[KEPT],
                                    "row %lld: %s forgotten since, expected numbers that fall to 0",
                                    (long long)i, number_text(*r.clock).text);
    }
    return MESAOPT_OK;
}

/* A number of the file that becomes an integer. */
static mesaopt_status check_whole(const tensor_file *f, int which, double x, double most)
{
    if (x >= 0 && x <= most && x == floor(x)) return MESAOPT_OK;
    return tensor_file_fail(f, names[which], "%s, expected a whole number in range",
                            number_text(x).text);
}

static mesaopt_status read_estimator(const tensor_file *f, mesaopt_rls *r,
                                     const file_tensor *const *tensor, int64_t n, double *buffer)
{
    mesaopt_status status = MESAOPT_OK;
    for (int i = 0; i < TENSORS && status == MESAOPT_OK; i++) {
        const shape s = shape_of(&r->p, r->count, i);
        if (!tensor[i]) continue;
        status = tensor_file_read(f, tensor[i], n * each(&s), each(&s), MESAOPT_F64, buffer);
        if (status == MESAOPT_OK && i == COUNTERS) status = check_whole(f, i, buffer[2], 0x1p53);
        if (status == MESAOPT_OK && i == COUNTERS)
            status = check_whole(f, i, buffer[3], tensor[KEPT] ? (double)r->p.ring : 0);
        if (status == MESAOPT_OK && i == MISSING)
            status = check_whole(f, i, buffer[0], (double)r->o[n].count);
        if (status == MESAOPT_OK) move(&r->p, &r->o[n], i, buffer, each(&s), 0);
    }
    if (status == MESAOPT_OK) status = check_numbers(f, &r->p, &r->o[n]);
    if (status == MESAOPT_OK) status = check_kept(f, &r->p, &r->o[n]);
    if (status == MESAOPT_OK) rls_given(r, n, r->o[n].residual.spread);
    return status;
}

static mesaopt_status check_texts(const tensor_file *f, const rls_options *o)
{
    mesaopt_status status = check_text(f, "mesaopt.kind", "rls");
    if (status == MESAOPT_OK) status = check_text(f, "mesaopt.format", "2");
    if (status == MESAOPT_OK) status = check_text(f, "mesaopt.gamma", number_text(o->gamma).text);
    if (status == MESAOPT_OK && o->missing == MISSING_OUTPUT)
        status = check_text(f, "mesaopt.missing", "output");
    else if (status == MESAOPT_OK && tensor_file_metadata(f, "mesaopt.missing"))
        status = check_text(f, "mesaopt.missing", "refuse");
    return status;
}

/* [*count, d_key] ridges, as many as estimators. */
static mesaopt_status read_count(const tensor_file *f, int64_t split, int64_t *count)
{
    const file_tensor *first = tensor_file_find(f, names[RIDGE]);
    if (!first || first->ndim != 2)
        return tensor_file_fail(f, names[RIDGE],
                                "missing or not of rank 2, expected [streams, d_key]");
    *count = first->shape[0];
    if (*count >= 1 && *count % split == 0 && *count / split <= RLS_MOST_STREAMS)
        return MESAOPT_OK;
    return tensor_file_fail(f, names[RIDGE], "%lld streams, expected 1 to %d, each %lld times",
                            (long long)*count, RLS_MOST_STREAMS, (long long)split);
}

static mesaopt_status read_all(const tensor_file *f, mesaopt_rls *r, const rls_options *options)
{
    const file_tensor *tensor[TENSORS] = {NULL};
    const int64_t split = rls_split(options);
    const rls_plan p = rls_plan_of(NULL, options->d, options->dv / split, options->window);
    int64_t count = 0, most = 0;
    mesaopt_status status = check_texts(f, options);
    if (status == MESAOPT_OK) status = read_count(f, split, &count);
    for (int i = 0; i < TENSORS && status == MESAOPT_OK; i++) {
        const shape s = shape_of(&p, count, i);
        if (!present(options, tensor_file_find(f, names[KEPT]) != NULL, i)) continue;
        status = tensor_file_expect(f, names[i], s.ndim, s.extent, &tensor[i]);
        /* the file has so many */
        if (status == MESAOPT_OK && each(&s) > most) most = each(&s);
    }
    if (status == MESAOPT_OK)
        status = check_text(f, "mesaopt.window", number_text((double)options->window).text);
    if (status == MESAOPT_OK) status = rls_build(r, options, count / split, NULL);
    if (status != MESAOPT_OK) return status;
    double *buffer = alloc_new(&r->head.ctx->alloc, most, sizeof(double));
    if (!buffer)
        return fail(r->head.ctx, MESAOPT_E_MEMORY, "open: no memory for a tensor of %lld elements",
                    (long long)most);
    r->p.k = kern_get(r->head.ctx, MESAOPT_F64, 1);    /* interrupted, r is dropped */
    for (int64_t n = 0; n < count && status == MESAOPT_OK; n++) {
        status = read_estimator(f, r, tensor, n, buffer);
        if (status == MESAOPT_OK) status = ctx_stopped(r->head.ctx, "open");
    }
    r->p.k = kern_unstopped(r->head.ctx);
    alloc_free(&r->head.ctx->alloc, buffer);
    return status;
}

mesaopt_status rls_read(mesaopt_rls *r, const rls_options *options, const storage *from)
{
    tensor_file f;
    mesaopt_status status = tensor_file_open_from(r->head.ctx, from, &f);
    if (status != MESAOPT_OK) return status;
    status = read_all(&f, r, options);
    if (status == MESAOPT_OK) status = tensor_file_notes(&f, &r->notes);
    tensor_file_close(&f);
    return status;
}
