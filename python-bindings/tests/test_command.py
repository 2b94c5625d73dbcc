"""The command line: what it writes, what it prints, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import dafl
from dafl._command import main

PACKAGE = Path(dafl.__file__).resolve().parent
SMALL = ["--student", "mlp-64-8-4", "--steps", "3", "--threads", "1"] + [
    part for setting in ("batch_size=16", "student_steps=2", "replay_capacity=64", "generator_width=8", "latent_size=8",
                    "image_source=generator")
    for part in ("--set", setting)]


@pytest.fixture
def teacher(tmp_path) -> str:
    dafl.Network("mlp-64-16-4", seed=3).save(tmp_path / "teacher.safetensors")
    return str(tmp_path / "teacher.safetensors")


def run(capsys, *arguments: object) -> dict:
    """What a command that succeeds prints as JSON."""
    assert main([*map(str, arguments), "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return json.loads(printed.out)


def test_distil_generate_evaluate_inspect(teacher, tmp_path, capsys):
    student, generator, images = tmp_path / "student.safetensors", tmp_path / "generator.safetensors", tmp_path / "images.npz"
    report = run(capsys, "distill", "--teacher", teacher, "--input-shape", "64", "--classes", 4, "-o", student,
                 "--generator", generator, *SMALL)
    assert report["steps"] == 3 and report["student"].startswith("mlp-64-8-4") and report["queries"] > 0
    assert run(capsys, "generate", generator, "-o", images, "--count", 20)["images"] == [20, 1, 8, 8]
    agreement = run(capsys, "evaluate", student, images, "--teacher", teacher)["agreement"]
    given = np.load(images)["images"]
    expected = dafl.Network.load(student).predict(given).argmax(1) == dafl.Network.load(teacher).predict(given).argmax(1)
    assert agreement == pytest.approx(expected.mean())
    described = run(capsys, "inspect", student)
    assert described["parameters"] == 64 * 8 + 8 + 8 * 4 + 4 and described["tensors"]["fc1.weight"] == [8, 64]


def test_accuracy_on_labels(teacher, tmp_path, capsys):
    images = np.random.default_rng(0).standard_normal((10, 64), np.float32)
    np.savez(tmp_path / "data.npz", images=images, labels=dafl.Network.load(teacher).predict(images).argmax(1))
    assert run(capsys, "evaluate", teacher, tmp_path / "data.npz") == {"images": 10, "accuracy": 1}


def test_onnx_teachers(tmp_path, capsys, monkeypatch):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    from onnx import TensorProto, helper, numpy_helper
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["images", "weights"], ["logits"])], "classifier",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32), "weights")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "teacher.onnx")
    distill = "distill", "--teacher", tmp_path / "teacher.onnx", "-o", tmp_path / "student.safetensors", *SMALL
    assert run(capsys, *distill)["steps"] == 3
    made = []
    monkeypatch.setattr("dafl._command.OnnxTeacher", lambda *given, **options: made.append(
        dafl.onnx.Teacher(*given, **options)) or made[-1])
    said = "--input-shape", "1,8,8", "--answers", "logits", "--output-name", "logits", "--layout", "NHWC"
    assert run(capsys, *distill, *said)["steps"] == 3
    assert (made[0].answers, made[0].input_shape) == ("logits", (1, 8, 8))
    assert made[0]._session.get_session_options().intra_op_num_threads == 1  # as SMALL says
    assert main([*map(str, distill), "--output-name", "scores"]) == 1
    assert "'scores' is none of the model's outputs: logits" in capsys.readouterr().err


@pytest.mark.parametrize("said, low, high", [(["--input-range", "-3,-1"], -3, -1), (["--input-mean", "-2"], -2.5, -1.5),
                                             (["--input-mean", "-2,-2", "--input-deviation", ".5,1.5"], -2.5, -1.5)])
def test_the_teachers_units(tmp_path, capsys, said, low, high):
    dafl.Network("mlp-2-16-4", seed=3).save(tmp_path / "teacher.safetensors")
    small = ["--student", "mlp-2-8-4", *SMALL[2:]]
    run(capsys, "distill", "--teacher", tmp_path / "teacher.safetensors", "-o", tmp_path / "student.safetensors", *small, *said,
        "--generator", tmp_path / "generator.safetensors")
    assert "units" in dafl.Network.load(tmp_path / "student.safetensors").info.architecture


def test_a_picture(tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    dafl.Network("dafl-generator(latent=8,side=8,width=8,channels=3)").save(tmp_path / "generator.safetensors")
    report = run(capsys, "generate", tmp_path / "generator.safetensors", "-o", tmp_path / "images.png", "--count", 4)
    assert report["images"] == [4, 3, 8, 8] and (tmp_path / "images.png").stat().st_size > 100


def test_the_table_is_for_people(teacher, capsys):
    assert main(["inspect", teacher]) == 0
    table = capsys.readouterr().out
    assert "parameters     1,108" in table and "  fc1.weight               16 x 64" in table


def test_a_reader_that_has_seen_enough(teacher):
    """As in `dafl inspect student.safetensors | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run([sys.executable, "-m", "dafl", "inspect", teacher], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("arguments, words", [
    (["inspect", "nowhere.safetensors"], "nowhere.safetensors"),
    (["distill", "--teacher", "nowhere.safetensors", "-o", "x.safetensors"], "nowhere.safetensors"),
    (["distill", "--teacher", "TEACHER", "-o", "x.pt"], "x.pt must end in .safetensors"),
    (["distill", "--teacher", "TEACHER", "-o", "x.safetensors", "--generator", "y.npz"], "y.npz must end in .safetensors"),
    (["distill", "--teacher", "TEACHER", "-o", "nowhere/x.safetensors"], "there is no folder nowhere"),
    (["evaluate", "TEACHER", "TEACHER"], "is no .npz file"),
    (["evaluate", "TEACHER", "nowhere.npz"], "nowhere.npz"),
    (["evaluate", "TEACHER", "OTHER"], "no array `images`, only pixels"),
    (["generate", "TEACHER", "-o", "images.npz"], "no generator"),
    (["distill", "--teacher", "TEACHER", "--student", "lenet9", "-o", "x.safetensors"], "lenet9"),
    (["distill", "--teacher", "TEACHER", "--input-shape", "1,9,9", "-o", "x.safetensors"], "input_shape"),
    (["distill", "--teacher", "TEACHER", "--answers", "labels", "-o", "x.safetensors"], "--answers"),
    (["distill", "--teacher", "TEACHER", "--output-name", "logits", "-o", "x.safetensors"], "--output-name"),
    (["distill", "--teacher", "TEACHER", "--input-range", "1,-1", "-o", "x.safetensors"], "input_range must be (low, high)"),
])
def test_a_failure_is_one_sentence_and_one(teacher, tmp_path, capsys, arguments, words):
    np.savez(tmp_path / "other.npz", pixels=np.zeros(3))
    files = {"TEACHER": teacher, "OTHER": str(tmp_path / "other.npz")}
    assert main([files.get(part, part) for part in arguments]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("dafl: ") and words in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("arguments, words", [
    ([], "COMMAND"),
    (["distil"], "invalid choice"),
    (["distill", "-o", "x"], "--teacher"),
    (["distill", "--teacher", "x", "-o", "x", "--input-shape", "1,2"], "--input-shape"),
    (["distill", "--teacher", "x", "-o", "x", "--set", "images=3"], "images"),
    (["distill", "--teacher", "x", "-o", "x", "--set", "steps=many"], "steps"),
    (["distill", "--teacher", "x", "-o", "x", "--layout", "HWC"], "--layout"),
    (["distill", "--teacher", "x", "-o", "x", "--input-mean", "grey"], "--input-mean"),
    (["generate", "x", "-o", "x.npz", "--count", "-1"], "must be at least 1, not -1"),
])
def test_a_wrong_command_line_is_two(capsys, arguments, words):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and words in capsys.readouterr().err


def test_help_names_everything(capsys):
    for arguments in (["--help"], ["distill", "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("inspect", "generate", "evaluate", "--preset", "--set NAME=VALUE"))


def test_ctrl_c_writes_the_student_so_far(teacher, tmp_path):
    student = tmp_path / "student.safetensors"
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "dafl", "distill", "--teacher", teacher, "-o", student, *SMALL,
         "--steps", "100000000", "--json"], cwd=PACKAGE.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not has_worked(process.pid):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and "interrupted" in err and "Traceback" not in err
    assert json.loads(out)["steps"] > 0 and dafl.Network.load(student).info.outputs == 4


class FailingTeacher(dafl.Teacher):
    """One of ONNX's that gives up after so many calls."""

    def __init__(self, calls: int) -> None:
        network = dafl.Network("mlp-64-16-4", seed=3)

        def forward(images: np.ndarray) -> np.ndarray:
            nonlocal calls
            calls -= 1
            if calls < 0:
                raise ConnectionError("the service hung up")
            return network.predict(images)

        super().__init__(forward, input_shape=(1, 8, 8), classes=4)


@pytest.mark.parametrize("calls, steps", [(20, True), (0, False)])
def test_a_failure_on_the_way_writes_the_student_so_far(tmp_path, capsys, monkeypatch, calls, steps):
    monkeypatch.setattr("dafl._command.teacher_from", lambda options: FailingTeacher(calls))
    student = tmp_path / "student.safetensors"
    assert main(["distill", "--teacher", "x.onnx", "-o", str(student), *SMALL, "--steps", "1000", "--json"]) == 1
    printed = capsys.readouterr()
    assert "the service hung up" in printed.err and printed.err.count("\n") == 1
    assert ("the student is the one so far" in printed.err) == steps == student.exists()
    assert not steps or json.loads(printed.out)["steps"] > 0 and dafl.Network.load(student).info.outputs == 4


def has_worked(pid: int) -> bool:
    """Whether the process has spent more time than its start takes, so that it is at its steps."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK") > 1.5


def test_a_run_is_repeated_and_goes_on(teacher, tmp_path, capsys):
    student, again, config = tmp_path / "student.safetensors", tmp_path / "again.safetensors", tmp_path / "run.toml"
    report = run(capsys, "distill", "--teacher", teacher, "-o", student, *SMALL, "--seed", 4, "--input-mean", "1",
                 "--save-config", config, "--log", tmp_path / "run.csv", "--checkpoint", tmp_path / "run.dafl")
    assert report["steps"] == 3 and (tmp_path / "run.dafl").exists()
    assert len((tmp_path / "run.csv").read_text().splitlines()) == 4
    # With the checkpoint of a run that is done nothing is left to do, and the student is the same.
    first = student.read_bytes()
    assert run(capsys, "distill", "--config", config, "--checkpoint", tmp_path / "run.dafl")["steps"] == 3
    assert student.read_bytes() == first
    # Without, the run is done again, to the same bytes. What is given here wins.
    assert run(capsys, "distill", "--config", config, "-o", again)["steps"] == 3
    assert again.read_bytes() == first
    third = "--checkpoint", tmp_path / "third.dafl", "--steps", 2, "-o", again
    assert run(capsys, "distill", "--config", config, *third)["steps"] == 2
    assert again.read_bytes() != first


def test_an_interrupted_command_goes_on(teacher, tmp_path, capsys, monkeypatch):
    arguments = "distill", "--teacher", teacher, *SMALL, "--seed", "4", "-o"
    run(capsys, *arguments, tmp_path / "whole.safetensors")
    checkpoint = "--checkpoint", tmp_path / "run.dafl"
    monkeypatch.setattr("dafl._command.distill", lambda *given, **options: dafl.distill(
        *given, **options | {"on_step": lambda progress: progress.step < 2}))
    assert run(capsys, *arguments, tmp_path / "half.safetensors", *checkpoint)["steps"] == 2
    monkeypatch.undo()
    assert run(capsys, *arguments, tmp_path / "rest.safetensors", *checkpoint)["steps"] == 3
    assert (tmp_path / "rest.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
