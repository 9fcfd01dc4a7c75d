"""Where a program's values and maps live on a device: buffers made once, whose addresses never change.

Layout is `[b, column, channel]`, a row for every value, so that one site and a whole row are views of the same buffer.
What an instruction needs to know of the row is in buffers too (`begin`), so that it may be captured and replayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.numpy.arrays import prepare_inputs
from pointillist.engine.program import FeatureMap, Instruction, KeyValueCache, Phase, Program, Value, View, WeightSlice


class FeatureMapRows:
    """The rows of a map that are still needed, `[up + 1, b, left + width + right, c]`; the last is the current one."""

    def __init__(self, kept: FeatureMap, batch: int, width: int, like: Tensor) -> None:
        self.kept, self.width = kept, -(-width // kept.scale)
        self.rows = like.new_zeros(kept.up + 1, batch, kept.left + self.width + kept.right, kept.channels)
        if kept.initial_left is not None:
            self.rows[:, :, : kept.left] = upload(kept.initial_left, like.device)
        if kept.initial_above is not None:
            self.rows[:, :, kept.left : kept.left + self.width] = upload(kept.initial_above, like.device)

    def at(self, dy: int, dx: int) -> Tensor:
        """The sites that lie `(dy, dx)` from the sites of the current row, `[b, width, c]`."""
        first = self.kept.left + dx
        return self.rows[self.kept.up + dy][:, first : first + self.width]

    def runs(self, dx: int, taps: int, step: int) -> Tensor:
        """Runs of `taps` neighbours that begin `dx` right of every `step`-th site, `[b, sites, taps * c]`; no copy."""
        line, size = self.rows[self.kept.up], self.kept.channels
        shape = (line.shape[0], -(-self.width // step), taps * size)
        return line[:, self.kept.left + dx :].as_strided(shape, (line.stride(0), step * size, 1))

    def shift(self) -> None:
        """The current row is complete: each row moves up by one. It stays in its place as well, to be written over."""
        for row in range(self.kept.up):
            self.rows[row].copy_(self.rows[row + 1])


class KeyValueBuffer:
    """What a memory keeps of every site, head by head: keys `[heads, b, 1 + sites, k]` and values likewise.

    The first slot holds zeros. It is what the first site attends to, which has no site before it.
    """

    def __init__(self, cache: KeyValueCache, batch: int, like: Tensor) -> None:
        shape = (cache.num_heads, batch, 1 + cache.length)
        self.keys = like.new_zeros(*shape, cache.key_width)
        self.values = like.new_zeros(*shape, cache.value_width)


class Buffers:
    """The buffers of one run.

    Attributes:
        row: the row at hand. Only `begin` and what Python decides by it may change between two replays.
        slots: where a memory keeps the sites of the row, `[width]`.
        hidden: which slots a site of the row may not attend to, `[width, 1 + sites]`.
    """

    def __init__(
        self, program: Program, batch: int, device: torch.device, inputs: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        self.program, self.batch, self.row = program, batch, 0
        self.weights = upload(program.weights, device)
        self.maps = {kept: FeatureMapRows(kept, batch, program.width, self.weights) for kept in program.maps}
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
        """Put in what changes from row to row: its conditions, and its place among all sites."""
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

    def read(self, view: View, column: int | None) -> Tensor:
        """A view at a column, `[b, 1, c]`, or over the row, `[b, columns, c]`, where column is None.

        What is the same at every site of an image has one column.
        """
        whole = self._whole(view.value)[..., view.start : view.start + view.channels]
        if column is None or view.phase == Phase.IMAGE:
            return whole
        return whole[:, column // view.scale : column // view.scale + 1]

    def write(self, instruction: Instruction, column: int | None) -> Tensor:
        """Where an instruction leaves its result."""
        if instruction.output is None:
            raise ValueError(f"{instruction.opcode} has no result")
        return self.read(instruction.output, column)

    def constant(self, block: WeightSlice) -> Tensor:
        """An array from the packed weights."""
        return self.weights[block.offset : block.offset + block.size].view(block.shape)

    def is_set(self, value: Value) -> bool:
        """Whether a value lies somewhere already, so that nothing computes it."""
        return value in self._read_only

    def is_computed_in_map(self, view: View, kept: FeatureMap) -> bool:
        """Whether a view is computed in its place in a map."""
        return self._computed_in_map.get(view.value) is kept

    def columns(self, scale: int) -> int:
        """Columns of a grid."""
        return -(-self.program.width // scale)

    def _whole(self, value: Value) -> Tensor:
        if value not in self._values:
            columns = 1 if value.phase == Phase.IMAGE else self.columns(value.scale)
            self._values[value] = self.weights.new_zeros(self.batch, columns, value.channels)
        return self._values[value]

    def _alias_reads(self) -> None:
        """Vector conditions, constants, and runs of neighbours on the current row are read where they lie.

        But what is carried along a row is copied, as it is written by what is computed from it.
        """
        parts = (self.program.per_image, self.program.per_row, self.program.per_site, self.program.post_draw)
        for instruction in (i for part in parts for i in part if i.output is not None):
            found = self._alias_of(instruction)
            if found is not None and instruction.output is not None:
                self._values[instruction.output.value] = found
                self._read_only.add(instruction.output.value)

    def _alias_of(self, instruction: Instruction) -> Tensor | None:
        assert instruction.output is not None
        if instruction.opcode == "INPUT" and instruction.phase == Phase.IMAGE:
            return self.inputs[instruction.key]
        if instruction.opcode == "CONSTANT":
            columns = self.columns(instruction.scale)
            return self.constant(instruction.constants[0]).expand(self.batch, columns, -1)
        kept, taps = instruction.map, [dx for _, dx in instruction.taps]
        if (
            instruction.opcode != "GATHER"
            or instruction.phase < Phase.SITE
            or kept is None
            or kept in self.recurrent_maps
        ):
            return None
        if taps != list(range(taps[0], taps[0] + len(taps))):
            return None
        return self.maps[kept].runs(taps[0], len(taps), instruction.scale // kept.scale)

    def _alias_stored_values(self) -> None:
        """A whole value at phase PIXEL that a map keeps is computed in the map, not copied into it."""
        for store in (i for i in self.program.per_site if i.opcode == "STORE"):
            (view,), kept = store.inputs, store.map
            if kept is None or not view.is_whole or view.value in self._values or kept in self.recurrent_maps:
                continue
            if view.phase == Phase.SITE:
                self._computed_in_map[view.value] = kept
                self._values[view.value] = self.maps[kept].at(0, 0)


def recurrent_maps(program: Program) -> set[FeatureMap]:
    """Maps that the pixel part reads before it writes them: what a recurrence takes along from site to site."""
    stores = {i.map: place for place, i in enumerate(program.per_site) if i.opcode == "STORE"}
    reads = [(place, i.map) for place, i in enumerate(program.per_site) if i.taps and i.map is not None]
    return {kept for place, kept in reads if stores.get(kept, -1) > place}


def upload(array: NDArray[Any], device: torch.device) -> Tensor:
    """An array on a device, in memory of its own."""
    return torch.tensor(np.ascontiguousarray(array), device=device)
