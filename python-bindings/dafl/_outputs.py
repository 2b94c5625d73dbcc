"""Which of the things that a model returns are its logits and features: one rule for the models of every package.

Nothing here imports a package: arrays are what has a shape, whose they may be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

NAMES = ("logits", "out", "output")
"""What the logits are called, in the order of preference, where outputs have names."""

TAKEN = ("an array [count, classes], a pair (logits, features), a list or longer tuple whose first is the logits, or a "
         f"dictionary or object that has them as {', '.join(NAMES)}")


def logits_and_second(returned: Any, output: str | int | None = None) -> tuple[Any, Any]:
    """The logits, and the other half of a plain pair, which may be features; None where there is none.

    `output` is the name or the index of the logits, where the rule of `TAKEN` would not find them. TypeError for what holds no
    array, ValueError where it takes an `output` to tell.
    """
    if output is not None:
        return _array(_named(returned, output), returned), None
    if is_array(returned):
        return returned, None
    if isinstance(returned, tuple | list) and not any(is_array(getattr(returned, name, None)) for name in NAMES):
        if not returned:
            raise ValueError(f"the teacher returned an empty {type(returned).__name__}; taken is {TAKEN}")
        second = returned[1] if isinstance(returned, tuple) and len(returned) == 2 else None
        return logits_and_second(returned[0])[0], second
    parts = _parts(returned)
    if not parts:
        raise TypeError(f"the teacher returned {_described(returned)}; taken is {TAKEN}")
    name = next((name for name in NAMES if name in parts), next(iter(parts)) if len(parts) == 1 else None)
    if name is None:
        raise ValueError(f"the teacher returned {_described(returned)}, of which none is called {' or '.join(NAMES)}: "
                         "say which has the logits with output=")
    return _array(parts[name], returned), None


def as_logits(values: Any, count: int) -> Any:
    """Logits [count, classes], also of what lost an axis of length 1 on the way or has some too many; else ValueError."""
    shape = tuple(values.shape)
    if len(shape) == 1 and "int" in str(values.dtype):
        raise ValueError(f"the teacher returned whole numbers {list(shape)}, which name classes and are no logits: return "
                         "one-hot rows [count, classes], and say answers=\"labels\"")
    if len(shape) < 2 and (count == 1 or shape == (count,)):
        return values.reshape((count, -1))
    if len(shape) > 2 and shape[0] == count and set(shape[2:]) == {1}:
        return values.reshape((count, -1))
    if len(shape) != 2 or shape[0] != count:
        raise ValueError(f"the teacher's logits for {count} images must be [{count}, n], not {list(shape)}")
    return values


def as_features(values: Any, count: int) -> Any:
    """Features [count, features], flattened from any number of axes; None for what are none, such as a loss or indices."""
    if not is_array(values) or "float" not in str(values.dtype):
        return None
    shape = tuple(values.shape)
    if len(shape) < 2 or shape[0] != count:
        return None
    return values if len(shape) == 2 else values.reshape((count, -1))


def is_array(value: Any) -> bool:
    """Whether it is an array or a tensor of some package's, and not a container of them."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _parts(returned: Any) -> dict[str, Any]:
    """The outputs of a dictionary, a dataclass or an object, by name; what is None or no array is no output."""
    if isinstance(returned, Mapping):
        found: dict[str, Any] = {str(name): value for name, value in returned.items()}
    elif dataclasses.is_dataclass(returned) and not isinstance(returned, type):
        found = {field.name: getattr(returned, field.name) for field in dataclasses.fields(returned)}
    else:
        found = {name: getattr(returned, name, None) for name in NAMES}
    return {name: value for name, value in found.items() if is_array(value)}


def _named(returned: Any, output: str | int) -> Any:
    if isinstance(output, int):
        if is_array(returned):
            parts = [returned]
        else:
            parts = list(returned.values() if isinstance(returned, Mapping) else
                         returned if isinstance(returned, tuple | list) else _parts(returned).values())
        if not -len(parts) <= output < len(parts):
            raise ValueError(f"output={output} is none of what the teacher returned: {_described(returned)}")
        return parts[output]
    found = returned.get(output) if isinstance(returned, Mapping) else getattr(returned, output, None)
    if found is None:
        raise ValueError(f"output={output!r} is none of what the teacher returned: {_described(returned)}")
    return found


def _array(value: Any, returned: Any) -> Any:
    if not is_array(value):
        raise TypeError(f"the logits in what the teacher returned, {_described(returned)}, are no array [count, classes] but "
                        f"{_described(value)}")
    return value


def _described(value: Any) -> str:
    """A value in a few words: its shape, its names, or its type."""
    if is_array(value):
        return f"an array {list(value.shape)}"
    if isinstance(value, Mapping):
        return f"a dictionary with {', '.join(map(repr, value)) or 'nothing'}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if parts := _parts(value):
        return f"{type(value).__name__} with {', '.join(parts)}"
    return type(value).__name__
