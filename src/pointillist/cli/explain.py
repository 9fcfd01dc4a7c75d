"""`pointillist explain`: one image under a model, from every side, as a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointillist.cli.output import print_facts, print_json, refuse_existing, size_text
from pointillist.cli.settings import FLAG

if TYPE_CHECKING:
    from pointillist.analysis import Explanation
    from pointillist.data import ImageDataset
    from pointillist.model.pretrained import PretrainedPixelModel

EPILOG = """Examples:

  pointillist explain runs/mine photo.png -o report.html

  pointillist explain runs/digits uci-digits --index 3 --calibrate 360

  pointillist explain runs/mine photo.png --label cat --what-if 3,4=7 --json"""

_LIMIT = 200  # images of a calibration, unless told


Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a shipped name, or a hub id.")]
Image = Annotated[str, typer.Argument(metavar="IMAGE", help="A picture, or images as for evaluate, with --index.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="HTML", help="The page.")]
Index = Annotated[int | None, typer.Option(min=0, metavar="N", help="Which image of several, from 0.")]
Split = Annotated[str | None, typer.Option(metavar="NAME", help="Of several images: as for evaluate.")]
LabelOption = Annotated[
    str | None, typer.Option("--label", metavar="NAME", help="What the model is told; else what the data say.")
]
Text = Annotated[str | None, typer.Option("--text", metavar="PROMPT", help="A prompt, for models that read.")]
Attributes = Annotated[
    list[str] | None, typer.Option("--attribute", metavar="NAME=VALUE", help="Such as hair=red; repeatable.")
]
NoLabels = Annotated[bool, typer.Option("--no-labels", metavar=FLAG, help="Tell the model nothing.")]
Calibrate = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Also test the probabilities on up to N images of the same data."),
]
CalibrateOn = Annotated[str | None, typer.Option(metavar="DATA", help="Test the probabilities on these images.")]
WhatIf = Annotated[
    list[str] | None,
    typer.Option("--what-if", metavar="ROW,COLUMN=LEVEL", help="From 0 (or ROW,COLUMN,CHANNEL=LEVEL); repeatable."),
]
Continuations = Annotated[int, typer.Option(min=0, metavar="N", help="Images painted on from each what-if.")]
Looks = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Pixels whose gradients are stored; else what takes seconds."),
]
Maps = Annotated[Path | None, typer.Option(metavar="DIR", help="Also write the views as PNG files.")]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Of continuations and of the calibration.")]
Json = Annotated[bool, typer.Option("--json", metavar=FLAG, help="Print the numbers as JSON, and nothing else.")]
Order = Annotated[str | None, typer.Option(metavar="NAME", help="An order of the model. Default: its first.")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Read otherwise: data.size=32.")]
Device = Annotated[str, typer.Option(metavar="NAME", help="cpu, cuda, or auto.")]
Force = Annotated[bool, typer.Option("--force", metavar=FLAG, help="Replace files that are there.")]


def explain(
    model: Model,
    image: Image,
    out: Out = Path("report.html"),
    index: Index = None,
    split: Split = None,
    label: LabelOption = None,
    text: Text = None,
    attributes: Attributes = None,
    no_labels: NoLabels = False,
    calibrate: Calibrate = None,
    calibrate_on: CalibrateOn = None,
    what_if: WhatIf = None,
    continuations: Continuations = 4,
    looks: Looks = None,
    maps: Maps = None,
    seed: Seed = 0,
    order: Order = None,
    as_json: Json = False,
    sets: Sets = None,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Show what a model made of one image, pixel by pixel, on a page that needs nothing else."""
    from pointillist.analysis import explain as look
    from pointillist.cli.condition_options import parse_conditions
    from pointillist.model.pretrained import load
    from pointillist.training.setup import resolve_device

    _check(out, maps, label, no_labels, force)
    changes = tuple(parse_change(text) for text in what_if) if what_if else None
    scorer = load(model)
    scorer.to(resolve_device(device))
    name, images = _images(scorer, image, split, sets or [], labels=not no_labels)
    number = resolve_index(images, index)
    given = {"label": label, "text": text, **parse_conditions(attributes or [], None)}
    x, told = query_from_dataset(
        scorer, images, number, {key: value for key, value in given.items() if value is not None}
    )
    found = look(
        scorer, x, told=told, name=Path(model).name, changes=changes, continuations=continuations, seed=seed,
        looks=looks, order=order,
        calibration=_calibration(scorer, images, calibrate, calibrate_on, sets or [], seed, order),
        on_progress=_teller(as_json),
    )  # fmt: skip
    found.save(out)
    pictures = [] if maps is None else write_maps(found, maps, force)
    if as_json:
        print_json({"page": str(out), "pictures": pictures, "index": number, "split": name, **found.to_dict()})
    else:
        _say(found, out, pictures)


