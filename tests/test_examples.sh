#!/bin/sh
# Runs every example with a few steps, and with what goes wrong at a user's: typos, bad files, Ctrl-C, a full disk, no gnuplot.
# Started by `make check` with O set, after the examples are built. Prints one line per check; the last line counts them.
. tests/example_checks.sh
tiny='batch=16 length=12 dim=3 test=32 final=64 every=10'

colours() { # colours SVG: what its curves are called, and their colours
    awk '/<title>/ { sub(/.*<title>/, ""); sub(/<\/title>.*/, ""); name = $0 } name && match($0, /stroke=.rgb\([^)]*\)/) { print name ": " substr($0, RSTART + 8, RLENGTH - 8); name = "" }' "$1" | sort
}
grep -n '^ *# *include *"' "$here"/examples/programs/*.[ch] | while IFS='"' read -r at name; do [ -e "$here/examples/programs/$name" ] || echo "$at$name"; done > wrong
check "programs include public headers and those of their kit only"

for f in README ownership errors threads-and-fork quickstart reverse-engineering; do
    [ $f = README ] && md=$here/README.md || md=$here/docs/$f.md
    { printf '#include <mesaopt/mesaopt.h>\n#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\n'
      awk '/^```c$/ { on = 1; next } /^```/ { on = 0 } on' "$md"; } > $f.c
    ${CC:-gcc} -std=c99 -Wall -Wextra -Werror -I"$here/include" -fsyntax-only $f.c >> wrong 2>&1
done
check "C in the docs compiles"

run 0 "$bin/train" recipe=lsa2 seeds=1 updates=3 heads=2 key=4 residual_clip=1.5 lr=3e-4 warmup=10 cosine_steps=20 weight_decay=0.05 $tiny steps=25 seed=42 out=a/b
has out lsq_newest_on; has err 'step 25/25  loss '; has err 'left'
head -n 1 a/b/loss.csv > head; echo step,train_loss,test_loss | cmp head - >> wrong
cut -d, -f1 a/b/loss.csv | tr '\n' ' ' > steps; has steps 'step 0 10 20 25 '
head -n 1 a/b/by_t.csv > head; echo t,model,gd,lsq_newest_off,lsq_newest_on,Chebyshev-1 | cmp head - >> wrong
awk -F, 'NF != 6 || (NR > 1 && ($1 != NR - 1 || $2 !~ /^[0-9.e-]+$/)) { print "by_t.csv:" NR ": " $0 } END { if (NR != 13) print "by_t.csv: " NR " lines" }' a/b/by_t.csv >> wrong
check "train makes its folder, writes loss.csv and by_t.csv, shows its progress"

run 0 "$bin/train" recipe=lsa2 seeds=1 updates=3 heads=2 key=4 residual_clip=1.5 lr=3e-4 warmup=10 cosine_steps=20 weight_decay=0.05 $tiny steps=25 seed=42 out=mean error=mean
has out '(mean of squared errors over dimensions)'; same a/b/loss.csv mean/loss.csv
tail -n +2 mean/by_t.csv | cut -d, -f2 > p; tail -n +2 a/b/by_t.csv | awk -F, '{ printf "%.9g\n", $2 * 2 / 3 }' > want; near p want 1e-8
run 2 "$bin/train" seeds=1 error=sum out=typo; has err error:
# One step of gradient descent in dimension 1: after t pairs it errs by 1 - eta t, best where eta t = 1, so with eta for t <= 40 it rises in the end.
run 0 "$bin/train" seeds=1 length=40 dim=1 noise=0 batch=16 test=512 final=512 steps=0 out=rise; has out 'gd is best at t = '; has out 'grows with t'
check "error=mean is 2/n of half the sum; the table names its measure, and says why one gradient step gets worse"

if command -v gnuplot > /dev/null; then
    has a/b/by_t_log.svg '</svg>'; has a/b/by_t.svg 'half the sum of squared errors'; has mean/by_t.svg 'mean of squared errors'
    has a/b/loss.svg '</svg>'; has a/b/by_t.svg '</svg>'
    has a/b/by_t.svg lsq_newest_off
    colours a/b/by_t.svg | grep -v Chebyshev > colours
    run 0 "$bin/train" seeds=1 $tiny length=1 steps=0 out=point; has point/loss.svg '</svg>'; has point/by_t.svg '</svg>'
check "figures, of a single point too"
else
    echo "left out, there is no gnuplot: figures"
fi

run 0 "$bin/train" recipe=tf3 seeds=1 updates=3 width=8 heads=2 key=4 $tiny steps=3 dtype=f64 out=raw overwrite=1
has out 'dense(outputs=8); softmax(heads=2,key=4,pe=qk); 2 x softmax(heads=2,key=4); dense(outputs=3)'
run 0 "$bin/train" recipe=hybrid_mesa seeds=1 updates=3 gates=sigmoid width=8 heads=2 key=4 $tiny steps=3 out=raw overwrite=1
has out 'dense(outputs=8); softmax(heads=2,key=4,pe=qk); mesa(heads=2,key=4,init_sd=0.05,residual_clip=1,gates=sigmoid); dense(outputs=3)'; has out 'hybrid_mesa, changed: error of the next'
run 0 "$bin/train" recipe=tf3 blocks='dense(outputs=8); softmax(heads=2,key=4,pe=qk); dense(outputs=3)' seeds=1 updates=3 $tiny steps=1 out=raw overwrite=1
has out 'model: dense(outputs=8); softmax(heads=2,key=4,pe=qk); dense(outputs=3)'; has out 'changed recipe: blocks=dense(outputs=8)'
run 0 "$bin/train" task=regression $tiny seeds=1 steps=1 out=pairs; cut -d, -f1 pairs/by_t.csv | tr '\n' ' ' > o; echo 't 1 3 5 7 9 11 ' | tr -d '\n' | cmp - o >> wrong; grep -q nan out pairs/by_t.csv && echo 'steps that are not scored' >> wrong
for recipe in tf7 hybrid_mesa; do run 2 "$bin/train" recipe=$recipe layers=1 $tiny out=typo; has err "layers: '1', expected a whole number from 2"; done
[ ! -e typo ] || echo "a folder was made" >> wrong
# The recipes of docs/science.md, section 4, as help shows them.
recipe() { # recipe KEYS SETTING...: with these keys each of the settings stands in help
    run 0 "$bin/train" help $1; shift; for setting in "$@"; do grep -qE -- "[ (]$setting([ )]|\$)" out || echo "no $setting in help $setting" >> wrong; done
}
recipe '' heads=2 key=20 init_sd=0.0002 residual_clip=4 lr=0.0001 batch=256 weight_decay=0.1 cosine_steps=0 clip_value=1 5000
recipe recipe=lsa4 heads=4 key=20 init_sd=0.0002 residual_clip=4 lr=0.0001 weight_decay=0.1 cosine_steps=0 10000
recipe recipe=lsa6 heads=4 lr=0.0001 15000
recipe recipe=mesa1 heads=4 init_sd=0.0002 residual_clip=0 lr=0.0004 weight_decay=0.1 cosine_steps=0 5000
recipe recipe=tf7 heads=4 key=20 init_sd=0.05 residual_clip=0 lr=0.0008 warmup=1000 cosine_steps=30000 weight_decay=0.05 10000
recipe recipe=hybrid_mesa heads=4 init_sd=0.05 residual_clip=1 lr=0.0003 cosine_steps=30000 weight_decay=0.05 20000
! grep -q init_sd=0.0002 out || cat out >> wrong
run 2 "$bin/train" width=40 out=typo; has err 'only models of raw tokens have an embedding'
check "train on raw tokens: embedding, a softmax layer with positions, then the recipe's, read-out; too few layers are refused"

# What a model is compared with is learned as ever, whatever is said of the model's training.
for lr in 1e-7 1e-2; do run 0 "$bin/train" $tiny recipe=lsa2 heads=2 key=4 lr=$lr batch=$([ $lr = 1e-2 ] && echo 8 || echo 16) seeds=1 updates=300 steps=0 out=lr-$lr; done; same lr-1e-7/by_t.csv lr-1e-2/by_t.csv
check "learned steps of preconditioning do not depend on lr= and batch= of a model"

# Recipes: every one of the list is known to help; with any other setting claims are not judged, and the output says with which.
run 0 "$bin/train" recipe=help; cp out list; awk 'NR > 1 && /^$/ { exit } NR > 1 { print $1 }' list > names
[ "$(lines names)" -gt 15 ] || cat list >> wrong
for name in $(cat names); do run 0 "$bin/train" recipe=$name help; done
run 0 "$bin/train" $tiny recipe=tf3,hybrid_mesa seeds=2 updates=3 width=8 heads=2 key=4 steps=3 out=two
head -n 1 two/by_t.csv > head; echo t,tf3,hybrid_mesa,gd,lsq_newest_off,lsq_newest_on,Chebyshev-2,Chebyshev-6 | cmp head - >> wrong
has out 'changed recipe: width=8; steps=3; task dim=3 length=12; '; has out 'tf3, block 1, softmax heads=2 key=4'; has out 'over 2 seeds'; has out 'claim: recipe tf3 reaches its loss'
has two/seed1-hybrid_mesa-checkpoint.safetensors '"recipe":"hybrid_mesa; changed: '
awk '$1 == "mean" { print $2, $3 }' out > want
run 0 "$bin/train" recipe=tf3,hybrid_mesa model=two/checkpoint.safetensors,two/hybrid_mesa-checkpoint.safetensors,two/seed1-checkpoint.safetensors,two/seed1-hybrid_mesa-checkpoint.safetensors final=64 test=32 updates=3 out=scored
awk '$1 == "mean" { print $2, $3 }' out > p; near p want 1e-5; has out 'tf3 after 3 of 10000 steps'; ! grep -x holds out >> wrong; [ ! -e scored/loss.csv ] || ls scored >> wrong
run 2 "$bin/train" recipe=tf3,hybrid_mesa model=two/hybrid_mesa-checkpoint.safetensors,two/checkpoint.safetensors out=typo; has err 'expected a checkpoint of tf3 in place of two/hybrid_mesa-checkpoint.safetensors, which is of hybrid_mesa'
run 0 "$bin/train" model=two/hybrid_mesa-checkpoint.safetensors final=64 updates=3 lr=1 out=one_model; has out 'hybrid_mesa, changed: '; has err 'not heeded: lr='; ! grep -x holds out >> wrong
run 0 "$bin/train" $tiny recipe=lsa1 layers=01 seeds=1 steps=1 out=same1; has out 'changed recipe: steps=1; '
for recipe in tf9 tf7,lsa1 tf7,tf9 ''; do run 2 "$bin/train" recipe=$recipe out=typo; has err 'recipe:'; done
run 2 "$bin/train" recipe=lsa1,hybridmesa out=typo; has err 'perhaps hybrid_mesa;'
run 2 "$bin/train" $tiny recipe=lsa1,lsa1 seeds=1 steps=1 out=twice; has err "recipe: 'lsa1,lsa1', expected each name once"
run 0 "$bin/train" $tiny recipe=tf3 layers=2 seeds=1 width=8 heads=2 key=4 steps=3 out=short; has err 'learning 1 Chebyshev step'; has err 'step 7/7 '; has out 'match k - 1 = 1 step'
run 2 "$bin/train" recipe=tf3,hybrid_mesa model=two/checkpoint.safetensors out=typo; has err 'model:'; run 2 "$bin/train" model=, out=typo; has err 'model:'; run 1 "$bin/train" model=none out=typo; has err none; run 1 "$bin/train" model=a/b/loss.csv out=typo; has err a/b/loss.csv
run 2 "$bin/train" model=two/checkpoint.safetensors heads=2 out=typo; has err 'heads: no setting here, for model= says what its blocks are'
[ ! -e typo ] || echo "a folder was made" >> wrong
check "recipes by name, several at once, over seeds, from checkpoints; a changed recipe says so, and its claims are not judged"

run 2 "$bin/train" seeds=1 lerning_rate=3 out=typo; has err "unknown key 'lerning_rate'"; has err ' weight_decay '; has err ' layers '
run 2 "$bin/train" seeds=1 inputs=3 out=typo
run 2 "$bin/train" steps out=typo; has err "not 'steps'; did you mean 'steps=..'?"
for typo in stpes=1:steps weight_decy=1:weight_decay kay=3:key Layers=2:layers step:steps; do run 2 "$bin/train" seeds=1 "${typo%:*}" out=typo; has err "did you mean '${typo#*:}'?"; done
run 2 "$bin/train" seeds=1 zzzzzz=1 out=typo; ! grep -q 'did you mean' err || cat err >> wrong
run 2 "$bin/one_step_gd" fast out=typo; has err "'fast'"
run 2 "$bin/own_data" eta=1; run 2 "$bin/own_data"; has err 'file:'
[ ! -e typo ] || echo "a folder was made" >> wrong
check "an unknown key is refused, the known ones are listed, nothing is written"

for bad in recipe=cubic heads=0 steps=1.5 steps=-1 lr=fast lr=nan isa=sse9 every=0; do
    run 2 "$bin/train" seeds=1 $tiny $bad out=typo; has err "${bad%%=*}:"
done
for p in one_step_gd mesa_layer; do run 2 "$bin/$p" steps=1e3 out=typo; [ "$(lines err)" = 1 ] || cat err >> wrong; done
[ ! -e typo ] || echo "a folder was made" >> wrong
check "a bad value is refused, and its key is named"

run 0 "$bin/train" seeds=1 help; has out weight_decay=0.1; has out 'usage:'; mv out help; for word in -h --help; do run 0 "$bin/train" seeds=1 $word; same out help; done
run 0 "$bin/probe_layers" help; [ "$(grep -c penalty=0 out)" = 1 ] && ! grep -q 'filter=0' out || echo 'a scope is there twice, or a key that stands above' >> wrong
# Every setting stands behind whose it is, once; and no number of a program's own that is none leaves anything behind.
for p in attention_maps feature_probes few_shot layer_sensitivity linearise_layers long_context mesa_layer one_step_gd own_data predict probe_file probe_layers proposition2 revalg train; do
    run 0 "$bin/$p" help; cp out help
    sed -n '/^settings of/,$s/^  //p' help | awk -v p=$p '!/^[^=]*: / { print p ": no owner: " $0 } { split($0, a, ": "); n = split(a[2], w, " "); for (i = 1; i <= n; i++) { sub(/=.*/, "", w[i]); if (seen[a[1], w[i]]++) print p ": twice: " a[1] ": " w[i] } }' >> wrong
    for key in $(sed -n '/^keys of/,/^settings of/s/^  \([a-z_]*\) .*(-*[0-9][0-9.]*)$/\1/p' help); do run 2 "$bin/$p" $key=abc out=typo; has err "$key"; done
