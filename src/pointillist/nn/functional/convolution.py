"""Dilated convolution, with the right gradient of its weights in bf16, and locally masked convolution.

On a CPU with bf16 instructions, torch's gradient of the weights is wrong, or not a number, for a dilated kernel over
maps in NHWC that are wider than 28 pixels, if the input features are more than 16 and no multiple of 16 (torch 2.13).
Features of zeros fill them up to a multiple, and the backward pass takes a tenth longer.

A locally masked convolution is over the neighbours of a pixel that come before it on a curve (Jain et al. 2020). A mask
over taps for each pixel would need an unfold (three to six times as slow, see `docs/decisions`, 0026). Along rows the
mask factorises. Every tap on the rows above is known, both in the raster and in the S-curve. On the row of the pixel
the left side is known, or, in odd rows of the S-curve, the right side.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary

from pointillist.images.array_types import Float

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
        how = {"stride": self.stride, "padding": self.padding}
        return dilated_conv2d(input, self.weight, self.bias, dilation=self.dilation, **how)


def _trains_in_bf16(x: Tensor) -> bool:
    if x.device.type != "cpu" or not torch.is_grad_enabled():
        return False
    return x.dtype == torch.bfloat16 or torch.is_autocast_enabled("cpu")


def local_convolution(
    x: Float[Tensor, "b i h w"],
    kernel: Float[Tensor, "o i k k"],
    bias: Float[Tensor, " o"] | None,
    dilation: int,
    *,
    s_curve: bool,
) -> Float[Tensor, "b o h w"]:
    """Convolve the pixels that come before each pixel on the curve, and the pixel itself.

    Args:
        x: features in the raster frame.
        kernel: odd, in the orientation of the raster frame; taps that are never known are not read.
        bias: one number for each output, or None.
        dilation: distance between taps in pixels.
        s_curve: whether odd rows run from right to left.

    Example:
        ```python
        x, kernel = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 3, 3)
        local_convolution(x, kernel, None, 1, s_curve=True).shape  # (2, 4, 8, 8)
        ```
    """
    half = kernel.shape[2] // 2
    reach, height = half * dilation, x.shape[2]
    if half == 0:
        return F.conv2d(x, kernel, bias)
    if not s_curve:
        known = torch.ones(half + 1, 2 * half + 1, dtype=kernel.dtype, device=kernel.device)
        known[half, half + 1 :] = 0
        raster = kernel[:, :, : half + 1] * known
        return dilated_conv2d(F.pad(x, (reach, reach, reach, 0)), raster, bias, dilation=dilation)
    above = F.pad(x, (reach, reach, reach, 0))[:, :, : height + reach - dilation]
    out = dilated_conv2d(above, kernel[:, :, :half], bias, dilation=dilation)
    row = kernel[:, :, half : half + 1]
    rows = [dilated_conv2d(F.pad(x[:, :, 0::2], (reach, 0)), row[..., : half + 1], dilation=dilation)]
    if height > 1:
        rows.append(dilated_conv2d(F.pad(x[:, :, 1::2], (0, reach)), row[..., half:], dilation=dilation))
    if height % 2:
        rows[1:] = [F.pad(rows[1], (0, 0, 0, 1))] if height > 1 else [torch.zeros_like(rows[0])]
    return out + torch.stack(rows, 3).flatten(2, 3)[:, :, :height]


RMS_EPSILON = 1e-6
"""What is added to the mean square of the features."""


def rms_norm(x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
    """Divide by the root mean square over the features (Zhang and Sennrich 2019, arXiv 1910.07467, without its gains).

    ```python
    rms_norm(torch.ones(1, 2, 4, 4))  # ones
    ```
    """
    if has_torch_function_unary(x):
        result: Tensor = handle_torch_function(rms_norm, (x,), x)
        return result
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    scale = torch.rsqrt(wide.square().mean(1, keepdim=True) + RMS_EPSILON)
    return x * scale.to(x.dtype)
