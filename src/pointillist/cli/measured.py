"""What `evaluate` has measured: as facts, for people, and one line an image."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.cli.fidelity import lines_of
from pointillist.cli.output import print_facts

if TYPE_CHECKING:
    from pointillist.data import DataOptions, ImageDataset
    from pointillist.evaluation.likelihood import Evaluation
    from pointillist.model.pretrained import PretrainedPixelModel


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
        "told": active_conditions(model, images),
        "order": result.order,
        "guidance": result.guidance,
        "nats_by_order": dict(result.by_order),
        "notes": notes,
    }


def active_conditions(model: PretrainedPixelModel, images: ImageDataset) -> list[str]:
    """Which conditions the model is told, of those it listens to."""
    config, columns = model.config, images.annotations
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
        "hint": made,
    }
    return [name for name in model.listeners if known[name]]


def print_report(
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
        *([("guidance", guided)] if (guided := _guidance_text(result)) else []),
        ("bits/dim", f"{result.bits_per_dim:.4f}{sure}"),
        ("nats", f"{result.nats:.3f} an image of {result.dims:,} dims"),
        *lines_of(facts),
        ("time", f"{seconds:.1f} s"),
    ]
    if per_image is not None:
        lines.append(("written", str(per_image)))
    print_facts(lines)


def _guidance_text(result: Evaluation) -> str:
    """How much what is told counts; nothing for the model itself."""
    return "" if result.guidance == 1 else f"{result.guidance:g}, where 1 is the model itself"


def _order_text(result: Evaluation) -> str:
    """Which order, or how several were combined, with the nats of each."""
    if result.order not in ("average", "each"):
        return result.order
    how = {"average": "likelihood averaged over orders", "each": "mean of the nats of each order"}[result.order]
    return "\n".join([how, *(f"{nats:.3f} nats by {name}" for name, nats in result.by_order.items())])


def write_csv(path: Path, result: Evaluation) -> None:
    """One line an image, in the order of the data set."""
    import math

    from pointillist.checkpoint.files import atomic_path

    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "nats", "bits_per_dim"])
        for index, nats in enumerate(result.per_image.tolist()):
            writer.writerow([index, f"{nats:.6f}", f"{nats / (result.dims * math.log(2)):.6f}"])
