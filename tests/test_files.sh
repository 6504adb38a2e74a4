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
once_more() { run 0 "$bin/stream_rls" file=part2 load=folder/state save=folder/state out=; }
one_of() { cmp -s old kept || cmp -s old new || { echo "$how at $at: neither the old state nor the new one" >> wrong; cp -p kept old; }; }
once_more; same old new; hidden; [ -h folder/state ] || echo "no link any more" >> wrong
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
        cp -p kept old; once_more; same old new; hidden
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

# ---- run.txt ----

tiny='batch=16 length=12 dim=3 test=32 final=64 every=10'
data_of() { [ -s "$1" ] && tail -c +$((9 + $(od -An -t u8 -N 8 "$1"))) "$1"; }               # of a safetensors file, behind its header
status_of=0
again() { # again PROGRAM OPTION...: a run, and what its run.txt makes of it elsewhere: the same bits
    rm -rf first second
    program=$1; shift
    run $status_of "$bin/$program" "$@" out=first overwrite=0
    run $status_of "$bin/$program" settings=first/run.txt out=second
    for f in first/*.csv; do same "$f" "second/${f##*/}"; done
    for f in first/*.safetensors; do
        [ -e "$f" ] || continue
        data_of "$f" > a; data_of "second/${f##*/}" > b; [ -s a ] || echo "$f is empty" >> wrong; same a b
    done
    grep -v -e '^#' -e '^out=' first/run.txt > a; grep -v -e '^#' -e '^out=' second/run.txt > b; same a b
}
again train seeds=1 updates=3 $tiny recipe=lsa2 heads=2 key=4 residual_clip=1.5 lr=3e-4 warmup=5 cosine_steps=20 weight_decay=0.05 steps=25 seed=42 noise=0.1 threads=1
has first/run.txt 'seed=42'; has first/run.txt '# task: '; has first/run.txt ' noise=0.1 '; has first/run.txt '# training: '; has first/run.txt '# libmesaopt '
has first/run.txt "# command: $bin/train seeds=1 updates=3 batch=16 length=12"; grep -q '^isa=[a-z]' first/run.txt || echo 'no ISA level' >> wrong
again train seeds=1 updates=3 $tiny recipe=tf3 layers=2 width=8 heads=2 key=4 steps=12 isa=baseline dtype=f64; has first/run.txt isa=baseline
status_of=claims; again mesa_layer $tiny key=4 batch=256 steps=20 lr=1e-4; status_of=0
awk 'BEGIN { srand(3); for (i = 0; i < 12; i++) { if (i) print ""; for (t = 0; t < 5; t++) printf "%.3f,%.3f\n", rand(), rand() } }' > "own table.csv"
again own_data file="own table.csv" batch=8 key=2 steps=3 every=1 ignore=1
again stream_rls file=rows lags=2 gamma=0.98 ridge=0.5
check "run.txt says it all: settings=run.txt gives the same bits, whatever the program"

again train seeds=1 $tiny steps=5
run 0 "$bin/train" settings=first/run.txt steps=7 seed=3 out=third; has third/run.txt steps=7; has third/run.txt seed=3; ! grep -qx steps=5 third/run.txt || echo 'both steps' >> wrong
run 2 "$bin/train" settings=first/run.txt; has err "out: 'first', expected a folder without a run: first/run.txt is there"
run 1 "$bin/train" settings=none.txt; has err 'cannot open none.txt'
printf '# nothing\n\nstops=5\r\n' > bad.txt; run 2 "$bin/train" settings=bad.txt out=typo; has err "bad.txt: unknown key 'stops'"
printf 'steps\n' > bad.txt; run 2 "$bin/train" settings=bad.txt out=typo; has err "bad.txt: expected key=value, not 'steps'"; run 1 "$bin/train" settings=. out=typo; has err 'cannot read .: Is a directory'
run 2 "$bin/train" settings=first/run.txt stops=5 out=typo; has err "train: unknown key 'stops'"
[ ! -e typo ] || echo 'a folder was made' >> wrong
check "settings=: the command line has the last word; what will not do is refused"

# ---- one run, one folder ----

