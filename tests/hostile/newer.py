"""Sweep the newer roads with hostile input: commands, Python, the studio, links, pages, modules, programs in C, stops.

    python -m tests.hostile.newer --cases 1500 --seed 56
    python -m tests.hostile.newer --only links         # one kind
    python -m tests.hostile.newer --seed 56 --case 17  # one case again

`sweep.py` walks all options of the commands one by one; here several odd values come together, in what was added since:
tables of cells and soft data, proportions, windows, 65,536 levels, captions, free prompts, worlds, codecs of arrays,
neighbours of a detector, addresses of pictures, and exported programs. A case fails by a traceback, an exit code other
than 0, 1 and 2, a message that is not a sentence, a status of 500, a crash, a hang, or a file that is left or cut.
"""

from __future__ import annotations

import random
import signal
import traceback
from collections.abc import Callable

from pointillist.errors import MAX_MESSAGE
from tests.sweeps import run_sweep

from .newer_commands import KINDS as COMMANDS
from .newer_programs import KINDS as PROGRAMS
from .newer_python import KINDS as PYTHON
from .newer_world import HostileError, World
from .sweep import Late, raising

SECONDS, LONGEST = 60, 900
"""Longest time of a case: of the processor, and on the clock of a busy computer."""
KINDS: dict[str, tuple[Callable[[random.Random, World], None], int]] = {**COMMANDS, **PYTHON, **PROGRAMS}
"""Kinds of cases by name, with the weight by which they are drawn."""


def run_case(world: World, seed: int, number: int, only: str | None = None) -> tuple[str, str | None]:
    """Run a case; return its kind, and why it fails."""
    rng = random.Random(f"{seed} {number}")
    names = sorted(name for name in KINDS if only is None or only in name)
    name = rng.choices(names, [KINDS[one][1] for one in names])[0]

    timers = {signal.SIGALRM: (signal.ITIMER_REAL, LONGEST), signal.SIGPROF: (signal.ITIMER_PROF, SECONDS)}
    previous = {each: signal.signal(each, raising(Late, timer)) for each, (timer, _) in timers.items()}
    for timer, seconds in timers.values():
        signal.setitimer(timer, seconds)
    try:
        KINDS[name][0](rng, world)
    except HostileError as error:
        return name, str(error)[: 2 * MAX_MESSAGE]
    except Late:
        return name, f"over {SECONDS} s of the processor, or {LONGEST} s\n{traceback.format_exc()}"
    except Exception:
        return name, traceback.format_exc()
    finally:
        for each, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(each, previous[each])
        world.clean()
    return name, None


def main() -> None:
    """Run the cases, and print each failure and a table."""
    run_sweep("Sweep the newer roads with hostile input.", 1500, "fail", World, run_case)


if __name__ == "__main__":
    main()
