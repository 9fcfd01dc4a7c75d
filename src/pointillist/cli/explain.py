"""`pointillist explain`: report on one image under a model."""

from __future__ import annotations

from pathlib import Path

from pointillist.cli.output import print_report
from pointillist.commands.measurement.settings import ExplainSettings

EPILOG = """Examples:

  pointillist explain digits three.png --label 3

  pointillist explain emoji smile.png --text "a smiling face" -o smile.html --maps views/

  pointillist explain runs/digits uci-digits --index 3 --calibration-images 360

  pointillist explain runs/mine photo.png --label cat --what-if 3,4=7 --json"""


def explain(settings: ExplainSettings) -> None:
    """Report on one image, pixel by pixel: surprisal, distributions, attribution, what-ifs. Writes one HTML page."""
    from pointillist.commands.measurement import explain as work

    print_report(work.explain(settings, _export), settings.as_json)


def _export(model: str, page: Path) -> None:
    """Write a page that paints with a model."""
    from pointillist.studio.export.api import export

    export(model, html=page)
