"""`pointillist info`: describe a model or a data set."""

from __future__ import annotations

from pointillist.cli.output import print_report
from pointillist.commands.inspection.settings import InfoSettings

EPILOG = """Examples:

  pointillist info runs/digits

  pointillist info uci-digits

  pointillist info my-images/ --set data.size=32 --json

  pointillist info pixelcnn:small --receptive-field 12,7 --out field.png

  pointillist info gated-pixelcnn:base --program

  pointillist info icons --prompts"""


def info(settings: InfoSettings) -> None:
    """Describe a model, images or an archive: sizes, conditions, training record; receptive field; sampling program."""
    from pointillist.commands.inspection import info as work

    print_report(work.info(settings), settings.as_json)
