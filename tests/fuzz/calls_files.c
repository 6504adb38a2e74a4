/* Random calls that save and read files: of the world's own folder, in which bytes of saved files change between calls. */
#include "calls.h"
#include "train/decoder_impl.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES = 8, LONGEST = 1 << 16 };
static char folder[64], paths[FILES][80];
static int used;

/* Where a file of a kind was left last: of handles, or made below. */
enum { TENSORS = KINDS, WEIGHTS, CONTENTS };
static const char *left[CONTENTS];
static const void *model_left;         /* of the decoder that was left last: no other one opens it */

static void remove_folder(void)
{
    if (folder[0]) rmdir(folder);
}

void files_begin(void)
{
    used = 0;
    memset(left, 0, sizeof left);
    model_left = NULL;
    if (folder[0]) return;
    strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/mesaopt-calls-XXXXXX" : "/tmp/mesaopt-calls-XXXXXX");
    EXPECT(mkdtemp(folder) != NULL);
    for (int i = 0; i < FILES; i++) snprintf(paths[i], sizeof paths[i], "%s/%c", folder, 'a' + i);
    atexit(remove_folder);
}

/* A call that saves leaves its file and no other. */
void files_end(void)
{
    if (!used) return;
    DIR *d = opendir(folder);
    EXPECT(d != NULL);
    for (struct dirent *e; (e = readdir(d));) {
        char name[400];
        if (e->d_name[0] == '.') continue;
        EXPECT(strlen(e->d_name) == 1);
        snprintf(name, sizeof name, "%s/%s", folder, e->d_name);
        unlink(name);
    }
    closedir(d);
}

const char *path(void)
{
    used = 1;
    if (chance(40)) return ONE_OF("/nonexistent/file", "/", "", ".", "/proc/self/mem", (char *)NULL);
    return paths[below(FILES)];
}

static void leave(int contents, const char *file, mesaopt_status status)
{
    if (status == MESAOPT_OK) left[contents] = file;
}

static void save(int contents);

/* Mostly a file of that kind. Where there is none, a call of its own makes one: all that the caller draws, handles too, comes behind this. */
static const char *file_of(int contents)
{
    if (!left[contents] && !chance(4)) save(contents);
    return left[contents] && !chance(4) ? left[contents] : path();
}

static int is_model_left(const void *m) { return m == model_left; }

/* ---- contents ---- */

static size_t read_file(const char *name, char *data)
{
    FILE *f = fopen(name, "rb");
    if (!f) return 0;
    const size_t n = fread(data, 1, LONGEST, f);
    fclose(f);
    return n;
}

static void write_file(const char *name, const char *data, size_t n)
{
    FILE *f = fopen(name, "wb");
    EXPECT(f && fwrite(data, 1, n, f) == n && fclose(f) == 0);
}

/* Other digits, other letters, other lengths: the places where a reader believes what it is told. */
static void call_file_change(void)
{
    static char data[2 * LONGEST];
    used = 1;
    const char *name = paths[below(FILES)];
    size_t n = read_file(name, data);
    if (n < 16) return;
    for (uint32_t i = 1 + below(3); i > 0; i--) {
        size_t at = below(chance(2) ? 16 : (uint32_t)(n < 60000 ? n : 60000));
        if (chance(4)) while (at < n - 1 && (data[at] < '0' || data[at] > '9')) at++;      /* a digit */
        switch (below(6)) {
        case 0: data[at] = (char)('0' + below(10)); break;
        case 1: data[at] = (char)below(256); break;
        case 2: data[at] ^= (char)(1 << below(8)); break;
        case 3: memmove(data + at, data + at + 1, --n - at); break;
        case 4: memmove(data + at + 1, data + at, n++ - at); break;
        default: memset(data + at, ONE_OF(' ', '9', 0xff, 0x7f), n - at < 8 ? n - at : 8);
        }
    }
    if (chance(16)) n = below((uint32_t)n);
    write_file(name, data, n);
}

