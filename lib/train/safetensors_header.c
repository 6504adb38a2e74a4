/* The JSON header of a safetensors file, taken apart without trust.
 *
 * A first pass over the bytes checks what the tokeniser does not: UTF-8, control characters, and
 * the depth of nesting (which bounds the tokeniser's work, as it walks up the open brackets at
 * every closing one). Tokens are then read by position, without recursion. Strings are decoded in
 * place: an escape is never shorter than what it stands for, and the closing quote makes room for
 * the final NUL. */
#include "base/utf8.h"
#include "train/safetensors.h"

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>
#include <inttypes.h>
#include <string.h>

typedef struct header {
    tensor_file *f;
    jsmntok_t *tok;
    int n;
} header;

static mesaopt_status check_bytes(const tensor_file *f)
{
    const unsigned char *p = (const unsigned char *)f->header;
    int64_t length = f->data_start - 8, depth = 0;
    int in_string = 0;
    if (p[0] != '{') return tensor_file_fail(f, NULL, "header does not start with '{'");
    for (int64_t i = 0, step; i < length; i += step) {
        step = utf8_length(p + i, length - i);
        if (step == 0) return tensor_file_fail(f, NULL, "header is not UTF-8 at byte %" PRId64, i);
        if (p[i] < 0x20 && (in_string || (p[i] != '\t' && p[i] != '\n' && p[i] != '\r')))
            return tensor_file_fail(f, NULL, "control character %d in the header at byte %" PRId64,
                                    p[i], i);
        if (in_string) {
            if (p[i] == '\\' && i + 1 < length && p[i + 1] < 0x80) step = 2;
            else if (p[i] == '"') in_string = 0;
        } else if (p[i] == '"') {
            in_string = 1;
        } else if (p[i] == '{' || p[i] == '[') {
            if (++depth > TENSOR_FILE_MAX_DEPTH)
                return tensor_file_fail(f, NULL, "header nests deeper than %d at byte %" PRId64,
                                        TENSOR_FILE_MAX_DEPTH, i);
        } else if (p[i] == '}' || p[i] == ']') {
            depth--;
        }
    }
    return MESAOPT_OK;
}

static int hex4(const char *p)
{
    int v = 0;
    for (int i = 0; i < 4; i++) v = v * 16 + (p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    return v;
}

static char *utf8_put(char *out, uint32_t c)
{
    if (c < 0x80) { *out++ = (char)c; return out; }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    *out++ = (char)((more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0) | c >> 6 * more);
    while (more-- > 0) *out++ = (char)(0x80 | (c >> 6 * more & 0x3f));
    return out;
}

/* Code of the \uXXXX (one, or a pair of surrogates) whose 'u' is at p; 0 for a lone surrogate and
 * for \u0000, which no C string holds. */
static uint32_t unicode_escape(const char *p, const char *end, int *used)
{
    uint32_t c = end - p < 5 ? 0 : (uint32_t)hex4(p + 1);
    *used = 5;
    if (c < 0xd800 || c > 0xdfff) return c;
    if (c > 0xdbff || end - p < 11 || p[5] != '\\' || p[6] != 'u') return 0;
    uint32_t low = (uint32_t)hex4(p + 7);
    *used = 11;
    return low < 0xdc00 || low > 0xdfff ? 0 : 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
}

/* Decodes string token i in place; NULL when it cannot be a C string. Escapes were checked by the
 * tokeniser. */
static const char *decode(header *h, int i)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char *start = h->f->header + h->tok[i].start, *out = start;
    const char *end = h->f->header + h->tok[i].end;
    for (const char *p = start; p < end;) {
        if (*p != '\\') { *out++ = *p++; continue; }
        if (++p == end) return NULL;
        if (*p == 'u') {
            int used;
            uint32_t c = unicode_escape(p, end, &used);
            if (c == 0) return NULL;
            out = utf8_put(out, c);
            p += used;
        } else {
            const char *at = strchr(from, *p++);
            if (!at) return NULL;
            *out++ = to[at - from];
        }
    }
    *out = 0;
    return start;
}

/* The token after i and everything inside it. */
static int after(const header *h, int i)
{
    int next = i + 1;
    while (next < h->n && h->tok[next].start < h->tok[i].end) next++;
    return next;
}

