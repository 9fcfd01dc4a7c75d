"""Write `tests/long_tests.txt`: `make long-tests` times every test of `make test` and lists those that take long.

They become slow and proofs, so that `make test` stays quick and `make test-proofs` runs what it leaves out. The list is
made on an idle computer, with the compiled code of the engine in the cache: after one `make test`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from pointillist.system import describe_machine, today

LIST = Path(__file__).parents[1] / "tests" / "long_tests.txt"
LONG = 0.5
"""Seconds; on 2026-11-30 the tests above it were 335 of 5,176, and the others took 162 s in place of 441 s for all."""


class Durations:
    """A plugin that adds up the seconds of each test, without its fixtures, which others share."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the call of a test."""
        if report.when == "call":
            self.seconds[report.nodeid] += report.duration


def write(seconds: Mapping[str, float]) -> None:
    """Write the list, sorted, with its machine and date."""
    names = sorted(name for name, duration in seconds.items() if duration >= LONG)
    head = f"# Tests of {LONG} s or more, by `make long-tests`: {describe_machine()}, {today()}."
    LIST.write_text("\n".join([head, *names, ""]), encoding="utf-8")


if __name__ == "__main__":
    durations = Durations()
    done = pytest.main(["-m", "not slow or long", *sys.argv[1:]], [durations])
    if done == pytest.ExitCode.OK:
        write(durations.seconds)
    sys.exit(done)
