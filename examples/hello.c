/* hello: a context and a task; a sequence is drawn and predicted by least squares; then an error
 * on purpose.
 *
 * A sequence of the default task is x_{t+1} = W x_t + noise with a rotation W of its own in 10
 * dimensions. Least squares over the pairs (x_{i-1}, x_i) seen so far learns W while it reads.
 * Prints how far its predictions are off by t: little once 10 steps have been seen; and the text of
 * the error. */
#include <math.h>
#include <mesaopt/mesaopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { T = 50, N = 10 };                           /* the defaults of a task */
static double sequence[(T + 1) * N], prediction[T * N];
static mesaopt_ctx *ctx;

/* What every caller of a library of status codes needs once: name, text, and an end. */
static void say(mesaopt_status status, FILE *f)
{
    char text[256] = "";
    mesaopt_ctx_error(ctx, text, sizeof text);
    fprintf(f, "%s: %s\n", mesaopt_status_name(status), text);
}
static void ok(mesaopt_status status)
{
    if (status != MESAOPT_OK) say(status, stderr);
    if (status < 0) exit(1);
}

/* |x_{t+1} - prediction at t| */
static double distance(int t)
{
    double sum = 0;
    for (int i = 0; i < N; i++) {
        const double d = sequence[t * N + i] - prediction[(t - 1) * N + i];
        sum += d * d;
    }
    return sqrt(sum);
}

int main(void)
{
    const int64_t shape[] = {1, T + 1, N}, out_shape[] = {1, T, N}, short_shape[] = {1, T - 1, N};
    mesaopt_task *task;
    mesaopt_settings *settings;
    mesaopt_baseline *lsq;
    mesaopt_view in, out, wrong;

    printf("%s\n\n", mesaopt_build_info());
    ok(mesaopt_ctx_create(NULL, &ctx));
    ok(mesaopt_task_create(ctx, NULL, &task));

    /* A settings object takes the keys of its scope only, by name or by number. */
    ok(mesaopt_settings_create(MESAOPT_SCOPE_BASELINE, NULL, NULL, &settings));
    ok(mesaopt_settings_set_text(settings, "baseline", "lsq"));
    ok(mesaopt_settings_set_float(settings, MESAOPT_KEY_RIDGE, 1e-3));
    ok(mesaopt_baseline_create(ctx, settings, &lsq));

    /* Arrays are yours: a view says where they are and what shape they have. */
    ok(mesaopt_view_dense(sequence, MESAOPT_F64, 3, shape, &in));
    ok(mesaopt_view_dense(prediction, MESAOPT_F64, 3, out_shape, &out));
    ok(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, &in));
    ok(mesaopt_baseline_predict(lsq, &in, &out));
    for (int t = 1; t <= T; t += t == 1 ? 4 : 5)
        printf("t = %2d: least squares is %.3f off\n", t, distance(t));

    /* 49 rows of predictions where the sequence asks for 50: nothing is written. */
    ok(mesaopt_view_dense(prediction, MESAOPT_F64, 3, short_shape, &wrong));
    printf("\nand this is what an error looks like:\n");
    say(mesaopt_baseline_predict(lsq, &in, &wrong), stdout);

    mesaopt_ctx_free(ctx);             /* any order: what still needs the context keeps it */
    mesaopt_settings_free(settings);
    mesaopt_baseline_free(lsq);
    mesaopt_task_free(task);
    if (fflush(stdout) == 0) return 0;
    perror("hello: standard output");  /* a full disk, perhaps */
    return 1;
}
