/* unload LIBRARY: a shared library that is closed while a context lives, with threads that sleep
 * in its code. Exit status 0 when all goes on. */
#include <dlfcn.h>
#include <mesaopt/mesaopt.h>
#include <stdio.h>
#include <unistd.h>

#define LOAD(name) __typeof__(&mesaopt_##name) name = (__typeof__(&mesaopt_##name))dlsym(so, "mesaopt_" #name)

int main(int argc, char **argv)
{
    void *so = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (!so) return fprintf(stderr, "%s\n", dlerror()), 2;
    LOAD(settings_create);
    LOAD(settings_set_text);
    LOAD(ctx_create);
    LOAD(task_create);
    LOAD(baseline_create);
    LOAD(baseline_evaluate);
    mesaopt_settings *s = NULL;
    mesaopt_ctx *ctx = NULL;
    mesaopt_task *task = NULL;
    mesaopt_baseline *b = NULL;
    double loss = 0, again = 1;
    if (settings_create(MESAOPT_SCOPE_CTX, NULL, NULL, &s) || settings_set_text(s, "threads", "3")) return 3;
    if (ctx_create(s, &ctx) || task_create(ctx, NULL, &task) || baseline_create(ctx, NULL, &b)) return 3;
    if (baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, 200, NULL, &loss)) return 4;
    dlclose(so);
    usleep(20000);
    if (baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, 200, NULL, &again)) return 5;
    return loss == again ? 0 : 6;
}
