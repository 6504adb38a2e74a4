#!/bin/sh
# Checks what a compiler does not: layering, names, headers, exported symbols, what the library's own objects call, docs.
# Started by `make check` with O, CC, CXX, NM and SOVERSION set, after everything is built. Prints one line per check; the last line counts them.
set -u
export LC_ALL=C
CC=${CC:-gcc} CXX=${CXX:-g++} NM=${NM:-nm}
internal=$O/lib/libmesaopt_internal.a static=$O/lib/libmesaopt.a shared=$O/lib/libmesaopt.so symbols=$O/gen/libmesaopt.symbols
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
passed=0 failed=0

# wrong: keeps its input, which is what is wrong; check NAME: passes when there was none.
check() {
    if [ -s "$tmp/wrong" ]; then
        failed=$((failed + 1)); echo "FAIL: $1"; sed 's/^/    /' "$tmp/wrong" | head -40
    else
        passed=$((passed + 1)); echo "ok: $1"
    fi
    : > "$tmp/wrong"
}
wrong() { cat > "$tmp/wrong"; }

# ---- source tree ----

for folder in base tensor kern mesa rls nn task train study api; do     # in rising order
    case $folder in base) floor=0 ;; tensor) floor=1 ;; kern) floor=2 ;; mesa|rls) floor=3 ;; nn) floor=4 ;; task) floor=5 ;; train) floor=6 ;; study) floor=7 ;; api) floor=8 ;; esac
    echo "$folder $floor"
done > "$tmp/floors"
grep -n '^ *# *include *"' lib/*/*.[ch] | awk -F'[:"]' -v floors="$tmp/floors" '
    BEGIN { while ((getline line < floors) > 0) { split(line, f, " "); floor[f[1]] = f[2] } }
    { split($1, at, "/"); n = split($4, to, "/")
      if (n < 2 || to[1] == "mesaopt") next
      if (!(at[2] in floor)) print $1 ": folder lib/" at[2] " is not in the list of floors"
      else if (!(to[1] in floor)) print $1 ":" $2 ": includes " $4 ", which is in no folder of lib/"
      else if (floor[to[1]] > floor[at[2]]) print $1 ":" $2 ": lib/" at[2] " includes the higher " $4
      else if (floor[to[1]] == floor[at[2]] && to[1] != at[2]) print $1 ":" $2 ": lib/" at[2] " includes its sibling " $4
      else if (to[1] == "api" && at[2] != "api") print $1 ":" $2 ": includes api/" }' | wrong
check "a file of lib/ includes its own folder or a lower floor, siblings never each other"

grep -ln '[<"]blis.h[>"]' lib/*/*.[ch] | grep -v '^lib/kern/gemm' | wrong
check "only lib/kern/gemm*.c includes blis.h"

find include lib examples tests docs -type f \( -name '*.[ch]' -o -name '*.cpp' -o -name '*.sh' -o -name '*.awk' -o -name '*.py' -o -name '*.md' \) |
    sed 's|.*/||' | sort | uniq -d | sed 's/$/: more than one file has this name/' | wrong
check "file names are unique"

find include lib examples -type f \( -name '*.[ch]' -o -name '*.hpp' -o -name '*.def' \) -exec awk 'length > 100 { print FILENAME ":" FNR ": " length " columns" }' {} + | wrong
check "lines of include/, lib/ and examples/ have at most 100 columns"

# What git tracks, where there is git: sources, not what was built of them.
git ls-files -z 2>/dev/null > "$tmp/tracked"
{ xargs -0 -r grep -lsa -e "^$(printf '\177')ELF" -e '^!<arch>' < "$tmp/tracked" | sed 's/$/: executable, object or archive/'
  xargs -0 -r stat -c '%s %n' < "$tmp/tracked" 2>/dev/null | awk '$1 > 1000000 { n = $1; sub(/^[0-9]+ /, ""); print $0 ": " n " bytes" }'; } | wrong
check "no tracked file was built, none is larger than 1 MB"

for f in -ffast-math -Ofast -ffinite-math-only; do
    for c in lib/base/real.c lib/train/schedule.c lib/kern/finite.c; do
        $CC $f -std=gnu11 -Iinclude -Ilib -fsyntax-only $c 2>/dev/null && echo "$c: compiles with $f"
    done
done | wrong
check "-ffast-math and its like are refused"

# ---- public headers ----

for h in include/mesaopt/*.h; do
    echo "#include \"mesaopt/${h##*/}\"" > "$tmp/alone.c"
    cp "$tmp/alone.c" "$tmp/alone.cpp"
    $CC -std=c99 -pedantic -Wall -Wextra -Wstrict-prototypes -Werror -Iinclude -fsyntax-only "$tmp/alone.c"
    $CXX -std=c++11 -pedantic -Wall -Wextra -Werror -Iinclude -fsyntax-only "$tmp/alone.cpp"
