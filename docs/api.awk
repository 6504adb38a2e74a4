# Reads the public headers and writes what they declare, in one of several forms:
#
#   awk -v mode=MODE -f docs/annotations.awk -f docs/api.awk include/mesaopt/*.h
#
#   symbols    "name since" for every exported function
#   map        a linker version script: one node per "since", everything else local
#   constants  CONSTANT(name, "comment", "group", "since") for every numeric macro
#   layout     a C program that compiles if structs are laid out as api.json says
#   json       the first half of api.json (docs/api_values.c writes the second)
#   md         the API reference
#   problems   one line for every declaration that breaks the conventions below; nothing when all is well
#
# Conventions of the headers: a doc comment /** ... */ belongs to the declarations that follow it up to the next blank line and ends in
# "Since X.Y.", before which brackets say what types and names do not (annotations.awk); exported functions start with MESAOPT_API at the beginning of a line; a constant's comment stands behind it, that of
# a setting's key begins with its name; an
# ordinary comment at the beginning of a line heads the group of constants (or the struct) below it, and may end in "[group: name]": otherwise the
# group is the second word of the constant. What does not say since when it is there was there in 0.1. POSIX awk.

function problem(text) { if (mode == "problems") print file ":" FNR ": " text }

# A line of a comment without its frame.
function comment_line(s) {
    sub(/^[ \t]*\/?\*+[ \t]?/, "", s); sub(/[ \t]*\*\/[ \t]*$/, "", s); sub(/^\/$/, "", s)
    return s
}

# Sets since and doc_text from the doc comment in force.
function take_doc(what,    m) {
    doc_text = trim(doc); since = ""
    if (match(doc_text, /Since [0-9]+\.[0-9]+\.$/)) {
        since = substr(doc_text, RSTART + 6, RLENGTH - 7)
        doc_text = trim(substr(doc_text, 1, RSTART - 1))
    }
    doc_text = take_annotations(doc_text)
    if (doc_text == "" && what !~ /^struct/) problem(what ": no doc comment")
    else if (since == "" && what !~ /^struct/) problem(what ": its doc comment does not end in \"Since X.Y.\"")
}

# "const char *name" or "void (*name)(void *)" -> var_type, var_name
function split_variable(s) {
    s = trim(s)
    if (match(s, /\(\*[a-z_0-9]+\)/)) {
        var_name = substr(s, RSTART + 2, RLENGTH - 3)
        var_type = substr(s, 1, RSTART - 1) "(*)" substr(s, RSTART + RLENGTH)
    } else if (match(s, /[a-z_A-Z0-9]+(\[[0-9]+\])?$/)) {
        var_name = substr(s, RSTART, RLENGTH); var_type = trim(substr(s, 1, RSTART - 1))
        if (match(var_name, /\[/)) { var_type = var_type " " substr(var_name, RSTART); var_name = substr(var_name, 1, RSTART - 1) }
    }
}

# Splits at commas outside parentheses into part[1..n].
function split_list(s,    i, c, depth, n) {
    n = 1; part[1] = ""
    for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        if (c == "(") depth++
        if (c == ")") depth--
        if (c == "," && !depth) part[++n] = ""
        else part[n] = part[n] c
    }
    return n
}

function add_function(text,    head, args, name, result) {
    text = trim(text); sub(/^MESAOPT_API /, "", text); sub(/;$/, "", text)
    match(text, /mesaopt_[a-z0-9_]+\(/)
    name = substr(text, RSTART, RLENGTH - 1); result = trim(substr(text, 1, RSTART - 1))
    args = substr(text, RSTART + RLENGTH); sub(/\)$/, "", args)
    take_doc("function " name)
    functions++
    f_name[functions] = name; f_since[functions] = since; is_function[name] = 1
    args = arguments(name, args)
    f_json[functions] = "{\"name\": " quote(name) ", \"header\": " quote(file) ", \"since\": " quote(since) ", \"returns\": " quote(result) whole_function(name, result, args) ",\n     \"parameters\": " \
        args ",\n     \"doc\": " quote(doc_text) "}"
    item(text ";")
}

