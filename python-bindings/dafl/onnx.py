"""ONNX models as teachers. ONNX Runtime is imported when the first one is made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ._adapter import Adapter
from ._arrays import FloatArray
from ._optional import require

if TYPE_CHECKING:
    import onnxruntime


class Teacher(Adapter):
    """An ONNX model as a teacher that only answers: the student's gradients take the place of its own::

        teacher = dafl.onnx.Teacher("classifier.onnx")

    `model` is a file or an `onnxruntime.InferenceSession`; a file runs on the CPU. Its first input takes the images.
    `output` names the output that has the answers [count, classes], the first where left out; `answers` says what they
    are: "logits", "probabilities" or "labels". `input_shape` is the model's where that is fixed, and may be given to a model
    that takes rows [count, d]; `classes` is found by asking about zeros. A model for batches of one fixed size is asked as
    often as it takes.

    ValueError for a model whose input shape is not known, or whose sizes do not fit; ImportError without ONNX Runtime;
    what ONNX Runtime raises for a file that it cannot load.
    """

    def __init__(self, model: str | os.PathLike[str] | onnxruntime.InferenceSession, *,
                 input_shape: Sequence[int] | None = None, classes: int | None = None, output: str | None = None,
                 answers: str = "logits") -> None:
        if isinstance(model, str | os.PathLike):
            runtime = require("onnxruntime", "onnxruntime", "dafl.onnx")
            self._session = runtime.InferenceSession(os.fspath(model), providers=["CPUExecutionProvider"])
        else:
            self._session = model
        images = self._session.get_inputs()[0]
        self._input, self._shape = images.name, images.shape
        self._dtype = {"tensor(float16)": np.float16, "tensor(double)": np.float64}.get(images.type, np.float32)
        self._output = output or self._session.get_outputs()[0].name
        if input_shape is None and all(isinstance(size, int) for size in self._shape[1:]):
            input_shape = (*self._shape[1:], 1, 1, 1)[:3]
        super().__init__(self._answer, input_shape=input_shape, classes=classes, answers=answers)

    def _answer(self, images: FloatArray) -> FloatArray:
        rank = len(self._shape)
        rows = images.reshape(len(images), *(images.shape[1:rank] if rank > 2 else [-1]))
        batch = self._shape[0]
        if not isinstance(batch, int):
            return self._run(rows)
        missing = -len(rows) % batch
        padded = np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), np.float32)])
        return np.concatenate([self._run(part) for part in np.split(padded, len(padded) // batch)])[:len(rows)]

    def _run(self, rows: FloatArray) -> FloatArray:
        answers: FloatArray = self._session.run([self._output], {self._input: rows.astype(self._dtype, copy=False)})[0]
        return answers
