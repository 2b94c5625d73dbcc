"""scikit-learn classifiers as teachers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._adapter import Adapter
from ._arrays import FloatArray
from ._units import InputUnits

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Teacher(Adapter):
    """A fitted scikit-learn classifier as a teacher that is only queried::

        teacher = dafl.sklearn.Teacher(RandomForestClassifier().fit(x, y), input_mean=x.mean(0), input_deviation=x.std(0))

    The estimator takes rows [count, features_in] and returns `predict_proba`, or where it has none `predict`, also where it
    has a `decision_function`. Class k of the student is `estimator.classes_[k]`. `input_shape` is how a row is an image:
    (channels, height, width) with channels * height * width = features_in; left out, rows are vectors, (features_in, 1, 1).

    Rows have about mean 0 and deviation 1, unless `input_mean` and `input_deviation` or `input_range` say the units of the rows
    that the estimator was fitted on, a number or one for each feature: see `dafl.InputUnits`. Most classifiers of rows want that.
    A pipeline that begins with a StandardScaler knows it from there, which the log tells. `answers="labels"` leaves
    probabilities out of it.

    Anything with `predict_proba` or `predict`, `classes_` and `n_features_in_` will do, so do the classifiers of XGBoost and
    LightGBM. ValueError when the sizes do not fit, and for an estimator of several outputs or of one class; TypeError for an
    estimator that is not a fitted classifier.
    """

    def __init__(self, estimator: Any, *, input_shape: Sequence[int] | None = None, classes: int | None = None,
                 answers: str | None = None, **input_units: Unpack[InputUnits]) -> None:
        if not hasattr(estimator, "classes_") or not hasattr(estimator, "predict"):
            raise TypeError(f"estimator must be a fitted classifier, not {type(estimator).__name__}")
        if isinstance(estimator.classes_, list) or getattr(estimator, "multilabel_", False):
            raise ValueError(f"the {type(estimator).__name__} has several outputs, a teacher one: teach them one at a time, as "
                             "classifiers of their own")
        if len(estimator.classes_) < 2:
            raise ValueError(f"the {type(estimator).__name__} knows one class only: {estimator.classes_[0]}")
        self._estimator = estimator
        gives_probabilities = hasattr(estimator, "predict_proba")
        answers = answers or ("probabilities" if gives_probabilities else "labels")
        if answers not in ("probabilities", "labels") or answers == "probabilities" and not gives_probabilities:
            raise ValueError(f"answers of a {type(estimator).__name__} may be "
                             f"{'probabilities or ' if gives_probabilities else ''}labels, not {answers!r}")
        if not input_units:
            input_units = _scaler_units(estimator)
        super().__init__(self._labels if answers == "labels" else self._probabilities, input_shape=input_shape,
                         classes=classes, answers=answers, **input_units)

    def settle(self, input_shape: tuple[int, int, int] | None = None, classes: int | None = None) -> None:
        if input_shape is None and not self._is_settled and (count := getattr(self._estimator, "n_features_in_", None)):
            input_shape = (int(count), 1, 1)
        super().settle(input_shape, classes)

    def _probabilities(self, images: FloatArray) -> Any:
        rows = self._query(self._estimator.predict_proba, images)
        if isinstance(rows, list):
            raise ValueError(f"predict_proba returned a list of {len(rows)}, one for each output; a teacher has one output")
        return rows

    def _labels(self, images: FloatArray) -> Any:
        names = np.asarray(self._query(self._estimator.predict, images))
        return names[:, None] == np.asarray(self._estimator.classes_)[None, :]

    def _query(self, method: Callable[[FloatArray], Any], images: FloatArray) -> Any:
        rows = images.reshape(len(images), -1)
        if not hasattr(self._estimator, "feature_names_in_"):
            return method(rows)
        with warnings.catch_warnings():
            # The estimator was fitted on a DataFrame, whose columns are a row's numbers, in their order.
            warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
            return method(rows)


def _scaler_units(estimator: Any) -> InputUnits:
    """What the first step of a pipeline has kept of the rows that it was fitted on, if it is a StandardScaler."""
    steps = getattr(estimator, "steps", None)
    scaler = steps[0][1] if steps else None
    mean, deviation = getattr(scaler, "mean_", None), getattr(scaler, "scale_", None)
    if type(scaler).__name__ != "StandardScaler" or mean is None or deviation is None:
        return {}
    logging.getLogger("dafl").info("the pipeline's StandardScaler says the units of its rows, as with input_mean and "
                                   "input_deviation")
    return {"input_mean": mean, "input_deviation": deviation}
