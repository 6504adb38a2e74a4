#!/bin/sh
# The short programs of examples/: what they print, a standard output that is full, and that an installed library is all they need; links of the
# installed documents. Started by `make check` with O set, after the examples are built. Prints one line per check; the last line counts them.
# Nothing is built here. Everything depends on flags, which are always looked at anew.
make -qs -o "$O/flags" O="$O" all "$O/docs/api.md" "$O/docs/api.json" 2> /dev/null || { echo "$0: $O is older than its sources: make all docs"; exit 1; }
. tests/example_checks.sh
short=$(cd "$here/examples" && ls *.c | sed 's/\.c$//')

for e in $short; do
    f=$here/examples/$e.c
    [ "$(grep -c '' "$f")" -le 100 ] || echo "$e.c: $(grep -c '' "$f") lines, expected at most 100"
    grep -n '^ *# *include *"' "$f" | sed "s/^/$e.c:/"
    awk -v e="$e" 'NR == 1 && $2 != e ":" { print e ".c: its first line does not begin with its name" }
        /\*\// { if (NR < 4 || NR > 8) print e ".c: the comment at its top has " NR " lines"; exit }' "$f"
done > wrong
check "examples are short, and include public headers only"

# Every example ends with 0, says nothing on standard error, and leaves no file.
for e in $short; do mkdir -p in/$e; (cd in/$e && run 0 "$bin/$e"; mv out ../../$e.out; [ ! -s err ] || cat err >> wrong; rm -f err; ls | grep -vx wrong > left; rm left; [ ! -e wrong ] || cat wrong >> ../../wrong); done
for e in $short; do rm -f in/$e/wrong; ls in/$e | sed "s/^/$e leaves /" >> wrong; done
check "examples run, in silence on standard error, and leave nothing behind"

has hello.out 'MESAOPT_E_SHAPE: out: shape [1,49,10], expected [1,50,10]'
awk '/^t =/ { sub(/t = */, ""); sub(/:/, ""); n++; if ($1 > 10 && $(NF - 1) > 0.1 || $1 == 1 && $(NF - 1) < 1) print "hello: t = " $0 } END { if (n != 11) print "hello: " n " lines" }' hello.out >> wrong
awk '/^test loss/ { before = $3; after = $5; steps = $7 } /^one step/ { gd = $NF } END { if (!(steps == 300 && before > 1.4 && after < 0.6 * before && after < 1.1 * gd && gd < 0.95)) print "fit: " before " " after " " steps " " gd }' fit.out >> wrong
# ridge regression by hand: keys t, values 2 t, ridge 1; the gradient of the last output is k / (sum k^2 + 1)
awk 'BEGIN { for (t = 1; t <= 5; t++) { s += 2 * t * t; h += t * t; printf "%.6f %g\n", s / (h + 1), h + 1 }; for (t = 1; t <= 5; t++) printf "%s%.6f", (t > 1 ? " " : ""), t / (h + 1); print "" }' > want
sed -n 's/^row [1-5]: \([0-9.]*\) .*condition \(.*\)/\1 \2/p; s/^gradient.*: //p' least_squares.out > p; near p want 1e-6
awk '/^row/ { n++; if (!($3 < 0.3)) print } /^one by one/ { if ($(NF - 1) < 1e-12) ok = 1 } END { if (n != 9 || !ok) print "decode: " n " rows" }' decode.out >> wrong
awk '/^t =/ { n++; off[n] = $(NF - 1) } /^one by one/ { if ($(NF - 1) < 1e-4) ok = 1 } END { if (n != 10 || !ok || !(off[8] < 0.3 && off[8] < off[1] / 4 && off[10] < off[1])) print "decode_model: " n " rows, " off[8] }' decode_model.out >> wrong
awk 'NR > 1 { n++; if ($2 > 0.005 || !($3 > last)) print "probe: " $0; last = $3 } END { if (n != 4 || !(last > 0.5)) print "probe: " n " rows" }' probe.out >> wrong
# what persistence loses on these waves
awk 'BEGIN { for (s = 0; s < 400; s++) for (t = 1; t <= 24; t++) { w = 0.4 + 0.5 * (s % 20) / 20; p = 0.3 + 0.002 * s; e += (sin(p + w * t) - sin(p + w * (t - 1)))^2 } printf "1 %.5f\n", e / 2 / 400 / 24 }' > want
sed -n 's/.*persistence \(.*\)/1 \1/p' my_sequences.out > p; near p want 1e-5
awk '{ if (!($5 + 0 < 0.1 * $8)) print "my_sequences: " $0 }' my_sequences.out >> wrong
awk '/^step size/ { d = $5 / $NF; if (!(d > 0.8 && d < 1.25)) print } /^loss/ { if (!($5 < 1.05 * $3)) print; n = 1 } /^share/ { if (!($NF > 0.4)) print } END { if (!n) print "extract: no losses" }' extract.out >> wrong
awk '/^loss/ { if (!($5 < 1)) print } /^eta/ { if (!($2 > 0.028 && $2 < 0.034)) print } /^prediction/ { if (!($2 > 1.7 && $2 < 2)) print } END { if (NR != 4) print "tour: " NR " lines" }' tour.out >> wrong
has harness.out 'MESAOPT_STOPPED after step 2; '; has harness.out 'jobs and memory by the host'; has harness.out 'bytes left when all was freed: 0'; has harness.out 'the same bits'
check "examples print what they are there to show"

