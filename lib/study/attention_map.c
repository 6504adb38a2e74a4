/* Attention maps: the weights of the heads of a block, mean over sequences b (each counts what its
 * step t does):
 *
 *     out[h][t][s] = mean_b w_ts,  o_t = sum over s <= t of w_ts v_s: the output of head h
 *
 * linear: w_ts = scale q_t . k_s; softmax: softmax over s of that; mesa: x_t . k_s, times the gates
 * of step s and of all later ones, x_t = (H_t + diag l)^-1 q_t. Sums are in double.
 * Source: arXiv 2309.05858 section 4 and figure 4; docs/science.md, section 6. */
#include "study/studies.h"
#include "kern/finite.h"
#include "nn/heads.h"

enum { BATCH = 256 };

typedef struct map { int64_t block, heads; const token_source *source; } map;

int64_t study_heads(const block *b) { return b->kind->weights ? heads_extents(b, 0).heads : 0; }

/* Rows of W, of all sequences that the panel holds, into those of sums. */
static void add(const token_source *source, const visited *p, const void *W, double *sums)
{
    const kern *k = p->k;
    for (int64_t t = 0; t < p->T && !kern_stopped(k); t++)
        for (int64_t s = 0; s <= t; s++)
            for (int64_t lane = 0; lane < p->valid; lane++)
                sums[t * p->T + s] += source_weight(source, p->first + lane, t) *
                                      kern_real(k, W, (t * p->T + s) * k->lanes + lane);
}

static void look(const visitor *v, const visited *p)
{
    const map *m = v->job;
    const block *b = &p->model->blocks[m->block];
    const pass pass = visit_pass(p, m->block);
    for (int64_t h = 0; h < m->heads && !kern_stopped(p->k); h++) {
        b->kind->weights(b, &pass, p->stream[m->block], p->stash[m->block], h,
                         (mat){p->scratch, p->T, 1});
        add(m->source, p, p->scratch, p->sums + h * p->T * p->T);
    }
}

static mesaopt_status sum(mesaopt_model *m, token_source *s, const visitor *v, int64_t block)
{
    mesaopt_status status = MESAOPT_OK, worth_knowing = MESAOPT_OK;
    for (int64_t done = 0; done < s->count && status >= 0; done += s->tokens.shape[0]) {
        status = source_draw(s, done);
        if (status != MESAOPT_OK) return status;
        const batch b = {.B = s->tokens.shape[0], .T = s->tokens.shape[1], .tokens = &s->tokens};
        status = batch_pass(m, &b, &(wanted){.count = 1, .blocks = &block, .visitor = v},
                            "attention_map");
        if (status > 0) worth_knowing = status;
    }
    return status < 0 ? status : worth_knowing;
}

/* Zeros above the diagonal, which sums have as well. */
static mesaopt_status store(mesaopt_ctx *ctx, const token_source *s, const double *sums,
                            const mesaopt_view *out)
{
    int64_t at[MESAOPT_MAX_RANK] = {0};
    for (int64_t i = 0; i < view_count(out); i++, view_next(out, at))
        view_set(out, at, source_mean(s, at[1], sums[i]));
    return finite_require(ctx, out, "out");
}

mesaopt_status study_attention_map(mesaopt_model *m, token_source *s, int64_t block,
                                   const mesaopt_view *out)
{
    mesaopt_ctx *ctx = m->head.ctx;
    const int64_t T = s->task->shape.length, H = study_heads(&m->blocks[block]);
    const map job = {block, H, s};
    double *sums = alloc_new(&ctx->alloc, view_count(out), sizeof *sums);
    if (!sums)
        return fail(ctx, MESAOPT_E_MEMORY, "attention_map: no memory for %lld maps of %lld steps",
                    (long long)H, (long long)T);
    mesaopt_status status = source_open(s, BATCH, "attention_map");
    if (status == MESAOPT_OK) {
        const kern *k = model_panels(m, s->batch, T).k;
        const visitor v = {look, &job, block + 1, T * T * k->lanes * k->size, H * T * T, sums, 0};
        status = sum(m, s, &v, block);
    }
    if (status >= 0) {
        const mesaopt_status stored = store(ctx, s, sums, out);
        if (stored < 0) status = stored;
    }
    source_close(s);
    alloc_free(&ctx->alloc, sums);
    return status;
}
