"""The Rust layer: bindings/rust/mesaopt-sys/src/lib.rs, the C API as it is."""
import re
import textwrap

SIMPLE = {"int32_t": "i32", "uint32_t": "u32", "int64_t": "i64", "uint64_t": "u64", "double": "f64", "float": "f32", "mesaopt_status": "mesaopt_status",
          "void *": "*mut c_void", "const void *": "*const c_void", "void **": "*mut *mut c_void", "char *": "*mut c_char", "const char *": "*const c_char", "void": "()"}
KEYWORDS = {"type": "type_", "in": "in_", "ref": "ref_", "fn": "fn_", "move": "move_", "box": "box_", "loop": "loop_", "match": "match_"}


def rust(t):
    t = t.strip()
    if t in SIMPLE:
        return SIMPLE[t]
    if "(*)" in t:
        result, _, args = t.partition("(*)")
        return function(result, [p for p in split(args.strip()[1:-1])])
    if t.endswith("*const *"):
        return "*const " + rust(t[:-len("const *")].strip())
    if t.endswith("**"):
        return "*mut " + rust(t[:-1].strip())
    if t.endswith("*"):
        inner = t[:-1].strip()
        const = inner.startswith("const ")
        return ("*const " if const else "*mut ") + rust(inner[6:] if const else inner)
    if m := re.match(r"(\w+) \[(\d+)\]$", t):
        return f"[{SIMPLE[m[1]]}; {m[2]}]"
    return t


def split(args):
    return [tuple(re.match(r"(.*?)(\w+)$", a.strip()).groups()) for a in args.split(",")] if args else []


def function(result, args):
    back = "" if result.strip() == "void" else f" -> {rust(result)}"
    return "Option<unsafe extern \"C\" fn(" + ", ".join(f"{KEYWORDS.get(n, n)}: {rust(t)}" for t, n in args) + f"){back}>"


def doc(text, pad=""):
    text = re.sub(r"([\[\]<>*_`])", r"\\\1", text)
    return "".join(f"{pad}/// {line}\n" for line in textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False))


def files(api):
    out = ["//! The C API of libmesaopt, generated from its headers by bindings/generate.py: not to be edited (make bindings).\n"
           "//! The crate `mesaopt` is the safe one.\n"
           "#![allow(non_camel_case_types)]\n\nuse std::os::raw::{c_char, c_void};\nuse std::marker::{PhantomData, PhantomPinned};\n"]
    for t in api.types:
        out.append(f"pub type {t['name']} = {SIMPLE[t['is']]};\n")
    for k in api.constants:
        kind = {"view": "u32", "version": "i32", "max": "usize"}.get(k["group"], "i32")
        out.append(doc(k["doc"]) + f"pub const {k['name']}: {kind} = {k['value']};\n")
    for h in api.handles:
        out.append(f"#[repr(C)]\npub struct {h['name']} {{\n    _data: [u8; 0],\n    _marker: PhantomData<(*mut u8, PhantomPinned)>,\n}}\n")
    for s in api.structs:
        fields = "".join(f"    pub {f['name']}: {rust(f['type'])},\n" for f in s["fields"])
        out.append(f"#[repr(C)]\n#[derive(Clone, Copy, Debug)]\npub struct {s['name']} {{\n{fields}}}\n"
                   f"const _: () = assert!(std::mem::size_of::<{s['name']}>() == {s['size']});\n")
    for c in api.callbacks:
        out.append(doc(c["doc"]) + f"pub type {c['name']} = {function(c['returns'], [(p['type'], p['name']) for p in c['parameters']])};\n")
    out.append('extern "C" {')
    for f in api.functions:
        args = ", ".join(f"{KEYWORDS.get(p['name'], p['name'])}: {rust(p['type'])}" for p in f["parameters"])
        back = "" if f["returns"] == "void" else f" -> {rust(f['returns'])}"
        out.append(doc(f["doc"] + f" Since {f['since']}.", "    ") + f"    pub fn {f['name']}({args}){back};")
    out.append("}\n")
    tests = []
    for s in api.structs:
        checks = "".join(f"    assert_eq!(std::ptr::addr_of!(s.{f['name']}) as usize - base, {f['offset']});\n" for f in s["fields"])
        tests.append(f"#[test]\nfn layout_of_{s['name']}() {{\n    let s: {s['name']} = unsafe {{ std::mem::zeroed() }};\n    let base = std::ptr::addr_of!(s) as usize;\n{checks}}}\n")
    return {"rust/mesaopt-sys/src/lib.rs": "\n".join(out + tests)}
