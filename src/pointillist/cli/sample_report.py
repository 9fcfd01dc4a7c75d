"""The report of `pointillist sample`: images, bits/dim, seed and paths, in words or as JSON."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pointillist.cli.output import print_json
from pointillist.errors import counted

if TYPE_CHECKING:
    from pointillist.cli.writers import Totals


TUNED = ("guidance", "temperature", "top_p")


def report(
    totals: Totals,
    settings: dict[str, Any],
    path: Path,
    animate: Path | None,
    seconds: float,
    *,
    measure: str,
    as_json: bool,
) -> None:
    """Print the number of images, their bits/dim and what these measure, and where the images are."""
    bits = totals.array
    if as_json:
        print_json(
            {
                "count": len(bits),
                "bits_per_dim": float(bits.mean()),
                "lowest": float(bits.min()),
                "highest": float(bits.max()),
                **{name: settings[name] for name in TUNED},
                "seed": settings["seed"],
                "rule_acceptance": _acceptance(totals, settings),
                "bits_saved": None if totals.saved is None else float(totals.saved.mean()),
                "engine": settings["engine"],
                "order": settings["order"],
                "passes": totals.passes or None,
                "seconds": round(seconds, 3),
                "out": str(path),
                "animation": None if animate is None else str(animate),
            }
        )
        return
    spread = f", {bits.min():.4f} to {bits.max():.4f}" if len(bits) > 1 else ""
    count = counted(len(bits), "image")
    typer.echo(f"sampled    {count} in {seconds:.1f} s, engine {settings['engine']}, order {settings['order']}")
    if totals.passes:
        typer.echo(f"passes     {totals.passes:,} over a row of a batch, until nothing changed")
    if math.isnan(bits.mean()):
        typer.echo(f"bits/dim   none ({measure})")
    else:
        typer.echo(f"bits/dim   {bits.mean():.4f}{spread} ({measure})")
    if totals.saved is not None:
        saved = totals.saved
        within = f" ({saved.min():.1f} to {saved.max():.1f})" if len(saved) > 1 else ""
        typer.echo(f"best of    {settings['best_of']}: the conditions save {saved.mean():.1f} bits an image{within}")
    share = _acceptance(totals, settings)
    if share is not None:
        typer.echo(f"rules      {share:.1%} of the maps that were drawn obeyed them")
    tuned = [f"{name.replace('_', '-')} {settings[name]:g}" for name in TUNED if settings[name] != 1]
    if tuned:
        typer.echo(f"settings   {', '.join(tuned)}")
    typer.echo(f"seed       {settings['seed']}")
    typer.echo(f"written    {path}")
    if animate is not None:
        typer.echo(f"           {animate}")


def _acceptance(totals: Totals, settings: dict[str, Any]) -> float | None:
    """Share of the maps drawn by this command that obeyed the rules; None without rules."""
    return totals.sampled / totals.tries if settings.get("rules") is not None and totals.tries else None
