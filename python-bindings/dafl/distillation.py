"""Distillation: a teacher, a generator and a student on their way."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import logging
import os
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NoReturn, overload

import numpy as np

from ._arrays import FloatArray, floats, integers, is_false, labels, rows
from ._callbacks import STOPPED, Callbacks
from ._checkpoint import GIVEN_AGAIN, MAY_CHANGE, checkpoint_options
from ._library import (AllReduceFunction, DistillationOptions, Handle, LogFunction, Progress as ProgressStructure,
                       ProgressFunction, Teacher as TeacherStructure, assign, c_string, check, initialised, library, sized)
from ._options import Options as Options
from ._units import Units, units
from .network import Network
from .teacher import Teacher

if TYPE_CHECKING:
    from typing_extensions import Unpack

WARNING = 2
LOG_LEVELS = {1: logging.INFO, WARNING: logging.WARNING}


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a distillation stands."""

    step: int
    """Steps done."""
    steps: int
    """Steps in the whole run."""
    generator_loss: float
    """L_G = one_hot_weight L_oh + activation_weight L_a + entropy_weight L_ie + regularizer_weight R."""
    one_hot_loss: float
    """L_oh: mean cross entropy of the teacher's logits with their own argmax, nats."""
    activation_loss: float
    """L_a: minus the mean absolute feature."""
    entropy_loss: float
    """L_ie: minus the entropy of the mean class probabilities, log10 as the authors have it."""
    regularizer_loss: float
    """R: what the teacher's regularizer answered; 0 without one."""
    distillation_loss: float
    """L_KD: mean KL(teacher || student) over the step's student batches, nats, times T^2."""
    effective_classes: float
    """1 for a collapsed generator, the number of classes for a balanced one. Where pictures are drawn too, the generator's, as
    the losses are, once it works."""
    agreement: float
    """Share of each step's images, before anybody has learned from them, on which student and teacher name the same class:
    the mean over the last 16 steps."""
    images_per_second: float
    """Images the student learned from, a second, over the last steps."""
    seconds_elapsed: float
    """Spent inside steps."""
    seconds_left: float
    """Estimated for the steps still to do."""
    teacher_calls: int
    """Calls of the teacher's forward, backward and regularizer."""
    teacher_images: int
    """Images the teacher has answered for."""
    collapses: int
    """Generators whose images came to be of few classes and that were started afresh."""
    holdout_agreement: float
    """Of some 500 drawn pictures that nobody learns from: the share for which student and teacher name the same class, as a
    mean over the teacher's classes; of the last 25th step, or of the run's last. NaN before, for inputs that are no images, with
    image_source "data", and where max_teacher_queries is below 25,000 or so. A run that ends below 0.4 warns."""

    @classmethod
    def _from_structure(cls, structure: ProgressStructure) -> Progress:
        return cls(**{field.name: getattr(structure, field.name) for field in dataclasses.fields(cls)})


