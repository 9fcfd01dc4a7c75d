"""The report of `sample`: images, bits/dim, seed and paths."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.commands.report import Report
from pointillist.errors import counted

if TYPE_CHECKING:
    from pointillist.commands.sampling.writers import Totals

TUNED = ("guidance", "temperature", "top_p")
"""Settings that a model has its own values of."""


def report(
    totals: Totals, settings: Mapping[str, Any], path: Path, animate: Path | None, seconds: float, *, measure: str
) -> Report:
    """Describe the images: how many, their bits/dim and what these measure, and where they are."""
    bits = totals.array
    facts = {
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
    spread = f", {bits.min():.4f} to {bits.max():.4f}" if len(bits) > 1 else ""
    count = counted(len(bits), "image")
    lines = [f"sampled    {count} in {seconds:.1f} s, engine {settings['engine']}, order {settings['order']}"]
    if totals.passes:
        lines.append(f"passes     {totals.passes:,} over a row of a batch, until nothing changed")
    mean = "none" if math.isnan(bits.mean()) else f"{bits.mean():.4f}{spread}"
    lines.append(f"bits/dim   {mean} ({measure})")
    if totals.saved is not None:
        saved = totals.saved
        within = f" ({saved.min():.1f} to {saved.max():.1f})" if len(saved) > 1 else ""
        lines.append(f"best of    {settings['best_of']}: the conditions save {saved.mean():.1f} bits an image{within}")
    share = _acceptance(totals, settings)
    if share is not None:
        lines.append(f"rules      {share:.1%} of the maps that were drawn obeyed them")
    tuned = [f"{name.replace('_', '-')} {settings[name]:g}" for name in TUNED if settings[name] != 1]
    if tuned:
        lines.append(f"settings   {', '.join(tuned)}")
    lines += [f"seed       {settings['seed']}", f"written    {path}"]
    lines += [] if animate is None else [f"           {animate}"]
    return Report(facts, text="\n".join(lines))


def _acceptance(totals: Totals, settings: Mapping[str, Any]) -> float | None:
    """Share of the maps drawn by this command that obeyed the rules; None without rules."""
    return totals.sampled / totals.tries if settings.get("rules") is not None and totals.tries else None
