"""Modules as people have them: each is a teacher like the plain one inside it, or one sentence says why not."""

import collections
import dataclasses
import logging

import numpy as np
import pytest

import dafl
from conftest import SMALL

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
from torch import nn  # noqa: E402

QUIET = SMALL | {"progress": False, "input_shape": (1, 8, 8)}
Pair = collections.namedtuple("Pair", "logits aux")


@dataclasses.dataclass
class Output:
    loss: object
    logits: object


def base() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))


def images(count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 1, 8, 8), np.float32)


class Returns(nn.Module):
    """The base with its logits [n,4] and hidden activations [n,16] wrapped."""

    def __init__(self, wrap) -> None:
        super().__init__()
        self.base, self.wrap = base(), wrap

    def forward(self, given):
        hidden = self.base[:3](given)
        return self.wrap(self.base[3](hidden), hidden)


class Unfollowed(Returns):
    @torch.no_grad()
    def forward(self, given):
        return super().forward(given)


class Inferring(Returns):
    @torch.inference_mode()
    def forward(self, given):
        return super().forward(given)


def exported(count: int | None = None) -> nn.Module:
    batch = {0: torch.export.Dim("n", min=1, max=4096)} if count is None else None
    return torch.export.export(base().eval(), (torch.zeros(count or 2, 1, 8, 8),), dynamic_shapes=batch and (batch,)).module()


def made_in_inference_mode() -> nn.Module:
    with torch.inference_mode():
        return base()


def untrained(module: nn.Module) -> nn.Module:
    return module.requires_grad_(False)


def logits_only(logits, hidden):
    return logits


MODULES = {
    "dictionary": lambda: Returns(lambda logits, hidden: {"loss": logits.sum(), "logits": logits}),
    "only value": lambda: Returns(lambda logits, hidden: {"scores": logits}),
    "list": lambda: Returns(lambda logits, hidden: [logits, hidden]),
    "three": lambda: Returns(lambda logits, hidden: (logits, hidden, hidden)),
    "pair with None": lambda: Returns(lambda logits, hidden: (logits, None)),
    "pair with a loss": lambda: Returns(lambda logits, hidden: (logits, logits.sum())),
    "namedtuple": lambda: Returns(lambda logits, hidden: Pair(logits, hidden)),
    "dataclass": lambda: Returns(lambda logits, hidden: Output(None, logits)),
    "squeezed": lambda: Returns(lambda logits, hidden: logits.squeeze()),
    "axes left": lambda: Returns(lambda logits, hidden: logits[:, :, None, None]),
    "exported": exported,
    "scripted": lambda: torch.jit.script(base()),
    "traced": lambda: torch.jit.trace(base(), torch.zeros(2, 1, 8, 8)),
    "frozen": lambda: torch.jit.freeze(torch.jit.script(base().eval())),
    "compiled": lambda: torch.compile(base(), backend="eager"),
    "parallel": lambda: nn.DataParallel(base()),
    "channels last": lambda: base().to(memory_format=torch.channels_last),
    "no gradients wanted": lambda: untrained(base()),
    "made in inference mode": made_in_inference_mode,
}
BLACK_BOXES = {
    "no_grad": lambda: Unfollowed(logits_only),
    "inference_mode": lambda: Inferring(logits_only),
    "NumPy": lambda: Returns(lambda logits, hidden: logits.detach().numpy()),
    "rounded": lambda: Returns(lambda logits, hidden: (logits * 1000).round() / 1000),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*is deprecated:FutureWarning")
@pytest.mark.parametrize("name", [*MODULES, *BLACK_BOXES])
def test_it_is_a_teacher_like_the_plain_module(name):
    teacher = dafl.torch.Teacher((MODULES | BLACK_BOXES)[name](), input_shape=(1, 8, 8))
    plain = dafl.torch.Teacher(base(), input_shape=(1, 8, 8))
    assert (teacher.classes, teacher.features) == (4, 0) and (teacher.backward is None) == (name in BLACK_BOXES)
    for count in (5, 1):
        given = images(count)
        assert np.allclose(as_array(teacher.forward(given)).reshape(count, 4), as_array(plain.forward(given)), atol=1e-3)
        if teacher.backward is not None:
            weights = np.arange(4 * count, dtype=np.float32).reshape(count, 4)
            assert np.allclose(teacher.backward(given, weights, None), plain.backward(given, weights, None), atol=1e-5)
    assert dafl.distill(teacher, **QUIET).last.step == 4


def as_array(values) -> np.ndarray:
    return np.asarray(values, np.float32)


def test_what_autograd_cannot_follow_is_logged(caplog):
    with caplog.at_level(logging.INFO, logger="dafl"):
        dafl.torch.Teacher(Unfollowed(logits_only), input_shape=(1, 8, 8))
    assert "without backward" in caplog.text


@pytest.mark.parametrize("wrap", [lambda logits, hidden: (logits, hidden[:, :, None, None]),
                                  lambda logits, hidden: (logits, hidden.reshape(-1, 4, 2, 2))])
def test_features_of_more_axes_are_flattened(wrap):
    teacher = dafl.torch.Teacher(Returns(wrap), input_shape=(1, 8, 8))
    expected = dafl.torch.Teacher(base(), feature="2", input_shape=(1, 8, 8))
    for given, right in zip(teacher.forward(images()), expected.forward(images()), strict=True):
        assert torch.equal(given, right)
    gradients = np.ones((5, 4), np.float32), np.ones((5, 16), np.float32)
    assert torch.allclose(teacher.backward(images(), *gradients), expected.backward(images(), *gradients), atol=1e-6)
    assert dafl.distill(teacher, **QUIET).last.activation_loss < 0


def test_features_that_autograd_cannot_follow_have_no_gradient():
    teacher = dafl.torch.Teacher(Returns(lambda logits, hidden: (logits, hidden.detach())), input_shape=(1, 8, 8))
    weights = np.ones((5, 4), np.float32)
    plain = dafl.torch.Teacher(base(), input_shape=(1, 8, 8))
    assert torch.equal(teacher.backward(images(), weights, np.ones((5, 16), np.float32)), plain.backward(images(), weights, None))


@pytest.mark.parametrize("output", ["scores", 1])
def test_the_output_can_be_said(output):
    module = Returns(lambda logits, hidden: {"hidden": hidden, "scores": logits})
    with pytest.raises(ValueError, match="'hidden', 'scores'.*output="):
        dafl.torch.Teacher(module, input_shape=(1, 8, 8))
    teacher = dafl.torch.Teacher(module, output=output, input_shape=(1, 8, 8))
    assert torch.equal(teacher.forward(images()), dafl.torch.Teacher(base(), input_shape=(1, 8, 8)).forward(images()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_answers_of_another_precision_are_float32(dtype):
    teacher = dafl.torch.Teacher(Returns(lambda logits, hidden: (logits.to(dtype), hidden.to(dtype))), input_shape=(1, 8, 8))
    assert all(part.dtype == torch.float32 for part in teacher.forward(images()))
    plain = dafl.torch.Teacher(base(), input_shape=(1, 8, 8))
    assert torch.allclose(teacher.forward(images())[0], plain.forward(images()), atol=0.02)


@pytest.mark.parametrize("shape", [lambda logits, hidden: logits[:, :1], lambda logits, hidden: logits[:, 0],
                                   lambda logits, hidden: logits[:, :1].squeeze()])
def test_one_logit_is_of_two_classes(shape):
    teacher = dafl.torch.Teacher(Returns(shape), input_shape=(1, 8, 8), classes=2)
    assert teacher.classes == 1
    plain = dafl.torch.Teacher(base(), input_shape=(1, 8, 8))
    weights = np.float32([[1, 0, 0, 0]] * 5)
    assert torch.equal(teacher.forward(images())[:, 0], plain.forward(images())[:, 0])
    assert torch.allclose(teacher.backward(images(), weights[:, :1], None), plain.backward(images(), weights, None))


def test_one_logit_distils():
    teacher = dafl.torch.Teacher(Returns(lambda logits, hidden: logits[:, 0]))
    assert dafl.distill(teacher, **QUIET | {"student": "mlp-64-8-2"}).last.step == 4


def test_inference_mode_makes_no_difference():
    def student() -> dict:
        model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), *base()[1:])
        return dafl.distill(dafl.torch.Teacher(model, feature="3"), **QUIET).student.state_dict()

    outside = student()
    with torch.inference_mode():
        inside = student()
        assert torch.is_inference_mode_enabled()
    assert all(np.array_equal(inside[name], outside[name]) for name in outside)


@pytest.mark.parametrize("wrap", [lambda module: torch.compile(module, backend="eager"), nn.DataParallel])
def test_features_and_statistics_inside_a_wrapper(wrap):
    def model() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))

    wrapped = dafl.torch.Teacher(wrap(model()), feature="3", input_shape=(1, 8, 8))
    plain = dafl.torch.Teacher(model(), feature="3", input_shape=(1, 8, 8))
    assert torch.equal(wrapped.forward(images())[1], plain.forward(images())[1])
    assert wrapped.regularizer(images())[0] == plain.regularizer(images())[0] > 0
    without_feature = dafl.torch.Teacher(wrap(model()), input_shape=(1, 8, 8))
    assert without_feature.regularizer(images())[0] == plain.regularizer(images())[0]


