"""Distils a PyTorch module: the output of one of its layers is the feature, and autograd supplies the gradient.

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
    """images [n,1,32,32] -> logits [n,10]"""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Conv2d(16, 120, 5)
        self.features = nn.Flatten()
        self.fc1, self.fc2 = nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.conv1(images)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(self.features(F.relu(self.conv3(x))))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()

    module = LeNet5()
    state = dafl.Network.load(TEACHER).state_dict()
    module.load_state_dict({name: torch.tensor(values) for name, values in state.items()})

    result = dafl.distill(dafl.torch.Teacher(module, feature="features"), input_shape=(1, 32, 32), student="lenet5-half",
                          steps=options.steps)
    images, logits = result.generate(1000)
    agreement = result.student.evaluate(images, logits.argmax(1))
    print(f"teacher and student agree on {agreement:.1%} of 1,000 generated images")


if __name__ == "__main__":
    main()
