"""PyTorch's side: torch_worker.py CASE THREADS [channels_last] [compile]."""

import sys

import torch
from torch import nn
from torch.nn import functional as F

from cases import CASES, Case
from worker import serve


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


def network(architecture: str) -> nn.Module:
    if architecture.startswith("mlp-"):
        return Perceptron([int(size) for size in architecture.split("-")[1:]])
    return {"lenet5": LeNet5, "lenet5-half": lambda: LeNet5(2), "resnet18": lambda: ResNet([2, 2, 2, 2]),
            "resnet34": lambda: ResNet([3, 4, 6, 3])}[architecture]()


class Work:
    """The pieces of work of a case, by kind."""

    def __init__(self, case: Case, layout: torch.memory_format, compiles: bool) -> None:
        self.case = case
        channels = 3 if case.teacher.startswith("resnet") else 1
        teacher = network(case.teacher).eval().requires_grad_(False)
        student, generator = network(case.student), Generator(case.latent, case.width, channels)
        teacher, student, generator = (module.to(memory_format=layout) for module in (teacher, student, generator))
        self.generator_adam = torch.optim.Adam(generator.parameters(), 0.2, fused=True)
        self.student_adam = torch.optim.Adam(student.parameters(), 2e-3, fused=True)
        if compiles:
            teacher, student, generator = torch.compile(teacher), torch.compile(student), torch.compile(generator)
        self.teacher, self.student, self.generator = teacher, student, generator
        self.kept = torch.randn(8 * case.batch, channels, 32, 32).to(memory_format=layout)
        self.kept_logits = torch.randn(8 * case.batch, 10)
        self.images = torch.randn(case.batch, channels, 32, 32).to(memory_format=layout)

    def generator_step(self) -> tuple[torch.Tensor, torch.Tensor]:
        images = self.generator(torch.randn(self.case.batch, self.case.latent))
        logits, features = self.teacher(images)
        mean = F.softmax(logits, 1).mean(0)
        loss = (F.cross_entropy(logits, logits.argmax(1)) - 0.1 * features.abs().mean()
                + 5 * (mean * mean.clamp_min(1e-30).log10()).sum())
        self.generator_adam.zero_grad()
        loss.backward()
        self.generator_adam.step()
        return images.detach(), logits.detach()

    def student_step(self, images: torch.Tensor, logits: torch.Tensor) -> None:
        loss = F.kl_div(F.log_softmax(self.student(images)[0], 1), F.softmax(logits, 1), reduction="batchmean")
        self.student_adam.zero_grad()
        loss.backward()
        self.student_adam.step()

    def generator_kind(self) -> None:
        self.generator_step()

    def step(self) -> None:
        self.student_step(*self.generator_step())

    def student_kind(self) -> None:
        picks = torch.randint(len(self.kept), (self.case.batch,))
        self.student_step(self.kept[picks], self.kept_logits[picks])

    def altered(self) -> None:
        images = self.kept[torch.randint(len(self.kept), (self.case.batch,))]
        maps = torch.eye(2, 3) + 0.1 * torch.randn(self.case.batch, 2, 3)
        grid = F.affine_grid(maps, images.shape, align_corners=False)
        images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
        with torch.no_grad():
            logits = self.teacher(images)[0]
        self.student_step(images, logits)

    @torch.inference_mode()
    def predict(self) -> None:
        self.student(self.images)


def main() -> None:
    case, flags = CASES[sys.argv[1]], sys.argv[3:]
    torch.set_num_threads(int(sys.argv[2]))
    torch.manual_seed(0)
    layout = torch.channels_last if "channels_last" in flags else torch.contiguous_format
    work = Work(case, layout, "compile" in flags)
    if case.kind == "predict":
        work.student.eval()
    one = {"step": work.step, "generator": work.generator_kind, "student": work.student_kind, "altered": work.altered,
           "predict": work.predict}[case.kind]
    serve(lambda: [one() for _ in range(case.units)])


main()
