"""Distillations through the package: options, results, reproducibility, threads."""

import copy
import logging
import math
import pickle
import threading
import typing

import numpy as np
import pytest

import dafl
from dafl import errors
from dafl._library import DistillationOptions, initialised
from conftest import SMALL, NumPyTeacher, saved_bytes


def student_bytes(path, **options) -> bytes:
    distillation = dafl.Distillation(NumPyTeacher().teacher(), **SMALL | options)
    distillation.run()
    return saved_bytes(distillation.student(), path)


def test_progress_counts_steps_and_the_teachers_work(numpy_teacher):
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL)
    numpy_teacher.calls = 0
    first, second = distillation.step(), distillation.step()
    assert (first.step, second.step, second.steps) == (1, 2, 4)
    assert 1 <= first.effective_classes <= 4
    assert second.teacher_images > first.teacher_images > 0 and second.teacher_calls > first.teacher_calls > 0
    assert np.isfinite([first.generator_loss, first.distillation_loss, first.images_per_second]).all()
    losses = first.one_hot_loss, first.activation_loss, first.entropy_loss
    assert first.generator_loss == pytest.approx(np.dot(preset_weights(), losses), rel=1e-4)


def preset_weights() -> tuple[float, float, float]:
    options = initialised(DistillationOptions, "dafl_distillation_options_init")
    return options.one_hot_weight, options.activation_weight, options.entropy_weight


def test_generate_answers_images_and_the_teachers_logits(numpy_teacher):
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL)
    distillation.run()
    images, logits = distillation.generate(7)
    assert images.shape == (7, 1, 8, 8) and logits.shape == (7, 4)
    assert np.allclose(logits, numpy_teacher.forward(images)[0], atol=1e-5)


def test_generate_without_asking(numpy_teacher):
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL)
    distillation.step()
    numpy_teacher.calls = 0
    images, logits = distillation.generate(7, logits=False)
    assert images.shape == (7, 1, 8, 8) and images.any() and logits is None and numpy_teacher.calls == 0
    with pytest.raises(ValueError, match="at least 1, not -1"):
        distillation.generate(-1)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_distillations_are_not_copied(copied):
    distillation = dafl.Distillation(dafl.Network("mlp-64-16-4"), **SMALL)
    with pytest.raises(TypeError, match="copied or pickled"):
        copied(distillation)


def test_agreement_is_of_every_step_and_the_mean_of_the_last_sixteen(numpy_teacher):
    agreements = []
    dafl.Distillation(numpy_teacher.teacher(), **SMALL | {"steps": 16}).run(
        lambda progress: agreements.append(progress.agreement))
    measured = np.diff(np.arange(17) * [0, *agreements])
    assert np.allclose(measured * SMALL["batch_size"], np.round(measured * SMALL["batch_size"]))
    assert len(set(measured)) > 1


def test_progress_tells_what_was_asked_also_in_a_step_that_failed(numpy_teacher):
    teacher, asked = numpy_teacher.metered()
    forward = teacher.forward
    distillation = dafl.Distillation(teacher, **SMALL)
    assert (distillation.progress.step, distillation.progress.teacher_images) == (0, sum(asked))
    asked.clear()
    examined = distillation.progress.teacher_images
    assert repr(distillation.step()) == repr(distillation.progress)  # where what is NaN equals itself
    teacher.forward = lambda images: forward(images) if len(asked) < 5 else 1 / 0
    with pytest.raises(ZeroDivisionError):
        distillation.run()
    assert (distillation.progress.step, len(asked)) == (1, 5)
    assert sum(asked) <= distillation.progress.teacher_images - examined <= sum(asked) + SMALL["batch_size"]
    with pytest.raises(dafl.Busy):
        teacher.forward = lambda images: distillation.progress
        distillation.step()


def test_student_and_generator_are_networks(numpy_teacher):
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL)
    before = distillation.student()
    distillation.run()
    assert before.info.architecture.startswith("mlp-64-8-4")
    assert not np.array_equal(before.state_dict()["fc1.weight"], distillation.student().state_dict()["fc1.weight"])
    assert distillation.generator().info.architecture.startswith("dafl-generator")


def test_the_same_seed_and_threads_give_the_same_bytes(tmp_path):
    first = student_bytes(tmp_path / "first", seed=5)
    assert first == student_bytes(tmp_path / "second", seed=5)
    assert first != student_bytes(tmp_path / "third", seed=6)


def test_two_distillations_in_two_threads_do_not_meet(tmp_path):
    alone = {seed: student_bytes(tmp_path / str(seed), seed=seed, steps=20) for seed in (1, 2)}
    together = {}
    threads = [threading.Thread(target=lambda seed=seed: together.update(
        {seed: student_bytes(tmp_path / f"together-{seed}", seed=seed, steps=20)})) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_a_distillation_in_use_is_busy_for_another_thread(numpy_teacher):
    inside, leave = threading.Event(), threading.Event()

    def wait(progress):
        inside.set()
        leave.wait(10)

    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL)
    thread = threading.Thread(target=distillation.run, args=(wait,))
    thread.start()
    assert inside.wait(10)
    with pytest.raises(dafl.Error) as raised:
        distillation.step()
    leave.set()
    thread.join()
    assert raised.value.status == errors.BUSY


