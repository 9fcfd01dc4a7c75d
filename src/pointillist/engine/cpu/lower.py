"""Lower a program to bytecode: every instruction becomes a few rows, with the addresses of its operands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TypeVar

import numpy as np

from pointillist.engine.cpu import bytecode as bc
from pointillist.engine.cpu.allocation import BufferPlan, LiveRanges
from pointillist.engine.cpu.bytecode import Bytecode, Code, Operand
from pointillist.engine.cpu.jit import MAX_LANES, PANEL
from pointillist.engine.cpu.kernels.dequantize import STRIP
from pointillist.engine.cpu.kernels.elementwise import CODES
from pointillist.engine.cpu.kernels.weight_packing import Packed, Packing
from pointillist.engine.program import Instruction, KeyValueCache, Program
from pointillist.errors import EngineError

Lowering = Callable[["BytecodeCompiler", Instruction], None]
LoweringT = TypeVar("LoweringT", bound=Lowering)
LOWERINGS: dict[str, Lowering] = {}
_OPERANDS = (bc.Y, bc.X, bc.Z)


def lowers(*opcodes: str) -> Callable[[LoweringT], LoweringT]:
    """Register the lowering rule of these opcodes."""

    def register(lowering: LoweringT) -> LoweringT:
        LOWERINGS.update(dict.fromkeys(opcodes, lowering))
        return lowering

    return register


class BytecodeCompiler:
    """Compile a program to bytecode for one batch size.

    bytecode = BytecodeCompiler(program, batch=4, packing=Packing(program)).compile()

    Args:
        groups: groups of consecutive images that share their conditions; 0 where each image has its own.
    """

    def __init__(self, program: Program, batch: int, packing: Packing, groups: int = 0) -> None:
        self.program, self.batch, self.packing = program, batch, packing
        self.buffers = BufferPlan(program, batch, groups)
        self.rows: list[dict[int, int]] = []
        self.patches: list[list[int]] = []
        self.whole_row = False
        """True while the rows being emitted run over a whole row of the image."""
        self.once = False
        """True while they run before the first row."""

    def compile(self) -> Bytecode:
        """Lower all parts, one after the other.

        Raises:
            EngineError: if an opcode has no lowering rule.
        """
        live_ranges = LiveRanges(self.buffers)
        parts: list[tuple[int, int]] = []
        for number, part in enumerate(self.buffers.parts):
            self.once, self.whole_row = number == 0, number == 1
            begin = len(self.rows)
            for position, instruction in enumerate(part):
                if instruction.opcode not in LOWERINGS:
                    raise EngineError(
                        f"The CPU engine has no `{instruction.opcode}`, which this program uses: choose `numpy`."
                    )
                live_ranges.begin(instruction)
                LOWERINGS[instruction.opcode](self, instruction)
                live_ranges.end(instruction, (number, position))
            parts.append((begin, len(self.rows)))
        draw = self._draw_row()
        code = np.zeros((len(self.rows), bc.FIELDS), np.int64)
        for row, fields in zip(code, self.rows, strict=True):
            row[list(fields)] = list(fields.values())
        return Bytecode(
            self.batch,
            code,
            np.array(self.patches, np.int64).reshape(-1, 7),
            np.array(parts, np.int64),
            draw,
            self.buffers.arena.size,
            tuple(self.buffers.constants),
            self.buffers.inputs,
            self.buffers.shared,
            tuple(self.buffers.states),
            self.program.s_curve,
        )

    def row(self, instruction: Instruction, code: int, operands: dict[int, Operand], **fields: int) -> dict[int, int]:
        """Emit a row for an instruction; return it, so that special fields can be set."""
        scale = instruction.scale
        row = {bc.CODE: code, bc.MASK: scale - 1, bc.SHIFT: scale.bit_length() - 1}
        row |= {bc.FIRST: 0 if self.once else instruction.first_row, bc.LAST: bc.EVERY_ROW}
        row[bc.PARITY] = bc.ANY_PARITY if instruction.row_parity is None else instruction.row_parity
        row |= {getattr(bc, name): value for name, value in fields.items()}
        for field, operand in operands.items():
            row |= {field: operand.start, field + 1: operand.image_stride, field + 2: operand.column_stride}
            if not self.whole_row:
                row[field + 3] = operand.column_stride
            self.patch(field, operand)
        self.rows.append(row)
        return row

    def patch(self, field: int, operand: Operand) -> None:
        """Note that a field of the next row changes with the row of the image."""
        ring = operand.ring
        if ring is not None and ring.slots > 1:
            numbers = (operand.start, ring.scale, ring.offset, ring.slots, ring.size)
            self.patches.append([len(self.rows), field, *numbers])

    def elementwise(
        self, instruction: Instruction, name: str, out: Operand, *inputs: Operand, count: int
    ) -> dict[int, int]:
        """Emit `out = f(inputs)`, for all images (and columns) in as few loops as the strides allow."""
        for batch, operands in self._groups(out, *inputs):
            n, outer, inner = count, batch, self.buffers.columns(instruction.scale) if self.whole_row else 1
            steps = [[operand.image_stride, operand.column_stride] for operand in operands]
            if inner == 1 or all(column == n for _, column in steps):
                n *= inner
                outer, inner, steps = 1, outer, [[0, image] for image, _ in steps]
                if all(image == n for _, image in steps):
                    n, inner = n * inner, 1
            row = self.row(instruction, CODES[name], dict(zip(_OPERANDS, operands, strict=False)), N=n)
            self._loops(row, outer, inner, steps)
        return row

    def product(
        self, instruction: Instruction, out: Operand, x: Operand, start: Operand, w: Packed, k: int, n: int
    ) -> None:
        """Emit `out = start + x @ matrix`; images and columns are rows of one product where the strides allow."""
        scales = None if w.scales is None else self.buffers.add_constant(w.scales)
        for batch, operands in self._groups(out, x, start):
            outer, inner = batch, self.buffers.columns(instruction.scale) if self.whole_row else 1
            steps = [[operand.image_stride, operand.column_stride] for operand in operands]
            if inner == 1:
                outer, inner, steps = 1, outer, [[0, image] for image, _ in steps]
            elif all(image == inner * column for image, column in steps):
                outer, inner = 1, outer * inner
            row = self.row(instruction, Code.PRODUCT, dict(zip(_OPERANDS, operands, strict=True)), N=n, K=k, W=w.start)
            if w.weight_format:
                row |= {bc.A: w.weight_format, bc.C: self._scratch}
            if scales is not None:
                row[bc.B] = scales
            self._loops(row, outer, inner, steps)

    def _groups(self, *operands: Operand) -> Iterator[tuple[int, tuple[Operand, ...]]]:
        """Yield the images of an instruction and its operands: by groups, where the images share a condition."""
        groups = self.buffers.groups if any(operand.group_stride for operand in operands) else 1
        batch = self.batch // groups
        for group in range(groups):
            yield batch, tuple(o.narrow(group * (o.group_stride or batch * o.image_stride)) for o in operands)

    @cached_property
    def _scratch(self) -> int:
        """Offset of the scratch memory where strips of matrices are dequantized."""
        return self.buffers.arena.allocate(STRIP * PANEL * MAX_LANES)

    @staticmethod
    def _loops(row: dict[int, int], outer: int, inner: int, steps: Iterable[Iterable[int]]) -> dict[int, int]:
        row |= {bc.OUTER: outer, bc.INNER: inner}
        for field, (by_outer, by_inner) in zip(_OPERANDS, steps, strict=False):
            row |= {field + 1: by_outer, field + 2: by_inner}
        return row

    def _draw_row(self) -> int:
        """Emit the row that holds the addresses of canvas and parameters; return its index."""
        canvas, params = self.buffers.map_operand(self.program.canvas, 0, 0), self.buffers.operand(self.program.params)
        self.whole_row = False
        for field, operand in ((bc.Y, canvas), (bc.X, params)):
            self.patch(field, operand)
        fields = {bc.CODE: int(Code.DRAW_OPERANDS)}
        for field, operand in ((bc.Y, canvas), (bc.X, params)):
            fields |= {field: operand.start, field + 1: operand.image_stride, field + 3: operand.column_stride}
        self.rows.append(fields)
        return len(self.rows) - 1

    def kv_cache(self, instruction: Instruction) -> KeyValueCache:
        """Return the KV cache of an instruction."""
        assert isinstance(instruction.map, KeyValueCache)
        return instruction.map