/* A small file of tensors as probes read them, or of weights as revalg does. */
static void make_file(int weights)
{
    static const char *const types[] = {"F64", "F32", "F16", "BF16", "I64"};
    static const int sizes[] = {8, 4, 2, 2, 8};
    char header[1000], data[9000];
    const int B = 1 + (int)below(9), T = 1 + (int)below(4);
    const char *const names[2][4] = {{"h.0", "h.1", "y", "w"}, {"blocks.0.query", "blocks.0.key", "blocks.0.value", "blocks.0.output"}};
    int used_bytes = 0, n = snprintf(header, sizeof header, "{");
    for (int i = 0; i < 4; i++) {
        const uint32_t type = chance(20) ? 4 : below(4);
        const int cols = weights ? (i == 3 ? 8 : 4) : i == 3 ? 1 : 2, rows = weights ? (i == 3 ? 4 : 8) : B * T;
        n += snprintf(header + n, sizeof header - (size_t)n, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i ? "," : "", names[weights][i], types[type]);
        if (weights) n += snprintf(header + n, sizeof header - (size_t)n, "%d,%d", rows, cols);
        else if (i < 3) n += snprintf(header + n, sizeof header - (size_t)n, "%d,%d,%d", B, T, cols);
        else n += snprintf(header + n, sizeof header - (size_t)n, "%d,%d", B, T);
        n += snprintf(header + n, sizeof header - (size_t)n, "],\"data_offsets\":[%d,%d]}", used_bytes, used_bytes + rows * cols * sizes[type]);
        used_bytes += rows * cols * sizes[type];
    }
    n += snprintf(header + n, sizeof header - (size_t)n, "}");
    while (n % 8) header[n++] = ' ';
    const uint64_t length = (uint64_t)n;
    memset(data, ONE_OF(0, 1, 0x3c, 0xff), sizeof data);
    memcpy(data, &length, 8);
    memcpy(data + 8, header, (size_t)n);
    used = 1;
    left[weights ? WEIGHTS : TENSORS] = paths[below(FILES)];
    write_file(left[weights ? WEIGHTS : TENSORS], data, (size_t)(8 + n + used_bytes));
}

static void call_file_make(void) { make_file(chance(3)); }

/* ---- calls ---- */

static void call_model_save(void)
{
    mesaopt_model *m = handle(MODEL);
    const char *file = path();
    leave(MODEL, file, CALL(MODEL, m, mesaopt_model_save(m, file)));
}

static void call_model_load(void)
{
    const char *file = file_of(MODEL);
    mesaopt_model *m = handle(MODEL);
    CALL(MODEL, m, mesaopt_model_load(m, file));
}

static void call_model_open(void)
{
    const char *file = file_of(MODEL);
    mesaopt_ctx *ctx = handle(CTX);
    mesaopt_model **out = (mesaopt_model **)fresh(MODEL);
    CALL(CTX, ctx, mesaopt_model_open(ctx, file, out));
}

/* ---- memory instead of files ---- */

static int32_t host_write(const void *bytes, int64_t count, void *user)
{
    static volatile char sum;
    (void)user;
    EXPECT(bytes && count > 0);
    for (int64_t i = 0; i < count; i++) sum ^= ((const char *)bytes)[i];      /* all of them can be read */
    return in_callback();
}

static mesaopt_write_fn some_write(void) { return chance(20) ? NULL : host_write; }

/* The bytes of one of the files, in memory that ends with them; as file_of. */
static const void *some_bytes(int contents, int64_t *length)
{
    static char data[LONGEST];
    if (!left[contents] && !chance(4)) save(contents);
    used = 1;
    *length = (int64_t)read_file(left[contents] && !chance(4) ? left[contents] : paths[below(FILES)], data);
    char *bytes = memory(*length + 1);
    memcpy(bytes, data, (size_t)*length);
    if (chance(20)) *length = -1;
    return chance(20) ? NULL : bytes;
}

