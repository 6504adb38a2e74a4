"""What the package promises beyond the C library's own tests. Run by `make check-python`, or: python -m unittest discover bindings/python/tests

Expected values are NumPy's. With CALLS=N, N random calls in place of 1000; PyTorch, JAX and scikit-learn are used when they are there."""
import copy
import ctypes
import gc
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import typing
import unittest
import unittest.mock
import warnings
import weakref

import numpy as np

import mesaopt
from mesaopt import _api


def have(name):
    try:
        __import__(name)
        return True
    except ImportError:
        return False


def small(**more):
    task = mesaopt.Task(dim=4, length=12, tokens="constructed", seed=3)
    model = mesaopt.Model("mask(first=8); linear(heads=1,key=5)", inputs=16, outputs=4, **more)
    return task, model


def flat(x):
    """Arrays and numbers of nested tuples and lists."""
    return [y for z in x for y in flat(z)] if isinstance(x, (tuple, list)) else [x]


class Arrays(unittest.TestCase):
    def setUp(self):
        self.rng = np.random.default_rng(5)

    def test_strides_and_types_without_copies(self):
        ctx = mesaopt.default_context()
        x = self.rng.normal(size=(6, 8, 3))
        for a in (x, x[::2, ::-1], x.T, np.asfortranarray(x), x[:, :0], x[1, 2, :1], np.float32(x), np.float16(x), x.astype(">f8"), x.astype(np.int16) * 1.0):
            out = np.full(a.shape, np.nan)
            _api.tensor_copy(ctx, a, out)
            np.testing.assert_array_equal(out, a.astype(np.float64))
        bytewise = np.zeros((6, 8, 3), [("x", "f8"), ("pad", "i4")])["x"]          # elements every 12 bytes
        shifted = np.zeros(6 * 8 * 3 * 8 + 1, np.uint8)[1:].view(np.float64).reshape(6, 8, 3)
        for a in (bytewise, shifted):                      # what has to be copied, and is no output
            a[:] = x
            out = np.zeros(a.shape)
            _api.tensor_copy(ctx, a, out)
            np.testing.assert_array_equal(out, x)
            with self.assertRaisesRegex(ValueError, "dst: (strides|elements that are not aligned)"):
                _api.tensor_copy(ctx, x, a)
        out = np.zeros((3, 8, 6)).T                        # written through strides
        _api.tensor_copy(ctx, x, out)
        np.testing.assert_array_equal(out, x)

    def test_read_only_and_wrong_outputs_are_refused(self):
        task, _ = small()
        out = np.zeros((2, 13, 4))
        out.flags.writeable = False
        with self.assertRaisesRegex(mesaopt.Error, "out: .*READONLY"):
            task.draw(2, out=out)
        for wrong in (np.zeros((2, 13, 5)), np.zeros((2, 13, 4), np.int64), np.broadcast_to(np.zeros(4), (2, 13, 4)), [0.0], None, np.zeros((2, 13, 4), ">f8"),
                      np.zeros((2, 13, 4), "c16"), np.zeros((1,) * 7)):
            with self.assertRaises((mesaopt.Error, TypeError, ValueError, OverflowError)):
                _api.task_draw(task, 0, 0, wrong)

    def test_types_that_are_copied(self):
        _, model = small(dtype="f32")
        x = np.random.default_rng(1).normal(size=(2, 12, 16)).astype(np.float32)
        np.testing.assert_array_equal(model.forward(x.astype(">f4")), model.forward(x))
        _, wide = small(dtype="f64")
        with self.assertRaisesRegex(mesaopt.Error, "tokens: dtype"):
            wide.forward(x.astype(">f4"))
        core = mesaopt._core
        self.assertEqual(core._other_type(np.array([2**63 - 1], np.uint64), "x", False)[1][0], 2**63 - 1)
        with self.assertRaisesRegex(OverflowError, "x: 9223372036854775813, expected integers below"):
            core.view_in(np.array([5, 2**63 + 5], np.uint64), "x")
        for wrong in (None, "x", {}, [[1.0], [1.0, 2.0]], object()):
            with self.assertRaisesRegex(TypeError, "tokens: (NoneType|str|dict|list|object), expected an array"):
                model.forward(wrong)
        with self.assertRaisesRegex(mesaopt.Error, "sequences: shape"):
            mesaopt.Baseline("gd").predict(np.zeros(4))
        for wrong in (x[0], x[0, 0], x[0, 0, 0]):
            with self.assertRaisesRegex(mesaopt.Error, "tokens: shape"):
                model.forward(wrong)

    def test_lists_are_inputs_of_every_class(self):
        """The same numbers as lists and as an array of float64."""
        task, model = small(dtype="f64")
        x = task.draw(2)
        tokens = task.tokens(x)
        q, k, v = np.random.default_rng(1).normal(size=(3, 1, 5, 1, 3))
        solver, attention, gd, decoder = mesaopt.MesaSolver(3, 3), mesaopt.Attention(key=3), mesaopt.Baseline("gd"), mesaopt.Decoder(model, streams=2)
        probe = mesaopt.Probe([16], 12, 4)
        for f, *given in ((model.forward, tokens), (model.backward, tokens, np.ones((2, 12, 4))), (model.activations, tokens), (task.tokens, x), (gd.predict, x),
                          (lambda *a: (solver.forward(*a), solver.adjoint(*a, q)), q, k, v), (lambda *a: (attention(*a), attention.backward(*a, q)), q, k, v),
                          (lambda t: (decoder.reset(-1), decoder.step(t))[1], tokens), (model.loss, tokens, x[:, 1:]),
                          (lambda a, y: (probe.reset(0), probe.feed([a], y).fit(penalty=1.0), probe.weights(0, 0))[2], tokens, x[:, 1:]),
                          (lambda a: mesaopt.Task.of(a).draw(2), x)):
            for one, other in zip(flat(f(*given)), flat(f(*[g.tolist() for g in given]))):
                np.testing.assert_array_equal(one, other)
            with self.assertRaisesRegex(TypeError, "NoneType, expected an array"):
                f(*[None] * len(given))

    def test_closed_contexts(self):
        """What was made in one goes on, errors have their text, and the context goes with the last of it."""
        kept = len(mesaopt._core._kept)
        context = mesaopt.Context()
        model = mesaopt.Model("dense(outputs=10)", ctx=context)
        owned = weakref.ref(model._owned)
        context.close()
        self.assertEqual(model.forward(np.zeros((4, 30, 40), np.float32)).shape, (4, 30, 10))
        with self.assertRaisesRegex(mesaopt.ArgumentError, "tokens: shape"):
            model.forward(np.zeros((4, 30, 41), np.float32))
        with self.assertRaisesRegex(ValueError, "closed"):
            mesaopt.Task(ctx=context)
        self.assertEqual(repr(context), "<mesaopt.Context closed>")
        del model
        self.assertIsNone(owned())
        self.assertEqual(len(mesaopt._core._kept), kept)   # its poll was released

    def test_views_of_the_library_live_as_long_as_their_arrays(self):
        _, model = small(dtype="f64")
        query = model.parameters["blocks.1.query"]
        query[:] = 7
        with self.assertRaises(BufferError):
            model.add("dense", outputs=4)
        self.assertEqual(model.parameters["blocks.1.query"][3, 2], 7)
        pointer = query[1:].T
        alive = weakref.ref(model)
        del query, model
        gc.collect()
        self.assertIsNotNone(alive())
        self.assertEqual(pointer[0, 0], 7)
        del pointer
        gc.collect()
        self.assertIsNone(alive())

    def test_tensor_shares_memory(self):
        x = np.zeros((3, 13, 4))
        task = mesaopt.Task.of(x)
        x[1, 2, 3] = 5
        self.assertEqual(task.draw(3)[1, 2, 3], 5)
        kept = sys.getrefcount(x)
        del task
        gc.collect()
        self.assertLess(sys.getrefcount(x), kept)

    def test_dlpack_without_a_version(self):
        """Capsules from before DLPack 1.0, which do not say whether they may be written: inputs only."""
        class Old:
            def __init__(self, a):
                self.a, self.shape, self.dtype = a, a.shape, a.dtype

            def __dlpack__(self):
                return self.a.__dlpack__()

        ctx, x, out = mesaopt.default_context(), self.rng.normal(size=(3, 4)), np.zeros((4, 3))
        kept = sys.getrefcount(x)
        _api.tensor_copy(ctx, Old(x), out.T)
        np.testing.assert_array_equal(out.T, x)
        with self.assertRaisesRegex(mesaopt.Error, "dst: .*READONLY"):
            _api.tensor_copy(ctx, out.T, Old(x))
        gc.collect()
        self.assertEqual(sys.getrefcount(x), kept)

    @unittest.skipUnless(have("torch"), "no PyTorch here")
    def test_dlpack_of_torch(self):
        import torch
        ctx = mesaopt.default_context()
        x = torch.randn(5, 7, dtype=torch.float64)
        for a in (x, x.t(), x[::2], x.float(), x.half(), x.bfloat16()):
            out = np.empty(tuple(a.shape))
            _api.tensor_copy(ctx, a, out)
            np.testing.assert_array_equal(out, a.double().numpy())
        out = torch.zeros(5, 7, dtype=torch.float64)
        _api.tensor_copy(ctx, x.clone().requires_grad_(), out)
        self.assertTrue(torch.equal(out, x))

    @unittest.skipUnless(have("torch"), "no PyTorch here")
    def test_lazy_bits_of_torch(self):
        """The imaginary part of a conjugate is in memory with the other sign: read with its own, not written."""
        import torch
        import mesaopt.torch as mt
        z = torch.view_as_complex(torch.tensor(self.rng.normal(size=(2, 5, 1, 3, 2))))
        v = z.conj().imag
        is_v = torch.tensor((-z.imag).tolist(), dtype=torch.float64)
        self.assertTrue(v.is_neg())
        out = np.empty(v.shape)
        _api.tensor_copy(mesaopt.default_context(), v, out)
        np.testing.assert_array_equal(out, is_v)
        np.testing.assert_array_equal(mesaopt.Tensor(v).array(), is_v)
        for f in (mesaopt.MesaSolver(3, 3).forward, mesaopt.Attention(key=3).forward, mt.mesa, mt.attention):
            np.testing.assert_array_equal(f(v, v, v), f(is_v, is_v, is_v))
        for f in (mesaopt.MesaSolver(3, 3).adjoint, mesaopt.Attention(key=3).backward):
            for a, b in zip(f(v, v, v, v), f(is_v, is_v, is_v, is_v)):
                np.testing.assert_array_equal(a, b)
        for f in (mt.mesa, mt.attention):
            grads = []
            for x in (v, is_v):
                q = is_v.clone().requires_grad_()
                f(q, x, x).backward(x)
                grads.append(q.grad)
            self.assertTrue(torch.equal(*grads))
        with self.assertRaisesRegex(ValueError, "dst: .*negative bit"):
            _api.tensor_copy(mesaopt.default_context(), is_v, v)
        np.testing.assert_array_equal(z.imag, -is_v)
        for x, said in ((z.conj(), "src: .*conj"), (z, "src: .*complex128"), (torch.eye(3).to_sparse(), "src: .*layout")):
            with self.assertRaisesRegex((BufferError, mesaopt.Error), said):
                _api.tensor_copy(mesaopt.default_context(), x, out)

    def test_no_part_of_an_array_is_dropped(self):
        """Imaginary parts and masks, whatever warnings are set to."""
        _, model = small(dtype="f64")
        x = np.ones((1, 12, 16))
        for wrong in (x + 1j, np.ma.masked_array(x, x > 0), [list(a) for a in x + 1j], [np.ones((12, 16), complex)]):
            with self.assertRaisesRegex(TypeError, "tokens: .*(complex|masked)"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.forward(wrong)
        np.testing.assert_array_equal(model.forward(np.ma.masked_array(x)), model.forward(x))         # nothing masked
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for kind in (np.complex64, np.complex128):
                with self.assertRaisesRegex(TypeError, "h: complex.*, expected a number"):
                    mesaopt.grad_check(lambda: 0.0, x, x, kind(1e-3))
                with self.assertRaisesRegex(TypeError, "returned: complex.*, expected a number"):
                    mesaopt.grad_check(lambda: kind(1), x, x.copy())

    def test_lists_that_are_read_once(self):
        q, k, v = self.rng.normal(size=(3, 1, 5, 1, 3))
        solver = mesaopt.MesaSolver(3, 3)
        self.assertEqual(list(solver.forward(q, k, v, want=iter(["solution"]))[1]), ["solution"])
        self.assertEqual(list(solver.adjoint(q, k, v, v, want=iter(["d_ridge"]), ridge=np.ones((1, 3)))[3]), ["d_ridge"])
        task, model = small()
        self.assertEqual(len(mesaopt.Linearise(model, task, iter([1]), batch=4).evaluate(4)[0]), 1)

    def test_tensor_is_exported_by_dlpack(self):
        x = self.rng.normal(size=(3, 4, 5))[:, ::2]
        before = sys.getrefcount(x)
        tensor = mesaopt.Tensor(x)
        y = np.from_dlpack(tensor)
        self.assertEqual((y.__array_interface__["data"][0], y.strides), (x.__array_interface__["data"][0], x.strides))
        tensor.__dlpack__()                                # nobody takes these
        tensor.__dlpack__(max_version=(1, 1))
        kept = y[1:]
        del tensor, y
        gc.collect()
        np.testing.assert_array_equal(kept, x[1:])
        del kept
        gc.collect()
        self.assertEqual(sys.getrefcount(x), before)
        with self.assertRaises(TypeError):                 # refused, while a capsule that nobody took goes
            _api.rls_get(_api.rls_create(mesaopt.MesaSolver(1, 1), 1), [1, 1], [mesaopt.Tensor(np.zeros(3)), "x"])
        x.flags.writeable = False
        with self.assertRaisesRegex(BufferError, "(?i)readonly"):
            mesaopt.Tensor(x).__dlpack__()
        if have("torch"):
            import torch
            self.assertEqual(torch.from_dlpack(mesaopt.Tensor(np.ones(3))).sum().item(), 3)

    @unittest.skipUnless(have("jax"), "no JAX here")
    def test_dlpack_of_jax(self):
        import jax.numpy as jnp
        ctx = mesaopt.default_context()
        x = jnp.arange(12.0).reshape(3, 4)
        for a in (x, x.astype(jnp.bfloat16), x.astype(jnp.float16)):
            out = np.empty((3, 4))
            _api.tensor_copy(ctx, a, out)
            np.testing.assert_array_equal(out, np.arange(12.0).reshape(3, 4))
        with self.assertRaises(mesaopt.Error):             # its arrays are read-only
            _api.tensor_copy(ctx, np.zeros((3, 4), np.float32), x)


class Training(unittest.TestCase):
    def test_callback_sees_steps_and_stops(self):
        task, model = small()
        trainer = mesaopt.Trainer(model, task, batch=8)
        seen = []
        self.assertTrue(trainer.run(3, lambda s: seen.append(s.step)))
        self.assertFalse(trainer.run(9, lambda s: s.step == 5))
        self.assertEqual((seen, trainer.steps), ([1, 2, 3], 5))
        with self.assertRaisesRegex(KeyError, "mine"):
            trainer.run(9, lambda s: {}["mine"])
        self.assertEqual(trainer.steps, 6)
        self.assertTrue(trainer.run(9))

    def test_own_generator(self):
        rng = np.random.default_rng(1)
        data = rng.normal(size=(3, 64, 13, 4))

        def fill(stream, first, out):
            out[:] = data[stream, (first + np.arange(len(out))) % 64]

        task = mesaopt.Task.from_function(fill, dim=4, length=12)
        np.testing.assert_array_equal(task.draw(5, "test", first=62), data[1, [62, 63, 0, 1, 2]])
        weights = np.ones(12)
        weights[:5] = 0
        by_t = small()[1].evaluate(mesaopt.Task.of(data[1], weights=weights, tokens="constructed"), 64).by_t
        np.testing.assert_array_equal(np.isnan(by_t), weights == 0)
        own = mesaopt.Task.of(data[1])
        _, model = small()
        self.assertEqual(model.evaluate(task, 64).loss, model.evaluate(own, 64).loss)
        bad = mesaopt.Task.from_function(lambda stream, first, out: 1 / 0, dim=4, length=12)
        with self.assertRaises(ZeroDivisionError):
            bad.draw(2)
        with self.assertRaises(mesaopt.Error):             # says that it failed
            mesaopt.Task.from_function(lambda stream, first, out: True, dim=4, length=12).draw(2)
        trainer = mesaopt.Trainer(model, task, batch=8)
        del task
        gc.collect()
        trainer.run(2)                                     # the function lives on

    def test_own_pairs(self):
        rng = np.random.default_rng(1)
        x, y = rng.normal(size=(2, 3, 5, 4))
        task = mesaopt.Task.of_pairs(x, y, tokens="raw")
        np.testing.assert_array_equal(task.draw(3), np.stack([x, y], 2).reshape(3, 10, 4))
        some = mesaopt.Task.of_pairs([x[0], x[1, :2]], [y[0], y[1, :2]], tokens="raw").draw(2)
        np.testing.assert_array_equal(some[0], task.draw(1)[0])
        np.testing.assert_array_equal(some[1, :4], task.draw(2)[1, :4])
        with self.assertRaisesRegex(mesaopt.Error, "shape"):
            mesaopt.Task.of_pairs(x, y[:, :4])

    def test_gradient_against_differences(self):
        task, model = small(dtype="f64")
        rng = np.random.default_rng(3)
        for value in model.parameters.values():
            value[:] = 0.3 * rng.normal(size=value.shape)
        x = task.draw(3)
        tokens, targets = task.tokens(x), np.ascontiguousarray(x[:, 1:])
        _, grads = model.gradient(tokens, targets)
        for name, value in model.parameters.items():
            kept = grads[name].copy()
            self.assertLess(mesaopt.grad_check(lambda: model.loss(tokens, targets), value, kept, 1e-3), 1e-7)
        dtokens = model.backward(tokens, np.ones((3, 12, 4)))
        self.assertLess(mesaopt.grad_check(lambda: model.forward(tokens).sum(), tokens, dtokens, 1e-3), 1e-7)

    def test_decoder_is_the_model_step_by_step(self):
        task, model = small(dtype="f64")
        for value in model.parameters.values():
            value[:] = 0.3 * np.random.default_rng(3).normal(size=value.shape)
        tokens = task.tokens(task.draw(2))
        decoder = mesaopt.Decoder(model, streams=2)
        steps = [decoder.step(tokens[:, a:b]) for a, b in ((0, 5), (5, 6), (6, 12))]
        np.testing.assert_allclose(np.concatenate(steps, 1), model(tokens), rtol=1e-9, atol=1e-12)
        self.assertEqual(decoder.steps(1), 12)

    def test_prompt(self):
        prompt = mesaopt.Prompt()
        prompt.separator[:] = 0.5
        self.assertEqual(prompt.separator[0, 0], 0.5)
        self.assertEqual(prompt.updates(), 0)

    def test_memory_instead_of_files(self):
        task, model = small()
        trainer = mesaopt.Trainer(model, task, batch=8)
        trainer.run(3)
        pieces = []
        trainer.save_to(pieces.append)
        trainer.run(5)
        after = model.parameters["blocks.1.key"].copy()
        trainer.load_from(memoryview(b"".join(pieces)), None)
        self.assertEqual(trainer.steps, 3)
        trainer.run(5)
        np.testing.assert_array_equal(model.parameters["blocks.1.key"], after)
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(again.parameters["blocks.1.key"], after)
        self.assertEqual(again.text(), model.text())
        prompt = mesaopt.Prompt()
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(prompt)).separator, prompt.separator)
        with self.assertRaisesRegex(ZeroDivisionError, "division"):
            model.save_to(lambda piece: 1 / 0)
        with self.assertRaises(mesaopt.FormatError):
            model.load_from(b"no such file")
        with self.assertRaisesRegex(TypeError, "cannot be pickled"):
            pickle.dumps(task)

    def test_files(self):
        task, model = small()
        trainer = mesaopt.Trainer(model, task, batch=8)
        trainer.run(3)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "run.safetensors")
            model.note("made", "here")
            trainer.save(path)
            other = mesaopt.Model.open(path)
            self.assertEqual(other.text(), model.text())
            self.assertEqual(_api.file_note(mesaopt.default_context(), path, "made"), "here")
            np.testing.assert_array_equal(other.parameters["blocks.1.key"], model.parameters["blocks.1.key"])
            with self.assertRaises(OSError):
                mesaopt.Model.open(os.path.join(folder, "none"))

    def test_ctrl_c(self):
        """KeyboardInterrupt within 0.2 s, and a trainer that goes on."""
        code = """if True:
            import mesaopt, threading, os, signal, time
            signal.signal(signal.SIGINT, signal.default_int_handler)       # jobs in the background have it ignored
            model = mesaopt.Model("softmax(heads=4,key=20)", inputs=40, outputs=10)
            trainer = mesaopt.Trainer(model, mesaopt.Task())
            trainer.run(1)
            at = []
            def press():
                at.append(time.monotonic())
                os.kill(os.getpid(), signal.SIGINT)
            threading.Timer(0.3, press).start()
            try:
                trainer.run(10**6)
            except KeyboardInterrupt:
                print("took", time.monotonic() - at[0])
            steps = trainer.steps
            trainer.run(steps + 1)
            print("steps", trainer.steps - steps)
            for long in (lambda: trainer.evaluate(10**7), lambda: mesaopt.Baseline("lsq").search(mesaopt.Task.from_function(lambda *a: a[2].fill(0.1), dim=10), 10**7)):
                threading.Timer(0.3, press).start()
                try:
                    long()
                except KeyboardInterrupt:
                    print("took", time.monotonic() - at[-1])
            print("loss", trainer.evaluate(4).loss)
        """
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        self.assertIn("steps 1", said.stdout, said.stderr)
        self.assertEqual(said.stderr, "")
        took = [float(line.split()[1]) for line in said.stdout.splitlines() if line.startswith("took")]
        self.assertEqual(len(took), 3)
        self.assertLess(max(took), 0.2)


    def test_ctrl_c_before_a_call(self):
        """A signal that is pending when a call begins is raised, and the next one is seen, too."""
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
        task, model = small()
        trainer = mesaopt.Trainer(model, task, batch=4)
        with unittest.mock.patch.object(signal, "signal", side_effect=KeyboardInterrupt):
            self.assertRaises(KeyboardInterrupt, trainer.run, 1)
        self.assertFalse(mesaopt._core._local.running)
        own = mesaopt.Task.from_function(lambda stream, first, out: out.fill(0.1), dim=4, length=12)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        self.assertRaises(KeyboardInterrupt, mesaopt.Baseline("lsq").search, own, 10**6)
        del own
        model = mesaopt.Model("dense(outputs=4)", inputs=16, outputs=4, ctx=mesaopt.Context())         # which was not polled yet
        before = signal.signal(signal.SIGINT, lambda *_: (signal.signal(signal.SIGINT, before), {}["pressed"]))
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        with self.assertRaisesRegex(KeyError, "pressed"):
            model.evaluate(mesaopt.Task(dim=4, length=12, ctx=model.ctx), 10**7)

    def test_what_a_poll_raised_is_of_its_thread(self):
        core = mesaopt._core
        polls = core._polls()
        next(polls)
        self.assertEqual(polls.throw(KeyboardInterrupt), 1)
        said = []
        other = threading.Thread(target=lambda: said.append(core.run(None, lambda: 0)))
        other.start()
        other.join()
        self.assertEqual(said, [0])
        self.assertRaises(KeyboardInterrupt, core.run, None, lambda: 0)
        self.assertEqual(core.run(None, lambda: 0), 0)


