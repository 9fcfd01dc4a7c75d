"""The opcodes: what each instruction means, in numpy. A new opcode is one class in one of these files.

`bind` returns the numpy calls that carry an instruction out, with all arrays already in place: over `[b, width, c]` in
the row part, over `[b, c]` in the pixel part. Running a program is calling them in order, with no Python in between.
Calling them again gives the same bits, because none changes what it, or one before it, reads.
"""

from pointillist.engine.opcodes import attention, elementwise, grids, linear, recurrence, sites
from pointillist.engine.opcodes.base import OPCODES, Call, Opcode

__all__ = ["OPCODES", "Call", "Opcode", "attention", "elementwise", "grids", "linear", "recurrence", "sites"]