@pytest.mark.parametrize("module, kind, words", [
    (lambda: Returns(lambda logits, hidden: logits.argmax(1)), ValueError, "whole numbers"),
    (lambda: Returns(lambda logits, hidden: "four"), TypeError, "returned str"),
    (lambda: Returns(lambda logits, hidden: logits.reshape(-1, 2, 2)), ValueError, r"\[2, n\], not \[2, 2, 2\]"),
    (lambda: base().to("meta"), ValueError, "meta"),
    (lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(4)), ValueError, "sizes are not known"),
    (lambda: exported(3), ValueError, "dynamic_shapes"),
    (lambda: torch.export.export(base(), (torch.zeros(2, 1, 8, 8),)), TypeError, r"give its module\(\)"),
    (lambda: lambda images: images, TypeError, "not function"),
])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_no_teacher_is_one_sentence(module, kind, words):
    with pytest.raises(kind, match=words) as raised:
        dafl.torch.Teacher(module(), input_shape=(1, 8, 8))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("gradients", ["teacher", "student"])
def test_a_softmax_at_the_end_is_noticed(gradients):
    """The student learns as from the logits before it."""
    agreements = []
    options = QUIET | {"steps": 150, "batch_size": 64, "replay_capacity": 6400, "student_steps": 5, "gradients": gradients}
    rows = images(2000)
    for module in (base(), nn.Sequential(base(), nn.Softmax(1))):
        student = dafl.distill(dafl.torch.Teacher(module), **options).student
        with torch.no_grad():
            agreements.append((student.predict(rows).argmax(1) == base()(torch.tensor(rows)).argmax(1).numpy()).mean())
    assert agreements[1] > agreements[0] - 0.03
