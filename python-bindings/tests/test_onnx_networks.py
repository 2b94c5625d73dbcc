"""Other people's classifiers as networks: from ONNX files, in the library and on the command line."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

import dafl
from dafl._command import main

SHARED = Path(os.environ.get("DAFL_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")
MODELS = sorted((SHARED / "models").glob("*.onnx"))
SHAPES = {"text-angle-mobilenetv3": (3, 48, 192)}
"""Of images, where the file leaves sizes free."""
ONE_STEP = {"steps": 1, "batch_size": 16, "student_steps": 1, "replay_capacity": 16, "generator_width": 4, "seed": 0}
RNG = np.random.default_rng(0)


def answers(network: dafl.Network, images: np.ndarray) -> np.ndarray:
    """What the network's file would answer: with its head."""
    if network.info.head == "softmax":
        return network.predict_proba(images)
    logits = network.predict(images)
    return 1 / (1 + np.exp(-logits)) if network.info.head == "sigmoid" else logits


def runtime_answers(path: Path, network: dafl.Network, images: np.ndarray) -> np.ndarray:
    """ONNX Runtime's about images [count, channels, height, width], in the file's own layout, batch and type."""
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    session = runtime.InferenceSession(path)
    taken = session.get_inputs()[0]
    rows = images.transpose(0, 2, 3, 1) if network.info.channels_last else images
    if len(taken.shape) == 2:
        rows = rows.reshape(len(rows), -1)
    rows = rows.astype(np.int8) if taken.type == "tensor(int8)" else rows
    batch = 1 if taken.shape[0] == 1 else len(rows)
    found = [session.run(None, {taken.name: rows[start:start + batch]})[0] for start in range(0, len(rows), batch)]
    answers = np.concatenate(found).reshape(len(rows), -1)
    return (answers.astype(np.float32) + 128) / 256 if answers.dtype == np.int8 else answers  # as the one such file has it


def require_same_as_runtime(path: Path, network: dafl.Network, tolerance: float = 1e-4) -> None:
    images = RNG.standard_normal((5, *network.info.input_shape), np.float32)
    if "int8" in path.name:
        images = np.clip(np.round(50 * images), -128, 127)
    expected = runtime_answers(path, network, images)
    assert np.abs(answers(network, images) - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.skipif(not MODELS, reason="the models are not here")
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_classifiers_that_people_use(path, tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    network = dafl.Network.load(path, input_shape=SHAPES.get(path.stem))
    require_same_as_runtime(path, network, tolerance=0.05 if "int8" in path.name else 1e-4)
    distillation = dafl.Distillation(network, student="half", **ONE_STEP)
    distillation.run()
    student = distillation.student()
    assert student.info.parameters < network.info.parameters
    assert distillation.generate(3)[1].shape == (3, max(network.info.outputs, 2))
    for name, each in (("network", network), ("student", student)):
        each.save(tmp_path / f"{name}.onnx")
        onnx.checker.check_model(tmp_path / f"{name}.onnx", full_check=True)
        require_same_as_runtime(tmp_path / f"{name}.onnx", each)


COMMAND = ["--steps", "2", "--threads", "1"] + [part for setting in ("batch_size=16", "student_steps=2", "replay_capacity=64",
                                                                     "generator_width=8") for part in ("--set", setting)]


def run(capsys, *arguments: object) -> tuple[dict, str]:
    """What a command that succeeds prints as JSON, and what it says on stderr."""
    code = main([*map(str, arguments), "--json"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return json.loads(printed.out), printed.err


def test_the_command_line_from_onnx_to_onnx(tmp_path, capsys):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    teacher, student = tmp_path / "teacher.onnx", tmp_path / "student.onnx"
    network = dafl.Network("lenet5(classes=4)", seed=3)
    network.save(teacher, softmax=True)
    report, err = run(capsys, "distill", "--teacher", teacher, "-o", student, *COMMAND)
    assert "ONNX Runtime" not in err and report["parameters"] < network.info.parameters
    require_same_as_runtime(student, dafl.Network.load(student))
    described, _ = run(capsys, "inspect", teacher)
    assert (described["head"], described["layout"], described["input_shape"]) == ("softmax", "NCHW", [1, 32, 32])
    run(capsys, "convert", teacher, tmp_path / "teacher.safetensors")
    converted, given = dafl.Network.load(tmp_path / "teacher.safetensors"), RNG.standard_normal((3, 1, 32, 32), np.float32)
    assert converted.info.head == "softmax" and np.allclose(converted.predict(given), network.predict(given), atol=1e-5)


def test_folded_networks_answer_the_same():
    network = dafl.Network("resnet8", seed=1)
    images = np.random.default_rng(0).standard_normal((5, 3, 32, 32), np.float32)
    network.train(images, [0, 1, 2, 3, 4], epochs=1)
    folded = network.folded()
    assert not any("running_mean" in name for name in folded.state_dict())
    np.testing.assert_allclose(folded.predict(images), network.predict(images), atol=1e-4)


def test_the_command_line_falls_back_to_onnx_runtime(tmp_path, capsys):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    from onnx import TensorProto, helper, numpy_helper
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["images", "weights"], ["product"]), helper.make_node("Atan", ["product"], ["logits"])], "g",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(RNG.standard_normal((64, 4)).astype(np.float32), "weights")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "teacher.onnx")
    command = "distill", "--teacher", tmp_path / "teacher.onnx", "-o", tmp_path / "student.onnx", *COMMAND
    assert "ONNX Runtime and is only queried: " in (told := run(capsys, *command)[1]) and "Atan" in told
    assert "is only queried: " not in run(capsys, *command, "--run", "onnxruntime")[1]
    assert main([*map(str, command), "--run", "here"]) == 1 and "Atan" in capsys.readouterr().err
    assert main([*map(str, command), "--run", "here", "--answers", "logits"]) == 1
    assert "--answers is for --run onnxruntime" in capsys.readouterr().err


def test_rows_of_numbers_as_images_are_for_onnx_runtime(tmp_path, capsys):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    dafl.Network("mlp-64-16-4", seed=3).save(tmp_path / "teacher.onnx")
    command = "distill", "--teacher", tmp_path / "teacher.onnx", "-o", tmp_path / "student.onnx", *COMMAND
    assert "ONNX Runtime" not in run(capsys, *command)[1]
    assert "ONNX Runtime" in run(capsys, *command, "--input-shape", "1,8,8")[1]
    assert dafl.Network.load(tmp_path / "student.onnx").info.input_shape == (1, 8, 8)
