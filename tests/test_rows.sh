#!/bin/sh
# The reader of rows in every program that has one: a file in other clothes gives the same numbers, and what is no table is refused with
# file, line and column. Started by `make check` with O set. Prints one line per check; the last line counts them.
. tests/example_checks.sh

# The same table for both programs: 12 sequences of 5 rows of numbers with 3 decimals for own_data, its rows alone for stream_rls.
awk 'BEGIN { srand(3); for (i = 0; i < 12; i++) { if (i) print ""; for (t = 0; t < 5; t++) printf "%.3f,%.3f\n", 2 * rand() - 1, 2 * rand() - 1 } }' > table
grep . table > rows
own='batch=8 key=2 heads=1 steps=3 every=1 threads=1'
learns() { # learns FOLDER FILE OPTION...: own_data on FILE gives the tables of FOLDER
    to=$1 file=$2; shift 2; rm -rf l
    run 0 "$bin/own_data" file="$file" $own out=l "$@"
    for t in by_t loss; do same l/$t.csv "$to/$t.csv"; done
}
streams() { # streams NUMBERS FILE OPTION...: stream_rls on FILE finds these errors
    to=$1 file=$2; shift 2
    run 0 "$bin/stream_rls" file="$file" out= "$@"; numbers out > found; same found "$to"
}
run 0 "$bin/own_data" file=table $own out=plain
# persistence says that the second row is like the first: the table's first line is half the squares of their differences
awk -F, '!NF { row = 0; next } ++row == 2 && ++sequence > 10 { sum += (($1 - a)^2 + ($2 - b)^2) / 4 } { a = $1; b = $2 } END { printf "1 %.9g\n", sum }' table > want
awk -F, '$1 == 1 { print $1, $3 }' plain/by_t.csv > found; near found want 1e-7
run 0 "$bin/stream_rls" file=rows out=; numbers out > wanted; [ "$(lines wanted)" = 4 ] || echo 'no table' >> wrong

# dressed FIRST-LINE SED-SCRIPT OPTION...: both programs on the table with a first line and behind sed
dressed() {
    first=$1 script=$2; shift 2
    for f in table rows; do { printf "$first"; sed "$script" $f; } > dressed.$f; done
    learns plain dressed.table "$@"; streams wanted dressed.rows "$@"
}
dressed '' ''
dressed 'left,right\n' ''
dressed '# left,right\n' ''
dressed '\357\273\277"left","right,hand"\r\n' 's/$/\r/'
dressed '' 's/,/\t/'
dressed 'left;right\n' 's/,/ ; /'
dressed '' 's/,/   /; s/^\(.\)/ \1/'
dressed 'left|right\n' 's/,/|/' delimiter='|'
check "own_data and stream_rls: header, byte order mark, separators, line ends: the same numbers"

dressed '' 's/\([^,]*\),\(.*\)/"\1","\2"/'
dressed '"left","right"\n' 's/,/","/; s/^\(.\)/"\1/; s/\(.\)$/\1" /'
dressed '' 's/,/;/; s/\./,/g'
dressed 'left\tright\n' 's/,/\t/; s/\./,/g'
dressed 'left;right\n' 's/\([^,]*\),\(.*\)/"\1";"\2"/; s/\./,/g'
dressed '' 's/,/ /; s/\./,/g' delimiter=space
check "quoted numbers, decimal commas"

for f in table rows; do tr '\n' '\r' < $f > dressed.$f; done; learns plain dressed.table; streams wanted dressed.rows
{ printf 'left,right\r'; tr '\n' '\r' < rows; } > dressed.rows; streams wanted dressed.rows; run 0 "$bin/stream_rls" file=dressed.rows out=; has out 'right   '
run 0 sh -c '(printf "left,right\r"; sleep 0.2; printf "\n"; cat rows) | "$1" out=' sh "$bin/stream_rls"; numbers out > found; same found wanted
check "lines that end with CR alone; CR and LF that come apart"

# A header of numbers has to be told of; what might be either is asked for.
dressed '2019,2020\n' '' header=yes
run 0 "$bin/stream_rls" file=dressed.rows header=yes targets=2020 out=; has out '2020   '; numbers out | head -n 1 > found; sed -n 2p wanted > want; same found want
{ echo 2019,2020; cat rows; } > more; run 0 "$bin/stream_rls" file=more out= predictions=p.csv; tail -n 1 p.csv | grep -q '^62,' || echo 'numbers were taken for names' >> wrong
{ echo left,2020; cat rows; } > more; run 1 "$bin/stream_rls" file=more out=; has err "more:1: 'left' in column 1"; has err 'header=yes takes the first line as names'
run 0 "$bin/stream_rls" file=more header=yes out=; numbers out > found; same found wanted
{ echo left,right; cat rows; } > more; run 1 "$bin/stream_rls" file=more header=no out=; has err "more:1: 'left'"
run 2 "$bin/stream_rls" file=more header=perhaps out=; has err "header: 'perhaps', expected yes, no or auto"
check "header=: names that are numbers are told, not guessed"

