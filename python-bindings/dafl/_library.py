"""The shared library: where it is, and the C declarations of dafl.h in ctypes.

The order of fields and functions is the header's; tests/test_header.py compares every offset and prototype with it.
"""

import ctypes
import os
import sys
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint64, c_void_p
from pathlib import Path
from typing import Any, TypeVar

from . import errors
from ._c_types import (AllReduceFunction as AllReduceFunction, CompressionFunction as CompressionFunction, Floats as Floats,
                       Handle as Handle, Labels as Labels, LogFunction as LogFunction,
                       TeacherBackwardFunction as TeacherBackwardFunction, TeacherForwardFunction as TeacherForwardFunction,
                       TeacherRegularizerFunction as TeacherRegularizerFunction, EpochFunction as EpochFunction,
                       TrainStepFunction as TrainStepFunction)
from ._options import (CompressionOptions as CompressionOptions, DistillationOptions as DistillationOptions,
                       TrainOptions as TrainOptions)
from ._version import __version__

class NetworkInfo(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("architecture", c_char_p),
        ("input_shape", c_int64 * 3),
        ("outputs", c_int64),
        ("features", c_int64),
        ("tensors", c_int64),
        ("parameters", c_int64),
        ("multiply_adds", c_int64),
        ("input_name", c_char_p),
        ("output_name", c_char_p),
        ("head", c_char_p),
        ("channels_last", c_int64),
    ]


class LoadOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("architecture", c_char_p),
        ("feature", c_char_p),
        ("input_shape", c_int64 * 3),
        ("output", c_char_p),
    ]


class Tensor(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("data", Floats),
        ("count", c_int64),
        ("rank", c_int64),
        ("shape", c_int64 * 8),
    ]


class Teacher(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("user_data", c_void_p),
        ("input_shape", c_int64 * 3),
        ("classes", c_int64),
        ("features", c_int64),
        ("forward", TeacherForwardFunction),
        ("backward", TeacherBackwardFunction),
        ("answers", c_int64),
        ("regularizer", TeacherRegularizerFunction),
        ("network", c_void_p),
    ]


class Progress(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("step", c_int64),
        ("steps", c_int64),
        ("generator_loss", c_double),
        ("one_hot_loss", c_double),
        ("activation_loss", c_double),
        ("entropy_loss", c_double),
        ("regularizer_loss", c_double),
        ("distillation_loss", c_double),
        ("effective_classes", c_double),
        ("agreement", c_double),
        ("images_per_second", c_double),
        ("seconds_elapsed", c_double),
        ("seconds_left", c_double),
        ("teacher_calls", c_int64),
        ("teacher_images", c_int64),
        ("collapses", c_int64),
        ("holdout_agreement", c_double),
    ]


ProgressFunction = CFUNCTYPE(c_int, c_void_p, POINTER(Progress))


# name: (result, arguments)
PROTOTYPES: dict[str, tuple[type | None, list[type]]] = {
    "dafl_version": (c_char_p, []),
    "dafl_status_name": (c_char_p, [c_int]),
    "dafl_last_error": (c_char_p, []),
    "dafl_network_create": (c_int, [c_char_p, c_uint64, POINTER(Handle)]),
    "dafl_network_load": (c_int, [c_char_p, POINTER(Handle)]),
    "dafl_network_load_as": (c_int, [c_char_p, c_char_p, POINTER(Handle)]),
    "dafl_load_options_init": (c_int, [POINTER(LoadOptions), c_size_t]),
    "dafl_network_load_with": (c_int, [c_char_p, POINTER(LoadOptions), POINTER(Handle)]),
    "dafl_network_load_memory": (c_int, [c_void_p, c_int64, POINTER(LoadOptions), POINTER(Handle)]),
    "dafl_network_save": (c_int, [Handle, c_char_p]),
    "dafl_network_save_onnx": (c_int, [Handle, c_char_p, c_int64]),
    "dafl_network_save_compressed": (c_int, [Handle, c_char_p]),
    "dafl_network_fold": (c_int, [Handle, POINTER(Handle)]),
    "dafl_network_describe": (c_int, [Handle, POINTER(NetworkInfo)]),
    "dafl_network_graph": (c_int, [Handle, POINTER(c_char_p)]),
    "dafl_network_tensor": (c_int, [Handle, c_int64, POINTER(Tensor)]),
    "dafl_network_tensor_named": (c_int, [Handle, c_char_p, POINTER(Tensor)]),
    "dafl_network_set_tensor": (c_int, [Handle, c_char_p, Floats, c_int64]),
    "dafl_network_set_threads": (c_int, [Handle, c_int64]),
    "dafl_network_predict": (c_int, [Handle, Floats, c_int64, Floats]),
    "dafl_network_features": (c_int, [Handle, Floats, c_int64, Floats]),
    "dafl_network_evaluate": (c_int, [Handle, Floats, Labels, c_int64, POINTER(c_double)]),
    "dafl_train_options_init": (c_int, [POINTER(TrainOptions), c_size_t]),
    "dafl_network_train": (c_int, [Handle, Floats, Labels, c_int64, POINTER(TrainOptions)]),
    "dafl_network_destroy": (None, [Handle]),
    "dafl_compression_options_init": (c_int, [POINTER(CompressionOptions), c_size_t]),
    "dafl_network_compress": (c_int, [Handle, POINTER(CompressionOptions), POINTER(Handle)]),
    "dafl_teacher_init": (c_int, [POINTER(Teacher), c_size_t]),
    "dafl_distillation_options_init": (c_int, [POINTER(DistillationOptions), c_size_t]),
    "dafl_distillation_options_preset": (c_int, [POINTER(DistillationOptions), c_char_p]),
    "dafl_distillation_create": (c_int, [POINTER(Teacher), POINTER(DistillationOptions), POINTER(Handle)]),
    "dafl_distillation_create_from_network": (c_int, [Handle, POINTER(DistillationOptions), POINTER(Handle)]),
    "dafl_distillation_step": (c_int, [Handle, POINTER(Progress)]),
    "dafl_distillation_run": (c_int, [Handle, ProgressFunction, c_void_p]),
    "dafl_distillation_progress": (c_int, [Handle, POINTER(Progress)]),
    "dafl_distillation_save": (c_int, [Handle, c_char_p]),
    "dafl_distillation_save_memory": (c_int, [Handle, c_void_p, c_int64, POINTER(c_int64)]),
    "dafl_distillation_load": (c_int, [c_char_p, POINTER(Teacher), POINTER(DistillationOptions), POINTER(Handle)]),
    "dafl_distillation_load_memory": (c_int, [c_void_p, c_int64, POINTER(Teacher), POINTER(DistillationOptions),
                                              POINTER(Handle)]),
    "dafl_distillation_cancel": (None, [Handle]),
    "dafl_distillation_generate": (c_int, [Handle, c_int64, Floats, Floats]),
    "dafl_distillation_student": (c_int, [Handle, POINTER(Handle)]),
    "dafl_distillation_generator": (c_int, [Handle, POINTER(Handle)]),
    "dafl_distillation_destroy": (None, [Handle]),
}