done
[ ! -e typo ] || echo "a folder was made" >> wrong
check "help"

: > file
run 1 "$bin/train" seeds=1 $tiny steps=1 out=file/a; has err 'out: cannot make file/a: Not a directory'
run 1 "$bin/train" seeds=1 $tiny steps=1 out=/proc; has err '/proc/'
check "a folder that cannot be written into"

run 1 "$bin/train" seeds=1 $tiny steps=1 out=b resume=nothing.safetensors; has err 'nothing.safetensors'
run 1 "$bin/train" seeds=1 $tiny steps=9 out=b resume=a/b/loss.csv; has err MESAOPT_E_FORMAT
run 1 "$bin/train" seeds=1 $tiny steps=9 out=b resume=a/b/checkpoint.safetensors; has err MESAOPT_E_FORMAT
check "a checkpoint that is missing, no checkpoint, or of another model"

# Ctrl-C: the program takes a signal that a shell script's background job would ignore.
"$bin/train" seeds=1 $tiny steps=100000000 threads=1 out=stopped > out 2> err & pid=$!
await more_lines stopped/loss.csv 4
interrupt $pid
at=$(sed -n 's/.*stopped after step \([0-9]*\)$/\1/p' err); steps=$((${at:-0} + 15))
has err 'to go on:'; has err 'resume=stopped/checkpoint.safetensors'
cp stopped/checkpoint.safetensors earlier.safetensors
run 0 "$bin/train" seeds=1 $tiny steps=$steps threads=2 out=stopped resume=stopped/checkpoint.safetensors
run 0 "$bin/train" seeds=1 $tiny steps=$steps threads=2 out=straight
same stopped/loss.csv straight/loss.csv; same stopped/by_t.csv straight/by_t.csv
run 0 "$bin/train" seeds=1 $tiny steps=$steps threads=2 out=elsewhere resume=stopped/checkpoint.safetensors
same elsewhere/by_t.csv straight/by_t.csv; has elsewhere/loss.csv step,train_loss
grep -q '^0,' elsewhere/loss.csv && echo "the resumed run began at step 0" >> wrong
run 1 "$bin/train" seeds=1 $tiny steps=1 out=elsewhere resume=stopped/checkpoint.safetensors; has err "the checkpoint is at step $steps"
run 0 "$bin/train" seeds=1 $tiny steps=$((${at:-0} + 2)) out=stopped resume=earlier.safetensors
[ "$(tail -n 1 stopped/loss.csv | cut -d, -f1)" = $((${at:-0} + 2)) ] || echo "loss.csv goes on beyond the resumed run" >> wrong
# On the way, too: kept ones are named by step, and a run goes on from any of them.
run 0 "$bin/train" seeds=1 $tiny steps=25 save=8 keep=1 out=kept_steps; (cd kept_steps && ls *checkpoint*) | tr '\n' ' ' > steps; has steps 'checkpoint.safetensors step16-checkpoint.safetensors step24-checkpoint.safetensors step8-checkpoint.safetensors '
run 0 "$bin/train" seeds=1 $tiny steps=25 save=25 out=again resume=kept_steps/step8-checkpoint.safetensors; same kept_steps/by_t.csv again/by_t.csv
for bad in save=0 keep=2; do run 2 "$bin/train" $tiny $bad out=typo; has err "${bad%%=*}:"; done
check "Ctrl-C leaves a checkpoint and says how to go on; resumed, the files are those of a run in one piece"

"$bin/train" seeds=1 $tiny steps=1 final=1000000000 out=long > out 2> err & pid=$!
await [ -e long/checkpoint.safetensors ]
interrupt $pid
has err 'stopped'; has err 'resume=long/checkpoint.safetensors'
check "Ctrl-C ends a long evaluation too"

mkdir full1 full2
ln -s /dev/full full1/loss.csv; ln -s /dev/full full2/by_t.csv
run 1 "$bin/train" seeds=1 $tiny steps=1 out=full1; has err 'full1/loss.csv: No space left on device'
run 1 "$bin/train" seeds=1 $tiny steps=1 out=full2; has err 'full2/by_t.csv: No space left on device'
timeout 120 "$bin/train" seeds=1 $tiny steps=1 out=full3 > /dev/full 2> err && echo "success with a full standard output" >> wrong
has err 'standard output: No space left on device'
run 1 sh -c 'ulimit -f 8; "$@"' sh "$bin/train" seeds=1 $tiny steps=1 out=full4; has err 'mesaopt_trainer_save: MESAOPT_E_IO'
ls -A full4 > left; grep -v -e '^loss.csv$' -e '^run.txt$' left >> wrong
check "a full disk is an error, whichever file it hits"
if command -v gnuplot > /dev/null; then
    run claims sh -c 'ulimit -f 8; "$@"' sh "$bin/revalg" seeds=1 dim=1 key=1 length=4 batch=4 first=1 steps=1 test=4 final=4 out=full5; has err 'so there is no full5/blocks-1.svg'
    ls full5 | grep svg >> wrong
    check "a figure that is cut off is no figure"
fi

run 0 env PATH=/nonexistent "$bin/train" seeds=1 $tiny steps=1 out=plain; has err 'no gnuplot here'
[ -s plain/by_t.csv ] && [ ! -e plain/by_t.svg ] || ls plain >> wrong
check "without gnuplot: a note, tables, no figures"