sed 's/^/2024-01-01 10:00,/; s/$/,"a, ""b"""/' rows > more; streams wanted more ignore=1,4
awk 'NF { print "s" n + 0 "," $0 } !NF { n++ }' table > ids; { echo series,left,right; cat ids; } > named
learns plain ids id=1; learns plain named id=series
awk -F, '{ print $2 "," $1 "," $3 }' named > middle; learns plain middle id=series; learns plain middle id=2
run 2 "$bin/own_data" file=named $own out=typo id=serie; has err "id: 'serie', expected columns by name or number: there is no 'serie' in named, which has 1 (series), 2 (left), 3 (right)"
run 2 "$bin/own_data" file=named $own out=typo ignore=left,4; has err "there is no '4' in named"
run 2 "$bin/stream_rls" file=named ignore=series targets=wright out=; has err "targets: 'wright', expected columns by name or number: there is no 'wright' in named, which has 1 (series)"
sed 1s/right/left/ named > twins; run 2 "$bin/stream_rls" file=twins ignore=series targets=left out=; has err "there is more than one 'left'"
run 0 "$bin/stream_rls" file=twins ignore=series targets=3 out=
{ echo '"a,b","c""d"'; cat rows; } > more; run 0 "$bin/stream_rls" file=more out= predictions=p.csv; head -n 1 p.csv > head; echo 'row,"a,b","c""d"' | cmp head - >> wrong
check "columns by name or number; one that is not there is named, beside those that are"

# Gaps. skip is the file without such rows, hold the file with the value before: both made by awk.
gaps() { awk -F, -v OFS=, -v gap="$1" 'NF { n++ } n % 5 == 3 && NF { $(1 + n % 2) = gap } 1' "$2"; }
awk 'NF { n++ } !(n % 5 == 3 && NF)' table > less.table; awk 'NR % 5 != 3' rows > less.rows
awk -F, -v OFS=, 'NF { n++; if (n % 5 == 3) $(1 + n % 2) = last[1 + n % 2]; last[1] = $1; last[2] = $2 } 1' table > held.table; grep . held.table > held.rows
for how in less held; do
    run 0 "$bin/own_data" file=$how.table $own out=$how
    run 0 "$bin/stream_rls" file=$how.rows out=; numbers out > $how.wanted
done
for gap in '' NA nan NaN '"NA"' null '#N/A' ' '; do
    gaps "$gap" table > gaps.table; gaps "$gap" rows > gaps.rows
    learns less gaps.table missing=skip; has err 'gaps.table: 12 rows with gaps left out'; streams less.wanted gaps.rows missing=skip
    learns held gaps.table missing=hold; has err 'gaps.table: 12 gaps filled'; streams held.wanted gaps.rows missing=hold
    run 1 "$bin/stream_rls" file=gaps.rows out=; has err 'gaps.rows:3: '; has err 'column 2'; has err missing=skip; has err missing=output
    run 1 "$bin/own_data" file=gaps.table $own out=typo; has err 'gaps.table:3: '; ! grep missing=output err >> wrong
done
run 2 "$bin/stream_rls" file=gaps.rows delimiter=semicolon ignore=1 out=; has err 'gaps.rows: no column is left of 1; '
gaps - table > gaps.table; run 1 "$bin/own_data" file=gaps.table missing=skip $own out=typo; has err "gaps.table:3: '-' in column 2, expected a finite number"
# the first row has nothing to hold, nor has the first one of a sequence
awk -F, -v OFS=, 'NF { n++ } n % 5 == 1 && NF { $2 = "" } 1' table > gaps.table; awk 'NF { n++ } !(n % 5 == 1 && NF)' table > less.table
run 0 "$bin/own_data" file=less.table $own out=first; learns first gaps.table missing=hold; has err '12 rows with gaps left out'
sed 's/,/;/; s/\./,/g' gaps.table > other; learns first other missing=hold
run 2 "$bin/stream_rls" file=rows missing=guess out=; has err "missing: 'guess', expected refuse, skip, hold or output"
run 2 "$bin/own_data" file=table missing=output $own out=refused; has err "missing: 'output', expected refuse, skip or hold"
check "missing=skip and missing=hold are what the file without the rows, or with the values before, gives"

