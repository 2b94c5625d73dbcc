"""Where models have their channels: the library's images are [n,c,h,w] whatever the model takes."""

import logging

import numpy as np
import pytest

import dafl
from dafl._layout import from_layout, guessed, to_layout
from conftest import SMALL

QUIET = SMALL | {"progress": False}
WEIGHTS = np.random.default_rng(0).standard_normal((6, 5, 3, 4)).astype(np.float32)  # of channels last


def images(count: int = 3, shape: tuple[int, ...] = (3, 6, 5)) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, *shape), np.float32)


def logits(given: np.ndarray) -> np.ndarray:
    return np.einsum("nchw,hwck->nk", given, WEIGHTS)


def test_layouts_and_back():
    given = images()
    assert to_layout(given, "NHWC").shape == (3, 6, 5, 3) and np.shares_memory(to_layout(given, "NHWC"), given)
    assert np.array_equal(from_layout(to_layout(given, "NHWC"), "NHWC"), given)
    last = (8, 8, 1), (32, 32, 3), (49, 10, 1), (None, None, 3), (16, 4, 4)
    first = (3, 32, 32), (1, 8, 3), (3, None, None), (8, 8, 8)
    assert [guessed(sizes) for sizes in last + first] == ["NHWC"] * 5 + ["NCHW"] * 4


def test_functions_get_their_layout_and_return_gradients_in_it():
    """Were the gradient wrong, the library would refuse the teacher."""
    seen = []

    def forward(given):
        seen.append(given.shape[1:])
        return np.einsum("nhwc,hwck->nk", given, WEIGHTS)

    def backward(given, by_logits, by_features):
        return np.einsum("nk,hwck->nhwc", by_logits, WEIGHTS)

    def regularizer(given):
        assert given.shape[1:] == (6, 5, 3)
        return (given.astype(np.float64) ** 2).mean() / 2, given / given.size

    teacher = dafl.Teacher(forward, backward, input_shape=(3, 6, 5), classes=4, layout="NHWC", regularizer=regularizer)
    result = dafl.distill(teacher, **QUIET | {"student": "mlp-90-8-4"})
    given, answers = result.generate(3)
    assert set(seen) == {(6, 5, 3)} and given.shape == (3, 3, 6, 5) and np.allclose(answers, logits(given), atol=1e-4)
    teacher.backward = lambda *arguments: backward(*arguments).transpose(0, 3, 1, 2)
    with pytest.raises(ValueError, match=r"must be \[\d+, 6, 5, 3\], not \[\d+, 3, 6, 5\]"):
        dafl.distill(teacher, **QUIET | {"student": "mlp-90-8-4"})
    with pytest.raises(ValueError, match="NCHW or NHWC, not 'HWC'"):
        dafl.Teacher(forward, input_shape=(3, 6, 5), classes=4, layout="HWC")


def test_functions_of_jax():
    pytest.importorskip("jax", reason="JAX is not installed")
    import jax.numpy as jnp
    teacher = dafl.jax.Teacher(lambda given: jnp.einsum("nhwc,hwck->nk", given, WEIGHTS), layout="NHWC", input_shape=(3, 6, 5))
    assert np.allclose(teacher.forward(images()), logits(images()), atol=1e-4)
    gradient = teacher.backward(images(), np.ones((3, 4), np.float32), None)
    assert np.allclose(gradient, np.broadcast_to(WEIGHTS.sum(3).transpose(2, 0, 1), (3, 3, 6, 5)), atol=1e-4)
    assert dafl.distill(teacher, **QUIET | {"student": "mlp-90-8-4"}).last.step == 4


@pytest.fixture
def model(tmp_path):
    """Writes a linear classifier of 90 numbers in the order of its input."""
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    from onnx import TensorProto, helper, numpy_helper

    def write(*shape: int | str | None, weights: np.ndarray = WEIGHTS, kind: str = "FLOAT") -> str:
        flat = weights.reshape(-1, weights.shape[-1])
        graph = helper.make_graph(
            [helper.make_node("Cast", ["x"], ["floats"], to=TensorProto.FLOAT),
             helper.make_node("Reshape", ["floats", "flat"], ["rows"]), helper.make_node("MatMul", ["rows", "w"], ["logits"])],
            "classifier", [helper.make_tensor_value_info("x", getattr(TensorProto, kind), ["n", *shape])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", flat.shape[1]])],
            [numpy_helper.from_array(np.array([-1, len(flat)]), "flat"), numpy_helper.from_array(flat, "w")])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "model.onnx")
        return tmp_path / "model.onnx"

    return write


