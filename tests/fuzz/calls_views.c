/* Views of the calls: memory of their own, to the byte, of any layout; and what a call may do to it. */
#include "calls.h"
#include "tensor/view.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64, DEPTH = 6, LARGEST = 1 << 18, PATTERN = 0x7ff8beef };     /* NaN of either type, and no small integer */

typedef struct argument {
    mesaopt_view view;
    char *block, *copy;
    int64_t bytes;
    int output, shared, spoilt;        /* shared: its memory is another argument's, too; spoilt: not what the elements were laid out by */
} argument;

/* Of the call being made, and of those in whose callbacks it is. */
typedef struct frame {
    int arguments, numbers, integers, views, blocks;
    argument argument[MOST];
    union { double x; int64_t i; uint64_t bits; } number[8], integer[8];
    mesaopt_view view[4];
    void *block[3 * MOST];
} frame;
static frame frames[DEPTH];
extern int depth;

int64_t reach;

void *memory(int64_t bytes)
{
    frame *f = &frames[depth];
    void *p = malloc((size_t)bytes);   /* of 0 bytes too: a byte read there is found */
    EXPECT(p && f->blocks < 3 * MOST);
    return f->block[f->blocks++] = p;
}

/* ---- layout ---- */

static const int64_t wild[] = {INT64_MAX, INT64_MIN, 1ll << 60, -(1ll << 60), 0, -1, 7};

static void choose_strides(mesaopt_view *v, int output)
{
    int64_t stride = chance(4) ? 2 : 1;
    int axis[6] = {0, 1, 2, 3, 4, 5};
    if (chance(4) && v->ndim > 1) {
        const int i = (int)below((uint32_t)v->ndim), keep = axis[i];
        axis[i] = axis[0], axis[0] = keep;
    }
    for (int k = v->ndim - 1; k >= 0; k--) {
        const int64_t n = v->shape[axis[k]];
        v->stride[axis[k]] = stride;
        if (n < 2 && chance(2)) v->stride[axis[k]] = wild[below(sizeof wild / sizeof *wild)];
        else if (chance(output ? 50 : 10)) v->stride[axis[k]] = -stride;
        else if (chance(output ? 50 : 20)) v->stride[axis[k]] = 0;
        stride *= n > 0 ? n : 1;
        if (chance(8)) stride++;
    }
}

static int64_t elements(const mesaopt_view *v)
{
    int64_t n = 1;
    for (int k = 0; k < v->ndim && k < 6; k++) n *= v->shape[k] > 0 ? v->shape[k] : 0;
    return n;
}

/* Of the axes that lead anywhere. */
static char *element(const mesaopt_view *v, const int64_t *index)
{
    int64_t offset = 0;
    for (int k = 0; k < v->ndim; k++) offset += v->shape[k] > 1 ? index[k] * v->stride[k] : 0;
    return (char *)v->data + offset * dtype_size(v->dtype);
}

/* Memory that holds the elements and nothing else, or part of another argument's. */
static void place(frame *f, argument *a, int64_t size)
{
    mesaopt_view *v = &a->view;
    int64_t low = 0, high = 0;
    for (int k = 0; k < v->ndim; k++)
        if (v->shape[k] > 1) *(v->stride[k] < 0 ? &low : &high) += (v->shape[k] - 1) * v->stride[k];
    a->bytes = elements(v) > 0 ? (high - low + 1) * size : 0;
    const argument *other = f->arguments > 0 && chance(40) ? &f->argument[below((uint32_t)f->arguments)] : NULL;
    if (other && other->block && other->bytes >= a->bytes + 8) {
        a->shared = 1;
        v->data = other->block + 8 * below((uint32_t)((other->bytes - a->bytes) / 8 + 1)) - low * size;
        return;
    }
    a->block = memory(a->bytes);
    a->copy = memory(a->bytes);
    v->data = a->bytes || chance(2) ? a->block - low * size : ONE_OF((char *)NULL, (char *)NULL + 3);
}

/* One thing that a call has to refuse, or not. */
static void spoil_shape(mesaopt_view *v)
{
    const uint32_t axis = below(v->ndim > 0 ? (uint32_t)v->ndim : 1);
    switch (below(4)) {
    case 0: v->shape[axis] += 1; break;
    case 1: v->shape[axis] = v->shape[axis] > 0 ? v->shape[axis] - 1 : 0; break;
    case 2: v->ndim = v->ndim > 1 ? v->ndim - 1 : 1; break;
    default: v->dtype = ONE_OF(MESAOPT_F32, MESAOPT_F64, MESAOPT_I32, MESAOPT_I64, MESAOPT_F16, MESAOPT_BF16, 0, -1, 77);
    }
}

