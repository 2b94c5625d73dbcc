"""What the teachers around other packages' models have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._arrays import FloatArray
from ._outputs import as_features, as_logits, logits_and_second
from ._units import InputUnits, units
from .teacher import Teacher, require_answers, shape_of_image

if TYPE_CHECKING:
    from typing_extensions import Unpack

Backward = Callable[[FloatArray, FloatArray, FloatArray | None], Any]


class Adapter(Teacher):
    """A teacher whose classes and features are found by querying it about two images, those in the middle of its units.

    That happens as soon as its input shape is known: at once, or when a distillation that knows it begins.
    """

    def __init__(self, forward: Callable[[FloatArray], Any], backward: Backward | None = None, *,
                 input_shape: Sequence[int] | None, classes: int | None, answers: str = "auto",
                 regularizer: Callable[[FloatArray], tuple[float, Any]] | None = None, **input_units: Unpack[InputUnits]) -> None:
        self._parts = forward, backward, classes, require_answers(answers), regularizer
        self._input_units = input_units
        self.units = units(**input_units)
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
            images = np.zeros((2, *shape), np.float32)
            if self.units is not None:
                images += self.units.centre(shape)
            try:
                returned = forward(images)
            except Exception as error:
                note(error, f"the teacher was queried with images {list(images.shape)}, from input_shape={shape}")
                raise
            logits, second = logits_and_second(returned)
            features = as_features(second, len(images))
            answers, backward = self._found(images, answers, backward)
            super().__init__(forward, backward, input_shape=shape, classes=as_logits(logits, len(images)).shape[1],
                             features=0 if features is None else features.shape[1], answers=answers, regularizer=regularizer,
                             **self._input_units)
            super().settle(None, classes_given)
            self._is_settled = True
        super().settle(input_shape, classes)

    def _found(self, images: FloatArray, answers: str, backward: Backward | None) -> tuple[str, Backward | None]:
        """What kind of answers the model gives, and its backward, now that it was queried about `images`."""
        return answers, None if answers == "labels" else backward


def note(error: Exception, text: str) -> None:
    """Adds a line to what an exception tells, where Python can: from 3.11 on."""
    if hasattr(error, "add_note"):
        error.add_note(text)


def as_model_input(images: Any) -> Any:
    """Images [n,c,h,w] as they are, and vectors [n,d,1,1] as [n,d], which is how models take them."""
    return images.reshape((len(images), -1)) if images.shape[2:] == (1, 1) else images
