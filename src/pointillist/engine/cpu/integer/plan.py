"""Allocate the values and maps of a program in the flat arrays of the machine.

A gathered value that only products read is read where it is, in pieces. A value that a map stores whole is computed in
the map. Values of the row part share memory by their live ranges.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from pointillist.engine.cpu.bytecode import Ring
from pointillist.engine.cpu.integer.attention import cache_size
from pointillist.engine.cpu.integer.bytecode import Operand
from pointillist.engine.program import INT8, FeatureMap, Instruction, IntArray, Phase, Program, Value, View

ALIGN = 64


class Plan:
    """Assign an operand to each value.

    Args:
        program: the program.
        batch, height, width: of the images.
        rows: whether the parts of a site run over whole rows.
    """

    def __init__(self, program: Program, batch: int, height: int, width: int, *, rows: bool) -> None:
        self.program, self.batch, self.height, self.width, self.rows = program, batch, height, width, rows
        self.sizes = {True: 0, False: 0}
        self.fills: dict[bool, list[tuple[int, IntArray]]] = {True: [], False: []}
        self.states: list[tuple[bool, int, int, int]] = []
        self.code = [*program.per_row, *program.per_site, *program.post_draw]
        widest = max((i.output.channels for i in self.code if i.output), default=1)
        self.zeros = self.reserve(widest, narrow=False)
        self.maps = {each: self._reserve_map(each) for each in program.maps}
        self.caches = {
            each: self._reserve_state(batch * cache_size(height * width, each.channels), narrow=True)
            for each in program.kv_caches
        }
        self.inputs = {
            name: self.reserve(batch * height * width * one.channels, narrow=True)
            for name, one in program.inputs.items()
            if one.kind == "map"
        }
        self.pieced: set[Value] = set()
        """Gathered values that are read in pieces."""
        self._operands: dict[Value, Operand] = {}
        self._reusable: dict[Value, tuple[bool, int, int]] = {}
        self.vectors: dict[Value, int] = {}
        """Offsets of the values of an image, which are computed before the machine runs."""
        self._alias_gathers()
        self._alias_stores()
        self._live = _last_uses(program)
        self._free: dict[tuple[bool, int], list[int]] = defaultdict(list)

    def reserve(self, count: int, *, narrow: bool) -> int:
        """Reserve so many numbers; return their offset, a multiple of 64 bytes."""
        step = ALIGN if narrow else ALIGN // 4
        start = self.sizes[narrow]
        self.sizes[narrow] += -(-count // step) * step
        return start

    def columns(self, scale: int) -> int:
        """Return the number of columns of a grid."""
        return -(-self.width // scale)

    def operand(self, view: View) -> Operand:
        """Return the operand of a view, which is reserved at its first use."""
        value = view.value
        if value not in self._operands:
            self._operands[value] = self._reserve_value(value)
        return self._operands[value].move(view.start)

    def release(self, position: tuple[int, int], views: tuple[View, ...]) -> None:
        """Free the values of the row part whose last use is at this position."""
        for value in {view.value for view in views}:
            if self._live.get(value) == position and value in self._reusable:
                narrow, size, start = self._reusable.pop(value)
                self._free[(narrow, size)].append(start)

    def map_operand(self, each: FeatureMap, row: int, column: int, step: int = 1) -> Operand:
        """Return the operand of a neighbour in a map, for sites that are `step` columns of the map apart."""
        line = self.line(each)
        start = self.maps[each] + (each.left + column) * each.channels
        ring = Ring(each.scale, row, each.up + 1, self.batch * line)
        return Operand(start, line, step * each.channels, each.is_narrow, ring)

    def line(self, each: FeatureMap) -> int:
        """Return the numbers of a row of a map, with its margins."""
        return (each.left + self.columns(each.scale) + each.right) * each.channels

    def pieces(self, i: Instruction) -> list[tuple[Operand, int, int]]:
        """Return the pieces of a gather, adjacent taps joined: operand, first channel, channels."""
        assert i.map is not None
        step, size = i.scale // i.map.scale, i.map.channels
        runs: list[list[int]] = []
        for index, (row, column) in enumerate(i.taps):
            if runs and runs[-1][0] == row and runs[-1][1] + runs[-1][3] == column:
                runs[-1][3] += 1
            else:
                runs.append([row, column, index, 1])
        return [
            (self.map_operand(i.map, row, column, step), index * size, count * size)
            for row, column, index, count in runs
        ]

    def _reserve_value(self, value: Value) -> Operand:
        if value.phase == Phase.IMAGE:
            start = self.vectors[value] = self.reserve(self.batch * value.channels, narrow=value.is_narrow)
            return Operand(start, value.channels, 0, value.is_narrow)
        whole_row = value.phase == Phase.ROW or self.rows
        columns = self.columns(value.scale) if whole_row else 1
        size = self.batch * value.channels * columns
        free = self._free[(value.is_narrow, size)]
        start = free.pop() if free else self._reserve_state(size, narrow=value.is_narrow)
        if value in self._live:
            self._reusable[value] = (value.is_narrow, size, start)
        line = columns * value.channels
        return Operand(start, line, value.channels if whole_row else 0, value.is_narrow)

    def _reserve_state(self, size: int, *, narrow: bool, slots: int = 1) -> int:
        start = self.reserve(size * slots, narrow=narrow)
        self.states.append((narrow, start, slots, size // self.batch))
        return start

    def _reserve_map(self, each: FeatureMap) -> int:
        line, slots = self.line(each), each.up + 1
        start = self._reserve_state(self.batch * line, narrow=each.is_narrow, slots=slots)
        zero = 128 if each.dtype == INT8 else 0
        filled = np.full((slots, self.batch, line // each.channels, each.channels), zero, np.int32)
        if each.initial_left is not None:
            filled[:, :, : each.left] = zero + each.initial_left
        if each.initial_above is not None:
            filled[:, :, each.left : each.left + self.columns(each.scale)] = zero + each.initial_above
        if filled.any():
            self.fills[each.is_narrow].append((start, filled.reshape(-1)))
        return start

    def _alias_gathers(self) -> None:
        """Read gathered values in pieces where products alone read them, whole."""
        readers: dict[Value, list[bool]] = defaultdict(list)
        for i in self.code:
            for position, view in enumerate(i.inputs):
                readers[view.value].append(i.opcode == "LINEAR" and position == 0 and view.is_whole)
        for i in self.code:
            if i.opcode == "GATHER" and i.output is not None and all(readers[i.output.value]):
                self.pieced.add(i.output.value)

    def _alias_stores(self) -> None:
        """Compute a value in the map that stores it: the current row of a map is its slot 0 plus the ring."""
        for i in self.code:
            if i.opcode == "STORE" and i.map is not None:
                (view,) = i.inputs
                known = view.value in self._operands or view.value in self.pieced
                if view.is_whole and not known and view.phase > Phase.IMAGE:
                    self._operands[view.value] = self.map_operand(i.map, 0, 0)


def _last_uses(program: Program) -> dict[Value, tuple[int, int]]:
    """Return where each value that is used in the row part alone is used last: number of the part, and position."""
    result: dict[Value, tuple[int, int]] = {}
    elsewhere = {program.params.value}
    for number, (_, part) in enumerate(program.parts()):
        for position, i in enumerate(part):
            for view in i.views:
                if number == 1:
                    result[view.value] = (number, position)
                else:
                    elsewhere.add(view.value)
    return {value: last for value, last in result.items() if value not in elsewhere}
