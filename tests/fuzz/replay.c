/* Runs a fuzzer once over every file named on the command line: the committed corpus, or an input that `make fuzz` found. */
#include "fuzzing.h"
#include <stdio.h>
#include <stdlib.h>

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

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t size;
        uint8_t *data = read_file(argv[i], &size);
        LLVMFuzzerTestOneInput(data, size);
        free(data);
    }
    printf("%s: %d inputs\n", argv[0], argc - 1);
    return 0;
}
