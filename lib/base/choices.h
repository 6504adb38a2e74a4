/* Indices of the words of settings that are choices: enums of the rows in choices.def and
 * kinds.def. */
#ifndef BASE_CHOICES_H
#define BASE_CHOICES_H

#define WORD(enumerator, word) enumerator,
#define CHOICES(name, type, words) enum type { words };
#include "base/choices.def"
#define CHOICES(name, type, words) enum type { words };
#include "base/kinds.def"
#undef WORD

#endif
