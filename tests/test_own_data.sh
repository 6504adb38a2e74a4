#!/bin/sh
# own_data: what it reads, the scale of its columns, its predictors against awk, and a series in degrees that it predicts better than persistence does.
# Started by `make check` with O set, after the examples are built. Prints one line per check; the last line counts them.
. tests/example_checks.sh

own='batch=16 key=4 steps=20 every=10'
printf 'a\0b\n1\n' > no_table; run 1 "$bin/own_data" file=no_table; has err 'no_table: a control character in its first line, expected a table'
run 1 "$bin/probe_layers" model=no_table; has err 'too few for a safetensors file'
printf 'no safetensors file, but a text\n' > no_weights; run 1 "$bin/probe_layers" model=no_weights; has err 'expected a safetensors file, which has'
run 0 "$bin/own_data" make=s.csv count=20 dim=2 length=6
run 0 "$bin/own_data" file=s.csv $own out=own1; has out '16 sequences of 7 rows and 2 columns to train on, 4 held out'; has out persistence; has out lsq_intercept; has out "the model's error is"
awk 'NF { print "s" n + 0 "," $0 "\r" } !NF { n++ }' s.csv > ids.csv
run 0 "$bin/own_data" file=ids.csv id=1 $own out=own2
same own1/by_t.csv own2/by_t.csv; same own1/loss.csv own2/loss.csv
check "own_data: blank lines or names between the sequences"

cp s.csv before.csv; run 2 "$bin/own_data" make=s.csv count=30; has err "make: 's.csv', expected a file that is not there yet, or overwrite=1"; same s.csv before.csv
run 0 "$bin/own_data" make=s.csv count=20 dim=2 length=6 overwrite=1; same s.csv before.csv
awk 'NF { print "1,2" } !NF' s.csv > constant.csv; run 0 "$bin/own_data" file=constant.csv $own out=constant
has out 'no share of it can be told'; if grep -n nan out constant/*.csv >> wrong; then :; fi
# with a standard stream closed: no message in a table
"$bin/own_data" file=s.csv $own out=closed > /dev/null 2>&- < /dev/null; same own1/loss.csv closed/loss.csv
"$bin/own_data" file=s.csv $own out=closed2 2> err >&-; [ $? = 1 ] || echo "standard output is closed: $?" >> wrong; has err 'cannot write to standard output'; same own1/loss.csv closed2/loss.csv
check "own_data: files that are there stay, columns without change, closed standard streams"

bad() { # bad LINE AWK-ACTION TEXT: the file with line LINE changed is refused with file:line and this text
    awk "NR == $1 { $2 } 1" s.csv > bad.csv
    run 1 "$bin/own_data" file=bad.csv $own out=own3; has err "bad.csv:$3"
}
bad 9 '$0 = "0.1,south"' "9: 'south' in column 2, expected a finite number"
bad 10 '$0 = "nan,0.1"' "10: 'nan' in column 1"
bad 10 '$0 = "1e999,0.1"' "10: '1e999' in column 1"
bad 11 '$0 = "0.1,"' "11: column 2 is empty"
bad 12 '$0 = "0.1"' '12: 1 columns, expected 2 as in the first line'
bad 13 '$0 = "0.1,0.2,0.3"' '13: 3 columns, expected 2'
bad 2 '$0 = ""' '1: a sequence of 1 row ends here, expected at least 2'
head -n 5 s.csv > bad.csv; run 1 "$bin/own_data" file=bad.csv $own out=own3; has err 'bad.csv: 1 sequence, expected at least 2'
: > bad.csv; run 1 "$bin/own_data" file=bad.csv $own out=own3; has err 'bad.csv: empty'
run 1 "$bin/own_data" file=none.csv $own out=own3; has err 'none.csv: No such file'
[ ! -e own3 ] || echo "a folder was made" >> wrong
check "own_data: text, gaps, ragged rows and short sequences are refused with file and line"

# Two stations, monthly, in degrees: a cycle of 12 months, a slow trend, noise; 60 windows of 24 months.
awk 'BEGIN { srand(11); print "month;coast;hill"; for (t = 0; t < 1440; t++) { for (s = 0; s < 2; s++) { e[s] = 0.3 * e[s] + rand() + rand() + rand() + rand() - 2
    x[s] = 10 - 2 * s + 0.002 * t - (5 + 4 * s) * cos(6.283185307 * t / 12 + 0.3 * s) + e[s] } printf "%d;%.1f;%.1f\n", t, x[0], x[1] } }' | sed 's/\./,/g' > degrees.csv
run 0 "$bin/own_data" file=degrees.csv ignore=month window=24 threads=1 out=degrees
has out '48 sequences of 24 rows and 2 columns to train on, 12 held out'; has out 'coast '; has degrees/columns.csv 'hill,'
sed -n "s/^the model's error is \([0-9.e-]*\) of persistence's.*/\1/p" out > share
awk '!($1 > 0 && $1 < 0.5) { print "share of persistence: " $1 }' share >> wrong; [ -s share ] || echo 'no share' >> wrong
# persistence by t, means and deviations of the part that is trained on, from the file itself
tr ',;' '.,' < degrees.csv | awk -F, 'NR > 1 { i = NR - 2; t = i % 24; if (i < 1152) { for (s = 2; s < 4; s++) { m[s] += $s / 1152; q[s] += $s * $s / 1152 } }
    if (i >= 1152 && t > 0) e[t] += (($2 - a) ^ 2 + ($3 - b) ^ 2) / 2 / 12; a = $2; b = $3 }
    END { for (t = 1; t < 24; t++) printf "%.9g\n", e[t] > "want"; for (s = 2; s < 4; s++) printf "%.9g,%.9g\n", m[s], sqrt(q[s] - m[s] ^ 2) > "scale" }'
