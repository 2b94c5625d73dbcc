"""Data-free learning of student networks (DAFL, ICCV 2019).

A trained classifier goes in, as two functions or as a network of this library; a smaller network that agrees with it
comes out. No training data is needed::

    teacher = dafl.Network.load("teacher.safetensors")
    distillation = dafl.Distillation(teacher, student="lenet5-half", seed=1)
    distillation.run(lambda progress: print(progress.step, progress.agreement))
    distillation.student().save("student.safetensors")

Images and logits are float32 arrays: images [count, channels, height, width], logits [count, classes].
Objects belong to one thread at a time, except that `Distillation.cancel` may be called from any; different objects work
in parallel. What the library has to say goes to the logger "dafl", which is silent until the program configures it.
"""

import logging

from ._version import __version__
from .distillation import Distillation, Options, Progress
from .errors import Cancelled, Error
from .network import Network, NetworkInfo
from .teacher import Teacher

__all__ = ["Cancelled", "Distillation", "Error", "Network", "NetworkInfo", "Options", "Progress", "Teacher", "__version__"]

logging.getLogger("dafl").addHandler(logging.NullHandler())
