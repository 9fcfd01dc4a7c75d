"""`pointillist sample`: paint new images."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointillist.cli.output import Bar, print_json, refuse_existing
from pointillist.cli.settings import FLAG

if TYPE_CHECKING:
    from pointillist.cli.writers import Totals
    from pointillist.factory import PretrainedPixelModel

EPILOG = """Examples:

  pointillist sample runs/digits -n 16

  pointillist sample runs/digits -n 4 --label each --seed 1 --animate painting.gif

  pointillist sample runs/pets -n 8 --label dog,cat --temperature 0.9 --out pets.png

  pointillist sample runs/sprites -n 500 --out sprites/

  pointillist sample runs/digits -n 100000 --out digits.npz"""

_PAINT, _WRITE = "Painting", "Writing"


def sample(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a shipped name, or a hub id.")],
    n: Annotated[
        int, typer.Option("-n", min=1, metavar="N", help="How many images; of each label, if labels are given.")
    ] = 16,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL", help="Name or number, several with commas, or each for all.", rich_help_panel=_PAINT
        ),
    ] = None,
    temperature: Annotated[
        float,
        typer.Option(
            metavar="X", help="Below 1 is calmer, above is wilder; 0 takes the likeliest.", rich_help_panel=_PAINT
        ),
    ] = 1.0,
    top_p: Annotated[
        float,
        typer.Option(metavar="X", help="Keep the likeliest levels up to this probability.", rich_help_panel=_PAINT),
    ] = 1.0,
    guidance: Annotated[
        float, typer.Option(metavar="X", help="Stress the label: 0 ignores it, 1 is the model.", rich_help_panel=_PAINT)
    ] = 1.0,
    seed: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="The same seed paints the same images.", rich_help_panel=_PAINT),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Another size, 32 or 48x64, where the model allows it.", rich_help_panel=_PAINT
        ),
    ] = None,
    engine: Annotated[str, typer.Option(metavar="NAME", help="auto, step or naive.", rich_help_panel=_PAINT)] = "auto",
    batch_size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Images painted at once.", rich_help_panel=_PAINT)
    ] = 64,
    out: Annotated[
        str,
        typer.Option("--out", "-o", metavar="PATH", help="A sheet NAME.png, DIR/ or NAME.npz.", rich_help_panel=_WRITE),
    ] = "samples.png",
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="KIND", help="sheet, files or npz; else by --out.", rich_help_panel=_WRITE),
    ] = None,
    animate: Annotated[
        Path | None, typer.Option(metavar="GIF", help="Also show them being painted.", rich_help_panel=_WRITE)
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", metavar=FLAG, help="Replace what is there.", rich_help_panel=_WRITE)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", metavar=FLAG, help="Print the result as JSON.", rich_help_panel=_WRITE)
    ] = False,
) -> None:
    """Paint new images with a model."""
    # import here: help must not wait for torch
    from pointillist.cli.writers import Totals, check_target
    from pointillist.data import parse_size
    from pointillist.factory import load

    kind, path = target(out, form)
    wanted = None if size is None else parse_size(size)
    painter = load(model)
    labels = each_label(label or [], painter.config.classes, n)
    total = n if labels is None else len(labels)
    check_target(path, kind, total, painter.image, force)
    if animate is not None:
        check_animation(animate, kind, force)
    settings = {
        "n": total, "label": labels, "guidance": guidance, "temperature": temperature, "top_p": top_p,
        "seed": secrets.randbelow(2**31) if seed is None else seed, "engine": engine, "size": wanted,
        "batch_size": batch_size,
    }  # fmt: skip
    totals = Totals()
    started = time.perf_counter()
    columns = None if labels is None else sheet_columns(n, total // n)
    _write(painter, settings, totals, kind, path, animate, columns)
    report(totals, settings, path, animate, time.perf_counter() - started, as_json)


def target(out: str, form: str | None) -> tuple[str, Path]:
    """What to write, and where: by the ending of the path, or as asked.

    Raises:
        ConfigError: for another format.
    """
    from pointillist.errors import ConfigError

    path = Path(out)
    if form is None:
        folder = out.endswith(("/", "\\")) or path.is_dir() or not path.suffix
        form = "npz" if path.suffix.lower() == ".npz" else "files" if folder else "sheet"
    if form not in ("sheet", "files", "npz"):
        raise ConfigError(f"`--format` (={form!r}) must be sheet, files or npz.")
    return form, path


def each_label(given: Sequence[str], classes: Sequence[str], n: int) -> list[int] | None:
    """The label of each image: `n` times each one given, in the order given.

    Raises:
        ConfigError: if there is no such class.
    """
    from pointillist.conditioning import resolve_labels

    names: list[str] = []
    for text in given:
        if text == "each" and classes and text not in classes:
            names += classes
        else:
            names += [text] if text in classes else [part.strip() for part in text.split(",") if part.strip()]
    if not given:
        return None
    numbers: list[int] = resolve_labels(names, classes, len(names)).tolist()
    return [number for number in numbers for _ in range(n)]


def sheet_columns(n: int, labels: int) -> int | None:
    """Columns of a sheet on which the images of a label stay side by side; None where that would be too long a line."""
    if n > 24 or labels == 1:
        return None
    fitting = [n * k for k in range(1, labels + 1) if labels % k == 0]
    return min(fitting, key=lambda columns: abs(math.log(columns**2 / (1.5 * n * labels))))


def check_animation(path: Path, kind: str, force: bool) -> None:
    """Refuse an animation that could not be made.

    Raises:
        ConfigError: naming the remedy.
    """
    from pointillist.errors import ConfigError

    if kind != "sheet":
        raise ConfigError("`--animate` goes with a sheet: leave out `--out`, or give NAME.png.")
    if path.suffix.lower() != ".gif":
        raise ConfigError(f"`--animate` (={path}) must end in .gif.")
    refuse_existing(path, force)


def _write(
    painter: PretrainedPixelModel,
    settings: dict[str, Any],
    totals: Totals,
    kind: str,
    path: Path,
    animate: Path | None,
    columns: int | None,
) -> None:
    from pointillist.cli import writers
    from pointillist.sampling import stream

    classes, total, batch = painter.config.classes, settings["n"], settings["batch_size"]
    height, width = settings["size"] or (painter.image.height, painter.image.width)
    image = painter.image.resized(height, width)
    with Bar("painting", -(-total // batch) * height) as bar:
        on_row = lambda done, rows, levels: bar.show(done // batch * height + rows)  # noqa: E731
        parts = totals.through(stream(painter, **settings, on_row=on_row))
        if kind == "npz":
            writers.write_npz(path, parts, total, image, classes)
        elif kind == "files":
            writers.write_files(path, parts, total, classes)
        else:
            array = writers.write_sheet(path, parts, classes, columns)
            if animate is not None:
                from pointillist.pictures import animate as write_animation

                write_animation(array, animate, columns=columns)


def report(
    totals: Totals, settings: dict[str, Any], path: Path, animate: Path | None, seconds: float, as_json: bool
) -> None:
    """What was painted, how likely it is, and where it is."""
    bits = totals.array
    if as_json:
        print_json(
            {
                "count": len(bits),
                "bits_per_dim": float(bits.mean()),
                "lowest": float(bits.min()),
                "highest": float(bits.max()),
                "seed": settings["seed"],
                "engine": settings["engine"],
                "seconds": round(seconds, 3),
                "out": str(path),
                "animation": None if animate is None else str(animate),
            }
        )
        return
    spread = f" ({bits.min():.4f} to {bits.max():.4f})" if len(bits) > 1 else ""
    typer.echo(
        f"painted    {len(bits):,} image{'s' if len(bits) != 1 else ''} in {seconds:.1f} s, engine {settings['engine']}"
    )
    typer.echo(f"bits/dim   {bits.mean():.4f}{spread}, under the model as it is")
    typer.echo(f"seed       {settings['seed']}")
    typer.echo(f"written    {path}")
    if animate is not None:
        typer.echo(f"           {animate}")
