"""What a run tells step by step, kept on disk: as a table, or for TensorBoard."""

from __future__ import annotations

import csv
import dataclasses
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from .distillation import Progress

Places = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""Paths that end in .csv, for tables, and others, for folders of TensorBoard's."""

NAMES = [field.name for field in dataclasses.fields(Progress)]


@contextmanager
def records(places: Places) -> Iterator[Callable[[Progress], None]]:
    """Yields what writes a step's progress to each of the places.

    A place that can no longer be written is warned of, and given up: a run of hours does not end for it.
    """
    paths = [places] if isinstance(places, str | os.PathLike) else places
    with ExitStack() as stack:
        opened: list[Any] = [Table(Path(path)) if Path(path).suffix == ".csv" else Board(Path(path)) for path in paths]
        for record in opened:
            stack.callback(record.close)

        def write(progress: Progress) -> None:
            for record in list(opened):
                try:
                    record.write(progress)
                except OSError as error:
                    opened.remove(record)
                    warnings.warn(f"the record of the run ends at step {progress.step - 1}: {error}", stacklevel=2)

        yield write


class Table:
    """A row for each step under the names of `Progress`'s fields.

    A run that goes on continues it, without the rows of steps that it does anew; another run begins it anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}")
        if path.exists() and path.stat().st_size > 0:
            with path.open(newline="") as file:
                if next(csv.reader(file), None) != NAMES:
                    raise ValueError(f"{path} is there already and is not the record of a run")

    def write(self, progress: Progress) -> None:
        if self._file is None:
            self._file = self._open(progress.step)
        csv.writer(self._file).writerow([getattr(progress, name) for name in NAMES])
        self._file.flush()

    def _open(self, step: int) -> TextIO:
        """Behind the last row of a step before."""
        file = self._path.open("a+", newline="")
        file.seek(0)
        end = 0
        while (line := file.readline()).endswith("\n"):
            first = line.split(",")[0]
            if end and not (first.isdecimal() and int(first) < step):
                break
            end = file.tell()
        file.truncate(end)
        if end == 0:
            csv.writer(file).writerow(NAMES)
        return file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class Board:
    """Scalars for TensorBoard."""

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboard.summary import Writer
        except ImportError as error:
            raise ImportError(f"a record in the folder {folder} is TensorBoard's, which is not installed (pip install "
                              "tensorboard); a path that ends in .csv makes a table") from error
        self._writer = Writer(str(folder))

    def write(self, progress: Progress) -> None:
        for name in NAMES[2:]:
            if not math.isnan(value := getattr(progress, name)):
                self._writer.add_scalar(name, value, progress.step)

    def close(self) -> None:
        self._writer.close()
