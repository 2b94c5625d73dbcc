"""Networks through the package: weights, files, training."""

import copy
import gc
import json
import os
import pickle
import signal
import struct
import threading
import weakref

import numpy as np
import pytest

import dafl
from dafl import errors
from conftest import saved_bytes


def read_safetensors(path) -> dict[str, np.ndarray]:
    """A reader of its own, so that the library's files are not judged by the library."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    header.pop("__metadata__", None)
    assert all(entry["dtype"] == "F32" for entry in header.values())
    return {name: np.frombuffer(raw[8 + length:][slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])
            for name, entry in header.items()}


def assert_equal_states(first, second):
    assert first.keys() == second.keys()
    for name in first:
        assert np.array_equal(first[name], second[name]), name


def test_info_of_the_papers_networks():
    info = dafl.Network("lenet5").info
    assert (info.input_shape, info.outputs, info.features, info.parameters) == ((1, 32, 32), 10, 120, 61_706)
    assert info.multiply_adds > 400_000
    assert dafl.Network("lenet5-half").info.parameters == 15_738


def test_unknown_architectures_are_refused():
    with pytest.raises(dafl.Error) as raised:
        dafl.Network("lenet6")
    assert "lenet6" in str(raised.value) and raised.value.status in (errors.INVALID_ARGUMENT, errors.UNSUPPORTED)
    with pytest.raises(ValueError):
        dafl.Network("lenet5", seed=-1)


def test_the_seed_makes_the_weights():
    assert_equal_states(dafl.Network("lenet5-half", seed=2).state_dict(), dafl.Network("lenet5-half", seed=2).state_dict())
    other = dafl.Network("lenet5-half", seed=3).state_dict()
    assert not np.array_equal(other["conv1.weight"], dafl.Network("lenet5-half", seed=2).state_dict()["conv1.weight"])


def test_state_dict_copies_and_load_state_dict_sets():
    network, other = dafl.Network("mlp-64-16-4", seed=1), dafl.Network("mlp-64-16-4", seed=2)
    state = network.state_dict()
    other.load_state_dict(state | {"bn.num_batches_tracked": 7})
    assert_equal_states(other.state_dict(), state)
    state["fc1.weight"][:] = 0
    assert network.state_dict()["fc1.weight"].any()


@pytest.mark.parametrize("change, message", [
    (lambda state: state.pop("fc1.bias"), "missing tensors: fc1.bias"),
    (lambda state: state.update(fc9=np.zeros(3)), "unexpected tensors: fc9"),
    (lambda state: state.update({"fc1.weight": state["fc1.weight"].T}), "fc1.weight must be"),
    (lambda state: state.update({"fc2.bias": np.full(4, np.nan)}), "fc2.bias has numbers"),
])
def test_load_state_dict_is_strict_and_all_or_nothing(change, message):
    network = dafl.Network("mlp-64-16-4", seed=1)
    before = network.state_dict()
    state = dafl.Network("mlp-64-16-4", seed=2).state_dict()
    change(state)
    with pytest.raises(ValueError, match=message):
        network.load_state_dict(state)
    assert_equal_states(network.state_dict(), before)


def test_predict_of_an_mlp_is_numpys():
    network = dafl.Network("mlp-64-16-4", seed=1)
    state = network.state_dict()
    images = np.random.default_rng(0).standard_normal((5, 64), np.float32)
    expected = np.maximum(images @ state["fc1.weight"].T + state["fc1.bias"], 0) @ state["fc2.weight"].T + state["fc2.bias"]
    assert np.allclose(network.predict(images), expected, atol=1e-5)
    with pytest.raises(ValueError, match=r"not \[5, 63\]"):
        network.predict(images[:, 1:])


def test_probabilities_are_the_softmax_of_the_outputs():
    network = dafl.Network("mlp-64-16-4", seed=1)
    images = np.random.default_rng(0).standard_normal((5, 64), np.float32) * 1000
    outputs = network.predict(images).astype(np.float64)
    expected = np.exp(outputs - outputs.max(1, keepdims=True))
    probabilities = network.predict_proba(images)
    assert probabilities.dtype == np.float32 and np.allclose(probabilities, expected / expected.sum(1, keepdims=True), atol=1e-5)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-6) and (probabilities.argmax(1) == outputs.argmax(1)).all()


def test_info_is_read_once():
    network = dafl.Network("mlp-64-16-4")
    assert network.info is network.info


def two_blobs() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 200)
    return generator.standard_normal((200, 64), np.float32) + np.float32(4 * labels[:, None] - 2), labels


def test_training_learns_and_the_seed_makes_it_repeatable(tmp_path):
    images, labels = two_blobs()
    files = []
    for _ in range(2):
        network = dafl.Network("mlp-64-8-2", seed=1)
        network.threads = 1
        losses = []
        network.train(images, labels, epochs=5, batch_size=20, learning_rate=1e-2, schedule="cosine", seed=4,
                      on_epoch=lambda epoch, epochs, loss: losses.append(loss))
        assert len(losses) == 5 and losses[-1] < losses[0]
        assert network.evaluate(images, labels) > 0.95
        files.append(saved_bytes(network, tmp_path / "network"))
    assert files[0] == files[1]


def test_on_step_hears_of_every_batch_and_ends_the_training():
    images, labels = two_blobs()
    network, seen = dafl.Network("mlp-64-8-2"), []
    network.train(images, labels, epochs=2, batch_size=50, on_step=lambda *told: seen.append(told))
    assert [told[:2] for told in seen] == [(step, 8) for step in range(1, 9)] and all(np.isfinite(told[2]) for told in seen)
    network.train(images, labels, batch_size=50, on_step=lambda step, steps, loss: step < 3, on_epoch=seen.append)
    assert len(seen) == 8
    exception = LookupError("mine")

    def fail(*_):
        raise exception

    with pytest.raises(LookupError) as raised:
        network.train(images, labels, on_step=fail)
    assert raised.value is exception


def test_ctrl_c_stops_training_within_one_step():
    images, labels = two_blobs()
    steps = []
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))

    def on_step(step, steps_in_all, loss):
        steps.append(step)
        if step == 1:
            timer.start()

    network = dafl.Network("mlp-64-8-2")
    network.threads = 1
    with pytest.raises(KeyboardInterrupt):
        network.train(np.tile(images, (500, 1)), np.tile(labels, 500), epochs=1, batch_size=1, on_step=on_step)
    assert 0 < len(steps) < 100_000


def test_training_stops_where_on_epoch_says():
    images, labels = two_blobs()
    network, seen = dafl.Network("mlp-64-8-2"), []
    network.train(images, labels, on_epoch=lambda epoch, epochs, loss: seen.append(epoch) or len(seen) < 2)
    assert len(seen) == 2
    exception = LookupError("mine")

    def fail(*_):
        raise exception

    with pytest.raises(LookupError) as raised:
        network.train(images, labels, on_epoch=fail)
    assert raised.value is exception


@pytest.mark.parametrize("labels", [np.zeros(199, int), np.zeros(200)])
def test_wrong_labels_are_refused(labels):
    with pytest.raises((ValueError, TypeError)):
        dafl.Network("mlp-64-8-2").train(two_blobs()[0], labels)


def test_labels_out_of_range_are_refused():
    images, labels = two_blobs()
    with pytest.raises(dafl.Error) as raised:
        dafl.Network("mlp-64-8-2").train(images, labels + 1)
    assert raised.value.status == errors.INVALID_ARGUMENT


def test_saved_files_are_safetensors(tmp_path):
    network = dafl.Network("lenet5-half", seed=1)
    network.save(tmp_path / "network.safetensors")
    assert_equal_states(read_safetensors(tmp_path / "network.safetensors"), network.state_dict())
    loaded = dafl.Network.load(tmp_path / "network.safetensors")
    assert loaded.info == network.info
    assert_equal_states(loaded.state_dict(), network.state_dict())


def test_saved_files_are_read_by_the_safetensors_package(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy", reason="the safetensors package is not installed")
    network = dafl.Network("lenet5", seed=1)
    network.save(tmp_path / "network.safetensors")
    assert_equal_states(safetensors.load_file(tmp_path / "network.safetensors"), network.state_dict())


def test_a_file_that_does_not_name_its_architecture(tmp_path):
    network = dafl.Network("mlp-64-16-4", seed=1)
    raw = saved_bytes(network, tmp_path / "network.safetensors")
    (tmp_path / "plain.safetensors").write_bytes(with_header(raw, lambda header: header.pop("__metadata__")))
    assert_equal_states(dafl.Network.load(tmp_path / "plain.safetensors", "mlp-64-16-4").state_dict(), network.state_dict())
    assert_equal_states(dafl.Network.load(tmp_path / "network.safetensors", architecture="mlp-64-16-4").state_dict(),
                        network.state_dict())
    for architecture, kind in ((None, dafl.FormatError), ("mlp-64-15-4", dafl.FormatError), ("lenet9", dafl.InvalidArgument)):
        with pytest.raises(kind):
            dafl.Network.load(tmp_path / "plain.safetensors", architecture)
    with pytest.raises(dafl.FileError) as raised:
        dafl.Network.load(tmp_path / "nowhere.safetensors", "mlp-64-16-4")
    assert raised.value.filename == str(tmp_path / "nowhere.safetensors")


def test_a_missing_file_is_an_io_error(tmp_path):
    with pytest.raises(dafl.Error, match="nothing") as raised:
        dafl.Network.load(tmp_path / "nothing.safetensors")
    assert raised.value.status == errors.IO


def with_header(raw: bytes, change) -> bytes:
    """The file with its header changed in place by `change`, its data as they were."""
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + raw[8 + length:]


def with_bias(raw: bytes, **fields: object) -> bytes:
    return with_header(raw, lambda header: header["fc1.bias"].update(fields))


HOSTILE = {
    "empty": lambda raw: b"",
    "cut in the length": lambda raw: raw[:5],
    "cut in the header": lambda raw: raw[:40],
    "cut in the data": lambda raw: raw[:-4],
    "bytes after the data": lambda raw: raw + b"\0\0\0\0",
    "a header longer than the file": lambda raw: struct.pack("<Q", len(raw)) + raw[8:],
    "a header of 2^64 - 1 bytes": lambda raw: b"\xff" * 8 + raw[8:],
    "a header of 2^63 bytes": lambda raw: struct.pack("<Q", 2**63) + raw[8:],
    "a header that is no JSON": lambda raw: raw[:8] + b"x" + raw[9:],
    "a header that is a list": lambda raw: struct.pack("<Q", 2) + b"[]",
    "deep nesting": lambda raw: struct.pack("<Q", 100_000) + b"[" * 100_000,
    "a pickle": lambda raw: b"\x80\x04K\x01." + raw[5:],
    "offsets beyond the data": lambda raw: with_bias(raw, data_offsets=[2**40, 2**40 + 64]),
    "offsets backwards": lambda raw: with_bias(raw, data_offsets=[64, 0]),
    "negative offsets": lambda raw: with_bias(raw, data_offsets=[-64, 0]),
    "fractional offsets": lambda raw: with_bias(raw, data_offsets=[0.5, 64.5]),
    "offsets that overlap": lambda raw: with_header(raw, lambda h: h["fc1.bias"].update(
        data_offsets=h["fc2.weight"]["data_offsets"])),
    "a shape that overflows": lambda raw: with_bias(raw, shape=[2**62, 2**62]),
    "a negative shape": lambda raw: with_bias(raw, shape=[-16]),
    "a shape of another network": lambda raw: with_header(raw, lambda h: h["fc1.weight"].update(shape=[64, 16])),
    "a tensor missing": lambda raw: with_header(raw, lambda h: h.pop("fc1.bias")),
    "a number for a tensor": lambda raw: with_header(raw, lambda h: h.update({"fc1.bias": 7})),
    "no architecture": lambda raw: with_header(raw, lambda h: h.pop("__metadata__")),
    "an architecture of petabytes": lambda raw: with_header(raw, lambda h: h["__metadata__"].update(
        {name: "mlp-30000000-30000000-10" for name in h["__metadata__"]})),
}


@pytest.mark.parametrize("damage", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused(tmp_path, damage):
    raw = saved_bytes(dafl.Network("mlp-64-16-4"), tmp_path / "good")
    (tmp_path / "bad").write_bytes(damage(raw))
    with pytest.raises(dafl.Error) as raised:
        dafl.Network.load(tmp_path / "bad")
    assert raised.value.message and raised.value.status in (errors.FORMAT, errors.UNSUPPORTED, errors.OUT_OF_MEMORY)


def test_a_file_cut_anywhere_is_refused(tmp_path):
    raw = saved_bytes(dafl.Network("mlp-4-3-2"), tmp_path / "good")
    for length in range(len(raw)):
        (tmp_path / "bad").write_bytes(raw[:length])
        with pytest.raises(dafl.Error):
            dafl.Network.load(tmp_path / "bad")


def test_a_network_is_freed_when_nobody_holds_it():
    network = dafl.Network("lenet5")
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("architecture", ["mlp-64-16-4", "resnet18(side=8)", "dafl-generator(latent=8,side=8,width=8)"])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))],
                         ids=["copy", "deepcopy", "pickle"])
def test_copies_live_without_the_original(architecture, copied):
    network = dafl.Network(architecture, seed=5)
    network.threads = 1
    info, state = network.info, network.state_dict()
    other = copied(network)
    network.load_state_dict({name: values * 0 for name, values in state.items()})
    del network
    gc.collect()
    assert (other.info, other.threads) == (info, 1)
    assert_equal_states(other.state_dict(), state)


def test_one_output_is_the_logit_of_the_second_of_two_classes():
    network = dafl.Network("mlp-12-5-1", seed=2)
    x = np.random.default_rng(0).standard_normal((400, 12)).astype(np.float32)
    labels = (x[:, 0] + x[:, 1] > 0).astype(int)
    network.train(x, labels, epochs=30, batch_size=32, learning_rate=1e-2)
    assert network.evaluate(x, labels) > 0.95
    with pytest.raises(dafl.errors.InvalidArgument, match="from 0 to 1"):
        network.evaluate(x, labels + 1)


def test_an_even_plane_has_an_instance_norm_of_zero():
    for kind in ("instance_norm", "layer_norm"):
        network = dafl.Network({"input": [4, 12, 12], "nodes": [{"kind": kind}, {"kind": "flatten"}]})
        assert abs(network.predict(np.full((20, 4, 12, 12), 300.3, np.float32))).max() < 1e-3
