# What a declaration says beyond its types, for api.json: which way a view or a pointer goes, what may be NULL, what a handle keeps, what a view borrows.
# Most of it follows from types and names; the rest stands in brackets at the end of a doc comment, before "Since X.Y.":
#
#   [in: q, k, which[count]; out: error?; keeps: task; borrows: model until add]
#
# docs/annotations.md has the rules. Used by api.awk, which sets `file`, splits declarations and prints problems. POSIX awk.

function trim(s) { gsub(/[ \t\n]+/, " ", s); sub(/^ /, "", s); sub(/ $/, "", s); return s }
function quote(s) { gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); gsub(/\n/, "\\n", s); return "\"" s "\"" }
function member(name, value) { return value == "" ? "" : ", \"" name "\": " value }

# ---- the brackets ----

# Takes the brackets off the end of a doc comment's text, which it returns, and reads them.
function take_annotations(text,    start) {
    if (text == last_annotated) return last_plain       # another declaration under the same comment
    check_names_used()
    split("", way); split("", nullable); split("", count_of); split("", scopes_of); split("", said)
    borrows = borrows_until = borrows_const = thread = annotation = ""
    last_annotated = last_plain = text
    start = match(text, /\[(in|out|inout|keeps|calls|scope|borrows|thread): [^.]*(\.[a-z][^.]*)*\]$/)
    if (!start) return text
    annotation = substr(text, start)
    read_annotation(substr(text, start + 1, length(text) - start - 1))
    last_plain = trim(substr(text, 1, start - 1))
    return last_plain
}

function read_annotation(s,    clauses, clause, i, j, n, items, item, word) {
    n = split(s, clauses, ";")
    for (i = 1; i <= n; i++) {
        clause = trim(clauses[i]); word = clause; sub(/:.*/, "", word); sub(/^[a-z]*: */, "", clause)
        if (word == "thread") { thread = clause; if (clause != "any" && clause != "signal") problem("[thread: " clause "]: expected any or signal"); continue }
        if (word == "borrows") { read_borrows(clause); continue }
        if (word !~ /^(in|out|inout|keeps|calls|scope)$/) { problem("[" word ": ..]: expected in, out, inout, keeps, calls, scope, borrows or thread"); continue }
        items = split(clause, item, ",")
        for (j = 1; j <= items; j++) read_item(word, trim(item[j]))
    }
}

# "which[count]?" or, of scope, "settings? LINEAR SOFTMAX"
function read_item(word, s,    name, rest) {
    name = s; sub(/[^a-z0-9_].*/, "", name); rest = substr(s, length(name) + 1)
    if (match(rest, /^\[[a-z0-9_. ]+\]/)) { count_of[name] = substr(rest, 2, RLENGTH - 2); rest = substr(rest, RLENGTH + 1) }
    if (rest ~ /^\?/) { nullable[name] = 1; rest = substr(rest, 2) }
    if (word == "scope") { scopes_of[name] = trim(rest); rest = "" }
    else if (name in way) problem("[" word ": " name "]: said twice")
    if (rest != "") problem("[" word ": " s "]: cannot be read")
    way[name] = word; said[name] = annotation_place()
}
function annotation_place() { return file ":" FNR }

# "const probe until fit, reset"
function read_borrows(s,    at) {
    if (s ~ /^const /) { borrows_const = 1; sub(/^const /, "", s) }
    if (at = index(s, " until ")) { borrows_until = trim(substr(s, at + 7)); s = substr(s, 1, at - 1) }
    borrows = s; said[s] = annotation_place()
}

# Every name in brackets is an argument of a function below them.
function check_names_used(    name) {
    if (mode == "problems")
        for (name in said) print said[name] ": annotation [.. " name " ..]: no argument has this name"
}

# ---- roles of arguments ----

function module_of(function_name,    m) { m = substr(function_name, 9); sub(/_.*/, "", m); return m }
function is_handle(type) { return type ~ /^(const )?mesaopt_[a-z_]+ \*$/ && type !~ /mesaopt_(view|step|settings|status) / && type !~ /_fn / }
function base_type(type) { sub(/^const /, "", type); sub(/[ *].*/, "", type); return type }

