"""ONNX models as teachers. ONNX Runtime is imported when the first one is made."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._adapter import Adapter, Backward
from ._arrays import FloatArray
from ._onnx_input import Input
from ._onnx_output import Output, find
from ._optional import require
from ._units import InputUnits
from .teacher import shape_of_image

if TYPE_CHECKING:
    import onnxruntime
    from typing_extensions import Unpack

_logger = logging.getLogger("dafl")


class Teacher(Adapter):
    """An ONNX model as a teacher that is only queried: the student's gradients take the place of its own::

        teacher = dafl.onnx.Teacher("classifier.onnx", input_range=(0, 255))

    `model` is a file, the bytes of one, or an `onnxruntime.InferenceSession`. A file runs on the CPU, with as many `threads` as
    said here or else to the distillation; 0 is for all processors. A session keeps its own.

    The model takes images and nothing else: [count, channels, height, width], or channels last with `layout="NHWC"`, which is
    guessed, with a line in the log, where the last axis is 1, 3 or 4 and the second is not; [count, height, width] of one
    channel; or rows [count, d]. `input_shape`, (channels, height, width) in every layout, is the model's where that is fixed, and
    tells the sizes that it leaves open, or how its rows are images. Inputs of whole numbers get rounded ones. A model for batches
    of one fixed size is run as often as it takes.

    `output` is the name or index of the output with the answers [count, classes]. Left out, it is the first of floating-point
    numbers, also in the dictionaries of scikit-learn's converter, else of whole ones, else the labels. `answers` says what they
    are: "logits", "probabilities", "labels", or "auto" (default), as in `dafl.Teacher`. `classes` is found by querying the model
    about two images, and must be said for a model that gives labels alone. One logit or sigmoid an image will do for two classes.

    Images have about mean 0 and deviation 1 in each channel, unless `input_mean` and `input_deviation` or `input_range` say
    the model's own units: see `dafl.InputUnits`.

    ValueError for a model whose input shape is not known, whose sizes do not fit, or whose inputs or outputs are no classifier's;
    ImportError without ONNX Runtime; what ONNX Runtime raises for a file that it cannot load.
    """

    def __init__(self, model: str | os.PathLike[str] | bytes | onnxruntime.InferenceSession, *,
                 input_shape: Sequence[int] | None = None, classes: int | None = None, output: str | int | None = None,
                 answers: str = "auto", layout: str | None = None, threads: int | None = None,
                 **input_units: Unpack[InputUnits]) -> None:
        self._model = os.fspath(model) if isinstance(model, str | os.PathLike | bytes) else None
        self._threads, self._threads_used = threads, threads or 0
        if threads is not None and threads < 0:
            raise ValueError(f"threads must be at least 0, not {threads}")
        if self._model is None:
            if threads is not None:
                raise ValueError("a session has its threads already: say them where it is made, or give the file")
            self._session: Any = model
        else:
            self._session = session(self._model, threads or 0)
        self._images = Input(self._session, layout)
        self._outputs = [one.name for one in self._session.get_outputs()]
        self._chosen = None if output is None else _index(self._outputs, output)
        self._output: Output | None = None
        self._label_count = classes
        if not input_units and self._images.takes_bytes:
            _logger.info("the model takes bytes: its images are taken to be from 0 to 255, as with input_range=(0, 255)")
            input_units = {"input_range": (0, 255)}
        super().__init__(self._answer, input_shape=self._images.shape if input_shape is None else input_shape,
                         classes=classes, answers=answers, **input_units)

    def settle(self, input_shape: tuple[int, int, int] | None = None, classes: int | None = None) -> None:
        if not self._is_settled:
            self._label_count = self._label_count or classes
            if input_shape is not None:
                self._images.require(shape_of_image(input_shape))
        super().settle(input_shape, classes)

    def use_threads(self, threads: int) -> None:
        if self._model is not None and self._threads is None and threads != self._threads_used:
            self._session, self._threads_used = session(self._model, threads), threads

    def _found(self, images: FloatArray, answers: str, backward: Backward | None) -> tuple[str, Backward | None]:
        assert self._output is not None
        return "labels" if self._output.gives_labels else answers, None

    def _answer(self, images: FloatArray) -> FloatArray:
        rows = self._images.rows(images)
        batch = self._images.batch
        if batch is None:
            return self._run(rows)
        missing = -len(rows) % batch
        padded = np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)])
        return np.concatenate([self._run(part) for part in np.split(padded, len(padded) // batch)])[:len(images)]

    def _run(self, rows: Any) -> FloatArray:
        given, count = {self._images.name: rows}, len(rows)
        if self._output is None:
            values = self._session.run(self._outputs, given)
            self._output = (find(values, count, self._label_count) if self._chosen is None else
                            Output(self._chosen, values, count, self._label_count))
            return self._output.rows(values[self._output.index], count)
        return self._output.rows(self._session.run([self._outputs[self._output.index]], given)[0], count)


def session(model: str | bytes, threads: int) -> Any:
    """A session on the CPU with so many threads, 0 for as many as this process may use, that do not spin while they wait.

    Spinning threads take the processors that the library's own need next.
    """
    runtime = require("onnxruntime", "onnxruntime", "dafl.onnx")
    options = runtime.SessionOptions()
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    options.intra_op_num_threads = threads or processors
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # stderr is the program's, and errors come as exceptions
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _index(outputs: list[str], output: str | int) -> int:
    if output in outputs:
        return outputs.index(str(output))
    if isinstance(output, int) and -len(outputs) <= output < len(outputs):
        return output % len(outputs)
    raise ValueError(f"output={output!r} is none of the model's outputs: {', '.join(outputs)}")
