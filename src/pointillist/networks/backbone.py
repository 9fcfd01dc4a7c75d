"""What every network of the family has in common: its ports, its settings, its forward."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from jaxtyping import Float
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from pointillist.networks.stages import Stage
from pointillist.nn import Condition, ConditionDims
from pointillist.nn.passes import Pass


@dataclass(frozen=True, kw_only=True)
class BackboneDims:
    """How many numbers go in and come out at each site.

    Attributes:
        groups: sub-pixels that are painted one after the other at a site: the image channels, or 1 where the
            likelihood couples them and the network is blind to the whole pixel.
        canvas: network values of a site, over all groups.
        params: outputs of a site, over all groups.
        heard: features of the condition.
    """

    groups: int
    canvas: int
    params: int
    heard: ConditionDims = field(default_factory=ConditionDims)


class BackboneConfig(BaseModel):
    """Settings of a network; a frozen, keyword-only record whose defaults are a sensible middle size."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Backbone(nn.Module):
    """A causal network: canvas to parameters, `forward(x, ctx, condition)`, written once for every way to run it."""

    Config: ClassVar[type[BackboneConfig]]
    masks_locally: ClassVar[bool] = False
    """Whether it reads other sites through `ctx.neighbours` only, and so can follow any curve, not just the raster."""

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Parameters of the distribution of each site, from the sites before it."""
        raise NotImplementedError

    def stages(self, height: int, width: int) -> tuple[Stage, ...]:
        """How an image of this size is painted: row by row with this network, unless it says otherwise.

        Where there are several stages, `forward` is `run_stages` of them, and engines record each one by itself.
        """
        return (Stage(self),)
