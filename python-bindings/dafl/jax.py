"""JAX functions as teachers. JAX is imported when the first one is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ._adapter import Adapter, as_model_input
from ._arrays import FloatArray
from ._optional import require


class Teacher(Adapter):
    """A JAX function as a teacher, with gradients by `jax.vjp`::

        teacher = dafl.jax.Teacher(lambda images: model.apply(parameters, images), input_shape=(1, 32, 32))

    `function` takes images [count, channels, height, width], or [count, d] when `input_shape` is (d, 1, 1), and returns
    logits [count, classes] or a pair of logits and features [count, features]. It is compiled by `jax.jit`, once for
    each size of batch, so it must be pure. `input_shape` may be given to `dafl.distill` instead; `classes` is found by
    asking about zeros, and compared where given.

    ValueError when the sizes do not fit; ImportError without JAX.
    """

    def __init__(self, function: Callable[[Any], Any], *, input_shape: Sequence[int] | None = None,
                 classes: int | None = None) -> None:
        jax = require("jax", "jax", "dafl.jax")
        self._function = jax.jit(function)

        def vjp(images: Any, gradients: Any) -> Any:
            answer, pull_back = jax.vjp(function, images)
            return pull_back(jax.tree.map(lambda gradient, part: gradient.astype(part.dtype), gradients, answer))[0]

        self._vjp = jax.jit(vjp)
        super().__init__(self._answer, self._gradient, input_shape=input_shape, classes=classes)

    def _answer(self, images: FloatArray) -> Any:
        return self._function(as_model_input(images))

    def _gradient(self, images: FloatArray, logits_gradient: FloatArray, features_gradient: FloatArray | None) -> Any:
        gradients = logits_gradient if features_gradient is None else (logits_gradient, features_gradient)
        return self._vjp(as_model_input(images), gradients).reshape(images.shape)
