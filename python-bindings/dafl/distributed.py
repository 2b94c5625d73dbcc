"""Several processes that distil one student together, by an engine that they already run.

    result = dafl.distill(teacher, **dafl.distributed.torch())      # after torch.distributed.init_process_group
    result = dafl.distill(teacher, **dafl.distributed.mpi4py())     # under mpirun

Each returns the options `rank`, `ranks` and `all_reduce`. All else must be the same in every process, except `threads` and the
paths of what is written (`checkpoint`, `log`), which must not be: f"run-{rank}.dafl". Each hands out the same student; one of
them saves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._arrays import FloatArray

__all__ = ["Ranks", "mpi4py", "torch"]


class Ranks(TypedDict):
    """Options of a distillation that say which of several processes it is."""

    rank: int
    ranks: int
    all_reduce: Callable[[FloatArray], object]


def torch(group: Any = None) -> Ranks:
    """The ranks of a process group of torch.distributed, the default one where none is given.

    Of a backend that sums tensors in the processor's memory, such as gloo. It is the group's timeout that ends a run whose other
    ranks are gone.
    """
    from torch import distributed, from_numpy

    return {"rank": distributed.get_rank(group), "ranks": distributed.get_world_size(group),
            "all_reduce": lambda sums: distributed.all_reduce(from_numpy(sums), group=group)}


def mpi4py(communicator: Any = None) -> Ranks:
    """The ranks of a communicator of mpi4py, `MPI.COMM_WORLD` where none is given.

    An uncaught exception in one process leaves the others waiting, unless it was started as `python -m mpi4py`.
    """
    from mpi4py import MPI

    # A copy, so that no other message of the program comes in between.
    world = (MPI.COMM_WORLD if communicator is None else communicator).Dup()
    return {"rank": world.Get_rank(), "ranks": world.Get_size(), "all_reduce": lambda sums: world.Allreduce(MPI.IN_PLACE, sums)}
