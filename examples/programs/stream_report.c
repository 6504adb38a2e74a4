/* stream_report.c: errors of stream_rls: reports, table, figure; see stream_state.h. */
#include "stream_state.h"
#include <math.h>
#include <stdio.h>

static double rms(double squares, double n) { return sqrt(squares / n); }

void stream_report(stream *s)
{
    const double now = seconds(),
                 so_far[] = {rms(s->sum[RLS], s->all), rms(s->sum[PERSISTENCE], s->all)};
    double lately[KINDS];
    for (int k = 0; k < KINDS; k++)
        lately[k] = rms(s->sum[k] - s->reported[k], s->late), s->reported[k] = s->sum[k];
    if (s->curve)
        fprintf(s->curve, "%lld,%.9g,%.9g,%.9g,%.9g\n", (long long)s->rows, so_far[RLS],
                so_far[PERSISTENCE], lately[RLS], lately[PERSISTENCE]);
    if (s->every > 0 || now - s->shown > 2) {
        s->shown = now;
        fprintf(stderr, "row %lld  rmse %.5g, persistence %.5g; of the last %lld: %.5g, %.5g\n",
                (long long)s->rows, so_far[RLS], so_far[PERSISTENCE],
                (long long)(s->scored - s->last), lately[RLS], lately[PERSISTENCE]);
    }
    s->last = s->scored;
    s->late = 0;
    s->next = s->scored + (s->every > 0 ? s->every : 1 + s->scored / 50);
}

static void table_row(const char *name, double rls, double persistence)
{
    printf("%-20s%16.9g%16.9g", name, rls, persistence);
    if (persistence > 0) printf("%10.4g\n", rls / persistence);
    else printf("%10s\n", "-");
}

/* Root of the mean over columns of squared errors, each in units of persistence's; 0: there is no
 * column that changes. */
static double relative(const stream *s)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t j = 0; j < s->m; j++)
        if (s->squares[PERSISTENCE][j] > 0)
            sum += s->squares[RLS][j] / s->squares[PERSISTENCE][j], n++;
    return n ? sqrt(sum / (double)n) : 0;
}

static void table(const stream *s)
{
    const double units = relative(s);
    printf("\nroot mean square error of predictions of the next row, %lld rows\n\n",
           (long long)s->scored);
    printf("%-20s%16s%16s%10s\n", "column", "rls", "persistence", "ratio");
    for (int64_t j = 0; j < s->m; j++)
        table_row(rows_name(&s->in, j), rms(s->squares[RLS][j], s->seen[j]),
                  rms(s->squares[PERSISTENCE][j], s->seen[j]));
    table_row("all", rms(s->sum[RLS], s->all), rms(s->sum[PERSISTENCE], s->all));
    if (units > 0) table_row("all_relative", units, 1);
    if (units > 0)
        puts("\nall is in the columns' units, the largest first; all_relative counts every column "
             "in units of persistence's error");
}

void stream_end_reports(stream *s)
{
    if (s->scored > s->last) stream_report(s);
    table(s);
    if (!s->curve) return;
    close_file(s->curve, s->curve_path);
    printf("\nrunning error: %s\n", s->curve_path);
    figure("error", 2, "Predictions of the next row, all rows so far", "row",
           "root mean square error");
}
