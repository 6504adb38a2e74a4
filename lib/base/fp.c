/* The default floating-point environment: round to nearest, subnormals kept, no traps.
 *
 * A host may run with flush-to-zero or another rounding mode, and new threads inherit it; results
 * of the library must not depend on that. x86-64: MXCSR = 0x1f80, and the x87 control word = 0x37f,
 * whose rounding mode libc looks at. aarch64: FPCR = 0. The exception flags are part of what is put
 * back, so a call raises none. */
#include "base/pool.h"

#if defined(__x86_64__)
#include <xmmintrin.h>

uint64_t fp_default(void)
{
    uint64_t saved = _mm_getcsr();
    uint16_t x87, standard = 0x37f;
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    if (x87 != standard) __asm__ volatile("fldcw %0" : : "m"(standard));
    _mm_setcsr(0x1f80);
    return saved | (uint64_t)x87 << 32;
}

void fp_restore(uint64_t saved)
{
    uint16_t x87 = (uint16_t)(saved >> 32);
    if (x87 != 0x37f) __asm__ volatile("fldcw %0" : : "m"(x87));
    _mm_setcsr((unsigned)saved);
}

#elif defined(__aarch64__)

uint64_t fp_default(void)
{
    uint64_t control, flags;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    __asm__ volatile("mrs %0, fpsr" : "=r"(flags));
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
    return (control & 0xffffffffu) | flags << 32;
}

void fp_restore(uint64_t saved)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(saved & 0xffffffffu));
    __asm__ volatile("msr fpsr, %0" : : "r"(saved >> 32));
}

#else
#error "libmesaopt supports x86-64 and aarch64"
#endif
