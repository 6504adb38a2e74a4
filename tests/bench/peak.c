/* Picks the variant of the peak loop (simd_peak.c). */
#include "bench/peak.h"
#include "mesaopt/status.h"

double peak_run(int32_t isa, int32_t dtype, int64_t iterations)
{
    int f64 = dtype == MESAOPT_F64;
#if defined(__x86_64__)
    if (isa == MESAOPT_ISA_AVX512) return (f64 ? peak_f64_avx512 : peak_f32_avx512)(iterations);
    if (isa == MESAOPT_ISA_AVX2) return (f64 ? peak_f64_avx2 : peak_f32_avx2)(iterations);
#endif
    (void)isa;
    return (f64 ? peak_f64_baseline : peak_f32_baseline)(iterations);
}
