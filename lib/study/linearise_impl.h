/* Distillation of blocks of attention into linear attention; see include/mesaopt/linearise.h. */
#ifndef STUDY_LINEARISE_IMPL_H
#define STUDY_LINEARISE_IMPL_H

#include "mesaopt/linearise.h"
#include "task/sequences.h"
#include "train/batch.h"
#include "train/optimiser.h"

/* One linear block that learns what `block` of the teacher does to the stream. */
typedef struct student {
    int64_t block;
    mesaopt_model *model;
    optimiser adam;
} student;

struct mesaopt_linearise {
    object head;
    mesaopt_model *teacher;        /* a copy */
    mesaopt_task *task;            /* counted */
    int64_t batch, count;
    student *students;             /* [count] */
    /* The stream before and after every block that is learned, of a batch: after blocks lowest ..
     * lowest + streams - 1 (-1: the tokens). */
    int64_t streams;
    int64_t *blocks;
    mesaopt_view *recorded;
    mesaopt_view weights;          /* of their steps [batch, T], f64 */
    void *memory;
    _Atomic int64_t step;          /* steps taken */
};

/* Arguments are valid, `blocks` are of attention and differ; block NULL: as each of them is. Else
 * MESAOPT_E_SETTING, MESAOPT_E_MEMORY. */
mesaopt_status linearise_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                const mesaopt_model *model, mesaopt_task *task, int64_t count,
                                const int64_t *blocks, const mesaopt_settings *block,
                                mesaopt_linearise **out);
mesaopt_status linearise_run(mesaopt_linearise *l, call *c, int64_t steps, mesaopt_step_fn after,
                             void *user);

/* Runs the teacher on sequences first .. first + count - 1 (at most a batch) of a stream: into
 * l->recorded. */
mesaopt_status linearise_record(mesaopt_linearise *l, call *c, int32_t stream, int64_t first,
                                int64_t count, const char *what);
/* What a student learns from: the stream before its block and after it, as recorded. */
batch linearise_lesson(const mesaopt_linearise *l, const student *s);
/* What was recorded before (0) and after (1) the block of a student. */
const mesaopt_view *linearise_stream(const mesaopt_linearise *l, const student *s, int after);

/* linearise_models.c */
mesaopt_status linearise_copy(const mesaopt_model *m, mesaopt_model **out);
/* A student for a block of m. */
mesaopt_status linearise_student(const mesaopt_model *m, int64_t i, const mesaopt_settings *block,
                                 mesaopt_model **out);
/* Index of the student of a block; -1: none. */
int64_t linearise_find(const mesaopt_linearise *l, int64_t block);
/* The teacher with student i in its place, -1: all of them. */
mesaopt_status linearise_model(const mesaopt_linearise *l, int64_t i, mesaopt_model **out);

/* linearise_scores.c: ratio, error [count]; error may be NULL */
mesaopt_status linearise_evaluate(mesaopt_linearise *l, call *c, int64_t count,
                                  const mesaopt_view *ratio, const mesaopt_view *error);

#endif
