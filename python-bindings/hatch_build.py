"""Puts the built library into the wheel, which is then good for one platform and for any Python."""

import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARY = Path("build/lib/libdafl.so")  # below the repository's root, where `make lib` puts it


class LibraryHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "sdist":
            raise RuntimeError("dafl has no source distribution: its library is built from the whole repository. "
                               "Use `make wheel` there.")
        if version == "editable":
            return  # the package finds the library where it was built
        library = Path(self.root).parent / LIBRARY
        if not library.is_file():
            raise RuntimeError(f"{library} is missing, and the wheel is to carry it. Build it with `make lib`, which "
                               "needs Swift 6.3 (https://www.swift.org/install) and libjansson-dev.")
        build_data["force_include"][str(library)] = "dafl/lib/libdafl.so"
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
