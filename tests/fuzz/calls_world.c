/* The world of random calls: bytes, handles, and what is checked around every call. */
#include "calls.h"
#include "base/object.h"
#include "study/revalg_impl.h"
#include "train/trainer_impl.h"
#include "study/probes.h"
#include "train/decoder_impl.h"
#include "study/prompt_learning.h"
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#undef fail

enum { SLOTS = 3, DEPTH = 6, KEPT = 8, MOST_SETTINGS = 4, LIMIT = 8 << 20, PATIENCE = 5 };

/* ---- bytes ---- */

static const uint8_t *next, *end;

static uint32_t byte(void) { return next < end ? *next++ : 0; }

uint32_t below(uint32_t n) { return n <= 256 ? byte() % n : (byte() << 8 | byte()) % n; }
int chance(uint32_t n) { return below(n) == n - 1; }

int64_t extent(void)
{
    static const int8_t extents[] = {2, 1, 3, 5, 4, 2, 1, 3, 7, 9, 2, 6, 8, 17, 33, 0};
    return extents[below(sizeof extents)];
}

int64_t any_index(void) { return chance(40) ? any_integer() : ONE_OF(0, 1, 2, -1, 4, 8); }
int64_t at_least_one(void) { return chance(40) ? any_integer() : ONE_OF(2, 3, 4, 1, 6, 10); }
int64_t few(void) { return chance(40) ? any_integer() : ONE_OF(1, 2, 3, 0, 5, 9); }

int64_t any_integer(void)
{
    return ONE_OF((int64_t)1, (int64_t)2, (int64_t)0, (int64_t)-1, (int64_t)3, (int64_t)5, (int64_t)100, (int64_t)65536, (int64_t)INT32_MAX, (int64_t)1 << 40, INT64_MAX,
                  INT64_MIN, (int64_t)-2);
}

double any_number(void)
{
    return ONE_OF(0.5, 1.0, 0.0, 2.0, -1.0, 1e-3, 100.0, -0.0, 1e-300, 5e-324, 1e19, 1e30, 3.5e38, 1e160, 1.7e308, -1e160, (double)INFINITY, -(double)INFINITY, (double)NAN);
}

const char *any_text(void)
{
    return ONE_OF("lr", "1", "heads", "f64", "", "ridge", "1e-3", "inf", "nan", "-1", "qk", "blocks.0.query", "blocks.0.weight", "MESAOPT_E_SHAPE", "99999999999999999999", "0x1p3", "\xff\xfe",
                  "blocks.1.key", (char *)NULL);
}

int32_t real_type(void) { return chance(60) ? ONE_OF(MESAOPT_I64, MESAOPT_F16, 0) : ONE_OF(MESAOPT_F64, MESAOPT_F32); }

/* ---- memory ---- */

static atomic_long requests, blocks, in_use;
static long refuse_at, interrupt_at;
static mesaopt_ctx *_Atomic watched;       /* of the call that runs */

void *world_memory(void *ptr, int64_t old_size, int64_t new_size, void *user)
{
    (void)user;
    if (new_size == 0) {
        if (ptr) blocks--;
        in_use -= old_size;
        free(ptr);
        return NULL;
    }
    const long n = ++requests;
    if (n == interrupt_at && watched) mesaopt_ctx_interrupt(watched);
    if (n == refuse_at || in_use + new_size - old_size > LIMIT) return NULL;
    void *p = realloc(ptr, (size_t)new_size);
    if (!p) return NULL;
    if (!ptr) blocks++;
    in_use += new_size - old_size;
    return p;
}

/* ---- handles ---- */

static const int32_t kinds[KINDS] = {OBJECT_CTX, OBJECT_TENSOR, OBJECT_TASK, OBJECT_ATTN, OBJECT_LSQ, OBJECT_RLS, OBJECT_MODEL, OBJECT_TRAINER, OBJECT_BASELINE, OBJECT_PROBE, OBJECT_REVALG,
                                     OBJECT_LINEARISE, OBJECT_DECODER, OBJECT_PROMPT};
static const char *const makers[KINDS] = {"ctx_create", "tensor_create", "task_create", "attn_create", "lsq_plan", "rls_create", "model_create", "trainer_create", "baseline_create",
                                          "probe_plan", "revalg_extract", "linearise_create", "decoder_create", "prompt_create"};
static void *pool[KINDS][SLOTS];
static void *kept[KEPT];                   /* freed by the caller, and alive: the world holds a reference of its own */
static int keeps;

