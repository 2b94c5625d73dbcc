"""Networks in eight bits: how close they stay, and that ONNX Runtime computes the same in whole numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

import dafl
from dafl._command import main

runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

GRAPH = {"name": "small", "input": [1, 12, 12], "nodes": [
    {"kind": "convolution", "name": "conv1", "outputs": 6, "kernel": 3, "padding": 1}, {"kind": "batch_norm"},
    {"kind": "relu", "name": "trunk"},
    {"kind": "convolution", "name": "conv2", "outputs": 6, "kernel": 3, "padding": 1, "groups": 6},
    {"kind": "add", "inputs": ["conv2", "trunk"]}, {"kind": "relu"}, {"kind": "max_pool", "window": 2}, {"kind": "flatten"},
    {"kind": "linear", "name": "fc1", "outputs": 16}, {"kind": "relu"}, {"kind": "linear", "name": "fc2", "outputs": 4}]}


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bright squares in one of four corners, in noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    images = rng.standard_normal((count, 1, 12, 12)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        image[0, label // 2 * 6:label // 2 * 6 + 6, label % 2 * 6:label % 2 * 6 + 6] += 0.7
    return images, labels


@pytest.fixture(scope="module")
def trained() -> dafl.Network:
    network = dafl.Network(GRAPH, seed=1)
    network.train(*pictures(2000, 1), epochs=10)
    return network


def in_runtime(path: Path, images: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Outputs, and the operators that the runtime makes of the file."""
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(path.with_suffix(".optimised.onnx"))
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    model = onnx.load(options.optimized_model_filepath)
    return session.run(None, {session.get_inputs()[0].name: images})[0], [node.op_type for node in model.graph.node]


def test_onnx_runtime_computes_in_whole_numbers_what_the_library_predicts(trained, tmp_path):
    images, labels = pictures(1000, 2)
    small = trained.compressed(int8=1, images=pictures(200, 3)[0])
    assert trained.evaluate(images, labels) > 0.9
    assert small.evaluate(images, labels) > trained.evaluate(images, labels) - 0.02
    small.save(tmp_path / "small.onnx")
    found, operators = in_runtime(tmp_path / "small.onnx", images)
    assert operators.count("QLinearConv") == 2
    assert {"QGemm", "QLinearAdd"} <= set(operators)
    assert not {"Conv", "Gemm", "Add", "MatMul"} & set(operators)
    wanted = small.predict(images)
    assert (found.argmax(1) == wanted.argmax(1)).mean() > 0.995
    # A number halfway between two steps may be rounded to either.
    assert np.abs(found - wanted).max() < 0.1 * np.abs(wanted).max()
    assert np.median(np.abs(found - wanted)) < 1e-3
    read = dafl.Network.load(tmp_path / "small.onnx")
    np.testing.assert_array_equal(read.predict(images), wanted)


def test_a_safetensors_file_keeps_every_number(trained, tmp_path):
    small = trained.compressed(int8=1, images=pictures(200, 3)[0])
    small.save(tmp_path / "small.safetensors")
    images = pictures(50, 2)[0]
    np.testing.assert_array_equal(dafl.Network.load(tmp_path / "small.safetensors").predict(images), small.predict(images))


def test_images_near_those_of_the_task_calibrate_better_than_others(trained):
    images = pictures(1000, 2)[0]
    wanted = trained.predict(images)

    def error(calibration: np.ndarray) -> float:
        return float(np.square(trained.compressed(int8=1, images=calibration).predict(images) - wanted).mean())

    assert 3 * error(pictures(200, 3)[0]) < error(0.2 * pictures(200, 3)[0])


def test_a_distillation_repairs_it_and_its_weights_go_back_on_the_grid(trained, tmp_path):
    calibration = pictures(200, 3)[0]
    small = trained.compressed(int8=1, images=calibration)
    distillation = dafl.Distillation(trained, student=small, steps=2, batch_size=32, image_source="data", images=calibration,
                                     threads=1)
    distillation.run()
    moved = distillation.student()
    assert any((values != moved.state_dict()[name]).any() for name, values in small.state_dict().items())
    back = moved.compressed(int8=1, images=calibration)
    assert kinds(back) == kinds(small)
    back.save(tmp_path / "back.onnx")
    operators = in_runtime(tmp_path / "back.onnx", calibration)[1]
    assert operators.count("QLinearConv") == 2


def kinds(network: dafl.Network) -> list[str]:
    return [node["kind"] for node in json.loads(network.graph)["nodes"]]


def test_without_images_it_says_where_some_come_from(trained):
    with pytest.raises(dafl.InvalidArgument, match="dafl_distillation_generate"):
        trained.compressed(int8=1)


def test_images_of_a_teacher_from_the_command_line(trained, tmp_path, capsys):
    trained.save(tmp_path / "teacher.safetensors")
    arguments = ["generate", "--teacher", str(tmp_path / "teacher.safetensors"), "--count", "20", "--steps", "2", "--input-range",
                 "-1,3", "-o", str(tmp_path / "calibration.npz"), "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["images"] == [20, 1, 12, 12]
    images = np.load(tmp_path / "calibration.npz")["images"]
    assert images.min() >= -1 and images.max() <= 3 and images.std() > 0.1
    assert main(["generate", "-o", str(tmp_path / "calibration.npz")]) == 1
    assert "give one of them" in capsys.readouterr().err
