"""Networks as PyTorch modules: the same names, the same answers."""

import copy
import pickle

import numpy as np
import pytest

import dafl
import graphs
from conftest import SMALL
from graphs import KINDS, arithmetic, description, node, pools, resizes

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.mark.parametrize("architecture", [
    "lenet5", "lenet5-half", "lenet5(channels=3,classes=7)", "mlp-64-16-4", "mlp-64-4", "mlp-30-20-10-5",
    "resnet18(side=8)", "resnet34(side=16,channels=1,classes=3)", "resnet50(side=64,stem=7)", "resnet8", "resnet20(projection=1)",
    "wrn-16-1", "vgg11", "alexnet(side=32,hidden=64)", "mobilenet-v1(multiplier=0.25)", "mobilenet-v2(multiplier=0.35)", "dscnn",
    "dafl-generator(latent=8,side=8,channels=1,width=8)", "dafl-vector-generator(latent=3,outputs=5,width=4)",
])
def test_modules_answer_as_their_networks(architecture):
    network = dafl.Network(architecture, seed=1)
    module = network.to_torch()
    assert not module.training
    names = [name for name in module.state_dict() if not name.endswith("num_batches_tracked")]
    assert names == list(network.state_dict())
    images = np.random.default_rng(0).standard_normal((3, *network.info.input_shape), np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(images)).flatten(1).numpy()
    assert np.abs(network.predict(images) - expected).max() < 1e-4 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("cases", [lambda: KINDS, pools, resizes, arithmetic])
def test_every_kind_of_node(cases):
    for shape, nodes in cases():
        made = graphs.network(description(shape, *nodes))
        module, batch = made.to_torch(), graphs.images(made, 3)
        assert {name for name in module.state_dict() if not name.endswith("num_batches_tracked")} == made.state_dict().keys()
        with torch.no_grad():
            found = module(torch.from_numpy(batch)).flatten(1).numpy()
        expected = made.predict(batch)
        assert np.abs(found - expected).max() < 2e-5 * max(1, np.abs(expected).max()), nodes


def test_shared_weights_are_shared_and_copies_are_whole():
    layer = node("linear", outputs=4)
    made = graphs.network(
        description([4], {**layer, "name": "a"}, node("tanh"), {**layer, "weights_of": "a"}, node("batch_norm")))
    module = copy.deepcopy(pickle.loads(pickle.dumps(made.to_torch()))).double()
    given = torch.randn(5, 4, dtype=torch.float64)
    assert np.allclose(module(given).detach(), made.predict(given.numpy()), atol=1e-5)
    module(given).square().sum().backward()
    by_weight = module.a.weight.grad.clone()
    h, names = 1e-6, [name for name, _ in module.named_parameters()]
    assert names == ["a.weight", "a.bias", "batch_norm_3.weight", "batch_norm_3.bias"]
    with torch.no_grad():
        module.a.weight[1, 2] += h
        above = module(given).square().sum()
        module.a.weight[1, 2] -= 2 * h
        below = module(given).square().sum()
    assert float(above - below) / (2 * h) == pytest.approx(float(by_weight[1, 2]), rel=1e-4)


def test_in_training_it_does_what_pytorch_does():
    """Statistics of batches are those of the library's training, and dropout drops."""
    made = graphs.network(description([2, 6, 6], node("convolution", outputs=3, kernel=3), node("batch_norm", name="norm"),
                                      node("dropout", rate=0.25, name="drop"), node("linear", outputs=4)))
    module, batch = made.to_torch(), graphs.images(made, 32)
    given = torch.from_numpy(batch)
    assert torch.equal(module(given), module(given))
    module.train()
    first = module(given)
    made.train(batch, np.zeros(32, np.int64), epochs=1, batch_size=32, learning_rate=0)
    for name in ("norm.running_mean", "norm.running_var"):
        assert np.allclose(module.state_dict()[name], made.state_dict()[name], atol=1e-5)
    assert not torch.allclose(first, module(given))


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
