"""Conversion between schemas and the package's own objects: levels, masks, conditions."""

from __future__ import annotations

import hashlib
import math
from typing import Any, Literal

import numpy as np

from pointillist.analysis import ImageQuery
from pointillist.completion.canvas import windows
from pointillist.conditioning import OBSERVED, ConditionInputs, HintConfig
from pointillist.conditioning.inputs import has_prompt
from pointillist.conditioning.prompts import SpelledPrompt
from pointillist.conditioning.registry import DEDICATED, condition_kinds, unsupported_condition
from pointillist.errors import ConfigError, DataError, ShapeError
from pointillist.images.array_types import Bool, Int
from pointillist.model.protocols import LikelihoodModel
from pointillist.model.vocabulary import resolve_prompts
from pointillist.studio import schemas
from pointillist.studio.errors import too_large


def decode_levels(
    model: LikelihoodModel, encoded: schemas.EncodedArray, limits: schemas.Limits
) -> Int[np.ndarray, "1 c h w"]:
    """Decode the levels of an image.

    Raises:
        RequestError: if there are too many pixels.
        ShapeError, DataError: if it is not an image of the model.
    """
    return model.check_array(_decode_integers(model, encoded, limits))


def _decode_integers(
    model: LikelihoodModel, encoded: schemas.EncodedArray, limits: schemas.Limits
) -> Int[np.ndarray, "1 c h w"]:
    if len(encoded.shape) != 3:
        raise ShapeError(f"`levels` of shape {encoded.shape} must be [{model.image.channels}, height, width].")
    check_pixels(encoded.shape[1], encoded.shape[2], limits)
    if encoded.dtype == "float32":
        raise DataError("`levels` must be uint8 or uint16, not float32: they are integers.")
    return encoded.array().astype(np.int64)[None]


def decode_canvas(
    model: LikelihoodModel, encoded: schemas.EncodedArray, limits: schemas.Limits
) -> Int[np.ndarray, "c h w"]:
    """Decode an image that may be larger than the images of a model of fixed size, which fills it window by window.

    Raises:
        RequestError: if there are too many pixels.
        ShapeError, DataError: if it is not an image of the model.
        ConfigError: if it is smaller than images of a model of fixed size.
    """
    levels = _decode_integers(model, encoded, limits)
    if not model.fixed_size:
        return np.asarray(model.check_array(levels)[0])
    for window in windows((levels.shape[2], levels.shape[3]), (model.image.height, model.image.width), (0, 0)):
        model.check_array(levels[:, :, window[0], window[1]])
    return np.asarray(levels[0])


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


def decode_conditions(
    model: LikelihoodModel,
    values: schemas.ConditionValues,
    size: tuple[int, int],
    known: tuple[Int[np.ndarray, "c h w"], Bool[np.ndarray, "h w"]] | None = None,
) -> ConditionInputs:
    """Decode the conditions of an image of size `height, width`.

    A prompt is that which is sampled; see `resolve_prompts`.

    Args:
        known: levels and the mask of those that are known, which a model that completes images is conditioned on.

    Raises:
        ConfigError, ShapeError, DataError: if the model does not support them.
    """
    further: dict[str, Any] = {**_other_values(values), "attributes": values.attributes}
    further["hint"] = None if values.hint is None else decode_hint(model, values.hint)
    if OBSERVED in model.conditions.readers:
        further["known"] = known
    text = resolve_prompts(model, _prompt_of(values), 1)
    return model.conditions.inputs(values.label, 1, text, size=size, **further)


def _prompt_of(values: schemas.ConditionValues) -> str | None:
    """Return the prompt, with the way in which it is read."""
    return SpelledPrompt(values.text) if values.letters and values.text else values.text


