"""Graphs of every kind of node, and of every way in which some of them work, for tests that compare a network with another form
of it."""

import json

import numpy as np

import dafl

IMAGE = [4, 7, 6]
Node = dict[str, object]


def node(kind: str, **attributes: object) -> Node:
    return {"kind": kind, **attributes}


def description(shape: list[int], *nodes: Node, **more: object) -> str:
    return json.dumps({"input": shape, "nodes": nodes, **more})


def pools() -> list[tuple[list[int], list[Node]]]:
    """Windows, strides, borders and roundings whose last window ends within, at and past the image and its border."""
    return [([2, 8, 7], [node(kind, window=window, stride=stride, padding=padding, ceil=ceil, **counts)])
            for kind, choices in (("max_pool", [{}]),
                                  ("average_pool", [{"counts_padding": True}, {"counts_padding": False}]))
            for window in ([2, 2], [3, 3], [3, 2]) for stride in (1, 2, 3) for padding in (0, [1, 0, 0, 1], 1)
            for ceil in (False, True) for counts in choices]


def resizes() -> list[tuple[list[int], list[Node]]]:
    sizes: list[Node] = [{"factor": 2}, {"factor": [2, 3]}, {"size": [7, 5]}, {"size": [3, 2]}, {"size": [13, 10]},
                         {"size": [6, 1]}]
    return [([2, 6, 4], [node("upsample", mode=mode, alignment=alignment, **size)])
            for mode in ("nearest", "bilinear") for alignment in ("half_pixel", "corners", "asymmetric") for size in sizes]


def arithmetic() -> list[tuple[list[int], list[Node]]]:
    """Inputs of one shape, of fewer pixels, of fewer dimensions, and constants, in either order."""
    others = [node("exp"), node("global_average_pool"), node("reduce_mean", axes=[0, 1], keep=False),
              node("constant", inputs=[], shape=[4, 1, 1]), node("constant", inputs=[], shape=[1])]
    return [(IMAGE, [{**other, "name": "other"}, node(kind, inputs=inputs)])
            for kind in ("add", "subtract", "multiply", "maximum", "minimum") for other in others
            for inputs in (["input", "other"], ["other", "input"])]


KINDS: list[tuple[list[int], list[Node]]] = [
    *[(shape, [node(kind)])
      for kind in ("relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "silu", "hard_swish", "sigmoid", "hard_sigmoid",
                   "tanh", "softplus", "softsign", "mish", "clip", "abs", "exp", "negate", "erf", "softmax", "dropout",
                   "flatten", "batch_norm", "layer_norm", "instance_norm", "global_average_pool", "global_max_pool",
                   "reduce_mean", "reduce_sum", "reduce_max")
      for shape in (IMAGE, [5, 3], [5])],
    *[(IMAGE, [node("exp"), node(kind)]) for kind in ("sqrt", "log", "reciprocal")],
    *[(IMAGE, [one]) for one in (
        node("convolution", outputs=6, kernel=[3, 2], stride=[2, 1], padding=[1, 0, 2, 1], dilation=[1, 2], groups=2),
        node("convolution", outputs=8, kernel=3, padding=1, groups=4, bias=False),
        node("transposed_convolution", outputs=6, kernel=[3, 2], stride=2, padding=1, output_padding=1, groups=2),
        node("linear", outputs=3), node("linear", outputs=3, bias=False), node("linear", outputs=3, axis="last"),
        node("linear", outputs=3, axis="last", bias=False),
        node("batch_norm", affine=False, epsilon=0.1), node("layer_norm", dimensions=3, affine=False),
        node("instance_norm", affine=True), node("group_norm", groups=2), node("group_norm", groups=4, affine=False),
        node("lrn", size=3, alpha=0.5), node("lrn", size=2, alpha=0.5, beta=0.6, bias=2), node("prelu", count=1),
        node("gelu", approximation="tanh"), node("clip", low=-0.5, high=1), node("clip", high=1),
        node("power", exponent=2), node("softmax", axis=2),
        node("fake_quantize", scale=0.02, zero=128, low=0, high=255),
        node("fake_quantize", scale=0.001, zero=30, low=-1000, high=900),
        node("slice", axis=1, start=1, size=3, step=2), node("slice", axis=0, start=3, size=4, step=-1),
        node("pad", before=[0, 1, 2], after=[0, 3, 1], value=1.5),
        node("pad", before=[0, 1, 2], after=[0, 3, 1], mode="edge"),
        node("pad", before=[0, 1, 2], after=[0, 3, 1], mode="reflect"),
        node("crop", height=4, width=3), node("transpose", order=[1, 2, 0]), node("reshape", shape=[2, -1, 6]),
        node("reduce_mean", axes=[1, 2]), node("reduce_sum", axes=[0], keep=False), node("concat", inputs=["input"] * 2),
        node("units", count=4, direction="standardising"), node("units", count=168, direction="restoring"),
        node("add", inputs=["input"] * 3))],
    (IMAGE, [node("constant", name="c", inputs=[], shape=[2, 7, 6]), node("concat", inputs=["input", "c"])]),
    (IMAGE, [node("exp", name="e"), node("divide", inputs=["input", "e"])]),
    ([6], [node("group_norm", groups=3)]), ([8], [node("lrn", size=3, alpha=0.5)]), ([5], [node("upsample")]),
]


def network(architecture: str) -> dafl.Network:
    """One whose numbers are not those that a layer begins with, so that each of them tells."""
    made = dafl.Network(architecture, seed=1)
    random = np.random.default_rng(2)
    made.load_state_dict({
        name: random.uniform(0.5, 1.5, values.shape) if name.endswith((".running_var", ".deviation"))
        else values + random.uniform(-0.5, 0.5, values.shape)
        for name, values in made.state_dict().items()})
    return made


def images(made: dafl.Network, count: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(-2, 2, (count, *made.info.input_shape)).astype(np.float32)
