"""Networks as files of ONNX: past onnx's checker, and with ONNX Runtime's outputs equal to the library's."""

import json
from pathlib import Path

import numpy as np
import pytest

import dafl

runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
onnx = pytest.importorskip("onnx", reason="onnx is not installed")

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


def session(path: Path) -> runtime.InferenceSession:
    onnx.checker.check_model(str(path), full_check=True)
    return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def check(architecture: str, path: Path) -> None:
    made = network(architecture)
    made.save(path)
    ran = session(path)
    (given,), (answer,) = ran.get_inputs(), ran.get_outputs()
    assert (given.name, answer.name, given.shape[0], answer.shape[0]) == ("input", "output", "batch", "batch")
    for count in (1, 3, 5):
        batch = images(made, count)
        expected = made.predict(batch)
        (found,) = ran.run(None, {given.name: batch.reshape(count, *given.shape[1:])})
        assert list(found.shape[1:]) == answer.shape[1:]
        assert np.abs(found.reshape(count, -1) - expected).max() < 2e-5 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("shape, nodes", KINDS)
def test_every_kind(shape, nodes, tmp_path):
    check(description(shape, *nodes), tmp_path / "a.onnx")


@pytest.mark.parametrize("cases", [pools, resizes, arithmetic])
def test_every_way_to(cases, tmp_path):
    for shape, nodes in cases():
        check(description(shape, *nodes), tmp_path / "a.onnx")


@pytest.mark.parametrize("cases", [lambda: KINDS, pools, resizes, arithmetic])
def test_the_library_reads_every_kind_that_it_wrote(cases, tmp_path):
    """Not at the end, where a softmax or sigmoid would be left to those who read the output."""
    for shape, nodes in cases():
        made = network(description(shape, *nodes, node("negate")))
        made.save(tmp_path / "a.onnx")
        read, batch = dafl.Network.load(tmp_path / "a.onnx"), images(made, 3)
        expected = made.predict(batch)
        found = read.predict(batch.reshape(3, *read.info.input_shape))
        assert np.abs(found - expected).max() < 2e-5 * max(1, np.abs(expected).max()), nodes


@pytest.mark.parametrize("architecture", [
    "lenet5", "lenet5-half(channels=3,classes=26)", "lenet5(units=1)", "resnet18(side=32)", "mlp-64-16-4",
    "dafl-generator(latent=8,side=8,channels=1,width=8)", "dafl-generator(width=2,latent=3,rows=5,columns=2)",
    "dafl-generator(width=4,latent=3,side=8,channels=2,units=2)", "dafl-vector-generator(latent=3,outputs=5,width=4)"])
def test_named_architectures(architecture, tmp_path):
    check(architecture, tmp_path / "a.onnx")


def test_weights_have_their_names_and_layouts(tmp_path):
    made = network("lenet5")
    made.save(tmp_path / "a.onnx")
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor)
               for tensor in onnx.load(tmp_path / "a.onnx").graph.initializer}
    state = made.state_dict()
    assert tensors.keys() == state.keys()
    assert all(np.array_equal(tensors[name], state[name]) for name in state)


def test_shared_weights_are_one_tensor(tmp_path):
    convolution = node("convolution", outputs=4, kernel=3, padding=1)
    architecture = description(IMAGE, {**convolution, "name": "c"}, node("relu"), {**convolution, "weights_of": "c"})
    check(architecture, tmp_path / "a.onnx")
    assert sorted(tensor.name for tensor in onnx.load(tmp_path / "a.onnx").graph.initializer) == ["c.bias", "c.weight"]


@pytest.mark.parametrize("head", ["none", "softmax", "sigmoid"])
def test_what_a_file_shows(head, tmp_path):
    """Channels last, its own names, and probabilities."""
    interface = {"channels_last": True, "input_name": "pixels", "output_name": "answers", "head": head}
    made = network(description(IMAGE, node("convolution", outputs=3, kernel=3), node("linear", outputs=4), interface=interface))
    made.save(tmp_path / "a.onnx")
    ran = session(tmp_path / "a.onnx")
    assert (ran.get_inputs()[0].name, ran.get_inputs()[0].shape) == ("pixels", ["batch", 7, 6, 4])
    assert (ran.get_outputs()[0].name, ran.get_outputs()[0].shape) == ("answers", ["batch", 4])
    batch = images(made, 3)
    logits = made.predict(batch)
    expected = {"none": logits, "softmax": made.predict_proba(batch), "sigmoid": 1 / (1 + np.exp(-logits))}[head]
    assert np.allclose(ran.run(None, {"pixels": np.moveaxis(batch, 1, -1)})[0], expected, atol=1e-5)


def test_the_library_reads_what_it_wrote(tmp_path):
    made = network("resnet18(side=32)")
    made.save(tmp_path / "a.onnx")
    read = dafl.Network.load(tmp_path / "a.onnx")
    assert np.allclose(read.predict(images(made, 3)), made.predict(images(made, 3)), rtol=1e-5, atol=1e-5)
    read.save(tmp_path / "b.onnx")
    assert np.allclose(dafl.Network.load(tmp_path / "b.onnx").predict(images(made, 3)), made.predict(images(made, 3)),
                       rtol=1e-5, atol=1e-5)


def test_the_same_bytes(tmp_path):
    made = network("lenet5")
    made.save(tmp_path / "a.onnx")
    made.save(tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
