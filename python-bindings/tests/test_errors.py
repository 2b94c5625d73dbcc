"""Failures are the library's sentence in a class that says what kind it is, and Python's own kind where there is one."""

import copy
import errno
import os
import pickle

import numpy as np
import pytest

import dafl
from dafl import errors


@pytest.mark.parametrize("status, kind, own", [
    (errors.INVALID_ARGUMENT, dafl.InvalidArgument, ValueError),
    (errors.OUT_OF_MEMORY, dafl.OutOfMemory, MemoryError),
    (errors.IO, dafl.FileError, OSError),
    (errors.FORMAT, dafl.FormatError, ValueError),
    (errors.UNSUPPORTED, dafl.Unsupported, NotImplementedError),
    (errors.BUSY, dafl.Busy, RuntimeError),
    (errors.TEACHER, dafl.TeacherError, dafl.Error),
    (errors.DIVERGED, dafl.Diverged, ArithmeticError),
    (errors.CANCELLED, dafl.Cancelled, dafl.Error),
    (errors.QUERIES_SPENT, dafl.QueriesSpent, dafl.Error),
    (-99, dafl.Error, Exception),
])
def test_every_status_has_its_kind_and_crosses_processes(status, kind, own):
    error = errors.of_status(status, "what happened")
    assert type(error) is kind and isinstance(error, dafl.Error) and isinstance(error, own)
    for same in (error, pickle.loads(pickle.dumps(error))):
        assert (type(same), same.status, same.message, str(same)) == (kind, status, "what happened", "what happened")


def test_the_library_raises_them(tmp_path, numpy_teacher):
    with pytest.raises(ValueError, match="batch_size"):
        dafl.Distillation(numpy_teacher.teacher(), batch_size=0)
    with pytest.raises(OSError, match="missing"):
        dafl.Network.load(tmp_path / "missing.safetensors")
    with pytest.raises(MemoryError):
        dafl.Network("mlp-1048576-1048576-1048576-1048576-1048576-2")
    with pytest.raises(NotImplementedError):
        dafl.Network("mlp-8-2").features(np.zeros((1, 8), np.float32))


def test_a_file_errors_errno_is_the_systems_or_none(tmp_path):
    for path, number in ((tmp_path / "missing.safetensors", errno.ENOENT), (tmp_path, None)):
        with pytest.raises(dafl.FileError) as raised:
            dafl.Network.load(path)
        copies = pickle.loads(pickle.dumps(raised.value)), copy.copy(raised.value), copy.deepcopy(raised.value)
        for same in (raised.value, *copies):
            assert type(same) is dafl.FileError
            assert (same.errno, same.filename, same.status) == (number, str(path), errors.IO)
            assert str(same) == same.message == raised.value.message and str(same).startswith(f"{path}: ")


def test_a_file_errors_filename_is_the_path_as_it_was_given(tmp_path):
    """Whatever is in it, and whichever way the file went."""
    strange = tmp_path / "no such: folder" / "n\u00f6.safetensors"
    for given in (strange, str(strange), os.fsencode(strange)):
        for act in (dafl.Network.load, dafl.Network("mlp-4-2").save):
            with pytest.raises(OSError) as raised:
                act(given)
            assert raised.value.filename == os.fspath(given) and raised.value.errno == errno.ENOENT
            assert str(raised.value).startswith(f"{strange}: ")


def test_a_file_error_without_a_file():
    error = pickle.loads(pickle.dumps(errors.of_status(errors.IO, "what happened")))
    assert (error.filename, error.errno, error.message) == (None, None, "what happened")
