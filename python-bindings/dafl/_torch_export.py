"""A network of the library as a PyTorch module: its graph, node by node. Imports PyTorch.

docs/networks.md describes the graph. Layers with weights are PyTorch's own, under the library's names; all else are functions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._arrays import FloatArray

if TYPE_CHECKING:
    from .network import Network

Node = dict[str, Any]


def module_of(network: Network) -> nn.Module:
    """In eval mode, with copies of the weights."""
    module: nn.Module = GraphModule(json.loads(network.graph), network.state_dict())
    return module.eval()


class GraphModule(nn.Module):
    """Takes samples [count, ...] of as many numbers as the network's input, and gives what its output node computes."""

    def __init__(self, graph: dict[str, Any], state: dict[str, FloatArray]) -> None:
        super().__init__()
        self.graph = graph
        self._owners: dict[str, str] = {}
        # In tuples, so that layers are registered under their own names alone.
        self._layers: dict[str, tuple[nn.Module]] = {}
        before = "input"
        for node in graph["nodes"]:
            node.setdefault("inputs", [before])
            before = node["name"]
            if node["kind"] in LAYERS:
                self._layers[before] = (self._layer(node, state),)
        own = {name: torch.from_numpy(values) for name, values in state.items()}
        self.load_state_dict(self.state_dict() | own)  # a network has none of PyTorch's counters of batches

    def _layer(self, node: Node, state: dict[str, FloatArray]) -> nn.Module:
        owner = "input" if node["kind"] == "units" else node["name"]
        lender = node.get("weights_of")
        self._owners[node["name"]] = owner = owner if lender is None else self._owners[lender]
        shapes = {suffix: state[f"{owner}.{suffix}"].shape for suffix in SUFFIXES if f"{owner}.{suffix}" in state}
        layer = LAYERS[node["kind"]](node, shapes)
        if lender is None:
            _place(self, owner.split("."), layer)
        else:
            shared = self._layers[lender][0]
            layer._parameters, layer._buffers = shared._parameters, shared._buffers
        return layer

    def forward(self, x: Tensor) -> Tensor:
        values = {"input": x.reshape(len(x), *self.graph["input"])}
        for node in self.graph["nodes"]:
            kind, inputs = node["kind"], [values[name] for name in node["inputs"]]
            if kind in LAYERS:
                layer = self._layers[node["name"]][0]
                layer.training = self.training if "weights_of" in node else layer.training
                apply: Callable[..., Tensor] = APPLIED.get(kind, _applied)
                values[node["name"]] = apply(node, layer, *inputs or [x])
            elif kind == "dropout":
                values[node["name"]] = functional.dropout(inputs[0], node["rate"], self.training)
            else:
                values[node["name"]] = FUNCTIONS[kind](node, *inputs)
        return values[self.graph["output"]]


def _place(root: nn.Module, path: list[str], layer: nn.Module) -> None:
    """Registers a layer under a name with dots."""
    for name in path[:-1]:
        if name not in root._modules:
            root.add_module(name, nn.Module())
        root = root._modules[name]
    container = root._modules.get(path[-1])
    for name, child in container.named_children() if container is not None else ():
        layer.add_module(name, child)
    root.add_module(path[-1], layer)


# Layers with weights

SUFFIXES = "weight", "bias", "running_mean", "running_var", "value", "mean", "deviation"
"""Of the names of tensors, behind those of their layers."""

Shapes = dict[str, tuple[int, ...]]


class Value(nn.Module):
    """A constant, the same for each sample."""

    value: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(*shape))

    def forward(self, x: Tensor) -> Tensor:
        return self.value.expand(len(x), *self.value.shape)


