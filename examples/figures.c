/* figures.c: figures of CSV files by gnuplot, and claims; see common.h. */
#include "common.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* gnuplot at work in the out folder, writing name.svg. */
typedef struct drawing { FILE *f; int here; void (*on_pipe)(int); char path[MAX_PATH]; } drawing;

enum { MOST_CELLS = 4096, FEW = 16 };  /* as sharp rectangles, beyond it is a small picture inside the SVG; rows that are all numbered */
static int missing;                    /* no gnuplot: said once */

/* 0: there is no gnuplot. */
static int drawing_begin(drawing *d, const char *name, const char *title, const char *x_label, const char *y_label)
{
    char svg[128];
    if (missing) return 0;
    snprintf(svg, sizeof svg, "%s.svg", name);
    out_path(svg, d->path);
    remove(d->path);                   /* an old figure beside new numbers would mislead */
    d->here = open(".", O_RDONLY);
    d->on_pipe = signal(SIGPIPE, SIG_IGN);         /* nobody reads when there is no gnuplot */
    d->f = chdir(args_text("out")) == 0 ? popen("exec gnuplot 2>/dev/null", "w") : NULL;
    if (d->f) fprintf(d->f, "set terminal svg size 720,440 dynamic font 'Helvetica,14' background 'white'\nset output '%s'\nset title '%s' noenhanced\n"
                            "set xlabel '%s'\nset ylabel '%s'\nset datafile separator ','\nset tics nomirror\n", svg, title, x_label, y_label);
    return 1;
}

/* gnuplot itself does not notice a disk that is full. */
static int ends_well(const char *path)
{
    char end[64] = "";
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    if (fseek(f, -(long)sizeof end + 1, SEEK_END) == 0) end[fread(end, 1, sizeof end - 1, f)] = 0;
    fclose(f);
    return strstr(end, "</svg>") != NULL;
}

static void drawing_end(drawing *d)
{
    const int status = d->f ? pclose(d->f) : -1;
    signal(SIGPIPE, d->on_pipe);
    if (d->here < 0 || fchdir(d->here) != 0 || close(d->here) != 0) die("cannot go back to the folder it was started in: %s", strerror(errno));
    missing = WIFEXITED(status) && WEXITSTATUS(status) == 127;
    if (missing) note("no gnuplot here, so no figures (Debian: apt-get install gnuplot-nox)");
    else if (status != 0 || !ends_well(d->path)) {
        remove(d->path);
        note("gnuplot failed, or the disk is full, so there is no %s", d->path);
    } else printf("figure: %s\n", d->path);
}

void figure(const char *name, int curves, const char *title, const char *x_label, const char *y_label)
{
    drawing d;
    if (!drawing_begin(&d, name, title, x_label, y_label)) return;
    if (d.f) fprintf(d.f, "set yrange [0:*]\nset key autotitle columnhead noenhanced below\nset border 3\nset grid lc rgb '#dddddd'\n"
                          "set style line 1 lw 3 lc rgb '#1f6fb4'\nset style line 2 lw 3 dt 2 lc rgb '#e0711c'\n"
                          "set style line 3 lw 2 dt 4 lc rgb '#777777'\nset style line 4 lw 2 lc rgb '#2a9d4e'\nset style line 5 lw 2 dt 3 lc rgb '#8a4fb0'\n"
                          "plot for [i=2:%d] '%s.csv' using 1:i with lines ls i-1\n", curves + 1, name);
    drawing_end(&d);
}

void heat_map(const char *name, int64_t rows, int64_t columns, const char *title, const char *x_label, const char *y_label, double low, double high)
{
    drawing d;
    if (!drawing_begin(&d, name, title, x_label, y_label)) return;
    if (d.f && rows <= FEW) fputs("set ytics 1\n", d.f);
    if (d.f && columns <= FEW) fputs("set xtics 1\n", d.f);
    if (d.f) fprintf(d.f, "set cbrange [%.17g:%.17g]\nset palette defined (%s)\nset yrange [*:*] reverse\nset datafile missing 'nan'\nunset key\nset border 0\n"
                          "set autoscale xfix\nset autoscale yfix\nplot '%s.csv' matrix with image%s\n",
                     low, high, low < 0 ? "-1 '#2166ac', 0 '#f7f7f7', 1 '#b2182b'" : "0 '#ffffff', 1 '#08519c'", name, rows > MOST_CELLS / columns ? "" : " pixels");
    drawing_end(&d);
}

void claim(const char *what, const char *expected, int holds, const char *seen, ...)
{
    va_list list;
    va_start(list, seen);
    printf("\nclaim: %s\nexpected: %s\nseen: ", what, expected);
    vprintf(seen, list);
    printf("\n%s\n", holds ? "holds" : "does not hold");
    va_end(list);
}
