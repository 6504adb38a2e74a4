"""Contexts, settings, tasks, models, training: classes over the generated functions (_api.py), whose methods they have too."""
from __future__ import annotations

import ctypes as c
import os
import threading
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import _api
from ._api import lib
from ._core import RELEASE, Array, Handle, Owned, Step, _view, array_in, check, keep, poll_of_context, saved, to_list

STREAMS = {"train": _api.STREAM_TRAIN, "test": _api.STREAM_TEST, "search": _api.STREAM_SEARCH}
_local = threading.local()


def _one_of(words, x, name):
    """The number that a word stands for."""
    if not isinstance(x, str):
        return x
    if x not in words:
        raise ValueError(f"{name}: {x!r}, expected one of {', '.join(words)}")
    return words[x]


def _stream(x):
    return _one_of(STREAMS, x, "stream")


def _dtype(x):
    return {"f32": np.float32, "f64": np.float64}.get(x, x)


class Settings(_api.Settings):
    """Options of one scope ("task", "trainer", "softmax", ...), by name: Settings("trainer", lr=3e-4, batch=128).

    Values are numbers or words; what does not apply, or is out of range, raises with the range. `dict(settings)` has all.
    """

    def __init__(self, scope: str, /, **values: object) -> None:
        if scope not in _api.SCOPES:
            raise ValueError(f"scope: {scope!r}, expected one of {', '.join(_api.SCOPES)}")
        h = c.c_void_p()
        status = lib.mesaopt_settings_create(_api.SCOPES[scope][0], None, None, c.addressof(h))
        if status:
            check(status, None)
        self._hold(h.value, None)
        self.scope = scope
        for name, value in values.items():
            self[name] = value

    def __setitem__(self, name: str, value: object) -> None:
        if isinstance(value, (bool, np.bool_)):
            value = int(value)
        if isinstance(value, (float, np.floating)):
            value = repr(float(value))
        self.set_text(name, str(value))

    def __getitem__(self, name: str) -> int | float | str:
        kind = _api.SCOPES[self.scope][1].get(name, ("word",))[0]
        said = self.get_text(name)
        return int(said) if kind == "int" else float(said) if kind == "float" else said

    def keys(self) -> list[str]:
        """Names of all options of the scope."""
        return list(_api.SCOPES[self.scope][1])

    def __iter__(self):
        return iter(self.keys())

    def _said(self):
        return f"{self.scope}: {self.dump()}"


class Context(_api.Ctx):
    """Memory, threads and ISA level of what is made in it; serves one call at a time. Every thread has one of its own by default.

    Context(threads=2, isa="avx2")
    """

    def __init__(self, **values: object) -> None:
        settings = Settings("ctx", **values)
        status = poll_of_context(settings)
        if status:
            check(status, settings)
        h = c.c_void_p()
        status = lib.mesaopt_ctx_create(settings._h, c.addressof(h))
        if status:
            check(status, settings)
        self._hold(h.value, None)

    def _hold(self, pointer, maker):
        self._h, self._owned = pointer, Owned(pointer)

    @property
    def ctx(self):                                       # a reference to itself would be a circle
        return self

    @staticmethod
    def _free(h):
        """It goes with the last object that was made in it (Owned)."""

    def close(self) -> None:
        """Gives the handle up; what was made in it goes on."""
        self._h = self._owned = None

    def _said(self):
        return "isa " + {v: n[4:].lower() for n, v in vars(_api).items() if n.startswith("ISA_")}[_api.ctx_isa(self)]


Handle.classes["Ctx"] = Context


def default_context() -> Context:
    """The context of this thread, which is used where none is given."""
    ctx = getattr(_local, "ctx", None)
    if ctx is None or ctx._h is None:
        ctx = _local.ctx = Context()
    return ctx


def _ctx(ctx, like=None):
    """The context that was given, or that of another object, or this thread's."""
    if ctx is None:
        ctx = getattr(like, "ctx", None) or default_context()
    if not isinstance(ctx, _api.Ctx):
        raise TypeError(f"ctx: {type(ctx).__name__}, expected a Context")
    return ctx


