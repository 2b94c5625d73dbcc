"""Teachers that Python supplies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._arrays import FloatArray, array
from ._callbacks import Callbacks
from ._layout import from_layout, require_layout, shape_in, to_layout
from ._library import (Teacher as TeacherStructure, TeacherBackwardFunction, TeacherForwardFunction,
                       TeacherRegularizerFunction, initialised)
from ._outputs import as_logits, is_array, logits_and_second
from ._units import InputUnits, units

if TYPE_CHECKING:
    from .network import Network
    from typing_extensions import Unpack

ANSWERS = ("logits", "probabilities", "labels", "auto")
"""In the order of dafl.h."""


class Teacher:
    """A classifier of the host's, as the functions that distillation needs::

        dafl.Teacher(lambda images: model(images), backward, input_shape=(1, 32, 32), classes=10)

    `forward(images)` takes float32 images [count, channels, height, width] and returns logits [count, classes], or, when
    `features` is not 0, a pair of logits and features [count, features]: the activations before the last fully connected
    block, which make the generator's images better. Of more outputs the first is the logits, and of a dictionary "logits",
    "out", "output" or the only one. A classifier of two classes may give one logit or one sigmoid an image, [count, 1] or
    [count], that of the second class: it has `classes=1`, and its student 2 outputs.

    `backward(images, logits_gradient, features_gradient)` is its vector-Jacobian product: given the gradients of a
    number by what `forward` returns, logits or probabilities, and by features (None when there are none), it returns the
    gradient of that number by the images, in their shape. The images are those of an earlier call of `forward`, but not
    always of the latest.

    Without `backward` the teacher is only queried, and the student's gradients take the place of its own, or finite differences
    with the option `gradients="differences"`. `answers` says what `forward` returns: "logits", "probabilities", "labels", rows
    whose largest number names the class, or "auto" (default): probabilities when its rows for noise look like them, else logits.

    `regularizer(images)` is what you know of the teacher beside its answers: it returns a number R that is the smaller the more
    a batch is like the images that the teacher was trained on, and the gradient of R by the images, in their shape. The
    generator learns to make it small, by the option `regularizer_weight`. Batch-norm statistics are one, see
    `dafl.torch.Teacher`.

    All arrays that come in are read-only views of the library's memory, without a copy, and valid during the call only.
    Results may be arrays or PyTorch tensors; a wrong shape is a ValueError, raised by whatever the distillation was
    told to do, as is everything that the functions raise. They must not use the distillation that calls them.
    `input_shape` is (channels, height, width); a flat vector of d numbers is (d, 1, 1). With `layout="NHWC"` the functions get
    their images as [count, height, width, channels], and return gradients so.

    Images have about mean 0 and deviation 1 in each channel, which is right for a classifier trained on standardised data. One
    trained on others says its units, and gets its images in them: `input_mean` and `input_deviation`, each a number, one for
    each channel or one for each feature, or `input_range=(low, high)`; see `InputUnits`. `units` has what was said. Its student
    takes images in the same units.
    """

    def __init__(self, forward: Callable[[FloatArray], Any],
                 backward: Callable[[FloatArray, FloatArray, FloatArray | None], Any] | None = None, *,
                 input_shape: tuple[int, int, int], classes: int, features: int = 0, answers: str = "auto",
                 regularizer: Callable[[FloatArray], tuple[float, Any]] | None = None, layout: str = "NCHW",
                 **input_units: Unpack[InputUnits]) -> None:
        if not callable(forward):
            raise TypeError(f"forward must be a function of images, not {type(forward).__name__}")
        self.forward = forward
        self.backward = backward
        self.input_shape = shape_of_image(input_shape)
        self.classes = int(classes)
        self.features = int(features)
        self.answers = require_answers(answers)
        self.regularizer = regularizer
        self.layout = require_layout(layout)
        given_units = units(**input_units)
        self.units = None if given_units is None else given_units.of(self.input_shape)
        if self.classes < 1 or self.features < 0:
            raise ValueError(f"classes must be at least 2, or 1 for one logit of two classes, and features at least 0, "
                             f"not {classes} and {features}")

    def settle(self, input_shape: tuple[int, int, int] | None = None, classes: int | None = None) -> None:
        """Makes sure that the sizes are known, and those given here where they are given; else ValueError."""
        require_sizes(self.input_shape, self.classes, input_shape, classes)

    def as_network(self) -> Network | None:
        """A network of the library that takes the teacher's place in a distillation; None, as here, where its functions work."""
        return None

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

    def use_threads(self, threads: int) -> None:
        """Told how many threads a distillation works with, 0 for all processors, before it queries the teacher."""

    def _forward(self, _: None, count: int, images: Any, logits: Any, features: Any) -> None:
        returned = self.forward(self._input(images, count))
        if isinstance(returned, list) and not any(is_array(part) and len(part.shape) > 1 for part in returned):
            returned = array(returned)  # rows, and not outputs
        rows, second = logits_and_second(returned)
        if self.features:
            if second is None:
                raise ValueError("forward must return a pair (logits, features), since the teacher declares features")
            given = array(second)
            _write(features, given.reshape((count, -1)) if given.ndim > 2 else given, (count, self.features),
                   "forward's features")
        _write(logits, as_logits(rows, count), (count, self.classes), "forward's logits")

    def _backward(self, _: None, count: int, images: Any, logits_gradient: Any, features_gradient: Any,
                  images_gradient: Any) -> None:
        assert self.backward is not None
        result = self.backward(self._input(images, count), _view(logits_gradient, (count, self.classes)),
                               _view(features_gradient, (count, self.features)) if self.features else None)
        self._write_gradient(images_gradient, result, count, "backward's gradient")

    def _regularizer(self, _: None, count: int, images: Any, value: Any, images_gradient: Any) -> None:
        assert self.regularizer is not None
        number, gradient = self.regularizer(self._input(images, count))
        value[0] = float(number)
        self._write_gradient(images_gradient, gradient, count, "regularizer's gradient")

    def _input(self, images: Any, count: int) -> Any:
        return to_layout(_view(images, (count, *self.input_shape)), self.layout)

    def _write_gradient(self, pointer: Any, values: Any, count: int, name: str) -> None:
        given = array(values)
        expected = (count, *shape_in(self.layout, self.input_shape))
        if given.shape != expected:
            raise ValueError(f"{name} must be {list(expected)}, not {list(given.shape)}")
        _write(pointer, from_layout(given, self.layout), (count, *self.input_shape), name)


