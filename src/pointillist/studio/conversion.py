"""Conversion between schemas and the package's own objects: levels, masks, conditions, hints from pictures."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Literal

import numpy as np

from pointillist.analysis import ImageQuery
from pointillist.completion.canvas import windows
from pointillist.conditioning import ConditionInputs, HintConfig, HintPreprocessor
from pointillist.conditioning.prompts import SpelledPrompt
from pointillist.conditioning.registry import DEDICATED, condition_kinds, unsupported_condition
from pointillist.distributions.transform import Transform
from pointillist.errors import ConfigError, DataError, ShapeError
from pointillist.images import OPAQUE
from pointillist.images.array_types import Bool, Int, UInt8
from pointillist.model.protocols import LikelihoodModel
from pointillist.model.vocabulary import read_prompts
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.request import Request
from pointillist.studio import schemas
from pointillist.studio.errors import too_large


def decode_levels(
    model: LikelihoodModel,
    encoded: schemas.EncodedArray,
    limits: schemas.Limits,
    *,
    canvas: bool = False,
    several: bool = False,
) -> Int[np.ndarray, "n c h w"]:
    """Decode the levels of an image.

    Args:
        several: whether there may be several images, `[n c h w]`.
        canvas: whether an image of a model of fixed size may be larger, to be filled window by window.

    Raises:
        RequestError: if there are too many pixels.
        ShapeError, DataError: if it is not an image of the model.
        ConfigError: if a canvas is smaller than the images of a model of fixed size.
    """
    if len(encoded.shape) != 3 and not (several and len(encoded.shape) == 4):
        raise ShapeError(f"`levels` of shape {encoded.shape} must be [{model.image.channels}, height, width].")
    height, width = encoded.shape[-2:]
    check_pixels(height, width, limits)
    if encoded.dtype == "float32":
        raise DataError("`levels` must be uint8 or uint16, not float32: they are integers.")
    levels = encoded.array().astype(np.int64)
    levels = levels if levels.ndim == 4 else levels[None]
    if not (canvas and model.fixed_size):
        return model.check_array(levels)
    for window in windows((levels.shape[2], levels.shape[3]), (model.image.height, model.image.width), (0, 0)):
        model.check_array(levels[:, :, *window])
    return levels


def check_pixels(height: int, width: int, limits: schemas.Limits) -> None:
    """Check the size of an image.

    Raises:
        RequestError: if it has too many pixels.
        ShapeError: if it has none.
    """
    if min(height, width) < 1:
        raise ShapeError(f"An image of {height}x{width} must have at least one pixel.")
    if height * width > limits.pixels:
        raise too_large(f"Pixels of {height}x{width}", height * width, limits.pixels, "take a smaller image")


def decode_mask(encoded: schemas.EncodedArray, height: int, width: int, name: str = "known") -> Bool[np.ndarray, "h w"]:
    """Decode a mask.

    Raises:
        ShapeError, DataError: if it is not a mask of that size.
    """
    if encoded.dtype != "uint8" or encoded.shape != [height, width]:
        raise ShapeError(f"`{name}` ({encoded.dtype}, {encoded.shape}) must be uint8 of shape [{height}, {width}].")
    mask = encoded.array()
    if mask.max() > 1:
        raise DataError(f"`{name}` (up to {mask.max()}) must hold 0 and 1 only.")
    return mask.astype(bool)


def condition_keywords(values: schemas.ConditionValues) -> dict[str, Any]:
    """Convert the conditions of an image to keywords of `sample`, without those that are left out.

    Raises:
        ConfigError: if one of `others` is not registered, or has a dedicated field.
        ShapeError, DataError: if the bytes of the hint do not match its shape.
    """
    for name, value in values.others.items():
        if name in DEDICATED:
            raise ConfigError(f"`others` (={name!r}) must name a condition without a field: use the field `{name}`.")
        if name not in condition_kinds():
            raise unsupported_condition(name, value)
    keywords = {
        **values.others,
        "label": values.label,
        "text": SpelledPrompt(values.text) if values.letters and values.text else values.text,
        "attributes": values.attributes,
        "hint": None if values.hint is None else values.hint.array(),
    }
    return {name: value for name, value in keywords.items() if value is not None}


def sampling_request(
    message: schemas.DrawSettings, conditions: Sequence[schemas.ConditionValues], **settings: Any
) -> Request:
    """Make a request of a message: an image for each of its conditions, with further settings.

    Raises:
        ConfigError, ShapeError, DataError: as `condition_keywords`.
    """
    values = SamplingConfig.keywords_of(message)
    tuned = {item.name: values.pop(item.name) for item in fields(Transform)}  # of no effect on some models
    keywords = [condition_keywords(each) for each in conditions]
    return Request(n=len(keywords), conditions=keywords, settings={**values, **settings}, defaults=tuned)


def decode_conditions(
    model: LikelihoodModel, values: schemas.ConditionValues, size: tuple[int, int]
) -> tuple[ConditionInputs, str | None]:
    """Decode the conditions of an image of size `height, width`; return them, and the prompt as it is sampled.

    Raises:
        ConfigError, ShapeError, DataError: if the model does not support them.
    """
    keywords = condition_keywords(values)
    read = read_prompts(model, keywords.pop("text", None), 1)
    texts = None if read is None else read.texts
    return model.conditions.inputs(text=texts, size=size, **keywords), texts[0] if texts else None


def decode_query(model: LikelihoodModel, query: schemas.CanvasQuery, limits: schemas.Limits) -> ImageQuery:
    """Decode an image, its conditions and its order.

    Raises:
        RequestError, ConfigError, ShapeError, DataError: naming what is wrong.
    """
    x = decode_levels(model, query.levels, limits)
    conditions, prompt = decode_conditions(model, query.conditions, (x.shape[2], x.shape[3]))
    return ImageQuery(model, x, conditions, model.order(query.order), prompt, query.engine)


def level_dtype(levels: int) -> Literal["uint8", "uint16"]:
    return "uint8" if levels <= 256 else "uint16"


def encode_levels(model: LikelihoodModel, levels: Any) -> schemas.EncodedArray:
    return schemas.EncodedArray.of(np.asarray(levels), level_dtype(model.image.levels))


def encode_floats(values: Any) -> schemas.EncodedArray:
    return schemas.EncodedArray.of(np.asarray(values), "float32")


def sampled_image(model: LikelihoodModel, levels: Any, nats: float) -> schemas.SampledImage:
    """Encode a finished image; `nats` is its log-likelihood."""
    bits = -nats / math.log(2)
    encoded = encode_levels(model, levels)
    digest = hashlib.sha256(encoded.array().astype(np.dtype(encoded.dtype).newbyteorder("<")).tobytes()).hexdigest()
    return schemas.SampledImage(levels=encoded, bits=bits, bits_per_dim=bits / encoded.array().size, sha256=digest)


_DARK, _LIGHT = 64, 191  # of 255
_GREY = 32  # difference of channels up to which a colour counts as grey
_TWO_TONED = 0.9  # share of dark and light pixels of a drawing
LINE = 0.2  # share of ink in a pixel of a smaller drawing, from which it is a line

DERIVED = "outlined by the model's own rule"
INVERTED = "inverted, as lines are light on dark for the model"


def outline_rule(model: LikelihoodModel) -> HintPreprocessor | None:
    """Return the rule of a model whose hint is the outline of its images; None for other models.

    Example:
        outline_rule(pt.load("outline-to-tile")).kind  # "outline"
    """
    hint = model.condition(HintConfig)
    rule = None if hint is None or hint.rule is None else HintPreprocessor.parse(hint.rule)
    return rule if rule is not None and rule.kind == "outline" else None


def is_drawing(array: UInt8[np.ndarray, "h w 4"]) -> bool:
    """Return true if a picture, RGBA, is opaque and has nothing but dark and light greys.

    Example:
        is_drawing(np.full((8, 8, 4), 255, np.uint8))  # True
    """
    if (array[..., 3] < OPAQUE).any():
        return False
    rgb = array[..., :3].astype(np.int64)
    grey = np.ptp(rgb, axis=2) < _GREY
    luma = rgb.mean(2)
    return bool((grey & ((luma < _DARK) | (luma > _LIGHT))).mean() >= _TWO_TONED)


def ink_of(array: UInt8[np.ndarray, "h w 4"]) -> tuple[Bool[np.ndarray, "h w"], bool]:
    """Return the lines of a drawing, and whether they were dark on light: the border is ground.

    Example:
        ink, inverted = ink_of(array)
    """
    light = array[..., :3].mean(2) > 127
    border = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    inverted = bool(border.mean() > 0.5)
    return light ^ inverted, inverted
