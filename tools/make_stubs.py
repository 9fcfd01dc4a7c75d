"""Write the stub of each package whose names are imported when they are first used: `python tools/make_stubs.py`."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from pointillist.files import homes_of

PACKAGE = Path(__file__).parents[1] / "src" / "pointillist"


def lazy_packages() -> dict[Path, dict[str, str]]:
    """Return the module of each name of these packages, by the path of their stub."""
    result = {}
    for path in sorted(PACKAGE.rglob("__init__.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_lazy = isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("lazy_names", "homes_of")
            if is_lazy and isinstance(node.args[-1], ast.Dict):
                result[path.with_suffix(".pyi")] = homes_of(ast.literal_eval(node.args[-1]))
    return result


def main() -> None:
    """Write all stubs, in the format of ruff."""
    for stub, homes in lazy_packages().items():
        imports = [f"from {module} import {name}\n" for name, module in homes.items()]
        stub.write_text(f"{''.join(imports)}\n__all__ = {sorted(homes)}\n", encoding="utf-8")
        ruff = [sys.executable, "-m", "ruff"]
        subprocess.run([*ruff, "check", "-q", "--fix", "--select", "I,RUF022", stub], check=True)
        subprocess.run([*ruff, "format", "-q", stub], check=True)


if __name__ == "__main__":
    main()
