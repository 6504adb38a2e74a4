#!/bin/sh
# What the programs leave on the disk: killed at every call that changes a file, on a full disk, through links, twice in one folder.
# Started by `make check` with O and CC set. Prints one line per check; the last line counts them.
. tests/example_checks.sh
${CC:-gcc} -O1 -shared -fPIC -o fail_at.so "$here/tests/preload/fail_at.c" -ldl || exit 1

# ---- a state that is being replaced ----

awk 'BEGIN { srand(5); for (t = 0; t < 40; t++) printf "%.6f,%.6f\n", rand(), rand() }' > rows
head -n 20 rows > part1; tail -n +21 rows > part2
hidden() { ls -A | grep -F '.mesaopt-' | grep . >> wrong; }                   # temporary files that are left
run 0 "$bin/stream_rls" file=part1 save=old out=; chmod 640 old
mkdir folder; ln -s ../old folder/state
cp -p old kept; run 0 "$bin/stream_rls" file=part2 load=folder/state save=folder/state out=; mv old new; cp -p kept old
again() { run 0 "$bin/stream_rls" file=part2 load=folder/state save=folder/state out=; }
one_of() { cmp -s old kept || cmp -s old new || { echo "$how at $at: neither the old state nor the new one" >> wrong; cp -p kept old; }; }
again; same old new; hidden; [ -h folder/state ] || echo "no link any more" >> wrong
cp -p kept old; FAIL_COUNT=$tmp/calls LD_PRELOAD=$tmp/fail_at.so "$bin/stream_rls" file=part2 load=folder/state save=folder/state out= > /dev/null 2>&1
for c in open write fsync rename fchmod; do grep -qx $c calls || echo "no $c among the calls" >> wrong; done
[ "$(grep -cx fsync calls)" -ge 2 ] || echo "file and folder are not both synced" >> wrong
[ "$(grep -cx rename calls)" = 1 ] || echo "more than one rename decides" >> wrong
n=$(lines calls) left=0
for how in kill after full; do
    for at in $(seq "$n"); do
        cp -p kept old
        FAIL_HOW=$how FAIL_AT=$at LD_PRELOAD=$tmp/fail_at.so "$bin/stream_rls" file=part2 load=folder/state save=folder/state out= > out 2> err; status=$?
        case $how$status in kill137 | after137 | full0) ;; full1) has err 'No space left on device' ;; *) echo "$how at $at: status $status" >> wrong ;; esac
        one_of
        left=$((left + $(ls -A | grep -cF .mesaopt-)))
        cp -p kept old; again; same old new; hidden
        [ -h folder/state ] && [ "$(stat -c %a old)" = 640 ] || echo "$how at $at: link or mode is gone" >> wrong
    done
done
[ $left -gt 3 ] || echo "only $left temporary files were left: nothing was killed while saving" >> wrong
check "stream_rls: killed or out of space at each of $n calls, a state is the old or the new one, whole, and nothing stays behind"

# A disk of 512 bytes, as RLIMIT_FSIZE has it.
cp -p kept old; [ "$(wc -c < kept)" -gt 512 ] || echo "the state is too small" >> wrong
run 1 sh -c 'ulimit -f 1; "$@"' sh "$bin/stream_rls" file=part2 load=folder/state save=folder/state out=; has err 'File too large'; same old kept; hidden
check "stream_rls: a file that may not grow leaves the old state"

# Two at once: both say that they saved, and what is there is one of theirs.
for i in 1 2 3 4 5 6 7 8; do
    "$bin/stream_rls" file=part1 save=shared out= > /dev/null 2>&1 & first=$!
    "$bin/stream_rls" file=rows save=shared out= > /dev/null 2>&1 & second=$!
    wait $first || echo "the first failed" >> wrong
    wait $second || echo "the second failed" >> wrong
    [ $i = 1 ] && { "$bin/stream_rls" file=part1 save=a out= > /dev/null 2>&1; "$bin/stream_rls" file=rows save=b out= > /dev/null 2>&1; }
    cmp -s shared a || cmp -s shared b || echo "the state is neither's" >> wrong
    hidden
done
check "two processes save to one name at once: a whole state"

# ---- a new state through links ----

mkdir far; ln -s far/state one; ln -s one two
run 0 "$bin/stream_rls" file=part1 save=two out=; [ -h one ] && [ -h two ] && [ -f far/state ] || ls -lR >> wrong; same far/state kept
run 0 "$bin/stream_rls" file=part2 load=two save=one out=; same far/state new
rm -rf gone; ln -s gone/state three; run 1 "$bin/stream_rls" file=part1 save=three out=; has err 'save: cannot write gone/state to folder gone/: No such file'
printf 'temp \260C,b\n1,2\n2,3\n' > latin; run 1 "$bin/stream_rls" file=latin save=l out=; has err 'latin:1: the name of column 1 is not UTF-8'
printf 'temp \303\274C,"b ""x"", y"\n1,2\n2,3\n' > names; run 0 "$bin/stream_rls" file=names save=l out=; sed 1d names > rest
run 0 "$bin/stream_rls" file=rest load=l out=; has out 'b "x", y'
check "stream_rls: a state by way of links, dangling ones too; names in UTF-8 go with it"

echo "Files: $passed passed, $failed failed"
[ "$failed" = 0 ]