int depth;
typedef struct level {
    const char *call;                      /* being made */
    int promises, nested;                  /* nested: calls of its callbacks came between */
    mesaopt_ctx *ctx;                      /* that gets the text, and a reference; NULL: none is promised */
    clock_t start;
    void *made;                            /* the new handle, and what it is */
    enum kind kind;
    int wanted, settings;
    mesaopt_settings *given[MOST_SETTINGS];
    uint64_t print[KINDS][SLOTS];          /* of what the handles hold */
    void *printed[KINDS][SLOTS];
} level;
static level levels[DEPTH];

static const row *const tables[] = {rows_settings, rows_base, rows_models, rows_lsq, rows_study, rows_files};

static const row *row_at(int i)
{
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const row *r = tables[t]; r->name; r++)
            if (i-- == 0) return r;
    return NULL;
}

void random_row(void)
{
    static int rows;
    while (row_at(rows)) rows++;
    row_at((int)below((uint32_t)rows))->run();
}

/* While arguments of a call are being chosen: a level deeper, so that they stay. */
static void make(enum kind kind)
{
    if (depth + 1 == DEPTH) return;
    depth++;
    for (int i = 0; row_at(i); i++)
        if (strcmp(row_at(i)->name, makers[kind]) == 0) row_at(i)->run();
    depth--;
}

void *handle(enum kind kind)
{
    if (chance(200)) return NULL;
    if (chance(200)) kind = (enum kind)below(KINDS);
    if (keeps > 0 && chance(100)) return kept[below((uint32_t)keeps)];
    const uint32_t slot = chance(4) ? below(SLOTS) : 0;
    if (!pool[kind][slot]) make(kind);
    for (uint32_t i = 0; i < SLOTS; i++)
        if (pool[kind][(slot + i) % SLOTS]) return pool[kind][(slot + i) % SLOTS];
    return NULL;
}

void *fitting(enum kind kind, int (*fits)(const void *h))
{
    for (uint32_t i = 0; i < SLOTS; i++)
        if (pool[kind][i] && fits(pool[kind][i]) && !chance(8)) return pool[kind][i];
    return handle(kind);
}

void **fresh(enum kind kind)
{
    level *l = &levels[depth];
    if (chance(100)) return NULL;
    l->made = NULL, l->kind = kind, l->wanted = 1;
    return &l->made;
}

mesaopt_status free_handle(enum kind kind, void *h)
{
    switch (kind) {
    case CTX: return mesaopt_ctx_free(h);
    case TENSOR: return mesaopt_tensor_free(h);
    case TASK: return mesaopt_task_free(h);
    case ATTN: return mesaopt_attn_free(h);
    case LSQ: return mesaopt_lsq_free(h);
    case RLS: return mesaopt_rls_free(h);
    case MODEL: return mesaopt_model_free(h);
    case TRAINER: return mesaopt_trainer_free(h);
    case BASELINE: return mesaopt_baseline_free(h);
    case PROBE: return mesaopt_probe_free(h);
    case REVALG: return mesaopt_revalg_free(h);
    case LINEARISE: return mesaopt_linearise_free(h);
    case PROMPT: return mesaopt_prompt_free(h);
    default: return mesaopt_decoder_free(h);
    }
}

static void free_slot(enum kind kind, uint32_t slot)
{
    void *h = pool[kind][slot];
    pool[kind][slot] = NULL;
    if (!h) return;
    if (keeps < KEPT && chance(4)) object_retain(kept[keeps++] = h);
    if (!finalise_later(kind, h)) EXPECT(free_handle(kind, h) == MESAOPT_OK);
    fuzz_calls_made++;
}

void let_go(enum kind kind)
{
    if (chance(20)) EXPECT(free_handle(kind, NULL) == MESAOPT_OK);
    if (!fuzz_finaliser && keeps > 0 && chance(8)) EXPECT(free_handle((enum kind)below(KINDS), kept[below((uint32_t)keeps)]) == MESAOPT_E_ARGUMENT);
    free_slot(kind, below(SLOTS));
}

void adopt(enum kind kind, void *made)
{
    uint32_t slot = 0;
    while (slot < SLOTS - 1 && pool[kind][slot]) slot++;
    free_slot(kind, slot);
    pool[kind][slot] = made;
}

mesaopt_settings *given(mesaopt_settings *s)
{
    level *l = &levels[depth];
    EXPECT(l->settings < MOST_SETTINGS);
    return l->given[l->settings++] = s;
}

/* ---- what handles hold ---- */

/* What lies between the pieces of an arena counts as 0, whether they were laid out yet or not. */
#ifdef ARENA_GAPS
#include <sanitizer/asan_interface.h>
static unsigned char held(const unsigned char *p) { return __asan_address_is_poisoned(p) ? 0 : *p; }
#else
static unsigned char held(const unsigned char *p) { return *p; }
#endif

