/* Random calls of attention, least squares and recursive least squares. */
#include "calls.h"
#include "base/object.h"
#include "mesa/lsq_plan.h"
#include "rls/streams.h"

/* ---- attention ---- */

static void call_attn_create(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(chance(2) ? MESAOPT_SCOPE_LINEAR : MESAOPT_SCOPE_SOFTMAX);
    mesaopt_attn **out = (mesaopt_attn **)fresh(ATTN);
    CALL(CTX, ctx, mesaopt_attn_create(ctx, s, out));
}

static void call_attn_workspace(void)
{
    const mesaopt_attn *a = handle(ATTN);
    const int32_t type = real_type();
    const int64_t B = few(), T = few(), H = few(), d = few(), dv = few();
    int64_t *bytes = integer_out();
    CALL(ATTN, a, mesaopt_attn_workspace(a, type, B, T, H, d, dv, bytes));
}

static void call_attn_forward(void)
{
    mesaopt_attn *a = handle(ATTN);
    const int64_t B = extent(), T = extent(), H = extent(), d = extent(), dv = extent();
    const int32_t type = real_type();
    const mesaopt_view *q = IN(type, B, T, H, d), *k = IN(type, B, T, H, d), *v = IN(type, B, T, H, dv), *out = OUT(type, B, T, H, dv);
    CALL(ATTN, a, mesaopt_attn_forward(a, q, k, v, out));
}

static void call_attn_backward(void)
{
    mesaopt_attn *a = handle(ATTN);
    const int64_t B = extent(), T = extent(), H = extent(), d = extent(), dv = extent();
    const int32_t type = real_type();
    const mesaopt_view *q = IN(type, B, T, H, d), *k = IN(type, B, T, H, d), *v = IN(type, B, T, H, dv), *dout = IN(type, B, T, H, dv);
    const mesaopt_view *dq = OUT(type, B, T, H, d), *dk = OUT(type, B, T, H, d), *dV = OUT(type, B, T, H, dv);
    CALL(ATTN, a, mesaopt_attn_backward(a, q, k, v, dout, dq, dk, dV));
}

/* ---- least squares ---- */

static void call_lsq_plan(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const mesaopt_settings *s = settings(MESAOPT_SCOPE_LSQ);
    const int64_t d = chance(8) ? few() : 1 + below(4), dv = chance(8) ? few() : 1 + below(3);
    mesaopt_lsq **out = (mesaopt_lsq **)fresh(LSQ);
    CALL(CTX, ctx, mesaopt_lsq_plan(ctx, s, d, dv, out));
}

static void call_lsq_workspace(void)
{
    const mesaopt_lsq *l = handle(LSQ);
    const int32_t type = real_type();
    const int64_t B = few(), T = few(), H = few(), N = chance(2) ? 0 : few();
    int64_t *bytes = integer_out();
    CALL(LSQ, l, mesaopt_lsq_workspace(l, type, B, T, H, N, chance(2), bytes));
}

typedef struct extents { int64_t B, T, H, N, d, dv; int32_t type; } extents;

static extents choose(const mesaopt_lsq *l, int offsets)
{
    extents e = {extent(), extent(), extent(), 0, 2, 1, real_type()};
    if (offsets) e.B = 1;
    e.N = offsets ? extent() : e.B;
    if (handle_ok(l, OBJECT_LSQ)) e.d = l->d, e.dv = l->dv;
    return e;
}

static const mesaopt_view *operand_of(int32_t which, const extents *e, int adjoint)
{
    switch (which) {
    case MESAOPT_LSQ_BETA: return IN_OF(UNIT, e->type, e->B, e->T, e->H);
    case MESAOPT_LSQ_LOG_GAMMA: return IN_OF(GATES, e->type, e->B, e->T, e->H);
    case MESAOPT_LSQ_RIDGE: return IN_OF(RIDGES, e->type, e->H, e->d);
    case MESAOPT_LSQ_H0: return IN_OF(SEMIDEFINITE, e->type, e->N, e->H, e->d, e->d);
    case MESAOPT_LSQ_S0: case MESAOPT_LSQ_D_S_LAST: return IN(e->type, e->N, e->H, e->d, e->dv);
    case MESAOPT_LSQ_OFFSETS: reach = e->T; return IN_OF(OFFSETS, MESAOPT_I64, e->N + 1);
    case MESAOPT_LSQ_H_LAST: case MESAOPT_LSQ_D_H0: return OUT(e->type, e->N, e->H, e->d, e->d);
    case MESAOPT_LSQ_S_LAST: case MESAOPT_LSQ_D_S0: return OUT(e->type, e->N, e->H, e->d, e->dv);
    case MESAOPT_LSQ_SOLUTION: return adjoint ? IN(e->type, e->B, e->T, e->H, e->d) : OUT(e->type, e->B, e->T, e->H, e->d);
    case MESAOPT_LSQ_D_H_LAST: return IN(e->type, e->N, e->H, e->d, e->d);
    case MESAOPT_LSQ_D_RIDGE: return OUT(e->type, e->H, e->d);
    default: return OUT(e->type, e->B, e->T, e->H);    /* certificates, gradients of gates */
    }
}

