/* common.h: what the example programs share: key=value arguments, the training loop with its
 * progress line, Ctrl-C, CSV files and figures.
 *
 * An example has keys of its own (own_key), and passes every other key=value of its command line on
 * to the library's settings. All of this prints and ends the program on errors: status 2 for a
 * wrong command line, 1 for the rest, 130 after Ctrl-C. A program that has made a claim that does
 * not hold ends with status 3. */
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

#include "rows.h"
#include <mesaopt/mesaopt.h>
#include <stdio.h>

/* ---- command line ---- */

/* value: the default, then what the command line says */
typedef struct own_key { const char *name, *value, *meaning; } own_key;

/* The keys of every program that trains; out: default folder. */
#define TRAINING_KEYS(steps, out) \
    {"steps", steps, "training steps in all"}, \
        {"every", "100", "steps between two rows of loss.csv"}, \
        OUT_KEYS(out, "folder for tables, figures and checkpoint; made when missing"), \
        {"resume", "", "checkpoint to go on from"}, \
    { \
        "change", "", \
            "settings of the task that may differ from those of resume=: seed,noise or all" \
    }
/* The keys of every program that writes into a folder. */
#define OUT_KEYS(out, meaning) \
    {"out", out, meaning}, \
        {"overwrite", "0", "1: the folder may hold a run already, which is lost"}, \
    { \
        "settings", "", \
            "file of arguments, one a line, in front of those given here: run.txt of a run " \
            "repeats it" \
    }
#define ERROR_KEY \
    { \
        "error", "half_sum", \
            "squared error of table and figure: half_sum over dimensions, which is the loss, or " \
            "mean over dimensions" \
    }
#define TEST_KEYS \
    {"test", "2560", "test sequences behind a row of loss.csv"}, \
        {"final", "32768", "test sequences behind the table and by_t.csv"}, ERROR_KEY

/* first call; `own` ends with a NULL name */
void args_begin(int argc, char **argv, const char *about, own_key *own);
void args_hide(const char *names);                      /* " name name ": settings that the program
                                                           makes itself */
/* an own key has a value that will not do */
_Noreturn void args_refuse(const char *name, const char *expected);
int args_has(const char *name);                         /* is there such an own key? */
void args_command(FILE *f);                             /* the command line as a shell reads it */
void args_write(FILE *f);                               /* lines of arguments that say the same; #
                                                           all settings as they stand */
const char *args_text(const char *name);                /* value of an own key */
int args_given(const char *name);                       /* is the key on the command line? */
void args_default(const char *name, const char *value); /* a default that depends on other keys */
int64_t args_int(const char *name, int64_t lowest, int64_t highest);
int32_t args_block_scope(const char *name);             /* own key that names a kind of attention
                                                           block: its scope */

/* Settings of a scope: the library's defaults, then `preset` ("name=value name=value"), then the
 * command line. They live until args_free. */
mesaopt_settings *args_settings(int32_t scope, const char *preset);
/* The same where several of a kind are to be told apart: `of` says in `help` whose they are.
 * args_changed: "of name=value name=value; of name=value": what the command line has made of their
 * recipes, the presets and defaults; "" when nothing. */
mesaopt_settings *args_settings_of(const char *of, int32_t scope, const char *preset);
const char *args_changed(void);
mesaopt_ctx *args_ctx(void);                            /* context; threads: as many as CPUs, at
                                                           most 8, unless told */
void args_end(void);                                    /* refuses what no scope took, and an out
                                                           folder with a run; answers `help` */
void args_free(void);

/* ---- errors and Ctrl-C ---- */

#define TRY(ctx, call) must((ctx), (call), #call)
/* `status`; prints the text of a failure and ends the program */
mesaopt_status must(mesaopt_ctx *ctx, mesaopt_status status, const char *call);
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *must_alloc(void *old, size_t bytes);
void say_stopped(int64_t step);                         /* by Ctrl-C, after `step` (-1: no step),
                                                           and the command that goes on */
