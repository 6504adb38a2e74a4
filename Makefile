# libmesaopt: plain GNU make, 4.3 or newer. `make help` lists the targets.
#
#   make O=DIR              builds into DIR (default: build; absolute or relative)
#   make CC=clang CFLAGS=-O2 LDFLAGS=...            the usual variables are respected; a change of them rebuilds
#   make BLIS_LIB=/path/libblis.a BLIS_INC=/path    another static BLIS (serial)
#
# Nothing here may fail while it is read when the compiler is still missing: `make deps` has to run on a bare machine.

O ?= build
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share

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

# ISA levels: 1 baseline, 2 AVX2 and FMA, 3 AVX-512; chosen at run time.
ISA_LEVELS := 1 $(if $(filter x86_64-%,$(MULTIARCH)),2 3)
ISA_2 = -mavx2 -mfma
ISA_3 = -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512

WARNINGS = -Wall -Wextra
ALL_CFLAGS = -std=gnu11 $(WARNINGS) -pthread -MMD -MP $(CPPFLAGS) $(CFLAGS)
LIB_CFLAGS = -fPIC -fvisibility=hidden -fno-math-errno -ffp-contract=fast -Iinclude -Ilib -I$O/gen -isystem $(BLIS_INC)
SIMD_CFLAGS = -O3
LIBS = -lm -lpthread

HEADERS := $(sort $(wildcard include/mesaopt/*.h))
SRC := $(sort $(filter-out lib/kern/simd_%,$(wildcard lib/*/*.c)))
SIMD := $(sort $(wildcard lib/kern/simd_*.c))
TESTS := $(sort $(wildcard tests/test_*.c))
TEST_SRC := $(sort $(wildcard tests/*.c))
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
EXAMPLES := $(patsubst examples/%.c,$O/bin/%,$(sort $(filter-out examples/common.c,$(wildcard examples/*.c))))
EXAMPLE_COMMON := $(patsubst %.c,$O/obj/%.o,$(wildcard examples/common.c))

OBJ := $(SRC:%.c=$O/obj/%.o)
TEST_OBJ := $(TEST_SRC:%.c=$O/obj/%.o)
BENCH_OBJ := $(BENCH_SRC:%.c=$O/obj/%.o)

STATIC := $O/lib/libmesaopt.a
SHARED := $O/lib/libmesaopt.so.$(VERSION)
INTERNAL := $O/lib/libmesaopt_internal.a

all: lib examples
lib: $(STATIC) $O/lib/libmesaopt.so
examples: $(EXAMPLES)

# Writes a text to the target unless it already stands there, so that what depends on it is not rebuilt for nothing.
write_if_changed = mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$1)' > $@.new; if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# ---- compiling ----

# With `make deps check` nothing may start before the packages are there.
$O/flags: FORCE | $(filter deps,$(MAKECMDGOALS))
	@$(call write_if_changed,$(CC) $(ALL_CFLAGS) $(LIB_CFLAGS) $(SIMD_CFLAGS) $(LDFLAGS) $(BLIS_LIB))

GENERATED := $O/gen/constants.inc

define simd_variant
OBJ += $(SIMD:%.c=$O/obj/%.$1.$2.o)
$O/obj/%.$1.$2.o: %.c $O/flags | $(GENERATED)
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_CFLAGS) $$(LIB_CFLAGS) $$(SIMD_CFLAGS) $$(ISA_$2) -DREAL_BITS=$1 -DSIMD_ISA=$2 -c $$< -o $$@
endef
$(foreach bits,32 64,$(foreach isa,$(ISA_LEVELS),$(eval $(call simd_variant,$(bits),$(isa)))))

$O/obj/lib/%.o: lib/%.c $O/flags | $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LIB_CFLAGS) -c $< -o $@

# Tests and benchmarks see the inside of the library, examples its public headers only.
$O/obj/tests/%.o: tests/%.c $O/flags | $(GENERATED) $O/gen/suites.inc
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LIB_CFLAGS) -Itests -c $< -o $@
$O/obj/examples/%.o: examples/%.c $O/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Iinclude -c $< -o $@

# ---- made from the public headers ----

$O/gen/constants.inc: docs/api.awk $(HEADERS)
	@mkdir -p $(@D)
	awk -v mode=constants -f $^ > $@
$O/gen/libmesaopt.map: docs/api.awk $(HEADERS)
	@mkdir -p $(@D)
	awk -v mode=map -f $^ > $@
$O/gen/libmesaopt.symbols: docs/api.awk $(HEADERS)
	@mkdir -p $(@D)
	awk -v mode=symbols -f $^ > $@

# tests/test_NAME.c defines Suite *test_NAME_suite(void); this is the list of them.
$O/gen/suites.inc: FORCE
	@$(call write_if_changed,$(TESTS:tests/%.c=SUITE(%_suite)))

# ---- linking ----

# For the tests: plain objects, nothing hidden.
$(INTERNAL): $(OBJ)
	@mkdir -p $(@D)
	rm -f $@ && $(AR) rcs $@ $^

# One object that holds ours and the members of BLIS that it needs, and shows the exported functions only.
$(STATIC): $(OBJ) $O/gen/libmesaopt.symbols
	@mkdir -p $(@D)
	$(CC) -r -nostdlib -o $O/obj/libmesaopt.o $(OBJ) $(BLIS_LIB)
	cut -d' ' -f1 $O/gen/libmesaopt.symbols > $O/gen/libmesaopt.keep
	$(OBJCOPY) --keep-global-symbols=$O/gen/libmesaopt.keep $O/obj/libmesaopt.o
	rm -f $@ && $(AR) rcs $@ $O/obj/libmesaopt.o

$(SHARED): $(OBJ) $O/gen/libmesaopt.map
	@mkdir -p $(@D)
	$(CC) -shared $(CFLAGS) $(LDFLAGS) -Wl,-soname,libmesaopt.so.$(SOVERSION) -Wl,--version-script=$O/gen/libmesaopt.map \
	    -Wl,-Bsymbolic-functions -Wl,-z,noexecstack -Wl,--as-needed -o $@ $(OBJ) $(BLIS_LIB) $(LIBS)
$O/lib/libmesaopt.so: $(SHARED)
	ln -sf libmesaopt.so.$(VERSION) $O/lib/libmesaopt.so.$(SOVERSION)
	ln -sf libmesaopt.so.$(SOVERSION) $@

$(EXAMPLES): $O/bin/%: $O/obj/examples/%.o $(EXAMPLE_COMMON) $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$O/bin/check: $(TEST_OBJ) $(INTERNAL)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(BLIS_LIB) -lcheck -lsubunit -lrt $(LIBS)
$O/bin/bench: $(BENCH_OBJ) $(INTERNAL)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(BLIS_LIB) $(LIBS)

# ---- tests ----

check: run-tests
run-tests: $O/bin/check
	$O/bin/check

# ---- cleaning ----

clean:
	rm -rf $(addprefix $O/,obj gen lib bin docs flags)
	-rmdir --ignore-fail-on-non-empty $O

.PHONY: all lib examples check run-tests clean FORCE
FORCE:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

-include $(patsubst %.o,%.d,$(OBJ) $(TEST_OBJ) $(BENCH_OBJ) $(EXAMPLE_COMMON) $(EXAMPLES:$O/bin/%=$O/obj/examples/%.o))
