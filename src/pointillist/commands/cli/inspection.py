"""Commands that describe models and images: `info`, `models`, `evaluate`, `detect`, `explain`, `bench` and others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from pointillist.commands.cli.messages import print_facts, print_json, print_report
from pointillist.commands.inspection.settings import ExampleSettings, InfoSettings, ModelsSettings, ReproduceSettings
from pointillist.commands.measurement.settings import BenchSettings, DetectSettings, EvaluateSettings, ExplainSettings
from pointillist.commands.paths import reject_existing
from pointillist.commands.report import size_text

if TYPE_CHECKING:
    from pointillist.model.folder.opening import ModelSummary


def info(settings: InfoSettings) -> None:
    """Describe a model, images or an archive: sizes, conditions, training record; receptive field; sampling program.

    Examples:
        pointillist info runs/digits
        pointillist info uci-digits
        pointillist info my-images/ --set data.size=32 --json
        pointillist info pixelcnn:small --receptive-field 12,7 --out field.png
        pointillist info gated-pixelcnn:base --program
        pointillist info icons --prompts
        pointillist info scenes --prompts
    """
    from pointillist.commands.inspection import info as work

    print_report(work.info(settings), settings.as_json)


PAPER = "paper-"


def models(settings: ModelsSettings) -> None:
    """List the model types that can be trained, and the pretrained models of the package.

    Examples:
        pointillist models
        pointillist train DATA --model pixelcnn --preset small
    """
    from dataclasses import asdict

    from pointillist.model.folder.opening import list_models as all_models
    from pointillist.zoo import list_pretrained

    summaries, ready = all_models(), list_pretrained()
    if settings.as_json:
        trained = [{**asdict(model), "folder": str(model.folder)} for model in ready]
        print_json({"models": [asdict(summary) for summary in summaries], "pretrained": trained})
        return
    facts = {
        "pretrained": [{"pretrained": m.name, "images": m.summary, "size": size_text(m.bytes)} for m in ready],
        "parameters": _sizes(summaries),
        "of": "ours for 28 x 28 grey images with 256 levels, a paper's for its own images",
        **{summary.name: summary.summary for summary in summaries},
        **_takes(summaries),
        "sample": f"pointillist sample {ready[0].name} -n 8; details: pointillist info {ready[0].name}"
        if ready
        else None,
        "train": "pointillist train DATA --model NAME --preset PRESET",
    }
    print_report(facts)


def _sizes(summaries: Sequence[ModelSummary]) -> list[dict[str, str]]:
    """List numbers of parameters: a column for each of our presets, and one for the papers' presets."""
    ours = list(dict.fromkeys(preset for s in summaries for preset in s.presets if not preset.startswith(PAPER)))
    rows = []
    for summary in summaries:
        papers = [f"{name} {short(count)}" for name, count in summary.presets.items() if name.startswith(PAPER)]
        sizes = {preset: short(summary.presets[preset]) if preset in summary.presets else "" for preset in ours}
        rows.append({"parameters": summary.name, **sizes, "of the papers": "\n".join(papers)})
    return rows


def _takes(summaries: Sequence[ModelSummary]) -> dict[str, str]:
    """List conditions, likelihoods and orders of models: the most common value, and models that differ."""
    values = {"takes": {s.name: ", ".join(s.conditions) or "nothing" for s in summaries}}
    for kind in summaries[0].likelihoods:
        values[kind] = {s.name: ", ".join(s.likelihoods[kind]) or "none" for s in summaries}
    values["orders"] = {s.name: ", ".join(f"{kind} (8)" for kind in s.orders) for s in summaries}
    lines = {}
    for what, each in values.items():
        usual = max(each.values(), key=list(each.values()).count)
        lines[what] = "\n".join([usual, *(f"{name}: {value}" for name, value in each.items() if value != usual)])
    return lines


