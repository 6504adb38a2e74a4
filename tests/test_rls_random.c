/* mesaopt_rls in random sequences of calls against a direct solution from the list of all rows (rls_oracle.h): what comes with MESAOPT_OK is as
 * exact as rls.h promises, whatever was done before. */
#include "contexts.h"
#include "random_count.h"
#include "rls_oracle.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { MOST_D = 8, MOST_DV = 3, MOST_ROWS = 4096, CALL = 40 };

typedef struct lcg { uint64_t state; } lcg;

static double uniform(lcg *g)
{
    g->state = g->state * 6364136223846793005u + 1442695040888963407u;
    return (double)(g->state >> 11) * 0x1p-53;
}
static int below(lcg *g, int n) { return (int)(uniform(g) * n); }
static double normal(lcg *g)
{
    const double r = sqrt(-2 * log(1 - uniform(g)));
    return r * cos(6.283185307179586 * uniform(g));
}

/* What the data of one sequence is like. */
typedef struct nature {
    int d, dv, window, dtype, gates, weights, missing;
    double gamma, key_scale[MOST_D], key_offset, collinear, value_offset, value_scale, noise, ridge[MOST_D], map[MOST_D][MOST_DV];
} nature;

static const double offsets[] = {0, 0, 1, 1e3, 1e5};

static nature draw_nature(lcg *g)
{
    nature n = {.d = 1 + below(g, MOST_D), .dv = 1 + below(g, MOST_DV), .window = below(g, 3) ? 0 : 1 + below(g, 30), .gates = below(g, 4),
                .weights = below(g, 4)};
    const double scale = pow(10, floor(24 * uniform(g)) - 12), ridge = pow(10, 12 * uniform(g) - 10);
    const int apart = below(g, 3) == 0;
    n.dtype = below(g, 5) ? MESAOPT_F64 : MESAOPT_F32;
    n.gamma = below(g, 3) ? 1 : 1 - pow(10, -1 - 3 * uniform(g));
    n.key_offset = offsets[below(g, 5)];
    n.collinear = below(g, 4) ? 1 : pow(10, -5 * uniform(g));
    n.value_offset = n.dtype == MESAOPT_F32 || below(g, 2) ? 0 : pow(10, floor(9 * uniform(g)));
    n.value_scale = pow(10, floor(12 * uniform(g)) - 6);
    n.noise = below(g, 4) ? pow(10, -3 * uniform(g)) : 0;
    for (int i = 0; i < n.d; i++) {
        n.key_scale[i] = scale * (apart ? pow(10, 6 * uniform(g) - 3) : 1);
        n.ridge[i] = ridge * n.key_scale[i] * n.key_scale[i];
        for (int j = 0; j < n.dv; j++) n.map[i][j] = normal(g) / n.key_scale[i];
    }
    return n;
}

/* A handle and all its rows. */
typedef struct list {
    mesaopt_rls *rls;
    int64_t rows;
    int set;                       /* what was forgotten before is not known to the handle, and so to no other one */
    double k[MOST_ROWS * MOST_D], v[MOST_ROWS * MOST_DV], beta[MOST_ROWS], log_gate[MOST_ROWS];
} list;

typedef struct sequence {
    nature n;
    lcg g;
    mesaopt_ctx *ctx;
    mesaopt_lsq *plan;
    list *l[2];
    int call;
    char history[256];
    double worst[2];               /* errors beside what is promised */
    int said, silent;
} sequence;

static double as_held(const nature *n, double x) { return n->dtype == MESAOPT_F32 ? (double)(float)x : x; }

static void draw_row(sequence *s, list *l)
{
    const nature *n = &s->n;
    double *k = l->k + l->rows * n->d, *v = l->v + l->rows * n->dv;
    const double common = normal(&s->g);
    for (int i = 0; i < n->d; i++)
        k[i] = as_held(n, n->key_scale[i] * (n->key_offset + (1 - n->collinear) * common + n->collinear * normal(&s->g)));
    for (int j = 0; j < n->dv; j++) {
        double fit = 0;
        for (int i = 0; i < n->d; i++) fit += k[i] * n->map[i][j];
        v[j] = as_held(n, n->value_scale * (fit + n->noise * normal(&s->g) + n->value_offset));
        if (n->missing && (l->rows * 2654435761u + (unsigned)j * 40503u) >> 7 & 3) continue;
        if (n->missing) v[j] = NAN;
    }
    const double weights[] = {1, below(&s->g, 4), pow(10, 6 * uniform(&s->g) - 3), 2 * uniform(&s->g)};
    const double gate = below(&s->g, 40) == 0 ? -INFINITY : below(&s->g, 3) ? 0 : -pow(10, -4 * uniform(&s->g));
    l->beta[l->rows] = as_held(n, weights[n->weights]);
    l->log_gate[l->rows] = n->gates ? log(n->gamma) : as_held(n, gate);
    l->rows++;
}

