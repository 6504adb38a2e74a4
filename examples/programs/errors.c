/* errors.c: failures end the program; see errors.h. */
#include "errors.h"
#include "stopping.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *program = "";
static int failed;                     /* why the program ends has been said */
int unfinished_line;

static void say_list(const char *kind, const char *format, va_list list)
{
    if (unfinished_line) fputc('\n', stderr);
    unfinished_line = 0;
    fprintf(stderr, "%s: %s", program, kind);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
}

void give_up(int status)
{
    failed = 1;
    exit(status);
}

int failing(void) { return failed; }

void die(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say_list("", format, list);
    va_end(list);
    give_up(1);
}

void note(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say_list("note: ", format, list);
    va_end(list);
}

void say(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say_list("", format, list);
    va_end(list);
}

void say_failure(mesaopt_ctx *ctx, mesaopt_status status, const char *call)
{
    char text[1024] = "";
    mesaopt_ctx_error(ctx, text, sizeof text);
    say("%.*s: %s: %s", (int)strcspn(call, "("), call, mesaopt_status_name(status), text);
}

void give_up_on(mesaopt_status status) { give_up(status == MESAOPT_E_SETTING ? 2 : 1); }

mesaopt_status must(mesaopt_ctx *ctx, mesaopt_status status, const char *call)
{
    if (status >= 0) return status;
    if (status == MESAOPT_E_INTERRUPTED) stop();
    say_failure(ctx, status, call);
    give_up_on(status);
}

void *must_alloc(void *old, size_t bytes)
{
    void *p = realloc(old, bytes ? bytes : 1);
    if (!p) die("no memory for %zu bytes", bytes);
    return p;
}

double *zeros(int64_t n)
{
    double *const x = must_alloc(NULL, (size_t)n * sizeof(double));
    for (int64_t i = 0; i < n; i++) x[i] = 0;
    return x;
}

/* At every end: what was printed has to be where it belongs. */
static void check_output(void)
{
    if ((fflush(stdout) == 0 && !ferror(stdout)) || failed) return;
    say("cannot write to standard output: %s", strerror(errno));
    _exit(1);
}

void errors_begin(const char *name)
{
    program = name;
    atexit(check_output);
}

void file_text(mesaopt_ctx *ctx, const char *path, const char *key, char *text, int64_t cap)
{
    *text = 0;
    const int64_t size = mesaopt_file_note(ctx, path, key, text, cap);
    if (size < 0) must(ctx, (mesaopt_status)size, "mesaopt_file_note");
}
