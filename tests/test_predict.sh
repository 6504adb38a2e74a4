#!/bin/sh
# predict: a model of own_data, row by row, beside what own_data says of whole sequences; files, pipes and states give the same predictions; errors by
# rows ahead against awk. Started by `make check` with O set, after the examples are built. Prints one line per check; the last line counts them.
. tests/example_checks.sh

# 50 sequences of 12 rows of two columns that turn and grow, in units of their own.
awk 'BEGIN { srand(7); for (i = 0; i < 50; i++) { if (i) print ""; a = 3 * rand(); b = 3 * rand(); for (t = 0; t < 12; t++) { c = 0.8 * a - 0.5 * b + 0.1 * rand(); b = 0.5 * a + 0.8 * b; a = c; printf "%.6f,%.6f\n", 100 + 5 * a, 2 * b } } }' > s.csv
awk 'BEGIN { RS = "" } NR > 40 { if (NR > 41) print ""; print }' s.csv > last.csv
for kind in mesa softmax; do
    run 0 "$bin/own_data" file=s.csv kind=$kind layers=2 batch=16 key=4 steps=30 every=10 dtype=f64 out=$kind
    run 0 "$bin/predict" model=$kind/checkpoint.safetensors file=last.csv sequences=1 predictions=$kind.csv out=p_$kind
    awk -F, 'NR > 1 { s += $2; n++ } END { printf "1 %.9g\n", sqrt(s / n) }' $kind/by_t.csv > want
    awk '$1 == 1 && NF == 4 { print 1, $2 }' out > o; near o want 1e-6
    awk -F, 'NR > 1 { s += $3; n++ } END { printf "1 %.9g\n", sqrt(s / n) }' $kind/by_t.csv > want
    awk '$1 == 1 && NF == 4 { print 1, $3 }' out > o; near o want 1e-6
    has out 'root mean square error by rows ahead, 120 rows'; [ "$(lines p_$kind/error.csv)" -gt 10 ] || echo 'no error.csv' >> wrong
done
check "predict: row by row the errors that own_data finds on whole sequences"

grep . last.csv | head -n 40 > rows.csv; m='model=mesa/checkpoint.safetensors out='
run 0 "$bin/predict" $m file=rows.csv predictions=whole.csv; mv out table
[ "$(lines whole.csv)" = 41 ] || echo "$(lines whole.csv) lines" >> wrong
run 0 sh -c 'cat rows.csv | "$@" predictions=piped.csv' sh "$bin/predict" $m; same piped.csv whole.csv; same out table
run 0 sh -c '"$@" predictions=- < rows.csv' sh "$bin/predict" $m; same out whole.csv
head -n 17 rows.csv > one.csv; tail -n +18 rows.csv > two.csv
run 0 "$bin/predict" $m file=one.csv predictions=p.csv save=state; has err 'state after row 17: state'
run 0 "$bin/predict" $m file=two.csv predictions=p.csv load=state save=state; same p.csv whole.csv; has err 'state after row 40'
{ cat one.csv; echo 1,x; } > bad.csv; rm state; run 1 "$bin/predict" $m file=bad.csv save=state; has err "bad.csv:18: 'x' in column 2"; has err 'state after row 17'
run 0 "$bin/predict" $m file=two.csv load=state predictions=p2.csv; tail -n 23 whole.csv | cmp - p2.csv >> wrong
{ cat one.csv; echo 1,x; } > bad.csv; run 1 "$bin/predict" $m file=bad.csv predictions=short.csv; head -n 18 whole.csv | cmp - short.csv >> wrong; has out 'by rows ahead, 17 rows'
check "predict: files, pipes, standard output and states: the same predictions"

# What a file of predictions had before stays until a row has come.
echo old > p.csv; { echo 1,x; cat rows.csv; } > bad.csv; cp p.csv old.csv
run 1 "$bin/predict" $m file=bad.csv header=no predictions=p.csv; has err "bad.csv:1: 'x' in column 2"; same p.csv old.csv; run 1 "$bin/predict" $m file=bad.csv header=no predictions=new.csv; [ ! -e new.csv ] || echo 'new.csv stays' >> wrong
run 0 "$bin/predict" $m file=rows.csv predictions=p.csv; same p.csv whole.csv
check "predict: predictions of before stay where the first row will not do"

