"""Exact opcodes: the meaning of each instruction, in numpy. A new opcode is one class in one of these files."""

from pointillist.engine.integer.opcodes import attention, elementwise, linear, recurrence, sites
from pointillist.engine.integer.opcodes.base import INTEGER_OPCODES, IntegerOpcode

__all__ = ["INTEGER_OPCODES", "IntegerOpcode", "attention", "elementwise", "linear", "recurrence", "sites"]
