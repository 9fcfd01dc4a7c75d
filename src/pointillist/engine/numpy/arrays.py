"""Allocate the values and feature maps of a program for the interpreter.

The layout is `[b, column, channel]`: a site is `[b, c]`, a row is `[b, width, c]`, a run of sites to the left of a site
is `[b, taps * c]` without a copy, and a vector condition `[b, 1, c]` broadcasts over a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.batch import prepare_inputs
from pointillist.engine.program import FeatureMap, FloatArray, Instruction, IntArray, Phase, Program, Value, View


class FeatureMapBuffer:
    """The rows of a feature map that are still read, indexed by site: a repeated write of a site changes nothing else.

    Rows and columns are given as those of the image. Offsets, and the buffer, count sites of the map's own grid.

    Attributes:
        line: the current row with its margins, `[b, left + width + right, c]`.
        finished: the rows above, row r in slot `r % up`.
    """

    def __init__(self, feature_map: FeatureMap, batch: int, width: int, dtype: np.dtype[Any]) -> None:
        self.up, self.left, self.width, self.scale = (
            feature_map.up,
            feature_map.left,
            -(-width // feature_map.scale),
            feature_map.scale,
        )
        shape = (batch, feature_map.left + self.width + feature_map.right, feature_map.channels)
        self.line = np.zeros(shape, dtype)
        self.finished = np.zeros((feature_map.up, *shape), dtype)
        if feature_map.initial_left is not None:
            self.line[:, : feature_map.left] = self.finished[:, :, : feature_map.left] = feature_map.initial_left
        if feature_map.initial_above is not None:
            inside = slice(feature_map.left, feature_map.left + width)
            self.line[:, inside] = self.finished[:, :, inside] = feature_map.initial_above

    def at(self, row: int, dy: int, dx: int) -> FloatArray:
        """Return the sites at offset `(dy, dx)` from the sites of a row, `[b, width, c]`."""
        source = self.finished[(row // self.scale + dy) % self.up] if dy else self.line
        return source[:, self.left + dx : self.left + dx + self.width]

    def site(self, column: int, dx: int = 0) -> FloatArray:
        """Return the site of the current row `dx` sites right of a column, `[b, c]`."""
        return self.line[:, self.left + column // self.scale + dx]

    def select(self, indices: IntArray) -> None:
        """Copy the sites of images, in place."""
        self.line[...] = self.line[indices]
        self.finished[...] = self.finished[:, indices]

    def finish(self, row: int) -> None:
        """Finish the current row; a coarse row is finished when the next one is about to begin."""
        if self.up and (row + 1) % self.scale == 0:
            self.finished[row // self.scale % self.up] = self.line


class InterpreterState:
    """The arrays of one run: feature maps, conditions, and a buffer per value."""

    def __init__(self, program: Program, batch: int, inputs: Mapping[str, NDArray[Any]] | None = None) -> None:
        self.program = program
        self.batch = batch
        self.row = 0
        self.maps = {
            feature_map: FeatureMapBuffer(feature_map, batch, program.width, program.dtype)
            for feature_map in program.maps
        }
        self.kv_caches: dict[FeatureMap, FloatArray] = {
            cache: np.zeros((batch, cache.length, cache.channels), program.dtype) for cache in program.kv_caches
        }
        self.inputs = prepare_inputs(program, batch, inputs or {})
        self._buffers = self._row_buffers()
        self._computed_in_map = self._find_stored_values()
        self._gathered: dict[Value, tuple[FeatureMap, int]] = {}

    def read(self, view: View, column: int | None) -> FloatArray:
        """Return a view at a column, or over a row (or image) where column is None."""
        return self._whole(view.value, column)[..., view.start : view.start + view.channels]

    def write(self, instruction: Instruction, column: int | None) -> FloatArray:
        """Return the array that an instruction writes its result to."""
        if instruction.output is None:
            raise ValueError(f"{instruction.opcode} has no result")
        return self.read(instruction.output, column)

    def select(self, indices: IntArray) -> None:
        """Copy the state of images, in place: image i becomes a copy of image `indices[i]`. Conditions stay."""
        for feature_map in self.maps.values():
            feature_map.select(indices)
        arrays = {id(array): array for array in (*self.kv_caches.values(), *self._buffers.values())}
        for array in arrays.values():
            array[...] = array[indices]

    def between_rows(self) -> list[FloatArray]:
        """List the arrays that hold the state of the images between two rows; all others are computed in a row."""
        rows = [array for feature_map in self.maps.values() for array in (feature_map.line, feature_map.finished)]
        return [*rows, *self.kv_caches.values()]

    def varies_by_column(self, view: View) -> bool:
        """Return True if `read` gives another array at every column."""
        value = view.value
        return view.phase == Phase.ROW or value in self._computed_in_map or value in self._gathered

    def alias_map(self, gather: Instruction, feature_map: FeatureMap, first: int) -> None:
        """Read a gathered value without a copy: a run of sites of a map, from `first` columns right of the site."""
        if gather.output is not None:
            self._gathered[gather.output.value] = (feature_map, first)

    def is_computed_in_map(self, view: View, feature_map: FeatureMap) -> bool:
        """Return True if a view is computed in the map that stores it."""
        return self._computed_in_map.get(view.value) is feature_map

    def _row_buffers(self) -> dict[Value, FloatArray]:
        """Allocate the buffers of the row part. They are large, so dead ones are reused, to stay in the CPU cache."""
        program = self.program
        last = {view.value: index for index, i in enumerate(program.per_row) for view in i.views}
        last.update(
            (view.value, len(program.per_row)) for i in (*program.per_site, *program.post_draw) for view in i.views
        )
        last[program.params.value] = len(program.per_row)
        buffers: dict[Value, FloatArray] = {}
        free: dict[tuple[int, ...], list[FloatArray]] = {}
        for index, instruction in enumerate(program.per_row):
            output = instruction.output
            if output is not None and output.value not in buffers:
                shape = (self.batch, -(-program.width // output.scale), output.value.channels)
                buffers[output.value] = free[shape].pop() if free.get(shape) else np.zeros(shape, program.dtype)
            for value in {view.value for view in instruction.views}:
                if last[value] == index and value in buffers:
                    free.setdefault(buffers[value].shape, []).append(buffers[value])
        return buffers

    def _find_stored_values(self) -> dict[Value, FeatureMap]:
        """Find the whole values of phase SITE that a map stores: they are computed in the map, without a copy."""
        stores = [i for i in self.program.per_site if i.opcode == "STORE" and i.inputs[0].is_whole]
        result: dict[Value, FeatureMap] = {}
        for store in stores:
            if store.map is not None:
                result.setdefault(store.inputs[0].value, store.map)
        return result

    def _whole(self, value: Value, column: int | None) -> FloatArray:
        if column is not None and value in self._computed_in_map:
            return self.maps[self._computed_in_map[value]].site(column)
        if column is not None and value in self._gathered:
            feature_map, first = self._gathered[value]
            store = self.maps[feature_map]
            start = store.left + column // store.scale + first
            sites = store.line[:, start : start + value.channels // feature_map.channels]
            return sites.reshape(self.batch, value.channels)
        buffer = self._buffers.get(value)
        if buffer is None:
            columns = () if value.phase >= Phase.SITE else (1,)
            buffer = np.zeros((self.batch, *columns, value.channels), self.program.dtype)
            self._buffers[value] = buffer
        if column is None or value.phase >= Phase.SITE:
            return buffer
        return buffer[:, column // value.scale if value.phase == Phase.ROW else 0]
