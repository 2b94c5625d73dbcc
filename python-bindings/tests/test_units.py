"""The units of a teacher's images: what may be said, what is kept of it, and that it is worth saying."""

import logging

import numpy as np
import pytest

import dafl
from dafl._units import units
from conftest import SMALL


def teacher(shape=(3, 2, 2), **input_units) -> dafl.Teacher:
    return dafl.Teacher(lambda images: images.reshape(len(images), -1)[:, :4], input_shape=shape, classes=4, **input_units)


def test_nothing_said_is_none():
    assert teacher().units is None and teacher(input_mean=None, input_range=None).units is None


@pytest.mark.parametrize("said, mean, deviation", [
    ({"input_mean": 0.5, "input_deviation": 2}, [0.5] * 3, [2] * 3),
    ({"input_mean": [1, 2, 3]}, [1, 2, 3], [1] * 3),
    ({"input_deviation": (1, 2, 4)}, [0] * 3, [1, 2, 4]),
    ({"input_mean": np.arange(12).reshape(3, 2, 2), "input_deviation": [1, 2, 3]}, range(12), [1] * 4 + [2] * 4 + [3] * 4),
    ({"input_mean": 7, "input_deviation": np.arange(1, 13)}, [7] * 12, range(1, 13)),
])
def test_mean_and_deviation_are_of_channels_or_of_features(said, mean, deviation):
    kept = teacher(**said).units
    assert kept.range is None and kept.mean.dtype == kept.deviation.dtype == np.float32
    assert kept.mean.tolist() == list(mean) and kept.deviation.tolist() == list(deviation)


def test_a_range():
    kept = teacher(input_range=(0, 255)).units
    assert (kept.mean, kept.deviation, kept.range) == (None, None, (0.0, 255.0))


@pytest.mark.parametrize("said, words", [
    ({"input_deviation": 0}, "input_deviation must be greater than 0, not 0"),
    ({"input_deviation": [1, -2, 3]}, "not -2"),
    ({"input_mean": [1, 2]}, "input_mean must be a number, 3 for the channels or 12 for the features, not 2 numbers"),
    ({"input_deviation": np.ones(13)}, "input_deviation must be .* not 13 numbers"),
    ({"input_mean": np.nan}, "input_mean must be finite"),
    ({"input_mean": []}, "input_mean must be finite numbers"),
    ({"input_range": (0, 255), "input_mean": 3}, "one or the other"),
    ({"input_range": (0, 255), "input_deviation": 3}, "one or the other"),
    ({"input_range": (1, 1)}, "low < high"),
    ({"input_range": (0, np.inf)}, "finite"),
    ({"input_range": (0, 1, 2)}, r"\(low, high\)"),
])
def test_what_cannot_be_is_refused(said, words):
    with pytest.raises(ValueError, match=words):
        teacher(**said)


def test_a_vectors_features_are_its_channels():
    kept = teacher((13, 1, 1), input_mean=np.arange(13), input_deviation=2).units
    assert kept.mean.tolist() == list(range(13)) and kept.deviation.tolist() == [2] * 13


def test_the_middle_is_what_a_model_is_first_queried_about():
    assert units(input_range=(0, 255)).centre((1, 2, 2)).tolist() == [[[127.5] * 2] * 2]
    centre = units(input_mean=[1, 2]).centre((2, 1, 2))
    assert centre.tolist() == [[[1, 1]], [[2, 2]]]


def test_adapters_keep_them():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    seen = []

    class Recorder(torch.nn.Module):
        def forward(self, images):
            seen.append(images.detach().numpy().copy())
            return images.flatten(1)[:, :4]

    adapter = dafl.torch.Teacher(Recorder(), input_mean=[1, 2, 3])
    adapter.settle((3, 2, 2))
    assert adapter.units.mean.tolist() == [1, 2, 3] and adapter.units.deviation.tolist() == [1, 1, 1]
    assert (seen[0] == np.float32([1, 2, 3])[:, None, None]).all()
    with pytest.raises(ValueError, match="13"):
        dafl.torch.Teacher(Recorder(), input_mean=np.zeros(13), input_shape=(3, 2, 2))
    with pytest.raises(ValueError, match="greater than 0"):
        dafl.torch.Teacher(Recorder(), input_deviation=0)


def test_all_adapters_take_them():
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    assert dafl.jax.Teacher(lambda images: images.reshape(len(images), -1)[:, :4] + jax.numpy.zeros(4), input_shape=(1, 4, 4),
                            input_range=(0, 1)).units.range == (0, 1)

    class Nearest:
        classes_, n_features_in_ = np.arange(4), 64

        def predict(self, rows):
            return rows[:, :4].argmax(1)

    assert dafl.sklearn.Teacher(Nearest(), input_shape=(1, 8, 8), input_mean=8, input_deviation=4).units.mean.tolist() == [8]
    with pytest.raises(TypeError, match="input_average"):
        dafl.sklearn.Teacher(Nearest(), input_average=3)


@pytest.mark.parametrize("said", ["mean and deviation", "range"])
def test_images_come_in_them(numpy_teacher, said):
    seen = []

    def forward(images):
        seen.append(images.copy())
        return numpy_teacher.forward(images)[0]

    given = {"input_range": (0, 255)} if said == "range" else {"input_mean": 127.5, "input_deviation": 60}
    dafl.Distillation(dafl.Teacher(forward, input_shape=(1, 8, 8), classes=4, **given), **SMALL).run()
    values = np.concatenate([images.ravel() for images in seen[1:]])
    assert 50 < values.mean() < 200 and 20 < values.std() < 130