def candidates() -> list[Path]:
    """The paths where the library may be, the first that exists wins. DAFL_LIBRARY, where set, is the only one."""
    if override := os.environ.get("DAFL_LIBRARY"):
        return [Path(override)]
    name = "libdafl.dylib" if sys.platform == "darwin" else "libdafl.so"
    package = Path(__file__).resolve().parent
    return [package / "lib" / name, package.parents[1] / "build" / "lib" / name]


def load() -> ctypes.CDLL:
    """The library with every function declared. ImportError when it is missing, does not load, or has another version."""
    paths = candidates()
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise ImportError("libdafl was not found; tried " + ", ".join(map(str, paths))
                          + ". Build it with `make lib`, or set DAFL_LIBRARY to its path.")
    try:
        loaded = ctypes.CDLL(str(path))
        for name, (result, arguments) in PROTOTYPES.items():
            function = getattr(loaded, name)
            function.restype = result
            function.argtypes = arguments
    except (OSError, AttributeError) as error:
        raise ImportError(f"{path} cannot be used: {error}") from error
    require_version(path, loaded.dafl_version().decode())
    return loaded


def require_version(path: Path, version: str) -> None:
    """ImportError unless the library's version and the package's share their major and minor numbers."""
    if version.split(".")[:2] != __version__.split(".")[:2]:
        raise ImportError(f"{path} is libdafl {version}, but this package is {__version__}: they must match in major.minor")


library = load()


def check(status: int, filename: str | bytes | None = None) -> None:
    """Raises what a status other than 0 means, with the library's own words; `filename` is the file that the call was about."""
    if status != errors.OK:
        raise errors.of_status(status, os.fsdecode(library.dafl_last_error()), filename)


def c_string(text: str | bytes) -> bytes:
    """UTF-8 without the NUL at which C would silently cut the text."""
    encoded = os.fsencode(text)
    if b"\0" in encoded:
        raise ValueError(f"{text!r} contains a NUL character")
    return encoded


AnyStructure = TypeVar("AnyStructure", bound=Structure)


def sized(kind: type[AnyStructure]) -> AnyStructure:
    """A structure of zeros that knows its size, for functions that fill it."""
    return kind(struct_size=ctypes.sizeof(kind))


def initialised(kind: type[AnyStructure], function: str) -> AnyStructure:
    """A structure with the defaults that the library's init function gives it."""
    structure = kind()
    check(getattr(library, function)(ctypes.byref(structure), ctypes.sizeof(kind)))
    return structure


def assign(structure: Structure, options: dict[str, Any]) -> None:
    """Sets fields by name. TypeError for a wrong name or type, ValueError for a number that C would silently wrap."""
    kinds: dict[str, type] = {field[0]: field[1] for field in structure._fields_}
    for name, value in options.items():
        kind = kinds.get(name)
        if kind is c_char_p:
            if not isinstance(value, str):
                raise TypeError(f"{name} must be a string, not {value!r}")
            setattr(structure, name, c_string(value))
        elif kind is c_double:
            setattr(structure, name, float(value))
        elif name != "struct_size" and kind in (c_int64, c_uint64):
            if not hasattr(value, "__index__"):
                raise TypeError(f"{name} must be an integer, not {value!r}")
            if kind(int(value)).value != int(value):
                kind_name = "signed" if kind is c_int64 else "unsigned"
                raise ValueError(f"{name} = {value} does not fit a 64-bit {kind_name} integer")
            setattr(structure, name, int(value))
        else:
            raise TypeError(f"unknown option {name!r}")
