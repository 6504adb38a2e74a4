/* Files of prompts: safetensors with the tensors
 *     separator [1, n], prefix [p, n] (none when p is 0), and adamw.m.NAME, adamw.v.NAME, all f64
 * and the metadata
 *     mesaopt.format, mesaopt.kind (prompt), mesaopt.version
 *     mesaopt.prompt                  settings, as mesaopt_settings_dump
 *     mesaopt.updates                 taken in all: with the task it says which sequences come next
 *     mesaopt.moved.NAME              updates that moved it
 *     mesaopt.frozen.NAME             0, 1
 * What stands in the header is held against the extents of the tensors before memory is asked for,
 * and everything is read and checked before there is a prompt. */
#include "base/version.h"
#include "study/prompt_learning.h"
#include "train/metadata.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SETS = 3, DUMP = 2048 };
static const char *const prefixes[SETS] = {"", "adamw.m.", "adamw.v."};

typedef struct name { char text[48]; } name;

static name joined(const char *a, const char *b)
{
    name n;
    snprintf(n.text, sizeof n.text, "%s%s", a, b);
    return n;
}
static name integer(int64_t x)
{
    name n;
    snprintf(n.text, sizeof n.text, "%" PRId64, x);
    return n;
}

static double *set_of(const prompt *p, int set)
{
    return set == 0 ? p->seen.vectors : set == 1 ? p->m : p->v;
}

/* ---- saving ---- */

typedef struct record {
    tensor_file_text text[5 + 2 * PROMPT_PARTS];
    saved_tensor tensor[SETS * PROMPT_PARTS];
    int64_t texts, tensors;
    name keys[2 * PROMPT_PARTS], values[2 * PROMPT_PARTS], names[SETS * PROMPT_PARTS], updates;
    char dump[DUMP];
} record;

static void add_text(record *r, const char *key, const char *value)
{
    r->text[r->texts++] = (tensor_file_text){key, value};
}

static void add_part(record *r, const prompt *p, int part)
{
    name *key = &r->keys[2 * part], *value = &r->values[2 * part];
    key[0] = joined("mesaopt.moved.", prompt_parts[part]), value[0] = integer(p->moved[part]);
    key[1] = joined("mesaopt.frozen.", prompt_parts[part]), value[1] = integer(p->frozen[part]);
    for (int i = 0; i < 2; i++) add_text(r, key[i].text, value[i].text);
    for (int set = 0; set < SETS && prompt_rows(&p->seen, part) > 0; set++, r->tensors++) {
        r->names[r->tensors] = joined(prefixes[set], prompt_parts[part]);
        r->tensor[r->tensors] = (saved_tensor){r->names[r->tensors].text,
                                               MESAOPT_F64,
                                               2,
                                               {prompt_rows(&p->seen, part), p->seen.dim},
                                               set_of(p, set) + prompt_offset(&p->seen, part)};
    }
}

mesaopt_status prompt_save(const prompt *p, const storage *to)
{
    record r = {.texts = 0};
    settings_text(&p->settings, r.dump, sizeof r.dump);
    r.updates = integer(atomic_load(&p->updates));
    add_text(&r, "mesaopt.format", "1");
    add_text(&r, "mesaopt.kind", "prompt");
    add_text(&r, "mesaopt.version", VERSION_TEXT);
    add_text(&r, "mesaopt.prompt", r.dump);
    add_text(&r, "mesaopt.updates", r.updates.text);
    for (int part = 0; part < PROMPT_PARTS; part++) add_part(&r, p, part);
    const mesaopt_status status = saved_check_finite(p->seen.head.ctx, r.tensors, r.tensor);
    if (status != MESAOPT_OK) return status;
    return tensor_file_write_to(p->seen.head.ctx, to, r.texts, r.text, r.tensors, r.tensor);
}

/* ---- opening ---- */

