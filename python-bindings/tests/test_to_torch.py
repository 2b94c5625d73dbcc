"""The library's classifiers as PyTorch modules: the same names, the same answers."""

import numpy as np
import pytest

import dafl
from conftest import SMALL

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.mark.parametrize("architecture", [
    "lenet5", "lenet5-half", "lenet5(channels=3,classes=7)", "mlp-64-16-4", "mlp-64-4", "mlp-30-20-10-5",
    "resnet18(side=8)", "resnet34(side=16,channels=1,classes=3)",
])
def test_modules_answer_as_their_networks(architecture):
    network = dafl.Network(architecture, seed=1)
    module = network.to_torch()
    assert not module.training
    names = [name for name in module.state_dict() if not name.endswith("num_batches_tracked")]
    assert names == list(network.state_dict())
    images = np.random.default_rng(0).standard_normal((3, *network.info.input_shape), np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(images)).numpy()
    assert np.abs(network.predict(images) - expected).max() < 1e-4 * max(1, np.abs(expected).max())


def test_weights_are_copies_and_go_back():
    network = dafl.Network("mlp-64-16-4", seed=1)
    module = network.to_torch()
    with torch.no_grad():
        module.fc1.bias.fill_(3)
    assert not (network.state_dict()["fc1.bias"] == 3).any()
    network.load_state_dict(module.state_dict())
    assert (network.state_dict()["fc1.bias"] == 3).all()


def test_a_students_state_dict_is_its_modules(numpy_teacher):
    student = dafl.distill(numpy_teacher.teacher(), progress=False, **SMALL).student
    module = student.to_torch()
    module.load_state_dict(student.state_dict())
    images, _ = np.split(np.random.default_rng(0).standard_normal((4, 1, 8, 8), np.float32), 2)
    assert np.allclose(module(torch.from_numpy(images)).detach(), student.predict(images), atol=1e-5)


@pytest.mark.parametrize("student, said", [
    ("mlp-64-8-4", {"input_mean": np.arange(64), "input_deviation": 2}), ("mlp-64-8-4", {"input_range": (0, 255)}),
    ("resnet18(side=8,channels=1,classes=4)", {"input_mean": 3}), ("mlp-64-8-4", {})])
def test_a_student_with_units_takes_them_along(student, said):
    teacher = dafl.Teacher(lambda images: images.reshape(len(images), 64)[:, :4], input_shape=(1, 8, 8), classes=4, **said)
    network = dafl.distill(teacher, progress=False, **SMALL | {"student": student, "steps": 1}).student
    module = network.to_torch()
    assert ("input.mean" in module.state_dict()) == bool(said)
    network.load_state_dict(module.state_dict())
    images = np.random.default_rng(0).uniform(0, 100, (3, 1, 8, 8)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(images)).numpy()
    assert np.allclose(network.predict(images), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_units_of_channels():
    teacher = dafl.Teacher(lambda images: images.reshape(len(images), -1)[:, :4], input_shape=(3, 8, 8), classes=4,
                           input_mean=[1, 20, 300], input_deviation=[1, 2, 3])
    network = dafl.distill(teacher, progress=False, **SMALL | {"student": "resnet18(side=8,classes=4)", "steps": 1}).student
    images = np.random.default_rng(0).standard_normal((3, 3, 8, 8), np.float32) + np.float32([1, 20, 300])[:, None, None]
    with torch.no_grad():
        expected = network.to_torch()(torch.from_numpy(images)).numpy()
    assert np.allclose(network.predict(images), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_generators_are_no_classifiers():
    with pytest.raises(ValueError, match="dafl-generator is not among"):
        dafl.Network("dafl-generator").to_torch()