cp -r first kept-run
run 2 "$bin/train" seeds=1 $tiny steps=5 seed=9 out=first; has err "overwrite=1, or resume= to go on"; diff -r first kept-run >> wrong
run 0 "$bin/train" seeds=1 $tiny steps=6 out=first resume=first/checkpoint.safetensors; has first/run.txt '# resume=first/checkpoint.safetensors'
run 0 "$bin/train" seeds=1 $tiny steps=5 seed=9 out=first overwrite=1; has first/run.txt seed=9
run 2 "$bin/train" seeds=1 $tiny out=first overwrite=2; has err "overwrite: '2', expected a whole number from 0 to 1"
for i in 1 2 3; do run 0 "$bin/train" seeds=1 $tiny steps=$i; done
has err 'train.out holds a run already: this one goes to train.out.3'; has train.out/run.txt steps=1; has train.out.2/run.txt steps=2; has train.out.3/run.txt out=train.out.3
"$bin/train" seeds=1 $tiny steps=100000000 threads=1 > out 2> err & pid=$!
for i in $(seq 60); do [ "$(lines train.out.4/loss.csv)" -gt 3 ] && break; sleep 0.2; done
interrupt $pid; has err ' out=train.out.4 resume=train.out.4/checkpoint.safetensors'
# What another run began there after this one had looked is no less one.
mkfifo rows.pipe; for out in out=contested ''; do
    "$bin/stream_rls" file=rows.pipe $out > out 2> err & pid=$!
    exec 3> rows.pipe; run_once() { "$bin/stream_rls" file=part1 $out > /dev/null 2>&1; }; run_once || echo 'the other run failed' >> wrong
    cat part2 >&3; exec 3>&-; wait $pid; status=$?
    case $out in ?*) [ $status = 2 ] && has err "out: 'contested', expected a folder without a run" ;; *) [ $status = 0 ] && has err 'this one goes to stream_rls.out.2' ;; esac || echo "$out: exit status $status" >> wrong
done
check "an out= that holds a run is refused, a default one numbered, unless one goes on or overwrite=1"

# What fails before its first result takes along what it has made, and nothing else: here run.txt is too long for the disk, there the first step is no number.
mkdir empty-folder
for out in empty-folder empty-folder/a/b no-folder/c; do
    run 1 sh -c 'ulimit -f 1; "$@"' sh "$bin/train" seeds=1 $tiny steps=5 out=$out; has err 'run.txt: File too large'
    run 1 "$bin/train" seeds=1 $tiny steps=5 init_sd=1e3 key=200 recipe=tf3 out=$out; has err 'MESAOPT_E_NONFINITE'
    [ ! -e no-folder ] && [ "$(find empty-folder)" = empty-folder ] || find empty-folder no-folder >> wrong
done
mkdir full-folder; printf kept > full-folder/file; run 1 sh -c 'ulimit -f 1; "$@"' sh "$bin/train" seeds=1 $tiny steps=5 out=full-folder; [ "$(ls full-folder)" = file ] || ls full-folder >> wrong
cp first/run.txt run-before; run 2 "$bin/train" seeds=1 $tiny steps=9 noise=0.5 out=first resume=first/checkpoint.safetensors; same first/run.txt run-before
# So do a link that led nowhere, and what another run wrote to the file that this one made.
ln -s not-there p.csv; run 1 "$bin/stream_rls" file=part1 lags=30 predictions=p.csv out=; has err 'at least 31'; [ -h p.csv ] && [ ! -e not-there ] || { echo 'link:'; ls -l p.csv not-there; } >> wrong 2>&1
for other in writes replaces; do
    rm -f pipe q.csv; mkfifo pipe; "$bin/stream_rls" file=pipe lags=5 predictions=q.csv out= > out 2> err & pid=$!
    exec 3> pipe; echo 1,2 >&3; for i in $(seq 60); do [ -e q.csv ] && break; sleep 0.1; done
    [ $other = writes ] || rm q.csv
    "$bin/stream_rls" file=part1 predictions=q.csv out= > /dev/null 2>&1 || echo 'the other run failed' >> wrong
    cp q.csv want.csv; exec 3>&-; wait $pid && echo 'a run of one row: success' >> wrong
    has err 'at least 6'; same q.csv want.csv
done
check "a run that fails before its first result leaves nothing behind, and the run that it was to go on from as it was"

# ---- resumed with other settings ----