static mesaopt_status read_tensor(const tensor_file *f, const prompt *p, int part, int set)
{
    const name n = joined(prefixes[set], prompt_parts[part]);
    const kern *k = kern_get(f->ctx, MESAOPT_F64, 0);
    const int64_t dim = p->seen.dim, rows = prompt_rows(&p->seen, part), count = rows * dim;
    const file_tensor *t;
    double *x = set_of(p, set) + prompt_offset(&p->seen, part);
    mesaopt_status status = tensor_file_expect(f, n.text, 2, (int64_t[]){rows, dim}, &t);
    if (status == MESAOPT_OK) status = tensor_file_read(f, t, 0, count, MESAOPT_F64, x);
    if (status != MESAOPT_OK) return status;
    const int64_t bad = k->first_nonfinite(count, x);
    if (bad >= 0)
        return tensor_file_fail(f, n.text, "element [%" PRId64 ",%" PRId64 "] is not finite",
                                bad / dim, bad % dim);
    for (int64_t j = 0; set == SETS - 1 && j < count; j++)
        if (x[j] < 0)
            return tensor_file_fail(f, n.text, "element [%" PRId64 ",%" PRId64 "] is negative",
                                    j / dim, j % dim);
    return MESAOPT_OK;
}

static mesaopt_status read_part(const tensor_file *f, prompt *p, int part)
{
    int64_t frozen = 0;
    mesaopt_status status = metadata_integer(
        f, joined("mesaopt.moved.", prompt_parts[part]).text, 0, &p->moved[part]);
    if (status == MESAOPT_OK)
        status = metadata_integer(f, joined("mesaopt.frozen.", prompt_parts[part]).text, 0,
                                  &frozen);
    if (status != MESAOPT_OK) return status;
    if (frozen > 1 || p->moved[part] > atomic_load(&p->updates))
        return tensor_file_fail(
            f, NULL, "%s: moved %" PRId64 " times, frozen %" PRId64
                     ", expected at most all updates, and 0 or 1",
            prompt_parts[part], p->moved[part], frozen);
    p->frozen[part] = (int)frozen;
    for (int set = 0; set < SETS && prompt_rows(&p->seen, part) > 0 && status == MESAOPT_OK; set++)
        status = read_tensor(f, p, part, set);
    return status;
}

/* The extents that the settings claim are those of the tensors. */
static mesaopt_status check_extents(const tensor_file *f, const mesaopt_settings *s)
{
    enum { SCOPE = MESAOPT_SCOPE_PROMPT };
    const int64_t n = option_int(s, SCOPE, MESAOPT_KEY_DIM),
                  rows = option_int(s, SCOPE, MESAOPT_KEY_PREFIX);
    const file_tensor *t;
    const mesaopt_status status =
        tensor_file_expect(f, prompt_parts[PROMPT_SEPARATOR], 2, (int64_t[]){1, n}, &t);
    if (status != MESAOPT_OK || rows == 0) return status;
    return tensor_file_expect(f, prompt_parts[PROMPT_PREFIX], 2, (int64_t[]){rows, n}, &t);
}

static mesaopt_status read_prompt(const tensor_file *f, mesaopt_prompt **out)
{
    mesaopt_settings settings;
    mesaopt_prompt *made;
    const char *kind;
    int64_t updates = 0;
    mesaopt_status status = metadata_format(f);
    if (status == MESAOPT_OK) status = metadata_text(f, "mesaopt.kind", &kind);
    if (status == MESAOPT_OK && strcmp(kind, "prompt") != 0)
        return tensor_file_fail(f, NULL, "a checkpoint of a %.40s, expected one of a prompt", kind);
    if (status == MESAOPT_OK)
        status = metadata_settings(f, "mesaopt.prompt", MESAOPT_SCOPE_PROMPT, &settings);
    if (status == MESAOPT_OK) status = metadata_integer(f, "mesaopt.updates", 0, &updates);
    if (status == MESAOPT_OK) status = check_extents(f, &settings);
    if (status == MESAOPT_OK) status = prompt_create(f->ctx, &settings, &made);
    if (status != MESAOPT_OK) return status;
    prompt *p = prompt_of(made);
    atomic_store(&p->updates, updates);
    if (!prompt_updates_fit(p, updates))
        status = tensor_file_fail(
            f, NULL, "metadata mesaopt.updates: %" PRId64 ", beyond the end of the stream",
            updates);
    for (int part = 0; part < PROMPT_PARTS && status == MESAOPT_OK; part++)
        status = read_part(f, p, part);
    if (status == MESAOPT_OK) *out = made;
    else object_release(&made->head);
    return status;
}

mesaopt_status prompt_open(mesaopt_ctx *ctx, const storage *from, mesaopt_prompt **out)
{
    tensor_file f;
    mesaopt_status status = tensor_file_open_from(ctx, from, &f);
    if (status != MESAOPT_OK) return status;
    status = read_prompt(&f, out);
    tensor_file_close(&f);
    return status;
}
