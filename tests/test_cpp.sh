#!/bin/sh
# include/mesaopt/mesaopt.hpp with every C++ compiler that is there, with exceptions and without.
# Started by `make check` with O and CXX set, after the library is built. Prints one line per check; the last line counts them.
. tests/example_checks.sh

for compiler in "${CXX:-g++}" g++ clang++; do
    command -v "${compiler%% *}" > /dev/null && echo "$compiler"
done | sort -u > compilers
while read -r compiler; do
    for mode in -fexceptions -fno-exceptions; do
        $compiler -std=c++11 $mode -O1 -pedantic -Wall -Wextra -Wconversion -Werror -I"$here/include" "$here/tests/cpp_test.cpp" "$bin/../lib/libmesaopt.a" -lm -lpthread -o cpp_test 2>> wrong &&
            run 0 ./cpp_test
    done
    $compiler -std=c++11 -O1 -pedantic -Wall -Wextra -Werror -I"$here/include" "$here/examples/tour.cpp" "$bin/../lib/libmesaopt.a" -lm -lpthread -o tour 2>> wrong
    run 0 ./tour; mv out said
    run 0 "$bin/tour"; same out said
    check "mesaopt.hpp: $compiler, with exceptions and without; the bits of C"
done < compilers

echo "C++: $passed passed, $failed failed"
[ "$failed" = 0 ]