def condition_keywords(model: LikelihoodModel, values: schemas.ConditionValues) -> dict[str, Any]:
    """Convert the conditions of an image to keywords of `sample`, without those that are left out.

    Raises:
        ShapeError, DataError: if the hint is none of the model.
    """
    hint = None if values.hint is None else decode_hint(model, values.hint)
    result = {"label": values.label, "text": _prompt_of(values), "attributes": values.attributes, "hint": hint}
    return {name: value for name, value in {**_other_values(values), **result}.items() if value is not None}


def drawing_keywords(
    model: LikelihoodModel,
    request: schemas.SampleRequest | schemas.FillRequest,
    values: schemas.ConditionValues,
    size: tuple[int, int],
    negative: str | None = None,
) -> dict[str, Any]:
    """Convert the conditions of an image and the transform of a request to keywords of `sample`.

    A page always sends its guidance: of an image without conditions it would be rejected, as it changes nothing.

    Raises:
        ConfigError, ShapeError, DataError: if the model does not support the conditions.
    """
    keywords = {"temperature": request.temperature, "top_p": request.top_p, **condition_keywords(model, values)}
    if has_prompt(negative) or decode_conditions(model, values, size).is_conditional:
        keywords["guidance"] = request.guidance
    return keywords


def _other_values(values: schemas.ConditionValues) -> dict[str, Any]:
    """Return values of kinds that have no dedicated field.

    Raises:
        ConfigError: if one is not registered, or has a dedicated field.
    """
    for name, value in values.others.items():
        if name in DEDICATED:
            raise ConfigError(f"`others` (={name!r}) must name a condition without a field: use the field `{name}`.")
        if name not in condition_kinds():
            raise unsupported_condition(name, value)
    return dict(values.others)


def decode_hint(model: LikelihoodModel, encoded: schemas.EncodedArray) -> np.ndarray:
    """Decode the levels or numbers of a hint.

    Raises:
        ShapeError, DataError: if it is not a hint of the model.
    """
    if len(encoded.shape) != 3:
        raise ShapeError(f"`hint` of shape {encoded.shape} must be [channels, height, width].")
    config = model.condition(HintConfig)
    if config is not None and (config.image is None) != (encoded.dtype == "float32"):
        expected = "float32 numbers" if config.image is None else "levels, uint8 or uint16"
        raise DataError(f"`hint` ({encoded.dtype}) must be {expected}.")
    array = encoded.array()
    return array if encoded.dtype == "float32" else array.astype(np.int64)


def decode_query(model: LikelihoodModel, query: schemas.CanvasQuery, limits: schemas.Limits) -> ImageQuery:
    """Decode an image, its conditions and its order.

    Raises:
        RequestError, ConfigError, ShapeError, DataError: naming what is wrong.
    """
    x = decode_levels(model, query.levels, limits)
    conditions = decode_conditions(model, query.conditions, (x.shape[2], x.shape[3]))
    text = resolve_prompts(model, query.conditions.text, 1)
    prompt = text[0] if isinstance(text, list) else text
    return ImageQuery(model, x, conditions, model.order(query.order), prompt, query.engine)


def level_dtype(levels: int) -> Literal["uint8", "uint16"]:
    """Return the dtype of encoded levels."""
    return "uint8" if levels <= 256 else "uint16"


def encode_levels(model: LikelihoodModel, levels: Any) -> schemas.EncodedArray:
    """Encode levels."""
    return schemas.EncodedArray.of(np.asarray(levels), level_dtype(model.image.levels))


def encode_floats(values: Any) -> schemas.EncodedArray:
    """Encode a map of numbers as float32."""
    return schemas.EncodedArray.of(np.asarray(values), "float32")


def sampled_image(model: LikelihoodModel, levels: Any, nats: float) -> schemas.SampledImage:
    """Encode a finished image; `nats` is its log-likelihood."""
    bits = -nats / math.log(2)
    encoded = encode_levels(model, levels)
    digest = hashlib.sha256(encoded.array().astype(np.dtype(encoded.dtype).newbyteorder("<")).tobytes()).hexdigest()
    return schemas.SampledImage(levels=encoded, bits=bits, bits_per_dim=bits / encoded.array().size, sha256=digest)