# Typedefs: an opaque handle, a number, a callback or a struct.
function add_typedef(text,    t, name, args, fields, n, i, j, list, type, out, first, result, offset) {
    t = trim(text)
    if (t ~ /^typedef struct mesaopt_[a-z_]+ mesaopt_[a-z_]+;/) {
        name = $4; sub(/;.*/, "", name)
        if (name in handle) return
        handle[name] = 1
        h_json[++handles] = "{\"name\": " quote(name) ", \"header\": " quote(file) ", \"since\": \"0.1\", \"free\": " quote(name "_free") "}"
        return
    }
    if (t ~ /^typedef struct/) {
        name = t; sub(/^typedef struct /, "", name); sub(/ .*/, "", name)
        fields = t; sub(/^[^{]*\{/, "", fields); sub(/\}[^}]*$/, "", fields)
        n = split(fields, list, ";"); out = ""; offset = 0
        for (i = 1; i <= n; i++) {
            if (trim(list[i]) == "") continue
            type = ""; first = split_list(list[i])
            for (j = 1; j <= first; j++) {           # "int32_t ndim, dtype" declares two fields of one type
                split_variable((j > 1 ? type " " : "") part[j])
                if (j == 1) type = var_type
                if (!alignment(var_type)) { problem("struct " name ": field " var_name " of type " var_type); continue }
                offset += (alignment(var_type) - offset % alignment(var_type)) % alignment(var_type)
                out = out (out == "" ? "" : ", ") "{\"type\": " quote(var_type) ", \"name\": " quote(var_name) ", \"offset\": " offset "}"
                layout = layout "OFFSET(" name ", " var_name ", " offset ")\n"
                offset += extent_of(var_type)
            }
        }
        offset += (8 - offset % 8) % 8
        layout = layout "SIZE(" name ", " offset ")\n"
        s_json[++structs] = "{\"name\": " quote(name) ", \"header\": " quote(file) ", \"since\": \"0.1\", \"size\": " offset ", \"grows\": " \
            (fields ~ /struct_size/ ? "true" : "false") ",\n     \"fields\": [" out "]}"
        return
    }
    if (match(t, /\(\*mesaopt_[a-z_]+\)/)) {
        name = substr(t, RSTART + 2, RLENGTH - 3); result = trim(substr(t, 9, RSTART - 9))
        args = substr(t, RSTART + RLENGTH + 1); sub(/\);$/, "", args)
        take_doc("callback " name)
        c_json[++callbacks] = "{\"name\": " quote(name) ", \"header\": " quote(file) ", \"since\": " quote(since) ", \"returns\": " quote(result) \
            ", \"thread\": " quote(thread == "" ? "caller" : thread) ",\n     \"parameters\": " arguments("", args) ",\n     \"doc\": " quote(doc_text) "}"
    } else {
        take_doc("struct")
    }
    item(t)
}

# The reference: an entry per doc comment with all its declarations, in the order of the headers.
function item(text) {
    if (doc == "" || doc != entry_doc) flush()
    entry_doc = doc; entry_file = file
    entry_code = entry_code text "\n"
    entry_text = escape(doc_text) (annotation == "" ? "" : " `" annotation "`") (since == "" ? "" : " *Since " since ".*")
}
function flush() {
    if (entry_code != "") body[entry_file] = body[entry_file] "```c\n" entry_code "```\n\n" (entry_text == "" ? "" : entry_text "\n\n")
    entry_code = entry_doc = ""
}
# Text in which Markdown must not see emphasis, tags or columns; what stands in backquotes is left alone.
function escape(s,    n, i, piece, out) {
    n = split(s, piece, "`"); out = ""
    for (i = 1; i <= n; i++) {
        if (i % 2) gsub(/[*<|]/, "\\\\&", piece[i])
        out = out (i > 1 ? "`" : "") piece[i]
    }
    return out
}

