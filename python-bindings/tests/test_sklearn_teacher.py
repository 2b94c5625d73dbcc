"""scikit-learn's classifiers, and what behaves like them, as teachers."""

import warnings

import numpy as np
import pytest

import dafl
from conftest import SMALL

QUIET = SMALL | {"progress": False}


class Nearest:
    """A fitted classifier in scikit-learn's manner: the class of the nearest of four centres."""
    classes_ = np.array(["a", "b", "c", "d"])
    n_features_in_ = 64

    def predict(self, rows: np.ndarray) -> np.ndarray:
        centres = np.eye(4, 64)
        return self.classes_[((rows[:, None] - centres) ** 2).sum(2).argmin(1)]


def test_without_probabilities_it_answers_labels():
    teacher = dafl.sklearn.Teacher(Nearest(), input_shape=(1, 8, 8))
    assert (teacher.answers, teacher.classes, teacher.backward) == ("labels", 4, None)
    images = np.zeros((2, 1, 8, 8), np.float32)
    images[1, 0, 0, 2] = 1
    assert teacher.forward(images).argmax(1).tolist() == [0, 2]
    assert dafl.distill(teacher, **QUIET).last.step == 4


def test_rows_are_vectors_unless_told_otherwise():
    assert dafl.distill(dafl.sklearn.Teacher(Nearest()), **QUIET).generate(2)[0].shape == (2, 64, 1, 1)
    assert dafl.distill(dafl.sklearn.Teacher(Nearest()), input_shape=(1, 8, 8), **QUIET).generate(2)[0].shape == (2, 1, 8, 8)


def test_what_is_no_fitted_classifier_is_refused():
    with pytest.raises(TypeError, match="fitted classifier, not object"):
        dafl.sklearn.Teacher(object())


def test_a_forest_answers_probabilities():
    ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn is not installed")
    generator = np.random.default_rng(0)
    rows, labels = generator.standard_normal((200, 64)), generator.integers(0, 4, 200)
    forest = ensemble.RandomForestClassifier(5, random_state=0).fit(rows, labels)
    teacher = dafl.sklearn.Teacher(forest, input_shape=(1, 8, 8))
    assert teacher.answers == "probabilities"
    result = dafl.distill(teacher, **QUIET)
    images, _ = result.generate(5)
    assert np.allclose(teacher.forward(images), forest.predict_proba(images.reshape(5, 64)))


def test_names_of_columns_are_not_asked_for():
    class Named(Nearest):
        feature_names_in_ = np.array([f"pixel{i}" for i in range(64)], object)
        message = "X does not have valid feature names, but Named was fitted with feature names"

        def predict(self, rows: np.ndarray) -> np.ndarray:
            warnings.warn(self.message, UserWarning, stacklevel=2)
            return super().predict(rows)

    assert dafl.distill(dafl.sklearn.Teacher(Named()), **QUIET).last.step == 4
    Named.message = "something else"
    with pytest.raises(UserWarning, match="something else"):
        dafl.sklearn.Teacher(Named(), input_shape=(64, 1, 1))


def test_a_forest_fitted_with_names_does_not_warn():
    ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn is not installed")
    generator = np.random.default_rng(0)
    forest = ensemble.RandomForestClassifier(2).fit(generator.standard_normal((50, 64)), generator.integers(0, 4, 50))
    forest.feature_names_in_ = np.array([f"pixel{i}" for i in range(64)], object)  # as a DataFrame leaves them
    with pytest.warns(UserWarning, match="valid feature names"):
        forest.predict_proba(np.zeros((1, 64)))
    dafl.sklearn.Teacher(forest, input_shape=(64, 1, 1)).forward(np.zeros((1, 64, 1, 1), np.float32))
