"""Exact causal attention with memory linear in the number of pixels, and cross-attention to tokens.

Pixel i attends to the pixels before i in raster order, never to itself. The first pixel has nothing to attend to and
gets zeros. Scores are computed for one row of queries at a time, against the keys before the end of that row, and
recomputed for the gradient (compare Rabe and Staats 2021, arXiv 2112.05682). Of the N x N weights only the
log-normaliser of each query is stored. Keys of later rows are sliced away, not multiplied by zero, so that NaN in
unknown rows cannot reach a pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from pointillist.images.array_types import Bool, Float

MAX_QUERIES = 256
"""Maximal number of queries in a block, for images with very long rows."""


def strict_attention(
    q: Float[Tensor, "b k h w"], k: Float[Tensor, "#b k #h #w"], v: Float[Tensor, "#b v #h #w"], heads: int
) -> Float[Tensor, "b v h w"]:
    """Compute softmax(q . k / sqrt(d)) v over the pixels strictly before each pixel, in raster order.

    The result is zero at the first pixel. Scores and their normaliser are at least float32, also under autocast; the
    rest has the precision of `v`.

    Args:
        q, k: queries and keys, `d` features for each head, one head after the other.
        v: values, one head after the other.
        heads: number of heads; divides the features of all three.

    Example:
        ```python
        q, k, v = torch.randn(3, 2, 16, 8, 8).unbind()
        strict_attention(q, k, v, heads=2).shape  # (2, 16, 8, 8)
        ```
    """
    height, width = q.shape[2:]
    k, v = (t.expand(len(q), -1, height, width) for t in (k, v))  # conditions may be one for all
    with torch.autocast(q.device.type, enabled=False):
        q, k, v = (t.reshape(len(q) * heads, -1, height * width).transpose(1, 2) for t in (q, k, v))
        result: Tensor = _StrictAttention.apply(q, k, v, width)  # type: ignore[no-untyped-call, unused-ignore]
    return result.transpose(1, 2).reshape(len(q) // heads, -1, height, width)


@dataclass(frozen=True)
class Tokens:
    """An encoded prompt.

    ```python
    Tokens(torch.randn(2, 5, 64), torch.ones(2, 5, dtype=torch.bool))
    ```

    Attributes:
        states: features of each token, `[b t d]`.
        mask: True for tokens, False for padding, `[b t]`; each image has at least one token.
    """

    states: Float[Tensor, "b t d"]
    mask: Bool[Tensor, "b t"]

    def packed(self) -> Float[Tensor, "b c 1 1"]:
        """Return all of it as a vector for each image: 1 or 0 for each token, and then the features of each in turn."""
        mask = self.mask.to(self.states.dtype)
        return torch.cat([mask, torch.where(self.mask[:, :, None], self.states, 0.0).flatten(1)], 1)[:, :, None, None]


def cross_attention(
    q: Float[Tensor, "b k h w"],
    k: Float[Tensor, "b t k"],
    v: Float[Tensor, "b t v"],
    mask: Bool[Tensor, "b t"],
    heads: int,
) -> Float[Tensor, "b v h w"]:
    """Compute softmax(q . k / sqrt(d)) v over the tokens of each image.

    Computed in float32 or finer: on a CPU half precision takes three times as long.

    Args:
        q, k, v: queries, keys, values, `d` features for each head, one head after the other.
        mask: True for tokens, False for padding; each image has at least one token.
        heads: number of heads; divides the features of all three.

    Example:
        ```python
        q, tokens = torch.randn(2, 16, 8, 8), torch.randn(2, 5, 16)
        cross_attention(q, tokens, tokens, torch.ones(2, 5, dtype=torch.bool), heads=2).shape  # (2, 16, 8, 8)
        ```
    """
    dtype = torch.promote_types(q.dtype, torch.float32)
    flat = q.flatten(2).transpose(1, 2)  # (b, h * w, k)
    queries, keys, values = (t.to(dtype).reshape(*t.shape[:2], heads, -1).transpose(1, 2) for t in (flat, k, v))
    with torch.autocast(q.device.type, enabled=False):
        result = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask[:, None, None])
    return result.to(q.dtype).transpose(1, 2).flatten(2).transpose(1, 2).reshape(len(q), -1, *q.shape[2:])


class _StrictAttention(torch.autograd.Function):
    """Strict attention of `q`, `k` `[n, pixels, d]` and `v` `[n, pixels, e]`, with rows of `width` pixels."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, width: int) -> Tensor:
        out = v.new_zeros(v.shape)
        norm = q.new_zeros(q.shape[:2], dtype=_accurate(q.dtype))
        for start, stop in _blocks(q.shape[1], width):
            scores = _scores(q, k, start, stop)
            norm[:, start:stop] = scores.logsumexp(2)
            weights = scores.sub_(norm[:, start:stop, None]).exp_()
            torch.bmm(weights.to(v.dtype), v[:, : stop - 1], out=out[:, start:stop])
        ctx.save_for_backward(q, k, v, out, norm)
        ctx.width = width
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, out, norm = ctx.saved_tensors
        grad_q, grad_k, grad_v = (torch.zeros_like(t, dtype=norm.dtype) for t in (q, k, v))
        scale = q.shape[2] ** -0.5
        with torch.autocast(q.device.type, enabled=False):
            for start, stop in _blocks(q.shape[1], ctx.width):
                block_grad = grad[:, start:stop]
                weights = _scores(q, k, start, stop).sub_(norm[:, start:stop, None]).exp_()
                grad_v[:, : stop - 1] += weights.to(v.dtype).transpose(1, 2) @ block_grad
                # the gradient of a softmax: each weight times the distance of its value from the mean value
                mean = (block_grad * out[:, start:stop]).sum(2, keepdim=True, dtype=norm.dtype)
                grad_scores = (block_grad @ v[:, : stop - 1].transpose(1, 2)).to(norm.dtype)
                grad_scores.sub_(mean).mul_(weights).mul_(scale)
                grad_q[:, start:stop] = grad_scores @ k[:, : stop - 1].to(norm.dtype)
                grad_k[:, : stop - 1] += grad_scores.transpose(1, 2) @ q[:, start:stop].to(norm.dtype)
        return grad_q.to(q.dtype), grad_k.to(k.dtype), grad_v.to(v.dtype), None


def _accurate(dtype: torch.dtype) -> torch.dtype:
    """Promote to at least float32: half precision would round scores by a hundredth."""
    return torch.promote_types(dtype, torch.float32)


def _blocks(pixels: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield blocks of queries, each inside a row. The first pixel is left out: it has no key."""
    for row in range(0, pixels, width):
        for start in range(row, row + width, MAX_QUERIES):
            stop = min(start + MAX_QUERIES, row + width)
            if stop > 1:
                yield max(start, 1), stop


def _scores(q: Tensor, k: Tensor, start: int, stop: int) -> Tensor:
    """Compute scores `[n, stop - start, stop - 1]` of a block of queries against all keys before its last query."""
    dtype = _accurate(q.dtype)
    scores: Tensor = (q[:, start:stop].to(dtype) * q.shape[2] ** -0.5) @ k[:, : stop - 1].to(dtype).transpose(1, 2)
    count = stop - start
    if count > 1:  # inside the block: query i attends to the keys before i
        not_before = torch.ones(count, count - 1, dtype=torch.bool, device=q.device).triu()
        scores[:, :, start:].masked_fill_(not_before, -torch.inf)
    return scores
