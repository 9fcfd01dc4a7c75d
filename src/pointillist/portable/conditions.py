"""Conditions of a stored integer model as integers: classes, prompts, positions, the generation order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from pointillist.engine.program import INT8, LIMIT, RANGES, IntArray, Program
from pointillist.errors import ConfigError, ShapeError
from pointillist.images.ordering import PixelOrder
from pointillist.portable.hints import HintFeatures
from pointillist.portable.prompts import PromptFeatures


@dataclass(frozen=True, eq=False)
class IntegerPart:
    """A part of the condition: what one encoder contributes to the vector or the map.

    Attributes:
        name: name of the encoder, `order` or `position`.
        kind: `vector` or `map`.
        rows: integers of its values, the last of which is "unknown": `[n, c]` of a vector, `[n, h, w, c]` of a map.
        names: names of the values before the last.
        prompts, hints: an encoder of prompts or of hints, for a part that depends on them; None for others.
    """

    name: str
    kind: str
    rows: IntArray
    names: tuple[str, ...] = ()
    prompts: PromptFeatures | None = None
    hints: HintFeatures | None = None


def stored_inputs(
    program: Program,
    parts: Sequence[IntegerPart],
    count: int,
    size: tuple[int, int],
    order: PixelOrder,
    label: object = None,
    text: object = None,
    hint: object = None,
) -> dict[str, IntArray]:
    """Return the conditions of images as integers; see `IntegerModel.inputs`."""
    if label is not None and not any(part.name == "label" for part in parts):
        raise ConfigError(f"`label` (={label!r}) is given, and this model takes none: leave it out.")
    if text is not None and not any(part.prompts for part in parts):
        raise ConfigError(f"`text` (={text!r}) is given, and this model takes none: leave it out.")
    if hint is not None and not any(part.hints for part in parts):
        raise ConfigError("`hint` is given, and this model takes none, or its program cannot encode it: leave it out.")
    prompts = [str(one or "") for one in _each(text, count, "text")]
    result: dict[str, list[IntArray]] = {}
    starts = {"vector": 0, "map": 0}
    for part in parts:
        if part.name == "label":
            values = part.rows[[label_row(part, one) for one in _each(label, count, "label")]]
        elif part.name == "order":
            values = part.rows[np.full(count, part.names.index(order.name))]
        else:
            values = part.rows[np.full(count, len(part.rows) - 1)]
        if part.kind == "map" and part.rows.shape[1:3] != size:
            raise ShapeError(
                f"Size {size[0]}x{size[1]} does not fit the stored map of `{part.name}`, "
                f"{part.rows.shape[1]}x{part.rows.shape[2]}: resize the images."
            )
        start = starts[part.kind]
        starts[part.kind] += part.rows.shape[-1]
        if part.prompts is not None and any(prompts) and part.kind in program.inputs:
            features, known = part.prompts(prompts)
            units = {part.kind: program.inputs[part.kind].unit[start : starts[part.kind]]}
            values[known] = quantize_inputs(program, {part.kind: features}, units)[part.kind][known]
        if part.hints is not None and hint is not None and part.kind in program.inputs:
            units = {part.kind: program.inputs[part.kind].unit[start : starts[part.kind]]}
            values = quantize_inputs(program, {part.kind: part.hints(hint, count, size)}, units)[part.kind]
        result.setdefault(part.kind, []).append(values)
    joined = {kind: np.concatenate(arrays, axis=-1) for kind, arrays in result.items()}
    if "map" in joined:
        turned = order.array_to_raster(np.moveaxis(joined["map"], -1, 1))
        joined["map"] = np.ascontiguousarray(np.moveaxis(turned, 1, -1))
    return {kind: array for kind, array in joined.items() if kind in program.inputs}


def quantize_inputs(
    program: Program,
    features: Mapping[str, Float[np.ndarray, ...]],
    units: Mapping[str, Float[np.ndarray, " c"]] | None = None,
) -> dict[str, IntArray]:
    """Return features of conditions, `[b, ..., c]`, as the integers of a program.

    Args:
        features: by name: all that the program takes, or, with `units`, some channels of one.
        units: units of these channels; None for all of the program's.
    """
    units = {name: one.unit for name, one in program.inputs.items()} if units is None else units
    result = {}
    for name, unit in units.items():
        array, (low, high) = features[name].astype(np.float64), RANGES[INT8]
        if program.inputs[name].kind == "vector":
            array, low, high = array.reshape(len(array), -1), -LIMIT, LIMIT  # a map of one pixel is a vector
        result[name] = np.clip(np.floor(array / unit + 0.5), low, high).astype(np.int32)
    return result


def _each(value: Any, count: int, what: str) -> list[Any]:
    """Return one value for each image."""
    if isinstance(value, (list, tuple, np.ndarray)):
        if len(value) not in (1, count):
            raise ConfigError(f"`{what}` has {len(value)} values, and there are {count} images: give one for each.")
        return list(value) * (count if len(value) == 1 else 1)
    return [value] * count


def label_row(part: IntegerPart, label: object) -> int:
    """Return the row of a class given by number or name; the last for None.

    Raises:
        ConfigError: if there is no such class.
    """
    if label is None or (isinstance(label, (int, np.integer)) and int(label) == -1):
        return len(part.names)
    if isinstance(label, str) and label in part.names:
        return part.names.index(label)
    if isinstance(label, (int, np.integer)) and 0 <= int(label) < len(part.names):
        return int(label)
    raise ConfigError(f"`label` (={label!r}) is no class of this model: {', '.join(part.names[:8])}.")
