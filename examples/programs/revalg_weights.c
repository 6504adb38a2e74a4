/* revalg_weights.c: weights that were trained elsewhere; see revalg_study.h. */
#include "algorithm.h"
#include "revalg_study.h"

/* Tokens and targets of the task have the widths of the model, as far as nothing else was said. */
static void fit_task(study *s, int64_t inputs, int64_t outputs)
{
    if (!args_given("dim")) mesaopt_settings_set_int(s->task_settings, MESAOPT_KEY_DIM, outputs);
    if (args_given("tokens") || inputs == 4 * outputs) return;
    mesaopt_settings_set_text(s->task_settings, "tokens", inputs == outputs ? "raw" : "slots");
    if (!args_given("slots") && inputs % outputs == 0)
        mesaopt_settings_set_int(s->task_settings, MESAOPT_KEY_SLOTS, inputs / outputs);
}

/* Features of a token and of a prediction, of weights that do not say it. */
static void foreign_shape(const study *s, int64_t *inputs, int64_t *outputs)
{
    int64_t n;
    mesaopt_settings_get_int(s->task_settings, MESAOPT_KEY_DIM, &n);
    *outputs = *args_text("outputs") ? args_int("outputs", 1, 1 << 20) : n;
    *inputs = *args_text("inputs") ? args_int("inputs", 1, 1 << 20) : 4 * *outputs;
}

static void open_weights(study *s, const char *file)
{
    int64_t inputs, outputs;
    if (mesaopt_file_note(s->ctx, file, "mesaopt.blocks", NULL, 0) > 0) {
        static const char *const said[] = {"kind",  "heads",  "key",    "residual_clip",
                                           "dtype", "inputs", "outputs"};
        for (size_t i = 0; i < sizeof said / sizeof *said; i++)
            if (args_given(said[i]))
                note("%s: a checkpoint of this library says that itself, and %s= is not heeded",
                     file, said[i]);
        TRY(s->ctx, mesaopt_model_open(s->ctx, file, &s->model));
        return;
    }
    foreign_shape(s, &inputs, &outputs);
    mesaopt_settings_set_int(s->model_settings, MESAOPT_KEY_INPUTS, inputs);
    mesaopt_settings_set_int(s->model_settings, MESAOPT_KEY_OUTPUTS, outputs);
    TRY(s->ctx, mesaopt_revalg_import_file(s->ctx, s->model_settings, s->layer, file, &s->model));
}

/* The scalars of these weights, and the losses of the model and of its scalars on the task, or on
 * the user's data. */
void study_read_weights(study *s)
{
    double weights = 0, explained = 0;
    open_weights(s, args_text("weights"));
    algorithm a = algorithm_read(s->ctx, s->model);
    s->layers = a.layers;
    if (*args_text("data")) s->data = pairs_read(args_text("data"), a.features);
    else {
        fit_task(s, a.features, a.n);
        TRY(s->ctx, mesaopt_task_create(s->ctx, s->task_settings, &s->task));
    }
    TRY(s->ctx, mesaopt_revalg_rebuild(a.scalars, &s->rebuilt));
    TRY(s->ctx, mesaopt_revalg_summary(a.scalars, &weights, &explained));
    const double model = study_loss(s, s->model, s->finals),
                 rebuilt = study_loss(s, s->rebuilt, s->finals);
    s->nothing = study_loss_of_nothing(s, s->rebuilt);
    out_begin(s->ctx);
    algorithm_print(&a);
    algorithm_draw(&a);
    printf("\nscalars: %.2f %% of the weights, %.1f %% of the squared norm of the products\n",
           100 * weights, 100 * explained);
    if (a.layers <= 2 || losses_near(rebuilt, model))
        claim(CLAIM_4, "loss of the rebuilt model within 5 % of the network's",
              losses_near(rebuilt, model) && learned(model, s->nothing),
              "losses: model %.4f, rebuilt %.4f%s", model, rebuilt,
              learned(model, s->nothing) ? "" : "; the network has learned nothing");
    else
        printf("\nclaim 4 is one of networks of one or two layers, or young ones, and this is "
               "none: losses: model %.4f, rebuilt %.4f\n",
               model, rebuilt);
    algorithm_free(&a);
    mesaopt_model_free(s->model);
    mesaopt_model_free(s->rebuilt);
    mesaopt_task_free(s->task);
    if (s->data.count) pairs_free(&s->data);
}
