/* The one-line text form of a model:
 *     blocks := block { ";" block }
 *     block := [ count "x" ] kind [ "(" [ name "=" value { "," name "=" value } ] ")" ]
 * for example "mask(first=20); 6 x linear(heads=4,key=20)". Blanks are free between the parts. */
#include "base/number.h"
#include "train/model_impl.h"
#include <stdio.h>
#include <string.h>

enum { MAX_WORD = 32, MAX_BLOCKS = MODEL_MOST_BLOCKS };

typedef struct reader {
    mesaopt_ctx *ctx;
    const char *text, *at;
} reader;

static mesaopt_status syntax(const reader *r, const char *expected)
{
    return fail(r->ctx, MESAOPT_E_FORMAT, "blocks: at character %lld (\"%.16s\"), expected %s",
                (long long)(r->at - r->text) + 1, r->at, expected);
}

static void skip_blanks(reader *r) { r->at += strspn(r->at, " \t\n"); }

static int accept(reader *r, char c)
{
    skip_blanks(r);
    if (*r->at != c) return 0;
    r->at++;
    return 1;
}

/* The longest run of characters outside `ends`, at most MAX_WORD - 1 of them, into word; 0 when
 * empty or too long. */
static int read_word(reader *r, const char *ends, char *word)
{
    skip_blanks(r);
    const size_t n = strcspn(r->at, ends);
    if (n == 0 || n >= MAX_WORD) return 0;
    memcpy(word, r->at, n);
    word[n] = 0;
    r->at += n;
    return 1;
}

static mesaopt_status no_kind(const reader *r)
{
    char expected[sizeof(block_names) + 32];
    snprintf(expected, sizeof expected, "a kind of block: %s", block_kind_names().text);
    return syntax(r, expected);
}

static mesaopt_status read_settings(reader *r, mesaopt_settings *s)
{
    char name[MAX_WORD], value[MAX_WORD];
    const option_row *row;
    if (!accept(r, '(') || accept(r, ')')) return MESAOPT_OK;
    do {
        if (!read_word(r, " \t\n=(),;", name)) return syntax(r, "the name of a setting");
        if (!accept(r, '=')) return syntax(r, "'='");
        if (!read_word(r, " \t\n=(),;", value)) return syntax(r, "a value");
        if (settings_find_name(s, name, &row) != MESAOPT_OK ||
            settings_read(s, row, value) != MESAOPT_OK)
            return fail(r->ctx, MESAOPT_E_SETTING, "blocks: before character %lld: %s",
                        (long long)(r->at - r->text) + 1, s->text);
    } while (accept(r, ','));
    return accept(r, ')') ? MESAOPT_OK : syntax(r, "',' or ')'");
}

/* [count x] kind [settings] */
static mesaopt_status read_block(reader *r, int64_t *count, mesaopt_settings *s)
{
    char word[MAX_WORD];
    *count = 1;
    skip_blanks(r);
    if (*r->at >= '0' && *r->at <= '9') {
        const char *start = r->at;
        if (!read_word(r, " \t\nx(;", word) || !number_read_int(word, count) || *count < 1 ||
            *count > MAX_BLOCKS) {
            r->at = start;
            return syntax(r, "a count from 1 to 4096");
        }
        if (!accept(r, 'x')) return syntax(r, "'x' after the count");
    }
    const char *start = (skip_blanks(r), r->at);
    if (!read_word(r, " \t\n(;", word) || !block_kind_of(options_scope(word))) {
        r->at = start;
        return no_kind(r);
    }
    options_init(s, options_scope(word));
    const mesaopt_status status = read_settings(r, s);
    skip_blanks(r);
    return status == MESAOPT_OK && *r->at && *r->at != ';' ? syntax(r, "';' or the end") : status;
}

mesaopt_status model_add_text(mesaopt_model *m, const char *text)
{
    const allocator *a = &m->head.ctx->alloc;
    reader r = {m->head.ctx, text, text};
    int64_t groups = 1, group = 0, total = 0;
    for (const char *p = text; (p = strchr(p, ';')); p++) groups++;
    if (groups > MAX_BLOCKS)
        return fail(r.ctx, MESAOPT_E_FORMAT, "blocks: %lld blocks, expected at most %d",
                    (long long)groups, MAX_BLOCKS);
    mesaopt_settings *settings = alloc_new(a, groups, sizeof *settings);
    const mesaopt_settings **list = alloc_new(a, MAX_BLOCKS, sizeof *list);
    mesaopt_status status =
        settings && list
            ? MESAOPT_OK
            : fail(r.ctx, MESAOPT_E_MEMORY, "blocks: no memory for %lld blocks", (long long)groups);
    while (status == MESAOPT_OK) {
        int64_t count;
        status = read_block(&r, &count, &settings[group]);
        if (status != MESAOPT_OK) break;
        if (total + count > MAX_BLOCKS) {
            status = syntax(&r, "at most 4096 blocks in all");
            break;
        }
        for (int64_t i = 0; i < count; i++) list[total++] = &settings[group];
        group++;
        if (!accept(&r, ';')) break;
    }
    if (status == MESAOPT_OK) status = model_add(m, list, total);
    alloc_free(a, settings);
    alloc_free(a, list);
    return status;
}

typedef struct writer { char *buf; int64_t cap, used; } writer;

static void put(writer *w, const char *text)
{
    for (; *text; text++, w->used++)
        if (w->used + 1 < w->cap) w->buf[w->used] = *text;
}

static int same_block(const block *a, const block *b)
{
    if (a->kind != b->kind) return 0;
    const option_row *row;
    for (int32_t i = 0; (row = options_at(a->kind->scope, i)); i++)
        if (a->settings.value[row->key] != b->settings.value[row->key]) return 0;
    return 1;
}

static void put_block(writer *w, const block *b)
{
    const int32_t scope = b->kind->scope;
    const char *before = "(";
    const option_row *row;
    put(w, options_scope_name(scope));
    for (int32_t i = 0; (row = options_at(scope, i)); i++) {
        char value[64];
        if (b->settings.value[row->key] == row->standard) continue;
        settings_value_text(&b->settings, row, value, sizeof value);
        put(w, before), put(w, row->name), put(w, "="), put(w, value);
        before = ",";
    }
    if (*before == ',') put(w, ")");
}

int64_t model_text(const mesaopt_model *m, char *buf, int64_t cap)
{
    writer w = {buf, cap, 0};
    for (int64_t i = 0, n; i < m->n_blocks; i += n) {
        for (n = 1; i + n < m->n_blocks && same_block(&m->blocks[i], &m->blocks[i + n]);) n++;
        if (i) put(&w, "; ");
        if (n > 1) put(&w, number_text((double)n).text), put(&w, " x ");
        put_block(&w, &m->blocks[i]);
    }
    if (cap > 0) buf[w.used < cap ? w.used : cap - 1] = 0;
    return w.used + 1;
}
