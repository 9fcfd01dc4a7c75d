"""Exact causal attention whose memory grows with the number of sites, not with its square; and attention to tokens.

Site i attends to sites before i, in raster order, never to itself; the first site has nothing to attend to and gets
zeros. Scores are computed for one row of queries at a time, against the keys before the end of that row, and computed
again for the gradient; of the N x N weights nothing is kept but the log-normaliser of each query. Keys of later rows
are sliced away, not multiplied by zero, so that NaN at unknown rows cannot reach a site.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

MAX_QUERIES = 256
"""Queries that are scored together at most, for images of very long rows."""


def strict_attention(
    q: Float[Tensor, "b k h w"], k: Float[Tensor, "#b k #h #w"], v: Float[Tensor, "#b v #h #w"], heads: int
) -> Float[Tensor, "b v h w"]:
    """softmax(q . k / sqrt(d)) v over the sites strictly before each site, in raster order; zeros at the first site.

    Scores and their normaliser are at least float32, also under autocast; the rest is as precise as `v`.

    Args:
        q, k: queries and keys, `d` features for each of the heads, one head after the other.
        v: values, some features for each head.
        heads: how many; divides the features of all three.
    """
    height, width = q.shape[2:]
    k, v = (t.expand(len(q), -1, height, width) for t in (k, v))  # conditions may be one for all
    with torch.autocast(q.device.type, enabled=False):
        q, k, v = (t.reshape(len(q) * heads, -1, height * width).transpose(1, 2) for t in (q, k, v))
        found: Tensor = _StrictAttention.apply(q, k, v, width)  # type: ignore[no-untyped-call]
    return found.transpose(1, 2).reshape(len(q) // heads, -1, height, width)


def cross_attention(
    q: Float[Tensor, "b k h w"],
    k: Float[Tensor, "b t k"],
    v: Float[Tensor, "b t v"],
    there: Bool[Tensor, "b t"],
    heads: int,
) -> Float[Tensor, "b v h w"]:
    """softmax(q . k / sqrt(d)) v over the tokens that are there; of each image at least one is.

    In float32 or finer: on a CPU half precision takes three times as long.

    Args:
        q, k, v: queries, keys, values, `d` features for each of the heads, one head after the other.
        heads: how many; divides the features of all three.
    """
    queries, dtype = q.flatten(2).transpose(1, 2), torch.promote_types(q.dtype, torch.float32)
    asked, keys, values = (t.to(dtype).reshape(*t.shape[:2], heads, -1).transpose(1, 2) for t in (queries, k, v))
    with torch.autocast(q.device.type, enabled=False):
        found = F.scaled_dot_product_attention(asked, keys, values, attn_mask=there[:, None, None])
    return found.to(q.dtype).transpose(1, 2).flatten(2).transpose(1, 2).reshape(len(q), -1, *q.shape[2:])


class _StrictAttention(torch.autograd.Function):
    """Of `q`, `k` `[n, sites, d]` and `v` `[n, sites, e]`, whose sites lie in rows of `width`."""

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
                ours = grad[:, start:stop]
                weights = _scores(q, k, start, stop).sub_(norm[:, start:stop, None]).exp_()
                grad_v[:, : stop - 1] += weights.to(v.dtype).transpose(1, 2) @ ours
                # the derivative of a softmax: each weight times how far its value lies from the mean of values
                mean = (ours * out[:, start:stop]).sum(2, keepdim=True, dtype=norm.dtype)
                pull = (ours @ v[:, : stop - 1].transpose(1, 2)).to(norm.dtype).sub_(mean).mul_(weights).mul_(scale)
                grad_q[:, start:stop] = pull @ k[:, : stop - 1].to(norm.dtype)
                grad_k[:, : stop - 1] += pull.transpose(1, 2) @ q[:, start:stop].to(norm.dtype)
        return grad_q.to(q.dtype), grad_k.to(k.dtype), grad_v.to(v.dtype), None


def _accurate(dtype: torch.dtype) -> torch.dtype:
    """At least float32: half precision would round scores by a hundredth."""
    return torch.promote_types(dtype, torch.float32)


def _blocks(sites: int, width: int) -> Iterator[tuple[int, int]]:
    """Runs of queries, each inside a row. The first site is left out: it has no key."""
    for row in range(0, sites, width):
        for start in range(row, row + width, MAX_QUERIES):
            stop = min(start + MAX_QUERIES, row + width)
            if stop > 1:
                yield max(start, 1), stop


def _scores(q: Tensor, k: Tensor, start: int, stop: int) -> Tensor:
    """Scores `[n, stop - start, stop - 1]` of some queries against all keys before the last of them."""
    dtype = _accurate(q.dtype)
    scores: Tensor = (q[:, start:stop].to(dtype) * q.shape[2] ** -0.5) @ k[:, : stop - 1].to(dtype).transpose(1, 2)
    count = stop - start
    if count > 1:  # among the queries themselves: query i sees the keys before i
        unseen = torch.ones(count, count - 1, dtype=torch.bool, device=q.device).triu()
        scores[:, :, start:].masked_fill_(unseen, -torch.inf)
    return scores
