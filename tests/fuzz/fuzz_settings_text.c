/* mesaopt_settings_set_text: the first byte picks the scope, the rest is lines "name=value". A refused value changes nothing, and
 * the dump of what was accepted sets an equal object. */
#include "fuzzing.h"
#include "base/options.h"
#include "seeds.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *dump(const mesaopt_settings *s)
{
    int64_t needed = mesaopt_settings_dump(s, NULL, 0);
    FUZZ_EXPECT(needed > 0);
    char *text = malloc((size_t)needed);
    FUZZ_EXPECT(text && mesaopt_settings_dump(s, text, needed) == needed && (int64_t)strlen(text) == needed - 1);
    return text;
}

/* Sets "name=value", which it cuts in two. */
static mesaopt_status set(mesaopt_settings *s, char *pair)
{
    char *value = strchr(pair, '=');
    if (!value) return mesaopt_settings_set_text(s, pair, "");
    *value = 0;
    return mesaopt_settings_set_text(s, pair, value + 1);
}

static void set_and_check(mesaopt_settings *s, char *line)
{
    char error[1024], *before = dump(s);
    mesaopt_status status = set(s, line);
    FUZZ_EXPECT(status == MESAOPT_OK || status == MESAOPT_E_SETTING || status == MESAOPT_E_ARGUMENT);
    if (status < 0) {
        char *after = dump(s);
        FUZZ_EXPECT(strcmp(before, after) == 0);
        FUZZ_EXPECT(mesaopt_settings_error(s, error, sizeof error) > 1 && strchr(error, '\n') == NULL);
        free(after);
    }
    free(before);
}

/* Of every scope: each key of the library at a value of its own, most of them refused there; then each key of the scope at its bounds and words. */
int64_t fuzz_made_seed(int i, uint8_t *data, size_t cap)
{
    const int32_t scopes = options_scope_count(), scope = 1 + i / 2;
    if (scope > scopes) return -1;
    size_t used = 1;
    data[0] = (uint8_t)(scope - 1);
    for (int32_t s = i % 2 ? scope : 1; s <= (i % 2 ? scope : scopes); s++) {
        const option_row *row;
        for (int k = 0; (row = options_at(s, k)); k++) {
            char *text = (char *)data + used;
            if (row->words) used += (size_t)snprintf(text, cap - used, "%s=%s\n", row->name, row->words[i % 2 ? 0 : (int)row->highest]);
            else used += (size_t)snprintf(text, cap - used, "%s=%.17g\n%s=%.17g\n", row->name, row->lowest, row->name, i % 2 ? row->highest : row->lowest + 1);
            FUZZ_EXPECT(used < cap);
        }
    }
    return (int64_t)used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    char *text = fuzz_text(data + 1, size - 1), *place = NULL;
    int32_t scope = 1 + data[0] % options_scope_count();
    mesaopt_settings *s = fuzz_settings(scope), *copy = fuzz_settings(scope);
    for (char *line = strtok_r(text, "\n", &place); line; line = strtok_r(NULL, "\n", &place)) set_and_check(s, line);
    char *all = dump(s), *work = dump(s);
    for (char *pair = strtok_r(work, " ", &place); pair; pair = strtok_r(NULL, " ", &place)) FUZZ_EXPECT(set(copy, pair) == MESAOPT_OK);
    char *again = dump(copy);
    FUZZ_EXPECT(strcmp(all, again) == 0);
    free(again);
    free(work);
    free(all);
    mesaopt_settings_free(copy);
    mesaopt_settings_free(s);
    free(text);
    return 0;
}