# What fails ends its line, and says \n nowhere: as many lines as messages, with too little memory.
for e in $short; do
    for kb in 7000 9000 12000; do (ulimit -v $kb; timeout 60 "$bin/$e" > out 2> err); [ $? != 1 ] || { echo "$e" >> out_of_memory; [ "$(grep -c '' err)" = 1 ] && [ "$(tail -c 1 err)" = '' ] && ! grep -qF '\n' err || { echo "$e:"; cat err; } >> wrong; }; done
done
[ -s out_of_memory ] || echo "no example runs out of memory" >> wrong
check "what an example says of a failure is a line"

# Programs that print: all that are built here but for tests.
printf '1,2\n2,3\n4,5\n5,7\n6,8\n' > rows.csv
for p in $short $(cd "$here/examples/programs" && grep -l '^int main' *.c | sed 's/\.c$//'); do
    case " $short " in *" $p "*) set -- ;; *) set -- help ;; esac
    timeout 120 "$bin/$p" "$@" > /dev/full 2> err; status=$?
    [ $status != 0 ] && [ $status -lt 124 ] || echo "$p $*: exit status $status with a full standard output" >> wrong
    [ "$(lines err)" = 1 ] && has err 'standard output' || { echo "$p $*:"; cat err; } >> wrong
done
check "a standard output that is full is a failure of every program, in one line"

mkdir root
make -s -C "$here" O="$O" -o "$O/flags" DESTDIR="$tmp/root" PREFIX=/usr install > log 2>&1 || cat log >> wrong
for e in $short; do
    ${CC:-gcc} -std=c11 -Wall -Wextra -Werror -Iroot/usr/include root/usr/share/doc/mesaopt/examples/$e.c root/usr/lib/libmesaopt.a -lm -lpthread -o own >> wrong 2>&1
    [ $e != hello ] || { ./own > out; same out hello.out; }
done
check "examples compile against an installed library alone"

# ---- what is installed ----

text() { size "$1" | awk 'NR == 2 { print $1 }'; }
${CC:-gcc} -std=c11 -Iroot/usr/include "$here/examples/least_squares.c" root/usr/lib/libmesaopt.a -lm -lpthread -o all >> wrong 2>&1
${CC:-gcc} -std=c11 -Iroot/usr/include "$here/examples/least_squares.c" -Wl,--gc-sections root/usr/lib/libmesaopt.a -lm -lpthread -o own >> wrong 2>&1
./own > out; same out least_squares.out
[ $(($(text own) * 100)) -lt $(($(text all) * 85)) ] || echo "--gc-sections leaves $(text own) of $(text all) bytes" >> wrong
check "a static program leaves out what it does not call, when asked to"

