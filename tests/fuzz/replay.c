/* Runs a fuzzer once over every file named on the command line: the committed corpus, or an input that `make fuzz` found; or over random bytes:
 *
 *     replay_calls seed=1 calls=1000000      inputs from seed, seed + 1, .. until so many calls of the API were made (calls)
 *     replay_calls seed=1 calls=1000000 finaliser=1      handles are freed by a second thread
 *     replay_calls seed=1 calls=1000000 tally=1          how often each function was called, and did its work
 *     replay_model_text seed=1 inputs=1000   so many inputs
 *     replay_model_text made=DIR             the inputs that the fuzzer makes from the library's tables (seeds.h), written into a folder
 *
 * Every input is a function of its own seed, so that the one that broke something can be run alone: seed=N inputs=1. */
#include "fuzzing.h"
#include "seeds.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A block of exactly the file's size, so that a sanitizer sees a read past its end. */
static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    FUZZ_EXPECT(file && fseek(file, 0, SEEK_END) == 0 && ftell(file) >= 0);
    *size = (size_t)ftell(file);
    uint8_t *data = malloc(*size ? *size : 1);
    rewind(file);
    FUZZ_EXPECT(data && fread(data, 1, *size, file) == *size);
    fclose(file);
    return data;
}

enum { LENGTH = 4096 };

static void random_bytes(uint64_t seed, uint8_t *data)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < LENGTH; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        data[i] = (uint8_t)(x >> 24);
    }
}

static void run_random(const char *program, uint64_t seed, uint64_t inputs, uint64_t calls)
{
    uint8_t data[LENGTH];
    uint64_t n = 0;
    for (time_t shown = time(NULL); n < inputs && (calls == 0 || fuzz_calls_made < calls); n++) {
        fuzz_seed = seed + n;
        random_bytes(fuzz_seed, data);
        LLVMFuzzerTestOneInput(data, sizeof data);
        if (time(NULL) - shown < 60) continue;
        shown = time(NULL);
        fprintf(stderr, "%s: seed %" PRIu64 ", %" PRIu64 " calls\n", program, seed + n, fuzz_calls_made);
    }
    printf("%s: %" PRIu64 " random inputs from seed %" PRIu64 ", %" PRIu64 " calls\n", program, n, seed, fuzz_calls_made);
}

/* Runs the inputs that the fuzzer makes, or writes them into a folder; how many. */
static uint64_t run_made(const char *folder)
{
    enum { ROOM = 1 << 14 };
    uint8_t *data = malloc(ROOM);
    FUZZ_EXPECT(data != NULL);
    int made = 0;
    for (int64_t size; fuzz_made_seed && (size = fuzz_made_seed(made, data, ROOM)) >= 0; made++) {
        char path[512];
        if (!folder) {
            LLVMFuzzerTestOneInput(data, (size_t)size);
            continue;
        }
        snprintf(path, sizeof path, "%s/made_%d", folder, made);
        FILE *file = fopen(path, "wb");
        FUZZ_EXPECT(file && fwrite(data, 1, (size_t)size, file) == (size_t)size && fclose(file) == 0);
    }
    free(data);
    return (uint64_t)made;
}

int main(int argc, char **argv)
{
    uint64_t seed = 0, inputs = 0, calls = 0, files = 0;
    int tally = 0;
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "made=", 5)) return run_made(argv[i] + 5), 0;
        if (sscanf(argv[i], "seed=%" SCNu64, &seed) == 1 || sscanf(argv[i], "inputs=%" SCNu64, &inputs) == 1 || sscanf(argv[i], "calls=%" SCNu64, &calls) == 1 ||
            sscanf(argv[i], "finaliser=%d", &fuzz_finaliser) == 1 || sscanf(argv[i], "tally=%d", &tally) == 1) continue;
        size_t size;
        uint8_t *data = read_file(argv[i], &size);
        LLVMFuzzerTestOneInput(data, size);
        free(data);
        files++;
    }
    if (inputs || calls) run_random(argv[0], seed, inputs ? inputs : UINT64_MAX, calls);
    else printf("%s: %" PRIu64 " inputs\n", argv[0], files + run_made(NULL));
    if (tally && fuzz_tally) fuzz_tally();
    return 0;
}
