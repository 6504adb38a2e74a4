/* mesaopt_model_add_text on any text: refused with a reason and without a trace, or a model whose own text makes it again. */
#include "fuzzing.h"
#include "kind_texts.h"
#include "seeds.h"
#include <stdlib.h>
#include <string.h>

static mesaopt_model *new_model(mesaopt_ctx *ctx)
{
    mesaopt_model *model = NULL;
    mesaopt_settings *s = fuzz_settings(MESAOPT_SCOPE_MODEL);
    FUZZ_EXPECT(mesaopt_settings_set_int(s, MESAOPT_KEY_INPUTS, 8) == MESAOPT_OK);
    FUZZ_EXPECT(mesaopt_settings_set_int(s, MESAOPT_KEY_OUTPUTS, 2) == MESAOPT_OK);
    FUZZ_EXPECT(mesaopt_model_create(ctx, s, &model) == MESAOPT_OK);
    mesaopt_settings_free(s);
    return model;
}

static char *model_text(const mesaopt_model *model)
{
    int64_t needed = mesaopt_model_text(model, NULL, 0);
    FUZZ_EXPECT(needed > 0);
    char *text = malloc((size_t)needed);
    FUZZ_EXPECT(text && mesaopt_model_text(model, text, needed) == needed && (int64_t)strlen(text) == needed - 1);
    return text;
}

/* Every kind of block with every setting at other values, then one model of all kinds. */
int64_t fuzz_made_seed(int i, uint8_t *data, size_t cap)
{
    const block_kind *kind;
    char *text = (char *)data;
    for (int k = 0; (kind = block_kind_at(k)); k++)
        for (int variant = 0; kind_text(kind, variant, text, cap); variant++)
            if (i-- == 0) return (int64_t)strlen(text);
    size_t used = 0;
    for (int k = 0; (kind = block_kind_at(k)); k++) {
        used += (size_t)snprintf(text + used, cap - used, "%s2 x ", k ? "; " : "");
        FUZZ_EXPECT(kind_text(kind, 0, text + used, cap - used));
        used += strlen(text + used);
    }
    return i == 0 ? (int64_t)used : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    mesaopt_ctx *ctx = fuzz_ctx();
    mesaopt_model *model = new_model(ctx), *copy = new_model(ctx);
    mesaopt_status status = mesaopt_model_add_text(model, text);
    if (status < 0) {
        fuzz_check_error(ctx, status);
        FUZZ_EXPECT(mesaopt_model_blocks(model) == 0 && mesaopt_model_parameters(model) == 0);
    } else {
        char *own = model_text(model);
        status = mesaopt_model_add_text(copy, own);
        FUZZ_EXPECT(status == MESAOPT_OK || status == MESAOPT_E_MEMORY);
        if (status == MESAOPT_OK) {
            char *again = model_text(copy);
            FUZZ_EXPECT(strcmp(own, again) == 0);
            free(again);
        }
        free(own);
    }
    mesaopt_model_free(copy);
    mesaopt_model_free(model);
    mesaopt_ctx_free(ctx);
    free(text);
    return 0;
}
