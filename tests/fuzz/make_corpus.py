"""Writes the seeds of tests/fuzz/corpus/: well-formed inputs, and the ways of being malformed that the readers must refuse.

    python3 tests/fuzz/make_corpus.py

What goes through every kind of block, scope and key is made by the fuzzers themselves (seeds.h).
Inputs that `make fuzz` found and that led to a fix are added by hand, under a name that says what they broke."""
import json
import os
import random
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def put(fuzzer, name, data):
    os.makedirs(os.path.join(HERE, fuzzer), exist_ok=True)
    with open(os.path.join(HERE, fuzzer, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def tensors(header, data, length=None):
    text = header if isinstance(header, bytes) else (header if isinstance(header, str) else json.dumps(header)).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


SHAPES = {"blocks.0.query": [4, 2], "blocks.0.key": [4, 2], "blocks.0.value": [4, 2], "blocks.0.output": [2, 4]}


def model(dtype, size):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in SHAPES.items():
        header[name] = entry(dtype, shape, at, at + 8 * size)
        at += 8 * size
    return tensors(header, bytes(range(at % 256)) + bytes(at - at % 256))


for dtype, size in (("F32", 4), ("F64", 8), ("F16", 2), ("BF16", 2)):
    put("tensor_file", "model_" + dtype.lower(), model(dtype, size))
for dtype, size in (("I32", 4), ("I64", 8), ("U8", 1), ("BOOL", 1), ("F8_E4M3", 1)):
    put("tensor_file", "type_" + dtype.lower(), tensors({"a": entry(dtype, [2], 0, 2 * size)}, bytes(2 * size)))
good = model("F32", 4)
put("tensor_file", "empty", b"")
put("tensor_file", "no_tensors", tensors({}, b""))
put("tensor_file", "scalar_and_empty", tensors({"s": entry("F32", [], 0, 4), "z": entry("F32", [0, 3], 4, 4)}, bytes(4)))
put("tensor_file", "cut_in_length", good[:5])
put("tensor_file", "cut_in_header", good[:40])
put("tensor_file", "cut_in_data", good[:-1])
put("tensor_file", "longer_than_data", good + b"x")
put("tensor_file", "length_huge", tensors({}, b"", 2**63))
put("tensor_file", "length_all_ones", tensors({}, b"", 2**64 - 1))
put("tensor_file", "length_past_end", tensors({}, b"", 1000))
put("tensor_file", "overlapping", tensors({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}, bytes(12)))
put("tensor_file", "gap", tensors({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 8, 12)}, bytes(12)))
put("tensor_file", "offsets_reversed", tensors({"a": entry("F32", [1], 4, 0)}, bytes(4)))
put("tensor_file", "offsets_negative", tensors({"a": entry("F32", [1], -4, 0)}, bytes(4)))
put("tensor_file", "extent_overflow", tensors({"a": entry("F32", [2**32, 2**32, 2**32], 0, 4)}, bytes(4)))
put("tensor_file", "extent_negative", tensors({"a": entry("F32", [-1], 0, 4)}, bytes(4)))
put("tensor_file", "extent_fraction", tensors('{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}', bytes(4)))
put("tensor_file", "rank_7", tensors({"a": entry("F32", [1] * 7, 0, 4)}, bytes(4)))
put("tensor_file", "name_twice", tensors('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', bytes(8)))
put("tensor_file", "key_missing", tensors('{"a":{"dtype":"F32","shape":[1]}}', bytes(4)))
put("tensor_file", "nested", tensors('{"a":' * 40 + "1" + "}" * 40, b""))
put("tensor_file", "escapes", tensors('{"__metadata__":{"k\\u00e9y\\n":"\\ud83d\\ude00\\\\"},"\\u0061\\/":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', bytes(4)))
put("tensor_file", "escape_lone_surrogate", tensors('{"\\ud83d":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', bytes(4)))
put("tensor_file", "nul_in_name", tensors('{"a\\u0000b":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', bytes(4)))
put("tensor_file", "not_utf8", tensors(b'{"\xff\xfe":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', bytes(4)))
put("tensor_file", "metadata_number", tensors('{"__metadata__":{"a":1}}', b""))
put("tensor_file", "array", tensors("[1,2,3]", b""))
put("tensor_file", "not_closed", tensors('{"a":{"dtype":"F32"', b""))
put("tensor_file", "nan_weights", good[:-128] + struct.pack("<f", float("nan")) * 32)

put("model_text", "one", "linear(heads=2,key=4)")
put("model_text", "all_kinds", "mask(first=4); dense(outputs=12); softmax(heads=2,key=4,pe=qk,value=6); 3 x linear(heads=1,key=2,residual_clip=1.5,scale=0.5); dense(outputs=2)")
put("model_text", "no_brackets", "softmax;linear ; 2x linear()")
put("model_text", "empty", "")
put("model_text", "blanks", "  \t ")
put("model_text", "count_zero", "0 x linear")
put("model_text", "count_huge", "99999999999999999999 x linear")
put("model_text", "count_many", "1000000000 x linear(heads=1,key=1)")
put("model_text", "too_wide", "dense(outputs=9007199254740992)")
put("model_text", "unknown_kind", "conv(heads=2)")
put("model_text", "unknown_key", "linear(hands=2)")
put("model_text", "not_of_kind", "dense(heads=2,outputs=4)")
put("model_text", "out_of_range", "linear(heads=-1)")
put("model_text", "not_a_number", "linear(init_sd=nan,key=0x10)")
put("model_text", "not_closed", "linear(heads=2")
put("model_text", "stray_comma", "linear(heads=2,,key=4,)")
put("model_text", "stray_semicolon", ";linear;;")
put("model_text", "late_failure", "dense(outputs=16);linear(heads=2,key=4);nothing")
put("model_text", "bytes", b"\xff\x00linear\x80(")

put("settings_text", "numbers", b"\x03lr=1e999\nlr=-1\nlr=nan\nlr=inf\nlr=0x1p3\nlr=1,5\nlr= 1\nlr=1 \nlr=\nlr=.\nlr=1e\nlr=4.9e-324\nlr=1e-400\nbatch=1.5\nbatch=99999999999999999999\nbatch=+3\nbatch=-0")
put("settings_text", "names", b"\x03\n=\n=1\nlearning_rate=1\nLR=1\nlr\nlr==1\n\xff=\xff\nthreads=1")

for seed in range(1, 5):
    draw = random.Random(seed)
    put("calls", "random_%d" % seed, bytes(draw.getrandbits(8) for _ in range(2048)))
