"""RecursiveRidge: ridge regression row by row, with the interface of scikit-learn, which it does not need."""
from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from . import _api
from ._classes import MesaSolver, default_context
from ._core import Error, real_in, saved, unmasked

try:                                                     # with scikit-learn its checks, clones and pipelines work
    from sklearn.base import BaseEstimator, RegressorMixin
except ImportError:
    class BaseEstimator:
        def get_params(self, deep: bool = True) -> dict:
            """As scikit-learn's."""
            return {n: getattr(self, n) for n in ("ridge", "gamma", "window", "fit_intercept")}

        def set_params(self, **values: Any) -> BaseEstimator:
            """As scikit-learn's."""
            for n, v in values.items():
                setattr(self, n, v)
            return self

    class RegressorMixin:
        pass

try:
    from sklearn.utils.validation import validate_data
except ImportError:                                      # not there, or from before 1.6
    validate_data = None

_sum, _KINDS = np.add.reduce, [np.float64, np.float32]
_NAMES = {"k": "X", "q": "X", "v": "y", "beta": "sample_weight", "from": "other"}


def _call(f, *arguments):
    """A function of the library, whose errors begin with its own name of an argument."""
    try:
        return f(*arguments)
    except Error as e:
        name, *rest = e.text.split(":", 1)
        raise type(e)(e.status, ":".join([_NAMES.get(name, name), *rest])) from None


class _Fitted:
    """A regression, and what it was made with: the parameters of its estimator may be others by now."""

    def __init__(self, features, outputs, flat, intercept, given, content=None):
        self.features, self.outputs, self.flat, self.intercept, self.given = features, outputs, flat, intercept, given
        solver = MesaSolver(features + intercept, outputs, ctx=default_context(), **given)
        self.rls = _api.rls_create(solver, 1) if content is None else _api.rls_open_from(solver, content)

    def __reduce__(self):                                # as the library writes it, to the bit
        return _Fitted, (self.features, self.outputs, self.flat, self.intercept, self.given, saved(_api.rls_save_to, self.rls))

    def rows(self, X):
        if not self.intercept:
            return X.reshape(X.shape[0], 1, -1)
        rows = np.empty((X.shape[0], 1, self.features + 1), X.dtype)
        rows[:, 0, :-1] = X
        rows[:, 0, -1] = 1
        return rows

    def update(self, X, y, weights):
        Y = y.reshape(X.shape[0], 1, -1)
        if Y.shape[2] != self.outputs:
            raise ValueError(f"y: {Y.shape[2]} outputs, expected {self.outputs}")
        _call(_api.rls_update, self.rls, self.rows(X), Y, weights)

    def linear(self):
        """Coefficients and intercept: predictions of unit rows."""
        d = self.features + self.intercept
        out = np.empty((d, 1, self.outputs))
        _api.rls_predict(self.rls, np.eye(d).reshape(d, 1, d), out)
        W, b = out[:self.features, 0].T, out[d - 1, 0] if self.intercept else np.zeros(self.outputs)
        return (W[0].copy(), float(b[0])) if self.flat else (W.copy(), b.copy())


