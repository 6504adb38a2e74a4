/* one_step_gd: trains one linear attention layer to predict the next token, and shows that it has
 * become one step of gradient descent.
 *
 * The layer sees tokens e_t = [0, 0, x_t, x_{t-1}] (slots 0 to 3 of n features, row vectors) and
 * predicts with slot 0 of
 *   e_t + sum over heads h and t' <= t of (e_t A_h e_t'^T) e_t' B_h,
 *   A_h = W_q W_k^T of head h, B_h = W_v P of head h.
 * One step from Phi0 on 1/2 sum_i |x_i - Phi x_{i-1}|^2 with step size eta predicts
 *   Phi0 x_t + eta sum_{t' <= t} (x_t' - Phi0 x_{t'-1}) (x_{t'-1} . x_t).
 * Compare the two: query slot 2 (x_t) meets key slot 3 (x_{t'-1}) in block (2, 3) of A_h; value
 * slot 2 (x_t') goes to the prediction through block (2, 0) of B_h, value slot 3 (x_{t'-1}) through
 * (3, 0). Blocks are multiples of the identity, so the mean of the diagonal says all:
 *   eta = sum_h A_h(2,3) B_h(2,0),   -eta Phi0 = sum_h A_h(2,3) B_h(3,0).
 * A_h may grow by any factor that B_h shrinks by, sign included; in these sums of their products
 * the factor cancels. That eta is the same for every seed to a few per cent; this Phi0 is not. Slot
 * 0 of the tokens is empty, so Phi0 x_t must come from other products, and three of them are nearly
 * one vector when W is a rotation, since then x_{t-1} . x_{t'-1} = x_t . x_t':
 *   sum_{t' <= t} x_{t'-1} (x_{t'-1} . x_t) = sum_{t' <= t} x_t' (x_t' . x_t) - |x_t|^2 x_t.
 * Training fixes the sum of their three weights only, which is -eta Phi0 of the whole layer; both
 * readings are printed.
 * Source: arXiv 2309.05858, proposition 1 and section 3; closed form of one layer as in its
 * appendix. */
#include "common.h"
#include "runs.h"
#include <math.h>
#include <stdlib.h>

/* A parameter as a dense f64 array of our own, whatever its type. */
static double *copy_parameter(const training *t, const char *name, mesaopt_view *dense)
{
    mesaopt_view view;
    TRY(t->ctx, mesaopt_model_parameter(t->model, name, &view));
    double *data = must_alloc(NULL, (size_t)(view.shape[0] * view.shape[1]) * sizeof(double));
    TRY(t->ctx, mesaopt_view_dense(data, MESAOPT_F64, 2, view.shape, dense));
    TRY(t->ctx, mesaopt_tensor_copy(t->ctx, &view, dense));
    return data;
}

/* Sum over h of A_h(query slot, key slot) B_h(value slot, 0), as means of their diagonals: the
 * weight of (query . key) value in the prediction. */
static double coefficient(const training *t, int64_t query, int64_t key, int64_t value,
                          int64_t heads, int64_t n)
{
    mesaopt_view q, k, v, p;                       /* [4n, H key] twice, [4n, H value], [H value,
                                                      4n] */
    double *wq = copy_parameter(t, "blocks.1.query", &q),
           *wk = copy_parameter(t, "blocks.1.key", &k);
    double *wv = copy_parameter(t, "blocks.1.value", &v),
           *wp = copy_parameter(t, "blocks.1.output", &p), sum = 0;
    const int64_t d_key = q.shape[1] / heads, d_value = v.shape[1] / heads;
    for (int64_t h = 0; h < heads; h++) {
        double a = 0, b = 0;
        for (int64_t r = 0; r < n; r++) {
            for (int64_t j = h * d_key; j < (h + 1) * d_key; j++)
                a += wq[(query * n + r) * q.stride[0] + j] * wk[(key * n + r) * k.stride[0] + j];
            for (int64_t j = h * d_value; j < (h + 1) * d_value; j++)
                b += wv[(value * n + r) * v.stride[0] + j] * wp[j * p.stride[0] + r];
        }
        sum += a / (double)n * b / (double)n;
    }
    free(wq), free(wk), free(wv), free(wp);
    return sum;
}