static int token_is(const header *h, int i, const char *word)
{
    int64_t length = h->tok[i].end - h->tok[i].start;
    return h->tok[i].type == JSMN_STRING && length == (int64_t)strlen(word) &&
           memcmp(h->f->header + h->tok[i].start, word, (size_t)length) == 0;
}

/* A non-negative integer: digits only. */
static int token_count(const header *h, int i, int64_t *out)
{
    const char *p = h->f->header + h->tok[i].start, *end = h->f->header + h->tok[i].end;
    int64_t v = 0;
    if (h->tok[i].type != JSMN_PRIMITIVE || p == end) return 0;
    for (; p < end; p++)
        if (*p < '0' || *p > '9' || !size_mul(v, 10, &v) || !size_add(v, *p - '0', &v)) return 0;
    *out = v;
    return 1;
}

/* Number of bytes of an element by the format's name of its type (0: unknown), and our code (0: not
 * read). */
static int64_t type_size(const header *h, int i, int32_t *dtype)
{
    static const struct { char name[10]; int8_t size, dtype;
    } types[] = {{"F64", 8, MESAOPT_F64},
                 {"F32", 4, MESAOPT_F32},
                 {"F16", 2, MESAOPT_F16},
                 {"BF16", 2, MESAOPT_BF16},
                 {"I64", 8, MESAOPT_I64},
                 {"I32", 4, MESAOPT_I32},
                 {"BOOL", 1, MESAOPT_BOOL},
                 {"U8", 1, 0},
                 {"I8", 1, 0},
                 {"F8_E4M3", 1, 0},
                 {"F8_E5M2", 1, 0},
                 {"I16", 2, 0},
                 {"U16", 2, 0},
                 {"U32", 4, 0},
                 {"U64", 8, 0},
                 {"C64", 8, 0}};
    *dtype = 0;
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        if (token_is(h, i, types[k].name)) {
            *dtype = types[k].dtype;
            return types[k].size;
        }
    return 0;
}

static mesaopt_status read_shape(header *h, int at, file_tensor *t)
{
    if (h->tok[at].type != JSMN_ARRAY)
        return tensor_file_fail(h->f, t->name, "shape is not an array");
    t->count = 1;
    int i = at + 1;
    for (t->ndim = 0; i < h->n && h->tok[i].start < h->tok[at].end; i++, t->ndim++) {
        int64_t extent;
        if (!token_count(h, i, &extent))
            return tensor_file_fail(
                h->f, t->name, "extent %d of its shape is not a non-negative integer below 2^63",
                t->ndim);
        if (!size_mul(t->count, extent, &t->count))
            return tensor_file_fail(h->f, t->name,
                                    "the number of its elements does not fit into 63 bits");
        if (t->ndim < MESAOPT_MAX_RANK) t->shape[t->ndim] = extent;
    }
    return MESAOPT_OK;
}

static mesaopt_status read_offsets(header *h, int at, file_tensor *t)
{
    if (h->tok[at].type != JSMN_ARRAY || h->tok[at].size != 2 || after(h, at) != at + 3 ||
        !token_count(h, at + 1, &t->begin) || !token_count(h, at + 2, &t->end))
        return tensor_file_fail(h->f, t->name,
                                "data_offsets are not two non-negative integers below 2^63");
    if (t->begin > t->end)
        return tensor_file_fail(
            h->f, t->name, "data_offsets [%" PRId64 ",%" PRId64 "] are reversed", t->begin, t->end);
    if (t->end > h->f->data_bytes)
        return tensor_file_fail(h->f, t->name,
                                "data_offsets [%" PRId64 ",%" PRId64 "] reach beyond the %" PRId64
                                " bytes of data",
                                t->begin, t->end, h->f->data_bytes);
    return MESAOPT_OK;
}

/* Is token `key` a name of object `at` that owns exactly one value, the next token? The tokeniser
 * lets stray commas and colons pass; an object's `size` is the number of tokens whose parent it is,
 * so that it bounds the number of pairs that pass this test. */
static int is_pair(const header *h, int at, int key)
{
    const jsmntok_t *t = &h->tok[key];
    return t->type == JSMN_STRING && t->parent == at && t->size == 1 && key + 1 < h->n &&
           h->tok[key + 1].parent == key;
}

