"""Decision pages: the index lists every page, and every page has its number, sections and origin of figures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "decisions"
DECISIONS = sorted(FOLDER.glob("[0-9]*.md"))


def test_the_index_lists_every_decision() -> None:
    """Each page with its title, status and date; each earlier decision with its number, and no number left out."""
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    for path in DECISIONS:
        text = path.read_text(encoding="utf-8")
        heads = [re.search(rf"^{head}(.+)", text, re.MULTILINE) for head in ("# ", "- Status: ", "- Date: ")]
        title, status, date = (head.group(1) for head in heads if head)
        assert f"| [{title}]({path.name}) | {status} | {date[:10]} |" in index
    numbers = [int(row) for row in re.findall(r"^\| \[?(\d{4})", index, re.MULTILINE)]
    assert sorted(numbers) == list(range(1, max(numbers) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda p: p.stem)
def test_sections(path: Path) -> None:
    """A page has its number in the title, and all sections once, in order."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.name[:4]}. ")
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert sections == ["Context", "Options", "Measurement", "Decision", "Consequences"]