# Ctrl-C goes to gnuplot too, which finishes its figure; what a link in the place of a figure leads to stays, unless it is a file
mkdir fake linked a_folder; printf '#!/bin/sh\nkill -INT $$\ncat > /dev/null\necho "</svg>" > by_t.svg\n' > fake/gnuplot; chmod +x fake/gnuplot; ln -s ../a_folder linked/by_t.svg
run 0 env PATH="$tmp/fake:$PATH" "$bin/train" seeds=1 $tiny steps=1 out=drawn; has drawn/by_t.svg '</svg>'
run 0 env PATH=/nonexistent "$bin/train" seeds=1 $tiny steps=1 out=linked; [ -d a_folder ] || echo "what a link leads to is gone" >> wrong
check "figures are finished at Ctrl-C; no device or folder behind a link goes"

run claims "$bin/one_step_gd" $tiny key=4 steps=5 seeds=1 out=one; has out 'eta   learned'; has out 'Phi0  learned'; has out 'by line search'
has out 'claim: 1. one trained layer'
run claims "$bin/one_step_gd" $tiny key=4 steps=5 seeds=1 seed=1 out=negative; has out 'none with the learned eta, which is not positive'
run 0 "$bin/train" $tiny recipe=lsa1 blocks='mask(first=6); linear' tokens=slots slots=3 steps=1 out=slots; run 2 "$bin/one_step_gd" model=slots/checkpoint.safetensors out=typo; has err "model: 'slots/checkpoint.safetensors', expected networks that see tokens of 4 slots"
# Means over seeds, all on the same test sequences: revalg reads the losses of either checkpoint.
run claims "$bin/one_step_gd" $tiny key=4 lr=1e-2 steps=20 seeds=2 out=seeds; has out 'over 2 seeds'; awk '$1 == "mean" || $1 == "sd" { print $2 }' out > p
run claims "$bin/one_step_gd" model=seeds/checkpoint.safetensors,seeds/seed1-checkpoint.safetensors test=32 final=64 out=both; same seeds/by_t.csv both/by_t.csv; ! grep 'not heeded' err >> wrong; [ "$(grep -o 'lsa1 after 20 of' out)" = 'lsa1 after 20 of' ] || grep after out >> wrong
for c in '' seed1-; do run claims "$bin/revalg" weights=seeds/${c}checkpoint.safetensors length=12 final=64 out=rev6 overwrite=1; sed -n 's/^seen: losses: model \([0-9.]*\),.*/\1/p' out; done > l
awk '{ m += $1 / 2; d = $1 - d } END { printf "%.5f\n%.5f\n", m, (d < 0 ? -d : d) / sqrt(2) }' l > want; near p want 1.5e-4; [ -s seeds/seed1-loss.csv ] && [ "$(sort -u l | grep -c .)" = 2 ] || cat l >> wrong
run claims "$bin/one_step_gd" $tiny key=4 lr=1e-2 steps=10 seeds=2 out=half2; run claims "$bin/one_step_gd" $tiny key=4 lr=1e-2 steps=20 seeds=2 out=half2 resume=half2/checkpoint.safetensors; same half2/by_t.csv seeds/by_t.csv
for p in mesa_layer one_step_gd proposition2 revalg; do run 0 "$bin/$p" help; grep -q '^  seeds .*(3)$' out || cat out >> wrong; done
check "one_step_gd; means over seeds"

run claims "$bin/mesa_layer" $tiny seeds=1 key=4 steps=40 out=mesa; has out 'claim: 2. one mesa layer'
has out 'changed recipe, not judged: steps=40; task dim=3 length=12; mesa1, training batch=16; mesa1, block 1, mesa key=4; lsa1, training batch=16; lsa1, block 1, linear key=4'
run claims "$bin/mesa_layer" $tiny seeds=1 dim=10 length=50 batch=256 heads=4 gates=sigmoid lr=1e-4 steps=1 out=mesa2 overwrite=1
has out 'not judged: steps=1; mesa1, training lr=0.0001; mesa1, block 1, mesa gates=sigmoid; lsa1, block 1, linear heads=4'
run 0 "$bin/mesa_layer" help; has out '  mesa1, block 1, mesa: heads=4 key=20 '; has out '  lsa1, block 1, linear: lanes=0 heads=2 '; has out 'lsa1, training: batch=256 lr=0.0001 '
run claims "$bin/mesa_layer" model=mesa/checkpoint.safetensors,mesa/lsa1-checkpoint.safetensors test=32 final=64 out=mesa3; same mesa/by_t.csv mesa3/by_t.csv; has out 'changed recipe, not judged'
run 2 "$bin/mesa_layer" model=mesa/lsa1-checkpoint.safetensors,mesa/checkpoint.safetensors out=typo; has err 'expected a checkpoint of mesa1 in place of mesa/lsa1-checkpoint.safetensors, which is of lsa1'
run 2 "$bin/one_step_gd" model=mesa/checkpoint.safetensors out=typo; has err 'expected mask; linear for lsa1: mesa/checkpoint.safetensors has mask; mesa'
check "mesa_layer: help says whose settings are whose, the output what is not as in the recipe"

# Two trainings: stopped in the second one, as a checkpoint of its step 20 and a file of losses with a mark say.
head -n 1 mesa/by_t.csv > head; echo t,mesa,linear,gd,lsq_newest_off,lsq_newest_on | cmp head - >> wrong
run claims "$bin/mesa_layer" $tiny seeds=1 key=4 steps=20 out="it's half"
sed 's/^10,.*/10,0,0/' "it's half/lsa1-loss.csv" > mark && mv mark "it's half/lsa1-loss.csv"
run claims "$bin/mesa_layer" $tiny seeds=1 key=4 steps=40 out="it's half" resume="it's half/checkpoint.safetensors"
for f in by_t loss lsa1-loss; do sed 's/^10,0,0$/10,mark/' "it's half/$f.csv" > half; sed "$([ $f = lsa1-loss ] && echo 's/^10,.*/10,mark/')" mesa/$f.csv | cmp - half >> wrong; done
cp mesa/lsa1-checkpoint.safetensors later.safetensors
mkdir stale; cp later.safetensors stale/lsa1-checkpoint.safetensors; ln -s /dev/full stale/loss.csv
run 1 "$bin/mesa_layer" $tiny seeds=1 key=4 steps=40 out=stale; has err 'stale/loss.csv: No space left'
[ ! -e stale/lsa1-checkpoint.safetensors ] || echo 'a later training would go on from an earlier run' >> wrong
"$bin/mesa_layer" $tiny seeds=1 steps=100000000 threads=1 out="it's long" > out 2> err & pid=$!
await more_lines "it's long/loss.csv" 4
interrupt $pid
command=$(sed -n 's/^to go on: //p' err); at=$(sed -n 's/.*stopped after step \([0-9]*\)$/\1/p' err)
eval "set -- $command"; [ "$*" = "$bin/mesa_layer $tiny seeds=1 steps=100000000 threads=1 out=it's long resume=it's long/checkpoint.safetensors" ] || echo "to go on: $*" >> wrong
run claims "$@" steps=$((${at:-0} + 1))
check "mesa_layer: its second training goes on from its own checkpoint; the command to go on can be pasted"

run claims "$bin/revalg" layers=1,2 first=20 steps=30 every=10 seeds=2 key=4 batch=16 length=12 dim=3 test=32 final=64 out=rev
has out 'claim: 1. one trained layer'; has out 'claim: 3. depth helps'; has out 'claim: 4. the scalars describe'
for d in 1 2; do
    cut -d, -f1 rev/interpolation-$d.csv | tr '\n' ' ' > steps; has steps 'step 10 20 30 '
    awk -F, 'NF != 4 || (NR > 1 && $4 !~ /^[0-9.]+$/) { print FILENAME ":" NR ": " $0 }' rev/interpolation-$d.csv >> wrong
done
awk -F, 'NF != 7 { print FILENAME ": " $0 } END { if (NR != 1 + 2 * 4 * 2 * 16) print FILENAME ": " NR " lines" }' rev/scalars-2.csv >> wrong
awk -F, 'NF != 4 * 15 - 3 { print FILENAME ": " NF " columns" } END { if (NR != 2 * 2 * 15 - 3) print FILENAME ": " NR " lines" }' rev/blocks-2.csv >> wrong
awk -F, 'NF != 9 { print FILENAME ": " $0 } END { if (NR != 3) print FILENAME ": " NR " lines" }' rev/depth.csv >> wrong
cut -d, -f1,2 rev/seeds.csv | tr '\n' ' ' > steps; has steps 'layers,seed 1,0 1,1 2,0 2,1 '
awk -F, 'FNR == 1 { next } FILENAME == ARGV[1] { m[$1] += $3 / 2; q[$1] += $3 * $3; next }
         { sd = sqrt(q[$1] - 2 * m[$1] * m[$1]); if (($2 - m[$1]) ^ 2 > 1e-12 || ($3 - sd) ^ 2 > 1e-8) print "mean and sd of " $1 " layers: " $2 " " $3 ", expected " m[$1] " " sd }' rev/seeds.csv rev/depth.csv >> wrong
[ "$(grep -c '  explained  ' out)" = 6 ] && ! grep -q -e '-0\.0000' out || echo 'products: each with its share, and no -0.0000' >> wrong
if command -v gnuplot > /dev/null; then has rev/blocks-1.svg '</svg>'; has rev/blocks-2.svg 'layer 2, head 4: W'; has rev/interpolation-2.svg 'average of products'; fi
for d in 1 2; do # what describes the network while it trains ends as what the second training is compared with
    cut -d, -f1 rev/described-$d.csv | tr '\n' ' ' > steps; has steps 'step 0 10 20 '
    awk -F, 'NF != 4 || (NR > 1 && !($4 >= 0 && $4 <= 1)) { print FILENAME ":" NR ": " $0 }' rev/described-$d.csv >> wrong
    tail -n 1 rev/described-$d.csv | cut -d, -f3 > p; tail -n 1 rev/interpolation-$d.csv | cut -d, -f3 | cmp p - >> wrong
