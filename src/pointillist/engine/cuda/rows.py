"""Rows on a device: which are the same work, the order of their columns, their carried state, and their memory."""

from __future__ import annotations

import torch
from torch import Tensor

from pointillist.engine.batch import check_memory, program_memory_bytes
from pointillist.engine.cuda.buffers import Buffers
from pointillist.engine.program import Program
from pointillist.system import free_bytes


def row_kind(program: Program, row: int) -> int:
    """Return the kind of a row. Rows of one kind are the same work; each of the first rows is a kind of its own."""
    first = max((i.first_row for i in program.per_row), default=0)
    return row if row < first else first + (row - first) % program.period


def columns_in_order(program: Program, row: int) -> range:
    """Return the columns of a row, in generation order."""
    columns = range(program.width)
    return columns[::-1] if program.s_curve and row % 2 else columns


def shift(buffers: Buffers, row: int) -> None:
    """Finish a row; a coarse row is finished when the next one is about to begin."""
    for feature_map, rows in buffers.maps.items():
        if (row + 1) % feature_map.scale == 0:
            rows.shift()


class RowCarry:
    """The state that sites of a row pass to later ones beside the canvas: states of recurrences, and KV caches.

    During an iteration over the row this state is that of the previous iteration. The row has converged when it stays
    too.
    """

    def __init__(self, buffers: Buffers) -> None:
        self._buffers = buffers
        self._kept: list[Tensor] = []

    def snapshot(self) -> None:
        """Copy the current state."""
        self._kept = [part.clone() for part in self._parts()]

    def changed(self) -> Tensor:
        """Return whether the state differs from the snapshot, as a tensor."""
        changed = self._buffers.weights.new_zeros((), dtype=torch.bool)
        for before, now in zip(self._kept, self._parts(), strict=True):
            changed = changed | (before != now).any()
        return changed

    def _parts(self) -> list[Tensor]:
        buffers = self._buffers
        states = [
            buffers.maps[feature_map].at(0, 0)
            for feature_map in buffers.program.maps
            if feature_map in buffers.recurrent_maps
        ]
        cached = [part for cache in buffers.kv_caches.values() for part in (cache.keys, cache.values)]
        return states + [part.index_select(2, buffers.slots) for part in cached]


def check_device_memory(program: Program, batch: int, device: torch.device, more: int = 0) -> None:
    """Check that a program fits in the free memory of a device.

    Args:
        more: bytes beside those of the program.

    Raises:
        EngineError: naming both numbers, and the remedy.
    """
    needed = program_memory_bytes(program, batch, columns=program.width) + more
    check_memory(needed, batch, program.height, program.width, free_bytes(device))
