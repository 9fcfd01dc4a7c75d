"""Ideas that stand more than once, whatever their names: what a rename cannot hide. And the size of what is not code.

callers of observe      loops over sub-pixels: calls of `.observe(`, by which an engine advances
classes with params     distributions: classes with a method or property `params`
makers of a batch       calls of the constructors of engine batches
resampling              calls of `systematic_resampling`, and definitions of `resample`
schemas of a request    classes that annotate two of guidance, temperature and top_p
uses of check           names `check_*` in code; of `isinstance`; of tables of anything
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from structure.source import Function, Tree

BATCHES = {"SampleBatch", "ParticleBatch"}
TRANSFORM = {"guidance", "temperature", "top_p"}
GOALS = {"tests: lines": 50_000, "documents: words": 150_000, "documents: pages": 120}
"""Sizes that may grow up to a goal: a feature brings its tests and its page."""


def places_of_ideas(tree: Tree) -> dict[str, list[str]]:
    """The places of each idea, as `file: what`."""
    result: dict[str, list[str]] = {
        name: []
        for name in (
            "callers of observe",
            "classes with params",
            "makers of a batch",
            "resampling",
            "schemas of a request",
            "uses of check",
            "uses of isinstance",
            "tables of anything",
        )
    }
    for file, nodes in tree.nodes.items():
        for node in nodes:
            for idea in _ideas(node):
                result[idea].append(f"{file}:{getattr(node, 'lineno', 0)}")
    return result


def _ideas(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Call):
        return _of_call(node)
    if isinstance(node, ast.ClassDef):
        return _of_class(node)
    if isinstance(node, Function) and node.name == "resample":
        return ["resampling"]
    if isinstance(node, ast.Name | ast.Attribute | Function | ast.alias):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else node.name
        return ["uses of check"] if name.startswith("check_") else []
    if isinstance(node, ast.Subscript) and ast.unparse(node) in ("dict[str, Any]", "Mapping[str, Any]"):
        return ["tables of anything"]
    return []


def _of_call(node: ast.Call) -> list[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    ideas = {"observe": "callers of observe", "isinstance": "uses of isinstance", "systematic_resampling": "resampling"}
    if name in BATCHES:
        return ["makers of a batch"]
    return [ideas[name]] if name in ideas else []


def _of_class(node: ast.ClassDef) -> list[str]:
    methods = {each.name for each in node.body if isinstance(each, Function)}
    fields = {
        each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    result = ["classes with params"] if "params" in methods else []
    return [*result, "schemas of a request"] if len(fields & TRANSFORM) > 1 else result


def sizes(project: Path) -> dict[str, int]:
    """Lines of tests, C and scripts, and words and pages of documents; those with a goal are at least the goal."""
    package, runtime = project / "src" / "pointillist", project / "runtime"
    pages = [*(project / "docs").rglob("*.md"), *(project / "docs").rglob("*.ipynb")]
    counts = {
        "tests: lines": _lines(project / "tests", "*.py"),
        "scripts of the package: lines": _lines(package, "*.js"),
        "scripts of the runtime: lines": _lines(runtime, "*.js"),
        "C: lines": _lines(runtime, "*.c") + _lines(runtime, "*.h"),
        "documents: words": sum(len(_words(path)) for path in pages),
        "documents: pages": len(pages),
    }
    return {name: max(count, GOALS.get(name, 0)) for name, count in counts.items()}


def _lines(folder: Path, pattern: str) -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in folder.rglob(pattern))


def _words(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = " ".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return re.findall(r"\S+", text)
