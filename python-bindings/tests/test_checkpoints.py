"""Runs that are saved and go on."""

import numpy as np
import pytest

import dafl
from conftest import SMALL, saved_bytes


def weights(network: dafl.Network) -> bytes:
    return b"".join(values.tobytes() for values in network.state_dict().values())


@pytest.mark.parametrize("kind", ["functions", "network"])
def test_a_run_that_goes_on_is_the_same(numpy_teacher, tmp_path, kind):
    def teacher():
        return numpy_teacher.teacher() if kind == "functions" else dafl.Network("mlp-64-16-4", seed=3)

    whole = dafl.Distillation(teacher(), seed=5, **SMALL)
    whole.run()
    first = dafl.Distillation(teacher(), seed=5, **SMALL)
    first.step()
    first.save(tmp_path / "run.dafl")
    second = dafl.Distillation.load(tmp_path / "run.dafl", teacher())
    assert second.progress.step == 1 and second.options == first.options | {"checkpoint": ""}
    second.run()
    assert weights(second.student()) == weights(whole.student())
    assert second.progress.teacher_images == whole.progress.teacher_images
    assert np.array_equal(second.generate(4)[0], whole.generate(4)[0])


def test_saving_within_on_step(numpy_teacher, tmp_path):
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL)
    distillation.run(lambda progress: distillation.save(tmp_path / f"{progress.step}.dafl"))
    for step in range(1, 5):
        run = dafl.Distillation.load(tmp_path / f"{step}.dafl", numpy_teacher.teacher())
        run.run()
        assert weights(run.student()) == weights(distillation.student())


def test_distill_goes_on_by_itself(numpy_teacher, tmp_path):
    path = tmp_path / "run.dafl"
    options = SMALL | {"progress": False, "checkpoint": path, "log": tmp_path / "run.csv"}
    whole = dafl.distill(numpy_teacher.teacher(), **SMALL, progress=False)
    dafl.distill(numpy_teacher.teacher(), on_step=lambda progress: progress.step < 2, **options)
    asked = numpy_teacher.calls
    result = dafl.distill(numpy_teacher.teacher(), **options)
    assert result.history["step"].tolist() == [3, 4] and weights(result.student) == weights(whole.student)
    rows = (tmp_path / "run.csv").read_text().splitlines()
    assert rows[0].split(",") == list(dafl.Progress.__annotations__)
    assert [row.split(",")[0] for row in rows[1:]] == ["1", "2", "3", "4"]
    column = rows[0].split(",").index("distillation_loss")
    assert float(rows[3].split(",")[column]) == result.history["distillation_loss"][0]
    done = dafl.distill(numpy_teacher.teacher(), **options)  # nothing is left to do
    assert done.last is None and weights(done.student) == weights(whole.student) and numpy_teacher.calls > asked


def test_other_runs_are_refused(numpy_teacher, tmp_path):
    path = tmp_path / "run.dafl"
    dafl.distill(numpy_teacher.teacher(), progress=False, checkpoint=path, **SMALL)
    before = path.read_bytes()
    with pytest.raises(dafl.InvalidArgument, match='option.steps was "4" there, and is "5"'):
        dafl.distill(numpy_teacher.teacher(), progress=False, checkpoint=path, **SMALL | {"steps": 5})
    with pytest.raises(dafl.InvalidArgument, match="teacher.input_shape"):
        dafl.Distillation.load(path, dafl.Network("mlp-64-16-4"))
    with pytest.raises(TypeError, match="seed"):
        dafl.Distillation.load(path, numpy_teacher.teacher(), seed=2)
    assert path.read_bytes() == before
    path.write_bytes(before[:-1])
    with pytest.raises(dafl.FormatError):
        dafl.Distillation.load(path, numpy_teacher.teacher())
    with pytest.raises(dafl.FormatError):  # and what is there is not written over
        dafl.distill(numpy_teacher.teacher(), progress=False, checkpoint=path, **SMALL)
    with pytest.raises(dafl.FileError):
        dafl.Distillation.load(tmp_path / "none", numpy_teacher.teacher())
    with pytest.raises(dafl.FileError):
        dafl.Distillation(numpy_teacher.teacher(), checkpoint=tmp_path / "none" / "run.dafl", **SMALL)
    with pytest.raises(dafl.FileError):
        dafl.Distillation(numpy_teacher.teacher(), **SMALL).save(tmp_path)


def test_arrays_are_given_again(tmp_path):
    images = np.random.default_rng(0).standard_normal((40, 64, 1, 1), np.float32)
    teacher, options = dafl.Network("mlp-64-16-4"), SMALL | {"image_source": "data"}
    run = dafl.Distillation(teacher, images=images, **options)
    run.step()
    run.save(tmp_path / "run.dafl")
    with pytest.raises(dafl.InvalidArgument, match="images"):
        dafl.Distillation.load(tmp_path / "run.dafl", teacher)
    with pytest.raises(dafl.InvalidArgument, match="images"):
        dafl.Distillation.load(tmp_path / "run.dafl", teacher, images=images + 1)
    other = dafl.Distillation.load(tmp_path / "run.dafl", teacher, images=images)
    run.run()
    other.run()
    assert weights(other.student()) == weights(run.student())


