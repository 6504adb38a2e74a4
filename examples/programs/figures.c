/* figures.c: figures of CSV files by gnuplot; see figures.h. */
#include "figures.h"
#include "args.h"
#include "errors.h"
#include "files.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* gnuplot at work in the out folder, writing name.svg. */
typedef struct drawing { FILE *f; int here; void (*on_pipe)(int); char path[MAX_PATH]; } drawing;

enum { MOST_CELLS = 4096, FEW = 16,    /* as sharp rectangles, beyond it is a small picture inside
                                          the SVG; rows that are all numbered */
       MOST_CURVES = 16, NAME = 64 };
static int missing;                    /* no gnuplot: said once */

#define NO_VALUE "#d9c9a3"             /* no colour of a value */

/* ---- one colour a predictor, whatever the program ---- */

/* name: how the column's name begins */
typedef struct line { const char *name, *colour; int dash, width; } line;

static const line lines[] = {{"model_separator", "#8cc3ea", 1, 3},
                             {"model_prefix", "#08306b", 1, 3},
                             {"model", "#1f6fb4", 1, 3},
                             {"LSA-", "#1f6fb4", 1, 3},
                             {"linear", "#1f6fb4", 1, 3},
                             {"tf7", "#1f6fb4", 1, 3},
                             {"tf3", "#8cc3ea", 1, 3},
                             {"hybrid_mesa", "#8a4fb0", 1, 3},
                             {"full_mesa", "#c77dd8", 4, 3},
                             {"linear_mesa", "#c77dd8", 4, 3},
                             {"partial_tf", "#1f6fb4", 1, 3},
                             {"partial_mesa", "#8a4fb0", 1, 3},
                             {"nonlinear_tf", "#1f6fb4", 1, 3},
                             {"nonlinear_mesa", "#8a4fb0", 1, 3},
                             {"test_loss", "#1f6fb4", 1, 3},
                             {"R2", "#1f6fb4", 1, 3},
                             {"train_loss", "#8cc3ea", 1, 2},
                             {"mesa", "#8a4fb0", 1, 3},
                             {"gd", "#e0711c", 2, 3},
                             {"Chebyshev-6_space", "#7a0019", 1, 2},
                             {"Chebyshev-", "#b0204a", 2, 3},
                             {"lsq_space", "#14532d", 1, 2},
                             {"rebuilt", "#b0204a", 2, 3},
                             {"average", "#c9a100", 4, 3},
                             {"explained", "#222222", 3, 2},
                             {"persistence", "#777777", 2, 3},
                             {"lsq_newest_off", "#1b9e9e", 4, 2},
                             {"lsq_true_pairs", "#14532d", 4, 2},
                             {"lsq_intercept", "#6b8e23", 5, 2},
                             {"lsq", "#2a9d4e", 1, 2},
                             {"rls", "#2a9d4e", 1, 3},
                             {"gamma=1", "#2a9d4e", 1, 3},
                             {"gamma=", "#8a4fb0", 1, 3}};
static const line others[] = {
    {"", "#a0522d", 3, 2}, {"", "#ff69b4", 2, 2}, {"", "#00008b", 4, 2}, {"", "#556b2f", 5, 2}};

/* Blocks of a model, one after the other. */
static const line ramp[] = {
    {"", "#c6dbef", 1, 2}, {"", "#9ecae1", 1, 2}, {"", "#6baed6", 1, 2}, {"", "#4292c6", 1, 2},
    {"", "#2171b5", 1, 2}, {"", "#08519c", 1, 2}, {"", "#08306b", 1, 2}, {"", "#54278f", 1, 2},
    {"", "#7a0177", 1, 2}, {"", "#ae017e", 1, 2}, {"", "#dd3497", 1, 2}, {"", "#cc4c02", 1, 2},
    {"", "#993404", 1, 2}, {"", "#662506", 1, 2}, {"", "#444444", 1, 2}, {"", "#000000", 1, 2}};

static const line *line_of(const char *column, int i)
{
    if (strncmp(column, "block ", 6) == 0) return &ramp[(size_t)i % (sizeof ramp / sizeof *ramp)];
    for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
        const size_t n = strlen(lines[k].name);
        const int whole = lines[k].name[n - 1] != '-' && lines[k].name[n - 1] != '=';
        if (strncmp(column, lines[k].name, n) == 0 &&
            (!whole || strchr(" _,", column[n]) || !column[n]))
            return &lines[k];
    }
    return &others[(size_t)i % (sizeof others / sizeof *others)];
}

static int alike(const line *a, const line *b)
{
    return a->dash == b->dash && strcmp(a->colour, b->colour) == 0;
}

