"""Particles of Sequential Monte Carlo: weighted histories of one image, and how they are resampled.

References:
    Doucet, de Freitas & Gordon 2001, "Sequential Monte Carlo Methods in Practice".
    Carpenter, Clifford & Fearnhead 1999, "Improved particle filter for nonlinear problems" (systematic resampling).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import IntArray
from pointillist.errors import counted
from pointillist.system import check_memory

DRAWN, WEIGHED, CERTAIN = range(3)
"""Roles of a sub-pixel in a `ParticleBatch`: unknown, known and a factor of the weights, or known to all before it."""


_BYTES_PER_LEVEL = 48  # a level, its uniform, their copies in the raster frame, and what resampling gathers


def check_particles(count: int, levels: int, particles: int) -> None:
    """Check that the particles of a row fit in memory, before any is made.

    Args:
        count: most particles of a row.
        levels: number of levels of an image.
        particles: the setting, for the message.

    Raises:
        DataError: naming the setting.
    """
    what = f"{counted(count, 'particle')} of {levels:,} levels (`particles` (={particles}))"
    check_memory(count * levels * _BYTES_PER_LEVEL, what, "take fewer")


@dataclass
class ParticleBatch:
    """Weighted histories of one image, in the raster frame: particles of Sequential Monte Carlo.

    Attributes:
        levels: `[n, c, h, w]`, with the known levels; filled elsewhere. In each row the first `counts[row]` are in use.
        roles: `DRAWN`, `WEIGHED` or `CERTAIN`, int8 `[c, h, w]`.
        counts: number of particles in each row, `[h]`, at most n.
        uniforms: in [0, 1), `[n, c, h, w]`.
        draws: a uniform for the resampling before each pixel, and one for each row, `[h, w + 1]`.
        log_weights: logarithms of the weights since the last resampling, of those in use.
        log_evidence: logarithm of the product of the mean weights at each resampling.
    """

    levels: IntArray
    roles: NDArray[np.int8]
    counts: IntArray
    uniforms: NDArray[np.float64]
    draws: NDArray[np.float64]
    log_weights: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    log_evidence: float = 0.0

    def check(self) -> None:
        """Check shapes, because compiled code writes without bounds checks.

        Raises:
            ValueError: naming the array with a wrong shape.
        """
        shape = n, _, h, w = self.levels.shape
        wanted = {"roles": shape[1:], "uniforms": shape, "draws": (h, w + 1), "counts": (h,)}
        for name, due in wanted.items():
            result = getattr(self, name)
            if result.shape != due:
                raise ValueError(f"`{name}` {result.shape} of particles must have the shape {due}.")
        if not ((self.counts >= 1) & (self.counts <= n)).all():
            raise ValueError(f"`counts` {self.counts} of particles must lie in 1 to {n}.")

    def regroup(self, row: int) -> IntArray:
        """Draw the particles of a row from those of the row before; return the ancestor of each."""
        return self._draw_anew(int(self.counts[row]), self.draws[row, -1])

    def resample(self, row: int, column: int) -> IntArray | None:
        """Draw the particles anew where their effective sample size is below half.

        Returns:
            the ancestor of each, or None. A particle that survives stays where it is.
        """
        count = len(self.log_weights)
        if effective_sample_size(self.log_weights) >= count / 2:
            return None
        offspring = np.bincount(self._draw_anew(count, self.draws[row, column]), minlength=count)
        ancestors = np.arange(count)
        ancestors[offspring == 0] = np.repeat(ancestors, np.maximum(offspring - 1, 0))
        return ancestors

    def _draw_anew(self, count: int, uniform: float) -> IntArray:
        ancestors = systematic_resampling(self.log_weights, count, uniform)
        self.log_evidence += log_mean_exp(self.log_weights)
        self.log_weights = np.zeros(count)
        return ancestors


def systematic_resampling(log_weights: NDArray[np.float64], count: int, uniform: float) -> IntArray:
    """Draw indices in proportion to weights by one uniform: each occurs as often as expected, rounded up or down.

    Reference:
        Carpenter, Clifford & Fearnhead 1999, "Improved particle filter for nonlinear problems".

    Example:
        systematic_resampling(np.zeros(3), 3, 0.5)  # [0, 1, 2]
    """
    cumulative = np.exp(log_weights - log_weights.max()).cumsum()
    points = (np.arange(count) + uniform) / count * cumulative[-1]
    result: IntArray = np.minimum(np.searchsorted(cumulative, points, side="right"), len(cumulative) - 1)
    return result


def log_mean_exp(values: NDArray[np.float64]) -> float:
    """Logarithm of the mean of exponentials."""
    best = values.max()
    if best == -np.inf:
        return -np.inf
    return float(best + np.log(np.exp(values - best).mean()))


def effective_sample_size(log_weights: NDArray[np.float64]) -> float:
    """Effective sample size (sum w)^2 / sum w^2 of importance weights (Kong 1992).

    Example:
        effective_sample_size(np.zeros(8))  # 8.0
    """
    weights = np.exp(log_weights - log_weights.max())
    return float(weights.sum() ** 2 / (weights**2).sum())
