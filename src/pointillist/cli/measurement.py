"""`pointillist evaluate`, `detect`, `explain` and `bench`: images under a model, and how fast it samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointillist.cli.output import print_facts, print_json, print_report, print_table
from pointillist.commands.measurement.settings import DetectSettings, EvaluateSettings, ExplainSettings
from pointillist.commands.settings import FLAG

if TYPE_CHECKING:
    from pointillist.commands.measurement.detect import Detection

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

    result = work.detect(settings)
    if settings.as_json:
        print_json(result.facts)
    else:
        _print_detection(result, settings)
    if settings.fail_on_anomaly and result.report.anomalous:
        raise typer.Exit(1)


def _print_detection(detection: Detection, settings: DetectSettings) -> None:
    rows = detection.report.sorted_rows
    lines = [
        (
            row["file"],
            f"{row['p_value']:.4f}",
            f"{row['score']:.2f}",
            f"{row['top_statistic']} {row['statistics'][row['top_statistic']]:+.1f}",
            f"{row['location'][0]}, {row['location'][1]}",
            detection.report.verdict(row),
        )
        for row in rows[: settings.top]
    ]
    print_table(("file", "p", "score", "top statistic (sd)", "row, column", ""), lines, right=(1, 2))
    if len(rows) > settings.top:
        typer.echo(f"and {len(rows) - settings.top:,} more images, less anomalous\n")
    written = [path for path in (settings.heatmaps, settings.report, settings.csv) if path is not None]
    print_facts([*detection.lines, *(("written", str(path)) for path in written)])


def explain(settings: ExplainSettings) -> None:
    """Report on one image, pixel by pixel: surprisal, distributions, attribution, what-ifs. Writes one HTML page."""
    from pointillist.commands.measurement import explain as work

    print_report(work.explain(settings, _export_page), settings.as_json)


def _export_page(model: str, page: Path) -> None:
    """Write a page that paints with a model."""
    from pointillist.studio.export.api import export

    export(model, html=page)


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
    from pointillist.commands.measurement import bench as work

    rows = work.bench(model, engines, batch_sizes, rounds)
    if as_json:
        print_json(rows)
    elif rows:
        print_table(*work.table(rows), (1, 2, 3))
