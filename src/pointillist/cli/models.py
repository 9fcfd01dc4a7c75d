"""`pointillist models`: what can be built, and what ships."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pointillist.cli.output import print_json, print_table, size_text
from pointillist.cli.settings import FLAG

EPILOG = """Examples:

  pointillist models

  pointillist train DATA --model pixelcnn --preset small"""


def models(as_json: Annotated[bool, typer.Option("--json", metavar=FLAG, help="Print JSON.")] = False) -> None:
    """List the models that can be trained, and those that ship with the package."""
    from pointillist.factory import models as all_models

    summaries = all_models()
    ready = shipped_models()
    if as_json:
        rows = [{"name": m.name, "summary": m.summary, "presets": m.presets} for m in summaries]
        print_json({"models": rows, "shipped": ready})
        return
    for summary in summaries:
        typer.echo(f"{summary.name}\n    {summary.summary}")
        sizes = "   ".join(f"{preset} {count:,}" for preset, count in summary.presets.items())
        typer.echo(f"    parameters   {sizes}")
    typer.echo("\nParameters are for 28 x 28 grey images with 256 levels. Train one with:")
    typer.echo("    pointillist train DATA --model NAME --preset PRESET")
    if ready:
        print_table(
            ("shipped", "model", "size"), [(r["name"], r["model"], size_text(r["bytes"])) for r in ready], right=(2,)
        )
    else:
        typer.echo("\nNo trained model ships with this release.")


def shipped_models() -> list[dict[str, Any]]:
    """Name, kind and size of each model in the package."""
    from pointillist.checkpoint import WEIGHTS, read_config
    from pointillist.factory import SHIPPED, shipped

    return [
        {
            "name": name,
            "model": read_config(SHIPPED / name)["model_type"],
            "bytes": (SHIPPED / name / WEIGHTS).stat().st_size,
        }
        for name in shipped()
    ]
