"""Arrays of one run: every value and feature map over the whole image, read and written a region at a time.

A region is the whole image, a row, or a site. An instruction means the same over any region, so a run over whole maps
and a run site by site differ only in the order of the regions. Another array library needs only `zeros` and `constant`
of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import Phase, Tap, Value, View

Array: TypeAlias = Any
"""An array of the library that `Frames.zeros` uses."""


@dataclass(frozen=True)
class Region:
    """Rows and columns of one grid of the image, as slices."""

    rows: slice
    columns: slice

    @classmethod
    def of_rows(cls, first: int, stop: int, width: int) -> Region:
        """Return whole rows."""
        return cls(slice(first, stop, 1), slice(0, width, 1))

    @classmethod
    def of_site(cls, row: int, column: int) -> Region:
        """Return one site."""
        return cls(slice(row, row + 1, 1), slice(column, column + 1, 1))

    def with_parity(self, parity: int) -> Region:
        """Return the even or the odd rows of the region."""
        start = self.rows.start + (self.rows.start % 2 != parity)
        return Region(slice(start, max(start, self.rows.stop), 2), self.columns)

    def from_row(self, row: int) -> Region:
        """Return the rows from one on."""
        if row <= self.rows.start:
            return self
        return Region(slice(row, max(row, self.rows.stop), self.rows.step), self.columns)

    @property
    def is_empty(self) -> bool:
        """True if it has no row."""
        return bool(self.rows.start >= self.rows.stop)


class Frames:
    """The arrays of one run.

    Args:
        program: an integer program, or one in floating point.
        batch, height, width: number and size of the images.
        inputs: conditions by name, `[b, 1, 1, c]` or `[b, h, w, c]`.
        dtype: int32, or the precision of a floating-point program.
    """

    def __init__(
        self, program: Any, batch: int, height: int, width: int, inputs: Mapping[str, Array], dtype: Any = np.int32
    ) -> None:
        self.program, self.batch, self.height, self.width, self.dtype = program, batch, height, width, dtype
        self.inputs = inputs
        self._values: dict[Value, Array] = {}
        self._maps: dict[Any, Array] = {}
        self.caches = {cache: self.new_cache(cache) for cache in program.kv_caches}

    def zeros(self, *shape: int) -> Array:
        """Allocate an array."""
        return np.zeros(shape, self.dtype)

    def constant(self, numbers: NDArray[Any]) -> Array:
        """Return numbers of the program as an array."""
        return numbers

    def new_cache(self, cache: Any) -> Array:
        """Allocate the array of a KV cache."""
        return self.zeros(self.batch, self.height * self.width, cache.channels)

    def size(self, scale: int) -> tuple[int, int]:
        """Return rows and columns of a grid."""
        return -(-self.height // scale), -(-self.width // scale)

    def value(self, value: Value) -> Array:
        """Return the array of a value, `[b, rows, columns, c]`, or `[b, 1, 1, c]` in phase IMAGE."""
        if value not in self._values:
            size = (1, 1) if value.phase == Phase.IMAGE else self.size(value.scale)
            self._values[value] = self.zeros(self.batch, *size, value.channels)
        return self._values[value]

    def values(self) -> Iterable[tuple[Value, Array]]:
        """Return all values with their arrays."""
        return self._values.items()

    def drop(self, value: Value) -> None:
        """Free the array of a value."""
        self._values.pop(value, None)

    def read(self, view: View, region: Region) -> Array:
        """Return the channels of a view over a region; a value of phase IMAGE is broadcast."""
        array = self.value(view.value)[..., view.start : view.start + view.channels]
        return array if view.phase == Phase.IMAGE else array[:, region.rows, region.columns]

    def write(self, view: View, region: Region, array: Array) -> None:
        """Set the channels of a view over a region."""
        self.read(view, region)[...] = array

    def map(self, feature_map: Any) -> Array:
        """Return the array of a feature map, with its margins."""
        if feature_map not in self._maps:
            rows, columns = self.size(feature_map.scale)
            up, left, right = feature_map.up, feature_map.left, feature_map.right
            array = self.zeros(self.batch, up + rows, left + columns + right, feature_map.channels)
            if feature_map.initial_left is not None:
                array[:, :, :left] = self.constant(feature_map.initial_left)
            if feature_map.initial_above is not None:
                array[:, :up, left : left + columns] = self.constant(feature_map.initial_above)
            self._maps[feature_map] = array
        return self._maps[feature_map]

    def sites(self, feature_map: Any, region: Region, tap: Tap = (0, 0), step: int = 1) -> Array:
        """Return the sites of a map at an offset from the sites of a region, whose grid is `step` times as coarse."""
        (dy, dx), array = tap, self.map(feature_map)
        return array[
            :,
            _moved(region.rows, step, feature_map.up + dy),
            _moved(region.columns, step, feature_map.left + dx),
        ]

    def select(self, indices: Array) -> None:
        """Copy the state of images: image i becomes a copy of image `indices[i]`. Conditions stay."""
        for array in (*self._maps.values(), *self.caches.values()):
            array[...] = array[indices]
        for value, array in self._values.items():
            if value.phase != Phase.IMAGE:
                array[...] = array[indices]

    def save(self) -> Any:
        """Copy the state of the images between two rows; all other values are computed in a row."""
        return {each: self.copy(array) for each, array in (*self._maps.items(), *self.caches.items())}

    def restore(self, state: Any) -> None:
        """Copy a saved state back; maps that were not in use yet begin again."""
        self._maps = {each: array for each, array in self._maps.items() if each in state}
        for each, array in (*self._maps.items(), *self.caches.items()):
            array[...] = state[each]

    def copy(self, array: Array) -> Array:
        """Copy an array."""
        return array.copy()


def _moved(part: slice, step: int, by: int) -> slice:
    return slice(part.start * step + by, (part.stop - 1) * step + by + 1, part.step * step)
