"""ONNX models as teachers."""

import numpy as np
import pytest

import dafl
from conftest import SMALL

runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
onnx = pytest.importorskip("onnx", reason="onnx is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

QUIET = SMALL | {"progress": False}
WEIGHTS = np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)


@pytest.fixture
def model(tmp_path):
    """Writes a linear classifier of 64 numbers with the outputs logits and probabilities, for such inputs."""
    def write(batch: int | str = "n", shape: tuple[int | str, ...] = (1, 8, 8), type: int = TensorProto.FLOAT) -> str:
        graph = helper.make_graph(
            [helper.make_node("Flatten", ["images"], ["rows"]), helper.make_node("MatMul", ["rows", "weights"], ["logits"]),
             helper.make_node("Softmax", ["logits"], ["probabilities"])],
            "classifier", [helper.make_tensor_value_info("images", type, [batch, *shape])],
            [helper.make_tensor_value_info(name, type, [batch, 4]) for name in ("logits", "probabilities")],
            [numpy_helper.from_array(WEIGHTS.astype(helper.tensor_dtype_to_np_dtype(type)), "weights")])
        written = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(written, tmp_path / "model.onnx")
        return tmp_path / "model.onnx"

    return write


def images(count: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, 1, 8, 8), np.float32)


@pytest.mark.parametrize("batch", ["n", 1, 4])
def test_answers_are_the_models(model, batch):
    teacher = dafl.onnx.Teacher(model(batch))
    assert (teacher.input_shape, teacher.classes, teacher.features, teacher.backward) == ((1, 8, 8), 4, 0, None)
    for count in (1, 4, 7):
        assert np.allclose(teacher.forward(images(count)), images(count).reshape(count, 64) @ WEIGHTS, atol=1e-4)


@pytest.mark.parametrize("type", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_other_precisions(model, type):
    answers = dafl.onnx.Teacher(model(type=type)).forward(images(3))
    assert np.allclose(answers, images(3).reshape(3, 64) @ WEIGHTS, atol=0.1)


def test_distils(model):
    result = dafl.distill(dafl.onnx.Teacher(model()), **QUIET)
    assert result.last.step == 4 and result.generate(3)[1].shape == (3, 4)


def test_probabilities_by_the_outputs_name(model):
    teacher = dafl.onnx.Teacher(model(), output="probabilities", answers="probabilities")
    assert np.allclose(teacher.forward(images(3)).sum(1), 1)
    assert dafl.distill(teacher, **QUIET).last.step == 4


def test_sessions_vectors_and_shapes_that_the_model_leaves_open(model):
    session = runtime.InferenceSession(model(shape=(64,)), providers=["CPUExecutionProvider"])
    assert dafl.onnx.Teacher(session).input_shape == (64, 1, 1)
    teacher = dafl.onnx.Teacher(model(shape=(1, "height", "width")))
    with pytest.raises(ValueError, match="input shape is not known"):
        dafl.distill(teacher, **QUIET)
    assert dafl.distill(teacher, input_shape=(1, 8, 8), **QUIET).last.step == 4


@pytest.mark.parametrize("shape", [(64,), ("features",)])
def test_images_for_a_model_of_rows(model, shape):
    teacher = dafl.onnx.Teacher(model(shape=shape), input_shape=(1, 8, 8))
    assert np.allclose(teacher.forward(images(3)), images(3).reshape(3, 64) @ WEIGHTS, atol=1e-4)
    assert dafl.distill(teacher, **QUIET).generate(3)[0].shape == (3, 1, 8, 8)
