"""Which of the things that a model returns are its logits, whatever package it is of."""

import collections
import dataclasses

import numpy as np
import pytest

import dafl
from dafl._outputs import as_features, as_logits, logits_and_second
from conftest import SMALL

LOGITS, FEATURES = np.arange(8, dtype=np.float32).reshape(2, 4), np.ones((2, 3, 5), np.float32)
Scores = collections.namedtuple("Scores", "scores aux")
Named = collections.namedtuple("Named", "aux logits")


@dataclasses.dataclass
class Output:
    loss: object
    logits: object


@dataclasses.dataclass
class Unnamed:
    first: object
    second: object


@pytest.mark.parametrize("returned, has_second", [
    (LOGITS, False), ((LOGITS, FEATURES), True), ((LOGITS, None), False), ((LOGITS,), False),
    ((LOGITS, FEATURES, FEATURES), False),
    ([LOGITS, FEATURES], False), ({"logits": LOGITS, "loss": 3.0}, False), ({"a": FEATURES, "out": LOGITS}, False),
    ({"output": LOGITS, "x": FEATURES}, False), ({"scores": LOGITS}, False), ({"loss": None, "scores": LOGITS}, False),
    (Output(None, LOGITS), False), (Named(FEATURES, LOGITS), False), (Scores(LOGITS, FEATURES), True),
    (({"logits": LOGITS}, FEATURES), True), (Unnamed(LOGITS, None), False),
    (type("Anything", (), {"logits": LOGITS})(), False),
])
def test_the_logits_are_found(returned, has_second):
    logits, second = logits_and_second(returned)
    assert logits is LOGITS and (second is not None) == has_second


@pytest.mark.parametrize("returned, output", [
    ({"a": FEATURES, "b": LOGITS}, "b"), ({"a": FEATURES, "b": LOGITS}, 1), ([FEATURES, LOGITS], 1), ((FEATURES, LOGITS), -1),
    (Unnamed(FEATURES, LOGITS), "second"), (Unnamed(FEATURES, LOGITS), 1), (LOGITS, 0),
])
def test_the_output_can_be_said(returned, output):
    logits, second = logits_and_second(returned, output)
    assert logits is LOGITS and second is None


@pytest.mark.parametrize("returned, output, kind, words", [
    ({"a": LOGITS, "b": LOGITS}, None, ValueError, "a dictionary with 'a', 'b', of which none is called logits or out or output"),
    (Unnamed(LOGITS, LOGITS), None, ValueError, "Unnamed with first, second"),
    ((), None, ValueError, "an empty tuple"), ({}, None, TypeError, "a dictionary with nothing"),
    ("logits", None, TypeError, "returned str; taken is an array"), (None, None, TypeError, "NoneType"),
    ({"a": LOGITS}, "b", ValueError, "output='b' is none of what the teacher returned: a dictionary with 'a'"),
    ((LOGITS, LOGITS), 2, ValueError, "output=2 is none of what the teacher returned: a tuple of 2"),
    ({"a": "text"}, "a", TypeError, "no array"),
])
def test_what_is_no_output_is_one_sentence(returned, output, kind, words):
    with pytest.raises(kind, match=words):
        logits_and_second(returned, output)


@pytest.mark.parametrize("shape, count, expected", [
    ((2, 4), 2, (2, 4)), ((2, 1), 2, (2, 1)), ((2,), 2, (2, 1)), ((2, 4, 1, 1), 2, (2, 4)), ((4,), 1, (1, 4)), ((), 1, (1, 1)),
    ((1,), 1, (1, 1))])
def test_axes_that_were_lost_or_left_are_put_right(shape, count, expected):
    assert as_logits(np.zeros(shape, np.float32), count).shape == expected


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 2), (4,), ()])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"for 2 images must be \[2, n\]"):
        as_logits(np.zeros(shape, np.float32), 2)


def test_labels_are_no_logits():
    with pytest.raises(ValueError, match="whole numbers.*one-hot"):
        as_logits(np.zeros(2, np.int64), 2)


