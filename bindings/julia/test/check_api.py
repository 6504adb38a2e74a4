"""What can be said of api.jl without Julia: symbols that the library has, types of arguments and results that fit those of C, the layout of structs.

    check_api.py API.JSON api.jl libmesaopt.so
"""
import ctypes
import json
import re
import sys

api = json.load(open(sys.argv[1], encoding="utf-8"))
source = open(sys.argv[2], encoding="utf-8").read()
library = ctypes.CDLL(sys.argv[3])
SIZES = {"Int32": 4, "UInt32": 4, "Cfloat": 4, "Int64": 8, "UInt64": 8, "Cdouble": 8}
wrong = []


def kind(c_type):
    """What a C type is to a calling convention: a pointer, or a number of a size and kind."""
    c_type = c_type.replace("mesaopt_status", "int32_t")
    if "*" in c_type or c_type.endswith("_fn"):
        return "pointer"
    return {"int32_t": "Int32", "uint32_t": "UInt32", "int64_t": "Int64", "uint64_t": "UInt64", "double": "Cdouble", "void": "Cvoid"}[c_type]


def kind_of_julia(t):
    return "pointer" if t.startswith("Ptr{") or t == "Cstring" else t


calls = dict()
for name, result, types in re.findall(r"ccall\(\(:(\w+), libmesaopt\), (\w+), \(([^()]*)\)", source):
    calls[name] = (result, [t.strip() for t in re.split(r",\s*(?![^{]*})", types) if t.strip()])
for f in api["functions"]:
    if f["name"] not in calls:
        wrong.append(f"{f['name']}: no ccall")
        continue
    result, types = calls.pop(f["name"])
    if not hasattr(library, f["name"]):
        wrong.append(f"{f['name']}: not in the library")
    expected = [kind(f["returns"])] + [kind(p["type"]) for p in f["parameters"]]
    found = [kind_of_julia(t) for t in [result] + types]
    if expected != found:
        wrong.append(f"{f['name']}: {found}, expected {expected}")
wrong += [f"{name}: not in api.json" for name in calls]

for s in api["structs"]:
    body = re.search(rf"^struct C{s['name'][8:].capitalize()}\b.*?\n(.*?)^end", source, re.S | re.M)[1]
    at, found = 0, []
    for name, t in re.findall(r"^    (\w+)::(.+)$", body, re.M):
        m = re.match(r"NTuple\{(\d+),(\w+)\}", t)
        n, size = (int(m[1]), SIZES[m[2]]) if m else (1, 8 if t.startswith("Ptr{") else SIZES[t])
        at += -at % size
        found.append((name, at))
        at += n * size
    expected = [(f["name"], f["offset"]) for f in s["fields"]]
    if found != expected or at + -at % 8 != s["size"]:
        wrong.append(f"{s['name']}: {found}, {at} bytes; expected {expected}, {s['size']}")

constants = dict(re.findall(r"^const (\w+) = \w+\((-?\d+)\)", source, re.M))
for k in api["constants"]:
    if constants.get(k["name"]) != str(k["value"]):
        wrong.append(f"{k['name']}: {constants.get(k['name'])}, expected {k['value']}")

# The hand-written part calls what is there, with as many arguments.
arity = {f["name"]: len(f["parameters"]) for f in api["functions"]}
hand = open(sys.argv[2].replace("api.jl", "MesaOpt.jl"), encoding="utf-8").read()
for m in re.finditer(r"\b(mesaopt_\w+)\(", hand):
    depth, count, i = 1, 1, m.end()
    while depth:
        depth += {"(": 1, ")": -1, "[": 1, "]": -1}.get(hand[i], 0)
        count += depth == 1 and hand[i] == ","
        i += 1
    if m[1] not in arity:
        wrong.append(f"MesaOpt.jl: no function {m[1]}")
    elif count != arity[m[1]] and not (arity[m[1]] == 0 and hand[m.end()] == ")"):
        wrong.append(f"MesaOpt.jl: {m[1]} with {count} arguments, expected {arity[m[1]]}")
for name in re.findall(r"\bMESAOPT_\w+", hand):
    if name not in constants and name not in ("MESAOPT_LIBRARY",):
        wrong.append(f"MesaOpt.jl: no constant {name}")

for w in wrong:
    print("    " + w)
print(f"Julia layer: {len(api['functions']) + len(api['structs']) + len(api['constants']) - len(wrong)} passed, {len(wrong)} failed")
sys.exit(bool(wrong))
