"""A trained network made smaller, step by step, each step repaired by distillation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ._distill import distill
from ._options import Ways
from .network import Network

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .distillation import Options


def compress(network: Network, ways: Ways | Sequence[Ways], *, repair: int = 0, progress: bool = False,
             **options: Unpack[Options]) -> Network:
    """A smaller network that answers as `network` does, without data::

        small = dafl.compress(teacher, [{"prune": 0.8}, {"prune": 0.92}, {"bits": 5}], repair=300)
        small.save("small.safetensors", compressed=True)

    `ways` is what `Network.compressed` takes, or several such one after the other. After each, `repair` steps of distillation,
    with `network` as the teacher, teach the smaller one what it lost: pruned weights stay zero, shared ones equal. `options` are
    those of the distillations; `progress` shows each on the screen. Ctrl-C ends it as KeyboardInterrupt.
    """
    if taken := options.keys() & {"student", "steps"}:
        raise TypeError(f"{min(taken)} is no option of a repair: ways and repair say it")
    small = network
    keeps = "nothing"
    # Drawn pictures say too little of photographs for the answers alone to repair a network that knows these.
    channels, *sides = network.info.input_shape
    start = "teacher" if channels > 1 and min(sides) > 3 else "auto"
    for way in [ways] if isinstance(ways, Mapping) else ways:
        small = small.compressed(**way)
        keeps = kept(way, keeps)
        if repair > 0:
            settings: dict[str, Any] = {"student_learning_rate": 1e-3, "student_keeps": keeps, "student_start": start, **options}
            small = distill(network, student=small, steps=repair, progress=progress, **settings).student
    return small


def kept(way: Ways, before: str) -> str:
    """What a repair has to keep of a network, after a way and what was before it."""
    if way.get("bits"):
        return "values"
    return "zeros" if way.get("prune") or before == "values" else before
