"""`explain`: a report on one image under a model."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pointillist.commands.measurement.settings import ExplainSettings
from pointillist.commands.paths import fresh_output, open_scored_model, reject_existing, reject_filled
from pointillist.commands.report import Facts
from pointillist.errors import ConfigError, quote

if TYPE_CHECKING:
    from pointillist.analysis import Explanation, ImageQuery, WordGain
    from pointillist.analysis.calibration import Calibration
    from pointillist.analysis.counterfactual import SitePosition
    from pointillist.data import ImageDataset
    from pointillist.images import ImageSpec
    from pointillist.model.protocols import LikelihoodModel

_CALIBRATION_IMAGES = 200  # by default
MAX_PROBABILITIES = 1 << 26
"""Of an image of more than 256 levels: a report of so many takes about two minutes."""


def explain(settings: ExplainSettings) -> Facts:
    """Write the report on one image.

    Raises:
        PointillistError: naming what is wrong with a setting, the model or the image.
    """
    if settings.out is not None:
        return _explain(settings, settings.out)
    with fresh_output(Path("report.html"), settings.force) as path:
        return _explain(settings, path)


def _explain(settings: ExplainSettings, out: Path) -> Facts:
    from pointillist.analysis import Explanation
    from pointillist.model.folder.image_sources import resolve_index

    reject_existing(out, settings.force, ".html")
    if settings.maps is not None:
        reject_filled(settings.maps, settings.force, "views in it")
    if settings.label is not None and settings.no_labels:
        raise ConfigError(f"`--label` (={settings.label}) and `--no-labels` contradict each other: leave one out.")
    # without torch there is no GPU to prefer
    device = "cpu" if settings.device == "auto" and find_spec("torch") is None else settings.device
    model = open_scored_model(settings.model, device, settings.engine)
    name, images = _images(model, settings.image, settings.split, settings.set, labels=not settings.no_labels)
    _check_levels(images.spec)
    number = resolve_index(images, settings.index)
    explanation = Explanation(
        query=_query(model, images, number, settings),
        title=Path(settings.model).name,
        source=settings.model,
        exchange=parse_exchange(settings.exchange),
        calibration=_calibration(model, images, settings),
        edits=tuple(map(parse_edit, settings.what_if)) or None,
        continuations=settings.continuations,
        seed=settings.seed,
        max_attributions=settings.max_attributions,
    )
    explanation.save(out)
    pictures = [] if settings.maps is None else write_maps(explanation, settings.maps)
    facts = {"index": number, "split": name, "read": list(images.changes), **_facts(explanation)}
    return {**facts, "pictures": pictures, "page": str(out)}


def parse_edit(text: str) -> dict[SitePosition, int]:
    """Parse `"3,4=7"` or `"3,4,0=7"` to a position and its level.

    Raises:
        ConfigError: if `text` is neither.
    """
    match = re.fullmatch(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*(?:,\s*(\d{1,6})\s*)?=\s*(\d{1,6})\s*", text)
    if match is None:
        raise ConfigError(f"`--what-if` (={text!r}) must be ROW,COLUMN=LEVEL, counted from 0, for example 3,4=7.")
    row, column, level = int(match[1]), int(match[2]), int(match[4])
    return {(row, column) if match[3] is None else (row, column, int(match[3])): level}


def parse_exchange(pairs: Sequence[str]) -> dict[str, list[str]]:
    """Parse `["red=blue", "red=green"]` to the words that take the place of each word.

    Raises:
        ConfigError: if one is not WORD=OTHER.
    """
    result: dict[str, list[str]] = {}
    for text in pairs:
        word, equals, other = (part.strip() for part in text.partition("="))
        if not (word and equals and other):
            raise ConfigError(f"`--exchange` (={quote(text)}) must be WORD=OTHER, for example red=blue.")
        result.setdefault(word, []).append(other)
    return result


def _check_levels(image: ImageSpec) -> None:
    """Reject an image of many levels for which a report would take hours.

    Raises:
        ConfigError: naming the largest square that is explained.
    """
    side = math.isqrt(MAX_PROBABILITIES // image.levels)
    if image.is_deep and image.height * image.width > side * side:
        raise ConfigError(
            f"A report lists the probability of every level, and {image.height}x{image.width} pixels of "
            f"{image.levels:,} levels are too many: give a window of it, such as {side}x{side}."
        )


def _images(
    model: LikelihoodModel, source: str, split: str | None, sets: Sequence[str], *, labels: bool
) -> tuple[str, ImageDataset]:
    """Read the images of a source with the data settings of the model; return the split's name and the split."""
    from pointillist.model.folder.image_sources import read_splits, resolve_data_options, select_split

    options = resolve_data_options(model, source, sets, labels=labels)
    return select_split(read_splits(model, source, options), split)


def _query(model: LikelihoodModel, images: ImageDataset, number: int, settings: ExplainSettings) -> ImageQuery:
    """Make a query about an image of a data set; conditions that were typed take precedence over the data's."""
    from pointillist.analysis.query import ImageQuery
    from pointillist.commands.sampling.conditions import read_conditions
    from pointillist.model.batches import BatchReader

    conditions = {"label": settings.label, "text": settings.text, **read_conditions(settings.attributes)}
    typed = {name: value for name, value in conditions.items() if value is not None}
    x, encoded = BatchReader(model, images.subset([number]), **typed).read(0, 1)
    caption = None if images.texts is None else images.texts[number]
    return ImageQuery(model, x, encoded, model.order(settings.order), typed.get("text", caption), settings.engine)


def _calibration(model: LikelihoodModel, images: ImageDataset, settings: ExplainSettings) -> Calibration | None:
    """Test the calibration on the first images of the data, or of other data; None if that is not asked for."""
    from pointillist.analysis import calibration

    count = settings.calibration_images
    if settings.calibration_data is not None:
        _, images = _images(model, settings.calibration_data, None, settings.set, labels=True)
        count = count or _CALIBRATION_IMAGES
    if count is None:
        return None
    first = images.subset(range(min(len(images), count)))
    return calibration(model, first, seed=settings.seed, order=settings.order, engine=settings.engine)


def write_maps(explanation: Explanation, folder: Path) -> list[str]:
    """Write every view as a PNG file; return the paths."""
    from pointillist.images.visualization import save_png

    maps = explanation.maps
    views = {
        "overview": explanation.image(),
        "surprisal": maps.image(),
        "z-score": maps.z_score_image(),
        "cumulative": maps.cumulative.chart().image(),
    }
    if explanation.conditions is not None:
        views |= {"conditions": explanation.conditions.image(), "labels": explanation.conditions.chart().image()}
        if explanation.conditions.words or explanation.conditions.exchanges:
            views["words"] = explanation.conditions.words_image()
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


def _facts(explanation: Explanation) -> Facts:
    from pointillist.analysis.views import describe_conditions

    query, gain = explanation.query, explanation.conditions
    facts: Facts = {
        **explanation.to_dict(),
        "why_floats": None if query.in_integers else query.model.why_floats(query.shape[1:]),
        "conditioned_on": describe_conditions(explanation),
    }
    if gain is not None:
        facts["bits_saved"] = float(gain.saved.sum())
        facts["likeliest_label"] = gain.classes[int(gain.class_bits.argmin())] if gain.classes else None
        facts["by_word"] = _list_gains(gain.words) or gain.too_long
        facts["by_exchange"] = _list_gains(gain.exchanges)
    return facts


def _list_gains(gains: Sequence[WordGain]) -> list[str]:
    return [f"{gain.bits:8.2f}  {gain.name}{'' if gain.read else ', not read'}" for gain in gains]
