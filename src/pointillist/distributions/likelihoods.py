"""Output distributions: the exact distribution of each sub-pixel given those before it.

A likelihood owns both directions: `log_prob` of all pixels at once, and `conditional`, the log-probabilities of all
levels of one sub-pixel, which every sampler, coder and view uses. Property tests hold both to the same distribution.
"""

from __future__ import annotations

import importlib
import math
from abc import ABC, abstractmethod
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from pointillist.distributions.kinds import (
    LIKELIHOODS,
    LikelihoodKind,
    LikelihoodName,
    min_log_scale_of_gain,
    resolve_likelihood,
)
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec
from pointillist.images.array_types import Float, Int

Number = TypeVar("Number", Tensor, float)
MIN_LOG_SCALE = -7.0  # Salimans et al. 2017: keeps a component wider than about 1/8 of an 8-bit level
_NARROWEST = 1e-30  # bins in units of the scale: the logarithm of 0, and its gradient, would not be finite


class Likelihood(ABC):
    """Distribution over levels, given `num_params` network outputs a pixel.

    Attributes:
        coupled: whether the likelihood itself couples the channels of a pixel. The network then sees no channel of the
            pixel; otherwise it runs once per sub-pixel, and group `c` of its outputs belongs to channel `c`.
        num_params: `p`, network outputs per pixel, over all channels.

    Example:
        likelihood = Categorical(channels=3, levels=256)
        params = torch.zeros(1, likelihood.num_params, 8, 8)
        likelihood.log_prob(params, torch.zeros(1, 3, 8, 8, dtype=torch.int64))  # -log 256 everywhere
    """

    name: LikelihoodKind
    coupled: bool = False

    def __init__(self, channels: int, levels: int) -> None:
        self.channels = channels
        self.levels = levels

    @property
    def num_params(self) -> int:
        """Number of network outputs per pixel, over all channels."""
        return LIKELIHOODS[self.name].num_params(self.channels, self.levels, getattr(self, "mixtures", 0))

    @abstractmethod
    def log_prob(self, params: Float[Tensor, "b p h w"], x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Compute the log-probability of each sub-pixel given those before it, in nats.

        Args:
            params: output of the network.
            x: levels, integers in [0, levels).
        """

    @abstractmethod
    def conditional(
        self, params: Float[Tensor, "b p h w"], x: Int[Tensor, "b c h w"], channel: int
    ) -> Float[Tensor, "b k h w"]:
        """Compute the log-probabilities of all levels of one channel, in nats, given `x[:, :channel]` of the pixel."""

    def params_of(self, channel: int) -> slice:
        """Slice of the `p` network outputs of a pixel that a channel depends on; all of them where it is coupled."""
        if self.coupled:
            return slice(None)
        return slice(channel * self.num_params // self.channels, (channel + 1) * self.num_params // self.channels)


def at_least_float32(params: Tensor) -> Tensor:
    """Return parameters in at least float32: a likelihood is never computed in half precision."""
    return params if params.dtype == torch.float64 else params.float()


class Bernoulli(Likelihood):
    """A Bernoulli distribution of two levels, with one logit a sub-pixel: p(1) = sigmoid(logit)."""

    name: LikelihoodKind = "bernoulli"

    def __init__(self, channels: int, levels: int = 2) -> None:
        if levels != 2:
            raise ConfigError(f"`levels` (={levels}) must be 2 for a Bernoulli likelihood: use 'categorical'.")
        super().__init__(channels, levels)

    def log_prob(self, params: Float[Tensor, "b p h w"], x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Compute log sigmoid(logit) for level 1 and log sigmoid(-logit) for level 0, in nats."""
        logits = at_least_float32(params)
        return F.logsigmoid(torch.where(x > 0, logits, -logits))

    def conditional(
        self, params: Float[Tensor, "b p h w"], x: Int[Tensor, "b c h w"], channel: int
    ) -> Float[Tensor, "b k h w"]:
        """Compute the log-probabilities of levels 0 and 1, in nats."""
        logit = at_least_float32(params)[:, channel]
        return torch.stack([F.logsigmoid(-logit), F.logsigmoid(logit)], 1)


class Categorical(Likelihood):
    """A softmax over all levels of each sub-pixel (van den Oord et al. 2016, arXiv 1601.06759, section 2.2)."""

    name: LikelihoodKind = "categorical"

    def log_prob(self, params: Float[Tensor, "b p h w"], x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Compute the log softmax at the true level, in nats."""
        logits = at_least_float32(params)
        if not logits.is_contiguous() and logits.is_contiguous(memory_format=torch.channels_last):
            # the levels of a sub-pixel are contiguous: no copy, and a gradient in the same memory format
            rows, levels = logits.permute(0, 2, 3, 1), x.permute(0, 2, 3, 1)
            nats = F.cross_entropy(rows.reshape(-1, self.levels), levels.reshape(-1), reduction="none")
            return -nats.view(levels.shape).permute(0, 3, 1, 2)
        logits = logits.reshape(len(x), self.channels, self.levels, *x.shape[2:])
        return -F.cross_entropy(logits.movedim(2, 1), x, reduction="none")

    def conditional(
        self, params: Float[Tensor, "b p h w"], x: Int[Tensor, "b c h w"], channel: int
    ) -> Float[Tensor, "b k h w"]:
        """Compute the log softmax over the levels of `channel`, in nats."""
        logits = at_least_float32(params)[:, channel * self.levels : (channel + 1) * self.levels]
        return logits.log_softmax(1)


class DiscretizedLogisticMixture(Likelihood):
    """A mixture of logistics, integrated over each level's bin (Salimans et al. 2017, arXiv 1701.05517, eq. 1 to 3).

    With levels scaled to [-1, 1], a bin of half-width d around x has in component m the probability (eq. 2)

        p_m(x) = sigmoid((x + d - mu_m) / s_m) - sigmoid((x - d - mu_m) / s_m)

    The bins of the lowest and highest level extend to infinity. A pixel has one set of mixture weights pi_m. In each
    component, the channels before it shift the mean of a channel linearly (eq. 3; its printed `gamma b` is `gamma g`).
    So the channels of a pixel are coupled, and the distribution of a sub-pixel is

        p(x_c | x_<c) = sum_m w_m p_m(x_c),   w_m proportional to pi_m times p_m of the channels before c

    Parameters: weights `m`, then means and log-scales `c m` each, then couplings `c(c-1)/2 m`.

    Example:
        likelihood = DiscretizedLogisticMixture(channels=3, levels=256, mixtures=10)
        likelihood.num_params  # 100
    """

    name: LikelihoodKind = "mixture"
    coupled = True

    def __init__(self, channels: int, levels: int, mixtures: int = 10, *, min_log_scale: float = MIN_LOG_SCALE) -> None:
        super().__init__(channels, levels)
        self.min_log_scale = min_log_scale
        self.mixtures = mixtures

    def log_prob(self, params: Float[Tensor, "b p h w"], x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Compute log p(x_c | x_<c), in nats, as the difference of two cumulative log-mixtures."""
        params = at_least_float32(params).contiguous()  # in the memory format of the levels
        joint = [params[:, : self.mixtures].log_softmax(1)]
        for channel in range(self.channels):
            component = self._components(params, x, channel, x[:, channel : channel + 1])[:, :, 0]
            joint.append(joint[-1] + component)
        running = torch.stack([j.logsumexp(1) for j in joint[1:]], 1)
        before = torch.cat([torch.zeros_like(running[:, :1]), running[:, :-1]], 1)
        return running - before

    def conditional(
        self, params: Float[Tensor, "b p h w"], x: Int[Tensor, "b c h w"], channel: int
    ) -> Float[Tensor, "b k h w"]:
        """Compute the log-probabilities of the mixture of `channel` over all levels, in nats."""
        params = at_least_float32(params)
        levels = torch.arange(self.levels, device=x.device).view(1, -1, 1, 1)
        log_probs = self._components(params, x, channel, levels)
        return (self._weights(params, x, channel).unsqueeze(2) + log_probs).logsumexp(1)

    def components(
        self, params: Float[Tensor, "b p h w"], x: Int[Tensor, "b c h w"], channel: int
    ) -> tuple[Float[Tensor, "b m h w"], Float[Tensor, "b m h w"], Float[Tensor, "b m h w"]]:
        """Return log-weight, mean and log-scale of each component of a channel given those before it, on [-1, 1]."""
        params = at_least_float32(params)
        return self._weights(params, x, channel), *self._mean_and_scale(params, x, channel)

    def _weights(self, params: Tensor, x: Tensor, channel: int) -> Tensor:
        """Return log-weights `[b m h w]` of the components of one channel: pi_m times p_m of the channels before it."""
        weights = params[:, : self.mixtures].log_softmax(1)
        for before in range(channel):
            weights = weights + self._components(params, x, before, x[:, before : before + 1])[:, :, 0]
        return weights.log_softmax(1)

    def _components(self, params: Tensor, x: Tensor, channel: int, values: Tensor) -> Tensor:
        """Compute log p_m(values) `[b m k h w]` of one channel given `x[:, :channel]`; `values` are `[b k h w]`."""
        mean, log_scale = self._mean_and_scale(params, x, channel)
        inverse = torch.exp(-log_scale).unsqueeze(2)
        bin_width = 2.0 / (self.levels - 1)  # levels lie on [-1, 1]
        distance = (self._scaled(values, params.dtype).unsqueeze(1) - mean.unsqueeze(2)) * inverse
        half = inverse * (bin_width / 2)
        upper, lower = distance + half, distance - half
        # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), exactly: no fallback for far or narrow bins
        width = (2 * half).clamp(min=_NARROWEST)
        inner = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(-width))
        level = values.unsqueeze(1)
        with_lowest = torch.where(level == 0, F.logsigmoid(upper), inner)
        return torch.where(level == self.levels - 1, F.logsigmoid(-lower), with_lowest)

    def _mean_and_scale(self, params: Tensor, x: Tensor, channel: int) -> tuple[Tensor, Tensor]:
        """Return mean, shifted by the channels before it, and log-scale of each component, `[b m h w]`."""
        m, c = self.mixtures, self.channels
        mean = params[:, m * (1 + channel) : m * (2 + channel)]
        log_scale = params[:, m * (1 + c + channel) : m * (2 + c + channel)].clamp(min=self.min_log_scale)
        first = m * (1 + 2 * c + channel * (channel - 1) // 2)
        for before in range(channel):
            coupling = torch.tanh(params[:, first + m * before : first + m * (before + 1)])
            mean = mean + coupling * self._scaled(x[:, before : before + 1], params.dtype)
        return mean, log_scale

    def _scaled(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return x.to(dtype) * (2.0 / (self.levels - 1)) - 1.0


def inverse_cdf(log_probs: Float[Tensor, "b k"], uniforms: Float[Tensor, " b"]) -> Int[Tensor, " b"]:
    """Draw one level per row by inverse CDF: the smallest level whose cumulative probability exceeds its uniform.

    The sum is float64, so that engines that agree on the probabilities agree on the image. A level of probability zero
    is never drawn.

    Example:
        inverse_cdf(torch.tensor([[0.25, 0.75]]).log(), torch.tensor([0.3]))  # [1]
    """
    cdf = log_probs.double().exp().cumsum(1)
    total = cdf[:, -1:]
    # u close to 1 may reach the total by rounding: the last level that adds to it is drawn then
    share = torch.minimum(uniforms.double()[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    result = torch.searchsorted(cdf, share, right=True)[:, 0]
    return result.clamp(max=cdf.shape[1] - 1)  # probabilities that are not a number exceed nothing


def bits_per_dim(nats: Number, dims: int) -> Number:
    """Convert a negative log-likelihood in nats per image to bits per sub-pixel: nats / (dims log 2)."""
    return nats / (dims * math.log(2.0))


def build_likelihood(
    name: LikelihoodName, image: ImageSpec, mixtures: int = 10, *, local_gain: bool = False
) -> Likelihood:
    """Build the likelihood called `name`; `auto` is chosen by the image (`resolve_likelihood`).

    Raises:
        ConfigError: if the likelihood does not fit the image.
    """
    chosen = resolve_likelihood(name, image.channels, image.levels, image.ordered)
    if chosen == "mixture" and not image.ordered:
        raise ConfigError(
            "`likelihood` 'mixture' needs ordered levels, and these are unordered (palette, tiles or codes): "
            "use 'categorical'."
        )
    entry = LIKELIHOODS[chosen]
    module, name_of_class = entry.home
    likelihood = getattr(importlib.import_module(f"pointillist.distributions.{module}"), name_of_class)
    settings: dict[str, float] = {"mixtures": mixtures} if entry.has_mixtures else {}
    if local_gain and chosen == "mixture":
        settings["min_log_scale"] = min_log_scale_of_gain(image.levels)
    result: Likelihood = likelihood(image.channels, image.levels, **settings)
    return result
