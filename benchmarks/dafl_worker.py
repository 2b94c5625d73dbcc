"""libdafl's side: dafl_worker.py CASE THREADS."""

import sys
import time

import numpy as np

import dafl
from cases import CASES, Case
from worker import serve, serve_seconds


def distillation(case: Case, threads: int, **changes: object) -> dafl.Distillation:
    options = {"student": case.student, "batch_size": case.batch, "generator_width": case.width, "latent_size": case.latent,
               "threads": threads}
    return dafl.Distillation(dafl.Network(case.teacher, seed=1), "paper", **options | changes)


def student_seconds(case: Case, threads: int):
    """A student's step: what more of them add to a step of the whole."""
    replay = {"replay_capacity": 8 * case.batch, "augmentation": float(case.kind == "altered")}
    few = distillation(case, threads, student_steps=1, **replay)
    many = distillation(case, threads, student_steps=1 + 4 * case.units, **replay)

    def work() -> float:
        times = [time.perf_counter()]
        for distil in (few, many):
            distil.step()
            times.append(time.perf_counter())
        return (times[2] - 2 * times[1] + times[0]) / 4

    return work


def main() -> None:
    case, threads = CASES[sys.argv[1]], int(sys.argv[2])
    if case.kind in ("student", "altered"):
        serve_seconds(student_seconds(case, threads))
    elif case.kind == "predict":
        network = dafl.Network(case.student, seed=1).folded()
        network.threads = threads
        images = np.random.default_rng(0).standard_normal((case.batch, *network.info.input_shape), np.float32)
        outputs = np.empty((case.batch, network.info.outputs), np.float32)
        # Straight to the C function, as the other libraries are asked without checks of ours in between.
        handle, pointers = network._handle, (dafl._arrays.floats(images), dafl._arrays.floats(outputs))
        predict = dafl._library.library.dafl_network_predict
        serve(lambda: [predict(handle, pointers[0], case.batch, pointers[1]) for _ in range(case.units)])
    else:
        distil = distillation(case, threads, student_steps=1 if case.kind == "step" else 0)
        serve(lambda: [distil.step() for _ in range(case.units)])


main()