/* Of curve i; of two that would look alike the later one has another. */
static const line *line_apart(const line *const *before, const char *column, int i)
{
    const line *l = line_of(column, i);
    int tried = 0;
    for (int k = 0; k < i && tried < MOST_CURVES; k++)
        if (alike(before[k], l)) l = line_of("", tried++), k = -1;
    return l;
}

/* The columns of a table to be drawn: names, the largest size in each, the least number of all. */
typedef struct columns {
    char name[MOST_CURVES][NAME];
    double most[MOST_CURVES], least;
    int rows;
} columns;

static columns read_columns(const char *name, int curves)
{
    columns c = {.most = {0}};
    char path[MAX_PATH], file[NAME + 8], *text = NULL;
    size_t room = 0;
    snprintf(file, sizeof file, "%s.csv", name);
    out_path(file, path);
    FILE *f = open_file(path, "r");
    for (int row = 0; getline(&text, &room, f) > 0; row++) {
        const char *cell = strtok(text, ",\n");
        c.rows = row;
        for (int i = -1; cell && i < curves; i++, cell = strtok(NULL, ",\n")) {
            if (i >= 0 && row == 0) snprintf(c.name[i], NAME, "%s", cell);
            const double x = strtod(cell, NULL);
            if (i >= 0 && row > 0 && isfinite(x))
                c.most[i] = fmax(c.most[i], fabs(x)), c.least = fmin(c.least, x);
        }
    }
    free(text);
    fclose(f);
    return c;
}

/* Would one of the curves look like 0 beside another? */
static int differ(const columns *c, int curves)
{
    double least = INFINITY, most = 0;
    for (int i = 0; i < curves; i++)
        if (c->most[i] > 0) least = fmin(least, c->most[i]), most = fmax(most, c->most[i]);
    return c->least >= 0 && most > 30 * least;
}

/* ---- gnuplot ---- */

/* Ctrl-C goes to all that runs in a terminal: the figure that is being drawn is finished. */
#define GNUPLOT "trap '' INT TERM; exec gnuplot 2>/dev/null"

/* "set what 'text' options", in gnuplot's quotes. */
static void set_text(FILE *f, const char *what, const char *text, const char *options)
{
    fprintf(f, "set %s '", what);
    for (; *text; text++) fprintf(f, *text == '\'' ? "''" : "%c", *text);
    fprintf(f, "' %s\n", options);
}

/* 0: there is no gnuplot. */
static int drawing_begin(drawing *d, const char *name, int width, int height, const char *title,
                         const char *x_label, const char *y_label)
{
    char svg[128];
    if (missing) return 0;
    snprintf(svg, sizeof svg, "%s.svg", name);
    out_path(svg, d->path);
    spare_input(d->path);
    /* an old figure would mislead */
    if (truncate(d->path, 0) != 0 && errno != ENOENT)
        note("cannot write %s: %s", d->path, strerror(errno));
    d->here = open(".", O_RDONLY);
    d->on_pipe = signal(SIGPIPE, SIG_IGN);         /* nobody reads when there is no gnuplot */
    d->f = chdir(args_text("out")) == 0 ? popen(GNUPLOT, "w") : NULL;
    if (!d->f) return 1;
    fprintf(d->f,
            "set terminal svg size %d,%d dynamic font 'Helvetica,14' background 'white'\nset "
            "datafile separator ','\nset tics nomirror\nset border 31\n",
            width, height);
    set_text(d->f, "output", svg, "");
    set_text(d->f, "title", title, "noenhanced");
    set_text(d->f, "xlabel", x_label, "offset 0,0.4");
    set_text(d->f, "ylabel", y_label, "");
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
    if (d->here < 0 || fchdir(d->here) != 0 || close(d->here) != 0)
        die("cannot go back to the folder it was started in: %s", strerror(errno));
    missing = WIFEXITED(status) && WEXITSTATUS(status) == 127;
    if (missing) {
        discard_file(d->path);
        note("no gnuplot here, so no figures (Debian: apt-get install gnuplot-nox)");
    } else if (status != 0 || !ends_well(d->path)) {
        discard_file(d->path);
        note("gnuplot failed, or the disk is full, so there is no %s", d->path);
    } else {
        close_file(open_file(d->path, "r+"), d->path);             /* to the disk */
        printf("figure: %s\n", d->path);
    }
}

/* ---- figures ---- */

/* Curves of name.csv as file.svg; right: label of a second axis from 0 to 1, which the last curve
 * belongs to, or NULL. */
