"""Models of the tests of the page: random weights, so that they are there at once."""

from __future__ import annotations

import pointillist as pt
from pointillist.images import ImageSpec
from pointillist.model.folder.generation import GenerationConfig
from tests.laws.strategies import randomise_weights


def digits() -> pt.PixelModel:
    """8x8, 17 levels, ten labels."""
    image = ImageSpec(channels=1, height=8, width=8, levels=17, mode="grey")
    classes = [str(label) for label in range(10)]
    return randomise_weights(
        pt.build("gated-pixelcnn", shape=image, classes=classes, channels=8, layers=2, head_channels=8)
    )


def outliner() -> pt.PixelModel:
    """8x8, four colours, conditioned on the outline and on text, with settings and prompts of its own."""
    palette = ((0, 0, 0, 0), (200, 30, 30, 255), (30, 200, 30, 255), (250, 250, 250, 255))
    image = ImageSpec(channels=1, height=8, width=8, levels=4, ordered=False, mode="palette", palette=palette)
    settings = {"channels": 4, "layers": 1, "text": "learned", "hint": "outline"}
    model = randomise_weights(pt.build("pixelcnn", shape=image, classes=[f"style {i}" for i in range(40)], **settings))
    model.generation_config = GenerationConfig(
        guidance=2.0, temperature=0.7, prompts=("red heart", "green apple"), labels=("style 3",)
    )
    return model


def slow() -> pt.PixelModel:
    """So large that painting sixteen takes a while."""
    return randomise_weights(pt.build("gated-pixelcnn", shape=(3, 96, 96), levels=8, channels=64, layers=6))


def colours() -> pt.PixelModel:
    """8x8 RGB of 256 levels, whose distributions are mixtures: weights as at the beginning of a training."""
    image = ImageSpec(channels=3, height=8, width=8, levels=256, mode="rgb")
    return pt.build("pixelcnn", shape=image, likelihood="mixture", channels=4, layers=1)
