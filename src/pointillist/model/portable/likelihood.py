"""The distribution of a pixel by an integer program, for views and scores. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence

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

_SITES = 16
"""Sites whose frequencies of all levels are computed together: 8 MB of 65,536 levels."""


class ProgramLikelihood:
    """The frequencies of levels that an integer program draws from, given its parameters, int32 `[b p h w]`.

    Probabilities are frequencies divided by a power of two, so they sum to 1 exactly. Logarithms are numpy's,
    so that they have the bits of `IntegerModel.log_prob_map`.

    ```python
    scorer = pt.load("digits").scorer()
    params = scorer.params(x, None)
    scorer.likelihood.conditional(params, x, channel=0)  # log-probabilities [b k h w], float64
    ```

    Attributes:
        program: the integer program.
        coupled: whether a channel depends on the channels before it in its pixel.
        mixtures: components of a mixture; 1 for other distributions.
    """

    def __init__(self, program: Program) -> None:
        head = program.head
        self.program: Program = program
        self.levels: int = head.levels
        self.coupled: bool = head.kind == "mixture"
        self.mixtures: int = max(1, head.mixtures)

    def frequencies(
        self, params: Int[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"], channel: int
    ) -> Int[np.ndarray, "b k h w"]:
        """Compute the frequencies of all levels of one channel, given `x[:, :channel]` of the pixel."""
        sizes = frequencies_of_sites(self.program, _rows(params), _rows(x), channel)
        return np.moveaxis(sizes.reshape(len(x), *x.shape[2:], self.levels), -1, 1)

    def log_prob(
        self, params: Int[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"]
    ) -> Float[np.ndarray, "b c h w"]:
        """Compute the log-probability of each sub-pixel given those before it, in nats, float64."""
        return self._logs(self._sizes(params, x))

    def prob(self, params: Int[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"]) -> Float[np.ndarray, "b c h w"]:
        """Compute the probability of each sub-pixel given those before it, float64."""
        return self._sizes(params, x) / 2.0**self.program.head.precision

    def _sizes(self, params: Int[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"]) -> Int[np.ndarray, "b c h w"]:
        """Compute the frequency of each sub-pixel; where a head has no table, without the frequencies of all levels."""
        head, channels = self.program.head, range(x.shape[1])
        if head.has_table:
            chosen = [np.take_along_axis(self.frequencies(params, x, i), x[:, i : i + 1], 1) for i in channels]
            return np.concatenate(chosen, 1)
        rows, pixels = np.moveaxis(params, 1, -1), np.moveaxis(x, 1, -1)
        return np.stack([distribution(head, rows, pixels, i).interval(pixels[..., i])[1] for i in channels], 1)

    def conditional(
        self, params: Int[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"], channel: int
    ) -> Float[np.ndarray, "b k h w"]:
        """Compute the log-probabilities of all levels of one channel, in nats, float64."""
        return self._logs(self.frequencies(params, x, channel))

    def probs(
        self, params: Int[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"], channel: int
    ) -> Float[np.ndarray, "b k h w"]:
        """Compute the probabilities of all levels of one channel, float64."""
        return self.frequencies(params, x, channel) / 2.0**self.program.head.precision

    def moments(
        self, params: Int[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"], channel: int
    ) -> tuple[Float[np.ndarray, "b h w"], Float[np.ndarray, "b h w"]]:
        """Compute the mean and the variance of -log p over the levels of one channel, in nats and nats squared."""
        if self.program.head.has_table:
            return entropy_and_variance(self.probs(params, x, channel))
        rows, pixels = _rows(params), _rows(x)
        parts = [slice(start, start + _SITES) for start in range(0, len(rows), _SITES)]
        sizes = (frequencies_of_sites(self.program, rows[part], pixels[part], channel) for part in parts)
        both = np.hstack([moments_of_frequencies(each, self.program.head.precision) for each in sizes])
        entropy, variance = both.reshape(2, len(x), *x.shape[2:])
        return entropy, variance

    def drawn_from(
        self,
        params: Sequence[Int[np.ndarray, "b p h w"]],
        x: Int[np.ndarray, "b c h w"],
        channel: int,
        transform: Transform,
    ) -> Float[np.ndarray, "b k h w"]:
        """Compute the probabilities that levels are drawn from, float64, transformed in integers.

        Args:
            params: under the conditions, and under guidance after them the reference parameters.
            x, channel: as for `conditional`.
            transform: guidance, temperature and top-p.
        """
        sizes = [np.moveaxis(self.frequencies(each, x, channel), 1, -1) for each in params]
        rows = transform_frequencies(np.concatenate([each.reshape(-1, self.levels) for each in sizes]), transform)
        return np.moveaxis(rows.reshape(sizes[0].shape) / 2.0**DRAW_BITS, -1, 1)

    def components(
        self, params: Int[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"], channel: int
    ) -> tuple[Float[np.ndarray, "b m h w"], Float[np.ndarray, "b m h w"], Float[np.ndarray, "b m h w"]]:
        """Return log-weight, mean and log-scale of each component of a mixture, as `DiscretizedLogisticMixture`."""
        head, numbers, pixel = self.program.head, np.moveaxis(params, 1, -1).astype(np.int64), np.moveaxis(x, 1, -1)
        weights = component_weights(head, numbers, pixel, channel).astype(np.float64)
        position, log_scale = mean_and_scale(head, numbers, pixel, channel)
        parts = (
            np.log(weights / weights.sum(-1, keepdims=True)),
            position * (2.0 ** (1 - position_bits(self.levels)) / (self.levels - 1)) - 1,
            log_scale * LOG_SCALE_STEP,
        )
        log_weight, mean, scale = (np.moveaxis(part.astype(np.float64), -1, 1) for part in parts)
        return log_weight, mean, scale

    def _logs(self, sizes: Int[np.ndarray, ...]) -> Float[np.ndarray, ...]:
        return log_probs(sizes, self.program.head.precision)


def _rows(array: Int[np.ndarray, "b c h w"]) -> Int[np.ndarray, "n c"]:
    return np.ascontiguousarray(np.moveaxis(array, 1, -1)).reshape(-1, array.shape[1])