def test_units_go_on(tmp_path):
    teacher = dafl.Network("mlp-64-16-4")
    run = dafl.Distillation(teacher, input_mean=np.arange(64), input_deviation=3, **SMALL)
    run.save(tmp_path / "run.dafl")
    other = dafl.Distillation.load(tmp_path / "run.dafl", teacher)
    for each in run, other:
        each.run()
    assert saved_bytes(run.student(), tmp_path / "a") == saved_bytes(other.student(), tmp_path / "b")


def test_a_checkpoint_is_a_safetensors_file(numpy_teacher, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL)
    distillation.run()
    distillation.save(tmp_path / "run.dafl")
    tensors = safetensors.load_file(tmp_path / "run.dafl")
    assert tensors["progress.step"] == 4 and tensors["replay.bank.images.bytes"].shape == (64, 64)
    assert tensors["student.network.fc1.weight"].shape == (8, 64)


def test_bytes_in_memory(numpy_teacher):
    run = dafl.Distillation(numpy_teacher.teacher(), **SMALL)
    run.step()
    other = dafl.Distillation.load(run.to_bytes(), numpy_teacher.teacher())
    for each in run, other:
        each.run()
    assert weights(run.student()) == weights(other.student())
    for nonsense in b"", b"nonsense", (200_000).to_bytes(8, "little") + b'{"a":' + b"[" * 200_000:
        with pytest.raises((dafl.FormatError, dafl.InvalidArgument)):
            dafl.Distillation.load(nonsense, numpy_teacher.teacher())


def test_other_units_are_refused(numpy_teacher, tmp_path):
    def teacher(**units):
        return dafl.Teacher(numpy_teacher.forward, input_shape=(1, 8, 8), classes=4, features=16, **units)

    dafl.Distillation(teacher(input_mean=5, input_deviation=2), **SMALL).save(tmp_path / "run.dafl")
    with pytest.raises(dafl.InvalidArgument, match="teacher.mean"):
        dafl.Distillation.load(tmp_path / "run.dafl", teacher(input_mean=0, input_deviation=1))
    dafl.Distillation.load(tmp_path / "run.dafl", teacher(input_mean=5, input_deviation=2)).run()


def test_a_record_that_can_no_longer_be_written_does_not_end_the_run(numpy_teacher, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dafl._record.Table.write", full)
    with pytest.warns(UserWarning, match="record of the run ends at step 0"):
        result = dafl.distill(numpy_teacher.teacher(), progress=False, log=tmp_path / "run.csv", **SMALL)
    assert result.last.step == 4


def test_a_record_without_its_last_row_is_mended(numpy_teacher, tmp_path):
    options = SMALL | {"progress": False, "checkpoint": tmp_path / "run.dafl", "log": tmp_path / "run.csv"}
    dafl.distill(numpy_teacher.teacher(), on_step=lambda progress: progress.step < 3, **options)
    table = tmp_path / "run.csv"
    whole = table.read_text()
    table.write_text(whole + "4,4,0.1")  # cut off
    dafl.distill(numpy_teacher.teacher(), **options)
    assert table.read_text().startswith(whole) and len(table.read_text().splitlines()) == 5


def test_patience_ends_a_run(numpy_teacher):
    result = dafl.distill(numpy_teacher.teacher(), progress=False, patience=20,
                          **SMALL | {"steps": 500, "student_learning_rate": 0.0, "image_source": "noise"})
    assert result.last.step < 100


def test_a_board_of_tensorboards(numpy_teacher, tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    result = dafl.distill(numpy_teacher.teacher(), progress=False, log=[tmp_path / "board", tmp_path / "run.csv"], **SMALL)
    board = EventAccumulator(str(tmp_path / "board"))
    board.Reload()
    assert len((tmp_path / "run.csv").read_text().splitlines()) == 5
    found = [tensor.step for tensor in board.Tensors("distillation_loss")]
    assert found == result.history["step"].tolist()


def test_records_of_others_are_not_written_over(numpy_teacher, tmp_path):
    (tmp_path / "run.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="not the record of a run"):
        dafl.distill(numpy_teacher.teacher(), progress=False, log=tmp_path / "run.csv", **SMALL)
    with pytest.raises(FileNotFoundError, match="no folder"):
        dafl.distill(numpy_teacher.teacher(), progress=False, log=tmp_path / "none" / "run.csv", **SMALL)
    assert (tmp_path / "run.csv").read_text() == "a,b\n1,2\n"


def test_configurations_come_back(numpy_teacher, tmp_path):
    dafl.write_config(tmp_path / "b.toml", {"a": np.float64(2.5), "b": np.int64(3), "c": np.bool_(True), "d": float("inf")})
    assert dafl.read_config(tmp_path / "b.toml") == {"a": 2.5, "b": 3, "c": True, "d": float("inf")}
    said = {"text": 'a "b"\\ é\n\x7f', "whole": -3, "real": 1e-06, "list": [1.5, 2], "options": {"seed": 7, "name": "x"}}
    dafl.write_config(tmp_path / "a.toml", said | {"none": None})
    assert dafl.read_config(tmp_path / "a.toml") == said
    run = dafl.Distillation(numpy_teacher.teacher(), seed=3, **SMALL)
    dafl.write_config(tmp_path / "run.toml", {"options": run.options})
    again = dafl.Distillation(numpy_teacher.teacher(), **dafl.read_config(tmp_path / "run.toml")["options"])
    assert again.options == run.options
