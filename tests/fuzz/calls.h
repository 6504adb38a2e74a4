/* Random calls of the public API, decoded from bytes (fuzz_calls.c). There is one world: the bytes that are left, handles of every kind, and the call being made with its
 * arguments; a callback may make calls of its own, a level deeper. Every call is checked for what docs/errors.md promises:
 *   a failure     has a known status and a text, and changes no handle
 *   MESAOPT_OK    every element of every output is written, and finite; a new handle is there
 *   any           inputs, and the bytes between the elements of outputs, stay; the call ends soon after an interrupt; in the end no memory is left */
#ifndef FUZZ_CALLS_H
#define FUZZ_CALLS_H

#include "fuzzing.h"

enum kind { CTX, TENSOR, TASK, ATTN, LSQ, RLS, MODEL, TRAINER, BASELINE, PROBE, REVALG, LINEARISE, DECODER, PROMPT, KINDS };

typedef struct row { const char *name; void (*run)(void); } row;         /* a function of the API, and how it is called */
extern const row rows_settings[], rows_base[], rows_models[], rows_lsq[], rows_study[], rows_files[];       /* each closed by NULL */
void random_row(void);
void world_begin(const uint8_t *data, size_t size);
int world_goes_on(void);               /* are there bytes left? */
void world_end(void);

/* ---- bytes (calls_world.c); at the end of the input all of these give their first, plainest answer ---- */
uint32_t below(uint32_t n);            /* 0 .. n - 1 */
int chance(uint32_t n);                /* one time of n */
int64_t extent(void);                  /* of a view: small, at times 0 */
int64_t any_index(void);               /* of one thing among few, -1 among them; at times out of any range */
int64_t at_least_one(void);            /* likewise, 0 only out of range */
int64_t few(void);                     /* a number of things: small, at times out of any range */
int64_t any_integer(void);                 /* likewise, of any sign */
double any_number(void);
const char *any_text(void);                /* or NULL */
int32_t real_type(void);               /* f32 or f64, at times another */
#define ONE_OF(first, ...) ({ __typeof__((first) + 0) list_[] = {first, __VA_ARGS__}; list_[below(sizeof list_ / sizeof *list_)]; })

/* ---- handles (calls_world.c) ---- */
void *handle(enum kind kind);          /* mostly a live one, made when there is none; at times NULL, another kind's, or one that was freed and lives on */
void *fitting(enum kind kind, int (*fits)(const void *h));     /* mostly a live one that fits, when there is one */
void **fresh(enum kind kind);          /* where the call puts a new one; at times NULL */
void let_go(enum kind kind);           /* frees one of a kind */
mesaopt_status free_handle(enum kind kind, void *h);       /* by the function for it */
int finalise_later(enum kind kind, void *h);   /* hands it to a second thread, when there is one (calls_finaliser.c) */
void finalise_all(void);               /* waits until that one has freed all it was handed */
void adopt(enum kind kind, void *made);/* of a call that gives more than one */
mesaopt_settings *settings(int32_t scope);     /* mostly of that scope, often with values set; at times NULL. Freed after the call (calls_settings.c) */
mesaopt_settings *settings_like(int32_t scope, const char *recipe);     /* likewise, from "name=value name=value" */
mesaopt_settings *given(mesaopt_settings *s);  /* to be freed after the call */
void *world_memory(void *ptr, int64_t old_size, int64_t new_size, void *user);     /* a mesaopt_alloc_fn that counts, and fails at times */

/* ---- views and numbers (calls_views.c) ---- */
enum values { REALS, UNIT, GATES, RIDGES, SEMIDEFINITE, OFFSETS };       /* of inputs: any, in [0, 1], <= 0, > 0, symmetric matrices, rising from 0 to `reach` */
extern int64_t reach;
const mesaopt_view *input(enum values values, int32_t type, int32_t ndim, const int64_t *shape);
const mesaopt_view *output(int32_t type, int32_t ndim, const int64_t *shape);
#define RANK(...) (sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))
#define IN(type, ...) input(REALS, type, RANK(__VA_ARGS__), (int64_t[]){__VA_ARGS__})
#define IN_OF(values, type, ...) input(values, type, RANK(__VA_ARGS__), (int64_t[]){__VA_ARGS__})
#define OUT(type, ...) output(type, RANK(__VA_ARGS__), (int64_t[]){__VA_ARGS__})
mesaopt_view copy_of(const mesaopt_view *view);        /* for lists of views; NULL gives an invalid one */
double *number_out(void);              /* at times NULL, as all that follow */
int64_t *integer_out(void);
mesaopt_view *view_out(void);
void fill(const mesaopt_view *view);   /* as a callback does: all of it, or not quite */
void scribble(const mesaopt_view *view);       /* writes somewhere into a view that the library gave */
void views_finish(mesaopt_status status);      /* checks, and frees the memory */
void *memory(int64_t bytes);           /* of the call: freed after it */

/* ---- calls (calls_world.c) ---- */
/* What holds of the call that comes next and not of others. */
enum { MAY_BE_NAN = 1, PARTIAL = 2 };  /* outputs on MESAOPT_OK; it may fail after it changed handles, as a run of several steps does */
void promise(int flags);
int promised(int flag);
mesaopt_status after(const char *call, int64_t status);
void before(enum kind kind, const void *on);           /* `on`: the handle whose context gets the text */
#define CALL(kind, on, ...) (before(kind, on), after(#__VA_ARGS__, (__VA_ARGS__)))
mesaopt_status after_count(const char *call, int64_t count);             /* of a function that returns a number or a status */
#define COUNT(kind, on, ...) (before(kind, on), after_count(#__VA_ARGS__, (__VA_ARGS__)))
_Noreturn void broken(const char *what);         /* reports the call, and ends the program */
#define EXPECT(condition) ((condition) ? (void)0 : broken(#condition))
int32_t in_callback(void);             /* what a callback does besides its job, and returns */

/* ---- what is lent with a callback: given back once, or not taken (calls_world.c) ---- */
typedef struct loan { mesaopt_release_fn release; void *user; } loan;
loan lend(void);                       /* at times of nothing */
void lent(const loan *l, mesaopt_status status);       /* after the call that it was given to */

/* ---- files (calls_files.c) ---- */
const char *path(void);                /* of the world's folder, in which files come and go; at times of none, or NULL */
void files_begin(void);
void files_end(void);

#endif
