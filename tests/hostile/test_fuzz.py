"""The fuzzer of all readers: seconds in `make test`, a minute or `POINTILLIST_FUZZ` seconds in `make test-slow`."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import strategies as st

import pointillist as pt

from . import fuzz

LONG = float(os.environ.get("POINTILLIST_FUZZ", "60"))


@pytest.mark.parametrize("seconds", [2.0, pytest.param(LONG, marks=pytest.mark.slow)])
def test_readers_accept_or_refuse(seconds: float) -> None:
    outcomes, failures = fuzz.run(seconds, start=0, cases=2 if seconds < 60 else 50)
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
