/* See metadata.h. */
#include "train/metadata.h"
#include <inttypes.h>
#include <string.h>

mesaopt_status metadata_text(const tensor_file *f, const char *key, const char **out)
{
    *out = tensor_file_metadata(f, key);
    return *out ? MESAOPT_OK
                : tensor_file_fail(f, NULL, "no metadata %s, expected a checkpoint of this library",
                                   key);
}

mesaopt_status metadata_integer(const tensor_file *f, const char *key, int64_t lowest,
                                int64_t *out)
{
    const char *text;
    mesaopt_status status = metadata_text(f, key, &text);
    if (status != MESAOPT_OK) return status;
    if (number_read_int(text, out) && *out >= lowest) return MESAOPT_OK;
    return tensor_file_fail(f, NULL, "metadata %s: \"%.40s\", expected an integer >= %" PRId64, key,
                            text, lowest);
}

mesaopt_status metadata_settings(const tensor_file *f, const char *key, int32_t scope,
                                 mesaopt_settings *out)
{
    const char *text;
    mesaopt_status status = metadata_text(f, key, &text);
    if (status != MESAOPT_OK) return status;
    options_init(out, scope);
    while (*text) {
        char word[2][64];
        for (int i = 0; i < 2; i++) {                  /* up to '=', then up to ' ' or the end */
            const size_t n = strcspn(text, i ? " " : "= ");
            if (n == 0 || n >= sizeof word[i] || (i == 0 && text[n] != '='))
                return tensor_file_fail(f, NULL, "metadata %s: expected name=value at \"%.40s\"",
                                        key, text);
            memcpy(word[i], text, n);
            word[i][n] = 0;
            text += n + (text[n] != 0);
        }
        const option_row *row;
        if (settings_find_name(out, word[0], &row) != MESAOPT_OK ||
            settings_read(out, row, word[1]) != MESAOPT_OK)
            return tensor_file_fail(f, NULL, "metadata %s: %.150s", key, out->text);
    }
    return MESAOPT_OK;
}

mesaopt_status metadata_format(const tensor_file *f)
{
    int64_t format;
    mesaopt_status status = metadata_integer(f, "mesaopt.format", 1, &format);
    if (status != MESAOPT_OK || format <= METADATA_FORMAT) return status;
    return tensor_file_fail(f, NULL,
                            "metadata mesaopt.format: %" PRId64
                            ", expected at most %d; a newer version of the library wrote it",
                            format, METADATA_FORMAT);
}
