"""The one call: what it answers, what it raises, and what is left after it was stopped."""

import copy
import os
import pickle
import signal
import threading

import numpy as np
import pytest

import dafl
from conftest import SMALL, NumPyTeacher, saved_bytes

QUIET = SMALL | {"progress": False}


def test_the_result_is_the_distillations(numpy_teacher, tmp_path):
    result = dafl.distill(numpy_teacher.teacher(), input_shape=(1, 8, 8), classes=4, seed=5, **QUIET)
    distillation = dafl.Distillation(numpy_teacher.teacher(), seed=5, **SMALL)
    distillation.run()
    assert saved_bytes(result.student, tmp_path / "one") == saved_bytes(distillation.student(), tmp_path / "other")
    images, logits = result.generate(7)
    assert images.shape == (7, 1, 8, 8) and logits.shape == (7, 4)
    assert result.seconds > 0 and result.queries == result.last.teacher_images + 7 > 7
    assert "4 of 4 steps" in repr(result)


def test_history_is_arrays_by_name(numpy_teacher):
    seen = []
    history = dafl.distill(numpy_teacher.teacher(), on_step=seen.append, **QUIET).history
    assert set(history) == set(dafl.Progress.__annotations__)
    assert history["step"].dtype == np.int64 and history["step"].tolist() == [1, 2, 3, 4]
    assert history["agreement"].dtype == np.float64
    assert history["distillation_loss"].tolist() == [progress.distillation_loss for progress in seen]


def test_networks_teach_too():
    result = dafl.distill(dafl.Network("mlp-64-16-4"), input_shape=(64, 1, 1), **QUIET)
    assert result.last.step == 4


@pytest.mark.parametrize("teacher", [NumPyTeacher().teacher(), dafl.Network("mlp-64-16-4")])
@pytest.mark.parametrize("sizes, message", [({"input_shape": (1, 8, 9)}, "input_shape"), ({"classes": 5}, "4 classes, not 5"),
                                            ({"input_shape": (8, 8)}, "channels, height, width")])
def test_sizes_that_are_not_the_teachers_are_refused(teacher, sizes, message):
    with pytest.raises(ValueError, match=message):
        dafl.distill(teacher, **sizes, **QUIET)


@pytest.mark.parametrize("kind", [bool, np.bool_])
def test_on_step_ends_the_run_and_resume_goes_on(numpy_teacher, kind):
    result = dafl.distill(numpy_teacher.teacher(), on_step=lambda progress: kind(progress.step < 2), **QUIET)
    assert result.history["step"].tolist() == [1, 2]
    student = result.student
    assert result.student is student
    result.resume(progress=False)
    assert result.history["step"].tolist() == [1, 2, 3, 4] and result.student is not student


def test_on_step_may_be_told_the_result(numpy_teacher):
    seen = []

    def on_step(progress, result):
        assert isinstance(result, dafl.Result) and result.last is progress
        seen.append((progress.step, len(result.history["step"])))

    result = dafl.distill(numpy_teacher.teacher(), on_step=on_step, **QUIET)
    assert seen == [(1, 1), (2, 2), (3, 3), (4, 4)] and result.last.step == 4


@pytest.mark.parametrize("listener", [
    lambda seen: seen.append, lambda seen: lambda progress, seen=seen: seen.append(progress),
    lambda seen: lambda *arguments: seen.extend(arguments), lambda seen: lambda progress, *, extra=1: seen.append(progress)])
def test_who_does_not_ask_for_the_result_is_told_progress_alone(numpy_teacher, listener):
    seen = []
    dafl.distill(numpy_teacher.teacher(), on_step=listener(seen), **QUIET)
    assert [progress.step for progress in seen] == [1, 2, 3, 4]


def test_on_step_may_look_at_student_images_and_progress(numpy_teacher):
    students = []

    def on_step(progress, result):
        images, logits = result.generate(3)
        assert np.allclose(logits, numpy_teacher.forward(images)[0], atol=1e-5)
        assert result.queries == progress.teacher_images + 3
        assert result.distillation.generator().info.outputs == 64 and result.student is result.student
        students.append(result.student)

    result = dafl.distill(numpy_teacher.teacher(), on_step=on_step, **QUIET)
    assert result.last.step == 4 and len({id(student) for student in students}) == 4


@pytest.mark.parametrize("exception", [LookupError("mine"), KeyboardInterrupt("mine")])
def test_what_the_teacher_raises_within_on_step_comes_out_of_generate(numpy_teacher, exception):
    caught, armed = [], []

    def forward(images):
        if armed:
            armed.clear()
            raise exception
        return numpy_teacher.forward(images)

    def on_step(progress, result):
        armed.append(True)
        try:
            result.generate(3)
        except type(exception) as raised:
            caught.append(raised)
        result.generate(3)

    result = dafl.distill(numpy_teacher.teacher(forward), on_step=on_step, **QUIET)
    assert caught == [exception] * 4 and result.last.step == 4
    with pytest.raises(type(exception)) as raised:
        dafl.distill(numpy_teacher.teacher(forward), **QUIET,
                     on_step=lambda progress, result: armed.append(True) or result.generate(3))
    assert raised.value is exception
    assert dafl.Result.so_far(exception).last.step == 1


