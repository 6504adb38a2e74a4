"""stream_rls beside a NumPy loop of the same recursion over the same file: every row predicted from the one before it, by Sherman and Morrison's formula.

    peer_stream.py STREAM_RLS [ROWS COLUMNS [FORMAT [GAMMA [SETTING=VALUE ...]]]]

Makes the file (x_{t+1} = A x_t + noise, A a rotation times 0.98; FORMAT of the numbers as in numpy.savetxt), and prints seconds of CPU time of both,
reading included. Their root mean square errors have to agree to 1e-6 when GAMMA is 1: with forgetting the loop forgets its ridge as well, and in the end
diverges."""
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np


def make_file(path, rows, columns, form):
    rng = np.random.default_rng(0)
    a = 0.98 * np.linalg.qr(rng.standard_normal((columns, columns)))[0]
    x = rng.standard_normal(columns)
    with open(path, "w") as f:
        for first in range(0, rows, 10000):
            noise = 0.2 * rng.standard_normal((min(10000, rows - first), columns))
            for t in range(len(noise)):
                noise[t] = x = a @ x + noise[t]
            np.savetxt(f, noise, fmt=form, delimiter=",")


def loop(path, columns, gamma, ridge=1.0):
    """Root mean square error of the predictions; seconds. loadtxt reads faster than a line at a time would be."""
    start = time.process_time()
    series = np.loadtxt(path, delimiter=",", ndmin=2)
    series -= series[0].copy()             # as stream_rls counts
    r, w, squares = np.eye(columns) / ridge, np.zeros((columns, columns)), 0.0
    for before, x in zip(series, series[1:]):
        e = x - before @ w
        squares += e @ e
        p = r @ before
        g = p / (gamma + before @ p)
        w += np.outer(g, e)
        r -= np.outer(g, p)
        if gamma != 1:
            r /= gamma
    return np.sqrt(squares / ((len(series) - 1) * columns)), time.process_time() - start


def program(stream_rls, path, gamma, more):
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([stream_rls, f"file={path}", "intercept=0", "toward=zero", f"gamma={gamma}", "out=", *more], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stderr)
    rmse = float(done.stdout.splitlines()[-1].split()[1])
    return rmse, end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


def main():
    given = sys.argv[2:] + ["1000000", "20", "%.6f", "1"][len(sys.argv) - 2:]
    rows, columns, form, gamma = int(given[0]), int(given[1]), given[2], float(given[3])
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "series.csv")
        make_file(path, rows, columns, form)
        mine, seconds = program(sys.argv[1], path, gamma, given[4:])
        theirs, slow = loop(path, columns, gamma)
    if gamma == 1 and not abs(mine - theirs) <= 1e-6 * theirs:
        sys.exit(f"peer_stream.py: errors differ: stream_rls {mine}, NumPy {theirs}")
    print(f"rmse: stream_rls {mine:.9g}, NumPy {theirs:.9g}; {slow / seconds:.1f} times faster", file=sys.stderr)
    print(seconds, slow)


main()
