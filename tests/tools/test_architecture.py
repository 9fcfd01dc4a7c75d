"""The rules of `docs/explanation/architecture.md`, enforced: imports point down, small files, public names.

That files do not import each other in a circle is a figure of `test_structure.py`.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from types import ModuleType

import pytest

import pointillist
from tests.scripts import script

ROOT = Path(pointillist.__file__).parent

# from the bottom up; a package may import itself and packages of lower layers, never its neighbours in a layer
ROWS = [
    {"errors"},
    {"system"},
    {"files"},
    {"images"},
    {"data", "distributions", "nn", "zoo"},
    {"conditioning", "engine", "networks"},
    {"model"},
    {"compression", "sampling"},
    {"completion"},
    {"analysis"},
    {"anomaly"},
    {"training"},
    {"studio"},
    {"commands"},
    {"__main__"},
]
LEVEL = {package: level for level, row in enumerate(ROWS) for package in row}
FILES = sorted(ROOT.rglob("*.py"))


parsed = script("measure_structure").words.parsed  # once for this file and the figures of the structure


def nodes_of(path: Path) -> list[ast.AST]:
    """Every node of a file, and of the stub of a package whose names are imported when they are first used."""
    stub = path.with_suffix(".pyi")
    names = parsed(stub.read_text(encoding="utf-8")) if stub.exists() and path != ROOT / "__init__.py" else []
    return [*parsed(path.read_text(encoding="utf-8")), *names]


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Packages that a file imports, also inside functions."""
    found = set()
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and node.level:
            pytest.fail(f"{path.relative_to(ROOT)} has a relative import: write the whole name")
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pointillist"):
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("pointillist.")}
    return found


def test_imports_point_down() -> None:
    """A file imports only its own package and packages below it."""
    found = []
    for path in FILES:
        package, name = package_of(path), path.relative_to(ROOT)
        if path == ROOT / "__init__.py":
            continue
        if package not in LEVEL:
            found.append(f"{package} has no place in docs/explanation/architecture.md and ROWS")
            continue
        others = (imports_of(path) - {package}) & set(LEVEL)
        found += [f"{name} imports {other}, not below {package}" for other in others if LEVEL[other] >= LEVEL[package]]
    assert not found


def test_files_stay_small() -> None:
    """One idea a file: at most 400 lines."""
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert not {name: count for name, count in lines.items() if count > 400}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def test_public_names_exist() -> None:
    """Everything in the `__all__` of a package can be imported, and type checkers see the same names and modules."""
    packages = script("make_stubs").lazy_packages()
    assert sorted(packages) == sorted(ROOT.rglob("*.pyi"))
    for stub, homes in packages.items():
        package = importlib.import_module(module_of(stub))
        body = ast.parse(stub.read_text(encoding="utf-8")).body
        shown = {alias.name: node.module for node in body if isinstance(node, ast.ImportFrom) for alias in node.names}
        assert shown == homes, f"{stub} is out of date: run `python tools/make_stubs.py`."
        exported = next(ast.literal_eval(node.value) for node in body if isinstance(node, ast.Assign))
        assert sorted(exported) == package.__all__ == sorted(homes)
        for name in package.__all__:
            module = isinstance(getattr(package, name), ModuleType)
            assert not module or package is pointillist, f"{stub}: {name} is a module, not what the stub says"


def test_every_package_is_described() -> None:
    """`docs/explanation/architecture.md` names every package."""
    page = (ROOT.parents[1] / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    for package in LEVEL:
        if package != "__main__":
            assert f"`{package}" in page, f"docs/explanation/architecture.md does not describe {package}"


def test_protocols_can_be_checked() -> None:
    """A protocol is `runtime_checkable`: signatures that name it are checked at run time in some of the tests."""
    for path in FILES:
        for node in nodes_of(path):
            if isinstance(node, ast.ClassDef) and "Protocol" in {getattr(base, "id", "") for base in node.bases}:
                decorators = {getattr(decorator, "id", "") for decorator in node.decorator_list}
                assert "runtime_checkable" in decorators, f"{path.relative_to(ROOT)}: {node.name}"