# A series in two parts has the errors of the whole, with as many rows ahead; with others they begin anew. What fails at a row leaves table and state.
for h in 1 3; do
    run 0 "$bin/predict" $m file=rows.csv ahead=$h; grep '^[0-9]' out > want
    run 0 "$bin/predict" $m file=one.csv ahead=$h save=half; run 0 "$bin/predict" $m file=two.csv ahead=$h load=half; has out 'by rows ahead, 40 rows'; grep '^[0-9]' out > o; same o want
done
run 0 "$bin/predict" $m file=two.csv load=half; has err 'half: of ahead=3: errors are counted from here'
run 2 "$bin/predict" $m file=one.csv ahead=900 save=s; has err 'ahead:'
run 2 "$bin/predict" $m file=one.csv ahead=3 context=400000 save=s; has err "context: '400000', expected at most 335"; [ ! -e s ] || echo 'a state was saved' >> wrong
run 0 "$bin/predict" $m file=one.csv ahead=3 context=335000 save=s; run 0 "$bin/predict" $m file=one.csv context=400000
soft='model=softmax/checkpoint.safetensors out= context=0'
run 0 "$bin/predict" $soft file=rows.csv predictions=want.csv
run 1 "$bin/predict" $soft file=rows.csv capacity=20 save=full predictions=got.csv; has err 'row 21: '; has out 'by rows ahead, 20 rows'; has err 'state after row 20: full'; head -n 21 want.csv | cmp - got.csv >> wrong
tail -n +21 rows.csv > rest.csv; run 0 "$bin/predict" $soft file=rest.csv capacity=60 load=full predictions=got.csv; same got.csv want.csv; has out 'by rows ahead, 40 rows'
check "predict: errors go on with the state; a row that the model cannot take leaves table, predictions and state"

# Columns go by the names of the training; files without names have those.
{ echo '"tem""p, C",hill'; cat s.csv; } > named.csv; { echo '"tem""p, C",hill'; cat rows.csv; } > good.csv; { echo 'hill,"tem""p, C"'; cat rows.csv; } > swapped.csv; sed 's/,/,7,/' rows.csv | sed '1i "tem""p, C",day,hill' > more.csv
run 0 "$bin/own_data" file=named.csv layers=2 batch=16 key=4 steps=30 every=10 dtype=f64 out=named; n='model=named/checkpoint.safetensors out='
run 0 "$bin/predict" $n file=good.csv predictions=p; run 0 "$bin/predict" $n file=more.csv ignore=day predictions=q; same p q; run 0 "$bin/predict" $n file=rows.csv predictions=q; tail -n +2 p > o; tail -n +2 q | cmp - o >> wrong
run 1 "$bin/predict" $n file=swapped.csv; has err "swapped.csv: 'hill' is column 1 of those that are used, expected 'tem\"p, C', as named/checkpoint.safetensors was trained"
run 1 "$bin/predict" $n file=more.csv; has err "more.csv: 'day' is column 2 of those that are used, expected 'hill'"; run 0 "$bin/predict" $m file=swapped.csv
check "predict: columns of another name or order are refused by name"

# Beyond the rows that it was trained on a model begins anew from the last half of them: as it would in a file that begins there.
tail -n +7 rows.csv > late.csv
for kind in mesa softmax; do
    run 0 "$bin/predict" model=$kind/checkpoint.safetensors out= file=late.csv context=0 predictions=late; run 0 "$bin/predict" model=$kind/checkpoint.safetensors out= file=rows.csv context=12 predictions=anew
    awk -F, '$1 > 7 && $1 < 14 { print $3, $4 }' late > want; awk -F, '$1 > 13 && $1 < 20 { print $3, $4 }' anew > o; near o want 1e-9
    run 0 "$bin/predict" model=$kind/checkpoint.safetensors out= file=rows.csv context=0 predictions=all; awk -F, '$1 == 14 { print $3, $4 }' all > o; awk -F, '$1 == 14 { print $3, $4 }' anew | cmp -s - o && echo 'rows before the last half are still seen' >> wrong