done > "$tmp/headers" 2>&1
{
    cat "$tmp/headers"
    { echo '#include "mesaopt/mesaopt.hpp"'; echo 'void use() {'; awk '/^ \* Use:$/ { on = 1; next } on && /\*\// { exit } on { sub(/^ \*/, ""); print }' include/mesaopt/mesaopt.hpp; echo '}'; } > "$tmp/use.cpp"
    $CXX -std=c++11 -pedantic -Wall -Wextra -Werror -Iinclude -fsyntax-only "$tmp/use.cpp" 2>&1
} | wrong
check "every public header compiles alone as C99 and as C++11"

# The four lines of use at the top of each header, in one function each.
{
    cat <<'END'
#include <mesaopt/mesaopt.h>
#include <stdio.h>
static mesaopt_ctx *ctx; static mesaopt_settings *settings; static mesaopt_tensor *tensor; static mesaopt_task *task; static mesaopt_attn *attn;
static mesaopt_lsq *lsq; static mesaopt_rls *rls; static mesaopt_model *model, *rebuilt, *replaced; static mesaopt_trainer *trainer; static mesaopt_baseline *baseline;
static mesaopt_probe *probe; static mesaopt_prompt *prompt; static mesaopt_revalg *revalg; static mesaopt_linearise *linearise; static mesaopt_decoder *decoder; static mesaopt_status status; static char text[256]; static void *x, *g, *user, *managed;
static mesaopt_view q, k, v, out, condition, tokens, past, token, parameters, gradient, activations[9], targets, mse, r2, ratio; static mesaopt_loss_fn my_loss;
static int64_t B, T, H, d, dv, n, width, layers, features[9], steps, heads, shape[3], blocks[7]; static double map[9999]; static int32_t which; static double eta, loss, error, weights, explained;
END
    for h in include/mesaopt/*.h; do
        echo "void use_$(basename "$h" .h)(void) {"; awk '/^ \* Use:$/ { on = 1; next } on && /\*\// { exit } on { sub(/^ \*/, ""); print }' "$h"; echo "}"
    done
} > "$tmp/use.c"
{
    $CC -std=c99 -Wall -Wextra -Wno-unused-variable -Wno-missing-prototypes -Werror -Iinclude -fsyntax-only "$tmp/use.c" 2>&1
    for h in include/mesaopt/*.h; do [ "${h##*/}" = mesaopt.h ] || grep -q '^ \* Use:$' "$h" || echo "$h: no lines of use"; done
} | wrong
check "every public header shows its use, which compiles"

problems() { awk -v mode=problems -f docs/annotations.awk -f docs/api.awk "$@"; }
problems include/mesaopt/*.h | wrong
check "every public function has a doc comment that ends in its version, and annotations (docs/annotations.md); constants and settings have a text"

# A header with one fault a function: each has to be named.
cat > "$tmp/faults.h" <<'END'
/* mesaopt/faults.h: what the check above is there to find. */

typedef struct mesaopt_model mesaopt_model;

/** Nothing says whether x is read or written. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_one(mesaopt_model *model, const mesaopt_view *x);

/** The argument is another one. [in: y; out: z] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_two(mesaopt_model *model, const mesaopt_view *y);

/** Is the task kept? Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_three(mesaopt_model *model, mesaopt_task *task);

/** Of which scope? Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_four(mesaopt_model *model, const mesaopt_settings *settings);

/** How many? Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_five(mesaopt_model *model, const int64_t *blocks);

/** There is no such count. [in: blocks[number]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_six(mesaopt_model *model, const int64_t *blocks);

/** Valid for how long? Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_seven(mesaopt_model *model, mesaopt_view *out);

/** Kept for how long? Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_eight(mesaopt_model *model, mesaopt_step_fn after, void *user);

/** There is no such function. [borrows: model until nine] Since 0.1. */
MESAOPT_API const char *mesaopt_model_name(mesaopt_model *model, int64_t i);

