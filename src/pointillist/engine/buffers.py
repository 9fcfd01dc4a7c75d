"""Arrays of one run: every value and feature map, read and written a region at a time.

A region is the whole image, a row, or a site. An instruction means the same over any region, so a run over whole maps
and a run site by site differ only in the order of the regions. `Buffers` hold whole images, or the current site alone
with the rows above that are still read; then their addresses never change, so that a call is bound once.

Another array library replaces `zeros`, `constant`, `constants` and `copy`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.arithmetic import Array, prepare
from pointillist.engine.program import FeatureMap, Instruction, KeyValueCache, Phase, Program, Tap, Value, View

Call = Callable[[], None]
"""An instruction that is bound to a region of some buffers."""


@dataclass(frozen=True)
class Region:
    """Rows and columns of one grid of the image, as slices."""

    rows: slice
    columns: slice

    @classmethod
    def of_rows(cls, first: int, stop: int, width: int) -> Region:
        return cls(slice(first, stop, 1), slice(0, width, 1))

    @classmethod
    def of_site(cls, row: int, column: int) -> Region:
        return cls(slice(row, row + 1, 1), slice(column, column + 1, 1))

    def with_parity(self, parity: int) -> Region:
        """Return the even or the odd rows of the region."""
        start = self.rows.start + (self.rows.start % 2 != parity)
        return Region(slice(start, max(start, self.rows.stop), 2), self.columns)

    def from_row(self, row: int) -> Region:
        start = max(self.rows.start, row)
        return Region(slice(start, max(start, self.rows.stop), self.rows.step), self.columns)


class Buffers:
    """The arrays of one run.

    Args:
        program: in floating point or in integers.
        batch, height, width: number and size of the images.
        inputs: conditions by name, `[b, 1, 1, c]` or `[b, h, w, c]`; see `prepare_inputs`.
        held: what there is of a value: the whole `image`; or the current `site`, and the current row of what is known
            with the row above. Maps have the rows above that are read. Regions name rows and columns of the image all
            the same. `begin` and `shift` go from row to row.

    Attributes:
        row: the current row, unless whole images are held.
        caches: KV caches, `[b, sites, c]`.
    """

    program: Program
    batch: int
    height: int
    width: int
    inputs: Mapping[str, Array]
    row: int

    def __init__(
        self,
        program: Program,
        batch: int,
        height: int,
        width: int,
        inputs: Mapping[str, Array],
        *,
        held: Literal["image", "site"] = "image",
    ) -> None:
        self.program, self.batch, self.height, self.width = program, batch, height, width
        self.inputs, self.held, self.row = inputs, held, 0
        self._values: dict[Value, Array] = {}
        self._maps: dict[FeatureMap, Array] = {}
        self._constants: dict[Instruction, Mapping[str, Any]] = {}
        self.caches: dict[KeyValueCache, Array] = {cache: self.new_cache(cache) for cache in program.kv_caches}
        for feature_map in () if held == "image" else program.maps:
            rows = self.map(feature_map)
            if feature_map.initial_above is not None:  # the current row is the row above until it is written
                rows[:, -1] = rows[:, 0]

    def zeros(self, *shape: int) -> Array:
        return np.zeros(shape, self.program.dtype)

    def constant(self, numbers: NDArray[Any]) -> Array:
        return numbers

    def constants(self, i: Instruction) -> Mapping[str, Any]:
        """Return the constants of an instruction as its opcode computes with them; see `prepare`."""
        if not self.program.is_integer:
            return i.constants
        if i not in self._constants:
            self._constants[i] = {name: prepare(name, array) for name, array in i.constants.items()}
        return self._constants[i]

    def copy(self, array: Array) -> Array:
        return array.copy()

    def new_cache(self, cache: KeyValueCache) -> Array:
        return self.zeros(self.batch, self.height * self.width, cache.channels)

    def size(self, scale: int) -> tuple[int, int]:
        """Return rows and columns of a grid."""
        return -(-self.height // scale) if self.held == "image" else 1, -(-self.width // scale)

    def rows(self, region: Region, scale: int) -> slice:
        """Return the rows of a region of a grid: if whole images are not held, the current row, whatever it names."""
        return region.rows if self.held == "image" else slice(self.row // scale, self.row // scale + 1, 1)

    def value(self, value: Value) -> Array:
        """Return the array of a value, `[b, rows, columns, c]`, or `[b, 1, 1, c]` in phase IMAGE."""
        if value not in self._values:
            size = (1, 1) if value.phase == Phase.IMAGE or self._of_site(value) else self.size(value.scale)
            self._values[value] = self.zeros(self.batch, *size, value.channels)
        return self._values[value]

    def values(self) -> Iterable[tuple[Value, Array]]:
        return self._values.items()

    def read(self, view: View, region: Region) -> Array:
        """Return the channels of a view over a region, to read or to write; a value of phase IMAGE is broadcast."""
        array = self.value(view.value)[..., view.start : view.start + view.channels]
        if view.phase == Phase.IMAGE or self._of_site(view.value):
            return array
        return array[:, self._rows(region), region.columns]

    def output(self, i: Instruction, region: Region) -> Array:
        return self.read(i.written, region)

    def map(self, feature_map: FeatureMap) -> Array:
        if feature_map not in self._maps:
            rows, columns = self.size(feature_map.scale)
            up, left, right = feature_map.up, feature_map.left, feature_map.right
            rows += up * (1 + self.program.is_grid)
            array = self.zeros(self.batch, rows, left + columns + right, feature_map.channels)
            if feature_map.initial_left is not None:
                array[:, :, :left] = self.constant(feature_map.initial_left)
            if feature_map.initial_above is not None:
                array[:, :up, left : left + columns] = self.constant(feature_map.initial_above)
            self._maps[feature_map] = array
        return self._maps[feature_map]

    def sites(self, feature_map: FeatureMap, region: Region, tap: Tap = (0, 0), step: int = 1) -> Array:
        """Return the sites of a map at an offset from the sites of a region, whose grid is `step` times as coarse."""
        (dy, dx), array = tap, self.map(feature_map)
        return array[
            :,
            _moved(self._rows(region), step, feature_map.up + dy),
            _moved(region.columns, step, feature_map.left + dx),
        ]

    def begin(self, row: int) -> None:
        self.row = row

    def shift(self, row: int) -> None:
        """Move the rows of each map up by one, where a row of its grid begins. The current row stays until written."""
        for feature_map in self.program.maps:
            if row % feature_map.scale == 0:
                rows = self.map(feature_map)
                for above in range(feature_map.up):
                    rows[:, above] = rows[:, above + 1]

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
        """Copy a saved state back, and forget what was computed in later rows."""
        for each, array in (*self._maps.items(), *self.caches.items()):
            array[...] = state[each]
        for value, array in self._values.items():
            if value.phase != Phase.IMAGE:
                array[...] = 0

    def _rows(self, region: Region) -> slice:
        return region.rows if self.held == "image" else slice(0, 1, 1)

    def _of_site(self, value: Value) -> bool:
        return self.held == "site" and value.phase >= Phase.SITE


def bytes_of_image(program: Program, height: int, width: int, held: Literal["image", "site"] = "image") -> int:
    rows = height if held == "image" else 1
    numbers = sum(cache.channels * height * width for cache in program.kv_caches)
    for condition in program.inputs.values():
        numbers += condition.channels * (1 if condition.kind == "vector" else height * width)
    for m in program.maps:
        numbers += m.channels * (m.up + -(-rows // m.scale)) * (m.left + -(-width // m.scale) + m.right)
    for value in {view.value for _, part in program.parts() for i in part for view in i.views}:
        once = value.phase == Phase.IMAGE or (held == "site" and value.phase >= Phase.SITE)
        numbers += value.channels * (1 if once else -(-rows // value.scale) * -(-width // value.scale))
    return int(numbers * program.dtype.itemsize)


def _moved(part: slice, step: int, by: int) -> slice:
    return slice(part.start * step + by, (part.stop - 1) * step + by + 1, part.step * step)