static mesaopt_status read_tensor(header *h, int at, file_tensor *t)
{
    int dtype = 0, shape = 0, offsets = 0, end = after(h, at);
    if (h->tok[at].type != JSMN_OBJECT)
        return tensor_file_fail(h->f, t->name, "its entry is not an object");
    for (int key = at + 1; key < end; key = after(h, key + 1)) {
        if (!is_pair(h, at, key))
            return tensor_file_fail(h->f, t->name, "its entry is not made of names and values");
        int *slot = token_is(h, key, "dtype")          ? &dtype
                    : token_is(h, key, "shape")        ? &shape
                    : token_is(h, key, "data_offsets") ? &offsets
                                                       : NULL;
        if (!slot) continue;
        if (*slot)
            return tensor_file_fail(h->f, t->name, "dtype, shape or data_offsets is there twice");
        *slot = key + 1;
    }
    if (!dtype || !shape || !offsets)
        return tensor_file_fail(h->f, t->name, "%s is missing",
                                !dtype   ? "dtype"
                                : !shape ? "shape"
                                         : "data_offsets");
    if (h->tok[dtype].type != JSMN_STRING)
        return tensor_file_fail(h->f, t->name, "dtype is not a text");
    int64_t size = type_size(h, dtype, &t->dtype), bytes;
    mesaopt_status status = read_shape(h, shape, t);
    if (status == MESAOPT_OK) status = read_offsets(h, offsets, t);
    if (status != MESAOPT_OK || size == 0) return status;
    if (!size_mul(t->count, size, &bytes) || bytes != t->end - t->begin)
        return tensor_file_fail(h->f, t->name,
                                "its %" PRId64 " elements of %" PRId64
                                " bytes do not fill data_offsets [%" PRId64 ",%" PRId64 "]",
                                t->count, size, t->begin, t->end);
    return MESAOPT_OK;
}

static mesaopt_status read_metadata(header *h, int at)
{
    tensor_file *f = h->f;
    int end = after(h, at);
    if (f->text) return tensor_file_fail(f, NULL, "__metadata__ is there twice");
    if (h->tok[at].type != JSMN_OBJECT)
        return tensor_file_fail(f, NULL, "__metadata__ is not an object");
    f->text = alloc_new(&f->ctx->alloc, h->tok[at].size, sizeof *f->text);
    if (!f->text)
        return fail(f->ctx, MESAOPT_E_MEMORY, "no memory for %d metadata texts", h->tok[at].size);
    for (int key = at + 1; key < end; key += 2) {
        if (!is_pair(h, at, key) || h->tok[key + 1].type != JSMN_STRING)
            return tensor_file_fail(f, NULL, "__metadata__ is not made of pairs of texts");
        tensor_file_text *text = &f->text[f->texts++];
        text->key = decode(h, key);
        text->value = decode(h, key + 1);
        if (!text->key || !text->value)
            return tensor_file_fail(
                f, NULL, "a text of __metadata__ holds \\u0000 or half a surrogate pair");
    }
    return MESAOPT_OK;
}

static mesaopt_status read_root(header *h)
{
    tensor_file *f = h->f;
    mesaopt_status status = MESAOPT_OK;
    if (h->tok[0].type != JSMN_OBJECT || after(h, 0) != h->n)
        return tensor_file_fail(f, NULL, "header is not one JSON object");
    for (int64_t i = h->tok[0].end; i < f->data_start - 8; i++)
        if (f->header[i] != ' ')
            return tensor_file_fail(f, NULL, "garbage after the header's JSON at byte %" PRId64, i);
    f->tensor = alloc_new(&f->ctx->alloc, h->tok[0].size, sizeof *f->tensor);
    if (!f->tensor)
        return fail(f->ctx, MESAOPT_E_MEMORY, "no memory for a table of %d tensors",
                    h->tok[0].size);
    for (int key = 1; status == MESAOPT_OK && key < h->n; key = after(h, key + 1)) {
        if (!is_pair(h, 0, key))
            return tensor_file_fail(f, NULL, "header is not made of names and values near byte %d",
                                    h->tok[key].start);
        if (token_is(h, key, "__metadata__")) {
            status = read_metadata(h, key + 1);
            continue;
        }
        file_tensor *t = &f->tensor[f->tensors++];
        t->name = decode(h, key);
        if (!t->name)
            return tensor_file_fail(
                f, NULL, "a tensor's name holds \\u0000 or half a surrogate pair near byte %d",
                h->tok[key].start);
        status = read_tensor(h, key + 1, t);
    }
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const file_tensor *)a)->name, ((const file_tensor *)b)->name);
}
static int by_key(const void *a, const void *b)
{
    return strcmp(((const tensor_file_text *)a)->key, ((const tensor_file_text *)b)->key);
}

