"""The package as a guest in a process: memory, copies, children, warnings, and what its callbacks cost."""

import gc
import multiprocessing
import os
import subprocess
import sys
import timeit
import warnings
from pathlib import Path

import numpy as np
import pytest

import dafl
from dafl._arrays import floats
from dafl._callbacks import Callbacks
from conftest import SMALL, NumPyTeacher

PACKAGE = Path(dafl.__file__).resolve().parent
QUIET = SMALL | {"progress": False}


def resident_megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="/proc is not there to tell the memory in use")
def test_two_hundred_distillations_leave_no_memory_behind():
    def distil(times: int) -> float:
        for seed in range(times):
            teacher = NumPyTeacher()
            result = dafl.distill(teacher.teacher(regularizer=teacher.regularizer), seed=seed, **QUIET | {"steps": 2})
            result.student.predict(result.generate(4)[0])
        gc.collect()
        return resident_megabytes()

    before = distil(50)
    assert distil(200) - before < 2


def test_callbacks_see_the_librarys_own_buffers(numpy_teacher):
    """Nothing that comes in owns memory, and the same few buffers come again and again."""
    addresses = {"forward": [], "backward": []}

    def forward(images):
        assert not images.flags.owndata and not images.flags.writeable and images.flags.c_contiguous
        addresses["forward"].append(images.ctypes.data)
        return numpy_teacher.forward(images)

    def backward(images, *gradients):
        for values in (images, *gradients):
            assert not values.flags.owndata and not values.flags.writeable
        addresses["backward"].append(images.ctypes.data)
        return numpy_teacher.backward(images, *gradients)

    dafl.distill(numpy_teacher.teacher(forward, backward), **QUIET | {"steps": 20})
    for seen in addresses.values():
        assert len(set(seen)) < len(seen) / 2
    assert set(addresses["backward"]) <= set(addresses["forward"])


def test_what_a_callback_costs(record_property):
    """Told, not judged: the way from C into a forward in Python and back, as a share of a step of LeNet-5.

    Measured at 0.39 % of a step of 192 ms, with one thread and batches of 256.
    """
    network = dafl.Network("lenet5", seed=1)
    images = np.zeros((256, 1, 32, 32), np.float32)
    answer = network.predict(images), network.features(images)
    teacher = dafl.Teacher(lambda images: answer, input_shape=(1, 32, 32), classes=10, features=120)
    structure = teacher._structure(Callbacks())
    arguments = [floats(values) for values in (images, np.zeros_like(answer[0]), np.zeros_like(answer[1]))]
    callback = min(timeit.repeat(lambda: structure.forward(None, 256, *arguments), number=20, repeat=10)) / 20

    distillation = dafl.Distillation(network, student="lenet5-half", threads=1)
    before = distillation.step()
    step = min(timeit.repeat(distillation.step, number=1, repeat=3))
    calls = (distillation.step().teacher_calls - before.teacher_calls) / 4
    share = calls * callback / step
    record_property("callback_overhead", share)
    print(f"a callback takes {callback * 1e6:.0f} microseconds, {calls:.0f} of them {share:.2%} of a step of {step * 1e3:.0f} ms")
    assert calls > 0


def exit_code(process: multiprocessing.process.BaseProcess) -> int | None:
    """How a child ends that is started now; one that hangs is killed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python and JAX warn of a fork beside threads, which is what is tried here
        process.start()
    process.join(60)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode


def distil_in_child(queue: multiprocessing.SimpleQueue) -> None:
    queue.put(dafl.distill(NumPyTeacher().teacher(), seed=5, **QUIET).student.state_dict()["fc1.weight"])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_distil_as_their_parents_do(method):
    expected = dafl.distill(NumPyTeacher().teacher(), seed=5, **QUIET).student.state_dict()["fc1.weight"]
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    assert exit_code(context.Process(target=distil_in_child, args=(queue,))) == 0
    assert np.array_equal(queue.get(), expected)
    queue.close()


def test_a_forked_child_goes_on_with_its_parents_distillation(numpy_teacher):
    distillation = dafl.Distillation(numpy_teacher.teacher(), **SMALL | {"threads": 2})
    distillation.step()
    assert exit_code(multiprocessing.get_context("fork").Process(target=distillation.run)) == 0
    distillation.run()


def test_no_warning_and_no_import_that_was_not_asked_for():
    program = """
import sys, dafl
for name in ("torch", "onnx", "jax", "sklearn", "viz"): getattr(dafl, name)
import dafl._command
import numpy as np
weights = np.eye(64, 4, dtype=np.float32)
result = dafl.distill(dafl.Teacher(lambda images: images.reshape(-1, 64) @ weights, input_shape=(1, 8, 8), classes=4),
                      student="mlp-64-8-4", steps=3, batch_size=16, replay_capacity=64, threads=1,
                      on_step=lambda progress: progress.step < 2)  # a whole run would warn of how little it learned
result.generate(3), result.student.state_dict(), result.history
found = {"torch", "onnxruntime", "jax", "sklearn", "matplotlib"} & set(sys.modules)
assert not found, found
"""
    run = subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_what_is_missing_is_named_with_the_command_that_gets_it(monkeypatch):
    for module, make in (("torch", lambda: dafl.torch.Teacher(None)), ("torch", lambda: dafl.Network("lenet5").to_torch()),
                         ("onnxruntime", lambda: dafl.onnx.Teacher("x.onnx")), ("jax", lambda: dafl.jax.Teacher(abs)),
                         ("matplotlib.figure", lambda: dafl.viz.curves({"loss": [1]}, ["loss"]))):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImportError, match=f"pip install {module.partition('.')[0]}"):
            make()
