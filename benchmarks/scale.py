"""Measures what threads and ranks give, for docs/scale.md.

    make scale DATA=data                 accuracy after a minute of training, and images a second, by ranks and threads
    make scale DATA=data SECONDS=10      the same, shorter

Each run is `mpirun -n RANKS` of this file with --worker; needs mpirun and mpi4py. Test images are for the accuracies alone.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dafl

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "benchmarks" / "report"), str(ROOT / "benchmarks")]
from images import STANDARD, mnist  # noqa: E402
from machine import machine  # noqa: E402

SETTINGS = {
    "lenet5": [(1, 1, "own"), (1, 2, "own"), (2, 1, "own"), (2, 1, "shared"), (4, 1, "own")],
    "resnet8": [(1, 1, "own"), (1, 2, "own"), (2, 1, "own")],
}
"""Ranks, threads of each, and whose the generators are."""

FIRST_STEPS = {"lenet5": 160, "resnet8": 60}
"""To see what a step takes: the first 40 make no generated images."""


def pair(name: str) -> tuple[dafl.Network, dict[str, Any]]:
    if name == "lenet5":
        return dafl.Network.load(ROOT / "examples" / "teachers" / "lenet5-mnist.safetensors"), {"student": "lenet5-half"}
    # Its weights do not matter to what a step takes.
    return dafl.Network("resnet8", seed=1), {"student": "half", "student_start": "new", "input_range": (0, 255)}


def worker(name: str, options: dict[str, Any]) -> None:
    teacher, more = pair(name)
    ranks = dafl.distributed.mpi4py()
    floats = 0

    def counted(sums: Any) -> None:
        nonlocal floats
        floats += sums.size
        ranks["all_reduce"](sums)

    result = dafl.distill(teacher, progress=False, **more | options | ranks | {"all_reduce": counted})
    now = result.distillation.progress
    if ranks["rank"] == 0:
        result.student.save(os.environ["STUDENT"])
        print(json.dumps({"step_seconds": now.seconds_elapsed / now.step, "bytes": 4 * floats / now.step}))


def run(name: str, student: Path, ranks: int, **options: Any) -> dict[str, float]:
    """What rank 0 measured."""
    command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", str(ranks),
               sys.executable, "-m", "mpi4py", __file__, "--worker", name, "--options", json.dumps(options)]
    done = subprocess.run(command, env=os.environ | {"STUDENT": str(student), "OMPI_MCA_mpi_yield_when_idle": "1"},
                          stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--worker")
    parser.add_argument("--options", type=json.loads, default={})
    options = parser.parse_args()
    if options.worker is not None:
        return worker(options.worker, options.options)

    student = Path("build") / "scale-student.safetensors"
    _, test = mnist(options.data / "mnist", not options.data.is_dir())
    images = test.prepared(32, *STANDARD)
    print(f"{machine()}, {options.seconds:.0f} s of steps, {options.seeds} seeds\n")
    print("| pair | ranks | threads | generators | ms a step | images a second | times one | kB a step | steps | accuracy, % |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, settings in SETTINGS.items():
        alone = None
        for ranks, threads, generators in settings:
            given = {"threads": threads, "generators": generators}
            steps = FIRST_STEPS[name]
            trial = run(name, student, ranks, steps=steps, **given)
            accuracies = []
            for seed in range(options.seeds if name == "lenet5" else 0):
                steps = int(options.seconds / trial["step_seconds"])
                trial = run(name, student, ranks, steps=steps, seed=seed, **given)
                accuracies.append(f"{100 * dafl.Network.load(student).evaluate(images, test.labels):.2f}")
            rate = ranks * 10 * 128 / trial["step_seconds"]
            alone = alone or rate
            print(f"| {name} | {ranks} | {threads} | {generators} | {1000 * trial['step_seconds']:.1f} | {rate:,.0f} | "
                  f"{rate / alone:.2f} | {trial['bytes'] / 1000:,.0f} | {steps} | {', '.join(accuracies)} |", flush=True)


if __name__ == "__main__":
    main()
