"""Reads the tables of options in Swift, whose rows are also the fields of C structs and the options of the Python package."""
import re
import textwrap
from dataclasses import dataclass

WIDTH = 120
TABLES = {
    "TrainOptions": "Sources/Training/SupervisedTraining+Table.swift",
    "DistillationOptions": "Sources/Distillation/Options/DistillationOptions+Table.swift",
    "CompressionOptions": "Sources/Compression/Compression+Table.swift",
}
C_TYPES = {"whole": "int64_t", "unsigned": "uint64_t", "real": "double", "text": "const char *", "choice": "const char *"}
# C: what ctypes calls it, and what a Python program gives; None for what the package fills in by itself.
PYTHON_TYPES = {
    "int64_t": ("c_int64", "int"), "uint64_t": ("c_uint64", "int"), "double": ("c_double", "float"),
    "const char *": ("c_char_p", "str"), "const float *": ("Floats", "Any"), "const int64_t *": ("Labels", "Any"),
    "const dafl_network *": ("c_void_p", None), "void *": ("c_void_p", None), "dafl_log_fn": ("LogFunction", None),
    "dafl_all_reduce_fn": ("AllReduceFunction", "Callable[[FloatArray], object]"), "dafl_epoch_fn": ("EpochFunction", None),
    "dafl_train_step_fn": ("TrainStepFunction", None), "dafl_compression_fn": ("CompressionFunction", None),
}
ROW = re.compile(r'\.(\w+)\("(\w+)"(.*)\),$')


class Problem(Exception):
    """A declaration that has no C form, with the place where it stands."""


@dataclass
class Option:
    kind: str
    name: str
    c_type: str
    comment: str
    values: str = ""
    """Which it may have, in words."""
    initial: tuple[str, ...] = ()
    """What it is to begin with: one value, or one for each preset."""

    def sentence(self, presets):
        """What the table says of its values; `presets` says how those of two presets are written."""
        default = presets(*self.initial) if len(self.initial) > 1 else "".join(f"default {text}" for text in self.initial)
        facts = "; ".join(filter(None, [self.values, default]))
        return f" {facts[0].upper()}{facts[1:]}." if facts else ""


def table(root, path):
    """The options of a table, in its order."""
    options, comment = [], []
    for number, line in enumerate((root / path).read_text().splitlines(), 1):
        line = line.strip()
        if line.startswith("/// "):
            comment.append(line[4:])
            continue
        if row := ROW.fullmatch(line):
            try:
                options.append(option(root, row[1], row[2], [part.strip() for part in row[3].split(",")[1:]], " ".join(comment)))
            except (Problem, ValueError, IndexError) as problem:
                raise Problem(f"{path}:{number}: {problem}") from None
        elif line.startswith("."):
            raise Problem(f"{path}:{number}: a row must stand on one line")
        comment = []
    if not options:
        raise Problem(f"{path}: no options in it")
    return options


def option(root, kind, name, rest, comment):
    """A row: its kind, its name, what follows between commas, and the comment above it."""
    if not comment:
        raise Problem(f"the option '{name}' has no comment above it")
    if kind == "host":
        return Option(kind, name, rest[0].strip('"'), comment)
    if kind not in C_TYPES:
        raise Problem(f"'{kind}' is no kind of option")
    rest = rest[1:]  # without the key path
    values = ""
    if kind in ("whole", "real"):
        values = range_in_words(rest.pop(0))
    elif kind == "choice":
        names = [f'"{case}"' for case in cases(root, rest.pop(0).removesuffix(".self"))]
        values = f"{', '.join(names[:-1])} or {names[-1]}"
    return Option(kind, name, C_TYPES[kind], comment, values, tuple(map(literal, rest)))


def literal(text):
    """A literal of Swift as people write it."""
    return '"' + text.strip('."') + '"' if text[0] in '."' else text.replace("_", ",")


def range_in_words(text):
    low, high = text.split("...")
    power = re.fullmatch(r"1 << (\d+)", high)
    return f"from {low}" if high == "Int.max" else f"{low} to {f'2^{power[1]}' if power else high}"


def cases(root, name):
    """The cases of an enumeration of texts, wherever in the sources it is."""
    for path in sorted((root / "Sources").rglob("*.swift")):
        if match := re.search(rf"enum {name}: String[^{{]*\{{(.*?)\}}", path.read_text(), re.DOTALL):
            lines = re.findall(r"^\s*case ([\w, ]+?)\s*$", match[1], re.MULTILINE)
            return [case.strip() for line in lines for case in line.split(",")]
    raise Problem(f"no enumeration {name} of texts")


def c_fields(root, path):
    lines = []
    for option in table(root, path):
        text = option.comment.replace("`", "") + option.sentence(lambda fast, paper: f"{fast} | {paper}")
        wrapped = textwrap.wrap(text, WIDTH - 10, break_long_words=False, break_on_hyphens=False)
        lines.append("    /* " + "\n     * ".join(wrapped) + " */")
        lines.append("    " + option.c_type + ("" if option.c_type.endswith("*") else " ") + option.name + ";")
    return "\n".join(lines) + "\n"


MODULE = '''"""Options as C structures, and as what Python programs give.

Generated by scripts/generate-header from the tables of options in Sources. Do not edit.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import Structure, c_char_p, c_double, c_int64, c_size_t, c_uint64, c_void_p
from typing import Any, TypedDict

from ._arrays import FloatArray
from ._c_types import AllReduceFunction, CompressionFunction, EpochFunction, Floats, Labels, LogFunction, TrainStepFunction
from ._units import InputUnits
'''


def python_module(root):
    tables = {name: table(root, path) for name, path in TABLES.items()}
    text = MODULE
    for name, options in tables.items():
        text += f'\n\nclass {name}(Structure):\n    _fields_ = [\n        ("struct_size", c_size_t),\n'
        text += "".join(f'        ("{option.name}", {PYTHON_TYPES[option.c_type][0]}),\n' for option in options) + "    ]\n"
    text += '\n\nclass Options(InputUnits, total=False):\n    """How a distillation works; what is left out is the preset\'s own."""\n'
    text += keywords(tables["DistillationOptions"])
    text += '\n\nclass Ways(TypedDict, total=False):\n    """Ways to make a network smaller, and how far they go; those that are left out are not taken."""\n'
    text += keywords(tables["CompressionOptions"])
    return text


def keywords(options):
    """The items of a TypedDict, with their comments."""
    text = ""
    for option in options:
        # Python takes a network, a description or a path as the student too.
        kind = "Any" if option.name == "student" else PYTHON_TYPES[option.c_type][1]
        # Units have keywords of their own, for teachers too.
        if kind is None or (option.kind == "host" and kind == "int") or option.name in ("input_mean", "input_deviation"):
            continue
        doc = option.comment.replace("NULL", "None")
        doc += option.sentence(lambda fast, paper: f"default {fast}" if fast == paper else f'{fast}, in the preset "paper" {paper}')
        wrapped = textwrap.wrap(f'"""{doc}"""', WIDTH - 4, break_long_words=False, break_on_hyphens=False)
        text += f"\n    {option.name}: {kind}\n    " + "\n    ".join(wrapped) + "\n"
    return text
