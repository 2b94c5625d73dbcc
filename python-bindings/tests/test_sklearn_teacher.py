"""scikit-learn's classifiers, and what behaves like them, as teachers."""

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