def _take(self, made):
    """Makes `self` the owner of a handle that a generated function returned."""
    self._hold(made._h, made)
    made._h = None


class Tensor(_api.Tensor):
    """An array that the library keeps, without a copy: what a Task of own sequences is made of."""

    def __init__(self, array: Array, ctx: Context | None = None) -> None:
        ctx = _ctx(ctx)
        packed, owner = _view(array, "array", False)
        h = c.c_void_p()
        key = keep(owner)
        status = lib.mesaopt_tensor_wrap(ctx._h, packed, RELEASE, key, c.addressof(h))
        if status:
            RELEASE(key)
            check(status, ctx)
        self._hold(h.value, ctx)

    def _said(self):
        a = self.array()
        return f"{a.dtype} {list(a.shape)}"

    def array(self) -> np.ndarray:
        """The elements; they live as long as the array that this returns."""
        return self.view()

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        """For np.from_dlpack, torch.from_dlpack and their like: the elements are shared."""
        if copy or (dl_device is not None and tuple(dl_device) != (1, 0)):
            raise BufferError("a Tensor is shared as it is, on the CPU")
        a = self.array()
        if a.dtype == np.uint16:                         # what NumPy has in its place
            raise BufferError("a Tensor of bfloat16, which NumPy cannot export")
        try:                                             # its capsules end well also while an exception is under way
            return a.__dlpack__() if max_version is None else a.__dlpack__(max_version=max_version)
        except TypeError:                                # NumPy from before 2.1
            return a.__dlpack__()

    def __dlpack_device__(self):
        return 1, 0


class Task(_api.Task):
    """Where sequences come from. Task("linear", dim=10, length=50, ...) draws them; Task.of(arrays) has your own;
    Task.from_function(f, dim=, length=) asks f(stream, first, out) to fill `out` [B, length + 1, dim].

    Sequence i of a stream ("train", "test", "search") is always the same.
    """

    def __init__(self, task: str | None = None, ctx: Context | None = None, **settings: object) -> None:
        if task is not None:
            settings["task"] = task
        _take(self, _api.task_create(_ctx(ctx), Settings("task", **settings)))

    @classmethod
    def of(cls, sequences: Array | Sequence[Array], weights: Array | None = None, ctx: Context | None = None, **settings: object) -> Task:
        """Own sequences: one array [N, T+1, n], or a list of arrays [T_i + 1, n] of any lengths. Not copied."""
        ctx = _ctx(ctx)
        if isinstance(sequences, (list, tuple)):
            self = _api.task_from_tensors(ctx, Settings("task", **settings), [Tensor(x, ctx) for x in sequences])
        else:
            self = _api.task_from_tensor(ctx, Settings("task", **settings), Tensor(sequences, ctx))
        if weights is not None:
            self.set_weights(weights)
        return self

    @classmethod
    def of_pairs(cls, inputs: Array | Sequence[Array], outputs: Array | Sequence[Array], ctx: Context | None = None, **settings: object) -> Task:
        """Own pairs, laid out as few-shot regression lays out its own (separator=1, prefix=20, ..): inputs and outputs [N, P, n],
        or lists of arrays [P_i, n]. Not copied."""
        ctx = _ctx(ctx)
        given = Settings("task", **settings)
        if isinstance(inputs, (list, tuple)):
            return _api.task_from_pair_tensors(ctx, given, [Tensor(x, ctx) for x in inputs], [Tensor(y, ctx) for y in to_list(outputs, "outputs")])
        return _api.task_from_pairs(ctx, given, Tensor(inputs, ctx), Tensor(outputs, ctx))

    @classmethod
    def from_function(cls, fill: Callable[[int, int, np.ndarray], object], ctx: Context | None = None, **settings: object) -> Task:
        """fill(stream, first, out) writes sequences first .. first + len(out) - 1 into `out` [B, length + 1, dim]."""
        return _api.task_from_callback(_ctx(ctx), Settings("task", **settings), fill)

    dim = property(lambda self: self.shape()[0], doc="n, observation dimension")
    length = property(lambda self: self.shape()[1], doc="T, inputs of a sequence")
    width = property(lambda self: self.shape()[2], doc="features of a token")
    count = property(lambda self: self.shape()[3], doc="own sequences; 0: endless")

    def draw(self, count: int = 1, stream: str | int = "test", first: int = 0, dtype: object = np.float64, out: Array | None = None) -> np.ndarray:
        """Sequences [count, T+1, n]."""
        if out is None:
            out = np.empty((count, self.length + 1, self.dim), _dtype(dtype))
        _api.task_draw(self, _stream(stream), first, out)
        return out

    def tokens(self, sequences: Array, out: Array | None = None) -> np.ndarray:
        """Tokens [B, T, width] of sequences [B, T+1, n]."""
        sequences = array_in(sequences, "sequences")
        if out is None:
            out = np.empty(_steps(sequences, self.width), _like(sequences))
        _api.task_tokens(self, sequences, out)
        return out

    def features(self, sequences: Array, out: Array | None = None) -> np.ndarray:
        """f(x) of the task nonlinear, of sequences [B, T, n]."""
        sequences = array_in(sequences, "sequences")
        if out is None:
            out = np.empty(tuple(sequences.shape), _like(sequences))
        _api.task_features(self, sequences, out)
        return out

    def _said(self):
        n, T, D, count = self.shape()
        return f"n={n} T={T}, tokens of {D}" + (f", {count} own sequences" if count else "")


