# libmesaopt: plain GNU make, 4.3 or newer. `make help` lists the targets.
#
#   make O=DIR              builds into DIR (default: build; absolute or relative)
#   make CC=clang CFLAGS=-O2 LDFLAGS=...            the usual variables are respected; a change of them rebuilds
#   make V=1              shows whole commands
#   make BLIS_LIB=/path/libblis.a BLIS_INC=/path    another static BLIS (serial)
#
# Nothing here may fail while it is read when the compiler is still missing: `make deps` has to run on a bare machine.

O ?= build
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share
# Of installed libraries: apart (the shared one's in $(LIBDIR)/.debug, where debuggers look), none, or inside, as packagers want it.
DEBUGINFO ?= apart

ifeq ($(origin CC),default)
CC = gcc
endif
ifeq ($(origin CXX),default)
CXX = g++
endif
CFLAGS ?= -O2 -g
CXXFLAGS ?= -O2 -g
NM ?= nm
OBJCOPY ?= objcopy

# The version is written in include/mesaopt/status.h and nowhere else. The number in the soname is raised by hand when a
# release before 1.0 breaks the ABI.
VERSION := $(shell sed -n 's/^\#define MESAOPT_VERSION_\(MAJOR\|MINOR\|PATCH\) *\([0-9]*\).*/\2/p' include/mesaopt/status.h | paste -sd.)
SOVERSION := 0

# Debian's triplet of the target, such as x86_64-linux-gnu.
ifndef MULTIARCH
MULTIARCH := $(or $(shell $(CC) -print-multiarch 2>/dev/null),$(shell uname -m)-linux-gnu)
endif
BLIS_LIB ?= /usr/lib/$(MULTIARCH)/blis-serial/libblis.a
BLIS_INC ?= /usr/include/$(MULTIARCH)/blis-serial

# ISA levels: 1 baseline, 2 AVX2 and FMA, 3 AVX-512; chosen at run time. `make ISA_LEVELS='1 2'` leaves out the third, and a third of the library.
ISA_LEVELS := 1 $(if $(filter x86_64-%,$(MULTIARCH)),2 3)
ISA_2 = -mavx2 -mfma
ISA_3 = -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512

WARNINGS = -Wall -Wextra
ALL_CFLAGS = -std=gnu11 $(WARNINGS) -pthread -MMD -MP $(CPPFLAGS) $(CFLAGS)
LIB_CFLAGS = -fPIC -fvisibility=hidden -fno-math-errno -ffp-contract=off -Iinclude -Ilib -I$O/gen -isystem $(BLIS_INC)
SIMD_CFLAGS = -O3 -ffp-contract=fast
# A program that links the static library with -Wl,--gc-sections leaves out what it does not call. Kernels stand in tables: they all stay.
SECTIONS = -ffunction-sections -fdata-sections
LIBS = -lm -lpthread

