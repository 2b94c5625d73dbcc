"""How what an ONNX model returns becomes rows of answers: logits, probabilities, or one-hot rows of its labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import FloatArray
from ._outputs import as_logits

# What an output may hold, the best to learn from first.
MATRIX, COLUMN, WHOLE, LABELS = range(4)


class Output:
    """The output of a model that has its answers, and how to read them."""

    def __init__(self, index: int, values: list[Any], count: int, classes: int | None) -> None:
        """`values` are all outputs for `count` images. ValueError when that of `index` is none of answers."""
        self.index = index
        kind = kind_of(values[index], count)
        if kind is None:
            raise ValueError(f"that output holds {described(values[index])}, and no answers [{count}, classes]")
        self.gives_labels = kind == LABELS
        self._names = _names(values, count, classes) if self.gives_labels else None

    def rows(self, values: Any, count: int) -> FloatArray:
        """The answers [count, classes] in one batch of the output."""
        if self._names is not None:
            labels = np.asarray(values).reshape(count)
            if not np.isin(labels, self._names).all():
                strange = labels[~np.isin(labels, self._names)][0]
                raise ValueError(f"the model named the class {strange!r}, which is none of its {len(self._names)} classes")
            return np.asarray(labels[:, None] == self._names[None, :], np.float32)
        if isinstance(values, list):  # ZipMap's dictionaries, whose keys come in their order
            values = np.array([list(row.values()) for row in values], np.float32)
        return np.asarray(as_logits(values.astype(np.float32), count), np.float32)


def find(values: list[Any], count: int, classes: int | None) -> Output:
    """The output that has the answers: rather numbers for each class than one for each image, rather these than labels."""
    kinds = [(kind, index) for index, value in enumerate(values) if (kind := kind_of(value, count)) is not None]
    if not kinds:
        raise ValueError(f"none of the model's outputs are answers [{count}, classes] for {count} images: they are "
                         + ", ".join(map(described, values)))
    best, index = min(kinds)
    if best == COLUMN and len(columns := [index for kind, index in kinds if kind == COLUMN]) > 1:
        raise ValueError(f"the model has {len(columns)} outputs of one number an image: say with output= which tells two classes "
                         "apart, or convert it with all classes in one output, for scikit-learn with the option zipmap=False")
    return Output(index, values, count, classes)


def kind_of(values: Any, count: int) -> int | None:
    """What an output for `count` images holds; None for no answers."""
    if isinstance(values, list):
        return MATRIX if len(values) == count and all(isinstance(row, dict) for row in values) else None
    if not isinstance(values, np.ndarray):
        return None
    if values.dtype.kind != "f" and values.shape in ((count,), (count, 1)):
        return LABELS
    if values.dtype.kind not in "fiu":
        return None
    try:
        width = as_logits(values, count).shape[1]
    except ValueError:
        return None
    if values.dtype.kind != "f":
        return WHOLE
    return COLUMN if width == 1 else MATRIX


def described(values: Any) -> str:
    if isinstance(values, np.ndarray):
        return f"{'text' if values.dtype.kind in 'OUS' else values.dtype} {list(values.shape)}"
    return f"a list of {len(values)}" if isinstance(values, list) else type(values).__name__


def _names(values: list[Any], count: int, classes: int | None) -> Any:
    """The classes that labels name, in order: those of the dictionaries among the outputs, else 0, 1, ..."""
    for other in values:
        if isinstance(other, list) and kind_of(other, count) == MATRIX:
            return np.array(list(other[0]))
    widths = [as_logits(other, count).shape[1] for other in values if kind_of(other, count) in (MATRIX, WHOLE)]
    if widths and classes is None:
        classes = int(widths[0])
    if classes is None:
        raise ValueError("the model names classes, and nothing tells how many there are: say it with classes=")
    if any(kind_of(other, count) == LABELS and other.dtype.kind in "OUS" for other in values):
        raise ValueError("the model names classes in words, and nothing tells their order: choose its output of numbers")
    return np.arange(classes)
