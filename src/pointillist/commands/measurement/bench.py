"""`bench`: times of whole calls of `pt.sample`."""

from __future__ import annotations

import statistics
import time
from typing import Any

from pointillist.commands.measurement.settings import BenchSettings
from pointillist.commands.report import Facts, note
from pointillist.errors import ConfigError, EngineError


def bench(settings: BenchSettings) -> Facts:
    """Time sampling by some engines; one that cannot run the model is skipped, with a note.

    Raises:
        ConfigError: if a number is wrong.
        EngineError: if no engine can run the model.
    """
    from pointillist.model.folder.opening import load_weights

    sizes = [part.strip() for part in settings.batch_sizes.split(",")]
    if not all(size.isdecimal() and int(size) for size in sizes):
        raise ConfigError(f"`batch_sizes` (={settings.batch_sizes!r}) must be positive numbers, such as 1,16.")
    loaded, rows = load_weights(settings.model), list[Facts]()
    names = [part.strip() for part in settings.engines.split(",")]
    for engine in names:
        try:
            rows += [_timed(loaded, engine, n, settings.rounds) for n in map(int, sizes)]
        except EngineError as error:
            if engine == names[-1] and not rows:  # nothing was timed
                raise
            note(f"{engine} is skipped: {error}")
    return {"times": rows}


def _timed(model: Any, engine: str, n: int, rounds: int) -> Facts:
    first, *later = [_seconds(model, engine, n) for _ in range(rounds + 1)]
    return {"engine": engine, "n": n, "first_seconds": first, "ms_per_image": 1e3 * statistics.median(later) / n}


def _seconds(model: Any, engine: str, n: int) -> float:
    from pointillist.sampling.api import sample

    started = time.perf_counter()
    sample(model, n, seed=0, engine=engine)
    return time.perf_counter() - started
