"""Networks made smaller: `Network.compressed`, `dafl.compress`, `dafl compress`."""

import json

import numpy as np
import pytest

import dafl
from dafl._command import main


@pytest.fixture
def network():
    """A small classifier that knows two kinds of pictures."""
    images, labels = pictures()
    network = dafl.Network("lenet5-half(side=16,classes=2)", seed=0)
    network.threads = 1
    network.train(images, labels, epochs=8, learning_rate=3e-3)
    return network


def pictures(count=256, seed=0):
    """Columns and rows of light."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    images = random.normal(0, 0.2, (count, 1, 16, 16)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        start = random.integers(2, 12)
        (image[0] if label else image[0].T)[start:start + 3] += 2
    return images, labels.astype(np.int64)


def zeros(network):
    return sum(int((values == 0).sum()) for values in network.state_dict().values() if values.ndim > 1)


def shared(network):
    return max(len(np.unique(values[values != 0])) for values in network.state_dict().values() if values.ndim > 1)


def test_low_rank_keeps_what_a_network_answers(network):
    images, labels = pictures(seed=1)
    told = []
    smaller = network.compressed(multiply_adds=0.6, on_progress=told.append)
    assert smaller.info.multiply_adds <= 0.6 * network.info.multiply_adds
    assert told and told == sorted(told)
    fitted = network.compressed(multiply_adds=0.6, images=images)
    assert fitted.info.multiply_adds == smaller.info.multiply_adds

    def lost(other):
        return np.abs(other.predict(images) - network.predict(images)).mean()

    assert lost(fitted) < lost(smaller)


def test_false_ends_the_work(network):
    with pytest.raises(dafl.Error, match="on_progress"):
        network.compressed(multiply_adds=0.6, on_progress=lambda share: False)


def test_what_a_callback_raises_comes_out(network):
    def fail(share):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        network.compressed(multiply_adds=0.6, on_progress=fail)


@pytest.mark.parametrize(("ways", "error", "part"), [
    ({}, dafl.InvalidArgument, "nothing is asked"),
    ({"prune": 2.0}, dafl.InvalidArgument, "prune is 2.0"),
    ({"rank": 1, "energy": 0.5}, dafl.InvalidArgument, "only one of"),
    ({"bits": 99}, dafl.InvalidArgument, "bits is 99"),
    ({"pruning": 0.5}, TypeError, "pruning"),
    ({"rank": 10_000}, dafl.Unsupported, "cheaper"),
])
def test_what_cannot_be_is_refused(network, ways, error, part):
    with pytest.raises(error, match=part):
        network.compressed(**ways)


def test_repair_keeps_zeros_and_shared_values(network, tmp_path):
    images, labels = pictures(seed=1)
    small = dafl.compress(network, [{"prune": 0.7}, {"bits": 3}], repair=6, threads=1, batch_size=32, student_steps=3)
    weights = sum(values.size for values in network.state_dict().values() if values.ndim > 1)
    assert abs(zeros(small) - 0.7 * weights) < 2 and shared(small) <= 8
    unrepaired = network.compressed(prune=0.7).compressed(bits=3)
    assert any(not np.array_equal(values, unrepaired.state_dict()[name]) for name, values in small.state_dict().items())
    path = tmp_path / "small.safetensors"
    small.save(path, compressed=True)
    assert path.stat().st_size < weights * 4 / 5
    assert np.array_equal(dafl.Network.load(path).predict(images), small.predict(images))
    with pytest.raises(ValueError, match="compressed"):
        small.save(tmp_path / "small.onnx", compressed=True)


def test_a_network_made_smaller_in_one_way_may_learn_all(network):
    small = dafl.compress(network, {"channels": 0.5}, repair=4, threads=1, batch_size=32, student_steps=2)
    assert small.info.parameters < network.info.parameters / 2


def test_ways_that_look_at_images_get_drawn_ones(network):
    images, labels = pictures(seed=1)
    by_weights = network.compressed(channels=0.3).evaluate(images, labels)
    assert dafl.compress(network, {"channels": 0.3}, threads=1).evaluate(images, labels) >= by_weights
    given = dafl.compress(network, {"int8": 1, "images": images}, threads=1)
    drawn = dafl.compress(network, {"int8": 1}, threads=1)
    assert np.array_equal(given.predict(images), network.compressed(int8=1, images=images).predict(images))
    assert not np.array_equal(given.predict(images), drawn.predict(images))
    assert drawn.evaluate(images, labels) > network.evaluate(images, labels) - 0.05
    # No images choose its channels, weights do.
    generator = dafl.Network("dafl-generator(latent=3,side=8,channels=1,width=8)", seed=1)
    assert dafl.compress(generator, {"channels": 0.5}, threads=1).info.parameters < generator.info.parameters


def test_a_repaired_network_in_eight_bits_is_in_eight_bits(network):
    small = dafl.compress(network, {"int8": 1, "weight_bits": 8}, repair=2, threads=1, batch_size=32, student_steps=2)
    images, _ = pictures(seed=1)
    assert np.array_equal(small.compressed(int8=1, weight_bits=8).predict(images), small.predict(images))
    later = dafl.compress(network, [{"int8": 1}, {"prune": 0.5}], repair=2, threads=1, batch_size=32, student_steps=2)
    assert np.array_equal(later.compressed(int8=1).predict(images), later.predict(images))


def test_repairs_share_no_checkpoint(network, tmp_path):
    with pytest.raises(TypeError, match="checkpoint"):
        dafl.compress(network, [{"prune": 0.5}, {"prune": 0.7}], repair=2, checkpoint=str(tmp_path / "run.dafl"))


@pytest.mark.parametrize(("ways", "options", "error", "part"), [
    ({"prune": 0.5}, {"repair": -1}, ValueError, "repair"),
    ({"prune": 0.5}, {"sede": 3}, TypeError, "sede"),
    ([], {}, ValueError, "ways"),
])
def test_what_no_repair_takes_is_refused_without_one_too(network, ways, options, error, part):
    with pytest.raises(error, match=part):
        dafl.compress(network, ways, **options)


def test_the_command_line(network, tmp_path, capsys):
    teacher, small = tmp_path / "teacher.safetensors", tmp_path / "small.safetensors"
    network.save(teacher)
    assert main(["compress", str(teacher), "-o", str(small), "--to", "prune=0.5", "--to", "bits=4,convolution_bits=5",
                 "--repair", "2", "--set", "batch_size=32", "--set", "student_steps=1", "--no-progress", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["bytes"] == small.stat().st_size < teacher.stat().st_size / 4
    assert report["parameters"] == report["parameters_before"]
    assert shared(dafl.Network.load(small)) <= 32
    assert main(["compress", str(teacher), "-o", str(small), "--to", "merge=0.5", "--no-progress", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] < network.info.parameters
    onnx, images = tmp_path / "small.onnx", tmp_path / "images.npz"
    np.savez(images, images=pictures()[0])
    assert main(["compress", str(teacher), "-o", str(onnx), "--to", "int8=1", "--images", str(images), "--json"]) == 0
    expected = network.compressed(int8=1, images=pictures()[0])
    assert np.array_equal(dafl.Network.load(onnx).predict(pictures()[0]), expected.predict(pictures()[0]))
    capsys.readouterr()
    assert main(["compress", str(teacher), "-o", str(small), "--to", "merge_knee=1", "--input-range", "0,1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] < network.info.parameters
    assert main(["compress", str(teacher), "-o", str(small), "--to", "prune=7"]) == 1
    assert "prune is 7.0" in capsys.readouterr().err
    assert main(["compress", str(teacher), "-o", str(small), "--to", "int8=1", "--images", "missing.npz"]) == 1
    assert "missing.npz: No such file" in capsys.readouterr().err
    for way, said in [("nothing=7", "'nothing' is none of bias_correction, bits"), ("bits=x", "must be a whole number, not 'x'")]:
        with pytest.raises(SystemExit):
            main(["compress", str(teacher), "-o", str(small), "--to", way])
        assert said in capsys.readouterr().err
