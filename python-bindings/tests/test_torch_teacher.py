"""PyTorch modules as teachers: what the library is told is what the module says, and the module stays as it was."""

import numpy as np
import pytest

import dafl
from conftest import SMALL

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
from torch import nn  # noqa: E402

QUIET = SMALL | {"progress": False}


def module(activation: nn.Module | None = None) -> nn.Module:
    """[n,1,8,8] to [n,4] with a hidden layer of 16, a dropout and a normalisation that only training shows."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), activation or nn.ReLU(), nn.BatchNorm1d(16), nn.Dropout(),
                         nn.Linear(16, 4))


def images(count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 1, 8, 8), np.float32)


def test_the_sizes_are_found():
    teacher = dafl.torch.Teacher(module(), feature="2", input_shape=(1, 8, 8))
    assert (teacher.input_shape, teacher.classes, teacher.features) == ((1, 8, 8), 4, 16)
    assert dafl.torch.Teacher(module(), input_shape=(1, 8, 8)).features == 0


def test_answers_and_features_are_the_modules():
    model = module()
    logits, features = dafl.torch.Teacher(model, feature="2", input_shape=(1, 8, 8)).forward(images())
    with torch.no_grad():
        model.eval()
        assert torch.equal(logits, model(torch.tensor(images())))
        assert torch.equal(features, model[:3](torch.tensor(images())))


def test_features_of_images_are_flattened():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 4))
    assert dafl.torch.Teacher(model, feature="1", input_shape=(1, 8, 8)).features == 3 * 6 * 6


@pytest.mark.parametrize("feature, activation", [(None, nn.ReLU()), ("2", nn.ReLU()), ("1", nn.ReLU(inplace=True))])
def test_a_distillation_compares_the_gradient_with_finite_differences(feature, activation):
    """Were it wrong, the library would refuse the teacher."""
    result = dafl.distill(dafl.torch.Teacher(module(activation), feature=feature, run="torch"), input_shape=(1, 8, 8), **QUIET)
    assert result.last.step == 4
    assert (result.last.activation_loss != 0) == (feature is not None)


def test_the_module_stays_as_it_was():
    model = module()
    model[3].eval()
    model[1].weight.requires_grad_(False)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    dafl.distill(dafl.torch.Teacher(model, feature="2"), input_shape=(1, 8, 8), **QUIET)
    assert [part.training for part in model] == [True, True, True, False, True, True] and model.training
    assert [parameter.requires_grad for parameter in model.parameters()] == [False] + [True] * 5
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
    assert not any(part._forward_hooks for part in model.modules())


def statistical() -> nn.Module:
    """[n,2,6,6] to [n,4], with two layers of batch normalisation that know what they were trained on."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 6), nn.BatchNorm1d(6),
                          nn.ReLU(), nn.Linear(6, 4))
    for layer in (model[0], model[5]):
        layer.running_mean.normal_()
        layer.running_var.uniform_(0.5, 2)
    return model


def test_the_regularizer_compares_batch_norm_statistics():
    model = statistical()
    teacher = dafl.torch.Teacher(model, input_shape=(2, 6, 6))
    x = torch.tensor(np.random.default_rng(0).standard_normal((9, 2, 6, 6), np.float32))
    model.eval()
    expected = 0.0
    for layer, values in ((model[0], x.numpy()), (model[5], model[:5](x).detach().numpy())):
        axes = (0,) + tuple(range(2, values.ndim))
        expected += np.linalg.norm(values.mean(axes) - layer.running_mean.numpy())
        expected += np.linalg.norm(values.var(axes) - layer.running_var.numpy())
    assert np.isclose(teacher.regularizer(x.numpy())[0], expected, rtol=1e-5)


def test_the_regularizer_takes_part():
    """Were its gradient wrong, the library would refuse the teacher."""
    model = statistical()
    before = {name: values.clone() for name, values in model.state_dict().items()}
    options = QUIET | {"student": "mlp-72-8-4", "input_shape": (2, 6, 6)}
    result = dafl.distill(dafl.torch.Teacher(model, run="torch"), regularizer_weight=0.5, **options)
    last = result.last
    assert np.isclose(last.generator_loss, last.one_hot_loss + 0.1 * last.activation_loss + 5 * last.entropy_loss
                      + 0.5 * last.regularizer_loss)
    assert last.regularizer_loss > 0
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
    assert model.training and not any(part._forward_pre_hooks for part in model.modules())

    without = dafl.distill(dafl.torch.Teacher(model, batch_norm_statistics=False, run="torch"), **options)
    assert without.last.regularizer_loss == 0


