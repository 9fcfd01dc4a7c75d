"""A categorical distribution in two factors, in integers: `FactoredCategorical` without a table of all levels.

A level is h L + l, with H high digits and L low ones, of which the last high digit may have fewer. Parameters of a
channel are logits of m components, then of the high digit for each of them, then of the low digit, in steps of 2^-8.
With E the table of 2^24 exp(-i / 256), and e_m(k) = E[largest logit - logit], a digit has under component m the share

    share_m(k) = floor(e_m(k) floor(2^56 / sum of e_m) / 2^32)              w_m = E[largest - logit] of the components
    A_h        = floor(sum over m of w_m share_m(h) / 2^24)
    v_m        = w_m max(1, share_m(h)), shifted so that the largest has at most 25 bits
    B_l        = floor(sum over m of v_m share_m(l) / 2^24)                 shares among the low digits that h has

Digits then divide an interval of S places, of which each level keeps one:

    start of h = h L + floor((A_0 + .. + A_(h-1)) (2^P - levels) / sum of A)
    start of l = l + floor((B_0 + .. + B_(l-1)) (size of h - low digits of h) / sum of B)          within h

so that every level has a frequency of at least 1, and they sum to 2^P. The sums of A and B stay below 2^36, and their
products with a number of places below 2^60. All of it is 64-bit integer arithmetic, on arrays of numpy or torch.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from pointillist.distributions.kinds import digits
from pointillist.engine.arithmetic import Array, bit_length, count_like, int64, library_of, take_last
from pointillist.engine.head.tables import BITS
from pointillist.engine.program import IntegerHead

SHARE_BITS = 2 * BITS + 8
"""Bits of the numerator of a ratio: times an exponential of 24 bits, at most the sum, it stays below 2^57."""


class FactoredFrequencies:
    """The frequencies of a channel at some sites.

    Args:
        head: the distribution, its tables in the library of the parameters.
        params: parameters, `[..., p]`.
        channel: the channel.
    """

    levels: int
    total: int
    high: int
    low: int
    rest: int

    def __init__(self, head: IntegerHead, params: Array, channel: int) -> None:
        self._exp, m = head.tables["exp"], head.mixtures
        self.levels, self.total = head.levels, 1 << head.precision
        self.high, self.low, self.rest = digits(head.levels)
        width = m * (1 + self.high + self.low)
        part = int64(params[..., channel * width : (channel + 1) * width])
        sites = part.shape[:-1]
        self._weights = self._exponentials(part[..., :m])
        self._shares = _shares(self._exponentials(part[..., m : m * (1 + self.high)].reshape(*sites, m, self.high)))
        low = part[..., m * (1 + self.high) :].reshape(*sites, m, self.low)
        self._low = self._last = _shares(self._exponentials(low))
        if self.rest < self.low:  # the last high digit has fewer: the others have no share under it
            few, library = _shares(self._exponentials(low[..., : self.rest])), library_of(low)
            self._last = library.concatenate([few, library.zeros_like(low[..., self.rest :])], axis=-1)
        counts = (count_like(self.high + 1, params) * self.low).clip(max=self.levels)
        self._edges = _edges(self._weights, self._shares, counts, self.total)  # [..., high + 1]

    def interval(self, levels: Array) -> tuple[Array, Array]:
        """Return the start and the frequency of levels `[...]`."""
        high = int64(levels) // self.low
        start, edges = self._within(high)
        low = (int64(levels) - high * self.low)[..., None]
        first = take_last(edges, low)[..., 0]
        return start + first, take_last(edges, low + 1)[..., 0] - first

    def level_at(self, targets: Array) -> Array:
        """Return the levels `[...]` whose intervals hold these numbers from 0 to the sum of the frequencies."""
        high = (self._edges[..., 1:] <= targets[..., None]).sum(axis=-1)
        start, edges = self._within(high)
        low = (edges[..., 1:] <= (targets - start)[..., None]).sum(axis=-1)
        return high * self.low + low

    def frequencies(self) -> Array:
        """Return the frequencies of all levels, `[..., levels]`."""
        library, parts = library_of(self._edges), []
        for high in range(self.high):
            _, edges = self._within(library.zeros_like(self._edges[..., 0]) + high)
            parts.append((edges[..., 1:] - edges[..., :-1])[..., : self.rest if high == self.high - 1 else self.low])
        return library.concatenate(parts, axis=-1)

    def __getitem__(self, sites: Any) -> FactoredFrequencies:
        result = copy(self)
        for name in ("_weights", "_shares", "_low", "_last", "_edges"):
            setattr(result, name, getattr(self, name)[sites])
        return result

    def _exponentials(self, logits: Array) -> Array:
        below = library_of(logits).amax(logits, axis=-1, keepdims=True) - logits
        return int64(self._exp[below.clip(max=len(self._exp) - 1)])

    def _within(self, high: Array) -> tuple[Array, Array]:
        """Return the start of a high digit, and the edges `[..., low + 1]` of its low digits from there on."""
        library, last = library_of(high), (high == self.high - 1)[..., None]
        start = take_last(self._edges, high[..., None])
        size = take_last(self._edges, high[..., None] + 1) - start
        weights = self._weights * take_last(self._shares, high[..., None, None])[..., 0].clip(min=1)
        bits = bit_length(library.amax(weights, axis=-1, keepdims=True))
        weights = weights >> (bits - BITS - 1).clip(min=0)
        places = count_like(self.low + 1, high)
        counts = library.where(last, places.clip(max=self.rest), places)  # [..., low + 1]
        shares = library.where(last[..., None], self._last, self._low)
        return start[..., 0], _edges(weights, shares, counts, size)


def _shares(exponentials: Array) -> Array:
    """Return exponentials `[..., m, k]` as shares of 2^24 of the sum of each component."""
    return (exponentials * ((1 << SHARE_BITS) // exponentials.sum(axis=-1, keepdims=True))) >> (SHARE_BITS - BITS)


def _edges(weights: Array, shares: Array, counts: Array, places: Array | int) -> Array:
    """Divide places among digits by their shares under weighted components, with as many for each level at the least.

    Args:
        weights: of the components, `[..., m]`.
        shares: of the digits, `[..., m, k]`.
        counts: levels before each digit and, last, of all, `[..., k + 1]`.
        places: of all digits together, `[..., 1]`.
    """
    library = library_of(weights)
    mixed = (weights[..., None] * shares).sum(axis=-2) >> BITS
    sums = library.concatenate([library.zeros_like(mixed[..., :1]), mixed.cumsum(axis=-1)], axis=-1)
    return counts + sums * (places - counts[..., -1:]) // sums[..., -1:]