static void draw_curves(const char *name, const char *file, int curves, const char *title,
                        const char *x_label, const char *y_label, int logarithmic,
                        const char *right)
{
    drawing d;
    const line *of[MOST_CURVES];
    if (curves > MOST_CURVES) die("%s: %d curves", name, curves);
    const columns c = read_columns(name, curves);
    if (!drawing_begin(&d, file, 720, 440, title, x_label, y_label)) return;
    if (d.f) {
        fputs(logarithmic || differ(&c, curves - (right != NULL))
                  ? "set logscale y\nset format y '%g'\n"
              : c.least >= 0 ? "set yrange [0:*]\n"
                             : "",
              d.f);
        if (right)
            fprintf(d.f, "set y2label '%s'\nset y2range [0:1]\nset y2tics nomirror\n", right);
        fputs("set key autotitle columnhead noenhanced below\nset grid lc rgb '#dddddd'\nplot ",
              d.f);
        for (int i = 0; i < curves; i++) {
            const line *const l = of[i] = line_apart(of, c.name[i], i);
            fprintf(d.f, "%s'%s.csv' using 1:%d with %s lw %d dt %d lc rgb '%s'%s",
                    i ? ", " : "", name, i + 2, c.rows > 1 ? "lines" : "points pt 7", l->width,
                    l->dash, l->colour,
                    right && i == curves - 1 ? " axes x1y2" : "");
        }
        fputc('\n', d.f);
    }
    drawing_end(&d);
}

void figure(const char *name, int curves, const char *title, const char *x_label,
            const char *y_label)
{
    draw_curves(name, name, curves, title, x_label, y_label, 0, NULL);
}

void figure_log(const char *name, int curves, const char *title, const char *x_label,
                const char *y_label)
{
    char file[NAME];
    snprintf(file, sizeof file, "%s_log", name);
    draw_curves(name, file, curves, title, x_label, y_label, 1, NULL);
}

void figure_right(const char *name, int curves, const char *title, const char *x_label,
                  const char *y_label, const char *right)
{
    draw_curves(name, name, curves, title, x_label, y_label, 0, right);
}

void heat_map(const char *name, const heat *h, const char *title, const char *x_label,
              const char *y_label)
{
    const double low = fmin(h->light, h->dark), high = fmax(h->light, h->dark);
    drawing d;
    if (!drawing_begin(&d, name, 720, 440, title, x_label, y_label)) return;
    if (d.f && h->rows <= FEW) fputs("set ytics 1\n", d.f);
    if (d.f && h->columns <= FEW) fputs("set xtics 1\n", d.f);
    if (d.f)
        fprintf(d.f,
                "set cbrange [%.17g:%.17g]\nset palette defined (0 '%s', 1 '%s')\nset yrange [*:*] "
                "reverse\nset datafile missing 'nan'\n"
                "set autoscale xfix\nset autoscale yfix\nset object 1 rectangle from graph 0,0 to "
                "graph 1,1 behind fillstyle solid noborder fc rgb '" NO_VALUE "'\n",
                low, high, h->dark > h->light ? "#ffffff" : "#08306b",
                h->dark > h->light ? "#08306b" : "#ffffff");
    if (d.f) fputs(h->gaps ? "set key below\n" : "unset key\n", d.f);
    if (d.f)
        fprintf(d.f, "plot '%s.csv' matrix using ($1 + %lld):2:3 with image%s notitle%s\n", name,
                (long long)h->first, h->rows > MOST_CELLS / h->columns ? "" : " pixels",
                h->gaps ? ", NaN with boxes fillstyle solid noborder lc rgb '" NO_VALUE
                          "' title 'no value'"
                        : "");
    drawing_end(&d);
}

/* ---- attention maps ---- */

/* White at 0, blue above it and, where there is such a number, red below. */
static void map_colours(FILE *f, const double *map, int64_t cells)
{
    double most = 0, least = 0;
    for (int64_t i = 0; i < cells; i++) most = fmax(most, map[i]), least = fmin(least, map[i]);
    const double high = fmax(fmax(most, -least), 1e-300);
    if (least < 0)
        fprintf(f,
                "set palette defined (-1 '#b2182b', 0 '#ffffff', 1 '#08306b')\nset cbrange "
                "[%.17g:%.17g]\n",
                -high, high);
    else
        fprintf(f, "set palette defined (0 '#ffffff', 1 '#08306b')\nset cbrange [0:%.17g]\n", high);
}

