"""ONNX Runtime's side, for the cases that only predict: onnx_worker.py CASE THREADS."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime

import dafl
from cases import CASES
from worker import serve


def main() -> None:
    case, threads = CASES[sys.argv[1]], int(sys.argv[2])
    network = dafl.Network(case.student, seed=1).folded()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        network.save(path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).standard_normal((case.batch, *network.info.input_shape), np.float32)
    name = session.get_inputs()[0].name
    assert np.allclose(session.run(None, {name: images})[0], network.predict(images), atol=1e-4)
    serve(lambda: [session.run(None, {name: images}) for _ in range(case.units)])


main()
