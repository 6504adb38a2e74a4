/* pairs.c: tokens and targets of sequences from a file; see pairs.h. */
#include "pairs.h"
#include "common.h"
#include "own_sequences.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- safetensors: a length of 8 bytes, a header of so many bytes in JSON, data ---- */

typedef struct tensor { int64_t shape[3]; double *value; } tensor;
enum { MOST_HEADER = 1 << 20 };

/* The number behind *text and what follows it, if that is `end`. */
static int take_number(const char **text, char end, int64_t *out)
{
    char *behind;
    *out = strtoll(*text, &behind, 10);
    behind += strspn(behind, " ");
    if (behind == *text || *behind != end || *out < 0) return 0;
    *text = behind + 1;
    return 1;
}

/* What the header says of a tensor: its dtype (bytes of an element), shape and place. */
static int find_tensor(const char *header, const char *name, int64_t shape[3], int64_t place[2])
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\"", name);
    const char *entry = strstr(header, key), *end = entry ? strchr(entry, '}') : NULL;
    const char *dtype = entry ? strstr(entry, "\"dtype\"") : NULL,
               *dims = entry ? strstr(entry, "\"shape\"") : NULL;
    const char *offsets = entry ? strstr(entry, "\"data_offsets\"") : NULL;
    if (!end || !dtype || !dims || !offsets || dtype > end || dims > end || offsets > end) return 0;
    dtype += 7 + strspn(dtype + 7, ": ");
    const int size = strncmp(dtype, "\"F32\"", 5) == 0   ? 4
                     : strncmp(dtype, "\"F64\"", 5) == 0 ? 8
                                                         : 0;
    dims = strchr(dims, '['), offsets = strchr(offsets, '[');
    if (!size || !dims++ || !offsets++) return 0;
    for (int i = 0; i < 3; i++)
        if (!take_number(&dims, i < 2 ? ',' : ']', &shape[i]) || shape[i] < 1 || shape[i] > 1 << 24)
            return 0;
    if (!take_number(&offsets, ',', &place[0]) || !take_number(&offsets, ']', &place[1])) return 0;
    return (double)shape[0] * (double)shape[1] * (double)shape[2] * size ==
                   (double)place[1] - (double)place[0]
               ? size
               : 0;
}

static tensor read_tensor(FILE *f, const char *path, const char *header, int64_t start,
                          const char *name)
{
    tensor t;
    int64_t place[2];
    const int size = find_tensor(header, name, t.shape, place);
    if (!size) die("%s: expected a tensor '%s' of three axes, f32 or f64", path, name);
    if (fseek(f, 0, SEEK_END) != 0 || place[1] > ftell(f) - start)
        die("%s: '%s' is cut off", path, name);
    const int64_t n = t.shape[0] * t.shape[1] * t.shape[2];
    t.value = must_alloc(NULL, (size_t)n * sizeof(double));
    if (fseek(f, start + place[0], SEEK_SET) != 0 ||
        fread(t.value, (size_t)size, (size_t)n, f) != (size_t)n)
        die("%s: '%s' is cut off", path, name);
    for (int64_t i = n - 1; i >= 0; i--) {
        float x;
        memcpy(&x, (char *)t.value + i * 4, sizeof x);
        if (size == 4) t.value[i] = x;             /* from the end, so that none is overwritten
                                                      before it is read */
        if (!isfinite(t.value[i]))
            die("%s: '%s': element %lld is not finite", path, name, (long long)i);
    }
    return t;
}

static pairs read_safetensors(const char *path)
{
    unsigned char size[8];
    int64_t length = 0;
    FILE *f = open_file(path, "r");
    if (fread(size, 1, 8, f) != 8) die("%s: no safetensors file", path);
    for (int i = 7; i >= 0; i--)
        length = length < MOST_HEADER ? length * 256 + size[i] : MOST_HEADER + 1;
    if (length > MOST_HEADER)
        die("%s: no safetensors file, or a header of more than %d bytes", path, MOST_HEADER);
    char *header = must_alloc(NULL, (size_t)length + 1);
    if (fread(header, 1, (size_t)length, f) != (size_t)length) die("%s: no safetensors file", path);
    header[length] = 0;
    const tensor x = read_tensor(f, path, header, 8 + length, "tokens"),
                 y = read_tensor(f, path, header, 8 + length, "targets");
    if (x.shape[0] != y.shape[0] || x.shape[1] != y.shape[1])
        die("%s: targets of shape [%lld,%lld,..], expected [%lld,%lld,..] as the tokens have", path,
            (long long)y.shape[0], (long long)y.shape[1], (long long)x.shape[0],
            (long long)x.shape[1]);
    fclose(f);
    free(header);
    return (pairs){x.shape[0], x.shape[1], x.shape[2], y.shape[2], x.value, y.value, NULL};
}

/* ---- rows ---- */

static pairs read_rows(const char *path, int64_t inputs)
{
    table t = read_table(path, 1);
    const int64_t rows = t.sequences * t.rows, outputs = t.columns - inputs;
    if (outputs < 1)
        die("%s: %lld columns, expected more than the %lld features of a token (inputs=): the "
            "targets behind them",
            path, (long long)t.columns, (long long)inputs);
    pairs p = {t.sequences,
               t.rows,
               inputs,
               outputs,
               must_alloc(NULL, (size_t)(rows * inputs) * sizeof(double)),
               must_alloc(NULL, (size_t)(rows * outputs) * sizeof(double)),
               t.length};
    t.length = NULL;                               /* it is p's now */
    for (int64_t i = 0; i < rows; i++) {
        memcpy(p.tokens + i * inputs, t.value + i * t.columns, (size_t)inputs * sizeof(double));
        memcpy(p.targets + i * outputs, t.value + i * t.columns + inputs,
               (size_t)outputs * sizeof(double));
    }
    table_free(&t);
    return p;
}

pairs pairs_read(const char *path, int64_t inputs)
{
    const size_t n = strlen(path);
    return n > 12 && strcmp(path + n - 12, ".safetensors") == 0 ? read_safetensors(path)
                                                                : read_rows(path, inputs);
}

double pairs_loss(mesaopt_ctx *ctx, mesaopt_model *m, const pairs *d)
{
    double sum = 0, steps = 0;
    for (int64_t i = 0; i < d->count; i++) {
        const int64_t T = d->steps ? d->steps[i] : d->T;
        const double *from[] = {d->tokens + i * d->T * d->inputs,
                                d->targets + i * d->T * d->outputs};
        mesaopt_tensor *tensor[2] = {NULL};
        mesaopt_view weight, view[2];
        double loss = 0;
        TRY(ctx, mesaopt_model_parameter(m, mesaopt_model_parameter_name(m, 0), &weight));
        for (int k = 0; k < 2; k++) {
            mesaopt_view own;
            const int64_t shape[] = {1, T, k ? d->outputs : d->inputs};
            TRY(ctx, mesaopt_view_dense((double *)from[k], MESAOPT_F64, 3, shape, &own));
            TRY(ctx, mesaopt_tensor_create(ctx, weight.dtype, 3, shape, &tensor[k]));
            TRY(ctx, mesaopt_tensor_view(tensor[k], &view[k]));
            TRY(ctx, mesaopt_tensor_copy(ctx, &own, &view[k]));
        }
        TRY(ctx, mesaopt_model_loss(m, &view[0], &view[1], NULL, &loss));
        for (int k = 0; k < 2; k++) mesaopt_tensor_free(tensor[k]);
        sum += loss * (double)T, steps += (double)T;
    }
    return sum / steps;
}

void pairs_free(pairs *p) { free(p->tokens), free(p->targets), free(p->steps); }
