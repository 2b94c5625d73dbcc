"""Whatever a callback does comes out as what it was, and the distillation goes on afterwards."""

import contextlib
import math
import os
import signal
import threading
import time

import numpy as np
import pytest

import dafl
from dafl import errors
from dafl._callbacks import Callbacks
from dafl._library import (Floats, ProgressFunction, TeacherBackwardFunction, TeacherForwardFunction,
                           TeacherRegularizerFunction, library)
from conftest import SMALL


class Once:
    """A callback that does something else on its first call after `arm`."""

    def __init__(self, usual, instead):
        self.usual, self.instead, self.armed = usual, instead, False

    def __call__(self, *arguments):
        if self.armed:
            self.armed = False
            return self.instead(*arguments)
        return self.usual(*arguments)


def armed_distillation(numpy_teacher, which, instead):
    """A distillation whose next forward, backward or regularizer does `instead`, once; creation may itself ask the teacher."""
    once = Once(getattr(numpy_teacher, which), instead)
    distillation = dafl.Distillation(numpy_teacher.teacher(**{which: once}), **SMALL)
    once.armed = True
    return distillation


def assert_goes_on(distillation):
    distillation.run()
    assert np.isfinite(distillation.student().state_dict()["fc1.weight"]).all()


@pytest.mark.parametrize("which", ["forward", "backward", "regularizer"])
@pytest.mark.parametrize("method", ["step", "run"])
@pytest.mark.parametrize("exception", [ZeroDivisionError("mine"), KeyboardInterrupt("mine"), SystemExit(3)])
def test_an_exception_comes_out_as_the_same_object(numpy_teacher, which, method, exception):
    def fail(*_):
        raise exception

    distillation = armed_distillation(numpy_teacher, which, fail)
    with pytest.raises(type(exception)) as raised:
        getattr(distillation, method)()
    assert raised.value is exception
    assert_goes_on(distillation)


@pytest.mark.parametrize("which", ["forward", "backward"])
def test_ctrl_c_inside_a_callback(numpy_teacher, which):
    def interrupt(*_):
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the signal was not handled inside the callback")

    distillation = armed_distillation(numpy_teacher, which, interrupt)
    with pytest.raises(KeyboardInterrupt):
        distillation.run()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert_goes_on(distillation)


def test_ctrl_c_is_not_lost_when_something_inside_drops_it(numpy_teacher):
    """As Python itself does while it collects garbage."""
    def interrupt(images):
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return numpy_teacher.forward(images)

    distillation = armed_distillation(numpy_teacher, "forward", interrupt)
    with pytest.raises(KeyboardInterrupt):
        distillation.run()
    assert_goes_on(distillation)


def test_ctrl_c_during_a_step_does_not_hide_that_it_was_done(numpy_teacher):
    """`on_step` hears of every step that counts, also of the one that the signal came in."""
    callbacks, seen = Callbacks(), []
    guarded = callbacks.guard(seen.append, is_heard_first=True)

    def library_at_work():
        signal.raise_signal(signal.SIGINT)
        return guarded("step")

    with pytest.raises(KeyboardInterrupt):
        callbacks.call(library_at_work)
    assert seen == ["step"]


def test_a_timeout_of_the_teachers_own_is_its_own_affair(numpy_teacher):
    def expire(*_):
        raise TimeoutError

    def retry(images):
        with contextlib.suppress(TimeoutError):
            signal.raise_signal(signal.SIGALRM)
        return numpy_teacher.forward(images)

    distillation = armed_distillation(numpy_teacher, "forward", retry)
    before = signal.signal(signal.SIGALRM, expire)
    try:
        distillation.run()
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # JAX's share in collecting garbage
def test_ctrl_c_at_any_moment_stops_within_one_step(numpy_teacher):
    """Most signals come while C is at work, where no `try` inside a callback can catch them."""
    for _ in range(5):
        distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL | {"steps": 5_000})
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            distillation.run()
        assert time.monotonic() - start < 5
        distillation.step()


