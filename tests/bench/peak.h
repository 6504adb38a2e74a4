/* The multiply-add peak of one thread. */
#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

#include <stdint.h>

double peak_run(int32_t isa, int32_t dtype, int64_t iterations);   /* returns the flops done */

double peak_f32_baseline(int64_t iterations);
double peak_f64_baseline(int64_t iterations);
double peak_f32_avx2(int64_t iterations);
double peak_f64_avx2(int64_t iterations);
double peak_f32_avx512(int64_t iterations);
double peak_f64_avx512(int64_t iterations);

#endif
