"""What the generated functions (_api.py) convert with: handles, views of arrays, texts, errors, callbacks, Ctrl-C.

Arrays go by the address of their elements, never copied: a view is the 120 bytes of a mesaopt_view, packed. Everything
that C could be handed wrongly is refused here or by the library, with its text.
"""
from __future__ import annotations

import ctypes as c
import functools
import operator
import os
import signal
import struct
import threading
import warnings
import weakref
from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Union

import numpy as np



class SupportsDLPack(Protocol):
    """Arrays of PyTorch, JAX and others."""

    def __dlpack__(self, *, stream: Any = None) -> Any: ...


Array = Union[np.ndarray, SupportsDLPack, float, Sequence[Any]]          # numbers and lists of numbers: as inputs only
SettingsLike = Union["Handle", Mapping[str, Any]]


def _find():
    """MESAOPT_LIBRARY, the copy in the package, or one that the system knows."""
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libmesaopt.so")
    for path in (os.environ.get("MESAOPT_LIBRARY"), here if os.path.exists(here) else None, "libmesaopt.so.0"):
        if path:
            return c.CDLL(path)


lib = _find()

INT32, UINT32, INT64, UINT64 = (-2**31, 2**31 - 1), (0, 2**32 - 1), (-2**63, 2**63 - 1), (0, 2**64 - 1)


def declare(prototypes):
    for name, result, arguments in prototypes:
        f = getattr(lib, name)
        f.restype, f.argtypes = result, arguments


# ---- errors ----

class Error(Exception):
    """A call failed: `status` is the number, `name` its name, the text says which argument, what it was and what was expected."""

    def __init__(self, status, text):
        self.status, self.name, self.text = status, lib.mesaopt_status_name(status).decode(), text
        super().__init__(f"{self.name}: {text}" if text else self.name)

    def __reduce__(self):
        return _error, (self.status, self.text)


class ArgumentError(Error, ValueError):
    """An argument is not as described."""


class StateError(Error, RuntimeError):
    """A handle is not in the state that the call needs, or busy."""


class NonFiniteError(Error, ArithmeticError):
    """NaN or infinity where a finite number is needed."""


class FormatError(ArgumentError):
    """A text or a file is not of the form that was expected."""


class FileError(Error, OSError):
    """The operating system refused to read or write."""


class OutOfMemory(Error, MemoryError):
    """Memory is short."""


class Interrupted(Error):
    """The call was interrupted (Ctrl-C is KeyboardInterrupt)."""


class Note(UserWarning):
    """A result is usable, but something is worth knowing: not converged, at a bound, another ISA level."""


_KINDS = {-1: ArgumentError, -2: ArgumentError, -3: ArgumentError, -4: ArgumentError, -5: ArgumentError, -6: OutOfMemory, -7: StateError, -8: StateError,
          -9: NonFiniteError, -10: FileError, -11: FormatError, -12: Interrupted}


def _error(status, text):
    return _KINDS.get(status, Error)(status, text)


STOPPED = 1


class _Local(threading.local):
    """Of each thread."""

    thrown = None                                        # what a callback raised
    polled = False                                       # a poll has raised it
    running = False                                      # in run_calling, with our handler


_local = _Local()


def error_text(owner):
    if owner is None:
        return ""
    ctx = context_of(owner)
    f, h = (lib.mesaopt_ctx_error, ctx) if ctx else (lib.mesaopt_settings_error, owner._h)
    buf = c.create_string_buffer(1024)
    need = f(h, c.addressof(buf), 1024)
    if need > 1024:
        buf = c.create_string_buffer(need)
        f(h, c.addressof(buf), need)
    return buf.value.decode("utf-8", "replace")


def check(status, owner):
    """Raises what a callback raised, or a failure; warns of what is noteworthy."""
    thrown = _local.thrown
    if thrown is not None and status != 0:
        _local.thrown = None
        raise thrown
    if status < 0:
        raise _error(status, error_text(owner))
    if status != STOPPED:
        warnings.warn(Note(f"{lib.mesaopt_status_name(status).decode()}: {error_text(owner)}"), stacklevel=3)


