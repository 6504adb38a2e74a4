/* Checks on views, strided element access, and copies between views and dense memory. */
#ifndef TENSOR_VIEW_H
#define TENSOR_VIEW_H

#include "base/arena.h"
#include "base/object.h"
#include "mesaopt/tensor.h"
#include "tensor/dtype.h"

/* ---- checks: view_check.c ---- */

enum { ANY = -1 };                                     /* what view_check does not constrain */

/* What a call expects of a view argument. */
typedef struct view_want {
    const char *name;              /* of the argument */
    int32_t ndim;                  /* ANY: any rank and shape */
    int64_t shape[6];              /* ANY: any extent >= 0 */
    int32_t dtype;                 /* 0: f32 or f64; ANY: any known one */
    int output;                    /* 1: not READONLY, strides > 0 where the extent > 1, elements of
                                      the view apart from each other */
} view_want;

/* MESAOPT_OK, or a status with a text such as "keys: shape [256,50,20], expected [256,50,16]".
 * Checks NULL, rank, extents, dtype, data, alignment, overflow of the address range, flags (unknown
 * bits and reserved must be 0). *own <- the same elements in the form that inner code walks,
 * whatever strides the view came with: an extent of 1 has stride 0, and a view without elements has
 * strides of 0 and an address, so that no sum of index times stride overflows or leaves the
 * elements. */
mesaopt_status view_check(mesaopt_ctx *ctx, const mesaopt_view *view, const view_want *want,
                          mesaopt_view *own);

/* The views of one call, checked. */
enum { MOST_VIEWS = 32 };
typedef struct call_views {
    mesaopt_ctx *ctx;
    int count;
    mesaopt_view own[MOST_VIEWS];
    const char *name[MOST_VIEWS];
    int output[MOST_VIEWS];
} call_views;

void views_begin(call_views *w, mesaopt_ctx *ctx);
/* Checks *view and moves it to the copy in w. */
mesaopt_status views_take(call_views *w, const mesaopt_view **view, const view_want *want);

/* MESAOPT_OK, or MESAOPT_E_OVERLAP naming both, when an element of an output may be an element of
 * another output or of an input. Apart: address ranges disjoint, or the strides prove the elements
 * apart (packed q, k, v slices). */
mesaopt_status views_apart(const call_views *w);
/* The same of two checked views. */
mesaopt_status view_apart(mesaopt_ctx *ctx, const mesaopt_view *output, const char *name,
                          const mesaopt_view *other, const char *other_name);

/* "[256,50,16]", "*" for ANY. */
typedef struct list_text { char text[136]; } list_text;
list_text view_list(int32_t ndim, const int64_t *values);

/* ---- do views share memory? overlap.c ---- */

/* Do the (non-negative) strides prove the elements of the view apart from each other? */
int view_distinct(const mesaopt_view *view);

/* May an element of one be (part of) an element of the other? 0 only when that is proven
 * impossible. */
int view_may_meet(const mesaopt_view *a, const mesaopt_view *b);

/* ---- elements: view.c ---- */

int view_has_elements(const mesaopt_view *view);       /* no extent is 0 */
int64_t view_count(const mesaopt_view *view);          /* elements */

/* Bytes [low, high) of a view that has elements; 0 when they do not lie in [0, 2^60). */
int view_range(const mesaopt_view *view, int64_t *low, int64_t *high);

/* A dense view [B, T, n] in an arena. */
mesaopt_view view_take(arena *a, int32_t dtype, int64_t B, int64_t T, int64_t n);

/* Element access for code that is not hot: f32, f64 (f16, bf16 read only). index[ndim]. */
double view_get(const mesaopt_view *view, const int64_t *index);
void view_set(const mesaopt_view *view, const int64_t *index, double x);

/* First element that is not finite in row-major order: 1 and its index, or 0. f32 and f64. */
int view_first_nonfinite(const mesaopt_view *view, int64_t *index);
/* The same for elements that are not in [low, high], as NaN never is. The bounds are numbers of the
 * view's type. */
int view_first_outside(const mesaopt_view *view, double low, double high, int64_t *index);

/* Steps `index` to the next element in row-major order; after the last one it is all 0 again. */
void view_next(const mesaopt_view *view, int64_t *index);

/* ---- copies: copy.c ---- */

/* Is there a conversion? Copies with conversion (shapes equal, checked by the caller). */
int view_copyable(int32_t from, int32_t to);
/* Truth values and integers of both become f64 as well. */
void view_copy(const mesaopt_view *src, const mesaopt_view *dst);
/* until the call is to end, see ctx_stopped */
void view_copy_while(const mesaopt_ctx *ctx, const mesaopt_view *src, const mesaopt_view *dst);

struct mesaopt_tensor {
    object head;
    mesaopt_view view;
    void *owned;                   /* NULL when wrapped */
    mesaopt_release_fn release;
    void *release_user;
};

#endif
