/* The kinds of blocks, and the sinusoidal positions that a block may ask for: feature 2i: sin(t /
 * 10000^(2i/D)), feature 2i + 1: cos of the same; t from 0. Source: arXiv 1706.03762 section
 * 3.5. */
#include "base/real.h"
#include "nn/block.h"

extern const block_kind linear_block, softmax_block, mesa_block, dense_block, mask_block;
static const block_kind *const kinds[] = {&linear_block, &softmax_block, &mesa_block, &dense_block,
                                          &mask_block};

const block_kind *block_kind_of(int32_t scope)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i]->scope == scope) return kinds[i];
    return NULL;
}

void positions_fill(const kern *k, int64_t T, int64_t width, void *panel)
{
    for (int64_t j = 0; j < width; j++) {
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