/* Of outputs first .. first + count - 1; of one alone when values are missing. */
static oracle solve_list(const sequence *s, const list *l, int first, int count)
{
    const nature *n = &s->n;
    const int64_t from = n->window && l->rows > n->window ? l->rows - n->window : 0;
    wide *weight = malloc((size_t)(l->rows + 1) * sizeof *weight), gate = 1;
    double *v = malloc((size_t)(l->rows * count + 1) * sizeof *v);
    for (int64_t t = l->rows - 1; t >= from; t--) {
        memcpy(v + t * count, l->v + t * n->dv + first, (size_t)count * sizeof *v);
        weight[t] = isnan(v[t * count]) ? 0 : gate * l->beta[t];
        if (l->log_gate[t] != 0) gate *= (wide)expl((long double)l->log_gate[t]);
    }
    const oracle o = oracle_of(&(oracle_rows){n->d, count, l->rows - from, l->k + from * n->d, v + from * count, n->ridge, weight + from});
    free(weight), free(v);
    return o;
}

typedef struct block { double wide[CALL * MOST_D]; float narrow[CALL * MOST_D]; mesaopt_view view; } block;

/* x [T][1][width], or [T][1] for a width of 0, of the sequence's type; NULL: to be filled */
static const mesaopt_view *block_of(const sequence *s, block *b, const double *x, int64_t T, int64_t width)
{
    const int64_t count = T * (width ? width : 1);
    void *data = s->n.dtype == MESAOPT_F32 ? (void *)b->narrow : b->wide;
    for (int64_t i = 0; x && i < count; i++) b->wide[i] = x[i], b->narrow[i] = (float)x[i];
    b->view = width ? DENSE(data, s->n.dtype, T, 1, width) : DENSE(data, s->n.dtype, T, 1);
    return &b->view;
}
static double block_at(const sequence *s, const block *b, int64_t i) { return s->n.dtype == MESAOPT_F32 ? (double)b->narrow[i] : b->wide[i]; }

static void draw_query(sequence *s, double *q)
{
    const int far = below(&s->g, 3) == 0;
    for (int i = 0; i < s->n.d; i++) q[i] = as_held(&s->n, s->n.key_scale[i] * (far ? 100 * normal(&s->g) : s->n.key_offset + normal(&s->g)));
}

/* What rls.h promises of outputs first .. first + count - 1; returns what their condition costs. */
static double check_outputs(sequence *s, const list *l, const double *q, const block *out, const block *error, mesaopt_status status, int first, int count)
{
    const nature *n = &s->n;
    double want[MOST_DV], deviation[MOST_DV], length, leverage;
    oracle o = solve_list(s, l, first, count);
    oracle_predict(&o, q, want, deviation, &length, &leverage);
    const double lost = n->d * o.condition * (n->window ? 0x1p-42 : 0x1p-46);
    for (int j = 0; j < count && status == MESAOPT_OK; j++) {
        const double ulp = n->dtype == MESAOPT_F32 ? 0x1p-23 : 0, x = block_at(s, out, first + j);
        const double may = lost * (o.fit + sqrt((double)o.squares[j])) * length + ulp * fabs(want[j]) + 1e-300;
        s->worst[0] = fmax(s->worst[0], fabs(x - want[j]) / may);
        if (!error) continue;
        const double e = block_at(s, error, first + j), rms = o.total > 0 ? sqrt((double)(o.squares[j] / o.total)) : 0;
        const double allowed = deviation[j] * (1e-6 + lost + ulp) + 0x1p-46 * sqrt(o.condition) * rms * leverage + 1e-300;
        if (o.total > 0) s->worst[1] = fmax(s->worst[1], fabs(e - deviation[j]) / allowed);
    }
    oracle_free(&o);
    return lost;
}

static void check(sequence *s, const list *l, const double *q, const block *out, const block *error, mesaopt_status status)
{
    double lost = 0;
    const int count = s->n.missing ? 1 : s->n.dv;
    for (int j = 0; j < s->n.dv; j += count) lost = fmax(lost, check_outputs(s, l, q, out, error, status, j, count));
    if (status != MESAOPT_NOT_CONVERGED) return;
    s->said++;
    char text[256];
    mesaopt_ctx_error(s->ctx, text, sizeof text);
    if (lost < 1e-3 && !strstr(text, "standard errors")) s->silent++;
}

