"""The explanation pages: their Python runs, and the architecture stays short."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs" / "explanation").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_python_runs(page: Path) -> None:
    """Every Python block of a page, in order."""
    scope: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, page.name, "exec"), scope)


def test_architecture_is_short() -> None:
    """At most 150 lines: why things are as they are belongs to the decisions."""
    page = next(page for page in PAGES if page.name == "architecture.md")
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 150


def test_bits_of_a_picture() -> None:
    """What the page of one picture prints is what it says, and the numbers of its table are those of its code."""
    page = next(page for page in PAGES if page.name == "bits.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    scope: dict[str, dict[str, float]] = {}
    for block in blocks:
        said = re.findall(r"^print\(.*\)  # (.*)$|^# (.*)$", block, re.MULTILINE)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block, "bits.md", "exec"), scope)
        assert printed.getvalue().splitlines() == ["".join(line) for line in said]
    table = re.findall(r"^\| the model, .*? \| (?:\*\*)?([\d.]+)", page, re.MULTILINE)
    assert table == [f"{scope['cost'][who]:.1f}" for who in ("nothing", "set", "word", "both", "wrong")]
