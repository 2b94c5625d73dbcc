"""What a run tells step by step, kept on disk: as a table, or for TensorBoard."""

from __future__ import annotations

import csv
import dataclasses
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from .distillation import Progress

Places = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""Paths that end in .csv, for tables, and others, for folders of TensorBoard's."""

NAMES = [field.name for field in dataclasses.fields(Progress)]


@contextmanager
def records(places: Places) -> Iterator[list[Any]]:
    """What writes a step's progress to each of the places, with a `write` and a `close`."""
    paths = [places] if isinstance(places, str | os.PathLike) else places
    with ExitStack() as stack:
        opened = [Table(Path(path)) if Path(path).suffix == ".csv" else Board(Path(path)) for path in paths]
        for record in opened:
            stack.callback(record.close)
        yield opened


class Table:
    """A row for each step under the names of `Progress`'s fields. That of a run that goes on loses the rows that it does anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}")
        self._rows = list(csv.reader(path.read_text().splitlines())) if path.exists() else []
        if self._rows and self._rows[0] != NAMES:
            raise ValueError(f"{path} is there already and is not the record of a run")

    def write(self, progress: Progress) -> None:
        if self._file is None:
            kept = [row for row in self._rows[1:] if len(row) == len(NAMES) and int(row[0]) < progress.step]
            self._file = self._path.open("w", newline="")
            csv.writer(self._file).writerows([NAMES, *kept])
        csv.writer(self._file).writerow([getattr(progress, name) for name in NAMES])
        self._file.flush()

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