head -n 1 degrees/by_t.csv > head; echo t,model,persistence,gd,lsq,lsq_intercept | cmp head - >> wrong
tail -n +2 degrees/by_t.csv | cut -d, -f3 > p; near p want 1e-6; tail -n +2 degrees/columns.csv | cut -d, -f2,3 > p; near p scale 1e-6
check "own_data: monthly temperatures in degrees are predicted better than by persistence, without any setting"

# Sequences of 3 to 9 rows: persistence and means from the file itself, errors count by row; the end of a file is no end of a sequence's rows.
awk 'BEGIN { srand(5); for (i = 0; i < 40; i++) { if (i) print ""; for (t = 0; t < 3 + i * 5 % 7; t++) { x = 0.8 * x + rand() - 0.5; printf "%.6f,%.6f\n", 50 + x, 2 * x + rand() } } }' > ragged.csv
run 0 "$bin/own_data" file=ragged.csv $own out=ragged; has out '32 sequences of up to 9 rows and 2 columns to train on, 8 held out'
awk -F, '!NF { i++; t = 0; next } { if (i < 32) { for (s = 1; s < 3; s++) { m[s] += $s; q[s] += $s * $s } n++ } else { if (t > 0) { e[t] += (($1 - a) ^ 2 + ($2 - b) ^ 2) / 2; c[t]++ } } a = $1; b = $2; t++ }
    END { for (t = 1; t < 9; t++) printf "%.9g\n", e[t] / c[t] > "want"; for (s = 1; s < 3; s++) printf "%.9g,%.9g\n", m[s] / n, sqrt(q[s] / n - (m[s] / n) ^ 2) > "scale" }' ragged.csv
tail -n +2 ragged/by_t.csv | cut -d, -f3 > p; near p want 1e-6; tail -n +2 ragged/columns.csv | cut -d, -f2,3 > p; near p scale 1e-5
check "own_data: sequences of any lengths, every row counts the same"

