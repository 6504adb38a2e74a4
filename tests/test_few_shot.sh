#!/bin/sh
# few_shot: tables of a tiny model, tuning in two parts that goes on from a file, Ctrl-C, bad arguments, a full disk.
. tests/example_checks.sh

# pasted WORDS...: the words of the command that the stopped run printed, and these are the same
pasted() { eval "set -- \"\$*\" $(sed -n 's/^to go on: //p' err)"; [ "$1" = "$(shift; echo "$*")" ] || { echo "to go on, expected: $1"; cat err; } >> wrong; }
few="sequences=64 vectors=2 switch=14 tune_batch=8 threads=2"
tiny="recipe=tf3 width=8 heads=2 key=4 batch=16 length=30 dim=3 test=32 steps=2 $few"
model="model=a/checkpoint.safetensors $few"
run claims "$bin/few_shot" $tiny updates=3 out=a; has out 'tuning the separator'; has out 'tuning the prefix'; has out 'claim: 9. with two tasks in a row'; has out 'changed recipe, not judged'
head -n 1 a/pairs.csv > head; echo pair,model,model_separator,model_prefix,lsq_all_pairs,lsq_true_pairs,gd | cmp head - >> wrong
# 15 pairs, 10 with separators, 9 with a prefix of 2 as well; the first prediction of least squares is 0, as there are no pairs.
awk -F, 'NR > 1 { for (i = 2; i <= 7; i++) n[i] += $i != "nan" } END { print NR - 1, n[2], n[3], n[4], n[5], n[6], n[7] }' a/pairs.csv > p; echo 15 15 10 10 15 15 15 | cmp p - >> wrong
awk -F, 'NR == 2 && ($5 != $6 || $5 != $7 || !($5 > 0.3 && $5 < 0.7)) { print FILENAME ": " $0 }' a/pairs.csv >> wrong
awk -F, 'NR == 10 && !($6 < $5 && $6 < 0.1) { print FILENAME ": " $0 }' a/pairs.csv >> wrong
head -n 1 a/two_tasks.csv > head; echo pair,model_prefix,lsq_all_pairs,lsq_true_pairs | cmp head - >> wrong
awk -F, 'NR == 5 { before = $4 } NR == 6 && !($4 > 3 * before) { print FILENAME ": no jump of least squares: " before " " $4 }' a/two_tasks.csv >> wrong
if command -v gnuplot > /dev/null; then has a/pairs.svg 'lsq'; has a/two_tasks.svg '</svg>'; [ "$(grep -o "stroke='rgb([^)]*)" a/pairs.svg | sort -u | grep -vc '221, 221, 221')" = 6 ] || echo 'two curves look alike' >> wrong; fi
check "few_shot: pairs by layout, least squares on all and on true pairs, two tasks"

# Six updates in one go, or three and three: the same vectors, the same tables.
run claims "$bin/few_shot" $model updates=3 out=b; same a/pairs.csv b/pairs.csv; same a/prompt.safetensors b/prompt.safetensors
run claims "$bin/few_shot" $model updates=2 out=c
run claims "$bin/few_shot" $model updates=2 prompt=c/prompt.safetensors out=d; same c/prompt.safetensors d/prompt.safetensors; same c/pairs.csv d/pairs.csv
run claims "$bin/few_shot" $model updates=3 save=2 out=b2; same a/prompt.safetensors b2/prompt.safetensors
check "few_shot: a checkpoint in place of training, a prompt in place of tuning"

"$bin/few_shot" $model updates=10000000 out=e > out 2> err & pid=$!
await grep -q separator out
sleep 0.3; interrupt $pid; at=$(sed -n 's/.*stopped after \([0-9]*\) updates$/\1/p' err); : "${at:=2}"
pasted "$bin/few_shot" $model updates=10000000 out=e prompt=e/prompt.safetensors overwrite=1
# The separator has more updates than are asked for, then as many: the prefix has its own.
run claims "$bin/few_shot" $model updates=$((at - 1)) prompt=e/prompt.safetensors out=e1; has e1/prompt.safetensors "\"mesaopt.moved.prefix\":\"$((at - 1))\""
run claims "$bin/few_shot" $model updates=$at out=e prompt=e/prompt.safetensors overwrite=1
run claims "$bin/few_shot" $model updates=$at out=straight; same straight/prompt.safetensors e/prompt.safetensors; same straight/pairs.csv e/pairs.csv
check "few_shot: Ctrl-C while tuning, and a command that goes on; each vector counts its own updates"

for phase in tuning scoring; do
    [ $phase = tuning ] && long="updates=10000000" || long="updates=3 sequences=16777216"
    "$bin/few_shot" $tiny $long save=1 out=$phase > out 2> err & pid=$!
    await [ -s $phase/prompt.safetensors ]
    [ $phase = tuning ] || sleep 0.5
    interrupt $pid; pasted "$bin/few_shot" $tiny $long save=1 out=$phase resume=$phase/checkpoint.safetensors prompt=$phase/prompt.safetensors
done
run claims "$bin/few_shot" $tiny updates=3 out=scoring resume=scoring/checkpoint.safetensors prompt=scoring/prompt.safetensors; same a/prompt.safetensors scoring/prompt.safetensors; same a/pairs.csv scoring/pairs.csv
! grep -q tuning out || echo 'what was tuned is tuned again' >> wrong
"$bin/few_shot" $model updates=10000000 save=1 out=killed > out 2> err & pid=$!
await [ -s killed/prompt.safetensors ]
kill -KILL $pid; wait $pid 2> /dev/null
run claims "$bin/few_shot" $model updates=0 prompt=killed/prompt.safetensors out=k2; same killed/prompt.safetensors k2/prompt.safetensors
check "few_shot: the command that goes on names model and prompt; a killed run leaves its prompt"

mkdir full; ln -s /dev/full full/pairs.csv
run 1 "$bin/few_shot" $model updates=0 out=full; has err 'full/pairs.csv: No space left on device'
check "few_shot: a full disk"

for bad in switch=3 vectors=30 vectors=0 updates=-1 sequences=0 tune_batch=x; do run 2 "$bin/few_shot" $tiny $bad out=typo; has err "${bad%%=*}:"; done
run 2 "$bin/few_shot" recipe=tf3,tf7 out=typo; has err 'recipe:'
run 2 "$bin/few_shot" $tiny prefix=3 out=typo; has err 'prefix'
run 1 "$bin/few_shot" $model prompt=a/checkpoint.safetensors out=typo; has err 'expected one of a prompt'
run 2 "$bin/few_shot" $model prompt=a/prompt.safetensors vectors=3 out=typo; has err "vectors: '3', expected 2, as the prompt has"
run 2 "$bin/few_shot" $model prompt=a/prompt.safetensors tune_batch=9 out=typo; has err "tune_batch: '9', expected 8, as the prompt has"
[ ! -e typo ] || echo "a folder was made" >> wrong
check "few_shot: what will not do is refused before anything is written"

echo "Few-shot: $passed passed, $failed failed"
[ $failed = 0 ]