static void call_save_to(void)
{
    mesaopt_model *m = handle(MODEL);
    CALL(MODEL, m, mesaopt_model_save_to(m, some_write(), NULL));
    mesaopt_trainer *t = handle(TRAINER);
    CALL(TRAINER, t, mesaopt_trainer_save_to(t, some_write(), NULL));
    mesaopt_rls *r = handle(RLS);
    CALL(RLS, r, mesaopt_rls_save_to(r, some_write(), NULL));
    r = handle(RLS);                   /* the callback may have freed the other one */
    int64_t *streams = integer_out(), *d_key = integer_out();
    CALL(RLS, r, mesaopt_rls_shape(r, streams, d_key, NULL));
    mesaopt_lsq *l = handle(LSQ);
    int64_t *d_val = integer_out();
    CALL(LSQ, l, mesaopt_lsq_shape(l, NULL, d_val));
    mesaopt_decoder *d = handle(DECODER);
    CALL(DECODER, d, mesaopt_decoder_save_to(d, some_write(), NULL));
    mesaopt_prompt *p = handle(PROMPT);
    CALL(PROMPT, p, mesaopt_prompt_save_to(p, some_write(), NULL));
}

static void call_load_from(void)
{
    int64_t length;
    const void *bytes = some_bytes(MODEL, &length);
    mesaopt_model *m = handle(MODEL);
    CALL(MODEL, m, mesaopt_model_load_from(m, bytes, length));
    bytes = some_bytes(TRAINER, &length);
    mesaopt_trainer *t = handle(TRAINER);
    CALL(TRAINER, t, mesaopt_trainer_load_from(t, bytes, length, ONE_OF("", "all", "seed", (char *)NULL)));
}

static void call_open_from(void)
{
    int64_t length;
    const void *bytes = some_bytes(MODEL, &length);
    mesaopt_ctx *ctx = handle(CTX);
    mesaopt_model **model = (mesaopt_model **)fresh(MODEL);
    CALL(CTX, ctx, mesaopt_model_open_from(ctx, bytes, length, model));
}

static void call_rls_open_from(void)
{
    int64_t length;
    const void *bytes = some_bytes(RLS, &length);
    mesaopt_lsq *l = handle(LSQ);
    mesaopt_rls **out = (mesaopt_rls **)fresh(RLS);
    CALL(LSQ, l, mesaopt_rls_open_from(l, bytes, length, out));
}

static void call_decoder_open_from(void)
{
    int64_t length;
    const void *bytes = some_bytes(DECODER, &length);
    mesaopt_model *m = fitting(MODEL, is_model_left);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_DECODER);
    mesaopt_decoder **out = (mesaopt_decoder **)fresh(DECODER);
    CALL(MODEL, m, mesaopt_decoder_open_from(m, s, bytes, length, out));
}

static void call_prompt_open_from(void)
{
    int64_t length;
    const void *bytes = some_bytes(PROMPT, &length);
    mesaopt_ctx *ctx = handle(CTX);
    mesaopt_prompt **out = (mesaopt_prompt **)fresh(PROMPT);
    CALL(CTX, ctx, mesaopt_prompt_open_from(ctx, bytes, length, out));
}

static void call_trainer_save(void)
{
    mesaopt_trainer *t = handle(TRAINER);
    const char *file = path();
    leave(TRAINER, file, CALL(TRAINER, t, mesaopt_trainer_save(t, file)));
}

static void call_trainer_load(void)
{
    const char *file = file_of(TRAINER);
    mesaopt_trainer *t = handle(TRAINER);
    CALL(TRAINER, t, mesaopt_trainer_load(t, file));
}

static void call_trainer_load_changed(void)
{
    const char *file = file_of(TRAINER), *change = ONE_OF("", "all", "seed", "noise,seed", ",", "data", "none,seed", (char *)NULL);
    mesaopt_trainer *t = handle(TRAINER);
    CALL(TRAINER, t, mesaopt_trainer_load_changed(t, file, change));
}

/* Texts that have to be escaped, that are no UTF-8, that are long. */
static const char *note_text(void)
{
    static char large[5000];
    memset(large, 1, sizeof large - 1);
    return ONE_OF("", "text", "\"\\\n\x01", "\xc3\xbc", "\xc3", "mesaopt.step", large, (char *)NULL);
}

