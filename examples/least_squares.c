/* least_squares: the mesa layer's solver on arrays of one's own, without a model.
 *
 * Values that are 2 times their keys, one number each: after t rows ridge regression with ridge 1
 * says Phi_t = sum k v / (sum k^2 + 1), and the output for a query q is Phi_t q. Prints Phi_t by
 * row (1, 1.667, 1.867, ...), how well its system was solved, and a bound of the condition number;
 * then the gradient of the last output with respect to every value. */
#include <mesaopt/mesaopt.h>
#include <stdio.h>
#include <stdlib.h>

static mesaopt_ctx *ctx;

static void ok(mesaopt_status status)
{
    char text[256] = "";
    if (status == MESAOPT_OK) return;
    mesaopt_ctx_error(ctx, text, sizeof text);
    fprintf(stderr, "%s: %s\n", mesaopt_status_name(status), text);
    if (status < 0) exit(1);
}

enum { T = 5 };
static double key[T] = {1, 2, 3, 4, 5}, value[T] = {2, 4, 6, 8, 10}, query[T] = {1, 1, 1, 1, 1};

/* [1 sequence, T steps, 1 head, 1 channel] */
static mesaopt_view rows(double *x)
{
    mesaopt_view v;
    ok(mesaopt_view_dense(x, MESAOPT_F64, 4, (const int64_t[]){1, T, 1, 1}, &v));
    return v;
}

/* [1 sequence, T steps, 1 head] */
static mesaopt_view numbers(double *x)
{
    mesaopt_view v;
    ok(mesaopt_view_dense(x, MESAOPT_F64, 3, (const int64_t[]){1, T, 1}, &v));
    return v;
}

int main(void)
{
    double out[T], residual[T], condition[T], dq[T], dk[T], dv[T], dout[T] = {0, 0, 0, 0, 1};
    const mesaopt_view q = rows(query), k = rows(key), v = rows(value), o = rows(out),
                       g = rows(dout), q_gradient = rows(dq), k_gradient = rows(dk),
                       v_gradient = rows(dv), more[] = {numbers(residual), numbers(condition)};
    const int32_t which[] = {MESAOPT_LSQ_RESIDUAL, MESAOPT_LSQ_CONDITION};
    mesaopt_settings *settings;
    mesaopt_lsq *lsq;

    ok(mesaopt_ctx_create(NULL, &ctx));
    ok(mesaopt_settings_create(MESAOPT_SCOPE_LSQ, NULL, NULL, &settings));
    ok(mesaopt_settings_set_float(settings, MESAOPT_KEY_RIDGE, 1));
    ok(mesaopt_lsq_plan(ctx, settings, 1, 1, &lsq));

    ok(mesaopt_lsq_forward(lsq, &q, &k, &v, &o, 2, which, more));
    for (int t = 0; t < T; t++)
        printf("row %d: %.6f  residual %.0e  condition %g\n", t + 1, out[t], residual[t],
               condition[t]);
    ok(mesaopt_lsq_adjoint(lsq, &q, &k, &v, &g, &q_gradient, &k_gradient, &v_gradient, 0, NULL,
                           NULL));
    printf("gradient of the last output with respect to the values:");
    for (int t = 0; t < T; t++) printf(" %.6f", dv[t]);
    printf("\n");

    mesaopt_lsq_free(lsq);
    mesaopt_settings_free(settings);
    mesaopt_ctx_free(ctx);
    if (fflush(stdout) == 0) return 0;
    perror("least_squares: standard output");
    return 1;
}
