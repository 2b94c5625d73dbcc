"""The library's failures as exceptions."""

# The numbers of dafl.h, which are pinned and never reused.
OK = 0
INVALID_ARGUMENT = -1
OUT_OF_MEMORY = -2
IO = -3
FORMAT = -4
UNSUPPORTED = -5
BUSY = -6
TEACHER = -7
DIVERGED = -8
CANCELLED = -9
QUERIES_SPENT = -10


class Error(Exception):
    """A call of the library failed. `status` is dafl.h's number (negative), `message` its whole explanation."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        return self.message or f"libdafl status {self.status}"


class Cancelled(Error):
    """`Distillation.cancel` stopped a run or a step. The distillation can go on."""
