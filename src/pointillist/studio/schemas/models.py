"""What the studio says of itself and of each of its models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pointillist.images import Mode
from pointillist.studio.messages.base import Message

State = Literal["waiting", "loading", "ready", "failed"]
Colour = Annotated[list[int], Field(min_length=4, max_length=4)]


class ImageKind(Message):
    """What the integers of an image mean.

    Attributes:
        mode: `grey`, `rgb`, `rgba`, `palette` or `codes` (integers that are no picture).
        channels, height, width: the usual grid, `c h w`.
        levels: values of a sub-pixel, 0 to `levels - 1`.
        ordered: whether a level is a quantity, or a name.
        dtype: of its levels wherever they are sent: `uint8` to 256 levels, else `uint16`.
        palette: straight-alpha RGBA colours of the levels, 0 to 255, for `palette` only.
        values: the 8-bit value of each level of a channel, for `grey`, `rgb` and `rgba` only.
        channel_names: for people; empty names where there is one channel.
    """

    mode: Mode
    channels: int
    height: int
    width: int
    levels: int
    ordered: bool
    dtype: Literal["uint8", "uint16"]
    palette: list[Colour] | None
    values: list[int] | None
    channel_names: list[str]


class TextKind(Message):
    """How a model listens to text: `encoder` is that of frozen vectors, if any; `learned` whether it knows words."""

    encoder: str | None
    learned: bool


class HintKind(Message):
    """The hint that a model listens to.

    Attributes:
        image: what its integers mean; null where it is float32 numbers. Its height and width are those of the hint
            that is to be given for an image of the usual size.
        channels: of the hint.
        derive: how it is made of an image: `lowres:N`, `grey`, `outline`, `half:SIDE`; null where it comes by itself.
    """

    image: ImageKind | None
    channels: int
    derive: str | None


class Conditions(Message):
    """What a model listens to; empty or null where it does not.

    Attributes:
        labels: names of the classes; the number of a class is its place.
        attributes: names of the values of each attribute.
        vector: how many numbers.
    """

    labels: list[str]
    attributes: dict[str, list[str]]
    vector: int | None
    text: TextKind | None
    hint: HintKind | None


class Details(Message):
    """What is known of a model that is ready.

    Attributes:
        network: such as `gated-pixelcnn`.
        parameters: how many weights.
        sha256: of weights and settings together, 64 hexadecimal digits.
        image: the images that it paints.
        fixed_size: whether it paints and reads its usual size only.
        likelihood: `bernoulli`, `categorical` or `mixture`; `mixtures` components of the last, else 0.
        conditions: what it listens to.
        orders: that it can paint in, the usual one first; see `Order` in docs/studio_api.md.
        bits_top: the value, in bits a sub-pixel, of the last colour of a map of entropy or surprise; the same for
            all images of a model, so that maps can be compared.
        engine: what `auto` stands for on this machine.
    """

    network: str
    parameters: int
    sha256: str
    image: ImageKind
    fixed_size: bool
    likelihood: Literal["bernoulli", "categorical", "mixture"]
    mixtures: int
    conditions: Conditions
    orders: list[str]
    bits_top: float
    engine: str


class ModelInfo(Message):
    """One model of the studio.

    Attributes:
        id: what paths call it; letters, digits, `-`, `_`, `.`.
        name: for people.
        state: `waiting` for its turn, `loading`, `ready`, or `failed`.
        step: what is being done while it loads, a few words.
        error: why it failed, one sentence.
        details: once it is ready.
    """

    id: str
    name: str
    state: State
    step: str | None
    error: str | None
    details: Details | None


class Limits(Message):
    """What the server takes.

    Attributes:
        body_bytes: of any request, a picture that is uploaded included.
        picture_pixels: of such a picture, width times height, read from its header.
        canvases: of one painting.
        pixels: width times height of an image that is painted or asked about.
        numbers: that a painting may hold: canvases x network outputs a pixel x pixels.
        waiting: paintings in the queue; `at_once` are painted at the same time.
        seconds: that one painting may take.
    """

    body_bytes: int
    picture_pixels: int
    canvases: int
    pixels: int
    numbers: int
    waiting: int
    at_once: int
    seconds: float


class Hello(Message):
    """What the studio is: its version, its limits and its models, in the order in which they were named."""

    version: str
    limits: Limits
    models: list[ModelInfo]
