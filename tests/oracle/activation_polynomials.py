"""Coefficients of the polynomials of gelu in lib/kern/simd_activation.c, printed with their worst errors.

    Phi(-t) = e^(-t^2 / 2) P(u) / (t + c),  u = (t - c) / (t + c),  0 <= t <= top
Interpolation at Chebyshev points of u in 60 digits, close to minimax; errors are those of the exact polynomial with coefficients
rounded to the type, relative to the function.   usage: activation_polynomials.py   (needs mpmath)
"""
from mpmath import mp, mpf, cos, erfc, exp, log, lu_solve, matrix, pi, sqrt
import struct

mp.dps = 60


def rounded(c, bits):
    return [mpf(struct.unpack('<f', struct.pack('<f', float(x)))[0] if bits == 32 else float(x)) for x in c]


def horner(c, z):
    r = mpf(0)
    for x in reversed(c):
        r = r * z + x
    return r


for bits, c, top, count in ((32, 4, '14.5', 10), (64, 5, '38.5', 24)):
    low, high = mpf(-1), (mpf(top) - c) / (mpf(top) + c)

    def exact(u):
        t = c * (1 + u) / (1 - u)
        return erfc(t / sqrt(mpf(2))) / 2 * exp(t * t / 2) * (t + c)

    u = [(low + high) / 2 + (high - low) / 2 * cos(pi * (2 * i + 1) / (2 * count)) for i in range(count)]
    p = rounded(lu_solve(matrix([[x ** j for j in range(count)] for x in u]), matrix([exact(x) for x in u])), bits)
    grid = [low + (high - low) * mpf(i) / 1000 for i in range(1001)]
    worst = max(abs(horner(p, x) / exact(x) - 1) for x in grid)
    digits = 9 if bits == 32 else 17
    print(f"f{bits}, c = {c}: worst relative error 2^{float(log(worst, 2)):.1f}")
    print('    ' + ', '.join(f"{float(x):.{digits}g}" for x in p))
