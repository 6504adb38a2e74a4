/* What the fuzzers share; see fuzzing.h. */
#include "fuzzing.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 64 << 20 };             /* bytes in use at once */
static atomic_llong in_use;

uint64_t fuzz_calls_made, fuzz_seed;
int fuzz_finaliser;

void fuzz_broken(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: broken: %s (seed=%llu inputs=1)\n", file, line, what, (unsigned long long)fuzz_seed);
    abort();
}

static void *limited(void *ptr, int64_t old_size, int64_t new_size, void *user)
{
    (void)user;
    if (!ptr) old_size = 0;
    if (new_size == 0) {
        in_use -= old_size;
        free(ptr);
        return NULL;
    }
    if (new_size - old_size + in_use > LIMIT) return NULL;
    void *out = realloc(ptr, (size_t)new_size);
    if (out) in_use += new_size - old_size;
    return out;
}

mesaopt_settings *fuzz_settings(int32_t scope)
{
    mesaopt_settings *s = NULL;
    FUZZ_EXPECT(mesaopt_settings_create(scope, limited, NULL, &s) == MESAOPT_OK);
    return s;
}

mesaopt_ctx *fuzz_ctx(void)
{
    mesaopt_ctx *ctx = NULL;
    mesaopt_settings *s = fuzz_settings(MESAOPT_SCOPE_CTX);
    FUZZ_EXPECT(mesaopt_settings_set_int(s, MESAOPT_KEY_THREADS, 1) == MESAOPT_OK);
    FUZZ_EXPECT(mesaopt_ctx_create(s, &ctx) == MESAOPT_OK);
    mesaopt_settings_free(s);
    return ctx;
}

char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    FUZZ_EXPECT(text != NULL);
    if (size) memcpy(text, data, size);
    text[size] = 0;
    return text;
}

void fuzz_check_error(const mesaopt_ctx *ctx, mesaopt_status status)
{
    char text[1024];
    if (status >= 0) return;
    FUZZ_EXPECT(strcmp(mesaopt_status_name(status), "MESAOPT_UNKNOWN") != 0);
    int64_t needed = mesaopt_ctx_error(ctx, text, sizeof text);
    FUZZ_EXPECT(needed > 1 && needed <= (int64_t)sizeof text && (int64_t)strlen(text) == needed - 1);
    FUZZ_EXPECT(strchr(text, '\n') == NULL);
}
