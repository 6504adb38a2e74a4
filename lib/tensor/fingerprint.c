/* See fingerprint.h. */
#include "tensor/fingerprint.h"
#include <string.h>

uint64_t view_fingerprint(uint64_t h, const mesaopt_view *v)
{
    int64_t index[MESAOPT_MAX_RANK] = {0};
    h += 0x9e3779b97f4a7c15u;
    for (int64_t i = 0, count = view_count(v); i < count; i++, view_next(v, index)) {
        const double x = view_get(v, index);
        uint64_t bits;
        memcpy(&bits, &x, sizeof bits);
        h = (h ^ bits) * 0xff51afd7ed558ccdu;          /* the multiplier of MurmurHash3's last
                                                          steps */
        h ^= h >> 32;
    }
    return h;
}
