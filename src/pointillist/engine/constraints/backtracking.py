"""Backtracking over rows: where an image comes to a dead end, the batch returns to a row that was saved.

The library chooses the rows (`runtime/solver.c`). The other images of the batch take the levels that they had, because
each of their sites has one level left. The image at fault draws from other uniforms. A state is saved every few rows;
if one does not help, an earlier one follows.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pointillist.engine.constraints.masks import LevelMask
from pointillist.engine.constraints.solver import SLOTS, Search, solver_library
from pointillist.engine.program import IntArray


class Backtracking:
    """The saved rows of a batch, and the choice of the next row.

        for row in Backtracking(mask, levels, save=stepper.save, restore=stepper.restore):
            ...  # draw the row

    Args:
        mask: of the batch, after `begin_stage`.
        levels: int64 `[n, h, w]` of the engine's grid, in which rows are drawn.
        save: returns the state of the engine at the beginning of a row.
        restore: restores it.

    Attributes:
        final_rows: number of rows that will not be drawn again.
    """

    def __init__(
        self, mask: LevelMask, levels: IntArray, save: Callable[[], Any], restore: Callable[[Any], None]
    ) -> None:
        self.final_rows = 0
        self._mask, self._levels, self._save, self._restore = mask, levels, save, restore

    def __iter__(self) -> Iterator[int]:
        """Yield rows to draw; a row comes again where a dead end sends the batch back."""
        library, mask, states = solver_library(), self._mask, [None] * SLOTS
        search, count = Search(), len(self._levels)
        address = ctypes.addressof(search)
        fits = library.pt_search_begin(address, mask.address, mask.first, count, *self._levels.shape[1:])
        assert fits, "a batch that does not fit its mask"
        while True:
            levels = np.ascontiguousarray(self._levels, np.int64)
            row = library.pt_search_next(address, levels.ctypes.data)
            self.final_rows = search.final_rows
            if search.restore >= 0:
                self._restore(states[search.restore])
            if row < 0:
                return
            if search.save >= 0:
                states[search.save] = self._save()
            yield row
