"""Names of the likelihoods, and the one that fits an image. Needs no torch before a likelihood is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pointillist.errors import ConfigError

if TYPE_CHECKING:
    from pointillist.distributions.likelihoods import Likelihood
    from pointillist.images import ImageSpec

LikelihoodName = Literal["auto", "bernoulli", "categorical", "factored", "mixture"]
FACTORED = 4096
"""Levels above which `auto` takes a categorical distribution in two factors: a softmax has a weight for each."""


def resolve_likelihood(name: str, image: Mapping[str, Any]) -> str:
    """Resolve `auto`: Bernoulli for two ordered levels, a mixture for colour of 256 levels or more, else categorical.

    More than FACTORED levels are categorical in two factors.

    docs/decisions, 0043, has the measurements.

    ```python
    resolve_likelihood("auto", {"channels": 3, "levels": 256, "ordered": True})  # "mixture"
    ```

    Args:
        name: name of a likelihood, or `auto`.
        image: `channels`, `levels` and `ordered` of an `ImageSpec`.
    """
    if name != "auto":
        return name
    if image["ordered"] and image["levels"] == 2:
        return "bernoulli"
    if image["ordered"] and image["channels"] >= 3 and image["levels"] >= 256:
        return "mixture"
    return "factored" if image["levels"] > FACTORED else "categorical"


def build_likelihood(
    name: LikelihoodName, image: ImageSpec, mixtures: int = 10, *, local_gain: bool = False
) -> Likelihood:
    """Build the likelihood called `name`; `auto` is chosen by the image (`resolve_likelihood`).

    Raises:
        ConfigError: if the likelihood does not fit the image.
    """
    from pointillist.distributions.factored import FactoredCategorical
    from pointillist.distributions.likelihoods import (
        MIN_LOG_SCALE,
        MIN_LOG_SCALE_OF_GAIN,
        Bernoulli,
        Categorical,
        DiscretizedLogisticMixture,
    )

    chosen = resolve_likelihood(name, image.model_dump(include={"channels", "levels", "ordered"}))
    if chosen == "mixture":
        if not image.ordered:
            raise ConfigError(
                "`likelihood` 'mixture' needs ordered levels, and these are unordered (palette, tiles or codes): "
                "use 'categorical'."
            )
        lowest = MIN_LOG_SCALE_OF_GAIN if local_gain else MIN_LOG_SCALE
        return DiscretizedLogisticMixture(image.channels, image.levels, mixtures, min_log_scale=lowest)
    if chosen == "factored":
        return FactoredCategorical(image.channels, image.levels, mixtures)
    if chosen == "bernoulli":
        return Bernoulli(image.channels, image.levels)
    return Categorical(image.channels, image.levels)
