"""Sweep for silence: what should be equal is equal to the bit, and what should differ differs, or a sentence says why.

    python -m tests.silence.sweep --cases 2000 --seed 56
    python -m tests.silence.sweep --only options       # the laws whose name has a word
    python -m tests.silence.sweep --seed 56 --case 17  # one of them again

Each case draws a law, a model (bundled, or small and random) and settings from (seed, number of the case). It prints
how many cases each law had and which disagree; the exit code is 1 if any does. A case that ends with an exception of
the package's own disagrees too: cases are valid.
"""

from __future__ import annotations

import random
import traceback
from contextlib import chdir

from tests.sweeps import run_sweep

from . import filling, forms, options, roads, sampling  # noqa: F401  (they register laws)
from .lab import LAWS, Lab, NothingComparedError, SilentError


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
    except NothingComparedError:
        return f"{name}: nothing compared", None
    except Exception:
        return name, traceback.format_exc()
    return name, None


def main() -> None:
    """Run the cases, and print what disagrees and a table."""
    run_sweep("Sweep for silent disagreements.", 2000, "disagree", Lab, run_case)


if __name__ == "__main__":
    main()
