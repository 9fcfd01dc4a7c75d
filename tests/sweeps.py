"""The loop of a sweep: cases of a seed, each failure as it is found, and a table at the end."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

Place = TypeVar("Place")
"""What the cases of a sweep share."""


def run_sweep(
    description: str,
    cases: int,
    fail: str,
    place: Callable[[Path], AbstractContextManager[Place]],
    run_case: Callable[[Place, int, int, str | None], tuple[str, str | None]],
) -> None:
    """Run the cases of the command line, print each failure and a table, and exit with 1 if any fails.

    Args:
        cases: number of cases without `--cases`.
        fail: verb of a failure, in the table.
        place: opens what cases share, in a folder.
        run_case: runs a case by its seed, number and `--only`; returns its kind, and why it fails.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cases", type=int, default=cases)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="run the kinds whose name has a word")
    parser.add_argument("--case", type=int, help="run this case alone")
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.cases) if arguments.case is None else [arguments.case]
    counts: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    seconds: defaultdict[str, float] = defaultdict(float)
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder, place(Path(folder)) as opened:
        for number in numbers:
            started = time.process_time()
            name, why = run_case(opened, arguments.seed, number, arguments.only)
            counts[name] += 1
            seconds[name] += time.process_time() - started
            if why is not None:
                failed[name] += 1
                print(f"{number} {name}: {why}", flush=True)
            if number % 100 == 99:
                print(f"{number + 1} cases, {failed.total()} {fail}", file=sys.stderr, flush=True)
    for name in sorted(counts):
        print(f"{name:36} {counts[name]:5} {failed[name]:3} {seconds[name]:7.1f} s")
    print(f"{counts.total()} cases, {failed.total()} {fail}, {time.process_time() - begin:.0f} s of the processor")
    sys.exit(bool(failed))