class Solvers(unittest.TestCase):
    def setUp(self):
        self.rng = np.random.default_rng(7)

    def reference(self, q, k, v, ridge=1.0):
        out = np.empty(v.shape)
        for b, h in np.ndindex(q.shape[0], q.shape[2]):
            for t in range(q.shape[1]):
                K, V = k[b, :t + 1, h], v[b, :t + 1, h]
                out[b, t, h] = V.T @ K @ np.linalg.solve(K.T @ K + ridge * np.eye(K.shape[1]), q[b, t, h])
        return out

    def test_mesa_solver(self):
        q, k = self.rng.normal(size=(2, 2, 9, 3, 4))
        v = self.rng.normal(size=(2, 9, 3, 5))
        solver = mesaopt.MesaSolver(4, 5)
        out, more = solver.forward(q, k, v, want=("h_last", "residual"))
        np.testing.assert_allclose(out, self.reference(q, k, v), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(more["h_last"], np.einsum("bthi,bthj->bhij", k, k), rtol=1e-12)
        self.assertLess(more["residual"].max(), 1e-12)
        dout = self.rng.normal(size=v.shape)
        for x, g in zip((q, k, v), solver.adjoint(q, k, v, dout)):
            self.assertLess(mesaopt.grad_check(lambda: (solver.forward(q, k, v) * dout).sum(), x, g, 1e-3), 1e-7)
        with self.assertRaisesRegex(TypeError, "'betas', expected one of"):
            solver.forward(q, k, v, betas=1)

    def operands(self, B=2, T=6, H=2, d=3, dv=2):
        r = self.rng
        return dict(q=r.normal(size=(B, T, H, d)), k=r.normal(size=(B, T, H, d)), v=r.normal(size=(B, T, H, dv)), beta=r.uniform(0.2, 0.9, (B, T, H)),
                    log_gamma=-r.uniform(0.1, 1, (B, T, H)), ridge=r.uniform(0.5, 2, (H, d)))

    @unittest.skipUnless(have("torch"), "no PyTorch here")
    def test_gradcheck_of_torch(self):
        import torch
        import mesaopt.torch
        given = {n: torch.tensor(x, requires_grad=True) for n, x in self.operands().items()}
        names = list(given)
        self.assertTrue(torch.autograd.gradcheck(lambda *x: mesaopt.torch.mesa(**dict(zip(names, x))), tuple(given.values())))
        self.assertTrue(torch.autograd.gradcheck(lambda q, k, v: mesaopt.torch.mesa(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), ridge=given["ridge"].detach()),
                                                 tuple(given[n].transpose(1, 2).detach().requires_grad_() for n in "qkv")))
        self.assertTrue(torch.autograd.gradcheck(mesaopt.torch.attention, tuple(given[n] for n in "qkv")))

    @unittest.skipUnless(have("jax"), "no JAX here")
    def test_gradients_of_jax(self):
        import jax
        import mesaopt.jax
        jax.config.update("jax_enable_x64", True)
        given = self.operands()
        names = list(given)
        weights = self.rng.normal(size=given["v"].shape)

        @jax.jit
        def loss(*x):
            return (mesaopt.jax.mesa(**dict(zip(names, x))) * weights).sum()

        grads = jax.grad(loss, tuple(range(len(names))))(*given.values())
        for x, g in zip(given.values(), grads):
            self.assertLess(mesaopt.grad_check(lambda: float(loss(*given.values())), x, np.array(g), 1e-3), 1e-7)

    @unittest.skipUnless(have("matplotlib"), "no matplotlib here")
    def test_plots(self):
        import matplotlib
        matplotlib.use("agg")
        from mesaopt import plot
        self.assertEqual(len(plot.by_t(a=np.ones(5), b=np.ones(5)).lines), 2)
        self.assertEqual(len(plot.probes(np.ones((3, 5))).lines), 3)
        plot.attention(np.eye(4))

    def test_attention(self):
        q, k, v = self.rng.normal(size=(3, 2, 6, 2, 4))
        v = v[..., :3].copy()
        s = np.einsum("bthd,bshd->bhts", q, k) / 2
        s[:, :, ~np.tri(6, dtype=bool)] = -np.inf
        w = np.exp(s - s.max(-1, keepdims=True))
        w /= w.sum(-1, keepdims=True)
        attention = mesaopt.Attention("softmax", key=4)
        np.testing.assert_allclose(attention(q, k, v), np.einsum("bhts,bshd->bthd", w, v), rtol=1e-9, atol=1e-12)
        dout = self.rng.normal(size=v.shape)
        for x, g in zip((q, k, v), attention.backward(q, k, v, dout)):
            self.assertLess(mesaopt.grad_check(lambda: (attention(q, k, v) * dout).sum(), x, g, 1e-3), 1e-7)

    def ridge(self, X, y, w, ridge):
        A = np.c_[X, np.ones(len(X))]
        return np.linalg.solve(A.T @ (w[:, None] * A) + ridge * np.eye(A.shape[1]), A.T @ (w * y))

    def test_recursive_ridge(self):
        X = self.rng.normal(size=(60, 4))
        y = X @ [1, -2, 3, 0] + 5 + 0.1 * self.rng.normal(size=60)
        w = self.rng.uniform(0, 2, 60)
        r = mesaopt.RecursiveRidge(ridge=0.5)
        for i in range(0, 60, 7):
            r.partial_fit(X[i:i + 7], y[i:i + 7], w[i:i + 7])
        beta = self.ridge(X, y, w, 0.5)
        np.testing.assert_allclose(np.r_[r.coef_, r.intercept_], beta, rtol=1e-9)
        mean, std = r.predict(X, return_std=True)
        np.testing.assert_allclose(mean, X @ beta[:-1] + beta[-1], rtol=1e-9)
        A = np.c_[X, np.ones(60)]
        M = A.T @ (w[:, None] * A) + 0.5 * np.eye(5)
        S = A.T @ (w * y)
        s2 = ((w * y * y).sum() - S @ np.linalg.solve(M, S)) / w.sum()
        np.testing.assert_allclose(std, np.sqrt(s2 * np.einsum("ni,ij,nj->n", A, np.linalg.inv(M), A)), rtol=1e-6)

        again = pickle.loads(pickle.dumps(r))
        np.testing.assert_array_equal(again.predict(X), r.predict(X))
        parts = [mesaopt.RecursiveRidge(ridge=0.5).fit(X[i::2], y[i::2], w[i::2]) for i in (0, 1)]
        np.testing.assert_allclose(parts[0].merge(parts[1]).coef_, r.coef_, rtol=1e-9)

        near = lambda r, beta: np.testing.assert_allclose(np.r_[r.coef_, r.intercept_], beta, rtol=1e-8)
        near(r.fit(X[:30], y[:30]), self.ridge(X[:30], y[:30], np.ones(30), 0.5))         # forgets what it had seen
        r.fit(X, y, w)
        near(mesaopt.RecursiveRidge(ridge=0.5, window=10).fit(X, y), self.ridge(X[-10:], y[-10:], np.ones(10), 0.5))
        near(mesaopt.RecursiveRidge(ridge=0.5, gamma=0.9).fit(X, y), self.ridge(X, y, 0.9 ** np.arange(59, -1, -1), 0.5))
        two = mesaopt.RecursiveRidge(window=10).fit(X, np.c_[y, -y])
        self.assertEqual((two.predict(X).shape, two.coef_.shape), ((60, 2), (2, 4)))
        np.testing.assert_allclose(two.predict(X)[:, 0], -two.predict(X)[:, 1], rtol=1e-9)
        with self.assertRaises(ValueError):
            r.predict(X[:, :3])

    def rows(self, n=40, d=3):
        X = self.rng.normal(size=(n, d))
        return X, X @ np.arange(1.0, d + 1) + 4 + 0.1 * self.rng.normal(size=n)

    def test_ridge_that_fails_is_what_it_was(self):
        X, y = self.rows()
        wide, nan = np.c_[X, X], np.full(40, np.nan)
        for fails in (lambda r: r.fit(X, nan), lambda r: r.fit(wide, nan), lambda r: r.fit(wide, y, -np.ones(40)), lambda r: r.fit(wide, y, np.zeros(40)),
                      lambda r: r.fit(wide, y[:-1]), lambda r: r.fit(wide, y, np.ones(39)), lambda r: r.fit(wide * 1e300, y), lambda r: r.set_params(ridge=-1).fit(wide, y),
                      lambda r: r.partial_fit(X, nan), lambda r: r.partial_fit(X, np.c_[y, nan]), lambda r: r.partial_fit(X, y, -np.ones(40))):
            old, new = mesaopt.RecursiveRidge().fit(X, y), mesaopt.RecursiveRidge()
            before = old.predict(X)
            for r in (old, new):
                with self.assertRaises((ValueError, ArithmeticError)):
                    fails(r)
            np.testing.assert_array_equal(old.predict(X), before)
            self.assertEqual(old.n_features_in_, 3)
            self.assertEqual((new.__sklearn_is_fitted__(), hasattr(new, "n_features_in_"), hasattr(new, "coef_")), (False, False, False))
            with self.assertRaisesRegex(ValueError, "not fitted"):
                new.predict(X)
            new.set_params(ridge=1e-6).partial_fit(wide[:, :4], y)          # of another width
            np.testing.assert_allclose(np.r_[new.coef_, new.intercept_], self.ridge(wide[:, :4], y, np.ones(40), 1e-6), rtol=1e-6)
        self.assertRaises((ValueError, ArithmeticError), old.fit(X, y).partial_fit, X, y, np.r_[np.ones(39), -1])
        np.testing.assert_array_equal(old.predict(X), before)

    def test_ridge_goes_on_with_its_own_parameters(self):
        """Those set after the fit count at the next one."""
        X, y = self.rows()
        near = lambda r, w, ridge: np.testing.assert_allclose(np.r_[r.coef_, r.intercept_], self.ridge(X, y, w, ridge), rtol=1e-8)
        first = 0.9 ** np.arange(39, -1, -1)
        for name, value in (("ridge", 5.0), ("gamma", 0.5), ("window", 7), ("fit_intercept", False)):
            r = mesaopt.RecursiveRidge(ridge=0.5, gamma=0.9).fit(X[:20], y[:20])
            said = r.predict(X)
            r.set_params(**{name: value})
            those = r, pickle.loads(pickle.dumps(r)), copy.deepcopy(r), copy.copy(r)
            before = r.predict(X)                          # to the bit from the first pickle on
            np.testing.assert_allclose(before, said, rtol=1e-11)
            for other in those:
                np.testing.assert_array_equal(other.predict(X), before)
                self.assertEqual((other.get_params()[name], other.coef_.shape), (value, (3,)))
                near(other.partial_fit(X[20:], y[20:]), first, 0.5)
            r.merge(mesaopt.RecursiveRidge(ridge=0.5, gamma=0.9).fit(X, y))
        near(r.set_params(fit_intercept=True, ridge=2.0).fit(X, y), first, 2.0)
        r.set_params(fit_intercept=False, gamma=1).fit(X, y)
        np.testing.assert_allclose(r.coef_, np.linalg.solve(X.T @ X + 2 * np.eye(3), X.T @ y), rtol=1e-9)
        self.assertEqual(r.intercept_, 0)
        for wrong in ({"window": 2.5}, {"ridge": 1 + 0j}, {"gamma": None}):
            with self.assertRaisesRegex(ValueError, "window|ridge|gamma"):
                mesaopt.RecursiveRidge(**wrong).fit(X, y)

    def test_ridge_merges_its_like(self):
        X, y = self.rows()
        r, before = mesaopt.RecursiveRidge().fit(X, y), mesaopt.RecursiveRidge().fit(X, y).predict(X)
        named = [mesaopt.RecursiveRidge().fit(X, y) for _ in range(2)]
        for x, names in zip(named, ("abc", "acb")):
            x.feature_names_in_ = np.array(list(names), object)
        for to, other, said in ((r, mesaopt.RecursiveRidge(fit_intercept=False).fit(np.c_[X, X[:, 0]], y), "other: fitted with fit_intercept False, expected True"),
                                (r, mesaopt.RecursiveRidge().fit(X[:, :2], y), "other: fitted with n_features_in_ 2, expected 3"),
                                (r, mesaopt.RecursiveRidge(gamma=0.5).fit(X, y), "other: .*gamma 0.5, expected .*1"), (r, mesaopt.RecursiveRidge(), "not fitted"),
                                (*named, r"feature_names_in_ \['a', 'c', 'b'\], expected \['a', 'b', 'c'\]")):
            with self.assertRaisesRegex(ValueError, said):
                to.merge(other)
            np.testing.assert_array_equal(to.predict(X), before)
        r.merge(named[0])

    def test_ridge_takes_the_wider_type(self):
        X, y = self.rows()
        X = X.astype(np.float32)
        for far in (y + 1e9, np.round(y) + 2**30 + 1, (np.round(y) + 2**30 + 1).astype(np.int64), list(y + 1e9)):
            r = mesaopt.RecursiveRidge(fit_intercept=False).fit(X, far)
            np.testing.assert_allclose(r.coef_, np.linalg.solve(X.T.astype(float) @ X + 1e-6 * np.eye(3), X.T.astype(float) @ far), rtol=1e-11)
        self.assertEqual(mesaopt.RecursiveRidge().fit(X, y.astype(np.float32)).predict(X).dtype, np.float32)

    def test_ridge_refuses_by_name(self):
        X, y = self.rows()
        r, hidden = mesaopt.RecursiveRidge().fit(X, y), lambda a: np.ma.masked_array(a, a == a.max())
        for take in (r.partial_fit, mesaopt.RecursiveRidge().partial_fit, mesaopt.RecursiveRidge().fit):
            for name, *given in (("0 sample|X: shape \\(0, 3\\)", X[:0], y[:0]), ("0 feature|X: shape \\(40, 0\\)", X[:, :0], y), ("0 feature|y: shape", X, np.zeros((40, 0))),
                                 ("Complex|X: .*complex", X + 1j, y), ("Complex|y: .*complex", X, y + 1j), ("Complex|y: .*complex", X, list(y.astype(complex))),
                                 ("[Cc]omplex|X: .*complex", (X + 1j).astype(object), y),
                                 ("sample_weight: .*complex", X, y, y + 1j), ("sample_weight: .*complex", X, y, [np.complex128(1)] * 40), ("sample_weight", X, y, "x"), ("X: .*masked", hidden(X), y), ("y: .*masked", X, hidden(y)),
                                 ("sample_weight: .*masked", X, y, hidden(np.ones(40))), ("sample_weight: -1 at", X, y, -np.ones(40)),
                                 ("Input y contains NaN|y: not finite at", X, y * np.nan), ("X: .* at .*expected at most", X * 1e300, y), ("y: .* at .*expected at most", X, y * 1e300)):
                with self.assertRaisesRegex((ValueError, TypeError, ArithmeticError), name), warnings.catch_warnings():
                    warnings.simplefilter("ignore")          # it is no matter of warnings
                    take(X=given[0], y=given[1], sample_weight=(given[2:] or [None])[0])
        self.assertRaisesRegex(ValueError, "other: the same handle", r.merge, r)
        for wrong in (X + 1j, X[:0], hidden(X)):
            with self.assertRaises((ValueError, TypeError)), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                r.predict(wrong)

    @unittest.skipUnless(have("sklearn"), "no scikit-learn here")
    def test_check_estimator(self):
        from sklearn.utils.estimator_checks import check_estimator
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check_estimator(mesaopt.RecursiveRidge())

    def test_overhead(self):
        """A small prediction costs less than 15 us more than the C call; the best of many, in CPU time."""
        r = mesaopt.RecursiveRidge().fit(np.eye(4), np.ones(4))
        x = np.ones((1, 4))
        rows, out = np.ones((1, 1, 5)), np.empty((1, 1, 1))
        h, lib = r._fitted.rls._h, mesaopt._core.lib
        a, b = mesaopt._core.view_in(rows, "q")[0], mesaopt._core.view_out(out, "out")[0]

        def best(f):
            def once():
                start = time.process_time()
                for _ in range(200):
                    f()
                return (time.process_time() - start) / 200
            return min(once() for _ in range(20))

        over = best(lambda: r.predict(x)) - best(lambda: lib.mesaopt_rls_predict(h, a, b, None))
        self.assertLess(over, 45e-6)                       # three times as much here: machines differ


