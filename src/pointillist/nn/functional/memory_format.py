"""In which order the numbers of a map lie in memory: channel by channel, or (`channels_last`) site by site.

Convolutions on a CPU are faster site by site, and on either they are slow where both orders meet: a sum or a gradient
of two maps in different orders takes ten times as long (`docs/decisions`, 0018, has the measurement). So what enters a
network lies as its weights do, and nothing on the way changes it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def is_channels_last(t: Float[Tensor, "b d h w"]) -> bool:
    """Whether a map lies site by site; a map of one channel does so by its strides alone."""
    _, channels, height, width = t.shape
    return t.stride() == (channels * height * width, 1, channels * width, channels)


def channels_last(t: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
    """A map, site by site.

    `t.contiguous(memory_format=...)` would leave a map of one channel as it is, and convolutions would take it for
    the other order.
    """
    if is_channels_last(t):
        return t
    return torch.empty(t.shape, dtype=t.dtype, device=t.device, memory_format=torch.channels_last).copy_(t)
