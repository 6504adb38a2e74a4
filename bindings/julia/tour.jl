# The program of examples/tour.c from Julia: a layer of linear attention is trained, its step size read off, and a
# regression streamed. Prints the same, to the bit.
using MesaOpt, Printf

say(what, x) = @printf("%-22s %9.6f  %016x\n", what, x, reinterpret(UInt64, x))

ctx = Context()
model = Model(ctx, "mask(first=20); linear(heads=2,key=20,residual_clip=4)")
trainer = Trainer(model, Task(ctx); lr = 0.003, batch = 64)
run!(trainer, 200)
say("loss after 200 steps", evaluate(trainer; count = 256)[1])
form = closed_form(RevAlg(model), 2)
say("eta", form[1, 2] * form[1, 5] + form[2, 2] * form[2, 5])

regression = Regression(Solver(ctx, 2, 1))
for t in 0:99
    k = [t * 37 % 101 / 101 - 0.5 t * 53 % 103 / 103 - 0.5]
    update!(regression, k, fill(2 * k[1] - 3 * k[2], 1, 1))
end
prediction, error = zeros(1, 1), zeros(1, 1)
predict!(regression, [0.25 -0.5], prediction, error)
say("prediction", prediction[1])
say("its standard error", error[1])