def _length(task):
    return _api.task_shape(task)[1]


def _extents(x, least):
    """The shape of an array, of so many axes at least: what is missing the library will say."""
    return (*x.shape, *(1,) * (least - len(x.shape)))


def _like(x):
    """float32 stays, everything else goes to float64."""
    name = str(getattr(x, "dtype", ""))                  # NumPy's in another byte order is ">f4"
    return np.float32 if "float32" in name or "f4" in name else np.float64


def _steps(sequences, width):
    """Of what goes with the T steps of sequences [B, T + 1, n]."""
    B, rows, _ = _extents(sequences, 3)[:3]
    return B, max(rows - 1, 0), width


Evaluation = namedtuple("Evaluation", "loss by_t")
Evaluation.__doc__ = "Mean loss, and error by t, whose mean it is."


class Parameters(Mapping):
    """Parameters of a model by name; an array of one writes through to the model."""

    def __init__(self, model, get):
        self._model, self._get = model, get

    def __getitem__(self, name):
        if not isinstance(name, str) or name not in list(self):
            raise KeyError(name)
        return self._get(self._model, name)

    def __iter__(self):
        return iter([_api.model_parameter_name(self._model, i) for i in range(len(self))])

    def __len__(self):
        return _api.model_parameters(self._model)


class Model(_api.Model):
    """A list of blocks over one residual stream.

    Model("mask(first=20); linear(heads=2,key=20)", inputs=40, outputs=10, dtype="f64", seed=1)
    """

    def __init__(self, blocks: str | None = None, ctx: Context | None = None, **settings: object) -> None:
        _take(self, _api.model_create(_ctx(ctx), Settings("model", **settings)))
        if blocks is not None:
            self.add_text(blocks)

    def add(self, kind: str, **settings: object) -> Model:
        """Appends a block: add("softmax", heads=4, key=20)."""
        _api.model_add(self, Settings(kind, **settings))
        return self

    @classmethod
    def open(cls, path: str | os.PathLike, ctx: Context | None = None) -> Model:
        """From a file of save() of a model or a trainer."""
        return _api.model_open(_ctx(ctx), path)

    @classmethod
    def of(cls, blocks: str, weights: Mapping[str, Array], ctx: Context | None = None, **settings: object) -> Model:
        """Of weights from elsewhere: a dict from parameter names to arrays."""
        if not isinstance(weights, Mapping):
            raise TypeError(f"weights: {type(weights).__name__}, expected a dict from names to arrays")
        return _api.model_import(_ctx(ctx), Settings("model", **settings), blocks, list(weights), list(weights.values()))

    def __reduce__(self):
        return _model_of, (saved(_api.model_save_to, self),)

    @property
    def dtype(self) -> np.dtype:
        names = list(Parameters(self, _api.model_parameter))
        return _api.model_parameter(self, names[0]).dtype if names else np.dtype(np.float32)

    @property
    def outputs(self) -> int:
        return getattr(self, "_outputs", None) or self._find_outputs()

    def _find_outputs(self):
        self._outputs = _api.model_shape(self)[1]
        return self._outputs

    parameters = property(lambda self: Parameters(self, _api.model_parameter))
    gradients = property(lambda self: Parameters(self, _api.model_parameter_gradient), doc="Of the last gradient, backward or training step.")

    def forward(self, tokens: Array, out: Array | None = None) -> np.ndarray:
        """Predictions [B, T, outputs] of tokens [B, T, inputs]."""
        tokens = array_in(tokens, "tokens")
        if out is None:
            out = np.empty((*_extents(tokens, 3)[:2], self.outputs), _like(tokens))
        _api.model_forward(self, tokens, out)
        return out

    __call__ = forward

    def activations(self, tokens: Array, blocks: Sequence[int] | None = None) -> list[np.ndarray]:
        """The stream after each of `blocks` (-1: the tokens), [B, T, width]."""
        tokens = array_in(tokens, "tokens")
        blocks = list(range(-1, _api.model_blocks(self))) if blocks is None else to_list(blocks, "blocks")
        outs = [np.empty((*_extents(tokens, 3)[:2], _api.model_width(self, b)), _like(tokens)) for b in blocks]
        _api.model_activations(self, tokens, blocks, outs)
        return outs

    def gradient(self, tokens: Array, targets: Array, weights: Array | None = None) -> tuple[float, Parameters]:
        """Loss and its gradients by parameter; they are views, valid until the next ones are computed."""
        loss = _api.model_gradient(self, tokens, targets, weights)
        return loss, self.gradients

    def backward(self, tokens: Array, dout: Array) -> np.ndarray:
        """Gradients of parameters (gradients) and of tokens, which it returns, of a scalar of yours."""
        tokens = array_in(tokens, "tokens")
        dtokens = np.empty(tuple(tokens.shape), _like(tokens))
        _api.model_backward(self, tokens, dout, dtokens)
        return dtokens

    def evaluate(self, task: _api.Task, count: int = 2560, stream: str | int = "test", first: int = 0) -> Evaluation:
        """Evaluation on sequences first .. first + count - 1."""
        by_t = np.empty(_length(task))
        return Evaluation(_api.model_evaluate(self, task, _stream(stream), first, count, by_t), by_t)

    def attention_map(self, block: int, task: _api.Task, count: int = 2048, stream: str | int = "test", first: int = 0) -> np.ndarray:
        """[heads, T, T]: the weights with which each head sums values, mean over sequences."""
        out = np.empty((_api.study_heads(self, block), _length(task), _length(task)))
        _api.study_attention_map(self, block, task, _stream(stream), first, count, out)
        return out

    def sensitivity(self, blocks: Sequence[int], task: _api.Task, count: int = 16, stream: str | int = "test", first: int = 0) -> np.ndarray:
        """[len(blocks), T, T]: norm of d stream_t / d token_t'."""
        blocks = to_list(blocks, "blocks")
        out = np.empty((len(blocks), _length(task), _length(task)))
        _api.study_sensitivity(self, blocks, task, _stream(stream), first, count, -1, out)
        return out

    def note(self, key: str, value: str | None) -> None:
        """Keeps a text with the model, in its files too; None takes it away."""
        _api.model_set_note(self, key, value)

    def _said(self):
        return self.text()