@pytest.mark.parametrize("which, shape", [("forward", (16, 5)), ("backward", (16, 64)), ("regularizer", (16, 64))])
def test_a_wrong_shape_is_a_value_error(numpy_teacher, which, shape):
    def wrong(images, *_):
        zeros = np.zeros((len(images), *shape[1:]), np.float32)
        features = np.zeros((len(images), 16), np.float32)
        return {"forward": (zeros, features), "backward": zeros, "regularizer": (0, zeros)}[which]

    distillation = armed_distillation(numpy_teacher, which, wrong)
    with pytest.raises(ValueError, match=str(shape[1])):
        distillation.step()
    assert_goes_on(distillation)


def test_missing_features_are_a_value_error(numpy_teacher):
    distillation = armed_distillation(numpy_teacher, "forward", lambda images: np.zeros((len(images), 4), np.float32))
    with pytest.raises(ValueError, match="pair"):
        distillation.step()
    assert_goes_on(distillation)


@pytest.mark.parametrize("which", ["forward", "backward", "regularizer"])
def test_nan_is_the_teachers_error(numpy_teacher, which):
    def nan(images, *_):
        answer = getattr(numpy_teacher, which)(images, *_)
        {"forward": answer[0], "backward": answer, "regularizer": answer[1]}[which][0, 0] = math.nan
        return answer

    distillation = armed_distillation(numpy_teacher, which, nan)
    with pytest.raises(dafl.Error) as raised:
        distillation.step()
    assert raised.value.status == errors.TEACHER and raised.value.message
    assert_goes_on(distillation)


@pytest.mark.parametrize("field, kind", [("forward", TeacherForwardFunction), ("backward", TeacherBackwardFunction),
                                         ("regularizer", TeacherRegularizerFunction)])
@pytest.mark.parametrize("answer, status", [(0, errors.TEACHER), (42, 42), (-42, -42)])
def test_bare_callbacks(numpy_teacher, raw_distillation, field, kind, answer, status):
    """0 without writing anything is the teacher's error; any other number comes back unchanged."""
    teacher = numpy_teacher.teacher(regularizer=numpy_teacher.regularizer)
    once = Once(Callbacks().guard(getattr(teacher, f"_{field}")), lambda *_: answer)
    handle = raw_distillation(**{field: kind(once)})
    once.armed = True
    assert library.dafl_distillation_step(handle, None) == status
    assert status != errors.TEACHER or library.dafl_last_error()
    assert library.dafl_distillation_run(handle, ProgressFunction(), None) == errors.OK


@pytest.mark.parametrize("answers, gradients", [("logits", "auto"), ("probabilities", "auto"), ("labels", "auto"),
                                                ("logits", "differences"), ("probabilities", "differences")])
def test_a_teacher_that_only_answers(numpy_teacher, answers, gradients):
    def forward(images):
        logits = numpy_teacher.forward(images)[0]
        if answers == "labels":
            return np.eye(4, dtype=np.float32)[logits.argmax(1)]
        exponentials = np.exp(logits)
        return logits if answers == "logits" else exponentials / exponentials.sum(1, keepdims=True)

    teacher = dafl.Teacher(forward, input_shape=(1, 8, 8), classes=4, answers=answers)
    distillation = dafl.Distillation(teacher, **SMALL | {"steps": 200, "batch_size": 64, "replay_capacity": 20_000,
                                                   "gradients": gradients})
    losses = [distillation.step().distillation_loss for _ in range(200)]
    # At most 0.6 over twenty seeds, that of labels; a run is too chaotic for one step's loss to tell.
    assert np.mean(losses[-10:]) < 0.8 * losses[0]
    with pytest.raises(ValueError, match="answers"):
        dafl.Teacher(forward, input_shape=(1, 8, 8), classes=4, answers="guesses")


