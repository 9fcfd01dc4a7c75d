"""Which sub-pixels of its own site a feature may know.

The features of a site are split into groups, one a sub-pixel. Group k may know sub-pixels before k of its own site.
The first layer reads raw sub-pixels, so it must be strict (mask A); later layers read features that keep the rule, so
equality is allowed (mask B). Van den Oord et al. 2016a, section 3.1.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def channel_groups(channels: int, groups: int) -> Int[Tensor, " d"]:
    """The group of each channel: contiguous, as even as possible, also where `channels` is not a multiple."""
    return torch.arange(channels, device="cpu") * groups // channels  # also when the model is built on "meta"


def see_before(
    out_groups: Int[Tensor, " o"], in_groups: Int[Tensor, " i"], *, strict: bool
) -> Float[Tensor, "o i"] | None:
    """Mask of a site's own tap: 1 where an output may read an input. None where every entry is 1."""
    allowed = in_groups[None] < out_groups[:, None] if strict else in_groups[None] <= out_groups[:, None]
    return None if bool(allowed.all()) else allowed.float()
