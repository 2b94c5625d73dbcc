"""What is measured: each case by its name, the same for every library."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One piece of work. `kind` says which:

    step       a step of the paper's method: generator forward, teacher forward and image gradient, the generator's backward
               and Adam, student forward, L_KD, backward and Adam, all on one batch
    generator  the generator's part of it
    student    a student's step on images kept from before, whose teacher logits are cached
    altered    the same, but the images are shifted, turned, scaled and sheared, and the teacher is asked again
    predict    a student's forward pass
    """

    name: str
    kind: str
    teacher: str = "lenet5"
    student: str = "lenet5-half"
    batch: int = 512
    width: int = 128
    latent: int = 100
    units: int = 1
    """Pieces of work in one measurement, so that it takes long enough."""


MOBILENET = "mobilenet-v1(multiplier=0.25,side=96,classes=2)"
"""MLPerf Tiny's, for images of 96 x 96 pixels."""


def small_network(name: str, architecture: str) -> tuple[Case, ...]:
    """A student's step and its answers, of a network that small devices run."""
    network = {"teacher": architecture, "student": architecture}
    return (Case(f"{name}-student", "student", batch=128, width=8, **network),
            Case(f"{name}-predict-1", "predict", batch=1, units=50, **network),
            Case(f"{name}-predict-256", "predict", batch=256, **network))


CASES = {case.name: case for case in (
    Case("paper-step", "step"),
    Case("fast-generator", "generator", batch=128, width=16, units=10),
    Case("fast-student", "student", batch=128, width=16, units=10),
    Case("fast-student-altered", "altered", batch=128, width=16, units=10),
    Case("mlp-step", "step", teacher="mlp-1024-1200-1200-10", student="mlp-1024-800-800-10", width=16, units=2),
    Case("resnet-step", "step", teacher="resnet34", student="resnet18", batch=128, latent=1000),
    Case("predict-1", "predict", batch=1, units=500),
    Case("predict-256", "predict", batch=256, units=20),
    *small_network("resnet8", "resnet8"),
    *small_network("resnet20", "resnet20"),
    *small_network("dscnn", "dscnn"),
    *small_network("mobilenet", MOBILENET),
)}
