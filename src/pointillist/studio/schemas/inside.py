"""Queries about the inside of a network: receptive field, layers, activations."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pointillist.studio.schemas.base import EncodedArray, Index, Name, Schema, Side
from pointillist.studio.schemas.queries import CanvasQuery


class FieldQuery(Schema):
    """A pixel of any image of a size.

    Attributes:
        height, width: of the image.
        row, column: from 0, from the top left.
        order: the generation order; null for the model's default.
    """

    height: Side
    width: Side
    row: Index
    column: Index
    order: Name | None = None


class FieldReach(Schema):
    """The pixels on which the distribution of a pixel can depend, whatever the image.

    Attributes:
        reach: 2 for those pixels, 1 for others before it in the generation order, 0 for the rest, uint8 `[h w]`.
        seen: number of pixels on which it can depend.
        earlier: number of pixels before it.
    """

    reach: EncodedArray
    seen: int
    earlier: int


class LayerReadings(Schema):
    """An image as read after each layer, with the later layers left out (logit lens).

    Attributes:
        names: names of the depths; the first is without any layer, the last is the model.
        surprisal: of every pixel at each depth, in bits, summed over its channels, float32 `[n h w]`.
    """

    names: list[str]
    surprisal: EncodedArray


class ActivationQuery(CanvasQuery):
    """An activation of the network for an image; a null name stands for the first."""

    name: Annotated[str, Field(max_length=500)] | None = None


class ActivationMap(Schema):
    """An activation of the network for an image.

    Attributes:
        names: all activations that have a value at each pixel, in the order in which they are computed.
        name: the name of this one.
        features: its number of features.
        size: root mean square over the features at each pixel, float32 `[h w]`.
        top: the largest of `size`.
    """

    names: list[str]
    name: str
    features: int
    size: EncodedArray
    top: float
