/* Element types, and the values of those that C does not know:
 *   f16   sign 1, exponent 5 (bias 15), mantissa 10: 2^(e-15) 1.m, subnormals 2^-14 0.m, e = 31:
 *         infinity, NaN
 *   bf16  the upper half of an f32 */
#include "tensor/dtype.h"
#include "mesaopt/tensor.h"
#include <string.h>

int64_t dtype_size(int32_t dtype)
{
    switch (dtype) {
    case MESAOPT_F32: case MESAOPT_I32: return 4;
    case MESAOPT_F64: case MESAOPT_I64: return 8;
    case MESAOPT_F16: case MESAOPT_BF16: return 2;
    case MESAOPT_BOOL: return 1;
    default: return 0;
    }
}

const char *dtype_name(int32_t dtype)
{
    switch (dtype) {
    case MESAOPT_F32: return "f32";
    case MESAOPT_F64: return "f64";
    case MESAOPT_I32: return "i32";
    case MESAOPT_I64: return "i64";
    case MESAOPT_F16: return "f16";
    case MESAOPT_BF16: return "bf16";
    case MESAOPT_BOOL: return "bool";
    default: return "?";
    }
}

int dtype_counts(int32_t dtype)
{
    return dtype == MESAOPT_I32 || dtype == MESAOPT_I64 || dtype == MESAOPT_BOOL;
}

float half_value(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023,
             bits;
    if (exponent == 31) {
        bits = 0x7f800000 | mantissa << 13;
    } else if (exponent) {
        bits = (exponent + 112) << 23 | mantissa << 13;
    } else {
        float x = (float)mantissa * 0x1p-24f;          /* exact, and normal in f32 */
        memcpy(&bits, &x, sizeof bits);
    }
    bits |= sign;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

float bfloat_value(uint16_t b)
{
    uint32_t bits = (uint32_t)b << 16;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}
