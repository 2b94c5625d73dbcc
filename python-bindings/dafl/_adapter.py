"""What the teachers around other packages' models have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._arrays import FloatArray, array
from .teacher import Teacher, shape_of_image


class Adapter(Teacher):
    """A teacher whose classes and features are found by asking it about two images of zeros.

    That happens as soon as its input shape is known: at once, or when a distillation that knows it begins.
    """

    def __init__(self, forward: Callable[[FloatArray], Any],
                 backward: Callable[[FloatArray, FloatArray, FloatArray | None], Any] | None = None, *,
                 input_shape: Sequence[int] | None, classes: int | None, answers: str = "logits",
                 regularizer: Callable[[FloatArray], tuple[float, Any]] | None = None) -> None:
        self._parts = forward, backward, classes, answers, regularizer
        self._is_settled = False
        if input_shape is not None:
            self.settle(shape_of_image(input_shape))

    def settle(self, input_shape: tuple[int, int, int] | None = None, classes: int | None = None) -> None:
        """Finds the sizes. ValueError when the input shape is not known, or when a size given differs from the model's."""
        if not self._is_settled:
            if input_shape is None:
                raise ValueError("the teacher's input shape is not known: give input_shape=(channels, height, width)")
            forward, backward, classes_given, answers, regularizer = self._parts
            shape = shape_of_image(input_shape)
            answer = forward(np.zeros((2, *shape), np.float32))
            logits, features = answer if isinstance(answer, tuple) else (answer, None)
            sizes = [_width(logits, "logits"), 0 if features is None else _width(features, "features")]
            super().__init__(forward, backward, input_shape=shape, classes=sizes[0], features=sizes[1], answers=answers,
                             regularizer=regularizer)
            super().settle(None, classes_given)
            self._is_settled = True
        super().settle(input_shape, classes)


def _width(rows: Any, name: str) -> int:
    """Length of a row of what a model answered for two images."""
    given = array(rows)
    if given.ndim != 2 or len(given) != 2:
        raise ValueError(f"the teacher's {name} for two images must be [2, n], not {list(given.shape)}")
    return int(given.shape[1])


def as_model_input(images: FloatArray) -> FloatArray:
    """Images [n,c,h,w] as they are, and vectors [n,d,1,1] as [n,d], which is how models take them."""
    return images.reshape(len(images), -1) if images.shape[2:] == (1, 1) else images
