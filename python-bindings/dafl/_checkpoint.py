"""What a checkpoint says of its run."""

from __future__ import annotations

import io
import json
import os
from ctypes import c_char_p, c_double, c_int64, c_uint64
from pathlib import Path
from typing import Any

from ._options import DistillationOptions

MAY_CHANGE = frozenset({"threads", "instruction_set", "patience", "checkpoint", "checkpoint_seconds", "checkpoint_steps"})
"""Options that may be others when a run goes on."""

GIVEN_AGAIN = frozenset({"images", "labels", "metadata_means", "metadata_deviations", "all_reduce"})
"""What a checkpoint does not hold."""

_KINDS: dict[type, type] = {c_char_p: str, c_double: float, c_int64: int, c_uint64: int}

_LONGEST_HEADER = 100_000_000


def checkpoint_options(saved: str | os.PathLike[str] | bytes) -> dict[str, Any]:
    """The options of the run that a file, or bytes, are the checkpoint of; none for what is none: the library tells why."""
    kinds = {field[0]: _KINDS[field[1]] for field in DistillationOptions._fields_ if field[1] in _KINDS}
    try:
        with io.BytesIO(saved) if isinstance(saved, bytes) else Path(saved).open("rb") as file:
            length = min(int.from_bytes(file.read(8), "little"), _LONGEST_HEADER)
            said = json.loads(file.read(length))["__metadata__"]
        return {name: kinds[name](text) for key, text in said.items()
                if key.startswith("option.") and (name := key.removeprefix("option.")) in kinds}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
