"""Networks of the library: classifiers and generators with their weights."""

from __future__ import annotations

import ctypes
import json
import math
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ._arrays import FloatArray, TensorArray, array, floats, integers, is_false, labels as label_array, rows
from ._callbacks import STOPPED, Callbacks
from ._library import (CompressionFunction, CompressionOptions, EpochFunction, Handle, LoadOptions,
                       NetworkInfo as InfoStructure, Tensor, TrainOptions, TrainStepFunction, assign, c_string, check,
                       initialised, library, sized)
from ._optional import require
from ._options import Ways

if TYPE_CHECKING:
    import torch
    from typing_extensions import Unpack


@dataclass(frozen=True)
class NetworkInfo:
    """What a network is."""

    architecture: str
    """The whole architecture string."""
    input_shape: tuple[int, int, int]
    """Channels, height, width; a flat vector of d numbers is (d, 1, 1)."""
    outputs: int
    """Numbers per answer: a classifier's classes."""
    features: int
    """Length of the feature vector before the last fully connected block; 0 for none."""
    tensors: int
    """Tensors in the state dictionary."""
    parameters: int
    """Trained numbers."""
    multiply_adds: int
    """For one input."""
    input_name: str
    """In files for other engines, such as ONNX."""
    output_name: str
    """In such files."""
    head: str
    """What such a file applies to the outputs: "none", "softmax", "log_softmax" or "sigmoid"."""
    channels_last: bool
    """Whether such a file takes [height, width, channels]; the network itself takes channels first."""