static uint64_t mix(uint64_t h, const void *data, int64_t bytes)
{
    const unsigned char *p = data;
    for (int64_t i = 0; i < bytes; i++) h = (h ^ held(p + i)) * 1099511628211u;
    return h;
}

static int is_zero(const void *data, int64_t bytes)
{
    const unsigned char *p = data;
    for (int64_t i = 0; i < bytes; i++)
        if (held(p + i)) return 0;
    return 1;
}

/* Steps and current states; rows of caches count with the steps. */
static uint64_t print_of_decoder(uint64_t x, const mesaopt_decoder *d)
{
    const kern *k = d->p.k;
    for (int64_t panel = 0; panel < d->p.count; panel++) {
        arena a = decoder_kept(d, panel);
        for (int64_t i = 0; i < d->model->n_blocks; i++) {
            const block *b = &d->model->blocks[i];
            const block_memory r = decoder_kept_take(&a, d, b);
            if (r.state[0]) x = mix(x, r.state[d->now], b->state * k->lanes * k->size);
        }
    }
    return mix(x, d->steps, d->p.count * k->lanes * 8);
}

static uint64_t print_of(enum kind kind, const void *h)
{
    const mesaopt_model *m = h;
    const mesaopt_trainer *t = h;
    const mesaopt_baseline *b = h;
    const mesaopt_probe *p = h;
    uint64_t x = 1469598103934665603u;
    if (kind == MODEL) return mix(mix(mix(x, m->params, m->n_params * m->size), m->grads, m->n_params * m->size), &m->n_blocks, 8);
    if (kind == TRAINER) {
        const int64_t bytes = t->model->n_params * t->model->size, step = atomic_load(&t->step);
        for (int64_t i = 0; i < t->model->n_table; i++)
            x = mix(mix(mix(x, &t->adam.rules[i].factor, 8), &t->adam.rules[i].decay, 4), &t->adam.rules[i].frozen_steps, 8);
        return mix(mix(mix(x, t->adam.m, bytes), t->adam.v, bytes), &step, 8);
    }
    if (kind == BASELINE) {
        const int64_t updates = atomic_load(&b->updates);
        return mix(mix(mix(x, b->coefficients, b->method->learned * b->iterations * 8), &b->value, 8), &updates, 8);
    }
    if (kind == DECODER) return print_of_decoder(x, h);
    if (kind == PROMPT) {
        const struct prompt *v = h;
        const int64_t bytes = (1 + v->seen.prefix) * v->seen.dim * 8, updates = atomic_load(&v->updates);
        return mix(mix(mix(mix(mix(x, v->seen.vectors, bytes), v->m, bytes), v->v, bytes), v->frozen, sizeof v->frozen), &updates, 8);
    }
    if (kind != PROBE) return x;
    for (int i = 0; i < PROBE_SETS; i++)
        if (p->set[i].now && !is_zero(p->set[i].now, p->set_bytes)) x = mix(x, p->set[i].now, p->set_bytes);     /* an empty set may have memory or not */
    return mix(mix(x, &p->fitted, sizeof p->fitted), p->fit.now, p->fitted ? p->fit_bytes : 0);
}

/* Takes the prints (check 0), or compares them. */
static void prints(level *l, int check)
{
    for (int k = 0; k < KINDS; k++)
        for (int i = 0; i < SLOTS; i++) {
            void *h = pool[k][i];
            if (!h || (check && h != l->printed[k][i])) continue;
            const uint64_t x = print_of((enum kind)k, h);
            if (check && x != l->print[k][i]) broken("a call failed, and a handle changed");
            l->printed[k][i] = h, l->print[k][i] = x;
        }
}

/* ---- calls ---- */

static const char untold[] = "nothing was said";

void promise(int flags) { levels[depth].promises |= flags; }
int promised(int flag) { return levels[depth].promises & flag; }

void broken(const char *what)
{
    char said[512] = "";
    if (levels[depth].ctx) last_text_get(&levels[depth].ctx->text, said);
    fprintf(stderr, "%s\n  in %s\n  which said \"%s\" (seed=%llu inputs=1)\n", what, levels[depth].call, said, (unsigned long long)fuzz_seed);
    abort();
}

void before(enum kind kind, const void *on)
{
    level *l = &levels[depth];
    if (depth > 0) levels[depth - 1].nested = 1;
    l->call = "a call that has not returned";
    l->nested = 0;
    l->ctx = NULL;
    if (handle_ok(on, (enum object_kind)kinds[kind])) {
        l->ctx = kind == CTX ? (mesaopt_ctx *)on : ((object *)on)->ctx;
        object_retain(&l->ctx->head);
        fail(l->ctx, 0, "%s", untold);
        if (chance(60)) mesaopt_ctx_interrupt(l->ctx);
    }
    prints(l, 0);
    watched = l->ctx;
    l->start = clock();
    refuse_at = chance(24) ? requests + 1 + (long)below(12) : 0;
    interrupt_at = chance(60) ? requests + 1 + (long)below(6) : 0;
}