static const char *note_key(void) { return chance(4) ? note_text() : ONE_OF("a", "b", "mesaopt.kind", "\"{}"); }

static void call_model_set_note(void)
{
    mesaopt_model *m = handle(MODEL);
    const char *key = note_key(), *text = note_text();
    CALL(MODEL, m, mesaopt_model_set_note(m, key, text));
}

static void call_rls_set_note(void)
{
    mesaopt_rls *r = handle(RLS);
    const char *key = note_key(), *text = note_text();
    CALL(RLS, r, mesaopt_rls_set_note(r, key, text));
}

static void call_file_note(void)
{
    int64_t length;
    const char *file = file_of(MODEL), *key = note_key();
    const void *bytes = some_bytes(MODEL, &length);
    mesaopt_ctx *ctx = handle(CTX);
    const int64_t cap = ONE_OF((int64_t)0, (int64_t)1, (int64_t)20, (int64_t)6000, (int64_t)-1);
    char *buf = cap > 0 ? memory(cap) : NULL;
    if (chance(2)) COUNT(CTX, ctx, mesaopt_file_note_from(ctx, bytes, length, key, buf, cap));
    else COUNT(CTX, ctx, mesaopt_file_note(ctx, file, key, buf, cap));
}

static void call_rls_save(void)
{
    mesaopt_rls *r = handle(RLS);
    const char *file = path();
    leave(RLS, file, CALL(RLS, r, mesaopt_rls_save(r, file)));
}

static void call_rls_open(void)
{
    const char *file = file_of(RLS);
    mesaopt_lsq *l = handle(LSQ);
    mesaopt_rls **out = (mesaopt_rls **)fresh(RLS);
    CALL(LSQ, l, mesaopt_rls_open(l, file, out));
}

static void call_decoder_save(void)
{
    mesaopt_decoder *d = handle(DECODER);
    const char *file = path();
    const void *model = handle_ok(d, OBJECT_DECODER) ? d->model : NULL;
    const mesaopt_status status = CALL(DECODER, d, mesaopt_decoder_save(d, file));
    leave(DECODER, file, status);
    if (status == MESAOPT_OK) model_left = model;
}

static void call_decoder_open(void)
{
    const char *file = file_of(DECODER);
    mesaopt_model *m = fitting(MODEL, is_model_left);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_DECODER);
    mesaopt_decoder **out = (mesaopt_decoder **)fresh(DECODER);
    CALL(MODEL, m, mesaopt_decoder_open(m, s, file, out));
}

static void call_decoder_set_note(void)
{
    mesaopt_decoder *d = handle(DECODER);
    const char *key = note_key(), *text = note_text();
    CALL(DECODER, d, mesaopt_decoder_set_note(d, key, text));
}

static const char *tensor_name(void) { return !chance(3) ? "h.*" : ONE_OF("h.*", "h.0,h.1", "h.0", "y", "w", "h.*,y", "*", ",", (char *)NULL); }

static void call_probe_plan_file(void)
{
    int64_t length;
    const char *file = file_of(TENSORS), *activations = tensor_name(), *targets = chance(4) ? tensor_name() : "y";
    const void *bytes = some_bytes(TENSORS, &length);
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_PROBE);
    int64_t *rows = integer_out();
    mesaopt_probe **out = (mesaopt_probe **)fresh(PROBE);
    if (chance(2)) CALL(CTX, ctx, mesaopt_probe_plan_from(ctx, s, bytes, length, activations, targets, out, rows));
    else CALL(CTX, ctx, mesaopt_probe_plan_file(ctx, s, file, activations, targets, out, rows));
}