done
if command -v gnuplot > /dev/null; then has rev/described-1.svg 'share of the products explained'; fi
run claims "$bin/revalg" kind=softmax layers=1 seeds=1 first=3 steps=4 key=4 batch=16 length=12 dim=3 test=32 final=64 out=rev2
# Scalars that are as bad as a network that has learned nothing do not describe it.
[ "$(tail -n 1 out)" = 'does not hold' ] && has out '; the network has learned nothing' || tail -n 3 out >> wrong
run 0 "$bin/revalg" help kind=softmax; [ "$(grep -c 'lr=0.0008 .*cosine_steps=30000' out)" = 2 ] && grep -q 'seeds .*(3)$' out || cat out >> wrong
run 1 "$bin/revalg" weights=none.safetensors out=rev3; has err 'none.safetensors: '
run 2 "$bin/revalg" weights=prop/none missing=skip out=typo; has err "missing: 'skip', expected none without data="
for bad in layers=0 layers=1,x layers=1, kind=mesa seeds=0 inputs=3 outputs=3 data=x; do run 2 "$bin/revalg" $bad out=typo; has err "${bad%%=*}:"; done
[ ! -e typo ] || echo "a folder was made" >> wrong
check "revalg: scalars, interpolation and block structure by depth; its claims"

# Train, save, read off: in one line each, whatever the slots; the loss is that of train's table on the same sequences.
for options in recipe=lsa1 recipe=lsa2 'recipe=lsa2 tokens=slots slots=3' 'recipe=lsa2 layers=1 tokens=slots slots=2'; do
    run 0 "$bin/train" seeds=1 updates=3 $options key=4 heads=2 $tiny lr=1e-3 steps=30 out=ck overwrite=1; cp out trained; awk '$1 == "mean" { print "1 " $2 }' out > want
    run claims "$bin/revalg" weights=ck/checkpoint.safetensors length=12 final=64 out=rev4 overwrite=1; sed -n 's/^seen: losses: model \([0-9.]*\),.*/1 \1/p' out > p; near p want 6e-5
    n=$(sed -n "s/^model: .*; linear.*/1/p; s/^model: linear.*/1/p; s/^model: 2 x .*/2/p" trained); [ "$(cut -d, -f1 rev4/scalars-$n.csv | sort -u | tr '\n' ' ')" = "$(seq $n | tr '\n' ' ')layer " ] || head -n 3 rev4/scalars-$n.csv >> wrong
done
run claims "$bin/revalg" weights=ck/checkpoint.safetensors heads=4 length=12 final=64 out=rev4 overwrite=1; has err 'heads= is not heeded'
# Weights from elsewhere, all 0: the prediction is the token's first slot. Three slots of two features, the last two columns are targets.
{ printf '\150\001\0\0\0\0\0\0'; printf '%-360s' '{"blocks.0.query":{"dtype":"F32","shape":[6,4],"data_offsets":[0,96]},"blocks.0.key":{"dtype":"F32","shape":[6,4],"data_offsets":[96,192]},"blocks.0.value":{"dtype":"F32","shape":[6,4],"data_offsets":[192,288]},"blocks.0.output":{"dtype":"F32","shape":[4,6],"data_offsets":[288,384]}}'; head -c 384 /dev/zero; } > zero.safetensors
awk 'BEGIN { srand(5); for (i = 0; i < 3; i++) { if (i) print ""; for (t = 0; t < 4; t++) { for (j = 0; j < 8; j++) printf "%s%.3f", j ? "," : "", 2 * rand() - 1; print "" } } }' > eight.csv
awk -F, 'NF { s += ($1 - $7)^2 + ($2 - $8)^2 } END { printf "1 %.4f\n", s / 2 / 12 }' eight.csv > want
run claims "$bin/revalg" weights=zero.safetensors heads=2 key=2 inputs=6 outputs=2 data=eight.csv out=rev5 overwrite=1
sed -n 's/^seen: losses: model \([0-9.]*\),.*/1 \1/p' out > p; near p want 6e-5; [ "$(lines rev5/scalars-1.csv)" = $((1 + 2 * 2 * 9)) ] || head rev5/scalars-1.csv >> wrong
{ printf '\240\0\0\0\0\0\0\0'; printf '%-160s' '{"targets":{"dtype":"F32","shape":[1,2,2],"data_offsets":[96,112]},"tokens":{"dtype":"F64","shape":[1,2,6],"data_offsets":[0,96]}}'; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do printf '\0\0\0\0\0\0\360?'; done; head -c 16 /dev/zero; } > ones.safetensors
run claims "$bin/revalg" weights=zero.safetensors heads=2 key=2 inputs=6 outputs=2 data=ones.safetensors out=rev5 overwrite=1; has out 'losses: model 1.0000, rebuilt 1.0000'
head -c 250 ones.safetensors > cut.safetensors; run 1 "$bin/revalg" weights=zero.safetensors heads=2 key=2 inputs=6 outputs=2 data=cut.safetensors out=rev5 overwrite=1; has err "cut.safetensors: 'to"
for vast in '[1048576,1048576,1],"data_offsets":[0,4398046511104]' '[16777216,16777216,8192],"data_offsets":[0,9223372036854775807]'; do
    { printf '\310\0\0\0\0\0\0\0'; printf '%-200s' '{"targets":{"dtype":"F32","shape":[1,2,2],"data_offsets":[0,16]},"tokens":{"dtype":"F32","shape":'"$vast}}"; head -c 1000 /dev/zero; } > vast.safetensors
    run 1 "$bin/revalg" weights=zero.safetensors heads=2 key=2 inputs=6 outputs=2 data=vast.safetensors out=rev5 overwrite=1; has err "vast.safetensors: 'tokens' is cut off"
done
run 1 "$bin/revalg" weights=zero.safetensors heads=2 key=2 inputs=6 outputs=2 data=zero.safetensors out=rev5 overwrite=1; has err "zero.safetensors: expected a tensor 'tokens'"
cut -d, -f1-6 eight.csv > six.csv; run 1 "$bin/revalg" weights=zero.safetensors heads=2 key=2 inputs=6 outputs=2 data=six.csv out=rev5 overwrite=1; has err 'six.csv: 6 columns, expected more than the 6 features of a token'
run 1 "$bin/revalg" weights=zero.safetensors heads=2 key=2 inputs=8 outputs=2 out=rev5 overwrite=1; has err 'blocks.0.query'
check "revalg: checkpoints of this library and weights from elsewhere, with any number of slots, on sequences of one's own"

run claims "$bin/proposition2" seeds=1 layers=3 steps=5 updates=5 key=4 batch=16 length=12 dim=3 test=32 final=64 every=10 out=prop
has out 'claim: 6. k layers match'; has out 'proposition 2: a deep linear model carries out the iteration'; has out holds; has out 'b   '
if command -v gnuplot > /dev/null; then # gd and least squares have the colours that they have elsewhere, and LSA-3 that of the model
    colours prop/by_t.svg | sed 's/^LSA-3/model/' > p; grep -vx -f p colours >> wrong; [ "$(cut -d: -f2 p | sort -u | grep -c .)" = 5 ] || cat p >> wrong
fi
head -n 1 prop/by_t.csv > head; echo t,LSA-3,Chebyshev-2,gd,lsq_newest_off,lsq_newest_on | cmp head - >> wrong
run 2 "$bin/proposition2" layers=1 out=typo; has err 'layers:'
"$bin/proposition2" seeds=1 layers=3 steps=5 updates=100000000 key=4 batch=16 length=12 dim=3 test=32 final=64 every=10 out=prop2 > out 2> err & pid=$!
await grep -q learning err
interrupt $pid; has err 'proposition2: stopped'; has err 'resume=prop2/checkpoint.safetensors'
# model=: as many linear layers as layers= says, on tokens of slots; that is heeded, and not said to be otherwise.
run claims "$bin/proposition2" model=prop/checkpoint.safetensors layers=3 updates=5 test=32 final=64 out=prop3; same prop/by_t.csv prop3/by_t.csv; ! grep 'not heeded' err >> wrong
run 2 "$bin/proposition2" model=prop/checkpoint.safetensors layers=2 out=typo; has err 'expected 2 x linear for lsa2: prop/checkpoint.safetensors has 3 x linear'
run 2 "$bin/proposition2" model=mesa/checkpoint.safetensors out=typo; has err 'expected 2 x linear for lsa2: mesa/checkpoint.safetensors has mask; mesa'
run 0 "$bin/train" $tiny recipe=lsa2 tokens=raw seeds=1 updates=1 key=4 steps=1 out=narrow; run 2 "$bin/proposition2" model=narrow/checkpoint.safetensors out=typo; has err 'expected networks that see tokens of 4 or 6 slots'
[ ! -e typo ] || echo "a folder was made" >> wrong
check "proposition2"

probes='batch=16 length=12 dim=3 test=32 sequences=64 updates=3 every=10'
run claims "$bin/probe_layers" blocks='3 x linear(heads=2,key=4)' $probes steps=20 out=probe
for c in 'target probes improve with depth' 'target probes improve with context' 'preconditioning probes improve' 'the control stays flat'; do has out "claim: 5. $c"; done
for c in target inverse control; do
    head -n 1 probe/$c.csv > head; echo layer,block,t,rank,train_error,train_r2,test_error,test_r2 | cmp head - >> wrong
    awk -F, -v layers=$([ $c = control ] && echo 1 || echo 4) 'NF != 8 || (NR > 1 && ($5 !~ /^[0-9.e-]+$/ || $7 !~ /^[0-9.e-]+$/)) { print FILENAME ":" NR ": " $0 }
        END { if (NR != 1 + layers * 12) print FILENAME ": " NR " lines" }' probe/$c.csv >> wrong
