#!/bin/sh
# The wheel of `make wheel` in a fresh virtual environment: it installs without an index, the program of docs/python.md runs
# far from the tree and says what examples/tour.c says, and uninstalling leaves nothing. NumPy is the system's. Started by
# `make check-wheel` with O and PYTHON set, after the wheel is built.
set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() { echo "check-wheel: $*" >&2; exit 1; }
unset PYTHONPATH MESAOPT_LIBRARY LD_LIBRARY_PATH

awk '$0 == "```" && on { exit } on { print } $0 == "```python" { on = 1 }' docs/python.md > "$tmp/program.py"
"$PYTHON" -m venv --system-site-packages "$tmp/venv" || fail "no virtual environment (Debian: python3-venv)"
pip() { PYTHONDONTWRITEBYTECODE=1 "$tmp/venv/bin/python" -m pip --disable-pip-version-check -q "$@"; }
files() { (cd "$tmp/venv" && find . | sort); }
files > "$tmp/before"
pip install --no-index "$O"/dist/mesaopt-*.whl
cd "$tmp"
"$tmp/venv/bin/python" -c "import mesaopt; assert mesaopt.__file__.startswith('$tmp/venv/'), mesaopt.__file__"
"$tmp/venv/bin/python" -W error program.py > said
"$O/bin/tour" | awk '{ $NF = sprintf("%.4g", $(NF - 1)); $(NF - 1) = ""; gsub(/ +/, " "); print }' > expected
awk '{ $NF = sprintf("%.4g", $NF); print }' said | cmp - expected || fail "the program of docs/python.md says something else"
pip uninstall -y mesaopt
files | cmp - before || fail "uninstalling has left these: $(files | comm -23 - before)"
echo "wheel: $(cd "$O/dist" && ls -l mesaopt-*.whl | awk '{ print $NF ", " $5 " bytes" }'): installs, runs, and leaves nothing"
