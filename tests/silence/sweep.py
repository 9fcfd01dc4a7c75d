"""Sweep for silence: what should be equal is equal to the bit, and what should differ differs, or a sentence says why.

    python -m tests.silence.sweep --cases 2000 --seed 56
    python -m tests.silence.sweep --only options       # the laws whose name has a word
    python -m tests.silence.sweep --seed 56 --case 17  # one of them again

Each case draws a law, a model (bundled, or small and random) and settings from (seed, number of the case). It prints
how many cases each law had and which disagree; the exit code is 1 if any does. A case that ends with an exception of
the package's own disagrees too: cases are valid.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import chdir
from pathlib import Path

from . import filling, options, reading, roads, sampling, stopping, training, worlds  # noqa: F401  (they register laws)
from .lab import LAWS, Lab, SilentError


def draw_law(rng: random.Random, only: str | None = None) -> str:
    """Return the name of a random law."""
    names = sorted(name for name in LAWS if only is None or only in name)
    return rng.choices(names, [LAWS[name][1] for name in names])[0]


def run_case(lab: Lab, seed: int, number: int, only: str | None = None) -> tuple[str, str | None]:
    """Run a case; return its law, and why it disagrees."""
    rng = random.Random(f"{seed} {number}")
    name = draw_law(rng, only)
    try:
        with chdir(lab.folder):
            LAWS[name][0](rng, lab)
    except SilentError as error:
        return name, str(error)
    except Exception:
        return name, traceback.format_exc()
    return name, None


def main() -> None:
    """Run the cases, and print what disagrees and a table."""
    parser = argparse.ArgumentParser(description="Sweep for silent disagreements.")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="run the laws whose name has a word")
    parser.add_argument("--case", type=int, help="run this case alone")
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.cases) if arguments.case is None else [arguments.case]
    counts: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab:
        for number in numbers:
            started = time.process_time()
            name, why = run_case(lab, arguments.seed, number, arguments.only)
            counts[name] += 1
            seconds[name] += time.process_time() - started  # type: ignore[assignment]
            if why is not None:
                wrong[name] += 1
                print(f"{number} {name}: {why}", flush=True)
            if number % 100 == 99:
                print(f"{number + 1} cases, {wrong.total()} disagree", file=sys.stderr, flush=True)
    for name in sorted(counts):
        print(f"{name:36} {counts[name]:5} {wrong[name]:3} {seconds[name]:7.1f} s")
    print(f"{counts.total()} cases, {wrong.total()} disagree, {time.process_time() - begin:.0f} s of the processor")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