def short(count: int) -> str:
    """Format a large number with three digits: 1.04 M."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{float(f'{count / size:.3g}'):,g} {unit}"
    return str(count)


def example(settings: ExampleSettings) -> None:
    """Write an example file to try things with: a tile, a photograph, digits, rules for maps, an extension of Tiled.

    Examples:
        pointillist example
        pointillist example tile
        pointillist example digits my-digits/
    """
    from pointillist.commands.inspection import info as work

    written = work.example(settings)
    if written is None:
        print_facts(work.EXAMPLES.items())
    else:
        typer.echo(f"written    {written}")


def reproduce(settings: ReproduceSettings) -> None:
    """Sample again from a manifest, and compare with its image. Exit code 1 if they differ.

    Examples:
        pointillist reproduce runs/digits seven.json
        pointillist reproduce runs/digits seven.json --out seven.png
    """
    from pointillist.errors import ConfigError
    from pointillist.model.folder.opening import load_weights
    from pointillist.studio import reproduce as studio
    from pointillist.studio.schemas import LIMITS

    out = settings.out
    if out is not None and out.suffix.lower() != ".png":
        raise ConfigError(f"`--out` (={out}) must end in .png.")
    if out is not None:
        reject_existing(out, settings.force)
    record = studio.read_manifest(settings.manifest)
    loaded = load_weights(settings.model)
    result = studio.reproduce(loaded, loaded.fingerprint, record, LIMITS)
    if out is not None:
        studio.write_images(loaded, result, out)
    written = None if out is None else str(out)
    print_report(
        {"model": record.model.name, **result.model_dump(exclude={"images"}), "out": written}, settings.as_json
    )
    if not all(result.identical):
        raise typer.Exit(1)


def evaluate(settings: EvaluateSettings) -> None:
    """Evaluate a model on images it has not seen, in bits/dim and nats.

    Examples:
        pointillist evaluate runs/digits uci-digits
        pointillist evaluate runs/digits uci-digits --split valid --no-labels
        pointillist evaluate runs/mine held-out/ --per-image nats.csv
        pointillist evaluate runs/tiles tiles/ --condition-metrics --memorization 64
        pointillist evaluate runs/tiles tiles/ --condition-metrics --guidance 0.5
        pointillist evaluate scenes cat.png --captions "a cat on a red sofa; a dog on a red sofa; a cat on a red bed"
        pointillist evaluate runs/a digits.npz --with runs/b --order average
        pointillist evaluate runs/mine held-out/ --json
    """
    from pointillist.commands.measurement import evaluate as work

    print_report(work.evaluate(settings), settings.as_json)


def detect(settings: DetectSettings) -> None:
    """Find anomalous images by a model of normal ones, with p-values and heat maps.

    Examples:
        pointillist detect runs/parts new-parts/ --fit good-parts/
        pointillist detect runs/parts new-parts/
        pointillist detect runs/parts new-parts/ --false-alarms 0.01 --heatmaps maps/ --sheet worst.png
        pointillist detect digits scans/ --fit clean/ --detector runs/detector
        pointillist detect runs/parts new-parts/ --fail-on-anomaly --json
    """
    from pointillist.commands.measurement import detect as work

    facts = work.detect(settings)
    print_report(facts, settings.as_json, settings.top)
    if settings.fail_on_anomaly and facts["anomalous"]:
        raise typer.Exit(1)


def explain(settings: ExplainSettings) -> None:
    """Report on one image, pixel by pixel: surprisal, distributions, attribution, what-ifs. Writes one HTML page.

    Examples:
        pointillist explain digits three.png --label 3
        pointillist explain scenes cat.png --text "a cat on a red sofa" -o cat.html --maps views/
        pointillist explain runs/digits uci-digits --index 3 --calibration-images 360
        pointillist explain runs/mine photo.png --label cat --what-if 3,4=7 --json
    """
    from pointillist.commands.measurement import explain as work

    print_report(work.explain(settings), settings.as_json)


def bench(settings: BenchSettings) -> None:
    """Time whole calls of `pt.sample`, unconditional: the first call of each engine, and those after it.

    Examples:
        pointillist bench icons --engines integer --batch-sizes 1,16,64
    """
    from pointillist.commands.measurement import evaluate as work

    print_report(work.bench(settings), settings.as_json)
