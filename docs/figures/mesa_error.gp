# docs/figures/mesa-error.svg from the CSV of mesa_error.c; `make figures`.
set terminal svg size 860,460 dynamic font 'Helvetica,14' background 'white'
set title 'f32 against f64: 8 heads, d = 128, T = 120, weights and gates' noenhanced
set xlabel 'condition number of H + diag(l)'
set ylabel 'relative error'
set datafile separator ','
set logscale xy
set format y '10^{%T}'
set xrange [2:16384]
set yrange [5e-8:1e-1]
set tics nomirror
set border 3
set grid lc rgb '#dddddd'
set key outside right center vertical Left reverse enhanced
forward(x) = x > 335.5 ? 0.5 * x * 2.0**-24 : 1e-5
plot forward(x) with lines lw 2 dt 3 lc rgb '#777777' title '0.5 kappa 2^{-24}, at least 10^{-5}', \
     10 * forward(x) with lines lw 2 dt 4 lc rgb '#777777' title 'ten times that', \
     for [i=0:3] csv skip 1 using 1:(column(2*i+2)) with lines lw 2.5 lc rgb word('#1f6fb4 #e0711c #2a9d4e #8a4fb0', i + 1) title word('cholesky segments cg\_chunk cg\_diag', i + 1).', outputs', \
     for [i=0:3] csv skip 1 using 1:(column(2*i+3)) with lines lw 2.5 dt 2 lc rgb word('#1f6fb4 #e0711c #2a9d4e #8a4fb0', i + 1) title word('cholesky segments cg\_chunk cg\_diag', i + 1).', gradients'
