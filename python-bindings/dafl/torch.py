"""PyTorch modules as teachers. PyTorch is imported when the first one is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ._adapter import Adapter, as_model_input
from ._arrays import FloatArray, unlocked
from ._optional import require

if TYPE_CHECKING:
    import torch


class Teacher(Adapter):
    """A PyTorch module as a teacher, with gradients by autograd::

        teacher = dafl.torch.Teacher(model, feature="fc1", input_shape=(1, 32, 32))

    `module` takes images [count, channels, height, width], or [count, d] when `input_shape` is (d, 1, 1), and returns
    logits [count, classes], an object that has them as `logits`, or a pair (logits, features). `feature` names the
    submodule whose output, flattened to [count, features], is the feature: best the activations before the last linear
    layer. `input_shape` may be given to `dafl.distill` instead; `classes` and the number of features are found by
    asking about zeros, and `classes` is compared where given.

    The module stays as it is: on its device, with its numbers, gradients and `training` flags; it is put in eval mode
    during calls only. `device` is where images are sent; left out, where the module's parameters are. Images are not
    copied on the way to a module on the CPU, unless it writes into its input. The statistics that the module's batch
    normalisation keeps are not used: the library has no loss that compares them with the generated images'.

    ValueError when there is no such submodule or the sizes do not fit; ImportError without PyTorch.
    """

    def __init__(self, module: torch.nn.Module, feature: str | None = None, *, input_shape: Sequence[int] | None = None,
                 classes: int | None = None, device: torch.device | str | None = None) -> None:
        self._torch = require("torch", "torch", "dafl.torch")
        self._module = module
        self._feature = None if feature is None else _submodule(module, feature)
        parameter = next(module.parameters(), self._torch.zeros(0))
        self._device = parameter.device if device is None else device
        self._dtype = parameter.dtype
        self._writes_input = False
        super().__init__(self._answer, self._gradient, input_shape=input_shape, classes=classes)

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

    def _run(self, given: torch.Tensor) -> Any:
        """Logits as float32, or a pair with the features [n,F]."""
        kept: list[torch.Tensor] = []
        hook = None
        if self._feature is not None:
            hook = self._feature.register_forward_hook(lambda module, inputs, output: kept.append(output.flatten(1)))
        try:
            answer = self._module(given.clone() if self._writes_input else given)
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
