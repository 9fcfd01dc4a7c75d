"""`pointillist decompress`: write the images of an archive again."""

from __future__ import annotations

import typer

from pointillist.cli.output import print_report
from pointillist.commands.archives.settings import DecompressSettings

EPILOG = """Examples:

  pointillist decompress scans.pxl --out scans/

  pointillist decompress maps.pxl --out maps.npz

  pointillist decompress damaged.pxl --out rest/ --salvage

  pointillist decompress mine.pxl --model runs/mine --out images/"""


def decompress(settings: DecompressSettings) -> None:
    """Write the images of an archive again, equal to the pixel."""
    from pointillist.commands.archives import decompress as work

    report = work.decompress(settings)
    print_report(report, settings.as_json)
    if report.facts["damage"]:
        raise typer.Exit(1)
