"""Measures libdafl beside PyTorch and ONNX Runtime: `make bench`.

Every library works in a process of its own, with its own best settings. They take turns, one measurement each a round, so
that a machine that slows down slows all of them; what counts is the median over the rounds of each round's ratio. The peer is
the fastest of PyTorch's variants: both memory layouts and torch.compile.

    run.py                     all cases at 1 and 2 threads, as a table; build/bench.json keeps the last result of each
    run.py paper-step          some cases
    run.py --write             also put what is kept into docs/performance.md
    run.py --check             fail when a ratio is below its threshold in thresholds.json
    run.py --growth            instead: how a step's cost grows with batch, generator width and threads
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from cases import CASES, Case
from machine import machine

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PERFORMANCE = ROOT / "docs" / "performance.md"
KEPT = ROOT / "build" / "bench.json"
# The allocator's settings that make PyTorch's steps fastest: keep freed memory instead of asking for it anew.
TORCH_ENVIRONMENT = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 34)}
COMPILED = "PyTorch, compiled"


class Worker:
    """One library at one case, waiting to be asked."""

    def __init__(self, name: str, script: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.name = name
        self.seconds: list[float] = []
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / script), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=os.environ | (environment or {}))

    def is_ready(self) -> bool:
        """Waits until it is warm; False when it cannot work."""
        for line in self.process.stdout:
            if line.strip() == "ready":
                return True
        return False

    def measure(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.seconds.append(float(self.process.stdout.readline()))

    def peak_megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def close(self) -> str:
        self.process.stdin.close()
        self.process.kill()
        return self.process.stderr.read()


def workers(case: Case, threads: int, compiles: bool) -> list[Worker]:
    """libdafl first, then its peers, each ready; what cannot work is left out and said."""
    arguments = case.name, str(threads)
    environment = TORCH_ENVIRONMENT | {"OMP_NUM_THREADS": str(threads)}
    candidates = [Worker("libdafl", "dafl_worker.py", *arguments),
                  Worker("PyTorch", "torch_worker.py", *arguments, environment=environment)]
    if not case.teacher.startswith("mlp-"):
        candidates.append(Worker("PyTorch, channels last", "torch_worker.py", *arguments, "channels_last",
                                 environment=environment))
    if compiles:
        candidates.append(Worker(COMPILED, "torch_worker.py", *arguments, "channels_last", "compile",
                                 environment=environment))
    if case.kind == "predict":
        candidates.append(Worker("ONNX Runtime", "onnx_worker.py", *arguments))
    ready = []
    for worker in candidates:
        if worker.is_ready():
            ready.append(worker)
        else:
            print(f"{case.name}: without {worker.name}: {worker.close().strip().splitlines()[-1:]}", file=sys.stderr)
    if not ready or ready[0].name != "libdafl":
        sys.exit(f"{case.name}: libdafl's worker failed")
    return ready


def measure(case: Case, threads: int, rounds: int, compiles: bool) -> dict:
    team = workers(case, threads, compiles)
    try:
        for _ in range(rounds):
            for worker in team:
                worker.measure()
        ours, peers = team[0], team[1:]
        ratios = {peer.name: statistics.median(theirs / own for theirs, own in zip(peer.seconds, ours.seconds))
                  for peer in peers}
        return {"case": case.name, "threads": threads, "ratios": ratios,
                "milliseconds": {worker.name: 1000 * statistics.median(worker.seconds) / case.units for worker in team},
                "megabytes": {worker.name: worker.peak_megabytes() for worker in team}}
    finally:
        for worker in team:
            worker.close()


def best(result: dict, library: str) -> str | None:
    """The variant of a library that comes nearest to ours."""
    names = [name for name in result["ratios"] if name.startswith(library)]
    return min(names, key=result["ratios"].get, default=None)


def table(results: list[dict]) -> str:
    lines = ["| case | threads | libdafl, ms | best peer, ms | ratio | torch.compile, ms | ours, MB | peer, MB |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for result in results:
        milliseconds, megabytes = result["milliseconds"], result["megabytes"]
        compiled = f"{milliseconds[COMPILED]:.3g}" if COMPILED in milliseconds else ""
        for library in ("PyTorch", "ONNX Runtime"):
            if name := best(result, library):
                lines.append(f"| {result['case']} | {result['threads']} | {milliseconds['libdafl']:.3g} | "
                             f"{name} {milliseconds[name]:.3g} | **{result['ratios'][name]:.2f}** | "
                             f"{compiled if library == 'PyTorch' else ''} | "
                             f"{megabytes['libdafl']:.0f} | {megabytes[name]:.0f} |")
    return "\n".join(lines)


def load_times() -> str:
    """From a bare interpreter to the end of a first step."""
    snippets = {
        "libdafl": "import dafl; dafl.Distillation(dafl.Network('lenet5'), 'paper', generator_width=16, threads=2).step()",
        "PyTorch": "import torch; m = torch.nn.Linear(100, 10); m(torch.randn(512, 100)).sum().backward()",
    }
    seconds = {}
    for name, code in snippets.items():
        times = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - start)
        seconds[name] = statistics.median(times)
    return (f"From the start of Python to the end of a first step of a whole distillation: libdafl {seconds['libdafl']:.2f} s. "
            f"To `import torch` and one linear layer's gradient: {seconds['PyTorch']:.2f} s.")


def growth() -> str:
    """How long a step takes, in milliseconds, as it gets larger."""
    import dafl

    def milliseconds(batch: int, width: int, threads: int) -> float:
        distil = dafl.Distillation(dafl.Network("lenet5"), "paper", batch_size=batch, generator_width=width, threads=threads)
        distil.step()
        times = []
        for _ in range(3):
            start = time.perf_counter()
            distil.step()
            times.append(time.perf_counter() - start)
        return 1000 * statistics.median(times)

    lines = ["| threads | batch | " + " | ".join(f"width {width}" for width in (8, 16, 32, 64, 128)) + " |",
             "| --- " * 7 + "|"]
    for threads in (1, 2):
        for batch in (64, 128, 256, 512, 1024, 2048):
            cells = [f"{milliseconds(batch, width, threads):.3g}" for width in (8, 16, 32, 64, 128)]
            lines.append(f"| {threads} | {batch} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def kept() -> list[dict]:
    """The last result of each case and number of threads, in the order of the cases."""
    results = json.loads(KEPT.read_text()) if KEPT.exists() else []
    return sorted(results, key=lambda result: (list(CASES).index(result["case"]), result["threads"]))


def keep(result: dict) -> None:
    others = [other for other in kept() if (other["case"], other["threads"]) != (result["case"], result["threads"])]
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(others + [result], indent=1))


def write(section: str, text: str) -> None:
    """Puts text between the section's markers in docs/performance.md."""
    before, _, rest = PERFORMANCE.read_text().partition(f"<!-- {section} -->\n")
    _, end, after = rest.partition(f"<!-- end of {section} -->")
    if not end:
        sys.exit(f"{PERFORMANCE} has no section '{section}'")
    PERFORMANCE.write_text(f"{before}<!-- {section} -->\n{text}\n{end}{after}")


