"""What classifiers of other packages become as files of ONNX: the numbers for each class are found by themselves."""

import os
from pathlib import Path

import numpy as np
import pytest

import dafl
from conftest import SMALL

runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
onnx = pytest.importorskip("onnx", reason="onnx is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

QUIET = SMALL | {"progress": False}
SHARED = Path(os.environ.get("DAFL_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")
NAMES = np.array(["ant", "bee", "cow", "dog"])
WEIGHTS = np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)


def images(count: int = 5) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, 64, 1, 1), np.float32)


def best(count: int = 5) -> np.ndarray:
    return (images(count).reshape(count, 64) @ WEIGHTS).argmax(1)


def written(*outputs: str, batch: int | str = "n") -> bytes:
    """A model with the outputs of these kinds, in their order."""
    kinds = {"scores": (TensorProto.FLOAT, [batch, 4]), "probabilities": (TensorProto.FLOAT, [batch, 4]),
             "label": (TensorProto.INT64, [batch]), "column": (TensorProto.FLOAT, [batch, 1]),
             "whole": (TensorProto.INT32, [batch, 4]), "name": (TensorProto.STRING, [batch]),
             "other": (TensorProto.FLOAT, [batch, 1]), "square": (TensorProto.FLOAT, [batch, 2, 2])}
    nodes = [helper.make_node("MatMul", ["rows", "w"], ["scores"]), helper.make_node("Softmax", ["scores"], ["probabilities"]),
             helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
             helper.make_node("Gather", ["words", "label"], ["name"]),
             helper.make_node("ReduceSum", ["scores", "one"], ["column"]), helper.make_node("Neg", ["column"], ["other"]),
             helper.make_node("Cast", ["scores"], ["whole"], to=TensorProto.INT32),
             helper.make_node("Reshape", ["scores", "two"], ["square"]),
             helper.make_node("ZipMap", ["probabilities"], ["map"], domain="ai.onnx.ml", classlabels_strings=NAMES.tolist())]
    values = [helper.make_tensor_value_info(name, *kinds[name]) if name != "map" else helper.make_value_info(
        "map", helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(
            TensorProto.FLOAT, [])))) for name in outputs]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [batch, 64])], values,
                              [numpy_helper.from_array(np.asarray(values), name) for name, values in
                               (("w", WEIGHTS), ("words", NAMES.astype(object)), ("two", [-1, 2, 2]), ("one", [1]))])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


@pytest.mark.parametrize("outputs", [("label", "scores"), ("name", "map"), ("label", "map"), ("scores", "probabilities"),
                                     ("square", "scores"), ("column", "probabilities"), ("whole", "scores"), ("label", "whole")])
@pytest.mark.parametrize("batch", ["n", 2])
def test_the_numbers_for_each_class_are_found(outputs, batch):
    teacher = dafl.onnx.Teacher(written(*outputs, batch=batch))
    assert (teacher.classes, teacher.answers) == (4, "auto")
    answers = teacher.forward(images())
    assert answers.shape == (5, 4) and answers.dtype == np.float32
    if outputs[1] != "whole":
        assert (answers.argmax(1) == best()).all()
    assert dafl.distill(teacher, **QUIET).last.step == 4


@pytest.mark.parametrize("outputs, options", [(("label",), {"classes": 4}), (("scores", "label"), {"output": "label"}),
                                              (("name", "map"), {"output": 0}), (("map", "name"), {"output": -1})])
def test_labels_become_rows(outputs, options):
    teacher = dafl.onnx.Teacher(written(*outputs), **options)
    assert (teacher.classes, teacher.answers) == (4, "labels")
    assert np.array_equal(teacher.forward(images()), np.eye(4)[best()])
    assert dafl.distill(teacher, **QUIET).last.step == 4


def test_the_number_of_classes_may_be_said_to_the_distillation():
    assert dafl.distill(dafl.onnx.Teacher(written("label"), input_shape=None, classes=4), **QUIET).last.step == 4


def test_one_column_is_of_two_classes():
    teacher = dafl.onnx.Teacher(written("label", "column"))
    assert teacher.classes == 1
    assert np.allclose(teacher.forward(images())[:, 0], (images().reshape(5, 64) @ WEIGHTS).sum(1), atol=1e-4)


@pytest.mark.parametrize("outputs, options, words", [
    (("square",), {}, r"float32 \[2, 2, 2\]"),
    (("label",), {}, "classes="),
    (("name",), {"classes": 4}, "in words"),
    (("label",), {"classes": 2}, "none of its 2 classes"),
    (("column", "other"), {}, "2 outputs of one number"),
    (("scores", "square"), {"output": "square"}, r"float32 \[2, 2, 2\], and no answers"),
    (("scores",), {"output": "logits"}, "output='logits' is none of the model's outputs: scores"),
    (("scores",), {"output": 1}, "output=1 is none"),
    (("scores",), {"threads": -1}, "threads must be at least 0"),
])
def test_what_is_no_answer_is_one_sentence(outputs, options, words):
    with pytest.raises(ValueError, match=words) as raised:
        teacher = dafl.onnx.Teacher(written(*outputs), **options)
        for _ in range(20):
            teacher.forward(images(50))
    assert "\n" not in str(raised.value)


