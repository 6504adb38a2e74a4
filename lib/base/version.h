/* The library's version as text, "0.1.0". */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#include "mesaopt/status.h"

#define VERSION_PART_OF(x) #x
#define VERSION_PART(x) VERSION_PART_OF(x)
#define VERSION_TEXT \
    VERSION_PART(MESAOPT_VERSION_MAJOR) \
    "." VERSION_PART(MESAOPT_VERSION_MINOR) "." VERSION_PART(MESAOPT_VERSION_PATCH)

#endif