def test_features_are_flattened_and_what_is_none_is_left_out():
    assert as_features(FEATURES, 2).shape == (2, 15)
    wrong_shapes = np.zeros(2, np.float32), np.zeros((3, 3), np.float32)
    for other in (None, np.float32(3), np.zeros((2, 3), np.int64), {"a": 1}, *wrong_shapes):
        assert as_features(other, 2) is None


@pytest.mark.parametrize("wrap", [
    lambda logits, hidden: {"logits": logits}, lambda logits, hidden: [logits, hidden],
    lambda logits, hidden: (logits, hidden, hidden), lambda logits, hidden: (logits, None),
    lambda logits, hidden: logits.tolist(), lambda logits, hidden: list(logits), lambda logits, hidden: logits[:, :, None, None],
])
def test_functions_may_return_them_too(numpy_teacher, wrap):
    wrapped = dafl.Teacher(lambda images: wrap(*numpy_teacher.forward(images)), input_shape=(1, 8, 8), classes=4)
    plain = dafl.Teacher(lambda images: numpy_teacher.forward(images)[0], input_shape=(1, 8, 8), classes=4)
    (images, logits), (same, expected) = (dafl.Distillation(teacher, **SMALL).generate(3) for teacher in (wrapped, plain))
    assert np.array_equal(images, same) and np.array_equal(logits, expected)


def test_features_of_a_function_may_have_axes_of_their_own(numpy_teacher):
    def forward(images):
        logits, hidden = numpy_teacher.forward(images)
        return logits, hidden.reshape(-1, 4, 2, 2)

    losses = [dafl.Distillation(teacher, **SMALL).step().activation_loss
              for teacher in (numpy_teacher.teacher(forward), numpy_teacher.teacher())]
    assert losses[0] == losses[1] < 0


def test_half_precision_of_any_package(numpy_teacher):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    teacher = dafl.Teacher(lambda images: torch.tensor(numpy_teacher.forward(images)[0]).bfloat16(), input_shape=(1, 8, 8),
                           classes=4)
    images, logits = dafl.Distillation(teacher, **SMALL).generate(5)
    assert np.allclose(logits, numpy_teacher.forward(images)[0], rtol=0.01, atol=0.01)


@pytest.mark.parametrize("shape", [(5, 1), (5,)])
def test_one_logit_an_image_is_of_two_classes(shape):
    teacher = dafl.Teacher(lambda images: images.sum((1, 2, 3)).reshape(shape), input_shape=(1, 8, 8), classes=1)
    logits = np.empty((5, 1), np.float32)
    images = np.random.default_rng(0).standard_normal((5, 1, 8, 8), np.float32)
    teacher._forward(None, 5, images.ctypes.data_as(dafl._library.Floats), logits.ctypes.data_as(dafl._library.Floats), None)
    assert np.allclose(logits[:, 0], images.sum((1, 2, 3)))
    teacher.settle((1, 8, 8), 2)
    with pytest.raises(ValueError, match="1 classes, not 3"):
        teacher.settle((1, 8, 8), 3)


@pytest.mark.parametrize("answers", ["logits", "probabilities", "auto"])
def test_a_student_of_one_logit_has_two_outputs(answers):
    rng = np.random.default_rng(0)
    weights = rng.standard_normal(64).astype(np.float32)

    def forward(images):
        logit = images.reshape(-1, 64) @ weights
        return logit if answers == "logits" else 1 / (1 + np.exp(-logit))

    teacher = dafl.Teacher(forward, input_shape=(1, 8, 8), classes=1, answers=answers)
    result = dafl.distill(teacher, **SMALL | {"student": "mlp-64-16-2", "steps": 150, "batch_size": 64, "replay_capacity": 6400,
                                              "student_steps": 5}, progress=False)
    images = rng.standard_normal((1000, 64), np.float32)
    assert (result.student.predict(images).argmax(1) == (images @ weights > 0)).mean() > 0.7  # 0.80 by two logits
    given, logits = result.generate(300)
    expected = given.reshape(-1, 64) @ weights
    assert logits.shape == (300, 2)
    assert np.allclose((logits[:, 1] - logits[:, 0]).clip(-8, 8), expected.clip(-8, 8), atol=0.05)  # of probabilities near 1