# ---- Ctrl-C ----
# Python runs signal handlers on the main thread between two lines of Python. In a long call of the library these are those
# of a generator that the library resumes as its poll: what a handler raises there, at the yield, is caught, stops the call,
# and is raised once the library has returned. At the first line of any other callback it would be lost; so calls that have
# some run with a handler that asks the library to stop, and leave the host's own handler for afterwards.

_main = threading.main_thread().ident


def plain(owner, f, *arguments):
    return f(*arguments)


def run(owner, f, *arguments):
    """Calls f, which may take long."""
    if _calling:
        return run_calling(owner, f, *arguments)
    status = f(*arguments)
    if _local.polled:
        _local.polled = False
        thrown = _local.thrown
        if status == 0 and thrown is not None:           # it was done before it could stop
            _local.thrown = None
            raise thrown
    return status


def _polls():
    answer = 0
    while True:
        try:
            while True:
                yield answer
                answer = 0
        except GeneratorExit:
            return
        except BaseException as e:
            _local.thrown, _local.polled, answer = e, True, 1


def poll_of_context(settings):
    """Has the context of these settings ask whether a call may go on. One generator each: a context serves one call at a time."""
    from . import _api
    polls = _polls()
    next(polls)                                          # it waits in its try: what is raised at its first line is not caught
    poll = _api.POLL_FN.type(functools.partial(next, polls))
    key = keep(poll)
    return lib.mesaopt_settings_set_poll(settings._h, poll, RELEASE, key)


def run_calling(owner, f, *arguments):
    """Calls f, which may call back."""
    if threading.get_ident() != _main or _local.running:
        return f(*arguments)
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):                             # ignored, the system's default, or not Python's
        return f(*arguments)
    ctx = context_of(owner)
    hits = []

    def stop(number, frame):
        hits.append((number, frame))
        if ctx:
            lib.mesaopt_ctx_interrupt(ctx)

    _local.running = True
    try:
        signal.signal(signal.SIGINT, stop)               # what was pending is raised here
        status = f(*arguments)
    finally:
        _local.running = False                           # while it is still our handler that is called between two lines
        signal.signal(signal.SIGINT, before)
    if hits:
        _local.thrown = None
        if ctx:
            lib.mesaopt_ctx_clear_interrupt(ctx)         # nothing is left for the next call
        before(*hits[0])                                 # raises KeyboardInterrupt, or is the host's own
    return status


# ---- handles ----

class Owned:
    """The library's context of a Context and of all that was made in it, which has their error text: freed with the last of them."""

    _free = lib.mesaopt_ctx_free

    def __init__(self, h):
        self.h = h

    def __del__(self):
        self._free(self.h)


def context_of(x):
    """The library's context of a handle, also when its Context was closed; None: it is of none."""
    owned = getattr(x, "_owned", None)
    return None if owned is None else owned.h


class Handle:
    """What the library made: freed with the last reference to it, or by close(), or at the end of a with block."""
    _free = None
    ctx = None                                           # Context that it was made in
    _owned = None
    _h = None
    classes = {}

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        Handle.classes[cls.__name__] = cls

    @classmethod
    def _of(cls, pointer, ctx):
        self = object.__new__(cls)
        self._hold(pointer, ctx)
        return self

    def _hold(self, pointer, maker):
        """Of what `maker` made, or in it, if it is a Context."""
        self._h = pointer
        if maker is not None:
            self.ctx, self._owned = maker.ctx, maker._owned

    def close(self) -> None:
        """Gives the handle up now. What the library still needs of it stays alive there."""
        no_exports(self)
        h, self._h = self._h, None
        if h:
            self._free(h)

    def __del__(self):
        h, self._h = self._h, None
        if h and self._free is not None:
            self._free(h)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _said(self):
        """What repr tells of an object that is open."""
        return ""

    def __repr__(self):
        try:
            said = self._said() if self._h else "closed"
        except Exception:                                # busy, say: repr is for debuggers, too
            said = "?"
        return f"<mesaopt.{type(self).__name__}{said and ' '}{said}>"

    def __reduce__(self):
        raise TypeError(f"a mesaopt.{type(self).__name__} cannot be pickled")


