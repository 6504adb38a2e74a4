"""The program of examples/tour.c from Python: a layer of linear attention is trained, its step size read off, and a
regression streamed. Prints the same, to the bit."""
import struct

import mesaopt


def say(what, x):
    print(f"{what:22s} {x:9.6f}  {struct.unpack('<Q', struct.pack('<d', x))[0]:016x}")


model = mesaopt.Model("mask(first=20); linear(heads=2,key=20,residual_clip=4)")
trainer = mesaopt.Trainer(model, mesaopt.Task(), lr=0.003, batch=64)
trainer.run(200)
form = mesaopt.RevAlg(model).closed_form()               # of each head: alpha, eta, beta, gamma, p1, p2
say("loss after 200 steps", trainer.evaluate(256).loss)
say("eta", form[0, 1] * form[0, 4] + form[1, 1] * form[1, 4])

regression = mesaopt.RecursiveRidge(ridge=1, fit_intercept=False)
for t in range(100):
    k = t * 37 % 101 / 101 - 0.5, t * 53 % 103 / 103 - 0.5
    regression.partial_fit([k], [2 * k[0] - 3 * k[1]])
prediction, error = regression.predict([[0.25, -0.5]], return_std=True)
say("prediction", prediction[0])
say("its standard error", error[0])
