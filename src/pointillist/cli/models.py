"""`pointillist models`: list model types and pretrained models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from pointillist.cli.output import print_facts, print_json, print_table
from pointillist.commands.inspection.settings import ModelsSettings
from pointillist.commands.report import size_text

if TYPE_CHECKING:
    from pointillist.model.folder.listing import ModelSummary

PAPER = "paper-"

EPILOG = """Examples:

  pointillist models

  pointillist train DATA --model pixelcnn --preset small"""


def models(settings: ModelsSettings) -> None:
    """List the model types that can be trained, and the pretrained models of the package."""
    from dataclasses import asdict

    from pointillist.model.folder.listing import list_models as all_models
    from pointillist.zoo import list_pretrained

    summaries = all_models()
    ready = list_pretrained()
    if settings.as_json:
        trained = [{**asdict(model), "folder": str(model.folder)} for model in ready]
        print_json({"models": [asdict(summary) for summary in summaries], "pretrained": trained})
        return
    if ready:
        print_table(
            ("pretrained", "images", "size"), [(m.name, m.summary, size_text(m.bytes)) for m in ready], right=(2,)
        )
        typer.echo(f"Sample with: pointillist sample {ready[0].name} -n 8; details: pointillist info {ready[0].name}\n")
    print_facts([(summary.name, summary.summary) for summary in summaries])
    typer.echo()
    _print_sizes(summaries)
    print_facts(_takes(summaries))
    typer.echo("\nTrain one with: pointillist train DATA --model NAME --preset PRESET")
    if not ready:
        typer.echo("\nThis release has no pretrained model.")


def _print_sizes(summaries: Sequence[ModelSummary]) -> None:
    """Print numbers of parameters: a column for each of our presets, and one for the papers' presets."""
    ours = list(dict.fromkeys(preset for s in summaries for preset in s.presets if not preset.startswith(PAPER)))
    rows = []
    for summary in summaries:
        papers = [f"{name} {short(count)}" for name, count in summary.presets.items() if name.startswith(PAPER)]
        sizes = [short(summary.presets[preset]) if preset in summary.presets else "" for preset in ours]
        rows.append((summary.name, *sizes, "\n".join(papers)))
    print_table(("parameters", *ours, "of the papers"), rows, right=range(1, len(ours) + 1))
    typer.echo("Ours for 28 x 28 grey images with 256 levels, a paper's for its own images.\n")


def _takes(summaries: Sequence[ModelSummary]) -> Iterator[tuple[str, str]]:
    """Yield conditions, likelihoods and orders of models: once where most agree."""
    yield from _shared("takes", {s.name: ", ".join(s.conditions) or "nothing" for s in summaries})
    for kind in summaries[0].likelihoods:
        yield from _shared(kind, {s.name: ", ".join(s.likelihoods[kind]) or "none" for s in summaries})
    yield from _shared("orders", {s.name: ", ".join(f"{kind} (8)" for kind in s.orders) for s in summaries})


def _shared(what: str, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield a line for the most common value, and one for each model that differs."""
    usual = max(values.values(), key=list(values.values()).count)
    yield what, usual
    for name, value in values.items():
        if value != usual:
            yield "", f"{name}: {value}"


def short(count: int) -> str:
    """Format a large number with three digits: 1.04 M."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{float(f'{count / size:.3g}'):,g} {unit}"
    return str(count)
