"""Several processes distil one student together, each on images of its own, by PyTorch's engine or by MPI.

    export PYTHONPATH=python-bindings                                                        # after make lib
    python -m torch.distributed.run --standalone --nproc-per-node 2 examples/python/distil_distributed.py
    mpirun -n 2 python -m mpi4py examples/python/distil_distributed.py --engine mpi4py       # needs mpi4py
"""

import argparse
from pathlib import Path

import dafl

TEACHER = Path(__file__).resolve().parents[1] / "teachers" / "lenet5-mnist.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["torch", "mpi4py"], default="torch")
    parser.add_argument("--teacher", type=Path, default=TEACHER)
    parser.add_argument("--student", default="half")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--output", type=Path, help="where the student is written")
    options = parser.parse_args()

    if options.engine == "torch":
        from torch import distributed

        distributed.init_process_group("gloo")
        ranks = dafl.distributed.torch()
    else:
        ranks = dafl.distributed.mpi4py()

    is_first = ranks["rank"] == 0
    result = dafl.distill(dafl.Network.load(options.teacher), student=options.student, steps=options.steps, threads=1,
                          progress=is_first, **ranks)
    # Every rank has the same student; one of them writes it.
    if is_first and options.output is not None:
        result.student.save(options.output)
    print(f"rank {ranks['rank']} of {ranks['ranks']}: {result.distillation.progress.agreement:.1%} agreement, "
          f"{result.queries:,} queries, {result.seconds:.1f} s")

    if options.engine == "torch":
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
