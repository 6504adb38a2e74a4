"""The Python layer: bindings/python/mesaopt/_api.py, functions that convert by what api.json says of every argument."""
import re
import textwrap

from generate import short

# What a host of C needs, and Python has otherwise: see _core.py and the classes.
BY_HAND = {"mesaopt_settings_create", "mesaopt_settings_set_alloc_release", "mesaopt_settings_set_parallel", "mesaopt_settings_set_log", "mesaopt_settings_set_poll", "mesaopt_view_dense", "mesaopt_tensor_wrap",
           "mesaopt_revalg_import", "mesaopt_rng_philox", "mesaopt_grad_check",
           "mesaopt_dlpack_view", "mesaopt_dlpack_import", "mesaopt_dlpack_export"}

SIMPLE = {"int32_t": "c.c_int32", "uint32_t": "c.c_uint32", "int64_t": "c.c_int64", "uint64_t": "c.c_uint64", "double": "c.c_double", "float": "c.c_float",
          "mesaopt_status": "c.c_int32", "void": "None"}
LIMITS = {"int32_t": "INT32", "mesaopt_status": "INT32", "uint32_t": "UINT32", "int64_t": "INT64", "uint64_t": "UINT64"}
KEYWORDS = {"from": "other", "lambda": "lambda_", "in": "input", "is": "is_", "with": "with_", "def": "def_", "class": "class_"}


# Names of _core.py that the functions use: no argument may hide them.
HELPERS = {"c", "np", "lib", "check", "run", "run_calling", "plain", "made", "callback", "kept_callback", "RELEASE", "counted", "decoded", "view_in", "view_out", "view_any", "keep", "to_bytes"}


def ctype(t):
    """ctypes of a C type as an argument; every pointer is an address."""
    if t in SIMPLE:
        return SIMPLE[t]
    if t == "const char *" or t == "char *":
        return "c.c_char_p"
    return "c.c_void_p"


def pointee(t):
    return SIMPLE[re.sub(r"^const |\s*\*$", "", t).strip()]


def class_of(handle):
    return short(handle).capitalize()


def base(t):
    return re.sub(r"^const |[ *]+(const \*)?$", "", t).strip()


def doc(text, indent):
    lines = textwrap.wrap(text.replace("\\", "\\\\"), 110 - indent, break_long_words=False, break_on_hyphens=False) or [""]
    pad = " " * indent
    if len(lines) == 1:
        return f'{pad}"""{lines[0]}"""\n'
    return f'{pad}"""{lines[0]}\n' + "".join(f"{pad}{l}\n" for l in lines[1:]) + f'{pad}"""\n'


