/* Rounding errors of the mesa layer's solvers by condition number, as CSV: what docs/figures/mesa-error.svg shows (`make figures`).
 *
 * T tokens with d channels, gates, weights; T < d, so that H_T is singular and the condition number of H_T + l I is 1 + lambda_max(H_T) / l: the hardest case for
 * gradients, since the regression fits its values almost exactly and leading terms cancel. f32 by each solver against f64 by Cholesky, inputs alike;
 * errors are |difference| / |f64| of whole tensors: of the outputs, and the largest of dq, dk, dv. */
#include <math.h>
#include <mesaopt/mesaopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { T = 120, D = 128, H = 8, TENSORS = 8 };          /* q, k, v, dout; out, dq, dk, dv */
static const int64_t tensor[] = {1, T, H, D}, token[] = {1, T, H}, state[] = {1, H, D, D}, channel[] = {H, D};

static void check(const mesaopt_ctx *ctx, mesaopt_status status)
{
    char text[512] = "";
    if (status >= 0) return;
    mesaopt_ctx_error(ctx, text, sizeof text);
    fprintf(stderr, "mesa_error: %s: %s\n", mesaopt_status_name(status), text);
    exit(1);
}

static mesaopt_view new_view(int32_t dtype, int32_t rank, const int64_t *shape)
{
    mesaopt_view v;
    int64_t n = 1;
    for (int32_t i = 0; i < rank; i++) n *= shape[i];
    void *data = calloc((size_t)n, sizeof(double));
    if (!data || mesaopt_view_dense(data, dtype, rank, shape, &v) < 0) exit(1);
    return v;
}

/* Forward and adjoint; last (or NULL): H_T. */
static void run(mesaopt_ctx *ctx, const char *solver, mesaopt_view *t, const mesaopt_view *extra, const mesaopt_view *last)
{
    mesaopt_settings *s = NULL;
    mesaopt_lsq *lsq = NULL;
    const int32_t which[] = {MESAOPT_LSQ_BETA, MESAOPT_LSQ_LOG_GAMMA, MESAOPT_LSQ_RIDGE, MESAOPT_LSQ_H_LAST};
    mesaopt_view all[] = {extra[0], extra[1], extra[2], extra[2]};
    if (last) all[3] = *last;
    check(ctx, mesaopt_settings_create(MESAOPT_SCOPE_LSQ, NULL, NULL, &s));
    check(ctx, mesaopt_settings_set_text(s, "solver", solver));
    check(ctx, mesaopt_lsq_plan(ctx, s, D, D, &lsq));
    check(ctx, mesaopt_lsq_forward(lsq, &t[0], &t[1], &t[2], &t[4], last ? 4 : 3, which, all));
    check(ctx, mesaopt_lsq_adjoint(lsq, &t[0], &t[1], &t[2], &t[3], &t[5], &t[6], &t[7], 3, which, all));
    mesaopt_lsq_free(lsq);
    mesaopt_settings_free(s);
}

/* Of each head's H by power iterations; the largest. */
static double largest_eigenvalue(const double *h)
{
    double most = 0, x[D], y[D];
    for (int head = 0; head < H; head++, h += D * D) {
        double size = 1;
        for (int i = 0; i < D; i++) x[i] = 1 + 0.1 * (i % 7);
        for (int step = 0; step < 100; step++) {
            double square = 0;
            for (int i = 0; i < D; i++) {
                y[i] = 0;
                for (int j = 0; j < D; j++) y[i] += h[i * D + j] * x[j] / size;
                square += y[i] * y[i];
            }
            size = sqrt(square);
            memcpy(x, y, sizeof x);
        }
        most = fmax(most, size);
    }
    return most;
}

static void convert(const mesaopt_view *from, mesaopt_view *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++) ((double *)to->data)[i] = (double)((const float *)from->data)[i];
}

static double error(const mesaopt_view *single, const mesaopt_view *exact)
{
    double diff = 0, norm = 0;
    for (int64_t i = 0; i < T * H * D; i++) {
        const double x = (double)((const float *)single->data)[i], y = ((const double *)exact->data)[i];
        diff += (x - y) * (x - y), norm += y * y;
    }
    return sqrt(diff / norm);
}

int main(void)
{
    static const char *const solvers[] = {"cholesky", "segments", "cg_chunk", "cg_diag"};
    mesaopt_ctx *ctx = NULL;
    mesaopt_view single[TENSORS], exact[TENSORS], extra32[3], extra64[3], last = new_view(MESAOPT_F64, 4, state);
    check(NULL, mesaopt_ctx_create(NULL, &ctx));
    for (int i = 0; i < TENSORS; i++) {
        single[i] = new_view(MESAOPT_F32, 4, tensor), exact[i] = new_view(MESAOPT_F64, 4, tensor);
        if (i >= 4) continue;
        check(ctx, mesaopt_rng_normal(ctx, 1, (uint32_t)i, 0, 0, 1, &single[i]));
        convert(&single[i], &exact[i], T * H * D);
    }
    for (int i = 0; i < 3; i++) {
        const int32_t rank = i < 2 ? 3 : 2;
        extra32[i] = new_view(MESAOPT_F32, rank, i < 2 ? token : channel), extra64[i] = new_view(MESAOPT_F64, rank, i < 2 ? token : channel);
        if (i < 2) check(ctx, mesaopt_rng_uniform(ctx, 1, 8 + (uint32_t)i, 0, i ? -0.05 : 0.1, i ? -0.0025 : 1, &extra32[i]));
        convert(&extra32[i], &extra64[i], i < 2 ? T * H : H * D);
    }
    double largest = 0;
    printf("condition");
    for (int s = 0; s < 4; s++) printf(",%s: outputs,%s: gradients", solvers[s], solvers[s]);
    printf("\n");
    for (int step = -1; step <= 26; step++) {                  /* the first finds the eigenvalue */
        const double kappa = step < 0 ? 2 : 2 * pow(2, 0.5 * step), ridge = (double)(float)(largest ? largest / (kappa - 1) : 1);
        for (int i = 0; i < H * D; i++) ((float *)extra32[2].data)[i] = (float)ridge, ((double *)extra64[2].data)[i] = ridge;
        run(ctx, "cholesky", exact, extra64, &last);
        if (step < 0) largest = largest_eigenvalue(last.data);
        if (step < 0) continue;
        printf("%.6g", kappa);
        for (int s = 0; s < 4; s++) {
            run(ctx, solvers[s], single, extra32, NULL);
            printf(",%.4g,%.4g", error(&single[4], &exact[4]), fmax(error(&single[5], &exact[5]), fmax(error(&single[6], &exact[6]), error(&single[7], &exact[7]))));
        }
        printf("\n");
    }
    for (int i = 0; i < TENSORS; i++) free(single[i].data), free(exact[i].data);
    for (int i = 0; i < 3; i++) free(extra32[i].data), free(extra64[i].data);
    free(last.data);
    mesaopt_ctx_free(ctx);
    return 0;
}
