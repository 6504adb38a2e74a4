/* The paper's constructions as models. Tokens are rows, so W_q W_k^T and W_v P are the transposes
 * of the paper's W_k^T W_q and P W_v.
 *
 * Proposition 1, slots [Phi0 s_t, s_t, s_{t-1}]: one linear head with query s_t, key s_{t-1}, value
 * eta (s_t - Phi0 s_{t-1}), written to the first slot:
 *     Phi0 s_t + eta sum_{t' <= t} (s_t' - Phi0 s_{t'-1}) (s_{t'-1} . s_t) = (Phi0 - eta grad
 *     L_t(Phi0)) s_t,  s_0 = 0
 * Proposition 2, slots [p, s_t, s_{t-1}, tau, x, x'], A_t = A0_t + ridge I, A0_t = sum_{t' <= t}
 * s_{t'-1} s_{t'-1}^T. Step k: a linear head (query tau, key and value s_{t-1}) writes -(a_k / c)
 * A0_t tau into p, which is 0; then every token by itself
 *     tau <- tau + p - (a_k ridge / c) tau;
 *     (x, x') <- (x + tau + b_k (x - x'), x), tau being the new one;      p <- 0
 * At the end a linear head (query x, key s_{t-1}, value s_t) writes (1 / c) sum_{t' <= t} s_t'
 * (s_{t'-1} . x) into p.
 * Source: arXiv 2309.05858 propositions 1 and 2; docs/science.md, section 6. */
#include "study/revalg_impl.h"
#include <string.h>

/* x I in block (row slot, column slot) of v. */
static void put(const mesaopt_view *v, int64_t n, int64_t row, int64_t column, double x)
{
    matrix_set_identity(v, row * n, column * n, n, x);
}

static int64_t setting(const mesaopt_settings *s, int32_t key)
{
    return option_int(s, MESAOPT_SCOPE_MODEL, key);
}

static mesaopt_status check_inputs(mesaopt_ctx *ctx, const mesaopt_settings *s, int64_t few,
                                   int64_t many, const char *slots)
{
    const int64_t n = setting(s, MESAOPT_KEY_OUTPUTS), D = setting(s, MESAOPT_KEY_INPUTS);
    if (D == few * n || D == many * n) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_SHAPE,
                "settings: inputs %lld, expected %lld or %lld, %s times the %lld outputs",
                (long long)D, (long long)(few * n), (long long)(many * n), slots, (long long)n);
}

static mesaopt_settings head_settings(int64_t n)
{
    mesaopt_settings s;
    options_init(&s, MESAOPT_SCOPE_LINEAR);
    settings_set(&s, MESAOPT_KEY_HEADS, 1);
    settings_set(&s, MESAOPT_KEY_KEY, n);
    return s;
}

/* One head of block i: query, key, value and output slots, the value times `factor`. */
typedef struct head_slots { int64_t query, key, value, output; } head_slots;
static void set_head(const mesaopt_model *m, int64_t i, int64_t n, head_slots s, double factor)
{
    const mesaopt_view q = parameter_view(m, i, QUERY), k = parameter_view(m, i, KEY),
                       v = parameter_view(m, i, VALUE), o = parameter_view(m, i, OUTPUT);
    put(&q, n, s.query, 0, 1);
    put(&k, n, s.key, 0, 1);
    put(&v, n, s.value, 0, factor);
    put(&o, n, 0, s.output, 1);
}