# Debug information: apart unless DEBUGINFO says otherwise. Nothing to look for when the build has none.
debug() { readelf -SW "$1" 2>&1 | grep -c '\.debug_info'; }
made() { make -s -C "$here" O="$O" -o "$O/flags" DESTDIR="$tmp/$1" PREFIX=/usr DEBUGINFO="$2" "$3" > log 2>&1 || cat log >> wrong; }
so=$(cd root/usr/lib && echo libmesaopt.so.*.*.*)
place() { addr2line -e "$1" "$(nm -D "$1" | sed -n 's/ T mesaopt_ctx_create@.*//p')"; }        # of a function, file and line
if [ "$(debug "$bin/../lib/$so")" != 0 ]; then
    [ "$(debug root/usr/lib/$so) $(debug root/usr/lib/libmesaopt.a)" = "0 0" ] || echo "debug information in $so or libmesaopt.a" >> wrong
    case $(place root/usr/lib/$so) in *api_ctx.c:[1-9]*) ;; *) echo "addr2line does not find .debug/$so.debug: $(place root/usr/lib/$so)" >> wrong ;; esac
    made inside inside install
    [ "$(debug inside/usr/lib/$so)" = 1 ] && [ "$(debug inside/usr/lib/libmesaopt.a)" != 0 ] || echo "DEBUGINFO=inside: none in $so or libmesaopt.a" >> wrong
    made root none install
    case $(place root/usr/lib/$so) in '?'*) ;; *) echo "DEBUGINFO=none: $(place root/usr/lib/$so)" >> wrong ;; esac
    made root apart install
fi
make -s -C "$here" O="$O" -o "$O/flags" DESTDIR="$tmp/inside" DEBUGINFO=outside install > log 2>&1 && echo "DEBUGINFO=outside is taken" >> wrong
has log "DEBUGINFO: 'outside', expected apart, none or inside"
check "installed libraries are stripped, and debuggers find what was taken out"

# What find_package(mesaopt) reads, without CMake: every place that it names is there, as its comments say, and nothing is left to be filled in.
c=root/usr/lib/cmake/mesaopt
grep -n '@' $c/*.cmake >> wrong
for to in $(sed -n 's/.*"${CMAKE_CURRENT_LIST_DIR}\/\(.*\)" ABSOLUTE.*/\1/p' $c/mesaoptConfig.cmake) \
    $(sed -n 's/.*IMPORTED_LOCATION "${_mesaopt_lib}\(.*\)"/..\/..\1/p' $c/mesaoptConfig.cmake); do
    [ -e $c/$to ] && echo $to >> places || echo "mesaoptConfig.cmake: no $to" >> wrong
done
[ "$(lines places)" = 4 ] && [ -e $c/$(sed -n 2p places)/mesaopt/mesaopt.h ] || cat places >> wrong
has $c/mesaoptConfigVersion.cmake "set(PACKAGE_VERSION $(sed -n 's/^Version: //p' root/usr/lib/pkgconfig/mesaopt.pc))" || echo "mesaoptConfigVersion.cmake: another version" >> wrong
check "the CMake package names what is installed"

for f in $(cd root/usr/share/doc/mesaopt && find . -name '*.md'); do
    for to in $(grep -o '](\([^)#]*\)' root/usr/share/doc/mesaopt/$f | sed 's/](//' | grep -v '^http'); do
        [ -e "root/usr/share/doc/mesaopt/$(dirname $f)/$to" ] || echo "$f: no $to" >> wrong
    done
done
# and every file that documents name stands in the sources
for f in README.md $(cd "$here" && ls docs/*.md CONTRIBUTING.md 2> /dev/null); do
    awk '/^ *```/ { code = !code; next } !code' "$here/$f" > "$tmp/prose"
    for to in $(grep -oE '\b(docs|examples|tests|lib|include)/[A-Za-z0-9_/.-]*[A-Za-z0-9_/][*]?' "$tmp/prose" | grep -vE '[*]$|docs/api\.|lib/(libmesaopt|pkgconfig)|NAME' | sort -u); do
        [ -e "$here/$to" ] || [ -e "$here/$to.h" ] || echo "$f: no $to" >> wrong
    done
done
check "links of installed documents lead somewhere, and so does every path that a document names"

made root apart uninstall; find root ! -type d | sed 's/^/left by make uninstall: /' >> wrong
check "make uninstall removes what make install has put there"

echo "Short examples: $passed passed, $failed failed"
[ "$failed" = 0 ]
