/* decode: a mesa layer's head token by token, in memory that does not grow.
 *
 * The first 40 rows of a sequence go through the solver in one call, whose last state moves into a
 * recursive least squares (mesaopt_rls); that takes the other 9 one by one, predicting what comes
 * next. Prints how far predictions are off, and the largest difference from one call over all
 * rows: roundings. */
#include <math.h>
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

enum { T = 49, PREFILL = 40, N = 10 };             /* rows */
static double x[(T + 2) * N];                      /* observations: those of a task of length 50 */
static double whole[T * N], first[PREFILL * N], one[N], H[N * N], S[N * N];

/* Row t: key x[t], value and query x[t+1]; the output is the prediction of x[t+2]. */
static mesaopt_view rows(double *at, int64_t count, int axes)
{
    const int64_t sequence[] = {1, count, 1, N};   /* of a mesaopt_rls: without the first axis */
    mesaopt_view v;
    ok(mesaopt_view_dense(at, MESAOPT_F64, axes, axes == 4 ? sequence : sequence + 1, &v));
    return v;
}

int main(void)
{
    const int64_t shape[] = {1, T + 2, N}, square[] = {1, 1, N, N};
    const int32_t last[] = {MESAOPT_LSQ_H_LAST, MESAOPT_LSQ_S_LAST},
                  part[] = {MESAOPT_RLS_KEY_STATE, MESAOPT_RLS_VALUE_STATE};
    double most = 0;
    mesaopt_task *task;
    mesaopt_lsq *lsq;
    mesaopt_rls *rls;
    mesaopt_view all, ends[2], state[2], k, v, out;

    ok(mesaopt_ctx_create(NULL, &ctx));
    ok(mesaopt_task_create(ctx, NULL, &task));
    ok(mesaopt_view_dense(x, MESAOPT_F64, 3, shape, &all));
    ok(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, &all));
    ok(mesaopt_lsq_plan(ctx, NULL, N, N, &lsq));

    /* all rows in one call, to compare with */
    k = rows(x, T, 4), v = rows(x + N, T, 4), out = rows(whole, T, 4);
    ok(mesaopt_lsq_forward(lsq, &v, &k, &v, &out, 0, NULL, NULL));
    /* the first rows in one call; its last state becomes that of the decoder */
    k = rows(x, PREFILL, 4), v = rows(x + N, PREFILL, 4), out = rows(first, PREFILL, 4);
    for (int i = 0; i < 2; i++) {
        ok(mesaopt_view_dense(i ? S : H, MESAOPT_F64, 4, square, &ends[i]));
        ok(mesaopt_view_dense(i ? S : H, MESAOPT_F64, 3, square + 1, &state[i]));
    }
    ok(mesaopt_lsq_forward(lsq, &v, &k, &v, &out, 2, last, ends));
    ok(mesaopt_rls_create(lsq, 1, NULL, &rls));
    ok(mesaopt_rls_set(rls, 2, part, state));

    for (int t = PREFILL; t < T; t++) {                /* row by row */
        double off = 0;
        k = rows(x + t * N, 1, 3), v = rows(x + (t + 1) * N, 1, 3), out = rows(one, 1, 3);
        ok(mesaopt_rls_step(rls, &v, &k, &v, NULL, NULL, &out));
        for (int i = 0; i < N; i++) {
            most = fmax(most, fabs(one[i] - whole[t * N + i]));
            off += (one[i] - x[(t + 2) * N + i]) * (one[i] - x[(t + 2) * N + i]);
        }
        printf("row %d: %.3f off\n", t + 1, sqrt(off));
    }
    printf("one by one or in one call: at most %.0e apart\n", most);

    mesaopt_rls_free(rls);
    mesaopt_lsq_free(lsq);
    mesaopt_task_free(task);
    mesaopt_ctx_free(ctx);
    if (fflush(stdout) == 0) return 0;
    perror("decode: standard output");
    return 1;
}