# Sets role, direction, kept and default_null of argument i of `function_name`; "": an error text says what is missing.
function find_role(function_name, i, n, type, name, before,    own) {
    role = direction = kept = scopes = ""
    said_way = name in way ? way[name] : ""
    if (type ~ /\(\*\)/ || type ~ /_fn$/) {
        role = "callback"; kept = said_way == "keeps" ? "true" : "false"
        if (said_way !~ /^(keeps|calls)$/ && function_name != "") missing(name, "[calls: " name "] (during the call) or [keeps: " name "] (until the handle goes)")
    } else if (type == "void *" && (before == "callback" || (function_name == "" && name == "user"))) role = "user"
    else if (type == "void *" || type == "const void *" || type == "void **") { role = "memory"; direction = said_way; if (said_way == "" && function_name != "") missing(name, "[in: " name "], [out: ..] or [inout: ..]") }
    else if (type == "const char *") { role = "text"; direction = "in" }
    else if (type == "char *") role = "buffer"
    else if (before == "buffer" && type == "int64_t") role = "capacity"
    else if (type == "const mesaopt_view *") {
        role = "view"; direction = said_way == "" && name == "out" ? "out" : said_way
        if (direction == "") missing(name, "[in: " name "], [out: " name "] or [inout: " name "]")
    } else if (type == "mesaopt_view *") {
        role = "borrowed view"; direction = "out"
        if (borrows == "") missing(name, "[borrows: what it points into, until what ends it]")
    } else if (base_type(type) == "mesaopt_settings" && type ~ /^(const )?mesaopt_settings \*$/) {
        if (i == 1 && module_of(function_name) == "settings") role = "self"
        else {
            role = "settings"; scopes = name in scopes_of ? scopes_of[name] : ""
            if (scopes == "") missing(name, "[scope: " name "? SCOPE], the ? when NULL is fine")
        }
    } else if (type ~ /\*\*$/ && type !~ /const/) { role = "new"; direction = "out" }
    else if (is_handle(type)) {
        own = i == 1 && ("mesaopt_" module_of(function_name) == base_type(type) || base_type(type) == "mesaopt_ctx")
        role = own ? "self" : "handle"; kept = own ? "" : (said_way == "keeps" ? "true" : "false")
        if (!own && said_way !~ /^(in|inout|keeps)$/) missing(name, "[in: " name "] (used by the call) or [keeps: " name "] (a counted reference)")
    } else if (type ~ /\*const \*$/) { role = "array"; direction = "in"; kept = said_way == "keeps" ? "true" : ""; if (!(name in count_of)) missing(name, "[in: " name "[count]] or [keeps: ..]") }
    else if (type ~ /^const .*\*$/ && type !~ /mesaopt_/) { role = "array"; direction = "in"; if (!(name in count_of)) missing(name, "[in: " name "[count]]") }
    else if (type ~ /\*$/) { role = name in count_of ? "array" : (type ~ /^const/ ? "struct" : "number"); direction = type ~ /^const/ ? "in" : "out" }
    else role = "value"
}
function missing(name, what) { problem((where_missing != "" ? where_missing : "callback") ": argument `" name "` needs an annotation " what "; see docs/annotations.md") }

