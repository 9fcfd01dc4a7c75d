"""Files on disk: read what strangers wrote within limits, write each output whole and by one process.

Packages import their names when they are first used. The stub of such a package, `__init__.pyi`, shows the same names
to type checkers: `tools/make_stubs.py` writes it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def homes_of(names: Mapping[str, str]) -> dict[str, str]:
    """Return the module of each name, from the names of each module with spaces between them."""
    return {name: module for module, listed in names.items() for name in listed.split()}


def lazy_names(package: str, names: Mapping[str, str]) -> tuple[Callable[[str], Any], list[str]]:
    """Return the `__getattr__` and the `__all__` of a package.

    ```python
    __getattr__, __all__ = lazy_names(__name__, {"pointillist.data.options": "DataOptions parse_size"})
    ```
    """
    homes = homes_of(names)

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)  # the next look-up finds it without asking here
        return value

    return find, sorted(homes)
