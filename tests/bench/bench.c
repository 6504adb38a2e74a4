/* make bench: workloads at every ISA level asked for, each as a share of the multiply-add peak that was measured in the same run.
 *
 *     bench [only=NAME] [isa=LEVEL] [threads=N] [rounds=N] [clock=wall|cpu] [out=FILE]
 *
 * A round repeats a workload for some 60 ms, in batches of at least 2 ms; then the peak is measured. The best batch counts, of the
 * workload as of the peak, since other programs only take time away. The table goes to standard output when all is done, the same as a JSON array to FILE,
 * progress to standard error where that is a terminal. On a machine that is busy with other work clock=cpu counts the time of the calling thread instead, which says
 * something about workloads on one thread. */
#include "bench/bench.h"
#include "base/pool.h"
#include "bench/peak.h"
#include "kern/kern.h"
#include "mesaopt/mesaopt.h"
#include "tensor/view.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { F32 = 1, F64 = 2, BOTH = F32 | F64, BEST = 0, EVERY = 1, ONE = 1, TWO = 2, ONE_TWO = ONE | TWO };

/* dtypes; EVERY ISA level of this CPU, or the BEST one (or the one asked for); numbers of threads */
typedef struct workload { const char *name; void (*run)(bench *); int dtypes, levels, threads; } workload;
static const workload workloads[] = {
    {"fma_peak", bench_fma_peak, BOTH, EVERY, ONE_TWO},
    {"gemm_1024", bench_gemm_1024, BOTH, EVERY, ONE_TWO},
    {"gemm_64", bench_gemm_64, BOTH, EVERY, ONE},
    {"lsa1_step", bench_lsa1_step, BOTH, EVERY, ONE_TWO},
    {"lsa2_step", bench_lsa2_step, F32, BEST, ONE_TWO},
    {"lsa6_step", bench_lsa6_step, F32, BEST, ONE_TWO},
    {"tf7_step", bench_tf7_step, F32, EVERY, ONE_TWO},
    {"tf7_step_t224", bench_tf7_step_t224, F32, EVERY, ONE_TWO},
    {"partial_tf_step", bench_partial_tf_step, F32, BEST, ONE_TWO},
    {"nonlinear_tf_step", bench_nonlinear_tf_step, F32, BEST, ONE_TWO},
    {"lm_block_step", bench_lm_block_step, F32, BEST, ONE_TWO},
    {"draw_batch", bench_draw_batch, BOTH, BEST, ONE_TWO},
    {"probe_fit", bench_probe_fit, F64, EVERY, ONE_TWO},
    {"chebyshev6_update", bench_chebyshev6_update, F64, BEST, ONE},
    {"revalg6_step", bench_revalg6_step, F32, BEST, ONE_TWO},
    {"mesa1_step", bench_mesa1_step, BOTH, EVERY, ONE_TWO},
    {"mesa_fwd_d64", bench_mesa_fwd_d64, F32, EVERY, ONE_TWO},
    {"mesa_fwdbwd_d64", bench_mesa_fwdbwd_d64, F32, EVERY, ONE_TWO},
    {"mesa_fwd_d128", bench_mesa_fwd_d128, F32, EVERY, ONE_TWO},
    {"mesa_fwdbwd_d128", bench_mesa_fwdbwd_d128, F32, EVERY, ONE_TWO},
    {"mesa_decode_d64", bench_mesa_decode_d64, BOTH, EVERY, ONE},
    {"mesa_decode_d128", bench_mesa_decode_d128, BOTH, EVERY, ONE},
    {"decode_tf7", bench_decode_tf7, BOTH, BEST, ONE_TWO},
    {"decode_mesa4", bench_decode_mesa4, BOTH, BEST, ONE_TWO},
};

typedef struct arguments { const char *only, *isa, *threads, *rounds, *clock, *out; } arguments;
typedef struct result { const char *name; int32_t isa, dtype, threads; double flops, seconds; } result;

#define BATCH_SECONDS 0.002
#define ROUND_SECONDS 0.06

enum { MAX_RESULTS = 1024, MAX_THREADS = 64 };
static result results[MAX_RESULTS];
static int result_count;
static clockid_t used_clock = CLOCK_MONOTONIC;
static double peaks[4][3][MAX_THREADS + 1];            /* flop/s by ISA level, element type, threads: best so far */

