"""Tolerances are derived (`tests/tolerances.py`): bare numbers in comparisons may only become fewer."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
BARE = re.compile(r"\b(?:rtol|atol|rel|abs)=\d[\d.]*(?:e-?\d+)?\b")
LEFT = {
    "anomaly/test_benchmark.py": 1,
    "anomaly/test_statistics.py": 1,
    "bench/test_measuring.py": 4,
    "cli/test_round_trips.py": 1,
    "cli/test_sample.py": 1,
    "e2e/test_queries.py": 3,
    "e2e/test_touch.py": 9,
    "laws/completion.py": 4,
    "laws/condition_contract.py": 4,
    "laws/evaluation_law.py": 1,
    "laws/likelihood.py": 6,
    "laws/recurrent.py": 2,
    "laws/samplers.py": 1,
    "laws/test_law_samplers.py": 1,
    "laws/textbook.py": 2,
    "studio/test_queries.py": 4,
    "studio/test_sampling.py": 1,
    "test_demo.py": 4,
    "test_dropout.py": 1,
    "test_likelihoods.py": 4,
    "test_mixture_values.py": 4,
    "test_nn.py": 1,
    "test_scoring.py": 1,
    "training/test_training.py": 1,
}
"""Bare numbers left in each file, from before tolerances were derived."""


def bare(text: str) -> int:
    """Count the tolerances that are plain numbers, zero excepted."""
    return sum(float(match.group().partition("=")[2]) != 0 for match in BARE.finditer(text))


def test_no_bare_tolerance_is_added() -> None:
    """Lower a count when a number goes."""
    counts = {
        path.relative_to(TESTS).as_posix(): bare(path.read_text(encoding="utf-8")) for path in TESTS.rglob("*.py")
    }
    counts = {
        name: count for name, count in counts.items() if count and name not in {"tolerances.py", "test_tolerances.py"}
    }
    assert counts == LEFT


def test_a_bare_tolerance_is_noticed() -> None:
    """The check can fail."""
    assert bare("assert_close(a, b, rtol=1e-5, atol=0)") == 1
    assert bare("approx(b, rel=rounding(a), abs=DOUBLE)") == 0