def _model_of(content):
    return _api.model_open_from(default_context(), content)


def _prompt_of(content):
    return _api.prompt_open_from(default_context(), content)


class Trainer(_api.Trainer):
    """AdamW on the training stream: Trainer(model, task, batch=256, lr=3e-4, ...)."""

    def __init__(self, model: _api.Model, task: _api.Task, ctx: Context | None = None, **settings: object) -> None:
        _take(self, _api.trainer_create(_ctx(ctx, model), Settings("trainer", **settings), model, task))
        self.model, self.task = model, task

    def run(self, steps: int, callback: Callable[[Step], object] | None = None) -> bool:
        """Until `steps` steps in all are taken; callback(step) after each, whose true return stops. True: all were taken.

        Ctrl-C raises KeyboardInterrupt between two steps; the trainer can go on.
        """
        return _api.trainer_run(self, steps, callback) != _api.STOPPED

    @property
    def steps(self) -> int:
        """Taken so far."""
        return _api.trainer_steps(self)

    def _said(self):
        return f"{self.steps} steps, of {self.model!r}"

    def evaluate(self, count: int = 2560) -> Evaluation:
        """Evaluation on the first sequences of the test stream."""
        by_t = np.empty(self.task.length)
        return Evaluation(_api.trainer_evaluate(self, count, by_t), by_t)