def to_handle(x, name):
    if isinstance(x, Handle):
        if x._h is None:
            raise ValueError(f"{name}: a {type(x).__name__} that was closed")
        return x._h
    raise TypeError(f"{name}: {type(x).__name__}, expected a handle of mesaopt")


def to_list(xs, name):
    """Several of something; a text is none of these, nor is an array where arrays are meant."""
    try:
        if not isinstance(xs, (str, bytes)):
            return list(xs)
    except TypeError:
        pass
    raise TypeError(f"{name}: {type(xs).__name__}, expected a list")


def to_handles(xs, name):
    xs = to_list(xs, name)
    return (c.c_void_p * len(xs))(*[to_handle(x, f"{name}[{i}]") for i, x in enumerate(xs)])


def made(kind, pointer, owner):
    return Handle.classes[kind.__name__]._of(pointer.value, owner)


def settings_of(x, scopes, name):
    """Settings, or None; a dict becomes settings of the only scope there is."""
    if x is None:
        return None
    if isinstance(x, dict):
        if len(scopes) != 1:
            raise TypeError(f"{name}: a dict does not say its scope; expected Settings of {', '.join(scopes)}")
        x = Handle.classes["Settings"](scopes[0], **x)
    return _Keep(x)


class _Keep:
    """A handle as an argument of C that lives as long as this does."""
    ctx = _owned = None

    def __init__(self, x):
        self.x = x
        self._as_parameter_ = to_handle(x, "settings")
        self._h = self._as_parameter_


# ---- views of arrays ----

_address = struct.Struct("P").pack
_pack = struct.Struct("6q6qiiII").pack
_DTYPES = {"<f4": 1, "<f8": 2, "<i4": 3, "<i8": 4, "<f2": 5, "|b1": 7}
_NUMPY = {1: np.float32, 2: np.float64, 3: np.int32, 4: np.int64, 5: np.float16, 6: np.uint16, 7: np.bool_}
_ZEROS = (0,) * 6
NO_VIEW = (None, None)
READONLY = 1


_tails = {}                                              # by shape, strides and dtype: what follows the address


def _view(a, name, writes):
    """(packed mesaopt_view, what keeps its elements alive)"""
    if type(a) is not np.ndarray:
        if hasattr(a, "__dlpack__") and not isinstance(a, np.ndarray):
            return _from_dlpack(a, name, writes)
        a = _as_array(a, name, writes)
    tail = _tails.get((a.shape, a.strides, a.dtype))
    if tail is None:
        tail, a = _tail(a, name, writes)
    address, readonly = a.__array_interface__["data"]
    if address % tail[2]:                                # not aligned
        if writes:
            raise ValueError(f"{name}: elements that are not aligned")
        return _view(a.copy(), name, writes)
    return _address(address) + tail[readonly], a


