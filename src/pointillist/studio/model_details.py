"""A model in the words of `Details`."""

from __future__ import annotations

import numpy as np

from pointillist.checkpoint import fingerprint
from pointillist.explaining.scales import bits_top
from pointillist.images import ImageSpec, dequantise
from pointillist.model_config import ModelConfig
from pointillist.pixel_model import PixelModel
from pointillist.receptive import channel_names
from pointillist.runners import resolve_engine
from pointillist.studio import messages as m
from pointillist.studio.reading import level_type

_PICTURES = ("grey", "rgb", "rgba")


def details_of(model: PixelModel) -> m.Details:
    """What the page is told of a model."""
    config = model.config
    return m.Details(
        network=config.model_type,
        parameters=model.num_parameters,
        sha256=sha256_of(model),
        image=image_kind(model.image, channel_names(model)),
        fixed_size=model.fixed_size,
        likelihood=model.likelihood.name,  # type: ignore[arg-type]
        mixtures=getattr(model.likelihood, "mixtures", 0),
        conditions=_conditions(config),
        orders=list(config.orders),
        bits_top=bits_top(model),
        engine=resolve_engine("auto", model.device),
    )


def sha256_of(model: PixelModel) -> str:
    """The hash of weights and settings together."""
    return fingerprint(model.state_dict(), model.config.model_dump(mode="json", exclude_defaults=True))


def image_kind(image: ImageSpec, names: tuple[str, ...]) -> m.ImageKind:
    """What the integers of an image mean."""
    values = dequantise(np.arange(image.levels), image.levels).tolist() if image.mode in _PICTURES else None
    return m.ImageKind(
        mode=image.mode, channels=image.channels, height=image.height, width=image.width, levels=image.levels,
        ordered=image.ordered, dtype=level_type(image.levels), values=values, channel_names=list(names),
        palette=None if image.palette is None else [list(colour) for colour in image.palette],
    )  # fmt: skip


def hint_image(config: ModelConfig) -> ImageSpec | None:
    """The integers of the hint for an image of the usual size; None where it is numbers, or there is none."""
    hint = config.hint
    if hint is None or hint.image is None:
        return None
    height, width = config.image.height, config.image.width
    kind, _, factor = (hint.derive or "").partition(":")
    if kind == "lowres":
        height, width = (-(-side // int(factor)) for side in (height, width))
    return hint.image.resized(height, width)


def _conditions(config: ModelConfig) -> m.Conditions:
    hint, image = config.hint, hint_image(config)
    kind = None if image is None else image_kind(image, tuple(f"channel {c}" for c in range(image.channels)))
    attributes = {} if config.attributes is None else config.attributes.values
    text = config.text
    return m.Conditions(
        labels=list(config.classes),
        attributes={name: list(values) for name, values in attributes.items()},
        vector=None if config.vector is None else config.vector.size,
        text=None if text is None else m.TextKind(encoder=text.encoder or None, learned=text.learned),
        hint=None if hint is None else m.HintKind(image=kind, channels=hint.channels, derive=hint.derive),
    )  # fmt: skip