# JSON of the arguments of a function (or of a callback: function_name ""), given as the text between its parentheses.
function arguments(function_name, s,    n, i, out, before, null, counts, exists) {
    if (trim(s) == "void") return "[]"
    n = split_list(s); out = before = ""
    for (i = 1; i <= n; i++) { split_variable(part[i]); arg_type[i] = var_type; arg_name[i] = var_name; exists[var_name] = i }
    check_counts(exists)
    where_missing = function_name == "" ? "callback" : "function " function_name
    for (i = 1; i <= n; i++) {
        find_role(function_name, i, n, arg_type[i], arg_name[i], before)
        null = arg_name[i] in nullable || role == "user" || role == "buffer" || (function_name ~ /_free$/ && i == 1)
        counts = counted_by(arg_name[i], exists)
        out = out (i > 1 ? "," : "") "\n      {\"name\": " quote(arg_name[i]) ", \"type\": " quote(arg_type[i]) ", \"role\": " quote(role) \
            member("direction", direction == "" ? "" : quote(direction)) (role ~ /^(value|capacity|self)$/ && !null ? "" : member("nullable", null ? "true" : "false")) \
            member("count", arg_name[i] in count_of ? quote(count_of[arg_name[i]]) : "") member("counts", counts) member("kept", kept) member("scopes", scope_list(scopes)) "}"
        delete said[arg_name[i]]
        before = role
    }
    return "[" out "]"
}
function counted_by(name, exists,    other, out) {
    for (other in count_of)
        if (other in exists && (" " count_of[other] " ") ~ (" " name " ")) out = out (out == "" ? "" : ", ") quote(other)
    return out == "" ? "" : "[" out "]"
}
function scope_list(s,    n, i, word, out) {
    n = split(s, word, " ")
    for (i = 1; i <= n; i++) { out = out (i > 1 ? ", " : "") quote(tolower(word[i])); if (word[i] != "BLOCK") later_scope["MESAOPT_SCOPE_" word[i]] = annotation_place() }
    return out == "" ? "" : "[" out "]"
}
# A count is a number, an argument, "handle.thing" (of a getter of that handle), or an argument times something that the text says.
function check_counts(exists,    name, word) {
    for (name in count_of) {
        word = count_of[name]; sub(/[ .].*/, "", word)
        if (name in exists && word !~ /^[0-9]+$/ && !(word in exists)) problem("annotation " name "[" count_of[name] "]: no argument " word)
    }
}

# Members of a function's JSON that are not those of one argument. Call after arguments().
function whole_function(name, result, args,    m, out, borrowed) {
    borrowed = result == "const char *" || args ~ /"borrowed view"/
    if (borrowed && borrows != "") {
        delete said[borrows]
        out = ", \"borrows\": {\"from\": " quote(borrows) ", \"const\": " (borrows_const || result != "mesaopt_status" ? "true" : "false") ", \"until\": [" until_list(name) "]}"
    } else if (result == "const char *") out = ", \"borrows\": {\"from\": \"static\", \"const\": true, \"until\": []}"
    if (result == "const char *" && args ~ /"self"/ && borrows == "") problem("function " name ": a text of a handle needs [borrows: what it points into, until what ends it]; see docs/annotations.md")
    m = thread != "" ? thread : (name ~ /_free$/ ? "any" : "caller")
    return out ", \"thread\": " quote(m) ", \"interruptible\": " (result == "mesaopt_status" && name !~ /_free$/ && args ~ /"mesaopt_[a-z]+ \*", "role": "(self|handle)"/ && args !~ /"mesaopt_settings \*", "role": "self"/ ? "true" : "false")
}
function until_list(name,    n, i, word, out) {
    n = split(borrows_until, word, ", *")
    for (i = 1; i <= n; i++) {
        word[i] = "mesaopt_" module_of(name) "_" word[i]
        later_function[word[i]] = annotation_place()
        out = out (i > 1 ? ", " : "") quote(word[i])
    }
    return out
}

# What can be checked once everything was read; constants and functions: sets by name.
function check_annotations(constants, functions,    name) {
    check_names_used()
    for (name in later_scope) if (!(name in constants)) print later_scope[name] ": annotation: no scope " name
    for (name in later_function) if (!(name in functions)) print later_function[name] ": annotation: no function " name
}

# ---- layout of structs ----

function alignment(type) { return type ~ /\*$/ || type ~ /^(double|u?int64_t)( |$)/ ? 8 : (type ~ /^(float|u?int32_t)( |$)/ ? 4 : 0) }
function extent_of(type,    n) { n = 1; if (match(type, /\[[0-9]+\]$/)) n = substr(type, RSTART + 1, RLENGTH - 2); return n * alignment(type) }