def check(results: list[dict]) -> bool:
    thresholds = json.loads((HERE / "thresholds.json").read_text())
    holds = True
    for result in results:
        for library, least in thresholds.get(result["case"], {}).get(str(result["threads"]), {}).items():
            name = best(result, library)
            if name and result["ratios"][name] < least:
                print(f"{result['case']} at {result['threads']} threads: {result['ratios'][name]:.2f} times {library}, "
                      f"below {least}")
                holds = False
    return holds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compile", action="store_true", help="measure torch.compile too, which takes minutes to warm up")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if unknown := [name for name in options.cases if name not in CASES]:
        parser.error(f"unknown cases {unknown}; there are {', '.join(CASES)}")
    if options.growth:
        print(text := growth())
        if options.write:
            write("growth", text)
        return
    results = []
    for name in options.cases or CASES:
        for threads in options.threads:
            results.append(measure(CASES[name], threads, options.rounds, options.compile))
            print(table(results[-1:]).splitlines()[-1], flush=True)
            keep(results[-1])
    text = f"On {machine()}.\n\n{table(results)}\n\n{load_times()}"
    print("\n" + text)
    if options.write:
        write("measured", f"On {machine()}.\n\n{table(kept())}\n\n{load_times()}")
    if options.check and not check(results):
        sys.exit(1)


main()