class Decoder(_api.Decoder):
    """A model that goes through `streams` sequences step by step, and keeps what it needs of the past: Decoder(model, streams=2)."""

    def __init__(self, model: _api.Model, **settings: object) -> None:
        _take(self, _api.decoder_create(model, Settings("decoder", **settings)))
        self.model = model

    def step(self, tokens: Array, out: Array | None = None) -> np.ndarray:
        """The next tokens [streams, L, inputs] of every stream; predictions [streams, L, outputs]."""
        tokens = array_in(tokens, "tokens")
        if out is None:
            out = np.empty((*_extents(tokens, 3)[:2], self.model.outputs), _like(tokens))
        _api.decoder_step(self, tokens, out)
        return out

    def _said(self):
        return f"{_api.decoder_steps(self, 0)} tokens in stream 0, of {self.model!r}"

    @classmethod
    def open(cls, model: _api.Model, path: str | os.PathLike, **settings: object) -> Decoder:
        """From a file of save()."""
        self = _api.decoder_open(model, Settings("decoder", **settings), path)
        self.model = model
        return self


class Prompt(_api.Prompt):
    """A separator and a prefix that are learned through a frozen model: Prompt(dim=10, ...)."""

    def __init__(self, ctx: Context | None = None, **settings: object) -> None:
        _take(self, _api.prompt_create(_ctx(ctx), Settings("prompt", **settings)))

    @classmethod
    def open(cls, path: str | os.PathLike, ctx: Context | None = None) -> Prompt:
        """From a file of save()."""
        return _api.prompt_open(_ctx(ctx), path)

    def train(self, model: _api.Model, task: _api.Task, updates: int, callback: Callable[[Step], object] | None = None) -> bool:
        """Until `updates` updates in all are taken; callback(step) after each, whose true return stops. True: all were taken."""
        return _api.prompt_train(self, model, task, updates, callback) != _api.STOPPED

    def _said(self):
        return f"n={self.separator.shape[1]} prefix={len(self.prefix)}, {_api.prompt_updates(self)} updates"

    def __reduce__(self):
        return _prompt_of, (saved(_api.prompt_save_to, self),)

    separator = property(lambda self: _api.prompt_vectors(self, "separator"), doc="[1, n]; writing through it changes the prompt")
    prefix = property(lambda self: _api.prompt_vectors(self, "prefix"), doc="[p, n], likewise")