FNR == 1 { flush(); file = FILENAME; sub(/.*\//, "", file); doc = group = ""; table = 0; inside = statement = ""; files[++n_files] = file }
FNR == 1, /\*\// { s = comment_line($0); if (FNR == 1) sub(/^mesaopt\/[a-z]+\.h: */, "", s); about[file] = about[file] s "\n"; next }

inside == "comment" {
    text = text "\n" comment_line($0)
    if ($0 ~ /\*\//) { inside = ""; if (is_doc) doc = text; else { group = heading = text; take_group() } }
    next
}
inside == "statement" {
    statement = statement "\n" $0
    if ($0 ~ /\{[^}]*$/) braces = 1
    if ($0 ~ /^\}/) braces = 0
    if (!braces && $0 ~ /;[^;]*$/) { inside = ""; end_statement() }
    next
}
function end_statement(    plain) {
    plain = without_comments(statement)
    if (plain ~ /^MESAOPT_API/) add_function(plain)
    else {
        add_typedef(plain)
        if (plain ~ /^typedef struct [a-z_]+ \{/) { doc = group; take_doc("struct"); item(statement); doc = group = "" }
    }
}
function without_comments(s,    i) {
    while ((i = index(s, "/*")) > 0) s = substr(s, 1, i - 1) substr(s, i + index(substr(s, i), "*/") + 1)
    return s
}

/^[ \t]*$/ { doc = heading = k_group_said = ""; next }
/^\/\*/ {
    is_doc = $0 ~ /^\/\*\*/; text = comment_line($0)
    if ($0 !~ /\*\//) inside = "comment"
    else if (is_doc) doc = text
    else { group = heading = text; take_group() }
    next
}
# "[group: status]" at the end of a comment that heads constants.
function take_group() {
    if (match(heading, /[ \n]*\[group: [a-z]+\][ \n]*$/)) {
        k_group_said = substr(heading, RSTART, RLENGTH); gsub(/.*: |\].*/, "", k_group_said)
        group = heading = substr(heading, 1, RSTART - 1)
    }
}
function word_of(name, i,    w) { split(name, w, "_"); return w[i] }
/^#define MESAOPT_[A-Z0-9_]+ / && $2 != "MESAOPT_API" {
    s = $0; remark = ""; more = ""
    while (s ~ /\/\*/ && s !~ /\*\// && (getline more) > 0) s = s " " comment_line(more) (more ~ /\*\// ? " */" : "")
    if (match(s, /\/\*.*\*\//)) { remark = trim(substr(s, RSTART + 2, RLENGTH - 4)); s = substr(s, 1, RSTART - 1) }
    split(s, word, " "); name = word[2]
    value = trim(substr(s, index(s, name) + length(name)))
    constants++
    k_name[constants] = name; is_constant[name] = 1
    k_since[constants] = "0.1"
    if (match(remark, / ?Since [0-9]+\.[0-9]+\.$/)) { k_since[constants] = substr(remark, RSTART + RLENGTH - 4, 3); remark = trim(substr(remark, 1, RSTART - 1)) }
    k_group[constants] = k_group_said != "" ? k_group_said : tolower(word_of(name, 2))
    k_remark[constants] = remark
    if (remark == "" && heading == "") problem(name ": no comment, and none heads its group")
    if (name ~ /^MESAOPT_KEY_/ && index(remark, tolower(substr(name, 13)) ": ") != 1) problem(name ": its comment does not begin with \"" tolower(substr(name, 13)) ": \"")
    if (remark == "") k_remark[constants] = trim(heading)
    if (mode == "md") {
        flush()
        if (group != "" || !table) body[file] = body[file] (table ? "\n" : "") (group == "" ? "" : escape(trim(group)) "\n\n") "| constant | value | |\n|---|---|---|\n"
        table = 1; group = ""
        body[file] = body[file] "| `" name "` | " value " | " escape(remark) " |\n"
    }
    next
}
/^(MESAOPT_API|typedef) / {
    if (table) { body[file] = body[file] "\n"; table = 0 }
    statement = $0
    inside = "statement"; braces = $0 ~ /\{[^}]*$/
    if (!braces && $0 ~ /;[^;]*$/) { inside = ""; end_statement() }
    next
}
/mesaopt_[a-z0-9_]+\(/ { problem("a declaration without MESAOPT_API at the beginning of the line") }

function list(name, a, n,    i) {
    printf "  \"%s\": [", name
    for (i = 1; i <= n; i++) printf "%s\n    %s", (i > 1 ? "," : ""), a[i]
    printf "\n  ],\n"
}
END {
    flush()
    if (mode == "symbols") for (i = 1; i <= functions; i++) print f_name[i], f_since[i] | "LC_ALL=C sort"
    if (mode == "constants") for (i = 1; i <= constants; i++) print "CONSTANT(" k_name[i] ", " quote(k_remark[i]) ", " quote(k_group[i]) ", " quote(k_since[i]) ")"
    if (mode == "problems") check_annotations(is_constant, is_function)
    if (mode == "layout") print "#include <mesaopt/mesaopt.h>\n#include <stddef.h>\n#define OFFSET(type, field, at) _Static_assert(offsetof(type, field) == (at), #field);\n" \
        "#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type);\n" layout "int main(void) { return 0; }"
    if (mode == "map") {
        n = 0; previous = ""
        for (i = 1; i <= functions; i++) if (!(f_since[i] in node)) { node[f_since[i]] = 1; order[++n] = f_since[i] }
        for (i = 2; i <= n; i++) for (j = i; j > 1 && later(order[j - 1], order[j]); j--) { s = order[j]; order[j] = order[j - 1]; order[j - 1] = s }
        for (j = 1; j <= n; j++) {
            print "MESAOPT_" order[j] " {\nglobal:"
            for (i = 1; i <= functions; i++) if (f_since[i] == order[j]) print "    " f_name[i] ";"
            if (j == 1) print "local:\n    *;"
            print "}" previous ";"
            previous = " MESAOPT_" order[j]
        }
    }
    if (mode == "json") {
        print "{\n  \"name\": \"mesaopt\",\n  \"schema\": 1,\n  \"version\": " quote(version) ",\n  \"types\": [{\"name\": \"mesaopt_status\", \"is\": \"int32_t\", \"since\": \"0.1\"}],"
        list("handles", h_json, handles); list("structs", s_json, structs); list("callbacks", c_json, callbacks); list("functions", f_json, functions)
    }
    if (mode == "md") {
        print "# libmesaopt " version ": API reference\n"
        for (i = 1; i <= n_files; i++) {
            print "## mesaopt/" files[i] "\n"
            sub(/\n+$/, "", about[files[i]])
            print "```text\n" about[files[i]] "\n```\n\n" body[files[i]]
        }
    }
}
function later(a, b,    x, y) { split(a, x, "."); split(b, y, "."); return x[1] + 0 > y[1] + 0 || (x[1] + 0 == y[1] + 0 && x[2] + 0 > y[2] + 0) }
