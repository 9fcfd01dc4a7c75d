"""Description of a model for the page: image kind, supported conditions, hash."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from pointillist.analysis.surprisal import color_scale_max
from pointillist.conditioning import AttributesConfig, HintConfig, TextConfig, condition_kinds
from pointillist.conditioning.registry import DEDICATED
from pointillist.data.tilemaps import Tileset
from pointillist.images import ImageSpec, channel_names
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.config import choose_engine
from pointillist.studio import schemas
from pointillist.studio.answers.queries import draws_worlds
from pointillist.studio.conversion import encode_levels, level_dtype

_PICTURE_MODES = ("grey", "rgb", "rgba")
_MAX_TILE_PIXELS = 65_536  # of all tiles together that the page gets


def model_details(model: LikelihoodModel) -> schemas.ModelDetails:
    return schemas.ModelDetails(
        network=model.model_type,
        parameters=model.num_parameters(),
        sha256=model.weights_fingerprint,
        image=image_kind(model.image, channel_names(model.image), model.tileset),
        fixed_size=model.fixed_size,
        likelihood=model.likelihood_name,
        mixtures=model.mixtures,
        conditions=_supported_conditions(model),
        orders=list(model.orders),
        bits_top=color_scale_max(model),
        engine=choose_engine(model),
        generation=_generation(model),
        endless=draws_worlds(model),
    )


def _generation(model: LikelihoodModel) -> schemas.GenerationDefaults:
    config, hint = model.generation_config, hint_image(model)
    dtype = "uint8" if hint is None else level_dtype(hint.levels)
    hints = [
        schemas.NamedHint(name=example.name, levels=schemas.EncodedArray.of(np.array([example.levels]), dtype))
        for example in config.hints
        if hint is not None
    ]
    pictures = [
        schemas.NamedPicture(
            name=example.name, levels=encode_levels(model, example.level_array(model.image)[0]), sizes=example.sizes
        )
        for example in config.pictures
    ]
    settings = asdict(config)
    del settings["min_is_white"]  # of the image
    recognised = list(model.measured_prompts.recognised)
    words = schemas.WordChoices.model_validate(
        model.measured_prompts.words.model_dump(mode="json", include={"kinds", "sentence"})
    )
    return schemas.GenerationDefaults(
        **settings
        | {"prompts": list(config.prompts), "labels": list(config.labels), "hints": hints, "pictures": pictures}
        | {"recognised": recognised, "words": words}
    )


def image_kind(image: ImageSpec, names: tuple[str, ...], tileset: Tileset | None = None) -> schemas.ImageKind:
    """Describe the integers of an image; `names` is for its channels, `tileset` has a picture of each level."""
    colours = image.palette if tileset is None else tileset.mean_colours().tolist()
    values = image.values.tolist() if image.mode in _PICTURE_MODES else None
    return schemas.ImageKind(
        **image.model_dump(include={"mode", "channels", "height", "width", "levels", "ordered"}),
        min_is_white=image.min_is_white,
        dtype=level_dtype(image.levels),
        values=values,
        channel_names=list(names),
        palette=None if colours is None else [list(colour) for colour in colours],
        level_names=None if image.level_names is None else list(image.level_names),
        tiles=None if tileset is None else _tiles(tileset),
    )


def _tiles(tileset: Tileset) -> schemas.EncodedArray:
    """Encode the tiles, smaller ones if they are too large; the least is a pixel of the mean colour."""
    tiles = tileset.fitting(len(tileset), _MAX_TILE_PIXELS).tiles
    if tiles[..., 0].size > _MAX_TILE_PIXELS:
        tiles = tileset.mean_colours()[:, None, None]
    return schemas.EncodedArray.of(tiles, "uint8")


def hint_image(model: LikelihoodModel) -> ImageSpec | None:
    """Return the image spec of the hint for an image of the default size; None if it has no levels, or is missing."""
    hint = model.condition(HintConfig)
    if hint is None or hint.image is None:
        return None
    height, width = model.image.height, model.image.width
    kind, _, factor = (hint.rule or "").partition(":")
    if kind == "lowres":
        height, width = (-(-side // int(factor)) for side in (height, width))
    return hint.image.resized(height, width)


def _other_conditions(model: LikelihoodModel) -> dict[str, str]:
    """Return what a value is, of each condition that has no dedicated field."""
    kinds = {name: kind for name, kind in condition_kinds().items() if name not in DEDICATED}
    settings = {name: model.condition(kind) for name, kind in kinds.items()}
    return {name: config.value_form() for name, config in settings.items() if config is not None}


def _supported_conditions(model: LikelihoodModel) -> schemas.SupportedConditions:
    hint, image = model.condition(HintConfig), hint_image(model)
    kind = None if image is None else image_kind(image, tuple(f"channel {c}" for c in range(image.channels)))
    attributes = model.condition(AttributesConfig)
    text = model.condition(TextConfig)
    return schemas.SupportedConditions(
        labels=list(model.classes),
        attributes={name: list(values) for name, values in (attributes.values.items() if attributes else ())},
        others=_other_conditions(model),
        text=None if text is None else schemas.TextKind(encoder=text.frozen or None, learned=text.learned),
        hint=None if hint is None else schemas.HintKind(image=kind, channels=hint.channels, derive=hint.rule),
    )