/* Calls of every function by what came of them: a fuzzer that never gets beyond the checks of arguments tests those alone. */
static struct { const char *name; uint64_t calls, ok; } tally[512];

static void count_call(const char *call, int ok)
{
    const size_t n = strcspn(call, "(");
    size_t i = 0;
    while (tally[i].name && (strncmp(tally[i].name, call, n) != 0 || tally[i].name[n] != '(')) i++;
    EXPECT(i + 1 < sizeof tally / sizeof *tally);
    tally[i].name = call, tally[i].calls++, tally[i].ok += (uint64_t)ok;
}

void fuzz_tally(void)
{
    for (size_t i = 0; tally[i].name; i++) printf("%10llu calls %10llu done  %.*s\n", (unsigned long long)tally[i].calls, (unsigned long long)tally[i].ok, (int)strcspn(tally[i].name, "("), tally[i].name);
}

mesaopt_status after(const char *call, int64_t result)
{
    level *l = &levels[depth];
    const mesaopt_status status = (mesaopt_status)result;
    count_call(call, result >= 0);
    char said[512];
    refuse_at = interrupt_at = 0;
    watched = depth > 0 ? levels[depth - 1].ctx : NULL;
    l->call = call;
    fuzz_calls_made++;
    if (status == result) EXPECT(strcmp(mesaopt_status_name(status), "MESAOPT_UNKNOWN") != 0);
    if ((double)(clock() - l->start) > (double)PATIENCE * CLOCKS_PER_SEC) broken("the call went on after it was interrupted");
    if (l->ctx && status < 0) {
        last_text_get(&l->ctx->text, said);
        if (strcmp(said, untold) == 0 || said[0] == 0 || strchr(said, '\n')) broken("a failure without a line of text");
    }
    if (status < 0 && !l->nested && !promised(PARTIAL)) prints(l, 1);
    if (l->wanted && (status >= 0) != (l->made != NULL)) broken("a handle, and a failure; or none of either");
    views_finish(status);
    while (l->settings > 0) mesaopt_settings_free(l->given[--l->settings]);
    if (l->made) adopt(l->kind, l->made);
    if (l->ctx) object_release(&l->ctx->head);
    l->ctx = NULL, l->made = NULL, l->wanted = l->promises = 0;
    if (depth > 0) levels[depth - 1].nested = 1;
    return status;
}

mesaopt_status after_count(const char *call, int64_t count) { return after(call, count < 0 ? count : 0); }

int32_t in_callback(void)
{
    if (depth < 2 && chance(6)) {
        depth++;
        random_row();
        depth--;
    }
    if (watched && chance(20)) mesaopt_ctx_interrupt(watched);
    return chance(12);
}

/* ---- worlds ---- */

/* The clock of a call that takes long: it is interrupted, and has to end then. */
static void alarmed(int signal)
{
    mesaopt_ctx *ctx = watched;
    (void)signal;
    if (ctx) mesaopt_ctx_interrupt(ctx);
}

void world_begin(const uint8_t *data, size_t size)
{
    static int started;
    const struct itimerval tick = {{0, 50000}, {0, 50000}};
    next = data, end = data + size;
    depth = 0;
    if (!started) sigaction(SIGVTALRM, &(struct sigaction){.sa_handler = alarmed, .sa_flags = SA_RESTART}, NULL);
    if (!started) setitimer(ITIMER_VIRTUAL, &tick, NULL);
    started = 1;
    files_begin();
}

int world_goes_on(void) { return next < end; }

static atomic_long loans;

static void take_back(void *user)
{
    atomic_fetch_sub(&loans, 1);
    free(user);                        /* a second time is seen by the allocator */
}

loan lend(void)
{
    if (chance(3)) return (loan){NULL, NULL};
    return (loan){take_back, malloc(1)};
}

void lent(const loan *l, mesaopt_status status)
{
    if (status < 0) free(l->user);
    else if (l->release) atomic_fetch_add(&loans, 1);
}

void world_end(void)
{
    next = end;
    for (int k = 0; k < KINDS; k++)
        for (uint32_t i = 0; i < SLOTS; i++) free_slot((enum kind)k, i);
    finalise_all();
    while (keeps > 0) object_release(kept[--keeps]);
    files_end();
    levels[0].call = "the end of all handles";
    EXPECT(blocks == 0 && in_use == 0);
    EXPECT(atomic_load(&loans) == 0);
}
