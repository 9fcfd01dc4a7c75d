"""Backtracking over rows: where an image comes to a dead end, the batch returns to a row that was saved.

The other images of the batch take the levels that they had, because each of their sites has one level left. The image
at fault draws from other uniforms. A state is saved every few rows; if one does not help, an earlier one follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pointillist.engine.constraints.domains import DEAD, REJECTED
from pointillist.engine.constraints.masks import LevelMask
from pointillist.engine.program import IntArray

EVERY, KEPT = 4, 4
"""Rows between two saved states, and how many states are kept."""
MOST = 24
"""Attempts to pass a row before an image is rejected."""


class Backtracking:
    """The saved rows of a batch, and the choice of the next row.

        for row in Backtracking(mask, levels, save=stepper.save, restore=stepper.restore):
            ...  # draw the row

    Args:
        mask: of the batch, after `begin_stage`.
        levels: int64 `[n, h, w]` of the engine's grid, in which rows are drawn.
        save: returns the state of the engine at the beginning of a row.
        restore: restores it.
    """

    def __init__(
        self, mask: LevelMask, levels: IntArray, save: Callable[[], Any], restore: Callable[[Any], None]
    ) -> None:
        self.row = 0
        self._mask, self._levels, self._save, self._restore = mask, levels, save, restore
        self._saved: list[tuple[int, Any]] = []
        self._failures = np.zeros(len(levels), np.int64)
        self._furthest = np.full(len(levels), -1)

    @property
    def final_rows(self) -> int:
        """Number of rows that will not be drawn again."""
        if self.done:
            return int(self._levels.shape[1])
        return self._saved[0][0] if self._can_return and self._saved else self.row

    @property
    def done(self) -> bool:
        """True after the last row, or if all images were rejected."""
        return self.row >= self._levels.shape[1] or bool((self._mask.status == REJECTED).all())

    def __iter__(self) -> Iterator[int]:
        """Yield rows to draw; a row comes again where a dead end sends the batch back."""
        while not self.done:
            self._begin()
            yield self.row
            self._finish()

    def _begin(self) -> None:
        """Save the state of the engine, at some rows."""
        row = self.row
        if self._can_return and row % EVERY == 0 and (not self._saved or self._saved[-1][0] < row):
            self._saved = [*self._saved, (row, self._save())][-KEPT:]

    def _finish(self) -> None:
        """Finish a row: check it, and choose the next one."""
        mask = self._mask
        mask.check_row()
        dead = np.flatnonzero(mask.status == DEAD)
        if not self._can_return:
            mask.status[dead] = REJECTED
            self.row += 1
            return
        fresh = dead[self.row > self._furthest[dead]]
        self._failures[fresh] = 0
        self._furthest[dead] = np.maximum(self._furthest[dead], self.row)
        self._failures[dead] += 1
        mask.status[dead[self._failures[dead] > MOST]] = REJECTED
        dead = dead[mask.status[dead] == DEAD]
        if not len(dead):
            self.row += 1
            return
        depth = min(int(self._failures[dead].max()), len(self._saved))
        self._saved = self._saved[: len(self._saved) - depth + 1]
        self.row, state = self._saved[-1]
        self._restore(state)
        for b in dead:
            self._go_back(b)

    @property
    def _can_return(self) -> bool:
        """Weights would not correct for rows that are drawn again."""
        return self._mask.propagates and not self._mask.weighted

    def _go_back(self, b: int) -> None:
        layout, width = self._mask.domains.layout, self._levels.shape[2]
        origin, row_step, column_step = layout[-3:].tolist()
        sites = origin + np.arange(self.row)[:, None] * row_step + np.arange(width) * column_step
        self._mask.go_back(b, sites.reshape(-1), self._levels[b, : self.row].reshape(-1))
