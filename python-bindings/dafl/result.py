"""What a distillation gave, until now."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray
from ._display import display
from .distillation import Distillation, Progress
from .network import Network

_ATTRIBUTE = "_dafl_result"


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

    Belongs to one thread at a time, as its distillation does.
    """

    def __init__(self, distillation: Distillation) -> None:
        self.distillation = distillation
        """The distillation itself, ready to go on."""
        self._progress: list[Progress] = []
        self._student: Network | None = None

    @classmethod
    def so_far(cls, exception: BaseException) -> Result:
        """The result of the `distill` or `resume` that `exception` came out of. ValueError when it came from elsewhere."""
        result = getattr(exception, _ATTRIBUTE, None)
        if not isinstance(result, cls):
            raise ValueError(f"{exception!r} did not come out of a distillation that had begun")
        return result

    @property
    def student(self) -> Network:
        """The student that agreed best with the teacher on held-out images: the same object until `resume` goes on."""
        if self._student is None:
            self._student = self.distillation.student()
        return self._student

    def generate(self, count: int) -> tuple[FloatArray, FloatArray]:
        """Images [count, channels, height, width] that the generator makes, and the teacher's logits [count, classes].

        What the teacher raises comes out of here.
        """
        return self.distillation.generate(count)

    @property
    def history(self) -> dict[str, npt.NDArray[Any]]:
        """A number for each step, as arrays [steps] under the names of `Progress`'s fields: "distillation_loss", ...

        Losses and shares are float64, counts int64. "agreement" is measured every 25 steps and stays between them.
        """
        return {field.name: np.array([getattr(progress, field.name) for progress in self._progress],
                                     np.int64 if field.type == "int" else np.float64)
                for field in dataclasses.fields(Progress)}

    @property
    def last(self) -> Progress | None:
        """Where the distillation stands; None before its first step."""
        return self._progress[-1] if self._progress else None

    @property
    def seconds(self) -> float:
        """Spent inside steps."""
        return self.last.seconds_elapsed if self.last else 0.0

    @property
    def queries(self) -> int:
        """Images that the teacher has answered for."""
        return self.last.teacher_images if self.last else 0

    def __repr__(self) -> str:
        done = f"{self.last.step} of {self.last.steps} steps, agreement {self.last.agreement:.1%}" if self.last else "0 steps"
        return f"<dafl.Result: {done}, {self.queries:,} queries, {self.seconds:.1f} s>"

    def resume(self, *, progress: bool = True, on_step: Callable[[Progress], Any] | None = None) -> None:
        """Does the steps still to do; `progress` and `on_step` are as in `dafl.distill`, as is what it raises."""
        self._student = None
        with display(progress) as show:
            def step_done(latest: Progress) -> Any:
                self._progress.append(latest)
                show(latest)
                return None if on_step is None else on_step(latest)

            try:
                self.distillation.run(step_done)
            except BaseException as exception:
                setattr(exception, _ATTRIBUTE, self)
                raise
