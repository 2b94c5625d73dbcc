"""Finding and loading the library."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dafl import _library

PACKAGE = Path(_library.__file__).resolve().parent


def import_in_child(**environment: str) -> subprocess.CompletedProcess:
    """`import dafl` in a process of its own."""
    return subprocess.run([sys.executable, "-c", "import dafl"], cwd=PACKAGE.parent, env=os.environ | environment,
                          capture_output=True, text=True)


def test_a_missing_library_is_named_with_every_path_tried(monkeypatch):
    run = import_in_child(DAFL_LIBRARY="/nowhere/libdafl.so")
    assert run.returncode != 0 and "tried /nowhere/libdafl.so" in run.stderr
    monkeypatch.delenv("DAFL_LIBRARY", raising=False)
    monkeypatch.setattr(_library.Path, "is_file", lambda self: False)
    with pytest.raises(ImportError) as failure:
        _library.load()
    for path in _library.candidates():
        assert str(path) in str(failure.value)
    assert len(_library.candidates()) == 2


def test_a_file_that_is_no_library_is_named(tmp_path):
    path = tmp_path / "libdafl.so"
    path.write_bytes(b"not a library")
    run = import_in_child(DAFL_LIBRARY=str(path))
    assert run.returncode != 0 and "ImportError" in run.stderr and str(path) in run.stderr


def test_another_version_is_refused():
    _library.require_version(Path("libdafl.so"), _library.__version__)
    _library.require_version(Path("libdafl.so"), ".".join([*_library.__version__.split(".")[:2], "99"]))
    for other in ("99.0.0", "0.99.0", "nonsense"):
        with pytest.raises(ImportError, match="must match"):
            _library.require_version(Path("libdafl.so"), other)


def test_importing_leaves_signal_handlers_alone():
    subprocess.run([sys.executable, "-c", "import signal\nold = [signal.getsignal(n) for n in signal.valid_signals()]\n"
                    "import dafl; dafl.Network('mlp-64-16-4')\n"
                    "assert old == [signal.getsignal(n) for n in signal.valid_signals()]"], cwd=PACKAGE.parent, check=True)
