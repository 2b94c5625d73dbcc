"""Data-free learning of student networks (DAFL, ICCV 2019).

A trained classifier goes in, as a model of PyTorch, ONNX, JAX or scikit-learn, as two functions, or as a network of this
library; a smaller network that agrees with it comes out. No training data is needed::

    result = dafl.distill(dafl.torch.Teacher(model, feature="fc1"), input_shape=(1, 32, 32), student="lenet5-half")
    result.student.save("student.safetensors")
    images, logits = result.generate(64)

ONNX classifiers are networks of this library with `Network.load`, PyTorch's modules with `dafl.torch.import_module`;
`Network.save` writes ONNX again.

`distill` does it all and answers a `Result`; `Distillation` is for who owns the loop. `dafl.torch`, `dafl.onnx`,
`dafl.jax` and `dafl.sklearn` have teachers, `dafl.viz` pictures; none imports its package before it is used.
`python -m dafl` is the command line.

Images and logits are float32 arrays: images [count, channels, height, width], logits [count, classes].
Objects belong to one thread at a time, except that `Distillation.cancel` may be called from any, and that threads may share a
`Network` to predict; different objects work in parallel. What the library has to say goes to the logger "dafl"; its
warnings are Python's warnings too in a program that has set up no logging.
"""

import importlib
import logging
from types import ModuleType
from typing import TYPE_CHECKING

from ._compress import compress
from ._config import read_config, write_config
from ._distill import distill
from ._options import Ways
from ._units import InputUnits
from ._version import __version__
from .distillation import Distillation, Options, Progress
from .errors import (Busy, Cancelled, Diverged, Error, FileError, FormatError, InvalidArgument, OutOfMemory, QueriesSpent,
                     RankError, TeacherError, Unsupported)
from .network import Network, NetworkInfo
from .result import Result
from .teacher import Teacher

if TYPE_CHECKING:
    from . import distributed as distributed, jax as jax, onnx as onnx, sklearn as sklearn, torch as torch, viz as viz

__all__ = [
    "Busy", "Cancelled", "Distillation", "Diverged", "Error", "FileError", "FormatError", "InputUnits", "InvalidArgument",
    "Network", "NetworkInfo", "Options", "OutOfMemory", "Progress", "QueriesSpent", "RankError", "Result", "Teacher",
    "TeacherError", "Unsupported", "Ways", "__version__", "compress", "distill", "distributed", "jax", "onnx", "read_config",
    "sklearn", "torch", "viz", "write_config",
]

_LAZY = ("distributed", "jax", "onnx", "sklearn", "torch", "viz")

logging.getLogger("dafl").addHandler(logging.NullHandler())


def __getattr__(name: str) -> ModuleType:
    if name in _LAZY:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
