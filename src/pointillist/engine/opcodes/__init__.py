"""Opcodes: the meaning of each instruction, in numpy. A new opcode is one class in one of these files.

`bind` returns the numpy calls that carry out an instruction, with all arrays bound: over `[b, width, c]` in the row
part, over `[b, c]` at a site. To run a program is to call them in order, with no Python in between. A repeated call
gives the same bits, because no instruction changes an array that it, or one before it, reads.
"""

from pointillist.engine.opcodes import attention, elementwise, grids, linear, recurrence, sites
from pointillist.engine.opcodes.base import OPCODES, Call, Opcode

__all__ = ["OPCODES", "Call", "Opcode", "attention", "elementwise", "grids", "linear", "recurrence", "sites"]
