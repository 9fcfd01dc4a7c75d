"""Pictures that become a hint of two levels: drawings of either polarity, and others by the model's own rule."""

from __future__ import annotations

import numpy as np

from pointillist.conditioning import HintConfig, HintPreprocessor
from pointillist.images import OPAQUE
from pointillist.images.array_types import Bool, UInt8
from pointillist.model.protocols import LikelihoodModel

_DARK, _LIGHT = 64, 191  # of 255
_GREY = 32  # difference of channels up to which a colour counts as grey
_TWO_TONED = 0.9  # share of dark and light pixels of a drawing
LINE = 0.2  # share of ink in a pixel of a smaller drawing, from which it is a line

DERIVED = "outlined by the model's own rule"
INVERTED = "inverted, as lines are light on dark for the model"


def outline_rule(model: LikelihoodModel) -> HintPreprocessor | None:
    """Return the rule of a model whose hint is the outline of its images; None for other models.

    Example:
        outline_rule(pt.load("outline-to-tile")).kind  # "outline"
    """
    hint = model.condition(HintConfig)
    rule = None if hint is None or hint.rule is None else HintPreprocessor.parse(hint.rule)
    return rule if rule is not None and rule.kind == "outline" else None


def is_drawing(array: UInt8[np.ndarray, "h w 4"]) -> bool:
    """Return true if a picture, RGBA, is opaque and has nothing but dark and light greys.

    Example:
        is_drawing(np.full((8, 8, 4), 255, np.uint8))  # True
    """
    if (array[..., 3] < OPAQUE).any():
        return False
    rgb = array[..., :3].astype(np.int64)
    grey = np.ptp(rgb, axis=2) < _GREY
    luma = rgb.mean(2)
    return bool((grey & ((luma < _DARK) | (luma > _LIGHT))).mean() >= _TWO_TONED)


def ink_of(array: UInt8[np.ndarray, "h w 4"]) -> tuple[Bool[np.ndarray, "h w"], bool]:
    """Return the lines of a drawing, and whether they were dark on light: the border is ground.

    Example:
        ink, inverted = ink_of(array)
    """
    light = array[..., :3].mean(2) > 127
    border = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    inverted = bool(border.mean() > 0.5)
    return light ^ inverted, inverted
