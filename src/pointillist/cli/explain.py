"""`pointillist explain`: report on one image under a model."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointillist.cli.hierarchy import explain_hierarchy, is_hierarchy, reject_options, resolve_index
from pointillist.cli.output import fresh_path, print_facts, print_json, reject_existing, size_text
from pointillist.cli.settings import FLAG
from pointillist.files.progress import PROGRESS_DELAY_S

if TYPE_CHECKING:
    from pointillist.analysis import ConditionGain, Explanation, ImageQuery
    from pointillist.analysis.calibration import Calibration
    from pointillist.analysis.counterfactual import SitePosition
    from pointillist.data import ImageDataset
    from pointillist.model.pixel_model import PixelModel

EPILOG = """Examples:

  pointillist explain digits three.png --label 3

  pointillist explain emoji smile.png --text "a smiling face" -o smile.html --maps views/

  pointillist explain runs/digits uci-digits --index 3 --calibration-images 360

  pointillist explain runs/mine photo.png --label cat --what-if 3,4=7 --json"""

_CALIBRATION_IMAGES = 200  # by default


Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a bundled name, or hf:USER/MODEL.")]
Image = Annotated[str, typer.Argument(metavar="IMAGE", help="An image file, or images as for evaluate, with --index.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="HTML", help="Page to write. Default: report.html, or the next free report-N.html."
    ),
]
Index = Annotated[int | None, typer.Option(min=0, metavar="N", help="Number of the image among several, from 0.")]
Split = Annotated[str | None, typer.Option(metavar="NAME", help="Split of several images, as for evaluate.")]
LabelOption = Annotated[
    str | None, typer.Option("--label", metavar="NAME", help="Label of the image; default: the label in the data.")
]
Text = Annotated[str | None, typer.Option("--text", metavar="PROMPT", help="Prompt; default: the caption in the data.")]
Attributes = Annotated[
    list[str] | None, typer.Option("--attribute", metavar="NAME=VALUE", help="Attribute, as hair=red; repeatable.")
]
NoLabels = Annotated[bool, typer.Option("--no-labels", metavar=FLAG, help="Ignore the labels in the data.")]
CalibrationImages = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Also test the calibration of the model, on up to N images of the data."),
]
CalibrationData = Annotated[
    str | None, typer.Option(metavar="DATA", help="Images on which to test the calibration, as for evaluate.")
]
WhatIf = Annotated[
    list[str] | None,
    typer.Option(
        "--what-if",
        metavar="ROW,COLUMN=LEVEL",
        help="Level to set, at a position from 0 (or ROW,COLUMN,CHANNEL=LEVEL); repeatable.",
    ),
]
Continuations = Annotated[int, typer.Option(min=0, metavar="N", help="Images to paint on from each --what-if.")]
MaxAttributions = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Pixels whose gradients are stored; default: as many as take seconds."),
]
Maps = Annotated[Path | None, typer.Option(metavar="DIR", help="Folder in which to write each view as a PNG file.")]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Seed of continuations and calibration.")]
Json = Annotated[bool, typer.Option("--json", metavar=FLAG, help="Print the numbers as JSON, and nothing else.")]
Order = Annotated[
    str | None, typer.Option(metavar="NAME", help="Pixel generation order of the model; default: its first.")
]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a data setting, as data.size=32.")
]
Device = Annotated[str, typer.Option(metavar="NAME", help="cpu, cuda, or auto.")]
Force = Annotated[bool, typer.Option("--force", metavar=FLAG, help="Overwrite existing files.")]


def explain(
    model: Model,
    image: Image,
    out: Out = None,
    index: Index = None,
    split: Split = None,
    label: LabelOption = None,
    text: Text = None,
    attributes: Attributes = None,
    no_labels: NoLabels = False,
    calibration_images: CalibrationImages = None,
    calibration_data: CalibrationData = None,
    what_if: WhatIf = None,
    continuations: Continuations = 4,
    max_attributions: MaxAttributions = None,
    maps: Maps = None,
    seed: Seed = 0,
    order: Order = None,
    as_json: Json = False,
    sets: Sets = None,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Report on one image, pixel by pixel: surprisal, distributions, attribution, what-ifs. Writes one HTML page."""
    if is_hierarchy(model):
        reject_options(
            "explain",
            {
                "--label": label, "--text": text, "--attribute": attributes, "--no-labels": no_labels,
                "--calibration-images": calibration_images, "--calibration-data": calibration_data,
                "--what-if": what_if, "--max-attributions": max_attributions, "--maps": maps, "--order": order,
            },
        )  # fmt: skip
        picture = out or fresh_path(Path("report.png"), force)
        how: dict[str, Any] = {"index": index, "split": split, "sets": sets or [], "device": device}
        explain_hierarchy(model, image, picture, **how, as_json=as_json, force=force)
        return
    from pointillist.analysis import Explanation
    from pointillist.model.pretrained import load
    from pointillist.sampling.condition_files import read_conditions
    from pointillist.system import resolve_device

    out = out or fresh_path(Path("report.html"), force)
    _check(out, maps, label, no_labels, force)
    progress = _progress_printer()
    edits = tuple(parse_edit(text) for text in what_if) if what_if else None
    scorer = load(model)
    scorer.to(resolve_device(device))
    name, images = _images(scorer, image, split, sets or [], labels=not no_labels)
    number = resolve_index(images, index)
    typed = {"label": label, "text": text, **read_conditions(attributes or [], None, None)}
    query = query_from_dataset(scorer, images, number, {k: v for k, v in typed.items() if v is not None}, order)
    if calibration_data is not None:
        _, images = _images(scorer, calibration_data, None, sets or [], labels=True)
        calibration_images = calibration_images or _CALIBRATION_IMAGES
    explanation = Explanation(
        query=query,
        title=Path(model).name,
        calibration=_calibration(scorer, images, calibration_images, seed, order),
        edits=edits,
        continuations=continuations,
        seed=seed,
        max_attributions=max_attributions,
        on_progress=progress,
    )
    explanation.save(out)
    pictures = [] if maps is None else write_maps(explanation, maps)
    if as_json:
        print_json({"page": str(out), "pictures": pictures, "index": number, "split": name, **explanation.to_dict()})
    else:
        _print(explanation, out, pictures)


