"""PyTorch modules as teachers. PyTorch is imported when the first one is made."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from ._adapter import Adapter, Backward, as_model_input
from ._arrays import FloatArray, unlocked
from ._optional import require
from ._outputs import as_features, as_logits, logits_and_second
from ._units import InputUnits
from .network import Network

if TYPE_CHECKING:
    import torch
    from typing_extensions import Unpack

_logger = logging.getLogger("dafl")


def import_module(module: torch.nn.Module, example: Any, *, output: str | int | None = None) -> Network:
    """The same classifier as a network of this library, with a copy of the weights::

        network = dafl.torch.import_module(model, torch.randn(1, 3, 32, 32))

    `module` is exported to ONNX in memory, in eval mode, and stays as it is. `example` is a batch of images as the module takes
    them, [count, channels, height, width] or [count, d], a tensor or an array, best some of which it was made for: about them
    and noise like them, network and module must say the same to 1e-3 of the largest answer. `output` is as for `Teacher`. Batch
    normalisation stays, with its statistics. Tensors have the names that PyTorch's exporter gives them.

    ValueError, which says why, for a module that PyTorch cannot export, that has an operator which no layer stands for, or whose
    network answers otherwise; TypeError for what is no module; ImportError without PyTorch or the package "onnx".
    """
    torch = require("torch", "torch", "dafl.torch")
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, not {type(module).__name__}")
    require("onnx", "onnx", "dafl.torch.import_module")  # PyTorch's exporters need it
    from ._torch_import import imported
    tensor = next((one for one in [*module.parameters(), *module.buffers()] if one.is_floating_point()), torch.zeros(0))
    with torch.inference_mode(False), torch.no_grad(), evaluating(module):
        images = torch.as_tensor(example).detach().clone().to(device=tensor.device, dtype=tensor.dtype)
        if images.ndim < 2 or not len(images):
            raise ValueError(f"example must be a batch of images [count, ...], not {list(images.shape)}")
        return imported(module, images, output)


class Teacher(Adapter):
    """A PyTorch module as a teacher, with gradients by autograd, and with what its batch normalisation remembers::

        teacher = dafl.torch.Teacher(model, feature="fc1", input_shape=(1, 32, 32))

    `module` takes images [count, channels, height, width], or [count, d] when `input_shape` is (d, 1, 1), and returns
    logits [count, classes] or a pair (logits, features), whose features may have any number of axes. Of lists and longer tuples
    the first is the logits, of dictionaries and objects, as those of transformers, "logits", "out", "output" or the only one, and
    else `output` is its name or index. One logit or sigmoid an image, [count, 1] or [count], of two classes, will do.
    `answers` says what they are: "logits", "probabilities", "labels", or "auto" (default), as in `dafl.Teacher`.

    `feature` names the submodule whose output, flattened to [count, features], is the feature: best the activations before the
    last linear layer. `input_shape` may be given to `dafl.distill` instead; `classes` and the number of features are found by
    querying the module about two images, and `classes` is compared where given.

    Images have about mean 0 and deviation 1 in each channel, unless `input_mean` and `input_deviation` or `input_range` say
    the module's own units: see `dafl.InputUnits`.

    The module stays as it is: on its device, with its numbers, gradients and `training` flags; it is put in eval mode
    during calls only, if it has one: those of `torch.export` have not. `device` is where images are sent; left out, where the
    module's parameters are. Images are not copied on the way to a module on the CPU, unless it writes into its input.

    What the module returns must depend on the image alone. Dropout that eval mode does not switch off, such as
    `torch.nn.functional.dropout(x)` without `training=self.training`, makes it return something else each time: its gradient is
    then not that of the answers.

    Modules scripted, frozen, exported, compiled, in `DataParallel` or in half precision will do, and so will ones whose answers
    autograd cannot follow, as they come from NumPy or `torch.no_grad()`: these are only queried, as a teacher without `backward`,
    and the log says so. It makes no difference whether the program is in `torch.inference_mode()`.

    Where the module has batch normalisation with statistics kept from training, the generator learns to make images that give
    its layers the same ones: the teacher's regularizer is R = sum over those layers of norm2(mean - kept mean) +
    norm2(variance - kept variance), of each layer's input (DeepInversion, Yin et al., CVPR 2020, equation 4). Its weight is the
    option `regularizer_weight`; `batch_norm_statistics=False` leaves it out.

    `run` says where the module works during a distillation. "torch": in PyTorch, as it is. "here": as a network of this library,
    a copy that `import_module` makes when a distillation is created. That is faster on a CPU, lets the student be a share of the
    module's own graph, and gives features, the last linear layer's input, without `feature`; ValueError where it cannot be. None
    (default): "here" where the copy is the same teacher, with the same answers, batch normalisation and, where it has some,
    features, and the module is on the CPU in float32 without hooks; else "torch", where without `feature` there are none. The
    log says which, and why.

    A module in half precision rounds too coarsely for its gradient to be compared with finite differences, and may be refused
    for it: let such a one only be queried, with the option `gradients="student"`.

    ValueError when there is no such submodule or output, the sizes do not fit, or the module is on the device "meta"; TypeError
    for what is no module or returns no tensors; ImportError without PyTorch.
    """

    def __init__(self, module: torch.nn.Module, feature: str | None = None, *, input_shape: Sequence[int] | None = None,
                 classes: int | None = None, output: str | int | None = None, answers: str = "auto",
                 device: torch.device | str | None = None, batch_norm_statistics: bool = True, run: str | None = None,
                 **input_units: Unpack[InputUnits]) -> None:
        self._torch = require("torch", "torch", "dafl.torch")
        if not isinstance(module, self._torch.nn.Module):
            hint = ": give its module()" if type(module).__name__ == "ExportedProgram" else ""
            raise TypeError(f"module must be a torch.nn.Module, not {type(module).__name__}{hint}")
        if run not in (None, "here", "torch"):
            raise ValueError(f"run must be \"here\", \"torch\" or None, not {run!r}")
        self._where = run
        # What torch.compile makes of a module runs none of the hooks that see its features and batch normalisation.
        self._watched: torch.nn.Module = getattr(module, "_orig_mod", module)
        self._module = module if feature is None else self._watched
        self._output = output
        self._feature = None if feature is None else _submodule(module, feature)
        tensors = [*module.parameters(), *module.buffers()]
        if any(tensor.device.type == "meta" for tensor in tensors):
            raise ValueError("the module is on the device \"meta\", where tensors have no numbers: load its weights first")
        numbers = next((tensor for tensor in tensors if tensor.is_floating_point()), self._torch.zeros(0))
        self._device = numbers.device if device is None else device
        self._dtype = numbers.dtype
        if any(self._torch.nn.parameter.is_lazy(tensor) for tensor in tensors):
            raise ValueError("the module has layers whose sizes are not known yet: run it on an image or load its weights first")
        self._was_made_in_inference_mode = any(tensor.is_inference() for tensor in tensors)
        self._writes_input = False
        self._norms = self._kept_statistics() if batch_norm_statistics else []
        super().__init__(self._answer, self._gradient, input_shape=input_shape, classes=classes, answers=answers,
                         regularizer=self._distance_of_statistics if self._norms else None, **input_units)

    def as_network(self) -> Network | None:
        """The module as a network of the library, which takes its place in a distillation; None where PyTorch runs it."""
        if self._where == "torch":
            return None
        try:
            if self._where is None:
                self._require_plain()
            network = self._imported()
        except (ValueError, ImportError) as error:
            if self._where == "here":
                raise
            _logger.info("the teacher runs in PyTorch: %s", error)
            return None
        _logger.info("the teacher runs as a network of the library, imported from PyTorch")
        return network

    def _require_plain(self) -> None:
        """ValueError, which says why, for a module that has something to itself which an imported one has not."""
        if str(self._device) != "cpu" or self._dtype != self._torch.float32:
            raise ValueError(f"it is on {self._device} in {self._dtype}")
        if self.backward is None:
            raise ValueError("it is only to be queried")
        hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
        if any(getattr(part, name, None) for part in self._watched.modules() for name in hooks):
            raise ValueError("it has hooks")

    def _imported(self) -> Network:
        """ValueError, which says why, where no network is the same teacher."""
        if self.answers == "labels":
            raise ValueError("it gives labels")
        noise = np.random.default_rng(0).standard_normal((4, *self.input_shape), np.float32)
        if self.units is not None:
            low, high = self.units.range or (0, 0)
            deviation = 0.3 * (high - low) if self.units.range is not None else _of_images(self.units.deviation, noise)
            noise = noise * deviation + self.units.centre(self.input_shape)
        network = import_module(self._watched, as_model_input(noise), output=self._output)
        if self.answers == "logits" and network.info.head not in ("none", "log_softmax"):
            raise ValueError(f"its answers are said to be logits, but come out of a {network.info.head}")
        if self.answers == "probabilities" and network.info.head in ("none", "log_softmax"):
            raise ValueError("its answers are said to be probabilities, but come out of no softmax or sigmoid")
        if self.features:
            from ._torch_import import require_close
            expected = self._answer(noise)[1].cpu().numpy()
            if network.info.features != self.features:
                raise ValueError("its feature is not the input of its last linear layer")
            require_close(network.features(noise), expected, "features")
        norms = sum(name.endswith("running_mean") for name in network.state_dict())
        if norms != len(self._norms):
            raise ValueError(f"of its {len(self._norms)} layers of batch normalisation to watch, the network has {norms}")
        return network

    def _found(self, images: FloatArray, answers: str, backward: Backward | None) -> tuple[str, Backward | None]:
        if answers == "labels":
            return answers, None
        noise = np.random.default_rng(0).standard_normal(images.shape, np.float32)
        with self._differentiating():
            given = self._tensor(images + noise).to(self._dtype).requires_grad_()
            logits = self._run(given)[0]
            if getattr(logits, "requires_grad", False):
                gradient = self._torch.autograd.grad(logits.square().sum(), given, allow_unused=True)[0]
                if gradient is not None and gradient.any():  # that of rounded numbers, as in quantised modules, is 0
                    return answers, backward
        _logger.info("autograd cannot follow the module's answers back to its images: it is a teacher without backward")
        return answers, None

    def _answer(self, images: FloatArray) -> Any:
        with self._apart(), self._torch.no_grad(), self._evaluating():
            given = self._tensor(images).to(self._dtype)
            logits, features = self._run(given)
        # The query that finds the sizes comes first, so no later call writes into the library's images.
        self._writes_input = self._writes_input or given._version > 0
        return logits if features is None else (logits, features)

    def _gradient(self, images: FloatArray, logits_gradient: FloatArray, features_gradient: FloatArray | None) -> Any:
        with self._differentiating():
            given = self._tensor(images).to(self._dtype).requires_grad_()
            logits, features = self._run(given)
            outputs, gradients = [logits], [self._tensor(logits_gradient)]
            if features_gradient is not None and getattr(features, "requires_grad", False):
                outputs.append(features)
                gradients.append(self._tensor(features_gradient))
            gradient = self._torch.autograd.grad(outputs, given, gradients, materialize_grads=True)[0]
            return gradient.reshape(images.shape).float()

    def _kept_statistics(self) -> list[Any]:
        """The layers of batch normalisation that remember means and variances."""
        norm = self._torch.nn.modules.batchnorm._BatchNorm
        return [module for module in self._module.modules() if isinstance(module, norm) and module.running_mean is not None]

    def _distance_of_statistics(self, images: FloatArray) -> tuple[float, Any]:
        """R and its gradient by the images."""
        terms: list[torch.Tensor] = []
        norm2 = self._torch.linalg.vector_norm

        def compare(norm: Any, positional: tuple[torch.Tensor, ...], named: dict[str, torch.Tensor]) -> None:
            values = (positional[0] if positional else named["input"]).float().transpose(0, 1).flatten(1)  # [channels, all else]
            variance, mean = self._torch.var_mean(values, 1, correction=0)
            terms.append(norm2(mean - norm.running_mean) + norm2(variance - norm.running_var))

        hooks = [norm.register_forward_pre_hook(compare, with_kwargs=True) for norm in self._norms]
        try:
            with self._differentiating():
                given = self._tensor(images).to(self._dtype).requires_grad_()
                self._called(self._watched, given)
                distance = sum(terms, self._torch.zeros((), device=given.device))
                if distance.requires_grad:
                    gradient = self._torch.autograd.grad(distance, given)[0]
                    return distance.item(), gradient.reshape(images.shape).float()
        finally:
            for hook in hooks:
                hook.remove()
        warnings.warn("no batch normalisation that the images go through could be watched: the generator learns without its "
                      "statistics", stacklevel=2)
        return 0.0, np.zeros_like(images)

    def _called(self, module: torch.nn.Module, given: torch.Tensor) -> Any:
        if self._writes_input:
            given = given.clone()
        if self._was_made_in_inference_mode:  # autograd refuses its tensors, but not their copies
            tensors = [*module.named_parameters(), *module.named_buffers()]
            return self._torch.func.functional_call(module, {name: tensor.clone() for name, tensor in tensors}, (given,))
        try:
            return module(given)
        except AssertionError as error:
            if not str(error).startswith("Guard failed"):
                raise
            raise ValueError(f"the module was exported for other sizes than {list(given.shape)}: {error}; export it with "
                             "dynamic_shapes for its batch") from error

    def _run(self, given: torch.Tensor) -> tuple[Any, Any]:
        """Logits [n,K] as float32, and features [n,F], or None."""
        kept: list[Any] = []
        hook = None
        if self._feature is not None:
            hook = self._feature.register_forward_hook(lambda module, inputs, output: kept.append(output))
        try:
            returned = self._called(self._module, given)
        finally:
            if hook is not None:
                hook.remove()
        logits, second = logits_and_second(returned, self._output)
        if hook is not None:
            if not kept:
                raise ValueError("the module answered without running the submodule that is the feature")
            second = logits_and_second(kept[-1])[0]
        features = as_features(second, len(given))
        if hook is not None and features is None:
            raise ValueError(f"the feature for {len(given)} images must be [{len(given)}, ...] of floating-point numbers, "
                             f"not {list(second.shape)} of {second.dtype}")
        return _float32(as_logits(logits, len(given))), None if features is None else _float32(features)

    def _tensor(self, values: FloatArray) -> torch.Tensor:
        """The array as a float32 tensor where the module is, without a copy if that is on the CPU."""
        tensor: torch.Tensor = self._torch.from_numpy(unlocked(as_model_input(values)))
        return tensor.to(self._device)

    def _apart(self) -> Any:
        """Outside the inference mode that the program may be in, whose tensors autograd refuses."""
        return self._torch.inference_mode(False)

    @contextmanager
    def _differentiating(self) -> Iterator[None]:
        with self._apart(), self._torch.enable_grad(), self._evaluating():
            yield

    def _evaluating(self) -> Any:
        return evaluating(self._module)


@contextmanager
def evaluating(module: torch.nn.Module) -> Iterator[None]:
    """The module in eval mode; afterwards every submodule is again in the mode that it was in."""
    modes = [(part, part.training) for part in module.modules() if hasattr(part, "training")]
    try:
        with suppress(NotImplementedError):  # an exported module has no modes; it does what it did when it was exported
            module.eval()
        yield
    finally:
        for part, is_training in modes:
            if part.training != is_training:
                part.training = is_training


def _of_images(values: FloatArray | None, images: FloatArray) -> FloatArray:
    """What is said for each channel or each number, as it multiplies images."""
    assert values is not None
    return values.reshape(images.shape[1:] if values.size == images[0].size else (-1, 1, 1))


def _float32(values: Any) -> Any:
    """A tensor or array as float32."""
    return values.float() if hasattr(values, "float") else np.asarray(values, np.float32)


def _submodule(module: torch.nn.Module, name: str) -> torch.nn.Module:
    submodules = dict(module.named_modules())
    for wrapper in ("", "_orig_mod.", "module."):  # those of torch.compile and DataParallel
        if wrapper + name in submodules:
            found: torch.nn.Module = submodules[wrapper + name]
            return found
    raise ValueError(f"feature names no submodule: {name!r} is none of {', '.join(filter(None, submodules))}")
