"""Options in TOML files."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np


def read_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a TOML file says by names, such as the options of a run as `write_config` wrote them.

    An error of its parser, a ValueError, for what is no TOML."""
    parser = next((name for name in ("tomllib", "tomli") if importlib.util.find_spec(name)), None)
    if parser is None:  # Python 3.10
        raise ImportError("configurations are TOML, which needs Python 3.11 or later, or `pip install tomli`")
    with Path(path).open("rb") as file:
        said: dict[str, Any] = importlib.import_module(parser).load(file)
    return said


def write_config(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Writes text, numbers, lists of them and, after these, tables of such, as a TOML file. None is left out::

        dafl.write_config("run.toml", {"options": result.distillation.options})
        dafl.distill(teacher, **dafl.read_config("run.toml")["options"])
    """
    tables = {name: value for name, value in values.items() if isinstance(value, Mapping)}
    text = lines({name: value for name, value in values.items() if name not in tables})
    text += "".join(f"\n[{name}]\n{lines(table)}" for name, table in tables.items())
    Path(path).write_text(text, encoding="utf-8")


def lines(values: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {literal(value)}\n" for name, value in values.items() if value is not None)


def literal(value: Any) -> str:
    if isinstance(value, str | os.PathLike):
        return json.dumps(os.fspath(value), ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, Integral):
        return repr(int(value))
    if isinstance(value, Real):  # NumPy's too
        return repr(float(value))
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    raise TypeError(f"{value!r} is not what a configuration can hold")
