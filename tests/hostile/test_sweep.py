"""The quick parts of the fuzzer of all readers, `fuzz.py`, and of the sweep of all commands, `sweep.py`."""

from __future__ import annotations

import os
import time
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import strategies as st

import pointillist as pt

from . import fuzz
from .files import damage
from .sweep import Case, fault, mixed_cases, prepare, run_case

QUICK = 24
"""Cases of `make test`."""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Case]]:
    folder = tmp_path_factory.mktemp("sweep") / "a" / "b"  # so that `../../x` lies within
    folder.mkdir(parents=True)
    return folder, prepare(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("part", range(2))
def test_every_end_is_a_sentence(cases: tuple[Path, list[Case]], part: int) -> None:
    """No traceback, no hang, no memory, and nothing left of what failed."""
    folder, chosen = cases
    step = len(chosen) // (QUICK // 2)
    failures = {str(case): why for case in chosen[part * step // 2 :: step] if (why := run_case(case, folder))}
    assert not failures


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_several_hostile_values_end_in_a_sentence(cases: tuple[Path, list[Case]]) -> None:
    """Options together, and damaged copies of models, detectors, jobs and archives."""
    folder = cases[0]
    chosen = islice(mixed_cases([*damage(folder, 0), "noise.png", "list.json", "floats.npz"], 0), QUICK)
    assert not {str(case): why for case in chosen if (why := run_case(case, folder))}


@pytest.mark.slow
def test_the_whole_sweep(cases: tuple[Path, list[Case]]) -> None:
    folder, chosen = cases
    assert not {str(case): why for case in chosen if (why := run_case(case, folder))}


def test_what_counts_as_a_failure() -> None:
    """A traceback, another exit code, half a sentence, a file that is left, time and memory."""
    case, end = (
        Case(("info", "x")),
        SimpleNamespace(exception=None, exit_code=2, output="Error: x is bad: remove it.\n"),
    )
    assert fault(case, end, 0, 1.0, []) is None
    assert fault(Case(case.words, long=True), None, 0, 1.0, []) is None
    for result, spent, left in (
        (end, 2**40, []), (end, 0, ["out"]), (None, 0, []),
        (SimpleNamespace(exception=KeyError("x"), exit_code=1, output=""), 0, []),
        (SimpleNamespace(exception=None, exit_code=3, output=""), 0, []),
        (SimpleNamespace(exception=None, exit_code=0, output="Traceback (most"), 0, []),
        (SimpleNamespace(exception=None, exit_code=2, output="Error: x is bad, so\n"), 0, []),
        (SimpleNamespace(exception=None, exit_code=2, output="x is bad.\n"), 0, []),
    ):  # fmt: skip
        assert fault(case, result, spent, 1.0, left) is not None
    assert fault(case, end, 0, 30.0, []) is not None


LONG = float(os.environ.get("POINTILLIST_FUZZ", "30"))


@pytest.mark.parametrize("seconds", [2.0, pytest.param(LONG, marks=pytest.mark.slow)])
def test_readers_accept_or_refuse(seconds: float) -> None:
    outcomes, failures = fuzz.run(seconds, start=0, cases=2 if seconds < LONG else 50)
    assert not failures, "\n\n".join(failures)
    assert sum(counts.total() for counts in outcomes.values()) > 30
    print(fuzz.table(outcomes))


def test_failures_are_found() -> None:
    """An exception of another kind, a message that is too long, and a reader that never ends."""

    def fail(data: bytes, folder: Path) -> object:
        raise KeyError("a")

    def hang(data: bytes, folder: Path) -> object:
        while True:
            pass

    def wait(data: bytes, folder: Path) -> object:
        while True:
            time.sleep(1)

    def empty(data: bytes, folder: Path) -> object:
        raise pt.DataError("")

    previous = fuzz.stop_on_signals(fuzz._stop)
    for read, words in ((fail, "KeyError"), (empty, "an empty message"), (hang, "TooSlow"), (wait, "TooSlow")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fuzz, "SECONDS", 0.2)
            patch.setattr(fuzz, "WAITING", 0.3 if read is wait else 60)
            counts, failure = fuzz.fuzz(fuzz.Reader("x", st.just(b""), read), 2, 0)
        assert counts["failed"] == 1
        assert words in str(failure)
    fuzz.stop_on_signals(*previous)
