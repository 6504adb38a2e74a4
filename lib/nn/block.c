/* The table of kinds of blocks, from base/kinds.def. */
#include "nn/block.h"
#include <stdio.h>

#define KIND(number, name, ...) extern const block_kind name##_block;
#include "base/kinds.def"
static const block_kind *const kinds[] = {
#define KIND(number, name, ...) &name##_block,
#include "base/kinds.def"
};
enum { KINDS = sizeof kinds / sizeof *kinds };

const block_kind *block_kind_at(int i) { return i >= 0 && i < KINDS ? kinds[i] : NULL; }

const block_kind *block_kind_of(int32_t scope)
{
    for (int i = 0; i < KINDS; i++)
        if (kinds[i]->scope == scope) return kinds[i];
    return NULL;
}

block_names block_kind_names(void)
{
    block_names list = {""};
    for (int i = 0, used = 0; i < KINDS; i++)
        used += snprintf(list.text + used, sizeof list.text - (size_t)used, "%s%s",
                         i == 0 ? "" : i < KINDS - 1 ? ", " : " or ",
                         options_scope_name(kinds[i]->scope));
    return list;
}
