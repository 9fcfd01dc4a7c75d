"""Lower integer programs to bytecode of the integer machine: every instruction becomes a few rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from pointillist.engine.cpu.integer import bytecode as bc
from pointillist.engine.cpu.integer.bytecode import Code, IntegerBytecode, Operand
from pointillist.engine.cpu.integer.constants import Pool
from pointillist.engine.cpu.integer.plan import Plan
from pointillist.engine.program import Instruction, Program
from pointillist.errors import EngineError

Rule = Callable[["Compiler", Instruction], None]
RuleT = TypeVar("RuleT", bound=Rule)
RULES: dict[str, Rule] = {}


def lowers(*opcodes: str) -> Callable[[RuleT], RuleT]:
    """Register the lowering rule of these opcodes."""

    def register(rule: RuleT) -> RuleT:
        RULES.update(dict.fromkeys(opcodes, rule))
        return rule

    return register


def unsupported(program: Program) -> list[str]:
    """Return the opcodes of a program that have no rule."""
    code = [*program.per_row, *program.per_site, *program.post_draw]
    return sorted({i.opcode for i in code} - set(RULES))


class Compiler:
    """Compile a program for a batch of images of one size.

        bytecode = Compiler(program, 4, 28, 28, Pool(program), rows=False).compile()

    Args:
        pool: constants and weights, which do not depend on the batch.
        rows: whether the parts of a site run over whole rows, of images that are known.
    """

    def __init__(self, program: Program, batch: int, height: int, width: int, pool: Pool, *, rows: bool) -> None:
        self.program, self.batch, self.pool, self.rows = program, batch, pool, rows
        self.plan = Plan(program, batch, height, width, rows=rows)
        self.code: list[dict[int, int]] = []
        self.pieces: list[tuple[int, int]] = []
        self.patches: list[list[int]] = []
        self.whole_row = False
        self.gathers = {i.output.value: i for i in self.plan.code if i.opcode == "GATHER" and i.output is not None}

    def compile(self) -> IntegerBytecode:
        """Lower all parts. Phase IMAGE is not part of the code: numpy runs it.

        Raises:
            EngineError: if an opcode has no rule.
        """
        parts = [(0, 0)]
        for number, part in enumerate((self.program.per_row, self.program.per_site, self.program.post_draw), 1):
            self.whole_row = number == 1 or self.rows
            begin = len(self.code)
            for position, i in enumerate(part):
                if i.opcode not in RULES:
                    raise EngineError(f"Compiled code has no integer `{i.opcode}`: use the numpy executor.")
                RULES[i.opcode](self, i)
                self.plan.release((number, position), i.views)
            parts.append((begin, len(self.code)))
        draw = self._draw_row()
        code = np.zeros((len(self.code), bc.FIELDS), np.int64)
        for row, fields in zip(code, self.code, strict=True):
            row[list(fields)] = list(fields.values())
        plan = self.plan
        return IntegerBytecode(
            self.batch, code, np.array(self.pieces, np.int64).reshape(-1, 2),
            np.array(self.patches, np.int64).reshape(-1, 7), np.array(parts, np.int64), draw, plan.sizes[True],
            plan.sizes[False], tuple(plan.fills[True]), tuple(plan.fills[False]), plan.inputs, dict(plan.vectors),
            tuple(plan.states),
        )  # fmt: skip

    def row(self, i: Instruction, code: int, operands: dict[int, Operand], **fields: int) -> dict[int, int]:
        """Emit a row for an instruction, with the loops over images and columns; return it."""
        scale = i.scale
        row = {bc.CODE: int(code), bc.MASK: scale - 1, bc.SHIFT: scale.bit_length() - 1, bc.FIRST: i.first_row}
        row[bc.PARITY] = bc.ANY_PARITY if i.row_parity is None else i.row_parity
        row |= {bc.OUTER: self.batch, bc.INNER: self.plan.columns(scale) if self.whole_row else 1}
        row |= {getattr(bc, name): value for name, value in fields.items()}
        for field, operand in operands.items():
            row |= {field: operand.start, field + 1: operand.image_stride, field + 2: operand.column_stride}
            if not self.whole_row:
                row[field + 3] = operand.column_stride
            self.patch(len(self.code), field, operand)
        self.code.append(row)
        return row

    def patch(self, row: int, field: int, operand: Operand) -> None:
        """Note that a field of a row changes with the row of the image; rows of pieces are -1, -2, ..."""
        ring = operand.ring
        if ring is not None and ring.slots > 1:
            self.patches.append([row, field, operand.start, ring.scale, ring.offset, ring.slots, ring.size])

    def _draw_row(self) -> int:
        self.whole_row = self.rows
        canvas, params = self.plan.map_operand(self.program.canvas, 0, 0), self.plan.operand(self.program.params)
        row = {bc.CODE: int(Code.DRAW_OPERANDS)}
        for field, operand in ((bc.Y, canvas), (bc.X, params)):
            self.patch(len(self.code), field, operand)
            row |= {field: operand.start, field + 1: operand.image_stride, field + 2: operand.column_stride}
        self.code.append(row)
        return len(self.code) - 1
