"""`pointillist decompress`: write the images of an archive again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pointillist.cli.compress import STANDARD, Json
from pointillist.cli.output import print_facts, print_json, reject_existing
from pointillist.cli.settings import FLAG
from pointillist.files.progress import Bar

EPILOG = """Examples:

  pointillist decompress scans.pxl --out scans/

  pointillist decompress maps.pxl --out maps.npz

  pointillist decompress damaged.pxl --out rest/ --salvage

  pointillist decompress mine.pxl --model runs/mine --out images/"""

Source = Annotated[str, typer.Argument(metavar="PXL", help="An archive that compress wrote, or - for standard input.")]
Out = Annotated[str, typer.Option("--out", "-o", metavar="DIR|NPZ", help="A folder for PNG files, or NAME.npz.")]
Model = Annotated[
    str | None, typer.Option(metavar="MODEL", help="The model. Default: the bundled one that has the fingerprint.")
]
Salvage = Annotated[
    bool, typer.Option("--salvage", metavar=FLAG, help="Write what is whole of a damaged archive; exits with 1.")
]
Threads = Annotated[int | None, typer.Option(min=1, metavar="N", help="Threads.")]
Force = Annotated[bool, typer.Option("--force", metavar=FLAG, help="Replace existing files.")]


def decompress(
    archive: Source,
    out: Out,
    model: Model = None,
    salvage: Salvage = False,
    threads: Threads = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write the images of an archive again, equal to the pixel."""
    from pointillist.compression.archive import Archive
    from pointillist.compression.extract import extract
    from pointillist.errors import ConfigError
    from pointillist.files.batch_output import output_lock
    from pointillist.system import available_cores

    path = Path(out)
    is_array = path.suffix.lower() == ".npz"
    if is_array:
        reject_existing(path, force)
    elif path.suffix and not path.is_dir():
        raise ConfigError(f"`--out` (={out}) must be a folder or end in .npz: give DIR/ or NAME.npz.")
    elif path.exists() and any(path.iterdir()) and not force:
        raise ConfigError(f"{out} is not empty: add `--force` to write into it, or give a new folder.")
    source = sys.stdin.buffer if archive == STANDARD else Path(archive)
    count = 0 if archive == STANDARD else len(Archive(archive, model))
    with output_lock(path), Bar("decompressing", count) as bar:
        result = extract(source, path, model, salvage=salvage, threads=threads or available_cores(), on_image=bar.show)
    facts = {
        "images": result.written,
        "lost": result.lost,
        "damage": [str(error) for error in result.damage],
        "out": out,
    }
    if as_json:
        print_json(facts)
    else:
        lost_count = f"{result.lost:,} images or more" if result.lost else "an unknown number of images"
        reasons = "\n".join([lost_count, *map(str, result.damage)])
        lost = [("lost", reasons)] if result.damage else []
        written = [("written", out)] if result.written else []
        print_facts([("images", f"{result.written:,}"), *lost, *written])
    if result.damage:
        raise typer.Exit(1)
