"""Ranks of one distillation, as threads of this process with a barrier for an engine, and as processes with real ones."""
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import dafl

RUN = {"student": "mlp-256-8-4", "steps": 30, "batch_size": 16, "student_steps": 2, "replay_capacity": 64, "restart_steps": 5,
         "generator_width": 4, "latent_size": 8, "threads": 1}
TEACHER = "mlp-256-16-4"

NORMED = """{"input": [1, 16, 16], "nodes": [
  {"kind": "convolution", "outputs": 4, "kernel": 3, "stride": 2}, {"kind": "batch_norm"}, {"kind": "relu"}, {"kind": "flatten"},
  {"kind": "linear", "outputs": 4}]}"""


class Engine:
    """Sums over threads, in the order of their ranks."""

    def __init__(self, ranks):
        self.barrier = threading.Barrier(ranks, timeout=20)
        self.given = [None] * ranks
        self.counts = []

    def all_reduce(self, rank):
        def summed(sums):
            self.given[rank] = sums.copy()
            self.barrier.wait()
            total = sum(self.given[1:], start=self.given[0].copy())
            self.barrier.wait()
            sums[:] = total
            if rank == 0:
                self.counts.append(len(sums))

        return summed


def together(ranks, body, engine=None):
    """What `body(rank, options)` returns or raises, for each rank in a thread of its own."""
    engine = engine or Engine(ranks)
    results = [None] * ranks

    def run(rank):
        try:
            results[rank] = body(rank, {"rank": rank, "ranks": ranks, "all_reduce": engine.all_reduce(rank)})
        except BaseException as error:
            results[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(ranks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def weights(network):
    return b"".join(values.tobytes() for values in network.state_dict().values())


def made(own, **changed):
    """The run of one rank, which says in `own` which it is."""
    return dafl.Distillation(dafl.Network(TEACHER, seed=1), **RUN | own | changed)


def distilled(ranks, engine=None, **changed):
    def body(rank, own):
        result = dafl.distill(dafl.Network(TEACHER, seed=1), progress=False, **RUN | changed | own)
        return weights(result.student), result

    return together(ranks, body, engine)


def test_one_rank_is_the_run_without():
    alone = dafl.distill(dafl.Network(TEACHER, seed=1), progress=False, **RUN)
    assert distilled(1)[0][0] == weights(alone.student)


@pytest.mark.parametrize("changed", [
    {}, {"generators": "shared"}, {"image_source": "procedural"}, {"image_source": "generator", "generators": "shared"},
    {"image_source": "noise", "replay_capacity": 0}, {"max_teacher_queries": 500}, {"mimic_weight": 0.1}, {"student": NORMED},
], ids=str)
def test_all_ranks_hand_out_the_same_student_each_time(changed):
    engine = Engine(3)
    first = distilled(3, engine, **changed)
    assert len({student for student, _ in first}) == 1
    assert distilled(3, **changed)[0][0] == first[0][0]
    assert len(set(engine.counts[1:])) == 1, "an exchange is like another, but for the first"
    alone = dafl.distill(dafl.Network(TEACHER, seed=1), progress=False, **RUN | changed)
    assert weights(alone.student) != first[0][0]


def test_ranks_see_other_images_unless_they_share_a_generator():
    shared, own = (distilled(2, image_source="generator", generators=kind) for kind in ("shared", "own"))
    for runs, are_same in ((shared, True), (own, False)):
        generators = [weights(result.distillation.generator()) for _, result in runs]
        # Statistics of a generator are of each rank's own noise, and averaged.
        assert (generators[0] == generators[1]) is are_same


def test_a_rank_that_fails_ends_the_step_for_all_and_nothing_is_lost():
    """Of a network as functions, which teaches as the network itself."""
    def failing(network, is_failing):
        calls = 0

        def forward(images):
            nonlocal calls
            calls += 1
            if is_failing and calls % 97 == 0:
                raise OSError("the line is down")
            return network.predict(images)

        return dafl.Teacher(forward, input_shape=network.info.input_shape, classes=4)

    expected = distilled(2)[0][0]
    for is_failing in (False, True):
        kinds = []

        def body(rank, own):
            teacher = failing(dafl.Network(TEACHER, seed=1), is_failing and rank == 1)
            run = dafl.Distillation(teacher, **RUN | own)
            while run.progress.step < run.progress.steps:
                try:
                    run.run()
                except (OSError, dafl.RankError) as error:
                    kinds.append((rank, type(error).__name__, str(error)))
            return weights(run.student())

        students = together(2, body)
        assert isinstance(students[0], bytes), students
        assert students[0] == students[1]
        assert students[0] == expected
    assert {(0, "RankError"), (1, "OSError")} == {(rank, kind) for rank, kind, _ in kinds}
    assert any("rank 1 of 2 failed or was stopped" in text for rank, _, text in kinds if rank == 0)


def test_stopping_and_cancelling_one_rank_ends_all():
    def stopped(rank, own):
        run = made(own)
        ended = []
        for way in ("stop", "raise", "cancel"):
            def on_step(progress, way=way):
                if rank == 1 and progress.step % 5 == 0:
                    if way == "raise":
                        raise LookupError("enough")
                    if way == "cancel":
                        run.cancel()
                    return way == "cancel"
                return True

            try:
                run.run(on_step)
                ended.append("stopped")
            except Exception as error:
                ended.append(type(error).__name__)
        run.run()
        return ended, weights(run.student())

    (first, student), (second, other) = together(2, stopped)
    assert first == ["RankError"] * 3 and second == ["stopped", "LookupError", "Cancelled"]
    assert student == other == distilled(2)[0][0]


@pytest.mark.parametrize(("changed", "error", "part"), [
    (lambda rank: {"seed": rank}, dafl.InvalidArgument, "options are not the same on all 2 ranks"),
    (lambda rank: {"batch_size": 16 + rank}, dafl.InvalidArgument, "options are not the same"),
    (lambda rank: {"rank": 0}, dafl.InvalidArgument, "the number of runs with the rank 0 is 2"),
    (lambda rank: {"student": f"mlp-256-{8 + rank}-4"}, dafl.InvalidArgument, "students, or the weights"),
    (lambda rank: {"student": dafl.Network("mlp-256-8-4", seed=rank)}, dafl.InvalidArgument, "students, or the weights"),
    (lambda rank: {"input_mean": rank}, dafl.InvalidArgument, "teachers, or the units of their inputs"),
    (lambda rank: {"all_reduce": lambda sums: sums + 1}, dafl.InvalidArgument, "all_reduce replaces what it is given"),
    (lambda rank: {"all_reduce": lambda sums: sums.fill(float("nan"))}, dafl.RankError, "all_reduce returned nan"),
])
def test_ranks_of_different_runs_are_refused(changed, error, part):
    def body(rank, own):
        dafl.distill(dafl.Network(TEACHER, seed=1), progress=False, **RUN | own | changed(rank))

    for ended in together(2, body):
        assert isinstance(ended, error) and part in str(ended)


@pytest.mark.parametrize(("given", "error", "part"), [
    ({"ranks": 2}, dafl.InvalidArgument, "all_reduce is NULL"),
    ({"ranks": 0}, dafl.InvalidArgument, "ranks is 0"),
    ({"rank": 1}, dafl.InvalidArgument, "rank is 1; it must be below ranks, 1"),
    ({"ranks": 2, "all_reduce": lambda sums: None, "checkpoint": "x.dafl"}, dafl.InvalidArgument, "checkpoint_steps"),
])
def test_ranks_that_cannot_be_are_refused(given, error, part):
    with pytest.raises(error, match=part):
        dafl.distill(dafl.Network(TEACHER, seed=1), progress=False, **RUN | given)


def test_an_engine_that_fails_comes_out_as_itself_and_is_not_asked_again():
    def lost(sums):
        raise TimeoutError("no answer from rank 1")

    run = made({"ranks": 2, "all_reduce": lost})
    with pytest.raises(TimeoutError, match="no answer"):
        run.run()
    with pytest.raises(dafl.RankError, match="go on from checkpoints"):
        run.run()


def test_a_rank_whose_run_cannot_be_made_is_no_hang_and_may_try_again():
    def body(rank, own):
        if rank == 1:
            with pytest.raises(dafl.InvalidArgument, match="nothing"):
                made(own, student="nothing")
        run = made(own)
        if rank == 0:
            with pytest.raises(dafl.RankError, match="rank 1 of 2"):
                run.run()
        run.run()
        return weights(run.student())

    assert together(2, body) == [distilled(2)[0][0]] * 2


def test_stopping_after_the_last_step_waits_for_nobody():
    def body(rank, own):
        run = made(own)
        run.run(lambda progress: rank == 0 or progress.step < progress.steps)
        return weights(run.student())

    students = together(2, body)
    assert students[0] == students[1] == distilled(2)[0][0]


def test_one_rank_without_queries_ends_the_run_of_all():
    def body(rank, own):
        run = made(own, max_teacher_queries=500)
        if rank == 1:
            run.generate(100)
        run.run()
        return run.progress.step, weights(run.student())

    first, second = together(2, body)
    assert first == second and first[0] < RUN["steps"]


def test_ctrl_c_while_others_are_waited_for_is_heard_after_the_sum():
    """Of one rank in the main thread; the others hear that it stops, and all go on together."""
    engine, ended = Engine(2), []

    def go(rank, interrupt):
        sums = 0

        def all_reduce(floats):
            nonlocal sums
            sums += 1
            if interrupt and sums == 20:
                signal.raise_signal(signal.SIGINT)
            engine.all_reduce(rank)(floats)

        run = made({"rank": rank, "ranks": 2, "all_reduce": all_reduce})
        while run.progress.step < run.progress.steps:
            try:
                run.run()
            except (KeyboardInterrupt, dafl.RankError) as error:
                ended.append(type(error))
        return weights(run.student())

    others = []
    thread = threading.Thread(target=lambda: others.append(go(1, False)))
    thread.start()
    student = go(0, True)
    thread.join()
    assert set(ended) == {KeyboardInterrupt, dafl.RankError}
    assert [student] == others == [distilled(2)[0][0]]


def test_ranks_go_on_from_their_checkpoints(tmp_path):
    def body(rank, own):
        first = made(own)
        first.run(lambda progress: progress.step < 12)
        saved = first.to_bytes()
        second = dafl.Distillation.load(saved, dafl.Network(TEACHER, seed=1), all_reduce=own["all_reduce"])
        second.run()
        return weights(second.student())

    assert together(2, body) == [distilled(2)[0][0]] * 2


def test_checkpoints_of_different_steps_are_refused():
    def body(rank, own):
        first = made(own)
        saved = first.to_bytes()
        first.run(lambda progress: progress.step < 5)
        mixed = saved if rank else first.to_bytes()
        dafl.Distillation.load(mixed, dafl.Network(TEACHER, seed=1), all_reduce=own["all_reduce"]).run()

    for ended in together(2, body):
        assert isinstance(ended, dafl.InvalidArgument) and "steps done are not the same" in str(ended)


EXAMPLE = Path(__file__).parents[2] / "examples" / "python" / "distil_distributed.py"
ENGINES = {
    "torch": [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(EXAMPLE)],
    "mpi4py": ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "4", sys.executable, "-m", "mpi4py", str(EXAMPLE),
               "--engine", "mpi4py"],
}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_example_runs_on_real_engines(engine, tmp_path):
    pytest.importorskip(engine)
    if engine == "mpi4py" and shutil.which("mpirun") is None:
        pytest.skip("mpirun is not installed")
    teacher = tmp_path / "teacher.safetensors"
    dafl.Network(TEACHER, seed=1).save(teacher)
    asked = ["--teacher", teacher, "--student", "mlp-256-8-4", "--steps", "60"]
    students = []
    for number in range(2):
        path = tmp_path / f"student{number}.safetensors"
        done = subprocess.run([*ENGINES[engine], *asked, "--output", path], capture_output=True, text=True, timeout=300,
                              env=os.environ | {"OMPI_MCA_rmaps_base_oversubscribe": "1"})
        assert done.returncode == 0, done.stderr
        students.append(hashlib.sha256(path.read_bytes()).hexdigest())
    assert students[0] == students[1]