_Noreturn void stop(void);                              /* says so and ends the program */
extern int unfinished_line;                             /* progress on the terminal: what is said
                                                           next begins a new line */
void catch_signals(mesaopt_ctx *ctx);                   /* Ctrl-C and SIGTERM interrupt ctx; NULL:
                                                           no more */
int signalled(void);                                    /* has one of them come? */

/* ---- files ---- */

enum { MAX_PATH = 4096 };
#define LOSS_LABEL "loss: half the sum of squared errors, mean over t"
#define CHECKPOINT "checkpoint.safetensors"
/* Unless resume= or overwrite=1: refuses an out= that holds a run, and takes default.2, default.3,
 * .. instead of a default that does. */
void out_check(void);
/* Before the first file goes to the out folder: makes it, and writes run.txt: the arguments that
 * repeat the run. Later calls do nothing. */
void out_begin(mesaopt_ctx *ctx);
void take_log(const char *line, void *user);            /* of a context: says what a resumed run
                                                           does otherwise, in run.txt too */
void out_path(const char *file, char *path);            /* of the out folder; path has room for
                                                           MAX_PATH */
void follow_links(const char *path, char *out);         /* the file that symbolic links lead to,
                                                           there or not; out: MAX_PATH */
FILE *open_file(const char *path, const char *mode);
void close_file(FILE *f, const char *path);             /* a full disk is found here at the
                                                           latest */
void flush_file(FILE *f, const char *path);
void discard_file(const char *path);                    /* what the path names: a link stays */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));   /* to standard error */
double seconds(void);                                   /* of a clock that is never set */

/* ---- numbers as text: decimal.c; rows of them: rows.h ---- */

/* Reads the decimal number at `text`, which something else than a digit ends: *out is what strtod
 * makes of it in the C locale. Returns where the number ends, or NULL when there is none (nan and
 * inf are none). */
const char *decimal_read(const char *text, double *out);

/* ---- what was found ---- */

/* out/name.csv -> out/name.svg: `curves` columns against the first one, each in its predictor's
 * colour; on a logarithmic axis when one would look like 0 beside another. figure_log: the same as
 * name_log.svg, on a logarithmic axis; figure_right: the last curve on an axis of its own, from 0
 * to 1. */
void figure(const char *name, int curves, const char *title, const char *x_label,
            const char *y_label);
void figure_log(const char *name, int curves, const char *title, const char *x_label,
                const char *y_label);
void figure_right(const char *name, int curves, const char *title, const char *x_label,
                  const char *y_label, const char *right);

/* A matrix without header, nan where there is nothing (gaps: is there such a place?); `first`: what
 * the first column is called. Dark is good. */
typedef struct heat { int64_t rows, columns, first; double light, dark; int gaps; } heat;
void heat_map(const char *name, const heat *h, const char *title, const char *x_label,
              const char *y_label);

/* Products of weights: a matrix of [2 layers] x [heads] squares of `features` numbers from -1 to 1
 * in each direction, blocks_gap of nan between them. */
typedef struct blocks { int64_t layers, heads, features, slots; } blocks;
int64_t blocks_gap(int64_t features);
void draw_blocks(const char *name, const blocks *b, const char *title);

/* Prints claim, expected, seen (printf) and "holds" or "does not hold". claims_status: what the
 * program ends with, 3 when one does not hold. */
int claims_status(void);
void claim(const char *what, const char *expected, int holds, const char *seen, ...)
    __attribute__((format(printf, 4, 5)));
#define CLAIM_1 \
    "1. one trained layer is one step of gradient descent, slightly better thanks to Phi0", \
        "loss at most 2 % below one step with the best step size (the paper: about 0.894 and " \
        "0.900)"

/* ---- scores of probes ---- */

enum { TRAIN_ERROR, TRAIN_R2, TEST_ERROR, TEST_R2, SCORES };      /* in sample, held out */
/* [layers, steps, each]; ranks [layers, steps] */
typedef struct scores { int64_t layers, steps, each; double *of[SCORES]; int64_t *rank; } scores;

