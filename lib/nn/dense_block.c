/* Dense map of every token: Y = X W, with bias=1 Y = X W + b. X: T x in, W: in x out, b: 1 x out.
 * Embedding and read-out. */
#include "nn/block.h"
#include <math.h>

enum { WEIGHT, BIAS };

static int biased(const block *b) { return b->n_params > BIAS; }

static mesaopt_status plan(mesaopt_ctx *ctx, block *b)
{
    int64_t size;
    b->out = option_int(&b->settings, MESAOPT_SCOPE_DENSE, MESAOPT_KEY_OUTPUTS);
    if (!size_mul(b->in, b->out, &size))
        return fail(ctx, MESAOPT_E_MEMORY, "outputs: sizes overflow");
    b->clip = INFINITY;
    b->n_params = 1 + (int)option_int(&b->settings, MESAOPT_SCOPE_DENSE, MESAOPT_KEY_BIAS);
    b->param[BIAS] = (parameter){.name = "bias", .rows = 1, .cols = b->out};
    b->param[WEIGHT] =
        (parameter){"weight",
                    b->in,
                    b->out,
                    0,
                    .sd = option_float(&b->settings, MESAOPT_SCOPE_DENSE, MESAOPT_KEY_INIT_SD),
                    .decay = 1};
    return MESAOPT_OK;
}

static void forward(const block *b, const pass *p, const void *x, void *y, void *stash)
{
    (void)stash;
    const mat X = {(void *)x, b->in, 1}, Y = {y, b->out, 1};
    if (biased(b)) rows_fill(p, &b->param[BIAS], Y);
    p->k->product(p->k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, biased(b), p->T, b->out,
                  b->in, X, param_mat(p->k, p->params, &b->param[WEIGHT]), Y);
}

static void *backward(const block *b, const pass *p, const void *x, const void *y,
                      const void *stash, void *dy, void *spare, int want_dx)
{
    (void)y, (void)stash;
    /* Y = X W + b */
    const mat X = {(void *)x, b->in, 1}, dY = {dy, b->out, 1}, dX = {spare, b->in, 1};
    if (biased(b)) rows_sum(p, &b->param[BIAS], dY);
    weight_back(p, &b->param[WEIGHT], X, dY);
    if (want_dx)
        p->k->product(p->k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, 0, p->T, b->in, b->out,
                      dY, transposed_mat(param_mat(p->k, p->params, &b->param[WEIGHT])), dX);
    return spare;
}

const block_kind dense_block = {
    MESAOPT_SCOPE_DENSE, plan, NULL, NULL, forward, backward, NULL, NULL};
