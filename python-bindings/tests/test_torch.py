"""The same modules in PyTorch: names, layouts, answers and gradients."""

import numpy as np
import pytest

import dafl

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402


class LeNet5(nn.Module):
    """The feature is the 120-vector before fc1."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        a, b, c, d = (int(size * width) for size in (6, 16, 120, 84))
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(1, a, 5), nn.Conv2d(a, b, 5), nn.Conv2d(b, c, 5)
        self.fc1, self.fc2 = nn.Linear(c, d), nn.Linear(d, 10)

    def forward(self, images):
        x = F.max_pool2d(F.relu(self.conv1(images)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        features = F.relu(self.conv3(x)).flatten(1)
        return self.fc2(F.relu(self.fc1(features))), features


def module_of(network: dafl.Network, width: float = 1.0) -> LeNet5:
    module = LeNet5(width)
    module.load_state_dict(network.state_dict(), strict=True)
    return module


@pytest.mark.parametrize("architecture, width", [("lenet5", 1.0), ("lenet5-half", 0.5)])
def test_state_dicts_go_both_ways_and_predictions_agree(architecture, width):
    module = LeNet5(width)
    network = dafl.Network(architecture)
    network.load_state_dict(module.state_dict())
    images = np.random.default_rng(0).standard_normal((64, 1, 32, 32), np.float32)
    with torch.no_grad():
        expected = module_of(network, width)(torch.tensor(images))[0].numpy()
        assert np.array_equal(expected, module(torch.tensor(images))[0].numpy())
    assert np.abs(network.predict(images) - expected).max() < 1e-4


def test_a_torch_teacher_and_the_same_network_take_the_same_first_steps():
    """Through the callbacks, PyTorch's logits, features and gradients give what the library's own give."""
    network = dafl.Network("lenet5", seed=1)
    module = module_of(network)

    def forward(images):
        with torch.no_grad():
            return module(torch.tensor(images))

    def backward(images, logits_gradient, features_gradient):
        images = torch.tensor(images, requires_grad=True)
        gradients = torch.tensor(logits_gradient), torch.tensor(features_gradient)
        return torch.autograd.grad(module(images), images, gradients)[0]

    teacher = dafl.Teacher(forward, backward, input_shape=(1, 32, 32), classes=10, features=120)
    options = {"steps": 2, "batch_size": 16, "student_steps": 1, "replay_capacity": 64, "generator_width": 8,
               "latent_size": 8, "threads": 1, "student_start": "new"}
    runs = []
    for candidate in (teacher, network):
        distillation = dafl.Distillation(candidate, **options)
        progress = [distillation.step() for _ in range(2)]
        runs.append([(p.generator_loss, p.one_hot_loss, p.activation_loss, p.entropy_loss, p.distillation_loss)
                     for p in progress])
        runs[-1].append(distillation.student().state_dict()["fc2.weight"].ravel())
    for ours, theirs in zip(*runs, strict=True):
        assert np.allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def test_the_generators_state_dict_is_torchs():
    class Generator(nn.Module):
        def __init__(self, latent: int, side: int, width: int) -> None:
            super().__init__()
            self.l1, self.bn0 = nn.Linear(latent, width * (side // 4) ** 2), nn.BatchNorm2d(width)
            self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width, eps=0.8)
            self.conv2, self.bn2 = nn.Conv2d(width, width // 2, 3, padding=1), nn.BatchNorm2d(width // 2, eps=0.8)
            self.conv3, self.bn3 = nn.Conv2d(width // 2, 1, 3, padding=1), nn.BatchNorm2d(1, affine=False)

    state = dafl.Network("dafl-generator(latent=8,side=16,width=8)").state_dict()
    module = Generator(8, 16, 8)
    tensors = {name: torch.tensor(values) for name, values in state.items()}
    missing, unexpected = module.load_state_dict(tensors, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)
    dafl.Network("dafl-generator(latent=8,side=16,width=8)").load_state_dict(module.state_dict())


def test_the_vector_generator_is_torchs():
    module = nn.Sequential()
    for name, layer in [("l1", nn.Linear(7, 24)), ("bn1", nn.BatchNorm1d(24)), ("a1", nn.LeakyReLU(0.2)),
                        ("l2", nn.Linear(24, 24)), ("bn2", nn.BatchNorm1d(24)), ("a2", nn.LeakyReLU(0.2)),
                        ("l3", nn.Linear(24, 13)), ("bn3", nn.BatchNorm1d(13, affine=False))]:
        module.add_module(name, layer)
    noise = torch.tensor(np.random.default_rng(0).standard_normal((64, 7), np.float32))
    module(noise)  # so that the running statistics are not those of the beginning
    network = dafl.Network("dafl-vector-generator(latent=7,outputs=13,width=24)")
    network.load_state_dict(module.state_dict())
    with torch.no_grad():
        expected = module.eval()(noise).numpy()
    assert np.abs(network.predict(noise.numpy()).reshape(64, 13) - expected).max() < 1e-4


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        changes = stride != 1 or inputs != outputs
        self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                                        nn.BatchNorm2d(outputs)) if changes else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """torchvision's, with the stem that the papers use on CIFAR."""

    def __init__(self, blocks: list[int], classes: int = 10) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for stage, count in enumerate(blocks):
            outputs = 64 << stage
            strides = [2 if stage else 1] + [1] * (count - 1)
            setattr(self, f"layer{stage + 1}", nn.Sequential(*(
                BasicBlock(inputs if block == 0 else outputs, outputs, stride) for block, stride in enumerate(strides))))
            inputs = outputs
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


@pytest.mark.parametrize("architecture, blocks", [("resnet18", [2, 2, 2, 2]), ("resnet34", [3, 4, 6, 3])])
def test_residual_networks_are_torchs(architecture, blocks):
    torch.manual_seed(0)
    module = ResNet(blocks)
    for _ in range(3):  # running statistics that are not zero and one
        module(torch.randn(8, 3, 32, 32))
    module.eval()
    network = dafl.Network(architecture)
    network.load_state_dict(module.state_dict())
    images = np.random.default_rng(0).standard_normal((5, 3, 32, 32), np.float32)
    with torch.no_grad():
        expected = module(torch.tensor(images)).numpy()
    assert np.abs(network.predict(images) - expected).max() < 1e-4 * np.abs(expected).max()


def test_both_compare_batch_norm_statistics_alike():
    """A residual network as a module, by hooks of PyTorch, and as the library's own."""
    torch.manual_seed(0)
    module = ResNet([2, 2, 2, 2])
    for _ in range(3):
        module(torch.randn(8, 3, 32, 32))
    network = dafl.Network("resnet18")
    network.load_state_dict(module.state_dict())
    options = {"student": "lenet5-half(channels=3)", "batch_size": 8, "student_steps": 0, "replay_capacity": 0,
               "generator_width": 8, "latent_size": 8, "threads": 1, "image_source": "generator"}
    distances = [dafl.Distillation(teacher, **options).step().regularizer_loss
                 for teacher in (dafl.torch.Teacher(module, input_shape=(3, 32, 32)), network)]
    assert np.isclose(*distances, rtol=1e-3) and distances[0] > 0
