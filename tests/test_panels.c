/* The panel engine: every head of a batch in one lane of one panel, whatever the strides; shards; operands by table. */
#include "kern/operands.h"
#include "contexts.h"
#include <math.h>

enum { MOST = 1 << 14 };

/* What stands at sequence b, row t, head h, column c. */
static double number(int64_t b, int64_t t, int64_t h, int64_t c) { return (double)(1 + c + 10 * (h + 20 * (t + 20 * b))); }

static uint64_t state = 1;
static int64_t below(int64_t n) { return (int64_t)((state = state * 6364136223846793005u + 1442695040888963407u) >> 33) % n; }

/* A view [B, T, H, n] over `data` with its axes in a random order, a gap after each, and rows that may run backwards. */
static mesaopt_view scattered(void *data, int32_t dtype, int64_t B, int64_t T, int64_t H, int64_t n, int backwards)
{
    mesaopt_view v = {.data = data, .shape = {B, T, H, n}, .ndim = 4, .dtype = dtype};
    int order[] = {0, 1, 2, 3};
    int64_t stride = 1;
    for (int i = 3; i > 0; i--) {
        const int j = (int)below(i + 1), keep = order[i];
        order[i] = order[j], order[j] = keep;
    }
    for (int i = 0; i < 4; i++) v.stride[order[i]] = stride, stride = stride * v.shape[order[i]] + below(2);
    ck_assert_int_le(stride, MOST);
    if (!backwards) return v;
    v.data = (char *)data + (T - 1) * v.stride[1] * dtype_size(dtype), v.stride[1] = -v.stride[1];
    return v;
}

static void fill_view(const mesaopt_view *v)
{
    int64_t at[MESAOPT_MAX_RANK] = {0};
    for (int64_t left = view_count(v); left > 0; left--, view_next(v, at)) view_set(v, at, number(at[0], at[1], at[2], at[3]));
}

/* One panel after the other: what its lanes hold is where it belongs, and goes to where it belongs. */
static void check_panels(const panels *p, const mesaopt_view *x, const mesaopt_view *y)
{
    const kern *k = p->k;
    const int64_t T = x->shape[1], n = x->shape[3], rs = n + below(3);
    static _Alignas(64) double memory[16 * MOST];
    for (int64_t i = 0; i < p->count; i++) {
        int64_t b, h;
        memset(memory, 0xff, sizeof memory);
        panels_holds(p, i, &b, &h);
        panels_load(p, slab_of(x, "bthd"), i, (mat){memory, rs, 1});
        for (int64_t t = 0; t < T; t++)
            for (int64_t c = 0; c < n; c++)
                for (int64_t l = 0; l < k->lanes; l++)
                    ck_assert_double_eq(kern_real(k, memory, (t * rs + c) * k->lanes + l),
                                        l >= panels_valid(p, i) ? 0 : p->along ? number(b, t, h + l, c) : number(b + l, t, h, c));
        panels_store(p, slab_of(y, "bthd"), i, (mat){memory, rs, 1});
    }
}

START_TEST(every_head_has_one_lane)
{
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 1);
        for (int i = 0; ctx && i < 300; i++) {
            static double from[MOST], to[MOST];
            const int32_t dtype = below(2) ? MESAOPT_F32 : MESAOPT_F64;
            const int64_t B = below(20), T = 1 + below(5), H = below(20), n = below(9);
            const mesaopt_view x = scattered(from, dtype, B, T, H, n, 1), y = scattered(to, dtype, B, T, H, n, 0);
            fill_view(&x);
            memset(to, 0, sizeof to);
            const panels p = panels_plan(ctx, dtype, below(3), B, H, T, 0);
            check_panels(&p, &x, &y);
            int64_t at[MESAOPT_MAX_RANK] = {0}, held = 0;
            for (int64_t left = view_count(&y); left > 0; left--, view_next(&y, at))
                ck_assert_double_eq(view_get(&y, at), number(at[0], at[1], at[2], at[3]));
            for (int64_t j = 0; j < p.count; j++) held += panels_valid(&p, j);
            ck_assert_int_eq(held, B * H);
        }
        if (ctx) mesaopt_ctx_free(ctx);
    }
}
END_TEST

