"""What an installed wheel promises: it needs no library but its own, and leaves NumPy's as they are."""

import subprocess
import sys
from pathlib import Path

import pytest

from dafl import _library

PACKAGE = Path(_library.__file__).resolve().parent

pytestmark = pytest.mark.skipif(not (PACKAGE / "lib").is_dir(), reason="dafl was not installed from a wheel")

# A layer so large that a BLAS would be worth its while.
LARGE = """
network = dafl.Network("mlp-2304-2304-4", seed=1)
images = np.random.default_rng(0).standard_normal((64, 2304), np.float32)
state = network.state_dict()
hidden = np.maximum(images @ state["fc1.weight"].T + state["fc1.bias"], 0)
expected = hidden @ state["fc2.weight"].T + state["fc2.bias"]
assert np.abs(network.predict(images) - expected).max() < 1e-3
"""


def run_in_child(code: str) -> str:
    """What a process of its own prints, in which nothing is loaded yet."""
    run = subprocess.run([sys.executable, "-c", code], cwd="/", capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_libraries_are_the_wheels_own():
    mapped = run_in_child("import dafl; print(open('/proc/self/maps').read())")
    libraries = {Path(line.split(maxsplit=5)[5]) for line in mapped.splitlines() if ".so" in line}
    brought = [path for path in libraries
               if path.name.startswith(("libdafl", "libopenblas", "libgfortran", "libquadmath", "libjansson", "libswift"))]
    assert PACKAGE / "lib" / "libdafl.so" in brought
    assert all(path.is_relative_to(PACKAGE.parent) for path in brought), brought


def test_numpy_multiplies_as_before():
    run_in_child(f"""
import numpy as np
a = np.random.default_rng(1).standard_normal((300, 300))
before = a @ a
import dafl
{LARGE}
assert (a @ a == before).all()
""")


def test_numpys_threads_are_as_many_as_before():
    answer = run_in_child(f"""
import ctypes
import numpy as np
paths = {{line.split()[-1] for line in open("/proc/self/maps") if "numpy.libs/libscipy_openblas64_" in line}}
if not paths:
    raise SystemExit(print("no OpenBLAS"))
blas = ctypes.CDLL(paths.pop())
threads = blas.scipy_openblas_get_num_threads64_()
import dafl
{LARGE}
assert blas.scipy_openblas_get_num_threads64_() == threads
blas.scipy_openblas_set_num_threads64_(1)
network.predict(images)
assert blas.scipy_openblas_get_num_threads64_() == 1
""")
    if answer:
        pytest.skip("this NumPy does not bring OpenBLAS")
