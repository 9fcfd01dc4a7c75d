"""`pointillist evaluate`: how likely images are under a model."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointillist.cli.fidelity import lines_of
from pointillist.cli.output import Bar, print_facts, print_json, refuse_existing
from pointillist.cli.settings import FLAG
from pointillist.cli.weights import HELP as ROUNDED
from pointillist.cli.weights import with_weights

if TYPE_CHECKING:
    from pointillist.data import DataOptions, DataSplits, ImageDataset
    from pointillist.factory import PretrainedPixelModel
    from pointillist.scoring import Evaluation

EPILOG = """Examples:

  pointillist evaluate runs/digits uci-digits

  pointillist evaluate runs/digits uci-digits --split valid --no-labels

  pointillist evaluate runs/mine held-out/ --per-image nats.csv

  pointillist evaluate runs/tiles tiles/ --retrieval --copies 64

  pointillist evaluate runs/mine held-out/ --json"""

# how images become levels travels to every data set; how a source is cut and named belongs to that source alone
_READING = ("size", "fit", "resample", "binarise", "threshold")


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
    from pointillist.errors import ConfigError
    from pointillist.factory import load
    from pointillist.scoring import evaluate as score
    from pointillist.training.precision import resolve_device

    if per_image is not None:
        refuse_existing(per_image, force)
    if precision not in ("fp32", "bf16"):
        raise ConfigError(f"`--precision` (={precision!r}) must be fp32 or bf16.")
    scorer = with_weights(load(model), weights)
    scorer.to(resolve_device(device)).to(memory_format=torch.channels_last)
    options = reading(scorer, data, sets or [], labels=not no_labels)
    classes = scorer.config.classes if options.labels else ()
    splits = load_data(data, options, spec=scorer.image, classes=classes)
    name, images = choose(splits, split)
    images = some(images, limit)
    started = time.perf_counter()
    with Bar("scoring", len(images)) as bar:
        show = lambda done, total: bar.show(done)  # noqa: E731
        result = score(scorer, images, batch_size=batch_size, text=text, on_progress=show, order=order)
    seconds = time.perf_counter() - started
    if per_image is not None:
        write_csv(per_image, result)
    facts = describe(scorer, images, name, result, options)
    if retrieval:
        with torch.autocast(scorer.device.type, torch.bfloat16, enabled=precision == "bf16"):
            facts |= fidelity.worth(scorer, images, splits.train, candidates, draws, batch_size)
        facts["worth_in"] = precision
    if copies:
        facts["copies"] = fidelity.copies(scorer, splits, images, name, copies)
    if as_json:
        print_json({"model": model, "data": data, **facts, "seconds": round(seconds, 3)})
    else:
        say(model, images, result, facts, seconds, per_image)


def reading(model: PretrainedPixelModel, data: str, sets: list[str], *, labels: bool) -> DataOptions:
    """How the model's own training images were read, as far as it applies to `data`.

    Raises:
        ConfigError: if a setting of `sets` is wrong, or is not about reading images.
    """
    from pointillist.cli.runs import recorded_settings
    from pointillist.errors import ConfigError
    from pointillist.training.recipe import RunConfig, assign, parse_assignment

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


def choose(splits: DataSplits, split: str | None) -> tuple[str, ImageDataset]:
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


def some(images: ImageDataset, limit: int | None) -> ImageDataset:
    """At most `limit` of the images, the same ones each time, in their order."""
    if limit is None or limit >= len(images):
        return images
    import numpy as np

    return images.subset(np.sort(np.random.RandomState(0).permutation(len(images))[:limit]))


def describe(
    model: PretrainedPixelModel, images: ImageDataset, split: str, result: Evaluation, options: DataOptions
) -> dict[str, Any]:
    """Everything that must be known to compare the figure with another."""
    told = bool(model.config.classes) and images.labels is not None
    ours, theirs = model.image, images.spec
    sizes = f"images of {theirs.height}x{theirs.width}, where the model was trained on {ours.height}x{ours.width}"
    notes = [*result.notes, *([sizes] if ours.shape != theirs.shape else [])]
    return {
        "split": split,
        "count": result.count,
        "bits_per_dim": result.bits_per_dim,
        "interval_95": list(result.interval),
        "nats": result.nats,
        "dims": result.dims,
        "levels": model.image.levels,
        "binarise": options.binarise,
        "labels": "used" if told else "not used" if model.config.classes else "none",
        "told": told_of(model, images),
        "order": result.order,
        "nats_by_order": dict(result.by_order),
        "notes": notes,
    }


def told_of(model: PretrainedPixelModel, images: ImageDataset) -> list[str]:
    """Which conditions the model is told, of those it listens to."""
    config, columns = model.config, images.columns
    made = config.hint is not None and (config.hint.derive is not None or columns.hints is not None)
    known = {
        "label": images.labels is not None,
        "attributes": any(
            name in columns.attributes for name in (config.attributes.values if config.attributes else ())
        ),
        "vector": columns.vectors is not None,
        "text": images.texts is not None,
        "words": images.texts is not None,
        "tokens": images.texts is not None,
        "recall": images.texts is not None,
        "hint": made,
    }
    return [name for name in model.listeners if known[name]]


def say(
    model: str, images: ImageDataset, result: Evaluation, facts: dict[str, Any], seconds: float, per_image: Path | None
) -> None:
    """The result for people."""
    low, high = result.interval
    sure = f"   (95 % interval {low:.4f} to {high:.4f})" if low == low else ""
    lines = [
        ("model", model),
        ("images", f"{result.count:,} of {images.name}, split {facts['split']}, each counted once"),
        ("levels", f"{facts['levels']:,}, binarisation {facts['binarise']}, labels {facts['labels']}"),
        *([("told", ", ".join(facts["told"]))] if set(facts["told"]) - {"label"} else []),
        *(("", note) for note in facts["notes"]),
        ("order", _order_text(result)),
        ("bits/dim", f"{result.bits_per_dim:.4f}{sure}"),
        ("nats", f"{result.nats:.3f} an image of {result.dims:,} dims"),
        *lines_of(facts),
        ("time", f"{seconds:.1f} s"),
    ]
    if per_image is not None:
        lines.append(("written", str(per_image)))
    print_facts(lines)


def _order_text(result: Evaluation) -> str:
    """Which order, or how several were combined, with the nats of each."""
    if result.order not in ("average", "each"):
        return result.order
    how = {"average": "likelihood averaged over orders", "each": "mean of the nats of each order"}[result.order]
    return "\n".join([how, *(f"{nats:.3f} nats by {name}" for name, nats in result.by_order.items())])


def write_csv(path: Path, result: Evaluation) -> None:
    """One line an image, in the order of the data set."""
    import math

    from pointillist.checkpoint import replacing

    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "nats", "bits_per_dim"])
        for index, nats in enumerate(result.per_image.tolist()):
            writer.writerow([index, f"{nats:.6f}", f"{nats / (result.dims * math.log(2)):.6f}"])
