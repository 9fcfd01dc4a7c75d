"""`pointillist detect`: anomalous images, by a model of normal ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pointillist.cli.output import print_facts, print_json, print_table
from pointillist.commands.measurement.settings import DetectSettings

if TYPE_CHECKING:
    from pointillist.commands.measurement.detect import Detection

EPILOG = """Examples:

  pointillist detect runs/parts new-parts/ --fit good-parts/

  pointillist detect runs/parts new-parts/

  pointillist detect runs/parts new-parts/ --false-alarms 0.01 --heatmaps maps/ --report report.html

  pointillist detect digits scans/ --fit clean/ --detector runs/detector

  pointillist detect runs/parts new-parts/ --fail-on-anomaly --json"""


def detect(settings: DetectSettings) -> None:
    """Find anomalous images by a model of normal ones, with p-values and heat maps."""
    from pointillist.commands.measurement import detect as work

    result = work.detect(settings)
    if settings.as_json:
        print_json(result.facts)
    else:
        _print(result, settings)
    if settings.fail_on_anomaly and result.report.anomalous:
        raise typer.Exit(1)


def _print(detection: Detection, settings: DetectSettings) -> None:
    rows = detection.report.sorted_rows
    lines = [
        (
            row["file"],
            f"{row['p_value']:.4f}",
            f"{row['score']:.2f}",
            f"{row['top_statistic']} {row['statistics'][row['top_statistic']]:+.1f}",
            f"{row['location'][0]}, {row['location'][1]}",
            "anomalous" if row["pred_label"] else "",
        )
        for row in rows[: settings.top]
    ]
    print_table(("file", "p", "score", "top statistic (sd)", "row, column", ""), lines, right=(1, 2))
    if len(rows) > settings.top:
        typer.echo(f"and {len(rows) - settings.top:,} more images, less anomalous\n")
    written = [path for path in (settings.heatmaps, settings.report, settings.csv) if path is not None]
    print_facts([*detection.lines, *(("written", str(path)) for path in written)])