/* Test loss of one step of gradient descent with a given step size. */
static double loss_of_gd(const training *t, double eta)
{
    mesaopt_settings *settings = args_preset(MESAOPT_SCOPE_BASELINE, "baseline=gd");
    mesaopt_baseline *gd = NULL;
    double loss = 0;
    must(t->ctx, mesaopt_settings_set_float(settings, MESAOPT_KEY_ETA, eta),
         "mesaopt_settings_set_float");
    TRY(t->ctx, mesaopt_baseline_create(t->ctx, settings, &gd));
    TRY(t->ctx,
        mesaopt_baseline_evaluate(gd, t->test, MESAOPT_STREAM_TEST, 0, t->finals, NULL, &loss));
    mesaopt_baseline_free(gd);
    return loss;
}

/* The weights are those of the first seed, losses are means. */
static void report(const training *t, int64_t seeds, int64_t heads, int64_t n)
{
    static const char *const pair[] = {"x_t . x_t'", "x_t . x_{t'-1}", "x_{t-1} . x_t'",
                                       "x_{t-1} . x_{t'-1}"};
    curves c = {0};
    for (int64_t i = 0; i < seeds; i++, curves_again(&c)) {
        curves_model(&c, "model", &t[i]);
        if (i == 0) curves_baselines(&c, t);
    }
    curves_report(&c, "One linear attention layer and one step of gradient descent: error of the "
                      "next observation by t");

    printf(
        "\nread off the weights: the prediction is the sum over t' <= t of\n\n%20s  %12s  %12s\n",
        "", "x_t'", "x_{t'-1}");
    for (int i = 0; i < 4; i++) {
        const int64_t query = 2 + i / 2, key = 2 + i % 2;
        printf("%20s  %12.6f  %12.6f\n", pair[i], coefficient(t, query, key, 2, heads, n),
               coefficient(t, query, key, 3, heads, n));
    }
    const double eta = coefficient(t, 2, 3, 2, heads, n), slot = coefficient(t, 2, 3, 3, heads, n);
    const double alike = coefficient(t, 2, 2, 2, heads, n) + coefficient(t, 3, 3, 2, heads, n);
    printf("\neta   learned %.5f, by line search for one step of gradient descent %.5f\n", eta,
           c.of[1].best);
    printf("Phi0  learned %+.4f times the identity by the slot of x_{t'-1} alone, %+.4f with the "
           "terms that do the same for rotations\n",
           -slot / eta, -(slot + alike) / eta);
    const double model = c.of[0].mean, gd = c.of[1].mean;
    printf("loss  model %.5f, one step with the searched eta %.5f, ", model, gd);
    if (eta > 0) printf("one step with the learned eta %.5f\n", loss_of_gd(t, eta));
    else puts("none with the learned eta, which is not positive");
    claim(CLAIM_1, model <= gd && model > 0.98 * gd, "losses: model %.4f, gradient step %.4f",
          model, gd);
}

int main(int argc, char **argv)
{
    own_key own[] = {
        SEEDS_KEY, MODEL_KEY, TRAINING_KEYS("", "one_step_gd.out"), TEST_KEYS, {NULL, NULL, NULL}};
    int64_t n, width, heads;

    args_begin(argc, argv,
               "Trains one linear attention layer and shows that it has become one step of "
               "gradient descent.",
               own);
    args_hide(" inputs outputs first tokens slots pe ");
    runs r = runs_begin("lsa1");
    args_end();
    runs_create(&r);
    runs_expect_kinds(&r, 1);
    TRY(r.ctx, mesaopt_task_shape(r.run[0].task, &n, NULL, &width, NULL));
    if (width != 4 * n) args_refuse("model", "networks that see tokens of 4 slots");
    TRY(r.ctx, mesaopt_study_heads(r.run[0].model, 1, &heads));
    catch_signals(r.ctx);
    const mesaopt_status status = runs_train(&r);
    if (status == MESAOPT_OK) {
        out_begin(r.ctx);
        report(r.run, r.seeds, heads, n);
    }
    catch_signals(NULL);
    runs_free(&r);
    return status == MESAOPT_OK ? claims_status() : 130;
}
