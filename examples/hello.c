/* hello: the smallest useful program: create a context and a task, draw a sequence, predict it by
 * least squares, look at an error, free.
 *
 * A sequence of the default task is x_{t+1} = W x_t + noise with a rotation W of its own in 10
 * dimensions. Least squares over the pairs (x_{i-1}, x_i) seen so far learns W while it reads the
 * sequence: after 10 steps it knows it. */
#include <math.h>
#include <mesaopt/mesaopt.h>
#include <stdio.h>

/* What every caller of a library of status codes needs once: name, text, and an end. */
static int failed(mesaopt_ctx *ctx, mesaopt_status status)
{
    char text[256];
    if (status >= 0) return 0;
    mesaopt_ctx_error(ctx, text, sizeof text);
    printf("%s: %s\n", mesaopt_status_name(status), text);
    return 1;
}

/* |x_{t+1} - prediction at t| of the one sequence */
static double distance(const double *sequence, const double *prediction, int64_t t, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = sequence[t * n + i] - prediction[(t - 1) * n + i];
        sum += d * d;
    }
    return sqrt(sum);
}

int main(void)
{
    enum { T = 50, N = 10 };                       /* the defaults of a task */
    static double sequence[(T + 1) * N], prediction[T * N];
    mesaopt_ctx *ctx = NULL;
    mesaopt_task *task = NULL;
    mesaopt_settings *settings = NULL;
    mesaopt_baseline *lsq = NULL;
    mesaopt_view in, out, wrong;
    int result = 1;

    printf("%s\n\n", mesaopt_build_info());
    if (mesaopt_ctx_create(NULL, &ctx) < 0) return 1;
    if (failed(ctx, mesaopt_task_create(ctx, NULL, &task))) goto done;

    /* A settings object takes the keys of its scope only, by number or by name. */
    if (mesaopt_settings_create(MESAOPT_SCOPE_BASELINE, NULL, NULL, &settings) < 0) goto done;
    if (mesaopt_settings_set_text(settings, "baseline", "lsq") < 0) goto done;
    if (mesaopt_settings_set_float(settings, MESAOPT_KEY_RIDGE, 1e-3) < 0) goto done;
    if (failed(ctx, mesaopt_baseline_create(ctx, settings, &lsq))) goto done;

    /* Arrays are yours: a view says where they are and what shape they have. */
    if (failed(ctx,
               mesaopt_view_dense(sequence, MESAOPT_F64, 3, (const int64_t[]){1, T + 1, N}, &in)))
        goto done;
    if (failed(ctx,
               mesaopt_view_dense(prediction, MESAOPT_F64, 3, (const int64_t[]){1, T, N}, &out)))
        goto done;
    if (failed(ctx, mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, &in))) goto done;
    if (failed(ctx, mesaopt_baseline_predict(lsq, &in, &out))) goto done;
    for (int64_t t = 1; t <= T; t += t == 1 ? 4 : 5)
        printf("t = %2d: least squares is %.3f off\n", (int)t,
               distance(sequence, prediction, t, N));

    /* An error on purpose: 49 rows of predictions where the sequence asks for 50. Nothing is
     * written, the text says what is wrong. */
    if (failed(ctx, mesaopt_view_dense(prediction, MESAOPT_F64, 3, (const int64_t[]){1, T - 1, N},
                                       &wrong)))
        goto done;
    printf("\nand this is what an error looks like:\n");
    result = !failed(ctx, mesaopt_baseline_predict(lsq, &in, &wrong));

done:
    mesaopt_ctx_free(ctx);                         /* any order: what still needs the context keeps
                                                      it */
    mesaopt_settings_free(settings);
    mesaopt_baseline_free(lsq);
    mesaopt_task_free(task);
    /* a full disk, perhaps */
    if (fflush(stdout) != 0) perror("hello: standard output"), result = 1;
    return result;
}
