"""PyTorch's side: torch_worker.py CASE THREADS [channels_last] [compile]."""

import sys

import torch
from torch.nn import functional as F

from cases import CASES, Case
from torch_networks import Generator, input_shape, network
from worker import serve


class Work:
    """The pieces of work of a case, by kind."""

    def __init__(self, case: Case, layout: torch.memory_format, compiles: bool) -> None:
        self.case = case
        shape = input_shape(case.student)
        teacher = network(case.teacher).eval().requires_grad_(False)
        student, generator = network(case.student), Generator(case.latent, case.width, shape[0])
        teacher, student, generator = (module.to(memory_format=layout) for module in (teacher, student, generator))
        self.generator_adam = torch.optim.Adam(generator.parameters(), 0.2, fused=True)
        self.student_adam = torch.optim.Adam(student.parameters(), 2e-3, fused=True)
        if compiles:
            teacher, student, generator = torch.compile(teacher), torch.compile(student), torch.compile(generator)
        self.teacher, self.student, self.generator = teacher, student, generator
        self.images = torch.randn(case.batch, *shape).to(memory_format=layout)
        if case.kind != "predict":
            self.kept = torch.randn(8 * case.batch, *shape).to(memory_format=layout)
            with torch.no_grad():
                self.kept_logits = torch.randn(8 * case.batch, len(teacher(self.images[:2])[0][0]))

    def generator_step(self) -> tuple[torch.Tensor, torch.Tensor]:
        images = self.generator(torch.randn(self.case.batch, self.case.latent))
        logits, features = self.teacher(images)
        mean = F.softmax(logits, 1).mean(0)
        loss = (F.cross_entropy(logits, logits.argmax(1)) - 0.1 * features.abs().mean()
                + 5 * (mean * mean.clamp_min(1e-30).log10()).sum())
        self.generator_adam.zero_grad()
        loss.backward()
        self.generator_adam.step()
        return images.detach(), logits.detach()

    def student_step(self, images: torch.Tensor, logits: torch.Tensor) -> None:
        loss = F.kl_div(F.log_softmax(self.student(images)[0], 1), F.softmax(logits, 1), reduction="batchmean")
        self.student_adam.zero_grad()
        loss.backward()
        self.student_adam.step()

    def generator_kind(self) -> None:
        self.generator_step()

    def step(self) -> None:
        self.student_step(*self.generator_step())

    def student_kind(self) -> None:
        picks = torch.randint(len(self.kept), (self.case.batch,))
        self.student_step(self.kept[picks], self.kept_logits[picks])

    def altered(self) -> None:
        images = self.kept[torch.randint(len(self.kept), (self.case.batch,))]
        maps = torch.eye(2, 3) + 0.1 * torch.randn(self.case.batch, 2, 3)
        grid = F.affine_grid(maps, images.shape, align_corners=False)
        images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
        with torch.no_grad():
            logits = self.teacher(images)[0]
        self.student_step(images, logits)

    @torch.inference_mode()
    def predict(self) -> None:
        self.student(self.images)


def main() -> None:
    case, flags = CASES[sys.argv[1]], sys.argv[3:]
    torch.set_num_threads(int(sys.argv[2]))
    torch.manual_seed(0)
    layout = torch.channels_last if "channels_last" in flags else torch.contiguous_format
    work = Work(case, layout, "compile" in flags)
    if case.kind == "predict":
        work.student.eval()
    one = {"step": work.step, "generator": work.generator_kind, "student": work.student_kind, "altered": work.altered,
           "predict": work.predict}[case.kind]
    serve(lambda: [one() for _ in range(case.units)])


main()
