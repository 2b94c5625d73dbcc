"""What the report measures: for each pair of networks its teacher and its rows."""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import dafl
import dafl.errors
from images import STANDARD, Images


def convolutions(widths: list[int]) -> dict[str, Any]:
    """A network of 3 x 3 convolutions with batch normalisation, halved in size after each but the last, and a global mean."""
    nodes: list[dict[str, Any]] = []
    for place, width in enumerate(widths, 1):
        nodes += [{"kind": "convolution", "name": f"conv{place}", "outputs": width, "kernel": 3, "padding": 1},
                  {"kind": "batch_norm", "name": f"norm{place}"}, {"kind": "relu"}]
        if place < len(widths):
            nodes.append({"kind": "max_pool", "window": 2})
    nodes += [{"kind": "global_average_pool", "name": "mean"}, {"kind": "linear", "name": "fc", "outputs": 10}]
    return {"name": "norms", "input": [1, 32, 32], "feature": "mean", "nodes": nodes}


NORMS = convolutions([16, 32, 64])


@dataclass(frozen=True)
class Budget:
    """How much work the report does: the full form, or the quick one, which shows that everything works."""

    is_quick: bool

    @property
    def epochs(self) -> int:
        return 2 if self.is_quick else 12

    def steps(self, full: int) -> dict[str, int]:
        return {"steps": max(2, full // 150) if self.is_quick else full}

    def seeds(self, count: int) -> range:
        return range(1 if self.is_quick else count)


@dataclass
class Pair:
    """A teacher and a student of the paper, on one data set."""

    name: str
    title: str
    teacher_architecture: str | dict[str, Any]
    student: str
    size: int
    training: Images
    test: Images
    budget: Budget
    path: Path
    """Where the teacher is kept."""
    standard: tuple[float, float] = STANDARD
    """Mean and standard deviation of training pixels in [0, 1]."""
    is_folded: bool = False
    """Whether the teacher's batch normalisations are folded into its convolutions, as in most files."""

    @property
    def is_of_norms(self) -> bool:
        """Whether the teacher has batch normalisations, and ends in a global mean."""
        return not isinstance(self.teacher_architecture, str)

    @cached_property
    def training_images(self) -> np.ndarray:
        return self.training.prepared(self.size, *self.standard)

    @cached_property
    def test_images(self) -> np.ndarray:
        return self.test.prepared(self.size, *self.standard)

    @cached_property
    def teacher(self) -> dafl.Network:
        """Trained on the data, or as the last call left it in build/teachers."""
        teacher = self.trained
        return teacher.folded() if self.is_folded else teacher

    @property
    def trained(self) -> dafl.Network:
        if self.path.exists():
            return dafl.Network.load(self.path)
        teacher = dafl.Network(self.teacher_architecture, seed=0)
        # As examples/python/train_teacher.py does it.
        teacher.train(self.training_images, self.training.labels, epochs=self.budget.epochs, batch_size=128,
                      schedule="cosine", learning_rate=2e-3 if self.size == 32 else 5e-4, seed=0)
        teacher.save(self.path)
        return teacher

    def published(self, lenet: float, perceptron: float) -> float | None:
        """The paper's number for this pair, of the two that it gives."""
        return {"lenet5": lenet, "mlp": perceptron}.get(self.name)

    def accuracy(self, network: dafl.Network) -> float:
        return network.evaluate(self.test_images, self.test.labels)

    def answers(self, kind: str) -> dafl.Teacher:
        """The teacher as one that can only be asked."""
        shape = self.teacher.info.input_shape
        if kind == "labels":
            return dafl.Teacher(lambda images: np.eye(10, dtype=np.float32)[self.teacher.predict(images).argmax(1)],
                                input_shape=shape, classes=10, answers="labels")
        return dafl.Teacher(self.teacher.predict, input_shape=shape, classes=10)


@dataclass(frozen=True)
class Row:
    """One way to a student, measured over some seeds."""

    key: str
    title: str
    published: float | None = None
    """The paper's number in percent."""
    seeds: range = range(1)
    teacher: str = "network"
    """"network", or "logits" or "labels": what a teacher answers that can only be asked."""
    preset: str = "fast"
    options: dict[str, Any] = field(default_factory=dict)
    arrays: Callable[[], dict[str, Any]] = dict
    """More options, of arrays that take time or memory to make."""
    note: str = ""
    group: str = "table"
    """"table", "ablation" or "queries"."""

    @property
    def settings(self) -> str:
        """What was asked for: a result of other settings is none of this row."""
        return json.dumps({"preset": self.preset, "teacher": self.teacher} | self.options, sort_keys=True)


def run(pair: Pair, row: Row, seed: int, watch: Callable[[dafl.Distillation, dafl.Progress], None] | None = None) -> dict:
    """A distillation from beginning to end; `watch` sees every step."""
    teacher = pair.teacher if row.teacher == "network" else pair.answers(row.teacher)
    options = {"student": pair.student, "seed": seed} | row.options | row.arrays()
    distillation = dafl.Distillation(teacher, row.preset, **options)
    last = None
    start = time.perf_counter()
    while last is None or last.step < last.steps:
        try:
            last = distillation.step()
        except dafl.Error as error:
            if error.status != dafl.errors.QUERIES_SPENT:
                raise
            break
        if watch:
            watch(distillation, last)
    assert last is not None
    return {"pair": pair.name, "row": row.key, "settings": row.settings, "seed": seed,
            "accuracy": pair.accuracy(distillation.student()), "agreement": last.agreement,
            "seconds": last.seconds_elapsed if watch else time.perf_counter() - start,
            "holdout_agreement": None if math.isnan(last.holdout_agreement) else last.holdout_agreement,
            "queries": last.teacher_images, "effective_classes": last.effective_classes, "collapses": last.collapses}


GENERATOR = {"image_source": "generator"}


def rows(pair: Pair, other_digits: np.ndarray | None) -> Iterator[Row]:
    """The table's rows for a pair; `other_digits` are USPS's, prepared."""
    yield from data_rows(pair, other_digits)
    if pair.is_of_norms:
        yield from norm_rows(pair)
    else:
        yield from dafl_rows(pair)
    if pair.name == "lenet5":
        yield from ablation_rows(pair.budget)
        yield from query_rows(pair.budget)


def data_rows(pair: Pair, other_digits: np.ndarray | None) -> Iterator[Row]:
    """Students of images that somebody has, or of what somebody noted about them."""
    is_lenet, is_mnist, budget = pair.size == 32, pair.name != "fashion", pair.budget
    few = budget.seeds(3 if pair.name == "lenet5" else 1)
    options = {"image_source": "data", "batch_size": 128, "replay_capacity": 0, "student_steps": 1,
               "steps": budget.epochs * len(pair.training.labels) // 128, "student_learning_rate": 2e-3 if is_lenet else 5e-4}

    def labelled() -> dict[str, Any]:
        return {"images": pair.training_images, "labels": pair.training.labels}

    def metadata() -> dict[str, Any]:
        features = pair.teacher.features(pair.training_images)
        groups = [features[pair.training.labels == label] for label in range(10)]
        return {"metadata_means": np.stack([group.mean(0) for group in groups]),
                "metadata_deviations": np.stack([group.std(0) for group in groups])}

    yield Row("data", "standard training on data", pair.published(98.65, 98.11), few,
              options=options | {"label_weight": 1}, arrays=labelled)
    yield Row("kd", "knowledge distillation on data", pair.published(98.91, 98.39), few,
              options=options | {"label_weight": 0.1, "temperature": 4}, arrays=labelled)
    if not is_mnist or pair.is_of_norms:
        return
    yield Row("noise", "normal noise as data", pair.published(88.01, 87.58),
              options={"image_source": "noise"} | budget.steps(3600 if is_lenet else 1200))
    if other_digits is not None:
        yield Row("usps", "USPS as data", pair.published(94.56, 93.99), few, options=options,
                  arrays=lambda: {"images": other_digits})
    yield Row("metadata", "metadata (Lopes et al.)", pair.published(92.47, 91.24),
              options=budget.steps(800 if is_lenet else 200) | {
                  "image_source": "metadata", "metadata_steps": 60, "augmentation": 0},
              arrays=metadata, note="means and deviations for each class")


def norm_rows(pair: Pair) -> Iterator[Row]:
    """Students of a teacher of which a generator alone teaches little."""
    steps = pair.budget.steps(1200)
    yield Row("dafl", "**DAFL, default**", seeds=pair.budget.seeds(5), options=steps, note="a third of the preset's steps")
    yield Row("generator", "DAFL, a generator alone", options=steps | GENERATOR, note="a third of the preset's steps")
    if pair.name == "norms":
        for kind in ("logits", "labels"):
            yield Row(kind, f"DAFL, a teacher that answers {kind} only", teacher=kind, options=steps,
                      note="a third of the preset's steps")


def dafl_rows(pair: Pair) -> Iterator[Row]:
    """Students of pictures and generated images, and of the latter alone."""
    is_lenet, is_mnist, budget = pair.size == 32, pair.name != "fashion", pair.budget
    default = budget.steps(3600)
    yield Row("dafl", "**DAFL, default**", pair.published(98.20, 97.91), budget.seeds(5 if is_lenet else 1), options=default,
              note="the preset fast as it is" if not budget.is_quick else "")
    if is_lenet:
        for kind in ("logits", "labels"):
            yield Row(kind, f"DAFL, a teacher that answers {kind} only", teacher=kind, options=default)
    yield Row("generator", "DAFL, a generator alone", pair.published(98.20, 97.91),
              budget.seeds(5 if pair.name == "lenet5" else 3), options=default | GENERATOR)
    if is_lenet:
        yield Row("long", "the same, twice the steps and images", pair.published(98.20, 97.91), budget.seeds(5 if is_mnist else 1),
                  options=budget.steps(7200) | GENERATOR | {"replay_capacity": 819_200}, note="and a bank of 819,200 images, 0.8 GB")
    if not is_mnist:
        return
    if is_lenet:
        yield Row("longer", "the same, four times the steps and images", 98.20, budget.seeds(5),
                  options=budget.steps(14_400) | GENERATOR | {"replay_capacity": 1_638_400},
                  note="and a bank of 1,638,400 images, 1.7 GB")
    yield Row("paper", "DAFL, preset paper", pair.published(98.20, 97.91), preset="paper",
              options=budget.steps(2400 if is_lenet else 400) | {"generator_width": 64},
              note=f"{2400 if is_lenet else 400:,} of the paper's 24,000 steps, half the generator's width")
    # Perceptrons take five times as long.
    asked, note = (default, "") if is_lenet else (budget.steps(1800), "half the default's steps")
    for kind in ("logits", "labels"):
        yield Row(f"generator-{kind}", f"DAFL, a generator alone, {kind} only", seeds=budget.seeds(2 if is_lenet else 1),
                  teacher=kind, options=asked | GENERATOR, note=note)
    if not is_lenet:
        return
    yield Row("differences", "DAFL, a generator alone, logits only, gradients by random differences", teacher="logits",
              options=default | GENERATOR | {"gradients": "differences"})
    yield Row("mimic", "DAFL, a generator alone, with feature mimicking", options=default | GENERATOR | {"mimic_weight": 0.1})
    yield Row("same", "DAFL, a generator alone, a student with the teacher's architecture",
              options=default | GENERATOR | {"student": "lenet5"})


def ablation_rows(budget: Budget) -> Iterator[Row]:
    """Every combination of the generator's losses."""
    for one_hot in (1, 0):
        for activation in (0.1, 0):
            for entropy in (5, 0):
                parts = [name for name, weight in (("L_oh", one_hot), ("L_a", activation), ("L_ie", entropy)) if weight]
                yield Row(f"ablation-{'-'.join(parts) or 'none'}", " + ".join(parts) or "none: the generator does not learn",
                          group="ablation", options=budget.steps(600) | GENERATOR | {
                              "one_hot_weight": one_hot, "activation_weight": activation, "entropy_weight": entropy})


def query_rows(budget: Budget) -> Iterator[Row]:
    """What so many questions to the teacher buy."""
    for queries in (10**5, 10**6, 10**7):
        # Each step asks about the generator's batch of 128 and, with augmentation, about the student's ten.
        few_questions = queries <= 10**5
        steps = queries // (128 if few_questions else 128 * 11)
        options = GENERATOR | {"augmentation": 0.0 if few_questions else 1.0, "max_teacher_queries": queries, "steps": max(steps, 1),
                   "replay_capacity": min(819_200, max(128 * steps, 128))}
        if budget.is_quick:
            options |= budget.steps(steps) | {"max_teacher_queries": queries // 150}
        yield Row(f"queries-{queries}", f"{queries:,} queries, logits, a generator alone", group="queries", teacher="logits",
                  options=options)
    for queries in (10**4, 10**5):
        yield Row(f"labels-{queries}", f"{queries:,} queries, labels", group="queries", seeds=budget.seeds(5), teacher="labels",
                  options=budget.steps(queries // 128) | {
                      "augmentation": 0.0, "max_teacher_queries": queries, "replay_capacity": queries})