void draw_maps(const char *name, const double *map, int64_t count, int64_t size, const char *title,
               const char *x_label, const char *y_label)
{
    const int64_t across = count < 4 ? count : 4, down = (count + across - 1) / across;
    char layout[80];
    drawing d;
    if (!drawing_begin(&d, name, 60 + 300 * (int)across, 50 + 290 * (int)down, "", x_label,
                       y_label))
        return;
    snprintf(layout, sizeof layout, "multiplot layout %lld,%lld title", (long long)down,
             (long long)across);
    if (d.f) {
        set_text(d.f, layout, title, "noenhanced");
        fputs("set size square\nset yrange [*:*] reverse\nset autoscale xfix\nset autoscale yfix\n"
              "set datafile missing 'nan'\nunset key\n",
              d.f);
    }
    for (int64_t i = 0; d.f && i < count; i++) {
        map_colours(d.f, map + i * size * size, size * size);
        fprintf(d.f,
                "set title 'head %lld' offset 0,-0.6\nplot '%s.csv' matrix every :::%lld::%lld "
                "using ($1 + 1):($2 + 1 - %lld):3 with image%s\n",
                (long long)i + 1, name, (long long)(i * size), (long long)((i + 1) * size - 1),
                (long long)(i * size), size * size > MOST_CELLS ? "" : " pixels");
    }
    if (d.f) fputs("unset multiplot\n", d.f);
    drawing_end(&d);
}

/* ---- products of weights ---- */

/* Between two products, in features: room for a line of text. */
int64_t blocks_gap(int64_t features) { return features / 5 + 1; }

/* Names of slots at their middle, along one axis, for every product. */
static void slot_tics(FILE *f, char axis, int64_t count, const blocks *b)
{
    const int64_t width = b->features / b->slots;
    fprintf(f, "set %ctics scale 0 (", axis);
    for (int64_t i = 0; i < count * b->slots; i++)
        fprintf(f, "%s\"%lld\" %.1f", i ? ", " : "", (long long)(i % b->slots),
                (double)(i / b->slots * (b->features + blocks_gap(b->features)) +
                         i % b->slots * width) +
                    0.5 * (double)(width - 1));
    fputs(")\n", f);
}

/* Its frame, the borders of its slots, and what it is. */
static void frame_product(FILE *f, int64_t row, int64_t head, const blocks *b)
{
    const int64_t step = b->features + blocks_gap(b->features);
    const double x = (double)(head * step) - 0.5, y = (double)(row * step) - 0.5,
                 D = (double)b->features;
    for (int64_t i = 1; i < b->slots; i++) {
        const double at = D * (double)i / (double)b->slots;
        fprintf(f, "set arrow from %.2f,%.1f to %.2f,%.1f nohead front lc rgb '#bbbbbb'\n", x + at,
                y, x + at, y + D);
        fprintf(f, "set arrow from %.1f,%.2f to %.1f,%.2f nohead front lc rgb '#bbbbbb'\n", x,
                y + at, x + D, y + at);
    }
    fprintf(f,
            "set object rectangle from %.1f,%.1f to %.1f,%.1f front fillstyle empty border lc rgb "
            "'#222222'\n",
            x, y, x + D, y + D);
    fprintf(f, "set label \"layer %lld, head %lld: %s\" at %.1f,%.1f center front font ',12'\n",
            (long long)row / 2 + 1, (long long)head + 1, row % 2 ? "W_v P" : "W_q W_k^T", x + D / 2,
            y - 0.4 * (double)blocks_gap(b->features));
}

void draw_blocks(const char *name, const blocks *b, const char *title)
{
    const int64_t gap = blocks_gap(b->features), step = b->features + gap;
    const int most = 1200 / (int)b->heads,
              panel = most > 260   ? 260
                      : most < 160 ? 160
                                   : most,
              whole = panel * (int)step / (int)b->features;
    drawing d;
    if (!drawing_begin(&d, name, (int)b->heads * whole + 190, 2 * (int)b->layers * whole + 120,
                       title, "slot of the key (W_q W_k^T), slot written to (W_v P)",
                       "slot of the query (W_q W_k^T), slot of the value (W_v P)"))
        return;
    if (d.f) {
        fprintf(d.f,
                "set size ratio -1\nset cbrange [-1:1]\nset palette defined (-1 '#2166ac', 0 "
                "'#f7f7f7', 1 '#b2182b')\nset datafile missing 'nan'\nunset key\nset border 0\n"
                "set xrange [-0.5:%.1f]\nset yrange [%.1f:%.1f]\n",
                (double)(b->heads * step - gap) - 0.5, (double)(2 * b->layers * step - gap) - 0.5,
                -0.5 - (double)gap);
        slot_tics(d.f, 'x', b->heads, b);
        slot_tics(d.f, 'y', 2 * b->layers, b);
        for (int64_t i = 0; i < 2 * b->layers * b->heads; i++)
            frame_product(d.f, i / b->heads, i % b->heads, b);
        fprintf(d.f, "plot '%s.csv' matrix with image\n", name);
    }
    drawing_end(&d);
}
