"""Read exact models from JSON and arrays, with every number, type and shape checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import ValidationError

from pointillist.engine.program import Phase, View
from pointillist.exact.model import ExactModel
from pointillist.exact.opcodes import EXACT_OPCODES
from pointillist.exact.opcodes.base import prove_ranges
from pointillist.exact.program import (
    LIMIT,
    NARROW_RANGE,
    ExactCache,
    ExactHead,
    ExactInput,
    ExactInstruction,
    ExactMap,
    ExactProgram,
    ExactValue,
    IntArray,
)
from pointillist.exact.storage import schema
from pointillist.exact.storage.arrays import ArrayReader
from pointillist.exact.storage.decode_parts import decode_part


def decode_model(document: Any, arrays: ArrayReader, fingerprint: str) -> ExactModel:
    """Read a model.

    Raises:
        CheckpointError: if the document or an array is not what it must be.
        EngineError: if a sum could overflow, or an opcode is of a later release.
    """
    try:
        found = schema.ExactDocument.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise arrays.damaged(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    programs = tuple(ProgramDecoder(one, arrays).decode() for one in found.programs)
    if max(found.orders.values()) >= len(programs) or len(found.parts) != len(programs):
        raise arrays.damaged("an order has no program")
    return ExactModel(
        **found.image.model_dump(),
        fixed_size=found.fixed_size,
        source=found.source,
        programs=programs,
        orders=found.orders,
        parts=tuple(tuple(decode_part(part, arrays) for part in parts) for parts in found.parts),
        fingerprint=fingerprint,
    )


class ProgramDecoder:
    """Read one program."""

    def __init__(self, found: schema.ProgramModel, arrays: ArrayReader) -> None:
        self.found, self.arrays = found, arrays
        self.values = [
            ExactValue(index, channels, Phase(phase), depth, scale, bool(narrow), bool(signed))
            for index, (channels, phase, depth, scale, narrow, signed) in enumerate(found.values)
        ]
        self.maps = [self._map(index, one) for index, one in enumerate(found.maps)]

    def decode(self) -> ExactProgram:
        """Return the program."""
        found, head = self.found, self.found.head
        code = [tuple(self._instruction(i, Phase(n)) for i in part) for n, part in enumerate(found.code)]
        for part in code:
            prove_ranges(part)
        if (
            not self.maps
            or not self.maps[0].narrow
            or self.maps[0].channels != found.num_sub_steps * found.canvas_width
        ):
            raise self.arrays.damaged("the first map is not the canvas")
        inputs = {
            name: ExactInput(one.kind, one.channels, self.arrays.get(one.unit, "float64", (one.channels,)))
            for name, one in found.inputs.items()
        }
        tables = {name: self.arrays.get(table, "int32", (None,)) for name, table in head.tables.items()}
        width = found.num_sub_steps * found.canvas_width // head.channels
        return ExactProgram(
            num_sub_steps=found.num_sub_steps,
            canvas_width=found.canvas_width,
            canvas=self.maps[0],
            canvas_values=self.arrays.get(found.canvas_values, "int8", (head.levels, width)),
            maps=tuple(m for m in self.maps if not isinstance(m, ExactCache)),
            kv_caches=tuple(m for m in self.maps if isinstance(m, ExactCache)),
            inputs=inputs,
            per_image=code[0],
            per_row=code[1],
            per_site=code[2],
            post_draw=code[3],
            params=self._view(found.params),
            head=ExactHead(head.kind, head.channels, head.levels, head.mixtures, head.precision, tables),
            s_curve=found.s_curve,
        )

    def _map(self, index: int, one: schema.MapModel) -> ExactMap:
        initial: dict[str, Any] = {
            name: self.arrays.get(getattr(one, name), "int32", (one.channels,))
            for name in ("initial_above", "initial_left")
            if getattr(one, name) is not None
        }
        low, high = NARROW_RANGE[one.signed] if one.narrow else (-LIMIT, LIMIT)
        if any(array.min() < low or array.max() > high for array in initial.values()):
            raise self.arrays.damaged(f"an initial state of the map {index} is out of its range")
        common = (index, one.channels, one.narrow, one.signed, one.scale)
        if one.num_heads is None:
            return ExactMap(*common, **initial)
        keys = one.key_channels or 0
        if keys % one.num_heads or (one.channels - keys) % one.num_heads or not 0 < keys < one.channels:
            raise self.arrays.damaged(f"the heads of the cache {index} have no whole channels")
        return ExactCache(*common, num_heads=one.num_heads, key_channels=keys)

    def _view(self, numbers: tuple[int, int, int]) -> View:
        index, start, channels = numbers
        if index >= len(self.values) or start + channels > self.values[index].channels:
            raise self.arrays.damaged(f"there is no value {list(numbers)}")
        return View(self.values[index], start, channels)

    def _instruction(self, one: schema.InstructionModel, phase: Phase) -> ExactInstruction:
        if one.op not in EXACT_OPCODES:
            raise self.arrays.damaged(f"the instruction {one.op!r} is unknown; or upgrade pointillist")
        opcode = EXACT_OPCODES[one.op]
        output = None if one.out is None else self._view(one.out)
        inputs = tuple(self._view(numbers) for numbers in one.inputs)
        if set(one.constants) != set(opcode.constants):
            raise self.arrays.damaged(f"{one.op} has the constants {sorted(one.constants)}")
        constants = {name: self._constant(name, opcode.constants[name], one, output, inputs) for name in one.constants}
        feature_map = None
        if one.map is not None:
            if one.map >= len(self.maps):
                raise self.arrays.damaged(f"there is no map {one.map}")
            feature_map = self.maps[one.map]
            if any(dy > 0 for dy, _ in one.taps):
                raise self.arrays.damaged(f"{one.op} reads a row below")
            if one.taps:
                feature_map.extend(tuple(one.taps))
        found = ExactInstruction(
            one.op, phase, output, inputs, constants, feature_map, tuple(one.taps), one.key, one.row_parity
        )
        self._check_shapes(found)
        return found

    def _constant(
        self, name: str, dtype: str, one: schema.InstructionModel, output: View | None, inputs: tuple[View, ...]
    ) -> IntArray:
        channels = 0 if output is None else output.channels
        shape: tuple[int | None, ...] = (channels,)
        if name == "matrix":
            shape = (None, None) if one.op == "SCAN" else (inputs[0].channels, channels)
        elif name in ("table", "tanh", "sigmoid", "exp"):
            shape = (None,)
        elif name == "numbers":
            shape = (None, None, channels)
        elif name == "factor" and one.op == "ATTEND":
            shape = (1,)
        elif one.op == "SCAN" and name in ("shift", "gate"):
            shape = (4 * channels,)
        array = self.arrays.get(one.constants[name], dtype, shape)
        if len(shape) == 1 and shape[0] is None and (len(array) % 2 == 0 or len(array) > 2**20):
            raise self.arrays.damaged(f"a table of {one.op} has {len(array)} entries")
        if "int8" in dtype and name != "matrix" and np.abs(array.astype(int)).max(initial=0) > 62:
            raise self.arrays.damaged(f"a shift of {one.op} is too large")
        return array

    def _check_shapes(self, i: ExactInstruction) -> None:
        """Check channels, kinds and phases, which the executors rely on."""
        problem = EXACT_OPCODES[i.opcode].problem(i)
        if problem or any(view.phase > i.phase for view in i.inputs) or (i.output and i.output.phase != i.phase):
            raise self.arrays.damaged(f"{i.opcode}: {problem or 'a value is not known in its phase'}")
        scales = {view.scale for view in i.views if view.phase > Phase.IMAGE}
        if len(scales) > 1 or any(scale & (scale - 1) for scale in scales):
            raise self.arrays.damaged(f"{i.opcode} combines grids of {sorted(scales)}")
