"""Locally masked convolution: over those neighbours of a site that come before it on a curve (Jain et al. 2020).

A mask for each site and tap would ask for an unfold (three to six times as slow, see `docs/decisions`, 0026). Along
rows it factors: on the rows above every tap is known, in the raster and in the S-curve alike; on the own row the known
side is the left one, or, in odd rows of the S-curve, the right one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def local_convolution(
    x: Float[Tensor, "b i h w"],
    kernel: Float[Tensor, "o i k k"],
    bias: Float[Tensor, " o"] | None,
    dilation: int,
    *,
    snake: bool,
) -> Float[Tensor, "b o h w"]:
    """`kernel`, in steps of `dilation`, over the earlier sites around each site, and over the site itself.

    Args:
        kernel: odd, in the orientation of the turned canvas; taps that are never known are not read.
        snake: whether odd rows are walked from right to left.
    """
    half = kernel.shape[2] // 2
    reach, height = half * dilation, x.shape[2]
    if half == 0:
        return F.conv2d(x, kernel, bias)
    if not snake:
        known = torch.ones(half + 1, 2 * half + 1, dtype=kernel.dtype, device=kernel.device)
        known[half, half + 1 :] = 0
        return F.conv2d(F.pad(x, (reach, reach, reach, 0)), kernel[:, :, : half + 1] * known, bias, dilation=dilation)
    above = F.pad(x, (reach, reach, reach, 0))[:, :, : height + reach - dilation]
    out = F.conv2d(above, kernel[:, :, :half], bias, dilation=dilation)
    own = kernel[:, :, half : half + 1]
    rows = [F.conv2d(F.pad(x[:, :, 0::2], (reach, 0)), own[..., : half + 1], dilation=dilation)]
    if height > 1:
        rows.append(F.conv2d(F.pad(x[:, :, 1::2], (0, reach)), own[..., half:], dilation=dilation))
    if height % 2:
        rows[1:] = [F.pad(rows[1], (0, 0, 0, 1))] if height > 1 else [torch.zeros_like(rows[0])]
    return out + torch.stack(rows, 3).flatten(2, 3)[:, :, :height]
