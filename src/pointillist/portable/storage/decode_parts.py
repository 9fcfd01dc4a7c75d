"""Read the conditions of an integer model, and their encoders, with every type and shape checked."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pointillist.checkpoint.header import SCALE_SUFFIX
from pointillist.conditioning.hint import HintReader
from pointillist.conditioning.image_preprocessors import HintPreprocessor
from pointillist.errors import ConfigError
from pointillist.portable.conditions import IntegerPart
from pointillist.portable.hints import HintFeatures
from pointillist.portable.prompts import WEIGHTS, PromptFeatures
from pointillist.portable.storage import schema
from pointillist.portable.storage.arrays import Array, ArrayReader
from pointillist.portable.weights import StoredWeights


def decode_part(part: schema.PartModel, arrays: ArrayReader) -> IntegerPart:
    """Read a part of the condition.

    Raises:
        CheckpointError: if an array is not what it must be.
    """
    shape = (None, None) if part.kind == "vector" else (None, None, None, None)
    rows = arrays.get(part.rows, "int32", shape)
    if len(rows) < max(1, len(part.names)):
        raise arrays.damaged(f"the condition `{part.name}` has too few rows")
    width = rows.shape[-1]
    prompts = None if part.prompts is None else _decode_prompts(part.prompts, width, arrays)
    hints = None if part.hints is None else _decode_hints(part.hints, width, arrays)
    if hints is not None and part.kind != "map":
        raise arrays.damaged("an encoder of hints has no map")
    return IntegerPart(part.name, part.kind, rows, tuple(part.names), prompts, hints)


def _decode_prompts(result: schema.PromptsModel, width: int, arrays: ArrayReader) -> PromptFeatures:
    """Read an encoder of prompts, whose matrices go together."""
    weights: dict[str, Array] = {}
    for name in WEIGHTS[result.kind]:
        weights |= _weight(result.weights, name, (None, None) if name.endswith("weight") else (None,), arrays)
    for before, after in pairwise(name for name in WEIGHTS[result.kind] if name.endswith("weight")):
        hidden = weights[before].shape[0 if result.kind == "sentence" else 1]
        if weights[after].shape[1] != hidden or not len(weights[before]):
            raise arrays.damaged("an encoder of prompts has matrices that do not fit")
    for bias in (name for name in WEIGHTS[result.kind] if name.endswith("bias")):
        if len(weights[bias]) != len(weights[f"{bias.removesuffix('bias')}weight"]):
            raise arrays.damaged("an encoder of prompts has a bias that does not fit")
    if len(weights[WEIGHTS[result.kind][-1]]) != width:
        raise arrays.damaged("an encoder of prompts has another width")
    return PromptFeatures(result.kind, StoredWeights(weights), result.encoder, result.fingerprint, result.length)


def _decode_hints(result: schema.HintsModel, width: int, arrays: ArrayReader) -> HintFeatures:
    """Read an encoder of hints: square kernels of odd size, from the hint and its mask to the width of the part."""
    weights: dict[str, Array] = {}
    inputs = result.channels
    if result.image is not None:
        if result.image.channels != result.channels:
            raise arrays.damaged("an encoder of hints has other channels than its image")
        if not result.image.ordered:
            weights |= _weight(result.weights, "embedding.weight", (result.image.levels, None), arrays)
            inputs *= weights["embedding.weight"].shape[1]
    for n, name in enumerate(("first", *(f"layers.{n}" for n in range(len(result.dilations))))):
        weights |= _weight(result.weights, f"{name}.weight", (width, width if n else inputs + 1, None, None), arrays)
        weights |= _weight(result.weights, f"{name}.bias", (width,), arrays)
        rows, columns = weights[f"{name}.weight"].shape[2:]
        if rows != columns or rows % 2 == 0 or rows > 15:
            raise arrays.damaged(f"an encoder of hints has a kernel of {rows}x{columns}")
    try:
        rule = None if result.rule is None else HintPreprocessor.parse(result.rule)
    except ConfigError as error:
        raise arrays.damaged(f"{result.rule!r} is no rule") from error
    return HintFeatures(
        HintReader(result.channels, result.image, rule), StoredWeights(weights), tuple(result.dilations)
    )


def _weight(names: dict[str, str], name: str, shape: tuple[int | None, ...], arrays: ArrayReader) -> dict[str, Array]:
    """Read finite float32, or int8 with the scale of each output."""
    scale = names.get(name + SCALE_SUFFIX)
    result = {name: arrays.get(names.get(name), "float32" if scale is None else "int8", shape)}
    if scale is not None:
        result[name + SCALE_SUFFIX] = arrays.get(scale, "float32", (len(result[name]),))
    if any(not np.isfinite(array).all() for array in result.values()):
        raise arrays.damaged(f"the weight `{name}` of an encoder holds a number that is not finite")
    return result