enum { OPERANDS = 8 };

/* A random choice of operands; with offsets first when there are any. */
static int64_t operands_of(const extents *e, int offsets, int adjoint, int32_t *which, mesaopt_view *views)
{
    static const int32_t forward[] = {MESAOPT_LSQ_BETA, MESAOPT_LSQ_LOG_GAMMA, MESAOPT_LSQ_RIDGE, MESAOPT_LSQ_H0, MESAOPT_LSQ_S0, MESAOPT_LSQ_H_LAST, MESAOPT_LSQ_S_LAST, MESAOPT_LSQ_SOLUTION,
                                      MESAOPT_LSQ_RESIDUAL, MESAOPT_LSQ_ITERATIONS, MESAOPT_LSQ_CONDITION};
    static const int32_t back[] = {MESAOPT_LSQ_BETA, MESAOPT_LSQ_LOG_GAMMA, MESAOPT_LSQ_RIDGE, MESAOPT_LSQ_H0, MESAOPT_LSQ_S0, MESAOPT_LSQ_D_H_LAST, MESAOPT_LSQ_D_S_LAST, MESAOPT_LSQ_D_BETA,
                                   MESAOPT_LSQ_D_LOG_GAMMA, MESAOPT_LSQ_D_RIDGE, MESAOPT_LSQ_D_H0, MESAOPT_LSQ_D_S0, MESAOPT_LSQ_RESIDUAL};
    const int32_t *list = adjoint ? back : forward, length = adjoint ? 13 : 11;
    int64_t count = 0;
    if (offsets) which[count] = MESAOPT_LSQ_OFFSETS, views[count] = copy_of(operand_of(MESAOPT_LSQ_OFFSETS, e, adjoint)), count++;
    for (int32_t i = (int32_t)below(3); i < length && count < OPERANDS; i += 1 + (int32_t)below(6)) {
        which[count] = chance(100) ? (int32_t)few() : list[i];
        views[count] = copy_of(operand_of(which[count], e, adjoint));
        count++;
    }
    return chance(100) ? ONE_OF((int64_t)-1, (int64_t)99, INT64_MAX) : count;
}

static void call_lsq_forward(void)
{
    mesaopt_lsq *l = handle(LSQ);
    const int offsets = chance(4);
    const extents e = choose(l, offsets);
    int32_t which[OPERANDS] = {0};
    mesaopt_view views[OPERANDS] = {{0}};
    const mesaopt_view *q = IN(e.type, e.B, e.T, e.H, e.d), *k = IN(e.type, e.B, e.T, e.H, e.d), *v = IN(e.type, e.B, e.T, e.H, e.dv), *out = OUT(e.type, e.B, e.T, e.H, e.dv);
    const int64_t count = operands_of(&e, offsets, 0, which, views);
    CALL(LSQ, l, mesaopt_lsq_forward(l, q, k, v, out, count, which, views));
}

static void call_lsq_adjoint(void)
{
    mesaopt_lsq *l = handle(LSQ);
    const int offsets = chance(4);
    const extents e = choose(l, offsets);
    int32_t which[OPERANDS] = {0};
    mesaopt_view views[OPERANDS] = {{0}};
    const mesaopt_view *q = IN(e.type, e.B, e.T, e.H, e.d), *k = IN(e.type, e.B, e.T, e.H, e.d), *v = IN(e.type, e.B, e.T, e.H, e.dv), *dout = IN(e.type, e.B, e.T, e.H, e.dv);
    const mesaopt_view *dq = OUT(e.type, e.B, e.T, e.H, e.d), *dk = OUT(e.type, e.B, e.T, e.H, e.d), *dv = OUT(e.type, e.B, e.T, e.H, e.dv);
    const int64_t count = operands_of(&e, offsets, 1, which, views);
    CALL(LSQ, l, mesaopt_lsq_adjoint(l, q, k, v, dout, dq, dk, dv, count, which, views));
}

/* ---- recursive least squares ---- */

typedef struct state { int64_t streams, d, dv; int apart, known; } state;   /* apart: outputs have sums of their own */

static state state_of(const mesaopt_rls *r)
{
    if (handle_ok(r, OBJECT_RLS)) return (state){r->streams, r->p.d, r->options.dv, r->options.missing == MISSING_OUTPUT, 1};
    return (state){1, 2, 1, 0, 0};
}

static void call_rls_create(void)
{
    mesaopt_lsq *l = handle(LSQ);
    const int64_t streams = chance(8) ? few() : 1 + below(3), d = handle_ok(l, OBJECT_LSQ) ? l->d : 2;
    const mesaopt_view *ridge = chance(3) ? IN_OF(RIDGES, real_type(), streams > 0 && streams < 9 ? streams : 1, d) : NULL;
    mesaopt_rls **out = (mesaopt_rls **)fresh(RLS);
    CALL(LSQ, l, mesaopt_rls_create(l, streams, ridge, out));
}

