#!/bin/sh
# The programs in README.md and on the pages of docs/ are run as they stand there, where there is what runs them: those of
# README say what is expected here, those of the pages what examples/tour.c says. Started by `make check-pages` with O, CC,
# CXX, PYTHON and CARGO set, after the library is built. The last line counts.
here=$(pwd) tmp=$(mktemp -d) passed=0 failed=0
trap 'rm -rf "$tmp"' EXIT
export MESAOPT_LIBRARY="$O/lib/libmesaopt.so" LD_LIBRARY_PATH="$O/lib" PYTHONPATH="$here/bindings/python" PYTHONDONTWRITEBYTECODE=1

check() {         # check NAME: the lines of $tmp/said are those of $tmp/expected, each number to 4 digits
    if awk '{ for (i = 1; i <= NF; i++) if ($i + 0 == $i) $i = sprintf("%.4g", $i); print }' "$tmp/said" | cmp -s - "$tmp/expected"; then
        passed=$((passed + 1)) && echo "ok    $1"
    else
        failed=$((failed + 1)) && echo "FAIL  $1" && cat "$tmp/said" "$tmp/wrong"
    fi
}
program() {       # program FILE LANGUAGE NAME: the block of this language that is a whole program
    awk -v block='```'"$2" '$0 == "```" && on { exit } on { print } $0 == block { on = 1 }' "$1" > "$tmp/$3"
}
built() {         # built COMPILER...
    "$@" -Iinclude -L"$O/lib" -lmesaopt -lm -o "$tmp/program" 2> "$tmp/wrong" && "$tmp/program" > "$tmp/said"
}
run() {           # run LANGUAGE
    : > "$tmp/said"
    case $1 in
    c) built "$CC" -std=c99 -Wall -Wextra -Werror "$tmp/program.c" ;;
    cpp) built "$CXX" -std=c++11 -Wall -Wextra -Werror "$tmp/program.cpp" ;;
    python) "$PYTHON" "$tmp/program.py" > "$tmp/said" 2> "$tmp/wrong" ;;
    julia) julia --project=bindings/julia "$tmp/program.jl" > "$tmp/said" 2> "$tmp/wrong" ;;
    rust)
        mkdir -p "$tmp/crate/src" && cp "$tmp/program.rs" "$tmp/crate/src/main.rs"
        printf '[package]\nname = "page"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nmesaopt = { path = "%s/bindings/rust/mesaopt" }\n[profile.dev]\ndebug = false\n' "$here" > "$tmp/crate/Cargo.toml"
        (cd "$tmp/crate" && CARGO_TARGET_DIR="$O/rust" MESAOPT_LIB_DIR="$O/lib" MESAOPT_STATIC=1 "$CARGO" run -q --offline) > "$tmp/said" 2> "$tmp/wrong" ;;
    esac
}
there() {
    case $1 in
    julia) command -v julia > /dev/null ;;
    rust) command -v "$CARGO" > /dev/null ;;
    python) "$PYTHON" -c 'import numpy' 2> /dev/null ;;
    esac
}

for language in c cpp rust julia python; do
    there $language || { echo "not here: $language"; continue; }
    case $language in python) ext=py ;; rust) ext=rs ;; julia) ext=jl ;; *) ext=$language ;; esac
    program README.md "$language three lines" program.$ext
    [ "$(wc -l < "$tmp/program.$ext")" = 3 ] || echo "README.md, $language: expected three lines" > "$tmp/program.$ext"
    run $language
    case $language in c) grep -c '^libmesaopt ' "$tmp/said" > "$tmp/n"; mv "$tmp/n" "$tmp/said"; echo 1 ;; cpp) echo -0.4139 ;; julia) echo '[5.0;;]' ;; python) echo '[5.]' ;; *) echo 5 ;; esac > "$tmp/expected"
    check "README.md, $language"
    case $language in cpp) page=cxx ;; *) page=$language ;; esac
    program "docs/$page.md" "$language" program.$ext
    run $language
    "$O/bin/tour" | awk '{ $(NF - 1) = sprintf("%.4g", $(NF - 1)); NF--; print }' > "$tmp/expected"
    check "docs/$page.md"
done
echo "pages: $passed passed, $failed failed"
[ "$failed" = 0 ]
