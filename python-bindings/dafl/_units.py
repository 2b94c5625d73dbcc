"""The units of a teacher's inputs, where they are not those of the generator's images."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, TypedDict

import numpy as np

from ._arrays import FloatArray, array


class InputUnits(TypedDict, total=False):
    """In what units a teacher takes its images: every teacher takes these keywords.

    Left out, a teacher is handed images of about mean 0 and deviation 1 in each channel, as one that was trained on
    standardised data expects. Say mean and deviation of your training data, or the range of its numbers, not both. The
    student takes images in the same units.
    """

    input_mean: Any
    """A number, one for each channel, or one for each feature: [channels * height * width] in the order of an image."""
    input_deviation: Any
    """Standard deviation, likewise; greater than 0."""
    input_range: tuple[float, float] | None
    """Lowest and highest number of an image, such as (0, 255) for pixels: short for a mean at 0.35 of the range and a deviation
    of 0.3 of it, see `Options`."""


@dataclasses.dataclass(frozen=True, eq=False)
class Units:
    """Validated `InputUnits`: either `mean` and `deviation`, of one length, or `range`."""

    mean: FloatArray | None = None
    """Of each channel or each feature, once the shape of an image is known."""
    deviation: FloatArray | None = None
    range: tuple[float, float] | None = None

    def of(self, shape: tuple[int, int, int]) -> Units:
        """With one mean and deviation for each channel, or each feature. ValueError where the lengths do not fit the shape."""
        if self.mean is None or self.deviation is None:
            return self
        channels, features = shape[0], math.prod(shape)
        for name, values in (("input_mean", self.mean), ("input_deviation", self.deviation)):
            if values.size not in (1, channels, features):
                raise ValueError(f"{name} must be a number, {channels} for the channels or {features} for the features, "
                                 f"not {values.size} numbers")
        length = features if features in (self.mean.size, self.deviation.size) else channels
        return Units(_spread(self.mean, channels, length), _spread(self.deviation, channels, length))

    def centre(self, shape: tuple[int, int, int]) -> FloatArray:
        """The image in the middle of them."""
        if self.range is not None:
            return np.full(shape, (self.range[0] + self.range[1]) / 2, np.float32)
        mean = self.of(shape).mean
        assert mean is not None
        return _spread(mean, shape[0], math.prod(shape)).reshape(shape)


def units(input_mean: Any = None, input_deviation: Any = None, input_range: tuple[float, float] | None = None) -> Units | None:
    """What was said of the units; None when nothing was. ValueError for what cannot be."""
    if input_range is not None:
        if input_mean is not None or input_deviation is not None:
            raise ValueError("input_range takes the place of input_mean and input_deviation: give one or the other")
        return Units(range=range_of(input_range))
    if input_mean is None and input_deviation is None:
        return None
    mean = _finite(0 if input_mean is None else input_mean, "input_mean")
    deviation = _finite(1 if input_deviation is None else input_deviation, "input_deviation")
    if not (deviation > 0).all():
        place = f"[{int(deviation.argmin())}]" if deviation.size > 1 else ""
        raise ValueError(f"input_deviation{place} must be greater than 0, not {deviation.min():g}; 1 will do for what never "
                         "changes")
    return Units(mean, deviation)


def range_of(input_range: Any) -> tuple[float, float]:
    """Two finite numbers, the lower one first; else ValueError."""
    limits = _finite(input_range, "input_range")
    if limits.size != 2 or not limits[0] < limits[1]:
        raise ValueError(f"input_range must be (low, high) with low < high, not {input_range}")
    return float(limits[0]), float(limits[1])


def _finite(values: Any, name: str) -> FloatArray:
    given = np.ascontiguousarray(array(values), np.float32).reshape(-1)
    if not given.size or not np.isfinite(given).all():
        raise ValueError(f"{name} must be finite numbers, not {values}")
    return given


def _spread(values: FloatArray, channels: int, length: int) -> FloatArray:
    """One number, or one for each channel, as so many."""
    if values.size == length:
        return values
    each = np.broadcast_to(values, channels)
    return np.ascontiguousarray(np.repeat(each, length // channels))
