/* What kinds of blocks share: gradients of weights, a parameter that is one row, and the sinusoidal
 * positions that a block may ask for: feature 2i: sin(t / 10000^(2i/D)), feature 2i + 1: cos of the
 * same; t from 0. Source: arXiv 1706.03762 section 3.5. */
#include "base/real.h"
#include "nn/block.h"

/* A 1 in every lane. */
static mat one_of(const kern *k)
{
    static const _Alignas(64) float f32[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const _Alignas(64) double f64[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    return (mat){k->size == 4 ? (void *)f32 : (void *)f64, 0, 0};
}

void weight_back(const pass *p, const parameter *weight, mat X, mat dY)
{
    if (!p->grads) return;
    p->k->product(p->k, p->product_scratch, PRODUCT_SUM, TRI_NONE, 1, weight->rows, weight->cols,
                  p->T, transposed_mat(X), dY, param_mat(p->k, p->grads, weight));
}

void rows_fill(const pass *p, const parameter *row, mat Y)
{
    p->k->product(p->k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, 0, p->T, row->cols, 1,
                  one_of(p->k), param_mat(p->k, p->params, row), Y);
}

void rows_sum(const pass *p, const parameter *row, mat dY)
{
    weight_back(p, row, one_of(p->k), dY);
}

/* Lanes of one feature; those that are as far as the lane before have its number. */
static void fill_lanes(const kern *k, const int64_t *first, int64_t t, double period, int odd,
                       void *to)
{
    double x = 0;
    for (int64_t l = 0; l < k->lanes; l++) {
        if (l == 0 || (first && first[l] != first[l - 1])) {
            const double angle = (double)(t + (first ? first[l] : 0)) / period;
            x = odd ? real_cos(angle) : real_sin(angle);
        }
        kern_set_real(k, to, l, x);
    }
}

void positions_fill(const kern *k, int64_t T, int64_t width, const int64_t *first, void *panel)
{
    double period = 1;
    for (int64_t j = 0; j < width && !kern_stopped(k); j++) {
        if (j % 2 == 0) period = real_pow(10000, (double)j / (double)width);
        for (int64_t t = 0; t < T; t++)
            fill_lanes(k, first, t, period, j % 2, kern_at(k, panel, t * width + j));
    }
}