class Function:
    """One function: its Python arguments, the lines that convert them, what is passed on, and what comes back."""

    def __init__(self, api, f):
        self.api, self.f = api, f
        self.signature, self.lines, self.passed, self.results, self.result_types = [], [], [], [], []
        self.owner = None                  # the handle whose context has the error text
        self.frees_exports = [f2 for f2 in api.functions if f["name"] in f2.get("borrows", {}).get("until", [])]
        self.text_result = None
        names = {p["name"]: p for p in f["parameters"]}
        for p in f["parameters"]:
            getattr(self, "take_" + p["role"].replace(" ", "_"))(p, names)
        if self.owner is None:
            self.owner = "None"

    def py(self, name):
        name = KEYWORDS.get(name, name)
        return name + "_arg" if name in HELPERS else name

    def argument(self, p, annotation, null=False):
        n = self.py(p["name"])
        self.signature.append((n, annotation + (" | None" if null else ""), null))
        return n

    def own(self, n):
        if self.owner is None:
            self.owner = n

    def take_self(self, p, names):
        n = self.argument(p, class_of(base(p["type"])))
        self.lines.append(f"{n}_ = to_handle({n}, {n!r})")
        self.passed.append(f"{n}_")
        self.own(n)
        for f2 in self.frees_exports:
            self.lines.append(f"no_exports({n})")
            break

    def take_handle(self, p, names):
        n = self.argument(p, class_of(base(p["type"])), p["nullable"])
        self.lines.append(f"{n}_ = to_handle({n}, {n!r})" if not p["nullable"] else f"{n}_ = None if {n} is None else to_handle({n}, {n!r})")
        self.passed.append(f"{n}_")
        self.own(n)

    def take_settings(self, p, names):
        scopes = self.api.scopes(p)
        n = self.argument(p, "SettingsLike", p["nullable"])
        self.lines.append(f"{n}_ = settings_of({n}, {tuple(scopes)!r}, {n!r})")
        self.passed.append(f"{n}_")
        if self.f["name"] == "mesaopt_ctx_create":
            self.owner = f"{n}_"

    def take_view(self, p, names):
        n = p["name"]
        way = {"in": "view_in", "out": "view_out", "inout": "view_any"}[p["direction"]]
        if "count" in p:
            n = self.argument(p, "Sequence[Array]", p["nullable"])
            self.lines.append(f"{n}_ = {way}s({n}, {n!r})")
            self.counted(p, n)
            self.passed.append(f"{n}_[0]")
            return
        n = self.argument(p, "Array", p["nullable"])
        self.lines.append(f"{n}_ = {way}({n}, {n!r})" if not p["nullable"] else f"{n}_ = NO_VIEW if {n} is None else {way}({n}, {n!r})")
        self.passed.append(f"{n}_[0]")

    def counted(self, p, n):
        count = p["count"]
        if count.isdigit():
            self.lines.append(f"expect_length({n}, {count}, {n!r})")
        elif "." in count:
            f, i, of = self.api.getter(count)
            told = f"{short(f['name'])}({count.split('.')[0]})" + (f"[{i}]" if of > 1 else "")
            line = f"expect_length({n}, {told}, {n!r})"
            self.lines.append(line if not p["nullable"] else f"if {n} is not None: {line}")

    def take_borrowed_view(self, p, names):
        n = p["name"]
        self.lines.append(f"{n}_ = View()")
        self.passed.append(f"c.addressof({n}_)")
        const = self.f["borrows"]["const"]
        self.results.append(f"copy_of({n}_)" if const else f"array_of({n}_, {self.f['borrows']['from']})")
        self.result_types.append("np.ndarray")

    def take_text(self, p, names):
        n = self.argument(p, "str", p["nullable"])
        self.lines.append(f"{n}_ = to_text({n}, {n!r})" if not p["nullable"] else f"{n}_ = None if {n} is None else to_text({n}, {n!r})")
        self.passed.append(f"{n}_")

    def take_buffer(self, p, names):
        self.text_result = True

    def take_capacity(self, p, names):
        pass

    def take_value(self, p, names):
        if "counts" in p and not any(" " in names[a]["count"] for a in p["counts"]):
            arrays = [a for a in names if a in p["counts"]]      # in the order of the arguments
            self.passed.append("same_length(" + ", ".join(f"{self.py(a)}=({self.py(a)})" for a in arrays) + ")")
            return
        t = p["type"]
        if t == "double":
            n = self.argument(p, "float")
            self.lines.append(f"{n}_ = to_number({n}, {n!r})")
        else:
            n = self.argument(p, "int")
            self.lines.append(f"{n}_ = to_integer({n}, {LIMITS[t]}, {n!r})")
        self.passed.append(f"{n}_")

    def take_number(self, p, names):
        n = p["name"]
        self.lines.append(f"{n}_ = {pointee(p['type'])}()")
        self.passed.append(f"c.addressof({n}_)")
        self.results.append(f"{n}_.value")
        self.result_types.append("float" if "double" in p["type"] else "int")

    def take_array(self, p, names):
        n = self.argument(p, "Sequence", p["nullable"])
        t = p["type"]
        null = f"None if {n} is None else " if p["nullable"] else ""
        if "char" in t:
            make = f"to_texts({n}, {n!r})"
        elif base(t) in self.api.handle_names:
            make = f"to_handles({n}, {n!r})"
        else:
            make = f"to_integers({n}, {pointee(t)}, {LIMITS[base(t)]}, {n!r})"
        self.lines.append(f"{n}_ = {null}{make}")
        self.counted(p, n)
        self.passed.append(f"{n}_")

    def take_new(self, p, names):
        self.lines.append(f"{p['name']}_ = c.c_void_p()")
        self.passed.append(f"c.addressof({p['name']}_)")
        self.results.append(f"made({base(p['type'])[8:].capitalize()}, {p['name']}_, {self.owner})")
        self.result_types.append(class_of(base(p["type"])))

    def take_callback(self, p, names):
        kind = p["type"]
        if kind == "mesaopt_release_fn":                # the host's end of what is kept
            self.passed.append(f"{self.callback}_[2]")
            return
        n = self.argument(p, "Callable", p["nullable"])
        self.callback = n
        self.kept = p["kept"]
        kept = "kept_callback" if p["kept"] else "callback"
        self.lines.append(f"{n}_ = {kept}({kind[8:].upper()}, {n})")
        self.passed.append(f"{n}_[0]")

    def take_memory(self, p, names):
        n = self.argument(p, "bytes")
        self.lines.append(f"{n}_ = to_bytes({n}, {n!r})")
        self.passed.append(f"{n}_")

    def take_user(self, p, names):
        self.passed.append(f"{self.callback}_[1]")

    def text(self):
        f = self.f
        name = short(f["name"])
        required = [a for a in self.signature if not a[2]]
        if [a[2] for a in self.signature] == sorted(a[2] for a in self.signature):
            tail = [f"{n}: {t} = None" if null else f"{n}: {t}" for n, t, null in self.signature]
        else:
            tail = [f"{n}: {t}" for n, t, null in self.signature]
        returns = f["returns"]
        if self.text_result:
            result = "str"
        elif self.results:
            result = self.result_types[0] if len(self.results) == 1 else "tuple[" + ", ".join(self.result_types) + "]"
        elif returns == "const char *":
            result = "str | None"
        else:
            result = {"void": "None"}.get(returns, "int")
        out = f"def {name}({', '.join(tail)}) -> {result}:\n" + doc(f["doc"] + f" Since {f['since']}.", 4)
        out += "".join(f"    {line}\n" for line in self.lines)
        call = f"lib.{f['name']}"
        passed = ", ".join(self.passed)
        if self.text_result:
            out += f"    return read_text(lambda buf, cap: {call}({passed}{', ' if passed else ''}buf, cap), {self.owner})\n"
        elif returns == "mesaopt_status":
            out += f"    status = {'run_calling' if hasattr(self, 'callback') else 'run' if f['interruptible'] else 'plain'}({self.owner}, {call}{', ' if passed else ''}{passed})\n"
            if getattr(self, "kept", False):             # a function that fails has not taken it
                out += f"    if status < 0: RELEASE({self.callback}_[1])\n"
            out += f"    if status: check(status, {self.owner})\n"
            out += "    return " + (", ".join(self.results) if self.results else "status") + "\n"
        elif returns == "const char *":
            out += f"    return decoded({call}({passed}))\n"
        elif returns == "int64_t":
            out += f"    return counted({call}({passed}), {self.owner})\n"
        else:
            out += f"    return {call}({passed})\n"
        return out


