"""`pointillist info`, `models`, `example` and `reproduce`: what there is, and what is written of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pointillist.cli.output import print_facts, print_json, print_report, print_table
from pointillist.commands.inspection.settings import (
    ExampleSettings,
    InfoSettings,
    ModelsSettings,
    ReproduceSettings,
)
from pointillist.commands.paths import reject_existing
from pointillist.commands.report import size_text

if TYPE_CHECKING:
    from pointillist.model.folder.listing import ModelSummary
    from pointillist.studio.schemas import ReproduceResult, SampleManifest

EXAMPLES = {
    "info": """
        pointillist info runs/digits
        pointillist info uci-digits
        pointillist info my-images/ --set data.size=32 --json
        pointillist info pixelcnn:small --receptive-field 12,7 --out field.png
        pointillist info gated-pixelcnn:base --program
        pointillist info icons --prompts
        pointillist info scenes --prompts
    """,
    "models": """
        pointillist models
        pointillist train DATA --model pixelcnn --preset small
    """,
    "example": """
        pointillist example
        pointillist example tile
        pointillist example digits my-digits/
    """,
    "reproduce": """
        pointillist reproduce runs/digits seven.json
        pointillist reproduce runs/digits seven.json --out seven.png
    """,
}
"""Shown at the end of the help of each command."""


def info(settings: InfoSettings) -> None:
    """Describe a model, images or an archive: sizes, conditions, training record; receptive field; sampling program."""
    from pointillist.commands.inspection import info as work

    print_report(work.info(settings), settings.as_json)


PAPER = "paper-"


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


def example(settings: ExampleSettings) -> None:
    """Write an example file to try things with: a tile, a photograph, digits, rules for maps, an extension of Tiled."""
    from pointillist.commands.inspection import examples

    written = examples.example(settings)
    if written is None:
        print_facts(examples.EXAMPLES.items())
    else:
        typer.echo(f"written    {written}")


def reproduce(settings: ReproduceSettings) -> None:
    """Sample again from a manifest, and compare with its image. Exit code 1 if they differ."""
    from pointillist.errors import ConfigError
    from pointillist.model.config import model_fingerprint
    from pointillist.model.folder.pretrained import load
    from pointillist.studio import reproduce as studio
    from pointillist.studio.schemas import LIMITS

    out = settings.out
    if out is not None and out.suffix.lower() != ".png":
        raise ConfigError(f"`--out` (={out}) must end in .png.")
    if out is not None:
        reject_existing(out, settings.force)
    record = studio.read_manifest(settings.manifest)
    loaded = load(settings.model)
    result = studio.reproduce(loaded, model_fingerprint(loaded), record, LIMITS)
    if out is not None:
        studio.write_images(loaded, result, out)
    _print_reproduced(record, result, out, settings.as_json)
    if not all(result.identical):
        raise typer.Exit(1)


def _print_reproduced(manifest: SampleManifest, reproduced: ReproduceResult, out: Path | None, as_json: bool) -> None:
    if as_json:
        print_json({**reproduced.model_dump(exclude={"images"}), "out": None if out is None else str(out)})
        return
    facts = [
        ("result", reproduced.message),
        ("model", f"{manifest.model.name}, {'the same' if reproduced.same_model else 'another'}"),
    ]
    facts += [] if out is None else [("written", str(out))]
    print_facts(facts)
