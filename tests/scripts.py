"""The scripts of `tools/`, `benchmarks/` and some folders of `recipes/`, which are not packages, as modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
FOLDERS = (
    *(ROOT / "tools", ROOT / "benchmarks"),
    *(ROOT / "recipes" / name for name in ("zoo", "scenes", "hierarchy")),
)


def script(name: str) -> ModuleType:
    """Run a script anew and return it as a module."""
    (path,) = [found for folder in FOLDERS if (found := folder / f"{name}.py").is_file()]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    if str(path.parent) not in sys.path:  # as when it is run: a script may import its neighbours
        sys.path.append(str(path.parent))
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
