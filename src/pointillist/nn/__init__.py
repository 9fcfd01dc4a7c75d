"""Causal layers. A layer reads other pixel positions only through a `Pass`."""

from pointillist.nn.activation import Dropout, concat_elu, gate
from pointillist.nn.base import CausalLayer, channel_causal_mask, channel_groups, name_scopes
from pointillist.nn.causal import (
    CausalConv2d,
    CornerConv2d,
    HorizontalConv2d,
    MaskedConv2d,
    PointwiseConv2d,
    VerticalConv2d,
)
from pointillist.nn.condition import Condition, ConditionBias, ConditionDims, CrossAttention
from pointillist.nn.functional.attention import Tokens
from pointillist.nn.local import LocalGain, LocalGainHead, LocallyMaskedConv2d, RecurrentLayer
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
    "Dropout",
    "HorizontalConv2d",
    "LocalGain",
    "LocalGainHead",
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
    "concat_elu",
    "gate",
    "has_weight_norm",
    "initialise_from_data",
    "name_scopes",
]