def parse_edit(text: str) -> dict[SitePosition, int]:
    """Parse `"3,4=7"` or `"3,4,0=7"` to a position and its level.

    Raises:
        ConfigError: if `text` is neither.
    """
    from pointillist.errors import ConfigError

    match = re.fullmatch(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*(?:,\s*(\d{1,6})\s*)?=\s*(\d{1,6})\s*", text)
    if match is None:
        raise ConfigError(f"`--what-if` (={text!r}) must be ROW,COLUMN=LEVEL, counted from 0, for example 3,4=7.")
    row, column, level = int(match[1]), int(match[2]), int(match[4])
    return {(row, column) if match[3] is None else (row, column, int(match[3])): level}


def _check(out: Path, maps: Path | None, label: str | None, no_labels: bool, force: bool) -> None:
    from pointillist.errors import ConfigError

    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"`--out` (={out}) must end in .html: the report is a page.")
    if label is not None and no_labels:
        raise ConfigError(f"`--label` (={label}) and `--no-labels` contradict each other: leave one out.")
    reject_existing(out, force)
    if maps is not None and maps.exists() and (not maps.is_dir() or (any(maps.iterdir()) and not force)):
        raise ConfigError(f"`--maps` (={maps}) must be a new or empty folder: add `--force` to write into it.")


def _images(
    model: PixelModel, source: str, split: str | None, sets: list[str], *, labels: bool
) -> tuple[str, ImageDataset]:
    """Read the images of a source with the data settings of the model; return the split's name and the split."""
    from pointillist.data import load_data
    from pointillist.training.recorded_data import resolve_data_options, select_split

    options = resolve_data_options(model, source, sets, labels=labels)
    classes = model.config.classes if options.labels else ()
    splits = load_data(source, options, spec=model.image, classes=classes, tiles=model.tileset)
    return select_split(splits, split)


