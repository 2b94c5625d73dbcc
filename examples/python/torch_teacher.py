"""Distils a PyTorch module: autograd supplies the gradient that the library asks of a teacher.

    PYTHONPATH=python-bindings python examples/python/torch_teacher.py --steps 50        # after make lib
"""

import argparse
from pathlib import Path

import dafl

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError:
    print("This example needs PyTorch, which is not installed: pip install torch")
    raise SystemExit(0)

TEACHER = Path(__file__).resolve().parents[1] / "teachers" / "lenet5-mnist.safetensors"


class LeNet5(nn.Module):
    """images [n,1,32,32] -> logits [n,10] and features [n,120], the activations before the first linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Conv2d(16, 120, 5)
        self.fc1, self.fc2 = nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = F.max_pool2d(F.relu(self.conv1(images)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        features = F.relu(self.conv3(x)).flatten(1)
        return self.fc2(F.relu(self.fc1(features))), features


def teacher_of(module: nn.Module) -> dafl.Teacher:
    """`module`, which answers logits and features, as the library's teacher."""
    module.eval().requires_grad_(False)

    def forward(images):
        return module(torch.tensor(images))

    def backward(images, logits_gradient, features_gradient):
        images = torch.tensor(images, requires_grad=True)
        gradients = torch.tensor(logits_gradient), torch.tensor(features_gradient)
        return torch.autograd.grad(module(images), images, gradients)[0]

    return dafl.Teacher(forward, backward, input_shape=(1, 32, 32), classes=10, features=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()

    module = LeNet5()
    state = dafl.Network.load(TEACHER).state_dict()
    module.load_state_dict({name: torch.tensor(values) for name, values in state.items()})

    distillation = dafl.Distillation(teacher_of(module), student="lenet5-half", steps=options.steps)
    distillation.run(lambda progress: print(f"\rstep {progress.step} of {progress.steps}, "
                                            f"agreement {progress.agreement:.1%}", end="", flush=True))
    student = distillation.student()
    images, logits = distillation.generate(1000)
    agreement = student.evaluate(images, logits.argmax(1))
    print(f"\nteacher and student agree on {agreement:.1%} of 1,000 generated images")


if __name__ == "__main__":
    main()