/** There is no such scope. [scope: settings? TEN] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_ten(mesaopt_model *model, const mesaopt_settings *settings);
END
problems "$tmp/faults.h" > "$tmp/faults"
[ "$(wc -l < "$tmp/faults")" = 10 ] || { echo "$(wc -l < "$tmp/faults") of 10 faults found:"; cat "$tmp/faults"; } | wrong
check "missing and wrong annotations are found"

grep -o 'mesaopt_[a-z]*_free' "$symbols" | while read -r f; do grep -q "$f(" include/mesaopt/mesaopt.hpp || echo "$f: no free_handle for it"; done | wrong
check "include/mesaopt/mesaopt.hpp frees every kind of handle"

awk -v mode=layout -f docs/annotations.awk -f docs/api.awk include/mesaopt/*.h > "$tmp/layout.c"
{ grep -q 'OFFSET(mesaopt_view, stride, 56)' "$tmp/layout.c" || echo "the layout of mesaopt_view is not there"
  $CC -std=c11 -Iinclude -fsyntax-only "$tmp/layout.c"; } 2>&1 | wrong
check "structs are laid out as api.json says"

diff lib/libmesaopt.symbols "$symbols" | wrong
check "declared functions are those of lib/libmesaopt.symbols (if the change is meant: cp $symbols lib/)"

# ---- built libraries ----

cut -d' ' -f1 "$symbols" > "$tmp/declared"
$NM -D --defined-only "$shared" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort | diff "$tmp/declared" - | wrong
check "the shared library exports the declared functions and nothing else"

$NM -g --defined-only "$static" | awk 'NF == 3 { print $3 }' | sort | diff "$tmp/declared" - | wrong
check "the static library shows the declared functions and nothing else"

readelf -d "$shared" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -Ev '^(libc\.so\.6|libm\.so\.6|libpthread\.so\.0|ld-linux.*)$' | wrong
check "the shared library needs libc, libm and pthreads only"

readelf -d "$shared" | grep SONAME | grep -Fv "[libmesaopt.so.$SOVERSION]" | wrong
check "soname is libmesaopt.so.$SOVERSION"

{ readelf -d "$shared" | grep TEXTREL; readelf -lW "$shared" | grep 'GNU_STACK.* RWE'; } | wrong
check "no text relocations, no executable stack"

{ readelf -d "$shared" | grep -q NODELETE || echo "no flag NODELETE: link with -z nodelete"
  $CC -std=gnu99 -Wall -Wextra -Werror -Iinclude tests/install/unload.c -ldl -o "$tmp/unload" &&
      { "$tmp/unload" "$(realpath "$shared")" || echo "tests/install/unload.c: exit status $?"; }; } 2>&1 | wrong
check "the shared library stays when it is closed, and with it what a live context needs"

strip -o "$tmp/stripped" "$shared"
size=$(wc -c < "$tmp/stripped")
[ "$size" -lt 12000000 ] || echo "$size bytes" | wrong
check "the stripped shared library is below 12 MB ($size bytes)"

# ---- what our own objects call and hold ----

{ sed 's/^/floor /' "$tmp/floors"; find lib -name '*.c' | sed 's|^lib/|file |; s|/| |; s|\.c$||'; $NM -A "$internal"; } > "$tmp/callers"
awk -v mode=upwards -f tests/check_calls.awk "$tmp/callers" | wrong
check "a file of lib/ calls its own folder or a lower floor"
awk -v mode=circles -f tests/check_calls.awk "$tmp/callers" | wrong
check "no two files of lib/ call each other, directly or by way of others"

# object and name of every function called: by our own objects, and (last) by the shared library as a whole, the members of BLIS included.
# glibc's fortified and renamed variants go by their plain names.
{ $NM -A -u "$internal" | awk '{ split($1, a, ":"); print a[2], $NF }'
  $NM -D -u "$shared" | awk '{ sub(/@.*/, "", $NF); print "shared", $NF }'; } |
    awk '{ sub(/^__isoc[0-9]+_/, "", $2); if ($2 ~ /^__.*_chk$/ && $2 != "__stack_chk_fail") { sub(/^__/, "", $2); sub(/_chk$/, "", $2) } print }' | sort -u > "$tmp/calls"

