/* mesaopt/status.h: names of status codes, version, build, and the constants by name (a list made
 * from the public headers). */
#include "base/version.h"
#include "mesaopt/mesaopt.h"
#include <string.h>

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif
#ifndef MESAOPT_BLIS_VERSION
#define MESAOPT_BLIS_VERSION "of unknown version"
#endif
#if defined(__x86_64__)
#define ISA_LEVELS "baseline avx2 avx512"
#else
#define ISA_LEVELS "baseline"
#endif

static const struct { const char *name; int64_t value; } constants[] = {
#define CONSTANT(name, comment, group, since) {#name, name},
#include "constants.inc"
#undef CONSTANT
};

const char *mesaopt_status_name(mesaopt_status status)
{
    switch (status) {
#define NAME_OF(code) case code: return #code;
    NAME_OF(MESAOPT_OK)
    NAME_OF(MESAOPT_STOPPED)
    NAME_OF(MESAOPT_NOT_CONVERGED)
    NAME_OF(MESAOPT_OTHER_ISA)
    NAME_OF(MESAOPT_AT_BOUND)
    NAME_OF(MESAOPT_E_ARGUMENT)
    NAME_OF(MESAOPT_E_SHAPE)
    NAME_OF(MESAOPT_E_DTYPE)
    NAME_OF(MESAOPT_E_OVERLAP)
    NAME_OF(MESAOPT_E_SETTING)
    NAME_OF(MESAOPT_E_MEMORY)
    NAME_OF(MESAOPT_E_BUSY)
    NAME_OF(MESAOPT_E_STATE)
    NAME_OF(MESAOPT_E_NONFINITE)
    NAME_OF(MESAOPT_E_IO)
    NAME_OF(MESAOPT_E_FORMAT)
    NAME_OF(MESAOPT_E_INTERRUPTED)
    NAME_OF(MESAOPT_E_UNSUPPORTED)
    NAME_OF(MESAOPT_E_SOURCE)
    default: return "MESAOPT_UNKNOWN";
    }
}

int32_t mesaopt_version_number(void)
{
    return MESAOPT_VERSION;
}

const char *mesaopt_version_text(void)
{
    return VERSION_TEXT;
}

const char *mesaopt_build_info(void)
{
    return "libmesaopt " VERSION_TEXT "; " COMPILER "; BLIS " MESAOPT_BLIS_VERSION
           "; ISA levels " ISA_LEVELS;
}

mesaopt_status mesaopt_constant(const char *name, int64_t *out)
{
    if (!name || !out) return MESAOPT_E_ARGUMENT;
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (!strcmp(constants[i].name, name)) {
            *out = constants[i].value;
            return MESAOPT_OK;
        }
    return MESAOPT_E_ARGUMENT;
}