done
run 2 "$bin/predict" $m file=rows.csv context=1; has err 'context:'
check "predict: a model begins anew where its training ended"

# Errors by rows ahead, from the predictions and the rows themselves; the first of each is what ahead=1 says.
run 0 "$bin/predict" $m file=rows.csv ahead=5 predictions=five.csv; awk -F, '$2 == 1 || NR == 1' five.csv | cmp - whole.csv >> wrong
awk '/^[1-5] / { print $2, $3 }' out > o
awk -F, 'FNR == NR { x[FNR] = $1; y[FNR] = $2; n = FNR; next } FNR > 1 && $1 <= n { h = $2; e[h] += ($3 - x[$1]) ^ 2 + ($4 - y[$1]) ^ 2; p[h] += (x[$1 - h] - x[$1]) ^ 2 + (y[$1 - h] - y[$1]) ^ 2; c[h] += 2 }
    END { for (h = 1; h <= 5; h++) printf "%.9g %.9g\n", sqrt(e[h] / c[h]), sqrt(p[h] / c[h]) }' rows.csv five.csv > want; near o want 1e-5
run 0 "$bin/predict" model=mesa/checkpoint.safetensors file=rows.csv ahead=5 out=five; [ "$(lines five/ahead.csv)" = 6 ] || echo 'no ahead.csv' >> wrong
check "predict: errors by rows ahead, in closed loop"

# An outlier makes the loop of a linear layer run away, x to x^3: fewer rows ahead until it is forgotten, also through a state; what was not said is not scored.
run 0 "$bin/own_data" file=s.csv kind=linear layers=1 batch=16 key=4 steps=30 every=10 dtype=f64 out=linear
l='model=linear/checkpoint.safetensors out= ahead=5'; awk 'NR == 16 { $0 = "1e40,1e40" } 1' rows.csv > far.csv
run 0 "$bin/predict" $l file=far.csv predictions=far; has err "note: row 16: the model's own predictions run away after 1 rows ahead, out of 5"; grep '^[0-9]' out > table
[ "$(grep -c '^17,1,' far)$(grep -c '^18,2,' far)$(grep -c '^45,5,' far)" = 101 ] || grep -n '^1[78],' far >> wrong
awk -F, 'FNR == NR { x[FNR] = $1; y[FNR] = $2; n = FNR; next } FNR > 1 && $1 <= n { h = $2; e[h] += ($3 - x[$1]) ^ 2 + ($4 - y[$1]) ^ 2; c[h] += 2 }
    END { for (h = 1; h <= 5; h++) printf "%.9g\n", sqrt(e[h] / c[h]) }' far.csv far > want; awk '{ print $2 }' table > o; near o want 1e-5
head -n 16 far.csv > one; tail -n +17 far.csv > two; run 0 "$bin/predict" $l file=one save=loop; run 0 "$bin/predict" $l file=two load=loop; grep '^[0-9]' out > o; same o table
check "predict: a closed loop that runs away has fewer predictions, and none of another row"

# Predictions of sequences bear the numbers of the sequence and of the row in it, which joins them with rows that came: the program's own error.
run 0 "$bin/predict" model=mesa/checkpoint.safetensors out=new/here predictions=new/here/p.csv file=last.csv sequences=1; [ -s new/here/p.csv ] && [ -s new/here/error.csv ] || ls -R new >> wrong
run 1 "$bin/predict" model=mesa/checkpoint.safetensors out= file=last.csv; has err 'an empty line, expected'; has err '; sequences=1: it ends a sequence'
run 0 "$bin/predict" model=mesa/checkpoint.safetensors out= file=last.csv sequences=1 ahead=2 predictions=of; grep '^2 ' out | awk '{ print 1, $2 }' > o; [ "$(head -n 1 of)" = "$(echo sequence,row,ahead,$(head -n 1 whole.csv | cut -d, -f3-))" ] || head -n 1 of >> wrong
awk -F, 'FNR == NR && /^$/ { s++; t = 0; next } FNR == NR { x[s + 1, ++t] = $1; y[s + 1, t] = $2; next } FNR > 1 && $3 == 2 && ($1, $2) in x { e += ($4 - x[$1, $2]) ^ 2 + ($5 - y[$1, $2]) ^ 2; n += 2 } END { printf "1 %.9g\n", sqrt(e / n) }' last.csv of > want; near o want 1e-5
awk 'BEGIN { RS = "" } NR <= 4 { if (NR > 1) print ""; print } END { print "" }' last.csv > a; awk 'BEGIN { RS = "" } NR > 4 { if (NR > 5) print ""; print }' last.csv > b
run 0 "$bin/predict" model=mesa/checkpoint.safetensors out= file=a sequences=1 ahead=2 predictions=of2 save=half; run 0 "$bin/predict" model=mesa/checkpoint.safetensors out= file=b sequences=1 ahead=2 predictions=of2 load=half; same of2 of
check "predict: predictions of sequences can be joined with their rows"

