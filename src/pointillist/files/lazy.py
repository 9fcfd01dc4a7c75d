"""Packages whose names are imported when they are first used, so that a part of them does not wait for torch.

The stub of such a package, `__init__.pyi`, is the table of its names: for type checkers, and for Python.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def stub_names(file: str) -> dict[str, str]:
    """Return the names that the stub of a package imports, and the module of each.

    Args:
        file: the `__file__` of the package.
    """
    stub = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in imports for alias in node.names}


def lazy_names(package: str, file: str) -> tuple[Callable[[str], Any], list[str]]:
    """Return the `__getattr__` and the `__all__` of a package, from its stub.

    ```python
    __getattr__, __all__ = lazy_names(__name__, __file__)
    ```
    """
    homes = stub_names(file)

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)  # the next look-up finds it without asking here
        return value

    return find, sorted(homes)
