"""The formats' own libraries as judges: what they read we read, and what they refuse we refuse, but for what the tables explain.

Files are changed at random, thousands of them from one seed, so that a failure comes again.
"""

import ctypes
import json
import random
import re
import struct
from collections.abc import Callable

import numpy as np
import pytest

import dafl
from dafl._library import Handle, library

JSON = dict[str, object]


def read(data: bytes) -> str:
    """What the library has against a file; "" where it makes a network of it."""
    handle = Handle()
    status = library.dafl_network_load_memory(data, len(data), None, ctypes.byref(handle))
    library.dafl_network_destroy(handle)
    return "" if status == 0 else library.dafl_last_error().decode()


# ------------------------------------------------------------------------------------------------------- safetensors

SIZES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1,
         "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "C64": 8}
# A network without weights, and tensors of names that every network passes over: what is left to judge is the header.
NETWORK = json.dumps({"input": [3], "nodes": [{"kind": "relu"}]})
PASSED_OVER = ".num_batches_tracked"
VALUES: list[object] = [0, 1, -1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 1.0, 0.5, None, True, "", "F32", "F4", "F6_E2M3", [], {},
                        [0], [0, 4], [4, 0], {"a": 1}, {"a": "b"}, [[1]], "é", "\0"]
PIECES = [" ", "\n", "\0", ",", "{", "}", "[", "]", ":", '"', "0", "1", "-", ".", "e", "\\", "\ufeff", "/", "'"]

# That the header is fine, but no network's.
NETWORKS_OWN = ("has a tensor", "has no architecture", "the description of a network", "nodes[", "its architecture",
                "a dimension of", "the description has", "interface")

# What the judge reads and we refuse, by our message.
STRICTER = {
    "duplicate object key": "names that occur twice, of which the judge takes the last: two readers would see two files",
    "is not a JSON object of tensors": "spaces before the header's {, which the format's own document forbids",
    "is no ONNX file": "the same, where the first bytes tell what kind of file it is",
    "uses no operators": "the same",
    "has the unknown dtype": "types of less than a byte, which are no network's; the status says unsupported, not damaged",
    "JSON_ALLOW_NUL": "names with a NUL character, which end early in C",
    "too big integer": "sizes of 2^63 and more, which only a product with 0 makes fit",
}


