"""`bench`: times of whole calls of `pt.sample`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from pointillist.commands.report import note
from pointillist.errors import ConfigError, EngineError


def bench(model: str, engines: str, batch_sizes: str, rounds: int) -> list[dict[str, Any]]:
    """Time sampling by some engines; one that cannot run the model is skipped, with a note.

    Args:
        engines: names, with commas.
        batch_sizes: numbers of images of a call, with commas.
        rounds: timed calls of each, after the first.

    Raises:
        ConfigError: if a number is wrong.
        EngineError: if no engine can run the model.
    """
    from pointillist.model.folder.pretrained import load

    sizes = [part.strip() for part in batch_sizes.split(",")]
    if not all(size.isdecimal() and int(size) for size in sizes):
        raise ConfigError(f"`batch_sizes` (={batch_sizes!r}) must be positive numbers, such as 1,16.")
    loaded, rows = load(model), list[dict[str, Any]]()
    names = [part.strip() for part in engines.split(",")]
    for engine in names:
        try:
            rows += [_timed(loaded, engine, n, rounds) for n in map(int, sizes)]
        except EngineError as error:
            if engine == names[-1] and not rows:  # nothing was timed
                raise
            note(f"{engine} is skipped: {error}")
    return rows


def _timed(model: Any, engine: str, n: int, rounds: int) -> dict[str, Any]:
    first, *later = [_seconds(model, engine, n) for _ in range(rounds + 1)]
    return {"engine": engine, "n": n, "first_seconds": first, "ms_per_image": 1e3 * statistics.median(later) / n}


def _seconds(model: Any, engine: str, n: int) -> float:
    from pointillist.sampling.api import sample

    started = time.perf_counter()
    sample(model, n, seed=0, engine=engine)
    return time.perf_counter() - started


def table(rows: Sequence[dict[str, Any]]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Return the columns and cells for people."""
    cells = [(r["engine"], f"{r['n']}", f"{r['first_seconds']:.2f}", f"{r['ms_per_image']:,.1f}") for r in rows]
    return ("engine", "n", "first call, s", "ms per image"), cells
