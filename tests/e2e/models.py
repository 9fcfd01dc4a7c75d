"""Models of the tests of the page: random weights, so that they are there at once."""

from __future__ import annotations

import pointillist as pt
from pointillist.images import ImageSpec
from tests.laws.strategies import randomise_weights


def digits() -> pt.PixelModel:
    """8x8, 17 levels, ten labels."""
    image = ImageSpec(channels=1, height=8, width=8, levels=17, mode="grey")
    classes = [str(label) for label in range(10)]
    return randomise_weights(
        pt.build("gated-pixelcnn", image=image, classes=classes, channels=8, layers=2, head_channels=8)
    )


def slow() -> pt.PixelModel:
    """So large that painting sixteen takes a while."""
    return randomise_weights(pt.build("gated-pixelcnn", shape=(3, 96, 96), levels=8, channels=64, layers=6))
