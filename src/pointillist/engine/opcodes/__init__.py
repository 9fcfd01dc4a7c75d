"""Opcodes: the meaning of each instruction, in floating point and in integers, over any region of the image.

A new opcode is one class in one of these files. `bind` returns the call that carries out an instruction over a region,
with all arrays bound. A repeated call gives the same bits, because no instruction changes an array that it, or one
before it, reads.
"""

from pointillist.engine.opcodes import attention, elementwise, linear, local_gain, sites
from pointillist.engine.opcodes.base import OPCODES, Opcode

CODES: dict[str, int] = {
    name: number
    for number, name in enumerate(sorted(k for k, each in OPCODES.items() if each.has_integers and each.code is None))
}
"""Numbers of opcodes in the bytes that the library in C reads: those that it runs, by their names."""

__all__ = ["CODES", "OPCODES", "Opcode", "attention", "elementwise", "linear", "local_gain", "sites"]
