"""Packages that dafl can work with but does not need."""

import importlib
from typing import Any


def require(module: str, package: str, wanted_by: str) -> Any:
    """The module, imported now. ImportError with the command that installs `package` when it is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.partition(".")[0] != error.name.partition(".")[0]:
            raise  # the package is there, but something that it needs is not
        raise ImportError(f"{wanted_by} needs {package}, which is not installed: pip install {package}") from error
