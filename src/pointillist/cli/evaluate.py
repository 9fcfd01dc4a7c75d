"""`pointillist evaluate`: the likelihood of images under a model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointillist.cli import evaluation_report as report
from pointillist.cli.hierarchy import evaluate_hierarchy, is_hierarchy, reject_options
from pointillist.cli.output import QUANTIZE_HELP, print_json, quantized, reject_existing
from pointillist.cli.settings import FLAG
from pointillist.files.progress import Bar

if TYPE_CHECKING:
    pass

EPILOG = """Examples:

  pointillist evaluate runs/digits uci-digits

  pointillist evaluate runs/digits uci-digits --split valid --no-labels

  pointillist evaluate runs/mine held-out/ --per-image nats.csv

  pointillist evaluate runs/tiles tiles/ --condition-metrics --memorization 64

  pointillist evaluate runs/tiles tiles/ --condition-metrics --guidance 0.5

  pointillist evaluate digits scans/ --code-length

  pointillist evaluate runs/mine held-out/ --json"""

_METRICS = "Condition metrics"


def _metric(*flags: str, value: str = FLAG, text: str, low: int | None = None) -> Any:
    return typer.Option(*flags, metavar=value, help=text, rich_help_panel=_METRICS, min=low)


Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a bundled name, or hf:USER/MODEL.")]
Data = Annotated[str, typer.Argument(metavar="DATA", help="Images, as for train; read as the model's own kind.")]
Split = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="train, valid, test or all. Default: test, else valid, else all."),
]
MaxImages = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Evaluate at most N images, drawn at random with seed 0.")
]
BatchSize = Annotated[int, typer.Option(min=1, metavar="N", help="Images at once; the result does not change.")]
PerImage = Annotated[
    Path | None,
    typer.Option(metavar="CSV", help="Also write nats and bits/dim of each image, with its file where it has one."),
]
Json = Annotated[bool, typer.Option("--json", metavar=FLAG, help="Print JSON, and nothing else, on stdout.")]
Text = Annotated[str | None, typer.Option(metavar="PROMPT", help="Condition every image on this prompt.")]
ConditionMetrics = Annotated[
    bool, _metric("--condition-metrics", text="Bits saved by each condition, Bayes classification, caption retrieval.")
]
Candidates = Annotated[
    int, _metric("--retrieval-candidates", value="N", text="Captions to rank, the true one included.", low=2)
]
Repeats = Annotated[
    int, _metric("--retrieval-repeats", value="N", text="Draws of the other captions; 0 ranks none.", low=0)
]
Memorization = Annotated[int, _metric(value="N", text="Compare N samples with training images.", low=0)]
Precision = Annotated[
    str, _metric(value="NAME", text="fp32, or bf16 (half the time), of these metrics. Bits/dim are always fp32.")
]
CodeLength = Annotated[
    bool,
    typer.Option("--code-length", metavar=FLAG, help="Also compress the images, and count the real bytes."),
]
NoLabels = Annotated[bool, typer.Option("--no-labels", metavar=FLAG, help="Do not condition on labels.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a data setting, such as data.size=32; repeatable."),
]
Device = Annotated[str, typer.Option(metavar="NAME", help="cpu, cuda, or auto.")]
Order = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Pixel generation order; average (over its orders, exact), or each. Default: its first."
    ),
]
Guidance = Annotated[
    float, typer.Option(metavar="X", help="Evaluate the guided distribution with scale X (0 = unconditional, 1 = off).")
]
Quantize = Annotated[str | None, typer.Option(metavar="KIND", help=QUANTIZE_HELP)]
Engine = Annotated[str, typer.Option(metavar="NAME", help="exact evaluates the integer model.")]
Force = Annotated[bool, typer.Option("--force", metavar=FLAG, help="Replace an existing CSV.")]


def evaluate(
    model: Model,
    data: Data,
    split: Split = None,
    max_images: MaxImages = None,
    batch_size: BatchSize = 64,
    per_image: PerImage = None,
    as_json: Json = False,
    no_labels: NoLabels = False,
    text: Text = None,
    sets: Sets = None,
    device: Device = "auto",
    order: Order = None,
    guidance: Guidance = 1.0,
    condition_metrics: ConditionMetrics = False,
    retrieval_candidates: Candidates = 50,
    retrieval_repeats: Repeats = 1,
    memorization: Memorization = 0,
    precision: Precision = "fp32",
    quantize: Quantize = None,
    engine: Engine = "auto",
    code_length: CodeLength = False,
    force: Force = False,
) -> None:
    """Evaluate a model on images it has not seen, in bits/dim and nats."""
    if is_hierarchy(model):
        reject_options(
            "evaluate",
            {
                "--no-labels": no_labels, "--text": text, "--order": order, "--guidance": guidance != 1,
                "--condition-metrics": condition_metrics, "--memorization": memorization, "--quantize": quantize,
                "--engine": engine != "auto", "--code-length": code_length, "--precision": precision != "fp32",
            },
        )  # fmt: skip
        evaluate_hierarchy(
            model, data, split, max_images, sets or [], batch_size=batch_size, device=device, per_image=per_image,
            as_json=as_json, force=force,
        )  # fmt: skip
        return
    import torch

    from pointillist.data import load_data
    from pointillist.distributions.transform import check_guidance
    from pointillist.errors import ConfigError
    from pointillist.evaluation.likelihood import evaluate as evaluate_likelihood
    from pointillist.evaluation.table import write_csv
    from pointillist.model.pretrained import load
    from pointillist.system import resolve_device
    from pointillist.training.recorded_data import limit_images, resolve_data_options, select_split

    if per_image is not None:
        reject_existing(per_image, force)
    if precision not in ("fp32", "bf16"):
        raise ConfigError(f"`--precision` (={precision!r}) must be fp32 or bf16.")
    loaded = quantized(load(model), quantize)
    loaded.to(resolve_device(device)).to(memory_format=torch.channels_last)
    check_guidance(guidance)  # before images are read
    options = resolve_data_options(loaded, data, sets or [], labels=not no_labels)
    classes = loaded.config.classes if options.labels else ()
    splits = load_data(data, options, spec=loaded.image, classes=classes, tiles=loaded.tileset)
    name, images = select_split(splits, split)
    images = limit_images(images, max_images)
    started = time.perf_counter()
    with Bar("evaluating", len(images)) as bar:
        settings: dict[str, Any] = {"order": order, "guidance": guidance, "batch_size": batch_size, "engine": engine}
        with report.journal(per_image, loaded, images, {**settings, "text": text}, restart=force) as journal:
            result = evaluate_likelihood(loaded, images, text=text, on_progress=bar.follow, journal=journal, **settings)
            if per_image is not None:
                write_csv(per_image, result, images.files)
    seconds = time.perf_counter() - started
    facts = report.describe(loaded, images, name, result, options)
    if condition_metrics:
        with torch.autocast(loaded.device.type, torch.bfloat16, enabled=precision == "bf16"):
            facts |= report.condition_metrics(
                loaded, images, candidates=retrieval_candidates, repeats=retrieval_repeats, batch_size=batch_size,
                guidance=guidance,
            )  # fmt: skip
        facts["metrics_precision"] = precision
    if code_length:
        facts["code_length"] = report.code_length(loaded, images, None if order in ("average", "each") else order)
    if memorization:
        facts["memorization"] = report.memorization(loaded, splits, images, name, memorization)
    if as_json:
        print_json({"model": model, "data": data, **facts, "seconds": round(seconds, 3)})
    else:
        report.print_report(model, images, result, facts, seconds, per_image)
