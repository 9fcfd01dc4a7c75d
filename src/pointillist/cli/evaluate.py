"""`pointillist evaluate`: the likelihood of images under a model."""

from __future__ import annotations

from pointillist.cli.output import print_report
from pointillist.commands.measurement.settings import EvaluateSettings

EPILOG = """Examples:

  pointillist evaluate runs/digits uci-digits

  pointillist evaluate runs/digits uci-digits --split valid --no-labels

  pointillist evaluate runs/mine held-out/ --per-image nats.csv

  pointillist evaluate runs/tiles tiles/ --condition-metrics --memorization 64

  pointillist evaluate runs/tiles tiles/ --condition-metrics --guidance 0.5

  pointillist evaluate digits scans/ --code-length

  pointillist evaluate icons heart.png --captions "a heart; a star; a house"

  pointillist evaluate runs/a digits.npz --with runs/b --order average

  pointillist evaluate runs/mine held-out/ --json"""


def evaluate(settings: EvaluateSettings) -> None:
    """Evaluate a model on images it has not seen, in bits/dim and nats."""
    from pointillist.commands.measurement import evaluate as work

    print_report(work.evaluate(settings), settings.as_json)
