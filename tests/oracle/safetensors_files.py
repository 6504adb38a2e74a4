"""Writes golden_safetensors.h next to this script: a safetensors file made with struct, json and numpy alone, and what a reader must find in it.

Run with --check where the `safetensors` package is installed: it must read the same bytes to the same values.
"""
import json
import pathlib
import struct
import sys

import numpy as np

bf16 = np.array([1.0, -2.5, 3.140625, 1e38, -1e-38, float("inf"), 0.0], np.float32)
tensors = {
    "weights.double": ("F64", np.array([[0.1, -1e300, 5e-324], [1 / 3, 2.0**53 + 1, -0.0]])),
    "integers.long": ("I64", np.array([-(2**63), 2**63 - 1, 7])),
    "scalar": ("F32", np.array(2.71828182845904, np.float32)),
    "weights.single": ("F32", np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7),
    "integers.int": ("I32", np.array([[-5, 6]], np.int32)),
    "empty": ("F32", np.zeros((0, 4), np.float32)),
    "Grüße 𝔸 \"quoted\" \\ \t": ("F32", np.array([42.0], np.float32)),
    "weights.half": ("F16", np.array([1.0, -1.5, 65504.0, 6e-8, 6.1e-5, -0.0, float("-inf"), 1 / 3], np.float16)),
    "weights.brain": ("BF16", (bf16.view(np.uint32) >> 16).astype(np.uint16)),
    "flags": ("BOOL", np.array([True, False, True])),
    "high.rank": ("U8", np.arange(8, dtype=np.uint8).reshape(2, 1, 1, 2, 1, 1, 2)),
}
metadata = {"plain": "text", "blocks": 'line one\nline "two"', "größe": "∞ and \u2028"}

header = {"__metadata__": metadata}
data = b""
for name, (dtype, x) in tensors.items():
    raw = np.ascontiguousarray(x).astype(x.dtype.newbyteorder("<")).tobytes()
    header[name] = {"dtype": dtype, "shape": list(x.shape), "data_offsets": [len(data), len(data) + len(raw)]}
    data += raw


def pack(text):
    text += " " * (-len(text.encode()) % 8)
    return struct.pack("<Q", len(text.encode())) + text.encode() + data


def check(path_bytes):
    from safetensors import deserialize
    found = dict(deserialize(path_bytes))
    assert found.keys() == tensors.keys()
    for name, (dtype, x) in tensors.items():
        assert found[name]["shape"] == list(x.shape) and found[name]["dtype"] == dtype, name
        assert bytes(found[name]["data"]) == x.tobytes(), name


def c_bytes(name, raw):
    rows = [", ".join(str(b) for b in raw[i:i + 32]) for i in range(0, len(raw), 32)]
    return f"static const unsigned char {name}[{len(raw)}] = {{\n    " + ",\n    ".join(rows) + "};\n"


def c_doubles(name, x):
    return f"static const uint64_t {name}[{x.size}] = {{" + ", ".join(f"0x{int(v):016x}" for v in x.astype(np.float64).reshape(-1).view(np.uint64)) + "};\n"


escaped, plain = pack(json.dumps(header)), pack(json.dumps(header, ensure_ascii=False, indent=1))
if "--check" in sys.argv:
    check(escaped)
    check(plain)
    print("the safetensors package agrees")
with open(pathlib.Path(__file__).resolve().parent / "golden_safetensors.h", "w") as out:
    out.write("/* Made by tests/oracle/safetensors_files.py: the same tensors with names as \\uXXXX escapes and as plain UTF-8; values as bits of doubles. */\n#include <stdint.h>\n\n")
    out.write(c_bytes("golden_escaped", escaped) + c_bytes("golden_plain", plain))
    for name in ("double", "single", "half"):
        out.write(c_doubles("golden_" + name, tensors["weights." + name][1]))
    out.write(c_doubles("golden_brain", bf16.view(np.uint32).__and__(0xffff0000).view(np.float32)))