mesaopt_status proposition1(mesaopt_ctx *ctx, const mesaopt_settings *settings, double eta,
                            const mesaopt_view *phi0, mesaopt_model **out)
{
    const int64_t n = setting(settings, MESAOPT_KEY_OUTPUTS),
                  slots = setting(settings, MESAOPT_KEY_INPUTS) / n;
    const mesaopt_settings head = head_settings(n), *blocks[] = {&head};
    mesaopt_model *m;
    mesaopt_status status = check_inputs(ctx, settings, 3, 4, "3 or 4");
    if (status == MESAOPT_OK) status = model_of_zeros(ctx, settings, blocks, 1, &m);
    if (status != MESAOPT_OK) return status;
    set_head(m, 0, n, (head_slots){slots - 2, slots - 1, slots - 2, 0}, eta);
    const mesaopt_view value = parameter_view(m, 0, VALUE);
    for (int64_t i = 0; phi0 && i < n; i++)
        for (int64_t j = 0; j < n; j++)
            matrix_set(&value, (slots - 1) * n + j, i, -eta * matrix_get(phi0, i, j));
    return model_finished(m, "eta, phi0", out);
}

enum { P, NOW, BEFORE, TAU, X, X_BEFORE, SLOTS };

static mesaopt_settings dense_settings(int64_t n)
{
    mesaopt_settings s;
    options_init(&s, MESAOPT_SCOPE_DENSE);
    settings_set(&s, MESAOPT_KEY_OUTPUTS, SLOTS * n);
    return s;
}

/* [0, s_t, s_t, s_{t-1}] -> [0, s_t, s_{t-1}, s_t, s_t, s_t] */
static void set_embedding(const mesaopt_view *w, int64_t n)
{
    put(w, n, 2, NOW, 1);
    put(w, n, 3, BEFORE, 1);
    for (int64_t slot = TAU; slot < SLOTS; slot++) put(w, n, 2, slot, 1);
}

/* What a token does by itself in a step: `damp` = a_k ridge / c. */
static void set_step(const mesaopt_view *w, int64_t n, double damp, double b)
{
    put(w, n, NOW, NOW, 1);
    put(w, n, BEFORE, BEFORE, 1);
    for (int64_t slot = TAU; slot <= X; slot++) {          /* x takes in the new tau */
        put(w, n, P, slot, 1);
        put(w, n, TAU, slot, 1 - damp);
    }
    put(w, n, X, X, 1 + b);
    put(w, n, X_BEFORE, X, -b);
    put(w, n, X, X_BEFORE, 1);
}

mesaopt_status proposition2(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                            const preconditioner *p, mesaopt_model **out)
{
    const int64_t n = setting(settings, MESAOPT_KEY_OUTPUTS),
                  embed = setting(settings, MESAOPT_KEY_INPUTS) == 4 * n,
                  count = embed + 2 * p->steps + 1;
    const mesaopt_settings head = head_settings(n), dense = dense_settings(n);
    mesaopt_model *m;
    mesaopt_status status = check_inputs(ctx, settings, 4, SLOTS, "4 or 6");
    const mesaopt_settings **blocks =
        status == MESAOPT_OK ? alloc_new(&ctx->alloc, count, sizeof *blocks) : NULL;
    if (status == MESAOPT_OK && !blocks)
        status = fail(ctx, MESAOPT_E_MEMORY, "proposition2: no memory for %lld blocks",
                      (long long)count);
    for (int64_t i = 0; status == MESAOPT_OK && i < count; i++)
        blocks[i] = i < embed || (i - embed) % 2 ? &dense : &head;
    if (status == MESAOPT_OK) status = model_of_zeros(ctx, settings, blocks, count, &m);
    alloc_free(&ctx->alloc, blocks);
    if (status != MESAOPT_OK) return status;
    if (embed) {
        const mesaopt_view w = parameter_view(m, 0, 0);
        set_embedding(&w, n);
    }
    for (int64_t k = 0; k < p->steps; k++) {
        const mesaopt_view w = parameter_view(m, embed + 2 * k + 1, 0);
        set_head(m, embed + 2 * k, n, (head_slots){TAU, BEFORE, BEFORE, P}, -p->a[k] / p->divisor);
        set_step(&w, n, p->a[k] * p->ridge / p->divisor, p->b[k]);
    }
    set_head(m, count - 1, n, (head_slots){X, BEFORE, NOW, P}, 1 / p->divisor);
    return model_finished(m, "baseline: coefficients, ridge, divisor", out);
}