def test_differences_ask_once_for_each_direction(numpy_teacher):
    teacher = dafl.Teacher(numpy_teacher.forward, input_shape=(1, 8, 8), classes=4, features=16)
    distillation = dafl.Distillation(teacher, **SMALL, gradients="differences", difference_directions=5)
    before = distillation.progress.teacher_images
    assert distillation.step().teacher_images - before == (1 + 5 + SMALL["student_steps"]) * SMALL["batch_size"]
    labels = dafl.Teacher(lambda images: numpy_teacher.forward(images)[0], input_shape=(1, 8, 8), classes=4, answers="labels")
    with pytest.raises(dafl.Error, match="gradients.*labels") as raised:
        dafl.Distillation(labels, **SMALL, gradients="differences")
    assert raised.value.status == errors.INVALID_ARGUMENT


def test_probabilities_are_the_logits_they_come_from(numpy_teacher):
    """The softmax loses a constant only, so the student learns the same either way."""
    def softmax(images):
        exponentials = np.exp(numpy_teacher.forward(images)[0].astype(np.float64))
        return (exponentials / exponentials.sum(1, keepdims=True)).astype(np.float32)

    losses = []
    for forward, answers in ((lambda images: numpy_teacher.forward(images)[0], "logits"), (softmax, "probabilities")):
        teacher = dafl.Teacher(forward, input_shape=(1, 8, 8), classes=4, answers=answers)
        distillation = dafl.Distillation(teacher, **SMALL)
        losses.append([distillation.step().distillation_loss for _ in range(2)])
    assert np.allclose(*losses, rtol=1e-3)


def test_a_wrong_gradient_is_refused_with_numbers(numpy_teacher):
    teacher = numpy_teacher.teacher(backward=lambda *arguments: -2 * numpy_teacher.backward(*arguments))
    with pytest.raises(dafl.Error, match=r"\d") as raised:
        dafl.Distillation(teacher, **SMALL).step()
    assert raised.value.status == errors.TEACHER


def test_returning_false_stops_and_another_run_goes_on(numpy_teacher):
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL)
    seen = []
    distillation.run(lambda progress: seen.append(progress.step) or progress.step < 2)
    assert seen == [1, 2]
    distillation.run(lambda progress: seen.append(progress.step))
    assert seen == [1, 2, 3, 4]


def test_on_step_that_raises(numpy_teacher):
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL)
    exception = LookupError("mine")

    def fail(progress):
        raise exception

    with pytest.raises(LookupError) as raised:
        distillation.run(fail)
    assert raised.value is exception
    assert_goes_on(distillation)


def test_cancel_from_on_step(numpy_teacher):
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL)
    with pytest.raises(dafl.Cancelled):
        distillation.run(lambda progress: distillation.cancel())
    assert_goes_on(distillation)


def test_cancel_from_another_thread(numpy_teacher):
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL | {"steps": 5_000})
    threading.Timer(0.1, distillation.cancel).start()
    with pytest.raises(dafl.Cancelled) as raised:
        distillation.run()
    assert raised.value.status == errors.CANCELLED
    distillation.step()


def test_a_callback_that_uses_its_own_distillation_is_told_it_is_busy(numpy_teacher):
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL)
    with pytest.raises(dafl.Error) as raised:
        distillation.run(lambda progress: distillation.step())
    assert raised.value.status == errors.BUSY
    assert_goes_on(distillation)


def test_inputs_are_read_only_views_of_the_callers_memory(numpy_teacher):
    seen = []

    def forward(images):
        seen.append((images.ctypes.data, images.flags.writeable, images.flags.owndata, images.copy()))
        with pytest.raises(ValueError):
            images[0] = 0
        return numpy_teacher.forward(images)

    structure = numpy_teacher.teacher(forward=forward)._structure(Callbacks())
    images = np.arange(128, dtype=np.float32).reshape(2, 1, 8, 8)
    logits, features = np.full((2, 4), np.nan, np.float32), np.full((2, 16), np.nan, np.float32)
    assert structure.forward(None, 2, *(values.ctypes.data_as(Floats) for values in (images, logits, features))) == 0
    address, writeable, owndata, values = seen[0]
    assert (address, writeable, owndata) == (images.ctypes.data, False, False)
    assert (values == images).all()
    assert np.allclose(logits, numpy_teacher.forward(images)[0]) and np.isfinite(features).all()


