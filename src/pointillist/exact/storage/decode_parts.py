"""Read the conditions of an exact model, and their encoders, with every type and shape checked."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pointillist.checkpoint.header import SCALE_SUFFIX
from pointillist.conditioning.hint_reader import HintReader
from pointillist.conditioning.image_preprocessors import HintPreprocessor
from pointillist.errors import ConfigError
from pointillist.exact.conditions import ExactPart
from pointillist.exact.hints import HintFeatures
from pointillist.exact.prompts import WEIGHTS, PromptFeatures
from pointillist.exact.storage import schema
from pointillist.exact.storage.arrays import Array, ArrayReader
from pointillist.exact.weights import StoredWeights


def decode_part(part: schema.PartModel, arrays: ArrayReader) -> ExactPart:
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
    return ExactPart(part.name, part.kind, rows, tuple(part.names), prompts, hints)


def _decode_prompts(found: schema.PromptsModel, width: int, arrays: ArrayReader) -> PromptFeatures:
    """Read an encoder of prompts, whose matrices go together."""
    weights: dict[str, Array] = {}
    for name in WEIGHTS[found.kind]:
        weights |= _weight(found.weights, name, (None, None) if name.endswith("weight") else (None,), arrays)
    for before, after in pairwise(name for name in WEIGHTS[found.kind] if name.endswith("weight")):
        hidden = weights[before].shape[0 if found.kind == "sentence" else 1]
        if weights[after].shape[1] != hidden or not len(weights[before]):
            raise arrays.damaged("an encoder of prompts has matrices that do not fit")
    for bias in (name for name in WEIGHTS[found.kind] if name.endswith("bias")):
        if len(weights[bias]) != len(weights[f"{bias.removesuffix('bias')}weight"]):
            raise arrays.damaged("an encoder of prompts has a bias that does not fit")
    if len(weights[WEIGHTS[found.kind][-1]]) != width:
        raise arrays.damaged("an encoder of prompts has another width")
    return PromptFeatures(found.kind, StoredWeights(weights), found.encoder, found.fingerprint, found.length)


def _decode_hints(found: schema.HintsModel, width: int, arrays: ArrayReader) -> HintFeatures:
    """Read an encoder of hints: square kernels of odd size, from the hint and its mask to the width of the part."""
    weights: dict[str, Array] = {}
    inputs = found.channels
    if found.image is not None:
        if found.image.channels != found.channels:
            raise arrays.damaged("an encoder of hints has other channels than its image")
        if not found.image.ordered:
            weights |= _weight(found.weights, "embedding.weight", (found.image.levels, None), arrays)
            inputs *= weights["embedding.weight"].shape[1]
    for n, name in enumerate(("first", *(f"layers.{n}" for n in range(len(found.dilations))))):
        weights |= _weight(found.weights, f"{name}.weight", (width, width if n else inputs + 1, None, None), arrays)
        weights |= _weight(found.weights, f"{name}.bias", (width,), arrays)
        rows, columns = weights[f"{name}.weight"].shape[2:]
        if rows != columns or rows % 2 == 0 or rows > 15:
            raise arrays.damaged(f"an encoder of hints has a kernel of {rows}x{columns}")
    try:
        rule = None if found.rule is None else HintPreprocessor.parse(found.rule)
    except ConfigError as error:
        raise arrays.damaged(f"{found.rule!r} is no rule") from error
    return HintFeatures(HintReader(found.channels, found.image, rule), StoredWeights(weights), tuple(found.dilations))


def _weight(names: dict[str, str], name: str, shape: tuple[int | None, ...], arrays: ArrayReader) -> dict[str, Array]:
    """Read finite float32, or int8 with the scale of each output."""
    scale = names.get(name + SCALE_SUFFIX)
    found = {name: arrays.get(names.get(name), "float32" if scale is None else "int8", shape)}
    if scale is not None:
        found[name + SCALE_SUFFIX] = arrays.get(scale, "float32", (len(found[name]),))
    if any(not np.isfinite(array).all() for array in found.values()):
        raise arrays.damaged(f"the weight `{name}` of an encoder holds a number that is not finite")
    return found
