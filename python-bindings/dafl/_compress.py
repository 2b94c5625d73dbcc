"""A trained network made smaller, step by step, each step repaired by distillation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from ._arrays import FloatArray
from ._distill import distill
from ._options import Options, Ways
from .distillation import Distillation
from .errors import Unsupported
from .network import Network

if TYPE_CHECKING:
    from typing_extensions import Unpack

LOOKING = ("rank", "energy", "multiply_adds", "channels", "int8")
"""Ways that do better, or only can, with images."""

QUANTISATION = ("int8", "weight_bits", "equalisation", "bias_correction", "images", "threads")
"""What of a way puts a network in eight bits back on its grids, after a repair has moved it off them."""

DRAWN_WITH = ("seed", "threads", "input_mean", "input_deviation", "input_range")
"""Options of a repair that are the drawn images' too."""


def compress(network: Network, ways: Ways | Sequence[Ways], *, repair: int = 0, progress: bool = False,
             **options: Unpack[Options]) -> Network:
    """A smaller network that answers as `network` does, without data::

        small = dafl.compress(teacher, [{"prune": 0.8}, {"prune": 0.92}, {"bits": 5}], repair=300)
        small.save("small.safetensors", compressed=True)

    `ways` is what `Network.compressed` takes, or several such one after the other. Those that look at `images` get 2,048
    that the library draws, where none are given. After each, `repair` steps of distillation, with `network` as the teacher,
    teach the smaller one what it lost: pruned weights stay zero, shared ones equal, and one in eight bits is put back on its
    grids. `options` are those of the distillations; `progress` shows each on the screen. Ctrl-C ends it as KeyboardInterrupt.
    """
    if taken := options.keys() & {"student", "steps", "checkpoint"}:
        raise TypeError(f"{min(taken)} is no option of a repair: ways and repair say what it begins with, and how long it is")
    if unknown := options.keys() - Options.__annotations__.keys():
        raise TypeError(f"unknown option {min(unknown)!r}")
    if repair < 0:
        raise ValueError(f"repair must be at least 0, not {repair}")
    if not ways:
        raise ValueError("ways must say at least one")
    small = network
    eight_bits: dict[str, Any] = {}
    keeps = "nothing"
    # Drawn pictures say too little of photographs for the answers alone to repair a network that knows these.
    channels, *sides = network.info.input_shape
    start = "teacher" if channels > 1 and min(sides) > 3 else "auto"
    drawn = cache(lambda: generated(network, 2048, 2, **{name: value for name, value in options.items() if name in DRAWN_WITH}))
    for way in [ways] if isinstance(ways, Mapping) else ways:
        small = changed(small, dict(way), drawn)
        keeps = kept(way, keeps)
        if way.get("int8"):
            eight_bits = {name: value for name, value in way.items() if name in QUANTISATION}
        if repair > 0:
            settings: dict[str, Any] = {"student_learning_rate": 1e-3, "student_keeps": keeps, "student_start": start, **options}
            small = distill(network, student=small, steps=repair, progress=progress, **settings).student
            if eight_bits:
                small = changed(small, eight_bits, drawn)
    return small


def generated(network: Network, count: int, steps: int, **options: Any) -> FloatArray:
    """Images as a distillation of so many steps makes them for a teacher, in its own units, while no student learns."""
    distillation = Distillation(network, steps=steps, student_steps=0, **options)
    distillation.run()
    return distillation.generate(count, logits=False)[0]


def changed(network: Network, way: dict[str, Any], drawn: Callable[[], FloatArray]) -> Network:
    """The network after one way, which sees drawn images where it looks at some and was given none."""
    if way.get("images") is not None or not any(way.get(name) for name in LOOKING):
        return network.compressed(**way)
    try:
        return network.compressed(**way | {"images": drawn()})
    except Unsupported:
        if way.get("int8"):
            raise
        return network.compressed(**way)  # weights alone may tell enough, as of channels that no image chooses


def kept(way: Ways, before: str) -> str:
    """What a repair has to keep of a network, after a way and what was before it."""
    if way.get("bits"):
        return "values"
    return "zeros" if way.get("prune") or before == "values" else before