def test_a_forest_of_raw_rows_teaches_as_one_of_standardised_rows():
    """The wines' features go from 0.1 to 1,700; the student takes them so too."""
    ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn is not installed")
    from sklearn.datasets import load_wine
    rows, labels = load_wine(return_X_y=True)
    rows = rows.astype(np.float32)
    mean, deviation = rows.mean(0), rows.std(0)
    forest = ensemble.RandomForestClassifier(20, random_state=0).fit(rows[::2], labels[::2])
    teacher = dafl.sklearn.Teacher(forest, input_mean=mean, input_deviation=deviation)
    student = dafl.distill(teacher, student="mlp-13-32-3", steps=60, batch_size=64, replay_capacity=4096, student_steps=5,
                           threads=1, seed=0, progress=False).student
    assert student.evaluate(rows[1::2], labels[1::2]) > 0.8


def test_units_are_the_teachers_or_the_distillations():
    """The same images either way; a network of the library has none of its own, so that the distillation is told."""
    def images(**options) -> np.ndarray:
        return dafl.Distillation(options.pop("of", None) or teacher((1, 8, 8)), **SMALL, **options).generate(3)[0]

    said = images(of=teacher((1, 8, 8), input_mean=100, input_deviation=10))
    assert np.array_equal(said, images(input_mean=100, input_deviation=10)) and 50 < said.mean() < 150
    ranged = images(of=teacher((1, 8, 8), input_range=(0, 255)))
    assert np.array_equal(ranged, images(input_range=(0, 255)))
    network = dafl.Network("mlp-64-16-4")
    result = dafl.distill(network, input_range=(0, 255), progress=False, **SMALL)
    given, logits = result.generate(9)
    assert np.allclose(network.predict(given), logits, rtol=1e-3, atol=1e-2) and given.std() > 20
    for options in ({"input_range": (0, 1)}, {"input_mean": 3}):
        with pytest.raises(ValueError, match="units"):
            images(of=teacher((1, 8, 8), input_range=(0, 255)), **options)
    with pytest.raises(TypeError, match="input_count"):
        images(input_count=3)


def test_options_read_back_go_with_a_teacher_of_units():
    with_units = teacher((1, 8, 8), input_range=(0, 255))
    options = dafl.Distillation(with_units, **SMALL).options
    assert (options["input_low"], options["input_high"]) == (0, 255)
    assert dafl.Distillation(with_units, **options).options == options


def test_a_pipelines_scaler_says_its_units():
    """Breast cancer's features go from 0.001 to 4,000; nobody says so but the pipeline."""
    pipeline = pytest.importorskip("sklearn.pipeline", reason="scikit-learn is not installed")
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    rows, labels = load_breast_cancer(return_X_y=True)
    fitted = pipeline.make_pipeline(StandardScaler(), LogisticRegression()).fit(rows[::2], labels[::2])
    student = dafl.distill(dafl.sklearn.Teacher(fitted), student="mlp-30-16-2", steps=60, batch_size=64, replay_capacity=4096,
                           student_steps=5, threads=1, seed=0, progress=False).student
    assert student.evaluate(rows[1::2], labels[1::2]) > 0.9


def test_rows_in_units_that_nobody_says_get_a_warning(caplog):
    ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn is not installed")
    from sklearn.datasets import load_wine
    rows, labels = load_wine(return_X_y=True)
    forest = ensemble.RandomForestClassifier(20, random_state=0).fit(rows, labels)
    options = dict(student="mlp-13-8-3", steps=1, batch_size=16, replay_capacity=16, threads=1)
    with caplog.at_level("WARNING", "dafl"):
        dafl.Distillation(dafl.sklearn.Teacher(forest), **options)
    assert "input_mean" in caplog.text
    caplog.clear()
    with caplog.at_level("WARNING", "dafl"):
        dafl.Distillation(dafl.sklearn.Teacher(forest, input_mean=rows.mean(0), input_deviation=rows.std(0)), **options)
    assert not caplog.text


def test_channels_of_an_image_have_units_of_their_own():
    """Also where student or generator see the vector of its numbers."""
    weights = np.random.default_rng(0).standard_normal((192, 4)).astype(np.float32)
    teacher = dafl.Teacher(lambda images: images.reshape(-1, 192) @ weights, input_shape=(3, 8, 8), classes=4,
                           input_mean=(1, 2, 3), input_deviation=2)
    for generator in ("auto", "perceptron"):
        result = dafl.distill(teacher, student="mlp-192-8-4", generator=generator, steps=2, batch_size=16, replay_capacity=64,
                              threads=1, progress=False)
        assert result.student.info.architecture == "mlp-192-8-4(units=192)"
        assert abs(result.generate(64, logits=False)[0].mean((0, 2, 3)) - (1, 2, 3)).max() < 1


def test_a_warning_is_not_missed_where_nobody_has_set_up_a_log(monkeypatch):
    teacher = dafl.Teacher(lambda images: np.tile(np.float32([0, 9]), (len(images), 1)), input_shape=(1, 8, 8), classes=2)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with pytest.warns(UserWarning, match="input_mean"):
        dafl.Distillation(teacher, student="mlp-64-8-2", steps=1, batch_size=16, replay_capacity=16, threads=1)
