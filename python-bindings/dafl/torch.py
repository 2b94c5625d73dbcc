"""PyTorch modules as teachers. PyTorch is imported when the first one is made."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ._adapter import Adapter, as_model_input
from ._arrays import FloatArray, unlocked
from ._optional import require

if TYPE_CHECKING:
    import torch


class Teacher(Adapter):
    """A PyTorch module as a teacher, with gradients by autograd, and with what its batch normalisation remembers::

        teacher = dafl.torch.Teacher(model, feature="fc1", input_shape=(1, 32, 32))

    `module` takes images [count, channels, height, width], or [count, d] when `input_shape` is (d, 1, 1), and returns
    logits [count, classes], an object that has them as `logits`, or a pair (logits, features). `feature` names the
    submodule whose output, flattened to [count, features], is the feature: best the activations before the last linear
    layer. `input_shape` may be given to `dafl.distill` instead; `classes` and the number of features are found by
    asking about zeros, and `classes` is compared where given.

    The module stays as it is: on its device, with its numbers, gradients and `training` flags; it is put in eval mode
    during calls only. `device` is where images are sent; left out, where the module's parameters are. Images are not
    copied on the way to a module on the CPU, unless it writes into its input.

    Where the module has batch normalisation with statistics kept from training, the generator learns to make images that give
    its layers the same ones: the teacher's regularizer is R = sum over those layers of norm2(mean - kept mean) +
    norm2(variance - kept variance), of each layer's input (DeepInversion, Yin et al., CVPR 2020, equation 4). Its weight is the
    option `regularizer_weight`; `batch_norm_statistics=False` leaves it out.

    A module in half precision rounds too coarsely for its gradient to be compared with finite differences, and may be refused
    for it: let such a one only answer, with the option `gradients="student"`.

    ValueError when there is no such submodule or the sizes do not fit; ImportError without PyTorch.
    """

    def __init__(self, module: torch.nn.Module, feature: str | None = None, *, input_shape: Sequence[int] | None = None,
                 classes: int | None = None, device: torch.device | str | None = None,
                 batch_norm_statistics: bool = True) -> None:
        self._torch = require("torch", "torch", "dafl.torch")
        self._module = module
        self._feature = None if feature is None else _submodule(module, feature)
        parameter = next(module.parameters(), self._torch.zeros(0))
        self._device = parameter.device if device is None else device
        self._dtype = parameter.dtype
        self._writes_input = False
        self._norms = self._kept_statistics() if batch_norm_statistics else []
        super().__init__(self._answer, self._gradient, input_shape=input_shape, classes=classes,
                         regularizer=self._distance_of_statistics if self._norms else None)

    def _answer(self, images: FloatArray) -> Any:
        given = self._tensor(images).to(self._dtype)
        with self._torch.no_grad(), self._evaluating():
            answer = self._run(given)
        # Asking about zeros comes first, so no later call writes into the library's images.
        self._writes_input = self._writes_input or given._version > 0
        return answer

    def _gradient(self, images: FloatArray, logits_gradient: FloatArray, features_gradient: FloatArray | None) -> Any:
        with self._torch.enable_grad(), self._evaluating():
            given = self._tensor(images).to(self._dtype).requires_grad_()
            answer = self._run(given)
            outputs = answer if isinstance(answer, tuple) else (answer,)
            gradients = [self._tensor(logits_gradient)]
            if features_gradient is not None:
                gradients.append(self._tensor(features_gradient))
            return self._torch.autograd.grad(outputs, given, gradients)[0].reshape(images.shape).float()

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
            with self._torch.enable_grad(), self._evaluating():
                given = self._tensor(images).to(self._dtype).requires_grad_()
                self._called(given)
        finally:
            for hook in hooks:
                hook.remove()
        distance = sum(terms, self._torch.zeros((), device=given.device))
        if not distance.requires_grad:
            warnings.warn("no batch normalisation that the images go through could be watched, as in a compiled module: the "
                          "generator learns without its statistics", stacklevel=2)
            return 0.0, np.zeros_like(images)
        return distance.item(), self._torch.autograd.grad(distance, given)[0].reshape(images.shape).float()

    def _called(self, given: torch.Tensor) -> Any:
        return self._module(given.clone() if self._writes_input else given)

    def _run(self, given: torch.Tensor) -> Any:
        """Logits as float32, or a pair with the features [n,F]."""
        kept: list[torch.Tensor] = []
        hook = None
        if self._feature is not None:
            hook = self._feature.register_forward_hook(lambda module, inputs, output: kept.append(output.flatten(1)))
        try:
            answer = self._called(given)
        finally:
            if hook is not None:
                hook.remove()
        answer = getattr(answer, "logits", answer)
        if hook is None:
            return tuple(part.float() for part in answer) if isinstance(answer, tuple) else answer.float()
        if not kept:
            raise ValueError("the module answered without running the submodule that is the feature")
        logits = answer[0] if isinstance(answer, tuple) else answer
        return logits.float(), kept[-1].float()

    def _tensor(self, values: FloatArray) -> torch.Tensor:
        """The array as a float32 tensor where the module is, without a copy if that is on the CPU."""
        tensor: torch.Tensor = self._torch.from_numpy(unlocked(as_model_input(values)))
        return tensor.to(self._device)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """The module in eval mode; afterwards every submodule is again in the mode that it was in."""
        modes = [(module, module.training) for module in self._module.modules()]
        try:
            self._module.eval()
            yield
        finally:
            for module, is_training in modes:
                module.training = is_training


def _submodule(module: torch.nn.Module, name: str) -> torch.nn.Module:
    submodules = dict(module.named_modules())
    if name not in submodules:
        raise ValueError(f"feature names no submodule: {name!r} is none of {', '.join(filter(None, submodules))}")
    found: torch.nn.Module = submodules[name]
    return found