static void call_rls_update(void)
{
    mesaopt_rls *r = handle(RLS);
    const state s = state_of(r);
    const int64_t T = extent();
    const mesaopt_view *k = IN(real_type(), T, s.streams, s.d), *v = IN(real_type(), T, s.streams, s.dv);
    const mesaopt_view *beta = chance(3) ? IN_OF(UNIT, real_type(), T, s.streams) : NULL, *gates = chance(3) ? IN_OF(GATES, real_type(), T, s.streams) : NULL;
    CALL(RLS, r, mesaopt_rls_update(r, k, v, beta, gates));
}

static void call_rls_predict(void)
{
    mesaopt_rls *r = handle(RLS);
    const state s = state_of(r);
    const int64_t T = extent();
    const mesaopt_view *q = IN(real_type(), T, s.streams, s.d), *out = OUT(real_type(), T, s.streams, s.dv), *error = chance(2) ? OUT(real_type(), T, s.streams, s.dv) : NULL;
    if (error) promise(MAY_BE_NAN);
    CALL(RLS, r, mesaopt_rls_predict(r, q, out, error));
}

static void call_rls_step(void)
{
    mesaopt_rls *r = handle(RLS);
    const state s = state_of(r);
    const int64_t T = extent();
    const mesaopt_view *q = IN(real_type(), T, s.streams, s.d), *k = IN(real_type(), T, s.streams, s.d), *v = IN(real_type(), T, s.streams, s.dv);
    const mesaopt_view *beta = chance(3) ? IN_OF(UNIT, real_type(), T, s.streams) : NULL, *gates = chance(3) ? IN_OF(GATES, real_type(), T, s.streams) : NULL;
    const mesaopt_view *out = OUT(real_type(), T, s.streams, s.dv);
    promise(PARTIAL);                  /* rows are in when a prediction is not finite */
    CALL(RLS, r, mesaopt_rls_step(r, q, k, v, beta, gates, out));
}

static void call_rls_merge(void)
{
    mesaopt_rls *r = handle(RLS), *from = handle(RLS);
    CALL(RLS, r, mesaopt_rls_merge(r, from));
}

static void call_rls_clear(void)
{
    mesaopt_rls *r = handle(RLS);
    CALL(RLS, r, mesaopt_rls_clear(r));
}

enum { PARTS = MESAOPT_RLS_MISSING };

static const mesaopt_view *part(int32_t which, const state *s, int set)
{
    const int64_t n = s->streams, d = s->d, dv = s->dv;
    const int32_t type = real_type();
    switch (which) {
    case MESAOPT_RLS_KEY_STATE:
        if (s->apart) return set ? IN_OF(SEMIDEFINITE, type, n, dv, d, d) : OUT(type, n, dv, d, d);
        return set ? IN_OF(SEMIDEFINITE, type, n, d, d) : OUT(type, n, d, d);
    case MESAOPT_RLS_VALUE_STATE: return set ? IN(type, n, d, dv) : OUT(type, n, d, dv);
    case MESAOPT_RLS_ROWS: return set ? IN_OF(UNIT, type, n) : OUT(type, n);
    case MESAOPT_RLS_WEIGHT:
        if (!s->apart) return set ? IN_OF(UNIT, type, n) : OUT(type, n);
        /* fallthrough */
    default: return set ? IN_OF(UNIT, type, n, dv) : OUT(type, n, dv);
    }
}

static void call_rls_get(void)
{
    mesaopt_rls *r = handle(RLS);
    const state s = state_of(r);
    int32_t which[PARTS];
    mesaopt_view views[PARTS];
    const int64_t count = below(PARTS + 1);
    for (int i = 0; i < count; i++) which[i] = chance(20) ? (int32_t)few() : 1 + (i + 2) % PARTS, views[i] = copy_of(part(which[i], &s, 0));
    promise(MAY_BE_NAN);
    CALL(RLS, r, mesaopt_rls_get(r, count, which, views));
}

static void call_rls_set(void)
{
    mesaopt_rls *r = handle(RLS);
    const state s = state_of(r);
    int32_t which[PARTS];
    mesaopt_view views[PARTS];
    const int64_t count = chance(4) ? below(PARTS + 1) : 4;
    for (int i = 0; i < count; i++) which[i] = chance(40) ? (int32_t)few() : 1 + i, views[i] = copy_of(part(which[i], &s, 1));
    CALL(RLS, r, mesaopt_rls_set(r, count, which, views));
}

const row rows_lsq[] = {
    {"attn_create", call_attn_create}, {"attn_workspace", call_attn_workspace}, {"attn_forward", call_attn_forward}, {"attn_backward", call_attn_backward},
    {"lsq_plan", call_lsq_plan}, {"lsq_workspace", call_lsq_workspace}, {"lsq_forward", call_lsq_forward}, {"lsq_adjoint", call_lsq_adjoint},
    {"rls_create", call_rls_create}, {"rls_update", call_rls_update}, {"rls_predict", call_rls_predict}, {"rls_step", call_rls_step}, {"rls_merge", call_rls_merge}, {"rls_clear", call_rls_clear},
    {"rls_get", call_rls_get}, {"rls_set", call_rls_set}, {0},
};
