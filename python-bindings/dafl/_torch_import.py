"""PyTorch modules as networks of this library, by way of ONNX in memory. Imports PyTorch."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from ._arrays import FloatArray
from ._outputs import as_logits, is_array, logits_and_second
from .network import Network

TOLERANCE = 1e-3
"""Largest difference of an answer between network and module, as a share of the largest answer."""

TALKATIVE = ("torch.onnx", "onnxscript", "onnx_ir")
"""Loggers that tell of exports what nobody asked."""


def imported(module: torch.nn.Module, example: torch.Tensor, output: str | int | None) -> Network:
    """The network that answers as a module in eval mode does; ValueError where no exporter makes one."""
    exporters = [_scripted]
    if importlib.util.find_spec("onnxscript") is not None:
        exporters.insert(0, _traced)
    if not is_array(module(example)):
        module = _Logits(module, output)
    reasons = []
    for exporter in exporters:
        try:
            with _quiet() as heard:
                data = exporter(module, torch.cat([example, example])[:2])  # of one image, exporters take its 1 for a constant
            if any("to a Python boolean" in str(warning.message) for warning in heard):
                raise ValueError("its forward branches on numbers of the images, and an export has one side only")
            network = Network.from_onnx(data)
            require_same(network, module, example)
            return network
        except Exception as error:  # exporters raise whatever they like
            reasons.append(str(error).strip().partition("\n")[0] or type(error).__name__)
    raise ValueError(f"the module cannot be imported: {'; '.join(dict.fromkeys(reasons))}")


def require_same(network: Network, module: torch.nn.Module, example: torch.Tensor) -> None:
    """ValueError unless network and module say the same of the example and of noise like it."""
    for images in probes(example):
        expected = as_logits(module(images), len(images)).float().cpu().numpy()
        found = answers(network, images.float().cpu().numpy())
        if found.shape != expected.shape:
            raise ValueError(f"the network answers with {list(found.shape)}, the module with {list(expected.shape)}")
        require_close(found, expected, "answers")


def require_close(found: FloatArray, expected: FloatArray, what: str) -> None:
    difference, size = np.abs(found - expected).max(), np.abs(expected).max()
    if not difference <= TOLERANCE * size:
        raise ValueError(f"the network's {what} are not the module's: they differ by {difference:.2g} of {size:.2g}")


def probes(example: torch.Tensor) -> Iterator[torch.Tensor]:
    """Batches of several sizes: the example, noise of its mean and deviation, and noise of mean 0 and deviation 1."""
    yield example
    random = torch.Generator().manual_seed(0)
    for count, mean, deviation in ((3, example.mean(), example.float().std()), (1, 0, 1)):
        noise = torch.randn((count, *example.shape[1:]), generator=random).to(example)
        yield noise * deviation + mean


def answers(network: Network, images: FloatArray) -> FloatArray:
    """What the network's file would answer: with its head."""
    logits = network.predict(images.reshape(len(images), *network.info.input_shape))
    if network.info.head in ("softmax", "log_softmax"):
        logits = logits - logits.max(1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(1, keepdims=True))
        if network.info.head == "softmax":
            logits = np.exp(logits)
    elif network.info.head == "sigmoid":
        logits = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return logits


class _Logits(torch.nn.Module):  # type: ignore[misc]
    """A module's logits alone, where it returns more."""

    def __init__(self, module: torch.nn.Module, output: str | int | None) -> None:
        super().__init__()
        self.module, self._output = module, output

    def forward(self, images: torch.Tensor) -> Any:
        return logits_and_second(self.module(images), self._output)[0]


def _traced(module: torch.nn.Module, images: torch.Tensor) -> bytes:
    """By torch.export. Not optimised: that would fold the batch normalisation, whose statistics a generator learns from."""
    shapes = ({0: torch.export.Dim("batch")},)
    return _exported(torch.onnx.export, module, (images,), dynamo=True, optimize=False, dynamic_shapes=shapes, verbose=False)


def _scripted(module: torch.nn.Module, images: torch.Tensor) -> bytes:
    """By TorchScript; in the mode PRESERVE, of a module in eval mode, batch normalisation stays as it is."""
    return _exported(torch.onnx.export, module, (images,), dynamo=False, training=torch.onnx.TrainingMode.PRESERVE,
                     input_names=["input"], dynamic_axes={"input": {0: "batch"}})


def _exported(export: Callable[..., Any], module: torch.nn.Module, images: tuple[torch.Tensor], **options: Any) -> bytes:
    file = io.BytesIO()
    export(module, images, file, **options)
    return file.getvalue()


@contextlib.contextmanager
def _quiet() -> Iterator[list[warnings.WarningMessage]]:
    """Without warnings, which it collects, logs and printed lines."""
    # PyTorch 2.13 takes this function itself for what it answers, and prints the graph of a failed export from C.
    asked = "_jit_is_onnx_log_enabled"
    is_logging = getattr(torch._C, asked, None)
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    levels = [logger.level for logger in loggers]
    unheard = io.StringIO()
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        if is_logging is not None and not is_logging():
            setattr(torch._C, asked, None)
        with (warnings.catch_warnings(record=True) as heard, contextlib.redirect_stdout(unheard),
              contextlib.redirect_stderr(unheard)):
            warnings.simplefilter("always")
            yield heard
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if is_logging is not None:
            setattr(torch._C, asked, is_logging)
