"""From integer parameters to integer frequencies: the distribution of a sub-pixel, exactly normalised.

Of the logits l_k, integers in steps of 2^-8, and with m their maximum, and E the table of 2^24 exp(-i / 256),

    e_k = E[m - l_k]                         (0 beyond the table)
    r   = floor(2^(P + 32) / sum of e)
    f_k = max(1, floor(e_k r / 2^32)),  and the first largest f_k takes what is missing to 2^P

so every frequency is at least 1, and they sum to 2^P. All of it is 64-bit integer arithmetic without overflow, on
arrays of numpy or torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.arithmetic import Array, count_like, int64, library_of, take_last
from pointillist.engine.head.mixture import MixtureIntervals, mixture_weights
from pointillist.engine.program import IntArray, IntegerHead

if TYPE_CHECKING:
    from pointillist.engine.head.factored import FactoredFrequencies

Distribution: TypeAlias = "Frequencies | MixtureIntervals | FactoredFrequencies"
_FEW_LEVELS = 64


class Frequencies:
    """The distribution of a sub-pixel at some sites, as intervals of the numbers from 0 to 2^precision.

    Its frequencies are all computed. Distributions of many levels have the same methods, and answer without them.

    Args:
        sizes: frequencies `[..., levels]`.
    """

    def __init__(self, sizes: Array) -> None:
        self._sizes = sizes

    def interval(self, levels: Array) -> tuple[Array, Array]:
        """Return the start and the frequency of levels `[...]`."""
        index = int64(levels)[..., None]
        size = take_last(self._sizes, index)[..., 0]
        return take_last(self._sizes.cumsum(axis=-1), index)[..., 0] - size, size

    def level_at(self, targets: Array) -> Array:
        """Return the first levels `[...]` whose cumulative frequencies exceed these numbers."""
        return (self._sizes.cumsum(axis=-1) <= targets[..., None]).sum(axis=-1)

    def frequencies(self) -> Array:
        """Return the frequencies of all levels, `[..., levels]`."""
        return self._sizes

    def __getitem__(self, sites: Any) -> Frequencies:
        return Frequencies(self._sizes[sites])


def precision_of(levels: int) -> int:
    """Return the bits of the sum of the frequencies: 16, or 24 for more than 64 levels.

    Every level has a frequency of at least 1: k rare levels take up to k / 2^16 from the most likely one.
    """
    return 16 if levels <= _FEW_LEVELS else 24


def normalise(weights: Array, precision: int, least: Array | int = 1) -> Array:
    """Return frequencies `[..., k]` in proportion to weights: at least `least` each, and 2^precision in all.

    Args:
        weights: integers whose sum lies in 1 to 2^42.
        precision: at most 30.
        least: 1, or an array of 0 where the weight is 0 and of 1 elsewhere.
    """
    total = weights.sum(axis=-1, keepdims=True)
    result = ((weights * ((1 << (precision + 32)) // total)) >> 32).clip(min=least)
    missing = (1 << precision) - result.sum(axis=-1, keepdims=True)
    best = result.argmax(axis=-1, keepdims=True)  # the first of several
    return result + missing * (count_like(result.shape[-1], result) == best)


def softmax(logits: Array, table: Array, precision: int) -> Array:
    """Return the frequencies `[..., k]` of logits in steps of `LOGIT_STEP`."""
    below = library_of(logits).amax(logits, axis=-1, keepdims=True) - logits
    return normalise(int64(table[below.clip(max=len(table) - 1)]), precision)


def distribution(head: IntegerHead, params: Array, pixel: Array, channel: int) -> Distribution:
    """Return the distribution of one channel.

    Args:
        head: the distribution, its tables in the library of the parameters.
        params: parameters, `[..., p]`.
        pixel: levels of the pixel, `[..., c]`; those before the channel are read where channels are coupled.
        channel: the channel.
    """
    if head.kind == "factored":
        from pointillist.engine.head.factored import FactoredFrequencies

        return FactoredFrequencies(head, params, channel)
    if not head.has_table:
        return MixtureIntervals(head, int64(params), int64(pixel), channel)
    return Frequencies(_all_frequencies(head, int64(params), pixel, channel))


def _all_frequencies(head: IntegerHead, params: Array, pixel: Array, channel: int) -> Array:
    table = head.tables["exp"]
    if head.kind == "mixture":
        return normalise(mixture_weights(head, params, int64(pixel), channel), head.precision)
    if head.kind == "bernoulli":
        logit, library = params[..., channel : channel + 1], library_of(params)
        return softmax(library.concatenate([library.zeros_like(logit), logit], axis=-1), table, head.precision)
    return softmax(params[..., channel * head.levels : (channel + 1) * head.levels], table, head.precision)


def frequencies(head: IntegerHead, params: Array, pixel: Array, channel: int) -> Array:
    """Return the frequencies of the levels of one channel, `[..., levels]`, summing to `2 ** head.precision`.

    Arguments as `distribution`.
    """
    return distribution(head, params, pixel, channel).frequencies()


def log_probs(sizes: IntArray, precision: int) -> NDArray[np.float64]:
    """Return log-probabilities in nats from frequencies. All that speaks of nats calls this function of numpy."""
    return np.asarray(np.log(sizes / 2.0**precision))


def targets_of(uniforms: Array, precision: int) -> Array:
    """Return floor(u 2^precision): the numbers whose levels are drawn by inverse CDF.

    A uniform is float64, and its product with a power of two is exact.
    """
    return int64(library_of(uniforms).floor(uniforms * float(1 << precision)))


def draw(sizes: Array, uniforms: Array) -> Array:
    """Draw levels `[...]` from frequencies `[..., k]`: the first whose cumulative sum exceeds floor(u * total).

    A uniform is float64, and its product with a total that is a power of two is exact.
    """
    return Frequencies(sizes).level_at(int64(library_of(sizes).floor(uniforms * sizes.sum(axis=-1))))
