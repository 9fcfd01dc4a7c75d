"""Exact opcodes: the meaning of each instruction, in numpy. A new opcode is one class in one of these files."""

from pointillist.exact.opcodes import attention, elementwise, linear, recurrence, sites
from pointillist.exact.opcodes.base import EXACT_OPCODES, ExactOpcode

__all__ = ["EXACT_OPCODES", "ExactOpcode", "attention", "elementwise", "linear", "recurrence", "sites"]
