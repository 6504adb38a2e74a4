/* The kernels of one compilation, as simd_table.c collects them: signatures as in struct kern. */
#ifndef KERN_SIMD_KERNELS_H
#define KERN_SIMD_KERNELS_H

#include "kern/simd.h"

void NAME(product)(const kern *, void *, enum product_kind, enum triangle, int, int64_t, int64_t,
                   int64_t, mat, mat, mat);
void NAME(residual)(int64_t, const void *, const void *, double, void *);
void NAME(residual_back)(int64_t, const void *, double, void *);
void NAME(add)(int64_t, const void *, void *);
void NAME(scale)(int64_t, double, void *);
void NAME(clamp)(int64_t, double, void *);
double NAME(sum_squares)(int64_t, const void *);
int64_t NAME(first_nonfinite)(int64_t, const void *);
void NAME(sum_parts)(int64_t, int64_t, int64_t, const void *, void *);
void NAME(adamw)(int64_t, void *, const void *, void *, void *, double, double, double, double,
                 double, double, double);
void NAME(softmax)(int64_t, int64_t, double, void *, int64_t);
void NAME(softmax_back)(int64_t, int64_t, double, const void *, void *, int64_t);
void NAME(softmax_one)(int64_t, int64_t, double, void *, int64_t);
void NAME(softmax_back_one)(int64_t, int64_t, double, const void *, void *, int64_t);
void NAME(load)(const kern *, int64_t, int64_t, int64_t, const void *, int64_t, int64_t, int64_t,
                void *, int64_t);
void NAME(store)(const kern *, int64_t, int64_t, int64_t, const void *, int64_t, void *, int64_t,
                 int64_t, int64_t);
void NAME(squared_error)(int64_t, int64_t, int64_t, const void *, int64_t, const void *, int64_t,
                         double, double *, void *);
void NAME(load_one)(const kern *, int64_t, int64_t, int64_t, const void *, int64_t, int64_t,
                    int64_t, void *, int64_t);
void NAME(store_one)(const kern *, int64_t, int64_t, int64_t, const void *, int64_t, void *,
                     int64_t, int64_t, int64_t);
void NAME(squared_error_one)(int64_t, int64_t, int64_t, const void *, int64_t, const void *,
                             int64_t, double, double *, void *);
void NAME(ridge_row)(const kern *, int64_t, int64_t, void *, void *);
void NAME(ridge_apply)(const kern *, int64_t, int64_t, const void *, void *, void *);

void NAME(combine)(int64_t, int64_t, int, const void *, int64_t, const void *, int64_t, int, void *,
                   int64_t);
void NAME(dense_factor)(int64_t, const void *, void *, int64_t);
void NAME(dense_forward)(int64_t, int64_t, const void *, int64_t, void *, int64_t);
void NAME(dense_backward)(int64_t, int64_t, const void *, int64_t, void *, int64_t);
void NAME(multiply)(int64_t, const void *, const void *, void *);
void NAME(ratio)(int64_t, const void *, const void *, void *);
int64_t NAME(above)(int64_t, const void *, const void *, double, void *, void *);
void NAME(carry)(int64_t, double, const void *, double *, void *);
void NAME(inverse_sqrt)(int64_t, void *);
void NAME(sigmoid)(int64_t, const void *, void *, void *, void *);
void NAME(gates)(int64_t, const void *, void *, void *);
void NAME(cholesky)(const kern *, int64_t, void *, int64_t, const void *, const void *,
                    const void *, const void *, const void *, void *, int64_t);
void NAME(cholesky_solve)(const kern *, int64_t, const void *, int64_t, int64_t, const void *,
                          int64_t, void *, int64_t);
void NAME(cholesky_inverse)(const kern *, int64_t, void *, int64_t, void *, int64_t);
void NAME(inverse_steps)(const kern *, int64_t, int64_t, void *, void *, int64_t, mat, mat, mat,
                         mat, const void *, int, int, const mat *, const mat *, void *);
void NAME(precondition)(const kern *, int64_t, int64_t, const double *, const double *, double,
                        const void *, int64_t, const void *, void *, void *);
void NAME(precondition_back)(const kern *, int64_t, int64_t, const double *, const double *,
                             const void *, int64_t, const void *, const void *, void *, void *,
                             void *);
#define ROW_KERNELS(one) \
    void NAME(decay##one)(int64_t, const void *, const void *, int64_t, void *, int64_t); \
    void NAME(mask##one)(int64_t, const void *, int64_t, void *, int64_t); \
    void NAME(row_scale##one)(int64_t, int64_t, const void *, int64_t, const void *, int64_t, \
                              void *, int64_t); \
    void NAME(row_dot##one)(int64_t, int64_t, const void *, const void *, int64_t, const void *, \
                            int64_t, void *, int64_t); \
    void NAME(row_add##one)(int64_t, int64_t, const void *, int64_t, const void *, int64_t, \
                            void *, int64_t); \
    void NAME(row_ridge##one)(int64_t, int64_t, const void *, const void *, int64_t, void *, \
                              int64_t); \
    void NAME(row_pick##one)(int64_t, int64_t, const void *, const void *, int64_t, void *, \
                             int64_t); \
    void NAME(norms##one)(int64_t, int64_t, const void *, int64_t, const void *, int64_t, \
                          const void *, const void *, int64_t, const void *, int64_t, \
                          const void *, void *, void *); \
    void NAME(residuals##one)(int64_t, int64_t, const void *, int64_t, const void *, int64_t, \
                              void *); \
    void NAME(row_max##one)(int64_t, int64_t, const void *, int64_t, void *); \
    void NAME(row_diagonal##one)(int64_t, int64_t, const void *, int64_t, const void *, int64_t, \
                                 const void *, const void *, int64_t, const void *, int64_t, \
                                 const void *, void *); \
    void NAME(column_dot##one)(int64_t, int64_t, const void *, int64_t, const void *, int64_t, \
                               void *); \
    void NAME(forget##one)(int64_t, const void *, const void *, int64_t, const void *, int64_t, \
                           const void *, int64_t, const void *, void *, int64_t); \
    void NAME(add_transposed##one)(int64_t, const void *, void *);
ROW_KERNELS()
ROW_KERNELS(_one)

#define TRIANGLE_KERNELS(one) \
    void NAME(qr_rows##one)(const kern *, int64_t, int64_t, int64_t, void *, void *, void *, \
                            void *); \
    void NAME(triangle_solve##one)(const kern *, int64_t, int64_t, const void *, void *, void *); \
    int NAME(orthogonal_rows##one)(const kern *, int64_t, int64_t, const void *, void *, void *); \
    void NAME(orthogonal_solve##one)(const kern *, int64_t, int64_t, const void *, const void *, \
                                     void *, void *, void *);
TRIANGLE_KERNELS()
TRIANGLE_KERNELS(_one)
void NAME(columns)(int64_t, int64_t, int64_t, const void *, int32_t, const int64_t *, const void *,
                   void *, int64_t);

#endif