class Units(nn.Module):
    """(x - mean) / deviation or back, with one of both for all numbers of a sample, for each channel, or for each number."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, count: int, direction: str) -> None:
        super().__init__()
        self.is_standardising = direction == "standardising"
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("deviation", torch.ones(count))

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(1)
        each = rows.shape[1] // len(self.mean)  # channels come first, so that each one's numbers stand together
        mean, deviation = self.mean.repeat_interleave(each), self.deviation.repeat_interleave(each)
        rows = (rows - mean) / deviation if self.is_standardising else rows * deviation + mean
        return rows.reshape(x.shape)


def _convolution(node: Node, shapes: Shapes) -> nn.Module:
    outputs, inputs = shapes["weight"][:2]
    return nn.Conv2d(inputs * node["groups"], outputs, node["kernel"], node["stride"], _symmetric(node["padding"]) or 0,
                     node["dilation"], node["groups"], bias="bias" in shapes)


def _transposed(node: Node, shapes: Shapes) -> nn.Module:
    return nn.ConvTranspose2d(shapes["weight"][0], node["outputs"], node["kernel"], node["stride"],
                              _symmetric(node["padding"]) or 0, node["output_padding"], node["groups"], "bias" in shapes,
                              node["dilation"])


def _group_norm(node: Node, shapes: Shapes, groups: int) -> nn.Module:
    channels = shapes["weight"][0] if "weight" in shapes else groups
    return nn.GroupNorm(groups, channels, node["epsilon"], "weight" in shapes)


LAYERS: dict[str, Callable[[Node, Shapes], nn.Module]] = {
    "convolution": _convolution,
    "transposed_convolution": _transposed,
    "linear": lambda node, shapes: nn.Linear(shapes["weight"][1], shapes["weight"][0], "bias" in shapes),
    "batch_norm": lambda node, shapes: nn.BatchNorm2d(shapes["running_mean"][0], node["epsilon"], node["momentum"],
                                                      "weight" in shapes),
    "layer_norm": lambda node, shapes: nn.LayerNorm(shapes["weight"], node["epsilon"]) if shapes else nn.Identity(),
    "group_norm": lambda node, shapes: _group_norm(node, shapes, node["groups"]) if shapes else nn.Identity(),
    "instance_norm": lambda node, shapes: _group_norm(node, shapes, shapes["weight"][0]) if shapes else nn.Identity(),
    "prelu": lambda node, shapes: nn.PReLU(node["count"]),
    "constant": lambda node, shapes: Value(shapes["value"]),
    "units": lambda node, shapes: Units(node["count"], node["direction"]),
}
"""Without a weight, normalisations are functions of what they get."""


def _applied(node: Node, layer: nn.Module, x: Tensor) -> Tensor:
    result: Tensor = layer(x)
    return result


def _convolved(node: Node, layer: nn.Module, x: Tensor) -> Tensor:
    top, left, bottom, right = node["padding"]
    image = _image(x)
    return _applied(node, layer, image if _symmetric(node["padding"]) else functional.pad(image, (left, right, top, bottom)))


def _transposed_convolved(node: Node, layer: nn.Module, x: Tensor) -> Tensor:
    top, left, bottom, right = node["padding"]
    result = _applied(node, layer, _image(x))
    return result if _symmetric(node["padding"]) else functional.pad(result, (-left, -right, -top, -bottom))


def _linear(node: Node, layer: nn.Module, x: Tensor) -> Tensor:
    return _applied(node, layer, x if node["axis"] == "last" else x.flatten(1))


def _normalised(node: Node, layer: nn.Module, x: Tensor) -> Tensor:
    if not isinstance(layer, nn.Identity):
        return _applied(node, layer, _image(x)).reshape(x.shape)
    groups = node["groups"] if node["kind"] == "group_norm" else x.shape[1]
    return functional.group_norm(x, groups, eps=node["epsilon"])


def _layer_normalised(node: Node, layer: nn.Module, x: Tensor) -> Tensor:
    if not isinstance(layer, nn.Identity):
        return _applied(node, layer, x)
    return functional.layer_norm(x, x.shape[x.ndim - node["dimensions"]:], eps=node["epsilon"])


APPLIED: dict[str, Callable[..., Tensor]] = {
    "convolution": _convolved, "transposed_convolution": _transposed_convolved, "linear": _linear,
    "batch_norm": _normalised, "group_norm": _normalised, "instance_norm": _normalised, "layer_norm": _layer_normalised,
}
"""Layers that do more than their PyTorch ones do."""


# Functions

def _image(x: Tensor) -> Tensor:
    """[count, channels, height, width]; a vector's numbers are channels of one pixel."""
    return x.reshape(*x.shape, *[1] * (4 - x.ndim))


