/* What kinds of blocks do with rows: a parameter that is one row, and the sinusoidal positions
 * that a block may ask for: feature 2i: sin(t / 10000^(2i/D)), feature 2i + 1: cos of the same; t
 * from 0. Source: arXiv 1706.03762 section 3.5. */
#include "base/real.h"
#include "nn/block.h"

/* A 1 in every lane. */
static mat one_of(const kern *k)
{
    static const _Alignas(64) float f32[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const _Alignas(64) double f64[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    return (mat){k->size == 4 ? (void *)f32 : (void *)f64, 0, 0};
}

void rows_fill(const pass *p, const parameter *row, mat Y)
{
    p->k->product(p->k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, 0, p->T, row->cols, 1,
                  one_of(p->k), param_mat(p->k, p->params, row), Y);
}

void rows_sum(const pass *p, const parameter *row, mat dY)
{
    p->k->product(p->k, p->product_scratch, PRODUCT_SUM, TRI_NONE, 1, 1, row->cols, p->T,
                  one_of(p->k), dY, param_mat(p->k, p->grads, row));
}

void positions_fill(const kern *k, int64_t T, int64_t width, void *panel)
{
    for (int64_t j = 0; j < width && !kern_stopped(k); j++) {
        const double period = real_pow(10000, (double)(j / 2 * 2) / (double)width);
        for (int64_t t = 0; t < T; t++) {
            const double angle = (double)t / period;
            const double x = j % 2 ? real_cos(angle) : real_sin(angle);
            for (int64_t l = 0; l < k->lanes; l++) {
                if (k->size == 4) ((float *)kern_at(k, panel, t * width + j))[l] = (float)x;
                else ((double *)kern_at(k, panel, t * width + j))[l] = x;
            }
        }
    }
}
