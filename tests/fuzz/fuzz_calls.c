/* Random calls of every function of the API (calls.h): the bytes say which, with which arguments. */
#include "calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world_begin(data, size);
    while (world_goes_on()) random_row();
    world_end();
    return 0;
}
