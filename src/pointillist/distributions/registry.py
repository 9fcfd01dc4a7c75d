"""The likelihood that fits an image, and how it is built. Needs no torch before it is built."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pointillist.distributions.kinds import LIKELIHOODS, LikelihoodKind
from pointillist.errors import ConfigError, check_name

if TYPE_CHECKING:
    from pointillist.distributions.likelihoods import Likelihood
    from pointillist.images import ImageSpec

LikelihoodName = Literal["auto", LikelihoodKind]
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

    Raises:
        ConfigError: if there is no such likelihood.
    """
    check_name("There is no likelihood", name, ["auto", *LIKELIHOODS])
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
    chosen: Any = resolve_likelihood(name, image.model_dump(include={"channels", "levels", "ordered"}))
    if chosen == "mixture" and not image.ordered:
        raise ConfigError(
            "`likelihood` 'mixture' needs ordered levels, and these are unordered (palette, tiles or codes): "
            "use 'categorical'."
        )
    entry = LIKELIHOODS[chosen]
    module, name_of_class = entry.home
    likelihood = getattr(importlib.import_module(f"pointillist.distributions.{module}"), name_of_class)
    settings: dict[str, Any] = {"mixtures": mixtures} if entry.has_mixtures else {}
    if local_gain and chosen == "mixture":
        settings["min_log_scale"] = min_log_scale_of_gain(image.levels)
    result: Likelihood = likelihood(image.channels, image.levels, **settings)
    return result