class RecursiveRidge(RegressorMixin, BaseEstimator):
    """min over Phi of sum_s gamma^(age of s) w_s |y_s - Phi x_s|^2 + ridge |Phi|^2, updated row by row.

    ridge > 0; gamma in (0, 1] forgets; window = W counts the last W rows only (0: all). fit_intercept adds a column of
    ones to X, whose weight has the ridge too. A row costs the same however many were seen before.

    What was fitted keeps the parameters it was begun with: those that set_params changes count from the next fit on, not
    in partial_fit. A call that raises changes nothing. Rows are float32 where X and y both are, else float64.
    """

    _fitted = None

    def __init__(self, ridge: float = 1e-6, gamma: float = 1.0, window: int = 0, fit_intercept: bool = True) -> None:
        self.ridge, self.gamma, self.window, self.fit_intercept = ridge, gamma, window, fit_intercept

    def __copy__(self):                                  # two that take in rows of their own
        return copy.deepcopy(self)

    # ---- scikit-learn's interface ----

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> RecursiveRidge:
        """Forgets what was seen, then takes in rows as partial_fit does."""
        if sample_weight is not None and not np.any(real_in(sample_weight, "sample_weight")):
            raise ValueError("sample_weight: every weight is zero")
        return self._begin(X, y, sample_weight)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> RecursiveRidge:
        """Takes in rows X [n, d], y [n] or [n, m], with weights [n] >= 0. It goes on with the parameters of the last fit,
        or of the first partial_fit."""
        if self._fitted is None:
            return self._begin(X, y, sample_weight)
        X, y = self._checked(X, y)
        self._fitted.update(X, y, _weights(sample_weight, X.shape[0]))
        return self

    def _begin(self, X, y, sample_weight):
        """The new regression, and what scikit-learn notes of X, are of another object until they are complete."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__, _fitted=None)
        X, y = new._checked(X, y)
        new.n_features_in_ = X.shape[1]
        given = {"ridge": self.ridge, "gamma": self.gamma, "window": self.window}
        new._fitted = _Fitted(X.shape[1], 1 if y.ndim == 1 else y.shape[1], y.ndim == 1, bool(self.fit_intercept), given)
        new._fitted.update(X, y, _weights(sample_weight, X.shape[0]))
        self.__dict__ = new.__dict__
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predictions [n] or [n, m], of X's type; with return_std their standard errors as well."""
        f = self._known()
        q = f.rows(self._queries(X))
        out = np.empty((q.shape[0], 1, f.outputs), q.dtype)
        std = np.empty(out.shape, q.dtype) if return_std else None
        _call(_api.rls_predict, f.rls, q, out, std)
        shape = q.shape[0] if f.flat else (q.shape[0], f.outputs)
        return (out.reshape(shape), std.reshape(shape)) if return_std else out.reshape(shape)

    def merge(self, other: RecursiveRidge) -> RecursiveRidge:
        """As if this had seen the rows of `other` too, after its own. Both are of the same parameters and features."""
        if not isinstance(other, RecursiveRidge):
            raise TypeError(f"other: {type(other).__name__}, expected a RecursiveRidge")
        mine, others = self._known(), other._known()
        must = [("fit_intercept", mine.intercept, others.intercept), ("n_features_in_", mine.features, others.features)]
        names = [list(getattr(x, "feature_names_in_", ())) for x in (self, other)]
        for name, a, b in must + [("feature_names_in_", *names)] * all(names):
            if a != b:
                raise ValueError(f"other: fitted with {name} {b}, expected {a} as here")
        _call(_api.rls_merge, mine.rls, others.rls)
        return self

    @property
    def coef_(self) -> np.ndarray:
        """[d] or [m, d]: what predictions of unit rows say, without the intercept."""
        return self._linear()[0]

    @property
    def intercept_(self) -> float | np.ndarray:
        """0 without one."""
        return self._linear()[1]

    def _linear(self):
        if self._fitted is None:                         # hasattr is false then
            raise AttributeError("coef_: nothing was fitted")
        return self._fitted.linear()

    def _known(self):
        if self._fitted is None:
            raise _not_fitted(self)
        return self._fitted

    # ---- what is given ----

    def _queries(self, X):
        d = self._fitted.features
        if type(X) is np.ndarray and X.dtype.char in "df" and X.ndim == 2 and X.shape[1] == d:
            if 0 < X.size <= 4096 and math.isfinite(_sum(X, None)):      # the usual case, quickly
                return X
        if validate_data is None:
            return _matrix(X, d)
        return validate_data(self, unmasked(X, "X"), reset=False, dtype=_KINDS)

    def _checked(self, X, y):
        """Both as float32, or both as float64."""
        f = self._fitted
        if validate_data is None:
            X, y = _matrix(X, f and f.features), real_in(y, "y")
            if y.ndim not in (1, 2) or y.shape[0] != X.shape[0] or y.size == 0:
                raise ValueError(f"y: shape {y.shape}, expected ({X.shape[0]},) or ({X.shape[0]}, m)")
        else:
            X, y = validate_data(self, unmasked(X, "X"), unmasked(y, "y"), reset=f is None, dtype=_KINDS, multi_output=True, y_numeric=True)
        kind = np.float32 if X.dtype == y.dtype == np.float32 else np.float64
        return np.asarray(X, kind), np.asarray(y, kind)

    def __sklearn_is_fitted__(self):
        return self._fitted is not None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = True
        return tags


def _matrix(X, features):
    """What scikit-learn would take for X, of so many features, if they are known."""
    X = real_in(X, "X")
    if X.ndim != 2:
        raise ValueError(f"X: {X.ndim} axes, expected 2. Reshape your data either using array.reshape(-1, 1) or array.reshape(1, -1)")
    if 0 in X.shape:
        raise ValueError(f"X: shape {X.shape}, expected at least one row and one column")
    if features not in (None, X.shape[1]):
        raise ValueError(f"X has {X.shape[1]} features, but RecursiveRidge is expecting {features} features as input")
    return X


def _weights(given, n):
    """[n, 1] of a number or [n]."""
    if given is None:
        return None
    w = real_in(given, "sample_weight")
    if w.shape not in ((), (n,)):
        raise ValueError(f"sample_weight.shape == {w.shape}, expected ({n},)")
    return np.broadcast_to(w, n).reshape(n, 1)


def _not_fitted(of):
    text = f"This {type(of).__name__} is not fitted yet: call fit or partial_fit first."
    try:
        from sklearn.exceptions import NotFittedError
        return NotFittedError(text)
    except ImportError:
        return ValueError(text)
