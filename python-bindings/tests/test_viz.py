"""Figures that show what they are given, and touch nothing of the host's matplotlib."""

import numpy as np
import pytest

import dafl
from conftest import SMALL

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
from matplotlib import _pylab_helpers  # noqa: E402


@pytest.fixture(autouse=True)
def nothing_global_changes():
    before, backend = dict(matplotlib.rcParams), matplotlib.rcParams._get("backend")
    yield
    assert dict(matplotlib.rcParams) == before and matplotlib.rcParams._get("backend") == backend
    assert not _pylab_helpers.Gcf.figs  # no window's manager knows of a figure


def images(count: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, channels, 8, 8), np.float32)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_image_grid(channels, tmp_path):
    figure = dafl.viz.image_grid(images(10, channels), titles=range(10), columns=4)
    assert len(figure.axes) == 12 and [axes.get_title() for axes in figure.axes[:10]] == [str(i) for i in range(10)]
    picture = figure.axes[0].get_images()[0].get_array()
    assert picture.min() == 0 and picture.max() == 1 and picture.shape[:2] == (8, 8)
    figure.savefig(tmp_path / "grid.png")
    assert (tmp_path / "grid.png").stat().st_size > 1000


def test_class_means():
    given, logits = images(6), np.eye(3)[[0, 0, 0, 2, 2, 2]]
    figure = dafl.viz.class_means(given, logits)
    assert [axes.get_title() for axes in figure.axes] == ["0 (3)", "1 (0)", "2 (3)"]
    mean = given[:3].mean(0)[0]
    shown = figure.axes[0].get_images()[0].get_array().squeeze()
    assert np.allclose(shown, (mean - mean.min()) / (mean.max() - mean.min()), atol=1e-5)
    assert not figure.axes[1].get_images()[0].get_array().any()


def test_filters():
    network = dafl.Network("lenet5")
    assert len(dafl.viz.filters(network, columns=3).axes) == 6
    assert len(dafl.viz.filters(network.state_dict(), "conv2.weight").axes) == 16
    with pytest.raises(KeyError):
        dafl.viz.filters(network, "conv9.weight")
    with pytest.raises(ValueError, match="must be"):
        dafl.viz.filters(network, "fc1.weight")


def test_curves(numpy_teacher):
    result = dafl.distill(numpy_teacher.teacher(), progress=False, **SMALL)
    figure = dafl.viz.curves(result)
    assert [axes.get_title() for axes in figure.axes] == ["distillation loss", "generator loss", "effective classes", "agreement"]
    steps, losses = figure.axes[0].get_lines()[0].get_data()
    assert steps.tolist() == [1, 2, 3, 4] and np.array_equal(losses, result.history["distillation_loss"])
    assert len(dafl.viz.curves({"loss": [3, 2, 1]}, ["loss"]).axes) == 1


def test_wrong_shapes_are_told():
    with pytest.raises(ValueError, match="count, channels"):
        dafl.viz.image_grid(np.zeros((3, 8, 8)))
    with pytest.raises(ValueError, match="titles"):
        dafl.viz.image_grid(images(3), titles=[1, 2])
    with pytest.raises(ValueError, match="logits"):
        dafl.viz.class_means(images(3), np.zeros((2, 4)))