done
has out 'in sample  held out'
awk -F, 'NR > 1 && ($3 < 2 ? $5 > 1e-9 : $5 < 0.01) { print FILENAME ":" NR ": " $0 } END { if (NR != 1 + 4 * 8) print FILENAME ": " NR " lines" }' probe/token.csv >> wrong      # tokens hold x_t and x_{t-1}
run claims "$bin/probe_layers" model=probe/checkpoint.safetensors $probes out=probe2
same probe/target.csv probe2/target.csv; same probe/inverse.csv probe2/inverse.csv; has err 'nothing is trained; not heeded: every= test= batch='
if command -v gnuplot > /dev/null; then has probe/target_map.svg '</svg>'; has probe/inverse_map.svg '</svg>'; has probe/token_map.svg '</svg>'; fi
run claims "$bin/probe_layers" recipe=tf3 blocks='dense(outputs=8); 2 x softmax(heads=2,key=4); dense(outputs=3)' conditioner=lsq $probes steps=1 back=1 out=probe3
has out '     2     2'; ! grep -q '     3     3' out || echo 'the read-out is probed' >> wrong
for bad in conditioner=best conditioner=kernel ridge=-1 filter=x sequences=0 sequences=12 back=-1; do run 2 "$bin/probe_layers" $probes steps=0 $bad out=typo; has err "${bad%%=*}:"; done
[ ! -e typo ] || echo "a folder was made" >> wrong
run 1 "$bin/probe_layers" model=probe/checkpoint.safetensors $probes dim=4 out=probe4 overwrite=1; has err 'task: tokens of width 16 and targets of 4, expected 12 and 3'
run 1 "$bin/probe_layers" model=nothing.safetensors $probes out=probe4 overwrite=1; has err 'nothing.safetensors'
run claims "$bin/probe_layers" recipe=tf3 width=8 heads=2 key=4 $probes steps=1 out=probe_raw; has out 'claim: 7. behind the first layer a token holds x_t'; has out 'changed recipe, not judged'
run 2 "$bin/probe_layers" recipe=tf3,tf7 out=typo; has err 'recipe:'; [ ! -e typo ] || echo "a folder was made" >> wrong
check "probe_layers: tables, maps and claims; a model from a checkpoint gives the same"

# ---- attention maps, sensitivity ----

few='batch=16 length=12 dim=3 test=32 sequences=64'
run claims "$bin/attention_maps" recipe=tf3 width=8 heads=2 key=4 $few beyond=4 block=all steps=2 out=map
has out 'claim: 7. on raw tokens the first softmax layer binds'; head -n 1 map/shares.csv > head; echo block,head,diagonal,sub_diagonal,lag_2,lag_3 | cmp head - >> wrong
cut -d, -f1,2 map/shares.csv | tr '\n' ' ' > steps; has steps 'block,head 1,1 1,2 2,1 2,2 3,1 3,2 '
for b in 1 2 3; do # weights of softmax: a row sums to 1, nothing is seen of later steps
    awk -F, 'NF != 12 { print FILENAME ": " NF " columns" } { s = 0; t = (NR - 1) % 12 + 1; for (i = 1; i <= 12; i++) { if (($i == "nan") != (i > t)) print FILENAME ": row " NR ": " $i; s += i > t ? 0 : $i } if ((s - 1) ^ 2 > 1e-7) print FILENAME ": row " NR " sums to " s } END { if (NR != 24) print FILENAME ": " NR " rows" }' map/map-$b.csv >> wrong
done
# the shares are those of the maps
awk -F, 'FNR == NR { if (FNR > 1 && $1 == 1) share[$2] = $4; next } { t = (FNR - 1) % 12 + 1; h = int((FNR - 1) / 12) + 1; if (t > 4) { m = 1; for (i = 2; i <= t; i++) if ($i > $m) m = i; n[h] += m == t - 1 } } END { for (h in share) if ((n[h] / 8 - share[h]) ^ 2 > 1e-9) print "sub-diagonal of head " h ": " share[h] ", counted " n[h] / 8 }' map/shares.csv map/map-1.csv >> wrong
run 0 "$bin/attention_maps" model=map/checkpoint.safetensors sequences=64 beyond=4 block=2 out=map2; same map/map-2.csv map2/map-2.csv; [ ! -e map2/map-1.csv ] || ls map2 >> wrong
if command -v gnuplot > /dev/null; then has map/map-1.svg '</svg>'; has map/map-1.svg 'head 2'; fi
for bad in block=9 block=x beyond=12 beyond=-1 sequences=0; do run 2 "$bin/attention_maps" model=map/checkpoint.safetensors $bad out=typo; has err "${bad%%=*}:"; done
run 2 "$bin/attention_maps" model=map/checkpoint.safetensors block=0 out=typo; has err 'block:'
for p in attention_maps layer_sensitivity linearise_layers probe_layers few_shot; do run 2 "$bin/$p" model=map/checkpoint.safetensors,map/checkpoint.safetensors out=typo; has err "model: 'map/checkpoint.safetensors,map/checkpoint.safetensors', expected one of them"; done
run claims "$bin/layer_sensitivity" model=map/checkpoint.safetensors recipe=tf3 sequences=8 out=sens; has out 'claim: 7. the first layer depends on the two newest'
head -n 1 sens/sensitivity.csv > head; echo 'lag,block 0,block 1,block 2,block 3,block 4' | cmp head - >> wrong
awk -F, 'NR > 1 && ($1 != NR - 2 || ($1 > 0) != ($2 == 0) || $3 <= 0) { print FILENAME ": " $0 } END { if (NR != 13) print FILENAME ": " NR " lines" }' sens/sensitivity.csv >> wrong                   # an embedding sees its own token only
run claims "$bin/layer_sensitivity" model=map/checkpoint.safetensors sequences=8 at=5 out=sens2; [ "$(lines sens2/sensitivity.csv)" = 6 ] || cat sens2/sensitivity.csv >> wrong
if command -v gnuplot > /dev/null; then has sens/sensitivity.svg 'block 1'; fi
for bad in at=13 at=-1 at=0 at=5, at=x sequences=0; do run 2 "$bin/layer_sensitivity" model=map/checkpoint.safetensors $bad out=typo; has err "${bad%%=*}:"; done
[ ! -e typo ] || echo "a folder was made" >> wrong
"$bin/attention_maps" recipe=tf3 $few beyond=4 steps=100000000 threads=1 out=mapped > out 2> err & pid=$!
await more_lines mapped/loss.csv 1
interrupt $pid; has err 'resume=mapped/checkpoint.safetensors'
mkdir full_maps full_sens; ln -s /dev/full full_maps/shares.csv; ln -s /dev/full full_sens/sensitivity.csv
run 1 "$bin/attention_maps" model=map/checkpoint.safetensors sequences=8 beyond=4 out=full_maps; has err 'full_maps/shares.csv: No space left on device'
run 1 "$bin/layer_sensitivity" model=map/checkpoint.safetensors sequences=8 out=full_sens; has err 'full_sens/sensitivity.csv: No space left on device'
check "attention_maps and layer_sensitivity: tables, maps, shares; of a checkpoint the same; Ctrl-C, a full disk"

# ---- linear layers in place of others ----

run claims "$bin/linearise_layers" model=map/checkpoint.safetensors sequences=64 distil=20 every=10 batch=16 out=linear; ! grep "not heeded" err >> wrong; has out 'claim: 8. later softmax layers'
head -n 1 linear/ratios.csv > head; echo 'step,block 1,block 2,block 3' | cmp head - >> wrong; cut -d, -f1 linear/ratios.csv | tr '\n' ' ' > steps; has steps 'step 10 20 '
tail -n 1 linear/ratios.csv | cut -d, -f2- | tr ',' '\n' > p; sed 1d linear/layers.csv | cut -d, -f3 > want; near p want 1e-9
awk -F, 'NF != 4 || (NR > 1 && ($1 != NR - 1 || $2 != NR - 1 || !($3 > 0.5 && $3 < 2) || $4 <= 0)) { print FILENAME ": " $0 } END { if (NR != 4) print FILENAME ": " NR " lines" }' linear/layers.csv >> wrong
run claims "$bin/linearise_layers" recipe=tf3 width=8 heads=2 key=4 $few steps=2 distil=4 out=linear2; has out 'changed recipe, not judged'
run claims "$bin/linearise_layers" model=map/checkpoint.safetensors sequences=16 distil=20 every=20 batch=16 lr=10 warmup=0 out=linear4; has out 'all layers linear not finite'; has out 'claim: 8'
if command -v gnuplot > /dev/null; then has linear/ratios.svg 'block 3'; fi
for bad in distil=0 sequences=0 every=0; do run 2 "$bin/linearise_layers" model=map/checkpoint.safetensors $bad out=typo; has err "${bad%%=*}:"; done
[ ! -e typo ] || echo "a folder was made" >> wrong
for run in 1 2 3; do                           # wherever it was when it was told to stop, its rows stay
    "$bin/linearise_layers" model=map/checkpoint.safetensors distil=100000000 every=10 batch=16 sequences=16 out=linear3$run > out 2> err & pid=$!
    await more_lines linear3$run/ratios.csv 2
    interrupt $pid; has err 'linearise_layers: stopped'; [ "$(lines linear3$run/ratios.csv)" -gt 1 ] || cat err >> wrong
done
mkdir full_linear; ln -s /dev/full full_linear/layers.csv; run 1 "$bin/linearise_layers" model=map/checkpoint.safetensors sequences=16 distil=2 out=full_linear; has err 'full_linear/layers.csv: No space left on device'
check "linearise_layers: ratios on the way and in the end, Ctrl-C, a full disk"

# ---- a nonlinear and a partially observed world ----

few='batch=16 length=12 dim=3 test=32'
run 0 "$bin/feature_probes" $few sequences=128 layers=2 width=8 heads=2 key=4 steps=25 save=10 out=features
head -n 1 features/features.csv > head; echo 'step,block 0,block 1,block 2,block 3,block 4' | cmp head - >> wrong; cut -d, -f1 features/features.csv | tr '\n' ' ' > steps; has steps 'step 10 20 25 '
run 0 "$bin/feature_probes" sequences=128 model=features/step20-checkpoint.safetensors,features/checkpoint.safetensors out=features2; sed '/^10,/d' features/features.csv > want; same want features2/features.csv
# R2: at most 1
awk -F, 'NR > 1 { for (i = 2; i <= NF; i++) if ($i !~ /^[0-9.e-]+$/ || $i > 1) print FILENAME ": " $0 }' features/features.csv >> wrong
if command -v gnuplot > /dev/null; then has features/features.svg 'block 4'; fi
run 1 "$bin/feature_probes" recipe=tf3 $few sequences=128 out=typo; has err 'features'; run 2 "$bin/feature_probes" $few sequences=8 width=8 out=typo; has err 'sequences:'; [ ! -e typo ] || echo "a folder was made" >> wrong
mkdir full_features; ln -s /dev/full full_features/features.csv; run 1 "$bin/feature_probes" sequences=128 model=features/checkpoint.safetensors out=full_features; has err 'full_features/features.csv: No space left on device'
for world in partial nonlinear; do
    run 0 "$bin/train" $few final=64 recipe=${world}_tf,${world}_mesa seeds=1 updates=3 layers=2 width=8 heads=2 key=4 steps=3 out=$world
    head -n 1 $world/by_t.csv > head; echo t,${world}_tf,${world}_mesa,gd,lsq_newest_off,lsq_newest_on,Chebyshev-1,lsq_space,Chebyshev-1_space,Chebyshev-6,Chebyshev-6_space | cmp head - >> wrong
    has out "claim: 6, recipe ${world}_tf: better than 1 step of preconditioning and one of gradient descent in the space"; has out "recipe ${world}_mesa reaches its loss"
    run claims "$bin/probe_layers" $few sequences=128 updates=3 model=$world/checkpoint.safetensors out=probe_$world; has probe_$world/inverse.csv layer
