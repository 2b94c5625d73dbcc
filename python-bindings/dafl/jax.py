"""JAX functions as teachers. JAX is imported when the first one is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._adapter import Adapter, as_model_input
from ._arrays import FloatArray
from ._layout import require_layout, to_layout
from ._optional import require
from ._outputs import as_features, as_logits, logits_and_second
from ._units import InputUnits

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Teacher(Adapter):
    """A JAX function as a teacher, with gradients by `jax.vjp`::

        teacher = dafl.jax.Teacher(lambda images: model.apply(parameters, images), input_shape=(1, 32, 32))

    `function` takes images [count, channels, height, width], or [count, height, width, channels] with `layout="NHWC"`, or
    [count, d] when `input_shape` is (d, 1, 1). It returns logits [count, classes] or a pair of logits and features
    [count, features]; of lists and longer tuples the first is the logits, of dictionaries and objects "logits", "out",
    "output" or the only one, and else `output` is its name or index. One logit or sigmoid an image, of two classes, will do.
    `answers` says what they are: "logits", "probabilities", "labels", or "auto" (default), as in `dafl.Teacher`.

    The function is compiled by `jax.jit`, once for each size of batch, so it must be pure. `input_shape`, (channels, height,
    width) in either layout, may be given to `dafl.distill` instead; `classes` is found by querying it about two images, and
    compared where given.

    Images have about mean 0 and deviation 1 in each channel, unless `input_mean` and `input_deviation` or `input_range` say
    the function's own units: see `dafl.InputUnits`.

    ValueError when the sizes do not fit; TypeError for a function that returns no arrays; ImportError without JAX.
    """

    def __init__(self, function: Callable[[Any], Any], *, input_shape: Sequence[int] | None = None,
                 classes: int | None = None, output: str | int | None = None, answers: str = "auto", layout: str = "NCHW",
                 **input_units: Unpack[InputUnits]) -> None:
        jax = require("jax", "jax", "dafl.jax")
        require_layout(layout)

        def picked(images: Any) -> Any:
            count = len(images)
            is_vector = images.shape[2:] == (1, 1)
            given = as_model_input(images) if is_vector else to_layout(images, layout)
            logits, second = logits_and_second(function(given), output)
            logits = as_logits(logits, count).astype(np.float32)
            features = as_features(second, count)
            return logits if features is None else (logits, features.astype(np.float32))

        def vjp(images: Any, gradients: Any) -> Any:
            return jax.vjp(picked, images)[1](gradients)[0]

        self._function, self._vjp = jax.jit(picked), jax.jit(vjp)
        super().__init__(self._answer, self._gradient, input_shape=input_shape, classes=classes, answers=answers, **input_units)

    def _answer(self, images: FloatArray) -> Any:
        return self._function(images)

    def _gradient(self, images: FloatArray, logits_gradient: FloatArray, features_gradient: FloatArray | None) -> Any:
        return self._vjp(images, logits_gradient if features_gradient is None else (logits_gradient, features_gradient))
