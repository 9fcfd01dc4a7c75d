"""`pointillist compress`, `decompress` and `export`: images and models in files that other programs read."""

from __future__ import annotations

import typer

from pointillist.commands.archives import CompressSettings, DecompressSettings
from pointillist.commands.cli.output import print_report
from pointillist.commands.inspection.settings import ExportSettings
from pointillist.commands.paths import reject_existing, reject_filled

EXAMPLES = {
    "compress": """
        pointillist compress digits scans/ --out scans.pxl
        pointillist compress runs/mine a.png b.png --out two.pxl --threads 2
        pointillist compress dungeons maps.npz --out maps.pxl
        pointillist compress digits scans/ --out - | ssh host pointillist decompress - --out scans/
    """,
    "decompress": """
        pointillist decompress scans.pxl --out scans/
        pointillist decompress maps.pxl --out maps.npz
        pointillist decompress damaged.pxl --out rest/ --salvage
        pointillist decompress mine.pxl --model runs/mine --out images/
    """,
    "export": """
        pointillist export icons --html icons.html
        pointillist export digits --c digits-in-c/
        pointillist export dungeons --js dungeons-in-js/
    """,
}
"""Shown at the end of the help of each command."""


def compress(settings: CompressSettings) -> None:
    """Compress images without loss.

    The archive holds the pixels of pictures with their names, modes and texts;
    decompress writes them as PNG. It does not hold the model, which is known by
    its fingerprint.
    """
    from pointillist.commands import archives as work

    facts = work.compress(settings)
    if facts is not None:
        print_report(facts, settings.as_json)


def decompress(settings: DecompressSettings) -> None:
    """Write the images of an archive again, equal to the pixel."""
    from pointillist.commands import archives as work

    facts = work.decompress(settings)
    print_report(facts, settings.as_json)
    if facts["damage"]:
        raise typer.Exit(1)


def export(settings: ExportSettings) -> None:
    """Write a model in a form that runs without Python, and gives the same pictures.

    A page opens from disk, offline, and asks no server. The model needs an
    integer program, as bundled and trained ones have.
    """
    from pointillist.studio.export.api import export as write

    if settings.html is not None:
        reject_existing(settings.html, settings.force)
    for folder in (settings.c, settings.js):
        if folder is not None:
            reject_filled(folder, settings.force, "files in it")
    rules = {"rules": settings.rules, "map_rules": settings.map_rules}
    result = write(settings.model, html=settings.html, c=settings.c, js=settings.js, **rules)
    facts = {"model": result.model, "license": result.license, "files": result.files}
    print_report(facts, settings.as_json)