done
has out 'claim: 7. behind the first layer'; [ "$(awk -F, 'NR == 1 { print NF }' probe_partial/inverse.csv)" = 8 ] || head -n 1 probe_partial/inverse.csv >> wrong
check "feature_probes at every checkpoint; recipes of partial observation and of a nonlinear system, baselines and probes in their spaces"

run 0 "$bin/probe_file" file=probe/checkpoint.safetensors activations='blocks.*.query' targets=blocks.0.key out=probe5
has out '12 sequences, 9 to fit, 3 held out'; head -n 1 probe5/probes.csv > head; echo layer,step,rank,train_error,train_r2,test_error,test_r2 | cmp head - >> wrong
awk 'END { if (NR != 4) print FILENAME ": " NR " lines" }' probe5/probes.csv >> wrong
run 0 "$bin/probe_file" file=probe/checkpoint.safetensors activations=blocks.1.query,blocks.2.value targets=blocks.0.key penalty=0.1 intercept=1 holdout=50 out=probe6
run 2 "$bin/probe_file" out=typo; has err 'file:'
run 1 "$bin/probe_file" file=nothing.safetensors out=typo; has err 'nothing.safetensors: opening: No such file'
run 1 "$bin/probe_file" file=probe/target.csv out=typo; has err MESAOPT_E_FORMAT
run 1 "$bin/probe_file" file=probe/checkpoint.safetensors activations='layer.*' targets=y out=typo; has err "tensor 'layer.*': no tensor has such a name"
run 1 "$bin/probe_file" file=probe/checkpoint.safetensors activations='blocks.*.query' targets=blocks.0.output out=typo; has err "tensor 'blocks.0.output'"
run 1 "$bin/probe_file" file=probe/checkpoint.safetensors activations='blocks.*.query' targets=blocks.0.key holdout=50 out=typo; has err 'fit: 6 sequences at step 0, expected at least 8'
[ ! -e typo ] || echo "a folder was made" >> wrong
check "probe_file: layers of a file by pattern or list; what is missing, too short or no such file is named"

# ---- stream_rls ----

# Two columns that depend on each other's past, with noise; then what stream_rls has to say of them, by normal equations solved anew for every row,
# of rows minus the first one.
awk 'BEGIN { srand(7); a = 1; b = 0; for (t = 0; t < 600; t++) { c = 0.9 * a - 0.4 * b + rand() - 0.5; b = 0.4 * a + 0.9 * b + rand() - 0.5; a = c; printf "%.9g,%.15g\n", a, b } }' > two.csv
awk -F, -v ridge=0.5 -v gamma=0.98 '
    NR == 1 { first = $1; second = $2 }
    { $1 -= first; $2 -= second }
    NR > 1 {
        det = (h11 + ridge) * (h22 + ridge) - h12 * h12
        u = ((h22 + ridge) * p - h12 * q) / det; v = ((h11 + ridge) * q - h12 * p) / det
        x = s11 * u + s21 * v; y = s12 * u + s22 * v
        printf "%d,%.12g,%.12g\n", NR, x + first, y + second > "ahead.csv"
        e += ($1 - x)^2; f += ($2 - y)^2; m += ($1 - p)^2; n += ($2 - q)^2
        h11 = gamma * h11 + p * p; h12 = gamma * h12 + p * q; h22 = gamma * h22 + q * q
        s11 = gamma * s11 + p * $1; s12 = gamma * s12 + p * $2; s21 = gamma * s21 + q * $1; s22 = gamma * s22 + q * $2
    }
    { p = $1; q = $2 }
    END { k = NR - 1; printf "1 %.9g %.9g\n2 %.9g %.9g\nall %.9g %.9g\n", sqrt(e / k), sqrt(m / k), sqrt(f / k), sqrt(n / k), sqrt((e + f) / 2 / k), sqrt((m + n) / 2 / k); printf "all_relative %.9g 1\n", sqrt((e / m + f / n) / 2) }' two.csv > oracle
run 0 "$bin/stream_rls" file=two.csv toward=zero intercept=0 ridge=0.5 gamma=0.98 predictions=p.csv out=s1
summary out > summary; near summary oracle 1e-8
sed -n '2,600p' p.csv > p; near p ahead.csv 1e-9
head -n 1 p.csv > head; echo row,1,2 | cmp head - >> wrong; tail -n 1 p.csv | grep -q '^601,' || tail -n 1 p.csv >> wrong
head -n 1 s1/error.csv > head; echo row,rls,persistence,rls_lately,persistence_lately | cmp head - >> wrong
awk -F, 'NF != 5 || (NR > 2 && $1 <= last) { print "error.csv:" NR ": " $0 } { last = $1 } END { if ($1 != 600) print "error.csv ends at " $1 }' s1/error.csv >> wrong
tail -n 1 s1/error.csv | cut -d, -f2,3 > last; grep '^all ' oracle | cut -d' ' -f2,3 > want; near last want 1e-8
if command -v gnuplot > /dev/null; then has s1/error.svg persistence; fi
check "stream_rls: predictions, table and running error are those of normal equations solved row by row"

run 0 "$bin/stream_rls" file=two.csv predictions=p1.csv out= ; mv out whole
run 0 sh -c 'cat two.csv | "$1" predictions=p2.csv out=' sh "$bin/stream_rls"; same out whole; same p2.csv p1.csv
run 0 sh -c '"$1" predictions=- out= < two.csv' sh "$bin/stream_rls"; same out p1.csv; tail -n +1 err | grep -v '^row' > table; same table whole
run 0 "$bin/stream_rls" file=two.csv predictions=p3.csv errors=1 out=; same out whole; cut -d, -f1-3 p3.csv > p; tail -n +2 p1.csv > want; tail -n +2 p > p4; near p4 want 1e-10
head -n 1 p3.csv | grep -q '^row,1,2,1_se,2_se$' || head -n 1 p3.csv >> wrong
awk -F, 'NF != 5 || (NR > 3 && !($4 > 0 && $5 > 0)) { print "p3.csv:" NR ": " $0 }' p3.csv >> wrong
[ ! -e stream_rls.out ] || echo "a folder was made" >> wrong
sed 's/,/;/' two.csv > form1; sed 's/,/	/; s/$/\r/' two.csv > form2; sed 's/,/   /; s/^/ /' two.csv > form3; printf '%s\n\n\n' "$(cat two.csv)" > form4; printf %s "$(cat two.csv)" > form5
{ printf '\357\273\277"left","right"\r\n'; cat two.csv; } > form6; { echo '# left, right'; cat two.csv; } > form7; sed 's/^/2024-01-01 10:00,/; s/$/,"a, b"/' two.csv > form8
for i in 1 2 3 4 5; do run 0 "$bin/stream_rls" file=form$i out=; same out whole; done
numbers whole > want
for i in 6 7; do run 0 "$bin/stream_rls" file=form$i out=; numbers out > o; same o want; has out 'left   '; has out 'right   '; done
run 0 "$bin/stream_rls" file=form8 ignore=1,4 out=; numbers out > o; same o want
run 0 "$bin/stream_rls" file=form6 targets=right out=; numbers out | head -n 1 > o; sed -n 2p want | cmp o - >> wrong; ! grep -q '^left' out || echo "left is predicted too" >> wrong
run 0 "$bin/stream_rls" file=form6 targets=2,left out=; numbers out > o; { sed -n 2p want; sed -n 1p want; } > w; head -n 2 o | cmp - w >> wrong
check "stream_rls: standard input, header, separators, line ends, columns left out: the same numbers"

# The first row three times, for columns count from it.
{ sed -n '1p;1p' two.csv; cat two.csv; } > four.csv
awk -F, 'NR > 2 { print $1 "," $2 "," a "," b "," c "," d } { c = a; d = b; a = $1; b = $2 }' four.csv > form9
run 0 "$bin/stream_rls" file=four.csv lags=3 predictions=p5.csv out=
run 0 "$bin/stream_rls" file=form9 targets=1,2 predictions=p6.csv out=
sed 1d p5.csv | cut -d, -f2,3 > p; sed 1d p6.csv | cut -d, -f2,3 > want; near p want 1e-9
[ "$(sed -n 2p p5.csv | cut -d, -f1)" = 4 ] || sed -n 2p p5.csv >> wrong
check "stream_rls: lags=3 is a series with two earlier rows in every row"

# Far from 0: sums in double still tell the rows apart, and an exact line is followed exactly.
awk -F, '{ printf "%.17g,%.17g\n", $1 + 1e8, $2 - 3e8 }' two.csv > far.csv
for options in "" "lags=2 gamma=0.97" "toward=zero window=40" "intercept=0 targets=2"; do
    run 0 "$bin/stream_rls" file=two.csv $options out=; numbers out > want
    run 0 "$bin/stream_rls" file=far.csv $options predictions=p7.csv out=; numbers out > o; near o want 1e-6
