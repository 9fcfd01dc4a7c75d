"""`pointillist evaluate`: how likely images are under a model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointillist.cli.measured import describe, print_report, write_csv
from pointillist.cli.output import Bar, print_json, refuse_existing
from pointillist.cli.settings import FLAG
from pointillist.cli.weights import HELP as ROUNDED
from pointillist.cli.weights import with_weights

if TYPE_CHECKING:
    from pointillist.data import DataOptions, DataSplits, ImageDataset
    from pointillist.model.pretrained import PretrainedPixelModel

EPILOG = """Examples:

  pointillist evaluate runs/digits uci-digits

  pointillist evaluate runs/digits uci-digits --split valid --no-labels

  pointillist evaluate runs/mine held-out/ --per-image nats.csv

  pointillist evaluate runs/tiles tiles/ --retrieval --copies 64

  pointillist evaluate runs/tiles tiles/ --retrieval --guidance 0.5

  pointillist evaluate runs/mine held-out/ --json"""

# how images become levels travels to every data set; how a source is cut and named belongs to that source alone
_READING = ("size", "resize_mode", "resample", "binarise", "threshold")


Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a shipped name, or a hub id.")]
Data = Annotated[str, typer.Argument(metavar="DATA", help="Images, as for train; read as the model's own kind.")]
Split = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="train, valid, test or all. Default: test, else valid, else all."),
]
Limit = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Measure N images of the part, drawn at random with seed 0.")
]
BatchSize = Annotated[int, typer.Option(min=1, metavar="N", help="Images at once; the result does not change.")]
PerImage = Annotated[Path | None, typer.Option(metavar="CSV", help="Also write nats and bits/dim of each image.")]
Json = Annotated[bool, typer.Option("--json", metavar=FLAG, help="Print JSON, and nothing else, on stdout.")]
Text = Annotated[str | None, typer.Option(metavar="PROMPT", help="Tell the model this of every image.")]
_WORTH = "What conditions are worth"
Retrieval = Annotated[
    bool,
    typer.Option(
        "--retrieval", metavar=FLAG, rich_help_panel=_WORTH, help="Bits saved, classes by Bayes' rule, captions ranked."
    ),
]
Candidates = Annotated[
    int, typer.Option(min=2, metavar="N", rich_help_panel=_WORTH, help="Captions that the true one is ranked among.")
]
Draws = Annotated[
    int,
    typer.Option(min=0, metavar="N", rich_help_panel=_WORTH, help="Draws of the other captions; 0 ranks none."),
]
Copies = Annotated[
    int, typer.Option(min=0, metavar="N", rich_help_panel=_WORTH, help="Compare N samples with training images.")
]
Precision = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_WORTH,
        help="fp32, or bf16 (half the time): of what this panel names. Bits/dim are always of fp32.",
    ),
]
NoLabels = Annotated[bool, typer.Option("--no-labels", metavar=FLAG, help="Do not tell the model the labels.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Read otherwise, such as data.size=32; repeatable."),
]
Device = Annotated[str, typer.Option(metavar="NAME", help="cpu, cuda, or auto.")]
Order = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="An order of the model; average (over its orders, exact), or each. Default: its first."
    ),
]
Guidance = Annotated[
    float,
    typer.Option(
        metavar="X", help="Measure what `sample --guidance X` draws from: below 1 believes what is told less."
    ),
]
Weights = Annotated[str | None, typer.Option(metavar="KIND", help=ROUNDED)]
Force = Annotated[bool, typer.Option("--force", metavar=FLAG, help="Replace the CSV that is there.")]


def evaluate(
    model: Model,
    data: Data,
    split: Split = None,
    limit: Limit = None,
    batch_size: BatchSize = 64,
    per_image: PerImage = None,
    as_json: Json = False,
    no_labels: NoLabels = False,
    text: Text = None,
    sets: Sets = None,
    device: Device = "auto",
    order: Order = None,
    guidance: Guidance = 1.0,
    retrieval: Retrieval = False,
    candidates: Candidates = 50,
    draws: Draws = 1,
    copies: Copies = 0,
    precision: Precision = "fp32",
    weights: Weights = None,
    force: Force = False,
) -> None:
    """Measure a model on images it has not seen, in bits/dim and nats."""
    import torch

    from pointillist.cli import fidelity
    from pointillist.data import load_data
    from pointillist.distributions.sampling_transforms import check_guidance
    from pointillist.errors import ConfigError
    from pointillist.evaluation.likelihood import evaluate as score
    from pointillist.model.pretrained import load
    from pointillist.training.precision import resolve_device

    if per_image is not None:
        refuse_existing(per_image, force)
    if precision not in ("fp32", "bf16"):
        raise ConfigError(f"`--precision` (={precision!r}) must be fp32 or bf16.")
    scorer = with_weights(load(model), weights)
    scorer.to(resolve_device(device)).to(memory_format=torch.channels_last)
    check_guidance(guidance)  # refused before images are read
    options = resolve_data_options(scorer, data, sets or [], labels=not no_labels)
    classes = scorer.config.classes if options.labels else ()
    splits = load_data(data, options, spec=scorer.image, classes=classes)
    name, images = select_split(splits, split)
    images = limit_images(images, limit)
    started = time.perf_counter()
    with Bar("scoring", len(images)) as bar:
        how: dict[str, Any] = {"order": order, "guidance": guidance, "batch_size": batch_size}
        result = score(scorer, images, text=text, on_progress=bar.follow, **how)
    seconds = time.perf_counter() - started
    if per_image is not None:
        write_csv(per_image, result)
    facts = describe(scorer, images, name, result, options)
    if retrieval:
        with torch.autocast(scorer.device.type, torch.bfloat16, enabled=precision == "bf16"):
            facts |= fidelity.condition_metrics(scorer, images, candidates, draws, batch_size, guidance)
        facts["worth_in"] = precision
    if copies:
        facts["copies"] = fidelity.copies(scorer, splits, images, name, copies)
    if as_json:
        print_json({"model": model, "data": data, **facts, "seconds": round(seconds, 3)})
    else:
        print_report(model, images, result, facts, seconds, per_image)


def resolve_data_options(model: PretrainedPixelModel, data: str, sets: list[str], *, labels: bool) -> DataOptions:
    """How the model's own training images were read, as far as it applies to `data`.

    Raises:
        ConfigError: if a setting of `sets` is wrong, or is not about reading images.
    """
    from pointillist.errors import ConfigError
    from pointillist.training.run_config import RunConfig, assign, parse_assignment
    from pointillist.training.run_folder import recorded_settings

    record = recorded_settings(model).get("data", {})
    same = _same_source(record.get("source"), data)
    own = {k: v for k, v in record.items() if k != "source" and (same or k in _READING)}
    if not same:  # another source is held out as a whole: nothing of it was trained on
        own |= {"valid_fraction": 0.0, "test_fraction": 0.0}
    if not labels:
        own["labels"] = False
    tree: dict[str, Any] = {"data": own}
    for key, value in map(parse_assignment, sets):
        if not key.startswith("data."):
            raise ConfigError(f"`--set` {key} (={value}) is not about reading images: only data.NAME can be set here.")
        assign(tree, key, value)
    return RunConfig.from_dict(tree).data.options


def _same_source(recorded: str | None, data: str) -> bool:
    if recorded is None:
        return False
    if Path(recorded).name == recorded and not Path(recorded).exists():  # a shipped model does not tell the folder
        return recorded == Path(data).name
    return recorded == data or (Path(data).exists() and Path(recorded).resolve() == Path(data).resolve())


def select_split(splits: DataSplits, split: str | None) -> tuple[str, ImageDataset]:
    """The part to measure, and what to call it.

    Raises:
        DataError: if there is no such part.
    """
    from pointillist.errors import DataError

    if split == "all" or (split is None and splits.names == ("train",)):
        if len(splits.names) > 1:
            raise DataError(f"`--split all` needs images without splits: choose one of {', '.join(splits.names)}.")
        return "all", splits.get(splits.names[0])
    name = split or ("test" if "test" in splits.names else "valid")
    return name, splits.get(name)


def limit_images(images: ImageDataset, limit: int | None) -> ImageDataset:
    """At most `limit` of the images, the same ones each time, in their order."""
    if limit is None or limit >= len(images):
        return images
    import numpy as np

    return images.subset(np.sort(np.random.RandomState(0).permutation(len(images))[:limit]))
