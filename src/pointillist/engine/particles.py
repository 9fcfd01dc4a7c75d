"""Particles of Sequential Monte Carlo: weighted histories of one image, and how they are resampled.

Their weights are products of many probabilities, as mantissa 2^exponent: they do not underflow, and have the same bits
everywhere. A product is rounded once, to float64, as IEEE 754 defines; the scaling by powers of two is exact.
`runtime/particles.c` computes the same.

References:
    Doucet, de Freitas & Gordon 2001, "Sequential Monte Carlo Methods in Practice".
    Carpenter, Clifford & Fearnhead 1999, "Improved particle filter for nonlinear problems" (systematic resampling).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import IntArray
from pointillist.images.array_types import Float, Int

LOG_2 = math.log(2.0)
LEAST_EXPONENT = -1000
"""Below the largest number: less counts as 0 in sums."""
DRAWN, WEIGHED, CERTAIN = range(3)
"""Roles of a sub-pixel in a `ParticleBatch`: unknown, known and a factor of the weights, or known to all before it."""


@dataclass
class Scaled:
    """Numbers of 0 or more.

    ```python
    weights = Scaled.ones(2)
    weights.multiply(np.array([0.25, 0.75]))
    weights.logs()  # of 0.25 and 0.75
    ```

    Attributes:
        mantissas: in [1/2, 1), or 0, `[n]`.
        exponents: `[n]`.
    """

    mantissas: Float[np.ndarray, " n"]
    exponents: Int[np.ndarray, " n"]

    @classmethod
    def ones(cls, count: int) -> Scaled:
        """Return 1, so many times."""
        return cls(np.full(count, 0.5), np.ones(count, np.int64))

    def __getitem__(self, part: slice) -> Scaled:
        """Return some of the numbers; the arrays are shared."""
        return Scaled(self.mantissas[part], self.exponents[part])

    def __len__(self) -> int:
        return len(self.mantissas)

    def copy(self) -> Scaled:
        return Scaled(self.mantissas.copy(), self.exponents.copy())

    def reset(self) -> None:
        self.mantissas[:], self.exponents[:] = 0.5, 1

    def multiply(self, factors: NDArray[np.float64]) -> None:
        """Multiply by factors of 2^-900 to 2^900, or 0."""
        self.mantissas[:], shift = np.frexp(self.mantissas * factors)
        self.exponents[:] += shift

    def multiply_exp(self, logs: NDArray[np.float64]) -> None:
        """Multiply by exponentials of any logarithms."""
        whole = np.where(np.isfinite(logs), np.floor(logs / LOG_2), 0)
        self.multiply(np.exp(logs - whole * LOG_2))
        self.exponents[:] += whole.astype(np.int64)

    def multiply_scaled(self, other: Scaled) -> None:
        self.multiply(other.mantissas)
        self.exponents[:] += other.exponents

    def logs(self) -> Float[np.ndarray, " n"]:
        """Return the natural logarithms."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.mantissas) + self.exponents * LOG_2)

    def select(self, indices: IntArray) -> Scaled:
        return Scaled(self.mantissas[indices], self.exponents[indices])

    def mean(self) -> Scaled:
        """Return the mean, `[1]`."""
        mean = Scaled.ones(1)
        mean.multiply(self.relative().cumsum()[-1:] / len(self))
        mean.exponents += self.largest_exponent()
        return mean

    def effective_size(self) -> float:
        """Return the effective sample size (sum w)^2 / sum w^2 of importance weights (Kong 1992); 0 if all are 0."""
        weights = self.relative()
        squares = float((weights * weights).cumsum()[-1])
        return float(weights.cumsum()[-1]) ** 2 / squares if squares else 0.0

    def relative(self) -> Float[np.ndarray, " n"]:
        """Return the numbers over the power of two above the largest of them; 0 below 2^-1000 of it.

        Sums of them are taken by `cumsum`, which adds one after the other, as the library does.
        """
        shift = (self.exponents - self.largest_exponent()).clip(LEAST_EXPONENT - 1, 0)
        scaled = np.ldexp(self.mantissas, shift.astype(np.int32))
        return np.where(shift < LEAST_EXPONENT, 0.0, scaled)

    def largest_exponent(self) -> int:
        """Return the exponent of the largest number; 0 if all are 0."""
        positive = self.exponents[self.mantissas > 0]
        return int(positive.max()) if len(positive) else 0


