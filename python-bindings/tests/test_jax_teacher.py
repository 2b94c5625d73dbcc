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
