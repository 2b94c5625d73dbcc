"""What a distillation gave, until now."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, Literal, NoReturn, overload

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray
from ._display import display
from ._record import Places, records
from .distillation import Distillation, Progress
from .errors import Busy
from .network import Network

_ATTRIBUTE = "_dafl_result"

OnStep = Callable[[Progress], Any] | Callable[[Progress, "Result"], Any]
"""What runs after each step: a function of its progress, or of its progress and the result until then."""


class Result:
    """What `dafl.distill` gave::

        result.student.save("student.safetensors")
        images, logits = result.generate(64)
        result.history["agreement"]

    After an exception it holds what there was until then, and `resume` goes on from there::

        try:
            result = dafl.distill(teacher)
        except KeyboardInterrupt as interrupt:
            result = dafl.Result.so_far(interrupt)

    Belongs to one thread at a time and cannot be copied or pickled, as its distillation; its student can.
    """

    def __init__(self, distillation: Distillation) -> None:
        self.distillation = distillation
        """The distillation itself, ready to go on."""
        self._progress: list[Progress] = []
        self._student: Network | None = None

    @classmethod
    def so_far(cls, exception: BaseException) -> Result:
        """The result of the `distill` or `resume` that `exception` came out of. ValueError when it came from elsewhere."""
        kept = getattr(exception, _ATTRIBUTE, None)
        if not isinstance(kept, _Kept) or not isinstance(kept.result, cls):
            raise ValueError(f"{exception!r} did not come out of a distillation that had begun")
        return kept.result

    def __reduce__(self) -> NoReturn:
        raise TypeError("a result cannot be copied or pickled, as its distillation; its student and history can")

    @property
    def student(self) -> Network:
        """The student that agreed best with the teacher on held-out images, see `Distillation.student`.

        The same object until another step is done.
        """
        if self._student is None:
            self._student = self.distillation.student()
        return self._student

    @overload
    def generate(self, count: int, *, logits: Literal[True] = True) -> tuple[FloatArray, FloatArray]: ...

    @overload
    def generate(self, count: int, *, logits: bool) -> tuple[FloatArray, FloatArray | None]: ...

    def generate(self, count: int, *, logits: bool = True) -> tuple[FloatArray, FloatArray | None]:
        """Images [count, channels, height, width] as the run makes them, and the teacher's logits [count, classes].

        To ask the teacher counts as `count` queries, and raises `QueriesSpent` where `max_teacher_queries` does not allow
        them. With `logits=False` it is not asked, unless images of source "metadata" are made from its answers, and None
        takes the logits' place. What the teacher raises comes out of here.
        """
        return self.distillation.generate(count, logits=logits)

    @property
    def history(self) -> dict[str, npt.NDArray[Any]]:
        """A number for each step, as arrays [steps] under the names of `Progress`'s fields: "distillation_loss", ...

        Losses and shares are float64, counts int64. "agreement" is measured at every step, on images that nobody has learned
        from yet, and is the mean of the last 16 measurements.
        """
        return {field.name: np.array([getattr(progress, field.name) for progress in self._progress],
                                     np.int64 if field.type == "int" else np.float64)
                for field in dataclasses.fields(Progress)}

    @property
    def last(self) -> Progress | None:
        """What the last step told; None before the first."""
        return self._progress[-1] if self._progress else None

    @property
    def seconds(self) -> float:
        """Spent inside whole steps."""
        return now.seconds_elapsed if (now := self._now) else 0.0

    @property
    def queries(self) -> int:
        """Images that the teacher has answered for, also in steps that did not end well."""
        return now.teacher_images if (now := self._now) else 0

    @property
    def _now(self) -> Progress | None:
        """Where the distillation stands; during a step, what the one before told."""
        try:
            return self.distillation.progress
        except Busy:
            return self.last

    def __repr__(self) -> str:
        done = f"{self.last.step} of {self.last.steps} steps, agreement {self.last.agreement:.1%}" if self.last else "0 steps"
        return f"<dafl.Result: {done}, {self.queries:,} queries, {self.seconds:.1f} s>"

    def resume(self, *, progress: bool = True, on_step: OnStep | None = None, log: Places = ()) -> None:
        """Does the steps still to do; `progress`, `on_step` and `log` are as in `dafl.distill`, as is what it raises."""
        self._student = None
        hears_result = on_step is not None and _takes_two(on_step)
        with records(log) as record, display(progress) as show:
            def step_done(latest: Progress) -> Any:
                self._progress.append(latest)
                self._student = None
                record(latest)
                show(latest)
                heard: Any = on_step
                return None if heard is None else heard(latest, self) if hears_result else heard(latest)

            try:
                self.distillation.run(step_done)
            except BaseException as exception:
                setattr(exception, _ATTRIBUTE, _Kept(self))
                raise


def _takes_two(function: Callable[..., Any]) -> bool:
    """Whether it must be given two arguments: a second one with a default of its own is no wish for the result."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some functions written in C have no signature
        return False
    positional = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return sum(parameter.kind in positional and parameter.default is parameter.empty for parameter in parameters) >= 2


class _Kept:
    """A result on its exception, which goes to another process without it."""

    def __init__(self, result: Result | None) -> None:
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return _Kept, (None,)
