"""Look inside: what a model made of an image, pixel by pixel, as arrays, pictures and one page."""

from pointillist.explaining.asking import Asked, Question
from pointillist.explaining.attribution import (
    Attribution,
    gradient,
    gradient_sizes,
    influence,
    integrated_gradients,
)
from pointillist.explaining.calibration import Calibration, Reliability, calibration
from pointillist.explaining.continuing import continue_image
from pointillist.explaining.distribution import Components, LevelDistribution, distribution
from pointillist.explaining.evidence import ConditionBits, condition_bits
from pointillist.explaining.explanation import Explanation, explain
from pointillist.explaining.layers import LayerBits, layer_bits
from pointillist.explaining.maps import BitMaps, Running, bit_maps
from pointillist.explaining.what_if import Change, WhatIf, what_if

__all__ = [
    "Asked",
    "Attribution",
    "BitMaps",
    "Calibration",
    "Change",
    "Components",
    "ConditionBits",
    "Explanation",
    "LayerBits",
    "LevelDistribution",
    "Question",
    "Reliability",
    "Running",
    "WhatIf",
    "bit_maps",
    "calibration",
    "condition_bits",
    "continue_image",
    "distribution",
    "explain",
    "gradient",
    "gradient_sizes",
    "influence",
    "integrated_gradients",
    "layer_bits",
    "what_if",
]
