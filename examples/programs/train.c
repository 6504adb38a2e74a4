/* train: trains models by recipe, and compares them by t with one step of gradient descent, with
 * least squares and, where the recipe says so, with learned steps of preconditioning (proposition
 * 2), all on the same sequences.
 *
 *   train recipe=help                        names, what they reach, what they cost
 *   train recipe=tf7 out=DIR                 one of them
 *   train recipe=tf3,tf7,hybrid_mesa,full_mesa
 *                                            several, side by side: the models on raw tokens of the
 *                                            paper
 *   train recipe=tf7 layers=3 heads=2 lr=1e-3 steps=1000
 *                                            with other settings on top, of all blocks that have
 *                                            them
 *   train recipe=tf7 blocks='dense(outputs=40); 3 x softmax(pe=qk); dense(outputs=10)'
 *   train recipe=tf3,tf7 model=A,B           nothing is trained, the checkpoints A and B are scored
 *
 * A claim is about the mean over seeds, and belongs to the recipe as it stands: with other settings
 * it is not judged. Recipes and what the authors' weights reach: docs/science.md, sections 4 and 7;
 * claims 3 and 6 there. */
#include "common.h"
#include "runs.h"
#include <math.h>
#include <string.h>

enum { NAME = 32 };

static int has_mesa(const recipe *r) { return strstr(r->layer, "mesa(") != NULL; }

/* Steps of preconditioning beside a recipe; of k layers that are told, k - 1; 0: none. */
static int64_t steps_beside(const recipe *r)
{
    const int told = *args_text("layers") && r->iterations > 0 && !has_mesa(r);
    return told ? args_int("layers", 1, 1000) - 1 : r->iterations;
}

/* On observations, or in the space of the recipe: a curve for every number of steps. */
static void name_steps(const recipe *r, int in_space, char name[NAME])
{
    snprintf(name, NAME, "Chebyshev-%lld%s", (long long)steps_beside(r), in_space ? "_space" : "");
}

static int curve_of(const curves *c, const char *name)
{
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->of[i].name, name) == 0) return i;
    return -1;
}

/* A training that is cut short has less of them, too, unless it is told. */
static int64_t updates_of(const training *t, const recipe *r, int64_t updates)
{
    const int64_t usual = chebyshev_updates(steps_beside(r));
    const int64_t steps = t->trainer ? training_steps(t) : r->steps;
    if (updates > 0 || steps >= r->steps) return updates;
    return 1 + (int64_t)((double)usual * (double)steps / (double)r->steps);
}

static void add_steps(curves *c, const training *t, const recipe *r, int in_space, int64_t updates)
{
    static char names[MAX_CURVES][NAME];
    char settings[128], *name = names[c->count];
    name_steps(r, in_space, name);
    if (steps_beside(r) == 0 || (in_space && !r->space) || curve_of(c, name) >= 0) return;
    snprintf(settings, sizeof settings, "iterations=%lld newest_pair=0 %s",
             (long long)steps_beside(r), in_space ? r->space : "");
    mesaopt_baseline *b = learn_chebyshev(t, settings, updates_of(t, r, updates));
    curves_baseline(c, name, b, t);
    mesaopt_baseline_free(b);
}

/* Least squares in the space of a recipe. */
static void add_lsq(curves *c, const training *t, const recipe *r)
{
    char settings[128];
    mesaopt_baseline *b = NULL;
    if (!r->space || curve_of(c, "lsq_space") >= 0) return;
    snprintf(settings, sizeof settings, "baseline=lsq newest_pair=0 %s", r->space);
    TRY(t->ctx,
        mesaopt_baseline_create(t->ctx, args_preset(MESAOPT_SCOPE_BASELINE, settings), &b));
    curves_baseline(c, "lsq_space", b, t);
    mesaopt_baseline_free(b);
}

static void judge_loss(const recipe *r, const curves *c, int i)
{
    char what[160], expected[80];
    if (r->loss == 0) return;
    snprintf(what, sizeof what, "recipe %s reaches its loss: %s", r->name, r->about);
    snprintf(expected, sizeof expected, "within %.0f %% of %.4g", 100 * r->within, r->loss);
    const int holds = fabs(c->of[i].mean / r->loss - 1) <= r->within;
    if (c->of[i].runs == 1)
        claim(what, expected, holds, "%.4f, one seed", c->of[i].mean);
    else
        claim(what, expected, holds, "%.4f, standard deviation %.4f over %lld seeds", c->of[i].mean,
              c->of[i].sd, (long long)c->of[i].runs);
}