run 0 "$bin/train" seeds=1 $tiny steps=5 seed=1 noise=0.02 out=run
refused() { # refused TEXT OPTION...: a resumed run is refused, with status 2
    text=$1; shift
    run 2 "$bin/train" seeds=1 $tiny steps=8 out=other resume=run/checkpoint.safetensors "$@"; has err "$text"
}
cp run/checkpoint.safetensors kept
refused 'task setting noise: 0.02, expected 0.1 as' seed=1 noise=0.1; has err 'change= names what'
refused 'task setting seed: 1, expected 2 as' seed=2 noise=0.02
refused 'noise: 0.02, expected 0.01; seed: 1, expected 0 as'
refused 'task setting task: linear, expected contracting' seed=1 noise=0.02 task=contracting
refused 'task setting length: 12, expected 13' seed=1 noise=0.02 length=13
refused "change: 'noize', expected all or names out of task=" change=noize
refused 'task setting seed: 1, expected 2 as' seed=2 noise=0.1 change=noise
same run/checkpoint.safetensors kept
run 0 "$bin/train" seeds=1 $tiny steps=8 out=other resume=run/checkpoint.safetensors seed=1 noise=0.1 lr=1e-5 change=noise
for f in err other/run.txt; do has $f 'noise was 0.02, now 0.1'; has $f 'lr was 0.0001, now 1e-5'; done
run 0 "$bin/train" seeds=1 $tiny steps=8 out=all resume=run/checkpoint.safetensors seed=2 noise=0.1 change=all
run 0 "$bin/train" seeds=1 $tiny steps=8 out=same resume=run/checkpoint.safetensors seed=1 noise=0.02; ! grep ' was ' err same/run.txt >> wrong
has run/checkpoint.safetensors '"mesaopt.task":"task=linear dim=3 length=12'; has run/checkpoint.safetensors "\"command\":\"$bin/train seeds=1 batch=16"
run 0 "$bin/own_data" file="own table.csv" batch=8 key=2 steps=3 every=1 out=mine
awk 'NR == 1 { $0 = "0.5,0.5" } 1' "own table.csv" > changed.csv
run 2 "$bin/own_data" file=changed.csv batch=8 key=2 steps=5 every=1 out=mine2 resume=mine/checkpoint.safetensors; has err 'task setting data: '
run 0 "$bin/own_data" file=changed.csv batch=8 key=2 steps=5 every=1 out=mine2 resume=mine/checkpoint.safetensors change=data; has err 'data was '
check "a run resumed on other data is refused by the name of the setting, unless change= names it; what else differs is said"

# ---- inputs within out= ----

