"""Measures the ways to make networks smaller, for docs/compression.md.

    make compression                     every row, into docs/compression, in an hour or so
    make compression ROWS="svd merging"  some of them

A row is a network, what is done to it, and how it is repaired: not at all, without data as `dafl.compress` does, or in the same way on
the images that the network was trained on. Ways see the images that the library draws, or none, or, as "generated", those and twice
as many of generators, which teach more of clothes. Test images are for the accuracies alone.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import dafl

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "benchmarks" / "report"), str(ROOT / "benchmarks")]
import pictures  # noqa: E402
from images import FASHION_STANDARD, STANDARD, Images, fashion, mnist  # noqa: E402
from machine import machine  # noqa: E402

CAFFE = {"name": "lenet-20-50-500", "input": [1, 28, 28], "nodes": [
    {"kind": "convolution", "name": "conv1", "outputs": 20, "kernel": 5}, {"kind": "max_pool", "name": "pool1", "window": 2},
    {"kind": "convolution", "name": "conv2", "outputs": 50, "kernel": 5}, {"kind": "max_pool", "name": "pool2", "window": 2},
    {"kind": "linear", "name": "ip1", "outputs": 500}, {"kind": "relu", "name": "relu1"},
    {"kind": "linear", "name": "ip2", "outputs": 10}], "feature": "relu1"}
"""LeNet-5 as Caffe has it."""

DEEP = [{"prune": 0.8}, {"prune": 0.88}, {"prune": 0.91}, {"bits": 5}]

GROUPS = {"deep": "Deep Compression", "svd": "Low rank", "merging": "Merging", "neurons": "Neurons taken out, Fashion-MNIST"}


@dataclass
class Task:
    """A network that is trained on its data, once."""

    name: str
    architecture: Any
    images: tuple[Images, Images]
    standard: tuple[float, float] = STANDARD
    training: dict[str, Any] = field(default_factory=lambda: {"epochs": 12, "schedule": "cosine", "learning_rate": 1e-3,
                                                              "batch_size": 128})

    def prepared(self, images: Images, network: dafl.Network) -> np.ndarray:
        side = 32 if network.info.input_shape[1] == 32 else 28
        return images.prepared(side, *self.standard).reshape(-1, *network.info.input_shape)

    def network(self, folder: Path) -> dafl.Network:
        path = folder / f"compression-{self.name}.safetensors"
        if not path.exists():
            network = dafl.Network(self.architecture, seed=0)
            network.train(self.prepared(self.images[0], network), self.images[0].labels, seed=0, **self.training)
            network.save(path)
        return dafl.Network.load(path)

    def accuracy(self, network: dafl.Network) -> float:
        return network.evaluate(self.prepared(self.images[1], network), self.images[1].labels)


@dataclass(frozen=True)
class Row:
    group: str
    task: str
    ways: list[Any]
    repair: int = 0
    on_data: bool = False
    """Repaired on the images that the network was trained on."""
    seeds: int = 1
    student: str = ""
    """What is distilled first, as `dafl.distill` does it without being told more."""

    @property
    def text(self) -> str:
        ways = [", ".join(f"{name}={value}" for name, value in way.items()) for way in self.ways]
        return ", then ".join([self.student, *ways] if self.student else ways)

    def looks(self, at: str) -> bool:
        """Whether its ways see such images."""
        return any(way.get("images") == at for way in self.ways)


def tasks(data: Path) -> dict[str, Task]:
    digits = mnist(data / "mnist", False)
    # With weight decay, as networks are that neurons are taken out of.
    decaying = {"epochs": 30, "batch_size": 128, "optimizer": "sgd", "schedule": "step", "learning_rate": 0.05, "weight_decay": 5e-4}
    all_tasks = [Task("lenet-300-100", "mlp-784-300-100-10", digits), Task("caffe", CAFFE, digits), Task("lenet5", "lenet5", digits),
                 Task("mlp", "mlp-784-1200-1200-10", digits)]
    if clothes := fashion():
        all_tasks.append(Task("fashion-300-100", "mlp-784-300-100-10", clothes, FASHION_STANDARD, decaying))
    return {task.name: task for task in all_tasks}


def rows() -> list[Row]:
    result = [Row("deep", "lenet5", [{"prune": 0.7}, {"bits": 5}], 200, seeds=3),
              Row("deep", "lenet5", [{"bits": 8}], student="lenet5-half", seeds=3)]
    for task in SEEDS:
        result += [Row("deep", task, DEEP), Row("deep", task, DEEP, 200, seeds=SEEDS[task]),
                   Row("deep", task, DEEP, 200, on_data=True)]
    half: dict[str, Any] = {"multiply_adds": 0.5}
    result += [Row("svd", "lenet5", [half | {"images": "none"}]), Row("svd", "lenet5", [half]),
               Row("svd", "lenet5", [half], 300, seeds=5), Row("svd", "lenet5", [half], 300, on_data=True)]
    for share in SHARES:
        result.append(Row("merging", "mlp", [{"merge": share}]))
    result += [Row("merging", "mlp", [{"merge_knee": 1}]), Row("merging", "mlp", [{"merge": 0.77}], 300, seeds=5),
               Row("merging", "mlp", [{"merge": 0.77}], 300, on_data=True)]
    for gone in PUBLISHED_NEURONS:
        kept = {"channels": round(1 - gone, 1)}
        result += [Row("neurons", "fashion-300-100", [{"merge": gone}]), Row("neurons", "fashion-300-100", [kept | {"images": "none"}]),
                   Row("neurons", "fashion-300-100", [kept | {"images": "generated"}], seeds=5),
                   Row("neurons", "fashion-300-100", [kept | {"images": "generated"}], 600, seeds=5),
                   Row("neurons", "fashion-300-100", [kept], 600, on_data=True)]
    return result


SEEDS = {"lenet-300-100": 5, "lenet5": 3, "caffe": 1}
"""Of the repairs that take minutes."""

SHARES = (0.3, 0.5, 0.6, 0.7, 0.77, 0.8, 0.85, 0.9)

PUBLISHED_NEURONS = {0.5: (88.40, 88.69), 0.6: (85.17, 86.92), 0.7: (71.26, 82.75), 0.8: (66.76, 80.02)}
"""What Kim et al. (NeurIPS 2020) have without repair when that share of the neurons is pruned or merged; they began at 89.80."""


@cache
def generated(network_path: str, seed: int) -> np.ndarray:
    """Images that the library makes for a network without data: 2,048 drawn, and 1,024 of each of four generators."""
    def images(seed: int, steps: int, source: str, batches: int) -> np.ndarray:
        distillation = dafl.Distillation(dafl.Network.load(network_path), steps=steps, student_steps=0, batch_size=128, seed=seed,
                                         image_source=source)
        distillation.run()
        return np.concatenate([distillation.generate(128, logits=False)[0] for _ in range(batches)])

    return np.concatenate([images(seed, 2, "auto", 16), *(images(4 * seed + number, 60, "generator", 8) for number in range(4))])


def measure(row: Row, task: Task, network: dafl.Network, path: str, seed: int) -> dict[str, Any]:
    start = time.perf_counter()
    options: dict[str, Any] = {"seed": seed}
    ways = row.ways
    if row.on_data:
        images = task.prepared(task.images[0], network)
        options |= {"image_source": "data", "images": images}
        ways = [way | {"images": images[:6144]} for way in ways]
    elif row.looks("generated"):
        options |= {"image_source": "generator"}
        ways = [way | {"images": generated(path, seed)} for way in ways]
    small = dafl.distill(network, student=row.student, progress=False, seed=seed).student if row.student else network
    if row.looks("none"):
        for way in ways:
            small = small.compressed(**way | {"images": None})
    else:
        small = dafl.compress(small, ways, repair=row.repair, **options)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "small.safetensors"
        small.save(file, compressed=True)
        size = file.stat().st_size
    info, before = small.info, network.info
    return {"group": row.group, "task": row.task, "ways": row.text, "repair": row.repair, "on_data": row.on_data, "seed": seed,
            "accuracy": task.accuracy(small), "before": task.accuracy(network), "bytes": size, "bytes_before": 4 * before.parameters,
            "parameters": info.parameters / before.parameters, "multiply_adds": info.multiply_adds / before.multiply_adds,
            "seconds": round(time.perf_counter() - start, 1), "machine": machine()}


def table(results: list[dict[str, Any]]) -> str:
    lines = []
    for group, title in GROUPS.items():
        lines += [f"## {title}", "", "| network | way | repair | test images, % | lost | file | parameters | multiply-adds |",
                  "| --- | --- | --- | --- | --- | --- | --- | --- |"]
        runs: dict[Any, list[dict[str, Any]]] = {}
        for one in results:
            if one["group"] == group:
                runs.setdefault((one["task"], one["ways"], one["repair"], one["on_data"]), []).append(one)
        for (task, ways, repair, on_data), same in runs.items():
            accuracy = 100 * np.array([one["accuracy"] for one in same])
            spread = f" ± {accuracy.std(ddof=1):.2f} ({len(same)})" if len(same) > 1 else ""
            first = same[0]
            times = np.mean([one["bytes_before"] / one["bytes"] for one in same])
            lines.append(f"| {task} | {ways} | {f'{repair} steps, on data' if on_data else f'{repair} steps' if repair else 'none'} | "
                         f"{accuracy.mean():.2f}{spread} | {100 * first['before'] - accuracy.mean():.2f} | {times:.1f} times smaller | "
                         f"{100 * first['parameters']:.1f} % | {100 * first['multiply_adds']:.1f} % |")
        lines.append("")
    return "\n".join(lines)


def draw(results: list[dict[str, Any]], folder: Path) -> None:
    """Accuracy against what is gone."""
    def curve(group: str, ways: Callable[[float], str], shares: Iterable[float], repair: int = 0) -> list[tuple[float, float]]:
        """The parameters that are gone, in percent, and the mean accuracy."""
        points = []
        for share in shares:
            same = [one for one in results if (one["group"], one["ways"], one["repair"], one["on_data"]) == (group, ways(share), repair, False)]
            if same:
                points.append((100 - 100 * same[0]["parameters"], 100 * float(np.mean([one["accuracy"] for one in same]))))
        return points

    def kept(images: str) -> Callable[[float], str]:
        return lambda gone: f"channels={round(1 - gone, 1)}, images={images}"

    def merged(gone: float) -> str:
        return f"merge={gone}"

    pictures.accuracies({"merged": curve("merging", merged, SHARES), "to the knee": curve("merging", lambda _: "merge_knee=1", [0])},
                        folder / "merging.png")
    published = {name: [(place, accuracies[i]) for gone, accuracies in PUBLISHED_NEURONS.items()
                        for place, _ in curve("neurons", merged, [gone])]
                 for i, name in enumerate(("pruned, published", "merged, published"))}
    pictures.accuracies(published | {
        "merged": curve("neurons", merged, PUBLISHED_NEURONS), "chosen by weights": curve("neurons", kept("none"), PUBLISHED_NEURONS),
        "chosen by images": curve("neurons", kept("generated"), PUBLISHED_NEURONS),
        "the same, repaired": curve("neurons", kept("generated"), PUBLISHED_NEURONS, 600)}, folder / "neurons.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", choices=[[], *GROUPS], metavar="GROUP", help="rows to measure anew (default: those that are missing)")
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    arguments = parser.parse_args()
    folder, teachers = ROOT / "docs" / "compression", ROOT / "build" / "teachers"
    folder.mkdir(parents=True, exist_ok=True)
    teachers.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    results: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    results = [one for one in results if one["group"] not in arguments.groups]
    known = tasks(arguments.data)
    for row in rows():
        if row.task not in known or (arguments.groups and row.group not in arguments.groups):
            continue
        task = known[row.task]
        network = task.network(teachers)
        for seed in range(row.seeds):
            done = (row.task, row.text, row.repair, row.on_data, seed)
            if any((one["task"], one["ways"], one["repair"], one["on_data"], one["seed"]) == done for one in results):
                continue
            one = measure(row, task, network, str(teachers / f"compression-{row.task}.safetensors"), seed)
            results.append(one)
            print(f"{one['task']}: {one['ways']}, repair {one['repair']}: {100 * one['accuracy']:.2f} of {100 * one['before']:.2f} %, "
                  f"{one['bytes_before'] / one['bytes']:.1f} times smaller, {one['seconds']} s", flush=True)
            path.write_text("[\n" + ",\n".join(json.dumps(one) for one in results) + "\n]\n")
            (folder / "README.md").write_text("# Smaller without data: what was measured\n\n`make compression` makes this.\n\n" + table(results))
    draw(results, folder)


if __name__ == "__main__":
    main()