static void spoil_rest(mesaopt_view *v)
{
    const uint32_t axis = below(v->ndim > 0 ? (uint32_t)v->ndim : 1);
    switch (below(8)) {
    case 0: v->data = NULL; break;
    case 1: v->data = (char *)v->data + 1; break;          /* not aligned */
    case 2: v->flags = MESAOPT_VIEW_READONLY; break;
    case 3: v->flags = 2; break;
    case 4: v->reserved = 1; break;
    case 5: v->ndim = ONE_OF(7, -1, INT32_MAX, INT32_MIN); break;
    case 6: v->shape[axis] = ONE_OF((int64_t)-1, INT64_MIN, INT64_MAX, (int64_t)1 << 61); break;
    default:
        if (v->shape[axis] > 1) v->stride[axis] = wild[below(4)];           /* leaves the address space */
    }
}

/* ---- contents ---- */

static void next_index(const mesaopt_view *v, int64_t *index)
{
    for (int k = v->ndim - 1; k >= 0; k--) {
        if (++index[k] < v->shape[k]) return;
        index[k] = 0;
    }
}

static void put(char *p, int32_t type, double x)
{
    const float as_float = (float)x;
    const int64_t as_integer = fabs(x) < 1e9 ? (int64_t)x : 0;
    switch (type) {
    case MESAOPT_F32: memcpy(p, &as_float, 4); break;
    case MESAOPT_F64: memcpy(p, &x, 8); break;
    default: memcpy(p, &as_integer, (size_t)dtype_size(type)); break;       /* 16 bits: a half of some kind */
    }
}

static double value_at(const mesaopt_view *v, enum values values, const int64_t *index, double x)
{
    const int64_t i = v->ndim > 1 ? index[v->ndim - 2] : 0, j = v->ndim > 0 ? index[v->ndim - 1] : 0;
    switch (values) {
    case UNIT: return fabs(x) / 2;
    case GATES: return -fabs(x);
    case RIDGES: return 0.1 + fabs(x);
    case SEMIDEFINITE: return i == j ? (double)v->shape[v->ndim - 1] : 0.5;
    case OFFSETS: return j == v->shape[0] - 1 || j > reach ? (double)reach : (double)j;
    default: return x;
    }
}

static void fill_input(const argument *a, enum values values)
{
    const mesaopt_view *v = &a->view;
    uint64_t state = 1 + below(256);
    const uint32_t rare = chance(8) ? 4 : 0;           /* one element of so many is hostile */
    int64_t index[6] = {0};
    for (int64_t left = elements(v); left > 0; left--, next_index(v, index)) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double x = (double)(state >> 11) / 0x1p51 - 2;
        x = rare && state >> 33 & 1 && chance(rare) ? any_number() : value_at(v, values, index, x);
        put(element(v, index), v->dtype, x);
    }
}

static void fill_pattern(char *p, int64_t bytes)
{
    const uint32_t pattern = PATTERN;
    for (int64_t i = 0; i < bytes; i++) p[i] = ((const char *)&pattern)[i % 4];
}

static const mesaopt_view *make(enum values values, int output, int32_t type, int32_t ndim, const int64_t *shape)
{
    frame *f = &frames[depth];
    double count = 1;
    for (int k = 0; k < ndim; k++) count *= (double)shape[k];
    if (count > LARGEST || chance(200)) return NULL;
    EXPECT(f->arguments < MOST);
    argument *a = &f->argument[f->arguments];
    *a = (argument){.view = {.ndim = ndim, .dtype = type}, .output = output};
    mesaopt_view *v = &a->view;
    memcpy(v->shape, shape, sizeof *shape * (size_t)ndim);
    const int spoilt = chance(40);
    if (spoilt) spoil_shape(v);
    choose_strides(v, output);
    const int64_t size = dtype_size(v->dtype);
    place(f, a, size ? size : 8);
    if (!a->shared) fill_pattern(a->block, a->bytes);
    if (!a->shared && !output && size) fill_input(a, values);
    if (!a->shared && a->bytes) memcpy(a->copy, a->block, (size_t)a->bytes);
    const mesaopt_view sound = *v;
    if (chance(80)) spoil_rest(v);
    a->spoilt = memcmp(&sound, v, sizeof sound) != 0;
    f->arguments++;
    return v;
}

const mesaopt_view *input(enum values values, int32_t type, int32_t ndim, const int64_t *shape) { return make(values, 0, type, ndim, shape); }
const mesaopt_view *output(int32_t type, int32_t ndim, const int64_t *shape) { return make(REALS, 1, type, ndim, shape); }

