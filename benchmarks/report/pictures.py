"""The report's pictures."""

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402


def _grid(tiles: list[list[np.ndarray]], names: list[str], path: Path) -> None:
    """Rows of images [h,w], each in its own range of greys, with a name before each row."""
    figure, axes = plt.subplots(len(tiles), len(tiles[0]), figsize=(0.7 * len(tiles[0]) + 1, 0.75 * len(tiles)), squeeze=False)
    for row, name, images in zip(axes, names, tiles):
        for axis, image in zip(row, images):
            axis.imshow(image, cmap="gray")
        for axis in row:
            axis.set_xticks([])
            axis.set_yticks([])
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.savefig(path, dpi=100, bbox_inches="tight")
    plt.close(figure)


def class_means(real: np.ndarray, labels: np.ndarray, generated: np.ndarray, classes: np.ndarray, path: Path) -> None:
    """The mean image of each class, real above generated."""
    blank = np.zeros(real.shape[2:])
    tiles = [[images[of == label, 0].mean(0) if (of == label).any() else blank for label in range(10)]
             for images, of in ((real, labels), (generated, classes))]
    _grid(tiles, ["real", "generated"], path)


def samples(generated: np.ndarray, classes: np.ndarray, path: Path) -> None:
    """Ten images that the teacher takes for each class."""
    blank = np.zeros(generated.shape[2:])
    tiles = []
    for label in range(10):
        images = list(generated[classes == label, 0][:10])
        tiles.append(images + [blank] * (10 - len(images)))
    _grid(tiles, [str(label) for label in range(10)], path)


def filters(teacher: np.ndarray, student: np.ndarray, path: Path) -> None:
    """First-layer weights [out,1,kh,kw] of both networks."""
    blank = np.zeros(teacher.shape[2:])
    _grid([list(teacher[:, 0]), list(student[:, 0]) + [blank] * (len(teacher) - len(student))], ["teacher", "student"], path)


def curves(history: list[dict[str, float]], path: Path) -> None:
    """Accuracy and effective classes against time."""
    figure, left = plt.subplots(figsize=(6, 3.5))
    seconds = [point["seconds"] for point in history]
    left.plot(seconds, [100 * point["accuracy"] for point in history], color="black", label="student")
    left.set_xlabel("seconds")
    left.set_ylabel("accuracy on test images, %")
    left.set_ylim(bottom=max(0, min(100 * point["accuracy"] for point in history[1:] or history) - 2))
    right = left.twinx()
    right.plot(seconds, [point["effective_classes"] for point in history], color="grey", lw=0.7)
    right.set_ylabel("effective classes (grey)")
    right.set_ylim(0, 10.5)
    figure.savefig(path, dpi=100, bbox_inches="tight")
    plt.close(figure)


def queries(points: list[tuple[int, float]], path: Path) -> None:
    """Accuracy against the questions a teacher was asked."""
    figure, axis = plt.subplots(figsize=(5, 3))
    axis.semilogx(*zip(*[(count, 100 * accuracy) for count, accuracy in sorted(points)]), "o-", color="black")
    axis.set_xlabel("images that the teacher answered for")
    axis.set_ylabel("accuracy, %")
    figure.savefig(path, dpi=100, bbox_inches="tight")
    plt.close(figure)
