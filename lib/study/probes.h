/* Linear probes: one regression (rank.h) for every layer and step; see include/mesaopt/probe.h.
 *
 * The lanes of a panel are steps of one layer, or a panel holds one step: the last steps that do
 * not fill a register, and steps of many features. A set is a store of triangles, one for every
 * panel, and the number of sequences at every step. What a feed makes of a store is written to
 * another one, which takes its place when all went well. */
#ifndef STUDY_PROBES_H
#define STUDY_PROBES_H

#include "base/choices.h"
#include "base/options.h"
#include "study/rank.h"
#include "mesaopt/probe.h"
#include "tensor/view.h"
#include "study/baselines.h"
#include "train/safetensors.h"

enum { PROBE_SETS = 2 };
#define PROBE_MOST 1e100           /* larger numbers are refused: their squares must not overflow */

/* Panels of one kind: steps first .. first + steps - 1 of a layer. Groups 2 l (lanes) and 2 l + 1
 * (single steps, which are the last ones) belong to layer l. */
typedef struct probe_group {
    const kern *k;
    int64_t layer, features, first, steps, panels;
    int64_t triangle, triangles;   /* bytes of a panel's triangle; where the first is in a store */
    int64_t map, maps;             /* likewise of its weights: 1 + features rows of `targets`
                                      elements */
} probe_group;

/* What a worker does in a job: steps t .. t + valid - 1. */
typedef struct probe_item {
    const probe_group *group;
    int64_t panel, t, valid;
    regression_work work;
} probe_item;

struct mesaopt_probe {
    object head;
    mesaopt_settings settings;     /* a copy */
    int64_t layers, steps, targets, items;
    probe_group *group;            /* [2 L] */
    struct { char *now, *next; } set[PROBE_SETS], fit;  /* stores, NULL before the first feed:
                                                           counts int64 [T], triangles; ranks int64
                                                           [L, T], weights */
    int64_t set_bytes, fit_bytes;
    int fitted, feeding;           /* feeding: inside a call that changes a set */
    double *scores;                /* [L, T, m] errors, the same of spreads, [L, T] totals */
    mesaopt_view *given;           /* [L] activations of the feed that runs */
    char *work;
    int64_t workers, worker_bytes;
    mesaopt_baseline *conditioner; /* counted, or NULL */
    mesaopt_target_fn fill;
    mesaopt_release_fn release;    /* of fill_user, or NULL */
    void *fill_user;
};

/* ---- plans ---- */

mesaopt_status probe_plan(mesaopt_ctx *ctx, const mesaopt_settings *settings, int64_t layers,
                          const int64_t *features, int64_t steps, int64_t targets,
                          mesaopt_probe **out);
/* -1: overflow */
int64_t probe_bytes(mesaopt_ctx *ctx, const mesaopt_settings *settings, int64_t layers,
                    const int64_t *features, int64_t steps, int64_t targets);

/* enum target_kind; observations, too, where targets are not what the settings say. */
static inline int64_t probe_target(const mesaopt_probe *p)
{
    if (p->fill || p->conditioner) return TARGET_OBSERVATIONS;
    return option_int(&p->settings, MESAOPT_SCOPE_PROBE, MESAOPT_KEY_TARGET);
}
static inline int64_t probe_features(const mesaopt_probe *p, int64_t l)
{
    return p->group[2 * l].features;
}
/* without what a worker needs */
probe_item probe_item_at(const mesaopt_probe *p, int64_t layer, int64_t t);
probe_item probe_item_of(const mesaopt_probe *p, int64_t worker, int64_t item);
regression probe_regression(const mesaopt_probe *p, const probe_item *i, char *store);
static inline int64_t *probe_counts(char *store) { return (int64_t *)store; }
static inline double *probe_map(const probe_item *i, char *store)
{
    return (double *)(store + i->group->maps + i->panel * i->group->map);
}

/* ---- feeding ---- */

/* Views are valid. activations[l] [B, T, D_l], or [panels, lanes, T, D_l] with sequence b in lane b
 * % lanes of panel b / lanes, whole registers of them; targets [B, T, m] or [L, B, T, m]; weights
 * [B, T] >= 0, or NULL. */
typedef struct probe_input {
    int64_t B;
    const mesaopt_view *activations, *targets, *weights;
} probe_input;

/* An element that is refused: of activations (which < layers) or targets; which = -1: none alone,
 * but the sums overflow. */
typedef struct probe_culprit {
    int64_t which, index[MESAOPT_MAX_RANK];
    int32_t ndim;
    double value;
} probe_culprit;

/* A feed of any number of inputs: begin, take each, commit. Nothing shows before the commit, and
 * none is needed after a failure. */
mesaopt_status probe_begin(mesaopt_probe *p, int32_t set);
/* MESAOPT_E_NONFINITE: *bad is set, the text is not */
mesaopt_status probe_take(mesaopt_probe *p, int32_t set, const probe_input *in, int first,
                          probe_culprit *bad);
void probe_commit(mesaopt_probe *p, int32_t set);
/* MESAOPT_E_NONFINITE, with its text */
mesaopt_status probe_refuse(const mesaopt_probe *p, const char *name, const probe_culprit *bad);
mesaopt_status probe_feed(mesaopt_probe *p, int32_t set, const probe_input *in);
void probe_reset(mesaopt_probe *p, int32_t set);

mesaopt_status probe_feed_model(mesaopt_probe *p, call *c, int32_t set, mesaopt_model *model,
                                const int64_t *blocks, mesaopt_task *task, int32_t stream,
                                int64_t first, int64_t count);
mesaopt_status probe_feed_control(mesaopt_probe *p, call *c, int32_t set,
                                  mesaopt_baseline *conditioner, mesaopt_task *task, int32_t stream,
                                  int64_t first, int64_t count);
mesaopt_status probe_feed_file(mesaopt_probe *p, int32_t set, const storage *from,
                               const char *activations, const char *targets, const char *weights,
                               int64_t first, int64_t count);
mesaopt_status probe_plan_file(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                               const storage *from, const char *activations, const char *targets,
                               mesaopt_probe **out, int64_t *rows);

/* ---- results ---- */

mesaopt_status probe_fit(mesaopt_probe *p, const mesaopt_settings *settings);
mesaopt_status probe_score(mesaopt_probe *p, int32_t set, const mesaopt_view *mse,
                           const mesaopt_view *r2);

/* ---- targets: unfinished when the call is to end ---- */

/* Widths must fit: out [B, T, lags n]. */
void probe_observations(const mesaopt_ctx *ctx, const mesaopt_settings *settings,
                        const mesaopt_view *sequences, const mesaopt_view *out);
int64_t probe_observed(const mesaopt_settings *settings, int64_t n);     /* lags n; -1: overflow */

/* Norms of targets at every step, over any number of batches: mean, and root of the sum of squared
 * distances from it. */
typedef struct probe_norms {
    double *weight, *mean, *root;  /* [T] each */
    int32_t dtype;                 /* that targets were computed in */
} probe_norms;
/* weights [B, T]; NULL: all 1 */
void probe_norms_add(const mesaopt_ctx *ctx, const probe_norms *n, const mesaopt_view *targets,
                     const mesaopt_view *weights);
void probe_norms_filter(const mesaopt_ctx *ctx, const probe_norms *n, double limit,
                        const mesaopt_view *targets, const mesaopt_view *out);

#endif
