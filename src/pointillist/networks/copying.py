"""A network beside images that it may copy: it sees where they agree with what is painted, and may point at them.

Not in the papers of this family; after See, Liu, Manning: Get To The Point: Summarization with Pointer-Generator
Networks, ACL 2017 (arXiv 1704.04368), whose decoder copies words of its source. Here each image that is recalled gets a
gate g at each site, and the level that the image has there gets g added to its logit, so that what comes out is a
categorical distribution as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.networks.backbone import Backbone, BackboneConfig, Ports
from pointillist.nn import CausalLayer, Condition
from pointillist.passes import Pass


class Agreement(CausalLayer):
    """In place of the last feature of a drawn site, its level, which recalled images have the same there: 1, else 0."""

    def forward(
        self, x: Float[Tensor, "b i h w"], ctx: Pass, recalled: Float[Tensor, "b k h w"]
    ) -> Float[Tensor, "b o h w"]:
        """A feature for each image behind those of the canvas."""

        def seen(x: Tensor) -> Tensor:
            width = x.shape[1] - 1
            told = ctx.given(self.key("recalled"), recalled)
            ones = torch.ones(recalled.shape[1], 1, 1, 1, dtype=recalled.dtype, device=recalled.device)
            apart = torch.conv2d(x[:, width:], ones) - told
            same = torch.relu(1.0 - torch.relu(apart) - torch.relu(-apart))  # levels are whole numbers
            return torch.cat([x[:, :width], same], 1)

        return ctx.drawn(self.key("canvas"), seen, x)


class Pointer(CausalLayer):
    """Adds the gate of each recalled image to the logit of the level that it has at the site."""

    def forward(
        self,
        params: Float[Tensor, "b _ h w"],
        more: Float[Tensor, "b k h w"],
        ctx: Pass,
        recalled: Float[Tensor, "b k h w"],
    ) -> Float[Tensor, "b p h w"]:
        """Logits, from logits and, behind them, gates, to which more is added."""
        images = recalled.shape[1]
        levels = params.shape[1] - images
        told = ctx.given(self.key("recalled"), recalled)
        return params[:, :levels] + ctx.point(self.key("gates"), params[:, levels:] + more, told, levels)


class Following(CausalLayer):
    """How well each recalled image has agreed with what is painted around a site so far, as a gate for each.

    The shares of the sites before it that agree, in three surroundings, go through a small network that is the same for
    all images, so that what is learned of one holds for all.
    """

    def __init__(self, images: int, reaches: Sequence[int] = (1, 4, 15), width: int = 8) -> None:
        super().__init__()
        self.images, self.reaches = images, tuple(reaches)
        self.first = nn.Linear(len(self.reaches), width)
        self.second = nn.Linear(width, 1)

    def forward(self, same: Float[Tensor, "b k h w"], ctx: Pass) -> Float[Tensor, "b k h w"]:
        """Gates, from sites strictly before each site."""
        each = torch.eye(self.images, dtype=same.dtype, device=self.first.weight.device)
        shares = torch.cat([self._share(same, ctx, reach, each) for reach in self.reaches], 1)
        return _each(self.second, torch.tanh(_each(self.first, shares, each)), each)

    def _share(self, same: Tensor, ctx: Pass, reach: int, each: Tensor) -> Tensor:
        """The share of the sites before each site, up to `reach` rows and columns away, that agree."""
        around = torch.ones(2 * reach + 1, 2 * reach + 1, dtype=each.dtype, device=each.device)
        around[reach, reach] = 0  # not the site itself
        before = 2 * reach * (reach + 1)
        return ctx.neighbours(self.key(f"around-{reach}"), same, each[:, :, None, None] * around / before, None)


def _each(layer: nn.Linear, x: Float[Tensor, "b _ h w"], each: Float[Tensor, "k k"]) -> Float[Tensor, "b _ h w"]:
    """The layer for each image by itself: features lie by feature, then by image."""
    weight = torch.kron(layer.weight.to(each.dtype), each)[:, :, None, None]
    return torch.conv2d(x, weight, layer.bias.repeat_interleave(len(each)))


class Copying(Backbone):
    """A backbone whose canvas has the level of a site as its last feature, and that may copy from `images` images."""

    def __init__(self, network: type[Backbone], config: BackboneConfig, ports: Ports, images: int) -> None:
        super().__init__()
        self.agreement, self.pointer, self.following = Agreement(), Pointer(), Following(images)
        self.network = network(config, replace(ports, canvas=ports.canvas - 1 + images, params=ports.params + images))

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Parameters of each site; see `Backbone.forward`."""
        assert condition.recalled is not None
        seen = self.agreement(x, ctx, condition.recalled)
        params = self.network(seen, ctx, condition)
        gates = self.following(seen[:, -condition.recalled.shape[1] :], ctx)
        out: Tensor = self.pointer(params, gates, ctx, condition.recalled)
        return out


def can_copy(network: type[Backbone]) -> bool:
    """Whether a network can be put into a `Copying`: one that walks over the image once."""
    return network.stages is Backbone.stages


def with_copies(network: type[Backbone], config: BackboneConfig, ports: Ports, images: int) -> Backbone:
    """A network; where there are images to copy, in a `Copying`."""
    return Copying(network, config, ports, images) if images else network(config, ports)
