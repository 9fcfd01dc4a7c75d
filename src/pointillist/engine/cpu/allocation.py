"""Where everything lies in the flat array: maps, memories, conditions and constants for good, values while needed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from pointillist.engine.cpu.bytecode import Arena, Operand, Ring
from pointillist.engine.cpu.cpu_features import MAX_LANES
from pointillist.engine.program import FeatureMap, FloatArray, Instruction, KeyValueCache, Phase, Program, Value, View

Operands = list[tuple[Operand, int]]
"""Places with their numbers of channels, one after the other."""
Moment = tuple[int, int]
"""A part of the program, and an instruction in it."""


@dataclass(frozen=True)
class KeyValueLayout:
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
        self.parts = [program.per_image, program.per_row, *program.sub_steps, program.post_draw]
        widest = max((i.output.channels for part in self.parts for i in part if i.output), default=1)
        sites = program.height * program.width if program.kv_caches else 0
        self.zeros = Operand(self.add_constant(np.zeros(max(widest, sites))), 0, 0)
        self.maps = {kept: self._allocate_map(kept) for kept in program.maps}
        self.kv_caches = {kept: self._allocate_kv_cache(kept) for kept in program.kv_caches}
        self.inputs = {key: self._allocate_input(key) for key in program.inputs}
        self.copied: set[Value] = set()
        """What is gathered, and copied because its readers cannot read it in pieces."""
        self._operands: dict[Value, Operands] = {}
        self._alias_reads()
        self._alias_stored_values()

    def add_constant(self, numbers: FloatArray) -> int:
        """The place of numbers that never change."""
        start = self.arena.allocate(numbers.size)
        self.constants.append((start, numbers))
        return start

    def columns(self, scale: int) -> int:
        """Columns of a grid."""
        return -(-self.program.width // scale)

    def is_allocated(self, value: Value) -> bool:
        """Whether it has a place already."""
        return value in self._operands

    def size(self, value: Value) -> int:
        """Numbers that a value takes: for a whole row, or for a site."""
        return self.batch * value.channels * (self.columns(value.scale) if value.phase == Phase.ROW else 1)

    def allocate(self, value: Value, start: int | None = None) -> None:
        """Let a value lie in room of its size that is free again, or in new room."""
        start = self.arena.allocate(self.size(value)) if start is None else start
        if value.phase == Phase.ROW:
            self.assign(value, Operand(start, self.columns(value.scale) * value.channels, value.channels))
        else:
            self.assign(value, Operand(start, value.channels, 0))

    def offset(self, value: Value) -> int:
        """Where a value begins."""
        return self._operands[value][0][0].start

    def assign(self, value: Value, operand: Operand) -> None:
        """Let a value lie at a place."""
        self._operands[value] = [(operand, value.channels)]

    def operand(self, view: View) -> Operand:
        """Where a view is read and written."""
        ((operand, _),) = self.operands(view)
        return operand

    def operands(self, view: View) -> Operands:
        """Where the channels of a view lie: in one piece, or in several where they are gathered."""
        found: Operands = []
        offset, end = 0, view.start + view.channels
        for operand, size in self._operands[view.value]:
            first, last = max(view.start, offset), min(end, offset + size)
            if first < last:
                found.append((operand.narrow(first - offset), last - first))
            offset += size
        return found

    def map_operand(self, kept: FeatureMap, row: int, column: int, step: int = 1) -> Operand:
        """A neighbour's place in a map, for sites that are `step` columns of the map apart."""
        line = self._line(kept)
        ring = Ring(kept.scale, row, kept.up + 1, self.batch * line)
        return Operand(self.maps[kept] + (kept.left + column) * kept.channels, line, step * kept.channels, ring)

    def gather_operands(self, instruction: Instruction) -> Operands:
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
        return [(self.map_operand(kept, row, column, step), count * kept.channels) for row, column, count in runs]

    def _alias_reads(self) -> None:
        """Gathers, conditions and constants; but a gather from several places only if matrix products alone read it."""
        readers: dict[Value, list[tuple[Instruction, View]]] = defaultdict(list)
        for instruction in (i for part in self.parts for i in part):
            for view in instruction.inputs:
                readers[view.value].append((instruction, view))
        for instruction in (i for part in self.parts for i in part):
            output = instruction.output
            if output is None or output.value in self._operands:
                continue
            if instruction.opcode == "INPUT":
                self.assign(output.value, self._input_operand(instruction))
            elif instruction.opcode == "CONSTANT":
                constant = self.program.constant(instruction.constants[0])
                self.assign(output.value, Operand(self.add_constant(constant), 0, 0))
            elif instruction.opcode == "GATHER":
                self._operands[output.value] = self.gather_operands(instruction)
                others = [v for i, v in readers[output.value] if i.opcode != "LINEAR" or v is not i.inputs[0]]
                if any(len(self.operands(view)) > 1 for view in others) or output.value is self.program.params.value:
                    del self._operands[output.value]
                    self.copied.add(output.value)

    def _alias_stored_values(self) -> None:
        for instruction in (i for part in self.parts for i in part if i.opcode == "STORE"):
            (view,), kept = instruction.inputs, instruction.map
            if kept is not None and view.is_whole and not self.is_allocated(view.value):
                self.assign(view.value, self.map_operand(kept, 0, 0))

    def _input_operand(self, instruction: Instruction) -> Operand:
        """A vector, or the row of a map that belongs to the row at hand."""
        condition, start = self.program.inputs[instruction.key], self.inputs[instruction.key]
        if condition.kind == "vector":
            return Operand(start, condition.channels, 0)
        height, line = self.program.height, self.program.width * condition.channels
        return Operand(start, height * line, condition.channels, Ring(1, -instruction.first_row, height, line))

    def _allocate_input(self, key: str) -> int:
        condition = self.program.inputs[key]
        sites = 1 if condition.kind == "vector" else self.program.height * self.program.width
        return self.arena.allocate(self.batch * sites * condition.channels)

    def _line(self, kept: FeatureMap) -> int:
        return (kept.left + self.columns(kept.scale) + kept.right) * kept.channels

    def _allocate_map(self, kept: FeatureMap) -> int:
        start = self.arena.allocate((kept.up + 1) * self.batch * self._line(kept))
        if kept.initial_above is not None or kept.initial_left is not None:
            shape = (kept.up + 1, self.batch, self._line(kept) // kept.channels, kept.channels)
            filled = np.zeros(shape, self.program.dtype)
            if kept.initial_left is not None:
                filled[:, :, : kept.left] = kept.initial_left
            if kept.initial_above is not None:
                filled[:, :, kept.left : kept.left + self.columns(kept.scale)] = kept.initial_above
            self.constants.append((start, filled))
        return start

    def _allocate_kv_cache(self, kept: KeyValueCache) -> KeyValueLayout:
        sites = -(-kept.length // MAX_LANES) * MAX_LANES
        keys = self.arena.allocate(self.batch * kept.key_channels * sites)
        values = self.arena.allocate(self.batch * kept.length * (kept.channels - kept.key_channels))
        return KeyValueLayout(keys, values, sites)


class LiveRanges:
    """Gives each value room before it is first made, and takes it back after its last use.

    What crosses from one part of the program to another keeps its room for good: a part is run at many columns, and
    may be run again at one, before the next part.
    """

    def __init__(self, buffers: BufferPlan) -> None:
        self.buffers = buffers
        self._first: dict[Value, int] = {}
        self._last: dict[Value, Moment] = {}
        self._free: dict[int, list[int]] = defaultdict(list)
        self._lent: set[Value] = set()
        for number, part in enumerate(buffers.parts):
            for position, instruction in enumerate(part):
                for view in instruction.views:
                    self._first.setdefault(view.value, number)
                    self._last[view.value] = (number, position)
        self._last[buffers.program.params.value] = (len(buffers.parts), 0)

    def begin(self, instruction: Instruction) -> None:
        """Before an instruction: room for what it makes."""
        if instruction.output is None or self.buffers.is_allocated(instruction.output.value):
            return
        value = instruction.output.value
        free = self._free[self.buffers.size(value)]
        self.buffers.allocate(value, free.pop() if free else None)
        self._lent.add(value)

    def end(self, instruction: Instruction, moment: Moment) -> None:
        """After it: back comes what nobody reads any more."""
        for value in {view.value for view in instruction.views} & self._lent:
            if self._last[value] == moment and self._first[value] == moment[0]:
                self._free[self.buffers.size(value)].append(self.buffers.offset(value))
                self._lent.remove(value)
