"""The report's pictures."""

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from dafl import viz  # noqa: E402
from matplotlib import pyplot as plt  # noqa: E402


def class_means(real: np.ndarray, labels: np.ndarray, generated: np.ndarray, classes: np.ndarray, path: Path) -> None:
    """The mean image of each class, real and generated."""
    blank = np.zeros(real.shape[1:])
    means = [images[of == label].mean(0) if (of == label).any() else blank
             for images, of in ((real, labels), (generated, classes)) for label in range(10)]
    titles = [f"{label} {kind}" for kind in ("real", "made") for label in range(10)]
    viz.image_grid(np.stack(means), titles, columns=10).savefig(path)


def samples(generated: np.ndarray, classes: np.ndarray, path: Path) -> None:
    """A row of ten images that the teacher takes for each class."""
    blank = np.zeros((10, *generated.shape[1:]))
    rows = [np.concatenate([generated[classes == label], blank])[:10] for label in range(10)]
    viz.image_grid(np.concatenate(rows), columns=10).savefig(path)


def filters(teacher: np.ndarray, student: np.ndarray, path: Path) -> None:
    """First-layer weights [out,1,kh,kw] of both networks."""
    titles = ["teacher"] * len(teacher) + ["student"] * len(student)
    viz.image_grid(np.concatenate([teacher, student]), titles, columns=len(teacher)).savefig(path)


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


def accuracies(lines: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Accuracy of smaller networks against the share of parameters that they have no more, both in percent."""
    figure, axis = plt.subplots(figsize=(6, 3.5))
    for name, points in lines.items():
        if points:
            axis.plot(*zip(*points, strict=True), "--s" if "published" in name else "-o", label=name, markersize=4)
    axis.set_xlabel("parameters gone, %")
    axis.set_ylabel("accuracy on test images, %")
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    figure.savefig(path, dpi=100, bbox_inches="tight")
    plt.close(figure)
