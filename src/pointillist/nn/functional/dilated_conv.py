"""Dilated convolution, with the right gradient of its weights in bf16.

On a CPU with bf16 instructions, torch's gradient of the weights is wrong, or not a number, for a dilated kernel over
maps in NHWC that are wider than 28 pixels, if the input features are more than 16 and no multiple of 16 (torch 2.13).
Features of zeros fill them up to a multiple, and the backward pass takes a tenth longer.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

_BLOCK = 16


def dilated_conv2d(
    x: Float[Tensor, "b i h w"],
    weight: Float[Tensor, "o i kh kw"],
    bias: Float[Tensor, " o"] | None = None,
    *,
    dilation: Any = 1,
    **how: Any,
) -> Float[Tensor, "b o h2 w2"]:
    """Convolve as `torch.nn.functional.conv2d` does.

    Args:
        x: features.
        weight, bias: of the convolution.
        dilation: distance between taps in pixels.
        how: `stride` and `padding`.

    Example:
        ```python
        dilated_conv2d(torch.randn(2, 24, 9, 40), torch.randn(8, 24, 2, 3), dilation=2).shape  # (2, 8, 7, 36)
        ```
    """
    missing = -x.shape[1] % _BLOCK
    if missing and x.shape[1] > _BLOCK and dilation not in (1, (1, 1)) and _trains_in_bf16(x):
        x, weight = (F.pad(one, (0, 0, 0, 0, 0, missing)) for one in (x, weight))
    return F.conv2d(x, weight, bias, dilation=dilation, **how)


class DilatedConv2d(nn.Conv2d):
    """`torch.nn.Conv2d` by `dilated_conv2d`."""

    def forward(self, input: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h2 w2"]:
        """Convolve."""
        how = {"stride": self.stride, "padding": self.padding}
        return dilated_conv2d(input, self.weight, self.bias, dilation=self.dilation, **how)


def _trains_in_bf16(x: Tensor) -> bool:
    if x.device.type != "cpu" or not torch.is_grad_enabled():
        return False
    return x.dtype == torch.bfloat16 or torch.is_autocast_enabled("cpu")