def _symmetric(border: Sequence[int]) -> list[int] | None:
    """[vertical, horizontal] of [top, left, bottom, right], where both sides are alike."""
    return list(border[:2]) if border[0] == border[2] and border[1] == border[3] else None


def _windows(node: Node, x: Tensor, fill: float) -> Tensor:
    """The image with a border, and with rows and columns behind it, as far as the last windows reach."""
    (top, left, bottom, right), missing = node["padding"], []
    for axis, before, after in ((0, top, bottom), (1, left, right)):
        size, window, stride = x.shape[axis + 2], node["window"][axis], node["stride"][axis]
        room = size + before + after - window
        count = room // stride + 1
        if node["ceil"] and room % stride and count * stride < size + before:  # as in PyTorch, one that begins in the image
            count += 1
        missing.append((count - 1) * stride + window - size - before)
    return functional.pad(x, (left, missing[1], top, missing[0]), value=fill)


def _max_pool(node: Node, x: Tensor) -> Tensor:
    return functional.max_pool2d(_windows(node, _image(x), -math.inf), node["window"], node["stride"])


def _average_pool(node: Node, x: Tensor) -> Tensor:
    image = _image(x)
    ones = torch.ones_like(image[:1, :1])
    top, left, bottom, right = node["padding"]
    counted = {**node, "padding": [0, 0, 0, 0]} if node["counts_padding"] else node
    if node["counts_padding"]:
        ones = functional.pad(ones, (left, right, top, bottom), value=1)
    sums = functional.avg_pool2d(_windows(node, image, 0), node["window"], node["stride"])
    # A window that begins in the border behind the image is none, counted or not.
    shares = functional.avg_pool2d(_windows(counted, ones, 0), node["window"], node["stride"])
    return sums / shares[:, :, :sums.shape[2], :sums.shape[3]]


def _places(size: int, given: int, alignment: str) -> list[float]:
    """Where `size` rows or columns lie among `given` ones."""
    if alignment == "corners":
        places = [0.0 if size == 1 else i * (given - 1) / (size - 1) for i in range(size)]
    else:
        shift = 0.5 if alignment == "half_pixel" else 0.0
        places = [(i + shift) * given / size - shift for i in range(size)]
    return [min(max(place, 0), given - 1) for place in places]


def _upsample(node: Node, x: Tensor) -> Tensor:
    image = _image(x)
    sizes = node.get("size") or [factor * given for factor, given in zip(node["factor"], image.shape[2:], strict=True)]
    # Whole blocks are the same in every alignment of edges and of first pixels.
    is_blocks = "size" not in node and node["mode"] == "nearest" and node["alignment"] != "corners"
    for axis, size in zip((2, 3), sizes, strict=True):
        given = image.shape[axis]
        places = _places(size, given, "asymmetric" if is_blocks else node["alignment"])
        if node["mode"] == "nearest":
            shift = 0 if is_blocks or node["alignment"] == "asymmetric" else 0.5
            image = _picked(image, axis, [min(math.floor(place + shift), given - 1) for place in places])
        else:
            first = [math.floor(place) for place in places]
            shares = image.new_tensor([place - at for place, at in zip(places, first, strict=True)])
            shares = shares.reshape(-1, 1) if axis == 2 else shares
            after = _picked(image, axis, [min(at + 1, given - 1) for at in first])
            image = torch.lerp(_picked(image, axis, first), after, shares)
    return image


def _picked(x: Tensor, axis: int, places: Sequence[int]) -> Tensor:
    return x.index_select(axis, torch.tensor(places, device=x.device))


def _pad(node: Node, x: Tensor) -> Tensor:
    if node["mode"] == "constant":
        pairs = list(zip(node["before"], node["after"], strict=True))
        return functional.pad(x, [each for pair in reversed(pairs) for each in pair], value=node["value"])
    for axis, (before, after) in enumerate(zip(node["before"], node["after"], strict=True), 1):
        size = x.shape[axis]
        places = range(-before, size + after)
        if node["mode"] == "edge":
            x = _picked(x, axis, [min(max(place, 0), size - 1) for place in places])
        else:
            x = _picked(x, axis, [size - 1 - abs(size - 1 - abs(place)) for place in places])
    return x


