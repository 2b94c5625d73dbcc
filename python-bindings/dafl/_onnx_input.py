"""How images become what an ONNX model's input takes."""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray
from ._layout import guessed, require_layout, to_layout

KINDS: dict[str, npt.DTypeLike] = {
    "float": np.float32, "double": np.float64, "float16": np.float16, "int8": np.int8, "int16": np.int16, "int32": np.int32,
    "int64": np.int64, "uint8": np.uint8, "uint16": np.uint16, "uint32": np.uint32, "uint64": np.uint64,
}

_logger = logging.getLogger("dafl")

Shape = tuple[int, int, int]


class Input:
    """The one input of a session's model: [batch, features], [batch, height, width], or images in a layout."""

    def __init__(self, session: Any, layout: str | None) -> None:
        inputs = session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(repr(one.name) for one in inputs)
            raise ValueError(f"a teacher takes images and nothing else, but the model has {len(inputs)} inputs: {names}")
        self.name: str = inputs[0].name
        kind = inputs[0].type.removeprefix("tensor(").removesuffix(")")
        if kind not in KINDS:
            raise ValueError(f"the model's input {self.name!r} takes {inputs[0].type}, which images cannot become")
        self._dtype = np.dtype(KINDS[kind])
        shape = inputs[0].shape
        if not shape:
            raise ValueError(f"the model's input {self.name!r} has no axes, and so none for the images of a batch")
        self.batch: int | None = shape[0] if isinstance(shape[0], int) else None
        # None for a size that the model leaves open.
        self._sizes: list[int | None] = [size if isinstance(size, int) else None for size in shape[1:]]
        self._shown = "[" + ", ".join("?" if size is None or size == "" else str(size) for size in ["n", *shape[1:]]) + "]"
        self.layout = "NCHW" if layout is None else require_layout(layout)
        if layout is None and len(self._sizes) == 3:
            self.layout = guessed(self._sizes)
            if self.layout == "NHWC":
                _logger.info("the model's input %s has its channels last; layout=\"NCHW\" would read it otherwise", self._shown)

    @property
    def takes_bytes(self) -> bool:
        """Whether its numbers are those of image files, from 0 to 255."""
        return self._dtype == np.uint8

    @property
    def shape(self) -> Shape | None:
        """An image's (channels, height, width); None where the model leaves a size open."""
        sizes = [size for size in self._sizes if size is not None]
        if len(sizes) < len(self._sizes) or len(sizes) not in (1, 2, 3):
            return None
        if len(sizes) == 1:
            return sizes[0], 1, 1
        if len(sizes) == 2:
            return 1, sizes[0], sizes[1]
        return (sizes[0], sizes[1], sizes[2]) if self.layout == "NCHW" else (sizes[2], sizes[0], sizes[1])

    def require(self, shape: Shape) -> None:
        """ValueError unless images of this shape, or as many numbers in a vector, are what the model takes."""
        is_whole = None not in self._sizes
        if is_whole and math.prod(shape) != math.prod(size or 0 for size in self._sizes) or not self._reads(shape):
            known = f", which is input_shape={self.shape}" if self.shape else ""
            layout = f" with layout {self.layout}" if len(self._sizes) == 3 else ""
            raise ValueError(f"the model takes {self._shown}{layout}{known}, and not {tuple(shape)}")

    def _reads(self, shape: Shape) -> bool:
        channels, height, width = shape
        is_vector = height == width == 1
        if len(self._sizes) == 3 and not (is_vector and None not in self._sizes):
            return _fits(self._sizes, shape if self.layout == "NCHW" else (height, width, channels))
        if len(self._sizes) == 2 and not (is_vector and None not in self._sizes):
            return channels == 1 and _fits(self._sizes, (height, width)) or width == 1 and _fits(self._sizes, (channels, height))
        return len(self._sizes) == 1 or None not in self._sizes

    def rows(self, images: FloatArray) -> Any:
        """Images [n,c,h,w] in the model's shape and its numbers, whole ones rounded and kept in their range."""
        count, channels, height, width = images.shape
        if len(self._sizes) == 3 and not (height == width == 1 and None not in self._sizes):
            shaped = to_layout(images, self.layout)
        elif len(self._sizes) == 1:
            shaped = images.reshape(count, -1)
        elif None in self._sizes:
            shaped = images.reshape(count, *((height, width) if channels == 1 else (channels, height)))
        else:
            shaped = images.reshape(count, *(size or 0 for size in self._sizes))
        if self._dtype.kind in "iu":
            limits = np.iinfo(self._dtype)
            shaped = np.clip(np.rint(shaped), float(limits.min), float(limits.max))
        return np.ascontiguousarray(shaped, self._dtype)


def _fits(sizes: list[int | None], shape: tuple[int, ...]) -> bool:
    return all(size is None or size == given for size, given in zip(sizes, shape, strict=True))