static int by_place(const void *a, const void *b)
{
    const file_tensor *x = a, *y = b;
    return x->begin != y->begin ? (x->begin > y->begin) - (x->begin < y->begin)
                                : (x->end > y->end) - (x->end < y->end);
}

/* Heap sort: n log n whatever the file holds, and no memory, which qsort may ask of malloc. size <=
 * sizeof(file_tensor). */
static void sort(void *items, int64_t n, size_t size, int (*compare)(const void *, const void *))
{
    char *p = items, spare[sizeof(file_tensor)];
    for (int64_t top = n / 2, last = n - 1; last > 0;) {
        if (top > 0) {
            top--;
        } else {
            memcpy(spare, p, size);
            memcpy(p, p + last * (int64_t)size, size);
            memcpy(p + last-- * (int64_t)size, spare, size);
        }
        for (int64_t i = top, child; (child = 2 * i + 1) <= last; i = child) {
            char *c = p + child * (int64_t)size, *parent = p + i * (int64_t)size;
            if (child < last && compare(c, c + size) < 0) child++, c += size;
            if (compare(parent, c) >= 0) break;
            memcpy(spare, parent, size);
            memcpy(parent, c, size);
            memcpy(c, spare, size);
        }
    }
}

/* Tensors must tile the data; names and keys must be unique. Leaves both sorted for bsearch. */
static mesaopt_status check_layout(tensor_file *f)
{
    int64_t end = 0;
    sort(f->tensor, f->tensors, sizeof *f->tensor, by_place);
    for (int64_t i = 0; i < f->tensors; end = f->tensor[i++].end)
        if (f->tensor[i].begin != end)
            return tensor_file_fail(f, f->tensor[i].name,
                                    "it begins at byte %" PRId64 " of the data, expected %" PRId64
                                    ", the end of the one before",
                                    f->tensor[i].begin, end);
    if (end != f->data_bytes)
        return tensor_file_fail(f, NULL, "%" PRId64 " bytes after the last tensor",
                                f->data_bytes - end);
    sort(f->tensor, f->tensors, sizeof *f->tensor, by_name);
    for (int64_t i = 1; i < f->tensors; i++)
        if (by_name(&f->tensor[i - 1], &f->tensor[i]) == 0)
            return tensor_file_fail(f, f->tensor[i].name, "it is there twice");
    sort(f->text, f->texts, sizeof *f->text, by_key);
    for (int64_t i = 1; i < f->texts; i++)
        if (by_key(&f->text[i - 1], &f->text[i]) == 0)
            return tensor_file_fail(f, NULL, "a key of __metadata__ is there twice");
    return MESAOPT_OK;
}

mesaopt_status tensor_file_parse(tensor_file *f)
{
    size_t length = (size_t)(f->data_start - 8);
    mesaopt_status status = check_bytes(f);
    if (status != MESAOPT_OK) return status;
    jsmn_parser parser;
    jsmn_init(&parser);
    int n = jsmn_parse(&parser, f->header, length, NULL, 0);
    if (n < 1)
        return tensor_file_fail(f, NULL, "header is not JSON, or cut short, near byte %u",
                                parser.pos);
    if (n > TENSOR_FILE_MAX_TOKENS)
        return tensor_file_fail(f, NULL, "header of %d JSON tokens, expected at most %d", n,
                                TENSOR_FILE_MAX_TOKENS);
    header h = {f, alloc_new(&f->ctx->alloc, n, sizeof *h.tok), n};
    if (!h.tok) return fail(f->ctx, MESAOPT_E_MEMORY, "no memory for %d JSON tokens", n);
    jsmn_init(&parser);
    if (jsmn_parse(&parser, f->header, length, h.tok, (unsigned)n) != n)
        status =
            tensor_file_fail(f, NULL, "header is not JSON, or cut short, near byte %u", parser.pos);
    if (status == MESAOPT_OK) status = read_root(&h);
    if (status == MESAOPT_OK) status = check_layout(f);
    alloc_free(&f->ctx->alloc, h.tok);
    return status;
}