/* Fits and scores on both sets: all targets together (each = 1), or one by one. */
scores scores_of(mesaopt_ctx *ctx, mesaopt_probe *probe, int one_by_one);
void scores_print(FILE *f, const scores *s,
                  int64_t i); /* "rank,train_error,train_r2,test_error,test_r2"
                                                           of pair i, each = 1, and the end of the
                                                           line */
#define SCORES_HEADER "rank,train_error,train_r2,test_error,test_r2\n"
/* over steps first .. last - 1 that have one; each = 1 */
double score_mean(const scores *s, int column, int64_t layer, int64_t first, int64_t last);
void scores_free(scores *s);

/* ---- training ---- */

typedef struct training {
    mesaopt_ctx *ctx;
    mesaopt_model *model;
    mesaopt_task *task, *test;          /* the train stream of one, the test stream of the other;
                                           may be the same */
    mesaopt_trainer *trainer;
    int64_t batch, tests, finals;       /* sequences: of a step, behind a row of loss.csv, behind
                                           by_t.csv */
    char prefix[32];                    /* of loss.csv and the checkpoint of a second training, set
                                           before training_create; "": none */
} training;

/* Progress of a run: `p` (progress_begin) as a trainer's callback shows step, loss, steps per
 * second, time left: on a terminal one line that changes, in a file one line every 5 seconds. */
typedef struct progress { double start, shown; int64_t first, steps; int terminal; } progress;
progress progress_begin(int64_t first, int64_t steps);
int32_t show_progress(const mesaopt_step *step, void *p);

/* Models of a program whose claim is about their mean, from as many seeds. */
#define SEEDS_KEY \
    { \
        "seeds", "3", \
            "runs that the means are of: of the seed that is told, the one behind it, .." \
    }
/* Tasks and an empty model of run 0, 1, ..: its seeds are those of the settings plus `run`, the
 * test sequences are the same for all; `name`: see prefix. */
training training_begin(mesaopt_ctx *ctx, mesaopt_settings *task, mesaopt_settings *model,
                        int64_t run, const char *name);
/* Trainer of t->model on t->task; a test task of one's own sequences is used whole. */
void training_create(training *t, mesaopt_settings *settings);
void training_add_mask(training *t, int64_t features);  /* a block that zeroes the first features of
                                                           every token */
void training_free(training *t);                        /* all but the context */
/* Resumes if asked (a second training from its own checkpoint beside the one of resume=), runs to
 * `steps` with a progress line and loss.csv, leaves a checkpoint. MESAOPT_STOPPED after Ctrl-C. */
mesaopt_status training_run(training *t);

/* ---- error by t of several predictors ---- */

/* What own key `error` says: its text, and a factor for half sums over n dimensions. Ends the
 * program when it is no such word. */
const char *error_text(void);
double error_factor(int64_t n);

enum { MAX_CURVES = 8 };
typedef struct curves {
    int64_t length, dim;
    int at;                             /* the curve that comes next */
    const char *loss;                   /* title of the figure of losses; NULL: the usual one */
    int count;
    /* until curves_report by_t and mean are sums over runs, sd one of squares; best: what a line
     * search found for `number` */
    struct {
        const char *name, *number;
        double *by_t, mean, sd, best;
        int64_t runs;
        int at_bound;
    } of[MAX_CURVES];
} curves;

void curves_again(curves *c);                           /* what comes now is another run of the same
                                                           curves, from the first on */
void curves_model(curves *c, const char *name, const training *t);
void curves_baseline(curves *c, const char *name, mesaopt_baseline *baseline, const training *t);
void curves_baselines(curves *c, const training *t);    /* gd, lsq_newest_off, lsq_newest_on, on the
                                                           same sequences */
void curves_report(curves *c, const char *title);       /* table, by_t.csv, figures, in the measure
                                                           of `error`; frees by_t */

#endif
