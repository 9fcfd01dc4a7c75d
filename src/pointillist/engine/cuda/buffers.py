"""Allocate the values and feature maps of a program on a device: static buffers, whose addresses never change.

The layout is `[b, column, channel]`, a row for every value, so that one site and a whole row are views of one buffer.
What an instruction needs to know of the row is in buffers too (`begin`), so that it can be captured and replayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.batch import prepare_inputs
from pointillist.engine.program import FeatureMap, Instruction, KeyValueCache, Phase, Program, Value, View, WeightSlice


class FeatureMapRows:
    """The rows of a feature map that are still read, `[up + 1, b, left + width + right, c]`, the current one last."""

    def __init__(self, feature_map: FeatureMap, batch: int, width: int, like: Tensor) -> None:
        self.feature_map, self.width = feature_map, -(-width // feature_map.scale)
        self.rows = like.new_zeros(
            feature_map.up + 1, batch, feature_map.left + self.width + feature_map.right, feature_map.channels
        )
        if feature_map.initial_left is not None:
            self.rows[:, :, : feature_map.left] = upload(feature_map.initial_left, like.device)
        if feature_map.initial_above is not None:
            self.rows[:, :, feature_map.left : feature_map.left + self.width] = upload(
                feature_map.initial_above, like.device
            )

    def at(self, dy: int, dx: int) -> Tensor:
        """Return the sites at offset `(dy, dx)` from the sites of the current row, `[b, width, c]`."""
        first = self.feature_map.left + dx
        return self.rows[self.feature_map.up + dy][:, first : first + self.width]

    def select(self, indices: Tensor) -> None:
        """Copy the sites of images, in place."""
        self.rows.copy_(self.rows[:, indices])

    def runs(self, dx: int, taps: int, step: int) -> Tensor:
        """Return runs of `taps` neighbours from `dx` right of every `step`-th site, `[b, sites, taps * c]`; no copy."""
        line, size = self.rows[self.feature_map.up], self.feature_map.channels
        shape = (line.shape[0], -(-self.width // step), taps * size)
        return line[:, self.feature_map.left + dx :].as_strided(shape, (line.stride(0), step * size, 1))

    def shift(self) -> None:
        """Finish the current row: each row moves up by one. The current row stays, to be overwritten."""
        for row in range(self.feature_map.up):
            self.rows[row].copy_(self.rows[row + 1])


class KeyValueBuffer:
    """The buffers of a KV cache, head by head: keys `[heads, b, 1 + sites, k]` and values likewise.

    The first slot holds zeros. The first site, which has no site before it, attends to it.
    """

    def __init__(self, cache: KeyValueCache, batch: int, like: Tensor) -> None:
        shape = (cache.num_heads, batch, 1 + cache.length)
        self.keys = like.new_zeros(*shape, cache.key_width)
        self.values = like.new_zeros(*shape, cache.value_width)


class Buffers:
    """The buffers of one run.

    Attributes:
        row: the current row. Only `begin`, and Python decisions that depend on it, may differ between two replays.
        slots: slots of a KV cache for the sites of the row, `[width]`.
        masked_slots: slots that a site of the row may not attend to, `[width, 1 + sites]`.
        recurrent_maps: see the function of that name.
    """

    def __init__(
        self, program: Program, batch: int, device: torch.device, inputs: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        self.program, self.batch, self.row = program, batch, 0
        self.weights = upload(program.weights, device)
        self.maps = {
            feature_map: FeatureMapRows(feature_map, batch, program.width, self.weights) for feature_map in program.maps
        }
        self.kv_caches: dict[FeatureMap, KeyValueBuffer] = {
            m: KeyValueBuffer(m, batch, self.weights) for m in program.kv_caches
        }
        self.inputs = {
            key: upload(array, device) for key, array in prepare_inputs(program, batch, inputs or {}).items()
        }
        self.slots = torch.zeros(program.width, dtype=torch.int64, device=device)
        sites = 1 + program.height * program.width if program.kv_caches else 0
        self.masked_slots = torch.zeros(program.width, sites, dtype=torch.bool, device=device)
        self.recurrent_maps = recurrent_maps(program)
        self._values: dict[Value, Tensor] = {}
        self._read_only: set[Value] = set()
        self._computed_in_map: dict[Value, FeatureMap] = {}
        self._alias_reads()
        self._alias_stored_values()

    def begin(self, row: int) -> None:
        """Fill in what changes from row to row: conditions, and slots of the KV caches."""
        self.row = row
        for instruction in self.program.per_row:
            if instruction.opcode == "INPUT" and row >= instruction.first_row:
                condition = self.inputs[instruction.key][:, row - instruction.first_row]
                self.write(instruction, None).copy_(condition)
        if self.kv_caches:
            width, slots = len(self.slots), torch.arange(self.masked_slots.shape[1], device=self.slots.device)
            torch.arange(row * width + 1, (row + 1) * width + 1, out=self.slots)
            torch.ge(slots, self.slots[:, None], out=self.masked_slots)
            self.masked_slots[:, 0] = self.slots > 1

    def select(self, indices: Tensor) -> None:
        """Copy the state of images, in place: image i becomes a copy of image `indices[i]`. Conditions stay."""
        for rows in self.maps.values():
            rows.select(indices)
        for cache in self.kv_caches.values():
            cache.keys.copy_(cache.keys[:, indices])
            cache.values.copy_(cache.values[:, indices])
        for value, buffer in self._values.items():
            if value not in self._read_only and value not in self._computed_in_map:
                buffer.copy_(buffer[indices])

    def between_rows(self) -> list[Tensor]:
        """List the buffers that hold the state of the images between two rows; all others are computed in a row."""
        caches = [tensor for cache in self.kv_caches.values() for tensor in (cache.keys, cache.values)]
        return [*(rows.rows for rows in self.maps.values()), *caches]

    def read(self, view: View, column: int | None) -> Tensor:
        """Return a view at a column, `[b, 1, c]`, or over the row, `[b, columns, c]`, where column is None.

        A value of phase IMAGE has one column.
        """
        whole = self._whole(view.value)[..., view.start : view.start + view.channels]
        if column is None or view.phase == Phase.IMAGE:
            return whole
        return whole[:, column // view.scale : column // view.scale + 1]

    def write(self, instruction: Instruction, column: int | None) -> Tensor:
        """Return the buffer that an instruction writes its result to."""
        if instruction.output is None:
            raise ValueError(f"{instruction.opcode} has no result")
        return self.read(instruction.output, column)

    def constant(self, block: WeightSlice) -> Tensor:
        """Return an array of the packed weights."""
        return self.weights[block.offset : block.offset + block.size].view(block.shape)

    def is_set(self, value: Value) -> bool:
        """Return True if a value is an alias, so that nothing computes it."""
        return value in self._read_only

    def is_computed_in_map(self, view: View, feature_map: FeatureMap) -> bool:
        """Return True if a view is computed in the map that stores it."""
        return self._computed_in_map.get(view.value) is feature_map

    def columns(self, scale: int) -> int:
        """Return the number of columns of a grid."""
        return -(-self.program.width // scale)

    def _whole(self, value: Value) -> Tensor:
        if value not in self._values:
            columns = 1 if value.phase == Phase.IMAGE else self.columns(value.scale)
            self._values[value] = self.weights.new_zeros(self.batch, columns, value.channels)
        return self._values[value]

    def _alias_reads(self) -> None:
        """Read vector conditions, constants, and runs of neighbours on the current row where they are.

        Recurrent state is copied instead, because a value computed from it overwrites it.
        """
        parts = (self.program.per_image, self.program.per_row, self.program.per_site, self.program.post_draw)
        for instruction in (i for part in parts for i in part if i.output is not None):
            result = self._alias_of(instruction)
            if result is not None and instruction.output is not None:
                self._values[instruction.output.value] = result
                self._read_only.add(instruction.output.value)

    def _alias_of(self, instruction: Instruction) -> Tensor | None:
        assert instruction.output is not None
        if instruction.opcode == "INPUT" and instruction.phase == Phase.IMAGE:
            return self.inputs[instruction.key]
        if instruction.opcode == "CONSTANT":
            columns = self.columns(instruction.scale)
            return self.constant(instruction.constants[0]).expand(self.batch, columns, -1)
        feature_map, taps = instruction.map, [dx for _, dx in instruction.taps]
        if (
            instruction.opcode != "GATHER"
            or instruction.phase < Phase.SITE
            or feature_map is None
            or feature_map in self.recurrent_maps
        ):
            return None
        if taps != list(range(taps[0], taps[0] + len(taps))):
            return None
        return self.maps[feature_map].runs(taps[0], len(taps), instruction.scale // feature_map.scale)

    def _alias_stored_values(self) -> None:
        """Compute each whole value of phase SITE that a map stores in the map, without a copy."""
        for store in (i for i in self.program.per_site if i.opcode == "STORE"):
            (view,), feature_map = store.inputs, store.map
            if (
                feature_map is None
                or not view.is_whole
                or view.value in self._values
                or feature_map in self.recurrent_maps
            ):
                continue
            if view.phase == Phase.SITE:
                self._computed_in_map[view.value] = feature_map
                self._values[view.value] = self.maps[feature_map].at(0, 0)


def recurrent_maps(program: Program) -> set[FeatureMap]:
    """Return the maps that the site part reads before it writes them: the state of recurrences."""
    stores = {i.map: index for index, i in enumerate(program.per_site) if i.opcode == "STORE"}
    reads = [(index, i.map) for index, i in enumerate(program.per_site) if i.taps and i.map is not None]
    return {feature_map for index, feature_map in reads if stores.get(feature_map, -1) > index}


def upload(array: NDArray[Any], device: torch.device) -> Tensor:
    """Copy an array to a device."""
    return torch.tensor(np.ascontiguousarray(array), device=device)
