# Who calls whom among the library's objects: from `nm -A` of the internal archive, behind lines
# "file FOLDER NAME" for every source file and "floor FOLDER NUMBER" for every folder.
#
#   awk -v mode=upwards    a function that is defined on a higher floor
#   awk -v mode=circles    files that call each other, directly or by way of others
#
# An object is of the source file of its name; kernels that are compiled once per element type and
# ISA level (simd_rows.32.1.o) count as one.

$1 == "floor" { floor[$2] = $3; next }
$1 == "file" { folder[$3] = $2; next }
{
    split($1, part, ":"); object = part[2]
    sub(/\.o$/, "", object); sub(/\.(32|64)\.[0-9]+$/, "", object)
    if ($(NF - 1) ~ /^[TDRBVW]$/) owner[$NF] = object
    else if ($(NF - 1) == "U") { uses++; user[uses] = object; symbol[uses] = $NF }
}
END {
    for (i = 1; i <= uses; i++) {
        if (!(symbol[i] in owner) || owner[symbol[i]] == user[i]) continue
        from = user[i]; to = owner[symbol[i]]
        if (mode == "upwards" && floor[folder[to]] > floor[folder[from]])
            print "lib/" folder[from] "/" from ".c: calls " symbol[i] " of the higher lib/" folder[to]
        if (!((from, to) in call)) call[from, to] = symbol[i]
        node[from]; node[to]
    }
    if (mode != "circles") exit
    for (a in node) for (b in node) if ((a, b) in call) reaches[a, b]
    for (k in node) for (a in node) if ((a, k) in reaches) for (b in node) if ((k, b) in reaches) reaches[a, b]
    for (a in node) for (b in node)
        if (((a, b) in call) && ((b, a) in reaches)) print a ".c calls " call[a, b] " of " b ".c, which calls back"
}