def constants(api):
    out = []
    group = None
    for k in api.constants:
        if k["group"] != group:
            group = k["group"]
            out.append(f"\n# {group}")
        out.append(f"{short(k['name'])} = {k['value']}")
    return "\n".join(out) + "\n"


def structs(api):
    out = []
    for s in api.structs:
        fields = []
        for field in s["fields"]:
            t, _, n = field["type"].partition(" [")
            ct = ctype(t.strip())
            fields.append(f'("{field["name"]}", {ct}{" * " + n.rstrip("]") if n else ""})')
        out.append(f"class {class_of(s['name'])}(c.Structure):\n    _fields_ = [" + ", ".join(fields) + f"]    # {s['size']} bytes\n")
    return "\n\n".join(out)


def callbacks(api):
    out = []
    for k in api.callbacks:
        types = ", ".join(ctype(p["type"]) for p in k["parameters"])
        result = "c.c_void_p" if k["returns"] == "void *" else SIMPLE[k["returns"]]
        roles = [("bytes" if p["role"] == "memory" and "count" in p else "count" if "counts" in p else p["role"], p.get("direction", "in")) for p in k["parameters"]]
        out.append(f"{short(k['name']).upper()} = Callback({k['name']!r}, c.CFUNCTYPE({result}, {types}), {roles!r})")
    return "\n".join(out) + "\n"