def _slice(node: Node, x: Tensor) -> Tensor:
    start, step = node["start"], node["step"]
    return _picked(x, node["axis"] + 1, range(start, start + step * node["size"], step))


def _crop(node: Node, x: Tensor) -> Tensor:
    image = _image(x)
    top, left = ((image.shape[axis] - node[name]) // 2 for axis, name in ((2, "height"), (3, "width")))
    return image[:, :, top:top + node["height"], left:left + node["width"]]


def _responses(node: Node, x: Tensor) -> Tensor:
    image, is_even = _image(x), node["size"] % 2 == 0
    image = image.flip(1) if is_even else image  # of an even size, PyTorch takes one channel more before, not after
    result = functional.local_response_norm(image, node["size"], node["alpha"], node["beta"], node["bias"])
    return (result.flip(1) if is_even else result).reshape(x.shape)


def _reduced(function: Callable[..., Tensor]) -> Callable[[Node, Tensor], Tensor]:
    def reduce(node: Node, x: Tensor) -> Tensor:
        axes = tuple(axis + 1 for axis in node["axes"])
        return function(x, axes, node["keep"]) if axes else x  # none would be all of them, the batch too
    return reduce


def _combined(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def combine(node: Node, *inputs: Tensor) -> Tensor:
        rank = max(x.ndim for x in inputs)
        result, *others = (x.reshape(len(x), *[1] * (rank - x.ndim), *x.shape[1:]) for x in inputs)
        for other in others:
            result = function(result, other)
        return result
    return combine


def _simple(function: Callable[[Tensor], Tensor]) -> Callable[[Node, Tensor], Tensor]:
    return lambda node, x: function(x)


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    **{kind: _simple(function) for kind, function in {
        "relu": functional.relu, "silu": functional.silu, "hard_swish": functional.hardswish, "sigmoid": torch.sigmoid,
        "tanh": torch.tanh, "softplus": functional.softplus, "softsign": functional.softsign, "mish": functional.mish,
        "selu": functional.selu, "abs": torch.abs, "sqrt": torch.sqrt, "exp": torch.exp, "log": torch.log, "negate": torch.neg,
        "reciprocal": torch.reciprocal, "erf": torch.erf}.items()},
    "leaky_relu": lambda node, x: functional.leaky_relu(x, node["slope"]),
    "elu": lambda node, x: functional.elu(x, node["alpha"]),
    "hard_sigmoid": lambda node, x: (node["alpha"] * x + node["beta"]).clamp(0, 1),
    "gelu": lambda node, x: functional.gelu(x, approximate=node["approximation"]),
    "clip": lambda node, x: x.clamp(node.get("low", -math.inf), node.get("high", math.inf)),
    "power": lambda node, x: x.pow(node["exponent"]),
    "fake_quantize": lambda node, x: torch.fake_quantize_per_tensor_affine(x, node["scale"], node["zero"], node["low"],
                                                                           node["high"]),
    "softmax": lambda node, x: x.softmax(node["axis"] + 1),
    "lrn": _responses,
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "global_average_pool": lambda node, x: _image(x).mean((2, 3), keepdim=True),
    "global_max_pool": lambda node, x: _image(x).amax((2, 3), keepdim=True),
    "upsample": _upsample,
    **{kind: _combined(function) for kind, function in {
        "add": torch.add, "subtract": torch.sub, "multiply": torch.mul, "divide": torch.div, "maximum": torch.maximum,
        "minimum": torch.minimum}.items()},
    "concat": lambda node, *inputs: torch.cat(inputs, node["axis"] + 1),
    "slice": _slice,
    "pad": _pad,
    "crop": _crop,
    "transpose": lambda node, x: x.permute(0, *(axis + 1 for axis in node["order"])),
    "reshape": lambda node, x: x.reshape(len(x), *node["shape"]),
    "flatten": lambda node, x: x.flatten(1),
    "reduce_mean": _reduced(torch.mean), "reduce_sum": _reduced(torch.sum), "reduce_max": _reduced(torch.amax),
}