/* Values so far that were missing in rows that count. */
static void check_missing(const sequence *s, const list *l)
{
    double want[MOST_DV] = {0}, got[MOST_DV];
    const mesaopt_view view = DENSE(got, MESAOPT_F64, 1, s->n.dv);
    for (int64_t i = 0; i < l->rows * s->n.dv; i++) want[i % s->n.dv] += isnan(l->v[i]) && l->beta[i / s->n.dv] > 0;
    ck_assert_int_eq(mesaopt_rls_get(l->rls, 1, (const int32_t[]){MESAOPT_RLS_MISSING}, &view), MESAOPT_OK);
    for (int j = 0; j < s->n.dv; j++) ck_assert_double_eq(got[j], want[j]);
}

/* ---- calls ---- */

static const mesaopt_view *gates_of(const sequence *s, const list *l, block *b, int64_t T)
{
    return s->n.gates ? NULL : block_of(s, b, l->log_gate + l->rows - T, T, 0);
}

static void call_update(sequence *s, list *l)
{
    const int T = 1 + below(&s->g, CALL);
    block k, v, beta, gate;
    for (int t = 0; t < T; t++) draw_row(s, l);
    ck_assert_int_eq(mesaopt_rls_update(l->rls, block_of(s, &k, l->k + (l->rows - T) * s->n.d, T, s->n.d), block_of(s, &v, l->v + (l->rows - T) * s->n.dv, T, s->n.dv),
                                        s->n.weights ? block_of(s, &beta, l->beta + l->rows - T, T, 0) : NULL, gates_of(s, l, &gate, T)), MESAOPT_OK);
}

static void call_step(sequence *s, list *l)
{
    block k, v, beta, gate, q, out;
    double query[MOST_D];
    draw_row(s, l);
    draw_query(s, query);
    const mesaopt_status status = mesaopt_rls_step(
        l->rls, block_of(s, &q, query, 1, s->n.d), block_of(s, &k, l->k + (l->rows - 1) * s->n.d, 1, s->n.d), block_of(s, &v, l->v + (l->rows - 1) * s->n.dv, 1, s->n.dv),
        s->n.weights ? block_of(s, &beta, l->beta + l->rows - 1, 1, 0) : NULL, gates_of(s, l, &gate, 1), block_of(s, &out, NULL, 1, s->n.dv));
    check(s, l, query, &out, NULL, status);
}

static void call_predict(sequence *s, list *l)
{
    block q, out, error;
    double query[MOST_D];
    const int errors = below(&s->g, 3);
    draw_query(s, query);
    const mesaopt_status status = mesaopt_rls_predict(l->rls, block_of(s, &q, query, 1, s->n.d), block_of(s, &out, NULL, 1, s->n.dv),
                                                      errors ? block_of(s, &error, NULL, 1, s->n.dv) : NULL);
    check(s, l, query, &out, errors ? &error : NULL, status);
}

static mesaopt_rls *new_handle(const sequence *s)
{
    mesaopt_rls *rls;
    const mesaopt_view ridge = DENSE((void *)s->n.ridge, MESAOPT_F64, 1, s->n.d);
    ck_assert_int_eq(mesaopt_rls_create(s->plan, 1, &ridge, &rls), MESAOPT_OK);
    return rls;
}

/* The other list's rows after these; the other goes on, or starts anew. */
static void call_merge(sequence *s, list *l, list *other)
{
    const nature *n = &s->n;
    if (l->rows + other->rows > MOST_ROWS - CALL || (other->set && (n->gamma != 1 || !n->gates))) return;
    ck_assert_int_eq(mesaopt_rls_merge(l->rls, other->rls), MESAOPT_OK);
    memcpy(l->k + l->rows * n->d, other->k, (size_t)(other->rows * n->d) * sizeof(double));
    memcpy(l->v + l->rows * n->dv, other->v, (size_t)(other->rows * n->dv) * sizeof(double));
    memcpy(l->beta + l->rows, other->beta, (size_t)other->rows * sizeof(double));
    memcpy(l->log_gate + l->rows, other->log_gate, (size_t)other->rows * sizeof(double));
    l->rows += other->rows;
    if (below(&s->g, 2)) return;
    ck_assert_int_eq(mesaopt_rls_clear(other->rls), MESAOPT_OK);
    other->rows = 0, other->set = 0;
}

