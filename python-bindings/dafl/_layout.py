"""Where a model has the channels of its images: [n,c,h,w], as the library, or last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LAYOUTS = ("NCHW", "NHWC")


def require_layout(layout: str) -> str:
    if layout not in LAYOUTS:
        raise ValueError(f"layout must be {' or '.join(LAYOUTS)}, not {layout!r}")
    return layout


def guessed(sizes: Sequence[Any]) -> str:
    """The layout of images of these three sizes, which may be unknown: pictures have 1, 3 or 4 channels, seldom as many rows."""
    return "NHWC" if sizes[2] in (1, 3, 4) and sizes[0] not in (1, 3, 4) else "NCHW"


def shape_in(layout: str, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """The shape (channels, height, width) of an image in the layout."""
    channels, height, width = shape
    return shape if layout == "NCHW" else (height, width, channels)


def to_layout(images: Any, layout: str) -> Any:
    """Images [n,c,h,w] in the layout, without a copy."""
    return images if layout == "NCHW" else images.transpose(0, 2, 3, 1)


def from_layout(images: Any, layout: str) -> Any:
    """Images in the layout as [n,c,h,w], without a copy; what has not four axes stays as it is, for others to refuse."""
    return images if layout == "NCHW" or images.ndim != 4 else images.transpose(0, 3, 1, 2)