def require_sizes(own_shape: tuple[int, int, int], own_classes: int, input_shape: Sequence[int] | None,
                  classes: int | None) -> None:
    """ValueError unless a teacher's own sizes are those given, where they are given."""
    if input_shape is not None and shape_of_image(input_shape) != own_shape:
        raise ValueError(f"the teacher's input_shape is {own_shape}, not {tuple(input_shape)}")
    if classes is not None and classes != own_classes and (classes, own_classes) != (2, 1):  # one logit tells two classes
        raise ValueError(f"the teacher has {own_classes} classes, not {classes}")


def require_answers(answers: str) -> str:
    if answers not in ANSWERS:
        raise ValueError(f"answers must be one of {', '.join(ANSWERS)}, not {answers!r}")
    return answers


def shape_of_image(shape: Sequence[int]) -> tuple[int, int, int]:
    """`shape` as (channels, height, width); else ValueError."""
    if not isinstance(shape, Sequence) or len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"input_shape must be (channels, height, width), not {shape!r}")
    channels, height, width = map(int, shape)
    return channels, height, width


def _view(pointer: Any, shape: tuple[int, ...]) -> FloatArray:
    view = np.ctypeslib.as_array(pointer, shape)
    view.flags.writeable = False
    return view


def _write(pointer: Any, values: Any, shape: tuple[int, ...], name: str) -> None:
    given = array(values)
    if given.shape != shape:
        raise ValueError(f"{name} must be {list(shape)}, not {list(given.shape)}")
    np.copyto(np.ctypeslib.as_array(pointer, shape), given, casting="same_kind")
