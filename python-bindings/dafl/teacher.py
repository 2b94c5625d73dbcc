"""Teachers that Python supplies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._arrays import FloatArray, array
from ._callbacks import Callbacks
from ._library import (Teacher as TeacherStructure, TeacherBackwardFunction, TeacherForwardFunction,
                       TeacherRegularizerFunction, initialised)


ANSWERS = ("logits", "probabilities", "labels", "auto")


class Teacher:
    """A classifier of the host's, as the functions that distillation needs::

        dafl.Teacher(lambda images: model(images), backward, input_shape=(1, 32, 32), classes=10)

    `forward(images)` takes float32 images [count, channels, height, width] and returns logits [count, classes], or, when
    `features` is not 0, a pair of logits and features [count, features]: the activations before the last fully connected
    block, which make the generator's images better.

    `backward(images, logits_gradient, features_gradient)` is its vector-Jacobian product: given the gradients of a
    number by logits and features (None when there are none), it returns the gradient of that number by the images, in
    their shape. The images are those of an earlier call of `forward`, but not always of the latest.

    Without `backward` the teacher only answers, and the student's gradients take the place of its own, or finite differences
    with the option `gradients="differences"`. `answers` says what `forward` returns when it cannot give logits:
    "probabilities", or "labels": rows whose largest number names the class.

    `regularizer(images)` is what you know of the teacher beside its answers: it returns a number R that is the smaller the more
    a batch is like the images that the teacher was trained on, and the gradient of R by the images, in their shape. The
    generator learns to make it small, by the option `regularizer_weight`. Batch-norm statistics are one, see
    `dafl.torch.Teacher`.

    All arrays that come in are read-only views of the library's memory, without a copy, and valid during the call only.
    Results may be arrays or PyTorch tensors; a wrong shape is a ValueError, raised by whatever the distillation was
    asked to do, as is everything that the functions raise. They must not use the distillation that calls them.
    `input_shape` is (channels, height, width); a flat vector of d numbers is (d, 1, 1).
    """

    def __init__(self, forward: Callable[[FloatArray], Any],
                 backward: Callable[[FloatArray, FloatArray, FloatArray | None], Any] | None = None, *,
                 input_shape: tuple[int, int, int], classes: int, features: int = 0, answers: str = "logits",
                 regularizer: Callable[[FloatArray], tuple[float, Any]] | None = None) -> None:
        self.forward = forward
        self.backward = backward
        self.input_shape = shape_of_image(input_shape)
        self.classes = int(classes)
        self.features = int(features)
        self.answers = answers
        self.regularizer = regularizer
        if self.classes < 2 or self.features < 0:
            raise ValueError(f"classes must be at least 2 and features at least 0, not {classes} and {features}")
        if answers not in ANSWERS:
            raise ValueError(f"answers must be one of {', '.join(ANSWERS)}, not {answers!r}")

    def settle(self, input_shape: tuple[int, int, int] | None = None, classes: int | None = None) -> None:
        """Makes sure that the sizes are known, and those given here where they are given; else ValueError."""
        require_sizes(self.input_shape, self.classes, input_shape, classes)

    def _structure(self, callbacks: Callbacks) -> TeacherStructure:
        """The teacher as C sees it. It must outlive the distillation: it holds the functions that C calls."""
        structure = initialised(TeacherStructure, "dafl_teacher_init")
        structure.input_shape[:] = self.input_shape
        structure.classes = self.classes
        structure.features = self.features
        structure.answers = ANSWERS.index(self.answers)
        structure.forward = TeacherForwardFunction(callbacks.guard(self._forward))
        if self.backward is not None:
            structure.backward = TeacherBackwardFunction(callbacks.guard(self._backward))
        if self.regularizer is not None:
            structure.regularizer = TeacherRegularizerFunction(callbacks.guard(self._regularizer))
        return structure

    def _forward(self, _: None, count: int, images: Any, logits: Any, features: Any) -> None:
        result = self.forward(_input(images, (count, *self.input_shape)))
        if self.features:
            if not isinstance(result, tuple) or len(result) != 2:
                raise ValueError("forward must return a pair (logits, features), since the teacher declares features")
            _write(features, result[1], (count, self.features), "forward's features")
            result = result[0]
        _write(logits, result, (count, self.classes), "forward's logits")

    def _backward(self, _: None, count: int, images: Any, logits_gradient: Any, features_gradient: Any,
                  images_gradient: Any) -> None:
        shape = (count, *self.input_shape)
        assert self.backward is not None
        result = self.backward(_input(images, shape), _input(logits_gradient, (count, self.classes)),
                               _input(features_gradient, (count, self.features)) if self.features else None)
        _write(images_gradient, result, shape, "backward's gradient")

    def _regularizer(self, _: None, count: int, images: Any, value: Any, images_gradient: Any) -> None:
        shape = (count, *self.input_shape)
        assert self.regularizer is not None
        number, gradient = self.regularizer(_input(images, shape))
        value[0] = float(number)
        _write(images_gradient, gradient, shape, "regularizer's gradient")


def require_sizes(own_shape: tuple[int, int, int], own_classes: int, input_shape: Sequence[int] | None,
                  classes: int | None) -> None:
    """ValueError unless a teacher's own sizes are those given, where they are given."""
    if input_shape is not None and shape_of_image(input_shape) != own_shape:
        raise ValueError(f"the teacher's input_shape is {own_shape}, not {tuple(input_shape)}")
    if classes is not None and classes != own_classes:
        raise ValueError(f"the teacher has {own_classes} classes, not {classes}")


def shape_of_image(shape: Sequence[int]) -> tuple[int, int, int]:
    """`shape` as (channels, height, width); else ValueError."""
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"input_shape must be (channels, height, width), not {tuple(shape)}")
    channels, height, width = map(int, shape)
    return channels, height, width


def _input(pointer: Any, shape: tuple[int, ...]) -> FloatArray:
    view = np.ctypeslib.as_array(pointer, shape)
    view.flags.writeable = False
    return view


def _write(pointer: Any, values: Any, shape: tuple[int, ...], name: str) -> None:
    given = array(values)
    if given.shape != shape:
        raise ValueError(f"{name} must be {list(shape)}, not {list(given.shape)}")
    np.copyto(np.ctypeslib.as_array(pointer, shape), given, casting="same_kind")