@pytest.mark.parametrize("shape, found", [((8, 8), (1, 8, 8)), ((8, 8, 1), (1, 8, 8)), ((1, 8, 8), (1, 8, 8)),
                                          ((64,), (64, 1, 1))])
def test_one_channel_wherever_it_is(model, shape, found):
    weights = np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)
    path = model(*shape, weights=weights)
    for teacher in (dafl.onnx.Teacher(path), dafl.onnx.Teacher(path, input_shape=found)):
        assert (teacher.input_shape, teacher.classes) == (found, 4)
        given = images(shape=found)
        assert np.allclose(teacher.forward(given), given.reshape(3, 64) @ weights, atol=1e-4)
    assert dafl.distill(dafl.onnx.Teacher(path), **QUIET).last.step == 4


def test_channels_last_are_found_and_logged(model, caplog):
    with caplog.at_level(logging.INFO, logger="dafl"):
        teacher = dafl.onnx.Teacher(model(6, 5, 3))
    assert teacher.input_shape == (3, 6, 5) and "[n, 6, 5, 3]" in caplog.text
    assert np.allclose(teacher.forward(images()), logits(images()), atol=1e-4)
    assert dafl.distill(teacher, **QUIET | {"student": "mlp-90-8-4"}).last.step == 4


def test_the_layout_can_be_said(model, caplog):
    with caplog.at_level(logging.INFO, logger="dafl"):
        teacher = dafl.onnx.Teacher(model(6, 5, 3), layout="NCHW")
        assert teacher.input_shape == (6, 5, 3) and dafl.onnx.Teacher(model(9, 5, 2), layout="NHWC").input_shape == (2, 9, 5)
    assert not caplog.records
    given = images(shape=(6, 5, 3))
    assert np.allclose(teacher.forward(given), given.reshape(3, 90) @ WEIGHTS.reshape(90, 4), atol=1e-4)
    with pytest.raises(ValueError, match="layout must be"):
        dafl.onnx.Teacher(model(6, 5, 3), layout="nhwc")


@pytest.mark.parametrize("shape", [("h", "w", 3), (6, "w", 3), (None, None, "c"), ("h", "w", "c")])
def test_sizes_that_the_model_leaves_open_are_said(model, shape):
    path = model(*shape)
    with pytest.raises(ValueError, match="input shape is not known"):
        dafl.onnx.Teacher(path).settle()
    teacher = dafl.onnx.Teacher(path, input_shape=(3, 6, 5), layout="NHWC")
    assert np.allclose(teacher.forward(images()), logits(images()), atol=1e-4)


def test_a_size_that_the_model_fixes_is_kept(model):
    with pytest.raises(ValueError, match=r"\[n, h, w, 3\] with layout NHWC, and not \(4, 8, 8\)"):
        dafl.onnx.Teacher(model("h", "w", 3), input_shape=(4, 8, 8))
    words = r"\[n, 6, 5, 3\] with layout NHWC, which is input_shape=\(3, 6, 5\), and not \(6, 5, 3\)"
    with pytest.raises(ValueError, match=words):
        dafl.onnx.Teacher(model(6, 5, 3), input_shape=(6, 5, 3))
    with pytest.raises(ValueError, match=r"\[n, 90\], which is input_shape=\(90, 1, 1\), and not \(1, 8, 8\)"):
        dafl.onnx.Teacher(model(90), input_shape=(1, 8, 8))


def test_a_vector_of_as_many_numbers_is_the_models_row(model):
    teacher = dafl.onnx.Teacher(model(6, 5, 3), input_shape=(90, 1, 1))
    given = images(shape=(90, 1, 1))
    assert np.allclose(teacher.forward(given), given.reshape(3, 90) @ WEIGHTS.reshape(90, 4), atol=1e-4)


@pytest.mark.parametrize("kind, low, high", [("UINT8", 0, 255), ("INT8", -128, 127), ("INT32", -300, 300)])
def test_whole_numbers_are_rounded_and_kept_in_range(model, kind, low, high):
    teacher = dafl.onnx.Teacher(model(6, 5, 3, kind=kind))
    given = images() * 150
    expected = np.clip(np.rint(given), low, high) if kind != "INT32" else np.rint(given)
    assert np.allclose(teacher.forward(given), logits(expected), rtol=1e-4, atol=0.05)
