"""The Julia layer: bindings/julia/src/api.jl, constants, structs and ccalls."""
import re

SIMPLE = {"int32_t": "Int32", "uint32_t": "UInt32", "int64_t": "Int64", "uint64_t": "UInt64", "double": "Cdouble", "float": "Cfloat", "void": "Cvoid",
          "mesaopt_status": "Int32", "const char *": "Cstring", "void *": "Ptr{Cvoid}", "const void *": "Ptr{Cvoid}", "char *": "Ptr{UInt8}"}
RESERVED = {"end", "function", "begin", "global", "local", "module", "struct", "type", "quote", "let", "in"}


def julia(t, api):
    t = t.strip()
    if t in SIMPLE:
        return SIMPLE[t]
    if "(*)" in t or t in api.callback_names:
        return "Ptr{Cvoid}"
    if t == "const char *const *":
        return "Ptr{Cstring}"
    if m := re.match(r"(\w+) \[(\d+)\]$", t):
        return f"NTuple{{{m[2]},{SIMPLE[m[1]]}}}"
    inner = re.sub(r"^const ", "", t)
    if inner.endswith("*const *") or inner.endswith("**"):
        return "Ptr{Ptr{Cvoid}}"
    name = inner[:-1].strip()
    if name in api.handle_names:
        return "Ptr{Cvoid}"
    if name in api.struct_names:
        return f"Ptr{{{struct(name)}}}"
    return f"Ptr{{{SIMPLE[name]}}}"


def struct(name):
    return "C" + name[8:].capitalize()


def text(s):
    return '"""\n' + s.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '\n"""\n'


def files(api):
    out = ["# The C API of libmesaopt, generated from its headers by bindings/generate.py: not to be edited (make bindings).\n"]
    out += [f"const {k['name']} = {'UInt32' if k['group'] == 'view' else 'Int32'}({k['value']})" for k in api.constants]
    for s in api.structs:
        fields = "".join(f"    {f['name']}::{julia(f['type'], api)}\n" for f in s["fields"])
        offsets = ", ".join(str(f["offset"]) for f in s["fields"])
        out.append(f"\nstruct {struct(s['name'])}      # {s['size']} bytes\n{fields}end\n"
                   f"@assert sizeof({struct(s['name'])}) == {s['size']} && fieldoffset.({struct(s['name'])}, 1:{len(s['fields'])}) == [{offsets}]")
    for f in api.functions:
        names = [p["name"] + "_" if p["name"] in RESERVED else p["name"] for p in f["parameters"]]
        types = [julia(p["type"], api) for p in f["parameters"]]
        tuple_ = "(" + ", ".join(types) + ("," if len(types) == 1 else "") + ")"
        call = ", ".join([f"(:{f['name']}, libmesaopt)", SIMPLE[f["returns"]], tuple_, *names])
        out.append("\n" + text(f"{f['doc']} Since {f['since']}.") + f"{f['name']}({', '.join(names)}) =\n    ccall({call})")
    return {"julia/src/api.jl": "\n".join(out) + "\n"}
