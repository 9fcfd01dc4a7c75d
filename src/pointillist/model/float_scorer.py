"""Score images by a pixel model in floating point, with arrays in and out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pointillist.conditioning import ConditionInputs
from pointillist.conditioning.encoder import as_tensor
from pointillist.distributions.likelihoods import Likelihood
from pointillist.distributions.moments import entropy_and_variance
from pointillist.distributions.sampling_transforms import apply_guidance, apply_temperature_top_p
from pointillist.distributions.transform import Transform
from pointillist.engine.weights import inference_mode
from pointillist.images import ImageSpec
from pointillist.images.array_types import Float, Int
from pointillist.images.ordering import PixelOrder


class FloatLikelihood:
    """A likelihood of torch with arrays in and out; see `ScoringLikelihood`. Results are float64.

    Attributes:
        likelihood: the likelihood.
    """

    likelihood: Likelihood
    coupled: bool

    def __init__(self, likelihood: Likelihood) -> None:
        self.likelihood, self.coupled = likelihood, likelihood.coupled
        self.mixtures: int = int(getattr(likelihood, "mixtures", 1))

    def log_prob(
        self, params: Float[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"]
    ) -> Float[np.ndarray, "b c h w"]:
        """Compute the log-probability of each sub-pixel given those before it, in nats."""
        return _doubles(self.likelihood.log_prob(*_tensors(params, x)))

    def prob(self, params: Float[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"]) -> Float[np.ndarray, "b c h w"]:
        """Compute the probability of each sub-pixel given those before it."""
        return np.asarray(np.exp(self.log_prob(params, x)))

    def conditional(
        self, params: Float[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"], channel: int
    ) -> Float[np.ndarray, "b k h w"]:
        """Compute the log-probabilities of all levels of one channel, in nats."""
        return _doubles(self.likelihood.conditional(*_tensors(params, x), channel))

    def probs(
        self, params: Float[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"], channel: int
    ) -> Float[np.ndarray, "b k h w"]:
        """Compute the probabilities of all levels of one channel."""
        return np.asarray(np.exp(self.conditional(params, x, channel)))

    def moments(
        self, params: Float[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"], channel: int
    ) -> tuple[Float[np.ndarray, "b h w"], Float[np.ndarray, "b h w"]]:
        """Compute the mean and the variance of -log p over the levels of one channel; see `ScoringLikelihood`."""
        return entropy_and_variance(self.probs(params, x, channel))

    def drawn_from(
        self,
        params: Sequence[Float[np.ndarray, "b p h w"]],
        x: Int[np.ndarray, "b c h w"],
        channel: int,
        transform: Transform,
    ) -> Float[np.ndarray, "b k h w"]:
        """Compute the probabilities that levels are drawn from; see `ScoringLikelihood`."""
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
        log_weight, mean, log_scale = map(_doubles, mixture.components(*_tensors(params, x), channel))
        return log_weight, mean, log_scale


class FloatScorer:
    """The distribution of a pixel model in floating point; see `ScoringModel`.

    ```python
    FloatScorer(model).unchecked_log_prob_map(x, None).shape  # as x
    ```

    Attributes:
        model: the pixel model, which computes where its weights are.
    """

    engine = "torch"

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def image(self) -> ImageSpec:
        """Meaning of the integers."""
        image: ImageSpec = self.model.image
        return image

    @property
    def likelihood(self) -> FloatLikelihood:
        """Distribution of a pixel, given the outputs of the network."""
        return FloatLikelihood(self.model.likelihood)

    def params(
        self, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs | None, order: PixelOrder | None = None
    ) -> Float[np.ndarray, "b p h w"]:
        """Compute the outputs of the network at every pixel of complete images."""
        model = self.model
        with inference_mode(model):
            condition = model.encode(inputs, len(x), (x.shape[2], x.shape[3]))
            params: Tensor = model.params(self._levels(x), condition, order)
        single = params if params.dtype == torch.float64 else params.float()
        return single.cpu().numpy()

    def unchecked_log_prob_map(
        self, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs | None, order: PixelOrder | None = None
    ) -> Float[np.ndarray, "b c h w"]:
        """Compute the log-probability of each sub-pixel given those before it, in nats, float64."""
        with inference_mode(self.model):
            return _doubles(self.model.unchecked_log_prob_map(self._levels(x), inputs, order))

    def _levels(self, x: Int[np.ndarray, "b c h w"]) -> Int[Tensor, "b c h w"]:
        return as_tensor(x, self.model.device).to(torch.int64)


def _tensors(params: np.ndarray, x: np.ndarray) -> tuple[Tensor, Tensor]:
    return as_tensor(params), as_tensor(x)


def _doubles(values: Tensor) -> Float[np.ndarray, ...]:
    return values.detach().cpu().double().numpy()
