# What the scripts that run the example programs share; sourced from the top of the tree. They work in a folder that goes at the end.
set -u
export LC_ALL=C
bin=$(cd "$O/bin" && pwd) || exit 1
here=$(pwd)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
cd "$tmp" || exit 1
passed=0 failed=0

# run STATUS COMMAND...: runs it, keeps its output in out and err, and remembers a wrong exit status. STATUS claims: 3 when one does not hold, otherwise 0.
run() {
    expected=$1; shift
    timeout 120 "$@" > out 2> err; status=$?
    if [ "$expected" = claims ]; then grep -q '^claim: ' out || echo "$*: no claim" >> wrong; expected=0; ! grep -qx 'does not hold' out || expected=3; fi
    if [ "$status" != "$expected" ]; then { echo "$*: exit status $status, expected $expected"; tail -n 5 out; tail -n 5 err; } >> wrong; fi
}
interrupt() {                                      # interrupt PID: Ctrl-C, and exit status 130 within half a minute
    kill -INT "$1"
    for i in $(seq 100); do kill -0 "$1" 2> /dev/null || break; sleep 0.3; done
    kill -KILL "$1" 2> /dev/null && echo "still running half a minute after Ctrl-C" >> wrong
    wait "$1"; status=$?
    [ $status = 130 ] || echo "exit status $status, expected 130" >> wrong
}
has() { grep -qF -- "$2" "$1" || { echo "no \"$2\" in $1:"; tail -n 5 "$1"; } >> wrong; }           # has FILE TEXT
await() {                                          # await COMMAND...: until it succeeds, a minute at most
    for _ in $(seq 200); do "$@" && break; sleep 0.3; done
}
lines() { [ ! -e "$1" ] && echo 0 || grep -c . "$1"; }
more_lines() { [ "$(lines "$1")" -gt "$2" ]; }       # more_lines FILE COUNT
same() { cmp "$1" "$2" >> wrong 2>&1; }
check() {
    if [ -s wrong ]; then failed=$((failed + 1)); echo "FAIL: $1"; sed 's/^/    /' wrong | head -40
    else passed=$((passed + 1)); echo "ok: $1"; fi
    : > wrong
}

# ---- tables of stream_rls ----

# near FILE FILE TOLERANCE: as many numbers, the same up to this
near() {
    tr ', ' '\n\n' < "$1" > near1; tr ', ' '\n\n' < "$2" > near2
    paste near1 near2 | awk -v tolerance="$3" '{ n++; d = $1 - $2; if (d > tolerance || -d > tolerance || ($1 + 0 == 0 && $1 != $2 && $1 $2 ~ /[a-z]/)) { print "number " n ": " $1 ", expected " $2; exit } } END { if (n < 2) print "nothing there" }' >> wrong
}
summary() { awk 'NF == 4 && $2 + 0 > 0 { print $1, $2, $3 }' "$1"; }                             # the table's names and errors
numbers() { awk 'NF == 4 && $2 + 0 > 0 { print $2, $3 }' "$1"; }