def safetensors_file(random: random.Random) -> tuple[JSON, bytes]:
    header: JSON = {"__metadata__": {"graph": NETWORK}}
    offset = 0
    for i in range(random.randrange(4)):
        kind, shape = random.choice(list(SIZES)), [random.choice([0, 1, 2, 3]) for _ in range(random.randrange(4))]
        size = int(np.prod(shape)) * SIZES[kind]
        header[f"t{i}{PASSED_OVER}"] = {"dtype": kind, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    return header, bytes(offset)


def changed_safetensors(random: random.Random) -> bytes:
    header, data = safetensors_file(random)
    name = random.choice(list(header))
    member = header[name]
    assert isinstance(member, dict)
    text = None
    match random.randrange(7):
        case 0 | 1 if member:
            key = random.choice(list(member))
            if isinstance(member[key], list) and member[key]:
                member[key][random.randrange(len(member[key]))] = random.choice(VALUES)
            else:
                member[key] = random.choice(VALUES)
        case 2:
            member[random.choice(["more", "dtype", "shape"])] = random.choice(VALUES)
        case 3:
            data = data[:-1] if random.random() < 0.5 else data + b"\0"
        case 4 | 5:
            characters = list(json.dumps(header, separators=(",", ":")))
            for _ in range(random.randrange(1, 3)):
                place = random.randrange(len(characters))
                characters[place:place + random.randrange(2)] = random.choice(PIECES)
            text = "".join(characters)
        case 6:
            whole = json.dumps(header, separators=(",", ":"))
            twice = f"{whole[:-1]},{json.dumps(name)}:{json.dumps(member)}}}"
            text = random.choice([whole + " ", " " + whole, whole + "\n", twice])
    encoded = (text if text is not None else json.dumps(header, separators=(",", ":"))).encode()
    file = bytearray(struct.pack("<Q", len(encoded)) + encoded + data)
    if random.random() < 0.1:
        file[random.randrange(len(file))] ^= 1 << random.randrange(8)
    return bytes(file)


def test_safetensors() -> None:
    judge = pytest.importorskip("safetensors")
    chance = random.Random(1)
    counts = {"both": 0, "neither": 0, "stricter": 0}
    for _ in range(4000):
        data = changed_safetensors(chance)
        try:
            judge.deserialize(data)
            refusal = ""
        except judge.SafetensorError as error:
            refusal = str(error)
        ours = read(data)
        if any(own in ours for own in NETWORKS_OWN):
            ours = ""
        if refusal:
            assert ours, f"we read what the judge refuses: {refusal}\n{data!r}"
            counts["neither"] += 1
        elif ours:
            assert any(reason in ours for reason in STRICTER), f"the judge reads what we refuse: {ours}\n{data!r}"
            counts["stricter"] += 1
        else:
            counts["both"] += 1
    assert all(count > 100 for count in counts.values()), counts


# -------------------------------------------------------------------------------------------------------------- ONNX

# What onnx.checker refuses and we read, by its message.
LAXER = {
    r"Field '.*' of '.*' is required": "absent names and types, which mean nothing, or are plain from the numbers that are there",
    r"ir_version|IR version": "the version of the container, of which all use the same fields",
    r"in initializer but not in graph input": "a rule of old containers",
    r"Unrecognized type value case": "what is said of outputs; they are what the nodes make of them",
    r"Unrecognized attribute": "attributes that the operator does not have, of which old exporters left some behind",
    r"type field and data field mismatch": "an attribute of no type, as old files have it: what it holds tells",
    r"topologically sorted": "nodes in another order; they are computed in the right one",
    r"Required attribute 'axis'": "Concat's, which was optional in its first version",
    r"No Op registered for": "operators in files of an operator set before they were there",
    r"with schema": "inputs of other versions of the operator",
    r"not output of any previous|has been used as (graph input|output names)": "nodes that the output does not depend on",
    r"Graph must be in single static assignment": "the same",
}


def messages(message: object, found: list[tuple[object, object]]) -> list[tuple[object, object]]:
    for field, value in message.ListFields():  # type: ignore[attr-defined]
        found.append((message, field))
        if field.message_type is not None:
            for inner in value if repeated(field) else [value]:
                messages(inner, found)
    return found


def repeated(field: object) -> bool:
    own = getattr(field, "is_repeated", None)
    return own if own is not None else field.label == field.LABEL_REPEATED  # type: ignore[attr-defined]


def change_message(model: object, random: random.Random) -> None:
    """Clears, deletes, doubles, swaps or sets something, anywhere in a model."""
    message, field = random.choice(messages(model, []))
    name = field.name  # type: ignore[attr-defined]
    value = getattr(message, name)
    if random.randrange(4) == 0:
        message.ClearField(name)  # type: ignore[attr-defined]
    elif repeated(field):
        place = random.randrange(len(value))
        if random.randrange(3) == 0:
            del value[place]
        elif field.message_type is not None:  # type: ignore[attr-defined]
            if random.randrange(2):
                value.add().CopyFrom(value[place])
            else:
                copies = list(value)
                random.shuffle(copies)
                encoded = [copy.SerializeToString() for copy in copies]
                for target, data in zip(value, encoded, strict=True):
                    target.ParseFromString(data)
        else:
            value[place] = other(value[place], random)
    elif field.message_type is None:  # type: ignore[attr-defined]
        try:
            setattr(message, name, other(value, random))
        except ValueError:  # a number that is none of an enum's
            message.ClearField(name)  # type: ignore[attr-defined]


def other(value: object, random: random.Random) -> object:
    if isinstance(value, int):
        return random.choice([0, 1, -1, 2, 3, 6, 7, 11, value + 1, value - 1])
    if isinstance(value, str):
        return random.choice(["", "x", "Relu", value + "x", "ai.onnx"])
    if isinstance(value, bytes):
        return random.choice([b"", value + b"x", value[:-1], b"SAME_UPPER"])
    return random.choice([0.0, -1.0, float("nan")])


@pytest.fixture(scope="module")
def small_models() -> list[bytes]:
    """Of every kind of node, as the library writes them."""
    pytest.importorskip("onnx")
    from graphs import KINDS, description, network

    import tempfile
    from pathlib import Path
    models = []
    with tempfile.TemporaryDirectory() as folder:
        for shape, nodes in KINDS:
            path = Path(folder) / "a.onnx"
            network(description(shape, *nodes)).save(path)
            models.append(path.read_bytes())
    return [model for model in models if read(model) == ""]


def onnx_disagreements(change: Callable[[object, random.Random], None], models: list[bytes], count: int) -> dict[str, int]:
    import onnx
    chance = random.Random(2)
    counts = {"both": 0, "neither": 0, "stricter": 0, "laxer": 0}
    for _ in range(count):
        model = onnx.ModelProto.FromString(chance.choice(models))
        change(model, chance)
        data = model.SerializeToString()
        try:
            onnx.checker.check_model(data)
            refusal = ""
        except onnx.checker.ValidationError as error:
            refusal = str(error)
        ours = read(data)
        if not refusal:
            counts["stricter" if ours else "both"] += 1  # it does not look at shapes, nor at what a classifier is
        elif ours:
            counts["neither"] += 1
        else:
            counts["laxer"] += 1
            assert any(re.search(reason, refusal) for reason in LAXER), f"we read what onnx.checker refuses: {refusal}"
    return counts


def test_onnx(small_models: list[bytes]) -> None:
    assert len(small_models) > 100
    counts = onnx_disagreements(change_message, small_models, 4000)
    assert all(count > 100 for count in counts.values()), counts


def test_onnx_changed_twice(small_models: list[bytes]) -> None:
    def change(model: object, random: random.Random) -> None:
        change_message(model, random)
        change_message(model, random)

    onnx_disagreements(change, small_models, 2000)


def test_refusals_say_what_is_wrong() -> None:
    assert "safetensors" in read(struct.pack("<Q", 2**40) + b"{" + bytes(20))
    with pytest.raises(dafl.Error, match="ONNX"):
        dafl.Network.from_onnx(b"nonsense")