def _tail(a, name, writes):
    """([bytes of a writable view, of a read-only one, alignment], the array that they are of)"""
    n, size = a.ndim, a.itemsize
    if n > 6:
        raise ValueError(f"{name}: {n} axes, expected at most 6")
    dtype = _DTYPES.get(a.dtype.str)
    if dtype is None:
        dtype, a = _other_type(a, name, writes)
        size = a.itemsize
    if any(s % size for s in a.strides):
        if writes:
            raise ValueError(f"{name}: strides {a.strides}, expected multiples of the {size} bytes of an element")
        return _tail(np.ascontiguousarray(a), name, writes)
    said = *a.shape, *_ZEROS[n:], *[s // size for s in a.strides], *_ZEROS[n:], n, dtype
    tail = _pack(*said, 0, 0), _pack(*said, READONLY, 0), a.dtype.alignment
    if dtype != 6 and a.dtype.str in _DTYPES:
        if len(_tails) > 4096:
            _tails.clear()
        _tails[a.shape, a.strides, a.dtype] = tail
    return tail, a


def _as_array(x, name, writes):
    if isinstance(x, np.ndarray):
        return unmasked(x, name).view(np.ndarray)
    if writes:
        raise TypeError(f"{name}: {type(x).__name__}, expected an array to write into")
    return array_in(x, name)


def array_in(x, name):
    """An input with a shape: arrays, NumPy's or of __dlpack__, as they are; numbers and lists of numbers as float64."""
    if isinstance(x, np.ndarray) or (hasattr(x, "__dlpack__") and hasattr(x, "shape")):
        return x
    try:
        a = np.asarray(x)
        if not hasattr(x, "dtype") and a.dtype.kind != "c":              # whose imaginary parts NumPy would drop
            a = a.astype(np.float64, copy=False)
    except (TypeError, ValueError):                      # a text, a dict, lists of different lengths
        a = None
    if a is None or x is None:
        raise TypeError(f"{name}: {type(x).__name__}, expected an array")
    return a


def unmasked(x, name):
    """As it is. NumPy's conversions drop a mask, so one that hides elements is refused before."""
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        raise TypeError(f"{name}: an array with masked elements, expected all of them")
    return x


def real_in(x, name):
    """NumPy's of real numbers: float32 stays, all else goes to float64."""
    a = np.asarray(unmasked(array_in(x, name), name))
    if a.dtype in (np.float32, np.float64):
        return a
    try:
        if a.dtype.kind == "O":                          # complex ones among them are found out
            a = np.asarray(a.tolist())
        if a.dtype.kind != "c":
            return a.astype(np.float64)
    except (TypeError, ValueError):
        pass
    raise TypeError(f"{name}: elements of type {a.dtype}, expected real numbers")


# ---- DLPack ----

_python = c.pythonapi
_python.PyCapsule_IsValid.argtypes = [c.py_object, c.c_char_p]
_python.PyCapsule_GetPointer.restype, _python.PyCapsule_GetPointer.argtypes = c.c_void_p, [c.py_object, c.c_char_p]
_DLPACK = (b"dltensor", b"dltensor_versioned")           # by `versioned`; capsules refer to these bytes


def _capsule(x):
    if hasattr(x, "detach"):                             # of PyTorch: what is shared is not differentiated
        x = x.detach()
    try:
        return x.__dlpack__(max_version=(1, 0))
    except TypeError:                                    # from before DLPack 1.0
        return x.__dlpack__()


def _from_dlpack(x, name, writes):
    """As _view: of a capsule, which is not used up, so that its own destructor ends it. Without a version it may only be read."""
    from . import _api
    if hasattr(x, "is_neg") and x.is_neg():              # of PyTorch: its elements are the negatives of those in memory, which no capsule says
        if writes:
            raise ValueError(f"{name}: a tensor with the negative bit, expected one of elements as they are in memory")
        x = x.resolve_neg()
    try:
        capsule = _capsule(x)
    except BufferError as e:                             # conjugate, sparse, without memory
        raise BufferError(f"{name}: {e}") from None
    versioned = _python.PyCapsule_IsValid(capsule, _DLPACK[1])
    view = _api.View()
    status = lib.mesaopt_dlpack_view(_python.PyCapsule_GetPointer(capsule, _DLPACK[versioned]), versioned, c.addressof(view))
    if status:
        raise _error(status, f"{name}: {type(x).__name__} of {getattr(x, 'dtype', '?')} on {getattr(x, 'device', '?')}, expected up to 6 axes of f32, f64, f16, "
                             "bf16, i32, i64 or bool on the CPU")
    if not versioned:
        view.flags |= READONLY
    return bytes(view), (capsule, x)


def _other_type(a, name, writes):
    if a.dtype.name == "bfloat16":                       # ml_dtypes
        return 6, a.view(np.uint16)
    if not writes and a.dtype.kind in "iufb":            # another byte order, or integers of another size
        to = a.dtype.newbyteorder("<").str
        if to not in _DTYPES:
            to = "<f8" if a.dtype.kind == "f" else "<i8"
        if a.dtype.kind == "u" and a.size and a.max() >= 2**63:
            raise OverflowError(f"{name}: {a.max()}, expected integers below 2^63")
        return _DTYPES[to], a.astype(to)
    raise TypeError(f"{name}: elements of type {a.dtype}, expected float32, float64" + ("" if writes else ", float16, bfloat16, int32, int64 or bool"))


def view_in(a, name):
    return _view(a, name, False)


def view_out(a, name):
    return _view(a, name, True)


view_any = view_out


def _views(xs, name, writes):
    if isinstance(xs, np.ndarray):
        raise TypeError(f"{name}: one array, expected a list of arrays")
    made = [_view(x, f"{name}[{i}]", writes) for i, x in enumerate(to_list(xs, name))]
    return b"".join(m[0] for m in made) or bytes(120), made


def view_ins(xs, name):
    return _views(xs, name, False)


def view_outs(xs, name):
    return _views(xs, name, True)


view_anys = view_outs


class _Memory:
    """Elements that the library owns; alive as long as an array of them is."""

    def __init__(self, view, owner):
        self.owner = owner
        n = view.ndim
        dtype = np.dtype(_NUMPY[view.dtype])
        self.__array_interface__ = {"version": 3, "shape": tuple(view.shape[:n]), "typestr": dtype.str, "data": (view.data or 0, bool(view.flags & READONLY)),
                                    "strides": tuple(s * dtype.itemsize for s in view.stride[:n])}


def array_of(view, owner):
    """An array of what a view of the library describes; the handle lives as long as it does."""
    memory = _Memory(view, owner)
    if not hasattr(owner, "_exports"):
        owner._exports = weakref.WeakSet()
    owner._exports.add(memory)
    return np.asarray(memory)


def copy_of(view):
    return np.array(_Memory(view, None))


def no_exports(x):
    """Before something that ends the views of a handle."""
    if len(getattr(x, "_exports", ())):
        raise BufferError(f"arrays of this {type(x).__name__} are still in use: delete or copy them first")


# ---- numbers and texts ----

def to_integer(x, limits, name):
    try:
        i = operator.index(x)
    except TypeError:
        raise TypeError(f"{name}: {type(x).__name__}, expected an integer") from None
    if limits[0] <= i <= limits[1]:
        return i
    raise OverflowError(f"{name}: {i}, expected {limits[0]} to {limits[1]}")


def to_number(x, name):
    try:
        if not isinstance(x, np.complexfloating):        # whose imaginary part NumPy would drop
            return float(x)
    except TypeError:
        pass
    raise TypeError(f"{name}: {type(x).__name__}, expected a number")


def to_integers(xs, kind, limits, name):
    xs = to_list(xs, name)
    return (kind * len(xs))(*[to_integer(x, limits, f"{name}[{i}]") for i, x in enumerate(xs)])


def to_text(x, name):
    if isinstance(x, os.PathLike):
        x = os.fspath(x)
    if isinstance(x, str):
        x = x.encode()
    if not isinstance(x, bytes):
        raise TypeError(f"{name}: {type(x).__name__}, expected a text")
    if b"\0" in x:
        raise ValueError(f"{name}: a text with a null byte")
    return x


def to_bytes(x, name):
    if isinstance(x, (bytearray, memoryview)):
        x = bytes(x)
    if not isinstance(x, bytes):
        raise TypeError(f"{name}: {type(x).__name__}, expected bytes")
    return x


def saved(save, x):
    """The bytes that the file of x would have; save: its function save_to."""
    pieces = []
    save(x, pieces.append)
    return b"".join(pieces)


def to_texts(xs, name):
    xs = to_list(xs, name)
    return (c.c_char_p * len(xs))(*[to_text(x, f"{name}[{i}]") for i, x in enumerate(xs)])


def decoded(x):
    return None if x is None else x.decode()


def read_text(f, owner):
    need = f(None, 0)
    if need < 0:
        raise _error(need, error_text(owner))
    if need == 0:
        return ""
    buf = c.create_string_buffer(need)
    f(c.addressof(buf), need)
    return buf.value.decode()


def counted(x, owner):
    if x < 0:
        raise _error(x, error_text(owner))
    return x


def same_length(**lists):
    lengths = {name: _length(x, name) for name, x in lists.items() if x is not None}
    if len(set(lengths.values())) > 1:
        raise ValueError("lists of " + ", ".join(f"{n} ({name})" for name, n in lengths.items()) + ", expected equally many")
    return next(iter(lengths.values()), 0)


def expect_length(x, n, name):
    if _length(x, name) != n:
        raise ValueError(f"{name}: {len(x)} of them, expected {n}")


def _length(x, name):
    try:
        return len(x)
    except TypeError:
        raise TypeError(f"{name}: {type(x).__name__}, expected several of them") from None


# ---- callbacks ----

class Callback(namedtuple("Callback", "name type roles")):
    """A callback type of C, and the roles of its arguments."""


def _wrap(kind, f):
    """A C function that calls f(...) without `user`: None and 0 go on, anything else ends, an exception is kept for the caller."""
    roles = kind.roles[:-1]
    told = next((i for i, (role, way) in enumerate(roles) if role == "number" and way == "out"), None)
    length = next((i for i, (role, way) in enumerate(roles) if role == "count"), None)
    fails = kind.type._restype_ is not None
    from . import _api

    def call(*arguments):
        try:
            given = []
            for x, (role, way) in zip(arguments, roles):
                if role == "view":
                    given.append(np.asarray(_Memory(_api.View.from_address(x), None)))
                elif role == "struct":
                    s = _api.Step.from_address(x)
                    given.append(Step(s.step, s.loss, s.lr, s.grad_norm))
                elif role == "text":
                    given.append(x.decode())
                elif role == "bytes":
                    given.append(c.string_at(x, arguments[length]))
                elif role not in ("number", "count"):
                    given.append(x)
            answer = f(*given)
            if told is not None:
                c.c_double.from_address(arguments[told]).value = to_number(answer, "what the function returned")
                return 0
            return int(bool(answer)) if fails else None
        except BaseException as e:                       # nothing may unwind through C
            _local.thrown = e
            return -1 if fails else None

    return kind.type(call)


Step = namedtuple("Step", "step loss lr grad_norm")
Step.__doc__ = "What a callback is told of a step that was just taken."


def callback(kind, f):
    """During the call only. Without one of the user's a run still calls back, so that Ctrl-C is seen."""
    if f is None and kind.name == "mesaopt_step_fn":
        f = _go_on
    if f is None:
        return None, None
    if not callable(f):
        raise TypeError(f"{type(f).__name__}, expected a function")
    return _wrap(kind, f), None


def _go_on(step):
    return None


_kept, _calling = {}, {}                                 # by number: what the library has, and callbacks among it
_keys = iter(range(1, 2**62))


@c.CFUNCTYPE(None, c.c_void_p)
def RELEASE(user):
    _kept.pop(user, None)
    _calling.pop(user, None)


def kept_callback(kind, f):
    """Until the library releases it."""
    if f is None:
        return None, None, None
    if not callable(f):
        raise TypeError(f"{type(f).__name__}, expected a function")
    key = next(_keys)
    _calling[key] = wrapped = _wrap(kind, f)
    return wrapped, key, RELEASE


def keep(x):
    """Keeps any object until the library calls RELEASE with the number that this returns."""
    key = next(_keys)
    _kept[key] = x
    return key


__all__ = [n for n in globals() if not n.startswith("_") and n not in ("annotations", "Any", "Mapping", "Protocol", "Sequence", "Union", "namedtuple", "struct", "os", "operator", "functools", "signal", "threading", "warnings", "weakref", "np", "c")]
