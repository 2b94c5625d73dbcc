"""JAX functions as teachers."""

import numpy as np
import pytest

import dafl
from conftest import SMALL, NumPyTeacher

jax = pytest.importorskip("jax", reason="JAX is not installed")
import jax.numpy as jnp  # noqa: E402

QUIET = SMALL | {"progress": False}


@pytest.fixture
def both():
    """The same perceptron, of hidden 16, in NumPy and as functions of JAX: with features, and without."""
    reference = NumPyTeacher()

    def with_features(images):
        hidden = jnp.maximum(images.reshape(len(images), -1) @ reference.w1.T + reference.b1, 0)
        return hidden @ reference.w2.T + reference.b2, hidden

    return reference, with_features, lambda images: with_features(images)[0]


def test_answers_and_gradients_are_the_functions(both):
    reference, with_features, _ = both
    teacher = dafl.jax.Teacher(with_features, input_shape=(1, 8, 8))
    assert (teacher.classes, teacher.features) == (4, 16)
    images = np.random.default_rng(0).standard_normal((5, 1, 8, 8), np.float32)
    logits, features = teacher.forward(images)
    for given, expected in zip((logits, features), reference.forward(images), strict=True):
        assert np.allclose(given, expected, atol=1e-5)
    gradients = np.ones((5, 4), np.float32), np.ones((5, 16), np.float32)
    assert np.allclose(teacher.backward(images, *gradients), reference.backward(images, *gradients), atol=1e-5)


def test_half_precision(both):
    reference, _, without = both
    teacher = dafl.jax.Teacher(lambda images: without(images).astype(jnp.bfloat16), input_shape=(1, 8, 8))
    images = np.random.default_rng(0).standard_normal((5, 1, 8, 8), np.float32)
    gradient = teacher.backward(images, np.ones((5, 4), np.float32), None)
    expected = reference.backward(images, np.ones((5, 4), np.float32), np.zeros((5, 16), np.float32))
    assert np.allclose(gradient, expected, atol=1e-2)


def test_distils_with_features_and_without(both):
    _, with_features, without = both
    result = dafl.distill(dafl.jax.Teacher(with_features), input_shape=(1, 8, 8), **QUIET)
    assert result.last.activation_loss < 0
    result = dafl.distill(dafl.jax.Teacher(without), input_shape=(64, 1, 1), classes=4, **QUIET)
    assert result.last.activation_loss == 0


@pytest.mark.parametrize("wrap, features", [
    (lambda logits, hidden: {"logits": logits, "hidden": hidden}, 0), (lambda logits, hidden: [logits, hidden], 0),
    (lambda logits, hidden: (logits, hidden, hidden), 0), (lambda logits, hidden: (logits, None), 0),
    (lambda logits, hidden: (logits, hidden.reshape(-1, 4, 2, 2)), 16), (lambda logits, hidden: logits[:, :, None, None], 0)])
def test_outputs_of_all_kinds(both, wrap, features):
    reference, with_features, _ = both
    teacher = dafl.jax.Teacher(lambda images: wrap(*with_features(images)), input_shape=(1, 8, 8))
    assert (teacher.classes, teacher.features) == (4, features)
    images = np.random.default_rng(0).standard_normal((5, 1, 8, 8), np.float32)
    gradients = np.ones((5, 4), np.float32), np.full((5, 16), 2 if features else 0, np.float32)
    given = teacher.backward(images, gradients[0], gradients[1] if features else None)
    assert np.allclose(given, reference.backward(images, *gradients), atol=1e-5)
    assert dafl.distill(teacher, **QUIET).last.step == 4


def test_the_output_can_be_said_and_one_logit_will_do(both):
    reference, with_features, without = both
    images = np.random.default_rng(0).standard_normal((5, 1, 8, 8), np.float32)
    named = dafl.jax.Teacher(lambda images: dict(zip("hs", with_features(images)[::-1], strict=True)), output="s",
                             input_shape=(1, 8, 8))
    assert np.allclose(named.forward(images), reference.forward(images)[0], atol=1e-5)
    one = dafl.jax.Teacher(lambda images: without(images)[:, 0], input_shape=(1, 8, 8), classes=2)
    assert one.classes == 1 and np.allclose(one.forward(images)[:, 0], reference.forward(images)[0][:, 0], atol=1e-5)
    with pytest.raises(ValueError, match="whole numbers"):
        dafl.jax.Teacher(lambda images: without(images).argmax(1), input_shape=(1, 8, 8))
    labels = dafl.jax.Teacher(lambda images: jax.nn.one_hot(without(images).argmax(1), 4), answers="labels",
                              input_shape=(1, 8, 8))
    assert labels.backward is None
