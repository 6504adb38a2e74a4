# Which solver takes which tokens of a mesa layer, in a debug build:
#
#   make debug
#   gdb -batch -x tests/solvers.gdb --args build/debug/bin/long_context context=600 prefill=512 threads=1 out=/tmp/lc
#
# One line per region: its tokens, the panel, the solver that was picked (lib/mesa/solve.c). One thread keeps lines apart: threads=1.
set pagination off
set print thread-events off
break solve_region
commands
silent
printf "tokens %ld..%ld  %d lanes of %d bytes  ", r->t, r->t + r->T - 1, w->k->lanes, w->k->size
output r->solver
printf "\n"
continue
end
run
