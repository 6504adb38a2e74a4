"""Writes the generated layers of the bindings from api.json (docs/annotations.md).

    generate.py API.JSON [check]

`make bindings` calls it; with `check` nothing is written, and files that differ are named. One back end per language:
it gets the description and returns {path: text}.
"""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True


class Api:
    """api.json with what every back end asks of it."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            self.__dict__.update(json.load(f))
        if self.schema != 1:
            sys.exit(f"generate.py: {path}: schema {self.schema}, expected 1")
        self.handle_names = {h["name"] for h in self.handles}
        self.callback_names = {c["name"] for c in self.callbacks}
        self.struct_names = {s["name"] for s in self.structs}

    def scopes(self, parameter):
        """Scopes of a settings argument, those of blocks by name."""
        said = parameter["scopes"]
        return [k["name"] for k in self.kinds] if said == ["block"] else said

    def getter(self, count):
        """"probe.layers" -> the function that tells it, and which of its results it is."""
        module, thing = count.split(".")
        for f in self.functions:
            results = [p["name"] for p in f["parameters"] if p.get("direction") == "out" and p["role"] == "number"]
            if f["name"].startswith(f"mesaopt_{module}_") and thing in results:
                return f, results.index(thing), len(results)
        sys.exit(f"generate.py: no getter for {count}")


def short(name):
    """Without the prefix of C."""
    return name[8:] if name.startswith(("mesaopt_", "MESAOPT_")) else name


def main():
    import generate_python
    back_ends = [generate_python]
    for name in ("generate_rust", "generate_julia"):
        if os.path.exists(os.path.join(HERE, name + ".py")):
            back_ends.append(__import__(name))
    api = Api(sys.argv[1])
    differing = []
    for back_end in back_ends:
        for path, text in back_end.files(api).items():
            full = os.path.join(HERE, path)
            try:
                with open(full, encoding="utf-8") as f:
                    same = f.read() == text
            except FileNotFoundError:
                same = False
            if same:
                continue
            differing.append(path)
            if sys.argv[2:] != ["check"]:
                with open(full, "w", encoding="utf-8") as f:
                    f.write(text)
    if sys.argv[2:] == ["check"]:
        for path in differing:
            print(f"bindings/{path}: not what the headers say now (make bindings writes it)")
        return bool(differing)
    print("bindings: " + (", ".join(differing) if differing else "nothing to change"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
