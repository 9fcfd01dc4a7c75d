"""Memory format of feature maps: NCHW, or NHWC (`channels_last`).

Convolutions on a CPU are faster with channels last. In either format they are slow where both formats meet: a sum or a
gradient of two maps in different formats takes ten times as long (measured in `docs/decisions`, 0018). The input of a
network therefore gets the format of the weights, and nothing inside the network changes it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def is_channels_last(t: Float[Tensor, "b d h w"]) -> bool:
    """Check whether the strides of a map are channels-last, also for a map of one channel.

    Example:
        ```python
        is_channels_last(torch.zeros(2, 3, 4, 5).to(memory_format=torch.channels_last))  # True
        ```
    """
    _, channels, height, width = t.shape
    return t.stride() == (channels * height * width, 1, channels * width, channels)


def channels_last(t: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
    """Return a map in channels-last format, copied if necessary.

    `t.contiguous(memory_format=torch.channels_last)` would return a map of one channel as it is, with strides that
    convolutions take for NCHW.

    Example:
        ```python
        channels_last(torch.zeros(2, 1, 4, 5)).stride()  # (20, 1, 5, 1)
        ```
    """
    if is_channels_last(t):
        return t
    return torch.empty(t.shape, dtype=t.dtype, device=t.device, memory_format=torch.channels_last).copy_(t)