class Studies(unittest.TestCase):
    def test_probe_is_least_squares(self):
        rng = np.random.default_rng(2)
        h, y = rng.normal(size=(50, 3, 4)), rng.normal(size=(50, 3, 2))
        probe = mesaopt.Probe([4], 3, 2).feed([h], y).fit()
        W, c = probe.weights(0, 1)
        np.testing.assert_allclose(W, np.linalg.lstsq(h[:, 1], y[:, 1], rcond=None)[0], rtol=1e-9)
        probe.feed([h], y, set="test")
        self.assertEqual(probe.score().mse.shape, (1, 3))
        with self.assertRaisesRegex(ValueError, "activations: 2 of them, expected 1"):
            probe.feed([h, h], y)

    def test_model_studies(self):
        task, model = small()
        self.assertEqual(mesaopt.RevAlg(model).closed_form().shape, (1, 6))
        self.assertEqual(model.attention_map(1, task, 8).shape, (1, 12, 12))
        self.assertEqual(model.sensitivity([-1, 1], task, 2).shape, (2, 12, 12))
        self.assertEqual([a.shape for a in model.activations(task.tokens(task.draw(2, dtype=np.float32)))], [(2, 12, 16)] * 3)
        gd = mesaopt.Baseline("gd")
        gd.search(task, 64)
        self.assertEqual(gd.evaluate(task, 64).by_t.shape, (12,))
        self.assertEqual(gd.predict(task.draw(2)).shape, (2, 12, 4))


