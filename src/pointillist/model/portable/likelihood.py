"""The distributions of sub-pixels by an integer program, for views and scores. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from pointillist.distributions.moments import entropy_and_variance, moments_of_frequencies
from pointillist.distributions.transform import Transform
from pointillist.engine.executors import frequencies_of_sites
from pointillist.engine.head.frequencies import distribution, log_probs
from pointillist.engine.head.mixture import component_weights, mean_and_scale
from pointillist.engine.head.tables import LOG_SCALE_STEP, position_bits
from pointillist.engine.head.transform import DRAW_BITS, transform_frequencies
from pointillist.engine.program import Program
from pointillist.images.array_types import Float, Int
from pointillist.model.protocols import Distributions

_SITES = 16
"""Sites whose frequencies of all levels are computed together: 8 MB of 65,536 levels."""


@dataclass(frozen=True, eq=False)
class ProgramDistributions(Distributions):
    """The distributions that an integer program draws from: frequencies of levels, of int32 parameters.

    Probabilities are frequencies divided by a power of two, so they sum to 1 exactly. Logarithms are numpy's,
    so that they have the bits of `ProgramModel.log_prob_map`.

    ```python
    distributions = pt.load("digits").scorer().distributions(x, None)
    distributions.conditional(channel=0)  # log-probabilities [b k h w], float64
    ```

    Attributes:
        program: the integer program.
    """

    program: Program

    def frequencies(self, channel: int) -> Int[np.ndarray, "b k h w"]:
        """Compute the frequencies of all levels of one channel, given the channels of the pixel before it."""
        sizes = frequencies_of_sites(self.program, _rows(self.params), _rows(self.x), channel)
        return np.moveaxis(sizes.reshape(len(self.x), *self.x.shape[2:], -1), -1, 1)

    def log_prob(self) -> Float[np.ndarray, "b c h w"]:
        """Compute the log-probability of each sub-pixel given those before it, in nats, float64."""
        return log_probs(self._sizes(), self.program.head.precision)

    def prob(self) -> Float[np.ndarray, "b c h w"]:
        """Compute the probability of each sub-pixel given those before it, float64."""
        return self._sizes() / 2.0**self.program.head.precision

    def _sizes(self) -> Int[np.ndarray, "b c h w"]:
        """Compute the frequency of each sub-pixel; where a head has no table, without the frequencies of all levels."""
        head, x = self.program.head, self.x
        if head.has_table:
            chosen = [np.take_along_axis(self.frequencies(i), x[:, i : i + 1], 1) for i in range(x.shape[1])]
            return np.concatenate(chosen, 1)
        rows, pixels = np.moveaxis(self.params, 1, -1), np.moveaxis(x, 1, -1)
        sites = [distribution(head, rows, pixels, i) for i in range(x.shape[1])]
        return np.stack([site.interval(pixels[..., i])[1] for i, site in enumerate(sites)], 1)

    def conditional(self, channel: int) -> Float[np.ndarray, "b k h w"]:
        """Compute the log-probabilities of all levels of one channel, in nats, float64."""
        return log_probs(self.frequencies(channel), self.program.head.precision)

    def probs(self, channel: int) -> Float[np.ndarray, "b k h w"]:
        """Compute the probabilities of all levels of one channel, float64."""
        return self.frequencies(channel) / 2.0**self.program.head.precision

    def moments(self, channel: int) -> tuple[Float[np.ndarray, "b h w"], Float[np.ndarray, "b h w"]]:
        """Compute the mean and the variance of -log p over the levels of one channel, in nats and nats squared."""
        if self.program.head.has_table:
            return entropy_and_variance(self.probs(channel))
        rows, pixels = _rows(self.params), _rows(self.x)
        parts = [slice(start, start + _SITES) for start in range(0, len(rows), _SITES)]
        sizes = (frequencies_of_sites(self.program, rows[part], pixels[part], channel) for part in parts)
        both = np.hstack([moments_of_frequencies(each, self.program.head.precision) for each in sizes])
        entropy, variance = both.reshape(2, len(self.x), *self.x.shape[2:])
        return entropy, variance

    def drawn_from(
        self, channel: int, transform: Transform, reference: Distributions | None = None
    ) -> Float[np.ndarray, "b k h w"]:
        """Compute the probabilities that levels of a channel are drawn from, float64, transformed in integers."""
        both = [self]
        if reference is not None and transform.is_guided:
            both.append(cast("ProgramDistributions", reference))
        sizes = [np.moveaxis(each.frequencies(channel), 1, -1) for each in both]
        rows = transform_frequencies(np.concatenate([each.reshape(-1, each.shape[-1]) for each in sizes]), transform)
        return np.moveaxis(rows.reshape(sizes[0].shape) / 2.0**DRAW_BITS, -1, 1)

    def components(
        self, channel: int
    ) -> tuple[Float[np.ndarray, "b m h w"], Float[np.ndarray, "b m h w"], Float[np.ndarray, "b m h w"]]:
        """Return log-weight, mean and log-scale of each component of a mixture, as `DiscretizedLogisticMixture`."""
        head, pixel = self.program.head, np.moveaxis(self.x, 1, -1)
        numbers = np.moveaxis(self.params, 1, -1).astype(np.int64)
        weights = component_weights(head, numbers, pixel, channel).astype(np.float64)
        position, log_scale = mean_and_scale(head, numbers, pixel, channel)
        parts = (
            np.log(weights / weights.sum(-1, keepdims=True)),
            position * (2.0 ** (1 - position_bits(head.levels)) / (head.levels - 1)) - 1,
            log_scale * LOG_SCALE_STEP,
        )
        log_weight, mean, scale = (np.moveaxis(part.astype(np.float64), -1, 1) for part in parts)
        return log_weight, mean, scale


def _rows(array: Int[np.ndarray, "b c h w"]) -> Int[np.ndarray, "n c"]:
    return np.ascontiguousarray(np.moveaxis(array, 1, -1)).reshape(-1, array.shape[1])
