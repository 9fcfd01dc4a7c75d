"""The table of the likelihoods, and which fits an image. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from pointillist.errors import check_name

LikelihoodKind = Literal["bernoulli", "categorical", "mixture", "factored"]
"""Names of the likelihoods, in the order of their numbers in `runtime/pointillist.c`."""
LikelihoodName = Literal["auto", LikelihoodKind]

MANY = 256
"""Levels above which a mixture has finer means, and no table of all levels."""


def digits(levels: int) -> tuple[int, int, int]:
    """Return the high digits, the low digits, and how many low digits the last high digit has.

    ```python
    digits(65_536)  # (256, 256, 256)
    digits(10)  # (3, 4, 2): levels 8 and 9 have the high digit 2
    ```
    """
    low = math.isqrt(levels - 1) + 1
    high = -(-levels // low)
    return high, low, levels - (high - 1) * low


@dataclass(frozen=True)
class LikelihoodEntry:
    """Facts about a likelihood that need no torch: networks, programs, files and messages read them.

    Attributes:
        home: module and class of the likelihood in torch.
        num_params: number of parameters of a pixel, of channels, levels and mixtures.
        has_mixtures: whether it is a mixture, whose number of components is a setting.
        max_table: levels up to which the integer frequencies of all levels are computed together; an interval of more
            needs a few numbers of them.
        max_levels: levels that its integers support.
        format_version: the first version of the program format that has it.
    """

    home: tuple[str, str]
    num_params: Callable[[int, int, int], int]
    has_mixtures: bool = False
    max_table: int = 4096
    max_levels: int = 4096
    format_version: int = 1


LIKELIHOODS: Mapping[LikelihoodKind, LikelihoodEntry] = {
    "bernoulli": LikelihoodEntry(("likelihoods", "Bernoulli"), lambda c, k, m: c),
    "categorical": LikelihoodEntry(("likelihoods", "Categorical"), lambda c, k, m: c * k),
    # weights, then means and log-scales of each channel, then couplings of each pair of channels
    "mixture": LikelihoodEntry(
        ("likelihoods", "DiscretizedLogisticMixture"),
        lambda c, k, m: m * (1 + 2 * c + c * (c - 1) // 2),
        has_mixtures=True,
        max_table=MANY,
        max_levels=65_536,
    ),
    # of each channel the log-weights, then the logits of both digits
    "factored": LikelihoodEntry(
        ("factored", "FactoredCategorical"),
        lambda c, k, m: c * m * (1 + sum(digits(k)[:2])),
        has_mixtures=True,
        max_table=0,
        max_levels=65_536,
        format_version=3,
    ),
}
assert tuple(LIKELIHOODS) == get_args(LikelihoodKind)  # the names stand twice for type checkers alone

FACTORED = 4096
"""Levels above which `auto` takes a categorical distribution in two factors: a softmax has a weight for each."""
MIN_LOG_SCALE_OF_GAIN = -9.0  # around a prediction: flat areas of photographs are known to less than 1/8 of a level


def min_log_scale_of_gain(levels: int) -> float:
    """Return the least log-scale around a prediction: the same share of a level for more than 256 levels.

    ```python
    min_log_scale_of_gain(65_536)  # -15.0
    ```
    """
    return MIN_LOG_SCALE_OF_GAIN - max(0, round(math.log((levels - 1) / 255)))


def resolve_likelihood(name: str, channels: int, levels: int, ordered: bool) -> LikelihoodKind:
    """Resolve `auto`: Bernoulli for two ordered levels, a mixture for colour of 256 levels or more, else categorical.

    More than FACTORED levels are categorical in two factors.

    docs/decisions, 0043, has the measurements.

    ```python
    resolve_likelihood("auto", 3, 256, True)  # "mixture"
    ```

    Args:
        name: name of a likelihood, or `auto`.
        channels, levels, ordered: of an `ImageSpec`.

    Raises:
        ConfigError: if there is no such likelihood.
    """
    check_name("There is no likelihood", name, ["auto", *LIKELIHOODS])
    if name != "auto":
        return cast(LikelihoodKind, name)
    if ordered and levels == 2:
        return "bernoulli"
    if ordered and channels >= 3 and levels >= 256:
        return "mixture"
    return "factored" if levels > FACTORED else "categorical"