def query_from_dataset(
    model: PixelModel, images: ImageDataset, number: int, typed: dict[str, Any], order: str | None
) -> ImageQuery:
    """Make a query about an image of a data set; conditions that were typed take precedence over those of the data."""
    from pointillist.analysis.query import ImageQuery
    from pointillist.model.batches import BatchReader

    x, conditions = BatchReader(model, images.subset([number]), **typed).read(0, 1)
    caption = None if images.texts is None else images.texts[number]
    return ImageQuery(model, x, conditions, model.order(order), typed.get("text", caption))


def _calibration(
    model: PixelModel, images: ImageDataset, count: int | None, seed: int, order: str | None
) -> Calibration | None:
    """Test the calibration on the first images; None for none."""
    from pointillist.analysis import calibration

    if count is None:
        return None
    return calibration(model, images.subset(range(min(len(images), count))), seed=seed, order=order)


def _progress_printer() -> Callable[[str], None]:
    """Return a function that prints the view in progress on stderr, once the report has taken some seconds."""
    started = time.monotonic()

    def show(view: str) -> None:
        if time.monotonic() - started >= PROGRESS_DELAY_S:
            typer.echo(f"computing  {view} ...", err=True)

    return show


def write_maps(explanation: Explanation, folder: Path) -> list[str]:
    """Write every view as a PNG file; return the paths."""
    from pointillist.visualization import save_png

    maps = explanation.maps
    views: dict[str, Any] = {
        "overview": explanation.image(),
        "surprisal": maps.image(),
        "z-score": maps.z_score_image(),
        "cumulative": maps.cumulative.chart().image(),
    }
    if explanation.conditions is not None:
        views |= {"conditions": explanation.conditions.image(), "labels": explanation.conditions.chart().image()}
    if explanation.layers is not None:
        views |= {"layers": explanation.layers.image(), "layer-maps": explanation.layers.saved_image()}
    if explanation.calibration is not None:
        calibration = explanation.calibration
        views |= {"calibration": calibration.image(), "reliability": calibration.reliability_image()}
    for number, view in enumerate(explanation.counterfactuals, start=1):
        views[f"what-if-{number}-divergence"] = view.shift_image()
        if view.edited_continuations is not None:
            views[f"what-if-{number}"] = view.continuations_image()
    return [str(save_png(picture, folder / f"{name}.png")) for name, picture in views.items()]


def _print(explanation: Explanation, out: Path, pictures: list[str]) -> None:
    from pointillist.analysis.views import describe_conditions, describe_z

    maps = explanation.maps
    lines = [
        ("bits", f"{maps.bits:.2f} ({maps.bits_per_dim:.4f} bits/dim)"),
        ("conditions", describe_conditions(explanation)),
        ("expected", f"{maps.expected:.2f} bits: {maps.z_score:+.2f} standard deviations, {describe_z(maps.z_score)}"),
    ]
    if explanation.conditions is not None:
        lines.append(("bits saved", _describe_gain(explanation, explanation.conditions)))
    if explanation.calibration is not None:
        r = explanation.calibration.reliability
        pit = "" if explanation.calibration.pit is None else f"PIT p = {explanation.calibration.pit_p_value:.3g}, "
        lines.append(("calibration", f"{pit}reliability outside its band in {r.num_outside} of {int(r.judged.sum())}"))
    if pictures:
        lines.append(("pictures", f"{len(pictures)} in {Path(pictures[0]).parent}"))
    lines.append(("report", f"{out} ({size_text(out.stat().st_size)}): open it in a browser"))
    print_facts(lines)


def _describe_gain(explanation: Explanation, gain: ConditionGain) -> str:
    """Describe the bits that the conditions save; without any, those of the label that explains the image best."""
    saved = f"{gain.saved.sum():.2f}"
    if explanation.query.conditions.is_conditional:
        return f"{saved}, by the conditions"
    if gain.classes:
        return f"{saved}, if the label were {gain.classes[int(gain.class_bits.argmin())]}, which explains it best"
    return "0.00, as the image has no condition"
