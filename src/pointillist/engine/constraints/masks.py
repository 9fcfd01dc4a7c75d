"""Masks on levels: which levels each sub-pixel of a batch may have, from before the first draw to the last.

One mask serves all that restricts a draw: levels that are allowed at a pixel, and rules between pixels. It is given to
an engine with the batch. A domain is the set of levels that a site may still have. When a site takes a level, the
domains of its neighbours lose the levels that no longer fit, then the domains of their neighbours, until nothing
changes (AC-3). Where a domain would become empty, the assignment is undone, so no level is drawn that contradicts what
arc consistency can see. All of it is in C (`runtime/solver.c`), and so are draws of integer programs. `draw` does the
same for other engines.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from pointillist.engine.constraints import solver
from pointillist.engine.constraints.solver import (
    ALIVE,
    DEAD,
    REJECTED,
    SLOTS,
    Check,
    Constraints,
    RuleArrays,
    Search,
    from_bits,
    solver_library,
)
from pointillist.engine.particles import Scaled
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder

IntArray = Int[np.ndarray, "..."]
Choose = Callable[[IntArray, Bool[np.ndarray, "n k"], Float[np.ndarray, " n"]], Int[np.ndarray, " n"]]
"""Draw levels for some images of a batch, among the levels that are allowed, from uniforms."""
_TRIES = 1024  # numbers of uniforms that one attempt may take at a site


class LevelMask:
    """The mask of a batch.

        mask = LevelMask.open(allowed, count=4)  # allowed: [c h w k]

    Args:
        rules: what all images obey.
        count: number of images.

    Attributes:
        bits: levels that a sub-pixel may still have, uint64 `[n, c, sites, words]`; site = row * width + column.
        counts: sites that must, and that may, have a level of each set of the constraints, int64 `[n, sets, 2]`.
        state: columns of `solver.py`, int64 `[n, 10]`.
    """

    rules: RuleArrays

    def __init__(self, rules: RuleArrays, count: int = 1) -> None:
        self.rules = rules
        self._memory, self._fields = rules.begin(count)
        fields, sites = self._fields, rules.height * rules.width
        shape, sets = (count, rules.channels, sites, fields.words), len(rules.constraints.sets)
        self.bits: np.ndarray = self._array(fields.bits, shape, np.uint64)
        self.counts: np.ndarray = self._array(fields.counts, (count, sets, 2), np.int64)
        self.state: IntArray = self._array(fields.state, (count, solver.STATE), np.int64)
        self._mass = Scaled(self._array(fields.mass, (count,), np.float64), self.state[:, solver.EXPONENT])

    def _array(self, address: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        start, size = address - self._memory.ctypes.data, int(np.prod(shape)) * np.dtype(dtype).itemsize
        array: np.ndarray = self._memory[start : start + size].view(dtype).reshape(shape)
        return array

    @classmethod
    def open(
        cls,
        allowed: Bool[np.ndarray, "c h w k"],
        count: int = 1,
        constraints: Constraints | None = None,
        checks: Sequence[Check] = (),
        *,
        weighted: bool = False,
    ) -> LevelMask:
        """Make the mask of a batch of images that all begin with the same domains; nothing is propagated yet.

        Args:
            allowed: levels that each sub-pixel may have.
            count: number of images.
            constraints: between the sites of the images.
            checks: rules of the whole image.
            weighted: try every level before a draw, and add up the log-probability of those that are left.

        Raises:
            ConfigError: if the image is too large.
            EngineError: if the library in C is missing on this platform.
        """
        return cls(RuleArrays(allowed, constraints or Constraints(), checks, weighted=weighted), count)

    @property
    def address(self) -> int:
        """Address of all masks of the memory: `pt_mask`."""
        return int(self._memory.ctypes.data)

    @property
    def propagates(self) -> bool:
        """True if sites constrain each other, or rules are checked: an image may come to a dead end."""
        return bool(self._fields.tracked)

    @property
    def mass(self) -> Float[np.ndarray, " n"]:
        """Log-probability of the allowed levels of each image, summed over its draws; see `open`."""
        return self._mass.logs()

    def take_mass(self) -> Scaled:
        """Return the probability of the allowed levels since the last call."""
        taken = self._mass.copy()
        self._mass.reset()
        return taken

    @property
    def status(self) -> Int[np.ndarray, " n"]:
        """ALIVE, DEAD or REJECTED, for each image."""
        return self.state[:, solver.STATUS]

    @property
    def reasons(self) -> list[str]:
        """Name of the rule that each image broke last; empty for a site without levels."""
        names = [check.name for check in self.rules.checks]
        return ["" if number < 0 else names[number] for number in self.state[:, solver.BROKEN].tolist()]

    def repeat(self, count: int, attempt: int = 0) -> LevelMask:
        """Return the mask of a batch of `count` images, each of which begins as the first of these.

        Args:
            attempt: number of the attempt: each draws from other uniforms.
        """
        result, library = LevelMask(self.rules, count), solver_library()
        for b in range(count):
            library.pt_mask_copy(result.address, b, self.address, 0)
        result.state[:, solver.ATTEMPT] = attempt << 20
        return result

    def known(self, levels: Int[np.ndarray, "c h w"], known: Bool[np.ndarray, "c h w"]) -> LevelMask:
        """Return the mask of the first image where some sub-pixels are known, now or later in the order."""
        result, (channels, sites) = self.repeat(1), known.reshape(len(known), -1).nonzero()
        fixed = levels.reshape(len(known), -1)[channels, sites]
        if self.propagates and not result._fix(0, sites, fixed):
            result.state[0, [solver.STATUS, solver.BROKEN]] = DEAD, -1
        elif not self.propagates:
            result.bits[0, channels, sites] = self._only(fixed)
        result._keep()
        return result

    def make_arc_consistent(self) -> int | None:
        """Make the domains of the first image arc consistent; return the site without levels, None if there is none."""
        if not solver_library().pt_mask_propagate(self.address, 0):
            return int(self.state[0, solver.SITE])
        empty = np.flatnonzero(~self.bits[0].any(-1).all(0))
        return int(empty[0]) if len(empty) else None

    def broken(self) -> Check | None:
        """Return the first rule of the whole image that no choice from the domains of the first image obeys."""
        number = solver_library().pt_mask_broken(self.address, 0)
        return None if number < 0 else self.rules.checks[number]

    def begin_stage(
        self,
        order: PixelOrder,
        step: tuple[int, int],
        levels: Int[np.ndarray, "n c h w"],
        known: Bool[np.ndarray, "h w"],
    ) -> None:
        """Begin to draw a grid of the raster frame of an order, whose rows and columns are `step` apart.

        Args:
            levels, known: pixels that are known, in the orientation of the image. An image whose known pixels leave a
                site without levels is dead.
        """
        height, width = known.shape
        origin, below, right = (
            row * width + column
            for row, column in (order.site(r, c, height, width) for r, c in ((0, 0), (step[0], 0), (0, step[1])))
        )
        fields = self._fields
        fields.origin, fields.row_step, fields.column_step = origin, below - origin, right - origin
        sites = np.flatnonzero(known)
        if self.propagates and len(sites):
            for b, image in enumerate(levels[:, 0].reshape(len(levels), -1)):
                if not self._fix(b, sites, image[sites]):
                    self.state[b, [solver.STATUS, solver.BROKEN]] = DEAD, -1
        self._keep()

    def site(self, row: int, column: int) -> int:
        """Return the site of the image at a row and column of the grid of the stage."""
        fields = self._fields
        return int(fields.origin + row * fields.row_step + column * fields.column_step)

    def draw(
        self,
        channel: int,
        site: int,
        uniforms: Float[np.ndarray, " n"],
        choose: Choose,
        possible: Bool[np.ndarray, "n k"] | None = None,
    ) -> Int[np.ndarray, " n"]:
        """Draw a level for each image at a sub-pixel, and propagate.

        A level that leaves another site without levels is taken away, and another is drawn. So the distribution is
        the one that `choose` draws from, over the levels that leave every site one. An image that has no such level is
        dead, and is drawn on without constraints until it is taken back.

        Args:
            site: `row * width + column` of the image.
            choose: draws among allowed levels.
            possible: levels that have a probability; None for all.
        """
        levels, pending, tries = np.empty(len(uniforms), np.int64), np.arange(len(uniforms)), 0
        library = solver_library()
        while len(pending):
            state, allowed = self.state[pending], from_bits(self.bits[pending, channel, site], self.rules.levels)
            allowed &= True if possible is None else possible[pending]
            alive = (state[:, solver.STATUS] == ALIVE) & allowed.any(1)
            died = pending[(state[:, solver.STATUS] == ALIVE) & ~alive]
            self.state[died, solver.STATUS], self.state[died, solver.SITE] = DEAD, site
            allowed[~alive] = True
            numbers = state[:, solver.ATTEMPT] * _TRIES + tries
            levels[pending] = choose(pending, allowed, _redraw(uniforms[pending], numbers))
            if not self.propagates:
                break
            failed = [
                int(b) for b in pending[alive] if not library.pt_mask_assign(self.address, int(b), site, int(levels[b]))
            ]
            pending, tries = np.array(failed, np.int64), tries + 1
        return levels

    def try_levels(self, channel: int, site: int) -> Bool[np.ndarray, "n k"]:
        """Take all levels from a sub-pixel that would leave another site without levels; return those that are left."""
        library = solver_library()
        for b in np.flatnonzero(self.status == ALIVE).tolist():
            library.pt_mask_try(self.address, b, site)
        return from_bits(self.bits[:, channel, site], self.rules.levels)

    def multiply_mass(self, shares: Float[np.ndarray, " n"]) -> None:
        """Multiply the mass of images that are alive by the probability of the levels that are left, unless it is 0."""
        self._mass.multiply(np.where((self.status == ALIVE) & (shares > 0), shares, 1.0))

    def weigh(self, channel: int, site: int, log_probs: Float[np.ndarray, "n k"]) -> None:
        """Add up the probability of the levels that a sub-pixel may have, before a draw in floating point."""
        if self.rules.weighted:
            within = np.where(self.try_levels(channel, site), log_probs, -np.inf)
            best = within.max(1)
            alive = (self.status == ALIVE) & (best > -np.inf)
            best[~alive] = 0
            sums = np.exp(np.where(alive[:, None], within, 0) - best[:, None]).sum(1)
            self._mass.multiply_exp(np.where(alive, best + np.log(sums), 0))

    def allowed(self, channel: int, rows: IntArray, columns: IntArray) -> Bool[np.ndarray, "n k"]:
        """Return the levels that some sub-pixels of the first image may have."""
        return from_bits(self.bits[0, channel, rows * self.rules.width + columns], self.rules.levels)

    def allows(self, levels: Int[np.ndarray, "n sites"]) -> Bool[np.ndarray, " n"]:
        """Check whole images of one channel against all rules, given the mask that each began with.

        Example:
            mask.allows(samples.levels[:, 0].flatten(1).numpy())
        """
        result, trial = np.zeros(len(levels), bool), self.repeat(1)
        sites, library = np.arange(levels.shape[1]), solver_library()
        for i, image in enumerate(levels):
            library.pt_mask_copy(trial.address, 0, self.address, 0)
            result[i] = bool((trial.bits[0, 0] & self._only(image)).any(-1).all())
            if result[i] and self.propagates:
                result[i] = trial._fix(0, sites, image) and trial.broken() is None
        return result

    def reject_broken(self) -> None:
        """Reject the images that break a rule of the whole image: they are not taken back."""
        for b in np.flatnonzero(self.status == ALIVE).tolist():
            number = solver_library().pt_mask_broken(self.address, b)
            if number >= 0:
                self.state[b, [solver.STATUS, solver.BROKEN]] = REJECTED, number

    def select(self, indices: IntArray) -> None:
        """Copy states: image i continues from the history of image `indices[i]`."""
        for array in (self.bits, self.counts, self.state[:, : solver.EXPONENT + 1], self._mass.mantissas):
            array[...] = array[indices]

    def _keep(self) -> None:
        """Take the domains as those to which an image is taken back."""
        solver_library().pt_mask_keep(self.address, 0, len(self.state))

    def _fix(self, b: int, sites: IntArray, levels: IntArray) -> bool:
        """Give sites of an image their levels, and propagate; return False if a site ran out of levels."""
        sites, levels = np.ascontiguousarray(sites, np.int64), np.ascontiguousarray(levels, np.int64)
        pointers = (sites.ctypes.data, levels.ctypes.data)
        return bool(solver_library().pt_mask_fix(self.address, b, *pointers, len(sites)))

    def _only(self, levels: IntArray) -> np.ndarray:
        """Return the set of each level alone."""
        words = np.zeros((len(levels), self.bits.shape[-1]), np.uint64)
        words[np.arange(len(levels)), levels // 64] = np.uint64(1) << (levels % 64).astype(np.uint64)
        return words


def _redraw(uniforms: Float[np.ndarray, " n"], numbers: IntArray) -> Float[np.ndarray, " n"]:
    """Return uniform number k of each draw: the given one, and then pseudo-random ones that follow from it.

    SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators").
    """
    z = (uniforms * 2.0**53).astype(np.uint64) + numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.where(numbers == 0, uniforms, (z >> np.uint64(11)).astype(np.float64) / 2.0**53)


class Backtracking:
    """The saved rows of a batch, and the choice of the next row: at a dead end the batch returns to a saved one.

    The library chooses the rows. The other images of the batch take the levels that they had, because each of their
    sites has one level left. The image at fault draws from other uniforms. A state is saved every few rows; if one does
    not help, an earlier one follows.

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
        self.final_rows: int = 0
        self._mask, self._levels, self._save, self._restore = mask, levels, save, restore

    def __iter__(self) -> Iterator[int]:
        """Yield rows to draw; a row comes again where a dead end sends the batch back."""
        library, mask, states = solver_library(), self._mask, [None] * SLOTS
        search, count = Search(), len(self._levels)
        address = ctypes.addressof(search)
        fits = library.pt_search_begin(address, mask.address, 0, count, *self._levels.shape[1:])
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
