/* What the fuzzers share: contexts and settings whose allocator refuses to grow without bound, so that an input which asks for a
 * huge model meets MESAOPT_E_MEMORY instead of the machine's limits, and a trap that reports a broken promise. */
#ifndef FUZZING_H
#define FUZZING_H

#include "mesaopt/mesaopt.h"
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_EXPECT(condition) ((condition) ? (void)0 : fuzz_broken(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_broken(const char *what, const char *file, int line);

extern uint64_t fuzz_calls_made, fuzz_seed;                      /* by fuzz_calls; of the random input that runs */
extern int fuzz_finaliser;                                       /* fuzz_calls: handles are freed by a second thread */

mesaopt_ctx *fuzz_ctx(void);                                     /* fresh, one thread */
mesaopt_settings *fuzz_settings(int32_t scope);

void fuzz_tally(void) __attribute__((weak));   /* fuzz_calls: prints how often each function was called, and how often it did its work */

/* The input as text: a copy that ends in NUL, to be freed with free(). */
char *fuzz_text(const uint8_t *data, size_t size);

/* A failed call must leave one line of text that is not empty. */
void fuzz_check_error(const mesaopt_ctx *ctx, mesaopt_status status);

#endif
