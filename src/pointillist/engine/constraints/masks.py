"""Masks on levels: which levels each sub-pixel of a batch may have, from before the first draw to the last.

One mask serves all that restricts a draw: levels that are allowed at a pixel, and rules between pixels. It is given to
an engine with the batch. Every engine in floating point draws within it by the same compiled code (`masked_draw.py`),
and every executor of integer programs by its counterpart (`integer_draw.py`). Both narrow the domains of the sites that
are still open (`domains.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from pointillist.distributions.transform import Transform
from pointillist.engine.constraints import domains as dm
from pointillist.engine.constraints.constraints import Bits, Check, Constraints, from_bits, to_bits
from pointillist.engine.constraints.domains import Domains
from pointillist.engine.constraints.integer_draw import draw_integer_levels
from pointillist.engine.constraints.propagation import count_domains, restrict
from pointillist.engine.cpu.kernels.masked_draw import draw_levels
from pointillist.engine.head.frequencies import log_probs
from pointillist.engine.program import IntArray
from pointillist.images.ordering import PixelOrder


class LevelMask:
    """The mask of a batch.

        mask = LevelMask.open(allowed, count=4)  # allowed: [c h w k]

    Attributes:
        domains: what compiled code works on.
        checks: rules that are checked after each row.
        reasons: for each image, the name of the rule that it broke last; empty for a site without levels.
    """

    def __init__(self, domains: Domains, checks: Sequence[Check] = ()) -> None:
        self.domains, self.checks = domains, tuple(checks)
        self.reasons = np.full(len(domains.bits), "", object)
        self._start = (domains.bits.copy(), domains.counts.copy()) if self.propagates else None

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
            weighted: try every level before a draw, and add up the log-probability of those that are left.
        """
        channels, height, width, levels = allowed.shape
        constraints, sites = constraints or Constraints(), height * width
        bits = to_bits(allowed.reshape(channels, sites, levels))
        words = bits.shape[-1]
        tracked = sites if constraints.any or checks else 0
        adjacency = np.zeros((0, levels, levels), bool) if constraints.adjacency is None else constraints.adjacency
        sets = np.array(constraints.sets, bool).reshape(-1, levels)
        domains = Domains(
            bits=np.repeat(bits[None], count, 0),
            counts=np.zeros((count, len(sets), 2), np.int64),
            state=np.zeros((count, 6), np.int64),
            mass=np.zeros(count),
            stack=np.zeros((count, tracked), np.int64),
            stacked=np.zeros((count, tracked), np.uint8),
            trail=np.zeros((count, tracked), np.int64),
            stamps=np.zeros((count, tracked), np.int64),
            saved=np.zeros((count, tracked, words), np.uint64),
            scratch=np.zeros((count, 2, words), np.uint64),
            adjacency=to_bits(adjacency),
            reach=to_bits(np.asarray(adjacency.any(1))),
            partners=np.array(constraints.partners, np.int64).reshape(-1, sites),
            sets=to_bits(sets),
            limits=np.array(constraints.limits, np.int64),
            full=to_bits(np.ones(levels, bool)),
            layout=np.array([height, width, levels, weighted, 0, width, 1], np.int64),
        )
        if constraints.any:
            count_domains(domains.bits, domains)
        return cls(domains, checks)

    @property
    def propagates(self) -> bool:
        """True if sites constrain each other, or rules are checked: an image may come to a dead end."""
        return bool(self.domains.stack.shape[1] > 0)

    @property
    def weighted(self) -> bool:
        """True if draws add to `mass`."""
        return bool(self.domains.layout[dm.WEIGHTED])

    @property
    def mass(self) -> Float[np.ndarray, " n"]:
        """Log-probability of the allowed levels of each image, summed over its draws; see `open`."""
        mass: Float[np.ndarray, " n"] = self.domains.mass
        return mass

    @property
    def status(self) -> Int[np.ndarray, " n"]:
        """ALIVE, DEAD or REJECTED, for each image."""
        status: Int[np.ndarray, " n"] = self.domains.state[:, dm.STATUS]
        return status

    def repeat(self, count: int, attempt: int = 0) -> LevelMask:
        """Return the mask of a batch of `count` images, each of which begins as the first of these.

        Args:
            attempt: number of the attempt: each draws from other uniforms.
        """
        d = self.domains
        parts = [np.repeat(array[:1], count, 0) for array in d[: dm.PER_IMAGE]]
        result = LevelMask(Domains(*parts, *d[dm.PER_IMAGE :])._replace(layout=d.layout.copy()), self.checks)
        result.domains.state[:, dm.ATTEMPT] = attempt << 20
        return result

    def known(self, levels: Int[np.ndarray, "c h w"], known: Bool[np.ndarray, "c h w"]) -> LevelMask:
        """Return the mask of the first image where some sub-pixels are known, now or later in the order."""
        result, (channels, sites) = self.repeat(1), known.reshape(len(known), -1).nonzero()
        if self.propagates and not result._restrict(0, sites, self._only(levels.reshape(-1)[sites])):
            result._die(0)
        elif not self.propagates:
            result.domains.bits[0, channels, sites] = self._only(levels.reshape(len(known), -1)[channels, sites])
        result._start = (result.domains.bits.copy(), result.domains.counts.copy()) if result.propagates else None
        return result

    def part(self, images: slice) -> LevelMask:
        """Return the mask of some of the images; the domains are shared."""
        d = self.domains
        result = LevelMask(Domains(*(array[images] for array in d[: dm.PER_IMAGE]), *d[dm.PER_IMAGE :]), self.checks)
        result.reasons, result._start = self.reasons[images], None
        if self._start is not None:
            result._start = (self._start[0][images], self._start[1][images])
        return result

    def make_arc_consistent(self) -> int | None:
        """Make the domains of the first image arc consistent; return the site that ran dry, None if none did."""
        sites = np.arange(self.domains.bits.shape[2])
        if self.propagates and not self._restrict(0, sites, self.domains.bits[0, 0]):
            return int(self.domains.state[0, dm.DRY])
        empty = np.flatnonzero(~self.domains.bits[0].any(-1).all(0))
        return int(empty[0]) if len(empty) else None

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
        self.domains.layout[dm.ORIGIN :] = origin, below - origin, right - origin
        sites = np.flatnonzero(known)
        if self.propagates and len(sites):
            for b, image in enumerate(levels[:, 0].reshape(len(levels), -1)):
                if not self._restrict(b, sites, self._only(image[sites])):
                    self._die(b)
        if self.propagates:
            self._start = (self.domains.bits.copy(), self.domains.counts.copy())

    def site(self, row: int, column: int) -> int:
        """Return the site of the image at a row and column of the grid of the stage."""
        return int(np.array([1, row, column]) @ self.domains.layout[dm.ORIGIN :])

    def draw(
        self,
        channel: int,
        site: int,
        log_probs: Float[np.ndarray, "b k"],
        uniforms: Float[np.ndarray, " n"],
        transform: Transform,
    ) -> Int[np.ndarray, " n"]:
        """Draw a level for each image at a sub-pixel in floating point.

        Args:
            site: `row * width + column` of the image.
            log_probs: of the levels under the model; under guidance those of the reference follow.
        """
        levels, where = np.empty(len(uniforms), np.int64), np.array([channel, site], np.int64)
        likelihood, guided = (
            np.ascontiguousarray(log_probs[: len(uniforms)]),
            np.ascontiguousarray(transform.guide(log_probs)),
        )
        draw_levels(likelihood, guided, uniforms, transform.as_array(), self.domains, where, levels)
        return levels

    def draw_integers(
        self,
        channel: int,
        site: int,
        frequencies: IntArray,
        uniforms: Float[np.ndarray, " n"],
        transform: Transform,
    ) -> Int[np.ndarray, " n"]:
        """Draw a level for each image at a sub-pixel of an integer program.

        Args:
            site: `row * width + column` of the image.
            frequencies: of the levels under the model, `[n, k]`; under guidance those of the reference follow.
        """
        count = len(uniforms)
        levels, where = np.empty(count, np.int64), np.array([channel, site], np.int64)
        conditional, reference = frequencies[:count], frequencies[-count:]
        total = int(frequencies[0].sum()).bit_length() - 1
        likelihood = log_probs(conditional, total) if self.weighted else np.zeros((count, 0))
        numbers = transform.integer_array()
        draw_integer_levels(likelihood, conditional, reference, uniforms, numbers, self.domains, where, levels)
        return levels

    def allowed(self, channel: int, rows: IntArray, columns: IntArray) -> Bool[np.ndarray, "n k"]:
        """Return the levels that some sub-pixels of the first image may have."""
        sites = rows * self.domains.layout[dm.WIDTH] + columns
        return from_bits(self.domains.bits[0, channel, sites], int(self.domains.layout[dm.LEVELS]))

    def holds(self, levels: Int[np.ndarray, "n sites"]) -> Bool[np.ndarray, " n"]:
        """Check whole images of one channel against all rules, given the mask that each began with.

        Example:
            mask.holds(samples.levels[:, 0].flatten(1).numpy())
        """
        result = np.zeros(len(levels), bool)
        sites = np.arange(levels.shape[1])
        height, width = self.domains.layout[[dm.HEIGHT, dm.WIDTH]].tolist()
        for i, image in enumerate(levels):
            trial, one = self.repeat(1), self._only(image)
            result[i] = bool((trial.domains.bits[0, 0] & one).any(-1).all())
            if result[i] and self.propagates:
                result[i] = trial._restrict(0, sites, one)
            result[i] = result[i] and all(check.may_hold(one, height, width) for check in self.checks)
        return result

    def check_row(self) -> None:
        """Check the rules that concern the whole image, for each image that is alive."""
        height, width = self.domains.layout[[dm.HEIGHT, dm.WIDTH]].tolist()
        for b in np.flatnonzero(self.status == dm.ALIVE).tolist():
            for check in self.checks:
                if not check.may_hold(self.domains.bits[b, 0], height, width):
                    self._die(b, check)
                    break

    def go_back(self, b: int, sites: IntArray, levels: IntArray) -> None:
        """Take an image back to an earlier state, in which only some of the sites of its grid have their levels.

        Args:
            sites: the sites, `[count]`.
            levels: their levels, `[count]`.
        """
        assert self._start is not None
        d = self.domains
        d.bits[b], d.counts[b] = self._start[0][b], self._start[1][b]
        d.state[b, dm.STATUS] = dm.ALIVE
        d.state[b, dm.ATTEMPT] += 1
        self._restrict(b, sites, self._only(levels))

    def select(self, indices: IntArray) -> None:
        """Copy states: image i continues from the history of image `indices[i]`."""
        for array in (self.domains.bits, self.domains.counts, self.status):
            array[...] = array[indices]

    def _restrict(self, b: int, sites: IntArray, allowed: Bits) -> bool:
        return bool(restrict(np.ascontiguousarray(allowed), sites, self.domains, b))

    def _only(self, levels: IntArray) -> Bits:
        """Return the set of each level alone."""
        words = np.zeros((len(levels), self.domains.full.shape[0]), np.uint64)
        words[np.arange(len(levels)), levels // dm.WORD] = np.uint64(1) << (levels % dm.WORD).astype(np.uint64)
        return words

    def _die(self, b: int, check: Check | None = None) -> None:
        unsatisfiable = check is not None and not check.repairable
        self.domains.state[b, dm.STATUS] = dm.REJECTED if unsatisfiable else dm.DEAD
        self.reasons[b] = "" if check is None else check.name