done
awk -F, '{ printf "%d,%s\n", 1700000000 + 60 * NR, $0 }' two.csv > clock.csv; head -n 300 clock.csv > part1; tail -n +301 clock.csv > part2
run 0 "$bin/stream_rls" file=clock.csv predictions=p7.csv out=; summary out > whole; awk '$1 == 1 && $3 != 60 || $1 == 1 && $2 > 6' whole >> wrong
tail -n 1 p7.csv | awk -F, '{ d = $2 - 1700000000 - 60 * 601; if (d > 1 || d < -1) print "the clock of row 601: " $2 }' >> wrong
run 0 "$bin/stream_rls" file=part1 save=state out=; run 0 "$bin/stream_rls" file=part2 load=state out=; summary out > o; near o whole 1e-6
# What no double can hold all the same: 1e40 beside 1; a column and its double.
awk -F, '{ printf "%s,%.17g\n", $0, 1e40 * $2 * NR }' two.csv > wide.csv
run 1 "$bin/stream_rls" file=wide.csv predictions=p7.csv ridge=1e-30 out= save=none-yet; has err 'wide.csv: no prediction of row '; has err 'a larger ridge'; has err 'ignore='
! grep -qi 'nan\|inf' p7.csv out || echo "nan among predictions or in the table" >> wrong; [ ! -e none-yet ] || echo "nan was saved" >> wrong
awk -F, '{ printf "%.9g,%.9g\n", 1e8 * $1, 2e8 * $1 }' two.csv > twice.csv
run 1 "$bin/stream_rls" file=twice.csv predictions=p7.csv out= save=none-yet; has err 'twice.csv: no prediction of row '; [ ! -s out ] && [ ! -e none-yet ] || echo "a table or a state" >> wrong
run 1 "$bin/stream_rls" file=twice.csv predictions=p7.csv errors=1 out=; has err 'twice.csv: no prediction of row '
run 0 "$bin/stream_rls" file=twice.csv ignore=2 out=; run 0 "$bin/stream_rls" file=twice.csv ridge=1e12 out=
check "stream_rls: columns count from the first row; what is not finite ends it with the row's number"

for options in "" "gamma=0.97 lags=4" "window=50 targets=2" "lags=2 intercept=0 toward=zero errors=1"; do
    run 0 "$bin/stream_rls" file=two.csv $options predictions=p1.csv out=; summary out > whole; sed 1d p1.csv > want
    for cut in 5 299 599; do
        head -n $cut two.csv > part1; tail -n +$((cut + 1)) two.csv > part2
        run 0 "$bin/stream_rls" file=part1 $options predictions=p2.csv save=state out=
        cp p2.csv p3.csv; cp state before
        run 0 "$bin/stream_rls" file=part2 $options predictions=p3.csv load=state save=state out=; has err 'state after row 600: state'
        summary out > o; near o whole 1e-9
        sed 1d p3.csv > p; near p want 1e-7
        cut -d, -f1 p3.csv > p; cut -d, -f1 p1.csv | cmp p - >> wrong                   # every row once, and one line of names
        run 0 "$bin/stream_rls" file=part2 $options predictions=- load=before out=; cat p2.csv out | cmp - p3.csv >> wrong
    done
done
check "stream_rls: a series in two parts, saved and loaded, is the series in one"

cp state kept
refused() { # refused TEXT OPTION...: with what was saved last and these options; nothing changes
    text=$1; shift
    run 1 "$bin/stream_rls" lags=2 intercept=0 toward=zero errors=1 predictions=p4.csv load=state save=state out=typo "$@" 2> err; has err "$text"
    same state kept
}
refused "expected 'lags=3'" file=part2 lags=3
refused "expected 'toward=last'" file=part2 toward=last
cut -d, -f1-3 form9 > three; refused "expected '3 columns'" file=three
refused 'mesaopt.gamma' file=part2 gamma=0.5
refused "'ridge=1', expected 'ridge=0.5'" file=part2 ridge=0.5
refused 'none: opening: No such file' file=part2 load=none
refused 'empty, expected rows' file=/dev/null
sed 's/,/,x/' part2 > bad.csv; refused "bad.csv:1: 'x" file=bad.csv
damaged() { sed "$1" kept > other; cmp -s other kept && echo "nothing was damaged by $1" >> wrong; refused "$2" file=part2 load=other; }
damaged 's/600 rows, 598 scored/599 rows, 597 scored/' 'other: damaged: a note of 597 predicted rows with a state of 598'
damaged 's/598 scored\\u000a./598 scored\\u000ax/' 'other: damaged: expected a finite number'
damaged 's/600 rows/6x0 rows/' 'other: damaged: expected the numbers of rows'
damaged 's/stream_rls 3/stream_rls 2/' "other: 'stream_rls 2', expected 'stream_rls 3'"
damaged 's/"stream_rls"/"stream-rls"/' 'other: without the note stream_rls'
damaged 's/u000aridge=/u000arigde=/' 'expected ridge='
head -c 300 kept > other; refused MESAOPT_E_FORMAT file=part2 load=other
# the ridge of a state stays, and may be told once more
run 0 "$bin/stream_rls" file=two.csv ridge=0.3 out=; summary out > whole; head -n 299 two.csv > part1; tail -n +300 two.csv > part2
for ridge in ridge=0.3 ''; do
    run 0 "$bin/stream_rls" file=part1 ridge=0.3 save=s3 out=
    run 0 "$bin/stream_rls" file=part2 $ridge load=s3 save=s3 out=; summary out > o; near o whole 1e-9; has s3 'ridge=0.3'
done
rm -rf typo
check "stream_rls: other keys, other columns, damaged states, bad rows: refused, and the state is as it was"

bad() { # bad TEXT ROWS: refused with this text, and with the file's name
    printf "$2" > bad.csv
    run 1 "$bin/stream_rls" file=bad.csv out=typo overwrite=1 predictions=p.csv; has err "stream_rls: bad.csv$1"
}
bad ':3: '"'south' in column 2, expected a finite number" '1,2\n2,3\n3,south\n4,5\n'
bad ':4: '"'nan' in column 1 (a)" 'a,b\n1,2\n2,3\nnan,4\n'
bad ':2: '"'-inf' in column 1" '1\n-inf\n'
bad ':2: '"'1e999' in column 1, expected at most 1e+50" '1\n1e999\n'
bad ':2: '"'0x10' in column 1" '1\n0x10\n'
bad ':3: column 2 (b) is empty' 'a,b\n1,2\n3,\n'
bad ':3: column 1 is empty' '1,2\n3,4\n,5\n'
bad ':3: 1 columns, expected 2' '1,2\n3,4\n5\n6,7\n'
bad ':3: 3 columns, expected 2' '1,2\n3,4\n5,6,7\n6,7\n'
bad ':3: 3 columns, expected 2' '1 2\n3 4\n5 6 7\n6 7\n'
bad ':3: an empty line' '1,2\n3,4\n\n6,7\n'
bad ':2: a zero byte' '1,2\n3,\0004\n6,7\n'
bad ':1: '"'x' in column 2" '1,x\n3,4\n'
bad ':1: an empty line' '\n1,2\n'
bad ':2: '"'2020-01-01' in column 1 (date), expected a finite number; ignore=date leaves" 'date,a\n2020-01-01,1\n2020-01-02,2\n'
bad ':1: column 1 is empty, expected a number; ignore=1 leaves' ',a,b\n0,1,2\n1,2,3\n'
bad ':1: '"'2020-01-01' in column 1, expected a finite number; ignore=1 leaves" '2020-01-01,1\n2020-01-02,2\n'
bad ':2: '"'x' in column 2 (2nd day), expected a finite number; ignore=2 leaves" 'a,2nd day\n1,x\n'
bad ':2: '"'x' in column 2 (a), expected a finite number; ignore=2 leaves" 'a,a\n1,x\n'
printf 'date,a\n2020-01-01,1\n2020-01-02,2\n' > good.csv; run 0 "$bin/stream_rls" file=good.csv ignore=date out=
printf ',a,b\n0,1,2\n1,2,3\n' > good.csv; run 0 "$bin/stream_rls" file=good.csv ignore=1 out=; has out 'b   '
bad ': empty' ''
bad ': 0 rows, expected at least 2' 'a,b\n'
bad ': 1 row, expected at least 2' '1,2\n'
printf '1,2\n2,3\n3,south\n' > bad.csv; run 1 "$bin/stream_rls" file=bad.csv predictions=p.csv out=; tail -n 1 p.csv | grep -q '^3,' || cat p.csv >> wrong
cp p.csv old.csv; printf 'a,b\n1,x\n' > bad.csv; run 1 "$bin/stream_rls" file=bad.csv predictions=p.csv out=; same p.csv old.csv; printf '1,2\n2,3\n' > good.csv; run 0 "$bin/stream_rls" file=good.csv predictions=p.csv out=; [ "$(lines p.csv)" = 3 ] || cat p.csv >> wrong
[ -s typo/error.csv ] || echo "what came before a bad line is not there" >> wrong; rm -r typo
printf '1,2\nx,3\n' | run 1 "$bin/stream_rls" out=typo overwrite=1; has err 'standard input:2:'
run 1 "$bin/stream_rls" file=none.csv; has err 'none.csv: No such file'
run 1 "$bin/stream_rls" file=.; has err 'cannot read .: Is a directory'
for option in lags=0 targets=c targets=1,1 targets=3 ignore=date ignore=1,2 toward=mean errors=1 every=-1 gamma=2 ridge=0 solver=cg; do
    run 2 "$bin/stream_rls" file=two.csv $option out=typo overwrite=1; has err "${option%%=*}"
done
[ ! -e typo ] || echo "a folder was made" >> wrong
check "stream_rls: text, gaps, changing widths, nan, nothing at all: refused with file, line and column"

# What came before a line that will not do is saved, and one goes on behind it.
run 0 "$bin/stream_rls" file=two.csv lags=2 predictions=p1.csv out=; summary out > whole
for cut in 1 299; do
    for text in south,1 1,2,3 1, ''; do
        { head -n $cut two.csv; echo "$text"; tail -n +$((cut + 1)) two.csv; } > bad.csv; rm -f s4*
        run 1 "$bin/stream_rls" file=bad.csv lags=2 predictions=p.csv save=s4 out=; has err "bad.csv:$((cut + 1)): "; has err "state after row $cut: s4"
        tail -n +$((cut + 1)) two.csv > part2; run 0 "$bin/stream_rls" file=part2 lags=2 load=s4 save=s4 out=; summary out > o; near o whole 1e-9
    done
