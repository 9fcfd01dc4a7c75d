"""What rows have in common: which of them are the same work, how one is walked, what ends it, what all of it takes."""

from __future__ import annotations

import torch
from torch import Tensor

from pointillist.engine.cuda.buffers import Buffers
from pointillist.engine.memory_check import check_memory, program_memory_bytes
from pointillist.engine.program import Program
from pointillist.system.hardware import free_bytes


def row_kind(program: Program, row: int) -> int:
    """Rows of one kind are the same work: the first ones, above which there are none, are each of their own kind."""
    first = max((i.first_row for i in program.per_row), default=0)
    return row if row < first else first + (row - first) % program.period


def columns_in_order(program: Program, row: int) -> range:
    """The columns of a row, as they are walked."""
    columns = range(program.width)
    return columns[::-1] if program.s_curve and row % 2 else columns


def shift(buffers: Buffers, row: int) -> None:
    """A row is complete; a coarse one is, when the next one is about to begin."""
    for kept, rows in buffers.maps.items():
        if (row + 1) % kept.scale == 0:
            rows.shift()


class RowCarry:
    """What sites of a row leave to later ones beside the canvas: states of recurrences, and memories.

    When a row is computed again and again, these are of the time before; it is settled when they too stay.
    """

    def __init__(self, buffers: Buffers) -> None:
        self._buffers = buffers
        self._kept: list[Tensor] = []

    def snapshot(self) -> None:
        """Remember what is left now."""
        self._kept = [part.clone() for part in self._parts()]

    def changed(self) -> Tensor:
        """Whether anything is another one than when it was kept."""
        changed = self._buffers.weights.new_zeros((), dtype=torch.bool)
        for before, now in zip(self._kept, self._parts(), strict=True):
            changed = changed | (before != now).any()
        return changed

    def _parts(self) -> list[Tensor]:
        buffers = self._buffers
        states = [buffers.maps[kept].at(0, 0) for kept in buffers.program.maps if kept in buffers.recurrent_maps]
        cached = [part for cache in buffers.kv_caches.values() for part in (cache.keys, cache.values)]
        return states + [part.index_select(2, buffers.slots) for part in cached]


def check_device_memory(program: Program, batch: int, device: torch.device, more: int = 0) -> None:
    """Refuse to take more memory of a device than is free; `more` are bytes beside those of the table.

    Raises:
        EngineError: naming both numbers, and the remedy.
    """
    needed = program_memory_bytes(program, batch, columns=program.width) + more
    check_memory(needed, batch, program.height, program.width, free_bytes(device))
