"""Causal layers: everything that may see more than its own site does so through a `Pass`."""

from pointillist.nn.activation import gate
from pointillist.nn.base import CausalLayer, name_scopes
from pointillist.nn.causal import (
    CausalConv2d,
    CornerConv2d,
    HorizontalConv2d,
    MaskedConv2d,
    PointwiseConv2d,
    VerticalConv2d,
)
from pointillist.nn.condition import Condition, ConditionBias, ConditionDims
from pointillist.nn.cross_attention import CrossAttention, Tokens
from pointillist.nn.local_conv import LocallyMaskedConv2d
from pointillist.nn.masks import channel_causal_mask, channel_groups
from pointillist.nn.recurrent import RecurrentLayer
from pointillist.nn.weight_norm import (
    NormalisedConv2d,
    NormalisedConvTranspose2d,
    NormalisedPointwiseConv2d,
    has_weight_norm,
    initialise_from_data,
)

__all__ = [
    "CausalConv2d",
    "CausalLayer",
    "Condition",
    "ConditionBias",
    "ConditionDims",
    "CornerConv2d",
    "CrossAttention",
    "HorizontalConv2d",
    "LocallyMaskedConv2d",
    "MaskedConv2d",
    "NormalisedConv2d",
    "NormalisedConvTranspose2d",
    "NormalisedPointwiseConv2d",
    "PointwiseConv2d",
    "RecurrentLayer",
    "Tokens",
    "VerticalConv2d",
    "channel_causal_mask",
    "channel_groups",
    "gate",
    "has_weight_norm",
    "initialise_from_data",
    "name_scopes",
]
