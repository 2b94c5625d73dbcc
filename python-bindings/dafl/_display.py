"""Progress while a distillation runs: a bar of tqdm's where it is installed, else a line on a terminal."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .distillation import Progress

SECONDS_BETWEEN_LINES = 0.2

Show = Callable[[Progress], None]


@contextmanager
def display(is_wanted: bool) -> Iterator[Show]:
    """Yields what shows a step's progress. Nothing is shown on a stderr that is no terminal, except in notebooks."""
    if not is_wanted:
        yield lambda progress: None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield from _line()
        return
    yield from _bar(tqdm)


def _bar(tqdm: Any) -> Iterator[Show]:
    bar = None

    def show(progress: Progress) -> None:
        nonlocal bar
        if bar is None:
            # disable=None: silent unless stderr is a terminal. The notebook's bar is never silent.
            bar = tqdm(total=progress.steps, initial=progress.step - 1, dynamic_ncols=True, disable=None,
                       bar_format="{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]")
        bar.set_postfix_str(summary(progress), refresh=False)
        bar.update(1)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


def _line() -> Iterator[Show]:
    """One line of stderr, written over and over, if that is a terminal."""
    terminal = sys.stderr
    if terminal is None or not terminal.isatty():
        yield lambda progress: None
        return
    shown = -math.inf

    def show(progress: Progress) -> None:
        nonlocal shown
        if progress.step < progress.steps and time.monotonic() - shown < SECONDS_BETWEEN_LINES:
            return
        shown = time.monotonic()
        terminal.write(f"\rdafl {progress.step}/{progress.steps}  {summary(progress)}, "
                       f"{progress.seconds_left:.0f} s left\x1b[K")
        terminal.flush()

    try:
        yield show
    finally:
        if shown > -math.inf:
            terminal.write("\n")


def summary(progress: Progress) -> str:
    """The numbers worth watching, in the order in which a narrow terminal should lose them from the end."""
    agreement = "--" if math.isnan(progress.agreement) else f"{progress.agreement:.1%}"
    return (f"agreement {agreement}, L_KD {progress.distillation_loss:.3f}, L_G {progress.generator_loss:.2f}, "
            f"classes {progress.effective_classes:.1f}, {progress.images_per_second:,.0f} images/s")