# Two parts are the whole wherever a file with names is cut, within a sequence or where a gap holds the value before; ids may be empty or any bytes.
parts() {            # parts FILE CUT OPTION...
    whole=$1 cut=$2; shift 2
    head -n $cut $whole > one; { head -n 1 $whole; tail -n +$((cut + 1)) $whole; } > two
    run 0 "$bin/predict" $m ahead=2 "$@" file=$whole predictions=want; grep '^[0-9]' out > table; rm -f got
    run 0 "$bin/predict" $m ahead=2 "$@" file=one predictions=got save=st; run 0 "$bin/predict" $m ahead=2 "$@" file=two predictions=got load=st; same got want; grep '^[0-9]' out > o; same o table
}
{ echo a,b; awk 'BEGIN { RS = "" } NR <= 3 { if (NR > 1) print ""; print }' last.csv; } > blanks; awk 'NR == 1 { print "name," $0; next } NF == 0 { s++; next } { print (s == 0 ? "caf\351" : s == 1 ? "" : "s 2") "," $0 }' blanks > ids
awk -F, -v OFS=, 'NR == 8 || NR == 14 { $3 = "" } NR == 9 { $2 = "" } 1' ids > gaps
for cut in 6 13 14 15 20; do parts blanks $cut sequences=1; parts ids $cut sequences=1 id=name; done
for cut in 7 8 10 13 14; do parts gaps $cut sequences=1 id=name missing=hold; parts gaps $cut ignore=name missing=hold; done
LC_ALL=C sed 's/predict 5/predict 4/' st > old; run 1 "$bin/predict" $m file=rows.csv load=old; has err "old: 'predict 4', expected a state 'predict 5'"
run 2 "$bin/predict" $m file=ids id=name; has err "id: 'name', expected sequences=1 as well"
check "predict: sequences and held values go on with the state"

# What is read is not written to, and no two outputs are one file.
cp mesa/checkpoint.safetensors model.kept; cp rows.csv ahead.csv; ln -s mesa/checkpoint.safetensors to-model
for options in predictions=mesa/checkpoint.safetensors save=./mesa/checkpoint.safetensors save=to-model predictions=to-model; do
    run 2 "$bin/predict" $m file=rows.csv $options; has err 'mesa/checkpoint.safetensors is that of model= as well'; same mesa/checkpoint.safetensors model.kept
done
run 2 "$bin/predict" model=mesa/checkpoint.safetensors file=ahead.csv out=.; has err 'out: '; has err './ahead.csv is that of file= as well'; same ahead.csv rows.csv; run 2 "$bin/predict" model=mesa/checkpoint.safetensors file=rows.csv out=written predictions=written/ahead.csv; has err 'is that of predictions= as well'
[ ! -e written ] || echo 'a folder was made' >> wrong
check "predict: model, rows, state, predictions and tables are different files"

# The last row is reported once.
run 0 "$bin/predict" model=mesa/checkpoint.safetensors file=rows.csv every=1 out=curve; cut -d, -f1 curve/error.csv > o; { echo row; seq 2 40; } | cmp - o >> wrong; [ "$(grep -c 'row 40  ' err)" = 1 ] || tail -n 5 err >> wrong
run 0 "$bin/predict" model=mesa/checkpoint.safetensors file=rows.csv every=7 out=curve overwrite=1; [ "$(tail -n 1 curve/error.csv | cut -d, -f1)" = 40 ] || cat curve/error.csv >> wrong
check "predict: every row of the running error once"