class Baseline(_api.Baseline):
    """An optimiser written down: Baseline("gd"), "lsq", "kernel", "neumann", "newton", "richardson", "chebyshev"."""

    def __init__(self, baseline: str | None = None, ctx: Context | None = None, **settings: object) -> None:
        if baseline is not None:
            settings["baseline"] = baseline
        _take(self, _api.baseline_create(_ctx(ctx), Settings("baseline", **settings)))
        self._given = " ".join(f"{n}={v}" for n, v in settings.items())

    def _said(self):
        return f"made with {self._given}" if self._given else ""

    def predict(self, sequences: Array, out: Array | None = None) -> np.ndarray:
        """Predictions [B, T, n] of x_2 .. x_{T+1} of sequences [B, T+1, n]."""
        sequences = array_in(sequences, "sequences")
        if out is None:
            out = np.empty(_steps(sequences, _extents(sequences, 3)[2]), _like(sequences))
        _api.baseline_predict(self, sequences, out)
        return out

    def search(self, task: _api.Task, count: int = 2560) -> float:
        """Line search for eta, beta or ridge, which it sets and returns."""
        return _api.baseline_search(self, task, count)

    def train(self, task: _api.Task, updates: int = 0, callback: Callable[[Step], object] | None = None) -> bool:
        """Learns the coefficients of richardson or chebyshev."""
        return _api.baseline_train(self, task, updates, callback) != _api.STOPPED

    def evaluate(self, task: _api.Task, count: int = 2560, stream: str | int = "test", first: int = 0) -> Evaluation:
        """Evaluation on sequences first .. first + count - 1."""
        by_t = np.empty(_length(task))
        return Evaluation(_api.baseline_evaluate(self, task, _stream(stream), first, count, by_t), by_t)


class Attention(_api.Attn):
    """Causal attention on your arrays, without projections: Attention("softmax", scale=0.125)."""

    def __init__(self, kind: str = "softmax", ctx: Context | None = None, **settings: object) -> None:
        _take(self, _api.attn_create(_ctx(ctx), Settings(kind, **settings)))
        self._given = " ".join([kind, *(f"{n}={v}" for n, v in settings.items())])

    def _said(self):
        return self._given

    def forward(self, q: Array, k: Array, v: Array, out: Array | None = None) -> np.ndarray:
        """[B, T, H, dv] of q, k [B, T, H, d] and v [B, T, H, dv]."""
        v = array_in(v, "v")
        if out is None:
            out = np.empty(tuple(v.shape), _like(v))
        _api.attn_forward(self, q, k, v, out)
        return out

    __call__ = forward

    def backward(self, q: Array, k: Array, v: Array, dout: Array) -> tuple[np.ndarray, ...]:
        """dq, dk, dv of a scalar whose gradient of the output is dout."""
        q, k, v = _qkv(q, k, v)
        grads = [np.empty(tuple(x.shape), _like(x)) for x in (q, k, v)]
        _api.attn_backward(self, q, k, v, dout, *grads)
        return tuple(grads)

    _backward_into = _api.attn_backward


def _qkv(q, k, v):
    return array_in(q, "q"), array_in(k, "k"), array_in(v, "v")


_LSQ = {name[4:].lower(): value for name, value in vars(_api).items() if name.startswith("LSQ_")}
_EXTRA_OUT = ("h_last", "s_last", "solution", "residual", "iterations", "condition")
_EXTRA_GRAD = ("d_beta", "d_log_gamma", "d_ridge", "d_h0", "d_s0")


