"""Tolerances are derived (`tests/tolerances.py`): no comparison has a bare number."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
BARE = re.compile(r"\b(?:rtol|atol|rel|abs)=\d[\d.]*(?:e-?\d+)?\b(?! \*)")


def bare(text: str) -> int:
    """Count the tolerances that are plain numbers, but for zero and the factors of derived ones."""
    return sum(float(match.group().partition("=")[2]) != 0 for match in BARE.finditer(text))


def test_no_tolerance_is_bare() -> None:
    """Each is derived, or a constant with its reason."""
    counts = {
        path.relative_to(TESTS).as_posix(): bare(path.read_text(encoding="utf-8"))
        for path in TESTS.rglob("*.py")
        if path.name not in {"tolerances.py", "test_tolerances.py"}
    }
    assert not {name: count for name, count in counts.items() if count}


def test_a_bare_tolerance_is_noticed() -> None:
    """The check can fail."""
    assert bare("assert_close(a, b, rtol=1e-5, atol=0)") == 1
    assert bare("approx(b, rel=rounding(a), abs=DOUBLE)") == bare("approx(b, abs=2 * printed(3))") == 0
