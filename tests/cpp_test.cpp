// What include/mesaopt/mesaopt.hpp promises. Compiled by tests/test_cpp.sh with exceptions and without.
#include <mesaopt/mesaopt.hpp>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <thread>

static int failures;
#define EXPECT(what) ((what) ? (void)0 : (void)(failures++, std::printf("line %d: not so: %s\n", __LINE__, #what)))

// Statuses: handles and views alone.
static void with_statuses()
{
    mesaopt::handle<mesaopt_ctx> ctx;
    mesaopt::handle<mesaopt_task> task;
    EXPECT(!ctx);
    EXPECT(mesaopt_ctx_create(nullptr, ctx.out()) == MESAOPT_OK && ctx);
    EXPECT(mesaopt_task_create(ctx, nullptr, task.out()) == MESAOPT_OK && task);
    std::vector<double> x(2 * 51 * 10);
    std::vector<float> y(2 * 51 * 10);
    EXPECT(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, mesaopt::view(x, {2, 51, 10})) == MESAOPT_OK);
    EXPECT(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, mesaopt::view(y, {2, 51, 10})) == MESAOPT_OK);
    for (std::size_t i = 0; i < x.size(); i++) EXPECT(std::abs(x[i] - y[i]) < 1e-4);

    const std::vector<double> read_only(x.size());
    EXPECT(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, mesaopt::view(read_only, {2, 51, 10})) == MESAOPT_E_ARGUMENT);
    EXPECT(mesaopt::text(mesaopt_ctx_error, ctx.get()).find("out: ") == 0);
    EXPECT(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, mesaopt::view(x, {2, 51, 11})) < 0);      // more than x has
    EXPECT(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, mesaopt::view(x, {1, 51, 10})) < 0);      // fewer
    EXPECT(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, mesaopt::view(x, {2, 51, 1, 1, 1, 1, 10})) < 0);

    int gone = 0;                                             // a handle frees what it holds, once
    for (int i = 0; i < 2; i++) {
        mesaopt::handle<mesaopt_tensor> tensor, other;
        for (int k = 0; k < 2; k++)
            EXPECT(mesaopt_tensor_wrap(ctx, mesaopt::view(x, {1020}), [](void *n) { ++*static_cast<int *>(n); }, &gone, tensor.out()) == MESAOPT_OK);
        EXPECT(gone == 2 * i + 1);
        other = std::move(tensor);
        EXPECT(gone == 2 * i + 1 && !tensor.get() && other);
    }
    EXPECT(gone == 4);

    std::array<double, 4> four = {{1, 2, 3, 4}};              // whatever has data() and size()
    const std::array<double, 4> same = four;
    EXPECT(mesaopt_tensor_copy(ctx, mesaopt::view(same, {2, 2}), mesaopt::view(four, {2, 2})) == MESAOPT_OK);
    EXPECT(mesaopt_tensor_copy(ctx, mesaopt::view(same, {2, 3}), mesaopt::view(four, {2, 3})) < 0);
    EXPECT(mesaopt_tensor_copy(ctx, mesaopt::view(four, {4}), mesaopt::view(same, {4})) == MESAOPT_E_ARGUMENT);
    EXPECT(mesaopt_tensor_copy(ctx, mesaopt::view(same.data(), {2, 2}, {2}), mesaopt::view(four, {2, 2})) < 0);       // a stride for each

    const auto made = [] { return std::vector<double>{5, 6, 7, 8}; };      // a temporary: an input of one call
    EXPECT(mesaopt_tensor_copy(ctx, mesaopt::view(made(), {2, 2}), mesaopt::view(four, {2, 2})) == MESAOPT_OK && four[3] == 8);
    EXPECT(mesaopt_tensor_copy(ctx, mesaopt::view(made(), {2, 3}), mesaopt::view(four, {2, 3})) < 0);
    EXPECT(mesaopt_tensor_copy(ctx, mesaopt::view(four, {4}), mesaopt::view(made(), {4})) == MESAOPT_E_ARGUMENT);

    double t[6] = {};                                         // [2, 3], transposed
    const double s[6] = {1, 2, 3, 4, 5, 6};
    EXPECT(mesaopt_tensor_copy(ctx, mesaopt::view(s, {2, 3}, {3, 1}), mesaopt::view(t, {2, 3}, {1, 2})) == MESAOPT_OK);
    EXPECT(t[0] == 1 && t[1] == 4 && t[2] == 2 && t[5] == 6);

    mesaopt::handle<mesaopt_task> other(std::move(task));     // one owner
    EXPECT(!task && other);
    ctx.reset();                                              // any order
    mesaopt_ctx_create(nullptr, ctx.out());
    ctx = mesaopt::handle<mesaopt_ctx>();
    EXPECT(!ctx);
}