class MesaSolver(_api.Lsq):
    """Recursive least squares on sequences, the mesa layer's solver: MesaSolver(d_key, d_val, ridge=1, solver="auto").

    Further inputs: beta, log_gamma [B, T, H], ridge [H, d], h0 [N, H, d, d], s0 [N, H, d, dv], offsets [N + 1].
    """

    def __init__(self, d_key: int, d_val: int, ctx: Context | None = None, **settings: object) -> None:
        _take(self, _api.lsq_plan(_ctx(ctx), Settings("lsq", **settings), d_key, d_val))
        self.d_key, self.d_val = d_key, d_val

    def _said(self):
        return f"d_key={self.d_key} d_val={self.d_val}"

    def _extra(self, name, q, v, inputs):
        B, T, H, d = _extents(q, 4)[:4]
        dv = _extents(v, 4)[3]
        N = len(inputs["offsets"]) - 1 if inputs.get("offsets") is not None else B
        bare = name[2:] if name.startswith("d_") else name
        shape = {"h": (N, H, d, d), "s": (N, H, d, dv), "h0": (N, H, d, d), "s0": (N, H, d, dv), "h_last": (N, H, d, d), "s_last": (N, H, d, dv),
                 "solution": (B, T, H, d), "ridge": (H, d)}.get(bare, (B, T, H))
        return np.empty(shape, _like(q))

    def forward(self, q: Array, k: Array, v: Array, want: Sequence[str] = (), out: Array | None = None, **inputs: Array | None) -> Any:
        """out [B, T, H, dv]; with `want`, such as ("solution", "residual", "h_last"), a dict of these as well."""
        q, k, v = _qkv(q, k, v)
        given = {n: x for n, x in inputs.items() if x is not None}
        _known(given, ("beta", "log_gamma", "ridge", "h0", "s0", "offsets"))
        want = to_list(want, "want")
        _known(want, _EXTRA_OUT)
        out = np.empty(tuple(v.shape), _like(v)) if out is None else out
        wanted = {n: self._extra(n, q, v, given) for n in want}
        self._forward_into(q, k, v, out, {**given, **wanted})
        return (out, wanted) if want else out

    __call__ = forward

    def adjoint(self, q: Array, k: Array, v: Array, dout: Array, want: Sequence[str] = (), **inputs: Array | None) -> tuple:
        """dq, dk, dv of a scalar whose gradient of out is dout; with `want`, such as ("d_ridge",), a dict as well."""
        q, k, v = _qkv(q, k, v)
        given = {n: x for n, x in inputs.items() if x is not None}
        _known(given, ("beta", "log_gamma", "ridge", "h0", "s0", "offsets", "solution", "d_h_last", "d_s_last"))
        want = to_list(want, "want")
        _known(want, _EXTRA_GRAD + ("residual", "iterations"))
        grads = [np.empty(tuple(x.shape), _like(x)) for x in (q, k, v)]
        wanted = {n: self._extra(n, q, v, given) for n in want}
        self._adjoint_into(q, k, v, dout, grads, {**given, **wanted})
        return (*grads, wanted) if want else tuple(grads)

    def _forward_into(self, q, k, v, out, operands):
        _api.lsq_forward(self, q, k, v, out, [_LSQ[n] for n in operands], list(operands.values()))

    def _adjoint_into(self, q, k, v, dout, grads, operands):
        _api.lsq_adjoint(self, q, k, v, dout, *grads, [_LSQ[n] for n in operands], list(operands.values()))


def _known(names, known):
    for n in names:
        if not isinstance(n, str) or n not in known:
            raise TypeError(f"{n!r:.40}, expected one of {', '.join(known)}")


PROBE_SETS = {"train": _api.PROBE_TRAIN, "test": _api.PROBE_TEST}
Scores = namedtuple("Scores", "mse r2")


