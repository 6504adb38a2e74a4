/* The kernels of one element type and ISA level as two tables: panels of native width, and panels
 * of one lane (whose product, on BLIS micro-kernels, kern.c fills in). Random draws always fill
 * panels of native width. */
#include "kern/simd_kernels.h"
#include "kern/simd_random.h"

#define COMMON \
    .isa = SIMD_ISA, .dtype = REAL_DTYPE, .width = LANES, .size = sizeof(real), \
    .residual = NAME(residual), .residual_back = NAME(residual_back), .add = NAME(add), \
    .scale = NAME(scale), .clamp = NAME(clamp), .sum_squares = NAME(sum_squares), \
    .first_nonfinite = NAME(first_nonfinite), .sum_parts = NAME(sum_parts), .adamw = NAME(adamw), \
    .uniform = NAME(uniform), .normal = NAME(normal), .orthogonal = NAME(orthogonal), \
    .similarity = NAME(similarity), .recursion = NAME(recursion), .ridge_row = NAME(ridge_row), \
    .ridge_apply = NAME(ridge_apply), .precondition = NAME(precondition), \
    .precondition_back = NAME(precondition_back), .sigmoid = NAME(sigmoid), \
    .inverse_sqrt = NAME(inverse_sqrt), .gates = NAME(gates), .carry = NAME(carry), \
    .multiply = NAME(multiply), .ratio = NAME(ratio), .above = NAME(above), \
    .cholesky = NAME(cholesky), .cholesky_solve = NAME(cholesky_solve), \
    .cholesky_inverse = NAME(cholesky_inverse), .inverse_steps = NAME(inverse_steps), \
    .combine = NAME(combine), .dense_factor = NAME(dense_factor), \
    .dense_forward = NAME(dense_forward), .dense_backward = NAME(dense_backward)
#define ROWS(one) \
    .decay = NAME(decay##one), .mask = NAME(mask##one), .row_scale = NAME(row_scale##one), \
    .row_dot = NAME(row_dot##one), .row_add = NAME(row_add##one), \
    .row_ridge = NAME(row_ridge##one), .row_pick = NAME(row_pick##one), .norms = NAME(norms##one), \
    .residuals = NAME(residuals##one), .row_max = NAME(row_max##one), \
    .row_diagonal = NAME(row_diagonal##one), .column_dot = NAME(column_dot##one), \
    .forget = NAME(forget##one), .add_transposed = NAME(add_transposed##one)
#define TRIANGLE(one) \
    .qr_rows = NAME(qr_rows##one), .triangle_solve = NAME(triangle_solve##one), \
    .orthogonal_rows = NAME(orthogonal_rows##one), \
    .orthogonal_solve = NAME(orthogonal_solve##one), .columns = NAME(columns)

const kern NAME(kern_panel) = {COMMON,
                               .lanes = LANES,
                               .product = NAME(product),
                               .softmax = NAME(softmax),
                               .softmax_back = NAME(softmax_back),
                               .load = NAME(load),
                               .store = NAME(store),
                               .squared_error = NAME(squared_error),
                               ROWS(),
                               TRIANGLE()};

const kern NAME(kern_one) = {COMMON,
                             .lanes = 1,
                             .softmax = NAME(softmax_one),
                             .softmax_back = NAME(softmax_back_one),
                             .load = NAME(load_one),
                             .store = NAME(store_one),
                             .squared_error = NAME(squared_error_one),
                             ROWS(_one),
                             TRIANGLE(_one)};