def test_any_exception_leaves_the_result_so_far(numpy_teacher):
    exception = LookupError("mine")

    def fail(progress):
        if progress.step == 3:
            raise exception

    with pytest.raises(LookupError) as raised:
        dafl.distill(numpy_teacher.teacher(), on_step=fail, **QUIET)
    assert raised.value is exception
    result = dafl.Result.so_far(exception)
    assert result.history["step"].tolist() == [1, 2, 3]
    result.resume(progress=False)
    assert result.last.step == 4 and np.isfinite(result.student.state_dict()["fc1.weight"]).all()


def test_an_exception_goes_to_another_process_without_its_result(numpy_teacher):
    def fail(progress):
        raise LookupError("mine")

    with pytest.raises(LookupError) as raised:
        dafl.distill(numpy_teacher.teacher(), on_step=fail, **QUIET)
    there = pickle.loads(pickle.dumps(raised.value))
    assert isinstance(there, LookupError) and str(there) == str(raised.value)
    with pytest.raises(ValueError, match="had begun"):
        dafl.Result.so_far(there)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_results_are_not_copied(numpy_teacher, copied):
    result = dafl.distill(numpy_teacher.teacher(), **QUIET)
    with pytest.raises(TypeError, match="copied or pickled"):
        copied(result)


def test_queries_are_what_was_asked(numpy_teacher):
    teacher, asked = numpy_teacher.metered()
    for budget in range(20, 120, 10):
        asked.clear()
        result = dafl.distill(teacher, max_teacher_queries=budget, **QUIET)
        assert result.queries == sum(asked) <= budget
    seen = []
    result.resume(progress=False)
    result = dafl.distill(teacher, **QUIET, on_step=lambda progress: False)
    result.resume(progress=False, on_step=lambda progress: seen.append((result.queries, progress.teacher_images, repr(result))))
    assert len(seen) == 3 and all(queries == told for queries, told, _ in seen)


def test_images_are_there_when_the_queries_are_spent():
    result = dafl.distill(dafl.Network("mlp-64-16-4"), max_teacher_queries=40, **QUIET)
    assert result.last.step < 4
    with pytest.raises(dafl.QueriesSpent):
        result.generate(100)
    images, logits = result.generate(100, logits=False)
    assert images.shape == (100, 64, 1, 1) and logits is None


def test_what_came_from_elsewhere_has_no_result():
    with pytest.raises(ValueError, match="had begun"):
        dafl.Result.so_far(KeyboardInterrupt())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # JAX's share in collecting garbage
def test_ctrl_c_stops_within_a_step_and_leaves_the_result(numpy_teacher):
    seen, seen_when_sent = [], []

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        seen_when_sent.append(seen[-1])

    timer = threading.Timer(0.05, interrupt)

    def on_step(progress: dafl.Progress) -> None:
        seen.append(progress.step)
        if progress.step == 5:
            timer.start()

    with pytest.raises(KeyboardInterrupt) as raised:
        dafl.distill(numpy_teacher.teacher(), on_step=on_step, **QUIET | {"steps": 1_000_000})
    timer.join()
    result = dafl.Result.so_far(raised.value)
    done = result.last.step
    assert done == len(result.history["step"]) and done <= seen_when_sent[0] + 2
    result.resume(progress=False, on_step=lambda progress: False)
    assert result.last.step == done + 1 and result.generate(3)[0].shape == (3, 1, 8, 8)


def test_two_in_two_threads_are_as_one_after_the_other(tmp_path):
    def distilled(name: str, seed: int) -> bytes:
        return saved_bytes(dafl.distill(NumPyTeacher().teacher(), seed=seed, **QUIET | {"steps": 20}).student, tmp_path / name)

    alone = {seed: distilled(f"alone-{seed}", seed) for seed in (1, 2)}
    together = {}
    threads = [threading.Thread(target=lambda seed=seed: together.update({seed: distilled(f"both-{seed}", seed)}))
               for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_the_end_is_logged(numpy_teacher, caplog):
    with caplog.at_level("INFO", logger="dafl"):
        dafl.distill(numpy_teacher.teacher(), **QUIET)
    assert "4 of 4 steps" in caplog.text


@pytest.mark.parametrize("student, generator", [("mlp-1024-16-10", "auto"), ("mlp-1024-16-10", "perceptron"),
                                                ("lenet5-half", "perceptron")])
def test_a_network_teaches_as_the_same_network_behind_a_callback(student, generator):
    """Also where one takes images and the other the vector of their pixels."""
    network = dafl.Network("lenet5", seed=1)
    callback = dafl.Teacher(lambda images: (network.predict(images), network.features(images)), input_shape=(1, 32, 32),
                            classes=10, features=120)
    losses = []
    for teacher in (network, callback):
        result = dafl.distill(teacher, student=student, steps=6, batch_size=32, student_steps=3, replay_capacity=640, threads=1,
                              progress=False, generator=generator, gradients="student")
        losses.append(result.history["distillation_loss"])
    assert np.allclose(*losses, rtol=1e-3)