class Probe(_api.Probe):
    """Linear probes, one for every layer and step: Probe(features=[40, 40], steps=50, targets=10, intercept=1)."""

    def __init__(self, features: Sequence[int], steps: int, targets: int, ctx: Context | None = None, **settings: object) -> None:
        _take(self, _api.probe_plan(_ctx(ctx), Settings("probe", **settings), to_list(features, "features"), steps, targets))

    def feed(self, activations: Sequence[Array], targets: Array, weights: Array | None = None, set: str | int = "train") -> Probe:
        """Takes in activations, a list of [B, T, D_l], and targets [B, T, n]."""
        _api.probe_feed(self, _one_of(PROBE_SETS, set, "set"), to_list(activations, "activations"), targets, weights)
        return self

    def feed_model(self, model: _api.Model, task: _api.Task, count: int, blocks: Sequence[int] | None = None, set: str | int = "train", stream: str | int | None = None, first: int = 0) -> Probe:
        """Takes in the stream of a model while it runs; the train set from stream "train", the test set from "test"."""
        stream = set if stream is None else stream
        _api.probe_feed_model(self, _one_of(PROBE_SETS, set, "set"), model, None if blocks is None else to_list(blocks, "blocks"), task, _stream(stream), first, count)
        return self

    def _said(self):
        return "layers={} steps={} targets={}".format(*_api.probe_shape(self))

    def fit(self, **settings: object) -> Probe:
        """Fits all probes to the train set; settings (intercept, penalty, rcond) in place of the plan's."""
        _api.probe_fit(self, Settings("probe", **settings) if settings else None)
        return self

    def score(self, set: str | int = "test") -> Scores:
        """Scores [L, T]: half squared error, and R^2."""
        L, T, n = _api.probe_shape(self)
        s = Scores(np.empty((L, T)), np.empty((L, T)))
        _api.probe_score(self, _one_of(PROBE_SETS, set, "set"), *s)
        return s

    def weights(self, layer: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """W [D, n] and intercept [n] of a fitted probe, copied."""
        return _api.probe_weights(self, layer, step)


class RevAlg(_api.Revalg):
    """The algorithm in the weights of an attention-only model: RevAlg(model)."""

    def __init__(self, model: _api.Model) -> None:
        _take(self, _api.revalg_extract(model))
        self._heads = [_api.study_heads(model, b) for b in range(_api.model_blocks(model))]

    Summary = namedtuple("Summary", "weights explained")

    def _said(self):
        return f"of {len(self._heads)} blocks"

    def summary(self) -> RevAlg.Summary:
        """Share of the weights that are left, and of their products that they explain."""
        return self.Summary(*_api.revalg_summary(self))

    def closed_form(self) -> np.ndarray:
        """[heads, 6]: alpha, eta, beta, gamma, p1, p2 of one attention layer on constructed tokens."""
        out = np.empty((sum(self._heads), 6))
        _api.revalg_closed_form(self, out)
        return out


class Linearise(_api.Linearise):
    """Linear attention that learns what blocks of a model do: Linearise(model, task, [0, 1])."""

    def __init__(self, model: _api.Model, task: _api.Task, blocks: Sequence[int], block: _api.Settings | dict | None = None, ctx: Context | None = None, **settings: object) -> None:
        self._blocks = to_list(blocks, "blocks")
        _take(self, _api.linearise_create(_ctx(ctx, model), Settings("trainer", **settings) if settings else None, model, task, self._blocks, block))

    def _said(self):
        return f"blocks {self._blocks}, {_api.linearise_steps(self)} steps"

    def run(self, steps: int, callback: Callable[[Step], object] | None = None) -> bool:
        """Until `steps` steps in all are taken; callback(step) after each, whose true return stops. True: all were taken."""
        return _api.linearise_run(self, steps, callback) != _api.STOPPED

    def evaluate(self, count: int = 2560) -> tuple[np.ndarray, np.ndarray]:
        """Ratio of losses and error of the outputs, by block."""
        ratio, error = np.empty(len(self._blocks)), np.empty(len(self._blocks))
        _api.linearise_evaluate(self, count, ratio, error)
        return ratio, error


def grad_check(loss: Callable[[], float], x: Array, gradient: Array, h: float = 1e-3, ctx: Context | None = None) -> float:
    """Norm-wise distance of `gradient` from central differences of loss() as the elements of x (an array) move."""
    from ._core import callback as wrap, run, to_number, view_in, view_out
    ctx = _ctx(ctx)
    error = c.c_double()
    f = wrap(_api.LOSS_FN, loss)
    x_, g_ = view_out(x, "x"), view_in(gradient, "gradient")
    status = run(ctx, lib.mesaopt_grad_check, ctx._h, f[0], None, x_[0], g_[0], to_number(h, "h"), c.addressof(error))
    if status:
        check(status, ctx)
    return error.value