def prototypes(api):
    out = []
    for f in api.functions:
        result = "c.c_char_p" if f["returns"] == "const char *" else SIMPLE[f["returns"]]
        types = ", ".join("c.c_void_p" if p["role"] in ("buffer",) else ctype(p["type"]) for p in f["parameters"])
        out.append(f"    ({f['name']!r}, {result}, [{types}]),")
    return "PROTOTYPES = [\n" + "\n".join(out) + "\n]\n"


def classes(api):
    out = []
    for h in api.handles:
        name = class_of(h["name"])
        module = short(h["name"])
        methods = [f for f in api.functions if f["name"].startswith(h["name"] + "_") and f["name"] != h["free"] and f["name"] not in BY_HAND
                   and f["parameters"] and f["parameters"][0]["role"] == "self" and base(f["parameters"][0]["type"]) == h["name"]]
        body = "".join(f"    {short(f['name'])[len(module) + 1:]} = {short(f['name'])}\n" for f in methods)
        out.append(f"class {name}(Handle):\n    _free = lib.{h['free']}\n" + body)
    return "\n\n".join(out)


def settings(api):
    scopes = {}
    for s in api.settings:
        scopes.setdefault(s["scope"], {})[s["name"]] = s
    numbers = {k["name"]: k["value"] for k in api.constants if k["group"] == "scope"}
    out = ["SCOPES = {"]
    for scope, keys in scopes.items():
        out.append(f'    "{scope}": ({numbers["MESAOPT_SCOPE_" + scope.upper()]}, {{')
        for n, s in keys.items():
            out.append(f'        "{n}": ({s["type"]!r}, {s["default"]!r}, {s.get("words")!r}, {s["doc"]!r}),')
        out.append("    }),")
    out.append("}")
    return "\n".join(out) + "\n\nBLOCKS = " + repr(tuple(k["name"] for k in api.kinds)) + "\n"


HEAD = '''"""Every function of the library, generated from its headers by bindings/generate.py: not to be edited (make bindings).

Arguments are converted by what the headers say of them (docs/annotations.md): arrays are NumPy arrays or anything with
__dlpack__, written ones are filled in place, counts are the lengths of lists, what C writes through pointers is returned.
A status below 0 is raised as mesaopt.Error. The classes of the package are made of these functions.
"""
from __future__ import annotations

import ctypes as c
from typing import Callable, Sequence

import numpy as np

from ._core import *
from ._core import Array, SettingsLike                   # for those who check types
'''


def files(api):
    made = [Function(api, f) for f in api.functions if f["name"] not in BY_HAND and not any(h["free"] == f["name"] for h in api.handles)]
    text = "\n\n".join(m.text() for m in made)
    head = HEAD + "\nVERSION_TEXT = " + repr(api.version) + "\n" + constants(api) + "\n\n" + settings(api)
    low = structs(api) + "\n\n" + callbacks(api) + "\n" + prototypes(api) + "declare(PROTOTYPES)\n"
    return {"python/mesaopt/_api.py": head + "\n\n" + low + "\n\n" + text + "\n\n" + classes(api)}
