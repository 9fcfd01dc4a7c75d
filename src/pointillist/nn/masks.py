"""Which sub-pixels of its own site a feature may know.

The features of a site are split into groups, one a sub-pixel. Group k may know sub-pixels before k of its own site.
The first layer reads raw sub-pixels, so it must be strict (mask A); later layers read features that keep the rule, so
equality is allowed (mask B). Van den Oord et al. 2016a, section 3.1.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.errors import ConfigError


def channel_groups(channels: int, groups: int) -> Int[Tensor, " d"]:
    """The group of each channel: contiguous, as even as possible, also where `channels` is not a multiple.

    Raises:
        ConfigError: if a group would have no channel, and its sub-pixel would so be hidden from the next ones.
    """
    if channels < groups:
        raise ConfigError(
            f"{channels} features cannot carry {groups} sub-pixels: give every layer (`channels`, `head_channels`) "
            f"at least {groups}."
        )
    return torch.arange(channels, device="cpu") * groups // channels  # also when the model is built on "meta"


def channel_causal_mask(
    out_groups: Int[Tensor, " o"], in_groups: Int[Tensor, " i"], *, strict: bool
) -> Float[Tensor, "o i"] | None:
    """Mask of a site's own tap: 1 where an output may read an input. None where every entry is 1."""
    latest, earliest = int(in_groups.max()), int(out_groups.min())
    if latest < earliest or (latest == earliest and not strict):
        return None
    if torch.get_default_device().type == "meta":  # a model is only measured: its masks take no memory
        return torch.empty(len(out_groups), len(in_groups))
    inputs, outputs = in_groups[None], out_groups[:, None]
    return (inputs < outputs if strict else inputs <= outputs).float().to(torch.get_default_device())
