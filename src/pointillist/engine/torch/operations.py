"""The operations of both number systems in torch, by opcode."""

from __future__ import annotations

from typing import Any

from pointillist.engine.integer.numpy.moves import MOVES
from pointillist.engine.integer.numpy.schedule import Operations
from pointillist.engine.program import Program
from pointillist.engine.torch import attention, elementwise, linear, recurrence, sites
from pointillist.engine.torch.frames import TorchFrames

FAMILIES = (elementwise, linear, attention, recurrence, sites)
FLOAT: dict[str, Any] = dict(MOVES)
INTEGER: dict[str, Any] = dict(MOVES)
for _family in FAMILIES:
    FLOAT.update(_family.FLOAT)
    INTEGER.update(_family.INTEGER)


def operations_of(program: Program) -> Operations[TorchFrames]:
    """Return what runs each instruction of a program."""
    return INTEGER if program.is_integer else FLOAT
