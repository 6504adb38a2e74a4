/* Seeds that a fuzzer makes from the tables of the library, so that a new row there is among its inputs: replay.c runs them before the files of
 * the corpus, and `make fuzz` starts from them as well. */
#ifndef FUZZ_SEEDS_H
#define FUZZ_SEEDS_H

#include <stddef.h>
#include <stdint.h>

/* The i-th seed into `data` of `cap` bytes; its size, or -1 past the last. Defined by fuzzers that have some. */
int64_t fuzz_made_seed(int i, uint8_t *data, size_t cap) __attribute__((weak));

#endif
