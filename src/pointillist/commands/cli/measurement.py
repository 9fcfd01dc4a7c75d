"""`pointillist evaluate`, `detect`, `explain` and `bench`: images under a model, and how fast it samples."""

from __future__ import annotations

from pathlib import Path

import typer

from pointillist.commands.cli.output import print_report
from pointillist.commands.measurement.settings import BenchSettings, DetectSettings, EvaluateSettings, ExplainSettings

EXAMPLES = {
    "evaluate": """
        pointillist evaluate runs/digits uci-digits
        pointillist evaluate runs/digits uci-digits --split valid --no-labels
        pointillist evaluate runs/mine held-out/ --per-image nats.csv
        pointillist evaluate runs/tiles tiles/ --condition-metrics --memorization 64
        pointillist evaluate runs/tiles tiles/ --condition-metrics --guidance 0.5
        pointillist evaluate digits scans/ --code-length
        pointillist evaluate scenes cat.png --captions "a cat on a red sofa; a dog on a red sofa; a cat on a red bed"
        pointillist evaluate runs/a digits.npz --with runs/b --order average
        pointillist evaluate runs/mine held-out/ --json
    """,
    "detect": """
        pointillist detect runs/parts new-parts/ --fit good-parts/
        pointillist detect runs/parts new-parts/
        pointillist detect runs/parts new-parts/ --false-alarms 0.01 --heatmaps maps/ --report report.html
        pointillist detect digits scans/ --fit clean/ --detector runs/detector
        pointillist detect runs/parts new-parts/ --fail-on-anomaly --json
    """,
    "explain": """
        pointillist explain digits three.png --label 3
        pointillist explain scenes cat.png --text "a cat on a red sofa" -o cat.html --maps views/
        pointillist explain runs/digits uci-digits --index 3 --calibration-images 360
        pointillist explain runs/mine photo.png --label cat --what-if 3,4=7 --json
    """,
    "bench": "pointillist bench icons --engines integer --batch-sizes 1,16,64",
}
"""Shown at the end of the help of each command."""


def evaluate(settings: EvaluateSettings) -> None:
    """Evaluate a model on images it has not seen, in bits/dim and nats."""
    from pointillist.commands.measurement import evaluate as work

    print_report(work.evaluate(settings), settings.as_json)


def detect(settings: DetectSettings) -> None:
    """Find anomalous images by a model of normal ones, with p-values and heat maps."""
    from pointillist.commands.measurement import detect as work

    facts = work.detect(settings)
    print_report(facts, settings.as_json, settings.top)
    if settings.fail_on_anomaly and facts["anomalous"]:
        raise typer.Exit(1)


def explain(settings: ExplainSettings) -> None:
    """Report on one image, pixel by pixel: surprisal, distributions, attribution, what-ifs. Writes one HTML page."""
    from pointillist.commands.measurement import explain as work

    print_report(work.explain(settings, _export_page), settings.as_json)


def _export_page(model: str, page: Path) -> None:
    from pointillist.studio.export.api import export

    export(model, html=page)


def bench(settings: BenchSettings) -> None:
    """Time whole calls of `pt.sample`, unconditional: the first call of each engine, and those after it."""
    from pointillist.commands.measurement import bench as work

    print_report(work.bench(settings), settings.as_json)