@dataclass
class ParticleBatch:
    """Weighted histories of one image, in the raster frame: particles of Sequential Monte Carlo.

    Attributes:
        levels: `[n, c, h, w]`, with the known levels; filled elsewhere. In each row the first `counts[row]` are in use.
        roles: `DRAWN`, `WEIGHED` or `CERTAIN`, int8 `[c, h, w]`.
        counts: number of particles in each row, `[h]`, at most n.
        uniforms: in [0, 1), `[n, c, h, w]`.
        draws: a uniform for the resampling before each pixel, and one for each row, `[h, w + 1]`.
        factors: of the weights, by the level of each pixel of one channel, `[h, w, k]`; None for none.
        weights: weights since the last resampling, of the particles in use.
        marginal: product of the mean weights at each resampling, `[1]`.
    """

    levels: IntArray
    roles: NDArray[np.int8]
    counts: IntArray
    uniforms: NDArray[np.float64]
    draws: NDArray[np.float64]
    factors: NDArray[np.float64] | None = None
    weights: Scaled = field(default_factory=lambda: Scaled.ones(1))
    marginal: Scaled = field(default_factory=lambda: Scaled.ones(1))

    @property
    def log_evidence(self) -> float:
        """Logarithm of the estimated marginal likelihood: of all mean weights, the present one too."""
        marginal = self.marginal.copy()
        marginal.multiply_scaled(self.weights.mean())
        return float(marginal.logs()[0])

    def select(self, row: int, column: int, mask: Any) -> IntArray | None:
        """Regroup the particles for a row, or resample them before a pixel to be drawn, with their `LevelMask`.

        Returns:
            the slot from which each slot continues, `[n]`, or None. Slots beyond the particles in use are copies.
        """
        self.drop_dead(mask)
        if self.counts[row] != len(self.weights):
            ancestors: IntArray | None = self.regroup(row)
        else:
            ancestors = self.resample(row, column) if (self.roles[:, row, column] == DRAWN).any() else None
        if ancestors is None:
            return None
        slots = np.resize(ancestors, len(self.levels))
        if mask is not None:
            mask.select(slots)
        return slots

    def drop_dead(self, mask: Any) -> None:
        """Give no weight to particles that break a rule or have come to a dead end."""
        if mask is not None:
            self.weights.mantissas[mask.status[: len(self.weights)] != 0] = 0

    def regroup(self, row: int) -> IntArray:
        """Draw the particles of a row from the particles of the row before; return the ancestor of each."""
        return self._draw_again(int(self.counts[row]), self.draws[row, -1])

    def resample(self, row: int, column: int) -> IntArray | None:
        """Draw the particles again where their effective sample size is below half.

        Returns:
            the ancestor of each, or None. A particle that survives stays where it is.
        """
        weights, count = self.weights.relative(), len(self.weights)
        total, squares = weights.cumsum()[-1], (weights * weights).cumsum()[-1]
        if total * total >= squares * (count / 2):  # no quotient: the library decides by the same bits
            return None
        offspring = np.bincount(self._draw_again(count, self.draws[row, column]), minlength=count)
        ancestors = np.arange(count)
        ancestors[offspring == 0] = np.repeat(ancestors, np.maximum(offspring - 1, 0))
        return ancestors

    def _draw_again(self, count: int, uniform: float) -> IntArray:
        ancestors = systematic_resampling(self.weights.relative(), count, uniform)
        self.marginal.multiply_scaled(self.weights.mean())
        self.weights = Scaled.ones(count)
        return ancestors


def systematic_resampling(weights: NDArray[np.float64], count: int, uniform: float) -> IntArray:
    """Draw indices in proportion to weights by one uniform: each occurs as often as expected, rounded up or down.

    Reference:
        Carpenter, Clifford & Fearnhead 1999, "Improved particle filter for nonlinear problems".

    Example:
        systematic_resampling(np.ones(3), 3, 0.5)  # [0, 1, 2]
    """
    cumulative = weights.cumsum()
    points = (np.arange(count) + uniform) / count * cumulative[-1]
    result: IntArray = np.minimum(np.searchsorted(cumulative, points, side="right"), len(cumulative) - 1)
    return result
