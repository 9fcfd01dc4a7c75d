"""The explanation pages: their Python runs, and the architecture stays short."""

from __future__ import annotations

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
