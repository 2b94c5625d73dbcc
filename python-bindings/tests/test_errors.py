"""Failures are the library's sentence in a class that says what kind it is, and Python's own kind where there is one."""

import errno
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
        for same in (raised.value, pickle.loads(pickle.dumps(raised.value))):
            assert (same.errno, same.filename, same.status) == (number, None, errors.IO) and str(path) in str(same)
