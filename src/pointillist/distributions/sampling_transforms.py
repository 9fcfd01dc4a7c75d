"""Transforms of log-probabilities for sampling: guidance, temperature, top-p, and a draw by inverse CDF.

No function reads a value back from a device, so that no draw waits for a GPU.

References:
    Ho & Salimans 2022, "Classifier-Free Diffusion Guidance", arXiv 2207.12598.
    Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", arXiv 1904.09751 (top-p).
"""

from __future__ import annotations

import torch
from torch import Tensor

from pointillist.distributions.likelihoods import inverse_cdf
from pointillist.distributions.transform import Transform
from pointillist.images.array_types import Float, Int


def apply_guidance(
    conditional: Float[Tensor, "b k"], unconditional: Float[Tensor, "b k"], guidance: float
) -> Float[Tensor, "b k"]:
    """Combine conditional and unconditional log-probabilities by classifier-free guidance, in nats.

        log p = log p_u + g (log p_c - log p_u) + const

    renormalised over the levels (Ho & Salimans 2022, eq. 6, written with g = 1 + w). g = 0 gives p_u, g = 1 gives p_c,
    and g > 1 strengthens the conditioning.

    Args:
        conditional: log p_c of the levels of a sub-pixel.
        unconditional: log p_u of the same levels.
        guidance: the scale g.

    Example:
        apply_guidance(log_p_c, log_p_u, 2.0).exp().sum(1)  # 1 in every row
    """
    return torch.lerp(unconditional, conditional, guidance).log_softmax(1)


def apply_temperature_top_p(log_probs: Float[Tensor, "b k"], temperature: float, top_p: float) -> Float[Tensor, "b k"]:
    """Apply temperature, then top-p, to log-probabilities in nats.

    Temperature T gives p_k proportional to p_k ** (1 / T); T = 0 puts all probability on the most probable level.
    Top-p keeps the smallest set of most probable levels whose probabilities reach `top_p` (Holtzman et al. 2020,
    eq. 2 and 3), and renormalises. Levels outside it get minus infinity.

    Example:
        log_probs = torch.tensor([[0.5, 0.3, 0.2]]).log()
        apply_temperature_top_p(log_probs, temperature=1.0, top_p=0.8).exp()  # [[0.625, 0.375, 0.0]]
    """
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
        over[:, 0] = False  # the most probable level stays, also where `top_p` is too small for its precision
        cut = torch.zeros_like(log_probs, dtype=torch.bool).scatter(1, index, over)
        log_probs = log_probs.masked_fill(cut, -torch.inf).log_softmax(1)
    return log_probs


def draw_level(
    log_probs: Float[Tensor, "n k"], uniforms: Float[Tensor, " n"], transform: Transform
) -> Int[Tensor, " n"]:
    """Draw a level for each uniform by inverse CDF, under temperature and top-p; guidance is applied already.

    Example:
        draw_level(log_probs, torch.rand(len(log_probs)), Transform(temperature=0.9))
    """
    return inverse_cdf(apply_temperature_top_p(log_probs, transform.temperature, transform.top_p), uniforms)


def sample_level(
    log_probs: Float[Tensor, "b k"], uniforms: Float[Tensor, " n"], transform: Transform
) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
    """Draw a level for each uniform by inverse CDF, under guidance, temperature and top-p.

    Args:
        log_probs: log-probabilities of the levels, in nats. Under guidance the first half of the batch is conditional
            and the second half, of the same images, unconditional.
        uniforms: one number in [0, 1) for each image.
        transform: guidance, temperature and top-p.

    Returns:
        the levels, and their log-probability under the model at guidance 1 and temperature 1, in nats, float64.

    Example:
        levels, nats = sample_level(log_probs, torch.rand(len(log_probs)), Transform(temperature=0.9))
    """
    count = len(uniforms)
    conditional = log_probs[:count]
    guided = apply_guidance(conditional, log_probs[count:], transform.guidance) if transform.is_guided else conditional
    levels = draw_level(guided, uniforms, transform)
    return levels, conditional.gather(1, levels[:, None])[:, 0].double()
