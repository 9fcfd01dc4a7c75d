"""The state that sites of a row pass to later ones besides the canvas: states of recurrences, and KV caches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pointillist.engine.numpy.buffers import Region
from pointillist.engine.program import Program
from pointillist.engine.torch.buffers import TorchBuffers


class RowCarry:
    """The carried state of a row, during an iteration over the row that of the previous iteration.

    The row has converged when it stays too.
    """

    def __init__(self, buffers: TorchBuffers) -> None:
        self._buffers = buffers
        self._recurrent = recurrent_maps(buffers.program)
        self._before: list[Tensor] = []

    def snapshot(self) -> None:
        """Copy the current state."""
        self._before = [part.clone() for part in self._parts()]

    def changed(self) -> Tensor:
        """Return whether the state differs from the snapshot, as a tensor."""
        changed = torch.zeros((), dtype=torch.bool, device=self._buffers.device)
        for before, now in zip(self._before, self._parts(), strict=True):
            changed = changed | (before != now).any()
        return changed

    def _parts(self) -> list[Tensor]:
        buffers = self._buffers
        states = [buffers.sites(m, Region.of_rows(0, 1, buffers.size(m.scale)[1])) for m in self._recurrent]
        return states + [cache.index_select(2, buffers.slots(0)) for cache in buffers.caches.values()]


def recurrent_maps(program: Program) -> list[Any]:
    """Return the maps that the site part reads before it writes them: the state of recurrences."""
    stores = {i.map: index for index, i in enumerate(program.per_site) if i.opcode == "STORE"}
    read_first = {i.map for index, i in enumerate(program.per_site) if i.taps and stores.get(i.map, -1) > index}
    return [m for m in program.maps if m in read_first]
