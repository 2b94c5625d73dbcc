"""scikit-learn classifiers as teachers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._adapter import Adapter
from ._arrays import FloatArray


class Teacher(Adapter):
    """A fitted scikit-learn classifier as a teacher that only answers::

        teacher = dafl.sklearn.Teacher(RandomForestClassifier().fit(x, y), input_shape=(1, 8, 8))

    The estimator takes rows [count, features_in] and answers with `predict_proba`, or where it has none with `predict`.
    Class k of the student is `estimator.classes_[k]`. `input_shape` is how a row is an image: (channels, height, width)
    with channels * height * width = features_in; left out, rows are vectors, (features_in, 1, 1).

    Anything with `predict_proba` or `predict`, `classes_` and `n_features_in_` will do. ValueError when the sizes do not
    fit; TypeError for an estimator that is not a fitted classifier.
    """

    def __init__(self, estimator: Any, *, input_shape: Sequence[int] | None = None, classes: int | None = None) -> None:
        if not hasattr(estimator, "classes_") or not hasattr(estimator, "predict"):
            raise TypeError(f"estimator must be a fitted classifier, not {type(estimator).__name__}")
        self._estimator = estimator
        gives_probabilities = hasattr(estimator, "predict_proba")
        super().__init__(self._probabilities if gives_probabilities else self._labels, input_shape=input_shape,
                         classes=classes, answers="probabilities" if gives_probabilities else "labels")

    def settle(self, input_shape: tuple[int, int, int] | None = None, classes: int | None = None) -> None:
        if input_shape is None and not self._is_settled:
            input_shape = (self._estimator.n_features_in_, 1, 1)
        super().settle(input_shape, classes)

    def _probabilities(self, images: FloatArray) -> Any:
        return self._ask(self._estimator.predict_proba, images)

    def _labels(self, images: FloatArray) -> Any:
        return np.asarray(self._ask(self._estimator.predict, images))[:, None] == np.asarray(self._estimator.classes_)[None, :]

    def _ask(self, method: Callable[[FloatArray], Any], images: FloatArray) -> Any:
        rows = images.reshape(len(images), -1)
        if not hasattr(self._estimator, "feature_names_in_"):
            return method(rows)
        with warnings.catch_warnings():
            # The estimator was fitted on a DataFrame, whose columns are a row's numbers, in their order.
            warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
            return method(rows)
