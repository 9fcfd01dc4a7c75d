"""Lower an integer program to the bytes that the library reads. They do not depend on the batch or the image size.

A gathered value that only products read is read from its map, and a value that a map stores whole is computed in the
map. Other values of one part of the program share a buffer when their uses do not overlap.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pointillist.distributions.kinds import LIKELIHOODS
from pointillist.engine.c.blob import BUFFER, CONSTANTS, MAP, NO_OPERAND, TYPES, ConstantPool, Operand, pack, write_blob
from pointillist.engine.head.tables import tanh_table
from pointillist.engine.head.transform import EXP_TABLE, LOG_TABLE
from pointillist.engine.opcodes import CODES, OPCODES
from pointillist.engine.opcodes.local_gain import Levels
from pointillist.engine.program import (
    INT8,
    INT32,
    Array,
    FeatureMap,
    Instruction,
    IntArray,
    KeyValueCache,
    Phase,
    Program,
    Value,
    View,
)
from pointillist.errors import EngineError

KINDS = tuple(LIKELIHOODS)
"""Kinds of a head, in the order of the file in C."""
GRID = 2
"""The number of `runs_by_rows` of the program of a grid."""
TABLES = ("exp", "sigmoid", "tanh", "inverse")


def lower(program: Program) -> NDArray[np.uint8]:
    """Return the bytes of a program; the library checks them before it runs them.

    Raises:
        EngineError: if an opcode has no code.
    """
    return Lowering(read_inputs_once(program)).write()


class Lowering:
    """Write one program."""

    program: Program
    pool: ConstantPool

    def __init__(self, program: Program) -> None:
        self.program, self.pool = program, ConstantPool()
        self.maps: dict[FeatureMap, int] = {each: number for number, each in enumerate(program.maps)}
        self.caches: dict[KeyValueCache, int] = {each: number for number, each in enumerate(program.kv_caches)}
        self.inputs: dict[str, int] = {name: number for number, name in enumerate(program.inputs)}
        self.fused_gathers: dict[Value, Instruction] = gathers_of_products(program)
        self.stored_in_place: dict[Value, FeatureMap] = _values_in_maps(program, self.fused_gathers)
        self.buffers: BufferPlan = BufferPlan(program)
        self.taps: list[int] = []
        self._shifts: dict[int, Array] = {}

    def write(self) -> NDArray[np.uint8]:
        """Lower all parts, and join the tables."""
        program = self.program
        operations: list[int] = []
        for phase, part in program.parts():
            for position, i in enumerate(part):
                operations += self._operation(phase, i)
                self.buffers.release((phase, position), i.views)
        params = self.operand(program.params)
        header = [*[0] * 10, GRID, *params, *[-1] * 7] if program.is_grid else self._head(params)
        inputs = [number for entry in program.inputs.values() for number in (entry.kind == "map", entry.channels)]
        maps = [number for each in program.maps for number in self._map(each)]
        caches = [n for each in program.kv_caches for n in (each.channels, each.key_channels, each.num_heads, 0)]
        return write_blob(header, [self.buffers.table, maps, caches, inputs, operations, self.taps], self.pool)

    def _head(self, params: Operand) -> list[int]:
        """Return the distribution, what levels write, and the parameters."""
        program, head = self.program, self.program.head
        tables = [self.pool.add(head.tables[name]) if name in head.tables else -1 for name in TABLES]
        header = [KINDS.index(head.kind), head.channels, head.levels, head.mixtures, head.precision]
        header += [program.num_sub_steps, program.canvas_values.shape[1], program.s_curve, *(program.size or (0, 0))]
        header += [
            runs_by_rows(program),
            *params,
            *tables,
            -1 if program.canvas.dtype == INT32 else self.pool.add(program.canvas_values),
        ]
        header += [self.pool.add(table.astype(np.int32)) for table in (LOG_TABLE, EXP_TABLE)]
        return header

    def operand(self, view: View) -> Operand:
        """Return where the channels of a view are."""
        each = self.stored_in_place.get(view.value)
        number = self.maps[each] if each is not None else self.buffers.number(view.value)
        return (BUFFER if each is None else MAP, number, view.start, view.channels)

    def _map(self, each: FeatureMap) -> list[int]:
        initial = (each.initial_above, each.initial_left)
        numbers = [-1 if entry is None else self.pool.add(entry.astype(np.int32)) for entry in initial]
        return [TYPES[each.dtype], each.channels, _log2(each.scale), each.up, each.left, each.right, *numbers]

    def _operation(self, phase: Phase, i: Instruction) -> list[int]:
        """Return the numbers of an operation; none for what is read or computed where it is."""
        out = (
            NO_OPERAND
            if i.output is None
            else self.operand(i.output)
            if i.output.value not in self.fused_gathers
            else None
        )
        if out is None:
            return []
        x, z, last = [*map(self._input, i.inputs[:3]), NO_OPERAND, NO_OPERAND, NO_OPERAND][:3]
        number, taps, side = 0, (0, 0), 0
        if i.opcode == "STORE":
            out = (MAP, self.maps[i.held], 0, i.held.channels)
            if out == x:
                return []
        elif i.opcode == "INPUT":
            number = self.inputs[i.key]
        elif isinstance(i.map, KeyValueCache):
            number = self.caches[i.map]
        elif i.opcode in ("GATHER", "UPSAMPLE") and i.map is not None:
            number, taps = self.maps[i.map], self._taps(i) if i.opcode == "GATHER" else (0, 0)
        elif i.opcode == "SCAN":
            side = int(i.taps[0][1] > 0)
        gathered = self.fused_gathers.get(i.inputs[0].value) if i.opcode == "LINEAR" else None
        if gathered is not None and gathered.map is not None:
            number, taps = self.maps[gathered.map], self._taps(gathered)
        name = OPCODES[i.opcode].code or i.opcode
        if name not in CODES:
            raise EngineError(f"The library in C has no integer `{name}`: use the numpy executor.")
        parity = -1 if i.row_parity is None else i.row_parity
        scale = _log2(1 if phase == Phase.IMAGE else i.scale)
        fields = [CODES[name], int(phase), parity, i.first_row, scale, *out, *x, *z, number, *taps, side]
        constants = [self.pool.add(array) for array in self._constants(i)]
        return [*fields, *constants, *[-1] * (CONSTANTS - len(constants)), *last]

    def _input(self, view: View) -> Operand:
        return NO_OPERAND if view.value in self.fused_gathers else self.operand(view)

    def _taps(self, i: Instruction) -> tuple[int, int]:
        first = len(self.taps) // 2
        self.taps += [number for tap in i.taps for number in tap]
        return first, len(i.taps)

    def _constants(self, i: Instruction) -> list[Array]:
        c = i.constants
        if i.opcode == "LINEAR":
            rows, signed = rows_together(i, self.fused_gathers), i.inputs[0].value.dtype == INT8
            return [*_product(c["matrix"], rows, c["bias"], signed=signed), self._shift(c["shift"])]
        if i.opcode == "SCAN":
            bias = np.zeros(c["matrix"].shape[1], np.int32)
            states = np.concatenate([c["hidden"], c["cell"]]).astype(np.int32)
            product = _product(c["matrix"], rows_together(i, self.fused_gathers), bias, signed=True)
            shifts = [self._shift(c["shift"]), self._shift(c["gate"])]
            return [*product, *shifts, c["tanh"], c["sigmoid"], states]
        if "levels" in c:
            return self._local_gain(i, Levels(int(c["levels"][0])))
        types = OPCODES[i.opcode].constants
        return [self._shift(c[name]) if kind.bits == 32 else c[name] for name, kind in types.items()]

    def _local_gain(self, i: Instruction, levels: Levels) -> list[Array]:
        """Return the numbers that follow from the levels of a channel, and for PLACE the table of tanh."""
        if i.opcode == "PLACE":
            shifts = [levels.base_bits, levels.fine, levels.largest_exponent]
            return [np.array([*levels.base, *levels.log_gain, levels.gain, *shifts], np.int32), tanh_table()]
        predicts = i.opcode == "PREDICT"
        further = [levels.mean_factor(i.written.channels - 1), levels.wide] if predicts else [levels.narrowing]
        return [np.array([levels.spread, *further], np.int32)]

    def _shift(self, array: Array) -> Array:
        if id(array) not in self._shifts:
            self._shifts[id(array)] = np.minimum(array, 31).astype(np.int8)
        return self._shifts[id(array)]


class BufferPlan:
    """Assign values to buffers. Those that one part alone uses share them by their live ranges."""

    def __init__(self, program: Program) -> None:
        self.table: list[int] = []
        self._numbers: dict[Value, int] = {}
        self._live = _last_uses(program)
        self._free: dict[tuple[int, ...], list[int]] = defaultdict(list)

    def number(self, value: Value) -> int:
        """Return the buffer of a value, which is chosen at its first use."""
        if value not in self._numbers:
            free = self._free[_kind(value)]
            if free and value in self._live:
                self._numbers[value] = free.pop()
            else:
                self._numbers[value] = len(self.table) // 4
                self.table += _kind(value)
        return self._numbers[value]

    def release(self, position: tuple[Phase, int], views: tuple[View, ...]) -> None:
        """Free the buffers of values whose last use is at this position."""
        for value in {view.value: None for view in views}:
            if self._live.get(value) == position and value in self._numbers:
                self._free[_kind(value)].append(self._numbers[value])


def _kind(value: Value) -> tuple[int, int, int, int]:
    return (TYPES[value.dtype], value.channels, _log2(value.scale), int(value.phase))


def _log2(scale: int) -> int:
    return scale.bit_length() - 1


def _last_uses(program: Program) -> dict[Value, tuple[Phase, int]]:
    """Return the last use of each value that one part alone uses, and in each pass of it before it is read."""
    result: dict[Value, tuple[Phase, int]] = {}
    lasting = {program.params.value}  # a value of a row above is 0 until there is a row above
    for phase, part in program.parts():
        for position, i in enumerate(part):
            for view in i.views:
                known = result.get(view.value)
                if (known is not None and known[0] != phase) or view.value.depth or i.opcode == "SHIFT_DOWN":
                    lasting.add(view.value)
                if view.phase == Phase.IMAGE or (known is None and view is not i.output):
                    lasting.add(view.value)
                result[view.value] = (phase, position)
    return {value: last for value, last in result.items() if value not in lasting}


def read_inputs_once(program: Program) -> Program:
    """Return a program that reads each condition once in a phase; a recorded one reads it again for each layer."""
    parts = list[list[Instruction]]()
    first, same = dict[object, Value](), dict[Value, Value]()
    for phase, part in program.parts():
        parts.append([])
        for i in part:
            if i.opcode == "INPUT" and i.output is not None:
                value = i.output.value
                same[value] = first.setdefault((phase, i.key, value.dtype, i.scale, i.first_row, i.row_parity), value)
                if same[value] is not value:
                    continue
            inputs = tuple(replace(view, value=same.get(view.value, view.value)) for view in i.inputs)
            parts[-1].append(replace(i, inputs=inputs))
        parts[-1].sort(key=lambda i: i.opcode != "INPUT")  # before what reads it
    per_image, per_row, per_site, post_draw = map(tuple, parts)
    return replace(program, per_image=per_image, per_row=per_row, per_site=per_site, post_draw=post_draw)


def gathers_of_products(program: Program) -> dict[Value, Instruction]:
    """Return the gathered values that products alone read, whole: they are read from their maps."""
    code = [i for _, part in program.parts() for i in part]
    makers: dict[Value, list[Instruction]] = defaultdict(list)
    others = {program.params.value}
    for i in code:
        if i.output is not None:
            makers[i.output.value].append(i)
        for position, view in enumerate(i.inputs):
            if i.opcode != "LINEAR" or position or not view.is_whole:
                others.add(view.value)
    return {
        value: sources[0]
        for value, sources in makers.items()
        if len(sources) == 1 and sources[0].opcode == "GATHER" and value not in others and value.is_narrow
    }


def _values_in_maps(program: Program, fused_gathers: dict[Value, Instruction]) -> dict[Value, FeatureMap]:
    """Return the values that are computed in the map that stores them, in its current row."""
    result: dict[Value, FeatureMap] = {}
    for _, part in program.parts():
        for i in part:
            if i.opcode == "STORE" and i.map is not None:
                (view,) = i.inputs
                if view.is_whole and view.phase > Phase.IMAGE and view.value not in fused_gathers:
                    result.setdefault(view.value, i.map)
    return result


def rows_together(i: Instruction, fused_gathers: dict[Value, Instruction]) -> list[int]:
    """Return how many rows of the matrix of an instruction are read together, each time."""
    source = fused_gathers.get(i.inputs[0].value) if i.opcode == "LINEAR" else None
    return [len(i.constants["matrix"])] if source is None else _rows_of_gather(source)


def _rows_of_gather(i: Instruction) -> list[int]:
    """Return the channels of each piece of a gather: adjacent taps of a row are one."""
    runs: list[list[int]] = []
    for row, column in i.taps:
        if runs and runs[-1][0] == row and runs[-1][1] + runs[-1][2] == column:
            runs[-1][2] += 1
        else:
            runs.append([row, column, 1])
    return [count * i.held.channels for _, _, count in runs]


def _product(matrix: IntArray, rows: list[int], bias: IntArray, *, signed: bool) -> tuple[IntArray, IntArray]:
    """Return packed weights, and the bias less what signed inputs add, which are stored as x + 128.

    Raises:
        EngineError: if the bias does not fit.
    """
    result = bias.astype(np.int64) - (128 if signed else 0) * matrix.astype(np.int64).sum(axis=0)
    if np.abs(result).max(initial=0) >= 2**31:
        raise EngineError("A bias of the integer program does not fit in 32 bits: use the numpy executor.")
    return pack(matrix, rows), result.astype(np.int32)


def runs_by_rows(program: Program) -> bool:
    """Return True if each part may run over whole rows of known images: no site reads a state to its left."""
    stored: set[FeatureMap | None] = {program.canvas}
    for i in (*program.per_row, *program.per_site, *program.post_draw):
        if i.opcode == "STORE":
            stored.add(i.map)
        elif i.opcode == "GATHER" and any(dy == 0 for dy, _ in i.taps) and i.map not in stored:
            return False
    return not program.kv_caches
