"""What rows have in common: which of them are the same work, what ends one, and what memory all of it takes."""

from __future__ import annotations

import torch

from pointillist.engine.cuda.buffers import Buffers
from pointillist.engine.program import Program
from pointillist.engine.room import check_room, table_bytes
from pointillist.machine import free_bytes


def kind_of_row(program: Program, row: int) -> int:
    """Rows of one kind are the same work: the first ones, above which there are none, are each of their own kind."""
    first = max((i.first_row for i in program.row), default=0)
    return row if row < first else first + (row - first) % program.period


def shift(buffers: Buffers, row: int) -> None:
    """A row is complete; a coarse one is, when the next one is about to begin."""
    for kept, rows in buffers.maps.items():
        if (row + 1) % kept.scale == 0:
            rows.shift()


def check_device_room(program: Program, batch: int, device: torch.device, more: int = 0) -> None:
    """Refuse to take more memory of a device than is free; `more` are bytes beside those of the table.

    Raises:
        EngineError: naming both numbers, and the remedy.
    """
    needed = table_bytes(program, batch, columns=program.width) + more
    check_room(needed, batch, program.height, program.width, free_bytes(device))
