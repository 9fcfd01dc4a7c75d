"""Causal layers: everything that may see more than its own site does so through a `Pass`."""

from pointillist.nn.causal import (
    CausalConv2d,
    CornerConv2d,
    HorizontalConv2d,
    MaskedConv2d,
    PointwiseConv2d,
    VerticalConv2d,
)
from pointillist.nn.condition import Condition, ConditionBias, Heard
from pointillist.nn.gates import gate
from pointillist.nn.layer import CausalLayer, name_places
from pointillist.nn.local import LocalConv2d
from pointillist.nn.masks import channel_groups, see_before
from pointillist.nn.recurrent import RecurrentLayer
from pointillist.nn.tokens import TokenAttention, Tokens
from pointillist.nn.weight_norm import (
    FinerConv2d,
    NormalisedConv2d,
    NormalisedPointwiseConv2d,
    has_weight_norm,
    initialise_from_data,
)

__all__ = [
    "CausalConv2d",
    "CausalLayer",
    "Condition",
    "ConditionBias",
    "CornerConv2d",
    "FinerConv2d",
    "Heard",
    "HorizontalConv2d",
    "LocalConv2d",
    "MaskedConv2d",
    "NormalisedConv2d",
    "NormalisedPointwiseConv2d",
    "PointwiseConv2d",
    "RecurrentLayer",
    "TokenAttention",
    "Tokens",
    "VerticalConv2d",
    "channel_groups",
    "gate",
    "has_weight_norm",
    "initialise_from_data",
    "name_places",
    "see_before",
]
