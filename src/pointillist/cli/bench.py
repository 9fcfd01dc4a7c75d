"""`pointillist bench`: time sampling on this machine, by engine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from pointillist.cli.output import print_json, print_table
from pointillist.commands.settings import FLAG

EPILOG = "Example:\n\n  pointillist bench icons --engines integer --batch-sizes 1,16,64"

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A trained model, such as a folder or a bundled name.")]
Engines = Annotated[str, typer.Option(metavar="NAME,NAME", help="Engines to compare; naive takes long.")]
BatchSizes = Annotated[str, typer.Option(metavar="N,N", help="Images of one call.")]
Rounds = Annotated[int, typer.Option(metavar="N", min=1, help="Timed calls of each; the median is printed.")]
Json = Annotated[bool, typer.Option("--json", metavar=FLAG, help="Print the times as JSON.")]


def bench(
    model: Model = "digits",
    engines: Engines = "integer,numpy,torch",
    batch_sizes: BatchSizes = "1,16",
    rounds: Rounds = 5,
    as_json: Json = False,
) -> None:
    """Time whole calls of `pt.sample`, unconditional: the first call of each engine, and those after it."""
    from pointillist.errors import ConfigError, EngineError
    from pointillist.model.folder.pretrained import load
    from pointillist.sampling.api import sample

    sizes = [part.strip() for part in batch_sizes.split(",")]
    if not all(size.isdecimal() and int(size) for size in sizes):
        raise ConfigError(f"`batch_sizes` (={batch_sizes!r}) must be positive numbers, such as 1,16.")
    loaded, rows = load(model), list[dict[str, Any]]()
    for engine in (part.strip() for part in engines.split(",")):
        try:
            for n in map(int, sizes):
                first, *later = [_seconds(sample, loaded, n, seed=0, engine=engine) for _ in range(rounds + 1)]
                ms = 1e3 * statistics.median(later) / n
                rows.append({"engine": engine, "n": n, "first_seconds": first, "ms_per_image": ms})
        except EngineError as error:
            typer.echo(f"{engine} is skipped: {error}", err=True)
    if as_json:
        print_json(rows)
    elif rows:
        cells = [(r["engine"], f"{r['n']}", f"{r['first_seconds']:.2f}", f"{r['ms_per_image']:,.1f}") for r in rows]
        print_table(("engine", "n", "first call, s", "ms per image"), cells, (1, 2, 3))


def _seconds(call: Callable[..., object], *arguments: Any, **settings: Any) -> float:
    started = time.perf_counter()
    call(*arguments, **settings)
    return time.perf_counter() - started