HEADERS := $(sort $(wildcard include/mesaopt/*.h))
CXX_HEADERS := $(sort $(wildcard include/mesaopt/*.hpp))
SRC := $(sort $(filter-out lib/kern/simd_%,$(wildcard lib/*/*.c)))
SIMD := $(sort $(wildcard lib/kern/simd_*.c))
TESTS := $(sort $(wildcard tests/test_*.c))
TEST_SRC := $(sort $(wildcard tests/*.c))
BENCH_SRC := $(sort $(filter-out tests/bench/simd_%,$(wildcard tests/bench/*.c)))
BENCH_SIMD := $(sort $(wildcard tests/bench/simd_*.c))
# Examples are one file each. Those of examples/programs/ share the files beside them that have no main.
PROGRAMS := $(sort $(shell grep -l '^int main' examples/programs/*.c))
KIT := $(sort $(filter-out $(PROGRAMS),$(wildcard examples/programs/*.c)))
TINY := $(sort $(wildcard examples/*.c))
EXAMPLES := $(patsubst %.c,$O/bin/%,$(notdir $(TINY) $(PROGRAMS)))
EXAMPLE_OBJ := $(patsubst %.c,$O/obj/%.o,$(KIT) $(TINY) $(PROGRAMS))

OBJ := $(SRC:%.c=$O/obj/%.o)
TEST_OBJ := $(TEST_SRC:%.c=$O/obj/%.o)
BENCH_OBJ := $(BENCH_SRC:%.c=$O/obj/%.o)

STATIC := $O/lib/libmesaopt.a
SHARED := $O/lib/libmesaopt.so.$(VERSION)
INTERNAL := $O/lib/libmesaopt_internal.a
STRIPPED := $O/stripped/libmesaopt.a $O/stripped/libmesaopt.so.$(VERSION)

all: lib examples
lib: $(STATIC) $O/lib/libmesaopt.so
examples: $(EXAMPLES)

# Commands are shown as "CC lib/base/alloc.c", with V=1 in full.
say = $(if $(V),,@printf '  %-4s %s\n' $1 '$2';)

# Writes a text to the target unless it already stands there, so that what depends on it is not rebuilt for nothing.
write_if_changed = mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$1)' > $@.new; if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# ---- compiling ----

# With `make deps check` nothing may start before the packages are there.
$O/flags: FORCE | $(filter deps,$(MAKECMDGOALS))
	@test -f $(BLIS_LIB) || { echo "make: no $(BLIS_LIB): run \`make deps\`, or give BLIS_LIB= and BLIS_INC=" >&2; exit 1; }
	@$(call write_if_changed,$(CC) $(ALL_CFLAGS) $(LIB_CFLAGS) $(SECTIONS) $(SIMD_CFLAGS) $(ISA_LEVELS) $(LDFLAGS) $(BLIS_LIB))

GENERATED := $O/gen/constants.inc

define simd_variant
OBJ += $(SIMD:%.c=$O/obj/%.$1.$2.o)
BENCH_OBJ += $(BENCH_SIMD:%.c=$O/obj/%.$1.$2.o)
$O/obj/%.$1.$2.o: %.c $O/flags | $(GENERATED)
	@mkdir -p $$(@D)
	$$(call say,CC,$$< $1.$2)$$(CC) $$(ALL_CFLAGS) $$(LIB_CFLAGS) $$(SIMD_CFLAGS) $$(ISA_$2) -Itests -DREAL_BITS=$1 -DSIMD_ISA=$2 -c $$< -o $$@
endef
$(foreach bits,32 64,$(foreach isa,$(ISA_LEVELS),$(eval $(call simd_variant,$(bits),$(isa)))))

$O/obj/lib/%.o: lib/%.c $O/flags | $(GENERATED)
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) $(LIB_CFLAGS) $(SECTIONS) -c $< -o $@

# Tests and benchmarks see the inside of the library, examples its public headers only.
$O/obj/tests/%.o: tests/%.c $O/flags | $(GENERATED) $O/gen/suites.inc
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) $(LIB_CFLAGS) -Itests -c $< -o $@
$O/obj/examples/%.o: examples/%.c $O/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) -Iinclude -c $< -o $@

# ---- made from the public headers ----

API_AWK := docs/annotations.awk docs/api.awk
read_headers = awk -v mode=$1 -v version=$(VERSION) $(API_AWK:%=-f %) $(HEADERS)
$O/gen/constants.inc: $(API_AWK) $(HEADERS)
	@mkdir -p $(@D)
	$(call say,AWK,$@)$(call read_headers,constants) > $@
$O/gen/libmesaopt.map: $(API_AWK) $(HEADERS)
	@mkdir -p $(@D)
	$(call say,AWK,$@)$(call read_headers,map) > $@
$O/gen/libmesaopt.symbols: $(API_AWK) $(HEADERS)
	@mkdir -p $(@D)
	$(call say,AWK,$@)$(call read_headers,symbols) > $@

# tests/test_NAME.c defines Suite *test_NAME_suite(void); this is the list of them.
$O/gen/suites.inc: FORCE
	@$(call write_if_changed,$(patsubst tests/%.c,SUITE(%_suite),$(TESTS)))

# mesaopt_build_info names the BLIS that is linked in; its headers do not say.
$O/gen/blis_version: $O/flags
	@mkdir -p $(@D)
	@$(AR) p $(BLIS_LIB) bli_info.o | LC_ALL=C grep -aoE '[0-9]+\.[0-9]+(\.[0-9]+)?(-[0-9a-z]+)?' | head -n 1 > $@
$O/obj/lib/api/api_status.o: $O/gen/blis_version
$O/obj/lib/api/api_status.o: private LIB_CFLAGS += -DMESAOPT_BLIS_VERSION='"$(shell cat $O/gen/blis_version)"'

# What names the kernels of every level.
$O/obj/lib/kern/kern.o $O/obj/lib/kern/gemm.o: private LIB_CFLAGS += $(ISA_LEVELS:%=-DISA_%_BUILT)

# ---- linking ----

# For the tests: plain objects, nothing hidden.
$(INTERNAL): $(OBJ)
	@mkdir -p $(@D)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

# One object that holds ours and the members of BLIS that it needs, and shows the exported functions only. Its sections stay apart for --gc-sections.
$(STATIC): $(OBJ) $O/gen/libmesaopt.symbols
	@mkdir -p $(@D)
	$(call say,LINK,$O/obj/libmesaopt.o)$(CC) -r -nostdlib -Wl,--unique -o $O/obj/libmesaopt.o $(OBJ) $(BLIS_LIB)
	@cut -d' ' -f1 $O/gen/libmesaopt.symbols > $O/gen/libmesaopt.keep
	$(call say,HIDE,$O/obj/libmesaopt.o)$(OBJCOPY) --keep-global-symbols=$O/gen/libmesaopt.keep $O/obj/libmesaopt.o
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $O/obj/libmesaopt.o

$(SHARED): $(OBJ) $O/gen/libmesaopt.map
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) -shared $(CFLAGS) $(LDFLAGS) -Wl,-soname,libmesaopt.so.$(SOVERSION) -Wl,--version-script=$O/gen/libmesaopt.map \
	    -Wl,-Bsymbolic-functions -Wl,-z,nodelete -Wl,-z,noexecstack $(if $(findstring -fsanitize,$(CFLAGS)),,-Wl,-z,defs) -Wl,--as-needed -o $@ $(OBJ) $(BLIS_LIB) $(LIBS)
$O/lib/libmesaopt.so: $(SHARED)
	@ln -sf libmesaopt.so.$(VERSION) $O/lib/libmesaopt.so.$(SOVERSION)
	@ln -sf libmesaopt.so.$(SOVERSION) $@

$(patsubst examples/%.c,$O/bin/%,$(TINY)): $O/bin/%: $O/obj/examples/%.o $(STATIC)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)
$(patsubst examples/programs/%.c,$O/bin/%,$(PROGRAMS)): $O/bin/%: $O/obj/examples/programs/%.o $(KIT:%.c=$O/obj/%.o) $(STATIC)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$O/bin/check: $(TEST_OBJ) $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(BLIS_LIB) -lcheck -lsubunit -lrt $(LIBS)
$O/bin/bench: $(BENCH_OBJ) $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(BLIS_LIB) $(LIBS)

# ---- tests ----

SCRIPTS := $(sort $(wildcard tests/test_*.sh))
run_script = O='$O' CC='$(CC)' CXX='$(CXX)'

# only=NAME: the suites whose file name has NAME in it (tests/test_*.c, tests/test_*.sh), and nothing else.
PICKED := $(strip $(if $(only),$(foreach t,$(TESTS) $(SCRIPTS),$(if $(findstring $(only),$(basename $(notdir $t))),$t))))
ifneq ($(only),)
check: $(if $(filter %.c,$(PICKED)),$O/bin/check) $(if $(filter %.sh,$(PICKED)),examples)
	@[ -n '$(PICKED)' ] || { echo "make check: no suite has '$(only)' in its name: $(sort $(patsubst test_%,%,$(basename $(notdir $(TESTS) $(SCRIPTS)))))" >&2; exit 1; }
	$(if $(filter %.c,$(PICKED)),$O/bin/check $(only))
	@$(foreach t,$(filter %.sh,$(PICKED)),$(run_script) $t &&) :
else
check: run-examples run-tests run-corpus run-calls check-structure check-bindings      # what waits for programs first
endif
# With -j side by side; what one of them prints comes when it ends, so that it does not mix.
ifneq ($(filter check asan ubsan tsan run-tests,$(MAKECMDGOALS)),)
MAKEFLAGS += --output-sync=target
endif
RUN_PARTS := $(patsubst %,run-tests-%,1 2 3 4)
run-tests: $(RUN_PARTS)
$(RUN_PARTS): run-tests-%: $O/bin/check
	$O/bin/check part=$*/$(words $(RUN_PARTS))
# The suites tests/test_*_random.c with many more configurations; another seed: others.
check-long: $O/bin/check
	CHECK_LONG=1 $(if $(findstring command,$(origin seed)),CHECK_SEED='$(seed)') $O/bin/check $(patsubst tests/%.c,%,$(wildcard tests/test_*_random.c)) test_rls_long
check-structure: lib $(INTERNAL) $O/gen/libmesaopt.symbols
	@O='$O' CC='$(CC)' CXX='$(CXX)' NM='$(NM)' SOVERSION='$(SOVERSION)' tests/check_structure.sh
RUN_SCRIPTS := $(SCRIPTS:tests/test_%.sh=run-examples-%)
run-examples: $(RUN_SCRIPTS)
$(RUN_SCRIPTS): run-examples-%: examples lib docs $(STRIPPED)              # an installation made by them finds nothing to build
	@$(run_script) tests/test_$*.sh

# Everything unoptimised, for a debugger, in a folder of its own.
debug:
	+$(MAKE) O=$O/debug CFLAGS='-O0 -g3' SIMD_CFLAGS=-ffp-contract=fast all $O/debug/bin/check

# The same tests under the sanitizers. ThreadSanitizer cannot follow threads across fork: it leaves out test cases tagged "fork".
UNDEFINED = undefined,float-cast-overflow
SANITIZE_asan = -fsanitize=address,$(UNDEFINED) -fno-sanitize-recover=$(UNDEFINED)
SANITIZE_ubsan = -fsanitize=$(UNDEFINED) -fno-sanitize-recover=$(UNDEFINED)
SANITIZE_tsan = -fsanitize=thread
EXCLUDE_tsan = CK_EXCLUDE_TAGS=fork
CALLS_tsan = CALLS_OPTIONS=finaliser=1
# Without kernels that this machine cannot run.
RUN_LEVELS = $(if $(shell grep -w avx512f /proc/cpuinfo),$(ISA_LEVELS),$(filter-out 3,$(ISA_LEVELS)))
asan ubsan tsan:
	+CK_TIMEOUT_MULTIPLIER=20 $(EXCLUDE_$@) $(MAKE) O=$O/$@ ISA_LEVELS='$(RUN_LEVELS)' CFLAGS='-O1 -g -fno-omit-frame-pointer $(SANITIZE_$@)' $(CALLS_$@) run-tests run-calls

# The committed ABI, as abidw sees it. A missing tool or baseline is a failure.
ABI_BASELINE = tests/abi/libmesaopt.$(firstword $(subst -, ,$(MULTIARCH))).abi
ABIDW = abidw --exported-interfaces-only --no-show-locs --headers-dir include/mesaopt --drop-private-types --no-corpus-path --no-comp-dir-path
abi: lib
	@command -v abidw >/dev/null && command -v abidiff >/dev/null || { echo "make abi: abidw and abidiff are missing (Debian: abigail-tools)" >&2; exit 1; }
	@test -f $(ABI_BASELINE) || { echo "make abi: no baseline $(ABI_BASELINE) (make abi-baseline writes it)" >&2; exit 1; }
	$(ABIDW) --out-file $O/libmesaopt.abi $(SHARED)
	abidiff $(ABI_BASELINE) $O/libmesaopt.abi
	@echo "make abi: no difference to $(ABI_BASELINE)"
abi-baseline: lib
	@mkdir -p $(dir $(ABI_BASELINE))
	$(ABIDW) --out-file $(ABI_BASELINE) $(SHARED)

# Fuzzers: tests/fuzz/fuzz_NAME.c defines LLVMFuzzerTestOneInput. `make check` replays tests/fuzz/corpus/NAME/ through each, `make fuzz` searches for
# inputs that break it, for `seconds` each, starting from that corpus; what it finds is left in $O/fuzz.
seconds ?= 60
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_COMMON := $O/obj/tests/fuzz/fuzzing.o
FUZZ_CALLS := $(patsubst %.c,$O/obj/%.o,$(sort $(wildcard tests/fuzz/calls_*.c)))
FUZZ_OBJ := $(FUZZERS:%=$O/obj/tests/fuzz/fuzz_%.o) $(FUZZ_COMMON) $(FUZZ_CALLS) $O/obj/tests/fuzz/replay.o
$O/bin/replay_calls $O/bin/fuzz_calls: $(FUZZ_CALLS)
$(FUZZERS:%=$O/bin/replay_%): $O/bin/replay_%: $O/obj/tests/fuzz/fuzz_%.o $(FUZZ_COMMON) $O/obj/tests/fuzz/replay.o $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(INTERNAL) $(BLIS_LIB) $(LIBS)
$(FUZZERS:%=$O/bin/fuzz_%): $O/bin/fuzz_%: $O/obj/tests/fuzz/fuzz_%.o $(FUZZ_COMMON) $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(INTERNAL) $(BLIS_LIB) $(LIBS)
run-corpus: $(FUZZERS:%=$O/bin/replay_%)
	@set -e; for f in $(FUZZERS); do $O/bin/replay_$$f tests/fuzz/corpus/$$f/*; done
# Random calls of the whole API, the same ones every time.
calls ?= 100000
run-calls: $O/bin/replay_calls
	$O/bin/replay_calls seed=1 calls=$(calls) $(CALLS_OPTIONS)
fuzz:
	@command -v clang >/dev/null || { echo "make fuzz: clang is missing (Debian: clang)" >&2; exit 1; }
	+$(MAKE) O=$O/fuzz CC=clang CFLAGS='-O1 -g -fsanitize=fuzzer-no-link,address,$(UNDEFINED) -fno-sanitize-recover=$(UNDEFINED)' $(foreach f,$(FUZZERS),$O/fuzz/bin/fuzz_$f $O/fuzz/bin/replay_$f)
	@set -e; for f in $(FUZZERS); do \
	    mkdir -p $O/fuzz/corpus/$$f; \
	    $O/fuzz/bin/replay_$$f made=$O/fuzz/corpus/$$f; \
	    echo "make fuzz: $$f for $(seconds) s"; \
	    $O/fuzz/bin/fuzz_$$f -max_total_time=$(seconds) -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 -artifact_prefix=$O/fuzz/$$f- \
	        $O/fuzz/corpus/$$f tests/fuzz/corpus/$$f; \
	done

# ---- demo and benchmarks ----

# Settings given to make are passed on to the programs: make demo steps=200 threads=1
passed_on = $(foreach name,$1,$(if $(findstring command,$(origin $(name))),$(name)=$($(name))))
# Status 3 says that the claim does not hold, as after too few steps: it is printed, and no failure of make.
demo: $O/bin/one_step_gd
	$O/bin/one_step_gd seeds=1 $(if $(findstring command,$(origin out)),,out=$O/demo overwrite=1) $(call passed_on,out overwrite steps batch threads seed isa) || \
	    { status=$$?; [ $$status = 3 ] || exit $$status; }

# Table on the terminal, JSON in $O/bench.json.
bench: $O/bin/bench
	$O/bin/bench out=$O/bench.json $(call passed_on,threads isa only rounds clock)

# The same work in PyTorch, JAX, flash-linear-attention and NumPy, in one run; PEERS_PYTHON= is a Python that has them already.
PEERS_PYTHON ?= $O/peers/bin/python
bench-peers: $O/bin/bench $O/bin/stream_rls $(PEERS_PYTHON)
	$(PEERS_PYTHON) tests/bench/peers.py $O/bin/bench $O/bench-peers.json $(call passed_on,threads only steps isa)
$O/peers/bin/python:
	@echo "make bench-peers: downloads PyTorch (up to 3 GB), JAX, Optax and flash-linear-attention (0.1 GB) into $O/peers"
	python3 -m venv $O/peers || { echo "make bench-peers: python3 with venv is needed (Debian: python3-venv)" >&2; exit 1; }
	$O/peers/bin/pip install -q torch numpy jax optax einops
	$O/peers/bin/pip install -q --no-deps flash-linear-attention fla-core

# ---- docs and installation ----

$O/bin/api_values: docs/api_values.c $O/gen/constants.inc $(STATIC)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) -Iinclude -Ilib -I$O/gen $(LDFLAGS) -MF $O/gen/api_values.d -o $@ $< $(STATIC) $(LIBS)
$O/docs/api.json $O/docs/api.md: $O/docs/api.%: $(API_AWK) $(HEADERS) $O/bin/api_values
	@mkdir -p $(@D)
	$(call say,DOC,$@)$(call read_headers,$*) > $@ && $O/bin/api_values $* >> $@
docs: $O/docs/api.md $O/docs/api.json
	@echo "API reference: $O/docs/api.md; the same for programs: $O/docs/api.json"

# ---- bindings ----

# Layers made from api.json are committed; `make check` refuses them when they are not what the headers say.
PYTHON ?= python3
bindings: $O/docs/api.json
	@$(PYTHON) bindings/generate.py $<
# Their own tests need more than the library's: NumPy. With PYTHON= any interpreter, such as one that has PyTorch.
check-python: lib $O/bin/tour
	MESAOPT_LIBRARY='$(abspath $O/lib/libmesaopt.so)' MESAOPT_TOUR='$(abspath $O/bin/tour)' PYTHONPATH=bindings/python PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) -m unittest discover bindings/python/tests
# The same, but for measurements, on a library of AddressSanitizer's, with ten times as many random calls. Python itself does not return all it takes.
check-python-asan: $O/bin/tour
	@test -f "$$($(CC) -print-file-name=libasan.so)" || { echo "make check-python-asan: $(CC) has no libasan.so to preload; CC=gcc has one" >&2; exit 1; }
	+$(MAKE) O=$O/asan ISA_LEVELS='$(RUN_LEVELS)' CFLAGS='-O1 -g -fno-omit-frame-pointer $(SANITIZE_asan)' lib
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc CALLS=10000 MESAOPT_LIBRARY='$(abspath $O/asan/lib/libmesaopt.so)' \
	    PYTHONPATH=bindings/python:bindings/python/tests PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m unittest $(patsubst %,test_package.%,Arrays Training Studies Robustness.test_random_calls)
# cargo alone, nothing from the network. Building leaves Cargo.lock, which git ignores.
CARGO ?= cargo
check-rust: lib $O/bin/tour
	cd bindings/rust && export CARGO_TARGET_DIR='$(abspath $O/rust)' MESAOPT_LIB_DIR='$(abspath $O/lib)' MESAOPT_STATIC=1 && \
	    $(CARGO) test -q --offline && $(CARGO) run -q --offline --example tour > '$(abspath $O/tour.rust)'
	$O/bin/tour | cmp - $O/tour.rust
# What README and the pages of docs/ show of each language, run as it stands there.
check-pages: lib $O/bin/tour
	@O='$(abspath $O)' CC='$(CC)' CXX='$(CXX)' PYTHON='$(PYTHON)' CARGO='$(CARGO)' bindings/check_pages.sh
# What needs nothing but Python: the generated layers are what the headers say, Julia's fits the library.
check-bindings: lib $O/docs/api.json
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) bindings/generate.py $O/docs/api.json check
	@$(PYTHON) bindings/julia/test/check_api.py $O/docs/api.json bindings/julia/src/api.jl $O/lib/libmesaopt.so
wheel: lib
	@MESAOPT_BUILD='$(abspath $O)' PYTHONDONTWRITEBYTECODE=1 $(PYTHON) bindings/python/wheel_of_tree.py $O/dist
check-wheel: wheel $O/bin/tour
	@O='$(abspath $O)' PYTHON='$(PYTHON)' bindings/check_wheel.sh

# Figures of the documentation that no example draws; they are committed.
$O/bin/mesa_error: docs/figures/mesa_error.c $(STATIC)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) -Iinclude $(LDFLAGS) -MF $O/gen/mesa_error.d -o $@ $< $(STATIC) $(LIBS)
figures: $O/bin/mesa_error
	@mkdir -p $O/docs
	$O/bin/mesa_error > $O/docs/mesa-error.csv
	gnuplot -e "set output 'docs/figures/mesa-error.svg'; csv = '$O/docs/mesa-error.csv'" docs/figures/mesa_error.gp

INSTALL_DOCS := README.md CHANGELOG.md CONTRIBUTING.md LICENSE $(wildcard docs/*.md docs/figures/*.svg) $(TINY) $(wildcard examples/*.cpp)
DOCDIR = $(DATADIR)/doc/mesaopt
# The libraries without debug information, and that of the shared one in a file of its own, which it names.
$O/stripped/libmesaopt.a: $(STATIC)
	@mkdir -p $(@D)
	$(call say,STRIP,$@)$(OBJCOPY) --strip-debug $< $@
$O/stripped/libmesaopt.so.$(VERSION): $(SHARED)
	@mkdir -p $(@D)
	$(call say,STRIP,$@)$(OBJCOPY) --only-keep-debug $< $@.debug
	@$(OBJCOPY) --strip-unneeded --add-gnu-debuglink=$@.debug $< $@
DEBUG_FILE = $(LIBDIR)/.debug/$(notdir $(SHARED)).debug
install: lib $O/docs/api.json $O/docs/api.md $(STRIPPED)
	@case '$(DEBUGINFO)' in apart|none|inside) ;; *) echo "make install: DEBUGINFO: '$(DEBUGINFO)', expected apart, none or inside" >&2; exit 1 ;; esac
	mkdir -p $(addprefix $(DESTDIR),$(INCLUDEDIR)/mesaopt $(LIBDIR)/pkgconfig $(LIBDIR)/cmake/mesaopt $(DATADIR)/mesaopt $(DOCDIR)/docs/figures $(DOCDIR)/examples)
	install -m 644 $(HEADERS) $(CXX_HEADERS) $(DESTDIR)$(INCLUDEDIR)/mesaopt
	install -m 644 $(if $(filter inside,$(DEBUGINFO)),$(STATIC),$O/stripped/libmesaopt.a) $(DESTDIR)$(LIBDIR)
	install -m 755 $(if $(filter inside,$(DEBUGINFO)),$(SHARED),$O/stripped/$(notdir $(SHARED))) $(DESTDIR)$(LIBDIR)
	$(if $(filter apart,$(DEBUGINFO)),install -D -m 644 $O/stripped/$(notdir $(SHARED)).debug $(DESTDIR)$(DEBUG_FILE),rm -f $(DESTDIR)$(DEBUG_FILE); rmdir --ignore-fail-on-non-empty $(dir $(DESTDIR)$(DEBUG_FILE)) 2>/dev/null || true)
	ln -sf libmesaopt.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libmesaopt.so.$(SOVERSION)
	ln -sf libmesaopt.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libmesaopt.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))|' \
	    -e 's|@INCLUDEDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))|' -e 's|@VERSION@|$(VERSION)|' mesaopt.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/mesaopt.pc
	for f in mesaoptConfig.cmake mesaoptConfigVersion.cmake; do sed -e 's|@VERSION@|$(VERSION)|' -e 's|@SOVERSION@|$(SOVERSION)|' \
	    -e "s|@INCLUDE@|$$(realpath -m --relative-to='$(LIBDIR)/cmake/mesaopt' '$(INCLUDEDIR)')|" $$f.in > $(DESTDIR)$(LIBDIR)/cmake/mesaopt/$$f || exit 1; done
	install -m 644 $O/docs/api.json $(DESTDIR)$(DATADIR)/mesaopt
	install -m 644 $O/docs/api.md $(DESTDIR)$(DOCDIR)/docs
	for f in $(INSTALL_DOCS); do install -m 644 $$f $(DESTDIR)$(DOCDIR)/$$f || exit 1; done
	$(if $(DESTDIR),,@! command -v ldconfig >/dev/null || ldconfig 2>/dev/null || true)

uninstall:
	rm -f $(addprefix $(DESTDIR)$(INCLUDEDIR)/,$(patsubst include/%,%,$(HEADERS) $(CXX_HEADERS)))
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,libmesaopt.a libmesaopt.so libmesaopt.so.$(SOVERSION) libmesaopt.so.$(VERSION) pkgconfig/mesaopt.pc cmake/mesaopt/mesaoptConfig.cmake cmake/mesaopt/mesaoptConfigVersion.cmake) $(DESTDIR)$(DEBUG_FILE)
	rm -f $(DESTDIR)$(DATADIR)/mesaopt/api.json $(DESTDIR)$(DOCDIR)/docs/api.md $(addprefix $(DESTDIR)$(DOCDIR)/,$(INSTALL_DOCS))
	rmdir --ignore-fail-on-non-empty $(addprefix $(DESTDIR),$(INCLUDEDIR)/mesaopt $(LIBDIR)/.debug $(LIBDIR)/cmake/mesaopt $(LIBDIR)/cmake $(DATADIR)/mesaopt $(addprefix $(DOCDIR),/docs/figures /docs /examples) $(DOCDIR)) 2>/dev/null || true

deps:
	@$(run_deps)
# What check-python and check-rust need as well.
deps-bindings:
	@$(run_deps) bindings
run_deps = CC='$(CC)' CXX='$(CXX)' MULTIARCH='$(MULTIARCH)' BLIS_LIB='$(BLIS_LIB)' BLIS_INC='$(BLIS_INC)' .ci/deps

help:
	@echo 'make [all]         static and shared library into $O/lib, examples into $O/bin'
	@echo 'make deps          installs what the build, the tests and the figures need (apt)'
	@echo 'make check         builds and runs every test'
	@echo 'make check only=lsq    the suites with lsq in their name, and no others'
	@echo 'make debug         an unoptimised build for a debugger, into $O/debug'
	@echo 'make check-long    its random tests at length; seed=7: with other numbers'
	@echo 'make demo          trains one linear attention layer and compares it with one step of gradient descent'
	@echo 'make bench         speed, as shares of the peak of this machine; bench-peers: beside other programs'
	@echo 'make install       into $(PREFIX) (PREFIX=, LIBDIR=, DESTDIR=, DEBUGINFO=apart, none, inside); uninstall removes it'
	@echo 'make bindings      writes the generated layers of the bindings anew, from the headers'
	@echo 'make check-python check-python-asan check-rust check-pages check-wheel    tests of the packages and their pages (PYTHON=, CARGO=); make wheel: Python, into $O/dist'
	@echo 'make docs          API reference from the header comments, into $O/docs'
	@echo 'make figures       draws those of docs/figures that no example draws'
	@echo 'make asan ubsan tsan    the tests under the sanitizers'
	@echo 'make fuzz seconds=60    looks for inputs that break the readers'
	@echo 'make abi           compares the ABI with the committed one; abi-baseline writes it'
	@echo 'make clean         removes what was built'

# ---- cleaning ----

clean:
	rm -rf $(addprefix $O/,obj gen lib stripped bin docs dist rust tour.rust debug asan ubsan tsan fuzz peers demo flags bench.json bench-peers.json libmesaopt.abi)
	-@[ ! -d $O ] || rmdir --ignore-fail-on-non-empty $O

.PHONY: all lib examples check debug check-long run-tests $(RUN_PARTS) run-examples $(RUN_SCRIPTS) run-corpus run-calls check-structure asan ubsan tsan fuzz abi abi-baseline demo bench bench-peers docs bindings check-bindings check-pages check-python check-python-asan check-rust check-wheel wheel figures install uninstall deps deps-bindings help clean FORCE
FORCE:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

-include $(patsubst %.o,%.d,$(OBJ) $(TEST_OBJ) $(BENCH_OBJ) $(FUZZ_OBJ) $(EXAMPLE_OBJ)) $O/gen/api_values.d $O/gen/mesa_error.d
