"""libmesaopt from Python: models that learn in context, trained and taken apart.

    import mesaopt
    task = mesaopt.Task(tokens="constructed")
    model = mesaopt.Model("mask(first=20); linear(heads=2,key=20,residual_clip=4)")
    trainer = mesaopt.Trainer(model, task)
    trainer.run(500)
    print(trainer.evaluate().loss)

Arrays are NumPy arrays, or anything with __dlpack__ (PyTorch, JAX); they are never copied. float32 goes with float32
models, float64 with float64 ones. Settings are keywords: dict(mesaopt.Settings("trainer")) shows those of a scope. Failures
raise mesaopt.Error with the library's text; results that are usable but noteworthy warn with mesaopt.Note.

    Task, Model, Trainer        sequences, blocks over one residual stream, AdamW
    Decoder, Prompt             a model step by step; a separator and a prefix learned through a frozen model
    Attention, MesaSolver       forward and backward on your arrays; mesaopt.torch, mesaopt.jax differentiate through them
    RecursiveRidge              ridge regression row by row, for scikit-learn
    Baseline, Probe, RevAlg, Linearise      what a trained model does
    Context, Settings, Tensor   threads and memory; options of a scope; an array that the library keeps

Classes have the functions of C as methods too: all of these, by their names without mesaopt_, are in mesaopt._api.
"""
from ._api import BLOCKS, SCOPES, VERSION_TEXT as __version__
from ._classes import (Attention, Baseline, Context, Decoder, Evaluation, Linearise, MesaSolver, Model, Probe, Prompt, RevAlg, Settings, Task, Tensor, Trainer,
                       default_context, grad_check)
from ._core import ArgumentError, Error, FileError, FormatError, Interrupted, NonFiniteError, Note, OutOfMemory, StateError, Step
from .ridge import RecursiveRidge

build_info = __import__("mesaopt._api", fromlist=["build_info"]).build_info

__all__ = ["Attention", "Baseline", "BLOCKS", "Context", "Decoder", "Error", "Evaluation", "Linearise", "MesaSolver", "Model", "Note", "Probe", "Prompt", "RecursiveRidge",
           "RevAlg", "SCOPES", "Settings", "Step", "Task", "Tensor", "Trainer", "ArgumentError", "FileError", "FormatError", "Interrupted", "NonFiniteError", "OutOfMemory",
           "StateError", "build_info", "default_context", "grad_check"]
