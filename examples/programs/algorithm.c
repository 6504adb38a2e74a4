/* algorithm.c: the scalars of a model's attention layers, as a table and as a picture; see
 * algorithm.h. */
#include "algorithm.h"
#include "common.h"
#include <math.h>
#include <stdlib.h>

algorithm algorithm_read(mesaopt_ctx *ctx, mesaopt_model *model)
{
    algorithm a = {.ctx = ctx, .model = model, .slots = 1};
    mesaopt_view v;
    TRY(ctx, mesaopt_revalg_extract(model, &a.scalars));
    TRY(ctx, mesaopt_model_width(model, -1, &a.features));
    for (int64_t b = 0; b < mesaopt_model_blocks(model) && a.layers < MOST_LAYERS; b++) {
        if (mesaopt_revalg_scalars(a.scalars, b, MESAOPT_REVALG_LOGITS, &v) != MESAOPT_OK) continue;
        a.block[a.layers++] = b;
        a.slots = v.shape[1];
        if (v.shape[0] > a.heads) a.heads = v.shape[0];
    }
    if (a.layers == 0) die("the model has no attention layers");
    a.n = a.features / a.slots;
    return a;
}

void algorithm_free(algorithm *a) { mesaopt_revalg_free(a->scalars); }

/* ---- table ---- */

/* Share of the squared norm of one product that its scalars account for. */
static double explained(const algorithm *a, const double *scalar, const double *residual)
{
    double kept = 0, left = 0;
    for (int64_t i = 0; i < a->slots * a->slots; i++)
        kept += (double)a->n * scalar[i] * scalar[i], left += residual[i] * residual[i];
    return kept + left > 0 ? kept / (kept + left) : 1;
}

static void print_product(const algorithm *a, int64_t layer, int32_t product, FILE *f)
{
    static const char *const names[] = {"W_q W_k^T", "W_v P"};
    const int64_t S = a->slots;
    mesaopt_view v, e;
    TRY(a->ctx, mesaopt_revalg_scalars(a->scalars, a->block[layer], product, &v));
    TRY(a->ctx, mesaopt_revalg_residuals(a->scalars, a->block[layer], product, &e));
    const double *scalar = v.data, *residual = e.data;
    printf("\nlayer %lld, %s, rows: slot %s, columns: slot %s\n", (long long)layer + 1,
           names[product], product ? "of the value" : "of the query",
           product ? "written to" : "of the key");
    for (int64_t row = 0; row < S; row++, putchar('\n'))
        for (int64_t h = 0; h < v.shape[0]; h++, printf(h < v.shape[0] ? "   |" : ""))
            for (int64_t col = 0; col < S; col++) {
                const int64_t at = (h * S + row) * S + col;
                printf(" %8.4f", fabs(scalar[at]) < 5e-5 ? 0 : scalar[at]);        /* no -0.0000 */
                fprintf(f, "%lld,%lld,%s,%lld,%lld,%.9g,%.9g\n", (long long)layer + 1,
                        (long long)h + 1, names[product], (long long)row, (long long)col,
                        scalar[at], residual[at]);
            }
    for (int64_t h = 0; h < v.shape[0]; h++)
        printf("%s  explained %*.2f %%", h ? "   |" : "", S > 2 ? 9 * (int)S - 14 : 6,
               100 * explained(a, scalar + h * S * S, residual + h * S * S));
    putchar('\n');
}

void algorithm_print(const algorithm *a)
{
    char path[MAX_PATH], file[64];
    snprintf(file, sizeof file, "scalars-%lld.csv", (long long)a->layers);
    out_path(file, path);
    FILE *f = open_file(path, "w");
    fputs("layer,head,product,from_slot,to_slot,scalar,residual\n", f);
    for (int64_t i = 0; i < a->layers; i++)
        for (int32_t p = MESAOPT_REVALG_LOGITS; p <= MESAOPT_REVALG_VALUES; p++)
            print_product(a, i, p, f);
    close_file(f, path);
}

/* ---- picture ---- */

/* One product over its largest element. */
static void paint(const algorithm *a, int64_t layer, int32_t product, int64_t head, double *corner,
                  int64_t width)
{
    const int64_t D = a->features;
    const mesaopt_view to = {corner, {D, D}, {width, 1}, 2, MESAOPT_F64, 0, 0};
    double most = 0;
    mesaopt_view v;
    TRY(a->ctx, mesaopt_revalg_scalars(a->scalars, a->block[layer], product, &v));
    if (head >= v.shape[0]) return;
    TRY(a->ctx, mesaopt_revalg_product(a->model, a->block[layer], product, head, &to));
    for (int64_t e = 0; e < D * D; e++) most = fmax(most, fabs(corner[e / D * width + e % D]));
    for (int64_t e = 0; e < D * D; e++) corner[e / D * width + e % D] /= most > 0 ? most : 1;
}

/* A column of pictures per head, of its logits and then of its values, layer by layer. */
void algorithm_draw(const algorithm *a)
{
    const int64_t D = a->features, step = D + blocks_gap(D),
                  width = a->heads * step - blocks_gap(D),
                  height = 2 * a->layers * step - blocks_gap(D);
    char path[MAX_PATH], name[64], file[80];
    double *picture = must_alloc(NULL, (size_t)(height * width) * sizeof *picture);
    snprintf(name, sizeof name, "blocks-%lld", (long long)a->layers);
    snprintf(file, sizeof file, "%s.csv", name);
    out_path(file, path);
    for (int64_t j = 0; j < height * width; j++) picture[j] = NAN;
    for (int64_t i = 0; i < 2 * a->layers * a->heads; i++)
        paint(a, i / a->heads / 2, i / a->heads % 2 ? MESAOPT_REVALG_VALUES : MESAOPT_REVALG_LOGITS,
              i % a->heads, picture + i / a->heads * step * width + i % a->heads * step, width);
    FILE *f = open_file(path, "w");
    for (int64_t j = 0; j < height * width; j++)
        fprintf(f, "%.3g%c", picture[j], (j + 1) % width ? ',' : '\n');
    close_file(f, path);
    free(picture);
    draw_blocks(name, &(blocks){a->layers, a->heads, D, a->slots},
                "Products of the weights, each over its largest element");
}
