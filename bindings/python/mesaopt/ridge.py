"""RecursiveRidge: ridge regression row by row, with the interface of scikit-learn, which it does not need."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import _api
from ._classes import MesaSolver, default_context
from ._core import saved

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


_sum = np.add.reduce


class RecursiveRidge(RegressorMixin, BaseEstimator):
    """min over Phi of sum_s gamma^(age of s) w_s |y_s - Phi x_s|^2 + ridge |Phi|^2, updated row by row.

    ridge > 0; gamma in (0, 1] forgets; window = W counts the last W rows only (0: all). fit_intercept adds a column of
    ones to X, whose weight has the ridge too. A row costs the same however many were seen before.
    """

    def __init__(self, ridge: float = 1e-6, gamma: float = 1.0, window: int = 0, fit_intercept: bool = True) -> None:
        self.ridge, self.gamma, self.window, self.fit_intercept = ridge, gamma, window, fit_intercept

    # ---- scikit-learn's interface ----

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> RecursiveRidge:
        """Forgets what was seen, then partial_fit."""
        for name in ("_rls", "n_features_in_", "coef_"):
            self.__dict__.pop(name, None)
        if sample_weight is not None and not np.any(np.asarray(sample_weight)):
            raise ValueError("sample_weight: every weight is zero")
        return self.partial_fit(X, y, sample_weight)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> RecursiveRidge:
        """Takes in rows X [n, d], y [n] or [n, m], with weights [n] >= 0."""
        first = not hasattr(self, "_rls")
        X, y = self._checked(X, y, first)
        if first:
            self._one = y.ndim == 1
            self._begin(X.shape[1], 1 if y.ndim == 1 else y.shape[1])
        beta = None
        if sample_weight is not None:
            beta = np.asarray(sample_weight, np.float64)
            beta = np.full(X.shape[0], float(beta)) if beta.ndim == 0 else beta
            if beta.shape != (X.shape[0],):
                raise ValueError(f"sample_weight.shape == {beta.shape}, expected ({X.shape[0]},)")
            beta = beta.reshape(-1, 1)
        Y = y.reshape(X.shape[0], 1, -1)
        if Y.shape[2] != self._dv:
            raise ValueError(f"y: {Y.shape[2]} outputs, expected {self._dv}")
        _api.rls_update(self._rls, self._rows(X), Y, beta, None)
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predictions [n] or [n, m]; with return_std their standard errors as well."""
        if not hasattr(self, "_rls"):
            raise _not_fitted(self)
        q = self._rows(self._checked(X, None, False, True))
        n = q.shape[0]
        out = np.empty((n, 1, self._dv), q.dtype)
        std = np.empty((n, 1, self._dv), q.dtype) if return_std else None
        _api.rls_predict(self._rls, q, out, std)
        shape = n if self._one else (n, self._dv)
        return (out.reshape(shape), std.reshape(shape)) if return_std else out.reshape(shape)

    def merge(self, other: RecursiveRidge) -> RecursiveRidge:
        """As if this had seen the rows of `other` too, after its own."""
        for x in (self, other):
            if not isinstance(x, RecursiveRidge):
                raise TypeError(f"other: {type(x).__name__}, expected a RecursiveRidge")
            if not hasattr(x, "_rls"):
                raise _not_fitted(x)
        _api.rls_merge(self._rls, other._rls)
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
        if not hasattr(self, "_rls"):
            raise AttributeError("coef_: nothing was fitted")
        d = self._dk
        q, out = np.eye(d).reshape(d, 1, d), np.empty((d, 1, self._dv))
        _api.rls_predict(self._rls, q, out, None)
        W = out[:, 0, :].T
        W, b = (W[:, :-1], W[:, -1]) if self.fit_intercept else (W, np.zeros(self._dv))
        return (W[0].copy(), float(b[0])) if self._one else (W.copy(), b.copy())

    # ---- the library's side ----

    def _begin(self, features, outputs):
        self.n_features_in_ = features
        self._dk, self._dv = features + bool(self.fit_intercept), outputs
        self._ones = None
        self._plan()
        self._rls = _api.rls_create(self._solver, 1, None)

    def _plan(self):
        self._solver = MesaSolver(self._dk, self._dv, ctx=default_context(), ridge=float(self.ridge), gamma=float(self.gamma), window=int(self.window))

    def _rows(self, X):
        if not self.fit_intercept:
            return X.reshape(X.shape[0], 1, -1)
        rows = np.empty((X.shape[0], 1, self._dk), X.dtype)
        rows[:, 0, :-1] = X
        rows[:, 0, -1] = 1
        return rows

    def _checked(self, X, y, first, predicts=False):
        if type(X) is np.ndarray and X.dtype.char in "df" and predicts and X.ndim == 2 and X.shape[1] == self.n_features_in_:
            if 0 < X.size <= 4096 and math.isfinite(_sum(X, None)):      # the usual case, quickly
                return X
        try:
            from sklearn.utils.validation import validate_data
        except ImportError:
            X = np.asarray(X, None if getattr(X, "dtype", None) in (np.float32, np.float64) else np.float64)
            if X.ndim != 2:
                raise ValueError(f"X: {X.ndim} axes, expected 2. Reshape your data either using array.reshape(-1, 1) or array.reshape(1, -1)")
            if not first and X.shape[1] != self.n_features_in_:
                raise ValueError(f"X has {X.shape[1]} features, but RecursiveRidge is expecting {self.n_features_in_} features as input")
            if predicts:
                return X
            y = np.asarray(y, X.dtype)
            if y.ndim not in (1, 2) or y.shape[0] != X.shape[0]:
                raise ValueError(f"y: shape {y.shape}, expected ({X.shape[0]},) or ({X.shape[0]}, m)")
            return X, y
        kinds = [np.float64, np.float32]
        if predicts:
            return validate_data(self, X, reset=False, dtype=kinds)
        X, y = validate_data(self, X, y, reset=first, dtype=kinds, multi_output=True, y_numeric=True)
        return X, np.asarray(y, X.dtype)

    # ---- pickling: the state as the library writes it, to the bit ----

    def __getstate__(self):
        state = {n: v for n, v in self.__dict__.items() if n not in ("_rls", "_solver")}
        if hasattr(self, "_rls"):
            state["_saved"] = saved(_api.rls_save_to, self._rls)
        return state

    def __setstate__(self, state):
        state = dict(state)
        bytes_ = state.pop("_saved", None)
        self.__dict__.update(state)
        if bytes_ is not None:
            self._plan()
            self._rls = _api.rls_open_from(self._solver, bytes_)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_rls")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = True
        return tags


def _not_fitted(of):
    text = f"This {type(of).__name__} is not fitted yet: call fit or partial_fit first."
    try:
        from sklearn.exceptions import NotFittedError
        return NotFittedError(text)
    except ImportError:
        return ValueError(text)
