"""Names in backticks exist: `pt.x`, `model.x`, options of the command line, and paths, in pages and docstrings."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pointillist as pt

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "pointillist"
HISTORY = {"decisions", "reference", "_build"}
"""Folders of `docs` that quote the past, or are generated."""
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if not HISTORY & set(path.relative_to(ROOT).parts)),
]
SOURCES = sorted(PACKAGE.rglob("*.py"))
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
NAME = re.compile(r"(pt|pointillist|model)((?:\.(?!safetensors)\w+)+)(?![\w/])")
PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]+\.(?:py|md|toml|ipynb|js|css|html)")
OPTION = re.compile(r"(--[a-z][a-z-]+)\b")
ROOTS = (ROOT, PACKAGE, ROOT / "docs", PACKAGE / "studio", PACKAGE / "studio" / "page", PACKAGE / "engine")
PLACEHOLDERS = re.compile(
    r"^(runs|src/pointillist/zoo/NAME|maps|photos|new|scans|out|my|parts|images|scores|\.\./|\./(node_modules|my)|state|tiles|digits|step|job|many|folder)"
)
"""Folders of a user, which the pages make up."""
FOREIGN = {
    "--help",
    "--strict",
    "--nproc-per-node",
    "--nnodes",
    "--rdzv-backend",
    "--rdzv-endpoint",
    "--jaxtyping-packages",
}
"""Options of other programs."""


def docstrings(path: Path) -> Iterator[str]:
    """Yield the docstrings of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def spans(path: Path) -> set[str]:
    """List what stands between backticks in a page, outside its blocks of code, or in the docstrings of a file."""
    texts = docstrings(path) if path.suffix == ".py" else [path.read_text(encoding="utf-8")]
    return {span for text in texts for span in SPAN.findall(re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))}


@functools.cache
def model() -> pt.PixelModel:
    """Build a small model, whose attributes pages name."""
    return pt.build("pixelcnn", shape=(1, 4, 4), levels=2, preset="tiny", classes=2)


def exists(head: str, names: list[str]) -> bool:
    """Return True if a dotted name leads to an attribute, or to a field or attribute that its class declares."""
    at: object = model() if head == "model" else pt
    for name in names:
        if not hasattr(at, name):
            declared = at.__annotations__ if isinstance(at, type) and hasattr(at, "__annotations__") else {}
            return name in declared
        at = getattr(at, name)
    return True


@functools.cache
def options() -> frozenset[str]:
    """List the options of all commands, from the generated page, and those that scripts of the repository declare."""
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    for folder in ("benchmarks", "tools", "recipes", "tests/hostile"):
        text += "".join(path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.py"))
    return frozenset(re.findall(r"[`\"](--[a-z][a-z-]+)[`\"]", text)) | FOREIGN


def is_there(path: str, page: Path) -> bool:
    """Return True for a file of the repository, named from its root, the package, a folder of these, or the page."""
    return any((root / path).exists() for root in (*ROOTS, page.parent))


def unknown(page: Path) -> Iterator[str]:
    """Yield the names of a page that lead nowhere."""
    for span in sorted(spans(page)):
        if (match := NAME.match(span)) and not PATH.match(span):
            head, dotted = match[1], match[2][1:].split(".")
            if head != "pointillist" and not exists(head, dotted):
                yield f"{span}: no such attribute"
        for path in PATH.findall(span):
            if not PLACEHOLDERS.match(path) and not is_there(path, page):
                yield f"{span}: no such file"
        if page.suffix == ".md":
            yield from (
                f"{span}: no such option {option}" for option in OPTION.findall(span) if option not in options()
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_of_a_page_exist(page: Path) -> None:
    """Pages of the documentation, apart from generated ones and those that quote the past."""
    assert not list(unknown(page))


def test_names_in_docstrings_exist() -> None:
    """All files of the package."""
    assert not [f"{path.relative_to(ROOT)}: {name}" for path in SOURCES for name in unknown(path)]


def test_unknown_names_are_noticed(tmp_path: Path) -> None:
    """The checks can fail."""
    page = tmp_path / "page.md"
    page.write_text(
        "`pt.sampel(m)`, `model.in_order`, `data/texts.py`, `sample --sampel`; `pt.sample`, `model.image.levels`\n"
    )
    assert len(list(unknown(page))) == 4
