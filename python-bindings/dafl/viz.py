"""Pictures of a distillation, as figures of matplotlib, which is imported when the first one is drawn.

Each function returns a `matplotlib.figure.Figure` that belongs to no window and changes no state of matplotlib's:
notebooks show it as the value of a cell after `%matplotlib inline`, and `figure.savefig("name.png")` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._arrays import FloatArray, array
from ._optional import require
from .network import Network
from .result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def image_grid(images: Any, titles: Sequence[object] | None = None, *, columns: int = 8) -> Figure:
    """Images [count, channels, height, width], each from its own darkest to its own brightest number.

    One channel is grey, three are colours, of others the mean is grey. `titles` [count], such as `logits.argmax(1)`,
    stand above them. ValueError for another shape or number of titles.
    """
    pictures = _pictures(images)
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"titles must be {len(pictures)}, one an image, not {len(titles)}")
    return _tiles(pictures, titles, columns)


def class_means(images: Any, logits: Any, *, columns: int = 10) -> Figure:
    """For each class, the mean of the images [count, channels, height, width] whose logits [count, classes] name it.

    Each has its class and the number of images as a title; a class without images is blank. ValueError for other shapes.
    """
    images, logits = array(images), array(logits)
    if logits.ndim != 2 or len(logits) != len(images):
        raise ValueError(f"logits must be [{len(images)}, classes], not {list(logits.shape)}")
    named = logits.argmax(1)
    counts = np.bincount(named, minlength=logits.shape[1])
    means = [images[named == label].mean(0) if count else np.zeros(images.shape[1:]) for label, count in enumerate(counts)]
    return _tiles(_pictures(np.stack(means)), [f"{label} ({count})" for label, count in enumerate(counts)], columns)


def filters(network: Network | Mapping[str, Any], layer: str = "conv1.weight", *, columns: int = 8) -> Figure:
    """The filters [out, in, kh, kw] of a network's or state dictionary's convolution, one picture for each output.

    KeyError when there is no such tensor, ValueError when it is no convolution's.
    """
    state = network.state_dict() if isinstance(network, Network) else network
    return _tiles(_pictures(state[layer]), None, columns)


def curves(result: Result | Mapping[str, Any],
           names: Sequence[str] = ("distillation_loss", "generator_loss", "effective_classes", "agreement")) -> Figure:
    """How numbers of a result, or of a history [steps] by name, went over the steps, one panel each.

    KeyError for a name that is none of the history's.
    """
    history = result.history if isinstance(result, Result) else result
    figure = _figure(4.0 * len(names), 3.0)
    steps = history["step"] if "step" in history else None
    for axes, name in zip(np.ravel(figure.subplots(1, len(names), squeeze=False)), names, strict=True):
        values = array(history[name])
        axes.plot(np.arange(1, len(values) + 1) if steps is None else steps, values)
        axes.set_title(name.replace("_", " "))
        axes.set_xlabel("step")
    return figure


def _figure(width: float, height: float) -> Figure:
    """A figure of that many inches that matplotlib.pyplot does not know of."""
    figure: Figure = require("matplotlib.figure", "matplotlib", "dafl.viz").Figure(
        figsize=(width, height), layout="constrained")
    return figure


def _pictures(images: Any) -> FloatArray:
    """Images [n,c,h,w] as pictures [n,h,w,1 or 3] in 0...1."""
    given = np.asarray(array(images), np.float32)
    if given.ndim != 4 or 0 in given.shape:
        raise ValueError(f"images must be [count, channels, height, width], not {list(given.shape)}")
    if given.shape[1] != 3:
        given = given.mean(1, keepdims=True)
    low, high = given.min((1, 2, 3), keepdims=True), given.max((1, 2, 3), keepdims=True)
    return np.asarray(((given - low) / np.maximum(high - low, 1e-6)).transpose(0, 2, 3, 1), np.float32)


def _tiles(pictures: FloatArray, titles: Sequence[object] | None, columns: int) -> Figure:
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = _figure(columns, rows * (1.0 if titles is None else 1.25))
    for index, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_axis_off()
        if index < len(pictures):
            axes.imshow(pictures[index], cmap="gray", vmin=0, vmax=1)
            if titles is not None:
                axes.set_title(str(titles[index]), fontsize=8)
    return figure
