"""Where everything lies in the flat array: maps, memories, conditions and constants for good, values while needed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from pointillist.engine.cpu.bytecode import Arena, Operand, Ring
from pointillist.engine.cpu.cpu_features import MAX_LANES
from pointillist.engine.program import FeatureMap, FloatArray, Instruction, KeyValueCache, Phase, Program, Value, View

Pieces = list[tuple[Operand, int]]
"""Places with their numbers of channels, one after the other."""


@dataclass(frozen=True)
class MemoryPlace:
    """Keys lie feature by feature, `[b, keys, sites]`, values site by site, `[b, sites, values]`."""

    keys: int
    values: int
    sites: int
    """Distance from one feature of the keys to the next."""


class BufferPlan:
    """The places of one program for one batch size.

    What is gathered, a condition or a constant is read where it lies, without a copy. A value that a map keeps is
    computed in the map.
    """

    def __init__(self, program: Program, batch: int) -> None:
        self.program, self.batch = program, batch
        self.arena = Arena()
        self.constants: list[tuple[int, FloatArray]] = []
        self.parts = [program.once, program.row, *program.steps, program.after]
        widest = max((i.output.channels for part in self.parts for i in part if i.output), default=1)
        sites = program.height * program.width if program.memories else 0
        self.zeros = Operand(self.constant(np.zeros(max(widest, sites))), 0, 0)
        self.maps = {kept: self._map(kept) for kept in program.maps}
        self.memories = {kept: self._memory(kept) for kept in program.memories}
        self.givens = {key: self._given(key) for key in program.givens}
        self.copied: set[Value] = set()
        """What is gathered, and copied because its readers cannot read it in pieces."""
        self._found: dict[Value, Pieces] = {}
        self._find_aliases()
        self._find_homes()

    def constant(self, numbers: FloatArray) -> int:
        """The place of numbers that never change."""
        start = self.arena.take(numbers.size)
        self.constants.append((start, numbers))
        return start

    def columns(self, scale: int) -> int:
        """Columns of a grid."""
        return -(-self.program.width // scale)

    def is_set(self, value: Value) -> bool:
        """Whether it has a place already."""
        return value in self._found

    def room(self, value: Value) -> int:
        """Numbers that a value takes: for a whole row, or for a site."""
        return self.batch * value.channels * (self.columns(value.scale) if value.level == Phase.ROW else 1)

    def give(self, value: Value, start: int | None = None) -> None:
        """Let a value lie in room of its size that is free again, or in new room."""
        start = self.arena.take(self.room(value)) if start is None else start
        if value.level == Phase.ROW:
            self.put(value, Operand(start, self.columns(value.scale) * value.channels, value.channels))
        else:
            self.put(value, Operand(start, value.channels, 0))

    def start(self, value: Value) -> int:
        """Where a value begins."""
        return self._found[value][0][0].start

    def put(self, value: Value, place: Operand) -> None:
        """Let a value lie at a place."""
        self._found[value] = [(place, value.channels)]

    def place(self, view: View) -> Operand:
        """Where a view is read and written."""
        ((place, _),) = self.pieces(view)
        return place

    def pieces(self, view: View) -> Pieces:
        """Where the channels of a view lie: in one piece, or in several where they are gathered."""
        found: Pieces = []
        offset, end = 0, view.start + view.channels
        for place, size in self._found[view.value]:
            first, last = max(view.start, offset), min(end, offset + size)
            if first < last:
                found.append((place.narrow(first - offset), last - first))
            offset += size
        return found

    def at(self, kept: FeatureMap, row: int, column: int, step: int = 1) -> Operand:
        """A neighbour's place in a map, for sites that are `step` columns of the map apart."""
        line = self._line(kept)
        ring = Ring(kept.scale, row, kept.up + 1, self.batch * line)
        return Operand(self.maps[kept] + (kept.left + column) * kept.channels, line, step * kept.channels, ring)

    def gathered(self, instruction: Instruction) -> Pieces:
        """The taps of a gather, neighbours joined."""
        kept = instruction.map
        assert kept is not None
        runs: list[list[int]] = []
        for row, column in instruction.taps:
            if runs and runs[-1][0] == row and runs[-1][1] + runs[-1][2] == column:
                runs[-1][2] += 1
            else:
                runs.append([row, column, 1])
        step = instruction.scale // kept.scale
        return [(self.at(kept, row, column, step), count * kept.channels) for row, column, count in runs]

    def _find_aliases(self) -> None:
        """Gathers, conditions and constants; but a gather from several places only if matrix products alone read it."""
        readers: dict[Value, list[tuple[Instruction, View]]] = defaultdict(list)
        for instruction in (i for part in self.parts for i in part):
            for view in instruction.inputs:
                readers[view.value].append((instruction, view))
        for instruction in (i for part in self.parts for i in part):
            output = instruction.output
            if output is None or output.value in self._found:
                continue
            if instruction.opcode == "GIVEN":
                self.put(output.value, self._condition(instruction))
            elif instruction.opcode == "CONSTANT":
                constant = self.program.constant(instruction.constants[0])
                self.put(output.value, Operand(self.constant(constant), 0, 0))
            elif instruction.opcode == "GATHER":
                self._found[output.value] = self.gathered(instruction)
                others = [v for i, v in readers[output.value] if i.opcode != "LINEAR" or v is not i.inputs[0]]
                if any(len(self.pieces(view)) > 1 for view in others) or output.value is self.program.params.value:
                    del self._found[output.value]
                    self.copied.add(output.value)

    def _find_homes(self) -> None:
        for instruction in (i for part in self.parts for i in part if i.opcode == "STORE"):
            (view,), kept = instruction.inputs, instruction.map
            if kept is not None and view.is_whole and not self.is_set(view.value):
                self.put(view.value, self.at(kept, 0, 0))

    def _condition(self, instruction: Instruction) -> Operand:
        """A vector, or the row of a map that belongs to the row at hand."""
        given, start = self.program.givens[instruction.key], self.givens[instruction.key]
        if given.kind == "vector":
            return Operand(start, given.channels, 0)
        height, line = self.program.height, self.program.width * given.channels
        return Operand(start, height * line, given.channels, Ring(1, -instruction.first_row, height, line))

    def _given(self, key: str) -> int:
        given = self.program.givens[key]
        sites = 1 if given.kind == "vector" else self.program.height * self.program.width
        return self.arena.take(self.batch * sites * given.channels)

    def _line(self, kept: FeatureMap) -> int:
        return (kept.left + self.columns(kept.scale) + kept.right) * kept.channels

    def _map(self, kept: FeatureMap) -> int:
        start = self.arena.take((kept.up + 1) * self.batch * self._line(kept))
        if kept.above is not None or kept.before is not None:
            shape = (kept.up + 1, self.batch, self._line(kept) // kept.channels, kept.channels)
            filled = np.zeros(shape, self.program.dtype)
            if kept.before is not None:
                filled[:, :, : kept.left] = kept.before
            if kept.above is not None:
                filled[:, :, kept.left : kept.left + self.columns(kept.scale)] = kept.above
            self.constants.append((start, filled))
        return start

    def _memory(self, kept: KeyValueCache) -> MemoryPlace:
        sites = -(-kept.sites // MAX_LANES) * MAX_LANES
        keys = self.arena.take(self.batch * kept.keys * sites)
        values = self.arena.take(self.batch * kept.sites * (kept.channels - kept.keys))
        return MemoryPlace(keys, values, sites)
