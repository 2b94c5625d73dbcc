"""The whole of it in one call."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ._record import Places
from .distillation import Distillation, Options
from .network import Network
from .result import OnStep, Result
from .teacher import Teacher, require_sizes

if TYPE_CHECKING:
    from typing_extensions import Unpack

_logger = logging.getLogger("dafl")


def distill(teacher: Teacher | Network, *, input_shape: tuple[int, int, int] | None = None, classes: int | None = None,
            preset: str = "fast", progress: bool = True, on_step: OnStep | None = None, log: Places = (),
            **options: Unpack[Options]) -> Result:
    """A student that has learned from `teacher`, without data::

        result = dafl.distill(dafl.torch.Teacher(model), input_shape=(1, 32, 32), student="lenet5-half", seed=0)
        result.student.save("student.safetensors")

    `teacher` is a `Network`, a `Teacher`, or one of `dafl.torch`, `dafl.onnx`, `dafl.jax` and `dafl.sklearn`.
    `input_shape`, (channels, height, width), and `classes` are for a teacher that does not know its own; where both say,
    they must be the same. `preset` is "fast" (minutes) or "paper" (hours); `options` change single numbers of it, see
    `Options`: `student`, `seed`, `steps`, `threads`, ... `student` says what the student is, in words as `Options` has them, as a
    path or a dictionary; or it is a `Network`, whose weights the student starts with.

    `progress` shows a bar with tqdm where that is installed, in terminals and notebooks, else a line on a terminal.
    `on_step(progress)`, or `on_step(progress, result)`, runs after each step, and ends the run there when it returns False.
    It may look at the result until then: its `student`, a validation set's accuracy, images that it can `generate`.

    With the option `checkpoint="run.dafl"` the run saves itself to that file now and then, and where it ends; the same call in
    another process goes on from there. `log="run.csv"` keeps each step's progress in a table, which a run that goes on
    continues; a path without ".csv" is a folder for TensorBoard, where that is installed; several may be given.
    `patience=500` ends a run whose student has not become better for so many steps.

    Images are handed to the teacher with about mean 0 and deviation 1 in each channel, unless the teacher was given
    `input_mean` and `input_deviation` or `input_range`, which say its own units: see `InputUnits`. The student takes images in
    these units too. They may also be given here.

    Ctrl-C stops within one step, as KeyboardInterrupt. From that and whatever else stops the run, what a teacher or
    `on_step` raises and the library's errors, `Result.so_far(exception)` has the result until then. ValueError,
    TypeError and `dafl.InvalidArgument` for arguments that do not fit come before the first step.
    """
    if isinstance(teacher, Teacher):
        teacher.settle(input_shape, classes)
    elif isinstance(teacher, Network):
        require_sizes(teacher.info.input_shape, teacher.info.outputs, input_shape, classes)
    result = Result(Distillation(teacher, preset, **options))
    result.resume(progress=progress, on_step=on_step, log=log)
    _logger.info("%r", result)
    return result
