"""The library's classifiers as PyTorch modules, whose tensors have the same names. Imports PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from .network import Network, NetworkInfo


def module_of(network: Network) -> nn.Module:
    info = network.info
    name = info.architecture.partition("(")[0]
    build = MODULES.get("mlp" if name.startswith("mlp-") else name)
    if build is None:
        raise ValueError(f"{name} is not among the classifiers that to_torch knows: {', '.join(MODULES)}")
    tensors = network.state_dict()
    module = build(info)
    if "input.mean" in tensors:  # the student of a teacher with units of its own begins by leaving them
        module = _named(input=Standardising(tensors["input.mean"].size), **dict(module.named_children()))
    state = {key: torch.from_numpy(values) for key, values in tensors.items()}
    module.load_state_dict(module.state_dict() | state)  # a network has none of PyTorch's counters of batches
    return module.eval()


def lenet5(info: NetworkInfo, divisor: int = 1) -> nn.Module:
    a, b, c, d = (width // divisor for width in (6, 16, 120, 84))
    return _named(conv1=nn.Conv2d(info.input_shape[0], a, 5), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
                  conv2=nn.Conv2d(a, b, 5), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2),
                  conv3=nn.Conv2d(b, c, 5), relu3=nn.ReLU(), features=nn.Flatten(),
                  fc1=nn.Linear(c, d), relu4=nn.ReLU(), fc2=nn.Linear(d, info.outputs))


def perceptron(info: NetworkInfo) -> nn.Module:
    sizes = [int(size) for size in info.architecture.partition("(")[0].split("-")[1:]]
    layers: dict[str, nn.Module] = {"flatten": nn.Flatten()}
    for index in range(1, len(sizes)):
        layers[f"fc{index}"] = nn.Linear(sizes[index - 1], sizes[index])
        if index < len(sizes) - 1:
            layers[f"relu{index}"] = nn.ReLU()
    return _named(**layers)


def resnet(info: NetworkInfo, blocks: tuple[int, int, int, int]) -> nn.Module:
    """For small images: a 3 x 3 stem without pooling; names are torchvision's."""
    layers: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(info.input_shape[0], 64, 3, padding=1, bias=False), "bn1": nn.BatchNorm2d(64),
        "relu": nn.ReLU()}
    inputs = 64
    for stage, count in enumerate(blocks):
        outputs = 64 << stage
        first = BasicBlock(inputs, outputs, stride=2 if stage else 1)
        layers[f"layer{stage + 1}"] = nn.Sequential(first, *(BasicBlock(outputs, outputs) for _ in range(count - 1)))
        inputs = outputs
    return _named(**layers, avgpool=nn.AdaptiveAvgPool2d(1), features=nn.Flatten(), fc=nn.Linear(inputs, info.outputs))


class BasicBlock(nn.Module):
    """relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)); the shortcut is x itself where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        stays = stride == 1 and inputs == outputs
        self.downsample: nn.Module = nn.Identity() if stays else nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(nn.functional.relu(self.bn1(self.conv1(x)))))
        return nn.functional.relu(y + self.downsample(x))


class Standardising(nn.Module):
    """y = (x - mean) / deviation, with one of both for all numbers of an image, for each channel, or for each number."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("deviation", torch.ones(count))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.flatten(1)
        each = rows.shape[1] // len(self.mean)  # channels come first, so that each one's numbers stand together
        return ((rows - self.mean.repeat_interleave(each)) / self.deviation.repeat_interleave(each)).reshape(x.shape)


def _named(**layers: nn.Module) -> nn.Sequential:
    """Layers one after the other, under their names."""
    sequence = nn.Sequential()
    for name, layer in layers.items():
        sequence.add_module(name, layer)
    return sequence


MODULES: dict[str, Callable[[NetworkInfo], nn.Module]] = {
    "lenet5": lenet5,
    "lenet5-half": lambda info: lenet5(info, divisor=2),
    "mlp": perceptron,
    "resnet18": lambda info: resnet(info, (2, 2, 2, 2)),
    "resnet34": lambda info: resnet(info, (3, 4, 6, 3)),
}
