"""Probes by a loop over numpy.linalg.lstsq, one call for every layer and step, in f64.

    peer_numpy.py LAYERS FEATURES TARGETS STEPS SEQUENCES ...

Prints milliseconds for all of them with their mean squared errors, the best of five rounds. Activations are random, the first layer of half rank."""
import sys
import time

import numpy as np

layers, features, targets, steps, sequences = map(int, sys.argv[1:6])
rng = np.random.default_rng(0)
h = rng.standard_normal((layers, sequences, steps, features))
h[0, :, :, features // 2:] = h[0, :, :, :features - features // 2]
y = rng.standard_normal((sequences, steps, targets))
best = np.inf
for _ in range(5):
    start = time.perf_counter()
    mse = np.empty((layers, steps))
    for l in range(layers):
        for t in range(steps):
            w, _, _, _ = np.linalg.lstsq(h[l, :, t], y[:, t], rcond=None)
            mse[l, t] = 0.5 * np.sum((h[l, :, t] @ w - y[:, t]) ** 2) / sequences
    best = min(best, time.perf_counter() - start)
print(1e3 * best)
