"""The library's failures as exceptions: one class for each status, which is also Python's own where it has one.

What a teacher or another callback raises is not among them: it comes out as itself.
"""

import errno
import os

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
RANK = -11


class Error(Exception):
    """A call of the library failed. `status` is dafl.h's number (negative), `message` its whole explanation."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        return self.message or f"libdafl status {self.status}"


class InvalidArgument(Error, ValueError):
    """An argument is out of range, not finite, or does not fit the others; the message names it, its value and the range."""


class OutOfMemory(Error, MemoryError):
    """The memory asked for is not there, or its size overflows."""


class FileError(Error, OSError):
    """A file cannot be read or written. The message begins with its path and a colon, and `filename` is the path as it was given.

    `errno` is the system's where the message ends in the system's words, such as ENOENT, else None.
    """

    def __init__(self, status: int, message: str, filename: str | bytes | None = None) -> None:
        super().__init__(status, message)
        # Not what OSError takes its first two arguments for.
        self.errno = next((number for number in errno.errorcode if message.endswith(f": {os.strerror(number)}")), None)
        self.strerror = message
        self.filename = filename


class FormatError(Error, ValueError):
    """A file is not what it should be: truncated, hostile, or of another format."""


class Unsupported(Error, NotImplementedError):
    """A valid request that this version cannot answer."""


class Busy(Error, RuntimeError):
    """The object is in use by another thread, or by the call that runs this callback."""


class TeacherError(Error):
    """The teacher's answer is not finite or missing, or its gradient is wrong. The distillation can go on."""


class Diverged(Error, ArithmeticError):
    """A network's numbers are no longer finite; a new distillation with smaller learning rates may do better."""


class Cancelled(Error):
    """`Distillation.cancel` stopped a run or a step. The distillation can go on."""


class QueriesSpent(Error):
    """A step would ask the teacher about more images than `max_teacher_queries` allow."""


class RankError(Error):
    """Another rank of the distillation failed or was stopped. It can go on with all."""


_KINDS: dict[int, type[Error]] = {
    INVALID_ARGUMENT: InvalidArgument, OUT_OF_MEMORY: OutOfMemory, IO: FileError, FORMAT: FormatError,
    UNSUPPORTED: Unsupported, BUSY: Busy, TEACHER: TeacherError, DIVERGED: Diverged, CANCELLED: Cancelled,
    QUERIES_SPENT: QueriesSpent, RANK: RankError,
}


def of_status(status: int, message: str, filename: str | bytes | None = None) -> Error:
    """The exception that a status other than 0 is raised as, where a file is at work about that file.

    A status that this package does not know is an `Error`.
    """
    if status == IO:
        return FileError(status, message, filename)
    return _KINDS.get(status, Error)(status, message)
