"""The report of `sample`: images, bits/dim, seed and paths."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from pointillist.commands.report import Report
from pointillist.commands.sampling.source import TUNED
from pointillist.errors import counted

if TYPE_CHECKING:
    from pointillist.commands.sampling.writers import Totals
    from pointillist.sampling.plan import SamplePlan


def report(
    totals: Totals, plan: SamplePlan, path: Path, animate: Path | None, seconds: float, *, measure: str
) -> Report:
    """Describe the images: how many, their bits/dim and what these measure, and where they are."""
    bits, config = totals.array, plan.config
    tuned = {name: getattr(config, name) for name in TUNED}
    share = totals.sampled / totals.tries if config.rules is not None and totals.tries else None
    facts = {
        "count": len(bits),
        "bits_per_dim": float(bits.mean()),
        "lowest": float(bits.min()),
        "highest": float(bits.max()),
        **tuned,
        "seed": plan.uniforms.seed,
        "rule_acceptance": share,
        "bits_saved": None if totals.saved is None else float(totals.saved.mean()),
        "engine": config.engine,
        "order": config.order,
        "passes": totals.passes or None,
        "seconds": round(seconds, 3),
        "out": str(path),
        "animation": None if animate is None else str(animate),
    }
    spread = f", {bits.min():.4f} to {bits.max():.4f}" if len(bits) > 1 else ""
    count = counted(len(bits), "image")
    lines = [f"sampled    {count} in {seconds:.1f} s, engine {config.engine}, order {config.order}"]
    if totals.passes:
        lines.append(f"passes     {totals.passes:,} over a row of a batch, until nothing changed")
    mean = "none" if math.isnan(bits.mean()) else f"{bits.mean():.4f}{spread}"
    lines.append(f"bits/dim   {mean} ({measure})")
    if totals.saved is not None:
        saved = totals.saved
        within = f" ({saved.min():.1f} to {saved.max():.1f})" if len(saved) > 1 else ""
        lines.append(f"best of    {config.best_of}: the conditions save {saved.mean():.1f} bits an image{within}")
    if share is not None:
        lines.append(f"rules      {share:.1%} of the maps that were drawn obeyed them")
    changed = [f"{name.replace('_', '-')} {value:g}" for name, value in tuned.items() if value != 1]
    if changed:
        lines.append(f"settings   {', '.join(changed)}")
    lines += [f"seed       {plan.uniforms.seed}", f"written    {path}"]
    lines += [] if animate is None else [f"           {animate}"]
    return Report(facts, text="\n".join(lines))
