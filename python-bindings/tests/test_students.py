"""What a student may be: words, a path, a dictionary, or a network whose weights it starts with."""

import copy
import gc
import json
from pathlib import Path

import numpy as np
import pytest

import dafl
from conftest import SMALL

STILL = SMALL | {"student_learning_rate": 0.0}


@pytest.fixture
def teacher() -> dafl.Network:
    return dafl.Network("mlp-64-16-4", seed=3)


def test_a_network_keeps_its_weights_where_nothing_is_learned(teacher):
    start = dafl.Network("mlp-64-8-4", seed=7)
    for given in (teacher, dafl.Teacher(teacher.predict, input_shape=(64, 1, 1), classes=4)):
        distillation = dafl.Distillation(given, **STILL | {"student": start})
        distillation.run()
        learned = distillation.student().state_dict()
        assert all(np.array_equal(values, learned[name]) for name, values in start.state_dict().items())
        assert distillation.options["student"] is start


def test_the_network_that_it_starts_as_is_copied(teacher):
    before = copy.deepcopy(start := dafl.Network("mlp-64-8-4", seed=7)).state_dict()
    distillation = dafl.Distillation(teacher, **SMALL | {"student": start})
    distillation.run()
    assert all(np.array_equal(values, before[name]) for name, values in start.state_dict().items())
    learned = distillation.student().state_dict()
    assert not np.array_equal(learned["fc1.weight"], before["fc1.weight"])
    only = dafl.Distillation(teacher, **STILL | {"student": dafl.Network("mlp-64-8-4", seed=7)})
    gc.collect()
    only.run()


@pytest.mark.parametrize("ending", [".safetensors", ".onnx"])
def test_a_path(teacher, tmp_path, ending):
    start = dafl.Network("mlp-64-8-4", seed=7)
    start.save(tmp_path / f"start{ending}")
    distillation = dafl.Distillation(teacher, **STILL | {"student": tmp_path / f"start{ending}"})
    distillation.step()
    images = np.random.default_rng(0).standard_normal((3, 64, 1, 1), np.float32)
    assert np.allclose(distillation.student().predict(images), start.predict(images), atol=1e-5)


def test_a_dictionary_and_json(teacher, tmp_path):
    half = dafl.Distillation(teacher, **SMALL | {"student": "half"}).student()
    description = json.loads(half.info.architecture) if half.info.architecture.startswith("{") else None
    if description is None:
        pytest.skip("the student's graph has a name")
    (tmp_path / "student.json").write_text(json.dumps(description))
    for student in (description, json.dumps(description), tmp_path / "student.json"):
        made = dafl.Distillation(teacher, **SMALL | {"student": student}).student()
        assert made.info.parameters == half.info.parameters


def test_what_is_no_student_is_told(teacher):
    with pytest.raises(TypeError, match="student must be text"):
        dafl.Distillation(teacher, **SMALL | {"student": 3})
    with pytest.raises(TypeError, match="student_network"):
        dafl.Distillation(teacher, **SMALL | {"student_network": None})
    with pytest.raises(dafl.InvalidArgument):
        dafl.Distillation(teacher, **SMALL | {"student": dafl.Network("mlp-9-4")})
    with pytest.raises(dafl.Error, match="nowhere"):
        dafl.Distillation(teacher, **SMALL | {"student": Path("nowhere.json")})


def test_a_share_that_is_no_smaller_is_told(caplog):
    dafl.Distillation(dafl.Network("mlp-64-10"), **SMALL | {"student": "half"})
    assert "could be made smaller" in caplog.text
    caplog.clear()
    dafl.Distillation(dafl.Network("mlp-64-16-10"), **SMALL | {"student": "half"})
    assert "could be made smaller" not in caplog.text


def test_students_of_colour_start_with_their_teachers_weights():
    graph = {"input": [3, 8, 8], "nodes": [
        {"kind": "convolution", "name": "first", "outputs": 8, "kernel": 3, "padding": 1}, {"kind": "relu"},
        {"kind": "global_average_pool"}, {"kind": "linear", "name": "fc", "outputs": 4}]}
    teacher = dafl.Network(graph, seed=3)
    options = {"student": "width=1", "steps": 2, "batch_size": 16, "student_steps": 1, "image_source": "procedural", "threads": 1}

    def agreement(**more):
        return dafl.Distillation(teacher, **options, **more).step().agreement

    assert agreement() == agreement(student_start="teacher") == 1
    assert agreement(student_start="new") < 1
    with pytest.raises(dafl.InvalidArgument, match="student_start"):
        dafl.Distillation(teacher, **options | {"student": "small", "student_start": "teacher"})