# Learned positions: as many rows as there are, less those ahead.
run claims "$bin/train" seeds=1 dim=2 length=11 tokens=raw 'blocks=dense(outputs=4); softmax(heads=1,key=4,pe=qk,positions=learned,longest=11); dense(outputs=2)' batch=16 steps=2 test=32 final=64 every=1 out=learned; l="model=$(ls learned/*checkpoint*) out= file=rows.csv"
run 0 "$bin/predict" $l; run 0 "$bin/predict" $l ahead=5; run 2 "$bin/predict" $l ahead=5 context=8; has err "context: '8', expected at most 7, the learned positions less the rows ahead"; run 2 "$bin/predict" $l ahead=11; has err 'ahead:'
check "predict: no more rows at once than a model has learned positions for"

# Pairs behind a prompt: as if its vectors stood among the rows of the file. Errors are those of y, persistence says the y before; parts have those of the whole.
vectors() {       # vectors FILE NAME N: those of a prompt, a line of N numbers each
    head=$(od -An -t u8 -N 8 "$1" | tr -d ' ')
    range=$(tail -c +9 "$1" | head -c "$head" | grep -ao "\"$2\":{[^}]*}" | sed 's/.*offsets":\[//; s/\].*//')
    od -An -v -t f8 -w$((8 * $3)) -j $((8 + head + ${range%,*})) -N $((${range#*,} - ${range%,*})) "$1" | sed 's/^ *//; s/  */,/g'
}
run claims "$bin/few_shot" recipe=tf3 width=8 heads=2 key=4 batch=16 length=30 dim=3 test=32 steps=20 sequences=64 vectors=2 switch=14 tune_batch=8 threads=1 updates=3 out=few
f='model=few/checkpoint.safetensors out= pairs=1' prompt=few/prompt.safetensors
awk 'BEGIN { srand(3); for (i = 0; i < 24; i++) printf "%.6f,%.6f,%.6f\n", 2 * rand() - 1, 2 * rand() - 1, 2 * rand() - 1 }' > xy.csv
vectors $prompt prefix 3 > prefix; separator=$(vectors $prompt separator 3); [ "$(lines prefix)" = 2 ] || cat prefix >> wrong
{ cat prefix; awk -v s="$separator" '{ print } NR % 2 == 0 { print s }' xy.csv; } > literal.csv
run 0 "$bin/predict" model=few/checkpoint.safetensors out= context=0 file=literal.csv predictions=all; awk -F, 'NR > 1 && $1 % 3 == 1 { print $3, $4, $5 }' all > want
run 0 "$bin/predict" $f context=0 file=xy.csv prompt=$prompt predictions=p; awk -F, 'NR > 1 { print $3, $4, $5 }' p > o; [ "$(lines o)" = 12 ] || cat p >> wrong; head -n 12 want > w; near o w 1e-5
awk '$1 == 1 && NF == 4 { print $2, $3 }' out > o
awk -F, 'FNR == NR { for (j = 1; j <= 3; j++) x[FNR, j] = $j; next } FNR > 1 { for (j = 1; j <= 3; j++) { e += ($(2 + j) - x[$1, j]) ^ 2; d += (x[$1, j] - x[$1 - 2, j]) ^ 2 } n += 3 } END { printf "%.9g %.9g\n", sqrt(e / n), sqrt(d / n) }' xy.csv p > want; near o want 1e-5
{ awk -v s="$separator" '{ print } NR % 2 == 0 { print s }' xy.csv; } > literal.csv; run 0 "$bin/predict" model=few/checkpoint.safetensors out= context=0 file=literal.csv predictions=all; awk -F, 'NR > 1 && $1 % 3 == 2 { print $3, $4, $5 }' all > want
run 0 "$bin/predict" $f context=0 file=xy.csv prompt=$prompt prefix=0 predictions=q; awk -F, 'NR > 1 { print $3, $4, $5 }' q > o; head -n 12 want > w; near o w 1e-5
run 0 "$bin/predict" $f context=20 file=xy.csv prompt=$prompt predictions=p                           # 6 pairs, then from the last 3 of them
tail -n +7 xy.csv > late.csv; run 0 "$bin/predict" $f context=0 file=late.csv prompt=$prompt predictions=q; awk -F, '$1 == 8 { print $3, $4, $5 }' q > want; awk -F, '$1 == 14 { print $3, $4, $5 }' p > o; near o want 1e-5
for cut in 2 5 12 13; do
    head -n $cut xy.csv > one; tail -n +$((cut + 1)) xy.csv > two
    run 0 "$bin/predict" $f context=20 file=one prompt=$prompt predictions=q save=st; run 0 "$bin/predict" $f context=20 file=two prompt=$prompt predictions=q load=st; same q p
done
run 1 "$bin/predict" $f context=20 file=two prompt=$prompt prefix=0 load=st; has err 'st: of other pairs, prefix, separator or prompt'
run 1 "$bin/predict" model=few/checkpoint.safetensors out= context=20 file=two load=st; has err 'st: of other pairs'
run 2 "$bin/predict" $f file=xy.csv ahead=2; has err 'ahead: '; run 2 "$bin/predict" $f file=xy.csv prefix=1; has err 'prompt: '; run 2 "$bin/predict" $m file=rows.csv separator=1 prompt=$prompt; has err 'separator: '
run 2 "$bin/predict" $f file=xy.csv prompt=$prompt context=7; has err "context: '7', expected 0, or at least 8"; run 1 "$bin/predict" $m file=rows.csv prompt=$prompt; has err "$prompt: prefix of 3 numbers, expected the 2 of a row"
run 1 "$bin/predict" $f file=xy.csv prompt=few/checkpoint.safetensors; has err 'expected one of a prompt'
cp $prompt kept; run 2 "$bin/predict" $f file=xy.csv prompt=$prompt predictions=$prompt; has err "$prompt is that of prompt= as well"; same $prompt kept
check "predict: pairs, and the vectors of a prompt before and between them"

# A full disk for predictions or tables loses no state.
run 0 "$bin/predict" $m file=rows.csv save=want; mkdir full_out; ln -s /dev/full full_out/error.csv
for what in 'out= predictions=/dev/full' out=full_out; do
    rm -f st; run 1 "$bin/predict" model=mesa/checkpoint.safetensors file=rows.csv $what save=st; has err 'No space left on device'; has err 'state after row 40: st'; same st want
done
check "predict: a file that cannot be written loses no state"

soft='model=softmax/checkpoint.safetensors out='
run 1 "$bin/predict" $soft file=rows.csv capacity=20 context=0; has err 'sequences of 11 rows'; has err 'row 21: '; has err 'expected at most 20 in all (capacity, longest, positions)'
run 0 "$bin/predict" $soft file=rows.csv capacity=40 ahead=4
run 1 "$bin/predict" $m file=s.csv; has err 'an empty line'
cut -d, -f1 rows.csv > narrow.csv; run 1 "$bin/predict" $m file=narrow.csv; has err '1 columns of numbers, expected the 2'
run 2 "$bin/predict" file=rows.csv out=; has err 'model:'; run 1 "$bin/predict" model=none file=rows.csv out=; has err 'none: '
run 1 "$bin/predict" $soft file=rows.csv load=state; has err 'state: blocks'; run 1 "$bin/predict" $m file=rows.csv load=mesa/checkpoint.safetensors; has err "expected 'decoder'"
run 2 "$bin/predict" $m file=rows.csv ahead=0; has err 'ahead'; : > empty; run 1 "$bin/predict" $m file=empty; has err 'empty'
run 1 "$bin/predict" $m file=rows.csv predictions=/dev/full; has err '/dev/full: No space left on device'
(cat rows.csv; sleep 30) | "$bin/predict" $m save=stopped > out 2> err & sleep 2; pid=$!; interrupt $pid; has err 'stopped after row 40'; [ -s stopped ] || echo 'no state' >> wrong
[ ! -e predict.out ] || echo "a folder was made" >> wrong
check "predict: what will not do is refused by its name; Ctrl-C leaves a state"

echo "Predict: $passed passed, $failed failed"
[ "$failed" = 0 ]
