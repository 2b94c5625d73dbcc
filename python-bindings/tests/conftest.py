"""Small teachers and distillations: a step takes milliseconds."""

import ctypes
import signal
from collections.abc import Callable

import numpy as np
import pytest

import dafl
from dafl._callbacks import Callbacks
from dafl._library import DistillationOptions, Handle, assign, check, initialised, library

# A shell that starts the tests in the background has them ignore Ctrl-C, which some of them are about.
signal.signal(signal.SIGINT, signal.default_int_handler)

SMALL = {"student": "mlp-64-8-4", "steps": 4, "batch_size": 16, "student_steps": 2, "replay_capacity": 64,
         "generator_width": 8, "latent_size": 8, "threads": 1, "image_source": "generator"}


class NumPyTeacher:
    """The library's mlp-64-16-4 on images [n,1,8,8], written out in NumPy with its exact backward."""

    def __init__(self, seed: int = 3) -> None:
        self.network = dafl.Network("mlp-64-16-4", seed=seed)
        state = self.network.state_dict()
        self.w1, self.b1, self.w2, self.b2 = (state[name] for name in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"))
        self.calls = 0

    def forward(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.calls += 1
        hidden = np.maximum(images.reshape(len(images), 64) @ self.w1.T + self.b1, 0)
        return hidden @ self.w2.T + self.b2, hidden

    def backward(self, images: np.ndarray, logits_gradient: np.ndarray, features_gradient: np.ndarray) -> np.ndarray:
        active = images.reshape(len(images), 64) @ self.w1.T + self.b1 > 0
        return (((logits_gradient @ self.w2 + features_gradient) * active) @ self.w1).reshape(images.shape)

    def regularizer(self, images: np.ndarray) -> tuple[float, np.ndarray]:
        return (images.astype(np.float64)**2).mean() / 2, images / images.size

    def teacher(self, forward: Callable | None = None, backward: Callable | None = None,
                regularizer: Callable | None = None) -> dafl.Teacher:
        return dafl.Teacher(forward or self.forward, backward or self.backward, input_shape=(1, 8, 8), classes=4,
                            features=16, regularizer=regularizer)

    def metered(self) -> tuple[dafl.Teacher, list[int]]:
        """A teacher that answers with logits alone, and how many images each of its calls was about."""
        asked: list[int] = []

        def forward(images: np.ndarray) -> np.ndarray:
            asked.append(len(images))
            return self.forward(images)[0]

        return dafl.Teacher(forward, input_shape=(1, 8, 8), classes=4), asked


@pytest.fixture
def numpy_teacher() -> NumPyTeacher:
    return NumPyTeacher()


@pytest.fixture
def raw_distillation(numpy_teacher):
    """Builds a distillation whose callbacks are bare: nothing stands between them and C. Answers its handle."""
    kept = []

    def create(**callbacks: object) -> ctypes.c_void_p:
        structure = numpy_teacher.teacher()._structure(Callbacks())
        for field, callback in callbacks.items():
            setattr(structure, field, callback)
        options = initialised(DistillationOptions, "dafl_distillation_options_init")
        assign(options, SMALL)
        handle = Handle()
        check(library.dafl_distillation_create(ctypes.byref(structure), ctypes.byref(options), ctypes.byref(handle)))
        kept.append((handle, structure))
        return handle

    yield create
    for handle, _ in kept:
        library.dafl_distillation_destroy(handle)


def saved_bytes(network: dafl.Network, path) -> bytes:
    network.save(path)
    return path.read_bytes()