static void call_probe_feed_file(void)
{
    const char *file = file_of(TENSORS), *activations = tensor_name(), *targets = chance(4) ? tensor_name() : "y", *weights = chance(2) ? "w" : NULL;
    const int64_t first = chance(4) ? any_integer() : 0, count = chance(4) ? few() : -1;
    mesaopt_probe *p = NULL;
    int64_t length;
    if (!chance(3)) {                  /* one that was planned for it */
        mesaopt_ctx *ctx = handle(CTX);
        CALL(CTX, ctx, mesaopt_probe_plan_file(ctx, NULL, file, activations, targets, &p, NULL));
        if (p) adopt(PROBE, p);
    }
    const void *bytes = some_bytes(TENSORS, &length);
    if (!p) p = handle(PROBE);
    if (chance(2)) CALL(PROBE, p, mesaopt_probe_feed_from(p, (int32_t)below(2), bytes, length, activations, targets, weights, first, count));
    else CALL(PROBE, p, mesaopt_probe_feed_file(p, (int32_t)below(2), file, activations, targets, weights, first, count));
}

static void call_revalg_import_file(void)
{
    int64_t length;
    const char *file = file_of(WEIGHTS);
    const void *bytes = some_bytes(WEIGHTS, &length);
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_MODEL), *block = settings(MESAOPT_SCOPE_LINEAR);
    mesaopt_model **out = (mesaopt_model **)fresh(MODEL);
    if (chance(2)) CALL(CTX, ctx, mesaopt_revalg_import_from(ctx, s, block, bytes, length, out));
    else CALL(CTX, ctx, mesaopt_revalg_import_file(ctx, s, block, file, out));
}

static void call_model_import_file(void)
{
    int64_t length;
    const char *file = file_of(WEIGHTS), *blocks = ONE_OF("linear(heads=2,key=2)", "linear(heads=2,key=2)", "softmax(heads=2,key=2,pe=add)", "dense(outputs=4); softmax(heads=2,key=4)", "nothing", "");
    const void *bytes = some_bytes(WEIGHTS, &length);
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_MODEL);
    mesaopt_model **out = (mesaopt_model **)fresh(MODEL);
    if (chance(2)) CALL(CTX, ctx, mesaopt_model_import_from(ctx, s, blocks, bytes, length, out));
    else CALL(CTX, ctx, mesaopt_model_import_file(ctx, s, blocks, file, out));
}

static void call_prompt_save(void)
{
    mesaopt_prompt *p = handle(PROMPT);
    const char *file = path();
    leave(PROMPT, file, CALL(PROMPT, p, mesaopt_prompt_save(p, file)));
}

static void call_prompt_open(void)
{
    const char *file = file_of(PROMPT);
    mesaopt_ctx *ctx = handle(CTX);
    mesaopt_prompt **out = (mesaopt_prompt **)fresh(PROMPT);
    CALL(CTX, ctx, mesaopt_prompt_open(ctx, file, out));
}

static void save(int contents)
{
    switch (contents) {
    case MODEL: call_model_save(); break;
    case TRAINER: call_trainer_save(); break;
    case RLS: call_rls_save(); break;
    case DECODER: call_decoder_save(); break;
    case PROMPT: call_prompt_save(); break;
    default: make_file(contents == WEIGHTS);
    }
}

const row rows_files[] = {
    {"file_change", call_file_change}, {"file_make", call_file_make}, {"model_save", call_model_save}, {"model_load", call_model_load}, {"model_open", call_model_open}, {"trainer_save", call_trainer_save},
    {"trainer_load", call_trainer_load}, {"trainer_load_changed", call_trainer_load_changed}, {"model_set_note", call_model_set_note},
    {"save_to", call_save_to}, {"load_from", call_load_from}, {"open_from", call_open_from}, {"rls_open_from", call_rls_open_from},
    {"decoder_open_from", call_decoder_open_from}, {"prompt_open_from", call_prompt_open_from}, {"rls_set_note", call_rls_set_note}, {"file_note", call_file_note}, {"rls_save", call_rls_save}, {"rls_open", call_rls_open}, {"decoder_save", call_decoder_save}, {"decoder_open", call_decoder_open}, {"decoder_set_note", call_decoder_set_note}, {"probe_plan_file", call_probe_plan_file}, {"probe_feed_file", call_probe_feed_file},
    {"revalg_import_file", call_revalg_import_file}, {"model_import_file", call_model_import_file}, {"prompt_save", call_prompt_save}, {"prompt_open", call_prompt_open}, {0},
};