/* Few, long or wide ones go one by one, unless told. */
START_TEST(lanes_follow_the_rule)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_BASELINE, 1);
    const int32_t width = kern_get(ctx, MESAOPT_F32, 0)->width;
    ck_assert_int_eq(panels_kern(ctx, MESAOPT_F32, 0, width / 2, 8, 0)->lanes, 1);
    ck_assert_int_eq(panels_kern(ctx, MESAOPT_F32, 0, width / 2 + 1, 1024, 0)->lanes, width);
    ck_assert_int_eq(panels_kern(ctx, MESAOPT_F32, 0, 99, 1025, 0)->lanes, 1);
    ck_assert_int_eq(panels_kern(ctx, MESAOPT_F32, 0, 99, 8, 1)->lanes, 1);
    ck_assert_int_eq(panels_kern(ctx, MESAOPT_F32, 1, 99, 8, 0)->lanes, 1);
    ck_assert_int_eq(panels_kern(ctx, MESAOPT_F32, 2, 1, 9999, 1)->lanes, width);
    ck_assert_int_eq(panels_plan(ctx, MESAOPT_F32, 2, 3, 9, 8, 0).along, 1);
    ck_assert_int_eq(panels_plan(ctx, MESAOPT_F32, 2, 9, 9, 8, 0).along, 0);
    mesaopt_ctx_free(ctx);
}
END_TEST

typedef struct seen { atomic_int panels[100], inside[100], wrong; int64_t worker; mesaopt_ctx *stopped; char *shared; } seen;
static void see(void *job, arena worker, int64_t shard, int64_t first, int64_t end)
{
    seen *s = job;
    char *own = arena_take(&worker, 1, s->worker);
    atomic_int *inside = (atomic_int *)own;
    if (((uintptr_t)own | (uintptr_t)s->shared) & 63 || own < s->shared + 100 || atomic_fetch_add(inside, 1)) s->wrong = 1;
    for (int64_t p = first; p < end; p++) atomic_fetch_add(&s->panels[p], 1), s->shared[p] = (char)(1 + shard);
    if (s->stopped) mesaopt_ctx_interrupt(s->stopped);
    atomic_fetch_sub(inside, 1);
}

START_TEST(shards_take_panels_in_order)
{
    for (int threads = 1; threads <= 5; threads += 2) {
        mesaopt_ctx *ctx = context_at(MESAOPT_ISA_BASELINE, threads);
        panel_memory m = {NULL, 0};
        arena one = {0};
        arena_take(&one, 1, 64);
        for (int64_t shards = 1; shards <= 100; shards += 33) {
            const panel_run r = {.panels = 100, .shards = shards, .shared = 128, .worker = one.used};
            arena all = {0};
            arena_take(&all, 128, 1);
            arena_take(&all, shards < threads ? shards : threads, one.used);
            ck_assert_int_eq(panels_bytes(ctx, &r), all.used);
            ck_assert_int_eq(panels_reserve(ctx, &m, panels_bytes(ctx, &r), "test"), MESAOPT_OK);
            static seen s;
            s = (seen){.worker = 64, .shared = panels_shared(&m)};
            ck_assert_int_eq(panels_run(ctx, &r, &m, see, &s, "test"), MESAOPT_OK);
            for (int64_t p = 0; p < 100; p++) ck_assert(s.panels[p] == 1 && s.shared[p] >= (p ? s.shared[p - 1] : 1));
            ck_assert(!s.wrong && s.shared[99] == shards);
            s.stopped = ctx;
            ck_assert_int_eq(panels_run(ctx, &r, &m, see, &s, "test"), MESAOPT_E_INTERRUPTED);
            atomic_store(&ctx->interrupted, 0);
        }
        const panel_run over = {.panels = 1, .shards = 1, .worker = -1};
        void *before = m.memory;
        ck_assert_int_eq(panels_reserve(ctx, &m, panels_bytes(ctx, &over), "test"), MESAOPT_E_MEMORY);
        ck_assert_ptr_eq(m.memory, before);
        ck_assert_int_eq(panels_reserve(ctx, &m, 1, "test"), MESAOPT_OK);
        ck_assert_ptr_eq(m.memory, before);
        alloc_free(&ctx->alloc, m.memory);
        mesaopt_ctx_free(ctx);
    }
}
END_TEST

typedef struct parts { int64_t first[7], end[7]; } parts;
static void note(void *job, arena worker, int64_t shard, int64_t first, int64_t end)
{
    (void)worker;
    ((parts *)job)->first[shard] = first, ((parts *)job)->end[shard] = end;
}

