"""`info MODEL --receptive-field`: measure and draw the receptive field of a pixel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.commands.inspection.settings import InfoSettings
from pointillist.commands.paths import reject_existing

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel

_SAMPLES = 8  # images of a trained model over which the strength of dependence is averaged
_SIZE = (28, 28)


def field_facts(settings: InfoSettings, out: Path) -> dict[str, Any]:
    """Write the picture of a receptive field, and return its numbers.

    Raises:
        ConfigError: naming what is wrong with the position, the model or the file.
    """
    from pointillist.analysis.receptive_field import receptive_field
    from pointillist.data import parse_size
    from pointillist.errors import ConfigError
    from pointillist.images.visualization import save_png
    from pointillist.sampling.api import sample

    row, column, channel = parse_site(str(settings.receptive_field))
    if out.suffix.lower() != ".png":
        raise ConfigError(f"`--out` (={out}) must end in .png: the receptive field is a picture.")
    reject_existing(out, settings.force)
    wanted, order = None if settings.size is None else parse_size(settings.size), settings.order
    model, title, trained = named_model(settings.name, wanted, order)
    model.check_size(*(wanted or (model.image.height, model.image.width)))
    position = model.image.check_site(row, column, channel, wanted)
    images = sample(model, _SAMPLES, seed=0, size=wanted, order=order).levels if trained else None
    field = receptive_field(model, *position, size=wanted, images=images, name=title, order=order)
    save_png(field.image(), out)
    return {
        "model": title,
        "site": list(field.site),
        "seen": field.num_seen,
        "earlier": field.num_earlier,
        "missing": field.num_missing,
        "leaked": field.num_leaked,
        "summary": str(field),
        "picture": str(out),
    }


def parse_site(text: str) -> tuple[int, int, int | None]:
    """Parse `"12,7"` to row, column and no channel; `"12,7,2"` to all three.

    Raises:
        ConfigError: if `text` is neither.
    """
    from pointillist.errors import ConfigError

    match = re.fullmatch(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*(?:,\s*(\d{1,6})\s*)?", text)
    if match is None:
        raise ConfigError(
            f"`--receptive-field` (={text!r}) must be ROW,COLUMN or ROW,COLUMN,CHANNEL, from 0, for example 12,7."
        )
    return int(match[1]), int(match[2]), None if match[3] is None else int(match[3])


def named_model(name: str, size: tuple[int, int] | None, order: str | None) -> tuple[PixelModel, str, bool]:
    """Return a trained model, or an untrained one by `name[:preset]`; its title; and whether it is trained."""
    from pointillist.model.folder.building import build
    from pointillist.model.folder.opening import list_models, load_weights

    kind, _, preset = name.partition(":")
    if kind in (summary.name for summary in list_models()) and not Path(name).exists():
        model = build(kind, shape=(1, *(size or _SIZE)), preset=preset or None, orders=order or "raster")
        return model, f"{kind} {preset}".strip(), False
    model = load_weights(name)
    return model, f"{Path(name).name} ({model.config.model_type})", bool(model.training_record)
