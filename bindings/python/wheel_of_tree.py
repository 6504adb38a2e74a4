"""Build backend (PEP 517) of the package: `make lib` in the tree that this lies in, and a wheel of the package with the
stripped shared library. Needs make and a C compiler, and nothing from the network.

    python wheel_of_tree.py FOLDER        (make wheel) writes the wheel into FOLDER and prints its path

The tag is py3-none-manylinux_X_Y, X.Y the newest version of a glibc symbol that the library needs.
"""
import base64
import hashlib
import os
import platform
import re
import subprocess
import sys
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
SUMMARY = "Models that learn in context: training, mesa layers, recursive least squares, reverse engineering"


def _version():
    with open(os.path.join(TREE, "include/mesaopt/status.h"), encoding="utf-8") as f:
        return ".".join(re.findall(r"#define MESAOPT_VERSION_(?:MAJOR|MINOR|PATCH) +(\d+)", f.read()))


def _library(folder):
    """A stripped copy of the shared library: of make wheel's build, or built here."""
    build = os.environ.get("MESAOPT_BUILD")
    if not build:
        build = os.path.join(TREE, "build")
        subprocess.run(["make", "-C", TREE, f"-j{os.cpu_count()}", "lib"], check=True, stdout=sys.stderr)
    stripped = os.path.join(folder, "libmesaopt.so")
    subprocess.run(["strip", "--remove-section=.comment", "-o", stripped, os.path.join(build, "lib/libmesaopt.so")], check=True)
    return stripped


def _tag(library):
    told = subprocess.run(["readelf", "-V", "--wide", library], check=True, capture_output=True, text=True).stdout
    newest = max(tuple(int(n) for n in v.split(".")) for v in re.findall(r"GLIBC_([0-9.]+)", told))
    return f"py3-none-manylinux_{newest[0]}_{newest[1]}_{platform.machine()}"


def _metadata(version):
    with open(os.path.join(TREE, "docs/python.md"), encoding="utf-8") as f:
        page = f.read()
    return (f"Metadata-Version: 2.1\nName: mesaopt\nVersion: {version}\nSummary: {SUMMARY}\nLicense: BSD-3-Clause\nRequires-Python: >=3.9\n"
            f"Requires-Dist: numpy>=1.23\nProvides-Extra: plot\nRequires-Dist: matplotlib; extra == 'plot'\nDescription-Content-Type: text/markdown\n\n{page}")


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    version = _version()
    with tempfile.TemporaryDirectory() as folder:
        library = _library(folder)
        tag = _tag(library)
        info = f"mesaopt-{version}.dist-info"
        files = {"mesaopt/libmesaopt.so": open(library, "rb").read()}
        for name in sorted(os.listdir(os.path.join(HERE, "mesaopt"))):
            if name.endswith((".py", ".pyi")) or name == "py.typed":
                files[f"mesaopt/{name}"] = open(os.path.join(HERE, "mesaopt", name), "rb").read()
        files[f"{info}/METADATA"] = _metadata(version).encode()
        files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: wheel_of_tree\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
        files[f"{info}/LICENSE"] = open(os.path.join(TREE, "LICENSE"), "rb").read()
        record = "".join(f"{n},sha256={base64.urlsafe_b64encode(hashlib.sha256(b).digest()).rstrip(b'=').decode()},{len(b)}\n" for n, b in files.items())
        files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
        wheel = f"mesaopt-{version}-{tag}.whl"
        with zipfile.ZipFile(os.path.join(wheel_directory, wheel), "w", zipfile.ZIP_DEFLATED) as z:
            for name, content in files.items():
                entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))           # the same bytes every time
                entry.external_attr = (0o755 if name.endswith(".so") else 0o644) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                z.writestr(entry, content, compresslevel=9)
    return wheel


def build_sdist(sdist_directory, config_settings=None):
    raise NotImplementedError("the source of this package is the tree of libmesaopt; build a wheel there")


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    print(os.path.join(sys.argv[1], build_wheel(sys.argv[1])))