done
cp s4 kept; run 1 "$bin/stream_rls" file=bad.csv lags=2 load=s4 save=s4 out=; has err 'bad.csv:300'; has err 'state after row 899: s4'
cp kept s4; printf 'x,1\n' > bad.csv; run 1 "$bin/stream_rls" file=bad.csv lags=2 load=s4 save=s4 out=; same s4 kept
check "stream_rls: rows before a bad line are saved, to the last one"

mkfifo pipe
"$bin/stream_rls" file=pipe predictions=- save=live every=2 out=live.out > out 2> err & pid=$!
exec 3<> pipe
echo 'x,y' >&3
for t in 1 2 3 4 5; do
    echo "$t,$((2 * t))" >&3
    for i in $(seq 100); do [ "$(tail -n 1 out | cut -d, -f1)" = $((t + 1)) ] && break; sleep 0.1; done
    [ "$(tail -n 1 out | cut -d, -f1)" = $((t + 1)) ] || echo "no prediction after row $t" >> wrong
done
printf '6,1' >&3                                   # half a row
interrupt $pid
exec 3>&-
has err 'row 3  rmse '; has err 'row 5  rmse '; has err 'stopped after row 5'; has err 'state after row 5: live'; has live.out/error.csv '5,'; ! grep -q '^6,' live.out/error.csv || echo "half a row was taken" >> wrong
grep -q '^x  .*[0-9]$' err || { echo "no table"; cat err; } >> wrong
for names in 'x,y\n' ''; do
    rm -f p.csv; printf "${names}6,12\\n7,14\\n" > rest; run 0 "$bin/stream_rls" file=rest load=live predictions=p.csv out=
    has out 'y   '; has p.csv 'row,x,y'; [ "$(cut -d, -f1 p.csv | tr '\n' ' ')" = 'row 7 8 ' ] || cat p.csv >> wrong
done
printf 'x,z\n6,12\n7,14\n' > rest; run 1 "$bin/stream_rls" file=rest load=live out=; has err "expected 'z'"
check "stream_rls: on a pipe a prediction follows every row at once; Ctrl-C leaves table and state"

# Nothing that is read is written to, and no two outputs are one file, whatever their names.
cp two.csv in.csv; ln -s in.csv link.csv; ln in.csv hard.csv; mkdir -p sub; ln -s fresh to-fresh; ln -s sub/error.csv to-sub; rm -rf typo
for options in 'predictions=in.csv' 'save=in.csv' 'save=./in.csv' 'predictions=sub/../in.csv' 'predictions=link.csv' 'save=hard.csv' \
    'save=fresh predictions=fresh' 'save=fresh predictions=./fresh' 'save=fresh predictions=sub/../fresh' 'save=to-fresh predictions=fresh' 'save=fresh predictions=to-fresh' \
    'load=state predictions=state' 'load=state save=state predictions=state' 'out=sub predictions=sub/error.csv' 'out=sub save=to-sub'; do
    rm -f sub/error.csv; case $options in out=*) ;; *) options="$options out=typo" ;; esac
    cp state kept
    run 2 "$bin/stream_rls" file=in.csv lags=2 intercept=0 toward=zero $options; has err 'expected a file of its own'; same in.csv two.csv; same state kept
done
run 2 sh -c '"$1" save=in.csv out=typo < in.csv' sh "$bin/stream_rls"; has err 'in.csv is that of file= as well'; same in.csv two.csv
run 2 sh -c '"$1" file=in.csv predictions=- out=typo >> in.csv' sh "$bin/stream_rls"; same in.csv two.csv
[ ! -e fresh ] && [ ! -e typo ] || echo "something was made" >> wrong
run 0 "$bin/stream_rls" file=in.csv save=fresh predictions=fresh.csv out=new; run 0 "$bin/stream_rls" file=in.csv load=fresh save=fresh out=
check "stream_rls: input, state, predictions and running error are different files"

# A state that cannot be written in the end is refused before the first row.
printf '1\nx\n' > bad.csv; mkdir -p sub/d
run 1 "$bin/stream_rls" file=bad.csv save=none/s predictions=gone.csv out=typo; has err 'save: cannot write none/s to folder none/: No such file'
run 1 "$bin/stream_rls" file=bad.csv save=two.csv/s out=typo; has err 'save: cannot write two.csv/s'
run 1 "$bin/stream_rls" file=bad.csv save=sub/d out=typo; has err 'not a regular file'
if [ "$(id -u)" != 0 ]; then chmod a-w sub/d; run 1 "$bin/stream_rls" file=bad.csv save=sub/d/s out=typo; has err 'Permission denied'; chmod u+w sub/d; fi
[ ! -e typo ] && [ ! -e gone.csv ] || echo "something was made" >> wrong
for s in run/here/s run/s; do rm -rf run; run 0 "$bin/stream_rls" file=two.csv out=run/here save=$s predictions=$s.csv; [ -s $s ] && [ -s $s.csv ] || echo "no $s" >> wrong; done
check "stream_rls: whether the folder of save= can be written is known before the first row"

mkdir full7; ln -s /dev/full full7/error.csv
run 1 "$bin/stream_rls" file=two.csv out=full7; has err 'full7/error.csv: No space left on device'
run 1 "$bin/stream_rls" file=two.csv out= predictions=/dev/full; has err '/dev/full: No space left on device'
for what in 'out= predictions=/dev/full' 'out=full7 overwrite=1'; do                     # the state of the rows so far is not lost with them
    rm -f st7; run 1 "$bin/stream_rls" file=two.csv $what save=st7; has err 'No space left on device'; n=$(sed -n 's/^state after row \([0-9]*\): st7$/\1/p' err)
    head -n "$n" two.csv > first7; run 0 "$bin/stream_rls" file=first7 out= save=want7; same st7 want7
done
run 1 "$bin/stream_rls" file=two.csv out= save=none/s; has err 'none/s'
for option in out= predictions=-; do
    timeout 120 "$bin/stream_rls" file=two.csv out= $option > /dev/full 2> err && echo "success with a full standard output" >> wrong
    has err 'No space left on device'
done
yes 1,2,3,4 | head -n 1000000 > long.csv
run 0 sh -c 'ulimit -v 24000; "$@"' sh "$bin/stream_rls" file=long.csv threads=1 out=; has out '999999 rows'
check "stream_rls: a full disk is an error; a long file needs no memory"

# ---- long_context ----

long='context=3000 change=500 every=50 heads=2 dim=4 gamma=0.97 ridge=1e-3 noise=0.001'
rm -rf typo
run claims "$bin/long_context" $long prefill=1 out=lc1
for c in 'memory does not grow' 'the time of a token' 'prefill and decoding are one' 'a forget gate keeps up'; do has out "claim: $c"; done
for c in 'memory does not grow' 'prefill and decoding are one' 'a forget gate keeps up'; do grep -A 3 "claim: $c" out | tail -n 1 | grep -qx holds || grep -A 3 "claim: $c" out >> wrong; done
head -n 1 lc1/by_t.csv > head; echo 't,gamma=0.97,gamma=1,us_forgetting,us_without,resident_kb' | cmp head - >> wrong
awk -F, 'NF != 6 || (NR > 1 && ($1 != 50 * (NR - 1) || $6 <= 0)) { print "by_t.csv:" NR ": " $0 } END { if (NR != 61) print "by_t.csv: " NR " lines" }' lc1/by_t.csv >> wrong
# the map is new after every 500 tokens: both are wrong at once, and only the one that forgets is right soon after
awk -F, '$1 > 500 && $1 % 500 == 50 && !($2 > 0.05 && $3 > 0.05) || $1 > 500 && $1 % 500 > 400 && !($2 < 1e-3 && $3 > 0.05) { print "by_t.csv:" NR ": " $0 }' lc1/by_t.csv >> wrong
run claims "$bin/long_context" $long prefill=500 threads=2 out=lc2; cut -d, -f1-3 lc2/by_t.csv | sed 1d > p; cut -d, -f1-3 lc1/by_t.csv | tail -n 50 > want; near p want 1e-4
if command -v gnuplot > /dev/null; then has lc1/by_t.svg 'gamma=0.97'; fi
for option in prefill=501 prefill=0 context=5 heads=0 gamma=2 window=5; do run 2 "$bin/long_context" $long prefill=1 $option out=typo; has err "${option%%=*}"; done
run 2 "$bin/long_context" context=100 prefill=100 out=typo; has err 'prefill'
[ ! -e typo ] || echo "a folder was made" >> wrong
mkdir full6; ln -s /dev/full full6/by_t.csv; run 1 "$bin/long_context" $long prefill=1 out=full6; has err 'full6/by_t.csv: No space left on device'
"$bin/long_context" context=4194304 every=16 out=lc3 > out 2> err & pid=$!
for i in $(seq 300); do [ "$(lines lc3/by_t.csv)" -gt 20 ] && break; sleep 0.1; done
interrupt $pid; at=$(sed -n 's/^stopped after token \([0-9]*\)$/\1/p' err); [ "${at:-0}" -gt 0 ] && ! grep -q MESAOPT err || cat err >> wrong
awk -F, -v at="$at" 'NR > 1 { if (last && $1 != last + 16 && $1 != at || $1 <= last || NF != 6) print "by_t.csv:" NR ": " $0; last = $1 } END { if (last != at) print "by_t.csv ends at " last ", not at " at }' lc3/by_t.csv >> wrong
grep -q "^ *$at  " out || { echo "no row of token $at:"; cat out; } >> wrong
has out 'table: lc3/by_t.csv'; ! grep -q claim: out || echo "claims of half a run" >> wrong
if command -v gnuplot > /dev/null; then has lc3/by_t.svg 'gamma=1'; fi
for data in "context=8192 change=4096" "context=8192 change=4096 heads=1 dim=16 threads=4"; do
    run claims "$bin/long_context" $data out=lc4 overwrite=1; grep -A 3 'claim: memory does not grow' out > grown; tail -n 1 grown | grep -qx holds || cat grown >> wrong
done
check "long_context: constant memory, prefill and decoding as in one pass, the forget gate at work; Ctrl-C leaves table and figure"

echo "Examples: $passed passed, $failed failed"
[ "$failed" = 0 ]