# output: gaps of a column leave what the other one learns as hold has it, and nothing else of theirs; a saved state goes on alike.
awk -F, -v OFS=, 'NR % 5 == 3 { $2 = "" } 1' rows > gaps.rows; head -n 20 gaps.rows > first.rows; tail -n +21 gaps.rows > last.rows
for how in hold output; do run 0 "$bin/stream_rls" file=gaps.rows missing=$how out= predictions=$how.csv; done
has err 'gaps.rows: 12 gaps of columns that had the value before, and learned nothing'
run 0 "$bin/stream_rls" file=first.rows missing=output out= predictions=halves.csv save=half; run 0 "$bin/stream_rls" file=last.rows missing=output out= predictions=halves.csv load=half
awk -F, '{ print $2 }' hold.csv > hold.left; awk -F, '{ print $2 }' output.csv > output.left; awk -F, '{ print $3 }' hold.csv > hold.right; awk -F, '{ print $3 }' output.csv > output.right
paste -d' ' hold.left output.left | awk 'NR > 1 && ($1 - $2) ^ 2 > 1e-18 * (1 + $1 ^ 2) { print "missing=output: " $0 " of column 1" }' >> wrong
cmp -s hold.right output.right && echo "missing=output: column 2 learns from held values" >> wrong
paste -d' ' output.csv halves.csv | awk 'NR > 1 { split($1, a, ","); split($2, b, ","); for (i in a) if ((a[i] - b[i]) ^ 2 > 1e-18 * (1 + a[i] ^ 2)) print "missing=output, saved: " $0 }' >> wrong
check "missing=output learns nothing for a column from its gaps"

awk 'NR == 3 { next } 1' table > short; run 1 "$bin/own_data" file=short $own out=typo lengths=refuse
has err 'short:10: a sequence of 5 rows ends here, expected 4 as in the first; lengths=cut takes the first 4 of each'
awk 'NR == 4 { next } 1' table > short
awk 'NF { if (++n < 5) print } !NF { n = 0; print }' short > cut
run 0 "$bin/own_data" file=cut $own out=even; learns even short lengths=cut; has err 'short: 11 of 12 sequences cut to 4 rows, as many as the one that ends at line 4 has'
run 2 "$bin/own_data" file=table $own out=typo lengths=pad; has err "lengths: 'pad', expected whole, cut or refuse"
awk 'NR > 1 && NR < 6 { next } 1' table > short; for l in whole cut refuse; do run 1 "$bin/own_data" file=short $own out=typo lengths=$l; has err 'short:1: a sequence of 1 row'; done
check "sequences of unequal lengths are refused, or cut to the shortest, by choice"

refused() { # refused TEXT: bad is refused by both programs
    run 1 "$bin/stream_rls" file=bad out=; has err "stream_rls: bad$1"; run 1 "$bin/own_data" file=bad $own out=typo; has err "own_data: bad$1"
}
for code in UTF-16 UTF-16LE UTF-16BE UTF-32; do
    for f in rows named; do iconv -f UTF-8 -t $code $f > bad; case $code in UTF-32) refused ': UTF-32, expected UTF-8 (iconv -f UTF-32' ;; *) refused ': UTF-16' ;; esac; done
done
gzip -c rows > bad; refused ': compressed by gzip, expected text'
printf 'PK\003\004 and so on' > bad; refused ': a zip archive'
printf '1;2\n1,5;3\n2.5;3\n' > bad; refused ":3: '2.5' in column 1, expected a decimal comma as in the numbers before"
printf '1,5;2.5\n2,5;3\n' > bad; refused ":1: '2.5' in column 2, expected a decimal comma as in the numbers before"
printf '1;2\n1.234,5;3\n' > bad; refused ":2: '1.234,5' in column 1"
printf '1;2\n1,234.5;3\n' > bad; refused ":2: '1,234.5' in column 1"
printf '1,2\n"3,4\n' > bad; refused ':2: 1 columns, expected 2'
printf '1,2\n3,"4\n' > bad; refused ":2: '4' in column 2: a quote without its end"
printf '1,2\n3,"4"5\n' > bad; refused ":2: '4' in column 2: a quote without its end"
printf '1,2\n3,x,4\n' > bad; refused ":2: 3 columns, expected 2 as in the first line; between columns: ','"
printf 'a,"b\n1,2\n' > bad; refused ':1: a quote without its end in column 2'
printf '1,2\n-inf,3\n' > bad; refused ":2: '-inf' in column 1"
printf '1,2\n1e51,3\n' > bad; refused ":2: '1e51' in column 1, expected at most 1e+50"
for d in '' ab 1 . '"' '#'; do run 2 "$bin/stream_rls" file=rows delimiter="$d" out=; has err "delimiter: '$d', expected auto, comma"; done
[ ! -e typo ] || echo 'a folder was made' >> wrong
check "other encodings, archives, mixed decimals, open quotes, other widths: refused by name, line and column"

echo "Rows: $passed passed, $failed failed"
[ "$failed" = 0 ]
