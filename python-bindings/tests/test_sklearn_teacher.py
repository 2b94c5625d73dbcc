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


def test_several_outputs_and_one_class_are_refused():
    ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn is not installed")
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.multioutput import MultiOutputClassifier
    rows, both = np.random.default_rng(0).standard_normal((60, 8)), np.random.default_rng(1).integers(0, 2, (60, 2))
    for estimator in (ensemble.RandomForestClassifier(2), MultiOutputClassifier(LogisticRegression()),
                      OneVsRestClassifier(LogisticRegression())):
        estimator.fit(rows, both)
        with pytest.raises(ValueError, match="several outputs"):
            dafl.sklearn.Teacher(estimator)
    with pytest.raises(ValueError, match="one class only: 3"):
        dafl.sklearn.Teacher(ensemble.RandomForestClassifier(2).fit(rows, np.full(60, 3)))

    class Listing(Nearest):
        def predict_proba(self, rows: np.ndarray) -> list:
            return [np.zeros((len(rows), 2))] * 3

    with pytest.raises(ValueError, match="list of 3"):
        dafl.sklearn.Teacher(Listing(), input_shape=(1, 8, 8))


def test_pipelines_take_raw_rows_and_what_only_decides_gives_labels():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from sklearn.linear_model import LogisticRegression, RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((200, 64)) * 40 + 100).astype(np.float32)
    names = np.array(["a", "b", "c", "d"])[rows[:, :4].argmax(1)]
    given = rows[:9].reshape(9, 64, 1, 1)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, names)
    teacher = dafl.sklearn.Teacher(pipeline, input_mean=100, input_deviation=40)
    teacher.settle()
    assert teacher.answers == "probabilities" and np.allclose(teacher.forward(given), pipeline.predict_proba(rows[:9]))
    for estimator in (LinearSVC(), RidgeClassifier(), make_pipeline(StandardScaler(), LinearSVC())):
        estimator.fit(rows, names)
        teacher = dafl.sklearn.Teacher(estimator)
        teacher.settle()
        assert (teacher.answers, teacher.input_shape, teacher.classes) == ("labels", (64, 1, 1), 4)
        assert (estimator.classes_[np.asarray(teacher.forward(given)).argmax(1)] == estimator.predict(rows[:9])).all()
        assert dafl.distill(teacher, **QUIET).last.step == 4


def test_an_estimator_that_does_not_say_its_features():
    class Silent(Nearest):
        n_features_in_ = None

    assert dafl.sklearn.Teacher(Silent(), input_shape=(1, 8, 8)).classes == 4
    with pytest.raises(ValueError, match="input shape is not known"):
        dafl.sklearn.Teacher(Silent()).settle()


@pytest.mark.parametrize("package, name", [("lightgbm", "LGBMClassifier"), ("xgboost", "XGBClassifier")])
def test_classifiers_of_boosting_packages(package, name):
    module = pytest.importorskip(package, reason=f"{package} is not installed")
    rows = np.random.default_rng(0).standard_normal((200, 64)).astype(np.float32)
    estimator = getattr(module, name)(n_estimators=3, **{"verbose": -1} if package == "lightgbm" else {})
    estimator.fit(rows, rows[:, :4].argmax(1))
    teacher = dafl.sklearn.Teacher(estimator)
    assert dafl.distill(teacher, **QUIET).last.step == 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = estimator.predict_proba(rows[:5])
    assert np.allclose(teacher.forward(rows[:5].reshape(5, 64, 1, 1)), expected)


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
