"""The distributions of sub-pixels by a network in floating point, with arrays in and out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pointillist.conditioning.encoder import as_tensor
from pointillist.distributions.likelihoods import Likelihood
from pointillist.distributions.sampling_transforms import apply_guidance, apply_temperature_top_p
from pointillist.distributions.transform import Transform
from pointillist.images.array_types import Float
from pointillist.model.protocols import Distributions


@dataclass(frozen=True, eq=False)
class FloatDistributions(Distributions):
    """The distributions of a likelihood of torch; `params` are outputs of the network.

    ```python
    FloatDistributions(params, x, model.likelihood).log_prob()  # nats [b c h w]
    ```

    Attributes:
        likelihood: the likelihood.
    """

    likelihood: Likelihood

    def log_prob(self) -> Float[np.ndarray, "b c h w"]:
        """Compute the log-probability of each sub-pixel given those before it, in nats."""
        return as_doubles(self.likelihood.log_prob(*self._tensors()))

    def conditional(self, channel: int) -> Float[np.ndarray, "b k h w"]:
        """Compute the log-probabilities of all levels of one channel, in nats."""
        return as_doubles(self.likelihood.conditional(*self._tensors(), channel))

    def drawn_from(
        self, channel: int, transform: Transform, reference: Distributions | None = None
    ) -> Float[np.ndarray, "b k h w"]:
        """Compute the probabilities that levels of a channel are drawn from, float64."""
        table = np.moveaxis(self.conditional(channel), 1, -1)
        guided = _rows(table)
        if reference is not None and transform.is_guided:
            other = _rows(np.moveaxis(reference.conditional(channel), 1, -1))
            guided = apply_guidance(guided, other, transform.guidance)
        probs = apply_temperature_top_p(guided, transform.temperature, transform.top_p).exp()
        rows: np.ndarray = (probs / probs.sum(1, keepdim=True)).numpy()
        return np.moveaxis(rows.reshape(table.shape), -1, 1)

    def components(
        self, channel: int
    ) -> tuple[Float[np.ndarray, "b m h w"], Float[np.ndarray, "b m h w"], Float[np.ndarray, "b m h w"]]:
        """Return log-weight, mean and log-scale of each component of a mixture."""
        mixture: Any = self.likelihood
        log_weight, mean, log_scale = map(as_doubles, mixture.components(*self._tensors(), channel))
        return log_weight, mean, log_scale

    def _tensors(self) -> tuple[Tensor, Tensor]:
        return as_tensor(self.params), as_tensor(self.x)


def _rows(table: Float[np.ndarray, "b h w k"]) -> Float[Tensor, "n k"]:
    return torch.from_numpy(table.reshape(-1, table.shape[-1]))


def as_doubles(values: Tensor) -> Float[np.ndarray, ...]:
    """Return the values of a tensor as an array, float64."""
    return values.detach().cpu().double().numpy()
