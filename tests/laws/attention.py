"""Properties of attention: over earlier sites only, normalised; the first site has no key and is finite (P16)."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

from pointillist.model.pixel_model import PixelModel
from pointillist.nn.passes import FullPass

from .strategies import random_inputs


def by_head(x: Tensor, heads: int) -> Tensor:
    """`[b, heads * c, h, w]` as `[b, heads, h * w, c]`."""
    return x.unflatten(1, (heads, -1)).flatten(3).transpose(2, 3)


def as_map(x: Tensor, height: int, width: int) -> Tensor:
    """The way back."""
    return x.transpose(2, 3).flatten(1, 2).unflatten(2, (height, width))


def earlier(sites: int, gap: int = 1) -> Bool[Tensor, "s s"]:
    """Which sites a site may see: those at least `gap` before it."""
    return torch.ones(sites, sites, dtype=torch.bool).tril(-gap)


def naive(q: Tensor, k: Tensor, v: Tensor, heads: int, gap: int = 1, *, careless: bool = False) -> Tensor:
    """N x N attention to the sites at least `gap` before each; zeros, or if `careless` NaN, where there is none."""
    seen = earlier(q.shape[2] * q.shape[3], gap)
    nothing = torch.zeros_like(seen) if careless else ~seen.any(1, keepdim=True)
    scores = by_head(q, heads) @ by_head(k, heads).transpose(2, 3) / (q.shape[1] / heads) ** 0.5
    weights = scores.masked_fill(~seen & ~nothing, -torch.inf).softmax(3).masked_fill(nothing, 0.0)
    return as_map(weights @ by_head(v, heads), q.shape[2], q.shape[3])


def check_first_site(model: PixelModel, height: int, width: int) -> None:
    """Parameters are finite at every site, also the first, and so are all gradients."""
    canvas = torch.randn(2, model.dims.canvas, height, width, dtype=torch.float64, requires_grad=True)
    params = model.outputs(canvas, model.encode(random_inputs(model, 2, height, width), 2))
    assert bool(params.isfinite().all()), "a parameter is not finite"
    inputs = [canvas, *model.backbone.parameters()]
    gradients = torch.autograd.grad(params.square().sum(), inputs, allow_unused=True)
    assert all(bool(g.isfinite().all()) for g in gradients if g is not None), "a gradient is not finite"


def check_is_a_mean(heads: int = 2) -> None:
    """Attention to constant values gives the constant, at every site but the first, which gets zeros."""
    q, k = torch.randn(2, 2, 6, 3, 4, dtype=torch.float64) * 2
    one = torch.ones(2, 4, 3, 4, dtype=torch.float64)
    found = FullPass().attend("a mean", q, lambda t: (t, one), (k,), heads).flatten(2)
    assert not found[:, :, 0].any(), "the first site has something to attend to"
    torch.testing.assert_close(found[:, :, 1:], one.flatten(2)[:, :, 1:])
