"""Conditions of a stored integer model as integers: classes, prompts, positions, the generation order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from pointillist.conditioning.label import label_numbers
from pointillist.conditioning.portable import PortableEncoder
from pointillist.conditioning.settings import missing
from pointillist.engine.program import INT8, LIMIT, RANGES, Array, IntArray, Program
from pointillist.errors import ConfigError, ShapeError
from pointillist.images.ordering import PixelOrder

ORDER = "order"
"""Name of the part that holds the generation order."""


@dataclass(frozen=True, eq=False)
class KnownValues:
    """Values of a condition as `PortableEncoder.read` returns them, in place of what a user gives.

    Attributes:
        values: of each image, `[n, ...]`.
        known: mask of what is known of them.
    """

    values: Array
    known: NDArray[np.bool_]

    def __getitem__(self, images: slice) -> KnownValues:
        """Return the values of some images."""
        return KnownValues(self.values[images], self.known[images])


@dataclass(frozen=True, eq=False)
class IntegerPart:
    """A part of the condition: what one encoder contributes to the vector or the map.

    Attributes:
        name: name of the encoder, `order` or `position`.
        kind: `vector`, `map` or `tokens`.
        rows: integers of its values, the last of which is "unknown": `[n, c]`, or `[n, h, w, c]` of a map.
        names: names of the values before the last.
        encoder: computes the features of other values; None if absent.
    """

    name: str
    kind: str
    rows: IntArray
    names: tuple[str, ...] = ()
    encoder: PortableEncoder | None = None

    @property
    def any_size(self) -> bool:
        """True unless it stores a map of one size, and nothing that makes another."""
        return self.kind != "map" or self.encoder is not None

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

    def encoded(self, unit: Float[np.ndarray, " c"], values: Array, known: NDArray[np.bool_]) -> IntArray:
        """Return the integers of images from values that are known in parts, all by the stored encoder.

        An image of which nothing is known has the stored row; a map of another size, and what an encoder of `any_size`
        makes, is computed for it as well.

        Args:
            unit: the number that an integer of each channel stands for.
            values, known: of each image, as `PortableEncoder.read` returns them.
        """
        assert self.encoder is not None
        other_size = self.kind == "map" and values.shape[2:] != self.rows.shape[1:3]
        chosen = known.reshape(len(known), -1).any(1) | (self.encoder.any_size or other_size)
        if chosen.all():
            return round_features(self.kind, self.encoder.features(values, known), unit)
        result: IntArray = self.rows[np.full(len(known), -1)]
        if chosen.any():
            result[chosen] = round_features(self.kind, self.encoder.features(values[chosen], known[chosen]), unit)
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
            raise not_taken(keyword, value)
    result: dict[str, list[IntArray]] = {}
    starts = {"vector": 0, "map": 0, "tokens": 0}
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
        other_size = part.kind == "map" and part.rows.shape[1:3] != size
        if encoder is not None and (value is not None or encoder.any_size or other_size):
            read = value if isinstance(value, KnownValues) else KnownValues(*encoder.read(value, count, size))
            unit = program.inputs[part.kind].unit[start : starts[part.kind]]
            result.setdefault(part.kind, []).append(part.encoded(unit, read.values, read.known))
        else:
            result.setdefault(part.kind, []).append(part.stored(value, count, order))
    joined = {kind: np.concatenate(arrays, axis=-1) for kind, arrays in result.items()}
    if "map" in joined:
        turned = order.array_to_raster(np.moveaxis(joined["map"], -1, 1))
        joined["map"] = np.ascontiguousarray(np.moveaxis(turned, 1, -1))
    return {kind: array for kind, array in joined.items() if kind in program.inputs}


def not_taken(keyword: str, value: object) -> ConfigError:
    """Return the error for a condition that a program does not take."""
    shown = f" (={value!r})" if isinstance(value, (str, int)) else ""
    return missing(keyword, f"{keyword}, or its program cannot read it", shown)


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
    return {name: round_features(program.inputs[name].kind, features[name], unit) for name, unit in units.items()}


def round_features(kind: str, features: Float[np.ndarray, ...], unit: Float[np.ndarray, " c"]) -> IntArray:
    """Return the features of a vector or of a map as integers, in units of each channel."""
    array, (low, high) = features.astype(np.float64), RANGES[INT8]
    if kind != "map":
        array, low, high = array.reshape(len(array), -1), -LIMIT, LIMIT  # a map of one pixel is a vector
    result: IntArray = np.clip(np.floor(array / unit + 0.5), low, high).astype(np.int32)
    return result
