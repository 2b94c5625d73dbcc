"""Networks as files of ONNX: past onnx's checker, and with ONNX Runtime's outputs equal to the library's."""

import json
from pathlib import Path

import numpy as np
import pytest

import dafl
from graphs import IMAGE, KINDS, arithmetic, description, images, network, node, pools, resizes

runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
onnx = pytest.importorskip("onnx", reason="onnx is not installed")


def session(path: Path) -> runtime.InferenceSession:
    onnx.checker.check_model(str(path), full_check=True)
    return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_a_single_logits_softmax_is_its_sigmoid(tmp_path):
    made = dafl.Network("mlp-12-5-1", seed=2)
    made.save(tmp_path / "single.onnx", softmax=True)
    batch = images(made, 5)
    (found,) = session(tmp_path / "single.onnx").run(None, {"input": batch.reshape(5, 12)})
    assert np.allclose(found, 1 / (1 + np.exp(-made.predict(batch))), atol=1e-6) and 0 < found.min() < found.max() < 1


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


@pytest.mark.parametrize(("count", "channels_last"), [(1, False), (4, False), (4, True), (168, False), (1, True)])
def test_units_are_read_as_units(count, channels_last, tmp_path):
    """So that a student of raw pixels is still one when it teaches, or learns on."""
    nodes = [node("units", count=count), node("convolution", outputs=3, kernel=3), node("linear", outputs=4)]
    made = network(description(IMAGE, *nodes, interface={"channels_last": channels_last}))
    random = np.random.default_rng(0)
    made.load_state_dict(made.state_dict() | {
        "input.mean": random.uniform(-3, 3, count).astype(np.float32),
        "input.deviation": random.uniform(0.5, 9, count).astype(np.float32)})
    made.save(tmp_path / "a.onnx")
    read = dafl.Network.load(tmp_path / "a.onnx")
    assert [one["kind"] for one in json.loads(read.info.architecture)["nodes"]][0] == "units"
    assert np.array_equal(read.state_dict()["input.mean"], made.state_dict()["input.mean"])
    batch = images(made, 3)
    assert np.allclose(read.predict(batch), made.predict(batch), rtol=1e-5, atol=1e-5)
    # In a file of somebody else's they may be anything.
    model = onnx.load(tmp_path / "a.onnx")
    model.producer_name = "other"
    theirs = dafl.Network.from_onnx(model.SerializeToString())
    assert "input.mean" not in theirs.state_dict()
    assert np.allclose(theirs.predict(batch), made.predict(batch), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("divisor", [-255.0, 255.0])
def test_a_range_of_somebody_elses_stays_one_when_it_is_written_anew(divisor, tmp_path):
    nodes = [node("constant", shape=[1], inputs=[], name="c"), node("subtract", inputs=["input", "c"], name="x"),
             node("constant", shape=[1], inputs=[], name="d"), node("divide", inputs=["x", "d"], name="y"),
             node("linear", outputs=3)]
    made = network(description(IMAGE, *nodes))
    made.load_state_dict(made.state_dict() | {"d.value": np.array([divisor], np.float32), "c.value": np.array([7], np.float32)})
    made.save(tmp_path / "a.onnx")
    read = dafl.Network.load(tmp_path / "a.onnx")
    assert "input.mean" not in read.state_dict()
    assert np.allclose(read.predict(images(made, 3)), made.predict(images(made, 3)), rtol=1e-5, atol=1e-5)


def test_numbers_that_are_no_units_are_not_taken_for_them(tmp_path):
    """By the names of ours: transposed between, and divided by what is no deviation."""
    shape = [3, 3, 3]
    random = np.random.default_rng(0)
    batch, weight = random.standard_normal((2, *shape)).astype(np.float32), random.standard_normal((27, 4)).astype(np.float32)
    for turned, low in ((True, 1), (False, -2)):
        helper, kind = onnx.helper, onnx.TensorProto
        chain = [helper.make_node("Sub", ["x", "m"], ["s"], "units/Sub")]
        chain += [helper.make_node("Transpose", ["s"], ["t"], perm=[0, 2, 3, 1])] if turned else []
        chain += [helper.make_node("Div", ["t" if turned else "s", "d"], ["q"], "units"),
                  helper.make_node("Flatten", ["q"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
        constants = {"m": random.uniform(-1, 1, (3, 1, 1)), "d": low * random.uniform(1, 2, (3, 1, 1)), "w": weight}
        graph = helper.make_graph(
            chain, "g", [helper.make_tensor_value_info("x", kind.FLOAT, ["n", *shape])],
            [helper.make_tensor_value_info("y", kind.FLOAT, ["n", 4])],
            [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()])
        model = helper.make_model(graph, producer_name="libdafl", ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
        (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
        expected = session(tmp_path / "a.onnx").run(None, {"x": batch})[0]
        assert np.allclose(dafl.Network.load(tmp_path / "a.onnx").predict(batch), expected, rtol=1e-4, atol=1e-4)


def test_a_student_in_units_of_its_own_learns_on(tmp_path):
    teacher = network("lenet5-half(side=16,classes=3)")
    options = {"input_range": (0, 255), "steps": 1, "threads": 1, "batch_size": 32, "student_steps": 1, "image_source": "noise"}
    dafl.distill(teacher, student="half", progress=False, **options).student.save(tmp_path / "a.onnx")
    student = dafl.Network.load(tmp_path / "a.onnx")
    again = dafl.distill(teacher, student=student, progress=False, **options).student
    assert again.state_dict().keys() == student.state_dict().keys()
    # A name that the scaling of units would have, in a network without.
    named = network(description([1, 16, 16], node("linear", outputs=3, name="units")))
    student = dafl.distill(teacher, student=named, progress=False, **options).student
    assert "units.weight" in student.state_dict() and "input.mean" in student.state_dict()


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