/* Through a file, or through what can be read and set. */
static void call_renew(sequence *s, list *l, int file)
{
    mesaopt_rls *again;
    char text[512];
    if (file) {
        char path[64];
        snprintf(path, sizeof path, "/tmp/mesaopt-rls-random-%ld.safetensors", (long)getpid());
        ck_assert_int_eq(mesaopt_rls_save(l->rls, path), MESAOPT_OK);
        const mesaopt_status status = mesaopt_rls_open(s->plan, path, &again);
        mesaopt_ctx_error(s->ctx, text, sizeof text);
        ck_assert_msg(status == MESAOPT_OK, "%s", text);
        unlink(path);
    } else {
        double H[MOST_DV * MOST_D * MOST_D], S[MOST_D * MOST_DV], total[MOST_DV], squares[MOST_DV], residual[MOST_DV];
        const int32_t which[] = {MESAOPT_RLS_KEY_STATE, MESAOPT_RLS_VALUE_STATE, MESAOPT_RLS_WEIGHT, MESAOPT_RLS_SQUARES, MESAOPT_RLS_RESIDUAL};
        const mesaopt_view one_H = DENSE(H, MESAOPT_F64, 1, s->n.d, s->n.d), each_H = DENSE(H, MESAOPT_F64, 1, s->n.dv, s->n.d, s->n.d);
        const mesaopt_view one_total = DENSE(total, MESAOPT_F64, 1), each_total = DENSE(total, MESAOPT_F64, 1, s->n.dv);
        const mesaopt_view views[] = {s->n.missing ? each_H : one_H, DENSE(S, MESAOPT_F64, 1, s->n.d, s->n.dv), s->n.missing ? each_total : one_total,
                                      DENSE(squares, MESAOPT_F64, 1, s->n.dv), DENSE(residual, MESAOPT_F64, 1, s->n.dv)};
        if (s->n.window) return;
        ck_assert_int_eq(mesaopt_rls_get(l->rls, 5, which, views), MESAOPT_OK);
        int known = 1;
        for (int j = 0; j < s->n.dv; j++) known &= !isnan(residual[j]);
        again = new_handle(s);
        l->set = 1;
        const mesaopt_status status = mesaopt_rls_set(again, known ? 5 : 4, which, views);
        mesaopt_ctx_error(s->ctx, text, sizeof text);
        ck_assert_msg(status == MESAOPT_OK, "%s", text);
    }
    mesaopt_rls_free(l->rls);
    l->rls = again;
}

static void one_call(sequence *s)
{
    list *l = s->l[below(&s->g, 4) == 0], *other = s->l[l == s->l[0]];
    const int what = below(&s->g, 16);
    if (l->rows > MOST_ROWS - 2 * CALL) return;
    if (s->call < (int)sizeof s->history - 1) s->history[s->call] = "uuuuussssppppmfg"[what];
    if (what < 5) call_update(s, l);
    else if (what < 9) call_step(s, l);
    else if (what < 13) call_predict(s, l);
    else if (what == 13) call_merge(s, l, other);
    else call_renew(s, l, what == 14);
}

START_TEST(differential)
{
    static sequence s;
    memset(&s, 0, sizeof s);
    s.g.state = random_seed(_i) * 0x9e3779b97f4a7c15u + 1;
    uniform(&s.g);
    s.n = draw_nature(&s.g);
    s.n.missing = _i % 3 == 2;
    s.ctx = context_at(MESAOPT_ISA_AUTO, 1);
    char text[96];
    snprintf(text, sizeof text, "window=%d gamma=%.17g missing=%s", s.n.window, s.n.gates ? s.n.gamma : 1, s.n.missing ? "output" : "refuse");
    mesaopt_settings *settings = settings_from(MESAOPT_SCOPE_LSQ, text);
    ck_assert_int_eq(mesaopt_lsq_plan(s.ctx, settings, s.n.d, s.n.dv, &s.plan), MESAOPT_OK);
    for (int i = 0; i < 2; i++) s.l[i] = calloc(1, sizeof *s.l[i]), s.l[i]->rls = new_handle(&s);
    const int calls = 10 + below(&s.g, 40);
    for (s.call = 0; s.call < calls; s.call++) one_call(&s);
    ck_assert_msg(s.worst[0] <= 1 && s.worst[1] <= 1 && s.silent == 0, "sequence %d (%s): errors %g and %g of what is promised; %d not converged without reason", _i, s.history,
                  s.worst[0], s.worst[1], s.silent);
    for (int i = 0; i < 2 && !strchr(s.history, 'g'); i++) check_missing(&s, s.l[i]);
    for (int i = 0; i < 2; i++) mesaopt_rls_free(s.l[i]->rls), free(s.l[i]);
    mesaopt_settings_free(settings);
    mesaopt_lsq_free(s.plan), mesaopt_ctx_free(s.ctx);
}
END_TEST

Suite *test_rls_random_suite(void)
{
    Suite *s = suite_create("rls_random");
    TCase *t = tcase_create("rls_random");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, differential, 0, random_count(40, 2000));
    suite_add_tcase(s, t);
    return s;
}