def test_every_option_of_the_header_has_its_keyword():
    fields = {name for name, _ in DistillationOptions._fields_} - {"struct_size", "log", "log_user_data", "all_reduce_user_data"}
    fields -= {"image_count", "metadata_groups", "input_count"}  # the arrays tell
    fields.remove("student_network")  # a network is a student
    assert fields == set(dafl.Options.__annotations__) - {"input_range"}


@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_options_can_be_read_back(numpy_teacher, preset):
    given = SMALL | {"entropy_weight": 3.0, "gradients": "teacher", "seed": 2**64 - 1}
    distillation = dafl.Distillation(numpy_teacher.teacher(), preset, **given)
    options = distillation.options
    assert options.items() >= given.items()
    by_value = {name for name, kind in typing.get_type_hints(dafl.Options).items() if kind in (str, int, float)}
    assert set(options) == by_value | {"student"}
    assert all(type(value) in (str, int, float) for value in options.values())
    rest = dafl.Distillation(numpy_teacher.teacher(), preset, student="mlp-64-4").options
    assert rest["image_source"] == ("generator" if preset == "paper" else "auto")
    assert (rest["replay_capacity"] == 0) == (preset == "paper")
    options["steps"] = 0
    assert distillation.options["steps"] == SMALL["steps"]


def test_options_read_back_make_the_same_distillation(tmp_path):
    first = dafl.Distillation(NumPyTeacher().teacher(), **SMALL, seed=5)
    second = dafl.Distillation(NumPyTeacher().teacher(), "paper", **first.options)
    assert first.options == second.options
    first.run()
    second.run()
    assert saved_bytes(first.student(), tmp_path / "first") == saved_bytes(second.student(), tmp_path / "second")


@pytest.mark.parametrize("options, kind, message", [
    ({"step": 3}, TypeError, "unknown option 'step'"),
    ({"struct_size": 3}, TypeError, "struct_size"),
    ({"steps": 1.5}, TypeError, "steps"),
    ({"student": 3}, TypeError, "student"),
    ({"steps": 2**63}, ValueError, "64-bit"),
    ({"seed": -1}, ValueError, "64-bit"),
    ({"student": "lenet5\0"}, ValueError, "NUL"),
    ({"preset": "slow"}, dafl.Error, "slow"),
    ({"student": "resnet-1000"}, dafl.Error, "resnet-1000"),
    ({"batch_size": 0}, dafl.Error, "batch_size"),
    ({"temperature": float("nan")}, dafl.Error, "temperature"),
    ({"image_source": "camera"}, dafl.Error, "camera"),
    ({"generator": "transformer"}, dafl.Error, "transformer"),
])
def test_wrong_options_are_named(numpy_teacher, options, kind, message):
    with pytest.raises(kind, match=message):
        dafl.Distillation(numpy_teacher.teacher(), **SMALL | options)


@pytest.mark.parametrize("shape, generator, name", [
    ((3, 10, 6), "auto", "dafl-generator"),
    ((13, 1, 1), "auto", "dafl-vector-generator"),
    ((784, 1, 1), "auto", "dafl-generator"),
    ((784, 1, 1), "perceptron", "dafl-vector-generator"),
    ((36, 1, 1), "convolution", "dafl-generator"),
])
def test_images_and_vectors_of_any_size(shape, generator, name):
    count = int(np.prod(shape))
    teacher = dafl.Teacher(lambda images: images.reshape(len(images), count)[:, :3], input_shape=shape, classes=3)
    distillation = dafl.Distillation(teacher, **SMALL | {"student": f"mlp-{count}-8-3", "generator": generator})
    distillation.run()
    assert distillation.generator().info.architecture.startswith(name + "(")
    assert np.isfinite(distillation.generate(5)[0]).all()


def test_no_convolution_makes_a_vector_that_is_no_square():
    teacher = dafl.Teacher(lambda images: images.reshape(len(images), 13)[:, :3], input_shape=(13, 1, 1), classes=3)
    with pytest.raises(dafl.Error, match="perceptron") as raised:
        dafl.Distillation(teacher, **SMALL | {"student": "mlp-13-3", "generator": "convolution"})
    assert raised.value.status == errors.UNSUPPORTED


@pytest.mark.parametrize("source", ["noise", "procedural"])
def test_images_that_are_not_learned_train_a_student(numpy_teacher, source):
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL | {"image_source": source})
    distillation.run()
    images, _ = distillation.generate(5)
    assert images.shape == (5, 1, 8, 8) and np.isfinite(images).all()
    assert np.isfinite(distillation.student().state_dict()["fc1.weight"]).all()