def model_of(inputs: list, nodes: list) -> bytes:
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def test_inputs_that_images_cannot_be():
    two = model_of([helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "ab"],
                   [helper.make_node("Add", ["a", "b"], ["y"])])
    with pytest.raises(ValueError, match="has 2 inputs: 'a', 'b'"):
        dafl.onnx.Teacher(two)
    words = model_of([helper.make_tensor_value_info("a", TensorProto.STRING, ["n", 4])],
                     [helper.make_node("Cast", ["a"], ["y"], to=TensorProto.FLOAT)])
    with pytest.raises(ValueError, match=r"takes tensor\(string\)"):
        dafl.onnx.Teacher(words)


def threads_of(teacher: dafl.onnx.Teacher) -> int:
    return teacher._session.get_session_options().intra_op_num_threads


def test_the_session_has_the_distillations_threads(tmp_path):
    teacher = dafl.onnx.Teacher(written("scores"))
    assert threads_of(teacher) == len(os.sched_getaffinity(0))
    dafl.distill(teacher, **QUIET | {"threads": 3})
    options = teacher._session.get_session_options()
    assert threads_of(teacher) == 3 and options.inter_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    dafl.Distillation(teacher, **SMALL | {"threads": 1})
    assert threads_of(teacher) == 1


def test_threads_that_were_said_and_sessions_stay():
    teacher = dafl.onnx.Teacher(written("scores"), threads=2)
    dafl.distill(teacher, **QUIET | {"threads": 1})
    assert threads_of(teacher) == 2
    own = runtime.InferenceSession(written("scores"), providers=["CPUExecutionProvider"])
    teacher = dafl.onnx.Teacher(own)
    dafl.distill(teacher, **QUIET)
    assert teacher._session is own
    with pytest.raises(ValueError, match="its threads already"):
        dafl.onnx.Teacher(own, threads=1)


def fitted(kind: str):
    """A classifier of 64 numbers into three classes, by name."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((300, 64)).astype(np.float32)
    labels = (rows @ WEIGHTS[:, :3]).argmax(1)
    if kind in ("lightgbm", "xgboost"):
        package = pytest.importorskip(kind, reason=f"{kind} is not installed")
        made = package.LGBMClassifier(n_estimators=3, verbose=-1) if kind == "lightgbm" else package.XGBClassifier(n_estimators=3)
        return made.fit(rows, labels), rows
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC
    made = {"forest": RandomForestClassifier(5, random_state=0), "regression": LogisticRegression(), "svm": LinearSVC(),
            "pipeline": make_pipeline(StandardScaler(), LogisticRegression())}[kind]
    return made.fit(rows, NAMES[labels]), rows


@pytest.mark.filterwarnings("ignore")  # the converters' own
@pytest.mark.parametrize("kind", ["forest", "regression", "svm", "pipeline", "lightgbm", "xgboost"])
def test_converted_classifiers_give_what_they_gave(kind):
    estimator, rows = fitted(kind)
    if kind in ("lightgbm", "xgboost"):
        tools = pytest.importorskip("onnxmltools", reason="onnxmltools is not installed")
        from onnxmltools.convert.common.data_types import FloatTensorType
        convert = getattr(tools, f"convert_{kind}")
    else:
        convert = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed").convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType
    model = convert(estimator, initial_types=[("x", FloatTensorType([None, 64]))], target_opset=15).SerializeToString()
    teacher = dafl.onnx.Teacher(model, input_shape=(1, 8, 8))
    expected = estimator.decision_function(rows) if kind == "svm" else estimator.predict_proba(rows)
    assert np.allclose(teacher.forward(rows.reshape(-1, 1, 8, 8)), expected, atol=1e-4)
    assert dafl.distill(teacher, **QUIET | {"student": "mlp-64-8-3"}).last.step == 4


# Input shape and classes of each, as its authors say.
PEOPLES = {
    "emnist-letters": ((1, 28, 28), 27), "emotion-minixception": ((1, 64, 64), 7), "liveness-minifasnet": ((3, 80, 80), 3),
    "mlperf-tiny-dscnn-kws": ((1, 49, 10), 12), "mlperf-tiny-mobilenet-vww": ((3, 96, 96), 2),
    "mlperf-tiny-resnet8": ((3, 32, 32), 10), "mlperf-tiny-resnet8-int8": ((3, 32, 32), 10), "mnist-cntk": ((1, 28, 28), 10),
    "mnist-torch": ((1, 28, 28), 10), "resnet20-cifar10": ((3, 32, 32), 10), "text-angle-mobilenetv3": ((3, 48, 192), 2),
    "deepfake-meso4": ((3, 256, 256), 1),
}


@pytest.mark.parametrize("name", PEOPLES)
def test_models_that_people_use(name):
    path = SHARED / "models" / f"{name}.onnx"
    if not path.is_file():
        pytest.skip(f"there is no folder of models at {SHARED}")
    shape, classes = PEOPLES[name]
    teacher = dafl.onnx.Teacher(path, input_shape=shape if name.startswith("text") else None)
    assert (teacher.input_shape, teacher.classes) == (shape, classes)
    options = QUIET | {"student": f"mlp-{np.prod(shape)}-8-{max(classes, 2)}", "steps": 2, "batch_size": 4, "student_steps": 1,
                       "replay_capacity": 8}
    assert dafl.distill(teacher, **options).last.step == 2
