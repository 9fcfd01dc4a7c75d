"""From the log-probabilities of a sub-pixel to its level: guidance, temperature, top-p, and a draw by inverse CDF.

Nothing is asked back from a device, so that an engine on a GPU may capture it.
"""

from __future__ import annotations

import math
from numbers import Real

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.distributions.likelihoods import inverse_cdf
from pointillist.errors import ConfigError


def apply_guidance(told: Float[Tensor, "b k"], untold: Float[Tensor, "b k"], guidance: float) -> Float[Tensor, "b k"]:
    """log p_u + g (log p_c - log p_u), renormalised over the levels, in nats."""
    return torch.lerp(untold, told, guidance).log_softmax(1)


def check_guidance(guidance: float) -> None:
    """Refuse a guidance that is no number from 0.

    Raises:
        ConfigError: naming it.
    """
    if not (isinstance(guidance, Real) and 0 <= guidance < math.inf):
        raise ConfigError(f"`guidance` (={guidance}) must be 0 or more, and finite: 1 is the model itself.")


def apply_temperature_top_p(log_probs: Float[Tensor, "b k"], temperature: float, top_p: float) -> Float[Tensor, "b k"]:
    """Temperature, then top-p, on log-probabilities in nats; levels that are cut get minus infinity."""
    if temperature < torch.finfo(log_probs.dtype).tiny:  # 0, or as good as 0 in this precision
        best = torch.full_like(log_probs, -torch.inf)
        return best.scatter(1, log_probs.argmax(1, keepdim=True), 0.0)
    if temperature != 1:
        # the best level at 0 first: dividing by a tiny temperature then leaves it there
        log_probs = ((log_probs - log_probs.amax(1, keepdim=True)) / temperature).log_softmax(1)
    if top_p < 1:
        ordered, index = log_probs.sort(dim=1, descending=True, stable=True)
        before = ordered.exp().cumsum(1) - ordered.exp()
        over = before >= top_p
        over[:, 0] = False  # the likeliest stays, also where `top_p` is too small for its precision
        cut = torch.zeros_like(log_probs, dtype=torch.bool).scatter(1, index, over)
        log_probs = log_probs.masked_fill(cut, -torch.inf).log_softmax(1)
    return log_probs


def sample_level(
    log_probs: Float[Tensor, "b k"],
    uniforms: Float[Tensor, " n"],
    guidance: float,
    temperature: float,
    top_p: float,
    *,
    guided: bool,
) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
    """A level for each uniform, and its log-probability under the model as it is, in nats, in float64.

    Args:
        log_probs: where `guided`, those of the images that are told, and then once more those that are untold.
    """
    count = len(uniforms)
    model = log_probs[:count]
    wanted = apply_guidance(model, log_probs[count:], guidance) if guided else model
    levels = inverse_cdf(apply_temperature_top_p(wanted, temperature, top_p), uniforms)
    return levels, model.gather(1, levels[:, None])[:, 0].double()
