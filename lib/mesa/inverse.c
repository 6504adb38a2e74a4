/* See inverse.h. A factor costs d^3 / 6 multiply-adds; an inverse follows a key by
 * Sherman-Morrison, and a gate by Chebyshev's iteration on a spectrum that is known beforehand
 * (kern/simd_mesa.c), in d^2. What an inverse gives is refined once where the condition is not
 * small, above all in the adjoint: its solutions are small along the keys, and gradients weigh just
 * these. */
#include "mesa/inverse.h"

enum { WORK = 15 };
static const double LEAST_GATE = 0.2;                  /* below, factors for every token are cheaper
                                                          than the iteration */
/* Refinement: bounds of the condition number from which on solutions need it, u of the adjoint and
 * x. An inverse leaves kappa^2 roundings in a gradient by u where a factor leaves kappa, and a few
 * times the roundings in outputs by x. */
static const double REFINE_U = 32, REFINE_X = 256;

segment segment_take(mesa_worker *w, const layer *l, enum mesa_solver solver, int sets)
{
    const int64_t d = l->o->d;
    segment s = {.d = d,
                 .solver = solver,
                 .sets = sets,
                 .backward = l->backward,
                 .ridge = l->m.ridge,
                 .rs = d | 1};     /* odd: rows do not all fall into the same cache sets */
    s.H = take(w, d * s.rs);
    s.L = take(w, d * s.rs);
    s.work = take(w, WORK * d);
    if (solver != MESA_CHOLESKY) s.kept = take(w, d * s.rs);
    return s;
}

/* Moves H on, factors, solves, token by token. */
static void factor_rows(const kern *k, const segment *s, void *all)
{
    for (int64_t t = 0; t < s->T && !kern_stopped(k); t++) {
        void *rows = kern_at(k, all, t * s->sets * s->d);
        const gates g = gates_from(k, s->gamma, t);
        k->cholesky(k, s->d, s->H, s->rs, rows_from(k, s->K, t).p, rows_from(k, s->beta, t).p,
                    g.high, g.low, s->ridge, s->L, s->rs);
        k->cholesky_solve(k, s->d, s->L, s->rs, s->sets, rows, s->d, rows, s->d);
    }
}

/* H <- (H + Lambda)^-1 */
static void invert(const kern *k, const segment *s)
{
    const int64_t d = s->d, rs = s->rs;
    k->cholesky(k, d, s->H, rs, NULL, NULL, NULL, NULL, s->ridge, s->L, rs);
    if (d >= 20) {
        k->cholesky_inverse(k, d, s->L, rs, s->H, rs);
        return;
    }
    memset(s->H, 0, bytes_of(k, d, rs));
    for (int64_t i = 0; i < d; i++) fill(k, k->lanes, 1, kern_at(k, s->H, i * (rs + 1)));
    k->cholesky_solve(k, d, s->L, rs, d, s->H, rs, s->H, rs);
}

void segment_inverse(const kern *k, const segment *s, const mat *B, const mat *X)
{
    const double condition = largest(k, s->bound.p, s->T);
    const int refined = condition > REFINE_X                  ? s->sets
                        : condition > REFINE_U && s->backward ? 1
                                                              : 0;
    const mat high = {s->gamma.high, 1, 1}, low = {s->gamma.low, 1, 1};
    if (refined) memcpy(s->kept, s->H, bytes_of(k, s->d, s->rs));
    invert(k, s);
    k->inverse_steps(k, s->T, s->d, s->H, s->kept, s->rs, s->K, s->beta, high, low, s->ridge,
                     s->sets, refined, B, X, s->work);
}

/* Smallest product of the gates of a lane. */
static double least_gate(const kern *k, const segment *s)
{
    double least = 1;
    for (int l = 0; l < k->lanes; l++) {
        double a = 1;
        for (int64_t t = 0; t < s->T; t++) a *= kern_real(k, s->gamma.high, t * k->lanes + l);
        if (a < least) least = a;
    }
    return least;
}

void segment_solve(const kern *k, const segment *s, void *rows)
{
    const mat sets[] = {dense(rows, s->sets * s->d),
                        dense(kern_at(k, rows, s->d), s->sets * s->d)};
    if (s->solver != MESA_CHOLESKY && (!s->gamma.high || least_gate(k, s) >= LEAST_GATE))
        segment_inverse(k, s, sets, sets);
    else factor_rows(k, s, rows);
}
