"""Conditions of a stored integer model as integers: classes, prompts, positions, the generation order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pointillist.conditioning.inputs import ConditionInputs, MaskedValue, unique_items
from pointillist.conditioning.known import OBSERVED
from pointillist.conditioning.label import LabelReader, labels_from_input
from pointillist.conditioning.portable import PortableEncoder
from pointillist.conditioning.readers import ConditionReader, ConditionReaders
from pointillist.conditioning.registry import missing
from pointillist.engine.executors import run_grid
from pointillist.engine.head.frequencies import log_probs, precision_of, softmax
from pointillist.engine.head.tables import exp_table
from pointillist.engine.program import INT8, LIMIT, RANGES, Array, IntArray, Program
from pointillist.errors import ConfigError, ShapeError
from pointillist.images import ImageSpec
from pointillist.images.array_types import Float
from pointillist.images.ordering import PixelOrder

ORDER, POSITION = "order", "position"
"""Names of the parts that hold the generation order, and the learned positions."""


LOGITS_OF_MARGINALS = 32
"""Steps of a logit of a distribution in one of marginal probabilities, which has 8 bits: 2^-3."""


@dataclass(frozen=True, eq=False)
class IntegerPart:
    """A part of the condition: what one encoder contributes to the vector or the map.

    Attributes:
        name: name of the encoder, `order` or `position`.
        kind: `vector`, `map` or `tokens`.
        rows: integers of its values, the last of which is "unknown": `[n, c]`, or `[n, h, w, c]` of a map.
        names: names of the values before the last.
        encoder: computes the features of other values; None if absent.
        program: computes the integers of a map from the canvas that the encoder writes; None for other encoders.
    """

    name: str
    kind: str
    rows: IntArray
    names: tuple[str, ...] = ()
    encoder: PortableEncoder | None = None
    program: Program | None = None

    @property
    def any_size(self) -> bool:
        """True unless it stores a map of one size, and nothing that makes another."""
        return self.kind != "map" or self.encoder is not None

    @property
    def keyword(self) -> str | None:
        """The keyword under which a user gives its value; None if the program knows only "unknown"."""
        return None if self.reader is None else self.reader.keyword

    @property
    def reader(self) -> ConditionReader | None:
        """Reads its values; None if the program knows only "unknown"."""
        if self.encoder is not None:
            return cast(ConditionReader, self.encoder.reader)
        return LabelReader(self.names, self.name) if self.names and self.name != ORDER else None

    def stored(self, value: MaskedValue | None, count: int, order: PixelOrder) -> IntArray:
        """Return the rows of `count` images: of the order, of named values, or "unknown"."""
        numbers = np.full(count, -1)  # the last row
        if self.name == ORDER:
            numbers[:] = self.names.index(order.name)
        elif self.names:
            numbers = labels_from_input(value, count)
        same = (numbers == numbers[0]).all()
        rows: IntArray = self.rows[numbers[:1] if same else numbers]
        return np.broadcast_to(rows, (count, *rows.shape[1:]))

    def encoded(self, unit: Float[np.ndarray, " c"], value: MaskedValue) -> IntArray:
        """Return the integers of images from values that are known in parts, all by the stored encoder.

        An image of which nothing is known has the stored row; only a map of another size is computed for it as well.

        Args:
            unit: the number that an integer of each channel stands for.
            value: values of the images.
        """
        other_size = self.kind == "map" and value.values.shape[2:] != self.rows.shape[1:3]
        chosen = value.known_images | other_size
        if chosen.all():
            return self._integers(unit, value)
        unknown: IntArray = np.broadcast_to(self.rows[-1], (len(chosen), *self.rows.shape[1:]))
        if not chosen.any():
            return unknown
        result = unknown.copy()
        result[chosen] = self._integers(unit, value[chosen])
        return result

    def _integers(self, unit: Float[np.ndarray, " c"], value: MaskedValue) -> IntArray:
        features = self._features(value)
        if self.program is None:
            return round_features(self.kind, features, unit)
        return features[..., : self.rows.shape[-1]]

    def _features(self, value: MaskedValue) -> NDArray[Any]:
        """Compute the features of images; of a grid by its program, which encodes images that are the same once."""
        assert self.encoder is not None
        features = self.encoder.features(value.values, value.known)
        if self.program is None:
            return features
        different, place = unique_items(features.astype(np.int32))
        encoded: NDArray[Any] = run_grid(self.program, different)[place]
        return encoded

    @property
    def has_marginals(self) -> bool:
        """True if logits of each level follow the features in the program."""
        return self.program is not None and self.program.params.channels > self.rows.shape[-1]

    def log_marginals(self, value: MaskedValue) -> Float[np.ndarray, "b k h w"] | None:
        """Compute the log-probabilities of all levels from the logits behind the features of known pixels, if any."""
        if not self.has_marginals:
            return None
        logits = self._features(value)[..., self.rows.shape[-1] :].astype(np.int64)
        precision = precision_of(logits.shape[-1])
        return np.moveaxis(log_probs(softmax(logits * LOGITS_OF_MARGINALS, exp_table(), precision), precision), 3, 1)


class StoredConditions(ConditionReaders):
    """Conditions that the parts of a stored program read."""

    def __init__(self, parts: Sequence[IntegerPart], image: ImageSpec) -> None:
        self._readers = {part.name: reader for part in parts if (reader := part.reader) is not None}
        self._reads_all = all(part.name in (*self._readers, ORDER, POSITION) for part in parts)
        self._image = image
        self._parts = tuple(parts)

    def log_marginals(self, inputs: ConditionInputs) -> Float[np.ndarray, "b k h w"] | None:
        return next((p.log_marginals(inputs.parts[p.name]) for p in self._parts if p.name == OBSERVED), None)

    @property
    def readers(self) -> Mapping[str, ConditionReader]:
        return self._readers

    @property
    def image(self) -> ImageSpec:
        """Meaning of the integers of the images."""
        return self._image

    def unsupported(self, keyword: str, value: object) -> ConfigError:
        """Return the error for a condition that the program does not take, or cannot encode."""
        if self._reads_all:
            return super().unsupported(keyword, value)
        shown = f" (={value!r})" if isinstance(value, (str, int)) else ""
        return missing(keyword, f"{keyword}, or its program cannot read it", shown)


def encode_inputs(
    program: Program,
    parts: Sequence[IntegerPart],
    inputs: ConditionInputs,
    size: tuple[int, int],
    order: PixelOrder,
    features: Mapping[str, Array],
) -> dict[str, IntArray]:
    """Return the conditions of images as integers; see `ProgramModel.encode`."""
    joined: dict[str, list[IntArray]] = {}
    for part in parts:
        if part.kind not in program.inputs:
            continue
        value, before = inputs.parts.get(part.name), joined.setdefault(part.kind, [])
        start = sum(each.shape[-1] for each in before)
        unit = program.inputs[part.kind].unit[start : start + part.rows.shape[-1]]
        if part.name in features:
            integers = round_features(part.kind, features[part.name], unit)
        elif not part.any_size and part.rows.shape[1:3] != size:
            raise ShapeError(
                f"Size {size[0]}x{size[1]} does not fit the stored map of `{part.name}`, "
                f"{part.rows.shape[1]}x{part.rows.shape[2]}: resize the images."
            )
        elif part.encoder is not None:
            integers = part.encoded(unit, value or part.encoder.reader.read(None, len(inputs), size))
        else:
            integers = part.stored(value, len(inputs), order)
        before.append(integers)
    result = {kind: _concatenate(arrays) if arrays[1:] else arrays[0] for kind, arrays in joined.items()}
    if "map" in result:
        result["map"] = np.moveaxis(order.array_to_raster(np.moveaxis(result["map"], -1, 1)), 1, -1)
    return result


def join_inputs(inputs: Mapping[str, IntArray], reference: Mapping[str, IntArray]) -> dict[str, IntArray]:
    """Return the conditions of images, and then the reference of guidance."""
    return {name: _append(array, reference[name]) for name, array in inputs.items()}


def _concatenate(arrays: Sequence[IntArray]) -> IntArray:
    """Concatenate channels; of arrays that repeat one image, once."""
    if any(array.strides[0] for array in arrays):
        return np.concatenate(arrays, -1)
    image = np.concatenate([array[0] for array in arrays], -1)
    return np.broadcast_to(image, (len(arrays[0]), *image.shape))


def _append(images: IntArray, others: IntArray) -> IntArray:
    """Append images to others; where all are the same one, it is held once."""
    if images.strides[0] or others.strides[0] or not np.array_equal(images[0], others[0]):
        return np.concatenate([images, others])
    return np.broadcast_to(images[0], (len(images) + len(others), *images.shape[1:]))


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