def parse_change(text: str) -> dict[Any, int]:
    """`"3,4=7"` or `"3,4,0=7"` to a place and its level.

    Raises:
        ConfigError: if `text` is neither.
    """
    from pointillist.errors import ConfigError

    match = re.fullmatch(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*(?:,\s*(\d{1,6})\s*)?=\s*(\d{1,6})\s*", text)
    if match is None:
        raise ConfigError(f"`--what-if` (={text!r}) must be ROW,COLUMN=LEVEL, counted from 0, for example 3,4=7.")
    place = tuple(int(part) for part in match.groups()[:3] if part is not None)
    return {place: int(match[4])}


def _check(out: Path, maps: Path | None, label: str | None, no_labels: bool, force: bool) -> None:
    from pointillist.errors import ConfigError

    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"`--out` (={out}) must end in .html: the report is a page.")
    if label is not None and no_labels:
        raise ConfigError(f"`--label` (={label}) and `--no-labels` contradict each other: leave one out.")
    refuse_existing(out, force)
    if maps is not None and maps.exists() and (not maps.is_dir() or (any(maps.iterdir()) and not force)):
        raise ConfigError(f"`--maps` (={maps}) must be a new or empty folder: add `--force` to write into it.")


def _images(
    model: PretrainedPixelModel, source: str, split: str | None, sets: list[str], *, labels: bool
) -> tuple[str, ImageDataset]:
    """The images of a source, read as the model's own."""
    from pointillist.cli.evaluate import resolve_data_options, select_split
    from pointillist.data import load_data

    options = resolve_data_options(model, source, sets, labels=labels)
    classes = model.config.classes if options.labels else ()
    return select_split(load_data(source, options, spec=model.image, classes=classes), split)


def resolve_index(images: ImageDataset, index: int | None) -> int:
    """The image that is meant.

    Raises:
        ConfigError: if there are several and none is named, or not so many.
    """
    from pointillist.errors import ConfigError

    count = len(images)
    if index is None and count > 1:
        raise ConfigError(f"{images.name} has {count:,} images: choose one with `--index`, 0 to {count - 1}.")
    if index is not None and index >= count:
        raise ConfigError(f"`--index` (={index}) must lie in 0 to {count - 1}: {images.name} has {count:,} images.")
    return index or 0


def query_from_dataset(
    model: PretrainedPixelModel, images: ImageDataset, number: int, given: dict[str, Any]
) -> tuple[Any, Any]:
    """Levels of an image, and what the model is told of it: what was typed, and else what the data say."""
    from pointillist.model.batches import BatchReader

    levels, inputs = BatchReader(model, images.subset([number]), **given).read(0, 1)
    return levels[0], inputs


def _calibration(
    model: PretrainedPixelModel,
    images: ImageDataset,
    count: int | None,
    source: str | None,
    sets: list[str],
    seed: int,
    order: str | None,
) -> Any:
    """Of the images that the one was taken from, or of others; None unless asked for."""
    from pointillist.analysis import calibration

    if count is None and source is None:
        return None
    if source is not None:
        _, images = _images(model, source, None, sets, labels=True)
    return calibration(model, images.subset(range(min(len(images), count or _LIMIT))), seed=seed, order=order)


def _teller(silent: bool) -> Any:
    """Says on stderr what is being computed, for those who wait."""
    from rich.console import Console

    terminal = Console(stderr=True)
    if silent or not terminal.is_terminal:
        return None
    return lambda what: terminal.print(f"looking: {what}", style="dim")


def write_maps(found: Explanation, folder: Path, force: bool) -> list[str]:
    """Every view as a PNG file."""
    from pointillist.visualization import save_png

    views: dict[str, Any] = {"overview": found.image(), "bits": found.maps.image(), "excess": found.maps.z_image()}
    views["running"] = found.maps.running.chart().image()
    if found.conditions is not None:
        views |= {"told": found.conditions.image(), "labels": found.conditions.chart().image()}
    if found.layers is not None:
        views |= {"layers": found.layers.image(), "layer-maps": found.layers.saved_image()}
    if found.calibration is not None:
        views |= {"calibration": found.calibration.image(), "reliability": found.calibration.reliability_image()}
    for number, view in enumerate(found.what_ifs, start=1):
        views[f"what-if-{number}-moved"] = view.shift_image()
        if view.as_changed is not None:
            views[f"what-if-{number}"] = view.picture()
    return [str(save_png(picture, folder / f"{name}.png")) for name, picture in views.items()]


def _say(found: Explanation, out: Path, pictures: list[str]) -> None:
    from pointillist.analysis.report.facts import describe_conditions, describe_z

    maps = found.maps
    lines = [
        ("bits", f"{maps.bits:.2f} ({maps.bits_per_dim:.4f} bits/dim), told {describe_conditions(found)}"),
        ("expected", f"{maps.expected:.2f}, so {maps.z:+.2f} deviations off: {describe_z(maps.z)}"),
    ]
    if found.conditions is not None:
        lines.append(("told", f"saves {found.conditions.saved.sum():.2f} bits"))
    if found.calibration is not None:
        r = found.calibration.reliability
        pit = "" if found.calibration.pit is None else f"PIT p = {found.calibration.pit_p_value:.3g}, "
        lines.append(("calibration", f"{pit}reliability outside its band in {r.num_outside} of {int(r.judged.sum())}"))
    if pictures:
        lines.append(("pictures", f"{len(pictures)} in {Path(pictures[0]).parent}"))
    lines.append(("written", f"{out} ({size_text(out.stat().st_size)}): open it in a browser"))
    print_facts(lines)
