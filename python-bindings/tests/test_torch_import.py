"""PyTorch's modules as networks of the library, and as teachers that run so."""

import importlib.util
import json
import logging

import numpy as np
import pytest

import dafl
from conftest import SMALL

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
from torch import nn  # noqa: E402

RNG = np.random.default_rng(0)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.norm2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)

    def forward(self, x):
        return torch.relu(x + self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x))))))


class SqueezeExcite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.expand(torch.relu(self.reduce(x.mean((2, 3), keepdim=True)))))


def ending() -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)]


BUILDERS = {
    "norm": lambda: nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), *ending()),
    "residual": lambda: nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), Residual(), nn.MaxPool2d(2), *ending()),
    "depthwise": lambda: nn.Sequential(nn.Conv2d(1, 8, 1), nn.ReLU6(), nn.Conv2d(8, 8, 3, groups=8), nn.Hardswish(), *ending()),
    "squeeze": lambda: nn.Sequential(nn.Conv2d(1, 8, 3), nn.SiLU(), SqueezeExcite(), *ending(), nn.Softmax(1)),
    "log": lambda: nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), *ending(), nn.LogSoftmax(1)),
    "lenet": lambda: nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.Tanh(), nn.Flatten(),
                                   nn.Linear(128, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 4)),
}


EXPORTERS = ["_scripted", "_traced"] if importlib.util.find_spec("onnxscript") else ["_scripted"]


def exported(model: nn.Module, exporter: str) -> dafl.Network:
    from dafl import _torch_import
    with torch.no_grad(), _torch_import._quiet():
        return dafl.Network.from_onnx(getattr(_torch_import, exporter)(model.eval(), torch.cat([rows(1)] * 2)))


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("layer, kind", [
    (lambda: nn.GroupNorm(4, 8), "group_norm"), (lambda: nn.GroupNorm(8, 8), "group_norm"),
    (lambda: nn.GroupNorm(2, 8, affine=False), "group_norm"), (lambda: nn.LocalResponseNorm(5, alpha=0.5, beta=0.6, k=2), "lrn")])
