"""Maps of surprisal, its expectation and variance, and the PIT, of a batch of images: one pass of the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from pointillist.conditioning import ConditionInputs
from pointillist.distributions.moments import centred_pit, entropy_and_variance
from pointillist.model.protocols import ScoringLikelihood, ScoringModel

NATS_PER_BIT = 0.6931471805599453
_TABLE_SIZE = 1_000_000  # probabilities at once: they stay in the cache of the processor


@dataclass(frozen=True, eq=False)
class PixelMaps:
    """Maps of a batch of images, one value a pixel, the channels together; bits and bits squared.

    ```python
    maps = pixel_maps(model.scorer(), x, model.conditions.inputs(None, len(x)))
    maps.excess.sum((1, 2))  # bits above those that the model expected
    ```

    Attributes:
        surprisal: -log2 of the probability of the pixel, `[b h w]`.
        entropy, variance: expectation and variance of `surprisal` under the model, given the pixels before.
        pit, pit_variance: centred PIT of each sub-pixel and its variance, `[b c h w]`; None for unordered levels.
    """

    surprisal: Float[np.ndarray, "b h w"]
    entropy: Float[np.ndarray, "b h w"]
    variance: Float[np.ndarray, "b h w"]
    pit: Float[np.ndarray, "b c h w"] | None = None
    pit_variance: Float[np.ndarray, "b c h w"] | None = None

    @property
    def excess(self) -> Float[np.ndarray, "b h w"]:
        """Surprisal minus entropy, in bits: its expectation under the model is 0."""
        return np.asarray(self.surprisal - self.entropy)


def pixel_maps(model: ScoringModel, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs) -> PixelMaps:
    """Compute the maps of images that the model has checked.

    Args:
        model: scores images for an engine (`PixelModel.scorer`).
        x: levels.
        inputs: conditions of the images.

    Example:
        maps = pixel_maps(model.scorer(), model.check_array(x), model.conditions.inputs(None, len(x)))
    """
    params, likelihood = model.params(x, inputs), model.likelihood
    step = max(1, _TABLE_SIZE // (model.image.levels * x.shape[2] * x.shape[3]))
    surprisal = -likelihood.log_prob(params, x).sum(1) / NATS_PER_BIT
    starts = range(0, len(x), step)
    parts = [_moments(likelihood, params[i : i + step], x[i : i + step]) for i in starts]
    entropy, variance, pit, pit_variance = (np.concatenate(each) for each in zip(*parts, strict=True))
    maps = (surprisal, entropy.sum(1) / NATS_PER_BIT, variance.sum(1) / NATS_PER_BIT**2)
    return PixelMaps(*maps, pit, pit_variance) if model.image.ordered else PixelMaps(*maps)


def _moments(
    likelihood: ScoringLikelihood, params: Shaped[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Compute entropy, its variance, and the PIT with its variance, `[b c h w]` each, in nats."""
    result = []
    for channel in range(x.shape[1]):
        probs = likelihood.probs(params, x, channel)
        result.append([*entropy_and_variance(probs), *centred_pit(probs, x[:, channel])])
    entropy, variance, pit, pit_variance = (np.stack(each, 1) for each in zip(*result, strict=True))
    return entropy, variance, pit, pit_variance
