"""Figures with matplotlib, when it is there: error by t, scores of probes, attention maps. Each returns the axes."""
from __future__ import annotations

import numpy as np


def _axes(axes):
    if axes is None:
        import matplotlib.pyplot
        axes = matplotlib.pyplot.subplots()[1]
    return axes


def by_t(axes=None, **evaluations):
    """Error by t of several predictors: by_t(model=model.evaluate(task), gd=gd.evaluate(task))."""
    axes = _axes(axes)
    for name, e in evaluations.items():
        values = np.asarray(getattr(e, "by_t", e))
        axes.plot(np.arange(1, len(values) + 1), values, label=name)
    axes.set(xlabel="t", ylabel="next-token error")
    axes.legend()
    return axes


def probes(scores, axes=None, names=None):
    """Mean error of probes by t, a line a layer; of Probe.score(), or [layers, T]."""
    axes = _axes(axes)
    mse = np.asarray(getattr(scores, "mse", scores))
    for layer, values in enumerate(mse):
        axes.plot(np.arange(1, len(values) + 1), values, label=names[layer] if names else f"layer {layer}")
    axes.set(xlabel="t", ylabel="error of the probe")
    axes.legend()
    return axes


def attention(weights, axes=None):
    """One head's map [T, T]: rows are queries."""
    axes = _axes(axes)
    axes.imshow(np.asarray(weights), cmap="viridis")
    axes.set(xlabel="s", ylabel="t")
    return axes
