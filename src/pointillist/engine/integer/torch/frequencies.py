"""Integer frequencies from integer parameters, in torch; see `engine/integer/frequencies.py`. All int64."""

from __future__ import annotations

import torch
from torch import Tensor

from pointillist.engine.integer.torch.head import TorchHead
from pointillist.engine.integer.torch.mixture import mixture_weights


def normalise(weights: Tensor, precision: int) -> Tensor:
    """Return frequencies `[n, k]` in proportion to weights: at least 1 each, and 2^precision in all."""
    total = weights.sum(1, keepdim=True)
    result = ((weights * ((1 << (precision + 32)) // total)) >> 32).clamp(min=1)
    missing = (1 << precision) - result.sum(1, keepdim=True)
    best = result.argmax(1, keepdim=True)  # torch returns the first of several, as numpy does
    return result.scatter_add(1, best, missing)


def softmax(logits: Tensor, table: Tensor, precision: int) -> Tensor:
    """Return the frequencies `[n, k]` of logits in steps of `LOGIT_STEP`."""
    below = logits.amax(1, keepdim=True) - logits
    return normalise(table[below.clamp(max=len(table) - 1)], precision)


def frequencies(head: TorchHead, params: Tensor, pixel: Tensor, channel: int) -> Tensor:
    """Return the frequencies `[n, levels]` of one channel.

    Args:
        head: the distribution.
        params: parameters `[n, p]`.
        pixel: levels of the pixel `[n, c]`; those before the channel are read where channels are coupled.
        channel: the channel.
    """
    if head.kind == "mixture":
        return normalise(mixture_weights(head, params, pixel, channel), head.precision)
    if head.kind == "bernoulli":
        logit = params[:, channel : channel + 1]
        return softmax(torch.cat([torch.zeros_like(logit), logit], 1), head.tables["exp"], head.precision)
    logits = params[:, channel * head.levels : (channel + 1) * head.levels]
    return softmax(logits, head.tables["exp"], head.precision)


def intervals(result: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the start and the frequency of levels `[n]` among frequencies `[n, k]`."""
    size = result.gather(1, levels[:, None])
    return (result.cumsum(1).gather(1, levels[:, None]) - size)[:, 0], size[:, 0]


def draw(result: Tensor, uniforms: Tensor, precision: int) -> Tensor:
    """Draw levels `[n]`: the first whose cumulative sum exceeds floor(u 2^precision).

    A uniform is float64, and its product with a power of two is exact.
    """
    target = torch.floor(uniforms * float(1 << precision)).long()
    return (result.cumsum(1) <= target[:, None]).sum(1)