def test_what_exporters_spell_out_is_one_layer(exporter, layer, kind):
    """By itself, and in a student of half the width."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), layer(), nn.ReLU(), nn.Conv2d(8, 8, 3), *ending())
    for values in model.parameters():
        values.data.normal_()
    network = exported(model, exporter)
    kinds = [node["kind"] for node in json.loads(network.info.architecture)["nodes"]]
    assert kinds.count(kind) == 1 and not {"instance_norm", "constant", "average_pool", "divide"} & set(kinds)
    given = rows(7)
    with torch.no_grad():
        assert np.allclose(network.predict(given.numpy()), model(given).numpy(), rtol=1e-4, atol=1e-4)
    student = dafl.Distillation(network, **SMALL | {"student": "half"}).student()
    assert student.info.parameters < network.info.parameters / 1.9


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_an_even_window_is_refused_in_a_sentence(exporter):
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.LocalResponseNorm(4), *ending())
    with pytest.raises(dafl.Error, match="an even number"):
        exported(model, exporter)


def module(name: str) -> nn.Module:
    """[n,1,16,16] to [n,4], with statistics from a few batches of training."""
    torch.manual_seed(0)
    built = BUILDERS[name]()
    for _ in range(3):
        built(2 * torch.randn(16, 1, 16, 16) + 1)
    return built


def rows(count: int = 5) -> torch.Tensor:
    return torch.tensor(RNG.standard_normal((count, 1, 16, 16), np.float32))


@pytest.mark.parametrize("name", BUILDERS)
def test_a_module_as_a_network(name, capfd, recwarn):
    model = module(name)
    before = {key: values.clone() for key, values in model.state_dict().items()}
    network = dafl.torch.import_module(model, rows())
    assert capfd.readouterr() == ("", "") and not recwarn.list
    assert model.training and all(torch.equal(values, before[key]) for key, values in model.state_dict().items())
    given = rows(7)
    found = (network.predict_proba if name in ("squeeze", "log") else network.predict)(given.numpy())
    found = np.log(found) if name == "log" else found
    with torch.no_grad():
        assert np.allclose(found, model.eval()(given).numpy(), atol=1e-5)
    kept = sum(isinstance(part, nn.BatchNorm2d) for part in model.modules())
    assert sum(key.endswith("running_mean") for key in network.state_dict()) == kept


@pytest.mark.parametrize("name", [name for name in BUILDERS if name != "squeeze"])
def test_one_step_is_that_of_the_module_in_pytorch(name):
    """The losses of the second step depend on the generator's gradient of the first, and so on all of the module's."""
    model = module(name)
    last = next(index for index in reversed(range(len(model))) if isinstance(model[index], nn.Linear))
    options = SMALL | {"student": "mlp-256-8-4", "steps": 2, "augmentation": 0.0}
    found = []
    for run in ("torch", "here"):
        teacher = dafl.torch.Teacher(model, feature=str(last - 1), input_shape=(1, 16, 16), run=run)
        distillation = dafl.Distillation(teacher, **options)
        found.append([distillation.step() for _ in range(2)])
    for torchs, heres in zip(*found, strict=True):
        for loss in ("one_hot_loss", "activation_loss", "entropy_loss", "regularizer_loss", "distillation_loss"):
            assert getattr(heres, loss) == pytest.approx(getattr(torchs, loss), rel=2e-3, abs=1e-5), loss


def test_where_a_teacher_runs(caplog):
    caplog.set_level(logging.INFO, "dafl")
    model = module("norm")

    def told(**options: object) -> str:
        caplog.clear()
        dafl.Distillation(dafl.torch.Teacher(model, input_shape=(1, 16, 16), **options), **SMALL | {"student": "mlp-256-8-4"})
        return " ".join(record.getMessage() for record in caplog.records)

    assert "runs as a network" in told(feature="4")
    assert "runs as a network" in told(run="here")
    assert "runs as a network" in told()
    assert "not the input of its last linear layer" in told(feature="2")
    assert "batch normalisation" in told(feature="4", batch_norm_statistics=False)
    assert "network" not in told(feature="4", run="torch")
    hook = model[2].register_forward_hook(lambda *_: None)
    assert "it has hooks" in told(feature="4")
    hook.remove()
    with pytest.raises(ValueError, match="last linear layer"):
        told(feature="2", run="here")
    with pytest.raises(ValueError, match="run must be"):
        told(run="there")


def test_a_module_that_pytorch_cannot_export(capfd, caplog):
    """It runs in PyTorch, and nothing is printed, not by PyTorch's C code either."""
    class Bessel(nn.Module):
        def forward(self, x):
            return torch.special.i0(x.flatten(1)[:, :4] / 4)

    caplog.set_level(logging.INFO, "dafl")
    is_logging = torch._C._jit_is_onnx_log_enabled()
    with pytest.raises(ValueError, match="cannot be imported"):
        dafl.torch.import_module(Bessel(), rows())
    dafl.Distillation(dafl.torch.Teacher(Bessel(), input_shape=(1, 16, 16)), **SMALL | {"student": "mlp-256-8-4"})
    assert capfd.readouterr() == ("", "") and "runs in PyTorch: the module cannot be imported" in caplog.text
    assert torch._C._jit_is_onnx_log_enabled() == is_logging


def test_a_module_that_no_layers_stand_for():
    class Arc(nn.Module):
        def forward(self, x):
            return torch.atan(x.flatten(1)[:, :4])

    with pytest.raises(ValueError, match="cannot be imported: .*Atan"):
        dafl.torch.import_module(Arc(), rows())
    with pytest.raises(TypeError, match="torch.nn.Module"):
        dafl.torch.import_module(len, rows())


def test_a_module_that_branches_on_the_images():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(12, 3)

        def forward(self, x):
            x = x.flatten(1)
            return self.layer(x) if x.sum() > 0 else self.layer(-x)

    for seed in range(6):
        torch.manual_seed(seed)
        with pytest.raises(ValueError, match="cannot be imported"):
            dafl.torch.import_module(Two().eval(), torch.randn(4, 3, 2, 2))


def test_a_module_that_answers_with_more():
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = module("lenet")

        def forward(self, x):
            return {"loss": x.sum(), "scores": self.body(x)}

    model, given = Named(), rows()
    network = dafl.torch.import_module(model, given, output="scores")
    with torch.no_grad():
        assert np.allclose(network.predict(given.numpy()), model.eval()(given)["scores"].numpy(), atol=1e-5)