# No table or figure goes over what the run reads, whatever that is called, nor over what a link or a list names.
mkdir inner; for f in loss by_t columns; do
    cp "own table.csv" inner/$f.csv; run 2 "$bin/own_data" file=inner/$f.csv batch=8 key=2 steps=1 every=1 out=inner overwrite=1
    has err "file: 'inner/$f.csv', expected a file that is only read: this run writes inner/$f.csv"; same inner/$f.csv "own table.csv"; rm -r inner/*
done
cp "own table.csv" soft.csv; ln soft.csv hard.csv; ln -s ../hard.csv inner/by_t.csv; run 2 "$bin/own_data" file=soft.csv batch=8 key=2 steps=1 every=1 out=inner; has err 'file: '; same soft.csv "own table.csv"; rm -r inner/*
cp run/checkpoint.safetensors inner/r2.csv; run 2 "$bin/probe_file" file=inner/r2.csv activations='blocks.*.query' targets=blocks.1.key penalty=0.1 out=inner; same inner/r2.csv run/checkpoint.safetensors; rm -r inner/*
cp run/checkpoint.safetensors inner/by_t.csv; run 2 "$bin/train" model=run/checkpoint.safetensors,inner/by_t.csv recipe=lsa1,lsa1 test=4 final=4 out=inner; has err 'model: '; same inner/by_t.csv run/checkpoint.safetensors; rm -r inner/*
cp run/checkpoint.safetensors inner/blocks-1.svg; run 2 "$bin/revalg" weights=inner/blocks-1.svg length=12 final=4 out=inner; has err 'weights: '; same inner/blocks-1.svg run/checkpoint.safetensors; rm -r inner
run 2 "$bin/train" seeds=1 $tiny steps=1 out=; has err "out: '', expected the name of a folder"
check "an input that lies in out= under the name of a table or a figure is refused, and stays as it was"

# ---- links and modes ----

mkdir -p real linked; printf old > real/loss.csv; chmod 600 real/loss.csv; printf old > real/loss.svg; chmod 640 real/loss.svg
for f in loss.csv loss.svg by_t.csv run.txt; do ln -s ../real/$f linked/$f; done
run 0 "$bin/train" seeds=1 $tiny steps=2 out=linked
for f in loss.csv loss.svg by_t.csv run.txt; do
    case $f in *.svg) command -v gnuplot > /dev/null || continue ;; esac
    [ -h linked/$f ] && [ -s real/$f ] && [ "$(cat real/$f)" != old ] || echo "$f did not go where the link leads" >> wrong
done
[ "$(stat -c %a real/loss.csv)" = 600 ] || echo 'mode of loss.csv' >> wrong
if command -v gnuplot > /dev/null; then [ "$(stat -c %a real/loss.svg)" = 640 ] || echo 'mode of loss.svg' >> wrong; fi
check "tables and figures go where links lead, with the modes that are there"

# ---- every program by its name ----

programs=$(cd "$here/examples/programs" && grep -l '^int main' *.c | sed 's/\.c$//')
printf '1,2\n2,3\n4,5\n' > rows
small() { # small PROGRAM COMMAND...: the command with options that make a short run of the program
    program=$1; shift
    few="$tiny key=4 seeds=1 steps=1"
    layers='batch=16 length=12 dim=3 test=32 sequences=64 layers=2 width=8 heads=2 key=4 steps=1'
    case $program in
    train) "$@" seeds=1 $tiny steps=1 ;;
    long_context) "$@" heads=1 context=64 prefill=16 change=16 every=16 dim=2 ;;
    own_data) "$@" file="own table.csv" batch=8 key=2 steps=1 every=1 ;;
    predict) "$@" model=full-own_data/checkpoint.safetensors file="own table.csv" sequences=1 ;;
    probe_file) "$@" file=run/checkpoint.safetensors activations='blocks.*.query' targets=blocks.1.key penalty=0.1 ;;
    attention_maps) "$@" $layers beyond=4 ;;
    linearise_layers) "$@" $layers distil=2 ;;
    feature_probes | layer_sensitivity) "$@" $layers ;;
    few_shot) "$@" batch=16 length=30 dim=3 test=32 sequences=64 layers=2 width=8 heads=2 key=4 steps=1 updates=1 tune_batch=8 vectors=2 switch=14 ;;
    probe_layers) "$@" batch=16 length=12 dim=3 test=32 sequences=64 updates=1 blocks='linear(heads=2,key=4)' steps=1 ;;
    proposition2) "$@" $few updates=1 ;;
    revalg) "$@" $few first=1 ;;
    stream_rls) "$@" file=rows ;;
    *) "$@" $few ;;
    esac
}
run_with() { "$bin/$p" "$@" $last; }               # the last word counts
for p in $programs; do
    last="out=full-$p overwrite=1"; small $p run_with > out 2> err; status=$?
    { [ $status = 0 ] || [ $status = 3 ]; } && [ -s out ] || { echo "$p: exit status $status"; cat err; } >> wrong
    small $p run_with > /dev/full 2> err; status=$?
    [ $status = 1 ] || echo "$p: exit status $status with a full standard output" >> wrong
    [ "$(grep -c 'standard output' err)" = 1 ] && tail -n 1 err | grep -q "^$p: cannot write to standard output: No space left on device" || { echo "$p:"; cat err; } >> wrong
done
# An R2 below 0 is drawn below 0.
if command -v gnuplot > /dev/null; then [ -s full-probe_file/r2.svg ] && awk -F, 'NR > 1 && $2 < 0 { n++ } END { exit !n }' full-probe_file/r2.csv || echo 'no figure of a negative R2' >> wrong; fi
timeout 120 "$bin/stream_rls" file=rows predictions=- out= > /dev/full 2> err && echo 'predictions=-: success' >> wrong; [ "$(lines err)" = 1 ] || cat err >> wrong
check "a standard output that is full is a failure of every program, said in one line"

# A word where a number or a choice belongs, and files that are not there: refused before anything is made, by the name of the key, or of the file or tensor that is not there.
for p in $programs; do
    for key in $("$bin/$p" help | awk '/^$/ && seen { exit } seen { print $1 } /^keys of this program/ { seen = 1 }' | grep -v -x -e out -e make -e save -e predictions); do
        case $p.$key in
        *.settings | *.change | *.count | *.inputs | *.outputs | *.id) continue ;;
        esac
        last="out=typo $key=what?"; small $p run_with > out 2> err; status=$?
        { [ $status = 1 ] || [ $status = 2 ]; } && grep -q -e "\\<$key\\>" -e 'what?: .*No such file' -e "tensor 'what?'" err && ! [ -e typo ] || { echo "$p $key=what?: exit status $status"; head -n 2 err; ls -d typo; } >> wrong 2>&1
        rm -rf typo
    done
done
check "a wrong value of any key of a program leaves no folder"

echo "Files: $passed passed, $failed failed"
[ "$failed" = 0 ]
