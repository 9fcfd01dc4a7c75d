"""Allocate the buffers of a program in one flat array.

Feature maps, KV caches, inputs and constants are permanent (`BufferPlan`). Values share memory by their live ranges
(`LiveRanges`), so that it stays in the CPU cache.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from pointillist.engine.cpu.bytecode import Arena, Operand, Ring
from pointillist.engine.cpu.jit import MAX_LANES
from pointillist.engine.program import FeatureMap, FloatArray, Instruction, KeyValueCache, Phase, Program, Value, View

Operands = list[tuple[Operand, int]]
"""Operands and their numbers of channels, one after the other."""
SHARES = frozenset({"ADD", "COPY", "GATE", "LINEAR", "MULTIPLY", "STORE"})
"""Opcodes whose rows may read a condition that images share."""
Moment = tuple[int, int]
"""The number of a part of the program, and of an instruction in it."""


@dataclass(frozen=True)
class KeyValueLayout:
    """Offsets of a KV cache: keys feature by feature, `[b, keys, sites]`, values site by site, `[b, sites, values]`."""

    keys: int
    values: int
    sites: int
    """Distance from one feature of the keys to the next."""


class BufferPlan:
    """Assign an operand to each value of a program, for one batch size.

    A gathered value, an input or a constant is read where it is, without a copy. A value that a map stores is computed
    in the map.

    Args:
        groups: groups of consecutive images that share their conditions; 0 where each image has its own.
    """

    def __init__(self, program: Program, batch: int, groups: int = 0) -> None:
        self.program, self.batch, self.groups = program, batch, groups
        self.arena = Arena()
        self.constants: list[tuple[int, FloatArray]] = []
        self.states: list[tuple[int, int, int]] = []
        """Blocks that hold the state of the images, `[slots, b, numbers]`: offset, slots, numbers of an image."""
        self.parts = [program.per_image, program.per_row, *program.sub_steps, program.post_draw]
        widest = max((i.output.channels for part in self.parts for i in part if i.output), default=1)
        sites = program.height * program.width if program.kv_caches else 0
        self.zeros = Operand(self.add_constant(np.zeros(max(widest, sites))), 0, 0)
        self.maps = {feature_map: self._allocate_map(feature_map) for feature_map in program.maps}
        self.kv_caches = {cache: self._allocate_kv_cache(cache) for cache in program.kv_caches}
        self.shared = self._shared_inputs() if groups else frozenset()
        self.inputs = {key: self._allocate_input(key) for key in program.inputs}
        self.copied: set[Value] = set()
        """Gathered values that are copied, because a reader needs them in one piece."""
        self._operands: dict[Value, Operands] = {}
        self._alias_reads()
        self._alias_stored_values()

    def add_constant(self, numbers: FloatArray) -> int:
        """Allocate numbers that never change; return their offset."""
        start = self.arena.allocate(numbers.size)
        self.constants.append((start, numbers))
        return start

    def columns(self, scale: int) -> int:
        """Return the number of columns of a grid."""
        return -(-self.program.width // scale)

    def is_allocated(self, value: Value) -> bool:
        """Return True if a value has its operand."""
        return value in self._operands

    def size(self, value: Value) -> int:
        """Return the numbers of a value: of a whole row in the row phase, else of a site."""
        return self.batch * value.channels * (self.columns(value.scale) if value.phase == Phase.ROW else 1)

    def allocate(self, value: Value, start: int | None = None) -> None:
        """Assign a value to free memory at an offset, or to new memory."""
        start = self._allocate_state(self.size(value) // self.batch) if start is None else start
        if value.phase == Phase.ROW:
            self.assign(value, Operand(start, self.columns(value.scale) * value.channels, value.channels))
        else:
            self.assign(value, Operand(start, value.channels, 0))

    def offset(self, value: Value) -> int:
        """Return the offset of a value."""
        return self._operands[value][0][0].start

    def assign(self, value: Value, operand: Operand) -> None:
        """Assign a value to an operand."""
        self._operands[value] = [(operand, value.channels)]

    def operand(self, view: View) -> Operand:
        """Return the operand of a view that is in one piece."""
        ((operand, _),) = self.operands(view)
        return operand

    def operands(self, view: View) -> Operands:
        """Return the operands of a view: one, or several where it is gathered."""
        result: Operands = []
        offset, end = 0, view.start + view.channels
        for operand, size in self._operands[view.value]:
            first, last = max(view.start, offset), min(end, offset + size)
            if first < last:
                result.append((operand.narrow(first - offset), last - first))
            offset += size
        return result

    def map_operand(self, feature_map: FeatureMap, row: int, column: int, step: int = 1) -> Operand:
        """Return the operand of a neighbour in a map, for sites that are `step` columns of the map apart."""
        line = self._line(feature_map)
        ring = Ring(feature_map.scale, row, feature_map.up + 1, self.batch * line)
        return Operand(
            self.maps[feature_map] + (feature_map.left + column) * feature_map.channels,
            line,
            step * feature_map.channels,
            ring,
        )

    def gather_operands(self, instruction: Instruction) -> Operands:
        """Return the operands of the taps of a gather, with adjacent taps joined."""
        feature_map = instruction.map
        assert feature_map is not None
        runs: list[list[int]] = []
        for row, column in instruction.taps:
            if runs and runs[-1][0] == row and runs[-1][1] + runs[-1][2] == column:
                runs[-1][2] += 1
            else:
                runs.append([row, column, 1])
        step = instruction.scale // feature_map.scale
        return [
            (self.map_operand(feature_map, row, column, step), count * feature_map.channels)
            for row, column, count in runs
        ]

    def _alias_reads(self) -> None:
        """Alias gathers, inputs and constants; a gather in several pieces only if matrix products alone read it."""
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
                self.assign(output.value, Operand(self.add_constant(instruction.constants["constant"]), 0, 0))
            elif instruction.opcode == "GATHER":
                self._operands[output.value] = self.gather_operands(instruction)
                others = [v for i, v in readers[output.value] if i.opcode != "LINEAR" or v is not i.inputs[0]]
                if any(len(self.operands(view)) > 1 for view in others) or output.value is self.program.params.value:
                    del self._operands[output.value]
                    self.copied.add(output.value)

    def _alias_stored_values(self) -> None:
        for instruction in (i for part in self.parts for i in part if i.opcode == "STORE"):
            (view,), feature_map = instruction.inputs, instruction.map
            if feature_map is not None and view.is_whole and not self.is_allocated(view.value):
                self.assign(view.value, self.map_operand(feature_map, 0, 0))

    def _input_operand(self, instruction: Instruction) -> Operand:
        """Return the operand of a vector, or of the current row of a map."""
        condition, start = self.program.inputs[instruction.key], self.inputs[instruction.key]
        height, line = self.program.height, self.program.width * condition.channels
        if condition.kind == "vector":
            result, size = Operand(start, condition.channels, 0), condition.channels
        else:
            ring, size = Ring(1, -instruction.first_row, height, line), height * line
            result = Operand(start, size, condition.channels, ring)
        return replace(result, image_stride=0, group_stride=size) if instruction.key in self.shared else result

    def _shared_inputs(self) -> frozenset[str]:
        """Return the conditions that groups of images can share: those that rows of few operands alone read."""
        instructions = [instruction for part in self.parts for instruction in part]
        keys = {i.output.value: i.key for i in instructions if i.opcode == "INPUT" and i.output is not None}
        others = {view.value for i in instructions if i.opcode not in SHARES for view in i.inputs}
        return frozenset(key for value, key in keys.items() if value not in others)

    def _allocate_input(self, key: str) -> int:
        condition = self.program.inputs[key]
        sites = 1 if condition.kind == "vector" else self.program.height * self.program.width
        count = self.groups if key in self.shared else self.batch
        return self.arena.allocate(count * sites * condition.channels)

    def _allocate_state(self, size: int, slots: int = 1) -> int:
        """Allocate `size` numbers for each image, in each of several slots; return the offset."""
        start = self.arena.allocate(slots * self.batch * size)
        self.states.append((start, slots, size))
        return start

    def _line(self, feature_map: FeatureMap) -> int:
        return (feature_map.left + self.columns(feature_map.scale) + feature_map.right) * feature_map.channels

    def _allocate_map(self, feature_map: FeatureMap) -> int:
        start = self._allocate_state(self._line(feature_map), feature_map.up + 1)
        if feature_map.initial_above is not None or feature_map.initial_left is not None:
            shape = (
                feature_map.up + 1,
                self.batch,
                self._line(feature_map) // feature_map.channels,
                feature_map.channels,
            )
            filled = np.zeros(shape, self.program.dtype)
            if feature_map.initial_left is not None:
                filled[:, :, : feature_map.left] = feature_map.initial_left
            if feature_map.initial_above is not None:
                filled[:, :, feature_map.left : feature_map.left + self.columns(feature_map.scale)] = (
                    feature_map.initial_above
                )
            self.constants.append((start, filled))
        return start

    def _allocate_kv_cache(self, cache: KeyValueCache) -> KeyValueLayout:
        sites = -(-cache.length // MAX_LANES) * MAX_LANES
        keys = self._allocate_state(cache.key_channels * sites)
        values = self._allocate_state(cache.length * (cache.channels - cache.key_channels))
        return KeyValueLayout(keys, values, sites)


class LiveRanges:
    """Allocate each value before its first use, and free it after its last use.

    A value that is live across parts of the program is never freed: a part runs at many columns, and may run again at
    one before the next part.
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
        """Allocate the output of an instruction that is about to run."""
        if instruction.output is None or self.buffers.is_allocated(instruction.output.value):
            return
        value = instruction.output.value
        free = self._free[self.buffers.size(value)]
        self.buffers.allocate(value, free.pop() if free else None)
        self._lent.add(value)

    def end(self, instruction: Instruction, moment: Moment) -> None:
        """Free the values whose last use is this instruction."""
        for value in {view.value for view in instruction.views} & self._lent:
            if self._last[value] == moment and self._first[value] == moment[0]:
                self._free[self.buffers.size(value)].append(self.buffers.offset(value))
                self._lent.remove(value)