static const char *isa_word(int32_t isa) { return mesaopt_settings_word(MESAOPT_KEY_ISA, isa); }

double bench_now(void)
{
    struct timespec t;
    clock_gettime(used_clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void *bench_alloc(int64_t bytes)
{
    size_t whole = ((size_t)bytes + 63) / 64 * 64;
    void *p = aligned_alloc(64, whole ? whole : 64);
    if (!p) {
        fprintf(stderr, "bench: no memory for %lld bytes\n", (long long)bytes);
        exit(EXIT_FAILURE);
    }
    return memset(p, 0, whole);
}

void bench_ok(const bench *b, mesaopt_status status, const char *what)
{
    char text[512] = "";
    if (status >= 0) return;
    mesaopt_ctx_error(b->ctx, text, sizeof text);
    fprintf(stderr, "bench: %s: %s: %s\n", what, mesaopt_status_name(status), text);
    exit(EXIT_FAILURE);
}

typedef struct peak_job { int32_t isa, dtype; double flops[4 * MAX_THREADS]; } peak_job;

static void peak_item(void *job, int64_t worker, int64_t item)
{
    peak_job *p = job;
    (void)worker;
    p->flops[item] = peak_run(p->isa, p->dtype, 120000);
}

double bench_peak(bench *b)
{
    peak_job job = {.isa = b->isa, .dtype = b->dtype};
    double flops = 0, start = bench_now();
    parallel_run(b->ctx, 4 * b->threads, peak_item, &job);
    double seconds = bench_now() - start, *best = &peaks[b->isa][b->dtype][b->threads];
    for (int i = 0; i < 4 * b->threads; i++) flops += job.flops[i];
    if (flops / seconds > *best) *best = flops / seconds;
    return flops;
}

int bench_again(bench *b)
{
    double now = bench_now();
    if (b->round == 0) {                               /* warm up */
        b->round = 1;
        return 1;
    }
    if (b->count >= 0) {                               /* not after the warm-up */
        b->count++;
        if (now - b->batch_start < BATCH_SECONDS) return 1;
        double seconds = (now - b->batch_start) / (double)b->count;
        if (b->seconds == 0 || seconds < b->seconds) b->seconds = seconds;
        b->round += now - b->round_start > ROUND_SECONDS;
    }
    if (b->count < 0 || now - b->round_start > ROUND_SECONDS) {
        for (int i = 0; i < 8; i++) bench_peak(b);
        b->round_start = bench_now();
    }
    b->count = 0;
    b->batch_start = bench_now();
    return b->round <= b->rounds;
}

static void run(const workload *w, int32_t isa, int32_t dtype, int threads, int64_t rounds)
{
    bench b = {.isa = isa, .dtype = dtype, .threads = threads, .rounds = rounds, .count = -1};
    mesaopt_settings *settings = NULL;
    bench_ok(&b, mesaopt_settings_create(MESAOPT_SCOPE_CTX, NULL, NULL, &settings), "settings");
    bench_ok(&b, mesaopt_settings_set_int(settings, MESAOPT_KEY_ISA, isa), "isa");
    bench_ok(&b, mesaopt_settings_set_int(settings, MESAOPT_KEY_THREADS, threads), "threads");
    bench_ok(&b, mesaopt_ctx_create(settings, &b.ctx), "context");
    mesaopt_settings_free(settings);
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r%-17s %-8s %s, %d thread%s   ", w->name, isa_word(isa), dtype_name(dtype), threads, threads > 1 ? "s" : "");
    w->run(&b);
    if (result_count < MAX_RESULTS) results[result_count++] = (result){w->name, isa, dtype, threads, b.flops, b.seconds};
    mesaopt_ctx_free(b.ctx);
}

/* Every combination of a workload's row that the arguments leave. */
static void run_all(const arguments *a)
{
    int32_t best = kern_isa_best(), wanted = 0;
    int64_t rounds = a->rounds ? atoi(a->rounds) : 5, threads = a->threads ? atoi(a->threads) : 0;
    for (int32_t isa = 1; a->isa && isa <= best; isa++)
        if (!strcmp(a->isa, isa_word(isa))) wanted = isa;
    if ((a->isa && !wanted && strcmp(a->isa, "auto")) || rounds < 1 || (a->threads && (threads < 1 || threads > MAX_THREADS)) ||
        (a->clock && strcmp(a->clock, "wall") && strcmp(a->clock, "cpu"))) {
        fprintf(stderr, "bench: expected isa= a level of this CPU (best: %s), rounds= at least 1, threads= 1 to %d, clock= wall or cpu\n",
                isa_word(best), MAX_THREADS);
        exit(EXIT_FAILURE);
    }
    if (a->clock && !strcmp(a->clock, "cpu")) used_clock = CLOCK_THREAD_CPUTIME_ID;
    int exact = 0; /* a workload of that very name, not all whose names hold it */
    for (size_t i = 0; a->only && i < sizeof workloads / sizeof *workloads; i++) exact |= !strcmp(workloads[i].name, a->only);
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        const workload *w = &workloads[i];
        if (a->only && (exact ? strcmp(w->name, a->only) : !strstr(w->name, a->only))) continue;
        for (int32_t isa = wanted ? wanted : w->levels == EVERY ? 1 : best; isa <= (wanted ? wanted : best); isa++)
            for (int dtype = 0; dtype < 2; dtype++)
                for (int t = 1; t <= MAX_THREADS; t++) {
                    int in_row = t <= 2 && (w->threads & t);
                    if (!(w->dtypes & (1 << dtype)) || (threads ? t != threads : !in_row)) continue;
                    run(w, isa, dtype ? MESAOPT_F64 : MESAOPT_F32, t, rounds);
                }
    }
}

static double share(const result *r) { return r->flops / r->seconds / peaks[r->isa][r->dtype][r->threads]; }

static void print_table(void)
{
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r%60s\r", "");
    printf("%-17s %-5s %-8s %7s %12s %10s %7s\n", "name", "dtype", "isa", "threads", "seconds", "GFLOP/s", "share");
    for (int i = 0; i < result_count; i++) {
        const result *r = &results[i];
        printf("%-17s %-5s %-8s %7d %12.4g", r->name, dtype_name(r->dtype), isa_word(r->isa), r->threads, r->seconds);
        if (r->flops > 0) printf(" %10.1f %7.2f\n", 1e-9 * r->flops / r->seconds, share(r));
        else printf(" %10s %7s\n", "-", "-");
    }
}

static int write_json(const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        return 0;
    }
    for (int i = 0; i < result_count; i++) {
        const result *r = &results[i];
        fprintf(f, "%s{\"name\": \"%s\", \"dtype\": \"%s\", \"isa\": \"%s\", \"threads\": %d, ", i ? ",\n " : "[", r->name,
                dtype_name(r->dtype), isa_word(r->isa), r->threads);
        fprintf(f, "\"flops\": %.17g, \"seconds\": %.9g, \"share_of_peak\": %.4f}", r->flops, r->seconds, share(r));
    }
    fprintf(f, "%s]\n", result_count ? "" : "[");
    int bad = ferror(f);
    return !(fclose(f) || bad);
}

int main(int argc, char **argv)
{
    arguments a = {.out = "build/bench.json"};
    const struct { const char *name; const char **value; } known[] = {
        {"only=", &a.only}, {"isa=", &a.isa}, {"threads=", &a.threads}, {"rounds=", &a.rounds}, {"clock=", &a.clock}, {"out=", &a.out}};
    for (int i = 1; i < argc; i++) {
        size_t k = 0, n = sizeof known / sizeof *known;
        while (k < n && strncmp(argv[i], known[k].name, strlen(known[k].name))) k++;
        if (k == n) {
            fprintf(stderr, "bench: unknown argument %s; known: only=NAME isa=LEVEL threads=N rounds=N clock=wall|cpu out=FILE\n", argv[i]);
            return EXIT_FAILURE;
        }
        *known[k].value = argv[i] + strlen(known[k].name);
    }
    run_all(&a);
    print_table();
    return write_json(a.out) ? EXIT_SUCCESS : EXIT_FAILURE;
}
