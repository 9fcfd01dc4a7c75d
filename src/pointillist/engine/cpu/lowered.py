"""The bytecode of a program, kept with it from call to call."""

from __future__ import annotations

from threading import Lock

from pointillist.engine.cpu import lowering_rules  # noqa: F401  (registers the lowering rule of every opcode)
from pointillist.engine.cpu.bytecode import Bytecode
from pointillist.engine.cpu.kernels.weight_packing import Packing
from pointillist.engine.cpu.lower import BytecodeCompiler
from pointillist.engine.program import FloatArray, Program

MOST = 8
"""Batch sizes whose bytecode is kept."""


class LoweredProgram:
    """Bytecodes and packed weights of a program, for any batch size.

    LoweredProgram.of(program).bytecode(4)
    """

    def __init__(self, program: Program) -> None:
        self._program, self._packing = program, Packing(program)
        self._bytecodes: dict[tuple[int, int], Bytecode] = {}
        self._lock = Lock()

    @classmethod
    def of(cls, program: Program) -> LoweredProgram:
        """Return the lowered form that is kept with a program, or with one that differs in its inputs alone."""
        result = program.kept.get("cpu")
        if result is None or not result.fits(program):
            result = program.kept["cpu"] = cls(program)
        return result

    def fits(self, program: Program) -> bool:
        """Return True if the instructions and weights of a program are those that were lowered."""
        own = self._program
        names = ("per_image", "per_row", "sub_steps", "post_draw", "canvas", "params")
        return all(getattr(own, name) is getattr(program, name) for name in names)

    def bytecode(self, batch: int, groups: int = 0) -> Bytecode:
        """Return the bytecode for a batch, compiled at the first call; `groups` as for `BytecodeCompiler`."""
        with self._lock:
            if (batch, groups) not in self._bytecodes:
                if len(self._bytecodes) >= MOST:  # batches may vary without end
                    self._bytecodes.clear()
                compiler = BytecodeCompiler(self._program, batch, self._packing, groups)
                self._bytecodes[batch, groups] = compiler.compile()
            return self._bytecodes[batch, groups]

    @property
    def weights(self) -> FloatArray:
        """The packed weights of all bytecodes so far."""
        with self._lock:
            return self._packing.array
