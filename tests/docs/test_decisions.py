"""Decision pages: the indexes are current, and every page has its number, sections and origin of figures."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("folder", ["decisions", "experiments"])
def test_the_index_is_current(folder: str) -> None:
    """`python tools/make_decisions_index.py` would change nothing."""
    index = runpy.run_path(str(ROOT / "tools" / "make_decisions_index.py"))["index"]
    page = ROOT / "docs" / folder / "index.md"
    assert page.read_text(encoding="utf-8") == index(folder), "run `python tools/make_decisions_index.py`"


def test_numbers_have_no_gap() -> None:
    """Pages are numbered from 0001, each number once."""
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda p: p.stem)
def test_sections(path: Path) -> None:
    """A page has its number in the title, and all sections once, in order."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.name[:4]}. ")
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert sections == ["Context", "Options", "Measurement", "Decision", "Consequences"]
