"""The distribution of a pixel by a network in floating point, with arrays in and out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pointillist.conditioning.encoder import as_tensor
from pointillist.distributions.likelihoods import Likelihood
from pointillist.distributions.moments import entropy_and_variance
from pointillist.distributions.sampling_transforms import apply_guidance, apply_temperature_top_p
from pointillist.distributions.transform import Transform
from pointillist.images.array_types import Float, Int


class FloatLikelihood:
    """A likelihood of torch with arrays in and out, with the methods of `ProgramLikelihood`. Results are float64.

    Attributes:
        likelihood: the likelihood.
        coupled: whether a channel depends on the channels before it in its pixel.
        mixtures: components of a mixture; 1 for other distributions.
    """

    def __init__(self, likelihood: Likelihood) -> None:
        self.likelihood: Likelihood = likelihood
        self.coupled: bool = likelihood.coupled
        self.mixtures: int = int(getattr(likelihood, "mixtures", 1))

    def log_prob(
        self, params: Float[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"]
    ) -> Float[np.ndarray, "b c h w"]:
        """Compute the log-probability of each sub-pixel given those before it, in nats."""
        return as_doubles(self.likelihood.log_prob(*_tensors(params, x)))

    def conditional(
        self, params: Float[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"], channel: int
    ) -> Float[np.ndarray, "b k h w"]:
        """Compute the log-probabilities of all levels of one channel, in nats."""
        return as_doubles(self.likelihood.conditional(*_tensors(params, x), channel))

    def prob(self, params: Float[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"]) -> Float[np.ndarray, "b c h w"]:
        """Compute the probability of each sub-pixel given those before it."""
        return np.asarray(np.exp(self.log_prob(params, x)))

    def probs(
        self, params: Float[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"], channel: int
    ) -> Float[np.ndarray, "b k h w"]:
        """Compute the probabilities of all levels of one channel."""
        return np.asarray(np.exp(self.conditional(params, x, channel)))

    def moments(
        self, params: Float[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"], channel: int
    ) -> tuple[Float[np.ndarray, "b h w"], Float[np.ndarray, "b h w"]]:
        """Compute the mean and the variance of -log p over the levels of one channel, in nats and nats squared."""
        return entropy_and_variance(self.probs(params, x, channel))

    def drawn_from(
        self,
        params: Sequence[Float[np.ndarray, "b p h w"]],
        x: Int[np.ndarray, "b c h w"],
        channel: int,
        transform: Transform,
    ) -> Float[np.ndarray, "b k h w"]:
        """Compute the probabilities that levels are drawn from; see `ProgramLikelihood`."""
        tables = [np.moveaxis(self.conditional(each, x, channel), 1, -1) for each in params]
        logs = [torch.from_numpy(each.reshape(-1, each.shape[-1])) for each in tables]
        guided = apply_guidance(logs[0], logs[1], transform.guidance) if transform.is_guided else logs[0]
        probs = apply_temperature_top_p(guided, transform.temperature, transform.top_p).exp()
        rows: np.ndarray = (probs / probs.sum(1, keepdim=True)).numpy()
        return np.moveaxis(rows.reshape(tables[0].shape), -1, 1)

    def components(
        self, params: Float[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"], channel: int
    ) -> tuple[Float[np.ndarray, "b m h w"], Float[np.ndarray, "b m h w"], Float[np.ndarray, "b m h w"]]:
        """Return log-weight, mean and log-scale of each component of a mixture."""
        mixture: Any = self.likelihood
        log_weight, mean, log_scale = map(as_doubles, mixture.components(*_tensors(params, x), channel))
        return log_weight, mean, log_scale


def _tensors(params: np.ndarray, x: np.ndarray) -> tuple[Tensor, Tensor]:
    return as_tensor(params), as_tensor(x)


def as_doubles(values: Tensor) -> Float[np.ndarray, ...]:
    """Return the values of a tensor as an array, float64."""
    return values.detach().cpu().double().numpy()
