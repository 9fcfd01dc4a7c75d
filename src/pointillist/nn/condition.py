"""Encoded conditions, and the layer that adds them: a bias, a 1x1 convolution, or cross-attention.

Cross-attention from pixels to the tokens of a prompt (Vaswani et al. 2017): keys and values are computed once an image
from the tokens, and each pixel computes a query from its features. If the sub-pixels of a pixel are sampled in turn,
each has its own heads, whose queries depend on no later sub-pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pointillist.images.array_types import Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.nn.base import CausalLayer
from pointillist.nn.causal import PointwiseConv2d
from pointillist.nn.functional.attention import Tokens
from pointillist.nn.passes import Pass


@dataclass(frozen=True)
class Condition:
    """The encoded conditions of a batch; all are known before the first pixel is sampled.

    Attributes:
        vector: features for all pixels of an image, `[b v 1 1]`.
        map: features of each pixel, `[b m h w]`.
        tokens: tokens for cross-attention.
        marginals: log-probabilities of the levels of each pixel given the known pixels alone, in nats.

    Example:
        ```python
        condition = Condition(vector=torch.randn(2, 16, 1, 1))
        ```
    """

    vector: Float[Tensor, "b v 1 1"] | None = None
    map: Float[Tensor, "b m h w"] | None = None
    tokens: Tokens | None = None
    marginals: Float[Tensor, "b k h w"] | None = None

    def in_raster_frame(self, order: PixelOrder) -> Condition:
        return self if self.map is None else replace(self, map=order.to_raster(self.map))

    def as_computed(self) -> Condition:
        """Under autocast, cast the map once, instead of in each layer; otherwise return the condition as it is."""
        if self.map is None or not torch.is_autocast_enabled(self.map.device.type):
            return self
        dtype = torch.get_autocast_dtype(self.map.device.type)
        return replace(self, map=self.map.to(dtype, memory_format=torch.channels_last))

    def image(self, index: int) -> Condition:
        """Return the condition of one image of the batch. A part that all images share stays as it is."""

        def of_image(part: Tensor) -> Tensor:
            return part if len(part) == 1 else part[index : index + 1]

        vector, map = (None if part is None else of_image(part) for part in (self.vector, self.map))
        tokens = None if self.tokens is None else Tokens(of_image(self.tokens.states), of_image(self.tokens.mask))
        return Condition(vector, map, tokens)

    @classmethod
    def concat(cls, conditions: Sequence[Condition]) -> Condition:
        """Concatenate batches of conditions, all of which have the same parts."""
        vectors = [each.vector for each in conditions if each.vector is not None]
        maps = [each.map for each in conditions if each.map is not None]
        tokens = [each.tokens for each in conditions if each.tokens is not None]
        return cls(
            torch.cat(vectors) if vectors else None,
            torch.cat(maps) if maps else None,
            Tokens(torch.cat([t.states for t in tokens]), torch.cat([t.mask for t in tokens])) if tokens else None,
        )


@dataclass(frozen=True)
class ConditionDims:
    """Number of features of each part of a `Condition`; 0 if a model does not have it.

    ```python
    ConditionDims(vector=64, map=8)
    ```
    """

    vector: int = 0
    map: int = 0
    tokens: int = 0

    @property
    def without_tokens(self) -> ConditionDims:
        """The dimensions for a layer next to another one that already attends to the tokens."""
        return replace(self, tokens=0)


class ConditionBias(CausalLayer):
    """Add a condition to features.

    Adds V h for a vector h, V * s for a map s (van den Oord et al. 2016b, eq. 3 to 5), and cross-attention to tokens.

    Args:
        dims: number of features of each part of the condition.
        groups: sub-pixel of each feature of `x`, see `channel_groups`.
        scale: the grid of the layer: a map is read at every `scale`-th row and column.

    Example:
        ```python
        layer = ConditionBias(ConditionDims(vector=16), channel_groups(8, 1))
        layer(torch.randn(2, 8, 5, 5), FullPass(), Condition(torch.randn(2, 16, 1, 1))).shape  # (2, 8, 5, 5)
        ```
    """

    def __init__(self, dims: ConditionDims, groups: Int[Tensor, " d"], *, scale: int = 1) -> None:
        super().__init__()
        self.scale = scale
        self.vector: nn.Conv2d | None = nn.Conv2d(dims.vector, len(groups), 1, bias=False) if dims.vector else None
        self.map: nn.Conv2d | None = nn.Conv2d(dims.map, len(groups), 1, bias=False) if dims.map else None
        self.tokens: CrossAttention | None = CrossAttention(dims.tokens, groups) if dims.tokens else None

    def forward(self, x: Float[Tensor, "#b d #h #w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b d h w"]:
        """Return `x` plus the contribution of the condition; `x` itself if the model has no condition.

        Features that are the same at every pixel may be given for one of them.
        """
        if self.vector is not None:
            assert condition.vector is not None
            x = x + self.vector(ctx.external(self.key("vector"), condition.vector))
        if self.map is not None:
            assert condition.map is not None
            map = ctx.external(self.key("map"), condition.map)
            if self.scale > 1:
                map = ctx.window(self.key("sites"), map, up=0, left=0, right=0)
            x = x + F.conv2d(map, self.map.weight, stride=self.scale)
        if self.tokens is not None:
            assert condition.tokens is not None
            x = x + self.tokens(x, ctx, condition.tokens)
        return x


HEADS, HEAD_WIDTH = 2, 16
"""Heads, and features of a head, for each sub-pixel that is sampled in turn."""


class CrossAttention(CausalLayer):
    """Cross-attention from the features of each pixel to tokens.

    Args:
        width: features of a token.
        groups: sub-pixel of each input feature, and of each output feature, see `channel_groups`.

    Example:
        ```python
        layer = CrossAttention(32, channel_groups(8, 1))
        tokens = Tokens(torch.randn(2, 6, 32), torch.ones(2, 6, dtype=torch.bool))
        layer(torch.randn(2, 8, 5, 5), FullPass(), tokens).shape  # (2, 8, 5, 5)
        ```
    """

    def __init__(self, width: int, groups: Int[Tensor, " d"]) -> None:
        super().__init__()
        num_groups = int(groups.max()) + 1
        self.heads: int = num_groups * HEADS
        head_groups = torch.arange(num_groups, device="cpu").repeat_interleave(HEADS * HEAD_WIDTH)
        self.query: PointwiseConv2d = PointwiseConv2d(groups, head_groups, bias=False)
        self.keys: nn.Linear = nn.Linear(width, len(head_groups), bias=False)
        self.values: nn.Linear = nn.Linear(width, len(head_groups))
        self.out: PointwiseConv2d = PointwiseConv2d(head_groups, groups, bias=False)

    def forward(self, x: Float[Tensor, "b d h w"], ctx: Pass, tokens: Tokens) -> Float[Tensor, "b d h w"]:
        """Attend to the tokens; the result is added to `x` by the caller."""
        attended = ctx.cross_attend(self.key("tokens"), self.query(x), tokens, self.keys, self.values, self.heads)
        out: Tensor = self.out(attended)
        return out