def test_the_librarys_log_goes_to_the_logger(numpy_teacher, caplog):
    """A teacher that names one class only is worth a warning about a collapsed generator."""
    def one_class(images):
        logits, features = numpy_teacher.forward(images)
        return logits * 0 + np.float32([9, 0, 0, 0]), features

    def backward(images, logits_gradient, features_gradient):
        return numpy_teacher.backward(images, logits_gradient * 0, features_gradient)

    with caplog.at_level(logging.DEBUG, logger="dafl"):
        dafl.Distillation(numpy_teacher.teacher(one_class, backward), **SMALL | {"steps": 50}).run()
    assert any(record.name == "dafl" for record in caplog.records)


def test_the_teacher_is_a_teacher():
    with pytest.raises(TypeError, match="dafl.Teacher"):
        dafl.Distillation(lambda images: images)  # type: ignore[arg-type]


def test_labelled_images_take_the_generators_place(numpy_teacher):
    images = np.random.default_rng(0).normal(size=(64, 1, 8, 8)).astype(np.float32)
    labels = numpy_teacher.network.predict(images).argmax(1)
    distillation = dafl.Distillation(
        numpy_teacher.teacher(), student="mlp-64-32-4", threads=1, image_source="data", images=images, labels=labels,
        label_weight=0.5, batch_size=32, replay_capacity=0, student_steps=1, steps=200, student_learning_rate=0.01)
    distillation.run()
    assert distillation.student().evaluate(images, labels) > 0.9
    shown, _ = distillation.generate(5)
    assert all((images == image).all((1, 2, 3)).any() for image in shown)


def test_images_and_labels_must_fit(numpy_teacher):
    def create(**options: object) -> None:
        dafl.Distillation(numpy_teacher.network, **SMALL | {"image_source": "data"}, **options)

    images = np.zeros((20, 1, 8, 8), np.float32)
    with pytest.raises(dafl.Error, match="images"):
        create()
    with pytest.raises(ValueError, match="images"):
        create(images=images[:, :, :7])
    with pytest.raises(ValueError, match="give images too"):
        create(labels=[0])
    with pytest.raises(ValueError, match="labels"):
        create(images=images, labels=np.zeros(19, int))
    with pytest.raises(dafl.Error, match=r"labels\[3\]"):
        create(images=images, labels=np.arange(20) + 1)
    with pytest.raises(TypeError, match="image_count"):
        create(images=images, image_count=21)


def test_metadata_and_features(numpy_teacher):
    images = np.random.default_rng(0).normal(size=(50, 1, 8, 8)).astype(np.float32)
    features = numpy_teacher.network.features(images)
    assert np.allclose(features, numpy_teacher.forward(images)[1], atol=1e-5)
    small = SMALL | {"image_source": "metadata", "metadata_steps": 5}
    metadata = {"metadata_means": features.mean(0, keepdims=True), "metadata_deviations": features.std(0, keepdims=True)}
    distillation = dafl.Distillation(numpy_teacher.teacher(), **small, **metadata)
    distillation.run()
    with pytest.raises(ValueError, match="same shape"):
        dafl.Distillation(numpy_teacher.teacher(), **small, **metadata | {"metadata_deviations": np.ones((2, 16))})


def test_features_of_a_network_without_any():
    with pytest.raises(dafl.Error, match="no features"):
        dafl.Network("mlp-8-2").features(np.zeros((1, 8), np.float32))


def test_the_default_draws_first_and_then_generates(numpy_teacher):
    """Both kinds of images, by a teacher that is called back."""
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL | {"image_source": "auto", "steps": 46})
    with pytest.raises(dafl.Error, match="no generator has made images"):
        distillation.generator()
    drawn = distillation.step()
    assert math.isnan(drawn.holdout_agreement) and drawn.teacher_images >= 16 * 18
    distillation.run()
    last = distillation.progress
    assert 0 <= last.holdout_agreement <= 1 and last.step == 46
    assert distillation.generator().info.input_shape == (8, 1, 1)
    assert distillation.generate(5)[0].shape == (5, 1, 8, 8)


def test_a_strange_student_is_told(numpy_teacher, caplog):
    """Also where the queries ended the run."""
    for rest in ({}, {"max_teacher_queries": 30_000}):
        caplog.clear()
        with caplog.at_level("WARNING", logger="dafl"):
            options = SMALL | {"steps": 10**6 if rest else 4, "seed": 1, "student_learning_rate": 0.0} | rest
            distillation = dafl.Distillation(numpy_teacher.teacher(), **options)
            distillation.run()
        assert distillation.progress.holdout_agreement < 0.4
        assert len([line for line in caplog.messages if "nobody learned from" in line]) == 1