def test_without_features_there_is_no_gradient_for_them(numpy_teacher):
    def backward(images, logits_gradient, features_gradient):
        assert features_gradient is None
        return numpy_teacher.backward(images, logits_gradient, np.zeros((len(images), 16), np.float32))

    teacher = dafl.Teacher(lambda images: numpy_teacher.forward(images)[0], backward, input_shape=(1, 8, 8), classes=4)
    dafl.Distillation(teacher, **SMALL).run()


class Nest:
    """A library of one call, whose callback calls it again through the same `Callbacks`."""

    def __init__(self, outer, inner) -> None:
        self.callbacks = Callbacks()
        self.outer, self.inner = self.callbacks.guard(outer, is_heard_first=True), self.callbacks.guard(inner)

    def run(self, *, steps: int = 1, at_work=lambda: None) -> int:
        def library_at_work() -> int:
            at_work()
            return next((status for _ in range(steps) if (status := self.outer())), 0)

        return self.callbacks.call(library_at_work)

    def generate(self, at_work=lambda: None) -> int:
        def library_at_work() -> int:
            at_work()
            return self.inner()

        return self.callbacks.call(library_at_work)


@pytest.mark.parametrize("exception", [LookupError("mine"), KeyboardInterrupt("mine")])
def test_what_is_raised_within_a_call_in_a_callback_comes_out_of_that_call(exception):
    seen = []

    def fail():
        raise exception

    def look():
        try:
            nest.generate()
        except type(exception) as raised:
            seen.append(raised)

    nest = Nest(look, fail)
    assert nest.run(steps=3) == 0 and seen == [exception] * 3
    nest = Nest(lambda: nest.generate(), fail)
    with pytest.raises(type(exception)) as raised:
        nest.run()
    assert raised.value is exception


def test_a_call_in_a_callback_does_not_clear_what_the_outer_one_keeps():
    """An interrupt that something dropped is raised again, whatever was called in between."""
    def interrupted():
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        nest.generate()

    nest = Nest(interrupted, lambda: 0)
    with pytest.raises(KeyboardInterrupt):
        nest.run()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_a_call_in_a_callback_is_at_work():
    """It is held until Python may raise it: in the inner callback, else when the inner call ends."""
    def interrupt():
        signal.raise_signal(signal.SIGINT)
        at_work.append("went on")

    at_work, caught = [], []

    def look():
        try:
            nest.generate(interrupt)
        except KeyboardInterrupt:
            caught.append("out of generate")
            raise

    nest = Nest(look, lambda: caught.append("the inner callback") or 0)
    with pytest.raises(KeyboardInterrupt):
        nest.run()
    assert at_work == ["went on"] and caught == ["out of generate"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def alone():
        nest.callbacks.call(lambda: interrupt() or 0)  # without any callback
        caught.append("not reached")

    nest = Nest(alone, lambda: 0)
    with pytest.raises(KeyboardInterrupt):
        nest.run()
    assert caught == ["out of generate"]


def test_ctrl_c_before_and_after_a_call_in_a_callback():
    def look():
        nest.generate()
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the signal was not handled inside the callback")

    nest = Nest(look, lambda: 0)
    with pytest.raises(KeyboardInterrupt):
        nest.run()
    heard = []
    nest = Nest(lambda: heard.append("step") or nest.generate(), lambda: heard.append("inside"))
    with pytest.raises(KeyboardInterrupt):
        nest.run(at_work=lambda: signal.raise_signal(signal.SIGINT))
    assert heard[0] == "step"


def test_calls_in_callbacks_on_another_thread():
    seen = []
    nest = Nest(lambda: seen.append(nest.generate()), lambda: 7)
    thread = threading.Thread(target=lambda: nest.run(steps=2))
    thread.start()
    thread.join()
    assert seen == [7, 7]


def test_ctrl_c_while_on_step_generates(numpy_teacher):
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL | {"steps": 1_000_000})
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))

    def look(progress):
        distillation.generate(50)
        if progress.step == 3:
            timer.start()

    with pytest.raises(KeyboardInterrupt):
        distillation.run(look)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    distillation.step()