/* Softmax and linear models match proposition 2, mesa layers are below it; where the problem is
 * linear in another space only, all are. */
static void judge_steps(const recipe *r, const curves *c, int i, int in_space)
{
    char what[200], name[NAME];
    name_steps(r, in_space, name);
    const int other = curve_of(c, name), mesa = has_mesa(r),
              below = mesa || r->space;
    if (steps_beside(r) == 0 || other < 0 || (in_space && !r->space)) return;
    const double loss = c->of[i].mean, steps = c->of[other].mean;
    snprintf(what, sizeof what,
             "%s, recipe %s: %s %lld step%s of preconditioning and one of gradient descent%s",
             mesa ? "2" : "6", r->name,
             below ? "better than" : "k layers match k - 1 =", (long long)steps_beside(r),
             steps_beside(r) == 1 ? "" : "s",
             !r->space  ? ""
             : in_space ? " in the space in which the problem is linear"
                        : " on observations");
    claim(what, below ? "a loss below theirs" : "at most 5 % above their loss",
          below ? loss < steps : loss < 1.05 * steps, "losses: model %.4f, learned steps %.4f",
          loss, steps);
}

/* Several recipes end in the order of what they reach. */
static void judge_order(const runs *r, const curves *c)
{
    char seen[512] = "";
    int holds = 1, count = 0;
    for (int i = 0; i < r->count; i++) {
        const size_t used = strlen(seen);
        if (r->of[i]->loss == 0) continue;
        snprintf(seen + used, sizeof seen - used, "%s%s %.4f", count++ ? ", " : "", r->of[i]->name,
                 c->of[i].mean);
        for (int k = 0; k < r->count; k++)
            if (r->of[k]->loss > r->of[i]->loss) holds &= c->of[k].mean > c->of[i].mean;
    }
    if (count > 1)
        claim("3. the recipes differ as the paper has it",
              "losses in the order of what the recipes reach", holds, "%s", seen);
}

static void report(runs *r, int64_t updates)
{
    curves c = {0};
    char text[4096], title[256] = "";
    const training *first = runs_of(r, 0, 0);
    for (int64_t seed = 0; seed < r->seeds; seed++, curves_again(&c))
        for (int i = 0; i < r->count; i++)
            curves_model(&c, r->count > 1 ? r->of[i]->name : "model", runs_of(r, seed, i));
    c.at = c.count;
    curves_baselines(&c, first);
    for (int i = 0; i < r->count; i++) {
        add_steps(&c, first, r->of[i], 0, updates);
        add_lsq(&c, first, r->of[i]);
        add_steps(&c, first, r->of[i], 1, updates);
    }
    if (r->count > 1)
        snprintf(title, sizeof title, "%d recipes; error of the next observation by t", r->count);
    else
        snprintf(title, sizeof title, "%s%s: error of the next observation by t", r->of[0]->name,
                 *args_changed() ? ", changed" : "");
    curves_report(&c, title);
    for (int i = 0; i < r->count; i++) {
        mesaopt_model_text(runs_of(r, 0, i)->model, text, sizeof text);
        printf("%s: %s\n", r->count > 1 ? r->of[i]->name : "model", text);
    }
    if (*args_changed()) printf("changed recipe: %s\n", args_changed());
    for (int i = 0; i < r->count; i++) {
        judge_loss(r->of[i], &c, i);
        for (int in_space = 0; in_space < 2; in_space++) judge_steps(r->of[i], &c, i, in_space);
    }
    judge_order(r, &c);
}

int main(int argc, char **argv)
{
    own_key own[] = {
        RUN_KEYS("lsa1", "train.out"),
        SEEDS_KEY,
        {"updates", "0",
         "updates of the learned steps of preconditioning; 0: the recipe's 20000, and fewer of a "
         "training that steps= cuts short"},
        TEST_KEYS,
        {NULL, NULL, NULL}};
    args_begin(argc, argv,
               "Trains models by recipe; compares them with one step of gradient descent, least "
               "squares and learned steps of preconditioning.",
               own);
    args_hide(" inputs outputs first ");
    runs r = runs_begin(NULL);
    const int64_t updates = args_int("updates", 0, INT64_MAX / 4);
    args_end();
    runs_create(&r);
    catch_signals(r.ctx);
    const mesaopt_status status = runs_train(&r);
    if (status == MESAOPT_OK) {
        out_begin(r.ctx);
        report(&r, updates);
    }
    catch_signals(NULL);
    runs_free(&r);
    return status == MESAOPT_OK ? claims_status() : 130;
}
