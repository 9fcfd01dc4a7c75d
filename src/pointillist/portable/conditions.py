"""Conditions of a stored integer model as integers: classes, prompts, positions, the generation order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from pointillist.conditioning.label import label_numbers
from pointillist.conditioning.portable import PortableEncoder
from pointillist.engine.program import INT8, LIMIT, RANGES, IntArray, Program
from pointillist.errors import ConfigError, ShapeError
from pointillist.images.ordering import PixelOrder

ORDER = "order"
"""Name of the part that holds the generation order."""


@dataclass(frozen=True, eq=False)
class IntegerPart:
    """A part of the condition: what one encoder contributes to the vector or the map.

    Attributes:
        name: name of the encoder, `order` or `position`.
        kind: `vector` or `map`.
        rows: integers of its values, the last of which is "unknown": `[n, c]` of a vector, `[n, h, w, c]` of a map.
        names: names of the values before the last.
        encoder: computes the features of other values; None where there are none.
    """

    name: str
    kind: str
    rows: IntArray
    names: tuple[str, ...] = ()
    encoder: PortableEncoder | None = None

    @property
    def any_size(self) -> bool:
        """True unless it stores a map of one size."""
        return self.kind == "vector" or (self.encoder is not None and self.encoder.any_size)

    @property
    def keyword(self) -> str | None:
        """The keyword under which a user gives its value; None if the program knows only "unknown"."""
        if self.encoder is not None:
            return self.encoder.keyword
        return self.name if self.names and self.name != ORDER else None

    def stored(self, value: object, count: int, order: PixelOrder) -> IntArray:
        """Return the rows of `count` images: of the order, of named values, or "unknown"."""
        numbers = np.full(count, -1)  # the last row
        if self.name == ORDER:
            numbers[:] = self.names.index(order.name)
        elif self.names:
            numbers = label_numbers(value, self.names, count, self.name)
        result: IntArray = self.rows[numbers]
        return result


def stored_inputs(
    program: Program,
    parts: Sequence[IntegerPart],
    count: int,
    size: tuple[int, int],
    order: PixelOrder,
    conditions: Mapping[str, Any],
) -> dict[str, IntArray]:
    """Return the conditions of images, by keyword, as integers; see `IntegerModel.inputs`."""
    keywords = {part.keyword for part in parts}
    for keyword, value in conditions.items():
        if value is not None and keyword not in keywords:
            shown = f" (={value!r})" if isinstance(value, (str, int)) else ""
            raise ConfigError(
                f"`{keyword}`{shown} is given, and this model takes none, or its program cannot encode it: leave it "
                "out."
            )
    result: dict[str, list[IntArray]] = {}
    starts = {"vector": 0, "map": 0}
    for part in parts:
        value = conditions.get(part.keyword or "")
        if not part.any_size and part.rows.shape[1:3] != size:
            raise ShapeError(
                f"Size {size[0]}x{size[1]} does not fit the stored map of `{part.name}`, "
                f"{part.rows.shape[1]}x{part.rows.shape[2]}: resize the images."
            )
        start = starts[part.kind]
        starts[part.kind] += part.rows.shape[-1]
        encoder = part.encoder if part.kind in program.inputs else None
        if encoder is not None and encoder.any_size:
            units = {part.kind: program.inputs[part.kind].unit[start : starts[part.kind]]}
            features = encoder.features(*encoder.read(value, count, size))
            result.setdefault(part.kind, []).append(quantize_inputs(program, {part.kind: features}, units)[part.kind])
            continue
        rows = part.stored(value, count, order)
        if encoder is not None and value is not None:
            read, known = encoder.read(value, count, size)
            images = known.reshape(count, -1).any(1)
            if images.any():
                chosen = slice(None) if images.all() else images  # one value for all stays one
                features = encoder.features(read[chosen], known[chosen])
                units = {part.kind: program.inputs[part.kind].unit[start : starts[part.kind]]}
                rows[chosen] = quantize_inputs(program, {part.kind: features}, units)[part.kind]
        result.setdefault(part.kind, []).append(rows)
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
    units = {name: taken.unit for name, taken in program.inputs.items()} if units is None else units
    result = {}
    for name, unit in units.items():
        array, (low, high) = features[name].astype(np.float64), RANGES[INT8]
        if program.inputs[name].kind == "vector":
            array, low, high = array.reshape(len(array), -1), -LIMIT, LIMIT  # a map of one pixel is a vector
        result[name] = np.clip(np.floor(array / unit + 0.5), low, high).astype(np.int32)
    return result