def test_without_kept_statistics_there_is_no_regularizer():
    assert dafl.torch.Teacher(nn.Linear(64, 4), input_shape=(64, 1, 1)).regularizer is None
    forgetful = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64, track_running_stats=False), nn.Linear(64, 4))
    assert dafl.torch.Teacher(forgetful, input_shape=(1, 8, 8)).regularizer is None


def test_batch_norm_that_nobody_can_watch_is_told():
    class Detached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.last = nn.BatchNorm1d(64), nn.Linear(64, 4)

        def forward(self, given):
            with torch.no_grad():
                self.norm(input=given.flatten(1))
            return self.last(given.flatten(1))

    teacher = dafl.torch.Teacher(Detached(), input_shape=(1, 8, 8))
    with pytest.warns(UserWarning, match="batch normalisation"):
        value, gradient = teacher.regularizer(images())
    assert value == 0 and not gradient.any()


def test_images_are_not_copied_on_the_way_to_the_module():
    seen = []

    class Recorder(nn.Module):
        def forward(self, given):
            seen.append(given.data_ptr())
            return given.flatten(1)[:, :4]

    teacher = dafl.torch.Teacher(Recorder(), input_shape=(1, 8, 8))
    given = images()
    given.flags.writeable = False
    teacher.forward(given)
    assert seen[-1] == given.ctypes.data


def test_a_module_that_writes_into_its_input_gets_a_copy():
    class Doubler(nn.Module):
        def forward(self, given):
            return given.mul_(2).flatten(1)[:, :4]

    teacher = dafl.torch.Teacher(Doubler(), input_shape=(1, 8, 8))
    given = images()
    assert np.array_equal(teacher.forward(given), 2 * given.reshape(5, 64)[:, :4])
    assert np.array_equal(given, images())
    gradient = teacher.backward(given, np.ones((5, 4), np.float32), None).numpy().reshape(5, 64)
    assert (gradient[:, :4] == 2).all() and (gradient[:, 4:] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(dtype):
    teacher = dafl.torch.Teacher(module().to(dtype), feature="2", input_shape=(1, 8, 8))
    logits, features = teacher.forward(images())
    gradient = teacher.backward(images(), logits.numpy(), features.numpy())
    assert logits.dtype == features.dtype == gradient.dtype == torch.float32 and gradient.shape == (5, 1, 8, 8)


def test_vectors_come_as_rows():
    result = dafl.distill(dafl.torch.Teacher(nn.Linear(64, 4)), input_shape=(64, 1, 1), **QUIET)
    assert result.generate(3)[0].shape == (3, 64, 1, 1)


def test_pairs_and_objects_with_logits():
    class Pair(nn.Module):
        def forward(self, given):
            return given.flatten(1)[:, :4], given.flatten(1)

    class Wrapped(nn.Module):
        def forward(self, given):
            return type("Output", (), {"logits": given.flatten(1)[:, :4]})()

    pair = dafl.torch.Teacher(Pair(), input_shape=(1, 8, 8))
    assert (pair.classes, pair.features) == (4, 64)
    assert dafl.torch.Teacher(Wrapped(), input_shape=(1, 8, 8)).classes == 4


def test_what_does_not_fit_is_told():
    with pytest.raises(ValueError, match="'fc9' is none of 0, 1, 2"):
        dafl.torch.Teacher(module(), feature="fc9")
    with pytest.raises(ValueError, match="4 classes, not 10"):
        dafl.torch.Teacher(module(), input_shape=(1, 8, 8), classes=10)
    wrong = dafl.torch.Teacher(module(), classes=10)
    for _ in range(2):
        with pytest.raises(ValueError, match="4 classes, not 10"):
            dafl.distill(wrong, input_shape=(1, 8, 8), **QUIET)
    with pytest.raises(ValueError, match="input shape is not known"):
        dafl.distill(dafl.torch.Teacher(module()), **QUIET)
    with pytest.raises(ValueError, match=r"\[2, n\]"):
        dafl.torch.Teacher(nn.Identity(), input_shape=(1, 8, 8))
    with pytest.raises(RuntimeError, match="shape"):  # PyTorch's own words
        dafl.torch.Teacher(module(), input_shape=(1, 9, 9))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_a_gpu():
    model = module().cuda()
    result = dafl.distill(dafl.torch.Teacher(model, feature="2"), input_shape=(1, 8, 8), **QUIET)
    assert result.last.step == 4 and next(model.parameters()).is_cuda
