"""The networks of the cases as PyTorch's users write them. Each answers with logits and features."""

import torch
from torch import nn
from torch.nn import functional as F


class LeNet5(nn.Module):
    def __init__(self, divisor: int = 1) -> None:
        super().__init__()
        a, b, c, d = (size // divisor for size in (6, 16, 120, 84))
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(1, a, 5), nn.Conv2d(a, b, 5), nn.Conv2d(b, c, 5)
        self.fc1, self.fc2 = nn.Linear(c, d), nn.Linear(d, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        features = F.relu(self.conv3(x)).flatten(1)
        return self.fc2(F.relu(self.fc1(features))), features


class Perceptron(nn.Module):
    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in zip(sizes, sizes[1:]))

    def forward(self, x):
        features = x.flatten(1)
        for layer in self.layers[:-1]:
            features = F.relu(layer(features))
        return self.layers[-1](features), features


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        y += x if self.downsample is None else self.downsample(x)
        return F.relu(y, inplace=True)


class ResNet(nn.Module):
    def __init__(self, blocks: list[int]) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
        layers, inputs = [], 64
        for stage, count in enumerate(blocks):
            for block in range(count):
                layers.append(BasicBlock(inputs, 64 << stage, 2 if stage and not block else 1))
                inputs = 64 << stage
        self.layers, self.fc = nn.Sequential(*layers), nn.Linear(inputs, 10)

    def forward(self, x):
        features = self.layers(F.relu(self.bn1(self.conv1(x)), inplace=True)).mean((2, 3))
        return self.fc(features), features


class Generator(nn.Module):
    """The paper's. 0.8 is the epsilon of its batch normalisation."""

    def __init__(self, latent: int, width: int, channels: int, side: int = 32) -> None:
        super().__init__()
        self.side, self.width = side // 4, width
        self.l1, self.bn0 = nn.Linear(latent, width * self.side**2), nn.BatchNorm2d(width)
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width, 0.8)
        self.conv2, self.bn2 = nn.Conv2d(width, width // 2, 3, padding=1), nn.BatchNorm2d(width // 2, 0.8)
        self.conv3, self.bn3 = nn.Conv2d(width // 2, channels, 3, padding=1), nn.BatchNorm2d(channels, affine=False)

    def forward(self, z):
        x = self.bn0(self.l1(z).view(-1, self.width, self.side, self.side))
        x = F.leaky_relu(self.bn1(self.conv1(F.interpolate(x, scale_factor=2))), 0.2, inplace=True)
        x = F.leaky_relu(self.bn2(self.conv2(F.interpolate(x, scale_factor=2))), 0.2, inplace=True)
        return self.bn3(torch.tanh(self.conv3(x)))


class SmallBlock(nn.Module):
    """Of the ResNets for CIFAR; where the shape changes its shortcut is every second pixel and zeros for new channels."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        if self.added:
            x = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.added // 2, self.added - self.added // 2))
        y += x
        return F.relu(y, inplace=True)


class Pooled(nn.Module):
    """Layers, the mean over what they leave of the image, a linear layer."""

    def __init__(self, layers: list[nn.Module], width: int, classes: int) -> None:
        super().__init__()
        self.layers, self.fc = nn.Sequential(*layers), nn.Linear(width, classes)

    def forward(self, x):
        features = self.layers(x).mean((2, 3))
        return self.fc(features), features


def activated(inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1, padding: int | tuple[int, int] = 0,
              groups: int = 1) -> list[nn.Module]:
    """A convolution with its normalisation and ReLU."""
    return [nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True)]


def separable(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    return activated(inputs, inputs, 3, stride, 1, groups=inputs) + activated(inputs, outputs, 1)


def small_resnet(blocks: int) -> nn.Module:
    layers = activated(3, 16, 3, padding=1)
    inputs = 16
    for stage in range(3):
        for block in range(blocks):
            outputs = 16 << stage
            layers.append(SmallBlock(inputs, outputs, 2 if stage and not block else 1))
            inputs = outputs
    return Pooled(layers, 64, 10)


def dscnn() -> nn.Module:
    # 49 x 10 numbers become 25 x 5, with TensorFlow's padding: the odd pixel comes last.
    layers = [nn.ZeroPad2d((1, 1, 4, 5)), *activated(1, 64, (10, 4), 2)]
    for _ in range(4):
        layers += separable(64, 64)
    return Pooled(layers, 64, 12)


def mobilenet() -> nn.Module:
    """MobileNet v1 at a quarter of its width."""
    layers, inputs = activated(3, 8, 3, 2, 1), 8
    for outputs, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *5 * [(128, 1)], (256, 2), (256, 1)):
        layers += separable(inputs, outputs, stride)
        inputs = outputs
    return Pooled(layers, 256, 2)


def network(architecture: str) -> nn.Module:
    if architecture.startswith("mlp-"):
        return Perceptron([int(size) for size in architecture.split("-")[1:]])
    return {"lenet5": LeNet5, "lenet5-half": lambda: LeNet5(2), "resnet8": lambda: small_resnet(1),
            "resnet20": lambda: small_resnet(3), "resnet18": lambda: ResNet([2, 2, 2, 2]),
            "resnet34": lambda: ResNet([3, 4, 6, 3]), "dscnn": dscnn,
            "mobilenet-v1": mobilenet}[architecture.partition("(")[0]]()


def input_shape(architecture: str) -> tuple[int, int, int]:
    """Of its images."""
    if architecture.startswith("dscnn"):
        return 1, 49, 10
    if architecture.startswith("mobilenet"):
        return 3, 96, 96
    return (3 if architecture.startswith("resnet") else 1), 32, 32