/* Each a seventh, and no product overflows. */
START_TEST(many_panels_are_shared_out)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_BASELINE, 1);
    const panel_run r = {.panels = INT64_MAX / 3, .shards = 7};
    const panel_memory m = {NULL, 0};
    parts p;
    ck_assert_int_eq(panels_run(ctx, &r, &m, note, &p, "test"), MESAOPT_OK);
    for (int i = 0; i < 7; i++) {
        ck_assert_int_eq(p.first[i], i ? p.end[i - 1] : 0);
        ck_assert_int_le(llabs(p.end[i] - p.first[i] - r.panels / 7), 1);
    }
    ck_assert_int_eq(p.end[6], r.panels);
    mesaopt_ctx_free(ctx);
}
END_TEST

typedef struct mats { mat x, y; void *state; } mats;
static const operand table[] = {{"x", "bthd", FORWARD_IN | IN_PLACE, offsetof(mats, x)},
                                {"state", "nhdd", FORWARD_OUT, offsetof(mats, state)},
                                {"y", "bth", FORWARD_OUT | IN_PLACE, offsetof(mats, y)},
                                {"back", "bth", BACKWARD_OUT, offsetof(mats, y)}};

/* What is counted is what is taken; of one lane, what has adjacent columns stays where it is; what is written is looked at. */
START_TEST(operands_come_from_the_table)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_BASELINE, 1);
    static _Alignas(64) double x[240], y[60], z[240], memory[4096];
    const mesaopt_view views[] = {{.data = x, .shape = {3, 5, 4, 4}, .stride = {80, 16, 4, 1}, .ndim = 4, .dtype = MESAOPT_F64},
                                  {.data = z, .shape = {3, 4, 4, 4}, .stride = {64, 16, 4, 1}, .ndim = 4, .dtype = MESAOPT_F64},
                                  {.data = y, .shape = {3, 5, 4}, .stride = {20, 4, 1}, .ndim = 3, .dtype = MESAOPT_F64}};
    for (int one = 1; one <= 2; one++) {
        operands o, counted;
        operands_begin(&o, ctx, table, 4, 0);
        operands_begin(&counted, ctx, table, 4, 0);
        operands_set_extent(&o, 'n', 3);
        ck_assert(operand_used(&o, 0) && operand_used(&o, 1) && operand_used(&o, 2) && !operand_used(&o, 3));
        for (int i = 0; i < 3; i++) ck_assert_int_eq(operands_take(&o, i, &views[i]), MESAOPT_OK);
        for (int i = 0; i < 26; i++) counted.extent[i] = o.extent[i];
        for (int i = 0; i < 3; i++) operands_count(&counted, i);
        const panels p = panels_plan(ctx, MESAOPT_F64, one, 3, 4, 5, 0);
        const piece at = {.panel = 1, .rows = 5};
        arena dry = {0}, most = {0}, a = {(char *)memory, 0};
        mats m = {.y = {NULL, 0, 0}}, none = m;
        operands_lay_out(&o, &p, &at, &dry, &none);
        operands_lay_out(&counted, &p, &at, &most, &none);
        ck_assert(!none.x.p && !none.state);
        operands_lay_out(&o, &p, &at, &a, &m);
        ck_assert_int_eq(a.used, dry.used);
        const int64_t columns[] = {5 * 4, 4 * 4, 5};
        arena expected = {0};
        for (int i = 0; i < 3; i++) arena_take(&expected, columns[i], p.k->lanes * 8);
        ck_assert_int_eq(most.used, expected.used);
        ck_assert_int_eq((char *)m.x.p >= (char *)x && (char *)m.x.p < (char *)(x + 240), one == 1);
        ck_assert_int_eq(operands_store(&o, &p, &at, &m), 1);
        kern_set_real(p.k, m.y.p, 3 * m.y.rs * p.k->lanes, INFINITY);
        ck_assert_int_eq(operands_store(&o, &p, &at, &m), 0);
        int64_t where[MESAOPT_MAX_RANK], b, h;
        panels_holds(&p, 1, &b, &h);
        ck_assert_int_eq(operands_nonfinite(&o, where), 2);
        ck_assert(where[0] == b && where[1] == 3 && where[2] == h);
        memset(y, 0, sizeof y);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_panels_suite(void)
{
    Suite *s = suite_create("panels");
    TCase *c = tcase_create("panels");
    tcase_add_test(c, every_head_has_one_lane);
    tcase_add_test(c, lanes_follow_the_rule);
    tcase_add_test(c, shards_take_panels_in_order);
    tcase_add_test(c, many_panels_are_shared_out);
    tcase_add_test(c, operands_come_from_the_table);
    suite_add_tcase(s, c);
    return s;
}