class Robustness(unittest.TestCase):
    def test_random_calls(self):
        """Random arguments, right and wrong, of every function and method: an exception with a text, or an answer, and never a crash."""
        rng = random.Random(int(os.environ.get("SEED", "1")))
        task, model = small()
        trainer = mesaopt.Trainer(model, task, batch=4)
        solver = mesaopt.MesaSolver(4, 5)
        prompt = mesaopt.Prompt(dim=4, prefix=2, batch=4)
        pairs = mesaopt.Task("regression", dim=4, length=12, separator=1, prefix=2, tokens="raw")
        pairs.set_prompt(prompt)
        raw = mesaopt.Model("softmax(heads=1,key=3)", inputs=4, outputs=4)
        own = np.random.default_rng(1).normal(size=(3, 13, 4))
        tensor = mesaopt.Tensor(own)
        ridge = mesaopt.RecursiveRidge().fit(np.eye(4), np.ones(4))
        things = [task, model, trainer, solver, mesaopt.default_context(), mesaopt.Baseline(), mesaopt.Baseline("richardson"), mesaopt.Attention(), mesaopt.Probe([16], 12, 4),
                  mesaopt.RevAlg(model), _api.rls_create(solver, 1), mesaopt.Settings("task"), mesaopt.Settings("lsq"), mesaopt.Settings("decoder"), prompt, pairs, raw, tensor,
                  mesaopt.Decoder(model), mesaopt.Decoder(raw, streams=2, capacity=20), mesaopt.Task.of(own), mesaopt.Task.of([own[0], own[1, :5]]),
                  mesaopt.Task.from_function(lambda stream, first, out: out.fill(0.5), dim=4, length=12), mesaopt.Linearise(model, task, [1], batch=4), ridge]
        closed = mesaopt.Baseline()
        closed.close()
        saved = [mesaopt._core.saved(save, x) for save, x in ((_api.model_save_to, model), (_api.trainer_save_to, trainer), (_api.prompt_save_to, prompt),
                                                              (_api.decoder_save_to, mesaopt.Decoder(model)), (_api.rls_save_to, ridge._fitted.rls))]
        shapes = [(2, 13, 4), (2, 12, 4), (2, 12, 16), (1, 12, 16), (2, 6, 3, 4), (2, 6, 3, 5), (1, 1, 4), (1, 1, 5), (12,), (0, 12, 4), (), (1, 12), (1,) * 7]

        def array():
            a = np.zeros(rng.choice(shapes), rng.choice([np.float64, np.float64, np.float32, np.float32, np.float16, np.int64, np.int32, bool, complex, np.uint8, ">f8", "O", "U3"]))
            if a.ndim and rng.random() < 0.3:
                a = a[..., ::-1] if rng.random() < 0.5 else np.asfortranarray(a)
            if a.ndim and rng.random() < 0.1:
                a = np.repeat(a, 2, 0)[::2] if rng.random() < 0.5 else np.broadcast_to(a[:1], a.shape)
            if a.ndim and rng.random() < 0.05 and a.dtype.kind == "f":
                a = np.frombuffer(b"x" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape)         # not aligned, and read-only
            if rng.random() < 0.1:
                a.flags.writeable = False
            return a

        def anything():
            kind = rng.random()
            if kind < 0.3:
                return array()
            if kind < 0.55:
                return rng.choice(things)
            if kind < 0.65:
                return rng.choice(["", "lr", "gd", "blocks.1.key", "separator", "linear(heads=1,key=3)", "a\0b", "\u00e9", b"lr"])
            if kind < 0.83:
                return rng.choice([0, 1, -1, 2, 12, 2**31, 2**63 - 1, -2**63, 2**70, 1.5, float("nan"), True])
            if kind < 0.92:
                return [rng.choice([array(), 1, "x", task, tensor, 0.5]) for _ in range(rng.randrange(4))]
            return rng.choice([None, {}, {"seed": 1}, {"lr": 1e-3}, closed, object(), rng.choice(saved), lambda *a: None, lambda *a: 1 / 0])

        kinds = {"from_": "decoder", "conditioner": "baseline", "a": "model", "b": "model", "average": "model"}

        def fits(name):
            """Often what an argument of this name wants."""
            kind = mesaopt._core.Handle.classes.get(kinds.get(name, name).capitalize())
            those = [x for x in things if kind and isinstance(x, kind.__mro__[-3])]          # the generated class
            if those and rng.random() < 0.95:
                return rng.choice(those)
            if name in ("q", "k", "v", "tokens", "targets", "sequences", "out", "weights", "by_t", "x", "src", "dst", "X", "y", "dout", "activations") and rng.random() < 0.9:
                return array()
            if name in ("after", "fill", "write", "callback"):             # a model is a function too, with errors of its own
                return rng.choice([None, 1, lambda *a: None, lambda *a: True, lambda *a: 1 / 0])
            if name in ("stream", "set", "scope", "kind") and rng.random() < 0.5:
                return rng.choice(["train", "test", "search", "softmax", "task"])
            if name in ("bytes",) and rng.random() < 0.9:
                piece = bytearray(rng.choice(saved))
                if rng.random() < 0.7:
                    piece[rng.randrange(len(piece))] ^= 1 << rng.randrange(8)
                return bytes(piece)
            if name in ("path",):
                return rng.choice(["/nowhere/at/all", "", "a\0b", 1])
            if name in ("count", "steps", "updates", "batch", "length"):       # whose large values take their time
                return rng.choice([1, 2, 3, 1, 2, 3, 1, 2, 3, -1, -2**63, 2**70, 1.5, "x", None])
            if name in ("first", "block", "stream", "set", "head", "layer", "step", "i", "key", "features", "layers") and rng.random() < 0.9:
                return rng.choice([0, 1, 2, 3])
            return anything()

        functions = [(None, f) for n, f in sorted(vars(_api).items()) if callable(f) and getattr(f, "__module__", "") == "mesaopt._api" and hasattr(f, "__code__")
                     and not n.endswith(("_save", "interrupt"))]
        self.assertGreater(len(functions), 100)
        classes = [getattr(mesaopt, n) for n in mesaopt.__all__ if isinstance(getattr(mesaopt, n), type) and not issubclass(getattr(mesaopt, n), (Exception, tuple))]
        methods = [(x, getattr(type(x), n)) for x in things for n in sorted(dir(type(x))) if (n[0] != "_" or n in ("__repr__", "__call__", "__getitem__", "__setitem__"))
                   and hasattr(getattr(type(x), n), "__code__") and n not in ("close", "save", "interrupt")]
        methods += [(None, getattr(c, n)) for c in classes for n in ("of", "of_pairs", "open", "from_function") if hasattr(c, n)]
        methods += [(None, c) for c in classes if hasattr(c.__init__, "__code__")]
        answers = 0
        for _ in range(int(os.environ.get("CALLS", "1000"))):
            of, f = rng.choice(rng.choice([functions, methods]))
            code = (f.__init__ if isinstance(f, type) else f).__code__
            names = code.co_varnames[:code.co_argcount]
            given = [fits(n) for n in names]
            if of is not None:
                given[0] = of
            elif names[:1] in (("self",), ("cls",)) and (isinstance(f, type) or hasattr(f, "__self__")):
                del given[0]
            optional = len((f.__init__ if isinstance(f, type) else f).__defaults__ or ())
            if not {"count", "updates"} & set(names):
                given = given[:len(given) - rng.randrange(optional + 1)]
            began = time.monotonic()
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    f(*given)
                answers += 1
            except (mesaopt.Error, TypeError, ValueError, OverflowError, BufferError, KeyError, ZeroDivisionError, UnicodeError) as e:
                self.assertNotRegex(str(e), "^$|object.* has no|not iterable|ambiguous|subscript", code.co_name)
                if os.environ.get("SHOW"):
                    print(code.co_name, type(e).__name__, str(e)[:150])
            if os.environ.get("SHOW") and time.monotonic() - began > 0.2:
                print("slow", code.co_name, given)
        self.assertGreater(answers, 50)

    def test_no_leak(self):
        """Handles that come and go, with finalizers on another thread, leave no memory behind."""
        rounds = int(os.environ.get("ROUNDS", "20000"))
        ctx, queue, done = mesaopt.Context(), [], threading.Event()
        kept = len(mesaopt._core._kept)

        def finalise():
            while not done.is_set() or queue:
                if queue:
                    queue.pop()

        def pages():
            gc.collect()
            with open("/proc/self/statm") as f:
                return int(f.read().split()[1])

        thread = threading.Thread(target=finalise)
        thread.start()
        x = np.zeros((2, 3, 1))
        for i in range(rounds):
            if i == rounds // 4:
                before = pages()
            queue.append(mesaopt.Tensor(x, ctx) if i % 2 else mesaopt.Settings("task"))
            while len(queue) > 100:
                time.sleep(0)
        done.set()
        thread.join()
        self.assertLess(pages() - before, 300)
        self.assertEqual(len(mesaopt._core._kept), kept)

    def test_refused_callbacks(self):
        """A function that fails keeps no callback."""
        kept = len(mesaopt._core._calling)
        task = mesaopt._api.task_from_callback
        with self.assertRaises(mesaopt.Error):
            task(mesaopt.Context(), mesaopt.Settings("trainer"), lambda *x: None)
        with self.assertRaises(mesaopt.Error):
            task(mesaopt.Context(), mesaopt.Settings("task", dim=2**20, length=2**24, tokens="slots", slots=2**20), lambda *x: None)
        self.assertEqual(len(mesaopt._core._calling), kept)

    def test_threads(self):
        """Every thread has a context of its own; one context is for one call at a time."""
        losses = []

        def work():
            task, model = small()
            losses.append(model.evaluate(task, 64).loss)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(len(set(losses)), 1)

    def test_errors(self):
        with self.assertRaisesRegex(mesaopt.Error, "dim: 0, expected an integer") as caught:
            mesaopt.Task(dim=0)
        self.assertIsInstance(caught.exception, ValueError)
        self.assertEqual((caught.exception.name, pickle.loads(pickle.dumps(caught.exception)).args), ("MESAOPT_E_SETTING", caught.exception.args))
        with self.assertRaisesRegex(ValueError, "closed"):
            task = mesaopt.Task()
            task.close()
            task.draw()
        with self.assertRaisesRegex(mesaopt.Error, "expected a .*model|expected a live model"):
            _api.model_forward(mesaopt.Task(), np.zeros(1), np.zeros(1))
        with self.assertRaisesRegex(OverflowError, "block: 9223372036854775808, expected -9223372036854775808 to 9223372036854775807"):
            _api.model_width(small()[1], 2**63)
        with self.assertRaisesRegex(TypeError, "block: float, expected an integer"):
            _api.model_width(small()[1], 1.0)
        with self.assertRaisesRegex(mesaopt.Error, "unknown key"):
            mesaopt.Task(linear=3)
        with self.assertRaisesRegex(ValueError, "blocks: a text with a null byte"):
            mesaopt.Model("mask(first=8)\0")
        with self.assertRaisesRegex(mesaopt.FormatError, "cube") as caught:
            mesaopt.Model("cube()")
        self.assertIsInstance(caught.exception, ValueError)
        self.assertNotIsInstance(caught.exception, OSError)

    def test_repr(self):
        task, model = small()
        prompt = mesaopt.Prompt(dim=4, prefix=3)
        for x, said in ((task, "Task n=4 T=12, tokens of 16"), (mesaopt.Task.of(np.zeros((3, 13, 4))), "Task n=4 T=12, tokens of 16, 3 own sequences"),
                        (model, "Model mask(first=8); linear(heads=1,key=5"), (mesaopt.Trainer(model, task), "Trainer 0 steps, of <mesaopt.Model mask("),
                        (mesaopt.Decoder(model), "Decoder 0 tokens in stream 0, of <mesaopt.Model"), (prompt, "Prompt n=4 prefix=3, 0 updates"),
                        (mesaopt.Baseline("lsq"), "Baseline made with baseline=lsq"), (mesaopt.Attention(key=4), "Attention softmax key=4>"), (mesaopt.Context(), "Context isa "),
                        (mesaopt.MesaSolver(3, 2), "MesaSolver d_key=3 d_val=2"), (mesaopt.Probe([4, 4], 5, 2), "Probe layers=2 steps=5 targets=2"),
                        (mesaopt.Linearise(model, task, [1]), "Linearise blocks [1], 0 steps"), (mesaopt.Tensor(np.zeros((2, 3))), "Tensor float64 [2, 3]"),
                        (mesaopt.Settings("ctx"), "Settings ctx: ")):
            self.assertEqual(repr(x)[:len(said) + 9], "<mesaopt." + said)
        for x in (task, model, prompt):
            x.close()
            self.assertEqual(repr(x), f"<mesaopt.{type(x).__name__} closed>")
        self.assertEqual(mesaopt.Settings("trainer", lr=3e-4)["lr"], 3e-4)
        self.assertIn("batch", dict(mesaopt.Settings("trainer")))

    def test_documented(self):
        """Whatever is public has a text, and types that are there."""
        for name in mesaopt.__all__:
            x = getattr(mesaopt, name)
            members = [x] if callable(x) else []
            if isinstance(x, type) and not issubclass(x, (Exception, tuple)):
                members += [getattr(x, n) for n in dir(x) if n[0] != "_" and not (isinstance(x.__dict__.get(n), property))]
            for f in members:
                if not callable(f) or not getattr(f, "__module__", "").startswith("mesaopt"):
                    continue
                self.assertTrue(f.__doc__, f"{name}: {f}")
                if sys.version_info >= (3, 10) and hasattr(f, "__code__"):
                    self.assertIn("return", typing.get_type_hints(f), f"{name}: {f}")

    def test_tour_prints_the_bits_of_c(self):
        tour = os.environ.get("MESAOPT_TOUR")
        if not tour:
            self.skipTest("MESAOPT_TOUR: the program tour in C")
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        said = [subprocess.run(c, capture_output=True, text=True, check=True).stdout for c in ([tour], [sys.executable, os.path.join(here, "tour.py")])]
        self.assertEqual(*said)
        self.assertIn("prediction", said[0])


if __name__ == "__main__":
    unittest.main()