grep -E ' (v?f?printf|v?dprintf|puts|fputs|putc|fputc|putchar|perror|psignal|stdin|stdout|stderr|open_memstream|syslog|v?asprintf|err|errx|warn|warnx)$' "$tmp/calls" | wrong
check "own objects print nothing"
grep -E ' (_?_?exit|_Exit|quick_exit|abort|__assert_fail|__assert|at_quick_exit|atexit|__cxa_atexit|raise|kill|longjmp|siglongjmp|_?setjmp|system|popen|exec[vl].*|fork|vfork|posix_spawn.*|dlopen|dlsym)$' "$tmp/calls" | wrong
check "own objects never exit, abort, jump or start a process"
grep -E ' ((secure_)?getenv|setenv|unsetenv|putenv|clearenv|environ|__environ|setlocale|newlocale|uselocale|localeconv|nl_langinfo|strcoll|isalpha|isspace|isdigit|__ctype_.*|tolower|toupper|strto[dfl]|strtold|atof|v?f?scanf|v?sscanf|srand|rand|s?random|[dlm]rand48|time|localtime.*|gettimeofday)$' "$tmp/calls" | grep -Ev '^(number\.o|shared) strtod$' | wrong    # number.c, which gets texts without a decimal separator
check "own objects touch no environment, locale, clock of day or hidden random state"
grep -E ' (signal|sigaction|sigprocmask|pthread_atfork|__register_atfork|fesetround|fesetenv|feenableexcept|strtok|strerror|asctime|ctime|gmtime)$' "$tmp/calls" | wrong
check "own objects install no handler and use no function with hidden state"
grep -E ' (malloc|calloc|realloc|free|reallocarray|aligned_alloc|posix_memalign|memalign|valloc|strn?dup|fopen|fdopen|getline|mmap|madvise|sbrk|realpath|getcwd|opendir)$' "$tmp/calls" | grep -Ev '^(alloc\.o|shared) ' | wrong
check "only base/alloc.c allocates"
grep '^simd_' "$tmp/calls" | grep -E ' (exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|sin|cos|tan|sincos|sinh|cosh|tanh|asin|acos|atan|atan2|erf|erfc|sqrt|cbrt|hypot|fma|fmod|remainder|floor|ceil|l?l?round|l?l?rint|nearbyint|trunc|fmin|fmax|fabs|ldexp|frexp|scalbn|copysign)[fl]?$' | wrong
check "kernels call no libm"
# What is exact on every machine (floor, frexp, ldexp) may stay; the rest has its place in base/real.c.
grep -v '^shared ' "$tmp/calls" | grep -E ' (exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|sin|cos|tan|sincos|sinh|cosh|tanh|asin|acos|atan|atan2|erf|erfc|sqrt|cbrt|hypot|fma|fmod|remainder|fmin|fmax)[fl]?$' | wrong
check "own objects call no libm whose bits depend on the machine"
size -A -d "$internal" | awk '/ *\(ex / { object = $1 } /^\.(data|bss|tdata|tbss|init_array|fini_array|ctors|dtors)/ && !/^\.data\.rel\.ro/ && $2 > 0 { print object, $1, $2 " bytes" }' | wrong
check "own objects hold no data that changes and run nothing at load time"

# ---- tests and docs ----

for f in $(cat "$tmp/declared"); do grep -qsw "$f" tests/test_arguments*.c || echo "$f"; done | wrong
check "every public function has rows in the table of bad arguments (tests/test_arguments*.c)"

for f in $(cat "$tmp/declared"); do grep -qsw "$f" tests/fuzz/calls_*.c || echo "$f"; done | wrong
check "every public function is among the random calls (tests/fuzz/calls_*.c)"

# Shapes of operands stand in the table of lib/mesa/lsq_run.c, and for users in the header.
awk '
    FILENAME ~ /lsq.h$/ && /^#define MESAOPT_LSQ_/ && match($0, /\[[A-Za-z, ]*\]/) {
        shape = substr($0, RSTART + 1, RLENGTH - 2); gsub(/, /, "", shape); gsub(/dv/, "v", shape)
        said[substr($2, 13)] = tolower(shape) }
    match($0, /^ *\[LSQ_ROW\([A-Z0-9_]*\)\] = \{"[a-z0-9_]*", "[a-z]*"/) {
        split($0, part, /[()"]/); axes[part[2]] = part[6]; rows++
        if (tolower(part[2]) != part[4]) print part[2] ": called " part[4] }
    END { for (name in said) { checked++; if (said[name] != axes[name]) print name ": [" said[name] "] in lsq.h, [" axes[name] "] in lsq_run.c" }
          if (rows != 19 || checked < 16) print rows " rows and " checked " shapes, expected 19 and at least 16" }' include/mesaopt/lsq.h lib/mesa/lsq_run.c | wrong
check "shapes of operands are those of the header (include/mesaopt/lsq.h, lib/mesa/lsq_run.c)"

awk '/^```c$/ { on = 1; next } /^```/ { if (on) exit } on' README.md > "$tmp/readme.c"
if [ -s "$tmp/readme.c" ]; then
    { $CC -std=c99 -Wall -Wextra -Werror -Iinclude "$tmp/readme.c" "$static" -lm -lpthread -o "$tmp/readme" &&
          { (cd "$tmp" && timeout 120 ./readme) > "$tmp/readme.out" 2>&1 || { echo "exit status $?"; cat "$tmp/readme.out"; }; }; } 2>&1 | wrong
else
    echo "README.md has no \`\`\`c block" | wrong
fi
check "the C program of the README compiles and runs as shown"

echo "Structure: $passed passed, $failed failed"
[ "$failed" = 0 ]
