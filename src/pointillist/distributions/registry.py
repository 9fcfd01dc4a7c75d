"""Names of the likelihoods, and the one that fits an image."""

from __future__ import annotations

from typing import Literal

from pointillist.checkpoint.description import resolve_likelihood
from pointillist.distributions.factored import FactoredCategorical
from pointillist.distributions.likelihoods import Bernoulli, Categorical, DiscretizedLogisticMixture, Likelihood
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec

LikelihoodName = Literal["auto", "bernoulli", "categorical", "factored", "mixture"]


def build_likelihood(name: LikelihoodName, image: ImageSpec, mixtures: int = 10) -> Likelihood:
    """Build the likelihood called `name`; `auto` is chosen by the image (`resolve_likelihood`).

    Raises:
        ConfigError: if the likelihood does not fit the image.
    """
    chosen = resolve_likelihood(name, image.model_dump(include={"channels", "levels", "ordered"}))
    if chosen == "mixture":
        if not image.ordered:
            raise ConfigError(
                "`likelihood` 'mixture' needs ordered levels, and these are unordered (palette, tiles or codes): "
                "use 'categorical'."
            )
        return DiscretizedLogisticMixture(image.channels, image.levels, mixtures)
    if chosen == "factored":
        return FactoredCategorical(image.channels, image.levels, mixtures)
    if chosen == "bernoulli":
        return Bernoulli(image.channels, image.levels)
    return Categorical(image.channels, image.levels)
