/* mesaopt/trainer.h: validates, then delegates to train/. */
#include "api/api_model.h"
#include "train/checkpoint.h"
#include "train/trainer_impl.h"
#include <inttypes.h>

mesaopt_status mesaopt_trainer_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                      mesaopt_model *model, mesaopt_task *task,
                                      mesaopt_trainer **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, model, task, settings);
    if (status != MESAOPT_OK) return status;
    status = options_check(ctx, settings, MESAOPT_SCOPE_TRAINER, "settings");
    CHECK(check_handle(ctx, model, OBJECT_MODEL, "model"));
    CHECK(check_handle(ctx, task, OBJECT_TASK, "task"));
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(trainer_create(ctx, settings, model, task, out));
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_trainer_set_parameters(mesaopt_trainer *t, const char *pattern,
                                              double factor, int32_t decay)
{
    call c;
    mesaopt_status status = call_begin(t, OBJECT_TRAINER, CALL_NORMAL, &c);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = t->head.ctx;
    status = check_not_null(ctx, pattern, "pattern");
    if (status == MESAOPT_OK && !(factor >= 0 && factor <= UPDATE_MOST_FACTOR))
        status = fail(ctx, MESAOPT_E_ARGUMENT, "factor: %s, expected 0 to %s",
                      number_text(factor).text, number_text(UPDATE_MOST_FACTOR).text);
    if (status == MESAOPT_OK && (decay < MESAOPT_DECAY_STANDARD || decay > MESAOPT_DECAY_ON))
        status = fail(ctx, MESAOPT_E_ARGUMENT, "decay: %d, expected a MESAOPT_DECAY_* constant",
                      (int)decay);
    CHECK(update_rules_set(t->model, t->adam.rules, pattern, factor, decay));
    return call_end(&c, status);
}

mesaopt_status mesaopt_trainer_step(mesaopt_trainer *t, double *loss)
{
    call c;
    mesaopt_step report;
    mesaopt_status status = call_begin(t, OBJECT_TRAINER, CALL_NORMAL, &c);
    if (status != MESAOPT_OK) return status;
    status = trainer_step(t, &c, &report);
    if (status >= 0 && loss) *loss = report.loss;
    return call_end(&c, status);
}

mesaopt_status mesaopt_trainer_run(mesaopt_trainer *t, int64_t steps, mesaopt_step_fn after,
                                   void *user)
{
    call c;
    mesaopt_status status = call_begin(t, OBJECT_TRAINER, CALL_NORMAL, &c);
    if (status != MESAOPT_OK) return status;
    if (!trainer_steps_fit(t, steps))
        status = fail(t->head.ctx, MESAOPT_E_ARGUMENT, "steps: %" PRId64 ", expected 0 to %" PRId64,
                      steps, INT64_MAX / t->batch);
    else status = trainer_run(t, &c, steps, after, user);
    return call_end(&c, status);
}

mesaopt_status mesaopt_trainer_evaluate(mesaopt_trainer *t, int64_t count, const mesaopt_view *by_t,
                                        double *loss)
{
    call c;
    mesaopt_status status = call_begin(t, OBJECT_TRAINER, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    return call_end(
        &c, model_evaluate(&c, t->model, t->task, MESAOPT_STREAM_TEST, 0, count, by_t, loss));
}

int64_t mesaopt_trainer_steps(const mesaopt_trainer *t)
{
    const mesaopt_status status = check_kind(OBJECT_TRAINER, t);
    return status == MESAOPT_OK ? atomic_load(&t->step) : status;
}

static mesaopt_status save(mesaopt_trainer *t, const storage to)
{
    call c;
    mesaopt_status status = call_begin(t, OBJECT_TRAINER, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(storage_check(t->head.ctx, &to));
    CHECK(checkpoint_save_trainer(t, &to));
    return call_end(&c, status);
}

mesaopt_status mesaopt_trainer_save(mesaopt_trainer *t, const char *path)
{
    return save(t, at_path(path));
}

mesaopt_status mesaopt_trainer_save_to(mesaopt_trainer *t, mesaopt_write_fn write, void *user)
{
    return save(t, to_host(write, user));
}

static mesaopt_status load(mesaopt_trainer *t, const storage from, const char *change)
{
    call c;
    mesaopt_status status = call_begin(t, OBJECT_TRAINER, CALL_NORMAL, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(storage_check(t->head.ctx, &from));
    CHECK(checkpoint_load_trainer(t, &from, change));
    return call_end(&c, status);
}

mesaopt_status mesaopt_trainer_load(mesaopt_trainer *t, const char *path)
{
    return load(t, at_path(path), NULL);
}

mesaopt_status mesaopt_trainer_load_changed(mesaopt_trainer *t, const char *path,
                                            const char *change)
{
    return load(t, at_path(path), change);
}

mesaopt_status mesaopt_trainer_load_from(mesaopt_trainer *t, const void *bytes, int64_t length,
                                         const char *change)
{
    return load(t, in_memory(bytes, length), change);
}

mesaopt_status mesaopt_trainer_free(mesaopt_trainer *t)
{
    return object_free(t, OBJECT_TRAINER);
}
