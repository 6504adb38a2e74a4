/* tour: the program of tour.c from C++, with mesaopt.hpp: a layer of linear attention is trained,
 * its step size read off, and a regression streamed. Prints the same, to the bit. */
#include <cstdio>
#include <cstring>
#include <mesaopt/mesaopt.hpp>

static void say(const char *what, double x)
{
    unsigned long long bits;
    std::memcpy(&bits, &x, sizeof bits);
    std::printf("%-22s %9.6f  %016llx\n", what, x, bits);
}

static void train(const mesaopt::context &ctx)
{
    auto task = ctx.make<mesaopt_task>(mesaopt_task_create, ctx, nullptr);
    auto model = ctx.make<mesaopt_model>(mesaopt_model_create, ctx, nullptr);
    ctx(mesaopt_model_add_text(model, "mask(first=20); linear(heads=2,key=20,residual_clip=4)"));
    mesaopt::settings settings(MESAOPT_SCOPE_TRAINER, {{"lr", "0.003"}, {"batch", "64"}});
    auto trainer = ctx.make<mesaopt_trainer>(mesaopt_trainer_create, ctx, settings, model, task);
    ctx(mesaopt_trainer_run(trainer, 200, nullptr, nullptr));
    double loss, form[2][6];           /* of each head: alpha, eta, beta, gamma, p1, p2 */
    ctx(mesaopt_trainer_evaluate(trainer, 256, nullptr, &loss));
    auto revalg = ctx.make<mesaopt_revalg>(mesaopt_revalg_extract, model);
    ctx(mesaopt_revalg_closed_form(revalg, mesaopt::view(&form[0][0], {2, 6})));
    say("loss after 200 steps", loss);
    say("eta", form[0][1] * form[0][4] + form[1][1] * form[1][4]);
}

static void stream(const mesaopt::context &ctx)
{
    auto plan = ctx.make<mesaopt_lsq>(mesaopt_lsq_plan, ctx, nullptr, 2, 1);
    auto rls = ctx.make<mesaopt_rls>(mesaopt_rls_create, plan, 1, nullptr);
    double key[2], value, prediction, error;
    const double query[2] = {0.25, -0.5};
    const mesaopt::view k(key, {1, 1, 2}), v(&value, {1, 1, 1});
    for (int t = 0; t < 100; t++) {
        key[0] = t * 37 % 101 / 101.0 - 0.5;
        key[1] = t * 53 % 103 / 103.0 - 0.5;
        value = 2 * key[0] - 3 * key[1];
        ctx(mesaopt_rls_update(rls, k, v, nullptr, nullptr));
    }
    ctx(mesaopt_rls_predict(rls, mesaopt::view(query, {1, 1, 2}),
                            mesaopt::view(&prediction, {1, 1, 1}),
                            mesaopt::view(&error, {1, 1, 1})));
    say("prediction", prediction);
    say("its standard error", error);
}

int main()
{
    try {
        const mesaopt::context ctx;
        train(ctx);
        stream(ctx);
    } catch (const mesaopt::error &e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
    return std::fflush(stdout) != 0;
}
