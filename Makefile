# Placeholder until the real one lands: builds every lib/*/*.c and lib/kern/simd_*.c per element type and ISA level.
O ?= build
CC ?= gcc
CFLAGS ?= -O2 -g
BLIS_INC ?= /usr/include/x86_64-linux-gnu/blis-serial
BLIS_LIB ?= /usr/lib/x86_64-linux-gnu/blis-serial/libblis.a
ALL = -std=gnu11 -Wall -Wextra -fPIC -fvisibility=hidden -fno-math-errno -ffp-contract=fast -Iinclude -Ilib -I$(BLIS_INC) -MMD -MP -pthread
SRC = $(filter-out lib/kern/simd_%,$(wildcard lib/*/*.c))
SIMD = $(wildcard lib/kern/simd_*.c)
ISA_1 =
ISA_2 = -mavx2 -mfma
ISA_3 = -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512
OBJ = $(SRC:%.c=$O/obj/%.o)
define variant
OBJ += $(SIMD:%.c=$O/obj/%.$1.$2.o)
$O/obj/%.$1.$2.o: %.c
	@mkdir -p $$(@D)
	$(CC) $(CFLAGS) -O3 $(ALL) $(ISA_$2) -DREAL_BITS=$1 -DSIMD_ISA=$2 -c $$< -o $$@
endef
$(foreach b,32 64,$(foreach i,1 2 3,$(eval $(call variant,$b,$i))))
lib: $O/lib/libmesaopt_internal.a
$O/lib/libmesaopt_internal.a: $(OBJ)
	@mkdir -p $(@D)
	rm -f $@ && ar rcs $@ $^
$O/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(ALL) -c $< -o $@
-include $(OBJ:.o=.d)
.PHONY: lib

# tests/test_NAME.c defines Suite *test_NAME_suite(void); the list is generated.
TESTS = $(wildcard tests/test_*.c)
check: $O/bin/check
	$O/bin/check
$O/bin/check: $(TESTS) $O/lib/libmesaopt_internal.a
	@mkdir -p $(@D) $O/gen
	printf '%s\n' $(TESTS:tests/%.c=%) | sed 's/.*/SUITE(&_suite)/' > $O/gen/suites.inc
	$(CC) $(CFLAGS) $(ALL) -I$O/gen -Itests -o $@ $(TESTS) tests/runner.c $O/lib/libmesaopt_internal.a $(BLIS_LIB) -lcheck -lsubunit -lrt -lm -lpthread
.PHONY: check