mesaopt_view copy_of(const mesaopt_view *view) { return view ? *view : (mesaopt_view){.ndim = -1}; }

double *number_out(void)
{
    frame *f = &frames[depth];
    if (chance(100)) return NULL;
    fill_pattern((char *)&f->number[f->numbers], 8);
    return &f->number[f->numbers++].x;
}

int64_t *integer_out(void)
{
    frame *f = &frames[depth];
    if (chance(100)) return NULL;
    fill_pattern((char *)&f->integer[f->integers], 8);
    return &f->integer[f->integers++].i;
}

mesaopt_view *view_out(void)
{
    frame *f = &frames[depth];
    if (chance(100)) return NULL;
    f->view[f->views] = (mesaopt_view){.ndim = -1};
    return &f->view[f->views++];
}

/* ---- what callbacks do ---- */

void fill(const mesaopt_view *v)
{
    int64_t index[6] = {0}, most = elements(v);
    if (chance(12)) most = most / 2;                   /* the rest stays as it was */
    const double scale = chance(12) ? any_number() : 0.25;
    for (int64_t left = most; left > 0; left--, next_index(v, index)) put(element(v, index), v->dtype, scale * (double)(left % 7 - 3));
}

void scribble(const mesaopt_view *v)
{
    int64_t index[6] = {0};
    if (v->ndim < 0 || v->flags & MESAOPT_VIEW_READONLY || elements(v) == 0) return;
    for (int64_t skip = below(8); skip > 0; skip--) next_index(v, index);
    put(element(v, index), v->dtype, chance(4) ? any_number() : 0.5);
}

/* ---- checks ---- */

static int is_pattern(const char *p, int64_t size)
{
    char pattern[8];
    fill_pattern(pattern, 8);
    return memcmp(p, pattern, (size_t)size) == 0;
}

static int is_finite(const char *p, int32_t type)
{
    float x = 0;
    double y = 0;
    if (type == MESAOPT_F32) memcpy(&x, p, 4);
    if (type == MESAOPT_F64) memcpy(&y, p, 8);
    return isfinite(x) && isfinite(y);
}

static void check_written(const argument *a, int finite)
{
    const mesaopt_view *v = &a->view;
    const int64_t size = dtype_size(v->dtype);
    int64_t index[6] = {0};
    for (int64_t left = elements(v); left > 0; left--, next_index(v, index)) {
        const char *p = element(v, index);
        if (is_pattern(p, size)) broken("MESAOPT_OK, and an element of an output is not written");
        if (finite && !is_finite(p, v->dtype)) broken("MESAOPT_OK, and an element of an output is not finite");
    }
}

/* Bytes that are no elements of an output: of an input none are. */
static void check_rest(const argument *a)
{
    const mesaopt_view *v = &a->view;
    const int64_t size = dtype_size(v->dtype);
    int64_t index[6] = {0};
    if (a->bytes == 0) return;
    if (a->output && size && !a->spoilt)
        for (int64_t left = elements(v); left > 0; left--, next_index(v, index)) {
            const int64_t at = element(v, index) - a->block;
            memcpy(a->copy + at, a->block + at, (size_t)size);
        }
    if (memcmp(a->block, a->copy, (size_t)a->bytes)) broken(a->output ? "bytes between the elements of an output changed" : "an input changed");
}

static int has_shared(const frame *f)
{
    for (int i = 0; i < f->arguments; i++)
        if (f->argument[i].shared) return 1;
    return 0;
}

void views_finish(mesaopt_status status)
{
    frame *f = &frames[depth];
    const int finite = status == MESAOPT_OK && !promised(MAY_BE_NAN);
    for (int i = 0; i < f->arguments && !has_shared(f); i++) {
        const argument *a = &f->argument[i];
        if (a->output && !a->spoilt && status >= 0) check_written(a, finite);
        if (!a->spoilt || status < 0) check_rest(a);
    }
    for (int i = 0; i < f->numbers && status >= 0; i++) {
        if (is_pattern((char *)&f->number[i], 8)) broken("MESAOPT_OK, and a number is not written");
        if (finite && !isfinite(f->number[i].x)) broken("MESAOPT_OK, and a number is not finite");
    }
    for (int i = 0; i < f->integers && status >= 0; i++)
        if (is_pattern((char *)&f->integer[i], 8)) broken("MESAOPT_OK, and an integer is not written");
    while (f->blocks > 0) free(f->block[--f->blocks]);
    f->arguments = f->numbers = f->integers = f->views = 0;
}
