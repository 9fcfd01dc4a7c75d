"""Fuzz every reader of files: a file is accepted or refused with one sentence, in bounded memory and time.

    python -m tests.hostile.fuzz --seconds 600      # of computing: what `make fuzz` runs
    python -m tests.hostile.fuzz --seconds 3600 --reader archives

Hypothesis damages valid files and makes structured ones. A case runs under limits of address space and time. Any
exception but the package's own is a failure, which Hypothesis reduces to the smallest file that shows it.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import transformers
from hypothesis import HealthCheck, Phase, given, seed, settings

from pointillist.errors import MAX_MESSAGE, PointillistError

from .readers import Reader, readers

MEMORY = 3 * 2**30  # bytes of address space that a case may add
SECONDS = 20  # of computing for one case
WAITING = 15 * SECONDS  # of one case on a machine that is busy with other things


class TooSlow(BaseException):
    """A case that runs longer than `SECONDS`, or waits longer than `WAITING`."""


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """Within the block, the address space may grow by `MEMORY`."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _stop(number: int, frame: object) -> None:
    raise TooSlow(f"over {SECONDS} seconds of computing, or {WAITING} in all")


def stop_on_signals(*handlers: Any) -> list[Any]:
    """Set the handler of the timers, one for both or one each; return those before."""
    signals = (signal.SIGALRM, signal.SIGPROF)
    return [signal.signal(number, handlers[i % len(handlers)]) for i, number in enumerate(signals)]


def outcome(reader: Reader, data: bytes) -> str:
    """Read a file, and return `accepted` or `refused`.

    Raises:
        AssertionError: if the message is not a single line of bounded length.
        Exception: whatever the reader must not raise.
    """
    signal.setitimer(signal.ITIMER_PROF, SECONDS, 1)  # again: in a callback it would be lost
    signal.setitimer(signal.ITIMER_REAL, WAITING, 1)
    try:
        with tempfile.TemporaryDirectory() as name:
            reader.read(data, Path(name))
    except PointillistError as error:
        message = str(error)
        assert message, "an empty message"
        assert message.isprintable(), f"not printable: {message!r}"
        assert len(message) <= MAX_MESSAGE, f"too long: {message[:200]}"
        return "refused"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return "accepted"


def fuzz(reader: Reader, cases: int, start: int) -> tuple[Counter[str], str | None]:
    """Run cases of a reader; return how they ended, and the traceback of the smallest failure."""
    counts: Counter[str] = Counter()

    @seed(start)
    @settings(
        max_examples=cases, deadline=None, database=None, derandomize=False, print_blob=True,
        suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    @given(reader.data)
    def check(data: bytes) -> None:
        counts[outcome(reader, data)] += 1

    try:
        check()
    except (Exception, TooSlow):
        counts["failed"] += 1
        return counts, traceback.format_exc()
    return counts, None


def run(
    seconds: float, start: int, cases: int = 50, only: str | None = None
) -> tuple[dict[str, Counter[str]], list[str]]:
    """Fuzz all readers in turn, or one, once and then for a time; return the counts by reader, and the failures.

    Seconds are those of computing: processors that are taken by others do not shorten a run. Ctrl-C ends it with what
    was done until then.
    """
    previous = stop_on_signals(_stop)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    outcomes, failures, end = {}, [], time.process_time() + seconds
    try:
        everything = [reader for reader in readers() if only in (None, reader.name)]
        if not everything:
            raise SystemExit(f"There is no reader {only!r}: it must be one of {[one.name for one in readers()]}.")
        outcomes = {reader.name: Counter[str]() for reader in everything}
        broken: set[str] = set()
        for turn in count(start):
            for reader in everything:
                if reader.name in broken or (turn > start and time.process_time() >= end):
                    continue
                with limits():
                    counts, failure = fuzz(reader, cases, turn)
                outcomes[reader.name] += counts
                if failure:
                    broken.add(reader.name)
                    failures.append(f"{reader.name} (seed {turn})\n{failure}")
            if time.process_time() >= end:
                break
    except KeyboardInterrupt:
        pass
    finally:
        stop_on_signals(*previous)
    return outcomes, failures


def table(outcomes: dict[str, Counter[str]]) -> str:
    """Format the counts by reader."""
    lines = ["| reader | cases | accepted | refused | failed |", "|---|---|---|---|---|"]
    for name, counts in outcomes.items():
        cells = (counts.total(), counts["accepted"], counts["refused"], counts["failed"])
        lines.append(f"| {name} | {' | '.join(f'{cell:,}' for cell in cells)} |")
    return "\n".join([*lines, f"| sum | {sum(counts.total() for counts in outcomes.values()):,} | | | |"])


def main() -> int:
    """Fuzz for the seconds asked for, and print the table; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--reader", help="fuzz one of them only")
    options = parser.parse_args()
    outcomes, failures = run(options.seconds, options.seed, only=options.reader)
    print(f"{time.process_time():.0f} seconds of computing from seed {options.seed}\n\n{table(outcomes)}")
    print("\n\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
