"""Write `src/pointillist/__init__.pyi`, by which type checkers see the names: `python tools/make_stub.py`.

The package imports each name when it is first used, from one table. A test compares the stub with the table.
"""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "pointillist"
STUB = PACKAGE / "__init__.pyi"
LINE = 120


def homes() -> dict[str, tuple[str, ...]]:
    """Return the table of the package: the module of each name. Nothing is imported."""
    for node in ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            table: dict[str, tuple[str, ...]] = ast.literal_eval(node.value)
            return table
    raise SystemExit("`src/pointillist/__init__.py` has no table `_HOMES`.")


def stub() -> str:
    """Return the text of the stub: an import of each name, and all names."""
    table = homes()
    imports = [
        _listed(f"from pointillist.{module} import ", sorted(names), *_PARENTHESES)
        for module, names in sorted(table.items())
    ]
    names = sorted(f'"{name}"' for names in table.values() for name in names)
    return "\n".join(["# Made by tools/make_stub.py: do not edit.", *imports, "", _listed("__all__ = ", names, *_LIST)])


_PARENTHESES, _LIST = ("", "", "(", ")"), ("[", "]", "[", "]")


def _listed(start: str, names: list[str], opening: str, closing: str, first: str, last: str) -> str:
    """Write names in one line, or one in each line, as ruff formats them."""
    line = f"{start}{opening}{', '.join(names)}{closing}"
    return line if len(line) <= LINE else "\n".join([f"{start}{first}", *(f"    {name}," for name in names), last])


if __name__ == "__main__":
    STUB.write_text(stub() + "\n", encoding="utf-8")