class Network:
    """A network and its weights::

        network = dafl.Network("lenet5", seed=1)
        network.train(images, labels, epochs=5, schedule="cosine")
        network.save("lenet5.safetensors")

    `architecture` is a name with arguments in parentheses, "lenet5(channels=3,classes=26)", or a description, as JSON or as a
    dictionary; docs/networks.md has all names and the description. `seed` is of the first weights.
    Copies and pickles have weights of their own. Any number of threads may `predict` at the same time; everything that changes
    the network, such as `train`, needs it for itself.
    """

    def __init__(self, architecture: str | Mapping[str, Any], seed: int = 0) -> None:
        if isinstance(architecture, Mapping):
            architecture = json.dumps(dict(architecture))
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed must be in [0, 2^64), not {seed}")
        handle = Handle()
        check(library.dafl_network_create(c_string(architecture), seed, ctypes.byref(handle)))
        self._own(handle)

    @classmethod
    def load(cls, path: str | os.PathLike[str], architecture: str | None = None, *,
             input_shape: Sequence[int] | None = None, feature: str | None = None, output: str | None = None) -> Network:
        """The network of a file: one that `save` wrote, or an ONNX classifier.

        A safetensors file that does not name what it holds, as PyTorch's tools write a module's state dictionary, needs the
        `architecture`. An ONNX file that leaves sizes free needs the `input_shape`, [channels, height, width] or [numbers];
        `feature` names the tensor in it that is the feature vector, where it is not the last linear layer's input, and `output`
        the output that is the classifier's, where several give rows of numbers. `Error` when the file cannot be read, is not what
        it should be or has an operator that no layer stands for.
        """
        handle = Handle()
        options = load_options(input_shape, feature, output)
        options.architecture = None if architecture is None else c_string(architecture)
        check(library.dafl_network_load_with(c_string(os.fspath(path)), ctypes.byref(options), ctypes.byref(handle)),
              os.fspath(path))
        return cls._from_handle(handle)

    @classmethod
    def from_onnx(cls, model: Any, *, input_shape: Sequence[int] | None = None, feature: str | None = None,
                  output: str | None = None) -> Network:
        """The network of an ONNX model in memory: its bytes, or an `onnx.ModelProto`. The rest is as for `load`."""
        data = model if isinstance(model, bytes) else model.SerializeToString()
        handle = Handle()
        options = load_options(input_shape, feature, output)
        check(library.dafl_network_load_memory(data, len(data), ctypes.byref(options), ctypes.byref(handle)))
        return cls._from_handle(handle)

    @classmethod
    def _from_handle(cls, handle: ctypes.c_void_p) -> Network:
        network = cls.__new__(cls)
        network._own(handle)
        return network

    def _own(self, handle: ctypes.c_void_p) -> None:
        self._handle = handle
        self._threads = 0
        self._info: NetworkInfo | None = None
        weakref.finalize(self, library.dafl_network_destroy, handle)

    def __reduce__(self) -> tuple[Any, ...]:
        # `copy` goes this way too: what it did by itself would share the handle, which is freed with the first of the two.
        return _rebuilt, (type(self), self.info.architecture, self.state_dict(), self._threads)

    def __repr__(self) -> str:
        return f"dafl.Network({self.info.architecture!r})"

    def save(self, path: str | os.PathLike[str], *, softmax: bool | None = None, compressed: bool = False) -> None:
        """Writes architecture and weights: to an ONNX file where the path ends in .onnx, else to a safetensors file.

        `softmax` is for ONNX: whether the file's outputs are probabilities; None for what the network remembers of the file
        that it came from, and logits for one that came from none. `compressed` is for safetensors: zeros and shared weights, as
        `compressed(prune=..., bits=...)` makes them, take few bits; `load` reads such a file, and other tools do not.
        """
        name = c_string(os.fspath(path))
        if os.fsdecode(path).lower().endswith(".onnx"):
            if compressed:
                raise ValueError("compressed is for files that do not end in .onnx")
            status = library.dafl_network_save_onnx(self._handle, name, -1 if softmax is None else int(softmax))
        elif softmax is None:
            save = library.dafl_network_save_compressed if compressed else library.dafl_network_save
            status = save(self._handle, name)
        else:
            raise ValueError("softmax is for files that end in .onnx")
        check(status, os.fspath(path))

    def folded(self) -> Network:
        """The same network with its batch normalisations folded into the layers that they follow: for use, in fewer steps."""
        handle = Handle()
        check(library.dafl_network_fold(self._handle, ctypes.byref(handle)))
        return type(self)._from_handle(handle)

    def compressed(self, *, on_progress: Callable[[float], object] | None = None, **ways: Unpack[Ways]) -> Network:
        """A smaller network made of this one by what its weights tell, without data::

            network.compressed(multiply_adds=0.5)

        `dafl.Ways` has the ways; several are taken one after the other, in its order. What that costs in accuracy, a distillation
        repairs: `dafl.compress` does both. `int8=1` needs `images` [count, channels, height, width] in the network's own units,
        real ones or those that `Distillation.generate` makes without data. `on_progress(share)` is told the share of the work
        that is done, and ends it when it returns False.
        """
        options = initialised(CompressionOptions, "dafl_compression_options_init")
        given = dict(ways)
        images: Any = given.pop("images", None)
        assign(options, given)
        if images is not None:
            images = rows(images, self.info.input_shape, "images")
            options.images, options.image_count = floats(images), len(images)

        def told(_: None, done: float) -> int:
            return STOPPED if on_progress is not None and is_false(on_progress(done)) else 0

        callbacks = Callbacks()
        options.on_progress = CompressionFunction(callbacks.guard(told))
        handle = Handle()
        check(callbacks.call(library.dafl_network_compress, self._handle, ctypes.byref(options), ctypes.byref(handle)))
        return type(self)._from_handle(handle)

    @property
    def info(self) -> NetworkInfo:
        """What it is, which never changes."""
        if self._info is None:
            self._info = self._described()
        return self._info

    def _described(self) -> NetworkInfo:
        info = sized(InfoStructure)
        check(library.dafl_network_describe(self._handle, ctypes.byref(info)))
        channels, height, width = info.input_shape
        return NetworkInfo(architecture=info.architecture.decode(), input_shape=(channels, height, width),
                           outputs=info.outputs, features=info.features, tensors=info.tensors,
                           parameters=info.parameters, multiply_adds=info.multiply_adds,
                           input_name=info.input_name.decode(), output_name=info.output_name.decode(),
                           head=info.head.decode(), channels_last=bool(info.channels_last))

    @property
    def graph(self) -> str:
        """The description as JSON, with every node's attributes in full: docs/networks.md has what they mean."""
        text = ctypes.c_char_p()
        check(library.dafl_network_graph(self._handle, ctypes.byref(text)))
        return (text.value or b"").decode()

    @property
    def threads(self) -> int:
        """Threads that predict, evaluate and train use; 0 for as many as there are processors."""
        return self._threads

    @threads.setter
    def threads(self, threads: int) -> None:
        check(library.dafl_network_set_threads(self._handle, threads))
        self._threads = threads

    def state_dict(self) -> dict[str, FloatArray]:
        """Copies of all tensors, with PyTorch's names and layouts: a module's `load_state_dict` takes them as they are."""
        return {name: values.copy().view(TensorArray) for name, values in self._tensors().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Sets all tensors, from arrays or PyTorch tensors.

        ValueError when names or shapes differ from the network's or a number is not finite; nothing has changed then. PyTorch's
        `num_batches_tracked` counters are ignored.
        """
        tensors = self._tensors()
        state = {name: array(values) for name, values in state.items() if not name.endswith("num_batches_tracked")}
        if missing := sorted(tensors.keys() - state.keys()):
            raise ValueError(f"missing tensors: {', '.join(missing)}")
        if unexpected := sorted(state.keys() - tensors.keys()):
            raise ValueError(f"unexpected tensors: {', '.join(unexpected)}")
        for name, values in state.items():
            if values.shape != tensors[name].shape:
                raise ValueError(f"{name} must be {list(tensors[name].shape)}, not {list(values.shape)}")
        state = {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in state.items()}
        for name, values in state.items():
            if not np.isfinite(values).all():
                raise ValueError(f"{name} has numbers that are not finite")
        for name, values in state.items():
            check(library.dafl_network_set_tensor(self._handle, c_string(name), floats(values), values.size))

    def _tensors(self) -> dict[str, FloatArray]:
        """Views of all tensors, which live as long as the network."""
        views = {}
        for index in range(self.info.tensors):
            tensor = sized(Tensor)
            check(library.dafl_network_tensor(self._handle, index, ctypes.byref(tensor)))
            shape = tuple(tensor.shape[:tensor.rank])
            views[tensor.name.decode()] = np.ctypeslib.as_array(tensor.data, (math.prod(shape),)).reshape(shape)
        return views

    def to_torch(self) -> torch.nn.Module:
        """The same network as a PyTorch module in eval mode, with a copy of the weights under the same names.

        It takes images [count, channels, height, width], or anything of as many numbers, and gives what `predict` does, in the
        shape of the output node. In train mode batch normalisation and dropout do what they do in PyTorch. ImportError without
        PyTorch.
        """
        require("torch", "torch", "Network.to_torch")
        from ._torch_export import module_of
        return module_of(self)

    def features(self, images: Any) -> FloatArray:
        """Features [count, features], the activations before the last fully connected block, for images as `predict` takes."""
        info = self.info
        images = rows(images, info.input_shape, "images")
        features = np.empty((len(images), info.features), np.float32)
        check(library.dafl_network_features(self._handle, floats(images), len(images), floats(features)))
        return features

    def predict(self, images: Any) -> FloatArray:
        """Outputs [count, outputs], a classifier's before the softmax, for images [count, channels, height, width]."""
        info = self.info
        images = rows(images, info.input_shape, "images")
        outputs = np.empty((len(images), info.outputs), np.float32)
        check(library.dafl_network_predict(self._handle, floats(images), len(images), floats(outputs)))
        return outputs

    def predict_proba(self, images: Any) -> FloatArray:
        """Probabilities [count, outputs], the softmax of each row of `predict`, as scikit-learn's classifiers give them.

        Of a network with one output, the logit of the second of two classes, [count, 2].
        """
        logits = self.predict(images)
        if logits.shape[1] == 1:
            logits = np.concatenate([np.zeros_like(logits), logits], 1)
        exponentials = np.exp(logits - logits.max(1, keepdims=True))
        probabilities: FloatArray = exponentials / exponentials.sum(1, keepdims=True)
        return probabilities

    def evaluate(self, images: Any, labels: Any) -> float:
        """The share in [0, 1] of images [count, channels, height, width] whose class is that of labels [count]."""
        images = rows(images, self.info.input_shape, "images")
        labels = label_array(labels, len(images))
        accuracy = ctypes.c_double()
        check(library.dafl_network_evaluate(self._handle, floats(images), integers(labels), len(images),
                                            ctypes.byref(accuracy)))
        return accuracy.value

    def train(self, images: Any, labels: Any, *, epochs: int | None = None, batch_size: int | None = None,
              optimizer: str | None = None, schedule: str | None = None, learning_rate: float | None = None,
              weight_decay: float | None = None, momentum: float | None = None, seed: int | None = None,
              on_epoch: Callable[[int, int, float], object] | None = None,
              on_step: Callable[[int, int, float], object] | None = None) -> None:
        """Trains on images [count, channels, height, width] and labels [count] with cross entropy.

        What is None keeps the library's default: 10 epochs of batches of 256, optimizer "adam" (or "adamw", "sgd"),
        schedule "constant" (or "cosine", "step"), learning rate 1e-3, no weight decay, sgd's momentum 0.9, seed 0.
        `on_epoch(epoch, epochs, mean_loss)` runs after each epoch, `on_step(step, steps, loss)` after each batch of the whole
        training: False ends the training there, and what they raise comes out of here. Ctrl-C stops within one step.
        """
        images = rows(images, self.info.input_shape, "images")
        labels = label_array(labels, len(images))
        given = {"epochs": epochs, "batch_size": batch_size, "optimizer": optimizer, "schedule": schedule,
                 "learning_rate": learning_rate, "weight_decay": weight_decay, "momentum": momentum, "seed": seed}
        options = initialised(TrainOptions, "dafl_train_options_init")
        assign(options, {name: value for name, value in given.items() if value is not None})
        stopped = False

        def telling(listener: Callable[[int, int, float], object] | None) -> Callable[..., int]:
            def done(_: None, number: int, count: int, loss: float) -> int:
                nonlocal stopped
                stopped = listener is not None and is_false(listener(number, count, loss))
                return STOPPED if stopped else 0

            return callbacks.guard(done)

        callbacks = Callbacks()
        options.on_epoch = EpochFunction(telling(on_epoch))
        # Also without on_step: the callback is where Python comes to handle Ctrl-C.
        options.on_step = TrainStepFunction(telling(on_step))
        status = callbacks.call(library.dafl_network_train, self._handle, floats(images), integers(labels), len(images),
                                ctypes.byref(options))
        if not stopped:
            check(status)


def load_options(input_shape: Sequence[int] | None, feature: str | None, output: str | None) -> LoadOptions:
    """What can be said of an ONNX file."""
    options = initialised(LoadOptions, "dafl_load_options_init")
    options.feature = None if feature is None else c_string(feature)
    options.output = None if output is None else c_string(output)
    if input_shape is not None:
        sizes = [int(size) for size in input_shape]
        if not 1 <= len(sizes) <= 3:
            raise ValueError(f"input_shape must be [channels, height, width] or [numbers], not {sizes}")
        options.input_shape = (ctypes.c_int64 * 3)(*(sizes + [1] * (3 - len(sizes))))
    return options


def _rebuilt(kind: type[Network], architecture: str, state: dict[str, FloatArray], threads: int) -> Network:
    """What a pickle holds, as a network again."""
    handle = Handle()
    check(library.dafl_network_create(c_string(architecture), 0, ctypes.byref(handle)))
    network = kind._from_handle(handle)
    network.load_state_dict(state)
    network.threads = threads
    return network
