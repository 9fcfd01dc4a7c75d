"""Sizes: lines of code, files too small to be one idea, arrows inside a package, dependencies."""

from __future__ import annotations

import ast
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

from structure.source import Tree, comments_and_lines, components, unit_graph

SMALL = 60


def code_lines(text: str, nodes: list[ast.AST]) -> int:
    """Count the lines of a file that hold code: no docstrings, comments, blanks or imports."""
    left_out: set[int] = set()
    for node in nodes:
        docstring = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        if docstring or isinstance(node, ast.Import | ast.ImportFrom):
            left_out.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(comments_and_lines(text)[1] - left_out)


def small_files(tree: Tree) -> list[str]:
    """Files of at most 60 lines, `__init__` apart: an import line each in others, and a hop for the reader."""
    lengths = {file: len(text.splitlines()) for file, text in tree.texts.items() if not file.endswith("__init__.py")}
    return [f"{file}: {count}" for file, count in lengths.items() if count <= SMALL]


def inner_arrows(tree: Tree, package: str) -> tuple[list[str], list[str]]:
    """Imports between the packages and modules inside a package, and those of them that lie on a cycle."""
    prefix = f"{package}/"
    files = [file for file in tree.files if file.startswith(prefix) and file != f"{prefix}__init__.py"]
    graph = unit_graph(
        {
            file.removeprefix(prefix): {o.removeprefix(prefix) for o in tree.imports(file) if o in files}
            for file in files
        }
    )
    cyclic = [group for group in components(graph) if len(group) > 1]
    arrows = [(a, b) for a, others in sorted(graph.items()) for b in sorted(others)]
    backward = [f"{a} -> {b}" for a, b in arrows if any({a, b} <= group for group in cyclic)]
    return [f"{a} -> {b}" for a, b in arrows], backward


def dependencies(project: Path) -> list[str]:
    """Packages that an installation of the core requires; none without a `pyproject.toml`."""
    if not project.exists():
        return []
    required: list[str] = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    return required


def installed_packages(required: list[str]) -> dict[str, int]:
    """Bytes of each package that these requirements bring, as installed here, without packages that are not here."""
    sizes: dict[str, int] = {}
    waiting = [Requirement(text) for text in required]
    while waiting:
        requirement = waiting.pop()
        if requirement.name in sizes or not (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            continue
        try:
            package = distribution(requirement.name)
        except PackageNotFoundError:
            continue
        files = [Path(str(file.locate())) for file in package.files or ()]
        sizes[requirement.name] = sum(file.stat().st_size for file in files if file.is_file())
        waiting += [Requirement(text) for text in package.requires or ()]
    return sizes