class Distillation:
    """A student that learns from `teacher` on images that a generator makes, and on drawn pictures::

        distillation = dafl.Distillation(teacher, steps=500, seed=1)
        distillation.run()
        student = distillation.student()

    `teacher` is a `Network`, which is copied, or a `Teacher`. `preset` is "fast" or "paper"; `options` change single
    numbers of it, see `Options`. The `student` may also be a `Network`, which is copied and whose weights it starts with; the
    path of a file; or a description as a dictionary. What the teacher's functions raise comes out, as the same object, of the
    method that called them, and the distillation can go on afterwards. So does KeyboardInterrupt: Ctrl-C stops within one step.
    It cannot be copied or pickled. Belongs to one thread at a time, except for `cancel`.
    """

    def __init__(self, teacher: Teacher | Network, preset: str = "fast", **options: Unpack[Options]) -> None:
        structure = initialised(DistillationOptions, "dafl_distillation_options_init")
        check(library.dafl_distillation_options_preset(ctypes.byref(structure), c_string(preset)))
        self._begin(teacher, structure, dict(options), library.dafl_distillation_create)

    @classmethod
    def load(cls, saved: str | os.PathLike[str] | bytes, teacher: Teacher | Network,
             **options: Unpack[Options]) -> Distillation:
        """Goes on with a run from the file that `save` or the option `checkpoint` wrote, or from what `to_bytes` returned.

        It ends in the same bytes as if it had never stopped.

        The teacher is given anew, a `Network` with the same weights, and is not examined again. The options are those of the run;
        only `threads`, `instruction_set`, `patience` and those about checkpoints may be given, as others, and the arrays
        (`images`, `labels`, `metadata_means`, `metadata_deviations`) that the run had must be, as the same.
        The units of a teacher that says its own must be those that it had.
        `FormatError` for a file that is no checkpoint or is damaged, `InvalidArgument` for another teacher or other arrays.
        """
        if refused := options.keys() - MAY_CHANGE - GIVEN_AGAIN:
            raise TypeError(f"{', '.join(sorted(refused))} cannot be given to a run that goes on")
        distillation = cls.__new__(cls)
        ran = checkpoint_options(saved)
        structure = initialised(DistillationOptions, "dafl_distillation_options_init")
        assign(structure, {name: ran[name] for name in MAY_CHANGE - {"checkpoint"} if name in ran})

        def load(*arguments: Any) -> int:
            if isinstance(saved, bytes):
                return int(library.dafl_distillation_load_memory(saved, len(saved), *arguments))
            return int(library.dafl_distillation_load(os.fsencode(saved), *arguments))

        distillation._begin(teacher, structure, dict(options), load)
        distillation._options = ran | {name: distillation._options[name] for name in MAY_CHANGE}
        return distillation

    def _begin(self, teacher: Teacher | Network, structure: DistillationOptions, options: dict[str, Any],
               create: Callable[..., int]) -> None:
        self._callbacks = Callbacks()
        structure.log = self._log = LogFunction(self._callbacks.guard(_log))
        self._handle = Handle()
        weakref.finalize(self, library.dafl_distillation_destroy, self._handle)
        own_units: Units | None = None
        if isinstance(teacher, Teacher):
            teacher.settle()
            own_units = teacher.units
            teacher = teacher.as_network() or teacher
        if isinstance(teacher, Network):
            info = teacher.info
            self._image_shape, self._features = info.input_shape, info.features
            self._classes = max(info.outputs, 2)  # one logit tells two classes
            self._teacher = initialised(TeacherStructure, "dafl_teacher_init")
            self._teacher.network = teacher._handle
        elif isinstance(teacher, Teacher):
            self._image_shape, self._features = teacher.input_shape, teacher.features
            self._classes = max(teacher.classes, 2)  # one logit tells two classes
            self._teacher = teacher._structure(self._callbacks)
        else:
            raise TypeError("teacher must be a dafl.Teacher, such as those of dafl.torch, onnx, jax and sklearn, "
                            f"or a dafl.Network, not {type(teacher).__name__}")
        assign(structure, self._borrow(structure, options, own_units))
        if isinstance(teacher, Teacher):
            teacher.use_threads(structure.threads)
        self._options = _values(structure) | ({} if self._start is None else {"student": self._start})
        check(self._callbacks.call(
            create, ctypes.byref(self._teacher), ctypes.byref(structure), ctypes.byref(self._handle)))

    def _borrow(self, structure: DistillationOptions, options: dict[str, Any], own_units: Units | None) -> dict[str, Any]:
        """Points the structure to the arrays among the options, which must live as long as the library's handle. The rest."""
        self._arrays: dict[str, np.ndarray] = {}
        fields = {"image_count", "metadata_groups", "input_count", "student_network", "all_reduce_user_data"}
        if counted := fields & options.keys():
            raise TypeError(f"unknown option {counted.pop()!r}")
        self._start: Network | None = None
        if isinstance(student := options.get("student"), Network):
            self._start = student
            structure.student_network = student._handle
            del options["student"]
        elif student is not None:
            options["student"] = _student_text(student)
        if (checkpoint := options.get("checkpoint")) is not None:
            options["checkpoint"] = os.fsdecode(checkpoint)
        if (all_reduce := options.pop("all_reduce", None)) is not None:
            def summed(_: None, sums: Any, count: int) -> int:
                all_reduce(np.ctypeslib.as_array(sums, (count,)))
                return 0

            # Other ranks wait to hear of whatever was raised here.
            structure.all_reduce = self._all_reduce = AllReduceFunction(self._callbacks.guard(summed, is_last_word=True))
        if (images := options.pop("images", None)) is not None:
            self._arrays["images"] = rows(images, self._image_shape, "images")
            structure.image_count = len(self._arrays["images"])
        if (classes := options.pop("labels", None)) is not None:
            if images is None:
                raise ValueError("labels are the classes of images: give images too")
            self._arrays["labels"] = labels(classes, structure.image_count)
        for name in ("metadata_means", "metadata_deviations"):
            if (values := options.pop(name, None)) is not None:
                self._arrays[name] = rows(values, (self._features,), name)
                if structure.metadata_groups not in (0, len(values)):
                    raise ValueError("metadata_means and metadata_deviations must be of the same shape")
                structure.metadata_groups = len(values)
        given = units(*(options.pop(name, None) for name in ("input_mean", "input_deviation", "input_range")))
        if given is not None and own_units is not None:
            raise ValueError("the teacher says in what units its inputs are already: give them there or here")
        self._set_units(structure, given or own_units)
        for name, values in self._arrays.items():
            setattr(structure, name, integers(values) if name == "labels" else floats(values))
        return options

    def _set_units(self, structure: DistillationOptions, given: Units | None) -> None:
        if given is None:
            return
        if given.range is not None:
            structure.input_low, structure.input_high = given.range
            return
        fitted = given.of(self._image_shape)
        assert fitted.mean is not None and fitted.deviation is not None
        self._arrays |= {"input_mean": fitted.mean, "input_deviation": fitted.deviation}
        structure.input_count = fitted.mean.size

    @property
    def options(self) -> dict[str, Any]:
        """All options that are text or numbers as the run has them, the preset's and those given, and the network that the
        student started as: another distillation of the same teacher with these `**options` and arrays is the same.
        After `load`, a student that was given as a network is not among them."""
        return dict(self._options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes all that the steps to come depend on to a file, a checkpoint, that `load` goes on from.

        It appears whole, in place of one that was there, or not at all. Also within `on_step`. It is a safetensors file.
        """
        check(library.dafl_distillation_save(self._handle, os.fsencode(path)), os.fspath(path))

    def to_bytes(self) -> bytes:
        """What `save` writes to a file."""
        size = ctypes.c_int64()
        check(library.dafl_distillation_save_memory(self._handle, None, 0, ctypes.byref(size)))
        saved = ctypes.create_string_buffer(size.value)
        check(library.dafl_distillation_save_memory(self._handle, saved, size, ctypes.byref(size)))
        return saved.raw

    def __reduce__(self) -> NoReturn:
        raise TypeError("a distillation cannot be copied or pickled; its student() and generator() can")

    def step(self) -> Progress:
        """One step of the generator and the student steps that go with it."""
        progress = sized(ProgressStructure)
        check(self._callbacks.call(library.dafl_distillation_step, self._handle, ctypes.byref(progress)))
        return Progress._from_structure(progress)

    def run(self, on_step: Callable[[Progress], Any] | None = None) -> None:
        """The steps still to do.

        `on_step(progress)` runs after each: when it returns False, the run ends there; what it raises comes out of
        here; either way another `run` goes on. It may look at this distillation with `student`, `generator`, `generate` and
        `progress`, whose images and queries go on from there as between two runs. `Cancelled` when `cancel` stopped the run.
        """
        stopped = False

        def step_done(_: None, progress: Any) -> int:
            nonlocal stopped
            stopped = on_step is not None and is_false(on_step(Progress._from_structure(progress.contents)))
            return STOPPED if stopped else 0

        # Also without on_step: the callback is where Python comes to handle Ctrl-C.
        callback = ProgressFunction(self._callbacks.guard(step_done, is_heard_first=True))
        status = self._callbacks.call(library.dafl_distillation_run, self._handle, callback, None)
        if not stopped:
            check(status)

    @property
    def progress(self) -> Progress:
        """Where it stands: after its last whole step, with all that the teacher was asked until now.

        `Busy` during a step or a run, also within the teacher's functions, but not within `on_step`.
        """
        progress = sized(ProgressStructure)
        check(library.dafl_distillation_progress(self._handle, ctypes.byref(progress)))
        return Progress._from_structure(progress)

    def cancel(self) -> None:
        """Stops the run or the step at work, from any thread; it raises `Cancelled` and can go on afterwards."""
        library.dafl_distillation_cancel(self._handle)

    @overload
    def generate(self, count: int, *, logits: Literal[True] = True) -> tuple[FloatArray, FloatArray]: ...

    @overload
    def generate(self, count: int, *, logits: bool) -> tuple[FloatArray, FloatArray | None]: ...

    def generate(self, count: int, *, logits: bool = True) -> tuple[FloatArray, FloatArray | None]:
        """Images [count, channels, height, width] as they are made now, and the teacher's logits [count, classes].

        Of those of source "auto" about half are generated, the others drawn, as they are before the teacher chooses.

        To ask the teacher counts as `count` queries, and raises `QueriesSpent` where `max_teacher_queries` does not allow
        them. With `logits=False` it is not asked, unless images of source "metadata" are made from its answers, and None
        takes the logits' place.
        """
        if count < 1:
            raise ValueError(f"count must be at least 1, not {count}")
        images = np.empty((count, *self._image_shape), np.float32)
        answers = np.empty((count, self._classes), np.float32) if logits else None
        check(self._callbacks.call(library.dafl_distillation_generate, self._handle, count, floats(images),
                                   None if answers is None else floats(answers)))
        return images, answers

    def student(self) -> Network:
        """A copy of the student of this run, until now, that agreed best with the teacher on held-out images.

        Those are the images of every 25th step, from which no student learns; before the first of them, and with source
        "data", it is the student as it is.
        """
        return self._copy(library.dafl_distillation_student)

    def generator(self) -> Network:
        """A copy of the generator as it is now; its inputs are latent vectors [count, latent_size].

        Where none has made images, as in the first 41 steps of source "auto" or where queries are few, this raises `Error`.
        """
        return self._copy(library.dafl_distillation_generator)

    def _copy(self, function: Callable[..., int]) -> Network:
        handle = Handle()
        check(function(self._handle, ctypes.byref(handle)))
        return Network._from_handle(handle)


def _student_text(student: Any) -> str:
    """What the library calls a student that is described: by text, by a path or by what JSON can say."""
    if isinstance(student, str | os.PathLike):
        return os.fsdecode(student)
    if isinstance(student, Mapping):
        return json.dumps(dict(student))
    raise TypeError(f"student must be text, a path, a dictionary or a dafl.Network, not {type(student).__name__}")


def _values(structure: DistillationOptions) -> dict[str, Any]:
    """The options that a structure holds by value."""
    found: dict[str, Any] = {}
    for name in Options.__annotations__:
        value = getattr(structure, name, None)
        if isinstance(value, bytes):
            found[name] = value.decode(errors="replace")
        elif isinstance(value, int | float):
            found[name] = value
    return found


def _log(_: None, level: int, text: bytes) -> None:
    logger, message = logging.getLogger("dafl"), text.decode(errors="replace")
    if level == WARNING and not _is_heard(logger):
        # Who has set up no log must not miss that what comes out may be worth little.
        warnings.warn(message, stacklevel=2)
    logger.log(LOG_LEVELS.get(level, logging.WARNING), "%s", message)


def _is_heard(logger: logging.Logger) -> bool:
    """Whether anybody has set up a handler for what a logger says."""
    handlers = [*logger.handlers, *logging.getLogger().handlers]
    return any(not isinstance(handler, logging.NullHandler) for handler in handlers)