# In other units errors are in those: x -> 8 x + 4096 and the rest the same. Least squares with an intercept by normal equations, from what is known at t.
tr ',;' '.,' < degrees.csv | awk -F, 'NR > 1 { print 8 * $3 + 4096 }' > units.csv; tr ',;' '.,' < degrees.csv | cut -d, -f3 > one.csv
few='window=24 batch=16 key=4 heads=1 steps=20 every=10 dtype=f64'
run 0 "$bin/own_data" file=one.csv $few out=one; ridge=$(sed -n 's/.*lsq_intercept ridge \([0-9.e+-]*\).*/\1/p' out)
run 0 "$bin/own_data" file=units.csv $few out=units
tail -n +2 one/by_t.csv | awk -F, '{ for (i = 2; i <= 6; i++) printf "%.6g\n", 1 }' > ones
paste -d, one/by_t.csv units/by_t.csv | tail -n +2 | awk -F, '{ for (i = 2; i <= 6; i++) printf "%.9g\n", $(i + 6) / $i / 64 }' > p; near p ones 1e-5
tail -n +2 one.csv | awk -v ridge="$ridge" '
    BEGIN { ridge = exp(log(10) * (int(2 * log(ridge) / log(10) + 100.5) - 100) / 2) }           # half powers of ten: what was printed is rounded
    NR <= 1152 { m += $1 / 1152; q += $1 * $1 / 1152 } { x[NR - 1] = $1 }
    END { sd = sqrt(q - m * m)
        for (w = 48; w < 60; w++) { kk = k1 = n = kv = v1 = 0
            for (t = 1; t < 24; t++) { now = (x[24 * w + t - 1] - m) / sd
                if (t > 1) { old = (x[24 * w + t - 2] - m) / sd; kk += old * old; k1 += old; n++; kv += old * now; v1 += now }
                det = (kk + ridge) * (n + ridge) - k1 * k1; a = ((n + ridge) * kv - k1 * v1) / det; b = ((kk + ridge) * v1 - k1 * kv) / det
                e[t] += (x[24 * w + t] - m - sd * (a * now + b)) ^ 2 / 2 / 12 } }
        for (t = 1; t < 24; t++) printf "%.9g\n", e[t] }' > want
tail -n +2 one/by_t.csv | cut -d, -f6 > p; near p want 1e-6
run 0 "$bin/own_data" file=one.csv $few error=mean out=mean; tail -n +2 mean/by_t.csv | cut -d, -f2 > p; tail -n +2 one/by_t.csv | awk -F, '{ printf "%.9g\n", 2 * $2 }' > want; near p want 1e-7
check "own_data: errors in the units of the file; least squares with an intercept are normal equations"

# A resumed run has the scale of its checkpoint. A checkpoint without one, of other columns, or with a damaged one is refused.
run 0 "$bin/own_data" file=one.csv $few steps=10 out=half; cp -r half other
run 0 "$bin/own_data" file=one.csv $few out=half resume=half/checkpoint.safetensors; for f in by_t loss columns; do same half/$f.csv one/$f.csv; done
scale=$(grep -ao '"own_data.scale":"[^"]*"' half/checkpoint.safetensors); [ -n "$scale" ] || echo 'no scale in the checkpoint' >> wrong
blank=$(echo "$scale" | sed 's/:"[^"]*"/:"/'); width=$((${#scale} - ${#blank} - 1))
for text in 'nan 1' '1 0' '1' '1 2 3' 'a b'; do # the same bytes but for this text
    sed "s|$scale|$blank$(printf "%-${width}s" "$text")\"|" half/checkpoint.safetensors > other/checkpoint.safetensors
    run 1 "$bin/own_data" file=one.csv $few out=typo resume=other/checkpoint.safetensors; has err 'own_data.scale'
done
run 0 "$bin/train" seeds=1 batch=4 length=4 dim=1 steps=1 test=4 final=4 out=lsa; run 1 "$bin/own_data" file=one.csv $few out=typo resume=lsa/checkpoint.safetensors; has err 'lsa/checkpoint.safetensors: without means and deviations'; run 2 "$bin/train" model=half/checkpoint.safetensors out=typo; has err "none of one's own sequences"
run 2 "$bin/own_data" file=one.csv $few out=typo separator=1; has err 'separator: needs a prompt'; run 2 "$bin/train" task=regression prefix=2 out=typo; has err 'prefix: needs a prompt'
run 1 "$bin/own_data" file=one.csv $few out=typo resume=none.safetensors; has err 'none.safetensors'
run 1 "$bin/own_data" file=degrees.csv ignore=month $few out=typo resume=half/checkpoint.safetensors; has err "degrees.csv: 'coast' is column 1 of those that are used, expected 'hill', as half/checkpoint.safetensors was trained"
tail -n +2 degrees.csv > plain.csv; run 1 "$bin/own_data" file=plain.csv ignore=1 $few out=typo resume=half/checkpoint.safetensors; has err 'of 2 columns'
[ ! -e typo ] || echo "a folder was made" >> wrong
check "own_data: the scale of the columns stays with the checkpoint"

echo "Own data: $passed passed, $failed failed"
[ "$failed" = 0 ]
