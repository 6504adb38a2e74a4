"""Coefficients of the polynomials in lib/kern/simd_random.c, printed with their worst errors.

    log m      = s (2 + z L(z)),      s = (m - 1) / (m + 1), z = s^2, m in [sqrt(1/2), sqrt(2)]
    sin(2pi x) = x (2pi + z S(z)),    z = x^2, |x| <= 1/8
    cos(2pi x) = 1 + z C(z)
Interpolation at Chebyshev points in 60 digits, close to minimax; the errors are those of the exact polynomial with
coefficients rounded to the type, relative to the function.   usage: random_polynomials.py   (needs mpmath)
"""
from mpmath import mp, mpf, cos, sin, pi, sqrt, atanh, log, lu_solve, matrix
import struct

mp.dps = 60


def coefficients(f, high, count):
    """Interpolates f on (0, high] by a polynomial of `count` coefficients, lowest power first."""
    z = [high / 2 * (1 + cos(pi * (2 * i + 1) / (2 * count))) for i in range(count)]
    return list(lu_solve(matrix([[x ** j for j in range(count)] for x in z]), matrix([f(x) for x in z])))


def rounded(c, bits):
    return [mpf(struct.unpack('<f', struct.pack('<f', float(x)))[0] if bits == 32 else float(x)) for x in c]


def horner(c, z):
    r = mpf(0)
    for x in reversed(c):
        r = r * z + x
    return r


top = (sqrt(2) - 1) / (sqrt(2) + 1)
cases = [   # name, largest z, tail, function from z and tail, exact function, coefficients by bits
    ('log', top ** 2, lambda z: (2 * atanh(sqrt(z)) / sqrt(z) - 2) / z, lambda z, p: (2 + z * p) * sqrt(z),
     lambda z: 2 * atanh(sqrt(z)), {32: 3, 64: 7}),
    ('sin', mpf(1) / 64, lambda z: (sin(2 * pi * sqrt(z)) / sqrt(z) - 2 * pi) / z, lambda z, p: (2 * pi + z * p) * sqrt(z),
     lambda z: sin(2 * pi * sqrt(z)), {32: 3, 64: 6}),
    ('cos', mpf(1) / 64, lambda z: (cos(2 * pi * sqrt(z)) - 1) / z, lambda z, p: 1 + z * p,
     lambda z: cos(2 * pi * sqrt(z)), {32: 4, 64: 7}),
]
for name, high, f, rebuild, exact, count in cases:
    for bits in (32, 64):
        c = rounded(coefficients(f, high, count[bits]), bits)
        grid = [high * mpf(i) / 400 for i in range(1, 401)]
        worst = max(abs(rebuild(z, horner(c, z)) / exact(z) - 1) for z in grid)
        digits = 9 if bits == 32 else 17
        print(f"{name} f{bits}: worst relative error 2^{float(log(worst, 2)):.1f}")
        print('    ' + ', '.join(f"{float(x):.{digits}g}" for x in c))