#ifdef MESAOPT_EXCEPTIONS
template <class F> static mesaopt_status thrown(const char *text, F f)
{
    try {
        f();
    } catch (const mesaopt::error &e) {
        if (!std::strstr(e.what(), text)) std::printf("\"%s\" is not in \"%s\"\n", text, e.what()), failures++;
        return e.status;
    }
    return MESAOPT_OK;
}

static void with_exceptions()
{
    mesaopt::context ctx({{"threads", "2"}});
    EXPECT(thrown("threads: 0, expected", [] { mesaopt::context bad({{"threads", "0"}}); }) == MESAOPT_E_SETTING);
    EXPECT(thrown("scope 99", [] { mesaopt::settings bad(99); }) == MESAOPT_E_ARGUMENT);

    mesaopt::settings of_task(MESAOPT_SCOPE_TASK, {{"dim", "5"}, {"tokens", "constructed"}}), of_model(MESAOPT_SCOPE_MODEL), of_trainer(MESAOPT_SCOPE_TRAINER);
    of_model.set("inputs", "20").set("outputs", "5");
    of_trainer.set("batch", "16");
    auto task = ctx.make<mesaopt_task>(mesaopt_task_create, ctx, of_task);
    auto model = ctx.make<mesaopt_model>(mesaopt_model_create, ctx, of_model);
    ctx(mesaopt_model_add_text(model, "linear(heads=1,key=8)"));
    EXPECT(mesaopt::text(mesaopt_model_text, model.get()).find("linear(heads=1,key=8") == 0);
    EXPECT(thrown("quadratic", [&] { ctx(mesaopt_model_add_text(model, "quadratic()")); }) == MESAOPT_E_FORMAT);
    auto trainer = ctx.make<mesaopt_trainer>(mesaopt_trainer_create, ctx, of_trainer, model, task);

    int64_t seen = 0;
    EXPECT(ctx.run(mesaopt_trainer_run, [&](const mesaopt_step &s) { return seen = s.step, false; }, trainer, 5) == MESAOPT_OK && seen == 5);
    EXPECT(ctx.run(mesaopt_trainer_run, [&](const mesaopt_step &s) { return s.step == 7; }, trainer, 9) == MESAOPT_STOPPED);
    try {
        ctx.run(mesaopt_trainer_run, [&](const mesaopt_step &) -> int { throw std::runtime_error("mine"); }, trainer, 9);
        EXPECT(false);
    } catch (const std::runtime_error &e) {
        EXPECT(!std::strcmp(e.what(), "mine"));
    }
    EXPECT(mesaopt_trainer_steps(trainer) == 8);

    mesaopt::settings of_pairs(MESAOPT_SCOPE_TASK, {{"task", "regression"}, {"dim", "5"}, {"length", "12"}, {"separator", "1"}, {"tokens", "slots"}, {"slots", "4"}});
    mesaopt::settings of_prompt(MESAOPT_SCOPE_PROMPT, {{"dim", "5"}, {"prefix", "0"}, {"batch", "4"}});
    auto pairs = ctx.make<mesaopt_task>(mesaopt_task_create, ctx, of_pairs);
    auto prompt = ctx.make<mesaopt_prompt>(mesaopt_prompt_create, ctx, of_prompt);
    ctx(mesaopt_task_set_prompt(pairs, prompt));
    EXPECT(ctx.run(mesaopt_prompt_train, [](const mesaopt_step &s) { return s.step == 2; }, prompt, model, pairs, 9) == MESAOPT_STOPPED);
    EXPECT(mesaopt_prompt_updates(prompt) == 2);

    mesaopt::view query;
    ctx(mesaopt_model_parameter(model, "blocks.0.query", query));
    EXPECT(query.shape[0] == 20 && query.shape[1] == 8);
    EXPECT(thrown("blocks.7.query", [&] { ctx(mesaopt_model_parameter(model, "blocks.7.query", query)); }) == MESAOPT_E_ARGUMENT);
    std::thread finaliser([&] { trainer.reset(); });          // from another thread
    finaliser.join();
}
#else
static void with_exceptions() {}
#endif

int main()
{
    with_statuses();
    with_exceptions();
    return failures != 0;
}
